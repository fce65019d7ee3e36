/* manifest - finds the newest whole one, publishes the next, removes those nobody keeps. */
#include "engine/io/manifest.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/crc32c.h"

enum {
    AT_MAGIC = 0,
    AT_VERSION = 8,
    AT_KIND = 12,
    AT_SEQ = 16,
    AT_PARENT = 24,
    AT_LSN = 32,
    AT_WALL = 40,
    AT_LENGTH = 48,
    AT_PAYLOAD_CRC = 56,
    AT_HEADER_CRC = 60,
    VERSION = 1,
    NAME_SIZE = 16 + 9, /* 16 hex digits and ".manifest" */
    RACE_RETRIES = 100, /* a reader losing to publish-and-vacuum lists again */
};
_Static_assert(AT_HEADER_CRC + 4 == SEAM_MANIFEST_HEADER_SIZE, "the header has no gap");

static const char magic[8] = {'S', 'E', 'A', 'M', 'M', 'A', 'N', 'I'};

/* A manifest file whose header has been believed. */
struct opened {
    struct seam_file *file;
    size_t payload_size;
    uint32_t payload_crc;
};

static enum seam_status name_path(char out[SEAM_PATH_MAX_BYTES], const char *dir, uint64_t seq,
                                  struct seam_fault *f)
{
    char name[NAME_SIZE + 1];

    snprintf(name, sizeof name, "%016" PRIx64 ".manifest", seq);
    return seam_path_join(out, dir, name, f);
}

/* True for exactly what name_path writes; temporary names and strangers are not ours to judge.    */
static bool parse_name(const char *name, uint64_t *seq)
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
    memcpy(h + AT_MAGIC, magic, sizeof magic);
    seam_put_u32(h + AT_VERSION, VERSION);
    seam_put_u32(h + AT_KIND, m->kind);
    seam_put_u64(h + AT_SEQ, m->seq);
    seam_put_u64(h + AT_PARENT, m->parent);
    seam_put_u64(h + AT_LSN, m->applied_lsn);
    seam_put_u64(h + AT_WALL, (uint64_t)m->wall_us);
    seam_put_u64(h + AT_LENGTH, m->payload.size);
    seam_put_u32(h + AT_PAYLOAD_CRC, seam_crc32c(0, m->payload.data, m->payload.size));
    seam_put_u32(h + AT_HEADER_CRC, seam_crc32c(0, h, AT_HEADER_CRC));
}

/* Checks a header against its name and the file's size; fills m but for its payload.              */
static enum seam_status decode_header(const uint8_t h[SEAM_MANIFEST_HEADER_SIZE],
                                      uint64_t file_bytes, const char *path, uint32_t kind,
                                      uint64_t seq, struct seam_manifest *m, struct seam_fault *f)
{
    if (memcmp(h + AT_MAGIC, magic, sizeof magic) != 0)
        return seam_fault_set(f, SEAM_CORRUPT, path, AT_MAGIC, "not a manifest: wrong magic");
    if (seam_get_u32(h + AT_HEADER_CRC) != seam_crc32c(0, h, AT_HEADER_CRC))
        return seam_fault_set(f, SEAM_CORRUPT, path, AT_HEADER_CRC,
                              "manifest header: checksum differs");
    if (seam_get_u32(h + AT_VERSION) != VERSION)
        return seam_fault_set(f, SEAM_UNSUPPORTED, path, AT_VERSION,
                              "manifest version %u; this reads %d", seam_get_u32(h + AT_VERSION),
                              VERSION);
    if (seam_get_u32(h + AT_KIND) != kind)
        return seam_fault_set(f, SEAM_CORRUPT, path, AT_KIND, "manifest of another store (%.4s)",
                              (const char *)h + AT_KIND);
    if (seam_get_u64(h + AT_SEQ) != seq)
        return seam_fault_set(f, SEAM_CORRUPT, path, AT_SEQ, "manifest says number %" PRIu64,
                              seam_get_u64(h + AT_SEQ));
    if (seam_get_u64(h + AT_PARENT) >= seq)
        return seam_fault_set(f, SEAM_CORRUPT, path, AT_PARENT,
                              "manifest is older than its parent");
    if (seam_get_u64(h + AT_LENGTH) > SEAM_MANIFEST_PAYLOAD_MAX ||
        seam_get_u64(h + AT_LENGTH) != file_bytes - SEAM_MANIFEST_HEADER_SIZE)
        return seam_fault_set(f, SEAM_CORRUPT, path, AT_LENGTH,
                              "payload of %" PRIu64 " bytes in a file of %" PRIu64,
                              seam_get_u64(h + AT_LENGTH), file_bytes);
    m->kind = kind;
    m->seq = seq;
    m->parent = seam_get_u64(h + AT_PARENT);
    m->applied_lsn = seam_get_u64(h + AT_LSN);
    m->wall_us = (int64_t)seam_get_u64(h + AT_WALL);
    return SEAM_OK;
}

enum seam_status seam_manifest_publish(struct seam_io *io, const char *dir,
                                       const struct seam_manifest *m, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    uint8_t header[SEAM_MANIFEST_HEADER_SIZE];
    struct seam_io_slice slices[2] = {{header, sizeof header}, {m->payload.data, m->payload.size}};
    enum seam_status st;

    assert(m->seq > 0 && m->parent < m->seq);
    if (!seam_buf_ok(&m->payload))
        return seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET,
                              "no memory for the manifest");
    if (m->payload.size > SEAM_MANIFEST_PAYLOAD_MAX)
        return seam_fault_set(f, SEAM_LIMIT, dir, SEAM_FAULT_NO_OFFSET,
                              "manifest payload of %zu bytes, over %d", m->payload.size,
                              SEAM_MANIFEST_PAYLOAD_MAX);
    st = name_path(path, dir, m->seq, f);
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
    enum seam_status st = seam_file_open(io, path, SEAM_FILE_READ, &file, f);

    if (st == SEAM_OK) st = seam_file_size(file, &size, f);
    if (st == SEAM_OK && size < SEAM_MANIFEST_HEADER_SIZE)
        st = seam_fault_set(f, SEAM_CORRUPT, path, size, "manifest ends inside its header");
    if (st == SEAM_OK) st = seam_file_read(file, 0, header, sizeof header, f);
    if (st == SEAM_OK) st = decode_header(header, size, path, kind, seq, m, f);
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
    enum seam_status st = name_path(path, dir, seq, f);
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
        st = seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET,
                            "no memory for a list of manifests");
    } else {
        for (size_t i = 0; i < names.count; i++)
            if (parse_name(names.names[i], &(*out)[*count])) (*count)++;
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
        if (st != SEAM_OK && st != SEAM_NOT_FOUND && f != NULL && f->status == SEAM_OK) *f = here;
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
        st = seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET,
                            "no memory for a list of manifests");
        goto done;
    }
    for (size_t i = 0; i < seen && st == SEAM_OK; i++) {
        char path[SEAM_PATH_MAX_BYTES];
        struct seam_manifest m = {0};
        struct opened o = {0};
        struct seam_fault here = {0};

        st = name_path(path, dir, seqs[i], f);
        if (st != SEAM_OK) break;
        st = open_header(io, path, kind, seqs[i], &m, &o, &here);
        seam_file_close(o.file);
        if (st == SEAM_NOT_FOUND) { /* removed since it was listed */
            st = SEAM_OK;
            continue;
        }
        if (st != SEAM_OK && f != NULL && f->status == SEAM_OK) *f = here;
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
    enum seam_status st = name_path(path, dir, seq, f);

    /* No folder sync: a removal that a power cut undoes is only a manifest kept longer.           */
    return st == SEAM_OK ? seam_io_unlink(io, path, f) : st;
}
