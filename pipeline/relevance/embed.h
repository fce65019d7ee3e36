/* embed - text to vectors: a word's neighbours are its meaning.
 *
 *   text -> tokens -> word vectors --SIF-weighted mean--> minus first component -> unit vector
 *                        |
 *          known word: its learned vector; unknown word (typo, new word): the vectors of the
 *          known words that share most of its character trigrams, mixed by how much they share
 *
 * Three sources of word vectors, one pooling:
 *   EMBED_LEARNED  from the catalogue itself: windowed co-occurrence, positive pointwise mutual
 *                  information, randomized truncated SVD (engine-only linear algebra);
 *   EMBED_WORDS    a static table the user has, in the usual text format (GloVe, word2vec, fastText);
 *   vectors computed elsewhere need no embedder: they are imported per product (hnsw/vecfile.h).
 *
 * Deterministic: the same texts in the same order give the same bytes on every run, compiler and
 * thread count (fixed summation order, no libm transcendental functions, -ffp-contract=off).
 * A model is immutable once made; a new product is embedded with it, without training again. The
 * version string names the algorithm and the model's checksum and is part of the vector contract:
 * vectors of two versions are never compared.
 *
 * Format: pipeline/relevance/embed_model.c and docs/reference/formats/embed.md. Imports: engine.
 * Papers: Deerwester 1990 (LSI); Levy & Goldberg 2014, 2015 (PPMI + SVD); Halko, Martinsson, Tropp
 * 2011 (randomized SVD); Arora 2017 (SIF, first component); Bojanowski 2017 (sub-words).         */
#ifndef SEAM_PIPELINE_EMBED_H
#define SEAM_PIPELINE_EMBED_H

#include "engine/io/io.h"

struct embedder;

enum {
    EMBED_DIM_MAX = 1024,
    EMBED_DIM_DEFAULT = 128,
    EMBED_VERSION_MAX = 48,
    EMBED_WORDS_MAX = 4000000,   /* words in a model                               */
    EMBED_TOKEN_MAX = 64,        /* bytes; longer tokens are cut                   */
    EMBED_TEXT_TOKENS_MAX = 2048 /* tokens of one text that count; the rest do not */
};

enum embed_source { EMBED_LEARNED = 1, EMBED_WORDS = 2 }; /* on disk; never renumber */

/* ---- using a model. All const: one embedder may serve many threads. ---- */

/* SEAM_OK: *out is the caller's until embedder_close. SEAM_NOT_FOUND; SEAM_CORRUPT with file and offset. */
SEAM_MUST_USE enum seam_status embedder_open(struct seam_io *io, const char *path,
                                             struct embedder **out, struct seam_fault *f);
void embedder_close(struct embedder *e); /* accepts NULL */
/* One checksummed file, written atomically.                                                       */
SEAM_MUST_USE enum seam_status embedder_save(const struct embedder *e, struct seam_io *io,
                                             const char *path, struct seam_fault *f);
size_t embedder_dim(const struct embedder *e);
size_t embedder_words(const struct embedder *e);
/* "learned-1-128-5f3a09c1": algorithm, its revision, dimension, crc32c of the model's content.     */
const char *embedder_version(const struct embedder *e);

/* A product: out[dim], unit length; all zeros when no token is known in any way (such a product
 * is not indexed by meaning). Title words weigh more than description words. NULL texts are empty. */
SEAM_MUST_USE enum seam_status embed_document(const struct embedder *e, const char *title,
                                              size_t title_size, const char *description,
                                              size_t description_size, float *out,
                                              struct seam_fault *f);
/* A query, in the same space.                                                                     */
SEAM_MUST_USE enum seam_status embed_query(const struct embedder *e, const char *text, size_t size,
                                           float *out, struct seam_fault *f);
/* One word's unit vector (a known word's own, an unknown word's guess); *known tells which.
 * SEAM_NOT_FOUND when it resembles nothing. For labs: nearest words, what a typo was taken for.     */
SEAM_MUST_USE enum seam_status embed_word(const struct embedder *e, const char *word, size_t size,
                                          float *out, bool *known);
/* The k known words nearest to v, best first; names point into the embedder.                      */
struct embed_neighbour {
    const char *word;
    double cosine;
};
SEAM_MUST_USE enum seam_status embed_nearest_words(const struct embedder *e, const float *v,
                                                   size_t k, struct embed_neighbour *out,
                                                   size_t *count);

/* ---- learning a model from texts ---- */
struct embed_options {
    size_t dim;        /* 0 = EMBED_DIM_DEFAULT                                                 */
    uint64_t seed;     /* of the random projection; part of the model                           */
    int threads;       /* results do not depend on it; 0 = 1                                    */
    size_t words_max;  /* most frequent words kept; 0 = 30,000                                  */
    bool for_words;    /* texts for embedder_adapt rather than for learning                     */
    size_t memory_max; /* bytes for counting pairs; 0 = 1 GiB; SEAM_LIMIT past it                 */
};

struct embed_trainer;
SEAM_MUST_USE enum seam_status embed_trainer_new(const struct embed_options *o,
                                                 struct embed_trainer **out, struct seam_fault *f);
void embed_trainer_free(struct embed_trainer *t);
/* Texts are copied. `context` (category, brand; may be NULL) is learned from and never embedded.   */
SEAM_MUST_USE enum seam_status embed_trainer_add(struct embed_trainer *t, const char *title,
                                                 size_t title_size, const char *description,
                                                 size_t description_size, const char *context,
                                                 size_t context_size, struct seam_fault *f);
/* SEAM_INVALID when fewer than two different words were added.                                      */
SEAM_MUST_USE enum seam_status embed_trainer_finish(struct embed_trainer *t, struct embedder **out,
                                                    struct seam_fault *f);

/* ---- static word vectors ---- */
/* Text: "word v1 v2 ... vd" a line, an optional first line "count dim" (word2vec, fastText); plain or
 * gzip. `words_max` 0 = all. A line that is not a vector is SEAM_INVALID with its number.            */
SEAM_MUST_USE enum seam_status embedder_from_vec(struct seam_io *io, const char *path,
                                                 size_t words_max, struct embedder **out,
                                                 struct seam_fault *f);
/* Words one a line, and rows of `dim` little-endian half floats beside them (gzip or plain).        */
SEAM_MUST_USE enum seam_status embedder_from_f16(struct seam_io *io, const char *words_path,
                                                 const char *rows_path, size_t dim,
                                                 size_t words_max, struct embedder **out,
                                                 struct seam_fault *f);
/* Word frequencies and the first component of a static table come from the texts it will serve: as
 * embed_trainer_add with for_words, then this; it changes the version. Without it frequencies follow
 * Zipf's law over the table's order.                                                               */
SEAM_MUST_USE enum seam_status embedder_adapt(struct embedder *e, const struct embed_trainer *texts,
                                              struct seam_fault *f);

#endif
