/* sql_parser - what the two halves of the parser share: the token being looked at, and how it is taken.
 *
 *   sql_parse_node.c    nodes, and looking a token ahead
 *   sql_parse.c         statements: clauses and sets of selects
 *   sql_parse_from.c    tables, derived tables, joins, AS OF
 *   sql_parse_expr.c    expressions, one function a level of the grammar in sql_ast.h
 *   sql_parse_forms.c   calls, and what is written with words inside: CASE, CAST, EXTRACT, OVER ...            */
#ifndef SEAM_COLUMNAR_SQL_PARSER_H
#define SEAM_COLUMNAR_SQL_PARSER_H

#include <string.h>

#include "columnar/sql/sql_lex.h"

struct columnar_sql_parser {
    struct columnar_sql_lexer lex;
    struct columnar_sql_token t; /* the token being looked at */
    uint32_t last_end;           /* where the token before it ended */
    struct seam_arena *a;
    struct seam_fault *f;
    unsigned depth, nodes;
    /* A whole query from the token on: expressions hold queries, which hold expressions. */
    enum seam_status (*query)(struct columnar_sql_parser *p, struct columnar_sql_select **out);
    /* What stands left of IN: sums and tighter. */
    enum seam_status (*operand)(struct columnar_sql_parser *p, struct columnar_sql_node **out);
};

/* Lists grow in doubling pieces of the arena.                                                      */
struct columnar_sql_list {
    void **items;
    int n, cap;
};

static inline enum seam_status refuse(struct columnar_sql_parser *p, enum seam_status st,
                                      const char *why)
{
    return seam_fault_set(p->f, st, "sql", p->t.at, "%s", why);
}

static inline enum seam_status expected(struct columnar_sql_parser *p, const char *what)
{
    if (p->t.kind == TOKEN_END)
        return seam_fault_set(p->f, SEAM_INVALID, "sql", p->t.at,
                              "the statement ends where %s should be", what);
    return seam_fault_set(p->f, SEAM_INVALID, "sql", p->t.at, "%s expected", what);
}

static inline enum seam_status advance(struct columnar_sql_parser *p)
{
    p->last_end = p->t.end;
    return columnar_sql_next_token(&p->lex, &p->t, p->f);
}

static inline bool at_word(const struct columnar_sql_parser *p, const char *word)
{
    return p->t.kind == TOKEN_WORD && strcmp(p->t.text, word) == 0;
}
static inline bool at_op(const struct columnar_sql_parser *p, const char *op)
{
    return p->t.kind == TOKEN_OP && strcmp(p->t.op, op) == 0;
}
/* Takes the word (or mark) when it is next.                                                        */
static inline enum seam_status take_word(struct columnar_sql_parser *p, const char *word,
                                         bool *taken)
{
    *taken = at_word(p, word);
    return *taken ? advance(p) : SEAM_OK;
}
static inline enum seam_status need_word(struct columnar_sql_parser *p, const char *word,
                                         const char *what)
{
    return at_word(p, word) ? advance(p) : expected(p, what);
}
static inline enum seam_status need_op(struct columnar_sql_parser *p, const char *op,
                                       const char *what)
{
    return at_op(p, op) ? advance(p) : expected(p, what);
}

static inline enum seam_status list_add(struct columnar_sql_parser *p, struct columnar_sql_list *l,
                                        void *item)
{
    if (l->n == l->cap) {
        int cap = l->cap == 0 ? 4 : l->cap * 2;
        void **more = seam_arena_alloc(p->a, (size_t)cap * sizeof *more);

        if (more == NULL) return refuse(p, SEAM_NOMEM, "no memory for the statement");
        if (l->n > 0) memcpy(more, l->items, (size_t)l->n * sizeof *more);
        l->items = more;
        l->cap = cap;
    }
    l->items[l->n++] = item;
    return SEAM_OK;
}

/* After a NULL: what went wrong.                                                                    */
static inline enum seam_status failure(const struct columnar_sql_parser *p)
{
    return p->f != NULL && p->f->status != SEAM_OK ? p->f->status : SEAM_NOMEM;
}

/* NULL and a fault when the statement is too large, or memory is short.                             */
struct columnar_sql_node *columnar_sql_node_new(struct columnar_sql_parser *p,
                                                enum columnar_sql_kind kind, uint32_t at);
/* A whole expression from the token on.                                                            */
SEAM_MUST_USE enum seam_status columnar_sql_parse_expr(struct columnar_sql_parser *p,
                                                       struct columnar_sql_node **out);
/* Parts of expressions that other halves need. */
enum seam_status columnar_sql_parse_list(struct columnar_sql_parser *p,
                                         struct columnar_sql_list *out); /* expr {, expr} */
enum seam_status columnar_sql_combine(struct columnar_sql_parser *p, enum columnar_sql_op op,
                                      struct columnar_sql_node *left,
                                      struct columnar_sql_node *right,
                                      struct columnar_sql_node **out);
enum seam_status columnar_sql_wrap(struct columnar_sql_parser *p, enum columnar_sql_op op,
                                   uint32_t at, struct columnar_sql_node *inner,
                                   struct columnar_sql_node **out);
enum seam_status columnar_sql_finish(struct columnar_sql_parser *p, struct columnar_sql_node *e,
                                     struct columnar_sql_list *args,
                                     struct columnar_sql_node **out);
/* sql_parse_forms.c gets the level it needs as a function, so that the files make no circle. */
typedef enum seam_status (*columnar_sql_level)(struct columnar_sql_parser *,
                                               struct columnar_sql_node **);
enum seam_status columnar_sql_parse_type(struct columnar_sql_parser *p,
                                         struct columnar_sql_node *cast);
enum seam_status columnar_sql_parse_literal(struct columnar_sql_parser *p, struct seam_value v,
                                            uint32_t at, struct columnar_sql_node **out);
/* A word, already looked at, that begins a form of its own: SEAM_END when it does not. */
enum seam_status columnar_sql_parse_form(struct columnar_sql_parser *p, columnar_sql_level expr,
                                         struct columnar_sql_node **out);
enum seam_status columnar_sql_parse_call(struct columnar_sql_parser *p, const char *name,
                                         uint32_t at, columnar_sql_level expr,
                                         struct columnar_sql_node **out);
enum seam_status columnar_sql_parse_order(struct columnar_sql_parser *p, columnar_sql_level expr,
                                          struct columnar_sql_order **out, int *n);
enum seam_status columnar_sql_parse_window(struct columnar_sql_parser *p, columnar_sql_level expr,
                                           struct columnar_sql_window **out);
/* sql_parse_from.c */
enum seam_status columnar_sql_parse_from(struct columnar_sql_parser *p,
                                         struct columnar_sql_source **out);
enum seam_status columnar_sql_parse_as_of(struct columnar_sql_parser *p,
                                          struct columnar_sql_moment *m);
bool columnar_sql_at_as_of(const struct columnar_sql_parser *p);
enum seam_status columnar_sql_parse_alias(struct columnar_sql_parser *p, const char **out);
enum seam_status columnar_sql_parse_names(struct columnar_sql_parser *p, const char ***out,
                                          int *n); /* (name, ...) */
/* The token after the one looked at. */
bool columnar_sql_peek(const struct columnar_sql_parser *p, struct columnar_sql_token *out);

/* Words that begin a clause and so name nothing.                                                    */
bool columnar_sql_is_reserved(const char *word);

#endif
