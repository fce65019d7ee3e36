/* plan - the operators' tree, and what their executions share. Private to the room.                */
#ifndef SEAM_COLUMNAR_PLAN_H
#define SEAM_COLUMNAR_PLAN_H

#include <pthread.h>

#include "columnar/format/coldata.h"
#include "columnar/exec/expr_impl.h"
#include "columnar/exec/query.h"
#include "columnar/table/reader.h"

enum plan_kind { PLAN_SCAN, PLAN_ROWS, PLAN_FILTER, PLAN_PROJECT, PLAN_AGGREGATE, PLAN_ORDER, PLAN_LIMIT,
                 PLAN_JOIN };
enum { PLAN_COLUMNS_MAX = 1024, PLAN_STEPS_MAX = 64 };

struct plan {
    enum plan_kind kind;
    int n_columns;
    struct plan_column *columns;
    const struct plan *in, *right;
    /* SCAN */
    const struct columnar_reader *reader;
    int table;
    const int *scan_columns;
    lsn_t from, to;
    bool versions;
    /* ROWS */
    struct plan_source source;
    /* FILTER */
    const struct expr *where;
    /* PROJECT: n_columns of them; AGGREGATE: keys; JOIN: left keys */
    const struct expr *const *exprs;
    int n_keys;
    const struct expr *const *right_keys;
    enum join_kind join;
    const struct plan_agg *aggs;
    int n_aggs;
    /* ORDER, LIMIT */
    const struct plan_key *keys;
    uint64_t limit, offset;
};

/* One run of a query. */
struct query {
    const struct query_options *opt;
    int threads;
    struct query_stats stats;
    pthread_mutex_t lock;     /* stats, the caller's function, faults */
    struct fault *f;
    atomic_int stop;          /* a status other than ST_OK ends every thread soon */
    uint64_t done_rows, all_rows;
};

/* Rows flow as a batch and a selection: bit r of sel set = row r is in; sel NULL = all are. A vector whose
 * data is NULL is one nobody needs. */
struct sink {
    enum status (*push)(void *self, int thread, const struct batch *b, const uint64_t *sel, struct fault *f);
    void *self;
    const bool *required;     /* columns the sink reads */
};
/* Runs `p` into the sink, `threads` at a time. */
enum status run_pipeline(struct query *q, const struct plan *p, struct sink sink, struct fault *f);
/* Runs a plan that ends in all its rows in memory. */
enum status run_to_rows(struct query *q, const struct plan *p, struct coldata *out, struct fault *f);

enum status run_aggregate(struct query *q, const struct plan *p, struct coldata *out, struct fault *f);
enum status run_order(struct query *q, const struct plan *p, struct coldata *out, struct fault *f);

/* ---- joins ---- */
struct join_table;
enum status join_build(struct query *q, const struct plan *p, struct join_table **out, struct fault *f);
void join_free(struct join_table *t);
struct join_probe;
struct join_probe *join_probe_new(const struct join_table *t, const struct plan *p, const bool *required);
void join_probe_free(struct join_probe *p);
typedef enum status (*batch_fn)(void *ctx, const struct batch *b, const uint64_t *sel, struct fault *f);
/* Pushes the joined rows of a batch through `next`. */
enum status join_push(struct join_probe *p, const struct batch *b, const uint64_t *sel, batch_fn next, void *ctx,
                      struct fault *f);

/* ---- scans ---- */
struct scan;
/* conds: conjuncts over the scan's columns. */
enum status scan_new(struct query *q, const struct plan *p, const struct expr *const *conds, int n_conds,
                     const bool *required, struct scan **out, struct fault *f);
size_t scan_morsels(const struct scan *s);
uint64_t scan_morsel_rows(const struct scan *s, size_t morsel);
enum status scan_run(struct scan *s, size_t morsel, int thread,
                     enum status (*next)(void *ctx, const struct batch *b, const uint64_t *sel, struct fault *f),
                     void *ctx, struct fault *f);
void scan_free(struct scan *s); /* adds its counts to the query's */
/* Bounds of a scanned column over all its files; false when unknown. */
bool scan_bounds(const struct plan *p, int column, int64_t *lo, int64_t *hi);
uint64_t scan_rows(const struct plan *p); /* rows of the table, ended ones included */

/* ---- batches ---- */
uint32_t sel_count(const uint64_t *sel, uint32_t rows);
/* The selected rows of a batch, dense. Memory is the compactor's. */
struct compactor;
struct compactor *compactor_new(int columns);
void compactor_free(struct compactor *c);
enum status compact_batch(struct compactor *c, const struct batch *in, const uint64_t *sel, uint32_t count,
                          struct batch *out);
enum status rows_append(struct coldata *d, const struct batch *b, const uint64_t *sel);
enum status rows_init(struct coldata *d, const struct plan *p);

#endif
