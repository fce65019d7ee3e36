#include "pipeline/cli/record.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/text/json.h"

enum { RECORD_FILE_MAX = 1 << 16 };

static enum status path_of(const struct platform *p, const char *check, char out[PATH_MAX_BYTES],
                           struct fault *f)
{
    char dir[PATH_MAX_BYTES], name[32];
    enum status st = platform_path(p, "checks", dir, f);

    snprintf(name, sizeof name, "%s.json", check);
    return st == ST_OK ? path_join(out, dir, name, f) : st;
}

static void write_recall(struct json_writer *w, const struct check_record *r)
{
    const struct {
        const char *name;
        double value;
    } parts[] = {{"mean", r->recall_mean},
                 {"low", r->recall_low},
                 {"high", r->recall_high},
                 {"promised", r->promised},
                 {"ef", r->ef}};

    jw_key(w, "recall");
    jw_object(w);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        jw_key(w, parts[i].name);
        jw_double(w, parts[i].value);
    }
    jw_end_object(w);
}

enum status record_write(const struct platform *p, const struct check_record *r, struct fault *f)
{
    char dir[PATH_MAX_BYTES], path[PATH_MAX_BYTES];
    struct buf b = {0};
    struct json_writer w;
    enum status st = platform_path(p, "checks", dir, f);

    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "check");
    jw_str(&w, r->check);
    jw_key(&w, "at");
    jw_str(&w, r->at);
    jw_key(&w, "lsn");
    jw_uint(&w, r->lsn);
    jw_key(&w, "result");
    jw_str(&w, r->result);
    jw_key(&w, "detail");
    jw_str(&w, r->detail);
    if (r->has_recall) write_recall(&w, r);
    jw_end_object(&w);
    buf_str(&b, "\n");
    if (st == ST_OK && !buf_ok(&b))
        st = fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory for the record");
    if (st == ST_OK) st = io_mkdir(p->io, dir, f);
    if (st == ST_OK) st = path_of(p, r->check, path, f);
    if (st == ST_OK) st = io_write_atomic(p->io, path, b.data, b.size, f);
    buf_free(&b);
    return st;
}

static double number(const struct json *v, const char *name)
{
    const struct json *n = json_get(v, name);

    return n != NULL && n->type == J_NUMBER ? n->num : 0;
}

static enum status parse(const struct buf *file, const char *path, struct check_record *out,
                         struct fault *f)
{
    struct arena arena = {0};
    struct json *v = NULL;
    enum status st = json_parse((const char *)file->data, file->size, &arena, path, &v, f);

    if (st == ST_OK && json_get(v, "result") == NULL)
        st = fault_set(f, ST_CORRUPT, path, 0, "no record of a check; delete it and check again");
    if (st == ST_OK) {
        const struct json *recall = json_get(v, "recall");

        *out = (struct check_record){.lsn = (lsn_t)number(v, "lsn"), .has_recall = recall != NULL};
        snprintf(out->check, sizeof out->check, "%s", json_string(v, "check", ""));
        snprintf(out->at, sizeof out->at, "%s", json_string(v, "at", ""));
        snprintf(out->result, sizeof out->result, "%s", json_string(v, "result", ""));
        snprintf(out->detail, sizeof out->detail, "%s", json_string(v, "detail", ""));
        if (recall != NULL) {
            out->recall_mean = number(recall, "mean");
            out->recall_low = number(recall, "low");
            out->recall_high = number(recall, "high");
            out->promised = number(recall, "promised");
            out->ef = (uint32_t)number(recall, "ef");
        }
    }
    arena_free(&arena);
    return st;
}

enum status record_read_all(const struct platform *p, struct check_record out[RECORDS_MAX],
                            size_t *n, struct fault *f)
{
    static const char *const names[RECORDS_MAX] = {"contracts", "freshness", "reconcile", "recall"};
    enum status st = ST_OK;

    *n = 0;
    for (size_t i = 0; st == ST_OK && i < RECORDS_MAX; i++) {
        char path[PATH_MAX_BYTES];
        struct buf file = {0};

        st = path_of(p, names[i], path, f);
        if (st == ST_OK && !io_exists(p->io, path)) continue;
        if (st == ST_OK) st = io_read_all(p->io, path, RECORD_FILE_MAX, &file, f);
        if (st == ST_OK) st = parse(&file, path, &out[*n], f);
        if (st == ST_OK) ++*n;
        buf_free(&file);
    }
    return st;
}
