/* like - patterns with % and _, as parts to be found one after another. */
#include <stdlib.h>

#include "columnar/exec/expr_impl.h"

enum seam_status columnar_like_prepare(struct seam_arena *a, const struct seam_value *pattern,
                                       bool fold, const struct columnar_like_pattern **out,
                                       struct seam_fault *f)
{
    size_t n = pattern->len, at = 0;
    struct columnar_like_pattern *p = seam_arena_zalloc(a, sizeof *p);
    char *bytes = seam_arena_alloc(a, n + 1);
    uint8_t *any = seam_arena_zalloc(a, n + 1);

    if (p != NULL) p->parts = seam_arena_zalloc(a, (n + 2) * sizeof *p->parts);
    if (p == NULL || p->parts == NULL || bytes == NULL || any == NULL)
        return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET, "no memory for a pattern");
    p->fold = fold;
    p->parts[0] = (struct columnar_like_part){.s = bytes, .any = any};
    for (size_t i = 0; i < n; i++) {
        struct columnar_like_part *part = &p->parts[p->count];
        char c = pattern->s[i];

        if (c == '%') {
            /* Neighbouring '%' say no more than one. */
            if (p->count > 0 && part->len == 0) continue;
            p->parts[++p->count] = (struct columnar_like_part){.s = bytes + at, .any = any + at};
            continue;
        }
        if (c == '\\' && i + 1 < n) {
            c = pattern->s[++i];
        } else if (c == '_') {
            any[at] = 1;
            part->wild = true;
        }
        bytes[at++] = fold ? (char)fold_byte((uint8_t)c) : c;
        part->len++;
        p->min_len++;
    }
    p->count++;
    *out = p;
    return SEAM_OK;
}

static bool part_at(const struct columnar_like_part *part, bool fold, const char *s)
{
    if (!part->wild && !fold) return memcmp(s, part->s, part->len) == 0;
    for (uint32_t i = 0; i < part->len; i++) {
        uint8_t c = fold ? fold_byte((uint8_t)s[i]) : (uint8_t)s[i];

        if (!part->any[i] && c != (uint8_t)part->s[i]) return false;
    }
    return true;
}

const char *columnar_like_find(const struct columnar_like_part *part, bool fold, const char *s,
                               const char *end)
{
    if (part->len == 0) return s;
    if ((size_t)(end - s) < part->len) return NULL;
    if (!part->wild && !fold) return memmem(s, (size_t)(end - s), part->s, part->len);
    for (; s + part->len <= end; s++)
        if (part_at(part, fold, s)) return s;
    return NULL;
}

bool columnar_like_match(const struct columnar_like_pattern *p, const char *s, size_t n)
{
    const struct columnar_like_part *first = &p->parts[0], *last = &p->parts[p->count - 1];
    const char *end = s + n;

    if (n < p->min_len) return false;
    if (p->count == 1) return n == first->len && part_at(first, p->fold, s);
    if (!part_at(first, p->fold, s)) return false;
    if (!part_at(last, p->fold, end - last->len)) return false;
    s += first->len;
    end -= last->len;
    for (int k = 1; k < p->count - 1; k++) {
        s = columnar_like_find(&p->parts[k], p->fold, s, end);
        if (s == NULL) return false;
        s += p->parts[k].len;
    }
    return s <= end;
}
