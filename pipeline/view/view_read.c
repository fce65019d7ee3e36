/* view_read - looking a number up, in any process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/text/opts.h"
#include "engine/values/average.h"
#include "engine/values/key.h"
#include "engine/values/row.h"
#include "pipeline/sinks/own_rows.h"
#include "pipeline/stream/registry.h"
#include "pipeline/view/view_delta.h"

struct loaded {
    struct view_def *def;
    uint32_t table, multiset;
};

struct view_reader {
    struct seam_io *io;
    char dir[SEAM_PATH_MAX_BYTES];
    struct oltp *db;
    struct oltp_txn *txn;
    struct stream_registry registry;
    struct loaded views[VIEWS_MAX];
    int n_views;
    struct view_position position;
    struct seam_arena arena; /* of the row last given */
    struct seam_buf key, text;
};

static void unload(struct view_reader *r)
{
    for (int i = 0; i < r->n_views; i++) view_def_free(r->views[i].def);
    r->n_views = 0;
    stream_registry_close(&r->registry);
    oltp_end(r->txn);
    r->txn = NULL;
}

static enum seam_status load_position(struct view_reader *r, struct seam_fault *f)
{
    struct seam_value id = seam_v_int(1), values[4];
    struct oltp_row row;
    uint32_t meta;
    bool there;
    enum seam_status st = seam_fault_there(oltp_table(r->txn, "meta", &meta, f), &there, f);

    if (st == SEAM_OK && there)
        st = seam_fault_there(oltp_get(r->txn, meta, &id, &row, f), &there, f);
    if (st == SEAM_OK && !there)
        return seam_fault_set(f, SEAM_NOT_FOUND, r->dir, SEAM_FAULT_NO_OFFSET,
                              "the views have not been published yet");
    if (st == SEAM_OK)
        st = seam_row_decode(oltp_schema(r->txn, meta), row.row.data, row.row.size, values, f);
    if (st == SEAM_OK) r->position = (struct view_position){(seam_lsn_t)values[2].i, values[3].i};
    return st;
}

static enum seam_status load_view(struct view_reader *r, const struct seam_value *values,
                                  struct seam_fault *f)
{
    struct loaded *l = &r->views[r->n_views];
    char name[SEAM_NAME_MAX_BYTES], *sql, table[SEAM_NAME_MAX_BYTES + 4];
    bool there = false;
    enum seam_status st;

    if (r->n_views == VIEWS_MAX ||
        values[0].len >= sizeof name) /* the sink declares no such view */
        return seam_fault_set(f, SEAM_CORRUPT, r->dir, (uint64_t)r->n_views,
                              "more views, or a longer name, than can be declared");
    snprintf(name, sizeof name, "%.*s", (int)values[0].len, values[0].s);
    sql = strndup(values[1].s, values[1].len);
    if (sql == NULL)
        return seam_fault_set(f, SEAM_NOMEM, r->dir, SEAM_FAULT_NO_OFFSET, "no memory");
    *l = (struct loaded){0};
    st = view_compile(name, sql, &r->registry, &l->def, f);
    free(sql);
    if (st != SEAM_OK) return st;
    r->n_views++;
    snprintf(table, sizeof table, "v_%s", name);
    st = oltp_table(r->txn, table, &l->table, f);
    snprintf(table, sizeof table, "m_%s", name);
    if (st == SEAM_OK) st = seam_fault_there(oltp_table(r->txn, table, &l->multiset, f), &there, f);
    if (!there) l->multiset = 0;
    return st;
}

static enum seam_status load(struct view_reader *r, struct seam_fault *f)
{
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    uint32_t defs;
    enum seam_status st = oltp_read_begin(r->db, &r->txn, f);

    if (st == SEAM_OK) st = load_position(r, f);
    if (st == SEAM_OK) st = stream_registry_open(&r->registry, r->io, r->dir, f);
    if (st == SEAM_OK) st = oltp_table(r->txn, "defs", &defs, f);
    if (st == SEAM_OK) st = oltp_cursor_open(r->txn, defs, 0, NULL, 0, &c, f);
    while (st == SEAM_OK && (st = oltp_cursor_next(c, &row, f)) == SEAM_OK) {
        struct seam_value values[2];

        st = seam_row_decode(oltp_schema(r->txn, defs), row.row.data, row.row.size, values, f);
        if (st == SEAM_OK) st = load_view(r, values, f);
    }
    oltp_cursor_close(c);
    return st == SEAM_END ? SEAM_OK : st;
}

enum seam_status view_reader_open(struct seam_io *io, const char *dir, struct view_reader **out,
                                  struct seam_fault *f)
{
    struct view_reader *r = calloc(1, sizeof *r);
    enum seam_status st;

    if (r == NULL) return seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory");
    r->io = io;
    snprintf(r->dir, sizeof r->dir, "%s", dir);
    st =
        sink_own_rows_read(io, dir, "view reader",
                           "no views yet: run 'seam sink DIR view' (or 'seam run DIR')", &r->db, f);
    if (st == SEAM_OK) st = load(r, f);
    if (st != SEAM_OK) {
        view_reader_close(r);
        return st;
    }
    *out = r;
    return SEAM_OK;
}

void view_reader_close(struct view_reader *r)
{
    if (r == NULL) return;
    unload(r);
    (void)oltp_close(r->db, NULL);
    seam_arena_free(&r->arena);
    seam_buf_free(&r->key);
    seam_buf_free(&r->text);
    free(r);
}

/* Definitions are compiled again only when there may be others: most refreshes just move on.          */
enum seam_status view_reader_refresh(struct view_reader *r, struct seam_fault *f)
{
    seam_lsn_t before = oltp_lsn(r->db);
    enum seam_status st = oltp_refresh(r->db, SEAM_LSN_MAX, f);

    if (st != SEAM_OK || oltp_lsn(r->db) == before) return st;
    unload(r);
    return load(r, f);
}

void view_reader_position(const struct view_reader *r, struct view_position *out)
{
    *out = r->position;
}

size_t view_reader_list(struct view_reader *r, struct view_info *out, size_t max)
{
    for (int i = 0; i < r->n_views && (size_t)i < max; i++)
        out[i] = (struct view_info){r->views[i].def->name, r->views[i].def->sql};
    return (size_t)r->n_views;
}

static enum seam_status find(struct view_reader *r, const char *name, struct loaded **out,
                             struct seam_fault *f)
{
    const char *names[VIEWS_MAX];
    const char *near;

    for (int i = 0; i < r->n_views; i++) {
        names[i] = r->views[i].def->name;
        if (strcmp(names[i], name) != 0) continue;
        *out = &r->views[i];
        return SEAM_OK;
    }
    near = seam_nearest_name(name, names, (size_t)r->n_views);
    return seam_fault_set(f, SEAM_NOT_FOUND, name, SEAM_FAULT_NO_OFFSET,
                          "there is no such view%s%s%s", near != NULL ? "; did you mean '" : "",
                          near != NULL ? near : "", near != NULL ? "'?" : "");
}

enum seam_status view_describe(struct view_reader *r, const char *name,
                               const struct view_column **columns, int *n, struct seam_fault *f)
{
    struct loaded *l = NULL;
    enum seam_status st = find(r, name, &l, f);

    if (st != SEAM_OK) return st;
    *columns = l->def->columns;
    *n = l->def->n_columns;
    return SEAM_OK;
}

enum seam_status view_key_columns(struct view_reader *r, const char *name, struct view_column *out,
                                  int max, int *n, struct seam_fault *f)
{
    struct loaded *l = NULL;
    enum seam_status st = find(r, name, &l, f);

    if (st != SEAM_OK) return st;
    *n = l->def->n_group;
    for (int i = 0; i < l->def->n_group && i < max; i++)
        out[i] = (struct view_column){
            "key", l->def->group[i]->type, l->def->group[i]->scale, true, true, (int8_t)i};
    return SEAM_OK;
}

/* One encoded value of a key; texts are copied into the row's arena. */
static enum seam_status read_part(struct view_reader *r, const uint8_t **p, const uint8_t *end,
                                  uint8_t type, struct seam_value *out, struct seam_fault *f)
{
    enum seam_status st = seam_key_read(p, end, (enum seam_value_type)type, out, &r->text);

    if (st == SEAM_OK && out->type == SEAM_V_TEXT &&
        (out->s = seam_arena_strdup(&r->arena, out->s, out->len)) == NULL)
        st = SEAM_NOMEM;
    return st == SEAM_OK      ? SEAM_OK
           : st == SEAM_NOMEM ? seam_no_memory(f, "a view's row")
                              : seam_fault_set(f, SEAM_CORRUPT, r->dir, SEAM_FAULT_NO_OFFSET,
                                               "a group's key that is none: seam rebuild DIR view");
}

/* The least or greatest value of a multiset: the first or last entry of its range.                   */
static enum seam_status extreme(struct view_reader *r, const struct loaded *l,
                                struct wal_bytes group, int agg, struct seam_value *out,
                                struct seam_fault *f)
{
    const struct view_agg *a = &l->def->aggs[agg];
    struct seam_value bound[2] = {seam_v_text((const char *)group.data, group.size),
                                  seam_v_int(agg)},
                      v;
    struct seam_buf key = {0};
    struct oltp_range range = {.upper_included = true};
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    enum seam_status st = oltp_key(r->txn, l->multiset, 0, bound, 2, &key, f);

    *out = seam_v_null();
    range.lower = range.upper = (struct wal_bytes){key.data, key.size};
    if (st == SEAM_OK) st = oltp_cursor_open(r->txn, l->multiset, 0, &range, 0, &c, f);
    if (st == SEAM_OK)
        st = a->op == VIEW_MIN ? oltp_cursor_next(c, &row, f) : oltp_cursor_prev(c, &row, f);
    if (st == SEAM_OK)
        st = seam_row_get(oltp_schema(r->txn, l->multiset), row.row.data, row.row.size, 2, &v, f);
    if (st == SEAM_OK) {
        const uint8_t *p = (const uint8_t *)v.s;

        st = read_part(r, &p, p + v.len, a->type, out, f);
        out->scale = a->scale;
    }
    oltp_cursor_close(c);
    seam_buf_free(&key);
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status aggregate(struct view_reader *r, const struct loaded *l,
                                  struct wal_bytes group, int64_t rows, const struct view_states *s,
                                  int i, struct seam_value *out, struct seam_fault *f)
{
    const struct view_agg *a = &l->def->aggs[i];

    *out = seam_v_null();
    switch (a->op) {
    case VIEW_COUNT_ALL: *out = seam_v_int(rows); return SEAM_OK;
    case VIEW_COUNT: *out = seam_v_int(s->count[i]); return SEAM_OK;
    case VIEW_MIN:
    case VIEW_MAX: return extreme(r, l, group, i, out, f);
    case VIEW_AVG:
        if (s->count[i] > 0)
            *out = seam_v_double(seam_average(s->sum[i], (uint64_t)s->count[i], a->scale));
        return SEAM_OK;
    case VIEW_SUM: break;
    }
    if (s->count[i] == 0) return SEAM_OK;
    if (s->sum[i] > INT64_MAX || s->sum[i] < INT64_MIN)
        return seam_fault_set(f, SEAM_LIMIT, l->def->name, SEAM_FAULT_NO_OFFSET,
                              "a sum is beyond 64 bits");
    *out = a->type == SEAM_V_DECIMAL ? seam_v_decimal((int64_t)s->sum[i], a->scale)
                                     : seam_v_int((int64_t)s->sum[i]);
    return SEAM_OK;
}

/* The stored group as the view's columns. `key` must outlive the call's texts: it is copied first.     */
static enum seam_status give_row(struct view_reader *r, const struct loaded *l,
                                 const struct oltp_row *stored, struct seam_value *row,
                                 struct seam_fault *f)
{
    const struct view_def *d = l->def;
    struct seam_value parts[3], inputs[2 * VIEW_COLUMNS_MAX];
    struct view_states states;
    const uint8_t *p, *end;
    char *key;
    enum seam_status st = seam_row_decode(oltp_schema(r->txn, l->table), stored->row.data,
                                          stored->row.size, parts, f);

    seam_arena_reset(&r->arena);
    if (st == SEAM_OK) st = view_states_get(d, parts[2].s, parts[2].len, &states, f);
    key = st == SEAM_OK ? seam_arena_strdup(&r->arena, parts[0].s, parts[0].len) : NULL;
    if (st == SEAM_OK && key == NULL)
        st = seam_fault_set(f, SEAM_NOMEM, d->name, SEAM_FAULT_NO_OFFSET, "no memory");
    p = (const uint8_t *)key;
    end = p != NULL ? p + parts[0].len : NULL;
    for (int i = 0; st == SEAM_OK && i < d->n_group; i++) {
        seam_buf_clear(&r->text);
        st = read_part(r, &p, end, d->group[i]->type, &inputs[i], f);
        inputs[i].scale = d->group[i]->scale;
    }
    for (int i = 0; st == SEAM_OK && i < d->n_aggs; i++)
        st = aggregate(r, l, (struct wal_bytes){(const uint8_t *)key, parts[0].len}, parts[1].i,
                       &states, i, &inputs[VIEW_COLUMNS_MAX + i], f);
    for (int i = 0; st == SEAM_OK && i < d->n_columns; i++)
        st = columnar_expr_eval_row(d->output[i], inputs, &r->arena, &row[i], f);
    return st;
}

enum seam_status view_get(struct view_reader *r, const char *name, const struct seam_value *key,
                          int n_key, struct seam_value *row, struct seam_fault *f)
{
    struct loaded *l = NULL;
    struct seam_value k;
    struct oltp_row stored;
    bool there;
    enum seam_status st = find(r, name, &l, f);

    if (st != SEAM_OK) return st;
    if (n_key != l->def->n_group)
        return seam_fault_set(f, SEAM_INVALID, name, SEAM_FAULT_NO_OFFSET,
                              "the view's key has %d parts, %d given", l->def->n_group, n_key);
    seam_buf_clear(&r->key);
    for (int i = 0; i < n_key; i++) seam_key_append(&r->key, &key[i]);
    k = seam_v_text((const char *)r->key.data, r->key.size);
    st = seam_fault_there(oltp_get(r->txn, l->table, &k, &stored, f), &there, f);
    if (st == SEAM_OK && !there)
        return seam_fault_set(f, SEAM_NOT_FOUND, name, SEAM_FAULT_NO_OFFSET,
                              "the view has no row with this key");
    return st == SEAM_OK ? give_row(r, l, &stored, row, f) : st;
}

enum seam_status view_scan(struct view_reader *r, const char *name, view_row_fn fn, void *ctx,
                           struct seam_fault *f)
{
    struct loaded *l = NULL;
    struct oltp_cursor *c = NULL;
    struct oltp_row stored;
    struct seam_value row[VIEW_COLUMNS_MAX];
    enum seam_status st = find(r, name, &l, f);

    if (st == SEAM_OK) st = oltp_cursor_open(r->txn, l->table, 0, NULL, 0, &c, f);
    while (st == SEAM_OK && (st = oltp_cursor_next(c, &stored, f)) == SEAM_OK) {
        st = give_row(r, l, &stored, row, f);
        if (st == SEAM_OK) st = fn(ctx, l->def->columns, l->def->n_columns, row);
    }
    oltp_cursor_close(c);
    return st == SEAM_END ? SEAM_OK : st;
}
