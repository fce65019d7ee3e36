/* sql_parser - what the two halves of the parser share: the token being looked at, and how it is taken.
 *
 *   sql_parse.c        statements: clauses, tables, joins, AS OF
 *   sql_parse_expr.c   expressions, one function a level of the grammar in sql_ast.h                   */
#ifndef SEAM_COLUMNAR_SQL_PARSER_H
#define SEAM_COLUMNAR_SQL_PARSER_H

#include <string.h>

#include "columnar/sql/sql_lex.h"

struct sql_parser {
    struct sql_lexer lex;
    struct sql_token t;      /* the token being looked at */
    uint32_t last_end;       /* where the token before it ended */
    struct arena *a;
    struct fault *f;
    unsigned depth, nodes;
};

/* Lists grow in doubling pieces of the arena.                                                      */
struct sql_list { void **items; int n, cap; };

static inline enum status refuse(struct sql_parser *p, enum status st, const char *why)
{
    return fault_set(p->f, st, "sql", p->t.at, "%s", why);
}

static inline enum status expected(struct sql_parser *p, const char *what)
{
    if (p->t.kind == TOKEN_END)
        return fault_set(p->f, ST_INVALID, "sql", p->t.at, "the statement ends where %s should be", what);
    return fault_set(p->f, ST_INVALID, "sql", p->t.at, "%s expected", what);
}

static inline enum status advance(struct sql_parser *p)
{
    p->last_end = p->t.end;
    return sql_next_token(&p->lex, &p->t, p->f);
}

static inline bool at_word(const struct sql_parser *p, const char *word)
{
    return p->t.kind == TOKEN_WORD && strcmp(p->t.text, word) == 0;
}
static inline bool at_op(const struct sql_parser *p, const char *op)
{
    return p->t.kind == TOKEN_OP && strcmp(p->t.op, op) == 0;
}
/* Takes the word (or mark) when it is next.                                                        */
static inline enum status take_word(struct sql_parser *p, const char *word, bool *taken)
{
    *taken = at_word(p, word);
    return *taken ? advance(p) : ST_OK;
}
static inline enum status need_word(struct sql_parser *p, const char *word, const char *what)
{
    return at_word(p, word) ? advance(p) : expected(p, what);
}
static inline enum status need_op(struct sql_parser *p, const char *op, const char *what)
{
    return at_op(p, op) ? advance(p) : expected(p, what);
}

static inline enum status list_add(struct sql_parser *p, struct sql_list *l, void *item)
{
    if (l->n == l->cap) {
        int cap = l->cap == 0 ? 4 : l->cap * 2;
        void **more = arena_alloc(p->a, (size_t)cap * sizeof *more);

        if (more == NULL) return refuse(p, ST_NOMEM, "no memory for the statement");
        if (l->n > 0) memcpy(more, l->items, (size_t)l->n * sizeof *more);
        l->items = more;
        l->cap = cap;
    }
    l->items[l->n++] = item;
    return ST_OK;
}

/* After a NULL: what went wrong.                                                                    */
static inline enum status failure(const struct sql_parser *p)
{
    return p->f != NULL && p->f->status != ST_OK ? p->f->status : ST_NOMEM;
}

/* NULL and a fault when the statement is too large, or memory is short.                             */
struct sql_node *sql_node_new(struct sql_parser *p, enum sql_kind kind, uint32_t at);
/* A whole expression from the token on.                                                            */
MUST_USE enum status sql_parse_expr(struct sql_parser *p, struct sql_node **out);
/* Words that begin a clause and so name nothing.                                                    */
bool sql_is_reserved(const char *word);

#endif
