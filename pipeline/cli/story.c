#include "pipeline/cli/story.h"

#include <string.h>

#include "engine/values/row.h"
#include "engine/io/source.h"
#include "pipeline/shop/assets.h"

/* The day before the invented year begins. */
#define CATALOGUE_DAY_US ((int64_t)1767139200 * 1000000) /* 2025-12-31 */

static enum status insert_product(struct cli *c, struct oltp_txn *t, uint32_t table, const char *line,
                                  size_t n, struct buf *text)
{
    const struct schema *s = oltp_schema(t, table);
    struct value values[COLUMNS_MAX];
    int updated = schema_column(s, "updated_at");
    enum status st = row_from_json(s, line, n, values, text, &c->fault);

    if (st != ST_OK) return st;
    if (updated >= 0) values[updated] = v_time(CATALOGUE_DAY_US);
    st = oltp_insert(t, table, values, &c->fault);
    if (st == ST_EXISTS) { /* loaded before */
        fault_clear(&c->fault);
        st = ST_OK;
    }
    return st;
}

enum status load_catalogue(struct cli *c, struct oltp *db)
{
    struct asset a = asset_find("catalogue.jsonl");
    struct source *in = NULL;
    struct oltp_txn *t = NULL;
    struct buf text = {0};
    const char *line;
    uint32_t table;
    size_t n;
    enum status st = source_from_memory(a.text, a.size, &in);

    if (st == ST_OK) st = oltp_write_begin(db, &t, &c->fault);
    if (st == ST_OK) st = oltp_table(t, "products", &table, &c->fault);
    while (st == ST_OK && (st = source_line(in, OLTP_ROW_MAX, &line, &n, &c->fault)) == ST_OK) {
        if (n > 0) st = insert_product(c, t, table, line, n, &text);
        buf_clear(&text);
    }
    if (st == ST_END) {
        st = oltp_commit(t, OLTP_DURABLE, NULL, &c->fault);
        t = NULL;
    }
    oltp_end(t);
    source_close(in);
    buf_free(&text);
    return st;
}
