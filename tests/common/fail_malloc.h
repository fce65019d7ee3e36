/* fail_malloc - the n-th allocation fails, so that a test can try every one of them.
 *
 *     for (uint64_t nth = 1; more; nth++) {
 *         fail_malloc_at(nth, false);
 *         st = the whole scenario;
 *         more = fail_malloc_stop();                 true when it came to the n-th allocation
 *         ck_assert(st == ST_OK || st == ST_NOMEM);  and nothing may leak (the address sanitizer looks)
 *     }
 *
 * Counts malloc, calloc, realloc, aligned_alloc and strdup called from our own code (linked with --wrap), on
 * any thread. Where the linker cannot wrap, nothing ever fails and fail_malloc_stop returns false.  */
#ifndef SEAM_TESTS_FAIL_MALLOC_H
#define SEAM_TESTS_FAIL_MALLOC_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/status.h"

void fail_malloc_at(uint64_t nth, bool sticky); /* sticky: and every one after it */
bool fail_malloc_stop(void);                    /* back to normal; whether any failed */

/* The whole loop: the scenario is run with its 1st, 2nd, 3rd ... allocation failing until one run does not come to
 * it; each run must say SEAM_OK, or SEAM_NOMEM with a fault that says the same and gives its reason. `before` (may be
 * NULL) makes the world anew before each run, with all the memory there is. Returns how many failed.    */
struct fail_malloc_scenario {
    void (*before)(void *ctx);
    enum seam_status (*run)(void *ctx, struct seam_fault *f);
    void *ctx;
};
uint64_t fail_malloc_everywhere(const struct fail_malloc_scenario *s);

#endif
