/* cmd_verify - walks every checksum and invariant of every store, offline or beside running processes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "oltp/oltp.h"
#include "pipeline/cli/cli.h"
#include "pipeline/sinks/sink.h"
#include "wal/wal.h"

struct cmd_verify_part {
    const char *name; /* as printed and as given to --only */
    const char *dir;  /* inside the platform; NULL: of the sink of that name */
    enum seam_status (*verify)(const struct platform *p, const char *dir, struct seam_buf *summary,
                               struct seam_buf *report, struct seam_fault *f);
};

static enum seam_status verify_log(const struct platform *p, const char *dir,
                                   struct seam_buf *summary, struct seam_buf *report,
                                   struct seam_fault *f)
{
    struct wal_check check;
    enum seam_status st = wal_verify(p->io, dir, &check, f);

    (void)report;
    seam_buf_printf(summary,
                    "%" PRIu64 " segments, %" PRIu64 " records, LSN %" PRIu64 "..%" PRIu64
                    ", %" PRIu64 " histories",
                    check.segments, check.records, check.oldest, check.end, check.histories);
    return st;
}

static enum seam_status verify_rows(const struct platform *p, const char *dir,
                                    struct seam_buf *summary, struct seam_buf *report,
                                    struct seam_fault *f)
{
    struct oltp_check check = {0};
    char wal_dir[SEAM_PATH_MAX_BYTES];
    struct oltp_progress none = {0};
    enum seam_status st = platform_path(p, "wal", wal_dir, f);

    if (st == SEAM_OK) st = oltp_verify(p->io, dir, wal_dir, &check, report, none, f);
    seam_buf_printf(summary,
                    "%" PRIu64 " trees, %" PRIu64 " pages, %" PRIu64 " rows, %" PRIu64
                    " index entries at LSN %" PRIu64,
                    check.trees, check.pages, check.rows, check.index_entries, check.lsn);
    return st;
}

/* What stands before the sinks. */
static const struct cmd_verify_part parts[] = {
    {"log", "wal", verify_log},
    {"rows", "oltp", verify_rows},
    {"stream", "stream", verify_log},
};

static void print_part(struct cli *c, const struct cmd_verify_part *part, enum seam_status st,
                       const struct seam_buf *summary, const struct seam_buf *report,
                       struct seam_json_writer *w)
{
    char text[SEAM_FAULT_WHERE_MAX + SEAM_FAULT_WHY_MAX + 64];

    if (c->json) {
        seam_jw_object(w);
        seam_jw_key(w, "store");
        seam_jw_str(w, part->name);
        seam_jw_key(w, "status");
        seam_jw_str(w, seam_status_name(st));
        seam_jw_key(w, "summary");
        seam_jw_strn(w, (const char *)summary->data, summary->size);
        if (st != SEAM_OK) {
            seam_jw_key(w, "message");
            seam_jw_str(w, seam_fault_text(&c->fault, text, sizeof text));
        }
        seam_jw_end_object(w);
        return;
    }
    printf("%-10s %-8s %.*s\n", part->name, st == SEAM_OK ? "ok" : seam_status_name(st),
           (int)summary->size, (const char *)summary->data);
    if (st != SEAM_OK && report->size > 0)
        printf("%.*s", (int)report->size, (const char *)report->data);
    if (st != SEAM_OK) printf("           %s\n", seam_fault_text(&c->fault, text, sizeof text));
}

static enum seam_status verify_part(struct cli *c, const struct platform *p,
                                    const struct cmd_verify_part *part, struct seam_json_writer *w,
                                    int *checked)
{
    struct seam_buf summary = {0}, report = {0};
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st;

    seam_fault_clear(&c->fault);
    st = part->dir != NULL ? platform_path(p, part->dir, dir, &c->fault)
                           : platform_sink_path(p, part->name, dir, &c->fault);
    if (st == SEAM_OK && !seam_io_exists(p->io, dir)) return SEAM_OK; /* a sink that never ran */
    if (st == SEAM_OK) st = part->verify(p, dir, &summary, &report, &c->fault);
    print_part(c, part, st, &summary, &report, w);
    seam_buf_free(&summary);
    seam_buf_free(&report);
    ++*checked;
    return st;
}

/* Each store is checked whatever the one before said; the worst status is the answer.              */
static enum seam_status verify_all(struct cli *c, const struct platform *p, const char *only,
                                   struct seam_json_writer *w, int *checked)
{
    size_t sinks;
    const struct sink_ops *const *all = sink_list(&sinks);
    enum seam_status worst = SEAM_OK;

    for (size_t i = 0; i < SEAM_ARRAY_LEN(parts) + sinks; i++) {
        struct cmd_verify_part part;
        enum seam_status st;

        if (i < SEAM_ARRAY_LEN(parts))
            part = parts[i];
        else
            part = (struct cmd_verify_part){.name = all[i - SEAM_ARRAY_LEN(parts)]->name,
                                            .verify = all[i - SEAM_ARRAY_LEN(parts)]->verify};
        if (part.verify == NULL || (only != NULL && strcmp(only, part.name) != 0)) continue;
        st = verify_part(c, p, &part, w, checked);
        if (worst == SEAM_OK) worst = st;
    }
    return worst;
}

int cmd_verify(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *only = NULL;
    const struct seam_opt opts[] = {
        {"only", 0, SEAM_OPT_STRING, "STORE", "log, rows, stream or a sink (seam sink --list)",
         &only},
    };
    struct platform p;
    struct seam_buf out = {0};
    struct seam_json_writer w;
    int count, checked = 0;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 1);
    enum seam_status st;

    if (rc >= 0) return rc;
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    seam_jw_init(&w, &out);
    seam_jw_object(&w);
    seam_jw_key(&w, "stores");
    seam_jw_array(&w);
    st = verify_all(c, &p, only, &w, &checked);
    seam_jw_end_array(&w);
    seam_jw_key(&w, "ok");
    seam_jw_bool(&w, st == SEAM_OK);
    seam_jw_end_object(&w);
    seam_buf_str(&out, "\n");
    if (c->json) cli_print(&out);
    seam_buf_free(&out);
    platform_close(&p);
    if (checked == 0) return cli_usage(c, "there is no store '%s' here", only != NULL ? only : "");
    if (!c->json && !c->quiet && st == SEAM_OK) printf("every checksum and invariant holds\n");
    return seam_status_exit_code(st);
}
