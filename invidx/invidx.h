/* invidx - the inverted index: words to documents, best first.
 *
 *   upsert/delete --> buffer --publish--> segment 1  segment 2  segment 3 ...   immutable files
 *                                              \________|________/
 *                                                    maintain (tiered merges, vacuum)
 *   manifest N = { segments, tombstones } at one applied LSN  --open--> reader --search--> hits
 *
 * A document is a key (uint64; map signed ids by flipping the sign bit), a text for each of the index's
 * fields, and a value for each of its attributes. Fields are searched, with weights; attributes are
 * filtered by, counted (facets) and sorted by. Texts are not stored: the row store has them.
 *
 * One writer process (lock file; SEAM_CONFLICT names the holder), any number of reader processes. A writer
 * handle and its merger thread (if one was started) lock among themselves; a reader, with its queries,
 * belongs to one thread at a time: open one reader a thread, they share the page cache.
 *
 * History-free scores: a score depends on the live documents alone. An index that lived through any
 * churn of upserts, deletes and merges answers bit for bit like a fresh build of the same documents.
 * Ties are broken by the lower key. Pruned and exhaustive evaluation give the same hits and scores.
 *
 * Imports: engine.  Imported by: pipeline.  Formats: docs/reference/formats/invidx.md
 * Papers: Robertson, Zaragoza & Taylor (CIKM 2004), Ding & Suel (SIGIR 2011), Lemire & Boytsov (SPE 2015) */
#ifndef SEAM_INVIDX_INVIDX_H
#define SEAM_INVIDX_INVIDX_H

#include "engine/base/buf.h"
#include "engine/base/hash.h"
#include "engine/base/lsn.h"
#include "engine/base/status.h"
#include "engine/base/trace.h"
#include "engine/io/io.h"
#include "engine/values/value.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    INVIDX_FIELDS_MAX = 8,
    INVIDX_ATTRS_MAX = 16,
    INVIDX_NAME_MAX = 63, /* bytes in the name of a field or attribute         */
    INVIDX_WEIGHT_MAX = 64,
    INVIDX_TERM_MAX = 64,              /* bytes in a term; longer tokens are cut there      */
    INVIDX_FIELD_TOKENS_MAX = 1 << 20, /* tokens of one field that are indexed          */
    INVIDX_KEYWORD_MAX = 1024,         /* bytes in a keyword attribute's value              */
    INVIDX_K_MAX = 100000,             /* hits one search may ask for                       */
    INVIDX_QUERY_BYTES_MAX = 16384,
    INVIDX_QUERY_NODES_MAX = 1024, /* clauses of one query, and                         */
    INVIDX_QUERY_DEPTH_MAX = 32,   /* how deep they may nest                            */
    INVIDX_EXPANSIONS_MAX =
        256, /* terms one prefix or fuzzy clause may become; the most frequent win */
    INVIDX_SLOP_MAX = 64,
    INVIDX_FILTERS_MAX = 32,
    INVIDX_SEGMENTS_MAX = 4096,
};

/* ---- what an index holds ---- */
enum invidx_tokenizer { /* on disk; never renumber */
                        INVIDX_WORDS =
                            1, /* UTF-8 letters and digits; inner ' and - rules; "12v" and "2.5kg" whole      */
                        INVIDX_ASCII =
                            2, /* maximal runs of [a-z0-9] after ASCII lower-casing, nothing else             */
};
enum invidx_stemmer { INVIDX_STEM_NONE = 0, INVIDX_STEM_PLURAL = 1, INVIDX_STEM_PORTER2 = 2 };

/* The chain that turns text into terms, the same for documents and queries. It is stored in the index.
 * Words are folded (case and accents), dropped when a stop word, stemmed. Synonyms widen queries only.
 * stop_words: one word a line, '#' starts a comment. synonyms: one rule a line, "tv, television, telly"
 * (each means all) or "sneakers => trainers, running shoes" (left is also searched as right).         */
struct invidx_analysis {
    enum invidx_tokenizer tokenizer;
    enum invidx_stemmer stemmer;
    bool fold_accents;
    const char *stop_words, *synonyms; /* terminated texts, not file names; NULL = none */
};
/* WORDS, folding, Porter2, a short list of English stop words, no synonyms.                           */
struct invidx_analysis invidx_analysis_default(void);
/* ASCII runs, no folding, no stemming, no stop words: what the benches compare with.                  */
struct invidx_analysis invidx_analysis_plain(void);

enum invidx_attr_type {                     /* on disk; never renumber */
                        INVIDX_KEYWORD = 1, /* text, compared byte by byte: category, brand       */
                        INVIDX_INT64 = 2,   /* ints, scaled decimals, times, bools: price, stock  */
};
struct invidx_field {
    const char *name;
    uint32_t weight;
}; /* 1..INVIDX_WEIGHT_MAX */
struct invidx_attr {
    const char *name;
    enum invidx_attr_type type;
};

struct invidx_schema {
    const struct invidx_field *fields;
    size_t field_count; /* 1..INVIDX_FIELDS_MAX */
    const struct invidx_attr *attrs;
    size_t attr_count; /* 0..INVIDX_ATTRS_MAX  */
    struct invidx_analysis analysis;
    double k1, b; /* both 0 = the defaults 1.2 and 0.75 */
};

/* ---- writing ---- */
struct invidx_writer;

struct invidx_writer_options {
    size_t buffer_bytes; /* memory for unpublished documents; 0 = 64 MiB. Past it they are written
                                 * to a segment that the next publish names.                            */
    uint32_t keep_manifests; /* old states kept for AS OF by number; 0 = 16        */
    int64_t keep_us;         /* ... and by age: younger ones are kept too; 0 = none */
    uint32_t merge_fanout;   /* segments of one size class that become one; 0 = 8  */
    double merge_mb_per_s;   /* throttle; 0 = none                                 */
    struct seam_trace *trace;
    struct seam_owner
        owner; /* whose; zeros: whoever made it. Another platform's is SEAM_CONFLICT */
};

/* Opens dir (made when missing). schema: needed to create; for an existing index NULL, or equal to what
 * it was created with (else SEAM_CONFLICT). options may be NULL. SEAM_CONFLICT when another process writes. */
SEAM_MUST_USE enum seam_status invidx_writer_open(struct seam_io *io, const char *dir,
                                                  const struct invidx_schema *schema,
                                                  const struct invidx_writer_options *options,
                                                  struct invidx_writer **out, struct seam_fault *f);
/* Forgets what was not published; ends the merger thread. Accepts NULL.                               */
void invidx_writer_close(struct invidx_writer *w);

struct invidx_text {
    const char *s;
    size_t n;
}; /* bytes, UTF-8 by convention; {NULL, 0} = empty */
struct invidx_doc {
    uint64_t key;
    const struct invidx_text *fields; /* one for each field of the schema, in its order */
    const struct seam_value
        *attrs; /* one for each attribute; SEAM_V_NULL allowed. KEYWORD takes SEAM_V_TEXT,
                                       * INT64 takes INT, DECIMAL (its scaled value), TIME, BOOL         */
};

/* Makes the document what its key finds, from lsn on; an older document of the key dies at lsn. Changes
 * arrive in LSN order; one at or below the applied LSN is ignored (replays are harmless).             */
SEAM_MUST_USE enum seam_status invidx_upsert(struct invidx_writer *w, const struct invidx_doc *doc,
                                             seam_lsn_t lsn, struct seam_fault *f);
/* SEAM_OK also when the key is unknown.                                                                */
SEAM_MUST_USE enum seam_status invidx_delete(struct invidx_writer *w, uint64_t key, seam_lsn_t lsn,
                                             struct seam_fault *f);
/* Makes everything since the last publish visible and durable, with its applied LSN, in one step. With
 * nothing to say but a newer LSN it publishes that. An older applied_lsn is SEAM_INVALID.               */
SEAM_MUST_USE enum seam_status invidx_publish(struct invidx_writer *w, seam_lsn_t applied_lsn,
                                              int64_t wall_us, struct seam_fault *f);
seam_lsn_t invidx_writer_applied(struct invidx_writer *w);
/* Whose the index is, and which history its newest state tells (what a publish will say).             */
struct seam_owner invidx_writer_owner(const struct invidx_writer *w);
/* The state the writer's next publish builds on: 0 before the first.                                  */
uint64_t invidx_writer_live(struct invidx_writer *w); /* live documents, buffered ones included */

/* One step of upkeep: a merge when a size class is full or deletes weigh too much, then vacuum of states
 * past retention. *worked tells whether there may be more to do. Readers are never blocked. Each merge
 * compares the additive digest of the live postings before and after (from the written file) and gives
 * SEAM_CORRUPT, publishing nothing, when they differ.                                                   */
SEAM_MUST_USE enum seam_status invidx_maintain(struct invidx_writer *w, bool *worked,
                                               struct seam_fault *f);
/* Merges everything into one segment.                                                                */
SEAM_MUST_USE enum seam_status invidx_compact(struct invidx_writer *w, struct seam_fault *f);
/* Runs maintain in one thread of its own, whenever a publish made work, until stopped (or close). Its
 * first failure is returned by stop and by the next publish.                                          */
SEAM_MUST_USE enum seam_status invidx_merger_start(struct invidx_writer *w, struct seam_fault *f);
SEAM_MUST_USE enum seam_status invidx_merger_stop(struct invidx_writer *w, struct seam_fault *f);

/* ---- reading ---- */
struct invidx_reader;

/* as_of: SEAM_LSN_MAX = newest. Else exactly the changes with lsn <= as_of, within retention: SEAM_NOT_FOUND
 * names the readable range. A folder that was never published to is SEAM_NOT_FOUND.                     */
SEAM_MUST_USE enum seam_status invidx_reader_open(struct seam_io *io, const char *dir,
                                                  seam_lsn_t as_of, struct invidx_reader **out,
                                                  struct seam_fault *f);
/* Moves a newest-reader to the newest state; *changed may be NULL. Queries parsed before stay valid.  */
SEAM_MUST_USE enum seam_status invidx_reader_refresh(struct invidx_reader *r, bool *changed,
                                                     struct seam_fault *f);
void invidx_reader_close(struct invidx_reader *r);

struct invidx_info {
    seam_lsn_t applied_lsn; /* of the state held (as_of for an AS OF reader)      */
    seam_lsn_t oldest_lsn;  /* the readable range: oldest_lsn .. applied_lsn       */
    int64_t wall_us;        /* when that state was published                      */
    uint64_t manifest;      /* its number                                         */
    uint64_t docs;          /* live                                               */
    uint64_t dead;          /* deleted, not yet merged away                       */
    uint64_t length_sum;    /* weighted tokens of the live documents              */
    uint64_t bytes;         /* of the state's files                               */
    size_t segments;
    size_t field_count, attr_count;
    const char *fields[INVIDX_FIELDS_MAX]; /* until the reader is closed       */
    uint32_t weights[INVIDX_FIELDS_MAX];
    const char *attrs[INVIDX_ATTRS_MAX];
    struct seam_owner owner; /* whose, and which history this state tells           */
    enum invidx_attr_type attr_types[INVIDX_ATTRS_MAX];
    double k1, b;
};
void invidx_reader_info(const struct invidx_reader *r, struct invidx_info *out);
seam_lsn_t invidx_reader_applied(const struct invidx_reader *r);
/* True when the key is a live document of this state.                                                 */
SEAM_MUST_USE enum seam_status invidx_contains(struct invidx_reader *r, uint64_t key, bool *found,
                                               struct seam_fault *f);

/* ---- queries ----
 *
 * query   = clause { [AND | OR | NOT] clause }          AND binds tighter than OR; side by side = `side`
 * clause  = [+ | - | !] [field:] ( word | word* | word~ | word~1 | word~2 | "a phrase" | "a phrase"~slop
 *           | ( query ) ) [^boost]
 *         | attr:value | attr:"value" | attr:[lo TO hi] | attr:{lo TO hi} | attr:>lo | attr:<=hi     filters
 * + must, - must not. A field name scopes a clause; an attribute's name makes a filter (it never
 * scores). A word that analysis splits ("wi-fi") is a phrase. * alone matches every document.         */
struct
    invidx_query; /* owns everything of one query; reusable, so that the hot path allocates nothing */
struct invidx_node; /* a clause; lives in its query */

enum invidx_side { INVIDX_OR = 0, INVIDX_AND = 1 }; /* what two clauses side by side mean */

SEAM_MUST_USE enum seam_status invidx_query_new(struct invidx_reader *r, struct invidx_query **out,
                                                struct seam_fault *f);
void invidx_query_free(struct invidx_query *q);
/* Forgets the previous query. SEAM_INVALID gives the column in fault.at (from 1), SEAM_LIMIT the limit.   */
SEAM_MUST_USE enum seam_status invidx_query_parse(struct invidx_query *q, const char *s, size_t n,
                                                  enum invidx_side side, struct seam_fault *f);
/* As parse, for text from a search box: no operators, every mark is a separator, never SEAM_INVALID.    */
SEAM_MUST_USE enum seam_status invidx_query_words(struct invidx_query *q, const char *s, size_t n,
                                                  enum invidx_side side, struct seam_fault *f);
/* What the query was understood as, in the same language.                                             */
void invidx_query_print(const struct invidx_query *q, struct seam_buf *out);

/* Building by hand. field -1 = all fields. NULL from a builder (no memory, limit, unknown name) makes the
 * query refuse to run and say why. Words go through analysis.                                         */
void invidx_query_reset(struct invidx_query *q);
struct invidx_node *invidx_word(struct invidx_query *q, int field, const char *s, size_t n);
struct invidx_node *invidx_phrase(struct invidx_query *q, int field, const char *s, size_t n,
                                  uint32_t slop);
struct invidx_node *invidx_prefix(struct invidx_query *q, int field, const char *s, size_t n);
struct invidx_node *invidx_fuzzy(struct invidx_query *q, int field, const char *s, size_t n,
                                 int edits);
struct invidx_node *invidx_all(struct invidx_query *q);
struct invidx_node *invidx_range(struct invidx_query *q, int attr, int64_t lo,
                                 int64_t hi); /* inclusive */
struct invidx_node *invidx_keyword(struct invidx_query *q, int attr, const char *s, size_t n);
enum invidx_occur { INVIDX_SHOULD = 0, INVIDX_MUST = 1, INVIDX_MUST_NOT = 2, INVIDX_FILTER = 3 };
struct invidx_node *invidx_bool(struct invidx_query *q, uint32_t min_should);
bool invidx_bool_add(struct invidx_query *q, struct invidx_node *parent, enum invidx_occur occur,
                     struct invidx_node *child);
void invidx_boost(struct invidx_node *n, double boost); /* > 0 */
void invidx_query_set(struct invidx_query *q, struct invidx_node *root);
int invidx_field_id(const struct invidx_reader *r, const char *name); /* -1 = none */
int invidx_attr_id(const struct invidx_reader *r, const char *name);

/* ---- searching ---- */
enum invidx_strategy {
    INVIDX_AUTO = 0,
    INVIDX_EXHAUSTIVE, /* scores every match: the truth that the others are held to */
    INVIDX_MAXSCORE,   /* block-max MaxScore                                        */
    INVIDX_WAND,       /* block-max WAND                                            */
};

struct invidx_hit {
    uint64_t key;
    double score;
    int64_t sort_int; /* when sorted by an INT64 attribute; INT64_MIN for null    */
};

struct invidx_facet_request {
    int attr;
    size_t limit;          /* KEYWORD: most frequent values wanted            */
    const int64_t *bounds; /* INT64: n bounds make n+1 ranges (-inf,b0) [b0,b1) .. [bn-1,inf) */
    size_t bound_count;
};
struct invidx_facet_value {
    const char *text;
    size_t len;
    int64_t lo, hi;
    uint64_t count;
};
struct invidx_facet {
    int attr;
    size_t count;
    struct invidx_facet_value *values;
    uint64_t missing;
};

struct invidx_request {
    size_t k; /* hits wanted; the caller's memory of k in result.hits */
    enum invidx_strategy strategy;
    bool count_total;     /* exact number of matches (no pruning)                 */
    int sort_attr;        /* 0 = by score, else attribute id + 1, ties by key      */
    bool sort_descending; /* nulls last either way                                 */
    bool has_after;       /* cursor: only what comes after this hit, in this order */
    struct invidx_hit after;
    double k1, b;            /* < 0 or (both 0) = the index's                         */
    const uint32_t *weights; /* field weights for this search; NULL = the index's     */
    const struct invidx_facet_request *facets;
    size_t facet_count;
    struct seam_trace *trace;
};

struct invidx_work {   /* work done and avoided */
    uint64_t postings; /* postings of the query's terms                     */
    uint64_t decoded;  /* ... that were decoded                             */
    uint64_t scored;   /* ... whose score was computed                      */
    uint64_t blocks, blocks_skipped;
    uint64_t positions; /* positions read                                    */
    const char *plan;   /* "single", "or-maxscore", "or-wand", "and", "phrase", "windows", ... */
};

struct invidx_result {
    struct invidx_hit *hits; /* in: the caller's memory of request.k              */
    size_t count;
    uint64_t total; /* matches; exact when total_exact, else at least    */
    bool total_exact;
    struct invidx_facet *facets; /* facet_count of them; live in the query until its next use */
    struct invidx_work work;
    seam_lsn_t applied_lsn;
};

SEAM_MUST_USE enum seam_status invidx_search(struct invidx_reader *r, struct invidx_query *q,
                                             const struct invidx_request *req,
                                             struct invidx_result *out, struct seam_fault *f);
/* Matches alone: no scores are computed. */
SEAM_MUST_USE enum seam_status invidx_count(struct invidx_reader *r, struct invidx_query *q,
                                            uint64_t *out, struct seam_fault *f);
/* Every live key that matches, ascending, into *keys (freed by the caller): for filters elsewhere.     */
SEAM_MUST_USE enum seam_status invidx_matches(struct invidx_reader *r, struct invidx_query *q,
                                              uint64_t **keys, size_t *count, struct seam_fault *f);

/* How one document's score comes about. The contributions add up to score exactly.                    */
struct invidx_explain_term {
    const char *term;
    size_t len;
    double idf, boost, tf, length, average_length, tf_part, contribution;
    uint64_t df, docs;
    double field_tf[INVIDX_FIELDS_MAX];
};
struct invidx_explain {
    bool matches;
    double score;
    double k1, b;
    size_t count;
    struct invidx_explain_term *terms; /* live in the query until its next use */
};
SEAM_MUST_USE enum seam_status invidx_explain(struct invidx_reader *r, struct invidx_query *q,
                                              const struct invidx_request *req, uint64_t key,
                                              struct invidx_explain *out, struct seam_fault *f);

/* ---- around a query ---- */
/* What the words of a parsed query are to this index, before anything is searched: for judging a query.
 * One entry a word or phrase, in order; stop words have none. `text` lives until the query's next use.   */
struct invidx_query_term {
    const char *text;
    size_t len;
    bool phrase; /* text is its first word; df of its rarest word, idf the sum of its words' */
    uint64_t df; /* live documents; 0 = unknown here          */
    double idf;
};
SEAM_MUST_USE enum seam_status invidx_query_terms(struct invidx_query *q,
                                                  struct invidx_query_term *out, size_t max,
                                                  size_t *count, struct seam_fault *f);

struct invidx_suggestion {
    char text[INVIDX_TERM_MAX + 1];
    uint64_t docs;
    int edits;
};
/* Words of the index that begin with `prefix`, most frequent first: typeahead.                        */
SEAM_MUST_USE enum seam_status invidx_complete(struct invidx_reader *r, const char *prefix,
                                               size_t n, struct invidx_suggestion *out, size_t max,
                                               size_t *count, struct seam_fault *f);
/* Did you mean: the words within two edits, nearest and most frequent first. Numbers and codes get none. */
SEAM_MUST_USE enum seam_status invidx_suggest(struct invidx_reader *r, const char *word, size_t n,
                                              struct invidx_suggestion *out, size_t max,
                                              size_t *count, struct seam_fault *f);
/* The whole query with its unknown words replaced; empty when there is nothing to correct.             */
SEAM_MUST_USE enum seam_status invidx_did_you_mean(struct invidx_reader *r, const char *query,
                                                   size_t n, struct seam_buf *out,
                                                   struct seam_fault *f);

struct invidx_snippet_options {
    size_t max_bytes;
    const char *before, *after, *ellipsis;
}; /* 0/NULL = defaults */
/* The window of `text` that covers the query best, its words marked; text is the row's.               */
SEAM_MUST_USE enum seam_status invidx_snippet(struct invidx_reader *r, struct invidx_query *q,
                                              const char *text, size_t n,
                                              const struct invidx_snippet_options *o,
                                              struct seam_buf *out, struct seam_fault *f);
/* The terms that text becomes, one a line: "term<TAB>position<TAB>begin<TAB>end".                      */
SEAM_MUST_USE enum seam_status invidx_analyze(const struct invidx_analysis *a, const char *text,
                                              size_t n, struct seam_buf *out, struct seam_fault *f);

/* ---- care ---- */
/* Walks every checksum and invariant of every kept state; appends a report. SEAM_CORRUPT at the first
 * damage (the fault names file and offset).                                                           */
SEAM_MUST_USE enum seam_status invidx_verify(struct seam_io *io, const char *dir,
                                             struct seam_buf *report, struct seam_fault *f);
/* A file of ours (segment, tombstones, manifest) as text; never trusts it.                            */
SEAM_MUST_USE enum seam_status invidx_dump(struct seam_io *io, const char *path,
                                           struct seam_buf *out, struct seam_fault *f);

/* Every live (term, document, frequencies, positions), added up: equal for equal documents, whatever the
 * history. Slow: reads everything.                                                                    */
SEAM_MUST_USE enum seam_status invidx_digest(struct invidx_reader *r, struct seam_digest *out,
                                             struct seam_fault *f);

/* ---- content, document by document: for reconciliation ----
 * words: count and sum of one hash a term, of everything the document is found by in the texts (term, key, frequency and
 * positions in each field): the same whatever the history, and the same from the text with the index's own analysis. A
 * term's hash is part of the segment format.                                                          */
struct invidx_content {
    uint64_t key;
    seam_lsn_t birth; /* of the change that made it                                           */
    struct seam_digest
        words; /* count 0: no words, or not asked for                                  */
    const struct seam_value *
        attrs; /* one an attribute; KEYWORD SEAM_V_TEXT, INT64 SEAM_V_INT, or SEAM_V_NULL. Texts live as long as the
                                * reader stays on this state                                           */
};
typedef enum seam_status (*invidx_content_fn)(void *ctx, const struct invidx_content *c,
                                              struct seam_fault *f);
/* Every live document, in no promised order, until fn returns another status than SEAM_OK. With `words` all postings are
 * read once.                                                                                          */
SEAM_MUST_USE enum seam_status invidx_contents(struct invidx_reader *r, bool words,
                                               invidx_content_fn fn, void *ctx,
                                               struct seam_fault *f);
struct invidx_hasher;
/* Belongs to one thread and must be freed before the reader, whose analysis it uses.                  */
SEAM_MUST_USE enum seam_status invidx_hasher_new(const struct invidx_reader *r,
                                                 struct invidx_hasher **out, struct seam_fault *f);
void invidx_hasher_free(struct invidx_hasher *h); /* accepts NULL */
/* The words of a document with these texts (one a field): what invidx_contents would say of it.       */
SEAM_MUST_USE enum seam_status invidx_hasher_words(struct invidx_hasher *h, uint64_t key,
                                                   const struct invidx_text *fields,
                                                   struct seam_digest *out, struct seam_fault *f);

#ifdef __cplusplus
}
#endif

#endif
