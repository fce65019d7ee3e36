/* btree_write - an entry is put, taken out, and a whole tree is dropped. */
#include "oltp/btree.h"

#include <stdlib.h>

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

static enum seam_status drop_page(struct oltp_tree_writer *w, struct oltp_ref page, unsigned level,
                                  struct seam_fault *f)
{
    uint8_t *at = malloc(OLTP_PAGE_SIZE);
    enum seam_status st = at == NULL
                              ? seam_fault_set(f, SEAM_NOMEM, w->pager->path, SEAM_FAULT_NO_OFFSET,
                                               "no memory to drop a tree")
                              : oltp_pager_read(w->pager, page, w->hazard, at, f);

    if (st == SEAM_OK && !page_is_tree(at, level))
        st = oltp_level_fault(w->pager, page.page, at, level, f);
    for (unsigned i = 0; st == SEAM_OK && level > 0 && i <= page_count(at); i++)
        st = drop_page(w, page_child(at, i), level - 1, f);
    for (unsigned i = 0; st == SEAM_OK && level == 0 && i < page_count(at); i++) {
        struct oltp_cell c = page_cell(at, i);

        if (c.big) st = oltp_overflow_free(w, c.child, c.size, f);
    }
    if (st == SEAM_OK) st = oltp_writer_free(w, page.page, page_epoch(at), f);
    free(at);
    return st;
}

enum seam_status oltp_tree_drop(struct oltp_tree_writer *w, struct oltp_tree *t,
                                struct seam_fault *f)
{
    enum seam_status st = t->depth > 0 ? drop_page(w, t->root, t->depth - 1, f) : SEAM_OK;

    if (st == SEAM_OK) *t = (struct oltp_tree){0};
    return st;
}
