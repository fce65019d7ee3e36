/* checkpoint - the page file becomes the newest state, without anyone waiting.
 *
 *   meta page (0 or 1, by turns; 512 bytes that matter, one sector)
 *   0         8        12        16       24   32     40   48       56        64       68     72     76   508
 *   +---------+--------+---------+--------+----+------+----+--------+---------+--------+------+------+-----+---+
 *   |SEAMOLTP |version |page size|file id |seq |epoch |lsn | wall us|last txn |catalog |space |pages |zeros|crc|
 *   +---------+--------+---------+--------+----+------+----+--------+---------+--------+------+------+-----+---+
 *   seq % 2 = the page it is in; crc32c of [0,508). The valid one with the higher seq counts. When the newest is
 *   damaged the other is taken: the log still reaches back to it, or opening fails.
 *
 *   catalogue blob:  trees (root, depth, count) by slot, then tables (slots, schema JSON)      catalog.c
 *   space blob:      varint pages | bitmap, a bit a used page | dead pages (page, birth, death) |
 *                    retained checkpoints (all of the meta page's fields), oldest first
 *
 * A state is immutable (its pages are copied before they change), so a checkpoint is: note the newest version,
 * write the pages that the file has not, in file order, sync, then write the other meta page and
 * sync. The writer is held only while the list is made; the pages are written a piece at a time, by the
 * commits of the next stretch of log, so that none of them pays for all. The log is synced up to that state first: the page
 * file never knows a commit that the log could lose.
 * Papers: Haerder & Reuter 1983 (no-steal of *committed* places, no-force); Rodeh 2008; Hitz et al. 1994 (WAFL). */
#include "oltp/db.h"

#include <stdlib.h>

#include "engine/base/crc32c.h"

enum {
    META_VERSION = 1,
    META_AT_VERSION = 8,
    META_AT_PAGE_SIZE = 12,
    META_AT_FILE_ID = 16,
    META_AT_SEQ = 24,
    META_AT_EPOCH = 32,
    META_AT_LSN = 40,
    META_AT_WALL = 48,
    META_AT_TXN = 56,
    META_AT_CATALOG = 64,
    META_AT_SPACE = 68,
    META_AT_PAGES = 72,
    META_AT_ZEROS = 76,
    META_AT_CRC = META_SIZE - 4,
    PACE_PAGES = 64, /* 512 KiB: what one commit writes at a time */
};
static const char magic[] = "SEAMOLTP";

void oltp_meta_encode(const struct oltp_checkpoint *c, uint64_t file_id, uint8_t out[META_SIZE])
{
    memset(out, 0, META_SIZE);
    memcpy(out, magic, 8);
    seam_put_u32(out + META_AT_VERSION, META_VERSION);
    seam_put_u32(out + META_AT_PAGE_SIZE, OLTP_PAGE_SIZE);
    seam_put_u64(out + META_AT_FILE_ID, file_id);
    seam_put_u64(out + META_AT_SEQ, c->seq);
    seam_put_u64(out + META_AT_EPOCH, c->epoch);
    seam_put_u64(out + META_AT_LSN, c->lsn);
    seam_put_u64(out + META_AT_WALL, (uint64_t)c->wall_us);
    seam_put_u64(out + META_AT_TXN, c->last_txn);
    seam_put_u32(out + META_AT_CATALOG, c->catalog_page);
    seam_put_u32(out + META_AT_SPACE, c->space_page);
    seam_put_u32(out + META_AT_PAGES, c->pages);
    seam_put_u32(out + META_AT_CRC, seam_crc32c(0, out, META_AT_CRC));
}

enum seam_status oltp_meta_decode(const uint8_t in[META_SIZE], unsigned slot, const char *path,
                                  struct oltp_checkpoint *c, uint64_t *file_id,
                                  struct seam_fault *f)
{
    uint64_t at = (uint64_t)slot * OLTP_PAGE_SIZE;

    if (memcmp(in, magic, 8) != 0)
        return seam_fault_set(f, SEAM_CORRUPT, path, at, "not a meta page of a row store");
    if (seam_get_u32(in + META_AT_CRC) != seam_crc32c(0, in, META_AT_CRC))
        return seam_fault_set(f, SEAM_CORRUPT, path, at, "the meta page's checksum is wrong");
    if (seam_get_u32(in + META_AT_VERSION) != META_VERSION)
        return seam_fault_set(f, SEAM_UNSUPPORTED, path, at,
                              "format version %u; this program reads %d",
                              seam_get_u32(in + META_AT_VERSION), META_VERSION);
    if (seam_get_u32(in + META_AT_PAGE_SIZE) != OLTP_PAGE_SIZE)
        return seam_fault_set(f, SEAM_UNSUPPORTED, path, at,
                              "pages of %u bytes; this program reads %d",
                              seam_get_u32(in + META_AT_PAGE_SIZE), OLTP_PAGE_SIZE);
    *file_id = seam_get_u64(in + META_AT_FILE_ID);
    *c = (struct oltp_checkpoint){.seq = seam_get_u64(in + META_AT_SEQ),
                                  .epoch = seam_get_u64(in + META_AT_EPOCH),
                                  .lsn = seam_get_u64(in + META_AT_LSN),
                                  .wall_us = (int64_t)seam_get_u64(in + META_AT_WALL),
                                  .last_txn = seam_get_u64(in + META_AT_TXN),
                                  .catalog_page = seam_get_u32(in + META_AT_CATALOG),
                                  .space_page = seam_get_u32(in + META_AT_SPACE),
                                  .pages = seam_get_u32(in + META_AT_PAGES)};
    if (c->seq % 2 != slot || c->pages < 2 || c->pages > PAGER_PAGES_MAX || c->epoch == 0)
        return seam_fault_set(f, SEAM_CORRUPT, path, at, "the meta page contradicts itself");
    return SEAM_OK;
}

enum seam_status oltp_meta_read(struct seam_file *file, struct oltp_checkpoint *newest,
                                uint64_t *file_id, bool damaged[2], struct seam_fault *f)
{
    struct oltp_checkpoint c[2] = {{0}};
    uint64_t id[2] = {0};
    struct seam_fault why[2] = {{0}};
    enum seam_status st[2];
    int best;

    for (unsigned slot = 0; slot < 2; slot++) {
        uint8_t page[META_SIZE];

        st[slot] =
            seam_file_read(file, (uint64_t)slot * OLTP_PAGE_SIZE, page, META_SIZE, &why[slot]);
        if (st[slot] == SEAM_OK)
            st[slot] =
                oltp_meta_decode(page, slot, seam_file_path(file), &c[slot], &id[slot], &why[slot]);
        damaged[slot] = st[slot] != SEAM_OK;
        if (st[slot] != SEAM_OK && st[slot] != SEAM_CORRUPT) {
            if (f != NULL) *f = why[slot];
            return st[slot];
        }
    }
    if (damaged[0] && damaged[1]) {
        if (f != NULL) *f = why[0];
        return SEAM_CORRUPT;
    }
    best = damaged[0] || (!damaged[1] && c[1].seq > c[0].seq) ? 1 : 0;
    if (!damaged[0] && !damaged[1] && id[0] != id[1])
        return seam_fault_set(f, SEAM_CORRUPT, seam_file_path(file), 0,
                              "the meta pages are of two files");
    *newest = c[best];
    *file_id = id[best];
    return SEAM_OK;
}

enum seam_status oltp_pages_create(struct seam_io *io, const char *dir, const char *path,
                                   uint64_t file_id, struct seam_fault *f)
{
    static const uint8_t zeros[2 * OLTP_PAGE_SIZE];
    char temporary[SEAM_PATH_MAX_BYTES];
    struct seam_file *file = NULL;
    uint8_t meta[META_SIZE];
    enum seam_status st = seam_path_join(temporary, dir, "pages.new", f);

    if (st == SEAM_OK)
        st = seam_file_open(io, temporary, SEAM_FILE_WRITE | SEAM_FILE_CREATE | SEAM_FILE_TRUNC,
                            &file, f);
    if (st == SEAM_OK) st = seam_file_write(file, 0, zeros, sizeof zeros, f);
    for (unsigned slot = 0; slot < 2 && st == SEAM_OK; slot++) {
        struct oltp_checkpoint c = {.seq = slot, .epoch = 1, .pages = 2};

        oltp_meta_encode(&c, file_id, meta);
        st = seam_file_write(file, (uint64_t)slot * OLTP_PAGE_SIZE, meta, META_SIZE, f);
    }
    if (st == SEAM_OK) st = seam_file_sync(file, f);
    seam_file_close(file);
    if (st == SEAM_OK) st = seam_io_rename(io, temporary, path, f);
    if (st == SEAM_OK) st = seam_io_sync_dir(io, dir, f);
    return st;
}

/* ---- blobs ----------------------------------------------------------------------------------------- */

enum seam_status oltp_blob_read(struct oltp_pager *p, uint32_t first, struct seam_buf *out,
                                uint32_t **pages, size_t *count, struct seam_fault *f)
{
    uint8_t *page = malloc(OLTP_PAGE_SIZE);
    uint32_t limit = atomic_load(&p->pages), at = first;
    size_t cap = pages != NULL ? *count : 0;
    enum seam_status st = page == NULL ? SEAM_NOMEM : SEAM_OK;

    for (uint32_t seen = 0; st == SEAM_OK && at != 0; seen++) {
        if (seen > limit || at >= limit || at < 2) {
            st = seam_fault_set(f, SEAM_CORRUPT, p->path, SEAM_FAULT_NO_OFFSET,
                                "a chain of blob pages leaves the file or goes in circles");
            break;
        }
        st = seam_file_read(p->file, (uint64_t)at * OLTP_PAGE_SIZE, page, OLTP_PAGE_SIZE, f);
        if (st == SEAM_OK) st = oltp_page_check(page, p->file_id, at, limit, p->path, f);
        if (st == SEAM_OK && page_kind(page) != PAGE_BLOB)
            st = seam_fault_set(f, SEAM_CORRUPT, p->path, (uint64_t)at * OLTP_PAGE_SIZE,
                                "page %u is no blob page", at);
        if (st != SEAM_OK) break;
        seam_buf_append(out, page + PAGE_HEADER_SIZE, page_used(page));
        if (pages != NULL) {
            if (*count == cap) {
                uint32_t *more = realloc(*pages, (cap = cap * 2 + 16) * sizeof *more);

                if (more == NULL)
                    st = SEAM_NOMEM;
                else
                    *pages = more;
            }
            if (st == SEAM_OK) (*pages)[(*count)++] = at;
        }
        at = page_link(page);
    }
    free(page);
    if (st == SEAM_OK && !seam_buf_ok(out)) st = SEAM_NOMEM;
    return st == SEAM_NOMEM ? seam_fault_set(f, SEAM_NOMEM, p->path, SEAM_FAULT_NO_OFFSET,
                                             "no memory for a checkpoint's catalogue")
                            : st;
}

static enum seam_status blob_write(struct oltp_pager *p, const struct seam_buf *bytes,
                                   const uint32_t *pages, size_t count, uint64_t epoch,
                                   seam_lsn_t lsn, struct seam_fault *f)
{
    uint8_t *page = malloc(OLTP_PAGE_SIZE);
    enum seam_status st = SEAM_OK;

    if (page == NULL)
        return seam_fault_set(f, SEAM_NOMEM, p->path, SEAM_FAULT_NO_OFFSET,
                              "no memory for a checkpoint");
    assert(bytes->size <= count * PAGE_BODY);
    for (size_t i = 0; st == SEAM_OK && i < count; i++) {
        size_t from = i * PAGE_BODY, n = bytes->size > from ? bytes->size - from : 0;

        if (n > PAGE_BODY) n = PAGE_BODY;
        memset(page, 0, OLTP_PAGE_SIZE);
        oltp_page_init(page, PAGE_BLOB, 0, pages[i], 0, epoch, NULL, 0);
        seam_put_u32(page + PAGE_LINK, i + 1 < count ? pages[i + 1] : 0);
        seam_put_u32(page + PAGE_USED, (uint32_t)n);
        if (n > 0) memcpy(page + PAGE_HEADER_SIZE, bytes->data + from, n);
        oltp_page_seal(page, p->file_id, lsn);
        st = seam_file_write(p->file, (uint64_t)pages[i] * OLTP_PAGE_SIZE, page, OLTP_PAGE_SIZE, f);
    }
    free(page);
    return st;
}

/* ---- the space blob -------------------------------------------------------------------------------- */

static void checkpoint_put(struct seam_buf *out, const struct oltp_checkpoint *c)
{
    seam_buf_varint(out, c->seq);
    seam_buf_varint(out, c->epoch);
    seam_buf_varint(out, c->lsn);
    seam_buf_varint(out, seam_zigzag(c->wall_us));
    seam_buf_varint(out, c->catalog_page);
    seam_buf_varint(out, c->space_page);
    seam_buf_varint(out, c->pages);
    seam_buf_varint(out, c->last_txn);
}

static struct oltp_checkpoint checkpoint_get(struct seam_reader *r)
{
    struct oltp_checkpoint c;

    c.seq = seam_read_varint(r);
    c.epoch = seam_read_varint(r);
    c.lsn = seam_read_varint(r);
    c.wall_us = seam_unzigzag(seam_read_varint(r));
    c.catalog_page = (uint32_t)seam_read_varint(r);
    c.space_page = (uint32_t)seam_read_varint(r);
    c.pages = (uint32_t)seam_read_varint(r);
    c.last_txn = seam_read_varint(r);
    return c;
}

/* `kept`: epochs (ascending) whose pages must survive; other dead pages count as free. */
static void space_encode(struct oltp *db, const uint64_t *kept, size_t kept_count,
                         const struct oltp_checkpoint *retained, size_t retained_count,
                         struct seam_buf *out)
{
    struct oltp_space *s = &db->pager.space;
    uint32_t pages = atomic_load(&db->pager.pages);
    size_t bytes = (pages + 7) / 8, dead = 0;
    uint8_t *bitmap;

    seam_buf_varint(out, pages);
    bitmap = seam_buf_extend(out, bytes);
    if (bitmap == NULL) return;
    oltp_space_map(&db->pager, pages, bitmap);
    for (size_t i = 0; i < s->dead_count; i++) {
        if (oltp_epoch_seen(kept, kept_count, s->dead[i].birth, s->dead[i].death))
            dead++;
        else
            bitmap[s->dead[i].page / 8] &= (uint8_t) ~(1u << (s->dead[i].page % 8));
    }
    seam_buf_varint(out, dead);
    for (size_t i = 0; i < s->dead_count; i++) {
        if (!oltp_epoch_seen(kept, kept_count, s->dead[i].birth, s->dead[i].death)) continue;
        seam_buf_varint(out, s->dead[i].page);
        seam_buf_varint(out, s->dead[i].birth);
        seam_buf_varint(out, s->dead[i].death);
    }
    seam_buf_varint(out, retained_count);
    for (size_t i = 0; i < retained_count; i++) checkpoint_put(out, &retained[i]);
}

static enum seam_status space_decode(struct oltp *db, const struct seam_buf *blob, uint32_t pages,
                                     struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(blob->data, blob->size);
    struct oltp_pager *p = &db->pager;
    const uint8_t *bitmap;
    uint64_t n;

    if (seam_read_varint(&r) != pages || (bitmap = seam_read_bytes(&r, (pages + 7) / 8)) == NULL)
        goto damaged;
    memcpy(p->space.used, bitmap, (pages + 7) / 8);
    p->space.used[0] |= 3; /* the meta pages */
    p->space.free = 0;
    for (uint32_t i = 0; i < pages; i++) p->space.free += !(p->space.used[i / 64] >> (i % 64) & 1);
    n = seam_read_varint(&r);
    if (r.bad || n > pages) goto damaged;
    if (oltp_space_reserve_dead(p, (size_t)n, f) != SEAM_OK) return SEAM_NOMEM;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t page = seam_read_varint(&r), birth = seam_read_varint(&r),
                 death = seam_read_varint(&r);

        if (r.bad || page < 2 || page >= pages || birth >= death ||
            !(p->space.used[page / 64] >> (page % 64) & 1))
            goto damaged;
        p->space.dead[p->space.dead_count++] = (struct oltp_dead){(uint32_t)page, birth, death};
    }
    n = seam_read_varint(&r);
    if (r.bad || n > RETAINED_MAX) goto damaged;
    for (uint64_t i = 0; i < n; i++) db->retained[i] = checkpoint_get(&r);
    if (r.bad || seam_reader_left(&r) != 0) goto damaged;
    db->retained_count = (size_t)n;
    return SEAM_OK;
damaged:
    return seam_fault_set(f, SEAM_CORRUPT, p->path, SEAM_FAULT_NO_OFFSET,
                          "the map of free space is damaged");
}

enum seam_status oltp_space_load(struct oltp *db, const struct oltp_checkpoint *c,
                                 struct seam_fault *f)
{
    struct seam_buf blob = {0};
    enum seam_status st = oltp_space_grow(&db->pager, c->pages, f);

    if (st != SEAM_OK) return st;
    db->pager.space.used[0] |= 3;
    db->pager.space.free = c->pages - 2;
    db->pager.space.dead_count = 0;
    db->retained_count = db->blob_count = 0;
    if (c->space_page == 0) return SEAM_OK;
    free(db->blob_pages);
    db->blob_pages = NULL;
    st = oltp_blob_read(&db->pager, c->space_page, &blob, &db->blob_pages, &db->blob_count, f);
    if (st == SEAM_OK) st = space_decode(db, &blob, c->pages, f);
    seam_buf_free(&blob);
    return st;
}

/* ---- making one ------------------------------------------------------------------------------------ */

struct making {
    struct oltp_checkpoint next;
    struct oltp_checkpoint retained[RETAINED_MAX];
    size_t retained_count;
    struct seam_buf catalog, space;
    uint32_t *blob; /* first the catalogue's pages, then the space map's */
    size_t blob_count, catalog_pages;
    uint32_t *dirty; /* ascending */
    size_t dirty_count, written;
};

/* Which checkpoints stay, once `next` is the newest: the youngest few, and those young enough. */
static void retention(const struct oltp *db, struct making *m)
{
    size_t all = db->retained_count + 1;

    for (size_t i = 0; i < all; i++) {
        const struct oltp_checkpoint *c = i < db->retained_count ? &db->retained[i] : &db->newest;
        bool few = all - i <= db->o.retain_checkpoints;
        bool young = db->o.retain_us > 0 && c->wall_us + db->o.retain_us >= m->next.wall_us;

        if (c->catalog_page == 0 || (!few && !young) || all - i > RETAINED_MAX) continue;
        m->retained[m->retained_count++] = *c;
    }
}

static int compare_epochs(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static enum seam_status encode_space(struct oltp *db, struct making *m)
{
    uint64_t kept[RETAINED_MAX + OLTP_PINS_MAX + 1];
    size_t n = 0;

    /* All that are on the list until this one is published, also those it gives up: a reader may still open and
     * pin one while the pages are written. What only they need is let go by the checkpoint after. */
    for (size_t i = 0; i < db->retained_count; i++) kept[n++] = db->retained[i].epoch;
    for (size_t i = 0; i < db->pinned_count; i++) kept[n++] = db->pinned[i];
    kept[n++] = db->newest.epoch; /* another process may just be opening it */
    qsort(kept, n, sizeof *kept, compare_epochs);
    seam_buf_clear(&m->space);
    space_encode(db, kept, n, m->retained, m->retained_count, &m->space);
    return seam_buf_ok(&m->space) && seam_buf_ok(&m->catalog) ? SEAM_OK : SEAM_NOMEM;
}

/* Page numbers for both blobs. Taking them changes the map, whose size may then need one more. */
static enum seam_status blob_places(struct oltp *db, struct making *m, struct seam_fault *f)
{
    size_t need;
    enum seam_status st;

    do {
        st = encode_space(db, m);
        m->catalog_pages = (m->catalog.size + PAGE_BODY - 1) / PAGE_BODY;
        need = m->catalog_pages + (m->space.size + PAGE_BODY - 1) / PAGE_BODY;
        if (st == SEAM_OK && m->blob_count < need) {
            uint32_t *more = realloc(m->blob, need * sizeof *more);

            if (more == NULL)
                st = SEAM_NOMEM;
            else
                m->blob = more;
        }
        if (st == SEAM_NOMEM)
            return seam_fault_set(f, SEAM_NOMEM, db->dir, SEAM_FAULT_NO_OFFSET,
                                  "no memory for a checkpoint");
        if (m->blob_count == need) break;
        while (st == SEAM_OK && m->blob_count < need) {
            st = oltp_space_take(&db->pager, &m->blob[m->blob_count], f);
            if (st == SEAM_OK) m->blob_count++;
        }
        while (m->blob_count > need) oltp_space_give(&db->pager, m->blob[--m->blob_count]);
    } while (st == SEAM_OK);
    return st;
}

/* Writer latch held: everything that depends on the state being still. */
static enum seam_status making_begin(struct oltp *db, struct making *m, struct seam_fault *f)
{
    const struct oltp_version *v = atomic_load(&db->current);
    enum seam_status st;

    m->next = (struct oltp_checkpoint){.seq = db->newest.seq + 1,
                                       .epoch = atomic_load(&v->epoch),
                                       .lsn = v->lsn,
                                       .wall_us = v->wall_us,
                                       .last_txn = db->last_txn};
    oltp_pins_refresh(db);
    retention(db, m);
    oltp_catalog_encode(v->catalog, v->trees, &m->catalog);
    st = oltp_space_reserve_dead(&db->pager, db->blob_count, f);
    /* The pages of the last checkpoint's blobs die with it; say so in the map, take it back after. */
    for (size_t i = 0; st == SEAM_OK && i < db->blob_count; i++)
        oltp_space_kill(&db->pager, db->blob_pages[i], db->newest.epoch, m->next.epoch);
    if (st != SEAM_OK) return st;
    st = blob_places(db, m, f);
    if (st == SEAM_OK)
        st = oltp_pager_dirty_pages(&db->pager, m->next.epoch, &m->dirty, &m->dirty_count, f);
    if (st != SEAM_OK) {
        db->pager.space.dead_count -= db->blob_count;
        return st;
    }
    m->next.pages = atomic_load(&db->pager.pages);
    m->next.catalog_page = m->blob[0];
    m->next.space_page = m->blob[m->catalog_pages];
    db->in_progress = m->next.epoch;
    return SEAM_OK;
}

/* The next `count` of its pages. The log is synced first: see above. */
static enum seam_status making_write(struct oltp *db, struct making *m, size_t count,
                                     struct seam_fault *f)
{
    enum seam_status st = m->written == 0 ? oltp_wait(db, m->next.lsn, f) : SEAM_OK;

    if (count > m->dirty_count - m->written) count = m->dirty_count - m->written;
    if (st == SEAM_OK) st = oltp_pager_write_pages(&db->pager, m->dirty + m->written, count, f);
    if (st == SEAM_OK) m->written += count;
    return st;
}

/* What makes it the newest: blobs, sync, meta page, sync. A state without a page of its own (events only) meets
 * the log's sync here for the first time. */
static enum seam_status making_publish(struct oltp *db, const struct making *m,
                                       struct seam_fault *f)
{
    struct oltp_pager *p = &db->pager;
    uint8_t meta[META_SIZE];
    enum seam_status st = oltp_wait(db, m->next.lsn, f);

    if (st == SEAM_OK)
        st = blob_write(p, &m->catalog, m->blob, m->catalog_pages, m->next.epoch, m->next.lsn, f);
    if (st == SEAM_OK)
        st = blob_write(p, &m->space, m->blob + m->catalog_pages, m->blob_count - m->catalog_pages,
                        m->next.epoch, m->next.lsn, f);
    if (st == SEAM_OK && (st = seam_file_datasync(p->file, f)) != SEAM_OK)
        oltp_db_poison(db, st, f);
    if (st != SEAM_OK) return st;
    oltp_meta_encode(&m->next, p->file_id, meta);
    st = seam_file_write(p->file, (m->next.seq % 2) * OLTP_PAGE_SIZE, meta, META_SIZE, f);
    if (st == SEAM_OK) st = seam_file_datasync(p->file, f);
    /* Whether the new meta page is on the disk is not known any more: only reopening tells. */
    if (st != SEAM_OK) oltp_db_poison(db, st, f);
    return st;
}

static void making_free(struct making *m)
{
    seam_buf_free(&m->catalog);
    seam_buf_free(&m->space);
    free(m->blob);
    free(m->dirty);
    free(m);
}

/* The dead list may have grown behind our entries meanwhile: take them out by what they are. */
static void blobs_revive(struct oltp *db)
{
    struct oltp_space *s = &db->pager.space;

    for (size_t i = 0; i < db->blob_count; i++)
        for (size_t k = 0; k < s->dead_count; k++)
            if (s->dead[k].page == db->blob_pages[i]) {
                memmove(&s->dead[k], &s->dead[k + 1], (s->dead_count - k - 1) * sizeof *s->dead);
                s->dead_count--;
                break;
            }
    db->dead_scanned = 0;
    db->seen_before_count = 0;
}

static void making_end(struct oltp *db, struct making *m, bool made)
{
    db->in_progress = 0;
    if (made) {
        db->newest = m->next;
        memcpy(db->retained, m->retained, m->retained_count * sizeof *m->retained);
        db->retained_count = m->retained_count;
        free(db->blob_pages);
        db->blob_pages = m->blob;
        db->blob_count = m->blob_count;
        m->blob = NULL;
        db->meta_damaged[m->next.seq % 2] = false;
        atomic_store(&db->checkpoint_lsn, m->next.lsn);
        atomic_fetch_add(&db->checkpoints, 1);
        oltp_pins_refresh(db);
    } else {
        while (m->blob_count > 0) oltp_space_give(&db->pager, m->blob[--m->blob_count]);
        blobs_revive(db);
    }
    oltp_dead_release(db);
}

static enum seam_status say_in_log(struct oltp *db, const struct making *m, struct seam_fault *f)
{
    struct seam_buf payload = {0};
    struct wal_change_checkpoint c = {
        .lsn = m->next.lsn, .wall_us = seam_clock_wall_us(db->clock), .pages = m->dirty_count};
    struct seam_io_slice part;
    struct wal_span at;
    enum seam_status st = SEAM_NOMEM;

    wal_change_put_checkpoint(&payload, &c);
    part = (struct seam_io_slice){payload.data, payload.size};
    if (seam_buf_ok(&payload)) st = wal_append(db->wal, WAL_CHANGE_CHECKPOINT, &part, 1, &at, f);
    seam_buf_free(&payload);
    return st;
}

/* A new version of the same state, so that a checkpoint of it differs from the last. Latch held. */
static enum seam_status next_epoch(struct oltp *db, struct seam_fault *f)
{
    enum seam_status st = oltp_txn_prepare_write(db, f);

    return st == SEAM_OK
               ? oltp_txn_install(&db->txn, db->txn.version->lsn, db->txn.version->wall_us, f)
               : st;
}

static void held(struct oltp *db, uint64_t since)
{
    pthread_mutex_lock(&db->stats_latch);
    seam_histogram_add(&db->stall_ns, seam_clock_mono_ns(db->clock) - since);
    pthread_mutex_unlock(&db->stats_latch);
}

/* Sets db->making; leaves it NULL when the newest checkpoint has everything. checkpoint_latch held, as in
 * all that follows. */
static enum seam_status checkpoint_begin(struct oltp *db, bool force, struct seam_fault *f)
{
    struct making *m = calloc(1, sizeof *m);
    uint64_t began = seam_clock_mono_ns(db->clock);
    enum seam_status st;
    bool same;

    if (m == NULL)
        return seam_fault_set(f, SEAM_NOMEM, db->dir, SEAM_FAULT_NO_OFFSET,
                              "no memory for a checkpoint");
    pthread_mutex_lock(&db->writer_latch);
    st = oltp_db_poisoned(db, f);
    same = st == SEAM_OK && atomic_load(&atomic_load(&db->current)->epoch) == db->newest.epoch;
    if (same && force) st = next_epoch(db, f);
    if (st == SEAM_OK && (force || !same)) {
        st = making_begin(db, m, f);
        if (st == SEAM_OK)
            db->making = m;
        else
            while (m->blob_count > 0) oltp_space_give(&db->pager, m->blob[--m->blob_count]);
    }
    pthread_mutex_unlock(&db->writer_latch);
    held(db, began);
    if (db->making == NULL)
        making_free(m);
    else
        oltp_pager_order_pages(m->dirty, m->dirty_count);
    return st;
}

/* The newest, or as if it had never begun. */
static enum seam_status checkpoint_end(struct oltp *db, enum seam_status st, struct seam_fault *f)
{
    struct making *m = db->making;

    if (st == SEAM_OK) st = making_publish(db, m, f);
    pthread_mutex_lock(&db->writer_latch);
    making_end(db, m, st == SEAM_OK);
    pthread_mutex_unlock(&db->writer_latch);
    if (st == SEAM_OK) st = say_in_log(db, m, f);
    if (st == SEAM_OK)
        st = wal_trim(db->wal, m->retained_count > 0 ? m->retained[0].lsn : m->next.lsn, NULL, f);
    SEAM_TRACE(db->trace, "oltp", "checkpoint", SEAM_TI("seq", m->next.seq),
               SEAM_TI("lsn", m->next.lsn), SEAM_TI("pages", m->dirty_count),
               SEAM_TI("status", st));
    making_free(m);
    db->making = NULL;
    return st;
}

enum seam_status oltp_checkpoint_finish(struct oltp *db, struct seam_fault *f)
{
    struct seam_fault own = {0};
    enum seam_status st;

    if (db->making == NULL) return SEAM_OK;
    st = making_write(db, db->making, SIZE_MAX, &own);
    st = checkpoint_end(db, st, &own);
    if (st != SEAM_OK && f != NULL && f->status == SEAM_OK) *f = own;
    return st;
}

void oltp_checkpoint_drop(struct oltp *db)
{
    if (db->making != NULL) making_free(db->making);
    db->making = NULL;
}

enum seam_status oltp_checkpoint_now(struct oltp *db, bool force, struct seam_fault *f)
{
    enum seam_status st = oltp_checkpoint_finish(db, f);

    if (st == SEAM_OK) st = checkpoint_begin(db, force, f);
    return st == SEAM_OK ? oltp_checkpoint_finish(db, f) : st;
}

/* One commit's share of the checkpoint in progress: its pages are written while the next quarter of the
 * distance is logged, in pieces of PACE_PAGES or a quarter of them; the end waits an eighth longer for the disk, which
 * was asked to begin with each piece. */
static enum seam_status checkpoint_share(struct oltp *db, seam_lsn_t lsn, struct seam_fault *f)
{
    struct making *m = db->making;
    uint64_t window = db->o.checkpoint_log_bytes / 4 + 1, logged = lsn - m->next.lsn;
    double share = logged < window ? (double)logged / (double)window : 1.0;
    size_t target = (size_t)(share * (double)m->dirty_count);
    size_t due = target > m->written ? target - m->written : 0; /* commits arrive out of order */
    bool all = m->written == m->dirty_count;
    uint64_t began;
    enum seam_status st = SEAM_OK;

    if (all ? logged < window + window / 8
            : logged < window && due < PACE_PAGES && (due == 0 || due < m->dirty_count / 4))
        return SEAM_OK; /* later */
    began = seam_clock_mono_ns(db->clock);
    if (!all) st = making_write(db, m, due, f);
    if (all || st != SEAM_OK) st = checkpoint_end(db, st, f);
    held(db, began);
    return st;
}

void oltp_checkpoint_pace(struct oltp *db, seam_lsn_t lsn)
{
    uint64_t distance = db->o.checkpoint_log_bytes;
    struct seam_fault f = {0};
    enum seam_status st = SEAM_OK;

    if (distance == UINT64_MAX ||
        lsn < atomic_load_explicit(&db->checkpoint_lsn, memory_order_relaxed) + distance)
        return;
    if (pthread_mutex_trylock(&db->checkpoint_latch) != 0) return; /* someone is at it */
    if (db->making == NULL) st = checkpoint_begin(db, false, &f);
    if (st == SEAM_OK && db->making != NULL && lsn > db->making->next.lsn)
        st = checkpoint_share(db, lsn, &f);
    if (st != SEAM_OK) SEAM_TRACE(db->trace, "oltp", "checkpoint_failed", SEAM_TS("why", f.why));
    pthread_mutex_unlock(&db->checkpoint_latch);
}

enum seam_status oltp_checkpoint(struct oltp *db, struct seam_fault *f)
{
    enum seam_status st;

    if (db->read_only)
        return seam_fault_set(f, SEAM_UNSUPPORTED, db->dir, SEAM_FAULT_NO_OFFSET,
                              "this database was opened read-only");
    pthread_mutex_lock(&db->checkpoint_latch);
    st = oltp_checkpoint_now(db, false, f);
    pthread_mutex_unlock(&db->checkpoint_latch);
    return st;
}
