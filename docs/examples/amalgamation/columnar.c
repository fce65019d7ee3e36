/* A table, SQL over it: cc columnar.c seam_columnar.c -pthread -lm. Usage: columnar FOLDER. */
#include "seam_columnar.h"
#include <stdio.h>
#include <string.h>

static const char json[] = "{\"table\":\"sales\",\"version\":1,\"key\":[\"id\"],\"columns\":["
                           "{\"name\":\"id\",\"type\":\"int64\"},"
                           "{\"name\":\"amount\",\"type\":\"decimal\",\"scale\":2}]}";
static const char sql[] = "SELECT count(*) AS n, sum(amount) AS total FROM sales";

static void print(void *ctx, const char *s, size_t n)
{
    fwrite(s, 1, n, (FILE *)ctx);
}

static enum seam_status ask(const struct columnar_reader *r, struct seam_fault *f)
{
    struct columnar_sql_env env = {&r, 1, NULL, NULL, NULL};
    struct columnar_query_options opt = {0};
    struct columnar_sql_printer *out = NULL;
    struct seam_arena arena = {0};
    struct columnar_sql_query q;
    enum seam_status st = columnar_sql_prepare(&env, sql, sizeof sql - 1, &arena, &q, f), end;

    if (st == SEAM_OK)
        st = columnar_sql_printer_new(COLUMNAR_SQL_CSV, q.columns, q.n_columns, 0, print, stdout,
                                      &out, f);
    if (st == SEAM_OK) {
        st = columnar_sql_run(&q, &opt, columnar_sql_printer_batch, out, NULL, f);
        end = columnar_sql_printer_finish(out, NULL, f);
        if (st == SEAM_OK) st = end;
    }
    seam_arena_free(&arena);
    return st;
}

int main(int argc, char **argv)
{
    struct columnar_writer *w = NULL;
    struct columnar_reader *r = NULL;
    struct seam_schema s = {0};
    struct seam_fault f = {0};
    char text[1024];
    enum seam_status st = seam_schema_parse(json, sizeof json - 1, &s, &f);

    if (st == SEAM_OK) st = columnar_open_writer(seam_io_posix(), argv[argc - 1], NULL, &w, &f);
    if (st == SEAM_OK) st = columnar_define_table(w, &s, NULL, &f);
    for (int i = 1; st == SEAM_OK && i <= 100; i++) {
        const struct seam_value row[2] = {seam_v_int(i), seam_v_decimal(100 * i, 2)};

        st = columnar_upsert(w, columnar_writer_table(w, "sales"), row, 10, NULL, &f);
    }
    if (st == SEAM_OK) st = columnar_publish(w, 10, 1, &f);
    columnar_close_writer(w);
    if (st == SEAM_OK) st = columnar_open_reader(seam_io_posix(), argv[argc - 1], NULL, &r, &f);
    if (st == SEAM_OK) st = ask(r, &f);
    if (st != SEAM_OK) fprintf(stderr, "%s\n", seam_fault_text(&f, text, sizeof text));
    columnar_close_reader(r);
    seam_schema_free(&s);
    return seam_status_exit_code(st);
}
