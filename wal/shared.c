#include "wal/shared.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/thread.h"

enum seam_status wal_shared_map(struct seam_io *io, const char *dir, enum seam_map_mode mode,
                                struct wal_shared **out, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    void *p = NULL;
    enum seam_status st = seam_path_join(path, dir, "shared", f);

    if (st == SEAM_OK) st = seam_io_map_shared(io, path, SHARED_SIZE, mode, &p, f);
    if (st == SEAM_OK) *out = p;
    return st;
}

void wal_shared_unmap(struct seam_io *io, struct wal_shared *s)
{
    if (s != NULL) seam_io_unmap_shared(io, s, SHARED_SIZE);
}

void wal_shared_wake(struct wal_shared *s)
{
    atomic_fetch_add(&s->seq, 1);
    if (atomic_exchange(&s->waiters, 0) != 0) seam_futex_wake_all((uint32_t *)&s->seq);
}

enum seam_status wal_shared_wait(struct wal_shared *s, seam_lsn_t at, _Atomic bool *stop,
                                 uint64_t timeout_ns)
{
    struct seam_clock *clock = seam_clock_real();
    uint64_t start = timeout_ns == UINT64_MAX ? 0 : seam_clock_mono_ns(clock);

    for (;;) {
        uint32_t seq = atomic_load(&s->seq);
        uint64_t left = timeout_ns;

        atomic_store(&s->waiters, 1);
        if (atomic_load(&s->visible) > at || atomic_exchange(stop, false)) return SEAM_OK;
        if (timeout_ns != UINT64_MAX) {
            uint64_t gone = seam_clock_mono_ns(clock) - start;

            if (gone >= timeout_ns) return SEAM_TIMEOUT;
            left = timeout_ns - gone;
        }
        /* Returned and nothing was published: a signal. Whoever sent it wants to be noticed. */
        if (seam_futex_wait((uint32_t *)&s->seq, seq, left) == SEAM_OK &&
            atomic_load(&s->seq) == seq)
            return SEAM_TIMEOUT;
    }
}

seam_lsn_t wal_shared_vouches(struct wal_shared *s, uint64_t log_id)
{
    seam_lsn_t durable = atomic_load(&s->durable);

    if (atomic_load(&s->magic) != SHARED_MAGIC || atomic_load(&s->log_id) != log_id)
        return SEAM_LSN_NONE;
    return atomic_load(&s->not_durable) == ~durable ? durable : SEAM_LSN_NONE;
}

void wal_shared_trouble(struct wal_shared *s, const struct seam_fault *why, int64_t wall_us)
{
    bool news = why != NULL || atomic_load(&s->trouble_status) != SEAM_OK;
    bool first = atomic_load(&s->trouble_status) == SEAM_OK;

    if (!news) return;
    atomic_fetch_or(&s->trouble_version, 1);
    if (first) atomic_store(&s->trouble_us, wall_us);
    atomic_store(&s->trouble_status, why != NULL ? (uint32_t)why->status : (uint32_t)SEAM_OK);
    if (why != NULL) (void)seam_fault_text(why, s->trouble, sizeof s->trouble);
    atomic_fetch_add(&s->trouble_version, 1);
}

bool wal_shared_trouble_read(struct wal_shared *s, enum seam_status *st, int64_t *wall_us,
                             char why[WAL_TROUBLE_MAX])
{
    enum { TRIES = 100 };

    for (int i = 0; i < TRIES; i++) {
        uint32_t version = atomic_load(&s->trouble_version);

        *st = (enum seam_status)atomic_load(&s->trouble_status);
        *wall_us = atomic_load(&s->trouble_us);
        memcpy(why, s->trouble, WAL_TROUBLE_MAX);
        why[WAL_TROUBLE_MAX - 1] = '\0';
        if (version % 2 == 0 && atomic_load(&s->trouble_version) == version) break;
    }
    return *st != SEAM_OK;
}
