/* vectors - which generation is current, and opening it to read. */
#include "pipeline/sinks/vectors/vectors.h"

#include <stdio.h>
#include <string.h>

#include "engine/io/filehead.h"
#include "engine/text/json.h"
#include "pipeline/sinks/vectors/vectors_write.h"

enum { CURRENT_MAX = 4096, REOPEN_TRIES = 5 };

static enum seam_status place(const struct platform *p, struct sink_vectors_current *c,
                              struct seam_fault *f)
{
    char sink[SEAM_PATH_MAX_BYTES], name[32];
    enum seam_status st = platform_sink_path(p, "vectors", sink, f);

    snprintf(name, sizeof name, "g%llu", (unsigned long long)c->generation);
    if (st == SEAM_OK) st = seam_path_join(c->dir, sink, name, f);
    return st == SEAM_OK ? seam_path_join(c->model, c->dir, "model.embed", f) : st;
}

static enum seam_status current_path(const struct platform *p, char out[SEAM_PATH_MAX_BYTES],
                                     struct seam_fault *f)
{
    char sink[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_sink_path(p, "vectors", sink, f);

    return st == SEAM_OK ? seam_path_join(out, sink, "current", f) : st;
}

enum seam_status sink_vectors_current(const struct platform *p, struct sink_vectors_current *out,
                                      struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_arena a = {0};
    struct seam_json *root = NULL;
    struct seam_buf text = {0};
    int64_t generation = 0, trained = 0;
    enum seam_status st = current_path(p, path, f);

    *out = (struct sink_vectors_current){0};
    if (st == SEAM_OK && !seam_io_exists(p->io, path))
        return seam_fault_set(f, SEAM_NOT_FOUND, path, SEAM_FAULT_NO_OFFSET,
                              "no vectors yet: run 'seam sink DIR vectors' (or 'seam run DIR')");
    if (st == SEAM_OK) st = seam_io_read_all(p->io, path, CURRENT_MAX, &text, f);
    if (st == SEAM_OK)
        st = seam_seal_check(&text, path, "`seam rebuild DIR vectors` makes it again", f);
    if (st == SEAM_OK) st = seam_json_parse((const char *)text.data, text.size, &a, path, &root, f);
    if (st == SEAM_OK &&
        (!seam_json_int(seam_json_get(root, "generation"), &generation) || generation < 1 ||
         !seam_json_int(seam_json_get(root, "trained_on"), &trained) || trained < 0))
        st = seam_fault_set(f, SEAM_CORRUPT, path, SEAM_FAULT_NO_OFFSET,
                            "\"generation\" or \"trained_on\" is missing");
    if (st == SEAM_OK) {
        out->generation = (uint64_t)generation;
        out->trained_on = (uint64_t)trained;
        snprintf(out->embedder, sizeof out->embedder, "%s", seam_json_string(root, "embedder", ""));
        st = place(p, out, f);
    }
    seam_buf_free(&text);
    seam_arena_free(&a);
    return st;
}

enum seam_status sink_vectors_place(const struct platform *p, uint64_t generation,
                                    struct sink_vectors_current *out, struct seam_fault *f)
{
    *out = (struct sink_vectors_current){.generation = generation};
    return place(p, out, f);
}

enum seam_status sink_vectors_switch(const struct platform *p,
                                     const struct sink_vectors_current *to, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_buf b = {0}, sealed = {0};
    struct seam_json_writer w;
    enum seam_status st = current_path(p, path, f);

    seam_jw_init(&w, &b);
    seam_jw_object(&w);
    seam_jw_key(&w, "generation");
    seam_jw_uint(&w, to->generation);
    seam_jw_key(&w, "embedder");
    seam_jw_str(&w, to->embedder);
    seam_jw_key(&w, "trained_on");
    seam_jw_uint(&w, to->trained_on);
    seam_jw_end_object(&w);
    seam_seal_json(&b, &sealed);
    if (st == SEAM_OK) st = seam_buf_check(&sealed, f, "which vectors are current");
    if (st == SEAM_OK) st = seam_io_write_atomic(p->io, path, sealed.data, sealed.size, f);
    seam_buf_free(&b);
    seam_buf_free(&sealed);
    return st;
}

static enum seam_status open_generation(const struct platform *p,
                                        const struct sink_vectors_current *c, seam_lsn_t as_of,
                                        struct embedder **embedder, struct hnsw **graph,
                                        struct seam_fault *f)
{
    struct hnsw_config cfg = {.clock = p->clock};
    enum seam_status st = embedder_open(p->io, c->model, embedder, f);

    if (st == SEAM_OK) st = hnsw_open_reader(p->io, c->dir, as_of, &cfg, graph, f);
    if (st != SEAM_OK) {
        embedder_close(*embedder);
        *embedder = NULL;
    }
    return st;
}

/* A generation may be switched and removed between reading `current` and opening its files: then `current`
 * names another one, and that is opened instead.                                                  */
enum seam_status sink_vectors_open_reader(const struct platform *p, seam_lsn_t as_of,
                                          struct embedder **embedder, struct hnsw **graph,
                                          struct seam_fault *f)
{
    struct sink_vectors_current c, again;
    enum seam_status st = sink_vectors_current(p, &c, f);

    for (int i = 0; st == SEAM_OK && i < REOPEN_TRIES; i++) {
        struct seam_fault local = {0};

        st = open_generation(p, &c, as_of, embedder, graph, &local);
        if (st == SEAM_OK) return SEAM_OK;
        if (sink_vectors_current(p, &again, NULL) != SEAM_OK || again.generation == c.generation) {
            seam_fault_give(f, &local);
            return st;
        }
        c = again;
        st = SEAM_OK;
    }
    return st == SEAM_OK ? seam_fault_set(f, SEAM_CONFLICT, c.dir, SEAM_FAULT_NO_OFFSET,
                                          "the vectors' generation changes too fast to open")
                         : st;
}
