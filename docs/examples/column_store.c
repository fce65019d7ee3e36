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

static enum status sell(struct columnar_writer *w, int64_t id, const char *city, int64_t cents,
                        lsn_t lsn, struct fault *f)
{
    const struct value row[] = {v_int(id), v_str(city), v_decimal(cents, 2)};

    return columnar_upsert(w, columnar_writer_table(w, "sales"), row, lsn, NULL, f);
}

static void print(void *ctx, const char *s, size_t n)
{
    (void)ctx;
    fwrite(s, 1, n, stdout);
}

static enum status ask(const struct columnar_reader *r, const char *text, struct fault *f)
{
    const struct sql_env env = {.readers = &r, .reader_count = 1};
    struct arena arena = {0};
    struct sql_query q;
    struct sql_printer *out = NULL;
    struct query_stats stats = {0};
    struct query_options opt = {0};
    enum status st = sql_prepare(&env, text, strlen(text), &arena, &q, f);

    if (st == ST_OK) printf("%s\n", text);
    if (st == ST_OK)
        st = sql_printer_new(SQL_TABLE, q.columns, q.n_columns, 0, print, NULL, &out, f);
    if (st == ST_OK) {
        enum status finish;

        st = sql_run(&q, &opt, sql_printer_batch, out, &stats, f);
        finish = sql_printer_finish(out, NULL, f);
        if (st == ST_OK) st = finish;
    }
    arena_free(&arena);
    return st;
}

/* Two publications: each makes its rows visible and durable together with the LSN they bring.        */
static enum status fill(struct columnar_writer *w, const struct schema *s, struct fault *f)
{
    enum status st = columnar_define_table(w, s, NULL, f);

    for (int i = 1; st == ST_OK && i <= 1000; i++)
        st = sell(w, i, i % 2 == 0 ? "Lisbon" : "Porto", 1000 + i, 10, f);
    if (st == ST_OK) st = columnar_publish(w, 10, clock_wall_us(clock_real()), f);
    if (st == ST_OK) st = sell(w, 1, "Faro", 500000, 20, f); /* ends the version of LSN 10 */
    if (st == ST_OK) st = columnar_publish(w, 20, clock_wall_us(clock_real()), f);
    if (st == ST_OK) st = sell(w, 2, "Faro", 1, 20, f); /* at or below what is applied: ignored */
    return st;
}

int main(int argc, char **argv)
{
    struct columnar_writer *w = NULL;
    struct columnar_reader *r = NULL;
    struct schema s = {0};
    struct fault f = {0};
    char text[1024];
    enum status st;

    if (argc != 2) return fprintf(stderr, "usage: column_store FOLDER\n"), 2;
    st = schema_parse(sales_json, sizeof sales_json - 1, &s, &f);
    if (st == ST_OK) st = columnar_open_writer(io_posix(), argv[1], NULL, &w, &f);
    if (st == ST_OK) st = fill(w, &s, &f);
    columnar_close_writer(w);
    if (st == ST_OK) st = columnar_open_reader(io_posix(), argv[1], NULL, &r, &f);
    if (st == ST_OK)
        st = ask(r,
                 "SELECT city, count(*) AS n, sum(amount) AS total FROM sales GROUP BY city ORDER "
                 "BY city",
                 &f);
    if (st == ST_OK) st = ask(r, "SELECT city, amount FROM sales AS OF LSN 10 WHERE id = 1", &f);
    if (st == ST_OK) printf("applied up to LSN %" PRIu64 "\n", columnar_applied(r));
    columnar_close_reader(r);
    schema_free(&s);
    if (st != ST_OK) fprintf(stderr, "column_store: %s\n", fault_text(&f, text, sizeof text));
    return status_exit_code(st);
}
