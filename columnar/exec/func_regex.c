/* func_regex - regexp_matches, regexp_full_match, regexp_replace, regexp_extract. */
#include <string.h>

#include "columnar/exec/func.h"
#include "columnar/exec/regex.h"

struct pattern { /* made once when the pattern is a constant */
    const struct columnar_regex *regex;
    bool global;
};

static enum seam_status options(const struct seam_value *v, bool *fold, bool *global,
                                struct seam_fault *f)
{
    *fold = *global = false;
    for (uint32_t i = 0; v != NULL && i < v->len; i++) {
        if (v->s[i] == 'i')
            *fold = true;
        else if (v->s[i] == 'g')
            *global = true;
        else if (v->s[i] != 'c')
            return seam_fault_set(f, SEAM_UNSUPPORTED, NULL, SEAM_FAULT_NO_OFFSET,
                                  "'%c' is no option of a regular expression here (i, g)", v->s[i]);
    }
    return SEAM_OK;
}

static enum seam_status make(struct seam_arena *a, const struct seam_value *pattern,
                             const struct seam_value *opts, struct pattern *out,
                             struct seam_fault *f)
{
    bool fold;
    enum seam_status st = options(opts, &fold, &out->global, f);

    return st == SEAM_OK ? columnar_regex_compile(a, pattern->s, pattern->len, fold, &out->regex, f)
                         : st;
}

static enum seam_status prepare_at(struct seam_arena *a, const struct columnar_expr *const *args,
                                   int n, int opts, const void **state, struct seam_fault *f)
{
    struct pattern *p;

    if (!columnar_expr_is_const(args[1]) || args[1]->constant.type != SEAM_V_TEXT) return SEAM_OK;
    if (n > opts &&
        (!columnar_expr_is_const(args[opts]) || args[opts]->constant.type != SEAM_V_TEXT))
        return SEAM_OK;
    p = seam_arena_zalloc(a, sizeof *p);
    if (p == NULL)
        return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET, "no memory for a pattern");
    *state = p;
    return make(a, &args[1]->constant, n > opts ? &args[opts]->constant : NULL, p, f);
}

static enum seam_status prepare_match(struct seam_arena *a, const struct columnar_expr *const *args,
                                      int n, const void **state, struct seam_fault *f)
{
    return prepare_at(a, args, n, 2, state, f);
}

static enum seam_status prepare_extract(struct seam_arena *a,
                                        const struct columnar_expr *const *args, int n,
                                        const void **state, struct seam_fault *f)
{
    return prepare_at(a, args, n, n, state, f);
}

static enum seam_status prepare_replace(struct seam_arena *a,
                                        const struct columnar_expr *const *args, int n,
                                        const void **state, struct seam_fault *f)
{
    return prepare_at(a, args, n, 3, state, f);
}

static enum seam_status pattern_of(const struct columnar_func_call *c, const struct seam_value *a,
                                   int n, int opts, struct seam_arena *mem, struct pattern *out,
                                   struct seam_fault *f)
{
    if (c->state != NULL) {
        *out = *(const struct pattern *)c->state;
        return SEAM_OK;
    }
    return make(mem, &a[1], n > opts ? &a[opts] : NULL, out, f);
}

static enum seam_status matches(const struct columnar_func_call *c, const struct seam_value *a,
                                int n, struct seam_arena *mem, struct seam_value *out,
                                struct seam_fault *f)
{
    int64_t slots[COLUMNAR_REGEX_SLOTS];
    struct pattern p = {0};
    enum seam_status st = pattern_of(c, a, n, 2, mem, &p, f);

    if (st != SEAM_OK) return st;
    st = columnar_regex_find(p.regex, a[0].s, a[0].len, 0,
                             strcmp(c->name, "regexp_full_match") == 0, mem, slots);
    *out = seam_v_bool(st == SEAM_OK);
    return st == SEAM_END ? SEAM_OK : st;
}

/* regexp_extract(text, pattern, [group]): '' when nothing matches. */
static enum seam_status extract(const struct columnar_func_call *c, const struct seam_value *a,
                                int n, struct seam_arena *mem, struct seam_value *out,
                                struct seam_fault *f)
{
    int64_t slots[COLUMNAR_REGEX_SLOTS], g = n > 2 ? a[2].i : 0;
    struct pattern p = {0};
    enum seam_status st = pattern_of(c, a, n, 9, mem, &p, f);

    if (st != SEAM_OK) return st;
    if (g < 0 || g >= columnar_regex_groups(p.regex))
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "the pattern has no group of that number");
    st = columnar_regex_find(p.regex, a[0].s, a[0].len, 0, false, mem, slots);
    *out = seam_v_text("", 0);
    if (st == SEAM_OK && slots[2 * g] >= 0)
        *out = seam_v_text(a[0].s + slots[2 * g], (size_t)(slots[2 * g + 1] - slots[2 * g]));
    return st == SEAM_END ? SEAM_OK : st;
}

/* \1 ... \9 are groups, \0 and \& the whole, \\ itself. */
static void put_replacement(struct seam_buf *b, const struct seam_value *by,
                            const struct seam_value *text, const int64_t *slots)
{
    for (uint32_t i = 0; i < by->len; i++) {
        char d = by->s[i] == '\\' && i + 1 < by->len ? by->s[i + 1] : '\0';
        int g = d >= '0' && d <= '9' ? d - '0' : d == '&' ? 0 : -1;

        if (g >= 0) {
            if (slots[2 * g] >= 0)
                seam_buf_append(b, text->s + slots[2 * g],
                                (size_t)(slots[2 * g + 1] - slots[2 * g]));
            i++;
        } else {
            i += d == '\\';
            seam_buf_u8(b, (uint8_t)by->s[i]);
        }
    }
}

static enum seam_status replace(const struct columnar_func_call *c, const struct seam_value *a,
                                int n, struct seam_arena *mem, struct seam_value *out,
                                struct seam_fault *f)
{
    int64_t slots[COLUMNAR_REGEX_SLOTS];
    struct pattern p = {0};
    struct seam_buf b = {0};
    size_t from = 0, copied = 0;
    const char *kept;
    bool any = false;
    enum seam_status st = pattern_of(c, a, n, 3, mem, &p, f);

    while (st == SEAM_OK && from <= a[0].len && (!any || p.global)) {
        st = columnar_regex_find(p.regex, a[0].s, a[0].len, from, false, mem, slots);
        if (st != SEAM_OK) break;
        any = true;
        seam_buf_append(&b, a[0].s + copied, (size_t)slots[0] - copied);
        put_replacement(&b, &a[2], &a[0], slots);
        copied = (size_t)slots[1];
        from = copied + (slots[1] == slots[0]); /* nothing matched: go on past one byte of it */
        while (from < a[0].len && slots[1] == slots[0] && (a[0].s[from] & 0xc0) == 0x80) from++;
        if (b.size > SEAM_TEXT_MAX)
            st = seam_fault_set(f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET,
                                "a text of more than %d bytes", SEAM_TEXT_MAX);
    }
    if (st == SEAM_END) st = SEAM_OK;
    *out = a[0];
    if (st == SEAM_OK && any) {
        seam_buf_append(&b, a[0].s + copied, a[0].len - copied);
        kept = seam_buf_ok(&b)
                   ? seam_arena_strdup(mem, b.data == NULL ? "" : (const char *)b.data, b.size)
                   : NULL;
        if (kept == NULL) st = SEAM_NOMEM;
        if (kept != NULL) *out = seam_v_text(kept, b.size);
    }
    seam_buf_free(&b);
    return st;
}

const struct columnar_func columnar_regex_funcs[] = {
    {"regexp_matches", "tt|t", 'b', false, matches, prepare_match},
    {"regexp_full_match", "tt|t", 'b', false, matches, prepare_match},
    {"regexp_replace", "ttt|t", 't', false, replace, prepare_replace},
    {"regexp_extract", "tt|i", 't', false, extract, prepare_extract},
};
const int columnar_regex_func_count = (int)SEAM_ARRAY_LEN(columnar_regex_funcs);
