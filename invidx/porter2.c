/* porter2 - the English stemmer of the Snowball project, second version.
 *
 * Works in place on lower-case ASCII; 'Y' stands for a consonant y while it runs. R1 is what follows the
 * first consonant after a vowel, R2 the same within R1; most suffixes may only go when they lie in one.
 * Source: Porter, "The Porter2 stemming algorithm" (snowballstem.org/algorithms/english).             */
#include "engine/base/walk.h"
#include "invidx/stem.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

struct word {
    char *s;
    size_t n, r1, r2;
};

static bool vowel(char c)
{
    return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u' || c == 'y';
}

static bool ends(const struct word *w, const char *suffix, size_t m)
{
    SEAM_WALK(m > 0);
    return w->n >= m && memcmp(w->s + w->n - m, suffix, m) == 0;
}

static bool in_r1(const struct word *w, size_t m)
{
    SEAM_WALK(w->r1 <= w->n || m > 0);
    return w->n >= w->r1 + m;
}
static bool in_r2(const struct word *w, size_t m)
{
    SEAM_WALK(w->r2 >= w->r1);
    return w->n >= w->r2 + m;
}

static bool has_vowel(const struct word *w, size_t n)
{
    assert(n <= w->n);
    for (size_t i = 0; i < n; i++)
        if (vowel(w->s[i])) return true;
    return false;
}

/* The letters before `n` end in a short syllable.                                                      */
static bool short_syllable(const struct word *w, size_t n)
{
    const char *s = w->s;
    assert(n <= w->n);

    if (n < 2) return false;
    if (n == 2) return vowel(s[0]) && !vowel(s[1]);
    return !vowel(s[n - 3]) && vowel(s[n - 2]) && !vowel(s[n - 1]) && s[n - 1] != 'w' &&
           s[n - 1] != 'x' && s[n - 1] != 'Y';
}

struct porter2_pair {
    const char *from, *to;
};

static bool exception(struct word *w)
{
    static const struct porter2_pair list[] = {
        {"skis", "ski"},    {"skies", "sky"},   {"dying", "die"},    {"lying", "lie"},
        {"tying", "tie"},   {"idly", "idl"},    {"gently", "gentl"}, {"ugly", "ugli"},
        {"early", "earli"}, {"only", "onli"},   {"singly", "singl"}, {"sky", "sky"},
        {"news", "news"},   {"howe", "howe"},   {"atlas", "atlas"},  {"cosmos", "cosmos"},
        {"bias", "bias"},   {"andes", "andes"},
    };
    assert(w->n > 2);

    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        size_t m = strlen(list[i].from);

        if (w->n != m || memcmp(w->s, list[i].from, m) != 0) continue;
        w->n = strlen(list[i].to);
        memcpy(w->s, list[i].to, w->n);
        return true;
    }
    return false;
}

static size_t region(const struct word *w, size_t from)
{
    size_t i = from;
    assert(from <= w->n);

    while (i < w->n && !vowel(w->s[i])) i++;
    while (i < w->n && vowel(w->s[i])) i++;
    return i < w->n ? i + 1 : w->n;
}

static void mark_regions(struct word *w)
{
    assert(w->n > 2);
    for (size_t i = 0; i < w->n; i++)
        if (w->s[i] == 'y' && (i == 0 || vowel(w->s[i - 1]))) w->s[i] = 'Y';
    if (w->n >= 5 && (memcmp(w->s, "gener", 5) == 0 || memcmp(w->s, "arsen", 5) == 0))
        w->r1 = 5;
    else if (w->n >= 6 && memcmp(w->s, "commun", 6) == 0)
        w->r1 = 6;
    else
        w->r1 = region(w, 0);
    w->r2 = region(w, w->r1);
    assert(w->r1 <= w->n);
    assert(w->r2 >= w->r1 && w->r2 <= w->n);
}

static void step1a(struct word *w)
{
    assert(w->n > 2);
    if (ends(w, "'s'", 3))
        w->n -= 3;
    else if (ends(w, "'s", 2))
        w->n -= 2;
    else if (ends(w, "'", 1))
        w->n -= 1;
    if (ends(w, "sses", 4))
        w->n -= 2;
    else if (ends(w, "ied", 3) || ends(w, "ies", 3))
        w->n -= w->n > 4 ? 2 : 1;
    else if (ends(w, "us", 2) || ends(w, "ss", 2))
        return;
    else if (ends(w, "s", 1) && w->n >= 2 && has_vowel(w, w->n - 2))
        w->n -= 1;
}

static bool second_exception(const struct word *w)
{
    static const char *const list[] = {"inning",  "outing",  "canning", "herring",
                                       "earring", "proceed", "exceed",  "succeed"};

    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        if (w->n == strlen(list[i]) && memcmp(w->s, list[i], w->n) == 0) return true;
    return false;
}

static bool doubled(const struct word *w)
{
    char c = w->n < 2 ? 0 : w->s[w->n - 1];

    return c != 0 && c == w->s[w->n - 2] && strchr("bdfgmnprt", c) != NULL;
}

static void step1b(struct word *w)
{
    size_t m;

    if (ends(w, "eedly", 5) || ends(w, "eed", 3)) {
        m = ends(w, "eedly", 5) ? 5 : 3;
        if (in_r1(w, m)) w->n -= m - 2;
        return;
    }
    m = ends(w, "ingly", 5)  ? 5
        : ends(w, "edly", 4) ? 4
        : ends(w, "ing", 3)  ? 3
        : ends(w, "ed", 2)   ? 2
                             : 0;
    if (m == 0 || !has_vowel(w, w->n - m)) return;
    w->n -= m;
    if (ends(w, "at", 2) || ends(w, "bl", 2) || ends(w, "iz", 2))
        w->s[w->n++] = 'e';
    else if (doubled(w))
        w->n--;
    else if (w->r1 >= w->n && short_syllable(w, w->n))
        w->s[w->n++] = 'e';
}

static void step1c(struct word *w)
{
    char *last = w->s + w->n - 1;

    if (w->n > 2 && (*last == 'y' || *last == 'Y') && !vowel(last[-1])) *last = 'i';
}

/* Replaces the longest suffix of the list that the word ends in, when it lies in R1. The lists are ordered
 * so that a longer suffix comes before any it ends in. Returns the index, or -1 when none matched.     */
static int replace(struct word *w, const struct porter2_pair *list, size_t count, bool *fits)
{
    assert(count > 0);
    for (size_t i = 0; i < count; i++) {
        size_t m = strlen(list[i].from);

        if (!ends(w, list[i].from, m)) continue;
        *fits = in_r1(w, m);
        if (*fits && list[i].to != NULL) {
            w->n -= m;
            memcpy(w->s + w->n, list[i].to, strlen(list[i].to));
            w->n += strlen(list[i].to);
        }
        return (int)i;
    }
    return -1;
}

static void step2(struct word *w)
{
    static const struct porter2_pair list[] = {
        {"ational", "ate"}, {"ization", "ize"}, {"fulness", "ful"}, {"ousness", "ous"},
        {"iveness", "ive"}, {"tional", "tion"}, {"biliti", "ble"},  {"lessli", "less"},
        {"entli", "ent"},   {"ation", "ate"},   {"alism", "al"},    {"aliti", "al"},
        {"ousli", "ous"},   {"iviti", "ive"},   {"fulli", "ful"},   {"enci", "ence"},
        {"anci", "ance"},   {"abli", "able"},   {"izer", "ize"},    {"ator", "ate"},
        {"alli", "al"},     {"bli", "ble"},     {"ogi", NULL},      {"li", NULL},
    };
    enum { OGI = 22, LI = 23 };
    bool fits = false;
    int i = replace(w, list, sizeof list / sizeof list[0], &fits);

    if (i == OGI && fits && w->n > 3 && w->s[w->n - 4] == 'l') w->n--;
    if (i == LI && fits && w->n > 2 && strchr("cdeghkmnrt", w->s[w->n - 3]) != NULL) w->n -= 2;
}

static void step3(struct word *w)
{
    static const struct porter2_pair list[] = {
        {"ational", "ate"}, {"tional", "tion"}, {"alize", "al"}, {"icate", "ic"}, {"iciti", "ic"},
        {"ative", NULL},    {"ical", "ic"},     {"ness", ""},    {"ful", ""},
    };
    enum { ATIVE = 5 };
    bool fits = false;

    if (replace(w, list, sizeof list / sizeof list[0], &fits) == ATIVE && fits && in_r2(w, 5))
        w->n -= 5;
}

static void step4(struct word *w)
{
    static const char *const list[] = {"ement", "ance", "ence", "able", "ible", "ment",
                                       "ant",   "ent",  "ism",  "ate",  "iti",  "ous",
                                       "ive",   "ize",  "ion",  "al",   "er",   "ic"};
    enum { ION = 14 };

    for (int i = 0; i < (int)(sizeof list / sizeof list[0]); i++) {
        size_t m = strlen(list[i]);

        if (!ends(w, list[i], m)) continue;
        if (!in_r2(w, m)) return;
        if (i == ION && !(w->n > 3 && (w->s[w->n - 4] == 's' || w->s[w->n - 4] == 't'))) return;
        w->n -= m;
        return;
    }
}

static void step5(struct word *w)
{
    if (ends(w, "e", 1)) {
        if (in_r2(w, 1) || (in_r1(w, 1) && !short_syllable(w, w->n - 1))) w->n--;
    } else if (ends(w, "ll", 2) && in_r2(w, 1)) {
        w->n--;
    }
}

size_t invidx_stem_porter2(char *s, size_t n)
{
    struct word w = {.s = s, .n = n};
    assert(s != NULL);

    if (n <= 2 || exception(&w)) return w.n;
    if (s[0] == '\'') {
        memmove(s, s + 1, --w.n);
        if (w.n <= 2) return w.n;
    }
    mark_regions(&w);
    step1a(&w);
    if (!second_exception(&w)) {
        step1b(&w);
        step1c(&w);
        step2(&w);
        step3(&w);
        step4(&w);
        step5(&w);
    }
    assert(w.n <= n);
    for (size_t i = 0; i < w.n; i++)
        if (s[i] == 'Y') s[i] = 'y';
    return w.n;
}

/* Plurals only, as Harman's "S" stemmer: ies -> y (not eies, aies), es -> e (not aes, ees, oes), s -> ""
 * (not us, ss). Source: Harman, "How effective is suffixing?" (JASIS 42, 1991).                        */
size_t invidx_stem_plural(char *s, size_t n)
{
    assert(s != NULL);
    if (n < 4 || s[n - 1] != 's') return n;
    if (s[n - 2] == 'e' && s[n - 3] == 'i') {
        if (s[n - 4] == 'e' || s[n - 4] == 'a') return n - 1;
        s[n - 3] = 'y';
        return n - 2;
    }
    if (s[n - 2] == 'e') return strchr("aeo", s[n - 3]) != NULL ? n : n - 1;
    return s[n - 2] == 'u' || s[n - 2] == 's' ? n : n - 1;
}
