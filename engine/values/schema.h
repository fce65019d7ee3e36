/* schema - a table's shape as data, with its whole history.
 *
 * One struct decodes rows written under any version of the table: every column that ever was stays
 * in `columns` with the versions between which it exists, so version v of the table is
 *
 *     { c in columns : c.added <= v and (c.dropped == 0 or v < c.dropped) }      in column order.
 *
 * Adding a column gives old rows its default; dropping hides it; renaming changes only the name (ids
 * are for ever). JSON form (what `seam init` reads and the catalogue stores):
 *
 *   {"table":"products","version":1,"key":["product_id"],
 *    "columns":[{"name":"product_id","type":"int64"},
 *               {"name":"price","type":"decimal","scale":4,"nullable":true,"default":"0"}, ...],
 *    "indexes":[{"name":"by_sku","columns":["sku"],"unique":true}]}
 *
 * An empty "key" makes a table that only grows (the warehouse has such tables, the row store refuses them).
 * ids, added, dropped are written too, and optional on input (given in order, 1, 0).              */
#ifndef SEAM_ENGINE_SCHEMA_H
#define SEAM_ENGINE_SCHEMA_H

#include "engine/base/buf.h"
#include "engine/values/value.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    SEAM_NAME_MAX_BYTES = 64,
    SEAM_COLUMNS_MAX = 256,
    SEAM_KEY_COLUMNS_MAX = 8,
    SEAM_INDEXES_MAX = 16,
    SEAM_INDEX_ID_MAX = 31, /* ids of indexes that are gone are given again */
};

struct seam_column {
    uint32_t id; /* 1, 2, ... never reused within the table */
    char name[SEAM_NAME_MAX_BYTES];
    enum seam_value_type type;
    uint8_t scale; /* SEAM_V_DECIMAL */
    bool nullable;
    uint32_t added;        /* first table version that has it */
    uint32_t dropped;      /* first version that has not; 0 = still there */
    struct seam_value def; /* default for rows older than the column; text is owned by the schema */
};

struct seam_index_def {
    char name[SEAM_NAME_MAX_BYTES];
    uint16_t id; /* 1, 2, ... within the table; 0 is the primary tree */
    bool unique;
    uint16_t count;
    uint16_t columns[SEAM_KEY_COLUMNS_MAX]; /* positions in schema.columns */
};

struct seam_schema {
    char name[SEAM_NAME_MAX_BYTES];
    uint32_t id;      /* table id in its catalogue; 0 = not yet given */
    uint32_t version; /* 1, 2, ... */
    uint16_t column_count;
    struct seam_column *columns; /* owned; in order of id */
    uint16_t key_count;
    uint16_t key
        [SEAM_KEY_COLUMNS_MAX]; /* positions in columns; key columns are never nullable or dropped */
    uint16_t index_count;
    struct seam_index_def indexes[SEAM_INDEXES_MAX];
};

/* Position of a live column by name, or -1.                                                        */
int seam_schema_column(const struct seam_schema *s, const char *name);
static inline bool seam_column_live(const struct seam_column *c, uint32_t version)
{
    return c->added <= version && (c->dropped == 0 || version < c->dropped);
}

/* Letters, digits and _, 1 to 63 of them, no digit first.                                           */
bool seam_name_valid(const char *name);
/* The one validator of shapes: what passes is read back by everybody as what it was. Whoever stores, logs or
 * sends a schema asks it first; seam_schema_parse asks it of what it read. SEAM_INVALID; SEAM_NOMEM.  */
SEAM_MUST_USE enum seam_status seam_schema_check(const struct seam_schema *s, struct seam_fault *f);
/* ... in its parts, for a reader that names lines: name and version; column `at` given those before it; the
 * key; index `at` given those before it.                                                           */
SEAM_MUST_USE enum seam_status seam_schema_check_head(const struct seam_schema *s,
                                                      struct seam_fault *f);
SEAM_MUST_USE enum seam_status seam_schema_check_column(const struct seam_schema *s, unsigned at,
                                                        struct seam_fault *f);
SEAM_MUST_USE enum seam_status seam_schema_check_key(const struct seam_schema *s,
                                                     struct seam_fault *f);
SEAM_MUST_USE enum seam_status seam_schema_check_index(const struct seam_schema *s, unsigned at,
                                                       struct seam_fault *f);

/* Parses and validates the JSON form; the fault names the member at fault.                         */
SEAM_MUST_USE enum seam_status seam_schema_parse(const char *json, size_t n,
                                                 struct seam_schema *out, struct seam_fault *f);
void seam_schema_to_json(const struct seam_schema *s, struct seam_buf *out);
SEAM_MUST_USE enum seam_status seam_schema_clone(const struct seam_schema *s,
                                                 struct seam_schema *out);
void seam_schema_free(struct seam_schema *s);

/* Evolution: each makes the next version in place. A refused change changes nothing. SEAM_EXISTS: the name is
 * taken.                                                                                           */
SEAM_MUST_USE enum seam_status
seam_schema_add_column(struct seam_schema *s, const struct seam_column *c, struct seam_fault *f);
SEAM_MUST_USE enum seam_status seam_schema_drop_column(struct seam_schema *s, const char *name,
                                                       struct seam_fault *f);
SEAM_MUST_USE enum seam_status seam_schema_rename_column(struct seam_schema *s, const char *from,
                                                         const char *to, struct seam_fault *f);
/* Indexes are no part of a row: the version stays. The id is the next one, or when those are used up the lowest
 * that no index has.                                                                               */
SEAM_MUST_USE enum seam_status seam_schema_add_index(struct seam_schema *s, const char *name,
                                                     const char *const *columns, size_t count,
                                                     bool unique, struct seam_fault *f);
SEAM_MUST_USE enum seam_status seam_schema_drop_index(struct seam_schema *s, const char *name,
                                                      struct seam_fault *f);

#ifdef __cplusplus
}
#endif

#endif
