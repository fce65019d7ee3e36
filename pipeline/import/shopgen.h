/* shopgen - a shop's year, made up: customers, orders and what happens to them, over the products
 * there are.
 *
 * Popularity follows Zipf over a seeded shuffle of the products, so that a few sell most; days are
 * weighted by season and weekday, hours by a shop's day. Each order is one transaction that inserts
 * the order and its lines (and its customer, when new) and puts an OrderPlaced event into the
 * outbox; later transactions ship or cancel it, change prices and stock, and delete a few products.
 * The same seed over the same products gives the same rows, whatever the machine; ids continue
 * behind the highest that are there.
 *
 * The tables are those of pipeline/shop/schemas (found by their columns' names; other columns take
 * defaults). Paper: Gray et al., "Quickly generating billion-record synthetic databases", SIGMOD
 * 1994 (Zipf). One thread a generator. Memory: 32 bytes a product and a customer.                */
#ifndef SEAM_PIPELINE_SHOPGEN_H
#define SEAM_PIPELINE_SHOPGEN_H

#include "oltp/oltp.h"

struct shop_gen_options { /* zero means the default in brackets */
    uint64_t seed;
    uint64_t orders;          /* [50000] */
    uint64_t customers;       /* [orders / 8 + 1] */
    int64_t start_us;         /* the first day [2026-01-01] */
    uint32_t days;            /* orders are spread over so many days [365] */
    double skew;              /* Zipf exponent in (0, 1) [0.8] */
    uint32_t cancel_per_1000; /* orders cancelled later [40]; UINT32_MAX: none */
    uint32_t price_per_1000;  /* price changes per 1,000 orders [4]; UINT32_MAX: none */
    uint32_t stock_per_1000;  /* stock counts per 1,000 orders [20]; UINT32_MAX: none */
    uint32_t deletions;       /* products deleted over the whole span [3]; UINT32_MAX: none */
    enum oltp_mode mode;      /* of each commit [OLTP_DURABLE]: OLTP_DEFERRED for bulk */
    void (*progress)(void *ctx, uint64_t orders, uint64_t of);
    void *progress_ctx;
};

struct shop_gen_stats {
    uint64_t orders, lines, customers, cancelled, shipped, prices, stocks, deleted, transactions;
    int64_t units;   /* sum of quantity                                   */
    int64_t revenue; /* sum of quantity * unit price, scale 4, of all lines */
    seam_lsn_t lsn;  /* of the last commit                                */
    int64_t now_us;  /* the shop's clock                                  */
};

struct shop_gen;

/* SEAM_NOT_FOUND: a table or a column of it is missing, or there are no products.                  */
SEAM_MUST_USE enum seam_status shop_gen_open(struct oltp *db, const struct shop_gen_options *o,
                                             struct shop_gen **out, struct seam_fault *f);
/* The next `n` orders, with what goes on around them. Past the span given it simply goes on, day by
 * day.                                                                                           */
SEAM_MUST_USE enum seam_status shop_gen_step(struct shop_gen *g, uint64_t n, struct seam_fault *f);
const struct shop_gen_stats *shop_gen_stats(const struct shop_gen *g);
void shop_gen_close(struct shop_gen *g); /* accepts NULL */
/* All of it; the last commit is durable on return.                                               */
SEAM_MUST_USE enum seam_status shop_gen_run(struct oltp *db, const struct shop_gen_options *o,
                                            struct shop_gen_stats *out, struct seam_fault *f);

#endif
