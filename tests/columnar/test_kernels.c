/* Goal:   an operator gives the same whatever form its arguments come in.
 * Method: vectors made by hand in all nine pairs of {constant, dictionary, flat}, with and without nulls, of
 *         every length from 0 to 2,048; each row of the answer is held to columnar_expr_eval_row, its bounds to
 *         its values. Memory ends where a vector ends, so that reading past it is seen by the sanitizers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/exec/expr.h"
#include "engine/base/rng.h"
#include "tests/common/check_main.h"

enum { ARGS = 3, ENTRIES = 40 };

static struct seam_rng rng;
static struct seam_arena made_in, row_memory;

static uint64_t below(uint64_t n)
{
    return seam_rng_below(&rng, n);
}

/* ---- vectors ---- */

struct made {
    struct columnar_vec v;
    void *data;
    uint32_t *code;
    uint64_t *nulls;
    char *text;
};

static int64_t random_int(unsigned type)
{
    static const int64_t odd[] = {0, 1, -1, INT64_MAX, INT64_MIN, 1000000007, -42, 99, 100, 5};

    if (type == SEAM_V_BOOL) return (int64_t)below(2);
    if (type == SEAM_V_TIME) return seam_rng_range(&rng, -62135596800, 253402300799) * 1000000;
    return below(4) == 0 ? odd[below(SEAM_ARRAY_LEN(odd))] : seam_rng_range(&rng, -20, 20);
}

static double random_double(void)
{
    static const double odd[] = {0.0, -0.0, 1.5, -2.5, NAN, INFINITY, -INFINITY, 1e300, 0.5, 9e15};

    return below(3) == 0 ? odd[below(SEAM_ARRAY_LEN(odd))] : (double)seam_rng_range(&rng, -9, 9);
}

static struct columnar_text_ref random_text(void)
{
    static const char *const words[] = {"",
                                        "a",
                                        "b",
                                        "ab",
                                        "Ab",
                                        "12",
                                        "-7.5",
                                        "\xc3\x84rger",
                                        "\xc3\xa4RGER",
                                        "x_y%",
                                        "true",
                                        "2024-02-29",
                                        "\xf0\x9f\x98\x80"};
    const char *s = words[below(SEAM_ARRAY_LEN(words))];

    return (struct columnar_text_ref){s, (uint32_t)strlen(s)};
}

static struct made make_vec(enum columnar_vec_kind kind, unsigned type, unsigned scale, bool nulls,
                            uint32_t rows)
{
    struct made m = {.v = {.kind = (uint8_t)kind, .type = (uint8_t)type, .scale = (uint8_t)scale}};
    size_t n = kind == COLUMNAR_VEC_CONST  ? 1
               : kind == COLUMNAR_VEC_DICT ? 1 + below(ENTRIES)
                                           : rows;
    bool small = below(2) == 0;

    m.v.lo = INT64_MAX;
    m.v.hi = INT64_MIN;
    m.data = calloc(n + (n == 0), type == SEAM_V_TEXT ? sizeof(struct columnar_text_ref) : 8);
    m.nulls = calloc(COLUMNAR_VECTOR_WORDS, 8);
    m.code = calloc(rows + 1, sizeof *m.code);
    for (size_t i = 0; i < n; i++) {
        if (type == SEAM_V_TEXT) {
            ((struct columnar_text_ref *)m.data)[i] = random_text();
        } else if (type == SEAM_V_DOUBLE) {
            ((double *)m.data)[i] = random_double();
        } else {
            int64_t x = small && type != SEAM_V_TIME && type != SEAM_V_BOOL
                            ? seam_rng_range(&rng, -9, 9)
                            : random_int(type);

            ((int64_t *)m.data)[i] = x;
            if (x < m.v.lo) m.v.lo = x;
            if (x > m.v.hi) m.v.hi = x;
        }
    }
    m.v.i = m.data;
    for (uint32_t i = 0; i < rows && kind == COLUMNAR_VEC_DICT; i++) m.code[i] = (uint32_t)below(n);
    if (kind == COLUMNAR_VEC_DICT) {
        m.v.code = m.code;
        m.v.dict_count = (uint32_t)n;
    }
    if (type == SEAM_V_TEXT || type == SEAM_V_DOUBLE || below(3) == 0 || n == 0) {
        m.v.lo = INT64_MIN; /* not known */
        m.v.hi = INT64_MAX;
    }
    if (!nulls) return m;
    for (uint32_t i = 0; i < (kind == COLUMNAR_VEC_CONST ? 1 : rows); i++)
        if (kind == COLUMNAR_VEC_CONST || below(3) == 0) seam_bitset_set(m.nulls, i);
    m.v.nulls = m.nulls;
    return m;
}

static void free_vec(struct made *m)
{
    free(m->data);
    free(m->code);
    free(m->nulls);
}

/* ---- expressions over columns 0, 1 and 2 ---- */

struct shape {
    const char *name;
    unsigned type[ARGS], scale[ARGS];
    const struct columnar_expr *(*make)(struct seam_arena *a, const struct shape *s);
    enum columnar_expr_op op;
};

static const struct columnar_expr *column(struct seam_arena *a, const struct shape *s, int c)
{
    const struct columnar_expr *e = NULL;

    ASSERT_STATUS(columnar_expr_column(a, c, s->type[c], s->scale[c], &e, NULL), SEAM_OK);
    return e;
}

static const struct columnar_expr *value(struct seam_arena *a, struct seam_value v)
{
    const struct columnar_expr *e = NULL;

    ASSERT_STATUS(columnar_expr_const(a, &v, &e, NULL), SEAM_OK);
    return e;
}

static const struct columnar_expr *call(struct seam_arena *a, enum columnar_expr_op op, int n,
                                        const struct columnar_expr *x,
                                        const struct columnar_expr *y,
                                        const struct columnar_expr *z)
{
    const struct columnar_expr *args[] = {x, y, z}, *e = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(columnar_expr_call(a, op, args, n, &e, &f), &f);
    return e;
}

static const struct columnar_expr *one(struct seam_arena *a, const struct shape *s)
{
    return call(a, s->op, 1, column(a, s, 0), NULL, NULL);
}
static const struct columnar_expr *two(struct seam_arena *a, const struct shape *s)
{
    return call(a, s->op, 2, column(a, s, 0), column(a, s, 1), NULL);
}
static const struct columnar_expr *three(struct seam_arena *a, const struct shape *s)
{
    return call(a, s->op, 3, column(a, s, 0), column(a, s, 1), column(a, s, 2));
}
/* Arguments that are themselves computed: what an operator leaves behind is the next one's input. */
static const struct columnar_expr *nested(struct seam_arena *a, const struct shape *s)
{
    const struct columnar_expr *x =
        call(a, COLUMNAR_E_ADD, 2, column(a, s, 0), value(a, seam_v_int(1)), NULL);

    return call(a, s->op, 2, x, column(a, s, 1), NULL);
}
static const struct columnar_expr *conditions(struct seam_arena *a, const struct shape *s)
{
    const struct columnar_expr *x = call(a, COLUMNAR_E_LT, 2, column(a, s, 0), column(a, s, 1),
                                         NULL),
                               *y = call(a, COLUMNAR_E_EQ, 2, column(a, s, 1), column(a, s, 0),
                                         NULL);

    return s->op == COLUMNAR_E_NOT ? call(a, s->op, 1, x, NULL, NULL)
                                   : call(a, s->op, 2, x, y, NULL);
}
static const struct columnar_expr *with_itself(struct seam_arena *a, const struct shape *s)
{
    return call(a, s->op, 2, column(a, s, 0), column(a, s, 0), NULL);
}
static const struct columnar_expr *in_list(struct seam_arena *a, const struct shape *s)
{
    const struct columnar_expr *args[] = {column(a, s, 0), value(a, seam_v_int(1)),
                                          value(a, seam_v_int(5)), value(a, seam_v_int(-3)),
                                          value(a, seam_v_null())},
                               *e = NULL;

    ASSERT_STATUS(columnar_expr_call(a, COLUMNAR_E_IN, args, below(2) ? 5 : 4, &e, NULL), SEAM_OK);
    return e;
}
static const struct columnar_expr *like(struct seam_arena *a, const struct shape *s)
{
    static const char *const patterns[] = {"%", "a%", "_", "%b", "_b", "\xc3\xa4%", "%R%"};

    return call(a, s->op, 2, column(a, s, 0),
                value(a, seam_v_str(patterns[below(SEAM_ARRAY_LEN(patterns))])), NULL);
}
static const struct columnar_expr *branches(struct seam_arena *a, const struct shape *s)
{
    return call(a, COLUMNAR_E_CASE, 3,
                call(a, COLUMNAR_E_LT, 2, column(a, s, 0), column(a, s, 1), NULL), column(a, s, 0),
                column(a, s, 2));
}
static const struct columnar_expr *substr(struct seam_arena *a, const struct shape *s)
{
    return call(a, COLUMNAR_E_SUBSTR, 3, column(a, s, 0), column(a, s, 1), column(a, s, 2));
}
static const struct columnar_expr *cast(struct seam_arena *a, const struct shape *s)
{
    const struct columnar_expr *e = NULL;

    ASSERT_STATUS(columnar_expr_cast(a, column(a, s, 0), s->type[1], s->scale[1], &e, NULL),
                  SEAM_OK);
    return e;
}
static const struct columnar_expr *date(struct seam_arena *a, const struct shape *s)
{
    const struct columnar_expr *e = NULL;
    enum columnar_date_part part =
        below(s->op == COLUMNAR_E_DATE_TRUNC ? COLUMNAR_PART_DOW : COLUMNAR_PART_COUNT);

    ASSERT_STATUS(columnar_expr_date(a, s->op, part, column(a, s, 0), &e, NULL), SEAM_OK);
    return e;
}

#define INT  SEAM_V_INT
#define DEC  SEAM_V_DECIMAL
#define DBL  SEAM_V_DOUBLE
#define BOOL SEAM_V_BOOL
#define TIME SEAM_V_TIME
#define TEXT SEAM_V_TEXT
#define COMPARE(op, name)                                                                          \
    {name, {INT, INT}, {0}, two, op}, {name " decimal", {DEC, DEC}, {2, 2}, two, op},              \
        {name " scales", {DEC, DEC}, {1, 4}, two, op}, {name " 18", {INT, DEC}, {0, 18}, two, op}, \
        {name " bool", {BOOL, BOOL}, {0}, two, op}, {name " time", {TIME, TIME}, {0}, two, op},    \
        {name " text", {TEXT, TEXT}, {0}, two, op}, {name " double", {DBL, DBL}, {0}, two, op},    \
        {name " mixed", {INT, DBL}, {0}, two, op},                                                 \
    {                                                                                              \
        name " itself", {INT}, {0}, with_itself, op                                                \
    }

static const struct shape shapes[] = {
    COMPARE(COLUMNAR_E_EQ, "="),
    COMPARE(COLUMNAR_E_NE, "<>"),
    COMPARE(COLUMNAR_E_LT, "<"),
    COMPARE(COLUMNAR_E_LE, "<="),
    COMPARE(COLUMNAR_E_GT, ">"),
    COMPARE(COLUMNAR_E_GE, ">="),
    {"between", {INT, INT, INT}, {0}, three, COLUMNAR_E_BETWEEN},
    {"between decimals", {DEC, DEC, DEC}, {2, 2, 2}, three, COLUMNAR_E_BETWEEN},
    {"between times", {TIME, TIME, TIME}, {0}, three, COLUMNAR_E_BETWEEN},
    {"+", {INT, INT}, {0}, two, COLUMNAR_E_ADD},
    {"-", {DEC, DEC}, {2, 2}, two, COLUMNAR_E_SUB},
    {"- scales", {DEC, INT}, {3, 0}, two, COLUMNAR_E_SUB},
    {"*", {INT, DEC}, {0, 2}, two, COLUMNAR_E_MUL},
    {"+ doubles", {DBL, DBL}, {0}, two, COLUMNAR_E_ADD},
    {"/", {DBL, INT}, {0}, two, COLUMNAR_E_DIV},
    {"/ ints", {INT, INT}, {0}, two, COLUMNAR_E_DIV},
    {"%", {INT, INT}, {0}, two, COLUMNAR_E_MOD},
    {"time -", {TIME, TIME}, {0}, two, COLUMNAR_E_SUB},
    {"neg", {INT}, {0}, one, COLUMNAR_E_NEG},
    {"abs", {DEC}, {2}, one, COLUMNAR_E_ABS},
    {"x + 1 = y", {INT, INT}, {0}, nested, COLUMNAR_E_EQ},
    {"x + 1 - y", {INT, INT}, {0}, nested, COLUMNAR_E_SUB},
    {"and", {INT, INT}, {0}, conditions, COLUMNAR_E_AND},
    {"or", {DBL, DBL}, {0}, conditions, COLUMNAR_E_OR},
    {"not", {TEXT, TEXT}, {0}, conditions, COLUMNAR_E_NOT},
    {"and columns", {BOOL, BOOL}, {0}, two, COLUMNAR_E_AND},
    {"or columns", {BOOL, BOOL}, {0}, two, COLUMNAR_E_OR},
    {"is null", {INT}, {0}, one, COLUMNAR_E_IS_NULL},
    {"is not null", {TEXT}, {0}, one, COLUMNAR_E_IS_NOT_NULL},
    {"in", {INT}, {0}, in_list, COLUMNAR_E_IN},
    {"in decimals", {DEC}, {1}, in_list, COLUMNAR_E_IN},
    {"like", {TEXT}, {0}, like, COLUMNAR_E_LIKE},
    {"ilike", {TEXT}, {0}, like, COLUMNAR_E_ILIKE},
    {"case", {INT, INT, INT}, {0}, branches, COLUMNAR_E_CASE},
    {"case text", {TEXT, TEXT, TEXT}, {0}, branches, COLUMNAR_E_CASE},
    {"coalesce", {INT, INT, INT}, {0}, three, COLUMNAR_E_COALESCE},
    {"coalesce text", {TEXT, TEXT}, {0}, two, COLUMNAR_E_COALESCE},
    {"concat", {TEXT, TEXT}, {0}, two, COLUMNAR_E_CONCAT},
    {"lower", {TEXT}, {0}, one, COLUMNAR_E_LOWER},
    {"upper", {TEXT}, {0}, one, COLUMNAR_E_UPPER},
    {"length", {TEXT}, {0}, one, COLUMNAR_E_LENGTH},
    {"substr", {TEXT, INT, INT}, {0}, substr, COLUMNAR_E_SUBSTR},
    {"round", {DEC, INT}, {3, 0}, two, COLUMNAR_E_ROUND},
    {"round double", {DBL, INT}, {0}, two, COLUMNAR_E_ROUND},
    {"int to double", {INT, DBL}, {0}, cast, COLUMNAR_E_CAST},
    {"int to decimal", {INT, DEC}, {0, 2}, cast, COLUMNAR_E_CAST},
    {"decimal to int", {DEC, INT}, {2, 0}, cast, COLUMNAR_E_CAST},
    {"decimal to double", {DEC, DBL}, {2, 0}, cast, COLUMNAR_E_CAST},
    {"double to int", {DBL, INT}, {0}, cast, COLUMNAR_E_CAST},
    {"int to text", {INT, TEXT}, {0}, cast, COLUMNAR_E_CAST},
    {"time to text", {TIME, TEXT}, {0}, cast, COLUMNAR_E_CAST},
    {"text to int", {TEXT, INT}, {0}, cast, COLUMNAR_E_CAST},
    {"bool to int", {BOOL, INT}, {0}, cast, COLUMNAR_E_CAST},
    {"date_trunc", {TIME}, {0}, date, COLUMNAR_E_DATE_TRUNC},
    {"date_part", {TIME}, {0}, date, COLUMNAR_E_DATE_PART},
};

/* ---- the comparison ---- */

static bool same(const struct seam_value *a, const struct seam_value *b)
{
    if (a->type != b->type) return false;
    if (a->type == SEAM_V_DOUBLE && a->d == b->d) return signbit(a->d) == signbit(b->d);
    return seam_value_equal(a, b);
}

static void describe(const struct shape *s, const struct columnar_batch *b, char out[200])
{
    int n = snprintf(out, 200, "%s over %u rows of", s->name, b->rows);

    for (int c = 0; c < ARGS && n < 180; c++)
        n += snprintf(out + n, 200 - (size_t)n, " %s%s",
                      b->cols[c].kind == COLUMNAR_VEC_CONST  ? "const"
                      : b->cols[c].kind == COLUMNAR_VEC_DICT ? "dict"
                                                             : "flat",
                      b->cols[c].nulls != NULL ? "?" : "");
}

/* Rows worth a look: all of a short vector, both ends and a sample of a long one. */
static uint32_t next_row(uint32_t i, uint32_t rows, bool all)
{
    if (all || i < 70 || i + 70 >= rows) return i + 1;
    return i + 1 + (uint32_t)below(60);
}

/* Asks Check only where something is wrong: each assertion that holds is a system call. */
static void check_case(const struct shape *s, const struct columnar_expr *e,
                       const struct columnar_batch *b, struct columnar_expr_state *state, bool all)
{
    struct columnar_vec got;
    struct seam_fault f = {0};
    char what[200];
    enum seam_status st, naive = SEAM_OK;

    columnar_expr_state_reset(state);
    st = columnar_expr_eval(state, e, b, &got, &f);
    describe(s, b, what);
    for (uint32_t i = 0; i < b->rows; i = next_row(i, b->rows, all || st != SEAM_OK)) {
        struct seam_value row[ARGS], want, have;

        for (int c = 0; c < ARGS; c++) row[c] = columnar_vec_value(&b->cols[c], i);
        naive = columnar_expr_eval_row(e, row, &row_memory, &want, NULL);
        if (naive != SEAM_OK) break;
        if (st != SEAM_OK) continue;
        have = columnar_vec_value(&got, i);
        if (!same(&have, &want)) ck_abort_msg("%s: row %u", what, i);
        if (have.type != SEAM_V_NULL && have.type != SEAM_V_TEXT && have.type != SEAM_V_DOUBLE)
            if (have.i < got.lo || have.i > got.hi)
                ck_abort_msg("%s: row %u out of its bounds", what, i);
    }
    /* A sample may miss the row that fails; no row failing means that nothing fails. */
    ck_assert_msg(naive == SEAM_OK ? st == SEAM_OK : st == naive, "%s: %s, rows say %s (%s)", what,
                  seam_status_name(st), seam_status_name(naive), f.why);
    if (st == SEAM_OK && e->type == SEAM_V_BOOL) {
        uint64_t sel[COLUMNAR_VECTOR_WORDS];

        for (int w = 0; w < COLUMNAR_VECTOR_WORDS; w++)
            sel[w] = below(2) ? UINT64_MAX : seam_rng_u64(&rng);
        uint64_t before[COLUMNAR_VECTOR_WORDS];
        memcpy(before, sel, sizeof sel);
        ASSERT_STATUS(columnar_expr_filter(state, e, b, sel, NULL), SEAM_OK);
        for (uint32_t i = 0; i < b->rows; i++) {
            struct seam_value v = columnar_vec_value(&got, i);
            bool yes = v.type != SEAM_V_NULL && v.i != 0 && seam_bitset_get(before, i);

            if (seam_bitset_get(sel, i) != yes) ck_abort_msg("%s: filter of row %u", what, i);
        }
    }
    seam_arena_reset(&row_memory);
}

static void check_forms(const struct shape *s, uint32_t rows, struct columnar_expr_state *state,
                        bool all)
{
    for (int pair = 0; pair < 9; pair++)
        for (int nulls = all ? 0 : (int)below(4); nulls < 4; nulls += all ? 1 : 4) {
            struct made m[ARGS];
            struct columnar_vec cols[ARGS];
            struct columnar_batch b = {.rows = rows, .count = ARGS, .cols = cols};
            enum columnar_vec_kind kinds[] = {pair % 3, pair / 3, (enum columnar_vec_kind)below(3)};

            for (int c = 0; c < ARGS; c++) {
                m[c] = make_vec(kinds[c], s->type[c] == 0 ? SEAM_V_INT : s->type[c], s->scale[c],
                                c < 2 ? (nulls >> c) & 1 : below(2), rows);
                cols[c] = m[c].v;
            }
            check_case(s, s->make(&made_in, s), &b, state, all);
            for (int c = 0; c < ARGS; c++) free_vec(&m[c]);
            seam_arena_reset(&made_in);
        }
}

static void test_every_operator_over_every_form(void)
{
    static const uint32_t lengths[] = {0, 1, 7, 64, 65, 2048};
    struct columnar_expr_state *state = columnar_expr_state_new();

    seam_rng_seed(&rng, test_seed());
    for (size_t s = 0; s < SEAM_ARRAY_LEN(shapes); s++)
        for (size_t n = 0; n < SEAM_ARRAY_LEN(lengths); n++)
            check_forms(&shapes[s], lengths[n], state, true);
    columnar_expr_state_free(state);
}

static void test_every_length(void)
{
    struct columnar_expr_state *state = columnar_expr_state_new();

    seam_rng_seed(&rng, test_seed());
    for (uint32_t rows = 0; rows <= COLUMNAR_VECTOR_ROWS; rows++)
        check_forms(&shapes[below(SEAM_ARRAY_LEN(shapes))], rows, state, false);
    columnar_expr_state_free(state);
}

static const struct named_test tests[] = {T(test_every_operator_over_every_form),
                                          T(test_every_length)};

int main(int argc, char **argv)
{
    return run_tests("columnar.kernels", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
