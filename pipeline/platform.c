/* platform - makes a platform's folder, reads what it says of itself, and opens its source of truth. */
#include "pipeline/platform.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/crc32c.h"
#include "engine/base/rng.h"
#include "engine/io/filehead.h"
#include "oltp/oltp.h"
#include "pipeline/shop/assets.h"
#include "wal/wal.h"

static const char config_name[] = "seam.json";
enum { CREATED_MAX = 64 };

enum seam_status platform_path(const struct platform *p, const char *part,
                               char out[SEAM_PATH_MAX_BYTES], struct seam_fault *f)
{
    return seam_path_join(out, p->dir, part, f);
}

enum seam_status platform_sink_path(const struct platform *p, const char *name,
                                    char out[SEAM_PATH_MAX_BYTES], struct seam_fault *f)
{
    char sinks[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_path(p, "sinks", sinks, f);

    return st != SEAM_OK ? st : seam_path_join(out, sinks, name, f);
}

const struct seam_json *platform_sink_config(const struct platform *p, const char *name)
{
    return seam_json_get(seam_json_get(seam_json_get(p->config, "shop"), "sinks"), name);
}

/* A whole number in shop.log, or what is the default. */
static enum seam_status read_log_number(const struct platform *p, const struct seam_json *log,
                                        const char *name, int64_t max, int64_t *out,
                                        struct seam_fault *f)
{
    const struct seam_json *v = seam_json_get(log, name);

    if (v == NULL) return SEAM_OK;
    if (seam_json_int(v, out) && *out >= 0 && *out <= max) return SEAM_OK;
    return seam_fault_set(f, SEAM_INVALID, p->dir, SEAM_FAULT_NO_OFFSET,
                          "seam.json: shop.log.%s is a whole number from 0 to %lld", name,
                          (long long)max);
}

static enum seam_status read_checkpoints_config(struct platform *p, const struct seam_json *shop,
                                                struct seam_fault *f)
{
    const struct seam_json *log = seam_json_get(shop, "log");
    int64_t kept = PLATFORM_CHECKPOINTS_KEPT, seconds = 0;
    enum seam_status st =
        read_log_number(p, log, "checkpoints_kept", PLATFORM_CHECKPOINTS_MAX, &kept, f);

    if (st == SEAM_OK)
        st = read_log_number(p, log, "checkpoints_seconds", INT64_MAX / 2000000, &seconds, f);
    p->checkpoints_kept = (uint32_t)kept;
    p->checkpoints_us = seconds * 1000000;
    return st;
}

static void read_log_config(struct platform *p, const struct seam_json *shop)
{
    const struct seam_json *log = seam_json_get(shop, "log");
    int64_t n;

    if (seam_json_get(log, "segment_bytes") != NULL &&
        seam_json_int(seam_json_get(log, "segment_bytes"), &n) && n > 0)
        p->log_segment_bytes = (uint64_t)n;
    if (seam_json_get(log, "relay_bound_bytes") != NULL &&
        seam_json_int(seam_json_get(log, "relay_bound_bytes"), &n) && n > 0)
        p->relay_bound_bytes = (uint64_t)n;
}

static bool take_id(struct platform *p)
{
    return seam_platform_parse(p->id, p->owner) && sscanf(p->id, "%16" SCNx64, &p->log_id) == 1;
}

static void id_from_seed(struct platform *p, uint64_t seed)
{
    struct seam_rng r;
    uint64_t a, b;

    seam_rng_seed(&r, seed);
    a = seam_rng_u64(&r);
    b = seam_rng_u64(&r);
    snprintf(p->id, sizeof p->id, "%016" PRIx64 "%016" PRIx64, a, b);
    (void)take_id(p);
}

/* What the program says of itself in seam.json, and nobody edits. */
static void identity_check(const struct platform *p, const char *created, char out[9])
{
    char text[256];
    int n = snprintf(text, sizeof text, "%d\n%s\n%s\n", PLATFORM_FORMAT, p->id, created);

    assert(n > 0 && (size_t)n < sizeof text);
    snprintf(out, 9, "%08" PRIx32, seam_crc32c(0, text, (size_t)n));
}

/* seam.json is written last: a folder without it is no platform.                                   */
static enum seam_status write_config(struct platform *p, const char *created, const char *shop,
                                     size_t n, struct seam_fault *f)
{
    struct seam_buf b = {0};
    struct seam_json_writer w;
    char path[SEAM_PATH_MAX_BYTES], check[9];
    enum seam_status st;

    seam_jw_init(&w, &b);
    seam_jw_object(&w);
    seam_jw_key(&w, "format");
    seam_jw_int(&w, PLATFORM_FORMAT);
    seam_jw_key(&w, "id");
    seam_jw_str(&w, p->id);
    seam_jw_key(&w, "created");
    seam_jw_str(&w, created);
    seam_jw_key(&w, "check");
    identity_check(p, created, check);
    seam_jw_str(&w, check);
    seam_jw_key(&w, "shop");
    seam_jw_raw(&w, shop, n);
    seam_jw_end_object(&w);
    seam_buf_str(&b, "\n");
    st = platform_path(p, config_name, path, f);
    if (st == SEAM_OK && !seam_buf_ok(&b))
        st = seam_fault_set(f, SEAM_NOMEM, path, SEAM_FAULT_NO_OFFSET, "no memory");
    if (st == SEAM_OK) st = seam_io_write_atomic(p->io, path, b.data, b.size, f);
    seam_buf_free(&b);
    return st;
}

/* A table is a schema object, or the name of a shipped one.                                        */
static enum seam_status create_table(struct oltp_txn *t, const struct seam_json *node,
                                     struct seam_fault *f)
{
    char name[SEAM_NAME_MAX_BYTES + 32];
    struct asset a;
    struct seam_buf text = {0};
    struct seam_json_writer w;
    uint32_t table;
    enum seam_status st;

    if (node->type == SEAM_J_OBJECT) {
        seam_jw_init(&w, &text);
        seam_jw_node(&w, node);
        st = oltp_create_table_json(t, (const char *)text.data, text.size, &table, f);
        seam_buf_free(&text);
        return st;
    }
    if (node->type != SEAM_J_STRING)
        return seam_fault_set(f, SEAM_INVALID, "tables", node->line,
                              "a table is a schema object or a name");
    snprintf(name, sizeof name, "schemas/%.*s.json", SEAM_NAME_MAX_BYTES, node->str);
    a = shop_asset_find(name);
    if (a.text == NULL)
        return seam_fault_set(f, SEAM_NOT_FOUND, "tables", node->line,
                              "no shipped schema is called '%s'", node->str);
    return oltp_create_table_json(t, a.text, a.size, &table, f);
}

static enum seam_status create_tables(struct platform *p, const struct seam_json *shop,
                                      struct seam_fault *f)
{
    const struct seam_json *tables = seam_json_get(shop, "tables");
    struct platform_source source = {0};
    struct oltp_txn *t = NULL;
    enum seam_status st = platform_open_source(p, &source, f);

    if (st == SEAM_OK) st = oltp_write_begin(source.db, &t, f);
    for (const struct seam_json *n = tables != NULL ? tables->child : NULL;
         st == SEAM_OK && n != NULL; n = n->next)
        st = create_table(t, n, f);
    if (st == SEAM_OK) {
        st = oltp_commit(t, OLTP_DURABLE, NULL, f);
        t = NULL;
    }
    oltp_end(t);
    if (st == SEAM_OK) st = oltp_checkpoint(source.db, f);
    return platform_close_source(&source, st, f);
}

static enum seam_status make_folders(struct platform *p, struct seam_fault *f)
{
    static const char *const parts[] = {"oltp", "wal", "stream", "sinks"};
    enum seam_status st = seam_io_mkdir(p->io, p->dir, f);

    for (size_t i = 0; st == SEAM_OK && i < SEAM_ARRAY_LEN(parts); i++) {
        char path[SEAM_PATH_MAX_BYTES];

        st = platform_path(p, parts[i], path, f);
        if (st == SEAM_OK) st = seam_io_mkdir(p->io, path, f);
    }
    return st;
}

static enum seam_status check_shop(const char *shop, size_t n, struct seam_arena *a,
                                   struct seam_json **out, struct seam_fault *f)
{
    const struct seam_json *sinks;
    enum seam_status st = seam_json_parse(shop, n, a, "shop", out, f);

    if (st != SEAM_OK) return st;
    sinks = seam_json_get(*out, "sinks");
    if (sinks == NULL || sinks->type != SEAM_J_OBJECT)
        return seam_fault_set(f, SEAM_INVALID, "shop", SEAM_FAULT_NO_OFFSET,
                              "\"sinks\" must be an object");
    return SEAM_OK;
}

/* Only an empty or absent folder may become a platform.                                            */
static enum seam_status check_vacant(struct seam_io *io, const char *dir, bool *existed,
                                     struct seam_fault *f)
{
    struct seam_io_list list = {0};
    enum seam_status st;

    *existed = seam_io_exists(io, dir);
    if (!*existed) return SEAM_OK;
    st = seam_io_list(io, dir, &list, f);
    if (st == SEAM_OK && list.count > 0)
        st = seam_fault_set(f, SEAM_EXISTS, dir, SEAM_FAULT_NO_OFFSET,
                            "the folder is not empty: give a new one (or remove it first)");
    seam_io_list_free(&list);
    return st;
}

enum seam_status platform_create(struct seam_io *io, struct seam_clock *clock, const char *dir,
                                 const struct platform_new *new, struct seam_fault *f)
{
    struct platform p = {.io = io, .clock = clock};
    struct seam_json *parsed = NULL;
    bool existed = false;
    char created[40];
    enum seam_status st;

    if (snprintf(p.dir, sizeof p.dir, "%s", dir) >= (int)sizeof p.dir)
        return seam_fault_set(f, SEAM_LIMIT, dir, SEAM_FAULT_NO_OFFSET, "the path is too long");
    st = check_shop(new->shop, new->n, &p.arena, &parsed, f);
    if (st == SEAM_OK) st = check_vacant(io, dir, &existed, f);
    if (st == SEAM_OK) st = read_checkpoints_config(&p, parsed, f);
    if (st != SEAM_OK) {
        seam_arena_free(&p.arena);
        return st;
    }
    id_from_seed(&p, new->seed);
    read_log_config(&p, parsed);
    st = make_folders(&p, f);
    if (st == SEAM_OK) st = create_tables(&p, parsed, f);
    if (st == SEAM_OK && new->fill != NULL) st = new->fill(&p, f);
    created[seam_time_format(seam_clock_wall_us(clock), created)] = '\0';
    if (st == SEAM_OK) st = write_config(&p, created, new->shop, new->n, f);
    if (st != SEAM_OK && !existed && seam_io_remove_tree(io, dir, NULL) != SEAM_OK)
        seam_fault_set(f, st, dir, SEAM_FAULT_NO_OFFSET,
                       "and the half-made folder could not be removed");
    seam_arena_free(&p.arena);
    return st;
}

enum seam_status platform_write_shop(struct platform *p, const char *shop, size_t n,
                                     struct seam_fault *f)
{
    struct seam_arena a = {0};
    struct seam_json *parsed = NULL;
    enum seam_status st = check_shop(shop, n, &a, &parsed, f);

    if (st == SEAM_OK) st = write_config(p, seam_json_string(p->config, "created", ""), shop, n, f);
    seam_arena_free(&a);
    return st;
}

static enum seam_status read_config(struct platform *p, const char *path, struct seam_fault *f)
{
    struct seam_buf b = {0};
    struct seam_json *parsed = NULL;
    const struct seam_json *format;
    const char *created;
    char check[9] = "";
    int64_t version = 0;
    enum seam_status st = seam_io_read_all(p->io, path, PLATFORM_CONFIG_MAX, &b, f);

    if (st == SEAM_OK)
        st = seam_json_parse((const char *)b.data, b.size, &p->arena, path, &parsed, f);
    seam_buf_free(&b);
    if (st != SEAM_OK) return st;
    p->config = parsed;
    read_log_config(p, seam_json_get(parsed, "shop"));
    format = seam_json_get(parsed, "format");
    if (format == NULL || !seam_json_int(format, &version) || version != PLATFORM_FORMAT)
        return seam_fault_set(f, SEAM_UNSUPPORTED, path, SEAM_FAULT_NO_OFFSET,
                              "a platform of format version %" PRId64
                              "; this program reads version %d: it was made by another seam",
                              version, PLATFORM_FORMAT);
    snprintf(p->id, sizeof p->id, "%s", seam_json_string(parsed, "id", ""));
    if (!take_id(p))
        return seam_fault_set(f, SEAM_CORRUPT, path, SEAM_FAULT_NO_OFFSET,
                              "\"id\" is not 32 hexadecimal digits");
    created = seam_json_string(parsed, "created", "");
    if (strlen(created) < CREATED_MAX) identity_check(p, created, check);
    if (seam_json_get(parsed, "check") != NULL &&
        strcmp(seam_json_string(parsed, "check", ""), check) != 0)
        return seam_fault_set(f, SEAM_CORRUPT, path, SEAM_FAULT_NO_OFFSET,
                              "format, id or created are not what \"check\" says: the file was "
                              "damaged, or changed where it must not be (edit \"shop\" only)");
    return read_checkpoints_config(p, seam_json_get(parsed, "shop"), f);
}

enum seam_status platform_open(struct seam_io *io, struct seam_clock *clock, const char *dir,
                               struct platform *out, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st;

    *out = (struct platform){.io = io, .clock = clock};
    if (snprintf(out->dir, sizeof out->dir, "%s", dir) >= (int)sizeof out->dir)
        return seam_fault_set(f, SEAM_LIMIT, dir, SEAM_FAULT_NO_OFFSET, "the path is too long");
    st = platform_path(out, config_name, path, f);
    if (st == SEAM_OK && !seam_io_exists(io, path))
        st = seam_fault_set(f, SEAM_NOT_FOUND, dir, SEAM_FAULT_NO_OFFSET,
                            "there is no platform here (no %s): make one with 'seam init %s'",
                            config_name, dir);
    if (st == SEAM_OK) st = read_config(out, path, f);
    if (st != SEAM_OK) platform_close(out);
    return st;
}

void platform_close(struct platform *p)
{
    seam_arena_free(&p->arena);
    *p = (struct platform){0};
}

enum seam_status platform_open_source(const struct platform *p, struct platform_source *out,
                                      struct seam_fault *f)
{
    return platform_await_source(p, 0, out, f);
}

enum seam_status platform_await_source(const struct platform *p, uint64_t wait_us,
                                       struct platform_source *out, struct seam_fault *f)
{
    char wal_dir[SEAM_PATH_MAX_BYTES], oltp_dir[SEAM_PATH_MAX_BYTES];
    struct wal_options wo = {.io = p->io,
                             .clock = p->clock,
                             .log_id = p->log_id,
                             .segment_bytes = p->log_segment_bytes,
                             .lock_wait_us = wait_us};
    struct oltp_options oo = {.clock = p->clock, .lock_wait_us = wait_us};
    enum seam_status st;

    *out = (struct platform_source){0};
    st = platform_path(p, "wal", wal_dir, f);
    if (st == SEAM_OK) st = platform_path(p, "oltp", oltp_dir, f);
    if (st == SEAM_OK) st = wal_open(wal_dir, &wo, &out->wal, NULL, f);
    oo.wal = out->wal;
    oo.platform = p->owner;
    oo.retain_checkpoints = p->checkpoints_kept;
    oo.retain_us = p->checkpoints_us;
    if (st == SEAM_OK) st = oltp_open(p->io, oltp_dir, &oo, &out->db, f);
    return st == SEAM_OK ? SEAM_OK : platform_close_source(out, st, f);
}

enum seam_status platform_close_source(struct platform_source *s, enum seam_status st,
                                       struct seam_fault *f)
{
    enum seam_status db = oltp_close(s->db, st == SEAM_OK ? f : NULL);
    enum seam_status wal = wal_close(s->wal, st == SEAM_OK && db == SEAM_OK ? f : NULL);

    *s = (struct platform_source){0};
    return st != SEAM_OK ? st : db != SEAM_OK ? db : wal;
}

enum seam_status platform_open_reader(const struct platform *p, seam_lsn_t as_of, int64_t as_of_us,
                                      struct oltp **out, struct seam_fault *f)
{
    char wal_dir[SEAM_PATH_MAX_BYTES], oltp_dir[SEAM_PATH_MAX_BYTES];
    struct oltp_options oo = {.clock = p->clock,
                              .read_only = true,
                              .wal_dir = wal_dir,
                              .platform = p->owner,
                              .holder = "seam"};
    enum seam_status st = platform_path(p, "wal", wal_dir, f);

    if (as_of != SEAM_LSN_MAX) oo.as_of = as_of != SEAM_LSN_NONE ? as_of : OLTP_AS_OF_ZERO;
    if (as_of_us != INT64_MIN) oo.as_of_us = as_of_us != 0 ? as_of_us : OLTP_AS_OF_EPOCH;
    if (st == SEAM_OK) st = platform_path(p, "oltp", oltp_dir, f);
    return st != SEAM_OK ? st : oltp_open(p->io, oltp_dir, &oo, out, f);
}
