#include "pipeline/stream_format.h"

#include <stdlib.h>

#include "engine/crc32c.h"

void chunk_put(struct buf *out, const struct chunk *c)
{
    buf_varint(out, c->offset);
    buf_varint(out, c->count);
    buf_varint(out, c->lsn);
    buf_varint(out, c->txn);
    buf_varint(out, zigzag(c->wall_us));
    buf_varint(out, c->total);
    buf_varint(out, c->seq);
    buf_u8(out, c->flags);
}

enum status chunk_get(const struct wal_record *rec, const char *dir, struct chunk *out, struct fault *f)
{
    struct reader r = reader_of(rec->data, rec->size);

    out->offset = read_varint(&r);
    out->count = read_varint(&r);
    out->lsn = read_varint(&r);
    out->txn = read_varint(&r);
    out->wall_us = unzigzag(read_varint(&r));
    out->total = read_varint(&r);
    out->seq = read_varint(&r);
    out->flags = read_u8(&r);
    out->events = r.pos;
    out->end = r.end;
    if (r.bad || (out->flags & ~CHUNK_FLAGS) != 0 || out->count > rec->size || out->lsn == LSN_NONE ||
        out->seq > out->total || out->count > out->total - out->seq ||
        (out->seq == 0) != ((out->flags & CHUNK_FIRST) != 0) ||
        (out->seq + out->count == out->total) != ((out->flags & CHUNK_LAST) != 0))
        return fault_set(f, ST_CORRUPT, dir, rec->start, "a record of the stream that is no chunk of events");
    return ST_OK;
}

void beat_put(struct buf *out, const struct beat *b)
{
    buf_varint(out, b->offset);
    buf_varint(out, b->lsn);
    buf_varint(out, zigzag(b->wall_us));
}

enum status beat_get(const struct wal_record *rec, const char *dir, struct beat *out, struct fault *f)
{
    struct reader r = reader_of(rec->data, rec->size);

    out->offset = read_varint(&r);
    out->lsn = read_varint(&r);
    out->wall_us = unzigzag(read_varint(&r));
    if (r.bad || reader_left(&r) != 0)
        return fault_set(f, ST_CORRUPT, dir, rec->start, "a record of the stream that is no heartbeat");
    return ST_OK;
}

void index_entry_put(uint8_t out[INDEX_ENTRY_SIZE], const struct index_entry *e)
{
    put_u64(out, e->position);
    put_u64(out + 8, e->offset);
    put_u64(out + 16, e->lsn);
    put_u64(out + 24, e->lsn_before);
    put_u64(out + 32, (uint64_t)e->wall_us);
    put_u32(out + 40, crc32c(0, out, 40));
    put_u32(out + 44, 0);
}

static bool entry_get(const uint8_t *p, struct index_entry *e)
{
    e->position = get_u64(p);
    e->offset = get_u64(p + 8);
    e->lsn = get_u64(p + 16);
    e->lsn_before = get_u64(p + 24);
    e->wall_us = (int64_t)get_u64(p + 32);
    return get_u32(p + 40) == crc32c(0, p, 40);
}

enum status index_load(struct io *io, const char *dir, lsn_t oldest, lsn_t end, struct index_entry **out,
                       size_t *count, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    struct buf b = {0};
    lsn_t last = 0;
    enum status st = path_join(path, dir, "index", f);

    *out = NULL;
    *count = 0;
    if (st != ST_OK || !io_exists(io, path)) return st;
    st = io_read_all(io, path, INDEX_FILE_MAX, &b, f);
    if (st == ST_OK && b.size >= INDEX_ENTRY_SIZE) {
        *out = malloc(b.size / INDEX_ENTRY_SIZE * sizeof **out);
        if (*out == NULL) st = fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory for the index");
    }
    for (size_t i = 0; st == ST_OK && i + INDEX_ENTRY_SIZE <= b.size; i += INDEX_ENTRY_SIZE) {
        struct index_entry e;

        if (!entry_get(b.data + i, &e) || e.position < last || e.position >= end) break;
        last = e.position;
        if (e.position >= oldest) (*out)[(*count)++] = e;
    }
    buf_free(&b);
    return st;
}

static enum status scan_record(const struct wal_record *rec, const char *dir, struct tail_scan *s,
                               struct fault *f)
{
    struct chunk c;
    struct beat b;
    enum status st;

    s->end = rec->end;
    if (rec->type == STREAM_HEARTBEAT) {
        st = beat_get(rec, dir, &b, f);
        if (st != ST_OK) return st;
        s->tail.lsn = b.lsn;
        s->tail.next_offset = b.offset;
        s->wall_us = b.wall_us;
        return ST_OK;
    }
    if (rec->type != STREAM_CHUNK)
        return fault_set(f, ST_CORRUPT, dir, rec->start, "a record of type %u in a stream", rec->type);
    st = chunk_get(rec, dir, &c, f);
    if (st != ST_OK) return st;
    s->tail.next_offset = c.offset + c.count;
    s->tail.open = (c.flags & CHUNK_LAST) == 0;
    s->tail.open_lsn = c.lsn;
    s->tail.open_seq = c.seq + c.count;
    s->wall_us = c.wall_us;
    if (!s->tail.open) s->tail.lsn = c.lsn;
    return ST_OK;
}

enum status stream_scan_tail(struct io *io, const char *dir, struct tail_scan *out, struct fault *f)
{
    struct wal_state state;
    struct index_entry *entries = NULL;
    struct wal_reader *r = NULL;
    struct wal_record rec;
    lsn_t at = LSN_NONE;
    size_t n = 0;
    enum status st = wal_state(io, dir, &state, f);

    *out = (struct tail_scan){0};
    if (st == ST_OK) st = index_load(io, dir, state.oldest, state.visible, &entries, &n, f);
    if (st == ST_OK && n > 0) {
        at = entries[n - 1].position;
        out->tail.lsn = entries[n - 1].lsn_before;
        out->tail.next_offset = entries[n - 1].offset;
    }
    if (st == ST_OK) st = wal_reader_open(io, dir, at, 0, &r, f);
    while (st == ST_OK && (st = wal_reader_next(r, &rec, f)) == ST_OK) st = scan_record(&rec, dir, out, f);
    wal_reader_close(r);
    free(entries);
    return st == ST_END ? ST_OK : st;
}
