/* lab_hnsw - a graph of vectors that can be drawn: building it, walking it, walking around a
 * filter. The lab's own vectors have two numbers; the reader's may have more, and are drawn on the
 * two directions in which they differ most. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/rng.h"
#include "hnsw/hnsw.h"
#include "pipeline/lab/draw.h"
#include "pipeline/lab/scenarios.h"

enum {
    POINTS = 200,
    CLUMPS = 6,
    K = 3,
    SIDE = 460,
    LEGEND = 380,
    EF_WIDE = 32,
    LINKS_PER_NODE = 4
};
enum { FIRST_FEW = 5, NUMBERED_HOPS = 14, POWER_ROUNDS = 40 };

static const char dir[] = "lab/vectors";
static const double RECALL_PROMISE = 0.995;

struct lab_hnsw_world {
    struct lab *l;
    struct hnsw *h;
    const float *rows; /* n x dim */
    size_t n;
    uint32_t dim;
    float *query;
    double *xy;   /* where each row is drawn, 2 a row, and last the query */
    double right; /* of the K nearest, the last search found so many */
    char *dump;   /* of the base file: nodes and their links on layer 0; NULL: not built yet */
};

/* ---- the vectors ---- */
/* Points in a few clumps, as real embeddings lie. */
static void scatter(struct lab *l, float *rows, float *query)
{
    struct seam_rng rng;
    float centre[CLUMPS][2];

    seam_rng_seed(&rng, l->in.seed);
    for (int i = 0; i < CLUMPS; i++)
        for (int j = 0; j < 2; j++) centre[i][j] = (float)(0.15 + 0.7 * seam_rng_double(&rng));
    for (int i = 0; i < POINTS; i++)
        for (int j = 0; j < 2; j++)
            rows[i * 2 + j] = centre[i % CLUMPS][j] + (float)(0.07 * seam_rng_normal(&rng));
    for (int j = 0; j < 2; j++) query[j] = (float)(0.1 + 0.8 * seam_rng_double(&rng));
}

/* A question near the middle of two of the reader's vectors. */
static void draw_query(const struct lab_hnsw_world *x)
{
    struct seam_rng rng;
    size_t a, b;

    seam_rng_seed(&rng, x->l->in.seed);
    a = (size_t)seam_rng_below(&rng, x->n);
    b = (size_t)seam_rng_below(&rng, x->n);
    for (uint32_t j = 0; j < x->dim; j++)
        x->query[j] = (x->rows[a * x->dim + j] + x->rows[b * x->dim + j]) / 2;
}

/* One direction in which the rows differ most, apart from `not_along` (NULL: any); by power
 * iteration. */
static void direction(const struct lab_hnsw_world *x, const double *mean, const double *not_along,
                      double *v, double *next)
{
    for (uint32_t j = 0; j < x->dim; j++) v[j] = 1.0 / (j + 1);
    for (int round = 0; round < POWER_ROUNDS; round++) {
        double along = 0, norm = 0;

        for (uint32_t j = 0; not_along != NULL && j < x->dim; j++) along += v[j] * not_along[j];
        for (uint32_t j = 0; j < x->dim; j++) {
            if (not_along != NULL) v[j] -= along * not_along[j];
            norm += v[j] * v[j];
            next[j] = 0;
        }
        if (norm == 0) return;
        for (uint32_t j = 0; j < x->dim; j++) v[j] /= sqrt(norm);
        for (size_t i = 0; round + 1 < POWER_ROUNDS && i < x->n; i++) {
            double dot = 0;

            for (uint32_t j = 0; j < x->dim; j++)
                dot += ((double)x->rows[i * x->dim + j] - mean[j]) * v[j];
            for (uint32_t j = 0; j < x->dim; j++)
                next[j] += dot * ((double)x->rows[i * x->dim + j] - mean[j]);
        }
        if (round + 1 < POWER_ROUNDS) memcpy(v, next, x->dim * sizeof *v);
    }
}

static const float *row_of(const struct lab_hnsw_world *x, size_t i)
{
    return i < x->n ? x->rows + i * x->dim : x->query;
}

/* Two numbers a row are a place already; more are projected. */
static enum seam_status lay_out(struct lab_hnsw_world *x, struct seam_fault *f)
{
    double *work = seam_arena_alloc(&x->l->arena, (size_t)x->dim * 4 * sizeof *work), *mean = work;

    x->xy = seam_arena_alloc(&x->l->arena, (x->n + 1) * 2 * sizeof *x->xy);
    if (work == NULL || x->xy == NULL)
        return seam_fault_set(f, SEAM_NOMEM, "hnsw", SEAM_FAULT_NO_OFFSET,
                              "no memory for the picture");
    memset(work, 0, (size_t)x->dim * 4 * sizeof *work);
    for (size_t i = 0; i < x->n; i++)
        for (uint32_t j = 0; j < x->dim; j++)
            mean[j] += (double)x->rows[i * x->dim + j] / (double)x->n;
    direction(x, mean, NULL, work + x->dim, work + 3 * (size_t)x->dim);
    direction(x, mean, work + x->dim, work + 2 * (size_t)x->dim, work + 3 * (size_t)x->dim);
    for (size_t i = 0; i <= x->n; i++)
        for (int side = 0; side < 2; side++) {
            const double *along = work + (size_t)(side + 1) * x->dim;
            double sum = 0;

            for (uint32_t j = 0; j < x->dim; j++)
                sum += ((double)row_of(x, i)[j] - mean[j]) * along[j];
            x->xy[i * 2 + (size_t)side] = x->dim <= 2 && (uint32_t)side < x->dim
                                              ? (double)row_of(x, i)[side]
                                          : x->dim == 1 ? 0
                                                        : sum;
        }
    return SEAM_OK;
}

static enum seam_status take_vectors(struct lab_hnsw_world *x, struct seam_fault *f)
{
    const struct lab_input *in = &x->l->in;
    bool own = in->vector_count > 0;
    float *rows = NULL;

    x->n = own ? in->vector_count : POINTS;
    x->dim = own ? in->dim : 2;
    x->query = seam_arena_alloc(&x->l->arena, x->dim * sizeof *x->query);
    if (!own) rows = seam_arena_alloc(&x->l->arena, POINTS * 2 * sizeof *rows);
    if (x->query == NULL || (!own && rows == NULL))
        return seam_fault_set(f, SEAM_NOMEM, "hnsw", SEAM_FAULT_NO_OFFSET,
                              "no memory for the vectors");
    if (!own) scatter(x->l, rows, x->query);
    x->rows = own ? in->vectors : rows;
    if (own && in->query == NULL) draw_query(x);
    if (in->query != NULL) memcpy(x->query, in->query, x->dim * sizeof *x->query);
    return lay_out(x, f);
}

/* ---- the picture ---- */
struct lab_frame {
    double left, top, scale;
};

/* All points, and the query, in a square. */
static struct lab_frame frame_of(const struct lab_hnsw_world *x)
{
    double lo[2] = {1e300, 1e300}, hi[2] = {-1e300, -1e300}, wide;

    for (size_t i = 0; i <= x->n; i++)
        for (int side = 0; side < 2; side++) {
            double at = x->xy[i * 2 + (size_t)side];

            if (at < lo[side]) lo[side] = at;
            if (at > hi[side]) hi[side] = at;
        }
    wide = fmax(fmax(hi[0] - lo[0], hi[1] - lo[1]), 1e-12);
    return (struct lab_frame){lo[0], lo[1], (SIDE - 40) / wide};
}

static double px(const struct lab_frame *fr, const struct lab_hnsw_world *x, size_t i)
{
    return 20 + (x->xy[i * 2] - fr->left) * fr->scale;
}
static double py(const struct lab_frame *fr, const struct lab_hnsw_world *x, size_t i)
{
    return 20 + (x->xy[i * 2 + 1] - fr->top) * fr->scale;
}

/* "  node 7: key 7, level 0, born at LSN 17; links 3 9 12" of hnsw_dump. */
static void svg_links(struct lab_hnsw_world *x, const struct lab_frame *fr)
{
    for (const char *p = x->dump; p != NULL && (p = strstr(p, "  node ")) != NULL; p++) {
        unsigned node, to;
        const char *links = strstr(p, "; links"), *end = strchr(p, '\n');
        int used;

        if (sscanf(p, "  node %u:", &node) != 1 || node >= x->n || links == NULL || end == NULL)
            continue;
        for (links += 7; links < end && sscanf(links, " %u%n", &to, &used) == 1; links += used)
            if (to < node && to < x->n)
                paper_svg_line(&x->l->svg, "link", px(fr, x, node), py(fr, x, node), px(fr, x, to),
                               py(fr, x, to));
    }
}

static void svg_points(struct lab_hnsw_world *x, size_t count, bool query, const char *label)
{
    struct seam_buf *b = &x->l->svg;
    const struct lab_frame fr = frame_of(x);

    paper_svg_begin(b, SIDE + LEGEND, SIDE, label);
    svg_links(x, &fr);
    for (size_t i = 0; i < count; i++)
        paper_svg_circle(b, "dot", px(&fr, x, i), py(&fr, x, i), x->n > POINTS ? 2 : 3);
    if (query) paper_svg_box(b, "query", px(&fr, x, x->n) - 5, py(&fr, x, x->n) - 5, 10, 10);
    paper_svg_circle(b, "dot", SIDE + 20, 26, 3);
    paper_svg_words(b, "dim", SIDE + 40, 30, "a vector; thin lines: links on layer 0");
    if (!query) return;
    paper_svg_box(b, "query", SIDE + 15, 43, 10, 10);
    paper_svg_words(b, "dim", SIDE + 40, 52, "the query");
    paper_svg_line(b, "path", SIDE + 10, 70, SIDE + 30, 70);
    paper_svg_words(b, "dim", SIDE + 40, 74, "the way down the layers");
    paper_svg_circle(b, "seen", SIDE + 20, 92, 4);
    paper_svg_words(b, "dim", SIDE + 40, 96, "read on layer 0, in this order");
    paper_svg_circle(b, "ring", SIDE + 20, 114, 7);
    paper_svg_words(b, "dim", SIDE + 40, 118, "the answer");
}

/* ---- the graph ---- */
static enum seam_status add(struct lab_hnsw_world *x, size_t from, size_t to, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (size_t i = from; st == SEAM_OK && i < to; i++)
        st = hnsw_upsert(x->h, i, row_of(x, i), 10 + i, f);
    return st;
}

static enum seam_status draw_health(struct lab_hnsw_world *x, struct seam_fault *f)
{
    struct hnsw_health h;
    struct hnsw_info info;
    enum seam_status st = hnsw_health(x->h, &h, f);

    if (st != SEAM_OK) return st;
    hnsw_info(x->h, &info);
    seam_buf_printf(&x->l->draw,
                    "%" PRIu64 " vectors live, %" PRIu64 " dead, %" PRIu64
                    " reachable from the entry point on layer %u\n",
                    h.live, h.dead, h.reachable, info.entry_level);
    for (unsigned i = 0; i <= info.max_level; i++)
        seam_buf_printf(&x->l->draw, "layer %u is the top of %" PRIu64 " nodes\n", i, h.level[i]);
    seam_buf_str(&x->l->draw, "links a node on layer 0:");
    for (unsigned i = 0; i < HNSW_DEGREE_BINS; i++)
        if (h.degree[i] > 0) seam_buf_printf(&x->l->draw, " %u:%" PRIu64, i, h.degree[i]);
    seam_buf_str(&x->l->draw, "\n");
    return SEAM_OK;
}

/* The hops of the search just made, as text and among the points: the way down as a path, then what
 * was read. */
static void draw_hops(struct lab_hnsw_world *x)
{
    struct seam_buf *b = &x->l->svg;
    const struct lab_frame fr = frame_of(x);
    size_t before = SIZE_MAX, hops = 0;

    for (size_t i = 0; i < seam_trace_log_count(x->l->log); i++) {
        const struct seam_trace_event *e = seam_trace_log_at(x->l->log, i);
        bool hop = strcmp(e->name, "hop") == 0;
        size_t node = (size_t)lab_arg(e, "node");
        double distance = 0;

        if ((!hop && strcmp(e->name, "descend") != 0) || node >= x->n) continue;
        for (uint32_t j = 0; j < x->dim; j++) {
            double d = (double)row_of(x, node)[j] - (double)x->query[j];

            distance += d * d;
        }
        seam_buf_printf(&x->l->draw,
                        "  layer %" PRId64 "  at node %-4zu distance %.4f  %" PRId64
                        " neighbours measured",
                        lab_arg(e, "level"), node, distance, lab_arg(e, "neighbours"));
        if (hop) seam_buf_printf(&x->l->draw, "  pool of candidates %" PRId64, lab_arg(e, "pool"));
        seam_buf_str(&x->l->draw, "\n");
        if (before != SIZE_MAX && (!hop || hops == 0))
            paper_svg_line(b, "path", px(&fr, x, before), py(&fr, x, before), px(&fr, x, node),
                           py(&fr, x, node));
        if (hop) {
            paper_svg_circle(b, "seen", px(&fr, x, node), py(&fr, x, node), 4);
            if (++hops <= NUMBERED_HOPS)
                paper_svg_words(b, "dim", px(&fr, x, node) + 6, py(&fr, x, node) - 4, "%zu", hops);
        }
        before = node;
    }
}

static bool is_among(const struct hnsw_hit *hits, size_t n, uint64_t key)
{
    for (size_t i = 0; i < n; i++)
        if (hits[i].key == key) return true;
    return false;
}

/* One search, drawn, held against measuring every vector. */
static enum seam_status search(struct lab_hnsw_world *x, uint32_t ef,
                               const struct hnsw_filter *filter, struct seam_fault *f)
{
    const struct hnsw_query q = {.vector = x->query, .k = K, .ef = ef, .filter = filter};
    struct hnsw_hit hits[K], exact[K];
    struct hnsw_stats s;
    size_t n = 0, m = 0, right = 0;
    struct lab_frame fr = frame_of(x);
    enum seam_status st;

    seam_trace_log_clear(x->l->log);
    st = hnsw_search(x->h, &q, hits, &n, &s, f);
    if (st == SEAM_OK) st = hnsw_exact(x->h, &q, exact, &m, f);
    if (st != SEAM_OK) return st;
    svg_points(x, x->n, true, "The vectors, their links, the walk and its answer");
    seam_buf_printf(&x->l->draw, "efSearch %u: %u hops, %u distances of %zu, way: %s\n", s.ef,
                    s.hops, s.distances, x->n, hnsw_regime_name(s.regime));
    draw_hops(x);
    for (size_t i = 0; i < n; i++) {
        bool found = is_among(exact, m, hits[i].key);

        right += found;
        seam_buf_printf(&x->l->draw, "  %zu. key %" PRIu64 " at %.4f%s\n", i + 1, hits[i].key,
                        (double)hits[i].distance, found ? "" : "   (not among the true nearest)");
        paper_svg_circle(&x->l->svg, "ring", px(&fr, x, (size_t)hits[i].key),
                         py(&fr, x, (size_t)hits[i].key), 7);
    }
    seam_buf_printf(&x->l->draw, "recall: %zu of %zu\n", right, m);
    x->right = (double)right;
    paper_svg_words(&x->l->svg, "", SIDE + 10, 150, "efSearch %u: %u distances", s.ef, s.distances);
    paper_svg_words(&x->l->svg, "", SIDE + 10, 170, "recall %zu of %zu", right, m);
    paper_svg_end(&x->l->svg);
    return SEAM_OK;
}

/* The base file's own list of nodes and links. */
static enum seam_status read_links(struct lab_hnsw_world *x, struct seam_fault *f)
{
    const struct hnsw_maintain_options whole = {.force = true, .threads = 1};
    struct hnsw_maintain_report done;
    struct seam_io_list names = {0};
    struct seam_buf text = {0};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = hnsw_publish(x->h, 10 + x->n, seam_clock_wall_us(&x->l->clock.clock), f);

    if (st == SEAM_OK) st = hnsw_maintain(x->h, &whole, &done, f);
    if (st == SEAM_OK) st = seam_io_list(x->l->io, dir, &names, f);
    for (size_t i = 0; st == SEAM_OK && i < names.count; i++)
        if (strstr(names.names[i], ".base") != NULL && text.size == 0) {
            st = seam_path_join(path, dir, names.names[i], f);
            if (st == SEAM_OK) st = hnsw_dump(x->l->io, path, true, &text, f);
        }
    if (st == SEAM_OK) x->dump = seam_arena_strdup(&x->l->arena, seam_buf_cstr(&text), text.size);
    seam_io_list_free(&names);
    seam_buf_free(&text);
    return st;
}

static enum seam_status build(struct lab_hnsw_world *x, struct seam_fault *f)
{
    const struct hnsw_options o = {.dim = x->dim,
                                   .metric = HNSW_L2,
                                   .m = x->l->in.m > 0 ? x->l->in.m : LINKS_PER_NODE,
                                   .ef_construction = 16,
                                   .seed = x->l->in.seed};
    const struct hnsw_config cfg = {.clock = &x->l->clock.clock, .trace = x->l->trace};
    size_t few = x->n < FIRST_FEW ? x->n : FIRST_FEW;
    enum seam_status st = hnsw_create(x->l->io, dir, &o, f);

    if (st == SEAM_OK) st = hnsw_open_writer(x->l->io, dir, &cfg, &x->h, f);
    if (st == SEAM_OK) st = add(x, 0, few, f);
    if (st == SEAM_OK) st = draw_health(x, f);
    svg_points(x, few, false, "The first vectors");
    paper_svg_end(&x->l->svg);
    seam_buf_str(&x->l->story,
                 "The first vectors. Each new one searches the graph there is for its "
                 "nearest, links to some of them, and is linked back (node_link: found so "
                 "many candidates, took so many). Its top layer is drawn by lot: each "
                 "layer holds about one in M of the one below.");
    if (st == SEAM_OK) st = lab_step(x->l, "The first vectors", f);
    if (st == SEAM_OK) st = add(x, few, x->n, f);
    if (st == SEAM_OK) st = draw_health(x, f);
    if (st == SEAM_OK) st = read_links(x, f);
    svg_points(x, x->n, false, "All vectors, with their links on layer 0");
    paper_svg_end(&x->l->svg);
    seam_buf_printf(
        &x->l->story,
        "%zu vectors%s. When a list is full, links_prune decides who stays: a neighbour "
        "that is nearer to another neighbour than to the node is left out, which keeps the "
        "long links that lead from clump to clump.",
        x->n, x->l->in.vector_count > 0 ? " of yours" : ", in clumps");
    return st == SEAM_OK ? lab_step(x->l, "The whole graph", f) : st;
}

enum { SWEEP_QUERIES = 100, SWEEP_K = 10 };

/* Mean recall of the SWEEP_K nearest, and distances a search, over questions drawn by lot around
 * the vectors. */
static enum seam_status sweep(struct lab_hnsw_world *x, uint32_t ef, double *recall,
                              double *distances, struct seam_fault *f)
{
    float *vector = seam_arena_alloc(&x->l->arena, x->dim * sizeof *vector);
    struct seam_rng rng;
    uint64_t right = 0, all = 0, measured = 0;
    enum seam_status st =
        vector != NULL ? SEAM_OK
                       : seam_fault_set(f, SEAM_NOMEM, "hnsw", SEAM_FAULT_NO_OFFSET, "no memory");

    seam_rng_seed(&rng, x->l->in.seed);
    for (int i = 0; st == SEAM_OK && i < SWEEP_QUERIES; i++) {
        const struct hnsw_query q = {.vector = vector, .k = SWEEP_K, .ef = ef};
        size_t a = (size_t)seam_rng_below(&rng, x->n), b = (size_t)seam_rng_below(&rng, x->n),
               n = 0, m = 0;
        struct hnsw_hit hits[SWEEP_K], exact[SWEEP_K];
        struct hnsw_stats s;

        for (uint32_t j = 0; j < x->dim; j++)
            vector[j] = row_of(x, a)[j] * 2 - row_of(x, b)[j]; /* beyond a, seen from b */
        st = hnsw_search(x->h, &q, hits, &n, &s, f);
        if (st == SEAM_OK) st = hnsw_exact(x->h, &q, exact, &m, f);
        for (size_t k = 0; st == SEAM_OK && k < n; k++) right += is_among(exact, m, hits[k].key);
        all += m;
        measured += s.distances;
    }
    *recall = all > 0 ? (double)right / (double)all : 0;
    *distances = (double)measured / SWEEP_QUERIES;
    return st;
}

/* The efSearch the reader chose, over many questions, and the least that would keep the promise. */
static enum seam_status judge_ef(struct lab_hnsw_world *x, double promise, struct seam_fault *f)
{
    double recall, distances, least_recall = 0, least_distances = 0;
    uint32_t least = SWEEP_K;
    enum seam_status st = sweep(x, x->l->in.ef, &recall, &distances, f);

    while (st == SEAM_OK && (st = sweep(x, least, &least_recall, &least_distances, f)) == SEAM_OK &&
           least_recall < promise && least < LAB_EF_MAX)
        least++;
    if (st != SEAM_OK) return st;
    seam_buf_printf(&x->l->draw,
                    "efSearch %u over %d questions: recall of the %d nearest %.3f, "
                    "%.1f distances each\n",
                    x->l->in.ef, SWEEP_QUERIES, SWEEP_K, recall, distances);
    lab_measured(x->l, "recall promised", promise);
    lab_measured(x->l, "recall", recall);
    lab_measured(x->l, "distances", distances);
    lab_measured(x->l, "least efSearch", least);
    seam_trace_log_clear(x->l->log);
    return SEAM_OK;
}

static enum seam_status walks(struct lab_hnsw_world *x, struct seam_fault *f)
{
    uint32_t wide = x->l->in.ef > 0 ? x->l->in.ef : EF_WIDE;
    enum seam_status st = search(x, K, NULL, f);

    seam_buf_str(
        &x->l->story,
        "A search begins at the entry point on the top layer, goes to whichever neighbour is "
        "nearer to the query until none is "
        "(descend), and takes that place one layer down. On layer 0 it keeps the efSearch best "
        "candidates and always "
        "reads the list of the nearest one not read yet (hop). With efSearch 3 it ends early.");
    if (st == SEAM_OK) st = lab_step(x->l, "A greedy walk", f);
    lab_measured(x->l, "right with efSearch 3", x->right);
    if (st == SEAM_OK) st = search(x, wide, NULL, f);
    lab_measured(x->l, "right with more", x->right);
    if (st == SEAM_OK && x->l->in.ef > 0) st = judge_ef(x, RECALL_PROMISE, f);
    seam_buf_printf(
        &x->l->story,
        "The same search with efSearch %u: a wider pool, more hops, more distances, and "
        "less chance to miss one.",
        wide);
    return st == SEAM_OK ? lab_step(x->l, "efSearch buys recall", f) : st;
}

static bool every_tenth(void *ctx, uint64_t key)
{
    (void)ctx;
    return key % 10 == 0;
}

static enum seam_status filtered(struct lab_hnsw_world *x, struct seam_fault *f)
{
    const struct hnsw_filter filter = {.match = every_tenth};
    const struct hnsw_query q = {.vector = x->query, .k = 1, .ef = EF_WIDE};
    struct hnsw_hit best = {0};
    size_t n;
    enum seam_status st = search(x, EF_WIDE, &filter, f);

    seam_buf_str(&x->l->story,
                 "Only every tenth key may be returned. How many match decides the way "
                 "(regime): walk everything and keep what matches, walk "
                 "matching nodes through their neighbours' neighbours, or, when few "
                 "match, just measure them all.");
    if (st == SEAM_OK) st = lab_step(x->l, "With a filter", f);
    if (st == SEAM_OK) st = hnsw_search(x->h, &q, &best, &n, NULL, f);
    if (st == SEAM_OK) st = hnsw_delete(x->h, best.key, 11 + x->n, f);
    if (st == SEAM_OK) st = search(x, EF_WIDE, NULL, f);
    if (st == SEAM_OK) st = draw_health(x, f);
    seam_buf_printf(
        &x->l->story,
        "The nearest, key %" PRIu64 ", is deleted. It becomes a tombstone: walks still pass "
        "through it, so nothing behind it is "
        "lost, but it is never returned. Maintenance will unlink it and repair the lists "
        "around it.",
        best.key);
    return st == SEAM_OK ? lab_step(x->l, "A deletion", f) : st;
}

enum seam_status lab_play_hnsw(struct lab *l, struct seam_fault *f)
{
    struct lab_hnsw_world x = {.l = l};
    enum seam_status st = take_vectors(&x, f);

    if (st == SEAM_OK) st = build(&x, f);
    if (st == SEAM_OK) st = walks(&x, f);
    if (st == SEAM_OK) st = filtered(&x, f);
    hnsw_close(x.h);
    return st;
}
