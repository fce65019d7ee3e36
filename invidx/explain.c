/* explain - one document's score, term by term, from the same plan and the same arithmetic as the search.  */
#include <assert.h>
#include <string.h>

#include "invidx/exec.h"

struct explainer {
    struct invidx_exec x;
    uint32_t doc;
    struct invidx_explain *out;
    size_t room;
    int64_t sum[INVIDX_QUERY_NODES_MAX * 4]; /* of out->terms, in fixed point */
};

/* The posting of the document under a cursor; false when the term is not in it.                          */
static bool at_doc(struct explainer *e, struct invidx_postings *p, uint32_t *index)
{
    uint32_t b;

    if (p == NULL) return false;
    assert(e->doc < e->x.seg->docs);
    b = invidx_postings_seek_block(p, 0, e->doc);
    if (b >= p->blocks || !exec_load(&e->x, p, b) || !exec_tf(&e->x, p)) return false;
    assert(p->block == b && p->n <= PFOR_BLOCK);
    for (*index = 0; *index < p->n && p->docs[*index] < e->doc;) ++*index;
    return *index < p->n && p->docs[*index] == e->doc;
}

static uint32_t leaf_frequency(struct explainer *e, const struct invidx_leaf *l, double *field_tf)
{
    struct invidx_cursor *c = e->x.cursors[l->number];
    uint32_t i[256], tf = 0, fields = e->x.seg->fields;
    assert(fields >= 1 && fields <= INVIDX_FIELDS_MAX);
    assert(l->count > 0);

    for (uint32_t t = 0; t < l->count && e->x.st == SEAM_OK; t++) {
        uint32_t k;
        bool here = at_doc(e, c[t].p, &k);

        if (l->phrase) {
            if (!here || l->count > 256) return 0;
            e->x.st = invidx_postings_load_positions(c[t].p, e->x.f);
            i[t] = k;
            continue;
        }
        if (!here) continue;
        tf += c[t].p->tf[k];
        for (uint32_t n = 0; n < fields; n++)
            field_tf[n] +=
                fields == 1 ? c[t].p->tf[k] / l->weights[0] : c[t].p->field_tf[n * PFOR_BLOCK + k];
    }
    if (e->x.st != SEAM_OK || !l->phrase) return tf;
    return invidx_phrase_frequency(l, c, i);
}

static const char *leaf_text(struct explainer *e, const struct invidx_leaf *l, size_t *len)
{
    size_t n = 2;
    char *s;

    for (uint32_t t = 0; t < l->count; t++) n += l->terms[t].len + 1u;
    s = seam_arena_alloc(&e->x.plan->q->run, n);
    assert(n >= 2);
    *len = 0;
    if (s == NULL) return "";
    for (uint32_t t = 0; t < l->count; t++) {
        if (t > 0) s[(*len)++] = l->phrase ? ' ' : '|';
        memcpy(s + *len, l->terms[t].text, l->terms[t].len);
        *len += l->terms[t].len;
    }
    assert(*len < n);
    return s;
}

static bool explain_leaf(struct explainer *e, const struct invidx_leaf *l, bool scoring)
{
    const struct invidx_plan *p = e->x.plan;
    struct invidx_explain_term *t = &e->out->terms[e->out->count];
    double k;
    uint32_t tf;
    int32_t c;
    assert(e->out->count < e->room);
    assert(e->doc < e->x.seg->docs);

    memset(t, 0, sizeof *t);
    tf = leaf_frequency(e, l, t->field_tf);
    if (tf == 0 || e->x.st != SEAM_OK) return false;
    if (!scoring) return true;
    c = bm25_one(&l->model, tf, segment_length(e->x.seg, e->doc));
    t->term = leaf_text(e, l, &t->len);
    t->idf = l->idf;
    t->boost = l->boost;
    t->tf = tf;
    t->df = l->df;
    t->docs = p->r->live;
    t->length = segment_length(e->x.seg, e->doc);
    t->average_length = p->average_length;
    k = p->k1 * (1 - p->b + p->b * t->length / t->average_length);
    t->tf_part = tf * (p->k1 + 1) / (tf + k);
    t->contribution = invidx_plan_score(p, c);
    e->sum[e->out->count++] = c;
    return true;
}

static bool explain_node(struct explainer *e, const struct invidx_plan_node *n, bool scoring);

static bool explain_bool(struct explainer *e, const struct invidx_plan_node *n, bool scoring)
{
    size_t before = e->out->count;
    uint32_t shoulds = 0, should_matches = 0, others = 0;
    bool matches = true;
    assert(n->kind == PLAN_BOOL);

    for (uint32_t i = 0; i < n->child_count && matches; i++) {
        const struct invidx_plan_node *c = n->children[i];
        bool m = explain_node(e, c, scoring && c->occur <= INVIDX_MUST);

        if (c->occur == INVIDX_MUST_NOT) {
            matches = !m;
        } else if (c->occur == INVIDX_SHOULD) {
            shoulds++;
            should_matches += m;
        } else {
            matches = m;
            others++;
        }
    }
    if (n->min_should > 0)
        matches &= should_matches >= n->min_should;
    else if (others == 0 && shoulds > 0)
        matches &= should_matches > 0;
    if (!matches) e->out->count = before;
    assert(should_matches <= shoulds);
    assert(e->out->count >= before);
    return matches;
}

static bool explain_node(struct explainer *e, const struct invidx_plan_node *n, bool scoring)
{
    struct invidx_segment *s = e->x.seg;
    int64_t v;
    assert(e->doc < s->docs);

    if (e->x.st != SEAM_OK) return false;
    assert(n->kind != PLAN_LEAF || n->leaf != NULL);
    switch (n->kind) {
    case PLAN_NONE: return false;
    case PLAN_ALL: return true;
    case PLAN_LEAF: return explain_leaf(e, n->leaf, scoring);
    case PLAN_BOOL: return explain_bool(e, n, scoring);
    case PLAN_RANGE:
        return invidx_segment_attr_int(s, n->attr, e->doc, &v) && v >= n->lo && v <= n->hi;
    case PLAN_KEYWORD:
        return n->code != 0 && invidx_segment_attr_code(s, n->attr, e->doc) == n->code;
    }
    return false;
}

static enum seam_status explain_in(struct explainer *e, struct seam_fault *f)
{
    struct invidx_plan *p = e->x.plan;
    int64_t total = 0;
    assert(p->leaf_count <= SEAM_ARRAY_LEN(e->x.cursors));

    for (uint32_t i = 0; i < p->leaf_count; i++) {
        e->x.cursors[i] =
            seam_arena_alloc(&p->q->run, sizeof(struct invidx_cursor) * (p->leaves[i]->count + 1));
        if (e->x.cursors[i] == NULL)
            return seam_fault_set(f, SEAM_NOMEM, "query", SEAM_FAULT_NO_OFFSET,
                                  "no memory to explain");
    }
    invidx_exec_bind(&e->x, e->x.seg_index);
    if (e->x.st == SEAM_OK) e->out->matches = explain_node(e, p->root, true);
    if (e->x.st != SEAM_OK) return e->x.st;
    for (size_t i = 0; i < e->out->count; i++) total += e->sum[i];
    assert(e->out->count <= e->room);
    e->out->score = e->out->matches ? invidx_plan_score(p, total) : 0;
    return SEAM_OK;
}

enum seam_status invidx_explain(struct invidx_reader *r, struct invidx_query *q,
                                const struct invidx_request *req, uint64_t key,
                                struct invidx_explain *out, struct seam_fault *f)
{
    static const struct invidx_request plain;
    struct invidx_result work = {0};
    struct invidx_plan *p = NULL;
    struct explainer *e;
    enum seam_status st = invidx_plan_make(q, req != NULL ? req : &plain, &p, f);

    memset(out, 0, sizeof *out);
    if (st != SEAM_OK) return st;
    assert(p->leaf_count <= SEAM_ARRAY_LEN(p->leaves));
    out->k1 = p->k1;
    out->b = p->b;
    e = seam_arena_zalloc(&q->run, sizeof *e);
    out->terms = seam_arena_zalloc(&q->run, sizeof *out->terms * (p->leaf_count + 1));
    if (e == NULL || out->terms == NULL)
        return seam_fault_set(f, SEAM_NOMEM, "query", SEAM_FAULT_NO_OFFSET, "no memory to explain");
    assert(r == q->reader);
    e->room = p->leaf_count + 1;
    e->out = out;
    e->x.plan = p;
    e->x.f = f;
    e->x.out = &work;
    for (size_t i = 0; i < r->seg_count; i++) {
        struct invidx_rseg *s = &r->segs[i];

        for (uint32_t d = invidx_segment_seek_key(s->seg, key);
             d < s->seg->docs && segment_key(s->seg, d) == key; d++) {
            if (rseg_dead(s, d)) continue;
            e->doc = d;
            e->x.seg_index = i;
            return explain_in(e, f);
        }
    }
    return seam_fault_set(f, SEAM_NOT_FOUND, r->dir, SEAM_FAULT_NO_OFFSET,
                          "no live document has this key");
}
