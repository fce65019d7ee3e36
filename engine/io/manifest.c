/* manifest - finds the newest whole one, publishes the next, removes those nobody keeps. */
/* The atomic publication of a store's state. */
#include "engine/io/manifest.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/crc32c.h"

enum {
    AT_PARENT = SEAM_FILEHEAD_BYTES,
    AT_WALL = 72,
    AT_LENGTH = 80,
    AT_PAYLOAD_CRC = 88,
    AT_FIELDS_CRC = 92,
    NAME_SIZE = 16 + 9, /* 16 hex digits and ".manifest" */
    RACE_RETRIES = 100, /* a reader losing to publish-and-vacuum lists again */
};
_Static_assert(AT_FIELDS_CRC + 4 == SEAM_MANIFEST_HEADER_SIZE, "the header has no gap");

static const struct seam_filehead_format format = {
    .magic = "SEAMMANI",
    .version = 2,
    .name = "a manifest",
    .way_out = "its store is derived from the source, `seam rebuild` makes it again"};

/* A manifest file whose header has been believed. */
struct opened {
    struct seam_file *file;
    size_t payload_size;
    uint32_t payload_crc;
};

enum seam_status seam_manifest_path(char out[SEAM_PATH_MAX_BYTES], const char *dir, uint64_t seq,
                                    struct seam_fault *f)
{
    return seam_path_format(out, dir, f, "%016" PRIx64 ".manifest", seq);
}

/* True for exactly what seam_manifest_path writes; temporary names and strangers are not ours to judge.    */
bool seam_manifest_name_parse(const char *name, uint64_t *seq)
{
    uint64_t v = 0;

    if (strlen(name) != NAME_SIZE || strcmp(name + 16, ".manifest") != 0) return false;
    for (int i = 0; i < 16; i++) {
        char c = name[i];

        if (c >= '0' && c <= '9')
            v = v << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *seq = v;
    return v != 0;
}

static void encode_header(const struct seam_manifest *m, uint8_t h[SEAM_MANIFEST_HEADER_SIZE])
{
    const struct seam_filehead head = {
        .owner = m->owner, .file_id = m->seq, .lsn = m->applied_lsn, .extra = m->kind};

    seam_filehead_encode(&format, &head, h);
    seam_put_u64(h + AT_PARENT, m->parent);
    seam_put_u64(h + AT_WALL, (uint64_t)m->wall_us);
    seam_put_u64(h + AT_LENGTH, m->payload.size);
    seam_put_u32(h + AT_PAYLOAD_CRC, seam_crc32c(0, m->payload.data, m->payload.size));
    seam_put_u32(h + AT_FIELDS_CRC,
                 seam_crc32c(0, h + SEAM_FILEHEAD_BYTES, AT_FIELDS_CRC - SEAM_FILEHEAD_BYTES));
}

/* Checks a header of n bytes against its name and the file's size; fills m but for its payload.    */
static enum seam_status decode_header(const uint8_t *h, size_t n, uint64_t file_bytes,
                                      const char *path, struct seam_manifest *m,
                                      struct seam_fault *f)
{
    const uint32_t kind = m->kind;
    const uint64_t seq = m->seq;
    struct seam_filehead head;
    enum seam_status st = seam_filehead_decode(&format, h, n, path, 0, &head, f);

    if (st == SEAM_OK)
        st = seam_filehead_check(&format, &head, &(struct seam_filehead_want){.file_id = &seq},
                                 path, f);
    if (st != SEAM_OK) return st;
    if (n < SEAM_MANIFEST_HEADER_SIZE)
        return seam_fault_set(f, SEAM_CORRUPT, path, n, "manifest ends inside its header");
    if (seam_get_u32(h + AT_FIELDS_CRC) !=
        seam_crc32c(0, h + SEAM_FILEHEAD_BYTES, AT_FIELDS_CRC - SEAM_FILEHEAD_BYTES))
        return seam_fault_set(f, SEAM_CORRUPT, path, AT_FIELDS_CRC,
                              "manifest header: checksum differs");
    if (head.extra != kind)
        return seam_fault_set(f, SEAM_CORRUPT, path, 0, "manifest of another store (%.4s)",
                              (const char *)&head.extra);
    if (seam_get_u64(h + AT_PARENT) >= seq)
        return seam_fault_set(f, SEAM_CORRUPT, path, AT_PARENT,
                              "manifest is older than its parent");
    if (seam_get_u64(h + AT_LENGTH) > SEAM_MANIFEST_PAYLOAD_MAX ||
        seam_get_u64(h + AT_LENGTH) != file_bytes - SEAM_MANIFEST_HEADER_SIZE)
        return seam_fault_set(f, SEAM_CORRUPT, path, AT_LENGTH,
                              "payload of %" PRIu64 " bytes in a file of %" PRIu64,
                              seam_get_u64(h + AT_LENGTH), file_bytes);
    m->owner = head.owner;
    m->applied_lsn = head.lsn;
    m->parent = seam_get_u64(h + AT_PARENT);
    m->wall_us = (int64_t)seam_get_u64(h + AT_WALL);
    return SEAM_OK;
}

bool seam_manifest_is(const uint8_t *head, size_t n)
{
    return seam_filehead_is(&format, head, n);
}

uint32_t seam_manifest_kind_of(const uint8_t *head, size_t n)
{
    struct seam_filehead h;

    return seam_filehead_decode(&format, head, n, "", 0, &h, NULL) == SEAM_OK ? h.extra : 0;
}

enum seam_status seam_manifest_publish(struct seam_io *io, const char *dir,
                                       const struct seam_manifest *m, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    uint8_t header[SEAM_MANIFEST_HEADER_SIZE];
    struct seam_io_slice slices[2] = {{header, sizeof header}, {m->payload.data, m->payload.size}};
    enum seam_status st;

    assert(m->seq > 0 && m->parent < m->seq);
    if (!seam_buf_ok(&m->payload)) return seam_no_memory(f, "the manifest");
    if (m->payload.size > SEAM_MANIFEST_PAYLOAD_MAX)
        return seam_fault_set(f, SEAM_LIMIT, dir, SEAM_FAULT_NO_OFFSET,
                              "manifest payload of %zu bytes, over %d", m->payload.size,
                              SEAM_MANIFEST_PAYLOAD_MAX);
    st = seam_manifest_path(path, dir, m->seq, f);
    if (st != SEAM_OK) return st;
    if (seam_io_exists(io, path))
        return seam_fault_set(f, SEAM_EXISTS, path, SEAM_FAULT_NO_OFFSET,
                              "this manifest is published already");
    encode_header(m, header);
    return seam_io_writev_atomic(io, path, slices, m->payload.size > 0 ? 2 : 1, f);
}

/* Opens a manifest and checks its header. SEAM_OK: *out is the caller's.                            */
static enum seam_status open_header(struct seam_io *io, const char *path, uint32_t kind,
                                    uint64_t seq, struct seam_manifest *m, struct opened *out,
                                    struct seam_fault *f)
{
    uint8_t header[SEAM_MANIFEST_HEADER_SIZE];
    struct seam_file *file = NULL;
    uint64_t size = 0;
    size_t got = 0;
    enum seam_status st = seam_file_open(io, path, SEAM_FILE_READ, &file, f);

    m->kind = kind;
    m->seq = seq;
    if (st == SEAM_OK) st = seam_file_size(file, &size, f);
    if (st == SEAM_OK) st = seam_file_read_some(file, 0, header, sizeof header, &got, f);
    if (st == SEAM_OK) st = decode_header(header, got, size, path, m, f);
    if (st != SEAM_OK) {
        seam_file_close(file);
        return st;
    }
    *out = (struct opened){file, (size_t)(size - SEAM_MANIFEST_HEADER_SIZE),
                           seam_get_u32(header + AT_PAYLOAD_CRC)};
    return SEAM_OK;
}

enum seam_status seam_manifest_load(struct seam_io *io, const char *dir, uint32_t kind,
                                    uint64_t seq, struct seam_manifest *m, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct opened o = {0};
    enum seam_status st = seam_manifest_path(path, dir, seq, f);
    void *p = NULL;

    memset(m, 0, sizeof *m);
    if (st == SEAM_OK) st = open_header(io, path, kind, seq, m, &o, f);
    if (st != SEAM_OK) return st;
    if (o.payload_size > 0) {
        p = seam_buf_extend(&m->payload, o.payload_size);
        if (p == NULL)
            st = seam_fault_set(f, SEAM_NOMEM, path, SEAM_FAULT_NO_OFFSET,
                                "no memory for %zu bytes of manifest", o.payload_size);
        else
            st = seam_file_read(o.file, SEAM_MANIFEST_HEADER_SIZE, p, o.payload_size, f);
    }
    if (st == SEAM_OK && seam_crc32c(0, m->payload.data, m->payload.size) != o.payload_crc)
        st = seam_fault_set(f, SEAM_CORRUPT, path, SEAM_MANIFEST_HEADER_SIZE,
                            "manifest payload: checksum differs");
    seam_file_close(o.file);
    if (st != SEAM_OK) seam_buf_free(&m->payload);
    return st;
}

/* The numbers of all manifests, in order (names are fixed-width hex). Freed by the caller.        */
static enum seam_status list_seqs(struct seam_io *io, const char *dir, uint64_t **out,
                                  size_t *count, struct seam_fault *f)
{
    struct seam_io_list names = {0};
    enum seam_status st = seam_io_list(io, dir, &names, f);

    *out = NULL;
    *count = 0;
    if (st != SEAM_OK) return st;
    *out = malloc((names.count + 1) * sizeof **out);
    if (*out == NULL) {
        st = seam_no_memory(f, "a list of manifests");
    } else {
        for (size_t i = 0; i < names.count; i++)
            if (seam_manifest_name_parse(names.names[i], &(*out)[*count])) (*count)++;
    }
    seam_io_list_free(&names);
    return st;
}

enum seam_status seam_manifest_load_newest(struct seam_io *io, const char *dir, uint32_t kind,
                                           struct seam_manifest *m, struct seam_fault *f)
{
    enum seam_status st = SEAM_NOT_FOUND;

    memset(m, 0, sizeof *m);
    /* Between listing and opening, a writer may have published a newer one and removed this.      */
    for (int attempt = 0; attempt < RACE_RETRIES && st == SEAM_NOT_FOUND; attempt++) {
        uint64_t *seqs = NULL;
        size_t count = 0;
        struct seam_fault here = {0};

        st = list_seqs(io, dir, &seqs, &count, &here);
        if (st == SEAM_OK && count > 0)
            st = seam_manifest_load(io, dir, kind, seqs[count - 1], m, &here);
        else if (st == SEAM_OK || st == SEAM_NOT_FOUND) {
            free(seqs);
            return seam_fault_set(f, SEAM_NOT_FOUND, dir, SEAM_FAULT_NO_OFFSET, "no manifest here");
        }
        free(seqs);
        if (st != SEAM_OK && st != SEAM_NOT_FOUND) seam_fault_give(f, &here);
    }
    if (st == SEAM_NOT_FOUND)
        st = seam_fault_set(f, SEAM_NOT_FOUND, dir, SEAM_FAULT_NO_OFFSET,
                            "manifests vanish as they are read");
    return st;
}

enum seam_status seam_manifest_list(struct seam_io *io, const char *dir, uint32_t kind,
                                    struct seam_manifest_entry **out, size_t *count,
                                    struct seam_fault *f)
{
    uint64_t *seqs = NULL;
    size_t seen = 0;
    struct seam_manifest_entry *entries = NULL;
    enum seam_status st = list_seqs(io, dir, &seqs, &seen, f);

    *out = NULL;
    *count = 0;
    if (st == SEAM_NOT_FOUND) return st;
    if (st != SEAM_OK) goto done;
    entries = malloc((seen + 1) * sizeof *entries);
    if (entries == NULL) {
        st = seam_no_memory(f, "a list of manifests");
        goto done;
    }
    for (size_t i = 0; i < seen && st == SEAM_OK; i++) {
        char path[SEAM_PATH_MAX_BYTES];
        struct seam_manifest m = {0};
        struct opened o = {0};
        struct seam_fault here = {0};

        st = seam_manifest_path(path, dir, seqs[i], f);
        if (st != SEAM_OK) break;
        st = open_header(io, path, kind, seqs[i], &m, &o, &here);
        seam_file_close(o.file);
        if (st == SEAM_NOT_FOUND) { /* removed since it was listed */
            st = SEAM_OK;
            continue;
        }
        if (st != SEAM_OK) seam_fault_give(f, &here);
        if (st == SEAM_OK)
            entries[(*count)++] =
                (struct seam_manifest_entry){m.seq, m.parent, m.applied_lsn, m.wall_us};
    }
    if (st == SEAM_OK) {
        *out = entries;
        entries = NULL;
    }
done:
    if (st != SEAM_OK) *count = 0;
    free(entries);
    free(seqs);
    return st;
}

enum seam_status seam_manifest_load_as_of(struct seam_io *io, const char *dir, uint32_t kind,
                                          seam_lsn_t lsn, struct seam_manifest *m,
                                          struct seam_fault *f)
{
    struct seam_manifest_entry *entries = NULL;
    size_t count = 0;
    enum seam_status st;

    memset(m, 0, sizeof *m);
    st = seam_manifest_list(io, dir, kind, &entries, &count, f);
    if (st != SEAM_OK) return st;
    while (count > 0 && entries[count - 1].applied_lsn > lsn) count--;
    if (count == 0)
        st = seam_fault_set(f, SEAM_NOT_FOUND, dir, SEAM_FAULT_NO_OFFSET,
                            "nothing is kept as of LSN %" PRIu64 "; it is before the retention",
                            lsn);
    else
        st = seam_manifest_load(io, dir, kind, entries[count - 1].seq, m, f);
    free(entries);
    return st;
}

enum seam_status seam_manifest_remove(struct seam_io *io, const char *dir, uint64_t seq,
                                      struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = seam_manifest_path(path, dir, seq, f);

    /* No folder sync: a removal that a power cut undoes is only a manifest kept longer.           */
    return st == SEAM_OK ? seam_io_unlink(io, path, f) : st;
}
