/* func_number - scalar functions of numbers. */
#include <math.h>
#include <string.h>

#include "columnar/exec/func.h"

#define FUNC(name)                                                                                 \
    static enum seam_status name(const struct columnar_func_call *c, const struct seam_value *a,   \
                                 int n, struct seam_arena *mem, struct seam_value *out,            \
                                 struct seam_fault *f)
#define UNUSED (void)c, (void)n, (void)mem, (void)f

static enum seam_status out_of_range(const struct columnar_func_call *c, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                          "%s has no value for this number", c->name);
}

#define SIMPLE(name, valid, value)                                                                 \
    FUNC(name)                                                                                     \
    {                                                                                              \
        double x = a[0].d;                                                                         \
                                                                                                   \
        UNUSED;                                                                                    \
        if (!(valid)) return out_of_range(c, f);                                                   \
        *out = seam_v_double(value);                                                               \
        return SEAM_OK;                                                                            \
    }

SIMPLE(square_root, !(x < 0), sqrt(x))
SIMPLE(cube_root, true, cbrt(x))
SIMPLE(natural_log, !(x <= 0), log(x))
SIMPLE(log_10, !(x <= 0), log10(x))
SIMPLE(log_2, !(x <= 0), log2(x))
SIMPLE(exponential, true, exp(x))
SIMPLE(sine, true, sin(x))
SIMPLE(cosine, true, cos(x))
SIMPLE(tangent, true, tan(x))
SIMPLE(arc_sine, x >= -1 && x <= 1, asin(x))
SIMPLE(arc_cosine, x >= -1 && x <= 1, acos(x))
SIMPLE(arc_tangent, true, atan(x))
SIMPLE(to_radians, true, x *(M_PI / 180))
SIMPLE(to_degrees, true, x *(180 / M_PI))
SIMPLE(to_power, true, pow(x, a[1].d))
SIMPLE(arc_tangent2, true, atan2(x, a[1].d))

FUNC(pi)
{
    UNUSED;
    (void)a;
    *out = seam_v_double(M_PI);
    return SEAM_OK;
}

FUNC(is_nan)
{
    UNUSED;
    *out = seam_v_bool(a[0].d != a[0].d);
    return SEAM_OK;
}

/* A decimal without its places, rounded down (way -1), up (1) or towards zero (0). */
static int64_t whole(const struct seam_value *v, int way)
{
    int64_t p = seam_decimal_pow10(v->scale), w = v->i / p, rest = v->i % p;

    if (way < 0 && rest < 0) w--;
    if (way > 0 && rest > 0) w++;
    return w;
}

static enum seam_status rounded(const struct seam_value *a, int way, struct seam_value *out)
{
    *out = *a;
    if (a->type == SEAM_V_DOUBLE)
        out->d = way < 0 ? floor(a->d) : way > 0 ? ceil(a->d) : trunc(a->d);
    else if (a->type == SEAM_V_DECIMAL)
        *out = seam_v_decimal(whole(a, way), 0);
    return SEAM_OK;
}

FUNC(floor_of)
{
    UNUSED;
    return rounded(&a[0], -1, out);
}
FUNC(ceiling_of)
{
    UNUSED;
    return rounded(&a[0], 1, out);
}
FUNC(trunc_of)
{
    UNUSED;
    return rounded(&a[0], 0, out);
}

FUNC(sign_of)
{
    UNUSED;
    *out = seam_v_int(a[0].type == SEAM_V_DOUBLE ? (a[0].d > 0) - (a[0].d < 0)
                                                 : (a[0].i > 0) - (a[0].i < 0));
    return SEAM_OK;
}

static double number(const struct seam_value *v)
{
    if (v->type == SEAM_V_DOUBLE) return v->d;
    return v->scale > 0 ? (double)v->i / (double)seam_decimal_pow10(v->scale) : (double)v->i;
}

/* mod of ints and of equal decimals is exact; else it is of doubles, in the first one's type. */
FUNC(modulo)
{
    double d;

    UNUSED;
    *out = a[0];
    if (a[0].type != SEAM_V_DOUBLE && a[1].type != SEAM_V_DOUBLE && a[0].scale == a[1].scale) {
        if (a[1].i == 0)
            *out = seam_v_null();
        else
            out->i = a[1].i == -1 ? 0 : a[0].i % a[1].i;
        return SEAM_OK;
    }
    if (number(&a[1]) == 0) {
        *out = seam_v_null();
        return SEAM_OK;
    }
    d = fmod(number(&a[0]), number(&a[1]));
    if (a[0].type == SEAM_V_DOUBLE)
        out->d = d;
    else
        out->i = (int64_t)rint(d * (double)seam_decimal_pow10(a[0].scale));
    return SEAM_OK;
}

const struct columnar_func columnar_number_funcs[] = {
    {"sqrt", "d", 'd', false, square_root, NULL},
    {"cbrt", "d", 'd', false, cube_root, NULL},
    {"ln", "d", 'd', false, natural_log, NULL},
    {"log", "d", 'd', false, log_10, NULL},
    {"log10", "d", 'd', false, log_10, NULL},
    {"log2", "d", 'd', false, log_2, NULL},
    {"exp", "d", 'd', false, exponential, NULL},
    {"power", "dd", 'd', false, to_power, NULL},
    {"pow", "dd", 'd', false, to_power, NULL},
    {"sin", "d", 'd', false, sine, NULL},
    {"cos", "d", 'd', false, cosine, NULL},
    {"tan", "d", 'd', false, tangent, NULL},
    {"asin", "d", 'd', false, arc_sine, NULL},
    {"acos", "d", 'd', false, arc_cosine, NULL},
    {"atan", "d", 'd', false, arc_tangent, NULL},
    {"atan2", "dd", 'd', false, arc_tangent2, NULL},
    {"radians", "d", 'd', false, to_radians, NULL},
    {"degrees", "d", 'd', false, to_degrees, NULL},
    {"pi", "", 'd', false, pi, NULL},
    {"isnan", "d", 'b', false, is_nan, NULL},
    {"floor", "n", 'z', false, floor_of, NULL},
    {"ceil", "n", 'z', false, ceiling_of, NULL},
    {"ceiling", "n", 'z', false, ceiling_of, NULL},
    {"trunc", "n", 'z', false, trunc_of, NULL},
    {"sign", "n", 'i', false, sign_of, NULL},
    {"mod", "nn", 'n', false, modulo, NULL},
};
const int columnar_number_func_count = (int)SEAM_ARRAY_LEN(columnar_number_funcs);
