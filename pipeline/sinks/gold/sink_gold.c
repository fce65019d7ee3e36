/* sink_gold - declared aggregates of silver, kept as tables of their own warehouse.
 *
 * Each gold table is a SQL query over silver. A refresh asks the query AS OF silver's applied LSN and writes only
 * the rows that differ from what gold holds, at that LSN: so gold's history is as exact as silver's at the
 * moments it was refreshed, and an idle shop writes nothing. It is a full recomputation on purpose: the dashboard
 * view (pipeline/view/) is incremental, and two stores that agree by different roads are worth comparing.
 * Refreshes are spaced by several times what one costs, so a large shop slows gold down and nothing else.
 *
 * Silver is read as published (columnar reader); the stream only tells that something happened.      */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/sql/sql.h"
#include "engine/base/hash.h"
#include "engine/values/key.h"
#include "pipeline/sinks/columns.h"
#include "pipeline/sinks/gold/gold_asked.h"
#include "pipeline/sinks/sink.h"
#include "pipeline/stream/feed.h"

enum {
    GOLD_TABLES_MAX = 32,
    COST_FACTOR = 4,
    MIN_INTERVAL_US = 20000,
    SILVER_POLL_US = 5000,
    IDLE_WAIT_NS = 200000000
};

struct gold_table {
    const char *name, *sql;
    const struct seam_json *config;
    int table; /* in gold's warehouse; -1 until silver has what the query needs */
};

struct gold_sink {
    struct sink sink;
    struct columnar_writer *writer;
    struct columnar_reader *silver; /* NULL until the warehouse sink has published */
    struct gold_table tables[GOLD_TABLES_MAX];
    size_t count;
    seam_lsn_t refreshed; /* silver's LSN at the last refresh */
    uint64_t cost_ns, last_ns;
};

static enum seam_status read_config(struct gold_sink *s, struct seam_fault *f)
{
    const struct seam_json *list = seam_json_get(s->sink.config, "tables");

    for (const struct seam_json *n = list != NULL ? list->child : NULL; n != NULL; n = n->next) {
        struct gold_table *t = &s->tables[s->count];

        if (s->count == GOLD_TABLES_MAX)
            return seam_fault_set(f, SEAM_LIMIT, "sinks.gold.tables", n->line,
                                  "at most %d gold tables", GOLD_TABLES_MAX);
        t->name = seam_json_string(n, "name", NULL);
        t->sql = seam_json_string(n, "sql", NULL);
        t->config = n;
        t->table = -1;
        if (t->name == NULL || t->sql == NULL)
            return seam_fault_set(f, SEAM_INVALID, "sinks.gold.tables", n->line,
                                  "\"name\" and \"sql\" are needed");
        s->count++;
    }
    return SEAM_OK;
}

static enum seam_status gold_open(struct sink *sink, struct seam_fault *f)
{
    struct gold_sink *s = (struct gold_sink *)sink;
    struct columnar_options o = {.clock = sink->platform->clock, .trace = sink->trace};
    enum seam_status st = read_config(s, f);

    if (st == SEAM_OK) st = columnar_open_writer(sink->platform->io, sink->dir, &o, &s->writer, f);
    if (st == SEAM_OK) s->refreshed = columnar_writer_applied(s->writer);
    return st;
}

/* Opens or refreshes silver. *ready is false while there is none yet.                              */
static enum seam_status look_at_silver(struct gold_sink *s, bool *ready, struct seam_fault *f)
{
    const struct platform *p = s->sink.platform;
    struct columnar_options o = {.clock = p->clock};
    struct seam_fault local = {0};
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st = SEAM_OK;

    *ready = false;
    if (s->silver != NULL) {
        st = columnar_refresh(s->silver, NULL, f);
    } else {
        st = platform_sink_path(p, "warehouse", dir, f);
        if (st != SEAM_OK || !seam_io_exists(p->io, dir)) return st;
        st = columnar_open_reader(p->io, dir, &o, &s->silver, &local);
        if (st == SEAM_NOT_FOUND) return SEAM_OK;
        if (st != SEAM_OK && f != NULL) *f = local;
    }
    *ready = st == SEAM_OK;
    return st;
}

/* The gold table's schema is the query's columns; its key is configuration.                         */
static enum seam_status define(struct gold_sink *s, struct gold_table *t,
                               const struct columnar_sql_query *q, struct seam_fault *f)
{
    const struct seam_json *keys = seam_json_get(t->config, "key");
    struct seam_buf b = {0};
    struct seam_json_writer w;
    struct seam_schema schema = {0};
    struct columnar_table_options o = {0};
    enum seam_status st;

    seam_jw_init(&w, &b);
    seam_jw_object(&w);
    seam_jw_key(&w, "table");
    seam_jw_str(&w, t->name);
    seam_jw_key(&w, "key");
    seam_jw_node(&w, keys != NULL ? keys : &(struct seam_json){.type = SEAM_J_ARRAY});
    seam_jw_key(&w, "columns");
    seam_jw_array(&w);
    for (int i = 0; i < q->n_columns; i++) {
        bool key = false;

        for (const struct seam_json *k = keys != NULL ? keys->child : NULL; k != NULL; k = k->next)
            key |= k->type == SEAM_J_STRING && strcmp(k->str, q->columns[i].name) == 0;
        seam_jw_object(&w);
        seam_jw_key(&w, "name");
        seam_jw_str(&w, q->columns[i].name);
        seam_jw_key(&w, "type");
        seam_jw_str(&w, seam_value_type_name(q->columns[i].type));
        seam_jw_key(&w, "scale");
        seam_jw_int(&w, q->columns[i].scale);
        seam_jw_key(&w, "nullable");
        seam_jw_bool(&w, !key);
        seam_jw_end_object(&w);
    }
    seam_jw_end_array(&w);
    seam_jw_end_object(&w);
    st = seam_schema_parse((const char *)b.data, b.size, &schema, f);
    if (st == SEAM_OK) st = columnar_define_table(s->writer, &schema, &o, f);
    if (st == SEAM_OK) t->table = columnar_writer_table(s->writer, t->name);
    seam_schema_free(&schema);
    seam_buf_free(&b);
    return st;
}

struct refresh {
    struct gold_sink *s;
    struct gold_table *t;
    const struct seam_schema *schema;
    struct seam_hash_set seen; /* keys of the answer, to find rows of gold that are in it no more */
    struct seam_buf key;
    seam_lsn_t lsn;
    uint64_t written;
    struct seam_fault *f;
};

static struct seam_hash128 row_key_hash(struct refresh *r, const struct seam_value *values)
{
    seam_buf_clear(&r->key);
    for (int i = 0; i < r->schema->key_count; i++)
        seam_key_append(&r->key, &values[r->schema->key[i]]);
    return seam_siphash128(r->key.data, r->key.size);
}

/* Writes the answer's row when gold has none with its key, or another one.                          */
static enum seam_status write_row(struct refresh *r, const struct seam_value *row)
{
    struct seam_value old[SEAM_COLUMNS_MAX], key[SEAM_KEY_COLUMNS_MAX];
    struct seam_fault none = {0};
    bool same = true;
    enum seam_status st;

    if (!seam_hash_set_add(&r->seen, row_key_hash(r, row)))
        return seam_fault_set(r->f, SEAM_NOMEM, r->t->name, SEAM_FAULT_NO_OFFSET, "no memory");
    for (int i = 0; i < r->schema->key_count; i++) key[i] = row[r->schema->key[i]];
    st = columnar_writer_get(r->s->writer, r->t->table, key, old, &none);
    if (st == SEAM_OK)
        for (int i = 0; i < r->schema->column_count && same; i++)
            same = old[i].type == row[i].type && seam_value_equal(&old[i], &row[i]);
    if (st == SEAM_OK && same) return SEAM_OK;
    if (st != SEAM_OK && st != SEAM_NOT_FOUND) {
        if (r->f != NULL) *r->f = none;
        return st;
    }
    r->written++;
    return columnar_upsert(r->s->writer, r->t->table, row, r->lsn, NULL, r->f);
}

static enum seam_status write_batch(void *ctx, const struct columnar_batch *b, struct seam_fault *f)
{
    struct refresh *r = ctx;
    enum seam_status st = SEAM_OK;

    (void)f;
    for (uint32_t i = 0; i < b->rows && st == SEAM_OK; i++) {
        struct seam_value row[SEAM_COLUMNS_MAX];

        columnar_batch_row(b, i, row);
        st = write_row(r, row);
    }
    return st;
}

/* Rows that gold published and the answer no longer has.                                           */
static enum seam_status delete_absent(void *ctx, const struct seam_value *values, seam_lsn_t begin,
                                      seam_lsn_t end)
{
    struct refresh *r = ctx;

    (void)begin;
    (void)end;
    if (seam_hash_set_has(&r->seen, row_key_hash(r, values))) return SEAM_OK;
    r->written++;
    return columnar_delete(r->s->writer, r->t->table, values, r->lsn, NULL, r->f);
}

static enum seam_status delete_vanished(struct refresh *r, struct seam_fault *f)
{
    const struct platform *p = r->s->sink.platform;
    struct columnar_options o = {.clock = p->clock};
    struct columnar_reader *gold = NULL;
    struct seam_fault none = {0};
    int table;
    enum seam_status st = columnar_open_reader(p->io, r->s->sink.dir, &o, &gold, &none);

    if (st == SEAM_NOT_FOUND) return SEAM_OK; /* nothing published yet */
    if (st != SEAM_OK) {
        if (f != NULL) *f = none;
        return st;
    }
    table = columnar_table(gold, r->t->name);
    if (table >= 0) st = columnar_scan_rows(gold, table, SEAM_LSN_MAX, delete_absent, r, f);
    columnar_close_reader(gold);
    return st;
}

static enum seam_status refresh_table(struct gold_sink *s, struct gold_table *t, seam_lsn_t lsn,
                                      uint64_t *written, struct seam_fault *f)
{
    const struct columnar_reader *readers[] = {s->silver};
    struct columnar_sql_env env = {.readers = readers, .reader_count = 1};
    struct columnar_query_options o = {.threads = 1, .clock = s->sink.platform->clock};
    struct refresh r = {.s = s, .t = t, .lsn = lsn, .f = f};
    struct seam_arena a = {0};
    struct columnar_sql_query q = {0};
    struct seam_fault unknown = {0};
    enum seam_status st = columnar_sql_prepare(&env, t->sql, strlen(t->sql), &a, &q, &unknown);

    if (st != SEAM_OK) /* the configuration is to blame: name the table beside the byte */
        st = seam_fault_set(f, st, t->name, unknown.at, "%s", unknown.why);
    if (st == SEAM_OK) st = define(s, t, &q, f);
    if (st == SEAM_OK) {
        r.schema = columnar_writer_schema(s->writer, t->table);
        st = columnar_sql_run(&q, &o, write_batch, &r, NULL, f);
    }
    if (st == SEAM_OK) st = delete_vanished(&r, f);
    *written += r.written;
    seam_hash_set_free(&r.seen);
    seam_buf_free(&r.key);
    seam_arena_free(&a);
    return st;
}

/* Silver's tables appear when the shop's schema has come through the stream.                        */
static bool silver_complete(const struct gold_sink *s)
{
    const struct seam_json *list =
        seam_json_get(platform_sink_config(s->sink.platform, "warehouse"), "silver");

    for (const struct seam_json *n = list != NULL ? list->child : NULL; n != NULL; n = n->next) {
        char name[SEAM_NAME_MAX_BYTES + 16];

        snprintf(name, sizeof name, "silver_%s", n->str);
        if (columnar_table(s->silver, name) < 0) return false;
    }
    return true;
}

static enum seam_status refresh_all(struct gold_sink *s, struct seam_fault *f)
{
    struct seam_clock *clock = s->sink.platform->clock;
    uint64_t start = seam_clock_mono_ns(clock), written = 0;
    seam_lsn_t lsn = columnar_applied(s->silver);
    enum seam_status st = SEAM_OK;

    if (!silver_complete(s)) return SEAM_OK;
    for (size_t i = 0; st == SEAM_OK && i < s->count; i++)
        st = refresh_table(s, &s->tables[i], lsn, &written, f);
    if (st == SEAM_OK)
        st = columnar_publish(s->writer, lsn, columnar_applied_wall_us(s->silver), f);
    if (st != SEAM_OK) return st;
    s->refreshed = lsn;
    s->last_ns = seam_clock_mono_ns(clock);
    s->cost_ns = s->last_ns - start;
    SEAM_TRACE(s->sink.trace, "pipeline", "gold_refresh", SEAM_TI("lsn", lsn),
               SEAM_TI("rows", written), SEAM_TI("ns", s->cost_ns));
    return SEAM_OK;
}

/* One look at silver: refreshes when it has moved on and the last refresh has been paid off.         */
static enum seam_status gold_step(struct gold_sink *s, struct seam_fault *f)
{
    uint64_t now = seam_clock_mono_ns(s->sink.platform->clock);
    uint64_t pause = s->cost_ns * COST_FACTOR;
    bool ready;
    enum seam_status st = look_at_silver(s, &ready, f);

    if (st != SEAM_OK || !ready || columnar_applied(s->silver) <= s->refreshed) return st;
    if (pause < (uint64_t)MIN_INTERVAL_US * 1000) pause = (uint64_t)MIN_INTERVAL_US * 1000;
    if (s->last_ns != 0 && now - s->last_ns < pause) return SEAM_OK;
    return refresh_all(s, f);
}

static enum seam_status maintain(struct gold_sink *s, struct seam_fault *f)
{
    struct columnar_maintenance done = {0};

    return columnar_maintain(s->writer, &done, f);
}

/* Gold's own loop: the stream says that there is something to come, silver says when it is there.    */
static enum seam_status gold_run(struct sink *sink, struct stream_feed *feed,
                                 const struct sink_run_options *o, struct sink_run_result *result,
                                 struct seam_fault *f)
{
    struct gold_sink *s = (struct gold_sink *)sink;
    struct seam_clock *clock = sink->platform->clock;
    seam_lsn_t wanted = s->refreshed, confirmed = SEAM_LSN_NONE;
    bool heard =
        false; /* something, be it a heartbeat: to be confirmed, so that we are seen to live */
    struct stream_feed_event e;
    enum seam_status st = SEAM_OK;

    while (st == SEAM_OK && (o->stop == NULL || !*o->stop)) {
        while ((st = sink_next(sink, feed, &e, f)) == SEAM_OK) {
            if (e.kind != FEED_COMMIT && e.kind != FEED_HEARTBEAT) continue;
            heard = true;
            if (e.lsn > wanted) wanted = e.lsn;
        }
        if (st == SEAM_END) st = gold_step(s, f);
        if (st != SEAM_OK) break;
        if (s->refreshed > confirmed || (heard && s->refreshed >= wanted)) {
            st = stream_feed_confirm(feed, s->refreshed, f);
            heard = false;
            result->publications += s->refreshed > confirmed;
            confirmed = s->refreshed;
            result->applied = s->refreshed;
            if (st == SEAM_OK) st = maintain(s, f); /* what the refresh owes, idle or not */
        }
        if (o->until_lsn != 0 && s->refreshed >= o->until_lsn) break;
        if (s->refreshed < wanted) {
            clock->sleep_us(clock, SILVER_POLL_US);
            continue;
        }
        if (o->until_caught_up) break;
        if (stream_feed_wait(feed, 0) == SEAM_OK) continue;
        if (st == SEAM_OK) st = maintain(s, f);
        (void)stream_feed_wait(feed, IDLE_WAIT_NS);
    }
    return st;
}

static seam_lsn_t gold_applied(const struct sink *sink)
{
    return ((const struct gold_sink *)sink)->refreshed;
}

static void gold_close(struct sink *sink)
{
    struct gold_sink *s = (struct gold_sink *)sink;

    columnar_close_reader(s->silver);
    columnar_close_writer(s->writer);
}

const struct sink_ops sink_gold = {
    .name = "gold",
    .open = gold_open,
    .run = gold_run,
    .applied = gold_applied,
    .close = gold_close,
    .size = sizeof(struct gold_sink),
    .verify = sink_columns_verify,
    .probe = &sink_gold_probe,
    .tables = &sink_columns_tables,
};
