/* embed_train - a model learned from the texts themselves.
 *
 *   texts -> word numbers -> how often two words meet -> PPMI -> eigenvectors -> word vectors
 *                                                                                   |
 *                                                   texts again -> weights, first component
 *
 * Two words meet when they stand in one title, or one in the title (or category, brand) and one in the
 * description, or within WINDOW words of each other in the description: a product's title names the thing
 * that its description paraphrases, which is where a shop's synonyms are.
 * Papers: Levy, Goldberg, Dagan 2015 (counts, smoothing 0.75, eigenvalues to a power); Arora 2017.    */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "pipeline/relevance/embed_internal.h"

enum { WINDOW = 8, DEFAULT_WORDS = 30000, PAIR_BYTES = 12 };

enum seam_status embed_trainer_new(const struct embed_options *o, struct embed_trainer **out,
                                   struct seam_fault *f)
{
    struct embed_trainer *t = calloc(1, sizeof *t);

    if (t == NULL) return seam_no_memory(f, "a trainer");
    if (o != NULL) t->o = *o;
    if (t->o.dim == 0) t->o.dim = EMBED_DIM_DEFAULT;
    if (t->o.threads == 0) t->o.threads = 1;
    if (t->o.words_max == 0) t->o.words_max = DEFAULT_WORDS;
    if (t->o.memory_max == 0) t->o.memory_max = (size_t)1 << 30;
    if (t->o.dim > EMBED_DIM_MAX || t->o.words_max > EMBED_WORDS_MAX) {
        free(t);
        return seam_fault_set(f, SEAM_INVALID, "embed", SEAM_FAULT_NO_OFFSET,
                              "dimension is at most %d and words at most %d", EMBED_DIM_MAX,
                              EMBED_WORDS_MAX);
    }
    *out = t;
    return SEAM_OK;
}

void embed_trainer_free(struct embed_trainer *t)
{
    if (t == NULL) return;
    for (size_t i = 0; i < t->doc_count; i++) free(t->docs[i].words);
    free(t->docs);
    free(t->frequency);
    free(t->documents);
    free(t->last_seen);
    embed_lexicon_free(&t->words);
    free(t);
}

/* ---- reading texts ---- */
static bool room_for_word(struct embed_trainer *t, uint32_t w)
{
    uint32_t cap = t->seen_cap == 0 ? 1024 : t->seen_cap * 2;
    void *p;

    if (w < t->seen_cap) return true;
    if ((p = realloc(t->frequency, cap * sizeof *t->frequency)) == NULL) return false;
    t->frequency = p;
    if ((p = realloc(t->documents, cap * sizeof *t->documents)) == NULL) return false;
    t->documents = p;
    if ((p = realloc(t->last_seen, cap * sizeof *t->last_seen)) == NULL) return false;
    t->last_seen = p;
    memset(t->frequency + t->seen_cap, 0, (cap - t->seen_cap) * sizeof *t->frequency);
    memset(t->documents + t->seen_cap, 0, (cap - t->seen_cap) * sizeof *t->documents);
    memset(t->last_seen + t->seen_cap, 0, (cap - t->seen_cap) * sizeof *t->last_seen);
    t->seen_cap = cap;
    return true;
}

/* Appends the words of one part; frequencies count only what will be embedded (title, description). */
static bool read_part(struct embed_trainer *t, const char *s, size_t n, bool counted,
                      uint32_t *words, uint32_t *count)
{
    struct embed_scan scan = {.pos = s, .end = s == NULL ? s : s + n, .learned = !t->o.for_words};
    char token[EMBED_TOKEN_MAX];
    uint32_t before = *count;
    size_t size;

    while (*count - before < EMBED_TEXT_TOKENS_MAX && embed_token(&scan, token, &size)) {
        uint32_t w = embed_lexicon_add(&t->words, token, size);

        if (w == EMBED_NO_WORD || !room_for_word(t, w)) return false;
        words[(*count)++] = w;
        if (!counted) continue;
        t->frequency[w]++;
        t->tokens++;
        if (t->last_seen[w] != t->doc_count + 1) {
            t->last_seen[w] = (uint32_t)t->doc_count + 1;
            t->documents[w]++;
        }
    }
    return true;
}

enum seam_status embed_trainer_add(struct embed_trainer *t, const char *title, size_t title_size,
                                   const char *description, size_t description_size,
                                   const char *context, size_t context_size, struct seam_fault *f)
{
    uint32_t words[3 * EMBED_TEXT_TOKENS_MAX], n = 0;
    struct embed_train_doc d = {0};

    if (t->doc_count == t->doc_cap) {
        size_t cap = t->doc_cap == 0 ? 256 : t->doc_cap * 2;
        struct embed_train_doc *docs = realloc(t->docs, cap * sizeof *docs);

        if (docs == NULL) goto nomem;
        t->docs = docs;
        t->doc_cap = cap;
    }
    if (!read_part(t, title, title_size, true, words, &n)) goto nomem;
    d.title = n;
    if (!read_part(t, description, description_size, true, words, &n)) goto nomem;
    d.description = n - d.title;
    if (!read_part(t, context, context_size, false, words, &n)) goto nomem;
    d.context = n - d.title - d.description;
    d.words = malloc((n + 1) * sizeof *d.words);
    if (d.words == NULL) goto nomem;
    memcpy(d.words, words, n * sizeof *words);
    t->docs[t->doc_count++] = d;
    return SEAM_OK;
nomem:
    return seam_no_memory(f, "the texts");
}

/* ---- counting pairs ---- */
struct pairs {
    uint64_t *key;   /* low word << 32 | high word, plus 1; 0 = free */
    uint32_t *count; /* in halves */
    size_t mask, used, max;
};

static bool pairs_grow(struct pairs *p)
{
    struct pairs big = {.mask = p->mask * 2 + 1, .used = p->used, .max = p->max};

    if (big.mask + 1 > p->max) return false;
    big.key = calloc(big.mask + 1, sizeof *big.key);
    big.count = calloc(big.mask + 1, sizeof *big.count);
    if (big.key == NULL || big.count == NULL) {
        free(big.key);
        free(big.count);
        return false;
    }
    for (size_t i = 0; i <= p->mask; i++) {
        size_t at = (size_t)seam_hash64_u64(p->key[i]) & big.mask;

        if (p->key[i] == 0) continue;
        while (big.key[at] != 0) at = (at + 1) & big.mask;
        big.key[at] = p->key[i];
        big.count[at] = p->count[i];
    }
    free(p->key);
    free(p->count);
    *p = big;
    return true;
}

static bool pairs_add(struct pairs *p, uint32_t a, uint32_t b, uint32_t halves)
{
    uint64_t key = ((uint64_t)(a < b ? a : b) << 32 | (a < b ? b : a)) + 1;
    size_t at = (size_t)seam_hash64_u64(key) & p->mask;

    while (p->key[at] != 0 && p->key[at] != key) at = (at + 1) & p->mask;
    if (p->key[at] == 0) {
        if (p->used * 3 >= p->mask * 2) return pairs_grow(p) && pairs_add(p, a, b, halves);
        p->key[at] = key;
        p->used++;
    }
    if (p->count[at] < UINT32_MAX - halves) p->count[at] += halves;
    return true;
}

/* `rank[w]` is the word's number in the model, EMBED_NO_WORD when it is not in it. */
static bool count_doc(struct pairs *p, const struct embed_train_doc *d, const uint32_t *rank)
{
    uint32_t n = d->title + d->description, all = n + d->context;

    for (uint32_t i = 0; i < all; i++) {
        uint32_t a = rank[d->words[i]];
        uint32_t end = i < d->title ? all : i < n ? i + 1 + WINDOW : i;

        if (a == EMBED_NO_WORD) continue;
        if (end > all) end = all;
        if (i >= d->title && end > n) end = n;
        for (uint32_t j = i + 1; j < end; j++) {
            uint32_t b = rank[d->words[j]];

            if (b != EMBED_NO_WORD && !pairs_add(p, a, b, 2)) return false;
        }
        for (uint32_t j = n; i >= d->title && i < n && j < all; j++) {
            uint32_t b = rank[d->words[j]]; /* description and context: half as telling */

            if (b != EMBED_NO_WORD && !pairs_add(p, a, b, 1)) return false;
        }
    }
    return true;
}

/* ---- counts to PPMI, as a symmetric matrix ---- */
static enum seam_status ppmi_matrix(const struct pairs *p, uint32_t rows, struct embed_sparse *m)
{
    double *sum = calloc(rows, sizeof *sum), *context = calloc(rows, sizeof *context), total = 0.0;
    uint64_t *fill = calloc(rows + 1u, sizeof *fill);
    enum seam_status st = sum != NULL && context != NULL && fill != NULL ? SEAM_OK : SEAM_NOMEM;

    m->rows = rows;
    m->start = calloc(rows + 1u, sizeof *m->start);
    m->col = malloc((p->used * 2 + 1) * sizeof *m->col);
    m->val = malloc((p->used * 2 + 1) * sizeof *m->val);
    if (m->start == NULL || m->col == NULL || m->val == NULL) st = SEAM_NOMEM;
    if (st != SEAM_OK) goto done;
    /* Exact: counts are whole numbers, so the order of the table does not show in the sums. */
    for (size_t i = 0; i <= p->mask; i++) {
        uint32_t a = (uint32_t)((p->key[i] - 1) >> 32), b = (uint32_t)(p->key[i] - 1);

        if (p->key[i] == 0) continue;
        sum[a] += p->count[i];
        m->start[a + 1]++;
        if (a == b) continue;
        sum[b] += p->count[i];
        m->start[b + 1]++;
    }
    for (uint32_t r = 0; r < rows; r++) {
        m->start[r + 1] += m->start[r];
        fill[r] = m->start[r];
        context[r] = sqrt(sum[r]) * sqrt(sqrt(sum[r])); /* sum ^ 0.75 */
        total += context[r];
    }
    for (size_t i = 0; i <= p->mask; i++) {
        uint32_t a = (uint32_t)((p->key[i] - 1) >> 32), b = (uint32_t)(p->key[i] - 1);

        if (p->key[i] == 0) continue;
        m->col[fill[a]] = b;
        m->val[fill[a]++] = (float)p->count[i];
        if (a == b) continue;
        m->col[fill[b]] = a;
        m->val[fill[b]++] = (float)p->count[i];
    }
    for (uint32_t r = 0; r < rows; r++) {
        for (uint64_t e = m->start[r]; e < fill[r]; e++) {
            /* The smoothed measure is not symmetric; the larger word smooths, so that both sides agree. */
            uint32_t c = m->col[e];
            double smooth = sum[r] < sum[c] ? sum[r] * context[c] : context[r] * sum[c];
            double pmi = embed_ln((double)m->val[e] * total / smooth);

            m->val[e] = pmi > 0.0 ? (float)pmi : 0.0f;
        }
    }
done:
    free(sum);
    free(context);
    free(fill);
    return st;
}

/* Columns ascending within each row: sums over a row then have one order, whatever the hash was. */
struct embed_entry {
    uint32_t col;
    float val;
};

static int compare_entry(const void *a, const void *b)
{
    uint32_t x = ((const struct embed_entry *)a)->col, y = ((const struct embed_entry *)b)->col;

    return x < y ? -1 : x > y;
}

static enum seam_status sort_rows(struct embed_sparse *m)
{
    struct embed_entry *row = malloc((m->rows + 1u) * sizeof *row);

    if (row == NULL) return SEAM_NOMEM;
    for (uint32_t r = 0; r < m->rows; r++) {
        size_t n = (size_t)(m->start[r + 1] - m->start[r]);

        for (size_t i = 0; i < n; i++)
            row[i] = (struct embed_entry){m->col[m->start[r] + i], m->val[m->start[r] + i]};
        qsort(row, n, sizeof *row, compare_entry);
        for (size_t i = 0; i < n; i++) {
            m->col[m->start[r] + i] = row[i].col;
            m->val[m->start[r] + i] = row[i].val;
        }
    }
    free(row);
    return SEAM_OK;
}

static enum seam_status cooccurrence(const struct embed_trainer *t, const uint32_t *rank,
                                     uint32_t rows, struct embed_sparse *m, struct seam_fault *f)
{
    struct pairs p = {.mask = (1u << 16) - 1, .max = t->o.memory_max / PAIR_BYTES};
    enum seam_status st = SEAM_OK;

    p.key = calloc(p.mask + 1, sizeof *p.key);
    p.count = calloc(p.mask + 1, sizeof *p.count);
    if (p.key == NULL || p.count == NULL) st = SEAM_NOMEM;
    for (size_t i = 0; st == SEAM_OK && i < t->doc_count; i++)
        if (!count_doc(&p, &t->docs[i], rank))
            st = seam_fault_set(
                f, SEAM_LIMIT, "embed", SEAM_FAULT_NO_OFFSET,
                "counting word pairs passed the memory budget of %zu bytes after %zu texts",
                t->o.memory_max, i);
    if (st == SEAM_OK) st = ppmi_matrix(&p, rows, m);
    free(p.key);
    free(p.count);
    if (st == SEAM_OK) st = sort_rows(m);
    return st;
}

/* ---- the model ---- */
struct ranked {
    uint32_t word;
    uint64_t frequency;
    const char *text;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->frequency != y->frequency) return x->frequency > y->frequency ? -1 : 1;
    return strcmp(x->text, y->text);
}

/* Words by frequency, most frequent first; rank[] is the way back. */
static enum seam_status choose_words(const struct embed_trainer *t, struct embedder *e,
                                     uint32_t *rank)
{
    struct ranked *r = malloc((t->words.count + 1u) * sizeof *r);
    enum seam_status st = SEAM_OK;

    if (r == NULL) return SEAM_NOMEM;
    for (uint32_t w = 0; w < t->words.count; w++)
        r[w] = (struct ranked){w, t->frequency[w], lexicon_word(&t->words, w)};
    qsort(r, t->words.count, sizeof *r, compare_ranked);
    for (uint32_t i = 0; i < t->words.count; i++) {
        rank[r[i].word] = EMBED_NO_WORD;
        if (i >= t->o.words_max || st != SEAM_OK) continue;
        rank[r[i].word] = embed_lexicon_add(&e->words, r[i].text, strlen(r[i].text));
        if (rank[r[i].word] == EMBED_NO_WORD) st = SEAM_NOMEM;
    }
    free(r);
    return st;
}

/* Row w = eigenvectors' entries times sqrt(|eigenvalue|), unit length. */
static enum seam_status word_vectors(const struct embed_trainer *t, const struct embed_sparse *m,
                                     struct embedder *e)
{
    uint32_t rows = m->rows, rank = e->dim < rows ? e->dim : rows;
    double value[EMBED_DIM_MAX];
    float *u = malloc((size_t)rows * rank * sizeof *u);
    enum seam_status st =
        u != NULL ? embed_sparse_eigen(m, rank, t->o.seed, t->o.threads, u, value) : SEAM_NOMEM;

    for (uint32_t w = 0; st == SEAM_OK && w < rows; w++) {
        float *v = e->vectors + (size_t)w * e->dim;

        for (uint32_t j = 0; j < rank; j++)
            v[j] = u[(size_t)w * rank + j] * (float)sqrt(sqrt(fabs(value[j])));
        embed_normalise(v, e->dim);
    }
    free(u);
    return st;
}

enum seam_status embed_trainer_finish(struct embed_trainer *t, struct embedder **out,
                                      struct seam_fault *f)
{
    struct embedder *e = calloc(1, sizeof *e);
    uint32_t *rank = malloc((t->words.count + 1u) * sizeof *rank);
    struct embed_sparse m = {0};
    enum seam_status st = e != NULL && rank != NULL ? SEAM_OK : SEAM_NOMEM;

    if (st == SEAM_OK && t->o.for_words)
        st = seam_fault_set(f, SEAM_INVALID, "embed", SEAM_FAULT_NO_OFFSET,
                            "these texts were read for static word vectors");
    if (st == SEAM_OK && t->words.count < 2)
        st = seam_fault_set(f, SEAM_INVALID, "embed", SEAM_FAULT_NO_OFFSET,
                            "too few different words to learn from");
    if (st == SEAM_OK) {
        e->source = EMBED_LEARNED;
        e->dim = (uint32_t)t->o.dim;
        e->title_share = 0.6f;
        st = choose_words(t, e, rank);
    }
    if (st == SEAM_OK) {
        e->vectors = calloc((size_t)e->words.count * e->dim, sizeof *e->vectors);
        e->weight = calloc(e->words.count, sizeof *e->weight);
        e->common = calloc(e->dim, sizeof *e->common);
        if (e->vectors == NULL || e->weight == NULL || e->common == NULL) st = SEAM_NOMEM;
    }
    if (st == SEAM_OK) st = cooccurrence(t, rank, e->words.count, &m, f);
    if (st == SEAM_OK) st = word_vectors(t, &m, e);
    if (st == SEAM_OK) st = embed_fit(e, t, f);
    if (st == SEAM_OK && !embedder_seal(e)) st = SEAM_NOMEM;
    if (st == SEAM_OK) {
        *out = e;
        e = NULL;
    }
    embed_sparse_free(&m);
    free(rank);
    embedder_close(e);
    if (st == SEAM_NOMEM)
        (void)seam_fault_set(f, st, "embed", SEAM_FAULT_NO_OFFSET, "no memory for the model");
    return st;
}
