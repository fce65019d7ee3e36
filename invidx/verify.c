/* verify - every checksum and every invariant of every kept state.
 *
 * Of a segment: V1 sections and all chunks hold their crc; V2 keys ascend; V3 terms strictly ascend; V4 each
 * posting block decodes, documents ascend, positions ascend in a field; V5 a block's impacts cover its
 * postings; V6 the digest, the field lengths and their weighted sums are what the postings say; V7 surface
 * words ascend. Of a state: V8 its files are there with the size it gives; V9 tombstones name documents that
 * are; V10 a key has at most one live document.                                                         */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "invidx/merge.h"
#include "invidx/reader.h"
#include "invidx/score.h"

struct checker {
    struct seam_io *io;
    const char *dir;
    struct invidx_schema_box box;
    struct seam_buf *report;
    struct seam_fault *f;
    uint64_t *done; /* segments checked already */
    size_t done_count, done_cap;
};

static enum seam_status check_docs(struct checker *c, struct invidx_segment *s)
{
    uint64_t length_sum = 0;
    assert(s->docs > 0);
    assert(s->fields == c->box.view.field_count);

    for (uint32_t d = 0; d < s->docs; d++) {
        uint64_t weighted = 0;

        if (d > 0 && segment_key(s, d - 1) > segment_key(s, d))
            return invidx_segment_damaged(s, s->keys.heads, "V2: keys do not ascend", c->f);
        for (uint32_t k = 0; k < s->fields; k++)
            weighted +=
                (uint64_t)invidx_segment_field_length(s, d, k) * schema_weight(&c->box.view, k);
        if (weighted > UINT16_MAX) weighted = UINT16_MAX;
        if (weighted != segment_length(s, d))
            return invidx_segment_damaged(s, s->lengths + 2 * (size_t)d,
                                          "V6: a document's length is not its fields'", c->f);
        length_sum += weighted;
    }
    if (length_sum != s->length_sum)
        return invidx_segment_damaged(s, s->lengths, "V6: the sum of lengths differs", c->f);
    return SEAM_OK;
}

/* V5, with a frequency above 254 covered by 255. */
static bool covered(const struct invidx_postings *p, uint32_t b, uint32_t i)
{
    const uint8_t *m = p->impacts + 8 * (size_t)b;
    uint32_t length = segment_length(p->seg, p->docs[i]);
    assert(b < p->blocks && i < p->n);
    assert(p->impacts != NULL);

    for (int k = 0; k < 4; k++)
        if ((m[2 * k] == 255 || m[2 * k] >= p->tf[i]) && length_of_code(m[2 * k + 1]) <= length)
            return true;
    return false;
}

static enum seam_status check_term(struct checker *c, struct invidx_segment *s,
                                   const struct invidx_term *t, struct invidx_postings *p,
                                   uint32_t *tokens)
{
    uint32_t weights[INVIDX_FIELDS_MAX], last = 0;
    enum seam_status st;
    assert(t->df > 0);
    assert(s->fields <= INVIDX_FIELDS_MAX);

    for (uint32_t k = 0; k < s->fields; k++) weights[k] = schema_weight(&c->box.view, k);
    st = invidx_postings_open(p, s, t, weights, c->f);
    for (uint32_t b = 0; st == SEAM_OK && b < p->blocks; b++) {
        st = invidx_postings_load(p, b, c->f);
        if (st == SEAM_OK) st = invidx_postings_load_positions(p, c->f);
        if (st != SEAM_OK) return st;
        for (uint32_t i = 0; i < p->n; i++) {
            uint32_t m;
            const uint32_t *pos = invidx_postings_positions(p, i, &m);

            if ((b > 0 || i > 0) && p->docs[i] <= last)
                return invidx_segment_damaged(s, t->postings.p, "V4: documents do not ascend",
                                              c->f);
            last = p->docs[i];
            if (m == 0)
                return invidx_segment_damaged(s, t->postings.p, "V4: a posting without positions",
                                              c->f);
            for (uint32_t k = 1; k < m; k++)
                if (pos[k] <= pos[k - 1])
                    return invidx_segment_damaged(s, t->positions.p, "V4: positions do not ascend",
                                                  c->f);
            for (uint32_t k = 0; k < m; k++)
                tokens[(size_t)(pos[k] >> POSITION_FIELD_SHIFT) * s->docs + last]++;
            if (p->impacts != NULL && !covered(p, b, i))
                return invidx_segment_damaged(s, p->impacts + 8 * (size_t)b,
                                              "V5: the impacts do not cover a posting", c->f);
        }
    }
    return st;
}

static enum seam_status check_terms(struct checker *c, struct invidx_segment *s)
{
    struct invidx_termdict_iter it;
    struct invidx_postings *p = calloc(1, sizeof *p);
    uint32_t *tokens = calloc((size_t)s->docs * s->fields + 1, sizeof *tokens);
    char before[INVIDX_TERM_MAX + 1];
    size_t before_len = 0;
    uint64_t terms = 0;
    enum seam_status st = SEAM_OK;
    assert(s->docs > 0);

    if (p == NULL || tokens == NULL)
        st = seam_fault_set(c->f, SEAM_NOMEM, s->path, SEAM_FAULT_NO_OFFSET, "no memory to verify");
    if (st == SEAM_OK) st = invidx_termdict_seek(&it, s, "", 0, c->f);
    while (st == SEAM_OK && (st = invidx_termdict_next(&it, c->f)) == SEAM_OK) {
        size_t common = before_len < it.len ? before_len : it.len;
        int order = memcmp(before, it.text, common);

        if (terms++ > 0 && (order > 0 || (order == 0 && before_len >= it.len)))
            st = invidx_segment_damaged(s, it.t, "V3: terms do not ascend", c->f);
        memcpy(before, it.text, it.len);
        before_len = it.len;
        if (st == SEAM_OK) st = check_term(c, s, &it.term, p, tokens);
    }
    if (st == SEAM_END) st = SEAM_OK;
    for (size_t i = 0; st == SEAM_OK && i < (size_t)s->docs * s->fields; i++) {
        uint32_t have =
            invidx_segment_field_length(s, (uint32_t)(i % s->docs), (uint32_t)(i / s->docs));

        if (have != (tokens[i] > UINT16_MAX ? UINT16_MAX : tokens[i]))
            st = invidx_segment_damaged(
                s, s->lengths, "V6: a field's length is not the number of its postings", c->f);
    }
    if (p != NULL) invidx_postings_free(p);
    free(p);
    free(tokens);
    return st;
}

static enum seam_status check_words(struct checker *c, struct invidx_segment *s)
{
    struct invidx_words_iter it;
    char before[INVIDX_TERM_MAX + 1];
    size_t before_len = 0, n = 0;
    enum seam_status st = invidx_words_seek(&it, s, "", 0, c->f);
    assert(s->fields >= 1);

    while (st == SEAM_OK && (st = invidx_words_next(&it, c->f)) == SEAM_OK) {
        size_t common = before_len < it.len ? before_len : it.len;
        int order = memcmp(before, it.text, common);

        if (n++ > 0 && (order > 0 || (order == 0 && before_len >= it.len)))
            return invidx_segment_damaged(s, s->words.p, "V7: surface words do not ascend", c->f);
        memcpy(before, it.text, it.len);
        before_len = it.len;
    }
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status check_segment(struct checker *c, const struct invidx_store_segment *e,
                                      const struct seam_owner *owner)
{
    struct invidx_segment *s = NULL;
    struct seam_digest got;
    enum seam_status st;
    assert(c->done_count <= c->done_cap);

    for (size_t i = 0; i < c->done_count; i++)
        if (c->done[i] == e->id) return SEAM_OK;
    st = invidx_segment_open(c->io, c->dir, e->id, &c->box.view, &s, c->f);
    if (st == SEAM_OK) st = invidx_store_segment_check(s, e, owner, c->f);
    if (st == SEAM_OK) st = segment_touch(s, s->map + s->run_from, s->run_size, c->f);
    if (st == SEAM_OK) st = check_docs(c, s);
    if (st == SEAM_OK) st = check_terms(c, s);
    if (st == SEAM_OK) st = check_words(c, s);
    if (st == SEAM_OK) st = invidx_segment_digest(s, NULL, &got, c->f);
    if (st == SEAM_OK && !seam_digest_equal(&got, &s->digest))
        st = invidx_segment_damaged(s, s->map, "V6: the digest of the postings differs", c->f);
    if (st == SEAM_OK) {
        seam_buf_printf(c->report,
                        "segment %016llx: %u documents, %u terms, %llu postings, %zu bytes: ok\n",
                        (unsigned long long)s->id, s->docs, s->terms,
                        (unsigned long long)s->digest.count, s->size);
        if (c->done_count == c->done_cap) {
            size_t cap = c->done_cap == 0 ? 64 : 2 * c->done_cap;
            uint64_t *v = realloc(c->done, cap * sizeof *v);

            if (v != NULL) {
                c->done = v;
                c->done_cap = cap;
            }
        }
        if (c->done_count < c->done_cap) c->done[c->done_count++] = e->id;
    }
    invidx_segment_release(s);
    return st;
}

static int order_of_keys(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

    return (a > b) - (a < b);
}

/* V9 and V10 on the newest state, through the reader that everyone uses. */
static enum seam_status check_live(struct checker *c)
{
    struct invidx_reader *r = NULL;
    uint64_t *keys = NULL;
    size_t n = 0;
    enum seam_status st = invidx_reader_open(c->io, c->dir, SEAM_LSN_MAX, &r, c->f);

    if (st != SEAM_OK) return st;
    keys = malloc(sizeof *keys * (r->live + 1));
    if (keys == NULL) st = seam_no_memory(c->f, "the keys that are verified");
    for (size_t i = 0; st == SEAM_OK && i < r->seg_count; i++)
        for (uint32_t d = 0; d < r->segs[i].seg->docs; d++)
            if (!rseg_dead(&r->segs[i], d)) keys[n++] = segment_key(r->segs[i].seg, d);
    assert(n <= r->live);
    if (st == SEAM_OK && n > 0) qsort(keys, n, sizeof *keys, order_of_keys);
    for (size_t i = 1; st == SEAM_OK && i < n; i++)
        if (keys[i] == keys[i - 1])
            st =
                seam_fault_set(c->f, SEAM_CORRUPT, c->dir, SEAM_FAULT_NO_OFFSET,
                               "V10: key %llu has two live documents", (unsigned long long)keys[i]);
    if (st == SEAM_OK)
        seam_buf_printf(c->report, "%zu live documents at LSN %llu: ok\n", n,
                        (unsigned long long)r->applied);
    free(keys);
    invidx_reader_close(r);
    return st;
}

static bool accept(void *ctx, uint64_t segment, uint32_t doc, seam_lsn_t lsn)
{
    const struct invidx_store_state *s = ctx;
    assert(s->segment_count <= INVIDX_SEGMENTS_MAX);

    (void)lsn;
    for (uint32_t i = 0; i < s->segment_count; i++)
        if (s->segments[i].id == segment) return doc < s->segments[i].docs;
    return true;
}

static enum seam_status check_state(struct checker *c, uint64_t seq)
{
    struct seam_manifest m = {0};
    struct invidx_store_state state = {0};
    enum seam_status st = seam_manifest_load(c->io, c->dir, STORE_KIND, seq, &m, c->f);

    if (st == SEAM_OK) st = invidx_store_decode(&m, c->dir, &state, c->f);
    for (uint32_t i = 0; st == SEAM_OK && i < state.segment_count; i++)
        st = check_segment(c, &state.segments[i], &state.owner);
    for (uint32_t i = 0; st == SEAM_OK && i < state.del_count; i++)
        st = invidx_dels_read(c->io, c->dir, &state.dels[i], accept, &state, c->f);
    if (st == SEAM_OK)
        seam_buf_printf(c->report, "state %llu at LSN %llu: %u segments, %u tombstone files: ok\n",
                        (unsigned long long)seq, (unsigned long long)m.applied_lsn,
                        state.segment_count, state.del_count);
    invidx_store_free(&state);
    seam_buf_free(&m.payload);
    return st;
}

enum seam_status invidx_verify(struct seam_io *io, const char *dir, struct seam_buf *report,
                               struct seam_fault *f)
{
    struct checker c = {.io = io, .dir = dir, .report = report, .f = f};
    struct seam_manifest_entry *all = NULL;
    size_t n = 0;
    enum seam_status st = invidx_schema_load(io, dir, &c.box, f);
    assert(report != NULL);

    if (st == SEAM_OK) st = seam_manifest_list(io, dir, STORE_KIND, &all, &n, f);
    for (size_t i = n; st == SEAM_OK && i-- > 0;) st = check_state(&c, all[i].seq);
    if (st == SEAM_OK && n > 0) st = check_live(&c);
    free(all);
    free(c.done);
    invidx_schema_box_free(&c.box);
    if (st == SEAM_OK && !seam_buf_ok(report)) st = seam_no_memory(f, "the report");
    return st;
}
