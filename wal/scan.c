#include "wal/internal.h"

static enum status fragment_at(struct window *w, const struct log_meta *m, uint64_t number,
                               uint64_t at, const uint8_t **rec, struct fault *f)
{
    uint64_t salt = record_salt(m->log_id), size;
    lsn_t lsn = number * m->segment_bytes + at;
    const uint8_t *p;
    enum status st = window_at(w, at, RECORD_HEADER, m->segment_bytes, &p, f);

    *rec = NULL;
    if (st != ST_OK || p == NULL || !record_head_ok(p, lsn, salt, m->segment_bytes - at)) return st;
    size = record_size(p);
    if (size > WINDOW_BYTES) return ST_OK;
    st = window_at(w, at, size, m->segment_bytes, &p, f);
    if (st != ST_OK || p == NULL) return st;
    if (get_u32(p) == record_crc(p, lsn, salt)) *rec = p;
    return ST_OK;
}

/* The bytes after the last record of a closed segment are zeros. */
static enum status padding_ok(struct window *w, const struct log_meta *m, uint64_t at, bool *ok,
                              struct fault *f)
{
    static const uint8_t zeros[RECORD_TAIL_MIN];
    const uint8_t *p = NULL;
    size_t n = (size_t)(m->segment_bytes - at);
    enum status st = n == 0 ? ST_OK : window_at(w, at, n, m->segment_bytes, &p, f);

    *ok = st == ST_OK && (n == 0 || (p != NULL && memcmp(p, zeros, n) == 0));
    return st;
}

enum status scan_segment(struct window *w, const struct log_meta *m, uint64_t number, lsn_t from,
                         bool open, struct scan *out, struct fault *f)
{
    lsn_t base = number * m->segment_bytes;
    uint64_t at = from - base;
    enum status st = ST_OK;

    assert(from >= base + SEGMENT_HEADER && at <= m->segment_bytes);
    *out = (struct scan){.end = from, .open = open};
    while (m->segment_bytes - at >= RECORD_TAIL_MIN) {
        const uint8_t *p;
        lsn_t vouched;

        st = fragment_at(w, m, number, at, &p, f);
        if (st != ST_OK) return st;
        if (p == NULL || out->open == ((p[RECORD_FLAGS] & RECORD_FIRST) != 0)) return ST_OK;
        if (!out->open) out->open_start = out->last_first = base + at;
        vouched = record_vouches(p, base + at);
        if (vouched > out->vouched) out->vouched = vouched;
        out->open = (p[RECORD_FLAGS] & RECORD_LAST) == 0;
        if (!out->open) {
            out->records++;
            out->open_start = LSN_NONE;
        }
        at += record_size(p);
        out->end = base + at;
    }
    return padding_ok(w, m, at, &out->full, f);
}

enum status scan_beyond(struct window *w, const struct log_meta *m, uint64_t number, lsn_t from,
                        lsn_t *vouched, lsn_t *last_end, struct fault *f)
{
    lsn_t base = number * m->segment_bytes;
    uint64_t at = from - base;

    *vouched = LSN_NONE;
    *last_end = LSN_NONE;
    while (m->segment_bytes - at >= RECORD_HEADER) {
        const uint8_t *p;
        enum status st = fragment_at(w, m, number, at, &p, f);
        lsn_t v;

        if (st != ST_OK) return st;
        if (p == NULL) {
            at += 8;
            if (w->have == 0) break; /* the file ends here */
            continue;
        }
        v = record_vouches(p, base + at);
        if (v > *vouched) *vouched = v;
        at += record_size(p);
        if (base + at > *last_end) *last_end = base + at;
    }
    return ST_OK;
}
