#include "hnsw/vecfile.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/text/csv.h"
#include "engine/io/source.h"
#include "engine/values/value.h"
#include "hnsw/hnsw.h"

enum { WORD_MAX = 1024, LINE_MAX_BYTES = 1 << 20, NPY_HEADER_MAX = 1 << 16 };
#define BYTES_DEFAULT ((uint64_t)8 << 30)

struct input {
    struct source *s;
    const char *path;
    const struct vecfile_options *o;
    struct vecset *out;
    size_t cap;               /* rows there is room for */
    uint64_t at;              /* inflated bytes read, for faults */
    struct fault *f;
};

static bool ends_with(const char *s, size_t n, const char *end)
{
    size_t m = strlen(end);

    return n >= m && memcmp(s + n - m, end, m) == 0;
}

static enum vecfile_kind kind_of_name(const char *path)
{
    static const struct { const char *end; enum vecfile_kind kind; } names[] = {
        {".fvecs", VECFILE_FVECS}, {".ivecs", VECFILE_IVECS}, {".bvecs", VECFILE_BVECS},
        {".npy", VECFILE_NPY},     {".csv", VECFILE_CSV},     {".tsv", VECFILE_CSV},
        {".f16", VECFILE_F16},     {".txt", VECFILE_TEXT},    {".vec", VECFILE_TEXT},
    };
    size_t n = strlen(path);

    if (ends_with(path, n, ".gz")) n -= 3;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (ends_with(path, n, names[i].end)) return names[i].kind;
    return VECFILE_AUTO;
}

/* Exactly n bytes; *end = true (and nothing read) at the end of the file.                           */
static enum status take(struct input *in, void *p, size_t n, bool *end)
{
    size_t done = 0, got = 0;

    *end = false;
    while (done < n) {
        enum status st = source_read(in->s, (uint8_t *)p + done, n - done, &got, in->f);

        if (st != ST_OK) return st;
        if (got == 0) break;
        done += got;
    }
    in->at += done;
    *end = done == 0 && n > 0;
    if (done == 0 || done == n) return ST_OK;
    return fault_set(in->f, ST_CORRUPT, in->path, in->at, "the file ends in the middle of row %zu",
                     in->out->count);
}

static enum status set_dim(struct input *in, int64_t dim)
{
    struct vecset *v = in->out;

    if (dim < 1 || dim > HNSW_DIM_MAX)
        return fault_set(in->f, ST_CORRUPT, in->path, in->at,
                         "row %zu has %lld dimensions; from 1 to %d are possible", v->count, (long long)dim,
                         HNSW_DIM_MAX);
    if (in->o->dim != 0 && dim != in->o->dim)
        return fault_set(in->f, ST_INVALID, in->path, in->at, "%lld dimensions where %u are wanted",
                         (long long)dim, in->o->dim);
    if (v->dim != 0 && dim != v->dim)
        return fault_set(in->f, ST_CORRUPT, in->path, in->at, "row %zu has %lld dimensions, those before %u",
                         v->count, (long long)dim, v->dim);
    v->dim = (uint32_t)dim;
    return ST_OK;
}

/* Room for one more row, growing with what was really read: a header's count is never believed.       */
static enum status room(struct input *in, bool ints, bool words)
{
    struct vecset *v = in->out;
    uint64_t max = in->o->bytes_max != 0 ? in->o->bytes_max : BYTES_DEFAULT;
    size_t cap = in->cap == 0 ? 1024 : in->cap * 2;
    float *rows;

    if (v->count < in->cap) return ST_OK;
    while (cap > v->count + 1 && (uint64_t)cap * v->dim * 4 > max) cap = v->count + (cap - v->count) / 2;
    if ((uint64_t)cap * v->dim * 4 > max)
        return fault_set(in->f, ST_LIMIT, in->path, in->at, "row %zu passes the budget of %llu bytes",
                         v->count, (unsigned long long)max);
    rows = realloc(v->rows, cap * v->dim * sizeof *rows);
    if (rows != NULL) v->rows = rows;
    if (rows != NULL && ints) {
        int32_t *i = realloc(v->ints, cap * v->dim * sizeof *i);

        if (i != NULL) v->ints = i;
        else rows = NULL;
    }
    if (rows != NULL && words) {
        char **w = realloc(v->words, cap * sizeof *w);

        if (w != NULL) v->words = w;
        else rows = NULL;
    }
    if (rows == NULL) return fault_set(in->f, ST_NOMEM, in->path, in->at, "no memory for %zu rows", cap);
    in->cap = cap;
    return ST_OK;
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
static enum status accept_row(struct input *in)
{
    struct vecset *v = in->out;
    const float *row = v->rows + v->count * v->dim;

    for (uint32_t d = 0; d < v->dim; d++)
        if (!isfinite(row[d]))
            return fault_set(in->f, ST_INVALID, in->path, in->at, "row %zu: component %u is %s", v->count, d,
                             isnan(row[d]) ? "not a number" : "infinite");
    v->count++;
    return ST_OK;
}

/* ---- fvecs, ivecs, bvecs, f16, npy: fixed-width elements ---- */
enum element { E_F32, E_I32, E_U8, E_F16, E_F64, E_I8 };
static const uint8_t element_size[] = {4, 4, 1, 2, 8, 1};

static float element_at(const uint8_t *p, enum element e)
{
    switch (e) {
    case E_F32: return get_f32(p);
    case E_I32: return (float)(int32_t)get_u32(p);
    case E_U8: return (float)*p;
    case E_F16: return half_to_float(get_u16(p));
    case E_F64: return (float)get_f64(p);
    case E_I8: return (float)(int8_t)*p;
    }
    return 0;
}

static enum status read_row(struct input *in, enum element e, uint8_t *raw, bool *end)
{
    struct vecset *v = in->out;
    enum status st = take(in, raw, (size_t)v->dim * element_size[e], end);

    if (st == ST_OK && !*end) st = room(in, e == E_I32, false);
    if (st != ST_OK || *end) return st;
    for (uint32_t d = 0; d < v->dim; d++)
        v->rows[v->count * v->dim + d] = element_at(raw + (size_t)d * element_size[e], e);
    if (e == E_I32) memcpy(v->ints + v->count * v->dim, raw, (size_t)v->dim * 4);
    return accept_row(in);
}

static enum status read_vecs(struct input *in, enum element e)
{
    uint8_t *raw = malloc((size_t)HNSW_DIM_MAX * 8), head[4];
    enum status st = raw == NULL ? fault_set(in->f, ST_NOMEM, in->path, 0, "no memory for a row") : ST_OK;
    bool end = false;

    while (st == ST_OK && wants_more(in)) {
        st = take(in, head, 4, &end);
        if (st != ST_OK || end) break;
        st = set_dim(in, (int32_t)get_u32(head));
        if (st == ST_OK) st = read_row(in, e, raw, &end);
        if (st == ST_OK && end)
            st = fault_set(in->f, ST_CORRUPT, in->path, in->at, "the file ends in the middle of row %zu",
                           in->out->count);
    }
    free(raw);
    return st;
}

static enum status read_plain(struct input *in, enum element e, uint64_t rows)
{
    uint8_t *raw = malloc((size_t)HNSW_DIM_MAX * 8);
    enum status st = raw == NULL ? fault_set(in->f, ST_NOMEM, in->path, 0, "no memory for a row") : ST_OK;
    bool end = false;

    while (st == ST_OK && !end && wants_more(in) && in->out->count < rows) st = read_row(in, e, raw, &end);
    free(raw);
    if (st == ST_OK && end && rows != UINT64_MAX)
        st = fault_set(in->f, ST_CORRUPT, in->path, in->at, "the file ends after %zu of %llu rows",
                       in->out->count, (unsigned long long)rows);
    return st;
}

static enum status read_f16(struct input *in)
{
    if (in->o->dim == 0)
        return fault_set(in->f, ST_INVALID, in->path, FAULT_NO_OFFSET,
                         "half floats have no header: say the dimension");
    in->out->dim = in->o->dim;
    return set_dim(in, in->o->dim) == ST_OK ? read_plain(in, E_F16, UINT64_MAX) : in->f->status;
}

/* The header is a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (10, 3), }     */
static enum status npy_header(struct input *in, const char *h, enum element *e, uint64_t *rows)
{
    static const struct { const char *descr; enum element e; } types[] = {
        {"'<f4'", E_F32}, {"'<f2'", E_F16}, {"'<f8'", E_F64}, {"'|u1'", E_U8}, {"'|i1'", E_I8}, {"'<i4'", E_I32}};
    const char *descr = strstr(h, "'descr'"), *shape = strstr(h, "'shape'");
    unsigned long long n = 0, dim = 1;
    size_t i = 0;

    if (descr == NULL || shape == NULL || (shape = strchr(shape, '(')) == NULL)
        return fault_set(in->f, ST_CORRUPT, in->path, 10, "the npy header names no type or shape");
    if (strstr(h, "'fortran_order': False") == NULL)
        return fault_set(in->f, ST_UNSUPPORTED, in->path, 10, "only C order is read; save with order='C'");
    while (i < ARRAY_LEN(types) && strstr(h, types[i].descr) == NULL) i++;
    if (i == ARRAY_LEN(types))
        return fault_set(in->f, ST_UNSUPPORTED, in->path, 10, "only f4, f2, f8, u1, i1 and i4 are read");
    *e = types[i].e;
    {
        char *end;

        n = strtoull(shape + 1, &end, 10);
        if (*end == ',' && end[1] != ')') dim = strtoull(end + 1, &end, 10);
        if (*end == ',' ) end++;
        if (*end != ')') return fault_set(in->f, ST_UNSUPPORTED, in->path, 10, "the shape is no matrix");
    }
    *rows = n;
    return set_dim(in, dim > INT32_MAX ? INT32_MAX : (int64_t)dim);
}

static enum status read_npy(struct input *in)
{
    static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    uint8_t head[12];
    char *text = NULL;
    size_t n;
    enum element e = E_F32;
    uint64_t rows = 0;
    bool end;
    enum status st = take(in, head, 10, &end);

    if (st == ST_OK && (end || memcmp(head, magic, 6) != 0 || head[6] < 1 || head[6] > 3))
        st = fault_set(in->f, ST_CORRUPT, in->path, 0, "this is no npy file");
    if (st == ST_OK && head[6] >= 2) st = take(in, head + 10, 2, &end);
    if (st != ST_OK) return st;
    n = head[6] >= 2 ? get_u32(head + 8) : get_u16(head + 8);
    if (n > NPY_HEADER_MAX) return fault_set(in->f, ST_LIMIT, in->path, 8, "a header of %zu bytes", n);
    text = calloc(n + 1, 1);
    if (text == NULL) return fault_set(in->f, ST_NOMEM, in->path, 8, "no memory for the header");
    st = take(in, text, n, &end);
    if (st == ST_OK && end) st = fault_set(in->f, ST_CORRUPT, in->path, in->at, "the header is missing");
    if (st == ST_OK) st = npy_header(in, text, &e, &rows);
    free(text);
    return st == ST_OK ? read_plain(in, e, rows) : st;
}

/* ---- text ---- */
static enum status line_fault(struct input *in, uint64_t line, const char *what, const char *s, size_t n)
{
    return fault_set(in->f, ST_CORRUPT, in->path, line, "line %llu: %s: \"%.*s\"", (unsigned long long)line,
                     what, (int)(n < 40 ? n : 40), s);
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
        words[count] = line + from;
        lengths[count++] = i - from;
    }
    return count;
}

/* Numbers from words[first...]. A bad number is reported with its line.                               */
static enum status number_row(struct input *in, uint64_t line, const char *const *words,
                              const size_t *lengths, size_t count)
{
    struct vecset *v = in->out;

    for (size_t d = 0; d < count; d++) {
        double x;

        if (double_parse(words[d], lengths[d], &x) != ST_OK)
            return line_fault(in, line, "no number", words[d], lengths[d]);
        v->rows[v->count * v->dim + d] = (float)x;
    }
    in->at = line;
    return accept_row(in);
}

static enum status text_line(struct input *in, const char *line, size_t n, const char **words,
                             size_t *lengths)
{
    struct vecset *v = in->out;
    uint64_t number = source_line_number(in->s);
    size_t count = split(line, n, words, lengths, HNSW_DIM_MAX + 1);
    enum status st;
    double x;

    if (count == 0) return ST_OK;
    if (number == 1 && count == 2 && double_parse(words[0], lengths[0], &x) == ST_OK) return ST_OK;
    in->at = number;
    st = set_dim(in, (int64_t)count - 1);
    if (st == ST_OK) st = room(in, false, in->o->keep_words);
    if (st == ST_OK && lengths[0] > WORD_MAX) st = line_fault(in, number, "the word is too long", words[0], 20);
    if (st == ST_OK) st = number_row(in, number, words + 1, lengths + 1, count - 1);
    if (st == ST_OK && in->o->keep_words) {
        char *w = malloc(lengths[0] + 1);

        if (w == NULL) {
            v->count--;
            return fault_set(in->f, ST_NOMEM, in->path, number, "no memory for a word");
        }
        memcpy(w, words[0], lengths[0]);
        w[lengths[0]] = '\0';
        v->words[v->count - 1] = w;
    }
    return st;
}

static enum status read_text(struct input *in)
{
    const char **words = malloc((HNSW_DIM_MAX + 2) * sizeof *words), *line;
    size_t *lengths = malloc((HNSW_DIM_MAX + 2) * sizeof *lengths), n;
    enum status st = words == NULL || lengths == NULL
                         ? fault_set(in->f, ST_NOMEM, in->path, 0, "no memory for a line")
                         : ST_OK;

    while (st == ST_OK && wants_more(in)) {
        st = source_line(in->s, LINE_MAX_BYTES, &line, &n, in->f);
        if (st == ST_OK) st = text_line(in, line, n, words, lengths);
    }
    free(words);
    free(lengths);
    return st == ST_END ? ST_OK : st;
}

/* A first line that is no row of numbers is a header.                                                */
static enum status csv_row(struct input *in, const struct csv_field *fields, size_t count, uint64_t line)
{
    struct vecset *v = in->out;
    enum status st;

    for (size_t d = 0; d < count; d++) {
        double x;

        if (double_parse(fields[d].data, fields[d].size, &x) == ST_OK) continue;
        if (v->count == 0 && v->dim == 0) return ST_OK;
        return line_fault(in, line, "no number", fields[d].data, fields[d].size);
    }
    in->at = line;
    st = set_dim(in, (int64_t)count);
    if (st == ST_OK) st = room(in, false, false);
    for (size_t d = 0; st == ST_OK && d < count; d++) {
        double x = 0;

        (void)double_parse(fields[d].data, fields[d].size, &x);
        v->rows[v->count * v->dim + d] = (float)x;
    }
    return st == ST_OK ? accept_row(in) : st;
}

static enum status read_csv(struct input *in)
{
    size_t n = strlen(in->path);
    bool tab = ends_with(in->path, n, ".tsv") || ends_with(in->path, n, ".tsv.gz");
    struct csv_options o = {.separator = tab ? '\t' : ',', .quotes = !tab};
    struct csv *c = NULL;
    const struct csv_field *fields;
    size_t count;
    enum status st = csv_open(in->s, o, &c);

    while (st == ST_OK && wants_more(in)) {
        st = csv_next(c, &fields, &count, in->f);
        if (st == ST_OK) st = csv_row(in, fields, count, csv_line(c));
    }
    csv_close(c);
    return st == ST_END ? ST_OK : st;
}

/* ---- all of them ---- */
void vecset_free(struct vecset *v)
{
    for (size_t i = 0; v->words != NULL && i < v->count; i++) free(v->words[i]);
    free(v->words);
    free(v->rows);
    free(v->ints);
    *v = (struct vecset){0};
}

enum status vecfile_read(struct io *io, const char *path, const struct vecfile_options *o,
                         struct vecset *out, struct fault *f)
{
    static const struct vecfile_options defaults = {0};
    struct fault own = {0};
    struct input in = {.path = path, .o = o != NULL ? o : &defaults, .out = out, .f = f != NULL ? f : &own};
    enum vecfile_kind kind = in.o->kind != VECFILE_AUTO ? in.o->kind : kind_of_name(path);
    enum status st;

    *out = (struct vecset){0};
    if (kind == VECFILE_AUTO)
        return fault_set(f, ST_INVALID, path, FAULT_NO_OFFSET,
                         "the name tells no format; say fvecs, ivecs, bvecs, npy, text, csv or f16");
    st = source_open(io, path, &in.s, in.f);
    if (st != ST_OK) return st;
    switch (kind) {
    case VECFILE_FVECS: st = read_vecs(&in, E_F32); break;
    case VECFILE_IVECS: st = read_vecs(&in, E_I32); break;
    case VECFILE_BVECS: st = read_vecs(&in, E_U8); break;
    case VECFILE_NPY: st = read_npy(&in); break;
    case VECFILE_TEXT: st = read_text(&in); break;
    case VECFILE_CSV: st = read_csv(&in); break;
    case VECFILE_F16: st = read_f16(&in); break;
    case VECFILE_AUTO: break;
    }
    source_close(in.s);
    if (st == ST_OK && out->count == 0)
        st = fault_set(f, ST_INVALID, path, FAULT_NO_OFFSET, "the file holds no vectors");
    if (st != ST_OK) vecset_free(out);
    return st;
}

enum status vecfile_write(struct io *io, const char *path, enum vecfile_kind kind, const float *rows,
                          size_t count, uint32_t dim, struct fault *f)
{
    struct buf b = {0};
    enum status st;

    if (kind != VECFILE_FVECS && kind != VECFILE_BVECS && kind != VECFILE_IVECS)
        return fault_set(f, ST_UNSUPPORTED, path, FAULT_NO_OFFSET, "only fvecs, bvecs and ivecs are written");
    for (size_t i = 0; i < count; i++) {
        buf_u32(&b, dim);
        for (uint32_t d = 0; d < dim; d++) {
            float v = rows[i * dim + d];

            if (kind == VECFILE_FVECS) buf_append(&b, &v, 4);
            else if (kind == VECFILE_IVECS) buf_u32(&b, (uint32_t)(int32_t)lrintf(v));
            else buf_u8(&b, (uint8_t)lrintf(v));
        }
    }
    st = buf_ok(&b) ? io_write_atomic(io, path, b.data, b.size, f)
                    : fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory to write %zu rows", count);
    buf_free(&b);
    return st;
}
