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

enum { NAME_MAX_BYTES = 64, COLUMNS_MAX = 256, KEY_COLUMNS_MAX = 8, INDEXES_MAX = 16 };

struct column {
    uint32_t id; /* 1, 2, ... never reused within the table */
    char name[NAME_MAX_BYTES];
    enum value_type type;
    uint8_t scale;        /* V_DECIMAL */
    bool nullable;
    uint32_t added;       /* first table version that has it */
    uint32_t dropped;     /* first version that has not; 0 = still there */
    struct value def;     /* default for rows older than the column; text is owned by the schema */
};

struct index_def {
    char name[NAME_MAX_BYTES];
    uint16_t id;          /* 1, 2, ... within the table; 0 is the primary tree */
    bool unique;
    uint16_t count;
    uint16_t columns[KEY_COLUMNS_MAX]; /* positions in schema.columns */
};

struct schema {
    char name[NAME_MAX_BYTES];
    uint32_t id;          /* table id in its catalogue; 0 = not yet given */
    uint32_t version;     /* 1, 2, ... */
    uint16_t column_count;
    struct column *columns; /* owned; in order of id */
    uint16_t key_count;
    uint16_t key[KEY_COLUMNS_MAX]; /* positions in columns; key columns are never nullable or dropped */
    uint16_t index_count;
    struct index_def indexes[INDEXES_MAX];
};

/* Position of a live column by name, or -1.                                                        */
int schema_column(const struct schema *s, const char *name);
bool column_live(const struct column *c, uint32_t version);

/* Parses and validates the JSON form; the fault names the member at fault.                         */
MUST_USE enum status schema_parse(const char *json, size_t n, struct schema *out, struct fault *f);
void schema_to_json(const struct schema *s, struct buf *out);
MUST_USE enum status schema_clone(const struct schema *s, struct schema *out);
void schema_free(struct schema *s);

/* Evolution: each makes the next version in place. A refused change changes nothing.               */
MUST_USE enum status schema_add_column(struct schema *s, const struct column *c, struct fault *f);
MUST_USE enum status schema_drop_column(struct schema *s, const char *name, struct fault *f);
MUST_USE enum status schema_rename_column(struct schema *s, const char *from, const char *to,
                                          struct fault *f);

#endif
