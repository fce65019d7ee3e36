#include "invidx/schema.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/crc32c.h"

static const uint8_t magic[8] = {'S', 'E', 'A', 'M', 'I', 'N', 'X', '1'};

static bool name_ok(const char *s)
{
    size_t n = s == NULL ? 0 : strlen(s);

    if (n == 0 || n > INVIDX_NAME_MAX) return false;
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

        if (!letter && !(i > 0 && c >= '0' && c <= '9')) return false;
    }
    return true;
}

static bool name_used(const struct invidx_schema *s, size_t fields, size_t attrs, const char *name)
{
    for (size_t i = 0; i < fields; i++)
        if (strcmp(s->fields[i].name, name) == 0) return true;
    for (size_t i = 0; i < attrs; i++)
        if (strcmp(s->attrs[i].name, name) == 0) return true;
    return false;
}

static enum status check_text(const char *s, const char *what, struct fault *f)
{
    if (s != NULL && strlen(s) > SCHEMA_TEXT_MAX)
        return fault_set(f, ST_LIMIT, what, FAULT_NO_OFFSET, "more than %d bytes", SCHEMA_TEXT_MAX);
    return ST_OK;
}

enum status schema_check(const struct invidx_schema *s, struct fault *f)
{
    enum status st;

    if (s->field_count < 1 || s->field_count > INVIDX_FIELDS_MAX ||
        s->attr_count > INVIDX_ATTRS_MAX)
        return fault_set(f, ST_INVALID, "index schema", FAULT_NO_OFFSET,
                         "an index has 1 to %d fields and at most %d attributes", INVIDX_FIELDS_MAX,
                         INVIDX_ATTRS_MAX);
    for (size_t i = 0; i < s->field_count; i++) {
        const struct invidx_field *field = &s->fields[i];

        if (!name_ok(field->name) || name_used(s, i, 0, field->name))
            return fault_set(f, ST_INVALID, "index schema", FAULT_NO_OFFSET,
                             "field %zu needs a name of its own: letters, digits and _", i);
        if (field->weight < 1 || field->weight > INVIDX_WEIGHT_MAX)
            return fault_set(f, ST_INVALID, field->name, FAULT_NO_OFFSET, "a weight is 1 to %d",
                             INVIDX_WEIGHT_MAX);
    }
    for (size_t i = 0; i < s->attr_count; i++) {
        const struct invidx_attr *attr = &s->attrs[i];

        if (!name_ok(attr->name) || name_used(s, s->field_count, i, attr->name))
            return fault_set(f, ST_INVALID, "index schema", FAULT_NO_OFFSET,
                             "attribute %zu needs a name of its own: letters, digits and _", i);
        if (attr->type != INVIDX_KEYWORD && attr->type != INVIDX_INT64)
            return fault_set(f, ST_INVALID, attr->name, FAULT_NO_OFFSET,
                             "unknown attribute type %d", (int)attr->type);
    }
    if ((s->analysis.tokenizer != INVIDX_WORDS && s->analysis.tokenizer != INVIDX_ASCII) ||
        (unsigned)s->analysis.stemmer > INVIDX_STEM_PORTER2)
        return fault_set(f, ST_INVALID, "index schema", FAULT_NO_OFFSET, "unknown analysis chain");
    if (!(s->k1 >= 0 && s->k1 <= 100) || !(s->b >= 0 && s->b <= 1))
        return fault_set(f, ST_INVALID, "index schema", FAULT_NO_OFFSET, "k1 is 0..100 and b 0..1");
    st = check_text(s->analysis.stop_words, "stop words", f);
    return st != ST_OK ? st : check_text(s->analysis.synonyms, "synonyms", f);
}

static void put_text(struct buf *b, const char *s)
{
    buf_lenstr(b, s, s == NULL ? 0 : strlen(s));
}

static void encode(const struct invidx_schema *s, struct buf *b)
{
    uint8_t real[8];

    buf_append(b, magic, sizeof magic);
    buf_u32(b, SCHEMA_VERSION);
    buf_u32(b, (uint32_t)s->field_count);
    for (size_t i = 0; i < s->field_count; i++) {
        put_text(b, s->fields[i].name);
        buf_varint(b, s->fields[i].weight);
    }
    buf_u32(b, (uint32_t)s->attr_count);
    for (size_t i = 0; i < s->attr_count; i++) {
        put_text(b, s->attrs[i].name);
        buf_u8(b, (uint8_t)s->attrs[i].type);
    }
    buf_u8(b, (uint8_t)s->analysis.tokenizer);
    buf_u8(b, (uint8_t)s->analysis.stemmer);
    buf_u8(b, s->analysis.fold_accents);
    buf_u8(b, ANALYSIS_VERSION);
    put_f64(real, s->k1);
    buf_append(b, real, 8);
    put_f64(real, s->b);
    buf_append(b, real, 8);
    put_text(b, s->analysis.stop_words);
    put_text(b, s->analysis.synonyms);
    if (buf_ok(b)) buf_u32(b, crc32c(0, b->data, b->size));
}

enum status schema_save(struct io *io, const char *dir, const struct invidx_schema *s,
                        struct fault *f)
{
    char path[PATH_MAX_BYTES];
    struct buf b = {0};
    enum status st = path_join(path, dir, "schema.inx", f);

    if (st != ST_OK) return st;
    encode(s, &b);
    st = buf_ok(&b) ? io_write_atomic(io, path, b.data, b.size, f)
                    : fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory for the schema");
    buf_free(&b);
    return st;
}

/* Copies a lenstr, terminated, to *at; the box's text has room for the whole file.                    */
static const char *take_text(struct reader *r, char **at)
{
    size_t n = 0;
    const uint8_t *p = read_lenstr(r, SCHEMA_TEXT_MAX, &n);
    char *s = *at;

    if (p == NULL || memchr(p, 0, n) != NULL) {
        r->bad = true;
        return "";
    }
    memcpy(s, p, n);
    s[n] = '\0';
    *at += n + 1;
    return s;
}

static bool decode(const struct buf *b, struct schema_box *box)
{
    struct reader r = reader_of(b->data + 12, b->size - 16);
    struct invidx_schema *s = &box->view;
    const uint8_t *real;
    char *at = box->text;

    s->field_count = read_u32(&r);
    if (r.bad || s->field_count > INVIDX_FIELDS_MAX) return false;
    for (size_t i = 0; i < s->field_count; i++) {
        box->fields[i].name = take_text(&r, &at);
        box->fields[i].weight = (uint32_t)read_varint(&r);
    }
    s->attr_count = read_u32(&r);
    if (r.bad || s->attr_count > INVIDX_ATTRS_MAX) return false;
    for (size_t i = 0; i < s->attr_count; i++) {
        box->attrs[i].name = take_text(&r, &at);
        box->attrs[i].type = (enum invidx_attr_type)read_u8(&r);
    }
    s->fields = box->fields;
    s->attrs = box->attrs;
    s->analysis.tokenizer = (enum invidx_tokenizer)read_u8(&r);
    s->analysis.stemmer = (enum invidx_stemmer)read_u8(&r);
    s->analysis.fold_accents = read_u8(&r) != 0;
    if (read_u8(&r) != ANALYSIS_VERSION) return false;
    real = read_bytes(&r, 16);
    if (real == NULL) return false;
    s->k1 = get_f64(real);
    s->b = get_f64(real + 8);
    s->analysis.stop_words = take_text(&r, &at);
    s->analysis.synonyms = take_text(&r, &at);
    return !r.bad && reader_left(&r) == 0;
}

enum status schema_load(struct io *io, const char *dir, struct schema_box *out, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    struct buf b = {0};
    enum status st = path_join(path, dir, "schema.inx", f);

    memset(out, 0, sizeof *out);
    if (st != ST_OK) return st;
    st = io_read_all(io, path, 3u * SCHEMA_TEXT_MAX, &b, f);
    if (st != ST_OK) goto done;
    if (b.size < 16 || memcmp(b.data, magic, 8) != 0 || get_u32(b.data + 8) != SCHEMA_VERSION ||
        get_u32(b.data + b.size - 4) != crc32c(0, b.data, b.size - 4)) {
        st = fault_set(f, ST_CORRUPT, path, 0, "not a schema of this version, or damaged");
        goto done;
    }
    out->text = malloc(b.size + 64);
    if (out->text == NULL) {
        st = fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory for the schema");
        goto done;
    }
    if (!decode(&b, out) || schema_check(&out->view, NULL) != ST_OK)
        st = fault_set(f, ST_CORRUPT, path, 12,
                       "the schema or its analysis version is not one this program knows");
done:
    buf_free(&b);
    if (st != ST_OK) schema_box_free(out);
    return st;
}

bool schema_same(const struct invidx_schema *a, const struct invidx_schema *b)
{
    struct buf x = {0}, y = {0};
    bool same;

    encode(a, &x);
    encode(b, &y);
    same = buf_equal(&x, &y);
    buf_free(&x);
    buf_free(&y);
    return same;
}

void schema_box_free(struct schema_box *b)
{
    free(b->text);
    memset(b, 0, sizeof *b);
}
