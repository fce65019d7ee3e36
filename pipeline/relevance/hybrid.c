/* hybrid - fusing two ranked lists, and reading a query's features.                                 */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "pipeline/relevance/hybrid.h"

/* ---- names ---- */
static const char *const method_names[] = {"rrf", "convex"};
static const char *const norm_names[] = {"none", "max", "minmax", "tmm", "zscore"};
static const char *const kind_names[] = {"code", "vague", "long", "digits", "short", "plain"};

static bool name_parse(const char *name, const char *const *names, size_t n, int *out)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (int)i;
            return true;
        }
    return false;
}

bool hybrid_method_parse(const char *name, enum hybrid_method *out)
{
    int i;
    bool ok = name_parse(name, method_names, SEAM_ARRAY_LEN(method_names), &i);

    if (ok) *out = (enum hybrid_method)i;
    return ok;
}

bool hybrid_norm_parse(const char *name, enum hybrid_norm *out)
{
    int i;
    bool ok = name_parse(name, norm_names, SEAM_ARRAY_LEN(norm_names), &i);

    if (ok) *out = (enum hybrid_norm)i;
    return ok;
}

const char *hybrid_method_name(enum hybrid_method m)
{
    return method_names[m];
}
const char *hybrid_norm_name(enum hybrid_norm n)
{
    return norm_names[n];
}
const char *embed_query_kind_name(enum hybrid_query_kind k)
{
    return kind_names[k];
}

/* ---- what a query looks like ---- */
static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* "BT-1804", "GU10", "ST569": letters before at least two digits, no unit after them ("12v", "2.5kg"). */
static bool looks_like_code(const char *w, size_t n)
{
    size_t letters = 0, digits = 0, at = 0;

    while (at < n && is_letter(w[at])) at++, letters++;
    if (at < n && w[at] == '-') at++;
    while (at < n && is_digit(w[at])) at++, digits++;
    return letters >= 1 && letters <= 5 && digits >= 2 && n >= 4 &&
           (at == n || !is_letter(w[at]) || letters >= 2);
}

void embed_query_features_of(const char *query, size_t size, const struct hybrid_query_term *terms,
                             size_t term_count, struct hybrid_query_features *out)
{
    const char *p = query, *end = query + size;

    *out = (struct hybrid_query_features){.chars = (uint32_t)size};
    while (p < end) {
        const char *word;
        bool digit = false;

        while (p < end && is_space(*p)) p++;
        for (word = p; p < end && !is_space(*p); p++) digit |= is_digit(*p);
        if (p == word) break;
        out->tokens++;
        out->digit_tokens += digit;
        out->code_tokens += looks_like_code(word, (size_t)(p - word));
    }
    for (size_t i = 0; i < term_count; i++) {
        out->ceiling += terms[i].most;
        if (terms[i].df == 0)
            out->unknown += !terms[i].digits;
        else if (terms[i].idf > out->rarest_idf)
            out->rarest_idf = terms[i].idf;
    }
}

#define VAGUE_COVERAGE 0.35
enum { SHORT_TOKENS = 2, LONG_TOKENS = 5 };

enum hybrid_query_kind embed_query_kind_of(const struct hybrid_query_features *q)
{
    if (q->code_tokens > 0) return QUERY_CODE;
    if (q->ceiling > 0.0 && q->coverage < VAGUE_COVERAGE) return QUERY_VAGUE;
    if (q->tokens >= LONG_TOKENS) return QUERY_LONG;
    if (q->digit_tokens > 0) return QUERY_DIGITS;
    return q->tokens <= SHORT_TOKENS ? QUERY_SHORT : QUERY_PLAIN;
}

struct hybrid_options hybrid_defaults(void)
{
    return (struct hybrid_options){
        .method = HYBRID_CONVEX,
        .norm = HYBRID_NORM_MAX,
        .norm_meaning = HYBRID_NORM_NONE,
        .weight = 0.65,
        .by_kind = true,
        .kind_weight = {[QUERY_CODE] = 0.3,
                        [QUERY_VAGUE] = 0.9,
                        [QUERY_LONG] = 0.5,
                        [QUERY_DIGITS] = 0.6,
                        [QUERY_SHORT] = 0.6,
                        [QUERY_PLAIN] = 0.5},
        .rrf_k = 60.0,
        .floor = {[SIDE_WORDS] = 0.0, [SIDE_MEANING] = -1.0},
        .depth = 200,
        .feedback_docs = 3,
        .feedback_coverage = 0.6,
        .feedback_weight = 0.4,
    };
}

const char *hybrid_defaults_version(void)
{
    return "hybrid-1";
}

/* ---- fusion ---- */

/* Hits by id: open addressing over the hits' own array. */
struct union_of {
    struct hybrid_hit *hits;
    uint32_t *slots, mask, count;
};

static struct hybrid_hit *union_hit(struct union_of *u, uint64_t id)
{
    uint32_t at = (uint32_t)seam_hash64_u64(id) & u->mask;

    while (u->slots[at] != 0 && u->hits[u->slots[at] - 1].id != id) at = (at + 1) & u->mask;
    if (u->slots[at] == 0) {
        u->hits[u->count] = (struct hybrid_hit){.id = id};
        u->slots[at] = ++u->count;
    }
    return &u->hits[u->slots[at] - 1];
}

/* A repeated id keeps its first, best place: one result a product. */
static uint32_t add_side(struct union_of *u, struct hybrid_list list, size_t depth,
                         enum hybrid_side_name side)
{
    uint32_t rank = 0;

    for (size_t i = 0; i < list.count && rank < depth; i++) {
        struct hybrid_hit *h = union_hit(u, list.items[i].id);

        if (h->rank[side] != 0) continue;
        h->rank[side] = ++rank;
        h->raw[side] = list.items[i].score;
    }
    return rank;
}

/* score -> (score - shift) * scale */
struct scaling {
    double shift, scale;
};

static struct scaling scaling_of(const struct union_of *u, enum hybrid_side_name side,
                                 enum hybrid_norm norm, double floor_, uint32_t n)
{
    double best = -INFINITY, worst = INFINITY, mean = 0.0, square = 0.0, spread;
    struct scaling s = {0.0, 1.0};

    if (n == 0 || norm == HYBRID_NORM_NONE) return s;
    for (uint32_t i = 0; i < u->count; i++) {
        double x = u->hits[i].raw[side];

        if (u->hits[i].rank[side] == 0) continue;
        best = x > best ? x : best;
        worst = x < worst ? x : worst;
        mean += x / n;
    }
    for (uint32_t i = 0; i < u->count; i++)
        if (u->hits[i].rank[side] != 0)
            square += (u->hits[i].raw[side] - mean) * (u->hits[i].raw[side] - mean) / n;
    switch (norm) {
    case HYBRID_NORM_MAX: spread = best; break;
    case HYBRID_NORM_MINMAX:
        s.shift = worst;
        spread = best - worst;
        break;
    case HYBRID_NORM_TMM:
        s.shift = floor_;
        spread = best - floor_;
        break;
    default:
        s.shift = mean;
        spread = sqrt(square);
        break;
    }
    /* A list of equals (or one hit) has no spread: all of them are the best there is. */
    s.scale = spread > 1e-12 ? 1.0 / spread : 0.0;
    if (s.scale == 0.0 && norm != HYBRID_NORM_ZSCORE) s = (struct scaling){best - 1.0, 1.0};
    return s;
}

static void complete_side(struct union_of *u, enum hybrid_side_name side, hybrid_score_fn *complete,
                          void *ctx)
{
    for (uint32_t i = 0; i < u->count; i++) {
        struct hybrid_hit *h = &u->hits[i];

        if (h->rank[side] == 0) h->completed[side] = complete(ctx, side, h->id, &h->raw[side]);
    }
}

static void score_convex(struct union_of *u, enum hybrid_side_name side, struct scaling s,
                         double weight)
{
    double least = INFINITY;

    for (uint32_t i = 0; i < u->count; i++) {
        struct hybrid_hit *h = &u->hits[i];

        if (h->rank[side] == 0 && !h->completed[side]) continue;
        h->part[side] = (h->raw[side] - s.shift) * s.scale;
        if (h->rank[side] != 0 && h->part[side] < least) least = h->part[side];
    }
    for (uint32_t i = 0; i < u->count; i++) {
        struct hybrid_hit *h = &u->hits[i];

        /* Not found and not scored: at most what the last candidate got, and no credit below zero. */
        if (h->rank[side] == 0 && !h->completed[side]) h->part[side] = least < 0.0 ? least : 0.0;
        h->part[side] *= weight;
    }
}

static int compare_hit(const void *a, const void *b)
{
    const struct hybrid_hit *x = a, *y = b;

    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void fuse(struct union_of *u, const struct hybrid_options *o,
                 const double weight[SIDE_COUNT], const uint32_t n[SIDE_COUNT],
                 hybrid_score_fn *complete, void *ctx)
{
    for (int side = 0; side < SIDE_COUNT; side++) {
        enum hybrid_norm norm = side == SIDE_WORDS ? o->norm : o->norm_meaning;

        if (o->method == HYBRID_RRF) {
            for (uint32_t i = 0; i < u->count; i++)
                if (u->hits[i].rank[side] != 0)
                    u->hits[i].part[side] = weight[side] / (o->rrf_k + u->hits[i].rank[side]);
            continue;
        }
        if (complete != NULL) complete_side(u, side, complete, ctx);
        score_convex(u, side, scaling_of(u, side, norm, o->floor[side], n[side]), weight[side]);
    }
    for (uint32_t i = 0; i < u->count; i++)
        u->hits[i].score = u->hits[i].part[0] + u->hits[i].part[1];
    qsort(u->hits, u->count, sizeof *u->hits, compare_hit);
}

enum seam_status hybrid_fuse(const struct hybrid_options *o, double weight,
                             const struct hybrid_sides *sides, struct hybrid_hit **out,
                             size_t *count, struct seam_fault *f)
{
    const struct hybrid_list words = sides->words, meaning = sides->meaning;
    struct union_of u = {0};
    double weights[SIDE_COUNT];
    uint32_t n[SIDE_COUNT];
    size_t most = words.count + meaning.count, depth = o->depth == 0 ? SIZE_MAX : o->depth;

    if (weight < 0.0) weight = o->weight;
    if (!(weight >= 0.0 && weight <= 1.0) || (o->method == HYBRID_RRF && !(o->rrf_k >= 0.0)))
        return seam_fault_set(f, SEAM_INVALID, "hybrid", SEAM_FAULT_NO_OFFSET,
                              "the weight must be in 0..1 and k at least 0");
    if (most > UINT32_MAX / 4)
        return seam_fault_set(f, SEAM_LIMIT, "hybrid", SEAM_FAULT_NO_OFFSET, "too many candidates");
    u.mask = 15;
    while (u.mask < 2 * most) u.mask = u.mask * 2 + 1;
    u.hits = malloc((most + 1) * sizeof *u.hits);
    u.slots = calloc(u.mask + 1u, sizeof *u.slots);
    if (u.hits == NULL || u.slots == NULL) {
        free(u.hits);
        free(u.slots);
        return seam_no_memory(f, "the candidates");
    }
    n[SIDE_WORDS] = add_side(&u, words, depth, SIDE_WORDS);
    n[SIDE_MEANING] = add_side(&u, meaning, depth, SIDE_MEANING);
    weights[SIDE_WORDS] = 1.0 - weight;
    weights[SIDE_MEANING] = weight;
    fuse(&u, o, weights, n, sides->complete, sides->ctx);
    free(u.slots);
    assert(u.count <= most);
    *out = u.hits;
    *count = u.count;
    return SEAM_OK;
}

static int compare_item(const void *a, const void *b)
{
    const struct hybrid_item *x = a, *y = b;

    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

void hybrid_rescored(const struct hybrid_hit *hits, const double *scores, size_t n,
                     struct hybrid_item *out)
{
    for (size_t i = 0; i < n; i++) out[i] = (struct hybrid_item){hits[i].id, scores[i]};
    qsort(out, n, sizeof *out, compare_item);
}

/* ---- explaining ---- */
static void explain_side(const struct hybrid_hit *h, int side, const char *name,
                         struct seam_buf *out)
{
    seam_buf_printf(out, "%s %.3f ", name, h->part[side]);
    if (h->rank[side] != 0)
        seam_buf_printf(out, "(rank %u, %.4g)", h->rank[side], h->raw[side]);
    else if (h->completed[side])
        seam_buf_printf(out, "(not among its candidates, %.4g)", h->raw[side]);
    else
        seam_buf_str(out, "(not found)");
}

void hybrid_explain(const struct hybrid_hit *h, struct seam_buf *out)
{
    seam_buf_printf(out, "%.4f = ", h->score);
    explain_side(h, SIDE_WORDS, "words", out);
    seam_buf_str(out, " + ");
    explain_side(h, SIDE_MEANING, "meaning", out);
}

void hybrid_explain_json(const struct hybrid_hit *h, struct seam_json_writer *w)
{
    static const char *const side_names[SIDE_COUNT] = {"words", "meaning"};

    seam_jw_object(w);
    seam_jw_key(w, "score");
    seam_jw_double(w, h->score);
    for (int side = 0; side < SIDE_COUNT; side++) {
        seam_jw_key(w, side_names[side]);
        seam_jw_object(w);
        seam_jw_key(w, "rank");
        if (h->rank[side] != 0)
            seam_jw_uint(w, h->rank[side]);
        else
            seam_jw_null(w);
        seam_jw_key(w, "score");
        if (h->rank[side] != 0 || h->completed[side])
            seam_jw_double(w, h->raw[side]);
        else
            seam_jw_null(w);
        seam_jw_key(w, "contribution");
        seam_jw_double(w, h->part[side]);
        seam_jw_end_object(w);
    }
    seam_jw_end_object(w);
}
