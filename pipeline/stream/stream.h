/* stream - the retained history of what happened in the shop, in commit order, for any number of
 * readers.
 *
 *   relay --transactions--> [ segment | segment | segment ] --events--> sinks, replays, audits
 *                            ^                          ^
 *                     retention (bytes, time, and       offset of the next event
 *                     never past a live consumer)
 *
 * An event is a row change, an outbox event or a table's new shape. It has an offset (0, 1, 2 ...
 * over all events), the LSN of its commit and its place in the transaction. Transactions are whole
 * and in commit order: a reader gives none of a transaction before its last chunk is there. The event's bytes are the log's own (wal/change.h): nothing is encoded
 * twice.
 *
 * The stream is a segmented log like the write-ahead log (wal/wal.h, another folder) whose readers
 * see what is written, not only what is synced: it can be made again from the log, so the relay
 * lets go of the log only behind what the stream has synced. Its records:
 *
 *   STREAM_CHUNK      varint offset, count, lsn, lsn - previous, txn; zz wall_us;
 *                     varint total, seq; u8 flags; then count times: u8 type (wal/change.h), varint length, payload
 *                     offset: of the first event here. previous: the LSN the stream stood at before
 *                     this transaction, so that a reader notices a gap. total: events of the
 *                     transaction. seq: place of the first one in it. flags: 1 first chunk, 2 last,
 *                     4 snapshot read, 8 repair
 *   STREAM_HEARTBEAT  varint offset, lsn, lsn - previous; zz wall_us
 *                     nothing but what was shipped was committed up to lsn
 *   STREAM_ABANDON    the same fields: the transaction before it, which is not whole, never will be.
 *                     offset: of the next event; lsn: where the stream stood before that transaction
 *
 * A snapshot (pipeline/relay/bootstrap.h) is one transaction with flag 4 whose events are the shape of
 * every table and then every row there was at its LSN: whoever reads it needs nothing before it, and
 * whatever a store holds that it does not name is gone. What happened in (previous, lsn] is not here.
 *   DIR/snapshot      where the newest whole one begins (stream_snapshot.c)
 *
 *   DIR/N.seg, DIR/shared, DIR/lock   the log
 *   DIR/consumers                     shared page: who reads, and how far it has applied
 *                                     (not synced: it only holds back retention and tells the lag)
 *   DIR/NAME.consumer                 that NAME is declared, durably: a lost page
 *                                     holds everything back for it
 *
 * There is no index: records can be found from any byte of the log (wal_reader_resync), so a place
 * by offset, LSN or time is a search by halves over the bytes: some twenty short reads. Wall clocks
 * may step back; by time, the answer is then off by the step.
 *
 * Threads: a writer or reader handle belongs to one thread at a time; any number of readers in any
 * process.
 * Imports: engine, wal. Papers: Kreps et al., Kafka (NetDB 2011); Das et al., Databus (SoCC
 * 2012). */
#ifndef SEAM_PIPELINE_STREAM_H
#define SEAM_PIPELINE_STREAM_H

#include "engine/base/clock.h"
#include "engine/base/lsn.h"
#include "engine/base/trace.h"
#include "engine/io/io.h"
#include "wal/change.h"
#include "wal/wal.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    STREAM_CHUNK = 1,
    STREAM_HEARTBEAT = 2,
    STREAM_ABANDON = 3,
    STREAM_CHUNK_BYTES = 128 << 10, /* a chunk is closed past this; one event may be larger */
    STREAM_CONSUMERS_MAX = 63,
    STREAM_NAME_MAX = 32,
};

/* ---- reading ---- */
enum stream_kind { STREAM_ROW, STREAM_OUTBOX, STREAM_SCHEMA, STREAM_COMMIT, STREAM_BEAT };

struct stream_event {
    enum stream_kind kind;
    uint64_t offset; /* of this event; COMMIT and BEAT: of the next one */
    seam_lsn_t lsn;  /* of the commit; BEAT: everything up to here has been given */
    uint64_t txn, seq, total;
    int64_t wall_us; /* of the commit; BEAT: when it was written */
    bool snapshot, repair;
    seam_lsn_t previous; /* the LSN the stream stood at before this transaction */
    uint64_t skipped; /* offsets just before this event that an abandoned transaction had taken */
    seam_lsn_t
        position; /* in the stream's own log: readers of what follows need nothing before it */
    union {
        struct wal_change_row row;
        struct wal_change_outbox outbox;
        struct wal_change_schema schema;
    };
};

enum stream_from {
    STREAM_FROM_START,
    STREAM_FROM_OFFSET,
    STREAM_FROM_LSN,
    STREAM_FROM_TIME,
    STREAM_FROM_END
};

struct stream_reader;
/* From the oldest kept event; from the event with this offset; from the first transaction with an
 * LSN above `number`; from the first transaction committed at or after `number` (microseconds); or
 * after the newest.
 * SEAM_NOT_FOUND: no stream there, or the place is older than what is kept (the fault says what
 * is). */
SEAM_MUST_USE enum seam_status stream_reader_open(struct seam_io *io, const char *dir,
                                                  enum stream_from from, int64_t number,
                                                  struct stream_reader **out, struct seam_fault *f);
/* The newest whole snapshot the stream still holds, when its LSN is above `after`: for a reader whose
 * place is gone. SEAM_NOT_FOUND: there is none. */
SEAM_MUST_USE enum seam_status stream_reader_open_snapshot(struct seam_io *io, const char *dir,
                                                           seam_lsn_t after,
                                                           struct stream_reader **out,
                                                           struct seam_fault *f);
/* SEAM_END: nothing more now. Bytes live until the next call. A COMMIT event follows each
 * transaction's last. */
SEAM_MUST_USE enum seam_status stream_reader_next(struct stream_reader *r, struct stream_event *e,
                                                  struct seam_fault *f);
enum seam_status stream_reader_wait(struct stream_reader *r,
                                    uint64_t timeout_ns); /* SEAM_OK, SEAM_TIMEOUT */
void stream_reader_close(struct stream_reader *r);        /* accepts NULL */

/* The newest snapshot that was written to its end. SEAM_NOT_FOUND: none was. */
struct stream_snapshot {
    uint64_t offset;     /* of its first event */
    seam_lsn_t lsn;      /* it holds every row as of this commit */
    seam_lsn_t previous; /* what happened in (previous, lsn] is not in the stream */
    uint64_t rows;
    int64_t wall_us;         /* when it was written */
    seam_lsn_t begins, ends; /* in the stream's own log */
};
SEAM_MUST_USE enum seam_status stream_snapshot_last(struct seam_io *io, const char *dir,
                                                    struct stream_snapshot *out,
                                                    struct seam_fault *f);

/* Where the stream stands, without being its writer. SEAM_NOT_FOUND: none there. */
struct stream_state {
    uint64_t oldest_offset, next_offset;
    seam_lsn_t lsn;     /* of the newest whole transaction or heartbeat */
    int64_t wall_us;    /* when that was committed (or the heartbeat written) */
    uint64_t bytes;     /* kept */
    int64_t writer_pid; /* 0 = no relay */
    bool writer_alive;
};
SEAM_MUST_USE enum seam_status stream_state(struct seam_io *io, const char *dir,
                                            struct stream_state *out, struct seam_fault *f);

/* ---- consumers ---- */
struct stream_consumer {
    char name[STREAM_NAME_MAX];
    seam_lsn_t lsn;      /* applied */
    int64_t wall_us;     /* commit time of what it applied last (or the heartbeat's) */
    int64_t updated_us;  /* when it said so */
    seam_lsn_t position; /* in the stream's log: everything before may go */
    uint64_t offset;
    int64_t pid;
    bool alive;   /* the process lives */
    bool invalid; /* retention went past it: it must bootstrap */
};
struct stream_consumers; /* the mapped page */
/* To look only: makes no file, so also on read-only media and in a copy; where the page was lost, the declared names. */
SEAM_MUST_USE enum seam_status stream_consumers_look(struct seam_io *io, const char *dir,
                                                     struct stream_consumers **out,
                                                     struct seam_fault *f);
SEAM_MUST_USE enum seam_status stream_consumers_open(struct seam_io *io, const char *dir,
                                                     struct stream_consumers **out,
                                                     struct seam_fault *f);
void stream_consumers_close(struct stream_consumers *c); /* accepts NULL */
/* Registers (or finds) `name` for this process. SEAM_LIMIT: the page is full. */
SEAM_MUST_USE enum seam_status stream_consumer_join(struct stream_consumers *c, const char *name,
                                                    int *slot, struct seam_fault *f);
void stream_consumer_confirm(struct stream_consumers *c, int slot, const struct stream_event *at,
                             int64_t now_us);
/* Forgets a consumer, so that it no longer holds anything back. */
SEAM_MUST_USE enum seam_status stream_consumer_leave(struct stream_consumers *c, const char *name,
                                                     struct seam_fault *f);
size_t stream_consumers_list(struct stream_consumers *c,
                             struct stream_consumer out[STREAM_CONSUMERS_MAX]);

/* ---- writing: one process, the relay ---- */
struct stream_writer;

struct stream_tail {
    seam_lsn_t lsn; /* everything up to this LSN has been written */
    uint64_t next_offset;
    bool open;           /* the last transaction was cut off by a crash ... */
    seam_lsn_t open_lsn; /* ... it commits at this LSN */
    uint64_t open_seq;   /* ... and goes on with this event */
    bool open_snapshot;  /* it is a snapshot: to be abandoned, nobody can go on with it */
};
struct stream_writer_options {
    struct seam_clock *clock;
    struct seam_trace *trace;
    uint64_t log_id;
    uint64_t segment_bytes; /* 0: 64 MiB */
    uint64_t retain_bytes;  /* keep at least this much behind the slowest consumer; 0: everything */
    int64_t retain_us;      /* ... and this long; 0: no matter */
    uint64_t bound_bytes;   /* a consumer further behind is invalidated; 0: never */
    uint64_t first_offset;  /* of an empty stream: its first event gets this offset */
};
/* SEAM_CONFLICT: another relay writes it. Recovers the tail into *tail. `o` may be NULL: zeros. */
SEAM_MUST_USE enum seam_status stream_writer_open(struct seam_io *io, const char *dir,
                                                  const struct stream_writer_options *o,
                                                  struct stream_writer **out,
                                                  struct stream_tail *tail, struct seam_fault *f);
/* A transaction: begin, its events in order (the log's type and payload), end. `seq` > 0 goes on
 * with one that a crash cut off. Chunks are written as they fill, so a transaction of any size
 * needs one chunk of memory. */
struct stream_transaction {
    seam_lsn_t lsn;
    uint64_t txn, total, seq;
    int64_t wall_us;
    bool snapshot, repair;
};
/* An empty stream over a log that no longer reaches back to its beginning: what is before `lsn` is
 * not here, and readers who need it are told so. Once, before anything else is written. */
SEAM_MUST_USE enum seam_status stream_base(struct stream_writer *w, seam_lsn_t lsn,
                                           struct seam_fault *f);
/* The transaction that a crash cut off is given up: readers pass over it. */
SEAM_MUST_USE enum seam_status stream_abandon(struct stream_writer *w, struct seam_fault *f);
/* A snapshot may stand at the LSN the stream stands at already: then nothing is missing before it. */
SEAM_MUST_USE enum seam_status
stream_begin(struct stream_writer *w, const struct stream_transaction *t, struct seam_fault *f);
SEAM_MUST_USE enum seam_status stream_event_put(struct stream_writer *w, uint8_t type,
                                                const void *payload, size_t n,
                                                struct seam_fault *f);
SEAM_MUST_USE enum seam_status stream_end(struct stream_writer *w, struct seam_fault *f);
/* The same at once, for a transaction of at most STREAM_CHUNK_BYTES whose events the caller has
 * gathered in `body` with stream_body_add: nothing is copied but into the log's buffer. */
void stream_body_add(struct seam_buf *body, uint8_t type, const void *payload, size_t n);
SEAM_MUST_USE enum seam_status stream_whole(struct stream_writer *w,
                                            const struct stream_transaction *t,
                                            const struct seam_buf *body, struct seam_fault *f);
SEAM_MUST_USE enum seam_status stream_heartbeat(struct stream_writer *w, seam_lsn_t lsn,
                                                struct seam_fault *f);
/* Hands everything to the operating system: readers see it (and are woken). Survives SIGKILL. */
SEAM_MUST_USE enum seam_status stream_flush(struct stream_writer *w, struct seam_fault *f);
/* ... and to the disk. *synced (may be NULL): the LSN up to which the stream is now durable. */
SEAM_MUST_USE enum seam_status stream_sync(struct stream_writer *w, seam_lsn_t *synced,
                                           struct seam_fault *f);
uint64_t stream_next_offset(const struct stream_writer *w); /* of the next event put */
uint64_t stream_unsynced_bytes(const struct stream_writer *w);
uint64_t stream_unflushed_bytes(const struct stream_writer *w);
/* The snapshot that was just ended is made durable, and those who need one find it from here on (begins
 * and ends are filled in). */
SEAM_MUST_USE enum seam_status stream_snapshot_done(struct stream_writer *w,
                                                    const struct stream_snapshot *s,
                                                    struct seam_fault *f);
/* Lets go of segments that retention and consumers allow. While a consumer is invalid, the newest snapshot
 * is kept for it, as long as no more than the bound has been written after it. *invalidated: consumers that fell behind
 * the bound. */
SEAM_MUST_USE enum seam_status stream_trim(struct stream_writer *w, size_t *invalidated,
                                           struct seam_fault *f);
/* Another relay has taken over: nothing that is pending here is written any more; then close. */
void stream_disown(struct stream_writer *w, const struct seam_fault *why);
enum seam_status stream_writer_close(struct stream_writer *w,
                                     struct seam_fault *f); /* accepts NULL; syncs */

#ifdef __cplusplus
}
#endif

#endif
