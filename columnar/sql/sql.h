/* sql - a SELECT over warehouse tables and other row sources: text in, batches out.
 *
 *   text --sql_parse--> tree --sql_prepare (names, types, plan)--> struct sql_query --sql_run--> batches
 *
 * The subset is in sql_ast.h. Filters, needed columns and AS OF go down into the scans; GROUP BY may name
 * items, their positions or expressions; ORDER BY likewise. Functions: count, sum, avg, min, max,
 * approx_count_distinct; date_trunc('day', t), date_part('year', t) / extract-like year(t) month(t) day(t);
 * coalesce, lower, upper, length, substr, round, abs, concat; casts. A table's pseudo-columns _begin_lsn and
 * _end_lsn are the row version's (docs/guide/sql.md).
 *
 * Errors name the byte of the text they are about (fault.at); sql_caret (sql_ast.h) draws it.
 * Thread-safety: a prepared query belongs to one thread at a time; it runs on opt->threads of its own. */
#ifndef SEAM_COLUMNAR_SQL_H
#define SEAM_COLUMNAR_SQL_H

#include "columnar/exec/query.h"
#include "columnar/sql/sql_ast.h"

/* A table that lives elsewhere (row store, view): its columns, and rows pulled on demand.          */
struct sql_rows {
    const struct plan_column *columns; /* live as long as the query's arena */
    int n;
    struct plan_source source;
    lsn_t lsn;                         /* the moment it is read at; LSN_NONE = unknown */
};

/* Where names are looked up: first the readers' tables in order, then `resolve`.                   */
struct sql_env {
    const struct columnar_reader *const *readers;
    size_t reader_count;
    /* Fills *out (memory from `a`). ST_NOT_FOUND: not ours. May be NULL.                           */
    enum status (*resolve)(void *ctx, const char *name, const struct sql_moment *as_of, struct arena *a,
                           struct sql_rows *out, struct fault *f);
    /* Names `resolve` knows, for "did you mean" and .tables; returns how many, fills at most max. May be NULL. */
    size_t (*names)(void *ctx, const char **out, size_t max);
    void *ctx;
};

struct sql_query {
    const struct sql_select *select;
    const struct plan *plan;
    const struct plan_column *columns; /* of the answer */
    int n_columns;
    lsn_t lsn;                         /* the moment it answers for: the lowest of its tables' */
};

/* Everything lives in `a`; the readers must stay open and unrefreshed until the query is done with. `text` is
 * borrowed. ST_INVALID: syntax, unknown names (the nearest one is named), types. ST_UNSUPPORTED.    */
MUST_USE enum status sql_prepare(const struct sql_env *env, const char *text, size_t n, struct arena *a,
                                 struct sql_query *out, struct fault *f);
/* As query_run. EXPLAIN is the caller's matter: select->explain says so, plan_explain prints.        */
MUST_USE enum status sql_run(const struct sql_query *q, const struct query_options *opt, query_sink sink,
                             void *ctx, struct query_stats *stats, struct fault *f);

/* ---- answers as text ---- */
enum sql_format { SQL_TABLE, SQL_CSV, SQL_TSV, SQL_JSONL, SQL_MARKDOWN };
bool sql_format_parse(const char *name, enum sql_format *out);
/* Collects batches and prints them: TABLE and MARKDOWN align columns over the first `max_rows` rows (0 = all) and say how
 * many more there were; the others stream. write is called with pieces of text.                     */
struct sql_printer;
MUST_USE enum status sql_printer_new(enum sql_format format, const struct plan_column *columns, int n,
                                     uint64_t max_rows, void (*write)(void *ctx, const char *s, size_t n),
                                     void *ctx, struct sql_printer **out, struct fault *f);
enum status sql_printer_batch(void *printer, const struct batch *b, struct fault *f); /* a query_sink */
MUST_USE enum status sql_printer_finish(struct sql_printer *p, uint64_t *rows, struct fault *f); /* prints the rest, frees */
/* {"column": value, ...} of one row: ints and doubles as numbers, decimals and times as exact texts.  */
void sql_json_row(const struct plan_column *columns, int n, const struct value *row, struct buf *out);
/* One row of a batch as values (text points into the batch).                                       */
void batch_row(const struct batch *b, size_t row, struct value *out);

#endif
