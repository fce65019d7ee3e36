/* trace - emitting an event, and a log that keeps the newest for a player. */
#include "engine/base/trace.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

void seam_trace_emit(struct seam_trace *t, const char *store, const char *name, const char *func,
                     const char *file, int line, const struct seam_trace_arg *args, int argc)
{
    struct seam_trace_event e = {
        .store = store, .name = name, .func = func, .file = file, .line = line};

    e.argc = argc < SEAM_TRACE_ARGS_MAX ? argc : SEAM_TRACE_ARGS_MAX;
    for (int i = 0; i < e.argc; i++) e.args[i] = args[i];
    t->emit(t, &e);
}

/* A ring of `max` events; each owns one block with the copies of its texts.                       */
struct seam_kept {
    struct seam_trace_event event;
    char *texts;
};

struct seam_trace_log {
    struct seam_trace trace; /* first: emit gets a pointer to it */
    pthread_mutex_t lock;
    struct seam_kept *ring;
    size_t max, first, count;
};

static size_t text_size(const struct seam_trace_arg *a)
{
    if (a->kind != SEAM_TRACE_TEXT || a->s == NULL) return 0;
    return a->i < 0 ? strlen(a->s) : (size_t)a->i;
}

/* Copies the event's texts, terminated, and points its arguments at the copies.                   */
static bool own_texts(struct seam_kept *k)
{
    size_t total = 0;
    char *p;

    for (int i = 0; i < k->event.argc; i++)
        if (k->event.args[i].kind == SEAM_TRACE_TEXT) total += text_size(&k->event.args[i]) + 1;
    k->texts = NULL;
    if (total == 0) return true;
    p = k->texts = malloc(total);
    if (p == NULL) return false;
    for (int i = 0; i < k->event.argc; i++) {
        struct seam_trace_arg *a = &k->event.args[i];
        size_t n = text_size(a);

        if (a->kind != SEAM_TRACE_TEXT) continue;
        if (n > 0) memcpy(p, a->s, n);
        p[n] = '\0';
        a->s = p;
        a->i = (int64_t)n;
        p += n + 1;
    }
    return true;
}

static void log_emit(struct seam_trace *t, const struct seam_trace_event *e)
{
    struct seam_trace_log *l = (struct seam_trace_log *)(void *)t;
    struct seam_kept k = {.event = *e};

    if (!own_texts(&k)) return; /* a trace loses an event rather than stop the store */
    pthread_mutex_lock(&l->lock);
    if (l->count == l->max) {
        free(l->ring[l->first].texts);
        l->ring[l->first] = k;
        l->first = (l->first + 1) % l->max;
    } else {
        l->ring[(l->first + l->count++) % l->max] = k;
    }
    pthread_mutex_unlock(&l->lock);
}

struct seam_trace_log *seam_trace_log_new(size_t max_events)
{
    struct seam_trace_log *l = calloc(1, sizeof *l);

    if (l == NULL) return NULL;
    l->max = max_events == 0 ? 1 : max_events;
    l->ring = calloc(l->max, sizeof *l->ring);
    if (l->ring == NULL) {
        free(l);
        return NULL;
    }
    pthread_mutex_init(&l->lock, NULL);
    l->trace.emit = log_emit;
    return l;
}

struct seam_trace *seam_trace_log_trace(struct seam_trace_log *l)
{
    return &l->trace;
}
size_t seam_trace_log_count(const struct seam_trace_log *l)
{
    return l->count;
}

const struct seam_trace_event *seam_trace_log_at(const struct seam_trace_log *l, size_t i)
{
    return i < l->count ? &l->ring[(l->first + i) % l->max].event : NULL;
}

void seam_trace_log_clear(struct seam_trace_log *l)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->count; i++) free(l->ring[(l->first + i) % l->max].texts);
    l->first = l->count = 0;
    pthread_mutex_unlock(&l->lock);
}

void seam_trace_log_free(struct seam_trace_log *l)
{
    if (l == NULL) return;
    seam_trace_log_clear(l);
    pthread_mutex_destroy(&l->lock);
    free(l->ring);
    free(l);
}
