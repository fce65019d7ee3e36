/* func_text - scalar functions of text. Places and lengths count characters (UTF-8). */
#include <string.h>

#include "columnar/exec/func.h"

#define FUNC(name)                                                                                 \
    static enum seam_status name(const struct columnar_func_call *c, const struct seam_value *a,   \
                                 int n, struct seam_arena *mem, struct seam_value *out,            \
                                 struct seam_fault *f)
#define UNUSED (void)c, (void)n, (void)mem, (void)f

static bool continues(char c)
{
    return (c & 0xc0) == 0x80;
}

static int64_t characters(const char *s, size_t n)
{
    int64_t k = 0;

    for (size_t i = 0; i < n; i++) k += !continues(s[i]);
    return k;
}

/* The byte at which the k-th character (from 0) begins; n when there is none. */
static size_t byte_of(const char *s, size_t n, int64_t k)
{
    size_t i = 0;

    for (; i < n; i++)
        if (!continues(s[i]) && k-- == 0) return i;
    return n;
}

static enum seam_status too_long(struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET, "a text of more than %d bytes",
                          SEAM_TEXT_MAX);
}

static bool in_set(const struct seam_value *set, const char *s, size_t n)
{
    if (set == NULL) return n == 1 && (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r');
    for (size_t i = 0; i < set->len;) {
        size_t k = 1;

        while (i + k < set->len && continues(set->s[i + k])) k++;
        if (k == n && memcmp(set->s + i, s, n) == 0) return true;
        i += k;
    }
    return false;
}

FUNC(trimmed)
{
    const struct seam_value *set = n > 1 ? &a[1] : NULL;
    size_t from = 0, to = a[0].len;

    UNUSED;
    while (strcmp(c->name, "rtrim") != 0 && from < to) {
        size_t k = 1;

        while (from + k < to && continues(a[0].s[from + k])) k++;
        if (!in_set(set, a[0].s + from, k)) break;
        from += k;
    }
    while (strcmp(c->name, "ltrim") != 0 && to > from) {
        size_t k = 1;

        while (k < to - from && continues(a[0].s[to - k])) k++;
        if (!in_set(set, a[0].s + to - k, k)) break;
        to -= k;
    }
    *out = seam_v_text(a[0].s + from, to - from);
    return SEAM_OK;
}

FUNC(replaced)
{
    const char *s = a[0].s, *end = s + a[0].len;
    struct seam_buf b = {0};
    const char *kept;

    UNUSED;
    *out = a[0];
    if (a[1].len == 0) return SEAM_OK;
    while (s < end) {
        const char *hit = memmem(s, (size_t)(end - s), a[1].s, a[1].len);

        if (hit == NULL) break;
        seam_buf_append(&b, s, (size_t)(hit - s));
        seam_buf_append(&b, a[2].s, a[2].len);
        s = hit + a[1].len;
        if (b.size > SEAM_TEXT_MAX) {
            seam_buf_free(&b);
            return too_long(f);
        }
    }
    seam_buf_append(&b, s, (size_t)(end - s));
    kept = seam_buf_ok(&b)
               ? seam_arena_strdup(mem, b.data == NULL ? "" : (const char *)b.data, b.size)
               : NULL;
    if (kept != NULL) *out = seam_v_text(kept, b.size);
    seam_buf_free(&b);
    return kept != NULL ? SEAM_OK : SEAM_NOMEM;
}

FUNC(place)
{
    const char *hit;

    UNUSED;
    *out = seam_v_int(a[1].len == 0);
    if (a[1].len == 0 || a[1].len > a[0].len) return SEAM_OK;
    hit = memmem(a[0].s, a[0].len, a[1].s, a[1].len);
    if (hit != NULL) out->i = characters(a[0].s, (size_t)(hit - a[0].s)) + 1;
    return SEAM_OK;
}

FUNC(left_part)
{
    int64_t k = a[1].i >= 0 ? a[1].i : characters(a[0].s, a[0].len) + a[1].i;

    UNUSED;
    *out = seam_v_text(a[0].s, k <= 0 ? 0 : byte_of(a[0].s, a[0].len, k));
    return SEAM_OK;
}

FUNC(right_part)
{
    int64_t all = characters(a[0].s, a[0].len), k = a[1].i >= 0 ? all - a[1].i : -a[1].i;
    size_t from = k <= 0 ? 0 : byte_of(a[0].s, a[0].len, k);

    UNUSED;
    *out = seam_v_text(a[0].s + from, a[0].len - from);
    return SEAM_OK;
}

FUNC(starts_with)
{
    UNUSED;
    *out = seam_v_bool(a[1].len <= a[0].len && memcmp(a[0].s, a[1].s, a[1].len) == 0);
    return SEAM_OK;
}

FUNC(ends_with)
{
    UNUSED;
    *out = seam_v_bool(a[1].len <= a[0].len &&
                       memcmp(a[0].s + a[0].len - a[1].len, a[1].s, a[1].len) == 0);
    return SEAM_OK;
}

FUNC(holds)
{
    UNUSED;
    *out = seam_v_bool(a[1].len == 0 || memmem(a[0].s, a[0].len, a[1].s, a[1].len) != NULL);
    return SEAM_OK;
}

FUNC(reversed)
{
    char *s = seam_arena_alloc(mem, (size_t)a[0].len + 1);
    size_t to = a[0].len;

    UNUSED;
    if (s == NULL) return SEAM_NOMEM;
    for (size_t i = 0; i < a[0].len;) {
        size_t k = 1;

        while (i + k < a[0].len && continues(a[0].s[i + k])) k++;
        to -= k;
        memcpy(s + to, a[0].s + i, k);
        i += k;
    }
    *out = seam_v_text(s, a[0].len);
    return SEAM_OK;
}

FUNC(repeated)
{
    uint64_t times = a[1].i < 0 ? 0 : (uint64_t)a[1].i;
    char *s;

    UNUSED;
    if (a[0].len > 0 && times > SEAM_TEXT_MAX / a[0].len) return too_long(f);
    s = seam_arena_alloc(mem, (size_t)(times * a[0].len) + 1);
    if (s == NULL) return SEAM_NOMEM;
    for (uint64_t i = 0; i < times && a[0].len > 0; i++) memcpy(s + i * a[0].len, a[0].s, a[0].len);
    *out = seam_v_text(s, a[0].len == 0 ? 0 : (size_t)(times * a[0].len));
    return SEAM_OK;
}

/* lpad, rpad: to a number of characters, cut when longer. */
FUNC(padded)
{
    int64_t have = characters(a[0].s, a[0].len), want = a[1].i < 0 ? 0 : a[1].i;
    struct seam_value fill = n > 2 ? a[2] : seam_v_text(" ", 1);
    struct seam_buf b = {0};
    const char *kept;
    int64_t each = characters(fill.s, fill.len);

    UNUSED;
    if (want <= have || each == 0) {
        *out = seam_v_text(a[0].s, byte_of(a[0].s, a[0].len, want));
        return SEAM_OK;
    }
    if (want > SEAM_TEXT_MAX / 4) return too_long(f);
    if (c->name[0] == 'r') seam_buf_append(&b, a[0].s, a[0].len);
    for (int64_t left = want - have; left > 0; left -= each)
        seam_buf_append(&b, fill.s, left >= each ? fill.len : byte_of(fill.s, fill.len, left));
    if (c->name[0] == 'l') seam_buf_append(&b, a[0].s, a[0].len);
    kept = seam_buf_ok(&b) ? seam_arena_strdup(mem, (const char *)b.data, b.size) : NULL;
    if (kept != NULL) *out = seam_v_text(kept, b.size);
    seam_buf_free(&b);
    return kept != NULL ? SEAM_OK : SEAM_NOMEM;
}

/* concat_ws(between, text, ...): nulls are left out. */
FUNC(concat_ws)
{
    size_t size = 1;
    char *s, *to;
    bool first = true;

    UNUSED;
    if (a[0].type == SEAM_V_NULL) {
        *out = seam_v_null();
        return SEAM_OK;
    }
    for (int k = 1; k < n; k++)
        if (a[k].type != SEAM_V_NULL) size += (size_t)a[k].len + a[0].len;
    if (size > SEAM_TEXT_MAX) return too_long(f);
    s = to = seam_arena_alloc(mem, size);
    if (s == NULL) return SEAM_NOMEM;
    for (int k = 1; k < n; k++) {
        if (a[k].type == SEAM_V_NULL) continue;
        if (!first && a[0].len > 0) to = (char *)memcpy(to, a[0].s, a[0].len) + a[0].len;
        if (a[k].len > 0) to = (char *)memcpy(to, a[k].s, a[k].len) + a[k].len;
        first = false;
    }
    *out = seam_v_text(s, (size_t)(to - s));
    return SEAM_OK;
}

/* split_part(text, between, k): from 1; negative: from the end. */
FUNC(split_part)
{
    const char *s = a[0].s, *end = s + a[0].len;
    int64_t parts = 1, k = a[2].i;

    UNUSED;
    *out = seam_v_text("", 0);
    for (const char *p = s; a[1].len > 0; parts++) {
        p = memmem(p, (size_t)(end - p), a[1].s, a[1].len);
        if (p == NULL) break;
        p += a[1].len;
    }
    if (k < 0) k += parts + 1;
    if (k < 1 || k > parts) return SEAM_OK;
    for (; k > 1; k--) s = (const char *)memmem(s, (size_t)(end - s), a[1].s, a[1].len) + a[1].len;
    if (a[1].len > 0 && memmem(s, (size_t)(end - s), a[1].s, a[1].len) != NULL)
        end = memmem(s, (size_t)(end - s), a[1].s, a[1].len);
    *out = seam_v_text(s, (size_t)(end - s));
    return SEAM_OK;
}

FUNC(bytes)
{
    UNUSED;
    *out = seam_v_int(a[0].len);
    return SEAM_OK;
}

FUNC(first_code)
{
    const uint8_t *s = (const uint8_t *)a[0].s;

    UNUSED;
    *out = seam_v_int(0);
    if (a[0].len == 0) return SEAM_OK;
    if (s[0] < 0x80)
        out->i = s[0];
    else if (s[0] < 0xe0 && a[0].len > 1)
        out->i = (s[0] & 0x1f) << 6 | (s[1] & 0x3f);
    else if (s[0] < 0xf0 && a[0].len > 2)
        out->i = (s[0] & 0x0f) << 12 | (s[1] & 0x3f) << 6 | (s[2] & 0x3f);
    else if (a[0].len > 3)
        out->i = (s[0] & 0x07) << 18 | (s[1] & 0x3f) << 12 | (s[2] & 0x3f) << 6 | (s[3] & 0x3f);
    return SEAM_OK;
}

FUNC(of_code)
{
    int64_t v = a[0].i;
    char *s = seam_arena_alloc(mem, 4);
    size_t k = 0;

    UNUSED;
    if (s == NULL) return SEAM_NOMEM;
    if (v < 1 || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "there is no such character");
    if (v < 0x80) {
        s[k++] = (char)v;
    } else {
        int more = v < 0x800 ? 1 : v < 0x10000 ? 2 : 3;

        s[k++] = (char)((more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0) | v >> (6 * more));
        while (more-- > 0) s[k++] = (char)(0x80 | (v >> (6 * more) & 0x3f));
    }
    *out = seam_v_text(s, k);
    return SEAM_OK;
}

/* text LIKE pattern, where the pattern is no constant: prepared for each row. */
FUNC(like)
{
    const struct columnar_like_pattern *p;
    struct seam_value escape = seam_v_str("\\");
    enum seam_status st =
        columnar_like_prepare(mem, &a[1], &escape, strcmp(c->name, "ilike_with") == 0, &p, f);

    (void)n;
    if (st == SEAM_OK) *out = seam_v_bool(columnar_like_match(p, a[0].s, a[0].len));
    return st;
}

const struct columnar_func columnar_text_funcs[] = {
    {"trim", "t|t", 't', false, trimmed, NULL},
    {"btrim", "t|t", 't', false, trimmed, NULL},
    {"ltrim", "t|t", 't', false, trimmed, NULL},
    {"rtrim", "t|t", 't', false, trimmed, NULL},
    {"replace", "ttt", 't', false, replaced, NULL},
    {"strpos", "tt", 'i', false, place, NULL},
    {"instr", "tt", 'i', false, place, NULL},
    {"left", "ti", 't', false, left_part, NULL},
    {"right", "ti", 't', false, right_part, NULL},
    {"starts_with", "tt", 'b', false, starts_with, NULL},
    {"prefix", "tt", 'b', false, starts_with, NULL},
    {"ends_with", "tt", 'b', false, ends_with, NULL},
    {"suffix", "tt", 'b', false, ends_with, NULL},
    {"contains", "tt", 'b', false, holds, NULL},
    {"reverse", "t", 't', false, reversed, NULL},
    {"repeat", "ti", 't', false, repeated, NULL},
    {"lpad", "ti|t", 't', false, padded, NULL},
    {"rpad", "ti|t", 't', false, padded, NULL},
    {"concat_ws", "tt*", 't', true, concat_ws, NULL},
    {"split_part", "tti", 't', false, split_part, NULL},
    {"strlen", "t", 'i', false, bytes, NULL},
    {"octet_length", "t", 'i', false, bytes, NULL},
    {"ascii", "t", 'i', false, first_code, NULL},
    {"unicode", "t", 'i', false, first_code, NULL},
    {"ord", "t", 'i', false, first_code, NULL},
    {"chr", "i", 't', false, of_code, NULL},
    {"like_with", "tt", 'b', false, like, NULL},
    {"ilike_with", "tt", 'b', false, like, NULL},
};
const int columnar_text_func_count = (int)SEAM_ARRAY_LEN(columnar_text_funcs);
