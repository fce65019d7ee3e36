/* oltp_work - the row store's workloads, the same code for us and for every peer.
 *
 * A store is a table of functions (struct kv_ops); kv_run() takes one command line and answers one line. Rows
 * are an 8-byte integer key and 200 bytes; values are generated in the loop. Every answer ends with a
 * checksum of what was read (or counted), so that the bench can hold all stores to one another.
 *
 *   open DIR relaxed|durable CACHE_MB   close   size DIR      the cache is all of a store's own memory for pages
 *   load N BATCH order|random    rows a second, committed BATCH at a time
 *   update COUNT BATCH N         rows a second: COUNT rows replaced at random, committed BATCH at a time
 *   commit THREADS SECONDS N     single-row commits a second: rate p50 p99 p99.9 (us)
 *   read THREADS COUNT N each|one    point reads a second; a snapshot each, or one for all
 *   range COUNT N                ranges of 100 rows, rows a second
 *   full N                       full scan, rows a second
 *   ycsb a|b|c|e|f THREADS SECONDS N     operations a second, zipf 0.99
 * Valid C and C++. */
#ifndef SEAM_BENCH_PEERS_OLTP_WORK_H
#define SEAM_BENCH_PEERS_OLTP_WORK_H

#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { KV_VALUE = 200, KV_THREADS_MAX = 64 };

struct kv_ops {
    void (*open)(const char *dir, int relaxed, long cache_mb);
    void (*close)(void);
    void *(*session)(void);
    void (*session_end)(void *s);
    void (*begin)(void *s, int append); /* append: keys only grow in this load */
    void (*put)(void *s, uint64_t key, const char *value);
    void (*commit)(void *s);
    void (*read_begin)(void *s);
    void (*read_end)(void *s);
    int (*get)(void *s, uint64_t key, char *value); /* inside read_begin */
    uint64_t (*scan)(void *s, uint64_t from, uint64_t n,
                     uint64_t *sum); /* likewise; sum of keys + last bytes */
};

static inline double kv_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline uint64_t kv_next(uint64_t *s)
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static inline void kv_value(uint64_t key, uint64_t version, char *out)
{
    uint64_t s = key * 1315423911u + version;

    for (int i = 0; i < KV_VALUE; i += 8) {
        uint64_t x = kv_next(&s);

        memcpy(out + i, &x, 8);
    }
}

struct kv_zipf {
    double alpha, zetan, eta;
    uint64_t n;
};

static inline void kv_zipf_init(struct kv_zipf *z, uint64_t n)
{
    const double theta = 0.99;

    z->n = n;
    z->zetan = 0;
    for (uint64_t i = 1; i <= n; i++) z->zetan += pow(1.0 / (double)i, theta);
    z->alpha = 1 / (1 - theta);
    z->eta = (1 - pow(2.0 / (double)n, 1 - theta)) / (1 - (1 + pow(0.5, theta)) / z->zetan);
}

static inline uint64_t kv_zipf_next(const struct kv_zipf *z, uint64_t *s)
{
    double u = (double)(kv_next(s) >> 11) * 0x1p-53, uz = u * z->zetan;
    uint64_t k = uz < 1 ? 0
                 : uz < 1 + pow(0.5, 0.99)
                     ? 1
                     : (uint64_t)((double)z->n * pow(z->eta * u - z->eta + 1, z->alpha));
    uint64_t h;

    if (k >= z->n) k = z->n - 1;
    h = k * 0x9e3779b97f4a7c15ull; /* popular keys are spread over the table */
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93ull;
    h ^= h >> 32;
    return h % z->n;
}

static inline int kv_by_float(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static inline uint64_t kv_dir_bytes(const char *dir)
{
    uint64_t sum = 0;
    DIR *d = opendir(dir);

    if (d == NULL) return 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[4096];
        struct stat st;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        snprintf(path, sizeof path, "%.2000s/%s", dir, e->d_name);
        if (stat(path, &st) != 0) continue;
        sum += S_ISDIR(st.st_mode) ? kv_dir_bytes(path) : (uint64_t)st.st_blocks * 512;
    }
    closedir(d);
    return sum;
}

static inline double kv_load(const struct kv_ops *o, uint64_t n, uint64_t batch, int random_order)
{
    void *s = o->session();
    uint32_t *order = NULL;
    char value[KV_VALUE];
    double began;

    if (random_order) {
        uint64_t r = 7;

        order = (uint32_t *)malloc(n * sizeof *order);
        for (uint64_t i = 0; i < n; i++) order[i] = (uint32_t)i;
        for (uint64_t i = n - 1; i > 0; i--) {
            uint64_t j = kv_next(&r) % (i + 1);
            uint32_t t = order[i];

            order[i] = order[j];
            order[j] = t;
        }
    }
    began = kv_now();
    for (uint64_t i = 0; i < n;) {
        o->begin(s, !random_order);
        for (uint64_t j = 0; j < batch && i < n; j++, i++) {
            uint64_t key = order != NULL ? order[i] : i;

            kv_value(key, 0, value);
            o->put(s, key, value);
        }
        o->commit(s);
    }
    began = kv_now() - began;
    o->session_end(s);
    free(order);
    return (double)n / began;
}

static inline double kv_update(const struct kv_ops *o, uint64_t count, uint64_t batch, uint64_t n)
{
    void *s = o->session();
    char value[KV_VALUE];
    uint64_t seed = 11;
    double began = kv_now();

    for (uint64_t i = 0; i < count;) {
        o->begin(s, 0);
        for (uint64_t j = 0; j < batch && i < count; j++, i++) {
            uint64_t key = kv_next(&seed) % n;

            kv_value(key, i + 1, value);
            o->put(s, key, value);
        }
        o->commit(s);
    }
    began = kv_now() - began;
    o->session_end(s);
    return (double)count / began;
}

struct kv_worker {
    const struct kv_ops *o;
    const struct kv_zipf *zipf;
    pthread_t thread;
    uint64_t seed, n, count, done, sum, misses;
    double until;
    char kind; /* c: commits; r, o: reads; a, b, c...: ycsb in upper case */
    float *latency;
    uint64_t latencies, latency_cap;
};

static inline void kv_one_put(struct kv_worker *w, void *s, uint64_t key)
{
    char value[KV_VALUE];
    double began = kv_now();

    kv_value(key, kv_next(&w->seed), value);
    w->o->begin(s, 0);
    w->o->put(s, key, value);
    w->o->commit(s);
    if (w->latencies < w->latency_cap)
        w->latency[w->latencies++] = (float)((kv_now() - began) * 1e6);
}

static inline void kv_one_get(struct kv_worker *w, void *s, uint64_t key, int own)
{
    char value[KV_VALUE];

    if (own) w->o->read_begin(s);
    if (w->o->get(s, key, value))
        w->sum += (unsigned char)value[KV_VALUE - 1];
    else
        w->misses++;
    if (own) w->o->read_end(s);
}

static inline void kv_ycsb(struct kv_worker *w, void *s)
{
    uint64_t key = kv_zipf_next(w->zipf, &w->seed);
    double u = (double)(kv_next(&w->seed) >> 11) * 0x1p-53;

    switch (w->kind) {
    case 'A':
        if (u < 0.5)
            kv_one_get(w, s, key, 1);
        else
            kv_one_put(w, s, key);
        break;
    case 'B':
        if (u < 0.95)
            kv_one_get(w, s, key, 1);
        else
            kv_one_put(w, s, key);
        break;
    case 'C': kv_one_get(w, s, key, 1); break;
    case 'E':
        if (u < 0.95) {
            w->o->read_begin(s);
            w->o->scan(s, key, 1 + kv_next(&w->seed) % 100, &w->sum);
            w->o->read_end(s);
        } else {
            kv_one_put(w, s, w->n + kv_next(&w->seed) % w->n);
        }
        break;
    default: /* F */
        kv_one_get(w, s, key, 1);
        if (u < 0.5) kv_one_put(w, s, key);
    }
}

static inline void *kv_work(void *arg)
{
    struct kv_worker *w = (struct kv_worker *)arg;
    void *s = w->o->session();

    if (w->kind == 'r' || w->kind == 'o') {
        if (w->kind == 'o') w->o->read_begin(s);
        for (; w->done < w->count; w->done++)
            kv_one_get(w, s, kv_next(&w->seed) % w->n, w->kind == 'r');
        if (w->kind == 'o') w->o->read_end(s);
    } else {
        while (kv_now() < w->until) {
            if (w->kind == 'c')
                kv_one_put(w, s, kv_next(&w->seed) % w->n);
            else
                kv_ycsb(w, s);
            w->done++;
        }
    }
    w->o->session_end(s);
    return NULL;
}

/* Runs `threads` workers; *rate a second; latencies of writes of all of them sorted into *lat (caller frees). */
static inline uint64_t kv_threads(const struct kv_ops *o, char kind, int threads, uint64_t count,
                                  double seconds, uint64_t n, double *rate, float **lat,
                                  uint64_t *lats)
{
    struct kv_worker w[KV_THREADS_MAX];
    struct kv_zipf zipf;
    uint64_t done = 0, misses = 0, sum = 0;
    double began;

    if (kind >= 'A' && kind <= 'Z') kv_zipf_init(&zipf, n);
    memset(w, 0, sizeof w);
    began = kv_now();
    for (int i = 0; i < threads; i++) {
        w[i].o = o;
        w[i].zipf = &zipf;
        w[i].kind = kind;
        w[i].seed = (uint64_t)i * 1000003 + 5;
        w[i].n = n;
        w[i].count = count;
        w[i].until = began + seconds;
        w[i].latency_cap =
            kind == 'r' || kind == 'o' || kind == 'C' ? 0 : (uint64_t)(seconds * 1200000) + 1;
        w[i].latency = (float *)malloc((w[i].latency_cap + 1) * sizeof(float));
        pthread_create(&w[i].thread, NULL, kv_work, &w[i]);
    }
    *lats = 0;
    for (int i = 0; i < threads; i++) {
        pthread_join(w[i].thread, NULL);
        done += w[i].done;
        misses += w[i].misses;
        sum += w[i].sum;
        *lats += w[i].latencies;
    }
    *rate = (double)done / (kv_now() - began);
    *lat = (float *)malloc((*lats + 1) * sizeof(float));
    *lats = 0;
    for (int i = 0; i < threads; i++) {
        memcpy(*lat + *lats, w[i].latency, w[i].latencies * sizeof(float));
        *lats += w[i].latencies;
        free(w[i].latency);
    }
    qsort(*lat, *lats, sizeof(float), kv_by_float);
    return kind == 'r' || kind == 'o' ? sum + misses * 1000003 : misses;
}

static inline float kv_percentile(const float *lat, uint64_t n, double p)
{
    return n == 0 ? 0 : lat[(uint64_t)((double)(n - 1) * p / 100)];
}

static inline void kv_scans(const struct kv_ops *o, uint64_t count, uint64_t n, int full,
                            char *reply, size_t size)
{
    void *s = o->session();
    uint64_t seed = 9, rows = 0, sum = 0;
    double began = kv_now();

    if (full) {
        o->read_begin(s);
        rows = o->scan(s, 0, n, &sum);
        o->read_end(s);
    } else {
        for (uint64_t i = 0; i < count; i++) {
            o->read_begin(s);
            rows += o->scan(s, kv_next(&seed) % (n - 100), 100, &sum);
            o->read_end(s);
        }
    }
    snprintf(reply, size, "%.9g %llu", (double)rows / (kv_now() - began),
             (unsigned long long)(sum * 31 + rows));
    o->session_end(s);
}

static inline void kv_run(const struct kv_ops *o, const char *line, char *reply, size_t size)
{
    char word[1024] = "", mode[32] = "";
    unsigned long long a = 0, b = 0, batch = 0;
    long cache = 0;
    int threads = 0;
    double seconds = 0, rate = 0;
    float *lat = NULL;
    uint64_t lats = 0, check = 0;

    if (sscanf(line, "open %1000s %31s %ld", word, mode, &cache) == 3) {
        mkdir(word, 0755);
        o->open(word, strcmp(mode, "relaxed") == 0, cache);
        snprintf(reply, size, "ok");
    } else if (strcmp(line, "close") == 0) {
        o->close();
        snprintf(reply, size, "ok");
    } else if (sscanf(line, "size %1000s", word) == 1) {
        snprintf(reply, size, "%.9g", (double)kv_dir_bytes(word));
    } else if (sscanf(line, "load %llu %llu %31s", &a, &b, mode) == 3) {
        snprintf(reply, size, "%.9g", kv_load(o, a, b, strcmp(mode, "random") == 0));
    } else if (sscanf(line, "update %llu %llu %llu", &b, &batch, &a) == 3) {
        snprintf(reply, size, "%.9g", kv_update(o, b, batch, a));
    } else if (sscanf(line, "commit %d %lf %llu", &threads, &seconds, &a) == 3) {
        kv_threads(o, 'c', threads, 0, seconds, a, &rate, &lat, &lats);
        snprintf(reply, size, "%.9g %.6g %.6g %.6g", rate, (double)kv_percentile(lat, lats, 50),
                 (double)kv_percentile(lat, lats, 99), (double)kv_percentile(lat, lats, 99.9));
    } else if (sscanf(line, "read %d %llu %llu %31s", &threads, &b, &a, mode) == 4) {
        check = kv_threads(o, strcmp(mode, "one") == 0 ? 'o' : 'r', threads, b, 0, a, &rate, &lat,
                           &lats);
        snprintf(reply, size, "%.9g %llu", rate, (unsigned long long)check);
    } else if (sscanf(line, "range %llu %llu", &b, &a) == 2) {
        kv_scans(o, b, a, 0, reply, size);
    } else if (sscanf(line, "full %llu", &a) == 1) {
        kv_scans(o, 0, a, 1, reply, size);
    } else if (sscanf(line, "ycsb %31s %d %lf %llu", mode, &threads, &seconds, &a) == 4) {
        check =
            kv_threads(o, (char)(mode[0] - 'a' + 'A'), threads, 0, seconds, a, &rate, &lat, &lats);
        snprintf(reply, size, "%.9g %llu", rate, (unsigned long long)check);
    } else {
        snprintf(reply, size, "error unknown command");
    }
    free(lat);
}

#endif
