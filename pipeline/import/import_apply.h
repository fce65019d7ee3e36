/* import_apply - a record's rows, computed and written into the running transaction. Private to the
 * importer.                                                                                      */
#ifndef SEAM_PIPELINE_IMPORT_APPLY_H
#define SEAM_PIPELINE_IMPORT_APPLY_H

#include "pipeline/import/import.h"
#include "pipeline/import/import_map.h"
#include "pipeline/import/import_record.h"

/* What the importer keeps for each table of the mapping.                                         */
struct import_rows {
    struct value values[COLUMNS_MAX]; /* of the record at hand                          */
    struct value old[COLUMNS_MAX];    /* the stored row, when there is one              */
    struct buf old_row;               /* ... its bytes                                  */
    bool fed;                         /* the record has a row for this table            */
    enum import_action { ACTION_NONE, ACTION_INSERT, ACTION_UPDATE } action;
    struct import_map ids; /* INTERN: text key to id                         */
    int64_t last_id;       /* INTERN: the highest there is; -1 = not known   */
    struct buf last_key;   /* KEEP: of the row seen last, known to be there  */
};

struct import_apply {
    const struct mapping *m;
    struct import_rows *rows;                   /* one a table of the mapping                    */
    struct import_map counts[IMPORT_SLOTS_MAX]; /* COUNT: by slot; used ones only       */
    int64_t count_now[IMPORT_SLOTS_MAX];
    bool counted[IMPORT_SLOTS_MAX];
    struct buf key, json;
    struct import_stats *stats;
    bool repeats; /* the mapping writes a table twice: rows are decided on one by one */
};

MUST_USE enum status apply_open(struct import_apply *a, const struct mapping *m,
                                struct import_stats *stats, struct fault *f);
void apply_close(struct import_apply *a);
/* Counts the record in its groups, whether or not it will land: its number depends on the file
 * alone.                                                                                         */
MUST_USE enum status apply_count(struct import_apply *a, const struct record_reader *r,
                                 struct fault *f);
void apply_restart_counts(struct import_apply *a);
/* Computes and writes the record's rows, all or none. ST_INVALID, ST_EXISTS, ST_LIMIT: the record
 * cannot land, and nothing of it is in the transaction; anything else ends the import.           */
MUST_USE enum status apply_record(struct import_apply *a, struct oltp_txn *t,
                                  struct record_reader *r, struct fault *f);
/* After a rollback by the caller: what was learnt from rows that are gone.                       */
void apply_forget(struct import_apply *a);

#endif
