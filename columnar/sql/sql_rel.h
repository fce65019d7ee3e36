/* sql_rel - a question as relations over numbered columns: what the binder makes, the rewrites change and the
 * lowering turns into operators. Private to the SQL planner.
 *
 *   tree --sql_from, sql_select, sql_group, sql_window, sql_subquery--> relations, APPLY where a query looks outside
 *        --sql_unnest--> joins only --sql_push--> conditions where they belong --sql_joins--> an order
 *        --sql_lower--> struct columnar_plan
 *
 * Every column that anything produces has one number in the whole statement, so a relation may move without its
 * expressions changing; expressions (exec/expr.h) name columns by that number until sql_lower.c turns numbers
 * into positions. A relation's free columns are those it reads and does not make: a correlated query.     */
#ifndef SEAM_COLUMNAR_SQL_REL_H
#define SEAM_COLUMNAR_SQL_REL_H

#include "columnar/sql/sql.h"
#include "columnar/sql/sql_bind.h"

enum columnar_rel_kind {
    COLUMNAR_REL_SCAN,   /* a table's columns: ids[]                          */
    COLUMNAR_REL_VALUES, /* rows of constants; one row of nothing: no FROM    */
    COLUMNAR_REL_FILTER, /* conds[]                                           */
    COLUMNAR_REL_MAP,    /* all of `in`, and maps[] computed from it          */
    COLUMNAR_REL_JOIN,   /* in, right, conds[], join                          */
    COLUMNAR_REL_APPLY,  /* the same, where `right` may read columns of `in`  */
    COLUMNAR_REL_GROUP,  /* maps[] are the keys, aggs[]                       */
    COLUMNAR_REL_WINDOW, /* partition[], order[], windows[]                   */
    COLUMNAR_REL_ORDER,  /* order[], limit, offset                            */
    COLUMNAR_REL_UNION,  /* inputs[], each with the ids that become ids[]     */
    COLUMNAR_REL_SHARED  /* ids[] stand for the columns of a relation that runs once */
};

struct columnar_rel_map {
    int id;
    const struct columnar_expr *e;
};
struct columnar_rel_agg {
    int id;
    struct columnar_plan_agg agg;
};
struct columnar_rel_key {
    int id;
    bool descending, nulls_first;
};
struct columnar_rel_input {
    struct columnar_rel *rel;
    int *ids;
};
struct columnar_rel_def {
    struct columnar_rel *rel;
    int n, *ids;
    const char **names;
    const struct columnar_plan *plan; /* made at the first use; its columns are ids[] in order */
    bool unnested, pushed, ordered, inlined; /* which rewrites it has had */
    int uses;
};

struct columnar_rel {
    enum columnar_rel_kind kind;
    struct columnar_rel *in, *right;
    int n_ids, *ids;
    /* SCAN */
    const struct columnar_reader *reader; /* NULL: rows */
    const struct columnar_sql_rows *rows;
    int table, *columns;
    seam_lsn_t lsn;
    const char *name;
    /* VALUES: n_rows * n_ids */
    const struct seam_value *values;
    size_t n_rows;
    /* FILTER, JOIN, APPLY */
    int n_conds;
    const struct columnar_expr **conds;
    enum columnar_join_kind join;
    int mark; /* of a MARK join */
    bool
        null_aware; /* MARK of IN: null where a null might have matched; the one condition is its key */
    /* MAP, GROUP */
    int n_maps, n_aggs;
    struct columnar_rel_map *maps;
    struct columnar_rel_agg *aggs;
    /* WINDOW, ORDER */
    int n_partition, *partition, n_order, n_windows;
    struct columnar_rel_key *order;
    struct columnar_plan_window_call *windows; /* args are ids */
    int *window_ids;
    const struct columnar_sql_window *spec;
    uint64_t limit, offset;
    /* UNION */
    int n_inputs;
    struct columnar_rel_input *inputs;
    /* SHARED */
    struct columnar_rel_def *def;
    /* what is thought of it (sql_joins.c) */
    double estimate;
};

struct columnar_rel_column {
    const char *name;
    uint8_t type, scale;
};

/* One statement being planned. */
struct columnar_rel_statement {
    struct seam_arena *a;
    struct seam_fault *f;
    const struct columnar_sql_env *env;
    const struct columnar_sql_select *top;
    seam_lsn_t lsn;
    int64_t now_us;
    struct columnar_rel_column *columns; /* by id */
    int n_columns, cap;
    int depth;
};

enum { COLUMNAR_REL_COLUMNS_MAX = 20000, COLUMNAR_REL_DEPTH_MAX = 400 };

/* A new column; -1: no memory or too many (the fault says so). */
int columnar_rel_column(struct columnar_rel_statement *s, const char *name, unsigned type,
                        unsigned scale);
struct columnar_rel *columnar_rel_new(struct columnar_rel_statement *s, enum columnar_rel_kind kind,
                                      struct columnar_rel *in);
enum seam_status columnar_rel_no_memory(struct columnar_rel_statement *s);
enum seam_status columnar_rel_column_expr(struct columnar_rel_statement *s, int id,
                                          const struct columnar_expr **out);
/* A copy of list[n] with room for one more at the end. NULL: no memory. */
void *columnar_rel_grow(struct columnar_rel_statement *s, const void *list, int n, size_t each);
enum seam_status columnar_rel_add_cond(struct columnar_rel_statement *s, struct columnar_rel *r,
                                       const struct columnar_expr *e);
enum seam_status columnar_rel_add_map(struct columnar_rel_statement *s, struct columnar_rel *r,
                                      int id, const struct columnar_expr *e);
/* *at becomes FILTER(*at, e), or e joins the FILTER that is there. */
enum seam_status columnar_rel_filter(struct columnar_rel_statement *s, struct columnar_rel **at,
                                     const struct columnar_expr *e);
/* *at becomes a MAP that computes e; *id: its number (an e that is a column is itself). */
enum seam_status columnar_rel_compute(struct columnar_rel_statement *s, struct columnar_rel **at,
                                      const struct columnar_expr *e, const char *name, int *id);

/* Sets of columns: a byte each, s->n_columns of them at the time. */
bool *columnar_rel_set(struct columnar_rel_statement *s);
void columnar_rel_expr_ids(const struct columnar_expr *e, bool *set);
void columnar_rel_out(const struct columnar_rel *r, bool *set);  /* columns it hands up */
void columnar_rel_made(const struct columnar_rel *r, bool *set); /* columns made anywhere below */
void columnar_rel_read(const struct columnar_rel *r, bool *set); /* columns read anywhere below */
/* Columns of `of` that r reads from outside; how many. */
int columnar_rel_free(struct columnar_rel_statement *s, const struct columnar_rel *r,
                      const bool *of, bool *set);
bool columnar_rel_within(const struct columnar_expr *e, const bool *set, int n);
bool columnar_rel_touches(const struct columnar_expr *e, const bool *set, int n);

/* e with columns replaced: by[id] != NULL is what stands in for it (by has n entries). */
enum seam_status columnar_rel_replace(struct columnar_rel_statement *s,
                                      const struct columnar_expr *e,
                                      const struct columnar_expr *const *by, int n,
                                      const struct columnar_expr **out);
/* Everywhere in r and below. */
enum seam_status columnar_rel_replace_in(struct columnar_rel_statement *s, struct columnar_rel *r,
                                         const struct columnar_expr *const *by, int n);
/* The same relation with numbers of its own; to[id]: the copy's number of what id was (others: id). */
enum seam_status columnar_rel_clone(struct columnar_rel_statement *s, const struct columnar_rel *r,
                                    struct columnar_rel **out, int *to);
/* a = b; or, null_safe, coalesce(a = b, a is null and b is null). */
enum seam_status columnar_rel_equal(struct columnar_rel_statement *s, const struct columnar_expr *a,
                                    const struct columnar_expr *b, bool null_safe,
                                    const struct columnar_expr **out);
/* Takes an equality apart; false when it is not one. */
bool columnar_rel_is_equal(const struct columnar_expr *e, const struct columnar_expr **a,
                           const struct columnar_expr **b, bool *null_safe);
enum seam_status columnar_rel_call(struct columnar_rel_statement *s, enum columnar_expr_op op,
                                   const struct columnar_expr *x, const struct columnar_expr *y,
                                   const struct columnar_expr **out);

/* The rewrites. */
enum seam_status columnar_rel_unnest(struct columnar_rel_statement *s, struct columnar_rel **r);
enum seam_status columnar_rel_push(struct columnar_rel_statement *s, struct columnar_rel **r);
enum seam_status columnar_rel_order_joins(struct columnar_rel_statement *s,
                                          struct columnar_rel **r);
/* ids[n] become the plan's columns, under these names. */
enum seam_status columnar_rel_lower(struct columnar_rel_statement *s, struct columnar_rel *r,
                                    const int *ids, const char *const *names, int n,
                                    const struct columnar_plan **out);

#endif
