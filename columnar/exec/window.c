/* window - functions over the rows around a row: the input kept and sorted, partition by partition.
 *
 *   rows sorted by (partition, order)    |a ........... b)         one partition
 *                                           |fs .. i .. fe)        the frame of row i
 *
 * Sums move with the frame: rows that enter are added, and taken away where that is exact (integers); what
 * cannot be taken away (doubles, least and greatest) is made anew when the frame's begin has moved.   */
#include <assert.h>
#include <stdlib.h>

#include "columnar/exec/sorted.h"

struct windowing {
    const struct columnar_plan *p;
    struct columnar_coldata in;
    uint32_t *at;                  /* sorted row numbers */
    size_t a, b;                   /* the partition, as places in at[] */
    uint32_t *peer_from, *peer_to; /* by place - a */
    struct seam_value *results;    /* call by call, by row number */
    struct seam_fault *f;
};

static struct seam_value cell(const struct windowing *w, int column, size_t place)
{
    return columnar_coldata_value(&w->in, column, w->at[place]);
}

/* ---- frames ---- */

/* The first place in [a, b) whose order key is not before the row's key shifted by `by`; nulls are their own. */
static size_t range_edge(const struct windowing *w, size_t i, int64_t by, bool after)
{
    const struct columnar_plan_key *key = &w->p->keys[0];
    struct seam_value mine = cell(w, key->column, i), bound = mine;
    size_t lo = w->a, hi = w->b;

    if (mine.type == SEAM_V_NULL) return after ? w->peer_to[i - w->a] : w->peer_from[i - w->a];
    while (lo < hi && cell(w, key->column, lo).type == SEAM_V_NULL) lo++;
    while (lo < hi && cell(w, key->column, hi - 1).type == SEAM_V_NULL) hi--;
    if (mine.type == SEAM_V_DOUBLE)
        bound.d += key->descending ? -(double)by : (double)by;
    else if (key->descending ? __builtin_sub_overflow(mine.i, by, &bound.i)
                             : __builtin_add_overflow(mine.i, by, &bound.i))
        return (by > 0) ? hi : lo;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        struct seam_value v = cell(w, key->column, mid);
        int c = seam_value_compare(&v, &bound);

        if (key->descending) c = -c;
        if (c < 0 || (after && c == 0))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static size_t clamp(const struct windowing *w, size_t i, int64_t by)
{
    if (by < 0) return (uint64_t)-by > i - w->a ? w->a : i - (size_t)-by;
    return (uint64_t)by > w->b - i ? w->b : i + (size_t)by;
}

static size_t frame_start(const struct windowing *w, const struct columnar_plan_window_call *c,
                          size_t i)
{
    switch (c->start) {
    case COLUMNAR_WINDOW_FIRST_ROW: return w->a;
    case COLUMNAR_WINDOW_BEFORE:
        return c->rows ? clamp(w, i, -c->before) : range_edge(w, i, -c->before, false);
    case COLUMNAR_WINDOW_HERE: return c->rows ? i : w->peer_from[i - w->a];
    case COLUMNAR_WINDOW_AFTER:
        return c->rows ? clamp(w, i, c->before) : range_edge(w, i, c->before, false);
    default: return w->b;
    }
}

static size_t frame_end(const struct windowing *w, const struct columnar_plan_window_call *c,
                        size_t i)
{
    switch (c->end) {
    case COLUMNAR_WINDOW_FIRST_ROW: return w->a;
    case COLUMNAR_WINDOW_BEFORE:
        if (!c->rows) return range_edge(w, i, -c->after, true);
        return (uint64_t)c->after > i - w->a ? w->a : i - (size_t)c->after + 1;
    case COLUMNAR_WINDOW_HERE: return c->rows ? i + 1 : w->peer_to[i - w->a];
    case COLUMNAR_WINDOW_AFTER:
        if (!c->rows) return range_edge(w, i, c->after, true);
        return (uint64_t)c->after >= w->b - i ? w->b : i + (size_t)c->after + 1;
    default: return w->b;
    }
}

/* ---- aggregates over frames ---- */

struct moving {
    size_t from, to; /* what is in it */
    __int128 sum;
    double real;
    uint64_t count;
    struct seam_value best;
};

static void add_row(const struct windowing *w, const struct columnar_plan_window_call *c,
                    struct moving *m, size_t place, int sign)
{
    struct seam_value v;

    if (c->op == COLUMNAR_WINDOW_COUNT_ALL) {
        m->count += (uint64_t)(int64_t)sign;
        return;
    }
    v = cell(w, c->args[0], place);
    if (v.type == SEAM_V_NULL) return;
    m->count += (uint64_t)(int64_t)sign;
    if (c->op == COLUMNAR_WINDOW_MIN || c->op == COLUMNAR_WINDOW_MAX) {
        int d = m->count == 1 ? 0 : seam_value_compare(&v, &m->best);

        if (m->count == 1 || (c->op == COLUMNAR_WINDOW_MIN ? d < 0 : d > 0)) m->best = v;
    } else if (v.type == SEAM_V_DOUBLE) {
        m->real += v.d;
    } else if (c->op != COLUMNAR_WINDOW_COUNT) {
        m->sum += sign * (__int128)v.i;
    }
}

static bool can_take_away(const struct windowing *w, const struct columnar_plan_window_call *c)
{
    if (c->op == COLUMNAR_WINDOW_COUNT || c->op == COLUMNAR_WINDOW_COUNT_ALL) return true;
    return (c->op == COLUMNAR_WINDOW_SUM || c->op == COLUMNAR_WINDOW_AVG) &&
           w->p->columns[c->args[0]].type != SEAM_V_DOUBLE;
}

static void move_to(const struct windowing *w, const struct columnar_plan_window_call *c,
                    struct moving *m, size_t from, size_t to)
{
    bool grows = from == m->from && to >= m->to;

    if (to < from) to = from;
    if (!grows && can_take_away(w, c) && from >= m->from && to >= m->to && from <= m->to) {
        for (; m->from < from; m->from++) add_row(w, c, m, m->from, -1);
        grows = true;
    }
    if (!grows) *m = (struct moving){.from = from, .to = from};
    for (; m->to < to; m->to++) add_row(w, c, m, m->to, 1);
}

static enum seam_status moving_value(const struct windowing *w,
                                     const struct columnar_plan_window_call *c,
                                     const struct moving *m, const struct columnar_plan_column *col,
                                     struct seam_value *out)
{
    double scale;

    *out = (struct seam_value){.type = col->type, .scale = col->scale};
    if (c->op == COLUMNAR_WINDOW_COUNT || c->op == COLUMNAR_WINDOW_COUNT_ALL) {
        out->i = (int64_t)m->count;
        return SEAM_OK;
    }
    if (m->count == 0) {
        *out = seam_v_null();
    } else if (c->op == COLUMNAR_WINDOW_MIN || c->op == COLUMNAR_WINDOW_MAX) {
        *out = m->best;
    } else if (c->op == COLUMNAR_WINDOW_AVG) {
        scale = (double)seam_decimal_pow10(w->p->columns[c->args[0]].scale);
        out->d = w->p->columns[c->args[0]].type == SEAM_V_DOUBLE
                     ? m->real / (double)m->count
                     : (double)((long double)m->sum / ((long double)scale * (long double)m->count));
    } else if (col->type == SEAM_V_DOUBLE) {
        out->d = m->real;
    } else {
        if (m->sum < INT64_MIN || m->sum > INT64_MAX)
            return seam_fault_set(w->f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET,
                                  "a sum over a window overflows 64 bits");
        out->i = (int64_t)m->sum;
    }
    return SEAM_OK;
}

static enum seam_status over_frames(const struct windowing *w, int k, struct seam_value *results)
{
    const struct columnar_plan_window_call *c = &w->p->calls[k];
    const struct columnar_plan_column *col = &w->p->columns[w->p->in->n_columns + k];
    struct moving m = {.from = w->a, .to = w->a};
    enum seam_status st = SEAM_OK;

    for (size_t i = w->a; st == SEAM_OK && i < w->b; i++) {
        move_to(w, c, &m, frame_start(w, c, i), frame_end(w, c, i));
        st = moving_value(w, c, &m, col, &results[w->at[i]]);
    }
    return st;
}

/* ---- places ---- */

static struct seam_value of_frame(const struct windowing *w,
                                  const struct columnar_plan_window_call *c, size_t i)
{
    size_t from = frame_start(w, c, i), to = frame_end(w, c, i);
    struct seam_value n;

    if (from >= to) return seam_v_null();
    if (c->op == COLUMNAR_WINDOW_FIRST) return cell(w, c->args[0], from);
    if (c->op == COLUMNAR_WINDOW_LAST) return cell(w, c->args[0], to - 1);
    n = cell(w, c->args[1], i);
    if (n.type == SEAM_V_NULL || n.i < 1 || (uint64_t)n.i > to - from) return seam_v_null();
    return cell(w, c->args[0], from + (size_t)n.i - 1);
}

static struct seam_value neighbour(const struct windowing *w,
                                   const struct columnar_plan_window_call *c, size_t i)
{
    struct seam_value by = c->n_args > 1 ? cell(w, c->args[1], i) : seam_v_int(1);
    int64_t there;

    if (by.type == SEAM_V_NULL) return seam_v_null();
    if (c->op == COLUMNAR_WINDOW_LAG ? __builtin_sub_overflow((int64_t)i, by.i, &there)
                                     : __builtin_add_overflow((int64_t)i, by.i, &there))
        there = -1;
    if (there >= (int64_t)w->a && there < (int64_t)w->b) return cell(w, c->args[0], (size_t)there);
    return c->n_args > 2 ? cell(w, c->args[2], i) : seam_v_null();
}

static struct seam_value tile(const struct windowing *w, const struct columnar_plan_window_call *c,
                              size_t i)
{
    struct seam_value n = cell(w, c->args[0], i);
    size_t rows = w->b - w->a, at = i - w->a, each, more;

    if (n.type == SEAM_V_NULL || n.i < 1) return seam_v_null();
    each = rows / (size_t)n.i;
    more = rows % (size_t)n.i; /* the first `more` tiles have one row more */
    if (at < more * (each + 1)) return seam_v_int((int64_t)(at / (each + 1)) + 1);
    return seam_v_int((int64_t)(more + (at - more * (each + 1)) / each) + 1);
}

static struct seam_value ranking(const struct windowing *w,
                                 const struct columnar_plan_window_call *c, size_t i,
                                 int64_t *dense)
{
    size_t rows = w->b - w->a, from = w->peer_from[i - w->a], to = w->peer_to[i - w->a];

    switch (c->op) {
    case COLUMNAR_WINDOW_ROW_NUMBER: return seam_v_int((int64_t)(i - w->a) + 1);
    case COLUMNAR_WINDOW_RANK: return seam_v_int((int64_t)(from - w->a) + 1);
    case COLUMNAR_WINDOW_DENSE_RANK: *dense += from == i; return seam_v_int(*dense);
    case COLUMNAR_WINDOW_PERCENT_RANK:
        return seam_v_double(rows < 2 ? 0 : (double)(from - w->a) / (double)(rows - 1));
    default: return seam_v_double((double)(to - w->a) / (double)rows);
    }
}

static enum seam_status one_call(const struct windowing *w, int k)
{
    const struct columnar_plan_window_call *c = &w->p->calls[k];
    struct seam_value *results = w->results + (size_t)k * w->in.rows;
    int64_t dense = 0;

    if (c->op >= COLUMNAR_WINDOW_COUNT_ALL) return over_frames(w, k, results);
    for (size_t i = w->a; i < w->b; i++) {
        struct seam_value *r = &results[w->at[i]];

        switch (c->op) {
        case COLUMNAR_WINDOW_FIRST:
        case COLUMNAR_WINDOW_LAST:
        case COLUMNAR_WINDOW_NTH: *r = of_frame(w, c, i); break;
        case COLUMNAR_WINDOW_LAG:
        case COLUMNAR_WINDOW_LEAD: *r = neighbour(w, c, i); break;
        case COLUMNAR_WINDOW_NTILE: *r = tile(w, c, i); break;
        default: *r = ranking(w, c, i, &dense);
        }
    }
    return SEAM_OK;
}

static void find_peers(struct windowing *w)
{
    size_t from = w->a;

    for (size_t i = w->a; i < w->b; i++) {
        bool last = i + 1 == w->b || columnar_rows_compare(&w->in, w->p->keys, w->p->n_keys,
                                                           w->at[i], w->at[i + 1]) != 0;

        if (!last) continue;
        for (size_t k = from; k <= i; k++) {
            w->peer_from[k - w->a] = (uint32_t)from;
            w->peer_to[k - w->a] = (uint32_t)i + 1;
        }
        from = i + 1;
    }
}

static enum seam_status all_partitions(struct windowing *w, const struct columnar_plan_key *keys)
{
    enum seam_status st = SEAM_OK;

    for (w->a = 0; st == SEAM_OK && w->a < w->in.rows; w->a = w->b) {
        for (w->b = w->a + 1; w->b < w->in.rows; w->b++)
            if (columnar_rows_compare(&w->in, keys, w->p->n_partition, w->at[w->a], w->at[w->b]))
                break;
        find_peers(w);
        for (int k = 0; st == SEAM_OK && k < w->p->n_calls; k++) st = one_call(w, k);
    }
    return st;
}

static enum seam_status put_results(const struct windowing *w, struct columnar_coldata *out)
{
    int n = w->p->in->n_columns;
    struct seam_value *row = calloc((size_t)w->p->n_columns + 1, sizeof *row);
    enum seam_status st = row == NULL ? SEAM_NOMEM : columnar_coldata_reserve(out, w->in.rows);

    for (size_t i = 0; st == SEAM_OK && i < w->in.rows;
         i++) { /* sorted: who comes next may want it so */
        for (int c = 0; c < n; c++) row[c] = columnar_coldata_value(&w->in, c, w->at[i]);
        for (int k = 0; k < w->p->n_calls; k++)
            row[n + k] = w->results[(size_t)k * w->in.rows + w->at[i]];
        st = columnar_coldata_append(out, row, 0);
    }
    free(row);
    return st;
}

enum seam_status columnar_run_window(struct columnar_query *q, const struct columnar_plan *p,
                                     struct columnar_coldata *out, struct seam_fault *f)
{
    struct windowing w = {.p = p, .f = f};
    int n = p->n_partition + p->n_keys;
    struct columnar_plan_key *keys = calloc((size_t)n + 1, sizeof *keys);
    enum seam_status st = keys == NULL ? SEAM_NOMEM : columnar_run_to_rows(q, p->in, &w.in, f);

    if (st == SEAM_OK) {
        for (int k = 0; k < p->n_partition; k++)
            keys[k] = (struct columnar_plan_key){.column = p->partition[k]};
        for (int k = 0; k < p->n_keys; k++) keys[p->n_partition + k] = p->keys[k];
        w.at = columnar_rows_sorted(&w.in, keys, n);
        w.peer_from = malloc((w.in.rows + 1) * sizeof *w.peer_from);
        w.peer_to = malloc((w.in.rows + 1) * sizeof *w.peer_to);
        w.results = calloc(w.in.rows * (size_t)p->n_calls + 1, sizeof *w.results);
        if (w.at == NULL || w.peer_from == NULL || w.peer_to == NULL || w.results == NULL)
            st = SEAM_NOMEM;
    }
    if (st == SEAM_OK) st = columnar_rows_init(out, p);
    if (st == SEAM_OK) st = all_partitions(&w, keys);
    if (st == SEAM_OK) st = put_results(&w, out);
    free(w.at);
    free(w.peer_from);
    free(w.peer_to);
    free(w.results);
    free(keys);
    columnar_coldata_free(&w.in);
    return st == SEAM_NOMEM ? seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET,
                                             "no memory for the rows of a window function")
                            : st;
}
