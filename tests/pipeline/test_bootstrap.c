/* Goal:   a relay whose log was recycled, and a consumer whose stream was trimmed, come back to what the row store is:
 *         nothing that was deleted meanwhile survives, nothing is invented, and what is not known is said.
 * Method: a platform whose log holds back little; the slot is invalidated in the midst of random changes, deletes among
 *         them; a bootstrap, with writers at work and SIGKILL at random instants; every store is then compared with the
 *         row store by reconciliation, and by the pipeline tests' own comparison.                     */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "engine/base/rng.h"
#include "invidx/invidx.h"
#include "oltp/oltp.h"
#include "pipeline/audit/audit.h"
#include "pipeline/relay/bootstrap.h"
#include "pipeline/relay/relay_internal.h"
#include "pipeline/sinks/keys.h"
#include "pipeline/stream/compacted.h"
#include "tests/pipeline/agreement.h"

static const char *const sinks[] = {"warehouse", "gold", "view", "search", "vectors", "audit"};

/* ---- what happens while nobody looks ---- */

static void pick_key(struct oltp_txn *t, uint32_t table, struct seam_rng *rng, struct seam_buf *out)
{
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_fault f = {0};
    uint64_t n = oltp_count(t, table, 0), at = seam_rng_below(rng, n > 1 ? n - 1 : n);

    seam_buf_clear(out);
    ASSERT_OK(oltp_cursor_open(t, table, 0, NULL, 0, &c, &f), &f);
    for (uint64_t i = 0; i <= at; i++) ASSERT_OK(oltp_cursor_next(c, &row, &f), &f);
    seam_buf_append(out, row.key.data, row.key.size);
    oltp_cursor_close(c);
}

/* The last row is never picked: the shop's generator goes on from the last order's number. */
/* Deletes and updates random rows of every table, `n` transactions of a few changes.                 */
static void change_at_random(struct oltp *db, uint64_t n, struct seam_rng *rng)
{
    static const char *const tables[] = {"products", "customers", "orders", "order_lines"};
    struct seam_buf key = {0}, copy = {0};
    struct seam_fault f = {0};

    for (uint64_t i = 0; i < n; i++) {
        struct oltp_txn *t = NULL;
        struct oltp_row row;
        uint32_t table;

        ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
        ASSERT_OK(oltp_table(t, tables[seam_rng_below(rng, 4)], &table, &f), &f);
        if (oltp_count(t, table, 0) == 0) ASSERT_OK(oltp_table(t, "products", &table, &f), &f);
        pick_key(t, table, rng, &key);
        if (seam_rng_below(rng, 2) == 0) {
            ASSERT_OK(oltp_apply(t, table, WAL_OP_DELETE, 0, (struct wal_bytes){key.data, key.size},
                                 (struct wal_bytes){NULL, 0}, &f),
                      &f);
        } else {
            const struct seam_schema *s = oltp_schema(t, table);
            struct seam_value v[SEAM_COLUMNS_MAX];
            int column = seam_schema_column(s, "version");

            ASSERT_OK(oltp_get_key(t, table, (struct wal_bytes){key.data, key.size}, &row, &f), &f);
            seam_buf_clear(&copy);
            seam_buf_append(&copy, row.row.data, row.row.size);
            ASSERT_OK(seam_row_decode(s, copy.data, copy.size, v, &f), &f);
            if (column < 0) column = seam_schema_column(s, "quantity");
            if (column >= 0) v[column].i++;
            column = seam_schema_column(s, "title");
            if (column >= 0)
                v[column] = seam_v_str(i % 2 ? "a kettle for the gap" : "a lamp for the gap");
            ASSERT_OK(oltp_put(t, table, v, &f), &f);
        }
        ASSERT_OK(oltp_commit(t, OLTP_DEFERRED, NULL, &f), &f);
    }
    seam_buf_free(&key);
    seam_buf_free(&copy);
}

/* Changes, and so many checkpoints that nothing of the log behind them is kept.                      */
static void recycle_the_log(const struct platform *p, struct seam_rng *rng)
{
    struct platform_source s = {0};
    struct seam_fault f = {0};

    ASSERT_OK(platform_open_source(p, &s, &f), &f);
    for (int i = 0; i < PLATFORM_CHECKPOINTS_KEPT + 2; i++) {
        change_at_random(s.db, 40, rng);
        ASSERT_OK(oltp_checkpoint(s.db, &f), &f);
    }
    ASSERT_OK(platform_close_source(&s, SEAM_OK, &f), &f);
}

static void lose_the_log(const struct platform *p, struct seam_rng *rng)
{
    shop_fill(
        p, 60,
        seam_rng_u64(rng)); /* puts the catalogue back, too: deleted products are inserted again */
    recycle_the_log(p, rng);
}

static void reverse_words(struct wal_bytes text, struct seam_buf *out)
{
    size_t end = text.size;

    seam_buf_clear(out);
    for (size_t i = text.size; i-- > 0;) {
        if (text.data[i] != ' ' && i > 0) continue;
        if (out->size > 0) seam_buf_u8(out, ' ');
        seam_buf_append(out, text.data + i + (text.data[i] == ' '),
                        end - i - (text.data[i] == ' '));
        end = i;
    }
}

/* Every product's description says the same words in another order.                                  */
static void reverse_descriptions(const struct platform *p)
{
    struct platform_source s = {0};
    struct oltp_txn *t = NULL;
    struct oltp_row row;
    struct seam_buf copy = {0}, text = {0};
    struct seam_value v[SEAM_COLUMNS_MAX];
    struct seam_fault f = {0};
    uint32_t table;

    ASSERT_OK(platform_open_source(p, &s, &f), &f);
    ASSERT_OK(oltp_write_begin(s.db, &t, &f), &f);
    ASSERT_OK(oltp_table(t, "products", &table, &f), &f);
    for (uint64_t i = 0, n = oltp_count(t, table, 0); i < n; i++) {
        const struct seam_schema *schema = oltp_schema(t, table);
        int column = seam_schema_column(schema, "description");
        struct oltp_cursor *c = NULL;

        ASSERT_OK(oltp_cursor_open(t, table, 0, NULL, 0, &c, &f), &f);
        for (uint64_t k = 0; k <= i; k++) ASSERT_OK(oltp_cursor_next(c, &row, &f), &f);
        seam_buf_clear(&copy);
        seam_buf_append(&copy, row.row.data, row.row.size);
        oltp_cursor_close(c);
        ASSERT_OK(seam_row_decode(schema, copy.data, copy.size, v, &f), &f);
        if (v[column].type != SEAM_V_TEXT) continue;
        reverse_words((struct wal_bytes){(const uint8_t *)v[column].s, v[column].len}, &text);
        v[column] = seam_v_text((const char *)text.data, text.size);
        ASSERT_OK(oltp_put(t, table, v, &f), &f);
    }
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    ASSERT_OK(platform_close_source(&s, SEAM_OK, &f), &f);
    seam_buf_free(&copy);
    seam_buf_free(&text);
}

static void assert_relay_is_stale(const struct platform *p)
{
    struct relay *r = NULL;
    struct seam_fault f = {0};

    ASSERT_STATUS(relay_open(p, NULL, &r, &f), SEAM_STALE);
    ck_assert_msg(strstr(f.why, "seam bootstrap") != NULL, "%s", f.why);
}

static struct relay_bootstrap_result bootstrap(const struct platform *p)
{
    struct relay_bootstrap_options o = {0};
    struct relay_bootstrap_result result;
    struct seam_fault f = {0};

    ASSERT_OK(relay_bootstrap_run(p, &o, &result, &f), &f);
    return result;
}

/* ---- tests ---- */

static void test_bootstrap_after_a_lost_slot_makes_every_store_the_row_store(void)
{
    struct platform p;
    struct relay_bootstrap_result b;
    struct audit_reader *audit = NULL;
    struct audit_gap gap;
    struct audit_proof proof;
    struct seam_buf difference = {0};
    struct seam_fault f = {0};
    struct seam_rng rng;
    char dir[SEAM_PATH_MAX_BYTES];
    size_t gaps;

    seam_rng_seed(&rng, test_seed());
    shop_create_small_log("lost", &p);
    shop_fill(&p, 200, test_seed());
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    lose_the_log(&p, &rng);
    assert_relay_is_stale(&p);
    b = bootstrap(&p);
    ck_assert_uint_gt(b.lsn, b.from);
    ck_assert_uint_eq(b.tables, 4);
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    shop_assert_agreement(&p, sinks, SEAM_ARRAY_LEN(sinks));
    shop_assert_reconciled(&p);
    /* The audit says what it does not know, and that in a chain that holds. */
    ASSERT_OK(platform_sink_path(&p, "audit", dir, &f), &f);
    ASSERT_OK(audit_reader_open(p.io, dir, &audit, &f), &f);
    ASSERT_OK(audit_gaps(audit, &gap, 1, &gaps, &f), &f);
    audit_reader_close(audit);
    ck_assert_uint_eq(gaps, 1);
    ck_assert_uint_eq(gap.from, b.from);
    ck_assert_uint_eq(gap.to, b.lsn);
    ck_assert_uint_gt(gap.restated, 0);
    ASSERT_OK(audit_prove(&p, dir, 2, &proof, &difference, &f), &f);
    ck_assert_uint_eq(proof.gaps, 1);
    ck_assert_uint_eq(proof.restated, gap.restated);
    seam_buf_free(&difference);
    /* Life goes on. */
    shop_fill(&p, 50, 99);
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    shop_assert_agreement(&p, sinks, SEAM_ARRAY_LEN(sinks));
    platform_close(&p);
}

static void test_bootstrap_with_the_log_still_there_loses_nothing(void)
{
    struct platform p;
    struct relay_bootstrap_result b;
    struct audit_proof proof;
    struct seam_buf difference = {0};
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];

    shop_create("whole", &p);
    shop_fill(&p, 100, test_seed());
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    shop_fill(&p, 100, test_seed() + 1);
    b = bootstrap(&p);
    ck_assert_uint_eq(b.from, b.lsn);
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    shop_assert_agreement(&p, sinks, SEAM_ARRAY_LEN(sinks));
    shop_assert_reconciled(&p);
    ASSERT_OK(platform_sink_path(&p, "audit", dir, &f), &f);
    ASSERT_OK(audit_prove(&p, dir, 2, &proof, &difference, &f), &f);
    ck_assert_uint_eq(proof.gaps, 0); /* the stores stood at the snapshot: they passed over it */
    seam_buf_free(&difference);
    /* Twice is as good as once, also with nothing new. */
    ck_assert_uint_eq(bootstrap(&p).lsn, b.lsn);
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    shop_assert_reconciled(&p);
    platform_close(&p);
}

static void remove_store(const struct platform *p, const char *name)
{
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(platform_sink_path(p, name, dir, &f), &f);
    ASSERT_OK(seam_io_remove_tree(p->io, dir, &f), &f);
}

/* Stores made from nothing, over a stream with a snapshot in its midst, and over one that begins with it. */
static void test_bootstrap_feeds_new_stores_too(void)
{
    struct platform p;
    struct seam_rng rng;
    struct seam_fault f = {0};

    seam_rng_seed(&rng, test_seed() + 2);
    shop_create_small_log("fresh", &p);
    shop_fill(&p, 150, test_seed());
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    lose_the_log(&p, &rng);
    (void)bootstrap(&p);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(sinks); i++) remove_store(&p, sinks[i]);
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    shop_assert_agreement(&p, sinks, SEAM_ARRAY_LEN(sinks));
    shop_assert_reconciled(&p);
    lose_the_log(&p, &rng);
    ASSERT_OK(relay_reset(&p, &f), &f); /* the stream is thrown away with all it held */
    (void)bootstrap(&p);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(sinks); i += 2)
        remove_store(&p, sinks[i]); /* the others go on from what they have */
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    shop_assert_agreement(&p, (const char *const[]){"view", "search", "vectors", "audit"}, 4);
    shop_assert_reconciled(&p);
    platform_close(&p);
}

/* The same words make nearly the same vector: not the one the row store's text makes. */
static void test_bootstrap_takes_vectors_that_differ_in_the_last_bits(void)
{
    struct platform p;
    struct seam_rng rng;

    seam_rng_seed(&rng, test_seed() + 6);
    shop_create_small_log("words", &p);
    shop_fill(&p, 50, test_seed());
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    reverse_descriptions(&p);
    recycle_the_log(&p, &rng);
    assert_relay_is_stale(&p);
    (void)bootstrap(&p);
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    shop_assert_reconciled(&p);
    platform_close(&p);
}

static uint64_t stream_end_offset(const struct platform *p)
{
    struct stream_state state;
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(platform_path(p, "stream", dir, &f), &f);
    ASSERT_OK(stream_state(p->io, dir, &state, &f), &f);
    return state.next_offset;
}

/* Snapshot rows take offsets that the log knows nothing of; a stream that is thrown away with many of
 * them, readable or not, and with a kill between that and the snapshot, is followed by higher offsets. */
static void test_discarded_streams_offsets_are_never_given_again(void)
{
    struct platform p;
    struct relay *r = NULL;
    struct seam_fault f = {0};
    char path[SEAM_PATH_MAX_BYTES];

    shop_create("offsets", &p);
    shop_fill(&p, 50, test_seed());
    shop_catch_up(&p, sinks, 1);
    for (int how = 0; how < 3; how++) {
        uint64_t end;

        (void)bootstrap(&p);
        (void)bootstrap(&p);
        shop_fill(&p, 20, test_seed() + (uint64_t)how);
        shop_catch_up(&p, sinks, 1);
        end = stream_end_offset(&p);
        if (how == 1) { /* the log's own file is gone: nothing of the stream can be read */
            ASSERT_OK(platform_path(&p, "stream/log.meta", path, &f), &f);
            ASSERT_OK(seam_io_write_atomic(p.io, path, "damaged", 7, &f), &f);
        }
        ASSERT_OK(relay_reset(&p, &f), &f);
        if (how == 2) ASSERT_OK(relay_reset(&p, &f), &f); /* as after a kill */
        if (how == 2) { /* no bootstrap comes: a relay begins the stream */
            ASSERT_OK(relay_open(&p, NULL, &r, &f), &f);
            ASSERT_OK(relay_step(r, &f), &f);
            ASSERT_OK(relay_close(r, &f), &f);
            ck_assert_uint_ge(stream_end_offset(&p), end);
        }
        ck_assert_uint_ge(bootstrap(&p).offset, end);
        shop_catch_up(&p, sinks, 1);
    }
    platform_close(&p);
}

/* A consumer that retention went past comes back through the snapshot.                               */
static void test_bootstrap_brings_back_a_consumer_whose_stream_was_trimmed(void)
{
    static const char *const others[] = {"warehouse", "gold", "view", "vectors", "audit"};
    struct platform p;
    struct relay_options o = {
        .segment_bytes = WAL_SEGMENT_MIN, .retain_bytes = 1, .bound_bytes = 2 * WAL_SEGMENT_MIN};
    struct relay_bootstrap_options bo = {.relay = o};
    struct relay_bootstrap_result result;
    struct relay_run_options once = {.until_caught_up = true};
    struct relay *r = NULL;
    struct sink *s = NULL;
    struct seam_rng rng;
    struct seam_fault f = {0};

    seam_rng_seed(&rng, test_seed() + 4);
    shop_create("trimmed", &p);
    ASSERT_OK(relay_reset(&p, &f), &f);
    ASSERT_OK(relay_open(&p, &o, &r, &f), &f); /* makes the stream anew, of small segments */
    ASSERT_OK(relay_close(r, &f), &f);
    r = NULL;
    shop_fill(&p, 50, test_seed());
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    for (uint64_t i = 0; i < 12; i++) {
        struct platform_source source = {0};

        ASSERT_OK(platform_open_source(&p, &source, &f), &f);
        change_at_random(source.db, 100, &rng);
        ASSERT_OK(platform_close_source(&source, SEAM_OK, &f), &f);
        ASSERT_OK(relay_open(&p, &o, &r, &f), &f);
        ASSERT_OK(relay_run(r, &once, &f), &f);
        ASSERT_OK(relay_close(r, &f), &f);
        r = NULL;
        shop_catch_up(&p, others, SEAM_ARRAY_LEN(others));
    }
    ASSERT_OK(relay_open(&p, &o, &r, &f), &f); /* trims: search is invalidated, and its events go */
    ASSERT_OK(relay_close(r, &f), &f);
    ASSERT_OK(sink_open(&p, "search", NULL, &s, &f), &f);
    ASSERT_STATUS(sink_run(s, &(struct sink_run_options){.until_caught_up = true}, NULL, &f),
                  SEAM_NOT_FOUND);
    ck_assert_msg(strstr(f.why, "seam bootstrap") != NULL, "%s", f.why);
    seam_fault_clear(&f);
    sink_close(s);
    ASSERT_OK(relay_bootstrap_run(&p, &bo, &result, &f), &f);
    ck_assert_uint_eq(result.from, result.lsn);
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    shop_assert_reconciled(&p);
    platform_close(&p);
}

static pid_t bootstrap_start(const struct platform *p)
{
    struct relay_bootstrap_options o = {0};
    struct relay_bootstrap_result result;
    pid_t parent = getpid(), pid;

    fflush(stdout);
    fflush(stderr);
    pid = fork();
    ck_assert(pid >= 0);
    if (pid != 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(99);
    _exit(relay_bootstrap_run(p, &o, &result, NULL) == SEAM_OK ? 0 : 1);
}

/* The slot it claimed holds the log from further on than the stream stands. */
static void test_bootstrap_killed_behind_its_claim_is_still_the_way_out(void)
{
    struct platform p;
    struct relay *r = NULL;
    struct seam_rng rng;
    pid_t pid;

    seam_rng_seed(&rng, test_seed() + 7);
    shop_create_small_log("claimed", &p);
    shop_fill(&p, 60, test_seed());
    shop_catch_up(&p, sinks, 1);
    lose_the_log(&p, &rng);
    fflush(stdout);
    fflush(stderr);
    pid = fork();
    ck_assert(pid >= 0);
    if (pid == 0) _exit(relay_open_for_bootstrap(&p, NULL, &r, NULL) == SEAM_OK ? 0 : 1);
    ck_assert_int_eq(part_wait(pid), 0);
    assert_relay_is_stale(&p);
    (void)bootstrap(&p);
    shop_catch_up(&p, sinks, 1);
    platform_close(&p);
}

/* Kills of the bootstrap and of the sinks that read it, while orders come in all the time.           */
static void test_bootstrap_killed_at_random_instants_comes_to_the_same_end(void)
{
    struct platform p;
    struct seam_rng rng;
    pid_t pid[SEAM_ARRAY_LEN(sinks)], writer;

    seam_rng_seed(&rng, test_seed() + 3);
    shop_create_small_log("killed", &p);
    shop_fill(&p, 150, test_seed());
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    for (int round = 0; round < 2; round++) {
        int kills = test_scale(25);

        lose_the_log(&p, &rng);
        assert_relay_is_stale(&p);
        for (size_t i = 0; i < SEAM_ARRAY_LEN(sinks); i++) pid[i] = part_start(&p, sinks[i], false);
        writer = shop_writer_start(&p, 300, seam_rng_u64(&rng));
        for (int k = 0; k < kills; k++) {
            size_t victim = (size_t)seam_rng_below(&rng, SEAM_ARRAY_LEN(sinks));
            pid_t b = bootstrap_start(&p);

            usleep((useconds_t)seam_rng_below(&rng, 12000));
            part_kill(b);
            part_kill(pid[victim]);
            pid[victim] = part_start(&p, sinks[victim], false);
        }
        ck_assert_int_eq(part_wait(writer), 0);
        (void)bootstrap(&p);
        for (size_t i = 0; i < SEAM_ARRAY_LEN(sinks); i++) part_kill(pid[i]);
        shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
        shop_assert_agreement(&p, sinks, SEAM_ARRAY_LEN(sinks));
        shop_assert_reconciled(&p);
    }
    platform_close(&p);
}

/* ---- the stream's part of it ---- */

static struct stream_writer *open_stream(const char *dir, struct stream_tail *tail)
{
    struct stream_writer_options o = {
        .clock = seam_clock_real(), .log_id = 5, .segment_bytes = WAL_SEGMENT_MIN};
    struct stream_writer *w = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(stream_writer_open(seam_io_posix(), dir, &o, &w, tail, &f), &f);
    return w;
}

/* `put` of `total` rows of a transaction; it is ended only when all are there.                        */
static void put_rows(struct stream_writer *w, seam_lsn_t lsn, uint64_t total, uint64_t put,
                     bool snapshot)
{
    struct stream_transaction t = {.lsn = lsn, .txn = lsn, .total = total, .snapshot = snapshot};
    struct seam_buf b = {0};
    struct seam_fault f = {0};
    uint8_t key[8], row[40000] = {0};

    ASSERT_OK(stream_begin(w, &t, &f), &f);
    for (uint64_t i = 0; i < put; i++) {
        seam_put_u64(key, i);
        wal_change_put_row(&b, &(struct wal_change_row){.txn = lsn,
                                                        .seq = i,
                                                        .table = 1,
                                                        .version = 1,
                                                        .op = WAL_OP_INSERT,
                                                        .key = {key, 8},
                                                        .after = {row, sizeof row}});
        ASSERT_OK(stream_event_put(w, WAL_CHANGE_ROW, b.data, b.size, &f), &f);
        seam_buf_clear(&b);
    }
    if (put == total) ASSERT_OK(stream_end(w, &f), &f);
    ASSERT_OK(stream_flush(w, &f), &f);
    seam_buf_free(&b);
}

/* Counts what a reader gives until the end; commits in *commits.                                      */
static uint64_t read_all(struct stream_reader *r, uint64_t *commits, uint64_t *skipped)
{
    struct stream_event e;
    struct seam_fault f = {0};
    uint64_t n = 0;
    enum seam_status st;

    *commits = *skipped = 0;
    while ((st = stream_reader_next(r, &e, &f)) == SEAM_OK) {
        if (e.kind == STREAM_COMMIT) ++*commits;
        if (e.kind == STREAM_ROW) n++;
        *skipped += e.skipped;
    }
    ASSERT_OK(st == SEAM_END ? SEAM_OK : st, &f);
    return n;
}

static void test_stream_gives_nothing_of_a_transaction_that_is_cut_off(void)
{
    struct stream_tail tail;
    struct stream_writer *w = open_stream(test_dir(), &tail);
    struct stream_reader *live = NULL, *late = NULL;
    struct seam_fault f = {0};
    uint64_t commits, skipped;

    put_rows(w, 100, 2, 2, false);
    ASSERT_OK(stream_reader_open(seam_io_posix(), test_dir(), STREAM_FROM_LSN, 0, &live, &f), &f);
    ck_assert_uint_eq(read_all(live, &commits, &skipped), 2);
    put_rows(w, 200, 20, 12, true); /* in chunks of 128 KiB: most of the twelve are written */
    ck_assert_uint_eq(read_all(live, &commits, &skipped), 0);
    ck_assert_int_eq(stream_reader_wait(live, 1000000), SEAM_TIMEOUT);
    ASSERT_OK(stream_writer_close(w, &f), &f);
    w = open_stream(test_dir(), &tail);
    ck_assert(tail.open && tail.open_snapshot);
    ck_assert_uint_eq(tail.lsn, 100);
    ASSERT_OK(stream_abandon(w, &f), &f);
    put_rows(w, 150, 9, 9, true); /* a lower LSN than what was given up */
    put_rows(w, 300, 1, 1, false);
    ck_assert_uint_eq(read_all(live, &commits, &skipped), 10);
    ck_assert_uint_eq(commits, 2);
    ck_assert_uint_eq(skipped, tail.next_offset - 2);
    for (seam_lsn_t after = 0; after < 320; after += 10) {
        uint64_t want = after < 100 ? 12 : after < 150 ? 10 : after < 300 ? 1 : 0;

        ASSERT_OK(stream_reader_open(seam_io_posix(), test_dir(), STREAM_FROM_LSN, (int64_t)after,
                                     &late, &f),
                  &f);
        ck_assert_msg(read_all(late, &commits, &skipped) == want, "after LSN %llu",
                      (unsigned long long)after);
        stream_reader_close(late);
        late = NULL;
    }
    /* Who asks for an offset inside of what was given up gets that event, and then what is real. */
    ASSERT_OK(stream_reader_open(seam_io_posix(), test_dir(), STREAM_FROM_OFFSET, 4, &late, &f),
              &f);
    ck_assert_uint_ge(read_all(late, &commits, &skipped), 10);
    ck_assert_uint_eq(commits, 2);
    stream_reader_close(late);
    stream_reader_close(live);
    ASSERT_OK(stream_writer_close(w, &f), &f);
}

static enum seam_status count_row(void *ctx, const struct stream_event *e, struct seam_fault *f)
{
    (void)e;
    (void)f;
    ++*(uint64_t *)ctx;
    return SEAM_OK;
}

static void test_stream_compacted_begins_anew_at_a_snapshot(void)
{
    struct stream_tail tail;
    struct stream_writer *w = open_stream(test_dir(), &tail);
    struct stream_compacted c;
    struct seam_fault f = {0};
    uint64_t n = 0;

    put_rows(w, 100, 30, 30, false);
    put_rows(w, 200, 7, 7, true); /* keys 0 to 6 are left of the thirty */
    put_rows(w, 300, 9, 9, false);
    ASSERT_OK(stream_flush(w, &f), &f);
    ASSERT_OK(
        stream_compacted(seam_io_posix(), test_dir(), SEAM_LSN_MAX, 1 << 20, count_row, &n, &c, &f),
        &f);
    ck_assert_uint_eq(n, 9);
    n = 0;
    ASSERT_OK(stream_compacted(seam_io_posix(), test_dir(), 200, 1 << 20, count_row, &n, &c, &f),
              &f);
    ck_assert_uint_eq(n, 7);
    ASSERT_OK(stream_writer_close(w, &f), &f);
}

static const struct named_test tests[] = {
    T(test_stream_gives_nothing_of_a_transaction_that_is_cut_off),
    T(test_stream_compacted_begins_anew_at_a_snapshot),
    T(test_bootstrap_after_a_lost_slot_makes_every_store_the_row_store),
    T(test_bootstrap_with_the_log_still_there_loses_nothing),
    T(test_bootstrap_feeds_new_stores_too),
    T(test_bootstrap_killed_behind_its_claim_is_still_the_way_out),
    T(test_bootstrap_takes_vectors_that_differ_in_the_last_bits),
    T(test_discarded_streams_offsets_are_never_given_again),
    T(test_bootstrap_brings_back_a_consumer_whose_stream_was_trimmed),
    T(test_bootstrap_killed_at_random_instants_comes_to_the_same_end),
};

int main(int argc, char **argv)
{
    return run_tests("bootstrap", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
