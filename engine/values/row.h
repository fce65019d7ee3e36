/* row - a table row as bytes, and its canonical hash.
 *
 * Encoded row (what oltp stores, the log carries and the stream ships):
 *
 *   +----------------+-----------+------------------+-------------------------------------------+
 *   | varint version | varint n  | null bits, n/8 up| values of the non-null columns, in order  |
 *   +----------------+-----------+------------------+-------------------------------------------+
 *   n = columns of that schema version; int, decimal and time: zigzag varint; double: 8 bytes;
 *   bool: 1 byte; text: varint length + bytes. Key columns are included: a row is whole in itself.
 *
 * Canonical form (what reconciliation hashes): format number 1, then for each live column of the
 * schema's current version, in column-id order: id varint, type byte, value. Nulls are written as type
 * SEAM_V_NULL; a value equal to the default is written out; so equal rows hash alike in every store, whatever
 * version wrote them.                                                                             */
#ifndef SEAM_ENGINE_ROW_H
#define SEAM_ENGINE_ROW_H

#include "engine/base/hash.h"
#include "engine/values/schema.h"

#ifdef __cplusplus
extern "C" {
#endif

/* values[i] belongs to schema->columns[i]; dropped columns are ignored. Checks types, nullability and
 * sizes; SEAM_INVALID names the column. A decimal of another scale is rescaled when no digit is lost. */
SEAM_MUST_USE enum seam_status seam_row_encode(const struct seam_schema *s,
                                               const struct seam_value *values,
                                               struct seam_buf *out, struct seam_fault *f);
/* Decodes into values[0 .. s->column_count): columns the row's version had not get their default,
 * dropped ones get null. Text points into `row`. SEAM_CORRUPT on bytes that are no row of this table. */
SEAM_MUST_USE enum seam_status seam_row_decode(const struct seam_schema *s, const void *row,
                                               size_t n, struct seam_value *values,
                                               struct seam_fault *f);
/* One column only, without building the rest. */
SEAM_MUST_USE enum seam_status seam_row_get(const struct seam_schema *s, const void *row, size_t n,
                                            int column, struct seam_value *out,
                                            struct seam_fault *f);
/* Memcomparable key (engine/values/key.h) of the row's key columns, or of an index's columns (the primary key,
 * which a non-unique index must add, is not appended).                                            */
SEAM_MUST_USE enum seam_status seam_row_key(const struct seam_schema *s,
                                            const struct seam_value *values, struct seam_buf *out,
                                            struct seam_fault *f);
SEAM_MUST_USE enum seam_status seam_row_index_key(const struct seam_schema *s,
                                                  const struct seam_index_def *ix,
                                                  const struct seam_value *values,
                                                  struct seam_buf *out, struct seam_fault *f);

void seam_row_canonical(const struct seam_schema *s, const struct seam_value *values,
                        struct seam_buf *out);
struct seam_hash128 seam_row_hash(const struct seam_schema *s,
                                  const struct seam_value *values); /* of the canonical form */

struct seam_json_writer;
/* One value: ints and doubles as numbers, decimals and times as exact texts (so are doubles JSON has none for). */
void seam_jw_value(struct seam_json_writer *w, const struct seam_value *v);
/* JSON object of the live columns, in order: decimals and times as strings, ints as numbers. */
void seam_row_to_json(const struct seam_schema *s, const struct seam_value *values,
                      struct seam_buf *out);
/* From a JSON object; unknown members are SEAM_INVALID, missing ones take default or null. Text is
 * copied into `text` (which must outlive the values).                                             */
SEAM_MUST_USE enum seam_status seam_row_from_json(const struct seam_schema *s, const char *json,
                                                  size_t n, struct seam_value *values,
                                                  struct seam_buf *text, struct seam_fault *f);

#ifdef __cplusplus
}
#endif

#endif
