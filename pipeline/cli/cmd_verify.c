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

struct part {
    const char *name; /* as printed and as given to --only */
    const char *dir;  /* inside the platform */
    enum status (*verify)(struct cli *c, const struct platform *p, const char *dir, struct buf *summary,
                          struct buf *report);
};

static enum status verify_log(struct cli *c, const struct platform *p, const char *dir,
                              struct buf *summary, struct buf *report)
{
    struct wal_check check;
    enum status st = wal_verify(p->io, dir, &check, &c->fault);

    (void)report;
    buf_printf(summary, "%" PRIu64 " segments, %" PRIu64 " records, LSN %" PRIu64 "..%" PRIu64,
               check.segments, check.records, check.oldest, check.end);
    return st;
}

static enum status verify_rows(struct cli *c, const struct platform *p, const char *dir,
                               struct buf *summary, struct buf *report)
{
    struct oltp_check check = {0};
    char wal_dir[PATH_MAX_BYTES];
    struct oltp_progress none = {0};
    enum status st = platform_path(p, "wal", wal_dir, &c->fault);

    if (st == ST_OK) st = oltp_verify(p->io, dir, wal_dir, &check, report, none, &c->fault);
    buf_printf(summary, "%" PRIu64 " trees, %" PRIu64 " pages, %" PRIu64 " rows, %" PRIu64
               " index entries at LSN %" PRIu64, check.trees, check.pages, check.rows,
               check.index_entries, check.lsn);
    return st;
}

/* The view and the audit keep a row store and its log of their own.                                */
static enum status verify_nested(struct cli *c, const struct platform *p, const char *dir,
                                 struct buf *summary, struct buf *report)
{
    struct oltp_check check = {0};
    char wal_dir[PATH_MAX_BYTES], rows_dir[PATH_MAX_BYTES];
    struct oltp_progress none = {0};
    struct wal_check log;
    enum status st = path_join(wal_dir, dir, "wal", &c->fault);

    if (st == ST_OK) st = path_join(rows_dir, dir, "rows", &c->fault);
    if (st == ST_OK) st = wal_verify(p->io, wal_dir, &log, &c->fault);
    if (st == ST_OK) st = oltp_verify(p->io, rows_dir, wal_dir, &check, report, none, &c->fault);
    buf_printf(summary, "%" PRIu64 " trees, %" PRIu64 " pages, %" PRIu64 " rows", check.trees,
               check.pages, check.rows);
    return st;
}

static enum status verify_columns(struct cli *c, const struct platform *p, const char *dir,
                                  struct buf *summary, struct buf *report)
{
    struct columnar_verified v = {0};
    enum status st = columnar_verify(p->io, dir, &v, report, &c->fault);

    buf_printf(summary, "%" PRIu64 " tables, %" PRIu64 " files, %" PRIu64 " row groups, %" PRIu64
               " chunks, %" PRIu64 " rows", v.tables, v.files, v.row_groups, v.chunks, v.rows);
    return st;
}

static enum status verify_words(struct cli *c, const struct platform *p, const char *dir,
                                struct buf *summary, struct buf *report)
{
    struct invidx_reader *r = NULL;
    struct invidx_info info = {0};
    enum status st = invidx_verify(p->io, dir, report, &c->fault);

    if (st == ST_OK) st = invidx_reader_open(p->io, dir, LSN_MAX, &r, &c->fault);
    if (st == ST_OK) invidx_reader_info(r, &info);
    invidx_reader_close(r);
    buf_printf(summary, "%zu segments, %" PRIu64 " documents", info.segments, info.docs);
    return st;
}

static enum status verify_graph(struct cli *c, const struct platform *p, const char *dir,
                                struct buf *summary, struct buf *report)
{
    struct hnsw_verify_report *v = calloc(1, sizeof *v);
    struct vectors_current current;
    enum status st;

    (void)report;
    (void)dir; /* the graph is that of the current generation */
    if (v == NULL) return fault_set(&c->fault, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory");
    st = vectors_current(p, &current, &c->fault);
    if (st == ST_OK) st = hnsw_verify(p->io, current.dir, v, &c->fault);
    buf_printf(summary, "%" PRIu64 " files, %" PRIu64 " nodes, %" PRIu64 " links, %" PRIu64 "/%" PRIu64
               " reachable", v->files, v->nodes, v->links, v->health.reachable, v->health.live);
    free(v);
    return st;
}

static const struct part parts[] = {
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

static void print_part(struct cli *c, const struct part *part, enum status st, const struct buf *summary,
                       const struct buf *report, struct json_writer *w)
{
    char text[FAULT_WHERE_MAX + FAULT_WHY_MAX + 64];

    if (c->json) {
        jw_object(w);
        jw_key(w, "store");
        jw_str(w, part->name);
        jw_key(w, "status");
        jw_str(w, status_name(st));
        jw_key(w, "summary");
        jw_strn(w, (const char *)summary->data, summary->size);
        if (st != ST_OK) {
            jw_key(w, "message");
            jw_str(w, fault_text(&c->fault, text, sizeof text));
        }
        jw_end_object(w);
        return;
    }
    printf("%-10s %-8s %.*s\n", part->name, st == ST_OK ? "ok" : status_name(st), (int)summary->size,
           (const char *)summary->data);
    if (st != ST_OK && report->size > 0) printf("%.*s", (int)report->size, (const char *)report->data);
    if (st != ST_OK) printf("           %s\n", fault_text(&c->fault, text, sizeof text));
}

/* Each store is checked whatever the one before said; the worst status is the answer.              */
static enum status verify_all(struct cli *c, const struct platform *p, const char *only,
                              struct json_writer *w, int *checked)
{
    enum status worst = ST_OK;

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct buf summary = {0}, report = {0};
        char dir[PATH_MAX_BYTES];
        enum status st;

        if (only != NULL && strcmp(only, parts[i].name) != 0) continue;
        fault_clear(&c->fault);
        st = platform_path(p, parts[i].dir, dir, &c->fault);
        if (st == ST_OK && !io_exists(p->io, dir)) continue; /* a sink that never ran */
        if (st == ST_OK) st = parts[i].verify(c, p, dir, &summary, &report);
        print_part(c, &parts[i], st, &summary, &report, w);
        if (worst == ST_OK) worst = st;
        buf_free(&summary);
        buf_free(&report);
        ++*checked;
    }
    return worst;
}

int cmd_verify(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *only = NULL;
    const struct opt opts[] = {
        {"only", 0, OPT_STRING, "STORE", "log, rows, stream, warehouse, gold, view, audit, search or vectors", &only},
    };
    struct platform p;
    struct buf out = {0};
    struct json_writer w;
    int count, checked = 0;
    int rc = cli_parse(c, argc, argv, opts, ARRAY_LEN(opts), args, &count, 1, 1);
    enum status st;

    if (rc >= 0) return rc;
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != ST_OK) return cli_fail(c, st);
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "stores");
    jw_array(&w);
    st = verify_all(c, &p, only, &w, &checked);
    jw_end_array(&w);
    jw_key(&w, "ok");
    jw_bool(&w, st == ST_OK);
    jw_end_object(&w);
    buf_str(&out, "\n");
    if (c->json) cli_print(&out);
    buf_free(&out);
    platform_close(&p);
    if (checked == 0) return cli_usage(c, "there is no store '%s' here", only != NULL ? only : "");
    if (!c->json && !c->quiet && st == ST_OK) printf("every checksum and invariant holds\n");
    return status_exit_code(st);
}
