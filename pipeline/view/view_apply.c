/* view_apply - from a fact row to its contribution, and from a batch's deltas to rows of the view. */
#include <string.h>

#include "engine/values/key.h"
#include "engine/values/row.h"
#include "pipeline/view/view_store.h"

/* Fills the joined row behind the fact's columns. *joined is false when an inner join finds nothing.  */
static enum status join_row(struct view_store *s, const struct view_def *d, struct value *row, bool *joined,
                            struct fault *f)
{
    *joined = true;
    for (int i = 1; i < d->n_inputs; i++) {
        const struct view_input *in = &d->inputs[i];
        const struct view_mirror *m = view_store_mirror(s, in->table);
        bool null = false;
        enum status st;

        buf_clear(&s->key);
        for (int k = 0; k < in->foreign_count; k++) {
            null |= row[in->foreign[k]].type == V_NULL;
            key_append(&s->key, &row[in->foreign[k]]);
        }
        st = null ? ST_NOT_FOUND
                  : view_mirror_get(s, m, (struct bytes){s->key.data, s->key.size}, &s->scratch[i], f);
        if (st == ST_OK)
            st = row_decode(registry_get(&s->registry, in->table), s->scratch[i].data, s->scratch[i].size,
                            row + in->first, f);
        else if (st == ST_NOT_FOUND) {
            if (!in->left) {
                *joined = false;
                return ST_OK;
            }
            for (int c = 0; c < in->n; c++) row[in->first + c] = v_null();
            st = ST_OK;
        }
        if (st != ST_OK) return st;
    }
    return ST_OK;
}

static enum status add_aggregates(struct view_store *s, struct view_state *v, const struct value *row,
                                  struct bytes group, struct view_delta *delta, int sign, struct fault *f)
{
    const struct view_def *d = v->def;
    enum status st = ST_OK;

    for (int i = 0; st == ST_OK && i < d->n_aggs; i++) {
        const struct view_agg *a = &d->aggs[i];
        struct value value;

        if (a->op == VIEW_COUNT_ALL) continue;
        st = expr_eval_row(a->arg, row, &s->arena, &value, f);
        if (st != ST_OK || value.type == V_NULL) continue;
        delta->count[i] += sign;
        if (a->op == VIEW_SUM || a->op == VIEW_AVG) delta->sum[i] += (__int128)value.i * sign;
        if (a->op != VIEW_MIN && a->op != VIEW_MAX) continue;
        buf_clear(&s->row);
        key_append(&s->row, &value);
        st = view_deltas_member(&v->deltas, group, i, (struct bytes){s->row.data, s->row.size}, sign);
        if (st != ST_OK) st = fault_set(f, st, v->name, FAULT_NO_OFFSET, "no memory");
    }
    return st;
}

enum status view_contribute(struct view_store *s, struct view_state *v, struct bytes fact_row, int sign, struct fault *f)
{
    const struct view_def *d = v->def;
    struct value row[VIEW_TABLES_MAX * COLUMNS_MAX], value;
    struct view_delta *delta;
    struct buf group = {0};
    bool joined;
    enum status st = row_decode(registry_get(&s->registry, d->inputs[0].table), fact_row.data, fact_row.size, row, f);

    arena_reset(&s->arena);
    if (st == ST_OK) st = join_row(s, d, row, &joined, f);
    if (st != ST_OK || !joined) return st;
    if (d->where != NULL) {
        st = expr_eval_row(d->where, row, &s->arena, &value, f);
        if (st != ST_OK || value.type != V_BOOL || value.i == 0) return st;
    }
    for (int i = 0; st == ST_OK && i < d->n_group; i++) {
        st = expr_eval_row(d->group[i], row, &s->arena, &value, f);
        if (st == ST_OK) key_append(&group, &value);
    }
    if (st == ST_OK && v->repairing && !view_key_set_has(&v->repairs, (struct bytes){group.data, group.size})) {
        buf_free(&group);
        return ST_OK;
    }
    if (st == ST_OK) st = view_deltas_group(&v->deltas, (struct bytes){group.data, group.size}, &delta);
    if (st == ST_OK) {
        delta->rows += sign;
        st = add_aggregates(s, v, row, (struct bytes){group.data, group.size}, delta, sign, f);
    }
    buf_free(&group);
    return st;
}

enum status view_compute(struct view_store *s, struct view_state *v, struct fault *f)
{
    const struct view_mirror *m = view_store_mirror(s, v->def->inputs[0].table);
    struct oltp_cursor *c = NULL;
    struct oltp_row r;
    struct value row;
    enum status st = oltp_cursor_open(s->txn, m->table, 0, NULL, 0, &c, f);

    while (st == ST_OK && (st = oltp_cursor_next(c, &r, f)) == ST_OK) {
        st = row_get(oltp_schema(s->txn, m->table), r.row.data, r.row.size, 1, &row, f);
        if (st != ST_OK) break;
        /* Lookups of the joins may move the page under the cursor: the row is copied first. */
        buf_clear(&s->scratch[0]);
        buf_append(&s->scratch[0], row.s, row.len);
        st = view_contribute(s, v, (struct bytes){s->scratch[0].data, s->scratch[0].size}, 1, f);
    }
    oltp_cursor_close(c);
    return st == ST_END ? ST_OK : st;
}

/* A group that is about to be computed again takes none of the batch's deltas: what stands there may not bear them. */
static bool left_alone(const struct view_state *v, struct bytes group)
{
    return !v->repairing && view_key_set_has(&v->repairs, group);
}

static enum status flush_members(struct view_store *s, struct view_state *v, struct fault *f)
{
    const struct view_key_set *k = &v->deltas.members;
    enum status st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < k->count; i++) {
        const uint8_t *p = k->keys[i].data;
        uint32_t group = get_u32(p);
        struct value values[4] = {v_text((const char *)p + 5, group), v_int(p[4]),
                                  v_text((const char *)p + 5 + group, k->keys[i].size - 5 - group), v_int(0)};
        struct oltp_row r;

        if (v->deltas.member_count[i] == 0 || left_alone(v, (struct bytes){p + 5, group})) continue;
        st = oltp_get(s->txn, v->multiset, values, &r, NULL);
        if (st == ST_OK) st = row_get(oltp_schema(s->txn, v->multiset), r.row.data, r.row.size, 3, &values[3], f);
        else if (st == ST_NOT_FOUND) st = ST_OK;
        values[3] = v_int(values[3].i + v->deltas.member_count[i]);
        if (st == ST_OK && values[3].i < 0)
            st = fault_set(f, ST_CORRUPT, v->name, FAULT_NO_OFFSET, "a value was retracted that was never added: 'seam rebuild DIR view' makes the views again");
        if (st == ST_OK)
            st = values[3].i == 0 ? oltp_delete(s->txn, v->multiset, values, f) : oltp_put(s->txn, v->multiset, values, f);
    }
    return st;
}

static enum status flush_group(struct view_store *s, struct view_state *v, struct bytes key,
                               const struct view_delta *delta, struct fault *f)
{
    struct value values[3] = {v_text((const char *)key.data, key.size), v_int(0), v_text("", 0)}, old;
    struct view_states states = {0};
    const struct schema *schema = oltp_schema(s->txn, v->table);
    struct oltp_row r;
    enum status st = oltp_get(s->txn, v->table, values, &r, NULL);
    bool there = st == ST_OK;

    if (there) {
        st = row_get(schema, r.row.data, r.row.size, 1, &values[1], f);
        if (st == ST_OK) st = row_get(schema, r.row.data, r.row.size, 2, &old, f);
        if (st == ST_OK) st = view_states_get(v->def, old.s, old.len, &states, f);
    } else if (st == ST_NOT_FOUND) {
        st = ST_OK;
    }
    if (st != ST_OK) return st;
    values[1].i += delta->rows;
    for (int i = 0; i < v->def->n_aggs; i++) {
        states.count[i] += delta->count[i];
        states.sum[i] += delta->sum[i];
    }
    if (values[1].i < 0)
        return fault_set(f, ST_CORRUPT, v->name, FAULT_NO_OFFSET, "a row was retracted that was never added: 'seam rebuild DIR view' makes the views again");
    /* A view without GROUP BY has its one row even over no rows at all. */
    if (values[1].i == 0 && v->def->n_group > 0)
        return there ? oltp_delete(s->txn, v->table, values, f) : ST_OK;
    buf_clear(&s->row);
    view_states_put(&s->row, v->def, &states);
    values[2] = v_text((const char *)s->row.data, s->row.size);
    return oltp_put(s->txn, v->table, values, f);
}

enum status view_flush(struct view_store *s, struct view_state *v, struct fault *f)
{
    enum status st = v->multiset != 0 ? flush_members(s, v, f) : ST_OK;

    for (size_t i = 0; st == ST_OK && i < v->deltas.groups.count; i++)
        if (!left_alone(v, v->deltas.groups.keys[i]))
            st = flush_group(s, v, v->deltas.groups.keys[i], v->deltas.delta[i], f);
    TRACE(s->trace, "pipeline", "view_flush", TS("view", v->name), TI("groups", v->deltas.groups.count));
    view_deltas_clear(&v->deltas);
    return st;
}

enum status view_ensure_total(struct view_state *v, struct fault *f)
{
    struct view_delta *delta;
    enum status st = v->def->n_group > 0 ? ST_OK : view_deltas_group(&v->deltas, (struct bytes){(const uint8_t *)"", 0}, &delta);

    return st == ST_OK ? ST_OK : fault_set(f, st, v->name, FAULT_NO_OFFSET, "no memory");
}

/* ---- repair ---- */
static enum status forget_members(struct view_store *s, struct view_state *v, struct bytes group, struct fault *f)
{
    struct value bound = v_text((const char *)group.data, group.size), values[COLUMNS_MAX];
    struct buf prefix = {0};
    struct oltp_range range = {.upper_included = true};
    struct oltp_cursor *c = NULL;
    struct oltp_row r;
    enum status st = oltp_key(s->txn, v->multiset, 0, &bound, 1, &prefix, f);

    range.lower = range.upper = (struct bytes){prefix.data, prefix.size};
    if (st == ST_OK) st = oltp_cursor_open(s->txn, v->multiset, 0, &range, 0, &c, f);
    while (st == ST_OK && (st = oltp_cursor_next(c, &r, f)) == ST_OK) {
        buf_clear(&s->row); /* the row's page may go with the row: its key is copied first */
        buf_append(&s->row, r.row.data, r.row.size);
        st = row_decode(oltp_schema(s->txn, v->multiset), s->row.data, s->row.size, values, f);
        if (st == ST_OK) st = oltp_delete(s->txn, v->multiset, values, f);
    }
    oltp_cursor_close(c);
    buf_free(&prefix);
    return st == ST_END ? ST_OK : st;
}

static enum status forget_group(struct view_store *s, struct view_state *v, struct bytes group, struct fault *f)
{
    struct value key = v_text((const char *)group.data, group.size);
    enum status st = oltp_delete(s->txn, v->table, &key, NULL);

    if (st != ST_OK && st != ST_NOT_FOUND)
        return fault_set(f, st, v->name, FAULT_NO_OFFSET, "could not delete a group");
    return v->multiset != 0 ? forget_members(s, v, group, f) : ST_OK;
}

enum status view_repair_groups(struct view_store *s, struct view_state *v, struct fault *f)
{
    enum status st = view_flush(s, v, f);

    for (size_t i = 0; st == ST_OK && i < v->repairs.count; i++) st = forget_group(s, v, v->repairs.keys[i], f);
    TRACE(s->trace, "pipeline", "view_repair", TS("view", v->name), TI("groups", v->repairs.count));
    v->repairing = true;
    if (st == ST_OK) st = view_ensure_total(v, f);
    if (st == ST_OK) st = view_compute(s, v, f);
    if (st == ST_OK) st = view_flush(s, v, f);
    v->repairing = false;
    return st;
}
