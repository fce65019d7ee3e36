/* store - a manifest's payload to segments and deletions, and back. */
#include "invidx/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/crc32c.h"

static const struct seam_filehead_format format = {
    .magic = "SEAMDEL1",
    .version = 2,
    .name = "a file of tombstones",
    .way_out = "the index is derived from the source: `seam rebuild DIR search` makes it again"};

void invidx_store_encode(const struct invidx_store_state *s, struct seam_buf *out)
{
    assert(s->segment_count <= INVIDX_SEGMENTS_MAX);
    assert(s->del_count <= DELS_MAX);
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
    enum seam_status st = seam_manifest_path(path, dir, m->seq, f);

    if (st != SEAM_OK) return st;
    return seam_fault_set(f, SEAM_CORRUPT, path, SEAM_MANIFEST_HEADER_SIZE,
                          "the list of segments is damaged");
}

enum seam_status invidx_store_decode(const struct seam_manifest *m, const char *dir,
                                     struct invidx_store_state *out, struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(m->payload.data, m->payload.size);
    struct invidx_store_state s = {0};
    uint32_t version;
    assert(out != NULL);

    memset(out, 0, sizeof *out);
    version = seam_read_u32(&r);
    if (!r.bad && version != STORE_VERSION)
        return seam_fault_set(f, SEAM_UNSUPPORTED, dir, SEAM_FAULT_NO_OFFSET,
                              "state %" PRIu64 ": a list of segments of version %" PRIu32
                              "; this program reads version %d",
                              m->seq, version, STORE_VERSION);
    s.owner = m->owner;
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
        return seam_no_memory(f, "the list of segments");
    }
    for (uint32_t i = 0; i < s.segment_count; i++)
        s.segments[i] =
            (struct invidx_store_segment){seam_read_u64(&r), seam_read_u64(&r), seam_read_u32(&r)};
    for (uint32_t i = 0; i < s.del_count; i++)
        s.dels[i] =
            (struct invidx_store_dels){seam_read_u64(&r), seam_read_u64(&r), seam_read_u32(&r)};
    assert(seam_reader_left(&r) == 0 && !r.bad);
    *out = s;
    return SEAM_OK;
}

void invidx_store_free(struct invidx_store_state *s)
{
    free(s->segments);
    free(s->dels);
    memset(s, 0, sizeof *s);
}

enum seam_status invidx_store_segment_check(const struct invidx_segment *seg,
                                            const struct invidx_store_segment *named,
                                            const struct seam_owner *owner, struct seam_fault *f)
{
    assert(seg->docs > 0);
    if (seg->size != named->size || seg->docs != named->docs)
        return invidx_segment_damaged(seg, NULL, "another size than the manifest gives", f);
    return seam_filehead_check(&invidx_segment_format, &(struct seam_filehead){.owner = seg->owner},
                               &(struct seam_filehead_want){.platform = owner->platform}, seg->path,
                               f);
}

enum seam_status invidx_dels_path(char out[SEAM_PATH_MAX_BYTES], const char *dir, uint64_t id,
                                  struct seam_fault *f)
{
    return seam_path_format(out, dir, f, "%016" PRIx64 ".del", id);
}

enum seam_status invidx_dels_write(struct seam_io *io, const char *dir,
                                   const struct invidx_dels_spec *spec,
                                   struct invidx_store_dels *out, struct seam_fault *f)
{
    uint8_t head[SEAM_FILEHEAD_BYTES];
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_buf b = {0};
    enum seam_status st = invidx_dels_path(path, dir, spec->id, f);
    assert(spec->count > 0 && spec->count <= UINT32_MAX);

    if (st != SEAM_OK) return st;
    seam_filehead_encode(&format,
                         &(struct seam_filehead){.owner = spec->owner,
                                                 .file_id = spec->id,
                                                 .extra = (uint32_t)spec->count},
                         head);
    seam_buf_append(&b, head, sizeof head);
    for (size_t i = 0; i < spec->count; i++) {
        const struct invidx_tomb_group *g = &spec->groups[i];

        seam_buf_u64(&b, g->segment);
        seam_buf_u32(&b, (uint32_t)g->n);
        for (size_t k = 0; k < g->n; k++) {
            seam_buf_u32(&b, g->tombs[k].doc);
            seam_buf_u64(&b, g->tombs[k].lsn);
        }
    }
    if (seam_buf_ok(&b)) seam_buf_u32(&b, seam_crc32c(0, b.data, b.size));
    st = seam_buf_check(&b, f, "the tombstones");
    if (st != SEAM_OK) goto done;
    *out = (struct invidx_store_dels){spec->id, b.size, seam_get_u32(b.data + b.size - 4)};
    st = seam_io_write_new(io, path, b.data, b.size, true, f);
done:
    seam_buf_free(&b);
    return st;
}

static enum seam_status decode(const char *path, const struct seam_buf *b, uint32_t groups,
                               bool (*fn)(void *ctx, uint64_t segment, uint32_t doc,
                                          seam_lsn_t lsn),
                               void *ctx, struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(b->data, b->size - 4);
    assert(b->size >= SEAM_FILEHEAD_BYTES + 4);
    assert(fn != NULL);

    seam_read_bytes(&r, SEAM_FILEHEAD_BYTES);
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
                                      "a tombstone names document %u, which segment %" PRIx64
                                      " has not",
                                      doc, segment);
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
    const struct seam_filehead_want want = {.file_id = &d->id};
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_filehead h;
    struct seam_buf b = {0};
    enum seam_status st = invidx_dels_path(path, dir, d->id, f);
    assert(fn != NULL);

    if (st == SEAM_OK) st = seam_io_read_all(io, path, DEL_FILE_MAX, &b, f);
    if (st == SEAM_OK) st = seam_filehead_decode(&format, b.data, b.size, path, 0, &h, f);
    if (st == SEAM_OK) st = seam_filehead_check(&format, &h, &want, path, f);
    if (st != SEAM_OK) goto done;
    if (b.size != d->size || b.size < SEAM_FILEHEAD_BYTES + 4 ||
        seam_get_u32(b.data + b.size - 4) != d->crc || seam_crc32c(0, b.data, b.size - 4) != d->crc)
        st = seam_fault_set(f, SEAM_CORRUPT, path, 0,
                            "not the tombstones that the manifest names, or damaged");
    else
        st = decode(path, &b, h.extra, fn, ctx, f);
done:
    seam_buf_free(&b);
    return st;
}
