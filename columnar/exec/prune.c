/* prune - a condition put to a range of values: always, never, or maybe. */
#include "columnar/exec/prune.h"

/* A constant as zone values: [lo, hi] are the zone values equal to it; text knows only its prefix. */
struct bound {
    int64_t lo, hi;
    bool exact;
};

static bool bound_of(const struct seam_value *v, uint8_t type, struct bound *b)
{
    if (v->type != type) return false;
    b->exact = true;
    switch (type) {
    case SEAM_V_TEXT:
        b->lo = b->hi = columnar_zone_of_text(v->s, v->len);
        b->exact = false;
        return true;
    case SEAM_V_DOUBLE:
        b->lo = columnar_zone_of_double(v->d == 0 ? -0.0 : v->d);
        b->hi = columnar_zone_of_double(v->d == 0 ? 0.0 : v->d);
        return true;
    default: b->lo = b->hi = v->i; return true;
    }
}

/* One of: surely not (FALSE), surely (TRUE), both possible. Rows are not null here. */
static unsigned compare(enum columnar_expr_op op, const struct columnar_zone_view *z,
                        const struct bound *b)
{
    bool below = z->max<b->lo, above = z->min> b->hi; /* every row < or > the constant */
    bool equal = b->exact && z->min >= b->lo && z->max <= b->hi;
    bool not_above = b->exact && z->max <= b->hi, not_below = b->exact && z->min >= b->lo;

    switch (op) {
    case COLUMNAR_E_EQ: return below || above ? MAY_FALSE : equal ? MAY_TRUE : MAY_TRUE | MAY_FALSE;
    case COLUMNAR_E_NE: return below || above ? MAY_TRUE : equal ? MAY_FALSE : MAY_TRUE | MAY_FALSE;
    case COLUMNAR_E_LT:
        return below ? MAY_TRUE : above || not_below ? MAY_FALSE : MAY_TRUE | MAY_FALSE;
    case COLUMNAR_E_LE:
        return below || not_above ? MAY_TRUE : above ? MAY_FALSE : MAY_TRUE | MAY_FALSE;
    case COLUMNAR_E_GT:
        return above ? MAY_TRUE : below || not_above ? MAY_FALSE : MAY_TRUE | MAY_FALSE;
    default: return above || not_below ? MAY_TRUE : below ? MAY_FALSE : MAY_TRUE | MAY_FALSE;
    }
}

static unsigned in_outcomes(const struct columnar_in_set *set, const struct columnar_zone_view *z)
{
    unsigned some = 0;

    for (size_t k = 0; k < set->count; k++) {
        struct bound b;

        if (!bound_of(&set->values[k], z->type, &b) ||
            (z->type == SEAM_V_DECIMAL && set->values[k].scale != z->scale))
            return MAY_TRUE | MAY_FALSE;
        some |= compare(COLUMNAR_E_EQ, z, &b) & MAY_TRUE ? MAY_TRUE : 0;
    }
    if (set->has_null) some |= MAY_NULL;
    return some | MAY_FALSE;
}

/* A pattern that begins with plain bytes bounds the text from both sides. */
static unsigned like_outcomes(const struct columnar_expr *e, const struct columnar_zone_view *z)
{
    const struct columnar_like_pattern *p = e->prepared;
    const struct columnar_like_part *first;
    uint32_t n = 0;
    char low[8], high[8];

    if (p == NULL) return MAY_TRUE | MAY_FALSE; /* a pattern of each row's own */
    first = &p->parts[0];
    while (n < first->len && n < 8 && !first->any[n]) n++;
    if (n == 0 || z->type != SEAM_V_TEXT) return MAY_TRUE | MAY_FALSE;
    memset(low, 0, sizeof low);
    memset(high, 0xff, sizeof high);
    memcpy(low, first->s, n);
    memcpy(high, first->s, n);
    if (z->max < columnar_zone_of_text(low, 8) || z->min > columnar_zone_of_text(high, 8))
        return MAY_FALSE;
    return MAY_TRUE | MAY_FALSE;
}

static unsigned leaf(const struct columnar_expr *e, zone_fn zone, void *ctx)
{
    struct columnar_zone_view z;
    struct bound b;
    unsigned may;

    if (e->n_args < 1 || e->args[0]->op != COLUMNAR_E_COLUMN) return MAY_ANY;
    z = zone(ctx, e->args[0]->column);
    if (!z.known) return MAY_ANY;
    if (e->op == COLUMNAR_E_IS_NULL || e->op == COLUMNAR_E_IS_NOT_NULL) {
        may = (z.nulls > 0 ? MAY_TRUE : 0) | (z.nulls < z.rows ? MAY_FALSE : 0);
        if (e->op == COLUMNAR_E_IS_NULL) return may;
        return (may & MAY_TRUE ? MAY_FALSE : 0) | (may & MAY_FALSE ? MAY_TRUE : 0);
    }
    if (z.nulls == z.rows) return MAY_NULL;
    if (e->op == COLUMNAR_E_IN) {
        may = in_outcomes(e->prepared, &z);
    } else if (e->op == COLUMNAR_E_LIKE) {
        may = like_outcomes(e, &z);
    } else {
        if (!columnar_expr_is_const(e->args[1]) || !bound_of(&e->args[1]->constant, z.type, &b) ||
            (z.type == SEAM_V_DECIMAL && e->args[1]->scale != z.scale))
            return MAY_ANY;
        may = compare(e->op, &z, &b);
    }
    return may | (z.nulls > 0 ? MAY_NULL : 0);
}

unsigned columnar_prune_outcomes(const struct columnar_expr *e, zone_fn zone, void *ctx)
{
    unsigned may, more;

    switch (e->op) {
    case COLUMNAR_E_CONST:
        return e->constant.type == SEAM_V_NULL ? MAY_NULL : e->constant.i ? MAY_TRUE : MAY_FALSE;
    case COLUMNAR_E_NOT:
        may = columnar_prune_outcomes(e->args[0], zone, ctx);
        return (may & MAY_NULL) | (may & MAY_TRUE ? MAY_FALSE : 0) |
               (may & MAY_FALSE ? MAY_TRUE : 0);
    case COLUMNAR_E_AND:
    case COLUMNAR_E_OR:
        may = columnar_prune_outcomes(e->args[0], zone, ctx);
        for (int k = 1; k < e->n_args; k++) {
            unsigned all = e->op == COLUMNAR_E_AND ? MAY_TRUE : MAY_FALSE, any = MAY_ANY & ~all;

            more = columnar_prune_outcomes(e->args[k], zone, ctx);
            may = (may & more & all) | ((may | more) & any);
        }
        return may;
    case COLUMNAR_E_EQ:
    case COLUMNAR_E_NE:
    case COLUMNAR_E_LT:
    case COLUMNAR_E_LE:
    case COLUMNAR_E_GT:
    case COLUMNAR_E_GE:
    case COLUMNAR_E_IN:
    case COLUMNAR_E_LIKE:
    case COLUMNAR_E_IS_NULL:
    case COLUMNAR_E_IS_NOT_NULL: return leaf(e, zone, ctx);
    default: return MAY_ANY;
    }
}
