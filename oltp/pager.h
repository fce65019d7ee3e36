/* pager - pages of one file in memory: a table from page number to frame, loading, eviction, write-back.
 *
 *   page number --> table[page] --> frame --> 8 KiB of memory
 *                   one array load             frames: one reserved range, the cache's budget
 *
 * Reading takes no latch. A page is used under a *hazard*: the reader stores its number in a word of its own,
 * then looks at the table; whoever evicts first changes the table, then looks at all hazards. One of the two
 * always sees the other. The order of store and look is bought by the evictor: one barrier in all running
 * threads (membarrier) a batch of victims, so that a descent, which pins every page on its way by two
 * words in turn, pays plain stores. Where the kernel has no such barrier the reader's stores are exchanges.
 * Resident pages were checked when they were loaded (oltp_page_check) and are trusted from then on.
 *
 * Every page may leave: leaves, inner pages and roots alike. A page is loaded on probation; used again before
 * the hand comes round, it is one of the kept ones. While more than a tenth of the frames are on probation the
 * victims are taken there, so a scan passes through a tenth of the cache. A page that left from probation
 * and is wanted again soon (its table entry still says FRAME_GHOST) is kept at once.
 *
 * A page is written in place only while it belongs to the running write transaction (its epoch is not
 * below write_epoch); every other page is immutable until nothing can see it. So a page number is also a
 * place in the file: changed pages have fresh numbers, are written there whenever it suits (write-back or
 * checkpoint), and the last checkpoint's tree stays whole beneath them. Write-back holds no latch while it
 * writes: the frames say `writing`, and one that is given back meanwhile is given when the write is done.
 *
 * Space: `used` has a bit a page. A page that a commit no longer needs is dead: born in one epoch, dead in
 * a later one. It is seen by snapshots and checkpoints whose epoch is in [birth, death), and is used
 * again when there is none: a long reader holds what it can see, not everything since it began.
 *
 * Threads: reading functions from any; allocation, freeing and space only by the write transaction's thread
 * (the writer latch), frames under `latch`.
 * Papers: Leis et al., "Virtual-Memory Assisted Buffer Management", SIGMOD 2023 (we keep its table and its
 * explicit loads, but not one address per page: docs/decisions/oltp-frames.md); Michael, "Hazard Pointers",
 * IEEE TPDS 15(6), 2004; Yang et al., "FIFO Queues are All You Need for Cache Eviction", SOSP 2023 (probation
 * and ghosts, here on clocks); ZFS dead lists (birth, death). */
#ifndef SEAM_OLTP_PAGER_H
#define SEAM_OLTP_PAGER_H

#include <pthread.h>
#include <stdatomic.h>

#include "oltp/page.h"

enum {
    FRAME_ABSENT = 0,
    FRAME_LOADING = 1,
    FRAME_EVICTING = 2,
    FRAME_GHOST = 3, /* absent, but was here not long ago */
    FRAME_FIRST = 16,
    PAGER_PAGES_MAX = 1 << 27, /* 1 TiB */
    PAGER_HAZARDS = 1024,      /* one a reader slot, then cursors */
    PAGER_HOT_MAX = 4096,
    PAGER_WRITE_PAGES = 128, /* pages gathered for one write: 1 MiB */
    PAGER_EVICT_PAGES = 64,  /* victims behind one barrier, at most */
};

enum oltp_frame_state {
    FRAME_FREE = 0,
    FRAME_LIVE = 1,
    FRAME_HOT = 2,   /* its page is free, and will be the next to be allocated */
    FRAME_DOOMED = 3 /* its page was given back while it is being written */
};

struct oltp_frame {
    uint32_t page;
    uint8_t state;
    bool kept;             /* past probation */
    bool writing;          /* a write of it is under way: stays, dirty, until that is done */
    _Atomic uint8_t dirty; /* differs from the file */
    uint64_t epoch;        /* the write epoch the page belongs to */
    uint64_t death;        /* epoch of the commit that no longer needs it; 0 = alive */
};

struct oltp_hazard {                    /* a reader's place: what it keeps from leaving */
    _Alignas(64) _Atomic uint32_t page; /* a page to stay on */
    _Atomic uint32_t step[2];           /* pages of a way down, by turns */
    _Atomic uint32_t taken;
    _Atomic uint64_t uses; /* pages asked for; one thread at a time counts */
};

struct oltp_dead {
    uint32_t page;
    uint64_t birth, death;
};

struct oltp_space {
    uint64_t *used; /* bitmap */
    uint32_t cap;   /* bits allocated */
    uint32_t next;  /* where the search for a free page goes on */
    uint32_t free;  /* clear bits below pages */
    uint32_t *hot;  /* free pages whose frames are at hand, last in first out */
    uint32_t hot_count;
    struct oltp_dead *dead;
    size_t dead_count, dead_cap;
};

struct oltp_pager {
    struct seam_io *io;
    struct seam_file *file;
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_trace *trace;
    uint64_t file_id;
    bool private_pages; /* read-only handle: changed pages live in memory only */

    _Atomic uint32_t *table;
    uint8_t *frames;
    struct oltp_frame *meta;
    _Atomic uint8_t *referenced; /* a byte a frame: second chance */
    uint32_t frame_count, frame_fresh;
    uint32_t probation;           /* live frames that are not kept */
    uint32_t doomed;              /* frames in that state */
    uint32_t hand[2], hand_write; /* clocks: over probation, over the kept, over the dirty */
    uint32_t *ghosts, ghost_at;   /* ring of page numbers, one a frame */
    uint32_t *frame_free;         /* stack */
    uint32_t frame_free_count;
    uint8_t *write_buffer; /* of the one write-back at a time */
    bool writing_back;
    uint32_t busy[TREE_DEPTH_MAX]; /* the writer's path, by level: pages not to be written early */
    pthread_mutex_t latch;
    pthread_cond_t written; /* some write is done */
    struct oltp_hazard *hazards;
    _Atomic uint32_t hazards_high; /* hazards from here on were never taken */
    bool barriers;                 /* the kernel orders readers' stores when we ask */
    _Atomic uint32_t pages;        /* pages the file has, or will have */
    _Atomic uint64_t write_epoch;  /* pages of this epoch and later are the write transaction's */
    _Atomic uint64_t
        max_epoch; /* no page of this handle is younger; the next epoch is the one after */
    _Atomic uint64_t state_lsn; /* stamped into pages written out */
    struct oltp_space space;
    _Atomic uint64_t loads, evictions, page_writes, write_backs, read_ahead, dirty;
};

SEAM_MUST_USE enum seam_status oltp_pager_open(struct oltp_pager *p, struct seam_io *io,
                                               const char *path, bool read_only, size_t cache_bytes,
                                               struct seam_trace *trace, struct seam_fault *f);
void oltp_pager_close(struct oltp_pager *p);

static inline uint8_t *pager_frame(const struct oltp_pager *p, uint32_t frame)
{
    return p->frames + (size_t)frame * OLTP_PAGE_SIZE;
}

/* Makes a page resident, whatever it takes. SEAM_CORRUPT, SEAM_IO, SEAM_LIMIT (the budget is full of pages that
 * cannot leave). */
SEAM_MUST_USE enum seam_status oltp_pager_load(struct oltp_pager *p, uint32_t page,
                                               const uint8_t **out, struct seam_fault *f);
/* The page is not the one that was named: SEAM_CORRUPT. */
enum seam_status oltp_stale_fault(const struct oltp_pager *p, struct oltp_ref name,
                                  const uint8_t *at, struct seam_fault *f);

static inline void hazard_set(const struct oltp_pager *p, _Atomic uint32_t *word, uint32_t page)
{
    if (seam_likely(p->barriers)) {
        atomic_store_explicit(word, page, memory_order_release);
        atomic_signal_fence(memory_order_seq_cst);
    } else {
        atomic_exchange(word, page);
        atomic_thread_fence(memory_order_seq_cst);
    }
}

static inline SEAM_MUST_USE enum seam_status pager_hold(struct oltp_pager *p, struct oltp_ref ref,
                                                        struct oltp_hazard *h,
                                                        _Atomic uint32_t *word, const uint8_t **out,
                                                        struct seam_fault *f)
{
    uint32_t t;

    hazard_set(p, word, ref.page);
    atomic_store_explicit(&h->uses, atomic_load_explicit(&h->uses, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    t = atomic_load_explicit(&p->table[ref.page], memory_order_acquire);
    if (seam_likely(t >= FRAME_FIRST)) {
        if (!atomic_load_explicit(&p->referenced[t - FRAME_FIRST], memory_order_relaxed))
            atomic_store_explicit(&p->referenced[t - FRAME_FIRST], 1, memory_order_relaxed);
        *out = pager_frame(p, t - FRAME_FIRST);
    } else {
        enum seam_status st = oltp_pager_load(p, ref.page, out, f);

        if (st != SEAM_OK) return st;
    }
    if (seam_likely(page_stamp(*out) == ref.stamp)) return SEAM_OK;
    return oltp_stale_fault(p, ref, *out, f);
}
/* A page, kept from leaving until h pins another. */
static inline SEAM_MUST_USE enum seam_status pager_pin(struct oltp_pager *p, struct oltp_ref page,
                                                       struct oltp_hazard *h, const uint8_t **out,
                                                       struct seam_fault *f)
{
    return pager_hold(p, page, h, &h->page, out, f);
}
/* A page of `level` on the way down: kept until h steps to a level two away. */
static inline SEAM_MUST_USE enum seam_status pager_step(struct oltp_pager *p, struct oltp_ref page,
                                                        struct oltp_hazard *h, unsigned level,
                                                        const uint8_t **out, struct seam_fault *f)
{
    return pager_hold(p, page, h, &h->step[level & 1], out, f);
}
static inline void hazard_clear(struct oltp_hazard *h)
{
    atomic_store_explicit(&h->page, 0, memory_order_release);
    atomic_store_explicit(&h->step[0], 0, memory_order_release);
    atomic_store_explicit(&h->step[1], 0, memory_order_release);
}
/* A page copied aside, for walks that stay on it while they visit what is below. */
SEAM_MUST_USE enum seam_status oltp_pager_read(struct oltp_pager *p, struct oltp_ref page,
                                               struct oltp_hazard *h, uint8_t out[OLTP_PAGE_SIZE],
                                               struct seam_fault *f);
/* These pages (sorted here) will be wanted: asks the disk for those that are not in memory. */
void oltp_pager_read_ahead(struct oltp_pager *p, uint32_t *pages, size_t count);
struct oltp_hazard *oltp_hazard_take(struct oltp_pager *p); /* NULL: all taken */
void oltp_hazard_give(struct oltp_hazard *h);
/* Three quarters were taken at some time: what is not needed should be given back, not kept for later. */
static inline bool hazards_scarce(struct oltp_pager *p)
{
    return atomic_load_explicit(&p->hazards_high, memory_order_relaxed) > PAGER_HAZARDS / 4 * 3;
}
uint64_t oltp_pager_uses(
    struct oltp_pager *p); /* pages asked for so far; loads of them had to read the file */

/* ---- the writer ---- */
/* Between two changes: keeps enough frames clean for the next one, writing out pages early if it must; *wrote: also
 * pages of the running transaction. */
SEAM_MUST_USE enum seam_status oltp_pager_make_room(struct oltp_pager *p, bool *wrote,
                                                    struct seam_fault *f);
static inline uint64_t pager_next_epoch(struct oltp_pager *p) /* the write transaction's thread */
{
    uint64_t next = atomic_load_explicit(&p->max_epoch, memory_order_relaxed) + 1;

    atomic_store(&p->max_epoch, next);
    return next;
}
/* A fresh page in memory, contents undefined, dirty, belonging to `epoch`. */
SEAM_MUST_USE enum seam_status oltp_pager_alloc(struct oltp_pager *p, uint64_t epoch,
                                                uint32_t *page, uint8_t **out,
                                                struct seam_fault *f);
/* A page of the running transaction, to be changed: dirty from here on. One that was written out since its last change
 * comes back as of `epoch`: a page of one epoch has one content on disk. */
uint8_t *oltp_pager_writable(struct oltp_pager *p, uint32_t page, const uint8_t *resident,
                             uint64_t epoch);
/* Gives a page back at once: nothing but the running transaction ever saw it. */
void oltp_pager_free_now(struct oltp_pager *p, uint32_t page);
SEAM_MUST_USE enum seam_status oltp_space_reserve_dead(struct oltp_pager *p, size_t more,
                                                       struct seam_fault *f);
/* The commit of epoch `death` no longer needs it (room was reserved). */
void oltp_space_kill(struct oltp_pager *p, uint32_t page, uint64_t birth, uint64_t death);
/* Frees the dead pages, from the from-th on, that no epoch in `seen` (ascending) is in [birth, death) of. */
void oltp_space_release(struct oltp_pager *p, size_t from, const uint64_t *seen, size_t count);
bool oltp_epoch_seen(const uint64_t *seen, size_t count, uint64_t birth, uint64_t death);
/* A page number without memory, for what is written past the cache (checkpoint blobs). */
SEAM_MUST_USE enum seam_status oltp_space_take(struct oltp_pager *p, uint32_t *page,
                                               struct seam_fault *f);
void oltp_space_give(struct oltp_pager *p, uint32_t page);
/* Gives up what is kept at hand and searches from the front again (vacuum). */
void oltp_space_cool(struct oltp_pager *p);
uint32_t oltp_space_free_below(struct oltp_pager *p,
                               uint32_t end); /* free pages before page `end` */
/* The used pages among the first `pages`, a bit each, as they are to be found again: without those that are free but
 * kept at hand, and without those that were given back while they are being written. */
void oltp_space_map(struct oltp_pager *p, uint32_t pages, uint8_t *bitmap);
/* Forgets the free pages at the end; the new number of pages. */
uint32_t oltp_space_shrink(struct oltp_pager *p);
SEAM_MUST_USE enum seam_status oltp_space_grow(struct oltp_pager *p, uint32_t pages,
                                               struct seam_fault *f);

/* ---- inside, each over the ones before: frames.c, space.c, write_back.c, pager.c; latch held ---- */
/* Makes some frames free; how many. */
uint32_t oltp_frames_evict(struct oltp_pager *p);
/* A hot page's frame, when there is nothing better. */
bool oltp_frame_steal_hot(struct oltp_pager *p, uint32_t *frame);
/* A frame for a page; lets the latch go while it writes pages out to get one. */
SEAM_MUST_USE enum seam_status oltp_frame_take(struct oltp_pager *p, bool from_hot, uint32_t *frame,
                                               struct seam_fault *f);
void oltp_frame_give(struct oltp_pager *p, uint32_t frame);
void oltp_frame_clean(struct oltp_pager *p, uint32_t frame);
/* A page number that nobody uses, from the file or past its end. */
SEAM_MUST_USE enum seam_status oltp_space_find(struct oltp_pager *p, uint32_t *page,
                                               struct seam_fault *f);
void oltp_space_clear(struct oltp_pager *p, uint32_t page); /* ... given back */
void oltp_page_give(struct oltp_pager *p, uint32_t page);
int oltp_page_order(const void *a, const void *b); /* of page numbers, for qsort; needs no latch */
/* Writes a batch of dirty pages that do not change, so that they can be evicted; with `own` (the writer, between
 * two changes) also those of the running transaction. SEAM_LIMIT: there are none. */
SEAM_MUST_USE enum seam_status oltp_write_back(struct oltp_pager *p, bool own,
                                               struct seam_fault *f);

/* ---- checkpoint ---- */
/* Pages (malloc'ed, in any order, caller frees) that the state of `epoch` needs and the file has not. Called
 * under the writer latch, no transaction running. */
SEAM_MUST_USE enum seam_status oltp_pager_dirty_pages(struct oltp_pager *p, uint64_t epoch,
                                                      uint32_t **out, size_t *count,
                                                      struct seam_fault *f);
void oltp_pager_order_pages(uint32_t *pages, size_t count); /* ascending: while nobody waits */
/* Writes some of those, ascending, and has the disk begin with them; immutable pages only. Any thread, beside
 * anything. */
SEAM_MUST_USE enum seam_status oltp_pager_write_pages(struct oltp_pager *p, const uint32_t *pages,
                                                      size_t count, struct seam_fault *f);

#endif
