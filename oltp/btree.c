/* btree - a way down by a key, and cursors along the leaves (the rules: btree.h). */
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
                                         struct oltp_ref *page, struct seam_fault *f)
{
    *page = t->root;
    if (t->depth == 0) return SEAM_NOT_FOUND;
    for (unsigned level = t->depth - 1; level > 0; level--) {
        const uint8_t *at;
        enum seam_status st = pager_step(p, *page, h, level, &at, f);

        if (seam_unlikely(st != SEAM_OK)) return st;
        if (seam_unlikely(!page_is_tree(at, level)))
            return oltp_level_fault(p, page->page, at, level, f);
        *page = page_child(at, page_find_child(at, key, n));
    }
    return SEAM_OK;
}

enum seam_status oltp_tree_leaf_page(struct oltp_pager *p, const struct oltp_tree *t,
                                     const uint8_t *key, size_t n, struct oltp_hazard *h,
                                     struct oltp_ref *page, struct seam_fault *f)
{
    return leaf_page(p, t, key, n, h, page, f);
}

enum seam_status oltp_tree_leaf(struct oltp_pager *p, const struct oltp_tree *t, const uint8_t *key,
                                size_t n, struct oltp_hazard *h, const uint8_t **leaf,
                                struct seam_fault *f)
{
    struct oltp_ref page;
    enum seam_status st = leaf_page(p, t, key, n, h, &page, f);

    if (seam_unlikely(st != SEAM_OK)) return st;
    st = pager_pin(p, page, h, leaf, f);
    if (seam_unlikely(st != SEAM_OK)) return st;
    prefetch_leaf(*leaf);
    return seam_likely(page_is_tree(*leaf, 0)) ? SEAM_OK
                                               : oltp_level_fault(p, page.page, *leaf, 0, f);
}

enum seam_status oltp_cell_value(struct oltp_pager *p, const struct oltp_cell *c,
                                 struct oltp_hazard *spare, struct seam_buf *big,
                                 struct wal_bytes *value, struct seam_fault *f)
{
    struct oltp_ref page = c->child;

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

        if (page.page == 0) break;
        st = pager_pin(p, page, spare, &at, f);
        if (st != SEAM_OK) return st;
        if (page_kind(at) != PAGE_OVERFLOW || page_used(at) == 0) break;
        seam_buf_append(big, at + PAGE_HEADER_SIZE, page_used(at));
        page = page_link(at);
    }
    if (big->size != c->size || page.page != 0)
        return seam_fault_set(f, SEAM_CORRUPT, p->path, (uint64_t)page.page * OLTP_PAGE_SIZE,
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

static enum seam_status cursor_enter(struct oltp_tree_cursor *c, struct oltp_ref page,
                                     struct seam_fault *f)
{
    enum seam_status st = pager_pin(c->pager, page, c->hazard, &c->leaf, f);

    if (st == SEAM_OK && !page_is_tree(c->leaf, 0))
        st = oltp_level_fault(c->pager, page.page, c->leaf, 0, f);
    if (st != SEAM_OK) {
        c->leaf = NULL;
        return st;
    }
    prefetch_leaf(c->leaf);
    c->count = page_count(c->leaf);
    return SEAM_OK;
}

/* Goes down from `page` at `level` to a leaf: by key, or along the first (last) children. */
static enum seam_status cursor_descend(struct oltp_tree_cursor *c, struct oltp_ref page,
                                       unsigned level, const uint8_t *key, size_t n, bool last,
                                       struct seam_fault *f)
{
    for (; level > 0; level--) {
        const uint8_t *at;
        enum seam_status st = pager_step(c->pager, page, c->hazard, level, &at, f);

        if (st == SEAM_OK && !page_is_tree(at, level))
            st = oltp_level_fault(c->pager, page.page, at, level, f);
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
    t = atomic_load_explicit(&c->pager->table[page_child(c->parent, next).page],
                             memory_order_relaxed);
    if (t >= FRAME_FIRST) prefetch_leaf(pager_frame(c->pager, t - FRAME_FIRST));
    if (next + c->window / 2 < c->ahead || c->ahead >= children) return;
    c->window = c->window == 0              ? AHEAD_FIRST
                : c->window * 2 < AHEAD_MAX ? c->window * 2
                                            : AHEAD_MAX;
    if (c->ahead < next) c->ahead = next;
    while (c->ahead < children && c->ahead < next + c->window)
        pages[n++] = page_child(c->parent, c->ahead++).page;
    oltp_pager_read_ahead(c->pager, pages, n);
}

/* The lowest level where there is a child after (before) the one we came by; counts it in. SEAM_END. */
static enum seam_status cursor_turn(struct oltp_tree_cursor *c, bool forward, unsigned *level,
                                    struct oltp_ref *child, struct seam_fault *f)
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
        struct oltp_ref child;
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
        struct oltp_ref child;
        enum seam_status st = cursor_turn(c, false, &level, &child, f);

        if (st == SEAM_OK) st = cursor_descend(c, child, level - 1, NULL, 0, true, f);
        if (st != SEAM_OK) return st;
    } while (c->count == 0);
    c->at = c->count;
    return SEAM_OK;
}
