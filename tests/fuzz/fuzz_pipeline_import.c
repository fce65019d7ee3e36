/* The importer on damaged mappings and files, over a row store on a simulated disk: nothing may
 * crash, and whatever lands must be rows of the tables.                                          */
#include <stdlib.h>
#include <string.h>

#include "engine/io/io_sim.h"
#include "pipeline/import/import.h"
#include "tests/fuzz/fuzz_main.h"

static const char products[] =
    "{\"table\":\"p\",\"key\":[\"id\"],\"columns\":[{\"name\":\"id\",\"type\":\"int64\"},{\"name\":"
    "\"sku\",\"type\":\"text\"},{\"name\":\"price\",\"type\":\"decimal\",\"scale\":4,\"default\":"
    "\"0\"},"
    "{\"name\":\"at\",\"type\":\"timestamp\",\"nullable\":true},{\"name\":\"v\",\"type\":\"int64\","
    "\"default\":1}],\"indexes\":[{\"name\":\"s\",\"columns\":[\"sku\"],\"unique\":true}]}";
static const char lines[] =
    "{\"table\":\"l\",\"key\":[\"o\",\"n\"],\"columns\":[{\"name\":\"o\",\"type\":\"int64\"},{"
    "\"name\":\"n\",\"type\":\"int64\"},{\"name\":\"p\",\"type\":\"int64\"}]}";

#define GOOD_MAPPING                                                                               \
    "{\"name\":\"m\",\"format\":\"csv\",\"transaction\":{\"group\":\"O\",\"rows\":3},\"tables\":[" \
    "{\"table\":\"p\",\"values\":{\"id\":{\"intern\":\"sku\"},\"sku\":{\"from\":\"S\",\"trim\":"   \
    "true,\"upper\":true,\"prefix\":\"x\",\"else\":\"O\"},"                                        \
    "\"price\":{\"cases\":[{\"when\":{\"all\":[{\"column\":\"P\",\"above\":0},{\"not\":{"          \
    "\"column\":\"S\",\"starts\":[\"C\",\"A\"]}}]},\"then\":\"P\"}],\"else\":{\"value\":1}},"      \
    "\"at\":\"T\",\"v\":{\"version\":true}},"                                                      \
    "\"compare\":[\"price\"],\"newest\":\"at\",\"apart_seconds\":60,\"update_when\":{\"column\":"  \
    "\"P\",\"below\":99}},"                                                                        \
    "{\"table\":\"l\",\"mode\":\"insert\",\"values\":{\"o\":{\"from\":\"O\",\"digits\":true},"     \
    "\"n\":{\"count\":\"O\"},\"p\":{\"same\":\"p.id\"}},\"event\":{\"aggregate\":\"l\",\"type\":"  \
    "\"L\"}}]}"
#define GOOD_FILE                                                                                  \
    "O,S,P,T\nC1,a,2.5,2011-01-01\n1,\"b, c\",0,2011-01-02 "                                       \
    "10:00:00\n2,a,3,2011-01-02\n2,a,x,2011-01-02\n2,a,3\n3,,4,2011-01-05\n"

static const char good_mapping[] = GOOD_MAPPING, good_file[] = GOOD_FILE;
/* A byte 0 parts mapping from file. */
static const char good[] =
    "{\"tables\":[{\"table\":\"p\",\"mode\":\"keep\",\"values\":{\"id\":\"a\",\"sku\":\"b\"}}]}\0"
    "a,b\n1,x\n2,\"y\n\"\"z\"\n1,w\n";
static const char both[] = GOOD_MAPPING "\0" GOOD_FILE;

static struct oltp *open_store(struct seam_io_sim *sim)
{
    struct oltp_options o = {.cache_bytes = OLTP_CACHE_MIN};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    uint32_t id;

    if (seam_io_mkdir(seam_io_sim_io(sim), "/d", NULL) != SEAM_OK ||
        oltp_open(seam_io_sim_io(sim), "/d/oltp", &o, &db, NULL) != SEAM_OK)
        abort();
    if (oltp_write_begin(db, &t, NULL) != SEAM_OK ||
        oltp_create_table_json(t, products, sizeof products - 1, &id, NULL) != SEAM_OK ||
        oltp_create_table_json(t, lines, sizeof lines - 1, &id, NULL) != SEAM_OK ||
        oltp_commit(t, OLTP_DEFERRED, NULL, NULL) != SEAM_OK)
        abort();
    return db;
}

static void check_rows(struct oltp *db, const char *name)
{
    struct oltp_txn *t = NULL;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_value v[SEAM_COLUMNS_MAX];
    uint32_t id;

    if (oltp_read_begin(db, &t, NULL) != SEAM_OK || oltp_table(t, name, &id, NULL) != SEAM_OK ||
        oltp_cursor_open(t, id, 0, NULL, 0, &c, NULL) != SEAM_OK)
        abort();
    while (oltp_cursor_next(c, &row, NULL) == SEAM_OK) {
        if (seam_row_decode(oltp_schema(t, id), row.row.data, row.row.size, v, NULL) != SEAM_OK)
            abort();
    }
    oltp_cursor_close(c);
    oltp_end(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seam_io_sim *sim = seam_io_sim_new(1);
    struct oltp *db = open_store(sim);
    const uint8_t *cut = size > 0 ? memchr(data, 0, size) : NULL;
    struct import_options o = {.io = seam_io_sim_io(sim),
                               .file = "/d/file.csv",
                               .mapping = good_mapping,
                               .mapping_size = sizeof good_mapping - 1};
    const uint8_t *file = data;
    size_t seam_file_size = size;
    struct import_stats s;
    enum seam_status first;

    if (cut != NULL) {
        o.mapping = (const char *)data;
        o.mapping_size = (size_t)(cut - data);
        file = cut + 1;
        seam_file_size = size - o.mapping_size - 1;
    }
    if (seam_io_write_atomic(o.io, o.file, file, seam_file_size, NULL) != SEAM_OK) abort();
    first = import_run(db, &o, &s, NULL);
    if (first == SEAM_OK) { /* and again: nothing new */
        if (s.landed + s.rejected != s.records || import_run(db, &o, &s, NULL) != SEAM_OK ||
            s.landed != 0 || s.lsn != SEAM_LSN_NONE)
            abort();
    }
    check_rows(db, "p");
    check_rows(db, "l");
    (void)oltp_close(db, NULL);
    seam_io_sim_free(sim);
    return 0;
}

FUZZ_MAIN(FUZZ_SAMPLE(good_file), FUZZ_SAMPLE(good), FUZZ_SAMPLE(both))
