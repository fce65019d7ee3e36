#include "oltp/pager.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

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
static size_t frames_bytes(const struct pager *p)
{
    return ((size_t)p->frame_count * OLTP_PAGE_SIZE + HUGE - 1) & ~(size_t)(HUGE - 1);
}

enum status pager_open(struct pager *p, struct io *io, const char *path, bool read_only,
                       size_t cache_bytes, struct trace *trace, struct fault *f)
{
    memset(p, 0, sizeof *p);
    pthread_mutex_init(&p->latch, NULL);
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
    p->write_list = malloc(PAGER_WRITE_PAGES * sizeof *p->write_list);
    p->write_buffer = malloc((size_t)PAGER_WRITE_PAGES * OLTP_PAGE_SIZE);
    p->hazards = aligned_alloc(64, PAGER_HAZARDS * sizeof *p->hazards);
    p->space.hot = malloc(PAGER_HOT_MAX * sizeof *p->space.hot);
    if (p->table == NULL || p->frames == NULL || p->meta == NULL || p->referenced == NULL ||
        p->frame_free == NULL || p->write_list == NULL || p->write_buffer == NULL ||
        p->hazards == NULL || p->space.hot == NULL)
        return fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory for a cache of %zu bytes",
                         cache_bytes);
    memset(p->hazards, 0, PAGER_HAZARDS * sizeof *p->hazards);
    madvise(p->frames, frames_bytes(p), MADV_HUGEPAGE);
    return file_open(io, path, read_only ? FILE_READ : FILE_WRITE | FILE_CREATE, &p->file, f);
}

void pager_close(struct pager *p)
{
    if (p->table != NULL) munmap((void *)p->table, table_bytes());
    if (p->frames != NULL) munmap(p->frames, frames_bytes(p));
    free(p->meta);
    free((void *)p->referenced);
    free(p->frame_free);
    free(p->write_list);
    free(p->write_buffer);
    free(p->hazards);
    free(p->space.hot);
    free(p->space.used);
    free(p->space.dead);
    file_close(p->file);
    if (p->io != NULL) pthread_mutex_destroy(&p->latch);
    memset(p, 0, sizeof *p);
}

/* ---- hazards --------------------------------------------------------------------------------------- */

struct hazard *hazard_take(struct pager *p)
{
    for (size_t i = OLTP_READERS_MAX + 2; i < PAGER_HAZARDS; i++) {
        uint32_t free_ = 0;

        if (atomic_load_explicit(&p->hazards[i].taken, memory_order_relaxed) != 0) continue;
        if (atomic_compare_exchange_strong(&p->hazards[i].taken, &free_, 1)) return &p->hazards[i];
    }
    return NULL;
}

void hazard_give(struct hazard *h)
{
    hazard_clear(h);
    atomic_store_explicit(&h->taken, 0, memory_order_release);
}

static bool under_hazard(struct pager *p, uint32_t page)
{
    for (size_t i = 0; i < PAGER_HAZARDS; i++)
        if (atomic_load(&p->hazards[i].page) == page) return true;
    return false;
}

/* ---- writing out ----------------------------------------------------------------------------------- */

/* Copies a page, zeroing what it does not use, and seals it: equal trees make equal files. */
static void page_export(struct pager *p, uint8_t *to, const uint8_t *from)
{
    unsigned kind = page_kind(from);

    page_copy(to, from);
    if (kind == PAGE_LEAF || kind == PAGE_INNER)
        memset(to + page_arrays_end(to), 0, page_heap(to) - page_arrays_end(to));
    page_seal(to, p->file_id, atomic_load_explicit(&p->state_lsn, memory_order_relaxed));
}

/* Writes `count` pages gathered in buffer, ascending, neighbours in one call. */
static enum status write_runs(struct pager *p, const uint32_t *pages, size_t count,
                              const uint8_t *buffer, struct fault *f)
{
    for (size_t i = 0; i < count;) {
        size_t run = 1;
        enum status st;

        while (i + run < count && pages[i + run] == pages[i] + run)
            run++;
        st = file_write(p->file, (uint64_t)pages[i] * OLTP_PAGE_SIZE, buffer + i * OLTP_PAGE_SIZE,
                        run * OLTP_PAGE_SIZE, f);
        if (st != ST_OK) return st;
        i += run;
    }
    atomic_fetch_add_explicit(&p->page_writes, count, memory_order_relaxed);
    return ST_OK;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void frame_clean(struct pager *p, uint32_t frame)
{
    if (atomic_exchange_explicit(&p->meta[frame].dirty, 0, memory_order_relaxed) != 0)
        atomic_fetch_sub_explicit(&p->dirty, 1, memory_order_relaxed);
}

/* Latch held. Writes a batch of dirty pages that are not changing, so that they can be evicted; with `own`
 * (the writer, between two changes) also those of the running transaction. */
static enum status clean_some(struct pager *p, bool own, struct fault *f)
{
    uint64_t write_epoch = atomic_load(&p->write_epoch);
    size_t n = 0;
    enum status st;

    for (uint32_t i = 0, at = p->frame_hand; i < p->frame_count && n < PAGER_WRITE_PAGES; i++) {
        struct frame *m = &p->meta[at];

        if (m->state == FRAME_LIVE && atomic_load_explicit(&m->dirty, memory_order_relaxed) &&
            !m->inner && (own || m->epoch < write_epoch))
            p->write_list[n++] = m->page;
        at = at + 1 == p->frame_count ? 0 : at + 1;
    }
    if (n == 0 || p->private_pages)
        return fault_set(
            f, ST_LIMIT, p->path, FAULT_NO_OFFSET,
            "the page cache (%u pages) is full of pages that cannot leave: give it a larger "
            "budget",
            p->frame_count);
    qsort(p->write_list, n, sizeof *p->write_list, compare_u32);
    for (size_t i = 0; i < n; i++) {
        uint32_t t = atomic_load(&p->table[p->write_list[i]]);

        page_export(p, p->write_buffer + i * OLTP_PAGE_SIZE, pager_frame(p, t - FRAME_FIRST));
    }
    st = write_runs(p, p->write_list, n, p->write_buffer, f);
    for (size_t i = 0; st == ST_OK && i < n; i++)
        frame_clean(p, atomic_load(&p->table[p->write_list[i]]) - FRAME_FIRST);
    TRACE(p->trace, "oltp", "pages_cleaned", TI("pages", n));
    return st;
}

enum status pager_dirty_pages(struct pager *p, uint64_t epoch, uint32_t **out, size_t *count,
                              struct fault *f)
{
    size_t n = 0, cap = (size_t)atomic_load(&p->dirty) + 16;
    uint32_t *list = malloc(cap * sizeof *list);

    if (list == NULL)
        return fault_set(f, ST_NOMEM, p->path, FAULT_NO_OFFSET, "no memory for a checkpoint");
    pthread_mutex_lock(&p->latch);
    for (uint32_t i = 0; i < p->frame_fresh && n < cap; i++) {
        const struct frame *m = &p->meta[i];

        if (m->state == FRAME_LIVE && atomic_load_explicit(&m->dirty, memory_order_relaxed) &&
            (m->death == 0 || m->death > epoch))
            list[n++] = m->page;
    }
    pthread_mutex_unlock(&p->latch);
    if (n > 0) qsort(list, n, sizeof *list, compare_u32);
    *out = list;
    *count = n;
    return ST_OK;
}

enum status pager_write_pages(struct pager *p, const uint32_t *pages, size_t count, struct fault *f)
{
    enum status st = ST_OK;
    uint8_t *buffer = malloc((size_t)PAGER_WRITE_PAGES * OLTP_PAGE_SIZE);
    uint32_t batch[PAGER_WRITE_PAGES], frames[PAGER_WRITE_PAGES];

    if (buffer == NULL)
        return fault_set(f, ST_NOMEM, p->path, FAULT_NO_OFFSET, "no memory for a checkpoint");
    for (size_t i = 0; st == ST_OK && i < count;) {
        size_t n = 0;

        pthread_mutex_lock(&p->latch); /* against eviction; the pages themselves do not change */
        for (; i < count && n < PAGER_WRITE_PAGES; i++) {
            uint32_t t = atomic_load(&p->table[pages[i]]);

            if (t < FRAME_FIRST || !atomic_load(&p->meta[t - FRAME_FIRST].dirty))
                continue; /* was evicted: written */
            page_export(p, buffer + n * OLTP_PAGE_SIZE, pager_frame(p, t - FRAME_FIRST));
            batch[n] = pages[i];
            frames[n++] = t - FRAME_FIRST;
        }
        pthread_mutex_unlock(&p->latch);
        st = write_runs(p, batch, n, buffer, f);
        if (st == ST_OK && n > 0)
            file_write_behind(p->file, (uint64_t)batch[0] * OLTP_PAGE_SIZE,
                              (uint64_t)(batch[n - 1] - batch[0] + 1) * OLTP_PAGE_SIZE);
        pthread_mutex_lock(&p->latch);
        for (size_t k = 0; st == ST_OK && k < n; k++)
            if (p->meta[frames[k]].page == batch[k] && p->meta[frames[k]].state == FRAME_LIVE)
                frame_clean(p, frames[k]);
        pthread_mutex_unlock(&p->latch);
    }
    free(buffer);
    return st;
}

/* ---- frames ---------------------------------------------------------------------------------------- */

/* Latch held. Second-chance clock over clean leaves. */
static bool evict_one(struct pager *p, uint32_t *frame)
{
    for (uint64_t steps = 0; steps < 2ull * p->frame_count + 1; steps++) {
        uint32_t at = p->frame_hand, expected = at + FRAME_FIRST;
        struct frame *m = &p->meta[at];

        p->frame_hand = at + 1 == p->frame_count ? 0 : at + 1;
        if (m->state != FRAME_LIVE || m->inner ||
            atomic_load_explicit(&m->dirty, memory_order_relaxed))
            continue;
        if (atomic_load_explicit(&p->referenced[at], memory_order_relaxed)) {
            atomic_store_explicit(&p->referenced[at], 0, memory_order_relaxed);
            continue;
        }
        if (!atomic_compare_exchange_strong(&p->table[m->page], &expected, FRAME_EVICTING))
            continue;
        if (under_hazard(p, m->page)) {
            atomic_store(&p->table[m->page], at + FRAME_FIRST);
            continue;
        }
        atomic_store(&p->table[m->page], FRAME_ABSENT);
        m->state = FRAME_FREE;
        atomic_fetch_add_explicit(&p->evictions, 1, memory_order_relaxed);
        *frame = at;
        return true;
    }
    return false;
}

/* Latch held. A hot page's frame, when there is nothing better. */
static bool steal_hot(struct pager *p, uint32_t *frame)
{
    for (uint32_t i = 0; i < p->space.hot_count; i++) {
        uint32_t t = atomic_load(&p->table[p->space.hot[i]]);

        if (t < FRAME_FIRST) continue;
        *frame = t - FRAME_FIRST;
        atomic_store(&p->table[p->space.hot[i]], FRAME_ABSENT);
        frame_clean(p, *frame);
        p->meta[*frame].state = FRAME_FREE;
        return true;
    }
    return false;
}

/* Latch held. */
static enum status frame_take(struct pager *p, bool from_hot, uint32_t *frame, struct fault *f)
{
    enum status st;

    if (p->frame_free_count > 0) {
        *frame = p->frame_free[--p->frame_free_count];
        return ST_OK;
    }
    if (p->frame_fresh < p->frame_count) {
        *frame = p->frame_fresh++;
        return ST_OK;
    }
    for (int attempt = 0; attempt < 3; attempt++) {
        if (evict_one(p, frame) || (from_hot && steal_hot(p, frame))) return ST_OK;
        st = clean_some(p, false, f);
        if (st != ST_OK) return st;
    }
    return fault_set(f, ST_LIMIT, p->path, FAULT_NO_OFFSET,
                     "the page cache (%u pages) is full of pages in use: give it a larger budget",
                     p->frame_count);
}

enum status pager_make_room(struct pager *p, struct fault *f)
{
    enum status st = ST_OK;

    if (p->private_pages) return ST_OK;
    if (likely(atomic_load_explicit(&p->dirty, memory_order_relaxed) * 4 <= (uint64_t)p->frame_count * 3))
        return ST_OK;
    pthread_mutex_lock(&p->latch);
    while (st == ST_OK && p->frame_fresh == p->frame_count &&
           atomic_load_explicit(&p->dirty, memory_order_relaxed) * 4 >
               (uint64_t)p->frame_count * 3) {
        struct fault full = {0};

        st = clean_some(p, true, &full);
        if (st == ST_LIMIT) break; /* dirty inner pages only: not yet a failure */
        if (st != ST_OK && f != NULL) *f = full;
    }
    pthread_mutex_unlock(&p->latch);
    return st == ST_LIMIT ? ST_OK : st;
}

/* Latch held. */
static void frame_give(struct pager *p, uint32_t frame)
{
    frame_clean(p, frame);
    p->meta[frame].state = FRAME_FREE;
    p->frame_free[p->frame_free_count++] = frame;
}

/* The page's number was marked LOADING by us. */
static enum status load_into(struct pager *p, uint32_t page, uint32_t frame, struct fault *f)
{
    uint8_t *to = pager_frame(p, frame);
    enum status st = file_read(p->file, (uint64_t)page * OLTP_PAGE_SIZE, to, OLTP_PAGE_SIZE, f);

    if (st == ST_OK) st = page_check(to, p->file_id, page, atomic_load(&p->pages), p->path, f);
    if (st == ST_OK && page_epoch(to) > atomic_load(&p->max_epoch))
        st = fault_set(f, ST_CORRUPT, p->path, (uint64_t)page * OLTP_PAGE_SIZE,
                       "page %u is younger (epoch %llu) than the tree that names it", page,
                       (unsigned long long)page_epoch(to));
    return st;
}

enum status pager_load(struct pager *p, uint32_t page, const uint8_t **out, struct fault *f)
{
    enum status st;

    if (page < 2 || page >= atomic_load(&p->pages))
        return fault_set(f, ST_CORRUPT, p->path, FAULT_NO_OFFSET, "page %u does not exist", page);
    for (;;) {
        uint32_t t = atomic_load(&p->table[page]), frame, absent = FRAME_ABSENT;

        if (t >= FRAME_FIRST) {
            *out = pager_frame(p, t - FRAME_FIRST);
            return ST_OK;
        }
        if (t != FRAME_ABSENT ||
            !atomic_compare_exchange_strong(&p->table[page], &absent, FRAME_LOADING)) {
            sched_yield();
            continue;
        }
        pthread_mutex_lock(&p->latch);
        st = frame_take(p, false, &frame, f);
        if (st == ST_OK) p->meta[frame] = (struct frame){.page = page, .state = FRAME_FREE};
        pthread_mutex_unlock(&p->latch);
        if (st != ST_OK) {
            atomic_store(&p->table[page], FRAME_ABSENT);
            return st;
        }
        st = load_into(p, page, frame, f);
        pthread_mutex_lock(&p->latch);
        if (st == ST_OK) {
            p->meta[frame].inner = page_kind(pager_frame(p, frame)) == PAGE_INNER;
            p->meta[frame].state = FRAME_LIVE;
            atomic_store_explicit(&p->referenced[frame], 1, memory_order_relaxed);
            atomic_store(&p->table[page], frame + FRAME_FIRST);
            atomic_fetch_add_explicit(&p->loads, 1, memory_order_relaxed);
        } else {
            frame_give(p, frame);
            atomic_store(&p->table[page], FRAME_ABSENT);
        }
        pthread_mutex_unlock(&p->latch);
        if (st != ST_OK) return st;
        *out = pager_frame(p, frame);
        return ST_OK;
    }
}

/* ---- allocation ------------------------------------------------------------------------------------ */

enum status space_grow(struct pager *p, uint32_t pages, struct fault *f)
{
    struct space *s = &p->space;
    uint32_t cap = s->cap == 0 ? 1024 : s->cap;
    uint64_t *used;

    if (pages > PAGER_PAGES_MAX)
        return fault_set(f, ST_LIMIT, p->path, FAULT_NO_OFFSET, "the database would pass %u pages",
                         (unsigned)PAGER_PAGES_MAX);
    while (cap < pages)
        cap *= 2;
    if (cap > s->cap) {
        used = realloc(s->used, cap / 8);
        if (used == NULL)
            return fault_set(f, ST_NOMEM, p->path, FAULT_NO_OFFSET, "no memory for the space map");
        memset((uint8_t *)used + s->cap / 8, 0, (cap - s->cap) / 8);
        s->used = used;
        s->cap = cap;
    }
    if (pages > atomic_load(&p->pages)) {
        s->free += pages - atomic_load(&p->pages);
        atomic_store(&p->pages, pages);
    }
    return ST_OK;
}

/* The file grows by an eighth when it is full. */
static enum status space_find(struct pager *p, uint32_t *page, struct fault *f)
{
    struct space *s = &p->space;
    uint32_t pages = atomic_load(&p->pages);

    if (s->free == 0) {
        uint32_t more = pages / 8 < 16 ? 16 : pages / 8 > 4096 ? 4096 : pages / 8;
        enum status st = space_grow(p, pages + more, f);

        if (st != ST_OK) return st;
        s->next = pages;
        pages += more;
    }
    for (uint32_t word = s->next / 64, words = (pages + 63) / 64, left = words + 1; left > 0;
         left--) {
        uint64_t free_bits = ~s->used[word];

        if (word * 64 + 64 > pages)
            free_bits &= (pages % 64) == 0 ? UINT64_MAX : (1ull << (pages % 64)) - 1;
        if (free_bits != 0) {
            *page = word * 64 + (uint32_t)__builtin_ctzll(free_bits);
            s->used[word] |= 1ull << (*page % 64);
            s->next = *page;
            s->free--;
            return ST_OK;
        }
        word = word + 1 == words ? 0 : word + 1;
    }
    assert(!"free pages were counted but not found");
    return ST_CORRUPT;
}

static void space_clear(struct pager *p, uint32_t page)
{
    assert(p->space.used[page / 64] >> (page % 64) & 1);
    p->space.used[page / 64] &= ~(1ull << (page % 64));
    p->space.free++;
}

enum status space_take(struct pager *p, uint32_t *page, struct fault *f)
{
    enum status st;

    pthread_mutex_lock(&p->latch);
    st = space_find(p, page, f);
    pthread_mutex_unlock(&p->latch);
    return st;
}

void space_give(struct pager *p, uint32_t page)
{
    pthread_mutex_lock(&p->latch);
    space_clear(p, page);
    pthread_mutex_unlock(&p->latch);
}

void space_cool(struct pager *p)
{
    pthread_mutex_lock(&p->latch);
    while (p->space.hot_count > 0) {
        uint32_t page = p->space.hot[--p->space.hot_count], t = atomic_load(&p->table[page]);

        if (t >= FRAME_FIRST) {
            atomic_store(&p->table[page], FRAME_ABSENT);
            frame_give(p, t - FRAME_FIRST);
        }
        space_clear(p, page);
    }
    p->space.next = 0;
    pthread_mutex_unlock(&p->latch);
}

uint32_t space_shrink(struct pager *p)
{
    uint32_t pages;

    space_cool(p);
    pthread_mutex_lock(&p->latch);
    pages = atomic_load(&p->pages);
    while (pages > 2 && !(p->space.used[(pages - 1) / 64] >> ((pages - 1) % 64) & 1)) {
        pages--;
        p->space.free--;
    }
    atomic_store(&p->pages, pages);
    pthread_mutex_unlock(&p->latch);
    return pages;
}

enum status pager_alloc(struct pager *p, bool inner, uint64_t epoch, uint32_t *page, uint8_t **out,
                        struct fault *f)
{
    struct space *s = &p->space;
    enum status st = ST_OK;
    uint32_t frame, t;

    pthread_mutex_lock(&p->latch);
    if (s->hot_count > 0) {
        *page = s->hot[--s->hot_count];
    } else {
        st = space_find(p, page, f);
        if (st != ST_OK) goto done;
    }
    t = atomic_load(&p->table[*page]);
    if (t >= FRAME_FIRST) {
        frame = t - FRAME_FIRST;
    } else {
        st = frame_take(p, true, &frame, f);
        if (st != ST_OK) {
            space_clear(p, *page);
            goto done;
        }
    }
    p->meta[frame].page = *page;
    p->meta[frame].inner = inner;
    p->meta[frame].epoch = epoch;
    p->meta[frame].death = 0;
    p->meta[frame].state = FRAME_LIVE;
    if (atomic_exchange_explicit(&p->meta[frame].dirty, 1, memory_order_relaxed) == 0)
        atomic_fetch_add_explicit(&p->dirty, 1, memory_order_relaxed);
    atomic_store(&p->table[*page], frame + FRAME_FIRST);
    *out = pager_frame(p, frame);
done:
    pthread_mutex_unlock(&p->latch);
    return st;
}

uint8_t *pager_writable(struct pager *p, uint32_t page, const uint8_t *resident)
{
    uint32_t frame = (uint32_t)((size_t)(resident - p->frames) / OLTP_PAGE_SIZE);

    assert(p->meta[frame].page == page);
    if (atomic_load_explicit(&p->meta[frame].dirty, memory_order_relaxed) == 0) {
        atomic_store_explicit(&p->meta[frame].dirty, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&p->dirty, 1, memory_order_relaxed);
    }
    return pager_frame(p, frame);
}

/* Latch held. The number is free again; its frame stays at hand while there are few such. */
static void page_give(struct pager *p, uint32_t page)
{
    uint32_t t = atomic_load(&p->table[page]);

    if (t >= FRAME_FIRST && p->space.hot_count < PAGER_HOT_MAX) {
        p->meta[t - FRAME_FIRST].state = FRAME_HOT;
        p->space.hot[p->space.hot_count++] = page;
        return;
    }
    if (t >= FRAME_FIRST) {
        atomic_store(&p->table[page], FRAME_ABSENT);
        frame_give(p, t - FRAME_FIRST);
    }
    space_clear(p, page);
}

void pager_free_now(struct pager *p, uint32_t page)
{
    pthread_mutex_lock(&p->latch);
    page_give(p, page);
    pthread_mutex_unlock(&p->latch);
}

enum status space_reserve_dead(struct pager *p, size_t more, struct fault *f)
{
    struct space *s = &p->space;
    size_t cap = s->dead_cap == 0 ? 256 : s->dead_cap;
    struct dead *d;

    while (cap < s->dead_count + more)
        cap *= 2;
    if (cap == s->dead_cap) return ST_OK;
    d = realloc(s->dead, cap * sizeof *d);
    if (d == NULL)
        return fault_set(f, ST_NOMEM, p->path, FAULT_NO_OFFSET, "no memory for dead pages");
    s->dead = d;
    s->dead_cap = cap;
    return ST_OK;
}

void space_kill(struct pager *p, uint32_t page, uint64_t birth, uint64_t death)
{
    uint32_t t;

    assert(p->space.dead_count < p->space.dead_cap && birth < death);
    p->space.dead[p->space.dead_count++] = (struct dead){page, birth, death};
    pthread_mutex_lock(&p->latch);
    t = atomic_load(&p->table[page]);
    if (t >= FRAME_FIRST) p->meta[t - FRAME_FIRST].death = death;
    pthread_mutex_unlock(&p->latch);
}

bool epoch_seen(const uint64_t *seen, size_t count, uint64_t birth, uint64_t death)
{
    size_t lo = 0, hi = count;

    while (lo < hi) { /* first seen epoch >= birth */
        size_t mid = lo + (hi - lo) / 2;

        if (seen[mid] < birth)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < count && seen[lo] < death;
}

void space_release(struct pager *p, size_t from, const uint64_t *seen, size_t count)
{
    struct space *s = &p->space;
    size_t kept = from;

    pthread_mutex_lock(&p->latch);
    for (size_t i = from; i < s->dead_count; i++) {
        struct dead d = s->dead[i];

        if (epoch_seen(seen, count, d.birth, d.death))
            s->dead[kept++] = d;
        else
            page_give(p, d.page);
    }
    pthread_mutex_unlock(&p->latch);
    s->dead_count = kept;
}
