/* pager - pages of one file in memory: a table from page number to frame, loading, eviction, space.
 *
 *   page number --> table[page] --> frame --> 8 KiB of memory
 *                   one array load             frames: one reserved range, the cache's budget
 *
 * Reading takes no latch. A leaf or overflow page is used under a *hazard*: the reader stores the page's
 * number in its own hazard word, then looks at the table; whoever evicts first changes the table, then
 * looks at all hazards. One of the two always sees the other. Inner pages are not evicted (a few per mille
 * of the data), so a descent needs one hazard, for its leaf. Resident pages were checked when they were
 * loaded (page_check) and are trusted from then on.
 *
 * A page is written in place only while it belongs to the running write transaction (its epoch is not
 * below write_epoch); every other page is immutable until nothing can see it. So a page number is also a
 * place in the file: changed pages have fresh numbers, are written there whenever it suits (eviction or
 * checkpoint), and the last checkpoint's tree stays whole beneath them.
 *
 * Space: `used` has a bit a page. A page that a commit no longer needs is dead: born in one epoch, dead in
 * a later one. It is seen by snapshots and checkpoints whose epoch is in [birth, death), and is used
 * again when there is none: a long reader holds what it can see, not everything since it began.
 *
 * Threads: reading functions from any; allocation, freeing and space only by the write transaction's thread
 * (the writer latch), frames under `latch`.
 * Papers: Leis et al., "Virtual-Memory Assisted Buffer Management", SIGMOD 2023 (we keep its table and its
 * explicit loads, but not one address per page: docs/decisions/oltp-frames.md); Michael, "Hazard Pointers",
 * IEEE TPDS 15(6), 2004; ZFS dead lists (birth, death). */
#ifndef SEAM_OLTP_PAGER_H
#define SEAM_OLTP_PAGER_H

#include <pthread.h>
#include <stdatomic.h>

#include "oltp/page.h"

enum {
    FRAME_ABSENT = 0, FRAME_LOADING = 1, FRAME_EVICTING = 2, FRAME_FIRST = 16,
    PAGER_PAGES_MAX = 1 << 27, /* 1 TiB */
    PAGER_HAZARDS = 512,       /* one a reader slot, then cursors */
    PAGER_HOT_MAX = 4096,
    PAGER_WRITE_PAGES = 128,   /* pages gathered for one write: 1 MiB */
};

enum frame_state { FRAME_FREE = 0, FRAME_LIVE = 1, FRAME_HOT = 2 };

struct frame {
    uint32_t page;
    uint8_t state;
    bool inner;
    _Atomic uint8_t dirty; /* differs from the file */
    uint64_t epoch;        /* dirty pages: the write epoch they belong to */
    uint64_t death;        /* epoch of the commit that no longer needs it; 0 = alive */
};

struct hazard {
    _Alignas(64) _Atomic uint32_t page;
    _Atomic uint32_t taken;
};

struct dead { uint32_t page; uint64_t birth, death; };

struct space {
    uint64_t *used;   /* bitmap */
    uint32_t cap;     /* bits allocated */
    uint32_t next;    /* where the search for a free page goes on */
    uint32_t free;    /* clear bits below pages */
    uint32_t *hot;    /* free pages whose frames are at hand, last in first out */
    uint32_t hot_count;
    struct dead *dead;
    size_t dead_count, dead_cap;
};

struct pager {
    struct io *io;
    struct file *file;
    char path[PATH_MAX_BYTES];
    struct trace *trace;
    uint64_t file_id;
    bool private_pages;            /* read-only handle: changed pages live in memory only */

    _Atomic uint32_t *table;
    uint8_t *frames;
    struct frame *meta;
    _Atomic uint8_t *referenced;   /* a byte a frame: second chance */
    uint32_t frame_count, frame_fresh, frame_hand;
    uint32_t *frame_free;          /* stack */
    uint32_t frame_free_count;
    uint32_t *write_list;          /* room for PAGER_WRITE_PAGES page numbers */
    uint8_t *write_buffer;
    pthread_mutex_t latch;
    struct hazard *hazards;
    _Atomic uint32_t pages;        /* pages the file has, or will have */
    _Atomic uint64_t write_epoch;  /* pages of this epoch and later are the write transaction's */
    _Atomic uint64_t max_epoch;    /* no page of this handle is younger */
    _Atomic uint64_t state_lsn;    /* stamped into pages written out */
    struct space space;
    _Atomic uint64_t loads, evictions, page_writes, dirty;
};

MUST_USE enum status pager_open(struct pager *p, struct io *io, const char *path, bool read_only,
                                size_t cache_bytes, struct trace *trace, struct fault *f);
void pager_close(struct pager *p);

static inline uint8_t *pager_frame(const struct pager *p, uint32_t frame)
{
    return p->frames + (size_t)frame * OLTP_PAGE_SIZE;
}

/* Makes a page resident, whatever it takes. ST_CORRUPT, ST_IO, ST_LIMIT (the budget is full of pages that
 * cannot leave). */
MUST_USE enum status pager_load(struct pager *p, uint32_t page, const uint8_t **out, struct fault *f);

/* An inner page (or any page while holding what keeps it from leaving). */
static inline MUST_USE enum status pager_get(struct pager *p, uint32_t page, const uint8_t **out,
                                             struct fault *f)
{
    uint32_t t = atomic_load_explicit(&p->table[page], memory_order_acquire);

    if (likely(t >= FRAME_FIRST)) {
        *out = pager_frame(p, t - FRAME_FIRST);
        return ST_OK;
    }
    return pager_load(p, page, out, f);
}
/* Any page, kept from leaving until the hazard is used for another. */
static inline MUST_USE enum status pager_pin(struct pager *p, uint32_t page, struct hazard *h,
                                             const uint8_t **out, struct fault *f)
{
    uint32_t t;

    atomic_store(&h->page, page);
    t = atomic_load(&p->table[page]);
    if (likely(t >= FRAME_FIRST)) {
        if (!atomic_load_explicit(&p->referenced[t - FRAME_FIRST], memory_order_relaxed))
            atomic_store_explicit(&p->referenced[t - FRAME_FIRST], 1, memory_order_relaxed);
        *out = pager_frame(p, t - FRAME_FIRST);
        return ST_OK;
    }
    return pager_load(p, page, out, f);
}
static inline void hazard_clear(struct hazard *h)
{
    atomic_store_explicit(&h->page, 0, memory_order_release);
}
struct hazard *hazard_take(struct pager *p); /* NULL: all taken */
void hazard_give(struct hazard *h);

/* ---- the writer ---- */
/* Between two changes: keeps enough frames clean for the next one, writing out pages early if it must. */
MUST_USE enum status pager_make_room(struct pager *p, struct fault *f);
/* A fresh page in memory, contents undefined, dirty, belonging to `epoch`. */
MUST_USE enum status pager_alloc(struct pager *p, bool inner, uint64_t epoch, uint32_t *page,
                                 uint8_t **out, struct fault *f);
uint8_t *pager_writable(struct pager *p, uint32_t page, const uint8_t *resident); /* own page: marks dirty */
/* Gives a page back at once: nothing but the running transaction ever saw it. */
void pager_free_now(struct pager *p, uint32_t page);
MUST_USE enum status space_reserve_dead(struct pager *p, size_t more, struct fault *f);
/* The commit of epoch `death` no longer needs it (room was reserved). */
void space_kill(struct pager *p, uint32_t page, uint64_t birth, uint64_t death);
/* Frees the dead pages, from the from-th on, that no epoch in `seen` (ascending) is in [birth, death) of. */
void space_release(struct pager *p, size_t from, const uint64_t *seen, size_t count);
bool epoch_seen(const uint64_t *seen, size_t count, uint64_t birth, uint64_t death);
/* A page number without memory, for what is written past the cache (checkpoint blobs). */
MUST_USE enum status space_take(struct pager *p, uint32_t *page, struct fault *f);
void space_give(struct pager *p, uint32_t page);
/* Gives up what is kept at hand and searches from the front again (vacuum). */
void space_cool(struct pager *p);
/* Forgets the free pages at the end; the new number of pages. */
uint32_t space_shrink(struct pager *p);
MUST_USE enum status space_grow(struct pager *p, uint32_t pages, struct fault *f);

/* ---- checkpoint ---- */
/* Pages (malloc'ed, ascending, caller frees) that the state of `epoch` needs and the file has not. Called
 * under the writer latch, no transaction running. */
MUST_USE enum status pager_dirty_pages(struct pager *p, uint64_t epoch, uint32_t **out, size_t *count,
                                       struct fault *f);
/* Writes some of those, ascending, and has the disk begin with them; immutable pages only. Any thread, beside
 * anything. */
MUST_USE enum status pager_write_pages(struct pager *p, const uint32_t *pages, size_t count,
                                       struct fault *f);

#endif
