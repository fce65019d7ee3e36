/* sql - a SELECT over warehouse tables and other row sources: text in, batches out.
 *
 *   text --columnar_sql_parse_any--> tree --columnar_sql_prepare (sql_rel.h: relations, rewrites)--> struct columnar_sql_query
 *        --columnar_sql_run--> batches
 *
 * The dialect is in sql_ast.h and docs/guide/sql.md. A table's pseudo-columns _begin_lsn and _end_lsn are the row
 * version's.
 *
 * Errors name the byte of the text they are about (fault.at); columnar_sql_caret (sql_ast.h) draws it.
 * Thread-safety: a prepared query belongs to one thread at a time; it runs on opt->threads of its own. */
#ifndef SEAM_COLUMNAR_SQL_H
#define SEAM_COLUMNAR_SQL_H

#include "columnar/exec/query.h"
#include "columnar/sql/sql_ast.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A table that lives elsewhere (row store, view): its columns, and rows pulled on demand.          */
struct columnar_sql_rows {
    const struct columnar_plan_column *columns; /* live as long as the query's arena */
    int n;
    struct columnar_plan_source source;
    seam_lsn_t lsn; /* the moment it is read at; SEAM_LSN_NONE = unknown */
};

/* Where names are looked up: first the readers' tables in order, then `resolve`.                   */
struct columnar_sql_env {
    const struct columnar_reader *const *readers;
    size_t reader_count;
    /* Fills *out (memory from `a`). SEAM_NOT_FOUND: not ours. May be NULL.                           */
    enum seam_status (*resolve)(void *ctx, const char *name,
                                const struct columnar_sql_moment *as_of, struct seam_arena *a,
                                struct columnar_sql_rows *out, struct seam_fault *f);
    /* Names `resolve` knows, for "did you mean" and .tables; returns how many, fills at most max. May be NULL. */
    size_t (*names)(void *ctx, const char **out, size_t max);
    void *ctx;
};

struct columnar_sql_query {
    const struct columnar_sql_select *select; /* for its explain and analyze */
    const struct columnar_plan *plan;
    const struct columnar_plan_column *columns; /* of the answer */
    int n_columns;
    seam_lsn_t lsn; /* the moment it answers for: the lowest of its tables' */
};

/* Everything lives in `a`; the readers must stay open and unrefreshed until the query is done with. `text` is
 * borrowed. SEAM_INVALID: syntax, unknown names (the nearest one is named), types. SEAM_UNSUPPORTED.    */
SEAM_MUST_USE enum seam_status
columnar_sql_prepare(const struct columnar_sql_env *env, const char *text, size_t n,
                     struct seam_arena *a, struct columnar_sql_query *out, struct seam_fault *f);
/* As columnar_query_run. EXPLAIN is the caller's matter: select->explain says so, columnar_plan_explain prints.        */
SEAM_MUST_USE enum seam_status columnar_sql_run(const struct columnar_sql_query *q,
                                                const struct columnar_query_options *opt,
                                                columnar_query_sink sink, void *ctx,
                                                struct columnar_query_stats *stats,
                                                struct seam_fault *f);

/* ---- answers as text ---- */
enum columnar_sql_format {
    COLUMNAR_SQL_TABLE,
    COLUMNAR_SQL_CSV,
    COLUMNAR_SQL_TSV,
    COLUMNAR_SQL_JSONL,
    COLUMNAR_SQL_MARKDOWN
};
bool columnar_sql_format_parse(const char *name, enum columnar_sql_format *out);
/* Collects batches and prints them: TABLE and MARKDOWN align columns over the first `max_rows` rows (0 = all) and say how
 * many more there were; the others stream. write is called with pieces of text.                     */
struct columnar_sql_printer;
SEAM_MUST_USE enum seam_status
columnar_sql_printer_new(enum columnar_sql_format format,
                         const struct columnar_plan_column *columns, int n, uint64_t max_rows,
                         void (*write)(void *ctx, const char *s, size_t n), void *ctx,
                         struct columnar_sql_printer **out, struct seam_fault *f);
enum seam_status columnar_sql_printer_batch(void *printer, const struct columnar_batch *b,
                                            struct seam_fault *f); /* a columnar_query_sink */
SEAM_MUST_USE enum seam_status
columnar_sql_printer_finish(struct columnar_sql_printer *p, uint64_t *rows,
                            struct seam_fault *f); /* prints the rest, frees */
/* {"column": value, ...} of one row: ints and doubles as numbers, decimals and times as exact texts.  */
void columnar_sql_json_row(const struct columnar_plan_column *columns, int n,
                           const struct seam_value *row, struct seam_buf *out);
/* One row of a batch as values (text points into the batch).                                       */
void columnar_batch_row(const struct columnar_batch *b, size_t row, struct seam_value *out);

#ifdef __cplusplus
}
#endif

#endif
