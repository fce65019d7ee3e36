/* The machine's own bounds, so that a figure can be read against what is possible here. */
#include "bench/common/bench.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/thread.h"
#include "engine/io/io.h"

enum { CHUNK = 1 << 20 };

struct region {
    const uint64_t *words;
    uint64_t sum;
};

/* Four sums, so that additions do not wait for each other; the compiler vectorises them.          */
static enum seam_status sum_chunk(void *ctx, size_t begin, size_t end, int thread)
{
    struct region *r = ctx;
    const uint64_t *w = r->words + begin * (CHUNK / 8), *stop = r->words + end * (CHUNK / 8);
    uint64_t a = 0, b = 0, c = 0, d = 0;

    (void)thread;
    for (; w < stop; w += 16) {
        a += w[0] + w[4] + w[8] + w[12];
        b += w[1] + w[5] + w[9] + w[13];
        c += w[2] + w[6] + w[10] + w[14];
        d += w[3] + w[7] + w[11] + w[15];
    }
    __atomic_fetch_add(&r->sum, a + b + c + d, __ATOMIC_RELAXED);
    return SEAM_OK;
}

double bench_memory_gbps(struct bench *b, int threads)
{
    const size_t chunks = 256; /* 256 MiB: past any cache here */
    struct region r = {0};
    uint8_t *memory;
    double best = 0;

    if (b->memory_threads == threads) return b->memory_gbps;
    memory = aligned_alloc(64, chunks * CHUNK);
    if (memory == NULL) return 0;
    memset(memory, 1, chunks * CHUNK);
    r.words = (const uint64_t *)(const void *)memory;
    for (int round = 0; round < 5; round++) {
        uint64_t start = bench_now_ns();
        double seconds, gbps;

        if (seam_parallel_for(threads, chunks, 8, sum_chunk, &r) != SEAM_OK) break;
        seconds = (double)(bench_now_ns() - start) / 1e9;
        gbps = (double)(chunks * CHUNK) / seconds / 1e9;
        if (gbps > best) best = gbps; /* a bound: the best that was seen */
    }
    bench_keep(&r.sum);
    free(memory);
    b->memory_gbps = best;
    b->memory_threads = threads;
    return best;
}

double bench_fdatasync_rate(struct bench *b, const char *dir)
{
    const uint64_t span_ns = 500000000u;
    static uint8_t page[4096];
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_file *file = NULL;
    uint64_t start, count = 0;
    enum seam_status st;

    if (b->fdatasyncs > 0) return b->fdatasyncs;
    st = seam_path_join(path, dir, "fdatasync-rate", NULL);
    if (st == SEAM_OK)
        st = seam_file_open(seam_io_posix(), path,
                            SEAM_FILE_WRITE | SEAM_FILE_CREATE | SEAM_FILE_TRUNC, &file, NULL);
    if (st == SEAM_OK) st = seam_file_fill_zero(file, 0, 4u << 20, NULL);
    if (st == SEAM_OK) st = seam_file_sync(file, NULL);
    start = bench_now_ns();
    while (st == SEAM_OK && bench_now_ns() - start < span_ns) {
        memset(page, (int)count + 1, sizeof page);
        st = seam_file_write(file, count % 1024 * sizeof page, page, sizeof page, NULL);
        if (st == SEAM_OK) st = seam_file_datasync(file, NULL);
        count++;
    }
    if (st == SEAM_OK) b->fdatasyncs = (double)count * 1e9 / (double)(bench_now_ns() - start);
    seam_file_close(file);
    if (seam_io_unlink(seam_io_posix(), path, NULL) != SEAM_OK)
        fprintf(stderr, "left behind: %s\n", path);
    return b->fdatasyncs;
}
