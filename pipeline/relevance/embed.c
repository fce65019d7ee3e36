/* embed - pooling word vectors into text vectors, and what an unknown word is taken for.            */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/crc32c.h"
#include "engine/base/topk.h"
#include "pipeline/relevance/embed_internal.h"

void embedder_close(struct embedder *e)
{
    if (e == NULL) return;
    embed_lexicon_free(&e->words);
    embed_grams_free(&e->grams);
    free(e->weight);
    free(e->vectors);
    free(e->common);
    free(e);
}

size_t embedder_dim(const struct embedder *e)
{
    return e->dim;
}
size_t embedder_words(const struct embedder *e)
{
    return e->words.count;
}
const char *embedder_version(const struct embedder *e)
{
    return e->version;
}

uint32_t embedder_crc(const struct embedder *e)
{
    uint32_t crc = seam_crc32c(0, e->common, e->dim * sizeof(float));

    crc = seam_crc32c(crc, e->weight, e->words.count * sizeof(float));
    crc = seam_crc32c(crc, e->vectors, (size_t)e->words.count * e->dim * sizeof(float));
    return seam_crc32c(crc, e->words.pool, e->words.pool_size);
}

bool embedder_seal(struct embedder *e)
{
    snprintf(e->version, sizeof e->version, "%s-%d-%u-%08x",
             e->source == EMBED_LEARNED ? "learned" : "words", EMBED_REVISION, e->dim,
             embedder_crc(e));
    return embed_grams_build(&e->grams, &e->words);
}

/* The known words an unknown one resembles, mixed: the nearest counts for most (fourth power), and the
 * mix weighs less than a word that was really there. Returns the weight, 0 = nothing like it.        */
static float guess_word(const struct embedder *e, const char *word, size_t size, float *out)
{
    struct embed_alike alike[ALIKE_MAX];
    size_t n = embed_grams_alike(&e->grams, &e->words, word, size, alike);
    float weight = 0.0f, total = 0.0f;

    memset(out, 0, e->dim * sizeof *out);
    for (size_t i = 0; i < n; i++) {
        float s = alike[i].similarity / alike[0].similarity;
        float share = s * s * s * s;

        share *= share;
        embed_add_scaled(out, e->vectors + (size_t)alike[i].word * e->dim, share, e->dim);
        weight += share * e->weight[alike[i].word];
        total += share;
    }
    if (n == 0 || embed_normalise(out, e->dim) == 0.0f) return 0.0f;
    return weight / total * alike[0].similarity;
}

/* Weighted mean of a text's word vectors added into out with unit length times `share`. */
static bool add_part(const struct embedder *e, const char *s, size_t n, float share, float *out,
                     float *part, float *guess)
{
    struct embed_scan scan = {
        .pos = s, .end = s == NULL ? s : s + n, .learned = e->source == EMBED_LEARNED};
    char token[EMBED_TOKEN_MAX];
    size_t size, tokens = 0;

    memset(part, 0, e->dim * sizeof *part);
    while (tokens++ < EMBED_TEXT_TOKENS_MAX && embed_token(&scan, token, &size)) {
        uint32_t w = embed_lexicon_find(&e->words, token, size);
        float weight;

        if (w != EMBED_NO_WORD) {
            embed_add_scaled(part, e->vectors + (size_t)w * e->dim, e->weight[w], e->dim);
            continue;
        }
        weight = guess_word(e, token, size, guess);
        if (weight > 0.0f) embed_add_scaled(part, guess, weight, e->dim);
    }
    if (embed_normalise(part, e->dim) == 0.0f) return false;
    embed_add_scaled(out, part, share, e->dim);
    return true;
}

static bool pool_texts(const struct embedder *e, const char *title, size_t title_size,
                       const char *description, size_t description_size, float *out)
{
    float part[EMBED_DIM_MAX], guess[EMBED_DIM_MAX];
    bool known;

    memset(out, 0, e->dim * sizeof *out);
    known = add_part(e, title, title_size, e->title_share, out, part, guess);
    if (description != NULL && description_size > 0 && e->title_share < 1.0f)
        known |=
            add_part(e, description, description_size, 1.0f - e->title_share, out, part, guess);
    return known && embed_normalise(out, e->dim) > 0.0f;
}

/* v minus its part along the direction all texts share, unit length again. */
static void remove_common(const struct embedder *e, float *v)
{
    double dot = 0.0;

    for (uint32_t i = 0; i < e->dim; i++) dot += (double)v[i] * e->common[i];
    embed_add_scaled(v, e->common, (float)-dot, e->dim);
    embed_normalise(v, e->dim);
}

enum seam_status embed_document(const struct embedder *e, const char *title, size_t title_size,
                                const char *description, size_t description_size, float *out,
                                struct seam_fault *f)
{
    (void)f;
    if (pool_texts(e, title, title_size, description, description_size, out))
        remove_common(e, out);
    else
        memset(out, 0, e->dim * sizeof *out);
    return SEAM_OK;
}

enum seam_status embed_query(const struct embedder *e, const char *text, size_t size, float *out,
                             struct seam_fault *f)
{
    return embed_document(e, text, size, NULL, 0, out, f);
}

enum seam_status embed_word(const struct embedder *e, const char *word, size_t size, float *out,
                            bool *known)
{
    struct embed_scan scan = {
        .pos = word, .end = word + size, .learned = e->source == EMBED_LEARNED};
    char token[EMBED_TOKEN_MAX];
    uint32_t w;

    *known = false;
    if (!embed_token(&scan, token, &size)) return SEAM_NOT_FOUND;
    w = embed_lexicon_find(&e->words, token, size);
    if (w != EMBED_NO_WORD) {
        *known = true;
        memcpy(out, e->vectors + (size_t)w * e->dim, e->dim * sizeof *out);
        return SEAM_OK;
    }
    return guess_word(e, token, size, out) > 0.0f ? SEAM_OK : SEAM_NOT_FOUND;
}

enum seam_status embed_nearest_words(const struct embedder *e, const float *v, size_t k,
                                     struct embed_neighbour *out, size_t *count)
{
    struct seam_topk_entry *heap = malloc((k + 1) * sizeof *heap);
    struct seam_topk top;

    if (heap == NULL) return SEAM_NOMEM;
    seam_topk_init(&top, heap, k);
    for (uint32_t w = 0; w < e->words.count; w++) {
        const float *u = e->vectors + (size_t)w * e->dim;
        double dot = 0.0;

        for (uint32_t i = 0; i < e->dim; i++) dot += (double)u[i] * v[i];
        seam_topk_push(&top, dot, w);
    }
    *count = seam_topk_finish(&top);
    for (size_t i = 0; i < *count; i++)
        out[i] =
            (struct embed_neighbour){lexicon_word(&e->words, (uint32_t)heap[i].id), heap[i].score};
    free(heap);
    return SEAM_OK;
}
