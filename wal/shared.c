#include "wal/shared.h"

#include "engine/base/clock.h"
#include "engine/base/thread.h"

enum seam_status wal_shared_map(struct seam_io *io, const char *dir, struct wal_shared **out,
                                struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    void *p = NULL;
    enum seam_status st = seam_path_join(path, dir, "shared", f);

    if (st == SEAM_OK) st = seam_io_map_shared(io, path, SHARED_SIZE, SEAM_MAP_MAKE, &p, f);
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
