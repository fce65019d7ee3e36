/* cmd_dlq - the events that sinks set aside: list them, emit their rows again, or let them go.
 *
 * A retry writes the row's present state again through the log: the event is then history, and its row is right. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "oltp/oltp.h"
#include "pipeline/cli/cli.h"
#include "pipeline/sinks/deadletter.h"
#include "pipeline/sinks/sink.h"
#include "pipeline/trust/reconcile.h"

enum { LETTERS_AT_ONCE = 1000 };

struct dlq {
    struct cli *cli;
    const struct platform *platform;
    const char *verb, *sink, *only; /* sink: the one being looked at; only: the one asked for */
    int64_t id;                     /* -1 = all */
    uint64_t count;
    uint64_t left; /* letters that retry passes over */
    struct cli_table_out table;
    struct oltp_txn *txn;          /* retrying */
    uint64_t ids[LETTERS_AT_ONCE]; /* open letters of this sink that are to get a verdict */
    size_t n;
};

static void print_letter(struct dlq *q, const struct sink_dead_letter *d)
{
    struct seam_buf b = {0};
    struct seam_json_writer w;

    if (!q->cli->json) {
        table_cell(&q->table, "%s", q->sink);
        table_cell(&q->table, "%" PRIu64, d->id);
        table_cell(&q->table, "%" PRIu64, d->event.offset);
        table_cell(&q->table, "%" PRIu64, d->event.lsn);
        table_cell(&q->table, "%s", sink_dead_verdict_name(d->verdict));
        table_cell(&q->table, "%s", d->reason);
        return;
    }
    seam_jw_init(&w, &b);
    seam_jw_object(&w);
    seam_jw_key(&w, "sink");
    seam_jw_str(&w, q->sink);
    seam_jw_key(&w, "id");
    seam_jw_uint(&w, d->id);
    seam_jw_key(&w, "offset");
    seam_jw_uint(&w, d->event.offset);
    seam_jw_key(&w, "lsn");
    seam_jw_uint(&w, d->event.lsn);
    seam_jw_key(&w, "verdict");
    seam_jw_str(&w, sink_dead_verdict_name(d->verdict));
    seam_jw_key(&w, "reason");
    seam_jw_str(&w, d->reason);
    seam_jw_end_object(&w);
    seam_buf_str(&b, "\n");
    cli_print(&b);
    seam_buf_free(&b);
}

static enum seam_status one_letter(void *ctx, const struct sink_dead_letter *d,
                                   struct seam_fault *f)
{
    struct dlq *q = ctx;

    if (q->id >= 0 && d->id != (uint64_t)q->id) return SEAM_OK;
    q->count++;
    if (strcmp(q->verb, "list") == 0) {
        print_letter(q, d);
        return SEAM_OK;
    }
    if (strcmp(q->verb, "retry") == 0 && d->event.kind != STREAM_ROW) {
        q->count--;
        q->left++; /* no row that could be emitted again: it stays, until it is dropped */
        return SEAM_OK;
    }
    if (q->n == LETTERS_AT_ONCE) return SEAM_END; /* the rest next time */
    q->ids[q->n++] = d->id;
    if (strcmp(q->verb, "drop") == 0) return SEAM_OK;
    return reconcile_emit(q->txn, d->event.row.table, d->event.row.key, f);
}

static enum seam_status one_sink(struct dlq *q)
{
    struct seam_fault *f = &q->cli->fault;
    enum seam_status st;

    q->n = 0;
    st = sink_dead_letters(q->platform, q->sink, strcmp(q->verb, "list") != 0, one_letter, q, f);
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status give_verdicts(struct dlq *q, enum sink_dead_verdict v)
{
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < q->n; i++)
        st = sink_dead_letter_resolve(q->platform, q->sink, q->ids[i], v, &q->cli->fault);
    return st;
}

/* The rows are in the log, durably, before any letter counts as retried. */
static enum seam_status retry_sink(struct dlq *q, seam_lsn_t *lsn)
{
    struct platform_source source = {0};
    struct oltp_commit commit = {0};
    struct seam_fault *f = &q->cli->fault;
    enum seam_status st = platform_open_source(q->platform, &source, f);

    if (st == SEAM_OK) st = oltp_write_begin(source.db, &q->txn, f);
    if (st == SEAM_OK) st = one_sink(q);
    if (st == SEAM_OK) {
        st = oltp_commit(q->txn, OLTP_DURABLE, &commit, f);
        q->txn = NULL;
    }
    oltp_end(q->txn);
    q->txn = NULL;
    st = platform_close_source(&source, st, f);
    if (st == SEAM_OK) st = give_verdicts(q, DEAD_RETRIED);
    *lsn = commit.lsn;
    return st;
}

static enum seam_status run_dlq(struct dlq *q, seam_lsn_t *lsn)
{
    size_t n;
    const struct sink_ops *const *all = sink_list(&n);
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < n; i++) {
        if (platform_sink_config(q->platform, all[i]->name) == NULL) continue;
        if (q->only != NULL && strcmp(q->only, all[i]->name) != 0) continue;
        q->sink = all[i]->name;
        if (strcmp(q->verb, "retry") == 0)
            st = retry_sink(q, lsn);
        else
            st = one_sink(q);
        if (st == SEAM_OK && strcmp(q->verb, "drop") == 0) st = give_verdicts(q, DEAD_DROPPED);
    }
    return st;
}

int cmd_dlq(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    struct dlq q = {.cli = c, .verb = "list", .id = -1};
    const struct seam_opt opts[] = {
        {"sink", 0, SEAM_OPT_STRING, "NAME", "only this sink's", &q.only},
        {"id", 0, SEAM_OPT_INT, "N", "only this letter", &q.id},
    };
    struct platform p;
    seam_lsn_t lsn = SEAM_LSN_NONE;
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 2);
    enum seam_status st;

    if (rc >= 0) return rc;
    if (count == 2) q.verb = args[1];
    if (strcmp(q.verb, "list") != 0 && strcmp(q.verb, "retry") != 0 && strcmp(q.verb, "drop") != 0)
        return cli_usage(c, "'%s' is none of list, retry, drop", q.verb);
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    q.platform = &p;
    table_begin(&q.table, 6, 1u << 1 | 1u << 2 | 1u << 3);
    for (const char *const *h =
             (const char *const[]){"sink", "id", "offset", "LSN", "verdict", "reason", NULL};
         *h != NULL; h++)
        table_cell(&q.table, "%s", *h);
    st = run_dlq(&q, &lsn);
    platform_close(&p);
    if (strcmp(q.verb, "list") == 0 && st == SEAM_OK && !c->json && q.count > 0)
        table_print(c, &q.table);
    else
        seam_buf_free(&q.table.cells);
    if (st != SEAM_OK) return cli_fail(c, st);
    if (strcmp(q.verb, "list") == 0 && !c->json) printf("%" PRIu64 " dead letters\n", q.count);
    if (strcmp(q.verb, "drop") == 0) printf("%" PRIu64 " dead letters dropped\n", q.count);
    if (strcmp(q.verb, "retry") == 0)
        printf("%" PRIu64 " rows emitted again, up to LSN %" PRIu64 "\n", q.count, lsn);
    if (q.left > 0)
        printf("%" PRIu64
               " letters are events of the shop's own: they stay ('seam dlq DIR drop')\n",
               q.left);
    return EXIT_FINE;
}
