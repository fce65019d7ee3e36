/* broken - four ways to deliver a shop's events that lose, repeat or reorder them, and the real one,
 * counted alike.
 *
 *   clerks --orders--> row store + log --> [ the way ] --> where events arrive      then: both are read and compared
 *                                             ^
 *                         the power goes at any call of the disk; everything comes back and goes on
 *
 *   dual write             the clerk commits the order, then writes the event to a topic: two writes
 *   polling by id          a poller asks the table for ids above the highest it has seen: no log
 *   acknowledging first    a consumer of the real stream saves its position, then writes the effects
 *   offset apart           ... writes the effects, then saves its position in a file of its own
 *   relay, sink            the real ones (pipeline/relay/relay.c, pipeline/sinks/warehouse/sink_warehouse.c)
 *
 * Row store, log, stream, relay and sink are the platform's own on a simulated disk; only the broken
 * producer or consumer is written for this. Topic and ledger are logs too (wal/wal.h), one record an
 * event. Several customers are served at once: an order has its number before it is paid, so commits
 * are not in the order of the numbers.
 *
 * Nothing but the relay lab and its tests may use this. Private to pipeline/lab.                    */
#ifndef SEAM_PIPELINE_LAB_BROKEN_H
#define SEAM_PIPELINE_LAB_BROKEN_H

#include "engine/base/rng.h"
#include "pipeline/lab/lab.h"
#include "pipeline/platform.h"

enum lab_broken_way {
    BROKEN_DUAL_WRITE,
    BROKEN_POLLING,
    BROKEN_ACK_FIRST,
    BROKEN_OFFSET_APART,
    BROKEN_NOT_RELAY, /* the real ones: all counts are zero */
    BROKEN_NOT_SINK,
    BROKEN_WAYS
};
enum { BROKEN_ORDERS_MAX = 64, BROKEN_BASKETS = 3 };

struct lab_broken_trial {
    enum lab_broken_way way;
    uint64_t seed;   /* who pays when, who runs next, and what a power cut leaves        */
    uint64_t cut_at; /* the power goes at this call to the disk, from 1; 0 = never      */
    unsigned orders; /* customers; at most BROKEN_ORDERS_MAX                             */
    struct lab *lab; /* shows it in two steps there; NULL: only counts                   */
    const char *moment, *after; /* ... whose stories these are                           */
};
struct lab_broken_counts {
    uint64_t committed, delivered;
    uint64_t lost;      /* committed orders that never arrived                            */
    uint64_t repeated;  /* arrivals of an order that had arrived                         */
    uint64_t reordered; /* first arrivals after that of an order committed later          */
    uint64_t invented;  /* arrivals of what was never committed                           */
    uint64_t calls;     /* to the disk: what cut_at may be                                 */
};
/* Plays it to the end: through the cut, back up, until nothing is left to deliver. Any failure but
 * the planted one is returned.                                                                     */
SEAM_MUST_USE enum seam_status lab_broken_run(const struct lab_broken_trial *t,
                                              struct lab_broken_counts *out, struct seam_fault *f);
/* The same over `instants` power cuts, spread over all calls of a run and drawn by lot within them,
 * each with another schedule; *out has the sums.                                                   */
SEAM_MUST_USE enum seam_status lab_broken_count(enum lab_broken_way way, uint64_t seed,
                                                unsigned orders, unsigned instants,
                                                struct lab_broken_counts *out,
                                                struct seam_fault *f);
const char *lab_broken_name(enum lab_broken_way way);

/* ---- between broken.c (shop, cut, counting) and broken_ways.c (who carries the events) ---- */
struct lab_order_list {
    uint64_t id[4 * BROKEN_ORDERS_MAX];
    size_t count;
};
enum lab_basket_state { BASKET_FREE, BASKET_OPEN, BASKET_PAID };
struct lab_basket {
    enum lab_basket_state state;
    uint64_t order;
};

struct relay;
struct sink;
struct wal;
struct lab_broken_shop {
    struct lab_broken_trial trial;
    struct seam_trace *trace; /* NULL when only counting */
    struct seam_io *io;
    struct seam_io_sim *disk;
    struct seam_clock_sim clock;
    struct seam_rng rng;
    struct platform p;
    struct platform_source source;
    struct lab_basket baskets[BROKEN_BASKETS];
    uint64_t next_order;
    bool cut;             /* the power has gone and come back */
    bool told;            /* the moment has been shown */
    struct seam_buf tale; /* what happened, a line each */
    /* the way's own: */
    struct relay *relay;
    struct sink *sink;
    struct wal *out;  /* topic or ledger */
    uint64_t highest; /* polling: asked for what is above it */
};

struct lab_broken_ops {
    const char *name;
    enum seam_status (*open)(struct lab_broken_shop *s, struct seam_fault *f);
    /* NULL: who pays an order has nothing to do with its delivery */
    enum seam_status (*paid)(struct lab_broken_shop *s, uint64_t order, struct seam_fault *f);
    enum seam_status (*turn)(struct lab_broken_shop *s,
                             struct seam_fault *f); /* it may do some work; NULL */
    enum seam_status (*drain)(struct lab_broken_shop *s,
                              struct seam_fault *f); /* all of it; NULL */
    void (*close)(struct lab_broken_shop *s);
    enum seam_status (*arrived)(struct lab_broken_shop *s, struct lab_order_list *out,
                                struct seam_fault *f);
};
const struct lab_broken_ops *lab_broken_ops(enum lab_broken_way way);

/* A line of the tale, when one is told.                                                            */
void lab_broken_say(struct lab_broken_shop *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The order an encoded primary key is of; adds it. SEAM_CORRUPT.                                     */
SEAM_MUST_USE enum seam_status lab_broken_note(struct lab_order_list *list, const void *key,
                                               size_t n, struct seam_fault *f);

#endif
