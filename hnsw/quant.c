/* quant - 8-bit codes: value = offset[d] + scale * u, one scale for all dimensions.
 *
 * One scale, because then the distance of two codes is a distance of two vectors up to a factor, and the
 * walk compares plain integers. The offset moves each dimension's mean to 128 (L2 and cosine do not mind
 * being moved; an inner product does, so IP keeps zero at 128). Values beyond the scale are clamped: a
 * rare one costs less than a coarser grid for all. L2 data that are bytes (pixels, SIFT) get offset 0
 * and scale 1: the codes are the vectors and no float is kept ("lossless").
 * Compare: Aguerrebere et al., PVLDB 16(11), 2023 (locally adaptive codes; a scale a vector would add a
 * multiply and buys nothing at 8 bits with an exact rerank).                                        */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/walk.h"
#include "hnsw/graph.h"

enum { TRAIN_ROWS_MAX = 20000, TRAIN_BINS = 4096, CODE_ZERO = 128 };
#define TRAIN_KEEP 0.9998 /* share of values that are not clamped */

bool hnsw_quant_is_bytes(const float *vec, uint32_t dim)
{
    SEAM_WALK(dim <= HNSW_DIM_MAX);
    for (uint32_t d = 0; d < dim; d++)
        if (!(vec[d] >= 0 && vec[d] <= 255) || vec[d] != (float)(int)vec[d]) return false;
    return true;
}

static void set_means(struct hnsw *h, const float *rows, size_t n, size_t step, size_t stride)
{
    double count = (double)((n + step - 1) / step);
    assert(n > 0 && step > 0);
    assert(stride >= h->o.dim);

    for (uint32_t d = 0; d < h->o.dim; d++) {
        double sum = 0;

        if (h->o.metric != HNSW_IP)
            for (size_t i = 0; i < n; i += step) sum += rows[i * stride + d];
        h->quant.offset[d] = (float)(sum / count);
    }
}

/* The deviation that TRAIN_KEEP of all values stay within, by a histogram.                          */
static float deviation(const struct hnsw *h, const float *rows, size_t n, size_t step,
                       size_t stride)
{
    uint64_t bin[TRAIN_BINS] = {0}, total = 0, seen = 0;
    float most = 0;
    assert(n > 0 && step > 0);

    for (size_t i = 0; i < n; i += step)
        for (uint32_t d = 0; d < h->o.dim; d++) {
            float v = fabsf(rows[i * stride + d] - h->quant.offset[d]);

            if (v > most) most = v;
        }
    if (most == 0) return 1;
    for (size_t i = 0; i < n; i += step)
        for (uint32_t d = 0; d < h->o.dim; d++) {
            float v = fabsf(rows[i * stride + d] - h->quant.offset[d]);

            bin[(size_t)(v / most * (TRAIN_BINS - 1))]++;
            total++;
        }
    assert(total > 0);
    for (size_t b = 0; b < TRAIN_BINS; b++) {
        seen += bin[b];
        if ((double)seen >= TRAIN_KEEP * (double)total) return most * (float)(b + 1) / TRAIN_BINS;
    }
    return most;
}

enum seam_status hnsw_quant_train(struct hnsw *h, const float *rows, size_t n, size_t stride,
                                  struct seam_fault *f)
{
    size_t step = n / TRAIN_ROWS_MAX + 1;
    bool bytes = h->o.metric == HNSW_L2 && h->o.quant == HNSW_I8;
    assert(stride >= h->o.dim);

    (void)f;
    assert(n > 0);
    for (size_t i = 0; i < n && bytes; i++)
        bytes = hnsw_quant_is_bytes(rows + i * stride, h->o.dim);
    if (bytes) {
        for (uint32_t d = 0; d < h->o.dim; d++) h->quant.offset[d] = 0;
        h->quant.scale = 1;
    } else {
        set_means(h, rows, n, step, stride);
        h->quant.scale = deviation(h, rows, n, step, stride) / 127;
        for (uint32_t d = 0; d < h->o.dim; d++)
            h->quant.offset[d] -= (float)CODE_ZERO * h->quant.scale;
    }
    h->quant.lossless = bytes;
    h->quant.trained = true;
    h->quant.trained_on = n;
    SEAM_TRACE(h->cfg.trace, "hnsw", "quant_train", SEAM_TI("rows", n),
               SEAM_TD("scale", h->quant.scale), SEAM_TI("lossless", bytes));
    return SEAM_OK;
}

static inline uint8_t code_of(float v, float offset, float inverse)
{
    float u = (v - offset) * inverse + 0.5f;

    return u >= 255.5f ? 255 : u < 0 ? 0 : (uint8_t)u;
}

void hnsw_quant_encode(const struct hnsw *h, const float *vec, uint8_t *code)
{
    float inverse = 1 / h->quant.scale;
    int32_t squares = 0, sum = 0;
    assert(h->codes.stride >= h->o.dim + CODE_CONSTANTS);
    SEAM_WALK(h->quant.trained);

    memset(code, 0, h->codes.stride);
    for (uint32_t d = 0; d < h->o.dim; d++) {
        int32_t s;

        code[d] = code_of(vec[d], h->quant.offset[d], inverse);
        s = code[d] - CODE_ZERO;
        squares += s * s;
        sum += s;
    }
    seam_put_u32(code + h->codes.stride - 8, h->o.metric == HNSW_IP ? 0 : (uint32_t)squares);
    seam_put_u32(code + h->codes.stride - 4, (uint32_t)sum);
}

void hnsw_quant_decode(const struct hnsw *h, const uint8_t *code, float *vec)
{
    assert(h->quant.trained);
    assert(h->floats >= h->o.dim);
    for (uint32_t d = 0; d < h->o.dim; d++)
        vec[d] = h->quant.offset[d] + h->quant.scale * (float)code[d];
    for (size_t d = h->o.dim; d < h->floats; d++) vec[d] = 0;
}

enum seam_status hnsw_quant_encode_all(struct hnsw *h, struct seam_fault *f)
{
    enum seam_status st;
    assert(h->quant.trained);

    if (h->codes.stride == 0) h->codes.stride = code_stride(h->o.dim);
    st = hnsw_blocks_reserve(&h->codes, h->nodes.count * BLOCK_NODES, f);
    for (uint32_t i = 0; i < h->count && st == SEAM_OK; i++) {
        uint8_t *code = hnsw_blocks_writable(&h->codes, i);

        if (code == NULL) return seam_no_memory(f, "codes");
        hnsw_quant_encode(h, vec_at(h, i), code);
    }
    return st;
}

enum seam_status hnsw_quant_unlossless(struct hnsw *h, struct seam_fault *f)
{
    enum seam_status st;
    assert(h->codes.stride > 0);

    assert(h->quant.lossless);
    st = hnsw_blocks_reserve(&h->vecs, h->nodes.count * BLOCK_NODES, f);
    if (st != SEAM_OK) return st;
    for (uint32_t i = 0; i < h->count; i++) hnsw_quant_decode(h, code_at(h, i), vec_at(h, i));
    h->quant.lossless = false;
    return SEAM_OK;
}

/* A contiguous sample is needed by hnsw_quant_train: gather it from the blocks.                          */
enum seam_status hnsw_quant_requantize(struct hnsw *h, struct seam_fault *f)
{
    size_t step = h->count / TRAIN_ROWS_MAX + 1, n = 0;
    enum seam_status st;
    bool bytes = h->o.metric == HNSW_L2;
    float *rows;
    assert(h->count > 0);

    if (h->quant.lossless && (st = hnsw_quant_unlossless(h, f)) != SEAM_OK) return st;
    rows = malloc((h->count / step + 1) * h->floats * sizeof *rows);
    if (rows == NULL)
        return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET,
                              "no memory to train codes");
    for (uint32_t i = 0; i < h->count && bytes; i++)
        bytes = hnsw_quant_is_bytes(vec_at(h, i), h->o.dim);
    for (uint32_t i = 0; i < h->count; i += (uint32_t)step)
        memcpy(rows + n++ * h->floats, vec_at(h, i), h->floats * sizeof *rows);
    assert(n > 0 && n <= h->count / step + 1);
    st = hnsw_quant_train(h, rows, n, h->floats, f);
    free(rows);
    if (st != SEAM_OK) return st;
    h->quant.trained_on = h->count;
    if (h->quant.lossless && !bytes) { /* the sample was all bytes, the rest is not */
        h->quant.lossless = false;
    }
    st = hnsw_quant_encode_all(h, f);
    if (st == SEAM_OK && h->quant.lossless) hnsw_blocks_free(&h->vecs);
    h->requantized = true;
    return st;
}

/* ---- vectors in and out ---- */
struct spread {
    double variance;
    uint16_t dim;
};

static int by_spread(const void *a, const void *b)
{
    const struct spread *x = a, *y = b;
    SEAM_WALK(x->dim != y->dim || a == b);

    if (x->variance != y->variance) return x->variance > y->variance ? -1 : 1;
    return x->dim < y->dim ? -1 : 1;
}

enum seam_status hnsw_order_train(struct hnsw *h, const float *rows, size_t n, struct seam_fault *f)
{
    size_t step = n / TRAIN_ROWS_MAX + 1, count = (n + step - 1) / step;
    struct spread *s = malloc(h->o.dim * sizeof *s);
    uint16_t *order = malloc(h->o.dim * sizeof *order);

    assert(h->count == 0 && n > 0);
    if (s == NULL || order == NULL) {
        free(s);
        free(order);
        return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET,
                              "no memory to order the dimensions");
    }
    for (uint32_t d = 0; d < h->o.dim; d++) {
        double sum = 0, squares = 0;

        for (size_t i = 0; i < n; i += step) {
            double x = rows[i * h->o.dim + d];

            sum += x;
            squares += x * x;
        }
        s[d] = (struct spread){
            squares / (double)count - sum / (double)count * (sum / (double)count), (uint16_t)d};
        if (!isfinite(s[d].variance))
            s[d].variance = 0; /* a bad vector is reported when its turn comes */
    }
    qsort(s, h->o.dim, sizeof *s, by_spread);
    for (uint32_t d = 0; d < h->o.dim; d++) order[d] = s[d].dim;
    free(s);
    free(h->order);
    h->order = order;
    h->wants_base = true;
    return SEAM_OK;
}

enum seam_status hnsw_vector_prepare(const struct hnsw *h, const float *in, float *out,
                                     struct seam_fault *f)
{
    double norm = 0;
    assert(in != NULL && out != NULL);
    assert(in != out);

    for (uint32_t d = 0; d < h->o.dim; d++) {
        if (!isfinite(in[d]))
            return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                                  "component %u of the vector is %s", d,
                                  isnan(in[d]) ? "not a number" : "infinite");
        norm += (double)in[d] * in[d];
    }
    if (h->o.metric == HNSW_COSINE) {
        double inverse = 1 / sqrt(norm);

        if (norm == 0)
            return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                                  "the zero vector has no direction, so no cosine");
        for (uint32_t d = 0; d < h->o.dim; d++) out[d] = (float)(in[d] * inverse);
    } else if (h->order != NULL) {
        for (uint32_t d = 0; d < h->o.dim; d++) out[d] = in[h->order[d]];
    } else {
        memcpy(out, in, h->o.dim * sizeof *out);
    }
    for (size_t d = h->o.dim; d < h->floats; d++) out[d] = 0;
    return SEAM_OK;
}

void hnsw_vector_stored(const struct hnsw *h, uint32_t node, float *out)
{
    assert(node < count_load(h));
    assert(out != NULL);
    for (uint32_t d = 0; d < h->o.dim; d++) {
        float v = has_vecs(h) ? vec_at(h, node)[d]
                              : h->quant.offset[d] + h->quant.scale * (float)code_at(h, node)[d];

        out[h->order != NULL ? h->order[d] : d] = v;
    }
}

/* ---- probes ---- */
struct hnsw_probe hnsw_probe_query(const struct hnsw *h, struct hnsw_scratch *s)
{
    struct hnsw_probe p = {.vec = s->vec};
    float inverse;
    int32_t squares = 0, sum = 0;
    assert(s->vec != NULL);

    if (!walks_codes(h)) return p;
    inverse = 1 / h->quant.scale;
    for (uint32_t d = 0; d < h->o.dim; d++) {
        int32_t v = code_of(s->vec[d], h->quant.offset[d], inverse) - CODE_ZERO;

        s->code[d] = (int8_t)v;
        squares += v * v;
        sum += v;
    }
    p.code = s->code;
    p.k0 = h->o.metric == HNSW_IP ? CODE_ZERO * sum : squares + 2 * CODE_ZERO * sum;
    return p;
}

struct hnsw_probe hnsw_probe_node(const struct hnsw *h, struct hnsw_scratch *s, uint32_t node)
{
    struct hnsw_probe p = {0};
    const uint8_t *u;
    uint32_t sum;
    SEAM_WALK(node < count_load(h));
    SEAM_WALK(has_vecs(h) || walks_codes(h));

    if (has_vecs(h)) p.vec = vec_at(h, node);
    if (!walks_codes(h)) return p;
    u = code_at(h, node);
    h->kern->flip(u, h->codes.stride, s->code2);
    sum = seam_get_u32(u + h->codes.stride - 4) *
          CODE_ZERO; /* unsigned: a hostile constant may overflow */
    p.code = s->code2;
    p.k0 =
        (int32_t)(h->o.metric == HNSW_IP ? sum : seam_get_u32(u + h->codes.stride - 8) + 2 * sum);
    return p;
}

float hnsw_quant_distance(const struct hnsw *h, const struct hnsw_probe *p, int32_t key)
{
    float unit = h->quant.scale * h->quant.scale;
    assert(p->code == NULL || h->quant.trained);

    if (p->code == NULL)
        return h->o.metric == HNSW_COSINE ? 1 + dist_of_key(key) : dist_of_key(key);
    return h->o.metric == HNSW_COSINE ? (float)key * unit / 2 : (float)key * unit;
}
