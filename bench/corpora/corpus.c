#include "bench/corpora/corpus.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/io/source.h"
#include "engine/text/csv.h"
#include "engine/text/json.h"
#include "engine/values/value.h"

enum { LINE_MAX_BYTES = 4 << 20 };

void corpus_free(struct corpus *c)
{
    compare_set_free(&c->set);
    free(c->docs);
    seam_arena_free(&c->arena);
}

static enum seam_status add_doc(struct corpus *c, const char *line, size_t n, struct seam_fault *f)
{
    struct seam_json *j = NULL;
    enum seam_status st = seam_json_parse(line, n, &c->arena, c->name, &j, f);
    const struct seam_json *id;
    struct corpus_doc *d;
    int64_t number;
    char context[256];

    if (st != SEAM_OK) return st;
    if (c->count == c->cap) {
        size_t cap = c->cap == 0 ? 1024 : c->cap * 2;
        struct corpus_doc *docs = realloc(c->docs, cap * sizeof *docs);

        if (docs == NULL) return SEAM_NOMEM;
        c->docs = docs;
        c->cap = cap;
    }
    id = seam_json_get(j, c->shop ? "product_id" : "id");
    if (!seam_json_int(id, &number))
        return seam_fault_set(f, SEAM_INVALID, c->name, SEAM_FAULT_NO_OFFSET,
                              "a document has no id");
    d = &c->docs[c->count++];
    *d = (struct corpus_doc){
        .id = (uint64_t)number, .title = seam_json_string(j, "title", ""), .context = ""};
    d->text = seam_json_string(j, "description", seam_json_string(j, "text", ""));
    d->brand = seam_json_string(j, "brand", "");
    d->sku = seam_json_string(j, "sku", "");
    if (!c->shop) return SEAM_OK;
    snprintf(context, sizeof context, "%s %s", seam_json_string(j, "category", ""), d->brand);
    d->context = seam_arena_strdup(&c->arena, context, strlen(context));
    return d->context != NULL ? SEAM_OK : SEAM_NOMEM;
}

static enum seam_status read_docs(struct corpus *c, const char *path, struct seam_fault *f)
{
    struct seam_source *s = NULL;
    enum seam_status st = seam_source_open(seam_io_posix(), path, &s, f);
    const char *line;
    size_t n;

    while (st == SEAM_OK && (st = seam_source_line(s, LINE_MAX_BYTES, &line, &n, f)) == SEAM_OK)
        if (n > 0) st = add_doc(c, line, n, f);
    seam_source_close(s);
    return st == SEAM_END ? SEAM_OK : st;
}

enum seam_status corpus_shop(struct corpus *c, struct seam_fault *f)
{
    enum seam_status st;

    *c = (struct corpus){.name = "shop", .shop = true};
    st = read_docs(c, "pipeline/shop/catalogue.jsonl", f);
    if (st == SEAM_OK)
        st = compare_set_read(seam_io_posix(), "pipeline/shop/queries.tsv",
                              "pipeline/shop/qrels.txt", &c->set, f);
    return st;
}

/* ---- the shared collections: qrels are TSV with a header, relevance in the third column ---- */
static enum seam_status open_tsv(const char *dir, const char *name, const char *file,
                                 struct seam_source **s, struct seam_csv **csv,
                                 struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    const struct seam_csv_field *fields;
    size_t n;
    enum seam_status st;

    snprintf(path, sizeof path, "%s/%s/%s", dir, name, file);
    st = seam_source_open(seam_io_posix(), path, s, f);
    if (st == SEAM_OK) st = seam_csv_open(*s, (struct seam_csv_options){.separator = '\t'}, csv);
    return st == SEAM_OK ? seam_csv_next(*csv, &fields, &n, f) : st; /* the header */
}

static void field_text(const struct seam_csv_field *field, char *out, size_t size)
{
    size_t n = field->size < size - 1 ? field->size : size - 1;

    memcpy(out, field->data, n);
    out[n] = '\0';
}

static enum seam_status read_shared_qrels(struct corpus *c, const char *dir, struct seam_fault *f)
{
    struct seam_source *s = NULL;
    struct seam_csv *csv = NULL;
    const struct seam_csv_field *fields;
    size_t n;
    enum seam_status st = open_tsv(dir, c->name, "qrels.dev.tsv", &s, &csv, f);

    if (st == SEAM_OK) st = eval_qrels_new(&c->set.qrels);
    while (st == SEAM_OK && (st = seam_csv_next(csv, &fields, &n, f)) == SEAM_OK) {
        char qid[64], docno[64], grade[32];
        double g;

        if (n < 3) return SEAM_INVALID;
        field_text(&fields[0], qid, sizeof qid);
        field_text(&fields[1], docno, sizeof docno);
        field_text(&fields[2], grade, sizeof grade);
        st = seam_double_parse(grade, strlen(grade), &g);
        if (st == SEAM_OK) st = eval_qrels_add(c->set.qrels, qid, docno, (int)lround(g), f);
        if (st == SEAM_EXISTS) st = SEAM_OK;
    }
    seam_csv_close(csv);
    seam_source_close(s);
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status read_shared_queries(struct corpus *c, const char *dir, struct seam_fault *f)
{
    struct seam_source *s = NULL;
    struct seam_csv *csv = NULL;
    const struct seam_csv_field *fields;
    size_t n;
    enum seam_status st = open_tsv(dir, c->name, "queries.dev.tsv", &s, &csv, f);

    while (st == SEAM_OK && (st = seam_csv_next(csv, &fields, &n, f)) == SEAM_OK) {
        char qid[64], text[SEARCH_TEXT_MAX];

        if (n < 2) return SEAM_INVALID;
        field_text(&fields[0], qid, sizeof qid);
        field_text(&fields[1], text, sizeof text);
        st = compare_set_add(&c->set, qid, "all", text);
    }
    seam_csv_close(csv);
    seam_source_close(s);
    return st == SEAM_END ? SEAM_OK : st;
}

enum seam_status corpus_shared(struct corpus *c, const char *dir, const char *name,
                               struct seam_fault *f)
{
    bool products = strcmp(name, "product-search") == 0;
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st;

    *c = (struct corpus){.name = name};
    /* Grades 1..4, gain = grade - 1, relevant from 3 (its README); the others are binary. */
    if (products) c->eval = (struct eval_options){.gain_from = 2, .relevant_from = 3};
    snprintf(path, sizeof path, "%s/%s/%s", dir, name,
             products ? "products.jsonl.gz" : "docs.jsonl.gz");
    st = read_docs(c, path, f);
    if (st == SEAM_OK) st = read_shared_qrels(c, dir, f);
    if (st == SEAM_OK) st = read_shared_queries(c, dir, f);
    return st == SEAM_OK ? compare_set_finish(&c->set, f) : st;
}

/* ---- indexes ---- */
enum seam_status corpus_learn(const struct corpus *c, size_t dim, int threads,
                              struct embedder **out, struct seam_fault *f)
{
    struct embed_options o = {.dim = dim, .threads = threads, .seed = 1};
    struct embed_trainer *t = NULL;
    enum seam_status st = embed_trainer_new(&o, &t, f);

    for (size_t i = 0; st == SEAM_OK && i < c->count; i++) {
        const struct corpus_doc *d = &c->docs[i];

        st = embed_trainer_add(t, d->title, strlen(d->title), d->text, strlen(d->text), d->context,
                               strlen(d->context), f);
    }
    if (st == SEAM_OK) st = embed_trainer_finish(t, out, f);
    embed_trainer_free(t);
    return st;
}

static struct invidx_text text_of(const char *s)
{
    return (struct invidx_text){s, strlen(s)};
}

static enum seam_status index_words(const struct corpus *c, const char *dir, struct seam_fault *f)
{
    static const struct invidx_field fields[] = {
        {"title", 3}, {"description", 1}, {"brand", 1}, {"sku", 1}};
    struct invidx_schema schema = {
        .fields = fields, .field_count = c->shop ? 4 : 2, .analysis = invidx_analysis_default()};
    struct invidx_writer *w = NULL;
    enum seam_status st = invidx_writer_open(seam_io_posix(), dir, &schema, NULL, &w, f);

    for (size_t i = 0; st == SEAM_OK && i < c->count; i++) {
        const struct corpus_doc *d = &c->docs[i];
        const struct invidx_text texts[] = {text_of(d->title), text_of(d->text), text_of(d->brand),
                                            text_of(d->sku)};
        struct invidx_doc doc = {.key = d->id, .fields = texts};

        st = invidx_upsert(w, &doc, 1, f);
    }
    if (st == SEAM_OK) st = invidx_publish(w, 1, 0, f);
    if (st == SEAM_OK) st = invidx_compact(w, f);
    invidx_writer_close(w);
    return st;
}

static enum seam_status index_vectors(const struct corpus *c, const struct embedder *e,
                                      const char *dir, int threads, struct seam_fault *f)
{
    struct hnsw_options o = {.dim = (uint32_t)embedder_dim(e), .metric = HNSW_COSINE, .seed = 1};
    struct hnsw_load_options load = {.threads = threads};
    float *rows = malloc(c->count * o.dim * sizeof *rows);
    uint64_t *keys = malloc(c->count * sizeof *keys);
    struct hnsw *h = NULL;
    size_t n = 0;
    enum seam_status st =
        rows != NULL && keys != NULL ? hnsw_create(seam_io_posix(), dir, &o, f) : SEAM_NOMEM;

    if (st == SEAM_OK) st = hnsw_open_writer(seam_io_posix(), dir, NULL, &h, f);
    for (size_t i = 0; st == SEAM_OK && i < c->count; i++) {
        const struct corpus_doc *d = &c->docs[i];
        float *row = rows + n * o.dim;
        bool any = false;

        st = embed_document(e, d->title, strlen(d->title), d->text, strlen(d->text), row, f);
        for (uint32_t k = 0; k < o.dim; k++) any |= row[k] != 0.0f;
        if (any) keys[n++] = d->id;
    }
    if (st == SEAM_OK)
        st = hnsw_load(h, &(struct hnsw_rows){.keys = keys, .vectors = rows, .n = n}, 1, &load, f);
    if (st == SEAM_OK) st = hnsw_publish(h, 1, 0, f);
    hnsw_close(h);
    free(rows);
    free(keys);
    return st;
}

enum seam_status corpus_index(const struct corpus *c, const struct embedder *e, const char *dir,
                              int threads, struct search **out, struct seam_fault *f)
{
    char words[SEAM_PATH_MAX_BYTES], graph[SEAM_PATH_MAX_BYTES], model[SEAM_PATH_MAX_BYTES];
    struct search_paths paths = {words, graph, model};
    enum seam_status st;

    snprintf(words, sizeof words, "%s/words", dir);
    snprintf(graph, sizeof graph, "%s/graph", dir);
    snprintf(model, sizeof model, "%s/model.embed", dir);
    st = seam_io_mkdir(seam_io_posix(), dir, f);
    if (st == SEAM_OK) st = embedder_save(e, seam_io_posix(), model, f);
    if (st == SEAM_OK) st = index_words(c, words, f);
    if (st == SEAM_OK) st = index_vectors(c, e, graph, threads, f);
    return st == SEAM_OK ? search_open(seam_io_posix(), &paths, SEAM_LSN_MAX, out, f) : st;
}
