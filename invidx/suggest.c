/* suggest - completing a word, and "did you mean". Both answer in surface words, never in stems.         */
#include <string.h>

#include "invidx/plan.h"

static size_t give(const struct expansion *e, size_t n, struct invidx_suggestion *out, size_t max)
{
    size_t m = n < max ? n : max;

    for (size_t i = 0; i < m; i++) {
        memcpy(out[i].text, e[i].text, e[i].len);
        out[i].text[e[i].len] = '\0';
        out[i].docs = e[i].df;
        out[i].edits = (int)e[i].edits;
    }
    return m;
}

/* The first token of a text, folded; false when there is none.                                           */
static bool first_word(struct invidx_reader *r, const char *s, size_t n, struct token *out)
{
    struct tokens tokens = tokens_of(&r->analyzer, s, n);

    return tokens_next(&tokens, out);
}

enum status invidx_complete(struct invidx_reader *r, const char *prefix, size_t n,
                            struct invidx_suggestion *out, size_t max, size_t *count,
                            struct fault *f)
{
    struct invidx_query *q = NULL;
    struct expansion *e = NULL;
    size_t found = 0;
    enum status st = invidx_query_new(r, &q, f);

    *count = 0;
    if (st == ST_OK && first_word(r, prefix, n, &q->token))
        st = expand_prefix(q, q->token.text, q->token.len, true, &e, &found, f);
    if (st == ST_OK) *count = give(e, found, out, max);
    invidx_query_free(q);
    return st;
}

static enum status suggest(struct invidx_query *q, const struct token *t,
                           struct invidx_suggestion *out, size_t max, size_t *count,
                           struct fault *f)
{
    struct expansion *e = NULL;
    size_t found = 0;
    enum status st;

    *count = 0;
    if (analyzer_is_code(t->text, t->len) || t->len < 3) return ST_OK;
    st = expand_fuzzy(q, t->text, t->len, t->len < 5 ? 1 : 2, true, &e, &found, f);
    if (st == ST_OK) *count = give(e, found, out, max);
    return st;
}

enum status invidx_suggest(struct invidx_reader *r, const char *word, size_t n,
                           struct invidx_suggestion *out, size_t max, size_t *count,
                           struct fault *f)
{
    struct invidx_query *q = NULL;
    enum status st = invidx_query_new(r, &q, f);

    *count = 0;
    if (st == ST_OK && first_word(r, word, n, &q->token)) {
        struct token t = q->token;

        st = suggest(q, &t, out, max, count, f);
    }
    invidx_query_free(q);
    return st;
}

/* Does any live document have the word?                                                                  */
static enum status known(struct invidx_query *q, const struct token *t, bool *out, struct fault *f)
{
    struct invidx_reader *r = q->reader;
    char term[INVIDX_TERM_MAX + 8];
    size_t n = analyzer_term(&r->analyzer, t->text, t->len, term);

    *out = n == 0;
    if (q->pool_used == 0 && query_cursor(q) == NULL)
        return fault_set(f, ST_NOMEM, "query", FAULT_NO_OFFSET, "no memory to correct the query");
    for (size_t i = 0; i < r->seg_count && !*out; i++) {
        struct term found;
        uint32_t live;
        enum status st = termdict_find(r->segs[i].seg, term, n, &found, f);

        if (st == ST_NOT_FOUND) continue;
        if (st == ST_OK) st = rseg_live_df(&r->segs[i], &found, q->pool[0], &live, f);
        if (st != ST_OK) return st;
        *out = live > 0;
    }
    return ST_OK;
}

enum status invidx_did_you_mean(struct invidx_reader *r, const char *query, size_t n,
                                struct buf *out, struct fault *f)
{
    struct tokens tokens = tokens_of(&r->analyzer, query, n);
    struct invidx_query *q = NULL;
    size_t from = out->size, copied = 0, words = 0;
    bool changed = false;
    struct token t;
    enum status st = n > INVIDX_QUERY_BYTES_MAX
                         ? fault_set(f, ST_LIMIT, "query", FAULT_NO_OFFSET,
                                     "a query has at most %d bytes", INVIDX_QUERY_BYTES_MAX)
                         : invidx_query_new(r, &q, f);

    while (st == ST_OK && words++ < 32 && tokens_next(&tokens, &t)) {
        struct invidx_suggestion best;
        size_t count = 0;
        bool is_known = false;

        st = known(q, &t, &is_known, f);
        if (st == ST_OK && !is_known) st = suggest(q, &t, &best, 1, &count, f);
        if (st != ST_OK || count == 0) continue;
        buf_append(out, query + copied, t.begin - copied);
        buf_str(out, best.text);
        copied = t.end;
        changed = true;
    }
    if (changed)
        buf_append(out, query + copied, n - copied);
    else
        out->size = from;
    invidx_query_free(q);
    if (st == ST_OK && !buf_ok(out))
        st = fault_set(f, ST_NOMEM, "query", FAULT_NO_OFFSET, "no memory");
    return st;
}
