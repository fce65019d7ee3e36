/* expand - the words of the index near a pattern: prefixes, and a Levenshtein automaton run down the sorted
 * dictionary. The automaton's state is a row of the edit matrix (transpositions count one); when no cell of
 * the row is within reach, every word with that prefix is skipped by one seek.
 * Paper: Schulz & Mihov, "Fast string correction with Levenshtein automata" (IJDAR 2002).              */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/walk.h"
#include "invidx/plan.h"

struct invidx_found {
    struct invidx_expansion *v;
    size_t n, cap;
};

static enum seam_status add(struct invidx_query *q, struct invidx_found *s, const char *text,
                            size_t len, uint32_t edits, uint64_t df, struct seam_fault *f)
{
    assert(s->n <= s->cap);
    assert(len <= INVIDX_TERM_MAX);
    assert(df > 0);
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 256 : 2 * s->cap;
        struct invidx_expansion *v = realloc(s->v, cap * sizeof *v);

        if (v == NULL) return seam_no_memory(f, "the words that a query means");
        s->v = v;
        s->cap = cap;
    }
    s->v[s->n] =
        (struct invidx_expansion){seam_arena_strdup(&q->run, text, len), (uint32_t)len, edits, df};
    return s->v[s->n++].text == NULL ? seam_no_memory(f, "the words that a query means") : SEAM_OK;
}

static int by_text(const void *x, const void *y)
{
    const struct invidx_expansion *a = x, *b = y;
    int c = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
    SEAM_WALK(a->text != NULL);
    SEAM_WALK(b->text != NULL);

    if (c != 0) return c;
    if (a->len != b->len) return a->len > b->len ? 1 : -1;
    return (a->edits > b->edits) - (a->edits < b->edits);
}

static int by_rank(const void *x, const void *y)
{
    const struct invidx_expansion *a = x, *b = y;

    if (a->edits != b->edits) return a->edits < b->edits ? -1 : 1;
    if (a->df != b->df) return a->df > b->df ? -1 : 1;
    return by_text(x, y);
}

/* The same term from several segments and words becomes one; the best ones stay.                        */
static enum seam_status settle(struct invidx_query *q, struct invidx_found *s,
                               struct invidx_expansion **out, size_t *count, struct seam_fault *f)
{
    size_t n = 0;

    *count = 0;
    if (s->n == 0) return SEAM_OK;
    qsort(s->v, s->n, sizeof *s->v, by_text);
    for (size_t i = 1; i < s->n; i++) {
        if (s->v[i].len == s->v[n].len && memcmp(s->v[i].text, s->v[n].text, s->v[i].len) == 0) {
            s->v[n].df += s->v[i].df;
        } else {
            s->v[++n] = s->v[i];
        }
    }
    assert(n < s->n);
    n++;
    qsort(s->v, n, sizeof *s->v, by_rank);
    if (n > INVIDX_EXPANSIONS_MAX) n = INVIDX_EXPANSIONS_MAX;
    *out = seam_arena_alloc(&q->run, n * sizeof **out);
    if (*out == NULL) return seam_no_memory(f, "the words that a query means");
    assert(n > 0 && n <= INVIDX_EXPANSIONS_MAX);
    memcpy(*out, s->v, n * sizeof **out);
    *count = n;
    return SEAM_OK;
}

static bool begins(const char *text, size_t len, const char *prefix, size_t n)
{
    SEAM_WALK(len <= INVIDX_TERM_MAX);
    return len >= n && memcmp(text, prefix, n) == 0;
}

/* Words to look through: the surface words where stemming hides them, else the terms themselves.        */
struct invidx_lexicon {
    struct invidx_segment *seg;
    struct invidx_rseg *rs;
    bool stemmed;
    struct invidx_termdict_iter terms, term_of; /* term_of: a surface word's term */
    struct invidx_words_iter words;
    const char *text;
    size_t len;
};

static enum seam_status lexicon_seek(struct invidx_lexicon *x, struct invidx_rseg *rs,
                                     const char *text, size_t n, struct seam_fault *f)
{
    assert(rs->seg != NULL);
    assert(text != NULL || n == 0);
    x->rs = rs;
    x->seg = rs->seg;
    x->stemmed = rs->seg->words.n > 0;
    return x->stemmed ? invidx_words_seek(&x->words, x->seg, text, n, f)
                      : invidx_termdict_seek(&x->terms, x->seg, text, n, f);
}

/* Words before the next one: only ever grows on a sorted lexicon. */
static uint64_t lexicon_at(const struct invidx_lexicon *x)
{
    assert(x->seg != NULL);
    return x->stemmed ? x->words.next : x->terms.block * (uint64_t)DICT_BLOCK + x->terms.in_block;
}

static enum seam_status lexicon_next(struct invidx_lexicon *x, struct seam_fault *f)
{
    enum seam_status st =
        x->stemmed ? invidx_words_next(&x->words, f) : invidx_termdict_next(&x->terms, f);
    assert(x->seg != NULL);

    x->text = x->stemmed ? x->words.text : x->terms.text;
    x->len = x->stemmed ? x->words.len : x->terms.len;
    assert(st != SEAM_OK || x->len <= INVIDX_TERM_MAX);
    return st;
}

/* Adds the word at hand: its term, or (surface) itself; with the live documents of the term.             */
static enum seam_status lexicon_add(struct invidx_lexicon *x, struct invidx_query *q,
                                    struct invidx_found *found, bool surface, uint32_t edits,
                                    struct seam_fault *f)
{
    const struct invidx_termdict_iter *it = x->stemmed ? &x->term_of : &x->terms;
    struct invidx_postings *scratch;
    uint32_t live;
    enum seam_status st =
        x->stemmed ? invidx_termdict_at(&x->term_of, x->seg, x->words.ord, f) : SEAM_OK;
    assert(x->rs->seg == x->seg);

    if (st != SEAM_OK) return st;
    if (q->pool_used == 0 && invidx_query_cursor(q) == NULL)
        return seam_no_memory(f, "the words that a query means");
    assert(q->pool_used > 0);
    assert(q->pool_count >= q->pool_used);
    scratch = q->pool[0];
    st = invidx_rseg_live_df(x->rs, &it->term, scratch, &live, f);
    if (st != SEAM_OK || live == 0) return st;
    return surface ? add(q, found, x->text, x->len, edits, live, f)
                   : add(q, found, it->text, it->len, edits, live, f);
}

enum seam_status invidx_expand_prefix(struct invidx_query *q, const struct invidx_pattern *p,
                                      struct invidx_expansion **out, size_t *count,
                                      struct seam_fault *f)
{
    struct invidx_found found = {0};
    struct invidx_lexicon *x = malloc(sizeof *x);
    enum seam_status st = x == NULL ? seam_no_memory(f, "the words that a query means") : SEAM_OK;

    assert(p->n <= INVIDX_TERM_MAX);
    assert(out != NULL && count != NULL);

    for (size_t i = 0; st == SEAM_OK && i < q->reader->seg_count; i++) {
        st = lexicon_seek(x, &q->reader->segs[i], p->text, p->n, f);
        while (st == SEAM_OK && (st = lexicon_next(x, f)) == SEAM_OK &&
               begins(x->text, x->len, p->text, p->n))
            st = lexicon_add(x, q, &found, p->surface, 0, f);
        if (st == SEAM_END) st = SEAM_OK;
    }
    if (st == SEAM_OK) st = settle(q, &found, out, count, f);
    free(found.v);
    free(x);
    return st;
}

/* ---- fuzzy ---- */
struct automaton {
    const char *want;
    uint32_t n, edits;
    uint8_t row[INVIDX_TERM_MAX + 2][INVIDX_TERM_MAX + 2]; /* row[d]: after d bytes of the word */
    char text[INVIDX_TERM_MAX + 1];
    uint32_t depth; /* rows that hold for text           */
};

static void automaton_init(struct automaton *a, const char *want, uint32_t n, uint32_t edits)
{
    assert(n <= INVIDX_TERM_MAX);
    assert(edits >= 1 && edits <= 2);
    a->want = want;
    a->n = n;
    a->edits = edits;
    a->depth = 0;
    for (uint32_t j = 0; j <= n; j++) a->row[0][j] = (uint8_t)j;
}

static uint8_t least(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

/* Feeds a word, keeping the rows of what it shares with the one before. Returns its distance; when it has
 * left the automaton's reach, *dead is the length of the shortest prefix that did (else 0).             */
static uint32_t automaton_feed(struct automaton *a, const char *text, uint32_t len, uint32_t *dead)
{
    uint32_t d = 0;
    assert(len <= INVIDX_TERM_MAX);
    assert(a->depth <= INVIDX_TERM_MAX);

    while (d < a->depth && d < len && a->text[d] == text[d]) d++;
    *dead = 0;
    for (; d < len; d++) {
        uint8_t *row = a->row[d + 1], *above = a->row[d], low;

        a->text[d] = text[d];
        low = row[0] = (uint8_t)(d + 1);
        for (uint32_t j = 1; j <= a->n; j++) {
            uint8_t best = (uint8_t)(above[j - 1] + (text[d] != a->want[j - 1]));

            best = least(best, (uint8_t)(least(above[j], row[j - 1]) + 1));
            if (d > 0 && j > 1 && text[d] == a->want[j - 2] && text[d - 1] == a->want[j - 1])
                best = least(best, (uint8_t)(a->row[d - 1][j - 2] + 1));
            row[j] = best;
            low = least(low, best);
        }
        a->depth = d + 1;
        if (low > a->edits) {
            *dead = d + 1;
            return UINT32_MAX;
        }
    }
    assert(*dead == 0);
    a->depth = len;
    return a->row[len][a->n];
}

/* The smallest text after every word with this prefix; false at the end of the alphabet.                */
static bool after_prefix(const char *text, uint32_t n, char *out, uint32_t *len)
{
    assert(n > 0 && n <= INVIDX_TERM_MAX);
    memcpy(out, text, n);
    while (n > 0 && (uint8_t)out[n - 1] == 0xff) n--;
    if (n == 0) return false;
    out[n - 1]++;
    assert((uint8_t)out[n - 1] > 0);
    *len = n;
    return true;
}

static enum seam_status fuzzy_segment(struct invidx_query *q, struct automaton *a,
                                      struct invidx_lexicon *x, struct invidx_rseg *rs,
                                      bool surface, struct invidx_found *found,
                                      struct seam_fault *f)
{
    enum seam_status st = lexicon_seek(x, rs, "", 0, f);
    assert(a->n <= INVIDX_TERM_MAX);
    assert(a->want != NULL);

    a->depth = 0;
    while (st == SEAM_OK && (st = lexicon_next(x, f)) == SEAM_OK) {
        uint32_t dead, len, d = automaton_feed(a, x->text, (uint32_t)x->len, &dead);
        char next[INVIDX_TERM_MAX + 1];
        uint64_t at;

        if (d <= a->edits && !invidx_analyzer_is_code(x->text, x->len))
            st = lexicon_add(x, q, found, surface, d, f);
        if (dead == 0 || st != SEAM_OK) continue;
        if (!after_prefix(x->text, dead, next, &len)) break;
        at = lexicon_at(x);
        st = lexicon_seek(x, rs, next, len, f);
        /* Damage that no checksum sees must not send the walk back for ever. */
        if (st == SEAM_OK && lexicon_at(x) < at)
            st = invidx_segment_damaged(rs->seg, NULL, "words do not ascend", f);
    }
    return st == SEAM_END ? SEAM_OK : st;
}

enum seam_status invidx_expand_fuzzy(struct invidx_query *q, const struct invidx_pattern *p,
                                     struct invidx_expansion **out, size_t *count,
                                     struct seam_fault *f)
{
    struct invidx_found found = {0};
    struct automaton *a = malloc(sizeof *a);
    struct invidx_lexicon *x = malloc(sizeof *x);
    enum seam_status st =
        a == NULL || x == NULL ? seam_no_memory(f, "the words that a query means") : SEAM_OK;

    assert(out != NULL);
    if (a != NULL) automaton_init(a, p->text, (uint32_t)p->n, p->edits);
    for (size_t i = 0; st == SEAM_OK && i < q->reader->seg_count; i++)
        st = fuzzy_segment(q, a, x, &q->reader->segs[i], p->surface, &found, f);
    if (st == SEAM_OK) st = settle(q, &found, out, count, f);
    free(found.v);
    free(a);
    free(x);
    return st;
}
