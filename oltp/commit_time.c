/* commit_time - what time a commit is given.
 *
 * AS OF TIME, retention and freshness go by the times in the commits, so one wrong reading of the clock must not
 * spoil them. A commit is never labelled earlier than the one before. And a reading that is too far ahead is not believed
 * at once, or every commit until that day would have that day's label:
 *
 *   in a session     more than a day beyond the last commit's time plus what has really passed since (the monotonic
 *                    clock): labels go on from the last commit's by the monotonic clock, until the readings have
 *                    stayed there for a quarter of an hour; then the clock is right and the last label was not
 *   at its first     more than ten years beyond the last commit's time: likewise
 *
 * What the clock read is kept beside the label (wal/change.h, off_us). A label that lies in the future all the same (it was
 * believed, or an older program wrote it) holds all that follow; oltp_clock_mend lets them begin anew. */
#include "oltp/db.h"

#define HOUR_US ((int64_t)3600 * 1000000)
enum { LEAP_HOURS = 24, GAP_HOURS = 10 * 366 * 24, HOLD_MINUTES = 15 };

static int64_t plus(int64_t a, int64_t b)
{
    int64_t sum;

    assert(b >= 0);
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

int64_t oltp_commit_time(struct oltp *db, int64_t last, int64_t *off)
{
    struct oltp_commit_clock *k = &db->commit_clock;
    uint64_t now = seam_clock_mono_ns(db->clock);
    int64_t raw = seam_clock_wall_us(db->clock), label = raw;
    int64_t passed = k->known ? (int64_t)((now - k->mono_ns) / 1000) : 0;
    int64_t furthest = plus(plus(last, passed), (k->known ? LEAP_HOURS : GAP_HOURS) * HOUR_US);
    bool doubted = false;

    if (k->mend) {
        k->mend = false;
    } else if (raw < last) {
        label = last;
    } else if (last != 0 && raw > furthest) {
        doubted = true;
        if (k->doubt_ns == 0) k->doubt_ns = now > 0 ? now : 1;
        if (now - k->doubt_ns < (uint64_t)HOLD_MINUTES * 60 * 1000000000)
            label = plus(last, passed);
        else
            doubted = false;
    }
    if (!doubted) k->doubt_ns = 0;
    k->known = true;
    k->mono_ns = now;
    *off = (int64_t)((uint64_t)raw - (uint64_t)label);
    return label;
}
