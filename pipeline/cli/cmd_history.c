/* cmd_history - the data's own git: log, diff, blame, and bisect, over the retained stream. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/key.h"
#include "engine/values/row.h"
#include "pipeline/ask/sqlenv.h"
#include "pipeline/cli/cli.h"
#include "pipeline/stream/feed.h"

/* The stream from an LSN on, with schemas; schemas are learned in memory, so nothing is written.     */
struct history {
    struct platform platform;
    struct stream_registry registry;
    struct stream_feed *feed;
    struct seam_buf line;
};

/* The warehouse's registry knows every table that the stream has told of; it is only read.           */
static enum seam_status history_open(struct cli *c, struct history *h, const char *dir,
                                     seam_lsn_t after)
{
    char sink[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_open(c->io, c->clock, dir, &h->platform, &c->fault);

    if (st == SEAM_OK) st = platform_sink_path(&h->platform, "warehouse", sink, &c->fault);
    if (st == SEAM_OK) st = stream_registry_open(&h->registry, c->io, sink, &c->fault);
    if (st == SEAM_OK)
        st = stream_feed_open(&h->platform, NULL, after, &h->registry, &h->feed, &c->fault);
    return st;
}

static void history_close(struct history *h)
{
    stream_feed_close(h->feed);
    stream_registry_close(&h->registry);
    platform_close(&h->platform);
    seam_buf_free(&h->line);
}

static void time_text(int64_t us, char out[40])
{
    out[seam_time_format(us, out)] = '\0';
}

static void key_text(const struct stream_change *ch, struct seam_buf *out)
{
    const uint8_t *p = ch->key.data, *end = p + ch->key.size;
    struct seam_buf text = {0};

    for (int i = 0; i < ch->schema->key_count; i++) {
        const struct seam_column *col = &ch->schema->columns[ch->schema->key[i]];
        struct seam_value v;

        seam_buf_clear(&text);
        if (seam_key_read(&p, end, col->type, &v, &text) != SEAM_OK) break;
        v.scale = col->scale;
        if (i > 0) seam_buf_u8(out, ',');
        seam_value_format(&v, out);
    }
    seam_buf_free(&text);
}

/* "price 34.9500 -> 31.9900, stock 120 -> 119"; for an insert or delete the whole row.               */
static void change_text(const struct stream_change *ch, struct seam_buf *out)
{
    struct seam_value before[SEAM_COLUMNS_MAX], after[SEAM_COLUMNS_MAX];
    bool has_before =
        ch->before.data != NULL &&
        seam_row_decode(ch->schema, ch->before.data, ch->before.size, before, NULL) == SEAM_OK;
    bool has_after =
        ch->after.data != NULL &&
        seam_row_decode(ch->schema, ch->after.data, ch->after.size, after, NULL) == SEAM_OK;
    bool any = false;

    if (has_before != has_after) {
        seam_row_to_json(ch->schema, has_after ? after : before, out);
        return;
    }
    for (int i = 0; has_before && i < ch->schema->column_count; i++) {
        const struct seam_column *col = &ch->schema->columns[i];

        if (!seam_column_live(col, ch->schema->version) ||
            (before[i].type == after[i].type && seam_value_equal(&before[i], &after[i])))
            continue;
        seam_buf_printf(out, "%s%s ", any ? ", " : "", col->name);
        seam_value_format(&before[i], out);
        seam_buf_str(out, " -> ");
        seam_value_format(&after[i], out);
        any = true;
    }
    if (!any) seam_buf_str(out, "(nothing changed)");
}

static const char *op_name(const struct stream_change *ch)
{
    enum wal_change_op op = ch->op;

    return ch->snapshot          ? "snapshot"
           : op == WAL_OP_INSERT ? "insert"
           : op == WAL_OP_UPDATE ? "update"
                                 : "delete";
}

static void print_change(struct history *h, const struct stream_change *ch, const char *indent)
{
    seam_buf_clear(&h->line);
    seam_buf_printf(&h->line, "%s%s %s ", indent, op_name(ch), ch->schema->name);
    key_text(ch, &h->line);
    seam_buf_str(&h->line, ": ");
    change_text(ch, &h->line);
    seam_buf_u8(&h->line, '\n');
    cli_print(&h->line);
}

/* ---- log ---- */

int cmd_log(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    int64_t from = 0, to = INT64_MAX, limit = 20;
    bool full = false;
    const struct seam_opt opts[] = {
        {"from", 0, SEAM_OPT_INT, "LSN", "after this LSN", &from},
        {"to", 0, SEAM_OPT_INT, "LSN", "up to this LSN", &to},
        {"limit", 'n', SEAM_OPT_INT, "N", "at most N transactions (20)", &limit},
        {"changes", 'p', SEAM_OPT_FLAG, NULL, "show each change", &full},
    };
    struct history h = {0};
    struct stream_feed_event e;
    uint64_t rows = 0, events = 0;
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 1);
    enum seam_status st;

    if (rc >= 0) return rc;
    cli_catch_interrupts();
    st = history_open(c, &h, args[0], (seam_lsn_t)from);
    while (st == SEAM_OK && limit > 0 && !cli_interrupted &&
           (st = stream_feed_next(h.feed, &e, &c->fault)) == SEAM_OK) {
        char when[40];

        if (e.lsn > (seam_lsn_t)to) break;
        if (e.kind == FEED_CHANGE) rows++;
        if (e.kind == FEED_OUTBOX) events++;
        if (e.kind == FEED_CHANGE && full) print_change(&h, &e.change, "    ");
        if (e.kind != FEED_COMMIT) continue;
        time_text(e.wall_us, when);
        printf("LSN %" PRIu64 "  %s  %" PRIu64 " row%s%s%s\n", e.lsn, when, rows,
               rows == 1 ? "" : "s", events > 0 ? ", an event" : "",
               e.snapshot ? ", a snapshot" : "");
        rows = events = 0;
        limit--;
    }
    history_close(&h);
    return st == SEAM_OK || st == SEAM_END ? EXIT_FINE : cli_fail(c, st);
}

/* ---- diff A..B ---- */

int cmd_diff(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *table = NULL;
    int64_t limit = 1000;
    const struct seam_opt opts[] = {
        {"table", 't', SEAM_OPT_STRING, "TABLE", "of this table only", &table},
        {"limit", 'n', SEAM_OPT_INT, "N", "at most N changes (1000)", &limit},
    };
    struct history h = {0};
    struct stream_feed_event e;
    unsigned long long a, b;
    int64_t shown = 0;
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 2, 2);
    enum seam_status st;

    if (rc >= 0) return rc;
    if (sscanf(args[1], "%llu..%llu", &a, &b) != 2 || a >= b)
        return cli_usage(c, "the range is A..B, two LSNs");
    st = history_open(c, &h, args[0], (seam_lsn_t)a);
    while (st == SEAM_OK && shown < limit &&
           (st = stream_feed_next(h.feed, &e, &c->fault)) == SEAM_OK) {
        if (e.lsn > (seam_lsn_t)b) break;
        if (e.kind != FEED_CHANGE || (table != NULL && strcmp(e.change.schema->name, table) != 0))
            continue;
        printf("%" PRIu64 " ", e.lsn);
        print_change(&h, &e.change, "");
        shown++;
    }
    history_close(&h);
    if (st != SEAM_OK && st != SEAM_END) return cli_fail(c, st);
    if (!c->quiet)
        printf("-- %" PRId64 " change%s after LSN %llu, up to LSN %llu\n", shown,
               shown == 1 ? "" : "s", a, b);
    return EXIT_FINE;
}

/* ---- blame TABLE KEY ---- */

static enum seam_status encode_key(const struct seam_schema *s, const char *const *words, int n,
                                   struct seam_buf *out, struct seam_fault *f)
{
    if (n != s->key_count)
        return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET,
                              "the key has %d column(s), %d given", s->key_count, n);
    for (int i = 0; i < n; i++) {
        const struct seam_column *col = &s->columns[s->key[i]];
        struct seam_value v;

        if (seam_value_parse(words[i], strlen(words[i]), col->type, col->scale, &v) != SEAM_OK ||
            v.type == SEAM_V_NULL)
            return seam_fault_set(f, SEAM_INVALID, col->name, SEAM_FAULT_NO_OFFSET, "'%s' is no %s",
                                  words[i], seam_value_type_name(col->type));
        seam_key_append(out, &v);
    }
    return SEAM_OK;
}

int cmd_blame(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    struct history h = {0};
    struct stream_feed_event e;
    struct seam_buf key = {0};
    const struct seam_schema *schema = NULL;
    uint64_t found = 0;
    int count;
    int rc = cli_parse(c, argc, argv, NULL, 0, args, &count, 3, 2 + SEAM_KEY_COLUMNS_MAX);
    enum seam_status st;

    if (rc >= 0) return rc;
    st = history_open(c, &h, args[0], SEAM_LSN_NONE);
    if (st == SEAM_OK && (schema = stream_registry_find(&h.registry, args[1])) == NULL)
        st = seam_fault_set(&c->fault, SEAM_NOT_FOUND, args[1], SEAM_FAULT_NO_OFFSET,
                            "the stream knows no such table");
    if (st == SEAM_OK) st = encode_key(schema, args + 2, count - 2, &key, &c->fault);
    while (st == SEAM_OK && (st = stream_feed_next(h.feed, &e, &c->fault)) == SEAM_OK) {
        char when[40];

        if (e.kind != FEED_CHANGE || strcmp(e.change.schema->name, args[1]) != 0 ||
            e.change.key.size != key.size || memcmp(e.change.key.data, key.data, key.size) != 0)
            continue;
        time_text(e.wall_us, when);
        if (e.snapshot)
            printf("LSN %" PRIu64 "  %s  read by a snapshot  offset %" PRIu64 "\n", e.lsn, when,
                   e.offset);
        else
            printf("LSN %" PRIu64 "  %s  transaction %" PRIu64 "  offset %" PRIu64 "\n", e.lsn,
                   when, e.change.txn, e.offset);
        print_change(&h, &e.change, "    ");
        found++;
    }
    history_close(&h);
    seam_buf_free(&key);
    if (st != SEAM_OK && st != SEAM_END) return cli_fail(c, st);
    if (found > 0) return EXIT_FINE;
    seam_fault_set(&c->fault, SEAM_NOT_FOUND, args[1], SEAM_FAULT_NO_OFFSET,
                   "no retained transaction ever touched this row");
    return cli_fail(c, SEAM_NOT_FOUND);
}

/* ---- bisect ---- */

static enum seam_status collect(void *ctx, const struct columnar_batch *b, struct seam_fault *f)
{
    struct seam_buf *out = ctx;

    (void)f;
    for (uint32_t r = 0; r < b->rows; r++) {
        for (int i = 0; i < b->count; i++) {
            struct seam_value v = columnar_vec_value(&b->cols[i], r);

            if (v.type == SEAM_V_NULL)
                seam_buf_str(out, "NULL");
            else
                seam_value_format(&v, out);
            seam_buf_u8(out, i + 1 < b->count ? '\t' : '\n');
        }
    }
    return SEAM_OK;
}

/* The query's whole answer AS OF an LSN, as text.                                                   */
static enum seam_status answer_at(struct cli *c, struct ask_sql_platform *sql, const char *query,
                                  seam_lsn_t lsn, struct seam_buf *out)
{
    struct seam_buf text = {0};
    struct seam_arena a = {0};
    struct columnar_sql_query q = {0};
    struct columnar_query_options o = {.threads = 1, .clock = c->clock};
    enum seam_status st = ask_sql_platform_next(sql, &c->fault);

    seam_buf_clear(out);
    seam_buf_printf(&text, "%s AS OF LSN %" PRIu64, query, lsn);
    if (st == SEAM_OK)
        st = columnar_sql_prepare(&sql->env, (const char *)text.data, text.size, &a, &q, &c->fault);
    if (st == SEAM_OK) st = columnar_sql_run(&q, &o, collect, out, NULL, &c->fault);
    seam_arena_free(&a);
    seam_buf_free(&text);
    return st;
}

static enum seam_status commits_between(struct cli *c, struct history *h, seam_lsn_t good,
                                        seam_lsn_t bad, seam_lsn_t **out, size_t *n)
{
    struct stream_feed_event e;
    size_t cap = 0;
    enum seam_status st = SEAM_OK;

    while ((st = stream_feed_next(h->feed, &e, &c->fault)) == SEAM_OK) {
        if (e.kind != FEED_COMMIT || e.lsn <= good) continue;
        if (e.lsn > bad) break;
        if (*n == cap) {
            seam_lsn_t *more = realloc(*out, (cap = cap == 0 ? 1024 : cap * 2) * sizeof **out);

            if (more == NULL)
                return seam_fault_set(&c->fault, SEAM_NOMEM, "bisect", SEAM_FAULT_NO_OFFSET,
                                      "no memory");
            *out = more;
        }
        (*out)[(*n)++] = e.lsn;
    }
    return st == SEAM_END ? SEAM_OK : st;
}

/* The first commit after which the answer is no longer the good one; the answer is taken to stay bad from then on. */
static enum seam_status search_commit(struct cli *c, struct ask_sql_platform *sql,
                                      const char *query, seam_lsn_t good, const seam_lsn_t *commits,
                                      size_t n, size_t *culprit, struct seam_buf *before,
                                      struct seam_buf *after, int *asked)
{
    struct seam_buf now = {0};
    size_t lo = 0, hi = n - 1;
    enum seam_status st = answer_at(c, sql, query, good, before);

    if (st == SEAM_OK) st = answer_at(c, sql, query, commits[n - 1], after);
    if (st == SEAM_OK && seam_buf_equal(before, after))
        st = seam_fault_set(&c->fault, SEAM_INVALID, "bisect", SEAM_FAULT_NO_OFFSET,
                            "the answer is the same at both LSNs");
    while (st == SEAM_OK && lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        bool same;

        st = answer_at(c, sql, query, commits[mid], &now);
        ++*asked;
        if (st != SEAM_OK) break;
        same = seam_buf_equal(&now, before);
        if (same)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (st == SEAM_OK) st = answer_at(c, sql, query, commits[lo], after);
    *culprit = lo;
    seam_buf_free(&now);
    return st;
}

static enum seam_status show_culprit(struct cli *c, const char *dir, seam_lsn_t lsn)
{
    struct history h = {0};
    struct stream_feed_event e;
    enum seam_status st = history_open(c, &h, dir, lsn - 1);

    while (st == SEAM_OK && (st = stream_feed_next(h.feed, &e, &c->fault)) == SEAM_OK) {
        if (e.lsn > lsn || e.kind == FEED_COMMIT) break;
        if (e.kind == FEED_CHANGE) print_change(&h, &e.change, "    ");
    }
    history_close(&h);
    return st == SEAM_END ? SEAM_OK : st;
}

int cmd_bisect(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *query = NULL;
    int64_t good = -1, bad = -1;
    const struct seam_opt opts[] = {
        {"sql", 0, SEAM_OPT_STRING, "QUERY",
         "over silver or the row store; its whole answer is compared", &query},
        {"good", 0, SEAM_OPT_INT, "LSN", "the answer was right then", &good},
        {"bad", 0, SEAM_OPT_INT, "LSN", "... and is wrong then", &bad},
    };
    struct history h = {0};
    struct ask_sql_platform sql = {0};
    struct seam_buf before = {0}, after = {0};
    seam_lsn_t *commits = NULL;
    size_t n = 0, culprit = 0;
    int count, asked = 2;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 1);
    enum seam_status st;

    if (rc >= 0) return rc;
    if (query == NULL || good < 0 || bad <= good)
        return cli_usage(c, "--sql QUERY, --good LSN and a later --bad LSN are needed");
    st = history_open(c, &h, args[0], (seam_lsn_t)good);
    if (st == SEAM_OK) st = commits_between(c, &h, (seam_lsn_t)good, (seam_lsn_t)bad, &commits, &n);
    if (st == SEAM_OK && n == 0)
        st = seam_fault_set(&c->fault, SEAM_NOT_FOUND, "bisect", SEAM_FAULT_NO_OFFSET,
                            "no commit lies between the two LSNs");
    if (st == SEAM_OK) st = ask_sql_platform_open(&sql, &h.platform, &c->fault);
    if (st == SEAM_OK)
        st = search_commit(c, &sql, query, (seam_lsn_t)good, commits, n, &culprit, &before, &after,
                           &asked);
    if (st == SEAM_OK) {
        printf("the answer changes with the commit at LSN %" PRIu64
               " (%d answers asked for %zu commits)\nbefore: %s",
               commits[culprit], asked, n, seam_buf_cstr(&before));
        printf("after:  %s", seam_buf_cstr(&after));
        st = show_culprit(c, args[0], commits[culprit]);
    }
    ask_sql_platform_close(&sql);
    history_close(&h);
    free(commits);
    seam_buf_free(&before);
    seam_buf_free(&after);
    return st == SEAM_OK ? EXIT_FINE : cli_fail(c, st);
}
