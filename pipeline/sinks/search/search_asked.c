/* search_asked - what is asked of the word index. As a side of a comparison: what each document is found by, against the row it was made from.
 *
 * The index stores no texts, and needs none: a document's words are the sum of its postings' hashes, read from the postings
 * themselves, and the source's texts give the same sum through the index's own analysis (invidx_contents, invidx_hasher). So
 * a lost update of a description is seen, and so is a posting that is not where it should be.
 *
 * What is hashed, version 1:  u8 1 | u64 key | per attribute of the index, in its order: u8 0 (null), or u8 1 and i64, or
 * u8 2 and the text with its length | words: u64 count, u64 lo, u64 hi (zeros when not compared)      */
#include "pipeline/sinks/search/search_asked.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/text/json.h"
#include "invidx/invidx.h"

enum { CONTENT_VERSION = 1 };

struct document {
    uint64_t key;
    seam_lsn_t birth;
    struct seam_hash128 hash;
    struct seam_digest words;
};

struct search_side {
    struct sink_side side;
    const struct platform *platform;
    struct invidx_reader *reader;
    struct invidx_hasher *hasher;
    struct invidx_info info;
    bool deep, words;
    const struct seam_schema *schema; /* of the source */
    int attr[INVIDX_ATTRS_MAX];       /* the source's column of each attribute, ... */
    int field[INVIDX_FIELDS_MAX];     /* ... and of each field; -1: none */
    struct document *docs;
    struct seam_value *attrs; /* info.attr_count a document; texts are the reader's */
    size_t count, cap;
    struct seam_buf scratch;
};

static enum seam_status no_memory(struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOMEM, "search", SEAM_FAULT_NO_OFFSET,
                          "no memory to reconcile documents");
}

/* ---- the hash of both sides ---- */
static struct seam_hash128 content_hash(struct search_side *s, uint64_t key,
                                        const struct seam_value *attrs,
                                        const struct seam_digest *words)
{
    struct seam_buf *b = &s->scratch;

    seam_buf_clear(b);
    seam_buf_u8(b, CONTENT_VERSION);
    seam_buf_u64(b, key);
    for (size_t i = 0; i < s->info.attr_count; i++) {
        seam_buf_u8(b, attrs[i].type == SEAM_V_NULL ? 0 : attrs[i].type == SEAM_V_TEXT ? 2 : 1);
        if (attrs[i].type == SEAM_V_TEXT)
            seam_buf_lenstr(b, attrs[i].s, attrs[i].len);
        else if (attrs[i].type != SEAM_V_NULL)
            seam_buf_u64(b, (uint64_t)attrs[i].i);
    }
    seam_buf_u64(b, words->count);
    seam_buf_u64(b, words->lo);
    seam_buf_u64(b, words->hi);
    return seam_siphash128(b->data, b->size);
}

static void words_json(const struct seam_digest *words, struct seam_buf *out)
{
    seam_buf_printf(out, ",\"_words\":\"%llu: %016llx%016llx\"", (unsigned long long)words->count,
                    (unsigned long long)words->hi, (unsigned long long)words->lo);
}

/* ---- the source ---- */
static enum seam_status source_words(struct search_side *s, const struct seam_value *values,
                                     struct seam_digest *out, struct seam_fault *f)
{
    struct invidx_text texts[INVIDX_FIELDS_MAX];

    *out = (struct seam_digest){0};
    if (!s->words) return SEAM_OK;
    for (size_t i = 0; i < s->info.field_count; i++) {
        const struct seam_value *v = s->field[i] >= 0 ? &values[s->field[i]] : NULL;

        texts[i] = v != NULL && v->type == SEAM_V_TEXT ? (struct invidx_text){v->s, v->len}
                                                       : (struct invidx_text){NULL, 0};
    }
    return invidx_hasher_words(s->hasher, sink_key_of_id(values[s->schema->key[0]].i), texts, out,
                               f);
}

static enum seam_status source_content(struct sink_source_side *source,
                                       const struct seam_value *values, struct wal_bytes row,
                                       struct seam_hash128 *out, struct seam_fault *f)
{
    struct search_side *s = source->ctx;
    struct seam_value attrs[INVIDX_ATTRS_MAX] = {{0}};
    struct seam_digest words;
    enum seam_status st = source_words(s, values, &words, f);

    (void)row;
    for (size_t i = 0; i < s->info.attr_count; i++)
        attrs[i] = s->attr[i] >= 0 ? values[s->attr[i]] : seam_v_null();
    *out = content_hash(s, sink_key_of_id(values[s->schema->key[0]].i), attrs, &words);
    if (st == SEAM_OK && !seam_buf_ok(&s->scratch)) st = no_memory(f);
    return st;
}

static void describe_source_words(struct sink_source_side *source, const struct seam_value *values,
                                  struct seam_buf *out)
{
    struct seam_digest words;

    if (source_words(source->ctx, values, &words, NULL) == SEAM_OK) words_json(&words, out);
}

/* ---- the index ---- */
static enum seam_status take_document(void *ctx, const struct invidx_content *c,
                                      struct seam_fault *f)
{
    struct search_side *s = ctx;
    size_t n = s->info.attr_count;

    if (s->count == s->cap) {
        size_t cap = s->cap == 0 ? 1024 : 2 * s->cap;
        struct document *docs = realloc(s->docs, cap * sizeof *docs);
        struct seam_value *attrs;

        if (docs != NULL) s->docs = docs;
        attrs = realloc(s->attrs, (cap * n + 1) * sizeof *attrs);
        if (attrs != NULL) s->attrs = attrs;
        if (docs == NULL || attrs == NULL) return no_memory(f);
        s->cap = cap;
    }
    s->docs[s->count] =
        (struct document){c->key, c->birth, content_hash(s, c->key, c->attrs, &c->words), c->words};
    memcpy(s->attrs + s->count * n, c->attrs, n * sizeof *c->attrs);
    s->count++;
    return seam_buf_ok(&s->scratch) ? SEAM_OK : no_memory(f);
}

/* The attributes as the source's types print them, then the words. */
static void describe_document(const struct sink_side_row *row, struct seam_buf *out)
{
    const struct search_side *s = row->ctx;
    const struct document *d = row->data;
    const struct seam_value *attrs = s->attrs + (size_t)(d - s->docs) * s->info.attr_count;
    struct seam_json_writer w;

    seam_jw_init(&w, out);
    seam_jw_object(&w);
    seam_jw_key(&w, s->schema->columns[s->schema->key[0]].name);
    seam_jw_int(&w, sink_id_of_key(d->key));
    for (size_t i = 0; i < s->info.attr_count; i++) {
        struct seam_value v = attrs[i];
        struct seam_buf text = {0};

        seam_jw_key(&w, s->info.attrs[i]);
        if (v.type == SEAM_V_INT && s->attr[i] >= 0) {
            v.type = (uint8_t)s->schema->columns[s->attr[i]].type;
            v.scale = s->schema->columns[s->attr[i]].scale;
        }
        seam_value_format(&v, &text);
        if (v.type == SEAM_V_NULL)
            seam_jw_null(&w);
        else if (v.type == SEAM_V_INT)
            seam_jw_int(&w, v.i);
        else
            seam_jw_strn(&w, seam_buf_cstr(&text), text.size);
        seam_buf_free(&text);
    }
    seam_jw_end_object(&w);
    if (!s->words || out->size == 0) return;
    out->size--;
    words_json(&d->words, out);
    seam_buf_str(out, "}");
}

static enum seam_status scan_search(struct sink_side *side, const struct oltp_range *range,
                                    sink_side_fn fn, void *ctx, struct seam_fault *f)
{
    struct search_side *s = (struct search_side *)side;
    struct seam_buf key = {0};
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < s->count; i++) {
        struct sink_side_row row = {.hash = s->docs[i].hash,
                                    .lsn = s->docs[i].birth,
                                    .describe = describe_document,
                                    .ctx = s,
                                    .data = &s->docs[i]};

        sink_side_key(s->docs[i].key, &key);
        row.key = (struct wal_bytes){key.data, key.size};
        if (sink_side_in_range(range, row.key)) st = fn(ctx, &row, f);
    }
    seam_buf_free(&key);
    return st;
}

/* ---- both ---- */
static void find_columns(struct search_side *s)
{
    const struct seam_json *list =
        seam_json_get(platform_sink_config(s->platform, "search"), "attributes");

    for (size_t i = 0; i < s->info.field_count; i++)
        s->field[i] = seam_schema_column(s->schema, s->info.fields[i]);
    for (size_t i = 0; i < s->info.attr_count; i++) s->attr[i] = -1;
    for (const struct seam_json *n = list != NULL ? list->child : NULL; n != NULL; n = n->next) {
        const char *column = seam_json_string(n, "column", "");
        int at = invidx_attr_id(s->reader, seam_json_string(n, "name", column));

        if (at >= 0) s->attr[at] = seam_schema_column(s->schema, column);
    }
}

static enum seam_status open_asked(const struct platform *p, const char *dir, bool deep,
                                   void **state, seam_lsn_t *lsn, struct seam_fault *f)
{
    struct search_side *s = calloc(1, sizeof *s);
    enum seam_status st = s == NULL ? no_memory(f) : SEAM_OK;

    *state = s;
    if (st == SEAM_OK) st = invidx_reader_open(p->io, dir, SEAM_LSN_MAX, &s->reader, f);
    if (st == SEAM_OK) st = invidx_hasher_new(s->reader, &s->hasher, f);
    if (st != SEAM_OK) return st;
    s->platform = p;
    s->deep = deep;
    s->side.scan = scan_search;
    invidx_reader_info(s->reader, &s->info);
    *lsn = s->info.applied_lsn;
    return SEAM_OK;
}

/* Reads every document, and makes the source hash its rows alike. */
static enum seam_status search_table(void *state, struct sink_source_side *source,
                                     struct sink_side **other, struct seam_fault *f)
{
    struct search_side *s = state;
    enum seam_status st;

    s->schema = source->schema;
    s->words = s->deep || oltp_count(source->txn, source->table, 0) <= SINK_SIDE_DEEP_ROWS;
    s->count = 0;
    find_columns(s);
    source->content = source_content;
    source->describe_more = s->words ? describe_source_words : NULL;
    source->ctx = s;
    st = invidx_contents(s->reader, s->words, take_document, s, f);
    if (st == SEAM_OK) *other = &s->side;
    return st;
}

static void close_asked(void *state)
{
    struct search_side *s = state;

    if (s == NULL) return;
    invidx_hasher_free(s->hasher);
    invidx_reader_close(s->reader);
    seam_buf_free(&s->scratch);
    free(s->docs);
    free(s->attrs);
    free(s);
}

static const char *search_only(const struct seam_json *config)
{
    return seam_json_string(config, "table", "");
}

const struct sink_sides sink_search_sides = {
    .only = search_only, .open = open_asked, .table = search_table, .close = close_asked};

/* ---- verification ---- */
enum seam_status sink_search_verify(const struct platform *p, const char *dir,
                                    struct seam_buf *summary, struct seam_buf *report,
                                    struct seam_fault *f)
{
    struct invidx_reader *r = NULL;
    struct invidx_info info = {0};
    enum seam_status st = invidx_verify(p->io, dir, report, f);

    if (st == SEAM_OK) st = invidx_reader_open(p->io, dir, SEAM_LSN_MAX, &r, f);
    if (st == SEAM_OK) invidx_reader_info(r, &info);
    invidx_reader_close(r);
    seam_buf_printf(summary, "%zu segments, %" PRIu64 " documents", info.segments, info.docs);
    return st;
}

/* ---- probe ---- */
static enum seam_status probe_open(const struct platform *p, const char *dir, void **state,
                                   struct seam_fault *f)
{
    struct invidx_reader *reader = NULL;
    enum seam_status st = invidx_reader_open(p->io, dir, SEAM_LSN_MAX, &reader, f);

    *state = reader;
    return st;
}

static enum seam_status finds(struct invidx_reader *reader, const struct sink_expectation *e,
                              bool *found, struct seam_fault *f)
{
    struct invidx_query *q = NULL;
    struct invidx_hit hits[10];
    struct invidx_request request = {.k = 10};
    struct invidx_result result = {.hits = hits};
    enum seam_status st = invidx_query_new(reader, &q, f);

    *found = false;
    if (st == SEAM_OK) st = invidx_query_words(q, e->word, strlen(e->word), INVIDX_AND, f);
    if (st == SEAM_OK) st = invidx_search(reader, q, &request, &result, f);
    for (size_t i = 0; st == SEAM_OK && i < result.count; i++)
        *found |= hits[i].key == sink_key_of_id(e->product);
    invidx_query_free(q);
    return st;
}

static enum seam_status probe_look(void *state, const struct sink_expectation *e, bool *seen,
                                   seam_lsn_t *applied, struct seam_fault *f)
{
    struct invidx_reader *reader = state;
    bool there = false;
    enum seam_status st = invidx_reader_refresh(reader, NULL, f);

    *applied = invidx_reader_applied(reader);
    *seen = *applied >= e->lsn;
    if (st != SEAM_OK || !*seen || e->product == 0) return st;
    st = e->word != NULL ? finds(reader, e, &there, f)
                         : invidx_contains(reader, sink_key_of_id(e->product), &there, f);
    *seen = e->gone ? !there : there;
    return st;
}

static void probe_close(void *state)
{
    invidx_reader_close(state);
}

const struct sink_probe sink_search_probe = {probe_open, probe_look, probe_close};
