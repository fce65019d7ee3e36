#include "wal/internal.h"

static enum seam_status fragment_at(struct wal_window *w, const struct wal_log_meta *m,
                                    uint64_t number, uint64_t at, const uint8_t **rec,
                                    struct seam_fault *f)
{
    uint64_t salt = wal_record_salt(m->log_id), size;
    seam_lsn_t lsn = number * m->segment_bytes + at;
    const uint8_t *p;
    enum seam_status st = wal_window_at(w, at, WAL_RECORD_HEADER, m->segment_bytes, &p, f);

    *rec = NULL;
    if (st != SEAM_OK || p == NULL || !wal_record_head_ok(p, lsn, salt, m->segment_bytes - at))
        return st;
    size = wal_record_size(p);
    if (size > WINDOW_BYTES) return SEAM_OK;
    st = wal_window_at(w, at, size, m->segment_bytes, &p, f);
    if (st != SEAM_OK || p == NULL) return st;
    if (seam_get_u32(p) == wal_record_crc(p, lsn, salt)) *rec = p;
    return SEAM_OK;
}

/* The bytes after the last record of a closed segment are zeros. */
static enum seam_status padding_ok(struct wal_window *w, const struct wal_log_meta *m, uint64_t at,
                                   bool *ok, struct seam_fault *f)
{
    static const uint8_t zeros[WAL_RECORD_TAIL_MIN];
    const uint8_t *p = NULL;
    size_t n = (size_t)(m->segment_bytes - at);
    enum seam_status st = n == 0 ? SEAM_OK : wal_window_at(w, at, n, m->segment_bytes, &p, f);

    *ok = st == SEAM_OK && (n == 0 || (p != NULL && memcmp(p, zeros, n) == 0));
    return st;
}

enum seam_status wal_scan_segment(struct wal_window *w, const struct wal_log_meta *m,
                                  uint64_t number, seam_lsn_t from, bool open, struct wal_scan *out,
                                  struct seam_fault *f)
{
    seam_lsn_t base = number * m->segment_bytes;
    uint64_t at = from - base;
    enum seam_status st = SEAM_OK;

    assert(from >= base + WAL_SEGMENT_HEADER && at <= m->segment_bytes);
    *out = (struct wal_scan){.end = from, .open = open};
    while (m->segment_bytes - at >= WAL_RECORD_TAIL_MIN) {
        const uint8_t *p;
        seam_lsn_t vouched;

        st = fragment_at(w, m, number, at, &p, f);
        if (st != SEAM_OK) return st;
        if (p == NULL || out->open == ((p[WAL_RECORD_FLAGS] & WAL_RECORD_FIRST) != 0))
            return SEAM_OK;
        if (!out->open) out->open_start = out->last_first = base + at;
        vouched = wal_record_vouches(p, base + at);
        if (vouched > out->vouched) out->vouched = vouched;
        out->open = (p[WAL_RECORD_FLAGS] & WAL_RECORD_LAST) == 0;
        if (!out->open) {
            out->records++;
            out->crc = seam_get_u32(p + WAL_RECORD_CRC);
            out->open_start = SEAM_LSN_NONE;
        }
        at += wal_record_size(p);
        out->end = base + at;
    }
    return padding_ok(w, m, at, &out->full, f);
}

enum seam_status wal_scan_beyond(struct wal_window *w, const struct wal_log_meta *m,
                                 uint64_t number, seam_lsn_t from, seam_lsn_t *vouched,
                                 seam_lsn_t *last_end, struct seam_fault *f)
{
    seam_lsn_t base = number * m->segment_bytes;
    uint64_t at = from - base;

    *vouched = SEAM_LSN_NONE;
    *last_end = SEAM_LSN_NONE;
    while (m->segment_bytes - at >= WAL_RECORD_HEADER) {
        const uint8_t *p;
        enum seam_status st = fragment_at(w, m, number, at, &p, f);
        seam_lsn_t v;

        if (st != SEAM_OK) return st;
        if (p == NULL) {
            at += 8;
            if (w->have == 0) break; /* the file ends here */
            continue;
        }
        v = wal_record_vouches(p, base + at);
        if (v > *vouched) *vouched = v;
        at += wal_record_size(p);
        if (base + at > *last_end) *last_end = base + at;
    }
    return SEAM_OK;
}
