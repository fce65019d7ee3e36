/* Goal:   every sink ends equal to the source, whatever was killed on the way.
 * Method: a writer, the relay and the sinks run as processes of their own; SIGKILL at random instants, restart;
 *         at the end everything catches up and each store is compared with the row store at one LSN. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/rng.h"
#include "tests/pipeline/agreement.h"

static const char *const sinks[] = {"warehouse", "gold", "view", "search", "vectors", "audit"};

static void test_sinks_equal_the_source_after_a_plain_run(void)
{
    struct platform p;

    shop_create("plain", &p);
    shop_fill(&p, (uint64_t)test_scale(2000), test_seed());
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    shop_assert_agreement(&p, sinks, SEAM_ARRAY_LEN(sinks));
    platform_close(&p);
}

static void test_sinks_that_run_twice_change_nothing(void)
{
    struct platform p;

    shop_create("twice", &p);
    shop_fill(&p, (uint64_t)test_scale(500), test_seed());
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    shop_assert_agreement(&p, sinks, SEAM_ARRAY_LEN(sinks));
    platform_close(&p);
}

/* The parts, by name, with what runs of them.                                                       */
struct parts {
    const char *name[1 + SEAM_ARRAY_LEN(sinks)];
    pid_t pid[1 + SEAM_ARRAY_LEN(sinks)];
};

static void test_parts_killed_at_random_lose_and_repeat_nothing(void)
{
    struct platform p;
    struct parts parts = {{"relay", "warehouse", "gold", "view", "search", "vectors", "audit"},
                          {0}};
    struct seam_rng rng;
    pid_t writer;
    int kills = test_scale(60);

    seam_rng_seed(&rng, test_seed());
    shop_create("killed", &p);
    shop_fill(&p, 0, 1);
    shop_catch_up(&p, NULL, 0);
    writer = shop_writer_start(&p, (uint64_t)test_scale(4000), test_seed());
    for (size_t i = 0; i < SEAM_ARRAY_LEN(parts.pid); i++)
        parts.pid[i] = part_start(&p, parts.name[i], false);
    for (int k = 0; k < kills; k++) {
        size_t victim = (size_t)seam_rng_below(&rng, SEAM_ARRAY_LEN(parts.pid));

        usleep((useconds_t)seam_rng_below(&rng, 20000));
        part_kill(parts.pid[victim]);
        parts.pid[victim] = part_start(&p, parts.name[victim], false);
    }
    ck_assert_int_eq(part_wait(writer), 0);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(parts.pid); i++) part_kill(parts.pid[i]);
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    shop_assert_agreement(&p, sinks, SEAM_ARRAY_LEN(sinks));
    platform_close(&p);
}

/* The writer dies too: what it acknowledged stays, what it had not committed never shows.           */
static void test_writer_killed_leaves_whole_transactions(void)
{
    struct platform p;
    struct seam_rng rng;

    seam_rng_seed(&rng, test_seed() + 1);
    shop_create("writer", &p);
    shop_fill(&p, 0, 1);
    for (int k = 0; k < test_scale(8); k++) {
        pid_t writer = shop_writer_start(&p, 100000, test_seed() + (uint64_t)k);

        usleep((useconds_t)(20000 + seam_rng_below(&rng, 60000)));
        part_kill(writer);
        shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    }
    shop_fill(&p, 0, 1); /* a writer recovers the log: a torn tail is cut, and everything follows */
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    shop_assert_agreement(&p, sinks, SEAM_ARRAY_LEN(sinks));
    platform_close(&p);
}

static const struct named_test tests[] = {
    T(test_sinks_equal_the_source_after_a_plain_run),
    T(test_sinks_that_run_twice_change_nothing),
    T(test_parts_killed_at_random_lose_and_repeat_nothing),
    T(test_writer_killed_leaves_whole_transactions),
};

int main(int argc, char **argv)
{
    return run_tests("sinks", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
