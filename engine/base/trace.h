/* trace - typed events from inside the stores, for labs, --explain and step-through pages.
 *
 * A store holds a `struct trace *` (NULL = off) and calls TRACE(); off costs one predictable branch.
 * With -DSEAM_NO_TRACE the calls vanish (a bench compares the two). Events name the function and file
 * that did the thing, so that a reader can open the code.                                         */
#ifndef SEAM_ENGINE_TRACE_H
#define SEAM_ENGINE_TRACE_H

#include <stdint.h>

#include "engine/base/status.h"

enum { TRACE_ARGS_MAX = 12 };

struct trace_arg {
    const char *name;
    enum { TRACE_INT, TRACE_REAL, TRACE_TEXT } kind;
    int64_t i;
    double d;
    const char *s; /* TRACE_TEXT: valid only during the call; length in i (-1: terminated) */
};

struct trace_event {
    const char *store; /* "oltp", "wal", "columnar", "invidx", "hnsw", "pipeline" */
    const char *name;  /* "page_split", "segment_merge", "hop", ...               */
    const char *func, *file;
    int line;
    int argc;
    struct trace_arg args[TRACE_ARGS_MAX];
};

/* emit may be called from any thread of the store; the receiver locks if it must.                 */
struct trace {
    void (*emit)(struct trace *t, const struct trace_event *e);
};

#define TI(n, v) {.name = (n), .kind = TRACE_INT, .i = (int64_t)(v)}
#define TD(n, v) {.name = (n), .kind = TRACE_REAL, .d = (double)(v)}
#define TS(n, v) {.name = (n), .kind = TRACE_TEXT, .i = -1, .s = (v)}
#define TSN(n, v, len) {.name = (n), .kind = TRACE_TEXT, .i = (int64_t)(len), .s = (const char *)(v)}

#ifdef SEAM_NO_TRACE
#define TRACE(t, store_, name_, ...) ((void)(t))
#else
#define TRACE(t, store_, name_, ...)                                                              \
    do {                                                                                          \
        if (unlikely((t) != NULL)) {                                                              \
            const struct trace_arg trace_args_[] = {__VA_ARGS__};                                 \
            trace_emit((t), (store_), (name_), __func__, __FILE__, __LINE__, trace_args_,         \
                       (int)ARRAY_LEN(trace_args_));                                              \
        }                                                                                         \
    } while (0)
#endif

void trace_emit(struct trace *t, const char *store, const char *name, const char *func,
                const char *file, int line, const struct trace_arg *args, int argc);

/* A receiver that keeps every event (copied) for players and tests.                               */
struct trace_log;
struct trace_log *trace_log_new(size_t max_events); /* NULL = no memory; beyond max the oldest go */
struct trace *trace_log_trace(struct trace_log *l);
size_t trace_log_count(const struct trace_log *l);
const struct trace_event *trace_log_at(const struct trace_log *l, size_t i);
void trace_log_clear(struct trace_log *l);
void trace_log_free(struct trace_log *l);

#endif
