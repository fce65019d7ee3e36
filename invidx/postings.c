/* postings - opens a term's lists and decodes the blocks that are asked for. */
#include "invidx/postings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bitset.h"
#include "engine/base/walk.h"

unsigned invidx_length_code(uint32_t length)
{
    unsigned e;

    if (length < 64) return length;
    assert(length >= 64);
    e = 26u - (unsigned)__builtin_clz(length);
    return e > 6 ? 255 : 32 * (e + 1) + (length >> e) - 32;
}

static inline const uint8_t *take_varint(const uint8_t *p, const uint8_t *end, uint32_t *v)
{
    unsigned shift = 0;
    SEAM_WALK(v != NULL);

    *v = 0;
    do {
        if (p >= end || shift > 28) return NULL;
        *v |= (uint32_t)(*p & 0x7f) << shift;
        shift += 7;
    } while (*p++ & 0x80);
    return p;
}

/* Searches within a block run to the first document that is large enough; there always is one.           */
static inline void pad_docs(struct invidx_postings *p)
{
    SEAM_WALK(p->n <= PFOR_BLOCK);
    for (size_t i = 0; i < 32; i++) p->docs[p->n + i] = NO_DOC;
}

/* df = 1: the dictionary holds the posting itself.                                                     */
static enum seam_status open_inlined(struct invidx_postings *p, const struct invidx_term *t,
                                     struct seam_fault *f)
{
    const uint8_t *at = take_varint(t->inlined, t->inlined_end, &p->docs[0]);
    uint32_t total = 0;
    assert(t->df == 1);
    assert(t->inlined != NULL);

    p->n = 1;
    p->block = 0;
    p->tf[0] = 0;
    for (uint32_t i = 0; i < p->seg->fields && at != NULL; i++) {
        uint32_t v;

        at = take_varint(at, t->inlined_end, &v);
        p->tf[0] += v * p->weights[i];
        if (p->field_tf != NULL) p->field_tf[i * PFOR_BLOCK] = v;
        total += v;
    }
    if (at == NULL) return invidx_segment_damaged(p->seg, t->inlined, "inlined posting", f);
    p->pos_start[1] = total;
    p->inlined_pos = at;
    p->block_end = t->inlined_end;
    p->have_tf = true;
    pad_docs(p);
    p->decoded = 1;
    return SEAM_OK;
}

enum seam_status invidx_postings_open(struct invidx_postings *p, struct invidx_segment *s,
                                      const struct invidx_term *t, const uint32_t *weights,
                                      struct seam_fault *f)
{
    enum seam_status st;
    assert(t->df > 0);
    assert(s->fields >= 1 && s->fields <= INVIDX_FIELDS_MAX);

    p->seg = s;
    p->df = t->df;
    p->blocks = (t->df + PFOR_BLOCK - 1) / PFOR_BLOCK;
    p->postings = t->postings;
    p->positions = t->positions;
    p->block = UINT32_MAX;
    p->n = 0;
    p->have_tf = p->have_pos = false;
    p->decoded = p->positions_read = 0;
    p->last = p->impacts = p->post_at = p->pos_at = p->inlined_pos = NULL;
    memcpy(p->weights, weights, sizeof p->weights[0] * s->fields);
    p->plain = s->fields == 1 && weights[0] == 1;
    if (s->fields > 1 && p->field_tf == NULL) {
        p->field_tf = malloc(sizeof *p->field_tf * INVIDX_FIELDS_MAX * (PFOR_BLOCK + 16));
        if (p->field_tf == NULL) return seam_no_memory(f, "postings");
    }
    if (t->df == 1) return open_inlined(p, t, f);
    st = segment_touch(s, t->postings.p, t->postings.n, f);
    if (st != SEAM_OK || t->skips == NULL) return st;
    st = segment_touch(s, t->skips, (size_t)p->blocks * SKIP_ENTRY, f);
    p->last = t->skips;
    p->impacts = p->last + 4 * (size_t)p->blocks;
    p->post_at = p->impacts + 8 * (size_t)p->blocks;
    p->pos_at = p->post_at + 4 * (size_t)p->blocks;
    return st;
}

void invidx_postings_free(struct invidx_postings *p)
{
    assert(p->field_tf == NULL || p->seg != NULL);
    seam_buf_free(&p->pos);
    free(p->field_tf);
    p->field_tf = NULL;
}

/* With SEAM_WALKS: the loaded block's documents ascend and exist. */
static bool docs_ascend(const struct invidx_postings *p)
{
    for (uint32_t i = 1; i < p->n; i++)
        if (p->docs[i] <= p->docs[i - 1]) return false;
    return p->docs[p->n - 1] < p->seg->docs;
}

enum seam_status invidx_postings_load(struct invidx_postings *p, uint32_t b, struct seam_fault *f)
{
    const uint8_t *at = p->postings.p, *end = p->postings.p + p->postings.n;
    uint32_t base = UINT32_MAX, doc; /* so that the first gap counts from -1 */

    if (p->block == b) return SEAM_OK;
    /* Searching last documents that do not ascend may end past them. */
    if (seam_unlikely(b >= p->blocks)) return invidx_segment_damaged(p->seg, p->last, "skips", f);
    p->have_tf = p->have_pos = false;
    p->n = b + 1 == p->blocks ? p->df - b * PFOR_BLOCK : PFOR_BLOCK;
    assert(p->n > 0 && p->n <= PFOR_BLOCK);
    if (p->last != NULL) {
        uint32_t off = seam_get_u32(p->post_at + 4 * (size_t)b);

        if (off >= p->postings.n) goto bad;
        at += off;
        if (b > 0) base = seam_get_u32(p->last + 4 * (size_t)b - 4);
    }
    p->block = UINT32_MAX;
    p->tf_from = invidx_pfor_get_gaps(at, end, p->n, base, p->docs);
    if (p->tf_from == NULL) goto bad;
    p->block_end = (*at & PFOR_FLAG) ? NULL : end;
    doc = p->docs[p->n - 1];
    if (doc >= p->seg->docs || (p->last != NULL && doc != seam_get_u32(p->last + 4 * (size_t)b)))
        goto bad;
    /* Gaps below 2^24 cannot wrap within a block, so the last document vouches for the others.         */
    if (seam_unlikely((*at & PFOR_EXCEPTIONS) || (*at & PFOR_WIDTH) > 24)) {
        uint32_t falls = p->docs[0] >= p->seg->docs || (b > 0 && p->docs[0] <= base);

        for (uint32_t i = 1; i < p->n; i++) falls |= p->docs[i] <= p->docs[i - 1];
        if (falls) goto bad;
    }
    pad_docs(p);
    p->block = b;
    assert(p->docs[p->n - 1] < p->seg->docs);
    SEAM_WALK(docs_ascend(p));
    p->decoded += p->n;
    return SEAM_OK;
bad:
    return invidx_segment_damaged(p->seg, at, "postings block", f);
}

enum seam_status invidx_postings_load_tf(struct invidx_postings *p, struct seam_fault *f)
{
    const uint8_t *at = p->tf_from;
    assert(p->n > 0 && p->n <= PFOR_BLOCK);
    assert(p->block < p->blocks);

    if (p->have_tf) return SEAM_OK;
    p->have_tf = true;
    if (p->block_end == NULL) { /* flagged: all ones */
        for (uint32_t i = 0; i < p->n; i++) p->tf[i] = p->weights[0];
        return SEAM_OK;
    }
    if (p->seg->fields == 1) {
        uint32_t any = 0, weight = p->weights[0];

        at = invidx_pfor_get(at, p->block_end, p->n, p->tf);
        if (at == NULL) goto bad;
        for (uint32_t i = 0; i < p->n; i++) {
            any |= p->tf[i];
            p->tf[i] = (p->tf[i] + 1) * weight;
        }
        if (any >= 2u * INVIDX_FIELD_TOKENS_MAX) goto bad;
        return SEAM_OK;
    }
    memset(p->tf, 0, p->n * sizeof *p->tf);
    for (uint32_t k = 0; k < p->seg->fields; k++) {
        uint32_t *v = p->field_tf + k * PFOR_BLOCK, any = 0;

        at = invidx_pfor_get(at, p->block_end, p->n, v);
        if (at == NULL) goto bad;
        for (uint32_t i = 0; i < p->n; i++) {
            any |= v[i];
            p->tf[i] += v[i] * p->weights[k];
        }
        if (any >= 2u * INVIDX_FIELD_TOKENS_MAX) goto bad;
    }
    return SEAM_OK;
bad:
    return invidx_segment_damaged(p->seg, p->tf_from, "frequencies", f);
}

/* Positions each posting of the block has: sums of its fields' frequencies.                            */
static enum seam_status count_positions(struct invidx_postings *p, struct seam_fault *f)
{
    uint32_t at = 0;
    enum seam_status st = invidx_postings_load_tf(p, f);
    assert(p->block < p->blocks);
    assert(p->inlined_pos == NULL);

    if (st != SEAM_OK) return st;
    p->pos_start[0] = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        if (p->seg->fields == 1) {
            at += p->weights[0] == 0 ? 0 : p->tf[i] / p->weights[0];
        } else {
            for (uint32_t k = 0; k < p->seg->fields; k++) at += p->field_tf[k * PFOR_BLOCK + i];
        }
        p->pos_start[i + 1] = at;
        if (at > 1u << 28)
            return invidx_segment_damaged(p->seg, p->tf_from, "too many positions", f);
    }
    return SEAM_OK;
}

/* Gaps to positions, starting anew in each field, in place and once.                                     */
const uint32_t *invidx_postings_positions(struct invidx_postings *p, uint32_t i, uint32_t *n)
{
    uint32_t *pos = (uint32_t *)(void *)p->pos.data + p->pos_start[i], at = 0;
    uint32_t fields = p->seg->fields;
    SEAM_WALK(p->have_pos);
    SEAM_WALK(i < p->n);

    *n = p->pos_start[i + 1] - p->pos_start[i];
    if (fields == 1 && *n == 1) { /* nothing to sum */
        *pos &= INVIDX_FIELD_TOKENS_MAX - 1;
        SEAM_WALK(p->pos_start[i] <= p->pos_start[i + 1]);
        return pos;
    }
    if (seam_bitset_get(p->summed, i)) return pos;
    seam_bitset_set(p->summed, i);
    for (uint32_t k = 0; k < fields; k++) {
        uint32_t tf = fields == 1 ? *n : p->field_tf[k * PFOR_BLOCK + i], last = 0;

        for (uint32_t j = 0; j < tf; j++) {
            last = (last + pos[at]) & (INVIDX_FIELD_TOKENS_MAX - 1);
            pos[at++] = k << POSITION_FIELD_SHIFT | last;
        }
    }
    return pos;
}

enum seam_status invidx_postings_load_positions(struct invidx_postings *p, struct seam_fault *f)
{
    const uint8_t *at = p->positions.p, *end = p->positions.p + p->positions.n;
    uint32_t total, *pos;
    enum seam_status st;
    assert(p->block < p->blocks);
    assert(p->n <= PFOR_BLOCK);

    if (p->have_pos) return SEAM_OK;
    if (p->inlined_pos == NULL) {
        st = count_positions(p, f);
        if (st != SEAM_OK) return st;
    }
    total = p->pos_start[p->n];
    seam_buf_clear(&p->pos);
    if (total > p->positions.n * 128 && p->inlined_pos == NULL)
        return invidx_segment_damaged(p->seg, at, "positions", f);
    pos = seam_buf_extend(&p->pos, ((size_t)total + PFOR_BLOCK) * sizeof *pos);
    if (pos == NULL) return seam_no_memory(f, "positions");
    if (p->inlined_pos != NULL) {
        at = p->inlined_pos;
        for (uint32_t i = 0; i < total && at != NULL; i++)
            at = take_varint(at, p->block_end, &pos[i]);
        if (at == NULL)
            return invidx_segment_damaged(p->seg, p->inlined_pos, "inlined positions", f);
    } else {
        st = segment_touch(p->seg, at, p->positions.n, f);
        if (st != SEAM_OK) return st;
        if (p->pos_at != NULL) {
            uint32_t off = seam_get_u32(p->pos_at + 4 * (size_t)p->block);

            if (off > p->positions.n)
                return invidx_segment_damaged(p->seg, at, "positions offset", f);
            at += off;
        }
        for (uint32_t i = 0; i < total; i += PFOR_BLOCK) {
            at = invidx_pfor_get(at, end, total - i < PFOR_BLOCK ? total - i : PFOR_BLOCK, pos + i);
            if (at == NULL) return invidx_segment_damaged(p->seg, p->positions.p, "positions", f);
        }
    }
    p->summed[0] = p->summed[1] = 0;
    p->have_pos = true;
    p->positions_read += total;
    return SEAM_OK;
}

uint32_t invidx_postings_seek_block(const struct invidx_postings *p, uint32_t from, uint32_t doc)
{
    uint32_t step = 1, lo = from, hi;
    SEAM_WALK(p->last != NULL || p->n > 0);
    SEAM_WALK(doc <= NO_DOC);

    if (p->last == NULL) return from >= p->blocks || p->docs[p->n - 1] < doc ? p->blocks : from;
    if (from >= p->blocks) return p->blocks;
    if (seam_get_u32(p->last + 4 * (size_t)from) >= doc) return from;
    while (lo + step < p->blocks && seam_get_u32(p->last + 4 * (size_t)(lo + step)) < doc) {
        lo += step;
        step *= 2;
    }
    hi = lo + step < p->blocks ? lo + step : p->blocks; /* last[lo] < doc <= last[hi] */
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (seam_get_u32(p->last + 4 * (size_t)mid) < doc)
            lo = mid;
        else
            hi = mid;
    }
    SEAM_WALK(hi == p->blocks || seam_get_u32(p->last + 4 * (size_t)hi) >= doc);
    return hi;
}

/* ---- whole lists ---- */
static bool grow(uint32_t **p, size_t *cap, size_t want, size_t width)
{
    size_t n = *cap == 0 ? 256 : *cap;
    uint32_t *q;
    assert(width > 0);

    if (want <= *cap) return true;
    while (n < want) n *= 2;
    q = realloc(*p, n * width * sizeof *q);
    if (q == NULL) return false;
    *p = q;
    *cap = n;
    return true;
}

bool invidx_plist_reserve(struct invidx_plist *l, size_t n, size_t pos_n, size_t fields)
{
    size_t cap = l->cap;
    assert(fields >= 1 && fields <= INVIDX_FIELDS_MAX);
    assert(l->n <= l->cap && l->pos_n <= l->pos_cap);

    if (!grow(&l->docs, &cap, n, 1)) return false;
    cap = l->cap;
    if (!grow(&l->tf, &cap, n, fields)) return false;
    l->cap = cap;
    return grow(&l->pos, &l->pos_cap, pos_n, 1);
}

void invidx_plist_free(struct invidx_plist *l)
{
    assert(l->n <= l->cap);
    assert(l->pos_n <= l->pos_cap);
    free(l->docs);
    free(l->tf);
    free(l->pos);
    memset(l, 0, sizeof *l);
}

enum seam_status invidx_plist_read(struct invidx_plist *l, struct invidx_segment *s,
                                   const struct invidx_term *t, struct invidx_postings *p,
                                   struct seam_fault *f)
{
    static const uint32_t ones[INVIDX_FIELDS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1};
    enum seam_status st = invidx_postings_open(p, s, t, ones, f);
    assert(t->df > 0);

    l->n = l->pos_n = 0;
    for (uint32_t b = 0; st == SEAM_OK && b < p->blocks; b++) {
        st = invidx_postings_load(p, b, f);
        if (st == SEAM_OK) st = invidx_postings_load_positions(p, f);
        if (st != SEAM_OK) break;
        if (!invidx_plist_reserve(l, l->n + p->n, l->pos_n + p->pos_start[p->n], s->fields))
            return seam_no_memory(f, "a term's postings");
        memcpy(l->docs + l->n, p->docs, p->n * sizeof *l->docs);
        for (uint32_t i = 0; i < p->n; i++)
            for (uint32_t k = 0; k < s->fields; k++)
                l->tf[(l->n + i) * s->fields + k] =
                    s->fields == 1 ? p->tf[i] : p->field_tf[k * PFOR_BLOCK + i];
        for (uint32_t i = 0; i < p->n; i++) {
            uint32_t m;
            const uint32_t *pos = invidx_postings_positions(p, i, &m);

            for (uint32_t k = 0; k < m; k++)
                l->pos[l->pos_n + p->pos_start[i] + k] = pos[k] & (INVIDX_FIELD_TOKENS_MAX - 1);
        }
        l->n += p->n;
        l->pos_n += p->pos_start[p->n];
    }
    assert(st != SEAM_OK || l->n == t->df);
    return st;
}

/* On disk in every segment's digest, so it is fixed here for ever.                                     */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ull;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ull;
    return x ^ (x >> 32);
}

struct seam_hash128 invidx_posting_hash(struct seam_hash128 term, uint64_t key, const uint32_t *tf,
                                        size_t fields, const uint32_t *pos, size_t pos_n)
{
    uint64_t x = term.lo ^ (key * 0x9e3779b97f4a7c15ull), y = term.hi + key;
    assert(fields >= 1 && fields <= INVIDX_FIELDS_MAX);
    assert(pos_n == 0 || pos != NULL);

    if (fields > 1)
        for (size_t i = 0; i < fields; i++) x = (x ^ tf[i]) * 0xd6e8feb86659fd93ull;
    for (size_t i = 0; i < pos_n; i++) {
        x = (x ^ pos[i]) * 0xbf58476d1ce4e5b9ull;
        x ^= x >> 31;
    }
    x = mix(x + y);
    y = mix(y ^ (x * 0x94d049bb133111ebull));
    return (struct seam_hash128){x, y};
}
