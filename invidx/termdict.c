/* termdict - finds a term by binary search over blocks, and walks on from there. */
#include "invidx/termdict.h"
#include "engine/base/walk.h"

#include <assert.h>
#include <string.h>

uint64_t invidx_dict_head(const char *text, size_t n)
{
    uint8_t b[8] = {0};
    assert(n == 0 || text != NULL);

    memcpy(b, text, n < 8 ? n : 8);
    return __builtin_bswap64(seam_get_u64(b));
}

void invidx_dict_put_text(struct seam_buf *out, const char *prev, size_t prev_len, const char *text,
                          size_t n, bool first)
{
    size_t shared = 0, suffix;
    assert(n > 0 && n <= INVIDX_TERM_MAX);
    assert(first || prev_len > 0);

    if (first) {
        seam_buf_u8(out, (uint8_t)n);
        seam_buf_append(out, text, n);
        return;
    }
    while (shared < prev_len && shared < n && prev[shared] == text[shared]) shared++;
    suffix = n - shared;
    if (shared < 15 && suffix < 16) {
        seam_buf_u8(out, (uint8_t)(shared << 4 | suffix));
    } else {
        seam_buf_u8(out, 0xf0);
        seam_buf_u8(out, (uint8_t)shared);
        seam_buf_u8(out, (uint8_t)suffix);
    }
    seam_buf_append(out, text + shared, suffix);
}

/* Reads one text over the one before in `text`; NULL when the bytes are none.                         */
static inline const uint8_t *take_text(const uint8_t *p, const uint8_t *end, bool first, char *text,
                                       size_t *len)
{
    size_t shared = 0, suffix;

    if (p >= end) return NULL;
    if (first) {
        suffix = *p++;
    } else if (*p == 0xf0) {
        if (end - p < 3) return NULL;
        shared = p[1];
        suffix = p[2];
        p += 3;
    } else {
        shared = *p >> 4;
        suffix = *p++ & 15;
    }
    if (shared > *len || shared + suffix > INVIDX_TERM_MAX || (size_t)(end - p) < suffix)
        return NULL;
    memcpy(text + shared, p, suffix);
    *len = shared + suffix;
    return p + suffix;
}

static inline const uint8_t *take_varint(const uint8_t *p, const uint8_t *end, uint64_t *v)
{
    unsigned shift = 0;

    *v = 0;
    do {
        if (p >= end || shift > 56) return NULL;
        *v |= (uint64_t)(*p & 0x7f) << shift;
        shift += 7;
    } while (*p++ & 0x80);
    return p;
}

enum seam_status invidx_termdict_open(struct invidx_segment *s, struct seam_fault *f)
{
    assert(s->term_blocks == 0);
    s->term_blocks = (s->terms + DICT_BLOCK - 1) / DICT_BLOCK;
    if (s->dict.n != 12 * (size_t)s->term_blocks + 4)
        return invidx_segment_damaged(s, s->dict.p, "term index section", f);
    return SEAM_OK;
}

static enum seam_status enter_block(struct invidx_termdict_iter *it, uint32_t b,
                                    struct seam_fault *f)
{
    struct invidx_segment *s = it->seg;
    const uint8_t *offsets = s->dict.p + 8 * (size_t)s->term_blocks, *p, *end;
    uint32_t from = seam_get_u32(offsets + 4 * (size_t)b),
             to = seam_get_u32(offsets + 4 * (size_t)b + 4);
    size_t texts;
    enum seam_status st;
    assert(b < s->term_blocks);

    if (from > to || to > s->terms_s.n || to - from < 2)
        return invidx_segment_damaged(s, offsets + 4 * (size_t)b, "term block offset", f);
    p = s->terms_s.p + from;
    end = s->terms_s.p + to;
    st = segment_touch(s, p, to - from, f);
    if (st != SEAM_OK) return st;
    texts = seam_get_u16(p);
    p += 2;
    for (int i = 0; i < 3; i++) {
        p = take_varint(p, end, &it->at[i]);
        if (p == NULL) return invidx_segment_damaged(s, end, "term block bases", f);
    }
    if ((size_t)(end - p) < texts) return invidx_segment_damaged(s, p, "term block texts", f);
    it->t = p;
    it->t_end = it->e = p + texts;
    it->e_end = end;
    it->block = b;
    it->in_block = 0;
    it->len = 0;
    return SEAM_OK;
}

static inline uint32_t block_terms(const struct invidx_segment *s, uint32_t b)
{
    uint32_t left = s->terms - b * DICT_BLOCK;
    SEAM_WALK(b < s->term_blocks);

    return left < DICT_BLOCK ? left : DICT_BLOCK;
}

static inline enum seam_status next_text(struct invidx_termdict_iter *it, struct seam_fault *f)
{
    it->t = take_text(it->t, it->t_end, it->in_block == 0, it->text, &it->len);
    return it->t != NULL ? SEAM_OK : invidx_segment_damaged(it->seg, it->t_end, "term text", f);
}

/* A span of a section, or false when it does not lie inside.                                          */
static inline bool inside(struct invidx_span section, uint64_t at, uint64_t n,
                          struct invidx_span *out)
{
    SEAM_WALK(out != NULL);
    if (at > section.n || n > section.n - at) return false;
    *out = (struct invidx_span){section.p + at, n};
    return true;
}

static const uint8_t *skip_inlined(const struct invidx_segment *s, const uint8_t *p,
                                   const uint8_t *end)
{
    uint64_t v, total = 0;
    assert(s->fields >= 1 && s->fields <= INVIDX_FIELDS_MAX);

    p = take_varint(p, end, &v);
    if (p == NULL || v >= s->docs) return NULL;
    for (uint32_t i = 0; i < s->fields; i++) {
        p = take_varint(p, end, &v);
        if (p == NULL || v > INVIDX_FIELD_TOKENS_MAX) return NULL;
        total += v;
    }
    if (total == 0) return NULL;
    for (; total > 0; total--) {
        p = take_varint(p, end, &v);
        if (p == NULL) return NULL;
    }
    return p;
}

static inline enum seam_status next_entry(struct invidx_termdict_iter *it, struct seam_fault *f)
{
    struct invidx_segment *s = it->seg;
    struct invidx_term *t = &it->term;
    const uint8_t *p = it->e;
    uint64_t df, n, m;
    SEAM_WALK(it->in_block < DICT_BLOCK);

    p = take_varint(p, it->e_end, &df);
    if (p == NULL || df == 0 || df > s->docs) goto bad;
    t->ord = it->block * DICT_BLOCK + it->in_block;
    t->df = (uint32_t)df;
    t->skips = t->inlined = NULL;
    if (df == 1) {
        t->inlined = p;
        p = skip_inlined(s, p, it->e_end);
        if (p == NULL) goto bad;
        t->inlined_end = p;
        t->postings = t->positions = (struct invidx_span){NULL, 0};
    } else {
        p = take_varint(p, it->e_end, &n);
        if (p == NULL) goto bad;
        p = take_varint(p, it->e_end, &m);
        if (p == NULL || !inside(s->postings, it->at[0], n, &t->postings) ||
            !inside(s->positions, it->at[1], m, &t->positions))
            goto bad;
        it->at[0] += n;
        it->at[1] += m;
        if (df >= 128) {
            struct invidx_span skips;

            n = (df + 127) / 128 * SKIP_ENTRY;
            if (!inside(s->skips, it->at[2], n, &skips)) goto bad;
            t->skips = skips.p;
            it->at[2] += n;
        }
    }
    it->e = p;
    it->in_block++;
    return SEAM_OK;
bad:
    return invidx_segment_damaged(s, it->e, "term entry", f);
}

static int compare(const char *a, size_t na, const char *b, size_t nb)
{
    int c = memcmp(a, b, na < nb ? na : nb);

    return c != 0 ? c : (na > nb) - (na < nb);
}

/* The last block whose first term is <= text (0 when there is none).                                  */
static enum seam_status find_block(struct invidx_termdict_iter *it, const char *text, size_t n,
                                   uint32_t *out, struct seam_fault *f)
{
    struct invidx_segment *s = it->seg;
    uint64_t head = invidx_dict_head(text, n);
    uint32_t lo = 0, hi = s->term_blocks;
    assert(s->term_blocks > 0);

    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        uint64_t have = seam_get_u64(s->dict.p + 8 * (size_t)mid);
        bool at_or_before = have < head;

        if (have == head) {
            enum seam_status st = enter_block(it, mid, f);

            if (st == SEAM_OK) st = next_text(it, f);
            if (st != SEAM_OK) return st;
            at_or_before = compare(it->text, it->len, text, n) <= 0;
        }
        if (at_or_before)
            lo = mid;
        else
            hi = mid;
    }
    assert(lo < s->term_blocks);
    *out = lo;
    return SEAM_OK;
}

enum seam_status invidx_termdict_find(struct invidx_segment *s, const char *text, size_t n,
                                      struct invidx_term *out, struct seam_fault *f)
{
    struct invidx_termdict_iter it;
    uint32_t b = 0, want, terms;
    enum seam_status st;
    int c = 1;
    assert(text != NULL || n == 0);

    it.seg = s;
    if (s->terms == 0 || n > INVIDX_TERM_MAX) return SEAM_NOT_FOUND;
    st = find_block(&it, text, n, &b, f);
    if (st == SEAM_OK) st = enter_block(&it, b, f);
    if (st != SEAM_OK) return st;
    terms = block_terms(s, b);
    for (want = 0; want < terms; want++) {
        it.in_block = want;
        st = next_text(&it, f);
        if (st != SEAM_OK) return st;
        c = compare(it.text, it.len, text, n);
        if (c >= 0) break;
    }
    if (c != 0) return SEAM_NOT_FOUND;
    it.in_block = 0;
    for (uint32_t j = 0; j <= want; j++) {
        st = next_entry(&it, f);
        if (st != SEAM_OK) return st;
    }
    assert(it.term.df > 0 && it.term.df <= s->docs);
    *out = it.term;
    return SEAM_OK;
}

enum seam_status invidx_termdict_next(struct invidx_termdict_iter *it, struct seam_fault *f)
{
    enum seam_status st;
    assert(it->in_block <= DICT_BLOCK);

    if (it->block * (uint64_t)DICT_BLOCK + it->in_block >= it->seg->terms) return SEAM_END;
    if (it->in_block == DICT_BLOCK) {
        st = enter_block(it, it->block + 1, f);
        if (st != SEAM_OK) return st;
    }
    st = next_text(it, f);
    return st != SEAM_OK ? st : next_entry(it, f);
}

enum seam_status invidx_termdict_seek(struct invidx_termdict_iter *it, struct invidx_segment *s,
                                      const char *text, size_t n, struct seam_fault *f)
{
    uint32_t b = 0;
    enum seam_status st;
    assert(text != NULL || n == 0);

    it->seg = s;
    it->block = it->in_block = 0;
    if (s->terms == 0) return SEAM_OK;
    if (n > INVIDX_TERM_MAX) n = INVIDX_TERM_MAX;
    st = find_block(it, text, n, &b, f);
    if (st == SEAM_OK) st = enter_block(it, b, f);
    while (st == SEAM_OK) { /* step until the next one would be >= text */
        struct invidx_termdict_iter before = *it;

        st = invidx_termdict_next(it, f);
        if (st == SEAM_END) return SEAM_OK;
        if (st == SEAM_OK && compare(it->text, it->len, text, n) >= 0) {
            *it = before;
            return SEAM_OK;
        }
    }
    return st;
}

enum seam_status invidx_termdict_at(struct invidx_termdict_iter *it, struct invidx_segment *s,
                                    uint32_t ord, struct seam_fault *f)
{
    enum seam_status st;
    assert(ord < s->terms);

    it->seg = s;
    st = enter_block(it, ord / DICT_BLOCK, f);
    for (uint32_t j = 0; st == SEAM_OK && j <= ord % DICT_BLOCK; j++)
        st = invidx_termdict_next(it, f);
    return st;
}

/* ---- surface words ---- */
static enum seam_status words_enter(struct invidx_words_iter *it, uint32_t b, struct seam_fault *f)
{
    const uint8_t *base = it->seg->words.p, *bytes = base + 8 + 4 * ((size_t)it->blocks + 1);
    uint32_t from = seam_get_u32(base + 8 + 4 * (size_t)b),
             to = seam_get_u32(base + 12 + 4 * (size_t)b);
    size_t room = it->seg->words.n - (size_t)(bytes - base);
    assert(b < it->blocks);

    if (from > to || to > room)
        return invidx_segment_damaged(it->seg, base + 8, "word block offset", f);
    it->p = bytes + from;
    it->end = bytes + to;
    it->next = b * DICT_BLOCK;
    it->len = 0;
    return SEAM_OK;
}

enum seam_status invidx_words_next(struct invidx_words_iter *it, struct seam_fault *f)
{
    uint64_t ord;
    enum seam_status st;
    assert(it->next <= it->count || it->count == 0);

    if (it->next >= it->count) return SEAM_END;
    if (it->next % DICT_BLOCK == 0) {
        st = words_enter(it, it->next / DICT_BLOCK, f);
        if (st != SEAM_OK) return st;
    }
    it->p = take_text(it->p, it->end, it->next % DICT_BLOCK == 0, it->text, &it->len);
    if (it->p != NULL) it->p = take_varint(it->p, it->end, &ord);
    if (it->p == NULL || ord >= it->seg->terms)
        return invidx_segment_damaged(it->seg, it->end, "word entry", f);
    it->ord = (uint32_t)ord;
    it->next++;
    return SEAM_OK;
}

enum seam_status invidx_words_seek(struct invidx_words_iter *it, struct invidx_segment *s,
                                   const char *text, size_t n, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;
    uint32_t lo = 0, hi;
    assert(text != NULL || n == 0);

    memset(it, 0, sizeof *it);
    it->seg = s;
    if (s->words.n == 0) return SEAM_OK;
    if (s->words.n < 12) return invidx_segment_damaged(s, s->words.p, "words section", f);
    it->count = seam_get_u32(s->words.p);
    it->blocks = seam_get_u32(s->words.p + 4);
    if (it->blocks != ((uint64_t)it->count + DICT_BLOCK - 1) / DICT_BLOCK ||
        (s->words.n - 8) / 4 <= it->blocks)
        return invidx_segment_damaged(s, s->words.p, "words section", f);
    if (it->count == 0) return SEAM_OK;
    hi = it->blocks;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;

        it->next = mid * DICT_BLOCK;
        st = invidx_words_next(it, f);
        if (st != SEAM_OK) return st;
        if (compare(it->text, it->len, text, n) <= 0)
            lo = mid;
        else
            hi = mid;
    }
    it->next = lo * DICT_BLOCK;
    for (;;) {
        struct invidx_words_iter before = *it;

        st = invidx_words_next(it, f);
        if (st == SEAM_END) return SEAM_OK;
        if (st != SEAM_OK) return st;
        if (compare(it->text, it->len, text, n) >= 0) {
            *it = before;
            return SEAM_OK;
        }
    }
}
