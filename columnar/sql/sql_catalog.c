/* sql_catalog - what there is to ask, as tables: information_schema.tables, .columns, .tags; and DESCRIBE. */
#include "columnar/sql/sql_catalog.h"

#include <string.h>

struct catalog_rows {
    const struct seam_value *values;
    size_t n, at;
    int columns;
};

static enum seam_status next(void *ctx, struct seam_value *values, struct seam_fault *f)
{
    struct catalog_rows *r = ctx;

    (void)f;
    if (r->at == r->n) return SEAM_END;
    memcpy(values, r->values + r->at++ * (size_t)r->columns, (size_t)r->columns * sizeof *values);
    return SEAM_OK;
}

static enum seam_status rewind_rows(void *ctx, struct seam_fault *f)
{
    struct catalog_rows *r = ctx;

    (void)f;
    r->at = 0;
    return SEAM_OK;
}

struct catalog_building {
    struct columnar_rel_statement *s;
    struct seam_value *values;
    int n, columns; /* n values */
    bool failed;
};

static void put(struct catalog_building *b, struct seam_value v)
{
    b->values = columnar_rel_grow(b->s, b->values, b->n, sizeof *b->values);
    b->failed = b->failed || b->values == NULL;
    if (!b->failed) b->values[b->n++] = v;
}

static enum seam_status finish(struct catalog_building *b,
                               const struct columnar_plan_column *columns,
                               struct columnar_sql_rows *out)
{
    struct catalog_rows *r = seam_arena_zalloc(b->s->a, sizeof *r);

    if (r == NULL || b->failed) return columnar_rel_no_memory(b->s);
    *r = (struct catalog_rows){b->values, (size_t)(b->n / b->columns), 0, b->columns};
    *out = (struct columnar_sql_rows){columns, b->columns, {next, rewind_rows, r}, SEAM_LSN_NONE};
    return SEAM_OK;
}

static const char *place_of(size_t reader)
{
    return reader == 0 ? "warehouse" : "gold";
}

static enum seam_status all_tables(struct columnar_rel_statement *s, struct columnar_sql_rows *out)
{
    static const struct columnar_plan_column columns[] = {{"table_schema", SEAM_V_TEXT, 0},
                                                          {"table_name", SEAM_V_TEXT, 0},
                                                          {"table_rows", SEAM_V_INT, 0},
                                                          {"table_bytes", SEAM_V_INT, 0}};
    struct catalog_building b = {.s = s, .columns = (int)SEAM_ARRAY_LEN(columns)};
    const char *names[512];
    size_t n = 0;

    for (size_t i = 0; i < s->env->reader_count; i++)
        for (int k = 0; k < columnar_table_count(s->env->readers[i]); k++) {
            struct columnar_table_info info = {0};

            columnar_table_info(s->env->readers[i], k, &info);
            put(&b, seam_v_str(place_of(i)));
            put(&b, seam_v_str(columnar_schema(s->env->readers[i], k)->name));
            put(&b, seam_v_int((int64_t)info.rows));
            put(&b, seam_v_int((int64_t)info.bytes));
        }
    if (s->env->names != NULL) n = s->env->names(s->env->ctx, names, SEAM_ARRAY_LEN(names));
    for (size_t i = 0; i < n && i < SEAM_ARRAY_LEN(names); i++) {
        put(&b, seam_v_str("row store and views"));
        put(&b, seam_v_str(names[i]));
        put(&b, seam_v_null());
        put(&b, seam_v_null());
    }
    return finish(&b, columns, out);
}

static enum seam_status all_columns(struct columnar_rel_statement *s, struct columnar_sql_rows *out)
{
    static const struct columnar_plan_column columns[] = {
        {"table_schema", SEAM_V_TEXT, 0}, {"table_name", SEAM_V_TEXT, 0},
        {"column_name", SEAM_V_TEXT, 0},  {"ordinal_position", SEAM_V_INT, 0},
        {"data_type", SEAM_V_TEXT, 0},    {"numeric_scale", SEAM_V_INT, 0},
        {"is_nullable", SEAM_V_TEXT, 0}};
    struct catalog_building b = {.s = s, .columns = (int)SEAM_ARRAY_LEN(columns)};

    for (size_t i = 0; i < s->env->reader_count; i++)
        for (int k = 0; k < columnar_table_count(s->env->readers[i]); k++) {
            const struct seam_schema *schema = columnar_schema(s->env->readers[i], k);
            int64_t at = 0;

            for (int c = 0; c < schema->column_count; c++) {
                const struct seam_column *col = &schema->columns[c];

                if (!seam_column_live(col, schema->version)) continue;
                put(&b, seam_v_str(place_of(i)));
                put(&b, seam_v_str(schema->name));
                put(&b, seam_v_str(col->name));
                put(&b, seam_v_int(++at));
                put(&b, seam_v_str(seam_value_type_name(col->type)));
                put(&b, col->type == SEAM_V_DECIMAL ? seam_v_int(col->scale) : seam_v_null());
                put(&b, seam_v_str(col->nullable ? "YES" : "NO"));
            }
        }
    return finish(&b, columns, out);
}

static enum seam_status all_tags(struct columnar_rel_statement *s, struct columnar_sql_rows *out)
{
    static const struct columnar_plan_column columns[] = {
        {"table_schema", SEAM_V_TEXT, 0}, {"tag", SEAM_V_TEXT, 0}, {"lsn", SEAM_V_INT, 0}};
    struct catalog_building b = {.s = s, .columns = (int)SEAM_ARRAY_LEN(columns)};

    for (size_t i = 0; i < s->env->reader_count; i++) {
        const struct columnar_tag_info *tags = NULL;
        size_t n = columnar_tags(s->env->readers[i], &tags);

        for (size_t k = 0; k < n; k++) {
            put(&b, seam_v_str(place_of(i)));
            put(&b, seam_v_str(tags[k].name));
            put(&b, seam_v_int((int64_t)tags[k].lsn));
        }
    }
    return finish(&b, columns, out);
}

enum seam_status columnar_catalog_table(struct columnar_rel_statement *s, const char *name,
                                        struct columnar_sql_rows *out)
{
    if (strcmp(name, "information_schema.tables") == 0) return all_tables(s, out);
    if (strcmp(name, "information_schema.columns") == 0) return all_columns(s, out);
    if (strcmp(name, "information_schema.tags") == 0) return all_tags(s, out);
    return SEAM_NOT_FOUND;
}

enum seam_status columnar_catalog_describe(struct columnar_rel_statement *s, const int *ids,
                                           const char *const *names, int n,
                                           struct columnar_sql_rows *out)
{
    static const struct columnar_plan_column columns[] = {
        {"column_name", SEAM_V_TEXT, 0}, {"column_type", SEAM_V_TEXT, 0}, {"scale", SEAM_V_INT, 0}};
    struct catalog_building b = {.s = s, .columns = (int)SEAM_ARRAY_LEN(columns)};

    for (int k = 0; k < n; k++) {
        const struct columnar_rel_column *c = &s->columns[ids[k]];

        put(&b, seam_v_str(names[k]));
        put(&b, seam_v_str(c->type == SEAM_V_NULL ? "null" : seam_value_type_name(c->type)));
        put(&b, c->type == SEAM_V_DECIMAL ? seam_v_int(c->scale) : seam_v_null());
    }
    return finish(&b, columns, out);
}
