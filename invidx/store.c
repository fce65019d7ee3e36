#include "invidx/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/crc32c.h"

static const uint8_t magic[8] = {'S', 'E', 'A', 'M', 'D', 'E', 'L', '1'};

void store_encode(const struct store_state *s, struct buf *out)
{
    buf_u32(out, STORE_VERSION);
    buf_u64(out, s->next_id);
    buf_u64(out, s->purged);
    buf_u32(out, s->segment_count);
    buf_u32(out, s->del_count);
    for (uint32_t i = 0; i < s->segment_count; i++) {
        buf_u64(out, s->segments[i].id);
        buf_u64(out, s->segments[i].size);
        buf_u32(out, s->segments[i].docs);
    }
    for (uint32_t i = 0; i < s->del_count; i++) {
        buf_u64(out, s->dels[i].id);
        buf_u64(out, s->dels[i].size);
        buf_u32(out, s->dels[i].crc);
    }
}

static enum status damaged(const struct manifest *m, const char *dir, struct fault *f)
{
    char path[PATH_MAX_BYTES];

    snprintf(path, sizeof path, "%s/%016llx.manifest", dir, (unsigned long long)m->seq);
    return fault_set(f, ST_CORRUPT, path, MANIFEST_HEADER_SIZE, "the list of segments is damaged");
}

enum status store_decode(const struct manifest *m, const char *dir, struct store_state *out,
                         struct fault *f)
{
    struct reader r = reader_of(m->payload.data, m->payload.size);
    struct store_state s = {0};

    memset(out, 0, sizeof *out);
    if (read_u32(&r) != STORE_VERSION) return damaged(m, dir, f);
    s.next_id = read_u64(&r);
    s.purged = read_u64(&r);
    s.segment_count = read_u32(&r);
    s.del_count = read_u32(&r);
    if (r.bad || s.segment_count > INVIDX_SEGMENTS_MAX || s.del_count > DELS_MAX ||
        reader_left(&r) != 20 * ((size_t)s.segment_count + s.del_count))
        return damaged(m, dir, f);
    s.segments = calloc(s.segment_count + 1, sizeof *s.segments);
    s.dels = calloc(s.del_count + 1, sizeof *s.dels);
    if (s.segments == NULL || s.dels == NULL) {
        store_free(&s);
        return fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory for the list of segments");
    }
    for (uint32_t i = 0; i < s.segment_count; i++)
        s.segments[i] = (struct store_segment){read_u64(&r), read_u64(&r), read_u32(&r)};
    for (uint32_t i = 0; i < s.del_count; i++)
        s.dels[i] = (struct store_dels){read_u64(&r), read_u64(&r), read_u32(&r)};
    *out = s;
    return ST_OK;
}

void store_free(struct store_state *s)
{
    free(s->segments);
    free(s->dels);
    memset(s, 0, sizeof *s);
}

void dels_path(char out[PATH_MAX_BYTES], const char *dir, uint64_t id)
{
    snprintf(out, PATH_MAX_BYTES, "%s/%016llx.del", dir, (unsigned long long)id);
}

enum status dels_write(struct io *io, const char *dir, uint64_t id, const struct tomb_group *groups,
                       size_t count, struct store_dels *out, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    struct buf b = {0};
    enum status st;

    dels_path(path, dir, id);
    buf_append(&b, magic, sizeof magic);
    buf_u32(&b, DEL_VERSION);
    buf_u32(&b, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        buf_u64(&b, groups[i].segment);
        buf_u32(&b, (uint32_t)groups[i].n);
        for (size_t k = 0; k < groups[i].n; k++) {
            buf_u32(&b, groups[i].tombs[k].doc);
            buf_u64(&b, groups[i].tombs[k].lsn);
        }
    }
    if (buf_ok(&b)) buf_u32(&b, crc32c(0, b.data, b.size));
    if (!buf_ok(&b)) {
        st = fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory for the tombstones");
        goto done;
    }
    *out = (struct store_dels){id, b.size, get_u32(b.data + b.size - 4)};
    st = io_write_new(io, path, b.data, b.size, true, f);
done:
    buf_free(&b);
    return st;
}

static enum status decode(const char *path, const struct buf *b,
                          bool (*fn)(void *ctx, uint64_t segment, uint32_t doc, lsn_t lsn),
                          void *ctx, struct fault *f)
{
    struct reader r = reader_of(b->data, b->size - 4);
    uint32_t groups;

    read_bytes(&r, 12);
    groups = read_u32(&r);
    for (uint32_t i = 0; i < groups; i++) {
        uint64_t segment = read_u64(&r);
        uint32_t n = read_u32(&r);

        if (r.bad || reader_left(&r) / 12 < n)
            return fault_set(f, ST_CORRUPT, path, reader_offset(&r),
                             "a group is longer than the file");
        for (uint32_t k = 0; k < n; k++) {
            uint32_t doc = read_u32(&r);
            lsn_t lsn = read_u64(&r);

            if (!fn(ctx, segment, doc, lsn))
                return fault_set(f, ST_CORRUPT, path, reader_offset(&r) - 12,
                                 "a tombstone names document %u, which segment %llx has not", doc,
                                 (unsigned long long)segment);
        }
    }
    if (r.bad || reader_left(&r) != 0)
        return fault_set(f, ST_CORRUPT, path, reader_offset(&r), "the groups do not fill the file");
    return ST_OK;
}

enum status dels_read(struct io *io, const char *dir, const struct store_dels *d,
                      bool (*fn)(void *ctx, uint64_t segment, uint32_t doc, lsn_t lsn), void *ctx,
                      struct fault *f)
{
    char path[PATH_MAX_BYTES];
    struct buf b = {0};
    enum status st;

    dels_path(path, dir, d->id);
    st = io_read_all(io, path, DEL_FILE_MAX, &b, f);
    if (st != ST_OK) goto done;
    if (b.size != d->size || b.size < 20 || memcmp(b.data, magic, 8) != 0 ||
        get_u32(b.data + 8) != DEL_VERSION || get_u32(b.data + b.size - 4) != d->crc ||
        crc32c(0, b.data, b.size - 4) != d->crc)
        st = fault_set(f, ST_CORRUPT, path, 0,
                       "not the tombstones that the manifest names, or damaged");
    else
        st = decode(path, &b, fn, ctx, f);
done:
    buf_free(&b);
    return st;
}
