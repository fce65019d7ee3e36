/* group - leader/follower group commit.
 *
 *   gather:  the leader of group g lets others join g for a moment, when recent groups had company
 *   close:   gen = g + 1; who comes now joins the next group
 *   write:   one pwrite of [written, appended) and one sync, for all
 *   hand on: one wake for all followers of g (they sleep on word[g & 1], where nobody of g + 1
 *            sleeps, so no herd wakes to find nothing), and one for the first member of g + 1, who
 *            now leads
 *
 * Whoever comes while the leader gathers is a follower of its group; the first to come after it
 * closed is the next leader. So `joined` counts exactly the threads asleep on word[gen & 1].
 *
 * Gathering: `expected` = members of the last group + those who had joined by its end = the number
 * of threads that seem to be committing. Without it two half-groups would alternate, each paying a
 * sync. The wait is a yield loop bounded by half of what a sync costs; when company fails to come, the
 * next groups (1, 2, 4 ... 64) do not wait at all.
 * Paper: DeWitt et al., SIGMOD 1984; leader hand-off as RocksDB's write thread and MySQL's
 * binlog. */
#include "wal/internal.h"

#include <sched.h>

#include "engine/base/thread.h"

enum { GATHER_NS_MAX = 200000, GATHER_BACKOFF_MAX = 64 };

enum seam_status wal_poison(struct wal *w, const struct seam_fault *cause, struct seam_fault *f)
{
    if (w->poison.status == SEAM_OK) {
        w->poison = *cause;
        atomic_store(&w->poisoned, true);
        SEAM_TRACE(w->o.trace, "wal", "poisoned", SEAM_TS("why", w->poison.why));
    }
    if (f != NULL && f->status == SEAM_OK) *f = w->poison;
    return w->poison.status;
}

enum seam_status wal_healthy(struct wal *w, struct seam_fault *f)
{
    enum seam_status st;

    if (seam_unlikely(seam_forked(&w->mark))) return seam_forked_fault(&w->mark, w->dir, f);
    if (seam_likely(!atomic_load_explicit(&w->poisoned, memory_order_acquire))) return SEAM_OK;
    st = w->poison.status;
    if (f != NULL && f->status == SEAM_OK) {
        *f = w->poison;
    }
    return st;
}

static unsigned size_bucket(uint32_t members)
{
    unsigned b = members <= 1 ? 0u : 32u - (unsigned)__builtin_clz(members - 1);

    return b < WAL_GROUP_BUCKETS ? b : WAL_GROUP_BUCKETS - 1u;
}

static void sleep_on(_Atomic uint32_t *word, uint32_t seen)
{
    while (atomic_load_explicit(word, memory_order_acquire) == seen)
        (void)seam_futex_wait((uint32_t *)word, seen, UINT64_MAX);
}

/* Called with group_mutex held and this thread leading; lets go of it meanwhile. */
static void gather(struct wal *w)
{
    uint32_t want = w->expected - 1; /* without the leader itself */
    uint64_t window = w->sync_ns / 2, start, now;

    if (w->o.no_gather || w->expected <= 1 || want <= atomic_load(&w->joined)) return;
    if (w->gather_skip > 0) {
        w->gather_skip--;
        return;
    }
    if (window > GATHER_NS_MAX) window = GATHER_NS_MAX;
    pthread_mutex_unlock(&w->group_mutex);
    start = now = seam_clock_mono_ns(w->o.clock);
    while (atomic_load_explicit(&w->joined, memory_order_relaxed) < want && now - start < window) {
        sched_yield();
        now = seam_clock_mono_ns(w->o.clock);
    }
    pthread_mutex_lock(&w->group_mutex);
    if (atomic_load(&w->joined) >= want) {
        w->gather_backoff = 0;
    } else {
        w->gather_backoff = w->gather_backoff == 0 ? 1 : w->gather_backoff * 2;
        if (w->gather_backoff > GATHER_BACKOFF_MAX) w->gather_backoff = GATHER_BACKOFF_MAX;
        w->gather_skip = w->gather_backoff;
    }
}

static void note_group(struct wal *w, uint32_t members, bool sync, uint64_t ns)
{
    w->stats.groups++;
    if (!sync) return;
    w->stats.group_sizes[size_bucket(members)]++;
    seam_histogram_add(&w->stats.sync_ns, ns);
    w->sync_ns = w->sync_ns == 0 ? ns : (w->sync_ns * 7 + ns) / 8;
}

/* Called with group_mutex held and leading == true; returns with it held, leadership handed on. */
static void lead(struct wal *w, bool sync)
{
    struct seam_fault why = {0};
    uint64_t start;
    uint32_t followers, g;
    bool next;
    enum seam_status st;

    w->gathering = true;
    if (sync || w->group_sync) gather(w);
    w->gathering = false;
    followers = atomic_load(&w->joined);
    sync = sync || w->group_sync;
    g = (uint32_t)(w->gen & 1);
    w->gen++;
    atomic_store(&w->joined, 0);
    w->group_sync = false;
    pthread_mutex_unlock(&w->group_mutex);

    start = seam_clock_mono_ns(w->o.clock);
    st = wal_healthy(w, &why);
    if (st == SEAM_OK) st = wal_flush_now(w, sync, &why);

    pthread_mutex_lock(&w->group_mutex);
    if (st != SEAM_OK) (void)wal_poison(w, &why, NULL);
    note_group(w, followers + 1, sync, seam_clock_mono_ns(w->o.clock) - start);
    next = w->designated;
    if (sync)
        w->expected = followers + 1 + atomic_load(&w->joined) +
                      next; /* a write ahead says nothing of company */
    w->designated = false;
    if (!next) w->leading = false;
    atomic_fetch_add(&w->word[g], 1);
    if (next) atomic_fetch_add(&w->lead_word, 1);
    pthread_mutex_unlock(&w->group_mutex);
    if (followers > 0) seam_futex_wake_all((uint32_t *)&w->word[g]);
    if (next) seam_futex_wake_all((uint32_t *)&w->lead_word);
    pthread_mutex_lock(&w->group_mutex);
}

static bool reached(struct wal *w, seam_lsn_t lsn, bool sync)
{
    return atomic_load_explicit(sync ? &w->durable : &w->written, memory_order_acquire) >= lsn;
}

enum seam_status wal_group_wait(struct wal *w, seam_lsn_t lsn, bool sync, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    if (reached(w, lsn, sync)) return SEAM_OK;
    if (seam_forked(&w->mark)) return wal_healthy(w, f); /* the mutex may be held for ever here */
    pthread_mutex_lock(&w->group_mutex);
    while (!reached(w, lsn, sync)) {
        st = wal_healthy(w, f);
        if (st != SEAM_OK) break;
        if (!w->leading) {
            w->leading = true;
            lead(w, sync);
            continue;
        }
        w->group_sync = w->group_sync || sync;
        if (!w->designated && !w->gathering) {
            uint32_t seen = atomic_load(&w->lead_word);

            w->designated = true;
            pthread_mutex_unlock(&w->group_mutex);
            sleep_on(&w->lead_word, seen);
            pthread_mutex_lock(&w->group_mutex);
            lead(w, sync);
        } else {
            _Atomic uint32_t *word = &w->word[w->gen & 1];
            uint32_t seen = atomic_load(word);

            atomic_fetch_add(&w->joined, 1);
            pthread_mutex_unlock(&w->group_mutex);
            sleep_on(word, seen);
            if (reached(w, lsn, sync)) return SEAM_OK;
            pthread_mutex_lock(&w->group_mutex);
        }
    }
    pthread_mutex_unlock(&w->group_mutex);
    return st;
}

enum seam_status wal_group_write_behind(struct wal *w, struct seam_fault *f)
{
    pthread_mutex_lock(&w->group_mutex);
    if (!w->leading) {
        w->leading = true;
        lead(w, false);
    }
    pthread_mutex_unlock(&w->group_mutex);
    return wal_healthy(w, f);
}

static enum seam_status commit_deferred(struct wal *w, seam_lsn_t lsn, struct seam_fault *f)
{
    uint64_t now, since = atomic_load_explicit(&w->deferred_since, memory_order_relaxed);
    uint64_t bytes =
        atomic_load_explicit(&w->appended, memory_order_relaxed) - atomic_load(&w->durable);

    if (bytes > w->o.deferred_bytes) return wal_group_wait(w, lsn, true, f);
    now = seam_clock_mono_ns(w->o.clock);
    if (since == 0) {
        (void)atomic_compare_exchange_strong(&w->deferred_since, &since, now | 1);
        return wal_healthy(w, f);
    }
    if (now > since && now - since >= w->o.deferred_us * 1000)
        return wal_group_wait(w, lsn, true, f);
    return wal_healthy(w, f);
}

enum seam_status wal_commit(struct wal *w, seam_lsn_t lsn, enum wal_mode mode, struct seam_fault *f)
{
    uint64_t start;
    enum seam_status st;

    assert(lsn <= atomic_load(&w->whole));
    atomic_fetch_add_explicit(&w->commits, 1, memory_order_relaxed);
    if (mode == WAL_DEFERRED) return commit_deferred(w, lsn, f);
    if (mode == WAL_WRITTEN) return wal_group_wait(w, lsn, false, f);
    start = seam_clock_mono_ns(w->o.clock);
    st = wal_group_wait(w, lsn, true, f);
    /* Every 16th is timed into the histogram, which has one latch for all. */
    if (st == SEAM_OK &&
        (atomic_fetch_add_explicit(&w->timed, 1, memory_order_relaxed) & 15) == 0) {
        uint64_t ns = seam_clock_mono_ns(w->o.clock) - start;

        pthread_mutex_lock(&w->group_mutex);
        seam_histogram_add(&w->stats.commit_ns, ns);
        pthread_mutex_unlock(&w->group_mutex);
    }
    return st;
}

enum seam_status wal_flush(struct wal *w, struct seam_fault *f)
{
    enum seam_status st = wal_group_wait(w, atomic_load(&w->whole), true, f);

    return st == SEAM_OK ? wal_healthy(w, f) : st;
}
