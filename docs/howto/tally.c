/* tally - a small sink: how many rows of each table were inserted, updated and deleted. (docs/howto/add-a-sink.md)
 *
 *   DIR/sinks/tally/counts    {"lsn":4416,"tables":{"products":[449,3,1], ...}}     replaced as a whole
 *
 * The counts and the LSN they hold for are one file, written atomically: there is no second place that says how far the
 * sink has read. What was handed over since is only in memory; a crash forgets it, and the stream gives it again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/text/json.h"
#include "pipeline/sinks/sink.h"

enum { TABLES_MAX = 64, FILE_MAX = 1 << 20 };

struct tally_table {
    char name[SEAM_NAME_MAX_BYTES];
    int64_t count[3]; /* inserts, updates, deletes */
};

struct tally { /* struct sink comes first: the runner allocates this by sink_ops.size */
    struct sink sink;
    seam_lsn_t applied;
    struct tally_table tables[TABLES_MAX];
    size_t n;
};

static enum seam_status path_of(const char *dir, char out[SEAM_PATH_MAX_BYTES],
                                struct seam_fault *f)
{
    return seam_path_join(out, dir, "counts", f);
}

static enum seam_status parse(struct tally *t, const struct seam_json *root, const char *path,
                              struct seam_fault *f)
{
    const struct seam_json *tables = seam_json_get(root, "tables");
    int64_t lsn;

    if (!seam_json_int(seam_json_get(root, "lsn"), &lsn) || tables == NULL)
        return seam_fault_set(f, SEAM_CORRUPT, path, SEAM_FAULT_NO_OFFSET,
                              "\"lsn\" or \"tables\" is missing: run 'seam rebuild DIR tally'");
    t->applied = (seam_lsn_t)lsn;
    for (const struct seam_json *n = tables->child; n != NULL; n = n->next, t->n++) {
        const struct seam_json *count = n->child;

        if (t->n == TABLES_MAX || n->key == NULL || strlen(n->key) >= SEAM_NAME_MAX_BYTES)
            return seam_fault_set(f, SEAM_CORRUPT, path, n->line, "no table of a tally");
        memcpy(t->tables[t->n].name, n->key, strlen(n->key) + 1);
        for (int i = 0; i < 3; i++, count = count->next)
            if (count == NULL || !seam_json_int(count, &t->tables[t->n].count[i]))
                return seam_fault_set(f, SEAM_CORRUPT, path, n->line, "three counts are needed");
    }
    return SEAM_OK;
}

/* What was published last; nothing yet is a tally of nothing. Any other failure is passed on as it is. */
static enum seam_status load(struct tally *t, const struct platform *p, const char *dir,
                             struct seam_fault *f)
{
    struct seam_arena arena = {0};
    struct seam_json *root = NULL;
    struct seam_buf text = {0};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = path_of(dir, path, f);

    if (st == SEAM_OK && !seam_io_exists(p->io, path)) return SEAM_OK;
    if (st == SEAM_OK) st = seam_io_read_all(p->io, path, FILE_MAX, &text, f);
    if (st == SEAM_OK)
        st = seam_json_parse((const char *)text.data, text.size, &arena, path, &root, f);
    if (st == SEAM_OK) st = parse(t, root, path, f);
    seam_buf_free(&text);
    seam_arena_free(&arena);
    return st;
}

static enum seam_status tally_open(struct sink *s, struct seam_fault *f)
{
    return load((struct tally *)s, s->platform, s->dir, f);
}

static enum seam_status tally_change(struct sink *s, const struct stream_change *c,
                                     struct seam_fault *f)
{
    struct tally *t = (struct tally *)s;
    size_t i = 0;

    if (c->snapshot || c->swept) return SEAM_OK; /* names what is there: nobody changed it now */
    while (i < t->n && strcmp(t->tables[i].name, c->schema->name) != 0) i++;
    if (i == TABLES_MAX)
        return seam_fault_set(f, SEAM_LIMIT, c->schema->name, c->offset,
                              "a tally has at most %d tables", TABLES_MAX);
    if (i == t->n) {
        t->tables[i] = (struct tally_table){0};
        memcpy(t->tables[i].name, c->schema->name, sizeof t->tables[i].name);
        t->n++;
    }
    t->tables[i].count[c->op - WAL_OP_INSERT]++;
    return SEAM_OK;
}

/* Effect and offset, in one step. */
static enum seam_status tally_publish(struct sink *s, seam_lsn_t applied, int64_t wall_us,
                                      struct seam_fault *f)
{
    struct tally *t = (struct tally *)s;
    struct seam_buf b = {0};
    struct seam_json_writer w;
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = path_of(s->dir, path, f);

    (void)wall_us;
    seam_jw_init(&w, &b);
    seam_jw_object(&w);
    seam_jw_key(&w, "lsn");
    seam_jw_uint(&w, applied);
    seam_jw_key(&w, "tables");
    seam_jw_object(&w);
    for (size_t i = 0; i < t->n; i++) {
        seam_jw_key(&w, t->tables[i].name);
        seam_jw_array(&w);
        for (int k = 0; k < 3; k++) seam_jw_int(&w, t->tables[i].count[k]);
        seam_jw_end_array(&w);
    }
    seam_jw_end_object(&w);
    seam_jw_end_object(&w);
    if (st == SEAM_OK && !seam_buf_ok(&b))
        st = seam_fault_set(f, SEAM_NOMEM, path, SEAM_FAULT_NO_OFFSET, "no memory for the counts");
    if (st == SEAM_OK) st = seam_io_write_atomic(s->platform->io, path, b.data, b.size, f);
    if (st == SEAM_OK) t->applied = applied;
    seam_buf_free(&b);
    return st;
}

static seam_lsn_t tally_applied(const struct sink *s)
{
    return ((const struct tally *)s)->applied;
}

static void tally_close(struct sink *s)
{
    (void)s; /* nothing is held open */
}

static enum seam_status tally_verify(const struct platform *p, const char *dir,
                                     struct seam_buf *summary, struct seam_buf *report,
                                     struct seam_fault *f)
{
    struct tally t = {0};
    enum seam_status st = load(&t, p, dir, f);

    (void)report;
    seam_buf_printf(summary, "%zu tables at LSN %" PRIu64, t.n, t.applied);
    return st;
}

extern const struct sink_ops sink_tally;
const struct sink_ops sink_tally = {
    .name = "tally",
    .open = tally_open,
    .change = tally_change,
    .publish = tally_publish,
    .applied = tally_applied,
    .close = tally_close,
    .size = sizeof(struct tally),
    .verify = tally_verify,
};
