#include <stdio.h>
#include <stdlib.h>

#include "pipeline/stream_format.h"

struct stream_writer {
    struct io *io;
    struct clock *clock;
    struct trace *trace;
    struct wal *log;
    struct file *index;
    uint64_t index_size;
    lsn_t indexed;             /* position of the last index entry */
    char dir[PATH_MAX_BYTES];
    struct stream_writer_options o;
    struct stream_transaction txn;
    bool in_txn;
    uint64_t next_offset, chunk_seq, chunk_count;
    struct buf body, head;     /* of the chunk being filled */
    lsn_t lsn;                 /* everything up to here has been appended */
    lsn_t synced_position;
};

static enum status open_index(struct stream_writer *w, struct fault *f)
{
    struct index_entry *entries = NULL;
    size_t n = 0;
    char path[PATH_MAX_BYTES];
    enum status st = path_join(path, w->dir, "index", f);

    if (st == ST_OK) st = index_load(w->io, w->dir, 0, wal_end_lsn(w->log), &entries, &n, f);
    if (st == ST_OK) st = file_open(w->io, path, FILE_WRITE | FILE_CREATE, &w->index, f);
    w->index_size = n * INDEX_ENTRY_SIZE;
    if (st == ST_OK) st = file_truncate(w->index, w->index_size, f); /* what followed the crash is void */
    if (n > 0) w->indexed = entries[n - 1].position;
    free(entries);
    return st;
}

enum status stream_writer_open(struct io *io, const char *dir, const struct stream_writer_options *o,
                               struct stream_writer **out, struct stream_tail *tail, struct fault *f)
{
    struct stream_writer *w = calloc(1, sizeof *w);
    struct wal_options wo = {.io = io, .clock = o->clock, .trace = o->trace, .log_id = o->log_id,
                             .segment_bytes = o->segment_bytes, .visible_when_written = true};
    struct tail_scan scan;
    enum status st;

    if (w == NULL) return fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory for the stream");
    w->io = io;
    w->clock = o->clock != NULL ? o->clock : clock_real();
    w->trace = o->trace;
    w->o = *o;
    snprintf(w->dir, sizeof w->dir, "%s", dir);
    st = io_mkdir(io, dir, f);
    if (st == ST_OK) st = wal_open(dir, &wo, &w->log, NULL, f);
    if (st == ST_OK) st = open_index(w, f);
    if (st == ST_OK) st = stream_scan_tail(io, dir, &scan, f);
    if (st != ST_OK) {
        (void)stream_writer_close(w, NULL);
        return st;
    }
    w->lsn = scan.tail.lsn;
    w->next_offset = scan.tail.next_offset;
    w->synced_position = wal_durable_lsn(w->log);
    *tail = scan.tail;
    *out = w;
    return ST_OK;
}

/* Every INDEX_BYTES, for a record that begins a transaction or is a heartbeat.                      */
static enum status index_record(struct stream_writer *w, lsn_t position, lsn_t lsn, int64_t wall_us,
                                struct fault *f)
{
    struct index_entry e = {position, w->next_offset, lsn, w->lsn, wall_us};
    uint8_t bytes[INDEX_ENTRY_SIZE];
    enum status st;

    if (w->index_size > 0 && position - w->indexed < STREAM_INDEX_BYTES) return ST_OK;
    index_entry_put(bytes, &e);
    st = file_write(w->index, w->index_size, bytes, sizeof bytes, f);
    w->index_size += sizeof bytes;
    w->indexed = position;
    return st;
}

static enum status close_chunk(struct stream_writer *w, bool last, struct fault *f)
{
    const struct stream_transaction *t = &w->txn;
    struct chunk c = {.offset = w->next_offset, .count = w->chunk_count, .lsn = t->lsn, .txn = t->txn,
                      .wall_us = t->wall_us, .total = t->total, .seq = w->chunk_seq};
    struct io_slice parts[2];
    struct wal_span at;
    enum status st;

    if (w->chunk_seq == 0) c.flags |= CHUNK_FIRST;
    if (last) c.flags |= CHUNK_LAST;
    if (t->snapshot) c.flags |= CHUNK_SNAPSHOT;
    if (t->repair) c.flags |= CHUNK_REPAIR;
    buf_clear(&w->head);
    chunk_put(&w->head, &c);
    if (!buf_ok(&w->head) || !buf_ok(&w->body))
        return fault_set(f, ST_NOMEM, w->dir, FAULT_NO_OFFSET, "no memory for a chunk of events");
    parts[0] = (struct io_slice){w->head.data, w->head.size};
    parts[1] = (struct io_slice){w->body.data, w->body.size};
    st = wal_append(w->log, STREAM_CHUNK, parts, w->body.size > 0 ? 2 : 1, &at, f);
    if (st == ST_OK && c.seq == 0) st = index_record(w, at.start, t->lsn, t->wall_us, f);
    if (st != ST_OK) return st;
    w->next_offset += w->chunk_count;
    w->chunk_seq += w->chunk_count;
    w->chunk_count = 0;
    buf_clear(&w->body);
    if (last) w->lsn = t->lsn;
    return ST_OK;
}

enum status stream_begin(struct stream_writer *w, const struct stream_transaction *t, struct fault *f)
{
    if (w->in_txn || t->lsn <= w->lsn || t->seq > t->total)
        return fault_set(f, ST_INVALID, w->dir, t->lsn, "a transaction out of order (LSN %llu after %llu)",
                         (unsigned long long)t->lsn, (unsigned long long)w->lsn);
    w->txn = *t;
    w->in_txn = true;
    w->chunk_seq = t->seq;
    w->chunk_count = 0;
    buf_clear(&w->body);
    return ST_OK;
}

enum status stream_event_put(struct stream_writer *w, uint8_t type, const void *payload, size_t n,
                             struct fault *f)
{
    if (w->chunk_seq + w->chunk_count >= w->txn.total)
        return fault_set(f, ST_INVALID, w->dir, w->txn.lsn, "more events than the transaction announced");
    /* A full chunk goes out before the next event, so that the transaction's last one is known as such. */
    if (w->chunk_count > 0 && w->body.size + n > STREAM_CHUNK_BYTES) {
        enum status st = close_chunk(w, false, f);

        if (st != ST_OK) return st;
    }
    buf_u8(&w->body, type);
    buf_lenstr(&w->body, payload, n);
    w->chunk_count++;
    return ST_OK;
}

enum status stream_end(struct stream_writer *w, struct fault *f)
{
    if (w->chunk_seq + w->chunk_count != w->txn.total)
        return fault_set(f, ST_INVALID, w->dir, w->txn.lsn, "fewer events than the transaction announced");
    w->in_txn = false;
    return close_chunk(w, true, f);
}

enum status stream_heartbeat(struct stream_writer *w, lsn_t lsn, struct fault *f)
{
    struct beat b = {w->next_offset, lsn, clock_wall_us(w->clock)};
    struct io_slice part;
    struct wal_span at;
    enum status st;

    if (w->in_txn || lsn < w->lsn)
        return fault_set(f, ST_INVALID, w->dir, lsn, "a heartbeat behind the stream");
    buf_clear(&w->head);
    beat_put(&w->head, &b);
    part = (struct io_slice){w->head.data, w->head.size};
    st = wal_append(w->log, STREAM_HEARTBEAT, &part, 1, &at, f);
    if (st == ST_OK) st = index_record(w, at.start, lsn, b.wall_us, f);
    if (st == ST_OK) w->lsn = lsn;
    return st;
}

enum status stream_flush(struct stream_writer *w, struct fault *f)
{
    return wal_commit(w->log, wal_end_lsn(w->log), WAL_WRITTEN, f);
}

enum status stream_sync(struct stream_writer *w, lsn_t *synced, struct fault *f)
{
    enum status st = wal_flush(w->log, f);

    if (st != ST_OK) return st;
    w->synced_position = wal_durable_lsn(w->log);
    if (synced != NULL) *synced = w->lsn;
    return ST_OK;
}

uint64_t stream_unsynced_bytes(const struct stream_writer *w)
{
    return wal_end_lsn(w->log) - w->synced_position;
}

/* What retention and the consumers leave: the lowest position that is still wanted.                  */
static lsn_t wanted_from(struct stream_writer *w, struct stream_consumers *consumers, size_t *invalidated)
{
    struct stream_consumer list[STREAM_CONSUMERS_MAX];
    size_t n = stream_consumers_list(consumers, list);
    lsn_t end = wal_end_lsn(w->log);
    lsn_t keep = end > w->o.retain_bytes ? end - w->o.retain_bytes : LSN_NONE;

    for (size_t i = 0; i < n; i++) {
        if (list[i].invalid) continue;
        if (w->o.bound_bytes != 0 && end - list[i].position > w->o.bound_bytes) {
            stream_consumer_invalidate(consumers, list[i].name);
            TRACE(w->trace, "pipeline", "consumer_invalidated", TS("consumer", list[i].name),
                  TI("behind_bytes", end - list[i].position));
            ++*invalidated;
            continue;
        }
        if (list[i].position < keep) keep = list[i].position;
    }
    return keep;
}

/* Entries younger than retain_us hold their segments as well.                                      */
static enum status young_from(struct stream_writer *w, lsn_t *keep, struct fault *f)
{
    struct index_entry *entries = NULL;
    size_t n = 0;
    int64_t now = clock_wall_us(w->clock);
    enum status st;

    if (w->o.retain_us == 0) return ST_OK;
    st = index_load(w->io, w->dir, 0, wal_end_lsn(w->log), &entries, &n, f);
    for (size_t i = 0; st == ST_OK && i < n; i++)
        if (now - entries[i].wall_us < w->o.retain_us && entries[i].position < *keep)
            *keep = entries[i].position;
    free(entries);
    return st;
}

enum status stream_trim(struct stream_writer *w, size_t *invalidated, struct fault *f)
{
    struct stream_consumers *consumers = NULL;
    size_t lost = 0;
    lsn_t keep;
    enum status st;

    if (invalidated != NULL) *invalidated = 0;
    if (w->o.retain_bytes == 0) return ST_OK; /* everything is kept */
    st = stream_consumers_open(w->io, w->dir, &consumers, f);
    if (st != ST_OK) return st;
    keep = wanted_from(w, consumers, &lost);
    st = young_from(w, &keep, f);
    if (st == ST_OK) st = wal_trim(w->log, keep, NULL, f);
    stream_consumers_close(consumers);
    if (invalidated != NULL) *invalidated = lost;
    return st;
}

enum status stream_writer_close(struct stream_writer *w, struct fault *f)
{
    enum status st;

    if (w == NULL) return ST_OK;
    st = wal_close(w->log, f);
    file_close(w->index);
    buf_free(&w->body);
    buf_free(&w->head);
    free(w);
    return st;
}
