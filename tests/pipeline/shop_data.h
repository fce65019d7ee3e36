/* shop_data - the shipped catalogue, read for tests and benches.                                   */
#ifndef SEAM_TESTS_SHOP_DATA_H
#define SEAM_TESTS_SHOP_DATA_H

#include "engine/text/json.h"
#include "engine/io/source.h"

enum { SHOP_MAX = 1024 };
struct shop_product {
    int64_t id;
    const char *sku, *title, *description, *category, *brand, *price;
    int64_t stock;
};
struct shop {
    struct arena arena;
    struct shop_product products[SHOP_MAX];
    size_t count;
};

static inline enum status shop_read(struct shop *s, struct fault *f)
{
    struct source *in = NULL;
    enum status st = source_open(io_posix(), "pipeline/shop/catalogue.jsonl", &in, f);
    const char *line;
    size_t n;

    while (st == ST_OK && (st = source_line(in, 1 << 20, &line, &n, f)) == ST_OK) {
        struct shop_product *p = &s->products[s->count];
        struct json *j = NULL;

        st = json_parse(line, n, &s->arena, "catalogue.jsonl", &j, f);
        if (st != ST_OK || s->count == SHOP_MAX) break;
        if (!json_int(json_get(j, "product_id"), &p->id) || !json_int(json_get(j, "stock"), &p->stock)) {
            st = fault_set(f, ST_INVALID, "catalogue.jsonl", source_line_number(in), "no product_id or stock");
            break;
        }
        p->sku = json_string(j, "sku", NULL);
        p->title = json_string(j, "title", NULL);
        p->description = json_string(j, "description", NULL);
        p->category = json_string(j, "category", NULL);
        p->brand = json_string(j, "brand", NULL);
        p->price = json_string(j, "price", NULL);
        s->count++;
    }
    source_close(in);
    return st == ST_END ? ST_OK : st;
}

#endif
