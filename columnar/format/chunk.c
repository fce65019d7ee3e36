#include "columnar/format/chunk.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "columnar/format/kernels.h"
#include "engine/base/bitpack.h"

int64_t zone_of_double(double d)
{
    int64_t bits;

    if (isnan(d)) d = (double)NAN; /* one NaN, above every number */
    memcpy(&bits, &d, 8);
    bits &= isnan(d) ? INT64_MAX : -1;
    return bits ^ (int64_t)((uint64_t)(bits >> 63) >> 1);
}

double zone_to_double(int64_t z)
{
    double d;

    z ^= (int64_t)((uint64_t)(z >> 63) >> 1);
    memcpy(&d, &z, 8);
    return d;
}

int64_t zone_of_text(const char *s, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < 8; i++) v = v << 8 | (i < n ? (uint8_t)s[i] : 0);
    return (int64_t)(v ^ (1ull << 63));
}

const char *chunk_kind_name(enum chunk_kind k)
{
    static const char *const names[CHUNK_KINDS] = {"?", "ints", "dict", "decimals", "text-dict",
                                                   "text-symbols", "text-plain"};

    return k < CHUNK_KINDS ? names[k] : "?";
}

static bool kind_fits(uint8_t kind, uint8_t type)
{
    if (type == V_TEXT) return kind >= CHUNK_TEXT_DICT && kind <= CHUNK_TEXT_PLAIN;
    if (kind == CHUNK_DECIMALS) return type == V_DOUBLE;
    return type > V_NULL && type < V_TEXT && (kind == CHUNK_INTS || kind == CHUNK_DICT);
}

static bool read_zones(struct chunk *c, struct reader *r, unsigned width, int64_t base, size_t data)
{
    uint32_t at = 0;

    for (uint32_t v = 0; v < c->vectors; v++) {
        struct zone *z = &c->zones[v];

        z->at = at;
        z->end = read_u32(r);
        z->nulls = read_u16(r);
        if (z->end < at || z->end > data || z->nulls > chunk_vector_rows(c, v)) return false;
        if ((z->nulls == chunk_vector_rows(c, v)) != (z->end == at)) return false;
        at = z->end;
        c->nulls += z->nulls;
    }
    c->min = INT64_MAX;
    c->max = INT64_MIN;
    for (uint32_t v = 0; v < c->vectors; v++) {
        struct zone *z = &c->zones[v];
        const uint8_t *p = read_bytes(r, 2 * (size_t)width);
        uint64_t lo = 0, hi = 0;

        if (p == NULL && width > 0) return false;
        memcpy(&lo, p != NULL ? p : (const uint8_t *)&lo, width);
        memcpy(&hi, p != NULL ? p + width : (const uint8_t *)&hi, width);
        z->min = (int64_t)((uint64_t)base + lo);
        z->max = (int64_t)((uint64_t)base + hi);
        if (z->nulls == chunk_vector_rows(c, v)) {
            z->min = INT64_MAX;
            z->max = INT64_MIN;
            continue;
        }
        if (z->min > z->max) return false;
        if (z->min < c->min) c->min = z->min;
        if (z->max > c->max) c->max = z->max;
    }
    return at == data && !r->bad;
}

static bool read_int_dict(struct chunk *c, struct reader *r)
{
    size_t bytes;

    c->dict_count = read_u32(r);
    if (r->bad || c->dict_count < 1 || c->dict_count > CHUNK_DICT_MAX ||
        reader_left(r) != (size_t)c->dict_count * 8)
        return false;
    c->dict_slots = 2 * c->dict_count;
    bytes = (size_t)c->dict_slots * 8;
    if (c->type == V_DOUBLE) c->dict_d = calloc(1, bytes);
    else c->dict_i = calloc(1, bytes);
    if (c->dict_d == NULL && c->dict_i == NULL) return false;
    for (uint32_t k = 0; k < c->dict_count; k++) {
        int64_t z = (int64_t)read_u64(r);

        if (c->dict_d != NULL) c->dict_d[k] = zone_to_double(z);
        else c->dict_i[k] = z;
    }
    return !r->bad;
}

static bool read_text_dict(struct chunk *c, struct reader *r)
{
    c->dict_count = read_u32(r);
    if (r->bad || c->dict_count < 1 || c->dict_count > CHUNK_DICT_MAX ||
        c->dict_count > reader_left(r))
        return false;
    c->dict_slots = 2 * c->dict_count;
    c->dict_s = calloc(c->dict_slots, sizeof *c->dict_s);
    if (c->dict_s == NULL) return false;
    for (uint32_t k = 0; k < c->dict_slots; k++) {
        size_t n = 0;

        c->dict_s[k].s = "";
        if (k >= c->dict_count) continue;
        c->dict_s[k].s = (const char *)read_lenstr(r, TEXT_MAX, &n);
        c->dict_s[k].len = (uint32_t)n;
        if (c->dict_s[k].s == NULL) return false;
    }
    return reader_left(r) == 0;
}

static bool read_aux(struct chunk *c, const uint8_t *aux, size_t n)
{
    struct reader r = reader_of(aux, n);

    switch (c->kind) {
    case CHUNK_DICT:
        return c->narrow && read_int_dict(c, &r);
    case CHUNK_TEXT_DICT:
        return c->narrow && read_text_dict(c, &r);
    case CHUNK_TEXT_SYMBOLS:
        c->symbols = malloc(sizeof *c->symbols);
        return c->symbols != NULL && symbols_read(&r, c->symbols) && reader_left(&r) == 0;
    case CHUNK_DECIMALS:
        return n == 0 && c->factor <= 12;
    default:
        return n == 0;
    }
}

static bool open_parts(struct chunk *c, struct reader *r)
{
    unsigned width, flags;
    size_t aux_size, data;
    int64_t zone_base;
    const uint8_t *aux;

    c->kind = read_u8(r);
    c->type = read_u8(r);
    c->scale = read_u8(r);
    flags = read_u8(r);
    c->narrow = flags & 1;
    c->rows = read_u32(r);
    c->base = read_u64(r);
    c->factor = read_u64(r);
    aux_size = read_u32(r);
    width = read_u32(r);
    zone_base = (int64_t)read_u64(r);
    if (r->bad || flags > 1 || !kind_fits(c->kind, c->type) || c->rows < 1 ||
        c->rows > CHUNK_ROWS_MAX || c->scale > DECIMAL_SCALE_MAX || width > 8 ||
        (width & (width - 1)) != 0 || (c->kind == CHUNK_INTS && c->factor == 0))
        return false;
    c->vectors = (c->rows + VECTOR_ROWS - 1) / VECTOR_ROWS;
    data = (size_t)c->vectors * (6 + 2 * (size_t)width) + aux_size;
    if (reader_left(r) < data) return false;
    data = reader_left(r) - data;
    c->zones = calloc(c->vectors, sizeof *c->zones);
    if (c->zones == NULL || !read_zones(c, r, width, zone_base, data)) return false;
    aux = read_bytes(r, aux_size);
    if (aux == NULL && aux_size > 0) return false;
    c->data = r->pos;
    return read_aux(c, aux, aux_size);
}

bool chunk_open(const uint8_t *p, size_t size, struct chunk **out, size_t *at)
{
    struct reader r = reader_of(p, size);
    struct chunk *c = calloc(1, sizeof *c);
    bool ok = c != NULL;

    if (ok) {
        c->size = size;
        ok = open_parts(c, &r);
    }
    *at = reader_offset(&r);
    if (!ok) {
        chunk_close(c);
        c = NULL;
    }
    *out = c;
    return ok;
}

void chunk_close(struct chunk *c)
{
    if (c == NULL) return;
    free(c->zones);
    free(c->dict_i);
    free(c->dict_d);
    free(c->dict_s);
    free(c->symbols);
    free(c);
}

/* ---- vectors ---- */

/* A block of ints behind its u16 size. */
static bool sized_ints(const uint8_t **p, size_t *left, size_t n, struct ints_block *b)
{
    size_t size;

    if (*left < 2) return false;
    size = get_u16(*p);
    if (*left - 2 < size || !ints_parse(*p + 2, size, n, b)) return false;
    *p += 2 + size;
    *left -= 2 + size;
    return true;
}

bool chunk_vector(const struct chunk *c, uint32_t v, struct chunk_vector *out)
{
    const struct zone *z = &c->zones[v];
    const uint8_t *p = c->data + z->at;
    size_t left = z->end - z->at;
    bool ok;

    out->rows = chunk_vector_rows(c, v);
    out->nulls = z->nulls;
    out->rest_size = 0;
    if (out->nulls == out->rows) return true;
    if (out->nulls > 0 && !sized_ints(&p, &left, out->rows, &out->null_bits)) return false;
    switch (c->kind) {
    case CHUNK_DECIMALS:
    case CHUNK_TEXT_SYMBOLS:
    case CHUNK_TEXT_PLAIN:
        ok = sized_ints(&p, &left, out->rows, &out->ints);
        out->rest = p;
        out->rest_size = left;
        return ok && (!c->narrow || out->ints.width <= 32);
    case CHUNK_INTS:
        return ints_parse(p, left, out->rows, &out->ints) && (!c->narrow || out->ints.width <= 32);
    default: /* codes must stay inside the padded dictionary */
        return ints_parse(p, left, out->rows, &out->ints) && out->ints.width <= 32 &&
               ints_bound(&out->ints) < c->dict_slots;
    }
}

bool chunk_vector_nulls(const struct chunk_vector *cv, uint64_t bits[VECTOR_WORDS])
{
    uint32_t flags[VECTOR_ROWS];
    size_t words = bitset_words(cv->rows);

    if (cv->nulls == 0 || cv->nulls == cv->rows) {
        memset(bits, cv->nulls == 0 ? 0 : 0xff, VECTOR_WORDS * 8);
        return true;
    }
    if (!ints_decode32(&cv->null_bits, cv->rows, flags)) return false;
    memset(bits, 0, VECTOR_WORDS * 8);
    for (size_t w = 0; w < words; w++) {
        size_t first = w * 64, n = cv->rows - first < 64 ? cv->rows - first : 64;
        uint64_t word = 0;

        for (size_t i = 0; i < n; i++) word |= (uint64_t)(flags[first + i] & 1) << i;
        bits[w] = word;
    }
    return bitset_count(bits, cv->rows) == cv->nulls;
}

struct chunk_scratch *chunk_scratch_new(void) { return calloc(1, sizeof(struct chunk_scratch)); }

void chunk_scratch_free(struct chunk_scratch *s)
{
    if (s == NULL) return;
    free(s->s);
    free(s->bytes);
    free(s);
}

static enum status read_ints(const struct chunk *c, const struct chunk_vector *cv,
                             struct chunk_scratch *s)
{
    uint64_t base = c->base, factor = c->factor;

    if (c->narrow) {
        if (!ints_decode32(&cv->ints, cv->rows, s->code)) return ST_CORRUPT;
        kernel_widen(s->code, cv->rows, base, factor, s->i);
    } else {
        if (!ints_decode64(&cv->ints, cv->rows, s->u)) return ST_CORRUPT;
        for (uint32_t i = 0; i < cv->rows; i++) s->u[i] = base + factor * s->u[i];
    }
    if (c->type == V_DOUBLE)
        for (uint32_t i = 0; i < cv->rows; i++) s->d[i] = zone_to_double(s->i[i]);
    return ST_OK;
}

static enum status read_decimals(const struct chunk *c, const struct chunk_vector *cv,
                                 struct chunk_scratch *s)
{
    static const double powers[13] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
    double divisor = powers[c->factor];
    struct reader r = reader_of(cv->rest, cv->rest_size);
    unsigned bad = read_u16(&r);
    const uint8_t *where = read_bytes(&r, 2 * (size_t)bad), *bits = read_bytes(&r, 8 * (size_t)bad);

    if (r.bad || reader_left(&r) != 0) return ST_CORRUPT;
    if (!ints_decode64(&cv->ints, cv->rows, s->u)) return ST_CORRUPT;
    for (uint32_t i = 0; i < cv->rows; i++)
        s->d[i] = (double)(int64_t)(s->u[i] + c->base) / divisor;
    for (unsigned k = 0; k < bad; k++) {
        unsigned at = get_u16(where + 2 * k);

        if (at >= cv->rows) return ST_CORRUPT;
        s->d[at] = get_f64(bits + 8 * k);
    }
    return ST_OK;
}

static enum status read_text(const struct chunk *c, const struct chunk_vector *cv,
                             struct chunk_scratch *s)
{
    uint64_t total = 0;
    const char *p;

    if (!ints_decode32(&cv->ints, cv->rows, s->code)) return ST_CORRUPT;
    for (uint32_t i = 0; i < cv->rows; i++) total += s->code[i];
    if (c->kind == CHUNK_TEXT_PLAIN) {
        if (total != cv->rest_size) return ST_CORRUPT;
        p = (const char *)cv->rest;
    } else {
        /* A code gives at most 16 bytes: a bound before memory is taken. */
        if (total > (uint64_t)cv->rest_size * SYMBOL_BYTES) return ST_CORRUPT;
        if (s->bytes_cap < total + SYMBOLS_DECODE_SLACK) {
            free(s->bytes);
            s->bytes_cap = (size_t)total + (size_t)total / 2 + SYMBOLS_DECODE_SLACK;
            s->bytes = malloc(s->bytes_cap);
            if (s->bytes == NULL) {
                s->bytes_cap = 0;
                return ST_NOMEM;
            }
        }
        if (!symbols_decode(c->symbols, cv->rest, cv->rest_size, s->bytes, (size_t)total))
            return ST_CORRUPT;
        p = (const char *)s->bytes;
    }
    for (uint32_t i = 0; i < cv->rows; i++) {
        s->s[i] = (struct text_ref){p, s->code[i]};
        p += s->code[i];
    }
    return ST_OK;
}

/* Every value alike: no array is filled. */
static bool read_const(const struct chunk *c, const struct chunk_vector *cv, struct chunk_scratch *s,
                       struct vec *out)
{
    if (cv->ints.mode != INTS_CONST) return false;
    switch (c->kind) {
    case CHUNK_INTS:
        s->u[0] = c->base + c->factor * cv->ints.base;
        if (c->type == V_DOUBLE) s->d[0] = zone_to_double(s->i[0]);
        out->i = s->i;
        break;
    case CHUNK_DICT:
        if (c->dict_d != NULL) out->d = c->dict_d + cv->ints.base;
        else out->i = c->dict_i + cv->ints.base;
        break;
    case CHUNK_TEXT_DICT:
        out->s = c->dict_s + cv->ints.base;
        break;
    default:
        return false;
    }
    out->kind = VEC_CONST;
    return true;
}

static enum status read_values(const struct chunk *c, const struct chunk_vector *cv,
                               struct chunk_scratch *s, struct vec *out)
{
    out->kind = VEC_FLAT;
    out->i = s->i;
    switch (c->kind) {
    case CHUNK_INTS:
        return read_ints(c, cv, s);
    case CHUNK_DECIMALS:
        return read_decimals(c, cv, s);
    case CHUNK_TEXT_SYMBOLS:
    case CHUNK_TEXT_PLAIN:
        out->s = s->s;
        return read_text(c, cv, s);
    default:
        if (!ints_decode32(&cv->ints, cv->rows, s->code)) return ST_CORRUPT;
        out->kind = VEC_DICT;
        out->stable = true;
        out->dict_count = c->dict_slots;
        out->code = s->code;
        if (c->type == V_TEXT) out->s = c->dict_s;
        else if (c->type == V_DOUBLE) out->d = c->dict_d;
        else out->i = c->dict_i;
        return ST_OK;
    }
}

enum status chunk_read(const struct chunk *c, uint32_t v, struct chunk_scratch *s, struct vec *out)
{
    static const uint64_t one_null[1] = {1};
    struct chunk_vector cv;

    assert(v < c->vectors);
    *out = (struct vec){.type = c->type, .scale = c->scale, .lo = INT64_MIN, .hi = INT64_MAX};
    if (!chunk_vector(c, v, &cv)) return ST_CORRUPT;
    if (s->s == NULL && c->type == V_TEXT) {
        s->s = calloc(VECTOR_ROWS, sizeof *s->s);
        if (s->s == NULL) return ST_NOMEM;
    }
    if (cv.nulls == cv.rows) {
        out->kind = VEC_CONST;
        out->nulls = one_null;
        if (c->type == V_TEXT) {
            s->s[0] = (struct text_ref){"", 0};
            out->s = s->s;
        } else {
            s->i[0] = 0;
            out->i = s->i;
        }
        return ST_OK;
    }
    if (c->type != V_TEXT && c->type != V_DOUBLE) {
        out->lo = c->zones[v].min;
        out->hi = c->zones[v].max;
    }
    if (cv.nulls > 0) {
        if (!chunk_vector_nulls(&cv, s->nulls)) return ST_CORRUPT;
        out->nulls = s->nulls;
        /* Bounds hold for values, and a null row may hold a filler from elsewhere in the chunk. */
        if (out->lo != INT64_MIN || out->hi != INT64_MAX) {
            out->lo = c->min;
            out->hi = c->max;
        }
    } else if (read_const(c, &cv, s, out)) {
        return ST_OK;
    }
    return read_values(c, &cv, s, out);
}

void cells_put(struct cells *c, uint32_t row, const struct value *v)
{
    if (v->type == V_NULL) {
        bitset_set(c->nulls, row);
        c->any = true;
        if (c->s != NULL) c->s[row] = (struct text_ref){"", 0};
        else c->i[row] = 0;
    } else if (c->s != NULL) {
        c->s[row] = (struct text_ref){v->s, v->len};
    } else {
        c->i[row] = v->i;
    }
}

struct value vec_value(const struct vec *v, uint32_t row)
{
    uint32_t slot = vec_slot(v, row);
    struct value out = {.type = v->type, .scale = v->scale};

    if (vec_null(v, row)) return v_null();
    if (v->type == V_TEXT) {
        out.s = v->s[slot].s;
        out.len = v->s[slot].len;
    } else if (v->type == V_DOUBLE) {
        out.d = v->d[slot];
    } else {
        out.i = v->i[slot];
    }
    return out;
}
