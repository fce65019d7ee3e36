/* epochs - which versions someone may still see, and what becomes free when nobody does. */
#include "oltp/db.h"

#include <stdlib.h>

enum seam_status oltp_version_make(struct oltp *db, uint32_t trees, struct oltp_version **out,
                                   struct seam_fault *f)
{
    struct oltp_version *v = db->spare;

    if (v != NULL)
        db->spare = v->next;
    else
        v = calloc(1, sizeof *v);
    if (v != NULL && v->tree_cap < trees) {
        struct oltp_tree *more = realloc(v->trees, (trees + 8) * sizeof *more);

        if (more == NULL) {
            v->next = db->spare;
            db->spare = v;
            v = NULL;
        } else {
            v->trees = more;
            v->tree_cap = trees + 8;
        }
    }
    if (v == NULL)
        return seam_fault_set(f, SEAM_NOMEM, db->dir, SEAM_FAULT_NO_OFFSET,
                              "no memory for a version");
    *out = v;
    return SEAM_OK;
}

static bool epoch_held(struct oltp *db, uint64_t epoch)
{
    size_t high = atomic_load(&db->readers_high);

    for (size_t i = 0; i < high; i++)
        if (atomic_load(&db->readers[i].epoch) == epoch) return true;
    return false;
}

void oltp_version_publish(struct oltp *db, struct oltp_version *v)
{
    struct oltp_version *old = atomic_load(&db->current), **at = &db->retired;

    atomic_store(&db->current, v);
    if (old != NULL) {
        old->next = db->retired;
        db->retired = old;
    }
    while (*at != NULL) {
        struct oltp_version *r = *at;

        if (epoch_held(db, atomic_load_explicit(&r->epoch, memory_order_relaxed))) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        r->next = db->spare;
        db->spare = r;
    }
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

size_t oltp_epochs_seen(struct oltp *db)
{
    size_t n = 0, high = atomic_load(&db->readers_high);
    bool sorted = true;

    for (size_t i = 0; i < db->pinned_count; i++) db->seen[n++] = db->pinned[i];
    for (size_t i = 0; i < db->retained_count; i++) db->seen[n++] = db->retained[i].epoch;
    db->seen[n++] = db->newest.epoch;
    if (db->in_progress != 0) db->seen[n++] = db->in_progress;
    for (size_t i = 0; i < high; i++) {
        uint64_t e = atomic_load(&db->readers[i].epoch);

        if (e != 0) db->seen[n++] = e;
    }
    for (size_t i = 1; i < n && sorted; i++) sorted = db->seen[i - 1] <= db->seen[i];
    if (!sorted) qsort(db->seen, n, sizeof *db->seen, compare_u64);
    return n;
}

/* The oldest epoch that was seen before and is not now; UINT64_MAX: all still are. */
static uint64_t oldest_gone(const struct oltp *db, size_t n)
{
    size_t k = 0;

    for (size_t i = 0; i < db->seen_before_count; i++) {
        while (k < n && db->seen[k] < db->seen_before[i]) k++;
        if (k == n || db->seen[k] != db->seen_before[i]) return db->seen_before[i];
    }
    return UINT64_MAX;
}

/* The first dead page that died after `epoch`. They lie in the order of their deaths, so that what an epoch held when it
 * goes is at the end: a reader that was short has few pages to look at, however many an old snapshot keeps. */
static size_t died_after(const struct oltp_space *s, uint64_t epoch, size_t end)
{
    size_t lo = 0, hi = end;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (s->dead[mid].death <= epoch)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void oltp_dead_release(struct oltp *db)
{
    size_t n = oltp_epochs_seen(db);
    uint64_t gone = oldest_gone(db, n);
    size_t from = gone == UINT64_MAX ? db->dead_scanned
                                     : died_after(&db->pager.space, gone, db->dead_scanned);

    oltp_space_release(&db->pager, from, db->seen, n);
    db->dead_scanned = db->pager.space.dead_count;
    memcpy(db->seen_before, db->seen, n * sizeof *db->seen);
    db->seen_before_count = n;
}
