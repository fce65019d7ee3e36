/* view_def - a SELECT as a view's definition: inputs, joins, groups, aggregates. */
#include "pipeline/view/view_def.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct compiler {
    struct view_def *d;
    const struct stream_registry *schemas;
    const struct columnar_sql_select *s;
    struct columnar_sql_column columns[VIEW_TABLES_MAX * SEAM_COLUMNS_MAX];
    struct columnar_sql_scope scope;
    const struct columnar_sql_node *group_node[VIEW_COLUMNS_MAX];
    const struct columnar_sql_node *agg_node[VIEW_COLUMNS_MAX];
    struct seam_fault *f;
};

static enum seam_status unsupported(struct compiler *c, uint32_t at, const char *what)
{
    return seam_fault_set(c->f, SEAM_UNSUPPORTED, c->d->name, at,
                          "%s cannot be kept up incrementally", what);
}

static enum seam_status refuse_clauses(struct compiler *c)
{
    const struct columnar_sql_select *s = c->s;

    if (s->distinct) return unsupported(c, 0, "SELECT DISTINCT");
    if (s->having != NULL) return unsupported(c, s->having->at, "HAVING");
    if (s->n_order > 0 || s->limit != UINT64_MAX || s->offset != 0)
        return unsupported(c, s->n_order > 0 ? s->order[0].expr->at : 0,
                           "ORDER BY or LIMIT (they are given when the view is read)");
    if (s->as_of.kind != COLUMNAR_SQL_NOW || s->from.as_of.kind != COLUMNAR_SQL_NOW)
        return unsupported(c, s->as_of.at, "AS OF");
    if (s->n_joins + 1 > VIEW_TABLES_MAX)
        return unsupported(c, s->from.at, "a join of so many tables");
    return SEAM_OK;
}

static enum seam_status add_input(struct compiler *c, const struct columnar_sql_table *t, bool left)
{
    const struct seam_schema *schema = stream_registry_find(c->schemas, t->name);
    struct view_input *in = &c->d->inputs[c->d->n_inputs];

    if (t->as_of.kind != COLUMNAR_SQL_NOW) return unsupported(c, t->at, "AS OF");
    if (schema == NULL)
        return seam_fault_set(c->f, SEAM_NOT_FOUND, c->d->name, t->at,
                              "the stream has not told of a table '%s'", t->name);
    for (int i = 0; i < c->d->n_inputs; i++)
        if (strcmp(c->columns[c->d->inputs[i].first].table, t->alias) == 0)
            return seam_fault_set(c->f, SEAM_INVALID, c->d->name, t->at,
                                  "two tables are called '%s'", t->alias);
    *in = (struct view_input){.table = schema->id,
                              .first = c->scope.n,
                              .n = schema->column_count,
                              .left = left,
                              .parent = -1};
    snprintf(in->name, sizeof in->name, "%s", schema->name);
    for (int i = 0; i < schema->column_count; i++) {
        const struct seam_column *col = &schema->columns[i];
        bool live = seam_column_live(col, schema->version);

        c->columns[c->scope.n++] = (struct columnar_sql_column){
            t->alias, live ? col->name : "", (uint8_t)col->type, col->scale, !live};
    }
    c->d->n_inputs++;
    return SEAM_OK;
}

static int input_of(const struct view_def *d, int column)
{
    for (int i = 0; i < d->n_inputs; i++)
        if (column >= d->inputs[i].first && column < d->inputs[i].first + d->inputs[i].n) return i;
    return -1;
}

/* One equality of an ON: the right table's key column on one side, a column of an earlier table on the other. */
static enum seam_status join_equality(struct compiler *c, int right,
                                      const struct columnar_sql_node *e)
{
    struct view_input *in = &c->d->inputs[right];
    const struct seam_schema *schema = stream_registry_get(c->schemas, in->table);
    int a, b;
    enum seam_status st;

    if (e->kind != COLUMNAR_SQL_BINARY || e->op != COLUMNAR_SQL_EQ ||
        e->args[0]->kind != COLUMNAR_SQL_COLUMN || e->args[1]->kind != COLUMNAR_SQL_COLUMN)
        return unsupported(c, e->at, "a join condition other than key = column");
    st = columnar_sql_resolve(&c->scope, e->args[0], &a, c->f);
    if (st == SEAM_OK) st = columnar_sql_resolve(&c->scope, e->args[1], &b, c->f);
    if (st != SEAM_OK) return st;
    if (input_of(c->d, a) == right) {
        int swap = a;

        a = b;
        b = swap;
    }
    if (input_of(c->d, b) != right || input_of(c->d, a) >= right)
        return unsupported(c, e->at,
                           "a join condition that does not tie the new table to an earlier one");
    for (int k = 0; k < schema->key_count; k++) {
        if (schema->key[k] != b - in->first) continue;
        if (c->columns[a].type != c->columns[b].type || c->columns[a].scale != c->columns[b].scale)
            return unsupported(c, e->at, "a join between columns of different types");
        if (in->parent >= 0 && in->parent != input_of(c->d, a))
            return unsupported(c, e->at, "a foreign key spread over two tables");
        in->parent = input_of(c->d, a);
        in->foreign[k] = a;
        in->foreign_count++;
        return SEAM_OK;
    }
    return unsupported(c, e->at, "a join by anything but the table's primary key");
}

static enum seam_status join_on(struct compiler *c, int right, const struct columnar_sql_node *on)
{
    const struct columnar_sql_node *parts[SEAM_KEY_COLUMNS_MAX + 1];
    const struct seam_schema *schema = stream_registry_get(c->schemas, c->d->inputs[right].table);
    int n = columnar_sql_conjuncts(on, parts, SEAM_KEY_COLUMNS_MAX + 1);
    enum seam_status st = SEAM_OK;

    if (n != schema->key_count)
        return unsupported(c, on->at, "a join by anything but the whole primary key");
    for (int i = 0; st == SEAM_OK && i < n; i++) st = join_equality(c, right, parts[i]);
    if (st == SEAM_OK && c->d->inputs[right].foreign_count != schema->key_count)
        st = unsupported(c, on->at, "a join by anything but the whole primary key");
    return st;
}

static enum seam_status group_keys(struct compiler *c)
{
    struct view_def *d = c->d;
    enum seam_status st = SEAM_OK;

    for (int i = 0; st == SEAM_OK && i < c->s->n_group; i++) {
        const struct columnar_sql_node *e = c->s->group[i];
        int column;

        if (d->n_group == VIEW_COLUMNS_MAX) return unsupported(c, e->at, "so many group keys");
        if (e->kind == COLUMNAR_SQL_COLUMN && e->qualifier == NULL &&
            columnar_sql_resolve(&c->scope, e, &column, NULL) != SEAM_OK)
            for (int k = 0; k < c->s->n_items; k++)
                if (c->s->items[k].alias != NULL && strcmp(c->s->items[k].alias, e->name) == 0)
                    e = c->s->items[k].expr;
        if (columnar_sql_has_aggregate(e)) return unsupported(c, e->at, "an aggregate in GROUP BY");
        st = columnar_sql_bind(&d->arena, &c->scope, e, &d->group[d->n_group], c->f);
        c->group_node[d->n_group++] = e;
    }
    return st;
}

static enum seam_status add_agg(struct compiler *c, const struct columnar_sql_node *e, int *index)
{
    static const struct {
        const char *name;
        enum view_agg_op op;
    } names[] = {{"count", VIEW_COUNT},
                 {"sum", VIEW_SUM},
                 {"avg", VIEW_AVG},
                 {"min", VIEW_MIN},
                 {"max", VIEW_MAX}};
    struct view_def *d = c->d;
    struct view_agg *a = &d->aggs[d->n_aggs];
    enum seam_status st = SEAM_OK;
    size_t i = 0;

    for (int k = 0; k < d->n_aggs; k++)
        if (columnar_sql_equal(&c->scope, c->agg_node[k], e)) {
            *index = k;
            return SEAM_OK;
        }
    while (i < SEAM_ARRAY_LEN(names) && strcmp(e->name, names[i].name) != 0) i++;
    if (i == SEAM_ARRAY_LEN(names) || e->distinct) return unsupported(c, e->at, "this aggregate");
    if (d->n_aggs == VIEW_COLUMNS_MAX) return unsupported(c, e->at, "so many aggregates");
    *a = (struct view_agg){.op = e->star ? VIEW_COUNT_ALL : names[i].op};
    if (!e->star && e->n_args != 1)
        return seam_fault_set(c->f, SEAM_INVALID, d->name, e->at, "%s takes one argument", e->name);
    if (!e->star) st = columnar_sql_bind(&d->arena, &c->scope, e->args[0], &a->arg, c->f);
    if (st != SEAM_OK) return st;
    if (a->arg != NULL) {
        a->type = a->arg->type;
        a->scale = a->arg->scale;
    }
    if ((a->op == VIEW_SUM || a->op == VIEW_AVG) && a->type != SEAM_V_INT &&
        a->type != SEAM_V_DECIMAL)
        return unsupported(
            c, e->at,
            "a sum of anything but whole numbers and decimals (doubles do not retract exactly)");
    c->agg_node[d->n_aggs] = e;
    *index = d->n_aggs++;
    return SEAM_OK;
}

uint8_t view_agg_type(const struct view_agg *a)
{
    switch (a->op) {
    case VIEW_COUNT_ALL:
    case VIEW_COUNT: return SEAM_V_INT;
    case VIEW_AVG: return SEAM_V_DOUBLE;
    default: return a->type;
    }
}

/* Outputs are expressions over [group values..., aggregates...].                                    */
static enum seam_status output_node(void *ctx, const struct columnar_sql_node *e,
                                    const struct columnar_expr **out, struct seam_fault *f)
{
    struct compiler *c = ctx;
    struct view_def *d = c->d;
    int index;
    enum seam_status st;

    for (int i = 0; i < d->n_group; i++)
        if (columnar_sql_equal(&c->scope, c->group_node[i], e))
            return columnar_expr_column(&d->arena, i, (enum seam_value_type)d->group[i]->type,
                                        d->group[i]->scale, out, f);
    if (e->kind == COLUMNAR_SQL_CALL && columnar_sql_is_aggregate(e->name)) {
        st = add_agg(c, e, &index);
        if (st != SEAM_OK) return st;
        /* Aggregates stand at fixed places behind all possible group keys, since more may be found later. */
        return columnar_expr_column(&d->arena, VIEW_COLUMNS_MAX + index,
                                    (enum seam_value_type)view_agg_type(&d->aggs[index]),
                                    d->aggs[index].scale, out, f);
    }
    if (e->kind == COLUMNAR_SQL_COLUMN) {
        st = columnar_sql_resolve(&c->scope, e, &index, f);
        return st != SEAM_OK
                   ? st
                   : seam_fault_set(f, SEAM_INVALID, d->name, e->at,
                                    "'%s' is neither in GROUP BY nor inside an aggregate", e->name);
    }
    return SEAM_END;
}

static void note_aggregate(void *ctx, int column)
{
    if (column >= VIEW_COLUMNS_MAX) *(bool *)ctx = false;
}

static enum seam_status outputs(struct compiler *c)
{
    struct columnar_sql_hook hook = {output_node, c};
    struct view_def *d = c->d;
    enum seam_status st = SEAM_OK;

    for (int i = 0; st == SEAM_OK && i < c->s->n_items; i++) {
        const struct columnar_sql_item *item = &c->s->items[i];
        struct view_column *col = &d->columns[d->n_columns];
        struct seam_buf name = {0};

        if (item->expr->kind == COLUMNAR_SQL_STAR)
            return unsupported(c, item->expr->at, "SELECT *");
        if (d->n_columns == VIEW_COLUMNS_MAX)
            return unsupported(c, item->expr->at, "so many columns");
        st = columnar_sql_bind_with(&d->arena, &c->scope, item->expr, &hook,
                                    &d->output[d->n_columns], c->f);
        if (st != SEAM_OK) break;
        if (item->alias != NULL)
            seam_buf_str(&name, item->alias);
        else
            columnar_sql_print(item->expr, &name);
        col->name = seam_arena_strdup(&d->arena, seam_buf_cstr(&name), name.size);
        col->type = d->output[d->n_columns]->type;
        col->scale = d->output[d->n_columns]->scale;
        col->of_key = true;
        columnar_expr_columns(d->output[d->n_columns], note_aggregate, &col->of_key);
        col->group = -1;
        for (int k = 0; k < d->n_group && !col->key; k++) {
            col->key = columnar_sql_equal(&c->scope, c->group_node[k], item->expr);
            if (col->key) col->group = (int8_t)k;
        }
        seam_buf_free(&name);
        d->n_columns++;
        if (col->name == NULL) st = seam_fault_set(c->f, SEAM_NOMEM, d->name, 0, "no memory");
    }
    return st;
}

static void mark_column(void *ctx, int column)
{
    struct view_def *d = ctx;
    int i = input_of(d, column);

    if (i >= 0) d->inputs[i].used[column - d->inputs[i].first] = true;
}

static void mark_used(struct view_def *d)
{
    if (d->where != NULL) columnar_expr_columns(d->where, mark_column, d);
    for (int i = 0; i < d->n_group; i++) columnar_expr_columns(d->group[i], mark_column, d);
    for (int i = 0; i < d->n_aggs; i++)
        if (d->aggs[i].arg != NULL) columnar_expr_columns(d->aggs[i].arg, mark_column, d);
    for (int i = 1; i < d->n_inputs; i++)
        for (int k = 0; k < d->inputs[i].foreign_count; k++)
            mark_column(d, d->inputs[i].foreign[k]);
}

static enum seam_status compile(struct compiler *c)
{
    struct view_def *d = c->d;
    enum seam_status st = refuse_clauses(c);

    if (st == SEAM_OK) st = add_input(c, &c->s->from, false);
    for (int i = 0; st == SEAM_OK && i < c->s->n_joins; i++) {
        st = add_input(c, &c->s->joins[i].table, c->s->joins[i].left);
        if (st == SEAM_OK) st = join_on(c, i + 1, c->s->joins[i].on);
    }
    d->width = c->scope.n;
    if (st == SEAM_OK && c->s->where != NULL)
        st = columnar_sql_bind(&d->arena, &c->scope, c->s->where, &d->where, c->f);
    if (st == SEAM_OK && d->where != NULL && d->where->type != SEAM_V_BOOL &&
        d->where->type != SEAM_V_NULL)
        st =
            seam_fault_set(c->f, SEAM_INVALID, d->name, c->s->where->at, "WHERE needs a condition");
    if (st == SEAM_OK) st = group_keys(c);
    if (st == SEAM_OK) st = outputs(c);
    if (st == SEAM_OK && d->n_aggs == 0 && d->n_group == 0)
        st = unsupported(c, 0, "a SELECT without an aggregate");
    if (st == SEAM_OK) mark_used(d);
    return st;
}

enum seam_status view_compile(const char *name, const char *sql,
                              const struct stream_registry *schemas, struct view_def **out,
                              struct seam_fault *f)
{
    struct compiler *c = calloc(1, sizeof *c);
    struct view_def *d = calloc(1, sizeof *d);
    struct columnar_sql_select *s = NULL;
    struct seam_fault inner = {0};
    enum seam_status st = SEAM_OK;

    if (c == NULL || d == NULL || (d->sql = strdup(sql)) == NULL)
        st = seam_fault_set(f, SEAM_NOMEM, name, SEAM_FAULT_NO_OFFSET, "no memory for the view");
    if (st == SEAM_OK) {
        snprintf(d->name, sizeof d->name, "%s", name);
        *c = (struct compiler){.d = d, .schemas = schemas, .f = &inner};
        c->scope.columns = c->columns;
        st = columnar_sql_parse(d->sql, strlen(d->sql), &d->arena, &s, &inner);
        c->s = s;
        if (st == SEAM_OK) st = compile(c);
        if (st != SEAM_OK) seam_fault_set(f, st, name, inner.at, "%s", inner.why);
    }
    free(c);
    if (st != SEAM_OK) {
        view_def_free(d);
        return st;
    }
    *out = d;
    return SEAM_OK;
}

void view_def_free(struct view_def *d)
{
    if (d == NULL) return;
    seam_arena_free(&d->arena);
    free(d->sql);
    free(d);
}
