/* chunk - opens a column chunk, believes nothing of it, and gives its vectors decoded or as they are. */
#include "columnar/format/chunk.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "columnar/format/kernels.h"
#include "engine/base/bitpack.h"

int64_t columnar_zone_of_double(double d)
{
    int64_t bits;

    if (isnan(d)) d = (double)NAN; /* one NaN, above every number */
    memcpy(&bits, &d, 8);
    bits &= isnan(d) ? INT64_MAX : -1;
    return bits ^ (int64_t)((uint64_t)(bits >> 63) >> 1);
}

double columnar_zone_to_double(int64_t z)
{
    double d;

    z ^= (int64_t)((uint64_t)(z >> 63) >> 1);
    memcpy(&d, &z, 8);
    return d;
}

int64_t columnar_zone_of_text(const char *s, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < 8; i++) v = v << 8 | (i < n ? (uint8_t)s[i] : 0);
    return (int64_t)(v ^ (1ull << 63));
}

const char *columnar_chunk_kind_name(enum columnar_chunk_kind k)
{
    static const char *const names[CHUNK_KINDS] = {
        "?", "ints", "dict", "decimals", "text-dict", "text-symbols", "text-plain"};

    return k < CHUNK_KINDS ? names[k] : "?";
}

static bool kind_fits(uint8_t kind, uint8_t type)
{
    if (type == SEAM_V_TEXT) return kind >= CHUNK_TEXT_DICT && kind <= CHUNK_TEXT_PLAIN;
    if (kind == CHUNK_DECIMALS) return type == SEAM_V_DOUBLE;
    return type > SEAM_V_NULL && type < SEAM_V_TEXT && (kind == CHUNK_INTS || kind == CHUNK_DICT);
}

static bool read_zones(struct columnar_chunk *c, struct seam_reader *r, unsigned width,
                       int64_t base, size_t data)
{
    uint32_t at = 0;

    for (uint32_t v = 0; v < c->vectors; v++) {
        struct columnar_zone *z = &c->zones[v];

        z->at = at;
        z->end = seam_read_u32(r);
        z->nulls = seam_read_u16(r);
        if (z->end < at || z->end > data || z->nulls > chunk_vector_rows(c, v)) return false;
        if ((z->nulls == chunk_vector_rows(c, v)) != (z->end == at)) return false;
        at = z->end;
        c->nulls += z->nulls;
    }
    c->min = INT64_MAX;
    c->max = INT64_MIN;
    for (uint32_t v = 0; v < c->vectors; v++) {
        struct columnar_zone *z = &c->zones[v];
        const uint8_t *p = seam_read_bytes(r, 2 * (size_t)width);
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

/* Bytes that are good and memory that is short must not look alike: the one is damage. */
static bool want_memory(struct columnar_chunk *c)
{
    c->no_memory = true;
    return false;
}

static bool read_int_dict(struct columnar_chunk *c, struct seam_reader *r)
{
    size_t bytes;

    c->dict_count = seam_read_u32(r);
    if (r->bad || c->dict_count < 1 || c->dict_count > CHUNK_DICT_MAX ||
        seam_reader_left(r) != (size_t)c->dict_count * 8)
        return false;
    c->dict_slots = 2 * c->dict_count;
    bytes = (size_t)c->dict_slots * 8;
    if (c->type == SEAM_V_DOUBLE)
        c->dict_d = calloc(1, bytes);
    else
        c->dict_i = calloc(1, bytes);
    if (c->dict_d == NULL && c->dict_i == NULL) return want_memory(c);
    for (uint32_t k = 0; k < c->dict_count; k++) {
        int64_t z = (int64_t)seam_read_u64(r);

        if (c->dict_d != NULL)
            c->dict_d[k] = columnar_zone_to_double(z);
        else
            c->dict_i[k] = z;
    }
    return !r->bad;
}

static bool read_text_dict(struct columnar_chunk *c, struct seam_reader *r)
{
    c->dict_count = seam_read_u32(r);
    if (r->bad || c->dict_count < 1 || c->dict_count > CHUNK_DICT_MAX ||
        c->dict_count > seam_reader_left(r))
        return false;
    c->dict_slots = 2 * c->dict_count;
    c->dict_s = calloc(c->dict_slots, sizeof *c->dict_s);
    if (c->dict_s == NULL) return want_memory(c);
    for (uint32_t k = 0; k < c->dict_slots; k++) {
        size_t n = 0;

        c->dict_s[k].s = "";
        if (k >= c->dict_count) continue;
        c->dict_s[k].s = (const char *)seam_read_lenstr(r, SEAM_TEXT_MAX, &n);
        c->dict_s[k].len = (uint32_t)n;
        if (c->dict_s[k].s == NULL) return false;
    }
    return seam_reader_left(r) == 0;
}

static bool read_aux(struct columnar_chunk *c, const uint8_t *aux, size_t n)
{
    struct seam_reader r = seam_reader_of(aux, n);

    switch (c->kind) {
    case CHUNK_DICT: return c->narrow && read_int_dict(c, &r);
    case CHUNK_TEXT_DICT: return c->narrow && read_text_dict(c, &r);
    case CHUNK_TEXT_SYMBOLS:
        c->symbols = malloc(sizeof *c->symbols);
        if (c->symbols == NULL) return want_memory(c);
        return columnar_symbols_read(&r, c->symbols) && seam_reader_left(&r) == 0;
    case CHUNK_DECIMALS: return n == 0 && c->factor <= 12;
    default: return n == 0;
    }
}

static bool open_parts(struct columnar_chunk *c, struct seam_reader *r)
{
    unsigned width, flags;
    size_t aux_size, data;
    int64_t zone_base;
    const uint8_t *aux;

    c->kind = seam_read_u8(r);
    c->type = seam_read_u8(r);
    c->scale = seam_read_u8(r);
    flags = seam_read_u8(r);
    c->narrow = flags & 1;
    c->rows = seam_read_u32(r);
    c->base = seam_read_u64(r);
    c->factor = seam_read_u64(r);
    aux_size = seam_read_u32(r);
    width = seam_read_u32(r);
    zone_base = (int64_t)seam_read_u64(r);
    if (r->bad || flags > 1 || !kind_fits(c->kind, c->type) || c->rows < 1 ||
        c->rows > CHUNK_ROWS_MAX || c->scale > SEAM_DECIMAL_SCALE_MAX || width > 8 ||
        (width & (width - 1)) != 0 || (c->kind == CHUNK_INTS && c->factor == 0))
        return false;
    c->vectors = (c->rows + COLUMNAR_VECTOR_ROWS - 1) / COLUMNAR_VECTOR_ROWS;
    data = (size_t)c->vectors * (6 + 2 * (size_t)width) + aux_size;
    if (seam_reader_left(r) < data) return false;
    data = seam_reader_left(r) - data;
    c->zones = calloc(c->vectors, sizeof *c->zones);
    if (c->zones == NULL) return want_memory(c);
    if (!read_zones(c, r, width, zone_base, data)) return false;
    aux = seam_read_bytes(r, aux_size);
    if (aux == NULL && aux_size > 0) return false;
    c->data = r->pos;
    return read_aux(c, aux, aux_size);
}

enum seam_status columnar_chunk_open(const uint8_t *p, size_t size, struct columnar_chunk **out,
                                     size_t *at)
{
    struct seam_reader r = seam_reader_of(p, size);
    struct columnar_chunk *c = calloc(1, sizeof *c);
    enum seam_status st = SEAM_NOMEM;

    if (c != NULL) {
        c->size = size;
        st = open_parts(c, &r) ? SEAM_OK : c->no_memory ? SEAM_NOMEM : SEAM_CORRUPT;
    }
    *at = seam_reader_offset(&r);
    if (st != SEAM_OK) {
        columnar_chunk_close(c);
        c = NULL;
    }
    *out = c;
    return st;
}

void columnar_chunk_close(struct columnar_chunk *c)
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
static bool sized_ints(const uint8_t **p, size_t *left, size_t n, struct columnar_ints_block *b)
{
    size_t size;

    if (*left < 2) return false;
    size = seam_get_u16(*p);
    if (*left - 2 < size || !columnar_ints_parse(*p + 2, size, n, b)) return false;
    *p += 2 + size;
    *left -= 2 + size;
    return true;
}

bool columnar_chunk_vector(const struct columnar_chunk *c, uint32_t v,
                           struct columnar_chunk_vector *out)
{
    const struct columnar_zone *z = &c->zones[v];
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
        return columnar_ints_parse(p, left, out->rows, &out->ints) &&
               (!c->narrow || out->ints.width <= 32);
    default: /* codes must stay inside the padded dictionary */
        return columnar_ints_parse(p, left, out->rows, &out->ints) && out->ints.width <= 32 &&
               columnar_ints_bound(&out->ints) < c->dict_slots;
    }
}

bool columnar_chunk_vector_nulls(const struct columnar_chunk_vector *cv,
                                 uint64_t bits[COLUMNAR_VECTOR_WORDS])
{
    uint32_t flags[COLUMNAR_VECTOR_ROWS];
    size_t words = seam_bitset_words(cv->rows);

    if (cv->nulls == 0 || cv->nulls == cv->rows) {
        memset(bits, cv->nulls == 0 ? 0 : 0xff, COLUMNAR_VECTOR_WORDS * 8);
        return true;
    }
    if (!columnar_ints_decode32(&cv->null_bits, cv->rows, flags)) return false;
    memset(bits, 0, COLUMNAR_VECTOR_WORDS * 8);
    for (size_t w = 0; w < words; w++) {
        size_t first = w * 64, n = cv->rows - first < 64 ? cv->rows - first : 64;
        uint64_t word = 0;

        for (size_t i = 0; i < n; i++) word |= (uint64_t)(flags[first + i] & 1) << i;
        bits[w] = word;
    }
    return seam_bitset_count(bits, cv->rows) == cv->nulls;
}

struct columnar_chunk_scratch *columnar_chunk_scratch_new(void)
{
    return calloc(1, sizeof(struct columnar_chunk_scratch));
}

void columnar_chunk_scratch_free(struct columnar_chunk_scratch *s)
{
    if (s == NULL) return;
    free(s->s);
    free(s->bytes);
    free(s);
}

static enum seam_status read_ints(const struct columnar_chunk *c,
                                  const struct columnar_chunk_vector *cv,
                                  struct columnar_chunk_scratch *s)
{
    uint64_t base = c->base, factor = c->factor;

    if (c->narrow) {
        if (!columnar_ints_decode32(&cv->ints, cv->rows, s->code)) return SEAM_CORRUPT;
        columnar_kernel_widen(s->code, cv->rows, base, factor, s->i);
    } else {
        if (!columnar_ints_decode64(&cv->ints, cv->rows, s->u)) return SEAM_CORRUPT;
        for (uint32_t i = 0; i < cv->rows; i++) s->u[i] = base + factor * s->u[i];
    }
    if (c->type == SEAM_V_DOUBLE)
        for (uint32_t i = 0; i < cv->rows; i++) s->d[i] = columnar_zone_to_double(s->i[i]);
    return SEAM_OK;
}

static enum seam_status read_decimals(const struct columnar_chunk *c,
                                      const struct columnar_chunk_vector *cv,
                                      struct columnar_chunk_scratch *s)
{
    static const double powers[13] = {1e0, 1e1, 1e2, 1e3,  1e4,  1e5, 1e6,
                                      1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
    double divisor = powers[c->factor];
    struct seam_reader r = seam_reader_of(cv->rest, cv->rest_size);
    unsigned bad = seam_read_u16(&r);
    const uint8_t *where = seam_read_bytes(&r, 2 * (size_t)bad),
                  *bits = seam_read_bytes(&r, 8 * (size_t)bad);

    if (r.bad || seam_reader_left(&r) != 0) return SEAM_CORRUPT;
    if (!columnar_ints_decode64(&cv->ints, cv->rows, s->u)) return SEAM_CORRUPT;
    for (uint32_t i = 0; i < cv->rows; i++)
        s->d[i] = (double)(int64_t)(s->u[i] + c->base) / divisor;
    for (unsigned k = 0; k < bad; k++) {
        unsigned at = seam_get_u16(where + 2 * k);

        if (at >= cv->rows) return SEAM_CORRUPT;
        s->d[at] = seam_get_f64(bits + 8 * k);
    }
    return SEAM_OK;
}

static enum seam_status read_text(const struct columnar_chunk *c,
                                  const struct columnar_chunk_vector *cv,
                                  struct columnar_chunk_scratch *s)
{
    uint64_t total = 0;
    const char *p;

    if (!columnar_ints_decode32(&cv->ints, cv->rows, s->code)) return SEAM_CORRUPT;
    for (uint32_t i = 0; i < cv->rows; i++) total += s->code[i];
    if (c->kind == CHUNK_TEXT_PLAIN) {
        if (total != cv->rest_size) return SEAM_CORRUPT;
        p = (const char *)cv->rest;
    } else {
        /* A code gives at most 16 bytes: a bound before memory is taken. */
        if (total > (uint64_t)cv->rest_size * SYMBOL_BYTES) return SEAM_CORRUPT;
        if (s->bytes_cap < total + SYMBOLS_DECODE_SLACK) {
            free(s->bytes);
            s->bytes_cap = (size_t)total + (size_t)total / 2 + SYMBOLS_DECODE_SLACK;
            s->bytes = malloc(s->bytes_cap);
            if (s->bytes == NULL) {
                s->bytes_cap = 0;
                return SEAM_NOMEM;
            }
        }
        if (!columnar_symbols_decode(c->symbols, cv->rest, cv->rest_size, s->bytes, (size_t)total))
            return SEAM_CORRUPT;
        p = (const char *)s->bytes;
    }
    for (uint32_t i = 0; i < cv->rows; i++) {
        s->s[i] = (struct columnar_text_ref){p, s->code[i]};
        p += s->code[i];
    }
    return SEAM_OK;
}

/* Every value alike: no array is filled. */
static bool read_const(const struct columnar_chunk *c, const struct columnar_chunk_vector *cv,
                       struct columnar_chunk_scratch *s, struct columnar_vec *out)
{
    if (cv->ints.mode != INTS_CONST) return false;
    switch (c->kind) {
    case CHUNK_INTS:
        s->u[0] = c->base + c->factor * cv->ints.base;
        if (c->type == SEAM_V_DOUBLE) s->d[0] = columnar_zone_to_double(s->i[0]);
        out->i = s->i;
        break;
    case CHUNK_DICT:
        if (c->dict_d != NULL)
            out->d = c->dict_d + cv->ints.base;
        else
            out->i = c->dict_i + cv->ints.base;
        break;
    case CHUNK_TEXT_DICT: out->s = c->dict_s + cv->ints.base; break;
    default: return false;
    }
    out->kind = COLUMNAR_VEC_CONST;
    return true;
}

static enum seam_status read_values(const struct columnar_chunk *c,
                                    const struct columnar_chunk_vector *cv,
                                    struct columnar_chunk_scratch *s, struct columnar_vec *out)
{
    out->kind = COLUMNAR_VEC_FLAT;
    out->i = s->i;
    switch (c->kind) {
    case CHUNK_INTS: return read_ints(c, cv, s);
    case CHUNK_DECIMALS: return read_decimals(c, cv, s);
    case CHUNK_TEXT_SYMBOLS:
    case CHUNK_TEXT_PLAIN: out->s = s->s; return read_text(c, cv, s);
    default:
        if (!columnar_ints_decode32(&cv->ints, cv->rows, s->code)) return SEAM_CORRUPT;
        out->kind = COLUMNAR_VEC_DICT;
        out->stable = true;
        out->dict_count = c->dict_slots;
        out->code = s->code;
        if (c->type == SEAM_V_TEXT)
            out->s = c->dict_s;
        else if (c->type == SEAM_V_DOUBLE)
            out->d = c->dict_d;
        else
            out->i = c->dict_i;
        return SEAM_OK;
    }
}

enum seam_status columnar_chunk_read(const struct columnar_chunk *c, uint32_t v,
                                     struct columnar_chunk_scratch *s, struct columnar_vec *out)
{
    static const uint64_t one_null[1] = {1};
    struct columnar_chunk_vector cv;

    assert(v < c->vectors);
    *out =
        (struct columnar_vec){.type = c->type, .scale = c->scale, .lo = INT64_MIN, .hi = INT64_MAX};
    if (!columnar_chunk_vector(c, v, &cv)) return SEAM_CORRUPT;
    if (s->s == NULL && c->type == SEAM_V_TEXT) {
        s->s = calloc(COLUMNAR_VECTOR_ROWS, sizeof *s->s);
        if (s->s == NULL) return SEAM_NOMEM;
    }
    if (cv.nulls == cv.rows) {
        out->kind = COLUMNAR_VEC_CONST;
        out->nulls = one_null;
        if (c->type == SEAM_V_TEXT) {
            s->s[0] = (struct columnar_text_ref){"", 0};
            out->s = s->s;
        } else {
            s->i[0] = 0;
            out->i = s->i;
        }
        return SEAM_OK;
    }
    if (c->type != SEAM_V_TEXT && c->type != SEAM_V_DOUBLE) {
        out->lo = c->zones[v].min;
        out->hi = c->zones[v].max;
    }
    if (cv.nulls > 0) {
        if (!columnar_chunk_vector_nulls(&cv, s->nulls)) return SEAM_CORRUPT;
        out->nulls = s->nulls;
        /* Bounds hold for values, and a null row may hold a filler from elsewhere in the chunk. */
        if (out->lo != INT64_MIN || out->hi != INT64_MAX) {
            out->lo = c->min;
            out->hi = c->max;
        }
    } else if (read_const(c, &cv, s, out)) {
        return SEAM_OK;
    }
    return read_values(c, &cv, s, out);
}

void columnar_cells_put(struct columnar_cells *c, uint32_t row, const struct seam_value *v)
{
    if (v->type == SEAM_V_NULL) {
        seam_bitset_set(c->nulls, row);
        c->any = true;
        if (c->s != NULL)
            c->s[row] = (struct columnar_text_ref){"", 0};
        else
            c->i[row] = 0;
    } else if (c->s != NULL) {
        c->s[row] = (struct columnar_text_ref){v->s, v->len};
    } else {
        c->i[row] = v->i;
    }
}

struct seam_value columnar_vec_value(const struct columnar_vec *v, uint32_t row)
{
    uint32_t slot = columnar_vec_slot(v, row);
    struct seam_value out = {.type = v->type, .scale = v->scale};

    if (columnar_vec_null(v, row)) return seam_v_null();
    if (v->type == SEAM_V_TEXT) {
        out.s = v->s[slot].s;
        out.len = v->s[slot].len;
    } else if (v->type == SEAM_V_DOUBLE) {
        out.d = v->d[slot];
    } else {
        out.i = v->i[slot];
    }
    return out;
}
