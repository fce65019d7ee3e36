/* lab_order - lab zero: one order followed through every store, then walked backwards from the
 * dashboard. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "oltp/oltp.h"
#include "pipeline/lab/draw.h"
#include "pipeline/lab/scenarios.h"
#include "pipeline/lab/shop.h"
#include "pipeline/stream/stream.h"
#include "wal/wal.h"

static const char *const sinks[] = {"warehouse", "gold", "view", "search", "audit"};

/* The log's records after `from`, with the bytes of each position. */
static enum seam_status draw_log(struct lab_shop *s, seam_lsn_t from, struct seam_fault *f)
{
    struct wal_reader *r = NULL;
    struct wal_record rec;
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_path(&s->p, "wal", dir, f);

    if (st == SEAM_OK) st = wal_reader_open(s->l->io, dir, from, 0, &r, f);
    while (st == SEAM_OK && (st = wal_reader_next(r, &rec, f)) == SEAM_OK) {
        seam_buf_printf(&s->l->draw, "log     [%" PRIu64 ", %" PRIu64 ")  ", rec.start, rec.end);
        wal_change_explain(rec.type, rec.data, rec.size, &s->l->draw);
        seam_buf_str(&s->l->draw, "\n");
    }
    wal_reader_close(r);
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status draw_stream(struct lab_shop *s, seam_lsn_t from, struct seam_fault *f)
{
    struct stream_reader *r = NULL;
    struct stream_event e;
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_path(&s->p, "stream", dir, f);

    if (st == SEAM_OK)
        st = stream_reader_open(s->l->io, dir, STREAM_FROM_LSN, (int64_t)from, &r, f);
    while (st == SEAM_OK && (st = stream_reader_next(r, &e, f)) == SEAM_OK)
        if (e.kind == STREAM_ROW)
            seam_buf_printf(&s->l->draw,
                            "stream  offset %" PRIu64 "  LSN %" PRIu64
                            "  a row of table %u, key of %zu bytes, row of %zu\n",
                            e.offset, e.lsn, e.row.table, e.row.key.size, e.row.after.size);
    stream_reader_close(r);
    return st == SEAM_END ? SEAM_OK : st;
}

enum { STATION_LOG, STATION_STREAM, STATION_SILVER, STATION_GOLD, STATION_VIEW, STATIONS };

/* The way of the order, with where this step stands. */
static void svg_way(struct lab *l, unsigned here, seam_lsn_t lsn)
{
    static const char *const names[STATIONS] = {"row store, log", "stream", "silver", "gold",
                                                "dashboard"};
    struct lab_svg_station list[STATIONS];
    char note[24];

    snprintf(note, sizeof note, "LSN %" PRIu64, lsn);
    for (unsigned i = 0; i < STATIONS; i++)
        list[i] = (struct lab_svg_station){names[i], i == here ? note : NULL,
                                           i == here ? "hot" : "box", false};
    lab_svg_chain(l, "From the row store to the dashboard, with where we stand", list, STATIONS);
}

static enum seam_status step_sql(struct lab_shop *s, unsigned here, seam_lsn_t lsn,
                                 const char *title, const char *sql, struct seam_fault *f)
{
    enum seam_status st = lab_shop_sql(s, sql, f);

    svg_way(s->l, here, lsn);
    return st == SEAM_OK ? lab_step(s->l, title, f) : st;
}

static enum seam_status sell(struct lab_shop *s, seam_lsn_t *before, seam_lsn_t *lsn,
                             struct seam_fault *f)
{
    enum seam_status st = lab_shop_catalogue(s, 3, before, f);

    if (st == SEAM_OK) st = lab_shop_catch_up(s, sinks, SEAM_ARRAY_LEN(sinks), f);
    seam_trace_log_clear(s->l->log);
    if (st == SEAM_OK)
        st = lab_shop_put(s, "orders",
                          "{\"order_id\":7,\"customer_id\":1,\"status\":\"placed\","
                          "\"placed_at\":\"2026-01-01T09:00:00Z\",\"country\":\"PT\"}",
                          lsn, f);
    if (st == SEAM_OK)
        st = lab_shop_put(s, "order_lines",
                          "{\"order_id\":7,\"line_no\":1,\"product_id\":101,"
                          "\"quantity\":2,\"unit_price\":\"34.95\"}",
                          lsn, f);
    if (st == SEAM_OK) st = draw_log(s, *before, f);
    seam_buf_printf(
        &s->l->story,
        "Order 7 is placed: two kettles at 34.95. Two commits, whose records are the only thing "
        "that was written. The second one's LSN is %" PRIu64 ", the position just after its "
        "commit record. That number will name this moment in every store.",
        *lsn);
    svg_way(s->l, STATION_LOG, *lsn);
    return st == SEAM_OK ? lab_step(s->l, "The row store and its log", f) : st;
}

static enum seam_status follow(struct lab_shop *s, seam_lsn_t before, seam_lsn_t lsn,
                               struct seam_fault *f)
{
    enum seam_status st = lab_shop_catch_up(s, sinks, SEAM_ARRAY_LEN(sinks), f);

    if (st == SEAM_OK) st = draw_stream(s, before, f);
    seam_buf_str(&s->l->story,
                 "The relay carried both commits to the stream, where each change has an "
                 "offset, and every sink "
                 "applied them and published its effect together with the LSN (publish).");
    svg_way(s->l, STATION_STREAM, lsn);
    if (st == SEAM_OK) st = lab_step(s->l, "The stream, and five sinks", f);
    seam_buf_str(&s->l->story,
                 "Bronze keeps each change as it came. Silver is the present state, each "
                 "row with the LSN that "
                 "began it.");
    if (st == SEAM_OK)
        st = step_sql(s, STATION_SILVER, lsn, "Silver",
                      "SELECT order_id, quantity, unit_price, _begin_lsn FROM silver_order_lines",
                      f);
    seam_buf_printf(&s->l->story, "Gold answers a question; the line of LSN %" PRIu64 " is in it.",
                    lsn);
    if (st == SEAM_OK)
        st = step_sql(s, STATION_GOLD, lsn, "Gold",
                      "SELECT category, lines, units, revenue FROM gold_daily_revenue", f);
    seam_buf_str(&s->l->story, "The dashboard's view has the same number, kept by adding what each "
                               "change adds and taking away what "
                               "it takes. It is held against gold at the same LSN.");
    if (st == SEAM_OK)
        st = step_sql(s, STATION_VIEW, lsn, "The dashboard",
                      "SELECT * FROM view_revenue_by_category", f);
    return st;
}

static enum seam_status walk_back(struct lab_shop *s, seam_lsn_t before, seam_lsn_t lsn,
                                  struct seam_fault *f)
{
    char sql[160];
    enum seam_status st;

    snprintf(sql, sizeof sql,
             "SELECT category, lines, revenue FROM gold_daily_revenue AS OF LSN %" PRIu64, before);
    seam_buf_printf(&s->l->story,
                    "Now backwards. Where do the 69.90 come from? Gold AS OF LSN %" PRIu64
                    ", just before the order, does "
                    "not have them.",
                    before);
    st = step_sql(s, STATION_GOLD, before, "Backwards: gold before the order", sql, f);
    snprintf(sql, sizeof sql,
             "SELECT order_id, quantity, unit_price, _begin_lsn FROM silver_order_lines "
             "WHERE _begin_lsn > %" PRIu64,
             before);
    seam_buf_str(&s->l->story,
                 "So what made them began after it: silver's rows say with which LSN.");
    if (st == SEAM_OK)
        st = step_sql(s, STATION_SILVER, lsn, "Backwards: the rows that began since", sql, f);
    if (st == SEAM_OK) st = draw_stream(s, before, f);
    if (st == SEAM_OK) st = draw_log(s, before, f);
    seam_buf_str(&s->l->story,
                 "And that LSN is a place in the stream and a byte of the log: the very "
                 "records that were written first. "
                 "`seam why` and `seam lineage` walk this way for any number.");
    svg_way(s->l, STATION_LOG, lsn);
    return st == SEAM_OK ? lab_step(s->l, "Backwards: the bytes it began with", f) : st;
}

/* Orders and lines as of the LSN the reader names. */
static enum seam_status own_moment(struct lab_shop *s, seam_lsn_t at, struct seam_fault *f)
{
    static const char *const tables[] = {"silver_orders", "silver_order_lines"};
    static const char *const names[] = {"orders seen", "lines seen"};
    enum seam_status st = SEAM_OK;

    for (int i = 0; st == SEAM_OK && i < 2; i++) {
        char sql[120];
        uint64_t rows = 0;

        snprintf(sql, sizeof sql, "SELECT order_id FROM %s AS OF LSN %" PRIu64, tables[i], at);
        st = lab_shop_sql_rows(s, sql, &rows, f);
        lab_measured(s->l, names[i], (double)rows);
    }
    seam_buf_printf(
        &s->l->story,
        "AS OF LSN %" PRIu64 ", a moment you chose: what someone who asked then was told.", at);
    svg_way(s->l, STATION_SILVER, at);
    return st == SEAM_OK ? lab_step(s->l, "Your moment", f) : st;
}

enum seam_status lab_play_order(struct lab *l, struct seam_fault *f)
{
    struct lab_shop s = {0};
    seam_lsn_t before = SEAM_LSN_NONE, lsn = SEAM_LSN_NONE;
    enum seam_status st = lab_shop_open(l, &s, f);

    if (st == SEAM_OK) st = sell(&s, &before, &lsn, f);
    if (st == SEAM_OK) st = follow(&s, before, lsn, f);
    if (st == SEAM_OK) st = walk_back(&s, before, lsn, f);
    if (st == SEAM_OK && l->in.at > 0) st = own_moment(&s, (seam_lsn_t)l->in.at, f);
    lab_shop_close(&s);
    return st;
}
