/* sql_lex - SQL text to tokens. Private to the SQL parser.                                          */
#ifndef SEAM_COLUMNAR_SQL_LEX_H
#define SEAM_COLUMNAR_SQL_LEX_H

#include "columnar/sql/sql_ast.h"

enum columnar_sql_token_kind {
    TOKEN_END,
    TOKEN_WORD,   /* bare identifier or keyword; text is lower case */
    TOKEN_QUOTED, /* "identifier" */
    TOKEN_TEXT,   /* 'literal' */
    TOKEN_NUMBER,
    TOKEN_OP, /* one of the marks below; op holds up to two characters */
};

struct columnar_sql_token {
    enum columnar_sql_token_kind kind;
    const char
        *text; /* WORD, QUOTED, TEXT: unescaped, terminated, in the arena; NUMBER: as written */
    size_t len;
    char op[3];
    uint32_t at, end;
};

struct columnar_sql_lexer {
    const char *text;
    size_t n, pos;
    struct seam_arena *a;
};

SEAM_MUST_USE enum seam_status columnar_sql_next_token(struct columnar_sql_lexer *l,
                                                       struct columnar_sql_token *out,
                                                       struct seam_fault *f);

#endif
