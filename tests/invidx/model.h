/* model - the naive twin: keeps every document as numbers of words and scores each from the definitions. */
#ifndef SEAM_TESTS_INVIDX_MODEL_H
#define SEAM_TESTS_INVIDX_MODEL_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "invidx/invidx.h"

enum { MODEL_TOKENS = 120, MODEL_FIELDS = 2, MODEL_ATTRS = 2, MODEL_TEXT = MODEL_TOKENS * 8 };

struct model_doc {
    bool live;
    uint64_t key;
    uint32_t n[MODEL_FIELDS];
    uint16_t word[MODEL_FIELDS][MODEL_TOKENS]; /* 12 is the word "w12" */
    int64_t price;
    bool no_price;
    uint32_t brand; /* 0 = none, 3 is "brand3" */
};

struct model {
    struct model_doc *docs;
    size_t n, cap, fields;
    uint32_t weights[MODEL_FIELDS];
    double k1, b;
};

static inline struct model_doc *model_put(struct model *m, uint64_t key)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->docs[i].key == key) return &m->docs[i];
    if (m->n == m->cap) {
        m->cap = m->cap == 0 ? 64 : 2 * m->cap;
        m->docs = realloc(m->docs, m->cap * sizeof *m->docs);
    }
    memset(&m->docs[m->n], 0, sizeof m->docs[m->n]);
    m->docs[m->n].key = key;
    return &m->docs[m->n++];
}

static inline uint32_t model_word(struct seam_rng *r, uint32_t vocabulary)
{
    double u = seam_rng_double(r);

    return (uint32_t)(u * u * u * vocabulary); /* small numbers are frequent */
}

static inline void model_random_doc(struct model *m, struct model_doc *d, struct seam_rng *r,
                                    uint32_t vocabulary, uint32_t longest)
{
    d->live = true;
    for (size_t f = 0; f < m->fields; f++) {
        d->n[f] = (uint32_t)seam_rng_below(r, longest + 1);
        for (uint32_t i = 0; i < d->n[f]; i++) d->word[f][i] = (uint16_t)model_word(r, vocabulary);
    }
    d->price = seam_rng_range(r, -50, 50);
    d->no_price = seam_rng_below(r, 8) == 0;
    d->brand = (uint32_t)seam_rng_below(r, 6);
}

struct model_text {
    char text[MODEL_FIELDS][MODEL_TEXT];
    char brand[16];
    struct invidx_text fields[MODEL_FIELDS];
    struct seam_value attrs[MODEL_ATTRS];
};

static inline struct invidx_doc model_to_doc(const struct model *m, const struct model_doc *d,
                                             struct model_text *t)
{
    for (size_t f = 0; f < m->fields; f++) {
        size_t at = 0;

        for (uint32_t i = 0; i < d->n[f]; i++)
            at += (size_t)snprintf(t->text[f] + at, MODEL_TEXT - at, "w%u ", d->word[f][i]);
        t->fields[f] = (struct invidx_text){t->text[f], at};
    }
    snprintf(t->brand, sizeof t->brand, "brand%u", d->brand);
    t->attrs[0] = d->no_price ? seam_v_null() : seam_v_int(d->price);
    t->attrs[1] = d->brand == 0 ? seam_v_null() : seam_v_text(t->brand, strlen(t->brand));
    return (struct invidx_doc){.key = d->key, .fields = t->fields, .attrs = t->attrs};
}

static inline struct invidx_schema model_schema(const struct model *m)
{
    static const struct invidx_field one[] = {{"body", 1}};
    static const struct invidx_field two[] = {{"title", 3}, {"body", 1}};
    static const struct invidx_attr attrs[] = {{"price", INVIDX_INT64}, {"brand", INVIDX_KEYWORD}};

    return (struct invidx_schema){.fields = m->fields == 1 ? one : two,
                                  .field_count = m->fields,
                                  .attrs = attrs,
                                  .attr_count = MODEL_ATTRS,
                                  .analysis = invidx_analysis_plain(),
                                  .k1 = m->k1,
                                  .b = m->b};
}

static inline void model_init(struct model *m, size_t fields)
{
    memset(m, 0, sizeof *m);
    m->fields = fields;
    m->weights[0] = fields == 1 ? 1 : 3;
    m->weights[1] = 1;
    m->k1 = 1.2;
    m->b = 0.75;
}

static inline uint32_t model_tf(const struct model *m, const struct model_doc *d, uint32_t word,
                                int field)
{
    uint32_t tf = 0;

    for (size_t f = 0; f < m->fields; f++)
        for (uint32_t i = 0; i < d->n[f]; i++)
            if (d->word[f][i] == word && (field < 0 || field == (int)f)) tf += m->weights[f];
    return tf;
}

/* First words with the others all inside one stretch of slop + 1 places, each shifted back by its place.  */
static inline uint32_t model_phrase_tf(const struct model *m, const struct model_doc *d,
                                       const uint32_t *words, size_t n, uint32_t slop, int field)
{
    uint32_t tf = 0;

    for (size_t f = 0; f < m->fields; f++)
        for (int at = 0; at < (int)d->n[f]; at++) {
            bool found = false;

            if (d->word[f][at] != words[0] || (field >= 0 && field != (int)f)) continue;
            for (int from = at - (int)slop; from <= at && !found; from++) {
                found = true;
                for (size_t t = 1; t < n && found; t++) {
                    bool here = false;

                    for (int p = from + (int)t; p <= from + (int)t + (int)slop; p++)
                        here |= p >= 0 && p < (int)d->n[f] && d->word[f][p] == words[t];
                    found = here;
                }
            }
            if (found) tf += m->weights[f];
        }
    return tf;
}

static inline uint32_t model_length(const struct model *m, const struct model_doc *d)
{
    uint32_t n = 0;

    for (size_t f = 0; f < m->fields; f++) n += d->n[f] * m->weights[f];
    return n;
}

static inline uint64_t model_live(const struct model *m)
{
    uint64_t n = 0;

    for (size_t i = 0; i < m->n; i++) n += m->docs[i].live;
    return n;
}

static inline uint64_t model_df(const struct model *m, uint32_t word)
{
    uint64_t n = 0;

    for (size_t i = 0; i < m->n; i++)
        n += m->docs[i].live && model_tf(m, &m->docs[i], word, -1) > 0;
    return n;
}

/* ---- a query of the model: clauses of words or phrases, with an occurrence each ---- */
struct model_clause {
    enum invidx_occur occur;
    uint32_t words[4];
    size_t n; /* > 1: phrase */
    uint32_t slop;
    int field;
    double boost;
    double weight;
    int32_t scaled;
};
struct model_query {
    struct model_clause c[6];
    size_t n;
};
struct model_hit {
    uint64_t key;
    double score;
};

/* score.h's definition, step by step. */
static inline int32_t model_contribution(double weight, int scale, double k1, double b,
                                         double average, uint32_t tf, uint32_t length)
{
    float w = (float)ldexp(weight, scale),
          k = (float)(k1 * (1 - b)) + (float)(k1 * b / average) * (float)length;
    float t = (float)tf / k;

    return 1 + (int32_t)(w - w / (1.0f + t));
}

static inline int model_hit_order(const void *x, const void *y)
{
    const struct model_hit *a = x, *b = y;

    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    return (a->key > b->key) - (a->key < b->key);
}

static inline uint32_t model_clause_tf(const struct model *m, const struct model_doc *d,
                                       const struct model_clause *c)
{
    return c->n == 1 ? model_tf(m, d, c->words[0], c->field)
                     : model_phrase_tf(m, d, c->words, c->n, c->slop, c->field);
}

/* All matches, best first. The caller frees *out. */
static inline size_t model_search(const struct model *m, struct model_query *q,
                                  struct model_hit **out)
{
    uint64_t live = model_live(m), sum_length = 0;
    double total = 0, average;
    int exponent = 0, scale;
    size_t n = 0;
    bool musts = false;

    *out = malloc((m->n + 1) * sizeof **out);
    for (size_t i = 0; i < m->n; i++)
        if (m->docs[i].live) sum_length += model_length(m, &m->docs[i]);
    average = live == 0 || sum_length == 0 ? 1 : (double)sum_length / (double)live;
    for (size_t i = 0; i < q->n; i++) {
        struct model_clause *c = &q->c[i];
        double idf = 0;
        bool missing = false;

        for (size_t t = 0; t < c->n; t++) {
            uint64_t df = model_df(m, c->words[t]);

            missing |= df == 0;
            idf += log(1.0 + ((double)live - (double)df + 0.5) / ((double)df + 0.5));
        }
        c->weight = missing ? 0 : c->boost * idf * (m->k1 + 1);
        if (c->occur != INVIDX_MUST_NOT && c->occur != INVIDX_FILTER) total += c->weight;
        musts |= c->occur == INVIDX_MUST || c->occur == INVIDX_FILTER;
    }
    if (total > 0) frexp(total, &exponent);
    scale = 30 - exponent;
    for (size_t i = 0; i < m->n; i++) {
        const struct model_doc *d = &m->docs[i];
        int64_t score = 0;
        bool any = false, no = !d->live;

        for (size_t k = 0; k < q->n && !no; k++) {
            const struct model_clause *c = &q->c[k];
            uint32_t tf = model_clause_tf(m, d, c);

            if (c->occur == INVIDX_MUST_NOT)
                no = tf > 0;
            else if (c->occur != INVIDX_SHOULD)
                no = tf == 0;
            any |= c->occur == INVIDX_SHOULD && tf > 0;
            if (tf > 0 && c->occur != INVIDX_MUST_NOT && c->occur != INVIDX_FILTER)
                score += model_contribution(c->weight, scale, m->k1, m->b, average, tf,
                                            model_length(m, d));
        }
        if (no || (!musts && !any)) continue;
        (*out)[n++] = (struct model_hit){d->key, ldexp((double)score, -scale)};
    }
    qsort(*out, n, sizeof **out, model_hit_order);
    return n;
}

#endif
