/* texts - corpora and query classes for bench_invidx: every engine sees the same tokens. */
#ifndef SEAM_BENCH_FULLTEXT_TEXTS_H
#define SEAM_BENCH_FULLTEXT_TEXTS_H

#include "engine/base/buf.h"
#include "engine/base/rng.h"
#include "engine/base/status.h"

struct line {
    size_t at;
    uint32_t len;
};
/* One document a line: runs of [a-z0-9] separated by single spaces. */
struct texts {
    struct seam_buf bytes;
    struct line *lines;
    size_t count, cap;
};

SEAM_MUST_USE enum seam_status texts_corpus(const char *dir, size_t max, struct texts *out,
                                            struct seam_fault *f);
/* 20-100 words (mean 60) over a vocabulary of 200,000, Zipf with exponent 1. */
SEAM_MUST_USE enum seam_status texts_zipf(size_t docs, uint64_t seed, struct texts *out,
                                          struct seam_fault *f);
void texts_free(struct texts *t);
SEAM_MUST_USE enum seam_status texts_write(const struct texts *t, const char *path,
                                           struct seam_fault *f);

enum { QUERY_CLASSES = 11 };
struct text_query {
    char text[96];
};
struct text_class {
    const char *name;
    struct text_query *queries;
    size_t count;
};
/* Classes from the document frequencies, as the figures we compare with were made: high = above 5 %, mid =
 * 0.1-1 %, low = 0.003-0.05 %; and/or = words of log-uniform rank; phrase2 = neighbours in a document.   */
SEAM_MUST_USE enum seam_status texts_queries(const struct texts *t, size_t each, uint64_t seed,
                                             struct text_class out[QUERY_CLASSES],
                                             struct seam_fault *f);
void texts_queries_free(struct text_class c[QUERY_CLASSES]);

#endif
