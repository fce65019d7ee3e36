#include "bench/corpora/texts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/io/source.h"
#include "engine/text/json.h"

static enum seam_status no_memory(struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET, "no memory for the texts");
}

static bool new_line(struct texts *t)
{
    if (t->count == t->cap) {
        size_t cap = t->cap == 0 ? 1024 : 2 * t->cap;
        struct line *v = realloc(t->lines, cap * sizeof *v);

        if (v == NULL) return false;
        t->lines = v;
        t->cap = cap;
    }
    t->lines[t->count++] = (struct line){t->bytes.size, 0};
    return true;
}

static void end_line(struct texts *t)
{
    t->lines[t->count - 1].len = (uint32_t)(t->bytes.size - t->lines[t->count - 1].at);
    seam_buf_u8(&t->bytes, '\n');
}

static void add_tokens(struct texts *t, const char *s)
{
    bool gap = false;

    for (; *s != '\0'; s++) {
        char c = *s;
        bool word;

        if (c >= 'A' && c <= 'Z') c = (char)(c + 32);
        word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (word && gap && t->bytes.size > t->lines[t->count - 1].at) seam_buf_u8(&t->bytes, ' ');
        if (word) seam_buf_u8(&t->bytes, (uint8_t)c);
        gap = !word;
    }
}

enum seam_status texts_corpus(const char *dir, size_t max, struct texts *out, struct seam_fault *f)
{
    char path[600];
    struct seam_source *src = NULL;
    struct seam_arena a = {0};
    const char *line;
    size_t n;
    enum seam_status st;

    memset(out, 0, sizeof *out);
    snprintf(path, sizeof path, "%s/docs.jsonl.gz", dir);
    st = seam_source_open(seam_io_posix(), path, &src, f);
    while (st == SEAM_OK && out->count < max &&
           (st = seam_source_line(src, 4 << 20, &line, &n, f)) == SEAM_OK) {
        struct seam_json *doc = NULL;

        st = seam_json_parse(line, n, &a, path, &doc, f);
        if (st != SEAM_OK) break;
        if (!new_line(out)) {
            st = no_memory(f);
            break;
        }
        add_tokens(out, seam_json_string(doc, "title", ""));
        add_tokens(out, "\n");
        seam_buf_reserve(&out->bytes, 1);
        if (out->bytes.size > out->lines[out->count - 1].at) seam_buf_u8(&out->bytes, ' ');
        add_tokens(out, seam_json_string(doc, "text", ""));
        if (out->bytes.size > out->lines[out->count - 1].at &&
            out->bytes.data[out->bytes.size - 1] == ' ')
            out->bytes.size--;
        end_line(out);
        seam_arena_reset(&a);
    }
    seam_source_close(src);
    seam_arena_free(&a);
    return st == SEAM_END || st == SEAM_OK ? (seam_buf_ok(&out->bytes) ? SEAM_OK : no_memory(f))
                                           : st;
}

static void make_word(struct seam_rng *r, uint32_t i, char out[24])
{
    static const char consonants[] = "bcdfghjklmnprstvwz", vowels[] = "aeiou";
    size_t n = 3 + seam_rng_below(r, 6) + (i > 1000 ? 2 : 0), k = 0;
    uint32_t id = i;

    for (; k < n; k++)
        out[k] = k & 1 ? vowels[seam_rng_below(r, 5)] : consonants[seam_rng_below(r, 18)];
    for (; id > 0; id /= 18) out[k++] = consonants[id % 18]; /* makes it the only one of its kind */
    out[k] = '\0';
}

enum seam_status texts_zipf(size_t docs, uint64_t seed, struct texts *out, struct seam_fault *f)
{
    enum { VOCABULARY = 200000 };
    char(*words)[24] = malloc(sizeof *words * VOCABULARY);
    double *cdf = malloc(sizeof *cdf * VOCABULARY), total = 0;
    struct seam_rng r;
    enum seam_status st = SEAM_OK;

    memset(out, 0, sizeof *out);
    seam_rng_seed(&r, seed);
    if (words == NULL || cdf == NULL) st = no_memory(f);
    for (uint32_t i = 0; st == SEAM_OK && i < VOCABULARY; i++) {
        make_word(&r, i, words[i]);
        cdf[i] = total += 1.0 / (i + 1);
    }
    for (size_t d = 0; st == SEAM_OK && d < docs; d++) {
        size_t n = 20 + seam_rng_below(&r, 81);

        if (!new_line(out)) st = no_memory(f);
        for (size_t k = 0; st == SEAM_OK && k < n; k++) {
            double u = seam_rng_double(&r) * total;
            size_t lo = 0, hi = VOCABULARY - 1;

            while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;

                if (cdf[mid] < u)
                    lo = mid + 1;
                else
                    hi = mid;
            }
            if (k > 0) seam_buf_u8(&out->bytes, ' ');
            seam_buf_append(&out->bytes, words[lo], strlen(words[lo]));
        }
        if (st == SEAM_OK) end_line(out);
    }
    free(words);
    free(cdf);
    return st == SEAM_OK && !seam_buf_ok(&out->bytes) ? no_memory(f) : st;
}

void texts_free(struct texts *t)
{
    seam_buf_free(&t->bytes);
    free(t->lines);
    memset(t, 0, sizeof *t);
}

enum seam_status texts_write(const struct texts *t, const char *path, struct seam_fault *f)
{
    struct seam_file *file = NULL;
    enum seam_status st = seam_file_open(
        seam_io_posix(), path, SEAM_FILE_WRITE | SEAM_FILE_CREATE | SEAM_FILE_TRUNC, &file, f);

    if (st == SEAM_OK) st = seam_file_write(file, 0, t->bytes.data, t->bytes.size, f);
    seam_file_close(file);
    return st;
}

/* ---- document frequencies ---- */
struct word {
    const char *s;
    uint32_t len, df, last;
};
struct words {
    struct word *slots;
    size_t size, used;
    struct word *sorted;
};

static struct word *find(struct words *w, const char *s, size_t n)
{
    size_t i = seam_hash64(s, n, 7) & (w->size - 1);

    for (; w->slots[i].s != NULL; i = (i + 1) & (w->size - 1))
        if (w->slots[i].len == n && memcmp(w->slots[i].s, s, n) == 0) break;
    return &w->slots[i];
}

static int by_df(const void *x, const void *y)
{
    const struct word *a = x, *b = y;
    int c;

    if (a->df != b->df) return a->df > b->df ? -1 : 1;
    c = memcmp(a->s, b->s, a->len < b->len ? a->len : b->len);
    return c != 0 ? c : (a->len > b->len) - (a->len < b->len);
}

static bool count_words(const struct texts *t, struct words *w)
{
    size_t n = 0;

    w->size = 1u << 21;
    w->used = 0;
    w->slots = calloc(w->size, sizeof *w->slots);
    if (w->slots == NULL) return false;
    for (size_t d = 0; d < t->count; d++) {
        const char *s = (const char *)t->bytes.data + t->lines[d].at, *end = s + t->lines[d].len;

        while (s < end) {
            const char *e = memchr(s, ' ', (size_t)(end - s));
            struct word *x;

            if (e == NULL) e = end;
            x = find(w, s, (size_t)(e - s));
            if (x->s == NULL) {
                if (w->used++ > w->size / 2) return false;
                *x = (struct word){s, (uint32_t)(e - s), 0, UINT32_MAX};
            }
            if (x->last != (uint32_t)d) {
                x->last = (uint32_t)d;
                x->df++;
            }
            s = e + 1;
        }
    }
    w->sorted = malloc(sizeof *w->sorted * (w->used + 1));
    if (w->sorted == NULL) return false;
    for (size_t i = 0; i < w->size; i++)
        if (w->slots[i].s != NULL && w->slots[i].len < 24) w->sorted[n++] = w->slots[i];
    qsort(w->sorted, n, sizeof *w->sorted, by_df);
    w->used = n;
    return true;
}

static size_t rank_below(const struct words *w, double df)
{
    size_t i = 0;

    while (i < w->used && w->sorted[i].df > df) i++;
    return i;
}

static void put_words(struct text_query *q, struct words *w, const size_t *ranks, size_t n)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(q->text + at, sizeof q->text - at, "%s%.*s", i > 0 ? " " : "",
                               (int)w->sorted[ranks[i]].len, w->sorted[ranks[i]].s);
}

static bool repeated(const size_t *v, size_t n, size_t x)
{
    for (size_t i = 0; i < n; i++)
        if (v[i] == x) return true;
    return false;
}

static void put_phrase(const struct texts *t, struct text_query *q, struct seam_rng *r)
{
    for (;;) {
        size_t d = seam_rng_below(r, t->count), words = 1, want;
        const char *s = (const char *)t->bytes.data + t->lines[d].at, *end = s + t->lines[d].len,
                   *a, *b;

        for (const char *c = s; c < end; c++) words += *c == ' ';
        if (words < 3) continue;
        want = seam_rng_below(r, words - 1);
        while (want-- > 0) s = (const char *)memchr(s, ' ', (size_t)(end - s)) + 1;
        a = memchr(s, ' ', (size_t)(end - s));
        b = memchr(a + 1, ' ', (size_t)(end - a - 1));
        if (b == NULL) b = end;
        if (b - s > 80 || ((a - s) == (b - a - 1) && memcmp(s, a + 1, (size_t)(a - s)) == 0))
            continue;
        snprintf(q->text, sizeof q->text, "%.*s", (int)(b - s), s);
        return;
    }
}

enum seam_status texts_queries(const struct texts *t, size_t each, uint64_t seed,
                               struct text_class out[QUERY_CLASSES], struct seam_fault *f)
{
    static const char *const names[QUERY_CLASSES] = {"term_low", "term_mid",  "term_high", "and2",
                                                     "and3",     "and2_high", "or2",       "or3",
                                                     "or5",      "or2_high",  "phrase2"};
    static const size_t counts[QUERY_CLASSES] = {1, 1, 1, 2, 3, 2, 2, 3, 5, 2, 0};
    struct words w = {0};
    struct seam_rng r;
    size_t high, mid0, mid1, low0, low1;
    enum seam_status st = count_words(t, &w) ? SEAM_OK : no_memory(f);

    memset(out, 0, sizeof *out * QUERY_CLASSES);
    seam_rng_seed(&r, seed);
    high = rank_below(&w, 0.05 * (double)t->count);
    if (high < 20) high = 20;
    mid0 = rank_below(&w, 0.01 * (double)t->count);
    mid1 = rank_below(&w, 0.001 * (double)t->count);
    low0 = rank_below(&w, 0.0005 * (double)t->count);
    low1 = rank_below(&w, 0.00003 * (double)t->count);
    for (size_t c = 0; st == SEAM_OK && c < QUERY_CLASSES; c++) {
        out[c].name = names[c];
        out[c].count = each;
        out[c].queries = calloc(each, sizeof *out[c].queries);
        if (out[c].queries == NULL) st = no_memory(f);
        for (size_t i = 0; st == SEAM_OK && i < each; i++) {
            size_t ranks[5];

            for (size_t k = 0; k < counts[c]; k++) do {
                    double a = log(10.0), b = log((double)low0);

                    ranks[k] = c == 0   ? low0 + seam_rng_below(&r, low1 - low0)
                               : c == 1 ? mid0 + seam_rng_below(&r, mid1 - mid0)
                               : c == 2 || c == 5 || c == 9
                                   ? seam_rng_below(&r, high)
                                   : (size_t)exp(a + (b - a) * seam_rng_double(&r));
                } while (repeated(ranks, k, ranks[k]));
            if (counts[c] == 0)
                put_phrase(t, &out[c].queries[i], &r);
            else
                put_words(&out[c].queries[i], &w, ranks, counts[c]);
        }
    }
    free(w.slots);
    free(w.sorted);
    return st;
}

void texts_queries_free(struct text_class c[QUERY_CLASSES])
{
    for (size_t i = 0; i < QUERY_CLASSES; i++) free(c[i].queries);
}
