/* page - what the program's HTML pages share: one style (light, dark, print) and text made safe.
 *
 * A page is one file: no network, no library, readable without a script. */
#ifndef SEAM_PIPELINE_PAGE_H
#define SEAM_PIPELINE_PAGE_H

#include "engine/base/buf.h"

extern const char page_style[];

/* Appends text, with the characters that mean something in HTML (also in an attribute) escaped. */
void page_text(struct buf *out, const char *s, size_t n);
void page_words(struct buf *out, const char *s); /* terminated */
void page_cell(struct buf *out, const char *s);  /* ... in a cell of a table */

#endif
