/* suggest - completing a word, and "did you mean". Both answer in surface words, never in stems.         */
#include <assert.h>
#include <string.h>

#include "invidx/plan.h"

static size_t give(const struct invidx_expansion *e, size_t n, struct invidx_suggestion *out,
                   size_t max)
{
    size_t m = n < max ? n : max;
    assert(n == 0 || e != NULL);

    for (size_t i = 0; i < m; i++) {
        memcpy(out[i].text, e[i].text, e[i].len);
        out[i].text[e[i].len] = '\0';
        out[i].docs = e[i].df;
        out[i].edits = (int)e[i].edits;
    }
    assert(m <= max);
    return m;
}

/* The first token of a text, folded; false when there is none.                                           */
static bool first_word(struct invidx_reader *r, const char *s, size_t n, struct invidx_token *out)
{
    struct invidx_tokens tokens = invidx_tokens_of(&r->analyzer, s, n);
    assert(s != NULL || n == 0);

    return invidx_tokens_next(&tokens, out);
}

enum seam_status invidx_complete(struct invidx_reader *r, const char *prefix, size_t n,
                                 struct invidx_suggestion *out, size_t max, size_t *count,
                                 struct seam_fault *f)
{
    struct invidx_query *q = NULL;
    struct invidx_expansion *e = NULL;
    size_t found = 0;
    enum seam_status st = invidx_query_new(r, &q, f);
    assert(out != NULL || max == 0);
    assert(count != NULL);

    *count = 0;
    if (st == SEAM_OK && first_word(r, prefix, n, &q->token))
        st = invidx_expand_prefix(
            q, &(struct invidx_pattern){.text = q->token.text, .n = q->token.len, .surface = true},
            &e, &found, f);
    if (st == SEAM_OK) *count = give(e, found, out, max);
    invidx_query_free(q);
    return st;
}

static enum seam_status suggest(struct invidx_query *q, const struct invidx_token *t,
                                struct invidx_suggestion *out, size_t max, size_t *count,
                                struct seam_fault *f)
{
    struct invidx_expansion *e = NULL;
    size_t found = 0;
    enum seam_status st;
    assert(t->len <= INVIDX_TERM_MAX);

    *count = 0;
    if (invidx_analyzer_is_code(t->text, t->len) || t->len < 3) return SEAM_OK;
    st = invidx_expand_fuzzy(
        q,
        &(struct invidx_pattern){
            .text = t->text, .n = t->len, .edits = t->len < 5 ? 1 : 2, .surface = true},
        &e, &found, f);
    if (st == SEAM_OK) *count = give(e, found, out, max);
    return st;
}

enum seam_status invidx_suggest(struct invidx_reader *r, const char *word, size_t n,
                                struct invidx_suggestion *out, size_t max, size_t *count,
                                struct seam_fault *f)
{
    struct invidx_query *q = NULL;
    enum seam_status st = invidx_query_new(r, &q, f);
    assert(out != NULL || max == 0);
    assert(count != NULL);

    *count = 0;
    if (st == SEAM_OK && first_word(r, word, n, &q->token)) {
        struct invidx_token t = q->token;

        st = suggest(q, &t, out, max, count, f);
    }
    invidx_query_free(q);
    return st;
}

/* Does any live document have the word?                                                                  */
static enum seam_status known(struct invidx_query *q, const struct invidx_token *t, bool *out,
                              struct seam_fault *f)
{
    struct invidx_reader *r = q->reader;
    char term[INVIDX_TERM_MAX + 8];
    size_t n = invidx_analyzer_term(&r->analyzer, t->text, t->len, term);
    assert(t->len > 0 && t->len <= INVIDX_TERM_MAX);

    *out = n == 0;
    if (q->pool_used == 0 && invidx_query_cursor(q) == NULL)
        return seam_fault_set(f, SEAM_NOMEM, "query", SEAM_FAULT_NO_OFFSET,
                              "no memory to correct the query");
    assert(q->pool_used > 0);
    for (size_t i = 0; i < r->seg_count && !*out; i++) {
        struct invidx_term found;
        uint32_t live;
        enum seam_status st = invidx_termdict_find(r->segs[i].seg, term, n, &found, f);

        if (st == SEAM_NOT_FOUND) continue;
        if (st == SEAM_OK) st = invidx_rseg_live_df(&r->segs[i], &found, q->pool[0], &live, f);
        if (st != SEAM_OK) return st;
        *out = live > 0;
    }
    return SEAM_OK;
}

enum seam_status invidx_did_you_mean(struct invidx_reader *r, const char *query, size_t n,
                                     struct seam_buf *out, struct seam_fault *f)
{
    struct invidx_tokens tokens = invidx_tokens_of(&r->analyzer, query, n);
    struct invidx_query *q = NULL;
    size_t from = out->size, copied = 0, words = 0;
    bool changed = false;
    struct invidx_token t;
    enum seam_status st =
        n > INVIDX_QUERY_BYTES_MAX
            ? seam_fault_set(f, SEAM_LIMIT, "query", SEAM_FAULT_NO_OFFSET,
                             "a query has at most %d bytes", INVIDX_QUERY_BYTES_MAX)
            : invidx_query_new(r, &q, f);
    assert(query != NULL || n == 0);

    while (st == SEAM_OK && words++ < 32 && invidx_tokens_next(&tokens, &t)) {
        struct invidx_suggestion best;
        size_t count = 0;
        bool is_known = false;

        st = known(q, &t, &is_known, f);
        if (st == SEAM_OK && !is_known) st = suggest(q, &t, &best, 1, &count, f);
        if (st != SEAM_OK || count == 0) continue;
        seam_buf_append(out, query + copied, t.begin - copied);
        seam_buf_str(out, best.text);
        assert(t.begin >= copied && t.end <= n);
        copied = t.end;
        changed = true;
    }
    if (changed)
        seam_buf_append(out, query + copied, n - copied);
    else
        out->size = from;
    invidx_query_free(q);
    if (st == SEAM_OK && !seam_buf_ok(out))
        st = seam_fault_set(f, SEAM_NOMEM, "query", SEAM_FAULT_NO_OFFSET, "no memory");
    return st;
}
