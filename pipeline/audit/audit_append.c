/* audit_append - a business event as one transaction of the row store. */
#include "pipeline/audit/audit_append.h"

#include <inttypes.h>
#include <string.h>

#include "engine/text/json.h"
#include "engine/values/row.h"

struct appender {
    const struct audit_append *e;
    struct seam_clock *clock;
    struct oltp_txn *t;
    uint32_t orders, lines, ids;
    struct seam_fault *f;
};

static enum seam_status ids_table(struct appender *x)
{
    static const char json[] =
        "{\"table\":\"seam_audit_ids\",\"key\":[\"event_id\"],\"columns\":[{\"name\":\"event_id\","
        "\"type\":\"text\"},"
        "{\"name\":\"order_id\",\"type\":\"int64\"},{\"name\":\"version\",\"type\":\"int64\"}]}";
    bool there;
    enum seam_status st =
        seam_fault_there(oltp_table(x->t, "seam_audit_ids", &x->ids, x->f), &there, x->f);

    return st != SEAM_OK || there
               ? st
               : oltp_create_table_json(x->t, json, sizeof json - 1, &x->ids, x->f);
}

static void said(struct seam_json_writer *w, const char *name, const char *text)
{
    seam_jw_key(w, name);
    seam_jw_str(w, text != NULL ? text : "");
}

/* What the audit sink is told of the changes that follow in the same transaction.                    */
static enum seam_status say(struct appender *x)
{
    struct seam_buf payload = {0};
    struct seam_json_writer w;
    enum seam_status st;

    seam_jw_init(&w, &payload);
    seam_jw_object(&w);
    said(&w, "event_id", x->e->event_id);
    said(&w, "actor", x->e->actor);
    said(&w, "causation", x->e->causation);
    said(&w, "correlation", x->e->correlation);
    seam_jw_end_object(&w);
    st = oltp_outbox_put(x->t, "order",
                         (struct wal_bytes){(const uint8_t *)&x->e->order, sizeof x->e->order},
                         x->e->type, (struct wal_bytes){payload.data, payload.size}, x->f);
    seam_buf_free(&payload);
    return st;
}

/* Members of `data` over the row there is (or over defaults), with the order's id.                   */
static enum seam_status merged_row(struct appender *x, const struct seam_schema *s,
                                   const char *json, const struct seam_value *old,
                                   const char *status, struct seam_value *out,
                                   struct seam_buf *text)
{
    struct seam_arena arena = {0};
    struct seam_json *data = NULL;
    struct seam_fault *f = x->f;
    struct seam_buf whole = {0};
    struct seam_json_writer w;
    enum seam_status st = seam_json_parse(json, strlen(json), &arena, "--data", &data, f);

    if (st == SEAM_OK && data->type != SEAM_J_OBJECT)
        st = seam_fault_set(f, SEAM_INVALID, "--data", SEAM_FAULT_NO_OFFSET,
                            "a JSON object is needed");
    seam_jw_init(&w, &whole);
    seam_jw_object(&w);
    for (int i = 0; st == SEAM_OK && i < s->column_count; i++) {
        const char *name = s->columns[i].name;
        const struct seam_json *v = seam_json_get(data, name);
        struct seam_buf cell = {0};

        if (!seam_column_live(&s->columns[i], s->version)) continue;
        if (strcmp(name, "order_id") == 0) {
            seam_jw_key(&w, name);
            seam_jw_int(&w, x->e->order);
        } else if (strcmp(name, "status") == 0 && status != NULL) {
            seam_jw_key(&w, name);
            seam_jw_str(&w, status);
        } else if (v != NULL) {
            seam_jw_key(&w, name);
            seam_jw_node(&w, v);
        } else if (old != NULL && old[i].type != SEAM_V_NULL) {
            seam_jw_key(&w, name);
            seam_value_format(&old[i], &cell);
            if (old[i].type == SEAM_V_INT)
                seam_jw_int(&w, old[i].i);
            else
                seam_jw_strn(&w, (const char *)cell.data, cell.size);
        } else if (strcmp(name, "placed_at") == 0) {
            char when[40];

            seam_jw_key(&w, name);
            seam_jw_strn(&w, when, seam_time_format(seam_clock_wall_us(x->clock), when));
        }
        seam_buf_free(&cell);
    }
    seam_jw_end_object(&w);
    if (st == SEAM_OK)
        st = seam_row_from_json(s, (const char *)whole.data, whole.size, out, text, f);
    seam_buf_free(&whole);
    seam_arena_free(&arena);
    return st;
}

struct append_kind {
    const char *type;
    const char *status;
    bool line, remove;
};
static const struct append_kind append_kinds[] = {
    {"OrderPlaced", "placed", false, false}, {"PaymentTaken", "paid", false, false},
    {"Shipped", "shipped", false, false},    {"Cancelled", "cancelled", false, false},
    {"Refunded", "refunded", false, false},  {"LineAdded", NULL, true, false},
    {"LineRemoved", NULL, true, true}};

/* The order's row and version; version 0 when it is not there yet.                                   */
static enum seam_status read_order(struct appender *x, struct seam_value *row,
                                   struct seam_buf *copy, int64_t *version)
{
    const struct seam_schema *s = oltp_schema(x->t, x->orders);
    struct seam_value id = seam_v_int(x->e->order);
    struct oltp_row stored;
    bool there;
    enum seam_status st =
        seam_fault_there(oltp_get(x->t, x->orders, &id, &stored, x->f), &there, x->f);

    *version = 0;
    if (st == SEAM_OK && !there) return SEAM_OK;
    if (st == SEAM_OK) seam_buf_append(copy, stored.row.data, stored.row.size);
    if (st == SEAM_OK && !seam_buf_ok(copy)) st = seam_no_memory(x->f, "the order's row");
    if (st == SEAM_OK) st = seam_row_decode(s, copy->data, copy->size, row, x->f);
    if (st == SEAM_OK) *version = row[seam_schema_column(s, "version")].i;
    return st;
}

static enum seam_status change_order(struct appender *x, const struct append_kind *kind,
                                     const struct seam_value *old, int64_t version)
{
    const struct seam_schema *s = oltp_schema(x->t, x->orders), *ls = oltp_schema(x->t, x->lines);
    struct seam_value row[SEAM_COLUMNS_MAX], line[SEAM_COLUMNS_MAX];
    struct seam_buf text = {0}, line_text = {0};
    const char *data = x->e->data != NULL ? x->e->data : "{}";
    /* Where the data are a line's, the order only gets its version. */
    enum seam_status st = merged_row(x, s, kind->line ? "{}" : data, version > 0 ? old : NULL,
                                     kind->status, row, &text);

    if (st == SEAM_OK && kind->line) {
        st = merged_row(x, ls, data, NULL, NULL, line, &line_text);
        if (st == SEAM_OK && kind->remove) {
            struct seam_value key[2] = {seam_v_int(x->e->order),
                                        line[seam_schema_column(ls, "line_no")]};

            st = oltp_delete(x->t, x->lines, key, x->f);
        } else if (st == SEAM_OK) {
            st = oltp_insert(x->t, x->lines, line, x->f);
        }
    }
    if (st == SEAM_OK) {
        row[seam_schema_column(s, "version")] = seam_v_int(version + 1);
        st = oltp_put(x->t, x->orders, row, x->f);
    }
    seam_buf_free(&text);
    seam_buf_free(&line_text);
    return st;
}

/* A used id changes nothing and says so, whatever version was expected.                             */
static enum seam_status known_id(struct appender *x, struct audit_appended *done)
{
    struct seam_value id = seam_v_str(x->e->event_id), v[3];
    struct oltp_row row;
    enum seam_status st =
        seam_fault_there(oltp_get(x->t, x->ids, &id, &row, x->f), &done->known, x->f);

    if (st == SEAM_OK && !done->known) return SEAM_OK;
    if (st == SEAM_OK)
        st = seam_row_decode(oltp_schema(x->t, x->ids), row.row.data, row.row.size, v, x->f);
    if (st == SEAM_OK) {
        done->order = v[1].i;
        done->version = v[2].i;
    }
    return st;
}

static enum seam_status append_in_txn(struct appender *x, const struct append_kind *kind,
                                      struct audit_appended *done)
{
    const struct audit_append *e = x->e;
    struct seam_value old[SEAM_COLUMNS_MAX], id[3];
    struct seam_buf copy = {0};
    int64_t version = 0;
    enum seam_status st = oltp_table(x->t, "orders", &x->orders, x->f);

    if (st == SEAM_OK) st = oltp_table(x->t, "order_lines", &x->lines, x->f);
    if (st == SEAM_OK) st = ids_table(x);
    if (st == SEAM_OK) st = known_id(x, done);
    if (st != SEAM_OK || done->known) return st;
    st = read_order(x, old, &copy, &version);
    if (st == SEAM_OK && e->expected_version >= 0 && e->expected_version != version)
        st = seam_fault_set(x->f, SEAM_CONFLICT, "orders", SEAM_FAULT_NO_OFFSET,
                            "order %" PRId64 " is at version %" PRId64 ", not %" PRId64
                            ": read it again",
                            e->order, version, e->expected_version);
    if (st == SEAM_OK && version == 0 && strcmp(kind->type, "OrderPlaced") != 0)
        st = seam_fault_set(x->f, SEAM_NOT_FOUND, "orders", SEAM_FAULT_NO_OFFSET,
                            "order %" PRId64 " has not been placed", e->order);
    if (st == SEAM_OK && version > 0 && strcmp(kind->type, "OrderPlaced") == 0)
        st = seam_fault_set(x->f, SEAM_EXISTS, "orders", SEAM_FAULT_NO_OFFSET,
                            "order %" PRId64 " was placed already", e->order);
    if (st == SEAM_OK) st = say(x);
    if (st == SEAM_OK) st = change_order(x, kind, old, version);
    id[0] = seam_v_str(e->event_id);
    id[1] = seam_v_int(e->order);
    id[2] = seam_v_int(version + 1);
    if (st == SEAM_OK) st = oltp_insert(x->t, x->ids, id, x->f);
    done->order = e->order;
    done->version = version + 1;
    seam_buf_free(&copy);
    return st;
}

enum seam_status audit_append(struct oltp *db, struct seam_clock *clock,
                              const struct audit_append *e, struct audit_appended *out,
                              struct seam_fault *f)
{
    struct appender x = {.e = e, .clock = clock, .f = f};
    struct oltp_commit commit = {0};
    const struct append_kind *kind = NULL;
    enum seam_status st;

    *out = (struct audit_appended){0};
    for (size_t i = 0; i < SEAM_ARRAY_LEN(append_kinds); i++)
        if (strcmp(append_kinds[i].type, e->type) == 0) kind = &append_kinds[i];
    if (kind == NULL)
        return seam_fault_set(f, SEAM_INVALID, e->type, SEAM_FAULT_NO_OFFSET,
                              "not an event: OrderPlaced, LineAdded, LineRemoved, PaymentTaken, "
                              "Shipped, Cancelled, Refunded");
    if (e->event_id == NULL || *e->event_id == '\0')
        return seam_fault_set(f, SEAM_INVALID, "event id", SEAM_FAULT_NO_OFFSET,
                              "an event needs an id, so that sending it twice is harmless");
    st = oltp_write_begin(db, &x.t, f);
    if (st == SEAM_OK) st = append_in_txn(&x, kind, out);
    if (st == SEAM_OK && !out->known) {
        st = oltp_commit(x.t, OLTP_DURABLE, &commit, f);
        x.t = NULL;
        out->lsn = commit.lsn;
    }
    oltp_end(x.t);
    return st;
}
