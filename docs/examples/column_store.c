/* column_store - the warehouse lifted out: upserts by LSN, SQL over them, and SQL as of an earlier LSN.
 *
 * Needs columnar/ and engine/. Usage: column_store FOLDER.                                          */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "columnar/columnar.h"
#include "columnar/sql/sql.h"

static const char sales_json[] = "{\"table\":\"sales\",\"version\":1,\"key\":[\"id\"],\"columns\":["
                                 "{\"name\":\"id\",\"type\":\"int64\"},"
                                 "{\"name\":\"city\",\"type\":\"text\"},{\"name\":\"amount\","
                                 "\"type\":\"decimal\",\"scale\":2}]}";

static enum seam_status sell(struct columnar_writer *w, int64_t id, const char *city, int64_t cents,
                             seam_lsn_t lsn, struct seam_fault *f)
{
    const struct seam_value row[] = {seam_v_int(id), seam_v_str(city), seam_v_decimal(cents, 2)};

    return columnar_upsert(w, columnar_writer_table(w, "sales"), row, lsn, NULL, f);
}

static void print(void *ctx, const char *s, size_t n)
{
    (void)ctx;
    fwrite(s, 1, n, stdout);
}

static enum seam_status ask(const struct columnar_reader *r, const char *text, struct seam_fault *f)
{
    const struct columnar_sql_env env = {.readers = &r, .reader_count = 1};
    struct seam_arena arena = {0};
    struct columnar_sql_query q;
    struct columnar_sql_printer *out = NULL;
    struct columnar_query_stats stats = {0};
    struct columnar_query_options opt = {0};
    enum seam_status st = columnar_sql_prepare(&env, text, strlen(text), &arena, &q, f);

    if (st == SEAM_OK) printf("%s\n", text);
    if (st == SEAM_OK)
        st = columnar_sql_printer_new(COLUMNAR_SQL_TABLE, q.columns, q.n_columns, 0, print, NULL,
                                      &out, f);
    if (st == SEAM_OK) {
        enum seam_status finish;

        st = columnar_sql_run(&q, &opt, columnar_sql_printer_batch, out, &stats, f);
        finish = columnar_sql_printer_finish(out, NULL, f);
        if (st == SEAM_OK) st = finish;
    }
    seam_arena_free(&arena);
    return st;
}

/* Two publications: each makes its rows visible and durable together with the LSN they bring.        */
static enum seam_status fill(struct columnar_writer *w, const struct seam_schema *s,
                             struct seam_fault *f)
{
    enum seam_status st = columnar_define_table(w, s, NULL, f);

    for (int i = 1; st == SEAM_OK && i <= 1000; i++)
        st = sell(w, i, i % 2 == 0 ? "Lisbon" : "Porto", 1000 + i, 10, f);
    if (st == SEAM_OK) st = columnar_publish(w, 10, seam_clock_wall_us(seam_clock_real()), f);
    if (st == SEAM_OK) st = sell(w, 1, "Faro", 500000, 20, f); /* ends the version of LSN 10 */
    if (st == SEAM_OK) st = columnar_publish(w, 20, seam_clock_wall_us(seam_clock_real()), f);
    if (st == SEAM_OK) st = sell(w, 2, "Faro", 1, 20, f); /* at or below what is applied: ignored */
    return st;
}

int main(int argc, char **argv)
{
    struct columnar_writer *w = NULL;
    struct columnar_reader *r = NULL;
    struct seam_schema s = {0};
    struct seam_fault f = {0};
    char text[1024];
    enum seam_status st;

    if (argc != 2) return fprintf(stderr, "usage: column_store FOLDER\n"), 2;
    st = seam_schema_parse(sales_json, sizeof sales_json - 1, &s, &f);
    if (st == SEAM_OK) st = columnar_open_writer(seam_io_posix(), argv[1], NULL, &w, &f);
    if (st == SEAM_OK) st = fill(w, &s, &f);
    columnar_close_writer(w);
    if (st == SEAM_OK) st = columnar_open_reader(seam_io_posix(), argv[1], NULL, &r, &f);
    if (st == SEAM_OK)
        st = ask(r,
                 "SELECT city, count(*) AS n, sum(amount) AS total FROM sales GROUP BY city ORDER "
                 "BY city",
                 &f);
    if (st == SEAM_OK) st = ask(r, "SELECT city, amount FROM sales AS OF LSN 10 WHERE id = 1", &f);
    if (st == SEAM_OK) printf("applied up to LSN %" PRIu64 "\n", columnar_applied(r));
    columnar_close_reader(r);
    seam_schema_free(&s);
    if (st != SEAM_OK)
        fprintf(stderr, "column_store: %s\n", seam_fault_text(&f, text, sizeof text));
    return seam_status_exit_code(st);
}
