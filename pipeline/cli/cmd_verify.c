/* cmd_verify - walks every checksum and invariant of every store, offline or beside running processes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/columnar.h"
#include "hnsw/hnsw.h"
#include "invidx/invidx.h"
#include "oltp/oltp.h"
#include "pipeline/cli/cli.h"
#include "pipeline/sinks/vectors/vectors.h"
#include "wal/wal.h"

struct cmd_verify_part {
    const char *name; /* as printed and as given to --only */
    const char *dir;  /* inside the platform */
    enum seam_status (*verify)(struct cli *c, const struct platform *p, const char *dir,
                               struct seam_buf *summary, struct seam_buf *report);
};

static enum seam_status verify_log(struct cli *c, const struct platform *p, const char *dir,
                                   struct seam_buf *summary, struct seam_buf *report)
{
    struct wal_check check;
    enum seam_status st = wal_verify(p->io, dir, &check, &c->fault);

    (void)report;
    seam_buf_printf(summary, "%" PRIu64 " segments, %" PRIu64 " records, LSN %" PRIu64 "..%" PRIu64,
                    check.segments, check.records, check.oldest, check.end);
    return st;
}

static enum seam_status verify_rows(struct cli *c, const struct platform *p, const char *dir,
                                    struct seam_buf *summary, struct seam_buf *report)
{
    struct oltp_check check = {0};
    char wal_dir[SEAM_PATH_MAX_BYTES];
    struct oltp_progress none = {0};
    enum seam_status st = platform_path(p, "wal", wal_dir, &c->fault);

    if (st == SEAM_OK) st = oltp_verify(p->io, dir, wal_dir, &check, report, none, &c->fault);
    seam_buf_printf(summary,
                    "%" PRIu64 " trees, %" PRIu64 " pages, %" PRIu64 " rows, %" PRIu64
                    " index entries at LSN %" PRIu64,
                    check.trees, check.pages, check.rows, check.index_entries, check.lsn);
    return st;
}

/* The view and the audit keep a row store and its log of their own.                                */
static enum seam_status verify_nested(struct cli *c, const struct platform *p, const char *dir,
                                      struct seam_buf *summary, struct seam_buf *report)
{
    struct oltp_check check = {0};
    char wal_dir[SEAM_PATH_MAX_BYTES], rows_dir[SEAM_PATH_MAX_BYTES];
    struct oltp_progress none = {0};
    struct wal_check log;
    enum seam_status st = seam_path_join(wal_dir, dir, "wal", &c->fault);

    if (st == SEAM_OK) st = seam_path_join(rows_dir, dir, "rows", &c->fault);
    if (st == SEAM_OK) st = wal_verify(p->io, wal_dir, &log, &c->fault);
    if (st == SEAM_OK) st = oltp_verify(p->io, rows_dir, wal_dir, &check, report, none, &c->fault);
    seam_buf_printf(summary, "%" PRIu64 " trees, %" PRIu64 " pages, %" PRIu64 " rows", check.trees,
                    check.pages, check.rows);
    return st;
}

static enum seam_status verify_columns(struct cli *c, const struct platform *p, const char *dir,
                                       struct seam_buf *summary, struct seam_buf *report)
{
    struct columnar_verified v = {0};
    enum seam_status st = columnar_verify(p->io, dir, &v, report, &c->fault);

    seam_buf_printf(summary,
                    "%" PRIu64 " tables, %" PRIu64 " files, %" PRIu64 " row groups, %" PRIu64
                    " chunks, %" PRIu64 " rows",
                    v.tables, v.files, v.row_groups, v.chunks, v.rows);
    return st;
}

static enum seam_status verify_words(struct cli *c, const struct platform *p, const char *dir,
                                     struct seam_buf *summary, struct seam_buf *report)
{
    struct invidx_reader *r = NULL;
    struct invidx_info info = {0};
    enum seam_status st = invidx_verify(p->io, dir, report, &c->fault);

    if (st == SEAM_OK) st = invidx_reader_open(p->io, dir, SEAM_LSN_MAX, &r, &c->fault);
    if (st == SEAM_OK) invidx_reader_info(r, &info);
    invidx_reader_close(r);
    seam_buf_printf(summary, "%zu segments, %" PRIu64 " documents", info.segments, info.docs);
    return st;
}

static enum seam_status verify_graph(struct cli *c, const struct platform *p, const char *dir,
                                     struct seam_buf *summary, struct seam_buf *report)
{
    struct hnsw_verify_report *v = calloc(1, sizeof *v);
    struct sink_vectors_current current;
    enum seam_status st;

    (void)report;
    (void)dir; /* the graph is that of the current generation */
    if (v == NULL)
        return seam_fault_set(&c->fault, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory");
    st = sink_vectors_current(p, &current, &c->fault);
    if (st == SEAM_OK) st = hnsw_verify(p->io, current.dir, v, &c->fault);
    seam_buf_printf(summary,
                    "%" PRIu64 " files, %" PRIu64 " nodes, %" PRIu64 " links, %" PRIu64 "/%" PRIu64
                    " reachable",
                    v->files, v->nodes, v->links, v->health.reachable, v->health.live);
    free(v);
    return st;
}

static const struct cmd_verify_part parts[] = {
    {"log", "wal", verify_log},
    {"rows", "oltp", verify_rows},
    {"stream", "stream", verify_log},
    {"warehouse", "sinks/warehouse", verify_columns},
    {"gold", "sinks/gold", verify_columns},
    {"view", "sinks/view", verify_nested},
    {"audit", "sinks/audit", verify_nested},
    {"search", "sinks/search", verify_words},
    {"vectors", "sinks/vectors", verify_graph},
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

/* Each store is checked whatever the one before said; the worst status is the answer.              */
static enum seam_status verify_all(struct cli *c, const struct platform *p, const char *only,
                                   struct seam_json_writer *w, int *checked)
{
    enum seam_status worst = SEAM_OK;

    for (size_t i = 0; i < SEAM_ARRAY_LEN(parts); i++) {
        struct seam_buf summary = {0}, report = {0};
        char dir[SEAM_PATH_MAX_BYTES];
        enum seam_status st;

        if (only != NULL && strcmp(only, parts[i].name) != 0) continue;
        seam_fault_clear(&c->fault);
        st = platform_path(p, parts[i].dir, dir, &c->fault);
        if (st == SEAM_OK && !seam_io_exists(p->io, dir)) continue; /* a sink that never ran */
        if (st == SEAM_OK) st = parts[i].verify(c, p, dir, &summary, &report);
        print_part(c, &parts[i], st, &summary, &report, w);
        if (worst == SEAM_OK) worst = st;
        seam_buf_free(&summary);
        seam_buf_free(&report);
        ++*checked;
    }
    return worst;
}

int cmd_verify(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *only = NULL;
    const struct seam_opt opts[] = {
        {"only", 0, SEAM_OPT_STRING, "STORE",
         "log, rows, stream, warehouse, gold, view, audit, search or vectors", &only},
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
