/* pictures - drawings that several labs share. */
#include <stdio.h>
#include <string.h>

#include "pipeline/lab/draw.h"

enum { STATION_W = 132, STATION_H = 46, STATION_GAP = 26, CHAIN_ROW = 6 };
enum { BAR_NAME = 300, BAR_FULL = 330, BAR_H = 16, BAR_STEP = 26, EDGE = 8 };

/* An arrow from one station to the next, or down and back to the left where a row ends. */
static void arrow(struct seam_buf *b, double x, double y, bool turn, bool broken)
{
    const char *class = broken ? "path broken" : "edge";
    double mid = y + STATION_H / 2.0;

    if (turn) {
        paper_svg_line(b, class, x + STATION_W / 2.0, y - STATION_GAP, x + STATION_W / 2.0, y);
        return;
    }
    paper_svg_line(b, class, x - STATION_GAP, mid, x - 2, mid);
    paper_svg_line(b, class, x - 8, mid - 4, x - 2, mid);
    paper_svg_line(b, class, x - 8, mid + 4, x - 2, mid);
    if (broken) {
        paper_svg_line(b, class, x - STATION_GAP / 2.0 - 5, mid - 6, x - STATION_GAP / 2.0 + 3,
                       mid + 6);
        paper_svg_line(b, class, x - STATION_GAP / 2.0 - 5, mid + 6, x - STATION_GAP / 2.0 + 3,
                       mid - 6);
    }
}

void lab_svg_chain(struct lab *l, const char *label, const struct lab_svg_station *s, size_t n)
{
    struct seam_buf *b = &l->svg;
    size_t rows = (n + CHAIN_ROW - 1) / CHAIN_ROW, wide = n < CHAIN_ROW ? n : CHAIN_ROW;

    paper_svg_begin(b, EDGE * 2 + (double)wide * (STATION_W + STATION_GAP) - STATION_GAP,
                    EDGE * 2 + (double)rows * (STATION_H + STATION_GAP) - STATION_GAP, label);
    for (size_t i = 0; i < n; i++) {
        double x = EDGE + (double)(i % CHAIN_ROW) * (STATION_W + STATION_GAP);
        double y = EDGE + (double)(i / CHAIN_ROW) * (STATION_H + STATION_GAP);

        if (i > 0 && i % CHAIN_ROW != 0) arrow(b, x, y, false, s[i].broken);
        if (i > 0 && i % CHAIN_ROW == 0) arrow(b, x, y, true, s[i].broken);
        paper_svg_box(b, s[i].class, x, y, STATION_W, STATION_H);
        paper_svg_words(b, "", x + 8, y + 19, "%.15s", s[i].name);
        if (s[i].note != NULL) paper_svg_words(b, "dim", x + 8, y + 37, "%.16s", s[i].note);
    }
    paper_svg_end(b);
}

void lab_svg_bars(struct lab *l, const char *label, const struct lab_svg_bar *bars, size_t n)
{
    struct seam_buf *b = &l->svg;

    paper_svg_begin(b, SVG_WIDTH, EDGE * 2 + (double)n * BAR_STEP, label);
    for (size_t i = 0; i < n; i++) {
        double y = EDGE + (double)i * BAR_STEP, first = bars[i].part * BAR_FULL,
               second = bars[i].second * BAR_FULL;

        paper_svg_words(b, "", EDGE, y + 13, "%.36s", bars[i].name);
        paper_svg_box(b, "fill", BAR_NAME, y, first, BAR_H);
        if (second > 0) paper_svg_box(b, "second", BAR_NAME + first, y, second, BAR_H);
        paper_svg_line(b, "edge", BAR_NAME, y - 2, BAR_NAME, y + BAR_H + 2);
        paper_svg_words(b, "dim", BAR_NAME + first + second + 8, y + 13, "%s", bars[i].words);
    }
    paper_svg_end(b);
}
