/* embed_fit - what pooling needs to know of the texts: how common each word is, and the direction that
 * all texts share ("a product in a shop"), which says nothing about any one of them.
 * Paper: Arora, Liang, Ma, ICLR 2017.                                                              */
#include <stdlib.h>
#include <string.h>

#include "pipeline/relevance/embed_internal.h"

enum { FIT_TEXTS = 4096, FIT_STEPS = 24 };

static void pool_words(const struct embedder *e, const uint32_t *here, const uint32_t *words,
                       uint32_t n, float share, float *out, float *part)
{
    memset(part, 0, e->dim * sizeof *part);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t w = here[words[i]];

        if (w != EMBED_NO_WORD)
            embed_add_scaled(part, e->vectors + (size_t)w * e->dim, e->weight[w], e->dim);
    }
    if (embed_normalise(part, e->dim) > 0.0f) embed_add_scaled(out, part, share, e->dim);
}

/* Second moments of up to FIT_TEXTS texts, evenly drawn. */
static void second_moments(const struct embedder *e, const struct embed_trainer *t,
                           const uint32_t *here, double *moments)
{
    size_t step = t->doc_count / FIT_TEXTS + 1;
    float v[EMBED_DIM_MAX], part[EMBED_DIM_MAX];

    for (size_t i = 0; i < t->doc_count; i += step) {
        const struct embed_train_doc *d = &t->docs[i];

        memset(v, 0, e->dim * sizeof *v);
        pool_words(e, here, d->words, d->title, e->title_share, v, part);
        pool_words(e, here, d->words + d->title, d->description, 1.0f - e->title_share, v, part);
        embed_normalise(v, e->dim);
        for (uint32_t a = 0; a < e->dim; a++)
            for (uint32_t b = 0; b < e->dim; b++)
                moments[(size_t)a * e->dim + b] += (double)v[a] * v[b];
    }
}

/* The largest eigenvector by repeated multiplication, from the direction of the first row. */
static void leading_direction(const double *moments, uint32_t dim, float *out)
{
    for (uint32_t i = 0; i < dim; i++) out[i] = (float)moments[i];
    for (int step = 0; step < FIT_STEPS && embed_normalise(out, dim) > 0.0f; step++) {
        float next[EMBED_DIM_MAX];

        for (uint32_t a = 0; a < dim; a++) {
            double sum = 0.0;

            for (uint32_t b = 0; b < dim; b++) sum += moments[(size_t)a * dim + b] * out[b];
            next[a] = (float)sum;
        }
        memcpy(out, next, dim * sizeof *out);
    }
    embed_normalise(out, dim);
}

enum seam_status embed_fit(struct embedder *e, const struct embed_trainer *t, struct seam_fault *f)
{
    uint32_t *here = malloc((t->words.count + 1u) * sizeof *here);
    double *moments = calloc((size_t)e->dim * e->dim, sizeof *moments);
    enum seam_status st = here != NULL && moments != NULL ? SEAM_OK : SEAM_NOMEM;

    if (st == SEAM_OK && t->tokens == 0)
        st = seam_fault_set(f, SEAM_INVALID, "embed", SEAM_FAULT_NO_OFFSET, "there are no texts");
    for (uint32_t w = 0; st == SEAM_OK && w < e->words.count; w++) {
        const char *s = lexicon_word(&e->words, w);
        uint32_t there = embed_lexicon_find(&t->words, s, strlen(s));
        double seen = there == EMBED_NO_WORD ? 0.5 : (double)t->frequency[there];

        e->weight[w] = (float)(EMBED_SIF / (EMBED_SIF + seen / (double)t->tokens));
    }
    for (uint32_t w = 0; st == SEAM_OK && w < t->words.count; w++) {
        const char *s = lexicon_word(&t->words, w);

        here[w] = embed_lexicon_find(&e->words, s, strlen(s));
    }
    if (st == SEAM_OK) {
        second_moments(e, t, here, moments);
        leading_direction(moments, e->dim, e->common);
    }
    free(here);
    free(moments);
    return st;
}

enum seam_status embedder_adapt(struct embedder *e, const struct embed_trainer *texts,
                                struct seam_fault *f)
{
    enum seam_status st;

    if (e->source != EMBED_WORDS || !texts->o.for_words)
        return seam_fault_set(f, SEAM_INVALID, "embed", SEAM_FAULT_NO_OFFSET,
                              "only static word vectors adapt, to texts read for_words");
    st = embed_fit(e, texts, f);
    if (st == SEAM_OK && !embedder_seal(e))
        st = seam_fault_set(f, SEAM_NOMEM, "embed", SEAM_FAULT_NO_OFFSET, "no memory");
    return st;
}
