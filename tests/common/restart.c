#include "tests/common/restart.h"

#include "tests/common/check_main.h"

/* One run: the nth call from the start, or the first sync after it, fails. False: nothing was left to fail. */
static bool one_run(const struct restart_store *s, uint64_t nth, uint64_t changes)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed() + nth);
    struct seam_io *io = seam_io_sim_io(sim);
    uint64_t acked, held, more, left;
    bool fired;

    seam_io_sim_plant(sim, SEAM_SIM_SYNC_FAIL, nth, false);
    acked = s->write(s->ctx, io, 0, changes);
    fired = seam_io_sim_fired(sim);
    seam_io_sim_clear(sim);
    seam_io_sim_kill(sim); /* the same boot: what the cache shows, it goes on showing */
    held = s->held(s->ctx, io);
    ck_assert_msg(held >= acked, "%s: sync after call %llu failed: %llu acknowledged, %llu there",
                  s->name, (unsigned long long)nth, (unsigned long long)acked,
                  (unsigned long long)held);
    more = s->write(s->ctx, io, held, 1 + nth % 3);
    ck_assert_uint_eq(more, held + 1 + nth % 3);
    seam_io_sim_reboot(sim);
    left = s->held(s->ctx, io);
    ck_assert_msg(left == more,
                  "%s: sync after call %llu failed, opened again: %llu there, acknowledged up to "
                  "%llu; after a power cut %llu",
                  s->name, (unsigned long long)nth, (unsigned long long)held,
                  (unsigned long long)more, (unsigned long long)left);
    seam_io_sim_free(sim);
    return fired;
}

void restart_everywhere(const struct restart_store *s, uint64_t changes)
{
    uint64_t nth = 1;

    while (one_run(s, nth, changes)) nth++;
    ck_assert_uint_gt(nth, 5);
}
