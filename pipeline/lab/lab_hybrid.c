/* lab_hybrid - one question asked of words, of meaning, and of both. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/values/row.h"
#include "oltp/oltp.h"
#include "pipeline/lab/draw.h"
#include "pipeline/lab/scenarios.h"
#include "pipeline/lab/shop.h"
#include "pipeline/relevance/search.h"
#include "pipeline/sinks/keys.h"
#include "pipeline/sinks/vectors/vectors.h"

static const char *const sinks[] = {"search", "vectors"};

enum { K = 5, KETTLE = 101 };

static void draw_title(struct lab_shop *s, struct oltp_txn *t, uint32_t table, int64_t id)
{
    const struct seam_value key = seam_v_int(id);
    const struct seam_schema *schema = oltp_schema(t, table);
    struct oltp_row row;
    struct seam_value title;

    if (oltp_get(t, table, &key, &row, NULL) != SEAM_OK) return;
    if (seam_row_get(schema, row.row.data, row.row.size, seam_schema_column(schema, "title"),
                     &title, NULL) != SEAM_OK)
        return;
    seam_buf_printf(&s->l->draw, "  %4" PRId64 " %-52.*s ", id, (int)title.len, title.s);
}

/* What the words and what the meaning gave each hit, as bars. */
static void svg_hits(struct lab *l, enum search_mode mode, const struct search_result *got)
{
    struct lab_svg_bar bars[K];
    char names[K][24], words[K][48];
    double most = 0;

    for (size_t i = 0; i < got->count; i++)
        if (got->hits[i].score > most) most = got->hits[i].score;
    for (size_t i = 0; i < got->count; i++) {
        const struct hybrid_hit *h = &got->hits[i];
        bool both = mode == SEARCH_HYBRID;

        snprintf(names[i], sizeof names[i], "product %" PRId64, sink_id_of_key(h->id));
        if (both)
            snprintf(words[i], sizeof words[i], "words %.3f, then meaning %.3f", h->part[0],
                     h->part[1]);
        else
            snprintf(words[i], sizeof words[i], "%.4f", h->score);
        bars[i] = (struct lab_svg_bar){names[i], words[i], (both ? h->part[0] : h->score) / most,
                                       both ? h->part[1] / most : 0};
    }
    if (got->count > 0 && most > 0)
        lab_svg_bars(l, "Each hit's score: what the words gave, then what the meaning gave", bars,
                     got->count);
}

static size_t rank_of(const struct search_result *got, int64_t id)
{
    for (size_t i = 0; i < got->count; i++)
        if (sink_id_of_key(got->hits[i].id) == id) return i + 1;
    return 0;
}

static enum seam_status ask(struct lab_shop *s, struct search *q, struct oltp_txn *t,
                            uint32_t table, enum search_mode mode, const char *text,
                            struct seam_fault *f)
{
    struct hybrid_hit hits[K];
    struct search_request want = {.mode = mode,
                                  .text = text,
                                  .size = strlen(text),
                                  .k = K,
                                  .weight = -1,
                                  .trace = s->l->trace};
    struct search_result got = {.hits = hits};
    enum seam_status st = search_query(q, &want, &got, f);

    if (st != SEAM_OK) return st;
    seam_buf_printf(&s->l->draw, "%s: \"%s\"\n", search_mode_name(mode), text);
    if (mode == SEARCH_HYBRID)
        seam_buf_printf(
            &s->l->draw,
            "  kind of query: %s; the meaning weighs %.2f; coverage of the words %.2f\n",
            embed_query_kind_name(got.kind), got.weight, got.features.coverage);
    for (size_t i = 0; i < got.count; i++) {
        draw_title(s, t, table, sink_id_of_key(hits[i].id));
        if (mode == SEARCH_HYBRID)
            hybrid_explain(&hits[i], &s->l->draw);
        else
            seam_buf_printf(&s->l->draw, "%.4f", hits[i].score);
        seam_buf_str(&s->l->draw, "\n");
    }
    if (got.count == 0) seam_buf_str(&s->l->draw, "  nothing\n");
    svg_hits(s->l, mode, &got);
    lab_measured(s->l, mode == SEARCH_HYBRID ? "kettle's rank by both" : "kettle's rank by words",
                 (double)rank_of(&got, KETTLE));
    if (mode == SEARCH_HYBRID) lab_measured(s->l, "weight of the meaning", got.weight);
    return SEAM_OK;
}

static enum seam_status open_search(struct lab_shop *s, struct search **out, struct seam_fault *f)
{
    char words[SEAM_PATH_MAX_BYTES];
    struct sink_vectors_current v = {0};
    struct search_paths paths = {.words_dir = words};
    enum seam_status st = platform_sink_path(&s->p, "search", words, f);

    if (st == SEAM_OK) st = sink_vectors_current(&s->p, &v, f);
    paths.graph_dir = v.dir;
    paths.model_path = v.model;
    return st == SEAM_OK ? search_open(s->l->io, &paths, SEAM_LSN_MAX, out, f) : st;
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

static enum seam_status play(struct lab_shop *s, struct search *q, const struct asked *list,
                             size_t n, struct seam_fault *f)
{
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    uint32_t table;
    enum seam_status st = platform_open_reader(&s->p, SEAM_LSN_MAX, INT64_MIN, &db, f);

    if (st == SEAM_OK) st = oltp_read_begin(db, &t, f);
    if (st == SEAM_OK) st = oltp_table(t, "products", &table, f);
    for (size_t i = 0; st == SEAM_OK && i < n; i++) {
        st = ask(s, q, t, table, list[i].mode, list[i].text, f);
        seam_buf_str(&s->l->story, list[i].story);
        if (st == SEAM_OK) st = lab_step(s->l, list[i].title, f);
    }
    oltp_end(t);
    oltp_close(db, NULL);
    return st;
}

/* The reader's own question, asked of words and of both. */
static enum seam_status own_question(struct lab_shop *s, struct search *q, struct seam_fault *f)
{
    struct asked mine[] = {{SEARCH_BM25, s->l->in.ask, "Your question: words", "Your question."},
                           {SEARCH_HYBRID, s->l->in.ask, "Your question: both", "Your question."}};

    return play(s, q, mine, SEAM_ARRAY_LEN(mine), f);
}

enum seam_status lab_play_hybrid(struct lab *l, struct seam_fault *f)
{
    struct lab_shop s = {0};
    struct search *q = NULL;
    struct search_position at;
    seam_lsn_t lsn;
    enum seam_status st = lab_shop_open(l, &s, f);

    if (st == SEAM_OK) st = lab_shop_catalogue(&s, SIZE_MAX, &lsn, f);
    if (st == SEAM_OK) st = lab_shop_catch_up(&s, sinks, SEAM_ARRAY_LEN(sinks), f);
    if (st == SEAM_OK) st = open_search(&s, &q, f);
    if (st == SEAM_OK) {
        search_position(q, &at);
        seam_buf_printf(&l->draw,
                        "documents %" PRIu64 "\nwords applied LSN %" PRIu64
                        ", vectors applied LSN %" PRIu64 "; answers are as of LSN %" PRIu64
                        "\nembedder %s\n",
                        at.documents, at.words_lsn, at.graph_lsn, at.lsn, at.embedder);
        seam_buf_str(
            &l->story,
            "The shipped catalogue, through the log and the stream, into two indexes: words "
            "and vectors. The embedder was learned from the "
            "catalogue itself. Both sides are read at one LSN, the older of the two.");
        st = lab_step(l, "Two indexes, one moment", f);
    }
    if (st == SEAM_OK) st = play(&s, q, asked, SEAM_ARRAY_LEN(asked), f);
    if (st == SEAM_OK && l->in.ask != NULL) st = own_question(&s, q, f);
    search_close(q);
    lab_shop_close(&s);
    return st;
}
