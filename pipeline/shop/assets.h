/* assets - the shipped shop inside the program: its configuration, tables and catalogue as text.
 *
 * The files of pipeline/shop/ are compiled in, so that an installed `seam` can make the demo platform
 * without a source tree beside it. Terminated; sizes exclude the terminator.                      */
#ifndef SEAM_PIPELINE_ASSETS_H
#define SEAM_PIPELINE_ASSETS_H

#include <stddef.h>

struct asset {
    const char *text;
    size_t size;
};

/* "shop.json", "schemas/products.json", "catalogue.jsonl", "queries.tsv", "qrels.txt", ...; text NULL = none. */
struct asset shop_asset_find(const char *name);

#endif
