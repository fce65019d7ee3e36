/* cmd_sql - one statement, a file of them, or a prompt. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/io/source.h"
#include "pipeline/cli/cli.h"
#include "pipeline/ask/sqlenv.h"

struct shell {
    struct cli *c;
    struct sql_platform sql;
    enum sql_format format;
    int64_t threads, max_rows;
    bool timer;
};

static void write_out(void *ctx, const char *s, size_t n)
{
    (void)ctx;
    if (fwrite(s, 1, n, stdout) != n) cli_interrupted = 1; /* the reader of our pipe has gone */
}

static bool on_progress(void *ctx, double share)
{
    struct shell *s = ctx;

    if (s->c->progress) fprintf(stderr, "\r%3.0f %% ", share * 100);
    return !cli_interrupted;
}

/* A fault of SQL names a byte of the text: the line is shown with a caret under it.                  */
static void show_fault(struct shell *s, const char *text, size_t n, enum status st)
{
    struct fault *f = &s->c->fault;
    struct buf b = {0};

    if (!s->c->json && strcmp(f->where, "sql") == 0 && f->at != FAULT_NO_OFFSET) {
        sql_caret(text, n, f->at, &b);
        fprintf(stderr, "%s%s\n", buf_cstr(&b), f->why);
        buf_free(&b);
    } else {
        (void)cli_fail(s->c, st);
    }
}

static void footer(struct shell *s, const struct sql_query *q, const struct query_stats *st, uint64_t rows)
{
    char read[32], total[32];

    if (s->c->quiet || s->format != SQL_TABLE) return;
    printf("-- %" PRIu64 " row%s", rows, rows == 1 ? "" : "s");
    if (q->lsn != LSN_NONE) printf(", as of LSN %" PRIu64, q->lsn);
    if (st->groups_total > 0)
        printf("; read %" PRIu64 "/%" PRIu64 " row groups, %" PRIu64 "/%" PRIu64 " vectors, %s of %s", st->groups_read,
               st->groups_total, st->vectors_read, st->vectors_total, human_bytes(st->bytes_read, read),
               human_bytes(st->bytes_total, total));
    if (s->timer) printf("; %.3f ms", (double)st->elapsed_ns / 1e6);
    printf("\n");
}

struct json_rows { const struct sql_query *q; struct buf *out; uint64_t rows; };

static enum status json_batch(void *ctx, const struct batch *b, struct fault *f)
{
    struct json_rows *j = ctx;
    struct value row[COLUMNS_MAX * 4];

    for (uint32_t r = 0; r < b->rows; r++) {
        batch_row(b, r, row);
        if (j->rows++ > 0) buf_u8(j->out, ',');
        sql_json_row(j->q->columns, j->q->n_columns, row, j->out);
    }
    return buf_ok(j->out) ? ST_OK : fault_set(f, ST_NOMEM, "sql", FAULT_NO_OFFSET, "no memory for the answer");
}

static enum status run_json(struct shell *s, const struct sql_query *q, const struct query_options *o)
{
    struct buf rows = {0}, out = {0};
    struct json_rows j = {q, &rows, 0};
    struct query_stats stats = {0};
    struct json_writer w;
    enum status st = sql_run(q, o, json_batch, &j, &stats, &s->c->fault);

    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "as_of_lsn");
    jw_uint(&w, q->lsn);
    jw_key(&w, "row_count");
    jw_uint(&w, j.rows);
    jw_key(&w, "row_groups_read");
    jw_uint(&w, stats.groups_read);
    jw_key(&w, "row_groups_total");
    jw_uint(&w, stats.groups_total);
    jw_key(&w, "vectors_read");
    jw_uint(&w, stats.vectors_read);
    jw_key(&w, "vectors_total");
    jw_uint(&w, stats.vectors_total);
    jw_key(&w, "bytes_read");
    jw_uint(&w, stats.bytes_read);
    jw_key(&w, "bytes_total");
    jw_uint(&w, stats.bytes_total);
    jw_key(&w, "elapsed_ms");
    jw_double(&w, (double)stats.elapsed_ns / 1e6);
    jw_key(&w, "rows");
    buf_str(&rows, "]");
    jw_raw(&w, "[", 1);
    buf_append(&out, rows.data, rows.size);
    jw_end_object(&w);
    buf_str(&out, "\n");
    if (st == ST_OK) cli_print(&out);
    buf_free(&rows);
    buf_free(&out);
    return st;
}

static enum status run_text(struct shell *s, const struct sql_query *q, const struct query_options *o)
{
    struct sql_printer *printer = NULL;
    struct query_stats stats = {0};
    uint64_t rows = 0;
    enum status st = sql_printer_new(s->format, q->columns, q->n_columns, (uint64_t)s->max_rows, write_out, s, &printer,
                                     &s->c->fault);
    enum status finished;

    if (st != ST_OK) return st;
    st = sql_run(q, o, sql_printer_batch, printer, &stats, &s->c->fault);
    if (s->c->progress) fprintf(stderr, "\r      \r");
    finished = sql_printer_finish(printer, &rows, &s->c->fault);
    if (st == ST_OK) st = finished;
    if (st == ST_OK) footer(s, q, &stats, rows);
    return st;
}

static enum status drop_batch(void *ctx, const struct batch *b, struct fault *f)
{
    (void)ctx;
    (void)b;
    (void)f;
    return ST_OK;
}

static enum status run_explain(struct shell *s, const struct sql_query *q, const struct query_options *o)
{
    struct query_stats stats = {0};
    struct buf b = {0};
    enum status st = q->select->analyze ? sql_run(q, o, drop_batch, NULL, &stats, &s->c->fault) : ST_OK;

    if (st == ST_OK) plan_explain(q->plan, q->select->analyze ? &stats : NULL, &b);
    if (st == ST_OK) cli_print(&b);
    buf_free(&b);
    return st;
}

static enum status run_statement(struct shell *s, const char *text, size_t n)
{
    struct arena a = {0};
    struct sql_query q = {0};
    struct query_options o = {.threads = (int)s->threads, .clock = s->c->clock, .progress = on_progress, .progress_ctx = s};
    enum status st;

    fault_clear(&s->c->fault);
    st = sql_platform_next(&s->sql, &s->c->fault);
    if (st == ST_OK) st = sql_prepare(&s->sql.env, text, n, &a, &q, &s->c->fault);
    if (st == ST_OK)
        st = q.select->explain ? run_explain(s, &q, &o) : s->c->json ? run_json(s, &q, &o) : run_text(s, &q, &o);
    if (st != ST_OK) show_fault(s, text, n, st);
    arena_free(&a);
    fflush(stdout);
    return st;
}

/* ---- the prompt ---- */

static void print_tables(struct shell *s)
{
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    uint32_t ids[64];

    for (size_t i = 0; i < s->sql.reader_count; i++)
        for (int k = 0; k < columnar_table_count(s->sql.readers[i]); k++) {
            struct columnar_table_info info;

            columnar_table_info(s->sql.readers[i], k, &info);
            printf("%-28s %12" PRIu64 " rows  %s\n", columnar_schema(s->sql.readers[i], k)->name, info.rows,
                   i == 0 ? "warehouse" : "gold");
        }
    if (platform_open_reader(s->sql.platform, LSN_MAX, INT64_MIN, &db, NULL) == ST_OK &&
        oltp_read_begin(db, &t, NULL) == ST_OK) {
        size_t n = oltp_tables(t, ids, ARRAY_LEN(ids));

        for (size_t i = 0; i < n && i < ARRAY_LEN(ids); i++)
            printf("%-28s %12" PRIu64 " rows  row store\n", oltp_schema(t, ids[i])->name, oltp_count(t, ids[i], 0));
    }
    oltp_end(t);
    (void)oltp_close(db, NULL);
}

static void print_schema(struct shell *s, const char *name)
{
    for (size_t i = 0; i < s->sql.reader_count; i++) {
        int t = columnar_table(s->sql.readers[i], name);
        struct buf b = {0};

        if (t < 0) continue;
        schema_to_json(columnar_schema(s->sql.readers[i], t), &b);
        printf("%s\n", buf_cstr(&b));
        buf_free(&b);
        return;
    }
    printf("no warehouse table is called '%s' (.tables lists them)\n", name);
}

/* Returns false when the prompt shall end.                                                          */
static bool dot_command(struct shell *s, char *line)
{
    char *word = strtok(line, " \t"), *arg = strtok(NULL, " \t");

    if (strcmp(word, ".quit") == 0 || strcmp(word, ".exit") == 0) return false;
    if (strcmp(word, ".tables") == 0) print_tables(s);
    else if (strcmp(word, ".schema") == 0 && arg != NULL) print_schema(s, arg);
    else if (strcmp(word, ".timer") == 0) s->timer = arg == NULL ? !s->timer : strcmp(arg, "on") == 0;
    else if (strcmp(word, ".mode") == 0 && arg != NULL && sql_format_parse(arg, &s->format)) return true;
    else
        printf(".tables            what can be asked\n.schema TABLE      its columns, as JSON\n"
               ".mode FORMAT       table, csv, tsv, jsonl, markdown\n.timer on|off      show the time a query took\n"
               ".quit              leave (Ctrl-D too)\nA statement ends with ';'. The subset: docs/guide/sql.md\n");
    return true;
}

/* A ';' outside of quotes ends a statement.                                                         */
static bool complete(const struct buf *b)
{
    char quote = 0;
    bool done = false;

    for (size_t i = 0; i < b->size; i++) {
        char c = (char)b->data[i];

        if (quote != 0) quote = c == quote ? 0 : quote;
        else if (c == '\'' || c == '"') quote = c;
        else if (c == ';') done = true;
        else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') done = false;
    }
    return done;
}

static enum status run_source(struct shell *s, const char *path, bool prompt)
{
    struct source *in = NULL;
    struct buf text = {0};
    const char *line;
    size_t n;
    enum status st = source_open(s->c->io, path, &in, &s->c->fault), worst = ST_OK;

    while (st == ST_OK) {
        if (prompt) {
            printf("%s", text.size == 0 ? "seam> " : "  ... ");
            fflush(stdout);
        }
        st = source_line(in, SQL_TEXT_MAX, &line, &n, &s->c->fault);
        cli_interrupted = 0;
        if (st != ST_OK) break;
        if (text.size == 0 && n > 0 && line[0] == '.') {
            char copy[256];

            snprintf(copy, sizeof copy, "%.*s", (int)(n < sizeof copy ? n : sizeof copy - 1), line);
            if (!dot_command(s, copy)) break;
            continue;
        }
        if (n == 0 && text.size == 0) continue;
        buf_append(&text, line, n);
        buf_u8(&text, '\n');
        if (!complete(&text)) continue;
        if (run_statement(s, (const char *)text.data, text.size) != ST_OK) worst = s->c->fault.status;
        buf_clear(&text);
    }
    if (text.size > 0 && run_statement(s, (const char *)text.data, text.size) != ST_OK) worst = s->c->fault.status;
    if (prompt) printf("\n");
    source_close(in);
    buf_free(&text);
    if (st != ST_END && st != ST_OK) return st;
    return prompt ? ST_OK : worst;
}

int cmd_sql(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *format = "table", *file = NULL;
    struct shell s = {.c = c, .threads = 1, .max_rows = 1000};
    const struct opt opts[] = {
        {"format", 0, OPT_STRING, "FORMAT", "table, csv, tsv, jsonl or markdown", &format},
        {"file", 'f', OPT_STRING, "FILE", "run the statements of a file", &file},
        {"threads", 't', OPT_INT, "N", "scan with N threads (1)", &s.threads},
        {"max-rows", 0, OPT_INT, "N", "print at most N rows of a table (1000; 0 = all)", &s.max_rows},
        {"timer", 0, OPT_FLAG, NULL, "show the time a query took", &s.timer},
    };
    struct platform p;
    int count;
    int rc = cli_parse(c, argc, argv, opts, ARRAY_LEN(opts), args, &count, 1, 2);
    enum status st;

    if (rc >= 0) return rc;
    if (!sql_format_parse(format, &s.format)) return cli_usage(c, "--format is table, csv, tsv, jsonl or markdown");
    if (s.threads < 1 || s.threads > 256 || s.max_rows < 0) return cli_usage(c, "--threads is 1 to 256, --max-rows not negative");
    cli_catch_interrupts();
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != ST_OK) return cli_fail(c, st);
    st = sql_platform_open(&s.sql, &p, &c->fault);
    if (st != ST_OK) rc = cli_fail(c, st);
    else if (count == 2) rc = status_exit_code(run_statement(&s, args[1], strlen(args[1])));
    else rc = status_exit_code(run_source(&s, file != NULL ? file : "-", file == NULL && isatty(STDIN_FILENO)));
    sql_platform_close(&s.sql);
    platform_close(&p);
    return rc;
}
