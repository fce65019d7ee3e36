/* sink - how a store is fed from the stream: whole transactions in, one atomic publication out.
 *
 *   stream --events--> runner (run.c)  --change @lsn--> sink_NAME.c --> the store
 *                        |                                  |
 *                        | at a transaction's end, when nothing more is waiting or the batch is full:
 *                        +-------------------------------> publish(applied_lsn)   effect + offset, one step
 *
 * Where a sink stands is what its store last published (rule 3): the runner asks the store for its
 * applied LSN at start and reads the stream from there. Events at or below it are skipped, so any
 * re-delivery is harmless; a publication that failed is as if it never was. Exactly-once effects.
 *
 * A snapshot (pipeline/relay/bootstrap.h) is one transaction, so all of it is one publication: before its first
 * row the runner publishes what it has, at its end it deletes what was not named. A store that stands at the
 * snapshot's LSN, or beyond, passes over it.
 *
 * A sink process: sink_open, then sink_run until told to stop. One process a sink; each has its own
 * pace, and a stalled one holds up no other. Thread-safety: a sink belongs to one thread.
 * Imports: engine, wal, pipeline/stream. Schemas come from the stream (pipeline/stream/registry.h).       */
#ifndef SEAM_PIPELINE_SINK_H
#define SEAM_PIPELINE_SINK_H

#include <signal.h>

#include "engine/base/lsn.h"
#include "engine/base/trace.h"
#include "engine/values/schema.h"
#include "pipeline/platform.h"
#include "pipeline/stream/change.h"

/* Gives one encoded key; the bytes live for the call. */
typedef enum seam_status (*sink_key_fn)(void *ctx, struct wal_bytes key, struct seam_fault *f);

struct sink;
struct stream_feed;
struct stream_feed_event;
struct sink_run_options;
struct sink_run_result;
struct sink_sides;
struct sink_probe;
struct sink_tables;

/* What a sink_NAME.c provides. Any function but open, applied, close and one of publish and run may be NULL.
 * One with rows of its own needs keys.                                                            */
struct sink_ops {
    const char *name;
    /* Opens (creates) the store for writing and recovers it. *s is zeroed memory of `size` bytes whose first
     * member is struct sink.                                                                      */
    enum seam_status (*open)(struct sink *s, struct seam_fault *f);
    enum seam_status (*change)(struct sink *s, const struct stream_change *c, struct seam_fault *f);
    enum seam_status (*outbox)(struct sink *s, const struct stream_outbox *e, struct seam_fault *f);
    /* (As from change: SEAM_CORRUPT, SEAM_INVALID or SEAM_UNSUPPORTED blame the event, which becomes a dead letter; any
     * other failure is the store's, and ends the run.)                                              */
    /* The table's shape changed (or is first heard of). Before any change that uses it.           */
    enum seam_status (*schema)(struct sink *s, const struct seam_schema *schema,
                               struct seam_fault *f);
    /* A snapshot at `to` follows, and the store stands at `from`: what happened in between, in (from, to], it will
     * never be told. For a store that keeps history as such.                                        */
    enum seam_status (*gap)(struct sink *s, seam_lsn_t from, seam_lsn_t to, int64_t wall_us,
                            struct seam_fault *f);
    /* Every key of this table that the store held when it last published (keys handed over since may be given as
     * well), in any order. Nothing when it keeps none of this table.                                */
    enum seam_status (*keys)(struct sink *s, const struct seam_schema *schema, sink_key_fn fn,
                             void *ctx, struct seam_fault *f);
    /* Everything handed over since the last publish, and applied_lsn, durable and visible in one step. */
    enum seam_status (*publish)(struct sink *s, seam_lsn_t applied_lsn, int64_t wall_us,
                                struct seam_fault *f);
    seam_lsn_t (*applied)(const struct sink *s);
    /* Some background work; *more when there is more. Called when nothing is waiting.              */
    enum seam_status (*maintain)(struct sink *s, bool *more, struct seam_fault *f);
    /* Instead of the runner's loop: for a sink that is fed by another store than the stream (gold).  */
    enum seam_status (*run)(struct sink *s, struct stream_feed *feed,
                            const struct sink_run_options *o, struct sink_run_result *result,
                            struct seam_fault *f);
    /* Where sink_next takes the next event from; NULL = stream_feed_next. As that one answers.       */
    enum seam_status (*next)(struct sink *s, struct stream_feed *feed, struct stream_feed_event *e,
                             struct seam_fault *f);
    void (*close)(struct sink *s);
    size_t size;

    /* ---- what others ask of the store in `dir`, without a sink open; NULL: it has nothing to say ---- */
    /* Every checksum and every invariant: what was looked at in one line, and what is wrong.         */
    enum seam_status (*verify)(const struct platform *p, const char *dir, struct seam_buf *summary,
                               struct seam_buf *report, struct seam_fault *f);
    const struct sink_sides *sides;   /* for reconciliation: pipeline/sinks/side.h */
    const struct sink_probe *probe;   /* does it show a change yet: pipeline/sinks/probe.h */
    const struct sink_tables *tables; /* for SQL: pipeline/sinks/tables.h */
    /* How it is made again (seam rebuild). */
    enum sink_rebuild {
        SINK_REBUILD_BESIDE,   /* in a folder beside the served one, then they change places */
        SINK_REBUILD_IN_PLACE, /* from an empty folder: it builds generations of its own */
    } rebuild;
};

struct sink {
    const struct sink_ops *ops;
    const struct platform *platform;
    const struct seam_json *config; /* shop.sinks.NAME */
    char dir[SEAM_PATH_MAX_BYTES];  /* DIR/sinks/NAME */
    bool beside;                    /* not the served one: see sink_open_beside */
    struct seam_trace *trace;
};

enum { SINKS_MAX = 15 }; /* with the relay, as many processes as `seam run` starts */
/* THE list of sinks (sinks.c), in the order in which they are shown; *n: how many.                   */
const struct sink_ops *const *sink_list(size_t *n);
const struct sink_ops *sink_find(const char *name); /* NULL: no such sink */

/* SEAM_NOT_FOUND: no such sink. SEAM_CONFLICT: another process runs it.                                */
SEAM_MUST_USE enum seam_status sink_open(const struct platform *p, const char *name,
                                         struct seam_trace *trace, struct sink **out,
                                         struct seam_fault *f);
/* As sink_open, in another folder than the served one: a rebuild beside it. Its runs are anonymous: the stream's list of
 * consumers keeps speaking of the served one. SEAM_UNSUPPORTED for one that is made again in its place.      */
SEAM_MUST_USE enum seam_status sink_open_beside(const struct platform *p, const char *name,
                                                const char *dir, struct sink **out,
                                                struct seam_fault *f);
void sink_close(struct sink *s); /* accepts NULL */

struct sink_run_options {
    bool until_caught_up; /* stop when everything visible in the stream at that moment is applied */
    seam_lsn_t until_lsn; /* ... or when applied_lsn has reached this; 0 = no */
    uint64_t batch_events;             /* publish at the latest after so many events; 0 = 65,536 */
    uint64_t batch_us;                 /* ... or so long after the first of them; 0 = 50,000     */
    const volatile sig_atomic_t *stop; /* set from a signal handler; may be NULL */
    void (*progress)(void *ctx, seam_lsn_t applied, seam_lsn_t source, uint64_t events);
    void *progress_ctx;
};
/* dead: events set aside (pipeline/sinks/deadletter.h). snapshots: taken over; swept: rows deleted because one did not name
 * them (pipeline/sinks/sweep.h)                                                                           */
struct sink_run_result {
    uint64_t events, transactions, publications, skipped, dead, snapshots, swept;
    seam_lsn_t applied;
};

SEAM_MUST_USE enum seam_status sink_run(struct sink *s, const struct sink_run_options *o,
                                        struct sink_run_result *result, struct seam_fault *f);
/* The next event from the sink's feed: what the runner's loop asks for, and one of a sink's own. As stream_feed_next. */
SEAM_MUST_USE enum seam_status sink_next(struct sink *s, struct stream_feed *feed,
                                         struct stream_feed_event *e, struct seam_fault *f);

#endif
