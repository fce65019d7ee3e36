/* segbuild - sections in order, each chunk checksummed, the head last. */
#include "invidx/segbuild.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bitset.h"
#include "engine/base/crc32c.h"
#include "engine/base/walk.h"

enum seam_status invidx_segbuild_new(const struct invidx_schema *schema,
                                     const struct seam_owner *owner, uint64_t id, uint32_t docs,
                                     struct invidx_segbuild **out, struct seam_fault *f)
{
    struct invidx_segbuild *b = calloc(1, sizeof *b);
    assert(schema->field_count >= 1 && schema->field_count <= INVIDX_FIELDS_MAX);
    assert(docs > 0 && docs <= SEG_DOCS_MAX);

    if (b != NULL) b->lengths = malloc(sizeof *b->lengths * ((size_t)docs + 1));
    if (b == NULL || b->lengths == NULL) {
        free(b);
        return seam_no_memory(f, "a segment that is built");
    }
    b->schema = schema;
    b->owner = *owner;
    b->id = id;
    b->docs = docs;
    b->fields = (uint32_t)schema->field_count;
    *out = b;
    return SEAM_OK;
}

void invidx_segbuild_free(struct invidx_segbuild *b)
{
    if (b == NULL) return;
    for (size_t i = 0; i < SEAM_ARRAY_LEN(b->section); i++) seam_buf_free(&b->section[i]);
    seam_buf_free(&b->heads);
    seam_buf_free(&b->offsets);
    seam_buf_free(&b->block_texts);
    seam_buf_free(&b->block_entries);
    seam_buf_free(&b->word_offsets);
    seam_buf_free(&b->word_bytes);
    free(b->lengths);
    free(b);
}

static bool keys_ascend(const uint64_t *keys, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (keys[i] < keys[i - 1]) return false;
    return true;
}

void invidx_segbuild_docs(struct invidx_segbuild *b, const uint64_t *keys, const uint64_t *births,
                          const uint32_t *field_lengths)
{
    assert(b->keys == NULL);
    assert(b->section[SEG_KEYS].size == 0);
    b->keys = keys;
    invidx_forcol_put(&b->section[SEG_KEYS], keys, b->docs);
    invidx_forcol_put(&b->section[SEG_BIRTHS], births, b->docs);
    SEAM_WALK(keys_ascend(keys, b->docs));
    for (uint32_t d = 0; d < b->docs; d++) {
        uint64_t weighted = 0;

        for (uint32_t k = 0; k < b->fields; k++) {
            uint32_t len = field_lengths[(size_t)k * b->docs + d];

            weighted += (uint64_t)len * schema_weight(b->schema, k);
            b->field_tokens[k] += len;
        }
        b->lengths[d] = weighted > UINT16_MAX ? UINT16_MAX : (uint16_t)weighted;
        b->length_sum += b->lengths[d];
    }
    seam_buf_append(&b->section[SEG_LENGTHS], b->lengths, 2 * (size_t)b->docs);
    if (b->fields == 1) return;
    for (size_t i = 0; i < (size_t)b->docs * b->fields; i++)
        seam_buf_u16(&b->section[SEG_FIELDLEN],
                     field_lengths[i] > UINT16_MAX ? UINT16_MAX : (uint16_t)field_lengths[i]);
}

void invidx_segbuild_ints(struct invidx_segbuild *b, uint32_t attr, const int64_t *v,
                          const uint64_t *null_bits)
{
    struct seam_buf *out = &b->section[SEG_ATTR + attr];
    bool nulls = seam_bitset_count(null_bits, b->docs) != 0;
    uint64_t *u = malloc(sizeof *u * b->docs), fill = 0;
    assert(attr < b->schema->attr_count);
    assert(out->size == 0);

    if (u == NULL) {
        out->failed = true;
        return;
    }
    for (uint32_t i = 0; i < b->docs; i++) /* order-preserving; a null repeats its neighbour */
        fill = u[i] = seam_bitset_get(null_bits, i) ? fill : (uint64_t)v[i] ^ (1ull << 63);
    seam_buf_u64(out, nulls ? 1 : 0);
    if (nulls) seam_buf_append(out, null_bits, 8 * seam_bitset_words(b->docs));
    invidx_forcol_put(out, u, b->docs);
    free(u);
}

void invidx_segbuild_keywords(struct invidx_segbuild *b, uint32_t attr, const uint64_t *codes,
                              const struct invidx_text *texts, uint32_t count)
{
    struct seam_buf *out = &b->section[SEG_ATTR + attr];
    uint32_t at = 0;
    assert(attr < b->schema->attr_count);
    assert(out->size == 0);

    seam_buf_u32(out, count);
    seam_buf_u32(out, 0);
    for (uint32_t i = 0; i <= count; i++) {
        seam_buf_u32(out, at);
        if (i < count) at += (uint32_t)texts[i].n;
    }
    for (uint32_t i = 0; i < count; i++) seam_buf_append(out, texts[i].s, texts[i].n);
    while (out->size % 8 != 0 && seam_buf_ok(out)) seam_buf_u8(out, 0);
    invidx_forcol_put(out, codes, b->docs);
}

/* ---- postings ---- */
struct segbuild_pair {
    uint32_t tf, length;
};

/* Four pairs that cover all postings of the block: the Pareto front, its closest neighbours joined.    */
static uint64_t impacts(const uint32_t *tf, const uint16_t *lengths, const uint32_t *docs, size_t n)
{
    uint16_t shortest[256];
    struct segbuild_pair front[256];
    uint32_t top = 0, low = UINT16_MAX + 1;
    size_t m = 0;
    uint64_t out = 0;
    assert(n > 0 && n <= PFOR_BLOCK);

    for (size_t i = 0; i < n; i++) top = tf[i] > top ? tf[i] : top;
    if (top > 255) top = 255;
    for (uint32_t t = 0; t <= top; t++) shortest[t] = UINT16_MAX;
    for (size_t i = 0; i < n; i++) {
        uint32_t t = tf[i] > 255 ? 255 : tf[i];

        if (lengths[docs[i]] <= shortest[t]) shortest[t] = lengths[docs[i]];
    }
    for (uint32_t t = top; t > 0; t--) {
        if (shortest[t] >= low) continue;
        low = shortest[t];
        front[m++] = (struct segbuild_pair){t, low};
    }
    if (m == 0) front[m++] = (struct segbuild_pair){1, UINT16_MAX};
    while (m > 4) { /* join the neighbours whose join raises the bound least */
        size_t best = 0;
        double least = 1e300;

        for (size_t i = 0; i + 1 < m; i++) {
            double cost = ((double)front[i].tf / front[i + 1].tf - 1) *
                          ((front[i].length + 1.0) / (front[i + 1].length + 1.0) - 1);

            if (cost < least) {
                least = cost;
                best = i;
            }
        }
        front[best].length = front[best + 1].length;
        memmove(&front[best + 1], &front[best + 2], (m - best - 2) * sizeof front[0]);
        m--;
    }
    assert(m >= 1 && m <= 4);
    for (size_t i = 0; i < 4; i++) {
        struct segbuild_pair p = front[i < m ? i : m - 1];

        out |= (uint64_t)(p.tf | invidx_length_code(p.length) << 8) << (16 * i);
    }
    return out;
}

static void end_block(struct invidx_segbuild *b)
{
    struct seam_buf *terms = &b->section[SEG_TERMS];
    assert(b->in_block <= DICT_BLOCK);

    if (b->in_block == 0) return;
    seam_buf_u16(terms, (uint16_t)b->block_texts.size);
    for (int i = 0; i < 3; i++) seam_buf_varint(terms, b->block_base[i]);
    seam_buf_append(terms, b->block_texts.data, b->block_texts.size);
    seam_buf_append(terms, b->block_entries.data, b->block_entries.size);
    terms->failed |= !seam_buf_ok(&b->block_texts) || !seam_buf_ok(&b->block_entries);
    seam_buf_clear(&b->block_texts);
    seam_buf_clear(&b->block_entries);
    b->in_block = 0;
}

static void put_text(struct invidx_segbuild *b, const char *text, size_t n)
{
    assert(n > 0 && n <= INVIDX_TERM_MAX);
    if (b->in_block == DICT_BLOCK) end_block(b);
    if (b->in_block == 0) {
        seam_buf_u64(&b->heads, invidx_dict_head(text, n));
        seam_buf_u32(&b->offsets, (uint32_t)b->section[SEG_TERMS].size);
        memcpy(b->block_base, b->at, sizeof b->at);
    }
    invidx_dict_put_text(&b->block_texts, b->prev, b->prev_len, text, n, b->in_block == 0);
    memcpy(b->prev, text, n);
    b->prev_len = n;
    assert(b->in_block < DICT_BLOCK);
    b->in_block++;
    b->terms++;
}

static void put_inlined(struct invidx_segbuild *b, const struct invidx_plist *l)
{
    struct seam_buf *e = &b->block_entries;
    size_t at = 0;
    assert(l->n == 1);

    seam_buf_varint(e, 1);
    seam_buf_varint(e, l->docs[0]);
    for (uint32_t k = 0; k < b->fields; k++) seam_buf_varint(e, l->tf[k]);
    for (uint32_t k = 0; k < b->fields; k++) {
        uint32_t last = 0;

        for (uint32_t j = 0; j < l->tf[k]; j++, at++) {
            seam_buf_varint(e, l->pos[at] - last);
            last = l->pos[at];
        }
    }
    assert(at == l->pos_n);
}

static void put_positions(struct invidx_segbuild *b, const struct invidx_plist *l, size_t from,
                          size_t n, size_t *at)
{
    struct seam_buf *out = &b->section[SEG_POSITIONS];
    uint32_t gap[PFOR_BLOCK];
    size_t m = 0;
    assert(from + n <= l->n);

    for (size_t i = from; i < from + n; i++) {
        for (uint32_t k = 0; k < b->fields; k++) {
            uint32_t last = 0;

            for (uint32_t j = l->tf[i * b->fields + k]; j > 0; j--) {
                gap[m++] = l->pos[*at] - last;
                last = l->pos[(*at)++];
                if (m < PFOR_BLOCK) continue;
                invidx_pfor_put(out, gap, m, false);
                m = 0;
            }
        }
    }
    assert(m < PFOR_BLOCK);
    assert(*at <= l->pos_n);
    if (m > 0) invidx_pfor_put(out, gap, m, false);
}

struct skip {
    uint32_t last, post_at, pos_at;
    uint64_t impacts;
};

static struct skip put_block(struct invidx_segbuild *b, const struct invidx_plist *l, size_t from,
                             size_t n, size_t *pos_at)
{
    struct seam_buf *out = &b->section[SEG_POSTINGS];
    uint32_t v[PFOR_BLOCK] = {0}, weighted[PFOR_BLOCK];
    struct skip s = {.last = l->docs[from + n - 1]};
    uint32_t last = from == 0 ? UINT32_MAX : l->docs[from - 1];
    bool ones = b->fields == 1;
    assert(n > 0 && n <= PFOR_BLOCK);
    assert(from + n <= l->n);

    for (size_t i = 0; i < n; i++) {
        const uint32_t *tf = l->tf + (from + i) * b->fields;

        v[i] = l->docs[from + i] - last - 1;
        last = l->docs[from + i];
        weighted[i] = 0;
        for (uint32_t k = 0; k < b->fields; k++) weighted[i] += tf[k] * schema_weight(b->schema, k);
        ones &= tf[0] == 1;
    }
    invidx_pfor_put(out, v, n, ones);
    if (!ones)
        for (uint32_t k = 0; k < b->fields; k++) {
            for (size_t i = 0; i < n; i++)
                v[i] = l->tf[(from + i) * b->fields + k] - (b->fields == 1 ? 1 : 0);
            invidx_pfor_put(out, v, n, false);
        }
    put_positions(b, l, from, n, pos_at);
    if (l->n >= PFOR_BLOCK) s.impacts = impacts(weighted, b->lengths, l->docs + from, n);
    return s;
}

static void put_skips(struct invidx_segbuild *b, const struct skip *s, size_t n)
{
    struct seam_buf *out = &b->section[SEG_SKIPS];
    uint8_t *p = seam_buf_extend(out, n * SKIP_ENTRY);
    assert(n > 0);

    if (p == NULL) return;
    for (size_t i = 0; i < n; i++) seam_put_u32(p + 4 * i, s[i].last);
    for (size_t i = 0; i < n; i++) seam_put_u64(p + 4 * n + 8 * i, s[i].impacts);
    for (size_t i = 0; i < n; i++) seam_put_u32(p + 12 * n + 4 * i, s[i].post_at);
    for (size_t i = 0; i < n; i++) seam_put_u32(p + 16 * n + 4 * i, s[i].pos_at);
    b->at[2] += n * SKIP_ENTRY;
}

static void digest_term(struct invidx_segbuild *b, const char *text, size_t n,
                        const struct invidx_plist *l)
{
    struct seam_hash128 th = seam_siphash128(text, n);
    size_t at = 0;
    assert(b->keys != NULL);

    for (size_t i = 0; i < l->n; i++) {
        const uint32_t *tf = l->tf + i * b->fields;
        size_t m = 0;

        for (uint32_t k = 0; k < b->fields; k++) m += tf[k];
        seam_digest_add(&b->digest, invidx_posting_hash(th, b->keys[l->docs[i]], tf, b->fields,
                                                        l->pos + at, m));
        at += m;
    }
    assert(at == l->pos_n);
}

void invidx_segbuild_term(struct invidx_segbuild *b, const char *text, size_t n,
                          const struct invidx_plist *l)
{
    size_t blocks = (l->n + PFOR_BLOCK - 1) / PFOR_BLOCK, pos = 0;
    size_t post_from = b->section[SEG_POSTINGS].size, pos_from = b->section[SEG_POSITIONS].size;
    struct skip *skips = NULL;
    assert(b->keys != NULL);

    assert(l->n > 0 && n <= INVIDX_TERM_MAX);
    put_text(b, text, n);
    digest_term(b, text, n, l);
    if (l->n == 1) {
        put_inlined(b, l);
        return;
    }
    if (l->n >= PFOR_BLOCK) {
        skips = malloc(blocks * sizeof *skips);
        if (skips == NULL) {
            b->heads.failed = true;
            return;
        }
    }
    for (size_t i = 0; i < blocks; i++) {
        size_t from = i * PFOR_BLOCK, m = l->n - from < PFOR_BLOCK ? l->n - from : PFOR_BLOCK;
        uint32_t post_at = (uint32_t)(b->section[SEG_POSTINGS].size - post_from);
        uint32_t pos_at = (uint32_t)(b->section[SEG_POSITIONS].size - pos_from);
        struct skip s = put_block(b, l, from, m, &pos);

        s.post_at = post_at;
        s.pos_at = pos_at;
        if (skips != NULL) skips[i] = s;
    }
    assert(pos == l->pos_n);
    seam_buf_varint(&b->block_entries, l->n);
    seam_buf_varint(&b->block_entries, b->section[SEG_POSTINGS].size - post_from);
    seam_buf_varint(&b->block_entries, b->section[SEG_POSITIONS].size - pos_from);
    b->at[0] = b->section[SEG_POSTINGS].size;
    b->at[1] = b->section[SEG_POSITIONS].size;
    if (skips != NULL) put_skips(b, skips, blocks);
    free(skips);
}

void invidx_segbuild_word(struct invidx_segbuild *b, const char *text, size_t n, uint32_t ord)
{
    bool first = b->words % DICT_BLOCK == 0;
    assert(n > 0 && n <= INVIDX_TERM_MAX);
    assert(ord < b->terms);

    if (first) seam_buf_u32(&b->word_offsets, (uint32_t)b->word_bytes.size);
    invidx_dict_put_text(&b->word_bytes, b->prev_word, b->prev_word_len, text, n, first);
    seam_buf_varint(&b->word_bytes, ord);
    memcpy(b->prev_word, text, n);
    b->prev_word_len = n;
    b->words++;
}

/* ---- the file ---- */
static void finish_sections(struct invidx_segbuild *b)
{
    struct seam_buf *meta = &b->section[SEG_META], *dict = &b->section[SEG_DICT],
                    *words = &b->section[SEG_WORDS];
    assert(b->keys != NULL);
    assert(b->in_block <= DICT_BLOCK);

    end_block(b);
    seam_buf_u32(&b->offsets, (uint32_t)b->section[SEG_TERMS].size);
    seam_buf_append(dict, b->heads.data, b->heads.size);
    seam_buf_append(dict, b->offsets.data, b->offsets.size);
    dict->failed |= b->heads.failed || b->offsets.failed;
    seam_buf_u64(meta, b->digest.count);
    seam_buf_u64(meta, b->digest.lo);
    seam_buf_u64(meta, b->digest.hi);
    seam_buf_u64(meta, b->length_sum);
    for (uint32_t k = 0; k < b->fields; k++) seam_buf_u64(meta, b->field_tokens[k]);
    if (b->words == 0) return;
    seam_buf_u32(words, b->words);
    seam_buf_u32(words, (uint32_t)(b->word_offsets.size / 4));
    seam_buf_u32(&b->word_offsets, (uint32_t)b->word_bytes.size);
    seam_buf_append(words, b->word_offsets.data, b->word_offsets.size);
    seam_buf_append(words, b->word_bytes.data, b->word_bytes.size);
    words->failed |= b->word_offsets.failed || b->word_bytes.failed;
}

static bool used(const struct invidx_segbuild *b, uint32_t kind)
{
    assert(kind < SEG_ATTR + INVIDX_ATTRS_MAX);
    if (kind == 0 || (kind > SEG_WORDS && kind < SEG_ATTR)) return false;
    if (kind >= SEG_ATTR) return kind - SEG_ATTR < b->schema->attr_count;
    if (kind == SEG_FIELDLEN) return b->fields > 1;
    return kind != SEG_WORDS || b->words > 0;
}

/* One crc for each 64 KiB of the run, as the file will hold it: sections with zeros between.           */
static void chunk_crcs(struct invidx_segbuild *b, const struct seam_buf *file, size_t from)
{
    assert(from % SEG_ALIGN == 0);
    assert(b->section[SEG_CHUNKS].size == 0);
    for (size_t at = from; at < file->size; at += SEG_CHUNK) {
        size_t n = file->size - at < SEG_CHUNK ? file->size - at : SEG_CHUNK;

        seam_buf_u32(&b->section[SEG_CHUNKS], seam_crc32c(0, file->data + at, n));
    }
}

static void pad(struct seam_buf *out)
{
    static const uint8_t zeros[SEG_ALIGN];

    seam_buf_append(out, zeros, (SEG_ALIGN - out->size % SEG_ALIGN) % SEG_ALIGN);
    assert(out->failed || out->size % SEG_ALIGN == 0);
}

static void assemble(struct invidx_segbuild *b, struct seam_buf *out)
{
    static const uint8_t zeros[SEG_SLACK];
    uint32_t count = 0, i = 0;
    size_t run = 0, table_end, total = 0;
    assert(out->size == 0);

    finish_sections(b);
    for (uint32_t k = 0; k < SEAM_ARRAY_LEN(b->section); k++) {
        count += used(b, k);
        total += b->section[k].size + SEG_ALIGN;
    }
    table_end = SEG_HEADER + (size_t)count * SEG_SECTION;
    if (!seam_buf_reserve(out, total + table_end + SEG_SLACK)) return;
    memset(seam_buf_extend(out, table_end), 0, table_end);
    for (uint32_t k = 0; k < SEAM_ARRAY_LEN(b->section) && seam_buf_ok(out); k++) {
        struct seam_buf *s = &b->section[k];
        uint8_t *e = out->data + SEG_HEADER + (size_t)i * SEG_SECTION;
        bool chunked = k >= SEG_TERMS && k <= SEG_POSITIONS;

        if (!used(b, k)) continue;
        out->failed |= s->failed;
        assert(i < count);
        pad(out);
        if (k == SEG_TERMS) run = out->size;
        invidx_seg_entry_put(e,
                             &(struct invidx_seg_entry){
                                 k, chunked || s->size == 0 ? 0 : seam_crc32c(0, s->data, s->size),
                                 out->size, s->size});
        seam_buf_append(out, s->data, s->size);
        if (k == SEG_POSITIONS) chunk_crcs(b, out, run);
        i++;
    }
    pad(out);
    seam_buf_append(out, zeros, SEG_SLACK);
    if (!seam_buf_ok(out)) return;
    seam_filehead_encode(
        &invidx_segment_format,
        &(struct seam_filehead){.owner = b->owner, .file_id = b->id, .extra = count}, out->data);
    seam_put_u32(out->data + SEG_AT_DOCS, b->docs);
    seam_put_u32(out->data + SEG_AT_TERMS, b->terms);
    seam_put_u64(out->data + SEG_AT_SIZE, out->size);
    seam_put_u32(out->data + SEG_AT_FIELDS, b->fields);
    seam_put_u32(out->data + SEG_AT_ATTRS, (uint32_t)b->schema->attr_count);
    seam_put_u32(out->data + SEG_AT_CRC, invidx_seg_header_crc(out->data, count));
}

enum seam_status invidx_segbuild_finish(struct invidx_segbuild *b, struct seam_io *io,
                                        const char *dir, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_buf out = {0};
    enum seam_status st = invidx_segment_path(path, dir, b->id, f);
    assert(b->docs > 0);
    assert(b->keys != NULL);

    if (st != SEAM_OK) return st;
    assemble(b, &out);
    st = seam_buf_check(&out, f, "a segment");
    if (st == SEAM_OK && b->section[SEG_TERMS].size > UINT32_MAX)
        st = seam_fault_set(f, SEAM_LIMIT, path, SEAM_FAULT_NO_OFFSET,
                            "the terms of one segment take %zu bytes; at most 4 GiB",
                            b->section[SEG_TERMS].size);
    if (st == SEAM_OK) st = seam_io_write_new(io, path, out.data, out.size, true, f);
    seam_buf_free(&out);
    return st;
}
