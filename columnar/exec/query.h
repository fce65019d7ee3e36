/* query - plans of operators over warehouse tables and other row sources, run in parallel.
 *
 *     scan -> filter -> project -> join probe -> aggregate | order | collect -> the caller's function
 *
 * A plan is a tree built bottom-up in an arena. Columns are positions: the input's columns, left to right;
 * of a join, the left input's then the right's. plan_columns() tells names and types of the output.
 * Filters above a scan are pushed into it: row groups and vectors are pruned by their statistics,
 * predicates run on the encoded form, and columns not needed any more are never decoded.
 * Papers: Leis et al., morsel-driven parallelism (SIGMOD 2014); Boncz et al., X100 (CIDR 2005).     */
#ifndef SEAM_COLUMNAR_QUERY_H
#define SEAM_COLUMNAR_QUERY_H

#include "columnar/columnar.h"
#include "columnar/exec/expr.h"

struct plan; /* lives in the arena it was built in; immutable; may run several times */

struct plan_column { const char *name; uint8_t type, scale; };
int plan_columns(const struct plan *p, const struct plan_column **out);

/* Table columns by position in the schema; PLAN_COLUMN_BEGIN / _END are the row version's LSNs (end is
 * null while the row lives). All rows visible AS OF lsn (LSN_MAX: newest); lsn must be readable.    */
enum { PLAN_COLUMN_BEGIN = -1, PLAN_COLUMN_END = -2 };
MUST_USE enum status plan_scan(struct arena *a, const struct columnar_reader *r, int table,
                               const int *columns, int n, lsn_t lsn, const struct plan **out,
                               struct fault *f);
/* As plan_scan, over every version that lived within [from, to].                                   */
MUST_USE enum status plan_scan_versions(struct arena *a, const struct columnar_reader *r, int table,
                                        const int *columns, int n, lsn_t from, lsn_t to,
                                        const struct plan **out, struct fault *f);
/* Rows from elsewhere (a row store, a view). next fills values[n] and returns ST_OK, or ST_END; text must
 * live until the next call. Pulled by one thread. rewind (may be NULL) starts a second run.         */
struct plan_source {
    enum status (*next)(void *ctx, struct value *values, struct fault *f);
    enum status (*rewind)(void *ctx, struct fault *f);
    void *ctx;
};
MUST_USE enum status plan_rows(struct arena *a, const struct plan_column *columns, int n,
                               const struct plan_source *source, const struct plan **out,
                               struct fault *f);
MUST_USE enum status plan_filter(struct arena *a, const struct plan *in, const struct expr *where,
                                 const struct plan **out, struct fault *f);
MUST_USE enum status plan_project(struct arena *a, const struct plan *in, const struct expr *const *exprs,
                                  const char *const *names, int n, const struct plan **out,
                                  struct fault *f);

enum agg_op { AGG_COUNT_ALL, AGG_COUNT, AGG_SUM, AGG_AVG, AGG_MIN, AGG_MAX, AGG_COUNT_DISTINCT,
              AGG_APPROX_DISTINCT };
struct plan_agg { enum agg_op op; const struct expr *arg; /* NULL for COUNT_ALL */ const char *name; };
/* Output: the keys, then the aggregates. No keys: exactly one row. Nulls are one group. sum of ints and
 * decimals is exact (128-bit inside; a result past int64 is ST_LIMIT); avg is double; over no rows
 * sum/avg/min/max are null.                                                                         */
MUST_USE enum status plan_aggregate(struct arena *a, const struct plan *in, const struct expr *const *keys,
                                    const char *const *key_names, int n_keys,
                                    const struct plan_agg *aggs, int n_aggs, const struct plan **out,
                                    struct fault *f);

struct plan_key { int column; bool descending; bool nulls_first; };
/* limit UINT64_MAX = all. With a limit only the first offset + limit rows are kept (top-n). Ties are in
 * no promised order.                                                                               */
MUST_USE enum status plan_order(struct arena *a, const struct plan *in, const struct plan_key *keys, int n,
                                uint64_t limit, uint64_t offset, const struct plan **out, struct fault *f);
MUST_USE enum status plan_limit(struct arena *a, const struct plan *in, uint64_t limit, uint64_t offset,
                                const struct plan **out, struct fault *f);

enum join_kind { JOIN_INNER, JOIN_LEFT };
/* Hash join on left_keys[i] = right_keys[i] (null equals nothing); the right side is built in memory.
 * Key expressions are over their own side's columns.                                               */
MUST_USE enum status plan_join(struct arena *a, const struct plan *left, const struct plan *right,
                               enum join_kind kind, const struct expr *const *left_keys,
                               const struct expr *const *right_keys, int n, const struct plan **out,
                               struct fault *f);

/* Read against total, over all scans of the query.                                                 */
struct query_stats {
    uint64_t rows_total, rows_scanned, rows_out; /* scanned: rows of the vectors looked at */
    uint64_t groups_total, groups_read;
    uint64_t vectors_total, vectors_read;        /* vector = 2,048 rows of one row group */
    uint64_t bytes_total, bytes_read;            /* total: the tables' files; read: encoded bytes touched */
    uint32_t passes;           /* over the input of an aggregation that did not fit the budget; 0: none needed more */
    uint64_t elapsed_ns;
};
struct query_options {
    int threads;               /* 0: 1 */
    uint64_t memory_bytes;     /* 0: 1 GiB, for groups or a join's right side. Groups past it are made in several
                                  passes over the input, each for a share of the keys: no file is written. A
                                  join's right side past it is ST_LIMIT.                            */
    struct trace *trace;
    struct clock *clock;
    /* Called now and then by thread 0 with the share of rows done; false cancels (ST_TIMEOUT).     */
    bool (*progress)(void *ctx, double share);
    void *progress_ctx;
};
/* Calls sink for each batch of the result, one call at a time. The batch dies when sink returns. A status
 * other than ST_OK ends the query: ST_END quietly (ST_OK is returned), others are returned.         */
typedef enum status (*query_sink)(void *ctx, const struct batch *b, struct fault *f);
MUST_USE enum status query_run(const struct plan *p, const struct query_options *opt, query_sink sink,
                               void *ctx, struct query_stats *stats, struct fault *f);
/* The plan as an indented tree; with stats (NULL: none) a last line of what was read against total.  */
void plan_explain(const struct plan *p, const struct query_stats *stats, struct buf *out);

#endif
