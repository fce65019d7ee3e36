/* sql_catalog - what there is to ask, as tables. Private to the SQL planner.                        */
#ifndef SEAM_COLUMNAR_SQL_CATALOG_H
#define SEAM_COLUMNAR_SQL_CATALOG_H

#include "columnar/sql/sql_rel.h"

/* information_schema.tables, .columns, .tags; SEAM_NOT_FOUND (no fault set): another name. */
enum seam_status columnar_catalog_table(struct columnar_rel_statement *s, const char *name,
                                        struct columnar_sql_rows *out);
/* A query's columns as rows: name, type, scale. */
enum seam_status columnar_catalog_describe(struct columnar_rel_statement *s, const int *ids,
                                           const char *const *names, int n,
                                           struct columnar_sql_rows *out);

#endif
