/* broken - the shop around the ways to deliver: customers, the power cut, and the counting. */
#include "pipeline/lab/broken.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/values/key.h"
#include "oltp/oltp.h"
#include "pipeline/lab/shop.h"
#include "wal/wal.h"

static const char dir[] = "lab/shop";
static const char shop_json[] =
    "{\"tables\":[\"orders\"],\"sinks\":{\"warehouse\":{\"silver\":[\"orders\"]}}}";

const char *broken_name(enum broken_way way)
{
    return broken_ops(way)->name;
}

void broken_say(struct broken_shop *s, const char *format, ...)
{
    char line[160];
    va_list args;

    if (s->trial.lab == NULL) return;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buf_printf(&s->tale, "%s\n", line);
}

enum status broken_note(struct order_list *list, const void *key, size_t n, struct fault *f)
{
    const uint8_t *p = key;
    struct buf text = {0};
    struct value v;
    enum status st = key_read(&p, p + n, V_INT, &v, &text);

    buf_free(&text);
    if (st != ST_OK) return fault_set(f, ST_CORRUPT, dir, FAULT_NO_OFFSET, "not an order's key");
    if (list->count == ARRAY_LEN(list->id))
        return fault_set(f, ST_LIMIT, dir, FAULT_NO_OFFSET, "more arrivals than a trial counts");
    list->id[list->count++] = (uint64_t)v.i;
    return ST_OK;
}

/* ---- customers ---- */
/* The tale so far is a step of the lab. */
static enum status step(struct broken_shop *s, const char *story, const char *what, struct fault *f)
{
    struct lab *l = s->trial.lab;
    struct buf list;
    char title[80];

    l->new_picture = !s->told;
    s->told = true;
    list = l->draw; /* what the caller has drawn comes below the tale */
    l->draw = (struct buf){0};
    buf_append(&l->draw, s->tale.data, s->tale.size);
    buf_append(&l->draw, list.data, list.size);
    buf_free(&list);
    buf_str(&l->story, story);
    (void)snprintf(title, sizeof title, "%s: %s", broken_name(s->trial.way), what);
    return lab_step(l, title, f);
}

static enum status passed_by(struct broken_shop *s, struct fault *f)
{
    if (s->trial.lab == NULL || s->told) return ST_OK;
    return step(s, s->trial.moment, "the moment", f);
}

static enum status pay(struct broken_shop *s, struct basket *b, struct fault *f)
{
    struct oltp_txn *t = NULL;
    struct oltp_commit done;
    char json[160];
    uint32_t table;
    enum status st = oltp_write_begin(s->source.db, &t, f);
    int n = snprintf(json, sizeof json,
                     "{\"order_id\":%" PRIu64 ",\"status\":\"paid\","
                     "\"placed_at\":\"2026-01-01T09:00:00Z\"}",
                     b->order);

    if (st != ST_OK) return st;
    st = oltp_table(t, "orders", &table, f);
    if (st == ST_OK) st = shop_put_json(t, table, json, (size_t)n, f);
    if (st != ST_OK) {
        oltp_end(t);
        return st;
    }
    st = oltp_commit(t, OLTP_DURABLE, &done, f);
    if (st != ST_OK) return st;
    TRACE(s->trace, "lab", "paid", TI("order", b->order), TI("lsn", done.lsn));
    broken_say(s, "order %" PRIu64 " is paid: committed at LSN %" PRIu64 "%s", b->order, done.lsn,
               b->order < s->highest ? "; the poller has passed it" : "");
    b->state = broken_ops(s->trial.way)->paid != NULL ? BASKET_PAID : BASKET_FREE;
    return b->order < s->highest ? passed_by(s, f) : ST_OK;
}

/* One customer goes on: takes an order's number, pays, or (in some ways) has the payment published. */
static enum status serve(struct broken_shop *s, struct fault *f)
{
    struct basket *b = &s->baskets[rng_below(&s->rng, BROKEN_BASKETS)];
    enum status st;

    if (b->state == BASKET_OPEN) return pay(s, b, f);
    if (b->state == BASKET_PAID) {
        st = broken_ops(s->trial.way)->paid(s, b->order, f);
        if (st == ST_OK) b->state = BASKET_FREE;
        return st;
    }
    if (s->next_order > s->trial.orders) return ST_OK;
    *b = (struct basket){BASKET_OPEN, s->next_order++};
    broken_say(s, "order %" PRIu64 " has a number, and waits for its payment", b->order);
    return ST_OK;
}

static bool all_served(const struct broken_shop *s)
{
    for (int i = 0; i < BROKEN_BASKETS; i++)
        if (s->baskets[i].state != BASKET_FREE) return false;
    return s->next_order > s->trial.orders;
}

static enum status live(struct broken_shop *s, struct fault *f)
{
    const struct broken_ops *ops = broken_ops(s->trial.way);
    enum status st = platform_open_source(&s->p, &s->source, f);

    if (st == ST_OK) st = ops->open(s, f);
    while (st == ST_OK && !all_served(s)) {
        bool carry = ops->turn != NULL && rng_below(&s->rng, 4) == 0;

        st = carry ? ops->turn(s, f) : serve(s, f);
    }
    if (st == ST_OK && ops->drain != NULL) st = ops->drain(s, f);
    return st;
}

static enum status die(struct broken_shop *s, enum status st, struct fault *f)
{
    broken_ops(s->trial.way)->close(s);
    return platform_close_source(&s->source, st, f);
}

/* ---- the power cut ---- */
static void forget(struct broken_shop *s)
{
    for (int i = 0; i < BROKEN_BASKETS; i++) {
        const struct basket *b = &s->baskets[i];

        if (b->state == BASKET_PAID)
            broken_say(s, "  only a clerk's memory knew that order %" PRIu64 " is to be published",
                       b->order);
        s->baskets[i].state = BASKET_FREE; /* its customer goes home, paid or not */
    }
}

static enum status power_cut(struct broken_shop *s, struct fault *f)
{
    enum status st = ST_OK;

    broken_say(s, "THE POWER GOES");
    forget(s);
    if (s->trial.lab != NULL) st = step(s, s->trial.moment, "the moment", f);
    (void)die(s, ST_OK, NULL); /* nothing of what closing would write happens */
    io_sim_clear(s->disk);
    io_sim_reboot(s->disk);
    s->cut = true;
    broken_say(s, "everything comes back");
    return st;
}

/* ---- counting ---- */
static enum status committed(struct broken_shop *s, struct order_list *out, struct fault *f)
{
    struct wal_reader *r = NULL;
    struct wal_record rec;
    struct change_row row;
    char path[PATH_MAX_BYTES];
    size_t whole = 0; /* what a COMMIT has followed */
    enum status st = platform_path(&s->p, "wal", path, f);

    if (st == ST_OK) st = wal_reader_open(s->io, path, LSN_NONE, 0, &r, f);
    while (st == ST_OK && (st = wal_reader_next(r, &rec, f)) == ST_OK) {
        if (rec.type == CHANGE_BEGIN) out->count = whole;
        if (rec.type == CHANGE_COMMIT) whole = out->count;
        if (rec.type != CHANGE_ROW) continue;
        st = change_get_row(rec.data, rec.size, &row, f);
        if (st == ST_OK) st = broken_note(out, row.key.data, row.key.size, f);
    }
    out->count = whole;
    wal_reader_close(r);
    return st == ST_END ? ST_OK : st;
}

static size_t place_of(const struct order_list *l, uint64_t order)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->id[i] == order) return i;
    return SIZE_MAX;
}

static void compare(const struct order_list *truth, const struct order_list *got,
                    struct broken_counts *c)
{
    size_t newest = 0;

    c->committed = truth->count;
    c->delivered = got->count;
    for (size_t i = 0; i < truth->count; i++)
        c->lost += place_of(got, truth->id[i]) == SIZE_MAX;
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
static bool overtaken(const struct order_list *truth, const struct order_list *got, size_t at)
{
    size_t first = place_of(got, truth->id[at]);

    for (size_t k = 0; k < got->count && k < first; k++) {
        size_t other = place_of(truth, got->id[k]);

        if (other != SIZE_MAX && other > at) return true;
    }
    return false;
}

/* Both sides, in their orders. */
static enum status show(struct broken_shop *s, const struct order_list *truth,
                        const struct order_list *got, struct fault *f)
{
    struct buf *b = &s->trial.lab->draw;

    buf_str(b, "committed, in the log's order    arrived as\n");
    for (size_t i = 0; i < truth->count; i++) {
        size_t times = 0, first = place_of(got, truth->id[i]);

        for (size_t k = 0; k < got->count; k++)
            times += got->id[k] == truth->id[i];
        buf_printf(b, "  %2zu. order %2" PRIu64 "                   ", i + 1, truth->id[i]);
        if (times == 0)
            buf_str(b, " never    LOST\n");
        else
            buf_printf(b, "%2zu.%s%s\n", first + 1, times > 1 ? "       TWICE" : "",
                       overtaken(truth, got, i) ? "       OUT OF ORDER" : "");
    }
    return step(s, s->trial.after, "what arrived", f);
}

static enum status settle(struct broken_shop *s, struct broken_counts *out, struct fault *f)
{
    struct order_list truth = {.count = 0}, got = {.count = 0};
    enum status st = committed(s, &truth, f);

    if (st == ST_OK) st = broken_ops(s->trial.way)->arrived(s, &got, f);
    if (st != ST_OK) return st;
    compare(&truth, &got, out);
    return s->trial.lab != NULL ? show(s, &truth, &got, f) : ST_OK;
}

/* ---- a trial ---- */
static enum status play(struct broken_shop *s, struct broken_counts *out, struct fault *f)
{
    uint64_t before = io_sim_calls(s->disk);
    struct fault why = {0};
    enum status st;

    if (s->trial.cut_at != 0) io_sim_plant(s->disk, SIM_POWER_CUT, s->trial.cut_at, false);
    st = live(s, &why);
    if (io_sim_fired(s->disk)) { /* whatever was returned: nothing after it happened */
        st = power_cut(s, f);
        if (st == ST_OK) st = live(s, f);
    } else if (st != ST_OK && f != NULL)
        *f = why;
    out->calls = io_sim_calls(s->disk) - before;
    if (st == ST_OK) st = settle(s, out, f);
    return die(s, st, f);
}

enum status broken_run(const struct broken_trial *t, struct broken_counts *out, struct fault *f)
{
    struct broken_shop s = {.trial = *t, .next_order = 1};
    enum status st = ST_OK;

    *out = (struct broken_counts){0};
    s.trace = t->lab != NULL ? t->lab->trace : NULL;
    s.disk = io_sim_new(t->seed);
    if (s.disk == NULL)
        return fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory for a disk");
    s.io = io_sim_io(s.disk);
    clock_sim_init(&s.clock, INT64_C(1767258000000000));
    s.clock.tick_us = 1;
    rng_seed(&s.rng, t->seed);
    st = platform_create(s.io, &s.clock.clock, dir, shop_json, sizeof shop_json - 1, t->seed, f);
    if (st == ST_OK) st = platform_open(s.io, &s.clock.clock, dir, &s.p, f);
    if (st == ST_OK) {
        st = play(&s, out, f);
        platform_close(&s.p);
    }
    buf_free(&s.tale);
    io_sim_free(s.disk);
    return st;
}

enum status broken_count(enum broken_way way, uint64_t seed, unsigned orders, unsigned instants,
                         struct broken_counts *out, struct fault *f)
{
    struct broken_trial t = {.way = way, .seed = seed, .orders = orders};
    struct broken_counts one;
    struct rng rng;
    enum status st = broken_run(&t, &one, f);
    uint64_t calls = one.calls;

    *out = (struct broken_counts){.calls = calls};
    rng_seed(&rng, seed);
    for (unsigned i = 0; st == ST_OK && i < instants; i++) {
        t.seed = seed + i;
        t.cut_at = 1 + (i * calls + rng_below(&rng, calls)) / instants;
        st = broken_run(&t, &one, f);
        out->committed += one.committed;
        out->delivered += one.delivered;
        out->lost += one.lost;
        out->repeated += one.repeated;
        out->reordered += one.reordered;
        out->invented += one.invented;
    }
    return st;
}
