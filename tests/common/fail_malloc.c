#include "tests/common/fail_malloc.h"

#include <check.h>
#include <stddef.h>

static uint64_t left;       /* allocations until the one that fails; 0 = off */
static bool keep_on, fired; /* all three are touched atomically: any thread may allocate */

void fail_malloc_at(uint64_t nth, bool sticky)
{
    __atomic_store_n(&fired, false, __ATOMIC_RELAXED);
    __atomic_store_n(&keep_on, sticky, __ATOMIC_RELAXED);
    __atomic_store_n(&left, nth, __ATOMIC_RELEASE);
}

bool fail_malloc_stop(void)
{
    __atomic_store_n(&left, 0, __ATOMIC_RELEASE);
    return __atomic_load_n(&fired, __ATOMIC_RELAXED);
}

uint64_t fail_malloc_everywhere(const struct fail_malloc_scenario *s)
{
    uint64_t failed = 0;
    bool met = true;

    for (uint64_t nth = 1; met; nth++) {
        struct seam_fault f = {0};
        enum seam_status st;

        ck_assert_uint_lt(nth, 100000);
        if (s->before != NULL) s->before(s->ctx);
        fail_malloc_at(nth, false);
        st = s->run(s->ctx, &f);
        met = fail_malloc_stop();
        ck_assert_msg(st == SEAM_OK || (met && st == SEAM_NOMEM), "allocation %d: %s: %s", (int)nth,
                      seam_status_name(st), f.why);
        ck_assert_msg(st == SEAM_OK || (f.status == st && f.why[0] != '\0'),
                      "allocation %d: no_memory without its reason (fault %s, \"%s\")", (int)nth,
                      seam_status_name(f.status), f.why);
        failed += st != SEAM_OK;
    }
    return failed;
}

#ifdef __linux__
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
char *__wrap_strdup(const char *s);

static bool fails(void)
{
    uint64_t now = __atomic_load_n(&left, __ATOMIC_ACQUIRE);

    while (now != 0) {
        uint64_t next = now > 1 ? now - 1 : __atomic_load_n(&keep_on, __ATOMIC_RELAXED);

        if (!__atomic_compare_exchange_n(&left, &now, next, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE))
            continue;
        if (now > 1) return false;
        __atomic_store_n(&fired, true, __ATOMIC_RELAXED);
        return true;
    }
    return false;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}
void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}
char *__wrap_strdup(const char *s)
{
    return fails() ? NULL : __real_strdup(s);
}
void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, n);
}
#endif
