/* expand - the words of the index near a pattern: prefixes, and a Levenshtein automaton run down the sorted
 * dictionary. The automaton's state is a row of the edit matrix (transpositions count one); when no cell of
 * the row is within reach, every word with that prefix is skipped by one seek.
 * Paper: Schulz & Mihov, "Fast string correction with Levenshtein automata" (IJDAR 2002).              */
#include <stdlib.h>
#include <string.h>

#include "invidx/plan.h"

struct found { struct expansion *v; size_t n, cap; };

static enum status no_memory(struct fault *f)
{
    return fault_set(f, ST_NOMEM, "query", FAULT_NO_OFFSET, "no memory to expand the query");
}

static enum status add(struct invidx_query *q, struct found *s, const char *text, size_t len, uint32_t edits,
                       uint64_t df, struct fault *f)
{
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 256 : 2 * s->cap;
        struct expansion *v = realloc(s->v, cap * sizeof *v);

        if (v == NULL) return no_memory(f);
        s->v = v;
        s->cap = cap;
    }
    s->v[s->n] = (struct expansion){arena_strdup(&q->run, text, len), (uint32_t)len, edits, df};
    return s->v[s->n++].text == NULL ? no_memory(f) : ST_OK;
}

static int by_text(const void *x, const void *y)
{
    const struct expansion *a = x, *b = y;
    int c = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);

    if (c != 0) return c;
    if (a->len != b->len) return a->len > b->len ? 1 : -1;
    return (a->edits > b->edits) - (a->edits < b->edits);
}

static int by_rank(const void *x, const void *y)
{
    const struct expansion *a = x, *b = y;

    if (a->edits != b->edits) return a->edits < b->edits ? -1 : 1;
    if (a->df != b->df) return a->df > b->df ? -1 : 1;
    return by_text(x, y);
}

/* The same term from several segments and words becomes one; the best ones stay.                        */
static enum status settle(struct invidx_query *q, struct found *s, struct expansion **out, size_t *count,
                          struct fault *f)
{
    size_t n = 0;

    *count = 0;
    if (s->n == 0) return ST_OK;
    qsort(s->v, s->n, sizeof *s->v, by_text);
    for (size_t i = 1; i < s->n; i++) {
        if (s->v[i].len == s->v[n].len && memcmp(s->v[i].text, s->v[n].text, s->v[i].len) == 0) {
            if (s->v[i].df > s->v[n].df) s->v[n].df = s->v[i].df;
        } else {
            s->v[++n] = s->v[i];
        }
    }
    n++;
    qsort(s->v, n, sizeof *s->v, by_rank);
    if (n > INVIDX_EXPANSIONS_MAX) n = INVIDX_EXPANSIONS_MAX;
    *out = arena_alloc(&q->run, n * sizeof **out);
    if (*out == NULL) return no_memory(f);
    memcpy(*out, s->v, n * sizeof **out);
    *count = n;
    return ST_OK;
}

static bool begins(const char *text, size_t len, const char *prefix, size_t n)
{
    return len >= n && memcmp(text, prefix, n) == 0;
}

enum status expand_prefix(struct invidx_query *q, const char *text, size_t n, struct expansion **out,
                          size_t *count, struct fault *f)
{
    struct found found = {0};
    enum status st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < q->reader->seg_count; i++) {
        struct segment *seg = q->reader->segs[i].seg;
        struct termdict_iter it, term;
        struct words_iter words;

        st = termdict_seek(&it, seg, text, n, f);
        while (st == ST_OK && (st = termdict_next(&it, f)) == ST_OK && begins(it.text, it.len, text, n))
            st = add(q, &found, it.text, it.len, 0, it.term.df, f);
        if (st == ST_END) st = ST_OK;
        if (st == ST_OK) st = words_seek(&words, seg, text, n, f);
        while (st == ST_OK && (st = words_next(&words, f)) == ST_OK && begins(words.text, words.len, text, n)) {
            st = termdict_at(&term, seg, words.ord, f);
            if (st == ST_OK) st = add(q, &found, term.text, term.len, 0, term.term.df, f);
        }
        if (st == ST_END) st = ST_OK;
    }
    if (st == ST_OK) st = settle(q, &found, out, count, f);
    free(found.v);
    return st;
}

/* ---- fuzzy ---- */
struct automaton {
    const char *want;
    uint32_t n, edits;
    uint8_t row[INVIDX_TERM_MAX + 2][INVIDX_TERM_MAX + 2]; /* row[d]: after d bytes of the word */
    char text[INVIDX_TERM_MAX + 1];
    uint32_t depth;                                        /* rows that hold for text           */
};

static void automaton_init(struct automaton *a, const char *want, uint32_t n, uint32_t edits)
{
    a->want = want;
    a->n = n;
    a->edits = edits;
    a->depth = 0;
    for (uint32_t j = 0; j <= n; j++) a->row[0][j] = (uint8_t)j;
}

static uint8_t least(uint8_t a, uint8_t b) { return a < b ? a : b; }

/* Feeds a word, keeping the rows of what it shares with the one before. Returns its distance; when it has
 * left the automaton's reach, *dead is the length of the shortest prefix that did (else 0).             */
static uint32_t automaton_feed(struct automaton *a, const char *text, uint32_t len, uint32_t *dead)
{
    uint32_t d = 0;

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
    a->depth = len;
    return a->row[len][a->n];
}

/* The smallest text after every word with this prefix; false at the end of the alphabet.                */
static bool after_prefix(const char *text, uint32_t n, char *out, uint32_t *len)
{
    memcpy(out, text, n);
    while (n > 0 && (uint8_t)out[n - 1] == 0xff) n--;
    if (n == 0) return false;
    out[n - 1]++;
    *len = n;
    return true;
}

static enum status fuzzy_terms(struct invidx_query *q, struct automaton *a, struct segment *seg,
                               struct found *found, struct fault *f)
{
    struct termdict_iter it;
    enum status st = termdict_seek(&it, seg, "", 0, f);

    a->depth = 0;
    while (st == ST_OK && (st = termdict_next(&it, f)) == ST_OK) {
        uint32_t dead, len, d = automaton_feed(a, it.text, (uint32_t)it.len, &dead);
        char next[INVIDX_TERM_MAX + 1];

        if (d <= a->edits && !analyzer_is_code(it.text, it.len))
            st = add(q, found, it.text, it.len, d, it.term.df, f);
        if (dead == 0) continue;
        if (!after_prefix(it.text, dead, next, &len)) break;
        st = termdict_seek(&it, seg, next, len, f);
    }
    return st == ST_END ? ST_OK : st;
}

static enum status fuzzy_words(struct invidx_query *q, struct automaton *a, struct segment *seg,
                               struct found *found, struct fault *f)
{
    struct words_iter it;
    enum status st = words_seek(&it, seg, "", 0, f);

    a->depth = 0;
    while (st == ST_OK && (st = words_next(&it, f)) == ST_OK) {
        uint32_t dead, len, d = automaton_feed(a, it.text, (uint32_t)it.len, &dead);
        char next[INVIDX_TERM_MAX + 1];

        if (d <= a->edits && !analyzer_is_code(it.text, it.len)) {
            struct termdict_iter term;

            st = termdict_at(&term, seg, it.ord, f);
            if (st == ST_OK) st = add(q, found, term.text, term.len, d, term.term.df, f);
        }
        if (dead == 0 || st != ST_OK) continue;
        if (!after_prefix(it.text, dead, next, &len)) break;
        st = words_seek(&it, seg, next, len, f);
    }
    return st == ST_END ? ST_OK : st;
}

enum status expand_fuzzy(struct invidx_query *q, const char *text, size_t n, uint32_t edits,
                         struct expansion **out, size_t *count, struct fault *f)
{
    struct found found = {0};
    struct automaton *a = malloc(sizeof *a);
    enum status st = a == NULL ? no_memory(f) : ST_OK;

    if (a != NULL) automaton_init(a, text, (uint32_t)n, edits);
    for (size_t i = 0; st == ST_OK && i < q->reader->seg_count; i++) {
        st = fuzzy_terms(q, a, q->reader->segs[i].seg, &found, f);
        if (st == ST_OK) st = fuzzy_words(q, a, q->reader->segs[i].seg, &found, f);
    }
    if (st == ST_OK) st = settle(q, &found, out, count, f);
    free(found.v);
    free(a);
    return st;
}
