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

void meta_encode(const struct checkpoint *c, uint64_t file_id, uint8_t out[META_SIZE])
{
    memset(out, 0, META_SIZE);
    memcpy(out, magic, 8);
    put_u32(out + META_AT_VERSION, META_VERSION);
    put_u32(out + META_AT_PAGE_SIZE, OLTP_PAGE_SIZE);
    put_u64(out + META_AT_FILE_ID, file_id);
    put_u64(out + META_AT_SEQ, c->seq);
    put_u64(out + META_AT_EPOCH, c->epoch);
    put_u64(out + META_AT_LSN, c->lsn);
    put_u64(out + META_AT_WALL, (uint64_t)c->wall_us);
    put_u64(out + META_AT_TXN, c->last_txn);
    put_u32(out + META_AT_CATALOG, c->catalog_page);
    put_u32(out + META_AT_SPACE, c->space_page);
    put_u32(out + META_AT_PAGES, c->pages);
    put_u32(out + META_AT_CRC, crc32c(0, out, META_AT_CRC));
}

enum status meta_decode(const uint8_t in[META_SIZE], unsigned slot, const char *path,
                        struct checkpoint *c, uint64_t *file_id, struct fault *f)
{
    uint64_t at = (uint64_t)slot * OLTP_PAGE_SIZE;

    if (memcmp(in, magic, 8) != 0)
        return fault_set(f, ST_CORRUPT, path, at, "not a meta page of a row store");
    if (get_u32(in + META_AT_CRC) != crc32c(0, in, META_AT_CRC))
        return fault_set(f, ST_CORRUPT, path, at, "the meta page's checksum is wrong");
    if (get_u32(in + META_AT_VERSION) != META_VERSION)
        return fault_set(f, ST_UNSUPPORTED, path, at, "format version %u; this program reads %d",
                         get_u32(in + META_AT_VERSION), META_VERSION);
    if (get_u32(in + META_AT_PAGE_SIZE) != OLTP_PAGE_SIZE)
        return fault_set(f, ST_UNSUPPORTED, path, at, "pages of %u bytes; this program reads %d",
                         get_u32(in + META_AT_PAGE_SIZE), OLTP_PAGE_SIZE);
    *file_id = get_u64(in + META_AT_FILE_ID);
    *c = (struct checkpoint){.seq = get_u64(in + META_AT_SEQ),
                             .epoch = get_u64(in + META_AT_EPOCH),
                             .lsn = get_u64(in + META_AT_LSN),
                             .wall_us = (int64_t)get_u64(in + META_AT_WALL),
                             .last_txn = get_u64(in + META_AT_TXN),
                             .catalog_page = get_u32(in + META_AT_CATALOG),
                             .space_page = get_u32(in + META_AT_SPACE),
                             .pages = get_u32(in + META_AT_PAGES)};
    if (c->seq % 2 != slot || c->pages < 2 || c->pages > PAGER_PAGES_MAX || c->epoch == 0)
        return fault_set(f, ST_CORRUPT, path, at, "the meta page contradicts itself");
    return ST_OK;
}

enum status meta_read(struct file *file, struct checkpoint *newest, uint64_t *file_id,
                      bool damaged[2], struct fault *f)
{
    struct checkpoint c[2] = {{0}};
    uint64_t id[2] = {0};
    struct fault why[2] = {{0}};
    enum status st[2];
    int best;

    for (unsigned slot = 0; slot < 2; slot++) {
        uint8_t page[META_SIZE];

        st[slot] = file_read(file, (uint64_t)slot * OLTP_PAGE_SIZE, page, META_SIZE, &why[slot]);
        if (st[slot] == ST_OK)
            st[slot] = meta_decode(page, slot, file_path(file), &c[slot], &id[slot], &why[slot]);
        damaged[slot] = st[slot] != ST_OK;
        if (st[slot] != ST_OK && st[slot] != ST_CORRUPT) {
            if (f != NULL) *f = why[slot];
            return st[slot];
        }
    }
    if (damaged[0] && damaged[1]) {
        if (f != NULL) *f = why[0];
        return ST_CORRUPT;
    }
    best = damaged[0] || (!damaged[1] && c[1].seq > c[0].seq) ? 1 : 0;
    if (!damaged[0] && !damaged[1] && id[0] != id[1])
        return fault_set(f, ST_CORRUPT, file_path(file), 0, "the meta pages are of two files");
    *newest = c[best];
    *file_id = id[best];
    return ST_OK;
}

enum status pages_create(struct io *io, const char *dir, const char *path, uint64_t file_id,
                         struct fault *f)
{
    static const uint8_t zeros[2 * OLTP_PAGE_SIZE];
    char temporary[PATH_MAX_BYTES];
    struct file *file = NULL;
    uint8_t meta[META_SIZE];
    enum status st = path_join(temporary, dir, "pages.new", f);

    if (st == ST_OK) st = file_open(io, temporary, FILE_WRITE | FILE_CREATE | FILE_TRUNC, &file, f);
    if (st == ST_OK) st = file_write(file, 0, zeros, sizeof zeros, f);
    for (unsigned slot = 0; slot < 2 && st == ST_OK; slot++) {
        struct checkpoint c = {.seq = slot, .epoch = 1, .pages = 2};

        meta_encode(&c, file_id, meta);
        st = file_write(file, (uint64_t)slot * OLTP_PAGE_SIZE, meta, META_SIZE, f);
    }
    if (st == ST_OK) st = file_sync(file, f);
    file_close(file);
    if (st == ST_OK) st = io_rename(io, temporary, path, f);
    if (st == ST_OK) st = io_sync_dir(io, dir, f);
    return st;
}

/* ---- blobs ----------------------------------------------------------------------------------------- */

enum status blob_read(struct pager *p, uint32_t first, struct buf *out, uint32_t **pages,
                      size_t *count, struct fault *f)
{
    uint8_t *page = malloc(OLTP_PAGE_SIZE);
    uint32_t limit = atomic_load(&p->pages), at = first;
    size_t cap = pages != NULL ? *count : 0;
    enum status st = page == NULL ? ST_NOMEM : ST_OK;

    for (uint32_t seen = 0; st == ST_OK && at != 0; seen++) {
        if (seen > limit || at >= limit || at < 2) {
            st = fault_set(f, ST_CORRUPT, p->path, FAULT_NO_OFFSET,
                           "a chain of blob pages leaves the file or goes in circles");
            break;
        }
        st = file_read(p->file, (uint64_t)at * OLTP_PAGE_SIZE, page, OLTP_PAGE_SIZE, f);
        if (st == ST_OK) st = page_check(page, p->file_id, at, limit, p->path, f);
        if (st == ST_OK && page_kind(page) != PAGE_BLOB)
            st = fault_set(f, ST_CORRUPT, p->path, (uint64_t)at * OLTP_PAGE_SIZE,
                           "page %u is no blob page", at);
        if (st != ST_OK) break;
        buf_append(out, page + PAGE_HEADER_SIZE, page_used(page));
        if (pages != NULL) {
            if (*count == cap) {
                uint32_t *more = realloc(*pages, (cap = cap * 2 + 16) * sizeof *more);

                if (more == NULL)
                    st = ST_NOMEM;
                else
                    *pages = more;
            }
            if (st == ST_OK) (*pages)[(*count)++] = at;
        }
        at = page_link(page);
    }
    free(page);
    if (st == ST_OK && !buf_ok(out)) st = ST_NOMEM;
    return st == ST_NOMEM ? fault_set(f, ST_NOMEM, p->path, FAULT_NO_OFFSET,
                                      "no memory for a checkpoint's catalogue")
                          : st;
}

static enum status blob_write(struct pager *p, const struct buf *bytes, const uint32_t *pages,
                              size_t count, uint64_t epoch, lsn_t lsn, struct fault *f)
{
    uint8_t *page = malloc(OLTP_PAGE_SIZE);
    enum status st = ST_OK;

    if (page == NULL)
        return fault_set(f, ST_NOMEM, p->path, FAULT_NO_OFFSET, "no memory for a checkpoint");
    assert(bytes->size <= count * PAGE_BODY);
    for (size_t i = 0; st == ST_OK && i < count; i++) {
        size_t from = i * PAGE_BODY, n = bytes->size > from ? bytes->size - from : 0;

        if (n > PAGE_BODY) n = PAGE_BODY;
        memset(page, 0, OLTP_PAGE_SIZE);
        page_init(page, PAGE_BLOB, 0, pages[i], 0, epoch, NULL, 0);
        put_u32(page + PAGE_LINK, i + 1 < count ? pages[i + 1] : 0);
        put_u32(page + PAGE_USED, (uint32_t)n);
        if (n > 0) memcpy(page + PAGE_HEADER_SIZE, bytes->data + from, n);
        page_seal(page, p->file_id, lsn);
        st = file_write(p->file, (uint64_t)pages[i] * OLTP_PAGE_SIZE, page, OLTP_PAGE_SIZE, f);
    }
    free(page);
    return st;
}

/* ---- the space blob -------------------------------------------------------------------------------- */

static void checkpoint_put(struct buf *out, const struct checkpoint *c)
{
    buf_varint(out, c->seq);
    buf_varint(out, c->epoch);
    buf_varint(out, c->lsn);
    buf_varint(out, zigzag(c->wall_us));
    buf_varint(out, c->catalog_page);
    buf_varint(out, c->space_page);
    buf_varint(out, c->pages);
    buf_varint(out, c->last_txn);
}

static struct checkpoint checkpoint_get(struct reader *r)
{
    struct checkpoint c;

    c.seq = read_varint(r);
    c.epoch = read_varint(r);
    c.lsn = read_varint(r);
    c.wall_us = unzigzag(read_varint(r));
    c.catalog_page = (uint32_t)read_varint(r);
    c.space_page = (uint32_t)read_varint(r);
    c.pages = (uint32_t)read_varint(r);
    c.last_txn = read_varint(r);
    return c;
}

/* `kept`: epochs (ascending) whose pages must survive; other dead pages count as free. */
static void space_encode(struct oltp *db, const uint64_t *kept, size_t kept_count,
                         const struct checkpoint *retained, size_t retained_count, struct buf *out)
{
    struct space *s = &db->pager.space;
    uint32_t pages = atomic_load(&db->pager.pages);
    size_t bytes = (pages + 7) / 8, dead = 0;
    uint8_t *bitmap;

    buf_varint(out, pages);
    bitmap = buf_extend(out, bytes);
    if (bitmap == NULL) return;
    space_map(&db->pager, pages, bitmap);
    for (size_t i = 0; i < s->dead_count; i++) {
        if (epoch_seen(kept, kept_count, s->dead[i].birth, s->dead[i].death))
            dead++;
        else
            bitmap[s->dead[i].page / 8] &= (uint8_t) ~(1u << (s->dead[i].page % 8));
    }
    buf_varint(out, dead);
    for (size_t i = 0; i < s->dead_count; i++) {
        if (!epoch_seen(kept, kept_count, s->dead[i].birth, s->dead[i].death)) continue;
        buf_varint(out, s->dead[i].page);
        buf_varint(out, s->dead[i].birth);
        buf_varint(out, s->dead[i].death);
    }
    buf_varint(out, retained_count);
    for (size_t i = 0; i < retained_count; i++)
        checkpoint_put(out, &retained[i]);
}

static enum status space_decode(struct oltp *db, const struct buf *blob, uint32_t pages,
                                struct fault *f)
{
    struct reader r = reader_of(blob->data, blob->size);
    struct pager *p = &db->pager;
    const uint8_t *bitmap;
    uint64_t n;

    if (read_varint(&r) != pages || (bitmap = read_bytes(&r, (pages + 7) / 8)) == NULL)
        goto damaged;
    memcpy(p->space.used, bitmap, (pages + 7) / 8);
    p->space.used[0] |= 3; /* the meta pages */
    p->space.free = 0;
    for (uint32_t i = 0; i < pages; i++)
        p->space.free += !(p->space.used[i / 64] >> (i % 64) & 1);
    n = read_varint(&r);
    if (r.bad || n > pages) goto damaged;
    if (space_reserve_dead(p, (size_t)n, f) != ST_OK) return ST_NOMEM;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t page = read_varint(&r), birth = read_varint(&r), death = read_varint(&r);

        if (r.bad || page < 2 || page >= pages || birth >= death ||
            !(p->space.used[page / 64] >> (page % 64) & 1))
            goto damaged;
        p->space.dead[p->space.dead_count++] = (struct dead){(uint32_t)page, birth, death};
    }
    n = read_varint(&r);
    if (r.bad || n > RETAINED_MAX) goto damaged;
    for (uint64_t i = 0; i < n; i++)
        db->retained[i] = checkpoint_get(&r);
    if (r.bad || reader_left(&r) != 0) goto damaged;
    db->retained_count = (size_t)n;
    return ST_OK;
damaged:
    return fault_set(f, ST_CORRUPT, p->path, FAULT_NO_OFFSET, "the map of free space is damaged");
}

enum status space_load(struct oltp *db, const struct checkpoint *c, struct fault *f)
{
    struct buf blob = {0};
    enum status st = space_grow(&db->pager, c->pages, f);

    if (st != ST_OK) return st;
    db->pager.space.used[0] |= 3;
    db->pager.space.free = c->pages - 2;
    db->pager.space.dead_count = 0;
    db->retained_count = db->blob_count = 0;
    if (c->space_page == 0) return ST_OK;
    free(db->blob_pages);
    db->blob_pages = NULL;
    st = blob_read(&db->pager, c->space_page, &blob, &db->blob_pages, &db->blob_count, f);
    if (st == ST_OK) st = space_decode(db, &blob, c->pages, f);
    buf_free(&blob);
    return st;
}

/* ---- making one ------------------------------------------------------------------------------------ */

struct making {
    struct checkpoint next;
    struct checkpoint retained[RETAINED_MAX];
    size_t retained_count;
    struct buf catalog, space;
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
        const struct checkpoint *c = i < db->retained_count ? &db->retained[i] : &db->newest;
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

static enum status encode_space(struct oltp *db, struct making *m)
{
    uint64_t kept[RETAINED_MAX + OLTP_PINS_MAX + 1];
    size_t n = 0;

    /* All that are on the list until this one is published, also those it gives up: a reader may still open and
     * pin one while the pages are written. What only they need is let go by the checkpoint after. */
    for (size_t i = 0; i < db->retained_count; i++)
        kept[n++] = db->retained[i].epoch;
    for (size_t i = 0; i < db->pinned_count; i++)
        kept[n++] = db->pinned[i];
    kept[n++] = db->newest.epoch; /* another process may just be opening it */
    qsort(kept, n, sizeof *kept, compare_epochs);
    buf_clear(&m->space);
    space_encode(db, kept, n, m->retained, m->retained_count, &m->space);
    return buf_ok(&m->space) && buf_ok(&m->catalog) ? ST_OK : ST_NOMEM;
}

/* Page numbers for both blobs. Taking them changes the map, whose size may then need one more. */
static enum status blob_places(struct oltp *db, struct making *m, struct fault *f)
{
    size_t need;
    enum status st;

    do {
        st = encode_space(db, m);
        m->catalog_pages = (m->catalog.size + PAGE_BODY - 1) / PAGE_BODY;
        need = m->catalog_pages + (m->space.size + PAGE_BODY - 1) / PAGE_BODY;
        if (st == ST_OK && m->blob_count < need) {
            uint32_t *more = realloc(m->blob, need * sizeof *more);

            if (more == NULL)
                st = ST_NOMEM;
            else
                m->blob = more;
        }
        if (st == ST_NOMEM)
            return fault_set(f, ST_NOMEM, db->dir, FAULT_NO_OFFSET, "no memory for a checkpoint");
        if (m->blob_count == need) break;
        while (st == ST_OK && m->blob_count < need) {
            st = space_take(&db->pager, &m->blob[m->blob_count], f);
            if (st == ST_OK) m->blob_count++;
        }
        while (m->blob_count > need)
            space_give(&db->pager, m->blob[--m->blob_count]);
    } while (st == ST_OK);
    return st;
}

/* Writer latch held: everything that depends on the state being still. */
static enum status making_begin(struct oltp *db, struct making *m, struct fault *f)
{
    const struct version *v = atomic_load(&db->current);
    enum status st;

    m->next = (struct checkpoint){.seq = db->newest.seq + 1,
                                  .epoch = atomic_load(&v->epoch),
                                  .lsn = v->lsn,
                                  .wall_us = v->wall_us,
                                  .last_txn = db->last_txn};
    pins_refresh(db);
    retention(db, m);
    catalog_encode(v->catalog, v->trees, &m->catalog);
    st = space_reserve_dead(&db->pager, db->blob_count, f);
    /* The pages of the last checkpoint's blobs die with it; say so in the map, take it back after. */
    for (size_t i = 0; st == ST_OK && i < db->blob_count; i++)
        space_kill(&db->pager, db->blob_pages[i], db->newest.epoch, m->next.epoch);
    if (st != ST_OK) return st;
    st = blob_places(db, m, f);
    if (st == ST_OK)
        st = pager_dirty_pages(&db->pager, m->next.epoch, &m->dirty, &m->dirty_count, f);
    if (st != ST_OK) {
        db->pager.space.dead_count -= db->blob_count;
        return st;
    }
    m->next.pages = atomic_load(&db->pager.pages);
    m->next.catalog_page = m->blob[0];
    m->next.space_page = m->blob[m->catalog_pages];
    db->in_progress = m->next.epoch;
    return ST_OK;
}

/* The next `count` of its pages. The log is synced first: see above. */
static enum status making_write(struct oltp *db, struct making *m, size_t count, struct fault *f)
{
    enum status st = m->written == 0 ? oltp_wait(db, m->next.lsn, f) : ST_OK;

    if (count > m->dirty_count - m->written) count = m->dirty_count - m->written;
    if (st == ST_OK) st = pager_write_pages(&db->pager, m->dirty + m->written, count, f);
    if (st == ST_OK) m->written += count;
    return st;
}

/* What makes it the newest: blobs, sync, meta page, sync. A state without a page of its own (events only) meets
 * the log's sync here for the first time. */
static enum status making_publish(struct oltp *db, const struct making *m, struct fault *f)
{
    struct pager *p = &db->pager;
    uint8_t meta[META_SIZE];
    enum status st = oltp_wait(db, m->next.lsn, f);

    if (st == ST_OK)
        st = blob_write(p, &m->catalog, m->blob, m->catalog_pages, m->next.epoch, m->next.lsn, f);
    if (st == ST_OK)
        st = blob_write(p, &m->space, m->blob + m->catalog_pages, m->blob_count - m->catalog_pages,
                        m->next.epoch, m->next.lsn, f);
    if (st == ST_OK && (st = file_datasync(p->file, f)) != ST_OK) db_poison(db, st, f);
    if (st != ST_OK) return st;
    meta_encode(&m->next, p->file_id, meta);
    st = file_write(p->file, (m->next.seq % 2) * OLTP_PAGE_SIZE, meta, META_SIZE, f);
    if (st == ST_OK) st = file_datasync(p->file, f);
    /* Whether the new meta page is on the disk is not known any more: only reopening tells. */
    if (st != ST_OK) db_poison(db, st, f);
    return st;
}

static void making_free(struct making *m)
{
    buf_free(&m->catalog);
    buf_free(&m->space);
    free(m->blob);
    free(m->dirty);
    free(m);
}

/* The dead list may have grown behind our entries meanwhile: take them out by what they are. */
static void blobs_revive(struct oltp *db)
{
    struct space *s = &db->pager.space;

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
        pins_refresh(db);
    } else {
        while (m->blob_count > 0)
            space_give(&db->pager, m->blob[--m->blob_count]);
        blobs_revive(db);
    }
    dead_release(db);
}

static enum status say_in_log(struct oltp *db, const struct making *m, struct fault *f)
{
    struct buf payload = {0};
    struct change_checkpoint c = {
        .lsn = m->next.lsn, .wall_us = clock_wall_us(db->clock), .pages = m->dirty_count};
    struct io_slice part;
    struct wal_span at;
    enum status st = ST_NOMEM;

    change_put_checkpoint(&payload, &c);
    part = (struct io_slice){payload.data, payload.size};
    if (buf_ok(&payload)) st = wal_append(db->wal, CHANGE_CHECKPOINT, &part, 1, &at, f);
    buf_free(&payload);
    return st;
}

/* A new version of the same state, so that a checkpoint of it differs from the last. Latch held. */
static enum status next_epoch(struct oltp *db, struct fault *f)
{
    enum status st = txn_prepare_write(db, f);

    return st == ST_OK ? txn_install(&db->txn, db->txn.version->lsn, db->txn.version->wall_us, f)
                       : st;
}

static void held(struct oltp *db, uint64_t since)
{
    pthread_mutex_lock(&db->stats_latch);
    histogram_add(&db->stall_ns, clock_mono_ns(db->clock) - since);
    pthread_mutex_unlock(&db->stats_latch);
}

/* Sets db->making; leaves it NULL when the newest checkpoint has everything. checkpoint_latch held, as in
 * all that follows. */
static enum status checkpoint_begin(struct oltp *db, bool force, struct fault *f)
{
    struct making *m = calloc(1, sizeof *m);
    uint64_t began = clock_mono_ns(db->clock);
    enum status st;
    bool same;

    if (m == NULL)
        return fault_set(f, ST_NOMEM, db->dir, FAULT_NO_OFFSET, "no memory for a checkpoint");
    pthread_mutex_lock(&db->writer_latch);
    st = db_poisoned(db, f);
    same = st == ST_OK && atomic_load(&atomic_load(&db->current)->epoch) == db->newest.epoch;
    if (same && force) st = next_epoch(db, f);
    if (st == ST_OK && (force || !same)) {
        st = making_begin(db, m, f);
        if (st == ST_OK)
            db->making = m;
        else
            while (m->blob_count > 0)
                space_give(&db->pager, m->blob[--m->blob_count]);
    }
    pthread_mutex_unlock(&db->writer_latch);
    held(db, began);
    if (db->making == NULL)
        making_free(m);
    else
        pager_order_pages(m->dirty, m->dirty_count);
    return st;
}

/* The newest, or as if it had never begun. */
static enum status checkpoint_end(struct oltp *db, enum status st, struct fault *f)
{
    struct making *m = db->making;

    if (st == ST_OK) st = making_publish(db, m, f);
    pthread_mutex_lock(&db->writer_latch);
    making_end(db, m, st == ST_OK);
    pthread_mutex_unlock(&db->writer_latch);
    if (st == ST_OK) st = say_in_log(db, m, f);
    if (st == ST_OK)
        st = wal_trim(db->wal, m->retained_count > 0 ? m->retained[0].lsn : m->next.lsn, NULL, f);
    TRACE(db->trace, "oltp", "checkpoint", TI("seq", m->next.seq), TI("lsn", m->next.lsn),
          TI("pages", m->dirty_count), TI("status", st));
    making_free(m);
    db->making = NULL;
    return st;
}

enum status checkpoint_finish(struct oltp *db, struct fault *f)
{
    struct fault own = {0};
    enum status st;

    if (db->making == NULL) return ST_OK;
    st = making_write(db, db->making, SIZE_MAX, &own);
    st = checkpoint_end(db, st, &own);
    if (st != ST_OK && f != NULL && f->status == ST_OK) *f = own;
    return st;
}

void checkpoint_drop(struct oltp *db)
{
    if (db->making != NULL) making_free(db->making);
    db->making = NULL;
}

enum status checkpoint_now(struct oltp *db, bool force, struct fault *f)
{
    enum status st = checkpoint_finish(db, f);

    if (st == ST_OK) st = checkpoint_begin(db, force, f);
    return st == ST_OK ? checkpoint_finish(db, f) : st;
}

/* One commit's share of the checkpoint in progress: its pages are written while the next quarter of the
 * distance is logged, in pieces of PACE_PAGES or a quarter of them; the end waits an eighth longer for the disk, which
 * was asked to begin with each piece. */
static enum status checkpoint_share(struct oltp *db, lsn_t lsn, struct fault *f)
{
    struct making *m = db->making;
    uint64_t window = db->o.checkpoint_log_bytes / 4 + 1, logged = lsn - m->next.lsn;
    double share = logged < window ? (double)logged / (double)window : 1.0;
    size_t target = (size_t)(share * (double)m->dirty_count);
    size_t due = target > m->written ? target - m->written : 0; /* commits arrive out of order */
    bool all = m->written == m->dirty_count;
    uint64_t began;
    enum status st = ST_OK;

    if (all ? logged < window + window / 8
            : logged < window && due < PACE_PAGES && (due == 0 || due < m->dirty_count / 4))
        return ST_OK; /* later */
    began = clock_mono_ns(db->clock);
    if (!all) st = making_write(db, m, due, f);
    if (all || st != ST_OK) st = checkpoint_end(db, st, f);
    held(db, began);
    return st;
}

void checkpoint_pace(struct oltp *db, lsn_t lsn)
{
    uint64_t distance = db->o.checkpoint_log_bytes;
    struct fault f = {0};
    enum status st = ST_OK;

    if (distance == UINT64_MAX ||
        lsn < atomic_load_explicit(&db->checkpoint_lsn, memory_order_relaxed) + distance)
        return;
    if (pthread_mutex_trylock(&db->checkpoint_latch) != 0) return; /* someone is at it */
    if (db->making == NULL) st = checkpoint_begin(db, false, &f);
    if (st == ST_OK && db->making != NULL && lsn > db->making->next.lsn)
        st = checkpoint_share(db, lsn, &f);
    if (st != ST_OK) TRACE(db->trace, "oltp", "checkpoint_failed", TS("why", f.why));
    pthread_mutex_unlock(&db->checkpoint_latch);
}

enum status oltp_checkpoint(struct oltp *db, struct fault *f)
{
    enum status st;

    if (db->read_only)
        return fault_set(f, ST_UNSUPPORTED, db->dir, FAULT_NO_OFFSET,
                         "this database was opened read-only");
    pthread_mutex_lock(&db->checkpoint_latch);
    st = checkpoint_now(db, false, f);
    pthread_mutex_unlock(&db->checkpoint_latch);
    return st;
}
