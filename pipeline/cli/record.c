/* record - what the last checks found, kept beside the platform for the status page. */
#include "pipeline/cli/record.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/text/json.h"

enum { RECORD_FILE_MAX = 1 << 16 };

static enum seam_status path_of(const struct platform *p, const char *check,
                                char out[SEAM_PATH_MAX_BYTES], struct seam_fault *f)
{
    char dir[SEAM_PATH_MAX_BYTES], name[32];
    enum seam_status st = platform_path(p, "checks", dir, f);

    snprintf(name, sizeof name, "%s.json", check);
    return st == SEAM_OK ? seam_path_join(out, dir, name, f) : st;
}

static void write_recall(struct seam_json_writer *w, const struct cli_check_record *r)
{
    const struct {
        const char *name;
        double value;
    } parts[] = {{"mean", r->recall_mean},
                 {"low", r->recall_low},
                 {"high", r->recall_high},
                 {"promised", r->promised},
                 {"ef", r->ef}};

    seam_jw_key(w, "recall");
    seam_jw_object(w);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(parts); i++) {
        seam_jw_key(w, parts[i].name);
        seam_jw_double(w, parts[i].value);
    }
    seam_jw_end_object(w);
}

enum seam_status record_write(const struct platform *p, const struct cli_check_record *r,
                              struct seam_fault *f)
{
    char dir[SEAM_PATH_MAX_BYTES], path[SEAM_PATH_MAX_BYTES];
    struct seam_buf b = {0};
    struct seam_json_writer w;
    enum seam_status st = platform_path(p, "checks", dir, f);

    seam_jw_init(&w, &b);
    seam_jw_object(&w);
    seam_jw_key(&w, "check");
    seam_jw_str(&w, r->check);
    seam_jw_key(&w, "at");
    seam_jw_str(&w, r->at);
    seam_jw_key(&w, "lsn");
    seam_jw_uint(&w, r->lsn);
    seam_jw_key(&w, "result");
    seam_jw_str(&w, r->result);
    seam_jw_key(&w, "detail");
    seam_jw_str(&w, r->detail);
    if (r->has_recall) write_recall(&w, r);
    seam_jw_end_object(&w);
    seam_buf_str(&b, "\n");
    if (st == SEAM_OK && !seam_buf_ok(&b))
        st = seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory for the record");
    if (st == SEAM_OK) st = seam_io_mkdir(p->io, dir, f);
    if (st == SEAM_OK) st = path_of(p, r->check, path, f);
    if (st == SEAM_OK) st = seam_io_write_atomic(p->io, path, b.data, b.size, f);
    seam_buf_free(&b);
    return st;
}

static double number(const struct seam_json *v, const char *name)
{
    const struct seam_json *n = seam_json_get(v, name);

    return n != NULL && n->type == SEAM_J_NUMBER ? n->num : 0;
}

static enum seam_status parse(const struct seam_buf *file, const char *path,
                              struct cli_check_record *out, struct seam_fault *f)
{
    struct seam_arena arena = {0};
    struct seam_json *v = NULL;
    enum seam_status st =
        seam_json_parse((const char *)file->data, file->size, &arena, path, &v, f);

    if (st == SEAM_OK && seam_json_get(v, "result") == NULL)
        st = seam_fault_set(f, SEAM_CORRUPT, path, 0,
                            "no record of a check; delete it and check again");
    if (st == SEAM_OK) {
        const struct seam_json *recall = seam_json_get(v, "recall");

        *out = (struct cli_check_record){.lsn = (seam_lsn_t)number(v, "lsn"),
                                         .has_recall = recall != NULL};
        snprintf(out->check, sizeof out->check, "%s", seam_json_string(v, "check", ""));
        snprintf(out->at, sizeof out->at, "%s", seam_json_string(v, "at", ""));
        snprintf(out->result, sizeof out->result, "%s", seam_json_string(v, "result", ""));
        snprintf(out->detail, sizeof out->detail, "%s", seam_json_string(v, "detail", ""));
        if (recall != NULL) {
            out->recall_mean = number(recall, "mean");
            out->recall_low = number(recall, "low");
            out->recall_high = number(recall, "high");
            out->promised = number(recall, "promised");
            out->ef = (uint32_t)number(recall, "ef");
        }
    }
    seam_arena_free(&arena);
    return st;
}

enum seam_status record_read_all(const struct platform *p, struct cli_check_record out[RECORDS_MAX],
                                 size_t *n, struct seam_fault *f)
{
    static const char *const names[RECORDS_MAX] = {"contracts", "freshness", "reconcile", "recall"};
    enum seam_status st = SEAM_OK;

    *n = 0;
    for (size_t i = 0; st == SEAM_OK && i < RECORDS_MAX; i++) {
        char path[SEAM_PATH_MAX_BYTES];
        struct seam_buf file = {0};

        st = path_of(p, names[i], path, f);
        if (st == SEAM_OK && !seam_io_exists(p->io, path)) continue;
        if (st == SEAM_OK) st = seam_io_read_all(p->io, path, RECORD_FILE_MAX, &file, f);
        if (st == SEAM_OK) st = parse(&file, path, &out[*n], f);
        if (st == SEAM_OK) ++*n;
        seam_buf_free(&file);
    }
    return st;
}
