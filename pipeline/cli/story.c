/* story - the sentences between the steps of a demonstration. */
#include "pipeline/cli/story.h"

#include <string.h>

#include "engine/io/source.h"
#include "engine/values/row.h"
#include "pipeline/shop/assets.h"

/* The day before the invented year begins. */
#define CATALOGUE_DAY_US ((int64_t)1767139200 * 1000000) /* 2025-12-31 */

static enum seam_status insert_product(struct cli *c, struct oltp_txn *t, uint32_t table,
                                       const char *line, size_t n, struct seam_buf *text)
{
    const struct seam_schema *s = oltp_schema(t, table);
    struct seam_value values[SEAM_COLUMNS_MAX];
    int updated = seam_schema_column(s, "updated_at");
    enum seam_status st = seam_row_from_json(s, line, n, values, text, &c->fault);

    if (st != SEAM_OK) return st;
    if (updated >= 0) values[updated] = seam_v_time(CATALOGUE_DAY_US);
    st = oltp_insert(t, table, values, &c->fault);
    if (st == SEAM_EXISTS) { /* loaded before */
        seam_fault_clear(&c->fault);
        st = SEAM_OK;
    }
    return st;
}

enum seam_status load_catalogue(struct cli *c, struct oltp *db)
{
    struct asset a = shop_asset_find("catalogue.jsonl");
    struct seam_source *in = NULL;
    struct oltp_txn *t = NULL;
    struct seam_buf text = {0};
    const char *line;
    uint32_t table;
    size_t n;
    enum seam_status st = seam_source_from_memory(a.text, a.size, &in);

    if (st == SEAM_OK) st = oltp_write_begin(db, &t, &c->fault);
    if (st == SEAM_OK) st = oltp_table(t, "products", &table, &c->fault);
    while (st == SEAM_OK &&
           (st = seam_source_line(in, OLTP_ROW_MAX, &line, &n, &c->fault)) == SEAM_OK) {
        if (n > 0) st = insert_product(c, t, table, line, n, &text);
        seam_buf_clear(&text);
    }
    if (st == SEAM_END) {
        st = oltp_commit(t, OLTP_DURABLE, NULL, &c->fault);
        t = NULL;
    }
    oltp_end(t);
    seam_source_close(in);
    seam_buf_free(&text);
    return st;
}
