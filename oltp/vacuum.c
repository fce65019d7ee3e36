/* vacuum - a shorter file, while others read and write.
 *
 * A checkpoint gives free pages to the front of the search; then every page past the wanted end is moved: its
 * path is copied as for any change (the copies get numbers from the front), a few hundred pages a transaction,
 * which says nothing to the log because no row changes. Two checkpoints later nothing refers to the tail, and
 * the file is cut. */
#include "oltp/db.h"

#include <stdlib.h>

enum { MOVES_A_TURN = 256 };

struct moving {
    uint32_t cut;
    size_t count;
    uint32_t trees[MOVES_A_TURN];
    size_t key_at[MOVES_A_TURN], key_size[MOVES_A_TURN];
    struct buf keys;
};

/* Notes a key under each page past the cut, below `page`. */
static enum status find_moves(struct oltp *db, struct moving *m, uint32_t slot, uint32_t page,
                              unsigned level, const uint8_t *low, size_t low_size, struct fault *f)
{
    uint8_t key[OLTP_KEY_MAX], *at;
    enum status st;

    if (m->count == MOVES_A_TURN) return ST_OK;
    if (page >= m->cut) {
        m->trees[m->count] = slot;
        m->key_at[m->count] = m->keys.size;
        m->key_size[m->count++] = low_size;
        buf_append(&m->keys, low, low_size);
    }
    if (level == 0) return ST_OK;
    at = malloc(OLTP_PAGE_SIZE);
    st = at == NULL ? fault_set(f, ST_NOMEM, db->dir, FAULT_NO_OFFSET, "no memory to vacuum")
                    : pager_read(&db->pager, page, db->w.hazard, at, f);
    if (st == ST_OK && !page_is_tree(at, level)) st = level_fault(&db->pager, page, at, level, f);
    for (unsigned i = 0; st == ST_OK && i <= page_count(at) && m->count < MOVES_A_TURN; i++) {
        size_t n = i == 0 ? low_size : page_key(at, i - 1, key);

        st = find_moves(db, m, slot, page_child(at, i), level - 1, i == 0 ? low : key, n, f);
    }
    free(at);
    return st;
}

static uint32_t number_of_slot(const struct catalog *c, uint32_t slot)
{
    for (uint32_t i = 0; i < c->table_count; i++) {
        const struct table *tb = c->tables[i];

        if (tb == NULL) continue;
        if (tb->primary == slot) return tree_number(i + 1, 0);
        for (unsigned ix = 0; ix < tb->schema.index_count; ix++)
            if (tb->index[ix] == slot) return tree_number(i + 1, tb->schema.indexes[ix].id);
    }
    return 0;
}

/* One turn: a write transaction that only moves. *moved = 0: nothing is left past the cut. */
static enum status move_some(struct oltp *db, struct moving *m, struct fault *f)
{
    struct oltp_txn *t = NULL;
    enum status st = oltp_write_begin(db, &t, f);

    if (st != ST_OK) return st;
    m->count = 0;
    buf_clear(&m->keys);
    for (uint32_t slot = 0; st == ST_OK && slot < t->catalog->slots; slot++)
        if (t->trees[slot].depth > 0)
            st = find_moves(db, m, slot, t->trees[slot].root, t->trees[slot].depth - 1,
                            (const uint8_t *)"", 0, f);
    if (st == ST_OK && !buf_ok(&m->keys))
        st = fault_set(f, ST_NOMEM, db->dir, FAULT_NO_OFFSET, "no memory to vacuum");
    for (size_t i = 0; st == ST_OK && i < m->count; i++)
        st = tree_prepare(&db->w, &t->trees[m->trees[i]], number_of_slot(t->catalog, m->trees[i]),
                          m->keys.data + m->key_at[i], m->key_size[i], f);
    if (st == ST_OK && m->count > 0) st = space_reserve_dead(&db->pager, db->w.freed_count, f);
    if (st == ST_OK && m->count > 0) st = txn_install(t, t->version->lsn, t->version->wall_us, f);
    oltp_end(t); /* after the install there is nothing left to take back */
    return st;
}

static void search_from_front(struct oltp *db)
{
    pthread_mutex_lock(&db->writer_latch);
    space_cool(&db->pager);
    pthread_mutex_unlock(&db->writer_latch);
}

static enum status cut(struct oltp *db, uint64_t *freed, struct fault *f)
{
    uint32_t before, after;
    enum status st;

    pthread_mutex_lock(&db->checkpoint_latch);
    st = checkpoint_finish(db, f); /* it may name pages beyond the cut */
    if (st != ST_OK) goto done;
    pthread_mutex_lock(&db->writer_latch);
    before = atomic_load(&db->pager.pages);
    after = space_shrink(&db->pager);
    *freed += (uint64_t)(before - after) * OLTP_PAGE_SIZE;
    pthread_mutex_unlock(&db->writer_latch);
    st = after < before ? checkpoint_now(db, true, f)
                        : ST_OK; /* a meta page that knows the new end, then the cut */
    if (st == ST_OK && after < before) {
        pthread_mutex_lock(&db->writer_latch);
        st = file_truncate(db->pager.file, (uint64_t)atomic_load(&db->pager.pages) * OLTP_PAGE_SIZE,
                           f);
        pthread_mutex_unlock(&db->writer_latch);
    }
done:
    pthread_mutex_unlock(&db->checkpoint_latch);
    return st;
}

enum status oltp_vacuum(struct oltp *db, uint64_t *freed, struct fault *f)
{
    struct moving m = {0};
    enum status st;

    *freed = 0;
    if (db->read_only)
        return fault_set(f, ST_UNSUPPORTED, db->dir, FAULT_NO_OFFSET,
                         "this database was opened read-only");
    st = oltp_checkpoint(db, f);
    if (st != ST_OK) return st;
    pthread_mutex_lock(&db->writer_latch);
    m.cut = atomic_load(&db->pager.pages) - db->pager.space.free - db->pager.space.hot_count + 8;
    pthread_mutex_unlock(&db->writer_latch);
    do { /* each turn frees its old pages only after a checkpoint: the front fills up from what was free before */
        search_from_front(db);
        st = move_some(db, &m, f);
    } while (st == ST_OK && m.count > 0 && db->pager.space.free > 2 * MOVES_A_TURN);
    buf_free(&m.keys);
    for (int i = 0; st == ST_OK && i < 2; i++) {
        pthread_mutex_lock(&db->checkpoint_latch);
        search_from_front(db);
        st = checkpoint_now(db, true, f);
        pthread_mutex_unlock(&db->checkpoint_latch);
    }
    return st == ST_OK ? cut(db, freed, f) : st;
}
