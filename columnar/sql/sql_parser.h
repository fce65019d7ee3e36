/* sql_parser - what the two halves of the parser share: the token being looked at, and how it is taken.
 *
 *   columnar_sql_parse.c        statements: clauses, tables, joins, AS OF
 *   columnar_sql_parse_expr.c   expressions, one function a level of the grammar in sql_ast.h                   */
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
/* Words that begin a clause and so name nothing.                                                    */
bool columnar_sql_is_reserved(const char *word);

#endif
