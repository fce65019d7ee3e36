/* import_mapping - the mapping file, parsed and checked against the tables. Private to the
 * importer.
 *
 * Everything is resolved here: names of source columns become slots of a record, names of tables
 * and columns become positions, so that the loop over records compares and copies only.          */
#ifndef SEAM_PIPELINE_IMPORT_MAPPING_H
#define SEAM_PIPELINE_IMPORT_MAPPING_H

#include "engine/text/json.h"
#include "oltp/oltp.h"

enum { IMPORT_SLOTS_MAX = 256, IMPORT_TABLES_MAX = 16 };

enum import_format { IMPORT_CSV, IMPORT_TSV, IMPORT_JSONL };

enum import_condition_kind {
    C_EMPTY,
    C_STARTS,
    C_EQUALS,
    C_CONTAINS,
    C_ABOVE,
    C_BELOW,
    C_ALL,
    C_ANY,
    C_NOT
};

struct import_condition {
    enum import_condition_kind kind;
    int slot;
    const char *text;
    size_t size;
    int64_t number; /* ABOVE, BELOW: scale 6 */
    struct import_condition *child, *next;
};

enum import_expr_kind {
    E_UNMAPPED,
    E_FROM,
    E_CONST,
    E_CASES,
    E_COUNT,
    E_SAME,
    E_INTERN,
    E_VERSION
};

struct import_expr_case {
    const struct import_condition *when; /* NULL: otherwise */
    const struct import_expr *then;
    struct import_expr_case *next;
};

struct import_expr {
    enum import_expr_kind kind;
    int slot; /* FROM, COUNT */
    bool trim, digits, upper, lower, decimal_comma;
    const char *time;   /* FROM: how its dates are written, as in strftime; NULL = ISO 8601 */
    const char *prefix; /* FROM: put before what is not empty */
    const struct import_expr *fallback; /* FROM: when empty */
    const char *text;                   /* CONST */
    size_t size;
    struct import_expr_case *cases; /* CASES */
    int table, column;              /* SAME: an earlier table of the mapping */
    uint32_t index;                 /* INTERN: the unique index, */
    int index_column;               /* ... its one column      */
};

enum import_mode {
    MODE_UPSERT, /* insert, or update when something changed            */
    MODE_KEEP,   /* insert; a row that is there stays as it is          */
    MODE_INSERT, /* insert; a row that is there and differs is an error */
};

struct import_event {
    const struct import_condition *when;
    const char *type, *aggregate;
    struct import_event *next;
};

struct import_table {
    uint32_t id;
    const struct seam_schema *schema; /* owned by the mapping */
    enum import_mode mode;
    const struct import_condition *when, *update_when;
    struct import_expr columns[SEAM_COLUMNS_MAX];
    bool compared[SEAM_COLUMNS_MAX];
    bool early
        [SEAM_COLUMNS_MAX]; /* decides whether anything is written; the others are computed only then */
    int newest;             /* column: an older value changes nothing; -1 = none */
    int64_t apart_us;       /* newest: at least this much later than the stored one */
    struct import_event *events; /* when a row is inserted: the first that holds */
};

struct import_mapping {
    struct seam_arena arena;
    const char *name;
    enum import_format format;
    char separator; /* csv; 0 = a comma */
    bool format_given, latin1, no_header;
    bool strict;                         /* made of a table: columns that it has not are refused */
    const char *slots[IMPORT_SLOTS_MAX]; /* names of the source columns that are used */
    int slot_count;
    const char *const *columns; /* of a file without a header */
    int column_count;
    int group_slot;      /* one transaction a run of equal values; -1 = none */
    uint64_t group_rows; /* ... and at most this many records                */
    struct import_table tables[IMPORT_TABLES_MAX];
    struct seam_schema schemas[IMPORT_TABLES_MAX];
    int table_count;
};

/* Parses and checks against the tables that `t` sees.                                            */
SEAM_MUST_USE enum seam_status import_mapping_parse(const char *json, size_t n, struct oltp_txn *t,
                                                    struct import_mapping **out,
                                                    struct seam_fault *f);
/* Every live column of `table` from the source column of its name.                               */
SEAM_MUST_USE enum seam_status import_mapping_of_table(const char *table, struct oltp_txn *t,
                                                       struct import_mapping **out,
                                                       struct seam_fault *f);
void import_mapping_free(struct import_mapping *m); /* accepts NULL */
int import_mapping_slot(const struct import_mapping *m,
                        const char *name); /* -1 when no expression uses it */

#endif
