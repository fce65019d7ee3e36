#include "pipeline/sinks/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/arena.h"

/* By the table's name and not its id: one that was dropped and made again goes on under its name in the stores. */
static struct hash128 hash_of(const struct schema *schema, struct bytes key)
{
    struct hash128 h = siphash128(key.data, key.size);

    h.hi ^= hash64(schema->name, strlen(schema->name), 0);
    return h;
}

static enum status no_memory(struct fault *f)
{
    return fault_set(f, ST_NOMEM, "snapshot", FAULT_NO_OFFSET,
                     "no memory for the keys of a snapshot");
}

void sweep_begin(struct sweep *s)
{
    sweep_free(s);
    s->open = true;
}

void sweep_free(struct sweep *s)
{
    hash_set_free(&s->named);
    s->open = false;
}

enum status sweep_name(struct sweep *s, const struct sink_change *c, struct fault *f)
{
    return hash_set_add(&s->named, hash_of(c->schema, c->key)) ? ST_OK : no_memory(f);
}

/* The keys of one table that are to go: listed first, since a store may not be changed while it lists them. */
struct gone {
    const struct sweep *sweep;
    const struct schema *schema;
    struct arena arena;
    struct bytes *keys;
    size_t count, cap;
};

static enum status look_at_key(void *ctx, struct bytes key, struct fault *f)
{
    struct gone *g = ctx;
    uint8_t *copy;

    if (hash_set_has(&g->sweep->named, hash_of(g->schema, key))) return ST_OK;
    if (g->count == g->cap) {
        size_t cap = g->cap == 0 ? 256 : g->cap * 2;
        struct bytes *more = realloc(g->keys, cap * sizeof *more);

        if (more == NULL) return no_memory(f);
        g->keys = more;
        g->cap = cap;
    }
    copy = arena_alloc(&g->arena, key.size + 1);
    if (copy == NULL) return no_memory(f);
    memcpy(copy, key.data, key.size);
    g->keys[g->count++] = (struct bytes){copy, key.size};
    return ST_OK;
}

static enum status sweep_table(struct gone *g, struct sink *sink, const struct sink_change *last,
                               sweep_fn fn, void *ctx, struct fault *f)
{
    struct sink_change c = *last;
    enum status st = sink->ops->keys(sink, g->schema, look_at_key, g, f);

    c.op = OP_DELETE;
    c.snapshot = c.swept = true;
    c.schema = g->schema;
    c.before = c.after = (struct bytes){NULL, 0};
    for (size_t i = 0; st == ST_OK && i < g->count; i++) {
        c.key = g->keys[i];
        st = fn(ctx, &c, f);
    }
    return st;
}

enum status sweep_end(struct sweep *s, struct sink *sink, const struct registry *registry,
                      const struct sink_change *last, sweep_fn fn, void *ctx, uint64_t *deleted,
                      struct fault *f)
{
    struct gone g = {.sweep = s};
    enum status st = ST_OK;

    for (size_t i = 0; sink->ops->keys != NULL && st == ST_OK && i < registry->count; i++) {
        g.schema = &registry->schemas[i];
        g.count = 0;
        st = sweep_table(&g, sink, last, fn, ctx, f);
        *deleted += g.count;
        arena_reset(&g.arena);
    }
    free(g.keys);
    arena_free(&g.arena);
    sweep_free(s);
    return st;
}
