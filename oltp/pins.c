/* pins - who else is using this folder's pages.
 *
 * A handle in another process (or a second one in this) reads the pages of one checkpoint. It writes that
 * checkpoint's epoch into a pin of DIR/shared, then reads the meta page again: if its checkpoint is still
 * listed, the writer will see the pin before it gives the pages away, because it looks at the pins only
 * after it has written a new meta page. A pin is held by a lock of the kernel that belongs to the handle (place i of
 * DIR/shared, seam_file_claim), not by a process's number: numbers are used again, and mean nothing in another namespace.
 * A handle that dies, at whatever instruction, leaves no claim; its pin is dropped by whoever sees it. */
#include "oltp/db.h"

#include <stdio.h>

#include "engine/base/thread.h"

static_assert((int)OLTP_PINS_MAX <= (int)SEAM_CLAIMS_MAX, "a pin has a place to claim");

static void pin_clear(struct oltp_pin_slot *p)
{
    atomic_store(&p->epoch, 0);
    atomic_store(&p->pid, 0);
    atomic_store(&p->state, 0);
}

/* A pin whose place nobody has claimed is of a handle that is gone. Whoever drops it claims the place for that moment, so
 * that nobody takes it in between. */
static bool pin_drop_dead(struct seam_file *file, struct oltp_pin_slot *pins, unsigned i)
{
    if (atomic_load(&pins[i].state) == 0 || seam_file_claimed(file, i)) return false;
    if (seam_file_claim(file, i, NULL) != SEAM_OK) return false;
    pin_clear(&pins[i]);
    seam_file_unclaim(file, i);
    return true;
}

void oltp_pins_refresh(struct oltp *db)
{
    db->pinned_count = 0;
    for (unsigned i = 0; i < OLTP_PINS_MAX; i++) {
        struct oltp_pin_slot *p = &db->shared->pins[i];
        uint64_t epoch;

        if (atomic_load(&p->state) == 0) continue;
        if (pin_drop_dead(db->pins, db->shared->pins, i)) {
            SEAM_TRACE(db->trace, "oltp", "pin_dropped", SEAM_TI("pin", i));
            continue;
        }
        epoch = atomic_load(&p->epoch);
        if (epoch != 0) db->pinned[db->pinned_count++] = epoch;
    }
}

enum seam_status oltp_pin_take(struct oltp *db, enum oltp_pin_kind kind, struct seam_fault *f)
{
    for (unsigned i = 0; i < OLTP_PINS_MAX; i++) {
        struct oltp_pin_slot *p = &db->shared->pins[i];
        struct seam_fault why = {0};
        enum seam_status st = seam_file_claim(db->pins, i, &why);

        if (st == SEAM_CONFLICT) continue;
        if (st != SEAM_OK) {
            seam_fault_give(f, &why);
            return st;
        }
        /* Ours from here on, whatever the one before left in it; should we end anywhere below, so does the claim. */
        pin_clear(p);
        p->kind = kind;
        p->since_us = seam_clock_wall_us(db->clock);
        snprintf(p->holder, sizeof p->holder, "%s", db->o.holder != NULL ? db->o.holder : "reader");
        atomic_store(&p->lsn, 0);
        atomic_store(&p->pid, seam_process_id());
        atomic_store(&p->state, 1);
        db->pin = p;
        return SEAM_OK;
    }
    return seam_fault_set(f, SEAM_LIMIT, db->shared_path, SEAM_FAULT_NO_OFFSET,
                          "%d handles read this folder already", OLTP_PINS_MAX);
}

void oltp_pin_give(struct oltp *db)
{
    if (db->pin == NULL) return;
    pin_clear(db->pin);
    seam_file_unclaim(db->pins, (unsigned)(db->pin - db->shared->pins));
    db->pin = NULL;
}

static uint64_t pages_held_only_by(struct oltp *db, uint64_t epoch)
{
    const struct oltp_space *s = &db->pager.space;
    size_t n = oltp_epochs_seen(db), others = 0;
    uint64_t pages = 0;

    for (size_t i = 0; i < n; i++)
        if (db->seen[i] != epoch) db->seen[others++] = db->seen[i];
    for (size_t i = 0; i < s->dead_count; i++)
        if (epoch >= s->dead[i].birth && epoch < s->dead[i].death &&
            !oltp_epoch_seen(db->seen, others, s->dead[i].birth, s->dead[i].death))
            pages++;
    return pages;
}

struct pin_list {
    struct oltp_pin *out;
    size_t max, count;
};

static void pin_add(struct pin_list *l, const struct oltp_pin *p)
{
    if (l->count < l->max) l->out[l->count] = *p;
    l->count++;
}

static void pins_of_handle(struct oltp *db, seam_lsn_t durable, struct pin_list *l)
{
    pthread_mutex_lock(&db->writer_latch);
    for (size_t i = 0; i < db->retained_count; i++) {
        const struct oltp_checkpoint *c = &db->retained[i];
        struct oltp_pin p = {.kind = OLTP_PIN_RETENTION,
                             .pid = seam_process_id(),
                             .alive = true,
                             .lsn = c->lsn,
                             .since_us = c->wall_us,
                             .log_bytes = durable - c->lsn,
                             .page_bytes = pages_held_only_by(db, c->epoch) * OLTP_PAGE_SIZE};

        snprintf(p.holder, sizeof p.holder, "checkpoint %llu", (unsigned long long)c->seq);
        pin_add(l, &p);
    }
    for (size_t i = 0; i < OLTP_READERS_MAX; i++) {
        struct oltp_snapshot_slot *s = &db->readers[i];
        uint64_t epoch = atomic_load(&s->epoch);
        struct oltp_pin p = {.kind = OLTP_PIN_TXN,
                             .pid = seam_process_id(),
                             .alive = true,
                             .holder = "read transaction"};

        if (epoch == 0) continue;
        p.page_bytes = pages_held_only_by(db, epoch) * OLTP_PAGE_SIZE;
        p.lsn = atomic_load(&s->lsn);
        p.since_us = atomic_load(&s->since_us); /* the age of what it sees */
        pin_add(l, &p);
    }
    pthread_mutex_unlock(&db->writer_latch);
}

enum seam_status oltp_pins(struct seam_io *io, const char *dir, struct oltp *db,
                           struct oltp_pin *out, size_t max, size_t *count, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct oltp_shared *shared = NULL;
    struct pin_list l = {out, max, 0};
    struct seam_file *claims = NULL;
    void *map = NULL;
    bool writable;
    enum seam_status st = seam_path_join(path, dir, "shared", f);

    if (st == SEAM_OK && !seam_io_exists(io, dir))
        st = seam_fault_set(f, SEAM_NOT_FOUND, dir, SEAM_FAULT_NO_OFFSET, "no row store here");
    if (st != SEAM_OK) return st;
    /* No page, or one that only may be looked at: nobody's pin is there, or it is not ours to drop. */
    writable = seam_io_map_shared(io, path, SHARED_BYTES, SEAM_MAP_JOIN, &map, NULL) == SEAM_OK;
    if (!writable) (void)!seam_io_map_shared(io, path, SHARED_BYTES, SEAM_MAP_LOOK, &map, NULL);
    shared = map;
    writable = writable && seam_file_open(io, path, SEAM_FILE_WRITE, &claims, NULL) == SEAM_OK;
    for (unsigned i = 0; shared != NULL && i < OLTP_PINS_MAX; i++) {
        struct oltp_pin_slot *p = &shared->pins[i];
        struct oltp_pin o = {.kind = (enum oltp_pin_kind)p->kind,
                             .pid = atomic_load(&p->pid),
                             .lsn = atomic_load(&p->lsn),
                             .since_us = p->since_us};
        uint64_t epoch = atomic_load(&p->epoch);

        if (atomic_load(&p->state) == 0 || o.pid == 0) continue;
        memcpy(o.holder, p->holder, sizeof o.holder);
        o.holder[sizeof o.holder - 1] = '\0';
        o.alive = !writable || seam_file_claimed(claims, i);
        if (db != NULL && !db->read_only) {
            pthread_mutex_lock(&db->writer_latch);
            o.page_bytes = pages_held_only_by(db, epoch) * OLTP_PAGE_SIZE;
            pthread_mutex_unlock(&db->writer_latch);
        }
        pin_add(&l, &o);
        if (!o.alive) (void)pin_drop_dead(claims, shared->pins, i);
    }
    if (db != NULL && !db->read_only)
        pins_of_handle(db, db->wal != NULL ? wal_durable_lsn(db->wal) : SEAM_LSN_NONE, &l);
    seam_file_close(claims);
    seam_io_unmap_shared(io, map, SHARED_BYTES);
    *count = l.count;
    return SEAM_OK;
}
