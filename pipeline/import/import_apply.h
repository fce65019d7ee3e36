/* import_apply - a record's rows, computed and written into the running transaction. Private to the
 * importer.                                                                                      */
#ifndef SEAM_PIPELINE_IMPORT_APPLY_H
#define SEAM_PIPELINE_IMPORT_APPLY_H

#include "pipeline/import/import.h"
#include "pipeline/import/import_map.h"
#include "pipeline/import/import_record.h"

/* What the importer keeps for each table of the mapping.                                         */
struct import_rows {
    struct seam_value values[SEAM_COLUMNS_MAX]; /* of the record at hand                          */
    struct seam_value old[SEAM_COLUMNS_MAX];    /* the stored row, when there is one              */
    struct seam_buf old_row;                    /* ... its bytes                                  */
    bool fed;                                   /* the record has a row for this table            */
    enum import_action { ACTION_NONE, ACTION_INSERT, ACTION_UPDATE } action;
    struct import_map ids;    /* INTERN: text key to id                         */
    int64_t last_id;          /* INTERN: the highest there is; -1 = not known   */
    struct seam_buf last_key; /* KEEP: of the row seen last, known to be there  */
};

struct import_apply {
    const struct import_mapping *m;
    struct import_rows *rows;                   /* one a table of the mapping                    */
    struct import_map counts[IMPORT_SLOTS_MAX]; /* COUNT: by slot; used ones only       */
    int64_t count_now[IMPORT_SLOTS_MAX];
    bool counted[IMPORT_SLOTS_MAX];
    struct seam_buf key, json;
    struct import_stats *stats;
    bool repeats; /* the mapping writes a table twice: rows are decided on one by one */
};

SEAM_MUST_USE enum seam_status import_apply_open(struct import_apply *a,
                                                 const struct import_mapping *m,
                                                 struct import_stats *stats, struct seam_fault *f);
void import_apply_close(struct import_apply *a);
/* Counts the record in its groups, whether or not it will land: its number depends on the file
 * alone.                                                                                         */
SEAM_MUST_USE enum seam_status import_apply_count(struct import_apply *a,
                                                  const struct import_record_reader *r,
                                                  struct seam_fault *f);
void import_apply_restart_counts(struct import_apply *a);
/* Computes and writes the record's rows, all or none. SEAM_INVALID, SEAM_EXISTS, SEAM_LIMIT: the record
 * cannot land, and nothing of it is in the transaction; anything else ends the import.           */
SEAM_MUST_USE enum seam_status import_apply_record(struct import_apply *a, struct oltp_txn *t,
                                                   struct import_record_reader *r,
                                                   struct seam_fault *f);
/* After a rollback by the caller: what was learnt from rows that are gone.                       */
void import_apply_forget(struct import_apply *a);

#endif
