/* regex - compiling a pattern to a program, and walking all its ways through a text side by side. */
#include "columnar/exec/regex.h"

#include <assert.h>
#include <string.h>

enum op {
    R_CHAR,
    R_ANY,
    R_CLASS,
    R_SPLIT,
    R_JUMP,
    R_SAVE,
    R_BEGIN,
    R_END,
    R_WORD,
    R_NOT_WORD,
    R_MATCH
};
enum { RANGES_MAX = 64, DEPTH_MAX = 100, REPEAT_MAX = 1000 };

struct class_ranges {
    bool negated;
    int n;
    uint32_t lo[RANGES_MAX], hi[RANGES_MAX];
};

struct step {
    enum op op;
    uint32_t c; /* CHAR; SAVE: the slot */
    int x, y;   /* SPLIT: first, second; JUMP: x */
    const struct class_ranges *set;
};

struct columnar_regex {
    struct step *steps;
    int n, groups;
    bool fold;
};

struct compiler {
    struct seam_arena *a;
    const char *s;
    size_t n, at;
    struct columnar_regex *r;
    int cap, depth;
    const char *why;
};

static uint32_t lower(uint32_t c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* One code point; a byte that begins none stands for itself. */
static uint32_t decode(const char *s, size_t n, size_t *at)
{
    const uint8_t *p = (const uint8_t *)s + *at;
    size_t left = n - *at, need = p[0] < 0x80   ? 1
                                  : p[0] < 0xc0 ? 1
                                  : p[0] < 0xe0 ? 2
                                  : p[0] < 0xf0 ? 3
                                                : 4;
    uint32_t c = p[0];

    if (need > left) need = 1;
    for (size_t k = 1; k < need; k++)
        if ((p[k] & 0xc0) != 0x80) need = 1;
    if (need > 1) {
        c = p[0] & (0xffu >> (need + 1));
        for (size_t k = 1; k < need; k++) c = c << 6 | (p[k] & 0x3f);
    }
    *at += need;
    return c;
}

/* ---- compiling ---- */

static bool fail(struct compiler *c, const char *why)
{
    if (c->why == NULL) c->why = why;
    return false;
}

static bool room(struct compiler *c, int more)
{
    struct step *bigger;

    if (c->r->n + more > COLUMNAR_REGEX_PROGRAM_MAX) return fail(c, "the pattern is too large");
    if (c->r->n + more <= c->cap) return true;
    while (c->r->n + more > c->cap) c->cap *= 2;
    bigger = seam_arena_alloc(c->a, (size_t)c->cap * sizeof *bigger);
    if (bigger == NULL) return fail(c, "no memory");
    memcpy(bigger, c->r->steps, (size_t)c->r->n * sizeof *bigger);
    c->r->steps = bigger;
    return true;
}

static bool emit(struct compiler *c, struct step s)
{
    if (!room(c, 1)) return false;
    c->r->steps[c->r->n++] = s;
    return true;
}

/* Room for one step at `at`; what lies after moves, and its jumps with it. */
static bool insert(struct compiler *c, int at, struct step s)
{
    if (!room(c, 1)) return false;
    memmove(c->r->steps + at + 1, c->r->steps + at, (size_t)(c->r->n - at) * sizeof *c->r->steps);
    c->r->steps[at] = s;
    c->r->n++;
    for (int i = at + 1; i < c->r->n; i++) {
        if (c->r->steps[i].op != R_SPLIT && c->r->steps[i].op != R_JUMP) continue;
        c->r->steps[i].x += c->r->steps[i].x >= at;
        c->r->steps[i].y += c->r->steps[i].y >= at;
    }
    return true;
}

static bool at_end(const struct compiler *c)
{
    return c->at >= c->n;
}

static bool add_range(struct compiler *c, struct class_ranges *set, uint32_t lo, uint32_t hi)
{
    if (set->n == RANGES_MAX) return fail(c, "a class of too many ranges");
    set->lo[set->n] = lo;
    set->hi[set->n++] = hi;
    return true;
}

/* \d \w \s as ranges; upper case: the rest. */
static bool named_class(struct compiler *c, char name, struct class_ranges *set)
{
    static const struct {
        char name;
        int n;
        uint32_t lo[4], hi[4];
    } known[] = {{'d', 1, {'0'}, {'9'}},
                 {'w', 4, {'0', 'A', '_', 'a'}, {'9', 'Z', '_', 'z'}},
                 {'s', 2, {'\t', ' '}, {'\r', ' '}}};
    uint32_t next = 0;

    for (size_t k = 0; k < SEAM_ARRAY_LEN(known); k++) {
        if (known[k].name == name) {
            for (int i = 0; i < known[k].n; i++)
                if (!add_range(c, set, known[k].lo[i], known[k].hi[i])) return false;
            return true;
        }
        if (known[k].name != (name | 0x20)) continue;
        for (int i = 0; i < known[k].n; i++) {
            if (known[k].lo[i] > next && !add_range(c, set, next, known[k].lo[i] - 1)) return false;
            next = known[k].hi[i] + 1;
        }
        return add_range(c, set, next, 0x10ffff);
    }
    return false;
}

static bool escape_char(struct compiler *c, char e, uint32_t *out)
{
    switch (e) {
    case 'n': *out = '\n'; return true;
    case 't': *out = '\t'; return true;
    case 'r': *out = '\r'; return true;
    case 'f': *out = '\f'; return true;
    case 'v': *out = '\v'; return true;
    default: break;
    }
    if ((e >= '0' && e <= '9') || (e >= 'a' && e <= 'z') || (e >= 'A' && e <= 'Z'))
        return fail(c, "an escape that means nothing here (back references are not matched)");
    *out = (uint8_t)e;
    return true;
}

static bool is_named(char e)
{
    return strchr("dwsDWS", e) != NULL && e != '\0';
}

static bool posix_class(struct compiler *c, struct class_ranges *set, bool *taken)
{
    static const struct {
        const char *name, *as;
    } known[] = {{"[:digit:]", "09"},      {"[:alpha:]", "AZaz"}, {"[:alnum:]", "09AZaz"},
                 {"[:upper:]", "AZ"},      {"[:lower:]", "az"},   {"[:space:]", "\t\r  "},
                 {"[:punct:]", "!/:@[`{~"}};

    *taken = false;
    for (size_t k = 0; k < SEAM_ARRAY_LEN(known); k++) {
        size_t n = strlen(known[k].name);

        if (c->n - c->at < n || memcmp(c->s + c->at, known[k].name, n) != 0) continue;
        for (const char *p = known[k].as; *p != '\0'; p += 2)
            if (!add_range(c, set, (uint8_t)p[0], (uint8_t)p[1])) return false;
        c->at += n;
        *taken = true;
        return true;
    }
    return true;
}

/* After '['. */
static bool char_class(struct compiler *c)
{
    struct class_ranges *set = seam_arena_zalloc(c->a, sizeof *set);
    bool first = true, taken;

    if (set == NULL) return fail(c, "no memory");
    if (!at_end(c) && c->s[c->at] == '^') {
        set->negated = true;
        c->at++;
    }
    for (; !at_end(c) && (c->s[c->at] != ']' || first); first = false) {
        uint32_t lo, hi;

        if (!posix_class(c, set, &taken)) return false;
        if (taken) continue;
        lo = decode(c->s, c->n, &c->at);
        if (lo == '\\') {
            if (at_end(c)) return fail(c, "the class is not closed");
            if (is_named(c->s[c->at])) {
                if (!named_class(c, c->s[c->at++], set)) return false;
                continue;
            }
            if (!escape_char(c, c->s[c->at++], &lo)) return false;
        }
        hi = lo;
        if (c->n - c->at >= 2 && c->s[c->at] == '-' && c->s[c->at + 1] != ']') {
            c->at++;
            hi = decode(c->s, c->n, &c->at);
            if (hi == '\\') {
                if (at_end(c) || !escape_char(c, c->s[c->at++], &hi))
                    return fail(c, "the class is not closed");
            }
            if (hi < lo) return fail(c, "a range whose end is before its begin");
        }
        if (!add_range(c, set, lo, hi)) return false;
    }
    if (at_end(c)) return fail(c, "the class is not closed");
    c->at++;
    return emit(c, (struct step){.op = R_CLASS, .set = set});
}

static bool escaped(struct compiler *c)
{
    struct class_ranges *set;
    uint32_t ch;
    char e;

    if (at_end(c)) return fail(c, "the pattern ends with an escape");
    e = c->s[c->at++];
    if (e == 'b') return emit(c, (struct step){.op = R_WORD});
    if (e == 'B') return emit(c, (struct step){.op = R_NOT_WORD});
    if (e == 'A') return emit(c, (struct step){.op = R_BEGIN});
    if (e == 'z') return emit(c, (struct step){.op = R_END});
    if (is_named(e)) {
        set = seam_arena_zalloc(c->a, sizeof *set);
        if (set == NULL) return fail(c, "no memory");
        return named_class(c, e, set) && emit(c, (struct step){.op = R_CLASS, .set = set});
    }
    return escape_char(c, e, &ch) && emit(c, (struct step){.op = R_CHAR, .c = ch});
}

static bool alternatives(struct compiler *c);

static bool group(struct compiler *c)
{
    int number = -1;
    bool ok;

    if (++c->depth > DEPTH_MAX) return fail(c, "the pattern nests too deeply");
    if (c->n - c->at >= 2 && c->s[c->at] == '?' && c->s[c->at + 1] == ':')
        c->at += 2;
    else if (!at_end(c) && c->s[c->at] == '?')
        return fail(c, "only (?: of the forms after (? is matched");
    else if (c->r->groups < COLUMNAR_REGEX_GROUPS_MAX)
        number = c->r->groups++;
    else
        return fail(c, "more than 9 groups");
    ok = number < 0 || emit(c, (struct step){.op = R_SAVE, .c = (uint32_t)(2 * number)});
    ok = ok && alternatives(c);
    if (ok && (at_end(c) || c->s[c->at] != ')')) return fail(c, "a ( without its )");
    c->at++;
    c->depth--;
    return ok &&
           (number < 0 || emit(c, (struct step){.op = R_SAVE, .c = (uint32_t)(2 * number + 1)}));
}

static bool atom(struct compiler *c)
{
    uint32_t ch = decode(c->s, c->n, &c->at);

    switch (ch) {
    case '.': return emit(c, (struct step){.op = R_ANY});
    case '^': return emit(c, (struct step){.op = R_BEGIN});
    case '$': return emit(c, (struct step){.op = R_END});
    case '[': return char_class(c);
    case '(': return group(c);
    case '\\': return escaped(c);
    case '*':
    case '+':
    case '?': return fail(c, "a repetition of nothing");
    default: return emit(c, (struct step){.op = R_CHAR, .c = ch});
    }
}

/* A copy of steps [from, to) at the end. */
static bool again(struct compiler *c, int from, int to)
{
    int shift = c->r->n - from;

    for (int i = from; i < to; i++) {
        struct step s = c->r->steps[i];

        s.x += shift;
        s.y += shift;
        if (!emit(c, s)) return false;
    }
    return true;
}

static bool star(struct compiler *c, int from, bool lazy)
{
    int end;

    if (!insert(c, from, (struct step){.op = R_SPLIT})) return false;
    if (!emit(c, (struct step){.op = R_JUMP, .x = from})) return false;
    end = c->r->n;
    c->r->steps[from].x = lazy ? end : from + 1;
    c->r->steps[from].y = lazy ? from + 1 : end;
    return true;
}

static bool maybe(struct compiler *c, int from, bool lazy)
{
    if (!insert(c, from, (struct step){.op = R_SPLIT})) return false;
    c->r->steps[from].x = lazy ? c->r->n : from + 1;
    c->r->steps[from].y = lazy ? from + 1 : c->r->n;
    return true;
}

static bool bounds(struct compiler *c, int *least, int *most)
{
    size_t at = c->at;
    int n[2] = {0, -1};
    bool digits = false;

    for (int k = 0; k < 2; k++) {
        for (digits = false; at < c->n && c->s[at] >= '0' && c->s[at] <= '9'; at++) {
            n[k] = (digits ? n[k] : 0) * 10 + (c->s[at] - '0');
            digits = true;
            if (n[k] > REPEAT_MAX) return fail(c, "more than 1000 repetitions");
        }
        if (k == 0 && !digits) return false;
        if (k == 0 && at < c->n && c->s[at] == '}') n[1] = n[0];
        if (k == 0 && at < c->n && c->s[at] == ',') {
            at++;
            continue;
        }
        break;
    }
    if (at >= c->n || c->s[at] != '}') return false;
    c->at = at + 1;
    *least = n[0];
    *most = n[1];
    return *most < 0 || *most >= *least ? true
                                        : fail(c, "a repetition whose most is below its least");
}

static bool repeat(struct compiler *c, int from, int least, int most, bool lazy)
{
    int to = c->r->n;

    if (least == 0 && most == 0) {
        c->r->n = from;
        return true;
    }
    for (int k = 1; k < least; k++)
        if (!again(c, from, to)) return false;
    if (least == 0 && most < 0) return star(c, from, lazy);
    /* x{0,n} is x?x?...: the first is made optional last, so that copies are of the bare piece */
    for (int k = least > 0 ? least : 1; k < most; k++) {
        int begin = c->r->n;

        if (!again(c, from, to) || !maybe(c, begin, lazy)) return false;
    }
    if (most < 0) {
        int begin = c->r->n;

        return again(c, from, to) && star(c, begin, lazy);
    }
    if (least > 0) return true;
    /* only [from, to) becomes optional: what was copied behind it is already */
    if (!insert(c, from, (struct step){.op = R_SPLIT})) return false;
    c->r->steps[from].x = lazy ? to + 1 : from + 1;
    c->r->steps[from].y = lazy ? from + 1 : to + 1;
    return true;
}

static bool piece(struct compiler *c)
{
    int from = c->r->n, least, most;
    size_t before;

    if (!atom(c)) return false;
    while (!at_end(c)) {
        bool lazy;

        before = c->at;
        switch (c->s[c->at++]) {
        case '*': least = 0, most = -1; break;
        case '+': least = 1, most = -1; break;
        case '?': least = 0, most = 1; break;
        case '{':
            if (bounds(c, &least, &most)) break;
            c->at = before;
            return c->why == NULL;
        default: c->at = before; return true;
        }
        lazy = !at_end(c) && c->s[c->at] == '?';
        c->at += lazy;
        if (!repeat(c, from, least, most, lazy)) return false;
    }
    return true;
}

static bool sequence(struct compiler *c)
{
    while (!at_end(c) && c->s[c->at] != '|' && c->s[c->at] != ')')
        if (c->s[c->at] == '{' ? !emit(c, (struct step){.op = R_CHAR, .c = (uint8_t)c->s[c->at++]})
                               : !piece(c))
            return false;
    return true;
}

static bool alternatives(struct compiler *c)
{
    int from = c->r->n;

    if (!sequence(c)) return false;
    while (!at_end(c) && c->s[c->at] == '|') {
        int jump;

        c->at++;
        if (!insert(c, from, (struct step){.op = R_SPLIT})) return false;
        jump = c->r->n;
        if (!emit(c, (struct step){.op = R_JUMP})) return false;
        c->r->steps[from].x = from + 1;
        c->r->steps[from].y = c->r->n;
        if (!alternatives(c)) return false;
        c->r->steps[jump].x = c->r->n;
    }
    return true;
}

enum seam_status columnar_regex_compile(struct seam_arena *a, const char *pattern, size_t n,
                                        bool fold, const struct columnar_regex **out,
                                        struct seam_fault *f)
{
    struct columnar_regex *r = seam_arena_zalloc(a, sizeof *r);
    struct compiler c = {.a = a, .s = pattern, .n = n, .r = r, .cap = 64};
    bool ok;

    if (r != NULL) r->steps = seam_arena_alloc(a, (size_t)c.cap * sizeof *r->steps);
    if (r == NULL || r->steps == NULL)
        return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET, "no memory for a pattern");
    r->groups = 1;
    r->fold = fold;
    ok = emit(&c, (struct step){.op = R_SAVE, .c = 0}) && alternatives(&c);
    if (ok && !at_end(&c)) ok = fail(&c, "a ) without its (");
    ok = ok && emit(&c, (struct step){.op = R_SAVE, .c = 1}) &&
         emit(&c, (struct step){.op = R_MATCH});
    if (!ok)
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "the pattern is no regular expression: %s", c.why);
    *out = r;
    return SEAM_OK;
}

int columnar_regex_groups(const struct columnar_regex *r)
{
    return r->groups;
}

/* ---- matching ---- */

struct way {
    int at;
    int64_t slots[COLUMNAR_REGEX_SLOTS];
};

struct machine {
    const struct columnar_regex *r;
    const char *s;
    size_t n;
    struct way *now, *next;
    int n_now, n_next;
    uint32_t *seen; /* the round in which a step was entered */
    uint32_t round;
};

static bool is_word(const char *s, size_t n, size_t at)
{
    uint8_t c = at < n ? (uint8_t)s[at] : ' ';

    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool in_class(const struct class_ranges *set, uint32_t c, bool fold)
{
    for (int k = 0; k < set->n; k++) {
        if (c >= set->lo[k] && c <= set->hi[k]) return !set->negated;
        if (fold && ((lower(c) >= set->lo[k] && lower(c) <= set->hi[k]) ||
                     (c >= 'a' && c <= 'z' && c - 32 >= set->lo[k] && c - 32 <= set->hi[k])))
            return !set->negated;
    }
    return set->negated;
}

/* Follows what needs no character, in the order of preference, each step once a round. */
static void enter(struct machine *m, int at, int64_t *slots, size_t where)
{
    const struct step *s = &m->r->steps[at];
    bool before, after;
    int64_t saved;

    for (;;) {
        if (m->seen[at] == m->round) return;
        m->seen[at] = m->round;
        s = &m->r->steps[at];
        switch (s->op) {
        case R_JUMP: at = s->x; continue;
        case R_SPLIT:
            enter(m, s->x, slots, where);
            at = s->y;
            continue;
        case R_SAVE:
            saved = slots[s->c];
            slots[s->c] = (int64_t)where;
            enter(m, at + 1, slots, where);
            slots[s->c] = saved;
            return;
        case R_BEGIN:
            if (where != 0) return;
            at++;
            continue;
        case R_END:
            if (where != m->n) return;
            at++;
            continue;
        case R_WORD:
        case R_NOT_WORD:
            before = where > 0 && is_word(m->s, m->n, where - 1);
            after = is_word(m->s, m->n, where);
            if ((before != after) != (s->op == R_WORD)) return;
            at++;
            continue;
        default:
            m->next[m->n_next].at = at;
            memcpy(m->next[m->n_next++].slots, slots, sizeof m->next->slots);
            return;
        }
    }
}

static bool takes(const struct columnar_regex *r, const struct step *s, uint32_t c)
{
    switch (s->op) {
    case R_CHAR: return s->c == c || (r->fold && lower(s->c) == lower(c));
    case R_ANY: return c != '\n';
    case R_CLASS: return in_class(s->set, c, r->fold);
    default: return false;
    }
}

static bool ready(struct machine *m, struct seam_arena *mem)
{
    size_t n = (size_t)m->r->n;

    m->now = seam_arena_alloc(mem, n * sizeof *m->now);
    m->next = seam_arena_alloc(mem, n * sizeof *m->next);
    m->seen = seam_arena_zalloc(mem, n * sizeof *m->seen);
    return m->now != NULL && m->next != NULL && m->seen != NULL;
}

enum seam_status columnar_regex_find(const struct columnar_regex *r, const char *s, size_t n,
                                     size_t from, bool whole, struct seam_arena *mem,
                                     int64_t *slots)
{
    struct machine m = {.r = r, .s = s, .n = n};
    int64_t none[COLUMNAR_REGEX_SLOTS];
    bool found = false;
    size_t at = from;

    assert(from <= n);
    if (!ready(&m, mem)) return SEAM_NOMEM;
    for (int k = 0; k < COLUMNAR_REGEX_SLOTS; k++) none[k] = -1;
    for (;;) {
        struct way *t;
        size_t here = at;
        uint32_t c;

        /* A new try begins here, after those that began before: they are preferred. */
        if (m.round == 0) m.round = 1;
        if (!found && (!whole || here == from)) {
            if (m.n_now == 0) m.round++;
            t = m.next;
            m.next = m.now;
            m.n_next = m.n_now;
            enter(&m, 0, none, here);
            m.now = m.next;
            m.n_now = m.n_next;
            m.next = t;
        }
        m.n_next = 0;
        if (m.n_now == 0) { /* no way begins here; one may further on */
            if (found || whole || here >= n) break;
            (void)decode(s, n, &at);
            continue;
        }
        m.round++;
        c = here < n ? decode(s, n, &at) : 0;
        for (int k = 0; k < m.n_now; k++) {
            const struct step *step = &r->steps[m.now[k].at];

            if (step->op == R_MATCH) {
                if (whole && here != n) continue;
                memcpy(slots, m.now[k].slots, sizeof none);
                found = true;
                break; /* those behind are less preferred */
            }
            if (here < n && takes(r, step, c)) enter(&m, m.now[k].at + 1, m.now[k].slots, at);
        }
        t = m.now;
        m.now = m.next;
        m.n_now = m.n_next;
        m.next = t;
        if (here >= n) break;
    }
    return found ? SEAM_OK : SEAM_END;
}
