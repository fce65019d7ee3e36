/* lab_reconcile - rows of silver are damaged behind everyone's back; digests bisect to them, and
 * repair goes through the log. Leaves of 16 rows, not of 256 as in service, so that 4,096 rows make
 * every level that a few million would. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/columnar.h"
#include "engine/values/row.h"
#include "pipeline/lab/draw.h"
#include "pipeline/lab/scenarios.h"
#include "pipeline/lab/shop.h"
#include "pipeline/trust/reconcile.h"

static const char *const sinks[] = {"warehouse"};

enum { CUSTOMERS = 4096, LEAF_ROWS = 16, LEVELS = 3 };
enum { LOST = 100, CHANGED = 2222, INVENTED = 999999 };

/* ---- the picture: one row of boxes a level ---- */
struct lab_level {
    unsigned compared, differing;
    int64_t from[64], leaves[64];
    bool differs[64];
};

static void read_levels(const struct lab *l, struct lab_level levels[LEVELS])
{
    const struct seam_trace_event *e;

    memset(levels, 0, LEVELS * sizeof *levels);
    for (size_t i = 0; (e = lab_event(l, "digest", i)) != NULL; i++) {
        size_t level = (size_t)lab_arg(e, "level");
        struct lab_level *v = level < LEVELS ? &levels[level] : NULL;

        if (v == NULL || strcmp(e->args[0].s, "customers") != 0) continue;
        if (v->compared < SEAM_ARRAY_LEN(v->from)) {
            v->from[v->compared] = lab_arg(e, "from");
            v->leaves[v->compared] = lab_arg(e, "leaves");
            v->differs[v->compared] = lab_arg(e, "differs") != 0;
        }
        v->compared++;
        v->differing += lab_arg(e, "differs") != 0;
    }
}

static void draw_levels(struct lab *l, const struct lab_level levels[LEVELS])
{
    enum {
        LEFT = 10,
        NAME_Y = 18,
        BOX_Y = 26,
        BOX_H = 22,
        STEP_Y = 64,
        LEAVES = CUSTOMERS / LEAF_ROWS
    };
    static const char *const names[LEVELS] = {"all rows", "sixteenths", "leaves of 16 rows"};
    const double scale = (SVG_WIDTH - 2.0 * LEFT) / LEAVES;
    struct seam_buf *b = &l->svg;

    paper_svg_begin(b, SVG_WIDTH, LEVELS * STEP_Y,
                    "Digests compared, level by level; those that differ stand out");
    for (int k = 0; k < LEVELS; k++) {
        const struct lab_level *v = &levels[k];
        double y = k * (double)STEP_Y;

        seam_buf_printf(&l->draw, "level %d (%s): %u digests compared, %u differ\n", k, names[k],
                        v->compared, v->differing);
        paper_svg_words(b, "dim", LEFT, y + NAME_Y, "level %d, %s: %u compared, %u differ", k,
                        names[k], v->compared, v->differing);
        for (unsigned i = 0; i < v->compared && i < SEAM_ARRAY_LEN(v->from); i++) {
            double x = LEFT + (double)v->from[i] * scale, wide = (double)v->leaves[i] * scale;

            paper_svg_box(b, v->differs[i] ? "hotfill" : "fill", x, y + BOX_Y, wide - 0.6, BOX_H);
            if (v->differs[i])
                seam_buf_printf(&l->draw, "  leaves %" PRId64 " to %" PRId64 " differ\n",
                                v->from[i], v->from[i] + v->leaves[i] - 1);
        }
        paper_svg_box(b, "off", LEFT, y + BOX_Y, SVG_WIDTH - 2.0 * LEFT, BOX_H);
    }
    paper_svg_end(b);
}

/* ---- comparing ---- */
static const struct reconcile_result *of_customers(const struct reconcile_report *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->results[i].table, "customers") == 0) return &r->results[i];
    return NULL;
}

/* Both sides at one LSN; draws the digests of the customers, and keeps their events alone. */
static enum seam_status compare(struct lab_shop *s, struct reconcile_report *r,
                                struct seam_fault *f)
{
    const struct reconcile_options o = {.leaf_rows = LEAF_ROWS, .trace = s->l->trace};
    struct lab_level levels[LEVELS];
    const struct reconcile_result *x;
    enum seam_status st;

    seam_trace_log_clear(s->l->log);
    st = reconcile_run(&s->p, &o, r, f);
    x = st == SEAM_OK ? of_customers(r) : NULL;
    if (x == NULL) return st;
    seam_buf_printf(&s->l->draw, "%s %s at LSN %" PRIu64 ": %" PRIu64 " differences\n", x->store,
                    x->table, x->lsn, x->differences);
    seam_buf_printf(&s->l->draw, "rows %" PRIu64 " and %" PRIu64 " in %" PRIu64 " leaves\n",
                    x->cost.source_rows, x->cost.store_rows, x->cost.leaves);
    read_levels(s->l, levels);
    draw_levels(s->l, levels);
    seam_buf_printf(
        &s->l->draw,
        "in all %" PRIu64 " digests; rows put side by side: %" PRIu64 " of %" PRIu64 "\n",
        x->cost.digests, x->cost.rows_compared, x->cost.source_rows + x->cost.store_rows);
    lab_measured(s->l, "differences", (double)x->differences);
    lab_measured(s->l, "digests", (double)x->cost.digests);
    return SEAM_OK;
}

static void draw_rows(struct lab *l, const struct reconcile_result *x)
{
    for (size_t k = 0; k < x->shown; k++) {
        const struct reconcile_difference *d = &x->list[k];

        seam_buf_printf(&l->draw, "%s key %s\n", reconcile_verdict_name(d->verdict), d->key_text);
        seam_buf_printf(&l->draw, "  source %.90s\n", d->source != NULL ? d->source : "(none)");
        seam_buf_printf(&l->draw, "  store  %.90s\n", d->store != NULL ? d->store : "(none)");
    }
    if (x->shown > 0) lab_measured(l, "verdict", x->list[0].verdict);
}

/* ---- what goes wrong ---- */
struct lab_silver {
    struct columnar_writer *w;
    const struct seam_schema *schema;
    int table;
    seam_lsn_t lsn;
};

/* A row as JSON, over what silver has under its key. */
static enum seam_status put_row(struct lab_silver *s, const char *json, struct seam_fault *f)
{
    struct seam_value given[SEAM_COLUMNS_MAX], had[SEAM_COLUMNS_MAX];
    struct seam_buf text = {0};
    enum seam_status st = seam_row_from_json(s->schema, json, strlen(json), given, &text, f);

    if (st == SEAM_OK) {
        struct seam_value key = given[s->schema->key[0]];
        enum seam_status found = columnar_writer_get(s->w, s->table, &key, had, NULL);

        for (uint16_t i = 0; found == SEAM_OK && i < s->schema->column_count; i++)
            if (given[i].type == SEAM_V_NULL) given[i] = had[i];
        st = columnar_upsert(s->w, s->table, given, s->lsn, NULL, f);
    }
    seam_buf_free(&text);
    return st;
}

/* What a bug, a bad disk or a helpful person might do: one row lost, one changed, one invented; or
 * the reader's own row. Nothing of it is in the log. */
static enum seam_status damage(struct lab_shop *s, struct seam_fault *f)
{
    struct lab_silver silver = {0};
    const struct seam_value lost = seam_v_int(LOST);
    char dir[SEAM_PATH_MAX_BYTES], json[80];
    enum seam_status st = platform_sink_path(&s->p, "warehouse", dir, f);

    if (st == SEAM_OK) st = columnar_open_writer(s->l->io, dir, NULL, &silver.w, f);
    if (st == SEAM_OK) {
        silver.lsn = columnar_writer_applied(silver.w) + 1;
        silver.table = columnar_writer_table(silver.w, "silver_customers");
        silver.schema = columnar_writer_schema(silver.w, silver.table);
    }
    if (st == SEAM_OK && s->l->in.row != NULL)
        st = put_row(&silver, s->l->in.row, f);
    else if (st == SEAM_OK) {
        st = columnar_delete(silver.w, silver.table, &lost, silver.lsn, NULL, f);
        snprintf(json, sizeof json, "{\"customer_id\":%d,\"name\":\"Nobody\"}", CHANGED);
        if (st == SEAM_OK) st = put_row(&silver, json, f);
        snprintf(json, sizeof json, "{\"customer_id\":%d,\"name\":\"Invented\"}", INVENTED);
        if (st == SEAM_OK) st = put_row(&silver, json, f);
    }
    if (st == SEAM_OK)
        st = columnar_publish(silver.w, silver.lsn, seam_clock_wall_us(&s->l->clock.clock), f);
    columnar_close_writer(silver.w);
    return st;
}

/* ---- the play ---- */
static enum seam_status begin(struct lab_shop *s, struct reconcile_report *r, struct seam_fault *f)
{
    seam_lsn_t lsn;
    enum seam_status st = lab_shop_customers(s, CUSTOMERS, &lsn, f);

    if (st == SEAM_OK) st = lab_shop_catch_up(s, sinks, SEAM_ARRAY_LEN(sinks), f);
    if (st == SEAM_OK) st = compare(s, r, f);
    seam_buf_printf(
        &s->l->story,
        "%d customers, relayed and applied. Source and store are read at the same LSN, so "
        "that one that is merely behind is never called wrong. Each side adds up the hashes "
        "of its rows: sums of sixteen rows, of sixteen such sums, and one of everything. The "
        "two sums of everything are equal, so all rows are, and one comparison was enough.",
        CUSTOMERS);
    return st == SEAM_OK ? lab_step(s->l, "Agreement", f) : st;
}

static enum seam_status drift(struct lab_shop *s, struct reconcile_report *r, struct seam_fault *f)
{
    seam_lsn_t lsn;
    enum seam_status st = damage(s, f);

    if (st == SEAM_OK)
        st = lab_shop_put(s, "customers", "{\"customer_id\":1,\"name\":\"Ana\"}", &lsn, f);
    if (st == SEAM_OK) st = lab_shop_catch_up(s, sinks, SEAM_ARRAY_LEN(sinks), f);
    if (st == SEAM_OK) st = compare(s, r, f);
    seam_buf_printf(
        &s->l->story,
        "A fault is planted: behind everyone's back silver %s. Every checksum is right and every "
        "file is whole: only a comparison can tell. The sums of everything "
        "differ, so the sixteen below are compared; of those that differ the "
        "sixteen below; and so on, until single leaves are left.",
        s->l->in.row != NULL ? "gets the row you gave"
                             : "loses one customer, gets another name for a second and an "
                               "invented third");
    if (st == SEAM_OK) st = lab_step(s->l, "Drift: digests bisect to it", f);
    if (st != SEAM_OK || of_customers(r) == NULL) return st;
    draw_rows(s->l, of_customers(r));
    seam_buf_str(&s->l->story,
                 "Only the rows of the differing leaves are put side by side, key by key, "
                 "and each difference gets a verdict.");
    return lab_step(s->l, "The rows of those leaves, side by side", f);
}

static enum seam_status repair(struct lab_shop *s, struct reconcile_report *r, struct seam_fault *f)
{
    uint64_t rows = 0;
    seam_lsn_t lsn;
    enum seam_status st = reconcile_repair(&s->p, r, &rows, &lsn, f);

    reconcile_free(r);
    seam_buf_printf(&s->l->draw,
                    "emitted again through the log: %" PRIu64 " rows, up to LSN %" PRIu64 "\n",
                    rows, lsn);
    seam_buf_printf(&s->l->story,
                    "Repair does not touch the store. It writes the source's present row, or its "
                    "absence, again into the log, flagged as a repair: %" PRIu64 " rows. "
                    "They reach every sink the way all changes do.",
                    rows);
    if (st == SEAM_OK) st = lab_step(s->l, "Repair goes through the log", f);
    if (st == SEAM_OK) st = lab_shop_catch_up(s, sinks, SEAM_ARRAY_LEN(sinks), f);
    seam_buf_str(&s->l->story, "The relay and the sinks have run. The stores agree again.");
    if (st != SEAM_OK) return st;
    lab_measured(s->l, "differences found", lab_figure_of(s->l, "differences"));
    lab_measured(s->l, "digests then", lab_figure_of(s->l, "digests"));
    st = compare(s, r, f);
    return st == SEAM_OK ? lab_step(s->l, "Agreement again", f) : st;
}

enum seam_status lab_play_reconcile(struct lab *l, struct seam_fault *f)
{
    struct lab_shop s = {0};
    struct reconcile_report r = {0};
    enum seam_status st = lab_shop_open(l, &s, f);

    if (st == SEAM_OK) st = begin(&s, &r, f);
    reconcile_free(&r);
    if (st == SEAM_OK) st = drift(&s, &r, f);
    if (st == SEAM_OK) st = repair(&s, &r, f);
    reconcile_free(&r);
    lab_shop_close(&s);
    return st;
}
