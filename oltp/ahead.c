/* ahead - a thread (or some) that brings in the pages a replay is about to change.
 *
 *   log   ... applied | held or being applied |  looked at by the helpers    | not read yet
 *                       ^ consumed               ^ at most `distance` rows on
 *
 * A helper reads the log on its own, finds the leaf of each row (and of its index entries) in the trees of the
 * checkpoint, asks the disk for a batch of them at once, then loads and checks them. It is a reader like any other, on
 * a snapshot of its own: what it looks at cannot change or be used again, and what it fails at is not its to report; the
 * replay will come to it. A page is brought in once: after its first change the replay has a copy of its own. */
#include "oltp/db.h"

#include <stdlib.h>

enum { HELPERS_MAX = 16, BATCH_ROWS = 32, BATCH_PAGES = 128, SIGNAL_ROWS = 32 };

struct helper {
    struct oltp_ahead *a;
    pthread_t thread;
    unsigned number;
    struct oltp_txn *t;
    struct wal_reader *log;
    struct seam_value *values;
    struct seam_buf entry;
    struct oltp_ref refs[BATCH_PAGES];
    uint32_t pages[BATCH_PAGES]; /* their numbers */
    size_t count;
};

struct oltp_ahead {
    struct oltp *db;
    seam_lsn_t from;
    uint64_t distance, told;
    _Atomic uint64_t consumed; /* rows of the log that the replay is done with */
    _Atomic bool stop;
    pthread_mutex_t latch;
    pthread_cond_t moved;
    _Atomic uint8_t *met; /* a byte a page: brought in already */
    uint32_t pages;
    unsigned helpers, started;
    struct helper helper[HELPERS_MAX];
};

/* Waits until row `row` is near enough. False: the replay has ended. */
static bool near_enough(struct oltp_ahead *a, uint64_t row)
{
    if (row < atomic_load(&a->consumed) + a->distance) return !atomic_load(&a->stop);
    pthread_mutex_lock(&a->latch);
    while (!atomic_load(&a->stop) && row >= atomic_load(&a->consumed) + a->distance)
        pthread_cond_wait(&a->moved, &a->latch);
    pthread_mutex_unlock(&a->latch);
    return !atomic_load(&a->stop);
}

static void want(struct helper *h, uint32_t slot, const uint8_t *key, size_t n)
{
    struct oltp_ref page;

    if (h->count == BATCH_PAGES ||
        oltp_tree_leaf_page(&h->a->db->pager, &h->t->trees[slot], key, n, h->t->hazard, &page,
                            NULL) != SEAM_OK ||
        page.page >= h->a->pages ||
        atomic_exchange_explicit(&h->a->met[page.page], 1, memory_order_relaxed))
        return;
    h->refs[h->count] = page;
    h->pages[h->count++] = page.page;
}

static void want_entries(struct helper *h, const struct oltp_table *tb, struct wal_bytes key,
                         struct wal_bytes row)
{
    size_t prefix;
    bool has_null;

    if (row.data == NULL ||
        seam_row_decode(&tb->schema, row.data, row.size, h->values, NULL) != SEAM_OK)
        return;
    for (unsigned ix = 0; ix < tb->schema.index_count; ix++)
        if (oltp_index_entry_key(tb, ix, h->values, key, &h->entry, &prefix, &has_null, NULL) ==
            SEAM_OK)
            want(h, tb->index[ix], h->entry.data, h->entry.size);
}

static void want_row(struct helper *h, const struct wal_record *r)
{
    struct wal_change_row c;
    const struct oltp_table *tb;

    if (wal_change_get_row(r->data, r->size, &c, NULL) != SEAM_OK) return;
    tb = table_of(h->t, c.table);
    if (tb == NULL || tb->schema.version != c.version) return;
    want(h, tb->primary, c.key.data, c.key.size);
    if (tb->schema.index_count == 0) return;
    want_entries(h, tb, c.key, c.before);
    want_entries(h, tb, c.key, c.op == WAL_OP_DELETE ? (struct wal_bytes){0} : c.after);
}

static void bring(struct helper *h)
{
    struct oltp_pager *p = &h->a->db->pager;

    oltp_pager_read_ahead(p, h->pages, h->count);
    for (size_t i = 0; i < h->count && !atomic_load(&h->a->stop); i++) {
        const uint8_t *at;

        if (pager_pin(p, h->refs[i], h->t->hazard, &at, NULL) != SEAM_OK) break;
    }
    hazard_clear(h->t->hazard);
    h->count = 0;
}

static void *help(void *arg)
{
    struct helper *h = arg;
    struct oltp_ahead *a = h->a;
    struct wal_record r;

    for (uint64_t row = 0; wal_reader_next(h->log, &r, NULL) == SEAM_OK;) {
        uint64_t batch = row / BATCH_ROWS;

        if (r.type != WAL_CHANGE_ROW) continue;
        if (batch % a->helpers == h->number && row >= atomic_load(&a->consumed)) want_row(h, &r);
        row++;
        if (row % BATCH_ROWS != 0) continue;
        bring(h);
        if (!near_enough(a, row)) break;
    }
    if (!atomic_load(&a->stop)) bring(h);
    return NULL;
}

static bool helper_prepare(struct oltp_ahead *a, struct helper *h)
{
    h->a = a;
    h->number = a->helpers;
    h->values = malloc(SEAM_COLUMNS_MAX * sizeof *h->values);
    return h->values != NULL && oltp_read_begin(a->db, &h->t, NULL) == SEAM_OK &&
           wal_reader_open(a->db->io, a->db->wal_dir, a->from, 0, &h->log, NULL) == SEAM_OK;
}

static void helper_free(struct helper *h)
{
    oltp_end(h->t);
    wal_reader_close(h->log);
    seam_buf_free(&h->entry);
    free(h->values);
}

struct oltp_ahead *oltp_ahead_start(struct oltp *db, seam_lsn_t from, int helpers)
{
    struct oltp_ahead *a = calloc(1, sizeof *a);

    if (a == NULL) return NULL;
    a->db = db;
    a->from = from;
    a->distance = db->pager.frame_count / 32;
    a->pages = atomic_load(&db->pager.pages);
    a->met = calloc(a->pages, 1);
    pthread_mutex_init(&a->latch, NULL);
    pthread_cond_init(&a->moved, NULL);
    if (helpers > HELPERS_MAX) helpers = HELPERS_MAX;
    while (a->met != NULL && (int)a->helpers < helpers) {
        if (!helper_prepare(a, &a->helper[a->helpers])) {
            helper_free(&a->helper[a->helpers]);
            break;
        }
        a->helpers++;
    }
    /* Only now, since they share the batches by how many they are. One that does not start leaves its share to the
     * replay itself. */
    while (a->started < a->helpers &&
           pthread_create(&a->helper[a->started].thread, NULL, help, &a->helper[a->started]) == 0)
        a->started++;
    return a;
}

void oltp_ahead_consumed(struct oltp_ahead *a, uint64_t rows)
{
    if (a == NULL) return;
    atomic_store(&a->consumed, rows);
    if (rows - a->told < SIGNAL_ROWS) return;
    a->told = rows;
    pthread_mutex_lock(&a->latch);
    pthread_cond_broadcast(&a->moved);
    pthread_mutex_unlock(&a->latch);
}

void oltp_ahead_stop(struct oltp_ahead *a)
{
    if (a == NULL) return;
    pthread_mutex_lock(&a->latch);
    atomic_store(&a->stop, true);
    pthread_cond_broadcast(&a->moved);
    pthread_mutex_unlock(&a->latch);
    for (unsigned i = 0; i < a->started; i++) pthread_join(a->helper[i].thread, NULL);
    for (unsigned i = 0; i < a->helpers; i++) helper_free(&a->helper[i]);
    pthread_mutex_destroy(&a->latch);
    pthread_cond_destroy(&a->moved);
    free((void *)a->met);
    free(a);
}
