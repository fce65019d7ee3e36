/* clock, rng, thread, topk, bitset, histogram, cpu */
#include "tests/common/check_main.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bitset.h"
#include "engine/base/clock.h"
#include "engine/base/cpu.h"
#include "engine/base/histogram.h"
#include "engine/base/rng.h"
#include "engine/base/thread.h"
#include "engine/base/topk.h"

static void test_clocks(void)
{
    struct seam_clock_sim s;
    uint64_t a = seam_clock_mono_ns(seam_clock_real()), b;

    seam_clock_real()->sleep_us(seam_clock_real(), 2000);
    b = seam_clock_mono_ns(seam_clock_real());
    ck_assert_uint_ge(b - a, 2000000);
    ck_assert_int_gt(seam_clock_wall_us(seam_clock_real()), 1500000000000000);
    seam_clock_sim_init(&s, 1000000);
    ck_assert_int_eq(seam_clock_wall_us(&s.clock), 1000001);
    a = seam_clock_mono_ns(&s.clock);
    seam_clock_sim_advance(&s, 500);
    s.clock.sleep_us(&s.clock, 500);
    ck_assert_uint_eq(seam_clock_mono_ns(&s.clock) - a, 1001000);
    ck_assert_int_eq(seam_clock_wall_us(&s.clock), 1001004);
}

static void test_rng_is_the_published_one(void)
{
    /* xoshiro256** from state {1, 2, 3, 4}: the first outputs of the authors' own code.            */
    struct seam_rng r = {{1, 2, 3, 4}};

    ck_assert_uint_eq(seam_rng_u64(&r), 11520u);
    ck_assert_uint_eq(seam_rng_u64(&r), 0u);
    ck_assert_uint_eq(seam_rng_u64(&r), 1509978240u);
    ck_assert_uint_eq(seam_rng_u64(&r), 1215971899390074240u);
}

static void test_rng_is_uniform_and_bounded(void)
{
    enum { N = 70000 };
    struct seam_rng r;
    int seen[7] = {0}, order[100], moved = 0;
    double sum = 0, squares = 0;

    seam_rng_seed(&r, test_seed());
    ck_assert_uint_eq(seam_rng_below(&r, 0), 0);
    for (int i = 0; i < N; i++) {
        double d = seam_rng_double(&r), z = seam_rng_normal(&r);
        int64_t v = seam_rng_range(&r, -3, 3);

        ck_assert(d >= 0 && d < 1 && v >= -3 && v <= 3);
        seen[v + 3]++;
        sum += z;
        squares += z * z;
    }
    for (int i = 0; i < 7; i++) ck_assert(abs(seen[i] - N / 7) < 500);
    ck_assert(fabs(sum / N) < 0.02 && fabs(squares / N - 1) < 0.03);
    ck_assert_int_ne(seam_rng_range(&r, INT64_MIN, INT64_MAX),
                     seam_rng_range(&r, INT64_MIN, INT64_MAX));
    for (int i = 0; i < 100; i++) order[i] = i;
    seam_rng_shuffle(&r, order, 100, sizeof order[0]);
    for (int i = 0; i < 100; i++) {
        int found = 0;

        for (int k = 0; k < 100; k++) found += order[k] == i;
        ck_assert_int_eq(found, 1);
        moved += order[i] != i;
    }
    ck_assert_int_gt(moved, 80);
}

static void test_zipf_is_skewed_as_asked(void)
{
    enum { N = 200000 };
    struct seam_zipf z, large;
    struct seam_rng r;
    int first = 0, top = 0;

    seam_rng_seed(&r, test_seed());
    seam_zipf_init(&z, 1000, 0.99);
    for (int i = 0; i < N; i++) {
        uint64_t v = seam_zipf_next(&z, &r);

        ck_assert_uint_lt(v, 1000);
        first += v == 0;
        top += v < 100;
    }
    ck_assert(fabs((double)first / N - 1 / z.zetan) < 0.01);
    ck_assert((double)top / N > 0.6 && (double)top / N < 0.75);
    seam_zipf_init(&large, 1000000000,
                   0.5); /* the integral: the exact sum is 2*sqrt(n) - 1.46035 */
    ck_assert(fabs(large.zetan - (2 * sqrt(1e9) - 1.4603545)) < 0.001);
    seam_zipf_init(&z, 1, 0.5);
    ck_assert_uint_eq(seam_zipf_next(&z, &r), 0);
}

struct tally {
    int touched[1000];
    int threads_seen[8];
};

static enum seam_status tally_chunk(void *ctx, size_t begin, size_t end, int thread)
{
    struct tally *t = ctx;

    for (size_t i = begin; i < end; i++) __atomic_fetch_add(&t->touched[i], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&t->threads_seen[thread], 1, __ATOMIC_RELAXED);
    return end == 993 ? SEAM_DRIFT : SEAM_OK;
}

static void test_parallel_for_touches_each_once(void)
{
    for (int threads = 0; threads <= 8; threads += 4) {
        static struct tally t;

        memset(&t, 0, sizeof t);
        ASSERT_STATUS(seam_parallel_for(threads, 1000, 7, tally_chunk, &t), SEAM_OK);
        for (int i = 0; i < 1000; i++) ck_assert_int_eq(t.touched[i], 1);
        ASSERT_STATUS(seam_parallel_for(threads, 993, 7, tally_chunk, &t), SEAM_DRIFT);
        ASSERT_STATUS(seam_parallel_for(threads, 0, 7, tally_chunk, &t), SEAM_OK);
    }
}

static void *wake_later(void *word)
{
    seam_clock_real()->sleep_us(seam_clock_real(), 20000);
    __atomic_store_n((uint32_t *)word, 1, __ATOMIC_RELEASE);
    seam_futex_wake_all(word);
    return NULL;
}

static void test_futex_wakes(void)
{
    uint32_t word = 0;
    pthread_t t;

    ASSERT_STATUS(seam_futex_wait(&word, 0, 1000000), SEAM_TIMEOUT);
    ck_assert_int_eq(pthread_create(&t, NULL, wake_later, &word), 0);
    while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) == 0)
        ASSERT_STATUS(seam_futex_wait(&word, 0, 10000000000u), SEAM_OK);
    pthread_join(t, NULL);
    ck_assert(seam_process_alive(seam_process_id()));
    ck_assert(!seam_process_alive(0) && !seam_process_alive(-1));
}

static int best_first(const void *a, const void *b)
{
    const struct seam_topk_entry *x = a, *y = b;

    return seam_topk_better(*x, *y) ? -1 : seam_topk_better(*y, *x);
}

static void test_topk_equals_a_sort_in_any_order(void)
{
    enum { N = 500 };
    struct seam_topk_entry all[N], heap[N];
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    for (size_t k = 0; k <= N + 10; k = k < 5 ? k + 1 : k * 2) {
        struct seam_topk t;
        size_t want = k < N ? k : N;

        if (k > N) break;
        seam_topk_init(&t, heap, k);
        for (int i = 0; i < N; i++)
            all[i] = (struct seam_topk_entry){(double)seam_rng_below(&r, 40),
                                              (uint64_t)i}; /* many ties */
        seam_rng_shuffle(&r, all, N, sizeof all[0]);
        for (int i = 0; i < N; i++) {
            double threshold = seam_topk_threshold(&t);
            bool entered = seam_topk_push(&t, all[i].score, all[i].id);

            ck_assert(!(entered && all[i].score < threshold));
            ck_assert(entered || all[i].score <= threshold);
        }
        ck_assert(!seam_topk_push(&t, NAN, 3));
        qsort(all, N, sizeof all[0], best_first);
        ck_assert_uint_eq(seam_topk_finish(&t), want);
        for (size_t i = 0; i < want; i++)
            ck_assert(heap[i].id == all[i].id && heap[i].score == all[i].score);
    }
}

static void test_bitset_counts_and_walks(void)
{
    uint64_t w[8];
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    for (int round = 0; round < 300; round++) {
        size_t bits = seam_rng_below(&r, 513), n = 0, walked = 0, at;

        for (int i = 0; i < 8; i++) w[i] = seam_rng_u64(&r) & seam_rng_u64(&r) & seam_rng_u64(&r);
        for (size_t i = 0; i < bits; i++) n += seam_bitset_get(w, i);
        ck_assert_uint_eq(seam_bitset_count(w, bits), n);
        for (at = seam_bitset_next(w, bits, 0); at < bits; at = seam_bitset_next(w, bits, at + 1)) {
            ck_assert(seam_bitset_get(w, at));
            walked++;
        }
        ck_assert(at == bits && walked == n);
        if (bits > 0) {
            at = seam_rng_below(&r, bits);
            seam_bitset_set(w, at);
            ck_assert_uint_eq(seam_bitset_next(w, bits, at), at);
            seam_bitset_clear(w, at);
            ck_assert(!seam_bitset_get(w, at));
        }
    }
    ck_assert_uint_eq(seam_bitset_next(w, 0, 0), 0);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void test_histogram_is_within_its_error(void)
{
    enum { N = 20000 };
    static uint64_t v[N];
    static struct seam_histogram h, half[2];
    static const double points[] = {0, 0.1, 1, 25, 50, 90, 99, 99.9, 99.99, 100};
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    seam_histogram_init(&h);
    seam_histogram_init(&half[0]);
    seam_histogram_init(&half[1]);
    ck_assert_uint_eq(seam_histogram_percentile(&h, 50), 0);
    for (int i = 0; i < N; i++) {
        v[i] = seam_rng_u64(&r) >> (24 + seam_rng_below(&r, 40));
        seam_histogram_add(&half[i & 1], v[i]);
    }
    seam_histogram_merge(&h, &half[0]);
    seam_histogram_merge(&h, &half[1]);
    qsort(v, N, sizeof v[0], by_value);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(points); i++) {
        size_t rank = (size_t)ceil(points[i] / 100 * N);
        uint64_t exact = v[rank == 0 ? 0 : rank - 1],
                 got = seam_histogram_percentile(&h, points[i]);

        ck_assert_msg(got >= exact && (double)got <= (double)exact * 1.016 + 1,
                      "p%g: %llu for %llu", points[i], (unsigned long long)got,
                      (unsigned long long)exact);
    }
    ck_assert_uint_eq(h.count, N);
    seam_histogram_add(&h, UINT64_MAX / 2); /* off the scale: kept as the maximum */
    ck_assert_uint_eq(seam_histogram_percentile(&h, 100), UINT64_MAX / 2);
}

static void test_cpu_answers(void)
{
    const struct seam_cpu *c = seam_cpu();

    ck_assert_int_ge(seam_cpu_count(), 1);
    ck_assert(!c->avx512_vbmi || c->avx512);
    ck_assert(c->avx512 == (strcmp(seam_cpu_simd_name(), "avx512") == 0));
}

/* Each test has its own process, so the choice is made afresh. */
static void test_cpu_can_be_lowered(void)
{
    setenv("SEAM_SIMD", "scalar", 1);
    ck_assert(!seam_cpu()->avx2 && !seam_cpu()->sse42 && !seam_cpu()->sha);
    ck_assert_str_eq(seam_cpu_simd_name(), "scalar");
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_clocks),
        T(test_rng_is_the_published_one),
        T(test_rng_is_uniform_and_bounded),
        T(test_zipf_is_skewed_as_asked),
        T(test_parallel_for_touches_each_once),
        T(test_futex_wakes),
        T(test_topk_equals_a_sort_in_any_order),
        T(test_bitset_counts_and_walks),
        T(test_histogram_is_within_its_error),
        T(test_cpu_answers),
        T(test_cpu_can_be_lowered),
    };

    return run_tests("small", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
