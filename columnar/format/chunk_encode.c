/* chunk_encode - one column's values to the smallest of the encodings, measured and not guessed. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "columnar/format/chunk.h"
#include "engine/base/bitpack.h"
#include "engine/base/hash.h"

enum { COUNT_BITS = 1 << 17, FEW_TEXTS = 256, DIGITS_MAX = 12 };

/* The column as its encoders want it: order-preserving integers, or text. */
struct encoder {
    const struct columnar_column *c;
    size_t from, rows;
    enum seam_value_type type;
    unsigned scale;
    int64_t *z;  /* int-like values; doubles as zone integers; text prefixes */
    uint64_t *e; /* encoded integers of the kind under trial */
    uint32_t vectors;
    struct columnar_zone *zones;
    int64_t min, max;
    uint64_t nulls, distinct;
    bool failed;
};

static bool is_null(const struct encoder *x, size_t i)
{
    return x->c->nulls != NULL && seam_bitset_get(x->c->nulls, x->from + i);
}

static const char *text_at(const struct encoder *x, size_t i, size_t *n)
{
    size_t row = x->from + i;
    uint64_t begin = row == 0 ? 0 : x->c->ends[row - 1];

    *n = (size_t)(x->c->ends[row] - begin);
    return x->c->text + begin;
}

static size_t vector_rows(const struct encoder *x, uint32_t v)
{
    size_t left = x->rows - (size_t)v * COLUMNAR_VECTOR_ROWS;

    return left < COLUMNAR_VECTOR_ROWS ? left : COLUMNAR_VECTOR_ROWS;
}

/* Fills z; null rows repeat the value before them (or the first value), which packs and runs best. */
static void load_values(struct encoder *x)
{
    size_t first = 0;
    int64_t last = 0;

    for (size_t i = 0; i < x->rows; i++) {
        size_t n;
        const char *s;

        if (is_null(x, i)) continue;
        switch (x->type) {
        case SEAM_V_DOUBLE: x->z[i] = columnar_zone_of_double(x->c->doubles[x->from + i]); break;
        case SEAM_V_TEXT:
            s = text_at(x, i, &n);
            x->z[i] = columnar_zone_of_text(s, n);
            break;
        default: x->z[i] = x->c->ints[x->from + i];
        }
    }
    if (x->c->nulls == NULL) return;
    while (first < x->rows && is_null(x, first)) first++;
    if (first < x->rows) last = x->z[first];
    for (size_t i = 0; i < x->rows; i++) {
        if (is_null(x, i))
            x->z[i] = last;
        else
            last = x->z[i];
    }
}

static void measure_zones(struct encoder *x)
{
    x->min = INT64_MAX;
    x->max = INT64_MIN;
    x->nulls = 0;
    for (uint32_t v = 0; v < x->vectors; v++) {
        struct columnar_zone *zone = &x->zones[v];
        size_t n = vector_rows(x, v), at = (size_t)v * COLUMNAR_VECTOR_ROWS;
        int64_t min = INT64_MAX, max = INT64_MIN;
        uint32_t nulls = 0;

        if (x->c->nulls != NULL)
            for (size_t i = 0; i < n; i++) nulls += is_null(x, at + i);
        /* Fillers repeat a value of the chunk, maybe of another vector: skip them here. */
        for (size_t i = 0; i < n; i++) {
            if (nulls > 0 && is_null(x, at + i)) continue;
            if (x->z[at + i] < min) min = x->z[at + i];
            if (x->z[at + i] > max) max = x->z[at + i];
        }
        *zone = (struct columnar_zone){.min = min, .max = max, .nulls = nulls};
        x->nulls += nulls;
        if (min < x->min) x->min = min;
        if (max > x->max) x->max = max;
    }
}

/* Linear counting (Whang et al. 1990) over hashes of the values: good to a few per cent. */
static void count_distinct(struct encoder *x)
{
    uint64_t *seen = calloc(COUNT_BITS / 64, 8);
    size_t set;

    if (seen == NULL) {
        x->failed = true;
        return;
    }
    for (size_t i = 0; i < x->rows; i++) {
        uint64_t h;

        if (x->nulls > 0 && is_null(x, i)) continue;
        if (x->type == SEAM_V_TEXT) {
            size_t n;
            const char *s = text_at(x, i, &n);

            h = seam_hash64(s, n, 0);
        } else {
            h = seam_hash64_u64((uint64_t)x->z[i]);
        }
        seam_bitset_set(seen, h & (COUNT_BITS - 1));
    }
    set = seam_bitset_count(seen, COUNT_BITS);
    x->distinct = set < COUNT_BITS
                      ? (uint64_t)(-(double)COUNT_BITS * log(1.0 - (double)set / COUNT_BITS) + 0.5)
                      : x->rows;
    if (x->distinct > x->rows - x->nulls) x->distinct = x->rows - x->nulls;
    if (x->distinct == 0 && x->nulls < x->rows) x->distinct = 1;
    free(seen);
}

/* ---- writing a chunk of some kind ---- */

struct draft {
    struct seam_buf aux, data;
    uint8_t kind;
    bool narrow;
    uint64_t base, factor;
};

static void draft_free(struct draft *d)
{
    seam_buf_free(&d->aux);
    seam_buf_free(&d->data);
}

static void write_nulls(struct encoder *x, uint32_t v, struct seam_buf *out)
{
    uint64_t flags[COLUMNAR_VECTOR_ROWS];
    size_t n = vector_rows(x, v), at = out->size;

    if (x->zones[v].nulls == 0) return;
    for (size_t i = 0; i < n; i++) flags[i] = is_null(x, (size_t)v * COLUMNAR_VECTOR_ROWS + i);
    seam_buf_u16(out, 0);
    columnar_ints_encode(flags, n, false, out);
    if (seam_buf_ok(out)) seam_put_u16(out->data + at, (uint16_t)(out->size - at - 2));
}

static bool all_null(const struct encoder *x, uint32_t v)
{
    return x->zones[v].nulls == vector_rows(x, v);
}

static void write_int_blocks(struct encoder *x, bool codes, struct draft *d, uint32_t *ends)
{
    for (uint32_t v = 0; v < x->vectors; v++) {
        if (!all_null(x, v)) {
            write_nulls(x, v, &d->data);
            columnar_ints_encode(x->e + (size_t)v * COLUMNAR_VECTOR_ROWS, vector_rows(x, v), codes,
                                 &d->data);
        }
        ends[v] = (uint32_t)d->data.size;
    }
}

static uint64_t gcd_u64(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t t = a % b;

        a = b;
        b = t;
    }
    return a;
}

/* The largest number that divides every value's distance from min: a day, a cent, 1. */
static uint64_t common_factor(const struct encoder *x)
{
    uint64_t g = 0;

    for (size_t i = 0; i < x->rows; i++) {
        uint64_t off = (uint64_t)x->z[i] - (uint64_t)x->min;

        if (off == 0 || (g != 0 && off % g == 0)) continue;
        g = gcd_u64(off, g);
        if (g == 1) break;
    }
    return g == 0 ? 1 : g;
}

static void draft_ints(struct encoder *x, struct draft *d, uint32_t *ends)
{
    d->kind = CHUNK_INTS;
    d->base = x->nulls == x->rows ? 0 : (uint64_t)x->min;
    d->factor = x->nulls == x->rows ? 1 : common_factor(x);
    for (size_t i = 0; i < x->rows; i++) x->e[i] = (uint64_t)x->z[i] - d->base;
    if (d->factor > 1)
        for (size_t i = 0; i < x->rows; i++) x->e[i] /= d->factor;
    d->narrow = ((uint64_t)x->max - (uint64_t)x->min) / d->factor <= UINT32_MAX;
    write_int_blocks(x, false, d, ends);
}

static int by_i64(const void *pa, const void *pb)
{
    int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;

    return (a > b) - (a < b);
}

/* Distinct values by hashing, at most `max`; codes[i] = order of first sight. 0: too many or no memory. */
static size_t gather_ints(const struct encoder *x, size_t max, int64_t *values, uint64_t *codes)
{
    size_t slots = 1, count = 0;
    uint32_t *table;

    while (slots < 2 * max + 2) slots *= 2;
    table = calloc(slots, sizeof *table);
    if (table == NULL) return 0;
    for (size_t i = 0; i < x->rows; i++) {
        size_t h = seam_hash64_u64((uint64_t)x->z[i]) & (slots - 1);

        while (table[h] != 0 && values[table[h] - 1] != x->z[i]) h = (h + 1) & (slots - 1);
        if (table[h] == 0) {
            if (count == max) {
                count = 0;
                break;
            }
            values[count] = x->z[i];
            table[h] = (uint32_t)++count;
        }
        codes[i] = table[h] - 1;
    }
    free(table);
    return count;
}

static void draft_dict(struct encoder *x, struct draft *d, uint32_t *ends)
{
    size_t max = x->distinct + x->distinct / 8 + 16, count;
    int64_t *values, *sorted;
    uint64_t *rank;

    if (max > CHUNK_DICT_MAX) max = CHUNK_DICT_MAX;
    values = malloc(max * sizeof *values);
    sorted = malloc(max * sizeof *sorted);
    rank = malloc(max * sizeof *rank);
    if (values == NULL || sorted == NULL || rank == NULL) {
        x->failed = true;
    } else if ((count = gather_ints(x, max, values, x->e)) > 0) {
        memcpy(sorted, values, count * sizeof *values);
        qsort(sorted, count, sizeof *sorted, by_i64);
        for (size_t k = 0; k < count; k++) {
            int64_t *at = bsearch(&values[k], sorted, count, sizeof *sorted, by_i64);

            rank[k] = (uint64_t)(at - sorted);
        }
        for (size_t i = 0; i < x->rows; i++) x->e[i] = rank[x->e[i]];
        d->kind = CHUNK_DICT;
        d->narrow = true;
        seam_buf_u32(&d->aux, (uint32_t)count);
        for (size_t k = 0; k < count; k++) seam_buf_u64(&d->aux, (uint64_t)sorted[k]);
        write_int_blocks(x, true, d, ends);
    }
    free(values);
    free(sorted);
    free(rank);
}

/* ---- doubles that are decimals ---- */

static const double powers_of_ten[DIGITS_MAX + 1] = {1e0, 1e1, 1e2, 1e3,  1e4,  1e5, 1e6,
                                                     1e7, 1e8, 1e9, 1e10, 1e11, 1e12};

static bool decimal_of(double d, unsigned digits, int64_t *out)
{
    double scaled = d * powers_of_ten[digits], whole = nearbyint(scaled);

    if (!(fabs(scaled) < 9007199254740992.0)) return false; /* also NaN and infinities */
    *out = (int64_t)whole;
    return (double)*out / powers_of_ten[digits] == d && !(*out == 0 && signbit(d));
}

/* Digits that leave the fewest exceptions in a sample, or -1 when more than one in 16 stays. */
static int choose_digits(const struct encoder *x)
{
    size_t step = x->rows / 1024 + 1, best_bad = SIZE_MAX, sampled = 0;
    int best = -1;

    for (unsigned digits = 0; digits <= DIGITS_MAX; digits++) {
        size_t bad = 0;

        sampled = 0;
        for (size_t i = 0; i < x->rows; i += step) {
            int64_t scaled;

            if (is_null(x, i)) continue;
            sampled++;
            bad += !decimal_of(x->c->doubles[x->from + i], digits, &scaled);
        }
        if (bad < best_bad) {
            best_bad = bad;
            best = (int)digits;
        }
        if (bad == 0) break;
    }
    return best_bad <= sampled / 16 ? best : -1;
}

static void write_decimal_block(struct encoder *x, uint32_t v, unsigned digits, uint64_t base,
                                struct seam_buf *out)
{
    size_t n = vector_rows(x, v), first = (size_t)v * COLUMNAR_VECTOR_ROWS, at, bad = 0;
    uint16_t where[COLUMNAR_VECTOR_ROWS];
    uint64_t e[COLUMNAR_VECTOR_ROWS], filler = 0;
    bool have_filler = false;

    for (size_t i = 0; i < n; i++) {
        double d = columnar_zone_to_double(x->z[first + i]);
        int64_t scaled;

        if (decimal_of(d, digits, &scaled)) {
            e[i] = (uint64_t)scaled - base;
            if (!have_filler) filler = e[i];
            have_filler = true;
        } else {
            where[bad++] = (uint16_t)i;
        }
    }
    for (size_t k = 0; k < bad; k++) e[where[k]] = filler;
    at = out->size;
    seam_buf_u16(out, 0);
    columnar_ints_encode(e, n, false, out);
    if (seam_buf_ok(out)) seam_put_u16(out->data + at, (uint16_t)(out->size - at - 2));
    seam_buf_u16(out, (uint16_t)bad);
    for (size_t k = 0; k < bad; k++) seam_buf_u16(out, where[k]);
    for (size_t k = 0; k < bad; k++) {
        double d = columnar_zone_to_double(x->z[first + where[k]]);
        uint64_t bits;

        memcpy(&bits, &d, 8);
        seam_buf_u64(out, bits);
    }
}

static void draft_decimals(struct encoder *x, struct draft *d, uint32_t *ends)
{
    int digits = choose_digits(x);
    int64_t min = INT64_MAX, max = INT64_MIN;

    if (digits < 0) return;
    for (size_t i = 0; i < x->rows; i++) {
        int64_t scaled;

        if (!decimal_of(columnar_zone_to_double(x->z[i]), (unsigned)digits, &scaled)) continue;
        if (scaled < min) min = scaled;
        if (scaled > max) max = scaled;
    }
    if (min > max) return;
    d->kind = CHUNK_DECIMALS;
    d->base = (uint64_t)min;
    d->factor = (uint64_t)digits;
    d->narrow = (uint64_t)max - (uint64_t)min <= UINT32_MAX;
    for (uint32_t v = 0; v < x->vectors; v++) {
        if (!all_null(x, v)) {
            write_nulls(x, v, &d->data);
            write_decimal_block(x, v, (unsigned)digits, d->base, &d->data);
        }
        ends[v] = (uint32_t)d->data.size;
    }
}

/* ---- text ---- */

struct text_entry {
    struct columnar_text_ref text;
    uint64_t first;
};

static int by_text(const void *pa, const void *pb)
{
    const struct text_entry *a = pa, *b = pb;
    uint32_t n = a->text.len < b->text.len ? a->text.len : b->text.len;
    int c = n == 0 ? 0 : memcmp(a->text.s, b->text.s, n);

    return c != 0 ? c : (a->text.len > b->text.len) - (a->text.len < b->text.len);
}

static size_t gather_texts(const struct encoder *x, size_t max, struct text_entry *entries)
{
    size_t slots = 1, count = 0;
    struct {
        uint32_t id, tag;
    } * table;

    while (slots < 2 * max + 2) slots *= 2;
    table = calloc(slots, sizeof *table);
    if (table == NULL) return 0;
    for (size_t i = 0; i < x->rows; i++) {
        size_t n, h;
        const char *s = "";
        uint64_t hash;

        if (is_null(x, i)) {
            x->e[i] = i == 0 ? 0 : x->e[i - 1];
            continue;
        }
        s = text_at(x, i, &n);
        hash = seam_hash64(s, n, 0);
        h = hash & (slots - 1);
        for (; table[h].id != 0; h = (h + 1) & (slots - 1)) {
            const struct text_entry *t = &entries[table[h].id - 1];

            if (table[h].tag == (uint32_t)(hash >> 32) && t->text.len == n &&
                (n == 0 || memcmp(t->text.s, s, n) == 0))
                break;
        }
        if (table[h].id == 0) {
            if (count == max) {
                count = 0;
                break;
            }
            entries[count] = (struct text_entry){.text = {s, (uint32_t)n}, .first = count};
            table[h].tag = (uint32_t)(hash >> 32);
            table[h].id = (uint32_t)++count;
        }
        x->e[i] = table[h].id - 1;
    }
    free(table);
    return count;
}

static void draft_text_dict(struct encoder *x, struct draft *d, uint32_t *ends)
{
    size_t max = x->distinct + x->distinct / 8 + 16, count;
    struct text_entry *entries;
    uint64_t *rank;

    if (max > CHUNK_DICT_MAX) max = CHUNK_DICT_MAX;
    entries = malloc(max * sizeof *entries);
    rank = malloc(max * sizeof *rank);
    if (entries == NULL || rank == NULL) {
        x->failed = true;
    } else if ((count = gather_texts(x, max, entries)) > 0) {
        qsort(entries, count, sizeof *entries, by_text);
        for (size_t k = 0; k < count; k++) rank[entries[k].first] = k;
        for (size_t i = 0; i < x->rows; i++) x->e[i] = rank[x->e[i]];
        d->kind = CHUNK_TEXT_DICT;
        d->narrow = true;
        seam_buf_u32(&d->aux, (uint32_t)count);
        for (size_t k = 0; k < count; k++)
            seam_buf_lenstr(&d->aux, entries[k].text.s, entries[k].text.len);
        write_int_blocks(x, true, d, ends);
    }
    free(entries);
    free(rank);
}

/* Text of one vector as one run: lengths to x->e, where it lies to *s and *n. */
static void vector_text(struct encoder *x, uint32_t v, struct seam_buf *joined)
{
    size_t n = vector_rows(x, v), first = (size_t)v * COLUMNAR_VECTOR_ROWS;

    seam_buf_clear(joined);
    for (size_t i = 0; i < n; i++) {
        size_t len = 0;
        const char *s = is_null(x, first + i) ? NULL : text_at(x, first + i, &len);

        x->e[first + i] = len;
        if (s != NULL) seam_buf_append(joined, s, len);
    }
}

static void draft_text(struct encoder *x, const struct columnar_symbol_encoder *symbols,
                       struct draft *d, uint32_t *ends)
{
    struct seam_buf joined = {0};

    d->kind = symbols != NULL ? CHUNK_TEXT_SYMBOLS : CHUNK_TEXT_PLAIN;
    d->narrow = true;
    if (symbols != NULL) columnar_symbols_write(columnar_symbols_table(symbols), &d->aux);
    for (uint32_t v = 0; v < x->vectors; v++) {
        if (!all_null(x, v)) {
            size_t at;

            write_nulls(x, v, &d->data);
            vector_text(x, v, &joined);
            at = d->data.size;
            seam_buf_u16(&d->data, 0);
            columnar_ints_encode(x->e + (size_t)v * COLUMNAR_VECTOR_ROWS, vector_rows(x, v), false,
                                 &d->data);
            if (seam_buf_ok(&d->data))
                seam_put_u16(d->data.data + at, (uint16_t)(d->data.size - at - 2));
            if (symbols != NULL)
                columnar_symbols_encode(symbols, joined.data, joined.size, &d->data);
            else
                seam_buf_append(&d->data, joined.data, joined.size);
            if (!seam_buf_ok(&joined)) x->failed = true;
        }
        ends[v] = (uint32_t)d->data.size;
    }
    seam_buf_free(&joined);
}

/* A sample spread over the chunk: every k-th string, up to 64 KiB. */
static struct columnar_symbol_encoder *learn_symbols(struct encoder *x, uint64_t text_bytes)
{
    struct seam_buf sample = {0};
    struct columnar_symbol_encoder *e;
    size_t step = (size_t)(text_bytes / (64 << 10)) + 1;

    for (size_t i = 0; i < x->rows && sample.size < (64 << 10); i += step) {
        size_t n;
        const char *s;

        if (is_null(x, i)) continue;
        s = text_at(x, i, &n);
        seam_buf_append(&sample, s, n > 4096 ? 4096 : n);
    }
    e = seam_buf_ok(&sample) ? columnar_symbols_learn(sample.data, sample.size) : NULL;
    if (e == NULL) x->failed = true;
    seam_buf_free(&sample);
    return e;
}

static uint64_t text_bytes(const struct encoder *x)
{
    uint64_t begin = x->from == 0 ? 0 : x->c->ends[x->from - 1];

    return x->c->ends[x->from + x->rows - 1] - begin;
}

/* ---- choosing ---- */

static size_t draft_size(const struct draft *d)
{
    return d->aux.size + d->data.size;
}

static void keep_smaller(struct draft *best, uint32_t *best_ends, struct draft *other,
                         uint32_t *other_ends, uint32_t vectors)
{
    if (other->kind != 0 && (best->kind == 0 || draft_size(other) < draft_size(best))) {
        struct draft swap = *best;

        *best = *other;
        *other = swap;
        memcpy(best_ends, other_ends, vectors * sizeof *best_ends);
    }
    draft_free(other);
    *other = (struct draft){0};
}

static void choose(struct encoder *x, struct draft *best, uint32_t *ends, uint32_t *other_ends)
{
    struct draft other = {0};
    size_t live = x->rows - x->nulls;

    if (x->type == SEAM_V_TEXT) {
        uint64_t bytes = text_bytes(x);
        struct columnar_symbol_encoder *symbols = NULL;

        if (x->distinct < CHUNK_DICT_MAX && x->distinct <= live / 2 + 1)
            draft_text_dict(x, best, ends);
        /* A dictionary answers predicates and groups once a distinct value: few values settle it, and elsewhere
         * symbols must take half its size.                                                          */
        if (best->kind != 0 && (x->distinct <= FEW_TEXTS || draft_size(best) < bytes / 10 + 64))
            return;
        if (bytes >= 512) {
            symbols = learn_symbols(x, bytes);
            if (symbols != NULL) draft_text(x, symbols, &other, other_ends);
            if (best->kind != 0 && 2 * draft_size(&other) > draft_size(best)) {
                draft_free(&other);
                columnar_symbols_encoder_free(symbols);
                return;
            }
            keep_smaller(best, ends, &other, other_ends, x->vectors);
            columnar_symbols_encoder_free(symbols);
            if (draft_size(best) < bytes) return;
        }
        draft_text(x, NULL, &other, other_ends);
        keep_smaller(best, ends, &other, other_ends, x->vectors);
        return;
    }
    draft_ints(x, best, ends);
    if (x->type == SEAM_V_DOUBLE && live > 0) {
        draft_decimals(x, &other, other_ends);
        keep_smaller(best, ends, &other, other_ends, x->vectors);
    }
    /* A dictionary needs 64 bits a distinct value, and pays when codes are narrower than values. */
    if (live > 0 && x->distinct < CHUNK_DICT_MAX && x->distinct <= live / 4 + 1 &&
        draft_size(best) > x->rows * seam_bits_for_u64(x->distinct) / 8 + x->distinct * 8) {
        draft_dict(x, &other, other_ends);
        /* Arithmetic decodes faster than looking up: a dictionary must save a quarter. */
        if (other.kind != 0 && draft_size(&other) > draft_size(best) / 4 * 3) {
            draft_free(&other);
            return;
        }
        keep_smaller(best, ends, &other, other_ends, x->vectors);
    }
}

static void put_zone(struct seam_buf *out, int64_t z, int64_t base, unsigned width)
{
    uint64_t off = (uint64_t)z - (uint64_t)base;
    uint8_t bytes[8];

    seam_put_u64(bytes, off);
    seam_buf_append(out, bytes, width);
}

static void assemble(struct encoder *x, const struct draft *d, const uint32_t *ends,
                     struct seam_buf *out)
{
    uint64_t range = x->nulls == x->rows ? 0 : (uint64_t)x->max - (uint64_t)x->min;
    unsigned width = range == 0            ? 0
                     : range <= UINT8_MAX  ? 1
                     : range <= UINT16_MAX ? 2
                     : range <= UINT32_MAX ? 4
                                           : 8;
    int64_t base = x->nulls == x->rows ? 0 : x->min;

    seam_buf_u8(out, d->kind);
    seam_buf_u8(out, (uint8_t)x->type);
    seam_buf_u8(out, (uint8_t)x->scale);
    seam_buf_u8(out, d->narrow ? 1 : 0);
    seam_buf_u32(out, (uint32_t)x->rows);
    seam_buf_u64(out, d->base);
    seam_buf_u64(out, d->factor);
    seam_buf_u32(out, (uint32_t)d->aux.size);
    seam_buf_u32(out, width);
    seam_buf_u64(out, (uint64_t)base);
    for (uint32_t v = 0; v < x->vectors; v++) {
        seam_buf_u32(out, ends[v]);
        seam_buf_u16(out, (uint16_t)x->zones[v].nulls);
    }
    for (uint32_t v = 0; v < x->vectors; v++) {
        put_zone(out, all_null(x, v) ? base : x->zones[v].min, base, width);
        put_zone(out, all_null(x, v) ? base : x->zones[v].max, base, width);
    }
    seam_buf_append(out, d->aux.data, d->aux.size);
    seam_buf_append(out, d->data.data, d->data.size);
    if (!seam_buf_ok(&d->aux) || !seam_buf_ok(&d->data)) x->failed = true;
}

void columnar_chunk_encode(const struct columnar_column *c, size_t from, size_t n,
                           enum seam_value_type type, unsigned scale, struct seam_buf *out,
                           struct columnar_chunk_summary *summary)
{
    struct encoder x = {.c = c, .from = from, .rows = n, .type = type, .scale = scale};
    struct draft best = {0};
    uint32_t *ends, *other_ends;

    assert(n >= 1 && n <= CHUNK_ROWS_MAX);
    x.vectors = (uint32_t)((n + COLUMNAR_VECTOR_ROWS - 1) / COLUMNAR_VECTOR_ROWS);
    x.z = malloc(n * sizeof *x.z);
    x.e = malloc(n * sizeof *x.e);
    x.zones = calloc(x.vectors, sizeof *x.zones);
    ends = malloc(x.vectors * sizeof *ends);
    other_ends = malloc(x.vectors * sizeof *other_ends);
    x.failed = x.z == NULL || x.e == NULL || x.zones == NULL || ends == NULL || other_ends == NULL;
    if (!x.failed) {
        load_values(&x);
        measure_zones(&x);
        count_distinct(&x);
    }
    if (!x.failed) {
        choose(&x, &best, ends, other_ends);
        assemble(&x, &best, ends, out);
        *summary = (struct columnar_chunk_summary){.kind = best.kind,
                                                   .type = (uint8_t)type,
                                                   .scale = (uint8_t)scale,
                                                   .min = x.min,
                                                   .max = x.max,
                                                   .nulls = x.nulls,
                                                   .distinct = x.distinct};
    }
    if (x.failed) out->failed = true;
    draft_free(&best);
    free(x.z);
    free(x.e);
    free(x.zones);
    free(ends);
    free(other_ends);
}
