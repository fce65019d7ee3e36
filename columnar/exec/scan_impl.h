/* scan_impl - what scan.c (which rows, which columns) and scan_encoded.c (conditions on encoded data) share. */
#ifndef SEAM_COLUMNAR_SCAN_IMPL_H
#define SEAM_COLUMNAR_SCAN_IMPL_H

#include "columnar/exec/plan.h"

enum columnar_cond_kind { COND_RANGE, COND_COLUMN, COND_EXPR };

struct columnar_scan_cond {
    const struct columnar_expr *e;
    enum columnar_cond_kind kind;
    int column;     /* RANGE, COLUMN: the only one it reads */
    int64_t lo, hi; /* RANGE, on int-like columns */
    int n_columns;
    int columns[8]; /* EXPR: what to decode (more: all) */
    bool strict;    /* never true for a null: may be asked of dictionary entries alone */
};

/* Of one condition in one thread: its answer for each entry of the chunk's dictionary. */
struct columnar_cond_cache {
    const struct columnar_chunk *chunk;
    uint8_t *flags;
    size_t cap;
    bool is_range, none; /* flags are one run of codes */
    uint32_t lo, hi;
};

struct columnar_scan_thread {
    struct columnar_chunk_scratch **scratch; /* a column, and one for LSNs */
    struct columnar_vec *vecs;
    bool *loaded, *touched;
    const struct columnar_chunk *
        *chunks; /* of the present row group; NULL: the file has not the column */
    struct columnar_expr_state *eval;
    struct columnar_cond_cache *cache;
    uint32_t *rows_at; /* chosen rows */
    seam_lsn_t *ends;
    int64_t *end_column;
    uint64_t end_nulls[COLUMNAR_VECTOR_WORDS];
    uint64_t one_sel[COLUMNAR_VECTOR_WORDS];
    struct columnar_query_stats stats;
};

struct columnar_scan_morsel {
    const struct columnar_table_file *tf;
    int group;
};

struct columnar_scan {
    struct columnar_query *q;
    const struct columnar_plan *p;
    const struct columnar_table *t;
    int n_columns, n_conds, threads;
    struct columnar_scan_cond *conds;
    const bool *required;
    size_t morsel_count;
    struct columnar_scan_morsel *morsels;
    struct columnar_scan_thread *per_thread;
};

struct columnar_cursor { /* one vector of one morsel in one thread */
    struct columnar_scan *s;
    struct columnar_scan_thread *t;
    const struct columnar_scan_morsel *m;
    uint32_t v, rows;
    uint64_t first_row;
    struct seam_fault *f;
};

/* Counts the bytes of a column's vector as read, once. */
void columnar_scan_touch(struct columnar_cursor *c, int column);
/* Decodes a column's vector into c->t->vecs, once. */
enum seam_status columnar_scan_load(struct columnar_cursor *c, int column);
enum seam_status columnar_scan_corrupt_vector(struct columnar_cursor *c, int column);
/* The first `rows` bits on or off, the rest off. */
void columnar_scan_fill(uint64_t *bits, uint32_t rows, bool on);
/* Takes the rows for which the at-th condition is not true out of sel. Those for which it cannot be said (a cast
 * that fails) stay, marked in `failed`: another condition may take them out. */
enum seam_status columnar_scan_eval(struct columnar_cursor *c, int at, uint64_t *sel,
                                    uint64_t *failed);
/* The failure of the at-th condition for the first row that is in both. */
enum seam_status columnar_scan_raise(struct columnar_cursor *c, int at, const uint64_t *sel,
                                     const uint64_t *failed);

#endif
