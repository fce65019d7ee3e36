/* tables - what of a store SQL may ask (pipeline/ask/sqlenv.h): its column tables, or rows it gives itself. */
#ifndef SEAM_PIPELINE_SINK_TABLES_H
#define SEAM_PIPELINE_SINK_TABLES_H

#include "columnar/sql/sql.h"
#include "pipeline/platform.h"

/* sink_ops.tables: columns, or prefix with its three functions */
struct sink_tables {
    bool
        columns; /* the folder holds column tables (columnar/columnar.h): each under its own name */
    const char *prefix; /* ... or the store has tables called PREFIX followed by a name: */
    /* Opened for the first such table of a statement, closed after it. */
    enum seam_status (*open)(const struct platform *p, const char *dir, void **state,
                             struct seam_fault *f);
    enum seam_status (*rows)(void *state, const char *name, const struct columnar_sql_moment *m,
                             struct seam_arena *a, struct columnar_sql_rows *out,
                             struct seam_fault *f);
    void (*close)(void *state); /* accepts NULL */
};

#endif
