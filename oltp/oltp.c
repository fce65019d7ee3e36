/* oltp - opening and closing, by the writer and by readers. */
#include "oltp/db.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "engine/base/thread.h"

#define SHARED_MAGIC 0x31304e4950504c4full /* "OLPPIN01" */
enum { OPEN_ATTEMPTS = 8 };

/* The log's usual place: the folder `wal` beside this one. */
static enum seam_status beside(char out[SEAM_PATH_MAX_BYTES], const char *dir, struct seam_fault *f)
{
    size_t n = strlen(dir);

    while (n > 0 && dir[n - 1] == '/') n--;
    while (n > 0 && dir[n - 1] != '/') n--;
    if (n + sizeof "wal" > SEAM_PATH_MAX_BYTES)
        return seam_fault_set(f, SEAM_LIMIT, dir, SEAM_FAULT_NO_OFFSET, "the path is too long");
    memcpy(out, dir, n);
    memcpy(out + n, "wal", sizeof "wal");
    return SEAM_OK;
}

static enum seam_status paths(struct oltp *db, const char *dir, char pages[SEAM_PATH_MAX_BYTES],
                              struct seam_fault *f)
{
    enum seam_status st = seam_path_join(pages, dir, "pages", f);

    if (st != SEAM_OK) return st;
    snprintf(db->dir, sizeof db->dir, "%s", dir);
    if (st == SEAM_OK) st = seam_path_join(db->shared_path, dir, "shared", f);
    if (st != SEAM_OK) return st;
    if (db->o.wal != NULL)
        snprintf(db->wal_dir, sizeof db->wal_dir, "%s", wal_dir(db->o.wal));
    else if (db->o.wal_dir != NULL)
        snprintf(db->wal_dir, sizeof db->wal_dir, "%s", db->o.wal_dir);
    else
        st = beside(db->wal_dir, dir, f);
    return st;
}

static void defaults(struct oltp *db, struct seam_io *io, const struct oltp_options *o)
{
    db->o = o != NULL ? *o : (struct oltp_options){0};
    if (db->o.cache_bytes == 0) db->o.cache_bytes = 256 << 20;
    if (db->o.cache_bytes < OLTP_CACHE_MIN) db->o.cache_bytes = OLTP_CACHE_MIN;
    if (db->o.private_bytes == 0) db->o.private_bytes = 1 << 30;
    if (db->o.checkpoint_log_bytes == 0) db->o.checkpoint_log_bytes = 256 << 20;
    /* A simulated disk has nothing to begin early, and its runs are to be repeatable: there only when asked for. */
    if (db->o.recovery_helpers == 0) db->o.recovery_helpers = io->ops->will_need != NULL ? 1 : -1;
    db->o.as_of = o == NULL || o->as_of == SEAM_LSN_NONE ? SEAM_LSN_MAX
                  : o->as_of == OLTP_AS_OF_ZERO          ? SEAM_LSN_NONE
                                                         : o->as_of;
    db->o.as_of_us = o == NULL || o->as_of_us == 0     ? INT64_MAX
                     : o->as_of_us == OLTP_AS_OF_EPOCH ? 0
                                                       : o->as_of_us;
    if (db->o.retain_checkpoints > RETAINED_MAX) db->o.retain_checkpoints = RETAINED_MAX;
    db->io = io;
    db->clock = db->o.clock != NULL ? db->o.clock : seam_clock_real();
    db->trace = db->o.trace;
    db->read_only = db->o.read_only;
    db->wal = db->o.wal;
}

/* NULL: no memory. */
static struct oltp *db_new(struct seam_io *io, const struct oltp_options *o)
{
    struct oltp *db = aligned_alloc(64, (sizeof *db + 63) & ~(size_t)63);
    enum { SEEN_MAX = OLTP_PINS_MAX + RETAINED_MAX + OLTP_READERS_MAX + 2 };

    if (db == NULL) return NULL;
    memset(db, 0, sizeof *db);
    seam_fork_mark_set(&db->mark);
    defaults(db, io, o);
    pthread_mutex_init(&db->writer_latch, NULL);
    pthread_mutex_init(&db->checkpoint_latch, NULL);
    pthread_mutex_init(&db->stats_latch, NULL);
    seam_histogram_init(&db->commit_ns);
    seam_histogram_init(&db->stall_ns);
    db->readers = aligned_alloc(64, OLTP_READERS_MAX * sizeof *db->readers);
    db->seen = malloc(SEEN_MAX * sizeof *db->seen);
    db->seen_before = malloc(SEEN_MAX * sizeof *db->seen_before);
    db->txn.saves = malloc(OLTP_SAVEPOINTS_MAX * sizeof *db->txn.saves);
    db->txn.values = malloc(SEAM_COLUMNS_MAX * sizeof *db->txn.values);
    db->txn.old_values = malloc(SEAM_COLUMNS_MAX * sizeof *db->txn.old_values);
    if (db->readers != NULL) /* before anything can fail: closing looks at each */
        memset(db->readers, 0, OLTP_READERS_MAX * sizeof *db->readers);
    if (db->readers == NULL || db->seen == NULL || db->seen_before == NULL ||
        db->txn.saves == NULL || db->txn.values == NULL || db->txn.old_values == NULL) {
        (void)oltp_close(db, NULL);
        return NULL;
    }
    return db;
}

static void txn_free(struct oltp_txn *t)
{
    while (t->spare != NULL) {
        struct oltp_cursor *c = t->spare;

        t->spare = c->next_spare;
        oltp_cursor_free(c);
    }
    seam_buf_free(&t->big);
    seam_buf_free(&t->key);
    seam_buf_free(&t->text);
}

static void versions_free(struct oltp_version *v)
{
    while (v != NULL) {
        struct oltp_version *next = v->next;

        free(v->trees);
        free(v);
        v = next;
    }
}

/* What belongs to one checkpoint's view: dropped when a reader starts over from a newer one. */
static void view_free(struct oltp *db)
{
    struct oltp_version *current = atomic_load(&db->current);

    for (size_t i = 0; db->readers != NULL && i < OLTP_READERS_MAX; i++) {
        txn_free(&db->readers[i].txn);
        memset(&db->readers[i].txn, 0, sizeof db->readers[i].txn);
    }
    txn_free(&db->txn);
    db->txn.spare = NULL;
    if (current != NULL) current->next = NULL;
    versions_free(current);
    versions_free(db->retired);
    versions_free(db->spare);
    atomic_store(&db->current, NULL);
    db->retired = db->spare = NULL;
    while (db->tables != NULL) {
        struct oltp_table *next = db->tables->next_owned;

        seam_schema_free(&db->tables->schema);
        free(db->tables);
        db->tables = next;
    }
    while (db->catalogs != NULL) {
        struct oltp_catalog *next = db->catalogs->next_owned;

        free(db->catalogs->tables);
        free(db->catalogs);
        db->catalogs = next;
    }
    oltp_tree_writer_free(&db->w);
    memset(&db->w, 0, sizeof db->w);
    if (db->pager.io != NULL) oltp_pager_close(&db->pager);
    oltp_checkpoint_drop(db);
    free(db->blob_pages);
    db->blob_pages = NULL;
    db->blob_count = db->retained_count = db->seen_before_count = db->dead_scanned = 0;
}

enum seam_status oltp_close(struct oltp *db, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    if (db == NULL) return SEAM_OK;
    view_free(db);
    if (!seam_forked(&db->mark)) oltp_pin_give(db);
    if (db->shared != NULL) {
        if (db->lock != NULL && !seam_forked(&db->mark)) atomic_store(&db->shared->writer_pid, 0);
        seam_io_unmap_shared(db->io, db->shared, SHARED_BYTES);
    }
    seam_file_close(db->pins);
    seam_file_close(db->lock);
    if (db->own_wal) st = wal_close(db->wal, f);
    seam_buf_free(&db->txn.pending);
    seam_buf_free(&db->txn.row);
    seam_buf_free(&db->txn.before);
    seam_buf_free(&db->txn.index_key);
    free(db->txn.saves);
    free(db->txn.values);
    free(db->txn.old_values);
    free(db->txn.trees);
    free(db->readers);
    free(db->seen);
    free(db->seen_before);
    pthread_mutex_destroy(&db->writer_latch);
    pthread_mutex_destroy(&db->checkpoint_latch);
    pthread_mutex_destroy(&db->stats_latch);
    seam_fork_mark_free(&db->mark);
    free(db);
    return st;
}

static enum seam_status map_shared(struct oltp *db, struct seam_fault *f)
{
    void *map = NULL;
    uint64_t fresh = 0;
    enum seam_status st =
        seam_io_map_shared(db->io, db->shared_path, SHARED_BYTES, SEAM_MAP_MAKE, &map, f);

    if (st != SEAM_OK) return st;
    db->shared = map;
    if (!atomic_compare_exchange_strong(&db->shared->magic, &fresh, SHARED_MAGIC) &&
        fresh != SHARED_MAGIC)
        return seam_fault_set(f, SEAM_CORRUPT, db->shared_path, 0,
                              "not a row store's shared page; remove it while nothing is open");
    return db->pins != NULL
               ? SEAM_OK
               : seam_file_open(db->io, db->shared_path, SEAM_FILE_WRITE, &db->pins, f);
}

/* A reader makes no file. Where it can put no pin, it reads without one if nobody writes: then no page changes (a copy, read-only
 * media); a writer that comes later is noticed, since a page knows its epoch. */
static enum seam_status join_shared(struct oltp *db, struct seam_fault *f)
{
    char lock[SEAM_PATH_MAX_BYTES];
    struct seam_fault why = {0};
    void *map = NULL;
    enum seam_status st =
        seam_io_map_shared(db->io, db->shared_path, SHARED_BYTES, SEAM_MAP_JOIN, &map, &why);

    if (st == SEAM_OK) {
        seam_io_unmap_shared(db->io, map, SHARED_BYTES);
        return map_shared(db, f);
    }
    if ((st == SEAM_NOT_FOUND || st == SEAM_IO) &&
        seam_path_join(lock, db->dir, SEAM_LOCK_NAME, NULL) == SEAM_OK &&
        !seam_io_locked(db->io, lock))
        return SEAM_OK;
    if (st == SEAM_IO && f != NULL && f->status == SEAM_OK)
        return seam_fault_set_os(f, SEAM_IO, db->shared_path, SEAM_FAULT_NO_OFFSET, why.os_errno,
                                 "somebody writes here, and a reader that may not write this file "
                                 "cannot ask for its pages to be kept");
    seam_fault_give(f, &why);
    return st;
}

/* The trees of checkpoint c as the handle's current version. */
enum seam_status oltp_view_load(struct oltp *db, const struct oltp_checkpoint *c,
                                struct seam_fault *f)
{
    struct seam_buf blob = {0};
    struct oltp_catalog *catalog = NULL;
    struct oltp_tree *trees = NULL;
    struct oltp_version *v = NULL;
    struct oltp_pager *p = &db->pager;
    enum seam_status st = SEAM_OK;

    atomic_store(&p->max_epoch, c->epoch);
    atomic_store(&p->state_lsn, c->lsn);
    if (c->catalog.page != 0) {
        struct seam_reader r;

        st = oltp_blob_read(p, c->catalog, &blob, db->read_only ? NULL : &db->blob_pages,
                            &db->blob_count, f);
        r = seam_reader_of(blob.data, blob.size);
        if (st == SEAM_OK) st = oltp_catalog_decode(db, &r, p->path, &catalog, &trees, f);
    } else {
        st = oltp_catalog_copy(db, NULL, &catalog, f);
    }
    if (st == SEAM_OK) st = oltp_version_make(db, catalog->slots, &v, f);
    if (st == SEAM_OK) {
        v->lsn = c->lsn;
        v->wall_us = c->wall_us;
        v->catalog = catalog;
        if (catalog->slots > 0) memcpy(v->trees, trees, catalog->slots * sizeof *trees);
        atomic_store(&v->epoch, c->epoch);
        oltp_version_publish(db, v);
        db->last_txn = c->last_txn;
        db->replay_from = c->lsn;
        atomic_store(&db->checkpoint_lsn, c->lsn);
    }
    free(trees);
    seam_buf_free(&blob);
    return st;
}

static enum seam_status view_open(struct oltp *db, const char *pages, struct seam_fault *f)
{
    size_t bytes = db->o.cache_bytes + (db->read_only ? db->o.private_bytes : 0);
    enum seam_status st =
        oltp_pager_open(&db->pager, db->io, pages, db->read_only, bytes, db->trace, f);

    if (st == SEAM_OK) st = oltp_tree_writer_init(&db->w, &db->pager, db->trace, f);
    if (st != SEAM_OK) return st; /* without memory there are no hazards to take */
    db->txn.db = db;
    db->txn.write = true;
    db->txn.hazard = oltp_hazard_take(&db->pager);
    for (size_t i = 0; i < OLTP_READERS_MAX; i++) {
        db->readers[i].txn.db = db;
        db->readers[i].txn.hazard = &db->pager.hazards[i];
    }
    return st;
}

/* The meta page in force: the newest checkpoint, and whose it is. */
static enum seam_status meta_load(struct oltp *db, struct seam_fault *f)
{
    enum seam_status st =
        oltp_meta_read(db->pager.file, &db->newest, &db->identity, db->meta_damaged, f);

    db->pager.file_id = db->identity.file_id;
    return st == SEAM_OK ? oltp_identity_check(db, f) : st;
}

/* ---- the writer ------------------------------------------------------------------------------------ */

/* The lock; whatever a failed sync left in doubt in this folder is then written again (engine/io/mend.c). */
static enum seam_status writer_lock(struct oltp *db, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = seam_io_mkdir(db->io, db->dir, f);

    if (st == SEAM_OK) st = seam_path_join(path, db->dir, SEAM_LOCK_NAME, f);
    if (st == SEAM_OK)
        st = seam_file_open(db->io, path, SEAM_FILE_WRITE | SEAM_FILE_CREATE, &db->lock, f);
    if (st == SEAM_OK) st = seam_file_lock_wait(db->lock, db->clock, db->o.lock_wait_us, f);
    return st == SEAM_OK ? seam_io_mend(db->io, db->dir, f) : st;
}

static uint64_t new_id(struct oltp *db, uint64_t salt)
{
    uint64_t state = db->o.seed;

    if (state == 0)
        state = (uint64_t)seam_clock_wall_us(db->clock) ^ (uint64_t)seam_process_id() << 48;
    state ^= salt;
    return seam_splitmix64(&state) | 1;
}

/* The pages that a lost future left behind (a crash after they were written, before a checkpoint named them) lie where
 * this handle will put its own: its epochs begin somewhere else than theirs did, so that none of them answers to a name. */
static void epochs_begin(struct oltp *db)
{
    uint64_t newest = atomic_load(&db->pager.max_epoch);

    assert(newest == db->newest.epoch);
    atomic_store(&db->pager.max_epoch,
                 newest + (uint32_t)new_id(db, newest ^ wal_end_lsn(db->wal) << 20));
}

static enum seam_status recover(struct oltp *db, struct seam_fault *f)
{
    seam_lsn_t end = wal_end_lsn(db->wal);

    if (end < db->newest.lsn)
        return seam_fault_set(f, SEAM_CORRUPT, db->wal_dir, end,
                              "the log ends at %llu, before the checkpoint at %llu: it is not this "
                              "database's log, or was cut",
                              (unsigned long long)end, (unsigned long long)db->newest.lsn);
    if (wal_oldest_lsn(db->wal) > db->newest.lsn && db->newest.lsn != SEAM_LSN_NONE)
        return seam_fault_set(
            f, SEAM_CORRUPT, db->wal_dir, SEAM_FAULT_NO_OFFSET,
            "the log begins at %llu, after the newest readable checkpoint at %llu",
            (unsigned long long)wal_oldest_lsn(db->wal), (unsigned long long)db->newest.lsn);
    if (end == db->newest.lsn) return SEAM_OK;
    return oltp_replay(db, db->newest.lsn, (struct oltp_replay_stop){SEAM_LSN_MAX, INT64_MAX}, f);
}

static enum seam_status meta_write(struct oltp *db, const struct oltp_checkpoint *c,
                                   struct seam_fault *f)
{
    uint8_t meta[META_SIZE];
    unsigned slot = (unsigned)(c->seq % 2);
    enum seam_status st;

    oltp_meta_encode(c, &db->identity, meta);
    st = seam_file_write(db->pager.file, (uint64_t)slot * OLTP_PAGE_SIZE, meta, META_SIZE, f);
    if (st == SEAM_OK) st = seam_file_datasync(db->pager.file, f);
    if (st == SEAM_OK) db->meta_damaged[slot] = false;
    return st;
}

/* The newest meta page as it was read may be the page cache's alone: its sync failed, or its writer was killed before it. Then
 * a power cut brings back the one before, whose pages this handle is about to use again. So it is written and synced once
 * more before anything is freed on the strength of it. (What it names had been synced before it was first written.) A
 * torn rewrite leaves the one before, and nothing of that was touched yet. */
static enum seam_status meta_vouch(struct oltp *db, struct seam_fault *f)
{
    assert(!db->meta_damaged[db->newest.seq % 2]);
    return meta_write(db, &db->newest, f);
}

/* A meta page that was torn while it was written (the other one and the log had everything): write the
 * checkpoint in force there too, under the number before its own. */
static enum seam_status meta_repair(struct oltp *db, struct seam_fault *f)
{
    struct oltp_checkpoint c = db->newest;
    enum seam_status st;

    if (!db->meta_damaged[0] && !db->meta_damaged[1]) return SEAM_OK;
    c.seq = c.seq > 0 ? c.seq - 1 : 1;
    st = meta_write(db, &c, f);
    SEAM_TRACE(db->trace, "oltp", "meta_repaired", SEAM_TI("page", c.seq % 2),
               SEAM_TI("status", st));
    return st;
}

static enum seam_status pages_create(struct oltp *db, const char *pages, struct seam_fault *f)
{
    struct oltp_identity id = {.file_id = new_id(db, 0)};

    db->identity = id;
    oltp_identity_take(db);
    id = db->identity;
    return oltp_pages_create(db->io, db->dir, pages, &id, f);
}

static enum seam_status open_writer(struct oltp *db, const char *pages, struct seam_fault *f)
{
    struct wal_options wo = {
        .io = db->io, .clock = db->clock, .trace = db->trace, .lock_wait_us = db->o.lock_wait_us};
    bool fresh = false;
    enum seam_status st = writer_lock(db, f);

    if (st == SEAM_OK && db->wal == NULL) {
        st = wal_open(db->wal_dir, &wo, &db->wal, NULL, f);
        db->own_wal = st == SEAM_OK;
    }
    if (st == SEAM_OK) st = map_shared(db, f);
    if (st == SEAM_OK) atomic_store(&db->shared->writer_pid, seam_process_id());
    if (st == SEAM_OK) fresh = !seam_io_exists(db->io, pages);
    if (st == SEAM_OK && fresh) st = pages_create(db, pages, f);
    if (st == SEAM_OK) st = view_open(db, pages, f);
    if (st == SEAM_OK) st = meta_load(db, f);
    if (st == SEAM_OK) st = oltp_space_load(db, &db->newest, f);
    if (st == SEAM_OK) st = oltp_view_load(db, &db->newest, f);
    if (st == SEAM_OK && !fresh) epochs_begin(db);
    if (st == SEAM_OK && !fresh) st = meta_vouch(db, f);
    if (st == SEAM_OK) oltp_identity_take(db);
    if (st == SEAM_OK) oltp_pins_refresh(db);
    if (st == SEAM_OK) oltp_dead_release(db);
    if (st == SEAM_OK) st = recover(db, f);
    return st == SEAM_OK ? meta_repair(db, f) : st;
}

/* ---- readers --------------------------------------------------------------------------------------- */

static bool in_time(const struct oltp *db, const struct oltp_checkpoint *c)
{
    return c->lsn <= db->o.as_of && c->wall_us <= db->o.as_of_us;
}

static bool asks_the_past(const struct oltp *db)
{
    return db->o.as_of != SEAM_LSN_MAX || db->o.as_of_us != INT64_MAX;
}

/* Reads meta page and retained list, chooses the newest checkpoint at or before the moment asked for. */
static enum seam_status choose(struct oltp *db, struct oltp_checkpoint *base, struct seam_fault *f)
{
    char when[41];
    enum seam_status st = meta_load(db, f);

    if (st != SEAM_OK) return st;
    *base = db->newest;
    if (in_time(db, base)) return oltp_space_grow(&db->pager, base->pages, f);
    st = oltp_space_load(db, &db->newest, f);
    if (st != SEAM_OK) return st;
    for (size_t i = db->retained_count; i-- > 0;) {
        int64_t later_us = base->wall_us;

        *base = db->retained[i];
        if (base->wall_us > later_us)
            base->wall_us = later_us; /* a clock's mistake, mended since */
        if (in_time(db, base)) return SEAM_OK;
    }
    when[seam_time_format(base->wall_us, when)] = '\0';
    return seam_fault_set(
        f, SEAM_NOT_FOUND, db->dir, SEAM_FAULT_NO_OFFSET,
        "the oldest checkpoint kept is at LSN %llu, of %s: nothing earlier is kept",
        (unsigned long long)base->lsn, when);
}

/* Pins a checkpoint so that its pages stay: say which, then see that it is still listed. */
static enum seam_status choose_pinned(struct oltp *db, struct oltp_checkpoint *base,
                                      struct seam_fault *f)
{
    for (int attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
        struct oltp_checkpoint again;
        enum seam_status st = choose(db, base, f);

        if (st != SEAM_OK || db->pin == NULL) return st;
        atomic_store(&db->pin->lsn, base->lsn);
        atomic_store(&db->pin->epoch, base->epoch);
        st = choose(db, &again, f);
        if (st != SEAM_OK) return st;
        if (again.epoch == base->epoch) return SEAM_OK;
    }
    return seam_fault_set(f, SEAM_TIMEOUT, db->dir, SEAM_FAULT_NO_OFFSET,
                          "checkpoints come faster than they can be opened");
}

enum seam_status oltp_replay_readable(struct oltp *db, seam_lsn_t to, struct seam_fault *f)
{
    struct wal_state ws;
    struct oltp_replay_stop stop = {to, db->o.as_of_us};
    enum seam_status st = wal_state(db->io, db->wal_dir, &ws, f);

    if (st != SEAM_OK) return st;
    if (to != SEAM_LSN_MAX && to > ws.durable)
        return seam_fault_set(f, SEAM_NOT_FOUND, db->wal_dir, SEAM_FAULT_NO_OFFSET,
                              "LSN %llu is after the durable end %llu", (unsigned long long)to,
                              (unsigned long long)ws.durable);
    if (ws.durable <= db->replay_from) return SEAM_OK;
    return oltp_replay(db, db->replay_from, stop, f);
}

/* Changed pages get numbers after the file's: whatever the file holds is someone's. */
static void reserve_file_pages(struct oltp_pager *p)
{
    for (uint32_t i = 0; i < atomic_load(&p->pages); i++) p->space.used[i / 64] |= 1ull << (i % 64);
    p->space.free = 0;
    p->space.dead_count = 0;
}

static enum seam_status open_reader_once(struct oltp *db, const char *pages, seam_lsn_t to,
                                         struct seam_fault *f)
{
    struct oltp_checkpoint base;
    enum seam_status st = view_open(db, pages, f);

    if (st == SEAM_OK) st = choose_pinned(db, &base, f);
    if (st == SEAM_OK) reserve_file_pages(&db->pager);
    if (st == SEAM_OK) st = oltp_view_load(db, &base, f);
    if (st == SEAM_OK && !db->base_only) st = oltp_replay_readable(db, to, f);
    /* What was before the first commit is no state of this database: it would be one without tables. */
    if (st == SEAM_OK && !db->base_only && asks_the_past(db) &&
        atomic_load(&db->current)->lsn == SEAM_LSN_NONE)
        st =
            seam_fault_set(f, SEAM_NOT_FOUND, db->dir, SEAM_FAULT_NO_OFFSET,
                           "nothing had been committed then: nothing earlier than the first commit "
                           "is kept");
    return st;
}

/* The log after the chosen checkpoint may be trimmed while we read it: a newer checkpoint exists then. */
static enum seam_status open_reader(struct oltp *db, const char *pages, seam_lsn_t to,
                                    struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (int attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
        struct seam_fault own = {0};
        struct wal_state ws;

        view_free(db);
        st = open_reader_once(db, pages, to, &own);
        if (st == SEAM_NOT_FOUND && !asks_the_past(db) && to == SEAM_LSN_MAX &&
            wal_state(db->io, db->wal_dir, &ws, NULL) == SEAM_OK && ws.oldest > db->replay_from &&
            attempt + 1 < OPEN_ATTEMPTS)
            continue;
        if (st != SEAM_OK && f != NULL) *f = own;
        return st;
    }
    return st;
}

enum seam_status oltp_refresh(struct oltp *db, seam_lsn_t to, struct seam_fault *f)
{
    struct seam_fault own = {0};
    enum seam_status st = oltp_db_poisoned(db, f);

    if (st != SEAM_OK) return st;
    if (!db->read_only || asks_the_past(db))
        return seam_fault_set(f, SEAM_INVALID, db->dir, SEAM_FAULT_NO_OFFSET,
                              "only a read-only handle without AS OF moves on");
    st = oltp_replay_readable(db, to, &own);
    if (st == SEAM_NOT_FOUND ||
        st == SEAM_LIMIT) { /* fell behind the log, or too many changed pages: start over */
        char pages[SEAM_PATH_MAX_BYTES];
        size_t held = 0;

        for (size_t i = 0; i < OLTP_READERS_MAX; i++)
            held += atomic_load(&db->readers[i].taken) != 0;
        if (held == 0 && (to == SEAM_LSN_MAX || st == SEAM_LIMIT) &&
            seam_path_join(pages, db->dir, "pages", NULL) == SEAM_OK)
            return open_reader(db, pages, to, f);
    }
    if (st != SEAM_OK && f != NULL) *f = own;
    return st;
}

/* ---- the front door -------------------------------------------------------------------------------- */

static enum seam_status open_any(struct seam_io *io, const char *dir, const struct oltp_options *o,
                                 bool base_only, struct oltp **out, struct seam_fault *f)
{
    struct oltp *db = db_new(io, o);
    char pages[SEAM_PATH_MAX_BYTES];
    enum seam_status st;

    if (db == NULL)
        return seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory for a database");
    db->base_only = base_only;
    st = paths(db, dir, pages, f);
    if (st == SEAM_OK && !db->read_only) {
        st = open_writer(db, pages, f);
    } else if (st == SEAM_OK) {
        db->wal = NULL;
        if (!seam_io_exists(io, pages))
            st = seam_fault_set(f, SEAM_NOT_FOUND, dir, SEAM_FAULT_NO_OFFSET, "no row store here");
        if (st == SEAM_OK) st = join_shared(db, f);
        if (st == SEAM_OK && db->shared != NULL) st = oltp_pin_take(db, OLTP_PIN_READER, f);
        if (st == SEAM_OK) st = open_reader(db, pages, db->o.as_of, f);
    }
    if (st != SEAM_OK) {
        (void)oltp_close(db, NULL); /* the first failure is the cause */
        return st;
    }
    *out = db;
    return SEAM_OK;
}

enum seam_status oltp_shell_open(struct seam_io *io, const char *dir, struct oltp **out,
                                 struct seam_fault *f)
{
    struct oltp_options o = {.read_only = true, .private_bytes = OLTP_CACHE_MIN};
    struct oltp *db = db_new(io, &o);
    char pages[SEAM_PATH_MAX_BYTES];
    enum seam_status st;

    if (db == NULL)
        return seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory for a database");
    st = paths(db, dir, pages, f);
    if (st == SEAM_OK) st = view_open(db, pages, f);
    if (st != SEAM_OK) {
        (void)oltp_close(db, NULL);
        return st;
    }
    *out = db;
    return SEAM_OK;
}

enum seam_status oltp_open(struct seam_io *io, const char *dir, const struct oltp_options *o,
                           struct oltp **out, struct seam_fault *f)
{
    return open_any(io, dir, o, false, out, f);
}

enum seam_status oltp_reader_open(struct seam_io *io, const char *dir, const struct oltp_options *o,
                                  bool base_only, struct oltp **out, struct seam_fault *f)
{
    return open_any(io, dir, o, base_only, out, f);
}

struct wal *oltp_wal(struct oltp *db)
{
    return db->wal;
}

enum seam_status oltp_heartbeat(struct oltp *db, struct seam_fault *f)
{
    struct seam_fault own = {0};
    enum seam_status st = oltp_db_poisoned(db, f);

    if (st != SEAM_OK || db->read_only) return st;
    pthread_mutex_lock(&db->writer_latch);
    oltp_pins_refresh(db);
    oltp_dead_release(db);
    pthread_mutex_unlock(&db->writer_latch);
    st = wal_heartbeat(db->wal, &own);
    if (st != SEAM_OK) {
        oltp_db_poison(db, st, &own);
        if (f != NULL) *f = own;
    }
    return st;
}

enum seam_status oltp_clock_mend(struct oltp *db, struct oltp_commit *out, struct seam_fault *f)
{
    struct oltp_txn *t = NULL;
    enum seam_status st = oltp_write_begin(db, &t, f);

    if (st != SEAM_OK) return st;
    db->commit_clock.mend =
        true; /* an empty transaction with the clock's time, whatever went before */
    st = oltp_log_begin(t, f);
    if (st != SEAM_OK) {
        oltp_end(t);
        return st;
    }
    st = oltp_commit(t, OLTP_DURABLE, out, f);
    return st == SEAM_OK ? oltp_checkpoint(db, f) : st; /* from which AS OF TIME goes on */
}

void oltp_stats(struct oltp *db, struct oltp_stats *out)
{
    struct oltp_pager *p = &db->pager;

    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&db->writer_latch);
    out->page_size = OLTP_PAGE_SIZE;
    out->pages = atomic_load(&p->pages);
    pthread_mutex_lock(&p->latch);
    out->free_pages = p->space.free + p->space.hot_count;
    out->pending_pages = p->space.dead_count;
    out->cache_bytes = (uint64_t)p->frame_count * OLTP_PAGE_SIZE;
    out->cache_used = (uint64_t)(p->frame_fresh - p->frame_free_count) * OLTP_PAGE_SIZE;
    out->cache_probation = (uint64_t)p->probation * OLTP_PAGE_SIZE;
    pthread_mutex_unlock(&p->latch);
    out->cache_dirty = atomic_load(&p->dirty) * OLTP_PAGE_SIZE;
    out->splits = db->w.splits;
    out->merges = db->w.merges;
    out->copies = db->w.copies;
    out->lsn = atomic_load(&db->current)->lsn;
    pthread_mutex_unlock(&db->writer_latch);
    if (seam_file_size(p->file, &out->file_bytes, NULL) != SEAM_OK) out->file_bytes = 0;
    out->loads = atomic_load(&p->loads);
    out->uses = oltp_pager_uses(p);
    out->evictions = atomic_load(&p->evictions);
    out->write_backs = atomic_load(&p->write_backs);
    out->read_ahead = atomic_load(&p->read_ahead);
    out->page_writes = atomic_load(&p->page_writes);
    out->commits = atomic_load(&db->commits);
    out->changes = atomic_load(&db->changes);
    out->rollbacks = atomic_load(&db->rollbacks);
    out->checkpoints = atomic_load(&db->checkpoints);
    for (size_t i = 0; i < OLTP_READERS_MAX; i++)
        out->readers += atomic_load(&db->readers[i].taken);
    out->checkpoint_lsn = atomic_load(&db->checkpoint_lsn);
    out->durable_lsn = db->wal != NULL ? wal_durable_lsn(db->wal) : out->lsn;
    out->checkpoint_log_bytes = out->lsn - out->checkpoint_lsn;
    out->replayed_changes = atomic_load(&db->replayed);
    out->replay_ns = atomic_load(&db->replay_ns);
    if (db->wal != NULL) {
        struct wal_stats log;

        wal_stats(db->wal, &log);
        out->background_status = log.trouble_status;
        memcpy(out->background, log.trouble, sizeof out->background);
    }
    pthread_mutex_lock(&db->stats_latch);
    out->commit_ns = db->commit_ns;
    out->stall_ns = db->stall_ns;
    pthread_mutex_unlock(&db->stats_latch);
}
