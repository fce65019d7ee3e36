/* stream_snapshot - where the newest whole snapshot begins, in one small file.
 *
 *   DIR/snapshot
 *   0          8     12    16       24    32         40     48        56       64     72    76
 *   +----------+-----+-----+--------+-----+----------+------+---------+--------+------+-----+
 *   | SEAMSNAP |  1  |  0  | offset | lsn | previous | rows | wall us | begins | ends | crc |
 *   +----------+-----+-----+--------+-----+----------+------+---------+--------+------+-----+
 *   crc: crc32c of the 72 bytes before it. Written (atomically) after the snapshot's last event is
 *   durable, so what it points at is whole; retention may have let it go since.                   */
#include "engine/base/crc32c.h"
#include "pipeline/stream/stream_internal.h"

enum { SNAPSHOT_SIZE = 76, SNAPSHOT_CRC = 72 };
static const char snapshot_magic[] = "SEAMSNAP";

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
    memcpy(b, snapshot_magic, 8);
    seam_put_u32(b + 8, 1);
    seam_put_u64(b + 16, s->offset);
    seam_put_u64(b + 24, s->lsn);
    seam_put_u64(b + 32, s->previous);
    seam_put_u64(b + 40, s->rows);
    seam_put_u64(b + 48, (uint64_t)s->wall_us);
    seam_put_u64(b + 56, s->begins);
    seam_put_u64(b + 64, s->ends);
    seam_put_u32(b + SNAPSHOT_CRC, seam_crc32c(0, b, SNAPSHOT_CRC));
    return seam_io_write_atomic(io, path, b, sizeof b, f);
}

enum seam_status stream_snapshot_last(struct seam_io *io, const char *dir,
                                      struct stream_snapshot *out, struct seam_fault *f)
{
    struct seam_buf b = {0};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = snapshot_path(path, dir, f);

    *out = (struct stream_snapshot){0};
    if (st == SEAM_OK && !seam_io_exists(io, path))
        return seam_fault_set(f, SEAM_NOT_FOUND, path, SEAM_FAULT_NO_OFFSET,
                              "no snapshot was ever written");
    if (st == SEAM_OK) st = seam_io_read_all(io, path, 4096, &b, f);
    if (st == SEAM_OK && (b.size != SNAPSHOT_SIZE || memcmp(b.data, snapshot_magic, 8) != 0 ||
                          seam_get_u32(b.data + 8) != 1 || seam_get_u32(b.data + 12) != 0))
        st = seam_fault_set(f, SEAM_CORRUPT, path, 0,
                            "not the place of a snapshot, of this version");
    if (st == SEAM_OK &&
        seam_get_u32(b.data + SNAPSHOT_CRC) != seam_crc32c(0, b.data, SNAPSHOT_CRC))
        st = seam_fault_set(f, SEAM_CORRUPT, path, SNAPSHOT_CRC, "its checksum is wrong");
    if (st == SEAM_OK)
        *out = (struct stream_snapshot){.offset = seam_get_u64(b.data + 16),
                                        .lsn = seam_get_u64(b.data + 24),
                                        .previous = seam_get_u64(b.data + 32),
                                        .rows = seam_get_u64(b.data + 40),
                                        .wall_us = (int64_t)seam_get_u64(b.data + 48),
                                        .begins = seam_get_u64(b.data + 56),
                                        .ends = seam_get_u64(b.data + 64)};
    seam_buf_free(&b);
    return st;
}
