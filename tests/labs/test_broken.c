/* Goal:   each way that is wrong on purpose goes wrong in its own manner, and the real relay and sink never do.
 * Method: the power is cut at calls spread over a run, and for the real ones at every call, with several schedules;
 *         committed orders are put beside what arrived.                                             */
#include <stdio.h>

#include "pipeline/lab/broken.h"
#include "tests/common/check_main.h"

enum { ORDERS = 24, CUTS = 40, SEEDS = 4 };

static struct lab_broken_counts count(enum lab_broken_way way, uint64_t seed)
{
    struct lab_broken_counts c;
    struct seam_fault f = {0};

    ASSERT_OK(lab_broken_count(way, seed, ORDERS, CUTS, &c, &f), &f);
    ck_assert_uint_gt(c.committed, CUTS * ORDERS / 2);
    ck_assert_uint_eq(c.invented, 0);
    ck_assert_uint_eq(c.delivered + c.lost, c.committed + c.repeated);
    return c;
}

static void test_each_broken_way_goes_wrong_in_its_own_manner(void)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct lab_broken_counts c = count(BROKEN_DUAL_WRITE, seed);

        ck_assert_uint_gt(c.lost, 0);
        ck_assert_uint_gt(c.reordered, 0);
        ck_assert_uint_eq(c.repeated, 0);
        c = count(BROKEN_POLLING, seed);
        ck_assert_uint_gt(c.lost, 0);
        ck_assert_uint_gt(c.reordered, 0);
        ck_assert_uint_eq(c.repeated, 0);
        c = count(BROKEN_ACK_FIRST, seed);
        ck_assert_uint_gt(c.lost, 0);
        ck_assert_uint_eq(c.repeated, 0);
        c = count(BROKEN_OFFSET_APART, seed);
        ck_assert_uint_gt(c.repeated, 0);
        ck_assert_uint_eq(c.lost, 0);
    }
}

static void assert_exact(const struct lab_broken_counts *c)
{
    ck_assert_uint_eq(c->lost, 0);
    ck_assert_uint_eq(c->repeated, 0);
    ck_assert_uint_eq(c->reordered, 0);
    ck_assert_uint_eq(c->invented, 0);
    ck_assert_uint_eq(c->delivered, c->committed);
}

static void test_the_real_relay_and_sink_never_do_whenever_the_power_goes(void)
{
    for (int way = BROKEN_NOT_RELAY; way < BROKEN_WAYS; way++)
        for (uint64_t seed = test_seed(); seed < test_seed() + 2; seed++) {
            struct lab_broken_trial t = {
                .way = (enum lab_broken_way)way, .seed = seed, .orders = ORDERS};
            struct lab_broken_counts c;
            struct seam_fault f = {0};
            uint64_t calls;

            ASSERT_OK(lab_broken_run(&t, &c, &f), &f);
            ck_assert_uint_eq(c.committed, ORDERS);
            assert_exact(&c);
            calls = c.calls;
            for (t.cut_at = 1; t.cut_at <= calls; t.cut_at++) {
                ASSERT_OK(lab_broken_run(&t, &c, &f), &f);
                assert_exact(&c);
            }
        }
}

static void test_without_a_crash_only_concurrency_does_harm(void)
{
    for (int way = 0; way < BROKEN_WAYS; way++) {
        struct lab_broken_trial t = {.way = (enum lab_broken_way)way, .seed = 7, .orders = ORDERS};
        struct lab_broken_counts c;
        struct seam_fault f = {0};

        ASSERT_OK(lab_broken_run(&t, &c, &f), &f);
        ck_assert_uint_eq(c.committed, ORDERS);
        ck_assert_uint_eq(c.repeated, 0);
        ck_assert_int_eq(c.lost > 0, way == BROKEN_POLLING);
        ck_assert_int_eq(c.reordered > 0, way == BROKEN_POLLING || way == BROKEN_DUAL_WRITE);
    }
}

static const struct named_test tests[] = {
    T(test_each_broken_way_goes_wrong_in_its_own_manner),
    T(test_the_real_relay_and_sink_never_do_whenever_the_power_goes),
    T(test_without_a_crash_only_concurrency_does_harm),
};

int main(int argc, char **argv)
{
    return run_tests("broken ways", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
