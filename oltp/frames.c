/* frames - which page lies in which frame, and who leaves when there is no room (the states: pager.h). */
#include "oltp/pager.h"

#include "engine/base/thread.h"

int oltp_page_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

void oltp_frame_clean(struct oltp_pager *p, uint32_t frame)
{
    if (atomic_exchange_explicit(&p->meta[frame].dirty, 0, memory_order_relaxed) != 0)
        atomic_fetch_sub_explicit(&p->dirty, 1, memory_order_relaxed);
}

void oltp_frame_give(struct oltp_pager *p, uint32_t frame)
{
    oltp_frame_clean(p, frame);
    p->meta[frame].state = FRAME_FREE;
    p->frame_free[p->frame_free_count++] = frame;
}

/* Victims among the clean frames on probation (or among the kept ones), marked as leaving. One that was used since
 * the hand passed is kept (or gets another round). */
static uint32_t choose_victims(struct oltp_pager *p, bool kept, uint32_t *victims, uint32_t want)
{
    uint32_t n = 0, at = p->hand[kept];

    for (uint64_t steps = 0; steps < (1u + kept) * (uint64_t)p->frame_count && n < want; steps++) {
        struct oltp_frame *m = &p->meta[at];
        uint32_t frame = at, expected = at + FRAME_FIRST;

        at = at + 1 == p->frame_count ? 0 : at + 1;
        if (m->state != FRAME_LIVE || m->kept != kept || m->writing ||
            atomic_load_explicit(&m->dirty, memory_order_relaxed))
            continue;
        if (atomic_load_explicit(&p->referenced[frame], memory_order_relaxed)) {
            atomic_store_explicit(&p->referenced[frame], 0, memory_order_relaxed);
            p->probation -= !kept;
            m->kept = true;
            continue;
        }
        if (atomic_compare_exchange_strong(&p->table[m->page], &expected, FRAME_EVICTING))
            victims[n++] = frame;
    }
    p->hand[kept] = at;
    return n;
}

/* A victim that someone has just pinned stays. */
static void spare(struct oltp_pager *p, uint32_t page, uint32_t *victims, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (p->meta[victims[i]].page != page) continue;
        atomic_store_explicit(&p->referenced[victims[i]], 1, memory_order_relaxed);
        atomic_store(&p->table[page], victims[i] + FRAME_FIRST);
    }
}

static void spare_pinned(struct oltp_pager *p, uint32_t *victims, uint32_t n)
{
    uint32_t high = atomic_load(&p->hazards_high);

    for (uint32_t i = 0; i < high; i++) {
        const struct oltp_hazard *h = &p->hazards[i];
        uint32_t pinned[] = {atomic_load(&h->page), atomic_load(&h->step[0]),
                             atomic_load(&h->step[1])};

        for (size_t k = 0; k < SEAM_ARRAY_LEN(pinned); k++)
            if (pinned[k] != 0 && atomic_load(&p->table[pinned[k]]) == FRAME_EVICTING)
                spare(p, pinned[k], victims, n);
    }
}

/* The table remembers for a while that the page was here. */
static void leave_ghost(struct oltp_pager *p, uint32_t page)
{
    uint32_t old = p->ghosts[p->ghost_at], ghost = FRAME_GHOST;

    if (old != 0) atomic_compare_exchange_strong(&p->table[old], &ghost, FRAME_ABSENT);
    p->ghosts[p->ghost_at] = page;
    p->ghost_at = p->ghost_at + 1 == p->frame_count ? 0 : p->ghost_at + 1;
    atomic_store(&p->table[page], FRAME_GHOST);
}

static uint32_t evict(struct oltp_pager *p, uint32_t *victims, uint32_t n)
{
    uint32_t freed = 0;

    if (n > 0 && p->barriers &&
        !seam_thread_barrier()) { /* who has pinned them cannot be known: all stay */
        for (uint32_t i = 0; i < n; i++)
            atomic_store(&p->table[p->meta[victims[i]].page], victims[i] + FRAME_FIRST);
        return 0;
    }
    if (n > 0) spare_pinned(p, victims, n);
    for (uint32_t i = 0; i < n; i++) {
        struct oltp_frame *m = &p->meta[victims[i]];

        if (atomic_load(&p->table[m->page]) != FRAME_EVICTING) continue;
        if (atomic_load(&m->dirty)) { /* the writer held it a moment ago, and has made it its own */
            atomic_store(&p->table[m->page], victims[i] + FRAME_FIRST);
            continue;
        }
        SEAM_TRACE(p->trace, "oltp", "page_evicted", SEAM_TI("page", m->page),
                   SEAM_TI("kind", page_kind(pager_frame(p, victims[i]))),
                   SEAM_TI("level", page_level(pager_frame(p, victims[i]))));
        if (m->kept) {
            atomic_store(&p->table[m->page], FRAME_ABSENT);
        } else {
            p->probation--;
            leave_ghost(p, m->page);
        }
        oltp_frame_give(p, victims[i]);
        freed++;
    }
    atomic_fetch_add_explicit(&p->evictions, freed, memory_order_relaxed);
    return freed;
}

uint32_t oltp_frames_evict(struct oltp_pager *p)
{
    uint32_t victims[PAGER_EVICT_PAGES], freed = 0;
    uint32_t want =
        p->frame_count / 16 < PAGER_EVICT_PAGES ? p->frame_count / 16 : PAGER_EVICT_PAGES;
    bool kept = p->probation <= p->frame_count / 10;

    /* Too few of one kind: some of the other. A third look, since the second may have kept some, and pinned ones
     * may have been all that was found. */
    for (int look = 0; look < 3 && freed < want / 4 + 1; look++, kept = !kept)
        freed += evict(p, victims, choose_victims(p, kept, victims, want - freed));
    return freed;
}

bool oltp_frame_steal_hot(struct oltp_pager *p, uint32_t *frame)
{
    for (uint32_t i = 0; i < p->space.hot_count; i++) {
        uint32_t t = atomic_load(&p->table[p->space.hot[i]]);

        if (t < FRAME_FIRST) continue;
        *frame = t - FRAME_FIRST;
        atomic_store(&p->table[p->space.hot[i]], FRAME_ABSENT);
        p->meta[*frame].state = FRAME_FREE;
        return true;
    }
    return false;
}
