/* upgrade - a page file of format 1 becomes one of format 2.
 *
 *   DIR/pages (1) --every tree, in key order--> DIR/pages.2 --sync--> renamed over DIR/pages
 *
 * Format 1 named pages by their number alone, so its inner pages hold more than fit into one of format 2: the trees are
 * built again, not converted in place. What the checkpoint in force says is carried over; the kept ones (AS OF before
 * it) are not. A crash leaves the old file or the new one, whole.
 *
 *   meta page of format 1
 *   0         8        12       16       24   32     40   48       56        64       68     72     76   508
 *   |SEAMOLTP |u32 1   |page size|file id |seq |epoch |lsn | wall us|last txn |catalog |space |pages |zeros|crc| */
#include "oltp/db.h"

#include <stdlib.h>

#include "engine/base/crc32c.h"
#include "engine/base/rng.h"

enum {
    OLD_AT_PAGE_SIZE = 12,
    OLD_AT_FILE_ID = 16,
    OLD_AT_SEQ = 24,
    OLD_AT_LSN = 40,
    OLD_AT_WALL = 48,
    OLD_AT_TXN = 56,
    OLD_AT_CATALOG = 64,
    OLD_AT_PAGES = 72,
    OLD_AT_CRC = META_SIZE - 4,
    NEW_EPOCH = 2,
    NEW_SEQ = 2,
    TREES_MAX = OLTP_TABLES_MAX * (SEAM_INDEXES_MAX + 1),
};

struct old_file {
    struct seam_file *file;
    char path[SEAM_PATH_MAX_BYTES];
    uint64_t file_id, last_txn;
    seam_lsn_t lsn;
    int64_t wall_us;
    uint32_t catalog_page, pages;
};

struct upgrading {
    struct old_file old;
    struct oltp_pager p;
    struct oltp_tree_writer w;
    char path[SEAM_PATH_MAX_BYTES]; /* of the new file */
    struct oltp_tree *tree;         /* being built, */
    uint32_t tree_id;               /* ... by the number that its pages carry */
    struct seam_buf value;
    struct oltp_upgraded *out;
    struct oltp_progress progress;
};

/* ---- reading format 1 ------------------------------------------------------------------------------ */

/* SEAM_CORRUPT: not a whole meta page of format 1. */
static enum seam_status old_meta(const uint8_t *m, unsigned slot, struct old_file *o,
                                 struct seam_fault *f)
{
    uint64_t seq = seam_get_u64(m + OLD_AT_SEQ);

    if (memcmp(m, "SEAMOLTP", 8) != 0 || seam_get_u32(m + 8) != 1 ||
        seam_get_u32(m + OLD_AT_CRC) != seam_crc32c(0, m, OLD_AT_CRC) || seq % 2 != slot ||
        seam_get_u32(m + OLD_AT_PAGE_SIZE) != OLTP_PAGE_SIZE)
        return seam_fault_set(f, SEAM_CORRUPT, o->path, (uint64_t)slot * OLTP_PAGE_SIZE,
                              "not a whole meta page of format 1");
    o->file_id = seam_get_u64(m + OLD_AT_FILE_ID);
    o->lsn = seam_get_u64(m + OLD_AT_LSN);
    o->wall_us = (int64_t)seam_get_u64(m + OLD_AT_WALL);
    o->last_txn = seam_get_u64(m + OLD_AT_TXN);
    o->catalog_page = seam_get_u32(m + OLD_AT_CATALOG);
    o->pages = seam_get_u32(m + OLD_AT_PAGES);
    return SEAM_OK;
}

/* *format: of the file. */
static enum seam_status old_open(struct seam_io *io, const char *dir, struct old_file *o,
                                 unsigned *format, struct seam_fault *f)
{
    uint8_t m[2][META_SIZE];
    bool whole[2] = {false, false};
    enum seam_status st = seam_path_join(o->path, dir, "pages", f);

    *format = 0;
    if (st == SEAM_OK) st = seam_file_open(io, o->path, SEAM_FILE_READ, &o->file, f);
    for (unsigned slot = 0; st == SEAM_OK && slot < 2; slot++) {
        struct old_file ignored = *o;

        st = seam_file_read(o->file, (uint64_t)slot * OLTP_PAGE_SIZE, m[slot], META_SIZE, f);
        whole[slot] = st == SEAM_OK && old_meta(m[slot], slot, &ignored, NULL) == SEAM_OK;
    }
    if (st != SEAM_OK) return st;
    if (!whole[0] && !whole[1]) {
        *format = seam_get_u16(m[0] + 8) == 2 || seam_get_u16(m[1] + 8) == 2 ? 2 : 0;
        return *format == 2 ? SEAM_OK
                            : seam_fault_set(f, SEAM_CORRUPT, o->path, 0,
                                             "both meta pages are damaged: `seam salvage` of the "
                                             "version that wrote the file brings back its rows");
    }
    *format = 1;
    if (whole[0] && whole[1] && seam_get_u64(m[0] + OLD_AT_SEQ) > seam_get_u64(m[1] + OLD_AT_SEQ))
        whole[1] = false;
    return old_meta(m[whole[1]], whole[1], o, f);
}

static enum seam_status old_page(const struct old_file *o, uint32_t page, uint8_t *to,
                                 struct seam_fault *f)
{
    enum seam_status st;

    if (page < 2 || page >= o->pages)
        return seam_fault_set(f, SEAM_CORRUPT, o->path, SEAM_FAULT_NO_OFFSET,
                              "page %u does not exist", page);
    st = seam_file_read(o->file, (uint64_t)page * OLTP_PAGE_SIZE, to, OLTP_PAGE_SIZE, f);
    return st == SEAM_OK ? oltp_format1_check(to, o->file_id, page, o->pages, o->path, f) : st;
}

/* The payload of a chain of pages, appended. */
static enum seam_status old_chain(const struct old_file *o, uint32_t first, unsigned kind,
                                  struct seam_buf *out, struct seam_fault *f)
{
    uint8_t *page = malloc(OLTP_PAGE_SIZE);
    enum seam_status st = page != NULL ? SEAM_OK : seam_no_memory(f, "the upgrade");

    for (uint32_t at = first, seen = 0; st == SEAM_OK && at != 0; seen++) {
        st = old_page(o, at, page, f);
        if (st == SEAM_OK && (page_kind(page) != kind || seen > o->pages))
            st = seam_fault_set(f, SEAM_CORRUPT, o->path, (uint64_t)at * OLTP_PAGE_SIZE,
                                "page %u is not one of the chain from page %u", at, first);
        if (st != SEAM_OK) break;
        seam_buf_append(out, page + PAGE_HEADER_SIZE, oltp_format1_used(page));
        at = page_link(page).page;
    }
    free(page);
    return st == SEAM_OK ? seam_buf_check(out, f, "the upgrade") : st;
}

/* ---- building format 2 ----------------------------------------------------------------------------- */

static enum seam_status put_entry(struct upgrading *u, const uint8_t *leaf, unsigned i,
                                  struct seam_fault *f)
{
    uint8_t key[OLTP_KEY_MAX];
    size_t n = oltp_page_key(leaf, i, key);
    struct oltp_cell c = page_cell(leaf, i);
    enum seam_status st = SEAM_OK;

    seam_buf_clear(&u->value);
    if (c.big) {
        st = old_chain(&u->old, c.child.page, PAGE_OVERFLOW, &u->value, f);
        if (st == SEAM_OK && u->value.size != c.size)
            st = seam_fault_set(f, SEAM_CORRUPT, u->old.path, SEAM_FAULT_NO_OFFSET,
                                "overflow pages hold %zu of %u bytes", u->value.size, c.size);
    }
    if (st == SEAM_OK) st = oltp_tree_prepare(&u->w, u->tree, u->tree_id, key, n, f);
    if (st == SEAM_OK && u->w.exact)
        st = seam_fault_set(f, SEAM_CORRUPT, u->old.path, SEAM_FAULT_NO_OFFSET,
                            "a key is there twice");
    if (st == SEAM_OK)
        st = oltp_tree_store(&u->w, key, n, c.big ? u->value.data : c.value, c.size, f);
    u->out->entries += st == SEAM_OK;
    return st;
}

static enum seam_status copy_below(struct upgrading *u, uint32_t page, unsigned level,
                                   struct seam_fault *f)
{
    uint8_t *at = malloc(OLTP_PAGE_SIZE);
    enum seam_status st =
        at != NULL ? old_page(&u->old, page, at, f) : seam_no_memory(f, "the upgrade");

    if (st == SEAM_OK && !page_is_tree(at, level))
        st = seam_fault_set(f, SEAM_CORRUPT, u->old.path, (uint64_t)page * OLTP_PAGE_SIZE,
                            "page %u is not of level %u", page, level);
    if (st == SEAM_OK) u->tree_id = page_tree(at);
    for (unsigned i = 0; st == SEAM_OK && level > 0 && i <= page_count(at); i++)
        st = copy_below(u, page_child(at, i).page, level - 1, f);
    for (unsigned i = 0; st == SEAM_OK && level == 0 && i < page_count(at); i++)
        st = put_entry(u, at, i, f);
    if (u->progress.step != NULL && (++u->out->pages & 1023) == 0)
        u->progress.step(u->progress.ctx, "building trees", u->out->pages, u->old.pages);
    free(at);
    return st;
}

/* The catalogue's trees, each built again; what follows them in the blob is the same in both formats. */
static enum seam_status copy_trees(struct upgrading *u, struct seam_buf *catalog,
                                   struct seam_fault *f)
{
    struct seam_buf old = {0};
    struct seam_reader r;
    uint64_t slots;
    enum seam_status st = old_chain(&u->old, u->old.catalog_page, PAGE_BLOB, &old, f);

    r = seam_reader_of(old.data, old.size);
    slots = st == SEAM_OK && old.size > 0 ? seam_read_varint(&r) : 0;
    if (slots > TREES_MAX) r.bad = true;
    seam_buf_varint(catalog, slots);
    for (uint64_t i = 0; st == SEAM_OK && !r.bad && i < slots; i++) {
        uint64_t root = seam_read_varint(&r), depth = seam_read_varint(&r),
                 count = seam_read_varint(&r);
        struct oltp_tree tree = {0};

        if (r.bad || depth > TREE_DEPTH_MAX || root > UINT32_MAX) break;
        u->tree = &tree;
        u->w.append = NULL;
        if (depth > 0) st = copy_below(u, (uint32_t)root, (unsigned)depth - 1, f);
        if (st == SEAM_OK && tree.count != count)
            st = seam_fault_set(f, SEAM_CORRUPT, u->old.path, SEAM_FAULT_NO_OFFSET,
                                "tree %llu holds %llu entries, its catalogue says %llu",
                                (unsigned long long)i, (unsigned long long)tree.count,
                                (unsigned long long)count);
        seam_buf_varint(catalog, tree.root.page);
        seam_buf_u32(catalog, tree.root.stamp);
        seam_buf_varint(catalog, tree.depth);
        seam_buf_varint(catalog, tree.count);
        u->out->trees++;
    }
    if (st == SEAM_OK && r.bad)
        st = seam_fault_set(f, SEAM_CORRUPT, u->old.path, SEAM_FAULT_NO_OFFSET,
                            "the catalogue is damaged");
    if (st == SEAM_OK && old.size > 0)
        seam_buf_append(catalog, seam_read_bytes(&r, seam_reader_left(&r)), seam_reader_left(&r));
    seam_buf_free(&old);
    return st == SEAM_OK ? seam_buf_check(catalog, f, "the upgrade") : st;
}

static void map_of(struct upgrading *u, uint32_t tree_pages, uint32_t pages, struct seam_buf *out)
{
    uint8_t *bits;

    seam_buf_clear(out);
    seam_buf_varint(out, pages);
    bits = seam_buf_extend(out, (pages + 7) / 8);
    if (bits == NULL) return;
    memset(bits, 0, (pages + 7) / 8);
    oltp_space_map(&u->p, tree_pages, bits);
    for (uint32_t i = tree_pages; i < pages; i++) bits[i / 8] |= (uint8_t)(1u << (i % 8));
    seam_buf_varint(out, 0); /* no dead pages */
    seam_buf_varint(out, 0); /* no kept checkpoints */
}

static enum seam_status put_blob(struct upgrading *u, const struct seam_buf *bytes, uint32_t first,
                                 struct oltp_checkpoint *next, struct oltp_blob *name,
                                 struct seam_fault *f)
{
    size_t n = (bytes->size + PAGE_BODY - 1) / PAGE_BODY;
    uint32_t *pages = malloc((n + 1) * sizeof *pages);
    enum seam_status st;

    if (pages == NULL) return seam_no_memory(f, "the upgrade");
    for (size_t i = 0; i < n; i++) pages[i] = first + (uint32_t)i;
    *name = oltp_blob_name(first, bytes);
    st = oltp_blob_write(&u->p, bytes, pages, n, next, f);
    free(pages);
    return st;
}

/* Dirty pages, blobs, sync, meta page, sync: as a checkpoint does. */
static enum seam_status publish(struct upgrading *u, const struct seam_buf *catalog,
                                const struct oltp_identity *id, struct seam_fault *f)
{
    struct oltp_checkpoint next = {.seq = NEW_SEQ,
                                   .epoch = atomic_load(&u->p.max_epoch),
                                   .lsn = u->old.lsn,
                                   .wall_us = u->old.wall_us,
                                   .last_txn = u->old.last_txn};
    struct seam_buf map = {0};
    uint32_t *dirty = NULL, tree_pages = oltp_space_shrink(&u->p), at, need;
    uint8_t meta[META_SIZE];
    size_t count = 0;
    enum seam_status st = oltp_pager_dirty_pages(&u->p, next.epoch, &dirty, &count, f);

    if (st == SEAM_OK) {
        oltp_pager_order_pages(dirty, count);
        st = oltp_pager_write_pages(&u->p, dirty, count, f);
    }
    free(dirty);
    at = tree_pages + (uint32_t)((catalog->size + PAGE_BODY - 1) / PAGE_BODY);
    next.pages = at;
    do { /* the map covers itself */
        map_of(u, tree_pages, next.pages, &map);
        need = at + (uint32_t)((map.size + PAGE_BODY - 1) / PAGE_BODY);
    } while (need != next.pages && (next.pages = need) != 0);
    if (st == SEAM_OK) st = seam_buf_check(&map, f, "the upgrade");
    if (st == SEAM_OK) st = put_blob(u, catalog, tree_pages, &next, &next.catalog, f);
    if (st == SEAM_OK) st = put_blob(u, &map, at, &next, &next.space, f);
    if (st == SEAM_OK) st = seam_file_datasync(u->p.file, f);
    oltp_meta_encode(&next, id, meta);
    if (st == SEAM_OK)
        st = seam_file_write(u->p.file, (next.seq % 2) * OLTP_PAGE_SIZE, meta, META_SIZE, f);
    if (st == SEAM_OK) st = seam_file_sync(u->p.file, f);
    seam_buf_free(&map);
    return st;
}

static enum seam_status build(struct upgrading *u, struct seam_io *io, const char *dir,
                              const struct oltp_identity *id, struct seam_fault *f)
{
    struct seam_buf catalog = {0};
    enum seam_status st = seam_path_join(u->path, dir, "pages.2", f);

    if (st == SEAM_OK) st = seam_io_unlink_if_there(io, u->path, f);
    if (st == SEAM_OK) st = oltp_pages_create(io, dir, u->path, id, f);
    if (st == SEAM_OK) st = oltp_pager_open(&u->p, io, u->path, false, (size_t)64 << 20, NULL, f);
    if (st == SEAM_OK) st = oltp_tree_writer_init(&u->w, &u->p, NULL, f);
    if (st == SEAM_OK) st = oltp_space_grow(&u->p, 2, f);
    if (st != SEAM_OK) return st;
    u->p.file_id = id->file_id;
    u->p.space.used[0] |= 3;
    u->p.space.free = 0;
    u->w.epoch = u->w.own_epoch = NEW_EPOCH;
    atomic_store(&u->p.max_epoch, NEW_EPOCH);
    atomic_store(&u->p.write_epoch, NEW_EPOCH);
    atomic_store(&u->p.state_lsn, u->old.lsn);
    st = u->old.catalog_page != 0 ? copy_trees(u, &catalog, f) : SEAM_OK;
    if (st == SEAM_OK && u->old.catalog_page != 0) st = publish(u, &catalog, id, f);
    seam_buf_free(&catalog);
    return st;
}

enum seam_status oltp_upgrade(struct seam_io *io, const char *dir, const struct seam_owner *owner,
                              uint64_t log_id, bool dry_run, struct oltp_upgraded *out,
                              struct oltp_progress progress, struct seam_fault *f)
{
    struct upgrading u = {.out = out, .progress = progress};
    struct oltp_identity id = {.owner = *owner, .log_id = log_id};
    struct seam_file *lock = NULL;
    uint64_t state;
    enum seam_status st = seam_writer_lock(io, dir, &lock, f);

    *out = (struct oltp_upgraded){0};
    if (st == SEAM_OK) st = old_open(io, dir, &u.old, &out->format, f);
    out->lsn = u.old.lsn;
    if (st == SEAM_OK && out->format == 1 && !dry_run) {
        state = u.old.file_id;
        id.file_id = seam_splitmix64(&state) | 1;
        st = build(&u, io, dir, &id, f);
        if (u.p.io != NULL) {
            oltp_tree_writer_free(&u.w);
            oltp_pager_close(&u.p);
        }
        if (st == SEAM_OK) st = seam_io_rename(io, u.path, u.old.path, f);
        if (st == SEAM_OK) st = seam_io_sync_dir(io, dir, f);
    }
    seam_buf_free(&u.value);
    seam_file_close(u.old.file);
    seam_file_close(lock);
    return st;
}
