/* sql_lex - SQL text to tokens. Private to the SQL parser.                                          */
#ifndef SEAM_COLUMNAR_SQL_LEX_H
#define SEAM_COLUMNAR_SQL_LEX_H

#include "columnar/sql/sql_ast.h"

enum sql_token_kind {
    TOKEN_END,
    TOKEN_WORD,   /* bare identifier or keyword; text is lower case */
    TOKEN_QUOTED, /* "identifier" */
    TOKEN_TEXT,   /* 'literal' */
    TOKEN_NUMBER,
    TOKEN_OP,     /* one of the marks below; op holds up to two characters */
};

struct sql_token {
    enum sql_token_kind kind;
    const char *text; /* WORD, QUOTED, TEXT: unescaped, terminated, in the arena; NUMBER: as written */
    size_t len;
    char op[3];
    uint32_t at, end;
};

struct sql_lexer {
    const char *text;
    size_t n, pos;
    struct arena *a;
};

MUST_USE enum status sql_next_token(struct sql_lexer *l, struct sql_token *out, struct fault *f);

#endif
