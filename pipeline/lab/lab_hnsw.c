/* lab_hnsw - vectors of two numbers, so that the graph can be drawn: building it, walking it, walking around a filter. */
#include <inttypes.h>
#include <string.h>

#include "engine/rng.h"
#include "hnsw/hnsw.h"
#include "pipeline/lab/scenarios.h"

enum { POINTS = 200, K = 3, SIDE = 460 };

struct world {
    struct lab *l;
    struct hnsw *h;
    float at[POINTS][2];
    float query[2];
};

/* Points in a few clumps, as real embeddings lie. */
static void scatter(struct world *x)
{
    struct rng rng;
    float centre[6][2];

    rng_seed(&rng, x->l->in.seed);
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 2; j++)
            centre[i][j] = (float)(0.15 + 0.7 * rng_double(&rng));
    for (int i = 0; i < POINTS; i++)
        for (int j = 0; j < 2; j++)
            x->at[i][j] = centre[i % 6][j] + (float)(0.07 * rng_normal(&rng));
    for (int j = 0; j < 2; j++)
        x->query[j] = (float)(0.1 + 0.8 * rng_double(&rng));
}

static double sx(float v)
{
    return 20 + (double)v * (SIDE - 40);
}

static void svg_points(struct world *x, uint64_t count, bool query)
{
    struct buf *b = &x->l->svg;

    buf_printf(b,
               "<svg viewBox=\"0 0 %d %d\" width=\"%d\" role=\"img\" aria-label=\"%" PRIu64
               " points\">",
               SIDE, SIDE, SIDE, count);
    for (uint64_t i = 0; i < count; i++)
        buf_printf(b, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>", sx(x->at[i][0]),
                   sx(x->at[i][1]));
    if (query)
        buf_printf(b, "<rect class=\"hot\" x=\"%.1f\" y=\"%.1f\" width=\"9\" height=\"9\"/>",
                   sx(x->query[0]) - 4.5, sx(x->query[1]) - 4.5);
}

static enum status add(struct world *x, uint64_t from, uint64_t to, struct fault *f)
{
    enum status st = ST_OK;

    for (uint64_t key = from; st == ST_OK && key < to; key++)
        st = hnsw_upsert(x->h, key, x->at[key], 10 + key, f);
    return st;
}

static enum status draw_health(struct world *x, struct fault *f)
{
    struct hnsw_health h;
    struct hnsw_info info;
    enum status st = hnsw_health(x->h, &h, f);

    if (st != ST_OK) return st;
    hnsw_info(x->h, &info);
    buf_printf(&x->l->draw,
               "%" PRIu64 " vectors live, %" PRIu64 " dead, %" PRIu64
               " reachable from the entry point on layer %u\n",
               h.live, h.dead, h.reachable, info.entry_level);
    for (unsigned i = 0; i <= info.max_level; i++)
        buf_printf(&x->l->draw, "layer %u is the top of %" PRIu64 " nodes\n", i, h.level[i]);
    buf_str(&x->l->draw, "links a node on layer 0:");
    for (unsigned i = 0; i < HNSW_DEGREE_BINS; i++)
        if (h.degree[i] > 0) buf_printf(&x->l->draw, " %u:%" PRIu64, i, h.degree[i]);
    buf_str(&x->l->draw, "\n");
    return ST_OK;
}

/* The hops of the search just made, as text and as a path through the points.                        */
static void draw_hops(struct world *x)
{
    double fx = 0, fy = 0;
    int n = 0;

    for (size_t i = 0; i < trace_log_count(x->l->log); i++) {
        const struct trace_event *e = trace_log_at(x->l->log, i);
        int64_t node = lab_arg(e, "node");
        double dx, dy;

        if ((strcmp(e->name, "hop") != 0 && strcmp(e->name, "descend") != 0) || node < 0 ||
            node >= POINTS)
            continue;
        dx = (double)(x->at[node][0] - x->query[0]);
        dy = (double)(x->at[node][1] - x->query[1]);
        buf_printf(&x->l->draw,
                   "  layer %" PRId64 "  at node %-4" PRId64 " distance %.4f  %" PRId64
                   " neighbours measured",
                   lab_arg(e, "level"), node, dx * dx + dy * dy, lab_arg(e, "neighbours"));
        if (strcmp(e->name, "hop") == 0)
            buf_printf(&x->l->draw, "  pool of candidates %" PRId64, lab_arg(e, "pool"));
        buf_str(&x->l->draw, "\n");
        if (n++ > 0)
            buf_printf(&x->l->svg, "<path class=\"path\" d=\"M%.1f %.1fL%.1f %.1f\"/>", fx, fy,
                       sx(x->at[node][0]), sx(x->at[node][1]));
        fx = sx(x->at[node][0]);
        fy = sx(x->at[node][1]);
    }
}

/* One search, drawn, held against measuring every vector.                                            */
static enum status search(struct world *x, uint32_t ef, const struct hnsw_filter *filter,
                          struct fault *f)
{
    const struct hnsw_query q = {.vector = x->query, .k = K, .ef = ef, .filter = filter};
    struct hnsw_hit hits[K], exact[K];
    struct hnsw_stats s;
    size_t n = 0, m = 0, right = 0;
    enum status st;

    trace_log_clear(x->l->log);
    st = hnsw_search(x->h, &q, hits, &n, &s, f);
    if (st == ST_OK) st = hnsw_exact(x->h, &q, exact, &m, f);
    if (st != ST_OK) return st;
    svg_points(x, POINTS, true);
    buf_printf(&x->l->draw, "efSearch %u: %u hops, %u distances of %d, way: %s\n", s.ef, s.hops,
               s.distances, POINTS, hnsw_regime_name(s.regime));
    draw_hops(x);
    for (size_t i = 0; i < n; i++) {
        bool found = false;

        for (size_t j = 0; j < m; j++)
            found = found || exact[j].key == hits[i].key;
        right += found;
        buf_printf(&x->l->draw, "  %zu. key %" PRIu64 " at %.4f%s\n", i + 1, hits[i].key,
                   (double)hits[i].distance, found ? "" : "   (not among the true nearest)");
        buf_printf(&x->l->svg, "<circle class=\"ring\" cx=\"%.1f\" cy=\"%.1f\" r=\"7\"/>",
                   sx(x->at[hits[i].key][0]), sx(x->at[hits[i].key][1]));
    }
    buf_printf(&x->l->draw, "recall: %zu of %zu\n", right, m);
    buf_str(&x->l->svg, "</svg>");
    return ST_OK;
}

static enum status build(struct world *x, struct fault *f)
{
    const struct hnsw_options o = {
        .dim = 2, .metric = HNSW_L2, .m = 4, .ef_construction = 16, .seed = x->l->in.seed};
    const struct hnsw_config cfg = {.clock = &x->l->clock.clock, .trace = x->l->trace};
    enum status st = hnsw_new(&o, &cfg, &x->h, f);

    if (st == ST_OK) st = add(x, 0, 5, f);
    if (st == ST_OK) st = draw_health(x, f);
    svg_points(x, 5, false);
    buf_str(&x->l->svg, "</svg>");
    buf_str(&x->l->story, "Five vectors. Each new one searches the graph there is for its nearest, "
                          "links to some of them, and is linked back "
                          "(node_link: found so many candidates, took so many). Its top layer is "
                          "drawn by lot: each layer holds about a "
                          "quarter of the one below.");
    if (st == ST_OK) st = lab_step(x->l, "The first vectors", f);
    if (st == ST_OK) st = add(x, 5, POINTS, f);
    if (st == ST_OK) st = draw_health(x, f);
    svg_points(x, POINTS, false);
    buf_str(&x->l->svg, "</svg>");
    buf_printf(&x->l->story,
               "%d vectors, in clumps. When a list is full, links_prune decides who stays: a "
               "neighbour that is nearer to another "
               "neighbour than to the node is left out, which keeps the long links that lead from "
               "clump to clump.",
               POINTS);
    return st == ST_OK ? lab_step(x->l, "The whole graph", f) : st;
}

static enum status walks(struct world *x, struct fault *f)
{
    enum status st = search(x, K, NULL, f);

    buf_str(&x->l->story,
            "A search begins at the entry point on the top layer, goes to whichever neighbour is "
            "nearer to the query until none is "
            "(descend), and takes that place one layer down. On layer 0 it keeps the efSearch best "
            "candidates and always "
            "reads the list of the nearest one not read yet (hop). With efSearch 3 it ends early.");
    if (st == ST_OK) st = lab_step(x->l, "A greedy walk", f);
    if (st == ST_OK) st = search(x, 32, NULL, f);
    buf_str(&x->l->story, "The same search with efSearch 32: a wider pool, more hops, more "
                          "distances, and less chance to miss one.");
    return st == ST_OK ? lab_step(x->l, "efSearch buys recall", f) : st;
}

static bool every_tenth(void *ctx, uint64_t key)
{
    (void)ctx;
    return key % 10 == 0;
}

static enum status filtered(struct world *x, struct fault *f)
{
    const struct hnsw_filter filter = {.match = every_tenth};
    const struct hnsw_query q = {.vector = x->query, .k = 1, .ef = 32};
    struct hnsw_hit best;
    size_t n;
    enum status st = search(x, 32, &filter, f);

    buf_str(&x->l->story, "Only every tenth key may be returned. How many match decides the way "
                          "(regime): walk everything and keep what matches, walk "
                          "matching nodes through their neighbours' neighbours, or, when few "
                          "match, just measure them all.");
    if (st == ST_OK) st = lab_step(x->l, "With a filter", f);
    if (st == ST_OK) st = hnsw_search(x->h, &q, &best, &n, NULL, f);
    if (st == ST_OK) st = hnsw_delete(x->h, best.key, 10 + POINTS, f);
    if (st == ST_OK) st = search(x, 32, NULL, f);
    if (st == ST_OK) st = draw_health(x, f);
    buf_printf(&x->l->story,
               "The nearest, key %" PRIu64 ", is deleted. It becomes a tombstone: walks still pass "
                                           "through it, so nothing behind it is "
               "lost, but it is never returned. Maintenance will unlink it and repair the lists "
               "around it.",
               best.key);
    return st == ST_OK ? lab_step(x->l, "A deletion", f) : st;
}

enum status lab_play_hnsw(struct lab *l, struct fault *f)
{
    struct world x = {.l = l};
    enum status st;

    scatter(&x);
    st = build(&x, f);
    if (st == ST_OK) st = walks(&x, f);
    if (st == ST_OK) st = filtered(&x, f);
    hnsw_close(x.h);
    return st;
}
