/* segment - one immutable file of documents and their postings. Private to the room.
 *
 *   0                    64     68      72          80       84      88    92      96
 *   +--------------------+------+-------+-----------+--------+-------+-----+-------+---------------+-----
 *   | head (SEAMSEG1, 2) | docs | terms | file size | fields | attrs | crc | zeros | section table | ...
 *   +--------------------+------+-------+-----------+--------+-------+-----+-------+---------------+-----
 *   head: engine/io/filehead.h; file id: the segment's, extra: entries of the section table.
 *   crc: crc32c of bytes [64,88) and of the section table
 *   section table: 24 bytes each: kind u32 | crc32c u32 | offset u64 | size u64
 *   then the sections, each at a multiple of 64, zeros between; 64 zeros of slack end the file.
 *
 *   Documents are numbered 0.. in order of (key, birth LSN). The four sections that grow with the text
 *   (terms, skips, postings, positions) are one run of bytes checked in chunks of 64 KiB at first touch;
 *   their table entries have crc 0 and the CHUNKS section holds one crc32c a chunk. All others are checked
 *   when the file is opened. Integers are little-endian.
 *
 *   kind         content
 *   1 META       digest 24 (count, lo, hi) | length sum u64 | per field: tokens u64
 *   2 DICT       per dictionary block of 16 terms: first 8 bytes of its first term as a big-endian number
 *                (u64 each), then the block's offset in TERMS (u32 each, and one more for the end)
 *   3 TERMS      dictionary blocks, see termdict.h
 *   4 SKIPS      for terms of 128 documents and more, see postings.h
 *   5 POSTINGS   6 POSITIONS   pfor blocks, see postings.h
 *   7 KEYS       8 BIRTHS      FOR columns, see forcol.h
 *   9 LENGTHS    weighted length of each document, u16, at most 65535
 *   10 FIELDLEN  with 2 fields and more: u16 a document, field after field
 *   11 CHUNKS    u32 crc32c for each 64 KiB of the run [TERMS .. end of POSITIONS]
 *   12 WORDS     when words are stemmed: every surface word, see termdict.h
 *   32+i ATTR    attribute i: INT64: u8 has_nulls | 7 zeros | [null bits, u64 words] | FOR column
 *                KEYWORD: u32 n | u32 zero | n+1 offsets u32 | bytes, sorted | pad to 8 | FOR column of
 *                codes: 0 = null, 1.. = dictionary                                                  */
#ifndef SEAM_INVIDX_SEGMENT_H
#define SEAM_INVIDX_SEGMENT_H

#include "engine/base/hash.h"
#include "engine/base/lsn.h"
#include "engine/io/filehead.h"
#include "engine/io/io.h"
#include "invidx/forcol.h"
#include "invidx/invidx.h"
#include "invidx/schema.h"

enum {
    SEG_AT_DOCS = SEAM_FILEHEAD_BYTES,
    SEG_AT_TERMS = 68,
    SEG_AT_SIZE = 72,
    SEG_AT_FIELDS = 80,
    SEG_AT_ATTRS = 84,
    SEG_AT_CRC = 88,
    SEG_AT_ZEROS = 92,
    SEG_HEADER = 96,
    SEG_SECTION = 24,
    SEG_ALIGN = 64,
    SEG_SLACK = 64,
    SEG_CHUNK = 1 << 16,
    SEG_SECTIONS_MAX = 12 + INVIDX_ATTRS_MAX,
    SEG_DOCS_MAX = 1 << 30,
};

enum invidx_seg_kind {
    SEG_META = 1,
    SEG_DICT,
    SEG_TERMS,
    SEG_SKIPS,
    SEG_POSTINGS,
    SEG_POSITIONS,
    SEG_KEYS,
    SEG_BIRTHS,
    SEG_LENGTHS,
    SEG_FIELDLEN,
    SEG_CHUNKS,
    SEG_WORDS,
    SEG_ATTR = 32
};

extern const struct seam_filehead_format invidx_segment_format;
/* One entry of the section table: to bytes and back. */
struct invidx_seg_entry {
    uint32_t kind, crc;
    uint64_t at, size;
};
void invidx_seg_entry_put(uint8_t out[SEG_SECTION], const struct invidx_seg_entry *e);
struct invidx_seg_entry invidx_seg_entry_get(const uint8_t in[SEG_SECTION]);
/* Checksum of the header's fields and of a table of count entries. */
uint32_t invidx_seg_header_crc(const uint8_t *map, uint32_t count);

struct invidx_span {
    const uint8_t *p;
    size_t n;
};

struct invidx_seg_attr {
    struct invidx_forcol col;
    const uint8_t *nulls; /* INT64: null bits, or NULL when none is null */
    uint32_t dict_count;  /* KEYWORD                                     */
    const uint8_t *dict_offsets, *dict_bytes;
};

struct invidx_segment {
    uint32_t refs;
    uint64_t id;
    struct seam_owner owner;
    struct seam_io *io;
    char path[SEAM_PATH_MAX_BYTES];
    const uint8_t *map;
    size_t size;
    uint32_t docs, terms, fields, attrs, sections;
    struct invidx_span dict, terms_s, skips, postings, positions, words, field_lengths;
    struct invidx_forcol keys, births;
    const uint8_t *lengths; /* u16 a document */
    uint64_t length_sum;
    uint64_t field_tokens[INVIDX_FIELDS_MAX];
    struct seam_digest digest;
    struct invidx_seg_attr attr[INVIDX_ATTRS_MAX];
    size_t run_from, run_size; /* the chunked run, in the file */
    const uint8_t *chunk_crcs;
    uint8_t *checked; /* one byte a chunk: set once its crc was seen to hold */
    uint32_t term_blocks;
};

SEAM_MUST_USE enum seam_status invidx_segment_open(struct seam_io *io, const char *dir, uint64_t id,
                                                   const struct invidx_schema *schema,
                                                   struct invidx_segment **out,
                                                   struct seam_fault *f);
struct invidx_segment *invidx_segment_ref(struct invidx_segment *s);
void invidx_segment_release(struct invidx_segment *s); /* accepts NULL */
SEAM_MUST_USE enum seam_status invidx_segment_path(char out[SEAM_PATH_MAX_BYTES], const char *dir,
                                                   uint64_t id, struct seam_fault *f);

/* Checks the chunks that cover [p, p+n) of the run once; call before trusting those bytes.            */
SEAM_MUST_USE enum seam_status invidx_segment_touch_slow(struct invidx_segment *s, size_t first,
                                                         size_t last, struct seam_fault *f);
static inline enum seam_status segment_touch(struct invidx_segment *s, const uint8_t *p, size_t n,
                                             struct seam_fault *f)
{
    size_t at = (size_t)(p - s->map) - s->run_from;
    size_t first = at / SEG_CHUNK, last = n == 0 ? first : (at + n - 1) / SEG_CHUNK;

    if (n == 0) return SEAM_OK;
    if (first == last && __atomic_load_n(&s->checked[first], __ATOMIC_ACQUIRE)) return SEAM_OK;
    return invidx_segment_touch_slow(s, first, last, f);
}
enum seam_status invidx_segment_damaged(const struct invidx_segment *s, const uint8_t *at,
                                        const char *why, struct seam_fault *f);

static inline uint32_t segment_length(const struct invidx_segment *s, uint32_t doc)
{
    return seam_get_u16(s->lengths + 2 * (size_t)doc);
}
static inline uint64_t segment_key(const struct invidx_segment *s, uint32_t doc)
{
    return forcol_get(&s->keys, doc);
}
/* First document whose key is >= key (docs when none).                                               */
uint32_t invidx_segment_seek_key(const struct invidx_segment *s, uint64_t key);
uint32_t invidx_segment_field_length(const struct invidx_segment *s, uint32_t doc, uint32_t field);
/* Attribute values of one document. keyword: code 0 = null.                                          */
bool invidx_segment_attr_int(const struct invidx_segment *s, uint32_t attr, uint32_t doc,
                             int64_t *out);
uint32_t invidx_segment_attr_code(const struct invidx_segment *s, uint32_t attr, uint32_t doc);
void invidx_segment_attr_text(const struct invidx_segment *s, uint32_t attr, uint32_t code,
                              const char **text, size_t *n); /* code >= 1 */
/* The code of a keyword in this segment; 0 when no document has it.                                   */
uint32_t invidx_segment_attr_find(const struct invidx_segment *s, uint32_t attr, const char *text,
                                  size_t n);

#endif
