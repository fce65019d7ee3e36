/* manifest - the atomic publication of a store's state, kept by number for time travel.
 *
 * A store's state is a manifest: a small file that names the store's immutable files and the LSN up to
 * which everything has been applied. Publishing is: temporary name, write, sync, rename, sync folder.
 * So an offset lives with its effect (rule 3), and a reader that holds manifest N goes on reading N
 * while N+1 appears.
 *
 *   dir/NNNNNNNNNNNNNNNN.manifest     N = sequence in hex, newest = highest
 *
 *   0                    64       72        80        88        92          96
 *   +--------------------+--------+---------+---------+---------+-----------+---------+
 *   | head (SEAMMANI, 2) | parent | wall_us | pay len | pay crc | fields crc| payload |
 *   +--------------------+--------+---------+---------+---------+-----------+---------+
 *   head: engine/io/filehead.h; its file id is the sequence, lsn the applied LSN, extra the kind (the store's four
 *   characters). pay crc = crc32c of the payload; fields crc = of bytes [64,92), so that a list of all kept manifests
 *   can be believed without reading their payloads.
 *
 * A reader demands: a whole head, its own kind, the sequence of the name, parent < sequence, length equal to the
 * file's, all three crcs. A damaged newest manifest is SEAM_CORRUPT, never silently the one
 * before: rename made it whole once, so damage is damage. One publisher at a time (the store's lock);
 * any number of readers, also while manifests are published and removed.                          */
#ifndef SEAM_ENGINE_MANIFEST_H
#define SEAM_ENGINE_MANIFEST_H

#include "engine/base/buf.h"
#include "engine/base/lsn.h"
#include "engine/io/filehead.h"
#include "engine/io/io.h"

struct seam_manifest {
    uint32_t kind;   /* SEAM_MANIFEST_KIND('C','O','L','M') */
    uint64_t seq;    /* 1, 2, 3 ...                    */
    uint64_t parent; /* seq it was made from; 0 = none */
    seam_lsn_t applied_lsn;
    int64_t wall_us;         /* when published                 */
    struct seam_owner owner; /* whose, and of which history    */
    struct seam_buf payload; /* the store's own bytes          */
};

#define SEAM_MANIFEST_KIND(a, b, c, d)                                                             \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
enum { SEAM_MANIFEST_HEADER_SIZE = 96, SEAM_MANIFEST_PAYLOAD_MAX = 256 << 20 };

/* "dir/NNNNNNNNNNNNNNNN.manifest": the one place that spells the name; and back (false: not such a name). */
SEAM_MUST_USE enum seam_status seam_manifest_path(char out[SEAM_PATH_MAX_BYTES], const char *dir,
                                                  uint64_t seq, struct seam_fault *f);
bool seam_manifest_name_parse(const char *name, uint64_t *seq);
/* Whether the bytes begin as a manifest of any version; the kind in the first n bytes of a manifest of this version; 0: no manifest.                      */
bool seam_manifest_is(const uint8_t *head, size_t n);
uint32_t seam_manifest_kind_of(const uint8_t *head, size_t n);

/* Publishes m under m->seq (which must be unused). The files it names must be synced already.     */
SEAM_MUST_USE enum seam_status seam_manifest_publish(struct seam_io *io, const char *dir,
                                                     const struct seam_manifest *m,
                                                     struct seam_fault *f);
/* Loads the newest (SEAM_NOT_FOUND when there is none) or a given one. Free m->payload with seam_buf_free. */
SEAM_MUST_USE enum seam_status seam_manifest_load_newest(struct seam_io *io, const char *dir,
                                                         uint32_t kind, struct seam_manifest *m,
                                                         struct seam_fault *f);
SEAM_MUST_USE enum seam_status seam_manifest_load(struct seam_io *io, const char *dir,
                                                  uint32_t kind, uint64_t seq,
                                                  struct seam_manifest *m, struct seam_fault *f);
/* The newest manifest with applied_lsn <= lsn: the state AS OF lsn.                                */
SEAM_MUST_USE enum seam_status seam_manifest_load_as_of(struct seam_io *io, const char *dir,
                                                        uint32_t kind, seam_lsn_t lsn,
                                                        struct seam_manifest *m,
                                                        struct seam_fault *f);

struct seam_manifest_entry {
    uint64_t seq, parent;
    seam_lsn_t applied_lsn;
    int64_t wall_us;
};
/* Headers of all kept manifests, oldest first; *out is freed by the caller with free().            */
SEAM_MUST_USE enum seam_status seam_manifest_list(struct seam_io *io, const char *dir,
                                                  uint32_t kind, struct seam_manifest_entry **out,
                                                  size_t *count, struct seam_fault *f);
SEAM_MUST_USE enum seam_status seam_manifest_remove(struct seam_io *io, const char *dir,
                                                    uint64_t seq, struct seam_fault *f);

#endif
