/* sql_parse_node - making nodes, and looking a token ahead: what every part of the parser stands on. */
#include "columnar/sql/sql_parser.h"

bool columnar_sql_peek(const struct columnar_sql_parser *p, struct columnar_sql_token *out)
{
    struct columnar_sql_lexer ahead = p->lex;

    return columnar_sql_next_token(&ahead, out, NULL) == SEAM_OK;
}

struct columnar_sql_node *columnar_sql_node_new(struct columnar_sql_parser *p,
                                                enum columnar_sql_kind kind, uint32_t at)
{
    struct columnar_sql_node *e;

    if (++p->nodes > COLUMNAR_SQL_NODES_MAX) {
        refuse(p, SEAM_LIMIT, "the statement is too large");
        return NULL;
    }
    e = seam_arena_zalloc(p->a, sizeof *e);
    if (e == NULL) {
        refuse(p, SEAM_NOMEM, "no memory for the statement");
        return NULL;
    }
    e->kind = kind;
    e->at = at;
    return e;
}

enum seam_status columnar_sql_finish(struct columnar_sql_parser *p, struct columnar_sql_node *e,
                                     struct columnar_sql_list *args, struct columnar_sql_node **out)
{
    e->args = (struct columnar_sql_node **)args->items;
    e->n_args = args->n;
    e->end = p->last_end;
    *out = e;
    return SEAM_OK;
}

enum seam_status columnar_sql_combine(struct columnar_sql_parser *p, enum columnar_sql_op op,
                                      struct columnar_sql_node *left,
                                      struct columnar_sql_node *right,
                                      struct columnar_sql_node **out)
{
    struct columnar_sql_node *e = columnar_sql_node_new(p, COLUMNAR_SQL_BINARY, left->at);
    struct columnar_sql_list args = {0};
    enum seam_status st;

    if (e == NULL) return failure(p);
    e->op = op;
    st = list_add(p, &args, left);
    if (st == SEAM_OK) st = list_add(p, &args, right);
    return st == SEAM_OK ? columnar_sql_finish(p, e, &args, out) : st;
}

enum seam_status columnar_sql_wrap(struct columnar_sql_parser *p, enum columnar_sql_op op,
                                   uint32_t at, struct columnar_sql_node *inner,
                                   struct columnar_sql_node **out)
{
    struct columnar_sql_node *e = columnar_sql_node_new(p, COLUMNAR_SQL_UNARY, at);
    struct columnar_sql_list args = {0};
    enum seam_status st;

    if (e == NULL) return failure(p);
    e->op = op;
    st = list_add(p, &args, inner);
    return st == SEAM_OK ? columnar_sql_finish(p, e, &args, out) : st;
}

bool columnar_sql_is_reserved(const char *word)
{
    static const char *const words[] = {
        "select",  "from",  "where",  "group", "having",  "order",     "limit",    "offset",
        "join",    "inner", "left",   "right", "full",    "cross",     "on",       "and",
        "or",      "not",   "as",     "by",    "in",      "is",        "like",     "ilike",
        "between", "case",  "when",   "then",  "else",    "end",       "distinct", "union",
        "asc",     "desc",  "nulls",  "using", "natural", "intersect", "except",   "qualify",
        "window",  "fetch", "exists", "semi",  "anti",    "with",      "lateral"};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(words); i++)
        if (strcmp(word, words[i]) == 0) return true;
    return false;
}
