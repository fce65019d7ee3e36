/* btree_path - the writer's way down: pages that it owns, from the root to the place of a key. */
#include "oltp/btree.h"

#include <stdlib.h>

/* Is this page of the path the tree's last (first) one of its level? */
bool oltp_tree_on_edge(const struct oltp_tree_writer *w, unsigned level, bool last)
{
    for (unsigned l = level + 1; l < w->tree->depth; l++)
        if (w->path[l].child != (last ? page_count(w->path[l].p) : 0)) return false;
    return true;
}

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

static enum seam_status writer_alloc(struct oltp_tree_writer *w, struct oltp_ref *page,
                                     uint8_t **out, struct seam_fault *f)
{
    enum seam_status st;

    if (w->made_count == w->made_cap) {
        size_t cap = w->made_cap == 0 ? 64 : 2 * w->made_cap;
        uint32_t *more = realloc(w->made, cap * sizeof *more);

        if (more == NULL) return no_memory(w, f);
        w->made = more;
        w->made_cap = cap;
    }
    st = oltp_pager_alloc(w->pager, w->epoch, &page->page, out, f);
    if (st != SEAM_OK) return st;
    page->stamp = (uint32_t)w->epoch;
    w->made[w->made_count++] = page->page;
    return SEAM_OK;
}

enum seam_status oltp_writer_make(struct oltp_tree_writer *w, enum oltp_page_kind kind,
                                  unsigned level, uint32_t tree_id, struct oltp_ref *page,
                                  uint8_t **out, struct seam_fault *f)
{
    enum seam_status st = writer_alloc(w, page, out, f);

    if (st == SEAM_OK) oltp_page_init(*out, kind, level, page->page, tree_id, w->epoch, NULL, 0);
    return st;
}

/* *page, resident at `from`, as a page that may be changed: itself (by another stamp, when it was on disk already), or a
 * copy under a new number. */
enum seam_status oltp_writer_own(struct oltp_tree_writer *w, struct oltp_ref *page,
                                 const uint8_t *from, uint8_t **out, struct seam_fault *f)
{
    uint32_t old = page->page;
    enum seam_status st;

    assert(page_stamp(from) == page->stamp && page_id(from) == old);
    if (page_epoch(from) >= w->own_epoch) {
        *out = oltp_pager_writable(w->pager, old, from, w->epoch);
        page->stamp = page_stamp(*out);
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
    seam_put_u32(*out + PAGE_ID, page->page);
    seam_put_u64(*out + PAGE_EPOCH, w->epoch);
    w->copies++;
    SEAM_TRACE(w->trace, "oltp", "page_copied", SEAM_TI("from", old), SEAM_TI("to", page->page),
               SEAM_TI("level", page_level(from)));
    return SEAM_OK;
}

/* Room for the next change. What was written out to get it stays as it is on disk: pages made from here on, and pages
 * changed again, are of a new epoch. Without that a lost write of such a page could not be told from a good one. */
static enum seam_status make_room(struct oltp_tree_writer *w, struct seam_fault *f)
{
    bool wrote;
    enum seam_status st = oltp_pager_make_room(w->pager, &wrote, f);

    if (seam_unlikely(wrote)) w->epoch = pager_next_epoch(w->pager);
    return st;
}

static enum seam_status prepare_empty(struct oltp_tree_writer *w, struct seam_fault *f)
{
    enum seam_status st =
        oltp_writer_make(w, PAGE_LEAF, 0, w->tree_id, &w->tree->root, &w->path[0].p, f);

    if (st != SEAM_OK) return st;
    w->tree->depth = 1;
    w->at = 0;
    w->exact = false;
    w->pager->busy[0] = w->tree->root.page;
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
    struct oltp_ref page = t->root;
    uint8_t *parent = NULL;
    enum seam_status st = make_room(w, f);

    if (st != SEAM_OK) return st;
    if (w->append == t && prepare_append(w, key, n)) return SEAM_OK;
    w->append = NULL;
    w->tree = t;
    w->tree_id = tree_id;
    if (t->depth == 0) return prepare_empty(w, f);
    for (unsigned level = t->depth - 1;; level--) {
        struct oltp_ref own = page;
        const uint8_t *at;
        uint8_t *mine;

        /* Held by the hazard while it is copied; from then on it is dirty, and busy: it stays. */
        st = pager_pin(w->pager, page, w->hazard, &at, f);
        if (st == SEAM_OK && (!page_is_tree(at, level) || page_tree(at) != tree_id))
            st = oltp_level_fault(w->pager, page.page, at, level, f);
        if (st == SEAM_OK) st = oltp_writer_own(w, &own, at, &mine, f);
        if (st != SEAM_OK) return st;
        if (own.page != page.page || own.stamp != page.stamp) {
            if (parent == NULL)
                t->root = own;
            else
                oltp_page_set_child(parent, w->path[level + 1].child, own);
        }
        w->path[level].p = mine;
        w->pager->busy[level] = own.page;
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

enum seam_status oltp_overflow_write(struct oltp_tree_writer *w, const uint8_t *value, size_t size,
                                     struct oltp_ref *first, struct seam_fault *f)
{
    size_t pages = (size + PAGE_BODY - 1) / PAGE_BODY;
    struct oltp_ref next = {0};

    for (size_t i = pages; i-- > 0;) { /* from the last, so that each can name the one after it */
        size_t from = i * PAGE_BODY, n = size - from < PAGE_BODY ? size - from : PAGE_BODY;
        uint8_t *at;
        enum seam_status st = make_room(w, f);

        if (st == SEAM_OK) st = oltp_writer_make(w, PAGE_OVERFLOW, 0, w->tree_id, first, &at, f);
        if (st != SEAM_OK) return st;
        memcpy(at + PAGE_HEADER_SIZE, value + from, n);
        memset(at + PAGE_HEADER_SIZE + n, 0, PAGE_BODY - n);
        page_set_link(at, next);
        seam_put_u16(at + PAGE_USED, (uint16_t)n);
        next = *first;
    }
    return SEAM_OK;
}

enum seam_status oltp_overflow_free(struct oltp_tree_writer *w, struct oltp_ref first,
                                    uint64_t size, struct seam_fault *f)
{
    uint64_t left = (size + PAGE_BODY - 1) / PAGE_BODY;

    for (struct oltp_ref page = first; page.page != 0; left--) {
        const uint8_t *at;
        struct oltp_ref next;
        enum seam_status st = pager_pin(w->pager, page, w->hazard, &at, f);

        if (st == SEAM_OK && (page_kind(at) != PAGE_OVERFLOW || left == 0))
            st = oltp_level_fault(w->pager, page.page, at, 0, f);
        if (st != SEAM_OK) return st;
        next = page_link(at);
        st = oltp_writer_free(w, page.page, page_epoch(at), f);
        if (st != SEAM_OK) return st;
        page = next;
    }
    return SEAM_OK;
}
