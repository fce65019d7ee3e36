/* snippet - the stretch of a text that shows best why it was found. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "invidx/plan.h"

struct hit {
    size_t begin, end;
    const struct invidx_leaf *leaf;
    uint32_t term;
    double worth;
};

/* Leaves that can make a document match: not under a must-not.                                           */
static void mark_positive(const struct invidx_plan_node *n, bool *positive)
{
    assert(n->child_count == 0 || n->children != NULL);
    if (n->occur == INVIDX_MUST_NOT) return;
    if (n->leaf != NULL) positive[n->leaf->number] = true;
    for (uint32_t i = 0; i < n->child_count; i++) mark_positive(n->children[i], positive);
}

static bool find_term(const struct invidx_plan *p, const bool *positive, const char *term, size_t n,
                      struct hit *out)
{
    assert(n > 0 && n <= INVIDX_TERM_MAX);
    for (uint32_t i = 0; i < p->leaf_count; i++) {
        const struct invidx_leaf *l = p->leaves[i];

        for (uint32_t t = 0; positive[i] && t < l->count; t++) {
            if (l->terms[t].len != n || memcmp(l->terms[t].text, term, n) != 0) continue;
            out->leaf = l;
            out->term = t;
            out->worth = invidx_bm25_idf(p->r->live, l->terms[t].df) + 0.1;
            return true;
        }
    }
    return false;
}

/* Worth of hits a..b: each distinct word once, repeats a tenth.                                          */
static double worth(const struct hit *h, size_t a, size_t b)
{
    double sum = 0;
    assert(a < b);

    for (size_t i = a; i < b; i++) {
        bool again = false;

        for (size_t k = a; k < i && !again; k++)
            again = h[k].leaf == h[i].leaf && h[k].term == h[i].term;
        sum += again ? 0.1 * h[i].worth : h[i].worth;
    }
    return sum;
}

/* Moves a cut to the start of a word (never inside a UTF-8 sequence).                                    */
static size_t word_start(const char *s, size_t at, size_t floor)
{
    assert(floor <= at);
    while (at > floor && !(s[at - 1] == ' ' || s[at - 1] == '\n' || s[at - 1] == '\t')) at--;
    return at;
}

static size_t char_start(const char *s, size_t at)
{
    while (at > 0 && ((uint8_t)s[at] & 0xc0) == 0x80) at--;
    return at;
}

/* A stretch of a text. */
struct stretch {
    const char *text;
    size_t n, from, to;
};

static void write(const struct stretch *w, const struct hit *h, size_t hits,
                  const struct invidx_snippet_options *o, struct seam_buf *out)
{
    const char *text = w->text;
    const size_t n = w->n, from = w->from, to = w->to;
    size_t at = from;

    if (from > 0) seam_buf_str(out, o->ellipsis);
    for (size_t i = 0; i < hits; i++) {
        if (h[i].begin < at || h[i].end > to) continue;
        seam_buf_append(out, text + at, h[i].begin - at);
        seam_buf_str(out, o->before);
        seam_buf_append(out, text + h[i].begin, h[i].end - h[i].begin);
        seam_buf_str(out, o->after);
        at = h[i].end;
    }
    seam_buf_append(out, text + at, to - at);
    if (to < n) seam_buf_str(out, o->ellipsis);
}

static size_t find_hits(const struct invidx_plan *p, const bool *positive, const char *text,
                        size_t n, struct hit *h, size_t max)
{
    struct invidx_tokens tokens = invidx_tokens_of(&p->r->analyzer, text, n);
    struct invidx_token *t = &p->q->token;
    char term[INVIDX_TERM_MAX + 8];
    size_t m = 0;
    assert(max > 0);

    while (m < max && invidx_tokens_next(&tokens, t)) {
        size_t len = invidx_analyzer_term(&p->r->analyzer, t->text, t->len, term);

        if (len == 0 || !find_term(p, positive, term, len, &h[m])) continue;
        h[m].begin = t->begin;
        h[m++].end = t->end;
    }
    assert(m <= max);
    return m;
}

enum seam_status invidx_snippet(struct invidx_reader *r, struct invidx_query *q, const char *text,
                                size_t n, const struct invidx_snippet_options *options,
                                struct seam_buf *out, struct seam_fault *f)
{
    enum { HITS_MAX = 512 };
    struct invidx_snippet_options o = {0};
    struct invidx_request req = {0};
    struct invidx_plan *p = NULL;
    struct hit *h;
    bool *positive;
    size_t hits, best_a = 0, best_b = 0, from = 0, to;
    double best = -1;
    enum seam_status st;
    assert(r == q->reader);
    assert(text != NULL || n == 0);

    (void)r;
    if (options != NULL) o = *options;
    if (o.max_bytes == 0) o.max_bytes = 200;
    if (o.before == NULL) o.before = "<em>";
    if (o.after == NULL) o.after = "</em>";
    if (o.ellipsis == NULL) o.ellipsis = "\xe2\x80\xa6";
    st = invidx_plan_make(q, &req, &p, f);
    if (st != SEAM_OK) return st;
    h = seam_arena_alloc(&q->run, sizeof *h * HITS_MAX);
    positive = seam_arena_zalloc(&q->run, p->leaf_count + 1);
    if (h == NULL || positive == NULL) return seam_no_memory(f, "a snippet");
    mark_positive(p->root, positive);
    hits = find_hits(p, positive, text, n, h, HITS_MAX);
    for (size_t a = 0, b = 0; a < hits; a++) { /* the widest run from each hit that fits */
        double w;

        if (b < a) b = a;
        while (b < hits && h[b].end - h[a].begin <= o.max_bytes) b++;
        w = worth(h, a, b > a ? b : a + 1);
        if (w <= best) continue;
        best = w;
        best_a = a;
        best_b = b > a ? b : a + 1;
    }
    if (hits > 0) {
        size_t width = h[best_b - 1].end - h[best_a].begin,
               spare = o.max_bytes > width ? (o.max_bytes - width) / 3 : 0;

        from = h[best_a].begin > spare ? word_start(text, h[best_a].begin - spare, 0) : 0;
        if (h[best_a].begin - from > spare + 40) from = h[best_a].begin;
    }
    to = n - from <= o.max_bytes ? n : word_start(text, from + o.max_bytes, from);
    if (hits > 0 && to < h[best_b - 1].end) to = h[best_b - 1].end;
    if (to == from && n > from)
        to = char_start(text, from + o.max_bytes < n ? from + o.max_bytes : n);
    assert(from <= to && to <= n);
    write(&(struct stretch){text, n, from, to}, h, hits, &o, out);
    return seam_buf_ok(out) ? SEAM_OK : seam_no_memory(f, "a snippet");
}
