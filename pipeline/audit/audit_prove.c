/* audit_prove - "current state is a fold over the log", checked for every order at once.
 *
 * Orders are split into ranges of ids; each thread folds its range's events and reads the same orders AS OF the audit's
 * LSN from the row store, comparing encoded rows in their canonical form (a row written under an older schema equals
 * the same row written under a newer one).                                                          */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cpu.h"
#include "engine/base/thread.h"
#include "engine/values/row.h"
#include "pipeline/audit/audit_read.h"

enum { RANGES_PER_THREAD = 8, THREADS_AT_MOST = 32 };

struct audit_worker {
    struct oltp_txn *audit, *source; /* read transactions of this thread */
    struct audit_state state;
    struct audit_proof counts;
    struct seam_buf difference; /* the first, with the order it belongs to */
    int64_t difference_order;
};

struct prover {
    struct audit_reader *r;
    struct oltp *db;
    uint32_t orders, lines;
    const struct seam_schema *orders_schema, *lines_schema;
    int64_t low, high; /* ids with events or rows */
    size_t ranges;
    struct audit_worker workers[THREADS_AT_MOST];
    struct seam_fault *f;
};

static void differ(struct prover *p, struct audit_worker *w, int64_t order, const char *what,
                   const struct seam_schema *s, struct wal_bytes folded, struct wal_bytes live)
{
    struct seam_value v[SEAM_COLUMNS_MAX];

    (void)p;
    w->counts.different++;
    if (w->difference.size > 0 && w->difference_order <= order) return;
    w->difference_order = order;
    seam_buf_clear(&w->difference);
    seam_buf_printf(&w->difference, "order %" PRId64 ": %s\n", order, what);
    if (folded.data != NULL && seam_row_decode(s, folded.data, folded.size, v, NULL) == SEAM_OK) {
        seam_buf_str(&w->difference, "  by replay:      ");
        seam_row_to_json(s, v, &w->difference);
        seam_buf_str(&w->difference, "\n");
    }
    if (live.data != NULL && seam_row_decode(s, live.data, live.size, v, NULL) == SEAM_OK) {
        seam_buf_str(&w->difference, "  by time travel: ");
        seam_row_to_json(s, v, &w->difference);
        seam_buf_str(&w->difference, "\n");
    }
}

static struct wal_bytes bytes_of(const struct seam_buf *b)
{
    return (struct wal_bytes){b->data, b->size};
}

/* The folded order against the rows, which the cursors stand in front of.                           */
static enum seam_status compare_lines(struct prover *p, struct audit_worker *w, int64_t order)
{
    struct seam_value id = seam_v_int(order);
    struct seam_buf key = {0};
    struct oltp_range range = {.upper_included = true};
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    size_t live = 0;
    enum seam_status st = oltp_key(w->source, p->lines, 0, &id, 1, &key, p->f);

    range.lower = range.upper = bytes_of(&key);
    if (st == SEAM_OK) st = oltp_cursor_open(w->source, p->lines, 0, &range, 0, &c, p->f);
    while (st == SEAM_OK && (st = oltp_cursor_next(c, &row, p->f)) == SEAM_OK) {
        const struct audit_line *l = audit_state_line(&w->state, row.key);

        live++;
        if (l == NULL)
            differ(p, w, order, "a line that no event added", p->lines_schema,
                   (struct wal_bytes){0}, row.row);
        else if (!audit_same_row(p->lines_schema, bytes_of(&l->row), row.row))
            differ(p, w, order, "a line is not what its events say", p->lines_schema,
                   bytes_of(&l->row), row.row);
    }
    oltp_cursor_close(c);
    seam_buf_free(&key);
    if (st == SEAM_END) st = SEAM_OK;
    if (st == SEAM_OK && live < w->state.count)
        differ(p, w, order, "a line that its events added is not there", p->lines_schema,
               (struct wal_bytes){0}, (struct wal_bytes){0});
    w->counts.lines += live;
    return st;
}

static enum seam_status compare_order(struct prover *p, struct audit_worker *w, int64_t order)
{
    struct seam_value id = seam_v_int(order);
    struct oltp_row row;
    struct seam_fault why = {0};
    bool live;
    enum seam_status st =
        seam_fault_there(oltp_get(w->source, p->orders, &id, &row, &why), &live, &why);

    if (st != SEAM_OK) {
        seam_fault_give(p->f, &why);
        return st;
    }
    w->counts.orders++;
    if (live != w->state.exists)
        differ(p, w, order,
               live ? "it is there, and its events say it is not"
                    : "its events say it is there, and it is not",
               p->orders_schema, bytes_of(&w->state.order), live ? row.row : (struct wal_bytes){0});
    else if (live && !audit_same_row(p->orders_schema, bytes_of(&w->state.order), row.row))
        differ(p, w, order, "it is not what its events say", p->orders_schema,
               bytes_of(&w->state.order), row.row);
    return compare_lines(p, w, order);
}

/* Folds and compares every order with id in [from, to].                                             */
static enum seam_status prove_range(struct prover *p, struct audit_worker *w, int64_t from,
                                    int64_t to)
{
    struct seam_value low = seam_v_int(from), high = seam_v_int(to);
    struct seam_buf lk = {0}, hk = {0};
    struct oltp_range range = {.upper_included = true};
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct audit_event e;
    int64_t order = 0;
    bool any = false;
    enum seam_status st = oltp_key(w->audit, p->r->tables.events, 0, &low, 1, &lk, p->f);

    if (st == SEAM_OK) st = oltp_key(w->audit, p->r->tables.events, 0, &high, 1, &hk, p->f);
    range.lower = bytes_of(&lk);
    range.upper = bytes_of(&hk);
    if (st == SEAM_OK) st = oltp_cursor_open(w->audit, p->r->tables.events, 0, &range, 0, &c, p->f);
    while (st == SEAM_OK && (st = oltp_cursor_next(c, &row, p->f)) == SEAM_OK) {
        st = audit_event_of_row(p->r->schema, row.row, &e, p->f);
        if (st == SEAM_OK && any && e.order != order) {
            st = compare_order(p, w, order);
            audit_state_clear(&w->state);
        }
        if (st != SEAM_OK) break;
        order = e.order;
        any = true;
        w->counts.events++;
        st = audit_apply(&w->state, &e);
    }
    oltp_cursor_close(c);
    if (st == SEAM_END) st = any ? compare_order(p, w, order) : SEAM_OK;
    audit_state_clear(&w->state);
    seam_buf_free(&lk);
    seam_buf_free(&hk);
    return st;
}

static enum seam_status prove_chunk(void *ctx, size_t begin, size_t end, int thread)
{
    struct prover *p = ctx;
    struct audit_worker *w = &p->workers[thread];
    uint64_t width = (uint64_t)(p->high - p->low) / p->ranges + 1;
    enum seam_status st = SEAM_OK;

    for (size_t i = begin; st == SEAM_OK && i < end; i++) {
        int64_t from = p->low + (int64_t)(i * width), to = from + (int64_t)width - 1;

        if (from > p->high) break;
        st = prove_range(p, w, from, to < p->high ? to : p->high);
    }
    return st;
}

static enum seam_status first_and_last(struct prover *p, struct seam_fault *f)
{
    struct seam_value own =
        seam_v_int(AUDIT_OWN_CHAIN + 1); /* the audit's own events are no order's */
    struct seam_buf key = {0};
    struct oltp_range orders = {0};
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct audit_event e;
    enum seam_status st = oltp_key(p->r->txn, p->r->tables.events, 0, &own, 1, &key, f);

    orders.lower = bytes_of(&key);
    if (st == SEAM_OK) st = oltp_cursor_open(p->r->txn, p->r->tables.events, 0, &orders, 0, &c, f);
    p->low = 0;
    p->high = -1;
    if (st == SEAM_OK && (st = oltp_cursor_next(c, &row, f)) == SEAM_OK) {
        st = audit_event_of_row(p->r->schema, row.row, &e, f);
        p->low = e.order;
        oltp_cursor_close(c);
        c = NULL;
        if (st == SEAM_OK)
            st = oltp_cursor_open(p->r->txn, p->r->tables.events, 0, &orders, 0, &c, f);
        if (st == SEAM_OK) st = oltp_cursor_prev(c, &row, f);
        if (st == SEAM_OK) st = audit_event_of_row(p->r->schema, row.row, &e, f);
        p->high = e.order;
    }
    oltp_cursor_close(c);
    seam_buf_free(&key);
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status add_gap(void *ctx, const struct audit_event *e)
{
    struct audit_proof *out = ctx;
    seam_lsn_t from;
    uint64_t restated;

    if (e->type != AUDIT_GAP || !audit_gap_get(e->row, &from, &restated)) return SEAM_OK;
    out->gaps++;
    out->restated += restated;
    out->events++;
    return SEAM_OK;
}

/* An order with rows and without any event at all would be met by no fold: their number is compared.   */
static enum seam_status orders_without_events(struct prover *p, struct oltp_txn *source,
                                              struct audit_proof *out, struct seam_buf *difference,
                                              struct seam_fault *f)
{
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_value id;
    enum seam_status st = oltp_cursor_open(source, p->orders, 0, NULL, 0, &c, f);

    while (st == SEAM_OK && (st = oltp_cursor_next(c, &row, f)) == SEAM_OK) {
        struct oltp_row head;
        bool there = true;

        st = seam_row_get(p->orders_schema, row.row.data, row.row.size, p->orders_schema->key[0],
                          &id, f);
        if (st == SEAM_OK)
            st =
                seam_fault_there(oltp_get(p->r->txn, p->r->tables.heads, &id, &head, f), &there, f);
        if (st != SEAM_OK || there) continue;
        if (out->different++ == 0)
            seam_buf_printf(difference,
                            "order %" PRId64 ": it is there, and no event tells of it\n", id.i);
    }
    oltp_cursor_close(c);
    return st == SEAM_END ? SEAM_OK : st;
}

static void gather(struct prover *p, int threads, struct audit_proof *out,
                   struct seam_buf *difference)
{
    int64_t first = INT64_MAX;

    for (int i = 0; i < threads; i++) {
        struct audit_worker *w = &p->workers[i];

        out->orders += w->counts.orders;
        out->lines += w->counts.lines;
        out->events += w->counts.events;
        out->different += w->counts.different;
        if (w->difference.size > 0 && w->difference_order < first) {
            first = w->difference_order;
            seam_buf_clear(difference);
            seam_buf_append(difference, w->difference.data, w->difference.size);
        }
        oltp_end(w->audit);
        oltp_end(w->source);
        audit_state_free(&w->state);
        seam_buf_free(&w->difference);
    }
}

enum seam_status audit_prove(const struct platform *platform, const char *dir, int threads,
                             struct audit_proof *out, struct seam_buf *difference,
                             struct seam_fault *f)
{
    struct prover *p = calloc(1, sizeof *p);
    const struct seam_json *config = platform_sink_config(platform, "audit");
    uint64_t start = seam_clock_mono_ns(platform->clock);
    seam_lsn_t lsn = SEAM_LSN_MAX;
    enum seam_status st;

    *out = (struct audit_proof){0};
    if (p == NULL) return seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory");
    if (threads < 1) threads = seam_cpu_count();
    if (threads > THREADS_AT_MOST) threads = THREADS_AT_MOST;
    p->f = f;
    st = audit_reader_open(platform->io, dir, &p->r, f);
    /* Who has applied nothing yet is compared with what is there now. */
    if (st == SEAM_OK && p->r->info.lsn != SEAM_LSN_NONE) lsn = p->r->info.lsn;
    if (st == SEAM_OK) st = platform_open_reader(platform, lsn, INT64_MIN, &p->db, f);
    for (int i = 0; st == SEAM_OK && i < threads; i++) {
        st = oltp_read_begin(p->r->db, &p->workers[i].audit, f);
        if (st == SEAM_OK) st = oltp_read_begin(p->db, &p->workers[i].source, f);
    }
    if (st == SEAM_OK)
        st = oltp_table(p->workers[0].source, seam_json_string(config, "orders", "orders"),
                        &p->orders, f);
    if (st == SEAM_OK)
        st = oltp_table(p->workers[0].source, seam_json_string(config, "lines", "order_lines"),
                        &p->lines, f);
    if (st == SEAM_OK) st = first_and_last(p, f);
    if (st == SEAM_OK) {
        p->orders_schema = oltp_schema(p->workers[0].source, p->orders);
        p->lines_schema = oltp_schema(p->workers[0].source, p->lines);
        p->ranges = (size_t)threads * RANGES_PER_THREAD;
        out->lsn = p->r->info.lsn;
        if (p->high >= p->low) st = seam_parallel_for(threads, p->ranges, 1, prove_chunk, p);
    }
    if (st == SEAM_OK) st = audit_events(p->r, AUDIT_OWN_CHAIN, add_gap, out, f);
    if (st == SEAM_OK) st = orders_without_events(p, p->workers[0].source, out, difference, f);
    gather(p, threads, out, difference);
    (void)oltp_close(p->db, NULL);
    audit_reader_close(p->r);
    free(p);
    out->elapsed_ns = seam_clock_mono_ns(platform->clock) - start;
    if (st == SEAM_OK && out->different > 0)
        return seam_fault_set(f, SEAM_DRIFT, "audit", SEAM_FAULT_NO_OFFSET,
                              "%" PRIu64 " orders are not what their events say", out->different);
    return st;
}
