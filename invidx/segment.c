/* segment - opens a segment by its head, and reads keys, lengths and attributes from it. */
#include "invidx/segment.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bitset.h"
#include "engine/base/crc32c.h"
#include "engine/base/walk.h"
#include "invidx/termdict.h"

const struct seam_filehead_format invidx_segment_format = {
    .magic = "SEAMSEG1",
    .version = 2,
    .name = "a segment",
    .way_out = "the index is derived from the source: `seam rebuild DIR search` makes it again"};

enum seam_status invidx_segment_path(char out[SEAM_PATH_MAX_BYTES], const char *dir, uint64_t id,
                                     struct seam_fault *f)
{
    return seam_path_format(out, dir, f, "%016" PRIx64 ".seg", id);
}

void invidx_seg_entry_put(uint8_t out[SEG_SECTION], const struct invidx_seg_entry *e)
{
    assert(e->kind > 0 && e->kind < SEG_ATTR + INVIDX_ATTRS_MAX);
    seam_put_u32(out, e->kind);
    seam_put_u32(out + 4, e->crc);
    seam_put_u64(out + 8, e->at);
    seam_put_u64(out + 16, e->size);
}

struct invidx_seg_entry invidx_seg_entry_get(const uint8_t in[SEG_SECTION])
{
    return (struct invidx_seg_entry){seam_get_u32(in), seam_get_u32(in + 4), seam_get_u64(in + 8),
                                     seam_get_u64(in + 16)};
}

uint32_t invidx_seg_header_crc(const uint8_t *map, uint32_t count)
{
    assert(count <= SEG_SECTIONS_MAX);
    return seam_crc32c(seam_crc32c(0, map + SEG_AT_DOCS, SEG_AT_CRC - SEG_AT_DOCS),
                       map + SEG_HEADER, (size_t)count * SEG_SECTION);
}

/* ---- opening ---- */
struct invidx_table {
    struct invidx_span at[SEG_ATTR + INVIDX_ATTRS_MAX];
    bool have[SEG_ATTR + INVIDX_ATTRS_MAX];
};

static bool chunked(uint32_t kind)
{
    return kind >= SEG_TERMS && kind <= SEG_POSITIONS;
}

static enum seam_status read_table(struct invidx_segment *s, struct invidx_table *t,
                                   struct seam_fault *f)
{
    const uint8_t *m = s->map;
    struct seam_filehead h;
    uint32_t count;
    size_t table_end, pos;
    enum seam_status st =
        seam_filehead_decode(&invidx_segment_format, m, s->size, s->path, 0, &h, f);
    assert(s->map != NULL);

    if (st == SEAM_OK)
        st = seam_filehead_check(&invidx_segment_format, &h,
                                 &(struct seam_filehead_want){.file_id = &s->id}, s->path, f);
    if (st != SEAM_OK) return st;
    if (s->size < SEG_HEADER + SEG_SLACK)
        return invidx_segment_damaged(s, m, "shorter than a segment can be", f);
    count = h.extra;
    table_end = SEG_HEADER + (size_t)count * SEG_SECTION;
    if (count > SEG_SECTIONS_MAX || table_end > s->size)
        return invidx_segment_damaged(s, m, "section count", f);
    if (seam_get_u32(m + SEG_AT_CRC) != invidx_seg_header_crc(m, count))
        return invidx_segment_damaged(s, m + SEG_AT_CRC, "checksum of the header differs", f);
    if (seam_get_u32(m + SEG_AT_ZEROS) != 0)
        return invidx_segment_damaged(s, m + SEG_AT_ZEROS, "header padding is not zero", f);
    if (seam_get_u64(m + SEG_AT_SIZE) != s->size)
        return invidx_segment_damaged(s, m + SEG_AT_SIZE, "the header names another size", f);
    assert(count <= SEG_SECTIONS_MAX);
    s->owner = h.owner;
    s->sections = count;
    s->docs = seam_get_u32(m + SEG_AT_DOCS);
    s->terms = seam_get_u32(m + SEG_AT_TERMS);
    s->fields = seam_get_u32(m + SEG_AT_FIELDS);
    s->attrs = seam_get_u32(m + SEG_AT_ATTRS);
    pos = table_end;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *e = m + SEG_HEADER + (size_t)i * SEG_SECTION;
        const struct invidx_seg_entry entry = invidx_seg_entry_get(e);
        uint32_t kind = entry.kind;
        uint64_t at = entry.at, n = entry.size;

        if (kind == 0 || kind >= SEAM_ARRAY_LEN(t->at) || t->have[kind] || at % SEG_ALIGN != 0 ||
            at < pos || at > s->size - SEG_SLACK || n > s->size - SEG_SLACK - at)
            return invidx_segment_damaged(s, e, "a section lies where it cannot", f);
        for (; pos < at; pos++)
            if (m[pos] != 0) return invidx_segment_damaged(s, m + pos, "padding is not zero", f);
        pos = at + n;
        t->have[kind] = true;
        t->at[kind] = (struct invidx_span){m + at, n};
        if (entry.crc != (chunked(kind) ? 0 : seam_crc32c(0, m + at, n)))
            return invidx_segment_damaged(s, m + at, "checksum of a section differs", f);
    }
    for (; pos < s->size; pos++)
        if (m[pos] != 0) return invidx_segment_damaged(s, m + pos, "slack is not zero", f);
    return SEAM_OK;
}

static enum seam_status read_run(struct invidx_segment *s, const struct invidx_table *t,
                                 struct seam_fault *f)
{
    const uint8_t *end;
    size_t chunks;
    assert(s->checked == NULL);

    for (uint32_t k = SEG_META; k <= SEG_CHUNKS; k++)
        if (!t->have[k] && !(k == SEG_FIELDLEN && s->fields == 1))
            return invidx_segment_damaged(s, s->map, "a section is missing", f);
    s->run_from = (size_t)(t->at[SEG_TERMS].p - s->map);
    end = t->at[SEG_POSITIONS].p + t->at[SEG_POSITIONS].n;
    for (uint32_t k = SEG_TERMS; k < SEG_POSITIONS; k++)
        if (t->at[k].p > t->at[k + 1].p)
            return invidx_segment_damaged(s, t->at[k].p, "sections out of order", f);
    s->run_size = (size_t)(end - s->map) - s->run_from;
    chunks = (s->run_size + SEG_CHUNK - 1) / SEG_CHUNK;
    if (t->at[SEG_CHUNKS].n != 4 * chunks)
        return invidx_segment_damaged(s, t->at[SEG_CHUNKS].p, "the chunk table has another length",
                                      f);
    s->chunk_crcs = t->at[SEG_CHUNKS].p;
    s->checked = calloc(chunks + 1, 1);
    if (s->checked == NULL) return seam_no_memory(f, "a segment that is opened");
    return SEAM_OK;
}

static enum seam_status read_attr(struct invidx_segment *s, uint32_t i, enum invidx_attr_type type,
                                  struct invidx_span at, struct seam_fault *f)
{
    struct invidx_seg_attr *a = &s->attr[i];
    size_t used;
    assert(i < INVIDX_ATTRS_MAX);
    assert(type == INVIDX_KEYWORD || type == INVIDX_INT64);

    if (at.n < 8) return invidx_segment_damaged(s, at.p, "attribute section too short", f);
    if (type == INVIDX_INT64) {
        used = 8;
        if (at.p[0] > 1) return invidx_segment_damaged(s, at.p, "attribute null flag", f);
        if (at.p[0] == 1) {
            used += seam_bitset_words(s->docs) * 8;
            if (at.n < used) return invidx_segment_damaged(s, at.p, "null bits too short", f);
            a->nulls = at.p + 8;
        }
    } else {
        a->dict_count = seam_get_u32(at.p);
        if ((at.n - 8) / 4 <= a->dict_count)
            return invidx_segment_damaged(s, at.p, "keyword dictionary too short", f);
        a->dict_offsets = at.p + 8;
        used = 8 + 4 * ((size_t)a->dict_count + 1);
        a->dict_bytes = at.p + used;
        for (uint32_t k = 0; k < a->dict_count; k++)
            if (seam_get_u32(a->dict_offsets + 4 * (size_t)k) >
                seam_get_u32(a->dict_offsets + 4 * (size_t)k + 4))
                return invidx_segment_damaged(s, a->dict_offsets + 4 * (size_t)k,
                                              "keyword offsets fall", f);
        if (seam_get_u32(a->dict_offsets) != 0 ||
            seam_get_u32(a->dict_offsets + 4 * (size_t)a->dict_count) > at.n - used)
            return invidx_segment_damaged(s, at.p, "keyword bytes too short", f);
        used = (used + seam_get_u32(a->dict_offsets + 4 * (size_t)a->dict_count) + 7) / 8 * 8;
        if (used > at.n) return invidx_segment_damaged(s, at.p, "keyword codes missing", f);
    }
    if (!invidx_forcol_open(&a->col, at.p + used, at.n - used, s->docs))
        return invidx_segment_damaged(s, at.p + used, "attribute column", f);
    if (type == INVIDX_KEYWORD) {
        uint64_t block[FORCOL_BLOCK];

        for (uint32_t b = 0; b * FORCOL_BLOCK < s->docs; b++) {
            size_t m = invidx_forcol_block(&a->col, b, block);

            for (size_t k = 0; k < m; k++)
                if (block[k] > a->dict_count)
                    return invidx_segment_damaged(s, at.p + used, "keyword code", f);
        }
    }
    return SEAM_OK;
}

static enum seam_status read_sections(struct invidx_segment *s, const struct invidx_schema *schema,
                                      const struct invidx_table *t, struct seam_fault *f)
{
    struct invidx_span meta = t->at[SEG_META];
    enum seam_status st = read_run(s, t, f);
    assert(s->fields == schema->field_count);
    assert(s->attrs == schema->attr_count);

    if (st != SEAM_OK) return st;
    s->dict = t->at[SEG_DICT];
    s->terms_s = t->at[SEG_TERMS];
    s->skips = t->at[SEG_SKIPS];
    s->postings = t->at[SEG_POSTINGS];
    s->positions = t->at[SEG_POSITIONS];
    s->words = t->at[SEG_WORDS];
    s->field_lengths = t->at[SEG_FIELDLEN];
    s->lengths = t->at[SEG_LENGTHS].p;
    if (meta.n != 32 + 8 * (size_t)s->fields)
        return invidx_segment_damaged(s, meta.p, "meta section", f);
    s->digest = (struct seam_digest){seam_get_u64(meta.p), seam_get_u64(meta.p + 8),
                                     seam_get_u64(meta.p + 16)};
    s->length_sum = seam_get_u64(meta.p + 24);
    for (uint32_t i = 0; i < s->fields; i++)
        s->field_tokens[i] = seam_get_u64(meta.p + 32 + 8 * (size_t)i);
    if (t->at[SEG_LENGTHS].n != 2 * (size_t)s->docs)
        return invidx_segment_damaged(s, s->lengths, "lengths section", f);
    if (s->fields > 1 && s->field_lengths.n != 2 * (size_t)s->docs * s->fields)
        return invidx_segment_damaged(s, s->field_lengths.p, "field lengths section", f);
    if (!invidx_forcol_open(&s->keys, t->at[SEG_KEYS].p, t->at[SEG_KEYS].n, s->docs))
        return invidx_segment_damaged(s, t->at[SEG_KEYS].p, "keys section", f);
    if (!invidx_forcol_open(&s->births, t->at[SEG_BIRTHS].p, t->at[SEG_BIRTHS].n, s->docs))
        return invidx_segment_damaged(s, t->at[SEG_BIRTHS].p, "births section", f);
    for (uint32_t i = 0; i < s->attrs; i++) {
        if (!t->have[SEG_ATTR + i])
            return invidx_segment_damaged(s, s->map, "an attribute is missing", f);
        st = read_attr(s, i, schema->attrs[i].type, t->at[SEG_ATTR + i], f);
        if (st != SEAM_OK) return st;
    }
    return invidx_termdict_open(s, f);
}

enum seam_status invidx_segment_open(struct seam_io *io, const char *dir, uint64_t id,
                                     const struct invidx_schema *schema,
                                     struct invidx_segment **out, struct seam_fault *f)
{
    struct invidx_segment *s = calloc(1, sizeof *s);
    struct invidx_table *t = calloc(1, sizeof *t);
    struct seam_file *file = NULL;
    uint64_t size = 0;
    enum seam_status st;
    assert(schema->field_count >= 1);
    assert(out != NULL);

    if (s != NULL)
        s->refs = 1; /* release below counts it down, also where the table got no memory */
    if (s == NULL || t == NULL) {
        st = seam_no_memory(f, "a segment that is opened");
        goto done;
    }
    s->id = id;
    s->io = io;
    st = invidx_segment_path(s->path, dir, id, f);
    if (st == SEAM_OK) st = seam_file_open(io, s->path, SEAM_FILE_READ, &file, f);
    if (st != SEAM_OK) goto done;
    st = seam_file_size(file, &size, f);
    if (st != SEAM_OK) goto done;
    st = seam_file_map(file, size, &s->map, f);
    if (st != SEAM_OK) goto done;
    s->size = size;
    st = read_table(s, t, f);
    if (st != SEAM_OK) goto done;
    if (s->docs == 0 || s->docs > SEG_DOCS_MAX || s->fields != schema->field_count ||
        s->attrs != schema->attr_count) {
        st = invidx_segment_damaged(s, s->map + SEG_AT_DOCS,
                                    "the segment has another shape than its index", f);
        goto done;
    }
    st = read_sections(s, schema, t, f);
    if (st != SEAM_OK) goto done;
    assert(s->docs > 0 && s->refs == 1);
    *out = s;
    s = NULL;
done:
    seam_file_close(file);
    free(t);
    invidx_segment_release(s);
    return st;
}

struct invidx_segment *invidx_segment_ref(struct invidx_segment *s)
{
    assert(__atomic_load_n(&s->refs, __ATOMIC_RELAXED) > 0);
    /* Relaxed: whoever takes another reference holds one already, so the segment cannot go meanwhile. */
    __atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
    return s;
}

void invidx_segment_release(struct invidx_segment *s)
{
    if (s == NULL || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) != 0) return;
    if (s->map != NULL) seam_file_unmap(s->io, s->map, s->size);
    assert(s->refs == 0);
    free(s->checked);
    free(s);
}

/* ---- documents ---- */
uint32_t invidx_segment_seek_key(const struct invidx_segment *s, uint64_t key)
{
    uint32_t lo = 0, hi = s->docs;
    assert(s->keys.n == s->docs);

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (segment_key(s, mid) < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    assert(lo <= s->docs);
    return lo;
}

uint32_t invidx_segment_field_length(const struct invidx_segment *s, uint32_t doc, uint32_t field)
{
    assert(doc < s->docs);
    assert(field < s->fields);
    if (s->fields == 1) return segment_length(s, doc);
    return seam_get_u16(s->field_lengths.p + 2 * ((size_t)field * s->docs + doc));
}

bool invidx_segment_attr_int(const struct invidx_segment *s, uint32_t attr, uint32_t doc,
                             int64_t *out)
{
    const struct invidx_seg_attr *a = &s->attr[attr];
    SEAM_WALK(doc < s->docs);
    SEAM_WALK(attr < s->attrs);

    if (a->nulls != NULL && (a->nulls[doc >> 3] >> (doc & 7)) & 1) return false;
    *out = (int64_t)(forcol_get(&a->col, doc) ^ (1ull << 63));
    return true;
}

uint32_t invidx_segment_attr_code(const struct invidx_segment *s, uint32_t attr, uint32_t doc)
{
    SEAM_WALK(doc < s->docs);
    SEAM_WALK(attr < s->attrs);
    return (uint32_t)forcol_get(&s->attr[attr].col, doc);
}

void invidx_segment_attr_text(const struct invidx_segment *s, uint32_t attr, uint32_t code,
                              const char **text, size_t *n)
{
    const struct invidx_seg_attr *a = &s->attr[attr];
    uint32_t from = seam_get_u32(a->dict_offsets + 4 * (size_t)(code - 1));
    assert(code >= 1 && code <= s->attr[attr].dict_count);
    assert(attr < s->attrs);

    *text = (const char *)a->dict_bytes + from;
    *n = seam_get_u32(a->dict_offsets + 4 * (size_t)code) - from;
}

uint32_t invidx_segment_attr_find(const struct invidx_segment *s, uint32_t attr, const char *text,
                                  size_t n)
{
    uint32_t lo = 1, hi = s->attr[attr].dict_count + 1;
    assert(attr < s->attrs);
    assert(text != NULL || n == 0);

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const char *have;
        size_t len, common;
        int c;

        invidx_segment_attr_text(s, attr, mid, &have, &len);
        common = len < n ? len : n;
        c = memcmp(have, text, common);
        if (c == 0) c = (len > n) - (len < n);
        if (c == 0) return mid;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return 0;
}
