/* view - dashboard numbers kept right by deltas: declared in SQL, looked up by key.
 *
 *   stream --> mirrors of the inputs --> contributions: -1 * before, +1 * after --> groups --> rows of the view
 *
 * A view is one SELECT: group expressions and count/sum/avg/min/max over a fact table, INNER or LEFT joins from it to
 * dimensions by their whole primary keys (chains allowed), WHERE, GROUP BY. Anything else is refused by name.
 *
 * The store is a row store of its own (oltp/), so one transaction holds the mirrored inputs, the changed groups and
 * the applied LSN: offset and effect are one commit. In it:
 *
 *   meta          id 1: lsn, the inputs stand here; valid_lsn, the views do; wall_us
 *   defs          name, sql
 *   src_TABLE     k = encoded key, row = encoded row, f0.. = encoded foreign keys of the joins, each with an index
 *   v_NAME        k = group key (engine/values/key.h parts), n = rows in the group, s = the aggregates' states
 *   m_NAME        k, a = aggregate, v = encoded value: n, the ordered multiset behind min and max
 *
 * A change of table T affects the fact rows whose joins reach T's key. Each one's contribution is retracted with the
 * mirrors as they are, the mirror changes, and the contribution is added again: so inner and left joins, late
 * dimensions, and a category that changes under old orders are one rule. Views that use none of the changed columns
 * are left alone. The first large backlog only fills the mirrors; the views are then computed once from them.
 *
 * Papers: Gupta, Mumick, Subrahmanian, "Maintaining views incrementally" (SIGMOD 1993); Budiu et al., DBSP (PVLDB 2023).
 * Imports: engine, oltp, columnar (SQL and expressions). A handle belongs to one thread.            */
#ifndef SEAM_PIPELINE_VIEW_H
#define SEAM_PIPELINE_VIEW_H

#include "columnar/exec/expr.h"
#include "engine/base/lsn.h"
#include "pipeline/platform.h"

enum { VIEWS_MAX = 64, VIEW_COLUMNS_MAX = 64, VIEW_TABLES_MAX = 8 };

/* ---- reading: any process ---- */
struct view_reader;

SEAM_MUST_USE enum seam_status view_reader_open(struct seam_io *io, const char *dir,
                                                struct view_reader **out, struct seam_fault *f);
void view_reader_close(struct view_reader *r); /* accepts NULL */
/* Moves on to what is published now.                                                               */
SEAM_MUST_USE enum seam_status view_reader_refresh(struct view_reader *r, struct seam_fault *f);
struct view_position {
    seam_lsn_t lsn;
    int64_t wall_us;
};
void view_reader_position(const struct view_reader *r, struct view_position *out);
/* Names and SQL of the views; returns how many, fills at most max. Texts live until refresh or close.  */
struct view_info {
    const char *name, *sql;
};
size_t view_reader_list(struct view_reader *r, struct view_info *out, size_t max);

/* group: which of the GROUP BY keys the column is, from 0; -1: none. of_key: no aggregate is in it, so it follows from the
 * group's key. */
struct view_column {
    const char *name;
    uint8_t type, scale;
    bool key, of_key;
    int8_t group;
};
/* Output columns of a view, in the order of its SELECT. SEAM_NOT_FOUND names the nearest.             */
SEAM_MUST_USE enum seam_status view_describe(struct view_reader *r, const char *name,
                                             const struct view_column **columns, int *n,
                                             struct seam_fault *f);
/* The row with these group values (one a GROUP BY key, in its order). `row` has room for all columns; text lives
 * until the next call. SEAM_NOT_FOUND.                                                                */
SEAM_MUST_USE enum seam_status view_get(struct view_reader *r, const char *name,
                                        const struct seam_value *key, int n_key,
                                        struct seam_value *row, struct seam_fault *f);
/* Every row in key order, until fn returns another status than SEAM_OK (SEAM_END ends quietly).          */
typedef enum seam_status (*view_row_fn)(void *ctx, const struct view_column *columns, int n,
                                        const struct seam_value *row);
SEAM_MUST_USE enum seam_status view_scan(struct view_reader *r, const char *name, view_row_fn fn,
                                         void *ctx, struct seam_fault *f);
/* Types of the group keys, for parsing a key from words.                                            */
SEAM_MUST_USE enum seam_status view_key_columns(struct view_reader *r, const char *name,
                                                struct view_column *out, int max, int *n,
                                                struct seam_fault *f);

#endif
