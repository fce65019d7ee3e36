/* keys - a change's key as values, and the keys of stores that know a row by one number. */
#include "pipeline/sinks/keys.h"

#include "engine/values/key.h"

enum seam_status sink_key_values(const struct stream_change *c, struct seam_value *values,
                                 struct seam_buf *text, struct seam_fault *f)
{
    const uint8_t *p = c->key.data;

    for (uint16_t i = 0; i < c->schema->column_count; i++) values[i] = seam_v_null();
    for (uint16_t i = 0; i < c->schema->key_count; i++) {
        const struct seam_column *column = &c->schema->columns[c->schema->key[i]];
        struct seam_value *v = &values[c->schema->key[i]];
        enum seam_status st = seam_key_read(&p, c->key.data + c->key.size, column->type, v, text);

        /* For want of memory no event is to blame: it would be set aside as a dead letter. */
        if (st == SEAM_NOMEM) return seam_no_memory(f, "a key");
        if (st != SEAM_OK)
            return seam_fault_set(f, SEAM_CORRUPT, c->schema->name, c->offset,
                                  "a key that is none of this table's");
        v->scale = column->scale;
    }
    return SEAM_OK;
}

enum seam_status sink_document_key(const struct stream_change *c, uint64_t *key,
                                   struct seam_fault *f)
{
    const struct seam_schema *s = c->schema;
    struct seam_value values[SEAM_COLUMNS_MAX];
    struct seam_buf text = {0};
    enum seam_status st;

    if (s->key_count != 1 || s->columns[s->key[0]].type != SEAM_V_INT)
        return seam_fault_set(f, SEAM_UNSUPPORTED, s->name, SEAM_FAULT_NO_OFFSET,
                              "documents need a table with one int64 key column");
    st = sink_key_values(c, values, &text, f);
    seam_buf_free(&text);
    if (st == SEAM_OK) *key = sink_key_of_id(values[s->key[0]].i);
    return st;
}

enum seam_status sink_give_document(uint64_t key, sink_key_fn fn, void *ctx, struct seam_fault *f)
{
    struct seam_value id = seam_v_int(sink_id_of_key(key));
    struct seam_buf b = {0};
    enum seam_status st;

    seam_key_append(&b, &id);
    st = seam_buf_ok(&b) ? fn(ctx, (struct wal_bytes){b.data, b.size}, f)
                         : seam_fault_set(f, SEAM_NOMEM, "document", SEAM_FAULT_NO_OFFSET,
                                          "no memory for a key");
    seam_buf_free(&b);
    return st;
}
