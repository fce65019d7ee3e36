/* stream_consumers - who reads the stream, in one mapped page pair.
 *
 *   DIR/consumers: 128 bytes of header (magic, count), then 63 entries of 128 bytes:
 *
 *   0     32    40     48        56           64         72       80    88       92
 *   +-----+-----+------+---------+------------+----------+--------+-----+--------+---------+
 *   | name| lsn | wall | updated | position   | offset   | pid    | -   | invalid| version |
 *   +-----+-----+------+---------+------------+----------+--------+-----+--------+---------+
 *   96: crc32c of the name and of the fields from lsn to offset, as its owner last wrote them. A page that came back
 *   from a power cut in parts is found out by it; such an entry counts as one that has confirmed nothing, and so
 *   holds everything until it confirms again.
 *   version is odd while its owner writes; a reader tries again until it sees one even value twice.
 *   name[0] == 0: free. An entry is taken and given back under a lock on DIR/consumers.lock.
 *
 *   DIR/NAME.consumer: a head (engine/io/filehead.h: SEAMCONS, 2; extra: crc32c of the name). It declares the consumer durably; if the
 *   page was lost with the machine, the entry comes back at position 0 and so holds everything
 *   until it confirms. */
#include "pipeline/stream/stream_internal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/crc32c.h"
#include "engine/base/thread.h"
#include "engine/io/filehead.h"

struct stream_entry {
    char name[STREAM_NAME_MAX];
    _Atomic uint64_t lsn;
    _Atomic int64_t wall_us, updated_us;
    _Atomic uint64_t position, offset;
    _Atomic int64_t pid;
    uint64_t unused;
    _Atomic uint32_t invalid, version, crc;
    uint8_t pad[28];
};
_Static_assert(sizeof(struct stream_entry) == 128, "an entry is two cache lines");

struct page {
    _Atomic uint64_t magic;
    uint8_t pad[120];
    struct stream_entry entries[STREAM_CONSUMERS_MAX];
};
_Static_assert(sizeof(struct page) == 8192, "the page of consumers is two pages");
#define PAGE_MAGIC                                                                                 \
    0x32534e4f434d5453ull /* "STMCONS2"; a page of version 1 is begun anew from the markers */

static const struct seam_filehead_format marker_format = {
    .magic = "SEAMCONS", .version = 2, .name = "the mark of a consumer"};

struct stream_consumers {
    struct seam_io *io;
    char dir[SEAM_PATH_MAX_BYTES];
    struct page *page;
    bool own; /* the page is memory of ours: it was made to be looked at */
};

static bool name_ok(const char *name)
{
    size_t n = strnlen(name, STREAM_NAME_MAX);

    return n > 0 && n < STREAM_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

/* Of what an owner writes when it confirms. */
static uint32_t entry_crc(const struct stream_consumer *s)
{
    uint64_t fields[] = {s->lsn, (uint64_t)s->wall_us, (uint64_t)s->updated_us, s->position,
                         s->offset};

    return seam_crc32c(seam_crc32c(0, s->name, strlen(s->name)), fields, sizeof fields);
}

static bool taken(const struct stream_entry *e)
{
    return name_ok(e->name);
}

static struct stream_entry *find(struct page *p, const char *name)
{
    for (size_t i = 0; i < STREAM_CONSUMERS_MAX; i++)
        if (taken(&p->entries[i]) && strcmp(p->entries[i].name, name) == 0) return &p->entries[i];
    return NULL;
}

static enum seam_status consumers_lock(struct stream_consumers *c, struct seam_file **lock,
                                       struct seam_fault *f)
{
    return seam_moment_lock(c->io, seam_clock_real(), c->dir, "consumers.lock", lock, f);
}

static enum seam_status marker_path(struct stream_consumers *c, const char *name,
                                    char out[SEAM_PATH_MAX_BYTES], struct seam_fault *f)
{
    char file[STREAM_NAME_MAX + 16];

    (void)snprintf(file, sizeof file, "%s.consumer", name);
    return seam_path_join(out, c->dir, file, f);
}

static enum seam_status add_entry(struct stream_consumers *c, const char *name,
                                  struct stream_entry **out, struct seam_fault *f)
{
    struct page *p = c->page;
    struct stream_consumer fresh = {.lsn = 0};

    *out = find(p, name);
    if (*out != NULL) return SEAM_OK;
    for (size_t i = 0; i < STREAM_CONSUMERS_MAX; i++) {
        struct stream_entry *e = &p->entries[i];

        if (taken(e)) continue;
        atomic_store(&e->lsn, 0);
        atomic_store(&e->wall_us, 0);
        atomic_store(&e->updated_us, 0);
        atomic_store(&e->position, 0);
        atomic_store(&e->offset, 0);
        atomic_store(&e->pid, 0);
        atomic_store(&e->invalid, 0);
        atomic_store(&e->version, 0);
        memset(e->name, 0, sizeof e->name);
        memcpy(e->name, name, strlen(name));
        memcpy(fresh.name, e->name, sizeof fresh.name);
        atomic_store(&e->crc, entry_crc(&fresh));
        *out = e;
        return SEAM_OK;
    }
    return seam_fault_set(f, SEAM_LIMIT, c->dir, SEAM_FAULT_NO_OFFSET,
                          "a stream may have %d consumers at most", STREAM_CONSUMERS_MAX);
}

/* Declared consumers whose entry was lost with the page are put back. */
static enum seam_status restore_entries(struct stream_consumers *c, struct seam_fault *f)
{
    struct seam_io_list names = {0};
    enum seam_status st;

    if (atomic_load(&c->page->magic) != PAGE_MAGIC) {
        memset(c->page->entries, 0, sizeof c->page->entries);
        atomic_store(&c->page->magic, PAGE_MAGIC);
    }
    st = seam_io_list(c->io, c->dir, &names, f);
    for (size_t i = 0; st == SEAM_OK && i < names.count; i++) {
        char name[STREAM_NAME_MAX] = {0};
        size_t n = strlen(names.names[i]);
        struct stream_entry *e;

        if (n <= 9 || n - 9 >= sizeof name || strcmp(names.names[i] + n - 9, ".consumer") != 0)
            continue;
        memcpy(name, names.names[i], n - 9);
        if (name_ok(name)) st = add_entry(c, name, &e, f);
    }
    seam_io_list_free(&names);
    return st;
}

static enum seam_status restore(struct stream_consumers *c, struct seam_fault *f)
{
    struct seam_file *lock = NULL;
    enum seam_status st = consumers_lock(c, &lock, f);

    if (st == SEAM_OK) st = restore_entries(c, f);
    seam_file_close(lock);
    return st;
}

static struct stream_consumers *consumers_new(struct seam_io *io, const char *dir,
                                              struct seam_fault *f)
{
    struct stream_consumers *c = calloc(1, sizeof *c);

    if (c == NULL) {
        seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory for the consumers");
        return NULL;
    }
    c->io = io;
    (void)snprintf(c->dir, sizeof c->dir, "%s", dir);
    return c;
}

/* A page of our own, filled from the markers: for whoever only looks and finds no other. */
static enum seam_status own_page(struct stream_consumers *c, struct seam_fault *f)
{
    c->page = calloc(1, sizeof *c->page);
    c->own = true;
    if (c->page == NULL)
        return seam_fault_set(f, SEAM_NOMEM, c->dir, SEAM_FAULT_NO_OFFSET,
                              "no memory for the consumers");
    return restore_entries(c, f);
}

enum seam_status stream_consumers_look(struct seam_io *io, const char *dir,
                                       struct stream_consumers **out, struct seam_fault *f)
{
    struct stream_consumers *c = consumers_new(io, dir, f);
    char path[SEAM_PATH_MAX_BYTES];
    void *p = NULL;
    enum seam_status st;

    if (c == NULL) return SEAM_NOMEM;
    st = seam_path_join(path, dir, "consumers", f);
    if (st == SEAM_OK &&
        seam_io_map_shared(io, path, sizeof(struct page), SEAM_MAP_LOOK, &p, NULL) == SEAM_OK) {
        c->page = p;
        if (atomic_load(&c->page->magic) != PAGE_MAGIC) {
            seam_io_unmap_shared(io, p, sizeof(struct page));
            c->page = NULL;
        }
    }
    if (st == SEAM_OK && c->page == NULL) st = own_page(c, f);
    if (st != SEAM_OK) {
        stream_consumers_close(c);
        return st;
    }
    *out = c;
    return SEAM_OK;
}

enum seam_status stream_consumers_open(struct seam_io *io, const char *dir,
                                       struct stream_consumers **out, struct seam_fault *f)
{
    struct stream_consumers *c = consumers_new(io, dir, f);
    char path[SEAM_PATH_MAX_BYTES];
    void *p = NULL;
    enum seam_status st;

    if (c == NULL) return seam_no_memory(f, "the consumers");
    st = seam_path_join(path, dir, "consumers", f);
    if (st == SEAM_OK) st = seam_io_map_shared(io, path, sizeof(struct page), SEAM_MAP_MAKE, &p, f);
    c->page = p;
    if (st == SEAM_OK) st = restore(c, f);
    if (st != SEAM_OK) {
        stream_consumers_close(c);
        return st;
    }
    *out = c;
    return SEAM_OK;
}

void stream_consumers_close(struct stream_consumers *c)
{
    if (c == NULL) return;
    if (c->own)
        free(c->page);
    else if (c->page != NULL)
        seam_io_unmap_shared(c->io, c->page, sizeof(struct page));
    free(c);
}

enum seam_status stream_consumer_join(struct stream_consumers *c, const char *name, int *slot,
                                      struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    uint8_t mark[SEAM_FILEHEAD_BYTES];
    struct seam_file *lock = NULL;
    struct stream_entry *e = NULL;
    enum seam_status st;

    if (!name_ok(name))
        return seam_fault_set(f, SEAM_INVALID, name, SEAM_FAULT_NO_OFFSET,
                              "a consumer's name is 1 to %d of a-z 0-9 _ -", STREAM_NAME_MAX - 1);
    st = consumers_lock(c, &lock, f);
    if (st == SEAM_OK) st = marker_path(c, name, path, f);
    if (st == SEAM_OK && !seam_io_exists(c->io, path)) {
        seam_filehead_encode(&marker_format,
                             &(struct seam_filehead){.extra = seam_crc32c(0, name, strlen(name))},
                             mark);
        st = seam_io_write_atomic(c->io, path, mark, sizeof mark, f);
    }
    if (st == SEAM_OK) st = add_entry(c, name, &e, f);
    if (st == SEAM_OK) {
        atomic_store(&e->pid, seam_process_id());
        atomic_store(&e->invalid,
                     0); /* it joins again after a bootstrap, or finds out when it reads */
        *slot = (int)(e - c->page->entries);
    }
    seam_file_close(lock);
    return st;
}

void stream_consumer_confirm(struct stream_consumers *c, int slot, const struct stream_event *at,
                             int64_t now_us)
{
    struct stream_entry *e = &c->page->entries[slot];
    struct stream_consumer s = {.lsn = at->lsn,
                                .wall_us = at->wall_us,
                                .updated_us = now_us,
                                .position = at->position,
                                .offset = at->offset};

    memcpy(s.name, e->name, sizeof s.name);
    s.name[sizeof s.name - 1] = '\0';
    atomic_fetch_add(&e->version, 1);
    atomic_store_explicit(&e->lsn, at->lsn, memory_order_relaxed);
    atomic_store_explicit(&e->wall_us, at->wall_us, memory_order_relaxed);
    atomic_store_explicit(&e->updated_us, now_us, memory_order_relaxed);
    atomic_store_explicit(&e->position, at->position, memory_order_relaxed);
    atomic_store_explicit(&e->offset, at->offset, memory_order_relaxed);
    atomic_store_explicit(&e->crc, entry_crc(&s), memory_order_relaxed);
    atomic_fetch_add(&e->version, 1);
}

enum seam_status stream_consumer_leave(struct stream_consumers *c, const char *name,
                                       struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_file *lock = NULL;
    struct stream_entry *e;
    enum seam_status st = name_ok(name) ? consumers_lock(c, &lock, f) : SEAM_NOT_FOUND;

    if (st == SEAM_OK) {
        e = find(c->page, name);
        if (e == NULL)
            st = seam_fault_set(f, SEAM_NOT_FOUND, name, SEAM_FAULT_NO_OFFSET,
                                "there is no such consumer");
        if (st == SEAM_OK) st = marker_path(c, name, path, f);
        if (st == SEAM_OK) {
            st = seam_io_unlink(c->io, path, f);
            if (st == SEAM_OK) memset(e->name, 0, sizeof e->name);
        }
    }
    seam_file_close(lock);
    return st;
}

/* *torn: what was last written does not check. */
static bool snapshot(const struct stream_entry *e, struct stream_consumer *out, bool *torn)
{
    uint32_t crc = 0;

    for (int tries = 0; tries < 1000; tries++) {
        uint32_t before = atomic_load(&e->version);

        if (!taken(e)) return false;
        *out = (struct stream_consumer){
            .lsn = atomic_load(&e->lsn),
            .wall_us = atomic_load(&e->wall_us),
            .updated_us = atomic_load(&e->updated_us),
            .position = atomic_load(&e->position),
            .offset = atomic_load(&e->offset),
            .pid = atomic_load(&e->pid),
            .invalid = atomic_load(&e->invalid) != 0,
        };
        crc = atomic_load(&e->crc);
        memcpy(out->name, e->name, sizeof out->name);
        out->name[sizeof out->name - 1] = '\0';
        /* An owner that died while writing leaves the version odd, and what it left does not check. */
        if (atomic_load(&e->version) == before &&
            ((before & 1) == 0 || tries == 999 || !seam_process_alive(out->pid)))
            break;
    }
    *torn = crc != entry_crc(out);
    if (*torn) {
        out->lsn = out->position = out->offset = 0;
        out->wall_us = out->updated_us = 0;
    }
    out->alive = seam_process_alive(out->pid);
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct stream_consumer *)a)->name,
                  ((const struct stream_consumer *)b)->name);
}

size_t stream_consumers_list(struct stream_consumers *c,
                             struct stream_consumer out[STREAM_CONSUMERS_MAX])
{
    size_t n = 0;
    bool torn;

    for (size_t i = 0; i < STREAM_CONSUMERS_MAX; i++)
        if (snapshot(&c->page->entries[i], &out[n], &torn)) n++;
    qsort(out, n, sizeof *out, by_name);
    return n;
}

enum seam_status stream_consumers_floor(struct stream_consumers *c, seam_lsn_t oldest,
                                        seam_lsn_t end, uint64_t bound, struct seam_trace *trace,
                                        seam_lsn_t *floor, size_t *invalidated)
{
    *invalidated = 0;
    for (size_t i = 0; i < STREAM_CONSUMERS_MAX; i++) {
        struct stream_entry *e = &c->page->entries[i];
        struct stream_consumer s;
        bool torn;

        if (!snapshot(e, &s, &torn) || s.invalid) continue;
        if (s.position < oldest) s.position = oldest; /* it has not confirmed anything yet */
        /* Caught in the middle of a confirmation it is no laggard: it holds, and is asked again. */
        if (bound != 0 && end > s.position && end - s.position > bound && !(torn && s.alive)) {
            atomic_store(&e->invalid, 1);
            (*invalidated)++;
            SEAM_TRACE(trace, "pipeline", "consumer_invalidated", SEAM_TS("consumer", s.name),
                       SEAM_TI("position", s.position), SEAM_TI("end", end),
                       SEAM_TI("bound", bound));
        } else if (s.position < *floor) {
            *floor = s.position;
        }
    }
    return SEAM_OK;
}
