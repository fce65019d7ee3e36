/* blob - what a checkpoint keeps besides its trees, in chains of pages.
 *
 *   catalogue blob:  trees (root and its stamp, depth, count) by slot, then tables (slots, schema JSON)   catalog.c
 *   space blob:      varint pages | bitmap, a bit a used page | dead pages (page, birth, death) |
 *                    retained checkpoints (all of the meta page's fields), oldest first */
#include "oltp/db.h"

#include <stdlib.h>

#include "engine/base/crc32c.h"

enum seam_status oltp_blob_read(struct oltp_pager *p, struct oltp_blob name, struct seam_buf *out,
                                uint32_t **pages, size_t *count, struct seam_fault *f)
{
    uint8_t *page = malloc(OLTP_PAGE_SIZE);
    uint32_t limit = atomic_load(&p->pages), at = name.page;
    size_t began = out->size;
    size_t cap = pages != NULL ? *count : 0;
    enum seam_status st = page == NULL ? SEAM_NOMEM : SEAM_OK;

    for (uint32_t seen = 0; st == SEAM_OK && at != 0; seen++) {
        if (seen > limit || at >= limit || at < 2) {
            st = seam_fault_set(f, SEAM_CORRUPT, p->path, SEAM_FAULT_NO_OFFSET,
                                "a chain of blob pages leaves the file or goes in circles");
            break;
        }
        st = seam_file_read(p->file, (uint64_t)at * OLTP_PAGE_SIZE, page, OLTP_PAGE_SIZE, f);
        if (st == SEAM_OK) st = oltp_page_check(page, p->file_id, at, limit, p->path, f);
        if (st == SEAM_OK && page_kind(page) != PAGE_BLOB)
            st = seam_fault_set(f, SEAM_CORRUPT, p->path, (uint64_t)at * OLTP_PAGE_SIZE,
                                "page %u is no blob page", at);
        if (st != SEAM_OK) break;
        seam_buf_append(out, page + PAGE_HEADER_SIZE, page_used(page));
        if (pages != NULL) {
            if (*count == cap) {
                uint32_t *more = realloc(*pages, (cap = cap * 2 + 16) * sizeof *more);

                if (more == NULL)
                    st = SEAM_NOMEM;
                else
                    *pages = more;
            }
            if (st == SEAM_OK) (*pages)[(*count)++] = at;
        }
        at = page_link(page).page;
    }
    free(page);
    if (st == SEAM_OK && !seam_buf_ok(out)) st = SEAM_NOMEM;
    if (st == SEAM_OK && seam_crc32c(0, out->data + began, out->size - began) != name.crc)
        return seam_fault_set(
            f, SEAM_CORRUPT, p->path, (uint64_t)name.page * OLTP_PAGE_SIZE,
            "the blob from page %u on is not the one that the checkpoint wrote: a "
            "write of it was lost, or an older copy put back",
            name.page);
    return st == SEAM_NOMEM ? seam_fault_set(f, SEAM_NOMEM, p->path, SEAM_FAULT_NO_OFFSET,
                                             "no memory for a checkpoint's catalogue")
                            : st;
}

struct oltp_blob oltp_blob_name(uint32_t first, const struct seam_buf *bytes)
{
    return (struct oltp_blob){first, seam_crc32c(0, bytes->data, bytes->size)};
}

enum seam_status oltp_blob_write(struct oltp_pager *p, const struct seam_buf *bytes,
                                 const uint32_t *pages, size_t count,
                                 const struct oltp_checkpoint *of, struct seam_fault *f)
{
    uint8_t *page = malloc(OLTP_PAGE_SIZE);
    enum seam_status st = SEAM_OK;

    if (page == NULL)
        return seam_fault_set(f, SEAM_NOMEM, p->path, SEAM_FAULT_NO_OFFSET,
                              "no memory for a checkpoint");
    assert(bytes->size <= count * PAGE_BODY);
    for (size_t i = 0; st == SEAM_OK && i < count; i++) {
        size_t from = i * PAGE_BODY, n = bytes->size > from ? bytes->size - from : 0;

        if (n > PAGE_BODY) n = PAGE_BODY;
        memset(page, 0, OLTP_PAGE_SIZE);
        oltp_page_init(page, PAGE_BLOB, 0, pages[i], 0, of->epoch, NULL, 0);
        if (i + 1 < count)
            page_set_link(page, (struct oltp_ref){pages[i + 1], (uint32_t)of->epoch});
        seam_put_u16(page + PAGE_USED, (uint16_t)n);
        if (n > 0) memcpy(page + PAGE_HEADER_SIZE, bytes->data + from, n);
        oltp_page_seal(page, p->file_id, of->lsn);
        st = seam_file_write(p->file, (uint64_t)pages[i] * OLTP_PAGE_SIZE, page, OLTP_PAGE_SIZE, f);
    }
    free(page);
    return st;
}

static void checkpoint_put(struct seam_buf *out, const struct oltp_checkpoint *c)
{
    seam_buf_varint(out, c->seq);
    seam_buf_varint(out, c->epoch);
    seam_buf_varint(out, c->lsn);
    seam_buf_varint(out, seam_zigzag(c->wall_us));
    seam_buf_varint(out, c->catalog.page);
    seam_buf_u32(out, c->catalog.crc);
    seam_buf_varint(out, c->space.page);
    seam_buf_u32(out, c->space.crc);
    seam_buf_varint(out, c->pages);
    seam_buf_varint(out, c->last_txn);
}

static struct oltp_checkpoint checkpoint_get(struct seam_reader *r)
{
    struct oltp_checkpoint c;

    c.seq = seam_read_varint(r);
    c.epoch = seam_read_varint(r);
    c.lsn = seam_read_varint(r);
    c.wall_us = seam_unzigzag(seam_read_varint(r));
    c.catalog.page = (uint32_t)seam_read_varint(r);
    c.catalog.crc = seam_read_u32(r);
    c.space.page = (uint32_t)seam_read_varint(r);
    c.space.crc = seam_read_u32(r);
    c.pages = (uint32_t)seam_read_varint(r);
    c.last_txn = seam_read_varint(r);
    return c;
}

void oltp_space_encode(struct oltp *db, const struct oltp_kept *kept, struct seam_buf *out)
{
    struct oltp_space *s = &db->pager.space;
    uint32_t pages = atomic_load(&db->pager.pages);
    size_t bytes = (pages + 7) / 8, dead = 0;
    uint8_t *bitmap;

    seam_buf_varint(out, pages);
    bitmap = seam_buf_extend(out, bytes);
    if (bitmap == NULL) return;
    oltp_space_map(&db->pager, pages, bitmap);
    for (size_t i = 0; i < s->dead_count; i++) {
        if (oltp_epoch_seen(kept->epochs, kept->count, s->dead[i].birth, s->dead[i].death))
            dead++;
        else
            bitmap[s->dead[i].page / 8] &= (uint8_t) ~(1u << (s->dead[i].page % 8));
    }
    seam_buf_varint(out, dead);
    for (size_t i = 0; i < s->dead_count; i++) {
        if (!oltp_epoch_seen(kept->epochs, kept->count, s->dead[i].birth, s->dead[i].death))
            continue;
        seam_buf_varint(out, s->dead[i].page);
        seam_buf_varint(out, s->dead[i].birth);
        seam_buf_varint(out, s->dead[i].death);
    }
    seam_buf_varint(out, kept->retained_count);
    for (size_t i = 0; i < kept->retained_count; i++) checkpoint_put(out, &kept->retained[i]);
}

static enum seam_status space_decode(struct oltp *db, const struct seam_buf *blob,
                                     const struct oltp_checkpoint *c, struct seam_fault *f)
{
    uint32_t pages = c->pages;
    struct seam_reader r = seam_reader_of(blob->data, blob->size);
    struct oltp_pager *p = &db->pager;
    const uint8_t *bitmap;
    uint64_t n;

    if (seam_read_varint(&r) != pages || (bitmap = seam_read_bytes(&r, (pages + 7) / 8)) == NULL)
        goto damaged;
    memcpy(p->space.used, bitmap, (pages + 7) / 8);
    p->space.used[0] |= 3; /* the meta pages */
    p->space.free = 0;
    for (uint32_t i = 0; i < pages; i++) p->space.free += !(p->space.used[i / 64] >> (i % 64) & 1);
    n = seam_read_varint(&r);
    if (r.bad || n > pages) goto damaged;
    if (oltp_space_reserve_dead(p, (size_t)n, f) != SEAM_OK) return SEAM_NOMEM;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t page = seam_read_varint(&r), birth = seam_read_varint(&r),
                 death = seam_read_varint(&r);

        if (r.bad || page < 2 || page >= pages || birth >= death || death > c->epoch ||
            (i > 0 && death < p->space.dead[i - 1].death) || /* they lie in that order */
            !(p->space.used[page / 64] >> (page % 64) & 1))
            goto damaged;
        p->space.dead[p->space.dead_count++] = (struct oltp_dead){(uint32_t)page, birth, death};
    }
    n = seam_read_varint(&r);
    if (r.bad || n > RETAINED_MAX) goto damaged;
    for (uint64_t i = 0; i < n; i++) db->retained[i] = checkpoint_get(&r);
    if (r.bad || seam_reader_left(&r) != 0) goto damaged;
    db->retained_count = (size_t)n;
    return SEAM_OK;
damaged:
    return seam_fault_set(f, SEAM_CORRUPT, p->path, SEAM_FAULT_NO_OFFSET,
                          "the map of free space is damaged");
}

enum seam_status oltp_space_load(struct oltp *db, const struct oltp_checkpoint *c,
                                 struct seam_fault *f)
{
    struct seam_buf blob = {0};
    enum seam_status st = oltp_space_grow(&db->pager, c->pages, f);

    if (st != SEAM_OK) return st;
    db->pager.space.used[0] |= 3;
    db->pager.space.free = c->pages - 2;
    db->pager.space.dead_count = 0;
    db->retained_count = db->blob_count = 0;
    if (c->space.page == 0) return SEAM_OK;
    free(db->blob_pages);
    db->blob_pages = NULL;
    st = oltp_blob_read(&db->pager, c->space, &blob, &db->blob_pages, &db->blob_count, f);
    if (st == SEAM_OK) st = space_decode(db, &blob, c, f);
    seam_buf_free(&blob);
    return st;
}
