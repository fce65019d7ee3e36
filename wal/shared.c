#include "wal/shared.h"

#include "engine/base/clock.h"
#include "engine/base/thread.h"

enum status shared_map(struct io *io, const char *dir, struct shared **out, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    void *p = NULL;
    enum status st = path_join(path, dir, "shared", f);

    if (st == ST_OK) st = io_map_shared(io, path, SHARED_SIZE, &p, f);
    if (st == ST_OK) *out = p;
    return st;
}

void shared_unmap(struct io *io, struct shared *s)
{
    if (s != NULL) io_unmap_shared(io, s, SHARED_SIZE);
}

void shared_wake(struct shared *s)
{
    atomic_fetch_add(&s->seq, 1);
    if (atomic_exchange(&s->waiters, 0) != 0) futex_wake_all((uint32_t *)&s->seq);
}

enum status shared_wait(struct shared *s, lsn_t at, _Atomic bool *stop, uint64_t timeout_ns)
{
    struct clock *clock = clock_real();
    uint64_t start = timeout_ns == UINT64_MAX ? 0 : clock_mono_ns(clock);

    for (;;) {
        uint32_t seq = atomic_load(&s->seq);
        uint64_t left = timeout_ns;

        atomic_store(&s->waiters, 1);
        if (atomic_load(&s->visible) > at || atomic_exchange(stop, false)) return ST_OK;
        if (timeout_ns != UINT64_MAX) {
            uint64_t gone = clock_mono_ns(clock) - start;

            if (gone >= timeout_ns) return ST_TIMEOUT;
            left = timeout_ns - gone;
        }
        /* Returned and nothing was published: a signal. Whoever sent it wants to be noticed. */
        if (futex_wait((uint32_t *)&s->seq, seq, left) == ST_OK && atomic_load(&s->seq) == seq)
            return ST_TIMEOUT;
    }
}

lsn_t shared_vouches(struct shared *s, uint64_t log_id)
{
    lsn_t durable = atomic_load(&s->durable);

    if (atomic_load(&s->magic) != SHARED_MAGIC || atomic_load(&s->log_id) != log_id)
        return LSN_NONE;
    return atomic_load(&s->not_durable) == ~durable ? durable : LSN_NONE;
}
