/* sql_from - FROM: tables of the warehouse, of elsewhere, of WITH; queries; joins. */
#include "columnar/sql/sql_block.h"
#include "columnar/sql/sql_catalog.h"
#include "engine/text/opts.h"

enum seam_status columnar_block_one_row(struct columnar_rel_statement *s, struct columnar_rel **out)
{
    *out = columnar_rel_new(s, COLUMNAR_REL_VALUES, NULL);
    if (*out == NULL) return SEAM_NOMEM;
    (*out)->n_rows = 1;
    return SEAM_OK;
}

/* ---- tables ---- */

static const struct columnar_sql_moment *moment_of(const struct columnar_block *b,
                                                   const struct columnar_sql_table *t)
{
    return t->as_of.kind != COLUMNAR_SQL_NOW ? &t->as_of : &b->as_of;
}

static enum seam_status resolve_moment(struct columnar_block *b, const struct columnar_reader *r,
                                       const struct columnar_sql_table *t, seam_lsn_t *lsn)
{
    const struct columnar_sql_moment *m = moment_of(b, t);
    struct columnar_as_of as_of = {.number = m->number, .wall_us = m->wall_us, .tag = m->tag};
    struct seam_fault inner = {0};
    enum seam_status st;

    switch (m->kind) {
    case COLUMNAR_SQL_NOW: as_of.kind = COLUMNAR_AS_OF_NEWEST; break;
    case COLUMNAR_SQL_AT_LSN: as_of.kind = COLUMNAR_AS_OF_LSN; break;
    case COLUMNAR_SQL_AT_TIME: as_of.kind = COLUMNAR_AS_OF_TIME; break;
    case COLUMNAR_SQL_AT_SNAPSHOT: as_of.kind = COLUMNAR_AS_OF_SNAPSHOT; break;
    case COLUMNAR_SQL_AT_TAG: as_of.kind = COLUMNAR_AS_OF_TAG; break;
    }
    st = columnar_resolve(r, &as_of, lsn, &inner);
    return st == SEAM_OK ? SEAM_OK : seam_fault_set(b->s->f, st, "sql", m->at, "%s", inner.why);
}

static enum seam_status scan_column(struct columnar_block *b, struct columnar_rel *r,
                                    const char *alias, const char *name, int column, unsigned type,
                                    unsigned scale)
{
    int id = columnar_rel_column(b->s, name, type, scale);

    if (id < 0) return SEAM_LIMIT;
    r->ids[r->n_ids] = id;
    if (r->columns != NULL) r->columns[r->n_ids] = column;
    r->n_ids++;
    return columnar_block_add_column(b, alias, name, id, r->columns == NULL || column >= 0);
}

static enum seam_status warehouse_table(struct columnar_block *b, const struct columnar_reader *rd,
                                        int table, const struct columnar_sql_table *t,
                                        struct columnar_rel **out)
{
    const struct seam_schema *schema = columnar_schema(rd, table);
    size_t n = (size_t)schema->column_count + 2;
    struct columnar_rel *r = columnar_rel_new(b->s, COLUMNAR_REL_SCAN, NULL);
    enum seam_status st;

    if (r == NULL) return SEAM_NOMEM;
    r->ids = seam_arena_alloc(b->s->a, n * sizeof *r->ids);
    r->columns = seam_arena_alloc(b->s->a, n * sizeof *r->columns);
    if (r->ids == NULL || r->columns == NULL) return columnar_rel_no_memory(b->s);
    r->reader = rd;
    r->table = table;
    r->name = schema->name;
    st = resolve_moment(b, rd, t, &r->lsn);
    for (int i = 0; st == SEAM_OK && i < schema->column_count; i++) {
        const struct seam_column *c = &schema->columns[i];

        if (seam_column_live(c, schema->version))
            st = scan_column(b, r, t->alias, c->name, i, c->type, c->scale);
    }
    if (st == SEAM_OK)
        st = scan_column(b, r, t->alias, "_begin_lsn", COLUMNAR_PLAN_COLUMN_BEGIN, SEAM_V_INT, 0);
    if (st == SEAM_OK)
        st = scan_column(b, r, t->alias, "_end_lsn", COLUMNAR_PLAN_COLUMN_END, SEAM_V_INT, 0);
    if (st == SEAM_OK && r->lsn != SEAM_LSN_NONE && r->lsn < b->s->lsn) b->s->lsn = r->lsn;
    *out = r;
    return st;
}

static enum seam_status unknown_table(struct columnar_block *b, const struct columnar_sql_table *t)
{
    const struct columnar_sql_env *env = b->s->env;
    const char *names[512];
    const char *near;
    size_t n = 0;

    for (struct columnar_cte_link *l = b->ctes; l != NULL && n < SEAM_ARRAY_LEN(names);
         l = l->outer)
        names[n++] = l->cte->name;
    for (size_t i = 0; i < env->reader_count; i++)
        for (int k = 0; k < columnar_table_count(env->readers[i]) && n < SEAM_ARRAY_LEN(names); k++)
            names[n++] = columnar_schema(env->readers[i], k)->name;
    if (env->names != NULL) {
        size_t more = env->names(env->ctx, names + n, SEAM_ARRAY_LEN(names) - n);

        n += more < SEAM_ARRAY_LEN(names) - n ? more : SEAM_ARRAY_LEN(names) - n;
    }
    near = seam_nearest_name(t->name, names, n);
    return seam_fault_set(b->s->f, SEAM_NOT_FOUND, "sql", t->at, "there is no table '%s'%s%s%s",
                          t->name, near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
                          near != NULL ? "'?" : "");
}

static enum seam_status other_rows(struct columnar_block *b, const struct columnar_sql_table *t,
                                   struct columnar_rel **out)
{
    const struct columnar_sql_env *env = b->s->env;
    struct columnar_sql_rows *rows = seam_arena_zalloc(b->s->a, sizeof *rows);
    struct columnar_rel *r = columnar_rel_new(b->s, COLUMNAR_REL_SCAN, NULL);
    struct seam_fault inner = {0};
    enum seam_status st = SEAM_NOT_FOUND;

    if (rows == NULL || r == NULL) return columnar_rel_no_memory(b->s);
    st = columnar_catalog_table(b->s, t->name, rows);
    if (st == SEAM_NOT_FOUND && env->resolve != NULL)
        st = env->resolve(env->ctx, t->name, moment_of(b, t), b->s->a, rows, &inner);
    if (st == SEAM_NOT_FOUND && inner.status == SEAM_OK) return unknown_table(b, t);
    if (st != SEAM_OK) return seam_fault_set(b->s->f, st, "sql", t->at, "%s", inner.why);
    r->rows = rows;
    r->name = t->name;
    r->ids = seam_arena_alloc(b->s->a, (size_t)(rows->n + 1) * sizeof *r->ids);
    if (r->ids == NULL) return columnar_rel_no_memory(b->s);
    for (int i = 0; st == SEAM_OK && i < rows->n; i++)
        st = scan_column(b, r, t->alias, rows->columns[i].name, i, rows->columns[i].type,
                         rows->columns[i].scale);
    if (rows->lsn != SEAM_LSN_NONE && rows->lsn < b->s->lsn) b->s->lsn = rows->lsn;
    *out = r;
    return st;
}

/* Names for the first columns given from `first` on: table (a, b). */
static enum seam_status rename_columns(struct columnar_block *b,
                                       const struct columnar_sql_source *src, int first)
{
    if (src->n_columns > b->n_columns - first)
        return seam_fault_set(b->s->f, SEAM_INVALID, "sql", src->at,
                              "%d column names for %d columns", src->n_columns,
                              b->n_columns - first);
    for (int i = 0; i < src->n_columns; i++) b->columns[first + i].name = src->columns[i];
    return SEAM_OK;
}

static enum seam_status add_outputs(struct columnar_block *b, const char *alias,
                                    const struct columnar_outputs *o, const char *const *names,
                                    int n_names, uint32_t at)
{
    enum seam_status st = SEAM_OK;

    if (n_names > o->n)
        return seam_fault_set(b->s->f, SEAM_INVALID, "sql", at, "%d column names for %d columns",
                              n_names, o->n);
    for (int i = 0; st == SEAM_OK && i < o->n; i++)
        st = columnar_block_add_column(b, alias, i < n_names ? names[i] : o->names[i], o->ids[i],
                                       true);
    return st;
}

/* Outputs with numbers of their own: a query may hand up one column twice, or an outer one. */
static enum seam_status own_numbers(struct columnar_block *b, struct columnar_rel **rel,
                                    struct columnar_outputs *o)
{
    bool *seen = columnar_rel_set(b->s), *made = columnar_rel_set(b->s);
    struct columnar_rel *map = NULL;
    enum seam_status st = SEAM_OK;

    if (seen == NULL || made == NULL) return SEAM_NOMEM;
    columnar_rel_out(*rel, made);
    for (int i = 0; st == SEAM_OK && i < o->n; i++) {
        int id = o->ids[i];
        const struct columnar_expr *e;

        if (!seen[id] && made[id]) {
            seen[id] = true;
            continue;
        }
        if (map == NULL) *rel = map = columnar_rel_new(b->s, COLUMNAR_REL_MAP, *rel);
        if (map == NULL) return SEAM_NOMEM;
        st = columnar_rel_column_expr(b->s, id, &e);
        o->ids[i] = columnar_rel_column(b->s, o->names[i], e->type, e->scale);
        if (o->ids[i] < 0) return SEAM_LIMIT;
        if (st == SEAM_OK) st = columnar_rel_add_map(b->s, map, o->ids[i], e);
    }
    return st;
}

/* The first use binds the query; each use is a relation of its own that shares the rows. */
static enum seam_status with_table(struct columnar_block *b, struct columnar_cte_link *l,
                                   const struct columnar_sql_table *t, struct columnar_rel **out)
{
    struct columnar_rel *r = columnar_rel_new(b->s, COLUMNAR_REL_SHARED, NULL);
    struct columnar_outputs o = {0};
    enum seam_status st = SEAM_OK;

    if (r == NULL) return SEAM_NOMEM;
    if (l->open)
        return seam_fault_set(b->s->f, SEAM_UNSUPPORTED, "sql", t->at,
                              "'%s' is named inside itself: recursion is not in this dialect",
                              t->name);
    if (l->def == NULL) {
        struct columnar_rel_def *def = seam_arena_zalloc(b->s->a, sizeof *def);

        if (def == NULL) return columnar_rel_no_memory(b->s);
        l->open = true;
        st = b->up->query(b->s, l->cte->select, NULL, l->outer, &b->as_of, &def->rel, &o);
        if (st == SEAM_OK) st = own_numbers(b, &def->rel, &o);
        l->open = false;
        if (st != SEAM_OK) return st;
        def->n = o.n;
        def->ids = o.ids;
        def->names = o.names;
        l->def = def;
    }
    l->uses++;
    r->def = l->def;
    r->n_ids = l->def->n;
    r->name = t->name;
    r->ids = seam_arena_alloc(b->s->a, (size_t)(r->n_ids + 1) * sizeof *r->ids);
    if (r->ids == NULL) return columnar_rel_no_memory(b->s);
    for (int i = 0; i < r->n_ids; i++) {
        struct columnar_rel_column c = b->s->columns[l->def->ids[i]];

        r->ids[i] = columnar_rel_column(b->s, l->def->names[i], c.type, c.scale);
        if (r->ids[i] < 0) return SEAM_LIMIT;
    }
    o = (struct columnar_outputs){r->n_ids, r->ids, l->def->names};
    *out = r;
    return add_outputs(b, t->alias, &o, l->cte->columns, l->cte->n_columns, t->at);
}

static enum seam_status table(struct columnar_block *b, const struct columnar_sql_source *src,
                              struct columnar_rel **out)
{
    const struct columnar_sql_table *t = &src->table;
    int first = b->n_columns;
    enum seam_status st = SEAM_NOT_FOUND;

    for (struct columnar_cte_link *l = b->ctes; l != NULL; l = l->outer) {
        if (strcmp(l->cte->name, t->name) != 0) continue;
        st = with_table(b, l, t, out);
        return st == SEAM_OK ? rename_columns(b, src, first) : st;
    }
    for (size_t i = 0; i < b->s->env->reader_count; i++) {
        int k = columnar_table(b->s->env->readers[i], t->name);

        if (k < 0) continue;
        st = warehouse_table(b, b->s->env->readers[i], k, t, out);
        return st == SEAM_OK ? rename_columns(b, src, first) : st;
    }
    st = other_rows(b, t, out);
    return st == SEAM_OK ? rename_columns(b, src, first) : st;
}

static enum seam_status derived(struct columnar_block *b, const struct columnar_sql_source *src,
                                struct columnar_rel **out)
{
    struct columnar_outputs o = {0};
    enum seam_status st =
        b->up->query(b->s, src->select, src->lateral ? b : b->parent, b->ctes, &b->as_of, out, &o);

    if (st == SEAM_OK) st = own_numbers(b, out, &o);
    return st == SEAM_OK
               ? add_outputs(b, src->table.alias, &o, src->columns, src->n_columns, src->at)
               : st;
}

/* ---- joins ---- */

static int find_column(const struct columnar_block *b, int from, int to, const char *name)
{
    int found = -1;

    for (int i = from; i < to; i++)
        if (b->columns[i].bare && strcmp(b->columns[i].name, name) == 0) {
            if (found >= 0) return -2;
            found = i;
        }
    return found;
}

static enum seam_status not_common(struct columnar_block *b, const struct columnar_sql_source *src,
                                   const char *name)
{
    return seam_fault_set(b->s->f, SEAM_INVALID, "sql", src->at,
                          "'%s' is not one column in both sides of the join", name);
}

/* One column of USING: an equality, and one column where there were two. */
static enum seam_status use_column(struct columnar_block *b, const struct columnar_sql_source *src,
                                   struct columnar_rel *join, int l, int r,
                                   struct columnar_rel **above)
{
    const struct columnar_expr *x, *y, *eq, *both;
    struct seam_fault inner = {0};
    enum seam_status st = columnar_rel_column_expr(b->s, b->columns[l].id, &x);
    int id = b->columns[l].id;

    if (st == SEAM_OK) st = columnar_rel_column_expr(b->s, b->columns[r].id, &y);
    if (st == SEAM_OK)
        st = columnar_expr_call(b->s->a, COLUMNAR_E_EQ, (const struct columnar_expr *[]){x, y}, 2,
                                &eq, &inner);
    if (st != SEAM_OK) return seam_fault_set(b->s->f, st, "sql", src->at, "%s", inner.why);
    st = columnar_rel_add_cond(b->s, join, eq);
    if (st == SEAM_OK && src->join == COLUMNAR_SQL_JOIN_RIGHT) id = b->columns[r].id;
    if (st == SEAM_OK && src->join == COLUMNAR_SQL_JOIN_FULL) {
        st = columnar_rel_call(b->s, COLUMNAR_E_COALESCE, x, y, &both);
        if (st == SEAM_OK) st = columnar_rel_compute(b->s, above, both, b->columns[l].name, &id);
    }
    b->columns[l].bare = b->columns[l].star = false;
    b->columns[r].bare = b->columns[r].star = false;
    return st == SEAM_OK ? columnar_block_add_column(b, NULL, b->columns[l].name, id, true) : st;
}

/* The merged columns stand first in *, as SQL has it. */
static void merged_first(struct columnar_block *b, int first, int merged)
{
    int n = b->n_columns - merged;
    struct columnar_scope_column *copy;

    if (n == 0 || merged == first) return;
    copy = seam_arena_alloc(b->s->a, (size_t)n * sizeof *copy);
    if (copy == NULL) return; /* their order in * is all that is lost */
    memcpy(copy, b->columns + merged, (size_t)n * sizeof *copy);
    memmove(b->columns + first + n, b->columns + first, (size_t)(merged - first) * sizeof *copy);
    memcpy(b->columns + first, copy, (size_t)n * sizeof *copy);
}

static enum seam_status using_columns(struct columnar_block *b,
                                      const struct columnar_sql_source *src, int first, int middle,
                                      struct columnar_rel *join, struct columnar_rel **above)
{
    int end = b->n_columns;
    enum seam_status st = SEAM_OK;

    for (int i = 0; st == SEAM_OK && i < src->n_using; i++) {
        int l = find_column(b, first, middle, src->using_names[i]),
            r = find_column(b, middle, end, src->using_names[i]);

        if (l < 0 || r < 0) return not_common(b, src, src->using_names[i]);
        st = use_column(b, src, join, l, r, above);
    }
    for (int i = first; src->natural && st == SEAM_OK && i < middle; i++) {
        int r;

        if (!b->columns[i].bare || !b->columns[i].star) continue;
        r = find_column(b, middle, end, b->columns[i].name);
        if (r == -2) return not_common(b, src, b->columns[i].name);
        if (r >= 0 && b->columns[r].star) st = use_column(b, src, join, i, r, above);
    }
    if (st == SEAM_OK) merged_first(b, first, end);
    return st;
}

static enum seam_status condition(struct columnar_block *b, const struct columnar_sql_source *src,
                                  int first, struct columnar_rel *join, struct columnar_rel **at)
{
    const struct columnar_expr *cond;
    int from = b->from;
    enum seam_status st;

    if (src->on == NULL) return SEAM_OK;
    b->from = first;
    b->no_aggregates = b->no_windows = true;
    if (src->join == COLUMNAR_SQL_JOIN_INNER) { /* as good as WHERE */
        b->at = at;
        st = columnar_block_where(b, src->on);
    } else {
        b->at = NULL;
        st = columnar_block_expr(b, src->on, &cond);
        if (st == SEAM_OK && cond->type != SEAM_V_BOOL && cond->type != SEAM_V_NULL)
            st = seam_fault_set(b->s->f, SEAM_INVALID, "sql", src->on->at,
                                "ON needs a condition, not %s", seam_value_type_name(cond->type));
        if (st == SEAM_OK && cond->op == COLUMNAR_E_AND)
            for (int i = 0; st == SEAM_OK && i < cond->n_args; i++)
                st = columnar_rel_add_cond(b->s, join, cond->args[i]);
        else if (st == SEAM_OK)
            st = columnar_rel_add_cond(b->s, join, cond);
    }
    b->no_aggregates = b->no_windows = false;
    b->from = from;
    return st;
}

static enum seam_status join(struct columnar_block *b, const struct columnar_sql_source *src,
                             struct columnar_rel **out)
{
    static const enum columnar_join_kind kinds[] = {
        [COLUMNAR_SQL_JOIN_INNER] = COLUMNAR_JOIN_INNER,
        [COLUMNAR_SQL_JOIN_LEFT] = COLUMNAR_JOIN_LEFT,
        [COLUMNAR_SQL_JOIN_RIGHT] = COLUMNAR_JOIN_LEFT, /* of its sides exchanged */
        [COLUMNAR_SQL_JOIN_FULL] = COLUMNAR_JOIN_FULL,
        [COLUMNAR_SQL_JOIN_SEMI] = COLUMNAR_JOIN_SEMI,
        [COLUMNAR_SQL_JOIN_ANTI] = COLUMNAR_JOIN_ANTI};
    struct columnar_rel *left = NULL, *right = NULL, *j;
    int first = b->n_columns, middle;
    bool lateral = src->right->kind == COLUMNAR_SQL_FROM_QUERY && src->right->lateral;
    enum seam_status st = columnar_block_from(b, src->left, &left);

    middle = b->n_columns;
    if (st == SEAM_OK) st = columnar_block_from(b, src->right, &right);
    if (st != SEAM_OK) return st;
    if (lateral && (src->join == COLUMNAR_SQL_JOIN_RIGHT || src->join == COLUMNAR_SQL_JOIN_FULL))
        return seam_fault_set(b->s->f, SEAM_UNSUPPORTED, "sql", src->at,
                              "LATERAL stands right of an inner or left join");
    j = columnar_rel_new(b->s, lateral ? COLUMNAR_REL_APPLY : COLUMNAR_REL_JOIN, left);
    if (j == NULL) return SEAM_NOMEM;
    j->right = right;
    j->join = kinds[src->join];
    if (src->join == COLUMNAR_SQL_JOIN_RIGHT) {
        j->in = right;
        j->right = left;
    }
    *out = j;
    if (src->n_using > 0 || src->natural)
        st = using_columns(b, src, first, middle, j, out);
    else
        st = condition(b, src, first, j, out);
    if (j->join == COLUMNAR_JOIN_SEMI || j->join == COLUMNAR_JOIN_ANTI) b->n_columns = middle;
    return st;
}

static bool same_name_before(const struct columnar_block *b, int first)
{
    const char *name = first < b->n_columns ? b->columns[first].table : NULL;

    for (int i = 0; name != NULL && i < first; i++)
        if (b->columns[i].table != NULL && strcmp(b->columns[i].table, name) == 0) return true;
    return false;
}

enum seam_status columnar_block_from(struct columnar_block *b,
                                     const struct columnar_sql_source *src,
                                     struct columnar_rel **out)
{
    int first = b->n_columns;
    enum seam_status st;

    if (src->kind == COLUMNAR_SQL_FROM_JOIN) return join(b, src, out);
    st = src->kind == COLUMNAR_SQL_FROM_TABLE ? table(b, src, out) : derived(b, src, out);
    if (st == SEAM_OK && same_name_before(b, first))
        st = seam_fault_set(b->s->f, SEAM_INVALID, "sql", src->at,
                            "two tables are called '%s': give one an alias", src->table.alias);
    return st;
}
