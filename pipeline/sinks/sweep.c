/* sweep - remembers what a snapshot named, and deletes what a store has beside it. */
#include "pipeline/sinks/sweep.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/arena.h"

/* By the table's name and not its id: one that was dropped and made again goes on under its name in the stores. */
static struct seam_hash128 hash_of(const struct seam_schema *schema, struct wal_bytes key)
{
    struct seam_hash128 h = seam_siphash128(key.data, key.size);

    h.hi ^= seam_hash64(schema->name, strlen(schema->name), 0);
    return h;
}

static enum seam_status no_memory(struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOMEM, "snapshot", SEAM_FAULT_NO_OFFSET,
                          "no memory for the keys of a snapshot");
}

void sink_sweep_begin(struct sink_sweep *s, const struct stream_change *at)
{
    sink_sweep_free(s);
    s->open = true;
    s->last = (struct stream_change){.lsn = at->lsn, .wall_us = at->wall_us, .offset = at->offset};
}

void sink_sweep_free(struct sink_sweep *s)
{
    seam_hash_set_free(&s->named);
    s->open = false;
}

enum seam_status sink_sweep_name(struct sink_sweep *s, const struct stream_change *c,
                                 struct seam_fault *f)
{
    assert(s->open && c->snapshot);
    assert(c->lsn == s->last.lsn &&
           c->offset >= s->last.offset); /* one moment, in the stream's order */
    s->last.txn = c->txn;
    s->last.seq = c->seq;
    s->last.offset = c->offset;
    return seam_hash_set_add(&s->named, hash_of(c->schema, c->key)) ? SEAM_OK : no_memory(f);
}

/* The keys of one table that are to go: listed first, since a store may not be changed while it lists them. */
struct gone {
    const struct sink_sweep *sweep;
    const struct seam_schema *schema;
    struct seam_arena arena;
    struct wal_bytes *keys;
    size_t count, cap;
};

static enum seam_status look_at_key(void *ctx, struct wal_bytes key, struct seam_fault *f)
{
    struct gone *g = ctx;
    uint8_t *copy;

    if (seam_hash_set_has(&g->sweep->named, hash_of(g->schema, key))) return SEAM_OK;
    if (g->count == g->cap) {
        size_t cap = g->cap == 0 ? 256 : g->cap * 2;
        struct wal_bytes *more = realloc(g->keys, cap * sizeof *more);

        if (more == NULL) return no_memory(f);
        g->keys = more;
        g->cap = cap;
    }
    copy = seam_arena_alloc(&g->arena, key.size + 1);
    if (copy == NULL) return no_memory(f);
    memcpy(copy, key.data, key.size);
    g->keys[g->count++] = (struct wal_bytes){copy, key.size};
    return SEAM_OK;
}

static enum seam_status sweep_table(struct gone *g, struct sink *sink, sweep_fn fn, void *ctx,
                                    struct seam_fault *f)
{
    struct stream_change c = g->sweep->last;
    enum seam_status st = sink->ops->keys(sink, g->schema, look_at_key, g, f);

    c.op = WAL_OP_DELETE;
    c.snapshot = c.swept = true;
    c.schema = g->schema;
    c.before = c.after = (struct wal_bytes){NULL, 0};
    for (size_t i = 0; st == SEAM_OK && i < g->count; i++) {
        c.key = g->keys[i];
        st = fn(ctx, &c, f);
    }
    return st;
}

enum seam_status sink_sweep_end(struct sink_sweep *s, struct sink *sink,
                                const struct stream_registry *registry, sweep_fn fn, void *ctx,
                                struct seam_fault *f)
{
    struct gone g = {.sweep = s};
    enum seam_status st = SEAM_OK;

    assert(s->open);
    for (size_t i = 0; sink->ops->keys != NULL && st == SEAM_OK && i < registry->count; i++) {
        g.schema = &registry->schemas[i];
        g.count = 0;
        st = sweep_table(&g, sink, fn, ctx, f);
        seam_arena_reset(&g.arena);
    }
    free(g.keys);
    seam_arena_free(&g.arena);
    sink_sweep_free(s);
    return st;
}
