/* ask - a query's whole answer as JSON rows: for checks and for walks from number to number. */
#ifndef SEAM_PIPELINE_ASK_H
#define SEAM_PIPELINE_ASK_H

#include "pipeline/ask/sqlenv.h"
#include "wal/change.h"

/* rows: an array for the caller to free, as is keys; their texts live in `arena`. */
struct ask_answer {
    struct seam_arena *arena;
    /* Columns whose values, encoded (engine/values/key.h) one after another, are each row's key; none: keys stays NULL. */
    const char *const *key_names;
    int n_key;
    const char **rows;
    struct wal_bytes *keys;
    size_t count, cap;
    const struct columnar_plan_column *columns;
    int n;
    int key_column[SEAM_KEY_COLUMNS_MAX];
};

/* In the order in which they come. *lsn (may be NULL): the moment the answer is of. SEAM_INVALID: a key column is not
 * among the answer's. */
SEAM_MUST_USE enum seam_status ask_rows(struct ask_sql_platform *s, const char *sql,
                                        struct ask_answer *a, seam_lsn_t *lsn,
                                        struct seam_fault *f);
void ask_answer_free(struct ask_answer *a); /* rows and keys; the arena is the caller's */

#endif
