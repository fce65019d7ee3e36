/* vacuum - a shorter file, while others read and write.
 *
 * Pages past the wanted end are moved to the holes before it, a turn (a short write transaction) at a time:
 *
 *   a tree page     its path is copied as for any change; the copies get the lowest free numbers
 *   a large row     is written again, as if it had been replaced by itself
 *
 * No row changes, so the log hears nothing. What was moved leaves its old place after the next checkpoint; a pass
 * goes on until the holes are used up, a checkpoint makes new ones, and another pass follows while anything moves. Then
 * nothing refers to the tail, and the file is cut. A crash at any point leaves the checkpoint in force. */
#include "oltp/db.h"

#include <stdlib.h>

enum {
    TURN_PAGES = 256,  /* pages a turn moves, at most: or one large row */
    TURN_LOOKS = 1024, /* pages a turn looks at, at most */
    HOLES_MIN = 16,    /* what copying the paths of one more page may take */
    SLACK_PAGES = 8,
    PASSES_MAX = 32,
};

struct move {
    uint32_t slot;
    size_t key_at, key_size;
    bool row; /* the row with that key; else the pages on the way to it */
};

struct moving {
    struct oltp *db;
    uint32_t cut;
    struct move moves[TURN_PAGES];
    size_t count;
    struct seam_buf keys, value;
    uint32_t slot;        /* where the pass goes on: in this tree, */
    struct seam_buf from; /* ... at this key */
    bool primary;         /* only primary trees have rows, and so overflow pages */
    uint32_t holes;       /* free pages before the cut as the turn began */
    size_t left, looks;
    size_t skipped; /* pages of the largest thing that the holes could not take */
    size_t slack;   /* pages the file may keep beyond what is in use */
};

static enum seam_status no_memory(struct oltp *db, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOMEM, db->dir, SEAM_FAULT_NO_OFFSET, "no memory to vacuum");
}

/* ---- finding --------------------------------------------------------------------------------------- */

/* The turn ends before this key. */
static enum seam_status stop_at(struct moving *m, const uint8_t *key, size_t n)
{
    seam_buf_clear(&m->from);
    seam_buf_append(&m->from, key, n);
    return seam_buf_ok(&m->from) ? SEAM_END : SEAM_NOMEM;
}

static void note(struct moving *m, const uint8_t *key, size_t n, bool row, size_t pages)
{
    m->moves[m->count++] =
        (struct move){.slot = m->slot, .key_at = m->keys.size, .key_size = n, .row = row};
    seam_buf_append(&m->keys, key, n);
    m->left -= pages < m->left ? pages : m->left;
}

static struct wal_bytes from_key(const struct moving *m)
{
    return m->from.size > 0 ? (struct wal_bytes){m->from.data, m->from.size}
                            : (struct wal_bytes){(const uint8_t *)"", 0};
}

/* A row of more pages than a turn may move is a turn of its own, when the holes take it. */
static bool fits(const struct moving *m, size_t pages)
{
    return pages <= m->left || (m->count == 0 && pages + HOLES_MIN <= m->holes);
}

/* Does the row hang in a page past the cut? */
static enum seam_status row_is_past(struct moving *m, const struct oltp_cell *c, bool *past,
                                    struct seam_fault *f)
{
    struct oltp_ref page = c->child;

    *past = false;
    for (uint64_t left = ((uint64_t)c->size + PAGE_BODY - 1) / PAGE_BODY;
         left > 0 && page.page != 0 && !*past; left--) {
        const uint8_t *at;
        enum seam_status st = pager_pin(&m->db->pager, page, m->db->w.hazard, &at, f);

        if (st != SEAM_OK) return st;
        m->looks++;
        *past = page.page >= m->cut;
        page = page_link(at);
    }
    return SEAM_OK;
}

/* The large rows of a leaf, from `from` on when the turn before stopped in it. */
static enum seam_status look_at_rows(struct moving *m, const uint8_t *leaf, bool edge,
                                     struct seam_fault *f)
{
    uint8_t key[OLTP_KEY_MAX];
    struct wal_bytes from = from_key(m);
    bool exact, past = false;
    enum seam_status st = SEAM_OK;

    for (unsigned i = edge ? oltp_page_find(leaf, from.data, from.size, &exact) : 0;
         st == SEAM_OK && i < page_count(leaf); i++) {
        struct oltp_cell c = page_cell(leaf, i);
        size_t pages = (c.size + PAGE_BODY - 1) / PAGE_BODY, n;

        if (!c.big) continue;
        n = oltp_page_key(leaf, i, key);
        if (m->looks >= TURN_LOOKS || m->count == TURN_PAGES || (!fits(m, pages) && m->count > 0))
            return stop_at(m, key, n);
        st = row_is_past(m, &c, &past, f);
        if (st == SEAM_OK && past && fits(m, pages))
            note(m, key, n, true, pages);
        else if (past && pages > m->skipped)
            m->skipped = pages;
    }
    return st;
}

/* Notes what lies past the cut in `page` and below, all of it at or above key `low`; on the edge, from `from` on.
 * SEAM_END: the turn has enough. */
static enum seam_status look(struct moving *m, struct oltp_ref page, unsigned level,
                             const uint8_t *low, size_t low_size, bool edge, struct seam_fault *f)
{
    uint8_t key[OLTP_KEY_MAX], *at;
    struct wal_bytes from = from_key(m);
    unsigned first = 0;
    enum seam_status st;

    if (m->count == TURN_PAGES || m->left == 0 || m->looks >= TURN_LOOKS)
        return edge ? SEAM_END : stop_at(m, low, low_size);
    if (page.page >= m->cut) note(m, low, low_size, false, 1);
    if (level == 0 && !m->primary) return SEAM_OK;
    at = malloc(OLTP_PAGE_SIZE);
    st = at == NULL ? no_memory(m->db, f)
                    : oltp_pager_read(&m->db->pager, page, m->db->w.hazard, at, f);
    m->looks++;
    if (st == SEAM_OK && !page_is_tree(at, level))
        st = oltp_level_fault(&m->db->pager, page.page, at, level, f);
    if (st == SEAM_OK && level == 0) st = look_at_rows(m, at, edge, f);
    if (st == SEAM_OK && level > 0 && edge) first = page_find_child(at, from.data, from.size);
    for (unsigned i = first; st == SEAM_OK && level > 0 && i <= page_count(at); i++) {
        size_t n = i == 0 ? low_size : oltp_page_key(at, i - 1, key);

        st = look(m, page_child(at, i), level - 1, i == 0 ? low : key, n, edge && i == first, f);
    }
    free(at);
    return st;
}

static uint32_t number_of_slot(const struct oltp_catalog *c, uint32_t slot)
{
    for (uint32_t i = 0; i < c->table_count; i++) {
        const struct oltp_table *tb = c->tables[i];

        if (tb == NULL) continue;
        if (tb->primary == slot) return tree_number(i + 1, 0);
        for (unsigned ix = 0; ix < tb->schema.index_count; ix++)
            if (tb->index[ix] == slot) return tree_number(i + 1, tb->schema.indexes[ix].id);
    }
    return 0;
}

/* ---- moving ---------------------------------------------------------------------------------------- */

static enum seam_status move_one(struct moving *m, struct oltp_txn *t, const struct move *v,
                                 struct seam_fault *f)
{
    struct oltp_tree_writer *w = &m->db->w;
    const uint8_t *key = m->keys.data + v->key_at;
    struct wal_bytes value;
    enum seam_status st = oltp_tree_prepare(
        w, &t->trees[v->slot], number_of_slot(t->catalog, v->slot), key, v->key_size, f);

    if (st != SEAM_OK || !v->row || !w->exact) return st;
    st = oltp_tree_prepared_value(w, &m->value, &value, f);
    return st == SEAM_OK ? oltp_tree_store(w, key, v->key_size, value.data, value.size, f) : st;
}

/* Looks on from where the turn before stopped. *done: the pass has seen everything. */
static enum seam_status find_moves(struct moving *m, struct oltp_txn *t, bool *done,
                                   struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (; st == SEAM_OK && m->slot < t->catalog->slots; m->slot++) {
        const struct oltp_tree *tree = &t->trees[m->slot];
        uint32_t number = number_of_slot(t->catalog, m->slot);

        m->primary = (number & ((1 << TREE_INDEX_BITS) - 1)) == 0;
        if (tree->depth > 0)
            st = look(m, tree->root, tree->depth - 1, (const uint8_t *)"", 0, true, f);
        if (st == SEAM_END) return SEAM_OK;
        seam_buf_clear(&m->from);
    }
    *done = st == SEAM_OK;
    return st == SEAM_NOMEM ? no_memory(m->db, f) : st;
}

/* One turn: a write transaction that only moves. */
static enum seam_status turn(struct moving *m, uint64_t *moved, bool *done, struct seam_fault *f)
{
    struct oltp *db = m->db;
    struct oltp_txn *t = NULL;
    enum seam_status st = oltp_write_begin(db, &t, f);

    if (st != SEAM_OK) return st;
    m->count = m->looks = 0;
    seam_buf_clear(&m->keys);
    oltp_space_cool(&db->pager);
    m->holes = oltp_space_free_below(&db->pager, m->cut);
    *done = m->holes < HOLES_MIN; /* a checkpoint makes more */
    if (*done && m->skipped < HOLES_MIN) m->skipped = HOLES_MIN;
    /* The copies of the paths take holes too, that the first half leaves to them. */
    m->left = m->holes / 2 < TURN_PAGES ? m->holes / 2 : TURN_PAGES;
    if (!*done) st = find_moves(m, t, done, f);
    if (st == SEAM_OK && !seam_buf_ok(&m->keys)) st = no_memory(db, f);
    for (size_t i = 0; st == SEAM_OK && i < m->count; i++) st = move_one(m, t, &m->moves[i], f);
    if (st == SEAM_OK && m->count > 0)
        st = oltp_space_reserve_dead(&db->pager, db->w.freed_count, f);
    if (st == SEAM_OK && m->count > 0)
        st = oltp_txn_install(t, t->version->lsn, t->version->wall_us, f);
    if (st == SEAM_OK) *moved += m->count;
    oltp_end(t); /* after the install there is nothing left to take back */
    return st;
}

/* Everything once. */
static enum seam_status pass(struct moving *m, uint64_t *moved, struct seam_fault *f)
{
    struct oltp_pager *p = &m->db->pager;
    bool done = false;
    enum seam_status st = SEAM_OK;

    pthread_mutex_lock(&m->db->writer_latch);
    oltp_space_cool(p);
    m->cut = atomic_load(&p->pages) - p->space.free + (uint32_t)m->slack;
    pthread_mutex_unlock(&m->db->writer_latch);
    m->slot = 0;
    m->skipped = 0;
    seam_buf_clear(&m->from);
    while (st == SEAM_OK && !done) st = turn(m, moved, &done, f);
    return st;
}

static enum seam_status checkpoint_from_front(struct oltp *db, struct seam_fault *f)
{
    enum seam_status st;

    pthread_mutex_lock(&db->checkpoint_latch);
    pthread_mutex_lock(&db->writer_latch);
    oltp_space_cool(&db->pager);
    pthread_mutex_unlock(&db->writer_latch);
    st = oltp_checkpoint_now(db, true, f);
    pthread_mutex_unlock(&db->checkpoint_latch);
    return st;
}

static enum seam_status cut(struct oltp *db, uint64_t *freed, struct seam_fault *f)
{
    uint32_t before, after;
    enum seam_status st;

    pthread_mutex_lock(&db->checkpoint_latch);
    st = oltp_checkpoint_finish(db, f); /* it may name pages beyond the cut */
    if (st != SEAM_OK) goto done;
    pthread_mutex_lock(&db->writer_latch);
    before = atomic_load(&db->pager.pages);
    after = oltp_space_shrink(&db->pager);
    *freed += (uint64_t)(before - after) * OLTP_PAGE_SIZE;
    pthread_mutex_unlock(&db->writer_latch);
    st = after < before ? oltp_checkpoint_now(db, true, f)
                        : SEAM_OK; /* a meta page that knows the new end, then the cut */
    if (st == SEAM_OK && after < before) {
        pthread_mutex_lock(&db->writer_latch);
        st = seam_file_truncate(db->pager.file,
                                (uint64_t)atomic_load(&db->pager.pages) * OLTP_PAGE_SIZE, f);
        pthread_mutex_unlock(&db->writer_latch);
    }
done:
    pthread_mutex_unlock(&db->checkpoint_latch);
    return st;
}

enum seam_status oltp_vacuum(struct oltp *db, uint64_t *freed, struct seam_fault *f)
{
    struct moving *m;
    uint64_t moved = 1;
    enum seam_status st = oltp_db_poisoned(db, f);

    *freed = 0;
    if (st != SEAM_OK) return st;
    if (db->read_only)
        return seam_fault_set(f, SEAM_UNSUPPORTED, db->dir, SEAM_FAULT_NO_OFFSET,
                              "this database was opened read-only");
    m = calloc(1, sizeof *m);
    if (m == NULL) return no_memory(db, f);
    m->db = db;
    m->slack = SLACK_PAGES;
    for (int i = 0; st == SEAM_OK && moved > 0 && i < PASSES_MAX; i++) {
        moved = 0;
        st = checkpoint_from_front(db, f);
        if (st == SEAM_OK) st = pass(m, &moved, f);
        if (moved == 0 &&
            m->skipped + HOLES_MIN > m->slack) { /* a row needs so many holes at once */
            m->slack = m->skipped + HOLES_MIN;
            moved = 1;
        }
    }
    seam_buf_free(&m->keys);
    seam_buf_free(&m->value);
    seam_buf_free(&m->from);
    free(m);
    if (st == SEAM_OK) st = checkpoint_from_front(db, f);
    return st == SEAM_OK ? cut(db, freed, f) : st;
}
