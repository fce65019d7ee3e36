/* view_def - a view's SQL, compiled against the inputs' schemas. Private to pipeline/view/.          */
#ifndef SEAM_PIPELINE_VIEW_DEF_H
#define SEAM_PIPELINE_VIEW_DEF_H

#include "columnar/sql/sql_bind.h"
#include "pipeline/stream/registry.h"
#include "pipeline/view/view.h"

enum view_agg_op { VIEW_COUNT_ALL, VIEW_COUNT, VIEW_SUM, VIEW_AVG, VIEW_MIN, VIEW_MAX };

struct view_agg {
    enum view_agg_op op;
    const struct columnar_expr *arg;
    uint8_t type, scale;
};

/* One table of the FROM clause. Its columns stand at [first, first + n) of the joined row.           */
struct view_input {
    uint32_t table; /* id in the source */
    char name[SEAM_NAME_MAX_BYTES];
    int first, n;
    bool left;  /* LEFT JOIN */
    int parent; /* input whose columns are the foreign key; -1: the fact */
    int foreign
        [SEAM_KEY_COLUMNS_MAX]; /* positions in the joined row, in the order of the table's key */
    int foreign_count;
    bool used[SEAM_COLUMNS_MAX]; /* columns that the view reads, keys of joins included */
};

struct view_def {
    char name[SEAM_NAME_MAX_BYTES];
    char *sql;
    struct seam_arena arena; /* of the expressions */
    struct view_input inputs[VIEW_TABLES_MAX];
    int n_inputs, width; /* width: columns of the joined row */
    const struct columnar_expr *where;
    const struct columnar_expr *group[VIEW_COLUMNS_MAX];
    int n_group;
    struct view_agg aggs[VIEW_COLUMNS_MAX];
    int n_aggs;
    /* The answer: expressions over the group values, then the aggregates. */
    const struct columnar_expr *output[VIEW_COLUMNS_MAX];
    struct view_column columns[VIEW_COLUMNS_MAX];
    int n_columns;
};

/* SEAM_NOT_FOUND: an input's schema is not known yet. SEAM_INVALID, SEAM_UNSUPPORTED: fault.at is the byte of the SQL. */
SEAM_MUST_USE enum seam_status view_compile(const char *name, const char *sql,
                                            const struct stream_registry *schemas,
                                            struct view_def **out, struct seam_fault *f);
void view_def_free(struct view_def *d); /* accepts NULL */
uint8_t view_agg_type(const struct view_agg *a);

#endif
