/* One row, durable, and read back: cc oltp.c seam_oltp.c -pthread -lm. Usage: oltp FOLDER. */
#include "seam_oltp.h"
#include <stdio.h>
#include <string.h>

static const char json[] =
    "{\"table\":\"t\",\"version\":1,\"key\":[\"id\"],\"columns\":["
    "{\"name\":\"id\",\"type\":\"int64\"},{\"name\":\"what\",\"type\":\"text\"}]}";

int main(int argc, char **argv)
{
    const struct seam_value row[2] = {seam_v_int(7), seam_v_str("a kettle")};
    struct seam_value got[2];
    struct oltp_row found;
    struct seam_fault f = {0};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct oltp_commit done = {0};
    uint32_t table = 0;
    char text[1024];
    enum seam_status st = oltp_open(seam_io_posix(), argv[argc - 1], NULL, &db, &f);

    if (st == SEAM_OK) st = oltp_write_begin(db, &t, &f);
    if (st == SEAM_OK) st = oltp_create_table_json(t, json, sizeof json - 1, &table, &f);
    if (st == SEAM_OK) st = oltp_put(t, table, row, &f);
    if (st == SEAM_OK) st = oltp_commit(t, OLTP_DURABLE, &done, &f);
    if (st == SEAM_OK) st = oltp_read_begin(db, &t, &f);
    if (st == SEAM_OK) st = oltp_get(t, table, row, &found, &f);
    if (st == SEAM_OK)
        st = seam_row_decode(oltp_schema(t, table), found.row.data, found.row.size, got, &f);
    if (st == SEAM_OK)
        printf("%.*s, as of LSN %llu\n", (int)got[1].len, got[1].s, (unsigned long long)done.lsn);
    if (st == SEAM_OK) oltp_end(t);
    if (st != SEAM_OK) fprintf(stderr, "%s\n", seam_fault_text(&f, text, sizeof text));
    oltp_close(db, NULL);
    return seam_status_exit_code(st);
}
