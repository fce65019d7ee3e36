/* filehead - the 64 bytes with which every file of ours begins: one encoder, one decoder, one set of faults.
 *
 *   0  magic[8]          what the file is
 *   8  u16 version       of this format; every format with this head is 2 or higher
 *  10  u16 head_bytes    64
 *  12  u32 flags         0 unless the format says so
 *  16  platform id [16]  whose it is (random at `seam init`); zeros: a store used alone
 *  32  u64 file id       of this file; what it means stands beside the format's diagram
 *  40  u64 history       which history it tells; 0: a store used alone
 *  48  u64 lsn           the position at which it was made; by format, else 0
 *  56  u32 extra         by format, else 0
 *  60  u32 crc32c        of bytes [0,60)
 *
 * A format's own fields follow at 64, under a checksum of their own.
 *
 * Generation 1 had a u32 version 1 at offset 8 behind the same magics: read through this picture that is version 1
 * and head_bytes 0, so an older file is refused by name (SEAM_UNSUPPORTED, both versions, the way out) and
 * never taken for a damaged one. One flipped bit cannot turn one into the other. Why:
 * docs/decisions/formats-2.md.                                                                       */
#ifndef SEAM_ENGINE_FILEHEAD_H
#define SEAM_ENGINE_FILEHEAD_H

#include "engine/base/lsn.h"
#include "engine/base/status.h"

enum { SEAM_FILEHEAD_BYTES = 64 };

/* What a file is: a constant beside the diagram of its format.                                       */
struct seam_filehead_format {
    char magic[8];
    uint16_t version; /* the one that is written and read; at least 2 */
    uint32_t flags;   /* those that the format knows */
    const char *name; /* "a column file"             */
    const char
        *way_out; /* what to do with a file of another version, a clause: "rebuild it with ..." */
};

struct seam_filehead {
    uint32_t flags;
    struct seam_owner owner;
    uint64_t file_id, lsn;
    uint32_t extra;
};

void seam_filehead_encode(const struct seam_filehead_format *k, const struct seam_filehead *h,
                          uint8_t out[SEAM_FILEHEAD_BYTES]);
/* From the first n bytes of a file, or of what stands at byte `at` of it. Demands, in this order: the magic,
 * a version that is read here, 64 bytes, the checksum, the head's size, known flags.
 * SEAM_CORRUPT: not such a file, too short, damaged. SEAM_UNSUPPORTED: another version, or unknown flags.   */
SEAM_MUST_USE enum seam_status seam_filehead_decode(const struct seam_filehead_format *k,
                                                    const uint8_t *in, size_t n, const char *path,
                                                    uint64_t at, struct seam_filehead *out,
                                                    struct seam_fault *f);
/* The stored checksum of an encoded head, to begin a chain of checksums with. (A CRC over all 64 bytes would be the
 * same number for every head.)                                                                       */
uint32_t seam_filehead_sum(const uint8_t head[SEAM_FILEHEAD_BYTES]);
/* Whether the bytes begin as such a file, of any version.                                            */
bool seam_filehead_is(const struct seam_filehead_format *k, const uint8_t *in, size_t n);

/* What the opener expects; NULL: anything.                                                           */
struct seam_filehead_want {
    const uint8_t *platform; /* SEAM_PLATFORM_ID_BYTES of them */
    const uint64_t *file_id;
    const uint64_t *history;
};
/* SEAM_CONFLICT: of another platform or another history. SEAM_CORRUPT: another file under this name.      */
SEAM_MUST_USE enum seam_status seam_filehead_check(const struct seam_filehead_format *k,
                                                   const struct seam_filehead *h,
                                                   const struct seam_filehead_want *want,
                                                   const char *path, struct seam_fault *f);

/* Whether a store of `found` may be opened by who says `mine` (no platform: anybody may). SEAM_CONFLICT. */
SEAM_MUST_USE enum seam_status seam_owner_check(const struct seam_owner *mine,
                                                const struct seam_owner *found, const char *where,
                                                struct seam_fault *f);
/* As whose a writer goes on: into *store what `mine` says, or what stands there when it says nothing. An empty
 * store is anybody's. *changed: the history is another one now, and the next publication must say so. */
SEAM_MUST_USE enum seam_status seam_owner_take(const struct seam_owner *mine, bool empty,
                                               struct seam_owner *store, bool *changed,
                                               const char *where, struct seam_fault *f);

/* The 32 hex digits of a platform id, terminated; and back (false: not 32 hex digits).               */
enum { SEAM_PLATFORM_TEXT = 2 * SEAM_PLATFORM_ID_BYTES + 1 };
void seam_platform_text(const uint8_t id[SEAM_PLATFORM_ID_BYTES], char out[SEAM_PLATFORM_TEXT]);
bool seam_platform_parse(const char *text, uint8_t id[SEAM_PLATFORM_ID_BYTES]);

/* ---- small text files, sealed ----
 * A JSON object of ours that a person may read begins with its own checksum:
 *
 *     {"crc32c":"0a1b2c3d",
 *     ...the rest of the object...
 *
 * crc32c of every byte behind the first line. It stays one valid JSON object.                        */
struct seam_buf;
/* `object` is a JSON object of one member or more; out gets its sealed text, a newline at the end.   */
void seam_seal_json(const struct seam_buf *object, struct seam_buf *out);
/* SEAM_CORRUPT: what it seals was changed. SEAM_UNSUPPORTED: an object without a seal, as generation 1 wrote it;
 * the fault names both versions and the way out. */
SEAM_MUST_USE enum seam_status seam_seal_check(const struct seam_buf *text, const char *path,
                                               const char *way_out, struct seam_fault *f);

#endif
