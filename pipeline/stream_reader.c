#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/stream_format.h"

struct stream_reader {
    struct wal_reader *log;
    char dir[PATH_MAX_BYTES];
    struct wal_record rec;
    struct chunk chunk;       /* being given out */
    uint64_t given;           /* events of it given */
    bool in_chunk, commit_due;
    bool whole;               /* a transaction's first chunk has been seen: what follows is whole */
    uint64_t skip_offset;     /* events below are passed over */
    lsn_t skip_lsn;           /* transactions up to here are passed over */
    int64_t skip_time;        /* transactions before this are passed over; INT64_MIN = none */
};

static const struct index_entry *find_entry(const struct index_entry *e, size_t n, enum stream_from from,
                                            int64_t number)
{
    const struct index_entry *found = NULL;

    for (size_t i = 0; i < n; i++) {
        bool before = from == STREAM_FROM_OFFSET ? e[i].offset <= (uint64_t)number
                      : from == STREAM_FROM_LSN  ? e[i].lsn <= (uint64_t)number
                      : from == STREAM_FROM_TIME ? e[i].wall_us < number
                                                 : from == STREAM_FROM_END;

        if (!before && from == STREAM_FROM_TIME) break; /* clocks step back: stay before the first that is late enough */
        if (before) found = &e[i];
    }
    return found;
}

static void set_skips(struct stream_reader *r, enum stream_from from, int64_t number)
{
    r->skip_time = INT64_MIN;
    if (from == STREAM_FROM_OFFSET) r->skip_offset = (uint64_t)number;
    if (from == STREAM_FROM_LSN) r->skip_lsn = (lsn_t)number;
    if (from == STREAM_FROM_TIME) r->skip_time = number;
}

/* The oldest kept event must not lie after what was asked for.                                     */
static enum status check_kept(struct stream_reader *r, enum stream_from from, const struct wal_state *state,
                              struct fault *f)
{
    struct wal_record rec;
    struct chunk c;
    enum status st;

    if (state->oldest < state->segment_bytes || from == STREAM_FROM_START || from == STREAM_FROM_END ||
        from == STREAM_FROM_TIME)
        return ST_OK; /* nothing was ever let go, or any beginning will do */
    st = wal_reader_next(r->log, &rec, f);
    if (st == ST_END) return ST_OK;
    if (st == ST_OK && rec.type == STREAM_CHUNK && chunk_get(&rec, r->dir, &c, f) == ST_OK &&
        (from == STREAM_FROM_OFFSET ? c.offset > r->skip_offset : c.lsn > r->skip_lsn))
        return fault_set(f, ST_NOT_FOUND, r->dir, c.offset,
                         "the stream keeps events from offset %llu (LSN %llu) on: the consumer must bootstrap",
                         (unsigned long long)c.offset, (unsigned long long)c.lsn);
    return st == ST_OK ? wal_reader_seek(r->log, rec.start, f) : st;
}

enum status stream_reader_open(struct io *io, const char *dir, enum stream_from from, int64_t number,
                               struct stream_reader **out, struct fault *f)
{
    struct stream_reader *r = calloc(1, sizeof *r);
    struct index_entry *entries = NULL;
    const struct index_entry *entry;
    struct wal_state state;
    size_t n = 0;
    enum status st;

    if (r == NULL) return fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory for a reader");
    snprintf(r->dir, sizeof r->dir, "%s", dir);
    st = wal_state(io, dir, &state, f);
    if (st == ST_OK) st = index_load(io, dir, state.oldest, state.visible, &entries, &n, f);
    entry = find_entry(entries, n, from, number);
    if (st == ST_OK) st = wal_reader_open(io, dir, entry != NULL ? entry->position : LSN_NONE, 0, &r->log, f);
    set_skips(r, from, number);
    if (st == ST_OK && entry == NULL) st = check_kept(r, from, &state, f);
    while (st == ST_OK && from == STREAM_FROM_END) {
        st = wal_reader_next(r->log, &r->rec, f);
        if (st == ST_OK) r->whole = r->rec.type == STREAM_HEARTBEAT || r->whole;
    }
    if (from == STREAM_FROM_END && st == ST_END) st = ST_OK;
    free(entries);
    if (st != ST_OK) {
        stream_reader_close(r);
        return st;
    }
    *out = r;
    return ST_OK;
}

/* One event of the chunk in hand.                                                                  */
static enum status decode_event(struct stream_reader *r, struct stream_event *e, struct fault *f)
{
    struct chunk *c = &r->chunk;
    struct reader in = reader_of(c->events, (size_t)(c->end - c->events));
    uint8_t type = read_u8(&in);
    size_t n = 0;
    const uint8_t *payload = read_lenstr(&in, WAL_PAYLOAD_MAX, &n);
    enum status st;

    if (in.bad)
        return fault_set(f, ST_CORRUPT, r->dir, r->rec.start, "an event runs past the end of its chunk");
    c->events = in.pos;
    *e = (struct stream_event){
        .offset = c->offset + r->given, .lsn = c->lsn, .txn = c->txn, .seq = c->seq + r->given,
        .total = c->total, .wall_us = c->wall_us, .position = r->rec.end,
        .snapshot = (c->flags & CHUNK_SNAPSHOT) != 0, .repair = (c->flags & CHUNK_REPAIR) != 0};
    r->given++;
    switch (type) {
    case CHANGE_ROW: e->kind = STREAM_ROW; st = change_get_row(payload, n, &e->row, f); break;
    case CHANGE_OUTBOX: e->kind = STREAM_OUTBOX; st = change_get_outbox(payload, n, &e->outbox, f); break;
    case CHANGE_SCHEMA: e->kind = STREAM_SCHEMA; st = change_get_schema(payload, n, &e->schema, f); break;
    default:
        return fault_set(f, ST_CORRUPT, r->dir, r->rec.start, "an event of unknown type %u", type);
    }
    return st;
}

/* Is the chunk in hand before what was asked for?                                                  */
static bool skipped(struct stream_reader *r)
{
    const struct chunk *c = &r->chunk;

    if ((c->flags & CHUNK_FIRST) != 0) r->whole = true;
    if (!r->whole || c->lsn <= r->skip_lsn) return true;
    if (c->offset + c->count <= r->skip_offset && c->count > 0) return true;
    return r->skip_time != INT64_MIN && c->wall_us < r->skip_time;
}

static enum status next_record(struct stream_reader *r, struct stream_event *e, bool *given, struct fault *f)
{
    struct beat b;
    enum status st = wal_reader_next(r->log, &r->rec, f);

    if (st != ST_OK) return st;
    if (r->rec.type == STREAM_HEARTBEAT) {
        st = beat_get(&r->rec, r->dir, &b, f);
        r->whole = true;
        if (st != ST_OK || b.lsn <= r->skip_lsn) return st;
        *e = (struct stream_event){.kind = STREAM_BEAT, .offset = b.offset, .lsn = b.lsn, .wall_us = b.wall_us,
                                   .position = r->rec.end};
        *given = true;
        return ST_OK;
    }
    if (r->rec.type != STREAM_CHUNK)
        return fault_set(f, ST_CORRUPT, r->dir, r->rec.start, "a record of type %u in a stream", r->rec.type);
    st = chunk_get(&r->rec, r->dir, &r->chunk, f);
    if (st != ST_OK || skipped(r)) return st;
    r->skip_time = INT64_MIN; /* the first late enough: all that follow are taken, whatever their clock said */
    r->in_chunk = true;
    r->given = 0;
    return ST_OK;
}

enum status stream_reader_next(struct stream_reader *r, struct stream_event *e, struct fault *f)
{
    bool given = false;
    enum status st = ST_OK;

    while (st == ST_OK && !given) {
        if (r->in_chunk && r->given < r->chunk.count) {
            st = decode_event(r, e, f);
            given = st == ST_OK && e->offset >= r->skip_offset;
            continue;
        }
        if (r->in_chunk) {
            r->in_chunk = false;
            if (r->chunk.events != r->chunk.end)
                return fault_set(f, ST_CORRUPT, r->dir, r->rec.start, "bytes behind the last event of a chunk");
            if ((r->chunk.flags & CHUNK_LAST) == 0) continue;
            *e = (struct stream_event){
                .kind = STREAM_COMMIT, .offset = r->chunk.offset + r->chunk.count, .lsn = r->chunk.lsn,
                .txn = r->chunk.txn, .seq = r->chunk.total, .total = r->chunk.total,
                .wall_us = r->chunk.wall_us, .position = r->rec.end};
            return ST_OK;
        }
        st = next_record(r, e, &given, f);
    }
    return st;
}

enum status stream_reader_wait(struct stream_reader *r, uint64_t timeout_ns)
{
    return r->in_chunk ? ST_OK : wal_reader_wait(r->log, timeout_ns);
}

void stream_reader_close(struct stream_reader *r)
{
    if (r == NULL) return;
    wal_reader_close(r->log);
    free(r);
}

enum status stream_state(struct io *io, const char *dir, struct stream_state *out, struct fault *f)
{
    struct wal_state state;
    struct tail_scan scan;
    struct stream_reader *r = NULL;
    struct stream_event e;
    enum status st = wal_state(io, dir, &state, f);

    *out = (struct stream_state){0};
    if (st == ST_OK) st = stream_scan_tail(io, dir, &scan, f);
    if (st != ST_OK) return st;
    out->next_offset = scan.tail.next_offset;
    out->lsn = scan.tail.lsn;
    out->wall_us = scan.wall_us;
    out->bytes = state.visible - state.oldest;
    out->writer_pid = state.writer_pid;
    out->writer_alive = state.writer_alive;
    out->oldest_offset = out->next_offset;
    st = stream_reader_open(io, dir, STREAM_FROM_START, 0, &r, f);
    if (st == ST_OK) st = stream_reader_next(r, &e, f);
    if (st == ST_OK) out->oldest_offset = e.offset;
    stream_reader_close(r);
    return st == ST_END ? ST_OK : st;
}
