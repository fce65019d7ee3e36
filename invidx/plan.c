/* plan - query tree to plan nodes, with each term's lists, frequencies and weights. */
#include "invidx/plan.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct builder {
    struct invidx_plan *p;
    const struct invidx_request *req;
    struct seam_fault *f;
    enum seam_status st;
};

static void *take(struct builder *b, size_t n)
{
    void *m = b->st == SEAM_OK ? seam_arena_zalloc(&b->p->q->run, n) : NULL;
    assert(n > 0);
    assert(b->p != NULL);

    if (m == NULL && b->st == SEAM_OK) b->st = seam_no_memory(b->f, "the plan of a query");
    return m;
}

static struct invidx_plan_node *new_node(struct builder *b, enum invidx_plan_kind kind)
{
    struct invidx_plan_node *n = take(b, sizeof *n);
    assert((unsigned)kind <= PLAN_KEYWORD);

    if (n != NULL) n->kind = kind;
    return n;
}

/* Looks the term up everywhere and counts its live documents.                                           */
static void look_up(struct builder *b, struct invidx_leaf_term *t)
{
    struct invidx_reader *r = b->p->r;
    assert(t->len <= INVIDX_TERM_MAX);
    assert(t->in == NULL);

    t->in = take(b, sizeof *t->in * (r->seg_count + 1));
    for (size_t i = 0; b->st == SEAM_OK && i < r->seg_count; i++) {
        uint32_t live;
        enum seam_status st =
            invidx_termdict_find(r->segs[i].seg, t->text, t->len, &t->in[i], b->f);

        if (st == SEAM_NOT_FOUND) {
            t->in[i].df = 0;
            continue;
        }
        if (st == SEAM_OK)
            st = invidx_rseg_live_df(&r->segs[i], &t->in[i], b->p->scratch, &live, b->f);
        if (st != SEAM_OK)
            b->st = st;
        else
            t->df += live;
    }
}

static struct invidx_leaf *new_leaf(struct builder *b, int field, uint32_t terms, double boost)
{
    struct invidx_plan *p = b->p;
    const struct invidx_schema *s = &p->r->box.view;
    struct invidx_leaf *l;
    assert(terms > 0);
    assert(p->leaf_count <= SEAM_ARRAY_LEN(p->leaves));

    if (p->leaf_count >= SEAM_ARRAY_LEN(p->leaves) || p->term_count + terms > PLAN_TERMS_MAX) {
        if (b->st == SEAM_OK)
            b->st = seam_fault_set(b->f, SEAM_LIMIT, "query", SEAM_FAULT_NO_OFFSET,
                                   "the query became more than %d terms", PLAN_TERMS_MAX);
        return NULL;
    }
    l = take(b, sizeof *l);
    if (l == NULL) return NULL;
    l->terms = take(b, sizeof *l->terms * (terms + 1));
    if (l->terms == NULL) return NULL;
    l->number = p->leaf_count;
    l->boost = boost;
    p->leaves[p->leaf_count++] = l;
    p->term_count += terms;
    for (size_t k = 0; k < s->field_count; k++) {
        uint32_t w = b->req->weights != NULL && s->field_count > 1 ? b->req->weights[k]
                                                                   : schema_weight(s, k);

        if (w > INVIDX_WEIGHT_MAX) w = INVIDX_WEIGHT_MAX;
        l->weights[k] = field < 0 || field == (int)k ? w : 0;
        l->scoped |= l->weights[k] == 0;
    }
    assert(l->number < p->leaf_count);
    assert(p->term_count <= PLAN_TERMS_MAX);
    return l;
}

static void add_term(struct builder *b, struct invidx_leaf *l, const char *text, uint32_t len,
                     uint32_t pos)
{
    struct invidx_leaf_term *t = &l->terms[l->count++];
    assert(text != NULL);
    assert(len > 0 && len <= INVIDX_TERM_MAX);

    t->text = text;
    t->len = len;
    t->pos = pos;
    look_up(b, t);
}

/* A group has the frequency of its most frequent member; a phrase adds its terms' idf (as Lucene does).  */
static struct invidx_plan_node *finish_leaf(struct builder *b, struct invidx_leaf *l)
{
    struct invidx_plan *p = b->p;
    struct invidx_plan_node *n;
    bool missing = false;
    assert(l->count > 0);

    if (b->st != SEAM_OK) return NULL;
    for (uint32_t i = 0; i < l->count; i++) {
        missing |= l->terms[i].df == 0;
        if (l->phrase) l->idf += invidx_bm25_idf(p->r->live, l->terms[i].df);
        if (i == 0 || (l->phrase ? l->terms[i].df < l->df : l->terms[i].df > l->df))
            l->df = l->terms[i].df;
    }
    if (!l->phrase) l->idf = invidx_bm25_idf(p->r->live, l->df);
    l->weight = l->boost * l->idf * (p->k1 + 1);
    n = new_node(b, l->df == 0 || (l->phrase && missing) ? PLAN_NONE : PLAN_LEAF);
    if (n == NULL) return NULL;
    n->leaf = l;
    if (n->kind == PLAN_NONE) l->weight = 0;
    return n;
}

static struct invidx_plan_node *bool_node(struct builder *b, uint32_t room, uint32_t min_should)
{
    struct invidx_plan_node *n = new_node(b, PLAN_BOOL);

    if (n == NULL) return NULL;
    n->min_should = min_should;
    n->children = take(b, sizeof(struct invidx_plan_node *) * (room + 1));
    return n->children == NULL ? NULL : n;
}

static void add_child(struct invidx_plan_node *n, struct invidx_plan_node *child,
                      enum invidx_occur occur)
{
    assert((unsigned)occur <= INVIDX_FILTER);
    if (n == NULL || child == NULL) return;
    child->occur = occur;
    n->children[n->child_count++] = child;
}

static struct invidx_plan_node *phrase_leaf(struct builder *b, int field,
                                            const struct invidx_bound_term *terms, uint32_t n,
                                            uint32_t slop, double boost)
{
    struct invidx_leaf *l = new_leaf(b, field, n, boost);
    assert(n > 0);
    assert(field >= -1);

    if (l == NULL) return NULL;
    l->phrase = true;
    l->slop = slop;
    for (uint32_t i = 0; i < n; i++)
        add_term(b, l, terms[i].text, terms[i].len, terms[i].pos - terms[0].pos);
    return finish_leaf(b, l);
}

/* An alternative of several words is a phrase.                                                          */
static struct invidx_plan_node *synonym_phrase(struct builder *b, int field,
                                               const struct invidx_synonym *s, double boost)
{
    struct invidx_bound_term *terms = take(b, sizeof *terms * s->terms);
    const char *at = s->text;
    assert(s->terms > 0);
    assert(s->bytes > 0);

    if (terms == NULL) return NULL;
    for (uint32_t i = 0; i < s->terms; i++) {
        terms[i] = (struct invidx_bound_term){at, (uint32_t)strlen(at), i};
        at += terms[i].len + 1;
    }
    return phrase_leaf(b, field, terms, s->terms, 0, boost);
}

/* One word and its synonyms of one word are a group; each synonym of several words is another should.     */
static struct invidx_plan_node *plan_word(struct builder *b, const struct invidx_node *n,
                                          double boost)
{
    const struct invidx_bound_term *t = &n->terms[0];
    char key[INVIDX_TERM_MAX + 9];
    const struct invidx_synonym_rule *rule;
    uint32_t singles = 0, phrases = 0;
    struct invidx_plan_node *any;
    struct invidx_leaf *l;
    assert(n->kind == NODE_WORD);
    assert(n->term_count == 1 && t->len <= INVIDX_TERM_MAX);

    memcpy(key, t->text, t->len);
    key[t->len] = '\0';
    rule = invidx_analyzer_rule(&b->p->r->analyzer, key, t->len + 1u);
    for (const struct invidx_synonym *s = rule == NULL ? NULL : rule->to; s != NULL; s = s->next) {
        singles += s->terms == 1;
        phrases += s->terms > 1;
    }
    l = new_leaf(b, n->field, 1 + singles, boost);
    if (l == NULL) return NULL;
    add_term(b, l, t->text, t->len, 0);
    for (const struct invidx_synonym *s = rule == NULL ? NULL : rule->to; s != NULL; s = s->next)
        if (s->terms == 1) add_term(b, l, s->text, s->bytes - 1, 0);
    if (phrases == 0) return finish_leaf(b, l);
    any = bool_node(b, phrases + 1, 0);
    if (any == NULL) return NULL;
    add_child(any, finish_leaf(b, l), INVIDX_SHOULD);
    for (const struct invidx_synonym *s = rule->to; s != NULL; s = s->next)
        if (s->terms > 1) add_child(any, synonym_phrase(b, n->field, s, boost), INVIDX_SHOULD);
    return any;
}

/* Expansions of one edit distance count as one term; farther ones count less.                            */
static struct invidx_plan_node *plan_pattern(struct builder *b, const struct invidx_node *n,
                                             double boost)
{
    struct invidx_expansion *e = NULL;
    size_t count = 0;
    struct invidx_plan_node *any = bool_node(b, 4, 0);
    assert(n->kind == NODE_PREFIX || n->kind == NODE_FUZZY);

    if (any == NULL) return NULL;
    b->st =
        n->kind == NODE_PREFIX
            ? invidx_expand_prefix(b->p->q, &(struct invidx_pattern){.text = n->text, .n = n->len},
                                   &e, &count, b->f)
            : invidx_expand_fuzzy(
                  b->p->q, &(struct invidx_pattern){.text = n->text, .n = n->len, .edits = n->slop},
                  &e, &count, b->f);
    for (size_t i = 0; b->st == SEAM_OK && i < count;) {
        size_t j = i;
        struct invidx_leaf *l;

        while (j < count && e[j].edits == e[i].edits) j++;
        assert(j > i && e[i].edits <= 2);
        l = new_leaf(b, n->field, (uint32_t)(j - i), boost / (1u << e[i].edits));
        if (l == NULL) return NULL;
        for (; i < j; i++) add_term(b, l, e[i].text, e[i].len, 0);
        add_child(any, finish_leaf(b, l), INVIDX_SHOULD);
    }
    return any;
}

/* Adjacent should-words that are the left side of a rule: its alternatives are should-clauses too.        */
static void add_multiword_synonyms(struct builder *b, struct invidx_plan_node *out,
                                   const struct invidx_query_child *c, double boost)
{
    const struct invidx_analyzer *a = &b->p->r->analyzer;
    char key[8 * (INVIDX_TERM_MAX + 1)];
    size_t bytes = 0;
    uint32_t terms = 0;
    assert(out != NULL && out->kind == PLAN_BOOL);
    assert(a->longest_rule <= 8);

    for (; c != NULL && terms < a->longest_rule && terms < 8; c = c->next) {
        const struct invidx_synonym_rule *rule;

        if (c->node->kind != NODE_WORD || c->occur != INVIDX_SHOULD || c->node->field >= 0) return;
        memcpy(key + bytes, c->node->terms[0].text, c->node->terms[0].len);
        bytes += c->node->terms[0].len;
        key[bytes++] = '\0';
        if (++terms < 2) continue;
        assert(bytes <= sizeof key);
        rule = invidx_analyzer_rule(a, key, bytes);
        for (const struct invidx_synonym *s = rule == NULL ? NULL : rule->to;
             s != NULL && out->child_count < INVIDX_QUERY_NODES_MAX; s = s->next)
            add_child(out, synonym_phrase(b, -1, s, boost), INVIDX_SHOULD);
    }
}

static struct invidx_plan_node *plan_any(struct builder *b, const struct invidx_node *n,
                                         double boost, int depth);

static struct invidx_plan_node *plan_bool(struct builder *b, const struct invidx_node *n,
                                          double boost, int depth)
{
    bool synonyms = b->p->r->analyzer.longest_rule > 1;
    struct invidx_plan_node *out =
        bool_node(b, synonyms ? n->child_count + INVIDX_QUERY_NODES_MAX : n->child_count, n->slop);
    assert(n->kind == NODE_BOOL);
    assert(depth >= 0);

    for (const struct invidx_query_child *c = n->children; b->st == SEAM_OK && c != NULL;
         c = c->next) {
        add_child(out, plan_any(b, c->node, boost, depth + 1), c->occur);
        if (synonyms && b->st == SEAM_OK && n->slop <= 1) add_multiword_synonyms(b, out, c, boost);
    }
    return out;
}

static struct invidx_plan_node *plan_any(struct builder *b, const struct invidx_node *n,
                                         double boost, int depth)
{
    struct invidx_plan_node *out;
    assert(depth >= 0);
    assert(n != NULL);

    if (b->st != SEAM_OK) return NULL;
    if (depth > INVIDX_QUERY_DEPTH_MAX + 2) {
        b->st = seam_fault_set(b->f, SEAM_LIMIT, "query", SEAM_FAULT_NO_OFFSET,
                               "clauses nest too deep");
        return NULL;
    }
    boost *= n->boost;
    switch (n->kind) {
    case NODE_NONE: return new_node(b, PLAN_NONE);
    case NODE_ALL: return new_node(b, PLAN_ALL);
    case NODE_WORD: return plan_word(b, n, boost);
    case NODE_PHRASE: return phrase_leaf(b, n->field, n->terms, n->term_count, n->slop, boost);
    case NODE_PREFIX:
    case NODE_FUZZY: return plan_pattern(b, n, boost);
    case NODE_BOOL: return plan_bool(b, n, boost, depth);
    case NODE_RANGE:
    case NODE_KEYWORD: break;
    }
    out = new_node(b, n->kind == NODE_RANGE ? PLAN_RANGE : PLAN_KEYWORD);
    if (out == NULL) return NULL;
    out->attr = (uint32_t)n->field;
    out->lo = n->lo;
    out->hi = n->hi;
    out->text = n->text;
    out->len = n->len;
    return out;
}

static bool scores(const struct invidx_plan_node *n, double *sum)
{
    assert(n->child_count == 0 || n->kind == PLAN_BOOL);
    assert(n->kind != PLAN_LEAF || n->leaf != NULL);
    if (n->kind == PLAN_LEAF) *sum += n->leaf->weight;
    for (uint32_t i = 0; i < n->child_count; i++)
        if (n->children[i]->occur <= INVIDX_MUST) scores(n->children[i], sum);
    return *sum > 0;
}

static enum seam_status weigh(struct invidx_plan *p, struct seam_fault *f)
{
    double sum = 0;
    float k0 = (float)(p->k1 * (1 - p->b)), k1l = (float)(p->k1 * p->b / p->average_length);
    int exponent = 0;
    assert(p->average_length > 0);
    assert(p->root != NULL);

    if (scores(p->root, &sum)) frexp(sum, &exponent);
    if (!(sum < 1e200))
        return seam_fault_set(f, SEAM_LIMIT, "query", SEAM_FAULT_NO_OFFSET,
                              "the boosts multiply to more than a score can be");
    p->scale = 30 - exponent;
    for (uint32_t i = 0; i < p->leaf_count; i++)
        p->leaves[i]->model =
            (struct invidx_bm25){(float)ldexp(p->leaves[i]->weight, p->scale), k0, k1l};
    return SEAM_OK;
}

double invidx_plan_score(const struct invidx_plan *p, int64_t sum)
{
    assert(p->scale > -2000 && p->scale < 2000);
    return ldexp((double)sum, -p->scale);
}

static enum seam_status check_request(const struct invidx_query *q,
                                      const struct invidx_request *req, struct seam_fault *f)
{
    const struct invidx_schema *s = &q->reader->box.view;
    assert(q->reader != NULL);
    assert(req != NULL);

    if (q->broken != SEAM_OK) {
        seam_fault_give(f, &q->fault);
        return q->broken;
    }
    if (q->root == NULL)
        return seam_fault_set(f, SEAM_INVALID, "query", SEAM_FAULT_NO_OFFSET,
                              "there is no query: parse or set one");
    if (req->k > INVIDX_K_MAX)
        return seam_fault_set(f, SEAM_LIMIT, "query", SEAM_FAULT_NO_OFFSET,
                              "at most %d hits a search", INVIDX_K_MAX);
    if (req->sort_attr < 0 || req->sort_attr > (int)s->attr_count)
        return seam_fault_set(f, SEAM_INVALID, "query", SEAM_FAULT_NO_OFFSET,
                              "no such attribute to sort by");
    if (req->sort_attr > 0 && s->attrs[req->sort_attr - 1].type != INVIDX_INT64)
        return seam_fault_set(f, SEAM_UNSUPPORTED, s->attrs[req->sort_attr - 1].name,
                              SEAM_FAULT_NO_OFFSET, "only INT64 attributes can be sorted by");
    if (req->k1 > 1000 || req->b > 1)
        return seam_fault_set(f, SEAM_INVALID, "query", SEAM_FAULT_NO_OFFSET,
                              "k1 is 0..1000 and b 0..1");
    return SEAM_OK;
}

enum seam_status invidx_plan_make(struct invidx_query *q, const struct invidx_request *req,
                                  struct invidx_plan **out, struct seam_fault *f)
{
    struct builder b = {.req = req, .f = f};
    struct invidx_plan *p;
    bool own = !(req->k1 == 0 && req->b == 0);
    assert(out != NULL);

    b.st = check_request(q, req, f);
    if (b.st != SEAM_OK) return b.st;
    seam_arena_reset(&q->run);
    q->pool_used = 0;
    p = seam_arena_alloc(&q->run, sizeof *p);
    if (p == NULL) return seam_no_memory(f, "the plan of a query");
    p->leaf_count = p->term_count = 0;
    b.p = p;
    p->q = q;
    p->r = q->reader;
    p->scratch = invidx_query_cursor(q);
    if (p->scratch == NULL) return seam_no_memory(f, "the plan of a query");
    p->k1 = own && req->k1 >= 0 ? req->k1 : p->r->box.view.k1;
    p->b = own && req->b >= 0 ? req->b : p->r->box.view.b;
    p->average_length = p->r->live == 0 || p->r->length_sum == 0
                            ? 1
                            : (double)p->r->length_sum / (double)p->r->live;
    assert(p->average_length > 0);
    assert(q->pool_used == 1);
    p->default_weights = req->weights == NULL || p->r->box.view.field_count == 1;
    p->root = plan_any(&b, q->root, 1, 0);
    if (b.st == SEAM_OK) b.st = weigh(p, f);
    if (b.st == SEAM_OK) *out = p;
    return b.st;
}
