#include "invidx/query.h"

#include <stdlib.h>
#include <string.h>

enum status invidx_query_new(struct invidx_reader *r, struct invidx_query **out, struct fault *f)
{
    struct invidx_query *q = calloc(1, sizeof *q);

    if (q == NULL) return fault_set(f, ST_NOMEM, r->dir, FAULT_NO_OFFSET, "no memory for a query");
    q->reader = r;
    *out = q;
    return ST_OK;
}

void invidx_query_free(struct invidx_query *q)
{
    if (q == NULL) return;
    for (size_t i = 0; i < q->pool_count; i++) {
        postings_free(q->pool[i]);
        free(q->pool[i]);
    }
    free(q->pool);
    arena_free(&q->memory);
    arena_free(&q->run);
    free(q);
}

void invidx_query_reset(struct invidx_query *q)
{
    arena_reset(&q->memory);
    q->root = NULL;
    q->nodes = 0;
    q->broken = ST_OK;
}

struct postings *query_cursor(struct invidx_query *q)
{
    if (q->pool_used == q->pool_count) {
        struct postings **pool = realloc(q->pool, (q->pool_count + 1) * sizeof(struct postings *));
        struct postings *p = NULL;

        if (pool == NULL) return NULL;
        q->pool = pool;
        if (posix_memalign((void **)&p, 64, sizeof *p) != 0) return NULL;
        memset(p, 0, sizeof *p);
        q->pool[q->pool_count++] = p;
    }
    return q->pool[q->pool_used++];
}

struct invidx_node *query_fail(struct invidx_query *q, enum status st, const char *why)
{
    if (q->broken != ST_OK) return NULL;
    fault_clear(&q->fault);
    q->broken = fault_set(&q->fault, st, "query", FAULT_NO_OFFSET, "%s", why);
    return NULL;
}

struct invidx_node *query_node(struct invidx_query *q, enum node_kind kind)
{
    struct invidx_node *n;

    if (q->broken != ST_OK) return NULL;
    if (q->nodes >= INVIDX_QUERY_NODES_MAX)
        return query_fail(q, ST_LIMIT, "more clauses than a query may have (1024)");
    n = arena_zalloc(&q->memory, sizeof *n);
    if (n == NULL) return query_fail(q, ST_NOMEM, "no memory for the query");
    n->kind = kind;
    n->field = -1;
    n->boost = 1;
    n->tail = &n->children;
    q->nodes++;
    return n;
}

static bool field_ok(struct invidx_query *q, int field)
{
    if (field >= -1 && field < (int)q->reader->box.view.field_count) return true;
    query_fail(q, ST_INVALID, "no such field");
    return false;
}

struct invidx_node *query_text(struct invidx_query *q, int field, const char *s, size_t n,
                               bool phrase, uint32_t slop)
{
    struct tokens tokens = tokens_of(&q->reader->analyzer, s, n);
    struct query_term *terms = NULL;
    uint32_t count = 0, cap = 0;
    struct invidx_node *node;

    if (!field_ok(q, field)) return NULL;
    if (slop > INVIDX_SLOP_MAX)
        return query_fail(q, ST_LIMIT, "more slop than a phrase may have (64)");
    while (tokens_next(&tokens, &q->token)) {
        char term[INVIDX_TERM_MAX + 8];
        size_t len = analyzer_term(&q->reader->analyzer, q->token.text, q->token.len, term);

        if (len == 0) continue;
        if (count == cap) {
            struct query_term *more;

            cap = cap == 0 ? 4 : 2 * cap;
            if (cap > 256)
                return query_fail(q, ST_LIMIT, "more words than a phrase may have (256)");
            more = arena_alloc(&q->memory, cap * sizeof *more);
            if (more == NULL) return query_fail(q, ST_NOMEM, "no memory for the query");
            if (count > 0) memcpy(more, terms, count * sizeof *more);
            terms = more;
        }
        terms[count] =
            (struct query_term){arena_strdup(&q->memory, term, len), (uint32_t)len, q->token.pos};
        if (terms[count].text == NULL) return query_fail(q, ST_NOMEM, "no memory for the query");
        count++;
    }
    node = query_node(q, count == 0 ? NODE_NONE : count == 1 ? NODE_WORD : NODE_PHRASE);
    if (node == NULL) return NULL;
    node->field = field;
    node->terms = terms;
    node->term_count = count;
    node->slop = phrase ? slop : 0;
    node->text = arena_strdup(&q->memory, s, n);
    node->len = (uint32_t)n;
    return node->text == NULL ? query_fail(q, ST_NOMEM, "no memory for the query") : node;
}

struct invidx_node *invidx_word(struct invidx_query *q, int field, const char *s, size_t n)
{
    return query_text(q, field, s, n, false, 0);
}

struct invidx_node *invidx_phrase(struct invidx_query *q, int field, const char *s, size_t n,
                                  uint32_t slop)
{
    return query_text(q, field, s, n, true, slop);
}

/* A pattern is folded like a word but neither stemmed nor stopped; it must be one token.                */
static struct invidx_node *pattern(struct invidx_query *q, enum node_kind kind, int field,
                                   const char *s, size_t n)
{
    struct tokens tokens = tokens_of(&q->reader->analyzer, s, n);
    struct invidx_node *node;

    if (!field_ok(q, field)) return NULL;
    node = query_node(q, kind);
    if (node == NULL) return NULL;
    if (!tokens_next(&tokens, &q->token)) {
        node->kind = NODE_NONE;
        node->text = "";
        return node;
    }
    node->field = field;
    node->text = arena_strdup(&q->memory, q->token.text, q->token.len);
    node->len = q->token.len;
    if (node->text == NULL) return query_fail(q, ST_NOMEM, "no memory for the query");
    if (tokens_next(&tokens, &q->token)) return query_fail(q, ST_INVALID, "* and ~ take one word");
    return node;
}

struct invidx_node *invidx_prefix(struct invidx_query *q, int field, const char *s, size_t n)
{
    return pattern(q, NODE_PREFIX, field, s, n);
}

struct invidx_node *invidx_fuzzy(struct invidx_query *q, int field, const char *s, size_t n,
                                 int edits)
{
    struct invidx_node *node;

    if (edits < 1 || edits > 2)
        return query_fail(q, ST_INVALID, "a fuzzy word allows 1 or 2 edits");
    node = pattern(q, NODE_FUZZY, field, s, n);
    if (node == NULL || node->kind == NODE_NONE) return node;
    if (analyzer_is_code(node->text, node->len)) return invidx_word(q, field, s, n);
    node->slop = (uint32_t)edits;
    return node;
}

struct invidx_node *invidx_all(struct invidx_query *q)
{
    return query_node(q, NODE_ALL);
}

static struct invidx_node *filter(struct invidx_query *q, enum node_kind kind,
                                  enum invidx_attr_type type, int attr)
{
    const struct invidx_schema *s = &q->reader->box.view;
    struct invidx_node *node;

    if (attr < 0 || attr >= (int)s->attr_count || s->attrs[attr].type != type)
        return query_fail(q, ST_INVALID, "no such attribute, or not of this type");
    node = query_node(q, kind);
    if (node != NULL) node->field = attr;
    return node;
}

struct invidx_node *invidx_range(struct invidx_query *q, int attr, int64_t lo, int64_t hi)
{
    struct invidx_node *node = filter(q, NODE_RANGE, INVIDX_INT64, attr);

    if (node == NULL) return NULL;
    node->lo = lo;
    node->hi = hi;
    return node;
}

struct invidx_node *invidx_keyword(struct invidx_query *q, int attr, const char *s, size_t n)
{
    struct invidx_node *node = filter(q, NODE_KEYWORD, INVIDX_KEYWORD, attr);

    if (node == NULL) return NULL;
    node->text = arena_strdup(&q->memory, s, n);
    node->len = (uint32_t)n;
    return node->text == NULL ? query_fail(q, ST_NOMEM, "no memory for the query") : node;
}

struct invidx_node *invidx_bool(struct invidx_query *q, uint32_t min_should)
{
    struct invidx_node *node = query_node(q, NODE_BOOL);

    if (node != NULL) node->slop = min_should;
    return node;
}

bool invidx_bool_add(struct invidx_query *q, struct invidx_node *parent, enum invidx_occur occur,
                     struct invidx_node *child)
{
    struct query_child *c;

    if (parent == NULL || child == NULL || q->broken != ST_OK) return false;
    if (child->kind == NODE_NONE && child->text != NULL)
        return true; /* stop words only: as if unsaid */
    c = arena_zalloc(&q->memory, sizeof *c);
    if (c == NULL) {
        query_fail(q, ST_NOMEM, "no memory for the query");
        return false;
    }
    c->node = child;
    c->occur = occur;
    *parent->tail = c;
    parent->tail = &c->next;
    parent->child_count++;
    return true;
}

void invidx_boost(struct invidx_node *n, double boost)
{
    if (n != NULL) n->boost = boost;
}

void invidx_query_set(struct invidx_query *q, struct invidx_node *root)
{
    q->root = root;
}

/* ---- printing ---- */
static void print_boost(const struct invidx_node *n, struct buf *out)
{
    if (n->boost != 1) buf_printf(out, "^%g", n->boost);
}

static void print(const struct invidx_query *q, const struct invidx_node *n, struct buf *out)
{
    const struct invidx_schema *s = &q->reader->box.view;
    bool attr = n->kind == NODE_RANGE || n->kind == NODE_KEYWORD;

    if (attr)
        buf_printf(out, "%s:", s->attrs[n->field].name);
    else if (n->field >= 0)
        buf_printf(out, "%s:", s->fields[n->field].name);
    switch (n->kind) {
    case NODE_NONE: buf_str(out, "(nothing)"); break;
    case NODE_ALL: buf_str(out, "*"); break;
    case NODE_WORD: buf_append(out, n->terms[0].text, n->terms[0].len); break;
    case NODE_PHRASE:
        buf_str(out, "\"");
        for (uint32_t i = 0; i < n->term_count; i++) {
            if (i > 0) buf_str(out, " ");
            buf_append(out, n->terms[i].text, n->terms[i].len);
        }
        buf_str(out, "\"");
        if (n->slop > 0) buf_printf(out, "~%u", n->slop);
        break;
    case NODE_PREFIX: buf_printf(out, "%s*", n->text); break;
    case NODE_FUZZY: buf_printf(out, "%s~%u", n->text, n->slop); break;
    case NODE_KEYWORD: buf_printf(out, "\"%s\"", n->text); break;
    case NODE_RANGE: buf_printf(out, "[%lld TO %lld]", (long long)n->lo, (long long)n->hi); break;
    case NODE_BOOL:
        buf_str(out, "(");
        for (const struct query_child *c = n->children; c != NULL; c = c->next) {
            static const char *const mark[] = {"", "+", "-", "#"};

            if (c != n->children) buf_str(out, " ");
            buf_str(out, mark[c->occur]);
            print(q, c->node, out);
        }
        buf_str(out, ")");
        break;
    }
    print_boost(n, out);
}

void invidx_query_print(const struct invidx_query *q, struct buf *out)
{
    if (q->root != NULL) print(q, q->root, out);
}
