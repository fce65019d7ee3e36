/* lab_hybrid - one question asked of words, of meaning, and of both. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "oltp/oltp.h"
#include "engine/values/row.h"
#include "pipeline/lab/draw.h"
#include "pipeline/lab/scenarios.h"
#include "pipeline/lab/shop.h"
#include "pipeline/relevance/search.h"
#include "pipeline/sinks/sinks.h"
#include "pipeline/sinks/vectors/vectors.h"

static const char *const sinks[] = {"search", "vectors"};

enum { K = 5, KETTLE = 101 };

static void draw_title(struct lab_shop *s, struct oltp_txn *t, uint32_t table, int64_t id)
{
    const struct value key = v_int(id);
    const struct schema *schema = oltp_schema(t, table);
    struct oltp_row row;
    struct value title;

    if (oltp_get(t, table, &key, &row, NULL) != ST_OK) return;
    if (row_get(schema, row.row.data, row.row.size, schema_column(schema, "title"), &title, NULL) !=
        ST_OK)
        return;
    buf_printf(&s->l->draw, "  %4" PRId64 " %-52.*s ", id, (int)title.len, title.s);
}

/* What the words and what the meaning gave each hit, as bars. */
static void svg_hits(struct lab *l, enum search_mode mode, const struct search_result *got)
{
    struct svg_bar bars[K];
    char names[K][24], words[K][48];
    double most = 0;

    for (size_t i = 0; i < got->count; i++)
        if (got->hits[i].score > most) most = got->hits[i].score;
    for (size_t i = 0; i < got->count; i++) {
        const struct hybrid_hit *h = &got->hits[i];
        bool both = mode == SEARCH_HYBRID;

        snprintf(names[i], sizeof names[i], "product %" PRId64, document_id(h->id));
        if (both)
            snprintf(words[i], sizeof words[i], "words %.3f, then meaning %.3f", h->part[0],
                     h->part[1]);
        else
            snprintf(words[i], sizeof words[i], "%.4f", h->score);
        bars[i] = (struct svg_bar){names[i], words[i], (both ? h->part[0] : h->score) / most,
                                   both ? h->part[1] / most : 0};
    }
    if (got->count > 0 && most > 0)
        lab_svg_bars(l, "Each hit's score: what the words gave, then what the meaning gave", bars,
                     got->count);
}

static size_t rank_of(const struct search_result *got, int64_t id)
{
    for (size_t i = 0; i < got->count; i++)
        if (document_id(got->hits[i].id) == id) return i + 1;
    return 0;
}

static enum status ask(struct lab_shop *s, struct search *q, struct oltp_txn *t, uint32_t table,
                       enum search_mode mode, const char *text, struct fault *f)
{
    struct hybrid_hit hits[K];
    struct search_request want = {.mode = mode,
                                  .text = text,
                                  .size = strlen(text),
                                  .k = K,
                                  .weight = -1,
                                  .trace = s->l->trace};
    struct search_result got = {.hits = hits};
    enum status st = search_query(q, &want, &got, f);

    if (st != ST_OK) return st;
    buf_printf(&s->l->draw, "%s: \"%s\"\n", search_mode_name(mode), text);
    if (mode == SEARCH_HYBRID)
        buf_printf(&s->l->draw,
                   "  kind of query: %s; the meaning weighs %.2f; coverage of the words %.2f\n",
                   query_kind_name(got.kind), got.weight, got.features.coverage);
    for (size_t i = 0; i < got.count; i++) {
        draw_title(s, t, table, document_id(hits[i].id));
        if (mode == SEARCH_HYBRID)
            hybrid_explain(&hits[i], &s->l->draw);
        else
            buf_printf(&s->l->draw, "%.4f", hits[i].score);
        buf_str(&s->l->draw, "\n");
    }
    if (got.count == 0) buf_str(&s->l->draw, "  nothing\n");
    svg_hits(s->l, mode, &got);
    lab_measured(s->l, mode == SEARCH_HYBRID ? "kettle's rank by both" : "kettle's rank by words",
                 (double)rank_of(&got, KETTLE));
    if (mode == SEARCH_HYBRID) lab_measured(s->l, "weight of the meaning", got.weight);
    return ST_OK;
}

static enum status open_search(struct lab_shop *s, struct search **out, struct fault *f)
{
    char words[PATH_MAX_BYTES];
    struct vectors_current v = {0};
    struct search_paths paths = {.words_dir = words};
    enum status st = platform_sink_path(&s->p, "search", words, f);

    if (st == ST_OK) st = vectors_current(&s->p, &v, f);
    paths.graph_dir = v.dir;
    paths.model_path = v.model;
    return st == ST_OK ? search_open(s->l->io, &paths, LSN_MAX, out, f) : st;
}

static const struct asked {
    enum search_mode mode;
    const char *text, *title, *story;
} asked[] = {
    {SEARCH_BM25, "cordless kettle", "Words",
     "BM25 over the word index: who has the words, and how rare they are."},
    {SEARCH_VECTOR, "cordless kettle", "Meaning",
     "The query becomes a vector in the space learned from the catalogue, and the graph gives the "
     "nearest products: also those that use other words."},
    {SEARCH_HYBRID, "cordless kettle", "Both",
     "Each side's scores are put on one scale and added with a weight. A hit says how its score "
     "came about: what the words gave, what the meaning gave, "
     "and where it stood in each list."},
    {SEARCH_BM25, "something to boil water for tea", "A question in other words",
     "A description rather than a name. Words that are everywhere find many things a little."},
    {SEARCH_HYBRID, "something to boil water for tea", "The weight follows the query",
     "How much the meaning weighs depends on what the query looks like and on how much of it one "
     "document covers: little for a code, more for a "
     "paraphrase."},
    {SEARCH_HYBRID, "HK-1170", "A code has no meaning",
     "A product code is a word that exactly one document has. The meaning is not asked, or weighs "
     "next to nothing."},
};

static enum status play(struct lab_shop *s, struct search *q, const struct asked *list, size_t n,
                        struct fault *f)
{
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    uint32_t table;
    enum status st = platform_open_reader(&s->p, LSN_MAX, INT64_MIN, &db, f);

    if (st == ST_OK) st = oltp_read_begin(db, &t, f);
    if (st == ST_OK) st = oltp_table(t, "products", &table, f);
    for (size_t i = 0; st == ST_OK && i < n; i++) {
        st = ask(s, q, t, table, list[i].mode, list[i].text, f);
        buf_str(&s->l->story, list[i].story);
        if (st == ST_OK) st = lab_step(s->l, list[i].title, f);
    }
    oltp_end(t);
    oltp_close(db, NULL);
    return st;
}

/* The reader's own question, asked of words and of both. */
static enum status own_question(struct lab_shop *s, struct search *q, struct fault *f)
{
    struct asked mine[] = {{SEARCH_BM25, s->l->in.ask, "Your question: words", "Your question."},
                           {SEARCH_HYBRID, s->l->in.ask, "Your question: both", "Your question."}};

    return play(s, q, mine, ARRAY_LEN(mine), f);
}

enum status lab_play_hybrid(struct lab *l, struct fault *f)
{
    struct lab_shop s = {0};
    struct search *q = NULL;
    struct search_position at;
    lsn_t lsn;
    enum status st = shop_open(l, &s, f);

    if (st == ST_OK) st = shop_catalogue(&s, SIZE_MAX, &lsn, f);
    if (st == ST_OK) st = shop_catch_up(&s, sinks, ARRAY_LEN(sinks), f);
    if (st == ST_OK) st = open_search(&s, &q, f);
    if (st == ST_OK) {
        search_position(q, &at);
        buf_printf(&l->draw,
                   "documents %" PRIu64 "\nwords applied LSN %" PRIu64
                   ", vectors applied LSN %" PRIu64 "; answers are as of LSN %" PRIu64
                   "\nembedder %s\n",
                   at.documents, at.words_lsn, at.graph_lsn, at.lsn, at.embedder);
        buf_str(&l->story,
                "The shipped catalogue, through the log and the stream, into two indexes: words "
                "and vectors. The embedder was learned from the "
                "catalogue itself. Both sides are read at one LSN, the older of the two.");
        st = lab_step(l, "Two indexes, one moment", f);
    }
    if (st == ST_OK) st = play(&s, q, asked, ARRAY_LEN(asked), f);
    if (st == ST_OK && l->in.ask != NULL) st = own_question(&s, q, f);
    search_close(q);
    shop_close(&s);
    return st;
}
