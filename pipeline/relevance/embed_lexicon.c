/* embed_lexicon - words to numbers, and what an unknown word resembles.                            */
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "pipeline/relevance/embed_internal.h"

static bool lexicon_rehash(struct embed_lexicon *l, uint32_t slots)
{
    uint32_t *fresh = calloc(slots, sizeof *fresh);

    if (fresh == NULL) return false;
    free(l->slots);
    l->slots = fresh;
    l->slot_mask = slots - 1;
    for (uint32_t i = 0; i < l->count; i++) {
        const char *w = lexicon_word(l, i);
        uint32_t at = (uint32_t)seam_hash64(w, strlen(w), 0) & l->slot_mask;

        while (l->slots[at] != 0) at = (at + 1) & l->slot_mask;
        l->slots[at] = i + 1;
    }
    return true;
}

static uint32_t *lexicon_slot(const struct embed_lexicon *l, const char *word, size_t size)
{
    uint32_t at = (uint32_t)seam_hash64(word, size, 0) & l->slot_mask;

    while (l->slots[at] != 0) {
        const char *w = lexicon_word(l, l->slots[at] - 1);

        if (strncmp(w, word, size) == 0 && w[size] == '\0') break;
        at = (at + 1) & l->slot_mask;
    }
    return &l->slots[at];
}

uint32_t embed_lexicon_find(const struct embed_lexicon *l, const char *word, size_t size)
{
    uint32_t slot;

    if (l->count == 0) return EMBED_NO_WORD;
    slot = *lexicon_slot(l, word, size);
    return slot == 0 ? EMBED_NO_WORD : slot - 1;
}

static bool lexicon_room(struct embed_lexicon *l, size_t size)
{
    if (l->count == l->cap) {
        uint32_t cap = l->cap == 0 ? 1024 : l->cap * 2;
        uint32_t *offset = realloc(l->offset, cap * sizeof *offset);

        if (offset == NULL) return false;
        l->offset = offset;
        l->cap = cap;
    }
    if (l->pool_size + size + 1 > l->pool_cap) {
        size_t cap = l->pool_cap == 0 ? 16384 : l->pool_cap * 2;
        char *pool;

        while (cap < l->pool_size + size + 1) cap *= 2;
        pool = realloc(l->pool, cap);
        if (pool == NULL) return false;
        l->pool = pool;
        l->pool_cap = cap;
    }
    return l->slots != NULL && l->count < l->slot_mask / 2
               ? true
               : lexicon_rehash(l, l->slots == NULL ? 4096 : (l->slot_mask + 1) * 2);
}

uint32_t embed_lexicon_add(struct embed_lexicon *l, const char *word, size_t size)
{
    uint32_t *slot;

    if (l->count >= EMBED_WORDS_MAX || l->pool_size + size + 1 > UINT32_MAX) return EMBED_NO_WORD;
    if (!lexicon_room(l, size)) return EMBED_NO_WORD;
    slot = lexicon_slot(l, word, size);
    if (*slot != 0) return *slot - 1;
    l->offset[l->count] = (uint32_t)l->pool_size;
    memcpy(l->pool + l->pool_size, word, size);
    l->pool[l->pool_size + size] = '\0';
    l->pool_size += size + 1;
    *slot = ++l->count;
    return l->count - 1;
}

void embed_lexicon_free(struct embed_lexicon *l)
{
    free(l->pool);
    free(l->offset);
    free(l->slots);
    memset(l, 0, sizeof *l);
}

/* ---- resemblance ---- */

/* Buckets of the trigrams of ^word$, repeats kept (they are rare and do no harm).                   */
static size_t grams_of(const char *word, size_t size, uint32_t out[GRAMS_WORD_MAX])
{
    char padded[EMBED_TOKEN_MAX + 2];
    size_t n = 0;

    if (size == 0 || size > EMBED_TOKEN_MAX - 1) return 0;
    padded[0] = '^';
    memcpy(padded + 1, word, size);
    padded[size + 1] = '$';
    for (size_t i = 0; i + 3 <= size + 2; i++) {
        uint32_t h = (uint32_t)(uint8_t)padded[i] << 16 | (uint32_t)(uint8_t)padded[i + 1] << 8 |
                     (uint8_t)padded[i + 2];

        out[n++] = (h * 2654435761u) >> 17; /* 15 bits */
    }
    return n;
}

static bool has_digit(const char *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (w[i] >= '0' && w[i] <= '9') return true;
    return false;
}

bool embed_grams_build(struct embed_grams *g, const struct embed_lexicon *l)
{
    uint32_t bucket[GRAMS_WORD_MAX];
    uint64_t total = 0;

    embed_grams_free(g);
    g->start = calloc(GRAM_BUCKETS + 1, sizeof *g->start);
    g->count = calloc(l->count + 1u, 1);
    if (g->start == NULL || g->count == NULL) return false;
    for (uint32_t i = 0; i < l->count; i++) {
        const char *w = lexicon_word(l, i);
        size_t n = grams_of(w, strlen(w), bucket);

        if (has_digit(w, strlen(w))) continue; /* 12 is not a misspelt 120 */
        g->count[i] = (uint8_t)n;
        for (size_t k = 0; k < n; k++) g->start[bucket[k] + 1]++;
        total += n;
    }
    if (total >= UINT32_MAX) return false;
    for (uint32_t b = 0; b < GRAM_BUCKETS; b++) g->start[b + 1] += g->start[b];
    g->words = malloc((total + 1) * sizeof *g->words);
    if (g->words == NULL) return false;
    for (uint32_t i = 0; i < l->count; i++) {
        const char *w = lexicon_word(l, i);
        size_t n = g->count[i] == 0 ? 0 : grams_of(w, strlen(w), bucket);

        for (size_t k = 0; k < n; k++) g->words[g->start[bucket[k]]++] = i;
    }
    for (uint32_t b = GRAM_BUCKETS; b > 0; b--) g->start[b] = g->start[b - 1];
    g->start[0] = 0;
    return true;
}

void embed_grams_free(struct embed_grams *g)
{
    free(g->start);
    free(g->words);
    free(g->count);
    memset(g, 0, sizeof *g);
}

/* Letters of a found in b in about the same place: catches transpositions and doubled letters, which
 * break three trigrams at once in a short word. Both in [0,1], and the better of the two counts.     */
static float edit_similarity(const char *a, size_t na, const char *b, size_t nb)
{
    uint8_t row[3][EMBED_TOKEN_MAX + 1];
    uint8_t *two = row[0], *one = row[1], *now = row[2];

    for (size_t j = 0; j <= nb; j++) one[j] = (uint8_t)j;
    for (size_t i = 1; i <= na; i++) {
        now[0] = (uint8_t)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned best = one[j - 1] + (a[i - 1] != b[j - 1]);

            if (one[j] + 1u < best) best = one[j] + 1u;
            if (now[j - 1] + 1u < best) best = now[j - 1] + 1u;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                two[j - 2] + 1u < best)
                best = two[j - 2] + 1u;
            now[j] = (uint8_t)best;
        }
        uint8_t *spare = two;
        two = one;
        one = now;
        now = spare;
    }
    return 1.0f - (float)one[nb] / (float)(na > nb ? na : nb);
}

static void alike_insert(struct embed_alike *out, size_t *n, struct embed_alike a)
{
    size_t at = *n;

    while (at > 0 && (a.similarity > out[at - 1].similarity ||
                      (a.similarity == out[at - 1].similarity && a.word < out[at - 1].word)))
        at--;
    if (at >= ALIKE_MAX) return;
    if (*n < ALIKE_MAX) ++*n;
    memmove(out + at + 1, out + at, (*n - 1 - at) * sizeof *out);
    out[at] = a;
}

#define ALIKE_MIN_DICE 0.25f
#define ALIKE_MIN      0.55f

size_t embed_grams_alike(const struct embed_grams *g, const struct embed_lexicon *l,
                         const char *word, size_t size, struct embed_alike out[ALIKE_MAX])
{
    uint32_t bucket[GRAMS_WORD_MAX];
    size_t n = grams_of(word, size, bucket), found = 0;
    uint8_t *shared;

    if (g->start == NULL || n < 3 || has_digit(word, size)) return 0;
    shared = calloc(l->count + 1u, 1);
    if (shared == NULL) return 0;
    for (size_t k = 0; k < n; k++)
        for (uint32_t p = g->start[bucket[k]]; p < g->start[bucket[k] + 1]; p++) {
            uint32_t w = g->words[p];

            if (shared[w] < 255) shared[w]++;
        }
    for (uint32_t w = 0; w < l->count; w++) {
        float dice, similarity;
        const char *other;

        if (shared[w] == 0) continue;
        dice = 2.0f * (float)shared[w] / (float)(n + g->count[w]);
        if (dice < ALIKE_MIN_DICE) continue;
        other = lexicon_word(l, w);
        similarity = edit_similarity(word, size, other, strlen(other));
        if (dice > similarity) similarity = dice > 1.0f ? 1.0f : dice;
        if (similarity >= ALIKE_MIN) alike_insert(out, &found, (struct embed_alike){w, similarity});
    }
    free(shared);
    return found;
}
