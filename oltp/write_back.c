/* oltp_write_back - dirty pages to their places in the file: early, to make room, and at a checkpoint. */
#include "oltp/pager.h"

#include <stdlib.h>

/* Copies a page, zeroing what it does not use, and seals it: equal trees make equal files. */
static void page_export(struct oltp_pager *p, uint8_t *to, const uint8_t *from)
{
    unsigned kind = page_kind(from);

    oltp_page_copy(to, from);
    if (kind == PAGE_LEAF || kind == PAGE_INNER)
        memset(to + page_arrays_end(to), 0, page_heap(to) - page_arrays_end(to));
    oltp_page_seal(to, p->file_id, atomic_load_explicit(&p->state_lsn, memory_order_relaxed));
}

/* Writes `count` pages gathered in buffer, ascending, neighbours in one call. */
static enum seam_status write_runs(struct oltp_pager *p, const uint32_t *pages, size_t count,
                                   const uint8_t *buffer, struct seam_fault *f)
{
    for (size_t i = 0; i < count;) {
        size_t run = 1;
        enum seam_status st;

        while (i + run < count && pages[i + run] == pages[i] + run) run++;
        st = seam_file_write(p->file, (uint64_t)pages[i] * OLTP_PAGE_SIZE,
                             buffer + i * OLTP_PAGE_SIZE, run * OLTP_PAGE_SIZE, f);
        if (st != SEAM_OK) return st;
        i += run;
    }
    atomic_fetch_add_explicit(&p->page_writes, count, memory_order_relaxed);
    return SEAM_OK;
}

/* Latch held, let go while the pages (ascending) are written. None of them changes meanwhile: they are
 * immutable, or the caller is the only one who could. `writing` keeps them where they are. */
static enum seam_status write_batch(struct oltp_pager *p, const uint32_t *pages, size_t n,
                                    uint8_t *buffer, struct seam_fault *f)
{
    uint32_t frames[PAGER_WRITE_PAGES];
    enum seam_status st;

    for (size_t i = 0; i < n; i++) {
        frames[i] = atomic_load(&p->table[pages[i]]) - FRAME_FIRST;
        p->meta[frames[i]].writing = true;
    }
    pthread_mutex_unlock(&p->latch);
    for (size_t i = 0; i < n; i++)
        page_export(p, buffer + i * OLTP_PAGE_SIZE, pager_frame(p, frames[i]));
    st = write_runs(p, pages, n, buffer, f);
    pthread_mutex_lock(&p->latch);
    for (size_t i = 0; i < n; i++) {
        struct oltp_frame *m = &p->meta[frames[i]];

        m->writing = false;
        if (m->state == FRAME_DOOMED) {
            m->state = FRAME_LIVE;
            p->doomed--;
            oltp_page_give(p, pages[i]);
        } else if (st == SEAM_OK) {
            oltp_frame_clean(p, frames[i]);
        }
    }
    pthread_cond_broadcast(&p->written);
    return st;
}

/* ---- to make room ---------------------------------------------------------------------------------- */

static bool busy(const struct oltp_pager *p, uint32_t page)
{
    for (size_t i = 0; i < TREE_DEPTH_MAX; i++)
        if (p->busy[i] == page) return true;
    return false;
}

/* Dirty pages whose turn it is, those that nobody used lately first; they are as good as being written. */
static size_t choose_dirty(struct oltp_pager *p, bool own, uint32_t *list)
{
    uint64_t write_epoch = atomic_load(&p->write_epoch);
    uint32_t at = p->hand_write, end = p->frame_fresh;
    size_t n = 0;

    /* A second look takes the others too: a write of few pages costs as much as one of many, and the look more. */
    for (uint32_t i = 0; i < 2 * end && n < (i < end ? PAGER_WRITE_PAGES : PAGER_WRITE_PAGES / 2);
         i++) {
        struct oltp_frame *m = &p->meta[at];

        if (m->state == FRAME_LIVE && !m->writing &&
            atomic_load_explicit(&m->dirty, memory_order_relaxed) &&
            (own ? !busy(p, m->page) : m->epoch < write_epoch) &&
            (atomic_load_explicit(&p->referenced[at], memory_order_relaxed) != 0) == (i >= end)) {
            m->writing = true; /* not to be met again by the second look */
            list[n++] = m->page;
        }
        at = at + 1 >= end ? 0 : at + 1;
    }
    p->hand_write = at;
    return n;
}

enum seam_status oltp_write_back(struct oltp_pager *p, bool own, struct seam_fault *f)
{
    uint32_t list[PAGER_WRITE_PAGES];
    size_t n;
    enum seam_status st;

    if (p->writing_back) { /* there is one buffer; its pages are soon clean */
        pthread_cond_wait(&p->written, &p->latch);
        return SEAM_OK;
    }
    n = p->private_pages ? 0 : choose_dirty(p, own, list);
    if (n == 0)
        return seam_fault_set(
            f, SEAM_LIMIT, p->path, SEAM_FAULT_NO_OFFSET,
            "the page cache (%u pages) is full of pages that cannot leave: give it a larger "
            "budget",
            p->frame_count);
    qsort(list, n, sizeof *list, oltp_page_order);
    p->writing_back = true;
    st = write_batch(p, list, n, p->write_buffer, f);
    p->writing_back = false;
    atomic_fetch_add_explicit(&p->write_backs, n, memory_order_relaxed);
    SEAM_TRACE(p->trace, "oltp", "pages_cleaned", SEAM_TI("pages", n));
    return st;
}

static bool too_dirty(const struct oltp_pager *p)
{
    return atomic_load_explicit(&p->dirty, memory_order_relaxed) * 4 > (uint64_t)p->frame_count * 3;
}

enum seam_status oltp_pager_make_room(struct oltp_pager *p, bool *wrote, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    *wrote = false;
    if (p->private_pages || seam_likely(!too_dirty(p))) return SEAM_OK;
    pthread_mutex_lock(&p->latch);
    while (st == SEAM_OK && p->frame_fresh == p->frame_count && too_dirty(p)) {
        struct seam_fault full = {0};

        *wrote = true;
        st = oltp_write_back(p, true, &full);
        if (st != SEAM_OK && st != SEAM_LIMIT && f != NULL) *f = full;
    }
    pthread_mutex_unlock(&p->latch);
    return st == SEAM_LIMIT ? SEAM_OK : st; /* nothing to write: not yet a failure */
}

/* ---- at a checkpoint ------------------------------------------------------------------------------- */

enum seam_status oltp_pager_dirty_pages(struct oltp_pager *p, uint64_t epoch, uint32_t **out,
                                        size_t *count, struct seam_fault *f)
{
    size_t n = 0, cap = (size_t)atomic_load(&p->dirty) + 16;
    uint32_t *list = malloc(cap * sizeof *list);

    if (list == NULL)
        return seam_fault_set(f, SEAM_NOMEM, p->path, SEAM_FAULT_NO_OFFSET,
                              "no memory for a checkpoint");
    pthread_mutex_lock(&p->latch);
    for (uint32_t i = 0; i < p->frame_fresh && n < cap; i++) {
        const struct oltp_frame *m = &p->meta[i];

        if (m->state == FRAME_LIVE && atomic_load_explicit(&m->dirty, memory_order_relaxed) &&
            (m->death == 0 || m->death > epoch))
            list[n++] = m->page;
    }
    pthread_mutex_unlock(&p->latch);
    *out = list;
    *count = n;
    return SEAM_OK;
}

void oltp_pager_order_pages(uint32_t *pages, size_t count)
{
    if (count > 0) qsort(pages, count, sizeof *pages, oltp_page_order);
}

enum seam_status oltp_pager_write_pages(struct oltp_pager *p, const uint32_t *pages, size_t count,
                                        struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;
    uint8_t *buffer = malloc((size_t)PAGER_WRITE_PAGES * OLTP_PAGE_SIZE);
    uint32_t batch[PAGER_WRITE_PAGES];

    if (buffer == NULL)
        return seam_fault_set(f, SEAM_NOMEM, p->path, SEAM_FAULT_NO_OFFSET,
                              "no memory for a checkpoint");
    pthread_mutex_lock(&p->latch);
    for (size_t i = 0; st == SEAM_OK && i < count;) {
        size_t n = 0;

        for (; i < count && n < PAGER_WRITE_PAGES; i++) {
            uint32_t t = atomic_load(&p->table[pages[i]]);
            const struct oltp_frame *m = t >= FRAME_FIRST ? &p->meta[t - FRAME_FIRST] : NULL;

            if (m == NULL || !atomic_load(&m->dirty)) continue; /* was written back since */
            if (m->writing) break;                              /* by someone else, right now */
            batch[n++] = pages[i];
        }
        if (n == 0 && i < count)
            pthread_cond_wait(&p->written, &p->latch);
        else
            st = write_batch(p, batch, n, buffer, f);
        if (st != SEAM_OK || n == 0) continue;
        pthread_mutex_unlock(
            &p->latch); /* where the disk's queue is full this takes as long as a write */
        seam_file_write_behind(p->file, (uint64_t)batch[0] * OLTP_PAGE_SIZE,
                               (uint64_t)(batch[n - 1] - batch[0] + 1) * OLTP_PAGE_SIZE);
        pthread_mutex_lock(&p->latch);
    }
    pthread_mutex_unlock(&p->latch);
    free(buffer);
    return st;
}
