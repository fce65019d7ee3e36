/* vecfile - each file format to rows of floats, bounded by what the file can hold. */
#include "hnsw/vecfile.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/io/source.h"
#include "engine/text/csv.h"
#include "engine/values/value.h"
#include "hnsw/hnsw.h"

enum { WORD_MAX = 1024, LINE_MAX_BYTES = 1 << 20, NPY_HEADER_MAX = 1 << 16 };
#define BYTES_DEFAULT ((uint64_t)8 << 30)

struct input {
    struct seam_source *s;
    const char *path;
    const struct hnsw_vecfile_options *o;
    struct hnsw_vecset *out;
    size_t cap;  /* rows there is room for */
    uint64_t at; /* inflated bytes read, for faults */
    struct seam_fault *f;
};

static bool ends_with(const char *s, size_t n, const char *end)
{
    size_t m = strlen(end);
    assert(end[0] == '.');

    return n >= m && memcmp(s + n - m, end, m) == 0;
}

static enum hnsw_vecfile_kind kind_of_name(const char *path)
{
    static const struct {
        const char *end;
        enum hnsw_vecfile_kind kind;
    } names[] = {
        {".fvecs", HNSW_VECFILE_FVECS}, {".ivecs", HNSW_VECFILE_IVECS},
        {".bvecs", HNSW_VECFILE_BVECS}, {".npy", HNSW_VECFILE_NPY},
        {".csv", HNSW_VECFILE_CSV},     {".tsv", HNSW_VECFILE_CSV},
        {".f16", HNSW_VECFILE_F16},     {".txt", HNSW_VECFILE_TEXT},
        {".vec", HNSW_VECFILE_TEXT},
    };
    size_t n = strlen(path);

    if (ends_with(path, n, ".gz")) n -= 3;
    for (size_t i = 0; i < SEAM_ARRAY_LEN(names); i++)
        if (ends_with(path, n, names[i].end)) return names[i].kind;
    return HNSW_VECFILE_AUTO;
}

/* Exactly n bytes; *end = true (and nothing read) at the end of the file.                           */
static enum seam_status take(struct input *in, void *p, size_t n, bool *end)
{
    size_t done = 0, got = 0;

    *end = false;
    while (done < n) {
        enum seam_status st = seam_source_read(in->s, (uint8_t *)p + done, n - done, &got, in->f);

        if (st != SEAM_OK) return st;
        if (got == 0) break;
        done += got;
    }
    assert(done <= n);
    in->at += done;
    *end = done == 0 && n > 0;
    if (done == 0 || done == n) return SEAM_OK;
    return seam_fault_set(in->f, SEAM_CORRUPT, in->path, in->at,
                          "the file ends in the middle of row %zu", in->out->count);
}

static enum seam_status set_dim(struct input *in, int64_t dim)
{
    struct hnsw_vecset *v = in->out;

    if (dim < 1 || dim > HNSW_DIM_MAX)
        return seam_fault_set(in->f, SEAM_CORRUPT, in->path, in->at,
                              "row %zu has %lld dimensions; from 1 to %d are possible", v->count,
                              (long long)dim, HNSW_DIM_MAX);
    if (in->o->dim != 0 && dim != in->o->dim)
        return seam_fault_set(in->f, SEAM_INVALID, in->path, in->at,
                              "%lld dimensions where %u are wanted", (long long)dim, in->o->dim);
    if (v->dim != 0 && dim != v->dim)
        return seam_fault_set(in->f, SEAM_CORRUPT, in->path, in->at,
                              "row %zu has %lld dimensions, those before %u", v->count,
                              (long long)dim, v->dim);
    assert(dim >= 1 && dim <= HNSW_DIM_MAX);
    v->dim = (uint32_t)dim;
    return SEAM_OK;
}

/* Room for one more row, growing with what was really read: a header's count is never believed.       */
static enum seam_status room(struct input *in, bool ints, bool words)
{
    struct hnsw_vecset *v = in->out;
    uint64_t max = in->o->bytes_max != 0 ? in->o->bytes_max : BYTES_DEFAULT;
    size_t cap = in->cap == 0 ? 1024 : in->cap * 2;
    float *rows;
    assert(v->dim >= 1 && v->dim <= HNSW_DIM_MAX);
    assert(v->count <= in->cap);

    if (v->count < in->cap) return SEAM_OK;
    while (cap > v->count + 1 && (uint64_t)cap * v->dim * 4 > max)
        cap = v->count + (cap - v->count) / 2;
    if ((uint64_t)cap * v->dim * 4 > max)
        return seam_fault_set(in->f, SEAM_LIMIT, in->path, in->at,
                              "row %zu passes the budget of %llu bytes", v->count,
                              (unsigned long long)max);
    rows = realloc(v->rows, cap * v->dim * sizeof *rows);
    if (rows != NULL) v->rows = rows;
    if (rows != NULL && ints) {
        int32_t *i = realloc(v->ints, cap * v->dim * sizeof *i);

        if (i != NULL)
            v->ints = i;
        else
            rows = NULL;
    }
    if (rows != NULL && words) {
        char **w = realloc(v->words, cap * sizeof *w);

        if (w != NULL)
            v->words = w;
        else
            rows = NULL;
    }
    if (rows == NULL)
        return seam_fault_set(in->f, SEAM_NOMEM, in->path, in->at, "no memory for %zu rows", cap);
    assert(cap > v->count);
    in->cap = cap;
    return SEAM_OK;
}

static bool wants_more(const struct input *in)
{
    return in->o->rows_max == 0 || in->out->count < in->o->rows_max;
}

static float half_to_float(uint16_t h)
{
    int exponent = (h >> 10) & 31, mantissa = h & 1023;
    float v = exponent == 0    ? ldexpf((float)mantissa, -24)
              : exponent == 31 ? (mantissa != 0 ? NAN : INFINITY)
                               : ldexpf((float)(mantissa + 1024), exponent - 25);

    return h & 0x8000 ? -v : v;
}

/* The row must be finite.                                                                           */
static enum seam_status accept_row(struct input *in)
{
    struct hnsw_vecset *v = in->out;
    const float *row = v->rows + v->count * v->dim;
    assert(v->count < in->cap);

    for (uint32_t d = 0; d < v->dim; d++)
        if (!isfinite(row[d]))
            return seam_fault_set(in->f, SEAM_INVALID, in->path, in->at,
                                  "row %zu: component %u is %s", v->count, d,
                                  isnan(row[d]) ? "not a number" : "infinite");
    v->count++;
    return SEAM_OK;
}

/* ---- fvecs, ivecs, bvecs, f16, npy: fixed-width elements ---- */
enum element { E_F32, E_I32, E_U8, E_F16, E_F64, E_I8 };
static const uint8_t element_size[] = {4, 4, 1, 2, 8, 1};

static float element_at(const uint8_t *p, enum element e)
{
    switch (e) {
    case E_F32: return seam_get_f32(p);
    case E_I32: return (float)(int32_t)seam_get_u32(p);
    case E_U8: return (float)*p;
    case E_F16: return half_to_float(seam_get_u16(p));
    case E_F64: return (float)seam_get_f64(p);
    case E_I8: return (float)(int8_t)*p;
    }
    return 0;
}

static enum seam_status read_row(struct input *in, enum element e, uint8_t *raw, bool *end)
{
    struct hnsw_vecset *v = in->out;
    enum seam_status st = take(in, raw, (size_t)v->dim * element_size[e], end);
    assert((unsigned)e <= E_I8);
    assert(v->dim >= 1 && v->dim <= HNSW_DIM_MAX);

    if (st == SEAM_OK && !*end) st = room(in, e == E_I32, false);
    if (st != SEAM_OK || *end) return st;
    for (uint32_t d = 0; d < v->dim; d++)
        v->rows[v->count * v->dim + d] = element_at(raw + (size_t)d * element_size[e], e);
    if (e == E_I32) memcpy(v->ints + v->count * v->dim, raw, (size_t)v->dim * 4);
    return accept_row(in);
}

static enum seam_status read_vecs(struct input *in, enum element e)
{
    uint8_t *raw = malloc((size_t)HNSW_DIM_MAX * 8), head[4];
    enum seam_status st = raw == NULL ? seam_no_memory(in->f, "a row") : SEAM_OK;
    bool end = false;
    assert(e == E_F32 || e == E_I32 || e == E_U8);

    while (st == SEAM_OK && wants_more(in)) {
        st = take(in, head, 4, &end);
        if (st != SEAM_OK || end) break;
        st = set_dim(in, (int32_t)seam_get_u32(head));
        if (st == SEAM_OK) st = read_row(in, e, raw, &end);
        if (st == SEAM_OK && end)
            st = seam_fault_set(in->f, SEAM_CORRUPT, in->path, in->at,
                                "the file ends in the middle of row %zu", in->out->count);
    }
    free(raw);
    return st;
}

static enum seam_status read_plain(struct input *in, enum element e, uint64_t rows)
{
    uint8_t *raw = malloc((size_t)HNSW_DIM_MAX * 8);
    enum seam_status st = raw == NULL ? seam_no_memory(in->f, "a row") : SEAM_OK;
    bool end = false;

    while (st == SEAM_OK && !end && wants_more(in) && in->out->count < rows)
        st = read_row(in, e, raw, &end);
    free(raw);
    if (st == SEAM_OK && end && rows != UINT64_MAX)
        st = seam_fault_set(in->f, SEAM_CORRUPT, in->path, in->at,
                            "the file ends after %zu of %llu rows", in->out->count,
                            (unsigned long long)rows);
    return st;
}

static enum seam_status read_f16(struct input *in)
{
    if (in->o->dim == 0)
        return seam_fault_set(in->f, SEAM_INVALID, in->path, SEAM_FAULT_NO_OFFSET,
                              "half floats have no header: say the dimension");
    in->out->dim = in->o->dim;
    return set_dim(in, in->o->dim) == SEAM_OK ? read_plain(in, E_F16, UINT64_MAX) : in->f->status;
}

/* The header is a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (10, 3), }     */
static enum seam_status npy_header(struct input *in, const char *h, enum element *e, uint64_t *rows)
{
    static const struct {
        const char *descr;
        enum element e;
    } types[] = {{"'<f4'", E_F32}, {"'<f2'", E_F16}, {"'<f8'", E_F64},
                 {"'|u1'", E_U8},  {"'|i1'", E_I8},  {"'<i4'", E_I32}};
    const char *descr = strstr(h, "'descr'"), *shape = strstr(h, "'shape'");
    unsigned long long n = 0, dim = 1;
    size_t i = 0;

    if (descr == NULL || shape == NULL || (shape = strchr(shape, '(')) == NULL)
        return seam_fault_set(in->f, SEAM_CORRUPT, in->path, 10,
                              "the npy header names no type or shape");
    if (strstr(h, "'fortran_order': False") == NULL)
        return seam_fault_set(in->f, SEAM_UNSUPPORTED, in->path, 10,
                              "only C order is read; save with order='C'");
    while (i < SEAM_ARRAY_LEN(types) && strstr(h, types[i].descr) == NULL) i++;
    if (i == SEAM_ARRAY_LEN(types))
        return seam_fault_set(in->f, SEAM_UNSUPPORTED, in->path, 10,
                              "only f4, f2, f8, u1, i1 and i4 are read");
    assert(i < SEAM_ARRAY_LEN(types));
    *e = types[i].e;
    {
        char *end;

        n = strtoull(shape + 1, &end, 10);
        if (*end == ',' && end[1] != ')') dim = strtoull(end + 1, &end, 10);
        if (*end == ',') end++;
        if (*end != ')')
            return seam_fault_set(in->f, SEAM_UNSUPPORTED, in->path, 10, "the shape is no matrix");
    }
    *rows = n;
    return set_dim(in, dim > INT32_MAX ? INT32_MAX : (int64_t)dim);
}

static enum seam_status read_npy(struct input *in)
{
    static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    uint8_t head[12];
    char *text = NULL;
    size_t n;
    enum element e = E_F32;
    uint64_t rows = 0;
    bool end;
    enum seam_status st = take(in, head, 10, &end);

    if (st == SEAM_OK && (end || memcmp(head, magic, 6) != 0 || head[6] < 1 || head[6] > 3))
        st = seam_fault_set(in->f, SEAM_CORRUPT, in->path, 0, "this is no npy file");
    if (st == SEAM_OK && head[6] >= 2) st = take(in, head + 10, 2, &end);
    if (st != SEAM_OK) return st;
    n = head[6] >= 2 ? seam_get_u32(head + 8) : seam_get_u16(head + 8);
    if (n > NPY_HEADER_MAX)
        return seam_fault_set(in->f, SEAM_LIMIT, in->path, 8, "a header of %zu bytes", n);
    text = calloc(n + 1, 1);
    if (text == NULL) return seam_no_memory(in->f, "the header");
    st = take(in, text, n, &end);
    if (st == SEAM_OK && end)
        st = seam_fault_set(in->f, SEAM_CORRUPT, in->path, in->at, "the header is missing");
    if (st == SEAM_OK) st = npy_header(in, text, &e, &rows);
    free(text);
    return st == SEAM_OK ? read_plain(in, e, rows) : st;
}

/* ---- text ---- */
static enum seam_status line_fault(struct input *in, uint64_t line, const char *what, const char *s,
                                   size_t n)
{
    return seam_fault_set(in->f, SEAM_CORRUPT, in->path, line, "line %llu: %s: \"%.*s\"",
                          (unsigned long long)line, what, (int)(n < 40 ? n : 40), s);
}

static size_t split(const char *line, size_t n, const char **words, size_t *lengths, size_t max)
{
    size_t count = 0, i = 0;

    while (i < n) {
        size_t from;

        while (i < n && (line[i] == ' ' || line[i] == '\t')) i++;
        from = i;
        while (i < n && line[i] != ' ' && line[i] != '\t') i++;
        if (i == from) break;
        if (count == max) return max + 1;
        assert(i > from && i <= n);
        words[count] = line + from;
        lengths[count++] = i - from;
    }
    return count;
}

/* Numbers from words[first...]. A bad number is reported with its line.                               */
static enum seam_status number_row(struct input *in, uint64_t line, const char *const *words,
                                   const size_t *lengths, size_t count)
{
    struct hnsw_vecset *v = in->out;
    assert(count == v->dim);
    assert(v->count < in->cap);

    for (size_t d = 0; d < count; d++) {
        double x;

        if (seam_double_parse(words[d], lengths[d], &x) != SEAM_OK)
            return line_fault(in, line, "no number", words[d], lengths[d]);
        v->rows[v->count * v->dim + d] = (float)x;
    }
    in->at = line;
    return accept_row(in);
}

static enum seam_status text_line(struct input *in, const char *line, size_t n, const char **words,
                                  size_t *lengths)
{
    struct hnsw_vecset *v = in->out;
    uint64_t number = seam_source_line_number(in->s);
    size_t count = split(line, n, words, lengths, HNSW_DIM_MAX + 1);
    enum seam_status st;
    double x;

    if (count == 0) return SEAM_OK;
    if (number == 1 && count == 2 && seam_double_parse(words[0], lengths[0], &x) == SEAM_OK)
        return SEAM_OK;
    assert(count <= (size_t)HNSW_DIM_MAX + 2);
    in->at = number;
    st = set_dim(in, (int64_t)count - 1);
    if (st == SEAM_OK) st = room(in, false, in->o->keep_words);
    if (st == SEAM_OK && lengths[0] > WORD_MAX)
        st = line_fault(in, number, "the word is too long", words[0], 20);
    if (st == SEAM_OK) st = number_row(in, number, words + 1, lengths + 1, count - 1);
    if (st == SEAM_OK && in->o->keep_words) {
        char *w = malloc(lengths[0] + 1);

        if (w == NULL) {
            v->count--;
            return seam_no_memory(in->f, "a word");
        }
        memcpy(w, words[0], lengths[0]);
        w[lengths[0]] = '\0';
        v->words[v->count - 1] = w;
    }
    return st;
}

static enum seam_status read_text(struct input *in)
{
    const char **words = malloc((HNSW_DIM_MAX + 2) * sizeof *words), *line;
    size_t *lengths = malloc((HNSW_DIM_MAX + 2) * sizeof *lengths), n;
    enum seam_status st =
        words == NULL || lengths == NULL ? seam_no_memory(in->f, "a line") : SEAM_OK;

    while (st == SEAM_OK && wants_more(in)) {
        st = seam_source_line(in->s, LINE_MAX_BYTES, &line, &n, in->f);
        if (st == SEAM_OK) st = text_line(in, line, n, words, lengths);
    }
    free(words);
    free(lengths);
    return st == SEAM_END ? SEAM_OK : st;
}

/* A first line that is no row of numbers is a header.                                                */
static enum seam_status csv_row(struct input *in, const struct seam_csv_field *fields, size_t count,
                                uint64_t line)
{
    struct hnsw_vecset *v = in->out;
    enum seam_status st;

    for (size_t d = 0; d < count; d++) {
        double x;

        if (seam_double_parse(fields[d].data, fields[d].size, &x) == SEAM_OK) continue;
        if (v->count == 0 && v->dim == 0) return SEAM_OK;
        return line_fault(in, line, "no number", fields[d].data, fields[d].size);
    }
    in->at = line;
    st = set_dim(in, (int64_t)count);
    if (st == SEAM_OK) st = room(in, false, false);
    assert(st != SEAM_OK || v->count < in->cap);
    for (size_t d = 0; st == SEAM_OK && d < count; d++) {
        double x = 0;

        (void)seam_double_parse(fields[d].data, fields[d].size, &x);
        v->rows[v->count * v->dim + d] = (float)x;
    }
    return st == SEAM_OK ? accept_row(in) : st;
}

static enum seam_status read_csv(struct input *in)
{
    size_t n = strlen(in->path);
    bool tab = ends_with(in->path, n, ".tsv") || ends_with(in->path, n, ".tsv.gz");
    struct seam_csv_options o = {.separator = tab ? '\t' : ',', .quotes = !tab};
    struct seam_csv *c = NULL;
    const struct seam_csv_field *fields;
    size_t count;
    enum seam_status st = seam_csv_open(in->s, o, &c);

    while (st == SEAM_OK && wants_more(in)) {
        st = seam_csv_next(c, &fields, &count, in->f);
        if (st == SEAM_OK) st = csv_row(in, fields, count, seam_csv_line(c));
    }
    seam_csv_close(c);
    return st == SEAM_END ? SEAM_OK : st;
}

/* ---- all of them ---- */
void hnsw_vecset_free(struct hnsw_vecset *v)
{
    assert(v->count == 0 || v->rows != NULL);
    for (size_t i = 0; v->words != NULL && i < v->count; i++) free(v->words[i]);
    free(v->words);
    free(v->rows);
    free(v->ints);
    *v = (struct hnsw_vecset){0};
}

enum seam_status hnsw_vecfile_read(struct seam_io *io, const char *path,
                                   const struct hnsw_vecfile_options *o, struct hnsw_vecset *out,
                                   struct seam_fault *f)
{
    static const struct hnsw_vecfile_options defaults = {0};
    struct seam_fault own = {0};
    struct input in = {
        .path = path, .o = o != NULL ? o : &defaults, .out = out, .f = f != NULL ? f : &own};
    enum hnsw_vecfile_kind kind = in.o->kind != HNSW_VECFILE_AUTO ? in.o->kind : kind_of_name(path);
    enum seam_status st;
    assert(out != NULL);
    assert(path != NULL);

    *out = (struct hnsw_vecset){0};
    if (kind == HNSW_VECFILE_AUTO)
        return seam_fault_set(
            f, SEAM_INVALID, path, SEAM_FAULT_NO_OFFSET,
            "the name tells no format; say fvecs, ivecs, bvecs, npy, text, csv or f16");
    st = seam_source_open(io, path, &in.s, in.f);
    if (st != SEAM_OK) return st;
    switch (kind) {
    case HNSW_VECFILE_FVECS: st = read_vecs(&in, E_F32); break;
    case HNSW_VECFILE_IVECS: st = read_vecs(&in, E_I32); break;
    case HNSW_VECFILE_BVECS: st = read_vecs(&in, E_U8); break;
    case HNSW_VECFILE_NPY: st = read_npy(&in); break;
    case HNSW_VECFILE_TEXT: st = read_text(&in); break;
    case HNSW_VECFILE_CSV: st = read_csv(&in); break;
    case HNSW_VECFILE_F16: st = read_f16(&in); break;
    case HNSW_VECFILE_AUTO: break;
    }
    seam_source_close(in.s);
    if (st == SEAM_OK && out->count == 0)
        st = seam_fault_set(f, SEAM_INVALID, path, SEAM_FAULT_NO_OFFSET,
                            "the file holds no vectors");
    if (st != SEAM_OK) hnsw_vecset_free(out);
    return st;
}

enum seam_status hnsw_vecfile_write(struct seam_io *io, const char *path,
                                    enum hnsw_vecfile_kind kind, const float *rows, size_t count,
                                    uint32_t dim, struct seam_fault *f)
{
    struct seam_buf b = {0};
    enum seam_status st;
    assert(rows != NULL || count == 0);

    if (kind != HNSW_VECFILE_FVECS && kind != HNSW_VECFILE_BVECS && kind != HNSW_VECFILE_IVECS)
        return seam_fault_set(f, SEAM_UNSUPPORTED, path, SEAM_FAULT_NO_OFFSET,
                              "only fvecs, bvecs and ivecs are written");
    for (size_t i = 0; i < count; i++) {
        seam_buf_u32(&b, dim);
        for (uint32_t d = 0; d < dim; d++) {
            float v = rows[i * dim + d];

            if (kind == HNSW_VECFILE_FVECS)
                seam_buf_append(&b, &v, 4);
            else if (kind == HNSW_VECFILE_IVECS)
                seam_buf_u32(&b, (uint32_t)(int32_t)lrintf(v));
            else
                seam_buf_u8(&b, (uint8_t)lrintf(v));
        }
    }
    st = seam_buf_ok(&b) ? seam_io_write_atomic(io, path, b.data, b.size, f)
                         : seam_fault_set(f, SEAM_NOMEM, path, SEAM_FAULT_NO_OFFSET,
                                          "no memory to write %zu rows", count);
    seam_buf_free(&b);
    return st;
}
