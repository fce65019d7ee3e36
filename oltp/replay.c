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
    struct replay_stop stop;
    struct buf held;      /* u8 type | u32 size | payload, of the open transaction */
    bool open, streaming; /* in a transaction; it is being applied above a savepoint */
    uint64_t txn, changes;
    uint64_t rows, done; /* row records read; those of them that are applied or dropped */
    struct ahead *ahead; /* NULL: nobody helps */
    lsn_t lsn; /* of the last commit applied */
    int64_t wall_us;
    uint64_t last_txn;
};

enum { HELD_HEAD = 5, AHEAD_LOG_MIN = 256 << 10 };

static enum status play_row(struct player *p, const uint8_t *data, size_t n, struct fault *f)
{
    struct change_row r;
    struct row_change c = {.if_column = -1, .tolerate_missing = true};
    const struct table *tb;
    enum status st = change_get_row(data, n, &r, f);

    if (st != ST_OK) return st;
    tb = table_of(p->t, r.table);
    if (tb == NULL)
        return fault_set(f, ST_CORRUPT, p->db->wal_dir, FAULT_NO_OFFSET,
                         "the log changes table %u, which does not exist", r.table);
    c.op = r.op == OP_DELETE ? OP_DELETE : OP_UPDATE;
    c.key = r.key;
    if (r.op != OP_DELETE) c.row = r.after;
    p->changes++;
    ahead_consumed(p->ahead, ++p->done);
    return row_apply(p->t, r.table, tb, &c, f);
}

static enum status play_schema(struct player *p, const uint8_t *data, size_t n, struct fault *f)
{
    struct change_schema c;
    struct schema s = {0};
    enum status st = change_get_schema(data, n, &c, f);

    if (st != ST_OK) return st;
    if (c.table == 0 || c.table > OLTP_TABLES_MAX ||
        (c.json.size == 0 && table_of(p->t, c.table) == NULL) ||
        c.table > p->t->catalog->table_count + 1)
        return fault_set(f, ST_CORRUPT, p->db->wal_dir, FAULT_NO_OFFSET,
                         "the log shapes table %u, which does not exist", c.table);
    if (c.json.size == 0) return catalog_set(p->t, c.table, NULL, f);
    st = schema_parse((const char *)c.json.data, c.json.size, &s, f);
    if (st == ST_OK) st = catalog_set(p->t, c.table, &s, f);
    schema_free(&s);
    return st;
}

static enum status play(struct player *p, uint8_t type, const uint8_t *data, size_t n,
                        struct fault *f)
{
    if (type == CHANGE_ROW) return play_row(p, data, n, f);
    if (type == CHANGE_SCHEMA) return play_schema(p, data, n, f);
    return ST_OK; /* outbox events are for the stream */
}

static enum status play_held(struct player *p, struct fault *f)
{
    enum status st = ST_OK;

    for (size_t at = 0; st == ST_OK && at < p->held.size;) {
        size_t n = get_u32(p->held.data + at + 1);

        st = play(p, p->held.data[at], p->held.data + at + HELD_HEAD, n, f);
        at += HELD_HEAD + n;
    }
    buf_clear(&p->held);
    return st;
}

static enum status hold(struct player *p, const struct wal_record *r, struct fault *f)
{
    if (p->streaming) return play(p, r->type, r->data, r->size, f);
    buf_u8(&p->held, r->type);
    buf_u32(&p->held, (uint32_t)r->size);
    buf_append(&p->held, r->data, r->size);
    if (!buf_ok(&p->held))
        return fault_set(f, ST_NOMEM, p->db->dir, FAULT_NO_OFFSET, "no memory to replay the log");
    if (p->held.size > REPLAY_BUFFER_MAX) {
        enum status st = save_push(p->t, f);

        if (st != ST_OK) return st;
        p->streaming = true;
        return play_held(p, f);
    }
    return ST_OK;
}

/* The open transaction did not happen. */
static enum status drop_open(struct player *p, struct fault *f)
{
    enum status st = ST_OK;

    buf_clear(&p->held);
    if (p->streaming) {
        st = oltp_rollback_to(p->t, 0, f);
        if (st == ST_OK) st = oltp_release(p->t, 0, f);
    }
    p->open = p->streaming = false;
    p->done = p->rows;
    ahead_consumed(p->ahead, p->done);
    return st;
}

static enum status on_commit(struct player *p, const struct wal_record *r, bool *stop,
                             struct fault *f)
{
    struct change_commit c;
    enum status st = change_get_commit(r->data, r->size, &c, f);

    if (st != ST_OK) return st;
    *stop = r->end > p->stop.lsn || c.wall_us > p->stop.wall_us;
    if (*stop) return ST_OK;
    if (!p->open) /* replay may start at any commit's end, never inside a transaction */
        return fault_set(f, ST_CORRUPT, p->db->wal_dir, r->start,
                         "a commit of transaction %llu without its beginning",
                         (unsigned long long)c.txn);
    st = play_held(p, f);
    if (st == ST_OK && p->streaming) st = oltp_release(p->t, 0, f);
    p->open = p->streaming = false;
    p->lsn = r->end;
    p->wall_us = c.wall_us;
    return st;
}

static enum status on_record(struct player *p, const struct wal_record *r, bool *stop,
                             struct fault *f)
{
    struct change_begin b;
    enum status st;

    switch (r->type) {
    case CHANGE_BEGIN:
        st = change_get_begin(r->data, r->size, &b, f);
        if (st == ST_OK) st = drop_open(p, f);
        if (st != ST_OK) return st;
        p->open = true;
        if (b.txn > p->last_txn) p->last_txn = b.txn;
        return ST_OK;
    case CHANGE_ROW: p->rows++; /* fall through */
    case CHANGE_SCHEMA: return p->open ? hold(p, r, f) : ST_OK;
    case CHANGE_COMMIT: return on_commit(p, r, stop, f);
    case CHANGE_ABORT: return drop_open(p, f);
    default: return ST_OK;
    }
}

static enum status play_log(struct player *p, struct wal_reader *reader, struct fault *f)
{
    struct oltp_progress *progress = &p->db->o.progress;
    lsn_t from = wal_reader_position(reader), end = wal_reader_visible(reader);
    uint64_t records = 0;
    bool stop = false;
    enum status st = ST_OK;

    if (p->db->o.recovery_helpers > 0 && end - from >= AHEAD_LOG_MIN)
        p->ahead = ahead_start(p->db, from, p->db->o.recovery_helpers);
    while (st == ST_OK && !stop) {
        struct wal_record r;

        st = wal_reader_next(reader, &r, f);
        if (st != ST_OK) break;
        st = on_record(p, &r, &stop, f);
        if (progress->step != NULL && (++records & 0x3fff) == 0)
            progress->step(progress->ctx, "replaying the log", r.end - from, end - from);
    }
    ahead_stop(p->ahead); /* before the new state is installed: they hold the old one */
    p->ahead = NULL;
    return st == ST_END ? ST_OK : st;
}

enum status replay(struct oltp *db, lsn_t from, struct replay_stop stop, struct fault *f)
{
    struct player p = {.db = db, .t = &db->txn, .stop = stop, .last_txn = db->last_txn};
    struct wal_reader *reader = NULL;
    uint64_t began = clock_mono_ns(db->clock);
    enum status st;

    pthread_mutex_lock(&db->writer_latch);
    st = txn_prepare_write(db, f);
    p.lsn = p.t->version->lsn;
    p.wall_us = p.t->version->wall_us;
    if (st == ST_OK) st = wal_reader_open(db->io, db->wal_dir, from, 0, &reader, f);
    if (st == ST_OK) st = play_log(&p, reader, f);
    if (st == ST_OK) st = drop_open(&p, f);
    if (st == ST_OK && p.lsn != p.t->version->lsn) {
        st = space_reserve_dead(&db->pager, db->w.freed_count, f);
        if (st == ST_OK) st = txn_install(p.t, p.lsn, p.wall_us, f);
    } else {
        txn_discard(p.t, NULL);
    }
    if (st != ST_OK) txn_discard(p.t, NULL);
    p.t->save_count = 0;
    db->last_txn = p.last_txn;
    db->replay_from = p.lsn;
    atomic_fetch_add(&db->replayed, p.changes);
    atomic_fetch_add(&db->replay_ns, clock_mono_ns(db->clock) - began);
    pthread_mutex_unlock(&db->writer_latch);
    TRACE(db->trace, "oltp", "replayed", TI("from", from), TI("to", p.lsn),
          TI("changes", p.changes), TI("status", st));
    wal_reader_close(reader);
    buf_free(&p.held);
    return st;
}
