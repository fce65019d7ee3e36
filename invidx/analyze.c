/* analyze - the chain at work: runs of letters, folding, stop words, stems, synonyms. */
#include "invidx/analyze.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/base/walk.h"
#include "engine/values/utf8.h"
#include "invidx/stem.h"
#include "invidx/unicode_tables.h"

static const char stop_english[] = "a\nan\nand\nare\nas\nat\nbe\nby\nfor\nfrom\nin\nis\nit\nof\non"
                                   "\nor\nthat\nthe\nthis\nto\nwas\nwith\n";

struct invidx_analysis invidx_analysis_default(void)
{
    return (struct invidx_analysis){.tokenizer = INVIDX_WORDS,
                                    .stemmer = INVIDX_STEM_PORTER2,
                                    .fold_accents = true,
                                    .stop_words = stop_english};
}

struct invidx_analysis invidx_analysis_plain(void)
{
    return (struct invidx_analysis){.tokenizer = INVIDX_ASCII, .stemmer = INVIDX_STEM_NONE};
}

/* ---- characters ---- */
/* Lower-cased ASCII letters and digits, else 0.                                                        */
static const char ascii_word[256] = {
    ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6',
    ['7'] = '7', ['8'] = '8', ['9'] = '9', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd',
    ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j', ['K'] = 'k',
    ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r',
    ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y',
    ['Z'] = 'z', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f',
    ['g'] = 'g', ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm',
    ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't',
    ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z',
};

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool separator(uint32_t cp)
{
    size_t lo = 0, hi = invidx_unicode_separators_count;
    SEAM_WALK(invidx_unicode_separators_count > 0);
    SEAM_WALK(cp <= 0x10ffff);

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (invidx_unicode_separators[mid].to < cp)
            lo = mid + 1;
        else
            hi = mid;
    }
    SEAM_WALK(lo == hi);
    return (lo < invidx_unicode_separators_count && invidx_unicode_separators[lo].from <= cp) ||
           cp == 0xfffd;
}

static bool ideograph(uint32_t cp)
{
    return (cp >= 0x2e80 && cp <= 0x9fff && cp != 0x3005) || (cp >= 0xac00 && cp <= 0xd7a3) ||
           (cp >= 0xf900 && cp <= 0xfaff) || (cp >= 0x20000 && cp <= 0x3fffd);
}

static uint32_t lower(uint32_t cp)
{
    size_t lo = 0, hi = invidx_unicode_lower_count;
    SEAM_WALK(invidx_unicode_lower_count > 0);

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (invidx_unicode_lower[mid].from < cp)
            lo = mid + 1;
        else
            hi = mid;
    }
    SEAM_WALK(lo == hi);
    return lo < invidx_unicode_lower_count && invidx_unicode_lower[lo].from == cp
               ? invidx_unicode_lower[lo].to
               : cp;
}

/* The folded form of a code point from 0x80, in UTF-8; up to 6 bytes.                                  */
static size_t fold(const struct invidx_analyzer *a, uint32_t cp, char out[8])
{
    size_t lo = 0, hi = invidx_unicode_fold_count;
    SEAM_WALK(cp >= 0x80);

    if (!a->conf.fold_accents) return seam_utf8_put(lower(cp), out);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (invidx_unicode_fold[mid].from < cp)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == invidx_unicode_fold_count || invidx_unicode_fold[lo].from != cp)
        return seam_utf8_put(lower(cp), out);
    SEAM_WALK(strlen(invidx_unicode_fold[lo].to) <= 6);
    memcpy(out, invidx_unicode_fold[lo].to, 7);
    return strlen(out);
}

/* ---- tokens ---- */
struct invidx_tokens invidx_tokens_of(const struct invidx_analyzer *a, const char *s, size_t n)
{
    assert(s != NULL || n == 0);
    return (struct invidx_tokens){.a = a, .begin = s, .p = s, .end = s + n};
}

static bool next_ascii(struct invidx_tokens *t, struct invidx_token *out)
{
    const char *p = t->p, *end = t->end, *stop;
    uint32_t n = 0;
    char c;

    while (p < end && ascii_word[(uint8_t)*p] == 0) p++;
    out->begin = (size_t)(p - t->begin);
    stop = end - p > INVIDX_TERM_MAX ? p + INVIDX_TERM_MAX : end;
    while (p < stop && (c = ascii_word[(uint8_t)*p]) != 0) {
        out->text[n++] = c;
        p++;
    }
    while (p < end && ascii_word[(uint8_t)*p] != 0) p++;
    assert(n <= INVIDX_TERM_MAX);
    assert(p <= end);
    t->p = p;
    out->end = (size_t)(p - t->begin);
    out->len = n;
    out->pos = t->pos;
    t->pos += n > 0;
    return n > 0;
}

enum glyph { GLYPH_END, GLYPH_GAP, GLYPH_WORD, GLYPH_ALONE, GLYPH_APOSTROPHE, GLYPH_SKIP };

/* What stands at p; its folded bytes for WORD and ALONE; *next is what follows it.                     */
static enum glyph glyph_at(const struct invidx_tokens *t, const char *p, const char **next,
                           char out[8], size_t *n)
{
    char c = p < t->end ? ascii_word[(uint8_t)*p] : 0;
    uint32_t cp;
    SEAM_WALK(p >= t->begin);

    *n = 0;
    if (p >= t->end) return GLYPH_END;
    *next = p + 1;
    if (c != 0) {
        out[0] = c;
        *n = 1;
        return GLYPH_WORD;
    }
    if (*p == '\'') return GLYPH_APOSTROPHE;
    if ((uint8_t)*p < 0x80) return GLYPH_GAP;
    *next = p;
    cp = seam_utf8_next(next, t->end);
    if (cp == 0x2019 || cp == 0x2bc) return GLYPH_APOSTROPHE;
    if (cp == 0xad || cp == 0x200d) return GLYPH_SKIP;
    if (separator(cp)) return GLYPH_GAP;
    *n = fold(t->a, cp, out);
    if (*n == 0) return GLYPH_SKIP;
    SEAM_WALK(*n <= 6);
    SEAM_WALK(*next > p);
    return ideograph(cp) ? GLYPH_ALONE : GLYPH_WORD;
}

/* An apostrophe inside a word: true to go on after it; false ends the word (before a possessive s, which
 * is skipped).                                                                                         */
static bool pass_apostrophe(const struct invidx_tokens *t, const char *next, const char **resume)
{
    const char *after, *after2 = NULL;
    char bytes[8];
    size_t n;
    SEAM_WALK(next > t->begin);

    *resume = next;
    if (glyph_at(t, next, &after, bytes, &n) != GLYPH_WORD || digit(bytes[0])) return false;
    if (n == 1 && bytes[0] == 's') {
        enum glyph g = glyph_at(t, after, &after2, bytes, &n);

        if (g != GLYPH_WORD && g != GLYPH_SKIP) {
            *resume = after;
            return false;
        }
    }
    return true;
}

/* Most words are plain ASCII between plain separators: no glyph needs a second look. False = it is not so,
 * and nothing was taken.                                                                                */
static bool next_plain(struct invidx_tokens *t, struct invidx_token *out)
{
    const char *p = t->p, *end = t->end, *from;
    uint32_t n = 0;
    char c;

    while (p < end && ascii_word[(uint8_t)*p] == 0 && (uint8_t)*p < 0x80) p++;
    from = p;
    while (p < end && n < INVIDX_TERM_MAX && (c = ascii_word[(uint8_t)*p]) != 0) {
        out->text[n++] = c;
        p++;
    }
    if (n == 0 || n == INVIDX_TERM_MAX) return false;
    if (p < end && ((uint8_t)*p >= 0x80 || *p == '\'' || *p == '.' || *p == ',')) {
        const char *q =
            p + 1; /* a comma or full stop before a gap ends a word like any other mark */

        if ((*p != '.' && *p != ',') || (q < end && digit(*q))) return false;
    }
    SEAM_WALK(from < p);
    SEAM_WALK(n < INVIDX_TERM_MAX);
    t->p = p;
    out->begin = (size_t)(from - t->begin);
    out->end = (size_t)(p - t->begin);
    out->len = n;
    out->pos = t->pos++;
    return true;
}

static bool next_word(struct invidx_tokens *t, struct invidx_token *out)
{
    const char *p = t->p, *next = p, *end_of_word;
    char bytes[8];
    size_t n, len = 0;
    enum glyph g;

    for (g = glyph_at(t, p, &next, bytes, &n); g != GLYPH_END;
         g = glyph_at(t, p, &next, bytes, &n)) {
        if (g == GLYPH_WORD || g == GLYPH_ALONE) break;
        p = next;
    }
    SEAM_WALK(p <= t->end);
    t->p = p;
    if (g == GLYPH_END) return false;
    out->begin = (size_t)(p - t->begin);
    end_of_word = p;
    for (;;) {
        if (g == GLYPH_ALONE && len > 0) break;
        if (g == GLYPH_WORD || g == GLYPH_ALONE) {
            if (len + n <= INVIDX_TERM_MAX) {
                memcpy(out->text + len, bytes, n);
                len += n;
            }
            end_of_word = next;
            p = next;
            if (g == GLYPH_ALONE) break;
        } else if (g == GLYPH_SKIP) {
            p = next;
        } else if (g == GLYPH_APOSTROPHE) {
            if (!pass_apostrophe(t, next, &p)) break;
        } else if (g == GLYPH_GAP && (*p == '.' || *p == ',') && next < t->end && digit(*next) &&
                   digit(p[-1])) {
            if (*p == '.' && len < INVIDX_TERM_MAX) out->text[len++] = '.';
            p = next;
        } else {
            break;
        }
        g = glyph_at(t, p, &next, bytes, &n);
    }
    t->p = p;
    assert(len <= INVIDX_TERM_MAX);
    assert(end_of_word <= p && p <= t->end);
    out->end = (size_t)(end_of_word - t->begin);
    out->len = (uint32_t)len;
    out->pos = t->pos++;
    return true;
}

bool invidx_tokens_next(struct invidx_tokens *t, struct invidx_token *out)
{
    SEAM_WALK(t->p >= t->begin);
    SEAM_WALK(t->p <= t->end);
    return t->a->conf.tokenizer == INVIDX_ASCII ? next_ascii(t, out)
                                                : next_plain(t, out) || next_word(t, out);
}

/* ---- terms ---- */
bool invidx_analyzer_is_code(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (digit(s[i])) return true;
    return false;
}

static bool is_stop(const struct invidx_analyzer *a, const char *word, size_t n)
{
    SEAM_WALK(a->stop_slots == 0 || a->stop != NULL);
    SEAM_WALK((a->stop_slots & (a->stop_slots - 1)) == 0);
    if (a->stop_slots == 0) return false;
    for (size_t i = seam_hash64(word, n, 0) & (a->stop_slots - 1); a->stop[i] != NULL;
         i = (i + 1) & (a->stop_slots - 1))
        if (strncmp(a->stop[i], word, n) == 0 && a->stop[i][n] == '\0') return true;
    return false;
}

size_t invidx_analyzer_term(const struct invidx_analyzer *a, const char *word, size_t n,
                            char out[INVIDX_TERM_MAX + 8])
{
    assert(n > 0 && n <= INVIDX_TERM_MAX);
    if (is_stop(a, word, n)) return 0;
    memcpy(out, word, n);
    if (a->conf.stemmer == INVIDX_STEM_NONE || invidx_analyzer_is_code(word, n)) return n;
    return a->conf.stemmer == INVIDX_STEM_PORTER2 ? invidx_stem_porter2(out, n)
                                                  : invidx_stem_plural(out, n);
}

/* ---- stop words and synonyms ---- */
static const char *next_line(const char **p, size_t *n)
{
    const char *line = *p, *end;
    assert(*p != NULL);

    if (*line == '\0') return NULL;
    end = strchr(line, '\n');
    if (end == NULL) end = line + strlen(line);
    *p = *end == '\0' ? end : end + 1;
    for (const char *c = line; c < end; c++)
        if (*c == '#') end = c;
    *n = (size_t)(end - line);
    assert(end >= line);
    assert(*p >= end);
    return line;
}

static enum seam_status load_stop(struct invidx_analyzer *a, struct seam_fault *f)
{
    const char *p = a->conf.stop_words, *line;
    size_t n, words = 0;
    struct invidx_token t;

    if (p == NULL) return SEAM_OK;
    for (const char *c = p; *c != '\0'; c++) words += *c == '\n';
    a->stop_slots = 64;
    while (a->stop_slots < 4 * (words + 1)) a->stop_slots *= 2;
    a->stop = calloc(a->stop_slots, sizeof *a->stop);
    if (a->stop == NULL) goto no_memory;
    assert((a->stop_slots & (a->stop_slots - 1)) == 0);
    words = a->stop_slots / 2;
    while ((line = next_line(&p, &n)) != NULL) {
        struct invidx_tokens tokens = invidx_tokens_of(a, line, n);

        while (invidx_tokens_next(&tokens, &t)) {
            size_t i = seam_hash64(t.text, t.len, 0) & (a->stop_slots - 1);

            if (is_stop(a, t.text, t.len)) continue;
            if (words-- == 0)
                return seam_fault_set(f, SEAM_INVALID, "stop words", SEAM_FAULT_NO_OFFSET,
                                      "write one word a line");
            assert(t.len > 0 && t.len <= INVIDX_TERM_MAX);
            while (a->stop[i] != NULL) i = (i + 1) & (a->stop_slots - 1);
            a->stop[i] = seam_arena_strdup(&a->memory, t.text, t.len);
            if (a->stop[i] == NULL) goto no_memory;
        }
    }
    return SEAM_OK;
no_memory:
    return seam_no_memory(f, "the stop words");
}

enum { RULE_TERMS_MAX = 8, RULE_SIDES_MAX = 32 };
struct analyze_side {
    const char *text;
    uint32_t terms, bytes;
};

/* The terms of one alternative; a side of stop words only is empty.                                    */
static bool read_side(struct invidx_analyzer *a, const char *s, size_t n, struct analyze_side *out)
{
    char text[RULE_TERMS_MAX * (INVIDX_TERM_MAX + 1)], term[INVIDX_TERM_MAX + 8];
    struct invidx_tokens tokens = invidx_tokens_of(a, s, n);
    struct invidx_token t;
    char *copy;

    *out = (struct analyze_side){0};
    while (invidx_tokens_next(&tokens, &t)) {
        size_t len = invidx_analyzer_term(a, t.text, t.len, term);

        if (len == 0) continue;
        if (out->terms == RULE_TERMS_MAX) return false;
        memcpy(text + out->bytes, term, len);
        text[out->bytes + len] = '\0';
        out->bytes += (uint32_t)len + 1;
        out->terms++;
    }
    assert(out->bytes <= sizeof text);
    assert(out->terms <= RULE_TERMS_MAX);
    copy = seam_arena_alloc(&a->memory, out->bytes + 1);
    if (copy == NULL) return false;
    memcpy(copy, text, out->bytes);
    out->text = copy;
    return true;
}

static int rule_order(const void *x, const void *y)
{
    const struct invidx_synonym_rule *a = x, *b = y;
    int c = memcmp(a->text, b->text, a->bytes < b->bytes ? a->bytes : b->bytes);
    assert(a->text != NULL);
    assert(b->text != NULL);

    return c != 0 ? c : (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

static bool add_rule(struct invidx_analyzer *a, size_t *cap, const struct analyze_side *from,
                     const struct analyze_side *to)
{
    struct invidx_synonym *s = seam_arena_alloc(&a->memory, sizeof *s);
    assert(a->rule_count <= *cap);
    assert(from->terms > 0 && to->terms > 0);

    if (s == NULL) return false;
    if (a->rule_count == *cap) {
        size_t n = *cap == 0 ? 64 : 2 * *cap;
        struct invidx_synonym_rule *r = realloc(a->rules, n * sizeof *r);

        if (r == NULL) return false;
        a->rules = r;
        *cap = n;
    }
    *s = (struct invidx_synonym){to->text, to->terms, to->bytes, NULL};
    a->rules[a->rule_count++] =
        (struct invidx_synonym_rule){from->text, from->terms, from->bytes, s};
    if (from->terms > a->longest_rule) a->longest_rule = from->terms;
    return true;
}

/* Splits "a, b c, d" into its sides.                                                                   */
static bool read_sides(struct invidx_analyzer *a, const char *s, size_t n, struct analyze_side *out,
                       size_t *count)
{
    assert(s != NULL);
    *count = 0;
    while (n > 0) {
        const char *comma = memchr(s, ',', n);
        size_t len = comma == NULL ? n : (size_t)(comma - s);
        struct analyze_side side;

        if (!read_side(a, s, len, &side)) return false;
        if (side.terms > 0) {
            if (*count == RULE_SIDES_MAX) return false;
            out[(*count)++] = side;
        }
        s += len + (comma != NULL);
        n -= len + (comma != NULL);
    }
    assert(*count <= RULE_SIDES_MAX);
    return true;
}

static void join_rules(struct invidx_analyzer *a)
{
    size_t m = 0;

    if (a->rule_count == 0) return;
    qsort(a->rules, a->rule_count, sizeof *a->rules, rule_order);
    for (size_t i = 1; i < a->rule_count; i++) {
        if (rule_order(&a->rules[m], &a->rules[i]) == 0) {
            a->rules[i].to->next = a->rules[m].to;
            a->rules[m].to = a->rules[i].to;
        } else {
            a->rules[++m] = a->rules[i];
        }
    }
    assert(m < a->rule_count);
    a->rule_count = m + 1;
}

static enum seam_status load_synonyms(struct invidx_analyzer *a, struct seam_fault *f)
{
    const char *p = a->conf.synonyms, *line;
    struct analyze_side left[RULE_SIDES_MAX], right[RULE_SIDES_MAX];
    size_t n, nl, nr, cap = 0;
    uint64_t number = 0;
    assert(a->rule_count == 0);

    if (p == NULL) return SEAM_OK;
    while ((line = next_line(&p, &n)) != NULL) {
        const char *arrow = n < 2 ? NULL : memmem(line, n, "=>", 2);
        size_t half = arrow == NULL ? n : (size_t)(arrow - line);
        bool ok = read_sides(a, line, half, left, &nl);

        number++;
        nr = 0;
        if (ok && arrow != NULL)
            ok = read_sides(a, arrow + 2, n - half - 2, right, &nr) && nl > 0 && nr > 0;
        for (size_t i = 0; ok && i < nl; i++)
            for (size_t j = 0; ok && j < (arrow != NULL ? nr : nl); j++)
                if (arrow != NULL || i != j)
                    ok = add_rule(a, &cap, &left[i], arrow != NULL ? &right[j] : &left[j]);
        if (!ok)
            return seam_fault_set(
                f, SEAM_INVALID, "synonyms", number,
                "write \"a, b, c\" or \"a => b, c\"; at most %d alternatives of %d words",
                RULE_SIDES_MAX, RULE_TERMS_MAX);
    }
    assert(a->rule_count <= cap);
    assert(a->longest_rule <= RULE_TERMS_MAX);
    join_rules(a);
    return SEAM_OK;
}

const struct invidx_synonym_rule *invidx_analyzer_rule(const struct invidx_analyzer *a,
                                                       const char *text, size_t bytes)
{
    struct invidx_synonym_rule key = {.text = text, .bytes = (uint32_t)bytes};
    assert(bytes > 0 && bytes <= UINT32_MAX);
    assert(text[bytes - 1] == '\0');

    if (a->rule_count == 0) return NULL;
    return bsearch(&key, a->rules, a->rule_count, sizeof *a->rules, rule_order);
}

enum seam_status invidx_analyzer_init(struct invidx_analyzer *a, const struct invidx_analysis *conf,
                                      struct seam_fault *f)
{
    enum seam_status st;
    assert(conf->tokenizer == INVIDX_WORDS || conf->tokenizer == INVIDX_ASCII);
    assert((unsigned)conf->stemmer <= INVIDX_STEM_PORTER2);

    memset(a, 0, sizeof *a);
    a->conf = *conf;
    st = load_stop(a, f);
    if (st == SEAM_OK) st = load_synonyms(a, f);
    if (st != SEAM_OK) invidx_analyzer_free(a);
    return st;
}

void invidx_analyzer_free(struct invidx_analyzer *a)
{
    free(a->stop);
    free(a->rules);
    seam_arena_free(&a->memory);
    memset(a, 0, sizeof *a);
}

enum seam_status invidx_analyze(const struct invidx_analysis *conf, const char *text, size_t n,
                                struct seam_buf *out, struct seam_fault *f)
{
    struct invidx_analyzer a;
    struct invidx_tokens tokens;
    struct invidx_token t;
    char term[INVIDX_TERM_MAX + 8];
    enum seam_status st = invidx_analyzer_init(&a, conf, f);
    assert(text != NULL || n == 0);
    assert(out != NULL);

    if (st != SEAM_OK) return st;
    tokens = invidx_tokens_of(&a, text, n);
    while (invidx_tokens_next(&tokens, &t)) {
        size_t len = invidx_analyzer_term(&a, t.text, t.len, term);

        if (len == 0) continue;
        seam_buf_append(out, term, len);
        seam_buf_printf(out, "\t%u\t%zu\t%zu\n", t.pos, t.begin, t.end);
    }
    invidx_analyzer_free(&a);
    return seam_buf_ok(out) ? SEAM_OK : seam_no_memory(f, "the terms");
}
