/* btree - copy-on-write B+trees over the pager.
 *
 *            [ inner: link | k1 c1 | k2 c2 ]              a tree is (root, depth, entries): three numbers
 *             /            |          \                   that a version of the database keeps
 *     [ leaf ... ]   [ leaf ... ]   [ leaf ... ]
 *
 * Readers descend from the root of their snapshot. The writer copies every page of a path that is older
 * than its transaction (or its innermost savepoint) and changes the copy; a page it made itself it changes
 * in place. What it replaced is remembered in `freed`, what it made in `made`; commit, rollback and
 * savepoints are decided from these two lists alone.
 *
 * Invariants (btree_check.c):
 *   1 a child's level is one below its parent's; leaves are level 0; all leaves are equally deep
 *   2 keys ascend in a page; all keys below child i lie in [key i-1, key i)
 *   3 every page names its tree, its number, and an epoch not after that of the version
 *   4 the entries of the leaves add up to the tree's count; no page is in two places
 *   5 no cell is larger than a quarter of a page; larger values hang in overflow pages
 * Papers: Bayer & McCreight 1972; Rodeh 2008 (shadowing); Graefe 2011. */
#ifndef SEAM_OLTP_BTREE_H
#define SEAM_OLTP_BTREE_H

#include "oltp/pager.h"

struct tree { uint32_t root, depth; uint64_t count; }; /* root 0, depth 0: empty */

/* ---- reading ---- */
/* The leaf that holds the key or would; pinned by h. ST_NOT_FOUND: the tree is empty. */
MUST_USE enum status tree_leaf(struct pager *p, const struct tree *t, const uint8_t *key, size_t n,
                               struct hazard *h, const uint8_t **leaf, struct fault *f);
/* That leaf's number alone: it is not looked at, nor loaded. */
MUST_USE enum status tree_leaf_page(struct pager *p, const struct tree *t, const uint8_t *key, size_t n,
                                    struct hazard *h, uint32_t *page, struct fault *f);
/* The key's value: into the page (pinned by h), or assembled in `big` when it hangs outside. */
MUST_USE enum status tree_get(struct pager *p, const struct tree *t, const uint8_t *key, size_t n,
                              struct hazard *h, struct buf *big, struct bytes *value, struct fault *f);
MUST_USE enum status cell_value(struct pager *p, const struct cell *c, struct hazard *spare,
                                struct buf *big, struct bytes *value, struct fault *f);

/* A place between two entries of one version of a tree. Its hazard holds the leaf, and the leaf's parent while
 * that is not NULL. */
struct tree_cursor {
    struct pager *pager;
    struct tree tree;
    struct hazard *hazard;
    const uint8_t *leaf; /* NULL: not placed */
    const uint8_t *parent;
    unsigned at;         /* the entry after the place */
    unsigned count;      /* entries of the leaf */
    struct { uint32_t page; unsigned child; } path[TREE_DEPTH_MAX]; /* by level, from 1 */
    unsigned ahead;      /* children of the parent below this one were asked for */
    unsigned window;     /* ... so many at a time; grows while the cursor goes on */
};
MUST_USE enum status tree_seek(struct tree_cursor *c, const uint8_t *key, size_t n, struct fault *f);
MUST_USE enum status tree_seek_end(struct tree_cursor *c, bool last, struct fault *f);
/* The neighbouring leaf with entries; ST_END. */
MUST_USE enum status tree_next_leaf(struct tree_cursor *c, struct fault *f);
MUST_USE enum status tree_prev_leaf(struct tree_cursor *c, struct fault *f);

/* ---- writing ---- */
struct freed { uint32_t page; uint64_t birth; };

struct tree_writer {
    struct pager *pager;
    struct trace *trace;
    uint64_t epoch;       /* of pages made now */
    uint64_t own_epoch;   /* pages from here on are changed in place */
    struct hazard *leaf_hazard, *hazard; /* the first: of two pages that are merged */
    uint32_t *made;       /* pages made by the transaction, in order */
    size_t made_count, made_cap;
    struct freed *freed;  /* pages it replaced or emptied */
    size_t freed_count, freed_cap;
    uint8_t *tmp, *copy;  /* two spare pages */
    struct page_item *items;
    struct buf keys;
    uint64_t splits, merges, copies;
    /* where tree_prepare stopped */
    struct tree *tree;
    uint32_t tree_id;
    struct { uint8_t *p; unsigned child; } path[TREE_DEPTH_MAX]; /* by level; [0] = the leaf */
    unsigned at;
    bool exact;
    /* The last change put a new last entry into this tree, and path still leads to it: a key that is greater
     * than all goes there without a descent. Cleared by whatever else happens. */
    struct tree *append;
};
MUST_USE enum status tree_writer_init(struct tree_writer *w, struct pager *p, struct trace *trace,
                                      struct fault *f);
void tree_writer_free(struct tree_writer *w);

/* Makes the path to the key's leaf changeable and finds its place: w->exact, w->at. With an empty tree a
 * first leaf is made. */
MUST_USE enum status tree_prepare(struct tree_writer *w, struct tree *t, uint32_t tree_id,
                                  const uint8_t *key, size_t n, struct fault *f);
/* The value found by tree_prepare (w->exact). */
MUST_USE enum status tree_prepared_value(struct tree_writer *w, struct buf *big, struct bytes *value,
                                         struct fault *f);
/* Inserts or replaces at the prepared place, with the prepared key. */
MUST_USE enum status tree_store(struct tree_writer *w, const uint8_t *key, size_t n,
                                const uint8_t *value, size_t size, struct fault *f);
/* Removes the prepared entry and merges what became too empty. */
MUST_USE enum status tree_erase(struct tree_writer *w, const uint8_t *key, size_t n, struct fault *f);
/* Frees every page of a tree. */
MUST_USE enum status tree_drop(struct tree_writer *w, struct tree *t, struct fault *f);

/* Inside btree*.c */
MUST_USE enum status writer_make(struct tree_writer *w, enum page_kind kind, unsigned level,
                                 uint32_t tree_id, uint32_t *page, uint8_t **out, struct fault *f);
MUST_USE enum status writer_own(struct tree_writer *w, uint32_t *page, const uint8_t *from, uint8_t **out,
                                struct fault *f);
MUST_USE enum status writer_free(struct tree_writer *w, uint32_t page, uint64_t birth, struct fault *f);
MUST_USE enum status tree_split_insert(struct tree_writer *w, const struct page_item *item, struct fault *f);
MUST_USE enum status tree_rebalance(struct tree_writer *w, const uint8_t *key, size_t n, struct fault *f);
bool tree_on_edge(const struct tree_writer *w, unsigned level, bool last);
MUST_USE enum status overflow_write(struct tree_writer *w, const uint8_t *value, size_t size,
                                    uint32_t *first, struct fault *f);
MUST_USE enum status overflow_free(struct tree_writer *w, uint32_t first, uint64_t size, struct fault *f);
static inline bool page_is_tree(const uint8_t *at, unsigned level)
{
    return page_kind(at) == (level == 0 ? PAGE_LEAF : PAGE_INNER) && page_level(at) == level;
}
enum status level_fault(struct pager *p, uint32_t page, const uint8_t *at, unsigned level, struct fault *f);

/* ---- checking ---- */
struct tree_walk { /* adds up what a tree holds; `seen` (bitmap of pages) may be NULL */
    uint64_t *seen;
    uint64_t entries, leaves, inners, overflow, bytes_used;
    struct buf *report;
    uint64_t problems;
    enum status (*entry)(void *ctx, struct bytes key, struct bytes value);
    void *ctx;
};
/* Walks every page and invariant. Problems are counted and reported as lines, not returned; the status is of
 * the walk itself (ST_NOMEM, what `entry` returned). */
MUST_USE enum status tree_check(struct pager *p, const struct tree *t, uint32_t tree_id, uint64_t epoch,
                                struct tree_walk *walk, struct fault *f);

#endif
