/* ask - a query's whole answer as JSON rows: for checks and for walks from number to number. */
#ifndef SEAM_PIPELINE_ASK_H
#define SEAM_PIPELINE_ASK_H

#include "pipeline/ask/sqlenv.h"
#include "wal/change.h"

/* rows: an array for the caller to free, as is keys; their texts live in `arena`. */
struct answer {
    struct arena *arena;
    /* Columns whose values, encoded (engine/values/key.h) one after another, are each row's key; none: keys stays NULL. */
    const char *const *key_names;
    int n_key;
    const char **rows;
    struct bytes *keys;
    size_t count, cap;
    const struct plan_column *columns;
    int n;
    int key_column[KEY_COLUMNS_MAX];
};

/* In the order in which they come. *lsn (may be NULL): the moment the answer is of. ST_INVALID: a key column is not
 * among the answer's. */
MUST_USE enum status ask_rows(struct sql_platform *s, const char *sql, struct answer *a, lsn_t *lsn,
                              struct fault *f);
void answer_free(struct answer *a); /* rows and keys; the arena is the caller's */

#endif
