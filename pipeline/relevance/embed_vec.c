/* embed_vec - static word vectors from the files people have, as an embedder.                       */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/io/source.h"
#include "engine/values/value.h"
#include "pipeline/relevance/embed_internal.h"

enum { VEC_LINE_MAX = 1 << 20 };

static struct embedder *words_embedder(uint32_t dim)
{
    struct embedder *e = calloc(1, sizeof *e);

    if (e == NULL) return NULL;
    e->source = EMBED_WORDS;
    e->dim = dim;
    e->title_share = 0.6f;
    e->common = calloc(dim, sizeof *e->common);
    if (e->common != NULL) return e;
    free(e);
    return NULL;
}

/* Adds a word under the form our tokens have; the first (most frequent) of several that fall together
 * stays. Words that are not one token ("new_york", "</s>") are passed over.                          */
static enum seam_status add_word(struct embedder *e, size_t *cap, const char *word, size_t size,
                                 const float *v)
{
    struct embed_scan scan = {.pos = word, .end = word + size};
    char token[EMBED_TOKEN_MAX], more[EMBED_TOKEN_MAX];
    size_t n, m;
    float *row;

    if (!embed_token(&scan, token, &n) || embed_token(&scan, more, &m)) return SEAM_OK;
    if (embed_lexicon_find(&e->words, token, n) != EMBED_NO_WORD) return SEAM_OK;
    if (e->words.count == *cap) {
        size_t grown = *cap == 0 ? 4096 : *cap * 2;
        float *vectors = realloc(e->vectors, grown * e->dim * sizeof *vectors);

        if (vectors == NULL) return SEAM_NOMEM;
        e->vectors = vectors;
        *cap = grown;
    }
    row = e->vectors + (size_t)e->words.count * e->dim;
    memcpy(row, v, e->dim * sizeof *row);
    if (embed_normalise(row, e->dim) == 0.0f) return SEAM_OK;
    return embed_lexicon_add(&e->words, token, n) != EMBED_NO_WORD ? SEAM_OK : SEAM_NOMEM;
}

/* Frequencies by Zipf's law over the table's order: p(rank) = 1 / (rank * H). */
static bool zipf_weights(struct embedder *e)
{
    double harmonic = 0.0;

    e->weight = malloc((e->words.count + 1u) * sizeof *e->weight);
    if (e->weight == NULL) return false;
    for (uint32_t i = e->words.count; i > 0; i--) harmonic += 1.0 / i;
    for (uint32_t i = 0; i < e->words.count; i++)
        e->weight[i] = (float)(EMBED_SIF / (EMBED_SIF + 1.0 / ((i + 1.0) * harmonic)));
    return true;
}

static enum seam_status finish(struct embedder *e, enum seam_status st, const char *path,
                               struct embedder **out, struct seam_fault *f)
{
    if (st == SEAM_OK && (e == NULL || e->words.count == 0))
        st = seam_fault_set(f, SEAM_INVALID, path, SEAM_FAULT_NO_OFFSET,
                            "no word vectors in the file");
    if (st == SEAM_OK && (!zipf_weights(e) || !embedder_seal(e))) st = SEAM_NOMEM;
    if (st == SEAM_NOMEM)
        (void)seam_fault_set(f, st, path, SEAM_FAULT_NO_OFFSET, "no memory for the word vectors");
    if (st == SEAM_OK)
        *out = e;
    else
        embedder_close(e);
    return st;
}

/* ---- text ---- */
/* Numbers of a line after the word; returns how many, or SIZE_MAX when one is not a finite number.   */
static size_t parse_numbers(const char *p, const char *end, float out[EMBED_DIM_MAX])
{
    size_t n = 0;

    while (p < end) {
        const char *stop;
        double d;

        while (p < end && (*p == ' ' || *p == '\t')) p++;
        if (p == end) break;
        for (stop = p; stop < end && *stop != ' ' && *stop != '\t';) stop++;
        if (n == EMBED_DIM_MAX || seam_double_parse(p, (size_t)(stop - p), &d) != SEAM_OK ||
            !isfinite(d) || fabs(d) > 1e30)
            return SIZE_MAX;
        out[n++] = (float)d;
        p = stop;
    }
    return n;
}

static enum seam_status vec_line(struct embedder **e, size_t *cap, const char *line, size_t n,
                                 uint64_t number, const char *path, struct seam_fault *f)
{
    const char *end = line + n, *space = memchr(line, ' ', n);
    float v[EMBED_DIM_MAX];
    size_t dim;

    if (n == 0) return SEAM_OK;
    if (space == NULL) space = memchr(line, '\t', n);
    dim = space == NULL ? SIZE_MAX : parse_numbers(space, end, v);
    if (number == 1 && dim == 1) return SEAM_OK; /* "count dim" */
    if (dim == SIZE_MAX || dim == 0 || (*e != NULL && dim != (*e)->dim))
        return seam_fault_set(f, SEAM_INVALID, path, number, "line %llu is no word with %u numbers",
                              (unsigned long long)number, *e != NULL ? (*e)->dim : 0);
    if (*e == NULL && (*e = words_embedder((uint32_t)dim)) == NULL) return SEAM_NOMEM;
    return add_word(*e, cap, line, (size_t)(space - line), v);
}

enum seam_status embedder_from_vec(struct seam_io *io, const char *path, size_t words_max,
                                   struct embedder **out, struct seam_fault *f)
{
    struct embedder *e = NULL;
    struct seam_source *s = NULL;
    size_t cap = 0;
    enum seam_status st = seam_source_open(io, path, &s, f);

    if (words_max == 0 || words_max > EMBED_WORDS_MAX) words_max = EMBED_WORDS_MAX;
    while (st == SEAM_OK && (e == NULL || e->words.count < words_max)) {
        const char *line;
        size_t n;

        st = seam_source_line(s, VEC_LINE_MAX, &line, &n, f);
        if (st == SEAM_OK) st = vec_line(&e, &cap, line, n, seam_source_line_number(s), path, f);
    }
    if (st == SEAM_END) st = SEAM_OK;
    seam_source_close(s);
    return finish(e, st, path, out, f);
}

/* ---- words beside rows of half floats ---- */
static float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 31u,
             fraction = h & 0x3ffu;
    uint32_t bits;
    float out;

    if (exponent == 0) { /* zero or subnormal: fraction * 2^-24 */
        out = (float)fraction * 5.9604644775390625e-8f;
        return sign ? -out : out;
    }
    bits = sign | (exponent == 31 ? 0xffu << 23 : (exponent + 112u) << 23) | fraction << 13;
    memcpy(&out, &bits, sizeof out);
    return out;
}

static enum seam_status read_exactly(struct seam_source *s, uint8_t *p, size_t n, size_t *got,
                                     struct seam_fault *f)
{
    *got = 0;
    while (*got < n) {
        size_t step;
        enum seam_status st = seam_source_read(s, p + *got, n - *got, &step, f);

        if (st != SEAM_OK) return st;
        if (step == 0) break;
        *got += step;
    }
    return SEAM_OK;
}

static enum seam_status half_row(struct seam_source *rows, const char *path, uint64_t row, float *v,
                                 size_t dim, struct seam_fault *f)
{
    uint8_t raw[2 * EMBED_DIM_MAX];
    size_t got;
    enum seam_status st = read_exactly(rows, raw, 2 * dim, &got, f);

    if (st != SEAM_OK) return st;
    if (got != 2 * dim)
        return seam_fault_set(f, SEAM_CORRUPT, path, row * 2 * dim,
                              "the rows end at row %llu, before the words do",
                              (unsigned long long)row);
    for (size_t i = 0; i < dim; i++) {
        v[i] = half_to_float(seam_get_u16(raw + 2 * i));
        if (!isfinite(v[i]))
            return seam_fault_set(f, SEAM_CORRUPT, path, (row * dim + i) * 2,
                                  "a number is not finite");
    }
    return SEAM_OK;
}

enum seam_status embedder_from_f16(struct seam_io *io, const char *words_path,
                                   const char *rows_path, size_t dim, size_t words_max,
                                   struct embedder **out, struct seam_fault *f)
{
    struct seam_source *words = NULL, *rows = NULL;
    struct embedder *e = NULL;
    float v[EMBED_DIM_MAX];
    size_t cap = 0;
    enum seam_status st;

    if (dim == 0 || dim > EMBED_DIM_MAX)
        return seam_fault_set(f, SEAM_INVALID, rows_path, SEAM_FAULT_NO_OFFSET,
                              "dimension must be 1..%d", EMBED_DIM_MAX);
    if (words_max == 0 || words_max > EMBED_WORDS_MAX) words_max = EMBED_WORDS_MAX;
    e = words_embedder((uint32_t)dim);
    st = e == NULL ? SEAM_NOMEM : seam_source_open(io, words_path, &words, f);
    if (st == SEAM_OK) st = seam_source_open(io, rows_path, &rows, f);
    for (uint64_t row = 0; st == SEAM_OK && e->words.count < words_max; row++) {
        const char *line;
        size_t n;

        st = seam_source_line(words, VEC_LINE_MAX, &line, &n, f);
        if (st == SEAM_OK) st = half_row(rows, rows_path, row, v, dim, f);
        if (st == SEAM_OK) st = add_word(e, &cap, line, n, v);
    }
    if (st == SEAM_END) st = SEAM_OK;
    seam_source_close(words);
    seam_source_close(rows);
    return finish(e, st, rows_path, out, f);
}
