/* status_trust - the part of the status page that says why to believe the rest: the last checks,
 * how well vectors are found, and for each number of the dashboard the way it came. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/cli/record.h"
#include "pipeline/cli/status.h"
#include "pipeline/cli/walk.h"
#include "pipeline/paper/page.h"
#include "pipeline/paper/svg.h"
#include "pipeline/sinks/vectors/vectors.h"
#include "pipeline/view/view.h"

/* ---- the last checks ---- */
static void checks(struct seam_buf *b, const struct cli_check_record *r, size_t n)
{
    seam_buf_str(b, "<h2>Last checks</h2>\n");
    if (n == 0) {
        seam_buf_str(b, "<p>Nothing has been checked yet: <code>seam check DIR all</code>.</p>\n");
        return;
    }
    seam_buf_str(
        b, "<table><thead><tr><th scope=\"col\">check<th scope=\"col\">result<th scope=\"col\">when"
           "<th scope=\"col\">at LSN<th scope=\"col\">found</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n; i++) {
        char lsn[24], when[24];

        snprintf(lsn, sizeof lsn, "%" PRIu64, r[i].lsn);
        snprintf(when, sizeof when, "%.19s", r[i].at);
        seam_buf_printf(b, "<tr class=\"%s\"><th scope=\"row\">",
                        strcmp(r[i].result, "kept") == 0 ? "" : "fail");
        paper_page_words(b, r[i].check);
        seam_buf_str(b, "</th>");
        paper_page_cell(b, r[i].result);
        paper_page_cell(b, when);
        paper_page_cell(b, lsn);
        paper_page_cell(b, r[i].detail);
        seam_buf_str(b, "</tr>\n");
    }
    seam_buf_str(b, "</tbody></table>\n");
}

/* ---- the recall chart ---- */
enum { CHART_W = 640, CHART_H = 300, CHART_L = 70, CHART_R = 20, CHART_T = 20, CHART_B = 46 };

struct chart {
    double low, ef_min, ef_max; /* recall at the bottom; efs at the sides */
};

static double chart_x(const struct chart *c, double ef)
{
    double span = log2(c->ef_max / c->ef_min);

    return CHART_L + (CHART_W - CHART_L - CHART_R) * (span > 0 ? log2(ef / c->ef_min) / span : 0.5);
}
static double chart_y(const struct chart *c, double recall)
{
    return CHART_T + (CHART_H - CHART_T - CHART_B) * (1 - (recall - c->low) / (1 - c->low));
}

/* What both curves reach, with a little room. */
static struct chart chart_of(const struct hnsw_point *p, size_t n, const struct cli_check_record *r)
{
    struct chart c = {.low = 1, .ef_min = 1e9, .ef_max = 1};

    for (size_t i = 0; i < n; i++) {
        c.low = fmin(c.low, p[i].recall_low);
        c.ef_min = fmin(c.ef_min, p[i].ef);
        c.ef_max = fmax(c.ef_max, p[i].ef);
    }
    if (r != NULL) {
        c.low = fmin(c.low, fmin(r->recall_low, r->promised));
        c.ef_min = fmin(c.ef_min, r->ef);
        c.ef_max = fmax(c.ef_max, r->ef);
    }
    c.low = fmax(0, floor(c.low * 20 - 0.5) / 20);
    if (c.ef_min < 1) c.ef_min = 1;
    if (c.ef_max <= c.ef_min) c.ef_min /= 2, c.ef_max = c.ef_min * 4;
    return c;
}

static void chart_axes(struct seam_buf *b, const struct chart *c)
{
    paper_svg_line(b, "edge", CHART_L, CHART_T, CHART_L, CHART_H - CHART_B);
    paper_svg_line(b, "edge", CHART_L, CHART_H - CHART_B, CHART_W - CHART_R, CHART_H - CHART_B);
    for (int i = 0; i <= 4; i++) {
        double recall = c->low + (1 - c->low) * i / 4, y = chart_y(c, recall);

        paper_svg_line(b, "link", CHART_L, y, CHART_W - CHART_R, y);
        paper_svg_words(b, "dim", 20, y + 4, "%.3f", recall);
    }
    for (double ef = exp2(ceil(log2(c->ef_min))); ef <= c->ef_max; ef *= 2)
        paper_svg_words(b, "dim", chart_x(c, ef) - 8, CHART_H - CHART_B + 18, "%.0f", ef);
    paper_svg_words(b, "dim", CHART_W / 2.0 - 60, CHART_H - 8, "efSearch; recall upwards");
}

/* `p`: the tuned curve, by ef, of one k; `r`: the last check's measurement (NULL: none). */
static void chart(struct seam_buf *b, const struct hnsw_point *p, size_t n,
                  const struct cli_check_record *r, double pinned)
{
    const struct chart c = chart_of(p, n, r);

    seam_buf_str(b, "<figure>");
    paper_svg_begin(b, CHART_W, CHART_H,
                    "Recall by efSearch: the tuned curve, the last check, the promise");
    chart_axes(b, &c);
    for (size_t i = 0; i < n; i++) {
        double x = chart_x(&c, p[i].ef);

        if (i > 0)
            paper_svg_line(b, "path", chart_x(&c, p[i - 1].ef), chart_y(&c, p[i - 1].recall_mean),
                           x, chart_y(&c, p[i].recall_mean));
        paper_svg_line(b, "edge", x, chart_y(&c, p[i].recall_low), x,
                       chart_y(&c, p[i].recall_mean));
        paper_svg_circle(b, "dot", x, chart_y(&c, p[i].recall_mean), 3);
    }
    if (pinned > 0)
        paper_svg_line(b, "off", CHART_L, chart_y(&c, pinned), CHART_W - CHART_R,
                       chart_y(&c, pinned));
    if (r != NULL) {
        double x = chart_x(&c, r->ef);

        paper_svg_line(b, "off", CHART_L, chart_y(&c, r->promised), CHART_W - CHART_R,
                       chart_y(&c, r->promised));
        paper_svg_line(b, "path", x, chart_y(&c, r->recall_low), x, chart_y(&c, r->recall_high));
        paper_svg_circle(b, "ring", x, chart_y(&c, r->recall_mean), 6);
    }
    paper_svg_end(b);
    seam_buf_str(b, "</figure>\n");
}

static int by_ef(const void *a, const void *b)
{
    const struct hnsw_point *x = a, *y = b;

    return (x->ef > y->ef) - (x->ef < y->ef);
}

/* One curve: the points of the k that has most, by ef. */
static size_t one_curve(struct hnsw_point *p, size_t n)
{
    uint32_t best = 0;
    size_t most = 0, kept = 0;

    for (size_t i = 0; i < n; i++) {
        size_t same = 0;

        for (size_t j = 0; j < n; j++) same += p[j].k == p[i].k;
        if (same > most) most = same, best = p[i].k;
    }
    for (size_t i = 0; i < n; i++)
        if (p[i].k == best) p[kept++] = p[i];
    if (kept > 1) qsort(p, kept, sizeof *p, by_ef);
    return kept;
}

static enum seam_status recall(const struct platform *p, struct seam_buf *b,
                               const struct cli_check_record *r, struct seam_fault *f)
{
    struct hnsw_point points[HNSW_POINTS_MAX];
    struct hnsw_info info = {0};
    struct sink_vectors_current current = {0};
    struct hnsw *h = NULL;
    size_t n = 0;
    enum seam_status st = SEAM_NOT_FOUND;

    if (platform_sink_config(p, "vectors") != NULL) st = sink_vectors_current(p, &current, f);
    if (st == SEAM_OK) st = hnsw_open_reader(p->io, current.dir, SEAM_LSN_MAX, NULL, &h, f);
    if (st == SEAM_OK) {
        hnsw_info(h, &info);
        n = one_curve(points, hnsw_points(h, points));
    }
    hnsw_close(h);
    if (st == SEAM_NOT_FOUND) seam_fault_clear(f); /* nothing is served yet */
    if (st != SEAM_OK && st != SEAM_NOT_FOUND) return st;
    seam_buf_str(b, "<h2>Recall of the vector search</h2>\n");
    if (n == 0 && r == NULL) {
        seam_buf_str(
            b, "<p>Not measured yet: <code>seam check DIR recall</code> measures what serves, "
               "<code>seam tune DIR --pin</code> the whole curve.</p>\n");
        return SEAM_OK;
    }
    seam_buf_str(b, "<p>");
    if (n > 0)
        seam_buf_printf(
            b,
            "The line is the curve that <code>seam tune</code> pinned (recall@%u; whiskers: "
            "to the lower 95&nbsp;%% bound), which serves recall %.3f. ",
            points[0].k, info.default_recall);
    if (r != NULL)
        seam_buf_printf(b,
                        "The ring is the last check: %.4f (%.4f to %.4f) at ef %u, promised %.3f "
                        "(dashed). ",
                        r->recall_mean, r->recall_low, r->recall_high, r->ef, r->promised);
    seam_buf_str(b, "</p>\n");
    chart(b, points, n, r, n > 0 ? info.default_recall : 0);
    return SEAM_OK;
}

/* ---- numbers, and the way each came ---- */
struct numbers {
    struct cli *cli;
    const struct platform *platform;
    struct seam_buf *b;
    const char *view;
    int64_t left; /* groups still to be shown of this view */
};

static void value_text(const struct seam_value *v, struct seam_buf *out)
{
    if (v->type == SEAM_V_NULL)
        seam_buf_str(out, "NULL");
    else
        seam_value_format(v, out);
}

/* The words of the group's key, as `seam why` takes them: a column that is a GROUP BY key, or one
 * made of it (coalesce(category, ...) AS category). */
static int key_words(const struct view_column *columns, int n, struct seam_buf *words,
                     const char **key)
{
    int keys = 0;

    for (int i = 0; i < n; i++)
        if (columns[i].group >= 0 || columns[i].of_key) key[keys++] = seam_buf_cstr(&words[i]);
    return keys;
}

static enum seam_status number(void *ctx, const struct view_column *columns, int n,
                               const struct seam_value *row)
{
    struct numbers *x = ctx;
    struct seam_buf words[VIEW_COLUMNS_MAX] = {{0}}, why = {0};
    const char *key[VIEW_COLUMNS_MAX] = {NULL};
    bool right = true;
    enum seam_status st;

    if (x->left-- <= 0) return SEAM_END;
    seam_buf_str(x->b, "<details><summary>");
    for (int i = 0; i < n; i++) {
        value_text(&row[i], &words[i]);
        seam_buf_str(x->b, i > 0 ? ", " : "");
        paper_page_words(x->b, columns[i].name);
        seam_buf_str(x->b, " <strong>");
        paper_page_words(x->b, seam_buf_cstr(&words[i]));
        seam_buf_str(x->b, "</strong>");
    }
    st = why_explain(x->cli, x->platform, x->view, key, key_words(columns, n, words, key), &why,
                     &right);
    if (st != SEAM_OK) { /* this number cannot be traced; the others can */
        seam_buf_str(&why, x->cli->fault.why);
        seam_fault_clear(&x->cli->fault);
    }
    seam_buf_printf(x->b, "%s</summary>\n<pre tabindex=\"0\" aria-label=\"Lineage\">",
                    st != SEAM_OK ? " (not traced)"
                    : right       ? ""
                                  : " <mark>the layers disagree</mark>");
    paper_page_words(x->b, seam_buf_cstr(&why));
    seam_buf_str(x->b, "</pre></details>\n");
    for (int i = 0; i < n; i++) seam_buf_free(&words[i]);
    seam_buf_free(&why);
    return SEAM_OK;
}

static enum seam_status dashboard(struct cli *c, const struct platform *p, int64_t groups,
                                  struct seam_buf *b)
{
    struct view_reader *r = NULL;
    struct view_info views[VIEWS_MAX];
    char dir[SEAM_PATH_MAX_BYTES];
    size_t n = 0;
    enum seam_status st = platform_sink_path(p, "view", dir, &c->fault);

    if (st == SEAM_OK) st = view_reader_open(c->io, dir, &r, &c->fault);
    if (st == SEAM_NOT_FOUND) {
        seam_fault_clear(&c->fault);
        return SEAM_OK;
    }
    if (st != SEAM_OK) return st;
    n = view_reader_list(r, views, VIEWS_MAX);
    seam_buf_printf(
        b,
        "<h2>Numbers, and the way each came</h2>\n<p>The first %" PRId64
        " groups of each view. Open one: its query asked of each layer at that layer's LSN, "
        "and the newest change behind it, down to the log (<code>seam why</code>).</p>\n",
        groups);
    for (size_t i = 0; st == SEAM_OK && i < n && i < VIEWS_MAX; i++) {
        struct numbers x = {c, p, b, views[i].name, groups};

        seam_buf_str(b, "<h3>");
        paper_page_words(b, views[i].name);
        seam_buf_str(b, "</h3>\n");
        st = view_scan(r, views[i].name, number, &x, &c->fault);
    }
    view_reader_close(r);
    return st;
}

enum seam_status status_trust(struct cli *c, const struct platform *p, int64_t groups,
                              struct seam_buf *b)
{
    struct cli_check_record records[RECORDS_MAX];
    const struct cli_check_record *measured = NULL;
    size_t n = 0;
    enum seam_status st = record_read_all(p, records, &n, &c->fault);

    if (st != SEAM_OK) return st;
    checks(b, records, n);
    for (size_t i = 0; i < n; i++)
        if (records[i].has_recall) measured = &records[i];
    if (platform_sink_config(p, "vectors") != NULL) st = recall(p, b, measured, &c->fault);
    if (st == SEAM_OK && groups > 0) st = dashboard(c, p, groups, b);
    return st;
}
