/* verify - every checksum and every invariant of a warehouse folder.
 *
 *   1  the manifest and the journal load; every file they name is there, whole, and as described
 *   2  every chunk's checksum is right and every vector decodes
 *   3  statistics bound what they describe; null counts are exact
 *   4  no row's end is before its begin; ended rows exist
 *   5  a keyed table has at most one live row a key
 *   6  no row begins after the applied LSN                                                         */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "columnar/table/keyindex.h"
#include "columnar/table/reader.h"

enum { FINDINGS_MAX = 100 };

struct columnar_verifying {
    struct seam_buf *report;
    struct columnar_verified *out;
    uint64_t findings;
    struct seam_fault *f;
};

static void finding(struct columnar_verifying *v, const char *fmt, ...) SEAM_PRINTF_LIKE(2, 3);
static void finding(struct columnar_verifying *v, const char *fmt, ...)
{
    char line[512];
    va_list args;

    if (v->findings++ >= FINDINGS_MAX) return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    seam_buf_printf(v->report, "%s\n", line);
}

/* ---- chunks ---- */

static bool inside(const struct columnar_zone *z, const struct columnar_vec *v, uint32_t rows)
{
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t slot = columnar_vec_slot(v, i);
        int64_t x;

        if (columnar_vec_null(v, i)) continue;
        x = v->type == SEAM_V_TEXT     ? columnar_zone_of_text(v->s[slot].s, v->s[slot].len)
            : v->type == SEAM_V_DOUBLE ? columnar_zone_of_double(v->d[slot])
                                       : v->i[slot];
        if (x < z->min || x > z->max) return false;
    }
    return true;
}

/* SEAM_NOMEM is no finding: the file may be whole. */
static enum seam_status check_chunk(struct columnar_verifying *v, struct columnar_colfile *file,
                                    int group, int column, struct columnar_chunk_scratch *scratch)
{
    const struct columnar_colfile_chunk *k = &file->groups[group].chunks[column];
    const struct columnar_chunk *c = NULL;
    struct seam_fault f = {0};
    enum seam_status st = columnar_colfile_chunk(file, group, column, &c, &f);

    v->out->chunks++;
    if (st == SEAM_NOMEM) seam_fault_give(v->f, &f);
    if (st == SEAM_NOMEM) return st;
    if (st != SEAM_OK) {
        finding(v, "%s: byte %" PRIu64 ": %s", file->path, f.at, f.why);
        return SEAM_OK;
    }
    if (c->nulls != k->summary.nulls ||
        (c->nulls < c->rows && (c->min != k->summary.min || c->max != k->summary.max)))
        finding(v, "%s: byte %" PRIu64 ": the footer's statistics differ from the chunk's",
                file->path, k->offset);
    for (uint32_t n = 0; n < c->vectors; n++) {
        uint32_t rows = chunk_vector_rows(c, n);
        uint64_t nulls[COLUMNAR_VECTOR_WORDS];
        struct columnar_chunk_vector cv;
        struct columnar_vec vec;

        st = columnar_chunk_read(c, n, scratch, &vec);
        if (st == SEAM_NOMEM) return seam_no_memory(v->f, "a vector that is verified");
        if (st != SEAM_OK || !columnar_chunk_vector(c, n, &cv) ||
            !columnar_chunk_vector_nulls(&cv, nulls))
            finding(v, "%s: byte %" PRIu64 ": vector %u does not decode", file->path, k->offset, n);
        else if (!inside(&c->zones[n], &vec, rows))
            finding(v, "%s: byte %" PRIu64 ": vector %u holds values outside its statistics",
                    file->path, k->offset, n);
    }
    return SEAM_OK;
}

static enum seam_status check_file(struct columnar_verifying *v, struct columnar_colfile *file)
{
    struct columnar_chunk_scratch *scratch = columnar_chunk_scratch_new();
    enum seam_status st = SEAM_OK;

    if (scratch == NULL) return seam_no_memory(v->f, "what is verified");
    v->out->files++;
    v->out->bytes += file->size;
    v->out->rows += file->rows;
    for (int g = 0; g < file->group_count; g++) {
        v->out->row_groups++;
        for (int c = 0; st == SEAM_OK && c < file->column_count; c++)
            st = check_chunk(v, file, g, c, scratch);
    }
    columnar_chunk_scratch_free(scratch);
    return st;
}

/* ---- rows ---- */

struct row_check {
    struct columnar_verifying *v;
    const struct columnar_table *t;
    seam_lsn_t applied;
    struct columnar_keyindex keys;
    struct seam_value *values;
    struct seam_buf scratch;
    uint64_t twice;
};

static enum seam_status check_rows(void *ctx, const struct columnar_version_batch *b)
{
    struct row_check *r = ctx;
    const struct seam_schema *s = &r->t->schema;

    for (uint32_t i = 0; i < b->rows; i++) {
        struct columnar_key128 key;
        uint64_t file;
        uint32_t row;
        enum seam_status st;

        if (b->begin[i] > r->applied)
            finding(r->v, "%s: row %" PRIu64 " of file %" PRIu64 " begins after the applied LSN",
                    s->name, b->first_row + i, b->tf->id);
        if (b->end[i] < b->begin[i])
            finding(r->v, "%s: row %" PRIu64 " of file %" PRIu64 " ends before it begins", s->name,
                    b->first_row + i, b->tf->id);
        if (s->key_count == 0 || b->end[i] != SEAM_LSN_MAX) continue;
        for (int k = 0; k < s->key_count; k++)
            r->values[s->key[k]] = columnar_vec_value(&b->cols[k], i);
        st = columnar_keyindex_key(s, r->values, &r->scratch, &key, NULL);
        if (st == SEAM_OK) {
            r->twice += columnar_keyindex_find(&r->keys, key, &file, &row);
            st = columnar_keyindex_put(&r->keys, key, b->tf->id, (uint32_t)(b->first_row + i));
        } else {
            finding(r->v, "%s: row %" PRIu64 " of file %" PRIu64 " has no valid key", s->name,
                    b->first_row + i, b->tf->id);
        }
        if (st == SEAM_NOMEM) return st;
    }
    return SEAM_OK;
}

static enum seam_status check_table(struct columnar_verifying *v, const struct columnar_state *s,
                                    const struct columnar_table *t)
{
    struct row_check r = {.v = v, .t = t, .applied = s->applied};
    int columns[SEAM_KEY_COLUMNS_MAX];
    uint64_t before = v->findings;
    enum seam_status st = SEAM_OK;

    v->out->tables++;
    for (size_t i = 0; st == SEAM_OK && i < t->file_count; i++)
        st = check_file(v, t->files[i].file);
    v->out->rows += t->rows.rows;
    if (st != SEAM_OK || v->findings > before)
        return st; /* rows of damaged files cannot be walked */
    r.values = calloc(SEAM_COLUMNS_MAX, sizeof *r.values);
    if (r.values == NULL) return seam_no_memory(v->f, "what is verified");
    for (int k = 0; k < t->schema.key_count; k++) columns[k] = t->schema.key[k];
    st = columnar_table_versions(t, NULL, columns, t->schema.key_count, check_rows, &r, v->f);
    if (r.twice > 0)
        finding(v, "%s: %" PRIu64 " keys have more than one live row", t->schema.name, r.twice);
    columnar_keyindex_free(&r.keys);
    seam_buf_free(&r.scratch);
    free(r.values);
    return st;
}

enum seam_status columnar_verify(struct seam_io *io, const char *dir, struct columnar_verified *out,
                                 struct seam_buf *report, struct seam_fault *f)
{
    struct columnar_verifying v = {.report = report, .out = out, .f = f};
    struct columnar_state s = {0};
    struct seam_fault here = {0};
    enum seam_status st;

    *out = (struct columnar_verified){0};
    st = columnar_state_load(io, dir, false, NULL, &s, &here);
    if (st == SEAM_CORRUPT) {
        char text[800];

        finding(&v, "%s", seam_fault_text(&here, text, sizeof text));
    }
    if (st != SEAM_OK) {
        seam_fault_give(f, &here);
        return st;
    }
    for (size_t i = 0; st == SEAM_OK && i < s.table_count; i++)
        st = check_table(&v, &s, &s.tables[i]);
    columnar_state_free(&s);
    if (st == SEAM_OK && v.findings > 0)
        st = seam_fault_set(f, SEAM_CORRUPT, dir, SEAM_FAULT_NO_OFFSET, "%" PRIu64 " findings",
                            v.findings);
    return st;
}
