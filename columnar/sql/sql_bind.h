/* sql_bind - names and types: a parsed expression over known columns becomes an evaluable one.
 *
 * Used by the planner below, and by whoever evaluates SQL expressions over rows of their own (views).  */
#ifndef SEAM_COLUMNAR_SQL_BIND_H
#define SEAM_COLUMNAR_SQL_BIND_H

#include "columnar/exec/expr.h"
#include "columnar/sql/sql_ast.h"

struct sql_column {
    const char *table;   /* the alias it can be qualified with */
    const char *name;
    uint8_t type, scale;
    bool hidden;         /* found by name, not part of * */
};

struct sql_scope {
    const struct sql_column *columns; /* position = expr column */
    int n;
};

/* Position of a column reference. ST_INVALID (fault.at): unknown, with the nearest name, or ambiguous. */
MUST_USE enum status sql_resolve(const struct sql_scope *s, const struct sql_node *column, int *out,
                                 struct fault *f);
/* Aggregates are refused here (ST_INVALID).                                                        */
MUST_USE enum status sql_bind(struct arena *a, const struct sql_scope *s, const struct sql_node *e,
                              const struct expr **out, struct fault *f);
/* As sql_bind, asking `hook` about every node first: ST_OK = it gave *out, ST_END = bind it as usual. */
struct sql_hook {
    enum status (*node)(void *ctx, const struct sql_node *e, const struct expr **out, struct fault *f);
    void *ctx;
};
MUST_USE enum status sql_bind_with(struct arena *a, const struct sql_scope *s, const struct sql_node *e,
                                   const struct sql_hook *hook, const struct expr **out, struct fault *f);
/* Equal expressions, whatever way their columns are written (price, p.price).                       */
bool sql_equal(const struct sql_scope *s, const struct sql_node *a, const struct sql_node *b);
/* Splits a condition at its top-level ANDs; returns how many there are, fills at most max.          */
int sql_conjuncts(const struct sql_node *e, const struct sql_node **out, int max);

#endif
