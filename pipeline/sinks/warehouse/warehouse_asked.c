/* warehouse_asked - silver as one side of a comparison, and whether it shows a change yet. */
#include "pipeline/sinks/warehouse/warehouse_asked.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/values/row.h"
#include "pipeline/sinks/columns.h"

/* ---- sides ---- */

struct silver_side {
    struct sink_side side;
    struct columnar_reader *reader;
    int table;
    seam_lsn_t lsn;
    const struct seam_schema *schema; /* the source's: hashes must agree */
    const struct oltp_range *range;
    sink_side_fn fn;
    void *ctx;
    struct seam_fault *fault;
    struct seam_buf key;
};

static void describe_values(const struct sink_side_row *row, struct seam_buf *out)
{
    seam_row_to_json(row->ctx, row->data, out);
}

static enum seam_status silver_row(void *ctx, const struct seam_value *values, seam_lsn_t begin,
                                   seam_lsn_t end)
{
    struct silver_side *s = ctx;
    struct sink_side_row row = {
        .lsn = begin, .describe = describe_values, .ctx = s->schema, .data = values};
    enum seam_status st;

    (void)end;
    seam_buf_clear(&s->key);
    st = seam_row_key(s->schema, values, &s->key, s->fault);
    if (st != SEAM_OK) return st;
    row.key = (struct wal_bytes){s->key.data, s->key.size};
    if (!sink_side_in_range(s->range, row.key)) return SEAM_OK;
    row.hash = seam_row_hash(s->schema, values);
    return s->fn(s->ctx, &row, s->fault);
}

static enum seam_status scan_silver(struct sink_side *side, const struct oltp_range *range,
                                    sink_side_fn fn, void *ctx, struct seam_fault *f)
{
    struct silver_side *s = (struct silver_side *)side;

    s->range = range;
    s->fn = fn;
    s->ctx = ctx;
    s->fault = f;
    return columnar_scan_rows(s->reader, s->table, s->lsn, silver_row, s, f);
}

static enum seam_status silver_open(const struct platform *p, const char *dir, bool deep,
                                    void **state, seam_lsn_t *lsn, struct seam_fault *f)
{
    struct silver_side *s = calloc(1, sizeof *s);
    enum seam_status st;

    (void)deep;
    *state = s;
    if (s == NULL)
        return seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory to reconcile");
    s->side.scan = scan_silver;
    st = sink_columns_reader(p, dir, &s->reader, f);
    if (st == SEAM_OK) *lsn = s->lsn = columnar_applied(s->reader);
    return st;
}

static enum seam_status silver_table(void *state, struct sink_source_side *source,
                                     struct sink_side **other, struct seam_fault *f)
{
    struct silver_side *s = state;
    char name[SEAM_NAME_MAX_BYTES + 8];

    (void)f;
    snprintf(name, sizeof name, "silver_%s", source->schema->name);
    s->table = columnar_table(s->reader, name);
    s->schema = source->schema;
    if (s->table >= 0) *other = &s->side; /* else it is not configured */
    return SEAM_OK;
}

static void silver_close(void *state)
{
    struct silver_side *s = state;

    if (s == NULL) return;
    columnar_close_reader(s->reader);
    seam_buf_free(&s->key);
    free(s);
}

static const struct columnar_reader *silver_versions(const void *state)
{
    return ((const struct silver_side *)state)->reader;
}

const struct sink_sides sink_warehouse_sides = {
    .open = silver_open,
    .table = silver_table,
    .close = silver_close,
    .versions = silver_versions,
};

/* ---- probe ---- */

static enum seam_status probe_open(const struct platform *p, const char *dir, void **state,
                                   struct seam_fault *f)
{
    struct columnar_reader *reader = NULL;
    enum seam_status st = sink_columns_reader(p, dir, &reader, f);

    *state = reader;
    return st;
}

static enum seam_status probe_look(void *state, const struct sink_expectation *e, bool *seen,
                                   seam_lsn_t *applied, struct seam_fault *f)
{
    struct columnar_reader *reader = state;
    struct seam_value key = seam_v_int(e->product), row[SEAM_COLUMNS_MAX];
    struct seam_buf text = {0};
    int table;
    bool there;
    enum seam_status st = columnar_refresh(reader, NULL, f);

    *applied = columnar_applied(reader);
    *seen = *applied >= e->lsn;
    if (st != SEAM_OK || !*seen || e->product == 0) return st;
    table = columnar_table(reader, "silver_products");
    st =
        table < 0 ? SEAM_NOT_FOUND : columnar_get(reader, table, &key, SEAM_LSN_MAX, row, &text, f);
    st = seam_fault_there(st, &there, f);
    if (e->gone)
        *seen = !there;
    else
        *seen = there &&
                (e->price.type == SEAM_V_NULL ||
                 seam_value_equal(&row[seam_schema_column(columnar_schema(reader, table), "price")],
                                  &e->price));
    seam_buf_free(&text);
    return st;
}

static void probe_close(void *state)
{
    columnar_close_reader(state);
}

const struct sink_probe sink_warehouse_probe = {probe_open, probe_look, probe_close};
