#include "wal/internal.h"

#include <inttypes.h>

#include "wal/change.h"

static void hex_line(struct seam_buf *out, uint64_t at, const uint8_t *p, size_t n)
{
    seam_buf_printf(out, "  %8" PRIu64 "  ", at);
    for (size_t i = 0; i < 16; i++) {
        if (i < n)
            seam_buf_printf(out, "%02x ", p[i]);
        else
            seam_buf_str(out, "   ");
        if (i == 7) seam_buf_str(out, " ");
    }
    seam_buf_str(out, " |");
    for (size_t i = 0; i < n; i++) seam_buf_u8(out, p[i] >= 32 && p[i] < 127 ? p[i] : '.');
    seam_buf_str(out, "|\n");
}

static void dump_header(struct seam_buf *out, const uint8_t *h, const struct wal_log_meta *m,
                        uint64_t number)
{
    seam_buf_printf(out, "segment header (64 bytes)\n");
    for (size_t i = 0; i < WAL_SEGMENT_HEADER; i += 16) hex_line(out, i, h + i, 16);
    seam_buf_printf(out,
                    "  magic %.8s  version %u  segment %" PRIu64 " bytes  log id %" PRIx64 "\n",
                    (const char *)h, (unsigned)seam_get_u16(h + 8), m->segment_bytes, m->log_id);
    seam_buf_printf(
        out, "  number %" PRIu64 "  start LSN %" PRIu64 "  history %016" PRIx64 "  crc %08x ok\n",
        number, number * m->segment_bytes, m->history, seam_get_u32(h + 60));
}

static void dump_record(struct seam_buf *out, const uint8_t *p, uint64_t at, seam_lsn_t lsn,
                        uint64_t salt)
{
    uint32_t len = seam_get_u32(p + WAL_RECORD_LEN), back = seam_get_u32(p + WAL_RECORD_BACK);
    uint8_t flags = p[WAL_RECORD_FLAGS];

    seam_buf_printf(out, "record at byte %" PRIu64 ", LSN %" PRIu64 " to %" PRIu64 "\n", at, lsn,
                    lsn + wal_record_size(p));
    hex_line(out, at, p, WAL_RECORD_HEADER);
    seam_buf_printf(out, "  crc %08x %s  len %" PRIu32 "  type %u (%s)  flags %s%s  check %04x\n",
                    seam_get_u32(p),
                    seam_get_u32(p) == wal_record_crc(p, lsn, salt) ? "ok" : "WRONG", len,
                    p[WAL_RECORD_TYPE], wal_change_type_name(p[WAL_RECORD_TYPE]),
                    flags & WAL_RECORD_FIRST ? "first " : "", flags & WAL_RECORD_LAST ? "last" : "",
                    seam_get_u16(p + WAL_RECORD_CHECK));
    if (back == WAL_RECORD_BACK_NONE)
        seam_buf_str(out, "  vouches for nothing before it\n");
    else
        seam_buf_printf(out,
                        "  back %" PRIu32 ": the log was durable up to LSN %" PRIu64
                        " when this was appended\n",
                        back, wal_record_vouches(p, lsn));
    if (flags == (WAL_RECORD_FIRST | WAL_RECORD_LAST)) {
        seam_buf_str(out, "  ");
        wal_change_explain(p[WAL_RECORD_TYPE], p + WAL_RECORD_HEADER, len, out);
        seam_buf_str(out, "\n");
    }
    for (uint32_t i = 0; i < len && i < 64; i += 16)
        hex_line(out, at + WAL_RECORD_HEADER + i, p + WAL_RECORD_HEADER + i,
                 len - i < 16 ? len - i : 16);
    if (len > 64) seam_buf_printf(out, "  ... %" PRIu32 " bytes more\n", len - 64);
}

static enum seam_status dump_meta(const struct seam_buf *b, const char *path, struct seam_buf *out,
                                  struct seam_fault *f)
{
    struct wal_log_meta m;
    enum seam_status st = wal_meta_parse(b, path, &m, f);

    if (st != SEAM_OK) return st;
    seam_buf_printf(out, "description of the log %016" PRIx64 ": version 2, %zu bytes\n", m.log_id,
                    b->size);
    for (size_t i = 0; i < b->size; i += 16) hex_line(out, i, b->data + i, 16);
    seam_buf_printf(out,
                    "  segments of %" PRIu64 " bytes, the oldest kept is %" PRIu64
                    "; synced up to LSN %" PRIu64 "; closed cleanly by history %016" PRIx64 "\n",
                    m.segment_bytes, m.oldest_segment, m.durable, m.history);
    return SEAM_OK;
}

static enum seam_status dump_slot(const struct seam_buf *b, const char *path, struct seam_buf *out,
                                  struct seam_fault *f)
{
    struct wal_slot_info s;
    enum seam_status st = wal_slot_parse(b, path, NULL, NULL, &s, f);

    if (st != SEAM_OK) return st;
    seam_buf_printf(out, "slot '%s': version 2, %zu bytes\n", s.name, b->size);
    for (size_t i = 0; i < b->size; i += 16)
        hex_line(out, i, b->data + i, b->size - i < 16 ? b->size - i : 16);
    seam_buf_printf(out,
                    "  confirmed LSN %" PRIu64 ", epoch %" PRIu64 ", holder %" PRId64
                    ", bound %" PRIu64 " bytes, updated wall us %" PRId64 "%s%s\n",
                    s.confirmed, s.epoch, s.holder_pid, s.bound_bytes, s.updated_us,
                    s.invalid ? ", INVALID: " : "", s.reason);
    return SEAM_OK;
}

/* *done: it was one of the log's small files, or cannot be read at all. */
static enum seam_status dump_small(struct seam_io *io, const char *path, struct seam_buf *out,
                                   bool *done, struct seam_fault *f)
{
    enum { SMALL_MAX = 4096 };
    struct seam_buf b = {0};
    struct seam_file *file = NULL;
    uint64_t size = 0;
    enum seam_status st = seam_file_open(io, path, SEAM_FILE_READ, &file, f);

    if (st == SEAM_OK) st = seam_file_size(file, &size, f);
    seam_file_close(file);
    *done = st != SEAM_OK;
    if (st != SEAM_OK || size < 8 || size > SMALL_MAX) return st;
    st = seam_io_read_all(io, path, SMALL_MAX, &b, f);
    *done =
        st != SEAM_OK || memcmp(b.data, "SEAMLOGM", 8) == 0 || memcmp(b.data, "SEAMSLOT", 8) == 0;
    if (st == SEAM_OK && *done)
        st = memcmp(b.data, "SEAMLOGM", 8) == 0 ? dump_meta(&b, path, out, f)
                                                : dump_slot(&b, path, out, f);
    seam_buf_free(&b);
    return st;
}

enum seam_status wal_dump(struct seam_io *io, const char *segment_path_, uint64_t from, size_t max,
                          struct seam_buf *out, struct seam_fault *f)
{
    struct wal_window w = {0};
    struct wal_log_meta m = {0};
    uint64_t at, salt, number;
    const uint8_t *p;
    bool done = false;
    enum seam_status st = dump_small(io, segment_path_, out, &done, f);

    if (done) return st;
    if (st == SEAM_OK) st = wal_window_open(&w, io, segment_path_, f);
    if (st == SEAM_OK) st = wal_window_at(&w, 0, WAL_SEGMENT_HEADER, WAL_SEGMENT_HEADER, &p, f);
    if (st != SEAM_OK) goto done;
    st = wal_segment_header_read(p, p == NULL ? 0 : WAL_SEGMENT_HEADER, segment_path_, &m, &number,
                                 f);
    if (st != SEAM_OK) goto done;
    if (from < WAL_SEGMENT_HEADER) dump_header(out, p, &m, number);
    salt = wal_record_salt(m.log_id);
    at = from < WAL_SEGMENT_HEADER ? WAL_SEGMENT_HEADER : wal_round8(from);
    for (size_t n = 0; n < max && at + WAL_RECORD_HEADER <= m.segment_bytes; n++) {
        seam_lsn_t lsn = number * m.segment_bytes + at;

        st = wal_window_at(&w, at, WAL_RECORD_HEADER, m.segment_bytes, &p, f);
        if (st != SEAM_OK) goto done;
        if (p == NULL || !wal_record_head_ok(p, lsn, salt, m.segment_bytes - at) ||
            wal_record_size(p) > WINDOW_BYTES) {
            seam_buf_printf(out,
                            "no record at byte %" PRIu64 " (LSN %" PRIu64
                            "): zeros, a recycled segment's old bytes, or damage\n",
                            at, lsn);
            if (p != NULL) hex_line(out, at, p, WAL_RECORD_HEADER);
            break;
        }
        st = wal_window_at(&w, at, wal_record_size(p), m.segment_bytes, &p, f);
        if (st != SEAM_OK) goto done;
        if (p == NULL) {
            seam_buf_printf(out, "the file ends inside the record at byte %" PRIu64 "\n", at);
            break;
        }
        dump_record(out, p, at, lsn, salt);
        at += wal_record_size(p);
    }
    if (!seam_buf_ok(out))
        st = seam_fault_set(f, SEAM_NOMEM, segment_path_, SEAM_FAULT_NO_OFFSET,
                            "no memory for the explanation");
done:
    wal_window_free(&w);
    return st;
}
