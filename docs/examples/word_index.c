/* word_index - the inverted index lifted out: documents in, best first out, why, and as of an LSN.
 *
 * Needs invidx/ and engine/. Usage: word_index FOLDER.                                              */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "invidx/invidx.h"

static enum seam_status put(struct invidx_writer *w, uint64_t key, const char *title,
                            const char *text, int64_t cents, seam_lsn_t lsn, struct seam_fault *f)
{
    const struct invidx_text fields[] = {{title, strlen(title)}, {text, strlen(text)}};
    const struct seam_value attrs[] = {seam_v_decimal(cents, 2)};
    const struct invidx_doc doc = {key, fields, attrs};

    return invidx_upsert(w, &doc, lsn, f);
}

static enum seam_status find(struct invidx_reader *r, const char *words, struct seam_fault *f)
{
    struct invidx_query *q = NULL;
    struct invidx_hit hits[10];
    const struct invidx_request want = {.k = 10};
    struct invidx_result got = {.hits = hits};
    struct invidx_explain why;
    enum seam_status st = invidx_query_new(r, &q, f);

    if (st == SEAM_OK) st = invidx_query_parse(q, words, strlen(words), INVIDX_OR, f);
    if (st == SEAM_OK) st = invidx_search(r, q, &want, &got, f);
    if (st == SEAM_OK) printf("%s (as of LSN %" PRIu64 ")\n", words, got.applied_lsn);
    for (size_t i = 0; st == SEAM_OK && i < got.count; i++)
        printf("  document %" PRIu64 "  %.3f\n", hits[i].key, hits[i].score);
    /* The first answer's score, taken apart: the parts add up to it exactly.                         */
    if (st == SEAM_OK && got.count > 0) st = invidx_explain(r, q, &want, hits[0].key, &why, f);
    for (size_t i = 0; st == SEAM_OK && got.count > 0 && i < why.count; i++)
        printf("    %.*s: idf %.3f, gives %.3f\n", (int)why.terms[i].len, why.terms[i].term,
               why.terms[i].idf, why.terms[i].contribution);
    invidx_query_free(q);
    return st;
}

static enum seam_status fill(struct invidx_writer *w, struct seam_fault *f)
{
    enum seam_status st =
        put(w, 1, "garden hose", "thirty metres, green, with a spray head", 1999, 10, f);

    if (st == SEAM_OK) st = put(w, 2, "hose reel", "keeps a garden hose tidy", 3499, 10, f);
    if (st == SEAM_OK) st = put(w, 3, "hedge trimmer", "cordless, for the garden", 8900, 10, f);
    if (st == SEAM_OK)
        st = invidx_publish(w, 10, 1, f); /* visible and durable, with its LSN, in one step */
    if (st == SEAM_OK) st = invidx_delete(w, 1, 20, f);
    if (st == SEAM_OK) st = invidx_publish(w, 20, 2, f);
    return st;
}

int main(int argc, char **argv)
{
    const struct invidx_field fields[] = {{"title", 3}, {"text", 1}};
    const struct invidx_attr attrs[] = {{"price", INVIDX_INT64}};
    const struct invidx_schema schema = {.fields = fields,
                                         .field_count = 2,
                                         .attrs = attrs,
                                         .attr_count = 1,
                                         .analysis = invidx_analysis_default()};
    struct invidx_writer *w = NULL;
    struct invidx_reader *now = NULL, *then = NULL;
    struct seam_fault f = {0};
    char text[1024];
    enum seam_status st;

    if (argc != 2) return fprintf(stderr, "usage: word_index FOLDER\n"), 2;
    st = invidx_writer_open(seam_io_posix(), argv[1], &schema, NULL, &w, &f);
    if (st == SEAM_OK) st = fill(w, &f);
    invidx_writer_close(w);
    if (st == SEAM_OK) st = invidx_reader_open(seam_io_posix(), argv[1], SEAM_LSN_MAX, &now, &f);
    if (st == SEAM_OK) st = find(now, "garden hoses", &f);
    if (st == SEAM_OK) st = find(now, "garden price:<5000", &f);
    if (st == SEAM_OK) st = invidx_reader_open(seam_io_posix(), argv[1], 10, &then, &f);
    if (st == SEAM_OK)
        st = find(then, "garden hoses", &f); /* the deleted one is still there, then */
    invidx_reader_close(then);
    invidx_reader_close(now);
    if (st != SEAM_OK) fprintf(stderr, "word_index: %s\n", seam_fault_text(&f, text, sizeof text));
    return seam_status_exit_code(st);
}
