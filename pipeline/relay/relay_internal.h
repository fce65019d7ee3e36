/* relay_internal - what relay.c and bootstrap.c share. */
#ifndef SEAM_PIPELINE_RELAY_INTERNAL_H
#define SEAM_PIPELINE_RELAY_INTERNAL_H

#include "pipeline/relay/relay.h"

struct relay {
    struct seam_io *io;
    struct seam_clock *clock;
    const char *dir; /* of the platform */
    struct relay_options o;
    char wal_dir[SEAM_PATH_MAX_BYTES], stream_dir[SEAM_PATH_MAX_BYTES];
    struct wal_reader *log;
    struct wal_slot *slot;
    struct stream_writer *stream;
    struct stream_tail tail; /* where the relay before us was cut off, until that is made good */

    bool open;            /* between BEGIN and COMMIT */
    bool large;           /* ... of a transaction that body does not hold */
    uint64_t txn, count;  /* of the open transaction: its id, events seen */
    seam_lsn_t begin;     /* where its BEGIN starts */
    struct seam_buf body; /* its events, as a chunk holds them */

    seam_lsn_t lsn;   /* the stream stands here */
    seam_lsn_t until; /* transactions beyond are left alone: a bootstrap comes before them */
    bool gap;         /* the log after lsn is gone (only a bootstrap goes on from here) */
    bool
        no_base; /* a new stream over a log that was trimmed has not said yet where it begins ... */
    bool headless;          /* ... and the log began inside a transaction whose end has not come */
    uint64_t last_write_ns; /* when the stream was last written: for heartbeats */
    uint64_t unsynced_since_ns;
    seam_lsn_t slot_lsn;
    uint64_t slot_ns;
    struct relay_stats stats;
};

/* As relay_open; when the log no longer reaches back to the stream's end, r->gap is set instead of
 * failing: the slot then holds the log from its durable end on, and r->log is NULL. */
SEAM_MUST_USE enum seam_status relay_open_for_bootstrap(const struct platform *p,
                                                        const struct relay_options *o,
                                                        struct relay **out, struct seam_fault *f);
/* The offset of a new stream's first event: none that any stream of this platform gave before. */
SEAM_MUST_USE enum seam_status relay_first_offset(const struct platform *p, uint64_t *out,
                                                  struct seam_fault *f);
/* Ships every transaction with an LSN up to `lsn`, which is durable, and no other. */
SEAM_MUST_USE enum seam_status relay_ship_until(struct relay *r, seam_lsn_t lsn,
                                                const volatile sig_atomic_t *stop,
                                                struct seam_fault *f);

#endif
