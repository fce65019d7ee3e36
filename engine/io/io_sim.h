/* io_sim - a disk in memory that misbehaves on request, deterministically.
 *
 * Model: each file holds its *durable* content (what a power cut leaves) and a list of writes since
 * the last sync. Names (create, rename, unlink, link) become durable when their folder is synced. A power
 * cut keeps an arbitrary subset of the unsynced writes and names, chosen by the seed: each unsynced
 * write is kept, lost, or torn at a 512-byte boundary, and writes may be kept out of order. A page that
 * processes share is written back now and then, unasked: a power cut gives back an older one, zeros,
 * or sectors of several moments.
 * Every call to the interface that changes or syncs state has a number (1, 2, 3 ...): the
 * "injection point" at which a fault can be planted, so that a test can try them all.
 * Papers: ALICE (Pillai et al., OSDI 2014); "Can applications recover from fsync failures?"
 * (Rebello et al., ATC 2020): after a failed sync the unsynced pages are marked clean and may be lost. */
#ifndef SEAM_ENGINE_IO_SIM_H
#define SEAM_ENGINE_IO_SIM_H

#include "engine/io/io.h"

enum seam_sim_fault_kind {
    SEAM_SIM_NONE = 0,
    SEAM_SIM_POWER_CUT, /* the call does not happen; every later call fails with SEAM_IO until sim_reboot  */
    SEAM_SIM_EIO, /* the call fails with EIO                                                       */
    SEAM_SIM_ENOSPC, /* writes/creates fail with ENOSPC; other calls go on                            */
    SEAM_SIM_SHORT_WRITE, /* half of the bytes are written, then EIO                                       */
    SEAM_SIM_SYNC_FAIL, /* the next sync at or after the point fails; each of its unsynced changes is made
                        durable or forgotten as the seed says, and no later sync brings it back       */
    SEAM_SIM_READ_EIO, /* the n-th *read* from now (read, map, list) fails with EIO: reads have a count of
                        their own, since they change nothing                                          */
};

struct seam_io_sim;

struct seam_io_sim *seam_io_sim_new(uint64_t seed); /* NULL = no memory */
void seam_io_sim_free(struct seam_io_sim *s);       /* all handles must be closed */
struct seam_io *seam_io_sim_io(struct seam_io_sim *s);

/* Plant one fault at the n-th call from now (1 = the next). `sticky`: it goes on failing.          */
void seam_io_sim_plant(struct seam_io_sim *s, enum seam_sim_fault_kind kind, uint64_t nth,
                       bool sticky);
void seam_io_sim_clear(struct seam_io_sim *s);
bool seam_io_sim_fired(const struct seam_io_sim *s); /* the planted fault has happened            */
uint64_t
seam_io_sim_calls(const struct seam_io_sim *s); /* injection points passed since seam_io_sim_new  */
void seam_io_sim_set_capacity(struct seam_io_sim *s,
                              uint64_t bytes); /* ENOSPC past it; 0 = endless  */

/* After a power cut: decides what survived and lets calls through again. Handles opened before are
 * dead (their calls fail) but must still be closed.                                               */
void seam_io_sim_reboot(struct seam_io_sim *s);
/* As a SIGKILL: the page cache survives; handles opened before are dead.                          */
void seam_io_sim_kill(struct seam_io_sim *s);

/* Test access, bypassing faults: flip bits of what is stored. False when out of range.            */
bool seam_io_sim_flip(struct seam_io_sim *s, const char *path, uint64_t at, uint8_t mask);

#endif
