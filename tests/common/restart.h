/* restart - a sync fails, the program opens its store again in the same boot and goes on, and then the power goes.
 *
 * After a failed sync the page cache still shows what will never reach the disk: a store that believes it on reopening
 * builds acknowledged changes on sand (Rebello et al., ATC 2020). A store gives two functions; every call at which a
 * sync can fail is tried, and each run ends in a power cut. */
#ifndef SEAM_TESTS_RESTART_H
#define SEAM_TESTS_RESTART_H

#include "engine/io/io_sim.h"

struct restart_store {
    const char *name;
    void *ctx;
    /* Opens the store as its writer, makes changes number from, from + 1, ... up to from + count - 1, and closes it. Returns the
     * number after the last one that was acknowledged as durable; stops at the first failure. */
    uint64_t (*write)(void *ctx, struct seam_io *io, uint64_t from, uint64_t count);
    /* Opens it as its writer (so that it recovers) and returns how many changes it holds: 0, 1, ... n - 1, each one
     * checked, nothing between missing. Fails the test when it cannot be opened. */
    uint64_t (*held)(void *ctx, struct seam_io *io);
};

/* changes: how many the first life tries to make. */
void restart_everywhere(const struct restart_store *s, uint64_t changes);

#endif
