#include "pipeline/stream/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/text/json.h"

enum { REGISTRY_FILE_MAX = 64 << 20 };

static enum status add(struct registry *r, const char *json, size_t n, struct fault *f)
{
    struct schema s = {0};
    enum status st = schema_parse(json, n, &s, f);

    if (st != ST_OK) return st;
    for (size_t i = 0; i < r->count; i++)
        if (r->schemas[i].id == s.id) {
            schema_free(&r->schemas[i]);
            r->schemas[i] = s;
            return ST_OK;
        }
    if (r->count == r->cap) {
        size_t cap = r->cap == 0 ? 8 : r->cap * 2;
        struct schema *more = realloc(r->schemas, cap * sizeof *more);

        if (more == NULL) {
            schema_free(&s);
            return fault_set(f, ST_NOMEM, r->path, FAULT_NO_OFFSET, "no memory for schemas");
        }
        r->schemas = more;
        r->cap = cap;
    }
    r->schemas[r->count++] = s;
    return ST_OK;
}

static enum status load(struct registry *r, const struct buf *text, struct fault *f)
{
    struct arena a = {0};
    struct json *root = NULL;
    const struct json *list;
    enum status st = json_parse((const char *)text->data, text->size, &a, r->path, &root, f);

    list = json_get(root, "schemas");
    if (st == ST_OK && (list == NULL || list->type != J_ARRAY))
        st = fault_set(f, ST_CORRUPT, r->path, FAULT_NO_OFFSET, "\"schemas\" is missing");
    for (const struct json *n = list != NULL ? list->child : NULL; st == ST_OK && n != NULL; n = n->next) {
        struct buf one = {0};
        struct json_writer w;

        jw_init(&w, &one);
        jw_node(&w, n);
        st = add(r, (const char *)one.data, one.size, f);
        buf_free(&one);
    }
    arena_free(&a);
    return st;
}

enum status registry_open(struct registry *r, struct io *io, const char *dir, struct fault *f)
{
    struct buf text = {0};
    enum status st;

    *r = (struct registry){.io = io};
    st = path_join(r->path, dir, "schemas.json", f);
    if (st == ST_OK && io_exists(io, r->path)) {
        st = io_read_all(io, r->path, REGISTRY_FILE_MAX, &text, f);
        if (st == ST_OK) st = load(r, &text, f);
    }
    buf_free(&text);
    if (st != ST_OK) registry_close(r);
    return st;
}

void registry_close(struct registry *r)
{
    for (size_t i = 0; i < r->count; i++) schema_free(&r->schemas[i]);
    free(r->schemas);
    r->schemas = NULL;
    r->count = r->cap = 0;
}

static enum status save(const struct registry *r, struct fault *f)
{
    struct buf b = {0};
    struct json_writer w;
    enum status st;

    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "schemas");
    jw_array(&w);
    for (size_t i = 0; i < r->count; i++) {
        struct buf one = {0};

        schema_to_json(&r->schemas[i], &one);
        jw_raw(&w, (const char *)one.data, one.size);
        buf_free(&one);
    }
    jw_end_array(&w);
    jw_end_object(&w);
    buf_str(&b, "\n");
    st = buf_ok(&b) ? io_write_atomic(r->io, r->path, b.data, b.size, f)
                    : fault_set(f, ST_NOMEM, r->path, FAULT_NO_OFFSET, "no memory");
    buf_free(&b);
    return st;
}

enum status registry_put(struct registry *r, uint32_t table, const char *json, size_t n, bool *changed,
                         struct fault *f)
{
    const struct schema *known = registry_get(r, table);
    struct schema s = {0};
    enum status st = schema_parse(json, n, &s, f);
    bool news;

    *changed = false;
    if (st != ST_OK) return st;
    news = known == NULL || s.version > known->version || s.index_count != known->index_count;
    schema_free(&s);
    if (!news) return ST_OK; /* delivered again, or older than what we know */
    st = add(r, json, n, f);
    if (st == ST_OK) st = save(r, f);
    *changed = st == ST_OK;
    return st;
}

const struct schema *registry_get(const struct registry *r, uint32_t table)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->schemas[i].id == table) return &r->schemas[i];
    return NULL;
}

const struct schema *registry_find(const struct registry *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->schemas[i].name, name) == 0) return &r->schemas[i];
    return NULL;
}
