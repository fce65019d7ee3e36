/* check_main - what every test program shares: one seed, a suite from a table of tests, a scratch folder.
 *
 *     static void test_x(void) { ... ck_assert... }       (plain functions are wrapped by T())
 *     int main(void) { return run_tests("wal", tests, SEAM_ARRAY_LEN(tests)); }
 *
 * SEED=71 build/tests/wal/test_wal repeats a run; the seed is printed when a program fails.        */
#ifndef SEAM_TESTS_CHECK_MAIN_H
#define SEAM_TESTS_CHECK_MAIN_H

#include <check.h>

#include "engine/base/status.h"

struct named_test {
    const char *name;
    void (*run)(void);
};
#define T(function)                                                                                \
    {                                                                                              \
#function, function                                                                        \
    }

/* Runs the tests (each in its own process unless CK_FORK=no), prints Check's summary line, returns the
 * exit code. A program may be given part of a test's name to run only the tests that contain it.   */
int run_tests(const char *suite, const struct named_test *tests, size_t count, int argc,
              char **argv);

uint64_t test_seed(void);   /* SEED from the environment, or a fixed default */
int test_scale(int normal); /* normal, or less under sanitizers/valgrind (TEST_SCALE percent) */
const char *test_dir(void); /* a fresh scratch folder for the running test, removed at its end */
/* ../shared/data/NAME when that folder is there, else NULL after printing one line that it is skipped. */
const char *shared_data(const char *name);

/* Fails the test with the fault's text.                                                           */
void check_ok(enum seam_status st, const struct seam_fault *f, const char *file, int line);
#define ASSERT_OK(call, fault) check_ok((call), (fault), __FILE__, __LINE__)
#define ASSERT_STATUS(call, want)                                                                  \
    do {                                                                                           \
        enum seam_status got_ = (call);                                                            \
        ck_assert_msg(got_ == (want), "%s: got %s, want %s", #call, seam_status_name(got_),        \
                      seam_status_name(want));                                                     \
    } while (0)

#endif
