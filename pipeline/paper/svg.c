/* svg - lines, circles and words of a drawing. */
#include "pipeline/paper/svg.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/paper/page.h"

void paper_svg_begin(struct seam_buf *b, double width, double height, const char *label)
{
    seam_buf_printf(b, "<svg viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" role=\"img\" aria-label=\"",
                    width, height, width);
    paper_page_words(b, label);
    seam_buf_str(b, "\">");
}

void paper_svg_box(struct seam_buf *b, const char *class, double x, double y, double w, double h)
{
    seam_buf_printf(
        b, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"3\"/>",
        class, x, y, w, h);
}

void paper_svg_line(struct seam_buf *b, const char *class, double x1, double y1, double x2,
                    double y2)
{
    seam_buf_printf(b, "<path class=\"%s\" d=\"M%.1f %.1fL%.1f %.1f\"/>", class, x1, y1, x2, y2);
}

void paper_svg_circle(struct seam_buf *b, const char *class, double x, double y, double r)
{
    seam_buf_printf(b, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>", class, x, y, r);
}

void paper_svg_words(struct seam_buf *b, const char *class, double x, double y, const char *fmt,
                     ...)
{
    char words[160];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(words, sizeof words, fmt, ap);
    va_end(ap);
    seam_buf_printf(b, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
    paper_page_words(b, words);
    seam_buf_str(b, "</text>");
}

void paper_svg_end(struct seam_buf *b)
{
    seam_buf_str(b, "</svg>");
}
