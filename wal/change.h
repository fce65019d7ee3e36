/* change - the words the row store writes to the log and everyone else reads.
 *
 * The log of a transaction (all varints are LEB128, zz = zigzag, "str" = varint length + bytes):
 *
 *   BEGIN       varint txn
 *   SCHEMA      varint txn, seq, table, version, str json        (0 or more: a table as it now is)
 *   ROW         varint txn, seq, table, version, u8 op, u8 flags,    (0 or more)
 *               str key, [str before], [str after]
 *   OUTBOX      varint txn, seq, str topic, str key, str payload     (0 or more)
 *   COMMIT      varint txn, zz wall_us, varint changes, varint span  or  ABORT  varint txn
 *
 *   +------+------+------+--------+        seq = 0, 1, 2 ... over ROW, OUTBOX and SCHEMA records
 *   |BEGIN | ROW0 | ROW1 | COMMIT |        changes = how many of those; span = bytes from the start
 *   +------+------+------+--------+        of BEGIN to the start of COMMIT
 *                                 ^ the transaction's LSN
 *
 * Records of different transactions never interleave (one writer). HEARTBEAT, CHECKPOINT and MARK
 * may stand anywhere. A BEGIN while another transaction is open means that one died with its
 * process: readers drop it, as for ABORT. Only what is followed by its COMMIT ever happened.
 *
 * Rows are engine/values/row.h bytes, keys engine/values/key.h bytes of the primary key; here they are opaque.
 * Decoders point into the record's bytes and never allocate; hostile bytes give ST_CORRUPT. */
#ifndef SEAM_WAL_CHANGE_H
#define SEAM_WAL_CHANGE_H

#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/lsn.h"

enum change_type { /* the log's record types; on disk, never renumber */
    CHANGE_BEGIN = 1,
    CHANGE_ROW = 2,
    CHANGE_OUTBOX = 3,
    CHANGE_SCHEMA = 4,
    CHANGE_COMMIT = 5,
    CHANGE_ABORT = 6,
    CHANGE_HEARTBEAT = 7,
    CHANGE_CHECKPOINT = 8,
    CHANGE_MARK = 9,
    CHANGE_TYPE_COUNT
};

enum change_op { /* on disk */
    OP_INSERT = 1, /* after            */
    OP_UPDATE = 2, /* before and after */
    OP_DELETE = 3, /* before           */
};

enum change_flags {
    /* Re-emitted by reconciliation: current truth, whatever came before. INSERT, UPDATE: after is
     * the row now; DELETE: it is gone (before may be absent). */
    CHANGE_REPAIR = 1,
    CHANGE_HAS_BEFORE = 2, /* set by the encoder: the before row is present */
    CHANGE_HAS_AFTER = 4,
};

struct bytes { const uint8_t *data; size_t size; }; /* borrowed */
static inline bool bytes_equal(struct bytes a, struct bytes b) /* of size 0: data may be NULL */
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

enum { CHANGE_KEY_MAX = 64 << 10, CHANGE_ROW_MAX = 31 << 20, CHANGE_TOPIC_MAX = 255 };

struct change_begin { uint64_t txn; };
struct change_row {
    uint64_t txn, seq;
    uint32_t table, version; /* table id, schema version of the rows */
    uint8_t op, flags;
    struct bytes key, before, after; /* data NULL when absent */
};
struct change_outbox { uint64_t txn, seq; struct bytes topic, key, payload; };
struct change_schema { uint64_t txn, seq; uint32_t table, version; struct bytes json; };
struct change_commit { uint64_t txn; int64_t wall_us; uint64_t changes, span; };
struct change_abort { uint64_t txn; };
struct change_heartbeat { uint64_t beat; int64_t wall_us; };
struct change_checkpoint { lsn_t lsn; int64_t wall_us; uint64_t pages; };
struct change_mark { uint32_t kind; struct bytes text; }; /* notes: watermarks, labs */

/* Encoders append one record's payload to `out` (sticky failure: buf_ok). */
void change_put_begin(struct buf *out, const struct change_begin *c);
void change_put_row(struct buf *out, const struct change_row *c);
void change_put_outbox(struct buf *out, const struct change_outbox *c);
void change_put_schema(struct buf *out, const struct change_schema *c);
void change_put_commit(struct buf *out, const struct change_commit *c);
void change_put_abort(struct buf *out, const struct change_abort *c);
void change_put_heartbeat(struct buf *out, const struct change_heartbeat *c);
void change_put_checkpoint(struct buf *out, const struct change_checkpoint *c);
void change_put_mark(struct buf *out, const struct change_mark *c);
/* A row record without copying rows through `out`: writes everything up to the rows' bytes into
 * `head` and returns its size; the record is head, before, mid, after (mid = after's length
 * prefix).
 * For wal_append(parts): CHANGE_HEAD_MAX + key bytes of head are needed. */
enum { CHANGE_HEAD_MAX = 64 };
size_t change_row_head(uint8_t *head, const struct change_row *c, uint8_t mid[10],
                       size_t *mid_size);

/* Decoders: the whole payload must be used up. ST_OK or ST_CORRUPT (fault offset within
 * payload). */
MUST_USE enum status change_get_begin(const uint8_t *p, size_t n, struct change_begin *c,
                                      struct fault *f);
MUST_USE enum status change_get_row(const uint8_t *p, size_t n, struct change_row *c,
                                    struct fault *f);
MUST_USE enum status change_get_outbox(const uint8_t *p, size_t n, struct change_outbox *c,
                                       struct fault *f);
MUST_USE enum status change_get_schema(const uint8_t *p, size_t n, struct change_schema *c,
                                       struct fault *f);
MUST_USE enum status change_get_commit(const uint8_t *p, size_t n, struct change_commit *c,
                                       struct fault *f);
MUST_USE enum status change_get_abort(const uint8_t *p, size_t n, struct change_abort *c,
                                      struct fault *f);
MUST_USE enum status change_get_heartbeat(const uint8_t *p, size_t n, struct change_heartbeat *c,
                                          struct fault *f);
MUST_USE enum status change_get_checkpoint(const uint8_t *p, size_t n, struct change_checkpoint *c,
                                           struct fault *f);
MUST_USE enum status change_get_mark(const uint8_t *p, size_t n, struct change_mark *c,
                                     struct fault *f);

const char *change_type_name(uint8_t type); /* "row", ...; "unknown" */
/* One line for `seam log` and wal_dump: "row products(3) v2 update key 8 B before 61 B after 61
 * B". */
void change_explain(uint8_t type, const uint8_t *p, size_t n, struct buf *out);

#endif
