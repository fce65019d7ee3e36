/* row_store - the row store lifted out: tables, transactions, an index, and yesterday's answer.
 *
 * Needs oltp/, wal/ and engine/ and nothing else of this tree:
 *     cc docs/examples/row_store.c $(pkg-config --cflags --libs seam-oltp)        (docs/howto/link-a-store.md)
 * Usage: row_store FOLDER (an empty or missing one).                                                */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "oltp/oltp.h"

/* A table is data. The JSON form is that of `seam init`.                                            */
static const char products[] =
    "{\"table\":\"products\",\"version\":1,\"key\":[\"id\"],\"columns\":["
    "{\"name\":\"id\",\"type\":\"int64\"},{\"name\":\"title\",\"type\":\"text\"},"
    "{\"name\":\"price\",\"type\":\"decimal\",\"scale\":2}],"
    "\"indexes\":[{\"name\":\"by_title\",\"columns\":[\"title\"],\"unique\":true}]}";

/* One transaction: what is put in it becomes visible and durable together, or not at all.           */
static enum seam_status put(struct oltp *db, int64_t id, const char *title, int64_t cents,
                            seam_lsn_t *lsn, struct seam_fault *f)
{
    const struct seam_value row[] = {seam_v_int(id), seam_v_str(title), seam_v_decimal(cents, 2)};
    struct oltp_commit done = {0};
    struct oltp_txn *t = NULL;
    uint32_t table;
    enum seam_status st = oltp_write_begin(db, &t, f);

    if (st != SEAM_OK) return st;
    st = oltp_table(t, "products", &table, f);
    if (st == SEAM_OK) st = oltp_put(t, table, row, f);
    if (st != SEAM_OK) {
        oltp_end(t); /* rolls back */
        return st;
    }
    st = oltp_commit(t, OLTP_DURABLE, &done, f); /* returns when the log has been synced */
    *lsn = done.lsn;                             /* the moment this commit is, for every store */
    return st;
}

static enum seam_status create(struct oltp *db, struct seam_fault *f)
{
    struct oltp_txn *t = NULL;
    uint32_t table;
    enum seam_status st = oltp_write_begin(db, &t, f);

    if (st != SEAM_OK) return st;
    st = oltp_create_table_json(t, products, sizeof products - 1, &table, f);
    if (st == SEAM_OK) return oltp_commit(t, OLTP_DURABLE, NULL, f);
    oltp_end(t);
    return st;
}

/* Every row in key order. A read transaction sees one commit, takes no latch and waits for nobody.   */
static enum seam_status list(struct oltp *db, const char *what, struct seam_fault *f)
{
    struct oltp_txn *t = NULL;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_buf line = {0};
    uint32_t table;
    enum seam_status st = oltp_read_begin(db, &t, f);

    if (st == SEAM_OK) st = oltp_table(t, "products", &table, f);
    if (st == SEAM_OK) st = oltp_cursor_open(t, table, 0, NULL, 0, &c, f);
    if (st == SEAM_OK) printf("%s\n", what);
    while (st == SEAM_OK && (st = oltp_cursor_next(c, &row, f)) == SEAM_OK) {
        struct seam_value values[3];

        st = seam_row_decode(oltp_schema(t, table), row.row.data, row.row.size, values, f);
        if (st != SEAM_OK) break;
        seam_buf_clear(&line);
        seam_row_to_json(oltp_schema(t, table), values, &line);
        printf("  %s\n", seam_buf_cstr(&line));
    }
    seam_buf_free(&line);
    oltp_cursor_close(c);
    oltp_end(t);
    return st == SEAM_END ? SEAM_OK : st;
}

/* The state after one commit, from the newest checkpoint before it and the log after that.           */
static enum seam_status list_as_of(const char *dir, seam_lsn_t lsn, struct seam_fault *f)
{
    struct oltp_options o = {.read_only = true, .as_of = lsn};
    struct oltp *db = NULL;
    enum seam_status st = oltp_open(seam_io_posix(), dir, &o, &db, f);

    if (st == SEAM_OK) st = list(db, "before the price went up:", f);
    oltp_close(db, NULL);
    return st;
}

int main(int argc, char **argv)
{
    struct oltp_options o = {0};
    struct seam_fault f = {0};
    struct oltp *db = NULL;
    char dir[SEAM_PATH_MAX_BYTES], text[1024];
    seam_lsn_t before = 0, after = 0;
    enum seam_status st;

    if (argc != 2) return fprintf(stderr, "usage: row_store FOLDER\n"), 2;
    st = seam_path_join(dir, argv[1], "oltp", &f); /* its log stands beside it, in FOLDER/wal */
    if (st == SEAM_OK) st = oltp_open(seam_io_posix(), dir, &o, &db, &f);
    if (st == SEAM_OK) st = create(db, &f);
    if (st == SEAM_OK) st = put(db, 1, "garden hose", 1999, &before, &f);
    if (st == SEAM_OK) st = put(db, 2, "hedge trimmer", 8900, &before, &f);
    if (st == SEAM_OK) st = put(db, 1, "garden hose", 2199, &after, &f);
    if (st == SEAM_OK) st = list(db, "now:", &f);
    if (st == SEAM_OK) st = list_as_of(dir, before, &f);
    if (st == SEAM_OK) st = put(db, 3, "garden hose", 1, &after, &f); /* the unique index refuses */
    if (st == SEAM_EXISTS) {
        printf("refused: %s\n", seam_fault_text(&f, text, sizeof text));
        seam_fault_clear(&f);
        st = SEAM_OK;
    }
    if (st == SEAM_OK)
        st = oltp_close(db, &f);
    else
        oltp_close(db, NULL);
    if (st != SEAM_OK) fprintf(stderr, "row_store: %s\n", seam_fault_text(&f, text, sizeof text));
    return seam_status_exit_code(st);
}
