/* run - pipelines: a source of batches, steps over them, and a sink, on as many threads as asked. */
#include <assert.h>
#include <stdlib.h>

#include "columnar/exec/plan.h"
#include "engine/base/thread.h"

struct step {
    const struct columnar_plan *p; /* FILTER, PROJECT or JOIN */
    bool *required;                /* columns of its input that are read from here on */
    struct columnar_join_table *join;
    struct columnar_join_cut *cut; /* when the right side does not fit at once */
    struct columnar_join_share share;
};

struct pipe_thread {
    struct columnar_expr_state *eval[PLAN_STEPS_MAX];
    struct columnar_compactor *dense[PLAN_STEPS_MAX];
    struct columnar_vec *vecs[PLAN_STEPS_MAX];
    struct columnar_join_probe *probe[PLAN_STEPS_MAX];
    struct columnar_text_ref **refs; /* source rows as vectors */
    struct columnar_vec *source;
};

struct pipe {
    struct columnar_query *q;
    const struct columnar_plan *source;
    int count;
    struct step steps[PLAN_STEPS_MAX]; /* nearest the source first */
    const struct columnar_expr *conds[PLAN_STEPS_MAX];
    int n_conds;
    struct columnar_sink sink;
    struct pipe_thread *threads;
    struct columnar_scan *scan;
    struct columnar_coldata rows;        /* of a source that had to run first */
    const struct columnar_coldata *from; /* these, or a shared plan's */
    struct seam_fault fault;             /* the first */
    size_t morsels_done;
};

struct feed_ctx {
    struct pipe *pipe;
    int step, thread;
};

static enum seam_status feed(struct pipe *p, int at, int thread, const struct columnar_batch *b,
                             const uint64_t *sel, struct seam_fault *f);

static enum seam_status feed_next(void *ctx, const struct columnar_batch *b, const uint64_t *sel,
                                  struct seam_fault *f)
{
    struct feed_ctx *c = ctx;

    return feed(c->pipe, c->step, c->thread, b, sel, f);
}

static enum seam_status project(struct pipe *p, int at, int thread, const struct columnar_batch *b,
                                struct columnar_batch *out, struct seam_fault *f)
{
    const struct columnar_plan *plan = p->steps[at].p;
    const bool *wanted = at + 1 < p->count ? p->steps[at + 1].required : p->sink.required;
    struct pipe_thread *t = &p->threads[thread];

    columnar_expr_state_reset(t->eval[at]);
    *out = (struct columnar_batch){.rows = b->rows, .count = plan->n_columns, .cols = t->vecs[at]};
    for (int c = 0; c < plan->n_columns; c++) {
        enum seam_status st;

        t->vecs[at][c] = (struct columnar_vec){.type = plan->columns[c].type};
        if (!wanted[c]) continue;
        st = columnar_expr_eval(t->eval[at], plan->exprs[c], b, &t->vecs[at][c], f);
        if (st != SEAM_OK) return st;
    }
    return SEAM_OK;
}

/* Rows that are out must not make an expression fail: then it is tried again on the others alone. */
static enum seam_status project_step(struct pipe *p, int at, int thread,
                                     const struct columnar_batch *b, const uint64_t *sel,
                                     struct seam_fault *f)
{
    struct pipe_thread *t = &p->threads[thread];
    struct columnar_batch dense, out;
    uint32_t count = columnar_sel_count(sel, b->rows);
    struct seam_fault here = {0};
    enum seam_status st = SEAM_LIMIT;

    if (sel == NULL || count * 4 > b->rows * 3) st = project(p, at, thread, b, &out, &here);
    if (st == SEAM_OK) return feed(p, at + 1, thread, &out, sel, f);
    if (sel != NULL) {
        seam_fault_clear(&here);
        st = columnar_compact_batch(t->dense[at], b, sel, count, &dense);
        if (st == SEAM_OK) st = project(p, at, thread, &dense, &out, &here);
        if (st == SEAM_OK) return feed(p, at + 1, thread, &out, NULL, f);
    }
    if (f != NULL) *f = here;
    return st;
}

/* Filters that follow each other are one condition: a row that one of them fails for and another takes out is out. */
static enum seam_status filter_step(struct pipe *p, int at, int thread,
                                    const struct columnar_batch *b, const uint64_t *sel,
                                    struct seam_fault *f)
{
    struct columnar_expr_state *eval = p->threads[thread].eval[at];
    uint64_t narrow[COLUMNAR_VECTOR_WORDS], failed[COLUMNAR_VECTOR_WORDS] = {0};
    enum seam_status st = SEAM_OK;
    int end = at;

    memset(narrow, 0xff, sizeof narrow);
    if (sel != NULL) memcpy(narrow, sel, sizeof narrow);
    for (; st == SEAM_OK && end < p->count && p->steps[end].p->kind == PLAN_FILTER; end++) {
        columnar_expr_state_reset(eval);
        st = columnar_expr_filter_failed(eval, p->steps[end].p->where, b, narrow, failed);
    }
    for (int k = at; st == SEAM_OK && k < end; k++)
        st = columnar_expr_raise(eval, p->steps[k].p->where, b, narrow, failed, f);
    if (st == SEAM_NOMEM)
        return seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET, "no memory for a condition");
    if (st != SEAM_OK) return st;
    for (uint32_t i = b->rows; i < COLUMNAR_VECTOR_ROWS && (i & 63) != 0; i++)
        seam_bitset_clear(narrow, i);
    for (size_t w = seam_bitset_words(b->rows); w < COLUMNAR_VECTOR_WORDS; w++) narrow[w] = 0;
    if (seam_bitset_next(narrow, b->rows, 0) == b->rows) return SEAM_OK;
    return feed(p, end, thread, b, columnar_sel_count(narrow, b->rows) == b->rows ? NULL : narrow,
                f);
}

static enum seam_status join_step(struct pipe *p, int at, int thread,
                                  const struct columnar_batch *b, const uint64_t *sel,
                                  struct seam_fault *f)
{
    struct feed_ctx next = {p, at + 1, thread};
    struct pipe_thread *t = &p->threads[thread];
    struct columnar_batch dense;
    struct seam_fault here = {0};
    enum seam_status st = columnar_join_keys(t->probe[at], b, &here);

    if (st != SEAM_OK && sel != NULL) { /* rows that are out must not make a key fail */
        seam_fault_clear(&here);
        st = columnar_compact_batch(t->dense[at], b, sel, columnar_sel_count(sel, b->rows), &dense);
        b = &dense;
        sel = NULL;
        if (st == SEAM_OK) st = columnar_join_keys(t->probe[at], b, &here);
    }
    if (st == SEAM_OK) return columnar_join_push(t->probe[at], b, sel, feed_next, &next, f);
    if (f != NULL) *f = here;
    return st;
}

static enum seam_status feed(struct pipe *p, int at, int thread, const struct columnar_batch *b,
                             const uint64_t *sel, struct seam_fault *f)
{
    if (at == p->count) return p->sink.push(p->sink.self, thread, b, sel, f);
    switch (p->steps[at].p->kind) {
    case PLAN_FILTER: return filter_step(p, at, thread, b, sel, f);
    case PLAN_PROJECT: return project_step(p, at, thread, b, sel, f);
    default: return join_step(p, at, thread, b, sel, f);
    }
}

/* ---- what is read of what ---- */

static void note(void *ctx, int column)
{
    ((bool *)ctx)[column] = true;
}

struct left_note {
    bool *required;
    int n;
};

static void note_left(void *ctx, int column)
{
    struct left_note *l = ctx;

    if (column < l->n) l->required[column] = true;
}

/* What a join's condition reads of its left side. */
static void require_left(const struct columnar_plan *join, bool *required)
{
    struct left_note l = {required, join->in->n_columns};

    columnar_expr_columns(join->where, note_left, &l);
}

static enum seam_status find_required(struct pipe *p, bool **source)
{
    const bool *after = p->sink.required;

    for (int i = p->count - 1; i >= 0; i--) {
        struct step *s = &p->steps[i];
        int n = s->p->in->n_columns;

        s->required = calloc((size_t)n + 1, sizeof *s->required);
        if (s->required == NULL) return SEAM_NOMEM;
        if (s->p->kind == PLAN_PROJECT) {
            for (int c = 0; c < s->p->n_columns; c++)
                if (after[c]) columnar_expr_columns(s->p->exprs[c], note, s->required);
        } else {
            memcpy(s->required, after, (size_t)n * sizeof *after);
            if (s->p->kind == PLAN_JOIN && s->p->where != NULL) require_left(s->p, s->required);
            if (s->p->kind == PLAN_FILTER) columnar_expr_columns(s->p->where, note, s->required);
            for (int k = 0; s->p->kind == PLAN_JOIN && k < s->p->n_keys; k++)
                columnar_expr_columns(s->p->exprs[k], note, s->required);
        }
        after = s->required;
    }
    *source = calloc((size_t)p->source->n_columns + 1, sizeof **source);
    if (*source == NULL) return SEAM_NOMEM;
    memcpy(*source, after, (size_t)p->source->n_columns * sizeof *after);
    return SEAM_OK;
}

/* Walks down to the source; filters on a scan become its conditions. */
static enum seam_status find_steps(struct pipe *p, const struct columnar_plan *top,
                                   struct seam_fault *f)
{
    const struct columnar_plan *way[PLAN_STEPS_MAX];
    int n = 0;

    while (top->kind == PLAN_FILTER || top->kind == PLAN_PROJECT || top->kind == PLAN_JOIN) {
        if (n == PLAN_STEPS_MAX)
            return seam_fault_set(f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET,
                                  "a query of more than %d steps", PLAN_STEPS_MAX);
        way[n++] = top;
        top = top->in;
    }
    p->source = top;
    while (n > 0 && top->kind == PLAN_SCAN && way[n - 1]->kind == PLAN_FILTER)
        p->conds[p->n_conds++] = way[--n]->where;
    while (n > 0) p->steps[p->count++].p = way[--n];
    return SEAM_OK;
}

static enum seam_status thread_init(struct pipe *p, struct pipe_thread *t)
{
    int n = p->source->n_columns;

    for (int i = 0; i < p->count; i++) {
        const struct columnar_plan *plan = p->steps[i].p;
        const bool *wanted = i + 1 < p->count ? p->steps[i + 1].required : p->sink.required;

        t->eval[i] = columnar_expr_state_new();
        t->dense[i] = columnar_compactor_new(plan->in->n_columns);
        t->vecs[i] = calloc((size_t)plan->n_columns + 1, sizeof *t->vecs[i]);
        if (t->eval[i] == NULL || t->dense[i] == NULL || t->vecs[i] == NULL) return SEAM_NOMEM;
        if (plan->kind != PLAN_JOIN) continue;
        t->probe[i] = columnar_join_probe_new(p->steps[i].join, plan, wanted);
        if (t->probe[i] == NULL) return SEAM_NOMEM;
    }
    if (p->source->kind == PLAN_SCAN) return SEAM_OK;
    t->source = calloc((size_t)n + 1, sizeof *t->source);
    t->refs = calloc((size_t)n + 1, sizeof *t->refs);
    if (t->source == NULL || t->refs == NULL) return SEAM_NOMEM;
    for (int c = 0; c < n; c++) {
        if (p->source->columns[c].type != SEAM_V_TEXT) continue;
        t->refs[c] = malloc(COLUMNAR_VECTOR_ROWS * sizeof **t->refs);
        if (t->refs[c] == NULL) return SEAM_NOMEM;
    }
    return SEAM_OK;
}

static void thread_free(struct pipe *p, struct pipe_thread *t)
{
    for (int i = 0; i < p->count; i++) {
        columnar_expr_state_free(t->eval[i]);
        columnar_compactor_free(t->dense[i]);
        free(t->vecs[i]);
        columnar_join_probe_free(t->probe[i]);
    }
    for (int c = 0; t->refs != NULL && c < p->source->n_columns; c++) free(t->refs[c]);
    free(t->refs);
    free(t->source);
}

/* ---- sources ---- */

static enum seam_status feed_rows(struct pipe *p, const struct columnar_coldata *d, size_t from,
                                  int thread, struct seam_fault *f)
{
    struct pipe_thread *t = &p->threads[thread];
    struct columnar_batch b = {.rows = COLUMNAR_VECTOR_ROWS, .count = d->count, .cols = t->source};

    if (d->rows - from < COLUMNAR_VECTOR_ROWS) b.rows = (uint32_t)(d->rows - from);
    for (int c = 0; c < d->count; c++)
        columnar_coldata_vec(d, c, from, b.rows, t->refs[c], &t->source[c]);
    return feed(p, 0, thread, &b, NULL, f);
}

static bool told_to_stop(struct pipe *p, int thread, uint64_t rows)
{
    const struct columnar_query_options *o = p->q->opt;
    bool go_on = true;

    pthread_mutex_lock(&p->q->lock);
    p->q->done_rows += rows;
    if (thread == 0 && o->progress != NULL && p->q->all_rows > 0)
        go_on = o->progress(o->progress_ctx, (double)p->q->done_rows / (double)p->q->all_rows);
    pthread_mutex_unlock(&p->q->lock);
    return !go_on;
}

static enum seam_status run_morsels(void *ctx, size_t begin, size_t end, int thread)
{
    struct pipe *p = ctx;
    struct feed_ctx first = {p, 0, thread};
    struct seam_fault f = {0};
    enum seam_status st = SEAM_OK;

    for (size_t m = begin; st == SEAM_OK && m < end; m++) {
        if (atomic_load(&p->q->stop) != SEAM_OK) break;
        if (p->scan != NULL) {
            st = columnar_scan_run(p->scan, m, thread, feed_next, &first, &f);
            if (st == SEAM_OK && told_to_stop(p, thread, columnar_scan_morsel_rows(p->scan, m)))
                st = seam_fault_set(&f, SEAM_TIMEOUT, NULL, SEAM_FAULT_NO_OFFSET,
                                    "the query was cancelled");
        } else {
            st = feed_rows(p, p->from, m * COLUMNAR_VECTOR_ROWS, thread, &f);
        }
    }
    if (st != SEAM_OK) {
        int none = SEAM_OK;

        pthread_mutex_lock(&p->q->lock);
        if (p->fault.status == SEAM_OK) p->fault = f;
        pthread_mutex_unlock(&p->q->lock);
        atomic_compare_exchange_strong(&p->q->stop, &none, (int)st);
    }
    return st;
}

/* Rows from outside come one at a time, through one thread. */
static enum seam_status pull_rows(struct pipe *p, struct seam_fault *f)
{
    const struct columnar_plan_source *src = &p->source->source;
    struct seam_value *values = calloc((size_t)p->source->n_columns + 1, sizeof *values);
    enum seam_status st = values == NULL ? SEAM_NOMEM : SEAM_OK;

    if (st == SEAM_OK && src->rewind != NULL) st = src->rewind(src->ctx, f);
    while (st == SEAM_OK && atomic_load(&p->q->stop) == SEAM_OK) {
        columnar_coldata_clear(&p->rows);
        while (p->rows.rows < COLUMNAR_VECTOR_ROWS) {
            st = src->next(src->ctx, values, f);
            if (st == SEAM_OK) st = columnar_coldata_append(&p->rows, values, 0);
            if (st != SEAM_OK) break;
            p->q->stats.rows_scanned++;
        }
        if ((st == SEAM_OK || st == SEAM_END) && p->rows.rows > 0) {
            enum seam_status fed = feed_rows(p, &p->rows, 0, 0, f);

            if (fed != SEAM_OK) st = fed == SEAM_END ? SEAM_TIMEOUT : fed;
            if (fed == SEAM_END) atomic_store(&p->q->stop, SEAM_END);
        }
    }
    p->q->stats.rows_total = p->q->stats.rows_scanned > p->q->stats.rows_total
                                 ? p->q->stats.rows_scanned
                                 : p->q->stats.rows_total;
    free(values);
    return st == SEAM_END || atomic_load(&p->q->stop) == SEAM_END ? SEAM_OK : st;
}

/* FULL joins hand on, at the end, the right rows that nothing matched: each through the steps after it. A join
 * whose left rows come in several passes (of the joins before it) has seen them all in the last. */
static enum seam_status run_rest(struct pipe *p, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (int i = 0; st == SEAM_OK && i < p->count; i++) {
        struct feed_ctx next = {p, i + 1, 0};

        if (p->steps[i].p->kind != PLAN_JOIN) continue;
        st = columnar_join_rest(p->threads[0].probe[i], feed_next, &next, f);
        if (p->steps[i].cut != NULL && p->steps[i].share.to < JOIN_BUCKETS) break;
    }
    return st == SEAM_END ? SEAM_OK : st;
}

/* ---- joins that do not fit the budget: a share of the keys a pass ---- */

static enum seam_status build_join(struct pipe *p, int at, struct seam_fault *f)
{
    struct step *s = &p->steps[at];
    bool over = false;
    enum seam_status st;

    columnar_join_free(s->join);
    s->join = NULL;
    st = columnar_join_build(p->q, s->p, &s->share, &s->join, &over, f);
    if (st != SEAM_OK || !over) return st;
    if (s->p->n_keys == 0 || !columnar_plan_runs_again(s->p->right) ||
        !columnar_plan_runs_again(p->source))
        return seam_fault_set(f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET,
                              "the right side of a join without an equality, or of rows that come "
                              "only once, takes more than the memory budget");
    s->cut = malloc(sizeof *s->cut);
    st = s->cut == NULL ? SEAM_NOMEM : columnar_join_measure(p->q, s->p, s->cut, f);
    if (st == SEAM_OK) st = columnar_join_next_share(p->q, s->cut, 0, &s->share, f);
    if (st == SEAM_OK) st = columnar_join_build(p->q, s->p, &s->share, &s->join, &over, f);
    SEAM_TRACE(p->q->opt->trace, "columnar", "join_over_budget", SEAM_TI("step", at),
               SEAM_TI("rows", st == SEAM_OK ? s->cut->rows : 0));
    return st;
}

static enum seam_status new_probes(struct pipe *p, int at)
{
    const bool *wanted = at + 1 < p->count ? p->steps[at + 1].required : p->sink.required;

    for (int t = 0; t < p->q->threads; t++) {
        columnar_join_probe_free(p->threads[t].probe[at]);
        p->threads[t].probe[at] =
            columnar_join_probe_new(p->steps[at].join, p->steps[at].p, wanted);
        if (p->threads[t].probe[at] == NULL) return SEAM_NOMEM;
    }
    return SEAM_OK;
}

/* The next combination of shares, the joins nearest the source first; *more = false: that was the last. */
static enum seam_status next_pass(struct pipe *p, bool *more, struct seam_fault *f)
{
    int at = 0;
    enum seam_status st = SEAM_OK;

    while (at < p->count && (p->steps[at].cut == NULL || p->steps[at].share.to == JOIN_BUCKETS))
        at++;
    *more = at < p->count;
    for (int i = at; st == SEAM_OK && *more && i >= 0; i--) {
        struct step *s = &p->steps[i];

        if (s->cut == NULL) continue;
        st = columnar_join_next_share(p->q, s->cut, i == at ? s->share.to : 0, &s->share, f);
        if (st == SEAM_OK) st = build_join(p, i, f);
        if (st == SEAM_OK) st = new_probes(p, i);
    }
    return st;
}

/* The rows of a shared plan, run at the first asking. */
static enum seam_status shared_rows(struct columnar_query *q, const struct columnar_plan *p,
                                    const struct columnar_coldata **out, struct seam_fault *f)
{
    struct columnar_shared_rows *s = q->shared;
    enum seam_status st;

    while (s != NULL && s->p != p) s = s->next;
    if (s == NULL) {
        s = calloc(1, sizeof *s);
        if (s == NULL) return SEAM_NOMEM;
        st = columnar_run_to_rows(q, p->in, &s->rows, f);
        if (st != SEAM_OK) {
            columnar_coldata_free(&s->rows);
            free(s);
            return st;
        }
        s->p = p;
        s->next = q->shared;
        q->shared = s;
    }
    *out = &s->rows;
    return SEAM_OK;
}

static enum seam_status run_source(struct pipe *p, const bool *required, struct seam_fault *f)
{
    struct columnar_query *q = p->q;
    size_t morsels;
    bool ordered;
    enum seam_status st;

    if (p->source->kind == PLAN_ROWS) return pull_rows(p, f);
    if (p->source->kind == PLAN_SCAN) {
        st = columnar_scan_new(q, p->source, p->conds, p->n_conds, required, &p->scan, f);
        if (st != SEAM_OK) return st;
        morsels = columnar_scan_morsels(p->scan);
        q->all_rows = q->done_rows = 0;
        for (size_t m = 0; m < morsels; m++) q->all_rows += columnar_scan_morsel_rows(p->scan, m);
    } else {
        morsels = (p->from->rows + COLUMNAR_VECTOR_ROWS - 1) / COLUMNAR_VECTOR_ROWS;
    }
    /* Ordered rows stay in order through one thread. */
    ordered = p->source->kind == PLAN_ORDER || p->source->kind == PLAN_LIMIT;
    if (p->source->kind == PLAN_SHARED)
        ordered = p->source->in->kind == PLAN_ORDER || p->source->in->kind == PLAN_LIMIT;
    st = seam_parallel_for(ordered ? 1 : q->threads, morsels, 1, run_morsels, p);
    if (st == SEAM_END || atomic_load(&q->stop) == SEAM_END) return SEAM_OK;
    if (st != SEAM_OK && f != NULL && f->status == SEAM_OK) *f = p->fault;
    return st;
}

static enum seam_status run_pipeline(struct columnar_query *q, const struct columnar_plan *top,
                                     struct columnar_sink sink, struct seam_fault *f)
{
    struct pipe *p = calloc(1, sizeof *p);
    bool *required = NULL;
    uint32_t passes = 0;
    enum seam_status st;

    if (p == NULL)
        return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET, "no memory for a query");
    p->q = q;
    p->sink = sink;
    p->from = &p->rows;
    st = find_steps(p, top, f);
    if (st == SEAM_OK) st = find_required(p, &required);
    /* What this pipeline waits for runs first: sources that are whole queries, and joins' right sides. */
    if (st == SEAM_OK && p->source->kind == PLAN_ROWS)
        st = columnar_rows_init(&p->rows, p->source);
    else if (st == SEAM_OK && p->source->kind == PLAN_SHARED)
        st = shared_rows(q, p->source, &p->from, f);
    else if (st == SEAM_OK && p->source->kind != PLAN_SCAN)
        st = columnar_run_to_rows(q, p->source, &p->rows, f);
    for (int i = 0; st == SEAM_OK && i < p->count; i++)
        if (p->steps[i].p->kind == PLAN_JOIN) st = build_join(p, i, f);
    if (st == SEAM_OK) p->threads = calloc((size_t)q->threads, sizeof *p->threads);
    if (st == SEAM_OK && p->threads == NULL) st = SEAM_NOMEM;
    for (int t = 0; st == SEAM_OK && t < q->threads; t++) st = thread_init(p, &p->threads[t]);
    if (st == SEAM_NOMEM)
        seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET, "no memory for a query");
    for (bool more = true; st == SEAM_OK && more;) {
        bool ended;

        atomic_store(&q->stop, SEAM_OK);
        st = run_source(p, required, f);
        if (st == SEAM_OK && atomic_load(&q->stop) == SEAM_OK) st = run_rest(p, f);
        ended = atomic_load(&q->stop) != SEAM_OK; /* the sink has what it wanted */
        atomic_store(&q->stop, SEAM_OK);
        columnar_scan_free(p->scan);
        p->scan = NULL;
        more = !ended;
        passes++;
        if (st == SEAM_OK && more) st = next_pass(p, &more, f);
    }
    if (passes > 1 && passes > q->stats.passes) q->stats.passes = passes;
    for (int t = 0; p->threads != NULL && t < q->threads; t++) thread_free(p, &p->threads[t]);
    for (int i = 0; i < p->count; i++) {
        columnar_join_free(p->steps[i].join);
        free(p->steps[i].cut);
        free(p->steps[i].required);
    }
    columnar_coldata_free(&p->rows);
    free(p->threads);
    free(required);
    free(p);
    return st;
}

/* ---- sinks ---- */

static bool *all_columns(const struct columnar_plan *p)
{
    bool *r = malloc((size_t)p->n_columns + 1);

    if (r != NULL) memset(r, 1, (size_t)p->n_columns);
    return r;
}

struct limit_sink {
    struct columnar_query *q;
    uint64_t skip, take;
    struct columnar_coldata *out;
};

static enum seam_status push_limited(void *self, int thread, const struct columnar_batch *b,
                                     const uint64_t *sel, struct seam_fault *f)
{
    struct limit_sink *s = self;
    uint64_t mine[COLUMNAR_VECTOR_WORDS];
    enum seam_status st = SEAM_OK;

    (void)thread;
    memset(mine, 0, sizeof mine);
    pthread_mutex_lock(&s->q->lock);
    for (uint32_t r = 0; r < b->rows && s->take > 0; r++) {
        if (sel != NULL && !seam_bitset_get(sel, r)) continue;
        if (s->skip > 0) {
            s->skip--;
            continue;
        }
        seam_bitset_set(mine, r);
        if (s->take != UINT64_MAX) s->take--;
    }
    st = columnar_rows_append(s->out, b, mine);
    if (st == SEAM_OK && s->take == 0) st = SEAM_END;
    pthread_mutex_unlock(&s->q->lock);
    if (st == SEAM_NOMEM)
        return seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET,
                              "no memory for the rows of a query");
    return st;
}

static enum seam_status run_to_rows(struct columnar_query *q, const struct columnar_plan *p,
                                    struct columnar_coldata *out, struct seam_fault *f)
{
    struct limit_sink s = {q, 0, UINT64_MAX, out};
    const struct columnar_plan *in = p;
    bool *required;
    enum seam_status st;

    if (p->kind == PLAN_AGGREGATE) return columnar_run_aggregate(q, p, out, f);
    if (p->kind == PLAN_ORDER) return columnar_run_order(q, p, out, f);
    if (p->kind == PLAN_COLLECT) return columnar_run_collect(q, p, out, f);
    if (p->kind == PLAN_WINDOW) return columnar_run_window(q, p, out, f);
    if (p->kind == PLAN_LIMIT) {
        s.skip = p->offset;
        s.take = p->limit;
        in = p->in;
    }
    required = all_columns(p);
    st = required == NULL ? SEAM_NOMEM : columnar_rows_init(out, p);
    for (int i = 0; st == SEAM_OK && s.take > 0 && i < (p->kind == PLAN_APPEND ? p->n_inputs : 1);
         i++) {
        if (p->kind == PLAN_APPEND) in = p->inputs[i];
        st = columnar_run_pipeline(q, in, (struct columnar_sink){push_limited, &s, required}, f);
    }
    free(required);
    return st;
}

struct final_sink {
    struct columnar_query *q;
    columnar_query_sink fn;
    void *ctx;
    struct columnar_compactor *dense;
};

static enum seam_status push_final(void *self, int thread, const struct columnar_batch *b,
                                   const uint64_t *sel, struct seam_fault *f)
{
    struct final_sink *s = self;
    struct columnar_batch dense;
    enum seam_status st = SEAM_OK;

    (void)thread;
    pthread_mutex_lock(&s->q->lock);
    if (sel != NULL) {
        st = columnar_compact_batch(s->dense, b, sel, columnar_sel_count(sel, b->rows), &dense);
        b = &dense;
    }
    if (st == SEAM_OK) {
        s->q->stats.rows_out += b->rows;
        st = s->fn(s->ctx, b, f);
    }
    pthread_mutex_unlock(&s->q->lock);
    return st;
}

enum seam_status columnar_query_run(const struct columnar_plan *p,
                                    const struct columnar_query_options *opt,
                                    columnar_query_sink fn, void *ctx,
                                    struct columnar_query_stats *stats, struct seam_fault *f)
{
    static const struct columnar_query_options none;
    static const struct columnar_runner run = {run_pipeline, run_to_rows};
    struct columnar_query q = {.opt = opt == NULL ? &none : opt, .run = &run};
    struct final_sink s = {&q, fn, ctx, columnar_compactor_new(p->n_columns)};
    struct seam_clock *clock = q.opt->clock == NULL ? seam_clock_real() : q.opt->clock;
    uint64_t began = seam_clock_mono_ns(clock);
    bool *required = all_columns(p);
    enum seam_status st = SEAM_NOMEM;

    q.threads = q.opt->threads < 1                  ? 1
                : q.opt->threads > SEAM_THREADS_MAX ? SEAM_THREADS_MAX
                                                    : q.opt->threads;
    pthread_mutex_init(&q.lock, NULL);
    if (s.dense != NULL && required != NULL)
        st = columnar_run_pipeline(&q, p, (struct columnar_sink){push_final, &s, required}, f);
    q.stats.elapsed_ns = seam_clock_mono_ns(clock) - began;
    if (stats != NULL) *stats = q.stats;
    while (q.shared != NULL) {
        struct columnar_shared_rows *next = q.shared->next;

        columnar_coldata_free(&q.shared->rows);
        free(q.shared);
        q.shared = next;
    }
    pthread_mutex_destroy(&q.lock);
    columnar_compactor_free(s.dense);
    free(required);
    return st;
}
