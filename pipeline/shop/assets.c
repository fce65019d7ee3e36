/* assets - the assembler copies the files in; paths are from the source root, where make runs. Their labels are this
 * file's own: nobody else can name them.                                                              */
#include "pipeline/shop/assets.h"

#include <string.h>

#define ASSET(symbol, path)                                                                        \
    __asm__(".section .rodata\n"                                                                   \
            "seam_asset_" #symbol ":\n"                                                            \
            ".incbin \"" path "\"\n"                                                               \
            "seam_asset_" #symbol "_end:\n"                                                        \
            ".byte 0\n"                                                                            \
            ".previous\n");                                                                        \
    extern const char seam_asset_##symbol[], seam_asset_##symbol##_end[]

ASSET(shop, "pipeline/shop/shop.json");
ASSET(products, "pipeline/shop/schemas/products.json");
ASSET(customers, "pipeline/shop/schemas/customers.json");
ASSET(orders, "pipeline/shop/schemas/orders.json");
ASSET(order_lines, "pipeline/shop/schemas/order_lines.json");
ASSET(catalogue, "pipeline/shop/catalogue.jsonl");
ASSET(queries, "pipeline/shop/queries.tsv");
ASSET(qrels, "pipeline/shop/qrels.txt");
ASSET(map_catalogue, "pipeline/shop/mappings/catalogue.json");
ASSET(map_retail, "pipeline/shop/mappings/online-retail.json");
ASSET(map_search, "pipeline/shop/mappings/product-search.json");
ASSET(contract_source_stream, "pipeline/trust/contracts/source-stream.json");
ASSET(contract_stream_bronze, "pipeline/trust/contracts/stream-bronze.json");
ASSET(contract_bronze_silver, "pipeline/trust/contracts/bronze-silver.json");
ASSET(contract_silver_gold, "pipeline/trust/contracts/silver-gold.json");
ASSET(contract_stream_view, "pipeline/trust/contracts/stream-view.json");
ASSET(contract_stream_search, "pipeline/trust/contracts/stream-search.json");
ASSET(contract_stream_vectors, "pipeline/trust/contracts/stream-vectors.json");
ASSET(contract_orders_audit, "pipeline/trust/contracts/orders-audit.json");

struct asset shop_asset_find(const char *name)
{
    static const struct {
        const char *name, *begin, *end;
    } list[] = {
        {"shop.json", seam_asset_shop, seam_asset_shop_end},
        {"schemas/products.json", seam_asset_products, seam_asset_products_end},
        {"schemas/customers.json", seam_asset_customers, seam_asset_customers_end},
        {"schemas/orders.json", seam_asset_orders, seam_asset_orders_end},
        {"schemas/order_lines.json", seam_asset_order_lines, seam_asset_order_lines_end},
        {"catalogue.jsonl", seam_asset_catalogue, seam_asset_catalogue_end},
        {"queries.tsv", seam_asset_queries, seam_asset_queries_end},
        {"qrels.txt", seam_asset_qrels, seam_asset_qrels_end},
        {"mappings/catalogue.json", seam_asset_map_catalogue, seam_asset_map_catalogue_end},
        {"mappings/online-retail.json", seam_asset_map_retail, seam_asset_map_retail_end},
        {"mappings/product-search.json", seam_asset_map_search, seam_asset_map_search_end},
        {"contracts/source-stream.json", seam_asset_contract_source_stream,
         seam_asset_contract_source_stream_end},
        {"contracts/stream-bronze.json", seam_asset_contract_stream_bronze,
         seam_asset_contract_stream_bronze_end},
        {"contracts/bronze-silver.json", seam_asset_contract_bronze_silver,
         seam_asset_contract_bronze_silver_end},
        {"contracts/silver-gold.json", seam_asset_contract_silver_gold,
         seam_asset_contract_silver_gold_end},
        {"contracts/stream-view.json", seam_asset_contract_stream_view,
         seam_asset_contract_stream_view_end},
        {"contracts/stream-search.json", seam_asset_contract_stream_search,
         seam_asset_contract_stream_search_end},
        {"contracts/stream-vectors.json", seam_asset_contract_stream_vectors,
         seam_asset_contract_stream_vectors_end},
        {"contracts/orders-audit.json", seam_asset_contract_orders_audit,
         seam_asset_contract_orders_audit_end},
    };

    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (strcmp(list[i].name, name) == 0)
            return (struct asset){list[i].begin, (size_t)(list[i].end - list[i].begin)};
    return (struct asset){NULL, 0};
}
