/* tree_svg - the row store's drawing of a tree as boxes: one a page, filled as far as it is full. */
#include <stdio.h>
#include <string.h>

#include "pipeline/lab/draw.h"

enum { PAGES_MAX = 64, BOX_W = 96, BOX_H = 40, GAP_X = 12, GAP_Y = 36, MARGIN = 8 };

struct page_box {
    unsigned depth, page, keys, full;
    int parent;
    double x;
};

/* "  inner 7: 3 keys, 20% full, epoch ..." of oltp_dump_tree; the depth is the indent.               */
static size_t read_pages(const char *text, struct page_box *p)
{
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
        if (p[n].depth >= ARRAY_LEN(open)) continue;
        p[n].parent = p[n].depth == 0 ? -1 : open[p[n].depth - 1];
        open[p[n].depth] = (int)n;
        n++;
    }
    return n;
}

/* Leaves stand side by side; a page stands over the middle of its children.                          */
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

void lab_svg_tree(struct lab *l)
{
    struct page_box p[PAGES_MAX];
    size_t n = read_pages(buf_cstr(&l->draw), p);
    double width;
    unsigned deepest = 0;

    if (n == 0) return;
    width = place(p, n);
    for (size_t i = 0; i < n; i++)
        deepest = p[i].depth > deepest ? p[i].depth : deepest;
    buf_printf(&l->svg,
               "<svg viewBox=\"0 0 %.0f %u\" width=\"%.0f\" role=\"img\" aria-label=\"A tree of "
               "%zu pages, %u levels\">",
               width, (deepest + 1) * (BOX_H + GAP_Y), width, n, deepest + 1);
    for (size_t i = 0; i < n; i++) {
        double y = MARGIN + p[i].depth * (double)(BOX_H + GAP_Y);

        if (p[i].parent >= 0)
            buf_printf(&l->svg, "<path class=\"edge\" d=\"M%.0f %.0fL%.0f %.0f\"/>",
                       p[p[i].parent].x + BOX_W / 2.0, y - GAP_Y, p[i].x + BOX_W / 2.0, y);
        buf_printf(&l->svg,
                   "<rect class=\"fill\" x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%d\"/>",
                   p[i].x, y, BOX_W * p[i].full / 100.0, BOX_H);
        buf_printf(&l->svg,
                   "<rect class=\"box\" x=\"%.0f\" y=\"%.0f\" width=\"%d\" height=\"%d\"/>", p[i].x,
                   y, BOX_W, BOX_H);
        buf_printf(&l->svg,
                   "<text x=\"%.0f\" y=\"%.0f\">page %u</text><text x=\"%.0f\" y=\"%.0f\">%u keys "
                   "%u%%</text>",
                   p[i].x + 5, y + 16, p[i].page, p[i].x + 5, y + 33, p[i].keys, p[i].full);
    }
    buf_str(&l->svg, "</svg>");
}
