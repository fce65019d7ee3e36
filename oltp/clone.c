/* clone - a state as a database of its own; and which states can be had.
 *
 * The trees of the chosen state are copied child before parent, so every page knows its children's new
 * numbers when it is written and the copy is one sequential file without free space: leaves in key order. */
#include "oltp/db.h"

#include <stdlib.h>

#include "engine/base/rng.h"

struct cloning {
    struct oltp *from;
    struct seam_file *file;
    char path[SEAM_PATH_MAX_BYTES];
    struct oltp_identity id;
    seam_lsn_t lsn;
    uint32_t next;     /* page number */
    uint32_t buffered; /* pages in the buffer, the last ones before next */
    uint8_t *buffer;
    struct oltp_hazard *leaf, *spare;
    uint64_t done, total;
    struct oltp_progress progress;
};

enum { CLONE_EPOCH = 2, CLONE_SEQ = 2, CLONE_BUFFER_PAGES = 128 };

static enum seam_status flush(struct cloning *c, struct seam_fault *f)
{
    uint64_t first = c->next - c->buffered;
    enum seam_status st = SEAM_OK;

    if (c->buffered > 0)
        st = seam_file_write(c->file, first * OLTP_PAGE_SIZE, c->buffer,
                             (size_t)c->buffered * OLTP_PAGE_SIZE, f);
    c->buffered = 0;
    return st;
}

/* Room for one more page, with its number in *page. */
static enum seam_status new_page(struct cloning *c, uint32_t *page, uint8_t **out,
                                 struct seam_fault *f)
{
    if (c->buffered == CLONE_BUFFER_PAGES) {
        enum seam_status st = flush(c, f);

        if (st != SEAM_OK) return st;
    }
    *page = c->next++;
    *out = c->buffer + (size_t)c->buffered++ * OLTP_PAGE_SIZE;
    return SEAM_OK;
}

static enum seam_status put_page(struct cloning *c, const uint8_t *page, uint32_t *number,
                                 struct seam_fault *f)
{
    uint8_t *out;
    enum seam_status st = new_page(c, number, &out, f);

    if (st != SEAM_OK) return st;
    memcpy(out, page, OLTP_PAGE_SIZE);
    seam_put_u32(out + PAGE_ID, *number);
    seam_put_u64(out + PAGE_EPOCH, CLONE_EPOCH);
    if (page_kind(out) == PAGE_LEAF || page_kind(out) == PAGE_INNER)
        memset(out + page_arrays_end(out), 0, page_heap(out) - page_arrays_end(out));
    oltp_page_seal(out, c->id.file_id, c->lsn);
    if (c->progress.step != NULL && (++c->done & 1023) == 0)
        c->progress.step(c->progress.ctx, "copying pages", c->done, c->total);
    return SEAM_OK;
}

static struct oltp_ref copied(uint32_t page)
{
    return (struct oltp_ref){page, CLONE_EPOCH};
}

/* Overflow pages follow one another in the copy, so each one's successor is known. */
static enum seam_status copy_overflow(struct cloning *c, struct oltp_ref from,
                                      struct oltp_ref *first, struct seam_fault *f)
{
    uint8_t page[OLTP_PAGE_SIZE];
    enum seam_status st = SEAM_OK;

    *first = copied(c->next);
    for (uint32_t left = PAGER_PAGES_MAX, number; st == SEAM_OK && from.page != 0 && left > 0;
         left--) {
        const uint8_t *at;

        st = pager_pin(&c->from->pager, from, c->spare, &at, f);
        if (st == SEAM_OK && page_kind(at) != PAGE_OVERFLOW)
            st = oltp_level_fault(&c->from->pager, from.page, at, 0, f);
        if (st != SEAM_OK) break;
        memcpy(page, at, sizeof page);
        from = page_link(page);
        page_set_link(page, from.page != 0 ? copied(c->next + 1) : from);
        st = put_page(c, page, &number, f);
    }
    return st;
}

static enum seam_status copy_page(struct cloning *c, struct oltp_ref from, unsigned level,
                                  struct oltp_ref *to, struct seam_fault *f)
{
    uint8_t *page = malloc(OLTP_PAGE_SIZE);
    uint32_t number = 0;
    enum seam_status st;

    if (page == NULL)
        return seam_fault_set(f, SEAM_NOMEM, c->path, SEAM_FAULT_NO_OFFSET, "no memory to clone");
    st = oltp_pager_read(&c->from->pager, from, c->leaf, page, f);
    if (st == SEAM_OK && !page_is_tree(page, level))
        st = oltp_level_fault(&c->from->pager, from.page, page, level, f);
    for (unsigned i = 0; st == SEAM_OK && level > 0 && i <= page_count(page); i++) {
        struct oltp_ref child = {0};

        st = copy_page(c, page_child(page, i), level - 1, &child, f);
        oltp_page_set_child(page, i, child);
    }
    for (unsigned i = 0; st == SEAM_OK && level == 0 && i < page_count(page); i++) {
        struct oltp_cell cell = page_cell(page, i);
        struct oltp_ref first = {0};

        if (!cell.big) continue;
        st = copy_overflow(c, cell.child, &first, f);
        ref_put(page + (cell.value - page), first);
    }
    if (st == SEAM_OK) st = put_page(c, page, &number, f);
    *to = copied(number);
    free(page);
    return st;
}

static enum seam_status put_blob(struct cloning *c, const struct seam_buf *bytes,
                                 struct oltp_blob *name, struct seam_fault *f)
{
    uint8_t page[OLTP_PAGE_SIZE];
    size_t pages = (bytes->size + PAGE_BODY - 1) / PAGE_BODY;
    enum seam_status st =
        seam_buf_ok(bytes)
            ? SEAM_OK
            : seam_fault_set(f, SEAM_NOMEM, c->path, SEAM_FAULT_NO_OFFSET, "no memory to clone");

    *name = oltp_blob_name(c->next, bytes);
    for (size_t i = 0; st == SEAM_OK && i < pages; i++) {
        size_t from = i * PAGE_BODY,
               n = bytes->size - from < PAGE_BODY ? bytes->size - from : PAGE_BODY;
        uint32_t number;

        memset(page, 0, sizeof page);
        oltp_page_init(page, PAGE_BLOB, 0, 0, 0, CLONE_EPOCH, NULL, 0);
        if (i + 1 < pages) page_set_link(page, copied(c->next + 1));
        seam_put_u16(page + PAGE_USED, (uint16_t)n);
        memcpy(page + PAGE_HEADER_SIZE, bytes->data + from, n);
        st = put_page(c, page, &number, f);
    }
    return st;
}

static void all_used(uint32_t pages, struct seam_buf *out)
{
    uint8_t *bits;

    seam_buf_varint(out, pages);
    bits = seam_buf_extend(out, (pages + 7) / 8);
    if (bits != NULL) {
        memset(bits, 0xff, (pages + 7) / 8);
        if (pages % 8 != 0) bits[pages / 8] = (uint8_t)((1u << (pages % 8)) - 1);
    }
    seam_buf_varint(out, 0); /* no dead pages */
    seam_buf_varint(out, 0); /* no kept checkpoints */
}

static enum seam_status copy_state(struct cloning *c, struct oltp_txn *t, struct seam_fault *f)
{
    struct oltp_checkpoint next = {.seq = CLONE_SEQ,
                                   .epoch = CLONE_EPOCH,
                                   .lsn = t->version->lsn,
                                   .wall_us = t->version->wall_us,
                                   .last_txn = t->db->last_txn};
    struct oltp_tree *trees = calloc(t->catalog->slots + 1, sizeof *trees);
    struct seam_buf blob = {0};
    uint8_t meta[META_SIZE];
    enum seam_status st = trees == NULL ? seam_fault_set(f, SEAM_NOMEM, c->path,
                                                         SEAM_FAULT_NO_OFFSET, "no memory to clone")
                                        : SEAM_OK;

    for (uint32_t i = 0; st == SEAM_OK && i < t->catalog->slots; i++) {
        trees[i] = t->trees[i];
        if (trees[i].depth > 0)
            st = copy_page(c, t->trees[i].root, trees[i].depth - 1, &trees[i].root, f);
    }
    if (st == SEAM_OK) {
        oltp_catalog_encode(t->catalog, trees, &blob);
        st = put_blob(c, &blob, &next.catalog, f);
    }
    if (st == SEAM_OK) {
        uint32_t pages = c->next, need = 0; /* the map covers itself */

        do {
            seam_buf_clear(&blob);
            all_used(pages += need, &blob);
            need = (uint32_t)((blob.size + PAGE_BODY - 1) / PAGE_BODY) - (pages - c->next);
        } while (need > 0);
        st = put_blob(c, &blob, &next.space, f);
        next.pages = c->next;
    }
    if (st == SEAM_OK) st = flush(c, f);
    if (st == SEAM_OK) st = seam_file_datasync(c->file, f);
    oltp_meta_encode(&next, &c->id, meta);
    if (st == SEAM_OK)
        st = seam_file_write(c->file, (next.seq % 2) * OLTP_PAGE_SIZE, meta, META_SIZE, f);
    if (st == SEAM_OK) st = seam_file_sync(c->file, f);
    free(trees);
    seam_buf_free(&blob);
    return st;
}

static enum seam_status clone_into(struct cloning *c, struct seam_io *io, const char *new_dir,
                                   struct seam_fault *f)
{
    struct oltp_txn *t = NULL;
    enum seam_status st = seam_io_mkdir(io, new_dir, f);

    if (st == SEAM_OK) st = seam_path_join(c->path, new_dir, "pages", f);
    if (st == SEAM_OK && seam_io_exists(io, c->path))
        st = seam_fault_set(f, SEAM_EXISTS, new_dir, SEAM_FAULT_NO_OFFSET,
                            "a row store is there already");
    if (st == SEAM_OK) st = oltp_pages_create(io, new_dir, c->path, &c->id, f);
    if (st == SEAM_OK) st = seam_file_open(io, c->path, SEAM_FILE_WRITE, &c->file, f);
    if (st == SEAM_OK) st = oltp_read_begin(c->from, &t, f);
    if (st == SEAM_OK) {
        c->lsn = oltp_txn_lsn(t);
        st = copy_state(c, t, f);
    }
    oltp_end(t);
    seam_file_close(c->file);
    return st;
}

enum seam_status oltp_clone(struct seam_io *io, const char *dir, const char *wal_dir,
                            seam_lsn_t as_of, const char *new_dir, seam_lsn_t *at,
                            struct oltp_progress progress, struct seam_fault *f)
{
    struct oltp_options o = {.read_only = true,
                             .wal_dir = wal_dir,
                             .progress = progress,
                             .holder = "clone",
                             .as_of = as_of == SEAM_LSN_MAX    ? SEAM_LSN_NONE
                                      : as_of == SEAM_LSN_NONE ? OLTP_AS_OF_ZERO
                                                               : as_of};
    struct cloning c = {.next = 2, .progress = progress};
    uint64_t state;
    enum seam_status st = oltp_open(io, dir, &o, &c.from, f);

    if (st != SEAM_OK) return st;
    state = c.from->pager.file_id ^ (uint64_t)seam_clock_wall_us(c.from->clock);
    c.id.file_id = seam_splitmix64(&state) | 1;
    c.total = atomic_load(&c.from->pager.pages);
    c.buffer = malloc((size_t)CLONE_BUFFER_PAGES * OLTP_PAGE_SIZE);
    c.leaf = oltp_hazard_take(&c.from->pager);
    c.spare = oltp_hazard_take(&c.from->pager);
    if (c.buffer == NULL || c.leaf == NULL || c.spare == NULL)
        st = seam_fault_set(f, SEAM_NOMEM, new_dir, SEAM_FAULT_NO_OFFSET, "no memory to clone");
    if (st == SEAM_OK) st = clone_into(&c, io, new_dir, f);
    if (st == SEAM_OK && at != NULL) *at = c.lsn;
    if (c.leaf != NULL) oltp_hazard_give(c.leaf);
    if (c.spare != NULL) oltp_hazard_give(c.spare);
    free(c.buffer);
    (void)oltp_close(c.from, NULL);
    return st;
}

/* ---- which moments can be read --------------------------------------------------------------------- */

enum seam_status oltp_checkpoints(struct seam_io *io, const char *dir,
                                  struct oltp_checkpoint_info **out, size_t *count,
                                  struct seam_fault *f)
{
    struct oltp_options o = {.read_only = true, .wal_dir = dir, .holder = "list"};
    struct oltp *db = NULL;
    struct oltp_checkpoint newest;
    enum seam_status st = oltp_reader_open(io, dir, &o, true, &db, f);

    if (st != SEAM_OK) return st;
    newest = db->newest;
    st = oltp_space_load(db, &newest, f);
    if (st == SEAM_OK) *out = malloc((db->retained_count + 1) * sizeof **out);
    if (st == SEAM_OK && *out == NULL)
        st = seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory");
    for (size_t i = 0; st == SEAM_OK && i <= db->retained_count; i++) {
        const struct oltp_checkpoint *c = i < db->retained_count ? &db->retained[i] : &newest;

        (*out)[i] = (struct oltp_checkpoint_info){c->seq, c->lsn, c->wall_us};
    }
    if (st == SEAM_OK) *count = db->retained_count + 1;
    (void)oltp_close(db, NULL);
    return st;
}

enum seam_status oltp_lsn_at(struct seam_io *io, const char *dir, const char *wal_dir,
                             int64_t wall_us, seam_lsn_t *lsn, int64_t *commit_us,
                             struct seam_fault *f)
{
    struct oltp_options o = {.read_only = true,
                             .wal_dir = wal_dir,
                             .holder = "time",
                             .as_of_us = wall_us == 0 ? OLTP_AS_OF_EPOCH : wall_us};
    struct oltp *db = NULL;
    struct wal_reader *reader = NULL;
    struct wal_state ws;
    enum seam_status st = oltp_reader_open(io, dir, &o, true, &db, f);

    if (st != SEAM_OK) return st;
    *lsn = atomic_load(&db->current)->lsn;
    *commit_us = atomic_load(&db->current)->wall_us;
    st = wal_state(io, db->wal_dir, &ws, f);
    if (st == SEAM_OK && ws.durable > *lsn) {
        st = wal_reader_open(io, db->wal_dir, *lsn, 0, &reader, f);
        while (st == SEAM_OK) {
            struct wal_record r;
            struct wal_change_commit c;

            st = wal_reader_next(reader, &r, f);
            if (st != SEAM_OK || r.type != WAL_CHANGE_COMMIT) continue;
            st = wal_change_get_commit(r.data, r.size, &c, f);
            if (st != SEAM_OK || c.wall_us > wall_us) break;
            *lsn = r.end;
            *commit_us = c.wall_us;
        }
        if (st == SEAM_END) st = SEAM_OK;
    }
    if (st == SEAM_OK && *lsn == SEAM_LSN_NONE)
        st = seam_fault_set(f, SEAM_NOT_FOUND, dir, SEAM_FAULT_NO_OFFSET,
                            "nothing had been committed then");
    wal_reader_close(reader);
    (void)oltp_close(db, NULL);
    return st;
}
