/* shared - the one page that a log's processes share. Private to wal/.
 *
 * Mapped read-write from DIR/shared. The writer publishes positions; whoever waits sleeps on `seq`.
 * It says where the log ends only while a living writer holds the lock of this file (wal_view, internal.h).
 * Its bytes reach the disk whenever the kernel likes, never before what they speak of was synced:
 * so after a crash `durable`, when its twin agrees, still vouches for the log, and may only be too
 * low. Nothing else of it is believed then.
 *
 *   0 magic  8 log id  16 segment_bytes  24 oldest  32 durable  40 ~durable  48 written  56 visible
 *   64 writer pid  72 durable wall_us  80 syncs  88 claims  128 seq (futex)  132 waiters
 *   136 trouble version (odd: being written)  140 its status, 0: none  144 since when (wall us)  152 why, as text
 *
 * Sleeping: load seq; waiters = 1; look at visible; futex_wait(seq). Publishing: store visible;
 * seq + 1; swap waiters with 0 and wake when it was 1. A sleeper that dies costs one futile
 * wake. */
#ifndef SEAM_WAL_SHARED_H
#define SEAM_WAL_SHARED_H

#include <stdatomic.h>
#include <stddef.h>

#include "engine/base/lsn.h"
#include "engine/io/io.h"
#include "wal/wal.h"

enum { SHARED_SIZE = 4096 };
#define SHARED_MAGIC 0x3147504c41574d53ull /* "SMWALPG1" */

struct wal_shared {
    _Atomic uint64_t magic, log_id, segment_bytes, oldest;
    _Atomic uint64_t durable, not_durable, written, visible;
    _Atomic int64_t writer_pid, durable_wall_us;
    _Atomic uint64_t syncs, claims; /* claims: of any slot, so that a holder knows when to look */
    uint64_t pad[4];
    _Atomic uint32_t seq, waiters;
    _Atomic uint32_t trouble_version, trouble_status;
    _Atomic int64_t trouble_us;
    char trouble[WAL_TROUBLE_MAX]; /* what work in the background could not do */
};
_Static_assert(sizeof(struct wal_shared) <= SHARED_SIZE, "the shared page is one page");
_Static_assert(offsetof(struct wal_shared, seq) == 128, "seq has a cache line of its own");

SEAM_MUST_USE enum seam_status wal_shared_map(struct seam_io *io, const char *dir,
                                              enum seam_map_mode mode, struct wal_shared **out,
                                              struct seam_fault *f);
/* Says, or takes back (why == NULL), what work in the background could not do. One writer. */
void wal_shared_trouble(struct wal_shared *s, const struct seam_fault *why, int64_t wall_us);
/* What was said: false when it is nothing. */
bool wal_shared_trouble_read(struct wal_shared *s, enum seam_status *st, int64_t *wall_us,
                             char why[WAL_TROUBLE_MAX]);
void wal_shared_unmap(struct seam_io *io, struct wal_shared *s);
void wal_shared_wake(struct wal_shared *s); /* after storing what the sleepers look at */
/* Sleeps until visible > at, *stop, or the deadline. */
enum seam_status wal_shared_wait(struct wal_shared *s, seam_lsn_t at, _Atomic bool *stop,
                                 uint64_t timeout_ns);
seam_lsn_t wal_shared_vouches(struct wal_shared *s,
                              uint64_t log_id); /* SEAM_LSN_NONE when the page says nothing */

#endif
