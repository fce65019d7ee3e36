#include "engine/io/manifest.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/crc32c.h"

enum {
    AT_MAGIC = 0, AT_VERSION = 8, AT_KIND = 12, AT_SEQ = 16, AT_PARENT = 24, AT_LSN = 32,
    AT_WALL = 40, AT_LENGTH = 48, AT_PAYLOAD_CRC = 56, AT_HEADER_CRC = 60,
    VERSION = 1,
    NAME_SIZE = 16 + 9, /* 16 hex digits and ".manifest" */
    RACE_RETRIES = 100, /* a reader losing to publish-and-vacuum lists again */
};
_Static_assert(AT_HEADER_CRC + 4 == MANIFEST_HEADER_SIZE, "the header has no gap");

static const char magic[8] = {'S', 'E', 'A', 'M', 'M', 'A', 'N', 'I'};

/* A manifest file whose header has been believed. */
struct opened {
    struct file *file;
    size_t payload_size;
    uint32_t payload_crc;
};

static enum status name_path(char out[PATH_MAX_BYTES], const char *dir, uint64_t seq,
                             struct fault *f)
{
    char name[NAME_SIZE + 1];

    snprintf(name, sizeof name, "%016" PRIx64 ".manifest", seq);
    return path_join(out, dir, name, f);
}

/* True for exactly what name_path writes; temporary names and strangers are not ours to judge.    */
static bool parse_name(const char *name, uint64_t *seq)
{
    uint64_t v = 0;

    if (strlen(name) != NAME_SIZE || strcmp(name + 16, ".manifest") != 0) return false;
    for (int i = 0; i < 16; i++) {
        char c = name[i];

        if (c >= '0' && c <= '9') v = v << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f') v = v << 4 | (uint64_t)(c - 'a' + 10);
        else return false;
    }
    *seq = v;
    return v != 0;
}

static void encode_header(const struct manifest *m, uint8_t h[MANIFEST_HEADER_SIZE])
{
    memcpy(h + AT_MAGIC, magic, sizeof magic);
    put_u32(h + AT_VERSION, VERSION);
    put_u32(h + AT_KIND, m->kind);
    put_u64(h + AT_SEQ, m->seq);
    put_u64(h + AT_PARENT, m->parent);
    put_u64(h + AT_LSN, m->applied_lsn);
    put_u64(h + AT_WALL, (uint64_t)m->wall_us);
    put_u64(h + AT_LENGTH, m->payload.size);
    put_u32(h + AT_PAYLOAD_CRC, crc32c(0, m->payload.data, m->payload.size));
    put_u32(h + AT_HEADER_CRC, crc32c(0, h, AT_HEADER_CRC));
}

/* Checks a header against its name and the file's size; fills m but for its payload.              */
static enum status decode_header(const uint8_t h[MANIFEST_HEADER_SIZE], uint64_t file_bytes,
                                 const char *path, uint32_t kind, uint64_t seq, struct manifest *m,
                                 struct fault *f)
{
    if (memcmp(h + AT_MAGIC, magic, sizeof magic) != 0)
        return fault_set(f, ST_CORRUPT, path, AT_MAGIC, "not a manifest: wrong magic");
    if (get_u32(h + AT_HEADER_CRC) != crc32c(0, h, AT_HEADER_CRC))
        return fault_set(f, ST_CORRUPT, path, AT_HEADER_CRC, "manifest header: checksum differs");
    if (get_u32(h + AT_VERSION) != VERSION)
        return fault_set(f, ST_UNSUPPORTED, path, AT_VERSION, "manifest version %u; this reads %d",
                         get_u32(h + AT_VERSION), VERSION);
    if (get_u32(h + AT_KIND) != kind)
        return fault_set(f, ST_CORRUPT, path, AT_KIND, "manifest of another store (%.4s)",
                         (const char *)h + AT_KIND);
    if (get_u64(h + AT_SEQ) != seq)
        return fault_set(f, ST_CORRUPT, path, AT_SEQ, "manifest says number %" PRIu64,
                         get_u64(h + AT_SEQ));
    if (get_u64(h + AT_PARENT) >= seq)
        return fault_set(f, ST_CORRUPT, path, AT_PARENT, "manifest is older than its parent");
    if (get_u64(h + AT_LENGTH) > MANIFEST_PAYLOAD_MAX ||
        get_u64(h + AT_LENGTH) != file_bytes - MANIFEST_HEADER_SIZE)
        return fault_set(f, ST_CORRUPT, path, AT_LENGTH,
                         "payload of %" PRIu64 " bytes in a file of %" PRIu64, get_u64(h + AT_LENGTH),
                         file_bytes);
    m->kind = kind;
    m->seq = seq;
    m->parent = get_u64(h + AT_PARENT);
    m->applied_lsn = get_u64(h + AT_LSN);
    m->wall_us = (int64_t)get_u64(h + AT_WALL);
    return ST_OK;
}

enum status manifest_publish(struct io *io, const char *dir, const struct manifest *m,
                             struct fault *f)
{
    char path[PATH_MAX_BYTES];
    uint8_t header[MANIFEST_HEADER_SIZE];
    struct io_slice slices[2] = {{header, sizeof header}, {m->payload.data, m->payload.size}};
    enum status st;

    assert(m->seq > 0 && m->parent < m->seq);
    if (!buf_ok(&m->payload))
        return fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory for the manifest");
    if (m->payload.size > MANIFEST_PAYLOAD_MAX)
        return fault_set(f, ST_LIMIT, dir, FAULT_NO_OFFSET, "manifest payload of %zu bytes, over %d",
                         m->payload.size, MANIFEST_PAYLOAD_MAX);
    st = name_path(path, dir, m->seq, f);
    if (st != ST_OK) return st;
    if (io_exists(io, path))
        return fault_set(f, ST_EXISTS, path, FAULT_NO_OFFSET, "this manifest is published already");
    encode_header(m, header);
    return io_writev_atomic(io, path, slices, m->payload.size > 0 ? 2 : 1, f);
}

/* Opens a manifest and checks its header. ST_OK: *out is the caller's.                            */
static enum status open_header(struct io *io, const char *path, uint32_t kind, uint64_t seq,
                               struct manifest *m, struct opened *out, struct fault *f)
{
    uint8_t header[MANIFEST_HEADER_SIZE];
    struct file *file = NULL;
    uint64_t size = 0;
    enum status st = file_open(io, path, FILE_READ, &file, f);

    if (st == ST_OK) st = file_size(file, &size, f);
    if (st == ST_OK && size < MANIFEST_HEADER_SIZE)
        st = fault_set(f, ST_CORRUPT, path, size, "manifest ends inside its header");
    if (st == ST_OK) st = file_read(file, 0, header, sizeof header, f);
    if (st == ST_OK) st = decode_header(header, size, path, kind, seq, m, f);
    if (st != ST_OK) {
        file_close(file);
        return st;
    }
    *out = (struct opened){file, (size_t)(size - MANIFEST_HEADER_SIZE),
                           get_u32(header + AT_PAYLOAD_CRC)};
    return ST_OK;
}

enum status manifest_load(struct io *io, const char *dir, uint32_t kind, uint64_t seq,
                          struct manifest *m, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    struct opened o = {0};
    enum status st = name_path(path, dir, seq, f);
    void *p = NULL;

    memset(m, 0, sizeof *m);
    if (st == ST_OK) st = open_header(io, path, kind, seq, m, &o, f);
    if (st != ST_OK) return st;
    if (o.payload_size > 0) {
        p = buf_extend(&m->payload, o.payload_size);
        if (p == NULL)
            st = fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory for %zu bytes of manifest",
                           o.payload_size);
        else
            st = file_read(o.file, MANIFEST_HEADER_SIZE, p, o.payload_size, f);
    }
    if (st == ST_OK && crc32c(0, m->payload.data, m->payload.size) != o.payload_crc)
        st = fault_set(f, ST_CORRUPT, path, MANIFEST_HEADER_SIZE,
                       "manifest payload: checksum differs");
    file_close(o.file);
    if (st != ST_OK) buf_free(&m->payload);
    return st;
}

/* The numbers of all manifests, in order (names are fixed-width hex). Freed by the caller.        */
static enum status list_seqs(struct io *io, const char *dir, uint64_t **out, size_t *count,
                             struct fault *f)
{
    struct io_list names = {0};
    enum status st = io_list(io, dir, &names, f);

    *out = NULL;
    *count = 0;
    if (st != ST_OK) return st;
    *out = malloc((names.count + 1) * sizeof **out);
    if (*out == NULL) {
        st = fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory for a list of manifests");
    } else {
        for (size_t i = 0; i < names.count; i++)
            if (parse_name(names.names[i], &(*out)[*count])) (*count)++;
    }
    io_list_free(&names);
    return st;
}

enum status manifest_load_newest(struct io *io, const char *dir, uint32_t kind, struct manifest *m,
                                 struct fault *f)
{
    enum status st = ST_NOT_FOUND;

    memset(m, 0, sizeof *m);
    /* Between listing and opening, a writer may have published a newer one and removed this.      */
    for (int attempt = 0; attempt < RACE_RETRIES && st == ST_NOT_FOUND; attempt++) {
        uint64_t *seqs = NULL;
        size_t count = 0;
        struct fault here = {0};

        st = list_seqs(io, dir, &seqs, &count, &here);
        if (st == ST_OK && count > 0)
            st = manifest_load(io, dir, kind, seqs[count - 1], m, &here);
        else if (st == ST_OK || st == ST_NOT_FOUND) {
            free(seqs);
            return fault_set(f, ST_NOT_FOUND, dir, FAULT_NO_OFFSET, "no manifest here");
        }
        free(seqs);
        if (st != ST_OK && st != ST_NOT_FOUND && f != NULL && f->status == ST_OK) *f = here;
    }
    if (st == ST_NOT_FOUND)
        st = fault_set(f, ST_NOT_FOUND, dir, FAULT_NO_OFFSET, "manifests vanish as they are read");
    return st;
}

enum status manifest_list(struct io *io, const char *dir, uint32_t kind,
                          struct manifest_entry **out, size_t *count, struct fault *f)
{
    uint64_t *seqs = NULL;
    size_t seen = 0;
    struct manifest_entry *entries = NULL;
    enum status st = list_seqs(io, dir, &seqs, &seen, f);

    *out = NULL;
    *count = 0;
    if (st == ST_NOT_FOUND) return st;
    if (st != ST_OK) goto done;
    entries = malloc((seen + 1) * sizeof *entries);
    if (entries == NULL) {
        st = fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory for a list of manifests");
        goto done;
    }
    for (size_t i = 0; i < seen && st == ST_OK; i++) {
        char path[PATH_MAX_BYTES];
        struct manifest m = {0};
        struct opened o = {0};
        struct fault here = {0};

        st = name_path(path, dir, seqs[i], f);
        if (st != ST_OK) break;
        st = open_header(io, path, kind, seqs[i], &m, &o, &here);
        file_close(o.file);
        if (st == ST_NOT_FOUND) { /* removed since it was listed */
            st = ST_OK;
            continue;
        }
        if (st != ST_OK && f != NULL && f->status == ST_OK) *f = here;
        if (st == ST_OK)
            entries[(*count)++] =
                (struct manifest_entry){m.seq, m.parent, m.applied_lsn, m.wall_us};
    }
    if (st == ST_OK) {
        *out = entries;
        entries = NULL;
    }
done:
    if (st != ST_OK) *count = 0;
    free(entries);
    free(seqs);
    return st;
}

enum status manifest_load_as_of(struct io *io, const char *dir, uint32_t kind, lsn_t lsn,
                                struct manifest *m, struct fault *f)
{
    struct manifest_entry *entries = NULL;
    size_t count = 0;
    enum status st;

    memset(m, 0, sizeof *m);
    st = manifest_list(io, dir, kind, &entries, &count, f);
    if (st != ST_OK) return st;
    while (count > 0 && entries[count - 1].applied_lsn > lsn) count--;
    if (count == 0)
        st = fault_set(f, ST_NOT_FOUND, dir, FAULT_NO_OFFSET,
                       "nothing is kept as of LSN %" PRIu64 "; it is before the retention", lsn);
    else
        st = manifest_load(io, dir, kind, entries[count - 1].seq, m, f);
    free(entries);
    return st;
}

enum status manifest_remove(struct io *io, const char *dir, uint64_t seq, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    enum status st = name_path(path, dir, seq, f);

    /* No folder sync: a removal that a power cut undoes is only a manifest kept longer.           */
    return st == ST_OK ? io_unlink(io, path, f) : st;
}
