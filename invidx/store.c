/* store - a manifest's payload to segments and deletions, and back. */
#include "invidx/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/crc32c.h"

static const uint8_t magic[8] = {'S', 'E', 'A', 'M', 'D', 'E', 'L', '1'};

void invidx_store_encode(const struct invidx_store_state *s, struct seam_buf *out)
{
    seam_buf_u32(out, STORE_VERSION);
    seam_buf_u64(out, s->next_id);
    seam_buf_u64(out, s->purged);
    seam_buf_u32(out, s->segment_count);
    seam_buf_u32(out, s->del_count);
    for (uint32_t i = 0; i < s->segment_count; i++) {
        seam_buf_u64(out, s->segments[i].id);
        seam_buf_u64(out, s->segments[i].size);
        seam_buf_u32(out, s->segments[i].docs);
    }
    for (uint32_t i = 0; i < s->del_count; i++) {
        seam_buf_u64(out, s->dels[i].id);
        seam_buf_u64(out, s->dels[i].size);
        seam_buf_u32(out, s->dels[i].crc);
    }
}

static enum seam_status damaged(const struct seam_manifest *m, const char *dir,
                                struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];

    snprintf(path, sizeof path, "%s/%016llx.manifest", dir, (unsigned long long)m->seq);
    return seam_fault_set(f, SEAM_CORRUPT, path, SEAM_MANIFEST_HEADER_SIZE,
                          "the list of segments is damaged");
}

enum seam_status invidx_store_decode(const struct seam_manifest *m, const char *dir,
                                     struct invidx_store_state *out, struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(m->payload.data, m->payload.size);
    struct invidx_store_state s = {0};

    memset(out, 0, sizeof *out);
    if (seam_read_u32(&r) != STORE_VERSION) return damaged(m, dir, f);
    s.next_id = seam_read_u64(&r);
    s.purged = seam_read_u64(&r);
    s.segment_count = seam_read_u32(&r);
    s.del_count = seam_read_u32(&r);
    if (r.bad || s.segment_count > INVIDX_SEGMENTS_MAX || s.del_count > DELS_MAX ||
        seam_reader_left(&r) != 20 * ((size_t)s.segment_count + s.del_count))
        return damaged(m, dir, f);
    s.segments = calloc(s.segment_count + 1, sizeof *s.segments);
    s.dels = calloc(s.del_count + 1, sizeof *s.dels);
    if (s.segments == NULL || s.dels == NULL) {
        invidx_store_free(&s);
        return seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET,
                              "no memory for the list of segments");
    }
    for (uint32_t i = 0; i < s.segment_count; i++)
        s.segments[i] =
            (struct invidx_store_segment){seam_read_u64(&r), seam_read_u64(&r), seam_read_u32(&r)};
    for (uint32_t i = 0; i < s.del_count; i++)
        s.dels[i] =
            (struct invidx_store_dels){seam_read_u64(&r), seam_read_u64(&r), seam_read_u32(&r)};
    *out = s;
    return SEAM_OK;
}

void invidx_store_free(struct invidx_store_state *s)
{
    free(s->segments);
    free(s->dels);
    memset(s, 0, sizeof *s);
}

void invidx_dels_path(char out[SEAM_PATH_MAX_BYTES], const char *dir, uint64_t id)
{
    snprintf(out, SEAM_PATH_MAX_BYTES, "%s/%016llx.del", dir, (unsigned long long)id);
}

enum seam_status invidx_dels_write(struct seam_io *io, const char *dir, uint64_t id,
                                   const struct invidx_tomb_group *groups, size_t count,
                                   struct invidx_store_dels *out, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_buf b = {0};
    enum seam_status st;

    invidx_dels_path(path, dir, id);
    seam_buf_append(&b, magic, sizeof magic);
    seam_buf_u32(&b, DEL_VERSION);
    seam_buf_u32(&b, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        seam_buf_u64(&b, groups[i].segment);
        seam_buf_u32(&b, (uint32_t)groups[i].n);
        for (size_t k = 0; k < groups[i].n; k++) {
            seam_buf_u32(&b, groups[i].tombs[k].doc);
            seam_buf_u64(&b, groups[i].tombs[k].lsn);
        }
    }
    if (seam_buf_ok(&b)) seam_buf_u32(&b, seam_crc32c(0, b.data, b.size));
    if (!seam_buf_ok(&b)) {
        st = seam_fault_set(f, SEAM_NOMEM, path, SEAM_FAULT_NO_OFFSET,
                            "no memory for the tombstones");
        goto done;
    }
    *out = (struct invidx_store_dels){id, b.size, seam_get_u32(b.data + b.size - 4)};
    st = seam_io_write_new(io, path, b.data, b.size, true, f);
done:
    seam_buf_free(&b);
    return st;
}

static enum seam_status decode(const char *path, const struct seam_buf *b,
                               bool (*fn)(void *ctx, uint64_t segment, uint32_t doc,
                                          seam_lsn_t lsn),
                               void *ctx, struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(b->data, b->size - 4);
    uint32_t groups;

    seam_read_bytes(&r, 12);
    groups = seam_read_u32(&r);
    for (uint32_t i = 0; i < groups; i++) {
        uint64_t segment = seam_read_u64(&r);
        uint32_t n = seam_read_u32(&r);

        if (r.bad || seam_reader_left(&r) / 12 < n)
            return seam_fault_set(f, SEAM_CORRUPT, path, seam_reader_offset(&r),
                                  "a group is longer than the file");
        for (uint32_t k = 0; k < n; k++) {
            uint32_t doc = seam_read_u32(&r);
            seam_lsn_t lsn = seam_read_u64(&r);

            if (!fn(ctx, segment, doc, lsn))
                return seam_fault_set(f, SEAM_CORRUPT, path, seam_reader_offset(&r) - 12,
                                      "a tombstone names document %u, which segment %llx has not",
                                      doc, (unsigned long long)segment);
        }
    }
    if (r.bad || seam_reader_left(&r) != 0)
        return seam_fault_set(f, SEAM_CORRUPT, path, seam_reader_offset(&r),
                              "the groups do not fill the file");
    return SEAM_OK;
}

enum seam_status
invidx_dels_read(struct seam_io *io, const char *dir, const struct invidx_store_dels *d,
                 bool (*fn)(void *ctx, uint64_t segment, uint32_t doc, seam_lsn_t lsn), void *ctx,
                 struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_buf b = {0};
    enum seam_status st;

    invidx_dels_path(path, dir, d->id);
    st = seam_io_read_all(io, path, DEL_FILE_MAX, &b, f);
    if (st != SEAM_OK) goto done;
    if (b.size != d->size || b.size < 20 || memcmp(b.data, magic, 8) != 0 ||
        seam_get_u32(b.data + 8) != DEL_VERSION || seam_get_u32(b.data + b.size - 4) != d->crc ||
        seam_crc32c(0, b.data, b.size - 4) != d->crc)
        st = seam_fault_set(f, SEAM_CORRUPT, path, 0,
                            "not the tombstones that the manifest names, or damaged");
    else
        st = decode(path, &b, fn, ctx, f);
done:
    seam_buf_free(&b);
    return st;
}
