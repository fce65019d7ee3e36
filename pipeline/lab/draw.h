/* draw - the pictures of a lab's page: SVG made of boxes, lines and words, and the pictures that labs make of it.
 *
 * A picture is drawn into l->svg and taken by lab_step. It says in words what it shows (aria-label), and nothing in it
 * is told by colour alone. Classes, styled in pipeline/page.c: box (outline), fill (as full as), new (changed by this
 * step), hot (what to look at), off (left out: dashed), path (the way taken), edge, dot, ring, dim (small words). */
#ifndef SEAM_PIPELINE_LAB_DRAW_H
#define SEAM_PIPELINE_LAB_DRAW_H

#include "pipeline/lab/lab.h"

enum {
    SVG_WIDTH = 880,
    SVG_ROW = 18,
    SVG_CHAR = 8
}; /* px: a picture, a line of words, a character */

/* Lengths are CSS pixels; y grows downwards; a word's y is its baseline. */
void svg_begin(struct buf *b, double width, double height, const char *label);
void svg_box(struct buf *b, const char *class, double x, double y, double w, double h);
void svg_line(struct buf *b, const char *class, double x1, double y1, double x2, double y2);
void svg_circle(struct buf *b, const char *class, double x, double y, double r);
void svg_words(struct buf *b, const char *class, double x, double y, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
void svg_end(struct buf *b);

/* A row of boxes joined by arrows, each with up to two lines of words. */
struct svg_station {
    const char *name, *note; /* note: NULL = none */
    const char *class;       /* of the box */
    bool broken;             /* the arrow that leads here does not hold */
};
void lab_svg_chain(struct lab *l, const char *label, const struct svg_station *s, size_t n);

/* Horizontal bars, each named on the left and told in words at its end; up to two parts. */
struct svg_bar {
    const char *name, *words;
    double part, second; /* of the longest possible: 0 to 1, together at most 1 */
};
void lab_svg_bars(struct lab *l, const char *label, const struct svg_bar *bars, size_t n);

/* l->draw holds an oltp_dump_tree: the same as a tree of pages, each as full as it is. */
void lab_svg_tree(struct lab *l);

#endif
