/* embed_text - text to tokens, the same for products and queries.                                  */
#include <stdlib.h>
#include <string.h>

#include "engine/values/utf8.h"
#include "pipeline/relevance/embed_internal.h"

/* Words that say nothing about a product. English: in another language they are simply frequent, and
 * the frequency weights take care of them. Sorted, for bsearch.                                     */
static const char *const function_words[] = {
    "a",     "about", "after",     "all",   "also",   "am",   "an",    "and",   "any",   "are",
    "as",    "at",    "be",        "been",  "before", "but",  "by",    "can",   "do",    "does",
    "each",  "every", "for",       "from",  "get",    "had",  "has",   "have",  "he",    "her",
    "him",   "his",   "how",       "i",     "if",     "in",   "into",  "is",    "it",    "its",
    "just",  "many",  "me",        "more",  "much",   "my",   "need",  "no",    "nor",   "not",
    "of",    "off",   "on",        "one",   "or",     "our",  "out",   "over",  "own",   "she",
    "so",    "some",  "something", "such",  "than",   "that", "the",   "their", "them",  "then",
    "there", "these", "they",      "this",  "those",  "to",   "too",   "until", "up",    "us",
    "very",  "was",   "we",        "were",  "what",   "when", "where", "which", "while", "who",
    "will",  "with",  "without",   "would", "you",    "your",
};

static int compare_word(const void *key, const void *entry)
{
    return strcmp(key, *(const char *const *)entry);
}

static bool is_function_word(const char *w)
{
    return bsearch(w, function_words, SEAM_ARRAY_LEN(function_words), sizeof *function_words,
                   compare_word) != NULL;
}

/* Latin-1 letters to the letter under the accent; 0 = not a letter.                                 */
static char fold_latin1(uint32_t cp)
{
    static const char table[] =
        "aaaaaaaceeeeiiiidnooooo\0ouuuuytsaaaaaaaceeeeiiiidnooooo\0ouuuuyty";

    return cp >= 0xc0 && cp <= 0xff ? table[cp - 0xc0] : 0;
}

enum kind { GAP, LETTER, DIGIT };

/* The character at *pos as it counts: its kind, and its folded bytes.                               */
static enum kind next_char(const char **pos, const char *end, char out[4], size_t *size)
{
    unsigned char c = (unsigned char)**pos;
    uint32_t cp;
    char folded;

    *size = 1;
    if (c < 0x80) {
        (*pos)++;
        out[0] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        if (c >= '0' && c <= '9') return DIGIT;
        return (out[0] >= 'a' && out[0] <= 'z') ? LETTER : GAP;
    }
    cp = seam_utf8_next(pos, end);
    folded = fold_latin1(cp);
    if (folded != 0) {
        out[0] = folded;
        return LETTER;
    }
    /* Latin-1 signs, general punctuation and the replacement character separate; scripts are letters. */
    if (cp < 0x100 || (cp >= 0x2000 && cp <= 0x2bff) || (cp >= 0x3000 && cp <= 0x303f) ||
        cp == 0xfffd)
        return GAP;
    *size = seam_utf8_put(cp, out);
    return *size > 0 ? LETTER : GAP;
}

/* "knives" knife, "berries" berry, "boxes" box, "drills" drill; "glass" and "bus" stay.             */
static size_t strip_plural(char *w, size_t n)
{
    if (n < 4 || w[n - 1] != 's' || w[n - 2] == 's' || w[n - 2] == 'u' || w[n - 2] == 'i') return n;
    if (n > 4 && memcmp(w + n - 3, "ves", 3) == 0 && (w[n - 4] == 'i' || w[n - 4] == 'l')) {
        memcpy(w + n - 3, w[n - 4] == 'i' ? "fe" : "f", 2);
        return w[n - 4] == 'i' ? n - 1 : n - 2;
    }
    if (n > 4 && memcmp(w + n - 3, "ies", 3) == 0) {
        w[n - 3] = 'y';
        return n - 2;
    }
    if (n > 4 && w[n - 2] == 'e' &&
        (w[n - 3] == 'x' || w[n - 3] == 'h' || w[n - 3] == 's' || w[n - 3] == 'z'))
        return n - 2;
    return n - 1;
}

static bool ascii_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* After a digit: does a '.' or ',' belong to the number? "2.5" keeps its point, "20,000" loses its comma. */
static bool number_goes_on(const struct embed_scan *s)
{
    return s->end - s->pos >= 2 && (*s->pos == '.' || *s->pos == ',') && s->pos[1] >= '0' &&
           s->pos[1] <= '9';
}

/* "walking" walk, "sharpened" sharpen, "cutting" cut, "charge" and "charging" charg: forms of one word
 * meet. The results are not words; nobody reads them but labs.                                      */
static size_t strip_suffix(char *w, size_t n)
{
    size_t m = n;

    if (n > 5 && memcmp(w + n - 3, "ing", 3) == 0)
        m = n - 3;
    else if (n > 4 && memcmp(w + n - 2, "ed", 2) == 0)
        m = n - 2;
    if (m < n) {
        if (m < 3 || strcspn(w, "aeiouy") >= m) return n;
        n = m;
        if (n > 3 && w[n - 1] == w[n - 2] && strchr("lsz", w[n - 1]) == NULL) n--;
    }
    return n > 4 && w[n - 1] == 'e' ? n - 1 : n;
}

/* Fills out with one run of letters or digits, folded; GAP at the end of the text. */
static enum kind next_run(struct embed_scan *s, char out[EMBED_TOKEN_MAX], size_t *size)
{
    enum kind kind = GAP;
    size_t n = 0;

    while (s->pos < s->end) {
        const char *before = s->pos;
        char c[4];
        size_t cn;
        enum kind k;

        if (kind == DIGIT && number_goes_on(s)) {
            if (*s->pos == '.' && n + 1 < EMBED_TOKEN_MAX) out[n++] = '.';
            s->pos++;
            continue;
        }
        k = next_char(&s->pos, s->end, c, &cn);
        if (kind != GAP && k != kind) {
            s->pos = before;
            break;
        }
        if (k == GAP) continue;
        kind = k;
        if (n + cn < EMBED_TOKEN_MAX) {
            memcpy(out + n, c, cn);
            n += cn;
        }
    }
    out[n] = '\0';
    *size = n;
    return n > 0 ? kind : GAP;
}

/* "chef's": the s after an apostrophe is no word. */
static void skip_possessive(struct embed_scan *s)
{
    if (s->end - s->pos < 2 || *s->pos != '\'' || (s->pos[1] | 32) != 's') return;
    if (s->end - s->pos == 2 || !ascii_letter(s->pos[2])) s->pos += 2;
}

/* "wi-fi": remembers "wi" at the hyphen, and makes "wifi" of it when "fi" has come. */
static void join_hyphens(struct embed_scan *s, const char *run, size_t size)
{
    size_t before = s->hyphen ? strlen(s->joined) : 0;
    bool goes_on = s->end - s->pos >= 2 && *s->pos == '-' && ascii_letter(s->pos[1]);

    s->hyphen = before + size < EMBED_TOKEN_MAX && (goes_on || before > 0);
    if (!s->hyphen) return;
    memcpy(s->joined + before, run, size + 1);
    if (!goes_on) s->hyphen = false;
}

static size_t trim(const struct embed_scan *s, char out[EMBED_TOKEN_MAX], size_t n)
{
    n = strip_plural(out, n);
    if (s->learned) {
        out[n] = '\0';
        n = strip_suffix(out, n);
    }
    out[n] = '\0';
    return n;
}

bool embed_token(struct embed_scan *s, char out[EMBED_TOKEN_MAX], size_t *size)
{
    for (;;) {
        enum kind kind;

        if (!s->hyphen && s->joined[0] != '\0') {
            *size = strlen(s->joined);
            memcpy(out, s->joined, *size + 1);
            s->joined[0] = '\0';
            *size = trim(s, out, *size);
            return true;
        }
        kind = next_run(s, out, size);
        if (kind == GAP) return false;
        if (kind == DIGIT) return true;
        if (s->learned) join_hyphens(s, out, *size);
        skip_possessive(s);
        if (is_function_word(out)) continue;
        *size = trim(s, out, *size);
        return true;
    }
}
