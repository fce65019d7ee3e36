/* shop_data - the shipped catalogue, read for tests and benches.                                   */
#ifndef SEAM_TESTS_SHOP_DATA_H
#define SEAM_TESTS_SHOP_DATA_H

#include "engine/io/source.h"
#include "engine/text/json.h"

enum { SHOP_MAX = 1024 };
struct shop_product {
    int64_t id;
    const char *sku, *title, *description, *category, *brand, *price;
    int64_t stock;
};
struct shop {
    struct seam_arena arena;
    struct shop_product products[SHOP_MAX];
    size_t count;
};

static inline enum seam_status shop_read(struct shop *s, struct seam_fault *f)
{
    struct seam_source *in = NULL;
    enum seam_status st =
        seam_source_open(seam_io_posix(), "pipeline/shop/catalogue.jsonl", &in, f);
    const char *line;
    size_t n;

    while (st == SEAM_OK && (st = seam_source_line(in, 1 << 20, &line, &n, f)) == SEAM_OK) {
        struct shop_product *p = &s->products[s->count];
        struct seam_json *j = NULL;

        st = seam_json_parse(line, n, &s->arena, "catalogue.jsonl", &j, f);
        if (st != SEAM_OK || s->count == SHOP_MAX) break;
        if (!seam_json_int(seam_json_get(j, "product_id"), &p->id) ||
            !seam_json_int(seam_json_get(j, "stock"), &p->stock)) {
            st = seam_fault_set(f, SEAM_INVALID, "catalogue.jsonl", seam_source_line_number(in),
                                "no product_id or stock");
            break;
        }
        p->sku = seam_json_string(j, "sku", NULL);
        p->title = seam_json_string(j, "title", NULL);
        p->description = seam_json_string(j, "description", NULL);
        p->category = seam_json_string(j, "category", NULL);
        p->brand = seam_json_string(j, "brand", NULL);
        p->price = seam_json_string(j, "price", NULL);
        s->count++;
    }
    seam_source_close(in);
    return st == SEAM_END ? SEAM_OK : st;
}

#endif
