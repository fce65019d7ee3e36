/* Goal:   want of memory in the search index is said with its reason, whatever wanted it, and leaves the folder readable.
 * Method: a life of an index (create, change, publish twice, delete, merge, search in each way, verify, dump) with its
 *         1st, 2nd, 3rd ... allocation failing; after each the folder is opened with all the memory there is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/io/io_sim.h"
#include "invidx/invidx.h"
#include "tests/common/check_main.h"
#include "tests/common/fail_malloc.h"

struct world {
    struct seam_io_sim *sim;
    struct seam_io *io;
};

static void anew(void *ctx)
{
    struct world *w = ctx;

    if (w->sim != NULL) {
        struct invidx_reader *r = NULL;
        struct seam_fault f = {0};
        enum seam_status st = invidx_reader_open(w->io, "index", SEAM_LSN_MAX, &r, &f);

        ck_assert_msg(st == SEAM_OK || st == SEAM_NOT_FOUND, "%s: %s", seam_status_name(st), f.why);
        invidx_reader_close(r);
        seam_io_sim_free(w->sim);
    }
    w->sim = seam_io_sim_new(7);
    w->io = seam_io_sim_io(w->sim);
}

static enum seam_status put(struct invidx_writer *w, uint64_t key, seam_lsn_t lsn,
                            struct seam_fault *f)
{
    char title[64], body[128];
    struct invidx_text t[2] = {{title, 0}, {body, 0}};
    struct seam_value attrs[2] = {seam_v_int((int64_t)key),
                                  seam_v_str(key % 2 ? "acme" : "globex")};

    t[0].n = (size_t)snprintf(title, sizeof title, "product %d", (int)key);
    t[1].n = (size_t)snprintf(body, sizeof body,
                              "running shoes number %d and an extraordinarily long word", (int)key);
    return invidx_upsert(w, &(struct invidx_doc){.key = key, .fields = t, .attrs = attrs}, lsn, f);
}

static enum seam_status write_all(struct world *world, struct seam_fault *f)
{
    static const struct invidx_field fields[] = {{"title", 3}, {"body", 1}};
    static const struct invidx_attr attrs[] = {{"price", INVIDX_INT64}, {"brand", INVIDX_KEYWORD}};
    const struct invidx_schema s = {.fields = fields,
                                    .field_count = 2,
                                    .attrs = attrs,
                                    .attr_count = 2,
                                    .analysis = invidx_analysis_default()};
    struct invidx_writer *w = NULL;
    enum seam_status st = invidx_writer_open(world->io, "index", &s, NULL, &w, f);

    for (uint64_t i = 1; st == SEAM_OK && i <= 12; i++) st = put(w, i, i, f);
    if (st == SEAM_OK) st = invidx_publish(w, 20, 0, f);
    if (st == SEAM_OK) st = put(w, 3, 21, f);
    if (st == SEAM_OK) st = invidx_delete(w, 5, 22, f);
    if (st == SEAM_OK) st = invidx_publish(w, 30, 0, f);
    if (st == SEAM_OK) st = invidx_compact(w, f);
    invidx_writer_close(w);
    return st;
}

static enum seam_status read_all(struct world *world, struct seam_fault *f)
{
    static const char *const queries[] = {"running shoes",     "+product -shoes",
                                          "\"running shoes\"", "sho*",
                                          "runing~",           "price:[2 TO 9] brand:acme shoes"};
    struct invidx_reader *r = NULL;
    struct invidx_query *q = NULL;
    struct seam_digest digest;
    struct seam_buf report = {0};
    enum seam_status st = invidx_reader_open(world->io, "index", SEAM_LSN_MAX, &r, f);

    if (st == SEAM_OK) st = invidx_query_new(r, &q, f);
    for (size_t i = 0; st == SEAM_OK && i < SEAM_ARRAY_LEN(queries); i++) {
        struct invidx_hit hits[5];
        struct invidx_facet_request facets[] = {{.attr = 1, .limit = 5}};
        struct invidx_request req = {
            .k = 5, .facets = i == 0 ? facets : NULL, .facet_count = i == 0, .sort_attr = i == 1};
        struct invidx_result res = {.hits = hits};

        st = invidx_query_parse(q, queries[i], strlen(queries[i]), INVIDX_OR, f);
        if (st == SEAM_OK) st = invidx_search(r, q, &req, &res, f);
    }
    if (st == SEAM_OK) st = invidx_digest(r, &digest, f);
    if (st == SEAM_OK) st = invidx_verify(world->io, "index", &report, f);
    invidx_query_free(q);
    invidx_reader_close(r);
    seam_buf_free(&report);
    return st;
}

static enum seam_status life(void *ctx, struct seam_fault *f)
{
    enum seam_status st = write_all(ctx, f);

    return st == SEAM_OK ? read_all(ctx, f) : st;
}

static void test_every_allocation_of_a_life_says_why(void)
{
    struct world w = {0};
    struct fail_malloc_scenario s = {anew, life, &w};
    uint64_t failed = fail_malloc_everywhere(&s);

#ifdef __linux__
    ck_assert_uint_gt(failed, 100);
#endif
    seam_io_sim_free(w.sim);
}

static const struct named_test tests[] = {
    T(test_every_allocation_of_a_life_says_why),
};

int main(int argc, char **argv)
{
    return run_tests("invidx no memory", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
