#include "pipeline/sinks/vectors/vectors.h"

#include <stdio.h>
#include <string.h>

#include "engine/text/json.h"
#include "pipeline/sinks/vectors/vectors_write.h"

enum { CURRENT_MAX = 4096, REOPEN_TRIES = 5 };

static enum status place(const struct platform *p, struct vectors_current *c, struct fault *f)
{
    char sink[PATH_MAX_BYTES], name[32];
    enum status st = platform_sink_path(p, "vectors", sink, f);

    snprintf(name, sizeof name, "g%llu", (unsigned long long)c->generation);
    if (st == ST_OK) st = path_join(c->dir, sink, name, f);
    return st == ST_OK ? path_join(c->model, c->dir, "model.embed", f) : st;
}

static enum status current_path(const struct platform *p, char out[PATH_MAX_BYTES], struct fault *f)
{
    char sink[PATH_MAX_BYTES];
    enum status st = platform_sink_path(p, "vectors", sink, f);

    return st == ST_OK ? path_join(out, sink, "current", f) : st;
}

enum status vectors_current(const struct platform *p, struct vectors_current *out, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    struct arena a = {0};
    struct json *root = NULL;
    struct buf text = {0};
    int64_t generation = 0, trained = 0;
    enum status st = current_path(p, path, f);

    *out = (struct vectors_current){0};
    if (st == ST_OK && !io_exists(p->io, path))
        return fault_set(f, ST_NOT_FOUND, path, FAULT_NO_OFFSET,
                         "no vectors yet: run 'seam sink DIR vectors' (or 'seam run DIR')");
    if (st == ST_OK) st = io_read_all(p->io, path, CURRENT_MAX, &text, f);
    if (st == ST_OK) st = json_parse((const char *)text.data, text.size, &a, path, &root, f);
    if (st == ST_OK && (!json_int(json_get(root, "generation"), &generation) || generation < 1 ||
                        !json_int(json_get(root, "trained_on"), &trained) || trained < 0))
        st = fault_set(f, ST_CORRUPT, path, FAULT_NO_OFFSET, "\"generation\" or \"trained_on\" is missing");
    if (st == ST_OK) {
        out->generation = (uint64_t)generation;
        out->trained_on = (uint64_t)trained;
        snprintf(out->embedder, sizeof out->embedder, "%s", json_string(root, "embedder", ""));
        st = place(p, out, f);
    }
    buf_free(&text);
    arena_free(&a);
    return st;
}

enum status vectors_place(const struct platform *p, uint64_t generation, struct vectors_current *out,
                          struct fault *f)
{
    *out = (struct vectors_current){.generation = generation};
    return place(p, out, f);
}

enum status vectors_switch(const struct platform *p, const struct vectors_current *to, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    struct buf b = {0};
    struct json_writer w;
    enum status st = current_path(p, path, f);

    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "generation");
    jw_uint(&w, to->generation);
    jw_key(&w, "embedder");
    jw_str(&w, to->embedder);
    jw_key(&w, "trained_on");
    jw_uint(&w, to->trained_on);
    jw_end_object(&w);
    buf_str(&b, "\n");
    if (st == ST_OK && !buf_ok(&b)) st = fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory");
    if (st == ST_OK) st = io_write_atomic(p->io, path, b.data, b.size, f);
    buf_free(&b);
    return st;
}

static enum status open_generation(const struct platform *p, const struct vectors_current *c, lsn_t as_of,
                                   struct embedder **embedder, struct hnsw **graph, struct fault *f)
{
    struct hnsw_config cfg = {.clock = p->clock};
    enum status st = embedder_open(p->io, c->model, embedder, f);

    if (st == ST_OK) st = hnsw_open_reader(p->io, c->dir, as_of, &cfg, graph, f);
    if (st != ST_OK) {
        embedder_close(*embedder);
        *embedder = NULL;
    }
    return st;
}

/* A generation may be switched and removed between reading `current` and opening its files: then `current`
 * names another one, and that is opened instead.                                                  */
enum status vectors_open_reader(const struct platform *p, lsn_t as_of, struct embedder **embedder,
                                struct hnsw **graph, struct fault *f)
{
    struct vectors_current c, again;
    enum status st = vectors_current(p, &c, f);

    for (int i = 0; st == ST_OK && i < REOPEN_TRIES; i++) {
        struct fault local = {0};

        st = open_generation(p, &c, as_of, embedder, graph, &local);
        if (st == ST_OK) return ST_OK;
        if (vectors_current(p, &again, NULL) != ST_OK || again.generation == c.generation) {
            if (f != NULL && f->status == ST_OK) *f = local;
            return st;
        }
        c = again;
        st = ST_OK;
    }
    return st == ST_OK ? fault_set(f, ST_CONFLICT, c.dir, FAULT_NO_OFFSET,
                                   "the vectors' generation changes too fast to open") : st;
}
