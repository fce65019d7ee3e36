/* cpu - what CPUID says, and what the system lets us use of it. */
#include "engine/base/cpu.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

static struct seam_cpu detected;
static pthread_once_t once = PTHREAD_ONCE_INIT;

#if defined(__x86_64__)
/* Which register files the operating system saves; without it AVX instructions trap.              */
static unsigned long long xgetbv0(void)
{
    unsigned lo, hi;

    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (unsigned long long)hi << 32 | lo;
}

static void detect(struct seam_cpu *c)
{
    unsigned a, b, cx, d, b7 = 0, c7 = 0, d7 = 0, a71 = 0;
    bool os_avx = false, os_avx512 = false;

    if (!__get_cpuid(1, &a, &b, &cx, &d)) return;
    if (cx & bit_OSXSAVE) {
        unsigned long long saved = xgetbv0();

        os_avx = (saved & 0x6) == 0x6;
        os_avx512 = os_avx && (saved & 0xe0) == 0xe0;
    }
    c->sse42 = (cx & bit_SSE4_2) != 0;
    c->fma = os_avx && (cx & bit_FMA) != 0;
    c->f16c = os_avx && (cx & bit_F16C) != 0;
    c->pclmul = (cx & bit_PCLMUL) != 0;
    if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d7)) return;
    if (a >= 1) {
        unsigned x, y, z;

        __get_cpuid_count(7, 1, &a71, &x, &y, &z);
    }
    c->avx2 = os_avx && (b7 >> 5 & 1);
    c->bmi2 = (b7 >> 8 & 1);
    c->sha = (b7 >> 29 & 1) && c->sse42;
    /* F = 16, DQ = 17, CD = 28, BW = 30, VL = 31 */
    c->avx512 = os_avx512 && (b7 >> 16 & 1) && (b7 >> 17 & 1) && (b7 >> 28 & 1) && (b7 >> 30 & 1) &&
                (b7 >> 31 & 1);
    c->avx512_vbmi = c->avx512 && (c7 >> 1 & 1) && (c7 >> 6 & 1);
    c->avx512_vnni = c->avx512 && (c7 >> 11 & 1);
    c->vpclmul = c->avx512 && c->pclmul && (c7 >> 10 & 1);
    c->avx512_bf16 = c->avx512 && (a71 >> 5 & 1);
}
#elif defined(__aarch64__)
static void detect(struct seam_cpu *c)
{
    c->neon = true;
}
#else
static void detect(struct seam_cpu *c)
{
    (void)c;
}
#endif

static void detect_once(void)
{
    const char *cap = getenv("SEAM_SIMD");
    struct seam_cpu c = {0};

    detect(&c);
    if (cap != NULL && strcmp(cap, "avx2") == 0)
        c.avx512 = c.avx512_vbmi = c.avx512_vnni = c.avx512_bf16 = c.vpclmul = false;
    if (cap != NULL && strcmp(cap, "scalar") == 0) c = (struct seam_cpu){0};
    detected = c;
}

const struct seam_cpu *seam_cpu(void)
{
    pthread_once(&once, detect_once);
    return &detected;
}

const char *seam_cpu_simd_name(void)
{
    const struct seam_cpu *c = seam_cpu();

    return c->avx512 ? "avx512" : c->avx2 ? "avx2" : c->neon ? "neon" : "scalar";
}

int seam_cpu_count(void)
{
    long n = 0;

#ifdef __linux__
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
#endif
    if (n < 1) n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (int)n;
}
