/* Any text as a query over a small table: it is refused with a reason, or it runs. */
#include <stdlib.h>

#include "columnar/sql/sql.h"
#include "engine/io/io_sim.h"
#include "tests/fuzz/fuzz_main.h"

static const char schema_json[] = "{\"table\":\"t\",\"version\":1,\"key\":[\"id\"],\"columns\":[{"
                                  "\"name\":\"id\",\"type\":\"int64\"},"
                                  "{\"name\":\"word\",\"type\":\"text\",\"nullable\":true},{"
                                  "\"name\":\"price\",\"type\":\"decimal\",\"scale\":2},"
                                  "{\"name\":\"x\",\"type\":\"double\",\"nullable\":true},{"
                                  "\"name\":\"at\",\"type\":\"timestamp\"}]}";

static void need(bool ok)
{
    if (!ok) __builtin_trap();
}

static struct columnar_reader *table(void)
{
    static struct columnar_reader *r;
    struct seam_io_sim *sim;
    struct columnar_writer *w = NULL;
    struct seam_schema s = {0};

    if (r != NULL) return r;
    sim = seam_io_sim_new(1);
    need(seam_schema_parse(schema_json, sizeof schema_json - 1, &s, NULL) == SEAM_OK);
    need(columnar_open_writer(seam_io_sim_io(sim), "w", NULL, &w, NULL) == SEAM_OK);
    need(columnar_define_table(w, &s, NULL, NULL) == SEAM_OK);
    for (int i = 0; i < 100; i++) {
        struct seam_value v[5] = {
            seam_v_int(i), i % 7 ? seam_v_str(i % 2 ? "red" : "blue") : seam_v_null(),
            seam_v_decimal(i * 25, 2), i % 5 ? seam_v_double(i / 3.0) : seam_v_null(),
            seam_v_time(i * 86400000000)};

        need(columnar_upsert(w, 0, v, 5, NULL, NULL) == SEAM_OK);
    }
    need(columnar_publish(w, 5, 1, NULL) == SEAM_OK);
    columnar_close_writer(w);
    need(columnar_open_reader(seam_io_sim_io(sim), "w", NULL, &r, NULL) == SEAM_OK);
    seam_schema_free(&s);
    return r;
}

static enum seam_status count(void *ctx, const struct columnar_batch *b, struct seam_fault *f)
{
    (void)f;
    *(uint64_t *)ctx += b->rows;
    return SEAM_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct columnar_reader *readers[] = {table()};
    struct columnar_sql_env env = {.readers = readers, .reader_count = 1};
    struct columnar_query_options opt = {.memory_bytes = 64 << 20};
    struct seam_arena a = {.limit = 16 << 20};
    struct columnar_sql_query q;
    struct seam_fault f = {0};
    uint64_t rows = 0;

    if (size > 4096) return 0;
    if (columnar_sql_prepare(&env, (const char *)data, size, &a, &q, &f) == SEAM_OK) {
        enum seam_status st = columnar_sql_run(&q, &opt, count, &rows, NULL, &f);

        need(st == SEAM_OK || f.why[0] != 0);
    } else {
        need(f.why[0] != 0);
    }
    seam_arena_free(&a);
    return 0;
}

FUZZ_MAIN(
    FUZZ_SAMPLE(
        "select id, word from t where price > 2.55 and word like '%e%' order by id desc limit 3"),
    FUZZ_SAMPLE("select word, count(*), sum(price * (1 - 0.05)), avg(x) from t group by word "
                "having count(*) > 1"),
    FUZZ_SAMPLE("select date_trunc('month', at) as m, max(x) from t where at between '1970-01-02' "
                "and '1971-01-01' "
                "group by m order by m"),
    FUZZ_SAMPLE(
        "select a.id, b.word from t a left join t b on a.id = b.id where a.id in (1, 2, null)"),
    FUZZ_SAMPLE("select case when x is null then 'none' else lower(word) end, round(x, 1) from t "
                "as of lsn 5"))
