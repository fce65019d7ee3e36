/* draw - the pictures that more than one lab makes, drawn into l->svg and taken by lab_step. */
#ifndef SEAM_PIPELINE_LAB_DRAW_H
#define SEAM_PIPELINE_LAB_DRAW_H

#include "pipeline/lab/lab.h"
#include "pipeline/paper/svg.h"

/* A row of boxes joined by arrows, each with up to two lines of words. */
struct lab_svg_station {
    const char *name, *note; /* note: NULL = none */
    const char *class;       /* of the box */
    bool broken;             /* the arrow that leads here does not hold */
};
void lab_svg_chain(struct lab *l, const char *label, const struct lab_svg_station *s, size_t n);

/* Horizontal bars, each named on the left and told in words at its end; up to two parts. */
struct lab_svg_bar {
    const char *name, *words;
    double part, second; /* of the longest possible: 0 to 1, together at most 1 */
};
void lab_svg_bars(struct lab *l, const char *label, const struct lab_svg_bar *bars, size_t n);

/* l->draw holds an oltp_dump_tree: the same as a tree of pages, each as full as it is. */
void lab_svg_tree(struct lab *l);

#endif
