#include "oltp/btree.h"

#include <stdlib.h>

/* ---- reading --------------------------------------------------------------------------------------- */

enum status level_fault(struct pager *p, uint32_t page, const uint8_t *at, unsigned level,
                        struct fault *f)
{
    return fault_set(f, ST_CORRUPT, p->path, (uint64_t)page * OLTP_PAGE_SIZE,
                     "page %u is of kind %u at level %u where level %u was expected", page,
                     page_kind(at), page_level(at), level);
}

/* Header, heads and the first slots of a leaf are wanted next, and wanted together: ask for all their lines
 * at once instead of missing on one after another. */
static inline void prefetch_leaf(const uint8_t *leaf)
{
    __builtin_prefetch(leaf);
    __builtin_prefetch(leaf + 64);
    __builtin_prefetch(leaf + 128);
    __builtin_prefetch(leaf + 192);
    __builtin_prefetch(leaf + 256);
}

static inline enum status leaf_page(struct pager *p, const struct tree *t, const uint8_t *key,
                                    size_t n, struct hazard *h, uint32_t *page, struct fault *f)
{
    *page = t->root;
    if (t->depth == 0) return ST_NOT_FOUND;
    for (unsigned level = t->depth - 1; level > 0; level--) {
        const uint8_t *at;
        enum status st = pager_step(p, *page, h, level, &at, f);

        if (unlikely(st != ST_OK)) return st;
        if (unlikely(!page_is_tree(at, level))) return level_fault(p, *page, at, level, f);
        *page = page_child(at, page_find_child(at, key, n));
    }
    return ST_OK;
}

enum status tree_leaf_page(struct pager *p, const struct tree *t, const uint8_t *key, size_t n,
                           struct hazard *h, uint32_t *page, struct fault *f)
{
    return leaf_page(p, t, key, n, h, page, f);
}

enum status tree_leaf(struct pager *p, const struct tree *t, const uint8_t *key, size_t n,
                      struct hazard *h, const uint8_t **leaf, struct fault *f)
{
    uint32_t page;
    enum status st = leaf_page(p, t, key, n, h, &page, f);

    if (unlikely(st != ST_OK)) return st;
    st = pager_pin(p, page, h, leaf, f);
    if (unlikely(st != ST_OK)) return st;
    prefetch_leaf(*leaf);
    return likely(page_is_tree(*leaf, 0)) ? ST_OK : level_fault(p, page, *leaf, 0, f);
}

enum status cell_value(struct pager *p, const struct cell *c, struct hazard *spare, struct buf *big,
                       struct bytes *value, struct fault *f)
{
    uint32_t page = c->child;

    if (likely(!c->big)) {
        *value = (struct bytes){c->value, c->size};
        return ST_OK;
    }
    buf_clear(big);
    if (!buf_reserve(big, c->size))
        return fault_set(f, ST_NOMEM, p->path, FAULT_NO_OFFSET, "no memory for a row of %u bytes",
                         c->size);
    while (big->size < c->size) {
        const uint8_t *at;
        enum status st;

        if (page == 0) break;
        st = pager_pin(p, page, spare, &at, f);
        if (st != ST_OK) return st;
        if (page_kind(at) != PAGE_OVERFLOW || page_used(at) == 0) break;
        buf_append(big, at + PAGE_HEADER_SIZE, page_used(at));
        page = page_link(at);
    }
    if (big->size != c->size || page != 0)
        return fault_set(f, ST_CORRUPT, p->path, (uint64_t)page * OLTP_PAGE_SIZE,
                         "overflow pages hold %zu of %u bytes", big->size, c->size);
    *value = (struct bytes){big->data, big->size};
    return ST_OK;
}

enum status tree_get(struct pager *p, const struct tree *t, const uint8_t *key, size_t n,
                     struct hazard *h, struct buf *big, struct bytes *value, struct fault *f)
{
    const uint8_t *leaf;
    unsigned at;
    bool exact;
    struct cell c;
    enum status st = tree_leaf(p, t, key, n, h, &leaf, f);

    if (st != ST_OK) return st;
    at = page_find(leaf, key, n, &exact);
    if (!exact) return ST_NOT_FOUND;
    c = page_cell(leaf, at);
    return cell_value(p, &c, h, big, value, f);
}

/* ---- cursors --------------------------------------------------------------------------------------- */

static enum status cursor_enter(struct tree_cursor *c, uint32_t page, struct fault *f)
{
    enum status st = pager_pin(c->pager, page, c->hazard, &c->leaf, f);

    if (st == ST_OK && !page_is_tree(c->leaf, 0)) st = level_fault(c->pager, page, c->leaf, 0, f);
    if (st != ST_OK) {
        c->leaf = NULL;
        return st;
    }
    prefetch_leaf(c->leaf);
    c->count = page_count(c->leaf);
    return ST_OK;
}

/* Goes down from `page` at `level` to a leaf: by key, or along the first (last) children. */
static enum status cursor_descend(struct tree_cursor *c, uint32_t page, unsigned level,
                                  const uint8_t *key, size_t n, bool last, struct fault *f)
{
    for (; level > 0; level--) {
        const uint8_t *at;
        enum status st = pager_step(c->pager, page, c->hazard, level, &at, f);

        if (st == ST_OK && !page_is_tree(at, level)) st = level_fault(c->pager, page, at, level, f);
        if (st != ST_OK) {
            c->leaf = NULL;
            return st;
        }
        c->path[level].page = page;
        c->parent = at;
        c->ahead = 0;
        c->path[level].child = key != NULL ? page_find_child(at, key, n)
                               : last      ? page_count(at)
                                           : 0;
        page = page_child(at, c->path[level].child);
    }
    return cursor_enter(c, page, f);
}

enum status tree_seek(struct tree_cursor *c, const uint8_t *key, size_t n, struct fault *f)
{
    enum status st;
    bool exact;

    if (c->tree.depth == 0) return ST_END;
    c->window = 0;
    st = cursor_descend(c, c->tree.root, c->tree.depth - 1, key, n, false, f);
    if (st == ST_OK) c->at = page_find(c->leaf, key, n, &exact);
    return st;
}

enum status tree_seek_end(struct tree_cursor *c, bool last, struct fault *f)
{
    enum status st;

    if (c->tree.depth == 0) return ST_END;
    c->window = 0;
    st = cursor_descend(c, c->tree.root, c->tree.depth - 1, NULL, 0, last, f);
    if (st == ST_OK) c->at = last ? c->count : 0;
    return st;
}

enum { AHEAD_FIRST = 4, AHEAD_MAX = 32 };

/* The leaves after this one will be wanted too: start fetching the first lines of the next, and ask the disk for
 * some more while half of those asked for are still to come. */
static void prefetch_siblings(struct tree_cursor *c)
{
    unsigned children = page_count(c->parent) + 1, next = c->path[1].child + 1;
    uint32_t pages[AHEAD_MAX], n = 0, t;

    if (next >= children) return;
    t = atomic_load_explicit(&c->pager->table[page_child(c->parent, next)], memory_order_relaxed);
    if (t >= FRAME_FIRST) prefetch_leaf(pager_frame(c->pager, t - FRAME_FIRST));
    if (next + c->window / 2 < c->ahead || c->ahead >= children) return;
    c->window = c->window == 0             ? AHEAD_FIRST
                : c->window * 2 < AHEAD_MAX ? c->window * 2
                                            : AHEAD_MAX;
    if (c->ahead < next) c->ahead = next;
    while (c->ahead < children && c->ahead < next + c->window)
        pages[n++] = page_child(c->parent, c->ahead++);
    pager_read_ahead(c->pager, pages, n);
}

/* The lowest level where there is a child after (before) the one we came by; counts it in. ST_END. */
static enum status cursor_turn(struct tree_cursor *c, bool forward, unsigned *level, uint32_t *child,
                               struct fault *f)
{
    for (*level = 1; *level < c->tree.depth; ++*level) {
        unsigned *by = &c->path[*level].child;
        const uint8_t *at = *level == 1 ? c->parent : NULL;

        if (at == NULL) {
            enum status st = pager_step(c->pager, c->path[*level].page, c->hazard, *level, &at, f);

            if (st != ST_OK) return st;
            /* Level 3 is held where level 1 was. */
            c->parent = *level == 1 ? at : *level == 2 ? c->parent : NULL;
        }
        if (*by == (forward ? page_count(at) : 0)) continue;
        *by = forward ? *by + 1 : *by - 1;
        *child = page_child(at, *by);
        return ST_OK;
    }
    return ST_END;
}

enum status tree_next_leaf(struct tree_cursor *c, struct fault *f)
{
    do {
        unsigned level;
        uint32_t child;
        enum status st = cursor_turn(c, true, &level, &child, f);

        if (st == ST_OK) st = cursor_descend(c, child, level - 1, NULL, 0, false, f);
        if (st != ST_OK) return st;
        prefetch_siblings(c);
    } while (c->count == 0);
    c->at = 0;
    return ST_OK;
}

enum status tree_prev_leaf(struct tree_cursor *c, struct fault *f)
{
    do {
        unsigned level;
        uint32_t child;
        enum status st = cursor_turn(c, false, &level, &child, f);

        if (st == ST_OK) st = cursor_descend(c, child, level - 1, NULL, 0, true, f);
        if (st != ST_OK) return st;
    } while (c->count == 0);
    c->at = c->count;
    return ST_OK;
}

/* ---- the writer's pages ---------------------------------------------------------------------------- */

enum status tree_writer_init(struct tree_writer *w, struct pager *p, struct trace *trace,
                             struct fault *f)
{
    memset(w, 0, sizeof *w);
    w->pager = p;
    w->trace = trace;
    w->leaf_hazard = &p->hazards[OLTP_READERS_MAX];
    w->hazard = &p->hazards[OLTP_READERS_MAX + 1];
    w->tmp = malloc(OLTP_PAGE_SIZE);
    w->copy = malloc(OLTP_PAGE_SIZE);
    w->items = malloc((2 * PAGE_CELLS_MAX + 2) * sizeof *w->items);
    if (w->tmp == NULL || w->copy == NULL || w->items == NULL)
        return fault_set(f, ST_NOMEM, p->path, FAULT_NO_OFFSET, "no memory for the writer");
    return ST_OK;
}

void tree_writer_free(struct tree_writer *w)
{
    free(w->made);
    free(w->freed);
    free(w->tmp);
    free(w->copy);
    free(w->items);
    buf_free(&w->keys);
}

static enum status no_memory(struct tree_writer *w, struct fault *f)
{
    return fault_set(f, ST_NOMEM, w->pager->path, FAULT_NO_OFFSET,
                     "no memory for the transaction's pages");
}

enum status writer_free(struct tree_writer *w, uint32_t page, uint64_t birth, struct fault *f)
{
    if (w->freed_count == w->freed_cap) {
        size_t cap = w->freed_cap == 0 ? 64 : 2 * w->freed_cap;
        struct freed *more = realloc(w->freed, cap * sizeof *more);

        if (more == NULL) return no_memory(w, f);
        w->freed = more;
        w->freed_cap = cap;
    }
    w->freed[w->freed_count++] = (struct freed){page, birth};
    return ST_OK;
}

static enum status writer_alloc(struct tree_writer *w, uint32_t *page, uint8_t **out,
                                struct fault *f)
{
    enum status st;

    if (w->made_count == w->made_cap) {
        size_t cap = w->made_cap == 0 ? 64 : 2 * w->made_cap;
        uint32_t *more = realloc(w->made, cap * sizeof *more);

        if (more == NULL) return no_memory(w, f);
        w->made = more;
        w->made_cap = cap;
    }
    st = pager_alloc(w->pager, w->epoch, page, out, f);
    if (st == ST_OK) w->made[w->made_count++] = *page;
    return st;
}

enum status writer_make(struct tree_writer *w, enum page_kind kind, unsigned level,
                        uint32_t tree_id, uint32_t *page, uint8_t **out, struct fault *f)
{
    enum status st = writer_alloc(w, page, out, f);

    if (st == ST_OK) page_init(*out, kind, level, *page, tree_id, w->epoch, NULL, 0);
    return st;
}

/* *page, resident at `from`, as a page that may be changed: itself, or a copy under a new number. */
enum status writer_own(struct tree_writer *w, uint32_t *page, const uint8_t *from, uint8_t **out,
                       struct fault *f)
{
    uint32_t old = *page;
    enum status st;

    if (page_epoch(from) >= w->own_epoch) {
        *out = pager_writable(w->pager, old, from);
        return ST_OK;
    }
    /* In this order: when the cache is full the page is still the tree's, and must not be on the list. */
    st = writer_alloc(w, page, out, f);
    if (st == ST_OK) st = writer_free(w, old, page_epoch(from), f);
    if (st != ST_OK) return st;
    if (page_kind(from) ==
        PAGE_LEAF) /* most leaves are met cold: ask for all of their cells at once */
        for (unsigned line = page_heap(from) & ~63u; line < OLTP_PAGE_SIZE; line += 64)
            __builtin_prefetch(from + line);
    page_copy(*out, from);
    put_u32(*out + PAGE_ID, *page);
    put_u64(*out + PAGE_EPOCH, w->epoch);
    w->copies++;
    TRACE(w->trace, "oltp", "page_copied", TI("from", old), TI("to", *page),
          TI("level", page_level(from)));
    return ST_OK;
}

/* ---- changes --------------------------------------------------------------------------------------- */

static enum status prepare_empty(struct tree_writer *w, struct fault *f)
{
    enum status st = writer_make(w, PAGE_LEAF, 0, w->tree_id, &w->tree->root, &w->path[0].p, f);

    if (st != ST_OK) return st;
    w->tree->depth = 1;
    w->at = 0;
    w->exact = false;
    w->pager->busy[0] = w->tree->root;
    return ST_OK;
}

/* Loading in key order: the path of the last change is still the one. */
static bool prepare_append(struct tree_writer *w, const uint8_t *key, size_t n)
{
    const uint8_t *leaf = w->path[0].p;

    if (page_epoch(leaf) < w->own_epoch) return false;
    w->at = page_find(leaf, key, n, &w->exact);
    return w->at == page_count(leaf) && w->at > 0;
}

enum status tree_prepare(struct tree_writer *w, struct tree *t, uint32_t tree_id,
                         const uint8_t *key, size_t n, struct fault *f)
{
    uint32_t page = t->root;
    uint8_t *parent = NULL;
    enum status st = pager_make_room(w->pager, f);

    if (st != ST_OK) return st;
    if (w->append == t && prepare_append(w, key, n)) return ST_OK;
    w->append = NULL;
    w->tree = t;
    w->tree_id = tree_id;
    if (t->depth == 0) return prepare_empty(w, f);
    for (unsigned level = t->depth - 1;; level--) {
        uint32_t own = page;
        const uint8_t *at;
        uint8_t *mine;

        /* Held by the hazard while it is copied; from then on it is dirty, and busy: it stays. */
        st = pager_pin(w->pager, page, w->hazard, &at, f);
        if (st == ST_OK && (!page_is_tree(at, level) || page_tree(at) != tree_id))
            st = level_fault(w->pager, page, at, level, f);
        if (st == ST_OK) st = writer_own(w, &own, at, &mine, f);
        if (st != ST_OK) return st;
        if (own != page) {
            if (parent == NULL)
                t->root = own;
            else
                page_set_child(parent, w->path[level + 1].child, own);
        }
        w->path[level].p = mine;
        w->pager->busy[level] = own;
        if (level == 0) {
            w->at = page_find(mine, key, n, &w->exact);
            return ST_OK;
        }
        parent = mine;
        w->path[level].child = page_find_child(mine, key, n);
        page = page_child(mine, w->path[level].child);
    }
}

enum status tree_prepared_value(struct tree_writer *w, struct buf *big, struct bytes *value,
                                struct fault *f)
{
    struct cell c = page_cell(w->path[0].p, w->at);

    assert(w->exact);
    return cell_value(w->pager, &c, w->hazard, big, value, f);
}

enum status tree_store(struct tree_writer *w, const uint8_t *key, size_t n, const uint8_t *value,
                       size_t size, struct fault *f)
{
    struct page_item it = {
        .key = key, .key_size = (uint16_t)n, .value = value, .size = (uint32_t)size};
    enum status st = ST_OK;
    uint8_t *leaf;

    assert(n <= OLTP_KEY_MAX && size <= OLTP_ROW_MAX);
    if (n + size > PAGE_INLINE_MAX) {
        st = overflow_write(w, value, size, &it.child, f);
        if (st != ST_OK) return st;
        it.big = true;
    }
    leaf = w->path[0].p;
    if (w->exact) {
        struct cell old = page_cell(leaf, w->at);

        if (old.big) st = overflow_free(w, old.child, old.size, f);
        if (st != ST_OK) return st;
        if (page_replace(leaf, w->at, &it, w->tmp)) return ST_OK;
        page_remove(leaf, w->at);
    } else {
        w->tree->count++;
        if (page_insert(leaf, w->at, &it, w->tmp)) {
            if (w->at + 1 == page_count(leaf) && w->append == NULL && tree_on_edge(w, 0, true))
                w->append = w->tree;
            return ST_OK;
        }
    }
    w->append = NULL;
    return tree_split_insert(w, &it, f);
}

enum status tree_erase(struct tree_writer *w, const uint8_t *key, size_t n, struct fault *f)
{
    uint8_t *leaf = w->path[0].p;
    struct cell old = page_cell(leaf, w->at);
    enum status st = ST_OK;

    assert(w->exact);
    w->append = NULL;
    if (old.big) st = overflow_free(w, old.child, old.size, f);
    if (st != ST_OK) return st;
    page_remove(leaf, w->at);
    w->tree->count--;
    if (page_live_bytes(leaf) >= PAGE_BODY / 4) return ST_OK;
    return tree_rebalance(w, key, n, f);
}

/* ---- overflow pages -------------------------------------------------------------------------------- */

enum status overflow_write(struct tree_writer *w, const uint8_t *value, size_t size,
                           uint32_t *first, struct fault *f)
{
    size_t pages = (size + PAGE_BODY - 1) / PAGE_BODY;
    uint32_t next = 0;

    for (size_t i = pages; i-- > 0;) { /* from the last, so that each can name the one after it */
        size_t from = i * PAGE_BODY, n = size - from < PAGE_BODY ? size - from : PAGE_BODY;
        uint8_t *at;
        enum status st = pager_make_room(w->pager, f);

        if (st == ST_OK) st = writer_make(w, PAGE_OVERFLOW, 0, w->tree_id, first, &at, f);
        if (st != ST_OK) return st;
        memcpy(at + PAGE_HEADER_SIZE, value + from, n);
        memset(at + PAGE_HEADER_SIZE + n, 0, PAGE_BODY - n);
        put_u32(at + PAGE_LINK, next);
        put_u32(at + PAGE_USED, (uint32_t)n);
        next = *first;
    }
    return ST_OK;
}

enum status overflow_free(struct tree_writer *w, uint32_t first, uint64_t size, struct fault *f)
{
    uint64_t left = (size + PAGE_BODY - 1) / PAGE_BODY;

    for (uint32_t page = first; page != 0; left--) {
        const uint8_t *at;
        uint32_t next;
        enum status st = pager_pin(w->pager, page, w->hazard, &at, f);

        if (st == ST_OK && (page_kind(at) != PAGE_OVERFLOW || left == 0))
            st = level_fault(w->pager, page, at, 0, f);
        if (st != ST_OK) return st;
        next = page_link(at);
        st = writer_free(w, page, page_epoch(at), f);
        if (st != ST_OK) return st;
        page = next;
    }
    return ST_OK;
}
