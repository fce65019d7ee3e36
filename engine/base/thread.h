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

#endif
