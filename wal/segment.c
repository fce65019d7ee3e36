#include "wal/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static uint32_t log2_of(uint64_t n)
{
    return (uint32_t)__builtin_ctzll(n);
}

enum status meta_store(struct io *io, const char *dir, const struct log_meta *m, struct fault *f)
{
    uint8_t b[META_SIZE] = {0};
    char path[PATH_MAX_BYTES];
    enum status st = path_join(path, dir, "log.meta", f);

    if (st != ST_OK) return st;
    memcpy(b, META_MAGIC, 8);
    put_u32(b + 8, 1);
    put_u32(b + 12, log2_of(m->segment_bytes));
    put_u64(b + 16, m->log_id);
    put_u64(b + 24, m->oldest_segment);
    put_u32(b + 36, crc32c(0, b, 36));
    return io_write_atomic(io, path, b, sizeof b, f);
}

enum status meta_load(struct io *io, const char *dir, struct log_meta *m, struct fault *f)
{
    struct buf b = {0};
    char path[PATH_MAX_BYTES];
    uint32_t bits;
    enum status st = path_join(path, dir, "log.meta", f);

    if (st != ST_OK) return st;
    if (!io_exists(io, path))
        return fault_set(f, ST_NOT_FOUND, dir, FAULT_NO_OFFSET, "there is no log here");
    st = io_read_all(io, path, 4096, &b, f);
    if (st != ST_OK) goto done;
    if (b.size != META_SIZE || memcmp(b.data, META_MAGIC, 8) != 0) {
        st = fault_set(f, ST_CORRUPT, path, 0, "not the description of a log");
        goto done;
    }
    if (get_u32(b.data + 36) != crc32c(0, b.data, 36)) {
        st = fault_set(f, ST_CORRUPT, path, 36, "checksum of the log's description is wrong");
        goto done;
    }
    bits = get_u32(b.data + 12);
    if (get_u32(b.data + 8) != 1 || bits < log2_of(WAL_SEGMENT_MIN) ||
        bits > log2_of(WAL_SEGMENT_MAX) || get_u64(b.data + 24) >= UINT64_MAX >> (bits + 1)) {
        st = fault_set(f, ST_CORRUPT, path, 8, "a log of an unknown version or shape");
        goto done;
    }
    m->segment_bytes = 1ull << bits;
    m->log_id = get_u64(b.data + 16);
    m->oldest_segment = get_u64(b.data + 24);
done:
    buf_free(&b);
    return st;
}

enum status segment_path(char out[PATH_MAX_BYTES], const char *dir, uint64_t number,
                         struct fault *f)
{
    char name[32];

    (void)snprintf(name, sizeof name, "%016" PRIx64 ".seg", number);
    return path_join(out, dir, name, f);
}

bool segment_name_parse(const char *name, uint64_t *number)
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

void segment_header_put(uint8_t h[SEGMENT_HEADER], const struct log_meta *m, uint64_t number,
                        int64_t wall_us)
{
    memset(h, 0, SEGMENT_HEADER);
    memcpy(h, SEGMENT_MAGIC, 8);
    put_u32(h + 8, 1);
    put_u32(h + 12, log2_of(m->segment_bytes));
    put_u64(h + 16, m->log_id);
    put_u64(h + 24, number);
    put_u64(h + 32, number * m->segment_bytes);
    put_u64(h + 40, (uint64_t)wall_us);
    put_u32(h + 60, crc32c(0, h, 60));
}

enum status segment_header_check(const uint8_t h[SEGMENT_HEADER], const struct log_meta *m,
                                 uint64_t number)
{
    static const uint8_t zeros[SEGMENT_HEADER];

    if (memcmp(h, zeros, SEGMENT_HEADER) == 0) return ST_NOT_FOUND;
    if (memcmp(h, SEGMENT_MAGIC, 8) != 0 || get_u32(h + 60) != crc32c(0, h, 60)) return ST_CORRUPT;
    if (get_u32(h + 8) != 1 || get_u32(h + 12) != log2_of(m->segment_bytes)) return ST_CORRUPT;
    if (get_u64(h + 16) != m->log_id) return ST_CORRUPT;
    if (get_u64(h + 24) != number) return ST_NOT_FOUND;
    return get_u64(h + 32) == number * m->segment_bytes ? ST_OK : ST_CORRUPT;
}

enum status segment_list(struct io *io, const char *dir, struct segment_list *out, struct fault *f)
{
    struct io_list names = {0};
    enum status st = io_list(io, dir, &names, f);

    *out = (struct segment_list){0};
    if (st != ST_OK) return st;
    out->numbers = malloc((names.count + 1) * sizeof *out->numbers);
    if (out->numbers == NULL)
        st = fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory for the list of segments");
    /* Fixed-width hex names: the folder's byte order is the numbers' order. */
    for (size_t i = 0; st == ST_OK && i < names.count; i++) {
        if (segment_name_parse(names.names[i], &out->numbers[out->count])) out->count++;
    }
    io_list_free(&names);
    return st;
}

enum status wal_end_bound(struct io *io, const char *dir, lsn_t *out, struct fault *f)
{
    struct segment_list l = {0};
    struct log_meta m;
    uint64_t bytes;
    enum status st;

    *out = 0;
    if (!io_exists(io, dir)) return ST_OK;
    st = segment_list(io, dir, &l, f);
    bytes = meta_load(io, dir, &m, NULL) == ST_OK ? m.segment_bytes : WAL_SEGMENT_MAX;
    if (st == ST_OK && l.count > 0) *out = (l.numbers[l.count - 1] + 1) * bytes;
    free(l.numbers);
    return st;
}
