/* sql_parse_forms - calls, and the forms that are written with words inside: CASE, CAST, EXTRACT, OVER ... */
#include "columnar/sql/sql_parser.h"

#define MINUTE_US INT64_C(60000000)
#define DAY_US    (1440 * MINUTE_US)

enum seam_status columnar_sql_parse_literal(struct columnar_sql_parser *p, struct seam_value v,
                                            uint32_t at, struct columnar_sql_node **out)
{
    struct columnar_sql_node *e = columnar_sql_node_new(p, COLUMNAR_SQL_LITERAL, at);
    struct columnar_sql_list none = {0};
    enum seam_status st;

    if (e == NULL) return failure(p);
    e->value = v;
    st = advance(p);
    return st == SEAM_OK ? columnar_sql_finish(p, e, &none, out) : st;
}

/* DATE 'x' and TIMESTAMP 'x'; the word has been taken, the text is next.                            */
static enum seam_status time_literal(struct columnar_sql_parser *p, uint32_t at,
                                     struct columnar_sql_node **out)
{
    int64_t us;

    if (seam_time_parse(p->t.text, p->t.len, &us) != SEAM_OK)
        return refuse(p, SEAM_INVALID, "not a time: '2011-12-09' or '2011-12-09 12:50:00'");
    return columnar_sql_parse_literal(p, seam_v_time(us), at, out);
}

/* A type's name, its length or its precision and scale. */
enum seam_status columnar_sql_parse_type(struct columnar_sql_parser *p,
                                         struct columnar_sql_node *cast)
{
    static const struct {
        const char *name;
        enum seam_value_type type;
    } names[] = {
        {"int", SEAM_V_INT},         {"integer", SEAM_V_INT},     {"bigint", SEAM_V_INT},
        {"int64", SEAM_V_INT},       {"smallint", SEAM_V_INT},    {"tinyint", SEAM_V_INT},
        {"int4", SEAM_V_INT},        {"int8", SEAM_V_INT},        {"double", SEAM_V_DOUBLE},
        {"float", SEAM_V_DOUBLE},    {"float8", SEAM_V_DOUBLE},   {"real", SEAM_V_DOUBLE},
        {"decimal", SEAM_V_DECIMAL}, {"numeric", SEAM_V_DECIMAL}, {"bool", SEAM_V_BOOL},
        {"boolean", SEAM_V_BOOL},    {"timestamp", SEAM_V_TIME},  {"datetime", SEAM_V_TIME},
        {"date", SEAM_V_TIME},       {"text", SEAM_V_TEXT},       {"varchar", SEAM_V_TEXT},
        {"char", SEAM_V_TEXT},       {"string", SEAM_V_TEXT}};
    int64_t digits[2] = {0};
    int n = 0;
    enum seam_status st;

    cast->scale = 0;
    for (size_t i = 0; i < SEAM_ARRAY_LEN(names); i++) {
        if (!at_word(p, names[i].name)) continue;
        cast->type = names[i].type;
        cast->name = strcmp(names[i].name, "date") == 0 ? "date" : NULL;
        st = advance(p);
        if (st == SEAM_OK && cast->type == SEAM_V_DOUBLE && at_word(p, "precision"))
            st = advance(p);
        if (cast->type == SEAM_V_DECIMAL) cast->scale = 3; /* (18, 3) when nothing is said */
        if (st != SEAM_OK || !at_op(p, "(")) return st;
        do {
            st = advance(p);
            if (st != SEAM_OK) return st;
            if (n == 2 || p->t.kind != TOKEN_NUMBER ||
                seam_int_parse(p->t.text, p->t.len, &digits[n++]) != SEAM_OK)
                return refuse(p, SEAM_INVALID, "a number of digits expected");
            st = advance(p);
        } while (st == SEAM_OK && at_op(p, ","));
        if (cast->type == SEAM_V_DECIMAL) { /* the precision is read, 64 bits are what there is */
            if (digits[0] > 38 || digits[1] > SEAM_DECIMAL_SCALE_MAX)
                return refuse(p, SEAM_INVALID,
                              "decimal(precision up to 38, scale of 0 to 18) expected");
            cast->scale = (uint8_t)digits[1];
        }
        return st == SEAM_OK ? need_op(p, ")", "')'") : st;
    }
    return expected(p, "a type (int, double, decimal(p, s), bool, timestamp, text)");
}

static enum seam_status cast(struct columnar_sql_parser *p, uint32_t at, columnar_sql_level expr,
                             struct columnar_sql_node **out)
{
    struct columnar_sql_node *e = columnar_sql_node_new(p, COLUMNAR_SQL_CAST, at), *inner = NULL;
    struct columnar_sql_list args = {0};
    enum seam_status st;

    if (e == NULL) return failure(p);
    st = need_op(p, "(", "'('");
    if (st == SEAM_OK) st = expr(p, &inner);
    if (st == SEAM_OK) st = list_add(p, &args, inner);
    if (st == SEAM_OK) st = need_word(p, "as", "AS");
    if (st == SEAM_OK) st = columnar_sql_parse_type(p, e);
    if (st == SEAM_OK) st = need_op(p, ")", "')'");
    return st == SEAM_OK ? columnar_sql_finish(p, e, &args, out) : st;
}

/* CASE x WHEN 1 is written out as CASE WHEN x = 1.                                                 */
static enum seam_status case_expr(struct columnar_sql_parser *p, uint32_t at,
                                  columnar_sql_level expr, struct columnar_sql_node **out)
{
    struct columnar_sql_node *e = columnar_sql_node_new(p, COLUMNAR_SQL_CASE, at), *subject = NULL,
                             *when = NULL, *then = NULL;
    struct columnar_sql_list args = {0};
    bool more = false;
    enum seam_status st = SEAM_OK;

    if (e == NULL) return failure(p);
    if (!at_word(p, "when")) st = expr(p, &subject);
    if (st == SEAM_OK && !at_word(p, "when")) st = expected(p, "WHEN");
    while (st == SEAM_OK && (st = take_word(p, "when", &more)) == SEAM_OK && more) {
        st = expr(p, &when);
        if (st == SEAM_OK && subject != NULL)
            st = columnar_sql_combine(p, COLUMNAR_SQL_EQ, subject, when, &when);
        if (st == SEAM_OK) st = need_word(p, "then", "THEN");
        if (st == SEAM_OK) st = expr(p, &then);
        if (st == SEAM_OK) st = list_add(p, &args, when);
        if (st == SEAM_OK) st = list_add(p, &args, then);
    }
    if (st == SEAM_OK) st = take_word(p, "else", &more);
    if (st == SEAM_OK && more) {
        st = expr(p, &then);
        if (st == SEAM_OK) st = list_add(p, &args, then);
    }
    if (st == SEAM_OK) st = need_word(p, "end", "END");
    return st == SEAM_OK ? columnar_sql_finish(p, e, &args, out) : st;
}

/* ---- ORDER BY lists and windows ---- */

static enum seam_status order_item(struct columnar_sql_parser *p, columnar_sql_level expr,
                                   struct columnar_sql_order *o)
{
    bool taken;
    enum seam_status st = expr(p, &o->expr);

    if (st == SEAM_OK) st = take_word(p, "desc", &o->descending);
    if (st == SEAM_OK && !o->descending) st = take_word(p, "asc", &taken);
    o->nulls_first = o->descending; /* nulls are largest unless said otherwise */
    if (st == SEAM_OK) st = take_word(p, "nulls", &taken);
    if (st != SEAM_OK || !taken) return st;
    o->nulls_first = at_word(p, "first");
    if (!o->nulls_first && !at_word(p, "last")) return expected(p, "FIRST or LAST");
    return advance(p);
}

enum seam_status columnar_sql_parse_order(struct columnar_sql_parser *p, columnar_sql_level expr,
                                          struct columnar_sql_order **out, int *n)
{
    struct columnar_sql_list list = {0};
    enum seam_status st = SEAM_OK;

    do {
        struct columnar_sql_order *o = seam_arena_zalloc(p->a, sizeof *o);

        if (o == NULL) return refuse(p, SEAM_NOMEM, "no memory for the statement");
        if (list.n > 0) st = advance(p);
        if (st == SEAM_OK) st = order_item(p, expr, o);
        if (st == SEAM_OK) st = list_add(p, &list, o);
    } while (st == SEAM_OK && at_op(p, ","));
    if (st != SEAM_OK) return st;
    *out = seam_arena_alloc(p->a, (size_t)list.n * sizeof **out);
    if (*out == NULL) return refuse(p, SEAM_NOMEM, "no memory for the statement");
    for (int i = 0; i < list.n; i++) (*out)[i] = *(struct columnar_sql_order *)list.items[i];
    *n = list.n;
    return SEAM_OK;
}

static enum seam_status bound(struct columnar_sql_parser *p, columnar_sql_level expr,
                              struct columnar_sql_bound *b)
{
    bool unbounded = false, taken;
    enum seam_status st;

    st = take_word(p, "current", &taken);
    if (st != SEAM_OK) return st;
    if (taken) {
        b->kind = COLUMNAR_SQL_CURRENT_ROW;
        return need_word(p, "row", "ROW");
    }
    st = take_word(p, "unbounded", &unbounded);
    if (st == SEAM_OK && !unbounded) st = expr(p, &b->offset);
    if (st != SEAM_OK) return st;
    if (at_word(p, "preceding"))
        b->kind = unbounded ? COLUMNAR_SQL_UNBOUNDED_PRECEDING : COLUMNAR_SQL_PRECEDING;
    else if (at_word(p, "following"))
        b->kind = unbounded ? COLUMNAR_SQL_UNBOUNDED_FOLLOWING : COLUMNAR_SQL_FOLLOWING;
    else
        return expected(p, "PRECEDING or FOLLOWING");
    return advance(p);
}

static enum seam_status frame(struct columnar_sql_parser *p, columnar_sql_level expr,
                              struct columnar_sql_window *w)
{
    bool between;
    enum seam_status st;

    if (at_word(p, "groups"))
        return refuse(p, SEAM_UNSUPPORTED, "frames in GROUPS are not in this dialect");
    if (!at_word(p, "rows") && !at_word(p, "range")) return SEAM_OK;
    w->has_frame = true;
    w->rows = at_word(p, "rows");
    st = advance(p);
    if (st == SEAM_OK) st = take_word(p, "between", &between);
    if (st == SEAM_OK) st = bound(p, expr, &w->start);
    w->end.kind = COLUMNAR_SQL_CURRENT_ROW;
    if (st == SEAM_OK && between) {
        st = need_word(p, "and", "AND");
        if (st == SEAM_OK) st = bound(p, expr, &w->end);
    }
    if (st == SEAM_OK && at_word(p, "exclude"))
        return refuse(p, SEAM_UNSUPPORTED, "EXCLUDE is not in this dialect");
    return st;
}

/* (name PARTITION BY ... ORDER BY ... frame), or a name alone */
enum seam_status columnar_sql_parse_window(struct columnar_sql_parser *p, columnar_sql_level expr,
                                           struct columnar_sql_window **out)
{
    struct columnar_sql_window *w = seam_arena_zalloc(p->a, sizeof *w);
    bool taken;
    enum seam_status st;

    if (w == NULL) return refuse(p, SEAM_NOMEM, "no memory for the statement");
    w->at = p->t.at;
    *out = w;
    if (!at_op(p, "(")) {
        if (p->t.kind != TOKEN_WORD && p->t.kind != TOKEN_QUOTED) return expected(p, "a window");
        w->name = p->t.text;
        return advance(p);
    }
    st = advance(p);
    if (st == SEAM_OK && (p->t.kind == TOKEN_WORD || p->t.kind == TOKEN_QUOTED) &&
        !at_word(p, "partition") && !at_word(p, "order") && !at_word(p, "rows") &&
        !at_word(p, "range") && !at_word(p, "groups")) {
        w->name = p->t.text;
        st = advance(p);
    }
    if (st == SEAM_OK) st = take_word(p, "partition", &taken);
    if (st == SEAM_OK && taken) {
        struct columnar_sql_list list = {0};
        struct columnar_sql_node *e = NULL;

        st = need_word(p, "by", "BY");
        do {
            if (st == SEAM_OK && list.n > 0) st = advance(p);
            if (st == SEAM_OK) st = expr(p, &e);
            if (st == SEAM_OK) st = list_add(p, &list, e);
        } while (st == SEAM_OK && at_op(p, ","));
        w->partition = (struct columnar_sql_node **)list.items;
        w->n_partition = list.n;
    }
    if (st == SEAM_OK) st = take_word(p, "order", &taken);
    if (st == SEAM_OK && taken) {
        st = need_word(p, "by", "BY");
        if (st == SEAM_OK) st = columnar_sql_parse_order(p, expr, &w->order, &w->n_order);
    }
    if (st == SEAM_OK) st = frame(p, expr, w);
    return st == SEAM_OK ? need_op(p, ")", "')'") : st;
}

/* ---- calls ---- */

/* What may follow a call's parentheses. */
static enum seam_status after_call(struct columnar_sql_parser *p, columnar_sql_level expr,
                                   struct columnar_sql_node *e)
{
    struct columnar_sql_token next;
    bool paren = columnar_sql_peek(p, &next) && next.kind == TOKEN_OP && strcmp(next.op, "(") == 0;
    enum seam_status st = SEAM_OK;

    if (at_word(p, "filter") && paren) {
        st = advance(p);
        if (st == SEAM_OK) st = advance(p);
        if (st == SEAM_OK) st = need_word(p, "where", "WHERE");
        if (st == SEAM_OK) st = expr(p, &e->filter);
        if (st == SEAM_OK) st = need_op(p, ")", "')'");
    }
    if (st == SEAM_OK && at_word(p, "within"))
        return refuse(p, SEAM_UNSUPPORTED, "WITHIN GROUP is not in this dialect: quantile(x, 0.5)");
    if (st == SEAM_OK && at_word(p, "ignore"))
        return refuse(p, SEAM_UNSUPPORTED, "IGNORE NULLS is not in this dialect");
    if (st == SEAM_OK && at_word(p, "over")) {
        st = advance(p);
        if (st == SEAM_OK) st = columnar_sql_parse_window(p, expr, &e->over);
    }
    e->end = p->last_end;
    return st;
}

enum seam_status columnar_sql_parse_call(struct columnar_sql_parser *p, const char *name,
                                         uint32_t at, columnar_sql_level expr,
                                         struct columnar_sql_node **out)
{
    struct columnar_sql_node *e = columnar_sql_node_new(p, COLUMNAR_SQL_CALL, at), *arg = NULL;
    struct columnar_sql_list args = {0};
    bool taken;
    enum seam_status st;

    if (e == NULL) return failure(p);
    e->name = name;
    st = need_op(p, "(", "'('");
    if (st == SEAM_OK && at_op(p, "*")) {
        e->star = true;
        st = advance(p);
    } else if (st == SEAM_OK) {
        st = take_word(p, "distinct", &taken);
        e->distinct = taken;
        if (st == SEAM_OK && !taken) st = take_word(p, "all", &taken);
    }
    if (st == SEAM_OK && !e->star && !at_op(p, ")")) {
        do {
            if (args.n > 0) st = advance(p);
            if (st == SEAM_OK) st = expr(p, &arg);
            if (st == SEAM_OK) st = list_add(p, &args, arg);
        } while (st == SEAM_OK && at_op(p, ","));
        if (st == SEAM_OK && at_word(p, "order")) {
            st = advance(p);
            if (st == SEAM_OK) st = need_word(p, "by", "BY");
            if (st == SEAM_OK) st = columnar_sql_parse_order(p, expr, &e->order, &e->n_order);
        }
    }
    if (st == SEAM_OK) st = need_op(p, ")", "')'");
    if (st == SEAM_OK) st = columnar_sql_finish(p, e, &args, out);
    return st == SEAM_OK ? after_call(p, expr, e) : st;
}

/* A call of `name` with these arguments. */
static enum seam_status call_of(struct columnar_sql_parser *p, const char *name, uint32_t at,
                                struct columnar_sql_list *args, struct columnar_sql_node **out)
{
    struct columnar_sql_node *e = columnar_sql_node_new(p, COLUMNAR_SQL_CALL, at);

    if (e == NULL) return failure(p);
    e->name = name;
    return columnar_sql_finish(p, e, args, out);
}

static enum seam_status text_node(struct columnar_sql_parser *p, const char *s, uint32_t at,
                                  struct columnar_sql_node **out)
{
    *out = columnar_sql_node_new(p, COLUMNAR_SQL_LITERAL, at);
    if (*out == NULL) return failure(p);
    (*out)->value = seam_v_str(s);
    (*out)->end = p->last_end;
    return SEAM_OK;
}

/* EXTRACT(unit FROM e) is date_part('unit', e). */
static enum seam_status extract(struct columnar_sql_parser *p, uint32_t at, columnar_sql_level expr,
                                struct columnar_sql_node **out)
{
    struct columnar_sql_list args = {0};
    struct columnar_sql_node *e = NULL;
    enum seam_status st = need_op(p, "(", "'('");

    if (st == SEAM_OK && p->t.kind != TOKEN_WORD && p->t.kind != TOKEN_TEXT)
        return expected(p, "a unit of time");
    if (st == SEAM_OK) st = text_node(p, p->t.text, p->t.at, &e);
    if (st == SEAM_OK) st = list_add(p, &args, e);
    if (st == SEAM_OK) st = advance(p);
    if (st == SEAM_OK) st = need_word(p, "from", "FROM");
    if (st == SEAM_OK) st = expr(p, &e);
    if (st == SEAM_OK) st = list_add(p, &args, e);
    if (st == SEAM_OK) st = need_op(p, ")", "')'");
    return st == SEAM_OK ? call_of(p, "date_part", at, &args, out) : st;
}

/* SUBSTRING(e FROM e FOR e) and SUBSTRING(e, e, e) */
static enum seam_status substring(struct columnar_sql_parser *p, uint32_t at,
                                  columnar_sql_level expr, struct columnar_sql_node **out)
{
    struct columnar_sql_list args = {0};
    struct columnar_sql_node *e = NULL;
    enum seam_status st = need_op(p, "(", "'('");

    if (st == SEAM_OK) st = expr(p, &e);
    if (st == SEAM_OK) st = list_add(p, &args, e);
    while (st == SEAM_OK && (at_op(p, ",") || at_word(p, "from") || at_word(p, "for"))) {
        if (at_word(p, "for") && args.n == 1) { /* from the first */
            st = text_node(p, "1", p->t.at, &e);
            if (st == SEAM_OK) e->value = seam_v_int(1);
            if (st == SEAM_OK) st = list_add(p, &args, e);
        }
        if (st == SEAM_OK) st = advance(p);
        if (st == SEAM_OK) st = expr(p, &e);
        if (st == SEAM_OK) st = list_add(p, &args, e);
    }
    if (st == SEAM_OK) st = need_op(p, ")", "')'");
    return st == SEAM_OK ? call_of(p, "substring", at, &args, out) : st;
}

/* TRIM([LEADING | TRAILING | BOTH] [characters FROM] e), TRIM(e, characters) */
static enum seam_status trim(struct columnar_sql_parser *p, uint32_t at, columnar_sql_level expr,
                             struct columnar_sql_node **out)
{
    struct columnar_sql_list args = {0};
    struct columnar_sql_node *e = NULL, *chars = NULL;
    const char *name = "trim";
    bool lead = false, trail = false, taken;
    enum seam_status st = need_op(p, "(", "'('");

    if (st == SEAM_OK) st = take_word(p, "leading", &lead);
    if (st == SEAM_OK && !lead) st = take_word(p, "trailing", &trail);
    if (st == SEAM_OK && !lead && !trail) st = take_word(p, "both", &taken);
    if (lead) name = "ltrim";
    if (trail) name = "rtrim";
    if (st == SEAM_OK && !at_word(p, "from")) st = expr(p, &e);
    if (st == SEAM_OK && at_word(p, "from")) {
        chars = e;
        st = advance(p);
        if (st == SEAM_OK) st = expr(p, &e);
    } else if (st == SEAM_OK && at_op(p, ",")) {
        st = advance(p);
        if (st == SEAM_OK) st = expr(p, &chars);
    }
    if (st == SEAM_OK) st = list_add(p, &args, e);
    if (st == SEAM_OK && chars != NULL) st = list_add(p, &args, chars);
    if (st == SEAM_OK) st = need_op(p, ")", "')'");
    return st == SEAM_OK ? call_of(p, name, at, &args, out) : st;
}

/* POSITION(needle IN text): IN must not be read as an operator, so the needle is a primary in parentheses' sense:
 * it is parsed as the whole "needle IN text" when text is not a list. */
static enum seam_status position(struct columnar_sql_parser *p, uint32_t at,
                                 columnar_sql_level primary, columnar_sql_level expr,
                                 struct columnar_sql_node **out)
{
    struct columnar_sql_list args = {0};
    struct columnar_sql_node *needle = NULL, *text = NULL;
    enum seam_status st = need_op(p, "(", "'('");

    if (st == SEAM_OK) st = primary(p, &needle);
    if (st == SEAM_OK && at_op(p, ",")) { /* position(text, needle), as others write it */
        text = needle;
        st = advance(p);
        if (st == SEAM_OK) st = expr(p, &needle);
    } else {
        if (st == SEAM_OK) st = need_word(p, "in", "IN");
        if (st == SEAM_OK) st = expr(p, &text);
    }
    if (st == SEAM_OK) st = list_add(p, &args, text);
    if (st == SEAM_OK) st = list_add(p, &args, needle);
    if (st == SEAM_OK) st = need_op(p, ")", "')'");
    return st == SEAM_OK ? call_of(p, "strpos", at, &args, out) : st;
}

/* ---- intervals ---- */

struct unit {
    const char *name;
    int64_t months, micros;
};

static bool unit_of(const char *s, size_t n, struct unit *out)
{
    static const struct unit units[] = {{"year", 12, 0},          {"quarter", 3, 0},
                                        {"month", 1, 0},          {"week", 0, 7 * DAY_US},
                                        {"day", 0, DAY_US},       {"hour", 0, 60 * MINUTE_US},
                                        {"minute", 0, MINUTE_US}, {"second", 0, 1000000},
                                        {"millisecond", 0, 1000}, {"microsecond", 0, 1}};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(units); i++) {
        size_t k = strlen(units[i].name);
        bool same = n >= k;

        for (size_t j = 0; same && j < k; j++) same = (s[j] | 0x20) == units[i].name[j];
        if (same && (n == k || (n == k + 1 && (s[k] | 0x20) == 's'))) {
            *out = units[i];
            return true;
        }
    }
    return false;
}

static bool add_units(struct columnar_sql_node *e, int64_t n, const struct unit *u)
{
    int64_t months, micros;

    return !__builtin_mul_overflow(n, u->months, &months) &&
           !__builtin_mul_overflow(n, u->micros, &micros) &&
           !__builtin_add_overflow(e->value.i, months, &e->value.i) &&
           !__builtin_add_overflow(e->micros, micros, &e->micros) && e->value.i < 1000000 &&
           e->value.i > -1000000;
}

/* '3 days', '1 month 2 days'; *whole: only a number was there, its unit follows. */
static bool interval_text(struct columnar_sql_node *e, const char *s, int64_t *whole, bool *bare)
{
    *bare = false;
    while (*s != '\0') {
        const char *from;
        struct unit u;
        size_t n;

        while (*s == ' ') s++;
        from = s;
        if (*s == '-' || *s == '+') s++;
        while (*s >= '0' && *s <= '9') s++;
        if (s == from || seam_int_parse(from, (size_t)(s - from), whole) != SEAM_OK) return false;
        while (*s == ' ') s++;
        if (*s == '\0') {
            *bare = true;
            return true;
        }
        for (n = 0; (s[n] | 0x20) >= 'a' && (s[n] | 0x20) <= 'z'; n++) continue;
        if (!unit_of(s, n, &u) || !add_units(e, *whole, &u)) return false;
        s += n;
        while (*s == ' ') s++;
    }
    return true;
}

static enum seam_status interval(struct columnar_sql_parser *p, uint32_t at,
                                 struct columnar_sql_node **out)
{
    struct columnar_sql_node *e = columnar_sql_node_new(p, COLUMNAR_SQL_INTERVAL, at);
    struct columnar_sql_list none = {0};
    bool bare = true, paren = at_op(p, "("), minus = false;
    struct unit u;
    int64_t n = 0;
    enum seam_status st = paren ? advance(p) : SEAM_OK;

    if (e == NULL) return failure(p);
    e->value = seam_v_int(0);
    if (st == SEAM_OK && at_op(p, "-")) {
        minus = true;
        st = advance(p);
    }
    if (st != SEAM_OK) return st;
    if (p->t.kind == TOKEN_TEXT
            ? !interval_text(e, p->t.text, &n, &bare)
            : p->t.kind != TOKEN_NUMBER || seam_int_parse(p->t.text, p->t.len, &n) != SEAM_OK)
        return refuse(p, SEAM_INVALID, "not an interval: INTERVAL '3' day, INTERVAL '1 month'");
    st = advance(p);
    if (st == SEAM_OK && paren) st = need_op(p, ")", "')'");
    if (st == SEAM_OK && bare) {
        if (p->t.kind != TOKEN_WORD || !unit_of(p->t.text, p->t.len, &u))
            return expected(p, "a unit of time (day, month, year, hour ...)");
        if (!add_units(e, minus ? -n : n, &u))
            return refuse(p, SEAM_LIMIT, "the interval is too long");
        st = advance(p);
    }
    return st == SEAM_OK ? columnar_sql_finish(p, e, &none, out) : st;
}

/* ---- which form ---- */

static enum seam_status exists(struct columnar_sql_parser *p, uint32_t at,
                               struct columnar_sql_node **out)
{
    struct columnar_sql_node *e = columnar_sql_node_new(p, COLUMNAR_SQL_EXISTS, at);
    struct columnar_sql_list none = {0};
    enum seam_status st = advance(p); /* ( */

    if (e == NULL) return failure(p);
    if (st == SEAM_OK) st = p->query(p, &e->select);
    if (st == SEAM_OK) st = need_op(p, ")", "')'");
    return st == SEAM_OK ? columnar_sql_finish(p, e, &none, out) : st;
}

/* current_date and its kin, without parentheses */
static enum seam_status now_word(struct columnar_sql_parser *p, const char *name, uint32_t at,
                                 struct columnar_sql_node **out)
{
    struct columnar_sql_list none = {0};

    return call_of(p, name, at, &none, out);
}

enum seam_status columnar_sql_parse_form(struct columnar_sql_parser *p, columnar_sql_level expr,
                                         struct columnar_sql_node **out)
{
    struct columnar_sql_token next;
    const char *word = p->t.text;
    uint32_t at = p->t.at;
    bool paren, text, number;
    enum seam_status st;

    if (p->t.kind != TOKEN_WORD || !columnar_sql_peek(p, &next)) return SEAM_END;
    paren = next.kind == TOKEN_OP && strcmp(next.op, "(") == 0;
    text = next.kind == TOKEN_TEXT;
    number = next.kind == TOKEN_NUMBER || (next.kind == TOKEN_OP && strcmp(next.op, "-") == 0);
#define FORM(name, when, parse)                                                                    \
    if (strcmp(word, name) == 0 && (when)) {                                                       \
        st = advance(p);                                                                           \
        return st == SEAM_OK ? (parse) : st;                                                       \
    }
    FORM("case", true, case_expr(p, at, expr, out))
    FORM("cast", paren, cast(p, at, expr, out))
    FORM("try_cast", paren, refuse(p, SEAM_UNSUPPORTED, "TRY_CAST is not in this dialect"))
    FORM("date", text, time_literal(p, at, out))
    FORM("timestamp", text, time_literal(p, at, out))
    FORM("interval", text || (number && next.kind == TOKEN_NUMBER) || paren, interval(p, at, out))
    FORM("extract", paren, extract(p, at, expr, out))
    FORM("substring", paren, substring(p, at, expr, out))
    FORM("trim", paren, trim(p, at, expr, out))
    FORM("exists", paren, exists(p, at, out))
    FORM("current_date", !paren, now_word(p, "current_date", at, out))
    FORM("current_timestamp", !paren, now_word(p, "now", at, out))
#undef FORM
    if (strcmp(word, "position") == 0 && paren) {
        st = advance(p);
        return st == SEAM_OK ? position(p, at, p->operand, expr, out) : st;
    }
    return SEAM_END;
}
