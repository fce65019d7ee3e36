/* cmd_history - the data's own git: log, diff, blame, and bisect, over the retained stream. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/key.h"
#include "engine/values/row.h"
#include "pipeline/cli/cli.h"
#include "pipeline/ask/sqlenv.h"
#include "pipeline/stream/feed.h"

/* The stream from an LSN on, with schemas; schemas are learned in memory, so nothing is written.     */
struct history {
    struct platform platform;
    struct registry registry;
    struct feed *feed;
    struct buf line;
};

/* The warehouse's registry knows every table that the stream has told of; it is only read.           */
static enum status history_open(struct cli *c, struct history *h, const char *dir, lsn_t after)
{
    char sink[PATH_MAX_BYTES];
    enum status st = platform_open(c->io, c->clock, dir, &h->platform, &c->fault);

    if (st == ST_OK) st = platform_sink_path(&h->platform, "warehouse", sink, &c->fault);
    if (st == ST_OK) st = registry_open(&h->registry, c->io, sink, &c->fault);
    if (st == ST_OK) st = feed_open(&h->platform, NULL, after, &h->registry, &h->feed, &c->fault);
    return st;
}

static void history_close(struct history *h)
{
    feed_close(h->feed);
    registry_close(&h->registry);
    platform_close(&h->platform);
    buf_free(&h->line);
}

static void time_text(int64_t us, char out[40]) { out[time_format(us, out)] = '\0'; }

static void key_text(const struct sink_change *ch, struct buf *out)
{
    const uint8_t *p = ch->key.data, *end = p + ch->key.size;
    struct buf text = {0};

    for (int i = 0; i < ch->schema->key_count; i++) {
        const struct column *col = &ch->schema->columns[ch->schema->key[i]];
        struct value v;

        buf_clear(&text);
        if (key_read(&p, end, col->type, &v, &text) != ST_OK) break;
        v.scale = col->scale;
        if (i > 0) buf_u8(out, ',');
        value_format(&v, out);
    }
    buf_free(&text);
}

/* "price 34.9500 -> 31.9900, stock 120 -> 119"; for an insert or delete the whole row.               */
static void change_text(const struct sink_change *ch, struct buf *out)
{
    struct value before[COLUMNS_MAX], after[COLUMNS_MAX];
    bool has_before = ch->before.data != NULL && row_decode(ch->schema, ch->before.data, ch->before.size, before, NULL) == ST_OK;
    bool has_after = ch->after.data != NULL && row_decode(ch->schema, ch->after.data, ch->after.size, after, NULL) == ST_OK;
    bool any = false;

    if (has_before != has_after) {
        row_to_json(ch->schema, has_after ? after : before, out);
        return;
    }
    for (int i = 0; has_before && i < ch->schema->column_count; i++) {
        const struct column *col = &ch->schema->columns[i];

        if (!column_live(col, ch->schema->version) ||
            (before[i].type == after[i].type && value_equal(&before[i], &after[i])))
            continue;
        buf_printf(out, "%s%s ", any ? ", " : "", col->name);
        value_format(&before[i], out);
        buf_str(out, " -> ");
        value_format(&after[i], out);
        any = true;
    }
    if (!any) buf_str(out, "(nothing changed)");
}

static const char *op_name(const struct sink_change *ch)
{
    enum change_op op = ch->op;

    return ch->snapshot ? "snapshot" : op == OP_INSERT ? "insert" : op == OP_UPDATE ? "update" : "delete";
}

static void print_change(struct history *h, const struct sink_change *ch, const char *indent)
{
    buf_clear(&h->line);
    buf_printf(&h->line, "%s%s %s ", indent, op_name(ch), ch->schema->name);
    key_text(ch, &h->line);
    buf_str(&h->line, ": ");
    change_text(ch, &h->line);
    buf_u8(&h->line, '\n');
    cli_print(&h->line);
}

/* ---- log ---- */

int cmd_log(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    int64_t from = 0, to = INT64_MAX, limit = 20;
    bool full = false;
    const struct opt opts[] = {
        {"from", 0, OPT_INT, "LSN", "after this LSN", &from},
        {"to", 0, OPT_INT, "LSN", "up to this LSN", &to},
        {"limit", 'n', OPT_INT, "N", "at most N transactions (20)", &limit},
        {"changes", 'p', OPT_FLAG, NULL, "show each change", &full},
    };
    struct history h = {0};
    struct feed_event e;
    uint64_t rows = 0, events = 0;
    int count;
    int rc = cli_parse(c, argc, argv, opts, ARRAY_LEN(opts), args, &count, 1, 1);
    enum status st;

    if (rc >= 0) return rc;
    cli_catch_interrupts();
    st = history_open(c, &h, args[0], (lsn_t)from);
    while (st == ST_OK && limit > 0 && !cli_interrupted && (st = feed_next(h.feed, &e, &c->fault)) == ST_OK) {
        char when[40];

        if (e.lsn > (lsn_t)to) break;
        if (e.kind == FEED_CHANGE) rows++;
        if (e.kind == FEED_OUTBOX) events++;
        if (e.kind == FEED_CHANGE && full) print_change(&h, &e.change, "    ");
        if (e.kind != FEED_COMMIT) continue;
        time_text(e.wall_us, when);
        printf("LSN %" PRIu64 "  %s  %" PRIu64 " row%s%s%s\n", e.lsn, when, rows, rows == 1 ? "" : "s",
               events > 0 ? ", an event" : "", e.snapshot ? ", a snapshot" : "");
        rows = events = 0;
        limit--;
    }
    history_close(&h);
    return st == ST_OK || st == ST_END ? EXIT_FINE : cli_fail(c, st);
}

/* ---- diff A..B ---- */

int cmd_diff(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *table = NULL;
    int64_t limit = 1000;
    const struct opt opts[] = {
        {"table", 't', OPT_STRING, "TABLE", "of this table only", &table},
        {"limit", 'n', OPT_INT, "N", "at most N changes (1000)", &limit},
    };
    struct history h = {0};
    struct feed_event e;
    unsigned long long a, b;
    int64_t shown = 0;
    int count;
    int rc = cli_parse(c, argc, argv, opts, ARRAY_LEN(opts), args, &count, 2, 2);
    enum status st;

    if (rc >= 0) return rc;
    if (sscanf(args[1], "%llu..%llu", &a, &b) != 2 || a >= b) return cli_usage(c, "the range is A..B, two LSNs");
    st = history_open(c, &h, args[0], (lsn_t)a);
    while (st == ST_OK && shown < limit && (st = feed_next(h.feed, &e, &c->fault)) == ST_OK) {
        if (e.lsn > (lsn_t)b) break;
        if (e.kind != FEED_CHANGE || (table != NULL && strcmp(e.change.schema->name, table) != 0)) continue;
        printf("%" PRIu64 " ", e.lsn);
        print_change(&h, &e.change, "");
        shown++;
    }
    history_close(&h);
    if (st != ST_OK && st != ST_END) return cli_fail(c, st);
    if (!c->quiet) printf("-- %" PRId64 " change%s after LSN %llu, up to LSN %llu\n", shown, shown == 1 ? "" : "s", a, b);
    return EXIT_FINE;
}

/* ---- blame TABLE KEY ---- */

static enum status encode_key(const struct schema *s, const char *const *words, int n, struct buf *out, struct fault *f)
{
    if (n != s->key_count)
        return fault_set(f, ST_INVALID, s->name, FAULT_NO_OFFSET, "the key has %d column(s), %d given", s->key_count, n);
    for (int i = 0; i < n; i++) {
        const struct column *col = &s->columns[s->key[i]];
        struct value v;

        if (value_parse(words[i], strlen(words[i]), col->type, col->scale, &v) != ST_OK || v.type == V_NULL)
            return fault_set(f, ST_INVALID, col->name, FAULT_NO_OFFSET, "'%s' is no %s", words[i], value_type_name(col->type));
        key_append(out, &v);
    }
    return ST_OK;
}

int cmd_blame(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    struct history h = {0};
    struct feed_event e;
    struct buf key = {0};
    const struct schema *schema = NULL;
    uint64_t found = 0;
    int count;
    int rc = cli_parse(c, argc, argv, NULL, 0, args, &count, 3, 2 + KEY_COLUMNS_MAX);
    enum status st;

    if (rc >= 0) return rc;
    st = history_open(c, &h, args[0], LSN_NONE);
    if (st == ST_OK && (schema = registry_find(&h.registry, args[1])) == NULL)
        st = fault_set(&c->fault, ST_NOT_FOUND, args[1], FAULT_NO_OFFSET, "the stream knows no such table");
    if (st == ST_OK) st = encode_key(schema, args + 2, count - 2, &key, &c->fault);
    while (st == ST_OK && (st = feed_next(h.feed, &e, &c->fault)) == ST_OK) {
        char when[40];

        if (e.kind != FEED_CHANGE || strcmp(e.change.schema->name, args[1]) != 0 || e.change.key.size != key.size ||
            memcmp(e.change.key.data, key.data, key.size) != 0)
            continue;
        time_text(e.wall_us, when);
        if (e.snapshot)
            printf("LSN %" PRIu64 "  %s  read by a snapshot  offset %" PRIu64 "\n", e.lsn, when, e.offset);
        else
            printf("LSN %" PRIu64 "  %s  transaction %" PRIu64 "  offset %" PRIu64 "\n", e.lsn, when, e.change.txn, e.offset);
        print_change(&h, &e.change, "    ");
        found++;
    }
    history_close(&h);
    buf_free(&key);
    if (st != ST_OK && st != ST_END) return cli_fail(c, st);
    if (found > 0) return EXIT_FINE;
    fault_set(&c->fault, ST_NOT_FOUND, args[1], FAULT_NO_OFFSET, "no retained transaction ever touched this row");
    return cli_fail(c, ST_NOT_FOUND);
}

/* ---- bisect ---- */

static enum status collect(void *ctx, const struct batch *b, struct fault *f)
{
    struct buf *out = ctx;

    (void)f;
    for (uint32_t r = 0; r < b->rows; r++) {
        for (int i = 0; i < b->count; i++) {
            struct value v = vec_value(&b->cols[i], r);

            if (v.type == V_NULL) buf_str(out, "NULL");
            else value_format(&v, out);
            buf_u8(out, i + 1 < b->count ? '\t' : '\n');
        }
    }
    return ST_OK;
}

/* The query's whole answer AS OF an LSN, as text.                                                   */
static enum status answer_at(struct cli *c, struct sql_platform *sql, const char *query, lsn_t lsn, struct buf *out)
{
    struct buf text = {0};
    struct arena a = {0};
    struct sql_query q = {0};
    struct query_options o = {.threads = 1, .clock = c->clock};
    enum status st = sql_platform_next(sql, &c->fault);

    buf_clear(out);
    buf_printf(&text, "%s AS OF LSN %" PRIu64, query, lsn);
    if (st == ST_OK) st = sql_prepare(&sql->env, (const char *)text.data, text.size, &a, &q, &c->fault);
    if (st == ST_OK) st = sql_run(&q, &o, collect, out, NULL, &c->fault);
    arena_free(&a);
    buf_free(&text);
    return st;
}

static enum status commits_between(struct cli *c, struct history *h, lsn_t good, lsn_t bad, lsn_t **out, size_t *n)
{
    struct feed_event e;
    size_t cap = 0;
    enum status st = ST_OK;

    while ((st = feed_next(h->feed, &e, &c->fault)) == ST_OK) {
        if (e.kind != FEED_COMMIT || e.lsn <= good) continue;
        if (e.lsn > bad) break;
        if (*n == cap) {
            lsn_t *more = realloc(*out, (cap = cap == 0 ? 1024 : cap * 2) * sizeof **out);

            if (more == NULL) return fault_set(&c->fault, ST_NOMEM, "bisect", FAULT_NO_OFFSET, "no memory");
            *out = more;
        }
        (*out)[(*n)++] = e.lsn;
    }
    return st == ST_END ? ST_OK : st;
}

/* The first commit after which the answer is no longer the good one; the answer is taken to stay bad from then on. */
static enum status search_commit(struct cli *c, struct sql_platform *sql, const char *query, lsn_t good, const lsn_t *commits,
                                 size_t n, size_t *culprit, struct buf *before, struct buf *after, int *asked)
{
    struct buf now = {0};
    size_t lo = 0, hi = n - 1;
    enum status st = answer_at(c, sql, query, good, before);

    if (st == ST_OK) st = answer_at(c, sql, query, commits[n - 1], after);
    if (st == ST_OK && buf_equal(before, after))
        st = fault_set(&c->fault, ST_INVALID, "bisect", FAULT_NO_OFFSET, "the answer is the same at both LSNs");
    while (st == ST_OK && lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        bool same;

        st = answer_at(c, sql, query, commits[mid], &now);
        ++*asked;
        if (st != ST_OK) break;
        same = buf_equal(&now, before);
        if (same) lo = mid + 1;
        else hi = mid;
    }
    if (st == ST_OK) st = answer_at(c, sql, query, commits[lo], after);
    *culprit = lo;
    buf_free(&now);
    return st;
}

static enum status show_culprit(struct cli *c, const char *dir, lsn_t lsn)
{
    struct history h = {0};
    struct feed_event e;
    enum status st = history_open(c, &h, dir, lsn - 1);

    while (st == ST_OK && (st = feed_next(h.feed, &e, &c->fault)) == ST_OK) {
        if (e.lsn > lsn || e.kind == FEED_COMMIT) break;
        if (e.kind == FEED_CHANGE) print_change(&h, &e.change, "    ");
    }
    history_close(&h);
    return st == ST_END ? ST_OK : st;
}

int cmd_bisect(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *query = NULL;
    int64_t good = -1, bad = -1;
    const struct opt opts[] = {
        {"sql", 0, OPT_STRING, "QUERY", "over silver or the row store; its whole answer is compared", &query},
        {"good", 0, OPT_INT, "LSN", "the answer was right then", &good},
        {"bad", 0, OPT_INT, "LSN", "... and is wrong then", &bad},
    };
    struct history h = {0};
    struct sql_platform sql = {0};
    struct buf before = {0}, after = {0};
    lsn_t *commits = NULL;
    size_t n = 0, culprit = 0;
    int count, asked = 2;
    int rc = cli_parse(c, argc, argv, opts, ARRAY_LEN(opts), args, &count, 1, 1);
    enum status st;

    if (rc >= 0) return rc;
    if (query == NULL || good < 0 || bad <= good) return cli_usage(c, "--sql QUERY, --good LSN and a later --bad LSN are needed");
    st = history_open(c, &h, args[0], (lsn_t)good);
    if (st == ST_OK) st = commits_between(c, &h, (lsn_t)good, (lsn_t)bad, &commits, &n);
    if (st == ST_OK && n == 0)
        st = fault_set(&c->fault, ST_NOT_FOUND, "bisect", FAULT_NO_OFFSET, "no commit lies between the two LSNs");
    if (st == ST_OK) st = sql_platform_open(&sql, &h.platform, &c->fault);
    if (st == ST_OK) st = search_commit(c, &sql, query, (lsn_t)good, commits, n, &culprit, &before, &after, &asked);
    if (st == ST_OK) {
        printf("the answer changes with the commit at LSN %" PRIu64 " (%d answers asked for %zu commits)\nbefore: %s", commits[culprit],
               asked, n, buf_cstr(&before));
        printf("after:  %s", buf_cstr(&after));
        st = show_culprit(c, args[0], commits[culprit]);
    }
    sql_platform_close(&sql);
    history_close(&h);
    free(commits);
    buf_free(&before);
    buf_free(&after);
    return st == ST_OK ? EXIT_FINE : cli_fail(c, st);
}
