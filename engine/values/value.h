/* value - one typed cell, and how its types read and print.
 *
 * Money is exact: a decimal is a scaled int64 (scale = digits after the point, 0..18). Time is
 * microseconds since 1970-01-01 UTC. Text is bytes, UTF-8 by convention, not terminated.
 * A text value does not own its bytes: whoever made it says how long they live.                   */
#ifndef SEAM_ENGINE_VALUE_H
#define SEAM_ENGINE_VALUE_H

#include "engine/base/buf.h"
#include "engine/base/status.h"

enum value_type { /* on disk; never renumber */
    V_NULL = 0,
    V_INT = 1,     /* int64                       */
    V_DOUBLE = 2,  /* IEEE 754 binary64           */
    V_DECIMAL = 3, /* scaled int64                */
    V_BOOL = 4,
    V_TIME = 5,    /* microseconds UTC            */
    V_TEXT = 6,
    V_TYPE_COUNT
};

struct value {
    uint8_t type;  /* enum value_type        */
    uint8_t scale; /* V_DECIMAL              */
    uint32_t len;  /* V_TEXT: bytes          */
    union {
        int64_t i; /* INT, DECIMAL, BOOL, TIME */
        double d;
        const char *s;
    };
};

enum { DECIMAL_SCALE_MAX = 18, TEXT_MAX = 16 << 20 };

static inline struct value v_null(void) { return (struct value){.type = V_NULL}; }
static inline struct value v_int(int64_t i) { return (struct value){.type = V_INT, .i = i}; }
static inline struct value v_double(double d) { return (struct value){.type = V_DOUBLE, .d = d}; }
static inline struct value v_bool(bool b) { return (struct value){.type = V_BOOL, .i = b}; }
static inline struct value v_time(int64_t us) { return (struct value){.type = V_TIME, .i = us}; }
static inline struct value v_decimal(int64_t scaled, uint8_t scale)
{
    return (struct value){.type = V_DECIMAL, .scale = scale, .i = scaled};
}
static inline struct value v_text(const char *s, size_t n)
{
    return (struct value){.type = V_TEXT, .len = (uint32_t)n, .s = s};
}
struct value v_str(const char *terminated);

const char *value_type_name(enum value_type t);                  /* "int64", "double", "decimal", "bool", "timestamp", "text" */
bool value_type_parse(const char *name, enum value_type *out);

/* Total order within a type; null first; int/decimal/double compare by number across types. NaN sorts
 * above every number and equals itself.                                                           */
int value_compare(const struct value *a, const struct value *b);
bool value_equal(const struct value *a, const struct value *b);

/* Exact decimal text. parse: optional sign, digits, at most `scale` digits after the point (further
 * digits must be 0 else ST_INVALID), overflow is ST_LIMIT.                                        */
enum status decimal_parse(const char *s, size_t n, unsigned scale, int64_t *out);
size_t decimal_format(int64_t v, unsigned scale, char out[32]);
/* Rescales exactly; ST_INVALID when digits would be lost, ST_LIMIT on overflow.                    */
enum status decimal_rescale(int64_t v, unsigned from, unsigned to, int64_t *out);
int64_t decimal_pow10(unsigned n); /* n <= 18 */

/* "2011-12-09 12:50:00", 'T' or ' ', optional fraction (to microseconds) and offset "Z"/"+01:00";
 * date alone is midnight. Strict calendar.                                                        */
enum status time_parse(const char *s, size_t n, int64_t *us);
size_t time_format(int64_t us, char out[40]); /* 2011-12-09T12:50:00Z, fraction only when there is one */
struct civil { int32_t year; uint8_t month, day, hour, minute, second; uint32_t micro; };
void time_to_civil(int64_t us, struct civil *c);
int64_t civil_to_time(const struct civil *c);

enum status int_parse(const char *s, size_t n, int64_t *out);       /* whole string; ST_INVALID, ST_LIMIT */
enum status double_parse(const char *s, size_t n, double *out);     /* locale-free */
size_t double_format(double d, char out[32]);                       /* shortest that reads back equal */

/* Text to a value of the given type and back. An empty string is null for every type but text.
 * The text value points into `s`.                                                                 */
enum status value_parse(const char *s, size_t n, enum value_type t, unsigned scale, struct value *out);
void value_format(const struct value *v, struct buf *out); /* null prints nothing */

#endif
