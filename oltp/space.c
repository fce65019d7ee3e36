/* space - which pages of the file are free, and when a page becomes so. */
#include "oltp/pager.h"

#include <stdlib.h>

enum seam_status oltp_space_grow(struct oltp_pager *p, uint32_t pages, struct seam_fault *f)
{
    struct oltp_space *s = &p->space;
    uint32_t cap = s->cap == 0 ? 1024 : s->cap;
    uint64_t *used;

    if (pages > PAGER_PAGES_MAX)
        return seam_fault_set(f, SEAM_LIMIT, p->path, SEAM_FAULT_NO_OFFSET,
                              "the database would pass %u pages", (unsigned)PAGER_PAGES_MAX);
    while (cap < pages) cap *= 2;
    if (cap > s->cap) {
        used = realloc(s->used, cap / 8);
        if (used == NULL)
            return seam_fault_set(f, SEAM_NOMEM, p->path, SEAM_FAULT_NO_OFFSET,
                                  "no memory for the space map");
        memset((uint8_t *)used + s->cap / 8, 0, (cap - s->cap) / 8);
        s->used = used;
        s->cap = cap;
    }
    if (pages > atomic_load(&p->pages)) {
        s->free += pages - atomic_load(&p->pages);
        atomic_store(&p->pages, pages);
    }
    return SEAM_OK;
}

/* The file grows by an eighth when it is full. */
enum seam_status oltp_space_find(struct oltp_pager *p, uint32_t *page, struct seam_fault *f)
{
    struct oltp_space *s = &p->space;
    uint32_t pages = atomic_load(&p->pages);

    if (s->free == 0) {
        uint32_t more = pages / 8 < 16 ? 16 : pages / 8 > 4096 ? 4096 : pages / 8;
        enum seam_status st = oltp_space_grow(p, pages + more, f);

        if (st != SEAM_OK) return st;
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
            return SEAM_OK;
        }
        word = word + 1 == words ? 0 : word + 1;
    }
    assert(!"free pages were counted but not found");
    return SEAM_CORRUPT;
}

void oltp_space_clear(struct oltp_pager *p, uint32_t page)
{
    assert(p->space.used[page / 64] >> (page % 64) & 1);
    p->space.used[page / 64] &= ~(1ull << (page % 64));
    p->space.free++;
}

enum seam_status oltp_space_take(struct oltp_pager *p, uint32_t *page, struct seam_fault *f)
{
    enum seam_status st;

    pthread_mutex_lock(&p->latch);
    st = oltp_space_find(p, page, f);
    pthread_mutex_unlock(&p->latch);
    return st;
}

void oltp_space_give(struct oltp_pager *p, uint32_t page)
{
    pthread_mutex_lock(&p->latch);
    oltp_space_clear(p, page);
    pthread_mutex_unlock(&p->latch);
}

void oltp_space_cool(struct oltp_pager *p)
{
    pthread_mutex_lock(&p->latch);
    while (p->space.hot_count > 0) {
        uint32_t page = p->space.hot[--p->space.hot_count], t = atomic_load(&p->table[page]);

        if (t >= FRAME_FIRST) {
            atomic_store(&p->table[page], FRAME_ABSENT);
            oltp_frame_give(p, t - FRAME_FIRST);
        }
        oltp_space_clear(p, page);
    }
    p->space.next = 0;
    pthread_mutex_unlock(&p->latch);
}

uint32_t oltp_space_free_below(struct oltp_pager *p, uint32_t end)
{
    uint32_t free_ = 0;

    pthread_mutex_lock(&p->latch);
    for (uint32_t page = 0; page < end && page < atomic_load(&p->pages); page++)
        free_ += !(p->space.used[page / 64] >> (page % 64) & 1);
    pthread_mutex_unlock(&p->latch);
    return free_;
}

static void bit_clear(uint8_t *bitmap, uint32_t bit)
{
    bitmap[bit / 8] &= (uint8_t) ~(1u << (bit % 8));
}

/* The bits change at the end of any thread's write, hence the latch. A doomed page is given when its write is done,
 * which may be after the checkpoint that this map is of: nobody would know it as free then. */
void oltp_space_map(struct oltp_pager *p, uint32_t pages, uint8_t *bitmap)
{
    const struct oltp_space *s = &p->space;

    pthread_mutex_lock(&p->latch);
    memcpy(bitmap, s->used, (pages + 7) / 8);
    for (uint32_t i = 0; i < s->hot_count; i++) bit_clear(bitmap, s->hot[i]);
    for (uint32_t i = 0, left = p->doomed; left > 0; i++) {
        if (p->meta[i].state != FRAME_DOOMED) continue;
        bit_clear(bitmap, p->meta[i].page);
        left--;
    }
    pthread_mutex_unlock(&p->latch);
}

uint32_t oltp_space_shrink(struct oltp_pager *p)
{
    uint32_t pages;

    oltp_space_cool(p);
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

/* The number is free again; its frame stays at hand while there are few such. */
void oltp_page_give(struct oltp_pager *p, uint32_t page)
{
    uint32_t t = atomic_load(&p->table[page]);
    struct oltp_frame *m = t >= FRAME_FIRST ? &p->meta[t - FRAME_FIRST] : NULL;

    if (m != NULL && m->writing) { /* whoever writes it will give it */
        m->state = FRAME_DOOMED;
        p->doomed++;
        return;
    }
    if (m != NULL && p->space.hot_count < PAGER_HOT_MAX &&
        p->space.hot_count < p->frame_count / 8) {
        oltp_frame_clean(p, t - FRAME_FIRST);
        p->probation -= !m->kept;
        m->state = FRAME_HOT;
        p->space.hot[p->space.hot_count++] = page;
        return;
    }
    if (m != NULL) {
        atomic_store(&p->table[page], FRAME_ABSENT);
        p->probation -= !m->kept;
        oltp_frame_give(p, t - FRAME_FIRST);
    }
    oltp_space_clear(p, page);
}

void oltp_pager_free_now(struct oltp_pager *p, uint32_t page)
{
    pthread_mutex_lock(&p->latch);
    oltp_page_give(p, page);
    pthread_mutex_unlock(&p->latch);
}

enum seam_status oltp_space_reserve_dead(struct oltp_pager *p, size_t more, struct seam_fault *f)
{
    struct oltp_space *s = &p->space;
    size_t cap = s->dead_cap == 0 ? 256 : s->dead_cap;
    struct oltp_dead *d;

    while (cap < s->dead_count + more) cap *= 2;
    if (cap == s->dead_cap) return SEAM_OK;
    d = realloc(s->dead, cap * sizeof *d);
    if (d == NULL)
        return seam_fault_set(f, SEAM_NOMEM, p->path, SEAM_FAULT_NO_OFFSET,
                              "no memory for dead pages");
    s->dead = d;
    s->dead_cap = cap;
    return SEAM_OK;
}

void oltp_space_kill(struct oltp_pager *p, uint32_t page, uint64_t birth, uint64_t death)
{
    uint32_t t;

    assert(p->space.dead_count < p->space.dead_cap && birth < death);
    assert(p->space.dead_count == 0 || /* in the order of their deaths: epochs.c searches them */
           p->space.dead[p->space.dead_count - 1].death <= death);
    p->space.dead[p->space.dead_count++] = (struct oltp_dead){page, birth, death};
    pthread_mutex_lock(&p->latch);
    t = atomic_load(&p->table[page]);
    if (t >= FRAME_FIRST) { /* few will look at it again: one of the next to leave */
        struct oltp_frame *m = &p->meta[t - FRAME_FIRST];

        m->death = death;
        p->probation += m->kept;
        m->kept = false;
        atomic_store_explicit(&p->referenced[t - FRAME_FIRST], 0, memory_order_relaxed);
    }
    pthread_mutex_unlock(&p->latch);
}

bool oltp_epoch_seen(const uint64_t *seen, size_t count, uint64_t birth, uint64_t death)
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

void oltp_space_release(struct oltp_pager *p, size_t from, const uint64_t *seen, size_t count)
{
    struct oltp_space *s = &p->space;
    size_t kept = from;

    pthread_mutex_lock(&p->latch);
    for (size_t i = from; i < s->dead_count; i++) {
        struct oltp_dead d = s->dead[i];

        if (oltp_epoch_seen(seen, count, d.birth, d.death))
            s->dead[kept++] = d;
        else
            oltp_page_give(p, d.page);
    }
    pthread_mutex_unlock(&p->latch);
    s->dead_count = kept;
}
