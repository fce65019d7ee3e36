/* meta - the two pages that say which checkpoint is the newest.
 *
 *   meta page (0 or 1, by turns; 512 bytes that matter, one sector)
 *   0           64    72      80       88        96       104        112        120     124     508
 *   +-----------+-----+-------+--------+---------+--------+----------+----------+-------+-------+-----+
 *   | file head | seq | epoch | wall us| last txn| log id |catalogue | space map| pages | zeros | crc |
 *   +-----------+-----+-------+--------+---------+--------+----------+----------+-------+-------+-----+
 *   file head (engine/io/filehead.h): magic SEAMOLTP, version 2, platform, file id, history, LSN of the checkpoint,
 *   extra = bytes of a page. catalogue, space map: u32 first blob page, u32 crc32c of the blob's bytes, so that a blob
 *   of another checkpoint is not taken for this one's. seq % 2 = the page it is in; crc32c of [0,508). The valid one
 *   with the higher seq counts. When the newest is damaged the other is taken: the log still reaches back to it, or
 *   opening fails.
 *
 * log id, history and before (crc of the log's record that ends at the checkpoint's LSN) name the log that the pages were
 * made from: another log in its place is refused, and an LSN of another history is not one of this (docs/decisions/histories.md). */
#include "oltp/db.h"

#include "engine/base/crc32c.h"

enum {
    META_AT_SEQ = SEAM_FILEHEAD_BYTES,
    META_AT_EPOCH = 72,
    META_AT_WALL = 80,
    META_AT_TXN = 88,
    META_AT_LOG_ID = 96,
    META_AT_CATALOG = 104,
    META_AT_SPACE = 112,
    META_AT_PAGES = 120,
    META_AT_BEFORE = 124,
    META_AT_CRC = META_SIZE - 4,
};
static const struct seam_filehead_format format = {.magic = "SEAMOLTP",
                                                   .version = 2,
                                                   .name = "a row store's pages",
                                                   .way_out = "`seam upgrade` converts version 1"};

static void blob_put(uint8_t *at, struct oltp_blob b)
{
    seam_put_u32(at, b.page);
    seam_put_u32(at + 4, b.crc);
}

static struct oltp_blob blob_get(const uint8_t *at)
{
    return (struct oltp_blob){seam_get_u32(at), seam_get_u32(at + 4)};
}

void oltp_meta_encode(const struct oltp_checkpoint *c, const struct oltp_identity *id,
                      uint8_t out[META_SIZE])
{
    struct seam_filehead head = {
        .owner = id->owner, .file_id = id->file_id, .lsn = c->lsn, .extra = OLTP_PAGE_SIZE};

    memset(out, 0, META_SIZE);
    seam_filehead_encode(&format, &head, out);
    seam_put_u64(out + META_AT_SEQ, c->seq);
    seam_put_u64(out + META_AT_EPOCH, c->epoch);
    seam_put_u64(out + META_AT_WALL, (uint64_t)c->wall_us);
    seam_put_u64(out + META_AT_TXN, c->last_txn);
    seam_put_u64(out + META_AT_LOG_ID, id->log_id);
    blob_put(out + META_AT_CATALOG, c->catalog);
    blob_put(out + META_AT_SPACE, c->space);
    seam_put_u32(out + META_AT_PAGES, c->pages);
    seam_put_u32(out + META_AT_BEFORE, id->before);
    seam_put_u32(out + META_AT_CRC, seam_crc32c(0, out, META_AT_CRC));
}

enum seam_status oltp_meta_decode(const uint8_t in[META_SIZE], unsigned slot, const char *path,
                                  struct oltp_checkpoint *c, struct oltp_identity *id,
                                  struct seam_fault *f)
{
    uint64_t at = (uint64_t)slot * OLTP_PAGE_SIZE;

    struct seam_filehead head;
    enum seam_status st = seam_filehead_decode(&format, in, META_SIZE, path, at, &head, f);

    assert(slot < 2);
    if (st != SEAM_OK) return st;
    if (seam_get_u32(in + META_AT_CRC) != seam_crc32c(0, in, META_AT_CRC))
        return seam_fault_set(f, SEAM_CORRUPT, path, at, "the meta page's checksum is wrong");
    if (head.extra != OLTP_PAGE_SIZE)
        return seam_fault_set(f, SEAM_UNSUPPORTED, path, at,
                              "pages of %u bytes; this program reads %d", head.extra,
                              OLTP_PAGE_SIZE);
    *id = (struct oltp_identity){.owner = head.owner,
                                 .file_id = head.file_id,
                                 .log_id = seam_get_u64(in + META_AT_LOG_ID),
                                 .before = seam_get_u32(in + META_AT_BEFORE)};
    *c = (struct oltp_checkpoint){.seq = seam_get_u64(in + META_AT_SEQ),
                                  .epoch = seam_get_u64(in + META_AT_EPOCH),
                                  .lsn = head.lsn,
                                  .wall_us = (int64_t)seam_get_u64(in + META_AT_WALL),
                                  .last_txn = seam_get_u64(in + META_AT_TXN),
                                  .catalog = blob_get(in + META_AT_CATALOG),
                                  .space = blob_get(in + META_AT_SPACE),
                                  .pages = seam_get_u32(in + META_AT_PAGES)};
    if (c->seq % 2 != slot || c->pages < 2 || c->pages > PAGER_PAGES_MAX || c->epoch == 0)
        return seam_fault_set(f, SEAM_CORRUPT, path, at, "the meta page contradicts itself");
    return SEAM_OK;
}

enum seam_status oltp_meta_read(struct seam_file *file, struct oltp_checkpoint *newest,
                                struct oltp_identity *id, bool damaged[2], struct seam_fault *f)
{
    struct oltp_checkpoint c[2] = {{0}};
    struct oltp_identity ids[2];
    struct seam_fault why[2] = {{0}};
    enum seam_status st[2];
    int best;

    damaged[0] = damaged[1] = false; /* also when a page cannot be read at all */
    for (unsigned slot = 0; slot < 2; slot++) {
        uint8_t page[META_SIZE];

        st[slot] =
            seam_file_read(file, (uint64_t)slot * OLTP_PAGE_SIZE, page, META_SIZE, &why[slot]);
        if (st[slot] == SEAM_OK)
            st[slot] = oltp_meta_decode(page, slot, seam_file_path(file), &c[slot], &ids[slot],
                                        &why[slot]);
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
    if (!damaged[0] && !damaged[1] && ids[0].file_id != ids[1].file_id)
        return seam_fault_set(f, SEAM_CORRUPT, seam_file_path(file), 0,
                              "the meta pages are of two files");
    *newest = c[best];
    *id = ids[best];
    return SEAM_OK;
}

enum seam_status oltp_pages_create(struct seam_io *io, const char *dir, const char *path,
                                   const struct oltp_identity *id, struct seam_fault *f)
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

        oltp_meta_encode(&c, id, meta);
        st = seam_file_write(file, (uint64_t)slot * OLTP_PAGE_SIZE, meta, META_SIZE, f);
    }
    if (st == SEAM_OK) st = seam_file_sync(file, f);
    seam_file_close(file);
    if (st == SEAM_OK) st = seam_io_rename(io, temporary, path, f);
    if (st == SEAM_OK) st = seam_io_sync_dir(io, dir, f);
    return st;
}
