/* query - plans of operators over warehouse tables and other row sources, run in parallel.
 *
 *     scan -> filter -> project -> join probe -> aggregate | order | collect -> the caller's function
 *
 * A plan is a tree built bottom-up in an arena. Columns are positions: the input's columns, left to right;
 * of a join, the left input's then the right's. columnar_plan_columns() tells names and types of the output.
 * Filters above a scan are pushed into it: row groups and vectors are pruned by their statistics,
 * predicates run on the encoded form, and columns not needed any more are never decoded.
 * Papers: Leis et al., morsel-driven parallelism (SIGMOD 2014); Boncz et al., X100 (CIDR 2005).     */
#ifndef SEAM_COLUMNAR_QUERY_H
#define SEAM_COLUMNAR_QUERY_H

#include "columnar/columnar.h"
#include "columnar/exec/expr.h"

#ifdef __cplusplus
extern "C" {
#endif

struct columnar_plan; /* lives in the arena it was built in; immutable; may run several times */

struct columnar_plan_column {
    const char *name;
    uint8_t type, scale;
};
int columnar_plan_columns(const struct columnar_plan *p, const struct columnar_plan_column **out);

/* Table columns by position in the schema; COLUMNAR_PLAN_COLUMN_BEGIN / _END are the row version's LSNs (end is
 * null while the row lives). All rows visible AS OF lsn (SEAM_LSN_MAX: newest); lsn must be readable.    */
enum { COLUMNAR_PLAN_COLUMN_BEGIN = -1, COLUMNAR_PLAN_COLUMN_END = -2 };
SEAM_MUST_USE enum seam_status columnar_plan_scan(struct seam_arena *a,
                                                  const struct columnar_reader *r, int table,
                                                  const int *columns, int n, seam_lsn_t lsn,
                                                  const struct columnar_plan **out,
                                                  struct seam_fault *f);
/* As columnar_plan_scan, over every version that lived within [from, to].                                   */
SEAM_MUST_USE enum seam_status
columnar_plan_scan_versions(struct seam_arena *a, const struct columnar_reader *r, int table,
                            const int *columns, int n, seam_lsn_t from, seam_lsn_t to,
                            const struct columnar_plan **out, struct seam_fault *f);
/* Rows from elsewhere (a row store, a view). next fills values[n] and returns SEAM_OK, or SEAM_END; text must
 * live until the next call. Pulled by one thread. rewind (may be NULL) starts a second run.         */
struct columnar_plan_source {
    enum seam_status (*next)(void *ctx, struct seam_value *values, struct seam_fault *f);
    enum seam_status (*rewind)(void *ctx, struct seam_fault *f);
    void *ctx;
};
SEAM_MUST_USE enum seam_status columnar_plan_rows(struct seam_arena *a,
                                                  const struct columnar_plan_column *columns, int n,
                                                  const struct columnar_plan_source *source,
                                                  const struct columnar_plan **out,
                                                  struct seam_fault *f);
SEAM_MUST_USE enum seam_status columnar_plan_filter(struct seam_arena *a,
                                                    const struct columnar_plan *in,
                                                    const struct columnar_expr *where,
                                                    const struct columnar_plan **out,
                                                    struct seam_fault *f);
SEAM_MUST_USE enum seam_status
columnar_plan_project(struct seam_arena *a, const struct columnar_plan *in,
                      const struct columnar_expr *const *exprs, const char *const *names, int n,
                      const struct columnar_plan **out, struct seam_fault *f);

enum columnar_agg_op {
    COLUMNAR_AGG_COUNT_ALL,
    COLUMNAR_AGG_COUNT,
    COLUMNAR_AGG_SUM,
    COLUMNAR_AGG_AVG,
    COLUMNAR_AGG_MIN,
    COLUMNAR_AGG_MAX,
    COLUMNAR_AGG_COUNT_DISTINCT,
    COLUMNAR_AGG_APPROX_DISTINCT,
    /* From here on, and whatever is distinct or ordered: rows are kept by group (collect.c). */
    COLUMNAR_AGG_STDDEV_SAMP,
    COLUMNAR_AGG_STDDEV_POP,
    COLUMNAR_AGG_VAR_SAMP,
    COLUMNAR_AGG_VAR_POP,
    COLUMNAR_AGG_CORR,
    COLUMNAR_AGG_COVAR_SAMP,
    COLUMNAR_AGG_COVAR_POP,
    COLUMNAR_AGG_QUANTILE_CONT, /* param */
    COLUMNAR_AGG_QUANTILE_DISC,
    COLUMNAR_AGG_MODE,
    COLUMNAR_AGG_STRING_AGG, /* text: between */
    COLUMNAR_AGG_FIRST,      /* the first row's, null or not; ANY: the first not null */
    COLUMNAR_AGG_LAST,
    COLUMNAR_AGG_ANY,
    COLUMNAR_AGG_BOOL_AND,
    COLUMNAR_AGG_BOOL_OR,
    COLUMNAR_AGG_ARG_MIN, /* arg where arg2 is least */
    COLUMNAR_AGG_ARG_MAX,
    COLUMNAR_AGG_PRODUCT,
    COLUMNAR_AGG_SINGLE /* the only row's; two rows are SEAM_INVALID */
};
struct columnar_plan_agg {
    enum columnar_agg_op op;
    const struct columnar_expr *arg; /* NULL for COUNT_ALL */
    const char *name;
    const struct columnar_expr *arg2;
    const struct columnar_expr *order; /* what the rows of a group are ordered by */
    bool descending, nulls_first, distinct;
    double param;
    const char *text;
    uint32_t text_len;
};
/* Output: the keys, then the aggregates. No keys: exactly one row. Nulls are one group. sum of ints and
 * decimals is exact (128-bit inside; a result past int64 is SEAM_LIMIT); avg is double; over no rows
 * sum/avg/min/max are null.                                                                         */
SEAM_MUST_USE enum seam_status
columnar_plan_aggregate(struct seam_arena *a, const struct columnar_plan *in,
                        const struct columnar_expr *const *keys, const char *const *key_names,
                        int n_keys, const struct columnar_plan_agg *aggs, int n_aggs,
                        const struct columnar_plan **out, struct seam_fault *f);

struct columnar_plan_key {
    int column;
    bool descending;
    bool nulls_first;
};
/* limit UINT64_MAX = all. With a limit only the first offset + limit rows are kept (top-n). Ties are in
 * no promised order.                                                                               */
SEAM_MUST_USE enum seam_status
columnar_plan_order(struct seam_arena *a, const struct columnar_plan *in,
                    const struct columnar_plan_key *keys, int n, uint64_t limit, uint64_t offset,
                    const struct columnar_plan **out, struct seam_fault *f);
SEAM_MUST_USE enum seam_status
columnar_plan_limit(struct seam_arena *a, const struct columnar_plan *in, uint64_t limit,
                    uint64_t offset, const struct columnar_plan **out, struct seam_fault *f);

/* Window functions: the input's columns, then one a call. Rows of equal partition columns are one partition, in
 * the order of the keys. Positions are the input's.                                                */
enum columnar_window_op {
    COLUMNAR_WINDOW_ROW_NUMBER,
    COLUMNAR_WINDOW_RANK,
    COLUMNAR_WINDOW_DENSE_RANK,
    COLUMNAR_WINDOW_PERCENT_RANK,
    COLUMNAR_WINDOW_CUME_DIST,
    COLUMNAR_WINDOW_NTILE,
    COLUMNAR_WINDOW_LAG, /* value, [offset], [instead] */
    COLUMNAR_WINDOW_LEAD,
    COLUMNAR_WINDOW_FIRST,
    COLUMNAR_WINDOW_LAST,
    COLUMNAR_WINDOW_NTH,
    COLUMNAR_WINDOW_COUNT_ALL,
    COLUMNAR_WINDOW_COUNT,
    COLUMNAR_WINDOW_SUM,
    COLUMNAR_WINDOW_AVG,
    COLUMNAR_WINDOW_MIN,
    COLUMNAR_WINDOW_MAX
};
enum columnar_window_bound {
    COLUMNAR_WINDOW_FIRST_ROW,
    COLUMNAR_WINDOW_BEFORE,
    COLUMNAR_WINDOW_HERE,
    COLUMNAR_WINDOW_AFTER,
    COLUMNAR_WINDOW_LAST_ROW
};
struct columnar_plan_window_call {
    enum columnar_window_op op;
    int n_args, *args;
    bool rows; /* bounds count rows; else they are distances of the order key, HERE its peers */
    enum columnar_window_bound start, end;
    int64_t before, after; /* BEFORE and AFTER: how far */
};
SEAM_MUST_USE enum seam_status
columnar_plan_window(struct seam_arena *a, const struct columnar_plan *in, const int *partition,
                     int n_partition, const struct columnar_plan_key *order, int n_order,
                     const struct columnar_plan_window_call *calls, int n_calls,
                     const struct columnar_plan **out, struct seam_fault *f);

enum columnar_join_kind {
    COLUMNAR_JOIN_INNER,
    COLUMNAR_JOIN_LEFT,
    COLUMNAR_JOIN_FULL,
    COLUMNAR_JOIN_SINGLE, /* LEFT; two matches of one row are SEAM_INVALID */
    COLUMNAR_JOIN_SEMI,   /* the left rows that have a match */
    COLUMNAR_JOIN_ANTI,   /* that have none */
    COLUMNAR_JOIN_MARK    /* every left row, and whether it has a match */
};
/* A join in full. Without keys every pair of rows is looked at. Output: the left columns, then the right ones
 * (INNER, LEFT, FULL, SINGLE) or one bool (MARK). */
struct columnar_plan_join_spec {
    const struct columnar_plan *left, *right;
    enum columnar_join_kind kind;
    int n;
    const struct columnar_expr *const *left_keys, *const *right_keys;
    const bool *null_safe; /* key by key: null equals null. NULL: none does */
    const struct columnar_expr
        *where;      /* over left and right columns: pairs it is not true of are none */
    bool null_aware; /* MARK, one key: null where only a null stands between false and true */
};
SEAM_MUST_USE enum seam_status columnar_plan_join_with(struct seam_arena *a,
                                                       const struct columnar_plan_join_spec *spec,
                                                       const struct columnar_plan **out,
                                                       struct seam_fault *f);
/* All rows of the inputs, one after the other; the same types in each.                             */
SEAM_MUST_USE enum seam_status columnar_plan_append(struct seam_arena *a,
                                                    const struct columnar_plan *const *inputs,
                                                    int n, const struct columnar_plan **out,
                                                    struct seam_fault *f);
/* Run once a query, however often it stands in the tree (by address).                              */
SEAM_MUST_USE enum seam_status columnar_plan_shared(struct seam_arena *a,
                                                    const struct columnar_plan *in,
                                                    const struct columnar_plan **out,
                                                    struct seam_fault *f);
/* Hash join on left_keys[i] = right_keys[i] (null equals nothing); the right side is built in memory.
 * Key expressions are over their own side's columns.                                               */
SEAM_MUST_USE enum seam_status
columnar_plan_join(struct seam_arena *a, const struct columnar_plan *left,
                   const struct columnar_plan *right, enum columnar_join_kind kind,
                   const struct columnar_expr *const *left_keys,
                   const struct columnar_expr *const *right_keys, int n,
                   const struct columnar_plan **out, struct seam_fault *f);

/* Read against total, over all scans of the query.                                                 */
struct columnar_query_stats {
    uint64_t rows_total, rows_scanned, rows_out; /* scanned: rows of the vectors looked at */
    uint64_t groups_total, groups_read;
    uint64_t vectors_total, vectors_read; /* vector = 2,048 rows of one row group */
    uint64_t bytes_total, bytes_read; /* total: the tables' files; read: encoded bytes touched */
    uint32_t
        passes; /* over the input of an aggregation that did not fit the budget; 0: none needed more */
    uint64_t elapsed_ns;
};
struct columnar_query_options {
    int threads; /* 0: 1 */
    /* 0: 1 GiB, for the groups of an aggregation or a join's right side, while they are built. What does not fit is
     * made in several passes over the input, each for a share of the keys: no file is written. SEAM_LIMIT where that
     * does not help: rows of one key, a join without an equality, input that comes only once. */
    uint64_t memory_bytes;
    struct seam_trace *trace;
    struct seam_clock *clock;
    /* Called now and then by thread 0 with the share of rows done; false cancels (SEAM_TIMEOUT).     */
    bool (*progress)(void *ctx, double share);
    void *progress_ctx;
};
/* Calls sink for each batch of the result, one call at a time. The batch dies when sink returns. A status
 * other than SEAM_OK ends the query: SEAM_END quietly (SEAM_OK is returned), others are returned.         */
typedef enum seam_status (*columnar_query_sink)(void *ctx, const struct columnar_batch *b,
                                                struct seam_fault *f);
SEAM_MUST_USE enum seam_status columnar_query_run(const struct columnar_plan *p,
                                                  const struct columnar_query_options *opt,
                                                  columnar_query_sink sink, void *ctx,
                                                  struct columnar_query_stats *stats,
                                                  struct seam_fault *f);
/* The plan as an indented tree; with stats (NULL: none) a last line of what was read against total.  */
void columnar_plan_explain(const struct columnar_plan *p, const struct columnar_query_stats *stats,
                           struct seam_buf *out);

#ifdef __cplusplus
}
#endif

#endif
