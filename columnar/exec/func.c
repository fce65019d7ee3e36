/* func - finding a function by its name, its arguments' types, and functions that are operators in disguise. */
#include "columnar/exec/func.h"

#include <string.h>

static const struct {
    const struct columnar_func *funcs;
    const int *n;
} rooms[] = {{columnar_text_funcs, &columnar_text_func_count},
             {columnar_number_funcs, &columnar_number_func_count},
             {columnar_time_funcs, &columnar_time_func_count},
             {columnar_regex_funcs, &columnar_regex_func_count}};

static const char *const disguised[] = {"nullif",   "ifnull", "if",          "iff",
                                        "greatest", "least",  "char_length", "character_length",
                                        "len",      "lcase",  "ucase"};

size_t columnar_func_names(const char **out, size_t max)
{
    size_t n = 0;

    for (size_t r = 0; r < SEAM_ARRAY_LEN(rooms); r++)
        for (int i = 0; i < *rooms[r].n && n < max; i++) out[n++] = rooms[r].funcs[i].name;
    for (size_t i = 0; i < SEAM_ARRAY_LEN(disguised) && n < max; i++) out[n++] = disguised[i];
    return n;
}

static const struct columnar_func *find(const char *name)
{
    for (size_t r = 0; r < SEAM_ARRAY_LEN(rooms); r++)
        for (int i = 0; i < *rooms[r].n; i++)
            if (strcmp(rooms[r].funcs[i].name, name) == 0) return &rooms[r].funcs[i];
    return NULL;
}

static enum seam_status wrong_count(const char *name, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                          "%s does not take this number of arguments", name);
}

/* The letter of the k-th argument; 0: there is no such argument. */
static char letter(const struct columnar_func *fn, int k, int *least, bool *open)
{
    char c = 0;
    int n = 0;
    bool optional = false;

    *least = 0;
    *open = false;
    for (const char *s = fn->args; *s != '\0'; s++) {
        if (*s == '|') {
            optional = true;
        } else if (*s == '*') {
            *open = true;
            if (n <= k) c = s[-1];
        } else {
            if (n == k) c = *s;
            if (!optional) *least = n + 1;
            n++;
        }
    }
    return c;
}

static bool is_number(const struct columnar_expr *e)
{
    return e->type == SEAM_V_INT || e->type == SEAM_V_DECIMAL || e->type == SEAM_V_DOUBLE;
}

static enum seam_status fit(struct seam_arena *a, const struct columnar_func *fn, char c,
                            const struct columnar_expr **e, struct seam_fault *f)
{
    bool constant_text = (*e)->type == SEAM_V_TEXT && columnar_expr_is_const(*e);
    unsigned want = c == 't'   ? SEAM_V_TEXT
                    : c == 'i' ? SEAM_V_INT
                    : c == 'd' ? SEAM_V_DOUBLE
                    : c == 'T' ? SEAM_V_TIME
                    : c == 'b' ? SEAM_V_BOOL
                               : SEAM_V_NULL;
    bool ok = (*e)->type == SEAM_V_NULL || c == 'a' || (*e)->type == want;

    if (c == 'n') {
        if (is_number(*e) || (*e)->type == SEAM_V_NULL) return SEAM_OK;
        want = SEAM_V_DOUBLE;
        ok = constant_text;
    }
    ok = ok || (c == 'd' && is_number(*e)) || constant_text;
    if (!ok)
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET, "%s takes %s, not %s",
                              fn->name,
                              c == 't'   ? "text"
                              : c == 'i' ? "whole numbers"
                              : c == 'T' ? "a time"
                              : c == 'b' ? "a condition"
                                         : "numbers",
                              seam_value_type_name((*e)->type));
    return c == 'a' || (*e)->type == want
               ? SEAM_OK
               : columnar_expr_cast(a, *e, (enum seam_value_type)want, 0, e, f);
}

static void result(const struct columnar_func *fn, const struct columnar_expr *first,
                   unsigned *type, unsigned *scale)
{
    *scale = 0;
    switch (fn->gives) {
    case 't': *type = SEAM_V_TEXT; return;
    case 'i': *type = SEAM_V_INT; return;
    case 'd': *type = SEAM_V_DOUBLE; return;
    case 'T': *type = SEAM_V_TIME; return;
    case 'b': *type = SEAM_V_BOOL; return;
    default:
        *type = first->type == SEAM_V_NULL ? SEAM_V_DOUBLE : first->type;
        if (fn->gives == 'n') *scale = first->scale;
    }
}

/* greatest, least: of one type, nulls left aside. */
static enum seam_status extreme(struct seam_arena *a, bool greatest,
                                const struct columnar_expr *const *in, int n,
                                const struct columnar_expr **out, struct seam_fault *f)
{
    const struct columnar_expr *best, *all;
    enum seam_status st;

    if (n < 1) return wrong_count(greatest ? "greatest" : "least", f);
    st = columnar_expr_call(a, COLUMNAR_E_COALESCE, in, n, &all, f); /* the common type */
    if (st == SEAM_OK) st = columnar_expr_cast(a, in[0], all->type, all->scale, &best, f);
    for (int k = 1; st == SEAM_OK && k < n; k++) {
        const struct columnar_expr *x, *args[4], *two[2];

        st = columnar_expr_cast(a, in[k], all->type, all->scale, &x, f);
        two[0] = x;
        two[1] = best;
        if (st == SEAM_OK)
            st = columnar_expr_call(a, greatest ? COLUMNAR_E_GT : COLUMNAR_E_LT, two, 2, &args[0],
                                    f);
        args[1] = x;
        if (st == SEAM_OK)
            st = columnar_expr_call(a, COLUMNAR_E_COALESCE, (two[0] = best, two[1] = x, two), 2,
                                    &args[2], f);
        if (st == SEAM_OK) st = columnar_expr_call(a, COLUMNAR_E_CASE, args, 3, &best, f);
    }
    *out = best;
    return st;
}

static enum seam_status disguise(struct seam_arena *a, const char *name,
                                 const struct columnar_expr *const *in, int n,
                                 const struct columnar_expr **out, struct seam_fault *f)
{
    const struct columnar_expr *args[3];
    struct seam_value none = seam_v_null();
    enum seam_status st;

    if (strcmp(name, "greatest") == 0 || strcmp(name, "least") == 0)
        return extreme(a, name[0] == 'g', in, n, out, f);
    if (strcmp(name, "nullif") == 0) { /* case when x = y then null else x end */
        if (n != 2) return wrong_count(name, f);
        st = columnar_expr_call(a, COLUMNAR_E_EQ, in, 2, &args[0], f);
        if (st == SEAM_OK) st = columnar_expr_const(a, &none, &args[1], f);
        if (st == SEAM_OK)
            st = columnar_expr_cast(a, args[1], in[0]->type, in[0]->scale, &args[1], f);
        args[2] = in[0];
        return st == SEAM_OK ? columnar_expr_call(a, COLUMNAR_E_CASE, args, 3, out, f) : st;
    }
    if (strcmp(name, "ifnull") == 0)
        return n == 2 ? columnar_expr_call(a, COLUMNAR_E_COALESCE, in, 2, out, f)
                      : wrong_count(name, f);
    if (strcmp(name, "if") == 0 || strcmp(name, "iff") == 0)
        return n == 3 ? columnar_expr_call(a, COLUMNAR_E_CASE, in, 3, out, f)
                      : wrong_count(name, f);
    if (strcmp(name, "char_length") == 0 || strcmp(name, "character_length") == 0 ||
        strcmp(name, "len") == 0)
        return n == 1 ? columnar_expr_call(a, COLUMNAR_E_LENGTH, in, 1, out, f)
                      : wrong_count(name, f);
    if (strcmp(name, "lcase") == 0 || strcmp(name, "ucase") == 0)
        return n == 1 ? columnar_expr_call(a, name[0] == 'l' ? COLUMNAR_E_LOWER : COLUMNAR_E_UPPER,
                                           in, 1, out, f)
                      : wrong_count(name, f);
    return SEAM_NOT_FOUND;
}

enum seam_status columnar_expr_func(struct seam_arena *a, const char *name,
                                    const struct columnar_expr *const *in, int n,
                                    const struct columnar_expr **out, struct seam_fault *f)
{
    const struct columnar_func *fn = find(name);
    const struct columnar_expr **args = seam_arena_alloc(a, (size_t)(n + 1) * sizeof *args);
    struct columnar_func_call *call = seam_arena_zalloc(a, sizeof *call);
    unsigned type, scale;
    int least = 0;
    bool open = false;
    enum seam_status st = SEAM_OK;

    if (args == NULL || call == NULL)
        return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET,
                              "no memory for an expression");
    if (fn == NULL) return disguise(a, name, in, n, out, f);
    for (int k = 0; st == SEAM_OK && k < n; k++) {
        char c = letter(fn, k, &least, &open);

        args[k] = in[k];
        if (c == 0) return wrong_count(name, f);
        st = fit(a, fn, c, &args[k], f);
    }
    (void)letter(fn, 0, &least, &open);
    if (st == SEAM_OK && n < least) return wrong_count(name, f);
    if (st != SEAM_OK) return st;
    result(fn, n > 0 ? args[0] : NULL, &type, &scale);
    call->name = fn->name;
    call->nulls = fn->nulls;
    call->eval = fn->eval;
    if (fn->prepare != NULL) st = fn->prepare(a, args, n, &call->state, f);
    return st == SEAM_OK ? columnar_expr_func_node(a, call, type, scale, args, n, out, f) : st;
}
