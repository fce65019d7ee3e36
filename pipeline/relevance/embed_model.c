/* embed_model - a model as one file. Integers and floats little-endian.
 *
 *   0                    64       68     72      76      84      88     92     96
 *   +--------------------+--------+------+-------+-------+-------+------+------+
 *   | head (SEAMEMBD, 2) | source | dim  | words | pool  | share | body | crc  |
 *   +--------------------+--------+------+-------+-------+-------+------+------+
 *   +----------------+------------------+-----------------------+------------------+
 *   | common         | weight           | vectors               | pool             |
 *   | dim x f32      | words x f32      | words x dim x f32     | words, 0 ended   |
 *   +----------------+------------------+-----------------------+------------------+
 *
 *   head: engine/io/filehead.h; file id: body, extra: revision of the algorithm (EMBED_REVISION)
 *   off size field    a reader demands
 *   64  4    source   1 learned, 2 words
 *   68  4    dim      1..1024
 *   72  4    words    1..4,000,000
 *   76  8    pool     bytes of the last section
 *   84  4    share    f32 in [0,1]: the title's share of a product's vector
 *   88  4    body     crc32c of everything after the header; part of the version string
 *   92  4    crc      crc32c of bytes [0, 92)
 * The file's size must be exactly what the header says; every float is finite; every word is 1..63 bytes
 * and different from the others.                                                                    */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/crc32c.h"
#include "engine/io/filehead.h"
#include "pipeline/relevance/embed_internal.h"

enum { MODEL_HEADER = SEAM_FILEHEAD_BYTES + 32 };
static const struct seam_filehead_format format = {
    .magic = "SEAMEMBD",
    .version = 2,
    .name = "an embedding model",
    .way_out = "it is learned again by `seam rebuild DIR vectors`"};
static_assert(sizeof(float) == 4, "sections are arrays of binary32");

enum seam_status embedder_save(const struct embedder *e, struct seam_io *io, const char *path,
                               struct seam_fault *f)
{
    uint8_t head[SEAM_FILEHEAD_BYTES];
    struct seam_buf b = {0};
    enum seam_status st;

    seam_filehead_encode(
        &format, &(struct seam_filehead){.file_id = embedder_crc(e), .extra = EMBED_REVISION},
        head);
    seam_buf_append(&b, head, sizeof head);
    seam_buf_u32(&b, e->source);
    seam_buf_u32(&b, e->dim);
    seam_buf_u32(&b, e->words.count);
    seam_buf_u64(&b, e->words.pool_size);
    seam_buf_append(&b, &e->title_share, 4);
    seam_buf_u32(&b, embedder_crc(e));
    seam_buf_u32(&b, seam_buf_ok(&b) ? seam_crc32c(0, b.data, b.size) : 0);
    seam_buf_append(&b, e->common, e->dim * sizeof(float));
    seam_buf_append(&b, e->weight, e->words.count * sizeof(float));
    seam_buf_append(&b, e->vectors, (size_t)e->words.count * e->dim * sizeof(float));
    seam_buf_append(&b, e->words.pool, e->words.pool_size);
    st = seam_buf_check(&b, f, "a model that is saved");
    if (st == SEAM_OK) st = seam_io_write_atomic(io, path, b.data, b.size, f);
    seam_buf_free(&b);
    return st;
}

static float *read_floats(struct seam_reader *r, size_t n)
{
    const uint8_t *p = seam_read_bytes(r, n * sizeof(float));
    float *out = p != NULL ? malloc(n * sizeof *out + 1) : NULL;

    if (out != NULL) memcpy(out, p, n * sizeof *out);
    return out;
}

static bool all_finite(const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i])) return false;
    return true;
}

static enum seam_status read_words(struct embedder *e, uint32_t words, const uint8_t *pool,
                                   uint64_t size, uint64_t at, const char *path,
                                   struct seam_fault *f)
{
    const char *p = (const char *)pool, *end = p + size;

    for (uint32_t i = 0; i < words; i++) {
        size_t n = strnlen(p, (size_t)(end - p));

        if (n == 0 || n >= EMBED_TOKEN_MAX || p + n >= end ||
            embed_lexicon_find(&e->words, p, n) != EMBED_NO_WORD)
            return seam_fault_set(f, SEAM_CORRUPT, path, at + (uint64_t)(p - (const char *)pool),
                                  "word %u is empty, too long, unterminated or there twice", i);
        if (embed_lexicon_add(&e->words, p, n) == EMBED_NO_WORD)
            return seam_no_memory(f, "the words");
        p += n + 1;
    }
    if (p != end)
        return seam_fault_set(f, SEAM_CORRUPT, path, at, "bytes are left after the last word");
    return SEAM_OK;
}

static enum seam_status read_model(struct embedder *e, const struct seam_buf *b, const char *path,
                                   struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(b->data, b->size);
    struct seam_filehead h;
    uint32_t source, dim, words, share, body, crc;
    uint64_t pool, cells;
    enum seam_status st = seam_filehead_decode(&format, b->data, b->size, path, 0, &h, f);

    if (st != SEAM_OK) return st;
    seam_read_bytes(&r, SEAM_FILEHEAD_BYTES);
    source = seam_read_u32(&r);
    dim = seam_read_u32(&r);
    words = seam_read_u32(&r);
    pool = seam_read_u64(&r);
    share = seam_read_u32(&r);
    body = seam_read_u32(&r);
    crc = seam_read_u32(&r);
    if (r.bad)
        return seam_fault_set(f, SEAM_CORRUPT, path, b->size, "the file ends inside its header");
    if (crc != seam_crc32c(0, b->data, MODEL_HEADER - 4))
        return seam_fault_set(f, SEAM_CORRUPT, path, MODEL_HEADER - 4,
                              "the header's checksum does not fit");
    if (h.extra != EMBED_REVISION)
        return seam_fault_set(f, SEAM_UNSUPPORTED, path, 0,
                              "made by revision %u of the embedder; this is %d: train it again",
                              (unsigned)h.extra, EMBED_REVISION);
    memcpy(&e->title_share, &share, 4);
    if ((source != EMBED_LEARNED && source != EMBED_WORDS) || dim == 0 || dim > EMBED_DIM_MAX ||
        words == 0 || words > EMBED_WORDS_MAX ||
        !(e->title_share >= 0.0f && e->title_share <= 1.0f))
        return seam_fault_set(f, SEAM_CORRUPT, path, SEAM_FILEHEAD_BYTES,
                              "a field of the header is out of range");
    cells = (uint64_t)words * dim;
    if (seam_reader_left(&r) < pool || seam_reader_left(&r) - pool != 4 * (dim + words + cells))
        return seam_fault_set(f, SEAM_CORRUPT, path, b->size,
                              "the file is %zu bytes, its header says otherwise", b->size);
    if (body != seam_crc32c(0, r.pos, seam_reader_left(&r)))
        return seam_fault_set(f, SEAM_CORRUPT, path, MODEL_HEADER,
                              "the content's checksum does not fit");
    e->source = source;
    e->dim = dim;
    e->common = read_floats(&r, dim);
    e->weight = read_floats(&r, words);
    e->vectors = read_floats(&r, cells);
    if (e->common == NULL || e->weight == NULL || e->vectors == NULL)
        return seam_no_memory(f, "a model that is opened");
    if (!all_finite(e->common, dim) || !all_finite(e->weight, words) ||
        !all_finite(e->vectors, cells))
        return seam_fault_set(f, SEAM_CORRUPT, path, MODEL_HEADER,
                              "a number of the model is not finite");
    return read_words(e, words, r.pos, pool, seam_reader_offset(&r), path, f);
}

enum { MODEL_BYTES_MAX_MIB = 4096 };

enum seam_status embedder_open(struct seam_io *io, const char *path, struct embedder **out,
                               struct seam_fault *f)
{
    struct embedder *e = calloc(1, sizeof *e);
    struct seam_buf b = {0};
    enum seam_status st = e != NULL
                              ? seam_io_read_all(io, path, (size_t)MODEL_BYTES_MAX_MIB << 20, &b, f)
                              : seam_no_memory(f, "a model that is opened");

    if (st == SEAM_OK) st = read_model(e, &b, path, f);
    if (st == SEAM_OK && !embedder_seal(e)) st = seam_no_memory(f, "a model that is opened");
    seam_buf_free(&b);
    if (st == SEAM_OK)
        *out = e;
    else
        embedder_close(e);
    return st;
}
