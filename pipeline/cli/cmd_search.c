/* cmd_search - products by words, by meaning, or by both. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/row.h"
#include "oltp/oltp.h"
#include "pipeline/cli/cli.h"
#include "pipeline/search.h"
#include "pipeline/sinks.h"
#include "pipeline/vectors.h"

struct search_options {
    const char *mode, *filter, *as_of, *at_least;
    int64_t k, offset, wait_ms;
    double weight;
    bool explain;
};

/* What of the row is shown with a hit: read from the row store at the answer's LSN where that is possible, else as
 * it is now.                                                                                       */
struct titles {
    struct oltp *db;
    struct oltp_txn *txn;
    uint32_t table;
    const struct schema *schema;
    int title;
};

static void titles_close(struct titles *t)
{
    oltp_end(t->txn);
    (void)oltp_close(t->db, NULL);
}

static void titles_open(struct titles *t, const struct platform *p, lsn_t lsn)
{
    const struct json *config = platform_sink_config(p, "search");

    *t = (struct titles){.title = -1};
    if (platform_open_reader(p, lsn, INT64_MIN, &t->db, NULL) != ST_OK &&
        platform_open_reader(p, LSN_MAX, INT64_MIN, &t->db, NULL) != ST_OK)
        return;
    if (oltp_read_begin(t->db, &t->txn, NULL) != ST_OK) return;
    if (oltp_table(t->txn, json_string(config, "table", ""), &t->table, NULL) != ST_OK) return;
    t->schema = oltp_schema(t->txn, t->table);
    t->title = schema_column(t->schema, "title");
}

static void title_of(struct titles *t, int64_t id, struct buf *out)
{
    struct value key = v_int(id), title;
    struct oltp_row row;

    buf_clear(out);
    if (t->title < 0 || oltp_get(t->txn, t->table, &key, &row, NULL) != ST_OK) return;
    if (row_get(t->schema, row.row.data, row.row.size, t->title, &title, NULL) == ST_OK)
        value_format(&title, out);
}

static enum status open_search(const struct platform *p, lsn_t as_of, struct search **out, struct fault *f)
{
    char words[PATH_MAX_BYTES];
    struct vectors_current v = {0};
    struct search_paths paths = {.words_dir = words};
    enum status st = platform_sink_path(p, "search", words, f);

    if (st != ST_OK) return st;
    if (vectors_current(p, &v, NULL) == ST_OK && v.embedder[0] != '\0') {
        paths.graph_dir = v.dir;
        paths.model_path = v.model;
    }
    return search_open(p->io, &paths, as_of, out, f);
}

/* --at-least: waits until both indexes have applied the LSN that a `put` printed.                    */
static enum status wait_for(struct cli *c, struct search *s, lsn_t lsn, int64_t wait_ms)
{
    struct search_position at;
    uint64_t start = clock_mono_ns(c->clock);
    enum status st = ST_OK;

    for (;;) {
        search_position(s, &at);
        if (at.lsn >= lsn) return ST_OK;
        if (clock_mono_ns(c->clock) - start > (uint64_t)wait_ms * 1000000)
            return fault_set(&c->fault, ST_TIMEOUT, "search", at.lsn,
                             "LSN %" PRIu64 " is not searchable after %" PRId64 " ms: words stand at %" PRIu64
                             ", vectors at %" PRIu64 " (is 'seam run' running?)", lsn, wait_ms, at.words_lsn,
                             at.graph_lsn);
        c->clock->sleep_us(c->clock, 1000);
        st = search_refresh(s, NULL, &c->fault);
        if (st != ST_OK) return st;
    }
}

static void hits_text(struct cli *c, const struct platform *p, const struct search_result *r,
                      const struct search_request *q, bool explain)
{
    struct table_out t;
    struct titles titles;
    struct buf title = {0};

    titles_open(&titles, p, r->lsn);
    table_begin(&t, explain ? 8 : 4, explain ? 0x7f : 7);
    table_cell(&t, "#");
    table_cell(&t, "score");
    table_cell(&t, "id");
    if (explain) {
        table_cell(&t, "bm25 rank");
        table_cell(&t, "bm25");
        table_cell(&t, "vector rank");
        table_cell(&t, "cosine");
    }
    table_cell(&t, "title");
    for (size_t i = 0; i < r->count; i++) {
        const struct hybrid_hit *h = &r->hits[i];

        title_of(&titles, document_id(h->key), &title);
        table_cell(&t, "%zu", q->offset + i + 1);
        table_cell(&t, "%.4f", h->score);
        table_cell(&t, "%" PRId64, document_id(h->key));
        if (explain)
            for (int side = 0; side < 2; side++) {
                if (h->rank[side] != 0) table_cell(&t, "%u", h->rank[side]);
                else table_cell(&t, "-");
                if (h->rank[side] != 0) table_cell(&t, "%.4f", h->raw[side]);
                else table_cell(&t, "-");
            }
        table_cell(&t, "%s", buf_cstr(&title));
    }
    if (r->count == 0) printf("nothing matches\n");
    table_print(c, &t);
    titles_close(&titles);
    buf_free(&title);
}
