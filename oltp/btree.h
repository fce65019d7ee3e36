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
 *   6 whatever names a page knows its epoch (struct oltp_ref): it is compared at every look (pager.h)
 * Papers: Bayer & McCreight 1972; Rodeh 2008 (shadowing); Graefe 2011. */
#ifndef SEAM_OLTP_BTREE_H
#define SEAM_OLTP_BTREE_H

#include "oltp/pager.h"

struct oltp_tree {
    struct oltp_ref root;
    uint32_t depth;
    uint64_t count;
}; /* root 0, depth 0: empty */

/* ---- reading ---- */
/* The leaf that holds the key or would; pinned by h. SEAM_NOT_FOUND: the tree is empty. */
SEAM_MUST_USE enum seam_status oltp_tree_leaf(struct oltp_pager *p, const struct oltp_tree *t,
                                              const uint8_t *key, size_t n, struct oltp_hazard *h,
                                              const uint8_t **leaf, struct seam_fault *f);
/* That leaf's number alone: it is not looked at, nor loaded. */
SEAM_MUST_USE enum seam_status oltp_tree_leaf_page(struct oltp_pager *p, const struct oltp_tree *t,
                                                   const uint8_t *key, size_t n,
                                                   struct oltp_hazard *h, struct oltp_ref *page,
                                                   struct seam_fault *f);
/* The key's value: into the page (pinned by h), or assembled in `big` when it hangs outside. */
SEAM_MUST_USE enum seam_status oltp_tree_get(struct oltp_pager *p, const struct oltp_tree *t,
                                             const uint8_t *key, size_t n, struct oltp_hazard *h,
                                             struct seam_buf *big, struct wal_bytes *value,
                                             struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_cell_value(struct oltp_pager *p, const struct oltp_cell *c,
                                               struct oltp_hazard *spare, struct seam_buf *big,
                                               struct wal_bytes *value, struct seam_fault *f);

/* A place between two entries of one version of a tree. Its hazard holds the leaf, and the leaf's parent while
 * that is not NULL. */
struct oltp_tree_cursor {
    struct oltp_pager *pager;
    struct oltp_tree tree;
    struct oltp_hazard *hazard;
    const uint8_t *leaf; /* NULL: not placed */
    const uint8_t *parent;
    unsigned at;    /* the entry after the place */
    unsigned count; /* entries of the leaf */
    struct {
        struct oltp_ref page;
        unsigned child;
    } path[TREE_DEPTH_MAX]; /* by level, from 1 */
    unsigned ahead;         /* children of the parent below this one were asked for */
    unsigned window;        /* ... so many at a time; grows while the cursor goes on */
};
SEAM_MUST_USE enum seam_status oltp_tree_seek(struct oltp_tree_cursor *c, const uint8_t *key,
                                              size_t n, struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_tree_seek_end(struct oltp_tree_cursor *c, bool last,
                                                  struct seam_fault *f);
/* The neighbouring leaf with entries; SEAM_END. */
SEAM_MUST_USE enum seam_status oltp_tree_next_leaf(struct oltp_tree_cursor *c,
                                                   struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_tree_prev_leaf(struct oltp_tree_cursor *c,
                                                   struct seam_fault *f);

/* ---- writing ---- */
struct oltp_freed {
    uint32_t page;
    uint64_t birth;
};

struct oltp_tree_writer {
    struct oltp_pager *pager;
    struct seam_trace *trace;
    uint64_t epoch;                           /* of pages made now */
    uint64_t own_epoch;                       /* pages from here on are changed in place */
    struct oltp_hazard *leaf_hazard, *hazard; /* the first: of two pages that are merged */
    uint32_t *made;                           /* pages made by the transaction, in order */
    size_t made_count, made_cap;
    struct oltp_freed *freed; /* pages it replaced or emptied */
    size_t freed_count, freed_cap;
    uint8_t *tmp, *copy; /* two spare pages */
    struct oltp_page_item *items;
    struct seam_buf keys;
    uint64_t splits, merges, copies;
    /* where oltp_tree_prepare stopped */
    struct oltp_tree *tree;
    uint32_t tree_id;
    struct {
        uint8_t *p;
        unsigned child;
    } path[TREE_DEPTH_MAX]; /* by level; [0] = the leaf */
    unsigned at;
    bool exact;
    /* The last change put a new last entry into this tree, and path still leads to it: a key that is greater
     * than all goes there without a descent. Cleared by whatever else happens. */
    struct oltp_tree *append;
};
SEAM_MUST_USE enum seam_status oltp_tree_writer_init(struct oltp_tree_writer *w,
                                                     struct oltp_pager *p, struct seam_trace *trace,
                                                     struct seam_fault *f);
void oltp_tree_writer_free(struct oltp_tree_writer *w);

/* Makes the path to the key's leaf changeable and finds its place: w->exact, w->at. With an empty tree a
 * first leaf is made. */
SEAM_MUST_USE enum seam_status oltp_tree_prepare(struct oltp_tree_writer *w, struct oltp_tree *t,
                                                 uint32_t tree_id, const uint8_t *key, size_t n,
                                                 struct seam_fault *f);
/* The value found by oltp_tree_prepare (w->exact). */
SEAM_MUST_USE enum seam_status oltp_tree_prepared_value(struct oltp_tree_writer *w,
                                                        struct seam_buf *big,
                                                        struct wal_bytes *value,
                                                        struct seam_fault *f);
/* Inserts or replaces at the prepared place, with the prepared key. */
SEAM_MUST_USE enum seam_status oltp_tree_store(struct oltp_tree_writer *w, const uint8_t *key,
                                               size_t n, const uint8_t *value, size_t size,
                                               struct seam_fault *f);
/* Removes the prepared entry and merges what became too empty. */
SEAM_MUST_USE enum seam_status oltp_tree_erase(struct oltp_tree_writer *w, const uint8_t *key,
                                               size_t n, struct seam_fault *f);
/* Frees every page of a tree. */
SEAM_MUST_USE enum seam_status oltp_tree_drop(struct oltp_tree_writer *w, struct oltp_tree *t,
                                              struct seam_fault *f);

/* Inside btree*.c */
SEAM_MUST_USE enum seam_status oltp_writer_make(struct oltp_tree_writer *w,
                                                enum oltp_page_kind kind, unsigned level,
                                                uint32_t tree_id, struct oltp_ref *page,
                                                uint8_t **out, struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_writer_own(struct oltp_tree_writer *w, struct oltp_ref *page,
                                               const uint8_t *from, uint8_t **out,
                                               struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_writer_free(struct oltp_tree_writer *w, uint32_t page,
                                                uint64_t birth, struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_tree_split_insert(struct oltp_tree_writer *w,
                                                      const struct oltp_page_item *item,
                                                      struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_tree_rebalance(struct oltp_tree_writer *w, const uint8_t *key,
                                                   size_t n, struct seam_fault *f);
bool oltp_tree_on_edge(const struct oltp_tree_writer *w, unsigned level, bool last);
SEAM_MUST_USE enum seam_status oltp_overflow_write(struct oltp_tree_writer *w, const uint8_t *value,
                                                   size_t size, struct oltp_ref *first,
                                                   struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_overflow_free(struct oltp_tree_writer *w, struct oltp_ref first,
                                                  uint64_t size, struct seam_fault *f);
static inline bool page_is_tree(const uint8_t *at, unsigned level)
{
    return page_kind(at) == (level == 0 ? PAGE_LEAF : PAGE_INNER) && page_level(at) == level;
}
enum seam_status oltp_level_fault(struct oltp_pager *p, uint32_t page, const uint8_t *at,
                                  unsigned level, struct seam_fault *f);

/* ---- checking ---- */
struct oltp_tree_walk { /* adds up what a tree holds; `seen` (bitmap of pages) may be NULL */
    uint64_t *seen;
    uint64_t entries, leaves, inners, overflow, bytes_used;
    struct seam_buf *report;
    uint64_t problems;
    enum seam_status (*entry)(void *ctx, struct wal_bytes key, struct wal_bytes value);
    void *ctx;
};
/* Walks every page and invariant. Problems are counted and reported as lines, not returned; the status is of
 * the walk itself (SEAM_NOMEM, what `entry` returned). */
SEAM_MUST_USE enum seam_status oltp_tree_check(struct oltp_pager *p, const struct oltp_tree *t,
                                               uint32_t tree_id, uint64_t epoch,
                                               struct oltp_tree_walk *walk, struct seam_fault *f);

#endif
