/* view_read - looking a number up, in any process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/key.h"
#include "engine/text/opts.h"
#include "engine/values/row.h"
#include "pipeline/sinks/own_rows.h"
#include "pipeline/stream/registry.h"
#include "pipeline/view/view_delta.h"

struct loaded { struct view_def *def; uint32_t table, multiset; };

struct view_reader {
    struct io *io;
    char dir[PATH_MAX_BYTES];
    struct oltp *db;
    struct oltp_txn *txn;
    struct registry registry;
    struct loaded views[VIEWS_MAX];
    int n_views;
    struct view_position position;
    struct arena arena;      /* of the row last given */
    struct buf key, text;
};

static void unload(struct view_reader *r)
{
    for (int i = 0; i < r->n_views; i++) view_def_free(r->views[i].def);
    r->n_views = 0;
    registry_close(&r->registry);
    oltp_end(r->txn);
    r->txn = NULL;
}

static enum status load_position(struct view_reader *r, struct fault *f)
{
    struct value id = v_int(1), values[4];
    struct oltp_row row;
    uint32_t meta;
    enum status st = oltp_table(r->txn, "meta", &meta, NULL);

    if (st == ST_OK) st = oltp_get(r->txn, meta, &id, &row, NULL);
    if (st == ST_NOT_FOUND) return fault_set(f, st, r->dir, FAULT_NO_OFFSET, "the views have not been published yet");
    if (st == ST_OK) st = row_decode(oltp_schema(r->txn, meta), row.row.data, row.row.size, values, f);
    if (st == ST_OK) r->position = (struct view_position){(lsn_t)values[2].i, values[3].i};
    return st;
}

static enum status load_view(struct view_reader *r, const struct value *values, struct fault *f)
{
    struct loaded *l = &r->views[r->n_views];
    char name[NAME_MAX_BYTES], *sql, table[NAME_MAX_BYTES + 4];
    enum status st;

    if (r->n_views == VIEWS_MAX || values[0].len >= sizeof name) return ST_OK;
    snprintf(name, sizeof name, "%.*s", (int)values[0].len, values[0].s);
    sql = strndup(values[1].s, values[1].len);
    if (sql == NULL) return fault_set(f, ST_NOMEM, r->dir, FAULT_NO_OFFSET, "no memory");
    *l = (struct loaded){0};
    st = view_compile(name, sql, &r->registry, &l->def, f);
    free(sql);
    if (st != ST_OK) return st;
    r->n_views++;
    snprintf(table, sizeof table, "v_%s", name);
    st = oltp_table(r->txn, table, &l->table, f);
    snprintf(table, sizeof table, "m_%s", name);
    if (st == ST_OK && oltp_table(r->txn, table, &l->multiset, NULL) != ST_OK) l->multiset = 0;
    return st;
}

static enum status load(struct view_reader *r, struct fault *f)
{
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    uint32_t defs;
    enum status st = oltp_read_begin(r->db, &r->txn, f);

    if (st == ST_OK) st = load_position(r, f);
    if (st == ST_OK) st = registry_open(&r->registry, r->io, r->dir, f);
    if (st == ST_OK) st = oltp_table(r->txn, "defs", &defs, f);
    if (st == ST_OK) st = oltp_cursor_open(r->txn, defs, 0, NULL, 0, &c, f);
    while (st == ST_OK && (st = oltp_cursor_next(c, &row, f)) == ST_OK) {
        struct value values[2];

        st = row_decode(oltp_schema(r->txn, defs), row.row.data, row.row.size, values, f);
        if (st == ST_OK) st = load_view(r, values, f);
    }
    oltp_cursor_close(c);
    return st == ST_END ? ST_OK : st;
}

enum status view_reader_open(struct io *io, const char *dir, struct view_reader **out, struct fault *f)
{
    struct view_reader *r = calloc(1, sizeof *r);
    enum status st;

    if (r == NULL) return fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory");
    r->io = io;
    snprintf(r->dir, sizeof r->dir, "%s", dir);
    st = own_rows_read(io, dir, "view reader", "no views yet: run 'seam sink DIR view' (or 'seam run DIR')",
                       &r->db, f);
    if (st == ST_OK) st = load(r, f);
    if (st != ST_OK) {
        view_reader_close(r);
        return st;
    }
    *out = r;
    return ST_OK;
}

void view_reader_close(struct view_reader *r)
{
    if (r == NULL) return;
    unload(r);
    (void)oltp_close(r->db, NULL);
    arena_free(&r->arena);
    buf_free(&r->key);
    buf_free(&r->text);
    free(r);
}

/* Definitions are compiled again only when there may be others: most refreshes just move on.          */
enum status view_reader_refresh(struct view_reader *r, struct fault *f)
{
    lsn_t before = oltp_lsn(r->db);
    enum status st = oltp_refresh(r->db, LSN_MAX, f);

    if (st != ST_OK || oltp_lsn(r->db) == before) return st;
    unload(r);
    return load(r, f);
}

void view_reader_position(const struct view_reader *r, struct view_position *out) { *out = r->position; }

size_t view_reader_list(struct view_reader *r, struct view_info *out, size_t max)
{
    for (int i = 0; i < r->n_views && (size_t)i < max; i++)
        out[i] = (struct view_info){r->views[i].def->name, r->views[i].def->sql};
    return (size_t)r->n_views;
}

static enum status find(struct view_reader *r, const char *name, struct loaded **out, struct fault *f)
{
    const char *names[VIEWS_MAX];
    const char *near;

    for (int i = 0; i < r->n_views; i++) {
        names[i] = r->views[i].def->name;
        if (strcmp(names[i], name) != 0) continue;
        *out = &r->views[i];
        return ST_OK;
    }
    near = nearest_name(name, names, (size_t)r->n_views);
    return fault_set(f, ST_NOT_FOUND, name, FAULT_NO_OFFSET, "there is no such view%s%s%s",
                     near != NULL ? "; did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
}

enum status view_describe(struct view_reader *r, const char *name, const struct view_column **columns, int *n,
                          struct fault *f)
{
    struct loaded *l = NULL;
    enum status st = find(r, name, &l, f);

    if (st != ST_OK) return st;
    *columns = l->def->columns;
    *n = l->def->n_columns;
    return ST_OK;
}

enum status view_key_columns(struct view_reader *r, const char *name, struct view_column *out, int max, int *n,
                             struct fault *f)
{
    struct loaded *l = NULL;
    enum status st = find(r, name, &l, f);

    if (st != ST_OK) return st;
    *n = l->def->n_group;
    for (int i = 0; i < l->def->n_group && i < max; i++)
        out[i] = (struct view_column){"key", l->def->group[i]->type, l->def->group[i]->scale, true, true, (int8_t)i};
    return ST_OK;
}

/* The least or greatest value of a multiset: the first or last entry of its range.                   */
static enum status extreme(struct view_reader *r, const struct loaded *l, struct bytes group, int agg, struct value *out,
                           struct fault *f)
{
    const struct view_agg *a = &l->def->aggs[agg];
    struct value bound[2] = {v_text((const char *)group.data, group.size), v_int(agg)}, v;
    struct buf key = {0};
    struct oltp_range range = {.upper_included = true};
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    enum status st = oltp_key(r->txn, l->multiset, 0, bound, 2, &key, f);

    *out = v_null();
    range.lower = range.upper = (struct bytes){key.data, key.size};
    if (st == ST_OK) st = oltp_cursor_open(r->txn, l->multiset, 0, &range, 0, &c, f);
    if (st == ST_OK) st = a->op == VIEW_MIN ? oltp_cursor_next(c, &row, f) : oltp_cursor_prev(c, &row, f);
    if (st == ST_OK) st = row_get(oltp_schema(r->txn, l->multiset), row.row.data, row.row.size, 2, &v, f);
    if (st == ST_OK) {
        const uint8_t *p = (const uint8_t *)v.s;

        st = key_read(&p, p + v.len, (enum value_type)a->type, out, &r->text);
        out->scale = a->scale;
        if (out->type == V_TEXT) out->s = arena_strdup(&r->arena, out->s, out->len);
    }
    oltp_cursor_close(c);
    buf_free(&key);
    return st == ST_END ? ST_OK : st;
}

static enum status aggregate(struct view_reader *r, const struct loaded *l, struct bytes group, int64_t rows,
                             const struct view_states *s, int i, struct value *out, struct fault *f)
{
    const struct view_agg *a = &l->def->aggs[i];

    *out = v_null();
    switch (a->op) {
    case VIEW_COUNT_ALL: *out = v_int(rows); return ST_OK;
    case VIEW_COUNT: *out = v_int(s->count[i]); return ST_OK;
    case VIEW_MIN:
    case VIEW_MAX: return extreme(r, l, group, i, out, f);
    case VIEW_AVG:
        if (s->count[i] > 0)
            *out = v_double((double)s->sum[i] / (double)s->count[i] / (double)decimal_pow10(a->scale));
        return ST_OK;
    case VIEW_SUM: break;
    }
    if (s->count[i] == 0) return ST_OK;
    if (s->sum[i] > INT64_MAX || s->sum[i] < INT64_MIN)
        return fault_set(f, ST_LIMIT, l->def->name, FAULT_NO_OFFSET, "a sum is beyond 64 bits");
    *out = a->type == V_DECIMAL ? v_decimal((int64_t)s->sum[i], a->scale) : v_int((int64_t)s->sum[i]);
    return ST_OK;
}

/* The stored group as the view's columns. `key` must outlive the call's texts: it is copied first.     */
static enum status give_row(struct view_reader *r, const struct loaded *l, const struct oltp_row *stored,
                            struct value *row, struct fault *f)
{
    const struct view_def *d = l->def;
    struct value parts[3], inputs[2 * VIEW_COLUMNS_MAX];
    struct view_states states;
    const uint8_t *p, *end;
    char *key;
    enum status st = row_decode(oltp_schema(r->txn, l->table), stored->row.data, stored->row.size, parts, f);

    arena_reset(&r->arena);
    if (st == ST_OK) st = view_states_get(d, parts[2].s, parts[2].len, &states, f);
    key = st == ST_OK ? arena_strdup(&r->arena, parts[0].s, parts[0].len) : NULL;
    if (st == ST_OK && key == NULL) st = fault_set(f, ST_NOMEM, d->name, FAULT_NO_OFFSET, "no memory");
    p = (const uint8_t *)key;
    end = p != NULL ? p + parts[0].len : NULL;
    for (int i = 0; st == ST_OK && i < d->n_group; i++) {
        buf_clear(&r->text);
        st = key_read(&p, end, (enum value_type)d->group[i]->type, &inputs[i], &r->text);
        inputs[i].scale = d->group[i]->scale;
        if (inputs[i].type == V_TEXT) inputs[i].s = arena_strdup(&r->arena, inputs[i].s, inputs[i].len);
    }
    for (int i = 0; st == ST_OK && i < d->n_aggs; i++)
        st = aggregate(r, l, (struct bytes){(const uint8_t *)key, parts[0].len}, parts[1].i, &states, i,
                       &inputs[VIEW_COLUMNS_MAX + i], f);
    for (int i = 0; st == ST_OK && i < d->n_columns; i++) st = expr_eval_row(d->output[i], inputs, &r->arena, &row[i], f);
    return st;
}

enum status view_get(struct view_reader *r, const char *name, const struct value *key, int n_key, struct value *row,
                     struct fault *f)
{
    struct loaded *l = NULL;
    struct value k;
    struct oltp_row stored;
    enum status st = find(r, name, &l, f);

    if (st != ST_OK) return st;
    if (n_key != l->def->n_group)
        return fault_set(f, ST_INVALID, name, FAULT_NO_OFFSET, "the view's key has %d parts, %d given", l->def->n_group, n_key);
    buf_clear(&r->key);
    for (int i = 0; i < n_key; i++) key_append(&r->key, &key[i]);
    k = v_text((const char *)r->key.data, r->key.size);
    st = oltp_get(r->txn, l->table, &k, &stored, NULL);
    if (st == ST_NOT_FOUND) return fault_set(f, st, name, FAULT_NO_OFFSET, "the view has no row with this key");
    return st == ST_OK ? give_row(r, l, &stored, row, f) : st;
}

enum status view_scan(struct view_reader *r, const char *name, view_row_fn fn, void *ctx, struct fault *f)
{
    struct loaded *l = NULL;
    struct oltp_cursor *c = NULL;
    struct oltp_row stored;
    struct value row[VIEW_COLUMNS_MAX];
    enum status st = find(r, name, &l, f);

    if (st == ST_OK) st = oltp_cursor_open(r->txn, l->table, 0, NULL, 0, &c, f);
    while (st == ST_OK && (st = oltp_cursor_next(c, &stored, f)) == ST_OK) {
        st = give_row(r, l, &stored, row, f);
        if (st == ST_OK) st = fn(ctx, l->def->columns, l->def->n_columns, row);
    }
    oltp_cursor_close(c);
    return st == ST_END ? ST_OK : st;
}
