/* Goal:   questions in SQL get the answers a naive evaluator gives.
 * Method: random schemas and rows of every shape (constant, sorted, runs, few and many values; the ends of every type, NaN,
 *         unicode) in files, journal and tail, changed and ended; random questions over them, now and AS OF a
 *         moment before the changes, held to tests/columnar/naive.c. A fresh seed each run, printed; SEED= repeats it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "columnar/sql/sql.h"
#include "engine/base/rng.h"
#include "tests/columnar/naive.h"
#include "tests/common/check_main.h"

enum { TABLES = 3, COLUMNS_MAX = 10, ITEMS_MAX = 6, SCOPE_MAX = TABLES * COLUMNS_MAX };

struct column {
    char name[8];
    uint8_t type, scale;
    int style, null_in;
};
struct table {
    char name[8];
    int n;
    struct column columns[COLUMNS_MAX];
    size_t rows[2];              /* before the changes, and now */
    struct seam_value *cells[2]; /* rows x n */
};
struct world {
    struct seam_rng rng;
    struct seam_arena text, tree;
    struct table tables[TABLES];
    struct columnar_writer *w;
    struct columnar_reader *r;
    seam_lsn_t lsn, before;
    uint64_t seed;
};

static uint64_t below(struct world *x, uint64_t n)
{
    return seam_rng_below(&x->rng, n);
}

/* ---- rows ---- */

static const char *const words[] = {"",
                                    "a",
                                    "ab",
                                    "Ab",
                                    "cancelled",
                                    "cancelled by us",
                                    "zz",
                                    "\xc3\xa9",
                                    "\xe6\x97\xa5\xe6\x9c\xac",
                                    "\xf0\x9f\x98\x80",
                                    "it's",
                                    "100%",
                                    "a_b",
                                    "12",
                                    "-7"};

static struct seam_value random_value(struct world *x, const struct column *c, size_t row)
{
    static const int64_t ints[] = {INT64_MAX, INT64_MIN, 0, -1, 9007199254740993, 42};
    static const double doubles[] = {NAN, INFINITY, -INFINITY, -0.0, 0.0, 1e300, 0.1};
    char s[64];
    int n;

    if (c->null_in > 0 && below(x, (uint64_t)c->null_in) == 0) return seam_v_null();
    switch (c->type) {
    case SEAM_V_INT:
        return seam_v_int(c->style == 0       ? (int64_t)row / 3
                          : c->style == 1     ? seam_rng_range(&x->rng, -3, 6)
                          : c->style == 2     ? 5
                          : c->style == 3     ? (int64_t)(row / 1000)
                          : below(x, 30) == 0 ? ints[below(x, SEAM_ARRAY_LEN(ints))]
                                              : seam_rng_range(&x->rng, -1000000, 1000000));
    case SEAM_V_DOUBLE:
        return seam_v_double(c->style == 2       ? 2.5
                             : below(x, 15) == 0 ? doubles[below(x, SEAM_ARRAY_LEN(doubles))]
                                                 : (double)seam_rng_range(&x->rng, -9000, 9000) /
                                                       (c->style == 1 ? 4 : 7));
    case SEAM_V_DECIMAL:
        return seam_v_decimal(c->style == 2 ? 125
                                            : seam_rng_range(&x->rng, -20000, 20000) *
                                                  (c->style == 4 ? 1000003 : 1),
                              c->scale);
    case SEAM_V_BOOL: return seam_v_bool(c->style == 2 || below(x, 2));
    case SEAM_V_TIME: /* the years 1 to 9999, or days of a year */
        return seam_v_time(c->style < 3
                               ? (19600 + (int64_t)below(x, 300)) * 86400000000
                               : seam_rng_range(&x->rng, -62135596800, 253402300799) * 1000000);
    default:
        n = snprintf(s, sizeof s, "%s", words[below(x, SEAM_ARRAY_LEN(words))]);
        if (c->style >= 3) n += snprintf(s + n, sizeof s - (size_t)n, "%d", (int)below(x, 500));
        return seam_v_text(seam_arena_strdup(&x->text, s, (size_t)n), (size_t)n);
    }
}

static void random_schema(struct world *x, struct table *t, int at)
{
    static const uint8_t types[] = {SEAM_V_INT,  SEAM_V_DOUBLE, SEAM_V_DECIMAL, SEAM_V_BOOL,
                                    SEAM_V_TIME, SEAM_V_TEXT,   SEAM_V_TEXT};

    snprintf(t->name, sizeof t->name, "t%d", at);
    t->n = 4 + (int)below(x, COLUMNS_MAX - 3);
    for (int c = 0; c < t->n; c++) {
        struct column *col = &t->columns[c];

        *col = (struct column){.type = c == 1   ? SEAM_V_INT
                                       : c == 2 ? SEAM_V_TEXT
                                                : types[below(x, SEAM_ARRAY_LEN(types))],
                               .style = c == 1 ? 1 : (int)below(x, 5),
                               .null_in = below(x, 3) == 0 ? 0 : 3 + (int)below(x, 20)};
        if (c == 0) col->type = SEAM_V_INT;
        if (col->type == SEAM_V_DECIMAL) col->scale = (uint8_t)below(x, 8);
        snprintf(col->name, sizeof col->name, c == 0 ? "k" : "c%d", c);
    }
}

static void define(struct world *x, struct table *t)
{
    struct seam_buf json = {0};
    struct seam_schema s = {0};
    struct seam_fault f = {0};

    seam_buf_printf(&json, "{\"table\":\"%s\",\"version\":1,\"key\":[\"k\"],\"columns\":[",
                    t->name);
    for (int c = 0; c < t->n; c++) {
        seam_buf_printf(&json, "%s{\"name\":\"%s\",\"type\":\"%s\"", c > 0 ? "," : "",
                        t->columns[c].name, seam_value_type_name(t->columns[c].type));
        if (t->columns[c].type == SEAM_V_DECIMAL)
            seam_buf_printf(&json, ",\"scale\":%d", t->columns[c].scale);
        seam_buf_str(&json, c > 0 ? ",\"nullable\":true}" : "}");
    }
    seam_buf_str(&json, "]}");
    ASSERT_OK(seam_schema_parse(seam_buf_cstr(&json), json.size, &s, &f), &f);
    ASSERT_OK(columnar_define_table(x->w, &s, NULL, &f), &f);
    seam_schema_free(&s);
    seam_buf_free(&json);
}

static void publish(struct world *x)
{
    struct seam_fault f = {0};

    ASSERT_OK(columnar_publish(x->w, x->lsn, (int64_t)x->lsn, &f), &f);
}

static void put_row(struct world *x, int table, const struct seam_value *row)
{
    struct seam_fault f = {0};

    if (columnar_append(x->w, table, row, x->lsn, &f) != SEAM_OK) ck_abort_msg("%s", f.why);
}

static void fill(struct world *x, int at, size_t rows)
{
    struct table *t = &x->tables[at];
    size_t each = rows / (1 + below(x, 6)) + 1;

    t->rows[0] = rows;
    t->cells[0] = calloc(rows * (size_t)t->n + 1, sizeof *t->cells[0]);
    for (size_t i = 0; i < rows; i++) {
        struct seam_value *row = t->cells[0] + i * (size_t)t->n;

        for (int c = 0; c < t->n; c++)
            row[c] = c == 0 ? seam_v_int((int64_t)i) : random_value(x, &t->columns[c], i);
        if (i % each == 0) x->lsn++;
        put_row(x, at, row);
        if ((i + 1) % each == 0) publish(x);
    }
}

/* Some rows are changed, some end, some come. */
static void change(struct world *x, int at)
{
    struct table *t = &x->tables[at];
    size_t old = t->rows[0], n = (size_t)t->n, kept = 0;

    t->cells[1] = calloc((old + 20) * n + 1, sizeof *t->cells[1]);
    x->lsn++;
    for (size_t i = 0; i < old + 20; i++) {
        struct seam_value *row = t->cells[1] + kept * n;
        uint64_t fate = i < old ? below(x, 12) : 0;

        if (i < old) memcpy(row, t->cells[0] + i * n, n * sizeof *row);
        if (fate == 1) {
            struct seam_fault f = {0};

            ASSERT_OK(columnar_delete(x->w, at, row, x->lsn, NULL, &f), &f);
            continue;
        }
        for (int c = 0; fate == 0 && c < t->n; c++)
            row[c] = c == 0 ? seam_v_int((int64_t)i) : random_value(x, &t->columns[c], i);
        if (fate == 0) put_row(x, at, row);
        kept++;
    }
    t->rows[1] = kept;
    publish(x);
}

static void world_open(struct world *x, uint64_t seed, const size_t *rows, const char *name)
{
    static const uint64_t journals[] = {1, 200, 3000, 1000000};
    struct columnar_options opt = {
        .no_sync = true, .row_group_rows = 4096, .history_us = UINT64_C(1) << 60};
    struct columnar_maintenance done;
    struct seam_fault f = {0};
    char dir[512];

    memset(x, 0, sizeof *x);
    x->seed = seed;
    seam_rng_seed(&x->rng, seed);
    opt.journal_rows_max = journals[below(x, SEAM_ARRAY_LEN(journals))];
    snprintf(dir, sizeof dir, "%s/%s", test_dir(), name);
    ASSERT_OK(columnar_open_writer(seam_io_posix(), dir, &opt, &x->w, &f), &f);
    for (int t = 0; t < TABLES; t++) {
        random_schema(x, &x->tables[t], t);
        define(x, &x->tables[t]);
    }
    for (int t = 0; t < TABLES; t++) fill(x, t, rows[t]);
    x->lsn++;
    publish(x);
    x->before = x->lsn;
    for (int t = 0; t < TABLES; t++) change(x, t);
    if (below(x, 3) == 0) ASSERT_OK(columnar_compact(x->w, &done, &f), &f);
    ASSERT_OK(columnar_open_reader(seam_io_posix(), dir, NULL, &x->r, &f), &f);
}

static void world_close(struct world *x)
{
    columnar_close_reader(x->r);
    columnar_close_writer(x->w);
    for (int t = 0; t < TABLES; t++) {
        free(x->tables[t].cells[0]);
        free(x->tables[t].cells[1]);
    }
    seam_arena_free(&x->text);
    seam_arena_free(&x->tree);
}

/* ---- expressions ---- */

struct scope {
    int n;
    struct naive_expr columns[SCOPE_MAX];
};

static struct naive_expr *node(struct world *x, enum naive_op op, unsigned type, int n,
                               const struct naive_expr *a, const struct naive_expr *b,
                               const struct naive_expr *c)
{
    struct naive_expr *e = seam_arena_zalloc(&x->tree, sizeof *e);

    *e = (struct naive_expr){.op = op, .type = (uint8_t)type, .n = n, .args = {a, b, c}};
    return e;
}

static const struct naive_expr *literal(struct world *x, unsigned type)
{
    static const double doubles[] = {0, 0.5, -2.25, 10};
    struct naive_expr *e = node(x, NAIVE_LITERAL, type, 0, NULL, NULL, NULL);

    switch (type) {
    case SEAM_V_INT:
        e->literal = seam_v_int(below(x, 8) == 0 ? INT64_MIN : seam_rng_range(&x->rng, -5, 120));
        break;
    case SEAM_V_DOUBLE:
        e->literal = seam_v_double(doubles[below(x, SEAM_ARRAY_LEN(doubles))]);
        break;
    case SEAM_V_DECIMAL:
        e->scale = (uint8_t)(1 + below(x, 3));
        e->literal = seam_v_decimal(seam_rng_range(&x->rng, -9000, 9000), e->scale);
        break;
    case SEAM_V_BOOL: e->literal = seam_v_bool(below(x, 2)); break;
    case SEAM_V_TIME:
        e->literal = seam_v_time((19600 + (int64_t)below(x, 300)) * 86400000000);
        break;
    default: e->literal = seam_v_str(words[below(x, SEAM_ARRAY_LEN(words))]);
    }
    return e;
}

static const struct naive_expr *column_of(struct world *x, const struct scope *s, unsigned type)
{
    for (int tries = 0; tries < 12; tries++) {
        const struct naive_expr *e = &s->columns[below(x, (uint64_t)s->n)];

        if (e->type == type) return e;
    }
    return literal(x, type);
}

static const struct naive_expr *condition(struct world *x, const struct scope *s, int depth);

static const struct naive_expr *expression(struct world *x, const struct scope *s, unsigned type,
                                           int depth)
{
    static const char *const units[] = {"year", "quarter", "month", "week", "day",
                                        "hour", "minute",  "dow",   "doy",  "second"};
    const struct naive_expr *a, *b;
    struct naive_expr *e;

    if (depth <= 0 || below(x, 3) == 0) return column_of(x, s, type);
    a = expression(x, s, type, depth - 1);
    b = expression(x, s, type, depth - 1);
    if (below(x, 6) == 0 && (type != SEAM_V_DECIMAL || a->scale == b->scale)) {
        e = below(x, 2) ? node(x, NAIVE_COALESCE, type, 2, a, b, NULL)
                        : node(x, NAIVE_CASE, type, 3, condition(x, s, depth - 1), a, b);
        e->scale = a->scale;
        return e;
    }
    switch (type) {
    case SEAM_V_INT:
        switch (below(x, 7)) {
        case 0: return node(x, NAIVE_MOD, type, 2, a, literal(x, type), NULL);
        case 1:
            return node(x, NAIVE_LENGTH, type, 1, expression(x, s, SEAM_V_TEXT, depth - 1), NULL,
                        NULL);
        case 2:
            e = node(x, NAIVE_PART, type, 1, expression(x, s, SEAM_V_TIME, depth - 1), NULL, NULL);
            e->name = units[below(x, SEAM_ARRAY_LEN(units))];
            return e;
        case 3: return node(x, below(x, 2) ? NAIVE_NEG : NAIVE_ABS, type, 1, a, NULL, NULL);
        case 4:
            return node(x, NAIVE_CAST, type, 1,
                        expression(x, s, below(x, 2) ? SEAM_V_DECIMAL : SEAM_V_DOUBLE, depth - 1),
                        NULL, NULL);
        default: return node(x, NAIVE_ADD + (enum naive_op)below(x, 3), type, 2, a, b, NULL);
        }
    case SEAM_V_DOUBLE:
        if (below(x, 3) == 0)
            return node(x, NAIVE_CAST, type, 1,
                        expression(x, s, below(x, 2) ? SEAM_V_DECIMAL : SEAM_V_INT, depth - 1),
                        NULL, NULL);
        return node(x, NAIVE_ADD + (enum naive_op)below(x, 4), type, 2, a,
                    below(x, 2) ? b : expression(x, s, SEAM_V_INT, depth - 1), NULL);
    case SEAM_V_DECIMAL:
        if (below(x, 3) == 0 && a->scale + b->scale <= 12) {
            e = node(x, NAIVE_MUL, type, 2, a, b, NULL);
            e->scale = (uint8_t)(a->scale + b->scale);
            return e;
        }
        e = node(x, below(x, 2) ? NAIVE_ADD : NAIVE_SUB, type, 2, a, b, NULL);
        e->scale = a->scale > b->scale ? a->scale : b->scale;
        return e;
    case SEAM_V_BOOL: return condition(x, s, depth);
    case SEAM_V_TIME:
        e = node(x, NAIVE_TRUNC, type, 1, a, NULL, NULL);
        e->name = units[below(x, 7)];
        return e;
    default:
        if (below(x, 3) == 0)
            return node(x, NAIVE_CAST, type, 1, expression(x, s, SEAM_V_INT, depth - 1), NULL,
                        NULL);
        if (below(x, 2)) return node(x, NAIVE_CONCAT, type, 2, a, b, NULL);
        e = (struct naive_expr *)literal(x, SEAM_V_INT);
        e->literal = seam_v_int(1 + (int64_t)below(x, 4));
        return node(x, NAIVE_SUBSTR, type, 3, a, e, e);
    }
}

static const struct naive_expr *condition(struct world *x, const struct scope *s, int depth)
{
    static const uint8_t types[] = {SEAM_V_INT,    SEAM_V_INT,     SEAM_V_TEXT, SEAM_V_TEXT,
                                    SEAM_V_DOUBLE, SEAM_V_DECIMAL, SEAM_V_TIME, SEAM_V_BOOL};
    static const uint8_t numbers[] = {SEAM_V_INT, SEAM_V_DECIMAL, SEAM_V_DOUBLE};
    static const char *const patterns[] = {
        "%",          "a%",        "%b%",          "_",     "__",   "%_b",
        "cancelled%", "cancelle%", "cancelled b%", "100!%", "%!_b", "%12%"};
    unsigned type = types[below(x, SEAM_ARRAY_LEN(types))];
    const struct naive_expr *a, *b;
    struct naive_expr *e;

    if (depth > 0 && below(x, 3) == 0) {
        a = condition(x, s, depth - 1);
        if (below(x, 4) == 0) return node(x, NAIVE_NOT, SEAM_V_BOOL, 1, a, NULL, NULL);
        return node(x, below(x, 2) ? NAIVE_AND : NAIVE_OR, SEAM_V_BOOL, 2, a,
                    condition(x, s, depth - 1), NULL);
    }
    a = expression(x, s, type, depth - 1);
    b = below(x, 2) ? literal(x, type) : expression(x, s, type, depth - 1);
    switch (below(x, 8)) {
    case 0:
        return node(x, below(x, 2) ? NAIVE_IS_NULL : NAIVE_IS_NOT_NULL, SEAM_V_BOOL, 1, a, NULL,
                    NULL);
    case 1: return node(x, NAIVE_BETWEEN, SEAM_V_BOOL, 3, a, b, expression(x, s, type, depth - 1));
    case 2:
        e = node(x, NAIVE_IN, SEAM_V_BOOL, 2 + (int)below(x, 2), a, literal(x, type), b);
        return e;
    case 3:
        e = (struct naive_expr *)literal(x, SEAM_V_TEXT);
        e->literal = seam_v_str(patterns[below(x, SEAM_ARRAY_LEN(patterns))]);
        return node(x, NAIVE_LIKE, SEAM_V_BOOL, 2, expression(x, s, SEAM_V_TEXT, depth - 1), e,
                    NULL);
    case 4: /* two kinds of numbers */
        a = expression(x, s, numbers[below(x, 3)], depth - 1);
        b = below(x, 2) ? literal(x, numbers[below(x, 3)])
                        : expression(x, s, numbers[below(x, 3)], depth - 1);
        break;
    default: break;
    }
    return node(x, NAIVE_EQ + (enum naive_op)below(x, 6), SEAM_V_BOOL, 2, a, b, NULL);
}

/* ---- questions ---- */

enum aggregate { COUNT_ALL, COUNT, COUNT_DISTINCT, SUM, AVG, MIN, MAX };

struct item {
    const struct naive_expr *e; /* NULL: count(*) */
    bool aggregated;
    enum aggregate op;
};
struct question {
    int n_from, tables[TABLES];
    bool left[TABLES];
    const struct naive_expr *on[TABLES], *where;
    int n_items, n_keys;
    struct item items[ITEMS_MAX];
    bool grouped, distinct, past;
    uint64_t limit;
    struct scope scope;
};

static void add_table(struct world *x, struct question *q, int table)
{
    static const char letters[] = "abc";
    const struct table *t = &x->tables[table];

    for (int c = 0; c < t->n; c++) {
        char name[16];
        int n = snprintf(name, sizeof name, "%c.%s", letters[q->n_from], t->columns[c].name);

        q->scope.columns[q->scope.n] =
            (struct naive_expr){.op = NAIVE_COLUMN,
                                .type = t->columns[c].type,
                                .scale = t->columns[c].scale,
                                .column = q->scope.n,
                                .name = seam_arena_strdup(&x->tree, name, (size_t)n)};
        q->scope.n++;
    }
    q->tables[q->n_from++] = table;
}

static void random_from(struct world *x, struct question *q, bool joins)
{
    int more = joins && below(x, 3) == 0 ? 1 + (int)below(x, 2) : 0;

    add_table(x, q, (int)below(x, TABLES));
    while (more-- > 0) {
        int first = q->scope.n, at = q->n_from;
        const struct naive_expr *l, *r;

        q->left[at] = below(x, 2);
        add_table(x, q, 1 + (int)below(x, TABLES - 1));
        l = &q->scope.columns[below(
            x, 2)]; /* k or c1 of the first, k or c1 of the new: both whole numbers */
        r = &q->scope.columns[first + (int)below(x, 2)];
        q->on[at] = node(x, NAIVE_EQ, SEAM_V_BOOL, 2, l, r, NULL);
    }
}

static void random_question(struct world *x, struct question *q, bool joins)
{
    static const uint8_t types[] = {SEAM_V_INT,  SEAM_V_DOUBLE, SEAM_V_DECIMAL,
                                    SEAM_V_BOOL, SEAM_V_TIME,   SEAM_V_TEXT};

    memset(q, 0, sizeof *q);
    random_from(x, q, joins);
    if (below(x, 4) > 0) q->where = condition(x, &q->scope, 2);
    q->grouped = below(x, 2);
    q->n_keys = q->grouped ? (int)below(x, 3) : 0;
    for (q->n_items = q->n_keys + 1 + (int)below(x, 3); q->n_items > ITEMS_MAX;) q->n_items--;
    for (int i = 0; i < q->n_items; i++) {
        struct item *it = &q->items[i];
        unsigned type = types[below(x, SEAM_ARRAY_LEN(types))];

        it->aggregated = q->grouped && i >= q->n_keys;
        it->op = (enum aggregate)below(x, 7);
        if (it->aggregated && (it->op == SUM || it->op == AVG)) type = types[below(x, 3)];
        if (it->aggregated && type == SEAM_V_BOOL) type = SEAM_V_INT;
        if (!it->aggregated || it->op != COUNT_ALL) it->e = expression(x, &q->scope, type, 2);
        /* A sum of doubles depends on its order where large ones cancel: of columns, which have no large negative. */
        if (it->aggregated && type == SEAM_V_DOUBLE && (it->op == SUM || it->op == AVG))
            it->e = column_of(x, &q->scope, type);
        /* A literal number as a key would be the position of an item. */
        if (q->grouped && !it->aggregated && it->e->op == NAIVE_LITERAL)
            it->e = &q->scope.columns[1];
    }
    q->distinct = !q->grouped && below(x, 5) == 0;
    q->limit = below(x, 4) == 0 ? 1 + below(x, 30) : UINT64_MAX;
    q->past = below(x, 3) == 0;
}

static void print_question(const struct world *x, const struct question *q, struct seam_buf *out)
{
    static const char *const names[] = {"count(*", "count(", "count(distinct ", "sum(", "avg(",
                                        "min(",    "max("};

    seam_buf_str(out, q->distinct ? "select distinct " : "select ");
    for (int i = 0; i < q->n_items; i++) {
        if (i > 0) seam_buf_str(out, ", ");
        if (q->items[i].aggregated) seam_buf_str(out, names[q->items[i].op]);
        if (q->items[i].e != NULL) naive_print(q->items[i].e, out);
        if (q->items[i].aggregated) seam_buf_str(out, ")");
    }
    for (int i = 0; i < q->n_from; i++) {
        seam_buf_printf(out, "%s %s %c",
                        i == 0       ? " from"
                        : q->left[i] ? " left join"
                                     : " join",
                        x->tables[q->tables[i]].name, "abc"[i]);
        if (i > 0) seam_buf_str(out, " on ");
        if (i > 0) naive_print(q->on[i], out);
    }
    if (q->where != NULL) seam_buf_str(out, " where ");
    if (q->where != NULL) naive_print(q->where, out);
    for (int i = 0; i < q->n_keys; i++)
        seam_buf_printf(out, "%s%d", i == 0 ? " group by " : ", ", i + 1);
    if (q->limit != UINT64_MAX) {
        for (int i = 0; i < q->n_items; i++)
            seam_buf_printf(out, "%s%d", i == 0 ? " order by " : ", ", i + 1);
        seam_buf_printf(out, " limit %llu", (unsigned long long)q->limit);
    }
    if (q->past) seam_buf_printf(out, " as of lsn %llu", (unsigned long long)x->before);
}

/* ---- the naive answer ---- */

struct answer {
    int n; /* values a row */
    size_t rows, cap;
    struct seam_value *cells;
};

static struct seam_value *answer_row(struct answer *a)
{
    if (a->rows == a->cap) {
        a->cap = a->cap == 0 ? 64 : 2 * a->cap;
        a->cells = realloc(a->cells, a->cap * (size_t)a->n * sizeof *a->cells);
    }
    return a->cells + a->rows++ * (size_t)a->n;
}

struct asking {
    struct world *x;
    const struct question *q;
    struct seam_arena mem;
    struct seam_value row[SCOPE_MAX];
    struct answer inputs; /* the items' values of each row, before they are grouped */
    bool failed;
};

static void keep_row(struct asking *k)
{
    struct seam_value v, *out;

    if (k->q->where != NULL) {
        if (!naive_eval(k->q->where, k->row, &k->mem, &v)) {
            k->failed = true;
            return;
        }
        if (v.type == SEAM_V_NULL || !v.i) return;
    }
    out = answer_row(&k->inputs);
    for (int i = 0; i < k->q->n_items; i++) {
        out[i] = seam_v_int(1);
        if (k->q->items[i].e != NULL && !naive_eval(k->q->items[i].e, k->row, &k->mem, &out[i]))
            k->failed = true;
    }
}

static void join_rows(struct asking *k, int at, int first)
{
    const struct table *t;
    size_t rows;
    bool found = false;

    if (k->failed) return;
    if (at == k->q->n_from) {
        keep_row(k);
        return;
    }
    t = &k->x->tables[k->q->tables[at]];
    rows = t->rows[k->q->past ? 0 : 1];
    for (size_t i = 0; i < rows && !k->failed; i++) {
        struct seam_value yes = seam_v_bool(true);

        memcpy(k->row + first, t->cells[k->q->past ? 0 : 1] + i * (size_t)t->n,
               (size_t)t->n * sizeof *k->row);
        if (at > 0 && !naive_eval(k->q->on[at], k->row, &k->mem, &yes)) k->failed = true;
        if (yes.type == SEAM_V_NULL || !yes.i) continue;
        found = true;
        join_rows(k, at + 1, first + t->n);
    }
    if (found || at == 0 || !k->q->left[at]) return;
    for (int c = 0; c < t->n; c++) k->row[first + c] = seam_v_null();
    join_rows(k, at + 1, first + t->n);
}

static int order_rows(const void *a, const void *b, void *n)
{
    for (int i = 0; i < *(int *)n; i++) {
        int c = naive_order((const struct seam_value *)a + i, (const struct seam_value *)b + i);

        if (c != 0) return c;
    }
    return 0;
}

static bool same_key(const struct seam_value *a, const struct seam_value *b, int n)
{
    return order_rows(a, b, &n) == 0;
}

static int order_one(const void *a, const void *b)
{
    return naive_order(a, b);
}

/* One aggregate over the rows [from, to) of the inputs; false: it has no value of its type. */
static bool aggregate_of(struct asking *k, int i, size_t from, size_t to, struct seam_value *out)
{
    const struct item *it = &k->q->items[i];
    struct seam_value *v = malloc((to - from + 1) * sizeof *v);
    size_t n = 0, distinct = 0;
    __extension__ __int128 sum = 0;
    double real = 0;

    for (size_t r = from; r < to; r++)
        if (k->inputs.cells[r * (size_t)k->inputs.n + (size_t)i].type != SEAM_V_NULL)
            v[n++] = k->inputs.cells[r * (size_t)k->inputs.n + (size_t)i];
    for (size_t r = 0; r < n; r++) {
        sum += v[r].i;
        if (v[r].type == SEAM_V_DOUBLE) real += v[r].d;
    }
    *out = seam_v_null();
    if (it->op == COUNT_ALL || it->op == COUNT) {
        *out = seam_v_int((int64_t)(it->op == COUNT_ALL ? to - from : n));
    } else if (it->op == COUNT_DISTINCT) {
        qsort(v, n, sizeof *v, order_one);
        for (size_t r = 0; r < n; r++) distinct += r == 0 || naive_order(&v[r - 1], &v[r]) != 0;
        *out = seam_v_int((int64_t)distinct);
    } else if (n > 0 && it->op == AVG) {
        long double whole = (long double)sum;

        for (unsigned s = 0; v[0].type == SEAM_V_DECIMAL && s < v[0].scale; s++) whole /= 10;
        *out = seam_v_double(v[0].type == SEAM_V_DOUBLE ? real / (double)n : (double)(whole / n));
    } else if (n > 0 && it->op == SUM) {
        *out = v[0];
        if (v[0].type == SEAM_V_DOUBLE)
            out->d = real;
        else if (sum < INT64_MIN || sum > INT64_MAX)
            k->failed = true;
        else
            out->i = (int64_t)sum;
    } else if (n > 0) {
        *out = v[0];
        for (size_t r = 1; r < n; r++)
            if ((naive_order(&v[r], out) < 0) == (it->op == MIN) && naive_order(&v[r], out) != 0)
                *out = v[r];
    }
    free(v);
    return true;
}

static void naive_answer(struct asking *k, struct answer *out)
{
    const struct question *q = k->q;
    int n = q->n_items;

    k->inputs.n = out->n = n;
    join_rows(k, 0, 0);
    if (k->failed) return;
    if (q->grouped && q->n_keys > 0 && k->inputs.rows > 0)
        qsort_r(k->inputs.cells, k->inputs.rows, (size_t)n * sizeof *k->inputs.cells, order_rows,
                (void *)&q->n_keys);
    for (size_t from = 0, to; from < k->inputs.rows || (q->grouped && q->n_keys == 0 && from == 0);
         from = to == 0 ? 1 : to) {
        struct seam_value *row = answer_row(out), *first = k->inputs.cells + from * (size_t)n;

        for (to = from + (from < k->inputs.rows);
             q->grouped && to < k->inputs.rows &&
             same_key(first, k->inputs.cells + to * (size_t)n, q->n_keys);)
            to++;
        for (int i = 0; i < n; i++)
            if (q->items[i].aggregated)
                (void)aggregate_of(k, i, from, to, &row[i]);
            else
                row[i] = first[i];
        if (to == 0) break;
    }
    if (q->distinct || q->limit != UINT64_MAX)
        if (out->rows > 0)
            qsort_r(out->cells, out->rows, (size_t)n * sizeof *out->cells, order_rows, &n);
    if (q->distinct) {
        size_t kept = 0;

        for (size_t r = 0; r < out->rows; r++)
            if (kept == 0 ||
                !same_key(out->cells + (kept - 1) * (size_t)n, out->cells + r * (size_t)n, n))
                memmove(out->cells + kept++ * (size_t)n, out->cells + r * (size_t)n,
                        (size_t)n * sizeof *out->cells);
        out->rows = kept;
    }
    if (out->rows > q->limit) out->rows = (size_t)q->limit;
}

/* ---- the comparison ---- */

static void print_row(const struct seam_value *v, int n, int digits, struct seam_buf *out)
{
    for (int i = 0; i < n; i++) {
        if (v[i].type == SEAM_V_NULL)
            seam_buf_str(out, "null");
        else if (v[i].type == SEAM_V_DOUBLE) /* sums depend on their order */
        {
            if (isnan(v[i].d))
                seam_buf_str(out, "nan");
            else
                seam_buf_printf(out, "%.*g", digits, fabs(v[i].d) < 1e-6 ? 0.0 : v[i].d);
        } else
            seam_value_format(&v[i], out);
        seam_buf_str(out, "|");
    }
    seam_buf_u8(out, 0);
}

/* Twice, to nine digits and to seven: what falls on two sides of a rounding in one does not in the other. */
enum { ROUNDINGS = 2 };
static const int digits[ROUNDINGS] = {9, 7};

struct got {
    struct seam_buf text[ROUNDINGS];
    size_t rows;
};

static enum seam_status take_batch(void *ctx, const struct columnar_batch *b, struct seam_fault *f)
{
    struct got *g = ctx;

    (void)f;
    for (uint32_t r = 0; r < b->rows; r++, g->rows++) {
        struct seam_value v[ITEMS_MAX];

        for (int c = 0; c < b->count; c++) v[c] = columnar_vec_value(&b->cols[c], r);
        for (int k = 0; k < ROUNDINGS; k++) print_row(v, b->count, digits[k], &g->text[k]);
    }
    return SEAM_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char **sorted_lines(const struct seam_buf *text, size_t n)
{
    const char **lines = malloc((n + 1) * sizeof *lines), *s = (const char *)text->data;

    for (size_t i = 0; i < n; i++, s += strlen(s) + 1) lines[i] = s;
    qsort(lines, n, sizeof *lines, by_text);
    return lines;
}

/* The first row that differs; SIZE_MAX: none. */
static size_t difference(const char **a, const char **b, size_t n)
{
    for (size_t r = 0; r < n; r++)
        if (strcmp(a[r], b[r]) != 0) return r;
    return SIZE_MAX;
}

static void compare(const struct world *x, const char *sql, const struct got *got,
                    const struct answer *want)
{
    bool same = false;

    if (got->rows != want->rows)
        ck_abort_msg("seed %llu: %s\n%zu rows, not %zu", (unsigned long long)x->seed, sql,
                     got->rows, want->rows);
    for (int k = 0; k < ROUNDINGS && !same; k++) {
        struct seam_buf text = {0};
        const char **a = sorted_lines(&got->text[k], got->rows), **b;
        size_t r;

        for (r = 0; r < want->rows; r++)
            print_row(want->cells + r * (size_t)want->n, want->n, digits[k], &text);
        b = sorted_lines(&text, want->rows);
        r = difference(a, b, want->rows);
        same = r == SIZE_MAX;
        if (!same && k + 1 == ROUNDINGS)
            ck_abort_msg("seed %llu: %s\nrow %zu: got %s, want %s", (unsigned long long)x->seed,
                         sql, r, a[r], b[r]);
        free(a);
        free(b);
        seam_buf_free(&text);
    }
}

static int in_passes; /* questions answered so */

static void ask(struct world *x, bool joins)
{
    const struct columnar_reader *readers[] = {x->r};
    struct columnar_sql_env env = {.readers = readers, .reader_count = 1};
    struct columnar_query_options opt = {.threads = 1 + (int)below(x, 2)};
    struct columnar_query_stats stats = {0};
    struct columnar_sql_query query;
    struct question q;
    struct asking k = {.x = x, .q = &q};
    struct answer want = {0};
    struct got got = {0};
    struct seam_arena a = {0};
    struct seam_buf sql = {0};
    struct seam_fault f = {0};
    enum seam_status st;

    seam_arena_reset(&x->tree);
    random_question(x, &q, joins);
    print_question(x, &q, &sql);
    st = columnar_sql_prepare(&env, seam_buf_cstr(&sql), sql.size, &a, &query, &f);
    if (below(x, 3) == 0)
        opt.memory_bytes = 2500 + below(x, 20000); /* joins and groups in passes, or refused */
    if (st == SEAM_OK) st = columnar_sql_run(&query, &opt, take_batch, &got, &stats, &f);
    in_passes += st == SEAM_OK && stats.passes > 1;
    naive_answer(&k, &want);
    /* A constant that overflows is refused before any row is looked at. */
    if (!k.failed && st != SEAM_OK && f.why[0] != '\0' && strstr(f.why, "overflows") == NULL &&
        strstr(f.why, "budget") == NULL)
        ck_abort_msg("seed %llu: %s\n%s", (unsigned long long)x->seed, seam_buf_cstr(&sql), f.why);
    if (!k.failed && st == SEAM_OK) compare(x, seam_buf_cstr(&sql), &got, &want);
    free(k.inputs.cells);
    free(want.cells);
    seam_arena_free(&k.mem);
    seam_arena_free(&a);
    for (int d = 0; d < ROUNDINGS; d++) seam_buf_free(&got.text[d]);
    seam_buf_free(&sql);
}

static uint64_t fresh_seed(void)
{
    struct timespec now;

    if (getenv("SEED") != NULL) return test_seed();
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void ask_many(const char *name, const size_t *rows, int worlds, int questions, bool joins)
{
    static struct world x;
    uint64_t seed = fresh_seed();

    printf("%s: seeds %llu to %llu\n", name, (unsigned long long)seed,
           (unsigned long long)(seed + (uint64_t)worlds - 1));
    fflush(stdout);
    for (int w = 0; w < worlds; w++) {
        char dir[40];

        snprintf(dir, sizeof dir, "%s%d", name, w);
        world_open(&x, seed + (uint64_t)w, rows, dir);
        for (int i = 0; i < questions; i++) ask(&x, joins);
        world_close(&x);
    }
}

static void test_small_tables_joined(void)
{
    static const size_t rows[TABLES] = {400, 60, 25};

    ask_many("small", rows, test_scale(4), 400, true);
    ck_assert_int_gt(in_passes, 0);
}

static void test_no_rows_at_all(void)
{
    static const size_t rows[TABLES] = {0, 0, 3};

    ask_many("none", rows, test_scale(2), 200, true);
}

static void test_several_vectors(void)
{
    static const size_t rows[TABLES] = {9000, 5000, 2048};

    ask_many("vectors", rows, test_scale(2), 100, false);
}

static void test_several_files(void)
{
    static const size_t rows[TABLES] = {200000, 40, 70000};

    ask_many("files", rows, 1, test_scale(25), false);
}

static const struct named_test tests[] = {T(test_small_tables_joined), T(test_no_rows_at_all),
                                          T(test_several_vectors), T(test_several_files)};

int main(int argc, char **argv)
{
    return run_tests("columnar differential", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
