#include "pipeline/lab/shop.h"

#include <stdio.h>
#include <string.h>

#include "engine/values/row.h"
#include "engine/io/source.h"
#include "oltp/oltp.h"
#include "pipeline/shop/assets.h"
#include "pipeline/relay/relay.h"
#include "pipeline/sinks/sink.h"
#include "pipeline/ask/sqlenv.h"

static const char dir[] = "lab/shop";

enum status shop_open(struct lab *l, struct lab_shop *out, struct fault *f)
{
    struct asset shop = asset_find("shop.json");
    enum status st =
        platform_create(l->io, &l->clock.clock, dir, shop.text, shop.size, l->in.seed, f);

    out->l = l;
    return st == ST_OK ? platform_open(l->io, &l->clock.clock, dir, &out->p, f) : st;
}

void shop_close(struct lab_shop *s)
{
    if (s->l != NULL) platform_close(&s->p);
}

/* A write transaction on the source of truth, whatever it does. */
typedef enum status (*change_fn)(struct oltp_txn *t, uint32_t table, void *ctx, struct fault *f);

static enum status change(struct lab_shop *s, const char *table, change_fn fn, void *ctx,
                          lsn_t *lsn, struct fault *f)
{
    struct platform_source source = {0};
    struct oltp_txn *t = NULL;
    struct oltp_commit done = {0};
    uint32_t id;
    enum status st = platform_open_source(&s->p, &source, f);

    if (st != ST_OK) return st;
    st = oltp_write_begin(source.db, &t, f);
    if (st == ST_OK) st = oltp_table(t, table, &id, f);
    if (st == ST_OK) st = fn(t, id, ctx, f);
    if (st == ST_OK)
        st = oltp_commit(t, OLTP_DURABLE, &done, f);
    else
        oltp_end(t);
    *lsn = done.lsn;
    return platform_close_source(&source, st, f);
}

enum status shop_put_json(struct oltp_txn *t, uint32_t table, const char *json, size_t n,
                          struct fault *f)
{
    struct value values[COLUMNS_MAX];
    struct buf text = {0};
    enum status st = row_from_json(oltp_schema(t, table), json, n, values, &text, f);

    if (st == ST_OK) st = oltp_put(t, table, values, f);
    buf_free(&text);
    return st;
}

static enum status put_one(struct oltp_txn *t, uint32_t table, void *ctx, struct fault *f)
{
    return shop_put_json(t, table, ctx, strlen(ctx), f);
}

enum status shop_put(struct lab_shop *s, const char *table, const char *json, lsn_t *lsn,
                     struct fault *f)
{
    return change(s, table, put_one, (void *)(uintptr_t)json, lsn, f);
}

static enum status delete_one(struct oltp_txn *t, uint32_t table, void *ctx, struct fault *f)
{
    struct value key = v_int(*(int64_t *)ctx);

    return oltp_delete(t, table, &key, f);
}

enum status shop_delete(struct lab_shop *s, const char *table, int64_t id, lsn_t *lsn,
                        struct fault *f)
{
    return change(s, table, delete_one, &id, lsn, f);
}

static enum status put_catalogue(struct oltp_txn *t, uint32_t table, void *ctx, struct fault *f)
{
    struct asset a = asset_find("catalogue.jsonl");
    struct source *in = NULL;
    const char *line;
    size_t n, left = *(size_t *)ctx;
    enum status st = source_from_memory(a.text, a.size, &in);

    while (st == ST_OK && left > 0 && (st = source_line(in, OLTP_ROW_MAX, &line, &n, f)) == ST_OK) {
        if (n == 0) continue;
        st = shop_put_json(t, table, line, n, f);
        left--;
    }
    source_close(in);
    return st == ST_END ? ST_OK : st;
}

enum status shop_catalogue(struct lab_shop *s, size_t max, lsn_t *lsn, struct fault *f)
{
    return change(s, "products", put_catalogue, &max, lsn, f);
}

static enum status put_customers(struct oltp_txn *t, uint32_t table, void *ctx, struct fault *f)
{
    enum status st = ST_OK;

    for (size_t i = 1; st == ST_OK && i <= *(size_t *)ctx; i++) {
        char json[80];
        int n = snprintf(json, sizeof json, "{\"customer_id\":%zu,\"name\":\"Customer %zu\"}", i,
                         i);

        st = shop_put_json(t, table, json, (size_t)n, f);
    }
    return st;
}

enum status shop_customers(struct lab_shop *s, size_t n, lsn_t *lsn, struct fault *f)
{
    return change(s, "customers", put_customers, &n, lsn, f);
}

enum status shop_catch_up(struct lab_shop *s, const char *const *sinks, size_t n, struct fault *f)
{
    const struct relay_run_options relay_once = {.until_caught_up = true};
    const struct sink_run_options once = {.until_caught_up = true};
    struct relay_options o = {.trace = s->l->trace};
    struct relay *relay = NULL;
    enum status closed, st = relay_open(&s->p, &o, &relay, f);

    if (st == ST_OK) st = relay_run(relay, &relay_once, f);
    closed = relay_close(relay, st == ST_OK ? f : NULL);
    if (st == ST_OK) st = closed;
    for (size_t i = 0; st == ST_OK && i < n; i++) {
        struct sink *sink = NULL;
        struct sink_run_result result = {0};

        st = sink_open(&s->p, sinks[i], s->l->trace, &sink, f);
        if (st == ST_OK) st = sink_run(sink, &once, &result, f);
        sink_close(sink);
    }
    return st;
}

static void to_draw(void *ctx, const char *s, size_t n)
{
    buf_append(ctx, s, n);
}

enum status shop_sql_rows(struct lab_shop *s, const char *text, uint64_t *rows, struct fault *f)
{
    struct sql_platform env;
    struct sql_query q;
    struct sql_printer *out = NULL;
    struct query_stats stats = {0};
    struct arena arena = {0};
    const struct query_options opt = {.clock = &s->l->clock.clock, .trace = s->l->trace};
    enum status st = sql_platform_open(&env, &s->p, f);

    if (st != ST_OK) return st;
    buf_printf(&s->l->draw, "> %s\n", text);
    st = sql_prepare(&env.env, text, strlen(text), &arena, &q, f);
    if (st == ST_OK)
        st = sql_printer_new(SQL_TABLE, q.columns, q.n_columns, 12, to_draw, &s->l->draw, &out, f);
    if (st == ST_OK) {
        enum status finish;

        st = sql_run(&q, &opt, sql_printer_batch, out, &stats, f);
        finish = sql_printer_finish(out, NULL, f);
        if (st == ST_OK) st = finish;
    }
    arena_free(&arena);
    sql_platform_close(&env);
    *rows = stats.rows_out;
    return st;
}

enum status shop_sql(struct lab_shop *s, const char *text, struct fault *f)
{
    uint64_t rows;

    return shop_sql_rows(s, text, &rows, f);
}
