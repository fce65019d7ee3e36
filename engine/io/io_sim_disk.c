/* io_sim_disk - nodes, names and unsynced changes, and what a power cut leaves of them. */
#include "engine/io/io_sim_disk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"

/* ---- nodes ---- */

void seam_sim_shared_detach(struct seam_sim_node *n)
{
    if (n->shared == NULL) return;
    if (n->shared->maps == 0)
        free(n->shared);
    else
        n->shared->orphan = true;
    n->shared = NULL;
}

static void forget_changes(struct seam_sim_node *n)
{
    for (size_t i = 0; i < n->changes_count; i++) free(n->changes[i].data);
    n->changes_count = 0;
}

static void node_free(struct seam_sim_node *n)
{
    forget_changes(n);
    free(n->changes);
    seam_buf_free(&n->live);
    seam_buf_free(&n->durable);
    seam_sim_shared_detach(n);
    free(n);
}

void seam_sim_node_unref(struct seam_sim_disk *d, struct seam_sim_node *n)
{
    struct seam_sim_node **at = &d->nodes;

    assert(n->refs > 0);
    if (--n->refs > 0) return;
    while (*at != n) at = &(*at)->next;
    *at = n->next;
    node_free(n);
}

static bool grow(void **list, size_t *cap, size_t count, size_t item)
{
    size_t more = *cap == 0 ? 16 : *cap * 2;
    void *grown;

    if (count < *cap) return true;
    grown = realloc(*list, more * item);
    if (grown == NULL) return false;
    *list = grown;
    *cap = more;
    return true;
}

/* Bytes [from, to) of a write into `content`, which grows with zeros to hold them.                */
static bool apply_write(struct seam_buf *content, const struct seam_sim_change *c, uint64_t from,
                        uint64_t to)
{
    if (to > content->size) {
        size_t gap = (size_t)(to - content->size);
        void *p = seam_buf_extend(content, gap);

        if (p == NULL) {
            content->failed = false; /* this write fails, not the file for ever */
            return false;
        }
        memset(p, 0, gap);
    }
    if (c->data != NULL)
        memcpy(content->data + from, c->data + (from - c->at), (size_t)(to - from));
    else
        memset(content->data + from, 0, (size_t)(to - from));
    return true;
}

static bool apply_truncate(struct seam_buf *content, uint64_t size)
{
    struct seam_sim_change zeros = {.at = content->size};

    if (size > content->size) return apply_write(content, &zeros, content->size, size);
    content->size = (size_t)size;
    return true;
}

static bool apply(struct seam_buf *content, const struct seam_sim_change *c)
{
    if (c->kind == SEAM_CHANGE_TRUNCATE) return apply_truncate(content, c->at);
    return c->n == 0 || apply_write(content, c, c->at, c->at + c->n);
}

void seam_sim_shared_write_back(struct seam_sim_disk *d, struct seam_rng *r)
{
    for (struct seam_sim_node *n = d->nodes; n != NULL; n = n->next) {
        const uint8_t *page = (const uint8_t *)(n->shared + 1);

        if (n->shared == NULL || seam_rng_below(r, 8) != 0) continue;
        if (n->durable.size < n->shared->size && !apply_truncate(&n->durable, n->shared->size))
            continue; /* for want of memory: not this time */
        for (size_t at = 0; at < n->shared->size && at < n->durable.size; at += SEAM_SIM_SECTOR) {
            size_t left = n->durable.size - at;

            if (seam_rng_below(r, 8) != 0) /* most of the page goes at once, a sector later */
                memcpy(n->durable.data + at, page + at,
                       left < SEAM_SIM_SECTOR ? left : SEAM_SIM_SECTOR);
        }
    }
}

static bool remember(struct seam_sim_node *n, struct seam_sim_change c)
{
    if (!grow((void **)&n->changes, &n->changes_cap, n->changes_count, sizeof c)) return false;
    n->changes[n->changes_count++] = c;
    return true;
}

bool seam_sim_change_write(struct seam_sim_node *n, uint64_t at, const void *data, uint64_t size)
{
    struct seam_sim_change c = {.kind = SEAM_CHANGE_WRITE, .at = at, .n = size};

    if (size == 0) return true;
    if (data != NULL) {
        c.data = malloc((size_t)size);
        if (c.data == NULL) return false;
        memcpy(c.data, data, (size_t)size);
    }
    if (!apply(&n->live, &c) || !remember(n, c)) {
        free(c.data);
        return false;
    }
    return true;
}

bool seam_sim_change_truncate(struct seam_sim_node *n, uint64_t size)
{
    struct seam_sim_change c = {.kind = SEAM_CHANGE_TRUNCATE, .at = size};

    return apply(&n->live, &c) && remember(n, c);
}

bool seam_sim_sync_node(struct seam_sim_node *n, struct seam_rng *lossy)
{
    for (size_t i = 0; i < n->changes_count; i++) {
        if (lossy != NULL && seam_rng_below(lossy, 2) == 0) continue;
        if (!apply(&n->durable, &n->changes[i])) return false;
    }
    forget_changes(n);
    return true;
}

/* ---- names ---- */

static struct seam_sim_name *lookup(const struct seam_sim_names *t, const char *path)
{
    uint64_t hash = seam_hash64(path, strlen(path), 0);

    for (size_t i = 0; i < t->count; i++)
        if (t->list[i].hash == hash && strcmp(t->list[i].path, path) == 0) return &t->list[i];
    return NULL;
}

static bool in_dir(const char *path, const char *dir)
{
    char parent[1024];

    seam_sim_parent(path, parent, sizeof parent);
    return strcmp(parent, dir) == 0;
}

void seam_sim_parent(const char *path, char *out, size_t size)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);

    assert(size > 1 && n < size);
    if (slash == NULL)
        memcpy(out, ".", 2);
    else if (n == 0)
        memcpy(out, "/", 2);
    else {
        memcpy(out, path, n);
        out[n] = '\0';
    }
}

static void table_remove(struct seam_sim_disk *d, struct seam_sim_names *t, const char *path)
{
    struct seam_sim_name *e = lookup(t, path);
    struct seam_sim_node *node;

    if (e == NULL) return;
    node = e->node;
    free(e->path);
    *e = t->list[--t->count];
    seam_sim_node_unref(d, node);
}

static bool table_set(struct seam_sim_disk *d, struct seam_sim_names *t, const char *path,
                      struct seam_sim_node *node)
{
    char *copy = strdup(path);

    if (copy == NULL || !grow((void **)&t->list, &t->cap, t->count, sizeof *t->list)) {
        free(copy);
        return false;
    }
    node->refs++;
    table_remove(d, t, path);
    t->list[t->count++] = (struct seam_sim_name){copy, seam_hash64(path, strlen(path), 0), node};
    return true;
}

/* The new path of `path` when `from` is renamed to `to`: NULL when it is not below it.            */
static char *moved_path(const char *path, const char *from, const char *to)
{
    size_t n = strlen(from), rest = strlen(path);
    char *moved;

    if (strncmp(path, from, n) != 0 || path[n] != '/') return NULL;
    rest -= n;
    moved = malloc(strlen(to) + rest + 1);
    if (moved == NULL) return NULL;
    strcpy(moved, to);
    strcat(moved, path + n);
    return moved;
}

/* `to` names what `from` named, whether or not `from` is still in this table; a folder takes what
 * is in it along.                                                                                 */
static bool table_move(struct seam_sim_disk *d, struct seam_sim_names *t, const char *from,
                       const char *to, struct seam_sim_node *node)
{
    if (!table_set(d, t, to, node)) return false;
    if (lookup(t, from) != NULL && lookup(t, from)->node == node) table_remove(d, t, from);
    if (!node->is_dir) return true;
    for (size_t i = 0; i < t->count; i++) {
        char *moved = moved_path(t->list[i].path, from, to);

        if (moved == NULL) continue;
        free(t->list[i].path);
        t->list[i].path = moved;
        t->list[i].hash = seam_hash64(moved, strlen(moved), 0);
    }
    return true;
}

struct seam_sim_node *seam_sim_find(const struct seam_sim_disk *d, const char *path)
{
    struct seam_sim_name *e = lookup(&d->live, path);

    return e != NULL ? e->node : NULL;
}

bool seam_sim_dir_exists(const struct seam_sim_disk *d, const char *path)
{
    struct seam_sim_node *n;

    if (strcmp(path, "/") == 0 || strcmp(path, ".") == 0) return true;
    n = seam_sim_find(d, path);
    return n != NULL && n->is_dir;
}

bool seam_sim_dir_empty(const struct seam_sim_disk *d, const char *path)
{
    for (size_t i = 0; i < d->live.count; i++)
        if (in_dir(d->live.list[i].path, path)) return false;
    return true;
}

uint64_t seam_sim_used(const struct seam_sim_disk *d)
{
    uint64_t used = 0;

    for (const struct seam_sim_node *n = d->nodes; n != NULL; n = n->next) used += n->live.size;
    return used;
}

static bool remember_name(struct seam_sim_disk *d, int kind, const char *path, const char *to,
                          struct seam_sim_node *node)
{
    struct seam_sim_name_change c = {.kind = kind, .node = node};

    c.path = strdup(path);
    c.to = to != NULL ? strdup(to) : NULL;
    if (c.path == NULL || (to != NULL && c.to == NULL) ||
        !grow((void **)&d->changes, &d->changes_cap, d->changes_count, sizeof c)) {
        free(c.path);
        free(c.to);
        return false;
    }
    if (node != NULL) node->refs++;
    d->changes[d->changes_count++] = c;
    return true;
}

bool seam_sim_add(struct seam_sim_disk *d, const char *path, struct seam_sim_node *node)
{
    return remember_name(d, SEAM_NAME_ADD, path, NULL, node) && table_set(d, &d->live, path, node);
}

bool seam_sim_add_new(struct seam_sim_disk *d, const char *path, bool is_dir,
                      struct seam_sim_node **out)
{
    struct seam_sim_node *n = calloc(1, sizeof *n);
    bool ok;

    if (n == NULL) return false;
    n->is_dir = is_dir;
    n->refs = 1; /* ours, until it has a name */
    n->next = d->nodes;
    d->nodes = n;
    ok = seam_sim_add(d, path, n);
    if (ok && out != NULL) *out = n;
    seam_sim_node_unref(d, n);
    return ok;
}

bool seam_sim_remove(struct seam_sim_disk *d, const char *path)
{
    if (!remember_name(d, SEAM_NAME_REMOVE, path, NULL, NULL)) return false;
    table_remove(d, &d->live, path);
    return true;
}

bool seam_sim_move(struct seam_sim_disk *d, const char *from, const char *to)
{
    struct seam_sim_node *n = seam_sim_find(d, from);

    return remember_name(d, SEAM_NAME_MOVE, from, to, n) && table_move(d, &d->live, from, to, n);
}

static bool apply_name(struct seam_sim_disk *d, const struct seam_sim_name_change *c)
{
    switch (c->kind) {
    case SEAM_NAME_ADD: return table_set(d, &d->durable, c->path, c->node);
    case SEAM_NAME_REMOVE: table_remove(d, &d->durable, c->path); return true;
    case SEAM_NAME_MOVE: return table_move(d, &d->durable, c->path, c->to, c->node);
    }
    return false;
}

static void name_change_free(struct seam_sim_disk *d, struct seam_sim_name_change *c)
{
    free(c->path);
    free(c->to);
    if (c->node != NULL) seam_sim_node_unref(d, c->node);
}

bool seam_sim_sync_names(struct seam_sim_disk *d, const char *dir, struct seam_rng *lossy)
{
    size_t kept = 0;
    bool ok = true;

    for (size_t i = 0; i < d->changes_count; i++) {
        struct seam_sim_name_change c = d->changes[i];

        if (!in_dir(c.path, dir) && (c.to == NULL || !in_dir(c.to, dir))) {
            d->changes[kept++] = c;
            continue;
        }
        if (lossy == NULL || seam_rng_below(lossy, 2) == 0) ok = apply_name(d, &c) && ok;
        name_change_free(d, &c);
    }
    d->changes_count = kept;
    return ok;
}

/* ---- the power cut ---- */

/* What a disk may have made of one write it was never told to finish.                             */
static bool tear(struct seam_buf *content, const struct seam_sim_change *c, struct seam_rng *r)
{
    uint64_t end = c->at + c->n, first = c->at / SEAM_SIM_SECTOR,
             last = (end + SEAM_SIM_SECTOR - 1) / SEAM_SIM_SECTOR;
    uint64_t cut = first + seam_rng_below(r, last - first + 1); /* a sector boundary */
    uint64_t style = seam_rng_below(r, 3);
    bool ok = true;

    for (uint64_t sector = first; sector < last && ok; sector++) {
        uint64_t from = sector * SEAM_SIM_SECTOR < c->at ? c->at : sector * SEAM_SIM_SECTOR;
        uint64_t to = (sector + 1) * SEAM_SIM_SECTOR > end ? end : (sector + 1) * SEAM_SIM_SECTOR;
        bool keep = style == 0   ? sector < cut
                    : style == 1 ? sector >= cut
                                 : seam_rng_below(r, 2) == 0;

        if (keep) ok = apply_write(content, c, from, to);
    }
    return ok;
}

enum fate {
    KEEP_NONE,
    KEEP_ALL,
    KEEP_SOME
}; /* a cut may find the cache clean, full, or in between */

static bool cut_node(struct seam_sim_node *n, enum fate fate, struct seam_rng *r)
{
    bool ok = true;

    for (size_t i = 0; i < n->changes_count && ok; i++) {
        const struct seam_sim_change *c = &n->changes[i];
        uint64_t luck = seam_rng_below(r, 8);

        if (fate == KEEP_ALL) ok = apply(&n->durable, c);
        if (fate != KEEP_SOME) continue;
        if (c->kind == SEAM_CHANGE_TRUNCATE) {
            if (luck < 4) ok = apply(&n->durable, c);
        } else if (luck < 3) {
            ok = apply(&n->durable, c);
        } else if (luck < 5) {
            ok = tear(&n->durable, c, r);
        } else if (luck == 5 && c->at + c->n > n->durable.size) {
            ok = apply_truncate(&n->durable, c->at + c->n); /* the size came, the bytes did not */
        }
    }
    forget_changes(n);
    seam_sim_shared_detach(n);
    n->lock_exclusive = false;
    memset(n->claims, 0, sizeof n->claims);
    n->lock_shared = 0;
    seam_buf_clear(&n->live);
    seam_buf_append(&n->live, n->durable.data, n->durable.size);
    return ok && seam_buf_ok(&n->live);
}

/* A name whose folder did not survive cannot be reached.                                          */
static void drop_unreachable(struct seam_sim_disk *d)
{
    bool dropped = true;

    while (dropped) {
        dropped = false;
        for (size_t i = 0; i < d->durable.count && !dropped; i++) {
            char parent[1024];
            struct seam_sim_name *p;

            seam_sim_parent(d->durable.list[i].path, parent, sizeof parent);
            if (strcmp(parent, "/") == 0 || strcmp(parent, ".") == 0) continue;
            p = lookup(&d->durable, parent);
            if (p != NULL && p->node->is_dir) continue;
            table_remove(d, &d->durable, d->durable.list[i].path);
            dropped = true;
        }
    }
}

static void table_clear(struct seam_sim_disk *d, struct seam_sim_names *t)
{
    while (t->count > 0) {
        struct seam_sim_name e = t->list[--t->count];

        free(e.path);
        seam_sim_node_unref(d, e.node);
    }
}

bool seam_sim_power_cut(struct seam_sim_disk *d, struct seam_rng *r)
{
    enum fate fate = seam_rng_below(r, 4) == 0   ? KEEP_NONE
                     : seam_rng_below(r, 4) == 0 ? KEEP_ALL
                                                 : KEEP_SOME;
    bool ok = true;

    for (struct seam_sim_node *n = d->nodes; n != NULL; n = n->next)
        ok = cut_node(n, fate, r) && ok;
    for (size_t i = 0; i < d->changes_count; i++) {
        struct seam_sim_name_change c = d->changes[i];
        bool keep = fate == KEEP_ALL || (fate == KEEP_SOME && seam_rng_below(r, 2) == 0);

        if (keep) ok = apply_name(d, &c) && ok;
        name_change_free(d, &c);
    }
    d->changes_count = 0;
    drop_unreachable(d);
    table_clear(d, &d->live);
    for (size_t i = 0; i < d->durable.count && ok; i++)
        ok = table_set(d, &d->live, d->durable.list[i].path, d->durable.list[i].node);
    return ok;
}

void seam_sim_disk_free(struct seam_sim_disk *d)
{
    table_clear(d, &d->live);
    table_clear(d, &d->durable);
    for (size_t i = 0; i < d->changes_count; i++) name_change_free(d, &d->changes[i]);
    assert(d->nodes == NULL); /* else a handle is still open */
    free(d->live.list);
    free(d->durable.list);
    free(d->changes);
}
