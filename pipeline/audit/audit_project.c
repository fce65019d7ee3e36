/* audit_project - read models as folds over the events. They are never the truth: delete one, fold again. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/values/key.h"
#include "engine/values/row.h"
#include "pipeline/audit/audit_read.h"

struct customer {
    int64_t id, orders, lines, units;
    __int128 value;
};

struct projector {
    struct audit_schemas schemas;
    void (*write)(void *ctx, const char *s, size_t n);
    void *ctx;
    struct seam_buf out;
    struct audit_state state;
    struct customer *customers;
    size_t n_customers, cap;
    struct seam_fault *f;
};

struct model {
    const char *name;
    enum seam_status (*event)(struct projector *p, const struct audit_event *e); /* may be NULL */
    enum seam_status (*order)(struct projector *p,
                              int64_t order);     /* an order is folded; may be NULL */
    enum seam_status (*end)(struct projector *p); /* may be NULL */
};

static void emit(struct projector *p)
{
    p->write(p->ctx, (const char *)p->out.data, p->out.size);
    seam_buf_clear(&p->out);
}

/* ---- timeline ---- */

static enum seam_status timeline_event(struct projector *p, const struct audit_event *e)
{
    struct seam_json_writer w;
    char when[40];

    seam_jw_init(&w, &p->out);
    seam_jw_object(&w);
    seam_jw_key(&w, "order_id");
    if (e->order == AUDIT_OWN_CHAIN)
        seam_jw_null(&w);
    else
        seam_jw_int(&w, e->order);
    seam_jw_key(&w, "version");
    seam_jw_uint(&w, e->version);
    seam_jw_key(&w, "lsn");
    seam_jw_uint(&w, e->lsn);
    seam_jw_key(&w, "at");
    seam_jw_strn(&w, when, seam_time_format(e->at_us, when));
    seam_jw_key(&w, "type");
    seam_jw_str(&w, audit_type_name(e->type));
    seam_jw_key(&w, "actor");
    seam_jw_strn(&w, (const char *)e->actor.data, e->actor.size);
    seam_jw_end_object(&w);
    seam_buf_str(&p->out, "\n");
    emit(p);
    return SEAM_OK;
}

/* ---- orders ---- */

static int by_key(const void *a, const void *b)
{
    const struct audit_line *x = a, *y = b;

    return seam_key_compare(x->key.data, x->key.size, y->key.data, y->key.size);
}

static enum seam_status decode(struct projector *p, const struct seam_schema *s,
                               const struct seam_buf *row, struct seam_value *out)
{
    return seam_row_decode(s, row->data, row->size, out, p->f);
}

static enum seam_status orders_order(struct projector *p, int64_t order)
{
    struct seam_value v[SEAM_COLUMNS_MAX];
    enum seam_status st;

    (void)order;
    if (!p->state.exists) return SEAM_OK;
    qsort(p->state.lines, p->state.count, sizeof *p->state.lines, by_key);
    st = decode(p, p->schemas.orders, &p->state.order, v);
    seam_buf_str(&p->out, "{\"order\":");
    if (st == SEAM_OK) seam_row_to_json(p->schemas.orders, v, &p->out);
    seam_buf_str(&p->out, ",\"lines\":[");
    for (size_t i = 0; st == SEAM_OK && i < p->state.count; i++) {
        if (i > 0) seam_buf_str(&p->out, ",");
        st = decode(p, p->schemas.lines, &p->state.lines[i].row, v);
        if (st == SEAM_OK) seam_row_to_json(p->schemas.lines, v, &p->out);
    }
    seam_buf_str(&p->out, "]}\n");
    emit(p);
    return st;
}

/* ---- customers ---- */

static struct customer *customer_of(struct projector *p, int64_t id)
{
    for (size_t i = 0; i < p->cap;
         i++) { /* an open-addressing table keyed by id; 0 orders = free */
        size_t at = (seam_hash64_u64((uint64_t)id) + i) & (p->cap - 1);

        if (p->customers[at].orders > 0 && p->customers[at].id == id) return &p->customers[at];
        if (p->customers[at].orders == 0) {
            p->customers[at].id = id;
            p->n_customers++;
            return &p->customers[at];
        }
    }
    return NULL;
}

static enum seam_status grow_customers(struct projector *p)
{
    struct customer *old = p->customers;
    size_t n = p->cap;

    if (p->n_customers * 2 < p->cap) return SEAM_OK;
    p->cap = n == 0 ? 1024 : n * 2;
    p->customers = calloc(p->cap, sizeof *p->customers);
    p->n_customers = 0;
    if (p->customers == NULL) {
        p->customers = old;
        p->cap = n;
        return seam_fault_set(p->f, SEAM_NOMEM, "customers", SEAM_FAULT_NO_OFFSET, "no memory");
    }
    for (size_t i = 0; i < n; i++)
        if (old[i].orders > 0) *customer_of(p, old[i].id) = old[i];
    free(old);
    return SEAM_OK;
}

static enum seam_status customers_order(struct projector *p, int64_t order)
{
    const struct seam_schema *os = p->schemas.orders, *ls = p->schemas.lines;
    int customer = seam_schema_column(os, "customer_id"), status = seam_schema_column(os, "status");
    int quantity = seam_schema_column(ls, "quantity"), price = seam_schema_column(ls, "unit_price");
    struct seam_value v[SEAM_COLUMNS_MAX], l[SEAM_COLUMNS_MAX];
    struct customer *c;
    enum seam_status st;

    (void)order;
    if (!p->state.exists) return SEAM_OK;
    if (customer < 0 || status < 0 || quantity < 0 || price < 0)
        return seam_fault_set(p->f, SEAM_UNSUPPORTED, "customers", SEAM_FAULT_NO_OFFSET,
                              "needs the columns customer_id, status, quantity and unit_price");
    st = decode(p, os, &p->state.order, v);
    if (st != SEAM_OK || v[customer].type != SEAM_V_INT) return st;
    if (v[status].type == SEAM_V_TEXT && v[status].len == 9 &&
        memcmp(v[status].s, "cancelled", 9) == 0)
        return SEAM_OK;
    st = grow_customers(p);
    if (st != SEAM_OK) return st;
    c = customer_of(p, v[customer].i);
    c->orders++;
    for (size_t i = 0; st == SEAM_OK && i < p->state.count; i++) {
        st = decode(p, ls, &p->state.lines[i].row, l);
        if (st != SEAM_OK) break;
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

static enum seam_status customers_end(struct projector *p)
{
    int price = seam_schema_column(p->schemas.lines, "unit_price");
    unsigned scale = price >= 0 ? p->schemas.lines->columns[price].scale : 0;
    size_t n = 0;
    char text[32];

    for (size_t i = 0; i < p->cap; i++)
        if (p->customers[i].orders > 0) p->customers[n++] = p->customers[i];
    if (n > 0) qsort(p->customers, n, sizeof *p->customers, by_id);
    for (size_t i = 0; i < n; i++) {
        const struct customer *c = &p->customers[i];

        if (c->value > INT64_MAX || c->value < INT64_MIN)
            return seam_fault_set(p->f, SEAM_LIMIT, "customers", SEAM_FAULT_NO_OFFSET,
                                  "a value is beyond 64 bits");
        text[seam_decimal_format((int64_t)c->value, scale, text)] = '\0';
        seam_buf_printf(&p->out,
                        "{\"customer_id\":%lld,\"orders\":%lld,\"lines\":%lld,\"units\":%lld,"
                        "\"value\":\"%s\"}\n",
                        (long long)c->id, (long long)c->orders, (long long)c->lines,
                        (long long)c->units, text);
        emit(p);
    }
    return SEAM_OK;
}

static const struct model models[] = {
    {"orders", NULL, orders_order, NULL},
    {"timeline", timeline_event, NULL, NULL},
    {"customers", NULL, customers_order, customers_end},
};

/* ---- the fold ---- */

static enum seam_status fold_all(struct audit_reader *r, const struct model *m, struct projector *p,
                                 seam_lsn_t as_of)
{
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct audit_event e;
    int64_t order = 0;
    bool any = false;
    enum seam_status st = oltp_cursor_open(r->txn, r->tables.events, 0, NULL, 0, &c, p->f);

    while (st == SEAM_OK && (st = oltp_cursor_next(c, &row, p->f)) == SEAM_OK) {
        st = audit_event_of_row(r->schema, row.row, &e, p->f);
        if (st != SEAM_OK || e.lsn > as_of) continue;
        if (any && e.order != order) {
            if (m->order != NULL) st = m->order(p, order);
            audit_state_clear(&p->state);
        }
        order = e.order;
        any = true;
        if (st == SEAM_OK && m->event != NULL) st = m->event(p, &e);
        if (st == SEAM_OK && m->order != NULL) st = audit_apply(&p->state, &e);
    }
    oltp_cursor_close(c);
    if (st == SEAM_END) st = any && m->order != NULL ? m->order(p, order) : SEAM_OK;
    return st == SEAM_OK && m->end != NULL ? m->end(p) : st;
}

enum seam_status audit_project(struct audit_reader *r, const char *model,
                               struct audit_schemas schemas, seam_lsn_t as_of,
                               void (*write)(void *ctx, const char *s, size_t n), void *ctx,
                               struct seam_fault *f)
{
    struct projector p = {.schemas = schemas, .write = write, .ctx = ctx, .f = f};
    const struct model *m = NULL;
    enum seam_status st;

    for (size_t i = 0; i < SEAM_ARRAY_LEN(models); i++)
        if (strcmp(models[i].name, model) == 0) m = &models[i];
    if (m == NULL)
        return seam_fault_set(f, SEAM_NOT_FOUND, model, SEAM_FAULT_NO_OFFSET,
                              "no such read model: orders, timeline, customers");
    if (schemas.orders == NULL || schemas.lines == NULL)
        return seam_fault_set(f, SEAM_NOT_FOUND, model, SEAM_FAULT_NO_OFFSET,
                              "the audit has not been told the orders' schemas yet");
    st = fold_all(r, m, &p, as_of);
    audit_state_free(&p.state);
    seam_buf_free(&p.out);
    free(p.customers);
    return st;
}
