/* A hundred points, the nearest three: cc hnsw.c seam_hnsw.c -pthread -lm. Usage: hnsw FOLDER. */
#include "seam_hnsw.h"
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    const float where[2] = {4.2f, 6.9f};
    struct hnsw_options o;
    struct hnsw_query q;
    struct hnsw_hit hits[3];
    struct hnsw *h = NULL;
    struct seam_fault f = {0};
    char text[1024];
    size_t n = 0;
    enum seam_status st;

    memset(&o, 0, sizeof o);
    memset(&q, 0, sizeof q);
    o.dim = 2, o.metric = HNSW_L2;
    q.vector = where, q.k = 3, q.as_of = SEAM_LSN_MAX;
    st = hnsw_create(seam_io_posix(), argv[argc - 1], &o, &f);
    if (st == SEAM_OK) st = hnsw_open_writer(seam_io_posix(), argv[argc - 1], NULL, &h, &f);
    for (int i = 0; st == SEAM_OK && i < 100; i++) {
        const float at[2] = {(float)(i % 10), (float)(i / 10)};

        st = hnsw_upsert(h, (uint64_t)i, at, 10, &f);
    }
    if (st == SEAM_OK) st = hnsw_publish(h, 10, 1, &f);
    if (st == SEAM_OK) st = hnsw_search(h, &q, hits, &n, NULL, &f);
    for (size_t i = 0; st == SEAM_OK && i < n; i++)
        printf("(%d, %d)\n", (int)(hits[i].key % 10), (int)(hits[i].key / 10));
    if (st != SEAM_OK) fprintf(stderr, "%s\n", seam_fault_text(&f, text, sizeof text));
    hnsw_close(h);
    return seam_status_exit_code(st);
}
