/* svg - pictures for HTML pages, made of boxes, lines and words.
 *
 * A picture says in words what it shows (aria-label), and nothing in it is told by colour alone.
 * Classes, styled in pipeline/paper/page.c: box (outline), fill (as full as), hot (what to look at), off
 * (left out: dashed), second (the other of two), path (the way taken), edge, link, dot, seen, ring,
 * dim (small words), changed. */
#ifndef SEAM_PIPELINE_SVG_H
#define SEAM_PIPELINE_SVG_H

#include "engine/base/buf.h"

enum { SVG_WIDTH = 880, SVG_ROW = 18 }; /* px: a picture, a line of words */

/* Lengths are CSS pixels; y grows downwards; a word's y is its baseline. */
void paper_svg_begin(struct seam_buf *b, double width, double height, const char *label);
void paper_svg_box(struct seam_buf *b, const char *class, double x, double y, double w, double h);
void paper_svg_line(struct seam_buf *b, const char *class, double x1, double y1, double x2,
                    double y2);
void paper_svg_circle(struct seam_buf *b, const char *class, double x, double y, double r);
void paper_svg_words(struct seam_buf *b, const char *class, double x, double y, const char *fmt,
                     ...) SEAM_PRINTF_LIKE(5, 6);
void paper_svg_end(struct seam_buf *b);

#endif
