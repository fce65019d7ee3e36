/* registry - the tables' shapes as of the event that is read, kept beside the store. */
#include "pipeline/stream/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/grow.h"
#include "engine/io/filehead.h"
#include "engine/text/json.h"

enum { REGISTRY_FILE_MAX = 64 << 20 };
static const char way_out[] = "its sink is derived from the source, `seam rebuild` makes it again";

static enum seam_status add(struct stream_registry *r, const char *json, size_t n,
                            struct seam_fault *f)
{
    struct seam_schema s = {0};
    enum seam_status st = seam_schema_parse(json, n, &s, f);

    if (st != SEAM_OK) return st;
    for (size_t i = 0; i < r->count; i++)
        if (r->schemas[i].id == s.id) {
            seam_schema_free(&r->schemas[i]);
            r->schemas[i] = s;
            return SEAM_OK;
        }
    if (!SEAM_GROW(&r->schemas, &r->cap, r->count + 1)) {
        seam_schema_free(&s);
        return seam_no_memory(f, "the stream's schemas");
    }
    r->schemas[r->count++] = s;
    return SEAM_OK;
}

static enum seam_status load(struct stream_registry *r, const struct seam_buf *text,
                             struct seam_fault *f)
{
    struct seam_arena a = {0};
    struct seam_json *root = NULL;
    const struct seam_json *list;
    enum seam_status st =
        seam_json_parse((const char *)text->data, text->size, &a, r->path, &root, f);

    list = seam_json_get(root, "schemas");
    if (st == SEAM_OK && (list == NULL || list->type != SEAM_J_ARRAY))
        st = seam_fault_set(f, SEAM_CORRUPT, r->path, SEAM_FAULT_NO_OFFSET,
                            "\"schemas\" is missing");
    for (const struct seam_json *n = list != NULL ? list->child : NULL; st == SEAM_OK && n != NULL;
         n = n->next) {
        struct seam_buf one = {0};
        struct seam_json_writer w;

        seam_jw_init(&w, &one);
        seam_jw_node(&w, n);
        st = seam_buf_ok(&one) ? add(r, (const char *)one.data, one.size, f)
                               : seam_no_memory(f, "a schema");
        seam_buf_free(&one);
    }
    seam_arena_free(&a);
    return st;
}

enum seam_status stream_registry_open(struct stream_registry *r, struct seam_io *io,
                                      const char *dir, struct seam_fault *f)
{
    struct seam_buf text = {0};
    struct seam_fault seal = {0};
    enum seam_status st;

    *r = (struct stream_registry){.io = io};
    st = seam_path_join(r->path, dir, "schemas.json", f);
    if (st == SEAM_OK && seam_io_exists(io, r->path)) {
        st = seam_io_read_all(io, r->path, REGISTRY_FILE_MAX, &text, f);
        if (st == SEAM_OK) st = seam_seal_check(&text, r->path, way_out, &seal);
        /* Generation 1 wrote the same text without a seal; the next change writes it with one. */
        if (st == SEAM_UNSUPPORTED)
            st = SEAM_OK;
        else
            seam_fault_give(f, &seal);
        if (st == SEAM_OK) st = load(r, &text, f);
    }
    seam_buf_free(&text);
    if (st != SEAM_OK) stream_registry_close(r);
    return st;
}

void stream_registry_close(struct stream_registry *r)
{
    for (size_t i = 0; i < r->count; i++) seam_schema_free(&r->schemas[i]);
    free(r->schemas);
    r->schemas = NULL;
    r->count = r->cap = 0;
}

static enum seam_status save(const struct stream_registry *r, struct seam_fault *f)
{
    struct seam_buf b = {0}, sealed = {0};
    struct seam_json_writer w;
    bool whole = true;
    enum seam_status st;

    seam_jw_init(&w, &b);
    seam_jw_object(&w);
    seam_jw_key(&w, "schemas");
    seam_jw_array(&w);
    for (size_t i = 0; i < r->count; i++) {
        struct seam_buf one = {0};

        seam_schema_to_json(&r->schemas[i], &one);
        seam_jw_raw(&w, (const char *)one.data, one.size);
        whole &= seam_buf_ok(&one); /* half a schema is never written */
        seam_buf_free(&one);
    }
    seam_jw_end_array(&w);
    seam_jw_end_object(&w);
    seam_seal_json(&b, &sealed);
    if (!whole) sealed.failed = true;
    st = seam_buf_check(&sealed, f, "the stream's schemas");
    if (st == SEAM_OK) st = seam_io_write_atomic(r->io, r->path, sealed.data, sealed.size, f);
    seam_buf_free(&b);
    seam_buf_free(&sealed);
    return st;
}

enum seam_status stream_registry_put(struct stream_registry *r, uint32_t table, const char *json,
                                     size_t n, bool *changed, struct seam_fault *f)
{
    const struct seam_schema *known = stream_registry_get(r, table);
    struct seam_schema s = {0};
    enum seam_status st = seam_schema_parse(json, n, &s, f);
    bool news;

    *changed = false;
    if (st != SEAM_OK) return st;
    news = known == NULL || s.version > known->version || s.index_count != known->index_count;
    seam_schema_free(&s);
    if (!news) return SEAM_OK; /* delivered again, or older than what we know */
    st = add(r, json, n, f);
    if (st == SEAM_OK) st = save(r, f);
    *changed = st == SEAM_OK;
    return st;
}

const struct seam_schema *stream_registry_get(const struct stream_registry *r, uint32_t table)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->schemas[i].id == table) return &r->schemas[i];
    return NULL;
}

const struct seam_schema *stream_registry_find(const struct stream_registry *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->schemas[i].name, name) == 0) return &r->schemas[i];
    return NULL;
}
