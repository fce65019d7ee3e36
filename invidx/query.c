/* query - parsing's nodes put together, checked and counted. */
#include "invidx/query.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum seam_status invidx_query_new(struct invidx_reader *r, struct invidx_query **out,
                                  struct seam_fault *f)
{
    struct invidx_query *q = calloc(1, sizeof *q);
    assert(r != NULL);
    assert(out != NULL);

    if (q == NULL) return seam_no_memory(f, "a query");
    q->reader = r;
    *out = q;
    return SEAM_OK;
}

void invidx_query_free(struct invidx_query *q)
{
    if (q == NULL) return;
    assert(q->pool_used <= q->pool_count);
    for (size_t i = 0; i < q->pool_count; i++) {
        invidx_postings_free(q->pool[i]);
        free(q->pool[i]);
    }
    free(q->pool);
    seam_arena_free(&q->memory);
    seam_arena_free(&q->run);
    free(q);
}

void invidx_query_reset(struct invidx_query *q)
{
    assert(q->reader != NULL);
    seam_arena_reset(&q->memory);
    q->root = NULL;
    q->nodes = 0;
    q->broken = SEAM_OK;
}

struct invidx_postings *invidx_query_cursor(struct invidx_query *q)
{
    assert(q->pool_used <= q->pool_count);
    if (q->pool_used == q->pool_count) {
        struct invidx_postings **pool =
            realloc(q->pool, (q->pool_count + 1) * sizeof(struct invidx_postings *));
        struct invidx_postings *p = NULL;

        if (pool == NULL) return NULL;
        q->pool = pool;
        if (posix_memalign((void **)&p, 64, sizeof *p) != 0) return NULL;
        memset(p, 0, sizeof *p);
        q->pool[q->pool_count++] = p;
    }
    assert(q->pool_used < q->pool_count);
    return q->pool[q->pool_used++];
}

struct invidx_node *invidx_query_fail(struct invidx_query *q, enum seam_status st, const char *why)
{
    assert(st != SEAM_OK);
    assert(why != NULL);
    if (q->broken != SEAM_OK) return NULL;
    seam_fault_clear(&q->fault);
    q->broken = seam_fault_set(&q->fault, st, "query", SEAM_FAULT_NO_OFFSET, "%s", why);
    return NULL;
}

struct invidx_node *invidx_query_node(struct invidx_query *q, enum invidx_node_kind kind)
{
    struct invidx_node *n;
    assert((unsigned)kind <= NODE_KEYWORD);

    if (q->broken != SEAM_OK) return NULL;
    if (q->nodes >= INVIDX_QUERY_NODES_MAX)
        return invidx_query_fail(q, SEAM_LIMIT, "more clauses than a query may have (1024)");
    n = seam_arena_zalloc(&q->memory, sizeof *n);
    if (n == NULL) return invidx_query_fail(q, SEAM_NOMEM, "no memory for the query");
    n->kind = kind;
    n->field = -1;
    n->boost = 1;
    n->tail = &n->children;
    q->nodes++;
    assert(q->nodes <= INVIDX_QUERY_NODES_MAX);
    return n;
}

static bool field_ok(struct invidx_query *q, int field)
{
    assert(q->reader != NULL);
    if (field >= -1 && field < (int)q->reader->box.view.field_count) return true;
    invidx_query_fail(q, SEAM_INVALID, "no such field");
    return false;
}

struct invidx_node *invidx_query_text(struct invidx_query *q, int field, const char *s, size_t n,
                                      bool phrase, uint32_t slop)
{
    struct invidx_tokens tokens = invidx_tokens_of(&q->reader->analyzer, s, n);
    struct invidx_bound_term *terms = NULL;
    uint32_t count = 0, cap = 0;
    struct invidx_node *node;
    assert(s != NULL || n == 0);

    if (!field_ok(q, field)) return NULL;
    if (slop > INVIDX_SLOP_MAX)
        return invidx_query_fail(q, SEAM_LIMIT, "more slop than a phrase may have (64)");
    while (invidx_tokens_next(&tokens, &q->token)) {
        char term[INVIDX_TERM_MAX + 8];
        size_t len = invidx_analyzer_term(&q->reader->analyzer, q->token.text, q->token.len, term);

        if (len == 0) continue;
        if (count == cap) {
            struct invidx_bound_term *more;

            cap = cap == 0 ? 4 : 2 * cap;
            if (cap > 256)
                return invidx_query_fail(q, SEAM_LIMIT, "more words than a phrase may have (256)");
            more = seam_arena_alloc(&q->memory, cap * sizeof *more);
            if (more == NULL) return invidx_query_fail(q, SEAM_NOMEM, "no memory for the query");
            if (count > 0) memcpy(more, terms, count * sizeof *more);
            terms = more;
        }
        terms[count] = (struct invidx_bound_term){seam_arena_strdup(&q->memory, term, len),
                                                  (uint32_t)len, q->token.pos};
        if (terms[count].text == NULL)
            return invidx_query_fail(q, SEAM_NOMEM, "no memory for the query");
        count++;
    }
    node = invidx_query_node(q, count == 0 ? NODE_NONE : count == 1 ? NODE_WORD : NODE_PHRASE);
    if (node == NULL) return NULL;
    assert(count <= 256);
    assert(count == 0 || terms != NULL);
    node->field = field;
    node->terms = terms;
    node->term_count = count;
    node->slop = phrase ? slop : 0;
    node->text = seam_arena_strdup(&q->memory, s, n);
    node->len = (uint32_t)n;
    return node->text == NULL ? invidx_query_fail(q, SEAM_NOMEM, "no memory for the query") : node;
}

struct invidx_node *invidx_word(struct invidx_query *q, int field, const char *s, size_t n)
{
    return invidx_query_text(q, field, s, n, false, 0);
}

struct invidx_node *invidx_phrase(struct invidx_query *q, int field, const char *s, size_t n,
                                  uint32_t slop)
{
    return invidx_query_text(q, field, s, n, true, slop);
}

/* A pattern is folded like a word but neither stemmed nor stopped; it must be one token.                */
static struct invidx_node *pattern(struct invidx_query *q, enum invidx_node_kind kind, int field,
                                   const char *s, size_t n)
{
    struct invidx_tokens tokens = invidx_tokens_of(&q->reader->analyzer, s, n);
    struct invidx_node *node;
    assert(kind == NODE_PREFIX || kind == NODE_FUZZY);
    assert(s != NULL || n == 0);

    if (!field_ok(q, field)) return NULL;
    node = invidx_query_node(q, kind);
    if (node == NULL) return NULL;
    if (!invidx_tokens_next(&tokens, &q->token)) {
        node->kind = NODE_NONE;
        node->text = "";
        return node;
    }
    node->field = field;
    node->text = seam_arena_strdup(&q->memory, q->token.text, q->token.len);
    node->len = q->token.len;
    if (node->text == NULL) return invidx_query_fail(q, SEAM_NOMEM, "no memory for the query");
    assert(node->len > 0 && node->len <= INVIDX_TERM_MAX);
    if (invidx_tokens_next(&tokens, &q->token))
        return invidx_query_fail(q, SEAM_INVALID, "* and ~ take one word");
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
        return invidx_query_fail(q, SEAM_INVALID, "a fuzzy word allows 1 or 2 edits");
    node = pattern(q, NODE_FUZZY, field, s, n);
    if (node == NULL || node->kind == NODE_NONE) return node;
    if (invidx_analyzer_is_code(node->text, node->len)) return invidx_word(q, field, s, n);
    assert(node->kind == NODE_FUZZY);
    node->slop = (uint32_t)edits;
    return node;
}

struct invidx_node *invidx_all(struct invidx_query *q)
{
    return invidx_query_node(q, NODE_ALL);
}

static struct invidx_node *filter(struct invidx_query *q, enum invidx_node_kind kind,
                                  enum invidx_attr_type type, int attr)
{
    const struct invidx_schema *s = &q->reader->box.view;
    struct invidx_node *node;
    assert(kind == NODE_RANGE || kind == NODE_KEYWORD);
    assert((kind == NODE_RANGE) == (type == INVIDX_INT64));

    if (attr < 0 || attr >= (int)s->attr_count || s->attrs[attr].type != type)
        return invidx_query_fail(q, SEAM_INVALID, "no such attribute, or not of this type");
    node = invidx_query_node(q, kind);
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
    assert(s != NULL || n == 0);

    if (node == NULL) return NULL;
    node->text = seam_arena_strdup(&q->memory, s, n);
    node->len = (uint32_t)n;
    return node->text == NULL ? invidx_query_fail(q, SEAM_NOMEM, "no memory for the query") : node;
}

struct invidx_node *invidx_bool(struct invidx_query *q, uint32_t min_should)
{
    struct invidx_node *node = invidx_query_node(q, NODE_BOOL);

    if (node != NULL) node->slop = min_should;
    return node;
}

bool invidx_bool_add(struct invidx_query *q, struct invidx_node *parent, enum invidx_occur occur,
                     struct invidx_node *child)
{
    struct invidx_query_child *c;
    assert((unsigned)occur <= INVIDX_FILTER);

    if (parent == NULL || child == NULL || q->broken != SEAM_OK) return false;
    if (child->kind == NODE_NONE && child->text != NULL)
        return true; /* stop words only: as if unsaid */
    c = seam_arena_zalloc(&q->memory, sizeof *c);
    if (c == NULL) {
        invidx_query_fail(q, SEAM_NOMEM, "no memory for the query");
        return false;
    }
    assert(parent->kind == NODE_BOOL);
    assert(parent->tail != NULL && *parent->tail == NULL);
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
static void print_boost(const struct invidx_node *n, struct seam_buf *out)
{
    if (n->boost != 1) seam_buf_printf(out, "^%g", n->boost);
}

static void print(const struct invidx_query *q, const struct invidx_node *n, struct seam_buf *out)
{
    const struct invidx_schema *s = &q->reader->box.view;
    bool attr = n->kind == NODE_RANGE || n->kind == NODE_KEYWORD;
    assert(n->kind != NODE_WORD || n->term_count == 1);
    assert(!attr || n->field >= 0);

    if (attr)
        seam_buf_printf(out, "%s:", s->attrs[n->field].name);
    else if (n->field >= 0)
        seam_buf_printf(out, "%s:", s->fields[n->field].name);
    switch (n->kind) {
    case NODE_NONE: seam_buf_str(out, "(nothing)"); break;
    case NODE_ALL: seam_buf_str(out, "*"); break;
    case NODE_WORD: seam_buf_append(out, n->terms[0].text, n->terms[0].len); break;
    case NODE_PHRASE:
        seam_buf_str(out, "\"");
        for (uint32_t i = 0; i < n->term_count; i++) {
            if (i > 0) seam_buf_str(out, " ");
            seam_buf_append(out, n->terms[i].text, n->terms[i].len);
        }
        seam_buf_str(out, "\"");
        if (n->slop > 0) seam_buf_printf(out, "~%u", n->slop);
        break;
    case NODE_PREFIX: seam_buf_printf(out, "%s*", n->text); break;
    case NODE_FUZZY: seam_buf_printf(out, "%s~%u", n->text, n->slop); break;
    case NODE_KEYWORD: seam_buf_printf(out, "\"%s\"", n->text); break;
    case NODE_RANGE:
        seam_buf_printf(out, "[%lld TO %lld]", (long long)n->lo, (long long)n->hi);
        break;
    case NODE_BOOL:
        seam_buf_str(out, "(");
        for (const struct invidx_query_child *c = n->children; c != NULL; c = c->next) {
            static const char *const mark[] = {"", "+", "-", "#"};

            if (c != n->children) seam_buf_str(out, " ");
            seam_buf_str(out, mark[c->occur]);
            print(q, c->node, out);
        }
        seam_buf_str(out, ")");
        break;
    }
    print_boost(n, out);
}

void invidx_query_print(const struct invidx_query *q, struct seam_buf *out)
{
    assert(out != NULL);
    if (q->root != NULL) print(q, q->root, out);
}
