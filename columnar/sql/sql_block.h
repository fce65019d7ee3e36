/* sql_block - one SELECT while its names become columns. Private to the SQL planner.
 *
 *   sql_scope.c     names to numbers, through the blocks around
 *   sql_expr.c      expressions: columns, aggregates, windows and subqueries among the operators of sql_bind.c
 *   sql_from.c      FROM
 *   sql_agg.c       GROUP BY, aggregates, grouping sets
 *   sql_window.c    OVER
 *   sql_subquery.c  queries inside expressions
 *   sql_select.c    clauses in their order; sets of selects; VALUES
 * They form no circle: what must call upwards does so through functions in columnar_block_upward.       */
#ifndef SEAM_COLUMNAR_SQL_BLOCK_H
#define SEAM_COLUMNAR_SQL_BLOCK_H

#include <string.h>

#include "columnar/sql/sql_rel.h"

struct columnar_scope_column {
    const char *table, *name;
    int id;
    bool star; /* part of * */
    bool bare; /* found without its table's name */
};

/* What a query hands up: columns in their order. */
struct columnar_outputs {
    int n, *ids;
    const char **names;
};

/* WITH names, nearest first. */
struct columnar_cte_link {
    const struct columnar_sql_cte *cte;
    struct columnar_rel_def *def; /* NULL until the first use */
    int uses;
    bool open; /* being bound: it may not name itself */
    struct columnar_cte_link *outer;
};

struct columnar_block_key { /* of GROUP BY */
    const struct columnar_sql_node *node;
    const struct columnar_expr *e; /* below the group */
    int id;                        /* above it */
    int grouping; /* grouping sets: 1 where the key is not in the row's set; -1 none */
};

struct columnar_block {
    struct columnar_rel_statement *s;
    const struct columnar_block_upward *up;
    struct columnar_block *parent;
    struct columnar_cte_link *ctes;
    const struct columnar_sql_select *select;
    struct columnar_sql_moment as_of; /* of tables that say none */
    struct columnar_scope_column *columns;
    int n_columns, from; /* names are looked up in columns[from..n_columns) */
    struct columnar_rel *rel;
    struct columnar_rel **at; /* where a subquery is put below; NULL: it has no place */
    /* GROUP BY */
    bool grouped; /* expressions stand above the group */
    struct columnar_rel *group;
    struct columnar_block_key *keys;
    int n_keys, n_sets;
    bool **sets; /* by set, then key */
    const struct columnar_sql_node **agg_nodes;
    bool no_aggregates; /* WHERE, ON, inside an aggregate */
    bool no_windows;
    /* SELECT */
    int n_items;
    const struct columnar_sql_node **items;
    const char **item_names;
    int *item_ids;
    int alias_depth;
};

struct columnar_block_upward {
    /* A whole query inside `parent` (NULL: none). */
    enum seam_status (*query)(struct columnar_rel_statement *s, const struct columnar_sql_select *q,
                              struct columnar_block *parent, struct columnar_cte_link *ctes,
                              const struct columnar_sql_moment *as_of, struct columnar_rel **rel,
                              struct columnar_outputs *out);
    enum seam_status (*expr)(struct columnar_block *b, const struct columnar_sql_node *e,
                             const struct columnar_expr **out);
};

/* sql_scope.c: the column a node means, in this block or one around; SEAM_NOT_FOUND leaves the fault alone when
 * `quiet`. `own`: it is this block's. */
enum seam_status columnar_block_resolve(struct columnar_block *b, const struct columnar_sql_node *e,
                                        bool quiet, int *id, bool *own);
enum seam_status columnar_block_add_column(struct columnar_block *b, const char *table,
                                           const char *name, int id, bool star);
/* Equal expressions, whatever way their columns are written. */
bool columnar_block_same(struct columnar_block *b, const struct columnar_sql_node *x,
                         const struct columnar_sql_node *y);
/* A fault of the layers below, with the place of e. */
enum seam_status columnar_block_at(struct columnar_block *b, const struct columnar_sql_node *e,
                                   enum seam_status st, const struct seam_fault *inner);

/* sql_expr.c */
enum seam_status columnar_block_expr(struct columnar_block *b, const struct columnar_sql_node *e,
                                     const struct columnar_expr **out);
/* A condition put on *b->at: conjunct by conjunct. */
enum seam_status columnar_block_where(struct columnar_block *b, const struct columnar_sql_node *e);

/* sql_subquery.c: the nodes that hold a query; `top`: e is a conjunct of a WHERE, and only true counts
 * (then *out is NULL when *b->at already says it all). */
enum seam_status columnar_block_subquery(struct columnar_block *b,
                                         const struct columnar_sql_node *e, bool top,
                                         const struct columnar_expr **out);

/* sql_from.c */
enum seam_status columnar_block_from(struct columnar_block *b,
                                     const struct columnar_sql_source *source,
                                     struct columnar_rel **out);
/* One row of no columns. */
enum seam_status columnar_block_one_row(struct columnar_rel_statement *s,
                                        struct columnar_rel **out);

/* sql_agg.c */
bool columnar_block_is_aggregate(const char *name);
bool columnar_block_has_aggregate(const struct columnar_sql_node *e);
enum seam_status columnar_block_group(struct columnar_block *b); /* GROUP BY: b->rel is the group */
enum seam_status columnar_block_aggregate(struct columnar_block *b,
                                          const struct columnar_sql_node *e,
                                          const struct columnar_expr **out);
/* GROUPING(key, ...) */
enum seam_status columnar_block_grouping(struct columnar_block *b,
                                         const struct columnar_sql_node *e,
                                         const struct columnar_expr **out);
/* A key that e is, as a column above the group; SEAM_END: none. */
enum seam_status columnar_block_key_of(struct columnar_block *b, const struct columnar_sql_node *e,
                                       const struct columnar_expr **out);
enum seam_status columnar_block_group_done(struct columnar_block *b); /* sets are written out */

/* sql_window.c */
enum seam_status columnar_block_window(struct columnar_block *b, const struct columnar_sql_node *e,
                                       const struct columnar_expr **out);

/* sql_select.c */
enum seam_status columnar_block_query(struct columnar_rel_statement *s,
                                      const struct columnar_sql_select *q,
                                      struct columnar_block *parent, struct columnar_cte_link *ctes,
                                      const struct columnar_sql_moment *as_of,
                                      struct columnar_rel **rel, struct columnar_outputs *out);

#endif
