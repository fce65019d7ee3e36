/* shop - a small shop in a simulated world, for labs to change and to catch up. */
#include "pipeline/lab/shop.h"

#include <stdio.h>
#include <string.h>

#include "engine/io/source.h"
#include "engine/values/row.h"
#include "oltp/oltp.h"
#include "pipeline/ask/sqlenv.h"
#include "pipeline/relay/relay.h"
#include "pipeline/shop/assets.h"
#include "pipeline/sinks/sink.h"

static const char dir[] = "lab/shop";

enum seam_status lab_shop_open(struct lab *l, struct lab_shop *out, struct seam_fault *f)
{
    struct asset shop = shop_asset_find("shop.json");
    enum seam_status st =
        relay_create_platform(l->io, &l->clock.clock, dir, shop.text, shop.size, l->in.seed, f);

    out->l = l;
    return st == SEAM_OK ? platform_open(l->io, &l->clock.clock, dir, &out->p, f) : st;
}

void lab_shop_close(struct lab_shop *s)
{
    if (s->l != NULL) platform_close(&s->p);
}

/* A write transaction on the source of truth, whatever it does. */
typedef enum seam_status (*change_fn)(struct oltp_txn *t, uint32_t table, void *ctx,
                                      struct seam_fault *f);

static enum seam_status change(struct lab_shop *s, const char *table, change_fn fn, void *ctx,
                               seam_lsn_t *lsn, struct seam_fault *f)
{
    struct platform_source source = {0};
    struct oltp_txn *t = NULL;
    struct oltp_commit done = {0};
    uint32_t id;
    enum seam_status st = platform_open_source(&s->p, &source, f);

    if (st != SEAM_OK) return st;
    st = oltp_write_begin(source.db, &t, f);
    if (st == SEAM_OK) st = oltp_table(t, table, &id, f);
    if (st == SEAM_OK) st = fn(t, id, ctx, f);
    if (st == SEAM_OK)
        st = oltp_commit(t, OLTP_DURABLE, &done, f);
    else
        oltp_end(t);
    *lsn = done.lsn;
    return platform_close_source(&source, st, f);
}

enum seam_status lab_shop_put_json(struct oltp_txn *t, uint32_t table, const char *json, size_t n,
                                   struct seam_fault *f)
{
    struct seam_value values[SEAM_COLUMNS_MAX];
    struct seam_buf text = {0};
    enum seam_status st = seam_row_from_json(oltp_schema(t, table), json, n, values, &text, f);

    if (st == SEAM_OK) st = oltp_put(t, table, values, f);
    seam_buf_free(&text);
    return st;
}

static enum seam_status put_one(struct oltp_txn *t, uint32_t table, void *ctx, struct seam_fault *f)
{
    return lab_shop_put_json(t, table, ctx, strlen(ctx), f);
}

enum seam_status lab_shop_put(struct lab_shop *s, const char *table, const char *json,
                              seam_lsn_t *lsn, struct seam_fault *f)
{
    return change(s, table, put_one, (void *)(uintptr_t)json, lsn, f);
}

static enum seam_status delete_one(struct oltp_txn *t, uint32_t table, void *ctx,
                                   struct seam_fault *f)
{
    struct seam_value key = seam_v_int(*(int64_t *)ctx);

    return oltp_delete(t, table, &key, f);
}

enum seam_status lab_shop_delete(struct lab_shop *s, const char *table, int64_t id, seam_lsn_t *lsn,
                                 struct seam_fault *f)
{
    return change(s, table, delete_one, &id, lsn, f);
}

static enum seam_status put_catalogue(struct oltp_txn *t, uint32_t table, void *ctx,
                                      struct seam_fault *f)
{
    struct asset a = shop_asset_find("catalogue.jsonl");
    struct seam_source *in = NULL;
    const char *line;
    size_t n, left = *(size_t *)ctx;
    enum seam_status st = seam_source_from_memory(a.text, a.size, &in);

    while (st == SEAM_OK && left > 0 &&
           (st = seam_source_line(in, OLTP_ROW_MAX, &line, &n, f)) == SEAM_OK) {
        if (n == 0) continue;
        st = lab_shop_put_json(t, table, line, n, f);
        left--;
    }
    seam_source_close(in);
    return st == SEAM_END ? SEAM_OK : st;
}

enum seam_status lab_shop_catalogue(struct lab_shop *s, size_t max, seam_lsn_t *lsn,
                                    struct seam_fault *f)
{
    return change(s, "products", put_catalogue, &max, lsn, f);
}

static enum seam_status put_customers(struct oltp_txn *t, uint32_t table, void *ctx,
                                      struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (size_t i = 1; st == SEAM_OK && i <= *(size_t *)ctx; i++) {
        char json[80];
        int n =
            snprintf(json, sizeof json, "{\"customer_id\":%zu,\"name\":\"Customer %zu\"}", i, i);

        st = lab_shop_put_json(t, table, json, (size_t)n, f);
    }
    return st;
}

enum seam_status lab_shop_customers(struct lab_shop *s, size_t n, seam_lsn_t *lsn,
                                    struct seam_fault *f)
{
    return change(s, "customers", put_customers, &n, lsn, f);
}

enum seam_status lab_shop_catch_up(struct lab_shop *s, const char *const *sinks, size_t n,
                                   struct seam_fault *f)
{
    const struct relay_run_options relay_once = {.until_caught_up = true};
    const struct sink_run_options once = {.until_caught_up = true};
    struct relay_options o = {.trace = s->l->trace};
    struct relay *relay = NULL;
    enum seam_status closed, st = relay_open(&s->p, &o, &relay, f);

    if (st == SEAM_OK) st = relay_run(relay, &relay_once, f);
    closed = relay_close(relay, st == SEAM_OK ? f : NULL);
    if (st == SEAM_OK) st = closed;
    for (size_t i = 0; st == SEAM_OK && i < n; i++) {
        struct sink *sink = NULL;
        struct sink_run_result result = {0};

        st = sink_open(&s->p, sinks[i], s->l->trace, &sink, f);
        if (st == SEAM_OK) st = sink_run(sink, &once, &result, f);
        sink_close(sink);
    }
    return st;
}

static void to_draw(void *ctx, const char *s, size_t n)
{
    seam_buf_append(ctx, s, n);
}

enum seam_status lab_shop_sql_rows(struct lab_shop *s, const char *text, uint64_t *rows,
                                   struct seam_fault *f)
{
    struct ask_sql_platform env;
    struct columnar_sql_query q;
    struct columnar_sql_printer *out = NULL;
    struct columnar_query_stats stats = {0};
    struct seam_arena arena = {0};
    const struct columnar_query_options opt = {.clock = &s->l->clock.clock, .trace = s->l->trace};
    enum seam_status st = ask_sql_platform_open(&env, &s->p, f);

    if (st != SEAM_OK) return st;
    seam_buf_printf(&s->l->draw, "> %s\n", text);
    st = columnar_sql_prepare(&env.env, text, strlen(text), &arena, &q, f);
    if (st == SEAM_OK)
        st = columnar_sql_printer_new(COLUMNAR_SQL_TABLE, q.columns, q.n_columns, 12, to_draw,
                                      &s->l->draw, &out, f);
    if (st == SEAM_OK) {
        enum seam_status finish;

        st = columnar_sql_run(&q, &opt, columnar_sql_printer_batch, out, &stats, f);
        finish = columnar_sql_printer_finish(out, NULL, f);
        if (st == SEAM_OK) st = finish;
    }
    seam_arena_free(&arena);
    ask_sql_platform_close(&env);
    *rows = stats.rows_out;
    return st;
}

enum seam_status lab_shop_sql(struct lab_shop *s, const char *text, struct seam_fault *f)
{
    uint64_t rows;

    return lab_shop_sql_rows(s, text, &rows, f);
}
