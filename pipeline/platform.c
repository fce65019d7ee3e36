#include "pipeline/platform.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/rng.h"
#include "oltp/oltp.h"
#include "pipeline/shop/assets.h"
#include "pipeline/stream/stream.h"
#include "wal/wal.h"

static const char config_name[] = "seam.json";

enum status platform_path(const struct platform *p, const char *part, char out[PATH_MAX_BYTES],
                          struct fault *f)
{
    return path_join(out, p->dir, part, f);
}

enum status platform_sink_path(const struct platform *p, const char *name, char out[PATH_MAX_BYTES],
                               struct fault *f)
{
    char sinks[PATH_MAX_BYTES];
    enum status st = platform_path(p, "sinks", sinks, f);

    return st != ST_OK ? st : path_join(out, sinks, name, f);
}

const struct json *platform_sink_config(const struct platform *p, const char *name)
{
    return json_get(json_get(json_get(p->config, "shop"), "sinks"), name);
}


static void read_log_config(struct platform *p, const struct json *shop)
{
    const struct json *log = json_get(shop, "log");
    int64_t n;

    if (json_get(log, "segment_bytes") != NULL && json_int(json_get(log, "segment_bytes"), &n) && n > 0)
        p->log_segment_bytes = (uint64_t)n;
    if (json_get(log, "relay_bound_bytes") != NULL && json_int(json_get(log, "relay_bound_bytes"), &n) && n > 0)
        p->relay_bound_bytes = (uint64_t)n;
}

static void id_from_seed(struct platform *p, uint64_t seed)
{
    struct rng r;
    uint64_t a, b;

    rng_seed(&r, seed);
    a = rng_u64(&r);
    b = rng_u64(&r);
    snprintf(p->id, sizeof p->id, "%016llx%016llx", (unsigned long long)a, (unsigned long long)b);
    p->log_id = a;
}

/* seam.json is written last: a folder without it is no platform.                                   */
static enum status write_config(struct platform *p, const char *created, const char *shop, size_t n, struct fault *f)
{
    struct buf b = {0};
    struct json_writer w;
    char path[PATH_MAX_BYTES];
    enum status st;

    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "format");
    jw_int(&w, PLATFORM_FORMAT);
    jw_key(&w, "id");
    jw_str(&w, p->id);
    jw_key(&w, "created");
    jw_str(&w, created);
    jw_key(&w, "shop");
    jw_raw(&w, shop, n);
    jw_end_object(&w);
    buf_str(&b, "\n");
    st = platform_path(p, config_name, path, f);
    if (st == ST_OK && !buf_ok(&b)) st = fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory");
    if (st == ST_OK) st = io_write_atomic(p->io, path, b.data, b.size, f);
    buf_free(&b);
    return st;
}

/* A table is a schema object, or the name of a shipped one.                                        */
static enum status create_table(struct oltp_txn *t, const struct json *node, struct fault *f)
{
    char name[NAME_MAX_BYTES + 32];
    struct asset a;
    struct buf text = {0};
    struct json_writer w;
    uint32_t table;
    enum status st;

    if (node->type == J_OBJECT) {
        jw_init(&w, &text);
        jw_node(&w, node);
        st = oltp_create_table_json(t, (const char *)text.data, text.size, &table, f);
        buf_free(&text);
        return st;
    }
    if (node->type != J_STRING)
        return fault_set(f, ST_INVALID, "tables", node->line, "a table is a schema object or a name");
    snprintf(name, sizeof name, "schemas/%.*s.json", NAME_MAX_BYTES, node->str);
    a = asset_find(name);
    if (a.text == NULL)
        return fault_set(f, ST_NOT_FOUND, "tables", node->line, "no shipped schema is called '%s'",
                         node->str);
    return oltp_create_table_json(t, a.text, a.size, &table, f);
}

static enum status create_tables(struct platform *p, const struct json *shop, struct fault *f)
{
    const struct json *tables = json_get(shop, "tables");
    struct platform_source source = {0};
    struct oltp_txn *t = NULL;
    enum status st = platform_open_source(p, &source, f);

    if (st == ST_OK) st = oltp_write_begin(source.db, &t, f);
    for (const struct json *n = tables != NULL ? tables->child : NULL; st == ST_OK && n != NULL; n = n->next)
        st = create_table(t, n, f);
    if (st == ST_OK) {
        st = oltp_commit(t, OLTP_DURABLE, NULL, f);
        t = NULL;
    }
    oltp_end(t);
    if (st == ST_OK) st = oltp_checkpoint(source.db, f);
    return platform_close_source(&source, st, f);
}

/* An empty stream, so that a sink may start before the relay does.                                  */
static enum status create_stream(struct platform *p, struct fault *f)
{
    struct stream_writer_options o = {.clock = p->clock, .log_id = p->log_id};
    struct stream_writer *w = NULL;
    struct stream_tail tail;
    char dir[PATH_MAX_BYTES];
    enum status st = platform_path(p, "stream", dir, f);

    if (st == ST_OK) st = stream_writer_open(p->io, dir, &o, &w, &tail, f);
    return st == ST_OK ? stream_writer_close(w, f) : st;
}

static enum status make_folders(struct platform *p, struct fault *f)
{
    static const char *const parts[] = {"oltp", "wal", "stream", "sinks"};
    enum status st = io_mkdir(p->io, p->dir, f);

    for (size_t i = 0; st == ST_OK && i < ARRAY_LEN(parts); i++) {
        char path[PATH_MAX_BYTES];

        st = platform_path(p, parts[i], path, f);
        if (st == ST_OK) st = io_mkdir(p->io, path, f);
    }
    return st;
}

static enum status check_shop(const char *shop, size_t n, struct arena *a, struct json **out, struct fault *f)
{
    const struct json *sinks;
    enum status st = json_parse(shop, n, a, "shop", out, f);

    if (st != ST_OK) return st;
    sinks = json_get(*out, "sinks");
    if (sinks == NULL || sinks->type != J_OBJECT)
        return fault_set(f, ST_INVALID, "shop", FAULT_NO_OFFSET, "\"sinks\" must be an object");
    return ST_OK;
}

/* Only an empty or absent folder may become a platform.                                            */
static enum status check_vacant(struct io *io, const char *dir, bool *existed, struct fault *f)
{
    struct io_list list = {0};
    enum status st;

    *existed = io_exists(io, dir);
    if (!*existed) return ST_OK;
    st = io_list(io, dir, &list, f);
    if (st == ST_OK && list.count > 0)
        st = fault_set(f, ST_EXISTS, dir, FAULT_NO_OFFSET,
                       "the folder is not empty: give a new one (or remove it first)");
    io_list_free(&list);
    return st;
}

enum status platform_create(struct io *io, struct clock *clock, const char *dir, const char *shop,
                            size_t n, uint64_t seed, struct fault *f)
{
    struct platform p = {.io = io, .clock = clock};
    struct json *parsed = NULL;
    bool existed = false;
    char created[40];
    enum status st;

    if (snprintf(p.dir, sizeof p.dir, "%s", dir) >= (int)sizeof p.dir)
        return fault_set(f, ST_LIMIT, dir, FAULT_NO_OFFSET, "the path is too long");
    st = check_shop(shop, n, &p.arena, &parsed, f);
    if (st == ST_OK) st = check_vacant(io, dir, &existed, f);
    if (st != ST_OK) {
        arena_free(&p.arena);
        return st;
    }
    id_from_seed(&p, seed);
    read_log_config(&p, parsed);
    st = make_folders(&p, f);
    if (st == ST_OK) st = create_tables(&p, parsed, f);
    if (st == ST_OK) st = create_stream(&p, f);
    created[time_format(clock_wall_us(clock), created)] = '\0';
    if (st == ST_OK) st = write_config(&p, created, shop, n, f);
    if (st != ST_OK && !existed && io_remove_tree(io, dir, NULL) != ST_OK)
        fault_set(f, st, dir, FAULT_NO_OFFSET, "and the half-made folder could not be removed");
    arena_free(&p.arena);
    return st;
}

enum status platform_write_shop(struct platform *p, const char *shop, size_t n, struct fault *f)
{
    struct arena a = {0};
    struct json *parsed = NULL;
    enum status st = check_shop(shop, n, &a, &parsed, f);

    if (st == ST_OK) st = write_config(p, json_string(p->config, "created", ""), shop, n, f);
    arena_free(&a);
    return st;
}

static enum status read_config(struct platform *p, const char *path, struct fault *f)
{
    struct buf b = {0};
    struct json *parsed = NULL;
    const struct json *format;
    int64_t version = 0;
    enum status st = io_read_all(p->io, path, PLATFORM_CONFIG_MAX, &b, f);

    if (st == ST_OK) st = json_parse((const char *)b.data, b.size, &p->arena, path, &parsed, f);
    buf_free(&b);
    if (st != ST_OK) return st;
    p->config = parsed;
    read_log_config(p, json_get(parsed, "shop"));
    format = json_get(parsed, "format");
    if (format == NULL || !json_int(format, &version) || version != PLATFORM_FORMAT)
        return fault_set(f, ST_UNSUPPORTED, path, FAULT_NO_OFFSET,
                         "\"format\" is not %d: made by another version of seam", PLATFORM_FORMAT);
    snprintf(p->id, sizeof p->id, "%s", json_string(parsed, "id", ""));
    if (sscanf(p->id, "%16llx", (unsigned long long *)&p->log_id) != 1)
        return fault_set(f, ST_CORRUPT, path, FAULT_NO_OFFSET, "\"id\" is not 32 hexadecimal digits");
    return ST_OK;
}

enum status platform_open(struct io *io, struct clock *clock, const char *dir, struct platform *out,
                          struct fault *f)
{
    char path[PATH_MAX_BYTES];
    enum status st;

    *out = (struct platform){.io = io, .clock = clock};
    if (snprintf(out->dir, sizeof out->dir, "%s", dir) >= (int)sizeof out->dir)
        return fault_set(f, ST_LIMIT, dir, FAULT_NO_OFFSET, "the path is too long");
    st = platform_path(out, config_name, path, f);
    if (st == ST_OK && !io_exists(io, path))
        st = fault_set(f, ST_NOT_FOUND, dir, FAULT_NO_OFFSET,
                       "there is no platform here (no %s): make one with 'seam init %s'", config_name, dir);
    if (st == ST_OK) st = read_config(out, path, f);
    if (st != ST_OK) platform_close(out);
    return st;
}

void platform_close(struct platform *p)
{
    arena_free(&p->arena);
    *p = (struct platform){0};
}

enum status platform_open_source(const struct platform *p, struct platform_source *out, struct fault *f)
{
    char wal_dir[PATH_MAX_BYTES], oltp_dir[PATH_MAX_BYTES];
    struct wal_options wo = {
        .io = p->io, .clock = p->clock, .log_id = p->log_id, .segment_bytes = p->log_segment_bytes};
    struct oltp_options oo = {.clock = p->clock};
    enum status st;

    *out = (struct platform_source){0};
    st = platform_path(p, "wal", wal_dir, f);
    if (st == ST_OK) st = platform_path(p, "oltp", oltp_dir, f);
    if (st == ST_OK) st = wal_open(wal_dir, &wo, &out->wal, NULL, f);
    oo.wal = out->wal;
    oo.retain_checkpoints = PLATFORM_CHECKPOINTS_KEPT;
    if (st == ST_OK) st = oltp_open(p->io, oltp_dir, &oo, &out->db, f);
    return st == ST_OK ? ST_OK : platform_close_source(out, st, f);
}

enum status platform_close_source(struct platform_source *s, enum status st, struct fault *f)
{
    enum status db = oltp_close(s->db, st == ST_OK ? f : NULL);
    enum status wal = wal_close(s->wal, st == ST_OK && db == ST_OK ? f : NULL);

    *s = (struct platform_source){0};
    return st != ST_OK ? st : db != ST_OK ? db : wal;
}

enum status platform_open_reader(const struct platform *p, lsn_t as_of, int64_t as_of_us,
                                 struct oltp **out, struct fault *f)
{
    char wal_dir[PATH_MAX_BYTES], oltp_dir[PATH_MAX_BYTES];
    struct oltp_options oo = {
        .clock = p->clock, .read_only = true, .wal_dir = wal_dir, .holder = "seam"};
    enum status st = platform_path(p, "wal", wal_dir, f);

    if (as_of != LSN_MAX) oo.as_of = as_of;
    if (as_of_us != INT64_MIN) oo.as_of_us = as_of_us;
    if (st == ST_OK) st = platform_path(p, "oltp", oltp_dir, f);
    return st != ST_OK ? st : oltp_open(p->io, oltp_dir, &oo, out, f);
}
