/* schema - what an index was created with, as one checksummed file. Private to the room.
 *
 *   DIR/schema.inx
 *   +--------------------+--------------------------------------------------------------------+-------+
 *   | head (SEAMINX1, 2) | payload                                                            | crc32c|
 *   +--------------------+--------------------------------------------------------------------+-------+
 *   payload: fields u32, each: lenstr name, varint weight | attrs u32, each: lenstr name, u8 type |
 *            u8 tokenizer | u8 stemmer | u8 fold | u8 analysis version | f64 k1 | f64 b |
 *            lenstr stop words | lenstr synonyms
 *   crc covers everything before it. Names are unique over fields and attributes.                    */
#ifndef SEAM_INVIDX_SCHEMA_H
#define SEAM_INVIDX_SCHEMA_H

#include "engine/io/filehead.h"
#include "engine/io/io.h"
#include "invidx/invidx.h"

enum {
    /* Bump when the chain would turn some text into other terms than before: a segment is only as good
     * as the agreement between its writer's chain and the query's.                                    */
    ANALYSIS_VERSION = 1,
    SCHEMA_TEXT_MAX = 8 << 20, /* stop words or synonyms */
};

/* Owns the strings that `view` points to.                                                             */
struct invidx_schema_box {
    struct invidx_schema view;
    struct invidx_field fields[INVIDX_FIELDS_MAX];
    struct invidx_attr attrs[INVIDX_ATTRS_MAX];
    struct seam_owner owner; /* who made the index */
    char *text;              /* all strings */
};

SEAM_MUST_USE enum seam_status invidx_schema_check(const struct invidx_schema *s,
                                                   struct seam_fault *f);
SEAM_MUST_USE enum seam_status invidx_schema_save(struct seam_io *io, const char *dir,
                                                  const struct invidx_schema *s,
                                                  const struct seam_owner *owner,
                                                  struct seam_fault *f);
/* SEAM_NOT_FOUND when there is no index.                                                                */
SEAM_MUST_USE enum seam_status invidx_schema_load(struct seam_io *io, const char *dir,
                                                  struct invidx_schema_box *out,
                                                  struct seam_fault *f);
bool invidx_schema_same(const struct invidx_schema *a, const struct invidx_schema *b);
void invidx_schema_box_free(struct invidx_schema_box *b);
/* The weights the postings were combined with: a single field counts once whatever it was given.       */
static inline uint32_t schema_weight(const struct invidx_schema *s, size_t field)
{
    return s->field_count == 1 ? 1 : s->fields[field].weight;
}

#endif
