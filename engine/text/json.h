/* json - RFC 8259 reader into a tree, and a writer. Hostile input: depth <= 64, sizes bounded, strict
 * UTF-8 and escapes, duplicate member names refused; errors name line and column.                 */
#ifndef SEAM_ENGINE_JSON_H
#define SEAM_ENGINE_JSON_H

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum seam_json_type {
    SEAM_J_NULL,
    SEAM_J_BOOL,
    SEAM_J_NUMBER,
    SEAM_J_STRING,
    SEAM_J_ARRAY,
    SEAM_J_OBJECT
};
enum { SEAM_JSON_DEPTH_MAX = 64 };

struct seam_json {
    enum seam_json_type type;
    const char *key; /* member name when in an object; terminated */
    const char *str; /* STRING: unescaped, terminated; NUMBER: its text as written */
    size_t len;      /* of str; ARRAY/OBJECT: number of children */
    double num;      /* NUMBER */
    bool boolean;
    uint32_t line, column; /* where it began, from 1 */
    struct seam_json *child, *next;
};

/* All nodes live in `a`. `where` names the source in faults. Exactly one value, then only space.   */
SEAM_MUST_USE enum seam_status seam_json_parse(const char *s, size_t n, struct seam_arena *a,
                                               const char *where, struct seam_json **out,
                                               struct seam_fault *f);

const struct seam_json *seam_json_get(const struct seam_json *object,
                                      const char *key); /* NULL when missing or no object */
const char *seam_json_string(const struct seam_json *object, const char *key,
                             const char *otherwise);
/* SEAM_INVALID unless it is an object whose members are all among `known`: names the line, the first that is
 * not, and the known name nearest to it.                                                           */
SEAM_MUST_USE enum seam_status seam_json_only_members(const struct seam_json *object,
                                                      const char *const *known, size_t count,
                                                      const char *where, struct seam_fault *f);
bool seam_json_int(const struct seam_json *v, int64_t *out); /* NUMBER without fraction, in range */

/* Writer: commas and quoting are kept right by the nesting state. Non-finite doubles are null.     */
struct seam_json_writer {
    struct seam_buf *out;
    uint32_t depth;
    bool comma[SEAM_JSON_DEPTH_MAX + 1];
    bool after_key;
};
void seam_jw_init(struct seam_json_writer *w, struct seam_buf *out);
void seam_jw_object(struct seam_json_writer *w);
void seam_jw_end_object(struct seam_json_writer *w);
void seam_jw_array(struct seam_json_writer *w);
void seam_jw_end_array(struct seam_json_writer *w);
void seam_jw_key(struct seam_json_writer *w, const char *key);
void seam_jw_str(struct seam_json_writer *w, const char *s);
void seam_jw_strn(struct seam_json_writer *w, const char *s,
                  size_t n); /* bad UTF-8 becomes U+FFFD */
void seam_jw_int(struct seam_json_writer *w, int64_t v);
void seam_jw_uint(struct seam_json_writer *w, uint64_t v);
void seam_jw_double(struct seam_json_writer *w, double v);
void seam_jw_bool(struct seam_json_writer *w, bool v);
void seam_jw_null(struct seam_json_writer *w);
void seam_jw_raw(struct seam_json_writer *w, const char *json, size_t n); /* already JSON */
void seam_jw_node(struct seam_json_writer *w,
                  const struct seam_json *v); /* a parsed value, written again */

#ifdef __cplusplus
}
#endif

#endif
