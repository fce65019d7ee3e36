/* query - the tree of one query, and the memory it runs in. Private to the room. */
#ifndef SEAM_INVIDX_QUERY_H
#define SEAM_INVIDX_QUERY_H

#include "engine/base/arena.h"
#include "invidx/reader.h"

enum invidx_node_kind {
    NODE_NONE, /* matches nothing: a query of stop words                                         */
    NODE_ALL,
    NODE_WORD, /* terms[0], or any of its alternatives (synonyms of one word)                     */
    NODE_PHRASE, /* terms at relative positions, slop apart                                         */
    NODE_PREFIX,
    NODE_FUZZY,
    NODE_BOOL,
    NODE_RANGE,
    NODE_KEYWORD,
};

struct invidx_bound_term {
    const char *text;
    uint32_t len, pos;
};

struct invidx_query_child {
    struct invidx_node *node;
    enum invidx_occur occur;
    struct invidx_query_child *next;
};

struct invidx_node {
    enum invidx_node_kind kind;
    int field; /* -1 = all; attribute for RANGE and KEYWORD */
    double boost;
    const char *text; /* as written: for printing, prefix and fuzzy (folded), keyword */
    uint32_t len;
    struct invidx_bound_term *terms;
    uint32_t term_count;
    uint32_t slop; /* PHRASE; FUZZY: edits; BOOL: min_should */
    int64_t lo, hi;
    struct invidx_query_child *children, **tail;
    uint32_t child_count;
};

struct invidx_query {
    struct invidx_reader *reader;
    struct seam_arena memory; /* the tree                       */
    struct seam_arena run;    /* one search; reset at its start */
    struct invidx_node *root;
    uint32_t nodes;
    enum seam_status broken; /* a builder failed: why          */
    struct seam_fault fault;
    struct invidx_postings **pool; /* cursors, reused                */
    size_t pool_count, pool_used;
    struct invidx_token token;
};

struct invidx_node *invidx_query_node(struct invidx_query *q, enum invidx_node_kind kind);
/* Tokens of `s` as one clause: a word, a phrase of several, or NONE (stop words only).                */
struct invidx_node *invidx_query_text(struct invidx_query *q, int field, const char *s, size_t n,
                                      bool phrase, uint32_t slop);
struct invidx_node *invidx_query_fail(struct invidx_query *q, enum seam_status st, const char *why);
struct invidx_postings *invidx_query_cursor(struct invidx_query *q); /* NULL = no memory */

#endif
