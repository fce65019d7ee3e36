/* draw - pictures that more than one scenario makes. */
#ifndef SEAM_PIPELINE_LAB_DRAW_H
#define SEAM_PIPELINE_LAB_DRAW_H

#include "pipeline/lab/lab.h"

/* l->draw holds an oltp_dump_tree: the same as boxes, into l->svg. */
void lab_svg_tree(struct lab *l);

#endif
