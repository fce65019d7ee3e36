/* run - pipelines: a source of batches, steps over them, and a sink, on as many threads as asked. */
#include <assert.h>
#include <stdlib.h>

#include "columnar/exec/plan.h"
#include "engine/base/thread.h"

struct step {
    const struct plan *p;            /* FILTER, PROJECT or JOIN */
    bool *required;                  /* columns of its input that are read from here on */
    struct join_table *join;
};

struct pipe_thread {
    struct expr_state *eval[PLAN_STEPS_MAX];
    struct compactor *dense[PLAN_STEPS_MAX];
    struct vec *vecs[PLAN_STEPS_MAX];
    struct join_probe *probe[PLAN_STEPS_MAX];
    struct text_ref **refs;          /* source rows as vectors */
    struct vec *source;
};

struct pipe {
    struct query *q;
    const struct plan *source;
    int count;
    struct step steps[PLAN_STEPS_MAX];   /* nearest the source first */
    const struct expr *conds[PLAN_STEPS_MAX];
    int n_conds;
    struct sink sink;
    struct pipe_thread *threads;
    struct scan *scan;
    struct coldata rows;             /* of a source that had to run first */
    struct fault fault;              /* the first */
    size_t morsels_done;
};

struct feed_ctx { struct pipe *pipe; int step, thread; };

static enum status feed(struct pipe *p, int at, int thread, const struct batch *b, const uint64_t *sel,
                        struct fault *f);

static enum status feed_next(void *ctx, const struct batch *b, const uint64_t *sel, struct fault *f)
{
    struct feed_ctx *c = ctx;

    return feed(c->pipe, c->step, c->thread, b, sel, f);
}

static enum status project(struct pipe *p, int at, int thread, const struct batch *b, struct batch *out,
                           struct fault *f)
{
    const struct plan *plan = p->steps[at].p;
    const bool *wanted = at + 1 < p->count ? p->steps[at + 1].required : p->sink.required;
    struct pipe_thread *t = &p->threads[thread];

    expr_state_reset(t->eval[at]);
    *out = (struct batch){.rows = b->rows, .count = plan->n_columns, .cols = t->vecs[at]};
    for (int c = 0; c < plan->n_columns; c++) {
        enum status st;

        t->vecs[at][c] = (struct vec){.type = plan->columns[c].type};
        if (!wanted[c]) continue;
        st = expr_eval(t->eval[at], plan->exprs[c], b, &t->vecs[at][c], f);
        if (st != ST_OK) return st;
    }
    return ST_OK;
}

/* Rows that are out must not make an expression fail: then it is tried again on the others alone. */
static enum status project_step(struct pipe *p, int at, int thread, const struct batch *b, const uint64_t *sel,
                                struct fault *f)
{
    struct pipe_thread *t = &p->threads[thread];
    struct batch dense, out;
    uint32_t count = sel_count(sel, b->rows);
    struct fault here = {0};
    enum status st = ST_LIMIT;

    if (sel == NULL || count * 4 > b->rows * 3) st = project(p, at, thread, b, &out, &here);
    if (st == ST_OK) return feed(p, at + 1, thread, &out, sel, f);
    if (sel != NULL) {
        fault_clear(&here);
        st = compact_batch(t->dense[at], b, sel, count, &dense);
        if (st == ST_OK) st = project(p, at, thread, &dense, &out, &here);
        if (st == ST_OK) return feed(p, at + 1, thread, &out, NULL, f);
    }
    if (f != NULL) *f = here;
    return st;
}

static enum status filter_step(struct pipe *p, int at, int thread, const struct batch *b, const uint64_t *sel,
                               struct fault *f)
{
    struct pipe_thread *t = &p->threads[thread];
    uint64_t narrow[VECTOR_WORDS];
    struct fault here = {0};
    struct batch dense;
    enum status st;

    memset(narrow, 0xff, sizeof narrow);
    if (sel != NULL) memcpy(narrow, sel, sizeof narrow);
    expr_state_reset(t->eval[at]);
    st = expr_filter(t->eval[at], p->steps[at].p->where, b, narrow, &here);
    if (st != ST_OK && sel != NULL) {
        fault_clear(&here);
        st = compact_batch(t->dense[at], b, sel, sel_count(sel, b->rows), &dense);
        b = &dense;
        memset(narrow, 0xff, sizeof narrow);
        if (st == ST_OK) st = expr_filter(t->eval[at], p->steps[at].p->where, b, narrow, &here);
    }
    if (st != ST_OK) {
        if (f != NULL) *f = here;
        return st;
    }
    for (uint32_t i = b->rows; i < VECTOR_ROWS && (i & 63) != 0; i++) bitset_clear(narrow, i);
    for (size_t w = bitset_words(b->rows); w < VECTOR_WORDS; w++) narrow[w] = 0;
    if (bitset_next(narrow, b->rows, 0) == b->rows) return ST_OK;
    return feed(p, at + 1, thread, b, sel_count(narrow, b->rows) == b->rows ? NULL : narrow, f);
}

static enum status feed(struct pipe *p, int at, int thread, const struct batch *b, const uint64_t *sel,
                        struct fault *f)
{
    struct feed_ctx next = {p, at + 1, thread};

    if (at == p->count) return p->sink.push(p->sink.self, thread, b, sel, f);
    switch (p->steps[at].p->kind) {
    case PLAN_FILTER: return filter_step(p, at, thread, b, sel, f);
    case PLAN_PROJECT: return project_step(p, at, thread, b, sel, f);
    default: return join_push(p->threads[thread].probe[at], b, sel, feed_next, &next, f);
    }
}

/* ---- what is read of what ---- */

static void note(void *ctx, int column) { ((bool *)ctx)[column] = true; }

static enum status find_required(struct pipe *p, bool **source)
{
    const bool *after = p->sink.required;

    for (int i = p->count - 1; i >= 0; i--) {
        struct step *s = &p->steps[i];
        int n = s->p->in->n_columns;

        s->required = calloc((size_t)n + 1, sizeof *s->required);
        if (s->required == NULL) return ST_NOMEM;
        if (s->p->kind == PLAN_PROJECT) {
            for (int c = 0; c < s->p->n_columns; c++)
                if (after[c]) expr_columns(s->p->exprs[c], note, s->required);
        } else {
            memcpy(s->required, after, (size_t)n * sizeof *after);
            if (s->p->kind == PLAN_FILTER) expr_columns(s->p->where, note, s->required);
            for (int k = 0; s->p->kind == PLAN_JOIN && k < s->p->n_keys; k++)
                expr_columns(s->p->exprs[k], note, s->required);
        }
        after = s->required;
    }
    *source = calloc((size_t)p->source->n_columns + 1, sizeof **source);
    if (*source == NULL) return ST_NOMEM;
    memcpy(*source, after, (size_t)p->source->n_columns * sizeof *after);
    return ST_OK;
}

/* Walks down to the source; filters on a scan become its conditions. */
static enum status find_steps(struct pipe *p, const struct plan *top, struct fault *f)
{
    const struct plan *way[PLAN_STEPS_MAX];
    int n = 0;

    while (top->kind == PLAN_FILTER || top->kind == PLAN_PROJECT || top->kind == PLAN_JOIN) {
        if (n == PLAN_STEPS_MAX)
            return fault_set(f, ST_LIMIT, NULL, FAULT_NO_OFFSET, "a query of more than %d steps", PLAN_STEPS_MAX);
        way[n++] = top;
        top = top->in;
    }
    p->source = top;
    while (n > 0 && top->kind == PLAN_SCAN && way[n - 1]->kind == PLAN_FILTER)
        p->conds[p->n_conds++] = way[--n]->where;
    while (n > 0) p->steps[p->count++].p = way[--n];
    return ST_OK;
}

static enum status thread_init(struct pipe *p, struct pipe_thread *t)
{
    int n = p->source->n_columns;

    for (int i = 0; i < p->count; i++) {
        const struct plan *plan = p->steps[i].p;
        const bool *wanted = i + 1 < p->count ? p->steps[i + 1].required : p->sink.required;

        t->eval[i] = expr_state_new();
        t->dense[i] = compactor_new(plan->in->n_columns);
        t->vecs[i] = calloc((size_t)plan->n_columns + 1, sizeof *t->vecs[i]);
        if (t->eval[i] == NULL || t->dense[i] == NULL || t->vecs[i] == NULL) return ST_NOMEM;
        if (plan->kind != PLAN_JOIN) continue;
        t->probe[i] = join_probe_new(p->steps[i].join, plan, wanted);
        if (t->probe[i] == NULL) return ST_NOMEM;
    }
    if (p->source->kind == PLAN_SCAN) return ST_OK;
    t->source = calloc((size_t)n + 1, sizeof *t->source);
    t->refs = calloc((size_t)n + 1, sizeof *t->refs);
    if (t->source == NULL || t->refs == NULL) return ST_NOMEM;
    for (int c = 0; c < n; c++) {
        if (p->source->columns[c].type != V_TEXT) continue;
        t->refs[c] = malloc(VECTOR_ROWS * sizeof **t->refs);
        if (t->refs[c] == NULL) return ST_NOMEM;
    }
    return ST_OK;
}

static void thread_free(struct pipe *p, struct pipe_thread *t)
{
    for (int i = 0; i < p->count; i++) {
        expr_state_free(t->eval[i]);
        compactor_free(t->dense[i]);
        free(t->vecs[i]);
        join_probe_free(t->probe[i]);
    }
    for (int c = 0; t->refs != NULL && c < p->source->n_columns; c++) free(t->refs[c]);
    free(t->refs);
    free(t->source);
}

/* ---- sources ---- */

static enum status feed_rows(struct pipe *p, const struct coldata *d, size_t from, int thread, struct fault *f)
{
    struct pipe_thread *t = &p->threads[thread];
    struct batch b = {.rows = VECTOR_ROWS, .count = d->count, .cols = t->source};

    if (d->rows - from < VECTOR_ROWS) b.rows = (uint32_t)(d->rows - from);
    for (int c = 0; c < d->count; c++) coldata_vec(d, c, from, b.rows, t->refs[c], &t->source[c]);
    return feed(p, 0, thread, &b, NULL, f);
}

static bool told_to_stop(struct pipe *p, int thread, uint64_t rows)
{
    const struct query_options *o = p->q->opt;
    bool go_on = true;

    pthread_mutex_lock(&p->q->lock);
    p->q->done_rows += rows;
    if (thread == 0 && o->progress != NULL && p->q->all_rows > 0)
        go_on = o->progress(o->progress_ctx, (double)p->q->done_rows / (double)p->q->all_rows);
    pthread_mutex_unlock(&p->q->lock);
    return !go_on;
}

static enum status run_morsels(void *ctx, size_t begin, size_t end, int thread)
{
    struct pipe *p = ctx;
    struct feed_ctx first = {p, 0, thread};
    struct fault f = {0};
    enum status st = ST_OK;

    for (size_t m = begin; st == ST_OK && m < end; m++) {
        if (atomic_load(&p->q->stop) != ST_OK) break;
        if (p->scan != NULL) {
            st = scan_run(p->scan, m, thread, feed_next, &first, &f);
            if (st == ST_OK && told_to_stop(p, thread, scan_morsel_rows(p->scan, m)))
                st = fault_set(&f, ST_TIMEOUT, NULL, FAULT_NO_OFFSET, "the query was cancelled");
        } else {
            st = feed_rows(p, &p->rows, m * VECTOR_ROWS, thread, &f);
        }
    }
    if (st != ST_OK) {
        int none = ST_OK;

        pthread_mutex_lock(&p->q->lock);
        if (p->fault.status == ST_OK) p->fault = f;
        pthread_mutex_unlock(&p->q->lock);
        atomic_compare_exchange_strong(&p->q->stop, &none, (int)st);
    }
    return st;
}

/* Rows from outside come one at a time, through one thread. */
static enum status pull_rows(struct pipe *p, struct fault *f)
{
    const struct plan_source *src = &p->source->source;
    struct value *values = calloc((size_t)p->source->n_columns + 1, sizeof *values);
    enum status st = values == NULL ? ST_NOMEM : ST_OK;

    if (st == ST_OK && src->rewind != NULL) st = src->rewind(src->ctx, f);
    while (st == ST_OK && atomic_load(&p->q->stop) == ST_OK) {
        coldata_clear(&p->rows);
        while (p->rows.rows < VECTOR_ROWS) {
            st = src->next(src->ctx, values, f);
            if (st == ST_OK) st = coldata_append(&p->rows, values, 0);
            if (st != ST_OK) break;
            p->q->stats.rows_scanned++;
        }
        if ((st == ST_OK || st == ST_END) && p->rows.rows > 0) {
            enum status fed = feed_rows(p, &p->rows, 0, 0, f);

            if (fed != ST_OK) st = fed == ST_END ? ST_TIMEOUT : fed;
            if (fed == ST_END) atomic_store(&p->q->stop, ST_END);
        }
    }
    p->q->stats.rows_total = p->q->stats.rows_scanned > p->q->stats.rows_total ? p->q->stats.rows_scanned
                                                                               : p->q->stats.rows_total;
    free(values);
    return st == ST_END || atomic_load(&p->q->stop) == ST_END ? ST_OK : st;
}

static enum status run_source(struct pipe *p, const bool *required, struct fault *f)
{
    struct query *q = p->q;
    size_t morsels;
    bool ordered;
    enum status st;

    if (p->source->kind == PLAN_ROWS) return pull_rows(p, f);
    if (p->source->kind == PLAN_SCAN) {
        st = scan_new(q, p->source, p->conds, p->n_conds, required, &p->scan, f);
        if (st != ST_OK) return st;
        morsels = scan_morsels(p->scan);
        q->all_rows = q->done_rows = 0;
        for (size_t m = 0; m < morsels; m++) q->all_rows += scan_morsel_rows(p->scan, m);
    } else {
        morsels = (p->rows.rows + VECTOR_ROWS - 1) / VECTOR_ROWS;
    }
    /* Ordered rows stay in order through one thread. */
    ordered = p->source->kind == PLAN_ORDER || p->source->kind == PLAN_LIMIT;
    st = parallel_for(ordered ? 1 : q->threads, morsels, 1, run_morsels, p);
    if (st == ST_END || atomic_load(&q->stop) == ST_END) return ST_OK;
    if (st != ST_OK && f != NULL && f->status == ST_OK) *f = p->fault;
    return st;
}

enum status run_pipeline(struct query *q, const struct plan *top, struct sink sink, struct fault *f)
{
    struct pipe *p = calloc(1, sizeof *p);
    bool *required = NULL;
    enum status st;

    if (p == NULL) return fault_set(f, ST_NOMEM, NULL, FAULT_NO_OFFSET, "no memory for a query");
    p->q = q;
    p->sink = sink;
    st = find_steps(p, top, f);
    if (st == ST_OK) st = find_required(p, &required);
    /* What this pipeline waits for runs first: sources that are whole queries, and joins' right sides. */
    if (st == ST_OK && p->source->kind == PLAN_ROWS) st = rows_init(&p->rows, p->source);
    else if (st == ST_OK && p->source->kind != PLAN_SCAN) st = run_to_rows(q, p->source, &p->rows, f);
    for (int i = 0; st == ST_OK && i < p->count; i++)
        if (p->steps[i].p->kind == PLAN_JOIN) st = join_build(q, p->steps[i].p, &p->steps[i].join, f);
    if (st == ST_OK) p->threads = calloc((size_t)q->threads, sizeof *p->threads);
    if (st == ST_OK && p->threads == NULL) st = ST_NOMEM;
    for (int t = 0; st == ST_OK && t < q->threads; t++) st = thread_init(p, &p->threads[t]);
    if (st == ST_NOMEM) fault_set(f, st, NULL, FAULT_NO_OFFSET, "no memory for a query");
    atomic_store(&q->stop, ST_OK);
    if (st == ST_OK) st = run_source(p, required, f);
    atomic_store(&q->stop, ST_OK);
    scan_free(p->scan);
    for (int t = 0; p->threads != NULL && t < q->threads; t++) thread_free(p, &p->threads[t]);
    for (int i = 0; i < p->count; i++) {
        join_free(p->steps[i].join);
        free(p->steps[i].required);
    }
    coldata_free(&p->rows);
    free(p->threads);
    free(required);
    free(p);
    return st;
}

/* ---- sinks ---- */

static bool *all_columns(const struct plan *p)
{
    bool *r = malloc((size_t)p->n_columns + 1);

    if (r != NULL) memset(r, 1, (size_t)p->n_columns);
    return r;
}

struct limit_sink { struct query *q; uint64_t skip, take; struct coldata *out; };

static enum status push_limited(void *self, int thread, const struct batch *b, const uint64_t *sel,
                                struct fault *f)
{
    struct limit_sink *s = self;
    uint64_t mine[VECTOR_WORDS];
    enum status st = ST_OK;

    (void)thread;
    memset(mine, 0, sizeof mine);
    pthread_mutex_lock(&s->q->lock);
    for (uint32_t r = 0; r < b->rows && s->take > 0; r++) {
        if (sel != NULL && !bitset_get(sel, r)) continue;
        if (s->skip > 0) {
            s->skip--;
            continue;
        }
        bitset_set(mine, r);
        if (s->take != UINT64_MAX) s->take--;
    }
    st = rows_append(s->out, b, mine);
    if (st == ST_OK && s->take == 0) st = ST_END;
    pthread_mutex_unlock(&s->q->lock);
    if (st == ST_NOMEM) return fault_set(f, st, NULL, FAULT_NO_OFFSET, "no memory for the rows of a query");
    return st;
}

enum status run_to_rows(struct query *q, const struct plan *p, struct coldata *out, struct fault *f)
{
    struct limit_sink s = {q, 0, UINT64_MAX, out};
    const struct plan *in = p;
    bool *required;
    enum status st;

    if (p->kind == PLAN_AGGREGATE) return run_aggregate(q, p, out, f);
    if (p->kind == PLAN_ORDER) return run_order(q, p, out, f);
    if (p->kind == PLAN_LIMIT) {
        s.skip = p->offset;
        s.take = p->limit;
        in = p->in;
    }
    required = all_columns(p);
    st = required == NULL ? ST_NOMEM : rows_init(out, p);
    if (st == ST_OK && s.take > 0)
        st = run_pipeline(q, in, (struct sink){push_limited, &s, required}, f);
    free(required);
    return st;
}

struct final_sink { struct query *q; query_sink fn; void *ctx; struct compactor *dense; };

static enum status push_final(void *self, int thread, const struct batch *b, const uint64_t *sel,
                              struct fault *f)
{
    struct final_sink *s = self;
    struct batch dense;
    enum status st = ST_OK;

    (void)thread;
    pthread_mutex_lock(&s->q->lock);
    if (sel != NULL) {
        st = compact_batch(s->dense, b, sel, sel_count(sel, b->rows), &dense);
        b = &dense;
    }
    if (st == ST_OK) {
        s->q->stats.rows_out += b->rows;
        st = s->fn(s->ctx, b, f);
    }
    pthread_mutex_unlock(&s->q->lock);
    return st;
}

enum status query_run(const struct plan *p, const struct query_options *opt, query_sink fn, void *ctx,
                      struct query_stats *stats, struct fault *f)
{
    static const struct query_options none;
    struct query q = {.opt = opt == NULL ? &none : opt};
    struct final_sink s = {&q, fn, ctx, compactor_new(p->n_columns)};
    struct clock *clock = q.opt->clock == NULL ? clock_real() : q.opt->clock;
    uint64_t began = clock_mono_ns(clock);
    bool *required = all_columns(p);
    enum status st = ST_NOMEM;

    q.threads = q.opt->threads < 1 ? 1 : q.opt->threads > THREADS_MAX ? THREADS_MAX : q.opt->threads;
    pthread_mutex_init(&q.lock, NULL);
    if (s.dense != NULL && required != NULL)
        st = run_pipeline(&q, p, (struct sink){push_final, &s, required}, f);
    q.stats.elapsed_ns = clock_mono_ns(clock) - began;
    if (stats != NULL) *stats = q.stats;
    pthread_mutex_destroy(&q.lock);
    compactor_free(s.dense);
    free(required);
    return st;
}
