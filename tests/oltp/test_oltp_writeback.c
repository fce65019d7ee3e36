/* Goal:   what happens to pages while another thread writes them to the file: one that is given back meanwhile is not
 *         lost, whatever checkpoint begins before the write is done; and nobody waits for what is only a hint to the
 *         disk.
 * Method: the page file's interface is replaced by one whose calls wait at a gate, in the threads that ask for it, so
 *         that the moment is met every time. */
#include <pthread.h>
#include <stdio.h>

#include "oltp/db.h"
#include "tests/common/check_main.h"

enum { ROWS = 200, ROW_BYTES = 500 };

static const char table_json[] = "{\"table\":\"t\",\"version\":1,\"key\":[\"k\"],\"columns\":[{"
                                 "\"name\":\"k\",\"type\":\"int64\"},"
                                 "{\"name\":\"v\",\"type\":\"text\"}]}";

static struct gate {
    struct seam_io io;
    struct seam_io_ops ops;
    const struct seam_io_ops *under;
    pthread_mutex_t latch;
    pthread_cond_t moved;
    bool arrived, open;
} gate = {.latch = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
enum stop { NOWHERE, AT_WRITE, AT_WRITE_BEHIND };
static _Thread_local enum stop stops_at; /* this thread */

static void gate_pass(enum stop at)
{
    if (stops_at != at) return;
    pthread_mutex_lock(&gate.latch);
    gate.arrived = true;
    pthread_cond_broadcast(&gate.moved);
    while (!gate.open) pthread_cond_wait(&gate.moved, &gate.latch);
    pthread_mutex_unlock(&gate.latch);
}

static void gate_wait_arrival(void)
{
    pthread_mutex_lock(&gate.latch);
    while (!gate.arrived) pthread_cond_wait(&gate.moved, &gate.latch);
    pthread_mutex_unlock(&gate.latch);
}

static void gate_open(void)
{
    pthread_mutex_lock(&gate.latch);
    gate.open = true;
    pthread_cond_broadcast(&gate.moved);
    pthread_mutex_unlock(&gate.latch);
}

static enum seam_status gated_writev(struct seam_file *file, uint64_t at,
                                     const struct seam_io_slice *slices, int n,
                                     struct seam_fault *f)
{
    gate_pass(AT_WRITE);
    return gate.under->writev(file, at, slices, n, f);
}

static void gated_write_behind(struct seam_file *file, uint64_t from, uint64_t n)
{
    gate_pass(AT_WRITE_BEHIND);
    if (gate.under->write_behind != NULL) gate.under->write_behind(file, from, n);
}

static void gate_put_before(struct seam_file *file)
{
    gate.under = file->io->ops;
    gate.ops = *gate.under;
    gate.ops.writev = gated_writev;
    gate.ops.write_behind = gated_write_behind;
    gate.io.ops = &gate.ops;
    file->io = &gate.io;
}

static void place(char path[700])
{
    snprintf(path, 700, "%s/oltp", test_dir());
}

static void open_here(struct oltp **db, size_t cache_bytes)
{
    char path[700];
    struct oltp_options o = {.cache_bytes = cache_bytes, .checkpoint_log_bytes = UINT64_MAX};
    struct seam_fault f = {0};

    place(path);
    ASSERT_OK(oltp_open(seam_io_posix(), path, &o, db, &f), &f);
}

static uint32_t make_table(struct oltp *db)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    uint32_t table = 0;

    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_create_table_json(t, table_json, strlen(table_json), &table, &f), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    return table;
}

static void put_rows(struct oltp *db, uint32_t table, int64_t from, int64_t n)
{
    static char text[ROW_BYTES];
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};

    memset(text, 't', sizeof text);
    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    for (int64_t k = from; k < from + n; k++) {
        struct seam_value row[2] = {seam_v_int(k), seam_v_text(text, sizeof text)};

        ASSERT_OK(oltp_put(t, table, row, &f), &f);
    }
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
}

static void *write_early(void *arg)
{
    struct oltp_pager *p = arg;
    enum seam_status st;

    stops_at = AT_WRITE;
    pthread_mutex_lock(&p->latch);
    st = oltp_write_back(p, false, NULL);
    pthread_mutex_unlock(&p->latch);
    return st == SEAM_OK ? arg : NULL;
}

/* A reader that needs room writes pages out; commits no longer need those pages, and a checkpoint begins; then the
 * write ends. The checkpoint's map must have them free. */
static void test_a_page_given_back_while_it_is_written_is_not_lost(void)
{
    struct oltp *db = NULL;
    struct oltp_check check;
    struct seam_buf report = {0};
    struct seam_fault f = {0};
    char path[700];
    uint32_t table;
    pthread_t thread;
    void *wrote = NULL;
    enum seam_status st;

    open_here(&db, 8 << 20);
    table = make_table(db);
    put_rows(db, table, 0, ROWS);
    put_rows(db, table, 100000, 1); /* those pages are immutable now */
    gate_put_before(db->pager.file);
    ck_assert_int_eq(pthread_create(&thread, NULL, write_early, &db->pager), 0);
    gate_wait_arrival();
    for (int i = 0; i < 3; i++) put_rows(db, table, 0, ROWS);
    ck_assert_uint_gt(db->pager.doomed, 0);
    db->o.checkpoint_log_bytes = 1;
    oltp_checkpoint_pace(db, oltp_lsn(db));
    db->o.checkpoint_log_bytes = UINT64_MAX;
    ck_assert_ptr_nonnull(db->making);
    gate_open();
    pthread_join(thread, &wrote);
    ck_assert_ptr_nonnull(wrote);
    ck_assert_uint_eq(db->pager.doomed, 0);
    pthread_mutex_lock(&db->checkpoint_latch);
    ASSERT_OK(oltp_checkpoint_finish(db, &f), &f);
    pthread_mutex_unlock(&db->checkpoint_latch);
    ASSERT_OK(oltp_close(db, &f), &f);
    place(path);
    st = oltp_verify(seam_io_posix(), path, NULL, &check, &report, (struct oltp_progress){0}, &f);
    ck_assert_msg(st == SEAM_OK, "verify: %s\n%s", f.why, seam_buf_cstr(&report));
    seam_buf_free(&report);
}

static void *checkpoint_slowly(void *arg)
{
    stops_at = AT_WRITE_BEHIND;
    return oltp_checkpoint(arg, NULL) == SEAM_OK ? arg : NULL;
}

/* The disk's queue is full: a checkpoint waits in its hint, a read that must load its page does not. */
static void test_a_miss_does_not_wait_for_a_checkpoints_hint(void)
{
    struct oltp *db = NULL;
    struct seam_fault f = {0};
    uint32_t table;
    pthread_t thread;
    void *made = NULL;
    bool latched;

    open_here(&db, 8 << 20);
    table = make_table(db);
    put_rows(db, table, 0, ROWS);
    gate_put_before(db->pager.file);
    ck_assert_int_eq(pthread_create(&thread, NULL, checkpoint_slowly, db), 0);
    gate_wait_arrival();
    latched = pthread_mutex_trylock(&db->pager.latch) != 0; /* what every miss takes */
    if (!latched) pthread_mutex_unlock(&db->pager.latch);
    gate_open();
    pthread_join(thread, &made);
    ck_assert(!latched);
    ck_assert_ptr_nonnull(made);
    ASSERT_OK(oltp_close(db, &f), &f);
}

static const struct named_test tests[] = {T(test_a_page_given_back_while_it_is_written_is_not_lost),
                                          T(test_a_miss_does_not_wait_for_a_checkpoints_hint)};

int main(int argc, char **argv)
{
    return run_tests("oltp writeback", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
