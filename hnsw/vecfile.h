/* vecfile - vectors from the files people have: fvecs, bvecs, ivecs, npy, word-vector text, CSV/TSV, f16.
 *
 *   fvecs/ivecs/bvecs   each row: int32 d, then d float32 / int32 / uint8, little-endian
 *   npy                 NumPy 1.0-3.0, C order, 2 dimensions (or 1: one row), f4 f2 f8 u1 i1 i4
 *   text                word2vec / GloVe: "word v1 v2 ..."; an optional first line "count dim"
 *   csv, tsv            numbers only; a first line that is no row of numbers is a header
 *   f16                 rows of half floats, no header: the caller says the dimension
 *
 * Any of them gzipped. The kind comes from the name (".gz" ignored) unless given. Hostile files: a
 * dimension out of 1..HNSW_DIM_MAX, rows of different dimensions, a torn last row, text that is no
 * number, NaN or infinity are SEAM_CORRUPT / SEAM_INVALID with the byte or line and the row.            */
#ifndef SEAM_HNSW_VECFILE_H
#define SEAM_HNSW_VECFILE_H

#include "engine/base/status.h"
#include "engine/io/io.h"

#ifdef __cplusplus
extern "C" {
#endif

enum hnsw_vecfile_kind {
    HNSW_VECFILE_AUTO,
    HNSW_VECFILE_FVECS,
    HNSW_VECFILE_IVECS,
    HNSW_VECFILE_BVECS,
    HNSW_VECFILE_NPY,
    HNSW_VECFILE_TEXT,
    HNSW_VECFILE_CSV,
    HNSW_VECFILE_F16
};

struct hnsw_vecfile_options {
    enum hnsw_vecfile_kind kind;
    uint32_t dim; /* HNSW_VECFILE_F16: required; others: 0 = what the file says, else must agree */
    uint64_t rows_max;  /* 0 = all */
    uint64_t bytes_max; /* memory for the result; 0 = 8 GiB */
    bool keep_words;    /* text: fill words */
};

struct hnsw_vecset {
    uint32_t dim;
    size_t count;
    float
        *rows; /* count x dim; bvecs and ivecs widened (ivecs over 2^24 lose low bits: use ints) */
    int32_t *ints; /* ivecs: the values as they are, else NULL */
    char **words;  /* text with keep_words: count terminated words, else NULL */
};

SEAM_MUST_USE enum seam_status hnsw_vecfile_read(struct seam_io *io, const char *path,
                                                 const struct hnsw_vecfile_options *o,
                                                 struct hnsw_vecset *out, struct seam_fault *f);
void hnsw_vecset_free(struct hnsw_vecset *v);
/* Writes fvecs (or bvecs/ivecs by kind; values are rounded).                                       */
SEAM_MUST_USE enum seam_status hnsw_vecfile_write(struct seam_io *io, const char *path,
                                                  enum hnsw_vecfile_kind kind, const float *rows,
                                                  size_t count, uint32_t dim, struct seam_fault *f);

#ifdef __cplusplus
}
#endif

#endif
