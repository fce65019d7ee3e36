// What the vector-search peers share: data, the line protocol, timing. See bench/stores/bench_hnsw.c.
//
//   PROGRAM BASE.fvecs QUERIES.fvecs M EFCONSTRUCTION THREADS KIND
//   build            -> seconds bytes cpu-seconds    (bytes: anonymous memory the build left)
//   search EF FILE   -> writes 10 int32 row numbers a query to FILE; queries a second
//   time EF          -> queries-a-second p50-us p99-us
#pragma once
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "bench/common/peer.h"

struct Vectors {
    size_t n = 0, dim = 0, padded = 0;
    std::vector<float> v;
    // Rows are padded with zeros up to a multiple of `pad` dimensions.
    Vectors(const char *path, size_t pad)
    {
        FILE *f = fopen(path, "rb");
        int32_t d;
        if (f == nullptr) {
            peer_reply("error cannot open %s", path);
            exit(1);
        }
        while (fread(&d, 4, 1, f) == 1) {
            dim = size_t(d);
            padded = (dim + pad - 1) / pad * pad;
            v.resize((n + 1) * padded, 0.f);
            if (fread(&v[n * padded], 4, dim, f) != dim) {
                peer_reply("error short file");
                exit(1);
            }
            n++;
        }
        fclose(f);
    }
    const float *row(size_t i) const { return &v[i * padded]; }
};

static inline void parallel(size_t n, int threads, const std::function<void(size_t, int)> &f)
{
    std::atomic<size_t> next{0};
    std::vector<std::thread> t;
    for (int k = 0; k < threads; k++)
        t.emplace_back([&, k] {
            for (size_t i; (i = next++) < n;) f(i, k);
        });
    for (auto &x : t) x.join();
}

// Anonymous memory of this process: what it allocated, by whatever means, and touched.
static inline size_t own_bytes()
{
    char line[256];
    size_t kib = 0;
    malloc_trim(0);
    FILE *f = fopen("/proc/self/status", "r");
    while (f != nullptr && fgets(line, sizeof line, f) != nullptr)
        if (sscanf(line, "RssAnon: %zu", &kib) == 1) break;
    if (f != nullptr) fclose(f);
    return kib << 10;
}

// search(i, ef, out): the 10 nearest rows of query i, nearest first.
static inline void serve(const char *version, size_t queries, const std::function<void()> &build,
                         const std::function<void(size_t, int, int32_t *)> &search)
{
    char line[1024], path[900];
    int ef;
    peer_ready(version);
    while (peer_line(line, sizeof line)) {
        if (strcmp(line, "build") == 0) {
            size_t before = own_bytes();
            clock_t cpu = clock();
            uint64_t t = peer_now_ns();
            build();
            double s = double(peer_now_ns() - t) / 1e9;
            peer_reply("%.9g %zu %.9g", s, own_bytes() - before,
                       double(clock() - cpu) / CLOCKS_PER_SEC);
        } else if (sscanf(line, "search %d %899s", &ef, path) == 2) {
            std::vector<int32_t> out(queries * 10, -1);
            uint64_t t = peer_now_ns();
            for (size_t i = 0; i < queries; i++) search(i, ef, &out[i * 10]);
            double s = double(peer_now_ns() - t) / 1e9;
            FILE *f = fopen(path, "wb");
            if (f == nullptr || fwrite(out.data(), 4, out.size(), f) != out.size()) {
                peer_reply("error cannot write");
                continue;
            }
            fclose(f);
            peer_reply("%.9g", double(queries) / s);
        } else if (sscanf(line, "time %d", &ef) == 1) {
            std::vector<double> us(queries);
            int32_t out[10];
            uint64_t t = peer_now_ns();
            for (size_t i = 0; i < queries; i++) {
                uint64_t a = peer_now_ns();
                search(i, ef, out);
                us[i] = double(peer_now_ns() - a) / 1e3;
            }
            double s = double(peer_now_ns() - t) / 1e9;
            std::sort(us.begin(), us.end());
            peer_reply("%.9g %.3f %.3f", double(queries) / s, us[queries / 2],
                       us[queries * 99 / 100]);
        } else {
            peer_reply("error unknown command");
        }
    }
}
