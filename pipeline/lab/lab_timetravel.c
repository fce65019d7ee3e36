/* lab_timetravel - one product in four moments, asked of four stores: one LSN names one moment in
 * all of them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/values/row.h"
#include "invidx/invidx.h"
#include "oltp/oltp.h"
#include "pipeline/lab/draw.h"
#include "pipeline/lab/scenarios.h"
#include "pipeline/lab/shop.h"
#include "pipeline/sinks/keys.h"

static const char *const sinks[] = {"warehouse", "gold", "view", "search"};

enum { KETTLE = 101, MOMENTS = 4 };

static enum seam_status ask_rows(struct lab_shop *s, seam_lsn_t lsn, struct seam_fault *f)
{
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct oltp_row row;
    const struct seam_value key = seam_v_int(KETTLE);
    uint32_t table;
    enum seam_status st = platform_open_reader(&s->p, lsn, INT64_MIN, &db, f);

    if (st == SEAM_OK) st = oltp_read_begin(db, &t, f);
    if (st == SEAM_OK) st = oltp_table(t, "products", &table, f);
    if (st == SEAM_OK) {
        enum seam_status found = oltp_get(t, table, &key, &row, NULL);
        struct seam_value title, price;

        lab_measured(s->l, "price", 0); /* no such row */
        seam_buf_printf(&s->l->draw, "row store  ");
        if (found == SEAM_NOT_FOUND)
            seam_buf_str(&s->l->draw, "no product 101\n");
        else {
            const struct seam_schema *schema = oltp_schema(t, table);

            st = seam_row_get(schema, row.row.data, row.row.size,
                              seam_schema_column(schema, "title"), &title, f);
            if (st == SEAM_OK)
                st = seam_row_get(schema, row.row.data, row.row.size,
                                  seam_schema_column(schema, "price"), &price, f);
            if (st == SEAM_OK) {
                seam_value_format(&title, &s->l->draw);
                lab_measured(s->l, "price", (double)price.i / pow(10, price.scale));
                seam_buf_str(&s->l->draw, " at ");
                seam_value_format(&price, &s->l->draw);
                seam_buf_str(&s->l->draw, "\n");
            }
        }
    }
    oltp_end(t);
    oltp_close(db, NULL);
    return st;
}

static enum seam_status ask_words(struct lab_shop *s, seam_lsn_t lsn, struct seam_fault *f)
{
    static const char words[] = "cordless kettle";
    struct invidx_reader *r = NULL;
    struct invidx_query *q = NULL;
    struct invidx_hit hits[3];
    const struct invidx_request want = {.k = 3};
    struct invidx_result got = {.hits = hits};
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_sink_path(&s->p, "search", dir, f);

    if (st == SEAM_OK) st = invidx_reader_open(s->l->io, dir, lsn, &r, f);
    if (st == SEAM_OK) st = invidx_query_new(r, &q, f);
    if (st == SEAM_OK) st = invidx_query_words(q, words, sizeof words - 1, INVIDX_AND, f);
    if (st == SEAM_OK) st = invidx_search(r, q, &want, &got, f);
    lab_measured(s->l, "found by its old name", (double)got.count);
    if (st == SEAM_OK) seam_buf_printf(&s->l->draw, "search     \"%s\" finds", words);
    for (size_t i = 0; st == SEAM_OK && i < got.count; i++)
        seam_buf_printf(&s->l->draw, " %" PRId64, sink_id_of_key(hits[i].key));
    seam_buf_str(&s->l->draw, st == SEAM_OK && got.count == 0 ? " nothing\n" : "\n");
    invidx_query_free(q);
    invidx_reader_close(r);
    return st;
}

static enum seam_status ask_all(struct lab_shop *s, seam_lsn_t lsn, struct seam_fault *f)
{
    char sql[160];
    enum seam_status st;

    seam_buf_printf(&s->l->draw, "AS OF LSN %" PRIu64 "\n", lsn);
    st = ask_rows(s, lsn, f);
    if (st == SEAM_OK) st = ask_words(s, lsn, f);
    snprintf(sql, sizeof sql,
             "SELECT title, price FROM silver_products AS OF LSN %" PRIu64 " WHERE product_id = %d",
             lsn, KETTLE);
    if (st == SEAM_OK) st = lab_shop_sql(s, sql, f);
    snprintf(sql, sizeof sql,
             "SELECT category, products, value FROM gold_stock_value AS OF LSN %" PRIu64, lsn);
    return st == SEAM_OK ? lab_shop_sql(s, sql, f) : st;
}

/* The four commits on the log's line; `here`: the one asked about. */
static void svg_moments(struct lab *l, const seam_lsn_t at[MOMENTS], int here)
{
    static const char *const words[MOMENTS] = {"34.95", "29.95", "other name", "deleted"};
    struct lab_svg_station list[MOMENTS];
    char names[MOMENTS][24];

    for (int i = 0; i < MOMENTS; i++) {
        snprintf(names[i], sizeof names[i], "LSN %" PRIu64, at[i]);
        list[i] = (struct lab_svg_station){names[i], words[i], i == here ? "hot" : "box", false};
    }
    lab_svg_chain(l, "Four commits of product 101, in the log's order", list, MOMENTS);
}

/* The product's life: each commit has an LSN, and travels to every store with it. */
static enum seam_status live(struct lab_shop *s, seam_lsn_t at[MOMENTS], struct seam_fault *f)
{
    static const char first[] = "{\"product_id\":101,\"sku\":\"HK-1170\",\"title\":\"Cordless "
                                "kettle\",\"description\":\"Boils water\","
                                "\"category\":\"Kitchen\",\"price\":\"34.95\",\"stock\":10}";
    static const char cheaper[] = "{\"product_id\":101,\"sku\":\"HK-1170\",\"title\":\"Cordless "
                                  "kettle\",\"description\":\"Boils water\","
                                  "\"category\":\"Kitchen\",\"price\":\"29.95\",\"stock\":10}";
    static const char renamed[] = "{\"product_id\":101,\"sku\":\"HK-1170\",\"title\":\"Wireless "
                                  "water boiler\",\"description\":\"Boils water\","
                                  "\"category\":\"Kitchen\",\"price\":\"29.95\",\"stock\":10}";
    static const char *const what[MOMENTS] = {"put on sale for 34.95", "made cheaper",
                                              "given another name", "deleted"};
    enum seam_status st = SEAM_OK;

    for (int i = 0; st == SEAM_OK && i < MOMENTS; i++) {
        if (i == MOMENTS - 1)
            st = lab_shop_delete(s, "products", KETTLE, &at[i], f);
        else
            st = lab_shop_put(s, "products",
                              i == 0   ? first
                              : i == 1 ? cheaper
                                       : renamed,
                              &at[i], f);
        if (st == SEAM_OK) st = lab_shop_catch_up(s, sinks, SEAM_ARRAY_LEN(sinks), f);
        seam_buf_printf(&s->l->draw, "LSN %" PRIu64 "  product 101 is %s\n", at[i], what[i]);
        seam_clock_sim_advance(&s->l->clock, INT64_C(3600000000));
    }
    seam_buf_str(&s->l->story,
                 "One product, four commits, an hour apart. A commit's LSN is its place "
                 "in the log; the relay carried each change and its "
                 "LSN to the stream, and each sink published what it applied together "
                 "with that LSN (publish).");
    if (st == SEAM_OK) svg_moments(s->l, at, MOMENTS);
    return st == SEAM_OK ? lab_step(s->l, "Four moments", f) : st;
}

/* The reader's own LSN: what was so just before it, and what is so at it. */
static enum seam_status own_moment(struct lab_shop *s, const seam_lsn_t at[MOMENTS],
                                   seam_lsn_t mine, struct seam_fault *f)
{
    enum seam_status st = ask_all(s, mine - 1, f);
    double before = lab_figure_of(s->l, "price");

    if (st == SEAM_OK) st = ask_all(s, mine, f);
    lab_measured(s->l, "price just before", before);
    seam_buf_printf(&s->l->story, "AS OF LSN %" PRIu64 " and just before it: the moment you chose.",
                    mine);
    svg_moments(s->l, at, MOMENTS);
    return st == SEAM_OK ? lab_step(s->l, "Your moment", f) : st;
}

enum seam_status lab_play_timetravel(struct lab *l, struct seam_fault *f)
{
    static const char *const titles[MOMENTS] = {"The first moment, everywhere", "Cheaper",
                                                "Another name", "Gone"};
    static const char *const stories[MOMENTS] = {
        ("The row store answers from its newest checkpoint before that LSN and the log after it; "
         "the word index from the births and deaths of "
         "its documents; silver and gold from the begin and end LSN of each row version. Four "
         "ways, one moment."),
        "The next LSN: the price differs, and gold's value of the stock with it. Marked lines are "
        "what changed between the two moments.",
        "A new title: the search for the old words no longer finds it, at this LSN. At the one "
        "before it does, also today.",
        "Deleted, in all of them. The log, the checkpoints and the row versions keep what came "
        "before, for as long as retention says."};
    struct lab_shop s = {0};
    seam_lsn_t at[MOMENTS];
    enum seam_status st = lab_shop_open(l, &s, f);

    if (st == SEAM_OK) st = live(&s, at, f);
    for (int i = 0; st == SEAM_OK && i < MOMENTS; i++) {
        st = ask_all(&s, at[i], f);
        seam_buf_str(&l->story, stories[i]);
        svg_moments(l, at, i);
        if (st == SEAM_OK) st = lab_step(l, titles[i], f);
    }
    if (st == SEAM_OK && l->in.at > 0) st = own_moment(&s, at, (seam_lsn_t)l->in.at, f);
    lab_shop_close(&s);
    return st;
}
