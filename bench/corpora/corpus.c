#include "bench/corpora/corpus.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/text/csv.h"
#include "engine/text/json.h"
#include "engine/io/source.h"
#include "engine/values/value.h"

enum { LINE_MAX_BYTES = 4 << 20 };

void corpus_free(struct corpus *c)
{
    compare_set_free(&c->set);
    free(c->docs);
    arena_free(&c->arena);
}

static enum status add_doc(struct corpus *c, const char *line, size_t n, struct fault *f)
{
    struct json *j = NULL;
    enum status st = json_parse(line, n, &c->arena, c->name, &j, f);
    const struct json *id;
    struct corpus_doc *d;
    int64_t number;
    char context[256];

    if (st != ST_OK) return st;
    if (c->count == c->cap) {
        size_t cap = c->cap == 0 ? 1024 : c->cap * 2;
        struct corpus_doc *docs = realloc(c->docs, cap * sizeof *docs);

        if (docs == NULL) return ST_NOMEM;
        c->docs = docs;
        c->cap = cap;
    }
    id = json_get(j, c->shop ? "product_id" : "id");
    if (!json_int(id, &number))
        return fault_set(f, ST_INVALID, c->name, FAULT_NO_OFFSET, "a document has no id");
    d = &c->docs[c->count++];
    *d = (struct corpus_doc){.id = (uint64_t)number, .title = json_string(j, "title", ""), .context = ""};
    d->text = json_string(j, "description", json_string(j, "text", ""));
    d->brand = json_string(j, "brand", "");
    d->sku = json_string(j, "sku", "");
    if (!c->shop) return ST_OK;
    snprintf(context, sizeof context, "%s %s", json_string(j, "category", ""), d->brand);
    d->context = arena_strdup(&c->arena, context, strlen(context));
    return d->context != NULL ? ST_OK : ST_NOMEM;
}

static enum status read_docs(struct corpus *c, const char *path, struct fault *f)
{
    struct source *s = NULL;
    enum status st = source_open(io_posix(), path, &s, f);
    const char *line;
    size_t n;

    while (st == ST_OK && (st = source_line(s, LINE_MAX_BYTES, &line, &n, f)) == ST_OK)
        if (n > 0) st = add_doc(c, line, n, f);
    source_close(s);
    return st == ST_END ? ST_OK : st;
}

enum status corpus_shop(struct corpus *c, struct fault *f)
{
    enum status st;

    *c = (struct corpus){.name = "shop", .shop = true};
    st = read_docs(c, "pipeline/shop/catalogue.jsonl", f);
    if (st == ST_OK) st = compare_set_read(io_posix(), "pipeline/shop/queries.tsv", "pipeline/shop/qrels.txt", &c->set, f);
    return st;
}

/* ---- the shared collections: qrels are TSV with a header, relevance in the third column ---- */
static enum status open_tsv(const char *dir, const char *name, const char *file, struct source **s, struct csv **csv,
                            struct fault *f)
{
    char path[PATH_MAX_BYTES];
    const struct csv_field *fields;
    size_t n;
    enum status st;

    snprintf(path, sizeof path, "%s/%s/%s", dir, name, file);
    st = source_open(io_posix(), path, s, f);
    if (st == ST_OK) st = csv_open(*s, (struct csv_options){.separator = '\t'}, csv);
    return st == ST_OK ? csv_next(*csv, &fields, &n, f) : st; /* the header */
}

static void field_text(const struct csv_field *field, char *out, size_t size)
{
    size_t n = field->size < size - 1 ? field->size : size - 1;

    memcpy(out, field->data, n);
    out[n] = '\0';
}

static enum status read_shared_qrels(struct corpus *c, const char *dir, struct fault *f)
{
    struct source *s = NULL;
    struct csv *csv = NULL;
    const struct csv_field *fields;
    size_t n;
    enum status st = open_tsv(dir, c->name, "qrels.dev.tsv", &s, &csv, f);

    if (st == ST_OK) st = qrels_new(&c->set.qrels);
    while (st == ST_OK && (st = csv_next(csv, &fields, &n, f)) == ST_OK) {
        char qid[64], docno[64], grade[32];
        double g;

        if (n < 3) return ST_INVALID;
        field_text(&fields[0], qid, sizeof qid);
        field_text(&fields[1], docno, sizeof docno);
        field_text(&fields[2], grade, sizeof grade);
        st = double_parse(grade, strlen(grade), &g);
        if (st == ST_OK) st = qrels_add(c->set.qrels, qid, docno, (int)lround(g), f);
        if (st == ST_EXISTS) st = ST_OK;
    }
    csv_close(csv);
    source_close(s);
    return st == ST_END ? ST_OK : st;
}

static enum status read_shared_queries(struct corpus *c, const char *dir, struct fault *f)
{
    struct source *s = NULL;
    struct csv *csv = NULL;
    const struct csv_field *fields;
    size_t n;
    enum status st = open_tsv(dir, c->name, "queries.dev.tsv", &s, &csv, f);

    while (st == ST_OK && (st = csv_next(csv, &fields, &n, f)) == ST_OK) {
        char qid[64], text[SEARCH_TEXT_MAX];

        if (n < 2) return ST_INVALID;
        field_text(&fields[0], qid, sizeof qid);
        field_text(&fields[1], text, sizeof text);
        st = compare_set_add(&c->set, qid, "all", text);
    }
    csv_close(csv);
    source_close(s);
    return st == ST_END ? ST_OK : st;
}

enum status corpus_shared(struct corpus *c, const char *dir, const char *name, struct fault *f)
{
    bool products = strcmp(name, "product-search") == 0;
    char path[PATH_MAX_BYTES];
    enum status st;

    *c = (struct corpus){.name = name};
    /* Grades 1..4, gain = grade - 1, relevant from 3 (its README); the others are binary. */
    if (products) c->eval = (struct eval_options){.gain_from = 2, .relevant_from = 3};
    snprintf(path, sizeof path, "%s/%s/%s", dir, name, products ? "products.jsonl.gz" : "docs.jsonl.gz");
    st = read_docs(c, path, f);
    if (st == ST_OK) st = read_shared_qrels(c, dir, f);
    if (st == ST_OK) st = read_shared_queries(c, dir, f);
    return st == ST_OK ? compare_set_finish(&c->set, f) : st;
}

/* ---- indexes ---- */
enum status corpus_learn(const struct corpus *c, size_t dim, int threads, struct embedder **out, struct fault *f)
{
    struct embed_options o = {.dim = dim, .threads = threads, .seed = 1};
    struct embed_trainer *t = NULL;
    enum status st = embed_trainer_new(&o, &t, f);

    for (size_t i = 0; st == ST_OK && i < c->count; i++) {
        const struct corpus_doc *d = &c->docs[i];

        st = embed_trainer_add(t, d->title, strlen(d->title), d->text, strlen(d->text), d->context,
                               strlen(d->context), f);
    }
    if (st == ST_OK) st = embed_trainer_finish(t, out, f);
    embed_trainer_free(t);
    return st;
}

static struct invidx_text text_of(const char *s) { return (struct invidx_text){s, strlen(s)}; }

static enum status index_words(const struct corpus *c, const char *dir, struct fault *f)
{
    static const struct invidx_field fields[] = {{"title", 3}, {"description", 1}, {"brand", 1}, {"sku", 1}};
    struct invidx_schema schema = {.fields = fields, .field_count = c->shop ? 4 : 2,
                                   .analysis = invidx_analysis_default()};
    struct invidx_writer *w = NULL;
    enum status st = invidx_writer_open(io_posix(), dir, &schema, NULL, &w, f);

    for (size_t i = 0; st == ST_OK && i < c->count; i++) {
        const struct corpus_doc *d = &c->docs[i];
        const struct invidx_text texts[] = {text_of(d->title), text_of(d->text), text_of(d->brand), text_of(d->sku)};
        struct invidx_doc doc = {.key = d->id, .fields = texts};

        st = invidx_upsert(w, &doc, 1, f);
    }
    if (st == ST_OK) st = invidx_publish(w, 1, 0, f);
    if (st == ST_OK) st = invidx_compact(w, f);
    invidx_writer_close(w);
    return st;
}

static enum status index_vectors(const struct corpus *c, const struct embedder *e, const char *dir, int threads,
                                 struct fault *f)
{
    struct hnsw_options o = {.dim = (uint32_t)embedder_dim(e), .metric = HNSW_COSINE, .seed = 1};
    struct hnsw_load_options load = {.threads = threads};
    float *rows = malloc(c->count * o.dim * sizeof *rows);
    uint64_t *keys = malloc(c->count * sizeof *keys);
    struct hnsw *h = NULL;
    size_t n = 0;
    enum status st = rows != NULL && keys != NULL ? hnsw_create(io_posix(), dir, &o, f) : ST_NOMEM;

    if (st == ST_OK) st = hnsw_open_writer(io_posix(), dir, NULL, &h, f);
    for (size_t i = 0; st == ST_OK && i < c->count; i++) {
        const struct corpus_doc *d = &c->docs[i];
        float *row = rows + n * o.dim;
        bool any = false;

        st = embed_document(e, d->title, strlen(d->title), d->text, strlen(d->text), row, f);
        for (uint32_t k = 0; k < o.dim; k++) any |= row[k] != 0.0f;
        if (any) keys[n++] = d->id;
    }
    if (st == ST_OK) st = hnsw_load(h, keys, 0, rows, n, 1, &load, f);
    if (st == ST_OK) st = hnsw_publish(h, 1, 0, f);
    hnsw_close(h);
    free(rows);
    free(keys);
    return st;
}

enum status corpus_index(const struct corpus *c, const struct embedder *e, const char *dir, int threads,
                         struct search **out, struct fault *f)
{
    char words[PATH_MAX_BYTES], graph[PATH_MAX_BYTES], model[PATH_MAX_BYTES];
    struct search_paths paths = {words, graph, model};
    enum status st;

    snprintf(words, sizeof words, "%s/words", dir);
    snprintf(graph, sizeof graph, "%s/graph", dir);
    snprintf(model, sizeof model, "%s/model.embed", dir);
    st = io_mkdir(io_posix(), dir, f);
    if (st == ST_OK) st = embedder_save(e, io_posix(), model, f);
    if (st == ST_OK) st = index_words(c, words, f);
    if (st == ST_OK) st = index_vectors(c, e, graph, threads, f);
    return st == ST_OK ? search_open(io_posix(), &paths, LSN_MAX, out, f) : st;
}
