/* eval - judgements and runs: reading, writing, keeping.                                            */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/io/source.h"
#include "engine/values/value.h"
#include "pipeline/relevance/eval_internal.h"

enum { EVAL_LINE_MAX = 4096 };

/* ---- names to numbers ---- */
static bool names_rehash(struct names *n, uint32_t slots)
{
    uint32_t *fresh = calloc(slots, sizeof *fresh);

    if (fresh == NULL) return false;
    free(n->slots);
    n->slots = fresh;
    n->mask = slots - 1;
    for (uint32_t i = 0; i < n->count; i++) {
        uint32_t at = (uint32_t)hash64(n->name[i], strlen(n->name[i]), 0) & n->mask;

        while (n->slots[at] != 0) at = (at + 1) & n->mask;
        n->slots[at] = i + 1;
    }
    return true;
}

uint32_t names_find(const struct names *n, const char *s)
{
    uint32_t at;

    if (n->slots == NULL) return NAMES_NONE;
    at = (uint32_t)hash64(s, strlen(s), 0) & n->mask;
    while (n->slots[at] != 0 && strcmp(n->name[n->slots[at] - 1], s) != 0) at = (at + 1) & n->mask;
    return n->slots[at] == 0 ? NAMES_NONE : n->slots[at] - 1;
}

uint32_t names_add(struct names *n, const char *s)
{
    uint32_t at, found = names_find(n, s);
    char *copy;

    if (found != NAMES_NONE) return found;
    if (n->slots == NULL || n->count * 2 >= n->mask) {
        if (!names_rehash(n, n->slots == NULL ? 256 : (n->mask + 1) * 2)) return NAMES_NONE;
    }
    if (n->count == n->cap) {
        uint32_t cap = n->cap == 0 ? 128 : n->cap * 2;
        char **name = realloc(n->name, cap * sizeof *name);

        if (name == NULL) return NAMES_NONE;
        n->name = name;
        n->cap = cap;
    }
    copy = strdup(s);
    if (copy == NULL) return NAMES_NONE;
    at = (uint32_t)hash64(s, strlen(s), 0) & n->mask;
    while (n->slots[at] != 0) at = (at + 1) & n->mask;
    n->name[n->count] = copy;
    n->slots[at] = ++n->count;
    return n->count - 1;
}

static void names_free(struct names *n)
{
    for (uint32_t i = 0; i < n->count; i++) free(n->name[i]);
    free(n->name);
    free(n->slots);
}

/* ---- judgements ---- */
enum status qrels_new(struct qrels **out)
{
    struct qrels *q = calloc(1, sizeof *q);

    if (q == NULL) return ST_NOMEM;
    *out = q;
    return ST_OK;
}

void qrels_free(struct qrels *q)
{
    if (q == NULL) return;
    names_free(&q->queries);
    names_free(&q->docs);
    free(q->list);
    free(q->slots);
    free(q);
}

static uint32_t *qrels_slot(const struct qrels *q, uint32_t query, uint32_t doc)
{
    uint32_t at = (uint32_t)hash64_u64((uint64_t)query << 32 | doc) & q->mask;

    while (q->slots[at] != 0 && (q->list[q->slots[at] - 1].query != query || q->list[q->slots[at] - 1].doc != doc))
        at = (at + 1) & q->mask;
    return &q->slots[at];
}

static bool qrels_room(struct qrels *q)
{
    if (q->count == q->cap) {
        size_t cap = q->cap == 0 ? 256 : q->cap * 2;
        struct judgement *list = realloc(q->list, cap * sizeof *list);

        if (list == NULL) return false;
        q->list = list;
        q->cap = cap;
    }
    if (q->slots == NULL || q->count * 2 >= q->mask) {
        uint32_t slots = q->slots == NULL ? 512 : (q->mask + 1) * 2;
        uint32_t *fresh = calloc(slots, sizeof *fresh);

        if (fresh == NULL) return false;
        free(q->slots);
        q->slots = fresh;
        q->mask = slots - 1;
        for (size_t i = 0; i < q->count; i++) *qrels_slot(q, q->list[i].query, q->list[i].doc) = (uint32_t)i + 1;
    }
    return true;
}

enum status qrels_add(struct qrels *q, const char *qid, const char *docno, int grade, struct fault *f)
{
    uint32_t query, doc, *slot;

    if (strlen(qid) >= EVAL_NAME_MAX || strlen(docno) >= EVAL_NAME_MAX || grade > EVAL_GRADE_MAX || *qid == '\0')
        return fault_set(f, ST_INVALID, "qrels", FAULT_NO_OFFSET, "names are 1..%d bytes, grades at most %d",
                         EVAL_NAME_MAX - 1, EVAL_GRADE_MAX);
    query = names_add(&q->queries, qid);
    doc = names_add(&q->docs, docno);
    if (query == NAMES_NONE || doc == NAMES_NONE || !qrels_room(q))
        return fault_set(f, ST_NOMEM, "qrels", FAULT_NO_OFFSET, "no memory for judgements");
    slot = qrels_slot(q, query, doc);
    if (*slot != 0)
        return fault_set(f, ST_EXISTS, "qrels", FAULT_NO_OFFSET, "query %s judges %s twice", qid, docno);
    q->list[q->count] = (struct judgement){query, doc, grade < 0 ? 0 : grade};
    *slot = (uint32_t)++q->count;
    return ST_OK;
}

size_t qrels_queries(const struct qrels *q) { return q->queries.count; }
size_t qrels_pairs(const struct qrels *q) { return q->count; }

int qrels_grade(const struct qrels *q, const char *qid, const char *docno)
{
    uint32_t query = names_find(&q->queries, qid), doc = names_find(&q->docs, docno), slot;

    if (query == NAMES_NONE || doc == NAMES_NONE) return -1;
    slot = *qrels_slot(q, query, doc);
    return slot == 0 ? -1 : q->list[slot - 1].grade;
}

/* Splits at spaces and tabs in place; returns how many words (at most max + 1). */
static size_t split_words(char *line, char **word, size_t max)
{
    size_t n = 0;

    for (char *p = line; *p != '\0' && n <= max;) {
        while (*p == ' ' || *p == '\t') p++;
        if (*p == '\0') break;
        if (n < max) word[n] = p;
        n++;
        while (*p != '\0' && *p != ' ' && *p != '\t') p++;
        if (*p != '\0') *p++ = '\0';
    }
    return n;
}

/* Calls fn with each line's words; a line of another count is ST_INVALID with its number. */
static enum status each_line(struct source *s, const char *path, size_t words,
                             enum status (*fn)(void *ctx, char **word, struct fault *f), void *ctx,
                             struct fault *f)
{
    enum status st = ST_OK;
    char copy[EVAL_LINE_MAX + 1], *word[8];
    const char *line;
    size_t n;

    while (st == ST_OK) {
        st = source_line(s, EVAL_LINE_MAX, &line, &n, f);
        if (st != ST_OK) break;
        memcpy(copy, line, n);
        copy[n] = '\0';
        n = split_words(copy, word, 6);
        if (n == 0) continue;
        if (n != words)
            st = fault_set(f, ST_INVALID, path, source_line_number(s), "a line has %zu columns, not %zu", n, words);
        else if ((st = fn(ctx, word, f)) != ST_OK && f != NULL) {
            snprintf(f->where, sizeof f->where, "%s", path);
            f->at = source_line_number(s);
        }
    }
    return st == ST_END ? ST_OK : st;
}

static enum status read_lines(struct io *io, const char *path, size_t words,
                              enum status (*fn)(void *ctx, char **word, struct fault *f), void *ctx,
                              struct fault *f)
{
    struct source *s = NULL;
    enum status st = source_open(io, path, &s, f);

    if (st == ST_OK) st = each_line(s, path, words, fn, ctx, f);
    source_close(s);
    return st;
}

static enum status qrels_line(void *ctx, char **word, struct fault *f)
{
    int64_t grade;

    if (int_parse(word[3], strlen(word[3]), &grade) != ST_OK || grade < -EVAL_GRADE_MAX || grade > EVAL_GRADE_MAX)
        return fault_set(f, ST_INVALID, "qrels", FAULT_NO_OFFSET, "\"%.40s\" is no grade", word[3]);
    return qrels_add(ctx, word[0], word[2], (int)grade, f);
}

enum status qrels_from(struct source *s, const char *name, struct qrels **out, struct fault *f)
{
    struct qrels *q = NULL;
    enum status st = qrels_new(&q);

    if (st == ST_OK) st = each_line(s, name, 4, qrels_line, q, f);
    if (st == ST_OK) *out = q;
    else qrels_free(q);
    return st;
}

enum status qrels_read(struct io *io, const char *path, struct qrels **out, struct fault *f)
{
    struct source *s = NULL;
    enum status st = source_open(io, path, &s, f);

    if (st == ST_OK) st = qrels_from(s, path, out, f);
    source_close(s);
    return st;
}

/* ---- runs ---- */
enum status run_new(const char *tag, struct run **out)
{
    struct run *r = calloc(1, sizeof *r);

    if (r == NULL) return ST_NOMEM;
    snprintf(r->tag, sizeof r->tag, "%s", tag);
    for (char *p = r->tag; *p != '\0'; p++)
        if (*p == ' ' || *p == '\t') *p = '_';
    *out = r;
    return ST_OK;
}

void run_free(struct run *r)
{
    if (r == NULL) return;
    names_free(&r->queries);
    names_free(&r->docs);
    free(r->list);
    free(r);
}

enum status run_add(struct run *r, const char *qid, const char *docno, double score)
{
    uint32_t query, doc;

    if (strlen(qid) >= EVAL_NAME_MAX || strlen(docno) >= EVAL_NAME_MAX || isnan(score)) return ST_INVALID;
    if (r->count == r->cap) {
        size_t cap = r->cap == 0 ? 1024 : r->cap * 2;
        struct run_entry *list = realloc(r->list, cap * sizeof *list);

        if (list == NULL) return ST_NOMEM;
        r->list = list;
        r->cap = cap;
    }
    query = names_add(&r->queries, qid);
    doc = names_add(&r->docs, docno);
    if (query == NAMES_NONE || doc == NAMES_NONE) return ST_NOMEM;
    r->list[r->count++] = (struct run_entry){query, doc, (float)score};
    r->sorted = false;
    return ST_OK;
}

enum status run_add_ranked(struct run *r, const char *qid, const uint64_t *ids, size_t n)
{
    enum status st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < n; i++) {
        char docno[24];

        snprintf(docno, sizeof docno, "%llu", (unsigned long long)ids[i]);
        st = run_add(r, qid, docno, (double)(n - i));
    }
    return st;
}

static int compare_entry(const void *a, const void *b, void *ctx)
{
    const struct run_entry *x = a, *y = b;
    const struct run *r = ctx;

    if (x->query != y->query) return x->query < y->query ? -1 : 1;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return -strcmp(r->docs.name[x->doc], r->docs.name[y->doc]); /* trec_eval's tie rule */
}

void run_sort(struct run *r)
{
    if (r->sorted) return;
    qsort_r(r->list, r->count, sizeof *r->list, compare_entry, r);
    r->sorted = true;
}

void run_to_text(struct run *r, struct buf *out)
{
    uint32_t query = NAMES_NONE, rank = 0;

    run_sort(r);
    for (size_t i = 0; i < r->count; i++) {
        const struct run_entry *e = &r->list[i];

        rank = e->query == query ? rank + 1 : 1;
        query = e->query;
        buf_printf(out, "%s Q0 %s %u %.9g %s\n", r->queries.name[query], r->docs.name[e->doc], rank,
                   (double)e->score, r->tag);
    }
}

enum status run_write(struct run *r, struct io *io, const char *path, struct fault *f)
{
    struct buf b = {0};
    enum status st;

    run_to_text(r, &b);
    st = buf_ok(&b) ? io_write_atomic(io, path, b.data, b.size, f)
                    : fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory to write the run");
    buf_free(&b);
    return st;
}

static enum status run_line(void *ctx, char **word, struct fault *f)
{
    struct run *r = ctx;
    double score;
    enum status st;

    if (double_parse(word[4], strlen(word[4]), &score) != ST_OK || isnan(score))
        return fault_set(f, ST_INVALID, "run", FAULT_NO_OFFSET, "\"%.40s\" is no score", word[4]);
    if (r->count == 0) snprintf(r->tag, sizeof r->tag, "%.63s", word[5]);
    st = run_add(r, word[0], word[2], score);
    return st == ST_OK ? st : fault_set(f, st, "run", FAULT_NO_OFFSET, "a name is too long, or no memory");
}

enum status run_read(struct io *io, const char *path, struct run **out, struct fault *f)
{
    struct run *r = NULL;
    enum status st = run_new("", &r);

    if (st == ST_OK) st = read_lines(io, path, 6, run_line, r, f);
    if (st == ST_OK) *out = r;
    else run_free(r);
    return st;
}
