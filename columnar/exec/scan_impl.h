/* scan_impl - what scan.c (which rows, which columns) and scan_encoded.c (conditions on encoded data) share. */
#ifndef SEAM_COLUMNAR_SCAN_IMPL_H
#define SEAM_COLUMNAR_SCAN_IMPL_H

#include "columnar/exec/plan.h"

enum cond_kind { COND_RANGE, COND_COLUMN, COND_EXPR };

struct scan_cond {
    const struct expr *e;
    enum cond_kind kind;
    int column;              /* RANGE, COLUMN: the only one it reads */
    int64_t lo, hi;          /* RANGE, on int-like columns */
    int n_columns;
    int columns[8];          /* EXPR: what to decode (more: all) */
    bool strict;             /* never true for a null: may be asked of dictionary entries alone */
};

/* Of one condition in one thread: its answer for each entry of the chunk's dictionary. */
struct cond_cache {
    const struct chunk *chunk;
    uint8_t *flags;
    size_t cap;
    bool is_range, none;     /* flags are one run of codes */
    uint32_t lo, hi;
};

struct scan_thread {
    struct chunk_scratch **scratch;  /* a column, and one for LSNs */
    struct vec *vecs;
    bool *loaded, *touched;
    const struct chunk **chunks;     /* of the present row group; NULL: the file has not the column */
    struct expr_state *eval;
    struct cond_cache *cache;
    uint32_t *rows_at;               /* chosen rows */
    lsn_t *ends;
    int64_t *end_column;
    uint64_t end_nulls[VECTOR_WORDS];
    uint64_t one_sel[VECTOR_WORDS];
    struct query_stats stats;
};

struct scan_morsel { const struct table_file *tf; int group; };

struct scan {
    struct query *q;
    const struct plan *p;
    const struct table *t;
    int n_columns, n_conds, threads;
    struct scan_cond *conds;
    const bool *required;
    size_t morsel_count;
    struct scan_morsel *morsels;
    struct scan_thread *per_thread;
};

struct cursor { /* one vector of one morsel in one thread */
    struct scan *s;
    struct scan_thread *t;
    const struct scan_morsel *m;
    uint32_t v, rows;
    uint64_t first_row;
    struct fault *f;
};

/* Counts the bytes of a column's vector as read, once. */
void scan_touch(struct cursor *c, int column);
/* Decodes a column's vector into c->t->vecs, once. */
enum status scan_load(struct cursor *c, int column);
enum status scan_corrupt_vector(struct cursor *c, int column);
/* The first `rows` bits on or off, the rest off. */
void scan_fill(uint64_t *bits, uint32_t rows, bool on);
/* Takes the rows that fail the at-th condition out of sel. */
enum status scan_eval(struct cursor *c, int at, uint64_t *sel);

#endif
