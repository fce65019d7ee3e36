/* compare - labelled queries, pools of candidates, and variants re-fused from them.                 */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/text/csv.h"
#include "pipeline/relevance/compare.h"
#include "pipeline/relevance/eval_internal.h"

/* ---- labelled queries ---- */
enum seam_status compare_set_add(struct compare_set *s, const char *id, const char *class,
                                 const char *text)
{
    struct compare_query *grown, *q;

    if (strlen(id) >= EVAL_NAME_MAX || strlen(class) >= COMPARE_CLASS_MAX) return SEAM_INVALID;
    if ((s->count & (s->count - 1)) == 0) { /* room doubles at powers of two */
        grown = realloc(s->queries, (s->count == 0 ? 1 : 2 * s->count) * sizeof *grown);
        if (grown == NULL) return SEAM_NOMEM;
        s->queries = grown;
    }
    q = &s->queries[s->count];
    memset(q, 0, sizeof *q);
    memcpy(q->id, id, strlen(id));
    memcpy(q->class, class, strlen(class));
    q->text = strdup(text);
    if (q->text == NULL) return SEAM_NOMEM;
    s->count++;
    return SEAM_OK;
}

void compare_set_free(struct compare_set *s)
{
    for (size_t i = 0; i < s->count; i++) free(s->queries[i].text);
    free(s->queries);
    eval_qrels_free(s->qrels);
    *s = (struct compare_set){0};
}

/* The judgements of the set's queries, query by query in the set's order: then results line up. */
static enum seam_status align_qrels(struct compare_set *s, const struct eval_qrels *from,
                                    struct seam_fault *f)
{
    enum seam_status st = eval_qrels_new(&s->qrels);

    for (size_t i = 0; st == SEAM_OK && i < s->count; i++) {
        uint32_t query = embed_names_find(&from->queries, s->queries[i].id);

        for (size_t k = 0; st == SEAM_OK && k < from->count; k++)
            if (from->list[k].query == query)
                st = eval_qrels_add(s->qrels, s->queries[i].id, from->docs.name[from->list[k].doc],
                                    from->list[k].grade, f);
    }
    return st;
}

enum seam_status compare_set_finish(struct compare_set *s, struct seam_fault *f)
{
    struct eval_qrels *from = s->qrels;
    size_t kept = 0;
    enum seam_status st;

    s->qrels = NULL;
    for (size_t i = 0; i < s->count; i++) {
        if (embed_names_find(&from->queries, s->queries[i].id) == NAMES_NONE)
            free(s->queries[i].text);
        else
            s->queries[kept++] = s->queries[i];
    }
    s->count = kept;
    st = align_qrels(s, from, f);
    eval_qrels_free(from);
    if (st == SEAM_OK && kept == 0)
        st = seam_fault_set(f, SEAM_INVALID, "qrels", SEAM_FAULT_NO_OFFSET,
                            "no query has a judgement");
    return st;
}

static int column_named(const struct seam_csv_field *fields, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (fields[i].size == strlen(name) && memcmp(fields[i].data, name, fields[i].size) == 0)
            return (int)i;
    return -1;
}

static enum seam_status read_query(struct compare_set *s, const struct seam_csv_field *fields,
                                   size_t n, const int column[3])
{
    char value[3][SEARCH_TEXT_MAX] = {"", "", ""};

    for (int i = 0; i < 3; i++) {
        size_t size;

        if (column[i] < 0) continue;
        if ((size_t)column[i] >= n) return SEAM_INVALID;
        size = fields[column[i]].size;
        if (size >= sizeof value[i]) return SEAM_INVALID;
        memcpy(value[i], fields[column[i]].data, size);
        value[i][size] = '\0';
    }
    return compare_set_add(s, value[0], column[2] < 0 ? "all" : value[2], value[1]);
}

static enum seam_status read_queries(struct compare_set *s, struct seam_source *source,
                                     struct seam_fault *f)
{
    struct seam_csv *csv = NULL;
    const struct seam_csv_field *fields;
    int column[3] = {-1, -1, -1};
    size_t n;
    enum seam_status st = seam_csv_open(source, (struct seam_csv_options){.separator = '\t'}, &csv);

    if (st == SEAM_OK) st = seam_csv_next(csv, &fields, &n, f);
    if (st == SEAM_OK) {
        column[0] = column_named(fields, n, "query_id");
        column[1] = column_named(fields, n, "query");
        column[2] = column_named(fields, n, "class");
        if (column[0] < 0 || column[1] < 0)
            st = seam_fault_set(f, SEAM_INVALID, "queries", 1,
                                "the header line must name query_id and query");
    }
    while (st == SEAM_OK && (st = seam_csv_next(csv, &fields, &n, f)) == SEAM_OK) {
        st = read_query(s, fields, n, column);
        if (st == SEAM_INVALID)
            st = seam_fault_set(f, st, "queries", seam_csv_line(csv),
                                "a column is missing or too long");
    }
    seam_csv_close(csv);
    return st == SEAM_END ? SEAM_OK : st;
}

enum seam_status compare_set_from(struct seam_source *queries, struct seam_source *qrels,
                                  struct compare_set *out, struct seam_fault *f)
{
    enum seam_status st;

    *out = (struct compare_set){0};
    st = read_queries(out, queries, f);
    if (st == SEAM_OK) st = eval_qrels_from(qrels, "qrels", &out->qrels, f);
    if (st == SEAM_OK) st = compare_set_finish(out, f);
    if (st != SEAM_OK) compare_set_free(out);
    return st;
}

enum seam_status compare_set_read(struct seam_io *io, const char *queries, const char *qrels,
                                  struct compare_set *out, struct seam_fault *f)
{
    struct seam_source *q = NULL, *j = NULL;
    enum seam_status st = seam_source_open(io, queries, &q, f);

    if (st == SEAM_OK) st = seam_source_open(io, qrels, &j, f);
    if (st == SEAM_OK) st = compare_set_from(q, j, out, f);
    seam_source_close(q);
    seam_source_close(j);
    return st;
}

static bool in_half(const char *id, enum compare_half half)
{
    size_t n = strlen(id);
    bool odd = n > 0 && ((unsigned char)id[n - 1] & 1); /* digits and their codes agree in parity */

    return half == COMPARE_ALL || odd == (half == COMPARE_DEVELOPMENT);
}

enum seam_status compare_set_half(const struct compare_set *s, enum compare_half half,
                                  struct compare_set *out, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    *out = (struct compare_set){0};
    for (size_t i = 0; st == SEAM_OK && i < s->count; i++)
        if (in_half(s->queries[i].id, half))
            st = compare_set_add(out, s->queries[i].id, s->queries[i].class, s->queries[i].text);
    if (st == SEAM_OK) st = align_qrels(out, s->qrels, f);
    if (st != SEAM_OK) compare_set_free(out);
    return st;
}

/* ---- pools ---- */
static int compare_id(const void *a, const void *b)
{
    uint64_t x = ((const struct hybrid_hit *)a)->id, y = ((const struct hybrid_hit *)b)->id;

    return x < y ? -1 : x > y;
}

static enum seam_status pool_lists(struct compare_pool *p)
{
    for (size_t i = 0; i < p->count; i++) {
        p->words_count += p->hits[i].rank[SIDE_WORDS] != 0;
        p->meaning_count += p->hits[i].rank[SIDE_MEANING] != 0;
    }
    p->words = calloc(p->words_count + 1, sizeof *p->words);
    p->meaning = calloc(p->meaning_count + 1, sizeof *p->meaning);
    if (p->words == NULL || p->meaning == NULL) return SEAM_NOMEM;
    for (size_t i = 0; i < p->count; i++) {
        const struct hybrid_hit *h = &p->hits[i];

        if (h->rank[SIDE_WORDS] != 0)
            p->words[h->rank[SIDE_WORDS] - 1] = (struct hybrid_item){h->id, h->raw[SIDE_WORDS]};
        if (h->rank[SIDE_MEANING] != 0)
            p->meaning[h->rank[SIDE_MEANING] - 1] =
                (struct hybrid_item){h->id, h->raw[SIDE_MEANING]};
    }
    qsort(p->hits, p->count, sizeof *p->hits, compare_id);
    return SEAM_OK;
}

static enum seam_status pool_query(struct search *s, const struct compare_query *q,
                                   uint64_t (*id_of)(uint64_t), struct compare_pool *out,
                                   struct seam_fault *f)
{
    struct hybrid_options o = hybrid_defaults();
    struct search_request r = {.mode = SEARCH_HYBRID,
                               .text = q->text,
                               .size = strlen(q->text),
                               .k = 2 * COMPARE_DEPTH,
                               .hybrid = &o,
                               .weight = 0.5};
    struct search_result result = {.hits = calloc(2 * COMPARE_DEPTH, sizeof *result.hits)};
    double feedback[2 * COMPARE_DEPTH];
    enum seam_status st;

    out->hits = result.hits;
    out->feedback = calloc(2 * COMPARE_DEPTH, sizeof *out->feedback);
    if (out->hits == NULL || out->feedback == NULL) return SEAM_NOMEM;
    o.depth = COMPARE_DEPTH;
    st = search_candidates(s, &r, &result, feedback, f);
    out->count = result.count;
    out->features = result.features;
    out->kind = result.kind;
    out->words_only = result.words_only;
    for (size_t i = 0; id_of != NULL && i < out->count; i++)
        out->hits[i].id = id_of(out->hits[i].id);
    if (st == SEAM_OK) hybrid_rescored(out->hits, feedback, out->count, out->feedback);
    return st == SEAM_OK ? pool_lists(out) : st;
}

enum seam_status compare_pools(struct search *s, const struct compare_set *set,
                               uint64_t (*id_of)(uint64_t key), struct compare_pool **out,
                               struct seam_fault *f)
{
    struct compare_pool *p = calloc(set->count + 1, sizeof *p);
    enum seam_status st = p == NULL ? SEAM_NOMEM : SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < set->count; i++)
        st = pool_query(s, &set->queries[i], id_of, &p[i], f);
    if (st == SEAM_OK)
        *out = p;
    else if (p != NULL)
        compare_pools_free(p, set->count);
    return st;
}

void compare_pools_free(struct compare_pool *p, size_t n)
{
    for (size_t i = 0; p != NULL && i < n; i++) {
        free(p[i].words);
        free(p[i].meaning);
        free(p[i].hits);
        free(p[i].feedback);
    }
    free(p);
}

/* ---- variants ---- */
static bool pool_score(void *ctx, enum hybrid_side_name side, uint64_t id, double *score)
{
    const struct compare_pool *p = ctx;
    struct hybrid_hit key = {.id = id};
    const struct hybrid_hit *h = bsearch(&key, p->hits, p->count, sizeof key, compare_id);

    if (h == NULL || (h->rank[side] == 0 && !h->completed[side])) return false;
    *score = h->raw[side];
    return true;
}

/* The pool's ids as the variant ranks them; `ids` has room for all. */
static enum seam_status rank_pool(const struct compare_pool *p, const struct compare_variant *v,
                                  double weight, uint64_t *ids, size_t *n)
{
    struct hybrid_list words = {p->words, p->words_count}, meaning = {p->meaning, p->meaning_count};
    struct hybrid_list one = v->mode == SEARCH_BM25 ? words : meaning;
    struct hybrid_hit *fused = NULL;
    enum seam_status st;

    *n = one.count;
    for (size_t i = 0; v->mode != SEARCH_HYBRID && i < one.count; i++) ids[i] = one.items[i].id;
    if (v->mode != SEARCH_HYBRID) return SEAM_OK;
    if (weight < 0.0 && v->options.by_kind) weight = v->options.kind_weight[p->kind];
    if (p->words_only) weight = 0.0;
    if (v->options.feedback_docs > 0 && !p->words_only && p->words_count > 0 &&
        p->features.coverage >= v->options.feedback_coverage) {
        struct hybrid_options whole = v->options;

        whole.depth = p->count;
        st =
            hybrid_fuse(&whole, weight,
                        &(struct hybrid_sides){
                            .words = words, .meaning = (struct hybrid_list){p->feedback, p->count}},
                        &fused, n, NULL);
    } else {
        st = hybrid_fuse(
            &v->options, weight,
            &(struct hybrid_sides){
                .words = words, .meaning = meaning, .complete = pool_score, .ctx = (void *)p},
            &fused, n, NULL);
    }
    for (size_t i = 0; st == SEAM_OK && i < *n; i++) ids[i] = fused[i].id;
    free(fused);
    return st;
}

enum seam_status compare_run(const struct compare_set *set, const struct compare_pool *pools,
                             const struct compare_variant *v, const struct eval_options *o,
                             struct compare_outcome *out)
{
    struct eval_options complete = o != NULL ? *o : (struct eval_options){0};
    uint64_t ids[2 * COMPARE_DEPTH];
    enum seam_status st;

    *out = (struct compare_outcome){.variant = *v};
    st = eval_run_new(v->name, &out->run);
    for (size_t i = 0; st == SEAM_OK && i < set->count; i++) {
        size_t n = 0;

        assert(pools[i].count <= 2 * COMPARE_DEPTH);
        st = rank_pool(&pools[i], v, -1.0, ids, &n);
        if (st == SEAM_OK) st = eval_run_add_ranked(out->run, set->queries[i].id, ids, n);
    }
    complete.complete = true;
    if (st == SEAM_OK) st = eval_run(set->qrels, out->run, &complete, &out->result);
    if (st != SEAM_OK) compare_outcome_free(out);
    return st;
}

void compare_outcome_free(struct compare_outcome *o)
{
    eval_run_free(o->run);
    eval_result_free(&o->result);
    *o = (struct compare_outcome){0};
}

/* ---- sweeping ---- */
void compare_sweep_free(struct compare_sweep *s)
{
    free(s->ndcg);
    free(s->kind);
    *s = (struct compare_sweep){0};
}

enum seam_status compare_sweep(const struct compare_set *set, const struct compare_pool *pools,
                               const struct hybrid_options *o, const struct eval_options *eval,
                               struct compare_sweep *out)
{
    enum seam_status st = SEAM_OK;

    *out = (struct compare_sweep){.options = *o, .count = set->count};
    out->ndcg = calloc(COMPARE_WEIGHTS * (set->count + 1), sizeof *out->ndcg);
    out->kind = calloc(set->count + 1, sizeof *out->kind);
    if (out->ndcg == NULL || out->kind == NULL) st = SEAM_NOMEM;
    for (size_t i = 0; st == SEAM_OK && i < set->count; i++) out->kind[i] = pools[i].kind;
    for (int w = 0; st == SEAM_OK && w < COMPARE_WEIGHTS; w++) {
        struct compare_variant v = {"sweep", SEARCH_HYBRID, *o};
        struct compare_outcome outcome;

        v.options.by_kind = false;
        v.options.weight = (double)w / (COMPARE_WEIGHTS - 1);
        st = compare_run(set, pools, &v, eval, &outcome);
        if (st != SEAM_OK) break;
        for (size_t i = 0; i < set->count; i++)
            out->ndcg[(size_t)w * set->count + i] = outcome.result.queries[i].s.ndcg;
        compare_outcome_free(&outcome);
    }
    if (st != SEAM_OK) compare_sweep_free(out);
    return st;
}

/* A kind with few queries listens to all the others: its own mean counts n / (n + PRIOR). */
enum { CHOICE_PRIOR = 4 };

/* A weight that is good because of one lucky query has poor neighbours. */
static void smooth(double row[COMPARE_WEIGHTS])
{
    double before = row[0];

    for (int w = 0; w < COMPARE_WEIGHTS; w++) {
        double after = w + 1 < COMPARE_WEIGHTS ? row[w + 1] : row[w], own = row[w];

        row[w] = (before + 2.0 * own + after) / 4.0;
        before = own;
    }
}

void compare_choose(const struct compare_sweep *s, const bool *use, struct hybrid_options *o)
{
    double all[COMPARE_WEIGHTS] = {0}, own[QUERY_KINDS][COMPARE_WEIGHTS] = {{0}};
    size_t count = 0, counts[QUERY_KINDS] = {0};
    int best = 0;

    for (size_t i = 0; i < s->count; i++) {
        if (use != NULL && !use[i]) continue;
        count++;
        counts[s->kind[i]]++;
        for (int w = 0; w < COMPARE_WEIGHTS; w++) {
            all[w] += s->ndcg[(size_t)w * s->count + i];
            own[s->kind[i]][w] += s->ndcg[(size_t)w * s->count + i];
        }
    }
    smooth(all);
    for (int k = 0; k < QUERY_KINDS; k++) smooth(own[k]);
    for (int w = 1; w < COMPARE_WEIGHTS; w++)
        if (all[w] > all[best] + 1e-12) best = w;
    o->weight = (double)best / (COMPARE_WEIGHTS - 1);
    for (int k = 0; k < QUERY_KINDS; k++) {
        double top = -1.0;

        for (int w = 0; w < COMPARE_WEIGHTS; w++) {
            double shared = count > 0 ? all[w] / (double)count * CHOICE_PRIOR : 0.0;
            double mean = (own[k][w] + shared) / (double)(counts[k] + CHOICE_PRIOR);

            if (mean <= top + 1e-12) continue;
            top = mean;
            o->kind_weight[k] = (double)w / (COMPARE_WEIGHTS - 1);
        }
    }
}

void compare_cross_validate(const struct compare_sweep *s, size_t folds, bool by_kind,
                            uint64_t seed, double *scores)
{
    bool use[4096];
    size_t n = s->count < 4096 ? s->count : 4096;

    for (size_t fold = 0; fold < folds; fold++) {
        struct hybrid_options o = s->options;

        for (size_t i = 0; i < n; i++) use[i] = (i * 2654435761u + seed) % folds != fold;
        compare_choose(s, use, &o);
        for (size_t i = 0; i < n; i++) {
            double weight = by_kind ? o.kind_weight[s->kind[i]] : o.weight;

            if (!use[i])
                scores[i] = s->ndcg[(size_t)lround(weight * (COMPARE_WEIGHTS - 1)) * s->count + i];
        }
    }
}
