/* lab - makes steps of what a scenario draws and what the stores trace. */
#include "pipeline/lab/lab.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LAB_TRACE_MAX = 1 << 16 };
static const int64_t lab_begins_us = INT64_C(1767258000000000); /* 2026-01-01 09:00 UTC */

const struct lab_kind *lab_kind_of(const struct lab *l)
{
    return l->kind;
}
size_t lab_count(const struct lab *l)
{
    return l->count;
}
const struct lab_step *lab_at(const struct lab *l, size_t i)
{
    return i < l->count ? &l->steps[i] : NULL;
}

enum seam_status lab_play(const struct lab_kind *kind, const struct lab_input *in, struct lab **out,
                          struct seam_fault *f)
{
    struct lab *l = calloc(1, sizeof *l);
    enum seam_status st = SEAM_OK;

    if (l == NULL)
        return seam_fault_set(f, SEAM_NOMEM, kind->name, SEAM_FAULT_NO_OFFSET,
                              "no memory for the lab");
    l->kind = kind;
    l->in = *in;
    if (l->in.seed == 0) l->in.seed = 3;
    l->disk = seam_io_sim_new(l->in.seed);
    l->log = seam_trace_log_new(LAB_TRACE_MAX);
    if (l->disk == NULL || l->log == NULL)
        st = seam_fault_set(f, SEAM_NOMEM, kind->name, SEAM_FAULT_NO_OFFSET,
                            "no memory for the lab");
    if (st == SEAM_OK) {
        l->io = seam_io_sim_io(l->disk);
        l->trace = seam_trace_log_trace(l->log);
        seam_clock_sim_init(&l->clock, lab_begins_us);
        l->clock.tick_us = 1;
        st = kind->play(l, f);
    }
    if (st == SEAM_OK)
        *out = l;
    else
        lab_free(l);
    return st;
}

void lab_free(struct lab *l)
{
    if (l == NULL) return;
    if (l->disk != NULL) seam_io_sim_free(l->disk);
    seam_trace_log_free(l->log);
    seam_buf_free(&l->draw);
    seam_buf_free(&l->story);
    seam_buf_free(&l->svg);
    seam_arena_free(&l->arena);
    free(l->steps);
    free(l);
}

/* ---- a step ---- */
/* "name arg=value ... | function() in file". */
static void print_event(const struct seam_trace_event *e, struct seam_buf *b)
{
    seam_buf_printf(b, "%s", e->name);
    for (int i = 0; i < e->argc; i++) {
        const struct seam_trace_arg *a = &e->args[i];

        if (a->kind == SEAM_TRACE_INT)
            seam_buf_printf(b, " %s=%" PRId64, a->name, a->i);
        else if (a->kind == SEAM_TRACE_REAL)
            seam_buf_printf(b, " %s=%.3f", a->name, a->d);
        else
            seam_buf_printf(b, " %s=%s", a->name, a->s);
    }
    seam_buf_printf(b, " | %s() in %s", e->func, e->file);
}

static bool take_events(struct lab *l, struct lab_step *s)
{
    const char **kept;
    struct seam_buf b = {0};
    bool ok = true;

    s->event_count = seam_trace_log_count(l->log);
    s->events_kept = s->event_count < LAB_EVENTS_SHOWN ? s->event_count : LAB_EVENTS_SHOWN;
    kept = seam_arena_alloc(&l->arena, (s->events_kept + 1) * sizeof *kept);
    for (size_t i = 0; kept != NULL && i < s->events_kept; i++) {
        seam_buf_clear(&b);
        print_event(seam_trace_log_at(l->log, s->event_count - s->events_kept + i), &b);
        kept[i] = seam_arena_strdup(&l->arena, seam_buf_cstr(&b), b.size);
        ok = ok && kept[i] != NULL;
    }
    seam_buf_free(&b);
    s->events = kept;
    seam_trace_log_clear(l->log);
    return ok && kept != NULL;
}

bool lab_had_line(const struct lab_step *before, const char *line, size_t n)
{
    for (size_t i = 0; i < before->line_count; i++)
        if (strlen(before->lines[i].text) == n && memcmp(before->lines[i].text, line, n) == 0)
            return true;
    return false;
}

const struct lab_step *lab_same_picture(const struct lab *l, const char *text)
{
    for (size_t i = l->count; i-- > 0;) {
        const struct lab_step *s = &l->steps[i];

        for (size_t j = 0; j < s->line_count; j++) {
            const char *at = strstr(text, s->lines[j].text);
            size_t n = strlen(s->lines[j].text);

            if (at != NULL && (at == text || at[-1] == '\n') && (at[n] == '\n' || at[n] == '\0'))
                return s;
        }
    }
    return NULL;
}

static bool take_lines(struct lab *l, struct lab_step *s)
{
    const struct lab_step *before =
        l->new_picture ? NULL : lab_same_picture(l, seam_buf_cstr(&l->draw));
    char *text = seam_arena_strdup(&l->arena, seam_buf_cstr(&l->draw), l->draw.size), *save = NULL;
    struct lab_line *lines;
    size_t count = 0;

    for (size_t i = 0; i < l->draw.size; i++) count += l->draw.data[i] == '\n';
    lines = seam_arena_alloc(&l->arena, (count + 2) * sizeof *lines);
    if (text == NULL || lines == NULL) return false;
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
        lines[s->line_count++] =
            (struct lab_line){line, before != NULL && !lab_had_line(before, line, strlen(line))};
    s->lines = lines;
    return true;
}

/* A step that draws nothing shows the picture before it, with nothing in it new. */
static bool keep_lines(struct lab *l, const struct lab_step *before, struct lab_step *s)
{
    struct lab_line *lines = seam_arena_alloc(&l->arena, (before->line_count + 1) * sizeof *lines);

    if (lines == NULL) return false;
    for (size_t i = 0; i < before->line_count; i++)
        lines[i] = (struct lab_line){before->lines[i].text, false};
    s->lines = lines;
    s->line_count = before->line_count;
    if (s->svg == NULL) s->svg = before->svg;
    return true;
}

enum seam_status lab_step(struct lab *l, const char *title, struct seam_fault *f)
{
    const struct lab_step *before = l->count > 0 ? &l->steps[l->count - 1] : NULL;
    struct lab_step s = {0};
    bool ok = seam_buf_ok(&l->draw) && seam_buf_ok(&l->story) && seam_buf_ok(&l->svg);

    s.title = seam_arena_strdup(&l->arena, title, strlen(title));
    s.story = seam_arena_strdup(&l->arena, seam_buf_cstr(&l->story), l->story.size);
    if (l->svg.size > 0) s.svg = seam_arena_strdup(&l->arena, seam_buf_cstr(&l->svg), l->svg.size);
    ok = ok && s.title != NULL && s.story != NULL && take_events(l, &s);
    if (ok)
        ok = l->draw.size == 0 && before != NULL ? keep_lines(l, before, &s) : take_lines(l, &s);
    if (ok && l->count == l->cap) {
        size_t cap = l->cap == 0 ? 16 : l->cap * 2;
        struct lab_step *more = realloc(l->steps, cap * sizeof *more);

        ok = more != NULL;
        if (ok) {
            l->steps = more;
            l->cap = cap;
        }
    }
    seam_buf_clear(&l->draw);
    l->new_picture = false;
    seam_buf_clear(&l->story);
    seam_buf_clear(&l->svg);
    if (!ok)
        return seam_fault_set(f, SEAM_NOMEM, l->kind->name, SEAM_FAULT_NO_OFFSET,
                              "no memory for a step");
    l->steps[l->count++] = s;
    return SEAM_OK;
}

const struct seam_trace_event *lab_event(const struct lab *l, const char *name, size_t i)
{
    for (size_t at = 0; at < seam_trace_log_count(l->log); at++) {
        const struct seam_trace_event *e = seam_trace_log_at(l->log, at);

        if (strcmp(e->name, name) == 0 && i-- == 0) return e;
    }
    return NULL;
}

void lab_measured(struct lab *l, const char *name, double value)
{
    size_t i = 0;

    while (i < l->figure_count && strcmp(l->figures[i].name, name) != 0) i++;
    assert(i < LAB_FIGURES_MAX);
    l->figures[i] = (struct lab_figure){name, value};
    if (i == l->figure_count) l->figure_count++;
}

double lab_figure_of(const struct lab *l, const char *name)
{
    for (size_t i = 0; i < l->figure_count; i++)
        if (strcmp(l->figures[i].name, name) == 0) return l->figures[i].value;
    return NAN;
}

int64_t lab_arg(const struct seam_trace_event *e, const char *name)
{
    for (int i = 0; e != NULL && i < e->argc; i++)
        if (strcmp(e->args[i].name, name) == 0) return e->args[i].i;
    return 0;
}
