/* sink_search - products into the inverted index.
 *
 * Which table, which of its columns are fields (with weights) and which are attributes is configuration. Fields and
 * attributes share one space of names in queries, so a column that is both gives its attribute a "name".
 * The document's key is the table's one integer key column with the sign bit flipped, so that the index's
 * order of keys (its tie rule) is the order of the ids.                                           */
#include <stdlib.h>
#include <string.h>

#include "engine/values/row.h"
#include "invidx/invidx.h"
#include "pipeline/sinks/keys.h"
#include "pipeline/sinks/search/search_asked.h"
#include "pipeline/sinks/sink.h"

/* How far back it answers AS OF. */
#define HISTORY_US ((int64_t)3600 * 1000000)

struct search_sink {
    struct sink sink;
    struct invidx_writer *writer;
    const char *table;
    const char *field[INVIDX_FIELDS_MAX];
    const char *attr[INVIDX_ATTRS_MAX];
    size_t fields, attrs;
    seam_lsn_t applied;
};

static enum seam_status read_config(struct search_sink *s, struct invidx_field *fields,
                                    struct invidx_attr *attrs, struct seam_fault *f)
{
    const struct seam_json *list = seam_json_get(s->sink.config, "fields");

    s->table = seam_json_string(s->sink.config, "table", NULL);
    if (s->table == NULL || list == NULL)
        return seam_fault_set(f, SEAM_INVALID, "sinks.search", SEAM_FAULT_NO_OFFSET,
                              "\"table\" and \"fields\" are needed");
    for (const struct seam_json *n = list->child; n != NULL; n = n->next) {
        const struct seam_json *weight = seam_json_get(n, "weight");

        if (s->fields == INVIDX_FIELDS_MAX)
            return seam_fault_set(f, SEAM_LIMIT, "sinks.search.fields", n->line,
                                  "at most %d fields", INVIDX_FIELDS_MAX);
        s->field[s->fields] = seam_json_string(n, "column", "");
        fields[s->fields] =
            (struct invidx_field){s->field[s->fields], weight != NULL ? (uint32_t)weight->num : 1};
        s->fields++;
    }
    list = seam_json_get(s->sink.config, "attributes");
    for (const struct seam_json *n = list != NULL ? list->child : NULL; n != NULL; n = n->next) {
        bool number = strcmp(seam_json_string(n, "type", "keyword"), "number") == 0;

        if (s->attrs == INVIDX_ATTRS_MAX)
            return seam_fault_set(f, SEAM_LIMIT, "sinks.search.attributes", n->line,
                                  "at most %d attributes", INVIDX_ATTRS_MAX);
        s->attr[s->attrs] = seam_json_string(n, "column", "");
        attrs[s->attrs] = (struct invidx_attr){seam_json_string(n, "name", s->attr[s->attrs]),
                                               number ? INVIDX_INT64 : INVIDX_KEYWORD};
        s->attrs++;
    }
    return SEAM_OK;
}

static enum seam_status open_index(struct sink *sink, struct seam_fault *f)
{
    struct search_sink *s = (struct search_sink *)sink;
    struct invidx_field fields[INVIDX_FIELDS_MAX];
    struct invidx_attr attrs[INVIDX_ATTRS_MAX];
    struct invidx_schema schema = {
        .fields = fields, .attrs = attrs, .analysis = invidx_analysis_default()};
    struct invidx_writer_options o = {.trace = sink->trace, .keep_us = HISTORY_US};
    enum seam_status st = read_config(s, fields, attrs, f);

    schema.field_count = s->fields;
    schema.attr_count = s->attrs;
    if (st == SEAM_OK)
        st = invidx_writer_open(sink->platform->io, sink->dir, &schema, &o, &s->writer, f);
    if (st == SEAM_OK) s->applied = invidx_writer_applied(s->writer);
    return st;
}

static enum seam_status search_change(struct sink *sink, const struct stream_change *c,
                                      struct seam_fault *f)
{
    struct search_sink *s = (struct search_sink *)sink;
    struct seam_value values[SEAM_COLUMNS_MAX], attrs[INVIDX_ATTRS_MAX];
    struct invidx_text texts[INVIDX_FIELDS_MAX];
    struct invidx_doc doc = {.fields = texts, .attrs = attrs};
    enum seam_status st;

    if (strcmp(c->schema->name, s->table) != 0) return SEAM_OK;
    st = sink_document_key(c, &doc.key, f);
    if (st != SEAM_OK) return st;
    if (c->op == WAL_OP_DELETE) return invidx_delete(s->writer, doc.key, c->lsn, f);
    st = seam_row_decode(c->schema, c->after.data, c->after.size, values, f);
    if (st != SEAM_OK) return st;
    for (size_t i = 0; i < s->fields; i++) {
        int column = seam_schema_column(c->schema, s->field[i]);
        bool text = column >= 0 && values[column].type == SEAM_V_TEXT;

        texts[i] = text ? (struct invidx_text){values[column].s, values[column].len}
                        : (struct invidx_text){NULL, 0};
    }
    for (size_t i = 0; i < s->attrs; i++) {
        int column = seam_schema_column(c->schema, s->attr[i]);

        attrs[i] = column >= 0 ? values[column] : seam_v_null();
    }
    return invidx_upsert(s->writer, &doc, c->lsn, f);
}

static enum seam_status search_keys(struct sink *sink, const struct seam_schema *schema,
                                    sink_key_fn fn, void *ctx, struct seam_fault *f)
{
    struct invidx_reader *r = NULL;
    struct invidx_query *q = NULL;
    struct seam_fault none = {0};
    uint64_t *keys = NULL;
    size_t n = 0;
    enum seam_status st;

    if (strcmp(schema->name, ((struct search_sink *)sink)->table) != 0) return SEAM_OK;
    st = invidx_reader_open(sink->platform->io, sink->dir, SEAM_LSN_MAX, &r, &none);
    if (st == SEAM_NOT_FOUND) return SEAM_OK; /* nothing published yet */
    if (st != SEAM_OK && f != NULL) *f = none;
    if (st == SEAM_OK) st = invidx_query_new(r, &q, f);
    if (st == SEAM_OK) {
        invidx_query_set(q, invidx_all(q));
        st = invidx_matches(r, q, &keys, &n, f);
    }
    for (size_t i = 0; st == SEAM_OK && i < n; i++) st = sink_give_document(keys[i], fn, ctx, f);
    free(keys);
    invidx_query_free(q);
    invidx_reader_close(r);
    return st;
}

static enum seam_status search_publish(struct sink *sink, seam_lsn_t applied, int64_t wall_us,
                                       struct seam_fault *f)
{
    struct search_sink *s = (struct search_sink *)sink;
    enum seam_status st = invidx_publish(s->writer, applied, wall_us, f);

    if (st == SEAM_OK) s->applied = applied;
    return st;
}

static seam_lsn_t search_applied(const struct sink *sink)
{
    return ((const struct search_sink *)sink)->applied;
}

static enum seam_status search_maintain(struct sink *sink, bool *more, struct seam_fault *f)
{
    return invidx_maintain(((struct search_sink *)sink)->writer, more, f);
}

static void close_index(struct sink *sink)
{
    invidx_writer_close(((struct search_sink *)sink)->writer);
}

const struct sink_ops sink_search = {
    .name = "search",
    .open = open_index,
    .change = search_change,
    .keys = search_keys,
    .publish = search_publish,
    .applied = search_applied,
    .maintain = search_maintain,
    .close = close_index,
    .size = sizeof(struct search_sink),
    .verify = sink_search_verify,
    .sides = &sink_search_sides,
    .probe = &sink_search_probe,
};
