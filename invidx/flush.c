/* flush - the buffer becomes a segment: sort the documents, then the terms, then every token by both.   */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bitset.h"
#include "engine/base/walk.h"
#include "invidx/buffer.h"

struct flush {
    struct invidx_buffer *b;
    struct invidx_segbuild *sb;
    uint32_t *order;   /* segment document -> buffered document */
    uint32_t *sorted;  /* terms in byte order                   */
    uint32_t *ord;     /* term -> ordinal in the segment, or UINT32_MAX        */
    uint32_t *start;   /* term -> its first entry in `entries`  */
    uint64_t *entries; /* document << 32 | field | position     */
    struct invidx_plist list;
};

struct doc_order {
    uint64_t key;
    seam_lsn_t birth;
    uint32_t doc;
};

static int order_of_docs(const void *x, const void *y)
{
    const struct doc_order *a = x, *b = y;
    SEAM_WALK(a->doc != b->doc || x == y);

    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    return (a->doc > b->doc) - (a->doc < b->doc);
}

static bool sort_docs(struct flush *fl)
{
    struct invidx_buffer *b = fl->b;
    struct doc_order *v;
    bool sorted = true;
    assert(fl->order != NULL);
    assert(b->doc_count <= SEG_DOCS_MAX);

    for (uint32_t i = 0; i < b->doc_count; i++) {
        fl->order[i] = i;
        sorted &= i == 0 || b->docs[i - 1].key < b->docs[i].key;
    }
    if (sorted) return true;
    v = malloc(sizeof *v * b->doc_count);
    if (v == NULL) return false;
    for (uint32_t i = 0; i < b->doc_count; i++)
        v[i] = (struct doc_order){b->docs[i].key, b->docs[i].birth, i};
    qsort(v, b->doc_count, sizeof *v, order_of_docs);
    for (uint32_t i = 0; i < b->doc_count; i++) fl->order[i] = v[i].doc;
    free(v);
    return true;
}

/* ---- terms in byte order: by their first eight bytes as one number, then by the rest ---- */
struct term_order {
    uint64_t head;
    uint32_t term;
};

static int text_order(const struct invidx_buffer *b, uint32_t x, uint32_t y)
{
    struct invidx_text_ref p = b->terms[x], q = b->terms[y];
    uint32_t common = p.len < q.len ? p.len : q.len;
    int c = memcmp(b->term_text.data + p.at, b->term_text.data + q.at, common);
    SEAM_WALK(x < b->term_count);
    SEAM_WALK(y < b->term_count);

    return c != 0 ? c : (p.len > q.len) - (p.len < q.len);
}

static void insertion_sort(const struct invidx_buffer *b, struct term_order *v, size_t n)
{
    assert(n <= 24);
    for (size_t i = 1; i < n; i++) {
        struct term_order x = v[i];
        size_t j = i;

        for (; j > 0 && (v[j - 1].head > x.head ||
                         (v[j - 1].head == x.head && text_order(b, v[j - 1].term, x.term) > 0));
             j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
}

static int order_of_terms(const void *x, const void *y, void *ctx)
{
    const struct term_order *a = x, *b = y;

    if (a->head != b->head) return a->head < b->head ? -1 : 1;
    return text_order(ctx, a->term, b->term);
}

/* Most significant byte first, so that what is already apart is never compared again.                  */
static void radix_sort(struct invidx_buffer *b, struct term_order *v, struct term_order *tmp,
                       size_t n, int byte)
{
    size_t count[257] = {0};
    int shift = 56 - 8 * byte;
    assert(byte >= 0 && byte <= 8);
    assert(v != tmp || n == 0);

    if (n <= 24) {
        insertion_sort(b, v, n);
        return;
    }
    if (byte == 8) {
        qsort_r(v, n, sizeof *v, order_of_terms, b);
        return;
    }
    for (size_t i = 0; i < n; i++) count[(v[i].head >> shift & 255) + 1]++;
    for (size_t i = 0; i < 256; i++) count[i + 1] += count[i];
    for (size_t i = 0; i < n; i++) tmp[count[v[i].head >> shift & 255]++] = v[i];
    assert(count[255] == n);
    memcpy(v, tmp, n * sizeof *v);
    for (size_t i = 0, from = 0; i < 256; from = count[i++])
        if (count[i] - from > 1) radix_sort(b, v + from, tmp, count[i] - from, byte + 1);
}

static bool sort_terms(struct flush *fl)
{
    struct invidx_buffer *b = fl->b;
    struct term_order *v = malloc(2 * sizeof *v * (b->term_count + 1));
    assert(fl->sorted != NULL && fl->ord != NULL);

    if (v == NULL) return false;
    for (size_t i = 0; i < b->term_count; i++)
        v[i] = (struct term_order){
            invidx_dict_head((const char *)b->term_text.data + b->terms[i].at, b->terms[i].len),
            (uint32_t)i};
    radix_sort(b, v, v + b->term_count, b->term_count, 0);
    for (size_t i = 0; i < b->term_count; i++) {
        fl->sorted[i] = v[i].term;
    }
    free(v);
    return true;
}

/* ---- tokens ---- */
static void sort_tokens(struct flush *fl)
{
    struct invidx_buffer *b = fl->b;
    size_t fields = b->schema->field_count;
    uint32_t at = 0;
    assert(fields >= 1 && fields <= INVIDX_FIELDS_MAX);

    for (size_t i = 0; i < b->token_count; i++)
        if (b->tokens[i] != TERM_HOLE) fl->start[b->tokens[i]]++;
    for (size_t i = 0; i < b->term_count; i++) {
        uint32_t n = fl->start[fl->sorted[i]];

        fl->start[fl->sorted[i]] = at;
        at += n;
    }
    assert(at <= b->token_count);
    for (uint32_t d = 0; d < b->doc_count; d++) {
        uint32_t from = fl->order[d];
        const uint32_t *t = b->tokens + b->docs[from].first_token;

        for (uint64_t k = 0; k < fields; k++)
            for (uint64_t pos = 0; pos < b->slots[from * fields + k]; pos++, t++)
                if (*t != TERM_HOLE)
                    fl->entries[fl->start[*t]++] =
                        (uint64_t)d << 32 | k << POSITION_FIELD_SHIFT | pos;
    }
}

static bool put_term(struct flush *fl, uint32_t term, uint64_t from, uint64_t to)
{
    struct invidx_buffer *b = fl->b;
    struct invidx_plist *l = &fl->list;
    size_t fields = b->schema->field_count;
    uint32_t doc = UINT32_MAX;
    assert(from <= to);
    assert(to <= b->token_count);
    assert(term < b->term_count);

    if (!invidx_plist_reserve(l, to - from, to - from, fields)) return false;
    l->n = l->pos_n = 0;
    for (uint64_t i = from; i < to; i++) {
        uint64_t e = fl->entries[i];
        uint32_t d = (uint32_t)(e >> 32), at = (uint32_t)e;

        if (d != doc) {
            doc = l->docs[l->n] = d;
            for (size_t k = 0; k < fields; k++) l->tf[l->n * fields + k] = 0;
            l->n++;
        }
        l->tf[(l->n - 1) * fields + (at >> POSITION_FIELD_SHIFT)]++;
        l->pos[l->pos_n++] = at & (INVIDX_FIELD_TOKENS_MAX - 1);
    }
    assert(l->pos_n == to - from);
    assert(l->n <= l->pos_n);
    invidx_segbuild_term(fl->sb, (const char *)b->term_text.data + b->terms[term].at,
                         b->terms[term].len, l);
    return true;
}

static bool put_terms(struct flush *fl)
{
    uint64_t from = 0;
    uint32_t ord = 0;

    sort_tokens(fl);
    for (size_t i = 0; i < fl->b->term_count; i++) {
        uint32_t term = fl->sorted[i];

        /* A document that was refused for want of memory leaves terms that no document has. */
        fl->ord[term] = from == fl->start[term] ? UINT32_MAX : ord++;
        if (fl->ord[term] == UINT32_MAX) continue;
        if (!put_term(fl, term, from, fl->start[term])) return false;
        from = fl->start[term];
    }
    assert(from <= fl->b->token_count);
    return true;
}

/* ---- surface words, kept when stemming hides them ---- */
struct surface {
    char text[INVIDX_TERM_MAX + 1];
    uint32_t len, term;
};

static int order_of_words(const void *x, const void *y)
{
    const struct surface *a = x, *b = y;
    int c = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);

    return c != 0 ? c : (a->len > b->len) - (a->len < b->len);
}

static bool put_words(struct flush *fl)
{
    struct invidx_buffer *b = fl->b;
    size_t n = 0;
    struct surface *v;

    if (b->schema->analysis.stemmer == INVIDX_STEM_NONE) return true;
    v = malloc(sizeof *v * (b->words.used + 1));
    if (v == NULL) return false;
    for (size_t i = 0; i < b->words.size; i++) {
        const struct invidx_word_slot *s = &b->words.slots[i];
        const char *text;
        char bytes[16];

        if (s->len == 0 || s->term >= TERM_NEW || fl->ord[s->term] == UINT32_MAX ||
            s->len > INVIDX_TERM_MAX)
            continue;
        memcpy(bytes, &s->lo, 8);
        memcpy(bytes + 8, &s->hi, 8);
        text = s->len > 16 ? (const char *)b->words.text.data + s->hi : bytes;
        if (text[0] == 1) continue;
        memcpy(v[n].text, text, s->len);
        v[n].len = s->len;
        v[n++].term = s->term;
    }
    assert(n <= b->words.used);
    qsort(v, n, sizeof *v, order_of_words);
    for (size_t i = 0; i < n; i++)
        invidx_segbuild_word(fl->sb, v[i].text, v[i].len, fl->ord[v[i].term]);
    free(v);
    return true;
}

/* ---- documents and attributes ---- */
static bool put_docs(struct flush *fl, uint64_t *keys)
{
    struct invidx_buffer *b = fl->b;
    size_t fields = b->schema->field_count;
    uint64_t *births = malloc(sizeof *births * b->doc_count);
    uint32_t *lengths = calloc(fields * b->doc_count, sizeof *lengths);
    bool ok = births != NULL && lengths != NULL;
    assert(b->doc_count > 0);

    for (uint32_t d = 0; ok && d < b->doc_count; d++) {
        const struct invidx_buffer_doc *doc = &b->docs[fl->order[d]];
        const uint32_t *t = b->tokens + doc->first_token;

        keys[d] = doc->key;
        births[d] = doc->birth;
        for (size_t k = 0; k < fields; k++)
            for (uint32_t n = b->slots[fl->order[d] * fields + k]; n > 0; n--)
                lengths[k * b->doc_count + d] += *t++ != TERM_HOLE;
    }
    SEAM_WALK(!ok || keys[0] <= keys[b->doc_count - 1]);
    if (ok) invidx_segbuild_docs(fl->sb, keys, births, lengths);
    free(births);
    free(lengths);
    return ok;
}

static int order_of_values(const void *x, const void *y, void *ctx)
{
    const struct invidx_buffer *b = ctx;
    struct invidx_text_ref p = b->values[*(const uint32_t *)x], q = b->values[*(const uint32_t *)y];
    int c =
        memcmp(b->value_text.data + p.at, b->value_text.data + q.at, p.len < q.len ? p.len : q.len);
    SEAM_WALK(*(const uint32_t *)x < b->value_count);
    SEAM_WALK(*(const uint32_t *)y < b->value_count);

    return c != 0 ? c : (p.len > q.len) - (p.len < q.len);
}

static bool put_keyword(struct flush *fl, uint32_t attr)
{
    struct invidx_buffer *b = fl->b;
    size_t width = b->schema->attr_count + 1;
    uint64_t *codes = malloc(sizeof *codes * b->doc_count);
    uint64_t *code_of = calloc(b->value_count + 1, sizeof *code_of);
    uint32_t *used = malloc(sizeof *used * (b->value_count + 1)), n = 0;
    struct invidx_text *texts = malloc(sizeof *texts * (b->value_count + 1));
    bool ok = codes != NULL && code_of != NULL && used != NULL && texts != NULL;
    assert(attr < b->schema->attr_count);
    assert(b->schema->attrs[attr].type == INVIDX_KEYWORD);

    for (uint32_t d = 0; ok && d < b->doc_count; d++) {
        int64_t v = b->ints[d * width + attr];

        if (v == 0 || code_of[v] != 0) continue;
        code_of[v] = 1;
        used[n++] = (uint32_t)v - 1;
    }
    if (ok) {
        assert(n <= b->value_count);
        qsort_r(used, n, sizeof *used, order_of_values, b);
        for (uint32_t i = 0; i < n; i++) {
            struct invidx_text_ref t = b->values[used[i]];

            code_of[used[i] + 1] = i + 1;
            texts[i] = (struct invidx_text){(const char *)b->value_text.data + t.at, t.len};
        }
        for (uint32_t d = 0; d < b->doc_count; d++) {
            int64_t v = b->ints[fl->order[d] * width + attr];

            codes[d] = v == 0 ? 0 : code_of[v];
        }
        invidx_segbuild_keywords(fl->sb, attr, codes, texts, n);
    }
    free(codes);
    free(code_of);
    free(used);
    free(texts);
    return ok;
}

static bool put_ints(struct flush *fl, uint32_t attr)
{
    struct invidx_buffer *b = fl->b;
    size_t width = b->schema->attr_count + 1;
    int64_t *v = malloc(sizeof *v * b->doc_count);
    uint64_t *nulls = calloc(seam_bitset_words(b->doc_count) + 1, sizeof *nulls);
    bool ok = v != NULL && nulls != NULL;
    assert(attr < b->schema->attr_count);
    assert(b->schema->attrs[attr].type == INVIDX_INT64);

    for (uint32_t d = 0; ok && d < b->doc_count; d++) {
        v[d] = b->ints[fl->order[d] * width + attr];
        if (b->nulls[fl->order[d] * width + attr]) seam_bitset_set(nulls, d);
    }
    if (ok) invidx_segbuild_ints(fl->sb, attr, v, nulls);
    free(v);
    free(nulls);
    return ok;
}

static bool build(struct flush *fl, uint64_t *keys)
{
    const struct invidx_schema *s = fl->b->schema;
    assert(fl->sb != NULL);
    assert(s->field_count == fl->sb->fields);

    if (!sort_docs(fl) || !put_docs(fl, keys)) return false;
    for (uint32_t i = 0; i < s->attr_count; i++)
        if (s->attrs[i].type == INVIDX_KEYWORD ? !put_keyword(fl, i) : !put_ints(fl, i))
            return false;
    return sort_terms(fl) && put_terms(fl) && put_words(fl);
}

enum seam_status invidx_buffer_flush(struct invidx_buffer *b, struct seam_io *io, const char *dir,
                                     uint64_t id, uint32_t *order, struct seam_fault *f)
{
    struct flush fl = {.b = b, .order = order};
    uint64_t *keys = malloc(sizeof *keys * ((size_t)b->doc_count + 1));
    enum seam_status st = invidx_segbuild_new(b->schema, &b->owner, id, b->doc_count, &fl.sb, f);
    assert(b->doc_count > 0 && b->doc_count <= SEG_DOCS_MAX);
    assert(order != NULL);

    fl.sorted = malloc(sizeof *fl.sorted * (b->term_count + 1));
    fl.ord = malloc(sizeof *fl.ord * (b->term_count + 1));
    fl.start = calloc(b->term_count + 1, sizeof *fl.start);
    fl.entries = malloc(sizeof *fl.entries * (b->token_count + 1));
    if (st == SEAM_OK && (keys == NULL || fl.sorted == NULL || fl.ord == NULL || fl.start == NULL ||
                          fl.entries == NULL || !build(&fl, keys)))
        st = seam_no_memory(f, "a segment that is written");
    if (st == SEAM_OK) st = invidx_segbuild_finish(fl.sb, io, dir, f);
    invidx_segbuild_free(fl.sb);
    invidx_plist_free(&fl.list);
    free(keys);
    free(fl.sorted);
    free(fl.ord);
    free(fl.start);
    free(fl.entries);
    return st;
}
