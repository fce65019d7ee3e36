/* parse - the query language of invidx.h, by recursive descent. Depth and size are bounded.            */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "invidx/query.h"

struct invidx_parser {
    struct invidx_query *q;
    const char *s, *p, *end;
    enum invidx_side side;
    int depth;
    struct seam_fault *f;
    enum seam_status st;
};

static struct invidx_node *fail(struct invidx_parser *p, const char *at, enum seam_status st,
                                const char *why)
{
    assert(at >= p->s && at <= p->end);
    assert(st != SEAM_OK);
    if (p->st == SEAM_OK)
        p->st = seam_fault_set(p->f, st, "query", (uint64_t)(at - p->s) + 1, "%s", why);
    assert(p->st != SEAM_OK);
    return NULL;
}

static bool space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(struct invidx_parser *p)
{
    assert(p->p <= p->end);
    while (p->p < p->end && space(*p->p)) p->p++;
}

/* Ends an unquoted word.                                                                               */
static bool special(char c)
{
    return space(c) || c == '(' || c == ')' || c == '"' || c == '^' || c == '~' || c == ':';
}

static bool keyword_at(struct invidx_parser *p, const char *word)
{
    size_t n = strlen(word);
    assert(p->p <= p->end);
    assert(word[0] != '\0');

    return (size_t)(p->end - p->p) >= n && memcmp(p->p, word, n) == 0 &&
           (p->p + n == p->end || space(p->p[n]) || p->p[n] == '(' || p->p[n] == '"');
}

static bool take_keyword(struct invidx_parser *p, const char *word)
{
    assert(word[0] != '\0');
    skip_space(p);
    if (!keyword_at(p, word)) return false;
    p->p += strlen(word);
    return true;
}

static struct invidx_node *parse_or(struct invidx_parser *p);

static bool take_number(struct invidx_parser *p, double *out)
{
    char text[32];
    size_t n = 0;
    assert(p->p <= p->end);

    while (p->p + n < p->end && n < sizeof text - 1 &&
           ((p->p[n] >= '0' && p->p[n] <= '9') || p->p[n] == '.')) {
        text[n] = p->p[n];
        n++;
    }
    if (n == 0 || seam_double_parse(text, n, out) != SEAM_OK) return false;
    assert(n < sizeof text);
    p->p += n;
    return true;
}

/* What follows a clause: ~N (slop or edits) is read by its owner; ^boost here.                          */
static struct invidx_node *with_boost(struct invidx_parser *p, struct invidx_node *n)
{
    const char *at = p->p;
    double boost;
    assert(p->p <= p->end);

    if (n == NULL || p->p >= p->end || *p->p != '^') return n;
    p->p++;
    if (!take_number(p, &boost) || !(boost > 0 && boost <= 1000000))
        return fail(p, at, SEAM_INVALID, "^ takes a positive number");
    assert(boost > 0);
    invidx_boost(n, boost);
    return n;
}

/* The bytes between quotes, a backslash keeps the next one.                                             */
static bool take_quoted(struct invidx_parser *p, char **out, size_t *n)
{
    const char *at = p->p++;
    char *text = seam_arena_alloc(&p->q->memory, (size_t)(p->end - at) + 1);
    assert(*at == '"');

    *n = 0;
    if (text == NULL) {
        fail(p, at, SEAM_NOMEM, "no memory for the query");
        return false;
    }
    while (p->p < p->end && *p->p != '"') {
        if (*p->p == '\\' && p->p + 1 < p->end) p->p++;
        text[(*n)++] = *p->p++;
    }
    if (p->p >= p->end) {
        fail(p, at, SEAM_INVALID, "this quote is not closed");
        return false;
    }
    p->p++;
    assert(*n < (size_t)(p->end - at) + 1);
    text[*n] = '\0';
    *out = text;
    return true;
}

static struct invidx_node *parse_phrase(struct invidx_parser *p, int field)
{
    char *text;
    size_t n;
    double slop = 0;
    const char *at = p->p;
    assert(*at == '"');

    if (!take_quoted(p, &text, &n)) return NULL;
    if (p->p < p->end && *p->p == '~') {
        p->p++;
        if (!take_number(p, &slop) || slop > INVIDX_SLOP_MAX)
            return fail(p, at, SEAM_INVALID, "~ after a phrase takes the slop, 0 to 64");
    }
    assert(slop >= 0 && slop <= INVIDX_SLOP_MAX);
    return invidx_phrase(p->q, field, text, n, (uint32_t)slop);
}

static struct invidx_node *parse_word(struct invidx_parser *p, int field)
{
    const char *from = p->p;
    size_t n;
    double edits = 2;
    assert(p->p <= p->end);

    while (p->p < p->end && !special(*p->p)) p->p++;
    n = (size_t)(p->p - from);
    if (n == 0) return fail(p, from, SEAM_INVALID, "a word, a phrase or a ( was expected here");
    assert(from + n == p->p);
    if (n == 1 && *from == '*' && field < 0) return invidx_all(p->q);
    if (from[n - 1] == '*') return invidx_prefix(p->q, field, from, n - 1);
    if (p->p < p->end && *p->p == '~') {
        p->p++;
        if (p->p < p->end && *p->p >= '0' && *p->p <= '9' &&
            (!take_number(p, &edits) || (edits != 1 && edits != 2)))
            return fail(p, from, SEAM_INVALID, "~ after a word takes 1 or 2 edits");
        return invidx_fuzzy(p->q, field, from, n, (int)edits);
    }
    return invidx_word(p->q, field, from, n);
}

/* ---- attributes ---- */
static bool take_int(struct invidx_parser *p, int64_t *out)
{
    const char *from = p->p;
    assert(p->p <= p->end);

    skip_space(p);
    from = p->p;
    if (p->p < p->end && (*p->p == '-' || *p->p == '+')) p->p++;
    while (p->p < p->end && *p->p >= '0' && *p->p <= '9') p->p++;
    assert(from <= p->p);
    return seam_int_parse(from, (size_t)(p->p - from), out) == SEAM_OK;
}

static struct invidx_node *parse_between(struct invidx_parser *p, int attr)
{
    const char *at = p->p;
    bool open = *p->p++ == '{';
    int64_t lo = INT64_MIN, hi = INT64_MAX;
    assert(*at == '[' || *at == '{');

    skip_space(p);
    if (p->p < p->end && *p->p == '*')
        p->p++;
    else if (!take_int(p, &lo))
        return fail(p, at, SEAM_INVALID, "a range is [lo TO hi] of whole numbers, * for open");
    else if (open && lo < INT64_MAX)
        lo++;
    if (!take_keyword(p, "TO")) return fail(p, p->p, SEAM_INVALID, "TO was expected in the range");
    skip_space(p);
    if (p->p < p->end && *p->p == '*')
        p->p++;
    else if (!take_int(p, &hi))
        return fail(p, at, SEAM_INVALID, "a range is [lo TO hi] of whole numbers, * for open");
    else if (open && hi > INT64_MIN)
        hi--;
    skip_space(p);
    if (p->p >= p->end || *p->p != (open ? '}' : ']'))
        return fail(p, p->p, SEAM_INVALID, "the range is not closed");
    p->p++;
    return invidx_range(p->q, attr, lo, hi);
}

static struct invidx_node *parse_int_filter(struct invidx_parser *p, int attr)
{
    const char *at = p->p;
    char op = p->p < p->end ? *p->p : 0;
    bool equal = false;
    int64_t v;
    assert(attr >= 0);
    assert(attr < (int)p->q->reader->box.view.attr_count);

    if (op == '[' || op == '{') return parse_between(p, attr);
    if (op == '<' || op == '>') {
        p->p++;
        if (p->p < p->end && *p->p == '=') {
            equal = true;
            p->p++;
        }
    }
    if (!take_int(p, &v))
        return fail(p, at, SEAM_INVALID, "this attribute takes a whole number or a range");
    if (op == '<')
        return !equal && v == INT64_MIN ? invidx_query_node(p->q, NODE_NONE)
                                        : invidx_range(p->q, attr, INT64_MIN, equal ? v : v - 1);
    if (op == '>')
        return !equal && v == INT64_MAX ? invidx_query_node(p->q, NODE_NONE)
                                        : invidx_range(p->q, attr, equal ? v : v + 1, INT64_MAX);
    return invidx_range(p->q, attr, v, v);
}

static struct invidx_node *parse_filter(struct invidx_parser *p, int attr)
{
    char *text;
    size_t n;
    const char *from;
    assert(attr >= 0);
    assert(attr < (int)p->q->reader->box.view.attr_count);

    if (p->q->reader->box.view.attrs[attr].type == INVIDX_INT64) return parse_int_filter(p, attr);
    if (p->p < p->end && *p->p == '"')
        return take_quoted(p, &text, &n) ? invidx_keyword(p->q, attr, text, n) : NULL;
    from = p->p;
    while (p->p < p->end && !special(*p->p)) p->p++;
    if (p->p == from)
        return fail(p, from, SEAM_INVALID, "a value was expected after the attribute");
    return invidx_keyword(p->q, attr, from, (size_t)(p->p - from));
}

/* name: at the cursor? Moves past the colon.                                                            */
static bool take_name(struct invidx_parser *p, int *field, int *attr)
{
    char name[INVIDX_NAME_MAX + 1];
    const char *c = p->p;
    size_t n;
    assert(p->p <= p->end);

    while (c < p->end && ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_' ||
                          (*c >= '0' && *c <= '9')))
        c++;
    n = (size_t)(c - p->p);
    if (n == 0 || n > INVIDX_NAME_MAX || c >= p->end || *c != ':') return false;
    memcpy(name, p->p, n);
    name[n] = '\0';
    *field = invidx_field_id(p->q->reader, name);
    *attr = invidx_attr_id(p->q->reader, name);
    if (*field < 0 && *attr < 0) {
        fail(p, p->p, SEAM_INVALID, "no field or attribute has this name");
        return false;
    }
    assert(*c == ':');
    p->p = c + 1;
    return true;
}

static void scope(struct invidx_node *n, int field)
{
    assert(field >= 0);
    assert(n != NULL);
    if (n->kind == NODE_BOOL)
        for (struct invidx_query_child *c = n->children; c != NULL; c = c->next)
            scope(c->node, field);
    else if (n->field < 0)
        n->field = field;
}

static struct invidx_node *parse_clause(struct invidx_parser *p)
{
    int field = -1, attr = -1;
    struct invidx_node *n;
    assert(p->depth >= 0 && p->depth <= INVIDX_QUERY_DEPTH_MAX);

    skip_space(p);
    if (take_name(p, &field, &attr)) {
        if (field < 0) return parse_filter(p, attr);
    } else if (p->st != SEAM_OK) {
        return NULL;
    }
    if (p->p < p->end && *p->p == '(') {
        const char *at = p->p++;

        if (++p->depth > INVIDX_QUERY_DEPTH_MAX)
            return fail(p, at, SEAM_LIMIT, "clauses nest deeper than 32");
        n = parse_or(p);
        p->depth--;
        skip_space(p);
        if (n == NULL)
            return p->st == SEAM_OK ? fail(p, at, SEAM_INVALID, "these parentheses are empty")
                                    : NULL;
        if (p->p >= p->end || *p->p != ')')
            return fail(p, at, SEAM_INVALID, "this ( is not closed");
        p->p++;
        if (field >= 0) scope(n, field);
        return with_boost(p, n);
    }
    assert(p->st == SEAM_OK);
    n = p->p < p->end && *p->p == '"' ? parse_phrase(p, field) : parse_word(p, field);
    return with_boost(p, n);
}

static bool at_end(struct invidx_parser *p)
{
    skip_space(p);
    return p->p >= p->end || *p->p == ')';
}

static enum invidx_occur take_mark(struct invidx_parser *p)
{
    assert(p->p <= p->end);
    skip_space(p);
    if (p->p < p->end && *p->p == '+') {
        p->p++;
        return INVIDX_MUST;
    }
    if (p->p < p->end && (*p->p == '-' || *p->p == '!')) {
        p->p++;
        return INVIDX_MUST_NOT;
    }
    return take_keyword(p, "NOT") ? INVIDX_MUST_NOT : INVIDX_SHOULD;
}

static bool is_filter(const struct invidx_node *n)
{
    assert(n != NULL);
    return n->kind == NODE_RANGE || n->kind == NODE_KEYWORD;
}

/* The clauses of one group joined by AND. A lone plain clause is given back itself.                     */
static struct invidx_node *parse_and(struct invidx_parser *p, enum invidx_occur *occur)
{
    struct invidx_node *first, *all;
    enum invidx_occur mark = take_mark(p);

    first = parse_clause(p);
    if (first == NULL) return NULL;
    assert(mark == INVIDX_SHOULD || mark == INVIDX_MUST || mark == INVIDX_MUST_NOT);
    *occur = mark;
    if (!take_keyword(p, "AND")) return first;
    all = invidx_bool(p->q, 0);
    invidx_bool_add(p->q, all, mark == INVIDX_MUST_NOT ? mark : INVIDX_MUST, first);
    do {
        struct invidx_node *next;

        mark = take_mark(p);
        next = parse_clause(p);
        if (next == NULL) return NULL;
        invidx_bool_add(p->q, all, mark == INVIDX_MUST_NOT ? mark : INVIDX_MUST, next);
    } while (take_keyword(p, "AND"));
    *occur = INVIDX_SHOULD;
    return all;
}

/* Groups side by side or joined by OR: should, unless marked; a filter that is not joined by OR must hold. */
static struct invidx_node *parse_or(struct invidx_parser *p)
{
    struct invidx_node *all = NULL, *only = NULL;
    enum invidx_occur only_occur = INVIDX_SHOULD;
    bool or_before = false;
    assert(p->depth <= INVIDX_QUERY_DEPTH_MAX);

    while (!at_end(p) || (or_before && all == NULL)) {
        enum invidx_occur occur = INVIDX_SHOULD;
        struct invidx_node *n = parse_and(p, &occur);
        bool or_after = n != NULL && take_keyword(p, "OR");

        if (n == NULL) return NULL;
        assert(p->p <= p->end);
        if (occur == INVIDX_SHOULD && !or_before && !or_after) {
            if (is_filter(n))
                occur = INVIDX_FILTER;
            else if (p->side == INVIDX_AND)
                occur = INVIDX_MUST;
        }
        if (only == NULL && all == NULL) {
            only = n;
            only_occur = occur;
        } else {
            if (all == NULL) {
                all = invidx_bool(p->q, 0);
                invidx_bool_add(p->q, all, only_occur, only);
            }
            invidx_bool_add(p->q, all, occur, n);
        }
        if (p->q->broken != SEAM_OK) return NULL;
        or_before = or_after;
        if (or_after && at_end(p))
            return fail(p, p->p, SEAM_INVALID, "a clause was expected after OR");
    }
    if (all != NULL) {
        bool must = false, filter = false, should = false;

        for (const struct invidx_query_child *c = all->children; c != NULL; c = c->next) {
            must |= c->occur == INVIDX_MUST;
            filter |= c->occur == INVIDX_FILTER;
            should |= c->occur == INVIDX_SHOULD;
        }
        if (filter && should && !must)
            all->slop = 1; /* a filter does not make the words optional */
        return all;
    }
    if (only == NULL || only_occur == INVIDX_SHOULD || only_occur == INVIDX_MUST) return only;
    all = invidx_bool(p->q, 0);
    invidx_bool_add(p->q, all, only_occur, only);
    return all;
}

static enum seam_status check_size(size_t n, struct seam_fault *f)
{
    if (n > INVIDX_QUERY_BYTES_MAX)
        return seam_fault_set(f, SEAM_LIMIT, "query", INVIDX_QUERY_BYTES_MAX,
                              "a query has at most %d bytes", INVIDX_QUERY_BYTES_MAX);
    return SEAM_OK;
}

static enum seam_status finish(struct invidx_query *q, struct invidx_node *root,
                               struct seam_fault *f)
{
    assert(q->root == NULL);
    if (q->broken != SEAM_OK) {
        seam_fault_give(f, &q->fault);
        return q->broken;
    }
    q->root = root != NULL ? root : invidx_query_node(q, NODE_NONE);
    return SEAM_OK;
}

enum seam_status invidx_query_parse(struct invidx_query *q, const char *s, size_t n,
                                    enum invidx_side side, struct seam_fault *f)
{
    struct invidx_parser p = {.q = q, .s = s, .p = s, .end = s + n, .side = side, .f = f};
    enum seam_status st = check_size(n, f);
    struct invidx_node *root;
    assert(s != NULL || n == 0);
    assert(side == INVIDX_OR || side == INVIDX_AND);

    invidx_query_reset(q);
    if (st != SEAM_OK) return st;
    root = parse_or(&p);
    if (p.st == SEAM_OK && q->broken == SEAM_OK && p.p < p.end)
        fail(&p, p.p, SEAM_INVALID, "this ) was not opened");
    assert(p.depth == 0 || p.st != SEAM_OK || q->broken != SEAM_OK);
    return p.st != SEAM_OK ? p.st : finish(q, root, f);
}

enum seam_status invidx_query_words(struct invidx_query *q, const char *s, size_t n,
                                    enum invidx_side side, struct seam_fault *f)
{
    const struct invidx_analyzer *a = &q->reader->analyzer;
    struct invidx_tokens tokens = invidx_tokens_of(a, s, n);
    struct invidx_node *root = NULL, *only = NULL;
    enum seam_status st = check_size(n, f);
    assert(s != NULL || n == 0);
    assert(side == INVIDX_OR || side == INVIDX_AND);

    invidx_query_reset(q);
    if (st != SEAM_OK) return st;
    while (q->broken == SEAM_OK && invidx_tokens_next(&tokens, &q->token)) {
        struct invidx_node *node =
            invidx_query_text(q, -1, s + q->token.begin, q->token.end - q->token.begin, false, 0);

        if (node == NULL || node->kind == NODE_NONE) continue;
        if (only == NULL) {
            only = node;
            continue;
        }
        if (root == NULL) {
            root = invidx_bool(q, 0);
            invidx_bool_add(q, root, side == INVIDX_AND ? INVIDX_MUST : INVIDX_SHOULD, only);
        }
        invidx_bool_add(q, root, side == INVIDX_AND ? INVIDX_MUST : INVIDX_SHOULD, node);
    }
    return finish(q, root != NULL ? root : only, f);
}
