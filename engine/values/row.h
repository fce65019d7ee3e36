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
 * V_NULL; a value equal to the default is written out; so equal rows hash alike in every store, whatever
 * version wrote them.                                                                             */
#ifndef SEAM_ENGINE_ROW_H
#define SEAM_ENGINE_ROW_H

#include "engine/base/hash.h"
#include "engine/values/schema.h"

/* values[i] belongs to schema->columns[i]; dropped columns are ignored. Checks types, nullability and
 * sizes; ST_INVALID names the column. A decimal of another scale is rescaled when no digit is lost. */
MUST_USE enum status row_encode(const struct schema *s, const struct value *values, struct buf *out,
                                struct fault *f);
/* Decodes into values[0 .. s->column_count): columns the row's version had not get their default,
 * dropped ones get null. Text points into `row`. ST_CORRUPT on bytes that are no row of this table. */
MUST_USE enum status row_decode(const struct schema *s, const void *row, size_t n,
                                struct value *values, struct fault *f);
/* One column only, without building the rest. */
MUST_USE enum status row_get(const struct schema *s, const void *row, size_t n, int column,
                             struct value *out, struct fault *f);
/* Memcomparable key (engine/values/key.h) of the row's key columns, or of an index's columns (the primary key,
 * which a non-unique index must add, is not appended).                                            */
MUST_USE enum status row_key(const struct schema *s, const struct value *values, struct buf *out,
                             struct fault *f);
MUST_USE enum status row_index_key(const struct schema *s, const struct index_def *ix,
                                   const struct value *values, struct buf *out, struct fault *f);

void row_canonical(const struct schema *s, const struct value *values, struct buf *out);
struct hash128 row_hash(const struct schema *s, const struct value *values); /* of the canonical form */

struct json_writer;
/* One value: ints and doubles as numbers, decimals and times as exact texts (so are doubles JSON has none for). */
void jw_value(struct json_writer *w, const struct value *v);
/* JSON object of the live columns, in order: decimals and times as strings, ints as numbers. */
void row_to_json(const struct schema *s, const struct value *values, struct buf *out);
/* From a JSON object; unknown members are ST_INVALID, missing ones take default or null. Text is
 * copied into `text` (which must outlive the values).                                             */
MUST_USE enum status row_from_json(const struct schema *s, const char *json, size_t n,
                                   struct value *values, struct buf *text, struct fault *f);

#endif
