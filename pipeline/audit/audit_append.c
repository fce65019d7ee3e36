/* audit_append - a business event as one transaction of the row store. */
#include "pipeline/audit/audit_append.h"

#include <inttypes.h>
#include <string.h>

#include "engine/text/json.h"
#include "engine/values/row.h"

struct appender {
    const struct audit_append *e;
    struct clock *clock;
    struct oltp_txn *t;
    uint32_t orders, lines, ids;
    struct fault *f;
};

static enum status ids_table(struct appender *x)
{
    static const char json[] = "{\"table\":\"seam_audit_ids\",\"key\":[\"event_id\"],\"columns\":[{\"name\":\"event_id\",\"type\":\"text\"},"
                               "{\"name\":\"order_id\",\"type\":\"int64\"},{\"name\":\"version\",\"type\":\"int64\"}]}";
    enum status st = oltp_table(x->t, "seam_audit_ids", &x->ids, NULL);

    return st == ST_NOT_FOUND ? oltp_create_table_json(x->t, json, sizeof json - 1, &x->ids, x->f) : st;
}

static void said(struct json_writer *w, const char *name, const char *text)
{
    jw_key(w, name);
    jw_str(w, text != NULL ? text : "");
}

/* What the audit sink is told of the changes that follow in the same transaction.                    */
static enum status say(struct appender *x)
{
    struct buf payload = {0};
    struct json_writer w;
    enum status st;

    jw_init(&w, &payload);
    jw_object(&w);
    said(&w, "event_id", x->e->event_id);
    said(&w, "actor", x->e->actor);
    said(&w, "causation", x->e->causation);
    said(&w, "correlation", x->e->correlation);
    jw_end_object(&w);
    st = oltp_outbox_put(x->t, "order", (struct bytes){(const uint8_t *)&x->e->order, sizeof x->e->order}, x->e->type,
                         (struct bytes){payload.data, payload.size}, x->f);
    buf_free(&payload);
    return st;
}

/* Members of `data` over the row there is (or over defaults), with the order's id.                   */
static enum status merged_row(struct appender *x, const struct schema *s, const char *json, const struct value *old,
                              const char *status, struct value *out, struct buf *text)
{
    struct arena arena = {0};
    struct json *data = NULL;
    struct fault *f = x->f;
    struct buf whole = {0};
    struct json_writer w;
    enum status st = json_parse(json, strlen(json), &arena, "--data", &data, f);

    if (st == ST_OK && data->type != J_OBJECT) st = fault_set(f, ST_INVALID, "--data", FAULT_NO_OFFSET, "a JSON object is needed");
    jw_init(&w, &whole);
    jw_object(&w);
    for (int i = 0; st == ST_OK && i < s->column_count; i++) {
        const char *name = s->columns[i].name;
        const struct json *v = json_get(data, name);
        struct buf cell = {0};

        if (!column_live(&s->columns[i], s->version)) continue;
        if (strcmp(name, "order_id") == 0) {
            jw_key(&w, name);
            jw_int(&w, x->e->order);
        } else if (strcmp(name, "status") == 0 && status != NULL) {
            jw_key(&w, name);
            jw_str(&w, status);
        } else if (v != NULL) {
            jw_key(&w, name);
            jw_node(&w, v);
        } else if (old != NULL && old[i].type != V_NULL) {
            jw_key(&w, name);
            value_format(&old[i], &cell);
            if (old[i].type == V_INT) jw_int(&w, old[i].i);
            else jw_strn(&w, (const char *)cell.data, cell.size);
        } else if (strcmp(name, "placed_at") == 0) {
            char when[40];

            jw_key(&w, name);
            jw_strn(&w, when, time_format(clock_wall_us(x->clock), when));
        }
        buf_free(&cell);
    }
    jw_end_object(&w);
    if (st == ST_OK) st = row_from_json(s, (const char *)whole.data, whole.size, out, text, f);
    buf_free(&whole);
    arena_free(&arena);
    return st;
}

struct append_kind { const char *type; const char *status; bool line, remove; };
static const struct append_kind append_kinds[] = {
    {"OrderPlaced", "placed", false, false}, {"PaymentTaken", "paid", false, false}, {"Shipped", "shipped", false, false},
    {"Cancelled", "cancelled", false, false}, {"Refunded", "refunded", false, false}, {"LineAdded", NULL, true, false},
    {"LineRemoved", NULL, true, true}};

/* The order's row and version; version 0 when it is not there yet.                                   */
static enum status read_order(struct appender *x, struct value *row, struct buf *copy, int64_t *version)
{
    const struct schema *s = oltp_schema(x->t, x->orders);
    struct value id = v_int(x->e->order);
    struct oltp_row stored;
    enum status st = oltp_get(x->t, x->orders, &id, &stored, NULL);

    *version = 0;
    if (st == ST_NOT_FOUND) return ST_OK;
    if (st == ST_OK) buf_append(copy, stored.row.data, stored.row.size);
    if (st == ST_OK) st = row_decode(s, copy->data, copy->size, row, x->f);
    if (st == ST_OK) *version = row[schema_column(s, "version")].i;
    return st;
}

static enum status change_order(struct appender *x, const struct append_kind *kind, const struct value *old, int64_t version)
{
    const struct schema *s = oltp_schema(x->t, x->orders), *ls = oltp_schema(x->t, x->lines);
    struct value row[COLUMNS_MAX], line[COLUMNS_MAX];
    struct buf text = {0}, line_text = {0};
    const char *data = x->e->data != NULL ? x->e->data : "{}";
    /* Where the data are a line's, the order only gets its version. */
    enum status st = merged_row(x, s, kind->line ? "{}" : data, version > 0 ? old : NULL, kind->status, row, &text);

    if (st == ST_OK && kind->line) {
        st = merged_row(x, ls, data, NULL, NULL, line, &line_text);
        if (st == ST_OK && kind->remove) {
            struct value key[2] = {v_int(x->e->order), line[schema_column(ls, "line_no")]};

            st = oltp_delete(x->t, x->lines, key, x->f);
        } else if (st == ST_OK) {
            st = oltp_insert(x->t, x->lines, line, x->f);
        }
    }
    if (st == ST_OK) {
        row[schema_column(s, "version")] = v_int(version + 1);
        st = oltp_put(x->t, x->orders, row, x->f);
    }
    buf_free(&text);
    buf_free(&line_text);
    return st;
}

/* A used id changes nothing and says so, whatever version was expected.                             */
static enum status known_id(struct appender *x, struct audit_appended *done)
{
    struct value id = v_str(x->e->event_id), v[3];
    struct oltp_row row;
    enum status st = oltp_get(x->t, x->ids, &id, &row, NULL);

    done->known = st == ST_OK;
    if (st == ST_NOT_FOUND) return ST_OK;
    if (st == ST_OK) st = row_decode(oltp_schema(x->t, x->ids), row.row.data, row.row.size, v, x->f);
    if (st == ST_OK) {
        done->order = v[1].i;
        done->version = v[2].i;
    }
    return st;
}

static enum status append_in_txn(struct appender *x, const struct append_kind *kind, struct audit_appended *done)
{
    const struct audit_append *e = x->e;
    struct value old[COLUMNS_MAX], id[3];
    struct buf copy = {0};
    int64_t version = 0;
    enum status st = oltp_table(x->t, "orders", &x->orders, x->f);

    if (st == ST_OK) st = oltp_table(x->t, "order_lines", &x->lines, x->f);
    if (st == ST_OK) st = ids_table(x);
    if (st == ST_OK) st = known_id(x, done);
    if (st != ST_OK || done->known) return st;
    st = read_order(x, old, &copy, &version);
    if (st == ST_OK && e->expected_version >= 0 && e->expected_version != version)
        st = fault_set(x->f, ST_CONFLICT, "orders", FAULT_NO_OFFSET,
                       "order %" PRId64 " is at version %" PRId64 ", not %" PRId64 ": read it again", e->order, version, e->expected_version);
    if (st == ST_OK && version == 0 && strcmp(kind->type, "OrderPlaced") != 0)
        st = fault_set(x->f, ST_NOT_FOUND, "orders", FAULT_NO_OFFSET, "order %" PRId64 " has not been placed", e->order);
    if (st == ST_OK && version > 0 && strcmp(kind->type, "OrderPlaced") == 0)
        st = fault_set(x->f, ST_EXISTS, "orders", FAULT_NO_OFFSET, "order %" PRId64 " was placed already", e->order);
    if (st == ST_OK) st = say(x);
    if (st == ST_OK) st = change_order(x, kind, old, version);
    id[0] = v_str(e->event_id);
    id[1] = v_int(e->order);
    id[2] = v_int(version + 1);
    if (st == ST_OK) st = oltp_insert(x->t, x->ids, id, x->f);
    done->order = e->order;
    done->version = version + 1;
    buf_free(&copy);
    return st;
}

enum status audit_append(struct oltp *db, struct clock *clock, const struct audit_append *e, struct audit_appended *out,
                         struct fault *f)
{
    struct appender x = {.e = e, .clock = clock, .f = f};
    struct oltp_commit commit = {0};
    const struct append_kind *kind = NULL;
    enum status st;

    *out = (struct audit_appended){0};
    for (size_t i = 0; i < ARRAY_LEN(append_kinds); i++)
        if (strcmp(append_kinds[i].type, e->type) == 0) kind = &append_kinds[i];
    if (kind == NULL)
        return fault_set(f, ST_INVALID, e->type, FAULT_NO_OFFSET,
                         "not an event: OrderPlaced, LineAdded, LineRemoved, PaymentTaken, Shipped, Cancelled, Refunded");
    if (e->event_id == NULL || *e->event_id == '\0')
        return fault_set(f, ST_INVALID, "event id", FAULT_NO_OFFSET, "an event needs an id, so that sending it twice is harmless");
    st = oltp_write_begin(db, &x.t, f);
    if (st == ST_OK) st = append_in_txn(&x, kind, out);
    if (st == ST_OK && !out->known) {
        st = oltp_commit(x.t, OLTP_DURABLE, &commit, f);
        x.t = NULL;
        out->lsn = commit.lsn;
    }
    oltp_end(x.t);
    return st;
}
