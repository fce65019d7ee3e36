/* check_reconcile - every store against the row store, every view and gold table against its own query; then repair,
 * wait until the stores have applied it, and look again.                                            */
#include <inttypes.h>
#include <string.h>

#include "pipeline/cli/check.h"
#include "pipeline/trust/freshness.h"
#include "pipeline/trust/reconcile.h"
#include "pipeline/trust/reconcile_query.h"

enum { REPAIR_WAIT_MS = 20000, SHOWN_TEXT_MAX = 20 };

/* ---- printing ---- */

static void print_results(struct cli_check *k, const struct reconcile_report *r)
{
    struct cli_table_out t;
    char bytes[32], time[32];

    table_begin(&t, 9, 0x1fc);
    for (const char *const *h =
             (const char *const[]){"store", "table", "at LSN", "source rows", "store rows",
                                   "digests", "exchanged", "time", "differ", NULL};
         *h != NULL; h++)
        table_cell(&t, "%s", *h);
    for (size_t i = 0; i < r->count; i++) {
        const struct reconcile_result *x = &r->results[i];

        table_cell(&t, "%s", x->store);
        table_cell(&t, "%s", x->table);
        table_cell(&t, "%" PRIu64, x->lsn);
        table_cell(&t, "%" PRIu64, x->cost.source_rows);
        table_cell(&t, "%" PRIu64, x->cost.store_rows);
        table_cell(&t, "%" PRIu64, x->cost.digests);
        table_cell(&t, "%s", human_bytes(x->cost.bytes_exchanged, bytes));
        table_cell(&t, "%s", human_duration((int64_t)(x->cost.ns / 1000), time));
        if (x->note != NULL)
            table_cell(&t, "not compared");
        else
            table_cell(&t, "%" PRIu64, x->differences);
    }
    table_print(k->cli, &t);
    for (size_t i = 0; i < r->count; i++) {
        const struct reconcile_result *x = &r->results[i];

        if (x->note != NULL) printf("%s: %s\n", x->store, x->note);
        if (x->since != SEAM_LSN_NONE && x->cost.ns > 0) /* said once for the store */
            printf("%s: by the digests kept at LSN %" PRIu64 " and %" PRIu64
                   " changes since; --full reads everything\n",
                   x->store, x->since, x->changes);
        for (size_t d = 0; d < x->shown && d < SHOWN_TEXT_MAX; d++) {
            const struct reconcile_difference *y = &x->list[d];

            printf("%s %s %s: %s (source: LSN %" PRIu64 "; store: LSN %" PRIu64
                   ")\n  source %s\n  store  %s\n",
                   x->store, x->table, y->key_text, reconcile_verdict_name(y->verdict),
                   y->source_lsn, y->store_lsn, y->source != NULL ? y->source : "-",
                   y->store != NULL ? y->store : "-");
        }
        if (x->differences > SHOWN_TEXT_MAX)
            printf("  ... and %" PRIu64 " more\n", x->differences - SHOWN_TEXT_MAX);
    }
}

static void side_json(struct seam_json_writer *w, const char *name, const char *row)
{
    seam_jw_key(w, name);
    if (row != NULL)
        seam_jw_raw(w, row, strlen(row));
    else
        seam_jw_null(w);
}

/* What was found and both sides, as `source` and `store` are called here; the object is left open. */
static void sides_json(struct seam_json_writer *w, const struct reconcile_difference *d,
                       const char *source, const char *store)
{
    seam_jw_object(w);
    seam_jw_key(w, "verdict");
    seam_jw_str(w, reconcile_verdict_name(d->verdict));
    seam_jw_key(w, "key");
    seam_jw_str(w, d->key_text);
    side_json(w, source, d->source);
    side_json(w, store, d->store);
}

static void difference_json(struct seam_json_writer *w, const struct reconcile_difference *d)
{
    sides_json(w, d, "source", "store");
    seam_jw_key(w, "source_lsn");
    seam_jw_uint(w, d->source_lsn);
    seam_jw_key(w, "store_lsn");
    seam_jw_uint(w, d->store_lsn);
    seam_jw_end_object(w);
}

static void results_json(struct seam_json_writer *w, const struct reconcile_report *r)
{
    seam_jw_array(w);
    for (size_t i = 0; i < r->count; i++) {
        const struct reconcile_result *x = &r->results[i];
        const struct {
            const char *name;
            uint64_t n;
        } numbers[] = {
            {"lsn", x->lsn},
            {"kept_since", x->since},
            {"source_rows", x->cost.source_rows},
            {"store_rows", x->cost.store_rows},
            {"leaves", x->cost.leaves},
            {"digests_compared", x->cost.digests},
            {"differing_leaves", x->cost.differing_leaves},
            {"rows_compared", x->cost.rows_compared},
            {"bytes_exchanged", x->cost.bytes_exchanged},
            {"microseconds", x->cost.ns / 1000},
            {"differences", x->differences},
        };

        seam_jw_object(w);
        seam_jw_key(w, "store");
        seam_jw_str(w, x->store);
        seam_jw_key(w, "table");
        seam_jw_str(w, x->table);
        seam_jw_key(w, "note");
        if (x->note != NULL)
            seam_jw_str(w, x->note);
        else
            seam_jw_null(w);
        for (size_t n = 0; n < SEAM_ARRAY_LEN(numbers); n++) {
            seam_jw_key(w, numbers[n].name);
            seam_jw_uint(w, numbers[n].n);
        }
        seam_jw_key(w, "list");
        seam_jw_array(w);
        for (size_t d = 0; d < x->shown; d++) difference_json(w, &x->list[d]);
        seam_jw_end_array(w);
        seam_jw_end_object(w);
    }
    seam_jw_end_array(w);
}

/* ---- views and gold ---- */

static void query_json(struct seam_json_writer *w, const struct reconcile_result *x)
{
    seam_jw_object(w);
    seam_jw_key(w, "store");
    seam_jw_str(w, x->store);
    seam_jw_key(w, "table");
    seam_jw_str(w, x->table);
    seam_jw_key(w, "lsn");
    seam_jw_uint(w, x->lsn);
    seam_jw_key(w, "note");
    if (x->note != NULL)
        seam_jw_str(w, x->note);
    else
        seam_jw_null(w);
    seam_jw_key(w, "rows");
    seam_jw_uint(w, x->cost.store_rows);
    seam_jw_key(w, "recomputed");
    seam_jw_uint(w, x->cost.source_rows);
    seam_jw_key(w, "differences");
    seam_jw_uint(w, x->differences);
    seam_jw_key(w, "list");
    seam_jw_array(w);
    for (size_t i = 0; i < x->shown; i++) {
        sides_json(w, &x->list[i], "recomputed", "kept");
        seam_jw_end_object(w);
    }
    seam_jw_end_array(w);
    seam_jw_end_object(w);
}

static void queries_json(struct seam_json_writer *w, const struct reconcile_report *r)
{
    seam_jw_array(w);
    for (size_t i = 0; i < r->count; i++) query_json(w, &r->results[i]);
    seam_jw_end_array(w);
}

static void print_query(const struct reconcile_result *x)
{
    if (x->note != NULL) {
        printf("%s %s: %s\n", x->store, x->table, x->note);
        return;
    }
    printf("%s %s at LSN %" PRIu64 ": %" PRIu64 " rows, its query from scratch gives %" PRIu64
           ", %" PRIu64 " differ\n",
           x->store, x->table, x->lsn, x->cost.store_rows, x->cost.source_rows, x->differences);
    for (size_t i = 0; i < x->shown && i < SHOWN_TEXT_MAX; i++) {
        const struct reconcile_difference *d = &x->list[i];

        printf("%s %s %s%s%s\n", x->store, x->table, d->key_text, *d->key_text != '\0' ? ": " : "",
               reconcile_verdict_name(d->verdict));
        printf("  kept       %s\n", d->store != NULL ? d->store : "-");
        printf("  recomputed %s\n", d->source != NULL ? d->source : "-");
    }
    if (x->differences > SHOWN_TEXT_MAX)
        printf("  ... and %" PRIu64 " more\n", x->differences - SHOWN_TEXT_MAX);
}

static void say_queries(struct cli_check *k, const struct reconcile_report *r, const char *name)
{
    if (k->json != NULL) {
        seam_jw_key(k->json, name);
        queries_json(k->json, r);
        return;
    }
    for (size_t i = 0; i < r->count; i++)
        if (r->results[i].differences > 0 || !k->cli->quiet) print_query(&r->results[i]);
}

/* ---- repair ---- */

/* Waits until every sink has applied `lsn`. False: they did not, within the time (or are not running). */
static bool wait_applied(struct cli_check *k, seam_lsn_t lsn)
{
    for (int ms = 0; ms < REPAIR_WAIT_MS && !cli_interrupted; ms += 20) {
        struct freshness list[CONTRACTS_MAX];
        size_t n = 0, there = 0;

        if (freshness_measure(k->platform, k->contracts, list, &n, NULL) != SEAM_OK) return false;
        for (size_t i = 0; i < n; i++) there += list[i].to >= lsn;
        if (there == n) return true;
        k->cli->clock->sleep_us(k->cli->clock, 20000);
    }
    return false;
}

/* Found, emitted, found again: of rows, or of what queries keep. */
struct round {
    struct reconcile_report before, after;
    uint64_t emitted;
    seam_lsn_t lsn; /* of the repair's last commit; SEAM_LSN_NONE: none was made */
    bool applied;
};

static bool is_clean(const struct round *r)
{
    return r->before.differences == 0 || (r->applied && r->after.differences == 0);
}

static void round_json(struct seam_json_writer *w, const struct round *r,
                       void (*list)(struct seam_json_writer *, const struct reconcile_report *),
                       const char *const names[4])
{
    seam_jw_key(w, names[0]);
    list(w, &r->before);
    seam_jw_key(w, names[1]);
    seam_jw_uint(w, r->emitted);
    seam_jw_key(w, names[2]);
    seam_jw_uint(w, r->lsn);
    seam_jw_key(w, names[3]);
    if (r->applied)
        list(w, &r->after);
    else
        seam_jw_null(w);
}

static enum seam_status write_report(struct cli_check *k, const struct round *rows,
                                     const struct round *queries)
{
    static const char *const row_names[] = {"found", "rows_emitted", "repair_lsn", "after_repair"},
                             *const query_names[] = {"queries", "requests_emitted",
                                                     "queries_repair_lsn", "queries_after_repair"};
    struct seam_buf b = {0};
    struct seam_json_writer w;
    enum seam_status st;

    seam_jw_init(&w, &b);
    seam_jw_object(&w);
    round_json(&w, rows, results_json, row_names);
    round_json(&w, queries, queries_json, query_names);
    seam_jw_end_object(&w);
    seam_buf_str(&b, "\n");
    st = seam_io_write_atomic(k->cli->io, k->report, b.data, b.size, &k->cli->fault);
    seam_buf_free(&b);
    return st;
}

static void say_repaired(struct cli_check *k, const struct round *r, const char *name,
                         const char *count_name, const char *noun, const char *done)
{
    if (k->json != NULL) {
        seam_jw_key(k->json, name);
        seam_jw_object(k->json);
        seam_jw_key(k->json, count_name);
        seam_jw_uint(k->json, r->emitted);
        seam_jw_key(k->json, "lsn");
        seam_jw_uint(k->json, r->lsn);
        seam_jw_key(k->json, "applied");
        seam_jw_bool(k->json, r->applied);
        seam_jw_end_object(k->json);
        return;
    }
    printf("repair: %" PRIu64 " %s%s %s, up to LSN %" PRIu64 "%s\n", r->emitted, noun,
           r->emitted == 1 ? "" : "s", done, r->lsn,
           r->applied ? "; every sink has applied them"
                      : "; not applied by every sink yet: are the relay and the sinks running?");
}

static enum seam_status repair_rows(struct cli_check *k, struct round *r)
{
    const struct reconcile_options o = {.deep = k->deep, .full = k->full};
    enum seam_status st =
        reconcile_repair(k->platform, &r->before, &r->emitted, &r->lsn, &k->cli->fault);

    if (st != SEAM_OK) return st;
    r->applied = wait_applied(k, r->lsn);
    say_repaired(k, r, "repair", "rows_emitted", "row", "emitted again");
    if (!r->applied) return SEAM_OK;
    st = reconcile_run(k->platform, &o, &r->after, &k->cli->fault);
    if (st == SEAM_OK && k->json == NULL) {
        printf("after the repair:\n");
        print_results(k, &r->after);
    } else if (st == SEAM_OK) {
        seam_jw_key(k->json, "after_repair");
        results_json(k->json, &r->after);
    }
    return st;
}

static enum seam_status repair_queries(struct cli_check *k, struct round *r)
{
    enum seam_status st =
        reconcile_queries_repair(k->platform, &r->before, &r->emitted, &r->lsn, &k->cli->fault);

    if (st != SEAM_OK) return st;
    r->applied = wait_applied(k, r->lsn);
    say_repaired(k, r, "queries_repair", "requests_emitted", "request", "to compute again");
    if (!r->applied) return SEAM_OK;
    st = reconcile_queries(k->platform, &r->after, &k->cli->fault);
    if (st != SEAM_OK) return st;
    if (k->json == NULL) printf("after the repair:\n");
    say_queries(k, &r->after, "queries_after_repair");
    return st;
}

static enum seam_status check_rows(struct cli_check *k, struct round *r)
{
    const struct reconcile_options o = {.deep = k->deep, .full = k->full};
    enum seam_status st = reconcile_run(k->platform, &o, &r->before, &k->cli->fault);

    if (st == SEAM_OK && k->json != NULL) {
        seam_jw_key(k->json, "reconcile");
        results_json(k->json, &r->before);
    } else if (st == SEAM_OK) {
        print_results(k, &r->before);
    }
    return st == SEAM_OK && r->before.differences > 0 && k->repair ? repair_rows(k, r) : st;
}

/* After the rows: what is computed from wrong ones cannot be right. */
static enum seam_status check_queries(struct cli_check *k, struct round *r)
{
    enum seam_status st = reconcile_queries(k->platform, &r->before, &k->cli->fault);

    if (st == SEAM_OK) say_queries(k, &r->before, "queries");
    return st == SEAM_OK && r->before.differences > 0 && k->repair ? repair_queries(k, r) : st;
}

enum seam_status check_reconcile(struct cli_check *k)
{
    struct round rows = {.lsn = SEAM_LSN_NONE}, queries = {.lsn = SEAM_LSN_NONE};
    bool clean;
    enum seam_status st = check_rows(k, &rows);

    if (st == SEAM_OK) st = check_queries(k, &queries);
    if (st == SEAM_OK && k->report != NULL) st = write_report(k, &rows, &queries);
    clean = is_clean(&rows) && is_clean(&queries);
    if (st == SEAM_OK && k->json == NULL) printf("%s\n", clean ? "no drift" : "DRIFT");
    snprintf(k->record.detail, sizeof k->record.detail,
             "%" PRIu64 " rows and %" PRIu64 " groups of views and gold differed%s",
             rows.before.differences, queries.before.differences,
             rows.before.differences + queries.before.differences == 0 ? ""
             : clean                                                   ? "; repaired"
             : rows.lsn != SEAM_LSN_NONE || queries.lsn != SEAM_LSN_NONE
                 ? "; a repair is on its way"
                 : "; seam check DIR reconcile --repair");
    reconcile_free(&rows.before);
    reconcile_free(&rows.after);
    reconcile_free(&queries.before);
    reconcile_free(&queries.after);
    return st != SEAM_OK ? st : clean ? SEAM_OK : SEAM_DRIFT;
}
