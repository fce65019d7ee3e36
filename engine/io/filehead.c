/* The 64 bytes with which every file of ours begins, and the seal of the small text files. */
#include "engine/io/filehead.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/crc32c.h"

enum {
    AT_MAGIC = 0,
    AT_VERSION = 8,
    AT_HEAD_BYTES = 10,
    AT_FLAGS = 12,
    AT_PLATFORM = 16,
    AT_FILE_ID = 32,
    AT_HISTORY = 40,
    AT_LSN = 48,
    AT_EXTRA = 56,
    AT_CRC = 60,
};
_Static_assert(AT_CRC + 4 == SEAM_FILEHEAD_BYTES, "the head has no gap");
_Static_assert(AT_PLATFORM + SEAM_PLATFORM_ID_BYTES == AT_FILE_ID, "the platform's id fits");

void seam_filehead_encode(const struct seam_filehead_format *k, const struct seam_filehead *h,
                          uint8_t out[SEAM_FILEHEAD_BYTES])
{
    assert(k->version >= 2 && (h->flags & ~k->flags) == 0);
    memcpy(out + AT_MAGIC, k->magic, sizeof k->magic);
    seam_put_u16(out + AT_VERSION, k->version);
    seam_put_u16(out + AT_HEAD_BYTES, SEAM_FILEHEAD_BYTES);
    seam_put_u32(out + AT_FLAGS, h->flags);
    memcpy(out + AT_PLATFORM, h->owner.platform, SEAM_PLATFORM_ID_BYTES);
    seam_put_u64(out + AT_FILE_ID, h->file_id);
    seam_put_u64(out + AT_HISTORY, h->owner.history);
    seam_put_u64(out + AT_LSN, h->lsn);
    seam_put_u32(out + AT_EXTRA, h->extra);
    seam_put_u32(out + AT_CRC, seam_crc32c(0, out, AT_CRC));
}

bool seam_filehead_is(const struct seam_filehead_format *k, const uint8_t *in, size_t n)
{
    return n >= sizeof k->magic && memcmp(in, k->magic, sizeof k->magic) == 0;
}

static enum seam_status other_version(const struct seam_filehead_format *k, unsigned version,
                                      const char *path, uint64_t at, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_UNSUPPORTED, path, at + AT_VERSION,
                          "%s of format version %u; this program reads version %u%s%s", k->name,
                          version, (unsigned)k->version, k->way_out != NULL ? ": " : "",
                          k->way_out != NULL ? k->way_out : "");
}

enum seam_status seam_filehead_decode(const struct seam_filehead_format *k, const uint8_t *in,
                                      size_t n, const char *path, uint64_t at,
                                      struct seam_filehead *out, struct seam_fault *f)
{
    unsigned version;

    *out = (struct seam_filehead){0};
    if (!seam_filehead_is(k, in, n))
        return seam_fault_set(f, SEAM_CORRUPT, path, at, "not %s: the magic is not %.8s", k->name,
                              k->magic);
    /* Generation 1, whose heads were shorter and checksummed otherwise: told by the size it has not. */
    if (n >= AT_FLAGS && seam_get_u16(in + AT_HEAD_BYTES) == 0 &&
        seam_get_u16(in + AT_VERSION) == 1)
        return other_version(k, 1, path, at, f);
    if (n < SEAM_FILEHEAD_BYTES)
        return seam_fault_set(f, SEAM_CORRUPT, path, at + n, "%s ends inside its head", k->name);
    if (seam_get_u32(in + AT_CRC) != seam_crc32c(0, in, AT_CRC))
        return seam_fault_set(f, SEAM_CORRUPT, path, at + AT_CRC,
                              "the checksum of the head of %s is wrong", k->name);
    version = seam_get_u16(in + AT_VERSION);
    if (version != k->version) return other_version(k, version, path, at, f);
    if (seam_get_u16(in + AT_HEAD_BYTES) != SEAM_FILEHEAD_BYTES)
        return seam_fault_set(f, SEAM_CORRUPT, path, at + AT_HEAD_BYTES,
                              "%s with a head of %u bytes, not %d", k->name,
                              (unsigned)seam_get_u16(in + AT_HEAD_BYTES), SEAM_FILEHEAD_BYTES);
    out->flags = seam_get_u32(in + AT_FLAGS);
    if ((out->flags & ~k->flags) != 0)
        return seam_fault_set(f, SEAM_UNSUPPORTED, path, at + AT_FLAGS,
                              "%s with flags %#x, of which this program knows %#x", k->name,
                              (unsigned)out->flags, (unsigned)k->flags);
    memcpy(out->owner.platform, in + AT_PLATFORM, SEAM_PLATFORM_ID_BYTES);
    out->owner.history = seam_get_u64(in + AT_HISTORY);
    out->file_id = seam_get_u64(in + AT_FILE_ID);
    out->lsn = seam_get_u64(in + AT_LSN);
    out->extra = seam_get_u32(in + AT_EXTRA);
    return SEAM_OK;
}

/* ---- whose a store is ---- */

static bool says_nothing(const struct seam_owner *o)
{
    static const uint8_t nobody[SEAM_PLATFORM_ID_BYTES];

    return memcmp(o->platform, nobody, sizeof nobody) == 0;
}

static enum seam_status not_ours(const char *name, const uint8_t *found, const uint8_t *mine,
                                 const char *where, struct seam_fault *f)
{
    char theirs[SEAM_PLATFORM_TEXT], ours[SEAM_PLATFORM_TEXT];

    seam_platform_text(found, theirs);
    seam_platform_text(mine, ours);
    return seam_fault_set(f, SEAM_CONFLICT, where, SEAM_FAULT_NO_OFFSET,
                          "%s of platform %s; this is platform %s", name, theirs, ours);
}

enum seam_status seam_owner_check(const struct seam_owner *mine, const struct seam_owner *found,
                                  const char *where, struct seam_fault *f)
{
    if (says_nothing(mine) || memcmp(mine->platform, found->platform, SEAM_PLATFORM_ID_BYTES) == 0)
        return SEAM_OK;
    return not_ours("a store", found->platform, mine->platform, where, f);
}

enum seam_status seam_owner_take(const struct seam_owner *mine, bool empty,
                                 struct seam_owner *store, bool *changed, const char *where,
                                 struct seam_fault *f)
{
    enum seam_status st = empty ? SEAM_OK : seam_owner_check(mine, store, where, f);

    *changed = false;
    if (st != SEAM_OK || says_nothing(mine)) return st;
    *changed = !empty && mine->history != store->history;
    *store = *mine;
    return SEAM_OK;
}

/* ---- what an opener expects ---- */

enum seam_status seam_filehead_check(const struct seam_filehead_format *k,
                                     const struct seam_filehead *h,
                                     const struct seam_filehead_want *want, const char *path,
                                     struct seam_fault *f)
{
    if (want->platform != NULL &&
        memcmp(want->platform, h->owner.platform, SEAM_PLATFORM_ID_BYTES) != 0)
        return not_ours(k->name, h->owner.platform, want->platform, path, f);
    if (want->file_id != NULL && *want->file_id != h->file_id)
        return seam_fault_set(f, SEAM_CORRUPT, path, AT_FILE_ID,
                              "%s with the id %016" PRIx64 ", where %016" PRIx64 " is expected",
                              k->name, h->file_id, *want->file_id);
    if (want->history != NULL && *want->history != h->owner.history)
        return seam_fault_set(f, SEAM_CONFLICT, path, AT_HISTORY,
                              "%s of history %016" PRIx64 "; the one told here is %016" PRIx64,
                              k->name, h->owner.history, *want->history);
    return SEAM_OK;
}

uint32_t seam_filehead_sum(const uint8_t head[SEAM_FILEHEAD_BYTES])
{
    return seam_get_u32(head + AT_CRC);
}

/* ---- platform ids as text ---- */

void seam_platform_text(const uint8_t id[SEAM_PLATFORM_ID_BYTES], char out[SEAM_PLATFORM_TEXT])
{
    for (int i = 0; i < SEAM_PLATFORM_ID_BYTES; i++) snprintf(out + 2 * i, 3, "%02x", id[i]);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

bool seam_platform_parse(const char *text, uint8_t id[SEAM_PLATFORM_ID_BYTES])
{
    if (strlen(text) != SEAM_PLATFORM_TEXT - 1) return false;
    for (int i = 0; i < SEAM_PLATFORM_ID_BYTES; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

        if (high < 0 || low < 0) return false;
        id[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* ---- sealed text ---- */

static const char seal_before[] = "{\"crc32c\":\"", seal_after[] = "\",\n";
enum {
    SEAL_AT = sizeof seal_before - 1, /* where the 8 hex digits stand */
    SEAL_SIZE = SEAL_AT + 8 + sizeof seal_after - 1,
};

void seam_seal_json(const struct seam_buf *object, struct seam_buf *out)
{
    uint32_t crc;

    if (!seam_buf_ok(object)) {
        out->failed = true;
        return;
    }
    assert(object->size > 2 && object->data[0] == '{' && object->data[1] != '}');
    crc = seam_crc32c(0, object->data + 1, object->size - 1);
    crc = seam_crc32c(crc, "\n", 1);
    seam_buf_printf(out, "%s%08" PRIx32 "%s", seal_before, crc, seal_after);
    seam_buf_append(out, object->data + 1, object->size - 1);
    seam_buf_str(out, "\n");
}

enum seam_status seam_seal_check(const struct seam_buf *text, const char *path, const char *way_out,
                                 struct seam_fault *f)
{
    uint32_t crc = 0;
    bool sealed = text->size > SEAL_SIZE && memcmp(text->data, seal_before, SEAL_AT) == 0 &&
                  memcmp(text->data + SEAL_AT + 8, seal_after, sizeof seal_after - 1) == 0;

    for (int i = 0; sealed && i < 8; i++) {
        int digit = hex_digit((char)text->data[SEAL_AT + i]);

        sealed = digit >= 0;
        crc = crc << 4 | (uint32_t)digit;
    }
    if (!sealed && text->size > 0 && text->data[0] == '{' &&
        memmem(text->data, text->size, "crc32c", 6) == NULL)
        return seam_fault_set(f, SEAM_UNSUPPORTED, path, 0,
                              "a text of format version 1, without its checksum; this program "
                              "reads version 2: %s",
                              way_out);
    if (!sealed)
        return seam_fault_set(f, SEAM_CORRUPT, path, 0,
                              "the file does not begin with its checksum (%s...)", seal_before);
    if (crc != seam_crc32c(0, text->data + SEAL_SIZE, text->size - SEAL_SIZE))
        return seam_fault_set(f, SEAM_CORRUPT, path, SEAL_SIZE,
                              "the text's checksum is wrong: it was damaged, or changed by hand");
    return SEAM_OK;
}
