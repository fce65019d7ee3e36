/* stream_snapshot - where the newest whole snapshot begins, in one small file.
 *
 *   DIR/snapshot
 *   0                    64       72    80         88     96        104      112    120
 *   +--------------------+--------+-----+----------+------+---------+--------+------+-----+
 *   | head (SEAMSNAP, 2) | offset | lsn | previous | rows | wall us | begins | ends | crc |
 *   +--------------------+--------+-----+----------+------+---------+--------+------+-----+
 *   head: engine/io/filehead.h; lsn: the snapshot's. crc: crc32c of [64,120). Written (atomically) after the snapshot's
 *   last event is durable, so what it points at is whole; retention may have let it go since.      */
#include "engine/base/crc32c.h"
#include "engine/io/filehead.h"
#include "pipeline/stream/stream_internal.h"

enum {
    AT_OFFSET = SEAM_FILEHEAD_BYTES,
    AT_LSN = 72,
    AT_PREVIOUS = 80,
    AT_ROWS = 88,
    AT_WALL = 96,
    AT_BEGINS = 104,
    AT_ENDS = 112,
    AT_CRC = 120,
    SNAPSHOT_SIZE = 124,
};
static const struct seam_filehead_format format = {.magic = "SEAMSNAP",
                                                   .version = 2,
                                                   .name = "the place of a snapshot",
                                                   .way_out = "`seam bootstrap` writes a new one"};

static enum seam_status snapshot_path(char out[SEAM_PATH_MAX_BYTES], const char *dir,
                                      struct seam_fault *f)
{
    return seam_path_join(out, dir, "snapshot", f);
}

enum seam_status stream_snapshot_store(struct seam_io *io, const char *dir,
                                       const struct stream_snapshot *s, struct seam_fault *f)
{
    uint8_t b[SNAPSHOT_SIZE] = {0};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = snapshot_path(path, dir, f);

    if (st != SEAM_OK) return st;
    seam_filehead_encode(&format, &(struct seam_filehead){.lsn = s->lsn}, b);
    seam_put_u64(b + AT_OFFSET, s->offset);
    seam_put_u64(b + AT_LSN, s->lsn);
    seam_put_u64(b + AT_PREVIOUS, s->previous);
    seam_put_u64(b + AT_ROWS, s->rows);
    seam_put_u64(b + AT_WALL, (uint64_t)s->wall_us);
    seam_put_u64(b + AT_BEGINS, s->begins);
    seam_put_u64(b + AT_ENDS, s->ends);
    seam_put_u32(b + AT_CRC, seam_crc32c(0, b + AT_OFFSET, AT_CRC - AT_OFFSET));
    return seam_io_write_atomic(io, path, b, sizeof b, f);
}

enum seam_status stream_snapshot_last(struct seam_io *io, const char *dir,
                                      struct stream_snapshot *out, struct seam_fault *f)
{
    struct seam_filehead h;
    struct seam_buf b = {0};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = snapshot_path(path, dir, f);

    *out = (struct stream_snapshot){0};
    if (st == SEAM_OK && !seam_io_exists(io, path))
        return seam_fault_set(f, SEAM_NOT_FOUND, path, SEAM_FAULT_NO_OFFSET,
                              "no snapshot was ever written");
    if (st == SEAM_OK) st = seam_io_read_all(io, path, 4096, &b, f);
    if (st == SEAM_OK) st = seam_filehead_decode(&format, b.data, b.size, path, 0, &h, f);
    if (st == SEAM_OK && b.size != SNAPSHOT_SIZE)
        st = seam_fault_set(f, SEAM_CORRUPT, path, b.size, "not %d bytes long", SNAPSHOT_SIZE);
    if (st == SEAM_OK &&
        seam_get_u32(b.data + AT_CRC) != seam_crc32c(0, b.data + AT_OFFSET, AT_CRC - AT_OFFSET))
        st = seam_fault_set(f, SEAM_CORRUPT, path, AT_CRC, "its checksum is wrong");
    if (st == SEAM_OK)
        *out = (struct stream_snapshot){.offset = seam_get_u64(b.data + AT_OFFSET),
                                        .lsn = seam_get_u64(b.data + AT_LSN),
                                        .previous = seam_get_u64(b.data + AT_PREVIOUS),
                                        .rows = seam_get_u64(b.data + AT_ROWS),
                                        .wall_us = (int64_t)seam_get_u64(b.data + AT_WALL),
                                        .begins = seam_get_u64(b.data + AT_BEGINS),
                                        .ends = seam_get_u64(b.data + AT_ENDS)};
    seam_buf_free(&b);
    return st;
}
