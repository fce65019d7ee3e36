/* pager - pages into memory and out: opening, hazards, loading, the writer's fresh pages (the picture: pager.h). */
#include "oltp/pager.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "engine/base/thread.h"

enum { HUGE = 2 << 20 };

static void *reserve(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static size_t table_bytes(void)
{
    return (size_t)PAGER_PAGES_MAX * sizeof(uint32_t);
}
static size_t frames_bytes(const struct oltp_pager *p)
{
    return ((size_t)p->frame_count * OLTP_PAGE_SIZE + HUGE - 1) & ~(size_t)(HUGE - 1);
}

enum seam_status oltp_pager_open(struct oltp_pager *p, struct seam_io *io, const char *path,
                                 bool read_only, size_t cache_bytes, struct seam_trace *trace,
                                 struct seam_fault *f)
{
    memset(p, 0, sizeof *p);
    pthread_mutex_init(&p->latch, NULL);
    pthread_cond_init(&p->written, NULL);
    p->barriers = seam_thread_barrier_ready();
    p->hazards_high = OLTP_READERS_MAX + 2;
    p->io = io;
    p->trace = trace;
    p->private_pages = read_only;
    snprintf(p->path, sizeof p->path, "%s", path);
    p->frame_count = (uint32_t)(cache_bytes / OLTP_PAGE_SIZE);
    p->table = reserve(table_bytes());
    p->frames = reserve(frames_bytes(p));
    p->meta = calloc(p->frame_count, sizeof *p->meta);
    p->referenced = calloc(p->frame_count, 1);
    p->frame_free = malloc(p->frame_count * sizeof *p->frame_free);
    p->ghosts = calloc(p->frame_count, sizeof *p->ghosts);
    p->write_buffer = malloc((size_t)PAGER_WRITE_PAGES * OLTP_PAGE_SIZE);
    p->hazards = aligned_alloc(64, PAGER_HAZARDS * sizeof *p->hazards);
    p->space.hot = malloc(PAGER_HOT_MAX * sizeof *p->space.hot);
    if (p->table == NULL || p->frames == NULL || p->meta == NULL || p->referenced == NULL ||
        p->frame_free == NULL || p->ghosts == NULL || p->write_buffer == NULL ||
        p->hazards == NULL || p->space.hot == NULL)
        return seam_fault_set(f, SEAM_NOMEM, path, SEAM_FAULT_NO_OFFSET,
                              "no memory for a cache of %zu bytes", cache_bytes);
    memset(p->hazards, 0, PAGER_HAZARDS * sizeof *p->hazards);
    madvise(p->frames, frames_bytes(p), MADV_HUGEPAGE);
    return seam_file_open(io, path, read_only ? SEAM_FILE_READ : SEAM_FILE_WRITE | SEAM_FILE_CREATE,
                          &p->file, f);
}

void oltp_pager_close(struct oltp_pager *p)
{
    if (p->table != NULL) munmap((void *)p->table, table_bytes());
    if (p->frames != NULL) munmap(p->frames, frames_bytes(p));
    free(p->meta);
    free((void *)p->referenced);
    free(p->frame_free);
    free(p->ghosts);
    free(p->write_buffer);
    free(p->hazards);
    free(p->space.hot);
    free(p->space.used);
    free(p->space.dead);
    seam_file_close(p->file);
    if (p->io != NULL) {
        pthread_mutex_destroy(&p->latch);
        pthread_cond_destroy(&p->written);
    }
    memset(p, 0, sizeof *p);
}

/* ---- hazards --------------------------------------------------------------------------------------- */

struct oltp_hazard *oltp_hazard_take(struct oltp_pager *p)
{
    for (uint32_t i = OLTP_READERS_MAX + 2; i < PAGER_HAZARDS; i++) {
        uint32_t free_ = 0, high;

        if (atomic_load_explicit(&p->hazards[i].taken, memory_order_relaxed) != 0) continue;
        if (!atomic_compare_exchange_strong(&p->hazards[i].taken, &free_, 1)) continue;
        high = atomic_load(&p->hazards_high);
        while (high <= i && !atomic_compare_exchange_weak(&p->hazards_high, &high, i + 1)) continue;
        return &p->hazards[i];
    }
    return NULL;
}

void oltp_hazard_give(struct oltp_hazard *h)
{
    hazard_clear(h);
    atomic_store_explicit(&h->taken, 0, memory_order_release);
}

uint64_t oltp_pager_uses(struct oltp_pager *p)
{
    uint64_t uses = 0;

    for (size_t i = 0; i < PAGER_HAZARDS; i++)
        uses += atomic_load_explicit(&p->hazards[i].uses, memory_order_relaxed);
    return uses;
}

enum seam_status oltp_frame_take(struct oltp_pager *p, bool from_hot, uint32_t *frame,
                                 struct seam_fault *f)
{
    enum { ATTEMPTS = 64 }; /* others take what we freed while the latch was away */

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        enum seam_status st;

        if (p->frame_free_count > 0) {
            *frame = p->frame_free[--p->frame_free_count];
            return SEAM_OK;
        }
        if (p->frame_fresh < p->frame_count) {
            *frame = p->frame_fresh++;
            return SEAM_OK;
        }
        if (oltp_frames_evict(p) > 0) continue;
        if (from_hot && oltp_frame_steal_hot(p, frame)) return SEAM_OK;
        st = oltp_write_back(p, false, f);
        if (st != SEAM_OK) return st;
    }
    return seam_fault_set(
        f, SEAM_LIMIT, p->path, SEAM_FAULT_NO_OFFSET,
        "the page cache (%u pages) is full of pages in use: give it a larger budget",
        p->frame_count);
}

/* ---- loading --------------------------------------------------------------------------------------- */

/* The page's number was marked LOADING by us. */
static enum seam_status load_into(struct oltp_pager *p, uint32_t page, uint32_t frame,
                                  struct seam_fault *f)
{
    uint8_t *to = pager_frame(p, frame);
    enum seam_status st =
        seam_file_read(p->file, (uint64_t)page * OLTP_PAGE_SIZE, to, OLTP_PAGE_SIZE, f);

    if (st == SEAM_OK)
        st = oltp_page_check(to, p->file_id, page, atomic_load(&p->pages), p->path, f);
    if (st == SEAM_OK && page_epoch(to) > atomic_load(&p->max_epoch))
        st = seam_fault_set(f, SEAM_CORRUPT, p->path, (uint64_t)page * OLTP_PAGE_SIZE,
                            "page %u is younger (epoch %llu) than the tree that names it", page,
                            (unsigned long long)page_epoch(to));
    return st;
}

enum seam_status oltp_pager_load(struct oltp_pager *p, uint32_t page, const uint8_t **out,
                                 struct seam_fault *f)
{
    enum seam_status st;

    if (page < 2 || page >= atomic_load(&p->pages))
        return seam_fault_set(f, SEAM_CORRUPT, p->path, SEAM_FAULT_NO_OFFSET,
                              "page %u does not exist", page);
    for (;;) {
        uint32_t before = atomic_load(&p->table[page]), frame;

        if (before >= FRAME_FIRST) {
            *out = pager_frame(p, before - FRAME_FIRST);
            return SEAM_OK;
        }
        if ((before != FRAME_ABSENT && before != FRAME_GHOST) ||
            !atomic_compare_exchange_strong(&p->table[page], &before, FRAME_LOADING)) {
            sched_yield();
            continue;
        }
        pthread_mutex_lock(&p->latch);
        st = oltp_frame_take(p, false, &frame, f);
        pthread_mutex_unlock(&p->latch);
        if (st != SEAM_OK) {
            atomic_store(&p->table[page], before);
            return st;
        }
        st = load_into(p, page, frame, f);
        pthread_mutex_lock(&p->latch);
        if (st == SEAM_OK) {
            const uint8_t *at = pager_frame(p, frame);

            p->meta[frame] = (struct oltp_frame){.page = page,
                                                 .state = FRAME_LIVE,
                                                 .kept = before == FRAME_GHOST,
                                                 .epoch = page_epoch(at)};
            p->probation += before != FRAME_GHOST;
            atomic_store_explicit(&p->referenced[frame], 0, memory_order_relaxed);
            atomic_store(&p->table[page], frame + FRAME_FIRST);
            *out = at;
        } else {
            oltp_frame_give(p, frame);
            atomic_store(&p->table[page], before);
        }
        pthread_mutex_unlock(&p->latch);
        if (st == SEAM_OK) atomic_fetch_add_explicit(&p->loads, 1, memory_order_relaxed);
        return st;
    }
}

enum seam_status oltp_stale_fault(const struct oltp_pager *p, struct oltp_ref name,
                                  const uint8_t *at, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_CORRUPT, p->path, (uint64_t)name.page * OLTP_PAGE_SIZE,
                          "page %u is of epoch %u (of 2^32), where the page that names it knows "
                          "epoch %u: a write of it was lost, or an older copy put back; run "
                          "`seam salvage`, or restore a backup",
                          name.page, page_stamp(at), name.stamp);
}

enum seam_status oltp_pager_read(struct oltp_pager *p, struct oltp_ref page, struct oltp_hazard *h,
                                 uint8_t out[OLTP_PAGE_SIZE], struct seam_fault *f)
{
    const uint8_t *at;
    enum seam_status st = pager_pin(p, page, h, &at, f);

    if (st == SEAM_OK) oltp_page_copy(out, at);
    return st;
}

void oltp_pager_read_ahead(struct oltp_pager *p, uint32_t *pages, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        uint32_t t = atomic_load_explicit(&p->table[pages[i]], memory_order_relaxed);

        if (t == FRAME_ABSENT || t == FRAME_GHOST) pages[n++] = pages[i];
    }
    if (n > 1) qsort(pages, n, sizeof *pages, oltp_page_order);
    for (size_t i = 0, run; i < n; i += run) {
        for (run = 1; i + run < n && pages[i + run] == pages[i] + run;) run++;
        seam_file_will_need(p->file, (uint64_t)pages[i] * OLTP_PAGE_SIZE, run * OLTP_PAGE_SIZE);
    }
    if (n > 0) atomic_fetch_add_explicit(&p->read_ahead, n, memory_order_relaxed);
}

/* ---- the writer ------------------------------------------------------------------------------------ */

enum seam_status oltp_pager_alloc(struct oltp_pager *p, uint64_t epoch, uint32_t *page,
                                  uint8_t **out, struct seam_fault *f)
{
    struct oltp_space *s = &p->space;
    enum seam_status st = SEAM_OK;
    uint32_t frame, t;

    pthread_mutex_lock(&p->latch);
    if (s->hot_count > 0) {
        *page = s->hot[--s->hot_count];
    } else {
        st = oltp_space_find(p, page, f);
        if (st != SEAM_OK) goto done;
    }
    t = atomic_load(&p->table[*page]);
    if (t >= FRAME_FIRST) {
        frame = t - FRAME_FIRST;
    } else {
        st = oltp_frame_take(p, true, &frame, f);
        if (st != SEAM_OK) {
            oltp_space_clear(p, *page);
            goto done;
        }
    }
    p->meta[frame].page = *page;
    p->meta[frame].kept = false;
    p->meta[frame].epoch = epoch;
    p->meta[frame].death = 0;
    p->meta[frame].state = FRAME_LIVE;
    p->probation++;
    atomic_store_explicit(&p->referenced[frame], 0, memory_order_relaxed);
    if (atomic_exchange_explicit(&p->meta[frame].dirty, 1, memory_order_relaxed) == 0)
        atomic_fetch_add_explicit(&p->dirty, 1, memory_order_relaxed);
    atomic_store(&p->table[*page], frame + FRAME_FIRST);
    *out = pager_frame(p, frame);
done:
    pthread_mutex_unlock(&p->latch);
    return st;
}

uint8_t *oltp_pager_writable(struct oltp_pager *p, uint32_t page, const uint8_t *resident,
                             uint64_t epoch)
{
    uint32_t frame = (uint32_t)((size_t)(resident - p->frames) / OLTP_PAGE_SIZE);

    assert(p->meta[frame].page == page);
    if (atomic_load_explicit(&p->meta[frame].dirty, memory_order_relaxed) == 0) {
        atomic_store_explicit(&p->meta[frame].dirty, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&p->dirty, 1, memory_order_relaxed);
        assert(page_epoch(resident) < epoch);
        seam_put_u64(pager_frame(p, frame) + PAGE_EPOCH, epoch);
        p->meta[frame].epoch = epoch;
    }
    return pager_frame(p, frame);
}
