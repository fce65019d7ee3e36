/* btree_check - walks a whole tree and reports every rule that does not hold (the rules: btree.h). */
#include "oltp/btree.h"

#include <stdlib.h>

struct bounds {
    const uint8_t *low, *high;
    size_t low_size, high_size;
    bool has_high;
};

struct btree_check {
    struct oltp_pager *pager;
    struct oltp_tree_walk *walk;
    uint32_t tree_id;
    uint64_t epoch;
    struct oltp_hazard *leaf, *spare;
    struct seam_buf big;
};

static void problem(struct btree_check *k, uint32_t page, const char *what)
{
    k->walk->problems++;
    if (k->walk->report != NULL)
        seam_buf_printf(k->walk->report, "%s: tree %u of table %u: page %u: %s\n", k->pager->path,
                        k->tree_id & ((1 << 5) - 1), k->tree_id >> 5, page, what);
}

/* Marks the page as met; false when it was met before. */
static bool meet(struct btree_check *k, uint32_t page)
{
    uint64_t bit = 1ull << (page % 64);

    if (k->walk->seen == NULL) return true;
    if (k->walk->seen[page / 64] & bit) return false;
    k->walk->seen[page / 64] |= bit;
    return true;
}

static void report_fault(struct btree_check *k, uint32_t page, const struct seam_fault *f)
{
    problem(k, page, f->why[0] != '\0' ? f->why : "cannot be read");
}

static bool header_fits(struct btree_check *k, uint32_t page, const uint8_t *at, unsigned level)
{
    if (page_level(at) != level || page_kind(at) != (level == 0 ? PAGE_LEAF : PAGE_INNER)) {
        problem(k, page, "is at another level than its parent says (1)");
        return false;
    }
    if (page_tree(at) != k->tree_id) problem(k, page, "belongs to another tree (3)");
    if (page_id(at) != page) problem(k, page, "has another number (3)");
    if (page_epoch(at) > k->epoch) problem(k, page, "is younger than its tree (3)");
    return true;
}

static void check_order(struct btree_check *k, uint32_t page, const uint8_t *at,
                        const struct bounds *b)
{
    uint8_t key[2][OLTP_KEY_MAX];
    size_t n[2] = {0, 0};

    for (unsigned i = 0; i < page_count(at); i++) {
        unsigned now = i & 1;

        n[now] = oltp_page_key(at, i, key[now]);
        if (i > 0 && seam_key_compare(key[!now], n[!now], key[now], n[now]) >= 0)
            problem(k, page, "keys are out of order (2)");
        if (i == 0 && seam_key_compare(key[now], n[now], b->low, b->low_size) < 0)
            problem(k, page, "a key is below its parent's (2)");
        if (b->has_high && seam_key_compare(key[now], n[now], b->high, b->high_size) >= 0)
            problem(k, page, "a key is not below its parent's next (2)");
    }
}

static void meet_overflow(struct btree_check *k, const struct oltp_cell *c)
{
    uint64_t left = ((uint64_t)c->size + PAGE_BODY - 1) / PAGE_BODY;

    for (struct oltp_ref page = c->child; page.page != 0 && left > 0; left--) {
        struct seam_fault f = {0};
        const uint8_t *at;

        if (pager_pin(k->pager, page, k->spare, &at, &f) != SEAM_OK) {
            report_fault(k, page.page, &f);
            return;
        }
        if (page_kind(at) != PAGE_OVERFLOW || page_tree(at) != k->tree_id)
            problem(k, page.page, "is no overflow page of this tree");
        if (!meet(k, page.page)) problem(k, page.page, "is in two places (4)");
        k->walk->overflow++;
        page = page_link(at);
    }
}

static enum seam_status check_leaf(struct btree_check *k, uint32_t page, const uint8_t *at)
{
    uint8_t key[OLTP_KEY_MAX];
    enum seam_status st = SEAM_OK;

    k->walk->leaves++;
    k->walk->bytes_used += page_live_bytes(at);
    k->walk->entries += page_count(at);
    for (unsigned i = 0; st == SEAM_OK && i < page_count(at); i++) {
        struct oltp_cell c = page_cell(at, i);
        struct wal_bytes value;
        struct seam_fault f = {0};

        if (c.bytes > PAGE_INLINE_MAX + 16) problem(k, page, "a cell is too large (5)");
        if (c.big) meet_overflow(k, &c);
        if (k->walk->entry == NULL) continue;
        st = oltp_cell_value(k->pager, &c, k->spare, &k->big, &value, &f);
        if (st != SEAM_OK) {
            report_fault(k, page, &f);
            st = SEAM_OK;
            continue;
        }
        st =
            k->walk->entry(k->walk->ctx, (struct wal_bytes){key, oltp_page_key(at, i, key)}, value);
    }
    return st;
}

static enum seam_status check_page(struct btree_check *k, struct oltp_ref page, unsigned level,
                                   const struct bounds *b);

static enum seam_status check_children(struct btree_check *k, const uint8_t *at, unsigned level,
                                       const struct bounds *b)
{
    uint8_t *keys = malloc(2 * OLTP_KEY_MAX);
    size_t low_size = b->low_size;
    enum seam_status st = keys == NULL ? SEAM_NOMEM : SEAM_OK;

    if (st == SEAM_OK) memcpy(keys, b->low, low_size);
    for (unsigned i = 0; st == SEAM_OK && i <= page_count(at); i++) {
        struct bounds child = {.low = keys,
                               .low_size = low_size,
                               .high = b->high,
                               .high_size = b->high_size,
                               .has_high = b->has_high};

        if (i < page_count(at)) {
            child.high = keys + OLTP_KEY_MAX;
            child.high_size = oltp_page_key(at, i, keys + OLTP_KEY_MAX);
            child.has_high = true;
        }
        st = check_page(k, page_child(at, i), level - 1, &child);
        if (i == page_count(at)) break;
        memcpy(keys, child.high, child.high_size);
        low_size = child.high_size;
    }
    free(keys);
    return st;
}

static enum seam_status check_page(struct btree_check *k, struct oltp_ref page, unsigned level,
                                   const struct bounds *b)
{
    struct seam_fault f = {0};
    uint8_t *at = malloc(OLTP_PAGE_SIZE);
    enum seam_status st =
        at == NULL ? SEAM_NOMEM : oltp_pager_read(k->pager, page, k->leaf, at, &f);

    if (st != SEAM_OK && st != SEAM_NOMEM) {
        report_fault(k, page.page, &f);
        st = SEAM_OK;
    } else if (st == SEAM_OK && !meet(k, page.page)) {
        problem(k, page.page, "is in two places (4)");
    } else if (st == SEAM_OK && header_fits(k, page.page, at, level)) {
        check_order(k, page.page, at, b);
        k->walk->inners += level > 0;
        st = level == 0 ? check_leaf(k, page.page, at) : check_children(k, at, level, b);
    }
    free(at);
    return st;
}

enum seam_status oltp_tree_check(struct oltp_pager *p, const struct oltp_tree *t, uint32_t tree_id,
                                 uint64_t epoch, struct oltp_tree_walk *walk, struct seam_fault *f)
{
    struct btree_check k = {.pager = p,
                            .walk = walk,
                            .tree_id = tree_id,
                            .epoch = epoch,
                            .leaf = oltp_hazard_take(p),
                            .spare = oltp_hazard_take(p)};
    struct bounds all = {.low = (const uint8_t *)""};
    uint64_t before = walk->entries;
    enum seam_status st = SEAM_OK;

    if (k.leaf == NULL || k.spare == NULL)
        st = seam_fault_set(f, SEAM_LIMIT, p->path, SEAM_FAULT_NO_OFFSET,
                            "too many cursors are open");
    if (st == SEAM_OK && t->depth > 0) st = check_page(&k, t->root, t->depth - 1, &all);
    if (st == SEAM_OK && walk->entries - before != t->count)
        problem(&k, t->root.page, "its leaves do not add up to its count (4)");
    if (k.leaf != NULL) oltp_hazard_give(k.leaf);
    if (k.spare != NULL) oltp_hazard_give(k.spare);
    seam_buf_free(&k.big);
    return st;
}
