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

static void print_results(struct check *k, const struct reconcile_report *r)
{
    struct table_out t;
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
        if (x->since != LSN_NONE && x->cost.ns > 0) /* said once for the store */
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

static void side_json(struct json_writer *w, const char *name, const char *row)
{
    jw_key(w, name);
    if (row != NULL)
        jw_raw(w, row, strlen(row));
    else
        jw_null(w);
}

/* What was found and both sides, as `source` and `store` are called here; the object is left open. */
static void sides_json(struct json_writer *w, const struct reconcile_difference *d, const char *source,
                       const char *store)
{
    jw_object(w);
    jw_key(w, "verdict");
    jw_str(w, reconcile_verdict_name(d->verdict));
    jw_key(w, "key");
    jw_str(w, d->key_text);
    side_json(w, source, d->source);
    side_json(w, store, d->store);
}

static void difference_json(struct json_writer *w, const struct reconcile_difference *d)
{
    sides_json(w, d, "source", "store");
    jw_key(w, "source_lsn");
    jw_uint(w, d->source_lsn);
    jw_key(w, "store_lsn");
    jw_uint(w, d->store_lsn);
    jw_end_object(w);
}

static void results_json(struct json_writer *w, const struct reconcile_report *r)
{
    jw_array(w);
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

        jw_object(w);
        jw_key(w, "store");
        jw_str(w, x->store);
        jw_key(w, "table");
        jw_str(w, x->table);
        jw_key(w, "note");
        if (x->note != NULL)
            jw_str(w, x->note);
        else
            jw_null(w);
        for (size_t n = 0; n < ARRAY_LEN(numbers); n++) {
            jw_key(w, numbers[n].name);
            jw_uint(w, numbers[n].n);
        }
        jw_key(w, "list");
        jw_array(w);
        for (size_t d = 0; d < x->shown; d++)
            difference_json(w, &x->list[d]);
        jw_end_array(w);
        jw_end_object(w);
    }
    jw_end_array(w);
}

/* ---- views and gold ---- */

static void query_json(struct json_writer *w, const struct reconcile_result *x)
{
    jw_object(w);
    jw_key(w, "store");
    jw_str(w, x->store);
    jw_key(w, "table");
    jw_str(w, x->table);
    jw_key(w, "lsn");
    jw_uint(w, x->lsn);
    jw_key(w, "note");
    if (x->note != NULL)
        jw_str(w, x->note);
    else
        jw_null(w);
    jw_key(w, "rows");
    jw_uint(w, x->cost.store_rows);
    jw_key(w, "recomputed");
    jw_uint(w, x->cost.source_rows);
    jw_key(w, "differences");
    jw_uint(w, x->differences);
    jw_key(w, "list");
    jw_array(w);
    for (size_t i = 0; i < x->shown; i++) {
        sides_json(w, &x->list[i], "recomputed", "kept");
        jw_end_object(w);
    }
    jw_end_array(w);
    jw_end_object(w);
}

static void queries_json(struct json_writer *w, const struct reconcile_report *r)
{
    jw_array(w);
    for (size_t i = 0; i < r->count; i++)
        query_json(w, &r->results[i]);
    jw_end_array(w);
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

        printf("%s %s %s%s%s\n", x->store, x->table, d->key_text,
               *d->key_text != '\0' ? ": " : "", reconcile_verdict_name(d->verdict));
        printf("  kept       %s\n", d->store != NULL ? d->store : "-");
        printf("  recomputed %s\n", d->source != NULL ? d->source : "-");
    }
    if (x->differences > SHOWN_TEXT_MAX)
        printf("  ... and %" PRIu64 " more\n", x->differences - SHOWN_TEXT_MAX);
}

static void say_queries(struct check *k, const struct reconcile_report *r, const char *name)
{
    if (k->json != NULL) {
        jw_key(k->json, name);
        queries_json(k->json, r);
        return;
    }
    for (size_t i = 0; i < r->count; i++)
        if (r->results[i].differences > 0 || !k->cli->quiet) print_query(&r->results[i]);
}

/* ---- repair ---- */

/* Waits until every sink has applied `lsn`. False: they did not, within the time (or are not running). */
static bool wait_applied(struct check *k, lsn_t lsn)
{
    for (int ms = 0; ms < REPAIR_WAIT_MS && !cli_interrupted; ms += 20) {
        struct freshness list[CONTRACTS_MAX];
        size_t n = 0, there = 0;

        if (freshness_measure(k->platform, k->contracts, list, &n, NULL) != ST_OK) return false;
        for (size_t i = 0; i < n; i++)
            there += list[i].to >= lsn;
        if (there == n) return true;
        k->cli->clock->sleep_us(k->cli->clock, 20000);
    }
    return false;
}

/* Found, emitted, found again: of rows, or of what queries keep. */
struct round {
    struct reconcile_report before, after;
    uint64_t emitted;
    lsn_t lsn; /* of the repair's last commit; LSN_NONE: none was made */
    bool applied;
};

static bool is_clean(const struct round *r)
{
    return r->before.differences == 0 || (r->applied && r->after.differences == 0);
}

static void round_json(struct json_writer *w, const struct round *r,
                       void (*list)(struct json_writer *, const struct reconcile_report *),
                       const char *const names[4])
{
    jw_key(w, names[0]);
    list(w, &r->before);
    jw_key(w, names[1]);
    jw_uint(w, r->emitted);
    jw_key(w, names[2]);
    jw_uint(w, r->lsn);
    jw_key(w, names[3]);
    if (r->applied)
        list(w, &r->after);
    else
        jw_null(w);
}

static enum status write_report(struct check *k, const struct round *rows,
                                const struct round *queries)
{
    static const char *const row_names[] = {"found", "rows_emitted", "repair_lsn", "after_repair"},
                             *const query_names[] = {"queries", "requests_emitted",
                                                     "queries_repair_lsn", "queries_after_repair"};
    struct buf b = {0};
    struct json_writer w;
    enum status st;

    jw_init(&w, &b);
    jw_object(&w);
    round_json(&w, rows, results_json, row_names);
    round_json(&w, queries, queries_json, query_names);
    jw_end_object(&w);
    buf_str(&b, "\n");
    st = io_write_atomic(k->cli->io, k->report, b.data, b.size, &k->cli->fault);
    buf_free(&b);
    return st;
}

static void say_repaired(struct check *k, const struct round *r, const char *name,
                         const char *count_name, const char *noun, const char *done)
{
    if (k->json != NULL) {
        jw_key(k->json, name);
        jw_object(k->json);
        jw_key(k->json, count_name);
        jw_uint(k->json, r->emitted);
        jw_key(k->json, "lsn");
        jw_uint(k->json, r->lsn);
        jw_key(k->json, "applied");
        jw_bool(k->json, r->applied);
        jw_end_object(k->json);
        return;
    }
    printf("repair: %" PRIu64 " %s%s %s, up to LSN %" PRIu64 "%s\n", r->emitted, noun,
           r->emitted == 1 ? "" : "s", done, r->lsn,
           r->applied ? "; every sink has applied them"
                      : "; not applied by every sink yet: are the relay and the sinks running?");
}

static enum status repair_rows(struct check *k, struct round *r)
{
    const struct reconcile_options o = {.deep = k->deep, .full = k->full};
    enum status st =
        reconcile_repair(k->platform, &r->before, &r->emitted, &r->lsn, &k->cli->fault);

    if (st != ST_OK) return st;
    r->applied = wait_applied(k, r->lsn);
    say_repaired(k, r, "repair", "rows_emitted", "row", "emitted again");
    if (!r->applied) return ST_OK;
    st = reconcile_run(k->platform, &o, &r->after, &k->cli->fault);
    if (st == ST_OK && k->json == NULL) {
        printf("after the repair:\n");
        print_results(k, &r->after);
    } else if (st == ST_OK) {
        jw_key(k->json, "after_repair");
        results_json(k->json, &r->after);
    }
    return st;
}

static enum status repair_queries(struct check *k, struct round *r)
{
    enum status st =
        reconcile_queries_repair(k->platform, &r->before, &r->emitted, &r->lsn, &k->cli->fault);

    if (st != ST_OK) return st;
    r->applied = wait_applied(k, r->lsn);
    say_repaired(k, r, "queries_repair", "requests_emitted", "request", "to compute again");
    if (!r->applied) return ST_OK;
    st = reconcile_queries(k->platform, &r->after, &k->cli->fault);
    if (st != ST_OK) return st;
    if (k->json == NULL) printf("after the repair:\n");
    say_queries(k, &r->after, "queries_after_repair");
    return st;
}

static enum status check_rows(struct check *k, struct round *r)
{
    const struct reconcile_options o = {.deep = k->deep, .full = k->full};
    enum status st = reconcile_run(k->platform, &o, &r->before, &k->cli->fault);

    if (st == ST_OK && k->json != NULL) {
        jw_key(k->json, "reconcile");
        results_json(k->json, &r->before);
    } else if (st == ST_OK) {
        print_results(k, &r->before);
    }
    return st == ST_OK && r->before.differences > 0 && k->repair ? repair_rows(k, r) : st;
}

/* After the rows: what is computed from wrong ones cannot be right. */
static enum status check_queries(struct check *k, struct round *r)
{
    enum status st = reconcile_queries(k->platform, &r->before, &k->cli->fault);

    if (st == ST_OK) say_queries(k, &r->before, "queries");
    return st == ST_OK && r->before.differences > 0 && k->repair ? repair_queries(k, r) : st;
}

enum status check_reconcile(struct check *k)
{
    struct round rows = {.lsn = LSN_NONE}, queries = {.lsn = LSN_NONE};
    bool clean;
    enum status st = check_rows(k, &rows);

    if (st == ST_OK) st = check_queries(k, &queries);
    if (st == ST_OK && k->report != NULL) st = write_report(k, &rows, &queries);
    clean = is_clean(&rows) && is_clean(&queries);
    if (st == ST_OK && k->json == NULL) printf("%s\n", clean ? "no drift" : "DRIFT");
    snprintf(k->record.detail, sizeof k->record.detail,
             "%" PRIu64 " rows and %" PRIu64 " groups of views and gold differed%s",
             rows.before.differences, queries.before.differences,
             rows.before.differences + queries.before.differences == 0 ? ""
             : clean                                                   ? "; repaired"
             : rows.lsn != LSN_NONE || queries.lsn != LSN_NONE ? "; a repair is on its way"
                                                               : "; seam check DIR reconcile --repair");
    reconcile_free(&rows.before);
    reconcile_free(&rows.after);
    reconcile_free(&queries.before);
    reconcile_free(&queries.after);
    return st != ST_OK ? st : clean ? ST_OK : ST_DRIFT;
}
