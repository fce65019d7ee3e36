/* cmd_lineage - where a row came from: row store, log, stream, bronze, silver, compared at one LSN. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/key.h"
#include "engine/values/row.h"
#include "pipeline/cli/walk.h"

const char *walk_op(uint8_t op)
{
    return op == WAL_OP_INSERT   ? "insert"
           : op == WAL_OP_UPDATE ? "update"
           : op == WAL_OP_DELETE ? "delete"
                                 : "?";
}

static struct wal_bytes copy(struct seam_arena *a, struct wal_bytes b)
{
    void *p = b.data != NULL ? seam_arena_alloc(a, b.size + 1) : NULL;

    if (p == NULL) return (struct wal_bytes){NULL, 0};
    memcpy(p, b.data, b.size);
    return (struct wal_bytes){p, b.size};
}

/* A snapshot begins: what it does not name is gone. */
static void supersede(const struct stream_event *e, struct cli_walk_event *out)
{
    out->op = WAL_OP_DELETE;
    out->unnamed = out->snapshot = true;
    out->previous = e->previous;
    out->offset = e->offset;
    out->txn = e->txn;
    out->seq = e->seq;
    out->lsn = e->lsn;
    out->wall_us = e->wall_us;
    out->before = out->after = (struct wal_bytes){NULL, 0};
}

enum seam_status walk_find(const struct platform *p, const uint32_t *tables, size_t n_tables,
                           struct wal_bytes key, seam_lsn_t after, seam_lsn_t until, bool first,
                           struct seam_arena *keep, struct cli_walk_event *out,
                           struct seam_fault *f)
{
    struct stream_reader *r = NULL;
    struct stream_event e;
    char dir[SEAM_PATH_MAX_BYTES];
    bool found = false;
    enum seam_status st = platform_path(p, "stream", dir, f);

    if (st == SEAM_OK)
        st = stream_reader_open(p->io, dir,
                                after == SEAM_LSN_NONE ? STREAM_FROM_START : STREAM_FROM_LSN,
                                (int64_t)after, &r, f);
    while (st == SEAM_OK && !(first && found) && (st = stream_reader_next(r, &e, f)) == SEAM_OK &&
           e.lsn <= until) {
        bool wanted = false;

        if (found && key.data != NULL && e.kind == STREAM_SCHEMA && e.snapshot && e.seq == 0)
            supersede(&e, out);
        if (e.kind != STREAM_ROW || e.lsn <= after) continue;
        for (size_t i = 0; i < n_tables; i++) wanted |= tables[i] == e.row.table;
        if (!wanted || (key.data != NULL && !wal_bytes_equal(key, e.row.key))) continue;
        *out = (struct cli_walk_event){.offset = e.offset,
                                       .txn = e.txn,
                                       .seq = e.seq,
                                       .lsn = e.lsn,
                                       .wall_us = e.wall_us,
                                       .op = e.row.op,
                                       .table = e.row.table,
                                       .key = copy(keep, e.row.key),
                                       .before = copy(keep, e.row.before),
                                       .after = copy(keep, e.row.after),
                                       .snapshot = e.snapshot,
                                       .previous = e.previous};
        found = true;
    }
    stream_reader_close(r);
    if (st != SEAM_OK && st != SEAM_END) return st;
    return found ? SEAM_OK : SEAM_NOT_FOUND;
}

/* ---- the layers ---- */

struct layers {
    struct cli *cli;
    const struct platform *platform;
    const char *table, *key_words, *where; /* the key as words, and as a condition in SQL */
    const struct seam_schema *schema;
    struct seam_arena arena;
    struct wal_bytes key;
    seam_lsn_t lsn;
    struct seam_buf *out;
};

/* The row in the row store AS OF an LSN, as JSON. SEAM_NOT_FOUND: no such row then. */
static enum seam_status source_row(struct layers *l, seam_lsn_t lsn, const char **json,
                                   struct wal_bytes *raw, struct seam_fault *f)
{
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct oltp_row row;
    struct seam_value values[SEAM_COLUMNS_MAX];
    struct seam_buf text = {0};
    uint32_t table;
    enum seam_status st = platform_open_reader(l->platform, lsn, INT64_MIN, &db, f);

    *json = "no row";
    if (st == SEAM_OK) st = oltp_read_begin(db, &t, f);
    if (st == SEAM_OK) st = oltp_table(t, l->table, &table, f);
    if (st == SEAM_OK) st = oltp_get_key(t, table, l->key, &row, NULL);
    if (st == SEAM_OK) {
        if (raw != NULL) *raw = copy(&l->arena, row.row);
        st = seam_row_decode(oltp_schema(t, table), row.row.data, row.row.size, values, f);
        if (st == SEAM_OK) seam_row_to_json(oltp_schema(t, table), values, &text);
        if (st == SEAM_OK) *json = seam_arena_strdup(&l->arena, (const char *)text.data, text.size);
    }
    oltp_end(t);
    (void)oltp_close(db, NULL);
    seam_buf_free(&text);
    return st;
}

struct cli_bronze {
    struct layers *l;
    uint64_t events;
    uint64_t offset;
    seam_lsn_t lsn;
    bool same_bytes;
    const struct cli_walk_event *want;
};

static enum seam_status bronze_row(void *ctx, const struct seam_value *v, seam_lsn_t begin,
                                   seam_lsn_t end)
{
    struct cli_bronze *b = ctx;
    struct wal_bytes key = {(const uint8_t *)v[9].s, v[9].len};

    (void)begin;
    (void)end;
    if (v[7].i != (int64_t)b->l->schema->id || !wal_bytes_equal(key, b->l->key) ||
        (seam_lsn_t)v[1].i > b->l->lsn)
        return SEAM_OK;
    b->events++;
    if ((seam_lsn_t)v[1].i < b->lsn) return SEAM_OK;
    b->lsn = (seam_lsn_t)v[1].i;
    b->offset = (uint64_t)v[0].i;
    b->same_bytes = b->offset == b->want->offset &&
                    wal_bytes_equal(v[11].type == SEAM_V_TEXT
                                        ? (struct wal_bytes){(const uint8_t *)v[11].s, v[11].len}
                                        : (struct wal_bytes){NULL, 0},
                                    b->want->after);
    return SEAM_OK;
}

static enum seam_status silver_row(struct layers *l, const struct columnar_reader *r, seam_lsn_t at,
                                   const char **json, struct seam_fault *f)
{
    struct seam_value key[SEAM_COLUMNS_MAX], row[SEAM_COLUMNS_MAX];
    struct seam_buf text = {0}, out = {0}, words = {0};
    const uint8_t *p = l->key.data;
    char name[SEAM_NAME_MAX_BYTES + 8];
    int table;
    enum seam_status st = SEAM_OK;

    snprintf(name, sizeof name, "silver_%s", l->table);
    table = columnar_table(r, name);
    *json = "no row";
    for (uint16_t i = 0; st == SEAM_OK && i < l->schema->key_count; i++) {
        const struct seam_column *c = &l->schema->columns[l->schema->key[i]];

        st = seam_key_read(&p, l->key.data + l->key.size, c->type, &key[i], &words);
        key[i].scale = c->scale;
    }
    if (st == SEAM_OK)
        st = table < 0 ? SEAM_NOT_FOUND : columnar_get(r, table, key, at, row, &text, f);
    if (st == SEAM_OK) seam_row_to_json(columnar_schema(r, table), row, &out);
    if (st == SEAM_OK) *json = seam_arena_strdup(&l->arena, (const char *)out.data, out.size);
    seam_buf_free(&text);
    seam_buf_free(&out);
    seam_buf_free(&words);
    return st == SEAM_NOT_FOUND ? SEAM_OK : st;
}

static void step(struct seam_buf *out, const char *layer, const char *fmt, ...)
    SEAM_PRINTF_LIKE(3, 4);
static void step(struct seam_buf *out, const char *layer, const char *fmt, ...)
{
    va_list ap;

    seam_buf_printf(out, "  %-10s ", layer);
    va_start(ap, fmt);
    seam_buf_vprintf(out, fmt, ap);
    va_end(ap);
    seam_buf_str(out, "\n");
}

/* Bronze and silver: the warehouse as published. What parts from the source is named in *parts. */
static enum seam_status warehouse_steps(struct layers *l, const struct cli_walk_event *e,
                                        const char *truth, const char **parts)
{
    struct seam_fault *f = &l->cli->fault;
    struct columnar_options o = {.clock = l->platform->clock};
    struct columnar_reader *r = NULL;
    struct cli_bronze b = {.l = l, .want = e};
    const char *silver;
    char dir[SEAM_PATH_MAX_BYTES], age[32];
    seam_lsn_t applied;
    int table;
    enum seam_status st = platform_sink_path(l->platform, "warehouse", dir, f);

    if (st == SEAM_OK) st = columnar_open_reader(l->platform->io, dir, &o, &r, f);
    if (st != SEAM_OK) return st;
    applied = columnar_applied(r);
    table = columnar_table(r, "bronze_changes");
    if (table >= 0) st = columnar_scan_rows(r, table, SEAM_LSN_MAX, bronze_row, &b, f);
    if (st == SEAM_OK && b.events == 0)
        step(l->out, "bronze", "no event of this row up to LSN %" PRIu64, l->lsn);
    else if (st == SEAM_OK)
        step(l->out, "bronze",
             "%" PRIu64 " events of this row; the newest is offset %" PRIu64 " at LSN %" PRIu64
             "%s",
             b.events, b.offset, b.lsn, b.same_bytes ? ", byte for byte the stream's" : "");
    if (st == SEAM_OK && !b.same_bytes && !e->unnamed && *parts == NULL)
        *parts = applied < e->lsn ? "the warehouse has not applied this change yet"
                                  : "bronze is not what the stream said";
    if (st == SEAM_OK) st = silver_row(l, r, l->lsn < applied ? l->lsn : SEAM_LSN_MAX, &silver, f);
    if (st == SEAM_OK) {
        step(l->out, "silver", "AS OF LSN %" PRIu64 ": %s", l->lsn < applied ? l->lsn : applied,
             silver);
        step(l->out, "",
             "$ seam sql DIR \"SELECT *, _begin_lsn FROM silver_%s WHERE %s AS OF LSN %" PRIu64
             "\"",
             l->table, l->where, l->lsn < applied ? l->lsn : applied);
        if (strcmp(silver, truth) != 0 && *parts == NULL) *parts = "silver parts from bronze";
        if (applied < l->lsn)
            step(l->out, "", "silver stopped at LSN %" PRIu64 ", published %s ago", applied,
                 human_duration(
                     seam_clock_wall_us(l->platform->clock) - columnar_applied_wall_us(r), age));
    }
    columnar_close_reader(r);
    return st;
}

static void stream_step(struct seam_buf *out, const struct cli_walk_event *e)
{
    char when[40];

    when[seam_time_format(e->wall_us, when)] = '\0';
    if (e->unnamed)
        step(out, "stream",
             "deleted while nobody looked: the snapshot of the row store at LSN %" PRIu64
             " does not name it",
             e->lsn);
    else if (e->snapshot)
        step(out, "stream",
             "offset %" PRIu64 ": read by a snapshot of the row store at LSN %" PRIu64 ", %s",
             e->offset, e->lsn, when);
    else
        step(out, "stream",
             "offset %" PRIu64 ": %s in transaction %" PRIu64 ", committed at LSN %" PRIu64 ", %s",
             e->offset, walk_op(e->op), e->txn, e->lsn, when);
    if (e->snapshot && e->previous < e->lsn)
        step(out, "",
             "what happened to it after LSN %" PRIu64 " and before that is in no log any more",
             e->previous);
}

static enum seam_status all_steps(struct layers *l, bool *agree)
{
    struct seam_fault *f = &l->cli->fault;
    struct cli_walk_event e = {0};
    struct wal_bytes raw = {NULL, 0}, at = {NULL, 0};
    const char *now, *then, *before = "", *parts = NULL;
    enum seam_status st = source_row(l, l->lsn, &now, &raw, f);

    if (st != SEAM_OK && st != SEAM_NOT_FOUND) return st;
    step(l->out, "row store", "AS OF LSN %" PRIu64 ": %s", l->lsn, now);
    step(l->out, "", "$ seam get DIR %s %s --as-of %" PRIu64, l->table, l->key_words, l->lsn);
    st = walk_find(l->platform, &l->schema->id, 1, l->key, SEAM_LSN_NONE, l->lsn, false, &l->arena,
                   &e, f);
    if (st == SEAM_NOT_FOUND) {
        step(l->out, "stream", "no event of this row up to LSN %" PRIu64, l->lsn);
        parts = raw.data != NULL ? "the stream does not have what the row store has" : NULL;
        *agree = parts == NULL;
        if (parts != NULL) seam_buf_printf(l->out, "they part: %s\n", parts);
        return SEAM_OK;
    }
    if (st != SEAM_OK) return st;
    stream_step(l->out, &e);
    if (!wal_bytes_equal(e.after, raw))
        parts = "the stream's newest event is not what the row store has: the relay is behind, or "
                "lost it";
    st = source_row(l, e.lsn, &then, &at, f);
    if (e.snapshot && (st == SEAM_OK || st == SEAM_NOT_FOUND)) {
        step(l->out, "log", "gone before LSN %" PRIu64 "; the row store AS OF it: %s", e.lsn, then);
        st = SEAM_OK;
    } else if (st == SEAM_OK || st == SEAM_NOT_FOUND) {
        st = source_row(l, e.lsn - 1, &before, NULL, f);
    }
    if (!e.snapshot && (st == SEAM_OK || st == SEAM_NOT_FOUND)) {
        step(l->out, "log", "LSN %" PRIu64 " ends that commit. AS OF it: %s", e.lsn, then);
        step(l->out, "", "one byte earlier, AS OF LSN %" PRIu64 ": %s", e.lsn - 1, before);
        step(l->out, "", "$ seam get DIR %s %s --as-of %" PRIu64, l->table, l->key_words,
             e.lsn - 1);
        st = SEAM_OK;
    }
    if (st == SEAM_OK && !wal_bytes_equal(e.after, at) && parts == NULL)
        parts = "the stream's event is not what the log says";
    if (st == SEAM_OK) st = warehouse_steps(l, &e, now, &parts);
    if (st != SEAM_OK) return st;
    *agree = parts == NULL;
    if (parts != NULL)
        seam_buf_printf(l->out, "they part: %s\n", parts);
    else
        seam_buf_printf(l->out, "every layer agrees at LSN %" PRIu64 "\n", l->lsn);
    return SEAM_OK;
}

static void key_words(const struct seam_schema *s, struct wal_bytes key, struct seam_buf *out,
                      struct seam_buf *where)
{
    const uint8_t *p = key.data;
    struct seam_buf text = {0};

    for (uint16_t i = 0; i < s->key_count; i++) {
        struct seam_value v;

        if (seam_key_read(&p, key.data + key.size, s->columns[s->key[i]].type, &v, &text) !=
            SEAM_OK)
            break;
        v.scale = s->columns[s->key[i]].scale;
        if (i > 0) seam_buf_str(out, " ");
        seam_value_format(&v, out);
        seam_buf_printf(where, "%s%s = %s", i > 0 ? " AND " : "", s->columns[s->key[i]].name,
                        v.type == SEAM_V_INT ? "" : "'");
        seam_value_format(&v, where);
        if (v.type != SEAM_V_INT) seam_buf_str(where, "'");
    }
    seam_buf_free(&text);
}

enum seam_status walk_row(struct cli *c, const struct platform *p, const char *table,
                          struct wal_bytes key, seam_lsn_t lsn, bool *agree, struct seam_buf *out)
{
    struct layers l = {.cli = c, .platform = p, .table = table, .key = key, .lsn = lsn, .out = out};
    struct seam_schema schema = {0};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct seam_buf words = {0}, where = {0};
    uint32_t id;
    enum seam_status st = platform_open_reader(p, SEAM_LSN_MAX, INT64_MIN, &db, &c->fault);

    if (st == SEAM_OK) st = oltp_read_begin(db, &t, &c->fault);
    if (st == SEAM_OK) st = oltp_table(t, table, &id, &c->fault);
    if (st == SEAM_OK) st = seam_schema_clone(oltp_schema(t, id), &schema);
    if (st == SEAM_OK && l.lsn == SEAM_LSN_MAX) l.lsn = oltp_txn_lsn(t);
    oltp_end(t);
    (void)oltp_close(db, NULL);
    if (st != SEAM_OK) return st;
    l.schema = &schema;
    key_words(&schema, key, &words, &where);
    l.key_words = seam_buf_cstr(&words);
    l.where = seam_buf_cstr(&where);
    seam_buf_printf(out, "%s %s at LSN %" PRIu64 "\n", table, l.key_words, l.lsn);
    st = all_steps(&l, agree);
    seam_buf_free(&words);
    seam_buf_free(&where);
    seam_schema_free(&schema);
    seam_arena_free(&l.arena);
    return st;
}

/* ---- the command ---- */

static enum seam_status encode(const struct platform *p, const char *table,
                               const char *const *words, int n, struct seam_buf *key,
                               struct seam_fault *f)
{
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    uint32_t id;
    enum seam_status st = platform_open_reader(p, SEAM_LSN_MAX, INT64_MIN, &db, f);

    if (st == SEAM_OK) st = oltp_read_begin(db, &t, f);
    if (st == SEAM_OK) st = oltp_table(t, table, &id, f);
    if (st == SEAM_OK && n != oltp_schema(t, id)->key_count)
        st = seam_fault_set(f, SEAM_INVALID, table, SEAM_FAULT_NO_OFFSET,
                            "the key has %d column(s), %d given", oltp_schema(t, id)->key_count, n);
    for (int i = 0; st == SEAM_OK && i < n; i++) {
        const struct seam_column *c = &oltp_schema(t, id)->columns[oltp_schema(t, id)->key[i]];
        struct seam_value v;

        st = seam_value_parse(words[i], strlen(words[i]), c->type, c->scale, &v);
        if (st == SEAM_OK)
            seam_key_append(key, &v);
        else
            st = seam_fault_set(f, SEAM_INVALID, c->name, SEAM_FAULT_NO_OFFSET, "'%s' is no %s",
                                words[i], seam_value_type_name(c->type));
    }
    oltp_end(t);
    (void)oltp_close(db, NULL);
    return st;
}

int cmd_lineage(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    int64_t lsn = 0;
    bool events = false;
    const struct seam_opt opts[] = {
        {"at", 0, SEAM_OPT_INT, "LSN", "compare the layers at this LSN (the newest)", &lsn},
        {"openlineage", 0, SEAM_OPT_FLAG, NULL, "DIR alone: every seam as a run event", &events},
    };
    struct platform p;
    struct seam_buf key = {0}, out = {0};
    bool agree = true;
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1,
                       2 + SEAM_KEY_COLUMNS_MAX);
    enum seam_status st;

    if (rc >= 0) return rc;
    if (!events && count < 3) return cli_usage(c, "which table and key?");
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    if (events) {
        rc = print_openlineage(c, &p);
        platform_close(&p);
        return rc;
    }
    st = encode(&p, args[1], args + 2, count - 2, &key, &c->fault);
    if (st == SEAM_OK)
        st = walk_row(c, &p, args[1], (struct wal_bytes){key.data, key.size},
                      lsn > 0 ? (seam_lsn_t)lsn : SEAM_LSN_MAX, &agree, &out);
    cli_print(&out);
    seam_buf_free(&out);
    seam_buf_free(&key);
    platform_close(&p);
    if (st != SEAM_OK) return cli_fail(c, st);
    return agree ? EXIT_FINE : EXIT_CHECK_FAILED;
}
