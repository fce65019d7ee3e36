#include "tests/common/check_main.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/io/io.h"

static const struct named_test *running;
static char scratch[512];

static void remove_scratch(void)
{
    if (scratch[0] == '\0') return;
    if (seam_io_remove_tree(seam_io_posix(), scratch, NULL) != SEAM_OK)
        fprintf(stderr, "could not remove %s\n", scratch);
    scratch[0] = '\0';
}

static void run_one(int i)
{
    running[i].run();
    remove_scratch();
}

/* Check takes functions of its own signature; this is the one all tests go through.               */
static void check_adapter(int i)
{
    run_one(i);
}
static const TTest adapter = {"test", check_adapter, "tests", 0};

uint64_t test_seed(void)
{
    const char *s = getenv("SEED");

    return s != NULL && *s != '\0' ? strtoull(s, NULL, 0) : 20261124u;
}

int test_scale(int normal)
{
    const char *s = getenv("TEST_SCALE");
    int percent = s != NULL ? atoi(s) : 100;
    int n = (int)((long long)normal * percent / 100);

    return n < 1 ? 1 : n;
}

const char *test_dir(void)
{
    const char *base = getenv("TMPDIR");

    if (scratch[0] != '\0') return scratch;
    snprintf(scratch, sizeof scratch, "%s/seam-test-XXXXXX", base != NULL ? base : "/tmp");
    ck_assert_msg(mkdtemp(scratch) != NULL, "mkdtemp %s", scratch);
    return scratch;
}

const char *shared_data(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "../shared/data/%s", name);
    if (access(path, R_OK) == 0) return path;
    printf("skipped: %s is not here\n", path);
    return NULL;
}

void check_ok(enum seam_status st, const struct seam_fault *f, const char *file, int line)
{
    char text[1024];

    if (st == SEAM_OK) {
        mark_point();
        return;
    }
    ck_abort_msg("%s:%d: %s: %s", file, line, seam_status_name(st),
                 f != NULL ? seam_fault_text(f, text, sizeof text) : "(no fault)");
}

/* Seconds before a test is taken for hung: a hang must not hold up the whole suite.                  */
static double test_timeout(void)
{
    const char *s = getenv("TEST_TIMEOUT");

    return s != NULL && atof(s) > 0 ? atof(s) : 150;
}

int run_tests(const char *suite_name, const struct named_test *tests, size_t count, int argc,
              char **argv)
{
    Suite *suite = suite_create(suite_name);
    SRunner *runner;
    int failed;

    running = tests;
    for (size_t i = 0; i < count; i++) {
        TCase *c;

        if (argc > 1 && strstr(tests[i].name, argv[1]) == NULL) continue;
        c = tcase_create(tests[i].name);
        tcase_set_timeout(c, test_timeout());
        tcase_add_loop_test(c, &adapter, (int)i, (int)i + 1);
        suite_add_tcase(suite, c);
    }
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    if (failed > 0) printf("to repeat: SEED=%llu %s\n", (unsigned long long)test_seed(), argv[0]);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
