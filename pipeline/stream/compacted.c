/* compacted - the last change of each key, in two readings and bounded memory. */
#include "pipeline/stream/compacted.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"

struct slot {
    uint64_t lo, hi, newest;
    bool used, deleted;
};
_Static_assert(sizeof(struct slot) == 32, "a slot is what the header says");

struct stream_table {
    struct slot *slots;
    uint64_t cap, count; /* cap: a power of two */
    size_t memory;
};

static struct slot *find(struct stream_table *t, uint64_t lo, uint64_t hi)
{
    uint64_t i = lo & (t->cap - 1);

    while (t->slots[i].used && (t->slots[i].lo != lo || t->slots[i].hi != hi))
        i = (i + 1) & (t->cap - 1);
    return &t->slots[i];
}

static enum seam_status grow(struct stream_table *t, const char *dir, struct seam_fault *f)
{
    struct stream_table bigger = {
        .cap = t->cap == 0 ? 1024 : t->cap * 2, .count = t->count, .memory = t->memory};

    if (bigger.cap * sizeof(struct slot) > t->memory)
        return seam_fault_set(f, SEAM_LIMIT, dir, t->count,
                              "more keys than the memory allowed for the compacted view");
    bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
    if (bigger.slots == NULL) return seam_no_memory(f, "the compacted view");
    for (uint64_t i = 0; i < t->cap; i++)
        if (t->slots[i].used) *find(&bigger, t->slots[i].lo, t->slots[i].hi) = t->slots[i];
    free(t->slots);
    *t = bigger;
    return SEAM_OK;
}

static struct seam_hash128 hash_of(const struct stream_event *e)
{
    struct seam_hash128 h = seam_siphash128(e->row.key.data, e->row.key.size);

    h.hi ^= seam_hash64_u64(e->row.table + 1);
    return h;
}

static enum seam_status note(struct stream_table *t, const struct stream_event *e, const char *dir,
                             struct seam_fault *f)
{
    struct seam_hash128 h = hash_of(e);
    struct slot *s;

    if (t->count * 2 >= t->cap) {
        enum seam_status st = grow(t, dir, f);

        if (st != SEAM_OK) return st;
    }
    s = find(t, h.lo, h.hi);
    if (!s->used) t->count++;
    *s = (struct slot){h.lo, h.hi, e->offset, true, e->row.op == WAL_OP_DELETE};
    return SEAM_OK;
}

static enum seam_status first_reading(struct stream_reader *r, struct stream_table *t,
                                      seam_lsn_t upto, const char *dir,
                                      struct stream_compacted *out, struct seam_fault *f)
{
    struct stream_event e;
    enum seam_status st;

    while ((st = stream_reader_next(r, &e, f)) == SEAM_OK) {
        if (e.lsn > upto) return SEAM_OK;
        if (e.snapshot && e.seq == 0 && e.kind != STREAM_COMMIT) { /* nothing before it counts */
            memset(t->slots, 0, t->cap * sizeof *t->slots);
            t->count = 0;
        }
        if (e.kind == STREAM_ROW) {
            st = note(t, &e, dir, f);
            if (st != SEAM_OK) return st;
            out->events++;
        }
        if (e.kind == STREAM_COMMIT || e.kind == STREAM_BEAT) {
            out->lsn = e.lsn;
            out->next_offset = e.offset;
        }
    }
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status second_reading(
    struct stream_reader *r, struct stream_table *t,
    enum seam_status (*fn)(void *ctx, const struct stream_event *e, struct seam_fault *f),
    void *ctx, struct stream_compacted *out, struct seam_fault *f)
{
    struct stream_event e;
    enum seam_status st;

    while ((st = stream_reader_next(r, &e, f)) == SEAM_OK && e.offset < out->next_offset) {
        struct seam_hash128 h;
        const struct slot *s;

        if (e.kind != STREAM_ROW) continue;
        h = hash_of(&e);
        s = find(t, h.lo, h.hi);
        if (!s->used || s->newest != e.offset || s->deleted) continue;
        e.snapshot = true;
        out->rows++;
        st = fn(ctx, &e, f);
        if (st != SEAM_OK) return st;
    }
    return st == SEAM_END ? SEAM_OK : st;
}

enum seam_status stream_compacted(struct seam_io *io, const char *dir, seam_lsn_t upto,
                                  size_t memory,
                                  enum seam_status (*fn)(void *ctx, const struct stream_event *e,
                                                         struct seam_fault *f),
                                  void *ctx, struct stream_compacted *out, struct seam_fault *f)
{
    struct stream_table t = {.memory = memory};
    struct stream_reader *r = NULL;
    struct seam_fault gone = {0};
    bool there;
    enum seam_status st = stream_reader_open(io, dir, STREAM_FROM_LSN, 0, &r, &gone);

    if (st == SEAM_NOT_FOUND) {
        st =
            seam_fault_there(stream_reader_open_snapshot(io, dir, SEAM_LSN_NONE, &r, f), &there, f);
        if (st == SEAM_OK && !there) st = SEAM_NOT_FOUND;
    }
    if (st != SEAM_OK) seam_fault_give(f, &gone);
    *out = (struct stream_compacted){0};
    if (st == SEAM_OK) st = grow(&t, dir, f);
    if (st == SEAM_OK) st = first_reading(r, &t, upto, dir, out, f);
    stream_reader_close(r);
    r = NULL;
    if (st == SEAM_OK) st = stream_reader_open(io, dir, STREAM_FROM_START, 0, &r, f);
    if (st == SEAM_OK) st = second_reading(r, &t, fn, ctx, out, f);
    stream_reader_close(r);
    free(t.slots);
    return st;
}
