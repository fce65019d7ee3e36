#include "wal/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static uint32_t log2_of(uint64_t n)
{
    return (uint32_t)__builtin_ctzll(n);
}

enum seam_status wal_meta_store(struct seam_io *io, const char *dir, const struct wal_log_meta *m,
                                struct seam_fault *f)
{
    uint8_t b[WAL_META_SIZE] = {0};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = seam_path_join(path, dir, "log.meta", f);

    if (st != SEAM_OK) return st;
    memcpy(b, WAL_META_MAGIC, 8);
    seam_put_u32(b + 8, 1);
    seam_put_u32(b + 12, log2_of(m->segment_bytes));
    seam_put_u64(b + 16, m->log_id);
    seam_put_u64(b + 24, m->oldest_segment);
    seam_put_u32(b + 36, seam_crc32c(0, b, 36));
    return seam_io_write_atomic(io, path, b, sizeof b, f);
}

enum seam_status wal_meta_load(struct seam_io *io, const char *dir, struct wal_log_meta *m,
                               struct seam_fault *f)
{
    struct seam_buf b = {0};
    char path[SEAM_PATH_MAX_BYTES];
    uint32_t bits;
    enum seam_status st = seam_path_join(path, dir, "log.meta", f);

    if (st != SEAM_OK) return st;
    if (!seam_io_exists(io, path))
        return seam_fault_set(f, SEAM_NOT_FOUND, dir, SEAM_FAULT_NO_OFFSET, "there is no log here");
    st = seam_io_read_all(io, path, 4096, &b, f);
    if (st != SEAM_OK) goto done;
    if (b.size != WAL_META_SIZE || memcmp(b.data, WAL_META_MAGIC, 8) != 0) {
        st = seam_fault_set(f, SEAM_CORRUPT, path, 0, "not the description of a log");
        goto done;
    }
    if (seam_get_u32(b.data + 36) != seam_crc32c(0, b.data, 36)) {
        st =
            seam_fault_set(f, SEAM_CORRUPT, path, 36, "checksum of the log's description is wrong");
        goto done;
    }
    bits = seam_get_u32(b.data + 12);
    if (seam_get_u32(b.data + 8) != 1 || bits < log2_of(WAL_SEGMENT_MIN) ||
        bits > log2_of(WAL_SEGMENT_MAX) || seam_get_u64(b.data + 24) >= UINT64_MAX >> (bits + 1)) {
        st = seam_fault_set(f, SEAM_CORRUPT, path, 8, "a log of an unknown version or shape");
        goto done;
    }
    m->segment_bytes = 1ull << bits;
    m->log_id = seam_get_u64(b.data + 16);
    m->oldest_segment = seam_get_u64(b.data + 24);
done:
    seam_buf_free(&b);
    return st;
}

enum seam_status wal_segment_path(char out[SEAM_PATH_MAX_BYTES], const char *dir, uint64_t number,
                                  struct seam_fault *f)
{
    char name[32];

    (void)snprintf(name, sizeof name, "%016" PRIx64 ".seg", number);
    return seam_path_join(out, dir, name, f);
}

bool wal_segment_name_parse(const char *name, uint64_t *number)
{
    uint64_t v = 0;

    for (int i = 0; i < 16; i++) {
        char c = name[i];

        if (c >= '0' && c <= '9')
            v = v << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *number = v;
    return strcmp(name + 16, ".seg") == 0;
}

void wal_segment_header_put(uint8_t h[WAL_SEGMENT_HEADER], const struct wal_log_meta *m,
                            uint64_t number, int64_t wall_us)
{
    memset(h, 0, WAL_SEGMENT_HEADER);
    memcpy(h, WAL_SEGMENT_MAGIC, 8);
    seam_put_u32(h + 8, 1);
    seam_put_u32(h + 12, log2_of(m->segment_bytes));
    seam_put_u64(h + 16, m->log_id);
    seam_put_u64(h + 24, number);
    seam_put_u64(h + 32, number * m->segment_bytes);
    seam_put_u64(h + 40, (uint64_t)wall_us);
    seam_put_u32(h + 60, seam_crc32c(0, h, 60));
}

enum seam_status wal_segment_header_check(const uint8_t h[WAL_SEGMENT_HEADER],
                                          const struct wal_log_meta *m, uint64_t number)
{
    static const uint8_t zeros[WAL_SEGMENT_HEADER];

    if (memcmp(h, zeros, WAL_SEGMENT_HEADER) == 0) return SEAM_NOT_FOUND;
    if (memcmp(h, WAL_SEGMENT_MAGIC, 8) != 0 || seam_get_u32(h + 60) != seam_crc32c(0, h, 60))
        return SEAM_CORRUPT;
    if (seam_get_u32(h + 8) != 1 || seam_get_u32(h + 12) != log2_of(m->segment_bytes))
        return SEAM_CORRUPT;
    if (seam_get_u64(h + 16) != m->log_id) return SEAM_CORRUPT;
    if (seam_get_u64(h + 24) != number) return SEAM_NOT_FOUND;
    return seam_get_u64(h + 32) == number * m->segment_bytes ? SEAM_OK : SEAM_CORRUPT;
}

enum seam_status wal_segment_list(struct seam_io *io, const char *dir, struct wal_segment_list *out,
                                  struct seam_fault *f)
{
    struct seam_io_list names = {0};
    enum seam_status st = seam_io_list(io, dir, &names, f);

    *out = (struct wal_segment_list){0};
    if (st != SEAM_OK) return st;
    out->numbers = malloc((names.count + 1) * sizeof *out->numbers);
    if (out->numbers == NULL)
        st = seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET,
                            "no memory for the list of segments");
    /* Fixed-width hex names: the folder's byte order is the numbers' order. */
    for (size_t i = 0; st == SEAM_OK && i < names.count; i++) {
        if (wal_segment_name_parse(names.names[i], &out->numbers[out->count])) out->count++;
    }
    seam_io_list_free(&names);
    return st;
}

enum seam_status wal_end_bound(struct seam_io *io, const char *dir, seam_lsn_t *out,
                               struct seam_fault *f)
{
    struct wal_segment_list l = {0};
    struct wal_log_meta m;
    uint64_t bytes;
    enum seam_status st;

    *out = 0;
    if (!seam_io_exists(io, dir)) return SEAM_OK;
    st = wal_segment_list(io, dir, &l, f);
    bytes = wal_meta_load(io, dir, &m, NULL) == SEAM_OK ? m.segment_bytes : WAL_SEGMENT_MAX;
    if (st == SEAM_OK && l.count > 0) *out = (l.numbers[l.count - 1] + 1) * bytes;
    free(l.numbers);
    return st;
}
