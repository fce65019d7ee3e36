/* thread - loops over threads, futexes, and the barrier that makes readers' stores seen. */
#include "engine/base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#endif

#include "engine/base/cpu.h"

enum { MARK_BYTES = 4096 };

struct loop {
    size_t n, grain;
    size_t next; /* atomic: the first item not handed out */
    int status;  /* atomic: the first failure              */
    enum seam_status (*fn)(void *ctx, size_t begin, size_t end, int thread);
    void *ctx;
};

struct seam_worker {
    struct loop *loop;
    int number;
    pthread_t thread;
};

static void run_chunks(struct loop *l, int number)
{
    while (__atomic_load_n(&l->status, __ATOMIC_RELAXED) == SEAM_OK) {
        size_t begin = __atomic_fetch_add(&l->next, l->grain, __ATOMIC_RELAXED), end;
        int ok = SEAM_OK;
        enum seam_status st;

        if (begin >= l->n) return;
        end = l->n - begin < l->grain ? l->n : begin + l->grain;
        st = l->fn(l->ctx, begin, end, number);
        if (st != SEAM_OK)
            __atomic_compare_exchange_n(&l->status, &ok, (int)st, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED);
    }
}

static void *worker_main(void *arg)
{
    struct seam_worker *w = arg;

    run_chunks(w->loop, w->number);
    return NULL;
}

enum seam_status seam_parallel_for(int threads, size_t n, size_t grain,
                                   enum seam_status (*fn)(void *ctx, size_t begin, size_t end,
                                                          int thread),
                                   void *ctx)
{
    struct loop l = {.n = n, .grain = grain == 0 ? 1 : grain, .fn = fn, .ctx = ctx};
    struct seam_worker workers[SEAM_THREADS_MAX];
    size_t chunks = n / l.grain + (n % l.grain != 0);
    int started = 0;

    if (threads <= 0) threads = seam_cpu_count();
    if (threads > SEAM_THREADS_MAX) threads = SEAM_THREADS_MAX;
    if ((size_t)threads > chunks) threads = (int)chunks;
    for (int i = 1; i < threads; i++) {
        struct seam_worker *w = &workers[started];

        *w = (struct seam_worker){.loop = &l, .number = i};
        /* Fewer threads than asked for is slower, not wrong: the loop goes on with what it got.   */
        if (pthread_create(&w->thread, NULL, worker_main, w) != 0) break;
        started++;
    }
    run_chunks(&l, 0);
    for (int i = 0; i < started; i++) pthread_join(workers[i].thread, NULL);
    return (enum seam_status)l.status;
}

#ifdef __linux__
enum seam_status seam_futex_wait(uint32_t *word, uint32_t expected, uint64_t timeout_ns)
{
    struct timespec t = {.tv_sec = (time_t)(timeout_ns / 1000000000u),
                         .tv_nsec = (long)(timeout_ns % 1000000000u)};

    if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != expected) return SEAM_OK;
    if (syscall(SYS_futex, word, FUTEX_WAIT, expected, timeout_ns == UINT64_MAX ? NULL : &t, NULL,
                0) != 0 &&
        errno == ETIMEDOUT)
        return SEAM_TIMEOUT;
    return SEAM_OK;
}

void seam_futex_wake_all(uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

bool seam_thread_barrier_ready(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0) == 0;
}

bool seam_thread_barrier(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) == 0;
}
#else
/* Where the system has no futex for shared memory, sleeping in short steps keeps the meaning.     */
enum seam_status seam_futex_wait(uint32_t *word, uint32_t expected, uint64_t timeout_ns)
{
    const uint64_t step_ns = 200000;

    for (uint64_t slept = 0; __atomic_load_n(word, __ATOMIC_ACQUIRE) == expected;
         slept += step_ns) {
        struct timespec t = {.tv_nsec = (long)step_ns};

        if (slept >= timeout_ns) return SEAM_TIMEOUT;
        nanosleep(&t, NULL);
    }
    return SEAM_OK;
}

void seam_futex_wake_all(uint32_t *word)
{
    (void)word;
}

bool seam_thread_barrier_ready(void)
{
    return false;
}
bool seam_thread_barrier(void)
{
    return false;
}
#endif

bool seam_process_alive(int64_t pid)
{
    return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

int64_t seam_process_id(void)
{
    return (int64_t)getpid();
}

void seam_fork_mark_set(struct seam_fork_mark *m)
{
    m->pid = seam_process_id();
    m->word = NULL;
#ifdef MADV_WIPEONFORK
    uint64_t *page =
        mmap(NULL, MARK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED) return;
    if (madvise(page, MARK_BYTES, MADV_WIPEONFORK) != 0) {
        munmap(page, MARK_BYTES);
        return;
    }
    *page = (uint64_t)m->pid;
    m->word = page;
#endif
}

void seam_fork_mark_free(struct seam_fork_mark *m)
{
    if (m->word != NULL) munmap((void *)(uintptr_t)m->word, MARK_BYTES);
    *m = (struct seam_fork_mark){0};
}

enum seam_status seam_forked_fault(const struct seam_fork_mark *m, const char *where,
                                   struct seam_fault *f)
{
    return seam_fault_set(
        f, SEAM_CONFLICT, where, SEAM_FAULT_NO_OFFSET,
        "this handle belongs to process %lld, which forked: a child opens its own",
        (long long)m->pid);
}
