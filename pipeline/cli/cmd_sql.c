/* cmd_sql - one statement, a file of them, or a prompt. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/io/source.h"
#include "pipeline/ask/sqlenv.h"
#include "pipeline/cli/cli.h"

struct shell {
    struct cli *c;
    struct ask_sql_platform sql;
    enum columnar_sql_format format;
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
static void show_fault(struct shell *s, const char *text, size_t n, enum seam_status st)
{
    struct seam_fault *f = &s->c->fault;
    struct seam_buf b = {0};

    if (!s->c->json && strcmp(f->where, "sql") == 0 && f->at != SEAM_FAULT_NO_OFFSET) {
        columnar_sql_caret(text, n, f->at, &b);
        fprintf(stderr, "%s%s\n", seam_buf_cstr(&b), f->why);
        seam_buf_free(&b);
    } else {
        (void)cli_fail(s->c, st);
    }
}

static void footer(struct shell *s, const struct columnar_sql_query *q,
                   const struct columnar_query_stats *st, uint64_t rows)
{
    char read[32], total[32];

    if (s->c->quiet || s->format != COLUMNAR_SQL_TABLE) return;
    printf("-- %" PRIu64 " row%s", rows, rows == 1 ? "" : "s");
    if (q->lsn != SEAM_LSN_NONE) printf(", as of LSN %" PRIu64, q->lsn);
    if (st->groups_total > 0)
        printf("; read %" PRIu64 "/%" PRIu64 " row groups, %" PRIu64 "/%" PRIu64
               " vectors, %s of %s",
               st->groups_read, st->groups_total, st->vectors_read, st->vectors_total,
               human_bytes(st->bytes_read, read), human_bytes(st->bytes_total, total));
    if (s->timer) printf("; %.3f ms", (double)st->elapsed_ns / 1e6);
    printf("\n");
}

struct json_rows {
    const struct columnar_sql_query *q;
    struct seam_buf *out;
    uint64_t rows;
};

static enum seam_status json_batch(void *ctx, const struct columnar_batch *b, struct seam_fault *f)
{
    struct json_rows *j = ctx;
    struct seam_value row[SEAM_COLUMNS_MAX * 4];

    for (uint32_t r = 0; r < b->rows; r++) {
        columnar_batch_row(b, r, row);
        if (j->rows++ > 0) seam_buf_u8(j->out, ',');
        columnar_sql_json_row(j->q->columns, j->q->n_columns, row, j->out);
    }
    return seam_buf_ok(j->out) ? SEAM_OK
                               : seam_fault_set(f, SEAM_NOMEM, "sql", SEAM_FAULT_NO_OFFSET,
                                                "no memory for the answer");
}

static enum seam_status run_json(struct shell *s, const struct columnar_sql_query *q,
                                 const struct columnar_query_options *o)
{
    struct seam_buf rows = {0}, out = {0};
    struct json_rows j = {q, &rows, 0};
    struct columnar_query_stats stats = {0};
    struct seam_json_writer w;
    enum seam_status st = columnar_sql_run(q, o, json_batch, &j, &stats, &s->c->fault);

    seam_jw_init(&w, &out);
    seam_jw_object(&w);
    seam_jw_key(&w, "as_of_lsn");
    seam_jw_uint(&w, q->lsn);
    seam_jw_key(&w, "row_count");
    seam_jw_uint(&w, j.rows);
    seam_jw_key(&w, "row_groups_read");
    seam_jw_uint(&w, stats.groups_read);
    seam_jw_key(&w, "row_groups_total");
    seam_jw_uint(&w, stats.groups_total);
    seam_jw_key(&w, "vectors_read");
    seam_jw_uint(&w, stats.vectors_read);
    seam_jw_key(&w, "vectors_total");
    seam_jw_uint(&w, stats.vectors_total);
    seam_jw_key(&w, "bytes_read");
    seam_jw_uint(&w, stats.bytes_read);
    seam_jw_key(&w, "bytes_total");
    seam_jw_uint(&w, stats.bytes_total);
    seam_jw_key(&w, "elapsed_ms");
    seam_jw_double(&w, (double)stats.elapsed_ns / 1e6);
    seam_jw_key(&w, "rows");
    seam_buf_str(&rows, "]");
    seam_jw_raw(&w, "[", 1);
    seam_buf_append(&out, rows.data, rows.size);
    seam_jw_end_object(&w);
    seam_buf_str(&out, "\n");
    if (st == SEAM_OK) cli_print(&out);
    seam_buf_free(&rows);
    seam_buf_free(&out);
    return st;
}

static enum seam_status run_text(struct shell *s, const struct columnar_sql_query *q,
                                 const struct columnar_query_options *o)
{
    struct columnar_sql_printer *printer = NULL;
    struct columnar_query_stats stats = {0};
    uint64_t rows = 0;
    enum seam_status st =
        columnar_sql_printer_new(s->format, q->columns, q->n_columns, (uint64_t)s->max_rows,
                                 write_out, s, &printer, &s->c->fault);
    enum seam_status finished;

    if (st != SEAM_OK) return st;
    st = columnar_sql_run(q, o, columnar_sql_printer_batch, printer, &stats, &s->c->fault);
    if (s->c->progress) fprintf(stderr, "\r      \r");
    finished = columnar_sql_printer_finish(printer, &rows, &s->c->fault);
    if (st == SEAM_OK) st = finished;
    if (st == SEAM_OK) footer(s, q, &stats, rows);
    return st;
}

static enum seam_status drop_batch(void *ctx, const struct columnar_batch *b, struct seam_fault *f)
{
    (void)ctx;
    (void)b;
    (void)f;
    return SEAM_OK;
}

static enum seam_status run_explain(struct shell *s, const struct columnar_sql_query *q,
                                    const struct columnar_query_options *o)
{
    struct columnar_query_stats stats = {0};
    struct seam_buf b = {0};
    enum seam_status st = q->select->analyze
                              ? columnar_sql_run(q, o, drop_batch, NULL, &stats, &s->c->fault)
                              : SEAM_OK;

    if (st == SEAM_OK) columnar_plan_explain(q->plan, q->select->analyze ? &stats : NULL, &b);
    if (st == SEAM_OK) cli_print(&b);
    seam_buf_free(&b);
    return st;
}

static enum seam_status run_statement(struct shell *s, const char *text, size_t n)
{
    struct seam_arena a = {0};
    struct columnar_sql_query q = {0};
    struct columnar_query_options o = {.threads = (int)s->threads,
                                       .clock = s->c->clock,
                                       .progress = on_progress,
                                       .progress_ctx = s};
    enum seam_status st;

    seam_fault_clear(&s->c->fault);
    st = ask_sql_platform_next(&s->sql, &s->c->fault);
    if (st == SEAM_OK) st = columnar_sql_prepare(&s->sql.env, text, n, &a, &q, &s->c->fault);
    if (st == SEAM_OK)
        st = q.select->explain ? run_explain(s, &q, &o)
             : s->c->json      ? run_json(s, &q, &o)
                               : run_text(s, &q, &o);
    if (st != SEAM_OK) show_fault(s, text, n, st);
    seam_arena_free(&a);
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
            printf("%-28s %12" PRIu64 " rows  %s\n", columnar_schema(s->sql.readers[i], k)->name,
                   info.rows, s->sql.reader_of[i]);
        }
    if (platform_open_reader(s->sql.platform, SEAM_LSN_MAX, INT64_MIN, &db, NULL) == SEAM_OK &&
        oltp_read_begin(db, &t, NULL) == SEAM_OK) {
        size_t n = oltp_tables(t, ids, SEAM_ARRAY_LEN(ids));

        for (size_t i = 0; i < n && i < SEAM_ARRAY_LEN(ids); i++)
            printf("%-28s %12" PRIu64 " rows  row store\n", oltp_schema(t, ids[i])->name,
                   oltp_count(t, ids[i], 0));
    }
    oltp_end(t);
    (void)oltp_close(db, NULL);
}

static void print_schema(struct shell *s, const char *name)
{
    for (size_t i = 0; i < s->sql.reader_count; i++) {
        int t = columnar_table(s->sql.readers[i], name);
        struct seam_buf b = {0};

        if (t < 0) continue;
        seam_schema_to_json(columnar_schema(s->sql.readers[i], t), &b);
        printf("%s\n", seam_buf_cstr(&b));
        seam_buf_free(&b);
        return;
    }
    printf("no warehouse table is called '%s' (.tables lists them)\n", name);
}

/* Returns false when the prompt shall end.                                                          */
static bool dot_command(struct shell *s, char *line)
{
    char *word = strtok(line, " \t"), *arg = strtok(NULL, " \t");

    if (strcmp(word, ".quit") == 0 || strcmp(word, ".exit") == 0) return false;
    if (strcmp(word, ".tables") == 0)
        print_tables(s);
    else if (strcmp(word, ".schema") == 0 && arg != NULL)
        print_schema(s, arg);
    else if (strcmp(word, ".timer") == 0)
        s->timer = arg == NULL ? !s->timer : strcmp(arg, "on") == 0;
    else if (strcmp(word, ".mode") == 0 && arg != NULL &&
             columnar_sql_format_parse(arg, &s->format))
        return true;
    else
        printf(".tables            what can be asked\n.schema TABLE      its columns, as JSON\n"
               ".mode FORMAT       table, csv, tsv, jsonl, markdown\n.timer on|off      show the "
               "time a query took\n"
               ".quit              leave (Ctrl-D too)\nA statement ends with ';'. The subset: "
               "docs/guide/sql.md\n");
    return true;
}

/* A ';' outside of quotes ends a statement.                                                         */
static bool complete(const struct seam_buf *b)
{
    char quote = 0;
    bool done = false;

    for (size_t i = 0; i < b->size; i++) {
        char c = (char)b->data[i];

        if (quote != 0)
            quote = c == quote ? 0 : quote;
        else if (c == '\'' || c == '"')
            quote = c;
        else if (c == ';')
            done = true;
        else if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            done = false;
    }
    return done;
}

static enum seam_status run_source(struct shell *s, const char *path, bool prompt)
{
    struct seam_source *in = NULL;
    struct seam_buf text = {0};
    const char *line;
    size_t n;
    enum seam_status st = seam_source_open(s->c->io, path, &in, &s->c->fault), worst = SEAM_OK;

    while (st == SEAM_OK) {
        if (prompt) {
            printf("%s", text.size == 0 ? "seam> " : "  ... ");
            fflush(stdout);
        }
        st = seam_source_line(in, COLUMNAR_SQL_TEXT_MAX, &line, &n, &s->c->fault);
        cli_interrupted = 0;
        if (st != SEAM_OK) break;
        if (text.size == 0 && n > 0 && line[0] == '.') {
            char copy[256];

            snprintf(copy, sizeof copy, "%.*s", (int)(n < sizeof copy ? n : sizeof copy - 1), line);
            if (!dot_command(s, copy)) break;
            continue;
        }
        if (n == 0 && text.size == 0) continue;
        seam_buf_append(&text, line, n);
        seam_buf_u8(&text, '\n');
        if (!complete(&text)) continue;
        if (run_statement(s, (const char *)text.data, text.size) != SEAM_OK)
            worst = s->c->fault.status;
        seam_buf_clear(&text);
    }
    if (text.size > 0 && run_statement(s, (const char *)text.data, text.size) != SEAM_OK)
        worst = s->c->fault.status;
    if (prompt) printf("\n");
    seam_source_close(in);
    seam_buf_free(&text);
    if (st != SEAM_END && st != SEAM_OK) return st;
    return prompt ? SEAM_OK : worst;
}

int cmd_sql(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *format = "table", *file = NULL;
    struct shell s = {.c = c, .threads = 1, .max_rows = 1000};
    const struct seam_opt opts[] = {
        {"format", 0, SEAM_OPT_STRING, "FORMAT", "table, csv, tsv, jsonl or markdown", &format},
        {"file", 'f', SEAM_OPT_STRING, "FILE", "run the statements of a file", &file},
        {"threads", 't', SEAM_OPT_INT, "N", "scan with N threads (1)", &s.threads},
        {"max-rows", 0, SEAM_OPT_INT, "N", "print at most N rows of a table (1000; 0 = all)",
         &s.max_rows},
        {"timer", 0, SEAM_OPT_FLAG, NULL, "show the time a query took", &s.timer},
    };
    struct platform p;
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 2);
    enum seam_status st;

    if (rc >= 0) return rc;
    if (!columnar_sql_format_parse(format, &s.format))
        return cli_usage(c, "--format is table, csv, tsv, jsonl or markdown");
    if (s.threads < 1 || s.threads > 256 || s.max_rows < 0)
        return cli_usage(c, "--threads is 1 to 256, --max-rows not negative");
    cli_catch_interrupts();
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    st = ask_sql_platform_open(&s.sql, &p, &c->fault);
    if (st != SEAM_OK)
        rc = cli_fail(c, st);
    else if (count == 2)
        rc = seam_status_exit_code(run_statement(&s, args[1], strlen(args[1])));
    else
        rc = seam_status_exit_code(
            run_source(&s, file != NULL ? file : "-", file == NULL && isatty(STDIN_FILENO)));
    ask_sql_platform_close(&s.sql);
    platform_close(&p);
    return rc;
}
