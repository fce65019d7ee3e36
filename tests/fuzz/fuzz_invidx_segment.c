#include <stdlib.h>

#include "engine/base/crc32c.h"
#include "engine/io/io_sim.h"
#include "engine/io/manifest.h"
#include "invidx/segment.h"
#include "tests/fuzz/fuzz_main.h"

static void need(bool ok)
{
    if (!ok) __builtin_trap();
}

static struct invidx_schema schema(void)
{
    static const struct invidx_field fields[] = {{"title", 2}, {"body", 1}};
    static const struct invidx_attr attrs[] = {{"price", INVIDX_INT64}, {"brand", INVIDX_KEYWORD}};

    return (struct invidx_schema){.fields = fields,
                                  .field_count = 2,
                                  .attrs = attrs,
                                  .attr_count = 2,
                                  .analysis = invidx_analysis_default()};
}

/* A real index of 200 documents with skips, exceptions and inlined postings. */
static void build(struct seam_io *io)
{
    struct invidx_schema s = schema();
    struct invidx_writer *w = NULL;

    need(invidx_writer_open(io, "d", &s, NULL, &w, NULL) == SEAM_OK);
    for (uint64_t i = 0; i < 200; i++) {
        char title[64], body[128];
        struct invidx_text t[2];
        struct seam_value a[2] = {i % 9 == 0 ? seam_v_null() : seam_v_int((int64_t)i * 17),
                                  i % 5 == 0 ? seam_v_null()
                                             : seam_v_str(i % 2 ? "acme" : "globex")};

        t[0] =
            (struct invidx_text){title, (size_t)snprintf(title, sizeof title, "running shoes %llu",
                                                         (unsigned long long)i)};
        t[1] = (struct invidx_text){
            body, (size_t)snprintf(body, sizeof body, "walk walked shoes all %s day %s",
                                   i % 3 ? "the" : "long", i % 50 ? "" : "shoes shoes shoes")};
        need(invidx_upsert(w, &(struct invidx_doc){.key = i * 3, .fields = t, .attrs = a}, i + 1,
                           NULL) == SEAM_OK);
    }
    need(invidx_publish(w, 300, 0, NULL) == SEAM_OK);
    invidx_writer_close(w);
}

/* Makes every checksum right, so that what lies behind them is reached.                                  */
static void mend(struct seam_buf *b)
{
    size_t run = 0, run_end = 0, chunks = 0;
    uint32_t count;

    if (b->size < SEG_HEADER + SEG_SLACK) return;
    seam_put_u64(b->data + SEG_AT_SIZE, b->size);
    count = seam_get_u32(b->data + 56); /* the head's extra */
    if (count > SEG_SECTIONS_MAX || SEG_HEADER + (size_t)count * SEG_SECTION > b->size) return;
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < count; i++) {
            uint8_t *e = b->data + SEG_HEADER + (size_t)i * SEG_SECTION;
            uint32_t kind = seam_get_u32(e);
            uint64_t at = seam_get_u64(e + 8), n = seam_get_u64(e + 16);

            if (at > b->size || n > b->size - at) continue;
            if (kind == SEG_TERMS) run = at;
            if (kind == SEG_POSITIONS) run_end = at + n;
            if (kind == SEG_CHUNKS) chunks = at;
            if (pass == 1 && kind == SEG_CHUNKS && run < run_end && n >= 4)
                seam_put_u32(b->data + chunks, seam_crc32c(0, b->data + run, run_end - run));
            if (pass == 1 && !(kind >= SEG_TERMS && kind <= SEG_POSITIONS))
                seam_put_u32(e + 4, seam_crc32c(0, b->data + at, n));
        }
    seam_put_u32(b->data + SEG_AT_CRC, invidx_seg_header_crc(b->data, count));
    seam_put_u32(b->data + 60, seam_crc32c(0, b->data, 60));
}

/* Bytes: count of edits is size/4; each edit is (position u24 scaled over the file, value). The last bit of the
 * first byte asks for mending. Whatever comes of it is opened, searched, verified, dumped and merged.    */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const queries[] = {
        "running shoes", "+shoes -long", "\"running shoes\"~3",    "\"walk shoes\"",
        "sho*",          "runing~",      "price:[10 TO 900] walk", "brand:acme"};
    static const char path[] = "d/0000000000000001.seg";
    struct seam_io_sim *sim = seam_io_sim_new(1);
    struct seam_io *io = seam_io_sim_io(sim);
    struct invidx_reader *r = NULL;
    struct invidx_query *q = NULL;
    struct invidx_writer *w = NULL;
    struct seam_buf file = {0}, text = {0};
    size_t before;
    bool whole;

    build(io);
    need(seam_io_read_all(io, path, 1 << 24, &file, NULL) == SEAM_OK);
    before = file.size;
    for (size_t i = 0; i + 4 <= size && i < 64; i += 4) {
        size_t at =
            (size_t)((uint64_t)(data[i] | data[i + 1] << 8 | data[i + 2] << 16) * file.size >> 24);

        file.data[at] = data[i + 3];
    }
    whole = size > 0 && (data[0] & 1);
    if (whole) mend(&file);
    need(file.size == before);
    need(seam_io_write_atomic(io, path, file.data, file.size, NULL) == SEAM_OK);
    if (invidx_reader_open(io, "d", SEAM_LSN_MAX, &r, NULL) == SEAM_OK) {
        need(invidx_query_new(r, &q, NULL) == SEAM_OK);
        for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
            struct invidx_hit hits[5];
            struct invidx_facet_request facets[] = {{.attr = 1, .limit = 3}};
            struct invidx_request req = {.k = 5,
                                         .strategy = (enum invidx_strategy)(i % 4),
                                         .facets = facets,
                                         .facet_count = i == 7,
                                         .sort_attr = i == 6};
            struct invidx_result res = {.hits = hits};
            enum seam_status st =
                invidx_query_parse(q, queries[i], strlen(queries[i]), INVIDX_OR, NULL);

            if (st == SEAM_OK) st = invidx_search(r, q, &req, &res, NULL);
            need(st == SEAM_OK || st == SEAM_CORRUPT);
        }
        invidx_query_free(q);
        invidx_reader_close(r);
    }
    if (invidx_verify(io, "d", &text, NULL) != SEAM_OK) seam_buf_clear(&text);
    if (invidx_dump(io, path, &text, NULL) != SEAM_OK) seam_buf_clear(&text);
    if (invidx_writer_open(io, "d", NULL, NULL, &w, NULL) == SEAM_OK) {
        enum seam_status st = invidx_delete(w, 30, 400, NULL);

        if (st == SEAM_OK) st = invidx_publish(w, 401, 0, NULL);
        if (st == SEAM_OK) st = invidx_compact(w, NULL);
        need(st == SEAM_OK || st == SEAM_CORRUPT || st == SEAM_LIMIT);
        invidx_writer_close(w);
    }
    seam_buf_free(&file);
    seam_buf_free(&text);
    seam_io_sim_free(sim);
    return 0;
}

FUZZ_MAIN(FUZZ_SAMPLE("\x01\x40\x10\x05"), FUZZ_SAMPLE("\x01\x10\x20\x30\x40\x50\x60\x70"),
          FUZZ_SAMPLE("\x00\x80\x00\xff"),
          FUZZ_SAMPLE("\x03\x00\x40\x80\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd"))
