/* sql_ast - a parsed SELECT as a tree, before any name is looked up.
 *
 *   statement = [EXPLAIN [ANALYZE]] SELECT [DISTINCT] item {, item} FROM table {join}
 *               [WHERE expr] [GROUP BY expr {, expr}] [HAVING expr]
 *               [ORDER BY expr [ASC|DESC] [NULLS FIRST|LAST] {, ...}] [LIMIT n [OFFSET n]] [AS OF moment] [;]
 *   item      = * | alias.* | expr [[AS] name]
 *   table     = name [AS OF moment] [[AS] alias]
 *   join      = [INNER] JOIN table ON expr | LEFT [OUTER] JOIN table ON expr
 *   moment    = LSN n | TIME 'text' | TIMESTAMP 'text' | SNAPSHOT n | TAG 'name'
 *   expr      = the usual operators, loosest first:
 *               OR; AND; NOT; = <> != < <= > >= [NOT] BETWEEN / IN / LIKE / ILIKE, IS [NOT] NULL; + - ||; * / %; unary -
 *   primary   = number | 'text' | TRUE | FALSE | NULL | DATE 'x' | TIMESTAMP 'x' | [table.]column | f(args)
 *               | COUNT(*) | agg(DISTINCT expr) | CASE WHEN e THEN e ... [ELSE e] END | CASE e WHEN ... | CAST(e AS type) | (expr)
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
    COLUMNAR_SQL_NODES_MAX = 4000,
    COLUMNAR_SQL_JOINS_MAX = 16
};

enum columnar_sql_kind {
    COLUMNAR_SQL_LITERAL, /* value                                                  */
    COLUMNAR_SQL_COLUMN,  /* [qualifier.]name                                       */
    COLUMNAR_SQL_STAR,    /* * or qualifier.*; only as an item, or in count(*)      */
    COLUMNAR_SQL_UNARY, /* op: COLUMNAR_SQL_NOT, COLUMNAR_SQL_NEG; IS NULL: COLUMNAR_SQL_IS_NULL, COLUMNAR_SQL_IS_NOT_NULL */
    COLUMNAR_SQL_BINARY,  /* op, args[0], args[1]                                   */
    COLUMNAR_SQL_BETWEEN, /* args: value, low, high; negated                        */
    COLUMNAR_SQL_IN,      /* args: value, then the list; negated                    */
    COLUMNAR_SQL_LIKE, /* args: value, pattern; negated; op COLUMNAR_SQL_LIKE_CASE / COLUMNAR_SQL_ILIKE */
    COLUMNAR_SQL_CALL, /* name(args); distinct; star for count(*)                */
    COLUMNAR_SQL_CASE, /* args: when, then, when, then, ..., [else]              */
    COLUMNAR_SQL_CAST, /* args[0]; type, scale                                   */
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
    int n_args;
    struct columnar_sql_node **args;
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

struct columnar_sql_select {
    const char *text; /* the statement; borrowed */
    size_t size;
    bool explain, analyze, distinct;
    int n_items, n_joins, n_group, n_order;
    struct columnar_sql_item *items;
    struct columnar_sql_table from;
    struct columnar_sql_join *joins;
    struct columnar_sql_node *where, *having;
    struct columnar_sql_node **group;
    struct columnar_sql_order *order;
    uint64_t limit, offset;           /* limit UINT64_MAX = all */
    struct columnar_sql_moment as_of; /* of the whole statement; a table's own wins */
};

/* Exactly one statement, with or without ';'.                                                      */
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
