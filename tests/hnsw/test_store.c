/* Goal: what was published is what is read, by this process and others, whatever happened in between. */
#include "tests/hnsw/common.h"

#include <stdio.h>

#include "engine/io/io_sim.h"
#include "tests/common/fail_malloc.h"
#include "tests/common/restart.h"

enum { DIM = 8 };

static const struct hnsw_options small = {
    .dim = DIM, .metric = HNSW_L2, .m = 6, .ef_construction = 40, .seed = 7};

static struct hnsw *writer(struct seam_io *io, const char *dir)
{
    struct hnsw *h = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(hnsw_open_writer(io, dir, NULL, &h, &f), &f);
    return h;
}

static struct hnsw *reader(struct seam_io *io, const char *dir, seam_lsn_t lsn, bool mapped)
{
    struct hnsw_config cfg = {.mapped = mapped};
    struct hnsw *h = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(hnsw_open_reader(io, dir, lsn, &cfg, &h, &f), &f);
    return h;
}

/* Both graphs answer alike, distance for distance: readers have the writer's graph.                  */
static void same_answers(const struct hnsw *a, const struct hnsw *b, const float *queries, size_t n)
{
    struct hnsw_hit x[10], y[10];
    struct seam_fault f = {0};

    for (size_t i = 0; i < n; i++) {
        struct hnsw_query q = {.vector = queries + i * DIM, .k = 10, .ef = 20};
        struct hnsw_stats sa, sb;
        size_t m = 0, k = 0;

        ASSERT_OK(hnsw_search(a, &q, x, &m, &sa, &f), &f);
        ASSERT_OK(hnsw_search(b, &q, y, &k, &sb, &f), &f);
        ck_assert_uint_eq(m, k);
        ck_assert_uint_eq(sa.distances, sb.distances);
        for (size_t j = 0; j < m; j++) {
            ck_assert_uint_eq(x[j].key, y[j].key);
            ck_assert(x[j].distance == y[j].distance);
        }
    }
}

static void check_verify(struct seam_io *io, const char *dir)
{
    struct hnsw_verify_report r;
    struct seam_fault f = {0};

    ASSERT_OK(hnsw_verify(io, dir, &r, &f), &f);
    ck_assert_uint_eq(r.health.live, r.health.reachable);
}

/* Random batches of upserts and deletes; after each publish a reader that refreshes, one that opens, and
 * one that maps must agree with the writer; as-of readers agree with a model of the keys.            */
static void churn(enum hnsw_quant quant, bool bytes)
{
    enum { KEYS = 300, ROUNDS = 30, V = 3000 };
    struct hnsw_options o = small;
    float *v = bytes ? bytes_like(V, DIM, test_seed()) : clustered(V, DIM, test_seed());
    struct seam_io *io = seam_io_posix();
    const char *dir = test_dir();
    struct hnsw *w, *r;
    struct seam_rng rng;
    struct seam_fault f = {0};
    int32_t live[KEYS];
    seam_lsn_t lsn = 1;

    seam_rng_seed(&rng, test_seed());
    memset(live, 0xff, sizeof live);
    o.quant = quant;
    ASSERT_OK(hnsw_create(io, dir, &o, &f), &f);
    ASSERT_STATUS(hnsw_create(io, dir, &o, NULL), SEAM_EXISTS);
    w = writer(io, dir);
    r = reader(io, dir, SEAM_LSN_MAX, false);
    for (int round = 0; round < ROUNDS; round++) {
        bool changed;

        for (int i = 0; i < 40; i++) {
            uint64_t key = seam_rng_below(&rng, KEYS);
            int32_t at = (int32_t)seam_rng_below(&rng, V);

            lsn += 1 + seam_rng_below(&rng, 10);
            if (seam_rng_below(&rng, 4) == 0) {
                enum seam_status st = hnsw_delete(w, key, lsn, NULL);

                ck_assert(st == (live[key] < 0 ? SEAM_NOT_FOUND : SEAM_OK));
                live[key] = -1;
            } else {
                ASSERT_OK(hnsw_upsert(w, key, v + (size_t)at * DIM, lsn, &f), &f);
                live[key] = at;
            }
        }
        ASSERT_OK(hnsw_publish(w, lsn, 5, &f), &f);
        ASSERT_OK(hnsw_refresh(r, &changed, &f), &f);
        ck_assert(changed);
        ck_assert_uint_eq(hnsw_applied_lsn(r), lsn);
        same_answers(w, r, v, 10);
        if (round % 7 == 3) {
            struct hnsw_maintain_options mo = {
                .retain_lsn = lsn, .reorder = round % 2 == 0, .force = true};
            struct hnsw_maintain_report report;

            ASSERT_OK(hnsw_maintain(w, &mo, &report, &f), &f);
            ck_assert(report.did);
            ASSERT_OK(hnsw_refresh(r, &changed, &f), &f);
            same_answers(w, r, v, 10);
            check_verify(io, dir);
        }
        if (round % 5 == 2) { /* a crash of the process is a close: nothing unpublished survives */
            hnsw_close(w);
            w = writer(io, dir);
            same_answers(w, r, v, 10);
        }
        if (round % 6 == 1) {
            struct hnsw *other = reader(io, dir, SEAM_LSN_MAX, round % 2 == 0);

            same_answers(w, other, v, 10);
            hnsw_close(other);
        }
    }
    for (uint64_t key = 0; key < KEYS; key++) {
        float got[DIM];

        if (live[key] < 0) {
            ASSERT_STATUS(hnsw_get(r, key, got, NULL), SEAM_NOT_FOUND);
        } else {
            ASSERT_OK(hnsw_get(r, key, got, &f), &f);
            ck_assert_mem_eq(got, v + (size_t)live[key] * DIM, sizeof got);
        }
    }
    hnsw_close(r);
    hnsw_close(w);
    free(v);
}

static void test_churn_readers_equal_the_writer(void)
{
    churn(HNSW_F32, false);
}
static void test_churn_readers_equal_the_writer_with_codes(void)
{
    churn(HNSW_I8, false);
}
static void test_churn_readers_equal_the_writer_with_lossless_codes(void)
{
    churn(HNSW_I8, true);
}

static void test_as_of_reader_sees_its_moment_until_it_is_purged(void)
{
    struct seam_io *io = seam_io_posix();
    const char *dir = test_dir();
    float *v = clustered(200, DIM, test_seed());
    struct hnsw *w, *r, *none = NULL;
    struct seam_fault f = {0};
    struct hnsw_hit hit;
    size_t n;

    ASSERT_OK(hnsw_create(io, dir, &small, &f), &f);
    w = writer(io, dir);
    for (uint64_t k = 0; k < 100; k++) ASSERT_OK(hnsw_upsert(w, k, v + k * DIM, 10 + k, &f), &f);
    ASSERT_OK(hnsw_publish(w, 200, 0, &f), &f);
    for (uint64_t k = 0; k < 100; k++) ASSERT_OK(hnsw_delete(w, k, 300 + k, &f), &f);
    ASSERT_OK(hnsw_publish(w, 500, 0, &f), &f);
    r = reader(io, dir, 350, false);
    for (uint64_t k = 0; k < 100; k++) {
        struct hnsw_query q = {.vector = v + k * DIM, .k = 1};

        ASSERT_OK(hnsw_search(r, &q, &hit, &n, NULL, &f), &f);
        ck_assert_uint_eq(n, 1);
        ck_assert((hit.key == k) == (300 + k > 350));
    }
    hnsw_close(r);
    ASSERT_STATUS(hnsw_open_reader(io, dir, 501, NULL, &none, NULL), SEAM_NOT_FOUND);
    ASSERT_OK(hnsw_maintain(w, &(struct hnsw_maintain_options){.retain_lsn = 340}, NULL, &f), &f);
    ASSERT_STATUS(hnsw_open_reader(io, dir, 339, NULL, &none, NULL), SEAM_NOT_FOUND);
    r = reader(io, dir, 340, false);
    hnsw_close(r);
    hnsw_close(w);
    free(v);
}

/* Goal:   orphans are adopted without naming a node twice, also when one orphan already names another.
 * Method: few links and a small ef over tight far clusters leave many orphans; maintain, then verify.  */
static void test_many_orphans_are_adopted_and_the_graph_verifies(void)
{
    enum { FEW = 400 };
    struct hnsw_options o = {
        .dim = DIM, .metric = HNSW_L2, .m = 4, .ef_construction = 4, .seed = 3};
    uint64_t orphans = 0;

    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct seam_io_sim *sim = seam_io_sim_new(seed);
        struct seam_io *io = seam_io_sim_io(sim);
        float *v = clustered(FEW, DIM, test_seed() + seed);
        struct hnsw_maintain_report report;
        struct seam_fault f = {0};
        struct hnsw *w;

        for (size_t i = 0; i < FEW * DIM; i++) v[i] *= i / DIM % 2 ? 1 : 0.01f;
        ASSERT_OK(hnsw_create(io, "d", &o, &f), &f);
        w = writer(io, "d");
        for (uint64_t k = 0; k < FEW; k++) ASSERT_OK(hnsw_upsert(w, k, v + k * DIM, k + 1, &f), &f);
        for (uint64_t k = 0; k < FEW; k += 3) ASSERT_OK(hnsw_delete(w, k, FEW + k + 1, &f), &f);
        ASSERT_OK(hnsw_publish(w, 3 * FEW, 0, &f), &f);
        ASSERT_OK(
            hnsw_maintain(w, &(struct hnsw_maintain_options){.retain_lsn = 3 * FEW}, &report, &f),
            &f);
        orphans += report.orphans;
        check_verify(io, "d");
        hnsw_close(w);
        free(v);
        seam_io_sim_free(sim);
    }
    ck_assert_uint_gt(orphans, 0);
}

/* A base that was just opened has no flags of changed lists; deletes alone give it none.             */
static void test_first_batch_after_opening_may_be_deletes_alone(void)
{
    const char *dir = test_dir();
    struct seam_io *io = seam_io_posix();
    float *v = clustered(100, DIM, test_seed());
    struct seam_fault f = {0};
    struct hnsw_info info;
    struct hnsw *w;

    ASSERT_OK(hnsw_create(io, dir, &small, &f), &f);
    w = writer(io, dir);
    for (uint64_t k = 0; k < 100; k++) ASSERT_OK(hnsw_upsert(w, k, v + k * DIM, 10, &f), &f);
    ASSERT_OK(hnsw_publish(w, 10, 0, &f), &f);
    ASSERT_OK(hnsw_maintain(w, &(struct hnsw_maintain_options){.retain_lsn = 10, .force = true},
                            NULL, &f),
              &f);
    hnsw_close(w); /* what is on disk is a base without a journal */
    w = writer(io, dir);
    for (uint64_t k = 0; k < 3; k++) ASSERT_OK(hnsw_delete(w, k, 20, &f), &f);
    ASSERT_OK(hnsw_publish(w, 20, 0, &f), &f);
    hnsw_close(w);
    w = writer(io, dir);
    hnsw_info(w, &info);
    ck_assert_uint_eq(info.live, 97);
    hnsw_close(w);
    check_verify(io, dir);
    free(v);
}

static void test_second_writer_is_refused(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(sim);
    struct hnsw *w, *other = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(hnsw_create(io, "d", &small, &f), &f);
    w = writer(io, "d");
    ASSERT_STATUS(hnsw_open_writer(io, "d", NULL, &other, NULL), SEAM_CONFLICT);
    hnsw_close(w);
    seam_io_sim_free(sim);
}

/* ---- crashes ----
 * Goal:   after a power cut at any I/O, the index opens at a publication that was acknowledged or at the one
 *         in flight, never between, never before the last acknowledged one.
 * Method: cut at I/O 1, 2, 3 ... until a run finishes uncut.                                         */
enum { CRASH_ROUNDS = 6, CRASH_BATCH = 5 };

static enum seam_status crash_run(struct seam_io *io, const float *v, seam_lsn_t *acked)
{
    struct hnsw *h = NULL;
    enum seam_status st = hnsw_create(io, "d", &small, NULL);

    *acked = 0;
    if (st == SEAM_OK) st = hnsw_open_writer(io, "d", NULL, &h, NULL);
    for (int round = 0; round < CRASH_ROUNDS && st == SEAM_OK; round++) {
        seam_lsn_t lsn = (seam_lsn_t)(round + 1) * 100;

        for (int i = 0; i < CRASH_BATCH && st == SEAM_OK; i++)
            st = hnsw_upsert(h, (uint64_t)(round * 3 + i),
                             v + (size_t)(round * CRASH_BATCH + i) * DIM, lsn - 50 + (seam_lsn_t)i,
                             NULL);
        if (st == SEAM_OK) st = hnsw_publish(h, lsn, 0, NULL);
        if (st == SEAM_OK) *acked = lsn;
        if (st == SEAM_OK && round % 3 == 1)
            st = hnsw_maintain(h, &(struct hnsw_maintain_options){.retain_lsn = lsn, .force = true},
                               NULL, NULL);
    }
    hnsw_close(h);
    return st;
}

static void check_survived(struct seam_io *io, const float *v, seam_lsn_t acked)
{
    struct hnsw *h = NULL;
    struct seam_fault f = {0};
    enum seam_status st = hnsw_open_writer(io, "d", NULL, &h, &f);
    seam_lsn_t lsn;
    float got[DIM];

    if (st == SEAM_NOT_FOUND) { /* the creation itself was cut off */
        ck_assert_uint_eq(acked, 0);
        return;
    }
    ASSERT_OK(st, &f);
    lsn = hnsw_applied_lsn(h);
    ck_assert_msg(lsn == acked || lsn == acked + 100, "acknowledged %d, found %d", (int)acked,
                  (int)lsn);
    for (int key = 0; key < 3 * CRASH_ROUNDS + CRASH_BATCH;
         key++) { /* the latest round that wrote it */
        int round = (int)(lsn / 100) - 1;

        while (round >= 0 && (key < round * 3 || key >= round * 3 + CRASH_BATCH)) round--;
        if (round < 0) {
            ASSERT_STATUS(hnsw_get(h, (uint64_t)key, got, NULL), SEAM_NOT_FOUND);
            continue;
        }
        ASSERT_OK(hnsw_get(h, (uint64_t)key, got, &f), &f);
        ck_assert_mem_eq(got, v + (size_t)(round * CRASH_BATCH + key - round * 3) * DIM,
                         sizeof got);
    }
    check_verify(io, "d");
    ASSERT_OK(hnsw_upsert(h, 999, v, lsn + 1000, &f), &f); /* and it goes on */
    ASSERT_OK(hnsw_publish(h, lsn + 1000, 0, &f), &f);
    hnsw_close(h);
}

static void crash_everywhere(enum seam_sim_fault_kind kind)
{
    float *v = clustered(CRASH_ROUNDS * CRASH_BATCH, DIM, test_seed());
    bool fired = true;

    for (uint64_t nth = 1; fired; nth++) {
        struct seam_io_sim *sim = seam_io_sim_new(test_seed() + nth);
        seam_lsn_t acked = 0;

        seam_io_sim_plant(sim, kind, nth, false);
        (void)crash_run(seam_io_sim_io(sim), v, &acked);
        fired = seam_io_sim_fired(sim);
        seam_io_sim_clear(sim);
        if (kind == SEAM_SIM_POWER_CUT) seam_io_sim_reboot(sim);
        check_survived(seam_io_sim_io(sim), v, acked);
        seam_io_sim_free(sim);
    }
    free(v);
}

static void test_power_cut_anywhere_keeps_what_was_published(void)
{
    crash_everywhere(SEAM_SIM_POWER_CUT);
}
static void test_io_error_anywhere_keeps_what_was_published(void)
{
    crash_everywhere(SEAM_SIM_EIO);
}
static void test_full_disk_anywhere_keeps_what_was_published(void)
{
    crash_everywhere(SEAM_SIM_ENOSPC);
}
static void test_short_write_anywhere_keeps_what_was_published(void)
{
    crash_everywhere(SEAM_SIM_SHORT_WRITE);
}

/* ---- no memory ----
 * Goal:   the n-th allocation fails: the call says SEAM_NOMEM, nothing leaks, and what was published is there.
 * Method: fail allocation 1, 2, 3 ... of a small life of an index until one run needs no more.        */
static enum seam_status small_life(struct seam_io *io, const float *v, seam_lsn_t *acked)
{
    struct hnsw *h = NULL, *r = NULL;
    struct hnsw_hit hits[4];
    struct hnsw_query q = {.vector = v, .k = 4};
    struct hnsw_verify_report report;
    size_t n;
    enum seam_status st = hnsw_open_writer(io, "d", NULL, &h, NULL);

    for (uint64_t k = 0; k < 12 && st == SEAM_OK; k++) {
        st = hnsw_upsert(h, k % 7, v + k * DIM, k + 2, NULL);
        if (st == SEAM_OK && k % 4 == 3) {
            st = hnsw_publish(h, k + 2, 0, NULL);
            if (st == SEAM_OK) *acked = k + 2;
        }
    }
    if (st == SEAM_OK)
        st = hnsw_maintain(h, &(struct hnsw_maintain_options){.retain_lsn = 20}, NULL, NULL);
    if (st == SEAM_OK) st = hnsw_open_reader(io, "d", SEAM_LSN_MAX, NULL, &r, NULL);
    if (st == SEAM_OK) st = hnsw_search(r, &q, hits, &n, NULL, NULL);
    if (st == SEAM_OK) st = hnsw_refresh(r, NULL, NULL);
    if (st == SEAM_OK) st = hnsw_verify(io, "d", &report, NULL);
    hnsw_close(r);
    hnsw_close(h);
    return st;
}

static void test_every_failing_allocation_is_told_and_loses_nothing(void)
{
    float *v = clustered(16, DIM, test_seed());
    bool more = true;

    for (uint64_t nth = 1; more; nth++) {
        struct seam_io_sim *sim = seam_io_sim_new(test_seed());
        struct seam_io *io = seam_io_sim_io(sim);
        struct hnsw *h = NULL;
        struct seam_fault f = {0};
        seam_lsn_t acked = 0;
        enum seam_status st;

        ASSERT_OK(hnsw_create(io, "d", &small, &f), &f);
        fail_malloc_at(nth, false);
        st = small_life(io, v, &acked);
        more = fail_malloc_stop();
        ck_assert_msg(st == SEAM_OK || st == SEAM_NOMEM, "allocation %d: %s", (int)nth,
                      seam_status_name(st));
        ASSERT_OK(hnsw_open_writer(io, "d", NULL, &h, &f), &f);
        ck_assert_uint_ge(hnsw_applied_lsn(h), acked);
        hnsw_close(h);
        seam_io_sim_free(sim);
    }
    free(v);
}

/* ---- damage ---- */
/* Every byte of base, journal and manifest flipped in turn: the answer is SEAM_CORRUPT (or unsupported), or
 * a publication that was made (the journal's last batch looks torn).                                 */
static void flip_every_byte(const char *ext)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(sim);
    float *v = clustered(64, DIM, test_seed());
    struct hnsw *h;
    struct seam_fault f = {0};
    struct seam_io_list list = {0};
    char path[SEAM_PATH_MAX_BYTES] = "";
    struct seam_buf whole = {0};
    size_t damaged = 0;

    ASSERT_OK(hnsw_create(io, "d", &small, &f), &f);
    h = writer(io, "d");
    ASSERT_OK(hnsw_load(h, &(struct hnsw_rows){.vectors = v, .n = 24}, 10, NULL, &f), &f);
    ASSERT_OK(hnsw_publish(h, 10, 0, &f), &f);
    ASSERT_OK(hnsw_maintain(h, &(struct hnsw_maintain_options){.force = true}, NULL, &f), &f);
    for (uint64_t k = 24; k < 32; k++) {
        ASSERT_OK(hnsw_upsert(h, k, v + k * DIM, k, &f), &f);
        if (k % 4 == 3) ASSERT_OK(hnsw_publish(h, k, 0, &f), &f);
    }
    hnsw_close(h);
    ASSERT_OK(seam_io_list(io, "d", &list, &f), &f);
    for (size_t i = 0; i < list.count; i++)
        if (strstr(list.names[i], ext) != NULL)
            ASSERT_OK(seam_path_join(path, "d", list.names[i], &f), &f);
    seam_io_list_free(&list);
    ASSERT_OK(seam_io_read_all(io, path, 1 << 24, &whole, &f), &f);
    for (uint64_t at = 0; at<whole.size; at += at> 5000 ? 7 : 1) {
        enum seam_status st;

        h = NULL;
        ck_assert(seam_io_sim_flip(sim, path, at, (uint8_t)(1u << (at % 8))));
        st = hnsw_open_reader(io, "d", SEAM_LSN_MAX, NULL, &h, NULL);
        if (st == SEAM_OK) {
            ck_assert(strcmp(ext, ".journal") == 0);
            ck_assert(hnsw_applied_lsn(h) == 27 || hnsw_applied_lsn(h) == 10);
        } else {
            ck_assert_msg(st == SEAM_CORRUPT || st == SEAM_UNSUPPORTED || st == SEAM_NOT_FOUND,
                          "%s", seam_status_name(st));
            damaged++;
        }
        hnsw_close(h);
        ck_assert(seam_io_sim_flip(sim, path, at, (uint8_t)(1u << (at % 8))));
    }
    ck_assert(damaged > 0);
    for (uint64_t n = 0; n<whole.size; n += n> 100 ? 61 : 1) { /* and cut short */
        ASSERT_OK(seam_io_write_atomic(io, path, whole.data, (size_t)n, &f), &f);
        h = NULL;
        if (hnsw_open_reader(io, "d", SEAM_LSN_MAX, NULL, &h, NULL) == SEAM_OK)
            ck_assert(strcmp(ext, ".journal") == 0);
        hnsw_close(h);
    }
    seam_buf_free(&whole);
    free(v);
    seam_io_sim_free(sim);
}

static void test_damaged_base_is_found(void)
{
    flip_every_byte(".base");
}
static void test_damaged_journal_is_found(void)
{
    flip_every_byte(".journal");
}
static void test_damaged_manifest_is_found(void)
{
    flip_every_byte(".manifest");
}

/* A reader that meets damage while refreshing must not go on answering from half a state.            */
static void test_reader_refuses_to_answer_after_a_failed_refresh(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(sim);
    float *v = clustered(40, DIM, test_seed());
    struct hnsw_query q = {.vector = v, .k = 3};
    struct seam_io_list list = {0};
    char path[SEAM_PATH_MAX_BYTES] = "";
    struct hnsw_hit hits[3];
    struct hnsw *w, *r;
    struct seam_fault f = {0};
    size_t n;

    ASSERT_OK(hnsw_create(io, "d", &small, &f), &f);
    w = writer(io, "d");
    ASSERT_OK(hnsw_load(w, &(struct hnsw_rows){.vectors = v, .n = 40}, 1, NULL, &f), &f);
    ASSERT_OK(hnsw_publish(w, 1, 0, &f), &f);
    r = reader(io, "d", SEAM_LSN_MAX, false);
    ASSERT_OK(hnsw_search(r, &q, hits, &n, NULL, &f), &f);
    ASSERT_OK(hnsw_maintain(w, &(struct hnsw_maintain_options){.force = true}, NULL, &f), &f);
    ASSERT_OK(seam_io_list(io, "d", &list, &f), &f);
    for (size_t i = 0; i < list.count; i++)
        if (strstr(list.names[i], ".base") != NULL)
            ASSERT_OK(seam_path_join(path, "d", list.names[i], &f), &f);
    seam_io_list_free(&list);
    ck_assert(seam_io_sim_flip(sim, path, 9000, 4));
    ASSERT_STATUS(hnsw_refresh(r, NULL, NULL), SEAM_CORRUPT);
    ASSERT_STATUS(hnsw_search(r, &q, hits, &n, NULL, NULL), SEAM_CORRUPT);
    ASSERT_STATUS(hnsw_refresh(r, NULL, NULL), SEAM_CORRUPT);
    hnsw_close(r);
    hnsw_close(w);
    free(v);
    seam_io_sim_free(sim);
}

static void test_pinned_operating_point_is_kept_and_used(void)
{
    struct seam_io *io = seam_io_posix();
    const char *dir = test_dir();
    struct hnsw_point p[2] = {{10, 30, 0.92, 0.91, 1, 2, 0}, {10, 90, 0.98, 0.97, 2, 3, 40}},
                      got[HNSW_POINTS_MAX];
    float v[DIM] = {1};
    struct hnsw *w, *r;
    struct hnsw_stats stats;
    struct hnsw_hit hit;
    struct seam_fault f = {0};
    size_t n;

    ASSERT_OK(hnsw_create(io, dir, &small, &f), &f);
    w = writer(io, dir);
    ASSERT_OK(hnsw_upsert(w, 1, v, 1, &f), &f);
    ASSERT_OK(hnsw_publish(w, 1, 0, &f), &f);
    r = reader(io, dir, SEAM_LSN_MAX, false);
    ASSERT_OK(hnsw_pin(w, p, 2, 0.95, &f), &f);
    ASSERT_OK(hnsw_refresh(r, NULL, &f), &f);
    ck_assert_uint_eq(hnsw_points(r, got), 2);
    ASSERT_OK(hnsw_search(r, &(struct hnsw_query){.vector = v, .k = 1}, &hit, &n, &stats, &f), &f);
    ck_assert_uint_eq(stats.ef, 90);
    ASSERT_OK(hnsw_search(r, &(struct hnsw_query){.vector = v, .k = 1, .recall = 0.9}, &hit, &n,
                          &stats, &f),
              &f);
    ck_assert_uint_eq(stats.ef, 30);
    hnsw_close(r);
    hnsw_close(w);
    w = writer(io, dir);
    ck_assert_uint_eq(hnsw_points(w, got), 2);
    hnsw_close(w);
}

/* ---- a failed sync, a restart without a reboot, and on ---- */

static uint64_t restart_write(void *ctx, struct seam_io *io, uint64_t from, uint64_t count)
{
    const float *v = ctx;
    struct hnsw *h = NULL;
    uint64_t n = from;
    enum seam_status st = hnsw_open_writer(io, "d", NULL, &h, NULL);

    if (st == SEAM_NOT_FOUND) {
        st = hnsw_create(io, "d", &small, NULL);
        if (st == SEAM_OK) st = hnsw_open_writer(io, "d", NULL, &h, NULL);
    }
    while (st == SEAM_OK && n < from + count) {
        seam_lsn_t lsn = 10 * (n + 1);

        st = hnsw_upsert(h, n, v + (size_t)n * DIM, lsn, NULL);
        if (st == SEAM_OK) st = hnsw_publish(h, lsn, 0, NULL);
        if (st != SEAM_OK) break;
        n++;
        if (n % 3 == 2)
            st = hnsw_maintain(h, &(struct hnsw_maintain_options){.retain_lsn = lsn, .force = true},
                               NULL, NULL);
    }
    hnsw_close(h);
    return n;
}

static uint64_t restart_held(void *ctx, struct seam_io *io)
{
    const float *v = ctx;
    struct hnsw *h = NULL;
    struct seam_fault f = {0};
    enum seam_status st = hnsw_open_writer(io, "d", NULL, &h, &f);
    float got[DIM];
    uint64_t n;

    if (st == SEAM_NOT_FOUND) return 0;
    ASSERT_OK(st, &f);
    n = hnsw_applied_lsn(h) / 10;
    for (uint64_t k = 0; k < n; k++) {
        ASSERT_OK(hnsw_get(h, k, got, &f), &f);
        ck_assert_mem_eq(got, v + (size_t)k * DIM, sizeof got);
    }
    hnsw_close(h);
    if (n > 0) check_verify(io, "d");
    return n;
}

static void test_restart_after_a_failed_sync_at_every_call(void)
{
    float *v = clustered(40, DIM, test_seed());

    restart_everywhere(&(struct restart_store){"graph", v, restart_write, restart_held}, 5);
    free(v);
}

static const struct named_test tests[] = {
    T(test_churn_readers_equal_the_writer),
    T(test_churn_readers_equal_the_writer_with_codes),
    T(test_churn_readers_equal_the_writer_with_lossless_codes),
    T(test_as_of_reader_sees_its_moment_until_it_is_purged),
    T(test_many_orphans_are_adopted_and_the_graph_verifies),
    T(test_first_batch_after_opening_may_be_deletes_alone),
    T(test_second_writer_is_refused),
    T(test_power_cut_anywhere_keeps_what_was_published),
    T(test_io_error_anywhere_keeps_what_was_published),
    T(test_full_disk_anywhere_keeps_what_was_published),
    T(test_short_write_anywhere_keeps_what_was_published),
    T(test_every_failing_allocation_is_told_and_loses_nothing),
    T(test_damaged_base_is_found),
    T(test_damaged_journal_is_found),
    T(test_damaged_manifest_is_found),
    T(test_reader_refuses_to_answer_after_a_failed_refresh),
    T(test_pinned_operating_point_is_kept_and_used),
    T(test_restart_after_a_failed_sync_at_every_call),
};

int main(int argc, char **argv)
{
    return run_tests("hnsw store", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
