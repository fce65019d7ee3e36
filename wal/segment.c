#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/io/filehead.h"
#include "wal/internal.h"

static uint32_t log2_of(uint64_t n)
{
    return (uint32_t)__builtin_ctzll(n);
}

#define WAY_OUT "make the log's folder again from a copy, or convert it with seam upgrade"
static const struct seam_filehead_format meta_format = {
    .magic = "SEAMLOGM", .version = 2, .name = "the description of a log", .way_out = WAY_OUT};
static const struct seam_filehead_format segment_format = {
    .magic = "SEAMWAL1", .version = 2, .name = "a segment of a log", .way_out = WAY_OUT};

enum seam_status wal_meta_store(struct seam_io *io, const char *dir, const struct wal_log_meta *m,
                                struct seam_fault *f)
{
    struct seam_filehead head = {.owner.history = m->history,
                                 .file_id = m->log_id,
                                 .lsn = m->oldest_segment * m->segment_bytes,
                                 .extra = log2_of(m->segment_bytes)};
    uint8_t b[WAL_META_SIZE] = {0};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = seam_path_join(path, dir, "log.meta", f);

    if (st != SEAM_OK) return st;
    seam_filehead_encode(&meta_format, &head, b);
    seam_put_u64(b + WAL_META_DURABLE, m->durable);
    seam_put_u32(b + WAL_META_CRC,
                 seam_crc32c(0, b + WAL_META_DURABLE, WAL_META_CRC - WAL_META_DURABLE));
    return seam_io_write_atomic(io, path, b, sizeof b, f);
}

enum seam_status wal_meta_parse(const struct seam_buf *b, const char *path, struct wal_log_meta *m,
                                struct seam_fault *f)
{
    struct seam_filehead head;
    enum seam_status st = seam_filehead_decode(&meta_format, b->data, b->size, path, 0, &head, f);

    if (st != SEAM_OK) return st;
    if (b->size != WAL_META_SIZE ||
        seam_get_u32(b->data + WAL_META_CRC) !=
            seam_crc32c(0, b->data + WAL_META_DURABLE, WAL_META_CRC - WAL_META_DURABLE))
        return seam_fault_set(f, SEAM_CORRUPT, path, WAL_META_CRC,
                              "checksum of the log's description is wrong");
    if (head.extra < log2_of(WAL_SEGMENT_MIN) || head.extra > log2_of(WAL_SEGMENT_MAX) ||
        head.lsn % (1ull << head.extra) != 0 || head.lsn > INT64_MAX)
        return seam_fault_set(f, SEAM_CORRUPT, path, 48, "a log of an unknown shape");
    *m = (struct wal_log_meta){.log_id = head.file_id,
                               .segment_bytes = 1ull << head.extra,
                               .oldest_segment = head.lsn >> head.extra,
                               .durable = seam_get_u64(b->data + WAL_META_DURABLE),
                               .history = head.owner.history};
    return SEAM_OK;
}

enum seam_status wal_meta_load(struct seam_io *io, const char *dir, struct wal_log_meta *m,
                               struct seam_fault *f)
{
    struct seam_buf b = {0};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = seam_path_join(path, dir, "log.meta", f);

    if (st != SEAM_OK) return st;
    if (!seam_io_exists(io, path))
        return seam_fault_set(f, SEAM_NOT_FOUND, dir, SEAM_FAULT_NO_OFFSET, "there is no log here");
    st = seam_io_read_all(io, path, 4096, &b, f);
    if (st == SEAM_OK) st = wal_meta_parse(&b, path, m, f);
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
                            uint64_t history, uint64_t number)
{
    struct seam_filehead head = {.owner.history = history,
                                 .file_id = m->log_id,
                                 .lsn = number * m->segment_bytes,
                                 .extra = log2_of(m->segment_bytes)};

    seam_filehead_encode(&segment_format, &head, h);
}

enum seam_status wal_segment_header_check(const uint8_t h[WAL_SEGMENT_HEADER],
                                          const struct wal_log_meta *m, uint64_t number)
{
    static const uint8_t zeros[WAL_SEGMENT_HEADER];
    struct seam_filehead head;

    if (memcmp(h, zeros, WAL_SEGMENT_HEADER) == 0) return SEAM_NOT_FOUND;
    if (seam_filehead_decode(&segment_format, h, WAL_SEGMENT_HEADER, "", 0, &head, NULL) !=
            SEAM_OK ||
        head.file_id != m->log_id || head.extra != log2_of(m->segment_bytes) ||
        head.lsn % m->segment_bytes != 0)
        return SEAM_CORRUPT;
    return head.lsn == number * m->segment_bytes ? SEAM_OK : SEAM_NOT_FOUND;
}

enum seam_status wal_segment_header_read(const uint8_t *h, size_t n, const char *path,
                                         struct wal_log_meta *m, uint64_t *number,
                                         struct seam_fault *f)
{
    struct seam_filehead head;
    enum seam_status st = seam_filehead_decode(&segment_format, h, n, path, 0, &head, f);

    if (st != SEAM_OK) return st;
    if (head.extra < log2_of(WAL_SEGMENT_MIN) || head.extra > log2_of(WAL_SEGMENT_MAX))
        return seam_fault_set(f, SEAM_CORRUPT, path, 56, "a segment of an unknown size");
    *m = (struct wal_log_meta){
        .log_id = head.file_id, .segment_bytes = 1ull << head.extra, .history = head.owner.history};
    *number = head.lsn >> head.extra;
    return SEAM_OK;
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
