/* sql_plan - from text to a plan: parsed, bound, rewritten, lowered (sql_rel.h has the picture). */
#include "columnar/sql/sql_block.h"
#include "columnar/sql/sql_catalog.h"
#include "engine/base/clock.h"

static enum seam_status rewrite(struct columnar_rel_statement *s, struct columnar_rel **rel)
{
    enum seam_status st = columnar_rel_unnest(s, rel);

    if (st == SEAM_OK) st = columnar_rel_push(s, rel);
    return st == SEAM_OK ? columnar_rel_order_joins(s, rel) : st;
}

/* DESCRIBE: the query is bound, its columns are the answer. */
static enum seam_status describe(struct columnar_rel_statement *s, const struct columnar_outputs *o,
                                 const struct columnar_plan **out)
{
    struct columnar_sql_rows rows;
    enum seam_status st = columnar_catalog_describe(s, o->ids, o->names, o->n, &rows);

    s->lsn = SEAM_LSN_MAX; /* no row was read */
    return st == SEAM_OK ? columnar_plan_rows(s->a, rows.columns, rows.n, &rows.source, out, s->f)
                         : st;
}

enum seam_status columnar_sql_prepare(const struct columnar_sql_env *env, const char *text,
                                      size_t n, struct seam_arena *a,
                                      struct columnar_sql_query *out, struct seam_fault *f)
{
    struct columnar_rel_statement *s = seam_arena_zalloc(a, sizeof *s);
    struct columnar_sql_select *select = NULL;
    struct columnar_rel *rel = NULL;
    struct columnar_outputs o = {0};
    struct seam_fault local = {0};
    const struct columnar_plan *plan = NULL;
    enum seam_status st;

    if (f == NULL) f = &local;
    st = columnar_sql_parse_any(text, n, a, &select, f);
    if (st != SEAM_OK) return st;
    if (s == NULL) return seam_fault_set(f, SEAM_NOMEM, "sql", 0, "no memory for the statement");
    *s = (struct columnar_rel_statement){
        .a = a, .f = f, .env = env, .top = select, .lsn = SEAM_LSN_MAX};
    s->now_us = seam_clock_wall_us(seam_clock_real());
    st = columnar_block_query(s, select, NULL, NULL, &select->as_of, &rel, &o);
    if (st == SEAM_OK && select->describe) {
        st = describe(s, &o, &plan);
    } else {
        if (st == SEAM_OK) st = rewrite(s, &rel);
        if (st == SEAM_OK) st = columnar_rel_lower(s, rel, o.ids, o.names, o.n, &plan);
    }
    if (st != SEAM_OK && f->status == SEAM_OK) st = columnar_rel_no_memory(s);
    if (st != SEAM_OK) return st;
    *out = (struct columnar_sql_query){
        .select = select, .plan = plan, .lsn = s->lsn == SEAM_LSN_MAX ? SEAM_LSN_NONE : s->lsn};
    out->n_columns = columnar_plan_columns(plan, &out->columns);
    return SEAM_OK;
}

enum seam_status columnar_sql_run(const struct columnar_sql_query *q,
                                  const struct columnar_query_options *opt,
                                  columnar_query_sink sink, void *ctx,
                                  struct columnar_query_stats *stats, struct seam_fault *f)
{
    return columnar_query_run(q->plan, opt, sink, ctx, stats, f);
}
