/* merge - several segments to one, without what is dead, and the proof that nothing else was lost.
 *
 * The additive digest of the sources' postings, less the postings dropped on the way, must equal the digest
 * of the new file as it is read back. Adding commutes, so the order of documents does not matter.       */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bitset.h"
#include "engine/base/clock.h"
#include "engine/base/walk.h"
#include "invidx/merge.h"
#include "invidx/segbuild.h"

struct source_doc {
    uint64_t key, birth;
    uint32_t source, doc;
};
struct posting_ref {
    uint32_t doc, source, at, pos_at;
};

struct merge {
    const struct invidx_schema *schema;
    struct invidx_merge_input *in;
    size_t count;
    struct source_doc *docs; /* kept ones, in the new order */
    uint32_t doc_count;
    struct invidx_segbuild *sb;
    uint64_t *keys;
    struct seam_digest expected;
    struct invidx_termdict_iter *its;
    bool *live;      /* this iterator stands on a term */
    uint32_t **ords; /* per source: its ordinal -> the new one, or UINT32_MAX */
    struct invidx_plist *lists;
    struct invidx_plist out;
    struct posting_ref *refs;
    size_t refs_cap;
    struct invidx_postings *postings;
    double bytes_per_s;
};

static int order_of_docs(const void *x, const void *y)
{
    const struct source_doc *a = x, *b = y;
    SEAM_WALK(a->source != b->source || a->doc != b->doc || x == y);

    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    return (a->birth > b->birth) - (a->birth < b->birth);
}

/* Numbers the kept documents by (key, birth).                                                          */
static enum seam_status merge_docs(struct merge *m, struct seam_fault *f)
{
    size_t total = 0, n = 0;
    bool sorted = true;
    assert(m->count > 0);

    for (size_t i = 0; i < m->count; i++) total += m->in[i].seg->docs;
    if (total > SEG_DOCS_MAX)
        return seam_fault_set(f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET,
                              "a segment holds at most %d documents", SEG_DOCS_MAX);
    m->docs = malloc(sizeof *m->docs * (total + 1));
    if (m->docs == NULL) return seam_no_memory(f, "a merge of segments");
    for (size_t i = 0; i < m->count; i++) {
        struct invidx_merge_input *in = &m->in[i];

        in->map = malloc(sizeof *in->map * in->seg->docs);
        if (in->map == NULL) return seam_no_memory(f, "a merge of segments");
        for (uint32_t d = 0; d < in->seg->docs; d++) {
            in->map[d] = UINT32_MAX;
            if (in->drop != NULL && seam_bitset_get(in->drop, d)) continue;
            m->docs[n] = (struct source_doc){segment_key(in->seg, d),
                                             forcol_get(&in->seg->births, d), (uint32_t)i, d};
            sorted &= n == 0 || order_of_docs(&m->docs[n - 1], &m->docs[n]) < 0;
            n++;
        }
    }
    assert(n <= total);
    if (!sorted) qsort(m->docs, n, sizeof *m->docs, order_of_docs);
    for (size_t i = 0; i < n; i++) m->in[m->docs[i].source].map[m->docs[i].doc] = (uint32_t)i;
    m->doc_count = (uint32_t)n;
    return SEAM_OK;
}

static enum seam_status merge_columns(struct merge *m, struct seam_fault *f)
{
    size_t n = m->doc_count, fields = m->schema->field_count;
    uint64_t *births = malloc(sizeof *births * n);
    uint32_t *lengths = malloc(sizeof *lengths * n * fields);
    enum seam_status st = SEAM_OK;
    assert(n > 0);
    assert(fields >= 1 && fields <= INVIDX_FIELDS_MAX);

    m->keys = malloc(sizeof *m->keys * n);
    if (births == NULL || lengths == NULL || m->keys == NULL) {
        st = seam_no_memory(f, "a merge of segments");
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        const struct source_doc *d = &m->docs[i];

        m->keys[i] = d->key;
        births[i] = d->birth;
        for (size_t k = 0; k < fields; k++)
            lengths[k * n + i] =
                invidx_segment_field_length(m->in[d->source].seg, d->doc, (uint32_t)k);
    }
    invidx_segbuild_docs(m->sb, m->keys, births, lengths);
done:
    free(births);
    free(lengths);
    return st;
}

static enum seam_status merge_ints(struct merge *m, uint32_t attr, struct seam_fault *f)
{
    int64_t *v = malloc(sizeof *v * m->doc_count);
    uint64_t *nulls = calloc(seam_bitset_words(m->doc_count) + 1, sizeof *nulls);
    bool ok = v != NULL && nulls != NULL;
    assert(m->doc_count > 0);
    assert(attr < m->schema->attr_count);

    for (uint32_t i = 0; ok && i < m->doc_count; i++) {
        const struct source_doc *d = &m->docs[i];

        v[i] = 0;
        if (!invidx_segment_attr_int(m->in[d->source].seg, attr, d->doc, &v[i]))
            seam_bitset_set(nulls, i);
    }
    if (ok) invidx_segbuild_ints(m->sb, attr, v, nulls);
    free(v);
    free(nulls);
    return ok ? SEAM_OK : seam_no_memory(f, "a merge of segments");
}

struct keyword {
    struct invidx_text text;
    uint32_t source, code;
};

static int order_of_keywords(const void *x, const void *y)
{
    const struct keyword *a = x, *b = y;
    size_t common = a->text.n < b->text.n ? a->text.n : b->text.n;
    int c = memcmp(a->text.s, b->text.s, common);

    return c != 0 ? c : (a->text.n > b->text.n) - (a->text.n < b->text.n);
}

/* The union of the sources' dictionaries; a value that only dropped documents had goes with them.       */
static enum seam_status merge_keywords(struct merge *m, uint32_t attr, struct seam_fault *f)
{
    size_t total = 0, n = 0;
    uint32_t **code_of = calloc(m->count, sizeof *code_of), distinct = 0;
    struct keyword *all = NULL;
    struct invidx_text *texts = NULL;
    uint64_t *codes = malloc(sizeof *codes * (m->doc_count + 1));
    bool ok = code_of != NULL && codes != NULL;
    assert(m->doc_count > 0);
    assert(attr < m->schema->attr_count);

    for (size_t i = 0; ok && i < m->count; i++) {
        total += m->in[i].seg->attr[attr].dict_count;
        code_of[i] = calloc((size_t)m->in[i].seg->attr[attr].dict_count + 1, sizeof **code_of);
        ok = code_of[i] != NULL;
    }
    if (ok) {
        all = malloc(sizeof *all * (total + 1));
        texts = malloc(sizeof *texts * (total + 1));
        ok = all != NULL && texts != NULL;
    }
    for (uint32_t i = 0; ok && i < m->doc_count; i++) {
        const struct source_doc *d = &m->docs[i];
        uint32_t code = invidx_segment_attr_code(m->in[d->source].seg, attr, d->doc);

        if (code == 0 || code_of[d->source][code] != 0) continue;
        code_of[d->source][code] = 1;
        all[n].source = d->source;
        all[n].code = code;
        invidx_segment_attr_text(m->in[d->source].seg, attr, code, &all[n].text.s, &all[n].text.n);
        n++;
    }
    if (ok) {
        assert(n <= total);
        qsort(all, n, sizeof *all, order_of_keywords);
        for (size_t i = 0; i < n; i++) {
            if (i == 0 || order_of_keywords(&all[i - 1], &all[i]) != 0)
                texts[distinct++] = all[i].text;
            code_of[all[i].source][all[i].code] = distinct;
        }
        for (uint32_t i = 0; i < m->doc_count; i++) {
            const struct source_doc *d = &m->docs[i];
            uint32_t code = invidx_segment_attr_code(m->in[d->source].seg, attr, d->doc);

            codes[i] = code == 0 ? 0 : code_of[d->source][code];
        }
        assert(distinct <= n);
        invidx_segbuild_keywords(m->sb, attr, codes, texts, distinct);
    }
    for (size_t i = 0; code_of != NULL && i < m->count; i++) free(code_of[i]);
    free(code_of);
    free(codes);
    free(all);
    free(texts);
    return ok ? SEAM_OK : seam_no_memory(f, "a merge of segments");
}

/* ---- terms ---- */
static int order_of_refs(const void *x, const void *y)
{
    const struct posting_ref *a = x, *b = y;

    return (a->doc > b->doc) - (a->doc < b->doc);
}

/* Postings of one source's term: the kept ones become refs, the dropped ones leave the expected digest.  */
static enum seam_status gather(struct merge *m, size_t i, struct seam_hash128 th, size_t *n,
                               bool *sorted, struct seam_fault *f)
{
    struct invidx_plist *l = &m->lists[i];
    struct invidx_segment *seg = m->in[i].seg;
    size_t fields = m->schema->field_count, pos = 0;
    enum seam_status st = invidx_plist_read(l, seg, &m->its[i].term, m->postings, f);
    assert(i < m->count);
    assert(m->its[i].seg == seg);

    if (st != SEAM_OK) return st;
    if (*n + l->n > m->refs_cap) {
        size_t cap = 2 * (*n + l->n);
        struct posting_ref *r = realloc(m->refs, cap * sizeof *r);

        if (r == NULL) return seam_no_memory(f, "a merge of segments");
        m->refs = r;
        m->refs_cap = cap;
    }
    for (size_t k = 0; k < l->n; k++) {
        const uint32_t *tf = l->tf + k * fields;
        uint32_t doc = m->in[i].map[l->docs[k]];
        size_t here = 0;

        for (size_t j = 0; j < fields; j++) here += tf[j];
        if (doc == UINT32_MAX) {
            seam_digest_remove(&m->expected, invidx_posting_hash(th, segment_key(seg, l->docs[k]),
                                                                 tf, fields, l->pos + pos, here));
        } else {
            *sorted &= *n == 0 || m->refs[*n - 1].doc < doc;
            m->refs[(*n)++] = (struct posting_ref){doc, (uint32_t)i, (uint32_t)k, (uint32_t)pos};
        }
        pos += here;
    }
    assert(pos == l->pos_n);
    assert(*n <= m->refs_cap);
    return SEAM_OK;
}

static enum seam_status put_term(struct merge *m, const char *text, size_t len, size_t n,
                                 struct seam_fault *f)
{
    size_t fields = m->schema->field_count, total = 0;
    struct invidx_plist *out = &m->out;
    assert(n > 0);
    assert(len <= INVIDX_TERM_MAX);

    for (size_t k = 0; k < n; k++)
        for (size_t j = 0; j < fields; j++)
            total += m->lists[m->refs[k].source].tf[m->refs[k].at * fields + j];
    if (!invidx_plist_reserve(out, n, total, fields))
        return seam_no_memory(f, "a merge of segments");
    out->n = n;
    out->pos_n = 0;
    for (size_t k = 0; k < n; k++) {
        const struct posting_ref *r = &m->refs[k];
        const struct invidx_plist *l = &m->lists[r->source];
        size_t here = 0;

        out->docs[k] = r->doc;
        for (size_t j = 0; j < fields; j++) {
            out->tf[k * fields + j] = l->tf[r->at * fields + j];
            here += l->tf[r->at * fields + j];
        }
        memcpy(out->pos + out->pos_n, l->pos + r->pos_at, here * sizeof *out->pos);
        out->pos_n += here;
    }
    assert(out->pos_n == total);
    invidx_segbuild_term(m->sb, text, len, out);
    return SEAM_OK;
}

static int compare_iters(const struct invidx_termdict_iter *a, const struct invidx_termdict_iter *b)
{
    int c = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
    SEAM_WALK(a->len <= INVIDX_TERM_MAX);
    SEAM_WALK(b->len <= INVIDX_TERM_MAX);

    return c != 0 ? c : (a->len > b->len) - (a->len < b->len);
}

static enum seam_status advance(struct merge *m, size_t i, struct seam_fault *f)
{
    enum seam_status st = invidx_termdict_next(&m->its[i], f);
    assert(i < m->count);

    m->live[i] = st == SEAM_OK;
    return st == SEAM_END ? SEAM_OK : st;
}

static void throttle(struct merge *m, uint64_t began)
{
    struct seam_clock *c = seam_clock_real();
    double want = (double)m->sb->section[SEG_POSTINGS].size / m->bytes_per_s * 1e9;
    double took = (double)(seam_clock_mono_ns(c) - began);
    assert(m->bytes_per_s > 0);

    if (want > took + 1e6) c->sleep_us(c, (uint64_t)((want - took) / 1e3));
}

static enum seam_status merge_terms(struct merge *m, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;
    uint64_t began = seam_clock_mono_ns(seam_clock_real());
    assert(m->count > 0);

    for (size_t i = 0; st == SEAM_OK && i < m->count; i++) {
        st = invidx_termdict_seek(&m->its[i], m->in[i].seg, "", 0, f);
        if (st == SEAM_OK) st = advance(m, i, f);
    }
    while (st == SEAM_OK) {
        char text[INVIDX_TERM_MAX + 1];
        size_t best = m->count, len, n = 0;
        struct seam_hash128 th;
        bool sorted = true;

        for (size_t i = 0; i < m->count; i++)
            if (m->live[i] && (best == m->count || compare_iters(&m->its[i], &m->its[best]) < 0))
                best = i;
        if (best == m->count) break;
        assert(m->live[best]);
        len = m->its[best].len;
        memcpy(text, m->its[best].text, len);
        th = seam_siphash128(text, len);
        for (size_t i = best; st == SEAM_OK && i < m->count; i++) {
            if (!m->live[i] || m->its[i].len != len || memcmp(m->its[i].text, text, len) != 0)
                continue;
            st = gather(m, i, th, &n, &sorted, f);
            m->ords[i][m->its[i].term.ord] = m->sb->terms;
        }
        if (st == SEAM_OK && n > 0) {
            if (!sorted) qsort(m->refs, n, sizeof *m->refs, order_of_refs);
            st = put_term(m, text, len, n, f);
        }
        for (size_t i = best; st == SEAM_OK && i < m->count; i++) {
            if (!m->live[i] || m->its[i].len != len || memcmp(m->its[i].text, text, len) != 0)
                continue;
            if (n == 0) m->ords[i][m->its[i].term.ord] = UINT32_MAX;
            st = advance(m, i, f);
        }
        if (m->bytes_per_s > 0) throttle(m, began);
    }
    return st;
}

/* Surface words whose term lives on.                                                                   */
static enum seam_status merge_words(struct merge *m, struct seam_fault *f)
{
    struct invidx_words_iter *its = calloc(m->count, sizeof *its);
    enum seam_status st = its == NULL ? seam_no_memory(f, "a merge of segments") : SEAM_OK;
    assert(m->count > 0 && m->sb != NULL);

    for (size_t i = 0; st == SEAM_OK && i < m->count; i++) {
        st = invidx_words_seek(&its[i], m->in[i].seg, "", 0, f);
        if (st == SEAM_OK) st = invidx_words_next(&its[i], f);
        m->live[i] = st == SEAM_OK;
        if (st == SEAM_END) st = SEAM_OK;
    }
    while (st == SEAM_OK) {
        char text[INVIDX_TERM_MAX + 1];
        size_t best = m->count, len;
        uint32_t ord = UINT32_MAX;

        for (size_t i = 0; i < m->count; i++) {
            size_t common;
            int c;

            if (!m->live[i]) continue;
            if (best == m->count) {
                best = i;
                continue;
            }
            common = its[i].len < its[best].len ? its[i].len : its[best].len;
            c = memcmp(its[i].text, its[best].text, common);
            if (c < 0 || (c == 0 && its[i].len < its[best].len)) best = i;
        }
        if (best == m->count) break;
        assert(m->live[best]);
        assert(its[best].len <= INVIDX_TERM_MAX);
        len = its[best].len;
        memcpy(text, its[best].text, len);
        for (size_t i = best; st == SEAM_OK && i < m->count; i++) {
            if (!m->live[i] || its[i].len != len || memcmp(its[i].text, text, len) != 0) continue;
            if (m->ords[i][its[i].ord] != UINT32_MAX) ord = m->ords[i][its[i].ord];
            st = invidx_words_next(&its[i], f);
            m->live[i] = st == SEAM_OK;
            if (st == SEAM_END) st = SEAM_OK;
        }
        if (st == SEAM_OK && ord != UINT32_MAX) invidx_segbuild_word(m->sb, text, len, ord);
    }
    free(its);
    return st;
}

enum seam_status invidx_segment_each_posting(struct invidx_segment *s, const uint64_t *drop,
                                             posting_fn fn, void *ctx, struct seam_fault *f)
{
    struct invidx_termdict_iter it;
    struct invidx_plist l = {0};
    struct invidx_postings *p = calloc(1, sizeof *p);
    enum seam_status st = p == NULL ? seam_no_memory(f, "a merge of segments")
                                    : invidx_termdict_seek(&it, s, "", 0, f);
    assert(fn != NULL);
    assert(s->fields >= 1 && s->fields <= INVIDX_FIELDS_MAX);

    while (st == SEAM_OK && (st = invidx_termdict_next(&it, f)) == SEAM_OK) {
        struct seam_hash128 th = seam_siphash128(it.text, it.len);
        size_t pos = 0;

        st = invidx_plist_read(&l, s, &it.term, p, f);
        for (size_t k = 0; st == SEAM_OK && k < l.n; k++) {
            const uint32_t *tf = l.tf + k * s->fields;
            size_t here = 0;

            for (size_t j = 0; j < s->fields; j++) here += tf[j];
            if (drop == NULL || !seam_bitset_get(drop, l.docs[k]))
                fn(ctx, l.docs[k],
                   invidx_posting_hash(th, segment_key(s, l.docs[k]), tf, s->fields, l.pos + pos,
                                       here));
            pos += here;
        }
    }
    if (p != NULL) invidx_postings_free(p);
    free(p);
    invidx_plist_free(&l);
    return st == SEAM_END ? SEAM_OK : st;
}

static void add_to_digest(void *ctx, uint32_t doc, struct seam_hash128 h)
{
    SEAM_WALK(ctx != NULL);
    (void)doc;
    seam_digest_add(ctx, h);
}

enum seam_status invidx_segment_digest(struct invidx_segment *s, const uint64_t *drop,
                                       struct seam_digest *out, struct seam_fault *f)
{
    assert(out != NULL);
    assert(s->docs > 0);
    *out = (struct seam_digest){0};
    return invidx_segment_each_posting(s, drop, add_to_digest, out, f);
}

/* Reads the new file back and compares.                                                                */
static enum seam_status certify(struct merge *m, struct seam_io *io, const char *dir, uint64_t id,
                                struct seam_fault *f)
{
    struct invidx_segment *seg = NULL;
    struct seam_digest got;
    enum seam_status st = invidx_segment_open(io, dir, id, m->schema, &seg, f);
    assert(m->doc_count > 0);
    assert(id == m->sb->id);

    if (st == SEAM_OK) st = invidx_segment_digest(seg, NULL, &got, f);
    if (st == SEAM_OK &&
        (!seam_digest_equal(&got, &m->expected) || !seam_digest_equal(&got, &seg->digest)))
        st = invidx_segment_damaged(seg, NULL,
                                    "the merge would lose or change postings: digests differ", f);
    invidx_segment_release(seg);
    return st;
}

enum seam_status invidx_merge_segments(const struct invidx_merge_job *job, uint32_t *docs,
                                       struct seam_fault *f)
{
    const struct invidx_schema *schema = job->schema;
    struct invidx_merge_input *in = job->in;
    const size_t count = job->count;
    struct merge m = {
        .schema = schema, .in = in, .count = count, .bytes_per_s = job->mb_per_s * 1e6};
    enum seam_status st = SEAM_OK;
    assert(count > 0);
    assert(in != NULL && docs != NULL);

    m.its = calloc(count, sizeof *m.its);
    m.live = calloc(count, sizeof *m.live);
    m.ords = calloc(count, sizeof *m.ords);
    m.lists = calloc(count, sizeof *m.lists);
    m.postings = calloc(1, sizeof *m.postings);
    if (m.its == NULL || m.live == NULL || m.ords == NULL || m.lists == NULL ||
        m.postings == NULL) {
        st = seam_no_memory(f, "a merge of segments");
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        m.ords[i] = malloc(sizeof **m.ords * ((size_t)in[i].seg->terms + 1));
        if (m.ords[i] == NULL) {
            st = seam_no_memory(f, "a merge of segments");
            goto done;
        }
        seam_digest_merge(&m.expected, &in[i].seg->digest);
    }
    st = merge_docs(&m, f);
    *docs = m.doc_count;
    if (st != SEAM_OK || m.doc_count == 0) goto done;
    assert(m.doc_count <= SEG_DOCS_MAX);
    st = invidx_segbuild_new(schema, &job->owner, job->id, m.doc_count, &m.sb, f);
    if (st == SEAM_OK) st = merge_columns(&m, f);
    for (uint32_t i = 0; st == SEAM_OK && i < schema->attr_count; i++)
        st = schema->attrs[i].type == INVIDX_KEYWORD ? merge_keywords(&m, i, f)
                                                     : merge_ints(&m, i, f);
    if (st == SEAM_OK) st = merge_terms(&m, f);
    if (st == SEAM_OK) st = merge_words(&m, f);
    if (st == SEAM_OK) st = invidx_segbuild_finish(m.sb, job->io, job->dir, f);
    if (st == SEAM_OK) st = certify(&m, job->io, job->dir, job->id, f);
done:
    invidx_segbuild_free(m.sb);
    for (size_t i = 0; i < count; i++) {
        if (m.ords != NULL) free(m.ords[i]);
        if (m.lists != NULL) invidx_plist_free(&m.lists[i]);
    }
    invidx_plist_free(&m.out);
    if (m.postings != NULL) invidx_postings_free(m.postings);
    free(m.postings);
    free(m.its);
    free(m.live);
    free(m.ords);
    free(m.lists);
    free(m.refs);
    free(m.docs);
    free(m.keys);
    return st;
}
