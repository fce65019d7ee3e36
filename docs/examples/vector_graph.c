/* vector_graph - the HNSW graph lifted out: vectors in, nearest out, checked against the exact answer.
 *
 * Needs hnsw/ and engine/. Usage: vector_graph FOLDER.                                              */
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/rng.h"
#include "hnsw/hnsw.h"

enum { DIM = 16, COUNT = 2000, K = 5 };

static void random_vector(struct seam_rng *rng, float *v)
{
    for (int i = 0; i < DIM; i++) v[i] = (float)seam_rng_below(rng, 1000) / 500.0f - 1.0f;
}

/* The walk against measuring every vector: how many of the k nearest it found.                       */
static enum seam_status find(const struct hnsw *h, const char *what, const float *v,
                             seam_lsn_t as_of, struct seam_fault *f)
{
    const struct hnsw_query q = {.vector = v, .k = K, .ef = 64, .as_of = as_of};
    struct hnsw_hit near[K], exact[K];
    struct hnsw_stats stats;
    size_t n = 0, m = 0, same = 0;
    enum seam_status st = hnsw_search(h, &q, near, &n, &stats, f);

    if (st == SEAM_OK) st = hnsw_exact(h, &q, exact, &m, f);
    if (st != SEAM_OK) return st;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++) same += near[i].key == exact[j].key;
    printf("%s: nearest is key %" PRIu64 "; %zu of %zu right", what, near[0].key, same, m);
    printf(" after %u distances instead of %d\n", stats.distances, COUNT);
    return SEAM_OK;
}

static enum seam_status fill(struct hnsw *h, struct seam_rng *rng, float *first,
                             struct seam_fault *f)
{
    float v[DIM];
    enum seam_status st = SEAM_OK;

    for (uint64_t key = 0; st == SEAM_OK && key < COUNT; key++) {
        random_vector(rng, v);
        if (key == 0)
            for (int i = 0; i < DIM; i++) first[i] = v[i];
        st = hnsw_upsert(h, key, v, 10, f);
    }
    if (st == SEAM_OK) st = hnsw_publish(h, 10, 1, f);
    if (st == SEAM_OK)
        st = hnsw_delete(h, 0, 20, f); /* a tombstone: walked through, never returned */
    if (st == SEAM_OK) st = hnsw_publish(h, 20, 2, f);
    return st;
}

int main(int argc, char **argv)
{
    const struct hnsw_options o = {
        .dim = DIM, .metric = HNSW_L2, .m = 8, .ef_construction = 100, .seed = 7};
    struct hnsw *w = NULL, *r = NULL;
    struct seam_fault f = {0};
    struct seam_rng rng;
    float query[DIM];
    char text[1024];
    enum seam_status st;

    if (argc != 2) return fprintf(stderr, "usage: vector_graph FOLDER\n"), 2;
    seam_rng_seed(&rng, 7);
    st = hnsw_create(seam_io_posix(), argv[1], &o, &f);
    if (st == SEAM_OK) st = hnsw_open_writer(seam_io_posix(), argv[1], NULL, &w, &f);
    if (st == SEAM_OK) st = fill(w, &rng, query, &f);
    hnsw_close(w);
    /* Opened by mapping the files: nothing is built again.                                           */
    if (st == SEAM_OK) st = hnsw_open_reader(seam_io_posix(), argv[1], SEAM_LSN_MAX, NULL, &r, &f);
    if (st == SEAM_OK) st = find(r, "now", query, SEAM_LSN_MAX, &f);
    if (st == SEAM_OK)
        st = find(r, "as of LSN 10", query, 10, &f); /* key 0 lives, and is the nearest */
    hnsw_close(r);
    if (st != SEAM_OK)
        fprintf(stderr, "vector_graph: %s\n", seam_fault_text(&f, text, sizeof text));
    return seam_status_exit_code(st);
}
