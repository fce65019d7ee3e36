/* view - what a process that is not the writer knows of a log (the picture: wal/internal.h). It makes no file and
 * changes none, so a log can be read from read-only media and from a copy. */
#include "engine/base/clock.h"
#include "engine/base/thread.h"
#include "wal/internal.h"

enum { REFRESH_TRIES = 200, REFRESH_US = 1000 };

static bool page_of_this_log(const struct wal_view *v, struct wal_shared *page)
{
    return page != NULL && atomic_load(&page->magic) == SHARED_MAGIC &&
           atomic_load(&page->log_id) == v->meta.log_id;
}

bool wal_view_writer(const struct wal_view *v)
{
    char path[SEAM_PATH_MAX_BYTES];

    return seam_path_join(path, v->dir, "shared", NULL) == SEAM_OK && seam_io_locked(v->io, path);
}

/* For sleeping, the page must be writable; for looking, readable; where neither is to be had, none. */
static void view_map(struct wal_view *v)
{
    struct wal_shared *page = NULL;

    if (atomic_load(&v->page) != NULL) return;
    v->writable = wal_shared_map(v->io, v->dir, SEAM_MAP_JOIN, &page, NULL) == SEAM_OK;
    if (!v->writable && wal_shared_map(v->io, v->dir, SEAM_MAP_LOOK, &page, NULL) != SEAM_OK)
        return;
    atomic_store(&v->page, page);
}

enum seam_status wal_view_open(struct wal_view *v, struct seam_io *io, const char *dir,
                               struct seam_fault *f)
{
    enum seam_status st;

    *v = (struct wal_view){.io = io, .dir = dir};
    st = wal_meta_load(io, dir, &v->meta, f);
    return st == SEAM_OK ? wal_view_refresh(v, f) : st;
}

enum seam_status wal_view_bare(struct wal_view *v, struct seam_io *io, const char *dir,
                               struct seam_fault *f)
{
    *v = (struct wal_view){.io = io, .dir = dir};
    return wal_meta_load(io, dir, &v->meta, f);
}

void wal_view_close(struct wal_view *v)
{
    wal_shared_unmap(v->io, atomic_load(&v->page));
    atomic_store(&v->page, NULL);
}

static void believe_page(struct wal_view *v, struct wal_shared *page)
{
    v->trusted = true;
    v->oldest = atomic_load(&page->oldest);
    v->visible = atomic_load_explicit(&page->visible, memory_order_acquire);
    v->durable = atomic_load(&page->durable);
}

/* From the log's own bytes. */
static enum seam_status look_at_log(struct wal_view *v, struct seam_fault *f)
{
    struct wal_shared *page = atomic_load(&v->page);
    bool closed = false;
    enum seam_status st = wal_meta_load(v->io, v->dir, &v->meta, f);

    v->trusted = false;
    if (st == SEAM_OK) st = wal_tail_closed(v->io, v->dir, &v->meta, &closed, f);
    if (st != SEAM_OK) return st;
    v->visible = v->meta.durable;
    v->oldest = v->meta.oldest_segment * v->meta.segment_bytes + WAL_SEGMENT_HEADER;
    if (!closed) {
        seam_lsn_t vouched =
            page != NULL ? wal_shared_vouches(page, v->meta.log_id) : SEAM_LSN_NONE;
        struct wal_tail t;

        st = wal_tail_find(&t, v->io, v->dir, &v->meta, vouched, f);
        v->visible = t.end;
        wal_tail_free(&t);
    }
    if (v->visible < v->oldest) v->visible = v->oldest;
    v->durable = v->visible;
    return st;
}

enum seam_status wal_view_refresh(struct wal_view *v, struct seam_fault *f)
{
    struct seam_fault why = {0};
    enum seam_status st = SEAM_OK;

    for (int i = 0; i < REFRESH_TRIES; i++) {
        char lock[SEAM_PATH_MAX_BYTES];

        view_map(v);
        if (wal_view_writer(v) && page_of_this_log(v, atomic_load(&v->page))) {
            believe_page(v, atomic_load(&v->page));
            return SEAM_OK;
        }
        seam_fault_clear(&why);
        st = look_at_log(v, &why);
        /* A writer that opens meanwhile repairs what we read: then it is asked, once it publishes. */
        if (wal_view_writer(v)) continue;
        if (st == SEAM_OK || seam_path_join(lock, v->dir, SEAM_LOCK_NAME, NULL) != SEAM_OK ||
            !seam_io_locked(v->io, lock))
            break;
        seam_clock_real()->sleep_us(seam_clock_real(), REFRESH_US);
    }
    if (st != SEAM_OK) seam_fault_give(f, &why);
    return st;
}

enum seam_status wal_state(struct seam_io *io, const char *dir, struct wal_state *out,
                           struct seam_fault *f)
{
    struct wal_view v;
    struct wal_shared *page;
    enum seam_status st = wal_view_open(&v, io, dir, f);

    *out = (struct wal_state){0};
    page = atomic_load(&v.page);
    if (st == SEAM_OK)
        *out = (struct wal_state){.log_id = v.meta.log_id,
                                  .segment_bytes = v.meta.segment_bytes,
                                  .oldest = v.oldest,
                                  .durable = v.durable,
                                  .written = v.visible,
                                  .visible = v.visible};
    if (st == SEAM_OK && page_of_this_log(&v, page)) {
        /* The time of the last publication is a hint; it is passed on when it speaks of this end. */
        if (v.trusted || atomic_load(&page->durable) == v.durable)
            out->durable_wall_us = atomic_load(&page->durable_wall_us);
        if (v.trusted) {
            out->written = atomic_load(&page->written);
            out->writer_pid = atomic_load(&page->writer_pid);
            out->writer_alive = true;
            out->syncs = atomic_load(&page->syncs);
            (void)wal_shared_trouble_read(page, &out->trouble_status, &out->trouble_us,
                                          out->trouble);
        }
    }
    wal_view_close(&v);
    return st;
}
