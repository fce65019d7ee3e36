/* columnar_sql_bind - names and types: a parsed expression over known columns becomes an evaluable one.
 *
 * Used by the planner below, and by whoever evaluates SQL expressions over rows of their own (views).  */
#ifndef SEAM_COLUMNAR_SQL_BIND_H
#define SEAM_COLUMNAR_SQL_BIND_H

#include "columnar/exec/expr.h"
#include "columnar/sql/sql_ast.h"

struct columnar_sql_column {
    const char *table; /* the alias it can be qualified with */
    const char *name;
    uint8_t type, scale;
    bool hidden; /* found by name, not part of * */
};

struct columnar_sql_scope {
    const struct columnar_sql_column *columns; /* position = expr column */
    int n;
};

/* Position of a column reference. SEAM_INVALID (fault.at): unknown, with the nearest name, or ambiguous. */
SEAM_MUST_USE enum seam_status columnar_sql_resolve(const struct columnar_sql_scope *s,
                                                    const struct columnar_sql_node *column,
                                                    int *out, struct seam_fault *f);
/* Aggregates are refused here (SEAM_INVALID).                                                        */
SEAM_MUST_USE enum seam_status columnar_sql_bind(struct seam_arena *a,
                                                 const struct columnar_sql_scope *s,
                                                 const struct columnar_sql_node *e,
                                                 const struct columnar_expr **out,
                                                 struct seam_fault *f);
/* As columnar_sql_bind, asking `hook` about every node first: SEAM_OK = it gave *out, SEAM_END = bind it as usual. */
struct columnar_sql_hook {
    enum seam_status (*node)(void *ctx, const struct columnar_sql_node *e,
                             const struct columnar_expr **out, struct seam_fault *f);
    void *ctx;
};
SEAM_MUST_USE enum seam_status
columnar_sql_bind_with(struct seam_arena *a, const struct columnar_sql_scope *s,
                       const struct columnar_sql_node *e, const struct columnar_sql_hook *hook,
                       const struct columnar_expr **out, struct seam_fault *f);
/* Equal expressions, whatever way their columns are written (price, p.price).                       */
bool columnar_sql_equal(const struct columnar_sql_scope *s, const struct columnar_sql_node *a,
                        const struct columnar_sql_node *b);
/* Splits a condition at its top-level ANDs; returns how many there are, fills at most max.          */
int columnar_sql_conjuncts(const struct columnar_sql_node *e, const struct columnar_sql_node **out,
                           int max);

#endif
