#include "wal/internal.h"

#include <inttypes.h>

#include "wal/change.h"

static void hex_line(struct buf *out, uint64_t at, const uint8_t *p, size_t n)
{
    buf_printf(out, "  %8" PRIu64 "  ", at);
    for (size_t i = 0; i < 16; i++) {
        if (i < n)
            buf_printf(out, "%02x ", p[i]);
        else
            buf_str(out, "   ");
        if (i == 7) buf_str(out, " ");
    }
    buf_str(out, " |");
    for (size_t i = 0; i < n; i++)
        buf_u8(out, p[i] >= 32 && p[i] < 127 ? p[i] : '.');
    buf_str(out, "|\n");
}

static void dump_header(struct buf *out, const uint8_t *h)
{
    buf_printf(out, "segment header (64 bytes)\n");
    for (size_t i = 0; i < SEGMENT_HEADER; i += 16)
        hex_line(out, i, h + i, 16);
    buf_printf(out, "  magic %.8s  version %" PRIu32 "  segment %u bytes  log id %" PRIx64 "\n",
               (const char *)h, get_u32(h + 8), 1u << (get_u32(h + 12) & 31), get_u64(h + 16));
    buf_printf(out,
               "  number %" PRIu64 "  start LSN %" PRIu64 "  wall_us %" PRId64 "  crc %08x %s\n",
               get_u64(h + 24), get_u64(h + 32), (int64_t)get_u64(h + 40), get_u32(h + 60),
               get_u32(h + 60) == crc32c(0, h, 60) ? "ok" : "WRONG");
}

static void dump_record(struct buf *out, const uint8_t *p, uint64_t at, lsn_t lsn, uint64_t salt)
{
    uint32_t len = get_u32(p + RECORD_LEN), back = get_u32(p + RECORD_BACK);
    uint8_t flags = p[RECORD_FLAGS];

    buf_printf(out, "record at byte %" PRIu64 ", LSN %" PRIu64 " to %" PRIu64 "\n", at, lsn,
               lsn + record_size(p));
    hex_line(out, at, p, RECORD_HEADER);
    buf_printf(out, "  crc %08x %s  len %" PRIu32 "  type %u (%s)  flags %s%s  check %04x\n",
               get_u32(p), get_u32(p) == record_crc(p, lsn, salt) ? "ok" : "WRONG", len,
               p[RECORD_TYPE], change_type_name(p[RECORD_TYPE]),
               flags & RECORD_FIRST ? "first " : "", flags & RECORD_LAST ? "last" : "",
               get_u16(p + RECORD_CHECK));
    if (back == RECORD_BACK_NONE)
        buf_str(out, "  vouches for nothing before it\n");
    else
        buf_printf(out,
                   "  back %" PRIu32 ": the log was durable up to LSN %" PRIu64
                   " when this was appended\n",
                   back, record_vouches(p, lsn));
    if (flags == (RECORD_FIRST | RECORD_LAST)) {
        buf_str(out, "  ");
        change_explain(p[RECORD_TYPE], p + RECORD_HEADER, len, out);
        buf_str(out, "\n");
    }
    for (uint32_t i = 0; i < len && i < 64; i += 16)
        hex_line(out, at + RECORD_HEADER + i, p + RECORD_HEADER + i, len - i < 16 ? len - i : 16);
    if (len > 64) buf_printf(out, "  ... %" PRIu32 " bytes more\n", len - 64);
}

enum status wal_dump(struct io *io, const char *segment_path_, uint64_t from, size_t max,
                     struct buf *out, struct fault *f)
{
    struct window w = {0};
    struct log_meta m = {0};
    uint64_t at, salt, number;
    const uint8_t *p;
    enum status st = window_open(&w, io, segment_path_, f);

    if (st == ST_OK) st = window_at(&w, 0, SEGMENT_HEADER, SEGMENT_HEADER, &p, f);
    if (st != ST_OK) goto done;
    if (p == NULL || memcmp(p, SEGMENT_MAGIC, 8) != 0 || get_u32(p + 12) < 16 ||
        get_u32(p + 12) > 30) {
        st = fault_set(f, ST_CORRUPT, segment_path_, 0, "not a segment of a log");
        goto done;
    }
    if (from < SEGMENT_HEADER) dump_header(out, p);
    m.log_id = get_u64(p + 16);
    m.segment_bytes = 1ull << get_u32(p + 12);
    number = get_u64(p + 24);
    salt = record_salt(m.log_id);
    at = from < SEGMENT_HEADER ? SEGMENT_HEADER : round8(from);
    for (size_t n = 0; n < max && at + RECORD_HEADER <= m.segment_bytes; n++) {
        lsn_t lsn = number * m.segment_bytes + at;

        st = window_at(&w, at, RECORD_HEADER, m.segment_bytes, &p, f);
        if (st != ST_OK) goto done;
        if (p == NULL || !record_head_ok(p, lsn, salt, m.segment_bytes - at) ||
            record_size(p) > WINDOW_BYTES) {
            buf_printf(out,
                       "no record at byte %" PRIu64 " (LSN %" PRIu64
                       "): zeros, a recycled segment's old bytes, or damage\n",
                       at, lsn);
            if (p != NULL) hex_line(out, at, p, RECORD_HEADER);
            break;
        }
        st = window_at(&w, at, record_size(p), m.segment_bytes, &p, f);
        if (st != ST_OK) goto done;
        if (p == NULL) {
            buf_printf(out, "the file ends inside the record at byte %" PRIu64 "\n", at);
            break;
        }
        dump_record(out, p, at, lsn, salt);
        at += record_size(p);
    }
    if (!buf_ok(out))
        st =
            fault_set(f, ST_NOMEM, segment_path_, FAULT_NO_OFFSET, "no memory for the explanation");
done:
    window_free(&w);
    return st;
}
