/* io_sim - a disk in memory that misbehaves on request, deterministically.
 *
 * Model: each file holds its *durable* content (what a power cut leaves) and a list of writes since
 * the last sync. Names (create, rename, unlink, link) become durable when their folder is synced. A power
 * cut keeps an arbitrary subset of the unsynced writes and names, chosen by the seed: each unsynced
 * write is kept, lost, or torn at a 512-byte boundary, and writes may be kept out of order.
 * Every call to the interface that changes or syncs state has a number (1, 2, 3 ...): the
 * "injection point" at which a fault can be planted, so that a test can try them all.
 * Papers: ALICE (Pillai et al., OSDI 2014); "Can applications recover from fsync failures?"
 * (Rebello et al., ATC 2020): after a failed sync the unsynced pages are marked clean and may be lost. */
#ifndef SEAM_ENGINE_IO_SIM_H
#define SEAM_ENGINE_IO_SIM_H

#include "engine/io/io.h"

enum sim_fault_kind {
    SIM_NONE = 0,
    SIM_POWER_CUT,   /* the call does not happen; every later call fails with ST_IO until sim_reboot  */
    SIM_EIO,         /* the call fails with EIO                                                       */
    SIM_ENOSPC,      /* writes/creates fail with ENOSPC; other calls go on                            */
    SIM_SHORT_WRITE, /* half of the bytes are written, then EIO                                       */
    SIM_SYNC_FAIL,   /* the next sync at or after the point fails; each of its unsynced changes is made
                        durable or forgotten as the seed says, and no later sync brings it back       */
    SIM_READ_EIO,    /* the n-th *read* from now (read, map, list) fails with EIO: reads have a count of
                        their own, since they change nothing                                          */
};

struct io_sim;

struct io_sim *io_sim_new(uint64_t seed);      /* NULL = no memory */
void io_sim_free(struct io_sim *s);            /* all handles must be closed */
struct io *io_sim_io(struct io_sim *s);

/* Plant one fault at the n-th call from now (1 = the next). `sticky`: it goes on failing.          */
void io_sim_plant(struct io_sim *s, enum sim_fault_kind kind, uint64_t nth, bool sticky);
void io_sim_clear(struct io_sim *s);
bool io_sim_fired(const struct io_sim *s);     /* the planted fault has happened            */
uint64_t io_sim_calls(const struct io_sim *s); /* injection points passed since io_sim_new  */
void io_sim_set_capacity(struct io_sim *s, uint64_t bytes); /* ENOSPC past it; 0 = endless  */

/* After a power cut: decides what survived and lets calls through again. Handles opened before are
 * dead (their calls fail) but must still be closed.                                               */
void io_sim_reboot(struct io_sim *s);
/* As a SIGKILL: the page cache survives; handles opened before are dead.                          */
void io_sim_kill(struct io_sim *s);

/* Test access, bypassing faults: flip bits of what is stored. False when out of range.            */
bool io_sim_flip(struct io_sim *s, const char *path, uint64_t at, uint8_t mask);

#endif
