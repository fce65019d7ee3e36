/* audit_store - from row changes to chained events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/row.h"
#include "pipeline/audit/audit_event.h"
#include "pipeline/sinks/keys.h"
#include "pipeline/sinks/own_rows.h"

struct audit_store {
    struct sink_own_rows own;
    struct oltp_txn *txn;
    struct audit_tables tables;
    const char *orders, *lines; /* names of the source's tables */
    struct seam_trace *trace;
    seam_lsn_t applied;
    uint64_t events; /* so far: the next event's number */
    /* what the shop said of the transaction being applied */
    seam_lsn_t said_lsn;
    char said[4][AUDIT_ID_MAX];     /* event id, actor, causation, correlation */
    uint8_t (*segment)[AUDIT_HASH]; /* hashes of the open segment */
    /* while a snapshot is taken over: the gap it closes, and the order its rows are compared with */
    bool in_gap, folded;
    struct audit_gap gap;
    int64_t folded_order;
    struct audit_state state;
};

static enum seam_status begin(struct audit_store *s, struct seam_fault *f)
{
    return s->txn != NULL ? SEAM_OK : oltp_write_begin(s->own.db, &s->txn, f);
}

static enum seam_status load_meta(struct audit_store *s, struct seam_fault *f)
{
    struct seam_value id = seam_v_int(1), v[4];
    struct oltp_row r;
    bool there;
    enum seam_status st = seam_fault_there(oltp_get(s->txn, s->tables.meta, &id, &r, f), &there, f);

    if (st == SEAM_OK && !there) return SEAM_OK;
    if (st == SEAM_OK)
        st = seam_row_decode(oltp_schema(s->txn, s->tables.meta), r.row.data, r.row.size, v, f);
    if (st != SEAM_OK) return st;
    s->applied = (seam_lsn_t)v[1].i;
    s->events = (uint64_t)v[3].i;
    return SEAM_OK;
}

/* The open segment's hashes, so that its root can be made when it is full.                          */
static enum seam_status load_segment(struct audit_store *s, struct seam_fault *f)
{
    uint64_t first = s->events / AUDIT_SEGMENT * AUDIT_SEGMENT;
    struct seam_value from = seam_v_int((int64_t)first);
    struct seam_buf key = {0};
    struct oltp_range range = {0};
    struct oltp_cursor *c = NULL;
    struct oltp_row r;
    struct audit_event e;
    enum seam_status st =
        oltp_key(s->txn, s->tables.events, s->tables.by_number, &from, 1, &key, f);

    range.lower = (struct wal_bytes){key.data, key.size};
    if (st == SEAM_OK)
        st = oltp_cursor_open(s->txn, s->tables.events, s->tables.by_number, &range, 0, &c, f);
    while (st == SEAM_OK && (st = oltp_cursor_next(c, &r, f)) == SEAM_OK) {
        st = audit_event_of_row(oltp_schema(s->txn, s->tables.events), r.row, &e, f);
        if (st == SEAM_OK) memcpy(s->segment[e.number % AUDIT_SEGMENT], e.hash, AUDIT_HASH);
    }
    oltp_cursor_close(c);
    seam_buf_free(&key);
    return st == SEAM_END ? SEAM_OK : st;
}

enum seam_status audit_store_open(struct seam_io *io, struct seam_clock *clock, const char *dir,
                                  const char *orders, const char *lines, struct seam_trace *trace,
                                  struct audit_store **out, struct seam_fault *f)
{
    struct audit_store *s = calloc(1, sizeof *s);
    enum seam_status st;

    if (s == NULL || (s->segment = malloc((size_t)AUDIT_SEGMENT * AUDIT_HASH)) == NULL) {
        free(s);
        return seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory for the audit");
    }
    s->orders = orders;
    s->lines = lines;
    s->trace = trace;
    st = sink_own_rows_open(io, clock, dir, &s->own, f);
    if (st == SEAM_OK) st = begin(s, f);
    if (st == SEAM_OK) st = audit_tables_open(s->txn, true, &s->tables, f);
    if (st == SEAM_OK) st = load_meta(s, f);
    if (st == SEAM_OK) st = load_segment(s, f);
    if (st != SEAM_OK) {
        audit_store_close(s);
        return st;
    }
    *out = s;
    return SEAM_OK;
}

void audit_store_close(struct audit_store *s)
{
    if (s == NULL) return;
    oltp_end(s->txn);
    sink_own_rows_close(&s->own);
    audit_state_free(&s->state);
    free(s->segment);
    free(s);
}

seam_lsn_t audit_store_applied(const struct audit_store *s)
{
    return s->applied;
}

/* What has happened to an order, told from its status.                                              */
static enum audit_type order_type(const struct seam_schema *s, const struct stream_change *c)
{
    static const struct {
        const char *status;
        enum audit_type type;
    } kinds[] = {{"shipped", AUDIT_SHIPPED},
                 {"cancelled", AUDIT_CANCELLED},
                 {"paid", AUDIT_PAID},
                 {"refunded", AUDIT_REFUNDED}};
    struct seam_value before[SEAM_COLUMNS_MAX], after[SEAM_COLUMNS_MAX];
    int status = seam_schema_column(s, "status");

    if (c->op == WAL_OP_INSERT) return AUDIT_ORDER_PLACED;
    if (c->op == WAL_OP_DELETE) return AUDIT_ORDER_DELETED;
    if (c->before.data == NULL ||
        seam_row_decode(s, c->before.data, c->before.size, before, NULL) != SEAM_OK ||
        seam_row_decode(s, c->after.data, c->after.size, after, NULL) != SEAM_OK)
        return AUDIT_ORDER_CHANGED;
    for (size_t i = 0; status >= 0 && i < SEAM_ARRAY_LEN(kinds); i++)
        if (!seam_value_equal(&before[status], &after[status]) &&
            after[status].type == SEAM_V_TEXT && after[status].len == strlen(kinds[i].status) &&
            memcmp(after[status].s, kinds[i].status, after[status].len) == 0)
            return kinds[i].type;
    return AUDIT_ORDER_CHANGED;
}

static enum seam_status order_of(const struct stream_change *c, int64_t *order,
                                 struct seam_fault *f)
{
    struct wal_bytes row = c->op == WAL_OP_DELETE ? c->before : c->after;
    struct seam_value v = seam_v_null(), key[SEAM_COLUMNS_MAX];
    struct seam_buf text = {0};
    int column = seam_schema_column(c->schema, "order_id");
    enum seam_status st = SEAM_OK;

    if (column < 0)
        return seam_fault_set(f, SEAM_UNSUPPORTED, c->schema->name, c->offset,
                              "audited tables need a column order_id");
    if (row.data != NULL) {
        st = seam_row_get(c->schema, row.data, row.size, column, &v, f);
    } else { /* a delete that knows only the key */
        st = sink_key_values(c, key, &text, f);
        if (st == SEAM_OK) v = key[column];
        seam_buf_free(&text);
    }
    if (st == SEAM_OK && v.type != SEAM_V_INT)
        return seam_fault_set(f, SEAM_UNSUPPORTED, c->schema->name, c->offset,
                              "order_id must be an int64");
    *order = v.i;
    return st;
}

static enum seam_status load_head(struct audit_store *s, int64_t order, uint64_t *version,
                                  uint8_t hash[AUDIT_HASH], struct seam_fault *f)
{
    struct seam_value id = seam_v_int(order), v[3];
    struct oltp_row r;
    bool there;
    enum seam_status st =
        seam_fault_there(oltp_get(s->txn, s->tables.heads, &id, &r, f), &there, f);

    memset(hash, 0, AUDIT_HASH);
    *version = 0;
    if (st == SEAM_OK && !there) return SEAM_OK;
    if (st == SEAM_OK)
        st = seam_row_decode(oltp_schema(s->txn, s->tables.heads), r.row.data, r.row.size, v, f);
    if (st != SEAM_OK) return st;
    *version = (uint64_t)v[1].i;
    if (v[2].len != AUDIT_HASH)
        return seam_fault_set(f, SEAM_CORRUPT, "heads", SEAM_FAULT_NO_OFFSET,
                              "a head without a hash");
    memcpy(hash, v[2].s, AUDIT_HASH);
    return SEAM_OK;
}

static enum seam_status close_segment(struct audit_store *s, struct seam_fault *f)
{
    uint8_t(*copy)[AUDIT_HASH] = malloc((size_t)AUDIT_SEGMENT * AUDIT_HASH);
    uint8_t root[AUDIT_HASH];
    struct seam_value v[2] = {seam_v_int((int64_t)(s->events / AUDIT_SEGMENT) - 1),
                              seam_v_text((const char *)root, AUDIT_HASH)};
    enum seam_status st;

    if (copy == NULL)
        return seam_fault_set(f, SEAM_NOMEM, "audit", SEAM_FAULT_NO_OFFSET, "no memory");
    memcpy(copy, s->segment, (size_t)AUDIT_SEGMENT * AUDIT_HASH);
    audit_merkle_root(copy, root);
    st = oltp_put(s->txn, s->tables.roots, v, f);
    free(copy);
    return st;
}

static enum seam_status append(struct audit_store *s, struct audit_event *e, struct seam_fault *f)
{
    uint8_t before[AUDIT_HASH];
    struct seam_value values[EV_COLUMNS], head[3];
    enum seam_status st = load_head(s, e->order, &e->version, before, f);

    if (st != SEAM_OK) return st;
    e->version++;
    e->number = s->events;
    audit_event_hash(e, before, e->hash);
    audit_event_values(e, values);
    head[0] = seam_v_int(e->order);
    head[1] = seam_v_int((int64_t)e->version);
    head[2] = seam_v_text((const char *)e->hash, AUDIT_HASH);
    st = oltp_insert(s->txn, s->tables.events, values, f);
    if (st == SEAM_OK) st = oltp_put(s->txn, s->tables.heads, head, f);
    if (st != SEAM_OK) return st;
    memcpy(s->segment[s->events % AUDIT_SEGMENT], e->hash, AUDIT_HASH);
    s->events++;
    if (s->folded && s->folded_order == e->order && audit_apply(&s->state, e) != SEAM_OK)
        s->folded = false;
    SEAM_TRACE(s->trace, "pipeline", "audit_event", SEAM_TI("order", e->order),
               SEAM_TI("version", e->version), SEAM_TS("type", audit_type_name(e->type)));
    return s->events % AUDIT_SEGMENT == 0 ? close_segment(s, f) : SEAM_OK;
}

static struct wal_bytes said(const struct audit_store *s, int i)
{
    return (struct wal_bytes){(const uint8_t *)s->said[i], strlen(s->said[i])};
}

/* ---- a snapshot: what its rows are, and the events do not tell ---- */

static enum seam_status fold_event(void *ctx, const struct audit_event *e)
{
    return audit_apply(ctx, e);
}

/* The order as its events have it. A snapshot's rows of one order follow each other. */
static enum seam_status fold(struct audit_store *s, int64_t order, struct seam_fault *f)
{
    enum seam_status st;

    if (s->folded && s->folded_order == order) return SEAM_OK;
    audit_state_clear(&s->state);
    st = audit_events_of(s->txn, &s->tables, order, fold_event, &s->state, f);
    s->folded = st == SEAM_OK;
    s->folded_order = order;
    return st;
}

static struct wal_bytes bytes_of(const struct seam_buf *b)
{
    return (struct wal_bytes){b->data, b->size};
}

/* One row of a snapshot (or one it did not name): an event only when it is not what the events fold to. */
static enum seam_status restate(struct audit_store *s, const struct stream_change *c,
                                struct audit_event *e, struct seam_fault *f)
{
    const struct audit_line *line;
    struct wal_bytes known = {NULL, 0};
    enum seam_status st = fold(s, e->order, f);

    if (st != SEAM_OK) return st;
    line = e->line ? audit_state_line(&s->state, c->key) : NULL;
    if (line != NULL)
        known = bytes_of(&line->row);
    else if (!e->line && s->state.exists)
        known = bytes_of(&s->state.order);
    if (c->op == WAL_OP_DELETE) {
        if (known.data == NULL) return SEAM_OK;
        e->row = known;
    } else {
        if (known.data != NULL && audit_same_row(c->schema, known, c->after)) return SEAM_OK;
        e->op = known.data != NULL ? WAL_OP_UPDATE : WAL_OP_INSERT;
    }
    e->type = AUDIT_RESTATED;
    s->gap.restated++;
    return append(s, e, f);
}

enum seam_status audit_store_gap(struct audit_store *s, seam_lsn_t from, seam_lsn_t to,
                                 int64_t wall_us, struct seam_fault *f)
{
    (void)f;
    s->in_gap = true;
    s->gap = (struct audit_gap){.from = from, .to = to, .at_us = wall_us};
    return SEAM_OK;
}

/* At the snapshot's end, when it is known how much was restated. */
static enum seam_status close_gap(struct audit_store *s, struct seam_fault *f)
{
    struct seam_buf row = {0};
    struct audit_event e = {.order = AUDIT_OWN_CHAIN,
                            .lsn = s->gap.to,
                            .at_us = s->gap.at_us,
                            .type = AUDIT_GAP,
                            .op = WAL_OP_INSERT};
    enum seam_status st;

    audit_gap_put(&row, s->gap.from, s->gap.restated);
    e.row = bytes_of(&row);
    st = seam_buf_ok(&row)
             ? append(s, &e, f)
             : seam_fault_set(f, SEAM_NOMEM, "audit", SEAM_FAULT_NO_OFFSET, "no memory");
    seam_buf_free(&row);
    if (st == SEAM_OK) s->in_gap = false;
    return st;
}

struct audit_key_list {
    const struct seam_schema *schema;
    bool lines;
    sink_key_fn fn;
    void *ctx;
    struct seam_fault *fault;
};

static enum seam_status list_keys(struct audit_state *state, struct audit_key_list *l)
{
    struct seam_value v[SEAM_COLUMNS_MAX];
    struct seam_buf key = {0};
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; l->lines && st == SEAM_OK && i < state->count; i++)
        st = l->fn(l->ctx, bytes_of(&state->lines[i].key), l->fault);
    if (!l->lines && state->exists) {
        st = seam_row_decode(l->schema, state->order.data, state->order.size, v, l->fault);
        if (st == SEAM_OK) st = seam_row_key(l->schema, v, &key, l->fault);
        if (st == SEAM_OK) st = l->fn(l->ctx, bytes_of(&key), l->fault);
        seam_buf_free(&key);
    }
    return st;
}

enum seam_status audit_store_keys(struct audit_store *s, const struct seam_schema *schema,
                                  sink_key_fn fn, void *ctx, struct seam_fault *f)
{
    struct audit_key_list list = {schema, strcmp(schema->name, s->lines) == 0, fn, ctx, f};
    struct audit_state state = {0};
    struct audit_event e;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    int64_t order = AUDIT_OWN_CHAIN;
    enum seam_status st;

    if (!list.lines && strcmp(schema->name, s->orders) != 0) return SEAM_OK;
    st = begin(s, f);
    if (st == SEAM_OK) st = oltp_cursor_open(s->txn, s->tables.events, 0, NULL, 0, &c, f);
    while (st == SEAM_OK && (st = oltp_cursor_next(c, &row, f)) == SEAM_OK) {
        st = audit_event_of_row(oltp_schema(s->txn, s->tables.events), row.row, &e, f);
        if (st == SEAM_OK && e.order != order) {
            st = list_keys(&state, &list);
            audit_state_clear(&state);
            order = e.order;
        }
        if (st == SEAM_OK) st = audit_apply(&state, &e);
    }
    if (st == SEAM_END) st = list_keys(&state, &list);
    oltp_cursor_close(c);
    audit_state_free(&state);
    return st;
}

enum seam_status audit_store_change(struct audit_store *s, const struct stream_change *c,
                                    struct seam_fault *f)
{
    bool line = strcmp(c->schema->name, s->lines) == 0;
    struct audit_event e = {.lsn = c->lsn,
                            .seq = c->seq,
                            .at_us = c->wall_us,
                            .op = c->op,
                            .line = line,
                            .key = c->key,
                            .row = c->op == WAL_OP_DELETE ? c->before : c->after};
    enum seam_status st;

    if (!line && strcmp(c->schema->name, s->orders) != 0) return SEAM_OK;
    st = begin(s, f);
    if (st == SEAM_OK) st = order_of(c, &e.order, f);
    if (st != SEAM_OK) return st;
    if (c->snapshot) return restate(s, c, &e, f);
    e.type = line ? (c->op == WAL_OP_INSERT   ? AUDIT_LINE_ADDED
                     : c->op == WAL_OP_UPDATE ? AUDIT_LINE_CHANGED
                                              : AUDIT_LINE_REMOVED)
                  : order_type(c->schema, c);
    if (s->said_lsn == c->lsn) {
        e.event_id = said(s, 0);
        e.actor = said(s, 1);
        e.causation = said(s, 2);
        e.correlation = said(s, 3);
    }
    return append(s, &e, f);
}

/* What an outbox event of topic "order" says (its id, actor, causation, correlation) holds for the changes that follow it in
 * the same transaction. Anything else in the payload is the shop's own.                               */
enum seam_status audit_store_outbox(struct audit_store *s, const struct stream_outbox *e,
                                    struct seam_fault *f)
{
    static const char *const members[] = {"event_id", "actor", "causation", "correlation"};
    struct seam_arena a = {0};
    struct seam_json *root = NULL;

    (void)f;
    if (e->topic.size != 5 || memcmp(e->topic.data, "order", 5) != 0) return SEAM_OK;
    if (seam_json_parse((const char *)e->payload.data, e->payload.size, &a, "outbox", &root,
                        NULL) == SEAM_OK) {
        s->said_lsn = e->lsn;
        for (size_t i = 0; i < SEAM_ARRAY_LEN(members); i++)
            snprintf(s->said[i], sizeof s->said[i], "%.*s", AUDIT_ID_MAX - 1,
                     seam_json_string(root, members[i], ""));
    }
    seam_arena_free(&a);
    return SEAM_OK;
}

enum seam_status audit_store_publish(struct audit_store *s, seam_lsn_t lsn, int64_t wall_us,
                                     struct seam_fault *f)
{
    struct seam_value meta[4] = {seam_v_int(1), seam_v_int((int64_t)lsn), seam_v_int(wall_us)};
    struct oltp_txn *t;
    enum seam_status st = begin(s, f);

    if (st == SEAM_OK && s->in_gap && lsn >= s->gap.to) st = close_gap(s, f);
    meta[3] = seam_v_int((int64_t)s->events);
    if (st == SEAM_OK) st = oltp_put(s->txn, s->tables.meta, meta, f);
    if (st != SEAM_OK) return st;
    t = s->txn;
    s->txn = NULL;
    st = oltp_commit(t, OLTP_DURABLE, NULL, f);
    s->folded = false;
    if (st == SEAM_OK) s->applied = lsn;
    return st;
}
