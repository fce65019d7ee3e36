/* symbols - learns a symbol table from a sample, and codes strings with it. */
#include "columnar/format/symbols.h"

#include <assert.h>
#include <stdlib.h>

enum { ROUNDS = 5, SAMPLE_MAX = 64 << 10, HASH_SLOTS = 4096, CODES = 512, NONE = 0xffff };

/* While learning, codes 0..255 are literal bytes and 256 + k is symbol k. */
struct columnar_symbol_encoder {
    struct columnar_symbols table;
    uint16_t one[256];         /* symbol of that single byte, or NONE  */
    uint16_t two[65536];       /* symbol of those two bytes            */
    uint16_t head[HASH_SLOTS]; /* longer: chain by hash of 3 bytes, longest first */
    uint16_t next[256];
    uint64_t lo[256], hi[256]; /* symbol bytes as two words */
    uint64_t lo_mask[256], hi_mask[256];
};

static uint32_t hash3(uint32_t three)
{
    return (three * 0x9e3779b1u) >> 20;
}

static void encoder_index(struct columnar_symbol_encoder *e)
{
    struct columnar_symbols *t = &e->table;

    memset(e->one, 0xff, sizeof e->one);
    memset(e->two, 0xff, sizeof e->two);
    memset(e->head, 0xff, sizeof e->head);
    /* Symbols are sorted by length, so that inserting at the head leaves the longest first. */
    for (uint32_t k = 0; k < t->count; k++) {
        const uint8_t *b = t->bytes[k];
        unsigned len = t->length[k];

        memcpy(&e->lo[k], b, 8);
        memcpy(&e->hi[k], b + 8, 8);
        e->lo_mask[k] = len >= 8 ? UINT64_MAX : (1ull << (len * 8)) - 1;
        e->hi_mask[k] = len >= 16 ? UINT64_MAX : len <= 8 ? 0 : (1ull << ((len - 8) * 8)) - 1;
        if (len == 1) {
            e->one[b[0]] = (uint16_t)k;
        } else if (len == 2) {
            e->two[seam_get_u16(b)] = (uint16_t)k;
        } else {
            uint32_t h = hash3(b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16);

            e->next[k] = e->head[h];
            e->head[h] = (uint16_t)k;
        }
    }
}

/* The longest symbol at p, or NONE. */
static unsigned match(const struct columnar_symbol_encoder *e, const uint8_t *p, size_t left)
{
    uint8_t copy[SYMBOL_BYTES];
    uint64_t lo, hi;

    if (left < SYMBOL_BYTES) {
        memset(copy, 0, sizeof copy);
        memcpy(copy, p, left);
        p = copy;
    }
    memcpy(&lo, p, 8);
    memcpy(&hi, p + 8, 8);
    if (left >= 3)
        for (unsigned k = e->head[hash3((uint32_t)lo & 0xffffff)]; k != NONE; k = e->next[k])
            if (((lo ^ e->lo[k]) & e->lo_mask[k]) == 0 && ((hi ^ e->hi[k]) & e->hi_mask[k]) == 0 &&
                e->table.length[k] <= left)
                return k;
    if (left >= 2 && e->two[lo & 0xffff] != NONE) return e->two[lo & 0xffff];
    return e->one[lo & 0xff];
}

void columnar_symbols_encode(const struct columnar_symbol_encoder *e, const uint8_t *in, size_t n,
                             struct seam_buf *out)
{
    uint8_t *start = seam_buf_extend(out, 2 * n), *o = start;

    if (start == NULL) return;
    for (size_t i = 0; i < n;) {
        unsigned k = match(e, in + i, n - i);

        if (k == NONE) {
            *o++ = SYMBOL_ESCAPE;
            *o++ = in[i++];
        } else {
            *o++ = (uint8_t)k;
            i += e->table.length[k];
        }
    }
    out->size -= 2 * n - (size_t)(o - start);
}

struct candidate {
    uint8_t bytes[SYMBOL_BYTES];
    uint8_t length;
    uint64_t gain;
};

static int by_gain(const void *pa, const void *pb)
{
    const struct candidate *a = pa, *b = pb;
    int c;

    if (a->gain != b->gain) return a->gain > b->gain ? -1 : 1;
    if (a->length != b->length) return a->length > b->length ? -1 : 1;
    c = memcmp(a->bytes, b->bytes, SYMBOL_BYTES);
    return c;
}

static int by_bytes(const void *pa, const void *pb)
{
    const struct candidate *a = pa, *b = pb;

    if (a->length != b->length) return a->length < b->length ? -1 : 1;
    return memcmp(a->bytes, b->bytes, SYMBOL_BYTES);
}

static unsigned code_length(const struct columnar_symbols *t, unsigned code)
{
    return code < 256 ? 1 : t->length[code - 256];
}

static void code_bytes(const struct columnar_symbols *t, unsigned code, uint8_t *out)
{
    if (code < 256)
        out[0] = (uint8_t)code;
    else
        memcpy(out, t->bytes[code - 256], t->length[code - 256]);
}

static void keep_best(struct columnar_symbol_encoder *e, struct candidate *c, size_t n)
{
    struct columnar_symbols *t = &e->table;
    size_t kept = 0;

    qsort(c, n, sizeof *c, by_bytes);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && by_bytes(&c[kept - 1], &c[i]) == 0)
            c[kept - 1].gain += c[i].gain;
        else
            c[kept++] = c[i];
    }
    qsort(c, kept, sizeof *c, by_gain);
    if (kept > SYMBOLS_MAX) kept = SYMBOLS_MAX;
    qsort(c, kept, sizeof *c, by_bytes);
    memset(t, 0, sizeof *t);
    for (size_t i = 0; i < kept; i++) {
        t->length[i] = c[i].length;
        memcpy(t->bytes[i], c[i].bytes, SYMBOL_BYTES);
    }
    t->count = (uint32_t)kept;
    encoder_index(e);
}

/* One round: encode the sample with the present table, gather candidates, keep the best. */
static bool learn_round(struct columnar_symbol_encoder *e, const uint8_t *s, size_t n,
                        uint32_t *single, uint16_t *pair, bool last)
{
    struct columnar_symbols *t = &e->table;
    struct candidate *c;
    size_t count = 0, cap = CODES;
    unsigned previous = NONE;

    memset(single, 0, CODES * sizeof *single);
    memset(pair, 0, CODES * CODES * sizeof *pair);
    for (size_t i = 0; i < n;) {
        unsigned k = match(e, s + i, n - i), code = k == NONE ? s[i] : 256 + k;

        single[code]++;
        if (previous != NONE && pair[previous * CODES + code] < UINT16_MAX)
            if (pair[previous * CODES + code]++ == 0) cap++;
        previous = code;
        i += code_length(t, code);
    }
    c = calloc(cap, sizeof *c);
    if (c == NULL) return false;
    for (unsigned a = 0; a < 256 + t->count; a++) {
        unsigned length = code_length(t, a);

        if (single[a] == 0) continue;
        c[count].length = (uint8_t)length;
        code_bytes(t, a, c[count].bytes);
        /* A lone byte that becomes a symbol saves its escape. */
        c[count++].gain = (uint64_t)single[a] * (length == 1 ? 2 : length);
        if (last) continue;
        for (unsigned b = 0; b < 256 + t->count; b++) {
            unsigned times = pair[a * CODES + b], both = length + code_length(t, b);

            if (times < 2 || both > SYMBOL_BYTES) continue;
            c[count].length = (uint8_t)both;
            code_bytes(t, a, c[count].bytes);
            code_bytes(t, b, c[count].bytes + length);
            c[count++].gain = (uint64_t)times * both;
        }
    }
    keep_best(e, c, count);
    free(c);
    return true;
}

struct columnar_symbol_encoder *columnar_symbols_learn(const uint8_t *sample, size_t n)
{
    struct columnar_symbol_encoder *e = calloc(1, sizeof *e);
    uint32_t *single = malloc(CODES * sizeof *single);
    uint16_t *pair = malloc((size_t)CODES * CODES * sizeof *pair);
    bool ok = e != NULL && single != NULL && pair != NULL;

    if (n > SAMPLE_MAX) n = SAMPLE_MAX;
    if (ok) encoder_index(e);
    for (int round = 0; ok && round < ROUNDS; round++) {
        /* Early rounds see part of the sample: they only grow the symbols. */
        size_t part = n * (size_t)(round + 1) / ROUNDS;

        ok = learn_round(e, sample, part, single, pair, false);
    }
    /* Drop what the final table no longer uses, so that rare bytes get their place. */
    if (ok) ok = learn_round(e, sample, n, single, pair, true);
    free(single);
    free(pair);
    if (!ok) {
        free(e);
        return NULL;
    }
    return e;
}

void columnar_symbols_encoder_free(struct columnar_symbol_encoder *e)
{
    free(e);
}

const struct columnar_symbols *columnar_symbols_table(const struct columnar_symbol_encoder *e)
{
    return &e->table;
}

void columnar_symbols_write(const struct columnar_symbols *t, struct seam_buf *out)
{
    seam_buf_u8(out, (uint8_t)t->count);
    seam_buf_append(out, t->length, t->count);
    for (uint32_t k = 0; k < t->count; k++) seam_buf_append(out, t->bytes[k], t->length[k]);
}

bool columnar_symbols_read(struct seam_reader *r, struct columnar_symbols *t)
{
    const uint8_t *lengths;

    memset(t, 0, sizeof *t);
    t->count = seam_read_u8(r);
    if (t->count > SYMBOLS_MAX) return false;
    lengths = seam_read_bytes(r, t->count);
    if (lengths == NULL) return t->count == 0 && !r->bad;
    for (uint32_t k = 0; k < t->count; k++) {
        const uint8_t *b;

        if (lengths[k] < 1 || lengths[k] > SYMBOL_BYTES) return false;
        b = seam_read_bytes(r, lengths[k]);
        if (b == NULL) return false;
        t->length[k] = lengths[k];
        memcpy(t->bytes[k], b, lengths[k]);
    }
    return !r->bad;
}

bool columnar_symbols_decode(const struct columnar_symbols *t, const uint8_t *in, size_t n,
                             uint8_t *out, size_t expect)
{
    const uint8_t *end = in + n;
    uint8_t *o = out, *limit = out + expect;

    while (in < end) {
        uint8_t code = *in++;

        if (o > limit) return false;
        if (code == SYMBOL_ESCAPE) {
            if (in == end) return false;
            *o++ = *in++;
            continue;
        }
        memcpy(o, t->bytes[code], SYMBOL_BYTES);
        o += t->length[code];
        /* A code beyond the table has length 0: the total will not match. */
    }
    return o == limit;
}
