/* lab_reconcile - three rows of silver are damaged behind everyone's back; digests find them, repair goes through the log. */
#include <inttypes.h>
#include <string.h>

#include "columnar/columnar.h"
#include "pipeline/lab/scenarios.h"
#include "pipeline/lab/shop.h"
#include "pipeline/reconcile.h"

static const char *const sinks[] = {"warehouse", "search"};

enum { PRODUCTS = 400 };

static enum status compare(struct lab_shop *s, struct reconcile_report *r, const char *title,
                           struct fault *f)
{
    const struct reconcile_options o = {0};
    struct buf *b = &s->l->draw;
    enum status st = reconcile_run(&s->p, &o, r, f);

    for (size_t i = 0; st == ST_OK && i < r->count; i++) {
        const struct reconcile_result *x = &r->results[i];

        if (strcmp(x->table, "products") != 0 && strstr(x->table, "silver_products") == NULL)
            continue;
        buf_printf(b, "%s %s at LSN %" PRIu64 ": %" PRIu64 " differences\n", x->store, x->table,
                   x->lsn, x->differences);
        buf_printf(b,
                   "  rows %" PRIu64 " and %" PRIu64 "; leaves %" PRIu64
                   ", digests compared %" PRIu64 ", differing leaves %" PRIu64
                   ", rows put side by side %" PRIu64 "\n",
                   x->cost.source_rows, x->cost.store_rows, x->cost.leaves, x->cost.digests,
                   x->cost.differing_leaves, x->cost.rows_compared);
        for (size_t k = 0; k < x->shown; k++) {
            buf_printf(b, "  %s key %s\n", reconcile_verdict_name(x->list[k].verdict),
                       x->list[k].key_text);
            buf_printf(b, "    source %.110s\n",
                       x->list[k].source != NULL ? x->list[k].source : "(none)");
            buf_printf(b, "    store  %.110s\n",
                       x->list[k].store != NULL ? x->list[k].store : "(none)");
        }
    }
    return st == ST_OK ? lab_step(s->l, title, f) : st;
}

/* What a bug, a bad disk or a helpful person might do: one row lost, one changed, one invented. */
static enum status damage(struct lab_shop *s, struct fault *f)
{
    struct columnar_writer *w = NULL;
    struct value values[COLUMNS_MAX], copy[COLUMNS_MAX], key = v_int(101);
    char dir[PATH_MAX_BYTES];
    lsn_t lsn = LSN_NONE;
    int table = 0;
    enum status st = platform_sink_path(&s->p, "warehouse", dir, f);

    if (st == ST_OK) st = columnar_open_writer(s->l->io, dir, NULL, &w, f);
    if (st == ST_OK) {
        lsn = columnar_writer_applied(w) + 1;
        table = columnar_writer_table(w, "silver_products");
        st = columnar_delete(w, table, &key, lsn, NULL, f);
    }
    for (int64_t id = 102; st == ST_OK && id <= 103; id++) {
        key = v_int(id);
        st = columnar_writer_get(w, table, &key, values, f);
        if (st != ST_OK) break;
        memcpy(copy, values, sizeof copy);
        if (id == 102)
            copy[schema_column(columnar_writer_schema(w, table), "stock")] = v_int(-77);
        else
            copy[0] = v_int(999999);
        st = columnar_upsert(w, table, copy, lsn, NULL, f);
    }
    if (st == ST_OK) st = columnar_publish(w, lsn, clock_wall_us(&s->l->clock.clock), f);
    columnar_close_writer(w);
    return st;
}

enum status lab_play_reconcile(struct lab *l, struct fault *f)
{
    struct lab_shop s = {0};
    struct reconcile_report r = {0};
    uint64_t rows = 0;
    lsn_t lsn;
    enum status st = shop_open(l, &s, f);

    if (st == ST_OK) st = shop_catalogue(&s, PRODUCTS, &lsn, f);
    if (st == ST_OK) st = shop_catch_up(&s, sinks, ARRAY_LEN(sinks), f);
    buf_printf(&l->story,
               "%d products, relayed and applied. Source and store are read at the same LSN, so "
               "that one that is merely behind is never called "
               "wrong. Each side adds up the hashes of its rows over ranges of keys; equal sums, "
               "equal rows.",
               PRODUCTS);
    if (st == ST_OK) st = compare(&s, &r, "Agreement", f);
    reconcile_free(&r);
    if (st == ST_OK) st = damage(&s, f);
    if (st == ST_OK)
        st = shop_put(&s, "customers", "{\"customer_id\":1,\"name\":\"Ana\"}", &lsn, f);
    if (st == ST_OK) st = shop_catch_up(&s, sinks, ARRAY_LEN(sinks), f);
    buf_str(&l->story, "Behind everyone's back silver loses product 101, gets another stock for "
                       "102 and an invented 999999. Every checksum is right and every "
                       "file is whole: only a comparison can tell. The digests of the leaves "
                       "differ, so those leaves' rows are put side by side, and each "
                       "difference gets a verdict.");
    if (st == ST_OK) st = compare(&s, &r, "Drift, found", f);
    if (st == ST_OK) st = reconcile_repair(&s.p, &r, &rows, &lsn, f);
    reconcile_free(&r);
    buf_printf(&l->draw, "emitted again through the log: %" PRIu64 " rows, up to LSN %" PRIu64 "\n",
               rows, lsn);
    buf_printf(&l->story,
               "Repair does not touch the store. It writes the source's present row, or its "
               "absence, again into the log, flagged as a repair: %" PRIu64 " rows. "
               "They reach every sink the way all changes do.",
               rows);
    if (st == ST_OK) st = lab_step(l, "Repair goes through the log", f);
    if (st == ST_OK) st = shop_catch_up(&s, sinks, ARRAY_LEN(sinks), f);
    buf_str(&l->story, "The relay and the sinks have run. The stores agree again.");
    if (st == ST_OK) st = compare(&s, &r, "Agreement again", f);
    reconcile_free(&r);
    shop_close(&s);
    return st;
}
