/* content - what each document is found by, added up: from the postings, and from the text itself. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/walk.h"
#include "invidx/merge.h"
#include "invidx/reader.h"

/* ---- from the index ---- */
static void add_posting(void *ctx, uint32_t doc, struct seam_hash128 h)
{
    SEAM_WALK(ctx != NULL);
    seam_digest_add(&((struct seam_digest *)ctx)[doc], h);
}

static void read_attrs(const struct invidx_segment *s, uint32_t doc,
                       const struct invidx_schema *schema, struct seam_value *out)
{
    assert(doc < s->docs);
    assert(s->attrs == schema->attr_count);
    for (uint32_t a = 0; a < s->attrs; a++) {
        int64_t number;
        uint32_t code;
        const char *text;
        size_t n;

        out[a] = seam_v_null();
        if (schema->attrs[a].type == INVIDX_INT64) {
            if (invidx_segment_attr_int(s, a, doc, &number)) out[a] = seam_v_int(number);
            continue;
        }
        code = invidx_segment_attr_code(s, a, doc);
        if (code == 0) continue;
        invidx_segment_attr_text(s, a, code, &text, &n);
        out[a] = seam_v_text(text, n);
    }
}

static enum seam_status segment_contents(struct invidx_reader *r, const struct invidx_rseg *rs,
                                         bool words, invidx_content_fn fn, void *ctx,
                                         struct seam_fault *f)
{
    struct invidx_segment *s = rs->seg;
    struct seam_digest *sums = calloc((size_t)s->docs + 1, sizeof *sums);
    struct seam_value attrs[INVIDX_ATTRS_MAX];
    enum seam_status st = sums == NULL ? seam_no_memory(f, "the contents of an index") : SEAM_OK;
    assert(fn != NULL);
    assert(s->docs > 0);
    assert(s->attrs <= INVIDX_ATTRS_MAX);

    if (st == SEAM_OK && words) st = invidx_segment_each_posting(s, rs->dead, add_posting, sums, f);
    for (uint32_t d = 0; st == SEAM_OK && d < s->docs; d++) {
        const struct invidx_content c = {.key = segment_key(s, d),
                                         .birth = forcol_get(&s->births, d),
                                         .words = sums[d],
                                         .attrs = attrs};

        if (rseg_dead(rs, d)) continue;
        read_attrs(s, d, &r->box.view, attrs);
        st = fn(ctx, &c, f);
    }
    free(sums);
    return st;
}

enum seam_status invidx_contents(struct invidx_reader *r, bool words, invidx_content_fn fn,
                                 void *ctx, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;
    assert(fn != NULL);
    assert(r->seg_count == 0 || r->segs != NULL);

    for (size_t i = 0; st == SEAM_OK && i < r->seg_count; i++)
        st = segment_contents(r, &r->segs[i], words, fn, ctx, f);
    return st;
}

/* ---- from the text ---- */
enum { CACHE_WORDS_MAX = 1 << 20 };

/* A surface word that was analysed before. */
struct known {
    uint64_t hash;
    uint32_t at, len; /* its text; len 0 = free */
    bool stop;
    struct seam_hash128 term;
};

struct occurrence {
    struct seam_hash128 term;
    uint32_t field, pos;
};

struct invidx_hasher {
    const struct invidx_analyzer *analyzer;
    size_t fields;
    struct known *known;
    size_t known_size, known_count;
    struct seam_buf text;
    struct occurrence *found; /* of one document */
    size_t count, cap;
    uint32_t *pos;
    size_t pos_cap;
};

enum seam_status invidx_hasher_new(const struct invidx_reader *r, struct invidx_hasher **out,
                                   struct seam_fault *f)
{
    struct invidx_hasher *h = calloc(1, sizeof *h);
    assert(out != NULL);

    if (h == NULL) return seam_no_memory(f, "the contents of an index");
    h->analyzer = &r->analyzer;
    h->fields = r->box.view.field_count;
    assert(h->fields >= 1 && h->fields <= INVIDX_FIELDS_MAX);
    *out = h;
    return SEAM_OK;
}

void invidx_hasher_free(struct invidx_hasher *h)
{
    if (h == NULL) return;
    assert(h->count <= h->cap);
    assert(h->known_count <= h->known_size);
    seam_buf_free(&h->text);
    free(h->known);
    free(h->found);
    free(h->pos);
    free(h);
}

static bool known_grow(struct invidx_hasher *h)
{
    bool full = h->known_count >= CACHE_WORDS_MAX; /* forget all: it is only a cache */
    size_t size = full ? h->known_size : h->known_size == 0 ? 1024 : 4 * h->known_size;
    struct known *table = calloc(size, sizeof *table);
    assert((h->known_size & (h->known_size - 1)) == 0);
    assert(2 * h->known_count >= h->known_size);

    if (table == NULL) return false;
    if (full) {
        seam_buf_clear(&h->text);
        h->known_count = 0;
    }
    for (size_t i = 0; !full && i < h->known_size; i++) {
        size_t at = h->known[i].hash & (size - 1);

        if (h->known[i].len == 0) continue;
        while (table[at].len != 0) at = (at + 1) & (size - 1);
        table[at] = h->known[i];
    }
    assert(size > h->known_count);
    free(h->known);
    h->known = table;
    h->known_size = size;
    return true;
}

static const struct known *look_up(struct invidx_hasher *h, const struct invidx_token *t)
{
    uint64_t hash = seam_hash64(t->text, t->len, 0);
    char term[INVIDX_TERM_MAX + 8];
    struct known *k;
    size_t at, n;
    assert(t->len > 0);

    if (2 * h->known_count >= h->known_size && !known_grow(h)) return NULL;
    for (at = hash & (h->known_size - 1); h->known[at].len != 0;
         at = (at + 1) & (h->known_size - 1))
        if (h->known[at].hash == hash && h->known[at].len == t->len &&
            memcmp(h->text.data + h->known[at].at, t->text, t->len) == 0)
            return &h->known[at];
    n = invidx_analyzer_term(h->analyzer, t->text, t->len, term);
    assert(n <= t->len);
    assert(h->known_count < h->known_size);
    k = &h->known[at];
    *k = (struct known){.hash = hash, .at = (uint32_t)h->text.size, .len = t->len, .stop = n == 0};
    if (n > 0) k->term = seam_siphash128(term, n);
    seam_buf_append(&h->text, t->text, t->len);
    h->known_count++;
    return seam_buf_ok(&h->text) ? k : NULL;
}

static bool note(struct invidx_hasher *h, struct seam_hash128 term, uint32_t field, uint32_t pos)
{
    assert(h->count <= h->cap);
    assert(field < h->fields);
    if (h->count == h->cap) {
        size_t cap = h->cap == 0 ? 256 : 2 * h->cap;
        struct occurrence *more = realloc(h->found, cap * sizeof *more);

        if (more == NULL) return false;
        h->found = more;
        h->cap = cap;
    }
    h->found[h->count++] = (struct occurrence){term, field, pos};
    return true;
}

static bool read_field(struct invidx_hasher *h, uint32_t field, struct invidx_text text)
{
    struct invidx_tokens tokens = invidx_tokens_of(h->analyzer, text.s, text.n);
    struct invidx_token t;
    assert(field < h->fields);
    assert(text.s != NULL || text.n == 0);

    for (uint32_t pos = 0; pos < INVIDX_FIELD_TOKENS_MAX && invidx_tokens_next(&tokens, &t);
         pos++) {
        const struct known *k = look_up(h, &t);

        if (k == NULL || (!k->stop && !note(h, k->term, field, pos))) return false;
    }
    return true;
}

static int by_term(const void *a, const void *b)
{
    const struct occurrence *x = a, *y = b;

    if (x->term.lo != y->term.lo) return x->term.lo < y->term.lo ? -1 : 1;
    if (x->term.hi != y->term.hi) return x->term.hi < y->term.hi ? -1 : 1;
    if (x->field != y->field) return x->field < y->field ? -1 : 1;
    return (x->pos > y->pos) - (x->pos < y->pos);
}

static bool same_term(const struct occurrence *a, const struct occurrence *b)
{
    SEAM_WALK(a <= b);
    return a->term.lo == b->term.lo && a->term.hi == b->term.hi;
}

enum seam_status invidx_hasher_words(struct invidx_hasher *h, uint64_t key,
                                     const struct invidx_text *fields, struct seam_digest *out,
                                     struct seam_fault *f)
{
    assert(fields != NULL);
    *out = (struct seam_digest){0};
    h->count = 0;
    for (size_t i = 0; i < h->fields; i++)
        if (!read_field(h, (uint32_t)i, fields[i]))
            return seam_no_memory(f, "the contents of an index");
    if (h->count > h->pos_cap) {
        uint32_t *more = realloc(h->pos, h->cap * sizeof *more);

        if (more == NULL) return seam_no_memory(f, "the contents of an index");
        h->pos = more;
        h->pos_cap = h->cap;
    }
    assert(h->count <= h->pos_cap);
    if (h->count > 1) qsort(h->found, h->count, sizeof *h->found, by_term);
    for (size_t i = 0; i < h->count;) {
        uint32_t tf[INVIDX_FIELDS_MAX] = {0};
        size_t n = 0;

        for (; i + n < h->count && same_term(&h->found[i], &h->found[i + n]); n++) {
            tf[h->found[i + n].field]++;
            h->pos[n] = h->found[i + n].pos;
        }
        seam_digest_add(out, invidx_posting_hash(h->found[i].term, key, tf, h->fields, h->pos, n));
        assert(n > 0);
        assert(i + n <= h->count);
        i += n;
    }
    return SEAM_OK;
}
