/* btree_split - what happens when a page is too full or too empty. */
#include "oltp/btree.h"

#include <stdlib.h>

/* Shortest key that is above `low` and not above `high`: high, cut one byte after it differs. */
static size_t separator_size(const struct oltp_page_item *low, const struct oltp_page_item *high)
{
    size_t n = low->key_size < high->key_size ? low->key_size : high->key_size, i = 0;

    while (i < n && low->key[i] == high->key[i]) i++;
    return i + 1;
}

/* The items of path[level] (copied aside) with `item` put in at `at`. Returns how many. */
static enum seam_status gather(struct oltp_tree_writer *w, const uint8_t *page,
                               const struct oltp_page_item *item, unsigned at, unsigned *count,
                               struct seam_fault *f)
{
    memcpy(w->copy, page, OLTP_PAGE_SIZE);
    seam_buf_clear(&w->keys);
    if (!seam_buf_reserve(&w->keys, oltp_page_items_bytes(w->copy) + 1))
        return seam_fault_set(f, SEAM_NOMEM, w->pager->path, SEAM_FAULT_NO_OFFSET,
                              "no memory to split a page");
    *count = oltp_page_items(w->copy, w->items, w->keys.data);
    memmove(w->items + at + 1, w->items + at, (*count - at) * sizeof *w->items);
    w->items[at] = *item;
    ++*count;
    return SEAM_OK;
}

/* Where to cut `count` items so that both sides fit and are as even as can be. For inner pages the item
 * at the cut moves up and is in neither side. */
static unsigned balanced_cut(const struct oltp_page_item *items, unsigned count, bool leaf)
{
    size_t best_gap = SIZE_MAX, total = oltp_page_items_cost(items, count, leaf), seen = 0;
    unsigned best = 0, middle = 1;

    while (middle < count - 1) { /* a first guess by bytes, then the exact costs around it */
        seen += SLOT_COST + items[middle - 1].key_size +
                (items[middle - 1].big ? REF_BYTES : items[middle - 1].size);
        if (2 * seen >= total) break;
        middle++;
    }
    for (unsigned away = 0; away < count; away++) {
        for (int side = 0; side < 2; side++) {
            unsigned cut = side == 0 ? middle + away : middle - away;
            size_t left, right, gap;

            if (cut < 1 || cut > count - 1 || (side == 1 && (away == 0 || away > middle))) continue;
            left = oltp_page_items_cost(items, cut, leaf);
            right = oltp_page_items_cost(items + cut + !leaf, count - cut - !leaf, leaf);
            if (left > PAGE_BODY || right > PAGE_BODY) continue;
            gap = left > right ? left - right : right - left;
            if (gap < best_gap) {
                best_gap = gap;
                best = cut;
            }
        }
        if (best != 0 && away >= 2) break;
    }
    assert(best != 0); /* no cell is larger than a quarter of a page */
    return best;
}

static void refill(uint8_t *p, const struct oltp_page_item *items, unsigned count,
                   struct oltp_ref link)
{
    struct oltp_page_item none = {0};
    const struct oltp_page_item *first = count > 0 ? items : &none;
    size_t prefix = count > 0 ? oltp_page_items_prefix(items, count) : 0;

    oltp_page_init(p, page_kind(p), page_level(p), page_id(p), page_tree(p), page_epoch(p),
                   first->key, prefix);
    page_set_link(p, link);
    if (!oltp_page_fill(p, items, count)) assert(!"the cost of the items was counted");
}

/* Loading in key order: the left page stays as full as it is, `item` starts the right one. An inner page's
 * new key moves up instead, and the right page has only the child. */
static void split_append(struct oltp_tree_writer *w, unsigned level,
                         const struct oltp_page_item *item, uint8_t *right,
                         struct oltp_page_item *up, uint8_t *key)
{
    const uint8_t *left = w->path[level].p;
    uint8_t last[OLTP_KEY_MAX];
    struct oltp_page_item pair[2] = {{.key = last}, *item};

    pair[0].key_size = (uint16_t)oltp_page_key(left, page_count(left) - 1, last);
    up->key_size = level == 0 ? (uint16_t)separator_size(&pair[0], item) : item->key_size;
    memmove(key, item->key, up->key_size);
    if (level > 0) {
        refill(right, NULL, 0, item->child);
        return;
    }
    oltp_page_init(right, PAGE_LEAF, 0, up->child.page, w->tree_id, w->epoch, last,
                   oltp_page_items_prefix(pair, 2));
    if (!oltp_page_insert(right, 0, item, w->tmp)) assert(!"one cell fits an empty page");
}

static enum seam_status split_cut(struct oltp_tree_writer *w, unsigned level,
                                  const struct oltp_page_item *item, unsigned at, uint8_t *right,
                                  struct oltp_page_item *up, uint8_t *key, struct seam_fault *f)
{
    uint8_t *left = w->path[level].p;
    bool leaf = level == 0;
    unsigned count = 0, cut = 1;
    struct oltp_page_item high;
    struct oltp_ref none = {0};
    enum seam_status st = gather(w, left, item, at, &count, f);

    if (st != SEAM_OK) return st;
    if (at > 0 ||
        !oltp_tree_on_edge(w, level,
                           false) || /* loading in descending order leaves the right page full */
        oltp_page_items_cost(w->items + 1 + !leaf, count - 1 - !leaf, leaf) > PAGE_BODY)
        cut = balanced_cut(w->items, count, leaf);
    high = w->items[cut];
    up->key_size = leaf ? (uint16_t)separator_size(&w->items[cut - 1], &high) : high.key_size;
    memcpy(key, high.key, up->key_size);
    refill(right, w->items + cut + !leaf, count - cut - !leaf, leaf ? none : high.child);
    refill(left, w->items, cut, leaf ? none : page_link(w->copy));
    return SEAM_OK;
}

/* Splits path[level] into itself and a new right page so that `item` has room at `at`. *up becomes the
 * separator (its bytes in `key`) and the right page. */
static enum seam_status split_page(struct oltp_tree_writer *w, unsigned level,
                                   const struct oltp_page_item *item, unsigned at,
                                   struct oltp_page_item *up, uint8_t *key, struct seam_fault *f)
{
    uint8_t *left = w->path[level].p, *right;
    enum seam_status st = oltp_writer_make(w, level == 0 ? PAGE_LEAF : PAGE_INNER, level,
                                           w->tree_id, &up->child, &right, f);

    if (st != SEAM_OK) return st;
    if (at > 0 && at == page_count(left) && oltp_tree_on_edge(w, level, true))
        split_append(w, level, item, right, up, key);
    else
        st = split_cut(w, level, item, at, right, up, key, f);
    up->key = key;
    w->splits++;
    SEAM_TRACE(w->trace, "oltp", "page_split", SEAM_TI("page", page_id(left)),
               SEAM_TI("new", up->child.page), SEAM_TI("level", level),
               SEAM_TI("left_keys", page_count(left)), SEAM_TI("right_keys", page_count(right)),
               SEAM_TI("tree", w->tree_id));
    return st;
}

static enum seam_status grow_root(struct oltp_tree_writer *w, const struct oltp_page_item *up,
                                  struct seam_fault *f)
{
    struct oltp_ref page, old = w->tree->root;
    uint8_t *root;
    enum seam_status st;

    if (w->tree->depth == TREE_DEPTH_MAX)
        return seam_fault_set(f, SEAM_LIMIT, w->pager->path, SEAM_FAULT_NO_OFFSET,
                              "the tree would be too deep");
    st = oltp_writer_make(w, PAGE_INNER, w->tree->depth, w->tree_id, &page, &root, f);
    if (st != SEAM_OK) return st;
    page_set_link(root, old);
    if (!oltp_page_insert(root, 0, up, w->tmp)) assert(!"one cell fits an empty page");
    w->tree->root = page;
    w->tree->depth++;
    SEAM_TRACE(w->trace, "oltp", "root_split", SEAM_TI("root", page.page),
               SEAM_TI("depth", w->tree->depth), SEAM_TI("tree", w->tree_id));
    return SEAM_OK;
}

enum seam_status oltp_tree_split_insert(struct oltp_tree_writer *w,
                                        const struct oltp_page_item *item, struct seam_fault *f)
{
    uint8_t keys[2][OLTP_KEY_MAX];
    struct oltp_page_item now = *item, up = {0};
    unsigned at = w->at;

    for (unsigned level = 0;; level++) {
        enum seam_status st = split_page(w, level, &now, at, &up, keys[level & 1], f);

        if (st != SEAM_OK) return st;
        if (level + 1 == w->tree->depth) return grow_root(w, &up, f);
        at = w->path[level + 1].child;
        now = up;
        if (oltp_page_insert(w->path[level + 1].p, at, &now, w->tmp)) return SEAM_OK;
    }
}

/* ---- merging --------------------------------------------------------------------------------------- */

/* Joins the children `i` and `i + 1` of path[level + 1] into the left one, when they fit one page; *done tells.
 * Both are of `level`. */
static enum seam_status merge_children(struct oltp_tree_writer *w, unsigned level, unsigned i,
                                       bool *done, struct seam_fault *f)
{
    uint8_t *parent = w->path[level + 1].p, separator[OLTP_KEY_MAX], *mine;
    struct oltp_ref left_page = page_child(parent, i), right_page = page_child(parent, i + 1),
                    own = left_page, none = {0};
    const uint8_t *left, *right;
    bool leaf = level == 0;
    unsigned count;
    size_t cost;
    struct oltp_page_item middle = {.key = separator,
                                    .key_size = (uint16_t)oltp_page_key(parent, i, separator)};
    enum seam_status st = pager_pin(w->pager, left_page, w->leaf_hazard, &left, f);

    *done = false;
    if (st == SEAM_OK) st = pager_pin(w->pager, right_page, w->hazard, &right, f);
    if (st != SEAM_OK) return st;
    if (page_kind(left) != page_kind(right) || page_level(left) != level ||
        page_level(right) != level)
        return oltp_level_fault(w->pager, right_page.page, right, level, f);
    memcpy(w->copy, left, OLTP_PAGE_SIZE); /* the left page is about to be written over */
    seam_buf_clear(&w->keys);
    if (!seam_buf_reserve(&w->keys, oltp_page_items_bytes(left) + oltp_page_items_bytes(right) + 1))
        return seam_fault_set(f, SEAM_NOMEM, w->pager->path, SEAM_FAULT_NO_OFFSET,
                              "no memory to merge pages");
    count = oltp_page_items(w->copy, w->items, w->keys.data);
    if (!leaf) {
        middle.child = page_link(right);
        w->items[count++] = middle;
    }
    count += oltp_page_items(right, w->items + count, w->keys.data + oltp_page_items_bytes(left));
    cost = oltp_page_items_cost(w->items, count, leaf);
    /* Not to the brim, or the next insert would split it again; but an empty page must go. */
    if (cost > PAGE_BODY ||
        (cost > PAGE_BODY / 8 * 7 && page_count(left) > 0 && page_count(right) > 0))
        return SEAM_OK;
    st = oltp_writer_own(w, &own, left, &mine, f);
    if (st == SEAM_OK) st = oltp_writer_free(w, right_page.page, page_epoch(right), f);
    if (st != SEAM_OK) return st;
    refill(mine, w->items, count, leaf ? none : page_link(w->copy));
    oltp_page_set_child(parent, i, own);
    oltp_page_remove(parent, i);
    w->merges++;
    *done = true;
    SEAM_TRACE(w->trace, "oltp", "page_merge", SEAM_TI("left", left_page.page),
               SEAM_TI("right", right_page.page), SEAM_TI("into", own.page),
               SEAM_TI("level", level), SEAM_TI("keys", count));
    return SEAM_OK;
}

/* A root without keys hands over to its only child; an empty root leaf ends the tree. */
static enum seam_status shrink_root(struct oltp_tree_writer *w, struct seam_fault *f)
{
    struct oltp_tree *t = w->tree;

    while (t->depth > 0) {
        const uint8_t *root;
        struct oltp_ref page = t->root;
        enum seam_status st = pager_pin(w->pager, page, w->hazard, &root, f);

        if (st != SEAM_OK) return st;
        if (page_count(root) > 0) return SEAM_OK;
        st = oltp_writer_free(w, page.page, page_epoch(root), f);
        if (st != SEAM_OK) return st;
        t->root = t->depth == 1 ? (struct oltp_ref){0} : page_link(root);
        t->depth--;
    }
    return SEAM_OK;
}

/* Walks up from the leaf that lost an entry. A page without a sibling (its parent has one child) waits until
 * the parent has been merged with its own, then the path is found again. */
enum seam_status oltp_tree_rebalance(struct oltp_tree_writer *w, const uint8_t *key, size_t n,
                                     struct seam_fault *f)
{
    struct oltp_tree *t = w->tree;
    enum seam_status st = SEAM_OK;

    for (unsigned round = 0; round < TREE_DEPTH_MAX && t->depth > 1; round++) {
        bool changed = false;

        for (unsigned level = t->depth - 1;
             level-- > 0;) { /* from the top: siblings appear below */
            unsigned child = w->path[level + 1].child, parents = page_count(w->path[level + 1].p);
            const uint8_t *page = w->path[level].p;

            if (parents == 0 || page_live_bytes(page) >= PAGE_BODY / 4) continue;
            if (child < parents) st = merge_children(w, level, child, &changed, f);
            if (st == SEAM_OK && !changed && child > 0)
                st = merge_children(w, level, child - 1, &changed, f);
            if (st != SEAM_OK) return st;
            if (changed) break;
        }
        st = shrink_root(w, f);
        if (st != SEAM_OK || !changed || t->depth == 0) return st;
        st = oltp_tree_prepare(w, t, w->tree_id, key, n, f);
        if (st != SEAM_OK) return st;
    }
    return t->depth == 1 ? shrink_root(w, f) : st;
}
