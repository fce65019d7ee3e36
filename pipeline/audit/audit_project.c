/* audit_project - read models as folds over the events. They are never the truth: delete one, fold again. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/values/key.h"
#include "engine/values/row.h"
#include "pipeline/audit/audit_read.h"

struct customer { int64_t id, orders, lines, units; __int128 value; };

struct projector {
    struct audit_schemas schemas;
    void (*write)(void *ctx, const char *s, size_t n);
    void *ctx;
    struct buf out;
    struct audit_state state;
    struct customer *customers;
    size_t n_customers, cap;
    struct fault *f;
};

struct model {
    const char *name;
    enum status (*event)(struct projector *p, const struct audit_event *e); /* may be NULL */
    enum status (*order)(struct projector *p, int64_t order);              /* an order is folded; may be NULL */
    enum status (*end)(struct projector *p);                               /* may be NULL */
};

static void emit(struct projector *p)
{
    p->write(p->ctx, (const char *)p->out.data, p->out.size);
    buf_clear(&p->out);
}

/* ---- timeline ---- */

static enum status timeline_event(struct projector *p, const struct audit_event *e)
{
    struct json_writer w;
    char when[40];

    jw_init(&w, &p->out);
    jw_object(&w);
    jw_key(&w, "order_id");
    if (e->order == AUDIT_OWN_CHAIN) jw_null(&w);
    else jw_int(&w, e->order);
    jw_key(&w, "version");
    jw_uint(&w, e->version);
    jw_key(&w, "lsn");
    jw_uint(&w, e->lsn);
    jw_key(&w, "at");
    jw_strn(&w, when, time_format(e->at_us, when));
    jw_key(&w, "type");
    jw_str(&w, audit_type_name(e->type));
    jw_key(&w, "actor");
    jw_strn(&w, (const char *)e->actor.data, e->actor.size);
    jw_end_object(&w);
    buf_str(&p->out, "\n");
    emit(p);
    return ST_OK;
}

/* ---- orders ---- */

static int by_key(const void *a, const void *b)
{
    const struct audit_line *x = a, *y = b;

    return key_compare(x->key.data, x->key.size, y->key.data, y->key.size);
}

static enum status decode(struct projector *p, const struct schema *s, const struct buf *row, struct value *out)
{
    return row_decode(s, row->data, row->size, out, p->f);
}

static enum status orders_order(struct projector *p, int64_t order)
{
    struct value v[COLUMNS_MAX];
    enum status st;

    (void)order;
    if (!p->state.exists) return ST_OK;
    qsort(p->state.lines, p->state.count, sizeof *p->state.lines, by_key);
    st = decode(p, p->schemas.orders, &p->state.order, v);
    buf_str(&p->out, "{\"order\":");
    if (st == ST_OK) row_to_json(p->schemas.orders, v, &p->out);
    buf_str(&p->out, ",\"lines\":[");
    for (size_t i = 0; st == ST_OK && i < p->state.count; i++) {
        if (i > 0) buf_str(&p->out, ",");
        st = decode(p, p->schemas.lines, &p->state.lines[i].row, v);
        if (st == ST_OK) row_to_json(p->schemas.lines, v, &p->out);
    }
    buf_str(&p->out, "]}\n");
    emit(p);
    return st;
}

/* ---- customers ---- */

static struct customer *customer_of(struct projector *p, int64_t id)
{
    for (size_t i = 0; i < p->cap; i++) { /* an open-addressing table keyed by id; 0 orders = free */
        size_t at = (hash64_u64((uint64_t)id) + i) & (p->cap - 1);

        if (p->customers[at].orders > 0 && p->customers[at].id == id) return &p->customers[at];
        if (p->customers[at].orders == 0) {
            p->customers[at].id = id;
            p->n_customers++;
            return &p->customers[at];
        }
    }
    return NULL;
}

static enum status grow_customers(struct projector *p)
{
    struct customer *old = p->customers;
    size_t n = p->cap;

    if (p->n_customers * 2 < p->cap) return ST_OK;
    p->cap = n == 0 ? 1024 : n * 2;
    p->customers = calloc(p->cap, sizeof *p->customers);
    p->n_customers = 0;
    if (p->customers == NULL) {
        p->customers = old;
        p->cap = n;
        return fault_set(p->f, ST_NOMEM, "customers", FAULT_NO_OFFSET, "no memory");
    }
    for (size_t i = 0; i < n; i++)
        if (old[i].orders > 0) *customer_of(p, old[i].id) = old[i];
    free(old);
    return ST_OK;
}

static enum status customers_order(struct projector *p, int64_t order)
{
    const struct schema *os = p->schemas.orders, *ls = p->schemas.lines;
    int customer = schema_column(os, "customer_id"), status = schema_column(os, "status");
    int quantity = schema_column(ls, "quantity"), price = schema_column(ls, "unit_price");
    struct value v[COLUMNS_MAX], l[COLUMNS_MAX];
    struct customer *c;
    enum status st;

    (void)order;
    if (!p->state.exists) return ST_OK;
    if (customer < 0 || status < 0 || quantity < 0 || price < 0)
        return fault_set(p->f, ST_UNSUPPORTED, "customers", FAULT_NO_OFFSET,
                         "needs the columns customer_id, status, quantity and unit_price");
    st = decode(p, os, &p->state.order, v);
    if (st != ST_OK || v[customer].type != V_INT) return st;
    if (v[status].type == V_TEXT && v[status].len == 9 && memcmp(v[status].s, "cancelled", 9) == 0) return ST_OK;
    st = grow_customers(p);
    if (st != ST_OK) return st;
    c = customer_of(p, v[customer].i);
    c->orders++;
    for (size_t i = 0; st == ST_OK && i < p->state.count; i++) {
        st = decode(p, ls, &p->state.lines[i].row, l);
        if (st != ST_OK) break;
        c->lines++;
        c->units += l[quantity].i;
        c->value += (__int128)l[quantity].i * l[price].i;
    }
    return st;
}

static int by_id(const void *a, const void *b)
{
    const struct customer *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static enum status customers_end(struct projector *p)
{
    int price = schema_column(p->schemas.lines, "unit_price");
    unsigned scale = price >= 0 ? p->schemas.lines->columns[price].scale : 0;
    size_t n = 0;
    char text[32];

    for (size_t i = 0; i < p->cap; i++)
        if (p->customers[i].orders > 0) p->customers[n++] = p->customers[i];
    if (n > 0) qsort(p->customers, n, sizeof *p->customers, by_id);
    for (size_t i = 0; i < n; i++) {
        const struct customer *c = &p->customers[i];

        if (c->value > INT64_MAX || c->value < INT64_MIN)
            return fault_set(p->f, ST_LIMIT, "customers", FAULT_NO_OFFSET, "a value is beyond 64 bits");
        text[decimal_format((int64_t)c->value, scale, text)] = '\0';
        buf_printf(&p->out, "{\"customer_id\":%lld,\"orders\":%lld,\"lines\":%lld,\"units\":%lld,\"value\":\"%s\"}\n",
                   (long long)c->id, (long long)c->orders, (long long)c->lines, (long long)c->units, text);
        emit(p);
    }
    return ST_OK;
}

static const struct model models[] = {
    {"orders", NULL, orders_order, NULL},
    {"timeline", timeline_event, NULL, NULL},
    {"customers", NULL, customers_order, customers_end},
};

/* ---- the fold ---- */

static enum status fold_all(struct audit_reader *r, const struct model *m, struct projector *p, lsn_t as_of)
{
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct audit_event e;
    int64_t order = 0;
    bool any = false;
    enum status st = oltp_cursor_open(r->txn, r->tables.events, 0, NULL, 0, &c, p->f);

    while (st == ST_OK && (st = oltp_cursor_next(c, &row, p->f)) == ST_OK) {
        st = audit_event_of_row(r->schema, row.row, &e, p->f);
        if (st != ST_OK || e.lsn > as_of) continue;
        if (any && e.order != order) {
            if (m->order != NULL) st = m->order(p, order);
            audit_state_clear(&p->state);
        }
        order = e.order;
        any = true;
        if (st == ST_OK && m->event != NULL) st = m->event(p, &e);
        if (st == ST_OK && m->order != NULL) st = audit_apply(&p->state, &e);
    }
    oltp_cursor_close(c);
    if (st == ST_END) st = any && m->order != NULL ? m->order(p, order) : ST_OK;
    return st == ST_OK && m->end != NULL ? m->end(p) : st;
}

enum status audit_project(struct audit_reader *r, const char *model, struct audit_schemas schemas, lsn_t as_of,
                          void (*write)(void *ctx, const char *s, size_t n), void *ctx, struct fault *f)
{
    struct projector p = {.schemas = schemas, .write = write, .ctx = ctx, .f = f};
    const struct model *m = NULL;
    enum status st;

    for (size_t i = 0; i < ARRAY_LEN(models); i++)
        if (strcmp(models[i].name, model) == 0) m = &models[i];
    if (m == NULL)
        return fault_set(f, ST_NOT_FOUND, model, FAULT_NO_OFFSET, "no such read model: orders, timeline, customers");
    if (schemas.orders == NULL || schemas.lines == NULL)
        return fault_set(f, ST_NOT_FOUND, model, FAULT_NO_OFFSET, "the audit has not been told the orders' schemas yet");
    st = fold_all(r, m, &p, as_of);
    audit_state_free(&p.state);
    buf_free(&p.out);
    free(p.customers);
    return st;
}
