/* cmd_demo - the whole story on the shipped catalogue: load, stream, change, find, verify.
 *
 * Every claim of the closing line is a check made on the way; the exit code is 0 only when all of them held. The
 * row store is written here; relay and sinks are processes of their own, as `seam run` would start them. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/row.h"
#include "pipeline/cli/child.h"
#include "pipeline/cli/probe.h"
#include "pipeline/cli/story.h"
#include "pipeline/relay/relay.h"
#include "pipeline/shop/assets.h"
#include "pipeline/sinks/columns.h"
#include "pipeline/sinks/keys.h"
#include "pipeline/sinks/sink.h"
#include "pipeline/sinks/vectors/vectors.h"
#include "pipeline/stream/stream.h"
#include "pipeline/view/view.h"

enum { CATCH_UP_TIMEOUT_S = 120, SIGHT_TIMEOUT_US = 10000000 };

struct demo {
    struct cli *c;
    const char *dir;
    struct platform platform;
    struct platform_source source;
    struct cli_child children[CHILDREN_MAX];
    size_t n_children;
    struct cli_probes probes;
    int64_t worst_lag_us;
    int proved, failed;
};

static void heading(struct demo *d, int step, const char *text)
{
    printf("%s\n%d. %s%s\n", d->c->color ? "\033[1m" : "", step, text,
           d->c->color ? "\033[0m" : "");
    fflush(stdout);
}

/* A check that the closing line counts.                                                             */
static void prove(struct demo *d, bool held, const char *what)
{
    if (held)
        d->proved++;
    else
        d->failed++;
    if (!held) printf("   FAILED: %s\n", what);
}

/* ---- 1. load ---- */

static enum seam_status load(struct demo *d, int64_t orders)
{
    struct asset shop = shop_asset_find("shop.json");
    struct shop_gen_options o = {.orders = (uint64_t)orders, .seed = 1, .mode = OLTP_DEFERRED};
    struct shop_gen_stats s = {0};
    uint64_t start;
    double seconds;
    enum seam_status st =
        relay_create_platform(d->c->io, d->c->clock, d->dir, shop.text, shop.size, 1, &d->c->fault);

    if (st == SEAM_OK)
        st = platform_open(d->c->io, d->c->clock, d->dir, &d->platform, &d->c->fault);
    if (st == SEAM_OK) st = platform_open_source(&d->platform, &d->source, &d->c->fault);
    start = seam_clock_mono_ns(d->c->clock);
    if (st == SEAM_OK) st = load_catalogue(d->c, d->source.db);
    if (st == SEAM_OK) st = shop_gen_run(d->source.db, &o, &s, &d->c->fault);
    if (st != SEAM_OK) return st;
    seconds = (double)(seam_clock_mono_ns(d->c->clock) - start) / 1e9;
    printf("   %" PRIu64 " orders of %" PRIu64 " customers with %" PRIu64 " lines: %" PRIu64
           " transactions in %.1f s (%.0f/s), up to LSN %" PRIu64 "\n",
           s.orders, s.customers, s.lines, s.transactions, seconds,
           (double)s.transactions / seconds, s.lsn);
    prove(d, s.orders == (uint64_t)orders, "every order was generated");
    return oltp_checkpoint(d->source.db, &d->c->fault);
}

/* ---- 2. relay and sinks ---- */

static enum seam_status start_part(struct demo *d, const char *verb, const char *name)
{
    const char *args[] = {verb, d->dir, "--quiet", name, NULL};
    char log[SEAM_PATH_MAX_BYTES];
    enum seam_status st = seam_path_join(log, d->dir, "run.log", &d->c->fault);

    if (st != SEAM_OK) return st;
    return child_start(&d->children[d->n_children++], name != NULL ? name : verb, d->c->program,
                       args, log, &d->c->fault);
}

static enum seam_status start_parts(struct demo *d)
{
    size_t n;
    const struct sink_ops *const *all = sink_list(&n);
    enum seam_status st = start_part(d, "relay", NULL);

    static_assert(SINKS_MAX + 1 <= CHILDREN_MAX, "a child for the relay and each sink");
    for (size_t i = 0; st == SEAM_OK && i < n; i++) st = start_part(d, "sink", all[i]->name);
    return st;
}

static enum seam_status parts_alive(struct demo *d)
{
    for (size_t i = 0; i < d->n_children; i++) {
        int code = 0;

        if (!child_running(&d->children[i], &code))
            return seam_fault_set(&d->c->fault, SEAM_IO, d->children[i].name, SEAM_FAULT_NO_OFFSET,
                                  "the process ended with %d: see %s/run.log", code, d->dir);
    }
    return SEAM_OK;
}

/* Every declared sink has said that it applied `lsn`.                                               */
static enum seam_status wait_for_sinks(struct demo *d, seam_lsn_t lsn)
{
    struct stream_consumers *consumers = NULL;
    struct stream_consumer list[STREAM_CONSUMERS_MAX];
    size_t sinks, done = 0;
    const struct sink_ops *const *all = sink_list(&sinks);
    uint64_t start = seam_clock_mono_ns(d->c->clock);
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_path(&d->platform, "stream", dir, &d->c->fault);

    if (st == SEAM_OK) st = stream_consumers_look(d->c->io, dir, &consumers, &d->c->fault);
    while (st == SEAM_OK && done < sinks) {
        size_t n = stream_consumers_list(consumers, list);

        done = 0;
        for (size_t i = 0; i < sinks; i++)
            for (size_t k = 0; k < n; k++)
                done += strcmp(all[i]->name, list[k].name) == 0 && list[k].lsn >= lsn;
        if (done == sinks) break;
        d->c->clock->sleep_us(d->c->clock, 5000);
        st = parts_alive(d);
        if (st == SEAM_OK &&
            seam_clock_mono_ns(d->c->clock) - start > CATCH_UP_TIMEOUT_S * 1000000000ull)
            st = seam_fault_set(&d->c->fault, SEAM_TIMEOUT, d->dir, SEAM_FAULT_NO_OFFSET,
                                "%zu of %zu sinks caught up within %d s", done, sinks,
                                CATCH_UP_TIMEOUT_S);
    }
    stream_consumers_close(consumers);
    return st;
}

static enum seam_status catch_up(struct demo *d)
{
    uint64_t start = seam_clock_mono_ns(d->c->clock);
    seam_lsn_t lsn = wal_durable_lsn(d->source.wal);
    enum seam_status st = start_parts(d);

    if (st == SEAM_OK) st = wait_for_sinks(d, lsn);
    if (st != SEAM_OK) return st;
    printf("   %zu processes started; every store stands at LSN %" PRIu64 " after %.1f s\n\n",
           d->n_children, lsn, (double)(seam_clock_mono_ns(d->c->clock) - start) / 1e9);
    prove(d, true, "every sink caught up");
    (void)print_status(d->c, &d->platform);
    return probes_open(&d->probes, &d->platform, &d->c->fault);
}

/* ---- 3. changes, and how long until each store shows them ---- */

/* Where the commit lies in the stream: the offset of its first event.                               */
static enum seam_status offset_of(struct demo *d, seam_lsn_t lsn, uint64_t *offset)
{
    struct stream_reader *r = NULL;
    struct stream_event e;
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_path(&d->platform, "stream", dir, &d->c->fault);

    if (st == SEAM_OK)
        st = stream_reader_open(d->c->io, dir, STREAM_FROM_LSN, (int64_t)(lsn - 1), &r,
                                &d->c->fault);
    if (st == SEAM_OK) st = stream_reader_next(r, &e, &d->c->fault);
    if (st == SEAM_OK) *offset = e.offset;
    stream_reader_close(r);
    return st;
}

static enum seam_status show_path(struct demo *d, const char *what,
                                  const struct sink_expectation *e, uint64_t start_ns,
                                  const struct oltp_commit *commit)
{
    struct cli_sighting seen[SINKS_MAX];
    struct cli_table_out t;
    uint64_t offset = 0;
    enum seam_status st = probes_wait(d->c, &d->probes, e, start_ns, SIGHT_TIMEOUT_US, seen);

    if (st != SEAM_OK && st != SEAM_TIMEOUT) return st;
    prove(d, st == SEAM_OK, what);
    st = offset_of(d, commit->lsn, &offset);
    if (st != SEAM_OK) return st;
    printf("\n   %s: transaction %" PRIu64 ", %" PRIu64 " change%s\n", what, commit->txn,
           commit->changes, commit->changes == 1 ? "" : "s");
    table_begin(&t, 5, 0x1e);
    table_cell(&t, "   store");
    table_cell(&t, "transaction LSN");
    table_cell(&t, "stream offset");
    table_cell(&t, "applied LSN");
    table_cell(&t, "visible after");
    for (size_t i = 0; i < d->probes.count; i++) {
        table_cell(&t, "   %s", d->probes.sinks[i]->name);
        table_cell(&t, "%" PRIu64, commit->lsn);
        table_cell(&t, "%" PRIu64, offset);
        table_cell(&t, "%" PRIu64, seen[i].applied);
        if (seen[i].seen)
            table_cell(&t, "%.1f ms", (double)seen[i].lag_us / 1e3);
        else
            table_cell(&t, "NOT SEEN");
        if (seen[i].lag_us > d->worst_lag_us) d->worst_lag_us = seen[i].lag_us;
    }
    table_print(d->c, &t);
    return SEAM_OK;
}

/* The vector a product has before it changes. */
static enum seam_status vector_of(struct demo *d, int64_t id, float out[HNSW_DIM_MAX])
{
    struct embedder *embedder = NULL;
    struct hnsw *graph = NULL;
    enum seam_status st =
        sink_vectors_open_reader(&d->platform, SEAM_LSN_MAX, &embedder, &graph, &d->c->fault);

    if (st == SEAM_OK) st = hnsw_get(graph, sink_key_of_id(id), out, &d->c->fault);
    hnsw_close(graph);
    embedder_close(embedder);
    return st;
}

static enum seam_status change_product(struct demo *d, int64_t id)
{
    struct seam_value key = seam_v_int(id), values[SEAM_COLUMNS_MAX];
    static const char description[] = "New model: the quietboil element whispers instead of "
                                      "roaring. 1.7 litres, cordless, limescale filter.";
    struct oltp_txn *t = NULL;
    struct oltp_row row;
    struct oltp_commit commit = {0};
    const struct seam_schema *s;
    float old[HNSW_DIM_MAX];
    struct seam_buf copy = {0};
    uint32_t table;
    uint64_t start = 0;
    enum seam_status st = oltp_write_begin(d->source.db, &t, &d->c->fault);

    if (st == SEAM_OK) st = vector_of(d, id, old);
    if (st == SEAM_OK) st = oltp_table(t, "products", &table, &d->c->fault);
    if (st == SEAM_OK) st = oltp_get(t, table, &key, &row, &d->c->fault);
    if (st == SEAM_OK) seam_buf_append(&copy, row.row.data, row.row.size);
    s = st == SEAM_OK ? oltp_schema(t, table) : NULL;
    if (st == SEAM_OK) st = seam_row_decode(s, copy.data, copy.size, values, &d->c->fault);
    if (st == SEAM_OK) {
        values[seam_schema_column(s, "price")] = seam_v_decimal(319900, 4);
        values[seam_schema_column(s, "description")] = seam_v_str(description);
        values[seam_schema_column(s, "version")].i++;
        values[seam_schema_column(s, "updated_at")] = seam_v_time(seam_clock_wall_us(d->c->clock));
        st = oltp_put(t, table, values, &d->c->fault);
    }
    if (st == SEAM_OK) {
        st = oltp_commit(t, OLTP_DURABLE, &commit, &d->c->fault);
        t = NULL;
        start = seam_clock_mono_ns(d->c->clock);
    }
    oltp_end(t);
    seam_buf_free(&copy);
    if (st == SEAM_OK) {
        struct sink_expectation e = {.lsn = commit.lsn,
                                     .product = id,
                                     .price = seam_v_decimal(319900, 4),
                                     .word = "quietboil",
                                     .old_vector = old};

        st = show_path(d, "a product's price and description changed", &e, start, &commit);
    }
    return st;
}

static enum seam_status delete_product(struct demo *d, int64_t id)
{
    struct seam_value key = seam_v_int(id);
    struct oltp_txn *t = NULL;
    struct oltp_commit commit = {0};
    struct sink_expectation e = {.product = id, .gone = true};
    uint32_t table;
    uint64_t start = 0;
    enum seam_status st = oltp_write_begin(d->source.db, &t, &d->c->fault);

    if (st == SEAM_OK) st = oltp_table(t, "products", &table, &d->c->fault);
    if (st == SEAM_OK) st = oltp_delete(t, table, &key, &d->c->fault);
    if (st == SEAM_OK) {
        st = oltp_commit(t, OLTP_DURABLE, &commit, &d->c->fault);
        t = NULL;
        start = seam_clock_mono_ns(d->c->clock);
    }
    oltp_end(t);
    e.lsn = commit.lsn;
    return st == SEAM_OK ? show_path(d, "a product was deleted", &e, start, &commit) : st;
}

/* An order of two of product `id`, with its line and its event, in one transaction.                  */
static enum seam_status put_order(struct demo *d, struct oltp_txn *t, int64_t order,
                                  int64_t product, int64_t price, int64_t now_us)
{
    char json[512], when[40], key[24];
    struct seam_buf text = {0};
    struct seam_value values[SEAM_COLUMNS_MAX];
    uint32_t table;
    int n, key_size = snprintf(key, sizeof key, "%" PRId64, order);
    enum seam_status st = oltp_table(t, "orders", &table, &d->c->fault);

    when[seam_time_format(now_us, when)] = '\0';
    n = snprintf(json, sizeof json,
                 "{\"order_id\":%" PRId64
                 ",\"customer_id\":1,\"status\":\"placed\",\"placed_at\":\"%s\"}",
                 order, when);
    if (st == SEAM_OK)
        st =
            seam_row_from_json(oltp_schema(t, table), json, (size_t)n, values, &text, &d->c->fault);
    if (st == SEAM_OK) st = oltp_insert(t, table, values, &d->c->fault);
    if (st == SEAM_OK) st = oltp_table(t, "order_lines", &table, &d->c->fault);
    seam_buf_clear(&text);
    n = snprintf(json, sizeof json,
                 "{\"order_id\":%" PRId64 ",\"line_no\":1,\"product_id\":%" PRId64
                 ",\"quantity\":2,\"unit_price\":\"%" PRId64 ".%04" PRId64 "\"}",
                 order, product, price / 10000, price % 10000);
    if (st == SEAM_OK)
        st =
            seam_row_from_json(oltp_schema(t, table), json, (size_t)n, values, &text, &d->c->fault);
    if (st == SEAM_OK) st = oltp_insert(t, table, values, &d->c->fault);
    n = snprintf(json, sizeof json, "{\"order_id\":%" PRId64 ",\"lines\":1}", order);
    if (st == SEAM_OK)
        st = oltp_outbox_put(t, "order", (struct wal_bytes){(const uint8_t *)key, (size_t)key_size},
                             "OrderPlaced", (struct wal_bytes){(const uint8_t *)json, (size_t)n},
                             &d->c->fault);
    seam_buf_free(&text);
    return st;
}

/* A category's revenue in the view before it changes; 0 when it has none. */
static enum seam_status revenue_of(struct demo *d, const char *category, int64_t *out)
{
    struct view_reader *views = NULL;
    struct seam_value key = seam_v_str(category), row[VIEW_COLUMNS_MAX];
    bool there = false;
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_sink_path(&d->platform, "view", dir, &d->c->fault);

    if (st == SEAM_OK) st = view_reader_open(d->c->io, dir, &views, &d->c->fault);
    if (st == SEAM_OK)
        st = seam_fault_there(view_get(views, "revenue_by_category", &key, 1, row, &d->c->fault),
                              &there, &d->c->fault);
    *out = there ? row[3].i : 0;
    view_reader_close(views);
    return st;
}

static enum seam_status place_order(struct demo *d, int64_t product, const char *category,
                                    int64_t price)
{
    int64_t now_us = seam_clock_wall_us(d->c->clock), revenue = 0, order = 900000001;
    struct oltp_txn *t = NULL;
    struct oltp_commit commit = {0};
    uint64_t start = 0;
    enum seam_status st = revenue_of(d, category, &revenue);

    if (st == SEAM_OK) st = oltp_write_begin(d->source.db, &t, &d->c->fault);
    if (st == SEAM_OK) st = put_order(d, t, order, product, price, now_us);
    if (st == SEAM_OK) {
        st = oltp_commit(t, OLTP_DURABLE, &commit, &d->c->fault);
        t = NULL;
        start = seam_clock_mono_ns(d->c->clock);
    }
    oltp_end(t);
    if (st == SEAM_OK) {
        struct sink_expectation e = {.lsn = commit.lsn,
                                     .category = category,
                                     .revenue = revenue + 2 * price,
                                     .day_us = now_us / 86400000000 * 86400000000};

        st = show_path(d, "an order was placed", &e, start, &commit);
    }
    return st;
}

/* ---- 4. asking ---- */

static int ask(struct demo *d, int (*command)(struct cli *, int, char **), const char *name,
               const char *const *words)
{
    struct cli c = *d->c;
    char *argv[16];
    int argc = 0, rc;
    struct cli_command self = {.name = name, .usage = "", .summary = ""};

    printf("\n   $ seam %s %s", name, d->dir);
    argv[argc++] = (char *)(uintptr_t)name;
    argv[argc++] = (char *)(uintptr_t)d->dir;
    for (int i = 0; words[i] != NULL && argc < 15; i++) {
        printf(strchr(words[i], ' ') != NULL ? " \"%s\"" : " %s", words[i]);
        argv[argc++] = (char *)(uintptr_t)words[i];
    }
    argv[argc] = NULL;
    printf("\n");
    fflush(stdout);
    c.command = &self;
    c.json = c.help = c.quiet = false;
    rc = command(&c, argc, argv);
    return rc;
}

static void questions(struct demo *d)
{
    static const char *const modes[] = {"bm25", "vector", "hybrid"};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(modes); i++) {
        const char *words[] = {
            "something to boil water for tea", "--mode", modes[i], "-k", "3", "--explain", NULL};

        prove(d, ask(d, cmd_search, "search", words) == EXIT_FINE, modes[i]);
    }
    prove(d,
          ask(d, cmd_view, "view", (const char *const[]){"revenue_by_category", "Kitchen", NULL}) ==
              EXIT_FINE,
          "view");
    prove(d, ask(d, cmd_view, "view", (const char *const[]){"orders_by_status", NULL}) == EXIT_FINE,
          "view");
    prove(d,
          ask(d, cmd_sql, "sql",
              (const char *const[]){"SELECT category, sum(revenue) AS revenue FROM "
                                    "gold_daily_revenue WHERE day >= DATE '2026-12-01' "
                                    "GROUP BY category ORDER BY revenue DESC LIMIT 3",
                                    NULL}) == EXIT_FINE,
          "sql");
    prove(d,
          ask(d, cmd_sql, "sql",
              (const char *const[]){"SELECT count(*) AS lines, sum(quantity * unit_price) AS value "
                                    "FROM silver_order_lines "
                                    "WHERE order_id BETWEEN 100 AND 200",
                                    NULL}) == EXIT_FINE,
          "sql");
}

/* The same sum by three roads: rows, silver, and the two kinds of aggregate.                         */
struct total {
    int64_t value;
};

static enum seam_status add_view_row(void *ctx, const struct view_column *columns, int n,
                                     const struct seam_value *row)
{
    (void)columns;
    (void)n;
    ((struct total *)ctx)->value += row[3].i;
    return SEAM_OK;
}

static enum seam_status add_gold_row(void *ctx, const struct seam_value *row, seam_lsn_t begin,
                                     seam_lsn_t end)
{
    (void)begin;
    (void)end;
    ((struct total *)ctx)->value += row[4].i;
    return SEAM_OK;
}

static enum seam_status open_totals(struct demo *d, struct view_reader **views,
                                    struct columnar_reader **daily, struct seam_fault *f)
{
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_sink_path(&d->platform, "view", dir, f);

    if (st == SEAM_OK) st = view_reader_open(d->c->io, dir, views, f);
    if (st == SEAM_OK) st = platform_sink_path(&d->platform, "gold", dir, f);
    return st == SEAM_OK ? sink_columns_reader(&d->platform, dir, daily, f) : st;
}

static enum seam_status compare_totals(struct demo *d)
{
    struct total view = {0}, gold = {0};
    struct view_reader *views = NULL;
    struct columnar_reader *daily = NULL;
    struct seam_fault *f = &d->c->fault;
    char text[32];
    enum seam_status st = open_totals(d, &views, &daily, f);

    if (st == SEAM_OK) st = view_scan(views, "revenue_by_category", add_view_row, &view, f);
    if (st == SEAM_OK)
        st = columnar_scan_rows(daily, columnar_table(daily, "gold_daily_revenue"), SEAM_LSN_MAX,
                                add_gold_row, &gold, f);
    view_reader_close(views);
    columnar_close_reader(daily);
    if (st != SEAM_OK) return st;
    text[seam_decimal_format(view.value, 4, text)] = '\0';
    printf("\n   all revenue: the view (by deltas) and gold (by recomputation) both say %s\n",
           text);
    prove(d, view.value == gold.value && view.value > 0, "view and gold agree");
    return SEAM_OK;
}

/* ---- the whole ---- */

static void stop_all(struct demo *d)
{
    probes_close(&d->probes);
    for (size_t i = d->n_children; i > 0; i--) child_stop(&d->children[i - 1]);
    (void)platform_close_source(&d->source, SEAM_OK, NULL);
}

static enum seam_status tell(struct demo *d, int64_t orders)
{
    enum seam_status st;

    heading(d, 1, "The shop: the shipped catalogue and a year of orders, through the row store");
    st = load(d, orders);
    if (st == SEAM_OK) heading(d, 2, "The stream: relay and sinks, each a process of its own");
    if (st == SEAM_OK) st = catch_up(d);
    if (st == SEAM_OK)
        heading(d, 3, "A change: from the transaction to every store that serves it");
    if (st == SEAM_OK) st = change_product(d, 101);
    if (st == SEAM_OK) st = delete_product(d, 102);
    if (st == SEAM_OK) st = place_order(d, 101, "Kitchen", 319900);
    if (st == SEAM_OK) st = wait_for_sinks(d, wal_durable_lsn(d->source.wal));
    if (st == SEAM_OK) heading(d, 4, "Asking: search, the dashboard, SQL");
    if (st == SEAM_OK) questions(d);
    if (st == SEAM_OK) st = compare_totals(d);
    return st;
}

int cmd_demo(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    int64_t orders = 50000;
    const struct seam_opt opts[] = {
        {"orders", 'n', SEAM_OPT_INT, "N", "orders to invent (50,000)", &orders}};
    struct demo d = {.c = c};
    uint64_t start = seam_clock_mono_ns(c->clock);
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 0, 1);
    enum seam_status st;

    if (rc >= 0) return rc;
    if (orders < 1) return cli_usage(c, "--orders is a count");
    d.dir = count == 1 ? args[0] : "seam-demo";
    cli_catch_interrupts();
    st = tell(&d, orders);
    stop_all(&d);
    if (st != SEAM_OK) {
        platform_close(&d.platform);
        return cli_fail(c, st);
    }
    heading(&d, 5,
            "Trust: state is a fold of its events, every contract is kept, every store agrees, "
            "every checksum holds");
    prove(&d, ask(&d, cmd_audit, "audit", (const char *const[]){"prove", NULL}) == EXIT_FINE,
          "audit prove");
    prove(&d, ask(&d, cmd_check, "check", (const char *const[]){"contracts", NULL}) == EXIT_FINE,
          "check contracts");
    prove(&d, ask(&d, cmd_check, "check", (const char *const[]){"reconcile", NULL}) == EXIT_FINE,
          "check reconcile");
    prove(&d, ask(&d, cmd_verify, "verify", (const char *const[]){NULL}) == EXIT_FINE, "verify");
    platform_close(&d.platform);
    printf("\n%s%d of %d checks held in %.0f s: one change reached warehouse, gold, view, search "
           "and vectors, the slowest of "
           "them after %.1f ms;\nevery contract is kept, every store agrees with the row store, "
           "every byte on disk was verified.%s\n",
           d.failed == 0 ? "PROVED: " : "FAILED: ", d.proved, d.proved + d.failed,
           (double)(seam_clock_mono_ns(c->clock) - start) / 1e9, (double)d.worst_lag_us / 1e3,
           d.failed == 0 ? "" : " (not all of it)");
    printf("\nThe platform is in %s. To try next:\n"
           "   %s run %s &                      relay and sinks again\n"
           "   %s search %s garden hose --explain\n"
           "   %s sql %s                        a prompt; .tables lists what can be asked\n"
           "   %s put %s products '{\"product_id\":103,\"price\":\"24.5\"}'\n"
           "   %s get %s products 101 --as-of 'LSN or time'\n"
           "   %s status %s\n",
           d.dir, c->program, d.dir, c->program, d.dir, c->program, d.dir, c->program, d.dir,
           c->program, d.dir, c->program, d.dir);
    return d.failed == 0 ? EXIT_FINE : EXIT_CHECK_FAILED;
}
