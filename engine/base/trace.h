/* trace - typed events from inside the stores, for labs, --explain and step-through pages.
 *
 * A store holds a `struct seam_trace *` (NULL = off) and calls SEAM_TRACE(); off costs one predictable branch.
 * With -DSEAM_NO_TRACE the calls vanish (a bench compares the two). Events name the function and file
 * that did the thing, so that a reader can open the code.                                         */
#ifndef SEAM_ENGINE_TRACE_H
#define SEAM_ENGINE_TRACE_H

#include <stdint.h>

#include "engine/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SEAM_TRACE_ARGS_MAX = 12 };

enum seam_trace_kind { SEAM_TRACE_INT, SEAM_TRACE_REAL, SEAM_TRACE_TEXT };

struct seam_trace_arg {
    const char *name;
    enum seam_trace_kind kind;
    int64_t i;
    double d;
    const char *s; /* SEAM_TRACE_TEXT: valid only during the call; length in i (-1: terminated) */
};

struct seam_trace_event {
    const char *store; /* "oltp", "wal", "columnar", "invidx", "hnsw", "pipeline" */
    const char *name;  /* "page_split", "segment_merge", "hop", ...               */
    const char *func, *file;
    int line;
    int argc;
    struct seam_trace_arg args[SEAM_TRACE_ARGS_MAX];
};

/* emit may be called from any thread of the store; the receiver locks if it must.                 */
struct seam_trace {
    void (*emit)(struct seam_trace *t, const struct seam_trace_event *e);
};

#define SEAM_TI(n, v)                                                                              \
    {                                                                                              \
        .name = (n), .kind = SEAM_TRACE_INT, .i = (int64_t)(v)                                     \
    }
#define SEAM_TD(n, v)                                                                              \
    {                                                                                              \
        .name = (n), .kind = SEAM_TRACE_REAL, .d = (double)(v)                                     \
    }
#define SEAM_TS(n, v)                                                                              \
    {                                                                                              \
        .name = (n), .kind = SEAM_TRACE_TEXT, .i = -1, .s = (v)                                    \
    }
#define SEAM_TSN(n, v, len)                                                                        \
    {                                                                                              \
        .name = (n), .kind = SEAM_TRACE_TEXT, .i = (int64_t)(len), .s = (const char *)(v)          \
    }

#ifdef SEAM_NO_TRACE
#define SEAM_TRACE(t, store_, name_, ...) ((void)(t))
#else
#define SEAM_TRACE(t, store_, name_, ...)                                                          \
    do {                                                                                           \
        if (seam_unlikely((t) != NULL)) {                                                          \
            const struct seam_trace_arg trace_args_[] = {__VA_ARGS__};                             \
            seam_trace_emit((t), (store_), (name_), __func__, __FILE__, __LINE__, trace_args_,     \
                            (int)SEAM_ARRAY_LEN(trace_args_));                                     \
        }                                                                                          \
    } while (0)
#endif

void seam_trace_emit(struct seam_trace *t, const char *store, const char *name, const char *func,
                     const char *file, int line, const struct seam_trace_arg *args, int argc);

/* A receiver that keeps every event (copied) for players and tests.                               */
struct seam_trace_log;
struct seam_trace_log *
seam_trace_log_new(size_t max_events); /* NULL = no memory; beyond max the oldest go */
struct seam_trace *seam_trace_log_trace(struct seam_trace_log *l);
size_t seam_trace_log_count(const struct seam_trace_log *l);
const struct seam_trace_event *seam_trace_log_at(const struct seam_trace_log *l, size_t i);
void seam_trace_log_clear(struct seam_trace_log *l);
void seam_trace_log_free(struct seam_trace_log *l);

#ifdef __cplusplus
}
#endif

#endif
