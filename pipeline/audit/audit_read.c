/* audit_read - reading, verifying and proving inclusion, in any process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/row.h"
#include "pipeline/audit/audit_read.h"
#include "pipeline/sinks/own_rows.h"

enum seam_status audit_reader_open(struct seam_io *io, const char *dir, struct audit_reader **out,
                                   struct seam_fault *f)
{
    struct audit_reader *r = calloc(1, sizeof *r);
    struct seam_value id = seam_v_int(1), v[4];
    struct oltp_row row;
    bool own;
    enum seam_status st;

    if (r == NULL) return seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory");
    st = sink_own_rows_read(io, dir, "audit reader",
                            "no audit yet: run 'seam sink DIR audit' (or 'seam run DIR')", &r->db,
                            f);
    if (st == SEAM_OK) st = oltp_read_begin(r->db, &r->txn, f);
    if (st == SEAM_OK) st = audit_tables_open(r->txn, false, &r->tables, f);
    if (st == SEAM_OK) st = oltp_get(r->txn, r->tables.meta, &id, &row, f);
    if (st == SEAM_OK)
        st = seam_row_decode(oltp_schema(r->txn, r->tables.meta), row.row.data, row.row.size, v, f);
    if (st != SEAM_OK) {
        audit_reader_close(r);
        return st;
    }
    r->schema = oltp_schema(r->txn, r->tables.events);
    r->info = (struct audit_info){.lsn = (seam_lsn_t)v[1].i,
                                  .wall_us = v[2].i,
                                  .events = (uint64_t)v[3].i,
                                  .orders = oltp_count(r->txn, r->tables.heads, 0),
                                  .segments = oltp_count(r->txn, r->tables.roots, 0)};
    id = seam_v_int(AUDIT_OWN_CHAIN);
    st = seam_fault_there(oltp_get(r->txn, r->tables.heads, &id, &row, f), &own, f);
    if (st != SEAM_OK) {
        audit_reader_close(r);
        return st;
    }
    if (own) r->info.orders--; /* no order's */
    *out = r;
    return SEAM_OK;
}

void audit_reader_close(struct audit_reader *r)
{
    if (r == NULL) return;
    oltp_end(r->txn);
    (void)oltp_close(r->db, NULL);
    free(r);
}

void audit_reader_info(struct audit_reader *r, struct audit_info *out)
{
    *out = r->info;
}

enum seam_status audit_events_of(struct oltp_txn *t, const struct audit_tables *tables,
                                 int64_t order,
                                 enum seam_status (*fn)(void *ctx, const struct audit_event *e),
                                 void *ctx, struct seam_fault *f)
{
    const struct seam_schema *schema = oltp_schema(t, tables->events);
    struct seam_value id = seam_v_int(order);
    struct seam_buf key = {0};
    struct oltp_range range = {.upper_included = true};
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct audit_event e;
    enum seam_status st = oltp_key(t, tables->events, 0, &id, 1, &key, f);

    range.lower = range.upper = (struct wal_bytes){key.data, key.size};
    if (st == SEAM_OK) st = oltp_cursor_open(t, tables->events, 0, &range, 0, &c, f);
    while (st == SEAM_OK && (st = oltp_cursor_next(c, &row, f)) == SEAM_OK) {
        st = audit_event_of_row(schema, row.row, &e, f);
        if (st == SEAM_OK) st = fn(ctx, &e);
    }
    oltp_cursor_close(c);
    seam_buf_free(&key);
    return st == SEAM_END ? SEAM_OK : st;
}

enum seam_status audit_events(struct audit_reader *r, int64_t order, audit_event_fn fn, void *ctx,
                              struct seam_fault *f)
{
    return audit_events_of(r->txn, &r->tables, order, fn, ctx, f);
}

/* ---- gaps ---- */

struct gap_list {
    struct audit_gap *out;
    size_t max, count;
    struct seam_fault *fault;
};

static enum seam_status add_gap(void *ctx, const struct audit_event *e)
{
    struct gap_list *g = ctx;
    seam_lsn_t from;
    uint64_t restated;

    if (e->type != AUDIT_GAP) return SEAM_OK;
    if (!audit_gap_get(e->row, &from, &restated))
        return seam_fault_set(g->fault, SEAM_CORRUPT, "audit", e->number,
                              "a gap that does not say where it begins");
    if (g->count < g->max) g->out[g->count] = (struct audit_gap){from, e->lsn, e->at_us, restated};
    g->count++;
    return SEAM_OK;
}

enum seam_status audit_gaps(struct audit_reader *r, struct audit_gap *out, size_t max,
                            size_t *count, struct seam_fault *f)
{
    struct gap_list list = {.out = out, .max = max, .fault = f};
    enum seam_status st = audit_events(r, AUDIT_OWN_CHAIN, add_gap, &list, f);

    *count = list.count;
    return st;
}

/* ---- verify ---- */

static enum seam_status broken(const struct audit_event *e, struct seam_fault *f, const char *what)
{
    return seam_fault_set(f, SEAM_CORRUPT, "audit", e->number,
                          "order %lld, event %llu (%s at LSN %llu): %s", (long long)e->order,
                          (unsigned long long)e->version, audit_type_name(e->type),
                          (unsigned long long)e->lsn, what);
}

static enum seam_status check_head(struct audit_reader *r, int64_t order, uint64_t version,
                                   const uint8_t hash[AUDIT_HASH], struct seam_fault *f)
{
    struct seam_value id = seam_v_int(order), v[3];
    struct oltp_row row;
    bool there;
    enum seam_status st =
        seam_fault_there(oltp_get(r->txn, r->tables.heads, &id, &row, f), &there, f);

    if (st == SEAM_OK && there)
        st =
            seam_row_decode(oltp_schema(r->txn, r->tables.heads), row.row.data, row.row.size, v, f);
    if (st != SEAM_OK) return st; /* what cannot be read says nothing of the chain */
    if (!there || (uint64_t)v[1].i != version || v[2].len != AUDIT_HASH ||
        memcmp(v[2].s, hash, AUDIT_HASH) != 0)
        return seam_fault_set(f, SEAM_CORRUPT, "audit", SEAM_FAULT_NO_OFFSET,
                              "order %lld: the chain ends at version %llu, its head says "
                              "otherwise: events were dropped at its end",
                              (long long)order, (unsigned long long)version);
    return SEAM_OK;
}

/* Every chain, in order of order and version.                                                       */
static enum seam_status verify_chains(struct audit_reader *r, uint64_t *checked,
                                      struct seam_fault *f)
{
    uint8_t hash[AUDIT_HASH] = {0}, expect[AUDIT_HASH];
    int64_t order = INT64_MIN;
    uint64_t version = 0;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct audit_event e;
    enum seam_status st = oltp_cursor_open(r->txn, r->tables.events, 0, NULL, 0, &c, f);

    while (st == SEAM_OK && (st = oltp_cursor_next(c, &row, f)) == SEAM_OK) {
        st = audit_event_of_row(r->schema, row.row, &e, f);
        if (st != SEAM_OK) break;
        if (e.order != order) {
            if (version > 0) st = check_head(r, order, version, hash, f);
            order = e.order;
            version = 0;
            memset(hash, 0, sizeof hash);
        }
        if (st == SEAM_OK && e.version != version + 1)
            st = broken(&e, f, "the events before it are missing");
        audit_event_hash(&e, hash, expect);
        if (st == SEAM_OK && memcmp(expect, e.hash, AUDIT_HASH) != 0)
            st = broken(
                &e, f, "it is not what was written (its hash does not follow from the one before)");
        memcpy(hash, e.hash, AUDIT_HASH);
        version = e.version;
        ++*checked;
    }
    if (st == SEAM_END) st = version > 0 ? check_head(r, order, version, hash, f) : SEAM_OK;
    oltp_cursor_close(c);
    return st;
}

static enum seam_status load_root(struct audit_reader *r, uint64_t segment, uint8_t out[AUDIT_HASH],
                                  struct seam_fault *f)
{
    struct seam_value id = seam_v_int((int64_t)segment), v[2];
    struct oltp_row row;
    bool there;
    enum seam_status st =
        seam_fault_there(oltp_get(r->txn, r->tables.roots, &id, &row, f), &there, f);

    if (st == SEAM_OK && !there)
        return seam_fault_set(f, SEAM_NOT_FOUND, "audit", segment, "segment %llu has no root yet",
                              (unsigned long long)segment);
    if (st == SEAM_OK)
        st =
            seam_row_decode(oltp_schema(r->txn, r->tables.roots), row.row.data, row.row.size, v, f);
    if (st != SEAM_OK) return st;
    if (v[1].len != AUDIT_HASH)
        return seam_fault_set(f, SEAM_CORRUPT, "audit", segment,
                              "segment %llu: its root is no hash", (unsigned long long)segment);
    memcpy(out, v[1].s, AUDIT_HASH);
    return SEAM_OK;
}

/* The hashes of a whole segment, in global order.                                                   */
static enum seam_status segment_hashes(struct audit_reader *r, uint64_t segment,
                                       uint8_t (*out)[AUDIT_HASH], struct seam_fault *f)
{
    struct seam_value from = seam_v_int((int64_t)(segment * AUDIT_SEGMENT));
    struct seam_buf key = {0};
    struct oltp_range range = {0};
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct audit_event e;
    uint64_t n = 0;
    enum seam_status st =
        oltp_key(r->txn, r->tables.events, r->tables.by_number, &from, 1, &key, f);

    range.lower = (struct wal_bytes){key.data, key.size};
    if (st == SEAM_OK)
        st = oltp_cursor_open(r->txn, r->tables.events, r->tables.by_number, &range, 0, &c, f);
    while (st == SEAM_OK && n < AUDIT_SEGMENT && (st = oltp_cursor_next(c, &row, f)) == SEAM_OK) {
        st = audit_event_of_row(r->schema, row.row, &e, f);
        if (st == SEAM_OK && e.number != segment * AUDIT_SEGMENT + n)
            st = broken(&e, f, "a number is missing before it");
        if (st == SEAM_OK) memcpy(out[n++], e.hash, AUDIT_HASH);
    }
    oltp_cursor_close(c);
    seam_buf_free(&key);
    if (st == SEAM_END)
        st = seam_fault_set(f, SEAM_CORRUPT, "audit", segment,
                            "a segment with a root has only %llu events", (unsigned long long)n);
    return st;
}

static enum seam_status verify_roots(struct audit_reader *r, struct seam_fault *f)
{
    uint8_t(*hashes)[AUDIT_HASH] = malloc((size_t)AUDIT_SEGMENT * AUDIT_HASH);
    uint8_t kept[AUDIT_HASH], made[AUDIT_HASH];
    enum seam_status st = SEAM_OK;

    if (hashes == NULL)
        return seam_fault_set(f, SEAM_NOMEM, "audit", SEAM_FAULT_NO_OFFSET, "no memory");
    for (uint64_t s = 0; st == SEAM_OK && s < r->info.events / AUDIT_SEGMENT; s++) {
        st = load_root(r, s, kept, f);
        if (st == SEAM_OK) st = segment_hashes(r, s, hashes, f);
        if (st != SEAM_OK) break;
        audit_merkle_root(hashes, made);
        if (memcmp(kept, made, AUDIT_HASH) != 0)
            st = seam_fault_set(f, SEAM_CORRUPT, "audit", s,
                                "segment %llu: its events do not make the root that was kept",
                                (unsigned long long)s);
    }
    free(hashes);
    return st;
}

enum seam_status audit_verify(struct audit_reader *r, uint64_t *checked, struct seam_fault *f)
{
    enum seam_status st;

    *checked = 0;
    st = verify_chains(r, checked, f);
    if (st == SEAM_OK && *checked != r->info.events)
        st = seam_fault_set(f, SEAM_CORRUPT, "audit", SEAM_FAULT_NO_OFFSET,
                            "%llu events are there, %llu were appended",
                            (unsigned long long)*checked, (unsigned long long)r->info.events);
    return st == SEAM_OK ? verify_roots(r, f) : st;
}

/* ---- inclusion ---- */

enum seam_status audit_inclusion(struct audit_reader *r, uint64_t number, struct audit_path *out,
                                 struct seam_fault *f)
{
    uint8_t(*hashes)[AUDIT_HASH];
    size_t at = number % AUDIT_SEGMENT, level = 0;
    enum seam_status st;

    *out = (struct audit_path){.number = number, .segment = number / AUDIT_SEGMENT};
    if (number >= r->info.events)
        return seam_fault_set(f, SEAM_NOT_FOUND, "audit", number,
                              "there is no event of this number (there are %llu)",
                              (unsigned long long)r->info.events);
    st = load_root(r, out->segment, out->root, f);
    if (st != SEAM_OK) return st;
    hashes = malloc((size_t)AUDIT_SEGMENT * AUDIT_HASH);
    if (hashes == NULL)
        return seam_fault_set(f, SEAM_NOMEM, "audit", SEAM_FAULT_NO_OFFSET, "no memory");
    st = segment_hashes(r, out->segment, hashes, f);
    if (st == SEAM_OK) memcpy(out->leaf, hashes[at], AUDIT_HASH);
    for (size_t n = AUDIT_SEGMENT; st == SEAM_OK && n > 1; n /= 2, at /= 2) {
        memcpy(out->sibling[level++], hashes[at ^ 1], AUDIT_HASH);
        for (size_t i = 0; i < n / 2; i++)
            audit_hash_pair(hashes[2 * i], hashes[2 * i + 1], hashes[i]);
    }
    free(hashes);
    return st;
}

bool audit_path_holds(const struct audit_path *p)
{
    uint8_t hash[AUDIT_HASH];
    size_t at = p->number % AUDIT_SEGMENT;

    memcpy(hash, p->leaf, AUDIT_HASH);
    for (size_t level = 0; level < AUDIT_PATH_MAX; level++, at /= 2) {
        if (at & 1)
            audit_hash_pair(p->sibling[level], hash, hash);
        else
            audit_hash_pair(hash, p->sibling[level], hash);
    }
    return memcmp(hash, p->root, AUDIT_HASH) == 0;
}
