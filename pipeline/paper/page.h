/* page - what the program's HTML pages share: one style (light, dark, print) and text made safe.
 *
 * A page is one file: no network, no library, readable without a script. */
#ifndef SEAM_PIPELINE_PAGE_H
#define SEAM_PIPELINE_PAGE_H

#include "engine/base/buf.h"

extern const char paper_page_style[];

/* Appends text, with the characters that mean something in HTML (also in an attribute) escaped. */
void paper_page_text(struct seam_buf *out, const char *s, size_t n);
void paper_page_words(struct seam_buf *out, const char *s); /* terminated */
void paper_page_cell(struct seam_buf *out, const char *s);  /* ... in a cell of a table */

#endif
