/* print - a lab's steps as text: titles, the drawing with what is new marked, the events and who
 * did them. */
#include <string.h>

#include "pipeline/lab/lab.h"

enum { STORY_WIDTH = 100 };

/* A paragraph, broken at blanks. */
static void print_wrapped(const char *s, struct seam_buf *out)
{
    size_t column = 0;

    for (const char *p = s; *p != '\0';) {
        size_t n = strcspn(p, " \n");

        if (column > 0 && column + 1 + n > STORY_WIDTH) {
            seam_buf_str(out, "\n");
            column = 0;
        }
        if (column > 0) {
            seam_buf_str(out, " ");
            column++;
        }
        seam_buf_append(out, p, n);
        column += n;
        p += n;
        p += strspn(p, " \n");
    }
    if (column > 0) seam_buf_str(out, "\n");
}

void lab_print_step(const struct lab *l, size_t i, struct lab_style style, struct seam_buf *out)
{
    const struct lab_step *s = lab_at(l, i);
    const char *bold = style.color ? "\033[1m" : "", *dim = style.color ? "\033[2m" : "";
    const char *new = style.color ? "\033[1;33m" : "", *off = style.color ? "\033[0m" : "";

    seam_buf_printf(out, "%s%zu. %s%s\n", bold, i + 1, s->title, off);
    print_wrapped(s->story, out);
    if (s->line_count > 0) seam_buf_str(out, "\n");
    for (size_t j = 0; j < s->line_count; j++)
        seam_buf_printf(out, "%s%s %s%s\n", s->lines[j].changed ? new : "",
                        s->lines[j].changed ? "*" : " ", s->lines[j].text,
                        s->lines[j].changed ? off : "");
    if (s->events_kept > 0) seam_buf_str(out, "\n");
    if (s->event_count > s->events_kept)
        seam_buf_printf(out, "  > %zu events, then\n", s->event_count - s->events_kept);
    for (size_t j = 0; j < s->events_kept; j++) {
        const char *who = strstr(s->events[j], " | ");

        seam_buf_printf(out, "  > %.*s  %s%s%s\n", (int)(who - s->events[j]), s->events[j], dim,
                        who + 3, off);
    }
    if (!style.plain)
        seam_buf_printf(out, "%s--- step %zu of %zu%s\n", dim, i + 1, lab_count(l), off);
    seam_buf_str(out, "\n");
}

void lab_print(const struct lab *l, struct lab_style style, struct seam_buf *out)
{
    seam_buf_printf(out, "%s\n", lab_kind_of(l)->title);
    print_wrapped(lab_kind_of(l)->goal, out);
    seam_buf_str(out, "\n");
    for (size_t i = 0; i < lab_count(l); i++) lab_print_step(l, i, style, out);
}

static bool step_has(const struct lab_step *s, const char *word)
{
    if (strstr(s->title, word) != NULL || strstr(s->story, word) != NULL) return true;
    for (size_t j = 0; j < s->events_kept; j++)
        if (strstr(s->events[j], word) != NULL) return true;
    for (size_t j = 0; j < s->line_count; j++)
        if (strstr(s->lines[j].text, word) != NULL) return true;
    return false;
}

size_t lab_search(const struct lab *l, size_t from, const char *word)
{
    for (size_t n = 0; n < lab_count(l); n++) {
        size_t i = (from + n) % lab_count(l);

        if (step_has(lab_at(l, i), word)) return i;
    }
    return SIZE_MAX;
}
