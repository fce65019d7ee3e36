#include "tests/pipeline/agreement.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "columnar/columnar.h"
#include "engine/io/source.h"
#include "engine/values/row.h"
#include "hnsw/hnsw.h"
#include "invidx/invidx.h"
#include "oltp/oltp.h"
#include "pipeline/audit/audit.h"
#include "pipeline/import/shopgen.h"
#include "pipeline/relay/relay.h"
#include "pipeline/shop/assets.h"
#include "pipeline/sinks/keys.h"
#include "pipeline/sinks/vectors/vectors.h"
#include "pipeline/trust/reconcile.h"
#include "pipeline/view/view.h"

static void create(const char *name, const char *shop, size_t n, struct platform *p)
{
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(seam_path_join(dir, test_dir(), name, &f), &f);
    ASSERT_OK(relay_create_platform(seam_io_posix(), seam_clock_real(), dir, shop, n, 7, &f), &f);
    ASSERT_OK(platform_open(seam_io_posix(), seam_clock_real(), dir, p, &f), &f);
}

void shop_create(const char *name, struct platform *p)
{
    struct asset shop = shop_asset_find("shop.json");

    create(name, shop.text, shop.size, p);
}

void shop_create_small_log(const char *name, struct platform *p)
{
    struct asset shop = shop_asset_find("shop.json");
    struct seam_buf b = {0};

    seam_buf_str(&b, "{\"log\":{\"segment_bytes\":65536,\"relay_bound_bytes\":131072},");
    seam_buf_append(&b, strchr(shop.text, '{') + 1,
                    shop.size - (size_t)(strchr(shop.text, '{') + 1 - shop.text));
    create(name, (const char *)b.data, b.size, p);
    seam_buf_free(&b);
}

static void insert_catalogue(struct oltp *db)
{
    struct asset a = shop_asset_find("catalogue.jsonl");
    struct seam_source *in = NULL;
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    struct seam_buf text = {0};
    const char *line;
    uint32_t table;
    size_t n;

    ASSERT_OK(seam_source_from_memory(a.text, a.size, &in), NULL);
    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_table(t, "products", &table, &f), &f);
    while (seam_source_line(in, 1 << 20, &line, &n, &f) == SEAM_OK) {
        struct seam_value values[SEAM_COLUMNS_MAX];

        if (n == 0) continue;
        ASSERT_OK(seam_row_from_json(oltp_schema(t, table), line, n, values, &text, &f), &f);
        ASSERT_OK(oltp_put(t, table, values, &f), &f); /* again: the same rows */
        seam_buf_clear(&text);
    }
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    seam_source_close(in);
    seam_buf_free(&text);
}

static void generate(const struct platform *p, uint64_t orders, uint64_t seed, bool catalogue)
{
    struct platform_source s = {0};
    struct shop_gen_options o = {.seed = seed,
                                 .orders = orders,
                                 .mode = OLTP_DEFERRED,
                                 .stock_per_1000 = 100,
                                 .price_per_1000 = 100};
    struct shop_gen_stats stats;
    struct seam_fault f = {0};

    ASSERT_OK(platform_open_source(p, &s, &f), &f);
    if (catalogue) insert_catalogue(s.db);
    if (orders > 0) ASSERT_OK(shop_gen_run(s.db, &o, &stats, &f), &f);
    ASSERT_OK(platform_close_source(&s, SEAM_OK, &f), &f);
}

void shop_fill(const struct platform *p, uint64_t orders, uint64_t seed)
{
    generate(p, orders, seed, true);
}

/* A child that runs `body` and leaves without the test runner's exit handlers.                      */
static pid_t child(void)
{
    pid_t parent = getpid(), pid;

    fflush(stdout);
    fflush(stderr);
    pid = fork();
    ck_assert(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(99);
    }
    return pid;
}

pid_t shop_writer_start(const struct platform *p, uint64_t orders, uint64_t seed)
{
    pid_t pid = child();

    if (pid != 0) return pid;
    generate(p, orders, seed, false);
    _exit(0);
}

static enum seam_status run_relay(const struct platform *p, bool until_caught_up,
                                  struct seam_fault *f)
{
    struct relay_run_options o = {.until_caught_up = until_caught_up};
    struct relay *r = NULL;
    enum seam_status st = relay_open(p, NULL, &r, f), closed;

    if (st == SEAM_OK) st = relay_run(r, &o, f);
    closed = relay_close(r, st == SEAM_OK ? f : NULL);
    return st != SEAM_OK ? st : closed;
}

static enum seam_status run_sink(const struct platform *p, const char *name, bool until_caught_up,
                                 struct seam_fault *f)
{
    struct sink_run_options o = {.until_caught_up = until_caught_up, .batch_us = 5000};
    struct sink *s = NULL;
    enum seam_status st = sink_open(p, name, NULL, &s, f);

    if (st == SEAM_OK) st = sink_run(s, &o, NULL, f);
    sink_close(s);
    return st;
}

static enum seam_status run_part(const struct platform *p, const char *name, bool until_caught_up,
                                 struct seam_fault *f)
{
    return strcmp(name, "relay") == 0 ? run_relay(p, until_caught_up, f)
                                      : run_sink(p, name, until_caught_up, f);
}

pid_t part_start(const struct platform *p, const char *name, bool until_caught_up)
{
    struct seam_fault f = {0};
    char text[1024];
    pid_t pid = child();

    if (pid != 0) return pid;
    if (run_part(p, name, until_caught_up, &f) != SEAM_OK) {
        fprintf(stderr, "%s: %s\n", name, seam_fault_text(&f, text, sizeof text));
        _exit(1);
    }
    _exit(0);
}

int part_wait(pid_t pid)
{
    int status = 0;

    ck_assert(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void part_kill(pid_t pid)
{
    kill(pid, SIGKILL);
    (void)part_wait(pid);
}

void shop_catch_up(const struct platform *p, const char *const *sinks, size_t n)
{
    struct seam_fault f = {0};

    ASSERT_OK(run_part(p, "relay", true, &f), &f);
    for (size_t i = 0; i < n; i++) ASSERT_OK(run_part(p, sinks[i], true, &f), &f);
}

void shop_assert_reconciled(const struct platform *p)
{
    struct reconcile_options o = {.deep = true};
    struct reconcile_report report;
    struct seam_fault f = {0};

    ASSERT_OK(reconcile_run(p, &o, &report, &f), &f);
    for (size_t i = 0; i < report.count; i++) {
        const struct reconcile_result *r = &report.results[i];

        ck_assert_msg(r->note == NULL, "%s: %s", r->store, r->note);
        ck_assert_msg(r->differences == 0,
                      "%s %s: %llu rows differ, the first: %s %s (%s against %s, at %llu of %llu)",
                      r->store, r->table, (unsigned long long)r->differences,
                      r->shown > 0 ? r->list[0].key_text : "",
                      r->shown > 0 ? reconcile_verdict_name(r->list[0].verdict) : "",
                      r->shown > 0 && r->list[0].store != NULL ? r->list[0].store : "nothing",
                      r->shown > 0 && r->list[0].source != NULL ? r->list[0].source : "nothing",
                      (unsigned long long)(r->shown > 0 ? r->list[0].store_lsn : 0),
                      (unsigned long long)r->lsn);
    }
    reconcile_free(&report);
}

/* ---- agreement ---- */

struct table_digest {
    const struct seam_schema *schema;
    struct seam_digest digest;
};

static enum seam_status add_silver(void *ctx, const struct seam_value *values, seam_lsn_t begin,
                                   seam_lsn_t end)
{
    struct table_digest *d = ctx;

    (void)begin;
    (void)end;
    seam_digest_add(&d->digest, seam_row_hash(d->schema, values));
    return SEAM_OK;
}

static void digest_source(struct oltp_txn *t, uint32_t table, struct table_digest *d)
{
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_fault f = {0};

    ASSERT_OK(oltp_cursor_open(t, table, 0, NULL, 0, &c, &f), &f);
    while (oltp_cursor_next(c, &row, &f) == SEAM_OK) {
        struct seam_value values[SEAM_COLUMNS_MAX];

        ASSERT_OK(seam_row_decode(d->schema, row.row.data, row.row.size, values, &f), &f);
        seam_digest_add(&d->digest, seam_row_hash(d->schema, values));
    }
    oltp_cursor_close(c);
}

static void assert_silver(const struct platform *p, struct oltp_txn *t)
{
    static const char *const tables[] = {"products", "customers", "orders", "order_lines"};
    struct columnar_reader *r = NULL;
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(platform_sink_path(p, "warehouse", dir, &f), &f);
    ASSERT_OK(columnar_open_reader(p->io, dir, NULL, &r, &f), &f);
    ck_assert_msg(columnar_applied(r) >= oltp_txn_lsn(t), "silver stands before the source");
    for (size_t i = 0; i < SEAM_ARRAY_LEN(tables); i++) {
        struct table_digest source = {0}, silver = {0};
        char name[80];
        uint32_t table;
        int st;

        ASSERT_OK(oltp_table(t, tables[i], &table, &f), &f);
        source.schema = silver.schema = oltp_schema(t, table);
        digest_source(t, table, &source);
        snprintf(name, sizeof name, "silver_%s", tables[i]);
        st = columnar_table(r, name);
        ck_assert_msg(st >= 0, "%s is missing", name);
        ASSERT_OK(columnar_scan_rows(r, st, SEAM_LSN_MAX, add_silver, &silver, &f), &f);
        ck_assert_msg(seam_digest_equal(&source.digest, &silver.digest),
                      "%s: %llu rows in the source, %llu in silver", name,
                      (unsigned long long)source.digest.count,
                      (unsigned long long)silver.digest.count);
    }
    columnar_close_reader(r);
}

struct offsets {
    uint64_t seen, max;
    uint8_t *bits;
    uint64_t cap;
};

static enum seam_status add_offset(void *ctx, const struct seam_value *values, seam_lsn_t begin,
                                   seam_lsn_t end)
{
    struct offsets *o = ctx;
    uint64_t offset = (uint64_t)values[0].i;

    (void)begin;
    (void)end;
    ck_assert_msg(offset < o->cap, "an event from beyond the stream");
    ck_assert_msg((o->bits[offset / 8] & (1u << (offset % 8))) == 0,
                  "event %llu is in bronze twice", (unsigned long long)offset);
    o->bits[offset / 8] |= (uint8_t)(1u << (offset % 8));
    o->seen++;
    return SEAM_OK;
}

/* Bronze holds each row event and each outbox event of the stream exactly once; rows of a snapshot at most once, because
 * a warehouse that stood there already passed over it.                                               */
static void assert_bronze(const struct platform *p)
{
    struct columnar_reader *r = NULL;
    struct stream_reader *s = NULL;
    struct stream_event e;
    struct seam_fault f = {0};
    struct offsets o = {0};
    uint64_t next = 0;
    seam_lsn_t last = 0;
    char dir[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(platform_sink_path(p, "warehouse", dir, &f), &f);
    ASSERT_OK(columnar_open_reader(p->io, dir, NULL, &r, &f), &f);
    o.cap = 1 << 24;
    o.bits = calloc(o.cap / 8, 1);
    ck_assert(o.bits != NULL);
    ASSERT_OK(columnar_scan_rows(r, columnar_table(r, "bronze_changes"), SEAM_LSN_MAX, add_offset,
                                 &o, &f),
              &f);
    ASSERT_OK(
        columnar_scan_rows(r, columnar_table(r, "bronze_events"), SEAM_LSN_MAX, add_offset, &o, &f),
        &f);
    ASSERT_OK(platform_path(p, "stream", dir, &f), &f);
    ASSERT_OK(stream_reader_open(p->io, dir, STREAM_FROM_START, 0, &s, &f), &f);
    while (stream_reader_next(s, &e, &f) == SEAM_OK) {
        bool there;

        if (e.kind == STREAM_COMMIT || e.kind == STREAM_BEAT) continue;
        next += e.skipped;
        ck_assert_msg(e.offset == next, "the stream jumps from %llu to %llu",
                      (unsigned long long)next, (unsigned long long)e.offset);
        ck_assert_msg(e.lsn >= last, "the stream runs backwards");
        next++;
        last = e.lsn;
        if (e.kind == STREAM_SCHEMA) continue;
        ck_assert(e.offset < o.cap);
        there = o.bits[e.offset / 8] & (1u << (e.offset % 8));
        ck_assert_msg(there || e.snapshot, "bronze has not event %llu",
                      (unsigned long long)e.offset);
        o.seen -= there;
    }
    ck_assert_msg(o.seen == 0, "bronze has %llu events that the stream has not",
                  (unsigned long long)o.seen);
    stream_reader_close(s);
    columnar_close_reader(r);
    free(o.bits);
}

static void assert_documents(const struct platform *p, struct oltp_txn *t, bool words)
{
    struct invidx_reader *r = NULL;
    struct hnsw *g = NULL;
    struct embedder *e = NULL;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct hnsw_info graph = {0};
    struct invidx_info index = {0};
    struct seam_fault f = {0};
    uint64_t live = 0;
    uint32_t table;
    float vector[EMBED_DIM_MAX];
    char dir[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(platform_sink_path(p, "search", dir, &f), &f);
    if (words)
        ASSERT_OK(invidx_reader_open(p->io, dir, SEAM_LSN_MAX, &r, &f), &f);
    else
        ASSERT_OK(sink_vectors_open_reader(p, SEAM_LSN_MAX, &e, &g, &f), &f);
    ASSERT_OK(oltp_table(t, "products", &table, &f), &f);
    ASSERT_OK(oltp_cursor_open(t, table, 0, NULL, 0, &c, &f), &f);
    while (oltp_cursor_next(c, &row, &f) == SEAM_OK) {
        struct seam_value id;
        bool found = true;

        ASSERT_OK(seam_row_get(oltp_schema(t, table), row.row.data, row.row.size, 0, &id, &f), &f);
        if (words)
            ASSERT_OK(invidx_contains(r, sink_key_of_id(id.i), &found, &f), &f);
        else
            found = hnsw_get(g, sink_key_of_id(id.i), vector, NULL) == SEAM_OK;
        ck_assert_msg(found, "product %lld cannot be found by %s", (long long)id.i,
                      words ? "words" : "meaning");
        live++;
    }
    oltp_cursor_close(c);
    if (words)
        invidx_reader_info(r, &index);
    else
        hnsw_info(g, &graph);
    ck_assert_uint_eq(words ? index.docs : graph.live, live);
    invidx_reader_close(r);
    hnsw_close(g);
    embedder_close(e);
}

/* Revenue by three roads: summed here from the rows, the view's deltas, gold's recomputation.        */
struct sums {
    int64_t view, gold;
};

static enum seam_status add_view(void *ctx, const struct view_column *columns, int n,
                                 const struct seam_value *row)
{
    (void)columns;
    (void)n;
    ((struct sums *)ctx)->view += row[3].i;
    return SEAM_OK;
}

static enum seam_status add_gold(void *ctx, const struct seam_value *row, seam_lsn_t begin,
                                 seam_lsn_t end)
{
    (void)begin;
    (void)end;
    ((struct sums *)ctx)->gold += row[4].i;
    return SEAM_OK;
}

static bool order_counts(struct oltp_txn *t, uint32_t orders, int64_t id)
{
    const struct seam_schema *s = oltp_schema(t, orders);
    struct seam_value key = seam_v_int(id), status;
    struct oltp_row row;
    struct seam_fault f = {0};

    if (oltp_get(t, orders, &key, &row, NULL) != SEAM_OK) return false;
    ASSERT_OK(
        seam_row_get(s, row.row.data, row.row.size, seam_schema_column(s, "status"), &status, &f),
        &f);
    return !(status.len == 9 && memcmp(status.s, "cancelled", 9) == 0);
}

static int64_t source_revenue(struct oltp_txn *t)
{
    uint32_t orders, lines;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_fault f = {0};
    int64_t sum = 0;

    ASSERT_OK(oltp_table(t, "orders", &orders, &f), &f);
    ASSERT_OK(oltp_table(t, "order_lines", &lines, &f), &f);
    ASSERT_OK(oltp_cursor_open(t, lines, 0, NULL, 0, &c, &f), &f);
    while (oltp_cursor_next(c, &row, &f) == SEAM_OK) {
        const struct seam_schema *s = oltp_schema(t, lines);
        struct seam_value v[SEAM_COLUMNS_MAX];

        ASSERT_OK(seam_row_decode(s, row.row.data, row.row.size, v, &f), &f);
        if (order_counts(t, orders, v[seam_schema_column(s, "order_id")].i))
            sum +=
                v[seam_schema_column(s, "quantity")].i * v[seam_schema_column(s, "unit_price")].i;
    }
    oltp_cursor_close(c);
    return sum;
}

/* Every chain holds, and every order is the fold of its events at the same LSN.                      */
static void assert_audit(const struct platform *p)
{
    struct audit_reader *r = NULL;
    struct audit_proof proof;
    struct seam_buf difference = {0};
    struct seam_fault f = {0};
    uint64_t checked;
    char dir[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(platform_sink_path(p, "audit", dir, &f), &f);
    ASSERT_OK(audit_reader_open(p->io, dir, &r, &f), &f);
    ASSERT_OK(audit_verify(r, &checked, &f), &f);
    audit_reader_close(r);
    ASSERT_OK(audit_prove(p, dir, 2, &proof, &difference, &f), &f);
    ck_assert_uint_eq(proof.events, checked);
    seam_buf_free(&difference);
}

static void assert_numbers(const struct platform *p, struct oltp_txn *t)
{
    struct view_reader *view = NULL;
    struct columnar_reader *gold = NULL;
    struct sums sums = {0};
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(platform_sink_path(p, "view", dir, &f), &f);
    ASSERT_OK(view_reader_open(p->io, dir, &view, &f), &f);
    ASSERT_OK(view_scan(view, "revenue_by_category", add_view, &sums, &f), &f);
    ASSERT_OK(platform_sink_path(p, "gold", dir, &f), &f);
    ASSERT_OK(columnar_open_reader(p->io, dir, NULL, &gold, &f), &f);
    ASSERT_OK(columnar_scan_rows(gold, columnar_table(gold, "gold_daily_revenue"), SEAM_LSN_MAX,
                                 add_gold, &sums, &f),
              &f);
    ck_assert_int_eq(sums.view, source_revenue(t));
    ck_assert_int_eq(sums.gold, sums.view);
    view_reader_close(view);
    columnar_close_reader(gold);
}

void shop_assert_agreement(const struct platform *p, const char *const *sinks, size_t n)
{
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(platform_open_reader(p, SEAM_LSN_MAX, INT64_MIN, &db, &f), &f);
    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(sinks[i], "warehouse") == 0) {
            assert_silver(p, t);
            assert_bronze(p);
        }
        if (strcmp(sinks[i], "view") == 0)
            assert_numbers(p, t); /* gold has caught up by then, too */
        if (strcmp(sinks[i], "audit") == 0) assert_audit(p);
        if (strcmp(sinks[i], "search") == 0) assert_documents(p, t, true);
        if (strcmp(sinks[i], "vectors") == 0) assert_documents(p, t, false);
    }
    oltp_end(t);
    ASSERT_OK(oltp_close(db, &f), &f);
}
