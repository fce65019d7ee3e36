/* replay - the log's committed changes, applied to the trees: recovery, readers in other processes, AS OF.
 *
 *   BEGIN   ROW ROW ... are held back                until   COMMIT: all of them are applied
 *                                                            ABORT, BEGIN, end of log: dropped
 *
 * A transaction too large to hold is applied as it comes, above a savepoint that takes it back when it
 * turns out not to have committed. Beside a long log, helpers bring the pages in ahead of it (ahead.c). The whole replay is one write transaction without a log of its own: its
 * pages are copied once and then changed in place. */
#include "oltp/db.h"

struct player {
    struct oltp *db;
    struct oltp_txn *t;
    struct oltp_replay_stop stop;
    struct seam_buf held; /* u8 type | u32 size | payload, of the open transaction */
    bool open, streaming; /* in a transaction; it is being applied above a savepoint */
    uint64_t txn, changes;
    uint64_t rows, done;      /* row records read; those of them that are applied or dropped */
    struct oltp_ahead *ahead; /* NULL: nobody helps */
    seam_lsn_t lsn;           /* of the last commit applied */
    int64_t wall_us;
    uint64_t last_txn;
};

enum { HELD_HEAD = 5, AHEAD_LOG_MIN = 256 << 10 };

static enum seam_status play_row(struct player *p, const uint8_t *data, size_t n,
                                 struct seam_fault *f)
{
    struct wal_change_row r;
    struct oltp_row_change c = {.if_column = -1, .tolerate_missing = true};
    const struct oltp_table *tb;
    enum seam_status st = wal_change_get_row(data, n, &r, f);

    if (st != SEAM_OK) return st;
    tb = table_of(p->t, r.table);
    if (tb == NULL)
        return seam_fault_set(f, SEAM_CORRUPT, p->db->wal_dir, SEAM_FAULT_NO_OFFSET,
                              "the log changes table %u, which does not exist", r.table);
    c.op = r.op == WAL_OP_DELETE ? WAL_OP_DELETE : WAL_OP_UPDATE;
    c.key = r.key;
    if (r.op != WAL_OP_DELETE) c.row = r.after;
    p->changes++;
    oltp_ahead_consumed(p->ahead, ++p->done);
    return oltp_row_apply(p->t, r.table, tb, &c, f);
}

static enum seam_status play_schema(struct player *p, const uint8_t *data, size_t n,
                                    struct seam_fault *f)
{
    struct wal_change_schema c;
    struct seam_schema s = {0};
    enum seam_status st = wal_change_get_schema(data, n, &c, f);

    if (st != SEAM_OK) return st;
    if (c.table == 0 || c.table > OLTP_TABLES_MAX ||
        (c.json.size == 0 && table_of(p->t, c.table) == NULL) ||
        c.table > p->t->catalog->table_count + 1)
        return seam_fault_set(f, SEAM_CORRUPT, p->db->wal_dir, SEAM_FAULT_NO_OFFSET,
                              "the log shapes table %u, which does not exist", c.table);
    if (c.json.size == 0) return oltp_catalog_set(p->t, c.table, NULL, f);
    st = seam_schema_parse((const char *)c.json.data, c.json.size, &s, f);
    if (st == SEAM_OK) st = oltp_catalog_set(p->t, c.table, &s, f);
    seam_schema_free(&s);
    return st;
}

static enum seam_status play(struct player *p, uint8_t type, const uint8_t *data, size_t n,
                             struct seam_fault *f)
{
    if (type == WAL_CHANGE_ROW) return play_row(p, data, n, f);
    if (type == WAL_CHANGE_SCHEMA) return play_schema(p, data, n, f);
    return SEAM_OK; /* outbox events are for the stream */
}

static enum seam_status play_held(struct player *p, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (size_t at = 0; st == SEAM_OK && at < p->held.size;) {
        size_t n = seam_get_u32(p->held.data + at + 1);

        st = play(p, p->held.data[at], p->held.data + at + HELD_HEAD, n, f);
        at += HELD_HEAD + n;
    }
    seam_buf_clear(&p->held);
    return st;
}

static enum seam_status hold(struct player *p, const struct wal_record *r, struct seam_fault *f)
{
    if (p->streaming) return play(p, r->type, r->data, r->size, f);
    seam_buf_u8(&p->held, r->type);
    seam_buf_u32(&p->held, (uint32_t)r->size);
    seam_buf_append(&p->held, r->data, r->size);
    if (!seam_buf_ok(&p->held))
        return seam_fault_set(f, SEAM_NOMEM, p->db->dir, SEAM_FAULT_NO_OFFSET,
                              "no memory to replay the log");
    if (p->held.size > REPLAY_BUFFER_MAX) {
        enum seam_status st = oltp_save_push(p->t, f);

        if (st != SEAM_OK) return st;
        p->streaming = true;
        return play_held(p, f);
    }
    return SEAM_OK;
}

/* The open transaction did not happen. */
static enum seam_status drop_open(struct player *p, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    seam_buf_clear(&p->held);
    if (p->streaming) {
        st = oltp_rollback_to(p->t, 0, f);
        if (st == SEAM_OK) st = oltp_release(p->t, 0, f);
    }
    p->open = p->streaming = false;
    p->done = p->rows;
    oltp_ahead_consumed(p->ahead, p->done);
    return st;
}

static enum seam_status on_commit(struct player *p, const struct wal_record *r, bool *stop,
                                  struct seam_fault *f)
{
    struct wal_change_commit c;
    enum seam_status st = wal_change_get_commit(r->data, r->size, &c, f);

    if (st != SEAM_OK) return st;
    *stop = r->end > p->stop.lsn || c.wall_us > p->stop.wall_us;
    if (*stop) return SEAM_OK;
    if (!p->open) /* replay may start at any commit's end, never inside a transaction */
        return seam_fault_set(f, SEAM_CORRUPT, p->db->wal_dir, r->start,
                              "a commit of transaction %llu without its beginning",
                              (unsigned long long)c.txn);
    st = play_held(p, f);
    if (st == SEAM_OK && p->streaming) st = oltp_release(p->t, 0, f);
    p->open = p->streaming = false;
    p->lsn = r->end;
    p->wall_us = c.wall_us;
    return st;
}

static enum seam_status on_record(struct player *p, const struct wal_record *r, bool *stop,
                                  struct seam_fault *f)
{
    struct wal_change_begin b;
    enum seam_status st;

    switch (r->type) {
    case WAL_CHANGE_BEGIN:
        st = wal_change_get_begin(r->data, r->size, &b, f);
        if (st == SEAM_OK) st = drop_open(p, f);
        if (st != SEAM_OK) return st;
        p->open = true;
        if (b.txn > p->last_txn) p->last_txn = b.txn;
        return SEAM_OK;
    case WAL_CHANGE_ROW: p->rows++; /* fall through */
    case WAL_CHANGE_SCHEMA: return p->open ? hold(p, r, f) : SEAM_OK;
    case WAL_CHANGE_COMMIT: return on_commit(p, r, stop, f);
    case WAL_CHANGE_ABORT: return drop_open(p, f);
    default: return SEAM_OK;
    }
}

static enum seam_status play_log(struct player *p, struct wal_reader *reader, struct seam_fault *f)
{
    struct oltp_progress *progress = &p->db->o.progress;
    seam_lsn_t from = wal_reader_position(reader), end = wal_reader_visible(reader);
    uint64_t records = 0;
    bool stop = false;
    enum seam_status st = SEAM_OK;

    if (p->db->o.recovery_helpers > 0 && end - from >= AHEAD_LOG_MIN)
        p->ahead = oltp_ahead_start(p->db, from, p->db->o.recovery_helpers);
    while (st == SEAM_OK && !stop) {
        struct wal_record r;

        st = wal_reader_next(reader, &r, f);
        if (st != SEAM_OK) break;
        st = on_record(p, &r, &stop, f);
        if (progress->step != NULL && (++records & 0x3fff) == 0)
            progress->step(progress->ctx, "replaying the log", r.end - from, end - from);
    }
    oltp_ahead_stop(p->ahead); /* before the new state is installed: they hold the old one */
    p->ahead = NULL;
    return st == SEAM_END ? SEAM_OK : st;
}

enum seam_status oltp_replay(struct oltp *db, seam_lsn_t from, struct oltp_replay_stop stop,
                             struct seam_fault *f)
{
    struct player p = {.db = db, .t = &db->txn, .stop = stop, .last_txn = db->last_txn};
    struct wal_reader *reader = NULL;
    uint64_t began = seam_clock_mono_ns(db->clock);
    enum seam_status st;

    pthread_mutex_lock(&db->writer_latch);
    st = oltp_txn_prepare_write(db, f);
    p.lsn = p.t->version->lsn;
    p.wall_us = p.t->version->wall_us;
    if (st == SEAM_OK) st = wal_reader_open(db->io, db->wal_dir, from, 0, &reader, f);
    if (st == SEAM_OK) st = play_log(&p, reader, f);
    if (st == SEAM_OK) st = drop_open(&p, f);
    if (st == SEAM_OK && p.lsn != p.t->version->lsn) {
        st = oltp_space_reserve_dead(&db->pager, db->w.freed_count, f);
        if (st == SEAM_OK) st = oltp_txn_install(p.t, p.lsn, p.wall_us, f);
    } else {
        oltp_txn_discard(p.t, NULL);
    }
    if (st != SEAM_OK) oltp_txn_discard(p.t, NULL);
    p.t->save_count = 0;
    db->last_txn = p.last_txn;
    db->replay_from = p.lsn;
    atomic_fetch_add(&db->replayed, p.changes);
    atomic_fetch_add(&db->replay_ns, seam_clock_mono_ns(db->clock) - began);
    pthread_mutex_unlock(&db->writer_latch);
    SEAM_TRACE(db->trace, "oltp", "replayed", SEAM_TI("from", from), SEAM_TI("to", p.lsn),
               SEAM_TI("changes", p.changes), SEAM_TI("status", st));
    wal_reader_close(reader);
    seam_buf_free(&p.held);
    return st;
}
