/* cmd_search - products by words, by meaning, or by both. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/row.h"
#include "oltp/oltp.h"
#include "pipeline/cli/cli.h"
#include "pipeline/relevance/search.h"
#include "pipeline/sinks/keys.h"
#include "pipeline/sinks/vectors/vectors.h"

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
    const struct seam_schema *schema;
    int title;
};

static void titles_close(struct titles *t)
{
    oltp_end(t->txn);
    (void)oltp_close(t->db, NULL);
}

static void titles_open(struct titles *t, const struct platform *p, seam_lsn_t lsn)
{
    const struct seam_json *config = platform_sink_config(p, "search");

    *t = (struct titles){.title = -1};
    if (platform_open_reader(p, lsn, INT64_MIN, &t->db, NULL) != SEAM_OK &&
        platform_open_reader(p, SEAM_LSN_MAX, INT64_MIN, &t->db, NULL) != SEAM_OK)
        return;
    if (oltp_read_begin(t->db, &t->txn, NULL) != SEAM_OK) return;
    if (oltp_table(t->txn, seam_json_string(config, "table", ""), &t->table, NULL) != SEAM_OK)
        return;
    t->schema = oltp_schema(t->txn, t->table);
    t->title = seam_schema_column(t->schema, "title");
}

static void title_of(struct titles *t, int64_t id, struct seam_buf *out)
{
    struct seam_value key = seam_v_int(id), title;
    struct oltp_row row;

    seam_buf_clear(out);
    if (t->title < 0 || oltp_get(t->txn, t->table, &key, &row, NULL) != SEAM_OK) return;
    if (seam_row_get(t->schema, row.row.data, row.row.size, t->title, &title, NULL) == SEAM_OK)
        seam_value_format(&title, out);
}

static enum seam_status open_search(const struct platform *p, seam_lsn_t as_of, struct search **out,
                                    struct seam_fault *f)
{
    char words[SEAM_PATH_MAX_BYTES];
    struct sink_vectors_current v = {0};
    struct search_paths paths = {.words_dir = words};
    enum seam_status st = platform_sink_path(p, "search", words, f);

    if (st != SEAM_OK) return st;
    if (sink_vectors_current(p, &v, NULL) == SEAM_OK && v.embedder[0] != '\0') {
        paths.graph_dir = v.dir;
        paths.model_path = v.model;
    }
    return search_open(p->io, &paths, as_of, out, f);
}

/* --at-least: waits until both indexes have applied the LSN that a `put` printed.                    */
static enum seam_status wait_for(struct cli *c, struct search *s, seam_lsn_t lsn, int64_t wait_ms)
{
    struct search_position at;
    uint64_t start = seam_clock_mono_ns(c->clock);
    enum seam_status st = SEAM_OK;

    for (;;) {
        search_position(s, &at);
        if (at.lsn >= lsn) return SEAM_OK;
        if (seam_clock_mono_ns(c->clock) - start > (uint64_t)wait_ms * 1000000)
            return seam_fault_set(&c->fault, SEAM_TIMEOUT, "search", at.lsn,
                                  "LSN %" PRIu64 " is not searchable after %" PRId64
                                  " ms: words stand at %" PRIu64 ", vectors at %" PRIu64
                                  " (is 'seam run' running?)",
                                  lsn, wait_ms, at.words_lsn, at.graph_lsn);
        c->clock->sleep_us(c->clock, 1000);
        st = search_refresh(s, NULL, &c->fault);
        if (st != SEAM_OK) return st;
    }
}

static void hits_text(struct cli *c, const struct platform *p, const struct search_result *r,
                      const struct search_request *q, bool explain)
{
    struct cli_table_out t;
    struct titles titles;
    struct seam_buf title = {0};

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

        title_of(&titles, sink_id_of_key(h->id), &title);
        table_cell(&t, "%zu", q->offset + i + 1);
        table_cell(&t, "%.4f", h->score);
        table_cell(&t, "%" PRId64, sink_id_of_key(h->id));
        if (explain)
            for (int side = 0; side < 2; side++) {
                if (h->rank[side] != 0)
                    table_cell(&t, "%u", h->rank[side]);
                else
                    table_cell(&t, "-");
                if (h->rank[side] != 0)
                    table_cell(&t, "%.4f", h->raw[side]);
                else
                    table_cell(&t, "-");
            }
        table_cell(&t, "%s", seam_buf_cstr(&title));
    }
    if (r->count == 0) printf("nothing matches\n");
    table_print(c, &t);
    titles_close(&titles);
    seam_buf_free(&title);
}

static void hits_json(const struct platform *p, const struct search_result *r,
                      const struct search_request *q, const struct search_position *at)
{
    struct titles titles;
    struct seam_buf b = {0}, title = {0};
    struct seam_json_writer w;

    titles_open(&titles, p, r->lsn);
    seam_jw_init(&w, &b);
    seam_jw_object(&w);
    seam_jw_key(&w, "mode");
    seam_jw_str(&w, search_mode_name(q->mode));
    seam_jw_key(&w, "as_of_lsn");
    seam_jw_uint(&w, r->lsn);
    seam_jw_key(&w, "age_ms");
    seam_jw_double(&w, (double)(seam_clock_wall_us(p->clock) - at->wall_us) / 1000.0);
    seam_jw_key(&w, "embedder");
    seam_jw_str(&w, at->embedder);
    seam_jw_key(&w, "weight");
    seam_jw_double(&w, r->weight);
    seam_jw_key(&w, "words_us");
    seam_jw_double(&w, r->words_us);
    seam_jw_key(&w, "vectors_us");
    seam_jw_double(&w, r->meaning_us);
    seam_jw_key(&w, "candidates");
    seam_jw_uint(&w, r->candidates);
    seam_jw_key(&w, "hits");
    seam_jw_array(&w);
    for (size_t i = 0; i < r->count; i++) {
        title_of(&titles, sink_id_of_key(r->hits[i].id), &title);
        seam_jw_object(&w);
        seam_jw_key(&w, "id");
        seam_jw_int(&w, sink_id_of_key(r->hits[i].id));
        seam_jw_key(&w, "score");
        seam_jw_double(&w, r->hits[i].score);
        seam_jw_key(&w, "title");
        seam_jw_strn(&w, (const char *)title.data, title.size);
        seam_jw_key(&w, "explain");
        hybrid_explain_json(&r->hits[i], &w);
        seam_jw_end_object(&w);
    }
    seam_jw_end_array(&w);
    seam_jw_end_object(&w);
    seam_buf_str(&b, "\n");
    cli_print(&b);
    titles_close(&titles);
    seam_buf_free(&b);
    seam_buf_free(&title);
}

static void print_work(const struct search_result *r, enum search_mode mode)
{
    if (mode != SEARCH_VECTOR)
        printf("words:   %s, %" PRIu64 " postings, %" PRIu64 " decoded, %" PRIu64
               " scored, %" PRIu64 "/%" PRIu64 " blocks skipped, %.0f us\n",
               r->words.plan != NULL ? r->words.plan : "-", r->words.postings, r->words.decoded,
               r->words.scored, r->words.blocks_skipped, r->words.blocks, r->words_us);
    if (mode != SEARCH_BM25)
        printf("vectors: %s, ef %u, %u hops, %u distances, %.0f us\n",
               hnsw_regime_name(r->graph.regime), r->graph.ef, r->graph.hops, r->graph.distances,
               r->meaning_us);
    if (mode == SEARCH_HYBRID)
        printf("fusion:  query kind %s, weight of the meaning %.2f%s\n",
               embed_query_kind_name(r->kind), r->weight, r->words_only ? ", words only" : "");
}

static enum seam_status ask(struct cli *c, const struct platform *p, struct search *s,
                            const struct search_options *o, struct search_request *q)
{
    struct search_result r = {0};
    struct search_position at;
    enum seam_status st;

    r.hits = calloc(q->k, sizeof *r.hits);
    if (r.hits == NULL)
        return seam_fault_set(&c->fault, SEAM_NOMEM, "search", SEAM_FAULT_NO_OFFSET, "no memory");
    st = search_query(s, q, &r, &c->fault);
    search_position(s, &at);
    if (st == SEAM_OK && c->json) {
        hits_json(p, &r, q, &at);
    } else if (st == SEAM_OK) {
        hits_text(c, p, &r, q, o->explain);
        if (o->explain) print_work(&r, q->mode);
        cli_footer(c, r.lsn, seam_clock_wall_us(p->clock) - at.wall_us, search_mode_name(q->mode));
    }
    free(r.hits);
    return st;
}

static int check_options(struct cli *c, const struct search_options *o, struct search_request *q,
                         struct hybrid_options *h, const char *fusion, seam_lsn_t *as_of,
                         seam_lsn_t *at_least)
{
    int64_t time_us;

    *as_of = SEAM_LSN_MAX;
    *at_least = SEAM_LSN_NONE;
    *h = hybrid_defaults();
    if (!search_mode_parse(o->mode, &q->mode))
        return cli_usage(c, "--mode is bm25, vector or hybrid");
    if (fusion != NULL) {
        if (!hybrid_method_parse(fusion, &h->method))
            return cli_usage(c, "--fusion is rrf or convex");
        h->by_kind = h->by_kind && h->method == HYBRID_CONVEX;
        if (h->method == HYBRID_RRF) h->weight = 0.5;
    }
    if (o->k < 1 || o->k > SEARCH_PAGE_MAX || o->offset < 0 || o->wait_ms < 0)
        return cli_usage(c, "-k is 1 to %d, --offset and --wait-ms are not negative",
                         SEARCH_PAGE_MAX);
    if (o->as_of != NULL && (!cli_parse_moment(o->as_of, as_of, &time_us) || time_us != INT64_MIN))
        return cli_usage(c, "--as-of takes an LSN here");
    if (o->at_least != NULL &&
        (!cli_parse_moment(o->at_least, at_least, &time_us) || time_us != INT64_MIN))
        return cli_usage(c, "--at-least takes an LSN");
    q->k = (size_t)o->k;
    q->offset = (size_t)o->offset;
    q->filter = o->filter;
    q->weight = o->weight;
    q->hybrid = h;
    return -1;
}

int cmd_search(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *fusion = NULL;
    struct search_options o = {.mode = "hybrid", .k = 10, .wait_ms = 5000, .weight = -1};
    const struct seam_opt opts[] = {
        {"mode", 'm', SEAM_OPT_STRING, "bm25|vector|hybrid", "which index answers (hybrid)",
         &o.mode},
        {"filter", 'f', SEAM_OPT_STRING, "EXPR", "category:Garden price:<200000 (price in 1/10000)",
         &o.filter},
        {"k", 'k', SEAM_OPT_INT, "N", "hits wanted (10)", &o.k},
        {"offset", 0, SEAM_OPT_INT, "N", "skip the first N: the next page", &o.offset},
        {"fusion", 0, SEAM_OPT_STRING, "rrf|convex", "how hybrid joins the two lists", &fusion},
        {"weight", 'w', SEAM_OPT_DOUBLE, "0..1", "of the meaning; default by the query's kind",
         &o.weight},
        {"as-of", 0, SEAM_OPT_STRING, "LSN", "as it could be found then", &o.as_of},
        {"at-least", 0, SEAM_OPT_STRING, "LSN",
         "wait until this is searchable (what `put` printed)", &o.at_least},
        {"wait-ms", 0, SEAM_OPT_INT, "MS", "... for at most so long (5000)", &o.wait_ms},
        {"explain", 'e', SEAM_OPT_FLAG, NULL, "each side's rank and score, and the work done",
         &o.explain},
    };
    struct platform p;
    struct search *s = NULL;
    struct search_request q = {0};
    struct hybrid_options h;
    struct seam_buf words = {0};
    seam_lsn_t as_of, at_least;
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 2, 60);
    enum seam_status st;

    if (rc >= 0) return rc;
    rc = check_options(c, &o, &q, &h, fusion, &as_of, &at_least);
    if (rc >= 0) return rc;
    for (int i = 1; i < count; i++) seam_buf_printf(&words, "%s%s", i > 1 ? " " : "", args[i]);
    q.text = seam_buf_cstr(&words);
    q.size = words.size;
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st == SEAM_OK) {
        st = open_search(&p, as_of, &s, &c->fault);
        if (st == SEAM_OK && at_least != SEAM_LSN_NONE) st = wait_for(c, s, at_least, o.wait_ms);
        if (st == SEAM_OK) st = ask(c, &p, s, &o, &q);
        search_close(s);
        platform_close(&p);
    }
    seam_buf_free(&words);
    return st == SEAM_OK ? EXIT_FINE : cli_fail(c, st);
}
