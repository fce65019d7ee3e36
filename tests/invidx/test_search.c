/* Goal:   every search gives exactly what the definitions say, whatever the index has lived through.
 * Method: a naive twin (model.h) and the index take the same random changes; then random queries are put to
 *         both, by every strategy, and hits, scores and ties are compared bit by bit.                   */
#include "engine/io/io_sim.h"
#include "tests/common/check_main.h"
#include "tests/invidx/model.h"

enum { K = 25 };

struct world {
    struct model m;
    struct seam_rng r;
    uint32_t vocabulary, longest, keys;
    struct invidx_writer *w;
    seam_lsn_t lsn;
    char dir[64];
    struct seam_io_sim *sim; /* a disk in memory: no test waits for a real one */
    struct seam_fault f;
};

static void world_open(struct world *v)
{
    struct invidx_schema s = model_schema(&v->m);
    struct invidx_writer_options o = {.merge_fanout = 3, .buffer_bytes = 1 << 20};

    v->w = NULL;
    ASSERT_OK(invidx_writer_open(seam_io_sim_io(v->sim), v->dir, &s, &o, &v->w, &v->f), &v->f);
}

static void world_begin(struct world *v, size_t fields, uint64_t seed, const char *name)
{
    memset(v, 0, sizeof *v);
    seam_rng_seed(&v->r, seed);
    model_init(&v->m, fields);
    v->vocabulary = 3 + (uint32_t)seam_rng_below(&v->r, 60);
    v->longest = 1 + (uint32_t)seam_rng_below(&v->r, 40);
    v->keys = 1 + (uint32_t)seam_rng_below(&v->r, 900);
    snprintf(v->dir, sizeof v->dir, "%s", name);
    v->sim = seam_io_sim_new(seed);
    world_open(v);
}

static void world_end(struct world *v)
{
    invidx_writer_close(v->w);
    seam_io_sim_free(v->sim);
    free(v->m.docs);
}

static void upsert(struct world *v, uint64_t key)
{
    struct model_doc *d = model_put(&v->m, key);
    struct model_text t;
    struct invidx_doc doc;

    model_random_doc(&v->m, d, &v->r, v->vocabulary, v->longest);
    doc = model_to_doc(&v->m, d, &t);
    ASSERT_OK(invidx_upsert(v->w, &doc, ++v->lsn, &v->f), &v->f);
}

static void change(struct world *v, int changes)
{
    for (int i = 0; i < changes; i++) {
        uint64_t key = seam_rng_below(&v->r, v->keys) * 7919 % 100003;
        uint64_t dice = seam_rng_below(&v->r, 100);
        bool worked;

        if (dice < 70) {
            upsert(v, key);
        } else if (dice < 94) {
            ASSERT_OK(invidx_delete(v->w, key, ++v->lsn, &v->f), &v->f);
            model_put(&v->m, key)->live = false;
        } else if (dice < 98) {
            ASSERT_OK(invidx_publish(v->w, v->lsn, 0, &v->f), &v->f);
        } else if (dice < 99) {
            ASSERT_OK(invidx_maintain(v->w, &worked, &v->f), &v->f);
        } else {
            ASSERT_OK(invidx_publish(v->w, v->lsn, 0, &v->f), &v->f);
            invidx_writer_close(v->w);
            world_open(v);
        }
    }
    ASSERT_OK(invidx_publish(v->w, ++v->lsn, 0, &v->f), &v->f);
}

static void random_query(struct world *v, struct model_query *q)
{
    q->n = 1 + seam_rng_below(&v->r, 4);
    for (size_t i = 0; i < q->n; i++) {
        struct model_clause *c = &q->c[i];
        uint64_t dice = seam_rng_below(&v->r, 10);

        memset(c, 0, sizeof *c);
        c->occur = dice < 5   ? INVIDX_SHOULD
                   : dice < 8 ? INVIDX_MUST
                   : dice < 9 ? INVIDX_FILTER
                              : INVIDX_MUST_NOT;
        if (i == 0 && c->occur == INVIDX_MUST_NOT) c->occur = INVIDX_SHOULD;
        c->n = seam_rng_below(&v->r, 4) == 0 ? 2 + seam_rng_below(&v->r, 2) : 1;
        c->slop =
            c->n > 1 && seam_rng_below(&v->r, 2) == 0 ? (uint32_t)seam_rng_below(&v->r, 5) : 0;
        for (size_t t = 0; t < c->n; t++) c->words[t] = model_word(&v->r, v->vocabulary + 1);
        c->field = seam_rng_below(&v->r, 4) == 0 ? (int)seam_rng_below(&v->r, v->m.fields) : -1;
        c->boost =
            seam_rng_below(&v->r, 3) == 0 ? 0.25 * (double)(1 + seam_rng_below(&v->r, 12)) : 1;
    }
    if (seam_rng_below(&v->r, 2) == 0) { /* pure shapes, which have their own ways */
        enum invidx_occur occur = seam_rng_below(&v->r, 2) == 0 ? INVIDX_SHOULD : INVIDX_MUST;

        for (size_t i = 0; i < q->n; i++) {
            q->c[i].occur = occur;
            if (seam_rng_below(&v->r, 4) != 0) q->c[i].n = 1;
        }
    }
}

static struct invidx_node *clause_node(struct invidx_query *iq, const struct model_clause *c)
{
    char text[64];
    size_t at = 0;
    struct invidx_node *n;

    for (size_t t = 0; t < c->n; t++)
        at += (size_t)snprintf(text + at, sizeof text - at, "w%u ", c->words[t]);
    n = c->n == 1 ? invidx_word(iq, c->field, text, at)
                  : invidx_phrase(iq, c->field, text, at, c->slop);
    invidx_boost(n, c->boost);
    return n;
}

static void build(struct invidx_query *iq, const struct model_query *q)
{
    struct invidx_node *root;

    invidx_query_reset(iq);
    root = invidx_bool(iq, 0);
    for (size_t i = 0; i < q->n; i++)
        ck_assert(invidx_bool_add(iq, root, q->c[i].occur, clause_node(iq, &q->c[i])));
    invidx_query_set(iq, root);
}

static void compare(struct world *v, struct invidx_reader *r, struct invidx_query *iq,
                    struct model_query *q)
{
    static const enum invidx_strategy ways[] = {INVIDX_EXHAUSTIVE, INVIDX_AUTO, INVIDX_MAXSCORE,
                                                INVIDX_WAND};
    struct model_hit *want;
    struct invidx_hit hits[K];
    size_t n = model_search(&v->m, q, &want);
    uint64_t count = 0;
    struct seam_buf shown = {0};

    build(iq, q);
    invidx_query_print(iq, &shown);
    for (size_t way = 0; way < SEAM_ARRAY_LEN(ways); way++) {
        struct invidx_request req = {.k = 1 + seam_rng_below(&v->r, K), .strategy = ways[way]};
        struct invidx_result got = {.hits = hits};
        size_t expect = n < req.k ? n : req.k;

        ASSERT_OK(invidx_search(r, iq, &req, &got, &v->f), &v->f);
        ck_assert_msg(got.count == expect, "%s: %zu hits, want %zu (%s)", seam_buf_cstr(&shown),
                      got.count, expect, got.work.plan);
        for (size_t i = 0; i < expect; i++)
            ck_assert_msg(hits[i].key == want[i].key && hits[i].score == want[i].score,
                          "%s hit %zu: %llu %.9f, want %llu %.9f (%s)", seam_buf_cstr(&shown), i,
                          (unsigned long long)hits[i].key, hits[i].score,
                          (unsigned long long)want[i].key, want[i].score, got.work.plan);
        if (got.total_exact) ck_assert_uint_eq(got.total, n);
    }
    ASSERT_OK(invidx_count(r, iq, &count, &v->f), &v->f);
    ck_assert_msg(count == n, "%s: counted %llu, want %zu", seam_buf_cstr(&shown),
                  (unsigned long long)count, n);
    seam_buf_free(&shown);
    free(want);
}

static void check_queries(struct world *v, int queries)
{
    struct invidx_reader *r = NULL;
    struct invidx_query *iq = NULL;
    struct invidx_info info;

    ASSERT_OK(invidx_reader_open(seam_io_sim_io(v->sim), v->dir, SEAM_LSN_MAX, &r, &v->f), &v->f);
    ASSERT_OK(invidx_query_new(r, &iq, &v->f), &v->f);
    invidx_reader_info(r, &info);
    ck_assert_uint_eq(info.docs, model_live(&v->m));
    ck_assert_uint_eq(info.applied_lsn, v->lsn);
    for (int i = 0; i < queries; i++) {
        struct model_query q;

        random_query(v, &q);
        compare(v, r, iq, &q);
    }
    invidx_query_free(iq);
    invidx_reader_close(r);
}

static void test_search_equals_the_naive_twin(void)
{
    for (int round = 0; round < test_scale(80); round++) {
        struct world v;
        char name[32];

        snprintf(name, sizeof name, "w%d", round);
        world_begin(&v, 1 + (size_t)round % 2, test_seed() + (uint64_t)round, name);
        if (round % 10 == 9) v.keys = 20000; /* lists of many blocks */
        for (int step = 0; step < 3; step++) {
            change(&v, 20 + (int)seam_rng_below(&v.r, round % 10 == 9 ? 5000 : 500));
            check_queries(&v, 30);
        }
        world_end(&v);
    }
}

/* Goal: a score depends on the live documents alone. */
static void test_search_scores_know_no_history(void)
{
    for (int round = 0; round < test_scale(16); round++) {
        struct world v, fresh;
        struct invidx_reader *a = NULL, *b = NULL;
        struct invidx_query *qa = NULL, *qb = NULL;

        world_begin(&v, 1 + (size_t)round % 2, test_seed() + 1000 + (uint64_t)round, "churned");
        for (int step = 0; step < 4; step++) change(&v, 300);
        world_begin(&fresh, v.m.fields, 1, "fresh");
        for (size_t i = 0; i < v.m.n; i++) {
            struct model_text t;
            struct invidx_doc doc = model_to_doc(&v.m, &v.m.docs[i], &t);

            if (v.m.docs[i].live) ASSERT_OK(invidx_upsert(fresh.w, &doc, ++fresh.lsn, &v.f), &v.f);
        }
        ASSERT_OK(invidx_publish(fresh.w, ++fresh.lsn, 0, &v.f), &v.f);
        ASSERT_OK(invidx_reader_open(seam_io_sim_io(v.sim), v.dir, SEAM_LSN_MAX, &a, &v.f), &v.f);
        ASSERT_OK(invidx_reader_open(seam_io_sim_io(fresh.sim), fresh.dir, SEAM_LSN_MAX, &b, &v.f),
                  &v.f);
        ASSERT_OK(invidx_query_new(a, &qa, &v.f), &v.f);
        ASSERT_OK(invidx_query_new(b, &qb, &v.f), &v.f);
        for (int i = 0; i < 60; i++) {
            struct invidx_hit ha[K], hb[K];
            struct invidx_result ra = {.hits = ha}, rb = {.hits = hb};
            struct invidx_request req = {.k = K};
            struct model_query q;

            random_query(&v, &q);
            build(qa, &q);
            build(qb, &q);
            ASSERT_OK(invidx_search(a, qa, &req, &ra, &v.f), &v.f);
            ASSERT_OK(invidx_search(b, qb, &req, &rb, &v.f), &v.f);
            ck_assert_uint_eq(ra.count, rb.count);
            for (size_t k = 0; k < ra.count; k++)
                ck_assert(ha[k].key == hb[k].key &&
                          memcmp(&ha[k].score, &hb[k].score, sizeof(double)) == 0);
        }
        invidx_query_free(qa);
        invidx_query_free(qb);
        invidx_reader_close(a);
        invidx_reader_close(b);
        world_end(&v);
        world_end(&fresh);
    }
}

static const struct named_test tests[] = {
    T(test_search_equals_the_naive_twin),
    T(test_search_scores_know_no_history),
};

int main(int argc, char **argv)
{
    return run_tests("invidx search", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
