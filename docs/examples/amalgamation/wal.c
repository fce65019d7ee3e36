/* Two records and one sync: cc wal.c seam_wal.c -pthread -lm. Usage: wal FOLDER. */
#include "seam_wal.h"
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static const char *const words[] = {"the kettle is on", "the kettle boils"};
    struct seam_fault f = {0};
    struct wal_span at = {0, 0};
    struct wal_reader *r = NULL;
    struct wal_record rec;
    struct wal *w = NULL;
    char text[1024];
    enum seam_status st = wal_open(argv[argc - 1], NULL, &w, NULL, &f);

    for (int i = 0; st == SEAM_OK && i < 2; i++) {
        const struct seam_io_slice part = {words[i], strlen(words[i])};

        st = wal_append(w, 1, &part, 1, &at, &f);
    }
    if (st == SEAM_OK) st = wal_commit(w, at.end, WAL_DURABLE, &f);
    if (st == SEAM_OK)
        st = wal_reader_open(seam_io_posix(), argv[argc - 1], SEAM_LSN_NONE, 0, &r, &f);
    while (st == SEAM_OK && (st = wal_reader_next(r, &rec, &f)) == SEAM_OK)
        printf("%llu %.*s\n", (unsigned long long)rec.end, (int)rec.size, (const char *)rec.data);
    if (st == SEAM_END) st = SEAM_OK;
    if (st != SEAM_OK) fprintf(stderr, "%s\n", seam_fault_text(&f, text, sizeof text));
    wal_reader_close(r);
    wal_close(w, NULL);
    return seam_status_exit_code(st);
}
