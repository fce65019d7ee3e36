/* snapshot - who reads: this handle's read transactions, and others' handles by their pins.
 *
 *   readers[i].epoch = the epoch of a version      a snapshot is this one word
 *   DIR/shared: pins[i].epoch                      the same for a whole handle, seen by every process
 *
 * A version is reused only when no reader slot holds its epoch; a reader stores the epoch first and looks
 * at `current` again after, so one of the two sees the other. snapshot.c, pins.c, read.c. */
#ifndef SEAM_OLTP_SNAPSHOT_H
#define SEAM_OLTP_SNAPSHOT_H

#include "oltp/commit.h"

enum { PIN_BYTES = 64, SHARED_BYTES = 4096 };

struct oltp_cursor {
    struct oltp_txn *t;
    struct oltp_tree_cursor c;
    uint32_t table, slot;
    const struct oltp_table *def;
    int index; /* position in schema.indexes; -1 = the primary tree */
    unsigned flags;
    struct seam_buf lower, upper; /* upper is exclusive */
    bool has_lower, has_upper;
    unsigned begin, end; /* of the leaf's entries, those inside the range */
    uint64_t stamp;      /* of the transaction, when it was placed */
    struct seam_buf
        place; /* the key it stands on: remembered by seek, write transactions and failures */
    bool placed, after;             /* `place` counts; after = the cursor is just behind it */
    struct oltp_hazard *row_hazard; /* the row an index entry leads to */
    struct seam_buf big;
    uint8_t key[OLTP_KEY_MAX + 4]; /* of the last row; a head is written whole */
    size_t key_size;
    struct oltp_cursor *next_spare;
};

struct oltp_snapshot_slot {
    _Alignas(64) _Atomic uint64_t epoch; /* 0 = no snapshot held */
    _Atomic uint32_t taken;
    _Atomic int64_t since_us; /* for the list of pins */
    _Atomic seam_lsn_t lsn;
    struct oltp_txn txn;
};

/* DIR/shared: 64 bytes of header, then pins. Memory shared by processes; nothing durable. */
struct oltp_pin_slot {
    _Atomic uint32_t state; /* 0 free, 1 taken */
    uint32_t kind;
    _Atomic int64_t pid;
    _Atomic uint64_t epoch, lsn;
    int64_t since_us;
    char holder[OLTP_HOLDER_MAX];
};
struct oltp_shared {
    _Atomic uint64_t magic;
    _Atomic int64_t writer_pid;
    uint8_t zeros[48];
    struct oltp_pin_slot pins[OLTP_PINS_MAX];
};
static_assert(sizeof(struct oltp_pin_slot) == PIN_BYTES, "a pin is a line of cache");
static_assert(sizeof(struct oltp_shared) == SHARED_BYTES, "the shared file is one page");

/* ---- snapshot.c ---- */
void oltp_snapshot_end(struct oltp_txn *t); /* of a read transaction */

/* ---- read.c ---- */
void oltp_cursor_free(struct oltp_cursor *c);

/* ---- pins.c ---- */
void oltp_pins_refresh(struct oltp *db); /* writer latch held: drops the dead, gathers db->pinned */
SEAM_MUST_USE enum seam_status oltp_pin_take(struct oltp *db, enum oltp_pin_kind kind,
                                             struct seam_fault *f);
void oltp_pin_give(struct oltp *db);

#endif
