/* search - opening both sides at one moment, and asking them.                                       */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "pipeline/relevance/search.h"

struct search {
    struct seam_io *io;
    char words_dir[SEAM_PATH_MAX_BYTES], graph_dir[SEAM_PATH_MAX_BYTES];
    seam_lsn_t as_of; /* asked for; SEAM_LSN_MAX = newest                                 */
    struct invidx_reader *newest; /* follows the writer                                          */
    struct invidx_reader *words;  /* the one to ask: newest, or one AS OF the common LSN         */
    struct invidx_query *query, *filter, *probe;
    struct hnsw *graph, *graph_then; /* likewise; NULL without a graph / when the newest will do  */
    struct embedder *embedder;
    float *vector, *other; /* scratch of the embedder's dimension                         */
    struct search_position position;
};

static const char *const mode_names[] = {"bm25", "vector", "hybrid"};

bool search_mode_parse(const char *name, enum search_mode *out)
{
    for (size_t i = 0; i < SEAM_ARRAY_LEN(mode_names); i++)
        if (strcmp(name, mode_names[i]) == 0) {
            *out = (enum search_mode)i;
            return true;
        }
    return false;
}

const char *search_mode_name(enum search_mode m)
{
    return mode_names[m];
}

static void close_words(struct search *s)
{
    invidx_query_free(s->query);
    invidx_query_free(s->filter);
    invidx_query_free(s->probe);
    s->query = s->filter = s->probe = NULL;
    if (s->words != s->newest) invidx_reader_close(s->words);
    s->words = NULL;
}

void search_close(struct search *s)
{
    if (s == NULL) return;
    close_words(s);
    invidx_reader_close(s->newest);
    hnsw_close(s->graph_then);
    hnsw_close(s->graph);
    embedder_close(s->embedder);
    free(s->vector);
    free(s->other);
    free(s);
}

static struct hnsw *graph_of(const struct search *s)
{
    return s->graph_then != NULL ? s->graph_then : s->graph;
}

static enum seam_status use_words(struct search *s, struct invidx_reader *r, struct seam_fault *f)
{
    enum seam_status st;

    s->words = r;
    st = invidx_query_new(r, &s->query, f);
    if (st == SEAM_OK) st = invidx_query_new(r, &s->filter, f);
    return st == SEAM_OK ? invidx_query_new(r, &s->probe, f) : st;
}

/* Brings both sides to one moment: the older of the two, or the one asked for. */
static enum seam_status settle(struct search *s, struct seam_fault *f)
{
    struct hnsw_config mapped = {.mapped = true};
    struct invidx_reader *then = NULL;
    struct invidx_info words;
    struct hnsw_info graph = {.applied_lsn = SEAM_LSN_MAX};
    enum seam_status st = SEAM_OK;
    seam_lsn_t common;

    close_words(s);
    hnsw_close(s->graph_then);
    s->graph_then = NULL;
    invidx_reader_info(s->newest, &words);
    if (s->graph != NULL) hnsw_info(s->graph, &graph);
    common = words.applied_lsn < graph.applied_lsn ? words.applied_lsn : graph.applied_lsn;
    if (s->as_of != SEAM_LSN_MAX) common = s->as_of;
    if (words.applied_lsn != common) st = invidx_reader_open(s->io, s->words_dir, common, &then, f);
    if (st == SEAM_OK)
        st = use_words(s, then != NULL ? then : s->newest, f);
    else
        return st;
    if (st == SEAM_OK && s->graph != NULL && graph.applied_lsn != common)
        st = hnsw_open_reader(s->io, s->graph_dir, common, &mapped, &s->graph_then, f);
    if (st != SEAM_OK) return st;
    s->position = (struct search_position){
        .lsn = common,
        .words_lsn = words.applied_lsn,
        .graph_lsn = s->graph != NULL ? graph.applied_lsn : 0,
        .wall_us = s->graph != NULL && graph.applied_lsn < words.applied_lsn ? graph.wall_us
                                                                             : words.wall_us,
        .embedder = s->embedder != NULL ? embedder_version(s->embedder) : "",
    };
    invidx_reader_info(s->words, &words);
    s->position.documents = words.docs;
    return SEAM_OK;
}

static enum seam_status keep_path(char out[SEAM_PATH_MAX_BYTES], const char *path,
                                  struct seam_fault *f)
{
    if (strlen(path) >= SEAM_PATH_MAX_BYTES)
        return seam_fault_set(f, SEAM_LIMIT, path, SEAM_FAULT_NO_OFFSET,
                              "the path is over %d bytes", SEAM_PATH_MAX_BYTES - 1);
    snprintf(out, SEAM_PATH_MAX_BYTES, "%s", path);
    return SEAM_OK;
}

static enum seam_status open_graph(struct search *s, const struct search_paths *paths,
                                   struct seam_fault *f)
{
    struct hnsw_info info;
    size_t dim;
    enum seam_status st = embedder_open(s->io, paths->model_path, &s->embedder, f);

    if (st == SEAM_OK) st = keep_path(s->graph_dir, paths->graph_dir, f);
    if (st == SEAM_OK)
        st = hnsw_open_reader(s->io, paths->graph_dir, SEAM_LSN_MAX, NULL, &s->graph, f);
    if (st != SEAM_OK) return st;
    hnsw_info(s->graph, &info);
    dim = embedder_dim(s->embedder);
    if (info.options.dim != dim)
        return seam_fault_set(
            f, SEAM_CONFLICT, paths->graph_dir, SEAM_FAULT_NO_OFFSET,
            "the graph has %u dimensions, its embedder %zu: they do not belong together",
            info.options.dim, dim);
    s->vector = malloc(dim * sizeof *s->vector);
    s->other = malloc(dim * sizeof *s->other);
    return s->vector != NULL && s->other != NULL
               ? SEAM_OK
               : seam_fault_set(f, SEAM_NOMEM, paths->graph_dir, SEAM_FAULT_NO_OFFSET, "no memory");
}

enum seam_status search_open(struct seam_io *io, const struct search_paths *paths, seam_lsn_t as_of,
                             struct search **out, struct seam_fault *f)
{
    struct search *s = calloc(1, sizeof *s);
    enum seam_status st;

    if (s == NULL)
        return seam_fault_set(f, SEAM_NOMEM, paths->words_dir, SEAM_FAULT_NO_OFFSET,
                              "no memory to search");
    s->io = io;
    s->as_of = as_of;
    st = keep_path(s->words_dir, paths->words_dir, f);
    if (st == SEAM_OK) st = invidx_reader_open(io, paths->words_dir, SEAM_LSN_MAX, &s->newest, f);
    if (st == SEAM_OK && paths->graph_dir != NULL && paths->model_path != NULL)
        st = open_graph(s, paths, f);
    if (st == SEAM_OK) st = settle(s, f);
    if (st == SEAM_OK)
        *out = s;
    else
        search_close(s);
    return st;
}

enum seam_status search_refresh(struct search *s, bool *changed, struct seam_fault *f)
{
    bool words = false, graph = false;
    enum seam_status st = SEAM_OK;

    if (changed != NULL) *changed = false;
    if (s->as_of != SEAM_LSN_MAX) return SEAM_OK;
    st = invidx_reader_refresh(s->newest, &words, f);
    if (st == SEAM_OK && s->graph != NULL) st = hnsw_refresh(s->graph, &graph, f);
    if (st != SEAM_OK || !(words || graph)) return st;
    if (changed != NULL) *changed = true;
    return settle(s, f);
}

void search_position(const struct search *s, struct search_position *out)
{
    *out = s->position;
}

/* ---- asking ---- */

enum { QUERY_TERMS_MAX = 64 };

/* What the index knows of the query's words, once it has been parsed. `k1` bounds what a word can score. */
static enum seam_status features_of(struct search *s, const struct search_request *r, double best,
                                    struct hybrid_query_features *out, struct seam_fault *f)
{
    struct invidx_query_term known[QUERY_TERMS_MAX];
    struct hybrid_query_term terms[QUERY_TERMS_MAX];
    struct invidx_info info;
    size_t n = 0;
    enum seam_status st = invidx_query_words(s->probe, r->text, r->size, INVIDX_OR, f);

    invidx_reader_info(s->words, &info);
    if (st == SEAM_OK) st = invidx_query_terms(s->probe, known, QUERY_TERMS_MAX, &n, f);
    for (size_t i = 0; i < n; i++) {
        bool digits = false;

        for (size_t k = 0; k < known[i].len; k++)
            digits |= known[i].text[k] >= '0' && known[i].text[k] <= '9';
        terms[i] = (struct hybrid_query_term){known[i].df, known[i].idf,
                                              known[i].idf * (info.k1 + 1.0), digits};
    }
    embed_query_features_of(r->text, r->size, terms, n, out);
    out->coverage = out->ceiling > 0.0 ? best / out->ceiling : 0.0;
    return st;
}

/* Words from a search box and a filter as one query: operators and marks in the words are taken out. */
static enum seam_status parse_words(struct search *s, const struct search_request *r,
                                    struct seam_fault *f)
{
    struct seam_buf q = {0};
    enum seam_status st;

    if (r->filter == NULL || *r->filter == '\0')
        return invidx_query_words(s->query, r->text, r->size, INVIDX_OR, f);
    seam_buf_str(&q, "(");
    for (size_t i = 0; i < r->size; i++) {
        unsigned char c = (unsigned char)r->text[i];

        if (c >= 'A' && c <= 'Z') c = (unsigned char)(c + 32); /* AND, OR, NOT are words here */
        seam_buf_u8(&q, c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '.'
                            ? c
                            : ' ');
    }
    seam_buf_printf(&q, ") AND (%s)", r->filter);
    st = seam_buf_ok(&q) ? invidx_query_parse(s->query, (const char *)q.data, q.size, INVIDX_OR, f)
                         : seam_no_memory(f, "the query");
    seam_buf_free(&q);
    return st;
}

static enum seam_status ask_words(struct search *s, const struct search_request *r, size_t depth,
                                  struct hybrid_item *items, size_t *count,
                                  struct search_result *out, struct seam_fault *f)
{
    struct invidx_hit *hits = malloc((depth + 1) * sizeof *hits);
    struct invidx_request request = {.k = depth, .trace = r->trace};
    struct invidx_result result = {.hits = hits};
    enum seam_status st = hits == NULL ? seam_no_memory(f, "hits") : parse_words(s, r, f);

    if (st == SEAM_OK) st = invidx_search(s->words, s->query, &request, &result, f);
    *count = st == SEAM_OK ? result.count : 0;
    for (size_t i = 0; i < *count; i++) items[i] = (struct hybrid_item){hits[i].key, hits[i].score};
    out->words = result.work;
    free(hits);
    return st;
}

static bool is_zero(const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (v[i] != 0.0f) return false;
    return true;
}

static enum seam_status ask_graph(struct search *s, const struct search_request *r,
                                  const float *vector, size_t depth, struct hybrid_item *items,
                                  size_t *count, struct search_result *out, struct seam_fault *f)
{
    struct hnsw_query q = {.vector = vector, .k = depth, .ef = r->ef};
    struct hnsw_hit *hits = malloc((depth + 1) * sizeof *hits);
    struct hnsw_filter filter = {0};
    uint64_t *keys = NULL;
    enum seam_status st = hits == NULL ? seam_no_memory(f, "hits") : SEAM_OK;

    *count = 0;
    if (st == SEAM_OK && r->filter != NULL && *r->filter != '\0') {
        st = invidx_query_parse(s->filter, r->filter, strlen(r->filter), INVIDX_AND, f);
        if (st == SEAM_OK) st = invidx_matches(s->words, s->filter, &keys, &filter.key_count, f);
        filter.keys = keys;
        q.filter = &filter;
    }
    if (st == SEAM_OK && (q.filter == NULL || filter.key_count > 0))
        st = hnsw_search(graph_of(s), &q, hits, count, &out->graph, f);
    if (st != SEAM_OK) *count = 0;
    for (size_t i = 0; i < *count; i++)
        items[i] = (struct hybrid_item){hits[i].key, 1.0 - (double)hits[i].distance};
    free(keys);
    free(hits);
    return st;
}

/* The cosine of a product that the words found and the walk did not reach. */
struct completion {
    struct search *s;
    const float *vector;
};

static bool complete_meaning(void *ctx, enum hybrid_side_name side, uint64_t id, double *score)
{
    struct completion *c = ctx;
    struct search *s = c->s;
    size_t dim = embedder_dim(s->embedder);
    double dot = 0.0;

    if (side != SIDE_MEANING || hnsw_get(graph_of(s), id, s->other, NULL) != SEAM_OK) return false;
    for (size_t i = 0; i < dim; i++) dot += (double)s->other[i] * c->vector[i];
    *score = dot;
    return true;
}

static void one_sided(const struct search_request *r, enum hybrid_side_name side,
                      const struct hybrid_item *items, size_t count, size_t k,
                      struct search_result *out)
{
    out->candidates = count;
    for (size_t i = r->offset; i < count && out->count < k; i++) {
        struct hybrid_hit *h = &out->hits[out->count++];

        *h = (struct hybrid_hit){.id = items[i].id, .score = items[i].score};
        h->rank[side] = (uint32_t)i + 1;
        h->raw[side] = h->part[side] = items[i].score;
    }
}

/* Cosines of all hits with the mean of those of the first `docs` that cover the query themselves. */
static enum seam_status feedback_scores(struct search *s, const struct hybrid_hit *hits, size_t n,
                                        uint32_t docs, double words_least, double *scores,
                                        struct seam_fault *f)
{
    size_t dim = embedder_dim(s->embedder);
    float *mean = calloc(dim, sizeof *mean);
    struct completion c = {s, mean};
    double square = 0.0;

    if (mean == NULL) return seam_no_memory(f, "feedback");
    for (size_t i = 0; i < n && i < docs; i++) {
        if (hits[i].rank[SIDE_WORDS] == 0 || hits[i].raw[SIDE_WORDS] < words_least) continue;
        if (hnsw_get(graph_of(s), hits[i].id, s->other, NULL) != SEAM_OK) continue;
        for (size_t k = 0; k < dim; k++) mean[k] += s->other[k];
    }
    for (size_t k = 0; k < dim; k++) square += (double)mean[k] * mean[k];
    for (size_t k = 0; square > 0.0 && k < dim; k++) mean[k] = (float)(mean[k] / sqrt(square));
    for (size_t i = 0; i < n; i++) {
        scores[i] = 0.0;
        if (square > 0.0) (void)complete_meaning(&c, SIDE_MEANING, hits[i].id, &scores[i]);
    }
    free(mean);
    return SEAM_OK;
}

/* Fuses again with the meaning measured from the first answers; *fused and *count are replaced. */
static enum seam_status fuse_feedback(struct search *s, const struct hybrid_options *o,
                                      double weight, double words_least, struct hybrid_list words,
                                      struct hybrid_hit **fused, size_t *count,
                                      struct seam_fault *f)
{
    double *scores = malloc((*count + 1) * sizeof *scores);
    struct hybrid_item *items = malloc((*count + 1) * sizeof *items);
    struct hybrid_options whole = *o;
    struct hybrid_hit *again = NULL;
    size_t n = 0;
    enum seam_status st =
        scores != NULL && items != NULL
            ? feedback_scores(s, *fused, *count, o->feedback_docs, words_least, scores, f)
            : seam_no_memory(f, "feedback");

    whole.depth = *count; /* every candidate has its score */
    if (st == SEAM_OK) {
        hybrid_rescored(*fused, scores, *count, items);
        st = hybrid_fuse(
            &whole, weight,
            &(struct hybrid_sides){.words = words, .meaning = (struct hybrid_list){items, *count}},
            &again, &n, f);
    }
    free(scores);
    free(items);
    if (st != SEAM_OK) return st;
    free(*fused);
    *fused = again;
    *count = n;
    return SEAM_OK;
}

static enum seam_status fuse_page(struct search *s, const struct search_request *r,
                                  const struct hybrid_options *o, struct hybrid_list words,
                                  struct hybrid_list meaning, const float *vector, size_t k,
                                  struct search_result *out, struct seam_fault *f)
{
    struct completion c = {s, vector};
    struct hybrid_hit *fused = NULL;
    size_t count = 0;
    enum seam_status st;

    out->feedback = o->feedback_docs > 0 && !out->words_only && words.count > 0 &&
                    out->features.coverage >= o->feedback_coverage;
    st = hybrid_fuse(
        o, out->feedback ? o->feedback_weight : out->weight,
        &(struct hybrid_sides){
            .words = words, .meaning = meaning, .complete = complete_meaning, .ctx = &c},
        &fused, &count, f);
    if (st == SEAM_OK && out->feedback)
        st = fuse_feedback(s, o, out->weight, o->feedback_coverage * out->features.ceiling, words,
                           &fused, &count, f);
    out->candidates = count;
    for (size_t i = r->offset; st == SEAM_OK && i < count && out->count < k; i++)
        out->hits[out->count++] = fused[i];
    free(fused);
    return st;
}

static double us_since(uint64_t *then)
{
    uint64_t now = seam_clock_mono_ns(seam_clock_real()), before = *then;

    *then = now;
    return (double)(now - before) / 1000.0;
}

/* Pages are cut from one fused list as long as they end within its depth; further pages deepen it. */
static size_t depth_for(enum search_mode mode, size_t page, size_t depth)
{
    if (mode != SEARCH_HYBRID) return page;
    if (depth == 0) depth = 1;
    while (depth < page) depth *= 2;
    return depth;
}

static enum seam_status answer(struct search *s, const struct search_request *r,
                               struct hybrid_options o, size_t depth, struct search_result *out,
                               struct seam_fault *f)
{
    size_t k = r->k == 0 ? 10 : r->k, words_n = 0, meaning_n = 0;
    bool ask_w = r->mode != SEARCH_VECTOR, ask_m = r->mode != SEARCH_BM25;
    const float *vector = r->vector;
    struct hybrid_item *words, *meaning;
    uint64_t t = seam_clock_mono_ns(seam_clock_real());
    enum seam_status st = SEAM_OK;

    *out = (struct search_result){.hits = out->hits, .lsn = s->position.lsn};
    if (ask_m && s->graph == NULL)
        return seam_fault_set(f, SEAM_UNSUPPORTED, "search", SEAM_FAULT_NO_OFFSET,
                              "there is no vector index to ask");
    o.depth = depth;
    words = malloc((2 * depth + 1) * sizeof *words);
    if (words == NULL) return seam_no_memory(f, "candidates");
    meaning = words + depth;
    if (ask_m && vector == NULL) {
        st = embed_query(s->embedder, r->text, r->size, s->vector, f);
        vector = s->vector;
    }
    if (st == SEAM_OK && ask_m && is_zero(vector, embedder_dim(s->embedder))) {
        ask_m = false;
        out->words_only = r->mode == SEARCH_HYBRID;
    }
    if (st == SEAM_OK && ask_m) st = ask_graph(s, r, vector, depth, meaning, &meaning_n, out, f);
    out->meaning_us = us_since(&t);
    if (st == SEAM_OK && ask_w) st = ask_words(s, r, depth, words, &words_n, out, f);
    out->words_us = us_since(&t);
    if (st == SEAM_OK && r->mode == SEARCH_HYBRID) {
        st = features_of(s, r, words_n > 0 ? words[0].score : 0.0, &out->features, f);
        out->kind = embed_query_kind_of(&out->features);
        out->weight = r->weight >= 0.0 ? r->weight
                      : o.by_kind      ? o.kind_weight[out->kind]
                                       : o.weight;
        if (out->words_only) out->weight = 0.0;
        if (st == SEAM_OK)
            st = fuse_page(s, r, &o, (struct hybrid_list){words, words_n},
                           (struct hybrid_list){meaning, meaning_n}, vector, k, out, f);
    } else if (st == SEAM_OK) {
        bool by_words = r->mode == SEARCH_BM25;

        out->weight = by_words ? 0.0 : 1.0;
        one_sided(r, by_words ? SIDE_WORDS : SIDE_MEANING, by_words ? words : meaning,
                  by_words ? words_n : meaning_n, k, out);
    }
    out->fuse_us = us_since(&t);
    free(words);
    return st;
}

enum seam_status search_query(struct search *s, const struct search_request *r,
                              struct search_result *out, struct seam_fault *f)
{
    struct hybrid_options o = r->hybrid != NULL ? *r->hybrid : hybrid_defaults();
    size_t k = r->k == 0 ? 10 : r->k;

    if (r->size > SEARCH_TEXT_MAX || k > SEARCH_PAGE_MAX || r->offset > SEARCH_PAGE_MAX)
        return seam_fault_set(f, SEAM_LIMIT, "search", SEAM_FAULT_NO_OFFSET,
                              "text is at most %d bytes, pages reach to %d", SEARCH_TEXT_MAX,
                              SEARCH_PAGE_MAX);
    return answer(s, r, o, depth_for(r->mode, r->offset + k, o.depth), out, f);
}

enum seam_status search_candidates(struct search *s, const struct search_request *r,
                                   struct search_result *out, double *feedback,
                                   struct seam_fault *f)
{
    struct hybrid_options o = r->hybrid != NULL ? *r->hybrid : hybrid_defaults();
    struct search_request whole = *r;
    uint32_t docs = o.feedback_docs;
    enum seam_status st;

    if (r->size > SEARCH_TEXT_MAX || o.depth == 0 || r->k < 2 * o.depth ||
        o.depth > SEARCH_PAGE_MAX)
        return seam_fault_set(f, SEAM_INVALID, "search", SEAM_FAULT_NO_OFFSET,
                              "candidates need room for twice the depth");
    o.method = HYBRID_CONVEX; /* the fusion that completes */
    o.feedback_docs = 0;
    whole.mode = SEARCH_HYBRID;
    whole.offset = 0;
    whole.weight = o.feedback_weight;
    st = answer(s, &whole, o, o.depth, out, f);
    for (size_t i = 0; i < out->count; i++) feedback[i] = out->hits[i].raw[SIDE_MEANING];
    if (st == SEAM_OK && docs > 0 && !out->words_only)
        st = feedback_scores(s, out->hits, out->count, docs,
                             o.feedback_coverage * out->features.ceiling, feedback, f);
    return st;
}
