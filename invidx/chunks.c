/* chunks - the checksums of a segment, asked for when bytes are first touched, and the words for damage. */
#include "engine/base/crc32c.h"
#include "invidx/segment.h"

#include <assert.h>

enum seam_status invidx_segment_damaged(const struct invidx_segment *s, const uint8_t *at,
                                        const char *why, struct seam_fault *f)
{
    assert(why != NULL);
    assert(at == NULL || s->map != NULL);
    return seam_fault_set(f, SEAM_CORRUPT, s->path,
                          at == NULL ? SEAM_FAULT_NO_OFFSET : (uint64_t)(at - s->map), "%s", why);
}

enum seam_status invidx_segment_touch_slow(struct invidx_segment *s, size_t first, size_t last,
                                           struct seam_fault *f)
{
    assert(first <= last);
    assert(last < (s->run_size + SEG_CHUNK - 1) / SEG_CHUNK);
    for (size_t i = first; i <= last; i++) {
        size_t at = i * SEG_CHUNK, n = s->run_size - at < SEG_CHUNK ? s->run_size - at : SEG_CHUNK;

        if (__atomic_load_n(&s->checked[i], __ATOMIC_ACQUIRE)) continue;
        if (seam_crc32c(0, s->map + s->run_from + at, n) != seam_get_u32(s->chunk_crcs + 4 * i))
            return invidx_segment_damaged(s, s->map + s->run_from + at,
                                          "checksum of a 64 KiB chunk differs", f);
        /* Released: who sees the flag sees bytes that were summed. Two readers may sum one chunk; both store 1. */
        __atomic_store_n(&s->checked[i], 1, __ATOMIC_RELEASE);
    }
    return SEAM_OK;
}
