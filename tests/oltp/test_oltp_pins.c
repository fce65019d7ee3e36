/* Goal:   a pin lives exactly as long as its handle, whatever number its process had.
 * Method: a reader's pin is given the number of another process in the shared page: a dead one's (as another pid namespace
 *         shows it), then, the reader being killed, a living one's (a number used again). A pin that was half written when
 *         its process died is dropped likewise. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oltp/db.h"
#include "tests/common/check_main.h"

static char dir[400], wal[400], shared_path[420];

static void make(void)
{
    struct oltp_options o = {.wal_dir = wal, .cache_bytes = OLTP_CACHE_MIN};
    struct oltp *db = NULL;
    struct seam_fault f = {0};

    snprintf(dir, sizeof dir, "%s/oltp", test_dir());
    snprintf(wal, sizeof wal, "%s/wal", test_dir());
    snprintf(shared_path, sizeof shared_path, "%s/shared", dir);
    ASSERT_OK(oltp_open(seam_io_posix(), dir, &o, &db, &f), &f);
    ASSERT_OK(oltp_close(db, &f), &f);
}

static struct oltp_shared *look(void)
{
    void *map = NULL;

    ASSERT_OK(
        seam_io_map_shared(seam_io_posix(), shared_path, SHARED_BYTES, SEAM_MAP_JOIN, &map, NULL),
        NULL);
    return map;
}

static size_t pins(bool *alive)
{
    struct oltp_pin p[4];
    size_t count = 0;

    ASSERT_OK(oltp_pins(seam_io_posix(), dir, NULL, p, 4, &count, NULL), NULL);
    if (count > 0) *alive = p[0].alive;
    return count;
}

/* A child that opens a reader, says so, and waits to be killed. */
static pid_t reader(void)
{
    int said[2];
    char c = 0;
    pid_t child;

    ck_assert_int_eq(pipe(said), 0);
    child = fork();
    if (child == 0) {
        struct oltp_options o = {.wal_dir = wal,
                                 .read_only = true,
                                 .cache_bytes = OLTP_CACHE_MIN,
                                 .private_bytes = OLTP_CACHE_MIN};
        struct oltp *db = NULL;

        c = oltp_open(seam_io_posix(), dir, &o, &db, NULL) == SEAM_OK ? 'y' : 'n';
        if (write(said[1], &c, 1) == 1) pause();
        _exit(0);
    }
    ck_assert(child > 0 && read(said[0], &c, 1) == 1 && c == 'y');
    close(said[0]);
    close(said[1]);
    return child;
}

static void test_numbers_of_processes_decide_nothing(void)
{
    struct oltp_shared *s;
    bool alive = false;
    pid_t child;

    make();
    child = reader();
    s = look();
    atomic_store(&s->pins[0].pid, 0x3fffffff); /* no such process here */
    ck_assert(pins(&alive) == 1 && alive);
    ck_assert(pins(&alive) == 1 && alive); /* and it was not dropped */
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    atomic_store(&s->pins[0].pid, getpid()); /* the number is used again, by one that lives */
    ck_assert(pins(&alive) == 1 && !alive);
    ck_assert_uint_eq(pins(&alive), 0);
    /* Half taken: its process died between two stores. */
    atomic_store(&s->pins[0].state, 1);
    ck_assert_uint_eq(pins(&alive), 0);
    child = reader();
    ck_assert(pins(&alive) == 1 && alive && atomic_load(&s->pins[0].pid) == child);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    seam_io_unmap_shared(seam_io_posix(), s, SHARED_BYTES);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {T(test_numbers_of_processes_decide_nothing)};

    return run_tests("oltp pins", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
