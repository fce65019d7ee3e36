/* The same behaviours are asked of the real disk and of the simulated one. */
#include "tests/common/check_main.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/io/io_sim.h"
#include "engine/base/rng.h"
#include "engine/base/thread.h"

static const char *in(const char *dir, const char *name)
{
    static char path[4][PATH_MAX_BYTES];
    static int turn;
    char *out = path[turn++ & 3];

    ck_assert_int_eq(path_join(out, dir, name, NULL), ST_OK);
    return out;
}

static void check_files(struct io *io, const char *dir)
{
    struct fault f = {0};
    struct file *a = NULL, *b = NULL;
    struct io_slice slices[] = {{"ab", 2}, {"", 0}, {"cde", 3}};
    char text[16] = {0};
    uint64_t size;
    size_t got;

    ASSERT_STATUS(file_open(io, in(dir, "none"), FILE_READ, &a, NULL), ST_NOT_FOUND);
    ASSERT_STATUS(file_open(io, in(dir, "no/folder"), FILE_WRITE | FILE_CREATE, &a, NULL),
                  ST_NOT_FOUND);
    ASSERT_OK(file_open(io, in(dir, "a"), FILE_WRITE | FILE_CREATE, &a, &f), &f);
    ck_assert_str_eq(file_path(a), in(dir, "a"));
    ASSERT_STATUS(file_open(io, in(dir, "a"), FILE_WRITE | FILE_CREATE | FILE_EXCL, &b, NULL),
                  ST_EXISTS);
    ASSERT_OK(file_writev(a, 3, slices, 3, &f), &f);
    ASSERT_OK(file_size(a, &size, &f), &f);
    ck_assert_uint_eq(size, 8);
    ASSERT_OK(file_read(a, 0, text, 8, &f), &f);
    ck_assert_mem_eq(text, "\0\0\0abcde", 8);
    ASSERT_OK(file_read_some(a, 6, text, 10, &got, &f), &f);
    ck_assert_uint_eq(got, 2);
    ASSERT_OK(file_read_some(a, 100, text, 10, &got, &f), &f);
    ck_assert_uint_eq(got, 0);
    ASSERT_STATUS(file_read(a, 6, text, 3, &f), ST_CORRUPT);
    ck_assert_uint_eq(f.at, 6);
    fault_clear(&f);
    ASSERT_OK(file_truncate(a, 4, &f), &f);
    ASSERT_OK(file_truncate(a, 6, &f), &f);
    ASSERT_OK(file_read(a, 0, text, 6, &f), &f);
    ck_assert_mem_eq(text, "\0\0\0a\0\0", 6);
    ASSERT_OK(file_datasync(a, &f), &f);
    ASSERT_OK(file_sync(a, &f), &f);
    ASSERT_OK(file_open(io, in(dir, "a"), FILE_READ, &b, &f), &f);
    ck_assert(file_write(b, 0, "x", 1, NULL) == ST_IO);
    file_close(b);
    ASSERT_OK(file_open(io, in(dir, "a"), FILE_WRITE | FILE_TRUNC | FILE_DSYNC, &b, &f), &f);
    ASSERT_OK(file_size(a, &size, &f), &f);
    ck_assert_uint_eq(size, 0);
    ASSERT_OK(file_write(b, 0, "durable", 7, &f), &f);
    file_close(b);
    file_close(a);
    file_close(NULL);
}

static void check_zero_map_punch(struct io *io, const char *dir)
{
    const uint64_t n = (1u << 20) + 12345;
    struct fault f = {0};
    struct file *a = NULL;
    const uint8_t *map, *empty;
    uint64_t size, ones = 0;

    ASSERT_OK(file_open(io, in(dir, "z"), FILE_WRITE | FILE_CREATE, &a, &f), &f);
    ASSERT_OK(file_write(a, 0, "head", 4, &f), &f);
    ASSERT_OK(file_fill_zero(a, 4, n, &f), &f);
    ASSERT_OK(file_write(a, n + 4, "tail", 4, &f), &f);
    ASSERT_OK(file_size(a, &size, &f), &f);
    ck_assert_uint_eq(size, n + 8);
    ASSERT_OK(file_map(a, n + 8, &map, &f), &f);
    ASSERT_OK(file_map(a, 0, &empty, &f), &f);
    ASSERT_STATUS(file_map(a, n + 9, &empty, NULL), ST_CORRUPT);
    ASSERT_OK(file_punch_hole(a, 0, 0), &f);
    file_close(a);
    ck_assert_mem_eq(map, "head", 4);
    for (uint64_t i = 4; i < n + 4; i++) ones += map[i] != 0;
    ck_assert_uint_eq(ones, 0);
    ck_assert_mem_eq(map + n + 4, "tail", 4);
    file_unmap(io, map, n + 8);
    file_unmap(io, empty, 0);
    ASSERT_OK(file_open(io, in(dir, "z"), FILE_WRITE, &a, &f), &f);
    ASSERT_OK(file_write(a, 0, "0123456789abcdef", 16, &f), &f);
    ASSERT_OK(file_punch_hole(a, 0, 8), &f);
    ASSERT_OK(file_size(a, &size, &f), &f);
    ck_assert_uint_eq(size, n + 8);
    file_close(a);
}

static void check_names(struct io *io, const char *dir)
{
    struct fault f = {0};
    struct io_list l;
    struct buf b = {0};
    struct file *a = NULL;

    ASSERT_OK(io_mkdir(io, in(dir, "x/y/z/"), &f), &f);
    ASSERT_OK(io_mkdir(io, in(dir, "x/y"), &f), &f);
    ck_assert(io_exists(io, in(dir, "x/y/z")));
    ck_assert(!io_exists(io, in(dir, "x/q")));
    ASSERT_OK(io_write_atomic(io, in(dir, "x/two"), "22", 2, &f), &f);
    ASSERT_OK(io_write_atomic(io, in(dir, "x/one"), "1", 1, &f), &f);
    ASSERT_OK(io_write_atomic(io, in(dir, "x/one"), "11", 2, &f), &f);
    ASSERT_OK(io_write_atomic(io, in(dir, "x/empty"), NULL, 0, &f), &f);
    ASSERT_OK(io_list(io, in(dir, "x"), &l, &f), &f);
    ck_assert_uint_eq(l.count, 4);
    ck_assert_str_eq(l.names[0], "empty");
    ck_assert_str_eq(l.names[1], "one");
    ck_assert_str_eq(l.names[2], "two");
    ck_assert_str_eq(l.names[3], "y");
    io_list_free(&l);
    ASSERT_STATUS(io_list(io, in(dir, "nowhere"), &l, NULL), ST_NOT_FOUND);
    ASSERT_OK(io_link(io, in(dir, "x/one"), in(dir, "x/same"), &f), &f);
    ASSERT_STATUS(io_link(io, in(dir, "x/one"), in(dir, "x/two"), NULL), ST_EXISTS);
    ASSERT_OK(io_rename(io, in(dir, "x/one"), in(dir, "x/two"), &f), &f);
    ASSERT_STATUS(io_rename(io, in(dir, "x/one"), in(dir, "x/two"), NULL), ST_NOT_FOUND);
    ASSERT_OK(io_read_all(io, in(dir, "x/two"), 10, &b, &f), &f);
    ASSERT_OK(io_read_all(io, in(dir, "x/same"), 10, &b, &f), &f);
    ck_assert_uint_eq(b.size, 4);
    ck_assert_mem_eq(b.data, "1111", 4);
    ASSERT_STATUS(io_read_all(io, in(dir, "x/same"), 1, &b, NULL), ST_LIMIT);
    buf_free(&b);
    ASSERT_STATUS(io_unlink(io, in(dir, "x/one"), NULL), ST_NOT_FOUND);
    ASSERT_STATUS(io_unlink(io, in(dir, "x/y"), NULL), ST_IO);
    ASSERT_STATUS(io_rmdir(io, in(dir, "x/y"), NULL), ST_IO);
    /* an open file outlives its name */
    ASSERT_OK(file_open(io, in(dir, "x/two"), FILE_READ, &a, &f), &f);
    ASSERT_OK(io_unlink(io, in(dir, "x/two"), &f), &f);
    {
        char text[2];

        ASSERT_OK(file_read(a, 0, text, 2, &f), &f);
        ck_assert_mem_eq(text, "11", 2);
    }
    file_close(a);
    /* folders move with what is in them */
    ASSERT_OK(io_rename(io, in(dir, "x/y"), in(dir, "x/moved"), &f), &f);
    ck_assert(io_exists(io, in(dir, "x/moved/z")));
    ck_assert(!io_exists(io, in(dir, "x/y/z")));
    ASSERT_OK(io_sync_dir(io, in(dir, "x"), &f), &f);
    ASSERT_OK(io_remove_tree(io, in(dir, "x"), &f), &f);
    ck_assert(!io_exists(io, in(dir, "x")));
    ASSERT_OK(io_remove_tree(io, in(dir, "x"), &f), &f);
}

static void check_lock_and_share(struct io *io, const char *dir)
{
    struct fault f = {0};
    struct file *a = NULL, *b = NULL;
    uint32_t *p = NULL, *q = NULL;

    ASSERT_OK(file_open(io, in(dir, "LOCK"), FILE_WRITE | FILE_CREATE, &a, &f), &f);
    ASSERT_OK(file_open(io, in(dir, "LOCK"), FILE_WRITE | FILE_CREATE, &b, &f), &f);
    ASSERT_OK(file_lock(a, false, &f), &f);
    ASSERT_OK(file_lock(b, false, &f), &f);
    ASSERT_STATUS(file_lock(a, true, NULL), ST_CONFLICT);
    file_close(b);
    ASSERT_OK(file_lock(a, true, &f), &f);
    ASSERT_OK(file_open(io, in(dir, "LOCK"), FILE_WRITE, &b, &f), &f);
    ASSERT_STATUS(file_lock(b, false, NULL), ST_CONFLICT);
    file_close(a);
    ASSERT_OK(file_lock(b, true, &f), &f);
    file_close(b);

    ASSERT_OK(io_map_shared(io, in(dir, "page"), 4096, (void **)&p, &f), &f);
    ASSERT_OK(io_map_shared(io, in(dir, "page"), 4096, (void **)&q, &f), &f);
    ck_assert_uint_eq(q[9], 0);
    p[9] = 77;
    ck_assert_uint_eq(q[9], 77);
    io_unmap_shared(io, p, 4096);
    io_unmap_shared(io, q, 4096);
    ASSERT_OK(io_map_shared(io, in(dir, "page"), 4096, (void **)&p, &f), &f);
    ck_assert_uint_eq(p[9], 77);
    ASSERT_STATUS(futex_wait(p, 1, UINT64_MAX), ST_OK);
    ASSERT_STATUS(futex_wait(p, 0, 1000000), ST_TIMEOUT);
    io_unmap_shared(io, p, 4096);
}

static void both(void (*check)(struct io *, const char *))
{
    struct io_sim *s = io_sim_new(test_seed());

    ck_assert_int_eq(io_mkdir(io_sim_io(s), "/w", NULL), ST_OK);
    check(io_posix(), test_dir());
    check(io_sim_io(s), "/w");
    io_sim_free(s);
}

static void test_files(void) { both(check_files); }
static void test_zeros_maps_and_holes(void) { both(check_zero_map_punch); }
static void test_names(void) { both(check_names); }
static void test_locks_and_shared_pages(void) { both(check_lock_and_share); }

static void test_lock_names_the_holder_and_dies_with_it(void)
{
    const char *path = in(test_dir(), "LOCK");
    struct fault f = {0};
    struct file *a = NULL;
    int ready[2], go[2], status;
    char byte = 0, pid_text[32];
    pid_t child;

    ck_assert(pipe(ready) == 0 && pipe(go) == 0);
    child = fork();
    if (child == 0) {
        if (file_open(io_posix(), path, FILE_WRITE | FILE_CREATE, &a, NULL) != ST_OK) _exit(1);
        if (file_lock(a, true, NULL) != ST_OK) _exit(2);
        if (write(ready[1], "r", 1) != 1 || read(go[0], &byte, 1) != 1) _exit(3);
        _exit(0); /* without closing: death releases the lock */
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ASSERT_OK(file_open(io_posix(), path, FILE_WRITE | FILE_CREATE, &a, &f), &f);
    ASSERT_STATUS(file_lock(a, true, &f), ST_CONFLICT);
    snprintf(pid_text, sizeof pid_text, "%ld", (long)child);
    ck_assert_msg(strstr(f.why, pid_text) != NULL || access("/proc/locks", R_OK) != 0, "%s", f.why);
    ck_assert(process_alive(child));
    ck_assert_int_eq(write(go[1], "g", 1), 1);
    ck_assert(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert(!process_alive(child));
    fault_clear(&f);
    ASSERT_OK(file_lock(a, true, &f), &f);
    file_close(a);
}

/* A link in the tree is removed, not followed. */
static void test_remove_tree_does_not_follow_links(void)
{
    const char *dir = test_dir();
    struct fault f = {0};

    ASSERT_OK(io_mkdir(io_posix(), in(dir, "keep"), &f), &f);
    ASSERT_OK(io_write_atomic(io_posix(), in(dir, "keep/file"), "x", 1, &f), &f);
    ASSERT_OK(io_mkdir(io_posix(), in(dir, "tree"), &f), &f);
    ck_assert_int_eq(symlink(in(dir, "keep"), in(dir, "tree/link")), 0);
    ASSERT_OK(io_remove_tree(io_posix(), in(dir, "tree"), &f), &f);
    ck_assert(io_exists(io_posix(), in(dir, "keep/file")));
}

static void test_path_limits(void)
{
    char longname[2000], out[PATH_MAX_BYTES];

    memset(longname, 'a', sizeof longname - 1);
    longname[sizeof longname - 1] = '\0';
    ASSERT_STATUS(path_join(out, "d", longname, NULL), ST_LIMIT);
    ASSERT_STATUS(io_mkdir(io_posix(), longname, NULL), ST_LIMIT);
    ASSERT_STATUS(path_join(out, "d/", "x", NULL), ST_OK);
    ck_assert_str_eq(out, "d/x");
}

/* ---- the simulated disk's own promises ---- */

static void test_sim_unsynced_bytes_may_vanish_and_synced_never(void)
{
    uint64_t kept = 0, lost = 0, torn = 0;

    for (uint64_t seed = 0; seed < 200; seed++) {
        struct io_sim *s = io_sim_new(test_seed() + seed);
        struct io *io = io_sim_io(s);
        struct fault f = {0};
        struct file *a;
        static uint8_t bytes[4096], back[4096];
        size_t ones = 0;

        memset(bytes, 1, sizeof bytes);
        ASSERT_OK(file_open(io, "a", FILE_WRITE | FILE_CREATE, &a, &f), &f);
        ASSERT_OK(file_fill_zero(a, 0, sizeof bytes, &f), &f);
        ASSERT_OK(file_write(a, 0, "synced", 6, &f), &f);
        ASSERT_OK(file_datasync(a, &f), &f);
        ASSERT_OK(io_sync_dir(io, ".", &f), &f);
        ASSERT_OK(file_write(a, 1024, bytes, 2048, &f), &f);
        io_sim_reboot(s);
        ck_assert_int_eq(file_read(a, 0, back, 1, NULL), ST_IO); /* a dead handle */
        file_close(a);
        ASSERT_OK(file_open(io, "a", FILE_READ, &a, &f), &f);
        ASSERT_OK(file_read(a, 0, back, sizeof back, &f), &f);
        ck_assert_mem_eq(back, "synced", 6);
        for (size_t i = 6; i < 1024; i++) ck_assert_uint_eq(back[i], 0);
        for (size_t sector = 2; sector < 6; sector++) {
            ck_assert(back[sector * 512] == back[sector * 512 + 511]);
            ones += back[sector * 512];
        }
        if (ones == 0) lost++;
        else if (ones == 4) kept++;
        else torn++;
        file_close(a);
        io_sim_free(s);
    }
    ck_assert(kept > 10 && lost > 10 && torn > 10);
}

static void test_sim_names_need_their_folder_synced(void)
{
    uint64_t there = 0, both_names = 0, neither = 0;

    for (uint64_t seed = 0; seed < 100; seed++) {
        struct io_sim *s = io_sim_new(test_seed() + seed);
        struct io *io = io_sim_io(s);
        struct fault f = {0};
        struct file *a;
        bool from, to;

        ASSERT_OK(io_mkdir(io, "d", &f), &f);
        ASSERT_OK(file_open(io, "d/new", FILE_WRITE | FILE_CREATE, &a, &f), &f);
        ASSERT_OK(file_sync(a, &f), &f);
        file_close(a);
        ASSERT_OK(io_write_atomic(io, "d/old", "x", 1, &f), &f);
        ASSERT_OK(file_open(io, "d/late", FILE_WRITE | FILE_CREATE, &a, &f), &f);
        file_close(a);
        ASSERT_OK(io_rename(io, "d/old", "d/moved", &f), &f);
        io_sim_reboot(s);
        ck_assert(io_exists(io, "d/new")); /* write_atomic synced the folder */
        there += io_exists(io, "d/late");
        from = io_exists(io, "d/old");
        to = io_exists(io, "d/moved");
        both_names += from && to;
        neither += !from && !to;
        io_sim_free(s);
    }
    ck_assert(there > 10 && there < 90);
    ck_assert_uint_eq(both_names + neither, 0); /* a rename is all or nothing */
}

static void test_sim_kill_keeps_the_page_cache(void)
{
    struct io_sim *s = io_sim_new(test_seed());
    struct io *io = io_sim_io(s);
    struct fault f = {0};
    struct file *a, *b;
    char text[5];

    ASSERT_OK(file_open(io, "a", FILE_WRITE | FILE_CREATE, &a, &f), &f);
    ASSERT_OK(file_write(a, 0, "hello", 5, &f), &f);
    ASSERT_OK(file_lock(a, true, &f), &f);
    io_sim_kill(s);
    ASSERT_STATUS(file_write(a, 0, "dead", 4, NULL), ST_IO);
    ASSERT_OK(file_open(io, "a", FILE_WRITE, &b, &f), &f);
    ASSERT_OK(file_lock(b, true, &f), &f); /* the dead hold no locks */
    ASSERT_OK(file_read(b, 0, text, 5, &f), &f);
    ck_assert_mem_eq(text, "hello", 5);
    file_close(a);
    file_close(b);
    io_sim_free(s);
}

static void test_sim_failed_sync_poisons_and_drops(void)
{
    uint64_t lost = 0;

    for (uint64_t seed = 0; seed < 40; seed++) {
        struct io_sim *s = io_sim_new(test_seed() + seed);
        struct io *io = io_sim_io(s);
        struct fault f = {0};
        struct file *a, *b;
        char text[5] = {0};
        size_t got;

        ASSERT_OK(file_open(io, "a", FILE_WRITE | FILE_CREATE, &a, &f), &f);
        ASSERT_OK(io_sync_dir(io, ".", &f), &f);
        ASSERT_OK(file_write(a, 0, "hello", 5, &f), &f);
        io_sim_plant(s, SIM_SYNC_FAIL, 1, false);
        ASSERT_STATUS(file_datasync(a, &f), ST_IO);
        ck_assert_int_eq(f.os_errno, EIO);
        fault_clear(&f);
        ASSERT_STATUS(file_datasync(a, &f), ST_IO); /* and for ever */
        ck_assert_int_eq(f.os_errno, EIO);
        ck_assert(strstr(f.why, "earlier sync") != NULL);
        ASSERT_STATUS(file_write(a, 0, "x", 1, NULL), ST_IO);
        fault_clear(&f);
        ASSERT_OK(file_read(a, 0, text, 5, &f), &f); /* readers see what the disk may not have */
        ck_assert_mem_eq(text, "hello", 5);
        ASSERT_OK(file_open(io, "a", FILE_WRITE, &b, &f), &f);
        ASSERT_OK(file_datasync(b, &f), &f); /* says yes, and lies: the pages were marked clean */
        file_close(b);
        file_close(a);
        io_sim_reboot(s);
        ASSERT_OK(file_open(io, "a", FILE_READ, &a, &f), &f);
        ASSERT_OK(file_read_some(a, 0, text, 5, &got, &f), &f);
        lost += got == 0;
        file_close(a);
        io_sim_free(s);
    }
    ck_assert(lost > 5 && lost < 35);
}

static void test_sim_faults_and_capacity(void)
{
    struct io_sim *s = io_sim_new(test_seed());
    struct io *io = io_sim_io(s);
    struct fault f = {0};
    struct file *a;
    uint64_t size, calls;

    ASSERT_OK(file_open(io, "a", FILE_WRITE | FILE_CREATE, &a, &f), &f);
    calls = io_sim_calls(s);
    ASSERT_OK(file_write(a, 0, "12345678", 8, &f), &f);
    ck_assert_uint_eq(io_sim_calls(s), calls + 1);
    io_sim_plant(s, SIM_SHORT_WRITE, 1, false);
    ASSERT_STATUS(file_write(a, 8, "abcdefgh", 8, NULL), ST_IO);
    ck_assert(io_sim_fired(s));
    ASSERT_OK(file_size(a, &size, &f), &f);
    ck_assert_uint_eq(size, 12);
    ASSERT_OK(file_write(a, 8, "abcdefgh", 8, &f), &f);
    io_sim_plant(s, SIM_EIO, 2, true);
    ASSERT_OK(file_write(a, 0, "x", 1, &f), &f);
    ASSERT_STATUS(file_write(a, 0, "x", 1, NULL), ST_IO);
    ASSERT_STATUS(io_unlink(io, "a", NULL), ST_IO);
    io_sim_clear(s);
    io_sim_plant(s, SIM_ENOSPC, 1, true);
    ASSERT_OK(file_datasync(a, &f), &f);
    ASSERT_STATUS(file_write(a, 0, "x", 1, &f), ST_IO);
    ck_assert_int_eq(f.os_errno, ENOSPC);
    fault_clear(&f);
    io_sim_clear(s);
    io_sim_set_capacity(s, 20);
    ASSERT_OK(file_write(a, 0, "12345678901234567890", 20, &f), &f);
    ASSERT_STATUS(file_write(a, 0, "123456789012345678901", 21, &f), ST_IO);
    ck_assert_int_eq(f.os_errno, ENOSPC);
    fault_clear(&f);
    io_sim_set_capacity(s, 0);
    io_sim_plant(s, SIM_POWER_CUT, 1, false);
    ASSERT_STATUS(file_write(a, 0, "x", 1, NULL), ST_IO);
    ASSERT_STATUS(file_size(a, &size, NULL), ST_IO);
    ck_assert(!io_exists(io, "a"));
    io_sim_reboot(s);
    ASSERT_STATUS(file_size(a, &size, NULL), ST_IO);
    file_close(a);
    io_sim_free(s);
}

/* The same seed and the same calls leave the same disk. */
static void test_sim_is_deterministic(void)
{
    struct buf first = {0};

    for (int round = 0; round < 2; round++) {
        struct io_sim *s = io_sim_new(test_seed());
        struct io *io = io_sim_io(s);
        struct rng r;
        struct buf all = {0};
        char name[16];

        rng_seed(&r, test_seed());
        for (int i = 0; i < 200; i++) {
            struct file *a;
            uint8_t bytes[1500];
            size_t n = (size_t)rng_below(&r, sizeof bytes);

            snprintf(name, sizeof name, "f%u", (unsigned)rng_below(&r, 9));
            rng_bytes(&r, bytes, n);
            ck_assert_int_eq(file_open(io, name, FILE_WRITE | FILE_CREATE, &a, NULL), ST_OK);
            ck_assert_int_eq(file_write(a, rng_below(&r, 3000), bytes, n, NULL), ST_OK);
            if (rng_below(&r, 4) == 0) ck_assert_int_eq(file_sync(a, NULL), ST_OK);
            if (rng_below(&r, 9) == 0) ck_assert_int_eq(io_sync_dir(io, ".", NULL), ST_OK);
            file_close(a);
            if (rng_below(&r, 40) == 0) io_sim_reboot(s);
        }
        for (int i = 0; i < 9; i++) {
            snprintf(name, sizeof name, "f%d", i);
            if (io_exists(io, name))
                ck_assert_int_eq(io_read_all(io, name, 1 << 20, &all, NULL), ST_OK);
            buf_u64(&all, all.size);
        }
        if (round == 1) {
            ck_assert_uint_eq(all.size, first.size);
            ck_assert_mem_eq(all.data, first.data, all.size);
            buf_free(&all);
            buf_free(&first);
        } else {
            ck_assert_uint_gt(all.size, 1000);
            first = all;
        }
        io_sim_free(s);
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
        T(test_sim_faults_and_capacity),
        T(test_sim_is_deterministic),
    };

    return run_tests("io", tests, ARRAY_LEN(tests), argc, argv);
}
