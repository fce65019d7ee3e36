/* sink_warehouse - the stream into bronze and silver.
 *
 *   bronze_changes   every row change as it came, with its raw bytes: the replayable record of what the
 *                    stream said. Never updated. A snapshot's rows are op r; a row that one did not name
 *                    has no event, so bronze says nothing: its silver version ends at the snapshot's LSN.
 *   bronze_events    every outbox event, likewise.
 *   silver_TABLE     the typed current state of TABLE. Column files keep every row version with the LSNs
 *                    between which it was valid, so silver AS OF n is exact.
 *
 * All of them are published by one manifest at one applied LSN. Gold is built from silver by a sink of its
 * own (sink_gold.c), so that a slow query never holds silver back.                                 */
#include <stdio.h>
#include <string.h>

#include "columnar/columnar.h"
#include "engine/values/row.h"
#include "pipeline/sinks/columns.h"
#include "pipeline/sinks/keys.h"
#include "pipeline/sinks/warehouse/warehouse_asked.h"

enum { SILVER_TABLES_MAX = 64 };

struct sink_silver {
    uint32_t source; /* table id in the row store */
    int table;       /* in the warehouse */
};

struct warehouse_sink {
    struct sink sink;
    struct columnar_writer *writer;
    int changes, events; /* bronze tables */
    struct sink_silver silver[SILVER_TABLES_MAX];
    size_t silver_count;
};

static const char bronze_changes_schema[] =
    "{\"table\":\"bronze_changes\",\"key\":[],\"columns\":["
    "{\"name\":\"stream_offset\",\"type\":\"int64\"},{\"name\":\"lsn\",\"type\":\"int64\"},"
    "{\"name\":\"seq\",\"type\":\"int64\"},{\"name\":\"txn\",\"type\":\"int64\"},"
    "{\"name\":\"committed_at\",\"type\":\"timestamp\"},{\"name\":\"op\",\"type\":\"text\"},"
    "{\"name\":\"source_table\",\"type\":\"text\"},{\"name\":\"table_id\",\"type\":\"int64\"},"
    "{\"name\":\"flags\",\"type\":\"int64\"},{\"name\":\"key\",\"type\":\"text\"},"
    "{\"name\":\"before\",\"type\":\"text\",\"nullable\":true},"
    "{\"name\":\"after\",\"type\":\"text\",\"nullable\":true}]}";

static const char bronze_events_schema[] =
    "{\"table\":\"bronze_events\",\"key\":[],\"columns\":["
    "{\"name\":\"stream_offset\",\"type\":\"int64\"},{\"name\":\"lsn\",\"type\":\"int64\"},"
    "{\"name\":\"seq\",\"type\":\"int64\"},{\"name\":\"txn\",\"type\":\"int64\"},"
    "{\"name\":\"committed_at\",\"type\":\"timestamp\"},{\"name\":\"topic\",\"type\":\"text\"},"
    "{\"name\":\"key\",\"type\":\"text\"},{\"name\":\"type\",\"type\":\"text\"},"
    "{\"name\":\"payload\",\"type\":\"text\"}]}";

static enum seam_status define_json(struct warehouse_sink *s, const char *json, const char *name,
                                    int *table, struct seam_fault *f)
{
    struct seam_schema schema = {0};
    struct columnar_table_options o = {0};
    enum seam_status st = seam_schema_parse(json, strlen(json), &schema, f);

    if (st == SEAM_OK) st = columnar_define_table(s->writer, &schema, &o, f);
    if (st == SEAM_OK) *table = columnar_writer_table(s->writer, name);
    seam_schema_free(&schema);
    return st;
}

static enum seam_status warehouse_open(struct sink *sink, struct seam_fault *f)
{
    struct warehouse_sink *s = (struct warehouse_sink *)sink;
    struct columnar_options o = {.clock = sink->platform->clock, .trace = sink->trace};
    enum seam_status st = columnar_open_writer(sink->platform->io, sink->dir, &o, &s->writer, f);

    if (st == SEAM_OK) st = define_json(s, bronze_changes_schema, "bronze_changes", &s->changes, f);
    if (st == SEAM_OK) st = define_json(s, bronze_events_schema, "bronze_events", &s->events, f);
    return st;
}

static bool wants_silver(const struct warehouse_sink *s, const char *table)
{
    const struct seam_json *list = seam_json_get(s->sink.config, "silver");

    if (list == NULL) return true; /* all tables */
    for (const struct seam_json *n = list->child; n != NULL; n = n->next)
        if (n->type == SEAM_J_STRING && strcmp(n->str, table) == 0) return true;
    return false;
}

/* silver_TABLE has the source's columns, ids and key: evolution is the source's.                    */
static enum seam_status warehouse_schema(struct sink *sink, const struct seam_schema *schema,
                                         struct seam_fault *f)
{
    struct warehouse_sink *s = (struct warehouse_sink *)sink;
    struct columnar_table_options o = {0};
    struct seam_schema silver = {0};
    enum seam_status st;

    if (!wants_silver(s, schema->name)) return SEAM_OK;
    st = seam_schema_clone(schema, &silver);
    if (st != SEAM_OK)
        return seam_fault_set(f, st, schema->name, SEAM_FAULT_NO_OFFSET, "no memory");
    if (snprintf(silver.name, sizeof silver.name, "silver_%s", schema->name) >=
        (int)sizeof silver.name)
        st = seam_fault_set(f, SEAM_LIMIT, schema->name, SEAM_FAULT_NO_OFFSET,
                            "the table's name is too long for silver_");
    if (st == SEAM_OK) st = columnar_define_table(s->writer, &silver, &o, f);
    for (size_t i = 0; st == SEAM_OK && i <= s->silver_count; i++) {
        if (i < s->silver_count && s->silver[i].source != schema->id) continue;
        if (i == SILVER_TABLES_MAX) {
            st = seam_fault_set(f, SEAM_LIMIT, schema->name, SEAM_FAULT_NO_OFFSET,
                                "more than %d silver tables", SILVER_TABLES_MAX);
            break;
        }
        s->silver[i] =
            (struct sink_silver){schema->id, columnar_writer_table(s->writer, silver.name)};
        if (i == s->silver_count) s->silver_count++;
        break;
    }
    seam_schema_free(&silver);
    return st;
}

static int silver_table(const struct warehouse_sink *s, uint32_t source)
{
    for (size_t i = 0; i < s->silver_count; i++)
        if (s->silver[i].source == source) return s->silver[i].table;
    return -1;
}

static struct seam_value v_bytes(struct wal_bytes b)
{
    return b.data == NULL ? seam_v_null() : seam_v_text((const char *)b.data, b.size);
}

static enum seam_status append_bronze(struct warehouse_sink *s, const struct stream_change *c,
                                      struct seam_fault *f)
{
    static const char *const op[] = {"?", "c", "u", "d"};
    struct seam_value row[] = {
        seam_v_int((int64_t)c->offset),
        seam_v_int((int64_t)c->lsn),
        seam_v_int((int64_t)c->seq),
        seam_v_int((int64_t)c->txn),
        seam_v_time(c->wall_us),
        seam_v_str(c->snapshot ? "r" : op[c->op <= WAL_OP_DELETE ? c->op : 0]),
        seam_v_str(c->schema->name),
        seam_v_int(c->schema->id),
        seam_v_int(c->flags),
        v_bytes(c->key),
        v_bytes(c->before),
        v_bytes(c->after),
    };

    return columnar_append(s->writer, s->changes, row, c->lsn, f);
}

/* A snapshot names what has not changed, too: that is no new version. */
static enum seam_status same_in_silver(struct warehouse_sink *s, int table,
                                       const struct seam_schema *schema,
                                       const struct seam_value *values, bool *same,
                                       struct seam_fault *f)
{
    struct seam_value old[SEAM_COLUMNS_MAX], key[SEAM_KEY_COLUMNS_MAX];
    struct seam_fault none = {0};
    enum seam_status st;

    for (int i = 0; i < schema->key_count; i++) key[i] = values[schema->key[i]];
    st = columnar_writer_get(s->writer, table, key, old, &none);
    *same = st == SEAM_OK;
    for (int i = 0; i < schema->column_count && *same; i++)
        *same = old[i].type == values[i].type && seam_value_equal(&old[i], &values[i]);
    if (st == SEAM_OK || st == SEAM_NOT_FOUND) return SEAM_OK;
    if (f != NULL && f->status == SEAM_OK) *f = none;
    return st;
}

static enum seam_status warehouse_change(struct sink *sink, const struct stream_change *c,
                                         struct seam_fault *f)
{
    struct warehouse_sink *s = (struct warehouse_sink *)sink;
    struct seam_value values[SEAM_COLUMNS_MAX];
    struct seam_buf text = {0};
    int table = silver_table(s, c->schema->id);
    struct wal_bytes row = c->op == WAL_OP_DELETE ? c->before : c->after;
    bool same = false;
    enum seam_status st = c->swept ? SEAM_OK : append_bronze(s, c, f);

    if (st != SEAM_OK || table < 0) return st;
    if (row.data != NULL)
        st = seam_row_decode(c->schema, row.data, row.size, values, f);
    else
        st = sink_key_values(c, values, &text, f); /* a repair may delete without knowing the row */
    if (st == SEAM_OK && c->snapshot && c->op != WAL_OP_DELETE)
        st = same_in_silver(s, table, c->schema, values, &same, f);
    if (st == SEAM_OK && !same)
        st = c->op == WAL_OP_DELETE ? columnar_delete(s->writer, table, values, c->lsn, NULL, f)
                                    : columnar_upsert(s->writer, table, values, c->lsn, NULL, f);
    seam_buf_free(&text);
    return st;
}

static enum seam_status warehouse_outbox(struct sink *sink, const struct stream_outbox *e,
                                         struct seam_fault *f)
{
    struct warehouse_sink *s = (struct warehouse_sink *)sink;
    struct seam_value row[] = {
        seam_v_int((int64_t)e->offset),
        seam_v_int((int64_t)e->lsn),
        seam_v_int((int64_t)e->seq),
        seam_v_int((int64_t)e->txn),
        seam_v_time(e->wall_us),
        v_bytes(e->topic),
        v_bytes(e->key),
        v_bytes(e->type),
        v_bytes(e->payload),
    };

    return columnar_append(s->writer, s->events, row, e->lsn, f);
}

struct sink_warehouse_key_list {
    const struct seam_schema *schema;
    sink_key_fn fn;
    void *ctx;
    struct seam_fault *fault;
    struct seam_buf key;
};

static enum seam_status list_key(void *ctx, const struct seam_value *values, seam_lsn_t begin,
                                 seam_lsn_t end)
{
    struct sink_warehouse_key_list *l = ctx;
    enum seam_status st;

    (void)begin;
    (void)end;
    seam_buf_clear(&l->key);
    st = seam_row_key(l->schema, values, &l->key, l->fault);
    return st == SEAM_OK ? l->fn(l->ctx, (struct wal_bytes){l->key.data, l->key.size}, l->fault)
                         : st;
}

static enum seam_status warehouse_keys(struct sink *sink, const struct seam_schema *schema,
                                       sink_key_fn fn, void *ctx, struct seam_fault *f)
{
    struct columnar_options o = {.clock = sink->platform->clock};
    struct columnar_reader *reader = NULL;
    struct sink_warehouse_key_list list = {.schema = schema, .fn = fn, .ctx = ctx, .fault = f};
    struct seam_fault none = {0};
    char name[SEAM_NAME_MAX_BYTES + 8];
    int table;
    enum seam_status st;

    if (silver_table((struct warehouse_sink *)sink, schema->id) < 0) return SEAM_OK;
    st = columnar_open_reader(sink->platform->io, sink->dir, &o, &reader, &none);
    if (st == SEAM_NOT_FOUND) return SEAM_OK; /* nothing published yet */
    if (st != SEAM_OK && f != NULL) *f = none;
    snprintf(name, sizeof name, "silver_%s", schema->name);
    table = st == SEAM_OK ? columnar_table(reader, name) : -1;
    if (table >= 0) st = columnar_scan_rows(reader, table, SEAM_LSN_MAX, list_key, &list, f);
    columnar_close_reader(reader);
    seam_buf_free(&list.key);
    return st;
}

static enum seam_status warehouse_publish(struct sink *sink, seam_lsn_t applied, int64_t wall_us,
                                          struct seam_fault *f)
{
    struct columnar_writer *w = ((struct warehouse_sink *)sink)->writer;
    struct columnar_maintenance done;
    enum seam_status st = columnar_publish(w, applied, wall_us, f);

    /* What it owes, at once: when commits follow each other closely there is no idle moment. */
    return st == SEAM_OK ? columnar_maintain(w, &done, f) : st;
}

static seam_lsn_t warehouse_applied(const struct sink *sink)
{
    return columnar_writer_applied(((const struct warehouse_sink *)sink)->writer);
}

static enum seam_status warehouse_maintain(struct sink *sink, bool *more, struct seam_fault *f)
{
    struct columnar_maintenance done = {0};
    enum seam_status st = columnar_maintain(((struct warehouse_sink *)sink)->writer, &done, f);

    *more = done.more;
    return st;
}

static void warehouse_close(struct sink *sink)
{
    columnar_close_writer(((struct warehouse_sink *)sink)->writer);
}

const struct sink_ops sink_warehouse = {
    .name = "warehouse",
    .open = warehouse_open,
    .schema = warehouse_schema,
    .change = warehouse_change,
    .outbox = warehouse_outbox,
    .keys = warehouse_keys,
    .publish = warehouse_publish,
    .applied = warehouse_applied,
    .maintain = warehouse_maintain,
    .close = warehouse_close,
    .size = sizeof(struct warehouse_sink),
    .verify = sink_columns_verify,
    .sides = &sink_warehouse_sides,
    .probe = &sink_warehouse_probe,
    .tables = &sink_columns_tables,
};
