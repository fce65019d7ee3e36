/* view_apply - from a fact row to its contribution, and from a batch's deltas to rows of the view. */
#include <string.h>

#include "engine/values/key.h"
#include "engine/values/row.h"
#include "pipeline/view/view_store.h"

/* Fills the joined row behind the fact's columns. *joined is false when an inner join finds nothing.  */
static enum seam_status join_row(struct view_store *s, const struct view_def *d,
                                 struct seam_value *row, bool *joined, struct seam_fault *f)
{
    *joined = true;
    for (int i = 1; i < d->n_inputs; i++) {
        const struct view_input *in = &d->inputs[i];
        const struct view_mirror *m = view_store_mirror(s, in->table);
        bool null = false;
        enum seam_status st;

        seam_buf_clear(&s->key);
        for (int k = 0; k < in->foreign_count; k++) {
            null |= row[in->foreign[k]].type == SEAM_V_NULL;
            seam_key_append(&s->key, &row[in->foreign[k]]);
        }
        st = null ? SEAM_NOT_FOUND
                  : view_mirror_get(s, m, (struct wal_bytes){s->key.data, s->key.size},
                                    &s->scratch[i], f);
        if (st == SEAM_OK)
            st = seam_row_decode(stream_registry_get(&s->registry, in->table), s->scratch[i].data,
                                 s->scratch[i].size, row + in->first, f);
        else if (st == SEAM_NOT_FOUND) {
            if (!in->left) {
                *joined = false;
                return SEAM_OK;
            }
            for (int c = 0; c < in->n; c++) row[in->first + c] = seam_v_null();
            st = SEAM_OK;
        }
        if (st != SEAM_OK) return st;
    }
    return SEAM_OK;
}

static enum seam_status add_aggregates(struct view_store *s, struct view_state *v,
                                       const struct seam_value *row, struct wal_bytes group,
                                       struct view_delta *delta, int sign, struct seam_fault *f)
{
    const struct view_def *d = v->def;
    enum seam_status st = SEAM_OK;

    for (int i = 0; st == SEAM_OK && i < d->n_aggs; i++) {
        const struct view_agg *a = &d->aggs[i];
        struct seam_value value;

        if (a->op == VIEW_COUNT_ALL) continue;
        st = columnar_expr_eval_row(a->arg, row, &s->arena, &value, f);
        if (st != SEAM_OK || value.type == SEAM_V_NULL) continue;
        delta->count[i] += sign;
        if (a->op == VIEW_SUM || a->op == VIEW_AVG) delta->sum[i] += (__int128)value.i * sign;
        if (a->op != VIEW_MIN && a->op != VIEW_MAX) continue;
        seam_buf_clear(&s->row);
        seam_key_append(&s->row, &value);
        st = view_deltas_member(&v->deltas, group, i, (struct wal_bytes){s->row.data, s->row.size},
                                sign);
        if (st != SEAM_OK) st = seam_fault_set(f, st, v->name, SEAM_FAULT_NO_OFFSET, "no memory");
    }
    return st;
}

enum seam_status view_contribute(struct view_store *s, struct view_state *v,
                                 struct wal_bytes fact_row, int sign, struct seam_fault *f)
{
    const struct view_def *d = v->def;
    struct seam_value row[VIEW_TABLES_MAX * SEAM_COLUMNS_MAX], value;
    struct view_delta *delta;
    struct seam_buf group = {0};
    bool joined;
    enum seam_status st = seam_row_decode(stream_registry_get(&s->registry, d->inputs[0].table),
                                          fact_row.data, fact_row.size, row, f);

    seam_arena_reset(&s->arena);
    if (st == SEAM_OK) st = join_row(s, d, row, &joined, f);
    if (st != SEAM_OK || !joined) return st;
    if (d->where != NULL) {
        st = columnar_expr_eval_row(d->where, row, &s->arena, &value, f);
        if (st != SEAM_OK || value.type != SEAM_V_BOOL || value.i == 0) return st;
    }
    for (int i = 0; st == SEAM_OK && i < d->n_group; i++) {
        st = columnar_expr_eval_row(d->group[i], row, &s->arena, &value, f);
        if (st == SEAM_OK) seam_key_append(&group, &value);
    }
    if (st == SEAM_OK && v->repairing &&
        !view_key_set_has(&v->repairs, (struct wal_bytes){group.data, group.size})) {
        seam_buf_free(&group);
        return SEAM_OK;
    }
    if (st == SEAM_OK)
        st = view_deltas_group(&v->deltas, (struct wal_bytes){group.data, group.size}, &delta);
    if (st == SEAM_OK) {
        delta->rows += sign;
        st = add_aggregates(s, v, row, (struct wal_bytes){group.data, group.size}, delta, sign, f);
    }
    seam_buf_free(&group);
    return st;
}

enum seam_status view_compute(struct view_store *s, struct view_state *v, struct seam_fault *f)
{
    const struct view_mirror *m = view_store_mirror(s, v->def->inputs[0].table);
    struct oltp_cursor *c = NULL;
    struct oltp_row r;
    struct seam_value row;
    enum seam_status st = oltp_cursor_open(s->txn, m->table, 0, NULL, 0, &c, f);

    while (st == SEAM_OK && (st = oltp_cursor_next(c, &r, f)) == SEAM_OK) {
        st = seam_row_get(oltp_schema(s->txn, m->table), r.row.data, r.row.size, 1, &row, f);
        if (st != SEAM_OK) break;
        /* Lookups of the joins may move the page under the cursor: the row is copied first. */
        seam_buf_clear(&s->scratch[0]);
        seam_buf_append(&s->scratch[0], row.s, row.len);
        st =
            view_contribute(s, v, (struct wal_bytes){s->scratch[0].data, s->scratch[0].size}, 1, f);
    }
    oltp_cursor_close(c);
    return st == SEAM_END ? SEAM_OK : st;
}

/* A group that is about to be computed again takes none of the batch's deltas: what stands there may not bear them. */
static bool left_alone(const struct view_state *v, struct wal_bytes group)
{
    return !v->repairing && view_key_set_has(&v->repairs, group);
}

static enum seam_status flush_members(struct view_store *s, struct view_state *v,
                                      struct seam_fault *f)
{
    const struct view_key_set *k = &v->deltas.members;
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < k->count; i++) {
        const uint8_t *p = k->keys[i].data;
        uint32_t group = seam_get_u32(p);
        struct seam_value values[4] = {
            seam_v_text((const char *)p + 5, group), seam_v_int(p[4]),
            seam_v_text((const char *)p + 5 + group, k->keys[i].size - 5 - group), seam_v_int(0)};
        struct oltp_row r;
        bool there;

        if (v->deltas.member_count[i] == 0 || left_alone(v, (struct wal_bytes){p + 5, group}))
            continue;
        st = seam_fault_there(oltp_get(s->txn, v->multiset, values, &r, f), &there, f);
        if (st == SEAM_OK && there)
            st = seam_row_get(oltp_schema(s->txn, v->multiset), r.row.data, r.row.size, 3,
                              &values[3], f);
        values[3] = seam_v_int(values[3].i + v->deltas.member_count[i]);
        if (st == SEAM_OK && values[3].i < 0)
            st = seam_fault_set(f, SEAM_CORRUPT, v->name, SEAM_FAULT_NO_OFFSET,
                                "a value was retracted that was never added: 'seam rebuild DIR "
                                "view' makes the views again");
        if (st == SEAM_OK)
            st = values[3].i == 0 ? oltp_delete(s->txn, v->multiset, values, f)
                                  : oltp_put(s->txn, v->multiset, values, f);
    }
    return st;
}

static enum seam_status flush_group(struct view_store *s, struct view_state *v,
                                    struct wal_bytes key, const struct view_delta *delta,
                                    struct seam_fault *f)
{
    struct seam_value values[3] = {seam_v_text((const char *)key.data, key.size), seam_v_int(0),
                                   seam_v_text("", 0)},
                      old;
    struct view_states states = {0};
    const struct seam_schema *schema = oltp_schema(s->txn, v->table);
    struct oltp_row r;
    bool there;
    enum seam_status st = seam_fault_there(oltp_get(s->txn, v->table, values, &r, f), &there, f);

    if (st == SEAM_OK && there) {
        st = seam_row_get(schema, r.row.data, r.row.size, 1, &values[1], f);
        if (st == SEAM_OK) st = seam_row_get(schema, r.row.data, r.row.size, 2, &old, f);
        if (st == SEAM_OK) st = view_states_get(v->def, old.s, old.len, &states, f);
    }
    if (st != SEAM_OK) return st;
    values[1].i += delta->rows;
    for (int i = 0; i < v->def->n_aggs; i++) {
        states.count[i] += delta->count[i];
        states.sum[i] += delta->sum[i];
    }
    if (values[1].i < 0)
        return seam_fault_set(f, SEAM_CORRUPT, v->name, SEAM_FAULT_NO_OFFSET,
                              "a row was retracted that was never added: 'seam rebuild DIR view' "
                              "makes the views again");
    /* A view without GROUP BY has its one row even over no rows at all. */
    if (values[1].i == 0 && v->def->n_group > 0)
        return there ? oltp_delete(s->txn, v->table, values, f) : SEAM_OK;
    seam_buf_clear(&s->row);
    view_states_put(&s->row, v->def, &states);
    values[2] = seam_v_text((const char *)s->row.data, s->row.size);
    return oltp_put(s->txn, v->table, values, f);
}

enum seam_status view_flush(struct view_store *s, struct view_state *v, struct seam_fault *f)
{
    enum seam_status st = v->multiset != 0 ? flush_members(s, v, f) : SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < v->deltas.groups.count; i++)
        if (!left_alone(v, v->deltas.groups.keys[i]))
            st = flush_group(s, v, v->deltas.groups.keys[i], v->deltas.delta[i], f);
    SEAM_TRACE(s->trace, "pipeline", "view_flush", SEAM_TS("view", v->name),
               SEAM_TI("groups", v->deltas.groups.count));
    view_deltas_clear(&v->deltas);
    return st;
}

enum seam_status view_ensure_total(struct view_state *v, struct seam_fault *f)
{
    struct view_delta *delta;
    enum seam_status st =
        v->def->n_group > 0
            ? SEAM_OK
            : view_deltas_group(&v->deltas, (struct wal_bytes){(const uint8_t *)"", 0}, &delta);

    return st == SEAM_OK ? SEAM_OK
                         : seam_fault_set(f, st, v->name, SEAM_FAULT_NO_OFFSET, "no memory");
}

/* ---- repair ---- */
static enum seam_status forget_members(struct view_store *s, struct view_state *v,
                                       struct wal_bytes group, struct seam_fault *f)
{
    struct seam_value bound = seam_v_text((const char *)group.data, group.size),
                      values[SEAM_COLUMNS_MAX];
    struct seam_buf prefix = {0};
    struct oltp_range range = {.upper_included = true};
    struct oltp_cursor *c = NULL;
    struct oltp_row r;
    enum seam_status st = oltp_key(s->txn, v->multiset, 0, &bound, 1, &prefix, f);

    range.lower = range.upper = (struct wal_bytes){prefix.data, prefix.size};
    if (st == SEAM_OK) st = oltp_cursor_open(s->txn, v->multiset, 0, &range, 0, &c, f);
    while (st == SEAM_OK && (st = oltp_cursor_next(c, &r, f)) == SEAM_OK) {
        seam_buf_clear(&s->row); /* the row's page may go with the row: its key is copied first */
        seam_buf_append(&s->row, r.row.data, r.row.size);
        st = seam_row_decode(oltp_schema(s->txn, v->multiset), s->row.data, s->row.size, values, f);
        if (st == SEAM_OK) st = oltp_delete(s->txn, v->multiset, values, f);
    }
    oltp_cursor_close(c);
    seam_buf_free(&prefix);
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status forget_group(struct view_store *s, struct view_state *v,
                                     struct wal_bytes group, struct seam_fault *f)
{
    struct seam_value key = seam_v_text((const char *)group.data, group.size);
    bool there;
    enum seam_status st = seam_fault_there(oltp_delete(s->txn, v->table, &key, f), &there, f);

    return st != SEAM_OK ? st : v->multiset != 0 ? forget_members(s, v, group, f) : SEAM_OK;
}

enum seam_status view_repair_groups(struct view_store *s, struct view_state *v,
                                    struct seam_fault *f)
{
    enum seam_status st = view_flush(s, v, f);

    for (size_t i = 0; st == SEAM_OK && i < v->repairs.count; i++)
        st = forget_group(s, v, v->repairs.keys[i], f);
    SEAM_TRACE(s->trace, "pipeline", "view_repair", SEAM_TS("view", v->name),
               SEAM_TI("groups", v->repairs.count));
    v->repairing = true;
    if (st == SEAM_OK) st = view_ensure_total(v, f);
    if (st == SEAM_OK) st = view_compute(s, v, f);
    if (st == SEAM_OK) st = view_flush(s, v, f);
    v->repairing = false;
    return st;
}
