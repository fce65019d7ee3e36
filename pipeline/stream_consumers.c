/* stream_consumers - the shared page of who reads the stream and how far.
 *
 *   0        8                128                256
 *   +--------+----------------+------------------+------ ...       64 cells of 128 bytes; the first holds the magic
 *   |SMCONS01|     zeros      | consumer 0       | consumer 1
 *   +--------+----------------+------------------+------ ...
 *   consumer: name[32] lsn wall_us updated_us position offset pid flags (8 bytes each), zeros
 *   flags: 1 used, 2 invalid
 *
 * One process writes a cell (its owner); the numbers are single aligned words, so a reader sees each of them whole.
 * Joining and leaving are done under a file lock. Names never move, so a cell once found stays right.   */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/thread.h"
#include "pipeline/stream.h"

enum { CELL = 128, PAGE_BYTES = 64 * CELL, LOCK_TRIES = 2000, CELL_USED = 1, CELL_INVALID = 2 };
static const char magic[8] = "SMCONS01";

struct cell {
    char name[STREAM_NAME_MAX];
    uint64_t lsn, wall_us, updated_us, position, offset, pid, flags;
    uint8_t zeros[CELL - STREAM_NAME_MAX - 7 * 8];
};
_Static_assert(sizeof(struct cell) == CELL, "a consumer is one cell");

struct stream_consumers {
    struct io *io;
    char dir[PATH_MAX_BYTES];
    struct cell *cells; /* [0] is the header */
};

static uint64_t load(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static void store(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }

enum status stream_consumers_open(struct io *io, const char *dir, struct stream_consumers **out,
                                  struct fault *f)
{
    struct stream_consumers *c = calloc(1, sizeof *c);
    char path[PATH_MAX_BYTES];
    void *page = NULL;
    enum status st;

    if (c == NULL) return fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory");
    c->io = io;
    snprintf(c->dir, sizeof c->dir, "%s", dir);
    st = path_join(path, dir, "consumers", f);
    if (st == ST_OK) st = io_map_shared(io, path, PAGE_BYTES, &page, f);
    c->cells = page;
    if (st == ST_OK && memcmp(page, magic, 8) != 0) {
        static const char zeros[8];

        if (memcmp(page, zeros, 8) == 0) memcpy(page, magic, 8);
        else st = fault_set(f, ST_CORRUPT, path, 0, "not a page of consumers: remove it, it is only positions");
    }
    if (st != ST_OK) {
        stream_consumers_close(c);
        return st;
    }
    *out = c;
    return ST_OK;
}

void stream_consumers_close(struct stream_consumers *c)
{
    if (c == NULL) return;
    if (c->cells != NULL) io_unmap_shared(c->io, c->cells, PAGE_BYTES);
    free(c);
}

/* Joining takes microseconds, so whoever finds the lock held waits a little.                        */
static enum status take_lock(struct stream_consumers *c, struct file **lock, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    struct fault busy = {0};
    enum status st = path_join(path, c->dir, "consumers.lock", f);

    if (st == ST_OK) st = file_open(c->io, path, FILE_WRITE | FILE_CREATE, lock, f);
    if (st != ST_OK) return st;
    for (int i = 0; i < LOCK_TRIES; i++) {
        fault_clear(&busy);
        st = file_lock(*lock, true, &busy);
        if (st != ST_CONFLICT) break;
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    if (st != ST_OK) {
        if (f != NULL && f->status == ST_OK) *f = busy;
        file_close(*lock);
        *lock = NULL;
    }
    return st;
}

static int find(const struct stream_consumers *c, const char *name)
{
    for (int i = 1; i <= STREAM_CONSUMERS_MAX; i++)
        if ((load(&c->cells[i].flags) & CELL_USED) && strncmp(c->cells[i].name, name, STREAM_NAME_MAX) == 0)
            return i;
    return 0;
}

enum status stream_consumer_join(struct stream_consumers *c, const char *name, int *slot, struct fault *f)
{
    struct file *lock = NULL;
    int i;
    enum status st;

    if (strlen(name) >= STREAM_NAME_MAX || *name == '\0')
        return fault_set(f, ST_INVALID, name, FAULT_NO_OFFSET, "a consumer's name has 1 to %d bytes",
                         STREAM_NAME_MAX - 1);
    st = take_lock(c, &lock, f);
    if (st != ST_OK) return st;
    i = find(c, name);
    for (int k = 1; i == 0 && k <= STREAM_CONSUMERS_MAX; k++) {
        if (load(&c->cells[k].flags) & CELL_USED) continue;
        memset(&c->cells[k], 0, CELL);
        memcpy(c->cells[k].name, name, strlen(name));
        i = k;
    }
    if (i == 0)
        st = fault_set(f, ST_LIMIT, c->dir, FAULT_NO_OFFSET, "more than %d consumers", STREAM_CONSUMERS_MAX);
    if (st == ST_OK) {
        store(&c->cells[i].pid, (uint64_t)process_id());
        store(&c->cells[i].flags, load(&c->cells[i].flags) | CELL_USED);
        *slot = i;
    }
    file_close(lock);
    return st;
}

void stream_consumer_confirm(struct stream_consumers *c, int slot, const struct stream_event *at,
                             int64_t now_us)
{
    struct cell *cell = &c->cells[slot];

    store(&cell->position, at->position);
    store(&cell->offset, at->offset);
    store(&cell->wall_us, (uint64_t)at->wall_us);
    store(&cell->updated_us, (uint64_t)now_us);
    store(&cell->flags, CELL_USED); /* one that confirms again has bootstrapped */
    store(&cell->lsn, at->lsn);
}

enum status stream_consumer_leave(struct stream_consumers *c, const char *name, struct fault *f)
{
    struct file *lock = NULL;
    enum status st = take_lock(c, &lock, f);
    int i;

    if (st != ST_OK) return st;
    i = find(c, name);
    if (i == 0) st = fault_set(f, ST_NOT_FOUND, name, FAULT_NO_OFFSET, "no consumer of that name");
    else store(&c->cells[i].flags, 0);
    file_close(lock);
    return st;
}

void stream_consumer_invalidate(struct stream_consumers *c, const char *name)
{
    int i = find(c, name);

    if (i != 0) store(&c->cells[i].flags, CELL_USED | CELL_INVALID);
}

size_t stream_consumers_list(struct stream_consumers *c, struct stream_consumer out[STREAM_CONSUMERS_MAX])
{
    size_t n = 0;

    for (int i = 1; i <= STREAM_CONSUMERS_MAX; i++) {
        const struct cell *cell = &c->cells[i];
        uint64_t flags = load(&cell->flags);
        struct stream_consumer *o = &out[n];

        if ((flags & CELL_USED) == 0) continue;
        memset(o, 0, sizeof *o);
        memcpy(o->name, cell->name, STREAM_NAME_MAX - 1);
        o->lsn = load(&cell->lsn);
        o->wall_us = (int64_t)load(&cell->wall_us);
        o->updated_us = (int64_t)load(&cell->updated_us);
        o->position = load(&cell->position);
        o->offset = load(&cell->offset);
        o->pid = (int64_t)load(&cell->pid);
        o->alive = o->pid != 0 && process_alive(o->pid);
        o->invalid = (flags & CELL_INVALID) != 0;
        n++;
    }
    return n;
}
