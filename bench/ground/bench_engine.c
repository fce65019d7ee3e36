/* The ground floor's hot loops against memory bandwidth: checksums, hashes, bit unpacking, and the
 * price of publishing a manifest against fdatasync. Variants other than the best are "peers" here.  */
#include "bench/common/bench.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/bitpack.h"
#include "engine/base/cpu.h"
#include "engine/base/crc32c.h"
#include "engine/base/hash.h"
#include "engine/base/rng.h"
#include "engine/io/io.h"
#include "engine/io/manifest.h"

enum { ROUNDS = 7 };

struct bytes_job {
    const uint8_t *data;
    size_t size; /* of one call */
    size_t repeats;
    uint64_t result; /* kept, and compared between the sides */
};

static double gbps(const struct bytes_job *j, uint64_t start)
{
    return (double)(j->size * j->repeats) / (double)(bench_now_ns() - start);
}

#define BYTES_SIDE(name, call)                                                                     \
    static double name(void *ctx)                                                                  \
    {                                                                                              \
        struct bytes_job *j = ctx;                                                                 \
        uint64_t start = bench_now_ns(), sum = 0;                                                  \
                                                                                                   \
        for (size_t i = 0; i < j->repeats; i++) {                                                  \
            bench_keep(j->data);                                                                   \
            sum += (call);                                                                         \
        }                                                                                          \
        j->result = sum;                                                                           \
        return gbps(j, start);                                                                     \
    }

static uint64_t sha256_of(const void *p, size_t n)
{
    struct seam_sha256 s;
    uint8_t out[32];

    seam_sha256_init(&s);
    seam_sha256_update(&s, p, n);
    seam_sha256_final(&s, out);
    return out[0];
}

/* The best that needs no instruction for it; the second variant. */
static uint32_t sliced(uint32_t crc, const void *p, size_t n)
{
    struct seam_crc32c_variant v[SEAM_CRC32C_VARIANTS_MAX];

    return seam_crc32c_variants(v) > 1 ? v[1].run(crc, p, n) : 0;
}

BYTES_SIDE(run_crc, seam_crc32c(0, j->data, j->size))
BYTES_SIDE(run_crc_sliced, sliced(0, j->data, j->size))
BYTES_SIDE(run_hash64, seam_hash64(j->data, j->size, i))
BYTES_SIDE(run_sip, seam_siphash128(j->data, j->size).lo)
BYTES_SIDE(run_sha, sha256_of(j->data, j->size))

static uint64_t sha256_portable(const void *p, size_t n)
{
    struct seam_sha256_variant v[SEAM_SHA256_VARIANTS_MAX];
    uint32_t h[8] = {0};

    if (seam_sha256_variants(v) > 0) v[0].blocks(h, p, n / 64);
    return h[0];
}
BYTES_SIDE(run_sha_portable, sha256_portable(j->data, j->size))

static void bench_checksums(struct bench *b, const uint8_t *data)
{
    static const struct {
        const char *workload;
        size_t size;
    } sizes[] = {{"crc32c 64 B", 64}, {"crc32c 4 KiB", 4096}, {"crc32c 1 MiB", 1 << 20}};
    double memory = bench_memory_gbps(b, 1);

    for (size_t i = 0; i < SEAM_ARRAY_LEN(sizes); i++) {
        size_t total = bench_size(b, 64u << 20, 256u << 20, 1u << 30);
        struct bytes_job fast = {data, sizes[i].size, total / sizes[i].size, 0};
        struct bytes_job slow = {data, sizes[i].size, total / sizes[i].size / 16 + 1, 0};
        struct bench_side sides[2] = {{.run = run_crc, .ctx = &fast},
                                      {.run = run_crc_sliced, .ctx = &slow}};

        bench_interleave(sides, 2, ROUNDS);
        BENCH_CHECK(b, seam_crc32c(0, data, sizes[i].size) ==
                           seam_crc32c_table(0, data, sizes[i].size));
        bench_row(b, &(struct bench_row){.workload = sizes[i].workload,
                                         .metric = "throughput",
                                         .unit = "GB/s",
                                         .n = sizes[i].size,
                                         .threads = 1,
                                         .ours = sides[0].stat,
                                         .peer = "portable",
                                         .peer_value = sides[1].stat,
                                         .limit = memory});
    }
    {
        static const struct {
            const char *workload;
            double (*run)(void *);
            size_t size;
        } hashes[] = {{"hash64 16 B", run_hash64, 16},
                      {"hash64 4 KiB", run_hash64, 4096},
                      {"siphash128 64 B", run_sip, 64},
                      {"sha256 4 KiB", run_sha, 4096},
                      {"sha256 4 KiB portable", run_sha_portable, 4096}};

        for (size_t i = 0; i < SEAM_ARRAY_LEN(hashes); i++) {
            struct bytes_job j = {data, hashes[i].size, (16u << 20) / hashes[i].size, 0};
            struct bench_side side = {.run = hashes[i].run, .ctx = &j};

            bench_interleave(&side, 1, ROUNDS);
            bench_row(b, &(struct bench_row){.workload = hashes[i].workload,
                                             .metric = "throughput",
                                             .unit = "GB/s",
                                             .n = hashes[i].size,
                                             .threads = 1,
                                             .ours = side.stat,
                                             .limit = memory});
        }
    }
}

/* ---- bit unpacking: runs of `run` values, over a block that stays in the first cache ---- */

struct unpack_job {
    const uint8_t *packed;
    unsigned width;
    size_t run, runs, repeats;
    void *out;
};

#define UNPACK_SIDE(name, type, call)                                                              \
    static double name(void *ctx)                                                                  \
    {                                                                                              \
        struct unpack_job *j = ctx;                                                                \
        size_t step = seam_bitpack_size(j->run, j->width);                                         \
        type *out = j->out;                                                                        \
        uint64_t start = bench_now_ns();                                                           \
                                                                                                   \
        for (size_t r = 0; r < j->repeats; r++) {                                                  \
            for (size_t k = 0; k < j->runs; k++)                                                   \
                call(j->packed + k * step, j->run, j->width, out);                                 \
            bench_keep(out);                                                                       \
        }                                                                                          \
        return (double)(j->run * j->runs * j->repeats) / (double)(bench_now_ns() - start);         \
    }

UNPACK_SIDE(run_unpack32, uint32_t, seam_bitunpack_u32)
UNPACK_SIDE(run_unpack32_scalar, uint32_t, seam_bitunpack_u32_scalar)
UNPACK_SIDE(run_unpack64, uint64_t, seam_bitunpack_u64)
UNPACK_SIDE(run_unpack64_scalar, uint64_t, seam_bitunpack_u64_scalar)

static void unpack_row(struct bench *b, struct unpack_job *j, bool wide)
{
    struct bench_side sides[2] = {
        {.run = wide ? run_unpack64 : run_unpack32, .ctx = j},
        {.run = wide ? run_unpack64_scalar : run_unpack32_scalar, .ctx = j}};
    char workload[64];

    snprintf(workload, sizeof workload, "unpack u%d run %zu width %u", wide ? 64 : 32, j->run,
             j->width);
    bench_interleave(sides, 2, ROUNDS);
    bench_row(b, &(struct bench_row){.workload = workload,
                                     .metric = "throughput",
                                     .unit = "Gvalues/s",
                                     .n = j->run,
                                     .threads = 1,
                                     .ours = sides[0].stat,
                                     .peer = "scalar",
                                     .peer_value = sides[1].stat,
                                     .target = !wide && j->width <= 8 ? 4 : 0});
}

/* ---- frames of reference, running sums, and packing, for blocks of 128 and vectors of 1,024 ---- */

#define SERIAL_DELTA(type, unpack, in, n, width, out)                                              \
    do {                                                                                           \
        type sum = 7;                                                                              \
                                                                                                   \
        unpack(in, n, width, out);                                                                 \
        for (size_t i = 0; i < (n); i++) (out)[i] = sum += (out)[i] + 1;                           \
    } while (0)
#define SERIAL_DELTA32(in, n, width, out)                                                          \
    SERIAL_DELTA(uint32_t, seam_bitunpack_u32, in, n, width, out)
#define SERIAL_DELTA64(in, n, width, out)                                                          \
    SERIAL_DELTA(uint64_t, seam_bitunpack_u64, in, n, width, out)
#define FUSED_DELTA32(in, n, width, out) seam_bitunpack_delta_u32(in, n, width, 7, 1, out)
#define FUSED_DELTA64(in, n, width, out) seam_bitunpack_delta_u64(in, n, width, 7, 1, out)
#define FUSED_FOR32(in, n, width, out)   seam_bitunpack_for_u32(in, n, width, 7, out)
#define FUSED_FOR64(in, n, width, out)   seam_bitunpack_for_u64(in, n, width, 7, out)
#define TWO_PASS(base, unpack, in, n, width, out)                                                  \
    do {                                                                                           \
        unpack(in, n, width, out);                                                                 \
        for (size_t i = 0; i < (n); i++) (out)[i] += (base);                                       \
    } while (0)
#define SERIAL_FOR32(in, n, width, out) TWO_PASS(7, seam_bitunpack_u32, in, n, width, out)
#define SERIAL_FOR64(in, n, width, out) TWO_PASS(7, seam_bitunpack_u64, in, n, width, out)

UNPACK_SIDE(run_delta32, uint32_t, FUSED_DELTA32)
UNPACK_SIDE(run_delta64, uint64_t, FUSED_DELTA64)
UNPACK_SIDE(run_delta32_serial, uint32_t, SERIAL_DELTA32)
UNPACK_SIDE(run_delta64_serial, uint64_t, SERIAL_DELTA64)
UNPACK_SIDE(run_for32, uint32_t, FUSED_FOR32)
UNPACK_SIDE(run_for64, uint64_t, FUSED_FOR64)
UNPACK_SIDE(run_for32_serial, uint32_t, SERIAL_FOR32)
UNPACK_SIDE(run_for64_serial, uint64_t, SERIAL_FOR64)

static double run_pack32(void *ctx)
{
    struct unpack_job *j = ctx;
    static _Alignas(64) uint8_t bytes[4 * 1024 + SEAM_BITPACK_SLACK];
    uint64_t start = bench_now_ns();

    for (size_t r = 0; r < j->repeats; r++) {
        for (size_t k = 0; k < j->runs; k++) seam_bitpack_u32(j->out, j->run, j->width, bytes);
        bench_keep(bytes);
    }
    return (double)(j->run * j->runs * j->repeats) / (double)(bench_now_ns() - start);
}

static void bench_fused(struct bench *b)
{
    static const struct {
        const char *name, *peer;
        double (*ours)(void *), (*serial)(void *);
        unsigned width;
    } kinds[] = {
        {"delta u32", "unpack, then sum", run_delta32, run_delta32_serial, 7},
        {"delta u64", "unpack, then sum", run_delta64, run_delta64_serial, 13},
        {"for u32", "unpack, then add", run_for32, run_for32_serial, 7},
        {"for u64", "unpack, then add", run_for64, run_for64_serial, 13},
        {"pack u32", NULL, run_pack32, run_pack32, 7},
    };
    static _Alignas(64) uint64_t out[1024];
    static _Alignas(64) uint8_t packed[8 * 8192 + SEAM_BITPACK_SLACK];

    for (size_t i = 0; i < SEAM_ARRAY_LEN(kinds); i++) {
        for (size_t run = 128; run <= 1024; run *= 8) {
            struct unpack_job j = {
                packed, kinds[i].width, run, 1024 / run, bench_size(b, 10000, 40000, 200000), out};
            struct bench_side sides[2] = {{.run = kinds[i].ours, .ctx = &j},
                                          {.run = kinds[i].serial, .ctx = &j}};
            char workload[64];

            memset(out, 0, sizeof out);
            snprintf(workload, sizeof workload, "%s run %zu width %u", kinds[i].name, run,
                     kinds[i].width);
            bench_interleave(sides, 2, ROUNDS);
            bench_row(b, &(struct bench_row){.workload = workload,
                                             .metric = "throughput",
                                             .unit = "Gvalues/s",
                                             .n = run,
                                             .threads = 1,
                                             .ours = sides[0].stat,
                                             .peer = kinds[i].peer,
                                             .peer_value = sides[1].stat});
        }
    }
}

static void bench_unpacking(struct bench *b)
{
    static const unsigned widths32[] = {1, 2, 3, 5, 7, 8, 11, 13, 16, 20, 25, 32};
    static const unsigned widths64[] = {1, 4, 8, 13, 17, 24, 33, 40, 48, 57, 64};
    static const size_t runs[] = {128, 1024};
    static _Alignas(64) uint32_t in32[1024], out32[1024];
    static _Alignas(64) uint64_t in64[1024], out64[1024];
    static _Alignas(64) uint8_t packed[8 * 8192 + SEAM_BITPACK_SLACK];
    struct seam_rng r;

    seam_rng_seed(&r, (uint64_t)b->seed);
    for (size_t k = 0; k < SEAM_ARRAY_LEN(runs); k++) {
        for (size_t w = 0; w < SEAM_ARRAY_LEN(widths32); w++) {
            unsigned width = widths32[w];
            struct unpack_job j = {
                packed, width, runs[k], 8 * 128 / runs[k], bench_size(b, 10000, 40000, 200000),
                out32};

            for (size_t i = 0; i < 1024; i++)
                in32[i] = (uint32_t)(seam_rng_u64(&r) >> (64 - width));
            for (size_t i = 0; i < j.runs; i++)
                seam_bitpack_u32(in32, j.run, width, packed + i * seam_bitpack_size(j.run, width));
            unpack_row(b, &j, false);
            BENCH_CHECK(b, memcmp(in32, out32, j.run * sizeof *in32) == 0);
        }
        for (size_t w = 0; w < SEAM_ARRAY_LEN(widths64); w++) {
            unsigned width = widths64[w];
            struct unpack_job j = {
                packed, width, runs[k], 8 * 128 / runs[k], bench_size(b, 10000, 40000, 200000),
                out64};

            for (size_t i = 0; i < 1024; i++) in64[i] = seam_rng_u64(&r) >> (64 - width);
            for (size_t i = 0; i < j.runs; i++)
                seam_bitpack_u64(in64, j.run, width, packed + i * seam_bitpack_size(j.run, width));
            unpack_row(b, &j, true);
            BENCH_CHECK(b, memcmp(in64, out64, j.run * sizeof *in64) == 0);
        }
    }
}

/* ---- publishing ---- */

static void bench_publish(struct bench *b)
{
    const char *dir = bench_scratch(b);
    double syncs = bench_fdatasync_rate(b, dir);
    uint64_t n = bench_size(b, 100, 300, 1000);
    static struct seam_histogram h;
    uint64_t begin = bench_now_ns();
    struct seam_fault f = {0};

    seam_histogram_init(&h);
    for (uint64_t seq = 1; seq <= n; seq++) {
        struct seam_manifest m = {.kind = SEAM_MANIFEST_KIND('B', 'E', 'N', 'C'),
                                  .seq = seq,
                                  .parent = seq - 1,
                                  .applied_lsn = seq};
        uint64_t start = bench_now_ns();

        memset(seam_buf_extend(&m.payload, 1000), 'x', 1000);
        bench_need(seam_manifest_publish(seam_io_posix(), dir, &m, &f), &f, "publish");
        seam_buf_free(&m.payload);
        seam_histogram_add(&h, bench_now_ns() - start);
    }
    bench_row(b, &(struct bench_row){
                     .workload = "manifest publish 1 KB",
                     .metric = "rate",
                     .unit = "per_s",
                     .n = n,
                     .threads = 1,
                     .ours = bench_value((double)n * 1e9 / (double)(bench_now_ns() - begin)),
                     .limit = syncs / 2}); /* a file and a folder are synced each time */
    bench_row_latency(b, &(struct bench_row){.workload = "manifest publish 1 KB", .threads = 1}, &h,
                      NULL);
}

int main(int argc, char **argv)
{
    struct bench b;
    uint8_t *data;
    struct seam_rng r;

    bench_open(&b, "engine", NULL, 0, argc, argv);
    fprintf(b.report, "simd: %s; memory: %.1f GB/s on one thread\n", seam_cpu_simd_name(),
            bench_memory_gbps(&b, 1));
    data = malloc(1 << 20);
    if (data == NULL) return 5;
    seam_rng_seed(&r, (uint64_t)b.seed);
    seam_rng_bytes(&r, data, 1 << 20);
    bench_checksums(&b, data);
    free(data);
    bench_unpacking(&b);
    bench_fused(&b);
    bench_publish(&b);
    return bench_close(&b);
}
