/* upgrade - a log of format 1 becomes one of format 2, in place: only its heads differ.
 *
 *   segment head 1   magic, u32 1, u32 log2 of segment bytes, log id, number, start, wall us, zeros, crc of [0,60)
 *   log.meta 1       magic, u32 1, u32 log2 of segment bytes, log id, oldest segment, zeros, crc of [0,36)
 *
 * Heads are written one after another, each into its own sector, log.meta last: a crash in between leaves a log that is still of
 * format 1 to everybody, and the next upgrade goes on. Records, and so LSNs, stay as they are. */
#include <stdlib.h>

#include "wal/internal.h"

enum { OLD_META_SIZE = 40, OLD_META_CRC = 36, OLD_HEAD_CRC = 60, OLD_NUMBER = 24 };

static bool shape_of(const uint8_t *b, struct wal_log_meta *m)
{
    uint32_t bits = seam_get_u32(b + 12);

    if (seam_get_u32(b + 8) != 1 || bits < (uint32_t)__builtin_ctz(WAL_SEGMENT_MIN) ||
        bits > (uint32_t)__builtin_ctz(WAL_SEGMENT_MAX))
        return false;
    *m = (struct wal_log_meta){.segment_bytes = 1ull << bits, .log_id = seam_get_u64(b + 16)};
    return true;
}

/* *format: 1 with its meta; 2: nothing to do. */
static enum seam_status old_meta(struct seam_io *io, const char *dir, struct wal_log_meta *m,
                                 unsigned *format, struct seam_fault *f)
{
    struct seam_buf b = {0};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = seam_path_join(path, dir, "log.meta", f);

    if (st == SEAM_OK) st = seam_io_read_all(io, path, 4096, &b, f);
    if (st == SEAM_OK && b.size == OLD_META_SIZE && memcmp(b.data, "SEAMLOGM", 8) == 0 &&
        seam_get_u32(b.data + OLD_META_CRC) == seam_crc32c(0, b.data, OLD_META_CRC) &&
        shape_of(b.data, m)) {
        m->oldest_segment = seam_get_u64(b.data + OLD_NUMBER);
        *format = 1;
    } else if (st == SEAM_OK) {
        st = wal_meta_load(io, dir, m, f);
        *format = 2;
    }
    seam_buf_free(&b);
    return st;
}

static enum seam_status upgrade_segment(struct seam_io *io, const char *dir, uint64_t name,
                                        const struct wal_log_meta *m, bool *done,
                                        struct seam_fault *f)
{
    uint8_t h[WAL_SEGMENT_HEADER] = {0};
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_file *file = NULL;
    struct wal_log_meta of;
    size_t got = 0;
    enum seam_status st = wal_segment_path(path, dir, name, f);

    if (st == SEAM_OK) st = seam_file_open(io, path, SEAM_FILE_WRITE, &file, f);
    if (st == SEAM_OK) st = seam_file_read_some(file, 0, h, sizeof h, &got, f);
    /* What is no whole head of format 1 (a spare, one done before, damage) is left as it is: recovery judges it. */
    *done = st == SEAM_OK && got == sizeof h && memcmp(h, "SEAMWAL1", 8) == 0 &&
            seam_get_u32(h + OLD_HEAD_CRC) == seam_crc32c(0, h, OLD_HEAD_CRC) && shape_of(h, &of) &&
            of.log_id == m->log_id && of.segment_bytes == m->segment_bytes;
    if (*done) {
        wal_segment_header_put(h, m, 0, seam_get_u64(h + OLD_NUMBER));
        st = seam_file_write(file, 0, h, sizeof h, f);
        if (st == SEAM_OK) st = seam_file_sync(file, f);
    }
    seam_file_close(file);
    return st;
}

/*   slot 1   magic, u32 1, u32 flags, log id, confirmed, epoch, holder, bound, updated, name 32, reason 160, crc of [0,256) */
enum { OLD_SLOT_SIZE = 260, OLD_SLOT_CRC = 256, OLD_SLOT_NAME = 64, OLD_SLOT_REASON = 96 };

/* What is no whole slot of format 1 is left as it is: it is listed as damaged. */
static enum seam_status upgrade_slot(struct seam_io *io, const char *dir, const char *name,
                                     uint64_t log_id, struct seam_fault *f)
{
    struct seam_buf b = {0};
    struct wal_slot_info s = {0};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = seam_path_join(path, dir, name, f);

    if (st == SEAM_OK) st = seam_io_read_all(io, path, 4096, &b, f);
    if (st == SEAM_OK && b.size == OLD_SLOT_SIZE && memcmp(b.data, "SEAMSLOT", 8) == 0 &&
        seam_get_u32(b.data + 8) == 1 && b.data[OLD_SLOT_REASON - 1] == 0 &&
        b.data[OLD_SLOT_CRC - 1] == 0 &&
        seam_get_u32(b.data + OLD_SLOT_CRC) == seam_crc32c(0, b.data, OLD_SLOT_CRC)) {
        s = (struct wal_slot_info){.confirmed = seam_get_u64(b.data + 24),
                                   .epoch = seam_get_u64(b.data + 32),
                                   .holder_pid = (int64_t)seam_get_u64(b.data + 40),
                                   .bound_bytes = seam_get_u64(b.data + 48),
                                   .updated_us = (int64_t)seam_get_u64(b.data + 56),
                                   .invalid = (seam_get_u32(b.data + 12) & 1) != 0};
        memcpy(s.name, b.data + OLD_SLOT_NAME, WAL_SLOT_NAME_MAX);
        memcpy(s.reason, b.data + OLD_SLOT_REASON, WAL_REASON_MAX);
        st = wal_slot_store(io, dir, log_id, &s, f);
    }
    seam_buf_free(&b);
    return st;
}

static enum seam_status upgrade_slots(struct seam_io *io, const char *dir, uint64_t log_id,
                                      struct seam_fault *f)
{
    struct seam_io_list names = {0};
    enum seam_status st = seam_io_list(io, dir, &names, f);

    for (size_t i = 0; st == SEAM_OK && i < names.count; i++) {
        size_t n = strlen(names.names[i]);

        if (n > 5 && strcmp(names.names[i] + n - 5, ".slot") == 0)
            st = upgrade_slot(io, dir, names.names[i], log_id, f);
    }
    seam_io_list_free(&names);
    return st;
}

enum seam_status wal_upgrade(struct seam_io *io, const char *dir, bool dry_run,
                             struct wal_upgraded *out, struct seam_fault *f)
{
    struct wal_segment_list list = {0};
    struct wal_log_meta m = {0};
    struct seam_file *lock = NULL;
    char shared[SEAM_PATH_MAX_BYTES];
    enum seam_status st = seam_writer_lock(io, dir, &lock, f);

    *out = (struct wal_upgraded){0};
    if (st == SEAM_OK) st = old_meta(io, dir, &m, &out->format, f);
    out->log_id = m.log_id;
    if (st == SEAM_OK && out->format == 1) st = wal_segment_list(io, dir, &list, f);
    for (size_t i = 0; st == SEAM_OK && i < list.count && !dry_run; i++) {
        bool done = false;

        st = upgrade_segment(io, dir, list.numbers[i], &m, &done, f);
        out->segments += done;
    }
    if (st == SEAM_OK && out->format == 1 && !dry_run) st = upgrade_slots(io, dir, m.log_id, f);
    if (st == SEAM_OK && out->format == 1 && !dry_run) {
        st = seam_path_join(shared, dir, "shared", f);
        if (st == SEAM_OK) st = seam_io_unlink_if_there(io, shared, f); /* of another program */
        if (st == SEAM_OK) st = wal_meta_store(io, dir, &m, f);
    }
    free(list.numbers);
    seam_file_close(lock);
    return st;
}
