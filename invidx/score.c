/* score - the weights of BM25 as scaled integers, and the blocks that are scored at once. */
#include "invidx/score.h"

#include <assert.h>
#include <math.h>

#include "engine/base/bytes.h"
#include "engine/base/cpu.h"
#include "engine/base/walk.h"
#include "invidx/postings.h"

double invidx_bm25_idf(uint64_t docs, uint64_t df)
{
    return log(1.0 + ((double)docs - (double)df + 0.5) / ((double)df + 0.5));
}

void invidx_bm25_block_scalar(const struct invidx_bm25 *m, const uint32_t *docs, const uint32_t *tf,
                              const uint8_t *lengths, size_t n, int32_t *out)
{
    SEAM_WALK(n == 0 || docs != NULL);
    for (size_t i = 0; i < n; i++)
        out[i] = bm25_one(m, tf[i], seam_get_u16(lengths + 2 * (size_t)docs[i]));
}

void invidx_bm25_bounds_scalar(const struct invidx_bm25 *m, const uint8_t *impacts, size_t n,
                               int32_t *out)
{
    assert(n == 0 || impacts != NULL);
    for (size_t b = 0; b < n; b++) {
        int32_t best = 0;

        for (size_t i = 0; i < 4; i++) {
            uint32_t tf = impacts[8 * b + 2 * i],
                     length = length_of_code(impacts[8 * b + 2 * i + 1]);
            int32_t s = tf == 255 ? 1 + (int32_t)m->w : bm25_one(m, tf, length);

            if (s > best) best = s;
        }
        out[b] = best;
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define AVX2   __attribute__((target("avx2")))

AVX512 static inline __m512i score16(__m512 w, __m512 k0, __m512 k1l, __m512i tf, __m512i length)
{
    __m512 k = _mm512_add_ps(k0, _mm512_mul_ps(k1l, _mm512_cvtepi32_ps(length)));
    __m512 t = _mm512_div_ps(_mm512_cvtepi32_ps(tf), k);

    t = _mm512_sub_ps(w, _mm512_div_ps(w, _mm512_add_ps(_mm512_set1_ps(1.0f), t)));
    return _mm512_add_epi32(_mm512_cvttps_epi32(t), _mm512_set1_epi32(1));
}

AVX512 static void block_avx512(const struct invidx_bm25 *m, const uint32_t *docs,
                                const uint32_t *tf, const uint8_t *lengths, size_t n, int32_t *out)
{
    __m512 w = _mm512_set1_ps(m->w), k0 = _mm512_set1_ps(m->k0), k1l = _mm512_set1_ps(m->k1l);

    for (size_t i = 0; i < n; i += 16) {
        __mmask16 in = n - i >= 16 ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
        __m512i d = _mm512_maskz_loadu_epi32(in, docs + i),
                f = _mm512_maskz_loadu_epi32(in, tf + i);
        __m512i len = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), in, d, lengths, 2);

        len = _mm512_and_si512(len, _mm512_set1_epi32(0xffff));
        _mm512_mask_storeu_epi32(out + i, in, score16(w, k0, k1l, f, len));
    }
}

/* Two blocks' eight pairs at a time would leave half a register idle: four blocks, sixteen pairs.       */
AVX512 static void bounds_avx512(const struct invidx_bm25 *m, const uint8_t *impacts, size_t n,
                                 int32_t *out)
{
    __m512 w = _mm512_set1_ps(m->w), k0 = _mm512_set1_ps(m->k0), k1l = _mm512_set1_ps(m->k1l);
    __m512i low = _mm512_set1_epi32(0xff);
    size_t b = 0;

    for (; b + 4 <= n; b += 4) {
        __m512i pairs = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)(impacts + 8 * b)));
        __m512i tf = _mm512_and_si512(pairs, low), code = _mm512_srli_epi32(pairs, 8);
        __mmask16 any = _mm512_cmpeq_epi32_mask(tf, low),
                  large = _mm512_cmpgt_epi32_mask(code, _mm512_set1_epi32(63));
        __m512i e = _mm512_sub_epi32(_mm512_srli_epi32(code, 5), _mm512_set1_epi32(1));
        __m512i mant =
            _mm512_add_epi32(_mm512_and_si512(code, _mm512_set1_epi32(31)), _mm512_set1_epi32(32));
        __m512i len = _mm512_mask_mov_epi32(code, large, _mm512_sllv_epi32(mant, e));
        __m512i s = score16(w, k0, k1l, tf, len);

        s = _mm512_mask_mov_epi32(s, any,
                                  _mm512_add_epi32(_mm512_cvttps_epi32(w), _mm512_set1_epi32(1)));
        s = _mm512_max_epi32(s, _mm512_shuffle_epi32(s, _MM_PERM_CDAB));
        s = _mm512_max_epi32(s, _mm512_shuffle_epi32(s, _MM_PERM_BADC));
        s = _mm512_maskz_compress_epi32(0x1111, s);
        _mm_storeu_si128((void *)(out + b), _mm512_castsi512_si128(s));
    }
    invidx_bm25_bounds_scalar(m, impacts + 8 * b, n - b, out + b);
}

AVX2 static void block_avx2(const struct invidx_bm25 *m, const uint32_t *docs, const uint32_t *tf,
                            const uint8_t *lengths, size_t n, int32_t *out)
{
    __m256 w = _mm256_set1_ps(m->w), k0 = _mm256_set1_ps(m->k0), k1l = _mm256_set1_ps(m->k1l);
    __m256 one = _mm256_set1_ps(1.0f);
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        __m256i d = _mm256_loadu_si256((const void *)(docs + i)),
                f = _mm256_loadu_si256((const void *)(tf + i));
        __m256i len =
            _mm256_and_si256(_mm256_i32gather_epi32((const int *)(const void *)lengths, d, 2),
                             _mm256_set1_epi32(0xffff));
        __m256 k = _mm256_add_ps(k0, _mm256_mul_ps(k1l, _mm256_cvtepi32_ps(len)));
        __m256 t = _mm256_div_ps(_mm256_cvtepi32_ps(f), k);

        t = _mm256_sub_ps(w, _mm256_div_ps(w, _mm256_add_ps(one, t)));
        _mm256_storeu_si256((void *)(out + i),
                            _mm256_add_epi32(_mm256_cvttps_epi32(t), _mm256_set1_epi32(1)));
    }
    invidx_bm25_block_scalar(m, docs + i, tf + i, lengths, n - i, out + i);
}

AVX512 static inline uint64_t at_least16(const int32_t *score, __mmask16 in, __m512i floor)
{
    return _mm512_mask_cmpge_epi32_mask(in, _mm512_maskz_loadu_epi32(in, score), floor);
}

AVX512 static size_t select_avx512(const int32_t *score, size_t n, int32_t need, uint32_t *index)
{
    __m512i floor = _mm512_set1_epi32(need),
            lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    size_t m = 0;

    for (size_t i = 0; i < n; i += 64) {
        uint64_t hits = 0;

        if (n - i >= 64) {
            hits = at_least16(score + i, 0xffff, floor) |
                   at_least16(score + i + 16, 0xffff, floor) << 16 |
                   at_least16(score + i + 32, 0xffff, floor) << 32 |
                   at_least16(score + i + 48, 0xffff, floor) << 48;
        } else {
            for (size_t k = 0; i + k < n; k += 16) {
                __mmask16 in = n - i - k >= 16 ? 0xffff : (__mmask16)((1u << (n - i - k)) - 1);

                hits |= at_least16(score + i + k, in, floor) << k;
            }
        }
        for (size_t k = i; hits != 0; hits >>= 16, k += 16) {
            __mmask16 hit = (__mmask16)hits;

            _mm512_storeu_si512(index + m,
                                _mm512_maskz_compress_epi32(
                                    hit, _mm512_add_epi32(lane, _mm512_set1_epi32((int)k))));
            m += (size_t)__builtin_popcount(hit);
        }
    }
    return m;
}

AVX512 static size_t find_avx512(const uint32_t *docs, size_t from, uint32_t doc)
{
    __m512i want = _mm512_set1_epi32((int)doc);

    for (;; from += 16) {
        __mmask16 hit = _mm512_cmpge_epu32_mask(_mm512_loadu_si512(docs + from), want);

        if (hit != 0) return from + (size_t)__builtin_ctz(hit);
    }
}

AVX512 static size_t intersect_avx512(const uint32_t *a, size_t an, const uint32_t *b, size_t *from,
                                      uint32_t *ia, uint32_t *ib)
{
    size_t j = *from, m = 0;
    __m512i block = _mm512_loadu_si512(b + j);

    for (size_t i = 0; i < an; i++) {
        __m512i want = _mm512_set1_epi32((int)a[i]);
        __mmask16 hit;

        while (b[j + 15] < a[i]) {
            j += 16;
            block = _mm512_loadu_si512(b + j);
        }
        hit = _mm512_cmpeq_epi32_mask(block, want);
        ia[m] = (uint32_t)i;
        ib[m] = (uint32_t)(j + (unsigned)__builtin_ctz(hit | 0x10000u));
        m += hit != 0;
    }
    *from = j;
    return m;
}

AVX512 static void sum_gaps_avx512(uint32_t *v, size_t n, uint32_t base)
{
    __m512i carry = _mm512_set1_epi32((int)base), zero = _mm512_setzero_si512(),
            one = _mm512_set1_epi32(1);
    __m512i last = _mm512_set1_epi32(15);

    for (size_t i = 0; i < n; i += 16) {
        __m512i x = _mm512_add_epi32(_mm512_loadu_si512(v + i), one);

        x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 15));
        x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 14));
        x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 12));
        x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 8));
        x = _mm512_add_epi32(x, carry);
        carry = _mm512_permutexvar_epi32(last, x);
        _mm512_storeu_si512(v + i, x);
    }
}
#endif

size_t invidx_intersect(const uint32_t *a, size_t an, const uint32_t *b, size_t *from, uint32_t *ia,
                        uint32_t *ib)
{
    size_t j = *from, m = 0;

#if defined(__x86_64__)
    if (seam_cpu()->avx512) return intersect_avx512(a, an, b, from, ia, ib);
#endif
    for (size_t i = 0; i < an; i++) {
        while (b[j] < a[i]) j++;
        ia[m] = (uint32_t)i;
        ib[m] = (uint32_t)j;
        m += b[j] == a[i];
    }
    *from = j;
    return m;
}

void invidx_sum_gaps(uint32_t *v, size_t n, uint32_t base)
{
    assert(n == 0 || v != NULL);
#if defined(__x86_64__)
    if (seam_cpu()->avx512) {
        sum_gaps_avx512(v, n, base);
        return;
    }
#endif
    for (size_t i = 0; i < n; i++) v[i] = base += v[i] + 1;
}

size_t invidx_select_at_least(const int32_t *score, size_t n, int32_t need, uint32_t *index)
{
    size_t m = 0;

#if defined(__x86_64__)
    if (seam_cpu()->avx512) return select_avx512(score, n, need, index);
#endif
    for (size_t i = 0; i < n; i++) {
        index[m] = (uint32_t)i;
        m += score[i] >= need;
    }
    return m;
}

size_t invidx_find_at_least(const uint32_t *docs, size_t from, uint32_t doc)
{
#if defined(__x86_64__)
    if (seam_cpu()->avx512) return find_avx512(docs, from, doc);
#endif
    while (docs[from] < doc) from++;
    return from;
}

void invidx_bm25_block(const struct invidx_bm25 *m, const uint32_t *docs, const uint32_t *tf,
                       const uint8_t *lengths, size_t n, int32_t *out)
{
    assert(m->k0 >= 0);
    assert(m->k1l >= 0);
#if defined(__x86_64__)
    if (seam_cpu()->avx512) {
        block_avx512(m, docs, tf, lengths, n, out);
        return;
    }
    if (seam_cpu()->avx2) {
        block_avx2(m, docs, tf, lengths, n, out);
        return;
    }
#endif
    invidx_bm25_block_scalar(m, docs, tf, lengths, n, out);
}

void invidx_bm25_bounds(const struct invidx_bm25 *m, const uint8_t *impacts, size_t n, int32_t *out)
{
    assert(m->k0 >= 0);
    assert(n == 0 || impacts != NULL);
#if defined(__x86_64__)
    if (seam_cpu()->avx512) {
        bounds_avx512(m, impacts, n, out);
        return;
    }
#endif
    invidx_bm25_bounds_scalar(m, impacts, n, out);
}
