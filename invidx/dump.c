/* dump - our files as text, for people. It believes nothing: a damaged file is shown as far as it goes and
 * then named as damaged.                                                                                */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "invidx/postings.h"
#include "invidx/store.h"

enum { DUMP_TERMS = 24, DUMP_POSTINGS = 8, DUMP_DOCS = 8 };

static const char *kind_name(uint32_t kind)
{
    static const char *const names[] = {"?",        "META",      "DICT", "TERMS",  "SKIPS",
                                        "POSTINGS", "POSITIONS", "KEYS", "BIRTHS", "LENGTHS",
                                        "FIELDLEN", "CHUNKS",    "WORDS"};

    return kind >= SEG_ATTR ? "ATTR" : kind < SEAM_ARRAY_LEN(names) ? names[kind] : "?";
}

static enum seam_status split(const char *path, char dir[SEAM_PATH_MAX_BYTES], const char **name,
                              struct seam_fault *f)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);

    *name = slash == NULL ? path : slash + 1;
    if (n >= SEAM_PATH_MAX_BYTES)
        return seam_fault_set(f, SEAM_LIMIT, path, SEAM_FAULT_NO_OFFSET, "path over %d bytes",
                              SEAM_PATH_MAX_BYTES - 1);
    if (slash == NULL) {
        memcpy(dir, ".", 2);
    } else {
        memcpy(dir, path, n);
        dir[n] = '\0';
    }
    assert(strlen(dir) < SEAM_PATH_MAX_BYTES);
    assert(*name >= path);
    return SEAM_OK;
}

static void dump_sections(const struct invidx_segment *s, struct seam_buf *out)
{
    char platform[SEAM_PLATFORM_TEXT];
    assert(s->docs > 0);
    assert(s->sections <= SEG_SECTIONS_MAX);

    seam_platform_text(s->owner.platform, platform);
    seam_buf_printf(out,
                    "     0  head: SEAMSEG1 version %u, segment %016" PRIx64
                    ", platform %s, history %016" PRIx64 "\n",
                    (unsigned)invidx_segment_format.version, s->id, platform, s->owner.history);
    seam_buf_printf(
        out, "%6d  %u documents, %u terms, %zu bytes, %u fields, %u attributes, %u sections\n",
        SEG_AT_DOCS, s->docs, s->terms, s->size, s->fields, s->attrs, s->sections);
    for (uint32_t i = 0; i < s->sections; i++) {
        size_t at = SEG_HEADER + (size_t)i * SEG_SECTION;
        const struct invidx_seg_entry e = invidx_seg_entry_get(s->map + at);

        seam_buf_printf(out,
                        "%6zu  section %-9s at %10" PRIu64 ", %10" PRIu64
                        " bytes (%.1f%%), crc %08" PRIx32 "\n",
                        at, kind_name(e.kind), e.at, e.size,
                        100.0 * (double)e.size / (double)s->size, e.crc);
    }
    seam_buf_printf(out, "digest: %llu postings, %016llx%016llx; weighted length %llu\n",
                    (unsigned long long)s->digest.count, (unsigned long long)s->digest.hi,
                    (unsigned long long)s->digest.lo, (unsigned long long)s->length_sum);
    for (uint32_t d = 0; d < s->docs && d < DUMP_DOCS; d++)
        seam_buf_printf(out, "document %u: key %llu, born %llu, length %u\n", d,
                        (unsigned long long)segment_key(s, d),
                        (unsigned long long)forcol_get(&s->births, d), segment_length(s, d));
}

static enum seam_status dump_terms(struct invidx_segment *s, struct seam_buf *out,
                                   struct seam_fault *f)
{
    static const uint32_t ones[INVIDX_FIELDS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1};
    struct invidx_termdict_iter it;
    struct invidx_postings *p = calloc(1, sizeof *p);
    uint32_t n = 0;
    enum seam_status st =
        p == NULL ? seam_no_memory(f, "a dump") : invidx_termdict_seek(&it, s, "", 0, f);

    while (st == SEAM_OK && n++ < DUMP_TERMS && (st = invidx_termdict_next(&it, f)) == SEAM_OK) {
        seam_buf_printf(
            out, "term %u \"%.*s\": df %u, %zu bytes of postings, %zu of positions:", it.term.ord,
            (int)it.len, it.text, it.term.df, it.term.postings.n, it.term.positions.n);
        st = invidx_postings_open(p, s, &it.term, ones, f);
        if (st == SEAM_OK) st = invidx_postings_load(p, 0, f);
        if (st == SEAM_OK) st = invidx_postings_load_positions(p, f);
        if (st != SEAM_OK) break;
        assert(p->n <= PFOR_BLOCK);
        assert(p->have_pos);
        for (uint32_t i = 0; i < p->n && i < DUMP_POSTINGS; i++) {
            uint32_t m;
            const uint32_t *pos = invidx_postings_positions(p, i, &m);

            seam_buf_printf(out, " %u@", p->docs[i]);
            for (uint32_t k = 0; k < m && k < 6; k++)
                seam_buf_printf(out, "%s%u.%u", k == 0 ? "" : ",", pos[k] >> POSITION_FIELD_SHIFT,
                                pos[k] & (INVIDX_FIELD_TOKENS_MAX - 1));
        }
        seam_buf_str(out, it.term.df > DUMP_POSTINGS ? " ...\n" : "\n");
    }
    if (p != NULL) invidx_postings_free(p);
    free(p);
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status dump_segment(struct seam_io *io, const char *dir, uint64_t id,
                                     struct seam_buf *out, struct seam_fault *f)
{
    struct invidx_schema_box box;
    struct invidx_segment *s = NULL;
    enum seam_status st = invidx_schema_load(io, dir, &box, f);

    if (st == SEAM_OK) st = invidx_segment_open(io, dir, id, &box.view, &s, f);
    if (st == SEAM_OK) {
        assert(s != NULL && s->id == id);
        dump_sections(s, out);
        st = dump_terms(s, out, f);
    }
    invidx_segment_release(s);
    invidx_schema_box_free(&box);
    return st;
}

struct shown {
    struct seam_buf *out;
    uint64_t segment;
    size_t n;
};

static bool show_tomb(void *ctx, uint64_t segment, uint32_t doc, seam_lsn_t lsn)
{
    struct shown *s = ctx;
    assert(s->out != NULL);

    if (segment != s->segment)
        seam_buf_printf(s->out, "segment %016llx\n", (unsigned long long)segment);
    s->segment = segment;
    if (s->n++ < 1000)
        seam_buf_printf(s->out, "  document %u died at LSN %llu\n", doc, (unsigned long long)lsn);
    return true;
}

static enum seam_status dump_dels(struct seam_io *io, const char *dir, const char *path,
                                  uint64_t id, struct seam_buf *out, struct seam_fault *f)
{
    struct seam_buf b = {0};
    struct shown shown = {out, UINT64_MAX, 0};
    struct invidx_store_dels d = {.id = id};
    enum seam_status st = seam_io_read_all(io, path, DEL_FILE_MAX, &b, f);
    assert(path != NULL && dir != NULL);

    if (st == SEAM_OK && b.size < 4)
        st = seam_fault_set(f, SEAM_CORRUPT, path, b.size, "shorter than a tombstone file can be");
    if (st == SEAM_OK) {
        assert(b.size >= 4);
        d.size = b.size;
        d.crc = seam_get_u32(b.data + b.size - 4);
        seam_buf_printf(out, "tombstones %016llx: %zu bytes, crc %08x\n", (unsigned long long)id,
                        b.size, d.crc);
        st = invidx_dels_read(io, dir, &d, show_tomb, &shown, f);
    }
    seam_buf_free(&b);
    if (st == SEAM_OK) seam_buf_printf(out, "%zu tombstones\n", shown.n);
    return st;
}

static enum seam_status dump_manifest(struct seam_io *io, const char *dir, uint64_t seq,
                                      struct seam_buf *out, struct seam_fault *f)
{
    struct seam_manifest m = {0};
    struct invidx_store_state s = {0};
    enum seam_status st = seam_manifest_load(io, dir, STORE_KIND, seq, &m, f);

    if (st == SEAM_OK) st = invidx_store_decode(&m, dir, &s, f);
    if (st == SEAM_OK) {
        assert(s.segment_count <= INVIDX_SEGMENTS_MAX);
        assert(s.del_count <= DELS_MAX);
        seam_buf_printf(
            out,
            "state %llu (from %llu) at LSN %llu, published at %lld us, purged to LSN %llu, "
            "next id %llu\n",
            (unsigned long long)m.seq, (unsigned long long)m.parent,
            (unsigned long long)m.applied_lsn, (long long)m.wall_us, (unsigned long long)s.purged,
            (unsigned long long)s.next_id);
        for (uint32_t i = 0; i < s.segment_count; i++)
            seam_buf_printf(out, "segment %016llx: %u documents, %llu bytes\n",
                            (unsigned long long)s.segments[i].id, s.segments[i].docs,
                            (unsigned long long)s.segments[i].size);
        for (uint32_t i = 0; i < s.del_count; i++)
            seam_buf_printf(out, "tombstones %016llx: %llu bytes, crc %08x\n",
                            (unsigned long long)s.dels[i].id, (unsigned long long)s.dels[i].size,
                            s.dels[i].crc);
    }
    invidx_store_free(&s);
    seam_buf_free(&m.payload);
    return st;
}

static enum seam_status dump_schema(struct seam_io *io, const char *dir, struct seam_buf *out,
                                    struct seam_fault *f)
{
    struct invidx_schema_box box;
    enum seam_status st = invidx_schema_load(io, dir, &box, f);

    if (st != SEAM_OK) return st;
    assert(box.view.field_count <= INVIDX_FIELDS_MAX);
    assert(box.view.attr_count <= INVIDX_ATTRS_MAX);
    for (size_t i = 0; i < box.view.field_count; i++)
        seam_buf_printf(out, "field %s, weight %u\n", box.fields[i].name, box.fields[i].weight);
    for (size_t i = 0; i < box.view.attr_count; i++)
        seam_buf_printf(out, "attribute %s, %s\n", box.attrs[i].name,
                        box.attrs[i].type == INVIDX_KEYWORD ? "keyword" : "int64");
    seam_buf_printf(out, "tokenizer %d, stemmer %d, accents %s, analysis version %d, k1 %g, b %g\n",
                    (int)box.view.analysis.tokenizer, (int)box.view.analysis.stemmer,
                    box.view.analysis.fold_accents ? "folded" : "kept", ANALYSIS_VERSION,
                    box.view.k1, box.view.b);
    invidx_schema_box_free(&box);
    return SEAM_OK;
}

enum seam_status invidx_dump(struct seam_io *io, const char *path, struct seam_buf *out,
                             struct seam_fault *f)
{
    char dir[SEAM_PATH_MAX_BYTES];
    const char *name;
    char *end;
    uint64_t id;
    enum seam_status st;
    assert(path != NULL);
    assert(out != NULL);

    st = split(path, dir, &name, f);
    if (st != SEAM_OK) return st;
    id = strtoull(name, &end, 16);
    if (strcmp(name, "schema.inx") == 0)
        st = dump_schema(io, dir, out, f);
    else if (end == name + 16 && strcmp(end, ".seg") == 0)
        st = dump_segment(io, dir, id, out, f);
    else if (end == name + 16 && strcmp(end, ".del") == 0)
        st = dump_dels(io, dir, path, id, out, f);
    else if (seam_manifest_name_parse(name, &id))
        st = dump_manifest(io, dir, id, out, f);
    else
        st = seam_fault_set(f, SEAM_UNSUPPORTED, path, SEAM_FAULT_NO_OFFSET,
                            "not the name of a file of a search index");
    return st == SEAM_OK ? seam_buf_check(out, f, "a dump") : st;
}
