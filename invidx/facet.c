/* facet - counts as matches pass by, and sorts what was counted. */
#include "invidx/facet.h"
#include "engine/base/walk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void *take(struct invidx_exec *x, size_t n)
{
    void *p = x->st == SEAM_OK ? seam_arena_zalloc(&x->plan->q->run, n) : NULL;
    assert(n > 0);
    assert(x->plan != NULL);

    if (p == NULL && x->st == SEAM_OK) x->st = seam_no_memory(x->f, "the facets");
    return p;
}

enum seam_status invidx_facets_begin(struct invidx_exec *x)
{
    const struct invidx_schema *s = &x->plan->r->box.view;
    const struct invidx_request *req = x->req;
    assert(x->facets == NULL);
    assert(s->attr_count <= INVIDX_ATTRS_MAX);

    x->out->facets = NULL;
    if (req->facet_count == 0) return SEAM_OK;
    if (req->facet_count > INVIDX_ATTRS_MAX)
        return seam_fault_set(x->f, SEAM_LIMIT, "query", SEAM_FAULT_NO_OFFSET, "at most %d facets",
                              INVIDX_ATTRS_MAX);
    for (size_t i = 0; i < req->facet_count; i++) {
        const struct invidx_facet_request *f = &req->facets[i];

        if (f->attr < 0 || f->attr >= (int)s->attr_count)
            return seam_fault_set(x->f, SEAM_INVALID, "query", SEAM_FAULT_NO_OFFSET,
                                  "no such attribute to count by");
        for (size_t k = 1; k < f->bound_count; k++)
            if (f->bounds[k - 1] >= f->bounds[k])
                return seam_fault_set(x->f, SEAM_INVALID, "query", SEAM_FAULT_NO_OFFSET,
                                      "the bounds of a facet must rise");
    }
    x->out->facets = take(x, sizeof *x->out->facets * req->facet_count);
    x->facets = take(x, sizeof *x->facets * req->facet_count);
    for (size_t i = 0; x->st == SEAM_OK && i < req->facet_count; i++) {
        const struct invidx_facet_request *f = &req->facets[i];
        struct invidx_facet *out = &x->out->facets[i];

        out->attr = f->attr;
        if (s->attrs[f->attr].type != INVIDX_INT64) continue;
        out->count = f->bound_count + 1;
        out->values = take(x, sizeof *out->values * out->count);
        for (size_t k = 0; x->st == SEAM_OK && k < out->count; k++) {
            out->values[k].lo = k == 0 ? INT64_MIN : f->bounds[k - 1];
            out->values[k].hi = k == f->bound_count ? INT64_MAX : f->bounds[k] - 1;
        }
    }
    return x->st;
}

static bool keyword(const struct invidx_exec *x, size_t i)
{
    SEAM_WALK(i < x->req->facet_count);
    SEAM_WALK(x->req->facets[i].attr >= 0);
    return x->plan->r->box.view.attrs[x->req->facets[i].attr].type == INVIDX_KEYWORD;
}

void invidx_facets_enter(struct invidx_exec *x)
{
    assert(x->seg != NULL);
    assert(x->facets == NULL || x->out->facets != NULL);
    for (size_t i = 0; x->facets != NULL && i < x->req->facet_count; i++) {
        if (!keyword(x, i)) continue;
        x->facets[i].n = x->seg->attr[x->req->facets[i].attr].dict_count + 1;
        x->facets[i].counts = take(x, sizeof(uint64_t) * x->facets[i].n);
    }
}

void invidx_facet_add(struct invidx_exec *x, uint32_t doc)
{
    SEAM_WALK(doc < x->seg->docs);
    for (size_t i = 0; i < x->req->facet_count && x->st == SEAM_OK; i++) {
        const struct invidx_facet_request *f = &x->req->facets[i];
        struct invidx_facet *out = &x->out->facets[i];
        size_t lo = 0, hi = f->bound_count;
        int64_t v;

        if (keyword(x, i)) {
            x->facets[i].counts[invidx_segment_attr_code(x->seg, (uint32_t)f->attr, doc)]++;
            continue;
        }
        if (!invidx_segment_attr_int(x->seg, (uint32_t)f->attr, doc, &v)) {
            out->missing++;
            continue;
        }
        while (lo < hi) { /* how many bounds are <= v */
            size_t mid = lo + (hi - lo) / 2;

            if (f->bounds[mid] <= v)
                lo = mid + 1;
            else
                hi = mid;
        }
        SEAM_WALK(lo == hi && lo < out->count);
        out->values[lo].count++;
    }
}

static int by_text(const void *x, const void *y)
{
    const struct invidx_facet_value *a = x, *b = y;
    int c = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
    assert(a->text != NULL);
    assert(b->text != NULL);

    return c != 0 ? c : (a->len > b->len) - (a->len < b->len);
}

static int by_count(const void *x, const void *y)
{
    const struct invidx_facet_value *a = x, *b = y;

    if (a->count != b->count) return a->count > b->count ? -1 : 1;
    return by_text(x, y);
}

/* Adds a segment's counts, joining equal texts.                                                          */
void invidx_facets_leave(struct invidx_exec *x)
{
    assert(x->seg != NULL);
    for (size_t i = 0; x->facets != NULL && x->st == SEAM_OK && i < x->req->facet_count; i++) {
        struct invidx_facet *out = &x->out->facets[i];
        struct invidx_facet_value *v;
        size_t n = out->count, used = 0;

        if (!keyword(x, i)) continue;
        out->missing += x->facets[i].counts[0];
        for (uint32_t c = 1; c < x->facets[i].n; c++) used += x->facets[i].counts[c] != 0;
        assert(used <= x->facets[i].n);
        v = take(x, sizeof *v * (n + used + 1));
        if (v == NULL) return;
        if (n > 0) memcpy(v, out->values, n * sizeof *v);
        for (uint32_t c = 1; c < x->facets[i].n; c++) {
            if (x->facets[i].counts[c] == 0) continue;
            invidx_segment_attr_text(x->seg, (uint32_t)out->attr, c, &v[n].text, &v[n].len);
            v[n++].count = x->facets[i].counts[c];
        }
        if (n > 0) qsort(v, n, sizeof *v, by_text);
        out->count = 0;
        for (size_t k = 0; k < n; k++) {
            if (out->count > 0 && by_text(&v[out->count - 1], &v[k]) == 0)
                v[out->count - 1].count += v[k].count;
            else
                v[out->count++] = v[k];
        }
        assert(out->count <= n);
        out->values = v;
    }
}

void invidx_facets_end(struct invidx_exec *x)
{
    assert(x->facets == NULL || x->req->facet_count <= INVIDX_ATTRS_MAX);
    for (size_t i = 0; x->facets != NULL && i < x->req->facet_count; i++) {
        struct invidx_facet *out = &x->out->facets[i];

        if (!keyword(x, i)) continue;
        if (out->count > 0) qsort(out->values, out->count, sizeof *out->values, by_count);
        if (out->count > x->req->facets[i].limit && x->req->facets[i].limit > 0)
            out->count = x->req->facets[i].limit;
    }
}
