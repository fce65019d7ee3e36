/* change - the words the row store writes to the log and everyone else reads.
 *
 * The log of a transaction (all varints are LEB128, zz = zigzag, "str" = varint length + bytes):
 *
 *   BEGIN       varint txn
 *   SCHEMA      varint txn, seq, table, version, str json        (0 or more: a table as it now is)
 *   ROW         varint txn, seq, table, version, u8 op, u8 flags,    (0 or more)
 *               str key, [str before], [str after]
 *   OUTBOX      varint txn, seq, str topic, str key, str payload     (0 or more)
 *   COMMIT      varint txn, zz wall_us, varint changes, varint span, [zz off_us]  or  ABORT  varint txn
 *
 *   +------+------+------+--------+        seq = 0, 1, 2 ... over ROW, OUTBOX and SCHEMA records
 *   |BEGIN | ROW0 | ROW1 | COMMIT |        changes = how many of those; span = bytes from the start
 *   +------+------+------+--------+        of BEGIN to the start of COMMIT
 *                                 ^ the transaction's LSN
 *   off_us stands there when the clock read something else: wall_us + off_us (oltp/commit_time.c says why)
 *
 * Records of different transactions never interleave (one writer). HEARTBEAT, CHECKPOINT and MARK
 * may stand anywhere. A BEGIN while another transaction is open means that one died with its
 * process: readers drop it, as for ABORT. Only what is followed by its COMMIT ever happened.
 *
 * Rows are engine/values/row.h bytes, keys engine/values/key.h bytes of the primary key; here they are opaque.
 * Decoders point into the record's bytes and never allocate; hostile bytes give SEAM_CORRUPT. */
#ifndef SEAM_WAL_CHANGE_H
#define SEAM_WAL_CHANGE_H

#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/lsn.h"

#ifdef __cplusplus
extern "C" {
#endif

enum wal_change_type { /* the log's record types; on disk, never renumber */
                       WAL_CHANGE_BEGIN = 1,
                       WAL_CHANGE_ROW = 2,
                       WAL_CHANGE_OUTBOX = 3,
                       WAL_CHANGE_SCHEMA = 4,
                       WAL_CHANGE_COMMIT = 5,
                       WAL_CHANGE_ABORT = 6,
                       WAL_CHANGE_HEARTBEAT = 7,
                       WAL_CHANGE_CHECKPOINT = 8,
                       WAL_CHANGE_MARK = 9,
                       WAL_CHANGE_TYPE_COUNT
};

enum wal_change_op {                    /* on disk */
                     WAL_OP_INSERT = 1, /* after            */
                     WAL_OP_UPDATE = 2, /* before and after */
                     WAL_OP_DELETE = 3, /* before           */
};

enum wal_change_flags {
    /* Re-emitted by reconciliation: current truth, whatever came before. INSERT, UPDATE: after is
     * the row now; DELETE: it is gone (before may be absent). */
    WAL_CHANGE_REPAIR = 1,
    WAL_CHANGE_HAS_BEFORE = 2, /* set by the encoder: the before row is present */
    WAL_CHANGE_HAS_AFTER = 4,
};

struct wal_bytes {
    const uint8_t *data;
    size_t size;
}; /* borrowed */
static inline bool wal_bytes_equal(struct wal_bytes a,
                                   struct wal_bytes b) /* of size 0: data may be NULL */
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

enum { WAL_CHANGE_KEY_MAX = 64 << 10, WAL_CHANGE_ROW_MAX = 31 << 20, WAL_CHANGE_TOPIC_MAX = 255 };

struct wal_change_begin {
    uint64_t txn;
};
struct wal_change_row {
    uint64_t txn, seq;
    uint32_t table, version; /* table id, schema version of the rows */
    uint8_t op, flags;
    struct wal_bytes key, before, after; /* data NULL when absent */
};
struct wal_change_outbox {
    uint64_t txn, seq;
    struct wal_bytes topic, key, payload;
};
struct wal_change_schema {
    uint64_t txn, seq;
    uint32_t table, version;
    struct wal_bytes json;
};
struct wal_change_commit {
    uint64_t txn;
    int64_t wall_us;
    uint64_t changes, span;
    int64_t off_us; /* the clock read wall_us + off_us, which was not believed; mostly 0 */
};
struct wal_change_abort {
    uint64_t txn;
};
struct wal_change_heartbeat {
    uint64_t beat;
    int64_t wall_us;
};
struct wal_change_checkpoint {
    seam_lsn_t lsn;
    int64_t wall_us;
    uint64_t pages;
};
struct wal_change_mark {
    uint32_t kind;
    struct wal_bytes text;
}; /* notes: watermarks, labs */

/* Encoders append one record's payload to `out` (sticky failure: seam_buf_ok). */
void wal_change_put_begin(struct seam_buf *out, const struct wal_change_begin *c);
void wal_change_put_row(struct seam_buf *out, const struct wal_change_row *c);
void wal_change_put_outbox(struct seam_buf *out, const struct wal_change_outbox *c);
void wal_change_put_schema(struct seam_buf *out, const struct wal_change_schema *c);
void wal_change_put_commit(struct seam_buf *out, const struct wal_change_commit *c);
void wal_change_put_abort(struct seam_buf *out, const struct wal_change_abort *c);
void wal_change_put_heartbeat(struct seam_buf *out, const struct wal_change_heartbeat *c);
void wal_change_put_checkpoint(struct seam_buf *out, const struct wal_change_checkpoint *c);
void wal_change_put_mark(struct seam_buf *out, const struct wal_change_mark *c);
/* A row record without copying rows through `out`: writes everything up to the rows' bytes into
 * `head` and returns its size; the record is head, before, mid, after (mid = after's length
 * prefix).
 * For wal_append(parts): WAL_CHANGE_HEAD_MAX + key bytes of head are needed. */
enum { WAL_CHANGE_HEAD_MAX = 64 };
size_t wal_change_row_head(uint8_t *head, const struct wal_change_row *c, uint8_t mid[10],
                           size_t *mid_size);

/* Decoders: the whole payload must be used up. SEAM_OK or SEAM_CORRUPT (fault offset within
 * payload). */
SEAM_MUST_USE enum seam_status
wal_change_get_begin(const uint8_t *p, size_t n, struct wal_change_begin *c, struct seam_fault *f);
SEAM_MUST_USE enum seam_status wal_change_get_row(const uint8_t *p, size_t n,
                                                  struct wal_change_row *c, struct seam_fault *f);
SEAM_MUST_USE enum seam_status wal_change_get_outbox(const uint8_t *p, size_t n,
                                                     struct wal_change_outbox *c,
                                                     struct seam_fault *f);
SEAM_MUST_USE enum seam_status wal_change_get_schema(const uint8_t *p, size_t n,
                                                     struct wal_change_schema *c,
                                                     struct seam_fault *f);
SEAM_MUST_USE enum seam_status wal_change_get_commit(const uint8_t *p, size_t n,
                                                     struct wal_change_commit *c,
                                                     struct seam_fault *f);
SEAM_MUST_USE enum seam_status
wal_change_get_abort(const uint8_t *p, size_t n, struct wal_change_abort *c, struct seam_fault *f);
SEAM_MUST_USE enum seam_status wal_change_get_heartbeat(const uint8_t *p, size_t n,
                                                        struct wal_change_heartbeat *c,
                                                        struct seam_fault *f);
SEAM_MUST_USE enum seam_status wal_change_get_checkpoint(const uint8_t *p, size_t n,
                                                         struct wal_change_checkpoint *c,
                                                         struct seam_fault *f);
SEAM_MUST_USE enum seam_status wal_change_get_mark(const uint8_t *p, size_t n,
                                                   struct wal_change_mark *c, struct seam_fault *f);

const char *wal_change_type_name(uint8_t type); /* "row", ...; "unknown" */
/* One line for `seam log` and wal_dump: "row products(3) v2 update key 8 B before 61 B after 61
 * B". */
void wal_change_explain(uint8_t type, const uint8_t *p, size_t n, struct seam_buf *out);

#ifdef __cplusplus
}
#endif

#endif
