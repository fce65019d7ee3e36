/* plan - the operators' tree, and what their executions share. Private to the room.                */
#ifndef SEAM_COLUMNAR_PLAN_H
#define SEAM_COLUMNAR_PLAN_H

#include <pthread.h>

#include "columnar/exec/expr_impl.h"
#include "columnar/exec/query.h"
#include "columnar/format/coldata.h"
#include "columnar/table/reader.h"

enum columnar_plan_kind {
    PLAN_SCAN,
    PLAN_ROWS,
    PLAN_FILTER,
    PLAN_PROJECT,
    PLAN_AGGREGATE,
    PLAN_ORDER,
    PLAN_LIMIT,
    PLAN_JOIN,
    PLAN_APPEND,
    PLAN_SHARED,
    PLAN_WINDOW,
    PLAN_COLLECT /* an aggregation whose rows are kept by group */
};
enum { PLAN_COLUMNS_MAX = 1024, PLAN_STEPS_MAX = 64 };

struct columnar_plan {
    enum columnar_plan_kind kind;
    int n_columns;
    struct columnar_plan_column *columns;
    const struct columnar_plan *in, *right;
    /* SCAN */
    const struct columnar_reader *reader;
    int table;
    const int *scan_columns;
    seam_lsn_t from, to;
    bool versions;
    /* ROWS */
    struct columnar_plan_source source;
    /* FILTER */
    const struct columnar_expr *where;
    /* PROJECT: n_columns of them; AGGREGATE: keys; JOIN: left keys */
    const struct columnar_expr *const *exprs;
    int n_keys;
    const struct columnar_expr *const *right_keys;
    enum columnar_join_kind join;
    const bool *null_safe;
    bool null_aware;
    const struct columnar_plan_agg *aggs;
    int n_aggs;
    /* ORDER, LIMIT */
    const struct columnar_plan_key *keys;
    uint64_t limit, offset;
    /* APPEND */
    const struct columnar_plan *const *inputs;
    int n_inputs;
    /* WINDOW: keys are the order */
    const int *partition;
    int n_partition, n_calls;
    const struct columnar_plan_window_call *calls;
};

/* What a SHARED plan gave, kept until the query ends. */
struct columnar_shared_rows {
    const struct columnar_plan *p;
    struct columnar_coldata rows;
    struct columnar_shared_rows *next;
};

struct columnar_runner;

/* One run of a query. */
struct columnar_query {
    const struct columnar_runner *run; /* how an operator has its input run */
    const struct columnar_query_options *opt;
    int threads;
    struct columnar_query_stats stats;
    pthread_mutex_t lock; /* stats, the caller's function, faults */
    struct seam_fault *f;
    atomic_int stop; /* a status other than SEAM_OK ends every thread soon */
    uint64_t done_rows, all_rows;
    struct columnar_shared_rows *shared;
};

/* Rows flow as a batch and a selection: bit r of sel set = row r is in; sel NULL = all are. A vector whose
 * data is NULL is one nobody needs. */
struct columnar_sink {
    enum seam_status (*push)(void *self, int thread, const struct columnar_batch *b,
                             const uint64_t *sel, struct seam_fault *f);
    void *self;
    const bool *required; /* columns the sink reads */
};
/* Operators are handed their source as functions: run.c knows the operators, they do not know it. */
struct columnar_runner {
    enum seam_status (*pipeline)(struct columnar_query *q, const struct columnar_plan *p,
                                 struct columnar_sink sink, struct seam_fault *f);
    enum seam_status (*to_rows)(struct columnar_query *q, const struct columnar_plan *p,
                                struct columnar_coldata *out, struct seam_fault *f);
};
/* Runs `p` into the sink, `threads` at a time. */
static inline enum seam_status columnar_run_pipeline(struct columnar_query *q,
                                                     const struct columnar_plan *p,
                                                     struct columnar_sink sink,
                                                     struct seam_fault *f)
{
    return q->run->pipeline(q, p, sink, f);
}
/* Runs a plan that ends in all its rows in memory. */
static inline enum seam_status columnar_run_to_rows(struct columnar_query *q,
                                                    const struct columnar_plan *p,
                                                    struct columnar_coldata *out,
                                                    struct seam_fault *f)
{
    return q->run->to_rows(q, p, out, f);
}

enum seam_status columnar_run_aggregate(struct columnar_query *q, const struct columnar_plan *p,
                                        struct columnar_coldata *out, struct seam_fault *f);
enum seam_status columnar_run_order(struct columnar_query *q, const struct columnar_plan *p,
                                    struct columnar_coldata *out, struct seam_fault *f);

enum seam_status columnar_run_window(struct columnar_query *q, const struct columnar_plan *p,
                                     struct columnar_coldata *out, struct seam_fault *f);
enum seam_status columnar_run_collect(struct columnar_query *q, const struct columnar_plan *p,
                                      struct columnar_coldata *out, struct seam_fault *f);

/* ---- joins ---- */
struct columnar_join_table;
/* A right side that does not fit the budget is cut by its keys' hashes, and joined a share a time. */
enum { JOIN_BUCKETS = 4096 };
struct columnar_join_cut {
    uint64_t bytes[JOIN_BUCKETS]; /* about what the rows of each bucket take */
    uint64_t rows;
    bool has_null; /* a key of any share is null */
};
struct columnar_join_share { /* buckets [from, to) of the cut; no cut: all */
    const struct columnar_join_cut *cut;
    uint32_t from, to;
};
/* *over: it does not fit (only without a cut), *out is not made. */
enum seam_status columnar_join_build(struct columnar_query *q, const struct columnar_plan *p,
                                     const struct columnar_join_share *share,
                                     struct columnar_join_table **out, bool *over,
                                     struct seam_fault *f);
enum seam_status columnar_join_measure(struct columnar_query *q, const struct columnar_plan *p,
                                       struct columnar_join_cut *cut, struct seam_fault *f);
/* The share that begins at `from` and fits; a bucket that does not alone is SEAM_LIMIT. */
enum seam_status columnar_join_next_share(const struct columnar_query *q,
                                          const struct columnar_join_cut *cut, uint32_t from,
                                          struct columnar_join_share *share, struct seam_fault *f);
/* Whether it gives its rows a second time. */
bool columnar_plan_runs_again(const struct columnar_plan *p);
void columnar_join_free(struct columnar_join_table *t);
struct columnar_join_probe;
struct columnar_join_probe *columnar_join_probe_new(const struct columnar_join_table *t,
                                                    const struct columnar_plan *p,
                                                    const bool *required);
void columnar_join_probe_free(struct columnar_join_probe *p);
typedef enum seam_status (*batch_fn)(void *ctx, const struct columnar_batch *b, const uint64_t *sel,
                                     struct seam_fault *f);
/* Pushes the joined rows of a batch through `next`. */
/* Evaluates the left keys of a batch; columnar_join_push follows with the same one. */
enum seam_status columnar_join_keys(struct columnar_join_probe *p, const struct columnar_batch *b,
                                    struct seam_fault *f);
enum seam_status columnar_join_push(struct columnar_join_probe *p, const struct columnar_batch *b,
                                    const uint64_t *sel, batch_fn next, void *ctx,
                                    struct seam_fault *f);

/* FULL: the right rows nothing matched, after every batch has been pushed; through one thread. */
enum seam_status columnar_join_rest(struct columnar_join_probe *p, batch_fn next, void *ctx,
                                    struct seam_fault *f);
/* Bounds of the build side's k-th key when it is int-like; false when unknown or nothing was built. */
bool columnar_join_bounds(const struct columnar_join_table *t, int key, int64_t *lo, int64_t *hi);

/* ---- scans ---- */
struct columnar_scan;
/* conds: conjuncts over the scan's columns. */
enum seam_status columnar_scan_new(struct columnar_query *q, const struct columnar_plan *p,
                                   const struct columnar_expr *const *conds, int n_conds,
                                   const bool *required, struct columnar_scan **out,
                                   struct seam_fault *f);
size_t columnar_scan_morsels(const struct columnar_scan *s);
uint64_t columnar_scan_morsel_rows(const struct columnar_scan *s, size_t morsel);
enum seam_status
columnar_scan_run(struct columnar_scan *s, size_t morsel, int thread,
                  enum seam_status (*next)(void *ctx, const struct columnar_batch *b,
                                           const uint64_t *sel, struct seam_fault *f),
                  void *ctx, struct seam_fault *f);
void columnar_scan_free(struct columnar_scan *s); /* adds its counts to the query's */
/* Bounds of a scanned column over all its files; false when unknown. */
bool columnar_scan_bounds(const struct columnar_plan *p, int column, int64_t *lo, int64_t *hi);
uint64_t
columnar_scan_produced(const struct columnar_plan *p); /* rows of the table, ended ones included */

/* ---- batches ---- */
uint32_t columnar_sel_count(const uint64_t *sel, uint32_t rows);
/* The selected rows of a batch, dense. Memory is the compactor's. */
struct columnar_compactor;
struct columnar_compactor *columnar_compactor_new(int columns);
void columnar_compactor_free(struct columnar_compactor *c);
enum seam_status columnar_compact_batch(struct columnar_compactor *c,
                                        const struct columnar_batch *in, const uint64_t *sel,
                                        uint32_t count, struct columnar_batch *out);
enum seam_status columnar_rows_append(struct columnar_coldata *d, const struct columnar_batch *b,
                                      const uint64_t *sel);
enum seam_status columnar_rows_init(struct columnar_coldata *d, const struct columnar_plan *p);

#endif
