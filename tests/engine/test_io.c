/* The same behaviours are asked of the real disk and of the simulated one. */
#include "tests/common/check_main.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/rng.h"
#include "engine/base/thread.h"
#include "engine/io/io_sim.h"

static const char *in(const char *dir, const char *name)
{
    static char path[4][SEAM_PATH_MAX_BYTES];
    static int turn;
    char *out = path[turn++ & 3];

    ck_assert_int_eq(seam_path_join(out, dir, name, NULL), SEAM_OK);
    return out;
}

static void check_files(struct seam_io *io, const char *dir)
{
    struct seam_fault f = {0};
    struct seam_file *a = NULL, *b = NULL;
    struct seam_io_slice slices[] = {{"ab", 2}, {"", 0}, {"cde", 3}};
    char text[16] = {0};
    uint64_t size;
    size_t got;

    ASSERT_STATUS(seam_file_open(io, in(dir, "none"), SEAM_FILE_READ, &a, NULL), SEAM_NOT_FOUND);
    ASSERT_STATUS(
        seam_file_open(io, in(dir, "no/folder"), SEAM_FILE_WRITE | SEAM_FILE_CREATE, &a, NULL),
        SEAM_NOT_FOUND);
    ASSERT_OK(seam_file_open(io, in(dir, "a"), SEAM_FILE_WRITE | SEAM_FILE_CREATE, &a, &f), &f);
    ck_assert_str_eq(seam_file_path(a), in(dir, "a"));
    ASSERT_STATUS(seam_file_open(io, in(dir, "a"),
                                 SEAM_FILE_WRITE | SEAM_FILE_CREATE | SEAM_FILE_EXCL, &b, NULL),
                  SEAM_EXISTS);
    ASSERT_OK(seam_file_writev(a, 3, slices, 3, &f), &f);
    ASSERT_OK(seam_file_size(a, &size, &f), &f);
    ck_assert_uint_eq(size, 8);
    ASSERT_OK(seam_file_read(a, 0, text, 8, &f), &f);
    ck_assert_mem_eq(text, "\0\0\0abcde", 8);
    ASSERT_OK(seam_file_read_some(a, 6, text, 10, &got, &f), &f);
    ck_assert_uint_eq(got, 2);
    ASSERT_OK(seam_file_read_some(a, 100, text, 10, &got, &f), &f);
    ck_assert_uint_eq(got, 0);
    ASSERT_STATUS(seam_file_read(a, 6, text, 3, &f), SEAM_CORRUPT);
    ck_assert_uint_eq(f.at, 6);
    seam_fault_clear(&f);
    ASSERT_OK(seam_file_truncate(a, 4, &f), &f);
    ASSERT_OK(seam_file_truncate(a, 6, &f), &f);
    ASSERT_OK(seam_file_read(a, 0, text, 6, &f), &f);
    ck_assert_mem_eq(text, "\0\0\0a\0\0", 6);
    ASSERT_OK(seam_file_datasync(a, &f), &f);
    ASSERT_OK(seam_file_sync(a, &f), &f);
    ASSERT_OK(seam_file_open(io, in(dir, "a"), SEAM_FILE_READ, &b, &f), &f);
    ck_assert(seam_file_write(b, 0, "x", 1, NULL) == SEAM_IO);
    seam_file_close(b);
    ASSERT_OK(seam_file_open(io, in(dir, "a"), SEAM_FILE_WRITE | SEAM_FILE_TRUNC | SEAM_FILE_DSYNC,
                             &b, &f),
              &f);
    ASSERT_OK(seam_file_size(a, &size, &f), &f);
    ck_assert_uint_eq(size, 0);
    ASSERT_OK(seam_file_write(b, 0, "durable", 7, &f), &f);
    seam_file_close(b);
    seam_file_close(a);
    seam_file_close(NULL);
}

static void check_zero_map_punch(struct seam_io *io, const char *dir)
{
    const uint64_t n = (1u << 20) + 12345;
    struct seam_fault f = {0};
    struct seam_file *a = NULL;
    const uint8_t *map, *empty;
    uint64_t size, ones = 0;

    ASSERT_OK(seam_file_open(io, in(dir, "z"), SEAM_FILE_WRITE | SEAM_FILE_CREATE, &a, &f), &f);
    ASSERT_OK(seam_file_write(a, 0, "head", 4, &f), &f);
    ASSERT_OK(seam_file_fill_zero(a, 4, n, &f), &f);
    ASSERT_OK(seam_file_write(a, n + 4, "tail", 4, &f), &f);
    ASSERT_OK(seam_file_size(a, &size, &f), &f);
    ck_assert_uint_eq(size, n + 8);
    ASSERT_OK(seam_file_map(a, n + 8, &map, &f), &f);
    ASSERT_OK(seam_file_map(a, 0, &empty, &f), &f);
    ASSERT_STATUS(seam_file_map(a, n + 9, &empty, NULL), SEAM_CORRUPT);
    ASSERT_OK(seam_file_punch_hole(a, 0, 0), &f);
    seam_file_close(a);
    ck_assert_mem_eq(map, "head", 4);
    for (uint64_t i = 4; i < n + 4; i++) ones += map[i] != 0;
    ck_assert_uint_eq(ones, 0);
    ck_assert_mem_eq(map + n + 4, "tail", 4);
    seam_file_unmap(io, map, n + 8);
    seam_file_unmap(io, empty, 0);
    ASSERT_OK(seam_file_open(io, in(dir, "z"), SEAM_FILE_WRITE, &a, &f), &f);
    ASSERT_OK(seam_file_write(a, 0, "0123456789abcdef", 16, &f), &f);
    ASSERT_OK(seam_file_punch_hole(a, 0, 8), &f);
    ASSERT_OK(seam_file_size(a, &size, &f), &f);
    ck_assert_uint_eq(size, n + 8);
    seam_file_close(a);
}

static void check_names(struct seam_io *io, const char *dir)
{
    struct seam_fault f = {0};
    struct seam_io_list l;
    struct seam_buf b = {0};
    struct seam_file *a = NULL;

    ASSERT_OK(seam_io_mkdir(io, in(dir, "x/y/z/"), &f), &f);
    ASSERT_OK(seam_io_mkdir(io, in(dir, "x/y"), &f), &f);
    ck_assert(seam_io_exists(io, in(dir, "x/y/z")));
    ck_assert(!seam_io_exists(io, in(dir, "x/q")));
    ASSERT_OK(seam_io_write_atomic(io, in(dir, "x/two"), "22", 2, &f), &f);
    ASSERT_OK(seam_io_write_atomic(io, in(dir, "x/one"), "1", 1, &f), &f);
    ASSERT_OK(seam_io_write_atomic(io, in(dir, "x/one"), "11", 2, &f), &f);
    ASSERT_OK(seam_io_write_atomic(io, in(dir, "x/empty"), NULL, 0, &f), &f);
    ASSERT_OK(seam_io_list(io, in(dir, "x"), &l, &f), &f);
    ck_assert_uint_eq(l.count, 4);
    ck_assert_str_eq(l.names[0], "empty");
    ck_assert_str_eq(l.names[1], "one");
    ck_assert_str_eq(l.names[2], "two");
    ck_assert_str_eq(l.names[3], "y");
    seam_io_list_free(&l);
    ASSERT_STATUS(seam_io_list(io, in(dir, "nowhere"), &l, NULL), SEAM_NOT_FOUND);
    ASSERT_OK(seam_io_link(io, in(dir, "x/one"), in(dir, "x/same"), &f), &f);
    ASSERT_STATUS(seam_io_link(io, in(dir, "x/one"), in(dir, "x/two"), NULL), SEAM_EXISTS);
    ASSERT_OK(seam_io_rename(io, in(dir, "x/one"), in(dir, "x/two"), &f), &f);
    ASSERT_STATUS(seam_io_rename(io, in(dir, "x/one"), in(dir, "x/two"), NULL), SEAM_NOT_FOUND);
    ASSERT_OK(seam_io_read_all(io, in(dir, "x/two"), 10, &b, &f), &f);
    ASSERT_OK(seam_io_read_all(io, in(dir, "x/same"), 10, &b, &f), &f);
    ck_assert_uint_eq(b.size, 4);
    ck_assert_mem_eq(b.data, "1111", 4);
    ASSERT_STATUS(seam_io_read_all(io, in(dir, "x/same"), 1, &b, NULL), SEAM_LIMIT);
    seam_buf_free(&b);
    ASSERT_STATUS(seam_io_unlink(io, in(dir, "x/one"), NULL), SEAM_NOT_FOUND);
    ASSERT_STATUS(seam_io_unlink(io, in(dir, "x/y"), NULL), SEAM_IO);
    ASSERT_STATUS(seam_io_rmdir(io, in(dir, "x/y"), NULL), SEAM_IO);
    /* an open file outlives its name */
    ASSERT_OK(seam_file_open(io, in(dir, "x/two"), SEAM_FILE_READ, &a, &f), &f);
    ASSERT_OK(seam_io_unlink(io, in(dir, "x/two"), &f), &f);
    {
        char text[2];

        ASSERT_OK(seam_file_read(a, 0, text, 2, &f), &f);
        ck_assert_mem_eq(text, "11", 2);
    }
    seam_file_close(a);
    /* folders move with what is in them */
    ASSERT_OK(seam_io_rename(io, in(dir, "x/y"), in(dir, "x/moved"), &f), &f);
    ck_assert(seam_io_exists(io, in(dir, "x/moved/z")));
    ck_assert(!seam_io_exists(io, in(dir, "x/y/z")));
    ASSERT_OK(seam_io_sync_dir(io, in(dir, "x"), &f), &f);
    ASSERT_OK(seam_io_remove_tree(io, in(dir, "x"), &f), &f);
    ck_assert(!seam_io_exists(io, in(dir, "x")));
    ASSERT_OK(seam_io_remove_tree(io, in(dir, "x"), &f), &f);
}

static void check_lock_and_share(struct seam_io *io, const char *dir)
{
    struct seam_fault f = {0};
    struct seam_file *a = NULL, *b = NULL;
    uint32_t *p = NULL, *q = NULL;

    ASSERT_OK(seam_file_open(io, in(dir, "LOCK"), SEAM_FILE_WRITE | SEAM_FILE_CREATE, &a, &f), &f);
    ASSERT_OK(seam_file_open(io, in(dir, "LOCK"), SEAM_FILE_WRITE | SEAM_FILE_CREATE, &b, &f), &f);
    ASSERT_OK(seam_file_lock(a, false, &f), &f);
    ASSERT_OK(seam_file_lock(b, false, &f), &f);
    ASSERT_STATUS(seam_file_lock(a, true, NULL), SEAM_CONFLICT);
    seam_file_close(b);
    ASSERT_OK(seam_file_lock(a, true, &f), &f);
    ASSERT_OK(seam_file_open(io, in(dir, "LOCK"), SEAM_FILE_WRITE, &b, &f), &f);
    ASSERT_STATUS(seam_file_lock(b, false, NULL), SEAM_CONFLICT);
    seam_file_close(a);
    ck_assert(!seam_io_locked(io, in(dir, "LOCK")));
    ASSERT_OK(seam_file_lock(b, true, &f), &f);
    ck_assert(seam_io_locked(io, in(dir, "LOCK")));
    ck_assert(seam_io_locked(io, in(dir, "LOCK"))); /* asking took nothing */
    seam_file_close(b);
    ck_assert(!seam_io_locked(io, in(dir, "LOCK")));
    ck_assert(!seam_io_locked(io, in(dir, "nobody")));

    ASSERT_OK(seam_io_map_shared(io, in(dir, "page"), 4096, SEAM_MAP_MAKE, (void **)&p, &f), &f);
    ASSERT_OK(seam_io_map_shared(io, in(dir, "page"), 4096, SEAM_MAP_MAKE, (void **)&q, &f), &f);
    ck_assert_uint_eq(q[9], 0);
    p[9] = 77;
    ck_assert_uint_eq(q[9], 77);
    seam_io_unmap_shared(io, p, 4096);
    seam_io_unmap_shared(io, q, 4096);
    ASSERT_OK(seam_io_map_shared(io, in(dir, "page"), 4096, SEAM_MAP_MAKE, (void **)&p, &f), &f);
    ck_assert_uint_eq(p[9], 77);
    /* Joining and looking make nothing; a page that is not whole is as good as none. */
    q = NULL;
    ASSERT_STATUS(seam_io_map_shared(io, in(dir, "none"), 4096, SEAM_MAP_JOIN, (void **)&q, NULL),
                  SEAM_NOT_FOUND);
    ASSERT_STATUS(seam_io_map_shared(io, in(dir, "none"), 4096, SEAM_MAP_LOOK, (void **)&q, NULL),
                  SEAM_NOT_FOUND);
    ck_assert(!seam_io_exists(io, in(dir, "none")));
    ASSERT_OK(seam_io_write_new(io, in(dir, "short"), "x", 1, false, &f), &f);
    ASSERT_STATUS(seam_io_map_shared(io, in(dir, "short"), 4096, SEAM_MAP_JOIN, (void **)&q, NULL),
                  SEAM_NOT_FOUND);
    ASSERT_OK(seam_io_map_shared(io, in(dir, "page"), 4096, SEAM_MAP_LOOK, (void **)&q, &f), &f);
    ck_assert_uint_eq(q[9], 77);
    seam_io_unmap_shared(io, q, 4096);
    ASSERT_STATUS(seam_futex_wait(p, 1, UINT64_MAX), SEAM_OK);
    ASSERT_STATUS(seam_futex_wait(p, 0, 1000000), SEAM_TIMEOUT);
    seam_io_unmap_shared(io, p, 4096);
}

static void both(void (*check)(struct seam_io *, const char *))
{
    struct seam_io_sim *s = seam_io_sim_new(test_seed());

    ck_assert_int_eq(seam_io_mkdir(seam_io_sim_io(s), "/w", NULL), SEAM_OK);
    check(seam_io_posix(), test_dir());
    check(seam_io_sim_io(s), "/w");
    seam_io_sim_free(s);
}

static void test_files(void)
{
    both(check_files);
}
static void test_zeros_maps_and_holes(void)
{
    both(check_zero_map_punch);
}
static void test_names(void)
{
    both(check_names);
}
static void test_locks_and_shared_pages(void)
{
    both(check_lock_and_share);
}

static void test_lock_names_the_holder_and_dies_with_it(void)
{
    const char *path = in(test_dir(), "LOCK");
    struct seam_fault f = {0};
    struct seam_file *a = NULL;
    int ready[2], go[2], status;
    char byte = 0, pid_text[32];
    pid_t child;

    ck_assert(pipe(ready) == 0 && pipe(go) == 0);
    child = fork();
    if (child == 0) {
        if (seam_file_open(seam_io_posix(), path, SEAM_FILE_WRITE | SEAM_FILE_CREATE, &a, NULL) !=
            SEAM_OK)
            _exit(1);
        if (seam_file_lock(a, true, NULL) != SEAM_OK) _exit(2);
        if (write(ready[1], "r", 1) != 1 || read(go[0], &byte, 1) != 1) _exit(3);
        _exit(0); /* without closing: death releases the lock */
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ASSERT_OK(seam_file_open(seam_io_posix(), path, SEAM_FILE_WRITE | SEAM_FILE_CREATE, &a, &f),
              &f);
    ASSERT_STATUS(seam_file_lock(a, true, &f), SEAM_CONFLICT);
    snprintf(pid_text, sizeof pid_text, "%ld", (long)child);
    ck_assert_msg(strstr(f.why, pid_text) != NULL || access("/proc/locks", R_OK) != 0, "%s", f.why);
    ck_assert(seam_process_alive(child));
    ck_assert_int_eq(write(go[1], "g", 1), 1);
    ck_assert(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert(!seam_process_alive(child));
    seam_fault_clear(&f);
    ASSERT_OK(seam_file_lock(a, true, &f), &f);
    seam_file_close(a);
}

/* A link in the tree is removed, not followed. */
static void test_remove_tree_does_not_follow_links(void)
{
    const char *dir = test_dir();
    struct seam_fault f = {0};

    ASSERT_OK(seam_io_mkdir(seam_io_posix(), in(dir, "keep"), &f), &f);
    ASSERT_OK(seam_io_write_atomic(seam_io_posix(), in(dir, "keep/file"), "x", 1, &f), &f);
    ASSERT_OK(seam_io_mkdir(seam_io_posix(), in(dir, "tree"), &f), &f);
    ck_assert_int_eq(symlink(in(dir, "keep"), in(dir, "tree/link")), 0);
    ASSERT_OK(seam_io_remove_tree(seam_io_posix(), in(dir, "tree"), &f), &f);
    ck_assert(seam_io_exists(seam_io_posix(), in(dir, "keep/file")));
}

static void test_path_limits(void)
{
    char longname[2000], out[SEAM_PATH_MAX_BYTES];

    memset(longname, 'a', sizeof longname - 1);
    longname[sizeof longname - 1] = '\0';
    ASSERT_STATUS(seam_path_join(out, "d", longname, NULL), SEAM_LIMIT);
    ASSERT_STATUS(seam_io_mkdir(seam_io_posix(), longname, NULL), SEAM_LIMIT);
    ASSERT_STATUS(seam_path_join(out, "d/", "x", NULL), SEAM_OK);
    ck_assert_str_eq(out, "d/x");
}

/* ---- the simulated disk's own promises ---- */

static void test_sim_unsynced_bytes_may_vanish_and_synced_never(void)
{
    uint64_t kept = 0, lost = 0, torn = 0;

    for (uint64_t seed = 0; seed < 200; seed++) {
        struct seam_io_sim *s = seam_io_sim_new(test_seed() + seed);
        struct seam_io *io = seam_io_sim_io(s);
        struct seam_fault f = {0};
        struct seam_file *a;
        static uint8_t bytes[4096], back[4096];
        size_t ones = 0;

        memset(bytes, 1, sizeof bytes);
        ASSERT_OK(seam_file_open(io, "a", SEAM_FILE_WRITE | SEAM_FILE_CREATE, &a, &f), &f);
        ASSERT_OK(seam_file_fill_zero(a, 0, sizeof bytes, &f), &f);
        ASSERT_OK(seam_file_write(a, 0, "synced", 6, &f), &f);
        ASSERT_OK(seam_file_datasync(a, &f), &f);
        ASSERT_OK(seam_io_sync_dir(io, ".", &f), &f);
        ASSERT_OK(seam_file_write(a, 1024, bytes, 2048, &f), &f);
        seam_io_sim_reboot(s);
        ck_assert_int_eq(seam_file_read(a, 0, back, 1, NULL), SEAM_IO); /* a dead handle */
        seam_file_close(a);
        ASSERT_OK(seam_file_open(io, "a", SEAM_FILE_READ, &a, &f), &f);
        ASSERT_OK(seam_file_read(a, 0, back, sizeof back, &f), &f);
        ck_assert_mem_eq(back, "synced", 6);
        for (size_t i = 6; i < 1024; i++) ck_assert_uint_eq(back[i], 0);
        for (size_t sector = 2; sector < 6; sector++) {
            ck_assert(back[sector * 512] == back[sector * 512 + 511]);
            ones += back[sector * 512];
        }
        if (ones == 0)
            lost++;
        else if (ones == 4)
            kept++;
        else
            torn++;
        seam_file_close(a);
        seam_io_sim_free(s);
    }
    ck_assert(kept > 10 && lost > 10 && torn > 10);
}

static void test_sim_names_need_their_folder_synced(void)
{
    uint64_t there = 0, both_names = 0, neither = 0;

    for (uint64_t seed = 0; seed < 100; seed++) {
        struct seam_io_sim *s = seam_io_sim_new(test_seed() + seed);
        struct seam_io *io = seam_io_sim_io(s);
        struct seam_fault f = {0};
        struct seam_file *a;
        bool from, to;

        ASSERT_OK(seam_io_mkdir(io, "d", &f), &f);
        ASSERT_OK(seam_file_open(io, "d/new", SEAM_FILE_WRITE | SEAM_FILE_CREATE, &a, &f), &f);
        ASSERT_OK(seam_file_sync(a, &f), &f);
        seam_file_close(a);
        ASSERT_OK(seam_io_write_atomic(io, "d/old", "x", 1, &f), &f);
        ASSERT_OK(seam_file_open(io, "d/late", SEAM_FILE_WRITE | SEAM_FILE_CREATE, &a, &f), &f);
        seam_file_close(a);
        ASSERT_OK(seam_io_rename(io, "d/old", "d/moved", &f), &f);
        seam_io_sim_reboot(s);
        ck_assert(seam_io_exists(io, "d/new")); /* write_atomic synced the folder */
        there += seam_io_exists(io, "d/late");
        from = seam_io_exists(io, "d/old");
        to = seam_io_exists(io, "d/moved");
        both_names += from && to;
        neither += !from && !to;
        seam_io_sim_free(s);
    }
    ck_assert(there > 10 && there < 90);
    ck_assert_uint_eq(both_names + neither, 0); /* a rename is all or nothing */
}

static void test_sim_kill_keeps_the_page_cache(void)
{
    struct seam_io_sim *s = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(s);
    struct seam_fault f = {0};
    struct seam_file *a, *b;
    char text[5];

    ASSERT_OK(seam_file_open(io, "a", SEAM_FILE_WRITE | SEAM_FILE_CREATE, &a, &f), &f);
    ASSERT_OK(seam_file_write(a, 0, "hello", 5, &f), &f);
    ASSERT_OK(seam_file_lock(a, true, &f), &f);
    seam_io_sim_kill(s);
    ASSERT_STATUS(seam_file_write(a, 0, "dead", 4, NULL), SEAM_IO);
    ASSERT_OK(seam_file_open(io, "a", SEAM_FILE_WRITE, &b, &f), &f);
    ASSERT_OK(seam_file_lock(b, true, &f), &f); /* the dead hold no locks */
    ASSERT_OK(seam_file_read(b, 0, text, 5, &f), &f);
    ck_assert_mem_eq(text, "hello", 5);
    seam_file_close(a);
    seam_file_close(b);
    seam_io_sim_free(s);
}

/* Goal: a page without a place on the disk is refused, and touching one that was mapped never kills. */
static void test_a_full_disk_refuses_a_shared_page(void)
{
    struct seam_io_sim *s = seam_io_sim_new(test_seed());
    struct rlimit small = {.rlim_cur = 1024, .rlim_max = 1024};
    struct seam_fault f = {0};
    void *p = NULL;
    int how = 0;
    pid_t pid;

    seam_io_sim_set_capacity(s, 1000);
    ASSERT_STATUS(seam_io_map_shared(seam_io_sim_io(s), "page", 4096, SEAM_MAP_MAKE, &p, &f),
                  SEAM_IO);
    ck_assert_int_eq(f.os_errno, ENOSPC);
    seam_io_sim_free(s);
    pid = fork();
    if (pid == 0) {
        signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &small) != 0) _exit(1);
        _exit(seam_io_map_shared(seam_io_posix(), in(test_dir(), "page"), 4096, SEAM_MAP_MAKE, &p,
                                 NULL) == SEAM_IO
                  ? 0
                  : 2);
    }
    ck_assert_int_eq(waitpid(pid, &how, 0), pid);
    ck_assert(WIFEXITED(how) && WEXITSTATUS(how) == 0);
}

/* Goal: after a failed sync, whoever takes the writer's lock next makes durable what can be read.
 * Method: a file's sync or its folder's fails; lock, unlock, power cut; all of it is there. */
static void test_a_failed_sync_is_mended_by_the_next_writer(void)
{
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct seam_io_sim *s = seam_io_sim_new(test_seed() + seed);
        struct seam_io *io = seam_io_sim_io(s);
        struct seam_fault f = {0};
        struct seam_file *a = NULL, *lock = NULL;
        struct seam_buf back = {0};
        bool names = seed % 2 == 1;

        ASSERT_OK(seam_io_mkdir(io, "d", &f), &f);
        ASSERT_OK(seam_io_write_atomic(io, "d/other", "other", 5, &f), &f);
        if (names) {
            seam_io_sim_plant(s, SEAM_SIM_SYNC_FAIL, 2 + seed % 4, false);
            ASSERT_STATUS(seam_io_write_atomic(io, "d/a", "hello", 5, NULL), SEAM_IO);
        } else {
            ASSERT_OK(seam_io_write_atomic(io, "d/a", "-----", 5, &f), &f);
            ASSERT_OK(seam_file_open(io, "d/a", SEAM_FILE_WRITE, &a, &f), &f);
            ASSERT_OK(seam_file_write(a, 0, "hello", 5, &f), &f);
            seam_io_sim_plant(s, SEAM_SIM_SYNC_FAIL, 1, false);
            ASSERT_STATUS(seam_file_datasync(a, NULL), SEAM_IO);
            seam_file_close(a);
        }
        seam_io_sim_clear(s);
        ck_assert(seam_io_unsynced(io, "d"));
        ASSERT_OK(seam_writer_lock(io, "d", &lock, &f), &f);
        seam_file_close(lock);
        ck_assert(!seam_io_unsynced(io, "d"));
        if (seam_io_exists(io, "d/a")) {
            seam_io_sim_reboot(s);
            ASSERT_OK(seam_io_read_all(io, "d/a", 100, &back, &f), &f);
            ck_assert_mem_eq(back.data, "hello", 5);
        } else {
            ck_assert(names); /* the copy's sync failed before it had the name */
        }
        seam_buf_free(&back);
        seam_io_sim_free(s);
    }
}

/* Goal: a shared page comes back from a power cut as any older one, now and then as zeros. */
static void test_sim_shared_pages_come_back_older(void)
{
    uint64_t older = 0, zero = 0, newest = 0;

    for (uint64_t seed = 0; seed < 100; seed++) {
        struct seam_io_sim *s = seam_io_sim_new(test_seed() + seed);
        struct seam_io *io = seam_io_sim_io(s);
        struct seam_fault f = {0};
        uint32_t *p = NULL;

        ASSERT_OK(seam_io_map_shared(io, "page", 4096, SEAM_MAP_MAKE, (void **)&p, &f), &f);
        ASSERT_OK(seam_io_sync_dir(io, ".", &f), &f);
        for (uint32_t n = 1; n <= 10; n++) {
            p[0] = n;
            ASSERT_OK(seam_io_write_new(io, "else", "x", 1, false, &f), &f);
        }
        seam_io_unmap_shared(io, p, 4096);
        seam_io_sim_reboot(s);
        ASSERT_OK(seam_io_map_shared(io, "page", 4096, SEAM_MAP_MAKE, (void **)&p, &f), &f);
        ck_assert_uint_le(p[0], 10);
        zero += p[0] == 0;
        newest += p[0] == 10;
        older += p[0] > 0 && p[0] < 10;
        seam_io_unmap_shared(io, p, 4096);
        seam_io_sim_free(s);
    }
    ck_assert(older > 10 && zero > 0 && newest > 0);
}

static void test_sim_failed_sync_poisons_and_drops(void)
{
    uint64_t lost = 0;

    for (uint64_t seed = 0; seed < 40; seed++) {
        struct seam_io_sim *s = seam_io_sim_new(test_seed() + seed);
        struct seam_io *io = seam_io_sim_io(s);
        struct seam_fault f = {0};
        struct seam_file *a, *b;
        char text[5] = {0};
        size_t got;

        ASSERT_OK(seam_file_open(io, "a", SEAM_FILE_WRITE | SEAM_FILE_CREATE, &a, &f), &f);
        ASSERT_OK(seam_io_sync_dir(io, ".", &f), &f);
        ASSERT_OK(seam_file_write(a, 0, "hello", 5, &f), &f);
        seam_io_sim_plant(s, SEAM_SIM_SYNC_FAIL, 1, false);
        ASSERT_STATUS(seam_file_datasync(a, &f), SEAM_IO);
        ck_assert_int_eq(f.os_errno, EIO);
        seam_fault_clear(&f);
        ASSERT_STATUS(seam_file_datasync(a, &f), SEAM_IO); /* and for ever */
        ck_assert_int_eq(f.os_errno, EIO);
        ck_assert(strstr(f.why, "earlier sync") != NULL);
        ASSERT_STATUS(seam_file_write(a, 0, "x", 1, NULL), SEAM_IO);
        seam_fault_clear(&f);
        ASSERT_OK(seam_file_read(a, 0, text, 5, &f),
                  &f); /* readers see what the disk may not have */
        ck_assert_mem_eq(text, "hello", 5);
        ASSERT_OK(seam_file_open(io, "a", SEAM_FILE_WRITE, &b, &f), &f);
        ASSERT_OK(seam_file_datasync(b, &f),
                  &f); /* says yes, and lies: the pages were marked clean */
        seam_file_close(b);
        seam_file_close(a);
        seam_io_sim_reboot(s);
        ASSERT_OK(seam_file_open(io, "a", SEAM_FILE_READ, &a, &f), &f);
        ASSERT_OK(seam_file_read_some(a, 0, text, 5, &got, &f), &f);
        lost += got == 0;
        seam_file_close(a);
        seam_io_sim_free(s);
    }
    ck_assert(lost > 5 && lost < 35);
}

static void test_sim_faults_and_capacity(void)
{
    struct seam_io_sim *s = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(s);
    struct seam_fault f = {0};
    struct seam_file *a;
    uint64_t size, calls;

    ASSERT_OK(seam_file_open(io, "a", SEAM_FILE_WRITE | SEAM_FILE_CREATE, &a, &f), &f);
    calls = seam_io_sim_calls(s);
    ASSERT_OK(seam_file_write(a, 0, "12345678", 8, &f), &f);
    ck_assert_uint_eq(seam_io_sim_calls(s), calls + 1);
    seam_io_sim_plant(s, SEAM_SIM_SHORT_WRITE, 1, false);
    ASSERT_STATUS(seam_file_write(a, 8, "abcdefgh", 8, NULL), SEAM_IO);
    ck_assert(seam_io_sim_fired(s));
    ASSERT_OK(seam_file_size(a, &size, &f), &f);
    ck_assert_uint_eq(size, 12);
    ASSERT_OK(seam_file_write(a, 8, "abcdefgh", 8, &f), &f);
    seam_io_sim_plant(s, SEAM_SIM_EIO, 2, true);
    ASSERT_OK(seam_file_write(a, 0, "x", 1, &f), &f);
    ASSERT_STATUS(seam_file_write(a, 0, "x", 1, NULL), SEAM_IO);
    ASSERT_STATUS(seam_io_unlink(io, "a", NULL), SEAM_IO);
    seam_io_sim_clear(s);
    seam_io_sim_plant(s, SEAM_SIM_ENOSPC, 1, true);
    ASSERT_OK(seam_file_datasync(a, &f), &f);
    ASSERT_STATUS(seam_file_write(a, 0, "x", 1, &f), SEAM_IO);
    ck_assert_int_eq(f.os_errno, ENOSPC);
    seam_fault_clear(&f);
    seam_io_sim_clear(s);
    seam_io_sim_set_capacity(s, 20);
    ASSERT_OK(seam_file_write(a, 0, "12345678901234567890", 20, &f), &f);
    ASSERT_STATUS(seam_file_write(a, 0, "123456789012345678901", 21, &f), SEAM_IO);
    ck_assert_int_eq(f.os_errno, ENOSPC);
    seam_fault_clear(&f);
    seam_io_sim_set_capacity(s, 0);
    seam_io_sim_plant(s, SEAM_SIM_POWER_CUT, 1, false);
    ASSERT_STATUS(seam_file_write(a, 0, "x", 1, NULL), SEAM_IO);
    ASSERT_STATUS(seam_file_size(a, &size, NULL), SEAM_IO);
    ck_assert(!seam_io_exists(io, "a"));
    seam_io_sim_reboot(s);
    ASSERT_STATUS(seam_file_size(a, &size, NULL), SEAM_IO);
    seam_file_close(a);
    seam_io_sim_free(s);
}

/* The same seed and the same calls leave the same disk. */
static void test_sim_is_deterministic(void)
{
    struct seam_buf first = {0};

    for (int round = 0; round < 2; round++) {
        struct seam_io_sim *s = seam_io_sim_new(test_seed());
        struct seam_io *io = seam_io_sim_io(s);
        struct seam_rng r;
        struct seam_buf all = {0};
        char name[16];

        seam_rng_seed(&r, test_seed());
        for (int i = 0; i < 200; i++) {
            struct seam_file *a;
            uint8_t bytes[1500];
            size_t n = (size_t)seam_rng_below(&r, sizeof bytes);

            snprintf(name, sizeof name, "f%u", (unsigned)seam_rng_below(&r, 9));
            seam_rng_bytes(&r, bytes, n);
            ck_assert_int_eq(seam_file_open(io, name, SEAM_FILE_WRITE | SEAM_FILE_CREATE, &a, NULL),
                             SEAM_OK);
            ck_assert_int_eq(seam_file_write(a, seam_rng_below(&r, 3000), bytes, n, NULL), SEAM_OK);
            if (seam_rng_below(&r, 4) == 0) ck_assert_int_eq(seam_file_sync(a, NULL), SEAM_OK);
            if (seam_rng_below(&r, 9) == 0)
                ck_assert_int_eq(seam_io_sync_dir(io, ".", NULL), SEAM_OK);
            seam_file_close(a);
            if (seam_rng_below(&r, 40) == 0) seam_io_sim_reboot(s);
        }
        for (int i = 0; i < 9; i++) {
            snprintf(name, sizeof name, "f%d", i);
            if (seam_io_exists(io, name))
                ck_assert_int_eq(seam_io_read_all(io, name, 1 << 20, &all, NULL), SEAM_OK);
            seam_buf_u64(&all, all.size);
        }
        if (round == 1) {
            ck_assert_uint_eq(all.size, first.size);
            ck_assert_mem_eq(all.data, first.data, all.size);
            seam_buf_free(&all);
            seam_buf_free(&first);
        } else {
            ck_assert_uint_gt(all.size, 1000);
            first = all;
        }
        seam_io_sim_free(s);
    }
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_files),
        T(test_zeros_maps_and_holes),
        T(test_names),
        T(test_locks_and_shared_pages),
        T(test_lock_names_the_holder_and_dies_with_it),
        T(test_remove_tree_does_not_follow_links),
        T(test_path_limits),
        T(test_sim_unsynced_bytes_may_vanish_and_synced_never),
        T(test_sim_names_need_their_folder_synced),
        T(test_sim_kill_keeps_the_page_cache),
        T(test_sim_failed_sync_poisons_and_drops),
        T(test_a_full_disk_refuses_a_shared_page),
        T(test_a_failed_sync_is_mended_by_the_next_writer),
        T(test_sim_shared_pages_come_back_older),
        T(test_sim_faults_and_capacity),
        T(test_sim_is_deterministic),
    };

    return run_tests("io", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
