/* source - a shop in miniature: writes transactions straight into a log, and knows what must come
 * out of the stream. Transaction k's content follows from k alone, so a reader anywhere can check
 * any event. */
#ifndef SEAM_TESTS_PIPELINE_SOURCE_H
#define SEAM_TESTS_PIPELINE_SOURCE_H

#include <stdlib.h>

#include "engine/base/rng.h"
#include "pipeline/stream/stream.h"
#include "tests/common/check_main.h"
#include "wal/wal.h"

struct source {
    uint64_t seed;
    uint64_t large_every; /* every n-th transaction has large_size changes; 0: none */
    uint64_t large_size;
    size_t row_max;
};

/* Of transaction k; none for some. */
static uint64_t source_changes(const struct source *s, uint64_t k)
{
    struct seam_rng r;

    if (s->large_every != 0 && k % s->large_every == s->large_every - 1) return s->large_size;
    seam_rng_seed(&r, s->seed ^ (k * 77 + 1));
    return seam_rng_below(&r, 6);
}

/* Written, then aborted or left open. */
static bool source_aborts(const struct source *s, uint64_t k)
{
    return (s->seed + k) % 17 == 5;
}

/* Bytes of event seq of transaction k. */
static size_t source_body(const struct source *s, uint64_t k, uint64_t seq, uint8_t *out)
{
    struct seam_rng r;
    size_t n;

    seam_rng_seed(&r, s->seed * 31 + k * 1009 + seq);
    n = 16 + (size_t)seam_rng_below(&r, s->row_max);
    seam_rng_bytes(&r, out, n);
    seam_put_u64(out, k);
    seam_put_u64(out + 8, seq);
    return n;
}

static void source_put(struct wal *w, uint8_t type, struct seam_buf *b, struct wal_span *at)
{
    struct seam_fault f = {0};

    ck_assert(seam_buf_ok(b));
    ASSERT_OK(wal_append(w, type, &(struct seam_io_slice){b->data, b->size}, 1, at, &f), &f);
    seam_buf_clear(b);
}

static void source_put_change(const struct source *s, struct wal *w, uint64_t k, uint64_t seq,
                              uint8_t *bytes, struct seam_buf *b)
{
    size_t n = source_body(s, k, seq, bytes);
    struct wal_span at;
    struct wal_bytes key = {bytes, 16}, row = {bytes, n};

    if (seq % 5 == 3) {
        wal_change_put_outbox(
            b, &(struct wal_change_outbox){k, seq, {(const uint8_t *)"orders", 6}, key, row});
        source_put(w, WAL_CHANGE_OUTBOX, b, &at);
    } else {
        struct wal_change_row c = {.txn = k,
                                   .seq = seq,
                                   .table = 1 + (uint32_t)(k % 3),
                                   .version = 1,
                                   .op = (uint8_t)(1 + seq % 3),
                                   .key = key};

        if (c.op != WAL_OP_INSERT) c.before = row;
        if (c.op != WAL_OP_DELETE) c.after = row;
        wal_change_put_row(b, &c);
        source_put(w, WAL_CHANGE_ROW, b, &at);
    }
}

/* Appends transaction k (not committed to disk); its LSN in *lsn (SEAM_LSN_NONE when it aborts). */
static void source_append(const struct source *s, struct wal *w, uint64_t k, seam_lsn_t *lsn)
{
    uint8_t *bytes = malloc(s->row_max + 32);
    uint64_t changes = source_changes(s, k);
    struct seam_buf b = {0};
    struct wal_span begin, at;

    ck_assert_ptr_nonnull(bytes);
    wal_change_put_begin(&b, &(struct wal_change_begin){k});
    source_put(w, WAL_CHANGE_BEGIN, &b, &begin);
    for (uint64_t seq = 0; seq < changes; seq++) {
        source_put_change(s, w, k, seq, bytes, &b);
        if (seq == 2 && k % 4 == 0) { /* something of another kind in the midst of it */
            wal_change_put_heartbeat(&b, &(struct wal_change_heartbeat){k, 0});
            source_put(w, WAL_CHANGE_HEARTBEAT, &b, &at);
        }
    }
    *lsn = SEAM_LSN_NONE;
    if (source_aborts(s, k)) {
        if (k % 2 == 0) {
            wal_change_put_abort(&b, &(struct wal_change_abort){k});
            source_put(w, WAL_CHANGE_ABORT, &b, &at);
        }
    } else {
        wal_change_put_commit(
            &b, &(struct wal_change_commit){k, (int64_t)(1000000 + k * 10), changes, 0, 0});
        source_put(w, WAL_CHANGE_COMMIT, &b, &at);
        *lsn = at.end;
    }
    seam_buf_free(&b);
    free(bytes);
}

/* Fails the test unless `e` is event seq of transaction k. */
static void source_check(const struct source *s, uint64_t k, const struct stream_event *e)
{
    uint8_t *want = malloc(s->row_max + 32);
    size_t n = source_body(s, k, e->seq, want);

    ck_assert_uint_eq(e->txn, k);
    ck_assert_uint_eq(e->total, source_changes(s, k));
    ck_assert_int_eq(e->wall_us, (int64_t)(1000000 + k * 10));
    if (e->seq % 5 == 3) {
        ck_assert_int_eq(e->kind, STREAM_OUTBOX);
        ck_assert(e->outbox.payload.size == n && memcmp(e->outbox.payload.data, want, n) == 0);
    } else {
        struct wal_bytes row = e->row.op == WAL_OP_DELETE ? e->row.before : e->row.after;

        ck_assert_int_eq(e->kind, STREAM_ROW);
        ck_assert_uint_eq(e->row.op, 1 + e->seq % 3);
        ck_assert(row.size == n && memcmp(row.data, want, n) == 0);
    }
    free(want);
}

static bool silent(const struct source *s, uint64_t k)
{
    return source_aborts(s, k) || source_changes(s, k) == 0;
}

/* Follows a stream and demands every event once, in order; takes all there is. */
struct follower {
    const struct source *s;
    uint64_t k, seq, offset;
    seam_lsn_t lsn;
};

static void follow(struct follower *fo, struct stream_reader *r)
{
    struct seam_fault f = {0};
    struct stream_event e;
    enum seam_status st;

    while ((st = stream_reader_next(r, &e, &f)) == SEAM_OK) {
        while (silent(fo->s, fo->k)) fo->k++;
        ck_assert_uint_eq(e.offset, fo->offset);
        ck_assert_uint_ge(e.lsn, fo->lsn);
        if (e.kind == STREAM_BEAT) {
            ck_assert_uint_eq(fo->seq, 0);
            fo->lsn = e.lsn;
            continue;
        }
        if (e.kind == STREAM_COMMIT) {
            ck_assert_uint_eq(fo->seq, source_changes(fo->s, fo->k));
            ck_assert_uint_eq(e.txn, fo->k);
            fo->lsn = e.lsn;
            fo->k++;
            fo->seq = 0;
            continue;
        }
        ck_assert_uint_gt(e.lsn, fo->lsn);
        ck_assert_uint_eq(e.seq, fo->seq);
        source_check(fo->s, fo->k, &e);
        fo->seq++;
        fo->offset++;
    }
    ASSERT_OK(st == SEAM_END ? SEAM_OK : st, &f);
}

#endif
