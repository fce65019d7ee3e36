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
 * caller's arena. Errors are ST_INVALID (or ST_LIMIT, ST_UNSUPPORTED) with fault.at = byte offset into the text;
 * sql_caret draws the line with a caret under it. Hostile input: bounded length, depth and node count. */
#ifndef SEAM_COLUMNAR_SQL_AST_H
#define SEAM_COLUMNAR_SQL_AST_H

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/values/value.h"

enum { SQL_TEXT_MAX = 1 << 20, SQL_DEPTH_MAX = 100, SQL_NODES_MAX = 4000, SQL_JOINS_MAX = 16 };

enum sql_kind {
    SQL_LITERAL, /* value                                                  */
    SQL_COLUMN,  /* [qualifier.]name                                       */
    SQL_STAR,    /* * or qualifier.*; only as an item, or in count(*)      */
    SQL_UNARY,   /* op: SQL_NOT, SQL_NEG; IS NULL: SQL_IS_NULL, SQL_IS_NOT_NULL */
    SQL_BINARY,  /* op, args[0], args[1]                                   */
    SQL_BETWEEN, /* args: value, low, high; negated                        */
    SQL_IN,      /* args: value, then the list; negated                    */
    SQL_LIKE,    /* args: value, pattern; negated; op SQL_LIKE_CASE / SQL_ILIKE */
    SQL_CALL,    /* name(args); distinct; star for count(*)                */
    SQL_CASE,    /* args: when, then, when, then, ..., [else]              */
    SQL_CAST,    /* args[0]; type, scale                                   */
};

enum sql_op {
    SQL_OR, SQL_AND, SQL_NOT, SQL_EQ, SQL_NE, SQL_LT, SQL_LE, SQL_GT, SQL_GE,
    SQL_ADD, SQL_SUB, SQL_CONCAT, SQL_MUL, SQL_DIV, SQL_MOD, SQL_NEG, SQL_IS_NULL, SQL_IS_NOT_NULL,
    SQL_LIKE_CASE, SQL_ILIKE,
};

struct sql_node {
    enum sql_kind kind;
    enum sql_op op;
    uint32_t at, end;         /* bytes of the text it came from: for carets and headings */
    const char *qualifier;    /* COLUMN, STAR: lower case unless quoted; NULL = none */
    const char *name;         /* COLUMN, CALL */
    struct value value;       /* LITERAL */
    bool negated, distinct, star;
    enum value_type type;     /* CAST */
    uint8_t scale;
    int n_args;
    struct sql_node **args;
};

struct sql_moment {
    enum { SQL_NOW = 0, SQL_AT_LSN, SQL_AT_TIME, SQL_AT_SNAPSHOT, SQL_AT_TAG } kind;
    uint64_t number;
    int64_t wall_us;
    const char *tag;
    uint32_t at;
};

struct sql_table {
    const char *name, *alias; /* alias = name when none was given */
    struct sql_moment as_of;
    uint32_t at;
};

struct sql_item { struct sql_node *expr; const char *alias; /* NULL = none */ };
struct sql_order { struct sql_node *expr; bool descending; bool nulls_first; };
struct sql_join { struct sql_table table; bool left; struct sql_node *on; };

struct sql_select {
    const char *text;         /* the statement; borrowed */
    size_t size;
    bool explain, analyze, distinct;
    int n_items, n_joins, n_group, n_order;
    struct sql_item *items;
    struct sql_table from;
    struct sql_join *joins;
    struct sql_node *where, *having;
    struct sql_node **group;
    struct sql_order *order;
    uint64_t limit, offset;   /* limit UINT64_MAX = all */
    struct sql_moment as_of;  /* of the whole statement; a table's own wins */
};

/* Exactly one statement, with or without ';'.                                                      */
MUST_USE enum status sql_parse(const char *text, size_t n, struct arena *a, struct sql_select **out,
                               struct fault *f);
/* The expression as text, normalised (for headings and for comparing GROUP BY with items).         */
void sql_print(const struct sql_node *e, struct buf *out);
bool sql_same(const struct sql_node *a, const struct sql_node *b); /* equal but for position and case */
bool sql_is_aggregate(const char *name);   /* count, sum, avg, min, max, approx_count_distinct */
bool sql_has_aggregate(const struct sql_node *e);
/* The line of `text` that holds byte `at`, and a caret under it.                                   */
void sql_caret(const char *text, size_t n, uint64_t at, struct buf *out);

#endif
