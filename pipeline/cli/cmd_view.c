/* cmd_view - the dashboard: rows of an incremental view, by key or all. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/row.h"
#include "pipeline/cli/cli.h"
#include "pipeline/stream/registry.h"
#include "pipeline/view/view_def.h"

static void cell(struct table_out *t, const struct value *v)
{
    struct buf b = {0};

    if (v->type == V_NULL) buf_str(&b, "NULL");
    else value_format(v, &b);
    table_cell(t, "%s", buf_cstr(&b));
    buf_free(&b);
}

static enum status add_row(void *ctx, const struct view_column *columns, int n, const struct value *row)
{
    (void)columns;
    for (int i = 0; i < n; i++) cell(ctx, &row[i]);
    return ST_OK;
}

static enum status add_json(void *ctx, const struct view_column *columns, int n, const struct value *row)
{
    struct json_writer *w = ctx;

    jw_object(w);
    for (int i = 0; i < n; i++) {
        jw_key(w, columns[i].name);
        jw_value(w, &row[i]);
    }
    jw_end_object(w);
    return ST_OK;
}

static enum status one_row(struct cli *c, struct view_reader *r, const char *name, const char *const *words, int count,
                           view_row_fn fn, void *ctx)
{
    struct view_column keys[VIEW_COLUMNS_MAX];
    const struct view_column *columns;
    struct value key[VIEW_COLUMNS_MAX], row[VIEW_COLUMNS_MAX];
    int n_key, n;
    enum status st = view_key_columns(r, name, keys, VIEW_COLUMNS_MAX, &n_key, &c->fault);

    if (st == ST_OK) st = view_describe(r, name, &columns, &n, &c->fault);
    for (int i = 0; st == ST_OK && i < count && i < n_key; i++)
        if (value_parse(words[i], strlen(words[i]), (enum value_type)keys[i].type, keys[i].scale, &key[i]) != ST_OK)
            st = fault_set(&c->fault, ST_INVALID, name, FAULT_NO_OFFSET, "'%s' is no %s", words[i],
                           value_type_name((enum value_type)keys[i].type));
    if (st == ST_OK) st = view_get(r, name, key, count, row, &c->fault);
    return st == ST_OK ? fn(ctx, columns, n, row) : st;
}

static enum status show(struct cli *c, struct view_reader *r, const char *name, const char *const *words, int count)
{
    const struct view_column *columns;
    struct view_position at;
    struct buf out = {0};
    struct json_writer w;
    struct table_out t;
    uint64_t right = 0;
    view_row_fn fn = c->json ? add_json : add_row;
    void *ctx = c->json ? (void *)&w : (void *)&t;
    int n;
    enum status st = view_describe(r, name, &columns, &n, &c->fault);

    if (st != ST_OK) return st;
    view_reader_position(r, &at);
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "view");
    jw_str(&w, name);
    jw_key(&w, "as_of_lsn");
    jw_uint(&w, at.lsn);
    jw_key(&w, "rows");
    jw_array(&w);
    for (int i = 0; i < n; i++)
        if (columns[i].type == V_INT || columns[i].type == V_DECIMAL || columns[i].type == V_DOUBLE) right |= 1ull << i;
    table_begin(&t, (size_t)n, right);
    for (int i = 0; i < n; i++) table_cell(&t, "%s", columns[i].name);
    st = count > 0 ? one_row(c, r, name, words, count, fn, ctx) : view_scan(r, name, fn, ctx, &c->fault);
    jw_end_array(&w);
    jw_end_object(&w);
    buf_str(&out, "\n");
    if (st == ST_OK && c->json) cli_print(&out);
    if (st == ST_OK && !c->json) table_print(c, &t);
    else buf_free(&t.cells);
    if (st == ST_OK) cli_footer(c, at.lsn, clock_wall_us(c->clock) - at.wall_us, NULL);
    buf_free(&out);
    return st;
}

/* ---- declaring views: the platform's configuration says which there are ---- */

/* The shop's JSON again, with view NAME replaced by `sql` (NULL: without it).                        */
static void shop_with(const struct platform *p, const char *name, const char *sql, bool *found, struct buf *out)
{
    const struct json *shop = json_get(p->config, "shop"), *sinks = json_get(shop, "sinks");
    struct json_writer w;

    jw_init(&w, out);
    jw_object(&w);
    for (const struct json *m = shop->child; m != NULL; m = m->next) {
        jw_key(&w, m->key);
        if (m != sinks) {
            jw_node(&w, m);
            continue;
        }
        jw_object(&w);
        for (const struct json *k = sinks->child; k != NULL; k = k->next) {
            const struct json *views = json_get(k, "views");

            jw_key(&w, k->key);
            if (strcmp(k->key, "view") != 0) {
                jw_node(&w, k);
                continue;
            }
            jw_object(&w);
            jw_key(&w, "views");
            jw_array(&w);
            for (const struct json *v = views != NULL ? views->child : NULL; v != NULL; v = v->next) {
                if (strcmp(json_string(v, "name", ""), name) == 0) *found = true;
                else jw_node(&w, v);
            }
            if (sql != NULL) {
                jw_object(&w);
                jw_key(&w, "name");
                jw_str(&w, name);
                jw_key(&w, "sql");
                jw_str(&w, sql);
                jw_end_object(&w);
            }
            jw_end_array(&w);
            jw_end_object(&w);
        }
        jw_end_object(&w);
    }
    jw_end_object(&w);
}

/* A view that could not be kept up is refused before it is declared.                                */
static enum status declare(struct cli *c, struct platform *p, const char *dir, const char *name, const char *sql)
{
    struct registry registry = {0};
    struct view_def *def = NULL;
    struct buf shop = {0};
    bool found = false;
    enum status st = registry_open(&registry, c->io, dir, &c->fault);

    if (st == ST_OK && sql != NULL) st = view_compile(name, sql, &registry, &def, &c->fault);
    if (st == ST_OK) shop_with(p, name, sql, &found, &shop);
    if (st == ST_OK && sql == NULL && !found)
        st = fault_set(&c->fault, ST_NOT_FOUND, name, FAULT_NO_OFFSET, "there is no such view");
    if (st == ST_OK) st = platform_write_shop(p, (const char *)shop.data, shop.size, &c->fault);
    if (st == ST_OK && !c->quiet)
        printf("%s is %s; the view sink takes that in when it starts again (seam sink DIR view)\n", name,
               sql == NULL ? "dropped" : found ? "declared anew" : "declared");
    view_def_free(def);
    registry_close(&registry);
    buf_free(&shop);
    return st;
}

static void list(struct view_reader *r)
{
    struct view_info views[VIEWS_MAX];
    size_t n = view_reader_list(r, views, VIEWS_MAX);

    for (size_t i = 0; i < n && i < VIEWS_MAX; i++) printf("%s\n    %s\n", views[i].name, views[i].sql);
}

int cmd_view(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *create = NULL;
    bool all = false, drop = false;
    const struct opt opts[] = {
        {"create", 0, OPT_STRING, "SQL", "declare NAME as this SELECT (docs/guide/sql.md; pipeline/view/view.h)", &create},
        {"drop", 0, OPT_FLAG, NULL, "declare NAME no more", &drop},
        {"list", 'l', OPT_FLAG, NULL, "the views there are, and their SQL", &all},
    };
    struct platform p;
    struct view_reader *r = NULL;
    char dir[PATH_MAX_BYTES];
    int count;
    int rc = cli_parse(c, argc, argv, opts, ARRAY_LEN(opts), args, &count, 1, 60);
    enum status st;

    if (rc >= 0) return rc;
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != ST_OK) return cli_fail(c, st);
    st = platform_sink_path(&p, "view", dir, &c->fault);
    if (st == ST_OK && (create != NULL || drop)) {
        if (count != 2 || (create != NULL && drop)) rc = cli_usage(c, "--create and --drop take one NAME");
        else st = declare(c, &p, dir, args[1], create);
        platform_close(&p);
        return rc >= 0 ? rc : st == ST_OK ? EXIT_FINE : cli_fail(c, st);
    }
    if (st == ST_OK) st = view_reader_open(c->io, dir, &r, &c->fault);
    if (st == ST_OK && (all || count == 1)) list(r);
    else if (st == ST_OK) st = show(c, r, args[1], args + 2, count - 2);
    view_reader_close(r);
    platform_close(&p);
    return st == ST_OK ? EXIT_FINE : cli_fail(c, st);
}
