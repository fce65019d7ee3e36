/* like - patterns with % and _, as parts to be found one after another. A '_' takes one character: a byte and the
 * bytes that continue it, as length() counts them. */
#include <assert.h>
#include <stdlib.h>

#include "columnar/exec/expr_impl.h"
#include "engine/text/case.h"

static bool continues(char c)
{
    return ((uint8_t)c & 0xc0) == 0x80;
}

enum seam_status columnar_like_prepare(struct seam_arena *a, const struct seam_value *pattern,
                                       const struct seam_value *escape, bool fold,
                                       const struct columnar_like_pattern **out,
                                       struct seam_fault *f)
{
    size_t n = pattern->len, at = 0, e = escape->len;
    struct columnar_like_pattern *p = seam_arena_zalloc(a, sizeof *p);
    char *bytes = seam_arena_alloc(a, 2 * n + 1);
    uint8_t *any = seam_arena_zalloc(a, 2 * n + 1);

    if (p != NULL) p->parts = seam_arena_zalloc(a, (n + 2) * sizeof *p->parts);
    if (p == NULL || p->parts == NULL || bytes == NULL || any == NULL)
        return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET, "no memory for a pattern");
    p->parts[0] = (struct columnar_like_part){.s = bytes, .any = any};
    for (size_t i = 0; i < n;) {
        struct columnar_like_part *part = &p->parts[p->count];
        size_t size = 1;

        if (e > 0 && n - i >= e && memcmp(pattern->s + i, escape->s, e) == 0) {
            i += e;
            if (i == n)
                return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                                      "the pattern ends with its escape character");
        } else if (pattern->s[i] == '%') {
            i++;
            /* Neighbouring '%' say no more than one. */
            if (p->count > 0 && part->len == 0) continue;
            p->parts[++p->count] = (struct columnar_like_part){.s = bytes + at, .any = any + at};
            continue;
        } else if (pattern->s[i] == '_') {
            any[at] = 1;
            part->wild = true;
        }
        while (i + size < n && continues(pattern->s[i + size])) size++;
        if (fold) {
            size_t had = size;

            size = seam_text_lower(pattern->s + i, had, bytes + at);
            i += had;
        } else {
            memcpy(bytes + at, pattern->s + i, size);
            i += size;
        }
        at += size;
        part->len += (uint32_t)size;
        p->min_len += (uint32_t)size;
    }
    p->count++;
    *out = p;
    return SEAM_OK;
}

/* Where the part ends when it begins at s; NULL: it does not. */
static const char *part_at(const struct columnar_like_part *part, const char *s, const char *end)
{
    if (!part->wild)
        return (size_t)(end - s) >= part->len && memcmp(s, part->s, part->len) == 0 ? s + part->len
                                                                                    : NULL;
    for (uint32_t i = 0; i < part->len; i++) {
        if (s == end || (!part->any[i] && *s != part->s[i])) return NULL;
        s++;
        while (part->any[i] && s < end && continues(*s)) s++;
    }
    return s;
}

/* Where the part begins when it ends at `end`; NULL: it does not. */
static const char *part_before(const struct columnar_like_part *part, const char *s,
                               const char *end)
{
    for (uint32_t i = part->len; i-- > 0;) {
        if (s == end || (!part->any[i] && end[-1] != part->s[i])) return NULL;
        end--;
        while (part->any[i] && end > s && continues(*end)) end--;
    }
    return end;
}

/* The end of the first place of a part at or after s; NULL: there is none. */
static const char *find(const struct columnar_like_part *part, const char *s, const char *end)
{
    if (part->len == 0) return s;
    if (!part->wild) {
        const char *at = memmem(s, (size_t)(end - s), part->s, part->len);

        return at == NULL ? NULL : at + part->len;
    }
    for (const char *at = s; at < end; at++) {
        const char *after = at > s && continues(*at) ? NULL : part_at(part, at, end);

        if (after != NULL) return after;
    }
    return NULL;
}

bool columnar_like_match(const struct columnar_like_pattern *p, const char *s, size_t n)
{
    const struct columnar_like_part *first = &p->parts[0], *last = &p->parts[p->count - 1];
    const char *end = s + n;

    assert(p->count > 0);
    if (n < p->min_len) return false;
    s = part_at(first, s, end);
    if (s == NULL || p->count == 1) return s == end;
    end = part_before(last, s, end);
    for (int k = 1; end != NULL && s != NULL && k < p->count - 1; k++)
        s = find(&p->parts[k], s, end);
    return s != NULL && end != NULL && s <= end;
}
