/* sql_ast - a parsed statement as a tree, before any name is looked up.
 *
 *   statement = [EXPLAIN [ANALYZE]] query [;] | DESCRIBE (table | query) | SHOW (TABLES | TAGS)
 *   query     = [WITH name [(column, ...)] AS (query), ...] set [ORDER BY key {, key}] [LIMIT n [OFFSET n]] [AS OF moment]
 *   set       = core {UNION | INTERSECT | EXCEPT [ALL | DISTINCT] core}        INTERSECT binds tighter
 *   core      = SELECT [DISTINCT] item {, item} [FROM source {, source}] [WHERE expr] [GROUP BY group {, group}]
 *               [HAVING expr] [WINDOW name AS (window) {, ...}] [QUALIFY expr] | VALUES (expr, ...) {, ...} | (query)
 *   item      = * | alias.* | expr [[AS] name]
 *   source    = table | (query) [AS] alias [(column, ...)] | source join source [ON expr | USING (column, ...)]
 *   table     = name [AS OF moment] [[AS] alias [(column, ...)]]
 *   join      = [NATURAL] [INNER | LEFT | RIGHT | FULL [OUTER] | CROSS] JOIN
 *   group     = expr | ROLLUP (...) | CUBE (...) | GROUPING SETS ((...), ...)
 *   moment    = LSN n | TIME 'text' | TIMESTAMP 'text' | SNAPSHOT n | TAG 'name'
 *   expr      = the usual operators, loosest first:
 *               OR; AND; NOT; IS [NOT] NULL|TRUE|FALSE|DISTINCT FROM; = <> != < <= > >= [ANY|ALL (query)],
 *               [NOT] BETWEEN / IN / LIKE / ILIKE; + - ||; * / %; unary -; ::type
 *   primary   = number | 'text' | TRUE | FALSE | NULL | DATE 'x' | TIMESTAMP 'x' | INTERVAL 'n' unit | [table.]column
 *               | f(args) [FILTER (WHERE expr)] [OVER (window)] | COUNT(*) | agg(DISTINCT expr [ORDER BY ...])
 *               | CASE WHEN e THEN e ... [ELSE e] END | CASE e WHEN ... | CAST(e AS type) | EXTRACT(unit FROM e)
 *               | SUBSTRING(e FROM e [FOR e]) | POSITION(e IN e) | TRIM([side] [e FROM] e) | (expr, ...) | (query) | EXISTS (query)
 *
 * Names are case-insensitive unless "quoted". Comments: -- to the end of the line, and C's. All nodes live in the
 * caller's arena. Errors are SEAM_INVALID (or SEAM_LIMIT, SEAM_UNSUPPORTED) with fault.at = byte offset into the text;
 * columnar_sql_caret draws the line with a caret under it. Hostile input: bounded length, depth and node count. */
#ifndef SEAM_COLUMNAR_SQL_AST_H
#define SEAM_COLUMNAR_SQL_AST_H

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/values/value.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    COLUMNAR_SQL_TEXT_MAX = 1 << 20,
    COLUMNAR_SQL_DEPTH_MAX = 100,
    COLUMNAR_SQL_NODES_MAX = 20000,
    COLUMNAR_SQL_JOINS_MAX = 16 /* of the plain form */
};

enum columnar_sql_kind {
    COLUMNAR_SQL_LITERAL, /* value                                                  */
    COLUMNAR_SQL_COLUMN,  /* [qualifier.]name                                       */
    COLUMNAR_SQL_STAR,    /* * or qualifier.*; only as an item, or in count(*)      */
    COLUMNAR_SQL_UNARY, /* op: COLUMNAR_SQL_NOT, COLUMNAR_SQL_NEG; IS NULL: COLUMNAR_SQL_IS_NULL, COLUMNAR_SQL_IS_NOT_NULL */
    COLUMNAR_SQL_BINARY,  /* op, args[0], args[1]                                   */
    COLUMNAR_SQL_BETWEEN, /* args: value, low, high; negated                        */
    COLUMNAR_SQL_IN,      /* args: value, then the list; negated                    */
    COLUMNAR_SQL_LIKE, /* args: value, pattern, [escape]; negated; op COLUMNAR_SQL_LIKE_CASE / COLUMNAR_SQL_ILIKE */
    COLUMNAR_SQL_CALL,     /* name(args); distinct; star for count(*)                */
    COLUMNAR_SQL_CASE,     /* args: when, then, when, then, ..., [else]              */
    COLUMNAR_SQL_CAST,     /* args[0]; type, scale                                   */
    COLUMNAR_SQL_ROW,      /* (a, b, ...): beside IN, and in grouping sets          */
    COLUMNAR_SQL_INTERVAL, /* value.i months, micros                                */
    COLUMNAR_SQL_SUBQUERY, /* select: one column, at most one row                   */
    COLUMNAR_SQL_EXISTS,   /* select                                                */
    COLUMNAR_SQL_IN_QUERY, /* args[0] in select; negated                            */
    COLUMNAR_SQL_ANY,      /* args[0] op ANY (select); star: ALL                    */
    COLUMNAR_SQL_SETS, /* ROLLUP, CUBE (name) or GROUPING SETS (name "sets") of args; only in GROUP BY */
};

enum columnar_sql_op {
    COLUMNAR_SQL_OR,
    COLUMNAR_SQL_AND,
    COLUMNAR_SQL_NOT,
    COLUMNAR_SQL_EQ,
    COLUMNAR_SQL_NE,
    COLUMNAR_SQL_LT,
    COLUMNAR_SQL_LE,
    COLUMNAR_SQL_GT,
    COLUMNAR_SQL_GE,
    COLUMNAR_SQL_ADD,
    COLUMNAR_SQL_SUB,
    COLUMNAR_SQL_CONCAT,
    COLUMNAR_SQL_MUL,
    COLUMNAR_SQL_DIV,
    COLUMNAR_SQL_MOD,
    COLUMNAR_SQL_NEG,
    COLUMNAR_SQL_IS_NULL,
    COLUMNAR_SQL_IS_NOT_NULL,
    COLUMNAR_SQL_LIKE_CASE,
    COLUMNAR_SQL_ILIKE,
};

struct columnar_sql_node {
    enum columnar_sql_kind kind;
    enum columnar_sql_op op;
    uint32_t at, end;        /* bytes of the text it came from: for carets and headings */
    const char *qualifier;   /* COLUMN, STAR: lower case unless quoted; NULL = none */
    const char *name;        /* COLUMN, CALL */
    struct seam_value value; /* LITERAL */
    bool negated, distinct, star;
    enum seam_value_type type; /* CAST */
    uint8_t scale;
    int64_t micros; /* INTERVAL */
    int n_args;
    struct columnar_sql_node **args;
    struct columnar_sql_select *select; /* SUBQUERY, EXISTS, IN_QUERY, ANY */
    struct columnar_sql_node *filter;   /* CALL: FILTER (WHERE ...) */
    struct columnar_sql_window *over;   /* CALL: OVER (...) */
    struct columnar_sql_order *order;   /* CALL: agg(x ORDER BY ...) */
    int n_order;
};

enum columnar_sql_moment_kind {
    COLUMNAR_SQL_NOW = 0,
    COLUMNAR_SQL_AT_LSN,
    COLUMNAR_SQL_AT_TIME,
    COLUMNAR_SQL_AT_SNAPSHOT,
    COLUMNAR_SQL_AT_TAG
};

struct columnar_sql_moment {
    enum columnar_sql_moment_kind kind;
    uint64_t number;
    int64_t wall_us;
    const char *tag;
    uint32_t at;
};

struct columnar_sql_table {
    const char *name, *alias; /* alias = name when none was given */
    struct columnar_sql_moment as_of;
    uint32_t at;
};

struct columnar_sql_item {
    struct columnar_sql_node *expr;
    const char *alias; /* NULL = none */
};
struct columnar_sql_order {
    struct columnar_sql_node *expr;
    bool descending;
    bool nulls_first;
};
struct columnar_sql_join {
    struct columnar_sql_table table;
    bool left;
    struct columnar_sql_node *on;
};

/* A frame's end. */
enum columnar_sql_bound_kind {
    COLUMNAR_SQL_UNBOUNDED_PRECEDING,
    COLUMNAR_SQL_PRECEDING,
    COLUMNAR_SQL_CURRENT_ROW,
    COLUMNAR_SQL_FOLLOWING,
    COLUMNAR_SQL_UNBOUNDED_FOLLOWING
};
struct columnar_sql_bound {
    enum columnar_sql_bound_kind kind;
    struct columnar_sql_node *offset;
};
struct columnar_sql_window {
    const char *name; /* WINDOW name AS ..., or the one it starts from; NULL = none */
    int n_partition, n_order;
    struct columnar_sql_node **partition;
    struct columnar_sql_order *order;
    bool has_frame, rows; /* rows: ROWS, else RANGE */
    struct columnar_sql_bound start, end;
    uint32_t at;
};

enum columnar_sql_source_kind {
    COLUMNAR_SQL_FROM_TABLE,
    COLUMNAR_SQL_FROM_QUERY,
    COLUMNAR_SQL_FROM_JOIN
};
enum columnar_sql_join_kind {
    COLUMNAR_SQL_JOIN_INNER,
    COLUMNAR_SQL_JOIN_LEFT,
    COLUMNAR_SQL_JOIN_RIGHT,
    COLUMNAR_SQL_JOIN_FULL,
    COLUMNAR_SQL_JOIN_SEMI,
    COLUMNAR_SQL_JOIN_ANTI
};
struct columnar_sql_source {
    enum columnar_sql_source_kind kind;
    uint32_t at;
    struct columnar_sql_table table;    /* TABLE; QUERY: its alias */
    struct columnar_sql_select *select; /* QUERY */
    const char **columns;               /* the alias' column names */
    int n_columns;
    bool lateral;
    /* JOIN */
    enum columnar_sql_join_kind join;
    bool natural;
    struct columnar_sql_source *left, *right;
    struct columnar_sql_node *on; /* NULL: cross, or USING */
    const char **using_names;
    int n_using;
};

struct columnar_sql_cte {
    const char *name;
    uint32_t at;
    struct columnar_sql_select *select;
    const char **columns;
    int n_columns;
};

enum columnar_sql_set {
    COLUMNAR_SQL_PLAIN,
    COLUMNAR_SQL_VALUES,
    COLUMNAR_SQL_UNION,
    COLUMNAR_SQL_INTERSECT,
    COLUMNAR_SQL_EXCEPT
};

struct columnar_sql_select {
    const char *text; /* the statement; borrowed */
    size_t size;
    bool explain, analyze, describe, distinct;
    int n_items, n_joins, n_group, n_order;
    struct columnar_sql_item *items;
    struct columnar_sql_table
        from; /* the plain form: a table and joins with ON (columnar_sql_parse) */
    struct columnar_sql_join *joins;
    struct columnar_sql_source *source; /* every form; NULL: no FROM */
    struct columnar_sql_node *where, *having, *qualify;
    struct columnar_sql_node **group;
    bool group_all, order_all, order_all_descending;
    struct columnar_sql_order *order;
    uint64_t limit, offset;           /* limit UINT64_MAX = all */
    struct columnar_sql_moment as_of; /* of the whole statement; a table's own wins */
    enum columnar_sql_set set;
    bool all;                                 /* UNION ALL, ... */
    struct columnar_sql_select *left, *right; /* UNION, INTERSECT, EXCEPT */
    struct columnar_sql_node **rows;          /* VALUES: ROW nodes */
    int n_rows;
    struct columnar_sql_cte *ctes;
    int n_ctes;
    struct columnar_sql_window **windows; /* WINDOW name AS (...) */
    int n_windows;
    uint32_t at;
};

/* Exactly one statement, with or without ';'. The first form takes everything; the second a plain SELECT over
 * tables joined with ON (views, declared questions), and refuses the rest by name.                  */
SEAM_MUST_USE enum seam_status columnar_sql_parse_any(const char *text, size_t n,
                                                      struct seam_arena *a,
                                                      struct columnar_sql_select **out,
                                                      struct seam_fault *f);
SEAM_MUST_USE enum seam_status columnar_sql_parse(const char *text, size_t n, struct seam_arena *a,
                                                  struct columnar_sql_select **out,
                                                  struct seam_fault *f);
/* The expression as text, normalised (for headings and for comparing GROUP BY with items).         */
void columnar_sql_print(const struct columnar_sql_node *e, struct seam_buf *out);
bool columnar_sql_same(const struct columnar_sql_node *a,
                       const struct columnar_sql_node *b); /* equal but for position and case */
bool columnar_sql_is_aggregate(
    const char *name); /* count, sum, avg, min, max, approx_count_distinct */
bool columnar_sql_has_aggregate(const struct columnar_sql_node *e);
/* The line of `text` that holds byte `at`, and a caret under it.                                   */
void columnar_sql_caret(const char *text, size_t n, uint64_t at, struct seam_buf *out);

#ifdef __cplusplus
}
#endif

#endif
