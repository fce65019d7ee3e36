/* versions - what a state of the database is, and which states someone may still see.
 *
 *   version = (epoch, LSN, catalogue, a root a tree)      immutable; each commit makes the next one
 *   catalogue = tables and their shapes                   immutable; each change of a shape makes the next one
 *
 * epochs.c, catalog.c, keys.c. */
#ifndef SEAM_OLTP_VERSIONS_H
#define SEAM_OLTP_VERSIONS_H

#include "oltp/btree.h"

struct oltp_txn;

enum { TREE_INDEX_BITS = 5 };
static_assert(SEAM_INDEX_ID_MAX < 1 << TREE_INDEX_BITS, "a tree's number has room for its index");

struct oltp_table { /* immutable once in a catalogue; owned by the handle until it closes */
    struct seam_schema schema;
    uint32_t primary;                 /* tree slots in the version */
    uint32_t index[SEAM_INDEXES_MAX]; /* by position in schema.indexes */
    struct oltp_table *next_owned;
};

struct oltp_catalog {           /* likewise */
    struct oltp_table **tables; /* by id - 1; NULL = dropped */
    uint32_t table_count;       /* ids given so far */
    uint32_t slots;             /* tree slots given so far */
    struct oltp_catalog *next_owned;
};

struct oltp_version {
    _Atomic uint64_t epoch;
    seam_lsn_t lsn;
    int64_t wall_us;
    const struct oltp_catalog *catalog;
    struct oltp_tree *trees;
    uint32_t tree_cap;
    struct oltp_version *next; /* in the list of retired or spare ones */
};

static inline uint32_t tree_number(uint32_t table, unsigned index_id)
{
    return table << TREE_INDEX_BITS | index_id;
}

/* ---- epochs.c; the writer latch is held ---- */
SEAM_MUST_USE enum seam_status oltp_version_make(struct oltp *db, uint32_t trees,
                                                 struct oltp_version **out, struct seam_fault *f);
void oltp_version_publish(struct oltp *db, struct oltp_version *v);
size_t oltp_epochs_seen(struct oltp *db); /* into db->seen, ascending */
void oltp_dead_release(struct oltp *db);  /* frees what nothing sees */

/* ---- keys.c ---- */
enum seam_status oltp_table_unknown(uint32_t table, struct seam_fault *f);
enum seam_status oltp_index_unknown(const struct oltp_table *tb, uint32_t index,
                                    struct seam_fault *f);
int oltp_index_position(const struct oltp_table *tb, uint32_t index); /* -1: it has none such */
SEAM_MUST_USE enum seam_status oltp_index_entry_key(const struct oltp_table *tb, unsigned ix,
                                                    const struct seam_value *values,
                                                    struct wal_bytes primary, struct seam_buf *out,
                                                    size_t *prefix, bool *has_null,
                                                    struct seam_fault *f);
/* The primary key at the end of an index entry. */
SEAM_MUST_USE enum seam_status
oltp_index_entry_primary(const struct seam_schema *s, unsigned ix, struct wal_bytes entry,
                         struct seam_buf *text, struct wal_bytes *primary, struct seam_fault *f);

/* ---- catalog.c ---- */
SEAM_MUST_USE enum seam_status oltp_catalog_copy(struct oltp *db, const struct oltp_catalog *from,
                                                 struct oltp_catalog **out, struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_table_own(struct oltp *db, struct oltp_table **out,
                                              struct seam_fault *f);
/* Makes `s` (moved from) the shape of table `id` in this transaction: new trees and indexes are built, gone ones
 * dropped. s NULL: the table is dropped. */
SEAM_MUST_USE enum seam_status oltp_catalog_set(struct oltp_txn *t, uint32_t id,
                                                struct seam_schema *s, struct seam_fault *f);
void oltp_catalog_encode(const struct oltp_catalog *c, const struct oltp_tree *trees,
                         struct seam_buf *out);
SEAM_MUST_USE enum seam_status oltp_catalog_decode(struct oltp *db, struct seam_reader *r,
                                                   const char *where, struct oltp_catalog **out,
                                                   struct oltp_tree **trees, struct seam_fault *f);

#endif
