/* driver - a warehouse behind lines on standard input, for the oracles' scripts (differential.mjs, slt.mjs).
 *
 *   open DIR [rows of the journal]     a new warehouse          table JSON        a table's schema
 *   put TABLE LSN N, then N rows       upserts, or appends      del TABLE LSN N   deletes, by key
 *   publish LSN | read | compact       what it says             threads N | memory BYTES    of the questions that follow
 *   q QUESTION                         its answer
 *
 * Rows are values between tabs: \N is null, \t \n \r \\ stand for themselves, times are microseconds. Each answer ends with
 * "!ok ..." or "!error STATUS BYTE why"; a question's begins with "!columns type:scale:name ...". */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/sql/sql.h"

struct driver {
    struct columnar_writer *w;
    struct columnar_reader *r;
    char dir[1024];
    struct columnar_options opt;
    struct columnar_query_options run;
    struct seam_fault f;
    uint64_t rows;
};

static void print_text(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *mark = s[i] == '\t'   ? "\\t"
                           : s[i] == '\n' ? "\\n"
                           : s[i] == '\r' ? "\\r"
                           : s[i] == '\\' ? "\\\\"
                                          : NULL;

        if (mark != NULL)
            fputs(mark, stdout);
        else
            putchar(s[i]);
    }
}

static void print_value(const struct seam_value *v)
{
    char b[40];

    switch ((enum seam_value_type)v->type) {
    case SEAM_V_NULL: fputs("\\N", stdout); break;
    case SEAM_V_BOOL: fputs(v->i ? "true" : "false", stdout); break;
    case SEAM_V_DOUBLE:
        if (isnan(v->d))
            fputs("NaN", stdout);
        else
            printf("%.17g", v->d);
        break;
    case SEAM_V_DECIMAL: fwrite(b, 1, seam_decimal_format(v->i, v->scale, b), stdout); break;
    case SEAM_V_TEXT: print_text(v->s, v->len); break;
    default: printf("%" PRId64, v->i);
    }
}

static enum seam_status print_batch(void *ctx, const struct columnar_batch *b, struct seam_fault *f)
{
    struct driver *d = ctx;

    (void)f;
    for (uint32_t i = 0; i < b->rows; i++, d->rows++) {
        for (int c = 0; c < b->count; c++) {
            struct seam_value v = columnar_vec_value(&b->cols[c], i);

            if (c > 0) putchar('\t');
            print_value(&v);
        }
        putchar('\n');
    }
    return SEAM_OK;
}

static size_t unescape(char *s)
{
    char *out = s, *begin = s;

    for (; *s != '\0'; s++) {
        if (*s == '\\' && s[1] != '\0') {
            s++;
            *out++ = (char)(*s == 't' ? '\t' : *s == 'n' ? '\n' : *s == 'r' ? '\r' : *s);
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
    return (size_t)(out - begin);
}

static enum seam_status cell(const struct seam_column *c, char *s, struct seam_value *v)
{
    if (strcmp(s, "\\N") == 0) {
        *v = seam_v_null();
        return SEAM_OK;
    }
    switch (c->type) {
    case SEAM_V_TEXT: *v = seam_v_text(s, unescape(s)); return SEAM_OK;
    case SEAM_V_TIME: *v = seam_v_time(strtoll(s, NULL, 10)); return SEAM_OK;
    case SEAM_V_DOUBLE: *v = seam_v_double(strtod(s, NULL)); return SEAM_OK;
    default: return seam_value_parse(s, strlen(s), c->type, c->scale, v);
    }
}

static enum seam_status put(struct driver *d, char *args, bool delete)
{
    char name[64], *line = NULL;
    size_t cap = 0;
    unsigned long long lsn, n;
    struct seam_value v[SEAM_COLUMNS_MAX];
    enum seam_status st = SEAM_OK;
    int table;

    if (sscanf(args, "%63s %llu %llu", name, &lsn, &n) != 3) return SEAM_INVALID;
    table = columnar_writer_table(d->w, name);
    for (; n > 0; n--) {
        ssize_t size = getline(&line, &cap, stdin);
        char *s = line;

        if (size <= 0) break;
        line[size - 1] = '\0';
        if (st != SEAM_OK || table < 0) continue;
        for (int c = 0; st == SEAM_OK && c < columnar_writer_schema(d->w, table)->column_count;
             c++) {
            char *end = s + strcspn(s, "\t");
            bool last = *end == '\0';

            *end = '\0';
            st = cell(&columnar_writer_schema(d->w, table)->columns[c], s, &v[c]);
            s = last ? end : end + 1;
        }
        if (st == SEAM_OK)
            st = delete ? columnar_delete(d->w, table, v, lsn, NULL, &d->f)
                        : columnar_append(d->w, table, v, lsn, &d->f);
    }
    free(line);
    return table < 0 ? SEAM_NOT_FOUND : st;
}

static enum seam_status question(struct driver *d, char *text)
{
    const struct columnar_reader *readers[] = {d->r};
    struct columnar_sql_env env = {.readers = readers, .reader_count = 1};
    struct columnar_sql_query q;
    struct seam_arena a = {0};
    size_t n = unescape(text);
    enum seam_status st;

    d->rows = 0;
    st = columnar_sql_prepare(&env, text, n, &a, &q, &d->f);
    if (st == SEAM_OK) {
        fputs("!columns", stdout);
        for (int c = 0; c < q.n_columns; c++)
            printf("\t%s:%d:%s",
                   q.columns[c].type == SEAM_V_NULL ? "null"
                                                    : seam_value_type_name(q.columns[c].type),
                   q.columns[c].scale, q.columns[c].name);
        putchar('\n');
        st = columnar_sql_run(&q, &d->run, print_batch, d, NULL, &d->f);
    }
    seam_arena_free(&a);
    return st;
}

static enum seam_status open_new(struct driver *d, char *args)
{
    unsigned rows = 0;

    columnar_close_reader(d->r);
    columnar_close_writer(d->w);
    d->r = NULL;
    d->w = NULL;
    sscanf(args, "%1023s %u", d->dir, &rows);
    d->opt = (struct columnar_options){.no_sync = true,
                                       .journal_rows_max = rows,
                                       .row_group_rows = 4096,
                                       .history_us = UINT64_C(1) << 60};
    return columnar_open_writer(seam_io_posix(), d->dir, &d->opt, &d->w, &d->f);
}

static enum seam_status define(struct driver *d, const char *json)
{
    struct seam_schema s = {0};
    enum seam_status st = seam_schema_parse(json, strlen(json), &s, &d->f);

    if (st == SEAM_OK) st = columnar_define_table(d->w, &s, NULL, &d->f);
    seam_schema_free(&s);
    return st;
}

static enum seam_status command(struct driver *d, const char *word, char *args)
{
    struct columnar_maintenance done;

    if (strcmp(word, "open") == 0) return open_new(d, args);
    if (strcmp(word, "table") == 0) return define(d, args);
    if (strcmp(word, "put") == 0) return put(d, args, false);
    if (strcmp(word, "del") == 0) return put(d, args, true);
    if (strcmp(word, "publish") == 0)
        return columnar_publish(d->w, strtoull(args, NULL, 10), (int64_t)strtoull(args, NULL, 10),
                                &d->f);
    if (strcmp(word, "compact") == 0) return columnar_compact(d->w, &done, &d->f);
    if (strcmp(word, "read") == 0) {
        if (d->r != NULL) return columnar_refresh(d->r, NULL, &d->f);
        return columnar_open_reader(seam_io_posix(), d->dir, NULL, &d->r, &d->f);
    }
    if (strcmp(word, "threads") == 0) d->run.threads = atoi(args);
    if (strcmp(word, "memory") == 0) d->run.memory_bytes = strtoull(args, NULL, 10);
    if (strcmp(word, "q") == 0) return question(d, args);
    return SEAM_OK;
}

int main(void)
{
    static struct driver d;
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;

    while ((n = getline(&line, &cap, stdin)) > 0) {
        char *args;
        enum seam_status st;

        if (line[n - 1] == '\n') line[n - 1] = '\0';
        args = line + strcspn(line, " ");
        if (*args != '\0') *args++ = '\0';
        d.f = (struct seam_fault){0};
        st = command(&d, line, args);
        if (st == SEAM_OK)
            printf("!ok\t%" PRIu64 "\n", d.rows);
        else
            printf("!error\t%s\t%lld\t%s\n", seam_status_name(st),
                   d.f.at == SEAM_FAULT_NO_OFFSET ? -1 : (long long)d.f.at, d.f.why);
        fflush(stdout);
    }
    columnar_close_reader(d.r);
    columnar_close_writer(d.w);
    free(line);
    return 0;
}
