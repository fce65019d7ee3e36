/* broken - the shop around the ways to deliver: customers, the power cut, and the counting. */
#include "pipeline/lab/broken.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/values/key.h"
#include "oltp/oltp.h"
#include "pipeline/lab/shop.h"
#include "pipeline/relay/relay.h"
#include "wal/wal.h"

static const char dir[] = "lab/shop";
static const char shop_json[] =
    "{\"tables\":[\"orders\"],\"sinks\":{\"warehouse\":{\"silver\":[\"orders\"]}}}";

const char *lab_broken_name(enum lab_broken_way way)
{
    return lab_broken_ops(way)->name;
}

/* ---- customers ---- */
/* The tale so far is a step of the lab. */
static enum seam_status step(struct lab_broken_shop *s, const char *story, const char *what,
                             struct seam_fault *f)
{
    struct lab *l = s->trial.lab;
    struct seam_buf list;
    char title[80];

    l->new_picture = !s->told;
    s->told = true;
    list = l->draw; /* what the caller has drawn comes below the tale */
    l->draw = (struct seam_buf){0};
    seam_buf_append(&l->draw, s->tale.data, s->tale.size);
    seam_buf_append(&l->draw, list.data, list.size);
    seam_buf_free(&list);
    seam_buf_str(&l->story, story);
    (void)snprintf(title, sizeof title, "%s: %s", lab_broken_name(s->trial.way), what);
    return lab_step(l, title, f);
}

static enum seam_status passed_by(struct lab_broken_shop *s, struct seam_fault *f)
{
    if (s->trial.lab == NULL || s->told) return SEAM_OK;
    return step(s, s->trial.moment, "the moment", f);
}

static enum seam_status pay(struct lab_broken_shop *s, struct lab_basket *b, struct seam_fault *f)
{
    struct oltp_txn *t = NULL;
    struct oltp_commit done;
    char json[160];
    uint32_t table;
    enum seam_status st = oltp_write_begin(s->source.db, &t, f);
    int n = snprintf(json, sizeof json,
                     "{\"order_id\":%" PRIu64 ",\"status\":\"paid\","
                     "\"placed_at\":\"2026-01-01T09:00:00Z\"}",
                     b->order);

    if (st != SEAM_OK) return st;
    st = oltp_table(t, "orders", &table, f);
    if (st == SEAM_OK) st = lab_shop_put_json(t, table, json, (size_t)n, f);
    if (st != SEAM_OK) {
        oltp_end(t);
        return st;
    }
    st = oltp_commit(t, OLTP_DURABLE, &done, f);
    if (st != SEAM_OK) return st;
    SEAM_TRACE(s->trace, "lab", "paid", SEAM_TI("order", b->order), SEAM_TI("lsn", done.lsn));
    lab_broken_say(s, "order %" PRIu64 " is paid: committed at LSN %" PRIu64 "%s", b->order,
                   done.lsn, b->order < s->highest ? "; the poller has passed it" : "");
    b->state = lab_broken_ops(s->trial.way)->paid != NULL ? BASKET_PAID : BASKET_FREE;
    return b->order < s->highest ? passed_by(s, f) : SEAM_OK;
}

/* One customer goes on: takes an order's number, pays, or (in some ways) has the payment published. */
static enum seam_status serve(struct lab_broken_shop *s, struct seam_fault *f)
{
    struct lab_basket *b = &s->baskets[seam_rng_below(&s->rng, BROKEN_BASKETS)];
    enum seam_status st;

    if (b->state == BASKET_OPEN) return pay(s, b, f);
    if (b->state == BASKET_PAID) {
        st = lab_broken_ops(s->trial.way)->paid(s, b->order, f);
        if (st == SEAM_OK) b->state = BASKET_FREE;
        return st;
    }
    if (s->next_order > s->trial.orders) return SEAM_OK;
    *b = (struct lab_basket){BASKET_OPEN, s->next_order++};
    lab_broken_say(s, "order %" PRIu64 " has a number, and waits for its payment", b->order);
    return SEAM_OK;
}

static bool all_served(const struct lab_broken_shop *s)
{
    for (int i = 0; i < BROKEN_BASKETS; i++)
        if (s->baskets[i].state != BASKET_FREE) return false;
    return s->next_order > s->trial.orders;
}

static enum seam_status live(struct lab_broken_shop *s, struct seam_fault *f)
{
    const struct lab_broken_ops *ops = lab_broken_ops(s->trial.way);
    enum seam_status st = platform_open_source(&s->p, &s->source, f);

    if (st == SEAM_OK) st = ops->open(s, f);
    while (st == SEAM_OK && !all_served(s)) {
        bool carry = ops->turn != NULL && seam_rng_below(&s->rng, 4) == 0;

        st = carry ? ops->turn(s, f) : serve(s, f);
    }
    if (st == SEAM_OK && ops->drain != NULL) st = ops->drain(s, f);
    return st;
}

static enum seam_status die(struct lab_broken_shop *s, enum seam_status st, struct seam_fault *f)
{
    lab_broken_ops(s->trial.way)->close(s);
    return platform_close_source(&s->source, st, f);
}

/* ---- the power cut ---- */
static void forget(struct lab_broken_shop *s)
{
    for (int i = 0; i < BROKEN_BASKETS; i++) {
        const struct lab_basket *b = &s->baskets[i];

        if (b->state == BASKET_PAID)
            lab_broken_say(s,
                           "  only a clerk's memory knew that order %" PRIu64 " is to be published",
                           b->order);
        s->baskets[i].state = BASKET_FREE; /* its customer goes home, paid or not */
    }
}

static enum seam_status power_cut(struct lab_broken_shop *s, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    lab_broken_say(s, "THE POWER GOES");
    forget(s);
    if (s->trial.lab != NULL) st = step(s, s->trial.moment, "the moment", f);
    (void)die(s, SEAM_OK, NULL); /* nothing of what closing would write happens */
    seam_io_sim_clear(s->disk);
    seam_io_sim_reboot(s->disk);
    s->cut = true;
    lab_broken_say(s, "everything comes back");
    return st;
}

/* ---- counting ---- */
static enum seam_status committed(struct lab_broken_shop *s, struct lab_order_list *out,
                                  struct seam_fault *f)
{
    struct wal_reader *r = NULL;
    struct wal_record rec;
    struct wal_change_row row;
    char path[SEAM_PATH_MAX_BYTES];
    size_t whole = 0; /* what a COMMIT has followed */
    enum seam_status st = platform_path(&s->p, "wal", path, f);

    if (st == SEAM_OK) st = wal_reader_open(s->io, path, SEAM_LSN_NONE, 0, &r, f);
    while (st == SEAM_OK && (st = wal_reader_next(r, &rec, f)) == SEAM_OK) {
        if (rec.type == WAL_CHANGE_BEGIN) out->count = whole;
        if (rec.type == WAL_CHANGE_COMMIT) whole = out->count;
        if (rec.type != WAL_CHANGE_ROW) continue;
        st = wal_change_get_row(rec.data, rec.size, &row, f);
        if (st == SEAM_OK) st = lab_broken_note(out, row.key.data, row.key.size, f);
    }
    out->count = whole;
    wal_reader_close(r);
    return st == SEAM_END ? SEAM_OK : st;
}

static size_t place_of(const struct lab_order_list *l, uint64_t order)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->id[i] == order) return i;
    return SIZE_MAX;
}

static void compare(const struct lab_order_list *truth, const struct lab_order_list *got,
                    struct lab_broken_counts *c)
{
    size_t newest = 0;

    c->committed = truth->count;
    c->delivered = got->count;
    for (size_t i = 0; i < truth->count; i++) c->lost += place_of(got, truth->id[i]) == SIZE_MAX;
    for (size_t i = 0; i < got->count; i++) {
        size_t at = place_of(truth, got->id[i]);

        if (at == SIZE_MAX)
            c->invented++;
        else if (place_of(got, got->id[i]) < i)
            c->repeated++;
        else if (at < newest)
            c->reordered++;
        else
            newest = at;
    }
}

/* An order committed later arrived before it. */
static bool overtaken(const struct lab_order_list *truth, const struct lab_order_list *got,
                      size_t at)
{
    size_t first = place_of(got, truth->id[at]);

    for (size_t k = 0; k < got->count && k < first; k++) {
        size_t other = place_of(truth, got->id[k]);

        if (other != SIZE_MAX && other > at) return true;
    }
    return false;
}

/* Both sides, in their orders. */
static enum seam_status show(struct lab_broken_shop *s, const struct lab_order_list *truth,
                             const struct lab_order_list *got, struct seam_fault *f)
{
    struct seam_buf *b = &s->trial.lab->draw;

    seam_buf_str(b, "committed, in the log's order    arrived as\n");
    for (size_t i = 0; i < truth->count; i++) {
        size_t times = 0, first = place_of(got, truth->id[i]);

        for (size_t k = 0; k < got->count; k++) times += got->id[k] == truth->id[i];
        seam_buf_printf(b, "  %2zu. order %2" PRIu64 "                   ", i + 1, truth->id[i]);
        if (times == 0)
            seam_buf_str(b, " never    LOST\n");
        else
            seam_buf_printf(b, "%2zu.%s%s\n", first + 1, times > 1 ? "       TWICE" : "",
                            overtaken(truth, got, i) ? "       OUT OF ORDER" : "");
    }
    return step(s, s->trial.after, "what arrived", f);
}

static enum seam_status settle(struct lab_broken_shop *s, struct lab_broken_counts *out,
                               struct seam_fault *f)
{
    struct lab_order_list truth = {.count = 0}, got = {.count = 0};
    enum seam_status st = committed(s, &truth, f);

    if (st == SEAM_OK) st = lab_broken_ops(s->trial.way)->arrived(s, &got, f);
    if (st != SEAM_OK) return st;
    compare(&truth, &got, out);
    return s->trial.lab != NULL ? show(s, &truth, &got, f) : SEAM_OK;
}

/* ---- a trial ---- */
static enum seam_status play(struct lab_broken_shop *s, struct lab_broken_counts *out,
                             struct seam_fault *f)
{
    uint64_t before = seam_io_sim_calls(s->disk);
    struct seam_fault why = {0};
    enum seam_status st;

    if (s->trial.cut_at != 0)
        seam_io_sim_plant(s->disk, SEAM_SIM_POWER_CUT, s->trial.cut_at, false);
    st = live(s, &why);
    if (seam_io_sim_fired(s->disk)) { /* whatever was returned: nothing after it happened */
        st = power_cut(s, f);
        if (st == SEAM_OK) st = live(s, f);
    } else {
        seam_io_sim_clear(s->disk); /* it lived: what closing does is not cut any more */
        if (st != SEAM_OK && f != NULL) *f = why;
    }
    out->calls = seam_io_sim_calls(s->disk) - before;
    if (st == SEAM_OK) st = settle(s, out, f);
    return die(s, st, f);
}

enum seam_status lab_broken_run(const struct lab_broken_trial *t, struct lab_broken_counts *out,
                                struct seam_fault *f)
{
    struct lab_broken_shop s = {.trial = *t, .next_order = 1};
    enum seam_status st = SEAM_OK;

    *out = (struct lab_broken_counts){0};
    s.trace = t->lab != NULL ? t->lab->trace : NULL;
    s.disk = seam_io_sim_new(t->seed);
    if (s.disk == NULL)
        return seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory for a disk");
    s.io = seam_io_sim_io(s.disk);
    seam_clock_sim_init(&s.clock, INT64_C(1767258000000000));
    s.clock.tick_us = 1;
    seam_rng_seed(&s.rng, t->seed);
    st = relay_create_platform(s.io, &s.clock.clock, dir, shop_json, sizeof shop_json - 1, t->seed,
                               f);
    if (st == SEAM_OK) st = platform_open(s.io, &s.clock.clock, dir, &s.p, f);
    if (st == SEAM_OK) {
        st = play(&s, out, f);
        platform_close(&s.p);
    }
    seam_buf_free(&s.tale);
    seam_io_sim_free(s.disk);
    return st;
}

enum seam_status lab_broken_count(enum lab_broken_way way, uint64_t seed, unsigned orders,
                                  unsigned instants, struct lab_broken_counts *out,
                                  struct seam_fault *f)
{
    struct lab_broken_trial t = {.way = way, .seed = seed, .orders = orders};
    struct lab_broken_counts one;
    struct seam_rng rng;
    enum seam_status st = lab_broken_run(&t, &one, f);
    uint64_t calls = one.calls;

    *out = (struct lab_broken_counts){.calls = calls};
    seam_rng_seed(&rng, seed);
    for (unsigned i = 0; st == SEAM_OK && i < instants; i++) {
        t.seed = seed + i;
        t.cut_at = 1 + (i * calls + seam_rng_below(&rng, calls)) / instants;
        st = lab_broken_run(&t, &one, f);
        out->committed += one.committed;
        out->delivered += one.delivered;
        out->lost += one.lost;
        out->repeated += one.repeated;
        out->reordered += one.reordered;
        out->invented += one.invented;
    }
    return st;
}
