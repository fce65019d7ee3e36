/* audit_store - from row changes to chained events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/row.h"
#include "pipeline/audit/audit_event.h"
#include "pipeline/sinks/own_rows.h"
#include "pipeline/sinks/sinks.h"

struct audit_store {
    struct own_rows own;
    struct oltp_txn *txn;
    struct audit_tables tables;
    const char *orders, *lines; /* names of the source's tables */
    struct trace *trace;
    lsn_t applied;
    uint64_t events;            /* so far: the next event's number */
    /* what the shop said of the transaction being applied */
    lsn_t said_lsn;
    char said[4][AUDIT_ID_MAX]; /* event id, actor, causation, correlation */
    uint8_t (*segment)[AUDIT_HASH]; /* hashes of the open segment */
    /* while a snapshot is taken over: the gap it closes, and the order its rows are compared with */
    bool in_gap, folded;
    struct audit_gap gap;
    int64_t folded_order;
    struct audit_state state;
};

static enum status begin(struct audit_store *s, struct fault *f)
{
    return s->txn != NULL ? ST_OK : oltp_write_begin(s->own.db, &s->txn, f);
}

static enum status load_meta(struct audit_store *s, struct fault *f)
{
    struct value id = v_int(1), v[4];
    struct oltp_row r;
    enum status st = oltp_get(s->txn, s->tables.meta, &id, &r, NULL);

    if (st == ST_NOT_FOUND) return ST_OK;
    if (st == ST_OK) st = row_decode(oltp_schema(s->txn, s->tables.meta), r.row.data, r.row.size, v, f);
    if (st != ST_OK) return st;
    s->applied = (lsn_t)v[1].i;
    s->events = (uint64_t)v[3].i;
    return ST_OK;
}

/* The open segment's hashes, so that its root can be made when it is full.                          */
static enum status load_segment(struct audit_store *s, struct fault *f)
{
    uint64_t first = s->events / AUDIT_SEGMENT * AUDIT_SEGMENT;
    struct value from = v_int((int64_t)first);
    struct buf key = {0};
    struct oltp_range range = {0};
    struct oltp_cursor *c = NULL;
    struct oltp_row r;
    struct audit_event e;
    enum status st = oltp_key(s->txn, s->tables.events, s->tables.by_number, &from, 1, &key, f);

    range.lower = (struct bytes){key.data, key.size};
    if (st == ST_OK) st = oltp_cursor_open(s->txn, s->tables.events, s->tables.by_number, &range, 0, &c, f);
    while (st == ST_OK && (st = oltp_cursor_next(c, &r, f)) == ST_OK) {
        st = audit_event_of_row(oltp_schema(s->txn, s->tables.events), r.row, &e, f);
        if (st == ST_OK) memcpy(s->segment[e.number % AUDIT_SEGMENT], e.hash, AUDIT_HASH);
    }
    oltp_cursor_close(c);
    buf_free(&key);
    return st == ST_END ? ST_OK : st;
}

enum status audit_store_open(struct io *io, struct clock *clock, const char *dir, const char *orders, const char *lines,
                             struct trace *trace, struct audit_store **out, struct fault *f)
{
    struct audit_store *s = calloc(1, sizeof *s);
    enum status st;

    if (s == NULL || (s->segment = malloc((size_t)AUDIT_SEGMENT * AUDIT_HASH)) == NULL) {
        free(s);
        return fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory for the audit");
    }
    s->orders = orders;
    s->lines = lines;
    s->trace = trace;
    st = own_rows_open(io, clock, dir, &s->own, f);
    if (st == ST_OK) st = begin(s, f);
    if (st == ST_OK) st = audit_tables_open(s->txn, true, &s->tables, f);
    if (st == ST_OK) st = load_meta(s, f);
    if (st == ST_OK) st = load_segment(s, f);
    if (st != ST_OK) {
        audit_store_close(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

void audit_store_close(struct audit_store *s)
{
    if (s == NULL) return;
    oltp_end(s->txn);
    own_rows_close(&s->own);
    audit_state_free(&s->state);
    free(s->segment);
    free(s);
}

lsn_t audit_store_applied(const struct audit_store *s) { return s->applied; }

/* What has happened to an order, told from its status.                                              */
static enum audit_type order_type(const struct schema *s, const struct sink_change *c)
{
    static const struct { const char *status; enum audit_type type; } kinds[] = {
        {"shipped", AUDIT_SHIPPED}, {"cancelled", AUDIT_CANCELLED}, {"paid", AUDIT_PAID}, {"refunded", AUDIT_REFUNDED}};
    struct value before[COLUMNS_MAX], after[COLUMNS_MAX];
    int status = schema_column(s, "status");

    if (c->op == OP_INSERT) return AUDIT_ORDER_PLACED;
    if (c->op == OP_DELETE) return AUDIT_ORDER_DELETED;
    if (c->before.data == NULL || row_decode(s, c->before.data, c->before.size, before, NULL) != ST_OK ||
        row_decode(s, c->after.data, c->after.size, after, NULL) != ST_OK)
        return AUDIT_ORDER_CHANGED;
    for (size_t i = 0; status >= 0 && i < ARRAY_LEN(kinds); i++)
        if (!value_equal(&before[status], &after[status]) && after[status].type == V_TEXT &&
            after[status].len == strlen(kinds[i].status) && memcmp(after[status].s, kinds[i].status, after[status].len) == 0)
            return kinds[i].type;
    return AUDIT_ORDER_CHANGED;
}

static enum status order_of(const struct sink_change *c, int64_t *order, struct fault *f)
{
    struct bytes row = c->op == OP_DELETE ? c->before : c->after;
    struct value v = v_null(), key[COLUMNS_MAX];
    struct buf text = {0};
    int column = schema_column(c->schema, "order_id");
    enum status st = ST_OK;

    if (column < 0) return fault_set(f, ST_UNSUPPORTED, c->schema->name, c->offset, "audited tables need a column order_id");
    if (row.data != NULL) {
        st = row_get(c->schema, row.data, row.size, column, &v, f);
    } else { /* a delete that knows only the key */
        st = sink_key_values(c, key, &text, f);
        if (st == ST_OK) v = key[column];
        buf_free(&text);
    }
    if (st == ST_OK && v.type != V_INT)
        return fault_set(f, ST_UNSUPPORTED, c->schema->name, c->offset, "order_id must be an int64");
    *order = v.i;
    return st;
}

static enum status load_head(struct audit_store *s, int64_t order, uint64_t *version, uint8_t hash[AUDIT_HASH], struct fault *f)
{
    struct value id = v_int(order), v[3];
    struct oltp_row r;
    enum status st = oltp_get(s->txn, s->tables.heads, &id, &r, NULL);

    memset(hash, 0, AUDIT_HASH);
    *version = 0;
    if (st == ST_NOT_FOUND) return ST_OK;
    if (st == ST_OK) st = row_decode(oltp_schema(s->txn, s->tables.heads), r.row.data, r.row.size, v, f);
    if (st != ST_OK) return st;
    *version = (uint64_t)v[1].i;
    if (v[2].len != AUDIT_HASH) return fault_set(f, ST_CORRUPT, "heads", FAULT_NO_OFFSET, "a head without a hash");
    memcpy(hash, v[2].s, AUDIT_HASH);
    return ST_OK;
}

static enum status close_segment(struct audit_store *s, struct fault *f)
{
    uint8_t (*copy)[AUDIT_HASH] = malloc((size_t)AUDIT_SEGMENT * AUDIT_HASH);
    uint8_t root[AUDIT_HASH];
    struct value v[2] = {v_int((int64_t)(s->events / AUDIT_SEGMENT) - 1), v_text((const char *)root, AUDIT_HASH)};
    enum status st;

    if (copy == NULL) return fault_set(f, ST_NOMEM, "audit", FAULT_NO_OFFSET, "no memory");
    memcpy(copy, s->segment, (size_t)AUDIT_SEGMENT * AUDIT_HASH);
    audit_merkle_root(copy, root);
    st = oltp_put(s->txn, s->tables.roots, v, f);
    free(copy);
    return st;
}

static enum status append(struct audit_store *s, struct audit_event *e, struct fault *f)
{
    uint8_t before[AUDIT_HASH];
    struct value values[EV_COLUMNS], head[3];
    enum status st = load_head(s, e->order, &e->version, before, f);

    if (st != ST_OK) return st;
    e->version++;
    e->number = s->events;
    audit_event_hash(e, before, e->hash);
    audit_event_values(e, values);
    head[0] = v_int(e->order);
    head[1] = v_int((int64_t)e->version);
    head[2] = v_text((const char *)e->hash, AUDIT_HASH);
    st = oltp_insert(s->txn, s->tables.events, values, f);
    if (st == ST_OK) st = oltp_put(s->txn, s->tables.heads, head, f);
    if (st != ST_OK) return st;
    memcpy(s->segment[s->events % AUDIT_SEGMENT], e->hash, AUDIT_HASH);
    s->events++;
    if (s->folded && s->folded_order == e->order && audit_apply(&s->state, e) != ST_OK) s->folded = false;
    TRACE(s->trace, "pipeline", "audit_event", TI("order", e->order), TI("version", e->version), TS("type", audit_type_name(e->type)));
    return s->events % AUDIT_SEGMENT == 0 ? close_segment(s, f) : ST_OK;
}

static struct bytes said(const struct audit_store *s, int i)
{
    return (struct bytes){(const uint8_t *)s->said[i], strlen(s->said[i])};
}

/* ---- a snapshot: what its rows are, and the events do not tell ---- */

static enum status fold_event(void *ctx, const struct audit_event *e) { return audit_apply(ctx, e); }

/* The order as its events have it. A snapshot's rows of one order follow each other. */
static enum status fold(struct audit_store *s, int64_t order, struct fault *f)
{
    enum status st;

    if (s->folded && s->folded_order == order) return ST_OK;
    audit_state_clear(&s->state);
    st = audit_events_of(s->txn, &s->tables, order, fold_event, &s->state, f);
    s->folded = st == ST_OK;
    s->folded_order = order;
    return st;
}

static struct bytes bytes_of(const struct buf *b) { return (struct bytes){b->data, b->size}; }

/* One row of a snapshot (or one it did not name): an event only when it is not what the events fold to. */
static enum status restate(struct audit_store *s, const struct sink_change *c, struct audit_event *e, struct fault *f)
{
    const struct audit_line *line;
    struct bytes known = {NULL, 0};
    enum status st = fold(s, e->order, f);

    if (st != ST_OK) return st;
    line = e->line ? audit_state_line(&s->state, c->key) : NULL;
    if (line != NULL) known = bytes_of(&line->row);
    else if (!e->line && s->state.exists) known = bytes_of(&s->state.order);
    if (c->op == OP_DELETE) {
        if (known.data == NULL) return ST_OK;
        e->row = known;
    } else {
        if (known.data != NULL && audit_same_row(c->schema, known, c->after)) return ST_OK;
        e->op = known.data != NULL ? OP_UPDATE : OP_INSERT;
    }
    e->type = AUDIT_RESTATED;
    s->gap.restated++;
    return append(s, e, f);
}

enum status audit_store_gap(struct audit_store *s, lsn_t from, lsn_t to, int64_t wall_us, struct fault *f)
{
    (void)f;
    s->in_gap = true;
    s->gap = (struct audit_gap){.from = from, .to = to, .at_us = wall_us};
    return ST_OK;
}

/* At the snapshot's end, when it is known how much was restated. */
static enum status close_gap(struct audit_store *s, struct fault *f)
{
    struct buf row = {0};
    struct audit_event e = {.order = AUDIT_OWN_CHAIN, .lsn = s->gap.to, .at_us = s->gap.at_us, .type = AUDIT_GAP, .op = OP_INSERT};
    enum status st;

    audit_gap_put(&row, s->gap.from, s->gap.restated);
    e.row = bytes_of(&row);
    st = buf_ok(&row) ? append(s, &e, f) : fault_set(f, ST_NOMEM, "audit", FAULT_NO_OFFSET, "no memory");
    buf_free(&row);
    if (st == ST_OK) s->in_gap = false;
    return st;
}

struct key_list { const struct schema *schema; bool lines; sink_key_fn fn; void *ctx; struct fault *fault; };

static enum status list_keys(struct audit_state *state, struct key_list *l)
{
    struct value v[COLUMNS_MAX];
    struct buf key = {0};
    enum status st = ST_OK;

    for (size_t i = 0; l->lines && st == ST_OK && i < state->count; i++) st = l->fn(l->ctx, bytes_of(&state->lines[i].key), l->fault);
    if (!l->lines && state->exists) {
        st = row_decode(l->schema, state->order.data, state->order.size, v, l->fault);
        if (st == ST_OK) st = row_key(l->schema, v, &key, l->fault);
        if (st == ST_OK) st = l->fn(l->ctx, bytes_of(&key), l->fault);
        buf_free(&key);
    }
    return st;
}

enum status audit_store_keys(struct audit_store *s, const struct schema *schema, sink_key_fn fn, void *ctx, struct fault *f)
{
    struct key_list list = {schema, strcmp(schema->name, s->lines) == 0, fn, ctx, f};
    struct audit_state state = {0};
    struct audit_event e;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    int64_t order = AUDIT_OWN_CHAIN;
    enum status st;

    if (!list.lines && strcmp(schema->name, s->orders) != 0) return ST_OK;
    st = begin(s, f);
    if (st == ST_OK) st = oltp_cursor_open(s->txn, s->tables.events, 0, NULL, 0, &c, f);
    while (st == ST_OK && (st = oltp_cursor_next(c, &row, f)) == ST_OK) {
        st = audit_event_of_row(oltp_schema(s->txn, s->tables.events), row.row, &e, f);
        if (st == ST_OK && e.order != order) {
            st = list_keys(&state, &list);
            audit_state_clear(&state);
            order = e.order;
        }
        if (st == ST_OK) st = audit_apply(&state, &e);
    }
    if (st == ST_END) st = list_keys(&state, &list);
    oltp_cursor_close(c);
    audit_state_free(&state);
    return st;
}

enum status audit_store_change(struct audit_store *s, const struct sink_change *c, struct fault *f)
{
    bool line = strcmp(c->schema->name, s->lines) == 0;
    struct audit_event e = {.lsn = c->lsn, .seq = c->seq, .at_us = c->wall_us, .op = c->op, .line = line, .key = c->key,
                            .row = c->op == OP_DELETE ? c->before : c->after};
    enum status st;

    if (!line && strcmp(c->schema->name, s->orders) != 0) return ST_OK;
    st = begin(s, f);
    if (st == ST_OK) st = order_of(c, &e.order, f);
    if (st != ST_OK) return st;
    if (c->snapshot) return restate(s, c, &e, f);
    e.type = line ? (c->op == OP_INSERT ? AUDIT_LINE_ADDED : c->op == OP_UPDATE ? AUDIT_LINE_CHANGED : AUDIT_LINE_REMOVED)
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
enum status audit_store_outbox(struct audit_store *s, const struct sink_outbox *e, struct fault *f)
{
    static const char *const members[] = {"event_id", "actor", "causation", "correlation"};
    struct arena a = {0};
    struct json *root = NULL;

    (void)f;
    if (e->topic.size != 5 || memcmp(e->topic.data, "order", 5) != 0) return ST_OK;
    if (json_parse((const char *)e->payload.data, e->payload.size, &a, "outbox", &root, NULL) == ST_OK) {
        s->said_lsn = e->lsn;
        for (size_t i = 0; i < ARRAY_LEN(members); i++)
            snprintf(s->said[i], sizeof s->said[i], "%.*s", AUDIT_ID_MAX - 1, json_string(root, members[i], ""));
    }
    arena_free(&a);
    return ST_OK;
}

enum status audit_store_publish(struct audit_store *s, lsn_t lsn, int64_t wall_us, struct fault *f)
{
    struct value meta[4] = {v_int(1), v_int((int64_t)lsn), v_int(wall_us)};
    struct oltp_txn *t;
    enum status st = begin(s, f);

    if (st == ST_OK && s->in_gap && lsn >= s->gap.to) st = close_gap(s, f);
    meta[3] = v_int((int64_t)s->events);
    if (st == ST_OK) st = oltp_put(s->txn, s->tables.meta, meta, f);
    if (st != ST_OK) return st;
    t = s->txn;
    s->txn = NULL;
    st = oltp_commit(t, OLTP_DURABLE, NULL, f);
    s->folded = false;
    if (st == ST_OK) s->applied = lsn;
    return st;
}
