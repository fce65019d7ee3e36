/* relay_reset - a stream is thrown away, and the next one gives no offset again.
 *
 * Stores know events by their offsets (bronze's contract, the dead letters), so a new stream begins
 * where no stream of this platform has been. That is kept beside the stream:
 *
 *   DIR/stream.first
 *   0          8     12    16             24    28
 *   +----------+-----+-----+--------------+-----+
 *   | SEAMFRST |  1  |  0  | first offset | crc |    crc: crc32c of the 24 bytes before it
 *   +----------+-----+-----+--------------+-----+
 *
 * It is written before the old stream goes, so a reset that is killed anywhere, or a bootstrap that
 * is killed after it, is run again without harm. */
#include "engine/base/crc32c.h"
#include "pipeline/relay/relay_internal.h"

enum { FIRST_SIZE = 28, FIRST_CRC = 24 };
static const char first_magic[] = "SEAMFRST";

static enum seam_status first_load(const struct platform *p, uint64_t *out, struct seam_fault *f)
{
    struct seam_buf b = {0};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_path(p, "stream.first", path, f);

    *out = 0;
    if (st != SEAM_OK || !seam_io_exists(p->io, path)) return st;
    st = seam_io_read_all(p->io, path, 4096, &b, f);
    if (st == SEAM_OK && (b.size != FIRST_SIZE || memcmp(b.data, first_magic, 8) != 0 ||
                          seam_get_u32(b.data + 8) != 1 || seam_get_u32(b.data + 12) != 0))
        st = seam_fault_set(f, SEAM_CORRUPT, path, 0,
                            "not a stream's first offset, of this version");
    if (st == SEAM_OK && seam_get_u32(b.data + FIRST_CRC) != seam_crc32c(0, b.data, FIRST_CRC))
        st = seam_fault_set(
            f, SEAM_CORRUPT, path, FIRST_CRC,
            "its checksum is wrong: restore the file from a copy, since a stream begun "
            "without it may give offsets again");
    if (st == SEAM_OK) *out = seam_get_u64(b.data + 16);
    seam_buf_free(&b);
    return st;
}

static enum seam_status first_store(const struct platform *p, uint64_t offset, struct seam_fault *f)
{
    uint8_t b[FIRST_SIZE] = {0};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_path(p, "stream.first", path, f);

    if (st != SEAM_OK) return st;
    memcpy(b, first_magic, 8);
    seam_put_u32(b + 8, 1);
    seam_put_u64(b + 16, offset);
    seam_put_u32(b + FIRST_CRC, seam_crc32c(0, b, FIRST_CRC));
    return seam_io_write_atomic(p->io, path, b, sizeof b, f);
}

/* A log that was trimmed may have fed a stream that was removed by hand: its events are fewer than
 * the log's bytes. */
enum seam_status relay_first_offset(const struct platform *p, uint64_t *out, struct seam_fault *f)
{
    struct wal_state state;
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st = first_load(p, out, f);

    if (st == SEAM_OK) st = platform_path(p, "wal", dir, f);
    if (st == SEAM_OK) st = wal_state(p->io, dir, &state, f);
    if (st == SEAM_OK && state.oldest >= state.segment_bytes && state.durable > *out)
        *out = state.durable;
    return st;
}

/* What the old stream cannot have reached. An event takes more than a byte: so many offsets may lie in
 * what is behind its last whole record (opening it cut that off), or, when it cannot be read (w is
 * NULL), in all of it. `end`: of its segments, before it was opened. */
static enum seam_status pass_old_stream(const struct platform *p, const char *stream_dir,
                                        const struct stream_writer *w,
                                        const struct stream_tail *tail, seam_lsn_t end,
                                        uint64_t *first, struct seam_fault *f)
{
    struct wal_state state;
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st;

    if (w != NULL) {
        st = wal_state(p->io, stream_dir, &state, f);
        if (st != SEAM_OK) return st;
        if (tail->next_offset > *first) *first = tail->next_offset;
        if (end > state.written) *first += end - state.written;
        return SEAM_OK;
    }
    st = platform_path(p, "wal", dir, f);
    if (st == SEAM_OK) st = wal_state(p->io, dir, &state, f);
    if (st != SEAM_OK) return st;
    if (state.durable > *first) *first = state.durable; /* one made before stream.first was kept */
    *first += end;
    return SEAM_OK;
}

enum seam_status relay_reset(const struct platform *p, struct seam_fault *f)
{
    char wal_dir[SEAM_PATH_MAX_BYTES], stream_dir[SEAM_PATH_MAX_BYTES];
    struct stream_writer_options so = {.clock = p->clock, .log_id = p->log_id};
    struct stream_writer *w = NULL;
    struct stream_tail tail;
    struct seam_fault why = {0};
    bool there;
    uint64_t first = 0;
    seam_lsn_t end = 0;
    enum seam_status st = seam_path_join(wal_dir, p->dir, "wal", f), opened;

    if (st == SEAM_OK) st = seam_path_join(stream_dir, p->dir, "stream", f);
    if (st == SEAM_OK) st = first_load(p, &first, f);
    if (st == SEAM_OK) st = wal_end_bound(p->io, stream_dir, &end, f);
    if (st != SEAM_OK) return st;
    /* Opening it proves that no relay is at work; a damaged stream is removed all the same. */
    opened = stream_writer_open(p->io, stream_dir, &so, &w, &tail, &why);
    if (opened == SEAM_CONFLICT)
        return seam_fault_set(f, opened, stream_dir, SEAM_FAULT_NO_OFFSET,
                              "a relay is at work; stop it first");
    if (opened == SEAM_IO || opened == SEAM_NOMEM) { /* nothing was learned of the stream */
        seam_fault_give(f, &why);
        return opened;
    }
    st = pass_old_stream(p, stream_dir, opened == SEAM_OK ? w : NULL, &tail, end, &first, f);
    (void)stream_writer_close(w, NULL);
    if (st == SEAM_OK) st = first_store(p, first, f);
    if (st == SEAM_OK) st = seam_io_remove_tree(p->io, stream_dir, f);
    if (st != SEAM_OK) return st;
    return seam_fault_there(wal_slot_drop(p->io, wal_dir, "relay", f), &there, f);
}
