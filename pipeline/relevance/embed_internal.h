/* embed_internal - what the files of the embedder share. Private to pipeline/embed*.c and their tests. */
#ifndef SEAM_PIPELINE_EMBED_INTERNAL_H
#define SEAM_PIPELINE_EMBED_INTERNAL_H

#include "pipeline/relevance/embed.h"

/* ---- embed_text.c: tokens ---- */
struct embed_scan {
    const char *pos, *end;
    bool learned; /* also -ing, -ed and final e off, and "wi-fi" is "wi", "fi" and "wifi" */
    char joined[EMBED_TOKEN_MAX]; /* "wifi", until it is given out */
    bool hyphen;                  /* the last run ended at a hyphen and is in joined */
};
/* Next token of the text: lower case, accents folded, runs of letters and runs of digits apart ("12v" is
 * "12", "v"; "2.5kg" is "2.5", "kg"; "20,000" is "20000"), plural s off, function words left out. The
 * pieces that the index keeps whole meet here because people write "12v", "12 V" and "12-volt".       */
bool embed_token(struct embed_scan *s, char out[EMBED_TOKEN_MAX], size_t *size);

/* ---- embed_lexicon.c: words to numbers ---- */
#define EMBED_NO_WORD UINT32_MAX
struct embed_lexicon {
    char *pool; /* the words, each terminated, one after another */
    size_t pool_size, pool_cap;
    uint32_t *offset; /* of word i in the pool */
    uint32_t count, cap;
    uint32_t *slots, slot_mask; /* open addressing: word number + 1 */
};
uint32_t embed_lexicon_find(const struct embed_lexicon *l, const char *word, size_t size);
/* The word's number, new when it was not there; EMBED_NO_WORD = no memory or too many.             */
uint32_t embed_lexicon_add(struct embed_lexicon *l, const char *word, size_t size);
static inline const char *lexicon_word(const struct embed_lexicon *l, uint32_t i)
{
    return l->pool + l->offset[i];
}
void embed_lexicon_free(struct embed_lexicon *l);

/* Character trigrams of ^word$ to the words that have them: what an unknown word resembles.         */
struct embed_grams {
    uint32_t *start; /* GRAM_BUCKETS + 1 offsets into words */
    uint32_t *words;
    uint8_t *count; /* trigrams of each word */
};
enum { GRAM_BUCKETS = 1 << 15, GRAMS_WORD_MAX = EMBED_TOKEN_MAX, ALIKE_MAX = 8 };
struct embed_alike {
    uint32_t word;
    float similarity;
};
bool embed_grams_build(struct embed_grams *g, const struct embed_lexicon *l);
void embed_grams_free(struct embed_grams *g);
/* Up to ALIKE_MAX known words most like this one, best first, similarity in (0,1].                  */
size_t embed_grams_alike(const struct embed_grams *g, const struct embed_lexicon *l,
                         const char *word, size_t size, struct embed_alike out[ALIKE_MAX]);

/* ---- the model ---- */
struct embedder {
    enum embed_source source;
    uint32_t dim;
    float title_share; /* of a product's vector; the description has the rest */
    struct embed_lexicon words;
    float *weight;  /* a word's weight in a text: a / (a + frequency) */
    float *vectors; /* count x dim, unit rows */
    float *common;  /* the first component of the texts, unit or all zeros */
    struct embed_grams grams;
    char version[EMBED_VERSION_MAX];
};
#define EMBED_SIF 1e-2f      /* Arora's a, for texts whose function words are gone already */
enum { EMBED_REVISION = 1 }; /* raised when the same texts would give other vectors */

bool embedder_seal(
    struct embedder *e); /* builds grams and the version once the numbers are final */
uint32_t embedder_crc(const struct embedder *e);

/* ---- embed_train.c ---- */
struct embed_train_doc {
    uint32_t *words;
    uint32_t title, description, context;
}; /* counts, in that order */
struct embed_trainer {
    struct embed_options o;
    struct embed_lexicon words; /* all of them, in order of appearance */
    uint64_t *frequency;        /* of each, and */
    uint32_t *documents;        /* how many texts have it */
    uint32_t seen_cap, *last_seen;
    struct embed_train_doc *docs;
    size_t doc_count, doc_cap;
    uint64_t tokens;
};
/* ---- embed_fit.c: weights from the texts' frequencies, and their first component ---- */
enum seam_status embed_fit(struct embedder *e, const struct embed_trainer *t, struct seam_fault *f);

/* ---- embed_linalg.c: all in fixed order, so that thread count and compiler change nothing ---- */
struct embed_sparse {
    uint32_t rows;
    uint64_t *start;
    uint32_t *col;
    float *val;
}; /* symmetric, by rows */
void embed_sparse_free(struct embed_sparse *m);
/* The `rank` largest (in magnitude) eigenpairs of m: u is rows x rank (row-major), value[rank].     */
enum seam_status embed_sparse_eigen(const struct embed_sparse *m, uint32_t rank, uint64_t seed,
                                    int threads, float *u, double *value);
void embed_add_scaled(float *restrict out, const float *restrict v, float scale, size_t n);
double embed_ln(double x);                 /* natural logarithm by arithmetic alone, x > 0 */
float embed_normalise(float *v, size_t n); /* returns the old length; leaves zeros alone */

#endif
