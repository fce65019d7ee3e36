/* Goal:   want of memory in the vector index is said with its reason, whatever wanted it, and leaves the folder readable.
 * Method: a life of an index (create, load, publish, delete, publish, maintain, search, verify, dump) with its 1st, 2nd,
 *         3rd ... allocation failing; after each the folder is opened with all the memory there is.          */
#include "tests/hnsw/common.h"

#include <stdlib.h>

#include "engine/io/io_sim.h"
#include "tests/common/fail_malloc.h"

enum { DIM = 8, NODES = 60 };

struct world {
    struct seam_io_sim *sim;
    struct seam_io *io;
    float *v;
};

static void anew(void *ctx)
{
    struct world *w = ctx;

    if (w->sim != NULL) {
        struct hnsw *h = NULL;
        struct seam_fault f = {0};
        enum seam_status st = hnsw_open_reader(w->io, "d", SEAM_LSN_MAX, NULL, &h, &f);

        ck_assert_msg(st == SEAM_OK || st == SEAM_NOT_FOUND, "%s: %s", seam_status_name(st), f.why);
        hnsw_close(h);
        seam_io_sim_free(w->sim);
    }
    w->sim = seam_io_sim_new(7);
    w->io = seam_io_sim_io(w->sim);
}

static enum seam_status life(void *ctx, struct seam_fault *f)
{
    static const struct hnsw_options o = {
        .dim = DIM, .metric = HNSW_L2, .quant = HNSW_I8, .m = 6, .ef_construction = 40, .seed = 7};
    struct world *world = ctx;
    struct hnsw *w = NULL, *r = NULL;
    struct hnsw_query q = {.vector = world->v, .k = 5, .ef = 20};
    struct hnsw_verify_report report;
    struct hnsw_hit hits[5];
    size_t n;
    bool changed;
    enum seam_status st = hnsw_create(world->io, "d", &o, f);

    if (st == SEAM_OK) st = hnsw_open_writer(world->io, "d", NULL, &w, f);
    for (uint64_t i = 0; st == SEAM_OK && i < NODES / 2; i++)
        st = hnsw_upsert(w, i, world->v + i * DIM, i + 1, f);
    if (st == SEAM_OK) st = hnsw_publish(w, NODES / 2, 0, f);
    if (st == SEAM_OK) st = hnsw_open_reader(world->io, "d", SEAM_LSN_MAX, NULL, &r, f);
    for (uint64_t i = NODES / 2; st == SEAM_OK && i < NODES; i++)
        st = hnsw_upsert(w, i, world->v + i * DIM, i + 1, f);
    if (st == SEAM_OK) st = hnsw_delete(w, 3, NODES + 1, f);
    if (st == SEAM_OK) st = hnsw_publish(w, NODES + 1, 0, f);
    if (st == SEAM_OK) st = hnsw_refresh(r, &changed, f);
    if (st == SEAM_OK) st = hnsw_search(r, &q, hits, &n, NULL, f);
    if (st == SEAM_OK)
        st = hnsw_maintain(
            w, &(struct hnsw_maintain_options){.retain_lsn = SEAM_LSN_MAX, .force = true}, NULL, f);
    if (st == SEAM_OK) st = hnsw_refresh(r, &changed, f);
    if (st == SEAM_OK) st = hnsw_search(r, &q, hits, &n, NULL, f);
    if (st == SEAM_OK) st = hnsw_verify(world->io, "d", &report, f);
    hnsw_close(r);
    hnsw_close(w);
    return st;
}

static void test_every_allocation_of_a_life_says_why(void)
{
    struct world w = {.v = clustered(NODES, DIM, 5)};
    struct fail_malloc_scenario s = {anew, life, &w};
    uint64_t failed = fail_malloc_everywhere(&s);

#ifdef __linux__
    ck_assert_uint_gt(failed, 50);
#endif
    seam_io_sim_free(w.sim);
    free(w.v);
}

static const struct named_test tests[] = {
    T(test_every_allocation_of_a_life_says_why),
};

int main(int argc, char **argv)
{
    return run_tests("hnsw no memory", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
