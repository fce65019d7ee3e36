/* thread - the little that pthreads do not give: parallel loops, and sleeping on a shared word.
 *
 * No hidden threads: only what a caller asks for by number runs, and it has ended when the call
 * returns.                                                                                        */
#ifndef SEAM_ENGINE_THREAD_H
#define SEAM_ENGINE_THREAD_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"

enum { SEAM_THREADS_MAX = 256 };

/* Calls fn(ctx, begin, end, thread) for chunks of [0, n) of `grain` items, handed out in order to
 * `threads` threads (the caller is thread 0). The first non-OK status stops handing out and is
 * returned. threads <= 0 means cpu_count().                                                       */
enum seam_status seam_parallel_for(int threads, size_t n, size_t grain,
                                   enum seam_status (*fn)(void *ctx, size_t begin, size_t end,
                                                          int thread),
                                   void *ctx);

/* Waits until *word != expected, a wake, or the timeout (UINT64_MAX = for ever). Works across
 * processes on io_map_shared memory. SEAM_OK (re-check your condition) or SEAM_TIMEOUT.                */
enum seam_status seam_futex_wait(uint32_t *word, uint32_t expected, uint64_t timeout_ns);
void seam_futex_wake_all(uint32_t *word);

/* A full memory barrier in every running thread of this process, paid by the caller alone (some microseconds):
 * what another thread stored before is seen by us after, and it sees after what we stored before. ready() tells
 * whether the system has it; ask once before the first call. False: there was none, nothing may be built on it.  */
bool seam_thread_barrier_ready(void);
SEAM_MUST_USE bool seam_thread_barrier(void);

/* True while the process with this id is alive (for locks and pins left by the dead).             */
bool seam_process_alive(int64_t pid);
int64_t seam_process_id(void);

/* The process that opened a handle. A fork gives the child a copy of it that shares files and locks with the parent: what
 * the child wrote through it would be lost, or overwrite. Handles of writers, and readers that others wait for,
 * carry a mark, and refuse a child by one load: the word lies in a page that the kernel empties in children (where it
 * cannot, the process ids are compared). A child opens its own handle; closing an inherited one gives up memory only. */
struct seam_fork_mark {
    const volatile uint64_t *word; /* NULL: no such page */
    int64_t pid;
};
void seam_fork_mark_set(struct seam_fork_mark *m);
void seam_fork_mark_free(struct seam_fork_mark *m);
static inline bool seam_forked(const struct seam_fork_mark *m)
{
    return m->word != NULL ? *m->word == 0 : m->pid != 0 && m->pid != seam_process_id();
}
/* SEAM_CONFLICT with why. */
enum seam_status seam_forked_fault(const struct seam_fork_mark *m, const char *where,
                                   struct seam_fault *f);

#endif
