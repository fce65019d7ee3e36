/* json - RFC 8259 reader into a tree, and a writer. Hostile input: depth <= 64, sizes bounded, strict
 * UTF-8 and escapes, duplicate member names refused; errors name line and column.                 */
#ifndef SEAM_ENGINE_JSON_H
#define SEAM_ENGINE_JSON_H

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/status.h"

enum json_type { J_NULL, J_BOOL, J_NUMBER, J_STRING, J_ARRAY, J_OBJECT };
enum { JSON_DEPTH_MAX = 64 };

struct json {
    enum json_type type;
    const char *key;      /* member name when in an object; terminated */
    const char *str;      /* STRING: unescaped, terminated; NUMBER: its text as written */
    size_t len;           /* of str; ARRAY/OBJECT: number of children */
    double num;           /* NUMBER */
    bool boolean;
    uint32_t line, column; /* where it began, from 1 */
    struct json *child, *next;
};

/* All nodes live in `a`. `where` names the source in faults. Exactly one value, then only space.   */
MUST_USE enum status json_parse(const char *s, size_t n, struct arena *a, const char *where,
                                struct json **out, struct fault *f);

const struct json *json_get(const struct json *object, const char *key); /* NULL when missing or no object */
const char *json_string(const struct json *object, const char *key, const char *otherwise);
/* ST_INVALID unless it is an object whose members are all among `known`: names the line, the first that is
 * not, and the known name nearest to it.                                                           */
MUST_USE enum status json_only_members(const struct json *object, const char *const *known, size_t count,
                                       const char *where, struct fault *f);
bool json_int(const struct json *v, int64_t *out); /* NUMBER without fraction, in range */

/* Writer: commas and quoting are kept right by the nesting state. Non-finite doubles are null.     */
struct json_writer {
    struct buf *out;
    uint32_t depth;
    bool comma[JSON_DEPTH_MAX + 1];
    bool after_key;
};
void jw_init(struct json_writer *w, struct buf *out);
void jw_object(struct json_writer *w);
void jw_end_object(struct json_writer *w);
void jw_array(struct json_writer *w);
void jw_end_array(struct json_writer *w);
void jw_key(struct json_writer *w, const char *key);
void jw_str(struct json_writer *w, const char *s);
void jw_strn(struct json_writer *w, const char *s, size_t n); /* bad UTF-8 becomes U+FFFD */
void jw_int(struct json_writer *w, int64_t v);
void jw_uint(struct json_writer *w, uint64_t v);
void jw_double(struct json_writer *w, double v);
void jw_bool(struct json_writer *w, bool v);
void jw_null(struct json_writer *w);
void jw_raw(struct json_writer *w, const char *json, size_t n); /* already JSON */
void jw_node(struct json_writer *w, const struct json *v);      /* a parsed value, written again */

#endif
