/* check_reconcile - every store against the row store, every view and gold table against its own query; then repair,
 * wait until the stores have applied it, and look again.                                            */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/cli/ask.h"
#include "pipeline/cli/check.h"
#include "pipeline/freshness.h"
#include "pipeline/reconcile.h"

enum { REPAIR_WAIT_MS = 20000, SHOWN_TEXT_MAX = 20 };

/* ---- a table against its query ---- */

struct sql_pair {
    const char *store, *table;
    lsn_t lsn;
    size_t kept, recomputed, differences;
    const char *first_kept, *first_recomputed;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_side_by_side(const struct answer *kept, const struct answer *fresh,
                             struct sql_pair *p)
{
    size_t i = 0, k = 0;

    p->kept = kept->count;
    p->recomputed = fresh->count;
    while (i < kept->count || k < fresh->count) {
        int c = i == kept->count    ? 1
                : k == fresh->count ? -1
                                    : strcmp(kept->rows[i], fresh->rows[k]);

        if (c != 0) p->differences++;
        if (c < 0 && p->first_kept == NULL) p->first_kept = kept->rows[i];
        if (c > 0 && p->first_recomputed == NULL) p->first_recomputed = fresh->rows[k];
        i += c <= 0;
        k += c >= 0;
    }
}

/* `from`: the kept table's name in SQL. Its query is asked AS OF the LSN at which the table stands.  */
static enum status compare_query(struct sql_platform *s, struct arena *arena, const char *from,
                                 const char *sql, struct sql_pair *p, struct fault *f)
{
    struct answer kept = {.arena = arena}, fresh = {.arena = arena};
    struct buf text = {0};
    enum status st = sql_platform_next(s, f);

    buf_printf(&text, "SELECT * FROM %s", from);
    if (st == ST_OK) st = ask_rows(s, buf_cstr(&text), &kept, &p->lsn, f);
    buf_clear(&text);
    buf_printf(&text, "%s AS OF LSN %" PRIu64, sql, p->lsn);
    if (st == ST_OK) st = ask_rows(s, buf_cstr(&text), &fresh, NULL, f);
    if (st == ST_OK && kept.count > 1) qsort(kept.rows, kept.count, sizeof *kept.rows, by_text);
    if (st == ST_OK && fresh.count > 1) qsort(fresh.rows, fresh.count, sizeof *fresh.rows, by_text);
    if (st == ST_OK) put_side_by_side(&kept, &fresh, p);
    free(kept.rows);
    free(fresh.rows);
    buf_free(&text);
    return st;
}

static const struct json *declared(const struct platform *p, bool view)
{
    const struct json *list =
        json_get(platform_sink_config(p, view ? "view" : "gold"), view ? "views" : "tables");

    return list != NULL ? list->child : NULL;
}

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

static void difference_json(struct json_writer *w, const struct reconcile_difference *d)
{
    jw_object(w);
    jw_key(w, "verdict");
    jw_str(w, reconcile_verdict_name(d->verdict));
    jw_key(w, "key");
    jw_str(w, d->key_text);
    jw_key(w, "source");
    if (d->source != NULL)
        jw_raw(w, d->source, strlen(d->source));
    else
        jw_null(w);
    jw_key(w, "store");
    if (d->store != NULL)
        jw_raw(w, d->store, strlen(d->store));
    else
        jw_null(w);
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

static void sql_pair_json(struct json_writer *w, const struct sql_pair *p)
{
    jw_object(w);
    jw_key(w, "store");
    jw_str(w, p->store);
    jw_key(w, "table");
    jw_str(w, p->table);
    jw_key(w, "lsn");
    jw_uint(w, p->lsn);
    jw_key(w, "rows");
    jw_uint(w, p->kept);
    jw_key(w, "recomputed");
    jw_uint(w, p->recomputed);
    jw_key(w, "differences");
    jw_uint(w, p->differences);
    jw_end_object(w);
}

static void sql_pair_text(const struct sql_pair *p)
{
    printf("%s %s at LSN %" PRIu64 ": %zu rows, its query from scratch gives %zu, %zu differ\n",
           p->store, p->table, p->lsn, p->kept, p->recomputed, p->differences);
    if (p->first_kept != NULL) printf("  kept       %s\n", p->first_kept);
    if (p->first_recomputed != NULL) printf("  recomputed %s\n", p->first_recomputed);
}

static enum status compare_declared(struct check *k, struct sql_platform *s, bool view,
                                    uint64_t *differences)
{
    enum status st = ST_OK;

    for (const struct json *n = declared(k->platform, view); st == ST_OK && n != NULL;
         n = n->next) {
        struct arena arena = {0};
        struct fault local = {0};
        struct sql_pair p = {.store = view ? "view" : "gold", .table = json_string(n, "name", "")};
        char from[NAME_MAX_BYTES + 8];

        snprintf(from, sizeof from, "%s%s", view ? "view_" : "", p.table);
        st = compare_query(s, &arena, from, json_string(n, "sql", ""), &p, &local);
        if (st == ST_INVALID || st == ST_NOT_FOUND) { /* not there yet: that is a difference */
            if (k->json == NULL) printf("%s %s: %s\n", p.store, p.table, local.why);
            p.differences = 1;
            st = ST_OK;
        } else if (st != ST_OK) {
            k->cli->fault = local;
        }
        *differences += p.differences;
        if (k->json != NULL)
            sql_pair_json(k->json, &p);
        else if (p.differences > 0 || !k->cli->quiet)
            sql_pair_text(&p);
        arena_free(&arena);
    }
    return st;
}

static enum status compare_queries(struct check *k, uint64_t *differences)
{
    struct sql_platform s = {0};
    enum status st = sql_platform_open(&s, k->platform, &k->cli->fault);

    if (k->json != NULL) {
        jw_key(k->json, "queries");
        jw_array(k->json);
    }
    if (st == ST_OK && platform_sink_config(k->platform, "view") != NULL)
        st = compare_declared(k, &s, true, differences);
    if (st == ST_OK && platform_sink_config(k->platform, "gold") != NULL)
        st = compare_declared(k, &s, false, differences);
    if (k->json != NULL) jw_end_array(k->json);
    sql_platform_close(&s);
    return st;
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

static enum status write_report(struct check *k, const struct reconcile_report *before,
                                const struct reconcile_report *after, uint64_t rows, lsn_t lsn)
{
    struct buf b = {0};
    struct json_writer w;
    enum status st;

    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "found");
    results_json(&w, before);
    jw_key(&w, "rows_emitted");
    jw_uint(&w, rows);
    jw_key(&w, "repair_lsn");
    jw_uint(&w, lsn);
    jw_key(&w, "after_repair");
    if (after != NULL)
        results_json(&w, after);
    else
        jw_null(&w);
    jw_end_object(&w);
    buf_str(&b, "\n");
    st = io_write_atomic(k->cli->io, k->report, b.data, b.size, &k->cli->fault);
    buf_free(&b);
    return st;
}

static void say_repaired(struct check *k, uint64_t rows, lsn_t lsn, bool applied)
{
    if (k->json != NULL) {
        jw_key(k->json, "repair");
        jw_object(k->json);
        jw_key(k->json, "rows_emitted");
        jw_uint(k->json, rows);
        jw_key(k->json, "lsn");
        jw_uint(k->json, lsn);
        jw_key(k->json, "applied");
        jw_bool(k->json, applied);
        jw_end_object(k->json);
        return;
    }
    printf("repair: %" PRIu64 " rows emitted again, up to LSN %" PRIu64 "%s\n", rows, lsn,
           applied ? "; every sink has applied them"
                   : "; not applied by every sink yet: are the relay and the sinks running?");
}

static enum status repair(struct check *k, struct reconcile_report *before, bool *clean)
{
    const struct reconcile_options o = {.deep = k->deep};
    struct reconcile_report after = {0};
    uint64_t rows = 0;
    lsn_t lsn = LSN_NONE;
    bool applied;
    enum status st = reconcile_repair(k->platform, before, &rows, &lsn, &k->cli->fault);

    if (st != ST_OK) return st;
    applied = wait_applied(k, lsn);
    say_repaired(k, rows, lsn, applied);
    if (applied) st = reconcile_run(k->platform, &o, &after, &k->cli->fault);
    if (st == ST_OK && applied) {
        *clean = after.differences == 0;
        if (k->json == NULL) {
            printf("after the repair:\n");
            print_results(k, &after);
        } else {
            jw_key(k->json, "after_repair");
            results_json(k->json, &after);
        }
    }
    if (st == ST_OK && k->report != NULL)
        st = write_report(k, before, applied ? &after : NULL, rows, lsn);
    reconcile_free(&after);
    return st;
}

enum status check_reconcile(struct check *k)
{
    const struct reconcile_options o = {.deep = k->deep};
    struct reconcile_report r = {0};
    uint64_t query_differences = 0;
    bool clean;
    enum status st = reconcile_run(k->platform, &o, &r, &k->cli->fault);

    if (st == ST_OK && k->json != NULL) {
        jw_key(k->json, "reconcile");
        results_json(k->json, &r);
    } else if (st == ST_OK) {
        print_results(k, &r);
    }
    clean = r.differences == 0;
    if (st == ST_OK && !clean && k->repair)
        st = repair(k, &r, &clean);
    else if (st == ST_OK && k->report != NULL)
        st = write_report(k, &r, NULL, 0, LSN_NONE);
    if (st == ST_OK) st = compare_queries(k, &query_differences);
    if (st == ST_OK && k->json == NULL)
        printf("%s\n", clean && query_differences == 0 ? "no drift" : "DRIFT");
    reconcile_free(&r);
    return st != ST_OK ? st : clean && query_differences == 0 ? ST_OK : ST_DRIFT;
}
