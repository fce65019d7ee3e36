/* lab_segments - the inverted index: a buffer, segments, tombstones, merges, and what pruning
 * skips. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/rng.h"
#include "invidx/invidx.h"
#include "pipeline/lab/draw.h"
#include "pipeline/lab/scenarios.h"

enum { MANY = 6000, VOCABULARY = 500, WORDS_A_DOC = 40, TOP = 3 };

static const char dir[] = "lab/search";

struct lab_segments_world {
    struct lab *l;
    struct invidx_writer *w;
    seam_lsn_t lsn;
    uint64_t next;
};

static enum seam_status put(struct lab_segments_world *x, const char *text, struct seam_fault *f)
{
    const struct invidx_text field = {text, strlen(text)};
    const struct invidx_doc doc = {++x->next, &field, NULL};

    return invidx_upsert(x->w, &doc, x->lsn + 10, f);
}

static enum seam_status publish(struct lab_segments_world *x, struct seam_fault *f)
{
    x->lsn += 10;
    return invidx_publish(x->w, x->lsn, seam_clock_wall_us(&x->l->clock.clock), f);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

/* The newest state names its files without their endings. */
static bool has_name(const char *state, const char *file)
{
    char stem[32];

    snprintf(stem, sizeof stem, "%.*s:", (int)strcspn(file, "."), file);
    return strstr(state, stem) != NULL;
}

/* The segments of the newest state as a row of boxes; each with its documents and how many of them
 * are dead. */
static void svg_segments(struct lab *l)
{
    struct lab_svg_station list[12];
    char names[SEAM_ARRAY_LEN(list)][24], notes[SEAM_ARRAY_LEN(list)][24];
    const char *text = seam_buf_cstr(&l->draw);
    bool dead = strstr(text, "tombstones ") != NULL;
    size_t n = 0;

    for (const char *p = text; (p = strstr(p, "segment 0")) != NULL && n < SEAM_ARRAY_LEN(list);
         p++) {
        unsigned long id;
        unsigned docs;

        if (sscanf(p, "segment %lx: %u documents", &id, &docs) != 2) continue;
        snprintf(names[n], sizeof names[n], "segment %lu", id);
        snprintf(notes[n], sizeof notes[n], "%u documents", docs);
        list[n] = (struct lab_svg_station){names[n], notes[n], "box", false};
        n++;
    }
    if (n > 0 && n < SEAM_ARRAY_LEN(list) && dead)
        list[n++] = (struct lab_svg_station){"tombstones", "who died, when", "off", false};
    lab_svg_chain(l, "The index's immutable segments, oldest first", list, n);
}

/* How many documents each strategy scored and postings it decoded, beside what there is. */
static void svg_work(struct lab *l)
{
    struct lab_svg_bar bars[6];
    char names[SEAM_ARRAY_LEN(bars)][40], words[SEAM_ARRAY_LEN(bars)][40];
    size_t n = 0;

    for (size_t i = 0; lab_event(l, "search", i) != NULL && n + 2 <= SEAM_ARRAY_LEN(bars); i++) {
        static const char *const what[] = {"decoded", "scored"};
        const struct seam_trace_event *e = lab_event(l, "search", i);

        for (int k = 0; k < 2; k++, n++) {
            int64_t part = lab_arg(e, what[k]), all = lab_arg(e, "postings");

            snprintf(names[n], sizeof names[n], "%s: %s",
                     i == 0   ? "exhaustive"
                     : i == 1 ? "maxscore"
                              : "wand",
                     what[k]);
            snprintf(words[n], sizeof words[n], "%" PRId64 " of %" PRId64, part, all);
            bars[n] = (struct lab_svg_bar){names[n], words[n],
                                           (double)part / (double)(all > 0 ? all : 1), 0};
        }
    }
    lab_svg_bars(l, "Postings decoded and documents scored by each strategy", bars, n);
}

/* The files, the newest state, and (small indexes) every term with its postings. */
static enum seam_status draw(struct lab_segments_world *x, bool terms, struct seam_fault *f)
{
    struct seam_io_list names = {0};
    char path[SEAM_PATH_MAX_BYTES], newest[SEAM_PATH_MAX_BYTES] = "";
    struct seam_buf *b = &x->l->draw;
    enum seam_status st = seam_io_list(x->l->io, dir, &names, f);

    for (size_t i = 0; st == SEAM_OK && i < names.count; i++)
        if (ends_with(names.names[i], ".manifest"))
            st = seam_path_join(newest, dir, names.names[i], f);
    if (st == SEAM_OK) st = invidx_dump(x->l->io, newest, b, f);
    if (st == SEAM_OK) svg_segments(x->l);
    for (size_t i = 0; st == SEAM_OK && terms && i < names.count; i++) {
        struct seam_buf one = {0};
        char *line, *save = NULL;

        if (!ends_with(names.names[i], ".seg") && !ends_with(names.names[i], ".del")) continue;
        if (!has_name(seam_buf_cstr(b), names.names[i])) continue; /* of an older state */
        st = seam_path_join(path, dir, names.names[i], f);
        if (st == SEAM_OK) st = invidx_dump(x->l->io, path, &one, f);
        seam_buf_printf(b, "%s\n", names.names[i]);
        for (line = strtok_r((char *)(uintptr_t)seam_buf_cstr(&one), "\n", &save); line != NULL;
             line = strtok_r(NULL, "\n", &save))
            if (strncmp(line, "term ", 5) == 0 || strstr(line, "died at") != NULL)
                seam_buf_printf(b, "  %s\n", line);
        seam_buf_free(&one);
    }
    seam_io_list_free(&names);
    return st;
}

static enum seam_status step(struct lab_segments_world *x, const char *title, bool terms,
                             struct seam_fault *f)
{
    enum seam_status st = draw(x, terms, f);

    return st == SEAM_OK ? lab_step(x->l, title, f) : st;
}

/* The query with one strategy: hits, scores and the work. */
static enum seam_status search(struct lab_segments_world *x, struct invidx_reader *r,
                               const char *words, enum invidx_strategy how, const char *name,
                               bool explain, struct seam_fault *f)
{
    struct invidx_hit hits[TOP];
    struct invidx_request want = {.k = TOP, .strategy = how, .trace = x->l->trace};
    struct invidx_result got = {.hits = hits};
    struct invidx_explain why = {0};
    struct invidx_query *q = NULL;
    struct seam_buf *b = &x->l->draw;
    enum seam_status st = invidx_query_new(r, &q, f);

    if (st == SEAM_OK) st = invidx_query_words(q, words, strlen(words), INVIDX_OR, f);
    if (st == SEAM_OK) st = invidx_search(r, q, &want, &got, f);
    if (st == SEAM_OK)
        seam_buf_printf(b,
                        "%-10s postings %6" PRIu64 "  decoded %6" PRIu64 "  scored %6" PRIu64
                        "  blocks %4" PRIu64 "  skipped %4" PRIu64 "\n",
                        name, got.work.postings, got.work.decoded, got.work.scored, got.work.blocks,
                        got.work.blocks_skipped);
    for (size_t i = 0; st == SEAM_OK && i < got.count; i++)
        seam_buf_printf(b, "   document %-5" PRIu64 " %.6f\n", hits[i].key, hits[i].score);
    if (st == SEAM_OK && explain && got.count > 0)
        st = invidx_explain(r, q, &want, hits[0].key, &why, f);
    for (size_t i = 0; st == SEAM_OK && i < why.count; i++)
        seam_buf_printf(b,
                        "   why: %-12.*s idf %.3f (in %" PRIu64 " of %" PRIu64
                        "), tf part %.3f, gives %.6f\n",
                        (int)why.terms[i].len, why.terms[i].term, why.terms[i].idf, why.terms[i].df,
                        why.terms[i].docs, why.terms[i].tf_part, why.terms[i].contribution);
    invidx_query_free(q);
    return st;
}

/* How many different words the documents have, and how many terms the index made of them. */
static void measure_terms(struct lab *l, const char *const *docs, size_t n)
{
    struct seam_buf seen = {0};
    unsigned words = 0, terms = 0;

    for (const char *p = seam_buf_cstr(&l->draw); (p = strstr(p, "  term ")) != NULL; p++) terms++;
    seam_buf_str(&seen, " ");
    for (size_t i = 0; i < n; i++)
        for (const char *p = docs[i] + strspn(docs[i], " "); *p != '\0'; p += strspn(p, " ")) {
            char word[66];
            size_t len = strcspn(p, " ");

            snprintf(word, sizeof word, " %.*s ", (int)(len < 63 ? len : 63), p);
            if (strstr(seam_buf_cstr(&seen), word) == NULL) {
                seam_buf_str(&seen, word + 1);
                words++;
            }
            p += len;
        }
    seam_buf_free(&seen);
    lab_measured(l, "words", words);
    lab_measured(l, "terms", terms);
}

/* The reader's own search: each hit with how often it has the word, and what that gave. */
static enum seam_status own_search(struct lab_segments_world *x, const char *words,
                                   struct seam_fault *f)
{
    struct invidx_hit hits[TOP];
    const struct invidx_request want = {.k = TOP, .trace = x->l->trace};
    struct invidx_result got = {.hits = hits};
    struct invidx_reader *r = NULL;
    struct invidx_query *q = NULL;
    double least[2] = {0},
           most[2] = {0}; /* tf and score of the documents that have it least, most */
    enum seam_status st = invidx_reader_open(x->l->io, dir, SEAM_LSN_MAX, &r, f);

    if (st == SEAM_OK) st = invidx_query_new(r, &q, f);
    if (st == SEAM_OK) st = invidx_query_words(q, words, strlen(words), INVIDX_OR, f);
    if (st == SEAM_OK) st = invidx_search(r, q, &want, &got, f);
    for (size_t i = 0; st == SEAM_OK && i < got.count; i++) {
        struct invidx_explain why = {0};
        double tf = 0;

        st = invidx_explain(r, q, &want, hits[i].key, &why, f);
        for (size_t t = 0; st == SEAM_OK && t < why.count; t++) tf += why.terms[t].tf;
        seam_buf_printf(&x->l->draw, "document %" PRIu64 ": has it %.0f times, score %.6f\n",
                        hits[i].key, tf, hits[i].score);
        if (i == 0 || tf < least[0]) least[0] = tf, least[1] = hits[i].score;
        if (i == 0 || tf > most[0]) most[0] = tf, most[1] = hits[i].score;
    }
    if (st == SEAM_OK && got.count == 0) seam_buf_str(&x->l->draw, "no document has it\n");
    invidx_query_free(q);
    invidx_reader_close(r);
    if (st != SEAM_OK) return st;
    lab_measured(x->l, "hits", (double)got.count);
    lab_measured(x->l, "times as often", least[0] > 0 ? most[0] / least[0] : 0);
    lab_measured(x->l, "times the score", least[1] > 0 ? most[1] / least[1] : 0);
    seam_buf_printf(&x->l->story, "Your search for \"%.60s\", in your documents.", words);
    return lab_step(x->l, "Your search", f);
}

static enum seam_status begin(struct lab_segments_world *x, const char *const *docs, size_t n,
                              struct seam_fault *f)
{
    const struct invidx_field field = {"text", 1};
    const struct invidx_schema schema = {
        .fields = &field, .field_count = 1, .analysis = invidx_analysis_default()};
    const struct invidx_writer_options o = {.trace = x->l->trace, .merge_fanout = 4};
    enum seam_status st = invidx_writer_open(x->l->io, dir, &schema, &o, &x->w, f);

    for (size_t i = 0; st == SEAM_OK && i < n; i++) {
        st = put(x, docs[i], f);
        seam_buf_printf(&x->l->draw, "document %" PRIu64 ": %s\n", x->next, docs[i]);
        if (st == SEAM_OK)
            st = invidx_analyze(&schema.analysis, docs[i], strlen(docs[i]), &x->l->draw, f);
    }
    seam_buf_str(&x->l->story,
                 "Each document is cut into terms: folded, stop words dropped, stemmed "
                 "(term, position, first and last byte). They "
                 "sit in a buffer in memory; nobody can find them yet.");
    if (st == SEAM_OK) st = lab_step(x->l, "Words become terms", f);
    if (st == SEAM_OK) st = publish(x, f);
    seam_buf_str(&x->l->story,
                 "publish(LSN 10) wrote the buffer as one immutable segment and named it "
                 "in a manifest: visible and durable in one "
                 "step. A term's postings read document@field.position.");
    if (st == SEAM_OK) st = draw(x, true, f);
    measure_terms(x->l, docs, n);
    if (st == SEAM_OK) st = lab_step(x->l, "Publishing makes a segment", f);
    return st == SEAM_OK && x->l->in.ask != NULL ? own_search(x, x->l->in.ask, f) : st;
}

static enum seam_status change(struct lab_segments_world *x, const char *const *docs, size_t n,
                               struct seam_fault *f)
{
    struct invidx_reader *r = NULL;
    enum seam_status st = invidx_delete(x->w, 1, x->lsn + 10, f);

    for (size_t i = 0; st == SEAM_OK && i < n; i++) st = put(x, docs[i], f);
    if (st == SEAM_OK) st = publish(x, f);
    seam_buf_str(&x->l->story,
                 "Document 1 is deleted and more are added. The first segment is not "
                 "touched: a tombstone beside it says at which LSN "
                 "document 0 of it died, so a reader as of an LSN before still finds it.");
    if (st == SEAM_OK) st = step(x, "A second segment, and a tombstone", true, f);
    if (st == SEAM_OK) st = invidx_reader_open(x->l->io, dir, SEAM_LSN_MAX, &r, f);
    if (st == SEAM_OK) st = search(x, r, "garden hose", INVIDX_AUTO, "auto", true, f);
    seam_buf_str(&x->l->story,
                 "A search for \"garden hose\" and why its first answer has its score: "
                 "rarer words count more (idf), repeated ones less "
                 "and less (tf part). The parts add up exactly.");
    if (st == SEAM_OK) st = lab_step(x->l, "A search, explained", f);
    invidx_reader_close(r);
    return st;
}

static enum seam_status merge(struct lab_segments_world *x, struct seam_fault *f)
{
    static const char *const more[] = {"a garden chair", "a hose clamp", "the green house"};
    bool worked = true;
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < SEAM_ARRAY_LEN(more); i++) {
        st = put(x, more[i], f);
        if (st == SEAM_OK) st = publish(x, f);
    }
    seam_buf_str(&x->l->story,
                 "Three more publications: three more small segments. Every search must "
                 "look into each of them.");
    if (st == SEAM_OK) st = step(x, "Many small segments", false, f);
    while (st == SEAM_OK && worked) st = invidx_maintain(x->w, &worked, f);
    seam_buf_str(
        &x->l->story,
        "Maintenance: a segment too full of the dead is written anew without them, and when one "
        "size class has "
        "enough segments they become one (segment_merge). A merge compares a digest of the live "
        "postings before and after, and would publish nothing if they differed. Scores do not "
        "depend on how the documents are "
        "spread over segments.");
    return st == SEAM_OK ? step(x, "A merge", true, f) : st;
}

/* A few thousand made-up documents; most words are rare, a few are everywhere. They grow longer,
 * and a word weighs less in a long document, so blocks differ in what they can give. */
static enum seam_status many(struct lab_segments_world *x, struct seam_fault *f)
{
    struct seam_rng rng;
    struct seam_zipf z;
    enum seam_status st = SEAM_OK;

    seam_rng_seed(&rng, x->l->in.seed);
    seam_zipf_init(&z, VOCABULARY, 0.9);
    for (int d = 0; st == SEAM_OK && d < MANY; d++) {
        struct seam_buf b = {0};
        uint64_t words = 2 + (uint64_t)d * WORDS_A_DOC / MANY + seam_rng_below(&rng, 3);

        for (uint64_t i = 0; i < words; i++)
            seam_buf_printf(&b, "w%" PRIu64 " ", seam_zipf_next(&z, &rng));
        st = put(x, seam_buf_cstr(&b), f);
        seam_buf_free(&b);
    }
    return st == SEAM_OK ? publish(x, f) : st;
}

static enum seam_status prune(struct lab_segments_world *x, struct seam_fault *f)
{
    struct invidx_reader *r = NULL;
    enum seam_status st = many(x, f);

    if (st == SEAM_OK) st = invidx_reader_open(x->l->io, dir, SEAM_LSN_MAX, &r, f);
    if (st == SEAM_OK) st = search(x, r, "w0 w1 w137", INVIDX_EXHAUSTIVE, "exhaustive", false, f);
    seam_buf_printf(
        &x->l->story,
        "%d made-up documents; word w0 is in very many, w137 in few. The three best for "
        "\"w0 w1 w137\", by scoring every "
        "document that has any of them: the truth.",
        MANY);
    svg_work(x->l);
    if (st == SEAM_OK) st = lab_step(x->l, "Every match scored", f);
    if (st == SEAM_OK) st = search(x, r, "w0 w1 w137", INVIDX_EXHAUSTIVE, "exhaustive", false, f);
    if (st == SEAM_OK) st = search(x, r, "w0 w1 w137", INVIDX_MAXSCORE, "maxscore", false, f);
    if (st == SEAM_OK) st = search(x, r, "w0 w1 w137", INVIDX_WAND, "wand", false, f);
    seam_buf_str(&x->l->story,
                 "Postings stand in blocks of 128, each with the most that any of its "
                 "documents can score. Once three good answers are "
                 "known, a block that cannot beat the third is skipped without being "
                 "decoded. Fewer are scored; hits and scores "
                 "are the same to the last bit.");
    svg_work(x->l);
    if (st == SEAM_OK) st = lab_step(x->l, "Block-Max pruning: the same answer for less", f);
    invidx_reader_close(r);
    return st;
}

enum seam_status lab_play_segments(struct lab *l, struct seam_fault *f)
{
    static const char *const plain[] = {"A green garden hose, thirty metres of hose",
                                        "The hose reel", "Gardening gloves, green"};
    static const char *const later[] = {"A reel for the garden hose",
                                        "Hedge trimmers for every garden"};
    struct lab_segments_world x = {.l = l};
    enum seam_status st = l->in.doc_count > 0 ? begin(&x, l->in.docs, l->in.doc_count, f)
                                              : begin(&x, plain, SEAM_ARRAY_LEN(plain), f);

    if (st == SEAM_OK) st = change(&x, later, SEAM_ARRAY_LEN(later), f);
    if (st == SEAM_OK) st = merge(&x, f);
    if (st == SEAM_OK) st = prune(&x, f);
    invidx_writer_close(x.w);
    return st;
}
