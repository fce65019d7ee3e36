/* cmd_rows - put, get, del, scan: rows of the source of truth.
 *
 * `put` changes the columns it is given and keeps the others. Where a table has the customary columns
 * `version` and `updated_at` and the caller leaves them out, a changed row gets version + 1 and the time. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/io/source.h"
#include "engine/values/row.h"
#include "oltp/oltp.h"
#include "pipeline/cli/cli.h"

/* What one of these commands has open; closed by rows_close whatever happened.                      */
struct rows {
    struct platform platform;
    struct platform_source source; /* writing */
    struct oltp *reader;           /* reading */
    struct oltp_txn *txn;
    uint32_t table;
    const struct seam_schema *schema;
};

static void rows_close(struct rows *r)
{
    oltp_end(r->txn);
    if (r->source.db != NULL) (void)platform_close_source(&r->source, SEAM_OK, NULL);
    (void)oltp_close(r->reader, NULL);
    platform_close(&r->platform);
}

static enum seam_status find_table(struct rows *r, const char *name, struct seam_fault *f)
{
    enum seam_status st = oltp_table(r->txn, name, &r->table, f);

    if (st == SEAM_OK) r->schema = oltp_schema(r->txn, r->table);
    return st;
}

static enum seam_status rows_open_write(struct cli *c, struct rows *r, const char *dir,
                                        const char *table, double wait)
{
    enum seam_status st = platform_open(c->io, c->clock, dir, &r->platform, &c->fault);

    if (st == SEAM_OK) st = cli_open_source(c, &r->platform, wait, &r->source);
    if (st == SEAM_OK) st = oltp_write_begin(r->source.db, &r->txn, &c->fault);
    return st == SEAM_OK ? find_table(r, table, &c->fault) : st;
}

static enum seam_status rows_open_read(struct cli *c, struct rows *r, const char *dir,
                                       const char *table, const char *as_of)
{
    seam_lsn_t lsn = SEAM_LSN_MAX;
    int64_t time_us = INT64_MIN;
    enum seam_status st;

    if (as_of != NULL && !cli_parse_moment(as_of, &lsn, &time_us))
        return seam_fault_set(&c->fault, SEAM_INVALID, "--as-of", SEAM_FAULT_NO_OFFSET,
                              "'%s' is neither an LSN nor a time (2011-12-09 12:50:00)", as_of);
    st = platform_open(c->io, c->clock, dir, &r->platform, &c->fault);
    if (st == SEAM_OK) st = platform_open_reader(&r->platform, lsn, time_us, &r->reader, &c->fault);
    if (st == SEAM_OK) st = oltp_read_begin(r->reader, &r->txn, &c->fault);
    return st == SEAM_OK ? find_table(r, table, &c->fault) : st;
}

/* Key columns from command-line words.                                                             */
static enum seam_status parse_key(const struct seam_schema *s, const char *const *words, int count,
                                  struct seam_value *out, struct seam_fault *f)
{
    if (count != s->key_count)
        return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET,
                              "the key has %d column(s), %d given", s->key_count, count);
    for (int i = 0; i < count; i++) {
        const struct seam_column *c = &s->columns[s->key[i]];
        enum seam_status st =
            seam_value_parse(words[i], strlen(words[i]), c->type, c->scale, &out[i]);

        if (st != SEAM_OK || out[i].type == SEAM_V_NULL)
            return seam_fault_set(f, SEAM_INVALID, c->name, SEAM_FAULT_NO_OFFSET, "'%s' is no %s",
                                  words[i], seam_value_type_name(c->type));
    }
    return SEAM_OK;
}

static enum seam_status print_row(struct rows *r, const struct oltp_row *row, struct seam_buf *out,
                                  struct seam_fault *f)
{
    struct seam_value values[SEAM_COLUMNS_MAX];
    enum seam_status st = seam_row_decode(r->schema, row->row.data, row->row.size, values, f);

    if (st != SEAM_OK) return st;
    seam_row_to_json(r->schema, values, out);
    seam_buf_str(out, "\n");
    return SEAM_OK;
}

static void print_commit(struct cli *c, const struct oltp_commit *commit)
{
    if (c->json)
        printf("{\"lsn\":%" PRIu64 ",\"txn\":%" PRIu64 ",\"changes\":%" PRIu64 "}\n", commit->lsn,
               commit->txn, commit->changes);
    else if (!c->quiet)
        printf("committed %" PRIu64 " change%s at LSN %" PRIu64 "\n", commit->changes,
               commit->changes == 1 ? "" : "s", commit->lsn);
}

static void merge_member(struct seam_json_writer *w, const struct seam_json *old,
                         const struct seam_json *given, int64_t now_us)
{
    const struct seam_json *v = seam_json_get(given, old->key);
    int64_t version;
    char when[40];

    seam_jw_key(w, old->key);
    if (v != NULL)
        seam_jw_node(w, v);
    else if (strcmp(old->key, "version") == 0 && seam_json_int(old, &version))
        seam_jw_int(w, version + 1);
    else if (strcmp(old->key, "updated_at") == 0)
        seam_jw_strn(w, when, seam_time_format(now_us, when));
    else
        seam_jw_node(w, old);
}

/* A row given in part: the members of the JSON object replace the stored row's columns.            */
static enum seam_status merge_row(struct rows *r, const char *json, size_t n, int64_t now_us,
                                  struct seam_buf *text, struct seam_buf *merged,
                                  struct seam_fault *f)
{
    struct seam_arena a = {0};
    struct seam_json *given = NULL, *old = NULL;
    struct seam_value values[SEAM_COLUMNS_MAX], key[SEAM_KEY_COLUMNS_MAX];
    struct oltp_row row;
    struct seam_json_writer w;
    enum seam_status st = seam_json_parse(json, n, &a, "the row", &given, f);

    if (st == SEAM_OK && given->type != SEAM_J_OBJECT)
        st = seam_fault_set(f, SEAM_INVALID, "the row", SEAM_FAULT_NO_OFFSET,
                            "a row is a JSON object");
    for (int i = 0; st == SEAM_OK && i < r->schema->key_count; i++) {
        const struct seam_column *c = &r->schema->columns[r->schema->key[i]];
        const struct seam_json *v = seam_json_get(given, c->name);

        if (v == NULL || (v->type != SEAM_J_NUMBER && v->type != SEAM_J_STRING))
            st = seam_fault_set(f, SEAM_INVALID, c->name, SEAM_FAULT_NO_OFFSET,
                                "the row needs its key column '%s'", c->name);
        else if (seam_value_parse(v->str, v->len, c->type, c->scale, &key[i]) != SEAM_OK)
            st = seam_fault_set(f, SEAM_INVALID, c->name, SEAM_FAULT_NO_OFFSET, "'%s' is no %s",
                                v->str, seam_value_type_name(c->type));
    }
    if (st == SEAM_OK) {
        st = oltp_get(r->txn, r->table, key, &row, f);
        if (st == SEAM_NOT_FOUND) { /* a new row: as given */
            seam_fault_clear(f);
            seam_buf_append(merged, json, n);
            seam_arena_free(&a);
            return SEAM_OK;
        }
    }
    if (st == SEAM_OK) st = seam_row_decode(r->schema, row.row.data, row.row.size, values, f);
    if (st == SEAM_OK) {
        seam_row_to_json(r->schema, values, text);
        st = seam_json_parse((const char *)text->data, text->size, &a, "the stored row", &old, f);
    }
    if (st == SEAM_OK) {
        seam_jw_init(&w, merged);
        seam_jw_object(&w);
        for (const struct seam_json *m = old->child; m != NULL; m = m->next)
            merge_member(&w, m, given, now_us);
        for (const struct seam_json *m = given->child; m != NULL; m = m->next)
            if (seam_json_get(old, m->key) ==
                NULL) { /* seam_row_from_json will name the unknown column */
                seam_jw_key(&w, m->key);
                seam_jw_node(&w, m);
            }
        seam_jw_end_object(&w);
    }
    seam_buf_clear(text);
    seam_arena_free(&a);
    return st;
}

static enum seam_status put_row(struct cli *c, struct rows *r, const char *json, size_t n,
                                const char *expect)
{
    struct seam_buf text = {0}, merged = {0};
    struct seam_value values[SEAM_COLUMNS_MAX], expected;
    int column = seam_schema_column(r->schema, "version");
    enum seam_status st =
        merge_row(r, json, n, seam_clock_wall_us(c->clock), &text, &merged, &c->fault);

    if (st == SEAM_OK)
        st = seam_row_from_json(r->schema, (const char *)merged.data, merged.size, values, &text,
                                &c->fault);
    if (st == SEAM_OK && expect == NULL) st = oltp_put(r->txn, r->table, values, &c->fault);
    if (st == SEAM_OK && expect != NULL) {
        if (column < 0)
            st = seam_fault_set(&c->fault, SEAM_INVALID, r->schema->name, SEAM_FAULT_NO_OFFSET,
                                "--expect-version needs a column 'version'");
        else if (seam_value_parse(expect, strlen(expect), SEAM_V_INT, 0, &expected) != SEAM_OK)
            st = seam_fault_set(&c->fault, SEAM_INVALID, "--expect-version", SEAM_FAULT_NO_OFFSET,
                                "'%s' is no number", expect);
        else
            st = oltp_update_if(r->txn, r->table, values, column, &expected, &c->fault);
    }
    seam_buf_free(&text);
    seam_buf_free(&merged);
    return st;
}

/* "-" reads JSON lines from standard input, all in one transaction.                                */
static enum seam_status put_lines(struct cli *c, struct rows *r, const char *expect)
{
    struct seam_source *in = NULL;
    const char *line;
    size_t n;
    enum seam_status st = seam_source_open(c->io, "-", &in, &c->fault);

    while (st == SEAM_OK &&
           (st = seam_source_line(in, OLTP_ROW_MAX, &line, &n, &c->fault)) == SEAM_OK)
        if (n > 0) st = put_row(c, r, line, n, expect);
    seam_source_close(in);
    return st == SEAM_END ? SEAM_OK : st;
}

int cmd_put(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *expect = NULL;
    bool deferred = false;
    double wait = 0;
    const struct seam_opt opts[] = {
        {"expect-version", 0, SEAM_OPT_STRING, "N",
         "only when the stored row's version is N (else exit 6)", &expect},
        {"deferred", 0, SEAM_OPT_FLAG, NULL, "do not wait for the disk", &deferred},
        CLI_OPT_WAIT(&wait),
    };
    struct rows r = {0};
    struct oltp_commit commit = {0};
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 3, 3);
    enum seam_status st;

    if (rc >= 0) return rc;
    st = rows_open_write(c, &r, args[0], args[1], wait);
    if (st == SEAM_OK)
        st = strcmp(args[2], "-") == 0 ? put_lines(c, &r, expect)
                                       : put_row(c, &r, args[2], strlen(args[2]), expect);
    if (st == SEAM_OK) {
        st = oltp_commit(r.txn, deferred ? OLTP_DEFERRED : OLTP_DURABLE, &commit, &c->fault);
        r.txn = NULL;
    }
    rows_close(&r);
    if (st != SEAM_OK) return cli_fail(c, st);
    print_commit(c, &commit);
    return EXIT_FINE;
}

int cmd_del(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    struct rows r = {0};
    struct oltp_commit commit = {0};
    struct seam_value key[SEAM_KEY_COLUMNS_MAX];
    int count;
    double wait = 0;
    const struct seam_opt opts[] = {CLI_OPT_WAIT(&wait)};
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 3,
                       2 + SEAM_KEY_COLUMNS_MAX);
    enum seam_status st;

    if (rc >= 0) return rc;
    st = rows_open_write(c, &r, args[0], args[1], wait);
    if (st == SEAM_OK) st = parse_key(r.schema, args + 2, count - 2, key, &c->fault);
    if (st == SEAM_OK) st = oltp_delete(r.txn, r.table, key, &c->fault);
    if (st == SEAM_OK) {
        st = oltp_commit(r.txn, OLTP_DURABLE, &commit, &c->fault);
        r.txn = NULL;
    }
    rows_close(&r);
    if (st != SEAM_OK) return cli_fail(c, st);
    print_commit(c, &commit);
    return EXIT_FINE;
}

int cmd_get(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *as_of = NULL;
    const struct seam_opt opts[] = {
        {"as-of", 0, SEAM_OPT_STRING, "LSN|TIME", "the row as it was then", &as_of},
    };
    struct rows r = {0};
    struct oltp_row row;
    struct seam_value key[SEAM_KEY_COLUMNS_MAX];
    struct seam_buf out = {0};
    seam_lsn_t lsn = 0;
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 3,
                       2 + SEAM_KEY_COLUMNS_MAX);
    enum seam_status st;

    if (rc >= 0) return rc;
    st = rows_open_read(c, &r, args[0], args[1], as_of);
    if (st == SEAM_OK) st = parse_key(r.schema, args + 2, count - 2, key, &c->fault);
    if (st == SEAM_OK) st = oltp_get(r.txn, r.table, key, &row, &c->fault);
    if (st == SEAM_OK) st = print_row(&r, &row, &out, &c->fault);
    if (r.txn != NULL) lsn = oltp_txn_lsn(r.txn);
    rows_close(&r);
    if (st == SEAM_NOT_FOUND)
        seam_fault_set(&c->fault, st, args[1], SEAM_FAULT_NO_OFFSET, "no row with this key");
    if (st == SEAM_OK) cli_print(&out);
    seam_buf_free(&out);
    if (st != SEAM_OK) return cli_fail(c, st);
    cli_footer(c, lsn, -1, NULL);
    return EXIT_FINE;
}

struct scan_options {
    const char *from, *to, *as_of, *index;
    int64_t limit;
    bool reverse, count;
};

static enum seam_status scan_bound(struct rows *r, const char *word, struct seam_buf *out,
                                   struct seam_fault *f)
{
    const struct seam_column *c = &r->schema->columns[r->schema->key[0]];
    struct seam_value v;

    if (seam_value_parse(word, strlen(word), c->type, c->scale, &v) != SEAM_OK)
        return seam_fault_set(f, SEAM_INVALID, c->name, SEAM_FAULT_NO_OFFSET, "'%s' is no %s", word,
                              seam_value_type_name(c->type));
    return oltp_key(r->txn, r->table, 0, &v, 1, out, f);
}

static enum seam_status scan_rows(struct cli *c, struct rows *r, const struct scan_options *o,
                                  uint64_t *rows)
{
    struct seam_buf lower = {0}, upper = {0}, out = {0};
    struct oltp_range range = {.upper_included = true};
    struct oltp_cursor *cursor = NULL;
    struct oltp_row row;
    uint32_t index = 0;
    enum seam_status st = SEAM_OK;

    if (o->index != NULL) st = oltp_index(r->txn, r->table, o->index, &index, &c->fault);
    if (st == SEAM_OK && o->from != NULL) st = scan_bound(r, o->from, &lower, &c->fault);
    if (st == SEAM_OK && o->to != NULL) st = scan_bound(r, o->to, &upper, &c->fault);
    if (o->from != NULL) range.lower = (struct wal_bytes){lower.data, lower.size};
    if (o->to != NULL) range.upper = (struct wal_bytes){upper.data, upper.size};
    if (st == SEAM_OK)
        st = oltp_cursor_open(r->txn, r->table, index, &range, 0, &cursor, &c->fault);
    while (st == SEAM_OK && (o->limit < 0 || *rows < (uint64_t)o->limit) && !cli_interrupted) {
        st = o->reverse ? oltp_cursor_prev(cursor, &row, &c->fault)
                        : oltp_cursor_next(cursor, &row, &c->fault);
        if (st != SEAM_OK) break;
        ++*rows;
        if (o->count) continue;
        st = print_row(r, &row, &out, &c->fault);
        if (out.size > 1 << 16) {
            cli_print(&out);
            seam_buf_clear(&out);
        }
    }
    cli_print(&out);
    oltp_cursor_close(cursor);
    seam_buf_free(&lower);
    seam_buf_free(&upper);
    seam_buf_free(&out);
    return st == SEAM_END ? SEAM_OK : st;
}

int cmd_scan(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    struct scan_options o = {.limit = -1};
    const struct seam_opt opts[] = {
        {"from", 0, SEAM_OPT_STRING, "KEY", "first key column from here on", &o.from},
        {"to", 0, SEAM_OPT_STRING, "KEY", "... up to and including here", &o.to},
        {"limit", 'n', SEAM_OPT_INT, "N", "at most N rows", &o.limit},
        {"reverse", 'r', SEAM_OPT_FLAG, NULL, "last first", &o.reverse},
        {"index", 0, SEAM_OPT_STRING, "NAME", "in the order of a secondary index", &o.index},
        {"count", 0, SEAM_OPT_FLAG, NULL, "print only how many", &o.count},
        {"as-of", 0, SEAM_OPT_STRING, "LSN|TIME", "as it was then", &o.as_of},
    };
    struct rows r = {0};
    uint64_t rows = 0;
    seam_lsn_t lsn = 0;
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 2, 2);
    enum seam_status st;

    if (rc >= 0) return rc;
    cli_catch_interrupts();
    st = rows_open_read(c, &r, args[0], args[1], o.as_of);
    if (st == SEAM_OK) st = scan_rows(c, &r, &o, &rows);
    if (r.txn != NULL) lsn = oltp_txn_lsn(r.txn);
    rows_close(&r);
    if (st != SEAM_OK) return cli_fail(c, st);
    if (o.count) printf("%" PRIu64 "\n", rows);
    cli_footer(c, lsn, -1, NULL);
    return cli_interrupted ? EXIT_INTERRUPTED : EXIT_FINE;
}
