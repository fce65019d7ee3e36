/* schema - the index's own definition to its file and back, and what makes two the same. */
#include "invidx/schema.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/crc32c.h"

static const struct seam_filehead_format format = {
    .magic = "SEAMINX1",
    .version = 2,
    .name = "an index's schema",
    .way_out = "the index is derived from the source: `seam rebuild DIR search` makes it again"};

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
    assert(fields <= INVIDX_FIELDS_MAX);
    assert(attrs <= INVIDX_ATTRS_MAX);
    for (size_t i = 0; i < fields; i++)
        if (strcmp(s->fields[i].name, name) == 0) return true;
    for (size_t i = 0; i < attrs; i++)
        if (strcmp(s->attrs[i].name, name) == 0) return true;
    return false;
}

static enum seam_status check_text(const char *s, const char *what, struct seam_fault *f)
{
    assert(what != NULL);
    if (s != NULL && strlen(s) > SCHEMA_TEXT_MAX)
        return seam_fault_set(f, SEAM_LIMIT, what, SEAM_FAULT_NO_OFFSET, "more than %d bytes",
                              SCHEMA_TEXT_MAX);
    return SEAM_OK;
}

enum seam_status invidx_schema_check(const struct invidx_schema *s, struct seam_fault *f)
{
    enum seam_status st;

    if (s->field_count < 1 || s->field_count > INVIDX_FIELDS_MAX ||
        s->attr_count > INVIDX_ATTRS_MAX)
        return seam_fault_set(f, SEAM_INVALID, "index schema", SEAM_FAULT_NO_OFFSET,
                              "an index has 1 to %d fields and at most %d attributes",
                              INVIDX_FIELDS_MAX, INVIDX_ATTRS_MAX);
    for (size_t i = 0; i < s->field_count; i++) {
        const struct invidx_field *field = &s->fields[i];

        if (!name_ok(field->name) || name_used(s, i, 0, field->name))
            return seam_fault_set(f, SEAM_INVALID, "index schema", SEAM_FAULT_NO_OFFSET,
                                  "field %zu needs a name of its own: letters, digits and _", i);
        if (field->weight < 1 || field->weight > INVIDX_WEIGHT_MAX)
            return seam_fault_set(f, SEAM_INVALID, field->name, SEAM_FAULT_NO_OFFSET,
                                  "a weight is 1 to %d", INVIDX_WEIGHT_MAX);
    }
    for (size_t i = 0; i < s->attr_count; i++) {
        const struct invidx_attr *attr = &s->attrs[i];

        if (!name_ok(attr->name) || name_used(s, s->field_count, i, attr->name))
            return seam_fault_set(f, SEAM_INVALID, "index schema", SEAM_FAULT_NO_OFFSET,
                                  "attribute %zu needs a name of its own: letters, digits and _",
                                  i);
        if (attr->type != INVIDX_KEYWORD && attr->type != INVIDX_INT64)
            return seam_fault_set(f, SEAM_INVALID, attr->name, SEAM_FAULT_NO_OFFSET,
                                  "unknown attribute type %d", (int)attr->type);
    }
    if ((s->analysis.tokenizer != INVIDX_WORDS && s->analysis.tokenizer != INVIDX_ASCII) ||
        (unsigned)s->analysis.stemmer > INVIDX_STEM_PORTER2)
        return seam_fault_set(f, SEAM_INVALID, "index schema", SEAM_FAULT_NO_OFFSET,
                              "unknown analysis chain");
    if (!(s->k1 >= 0 && s->k1 <= 100) || !(s->b >= 0 && s->b <= 1))
        return seam_fault_set(f, SEAM_INVALID, "index schema", SEAM_FAULT_NO_OFFSET,
                              "k1 is 0..100 and b 0..1");
    st = check_text(s->analysis.stop_words, "stop words", f);
    return st != SEAM_OK ? st : check_text(s->analysis.synonyms, "synonyms", f);
}

static void put_text(struct seam_buf *b, const char *s)
{
    seam_buf_lenstr(b, s, s == NULL ? 0 : strlen(s));
}

static void encode(const struct invidx_schema *s, struct seam_buf *b)
{
    uint8_t real[8];

    seam_buf_u32(b, (uint32_t)s->field_count);
    for (size_t i = 0; i < s->field_count; i++) {
        put_text(b, s->fields[i].name);
        seam_buf_varint(b, s->fields[i].weight);
    }
    seam_buf_u32(b, (uint32_t)s->attr_count);
    for (size_t i = 0; i < s->attr_count; i++) {
        put_text(b, s->attrs[i].name);
        seam_buf_u8(b, (uint8_t)s->attrs[i].type);
    }
    seam_buf_u8(b, (uint8_t)s->analysis.tokenizer);
    seam_buf_u8(b, (uint8_t)s->analysis.stemmer);
    seam_buf_u8(b, s->analysis.fold_accents);
    seam_buf_u8(b, ANALYSIS_VERSION);
    seam_put_f64(real, s->k1);
    seam_buf_append(b, real, 8);
    seam_put_f64(real, s->b);
    seam_buf_append(b, real, 8);
    put_text(b, s->analysis.stop_words);
    put_text(b, s->analysis.synonyms);
}

enum seam_status invidx_schema_save(struct seam_io *io, const char *dir,
                                    const struct invidx_schema *s, const struct seam_owner *owner,
                                    struct seam_fault *f)
{
    uint8_t head[SEAM_FILEHEAD_BYTES];
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_buf b = {0};
    enum seam_status st = seam_path_join(path, dir, "schema.inx", f);
    assert(s->field_count >= 1);
    assert(owner != NULL);

    if (st != SEAM_OK) return st;
    seam_filehead_encode(&format, &(struct seam_filehead){.owner = *owner}, head);
    seam_buf_append(&b, head, sizeof head);
    encode(s, &b);
    if (seam_buf_ok(&b)) seam_buf_u32(&b, seam_crc32c(0, b.data, b.size));
    st = seam_buf_check(&b, f, "the index's schema");
    if (st == SEAM_OK) st = seam_io_write_atomic(io, path, b.data, b.size, f);
    seam_buf_free(&b);
    return st;
}

/* Copies a lenstr, terminated, to *at; the box's text has room for the whole file.                    */
static const char *take_text(struct seam_reader *r, char **at)
{
    size_t n = 0;
    const uint8_t *p = seam_read_lenstr(r, SCHEMA_TEXT_MAX, &n);
    char *s = *at;
    assert(*at != NULL);

    if (p == NULL || memchr(p, 0, n) != NULL) {
        r->bad = true;
        return "";
    }
    memcpy(s, p, n);
    s[n] = '\0';
    *at += n + 1;
    return s;
}

static bool decode(const struct seam_buf *b, struct invidx_schema_box *box)
{
    struct seam_reader r =
        seam_reader_of(b->data + SEAM_FILEHEAD_BYTES, b->size - SEAM_FILEHEAD_BYTES - 4);
    struct invidx_schema *s = &box->view;
    const uint8_t *real;
    char *at = box->text;
    assert(b->size >= SEAM_FILEHEAD_BYTES + 4);
    assert(box->text != NULL);

    s->field_count = seam_read_u32(&r);
    if (r.bad || s->field_count > INVIDX_FIELDS_MAX) return false;
    for (size_t i = 0; i < s->field_count; i++) {
        box->fields[i].name = take_text(&r, &at);
        box->fields[i].weight = (uint32_t)seam_read_varint(&r);
    }
    s->attr_count = seam_read_u32(&r);
    if (r.bad || s->attr_count > INVIDX_ATTRS_MAX) return false;
    for (size_t i = 0; i < s->attr_count; i++) {
        box->attrs[i].name = take_text(&r, &at);
        box->attrs[i].type = (enum invidx_attr_type)seam_read_u8(&r);
    }
    s->fields = box->fields;
    s->attrs = box->attrs;
    s->analysis.tokenizer = (enum invidx_tokenizer)seam_read_u8(&r);
    s->analysis.stemmer = (enum invidx_stemmer)seam_read_u8(&r);
    s->analysis.fold_accents = seam_read_u8(&r) != 0;
    if (seam_read_u8(&r) != ANALYSIS_VERSION) return false;
    real = seam_read_bytes(&r, 16);
    if (real == NULL) return false;
    s->k1 = seam_get_f64(real);
    s->b = seam_get_f64(real + 8);
    s->analysis.stop_words = take_text(&r, &at);
    s->analysis.synonyms = take_text(&r, &at);
    return !r.bad && seam_reader_left(&r) == 0;
}

enum seam_status invidx_schema_load(struct seam_io *io, const char *dir,
                                    struct invidx_schema_box *out, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_filehead h;
    struct seam_buf b = {0};
    enum seam_status st = seam_path_join(path, dir, "schema.inx", f);

    memset(out, 0, sizeof *out);
    if (st != SEAM_OK) return st;
    st = seam_io_read_all(io, path, 3u * SCHEMA_TEXT_MAX, &b, f);
    if (st == SEAM_OK) st = seam_filehead_decode(&format, b.data, b.size, path, 0, &h, f);
    if (st != SEAM_OK) goto done;
    if (b.size < SEAM_FILEHEAD_BYTES + 4 ||
        seam_get_u32(b.data + b.size - 4) != seam_crc32c(0, b.data, b.size - 4)) {
        st = seam_fault_set(f, SEAM_CORRUPT, path, b.size, "the schema's checksum is wrong");
        goto done;
    }
    assert(b.size >= SEAM_FILEHEAD_BYTES + 4);
    out->owner = h.owner;
    out->text = malloc(b.size + 64);
    if (out->text == NULL) {
        st = seam_no_memory(f, "the index's schema");
        goto done;
    }
    if (!decode(&b, out) || invidx_schema_check(&out->view, NULL) != SEAM_OK)
        st = seam_fault_set(f, SEAM_CORRUPT, path, SEAM_FILEHEAD_BYTES,
                            "the schema or its analysis version is not one this program knows");
done:
    seam_buf_free(&b);
    if (st != SEAM_OK) invidx_schema_box_free(out);
    assert(st != SEAM_OK || out->view.field_count >= 1);
    return st;
}

bool invidx_schema_same(const struct invidx_schema *a, const struct invidx_schema *b)
{
    struct seam_buf x = {0}, y = {0};
    bool same;

    encode(a, &x);
    encode(b, &y);
    same = seam_buf_equal(&x, &y);
    seam_buf_free(&x);
    seam_buf_free(&y);
    return same;
}

void invidx_schema_box_free(struct invidx_schema_box *b)
{
    free(b->text);
    memset(b, 0, sizeof *b);
}
