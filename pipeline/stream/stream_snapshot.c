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

static enum status snapshot_path(char out[PATH_MAX_BYTES], const char *dir, struct fault *f)
{
    return path_join(out, dir, "snapshot", f);
}

enum status stream_snapshot_store(struct io *io, const char *dir, const struct stream_snapshot *s,
                                  struct fault *f)
{
    uint8_t b[SNAPSHOT_SIZE] = {0};
    char path[PATH_MAX_BYTES];
    enum status st = snapshot_path(path, dir, f);

    if (st != ST_OK) return st;
    memcpy(b, snapshot_magic, 8);
    put_u32(b + 8, 1);
    put_u64(b + 16, s->offset);
    put_u64(b + 24, s->lsn);
    put_u64(b + 32, s->previous);
    put_u64(b + 40, s->rows);
    put_u64(b + 48, (uint64_t)s->wall_us);
    put_u64(b + 56, s->begins);
    put_u64(b + 64, s->ends);
    put_u32(b + SNAPSHOT_CRC, crc32c(0, b, SNAPSHOT_CRC));
    return io_write_atomic(io, path, b, sizeof b, f);
}

enum status stream_snapshot_last(struct io *io, const char *dir, struct stream_snapshot *out,
                                 struct fault *f)
{
    struct buf b = {0};
    char path[PATH_MAX_BYTES];
    enum status st = snapshot_path(path, dir, f);

    *out = (struct stream_snapshot){0};
    if (st == ST_OK && !io_exists(io, path))
        return fault_set(f, ST_NOT_FOUND, path, FAULT_NO_OFFSET, "no snapshot was ever written");
    if (st == ST_OK) st = io_read_all(io, path, 4096, &b, f);
    if (st == ST_OK && (b.size != SNAPSHOT_SIZE || memcmp(b.data, snapshot_magic, 8) != 0 ||
                        get_u32(b.data + 8) != 1 || get_u32(b.data + 12) != 0))
        st = fault_set(f, ST_CORRUPT, path, 0, "not the place of a snapshot, of this version");
    if (st == ST_OK && get_u32(b.data + SNAPSHOT_CRC) != crc32c(0, b.data, SNAPSHOT_CRC))
        st = fault_set(f, ST_CORRUPT, path, SNAPSHOT_CRC, "its checksum is wrong");
    if (st == ST_OK)
        *out = (struct stream_snapshot){.offset = get_u64(b.data + 16),
                                        .lsn = get_u64(b.data + 24),
                                        .previous = get_u64(b.data + 32),
                                        .rows = get_u64(b.data + 40),
                                        .wall_us = (int64_t)get_u64(b.data + 48),
                                        .begins = get_u64(b.data + 56),
                                        .ends = get_u64(b.data + 64)};
    buf_free(&b);
    return st;
}
