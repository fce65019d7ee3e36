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
static bool names_rehash(struct eval_names *n, uint32_t slots)
{
    uint32_t *fresh = calloc(slots, sizeof *fresh);

    if (fresh == NULL) return false;
    free(n->slots);
    n->slots = fresh;
    n->mask = slots - 1;
    for (uint32_t i = 0; i < n->count; i++) {
        uint32_t at = (uint32_t)seam_hash64(n->name[i], strlen(n->name[i]), 0) & n->mask;

        while (n->slots[at] != 0) at = (at + 1) & n->mask;
        n->slots[at] = i + 1;
    }
    return true;
}

uint32_t embed_names_find(const struct eval_names *n, const char *s)
{
    uint32_t at;

    if (n->slots == NULL) return NAMES_NONE;
    at = (uint32_t)seam_hash64(s, strlen(s), 0) & n->mask;
    while (n->slots[at] != 0 && strcmp(n->name[n->slots[at] - 1], s) != 0) at = (at + 1) & n->mask;
    return n->slots[at] == 0 ? NAMES_NONE : n->slots[at] - 1;
}

uint32_t embed_names_add(struct eval_names *n, const char *s)
{
    uint32_t at, found = embed_names_find(n, s);
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
    at = (uint32_t)seam_hash64(s, strlen(s), 0) & n->mask;
    while (n->slots[at] != 0) at = (at + 1) & n->mask;
    n->name[n->count] = copy;
    n->slots[at] = ++n->count;
    return n->count - 1;
}

static void names_free(struct eval_names *n)
{
    for (uint32_t i = 0; i < n->count; i++) free(n->name[i]);
    free(n->name);
    free(n->slots);
}

/* ---- judgements ---- */
enum seam_status eval_qrels_new(struct eval_qrels **out)
{
    struct eval_qrels *q = calloc(1, sizeof *q);

    if (q == NULL) return SEAM_NOMEM;
    *out = q;
    return SEAM_OK;
}

void eval_qrels_free(struct eval_qrels *q)
{
    if (q == NULL) return;
    names_free(&q->queries);
    names_free(&q->docs);
    free(q->list);
    free(q->slots);
    free(q);
}

static uint32_t *qrels_slot(const struct eval_qrels *q, uint32_t query, uint32_t doc)
{
    uint32_t at = (uint32_t)seam_hash64_u64((uint64_t)query << 32 | doc) & q->mask;

    while (q->slots[at] != 0 &&
           (q->list[q->slots[at] - 1].query != query || q->list[q->slots[at] - 1].doc != doc))
        at = (at + 1) & q->mask;
    return &q->slots[at];
}

static bool qrels_room(struct eval_qrels *q)
{
    if (q->count == q->cap) {
        size_t cap = q->cap == 0 ? 256 : q->cap * 2;
        struct eval_judgement *list = realloc(q->list, cap * sizeof *list);

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
        for (size_t i = 0; i < q->count; i++)
            *qrels_slot(q, q->list[i].query, q->list[i].doc) = (uint32_t)i + 1;
    }
    return true;
}

enum seam_status eval_qrels_add(struct eval_qrels *q, const char *qid, const char *docno, int grade,
                                struct seam_fault *f)
{
    uint32_t query, doc, *slot;

    if (strlen(qid) >= EVAL_NAME_MAX || strlen(docno) >= EVAL_NAME_MAX || grade > EVAL_GRADE_MAX ||
        *qid == '\0')
        return seam_fault_set(f, SEAM_INVALID, "qrels", SEAM_FAULT_NO_OFFSET,
                              "names are 1..%d bytes, grades at most %d", EVAL_NAME_MAX - 1,
                              EVAL_GRADE_MAX);
    query = embed_names_add(&q->queries, qid);
    doc = embed_names_add(&q->docs, docno);
    if (query == NAMES_NONE || doc == NAMES_NONE || !qrels_room(q))
        return seam_no_memory(f, "judgements");
    slot = qrels_slot(q, query, doc);
    if (*slot != 0)
        return seam_fault_set(f, SEAM_EXISTS, "qrels", SEAM_FAULT_NO_OFFSET,
                              "query %s judges %s twice", qid, docno);
    q->list[q->count] = (struct eval_judgement){query, doc, grade < 0 ? 0 : grade};
    *slot = (uint32_t)++q->count;
    return SEAM_OK;
}

size_t eval_qrels_queries(const struct eval_qrels *q)
{
    return q->queries.count;
}
size_t eval_qrels_pairs(const struct eval_qrels *q)
{
    return q->count;
}

int eval_qrels_grade(const struct eval_qrels *q, const char *qid, const char *docno)
{
    uint32_t query = embed_names_find(&q->queries, qid), doc = embed_names_find(&q->docs, docno),
             slot;

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

/* Calls fn with each line's words; a line of another count is SEAM_INVALID with its number. */
static enum seam_status each_line(struct seam_source *s, const char *path, size_t words,
                                  enum seam_status (*fn)(void *ctx, char **word,
                                                         struct seam_fault *f),
                                  void *ctx, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;
    char copy[EVAL_LINE_MAX + 1], *word[8];
    const char *line;
    size_t n;

    while (st == SEAM_OK) {
        st = seam_source_line(s, EVAL_LINE_MAX, &line, &n, f);
        if (st != SEAM_OK) break;
        memcpy(copy, line, n);
        copy[n] = '\0';
        n = split_words(copy, word, 6);
        if (n == 0) continue;
        if (n != words)
            st = seam_fault_set(f, SEAM_INVALID, path, seam_source_line_number(s),
                                "a line has %zu columns, not %zu", n, words);
        else if ((st = fn(ctx, word, f)) != SEAM_OK && f != NULL) {
            snprintf(f->where, sizeof f->where, "%s", path);
            f->at = seam_source_line_number(s);
        }
    }
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status read_lines(struct seam_io *io, const char *path, size_t words,
                                   enum seam_status (*fn)(void *ctx, char **word,
                                                          struct seam_fault *f),
                                   void *ctx, struct seam_fault *f)
{
    struct seam_source *s = NULL;
    enum seam_status st = seam_source_open(io, path, &s, f);

    if (st == SEAM_OK) st = each_line(s, path, words, fn, ctx, f);
    seam_source_close(s);
    return st;
}

static enum seam_status qrels_line(void *ctx, char **word, struct seam_fault *f)
{
    int64_t grade;

    if (seam_int_parse(word[3], strlen(word[3]), &grade) != SEAM_OK || grade < -EVAL_GRADE_MAX ||
        grade > EVAL_GRADE_MAX)
        return seam_fault_set(f, SEAM_INVALID, "qrels", SEAM_FAULT_NO_OFFSET,
                              "\"%.40s\" is no grade", word[3]);
    return eval_qrels_add(ctx, word[0], word[2], (int)grade, f);
}

enum seam_status eval_qrels_from(struct seam_source *s, const char *name, struct eval_qrels **out,
                                 struct seam_fault *f)
{
    struct eval_qrels *q = NULL;
    enum seam_status st = eval_qrels_new(&q);

    if (st == SEAM_OK) st = each_line(s, name, 4, qrels_line, q, f);
    if (st == SEAM_OK)
        *out = q;
    else
        eval_qrels_free(q);
    return st;
}

enum seam_status eval_qrels_read(struct seam_io *io, const char *path, struct eval_qrels **out,
                                 struct seam_fault *f)
{
    struct seam_source *s = NULL;
    enum seam_status st = seam_source_open(io, path, &s, f);

    if (st == SEAM_OK) st = eval_qrels_from(s, path, out, f);
    seam_source_close(s);
    return st;
}

/* ---- runs ---- */
enum seam_status eval_run_new(const char *tag, struct eval_run **out)
{
    struct eval_run *r = calloc(1, sizeof *r);

    if (r == NULL) return SEAM_NOMEM;
    snprintf(r->tag, sizeof r->tag, "%s", tag);
    for (char *p = r->tag; *p != '\0'; p++)
        if (*p == ' ' || *p == '\t') *p = '_';
    *out = r;
    return SEAM_OK;
}

void eval_run_free(struct eval_run *r)
{
    if (r == NULL) return;
    names_free(&r->queries);
    names_free(&r->docs);
    free(r->list);
    free(r);
}

enum seam_status eval_run_add(struct eval_run *r, const char *qid, const char *docno, double score)
{
    uint32_t query, doc;

    if (strlen(qid) >= EVAL_NAME_MAX || strlen(docno) >= EVAL_NAME_MAX || isnan(score))
        return SEAM_INVALID;
    if (r->count == r->cap) {
        size_t cap = r->cap == 0 ? 1024 : r->cap * 2;
        struct eval_run_entry *list = realloc(r->list, cap * sizeof *list);

        if (list == NULL) return SEAM_NOMEM;
        r->list = list;
        r->cap = cap;
    }
    query = embed_names_add(&r->queries, qid);
    doc = embed_names_add(&r->docs, docno);
    if (query == NAMES_NONE || doc == NAMES_NONE) return SEAM_NOMEM;
    r->list[r->count++] = (struct eval_run_entry){query, doc, (float)score};
    r->sorted = false;
    return SEAM_OK;
}

enum seam_status eval_run_add_ranked(struct eval_run *r, const char *qid, const uint64_t *ids,
                                     size_t n)
{
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < n; i++) {
        char docno[24];

        snprintf(docno, sizeof docno, "%llu", (unsigned long long)ids[i]);
        st = eval_run_add(r, qid, docno, (double)(n - i));
    }
    return st;
}

static int compare_entry(const void *a, const void *b, void *ctx)
{
    const struct eval_run_entry *x = a, *y = b;
    const struct eval_run *r = ctx;

    if (x->query != y->query) return x->query < y->query ? -1 : 1;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return -strcmp(r->docs.name[x->doc], r->docs.name[y->doc]); /* trec_eval's tie rule */
}

void eval_run_sort(struct eval_run *r)
{
    if (r->sorted) return;
    qsort_r(r->list, r->count, sizeof *r->list, compare_entry, r);
    r->sorted = true;
}

void eval_run_to_text(struct eval_run *r, struct seam_buf *out)
{
    uint32_t query = NAMES_NONE, rank = 0;

    eval_run_sort(r);
    for (size_t i = 0; i < r->count; i++) {
        const struct eval_run_entry *e = &r->list[i];

        rank = e->query == query ? rank + 1 : 1;
        query = e->query;
        seam_buf_printf(out, "%s Q0 %s %u %.9g %s\n", r->queries.name[query], r->docs.name[e->doc],
                        rank, (double)e->score, r->tag);
    }
}

enum seam_status eval_run_write(struct eval_run *r, struct seam_io *io, const char *path,
                                struct seam_fault *f)
{
    struct seam_buf b = {0};
    enum seam_status st;

    eval_run_to_text(r, &b);
    st = seam_buf_ok(&b) ? seam_io_write_atomic(io, path, b.data, b.size, f)
                         : seam_fault_set(f, SEAM_NOMEM, path, SEAM_FAULT_NO_OFFSET,
                                          "no memory to write the run");
    seam_buf_free(&b);
    return st;
}

static enum seam_status run_line(void *ctx, char **word, struct seam_fault *f)
{
    struct eval_run *r = ctx;
    double score;
    enum seam_status st;

    if (seam_double_parse(word[4], strlen(word[4]), &score) != SEAM_OK || isnan(score))
        return seam_fault_set(f, SEAM_INVALID, "run", SEAM_FAULT_NO_OFFSET, "\"%.40s\" is no score",
                              word[4]);
    if (r->count == 0) snprintf(r->tag, sizeof r->tag, "%.63s", word[5]);
    st = eval_run_add(r, word[0], word[2], score);
    return st == SEAM_OK ? st
                         : seam_fault_set(f, st, "run", SEAM_FAULT_NO_OFFSET,
                                          "a name is too long, or no memory");
}

enum seam_status eval_run_read(struct seam_io *io, const char *path, struct eval_run **out,
                               struct seam_fault *f)
{
    struct eval_run *r = NULL;
    enum seam_status st = eval_run_new("", &r);

    if (st == SEAM_OK) st = read_lines(io, path, 6, run_line, r, f);
    if (st == SEAM_OK)
        *out = r;
    else
        eval_run_free(r);
    return st;
}
