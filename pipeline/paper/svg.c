#include "pipeline/paper/svg.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/paper/page.h"

void svg_begin(struct buf *b, double width, double height, const char *label)
{
    buf_printf(b, "<svg viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" role=\"img\" aria-label=\"", width,
               height, width);
    page_words(b, label);
    buf_str(b, "\">");
}

void svg_box(struct buf *b, const char *class, double x, double y, double w, double h)
{
    buf_printf(b,
               "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"3\"/>",
               class, x, y, w, h);
}

void svg_line(struct buf *b, const char *class, double x1, double y1, double x2, double y2)
{
    buf_printf(b, "<path class=\"%s\" d=\"M%.1f %.1fL%.1f %.1f\"/>", class, x1, y1, x2, y2);
}

void svg_circle(struct buf *b, const char *class, double x, double y, double r)
{
    buf_printf(b, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>", class, x, y, r);
}

void svg_words(struct buf *b, const char *class, double x, double y, const char *fmt, ...)
{
    char words[160];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(words, sizeof words, fmt, ap);
    va_end(ap);
    buf_printf(b, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
    page_words(b, words);
    buf_str(b, "</text>");
}

void svg_end(struct buf *b)
{
    buf_str(b, "</svg>");
}
