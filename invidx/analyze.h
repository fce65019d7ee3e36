/* analyze - text to terms, the same way for documents and queries. Private to the room.
 *
 *   text --invidx_tokens_next--> surface words (folded, with positions and byte offsets) --invidx_analyzer_term--> terms
 *
 * WORDS: a token is a run of letters, digits and marks. An apostrophe between letters is dropped ("don't"
 * is dont) and a possessive 's goes; '.' between digits stays ("2.5kg", "1.2.3"), ',' between digits goes
 * ("1,000" is 1000); a hyphen separates ("wi-fi" is two adjacent words, found as a phrase by a query that
 * writes it so). Han, Hiragana, Katakana and Hangul are a token a character.                           */
#ifndef SEAM_INVIDX_ANALYZE_H
#define SEAM_INVIDX_ANALYZE_H

#include "engine/base/arena.h"
#include "invidx/invidx.h"

struct invidx_token {
    uint32_t len, pos; /* position counts every token, stop words too */
    size_t begin, end; /* bytes in the text                           */
    char text[INVIDX_TERM_MAX + 8];
};

struct invidx_synonym { /* one alternative of a rule: a phrase of terms */
    const char *text;   /* terms, each ended by 0, in order             */
    uint32_t terms, bytes;
    struct invidx_synonym *next; /* of the same left side                        */
};
struct invidx_synonym_rule {
    const char *text;
    uint32_t terms, bytes;
    struct invidx_synonym *to;
};

struct invidx_analyzer {
    struct invidx_analysis conf;
    struct seam_arena memory;
    const char **stop; /* open addressing, power of two; NULL = free */
    size_t stop_slots;
    struct invidx_synonym_rule *rules; /* sorted by text */
    size_t rule_count;
    uint32_t longest_rule; /* in terms */
};

/* Bad lines in the synonyms are SEAM_INVALID with their number.                                         */
SEAM_MUST_USE enum seam_status invidx_analyzer_init(struct invidx_analyzer *a,
                                                    const struct invidx_analysis *conf,
                                                    struct seam_fault *f);
void invidx_analyzer_free(struct invidx_analyzer *a);
/* The term of a surface word, into out; its length, or 0 for a stop word.                             */
size_t invidx_analyzer_term(const struct invidx_analyzer *a, const char *word, size_t n,
                            char out[INVIDX_TERM_MAX + 8]);
/* The rule whose left side is exactly these terms (each ended by 0), or NULL.                         */
const struct invidx_synonym_rule *invidx_analyzer_rule(const struct invidx_analyzer *a,
                                                       const char *text, size_t bytes);
/* Digits, or letters mixed with digits: no fuzziness, no stemming.                                    */
bool invidx_analyzer_is_code(const char *s, size_t n);

struct invidx_tokens {
    const struct invidx_analyzer *a;
    const char *begin, *p, *end;
    uint32_t pos;
};
struct invidx_tokens invidx_tokens_of(const struct invidx_analyzer *a, const char *s, size_t n);
bool invidx_tokens_next(struct invidx_tokens *t, struct invidx_token *out);

#endif
