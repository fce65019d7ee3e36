/* deadletter - events a sink could not apply, set aside with the reason, so that the rest can go
 * on.
 *
 *   DIR/dead/SINK/     a log (wal/wal.h) of two record types; varints, "str" = varint
 *                      length + bytes
 *
 *   LETTER    varint id, zz wall_us, varint offset, lsn, txn, seq, total, zz commit_us,
 *             u8 type (wal/change.h), str event (the change as the log holds it), str reason
 *   VERDICT   varint id, u8 verdict, zz wall_us
 *
 * A letter without a verdict is open. Ids are 1, 2, 3 ... within a sink. Letters and verdicts are
 * never changed or removed: the history of what went wrong is kept. A letter is durable before
 * sink_dead_letter_add returns, which is before the sink may publish past the event: so a poison event
 * is in the store, or here, whatever crashes.
 * Delivering it twice is harmless: an event that has a letter with the same offset, operation, table
 * and key gets the same id. (The deletes that end a snapshot share one offset: pipeline/sinks/sweep.h.)
 *
 * Any process; each call takes the log's lock for its short time (waits up to 2 s, then
 * SEAM_CONFLICT). */
#ifndef SEAM_PIPELINE_DEADLETTER_H
#define SEAM_PIPELINE_DEADLETTER_H

#include "pipeline/platform.h"
#include "pipeline/stream/stream.h"

enum sink_dead_verdict { DEAD_OPEN = 0, DEAD_RETRIED = 1, DEAD_DROPPED = 2 }; /* on disk */
enum {
    DEAD_REASON_MAX = 1024,
    DEAD_LETTERS_MAX = 100000
}; /* a sink with more has another problem: SEAM_LIMIT */

struct sink_dead_letter {
    uint64_t id;
    int64_t wall_us; /* when it was set aside, or when the verdict was given */
    enum sink_dead_verdict verdict;
    struct stream_event
        event; /* kind, lsn, txn, seq, total, offset and the change: bytes live during the call */
    const char *reason;
};

/* e: a ROW, OUTBOX or SCHEMA event. *id may be NULL. */
SEAM_MUST_USE enum seam_status sink_dead_letter_add(const struct platform *p, const char *sink,
                                                    const struct stream_event *e,
                                                    const char *reason, uint64_t *id,
                                                    struct seam_fault *f);
/* Calls fn for each letter, oldest first, all or only the open ones. Any status but SEAM_OK ends it
 * and is returned. A sink without letters: SEAM_OK, no call. */
SEAM_MUST_USE enum seam_status sink_dead_letters(
    const struct platform *p, const char *sink, bool only_open,
    enum seam_status (*fn)(void *ctx, const struct sink_dead_letter *d, struct seam_fault *f),
    void *ctx, struct seam_fault *f);
/* SEAM_NOT_FOUND: no such letter. SEAM_CONFLICT: it has a verdict already. To retry: apply the event
 * (through the sink's own idempotent path), then give the verdict. */
SEAM_MUST_USE enum seam_status sink_dead_letter_resolve(const struct platform *p, const char *sink,
                                                        uint64_t id, enum sink_dead_verdict verdict,
                                                        struct seam_fault *f);
struct sink_dead_counts {
    uint64_t open, retried, dropped;
};
SEAM_MUST_USE enum seam_status sink_dead_letter_count(const struct platform *p, const char *sink,
                                                      struct sink_dead_counts *out,
                                                      struct seam_fault *f);
const char *sink_dead_verdict_name(enum sink_dead_verdict v);

#endif
