#include <stdlib.h>

#include "engine/io/io_sim.h"
#include "invidx/invidx.h"
#include "tests/fuzz/fuzz_main.h"

static void need(bool ok)
{
    if (!ok) __builtin_trap();
}

static struct seam_io_sim *sim;
static struct invidx_reader *reader;
static struct invidx_query *query;

static void set_up(void)
{
    static const struct invidx_field fields[] = {{"title", 3}, {"body", 1}};
    static const struct invidx_attr attrs[] = {{"price", INVIDX_INT64}, {"brand", INVIDX_KEYWORD}};
    struct invidx_schema s = {.fields = fields,
                              .field_count = 2,
                              .attrs = attrs,
                              .attr_count = 2,
                              .analysis = invidx_analysis_default()};
    struct invidx_writer *w = NULL;

    s.analysis.synonyms = "shoe, sneaker, running shoe\n";
    sim = seam_io_sim_new(1);
    need(invidx_writer_open(seam_io_sim_io(sim), "d", &s, NULL, &w, NULL) == SEAM_OK);
    for (uint64_t i = 0; i < 50; i++) {
        struct invidx_text t[2] = {{"running shoes", 13}, {"a shoe for the road", i % 20}};
        struct seam_value a[2] = {seam_v_int((int64_t)i), seam_v_str("acme")};

        need(invidx_upsert(w, &(struct invidx_doc){.key = i, .fields = t, .attrs = a}, i + 1,
                           NULL) == SEAM_OK);
    }
    need(invidx_publish(w, 100, 0, NULL) == SEAM_OK);
    invidx_writer_close(w);
    need(invidx_reader_open(seam_io_sim_io(sim), "d", SEAM_LSN_MAX, &reader, NULL) == SEAM_OK);
    need(invidx_query_new(reader, &query, NULL) == SEAM_OK);
}

/* Any text is a query or a mistake that is named; pruned and exhaustive search agree on it.               */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct invidx_hit a[8], b[8];
    struct invidx_request req = {.k = 8};
    struct invidx_result x = {.hits = a}, y = {.hits = b};
    struct seam_buf text = {0};
    enum seam_status st;

    if (reader == NULL) set_up();
    st = invidx_query_parse(query, (const char *)data, size, (enum invidx_side)(size & 1), NULL);
    need(st == SEAM_OK || st == SEAM_INVALID || st == SEAM_LIMIT);
    if (st == SEAM_OK) {
        st = invidx_search(reader, query, &req, &x, NULL);
        need(st == SEAM_OK || st == SEAM_LIMIT);
        req.strategy = INVIDX_EXHAUSTIVE;
        if (st == SEAM_OK) {
            need(invidx_search(reader, query, &req, &y, NULL) == SEAM_OK && x.count == y.count);
            for (size_t i = 0; i < x.count; i++)
                need(a[i].key == b[i].key && a[i].score == b[i].score);
        }
        invidx_query_print(query, &text);
        need(invidx_snippet(reader, query, (const char *)data, size, NULL, &text, NULL) !=
             SEAM_CORRUPT);
    }
    seam_buf_clear(&text);
    st = invidx_did_you_mean(reader, (const char *)data, size, &text, NULL);
    need(st == SEAM_OK || st == SEAM_LIMIT);
    seam_buf_free(&text);
    return 0;
}

FUZZ_MAIN(FUZZ_SAMPLE("+running shoes -road title:shoe^2"),
          FUZZ_SAMPLE("\"running shoes\"~3 OR brand:acme price:[1 TO 20]"),
          FUZZ_SAMPLE("runing~2 sho* (a AND b) NOT c"), FUZZ_SAMPLE("price:>=3 * -brand:\"acme\""))
