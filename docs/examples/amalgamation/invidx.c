/* Two documents, one question: cc invidx.c seam_invidx.c -pthread -lm. Usage: invidx FOLDER. */
#include "seam_invidx.h"
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static const char *const titles[] = {"garden hose", "hedge trimmer"}, words[] = "hoses";
    const struct invidx_field field = {"title", 1};
    struct invidx_schema schema;
    struct invidx_writer *w = NULL;
    struct invidx_reader *r = NULL;
    struct invidx_query *q = NULL;
    struct invidx_hit hits[10];
    struct invidx_request want;
    struct invidx_result got;
    struct seam_fault f = {0};
    char text[1024];
    enum seam_status st;

    memset(&schema, 0, sizeof schema);
    memset(&want, 0, sizeof want);
    memset(&got, 0, sizeof got);
    schema.fields = &field, schema.field_count = 1, schema.analysis = invidx_analysis_default();
    want.k = 10, got.hits = hits;
    st = invidx_writer_open(seam_io_posix(), argv[argc - 1], &schema, NULL, &w, &f);
    for (int i = 0; st == SEAM_OK && i < 2; i++) {
        const struct invidx_text title = {titles[i], strlen(titles[i])};
        const struct invidx_doc doc = {(uint64_t)i, &title, NULL};

        st = invidx_upsert(w, &doc, 10, &f);
    }
    if (st == SEAM_OK) st = invidx_publish(w, 10, 1, &f);
    invidx_writer_close(w);
    if (st == SEAM_OK)
        st = invidx_reader_open(seam_io_posix(), argv[argc - 1], SEAM_LSN_MAX, &r, &f);
    if (st == SEAM_OK) st = invidx_query_new(r, &q, &f);
    if (st == SEAM_OK) st = invidx_query_parse(q, words, strlen(words), INVIDX_OR, &f);
    if (st == SEAM_OK) st = invidx_search(r, q, &want, &got, &f);
    for (size_t i = 0; st == SEAM_OK && i < got.count; i++) printf("%s\n", titles[hits[i].key]);
    if (st != SEAM_OK) fprintf(stderr, "%s\n", seam_fault_text(&f, text, sizeof text));
    invidx_query_free(q);
    invidx_reader_close(r);
    return seam_status_exit_code(st);
}
