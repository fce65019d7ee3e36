#include "oltp/btree.h"

#include <stdlib.h>

/* ---- reading --------------------------------------------------------------------------------------- */

enum seam_status oltp_level_fault(struct oltp_pager *p, uint32_t page, const uint8_t *at,
                                  unsigned level, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_CORRUPT, p->path, (uint64_t)page * OLTP_PAGE_SIZE,
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

static inline enum seam_status leaf_page(struct oltp_pager *p, const struct oltp_tree *t,
                                         const uint8_t *key, size_t n, struct oltp_hazard *h,
                                         uint32_t *page, struct seam_fault *f)
{
    *page = t->root;
    if (t->depth == 0) return SEAM_NOT_FOUND;
    for (unsigned level = t->depth - 1; level > 0; level--) {
        const uint8_t *at;
        enum seam_status st = pager_step(p, *page, h, level, &at, f);

        if (seam_unlikely(st != SEAM_OK)) return st;
        if (seam_unlikely(!page_is_tree(at, level)))
            return oltp_level_fault(p, *page, at, level, f);
        *page = page_child(at, page_find_child(at, key, n));
    }
    return SEAM_OK;
}

enum seam_status oltp_tree_leaf_page(struct oltp_pager *p, const struct oltp_tree *t,
                                     const uint8_t *key, size_t n, struct oltp_hazard *h,
                                     uint32_t *page, struct seam_fault *f)
{
    return leaf_page(p, t, key, n, h, page, f);
}

enum seam_status oltp_tree_leaf(struct oltp_pager *p, const struct oltp_tree *t, const uint8_t *key,
                                size_t n, struct oltp_hazard *h, const uint8_t **leaf,
                                struct seam_fault *f)
{
    uint32_t page;
    enum seam_status st = leaf_page(p, t, key, n, h, &page, f);

    if (seam_unlikely(st != SEAM_OK)) return st;
    st = pager_pin(p, page, h, leaf, f);
    if (seam_unlikely(st != SEAM_OK)) return st;
    prefetch_leaf(*leaf);
    return seam_likely(page_is_tree(*leaf, 0)) ? SEAM_OK : oltp_level_fault(p, page, *leaf, 0, f);
}

enum seam_status oltp_cell_value(struct oltp_pager *p, const struct oltp_cell *c,
                                 struct oltp_hazard *spare, struct seam_buf *big,
                                 struct wal_bytes *value, struct seam_fault *f)
{
    uint32_t page = c->child;

    if (seam_likely(!c->big)) {
        *value = (struct wal_bytes){c->value, c->size};
        return SEAM_OK;
    }
    seam_buf_clear(big);
    if (!seam_buf_reserve(big, c->size))
        return seam_fault_set(f, SEAM_NOMEM, p->path, SEAM_FAULT_NO_OFFSET,
                              "no memory for a row of %u bytes", c->size);
    while (big->size < c->size) {
        const uint8_t *at;
        enum seam_status st;

        if (page == 0) break;
        st = pager_pin(p, page, spare, &at, f);
        if (st != SEAM_OK) return st;
        if (page_kind(at) != PAGE_OVERFLOW || page_used(at) == 0) break;
        seam_buf_append(big, at + PAGE_HEADER_SIZE, page_used(at));
        page = page_link(at);
    }
    if (big->size != c->size || page != 0)
        return seam_fault_set(f, SEAM_CORRUPT, p->path, (uint64_t)page * OLTP_PAGE_SIZE,
                              "overflow pages hold %zu of %u bytes", big->size, c->size);
    *value = (struct wal_bytes){big->data, big->size};
    return SEAM_OK;
}

enum seam_status oltp_tree_get(struct oltp_pager *p, const struct oltp_tree *t, const uint8_t *key,
                               size_t n, struct oltp_hazard *h, struct seam_buf *big,
                               struct wal_bytes *value, struct seam_fault *f)
{
    const uint8_t *leaf;
    unsigned at;
    bool exact;
    struct oltp_cell c;
    enum seam_status st = oltp_tree_leaf(p, t, key, n, h, &leaf, f);

    if (st != SEAM_OK) return st;
    at = oltp_page_find(leaf, key, n, &exact);
    if (!exact) return SEAM_NOT_FOUND;
    c = page_cell(leaf, at);
    return oltp_cell_value(p, &c, h, big, value, f);
}

/* ---- cursors --------------------------------------------------------------------------------------- */

static enum seam_status cursor_enter(struct oltp_tree_cursor *c, uint32_t page,
                                     struct seam_fault *f)
{
    enum seam_status st = pager_pin(c->pager, page, c->hazard, &c->leaf, f);

    if (st == SEAM_OK && !page_is_tree(c->leaf, 0))
        st = oltp_level_fault(c->pager, page, c->leaf, 0, f);
    if (st != SEAM_OK) {
        c->leaf = NULL;
        return st;
    }
    prefetch_leaf(c->leaf);
    c->count = page_count(c->leaf);
    return SEAM_OK;
}

/* Goes down from `page` at `level` to a leaf: by key, or along the first (last) children. */
static enum seam_status cursor_descend(struct oltp_tree_cursor *c, uint32_t page, unsigned level,
                                       const uint8_t *key, size_t n, bool last,
                                       struct seam_fault *f)
{
    for (; level > 0; level--) {
        const uint8_t *at;
        enum seam_status st = pager_step(c->pager, page, c->hazard, level, &at, f);

        if (st == SEAM_OK && !page_is_tree(at, level))
            st = oltp_level_fault(c->pager, page, at, level, f);
        if (st != SEAM_OK) {
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

enum seam_status oltp_tree_seek(struct oltp_tree_cursor *c, const uint8_t *key, size_t n,
                                struct seam_fault *f)
{
    enum seam_status st;
    bool exact;

    if (c->tree.depth == 0) return SEAM_END;
    c->window = 0;
    st = cursor_descend(c, c->tree.root, c->tree.depth - 1, key, n, false, f);
    if (st == SEAM_OK) c->at = oltp_page_find(c->leaf, key, n, &exact);
    return st;
}

enum seam_status oltp_tree_seek_end(struct oltp_tree_cursor *c, bool last, struct seam_fault *f)
{
    enum seam_status st;

    if (c->tree.depth == 0) return SEAM_END;
    c->window = 0;
    st = cursor_descend(c, c->tree.root, c->tree.depth - 1, NULL, 0, last, f);
    if (st == SEAM_OK) c->at = last ? c->count : 0;
    return st;
}

enum { AHEAD_FIRST = 4, AHEAD_MAX = 32 };

/* The leaves after this one will be wanted too: start fetching the first lines of the next, and ask the disk for
 * some more while half of those asked for are still to come. */
static void prefetch_siblings(struct oltp_tree_cursor *c)
{
    unsigned children = page_count(c->parent) + 1, next = c->path[1].child + 1;
    uint32_t pages[AHEAD_MAX], n = 0, t;

    if (next >= children) return;
    t = atomic_load_explicit(&c->pager->table[page_child(c->parent, next)], memory_order_relaxed);
    if (t >= FRAME_FIRST) prefetch_leaf(pager_frame(c->pager, t - FRAME_FIRST));
    if (next + c->window / 2 < c->ahead || c->ahead >= children) return;
    c->window = c->window == 0              ? AHEAD_FIRST
                : c->window * 2 < AHEAD_MAX ? c->window * 2
                                            : AHEAD_MAX;
    if (c->ahead < next) c->ahead = next;
    while (c->ahead < children && c->ahead < next + c->window)
        pages[n++] = page_child(c->parent, c->ahead++);
    oltp_pager_read_ahead(c->pager, pages, n);
}

/* The lowest level where there is a child after (before) the one we came by; counts it in. SEAM_END. */
static enum seam_status cursor_turn(struct oltp_tree_cursor *c, bool forward, unsigned *level,
                                    uint32_t *child, struct seam_fault *f)
{
    for (*level = 1; *level < c->tree.depth; ++*level) {
        unsigned *by = &c->path[*level].child;
        const uint8_t *at = *level == 1 ? c->parent : NULL;

        if (at == NULL) {
            enum seam_status st =
                pager_step(c->pager, c->path[*level].page, c->hazard, *level, &at, f);

            if (st != SEAM_OK) return st;
            /* Level 3 is held where level 1 was. */
            c->parent = *level == 1 ? at : *level == 2 ? c->parent : NULL;
        }
        if (*by == (forward ? page_count(at) : 0)) continue;
        *by = forward ? *by + 1 : *by - 1;
        *child = page_child(at, *by);
        return SEAM_OK;
    }
    return SEAM_END;
}

enum seam_status oltp_tree_next_leaf(struct oltp_tree_cursor *c, struct seam_fault *f)
{
    do {
        unsigned level;
        uint32_t child;
        enum seam_status st = cursor_turn(c, true, &level, &child, f);

        if (st == SEAM_OK) st = cursor_descend(c, child, level - 1, NULL, 0, false, f);
        if (st != SEAM_OK) return st;
        prefetch_siblings(c);
    } while (c->count == 0);
    c->at = 0;
    return SEAM_OK;
}

enum seam_status oltp_tree_prev_leaf(struct oltp_tree_cursor *c, struct seam_fault *f)
{
    do {
        unsigned level;
        uint32_t child;
        enum seam_status st = cursor_turn(c, false, &level, &child, f);

        if (st == SEAM_OK) st = cursor_descend(c, child, level - 1, NULL, 0, true, f);
        if (st != SEAM_OK) return st;
    } while (c->count == 0);
    c->at = c->count;
    return SEAM_OK;
}

/* ---- the writer's pages ---------------------------------------------------------------------------- */

enum seam_status oltp_tree_writer_init(struct oltp_tree_writer *w, struct oltp_pager *p,
                                       struct seam_trace *trace, struct seam_fault *f)
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
        return seam_fault_set(f, SEAM_NOMEM, p->path, SEAM_FAULT_NO_OFFSET,
                              "no memory for the writer");
    return SEAM_OK;
}

void oltp_tree_writer_free(struct oltp_tree_writer *w)
{
    free(w->made);
    free(w->freed);
    free(w->tmp);
    free(w->copy);
    free(w->items);
    seam_buf_free(&w->keys);
}

static enum seam_status no_memory(struct oltp_tree_writer *w, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOMEM, w->pager->path, SEAM_FAULT_NO_OFFSET,
                          "no memory for the transaction's pages");
}

enum seam_status oltp_writer_free(struct oltp_tree_writer *w, uint32_t page, uint64_t birth,
                                  struct seam_fault *f)
{
    if (w->freed_count == w->freed_cap) {
        size_t cap = w->freed_cap == 0 ? 64 : 2 * w->freed_cap;
        struct oltp_freed *more = realloc(w->freed, cap * sizeof *more);

        if (more == NULL) return no_memory(w, f);
        w->freed = more;
        w->freed_cap = cap;
    }
    w->freed[w->freed_count++] = (struct oltp_freed){page, birth};
    return SEAM_OK;
}

static enum seam_status writer_alloc(struct oltp_tree_writer *w, uint32_t *page, uint8_t **out,
                                     struct seam_fault *f)
{
    enum seam_status st;

    if (w->made_count == w->made_cap) {
        size_t cap = w->made_cap == 0 ? 64 : 2 * w->made_cap;
        uint32_t *more = realloc(w->made, cap * sizeof *more);

        if (more == NULL) return no_memory(w, f);
        w->made = more;
        w->made_cap = cap;
    }
    st = oltp_pager_alloc(w->pager, w->epoch, page, out, f);
    if (st == SEAM_OK) w->made[w->made_count++] = *page;
    return st;
}

enum seam_status oltp_writer_make(struct oltp_tree_writer *w, enum oltp_page_kind kind,
                                  unsigned level, uint32_t tree_id, uint32_t *page, uint8_t **out,
                                  struct seam_fault *f)
{
    enum seam_status st = writer_alloc(w, page, out, f);

    if (st == SEAM_OK) oltp_page_init(*out, kind, level, *page, tree_id, w->epoch, NULL, 0);
    return st;
}

/* *page, resident at `from`, as a page that may be changed: itself, or a copy under a new number. */
enum seam_status oltp_writer_own(struct oltp_tree_writer *w, uint32_t *page, const uint8_t *from,
                                 uint8_t **out, struct seam_fault *f)
{
    uint32_t old = *page;
    enum seam_status st;

    if (page_epoch(from) >= w->own_epoch) {
        *out = oltp_pager_writable(w->pager, old, from);
        return SEAM_OK;
    }
    /* In this order: when the cache is full the page is still the tree's, and must not be on the list. */
    st = writer_alloc(w, page, out, f);
    if (st == SEAM_OK) st = oltp_writer_free(w, old, page_epoch(from), f);
    if (st != SEAM_OK) return st;
    if (page_kind(from) ==
        PAGE_LEAF) /* most leaves are met cold: ask for all of their cells at once */
        for (unsigned line = page_heap(from) & ~63u; line < OLTP_PAGE_SIZE; line += 64)
            __builtin_prefetch(from + line);
    oltp_page_copy(*out, from);
    seam_put_u32(*out + PAGE_ID, *page);
    seam_put_u64(*out + PAGE_EPOCH, w->epoch);
    w->copies++;
    SEAM_TRACE(w->trace, "oltp", "page_copied", SEAM_TI("from", old), SEAM_TI("to", *page),
               SEAM_TI("level", page_level(from)));
    return SEAM_OK;
}

/* ---- changes --------------------------------------------------------------------------------------- */

static enum seam_status prepare_empty(struct oltp_tree_writer *w, struct seam_fault *f)
{
    enum seam_status st =
        oltp_writer_make(w, PAGE_LEAF, 0, w->tree_id, &w->tree->root, &w->path[0].p, f);

    if (st != SEAM_OK) return st;
    w->tree->depth = 1;
    w->at = 0;
    w->exact = false;
    w->pager->busy[0] = w->tree->root;
    return SEAM_OK;
}

/* Loading in key order: the path of the last change is still the one. */
static bool prepare_append(struct oltp_tree_writer *w, const uint8_t *key, size_t n)
{
    const uint8_t *leaf = w->path[0].p;

    if (page_epoch(leaf) < w->own_epoch) return false;
    w->at = oltp_page_find(leaf, key, n, &w->exact);
    return w->at == page_count(leaf) && w->at > 0;
}

enum seam_status oltp_tree_prepare(struct oltp_tree_writer *w, struct oltp_tree *t,
                                   uint32_t tree_id, const uint8_t *key, size_t n,
                                   struct seam_fault *f)
{
    uint32_t page = t->root;
    uint8_t *parent = NULL;
    enum seam_status st = oltp_pager_make_room(w->pager, f);

    if (st != SEAM_OK) return st;
    if (w->append == t && prepare_append(w, key, n)) return SEAM_OK;
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
        if (st == SEAM_OK && (!page_is_tree(at, level) || page_tree(at) != tree_id))
            st = oltp_level_fault(w->pager, page, at, level, f);
        if (st == SEAM_OK) st = oltp_writer_own(w, &own, at, &mine, f);
        if (st != SEAM_OK) return st;
        if (own != page) {
            if (parent == NULL)
                t->root = own;
            else
                oltp_page_set_child(parent, w->path[level + 1].child, own);
        }
        w->path[level].p = mine;
        w->pager->busy[level] = own;
        if (level == 0) {
            w->at = oltp_page_find(mine, key, n, &w->exact);
            return SEAM_OK;
        }
        parent = mine;
        w->path[level].child = page_find_child(mine, key, n);
        page = page_child(mine, w->path[level].child);
    }
}

enum seam_status oltp_tree_prepared_value(struct oltp_tree_writer *w, struct seam_buf *big,
                                          struct wal_bytes *value, struct seam_fault *f)
{
    struct oltp_cell c = page_cell(w->path[0].p, w->at);

    assert(w->exact);
    return oltp_cell_value(w->pager, &c, w->hazard, big, value, f);
}

enum seam_status oltp_tree_store(struct oltp_tree_writer *w, const uint8_t *key, size_t n,
                                 const uint8_t *value, size_t size, struct seam_fault *f)
{
    struct oltp_page_item it = {
        .key = key, .key_size = (uint16_t)n, .value = value, .size = (uint32_t)size};
    enum seam_status st = SEAM_OK;
    uint8_t *leaf;

    assert(n <= OLTP_KEY_MAX && size <= OLTP_ROW_MAX);
    if (n + size > PAGE_INLINE_MAX) {
        st = oltp_overflow_write(w, value, size, &it.child, f);
        if (st != SEAM_OK) return st;
        it.big = true;
    }
    leaf = w->path[0].p;
    if (w->exact) {
        struct oltp_cell old = page_cell(leaf, w->at);

        if (old.big) st = oltp_overflow_free(w, old.child, old.size, f);
        if (st != SEAM_OK) return st;
        if (oltp_page_replace(leaf, w->at, &it, w->tmp)) return SEAM_OK;
        oltp_page_remove(leaf, w->at);
    } else {
        w->tree->count++;
        if (oltp_page_insert(leaf, w->at, &it, w->tmp)) {
            if (w->at + 1 == page_count(leaf) && w->append == NULL && oltp_tree_on_edge(w, 0, true))
                w->append = w->tree;
            return SEAM_OK;
        }
    }
    w->append = NULL;
    return oltp_tree_split_insert(w, &it, f);
}

enum seam_status oltp_tree_erase(struct oltp_tree_writer *w, const uint8_t *key, size_t n,
                                 struct seam_fault *f)
{
    uint8_t *leaf = w->path[0].p;
    struct oltp_cell old = page_cell(leaf, w->at);
    enum seam_status st = SEAM_OK;

    assert(w->exact);
    w->append = NULL;
    if (old.big) st = oltp_overflow_free(w, old.child, old.size, f);
    if (st != SEAM_OK) return st;
    oltp_page_remove(leaf, w->at);
    w->tree->count--;
    if (page_live_bytes(leaf) >= PAGE_BODY / 4) return SEAM_OK;
    return oltp_tree_rebalance(w, key, n, f);
}

/* ---- overflow pages -------------------------------------------------------------------------------- */

enum seam_status oltp_overflow_write(struct oltp_tree_writer *w, const uint8_t *value, size_t size,
                                     uint32_t *first, struct seam_fault *f)
{
    size_t pages = (size + PAGE_BODY - 1) / PAGE_BODY;
    uint32_t next = 0;

    for (size_t i = pages; i-- > 0;) { /* from the last, so that each can name the one after it */
        size_t from = i * PAGE_BODY, n = size - from < PAGE_BODY ? size - from : PAGE_BODY;
        uint8_t *at;
        enum seam_status st = oltp_pager_make_room(w->pager, f);

        if (st == SEAM_OK) st = oltp_writer_make(w, PAGE_OVERFLOW, 0, w->tree_id, first, &at, f);
        if (st != SEAM_OK) return st;
        memcpy(at + PAGE_HEADER_SIZE, value + from, n);
        memset(at + PAGE_HEADER_SIZE + n, 0, PAGE_BODY - n);
        seam_put_u32(at + PAGE_LINK, next);
        seam_put_u32(at + PAGE_USED, (uint32_t)n);
        next = *first;
    }
    return SEAM_OK;
}

enum seam_status oltp_overflow_free(struct oltp_tree_writer *w, uint32_t first, uint64_t size,
                                    struct seam_fault *f)
{
    uint64_t left = (size + PAGE_BODY - 1) / PAGE_BODY;

    for (uint32_t page = first; page != 0; left--) {
        const uint8_t *at;
        uint32_t next;
        enum seam_status st = pager_pin(w->pager, page, w->hazard, &at, f);

        if (st == SEAM_OK && (page_kind(at) != PAGE_OVERFLOW || left == 0))
            st = oltp_level_fault(w->pager, page, at, 0, f);
        if (st != SEAM_OK) return st;
        next = page_link(at);
        st = oltp_writer_free(w, page, page_epoch(at), f);
        if (st != SEAM_OK) return st;
        page = next;
    }
    return SEAM_OK;
}
