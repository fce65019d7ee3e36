#include "columnar/sql/sql_lex.h"

#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}
static bool is_word(char c)
{
    return is_word_start(c) || is_digit(c) || c == '$';
}

static enum seam_status skip_space(struct columnar_sql_lexer *l, struct seam_fault *f)
{
    while (l->pos < l->n) {
        const char *p = l->text + l->pos;
        size_t left = l->n - l->pos;

        if (is_space(*p)) {
            l->pos++;
        } else if (left >= 2 && p[0] == '-' && p[1] == '-') {
            while (l->pos < l->n && l->text[l->pos] != '\n') l->pos++;
        } else if (left >= 2 && p[0] == '/' && p[1] == '*') {
            const char *close = memmem(p + 2, left - 2, "*/", 2);

            if (close == NULL)
                return seam_fault_set(f, SEAM_INVALID, "sql", l->pos, "the comment is not closed");
            l->pos = (size_t)(close + 2 - l->text);
        } else {
            break;
        }
    }
    return SEAM_OK;
}

/* 'it''s' and "a ""name""": the quote doubled stands for itself.                                   */
static enum seam_status quoted(struct columnar_sql_lexer *l, char quote,
                               struct columnar_sql_token *out, struct seam_fault *f)
{
    size_t start = l->pos, i = l->pos + 1, n = 0;
    char *text = seam_arena_alloc(l->a, l->n - l->pos + 1);

    if (text == NULL)
        return seam_fault_set(f, SEAM_NOMEM, "sql", start, "no memory for the statement");
    for (; i < l->n; i++) {
        if (l->text[i] == '\0')
            return seam_fault_set(f, SEAM_INVALID, "sql", i, "a zero byte inside quotes");
        if (l->text[i] == quote) {
            if (i + 1 >= l->n || l->text[i + 1] != quote) break;
            i++;
        }
        text[n++] = l->text[i];
    }
    if (i >= l->n)
        return seam_fault_set(f, SEAM_INVALID, "sql", start, "the %s is not closed",
                              quote == '\'' ? "text" : "quoted name");
    text[n] = '\0';
    l->pos = i + 1;
    out->text = text;
    out->len = n;
    if (quote == '"' && n == 0)
        return seam_fault_set(f, SEAM_INVALID, "sql", start, "an empty name");
    return SEAM_OK;
}

static enum seam_status word(struct columnar_sql_lexer *l, struct columnar_sql_token *out,
                             struct seam_fault *f)
{
    size_t start = l->pos;
    char *text;

    while (l->pos < l->n && is_word(l->text[l->pos])) l->pos++;
    out->len = l->pos - start;
    text = seam_arena_strdup(l->a, l->text + start, out->len);
    if (text == NULL)
        return seam_fault_set(f, SEAM_NOMEM, "sql", start, "no memory for the statement");
    for (size_t i = 0; i < out->len; i++)
        if (text[i] >= 'A' && text[i] <= 'Z') text[i] = (char)(text[i] - 'A' + 'a');
    out->text = text;
    return SEAM_OK;
}

static enum seam_status number(struct columnar_sql_lexer *l, struct columnar_sql_token *out,
                               struct seam_fault *f)
{
    size_t start = l->pos;

    while (l->pos < l->n && is_digit(l->text[l->pos])) l->pos++;
    if (l->pos < l->n && l->text[l->pos] == '.') {
        l->pos++;
        while (l->pos < l->n && is_digit(l->text[l->pos])) l->pos++;
    }
    if (l->pos < l->n && (l->text[l->pos] == 'e' || l->text[l->pos] == 'E')) {
        size_t save = l->pos++;

        if (l->pos < l->n && (l->text[l->pos] == '+' || l->text[l->pos] == '-')) l->pos++;
        if (l->pos >= l->n || !is_digit(l->text[l->pos])) l->pos = save;
        while (l->pos < l->n && is_digit(l->text[l->pos])) l->pos++;
    }
    if (l->pos < l->n && is_word_start(l->text[l->pos]))
        return seam_fault_set(f, SEAM_INVALID, "sql", start, "a number runs into a word");
    out->text = l->text + start;
    out->len = l->pos - start;
    return SEAM_OK;
}

static enum seam_status operator_mark(struct columnar_sql_lexer *l, struct columnar_sql_token *out,
                                      struct seam_fault *f)
{
    static const char *const two[] = {"<>", "!=", "<=", ">=", "||", "==", "::"};
    const char *p = l->text + l->pos;

    for (size_t i = 0; i < SEAM_ARRAY_LEN(two); i++)
        if (l->n - l->pos >= 2 && memcmp(p, two[i], 2) == 0) {
            memcpy(out->op, two[i], 2);
            l->pos += 2;
            return SEAM_OK;
        }
    if (strchr("+-*/%(),.;=<>[]", *p) == NULL || *p == '\0')
        return seam_fault_set(f, SEAM_INVALID, "sql", l->pos, "'%c' means nothing here",
                              (unsigned char)*p < 0x20 ? '?' : *p);
    out->op[0] = *p;
    l->pos++;
    return SEAM_OK;
}

enum seam_status columnar_sql_next_token(struct columnar_sql_lexer *l,
                                         struct columnar_sql_token *out, struct seam_fault *f)
{
    enum seam_status st = skip_space(l, f);
    char c;

    memset(out, 0, sizeof *out);
    if (st != SEAM_OK) return st;
    out->at = (uint32_t)l->pos;
    if (l->pos >= l->n) {
        out->kind = TOKEN_END;
        out->end = out->at;
        return SEAM_OK;
    }
    c = l->text[l->pos];
    if (is_word_start(c)) {
        out->kind = TOKEN_WORD;
        st = word(l, out, f);
    } else if (is_digit(c) || (c == '.' && l->pos + 1 < l->n && is_digit(l->text[l->pos + 1]))) {
        out->kind = TOKEN_NUMBER;
        st = number(l, out, f);
    } else if (c == '\'' || c == '"') {
        out->kind = c == '\'' ? TOKEN_TEXT : TOKEN_QUOTED;
        st = quoted(l, c, out, f);
    } else {
        out->kind = TOKEN_OP;
        st = operator_mark(l, out, f);
    }
    out->end = (uint32_t)l->pos;
    return st;
}
