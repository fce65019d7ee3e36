/* sql_scope - names to numbered columns, through the blocks around. */
#include "columnar/sql/sql_block.h"
#include "engine/text/opts.h"

enum { NEAR_MAX = 512 };

enum seam_status columnar_block_at(struct columnar_block *b, const struct columnar_sql_node *e,
                                   enum seam_status st, const struct seam_fault *inner)
{
    if (st == SEAM_OK) return SEAM_OK;
    return seam_fault_set(b->s->f, st, "sql", e->at, "%s",
                          inner->why[0] != '\0' ? inner->why : seam_status_name(st));
}

enum seam_status columnar_block_add_column(struct columnar_block *b, const char *table,
                                           const char *name, int id, bool star)
{
    b->columns = columnar_rel_grow(b->s, b->columns, b->n_columns, sizeof *b->columns);
    if (b->columns == NULL) return SEAM_NOMEM;
    b->columns[b->n_columns++] = (struct columnar_scope_column){table, name, id, star, true};
    return SEAM_OK;
}

static bool named(const struct columnar_scope_column *c, const struct columnar_sql_node *e)
{
    if (strcmp(c->name, e->name) != 0) return false;
    return e->qualifier == NULL ? c->bare : c->table != NULL && strcmp(c->table, e->qualifier) == 0;
}

static enum seam_status unknown(struct columnar_block *b, const struct columnar_sql_node *e)
{
    const char *names[NEAR_MAX];
    const char *near;
    size_t n = 0;
    bool table_known = e->qualifier == NULL;

    for (struct columnar_block *x = b; x != NULL; x = x->parent)
        for (int i = x->from; i < x->n_columns; i++) {
            const struct columnar_scope_column *c = &x->columns[i];
            bool same =
                e->qualifier == NULL || (c->table != NULL && strcmp(c->table, e->qualifier) == 0);

            table_known |= same;
            if (same && n < NEAR_MAX) names[n++] = c->name;
        }
    if (!table_known)
        return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at, "no table is called '%s' here",
                              e->qualifier);
    near = seam_nearest_name(e->name, names, n);
    if (near != NULL)
        return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at,
                              "there is no column '%s'; did you mean '%s'?", e->name, near);
    return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at, "there is no column '%s'", e->name);
}

/* Above a group only its keys are left of the columns below. */
static enum seam_status above(struct columnar_block *b, const struct columnar_sql_node *e, int *id)
{
    if (!b->grouped) return SEAM_OK;
    for (int k = 0; k < b->n_keys; k++)
        if (b->keys[k].e->op == COLUMNAR_E_COLUMN && b->keys[k].e->column == *id) {
            *id = b->keys[k].id;
            return SEAM_OK;
        }
    return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at,
                          "'%s' is neither in GROUP BY nor inside an aggregate", e->name);
}

enum seam_status columnar_block_resolve(struct columnar_block *b, const struct columnar_sql_node *e,
                                        bool quiet, int *id, bool *own)
{
    for (struct columnar_block *x = b; x != NULL; x = x->parent) {
        const struct columnar_scope_column *found = NULL;

        for (int i = x->from; i < x->n_columns; i++) {
            if (!named(&x->columns[i], e)) continue;
            if (found != NULL && found->id != x->columns[i].id)
                return quiet ? SEAM_NOT_FOUND
                             : seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at,
                                              "'%s' is in '%s' and in '%s': qualify it", e->name,
                                              found->table != NULL ? found->table : "the query",
                                              x->columns[i].table != NULL ? x->columns[i].table
                                                                          : "the query");
            found = &x->columns[i];
        }
        if (found == NULL) continue;
        *id = found->id;
        *own = x == b;
        return x == b || quiet ? SEAM_OK : above(x, e, id);
    }
    return quiet ? SEAM_NOT_FOUND : unknown(b, e);
}

bool columnar_block_same(struct columnar_block *b, const struct columnar_sql_node *x,
                         const struct columnar_sql_node *y)
{
    if (x == y) return true;
    if (x->kind == COLUMNAR_SQL_COLUMN && y->kind == COLUMNAR_SQL_COLUMN) {
        int i, j;
        bool own;

        return columnar_block_resolve(b, x, true, &i, &own) == SEAM_OK &&
               columnar_block_resolve(b, y, true, &j, &own) == SEAM_OK && i == j;
    }
    if (x->kind != y->kind || x->n_args != y->n_args) return false;
    if (x->n_args == 0) return columnar_sql_same(x, y);
    if (x->op != y->op || x->negated != y->negated || x->distinct != y->distinct ||
        x->star != y->star || x->type != y->type || x->scale != y->scale ||
        x->select != y->select || x->over != y->over || x->order != y->order)
        return false;
    if ((x->filter == NULL) != (y->filter == NULL) ||
        (x->filter != NULL && !columnar_block_same(b, x->filter, y->filter)))
        return false;
    if ((x->name == NULL) != (y->name == NULL) ||
        (x->name != NULL && strcmp(x->name, y->name) != 0))
        return false;
    for (int i = 0; i < x->n_args; i++)
        if (!columnar_block_same(b, x->args[i], y->args[i])) return false;
    return true;
}
