/* Goal:   state by replay equals state by time travel at every LSN, and nothing in the log can be changed, dropped or
 *         reordered unnoticed.
 * Method: a generated shop, proved after each batch; then every kind of tampering with the audit's own store. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/rng.h"
#include "engine/values/row.h"
#include "pipeline/audit/audit_append.h"
#include "pipeline/audit/audit_event.h"
#include "tests/pipeline/agreement.h"

static const char *const only_audit[] = {"audit"};

static void audit_dir(const struct platform *p, char dir[SEAM_PATH_MAX_BYTES])
{
    struct seam_fault f = {0};

    ASSERT_OK(platform_sink_path(p, "audit", dir, &f), &f);
}

static void prepare(struct platform *p, const char *name, uint64_t orders)
{
    shop_create(name, p);
    shop_fill(p, orders, test_seed());
    shop_catch_up(p, only_audit, 1);
}

static void test_replay_equals_time_travel_at_every_batch(void)
{
    struct platform p;

    prepare(&p, "batches", (uint64_t)test_scale(300));
    for (int i = 0; i < test_scale(6); i++) {
        pid_t writer = shop_writer_start(&p, (uint64_t)test_scale(200), test_seed() + (uint64_t)i);

        ck_assert_int_eq(part_wait(writer), 0);
        shop_catch_up(&p, only_audit, 1);
        shop_assert_agreement(&p, only_audit, 1);
    }
    platform_close(&p);
}

/* ---- tampering: the store is opened as its sink would, and a row is written behind its back ---- */

struct tamper {
    struct wal *wal;
    struct oltp *db;
    struct oltp_txn *t;
    struct audit_tables tables;
};

static void tamper_begin(const struct platform *p, struct tamper *x)
{
    struct wal_options wo = {0};
    struct oltp_options oo = {0};
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES], rows[SEAM_PATH_MAX_BYTES], log[SEAM_PATH_MAX_BYTES];

    *x = (struct tamper){0};
    audit_dir(p, dir);
    ASSERT_OK(seam_path_join(rows, dir, "rows", &f), &f);
    ASSERT_OK(seam_path_join(log, dir, "wal", &f), &f);
    ASSERT_OK(wal_open(log, &wo, &x->wal, NULL, &f), &f);
    oo.wal = x->wal;
    ASSERT_OK(oltp_open(p->io, rows, &oo, &x->db, &f), &f);
    ASSERT_OK(oltp_write_begin(x->db, &x->t, &f), &f);
    ASSERT_OK(audit_tables_open(x->t, false, &x->tables, &f), &f);
}

static void tamper_end(struct tamper *x)
{
    struct seam_fault f = {0};

    ASSERT_OK(oltp_commit(x->t, OLTP_DURABLE, NULL, &f), &f);
    ASSERT_OK(oltp_close(x->db, &f), &f);
    ASSERT_OK(wal_close(x->wal, &f), &f);
}

static void event_row(struct tamper *x, uint64_t number, struct seam_value values[EV_COLUMNS],
                      struct seam_buf *copy)
{
    struct seam_value n = seam_v_int((int64_t)number);
    struct oltp_row row;
    struct seam_fault f = {0};

    ASSERT_OK(oltp_get_by(x->t, x->tables.events, x->tables.by_number, &n, &row, &f), &f);
    seam_buf_clear(copy);
    seam_buf_append(copy, row.row.data, row.row.size);
    ASSERT_OK(
        seam_row_decode(oltp_schema(x->t, x->tables.events), copy->data, copy->size, values, &f),
        &f);
}

static void assert_verify(const struct platform *p, enum seam_status want)
{
    struct audit_reader *r = NULL;
    struct seam_fault f = {0};
    uint64_t checked;
    char dir[SEAM_PATH_MAX_BYTES];

    audit_dir(p, dir);
    ASSERT_OK(audit_reader_open(p->io, dir, &r, &f), &f);
    ASSERT_STATUS(audit_verify(r, &checked, &f), want);
    audit_reader_close(r);
}

enum tampering {
    CHANGE_ACTOR,
    CHANGE_TIME,
    CHANGE_ROW_BYTES,
    DROP_LAST,
    DROP_MIDDLE,
    SWAP,
    TAMPERINGS
};

static void tamper(const struct platform *p, enum tampering kind)
{
    struct tamper x;
    struct seam_value a[EV_COLUMNS], b[EV_COLUMNS];
    struct seam_buf ca = {0}, cb = {0};
    struct audit_reader *r = NULL;
    struct audit_info info;
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];
    uint64_t number;

    audit_dir(p, dir);
    ASSERT_OK(audit_reader_open(p->io, dir, &r, &f), &f);
    audit_reader_info(r, &info);
    audit_reader_close(r);
    number = kind == DROP_LAST ? info.events - 1 : info.events / 2;
    tamper_begin(p, &x);
    event_row(&x, number, a, &ca);
    if (kind == CHANGE_ACTOR) a[EV_ACTOR] = seam_v_str("mallory");
    if (kind == CHANGE_TIME) a[EV_AT].i += 1;
    if (kind == CHANGE_ROW_BYTES) ((char *)(uintptr_t)a[EV_ROW].s)[a[EV_ROW].len - 1] ^= 1;
    if (kind == DROP_LAST || kind == DROP_MIDDLE) {
        ASSERT_OK(oltp_delete(x.t, x.tables.events, a, &f), &f);
    } else if (kind == SWAP) { /* the payloads of two events change places */
        struct seam_value key;

        event_row(&x, number + 1, b, &cb);
        key = a[EV_ROW];
        a[EV_ROW] = b[EV_ROW];
        b[EV_ROW] = key;
        ASSERT_OK(oltp_put(x.t, x.tables.events, a, &f), &f);
        ASSERT_OK(oltp_put(x.t, x.tables.events, b, &f), &f);
    } else {
        ASSERT_OK(oltp_put(x.t, x.tables.events, a, &f), &f);
    }
    tamper_end(&x);
    seam_buf_free(&ca);
    seam_buf_free(&cb);
}

static void test_every_tampering_is_found(void)
{
    for (int kind = 0; kind < TAMPERINGS; kind++) {
        struct platform p;
        char name[32];

        snprintf(name, sizeof name, "tamper%d", kind);
        prepare(&p, name, 60);
        assert_verify(&p, SEAM_OK);
        tamper(&p, (enum tampering)kind);
        assert_verify(&p, SEAM_CORRUPT);
        platform_close(&p);
    }
}

/* A wrong fold is what a wrong event makes: prove must see it, and name the order.                   */
static void test_prove_finds_a_wrong_fold(void)
{
    struct platform p;
    struct tamper x;
    struct seam_value v[EV_COLUMNS];
    struct seam_buf copy = {0}, difference = {0};
    struct audit_proof proof;
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES], wanted[64];

    prepare(&p, "fold", 60);
    tamper_begin(&p, &x);
    event_row(&x, 0, v, &copy);
    snprintf(wanted, sizeof wanted, "order %lld:", (long long)v[EV_ORDER].i);
    for (uint64_t n = 0;; n++) { /* the first line of the order: its quantity is another */
        event_row(&x, n, v, &copy);
        if (v[EV_LINE].i != 0 && v[EV_OP].i == WAL_OP_INSERT) break;
    }
    snprintf(wanted, sizeof wanted, "order %lld:", (long long)v[EV_ORDER].i);
    ((char *)(uintptr_t)v[EV_ROW].s)[v[EV_ROW].len - 1] ^= 2;
    ASSERT_OK(oltp_put(x.t, x.tables.events, v, &f), &f);
    tamper_end(&x);
    audit_dir(&p, dir);
    ASSERT_STATUS(audit_prove(&p, dir, 2, &proof, &difference, &f), SEAM_DRIFT);
    ck_assert_uint_eq(proof.different, 1);
    ck_assert_msg(strstr(seam_buf_cstr(&difference), wanted) != NULL, "%s is not named in: %s",
                  wanted, seam_buf_cstr(&difference));
    seam_buf_free(&difference);
    seam_buf_free(&copy);
    platform_close(&p);
}

static void test_inclusion_proofs_hold_and_break(void)
{
    struct platform p;
    struct audit_reader *r = NULL;
    struct audit_info info;
    struct audit_path path;
    struct seam_rng rng;
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];

    seam_rng_seed(&rng, test_seed());
    prepare(&p, "merkle", 800);
    audit_dir(&p, dir);
    ASSERT_OK(audit_reader_open(p.io, dir, &r, &f), &f);
    audit_reader_info(r, &info);
    ck_assert_uint_ge(info.segments, 1);
    for (int i = 0; i < 40; i++) {
        uint64_t number = seam_rng_below(&rng, info.segments * AUDIT_SEGMENT);

        ASSERT_OK(audit_inclusion(r, number, &path, &f), &f);
        ck_assert(audit_path_holds(&path));
        path.sibling[seam_rng_below(&rng, AUDIT_PATH_MAX)][seam_rng_below(&rng, AUDIT_HASH)] ^= 1;
        ck_assert(!audit_path_holds(&path));
    }
    ASSERT_STATUS(audit_inclusion(r, info.events, &path, NULL), SEAM_NOT_FOUND);
    audit_reader_close(r);
    platform_close(&p);
}

/* ---- concurrency: many threads append to few orders; each id is sent by two of them ---- */

enum { WRITERS = 4, HOT_ORDERS = 3, EVENTS_EACH = 30 };

struct history {
    struct oltp *db;
    int writer;
    int applied, known, conflicts;
};

static void *append_history(void *arg)
{
    struct history *h = arg;

    for (int i = 0; i < EVENTS_EACH; i++) {
        int64_t order = 5000 + i % HOT_ORDERS;
        char id[32], data[96];
        struct audit_append e = {
            .order = order, .type = "LineAdded", .event_id = id, .actor = "thread", .data = data};
        int64_t expected = 1;
        enum seam_status st;

        /* Writers 0 and 1 send the same events, and so do 2 and 3. */
        snprintf(id, sizeof id, "pair%d-%d", h->writer / 2, i);
        snprintf(data, sizeof data,
                 "{\"line_no\":%d,\"product_id\":1,\"quantity\":1,\"unit_price\":\"1\"}",
                 h->writer / 2 * 1000 + i + 1);
        do { /* optimistic: read the version, try, read again */
            struct audit_appended done;
            struct seam_value key = seam_v_int(order), v[SEAM_COLUMNS_MAX];
            struct oltp_txn *t = NULL;
            struct oltp_row row;
            uint32_t orders;

            ck_assert(oltp_read_begin(h->db, &t, NULL) == SEAM_OK);
            ck_assert(oltp_table(t, "orders", &orders, NULL) == SEAM_OK);
            ck_assert(oltp_get(t, orders, &key, &row, NULL) == SEAM_OK);
            ck_assert(seam_row_decode(oltp_schema(t, orders), row.row.data, row.row.size, v,
                                      NULL) == SEAM_OK);
            expected = v[seam_schema_column(oltp_schema(t, orders), "version")].i;
            oltp_end(t);
            e.expected_version = expected;
            st = audit_append(h->db, seam_clock_real(), &e, &done, NULL);
            if (st == SEAM_OK && !done.known) ck_assert_int_eq(done.version, expected + 1);
            h->applied += st == SEAM_OK && !done.known;
            h->known += st == SEAM_OK && done.known;
            h->conflicts += st == SEAM_CONFLICT;
        } while (st == SEAM_CONFLICT);
        ck_assert(st == SEAM_OK);
    }
    return NULL;
}

static void test_concurrent_appends_are_one_after_another_and_once(void)
{
    struct platform p;
    struct platform_source s = {0};
    struct history h[WRITERS] = {0};
    pthread_t thread[WRITERS];
    struct seam_fault f = {0};
    int applied = 0, known = 0;

    prepare(&p, "concurrent", 20);
    ASSERT_OK(platform_open_source(&p, &s, &f), &f);
    for (int i = 0; i < HOT_ORDERS; i++) {
        char id[32];
        struct audit_append e = {.order = 5000 + i,
                                 .type = "OrderPlaced",
                                 .event_id = id,
                                 .data = "{\"customer_id\":1}"};
        struct audit_appended done;

        snprintf(id, sizeof id, "place-%d", i);
        ASSERT_OK(audit_append(s.db, p.clock, &e, &done, &f), &f);
        ASSERT_STATUS(audit_append(s.db, p.clock, &e, &done, NULL), SEAM_OK);
        ck_assert(done.known);
    }
    for (int i = 0; i < WRITERS; i++) {
        h[i] = (struct history){.db = s.db, .writer = i};
        ck_assert(pthread_create(&thread[i], NULL, append_history, &h[i]) == 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(thread[i], NULL);
        applied += h[i].applied;
        known += h[i].known;
    }
    ck_assert_int_eq(applied,
                     WRITERS / 2 * EVENTS_EACH); /* each event once, whoever sent it first */
    ck_assert_int_eq(known, applied);
    ASSERT_OK(platform_close_source(&s, SEAM_OK, &f), &f);
    shop_catch_up(&p, only_audit, 1);
    shop_assert_agreement(&p, only_audit, 1);
    platform_close(&p);
}

static const struct named_test tests[] = {
    T(test_replay_equals_time_travel_at_every_batch),
    T(test_every_tampering_is_found),
    T(test_prove_finds_a_wrong_fold),
    T(test_inclusion_proofs_hold_and_break),
    T(test_concurrent_appends_are_one_after_another_and_once),
};

int main(int argc, char **argv)
{
    return run_tests("audit", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
