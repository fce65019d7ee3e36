/* bench_trace - what a trace that is off costs: hot loops that have a SEAM_TRACE() in them, timed once each.
 *
 * Compiled with and without the hooks (SEAM_TRACE=0), and run in turns by bench/ground/trace.sh (`make trace-bench`). The answer of
 * each loop is folded into a number that both builds must print alike.                               */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/rng.h"
#include "engine/io/io_sim.h"
#include "hnsw/hnsw.h"
#include "oltp/oltp.h"

enum { DIM = 16, VECTORS = 5000, SEARCHES = 4000, ROWS = 20000, BATCH = 100 };

static void random_vector(struct seam_rng *rng, float *v)
{
    for (int i = 0; i < DIM; i++) v[i] = (float)seam_rng_double(rng);
}

/* A SEAM_TRACE() a hop. */
static enum seam_status walk(uint64_t *ns, uint64_t *sum, struct seam_fault *f)
{
    const struct hnsw_options o = {.dim = DIM, .seed = 1};
    struct hnsw *h = NULL;
    struct seam_rng rng;
    float v[DIM];
    uint64_t begin;
    enum seam_status st = hnsw_new(&o, NULL, &h, f);

    seam_rng_seed(&rng, 1);
    for (uint64_t key = 0; st == SEAM_OK && key < VECTORS; key++) {
        random_vector(&rng, v);
        st = hnsw_upsert(h, key, v, 1 + key, f);
    }
    begin = seam_clock_mono_ns(seam_clock_real());
    for (int i = 0; st == SEAM_OK && i < SEARCHES; i++) {
        const struct hnsw_query q = {.vector = v, .k = 10, .ef = 64};
        struct hnsw_hit hits[10];
        size_t n;

        random_vector(&rng, v);
        st = hnsw_search(h, &q, hits, &n, NULL, f);
        *sum = *sum * 31 + hits[0].key;
    }
    *ns = (seam_clock_mono_ns(seam_clock_real()) - begin) / SEARCHES;
    hnsw_close(h);
    return st;
}

static enum seam_status insert_rows(struct oltp *db, uint64_t *sum, struct seam_fault *f)
{
    static const char json[] = "{\"table\":\"t\",\"version\":1,\"key\":[\"id\"],\"columns\":[{"
                               "\"name\":\"id\",\"type\":\"int64\"},"
                               "{\"name\":\"n\",\"type\":\"int64\"}]}";
    struct oltp_txn *t = NULL;
    struct seam_rng rng;
    uint32_t table = 0;
    enum seam_status st = oltp_write_begin(db, &t, f);

    seam_rng_seed(&rng, 2);
    if (st == SEAM_OK) st = oltp_create_table_json(t, json, sizeof json - 1, &table, f);
    for (int i = 0; st == SEAM_OK && i < ROWS; i++) {
        const struct seam_value row[] = {seam_v_int((int64_t)seam_rng_below(&rng, 1 << 30)),
                                         seam_v_int(i)};

        st = oltp_put(t, table, row, f);
        if (st == SEAM_OK && i % BATCH == BATCH - 1) {
            st = oltp_commit(t, OLTP_DEFERRED, NULL, f);
            t = NULL;
            if (st == SEAM_OK) st = oltp_write_begin(db, &t, f);
        }
    }
    if (st == SEAM_OK) *sum = *sum * 31 + oltp_count(t, table, 0);
    oltp_end(t);
    return st;
}

/* A SEAM_TRACE() a page copied or split, a commit, a flush. */
static enum seam_status grow(uint64_t *ns, uint64_t *sum, struct seam_fault *f)
{
    struct seam_io_sim *disk = seam_io_sim_new(1);
    struct oltp_options o = {.seed = 1};
    struct oltp *db = NULL;
    uint64_t begin;
    enum seam_status st;

    if (disk == NULL) return SEAM_NOMEM;
    o.clock = seam_clock_real();
    st = oltp_open(seam_io_sim_io(disk), "bench/oltp", &o, &db, f);
    begin = seam_clock_mono_ns(seam_clock_real());
    if (st == SEAM_OK) st = insert_rows(db, sum, f);
    *ns = (seam_clock_mono_ns(seam_clock_real()) - begin) / ROWS;
    oltp_close(db, NULL);
    seam_io_sim_free(disk);
    return st;
}

int main(void)
{
    struct seam_fault f = {0};
    char text[1024];
    uint64_t walk_ns = 0, grow_ns = 0, sum = 0;
    enum seam_status st = walk(&walk_ns, &sum, &f);

    if (st == SEAM_OK) st = grow(&grow_ns, &sum, &f);
    if (st != SEAM_OK) {
        fprintf(stderr, "bench_trace: %s\n", seam_fault_text(&f, text, sizeof text));
        return seam_status_exit_code(st);
    }
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", walk_ns, grow_ns, sum);
    return 0;
}
