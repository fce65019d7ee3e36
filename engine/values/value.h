/* value - one typed cell, and how its types read and print.
 *
 * Money is exact: a decimal is a scaled int64 (scale = digits after the point, 0..18). Time is
 * microseconds since 1970-01-01 UTC. Text is bytes, UTF-8 by convention, not terminated.
 * A text value does not own its bytes: whoever made it says how long they live.                   */
#ifndef SEAM_ENGINE_VALUE_H
#define SEAM_ENGINE_VALUE_H

#include "engine/base/buf.h"
#include "engine/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum seam_value_type { /* on disk; never renumber */
                       SEAM_V_NULL = 0,
                       SEAM_V_INT = 1,     /* int64                       */
                       SEAM_V_DOUBLE = 2,  /* IEEE 754 binary64           */
                       SEAM_V_DECIMAL = 3, /* scaled int64                */
                       SEAM_V_BOOL = 4,
                       SEAM_V_TIME = 5, /* microseconds UTC            */
                       SEAM_V_TEXT = 6,
                       SEAM_V_TYPE_COUNT
};

struct seam_value {
    uint8_t type;  /* enum seam_value_type        */
    uint8_t scale; /* SEAM_V_DECIMAL              */
    uint32_t len;  /* SEAM_V_TEXT: bytes          */
    union {
        int64_t i; /* INT, DECIMAL, BOOL, TIME */
        double d;
        const char *s;
    };
};

enum { SEAM_DECIMAL_SCALE_MAX = 18, SEAM_TEXT_MAX = 16 << 20 };

static inline struct seam_value seam_v_null(void)
{
    struct seam_value v = {SEAM_V_NULL, 0, 0, {0}};

    return v;
}
static inline struct seam_value seam_v_int(int64_t i)
{
    struct seam_value v = {SEAM_V_INT, 0, 0, {i}};

    return v;
}
static inline struct seam_value seam_v_double(double d)
{
    struct seam_value v = {SEAM_V_DOUBLE, 0, 0, {0}};

    v.d = d;
    return v;
}
static inline struct seam_value seam_v_bool(bool b)
{
    struct seam_value v = {SEAM_V_BOOL, 0, 0, {b}};

    return v;
}
static inline struct seam_value seam_v_time(int64_t us)
{
    struct seam_value v = {SEAM_V_TIME, 0, 0, {us}};

    return v;
}
static inline struct seam_value seam_v_decimal(int64_t scaled, uint8_t scale)
{
    struct seam_value v = {SEAM_V_DECIMAL, scale, 0, {scaled}};

    return v;
}
static inline struct seam_value seam_v_text(const char *s, size_t n)
{
    struct seam_value v = {SEAM_V_TEXT, 0, (uint32_t)n, {0}};

    v.s = s;
    return v;
}
struct seam_value seam_v_str(const char *terminated);

const char *seam_value_type_name(
    enum seam_value_type t); /* "int64", "double", "decimal", "bool", "timestamp", "text" */
bool seam_value_type_parse(const char *name, enum seam_value_type *out);

/* Total order within a type; null first; int/decimal/double compare by number across types. NaN sorts
 * above every number and equals itself.                                                           */
int seam_value_compare(const struct seam_value *a, const struct seam_value *b);
bool seam_value_equal(const struct seam_value *a, const struct seam_value *b);

/* Exact decimal text. parse: optional sign, digits, at most `scale` digits after the point (further
 * digits must be 0 else SEAM_INVALID), overflow is SEAM_LIMIT.                                        */
enum seam_status seam_decimal_parse(const char *s, size_t n, unsigned scale, int64_t *out);
size_t seam_decimal_format(int64_t v, unsigned scale, char out[32]);
/* Rescales exactly; SEAM_INVALID when digits would be lost, SEAM_LIMIT on overflow.                    */
enum seam_status seam_decimal_rescale(int64_t v, unsigned from, unsigned to, int64_t *out);
int64_t seam_decimal_pow10(unsigned n); /* n <= 18 */

/* "2011-12-09 12:50:00", 'T' or ' ', optional fraction (to microseconds) and offset "Z"/"+01:00";
 * date alone is midnight. Strict calendar.                                                        */
enum seam_status seam_time_parse(const char *s, size_t n, int64_t *us);
size_t seam_time_format(int64_t us,
                        char out[40]); /* 2011-12-09T12:50:00Z, fraction only when there is one */
struct seam_civil {
    int32_t year;
    uint8_t month, day, hour, minute, second;
    uint32_t micro;
};
void seam_time_to_civil(int64_t us, struct seam_civil *c);
int64_t seam_civil_to_time(const struct seam_civil *c);

enum seam_status seam_int_parse(const char *s, size_t n,
                                int64_t *out); /* whole string; SEAM_INVALID, SEAM_LIMIT */
enum seam_status seam_double_parse(const char *s, size_t n, double *out); /* locale-free */
size_t seam_double_format(double d, char out[32]); /* shortest that reads back equal */

/* Text to a value of the given type and back. An empty string is null for every type but text.
 * The text value points into `s`.                                                                 */
enum seam_status seam_value_parse(const char *s, size_t n, enum seam_value_type t, unsigned scale,
                                  struct seam_value *out);
void seam_value_format(const struct seam_value *v, struct seam_buf *out); /* null prints nothing */

#ifdef __cplusplus
}
#endif

#endif
