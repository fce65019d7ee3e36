/* cmd_view - the dashboard: rows of an incremental view, by key or all. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/row.h"
#include "pipeline/cli/cli.h"
#include "pipeline/stream/registry.h"
#include "pipeline/view/view_def.h"

static void cell(struct cli_table_out *t, const struct seam_value *v)
{
    struct seam_buf b = {0};

    if (v->type == SEAM_V_NULL)
        seam_buf_str(&b, "NULL");
    else
        seam_value_format(v, &b);
    table_cell(t, "%s", seam_buf_cstr(&b));
    seam_buf_free(&b);
}

static enum seam_status add_row(void *ctx, const struct view_column *columns, int n,
                                const struct seam_value *row)
{
    (void)columns;
    for (int i = 0; i < n; i++) cell(ctx, &row[i]);
    return SEAM_OK;
}

static enum seam_status add_json(void *ctx, const struct view_column *columns, int n,
                                 const struct seam_value *row)
{
    struct seam_json_writer *w = ctx;

    seam_jw_object(w);
    for (int i = 0; i < n; i++) {
        seam_jw_key(w, columns[i].name);
        seam_jw_value(w, &row[i]);
    }
    seam_jw_end_object(w);
    return SEAM_OK;
}

static enum seam_status one_row(struct cli *c, struct view_reader *r, const char *name,
                                const char *const *words, int count, view_row_fn fn, void *ctx)
{
    struct view_column keys[VIEW_COLUMNS_MAX];
    const struct view_column *columns;
    struct seam_value key[VIEW_COLUMNS_MAX], row[VIEW_COLUMNS_MAX];
    int n_key, n;
    enum seam_status st = view_key_columns(r, name, keys, VIEW_COLUMNS_MAX, &n_key, &c->fault);

    if (st == SEAM_OK) st = view_describe(r, name, &columns, &n, &c->fault);
    for (int i = 0; st == SEAM_OK && i < count && i < n_key; i++)
        if (seam_value_parse(words[i], strlen(words[i]), (enum seam_value_type)keys[i].type,
                             keys[i].scale, &key[i]) != SEAM_OK)
            st =
                seam_fault_set(&c->fault, SEAM_INVALID, name, SEAM_FAULT_NO_OFFSET, "'%s' is no %s",
                               words[i], seam_value_type_name((enum seam_value_type)keys[i].type));
    if (st == SEAM_OK) st = view_get(r, name, key, count, row, &c->fault);
    return st == SEAM_OK ? fn(ctx, columns, n, row) : st;
}

static enum seam_status show(struct cli *c, struct view_reader *r, const char *name,
                             const char *const *words, int count)
{
    const struct view_column *columns;
    struct view_position at;
    struct seam_buf out = {0};
    struct seam_json_writer w;
    struct cli_table_out t;
    uint64_t right = 0;
    view_row_fn fn = c->json ? add_json : add_row;
    void *ctx = c->json ? (void *)&w : (void *)&t;
    int n;
    enum seam_status st = view_describe(r, name, &columns, &n, &c->fault);

    if (st != SEAM_OK) return st;
    view_reader_position(r, &at);
    seam_jw_init(&w, &out);
    seam_jw_object(&w);
    seam_jw_key(&w, "view");
    seam_jw_str(&w, name);
    seam_jw_key(&w, "as_of_lsn");
    seam_jw_uint(&w, at.lsn);
    seam_jw_key(&w, "rows");
    seam_jw_array(&w);
    for (int i = 0; i < n; i++)
        if (columns[i].type == SEAM_V_INT || columns[i].type == SEAM_V_DECIMAL ||
            columns[i].type == SEAM_V_DOUBLE)
            right |= 1ull << i;
    table_begin(&t, (size_t)n, right);
    for (int i = 0; i < n; i++) table_cell(&t, "%s", columns[i].name);
    st = count > 0 ? one_row(c, r, name, words, count, fn, ctx)
                   : view_scan(r, name, fn, ctx, &c->fault);
    seam_jw_end_array(&w);
    seam_jw_end_object(&w);
    seam_buf_str(&out, "\n");
    if (st == SEAM_OK && c->json) cli_print(&out);
    if (st == SEAM_OK && !c->json)
        table_print(c, &t);
    else
        seam_buf_free(&t.cells);
    if (st == SEAM_OK) cli_footer(c, at.lsn, seam_clock_wall_us(c->clock) - at.wall_us, NULL);
    seam_buf_free(&out);
    return st;
}

/* ---- declaring views: the platform's configuration says which there are ---- */

/* The shop's JSON again, with view NAME replaced by `sql` (NULL: without it).                        */
static void shop_with(const struct platform *p, const char *name, const char *sql, bool *found,
                      struct seam_buf *out)
{
    const struct seam_json *shop = seam_json_get(p->config, "shop"),
                           *sinks = seam_json_get(shop, "sinks");
    struct seam_json_writer w;

    seam_jw_init(&w, out);
    seam_jw_object(&w);
    for (const struct seam_json *m = shop->child; m != NULL; m = m->next) {
        seam_jw_key(&w, m->key);
        if (m != sinks) {
            seam_jw_node(&w, m);
            continue;
        }
        seam_jw_object(&w);
        for (const struct seam_json *k = sinks->child; k != NULL; k = k->next) {
            const struct seam_json *views = seam_json_get(k, "views");

            seam_jw_key(&w, k->key);
            if (strcmp(k->key, "view") != 0) {
                seam_jw_node(&w, k);
                continue;
            }
            seam_jw_object(&w);
            seam_jw_key(&w, "views");
            seam_jw_array(&w);
            for (const struct seam_json *v = views != NULL ? views->child : NULL; v != NULL;
                 v = v->next) {
                if (strcmp(seam_json_string(v, "name", ""), name) == 0)
                    *found = true;
                else
                    seam_jw_node(&w, v);
            }
            if (sql != NULL) {
                seam_jw_object(&w);
                seam_jw_key(&w, "name");
                seam_jw_str(&w, name);
                seam_jw_key(&w, "sql");
                seam_jw_str(&w, sql);
                seam_jw_end_object(&w);
            }
            seam_jw_end_array(&w);
            seam_jw_end_object(&w);
        }
        seam_jw_end_object(&w);
    }
    seam_jw_end_object(&w);
}

/* A view that could not be kept up is refused before it is declared.                                */
static enum seam_status declare(struct cli *c, struct platform *p, const char *dir,
                                const char *name, const char *sql)
{
    struct stream_registry registry = {0};
    struct view_def *def = NULL;
    struct seam_buf shop = {0};
    bool found = false;
    enum seam_status st = stream_registry_open(&registry, c->io, dir, &c->fault);

    if (st == SEAM_OK && sql != NULL) st = view_compile(name, sql, &registry, &def, &c->fault);
    if (st == SEAM_OK) shop_with(p, name, sql, &found, &shop);
    if (st == SEAM_OK && sql == NULL && !found)
        st = seam_fault_set(&c->fault, SEAM_NOT_FOUND, name, SEAM_FAULT_NO_OFFSET,
                            "there is no such view");
    if (st == SEAM_OK) st = platform_write_shop(p, (const char *)shop.data, shop.size, &c->fault);
    if (st == SEAM_OK && !c->quiet)
        printf("%s is %s; the view sink takes that in when it starts again (seam sink DIR view)\n",
               name,
               sql == NULL ? "dropped"
               : found     ? "declared anew"
                           : "declared");
    view_def_free(def);
    stream_registry_close(&registry);
    seam_buf_free(&shop);
    return st;
}

static void list(struct view_reader *r)
{
    struct view_info views[VIEWS_MAX];
    size_t n = view_reader_list(r, views, VIEWS_MAX);

    for (size_t i = 0; i < n && i < VIEWS_MAX; i++)
        printf("%s\n    %s\n", views[i].name, views[i].sql);
}

int cmd_view(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *create = NULL;
    bool all = false, drop = false;
    const struct seam_opt opts[] = {
        {"create", 0, SEAM_OPT_STRING, "SQL",
         "declare NAME as this SELECT (docs/guide/sql.md; pipeline/view/view.h)", &create},
        {"drop", 0, SEAM_OPT_FLAG, NULL, "declare NAME no more", &drop},
        {"list", 'l', SEAM_OPT_FLAG, NULL, "the views there are, and their SQL", &all},
    };
    struct platform p;
    struct view_reader *r = NULL;
    char dir[SEAM_PATH_MAX_BYTES];
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 60);
    enum seam_status st;

    if (rc >= 0) return rc;
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    st = platform_sink_path(&p, "view", dir, &c->fault);
    if (st == SEAM_OK && (create != NULL || drop)) {
        if (count != 2 || (create != NULL && drop))
            rc = cli_usage(c, "--create and --drop take one NAME");
        else
            st = declare(c, &p, dir, args[1], create);
        platform_close(&p);
        return rc >= 0 ? rc : st == SEAM_OK ? EXIT_FINE : cli_fail(c, st);
    }
    if (st == SEAM_OK) st = view_reader_open(c->io, dir, &r, &c->fault);
    if (st == SEAM_OK && (all || count == 1))
        list(r);
    else if (st == SEAM_OK)
        st = show(c, r, args[1], args + 2, count - 2);
    view_reader_close(r);
    platform_close(&p);
    return st == SEAM_OK ? EXIT_FINE : cli_fail(c, st);
}
