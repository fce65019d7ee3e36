#include "engine/base/trace.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

void trace_emit(struct trace *t, const char *store, const char *name, const char *func,
                const char *file, int line, const struct trace_arg *args, int argc)
{
    struct trace_event e = {
        .store = store, .name = name, .func = func, .file = file, .line = line};

    e.argc = argc < TRACE_ARGS_MAX ? argc : TRACE_ARGS_MAX;
    for (int i = 0; i < e.argc; i++) e.args[i] = args[i];
    t->emit(t, &e);
}

/* A ring of `max` events; each owns one block with the copies of its texts.                       */
struct kept {
    struct trace_event event;
    char *texts;
};

struct trace_log {
    struct trace trace; /* first: emit gets a pointer to it */
    pthread_mutex_t lock;
    struct kept *ring;
    size_t max, first, count;
};

static size_t text_size(const struct trace_arg *a)
{
    if (a->kind != TRACE_TEXT || a->s == NULL) return 0;
    return a->i < 0 ? strlen(a->s) : (size_t)a->i;
}

/* Copies the event's texts, terminated, and points its arguments at the copies.                   */
static bool own_texts(struct kept *k)
{
    size_t total = 0;
    char *p;

    for (int i = 0; i < k->event.argc; i++)
        if (k->event.args[i].kind == TRACE_TEXT) total += text_size(&k->event.args[i]) + 1;
    k->texts = NULL;
    if (total == 0) return true;
    p = k->texts = malloc(total);
    if (p == NULL) return false;
    for (int i = 0; i < k->event.argc; i++) {
        struct trace_arg *a = &k->event.args[i];
        size_t n = text_size(a);

        if (a->kind != TRACE_TEXT) continue;
        if (n > 0) memcpy(p, a->s, n);
        p[n] = '\0';
        a->s = p;
        a->i = (int64_t)n;
        p += n + 1;
    }
    return true;
}

static void log_emit(struct trace *t, const struct trace_event *e)
{
    struct trace_log *l = (struct trace_log *)(void *)t;
    struct kept k = {.event = *e};

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

struct trace_log *trace_log_new(size_t max_events)
{
    struct trace_log *l = calloc(1, sizeof *l);

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

struct trace *trace_log_trace(struct trace_log *l) { return &l->trace; }
size_t trace_log_count(const struct trace_log *l) { return l->count; }

const struct trace_event *trace_log_at(const struct trace_log *l, size_t i)
{
    return i < l->count ? &l->ring[(l->first + i) % l->max].event : NULL;
}

void trace_log_clear(struct trace_log *l)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->count; i++) free(l->ring[(l->first + i) % l->max].texts);
    l->first = l->count = 0;
    pthread_mutex_unlock(&l->lock);
}

void trace_log_free(struct trace_log *l)
{
    if (l == NULL) return;
    trace_log_clear(l);
    pthread_mutex_destroy(&l->lock);
    free(l->ring);
    free(l);
}
