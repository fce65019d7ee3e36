/* reconcile_query - kept rows beside recomputed ones, key by key. */
#include "pipeline/trust/reconcile_query.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/key.h"
#include "oltp/oltp.h"
#include "pipeline/ask/ask.h"
#include "pipeline/sinks/repair_event.h"
#include "pipeline/view/view.h"

enum { RESULTS_MAX = 256 };

/* A declared table: what names its rows, and how it is asked for. */
struct declared {
    const char *store, *name, *sql;
    char from[SEAM_NAME_MAX_BYTES + 8];
    const char *key[SEAM_KEY_COLUMNS_MAX];
    int n_key;
    bool by_group; /* the key is the group's: it can be asked for */
    bool one_row;  /* no key at all, and none needed: a total */
};

/* ---- keys ---- */

static enum seam_status add_key(struct declared *d, const struct view_column *c,
                                struct seam_arena *a, struct seam_fault *f)
{
    const char *name = seam_arena_strdup(a, c->name, strlen(c->name));

    if (name == NULL)
        return seam_fault_set(f, SEAM_NOMEM, d->name, SEAM_FAULT_NO_OFFSET, "no memory");
    if (d->n_key < SEAM_KEY_COLUMNS_MAX) d->key[d->n_key++] = name;
    return SEAM_OK;
}

/* A view's rows are named by its groups' keys, in their order, when it shows them all; else by whatever it shows that
 * follows from the key. */
static enum seam_status view_keys(struct ask_sql_platform *s, struct declared *d,
                                  struct seam_arena *a, struct seam_fault *f)
{
    struct view_reader *r = NULL;
    const struct view_column *columns;
    struct view_column groups[SEAM_KEY_COLUMNS_MAX];
    char dir[SEAM_PATH_MAX_BYTES];
    int n = 0, n_group = 0;
    enum seam_status st = platform_sink_path(s->platform, "view", dir, f);

    if (st == SEAM_OK) st = view_reader_open(s->platform->io, dir, &r, f);
    if (st == SEAM_OK) st = view_describe(r, d->name, &columns, &n, f);
    if (st == SEAM_OK) st = view_key_columns(r, d->name, groups, SEAM_KEY_COLUMNS_MAX, &n_group, f);
    for (int g = 0; st == SEAM_OK && g < n_group; g++)
        for (int i = 0; st == SEAM_OK && i < n && d->n_key == g; i++)
            if (columns[i].group == g) st = add_key(d, &columns[i], a, f);
    d->one_row = st == SEAM_OK && n_group == 0;
    d->by_group = d->n_key == n_group;
    if (st == SEAM_OK && !d->by_group) {
        d->n_key = 0;
        for (int i = 0; st == SEAM_OK && i < n; i++)
            if (columns[i].of_key) st = add_key(d, &columns[i], a, f);
    }
    view_reader_close(r);
    return st;
}

static void gold_keys(struct declared *d, const struct seam_json *config)
{
    const struct seam_json *keys = seam_json_get(config, "key");

    for (const struct seam_json *k = keys != NULL ? keys->child : NULL;
         k != NULL && d->n_key < SEAM_KEY_COLUMNS_MAX; k = k->next)
        if (k->type == SEAM_J_STRING) d->key[d->n_key++] = k->str;
}

/* ---- side by side ---- */

struct keyed {
    struct wal_bytes key;
    const char *row;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int c = seam_key_compare(x->key.data, x->key.size, y->key.data, y->key.size);

    return c != 0 ? c : strcmp(x->row, y->row);
}

static struct keyed *in_order(const struct declared *d, const struct ask_answer *a)
{
    struct keyed *k = calloc(a->count + 1, sizeof *k);

    for (size_t i = 0; k != NULL && i < a->count; i++) {
        struct wal_bytes whole = {(const uint8_t *)a->rows[i], d->one_row ? 0 : strlen(a->rows[i])};

        k[i] = (struct keyed){a->keys != NULL ? a->keys[i] : whole, a->rows[i]};
    }
    if (k != NULL && a->count > 1) qsort(k, a->count, sizeof *k, by_key);
    return k;
}

static enum seam_status no_memory(const struct declared *d, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOMEM, d->name, SEAM_FAULT_NO_OFFSET, "no memory to compare");
}

/* The key for people: its columns' values, a space between. */
static const char *key_text(const struct ask_answer *a, struct wal_bytes key)
{
    const uint8_t *p = key.data;
    struct seam_buf out = {0}, text = {0};
    const char *words;

    for (int i = 0; i < a->n_key; i++) {
        const struct columnar_plan_column *c = &a->columns[a->key_column[i]];
        struct seam_value v;

        if (seam_key_read(&p, key.data + key.size, (enum seam_value_type)c->type, &v, &text) !=
            SEAM_OK)
            break;
        v.scale = c->scale;
        if (i > 0) seam_buf_str(&out, " ");
        seam_value_format(&v, &out);
    }
    words = seam_arena_strdup(a->arena, seam_buf_cstr(&out), out.size);
    seam_buf_free(&out);
    seam_buf_free(&text);
    return words;
}

static enum seam_status differ(const struct declared *d, const struct ask_answer *a,
                               const struct keyed *fresh, const struct keyed *kept,
                               struct reconcile_result *r, struct seam_fault *f)
{
    struct reconcile_difference *x;

    r->differences++;
    if (r->shown == RECONCILE_SHOWN_MAX) return SEAM_OK;
    if (r->list == NULL) {
        r->list = seam_arena_alloc(a->arena, RECONCILE_SHOWN_MAX * sizeof *r->list);
        if (r->list == NULL) return no_memory(d, f);
    }
    x = &r->list[r->shown++];
    *x = (struct reconcile_difference){
        .verdict = kept == NULL    ? VERDICT_MISSING
                   : fresh == NULL ? VERDICT_EXTRA
                                   : VERDICT_CORRUPT,
        .source = fresh != NULL ? fresh->row : NULL,
        .store = kept != NULL ? kept->row : NULL,
        .source_lsn = r->lsn,
        .store_lsn = r->lsn,
        .key_text = "",
    };
    if (d->by_group) x->key = fresh != NULL ? fresh->key : kept->key;
    x->key_text = key_text(a, fresh != NULL ? fresh->key : kept->key);
    return x->key_text != NULL ? SEAM_OK : no_memory(d, f);
}

static enum seam_status put_side_by_side(const struct declared *d, const struct ask_answer *kept,
                                         const struct ask_answer *fresh, struct reconcile_result *r,
                                         struct seam_fault *f)
{
    struct keyed *k = in_order(d, kept), *q = in_order(d, fresh);
    size_t i = 0, j = 0;
    enum seam_status st = k != NULL && q != NULL ? SEAM_OK : no_memory(d, f);

    while (st == SEAM_OK && (i < kept->count || j < fresh->count)) {
        int c = i == kept->count ? 1
                : j == fresh->count
                    ? -1
                    : seam_key_compare(k[i].key.data, k[i].key.size, q[j].key.data, q[j].key.size);

        if (c != 0 || strcmp(k[i].row, q[j].row) != 0)
            st = differ(d, fresh, c >= 0 ? &q[j] : NULL, c <= 0 ? &k[i] : NULL, r, f);
        i += c <= 0;
        j += c >= 0;
    }
    free(k);
    free(q);
    return st;
}

/* ---- one table, then all ---- */

/* The query is asked AS OF the LSN at which the kept table stands. */
static enum seam_status compare(struct ask_sql_platform *s, const struct declared *d,
                                struct seam_arena *a, struct reconcile_result *r,
                                struct seam_fault *f)
{
    struct ask_answer kept = {.arena = a, .key_names = d->key, .n_key = d->n_key}, fresh = kept;
    struct seam_buf text = {0};
    enum seam_status st = ask_sql_platform_next(s, f);

    seam_buf_printf(&text, "SELECT * FROM %s", d->from);
    if (st == SEAM_OK) st = ask_rows(s, seam_buf_cstr(&text), &kept, &r->lsn, f);
    seam_buf_clear(&text);
    seam_buf_printf(&text, "%s AS OF LSN %" PRIu64, d->sql, r->lsn);
    if (st == SEAM_OK) st = ask_rows(s, seam_buf_cstr(&text), &fresh, NULL, f);
    r->cost.store_rows = kept.count;
    r->cost.source_rows = fresh.count;
    if (st == SEAM_OK) st = put_side_by_side(d, &kept, &fresh, r, f);
    ask_answer_free(&kept);
    ask_answer_free(&fresh);
    seam_buf_free(&text);
    return st;
}

static enum seam_status compare_declared(struct ask_sql_platform *s, const struct seam_json *config,
                                         bool view, struct reconcile_report *out,
                                         struct seam_fault *f)
{
    struct declared d = {.store = view ? "view" : "gold",
                         .name = seam_json_string(config, "name", ""),
                         .sql = seam_json_string(config, "sql", "")};
    struct reconcile_result *r = &out->results[out->count];
    uint64_t start = seam_clock_mono_ns(s->platform->clock);
    struct seam_fault local = {0};
    enum seam_status st = SEAM_OK;

    if (out->count == RESULTS_MAX)
        return seam_fault_set(f, SEAM_LIMIT, d.store, SEAM_FAULT_NO_OFFSET, "more than %d tables",
                              RESULTS_MAX);
    out->count++;
    *r = (struct reconcile_result){.store = d.store, .table = d.name};
    snprintf(d.from, sizeof d.from, "%s%s", view ? "view_" : "", d.name);
    if (view)
        st = view_keys(s, &d, &out->arena, &local);
    else
        gold_keys(&d, config);
    if (st == SEAM_OK) st = compare(s, &d, &out->arena, r, &local);
    r->cost.ns = seam_clock_mono_ns(s->platform->clock) - start;
    if (st == SEAM_INVALID || st == SEAM_NOT_FOUND) { /* not there yet: that is a difference */
        r->note = seam_arena_strdup(&out->arena, local.why, strlen(local.why));
        r->differences++;
        st = r->note != NULL ? SEAM_OK : no_memory(&d, f);
    } else if (st != SEAM_OK && f != NULL) {
        *f = local;
    }
    out->differences += r->differences;
    return st;
}

enum seam_status reconcile_queries(const struct platform *p, struct reconcile_report *out,
                                   struct seam_fault *f)
{
    struct ask_sql_platform s = {0};
    enum seam_status st;

    *out = (struct reconcile_report){0};
    out->results = seam_arena_zalloc(&out->arena, RESULTS_MAX * sizeof *out->results);
    if (out->results == NULL)
        return seam_fault_set(f, SEAM_NOMEM, "reconcile", SEAM_FAULT_NO_OFFSET,
                              "no memory for a report");
    st = ask_sql_platform_open(&s, p, f);
    for (int view = 1; st == SEAM_OK && view >= 0; view--) {
        const struct seam_json *list = seam_json_get(
            platform_sink_config(p, view ? "view" : "gold"), view ? "views" : "tables");

        for (const struct seam_json *n = list != NULL ? list->child : NULL;
             st == SEAM_OK && n != NULL; n = n->next)
            st = compare_declared(&s, n, view != 0, out, f);
    }
    ask_sql_platform_close(&s);
    return st;
}

/* ---- repair ---- */

static enum seam_status ask_for(struct oltp_txn *t, const struct reconcile_result *r,
                                uint64_t *requests, struct seam_fault *f)
{
    bool whole = strcmp(r->store, "gold") == 0 || r->shown < r->differences ||
                 r->shown > RECONCILE_GROUPS_MAX || r->list[0].key.data == NULL;
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && !whole && i < r->shown; i++, ++*requests)
        st = sink_repair_event_put(t, r->store, r->table, r->list[i].key, r->list[i].key_text, f);
    if (!whole) return st;
    ++*requests;
    return sink_repair_event_put(t, r->store, r->table, (struct wal_bytes){NULL, 0}, NULL, f);
}

enum seam_status reconcile_queries_repair(const struct platform *p,
                                          const struct reconcile_report *r, uint64_t *requests,
                                          seam_lsn_t *lsn, struct seam_fault *f)
{
    struct platform_source source = {0};
    struct oltp_txn *t = NULL;
    struct oltp_commit commit = {0};
    enum seam_status st = platform_open_source(p, &source, f);

    *requests = 0;
    if (st == SEAM_OK) st = oltp_write_begin(source.db, &t, f);
    for (size_t i = 0; st == SEAM_OK && i < r->count; i++)
        if (r->results[i].differences > 0 && r->results[i].note == NULL)
            st = ask_for(t, &r->results[i], requests, f);
    if (st == SEAM_OK) {
        st = oltp_commit(t, OLTP_DURABLE, &commit, f);
        t = NULL;
    }
    oltp_end(t);
    *lsn = commit.lsn;
    return platform_close_source(&source, st, f);
}
