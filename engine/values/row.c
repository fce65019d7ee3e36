/* row - a row's values to bytes by its schema's version, and back through every later one. */
#include "engine/values/row.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/values/key.h"

enum {
    CANONICAL_FORMAT = 1,
    FIXED_MAX = 10,                         /* longest encoding of a value that is no text */
    CELL_OVERHEAD = 2 * SEAM_VARINT_MAX + 1 /* column id, type, text length */
};

/* ---- encode ---- */

/* The value as its column stores it: a decimal of another scale is rescaled when nothing is lost.
 */
static enum seam_status fit(const struct seam_schema *s, const struct seam_column *c,
                            const struct seam_value *v, struct seam_value *out,
                            struct seam_fault *f)
{
    *out = *v;
    if (v->type == SEAM_V_NULL) {
        if (c->nullable) return SEAM_OK;
        return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET, "%s must not be null",
                              c->name);
    }
    if (seam_unlikely(v->type != c->type))
        return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET, "%s is %s, not %s",
                              c->name, seam_value_type_name(c->type),
                              seam_value_type_name(v->type));
    if (v->type == SEAM_V_TEXT && seam_unlikely(v->len > SEAM_TEXT_MAX))
        return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET,
                              "%s: a text may have at most %d bytes", c->name, SEAM_TEXT_MAX);
    if (v->type == SEAM_V_BOOL) out->i = v->i != 0; /* key and row say the same */
    if (v->type == SEAM_V_DECIMAL && v->scale != c->scale) {
        if (seam_decimal_rescale(v->i, v->scale, c->scale, &out->i) != SEAM_OK)
            return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET,
                                  "%s has %u decimals and cannot hold the value", c->name,
                                  c->scale);
        out->scale = c->scale;
    }
    return SEAM_OK;
}

static uint8_t *put_value(uint8_t *p, const struct seam_value *v)
{
    switch ((enum seam_value_type)v->type) {
    case SEAM_V_INT:
    case SEAM_V_DECIMAL:
    case SEAM_V_TIME: return p + seam_put_varint(p, seam_zigzag(v->i));
    case SEAM_V_DOUBLE: seam_put_f64(p, v->d); return p + 8;
    case SEAM_V_BOOL: *p = v->i != 0; return p + 1;
    case SEAM_V_TEXT:
        p += seam_put_varint(p, v->len);
        if (v->len > 0) memcpy(p, v->s, v->len);
        return p + v->len;
    case SEAM_V_NULL:
    case SEAM_V_TYPE_COUNT: break;
    }
    return p;
}

/* An upper bound, so that one reservation serves the whole row.                                  */
static size_t cells_bound(const struct seam_schema *s, const struct seam_value *values)
{
    size_t n = (size_t)s->column_count * (CELL_OVERHEAD + FIXED_MAX);

    for (uint16_t i = 0; i < s->column_count; i++) {
        if (values[i].type == SEAM_V_TEXT) n += values[i].len;
    }
    return n;
}

enum seam_status seam_row_encode(const struct seam_schema *s, const struct seam_value *values,
                                 struct seam_buf *out, struct seam_fault *f)
{
    size_t bound = 2 * SEAM_VARINT_MAX + SEAM_COLUMNS_MAX / 8 + cells_bound(s, values);
    uint8_t *p, *nulls;
    unsigned live = 0, k = 0;

    if (!seam_buf_reserve(out, bound)) return seam_no_memory(f, "a row");
    for (uint16_t i = 0; i < s->column_count; i++)
        live += seam_column_live(&s->columns[i], s->version);
    p = out->data + out->size;
    p += seam_put_varint(p, s->version);
    p += seam_put_varint(p, live);
    nulls = p;
    memset(nulls, 0, (live + 7) / 8);
    p += (live + 7) / 8;
    for (uint16_t i = 0; i < s->column_count; i++) {
        const struct seam_column *c = &s->columns[i];
        struct seam_value v;
        enum seam_status st;

        if (!seam_column_live(c, s->version)) continue;
        st = fit(s, c, &values[i], &v, f);
        if (st != SEAM_OK) return st;
        if (v.type == SEAM_V_NULL)
            nulls[k / 8] |= (uint8_t)(1u << k % 8);
        else
            p = put_value(p, &v);
        k++;
    }
    out->size = (size_t)(p - out->data);
    return SEAM_OK;
}

/* ---- decode ---- */

struct row_reader {
    const struct seam_schema *s;
    const uint8_t *start, *p, *end;
    const uint8_t *nulls;
    uint32_t version;
    uint32_t count; /* columns the row says it has */
};

static enum seam_status corrupt(const struct row_reader *r, struct seam_fault *f, const char *why)
{
    return seam_fault_set(f, SEAM_CORRUPT, r->s->name, (uint64_t)(r->p - r->start), "%s", why);
}

static inline enum seam_status read_head(struct row_reader *r, struct seam_fault *f)
{
    uint64_t version, count;

    if (!seam_get_varint(&r->p, r->end, &version) || version == 0 || version > r->s->version)
        return corrupt(r, f, "a row of no known version of its table");
    if (!seam_get_varint(&r->p, r->end, &count) || count > r->s->column_count ||
        (count + 7) / 8 > (uint64_t)(r->end - r->p))
        return corrupt(r, f, "a row with a wrong number of columns");
    r->version = (uint32_t)version;
    r->count = (uint32_t)count;
    r->nulls = r->p;
    r->p += (count + 7) / 8;
    if (count % 8 != 0 && r->nulls[count / 8] >> count % 8 != 0)
        return corrupt(r, f, "null bits beyond the columns");
    return SEAM_OK;
}

/* Most numbers of a shop take one to three bytes: those without the loop.                        */
static inline bool read_varint_fast(struct row_reader *r, uint64_t *out)
{
    const uint8_t *p = r->p;

    if (seam_likely(r->end - p >= 3)) {
        if (p[0] < 0x80) {
            *out = p[0];
            r->p = p + 1;
            return true;
        }
        if (p[1] < 0x80) {
            *out = (p[0] & 0x7fu) | (uint64_t)p[1] << 7;
            r->p = p + 2;
            return true;
        }
        if (p[2] < 0x80) {
            *out = (p[0] & 0x7fu) | (uint64_t)(p[1] & 0x7fu) << 7 | (uint64_t)p[2] << 14;
            r->p = p + 3;
            return true;
        }
    }
    return seam_get_varint(&r->p, r->end, out);
}

static inline bool read_value(struct row_reader *r, const struct seam_column *c,
                              struct seam_value *v)
{
    uint64_t u;

    v->type = (uint8_t)c->type;
    v->scale = c->scale;
    v->len = 0;
    switch (c->type) {
    case SEAM_V_INT:
    case SEAM_V_DECIMAL:
    case SEAM_V_TIME:
        if (!read_varint_fast(r, &u)) return false;
        v->i = seam_unzigzag(u);
        return true;
    case SEAM_V_DOUBLE:
        if (r->end - r->p < 8) return false;
        v->d = seam_get_f64(r->p);
        r->p += 8;
        return true;
    case SEAM_V_BOOL:
        if (r->p == r->end || *r->p > 1) return false;
        v->i = *r->p++;
        return true;
    case SEAM_V_TEXT:
        if (!read_varint_fast(r, &u) || u > SEAM_TEXT_MAX || u > (uint64_t)(r->end - r->p))
            return false;
        v->len = (uint32_t)u;
        v->s = (const char *)r->p;
        r->p += u;
        return true;
    case SEAM_V_NULL:
    case SEAM_V_TYPE_COUNT: break;
    }
    return false;
}

/* Column i of the schema, which is the row's k-th when its version had it.                       */
static inline enum seam_status read_cell(struct row_reader *r, const struct seam_column *c,
                                         uint32_t k, struct seam_value *v, struct seam_fault *f)
{
    if (seam_unlikely(k >= r->count)) return corrupt(r, f, "a row with too few columns");
    if ((r->nulls[k / 8] >> k % 8 & 1) != 0) {
        if (seam_unlikely(!c->nullable)) return corrupt(r, f, "a null where none is allowed");
        *v = seam_v_null();
        return SEAM_OK;
    }
    if (seam_unlikely(!read_value(r, c, v)))
        return corrupt(r, f, "a row cut short, or a value out of range");
    return SEAM_OK;
}

enum seam_status seam_row_decode(const struct seam_schema *s, const void *row, size_t n,
                                 struct seam_value *values, struct seam_fault *f)
{
    struct row_reader r = {.s = s, .start = row, .p = row, .end = (const uint8_t *)row + n};
    enum seam_status st = read_head(&r, f);
    uint32_t k = 0;

    if (seam_unlikely(st != SEAM_OK)) return st;
    for (uint16_t i = 0; i < s->column_count; i++) {
        const struct seam_column *c = &s->columns[i];

        if (seam_likely(seam_column_live(c, r.version))) {
            st = read_cell(&r, c, k++, &values[i], f);
            if (seam_unlikely(st != SEAM_OK)) return st;
        } else {
            values[i] = c->added > r.version ? c->def : seam_v_null();
        }
        if (seam_unlikely(c->dropped != 0)) values[i] = seam_v_null();
    }
    if (seam_unlikely(k != r.count || r.p != r.end))
        return corrupt(&r, f, "a row with too many columns or bytes");
    return SEAM_OK;
}

enum seam_status seam_row_get(const struct seam_schema *s, const void *row, size_t n, int column,
                              struct seam_value *out, struct seam_fault *f)
{
    struct row_reader r = {.s = s, .start = row, .p = row, .end = (const uint8_t *)row + n};
    enum seam_status st = read_head(&r, f);
    uint32_t k = 0;

    assert(column >= 0 && column < s->column_count);
    if (st != SEAM_OK) return st;
    for (int i = 0; i <= column; i++) {
        const struct seam_column *c = &s->columns[i];

        if (!seam_column_live(c, r.version)) {
            *out = c->added > r.version ? c->def : seam_v_null();
            continue;
        }
        st = read_cell(&r, c, k++, out, f);
        if (st != SEAM_OK) return st;
    }
    if (s->columns[column].dropped != 0) *out = seam_v_null();
    return SEAM_OK;
}

/* ---- keys ---- */

static enum seam_status append_key(const struct seam_schema *s, const uint16_t *positions,
                                   uint16_t count, const struct seam_value *values,
                                   struct seam_buf *out, struct seam_fault *f)
{
    for (uint16_t i = 0; i < count; i++) {
        struct seam_value v;
        enum seam_status st = fit(s, &s->columns[positions[i]], &values[positions[i]], &v, f);

        if (st != SEAM_OK) return st;
        seam_key_append(out, &v);
    }
    return seam_buf_ok(out) ? SEAM_OK : seam_no_memory(f, "a key");
}

enum seam_status seam_row_key(const struct seam_schema *s, const struct seam_value *values,
                              struct seam_buf *out, struct seam_fault *f)
{
    return append_key(s, s->key, s->key_count, values, out, f);
}

enum seam_status seam_row_index_key(const struct seam_schema *s, const struct seam_index_def *ix,
                                    const struct seam_value *values, struct seam_buf *out,
                                    struct seam_fault *f)
{
    return append_key(s, ix->columns, ix->count, values, out, f);
}

/* ---- canonical form ---- */

/* Equal values must be equal bytes: -0.0 is 0.0, and every NaN is one NaN.                       */
static double canonical_double(double d)
{
    return isnan(d) ? NAN : d == 0 ? 0.0 : d;
}

static uint8_t *put_canonical(uint8_t *p, const struct seam_schema *s,
                              const struct seam_value *values)
{
    *p++ = CANONICAL_FORMAT;
    for (uint16_t i = 0; i < s->column_count; i++) {
        const struct seam_column *c = &s->columns[i];
        struct seam_value v = values[i];

        if (!seam_column_live(c, s->version)) continue;
        p += seam_put_varint(p, c->id);
        if (v.type == SEAM_V_DOUBLE) v.d = canonical_double(v.d);
        if (v.type == SEAM_V_DECIMAL && v.scale != c->scale &&
            seam_decimal_rescale(v.i, v.scale, c->scale, &v.i) == SEAM_OK)
            v.scale = c->scale;
        *p++ = v.type;
        p = put_value(p, &v);
    }
    return p;
}

void seam_row_canonical(const struct seam_schema *s, const struct seam_value *values,
                        struct seam_buf *out)
{
    if (!seam_buf_reserve(out, 1 + cells_bound(s, values))) return;
    out->size = (size_t)(put_canonical(out->data + out->size, s, values) - out->data);
}

struct seam_hash128 seam_row_hash(const struct seam_schema *s, const struct seam_value *values)
{
    uint8_t small[2048], *p = small;
    size_t bound = 1 + cells_bound(s, values);
    struct seam_hash128 h;

    if (bound > sizeof small) {
        p = malloc(bound);
        if (p == NULL) { /* a wrong hash would be reported as drift: stop instead */
            fprintf(stderr, "row_hash: no memory for %zu bytes\n", bound);
            abort();
        }
    }
    h = seam_siphash128(p, (size_t)(put_canonical(p, s, values) - p));
    if (p != small) free(p);
    return h;
}
