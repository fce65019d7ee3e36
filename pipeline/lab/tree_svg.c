/* tree_svg - the row store's drawing of a tree as a picture: one glass a page, filled as far as it
 * is full. */
#include <stdio.h>
#include <string.h>

#include "pipeline/lab/draw.h"

enum { PAGES_MAX = 64, BOX_W = 40, BOX_H = 46, GAP_X = 6, GAP_Y = 34, MARGIN = 8, NAME_H = 16 };

struct page_box {
    unsigned depth, page, keys, full;
    int parent;
    double x;
    bool new;
};

/* "  inner 7: 3 keys, 20% full, epoch ..." of oltp_dump_tree; the depth is the indent. */
static size_t read_pages(struct lab *l, struct page_box *p)
{
    const char *text = seam_buf_cstr(&l->draw);
    const struct lab_step *before = lab_same_picture(l, text);
    int open[16];
    size_t n = 0;

    for (const char *line = text; line != NULL && n < PAGES_MAX;
         line = strchr(line, '\n') != NULL ? strchr(line, '\n') + 1 : NULL) {
        size_t indent = strspn(line, " ");
        char kind[16];

        if (indent < 2 || sscanf(line + indent, "%15s %u: %u keys, %u%% full", kind, &p[n].page,
                                 &p[n].keys, &p[n].full) != 4)
            continue;
        p[n].depth = (unsigned)(indent / 2) - 1;
        if (p[n].depth >= SEAM_ARRAY_LEN(open)) continue;
        p[n].parent = p[n].depth == 0 ? -1 : open[p[n].depth - 1];
        p[n].new = before != NULL && !lab_had_line(before, line, strcspn(line, "\n"));
        open[p[n].depth] = (int)n;
        n++;
    }
    return n;
}

/* Leaves stand side by side; a page stands over the middle of its children. */
static double place(struct page_box *p, size_t n)
{
    double next = MARGIN;

    for (size_t i = 0; i < n; i++) {
        bool leaf = i + 1 == n || p[i + 1].depth <= p[i].depth;

        if (!leaf) continue;
        p[i].x = next;
        next += BOX_W + GAP_X;
    }
    for (size_t i = n; i-- > 0;) {
        double lo = 1e9, hi = -1;

        for (size_t j = i + 1; j < n; j++) {
            if (p[j].parent != (int)i) continue;
            if (p[j].x < lo) lo = p[j].x;
            if (p[j].x > hi) hi = p[j].x;
        }
        if (hi >= 0) p[i].x = (lo + hi) / 2;
    }
    return next;
}

static void draw_page(struct seam_buf *b, const struct page_box *p, const struct page_box *parent)
{
    double y = MARGIN + NAME_H + p->depth * (double)(BOX_H + GAP_Y + NAME_H);
    double full = BOX_H * p->full / 100.0;

    if (parent != NULL)
        paper_svg_line(b, "edge", parent->x + BOX_W / 2.0, y - GAP_Y - NAME_H, p->x + BOX_W / 2.0,
                       y - NAME_H);
    paper_svg_words(b, p->new ? "changed" : "dim", p->x + 2, y - 4, "%s%u", p->new ? "*" : "p",
                    p->page);
    paper_svg_box(b, p->new ? "hotfill" : "fill", p->x, y + BOX_H - full, BOX_W, full);
    paper_svg_box(b, "box", p->x, y, BOX_W, BOX_H);
    paper_svg_words(b, "", p->x + 4, y + 20, "%u", p->keys);
    paper_svg_words(b, "dim", p->x + 4, y + 38, "%u%%", p->full);
}

void lab_svg_tree(struct lab *l)
{
    struct page_box p[PAGES_MAX];
    char label[120];
    double width, foot;
    unsigned deepest = 0;
    size_t n;

    n = read_pages(l, p);
    if (n == 0) return;
    width = place(p, n);
    for (size_t i = 0; i < n; i++) deepest = p[i].depth > deepest ? p[i].depth : deepest;
    foot = MARGIN + (deepest + 1) * (double)(BOX_H + GAP_Y + NAME_H) - GAP_Y;
    snprintf(
        label, sizeof label,
        "A tree of %zu pages on %u levels; each page with its number, keys, and how full it is", n,
        deepest + 1);
    paper_svg_begin(&l->svg, width < 470 ? 470 : width, foot + 32, label);
    for (size_t i = 0; i < n; i++)
        draw_page(&l->svg, &p[i], p[i].parent >= 0 ? &p[p[i].parent] : NULL);
    paper_svg_words(&l->svg, "dim", MARGIN, foot + 22,
                    "p7 a page's number, * new or changed; keys in it; how full");
    paper_svg_end(&l->svg);
}
