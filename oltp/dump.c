/* dump - pages and trees as text, for people. */
#include "oltp/db.h"

#include <stdlib.h>

#include "engine/base/crc32c.h"

enum { BYTES_SHOWN = 24 };

static void hex(struct seam_buf *out, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n && i < BYTES_SHOWN; i++) seam_buf_printf(out, "%02x", p[i]);
    if (n > BYTES_SHOWN) seam_buf_printf(out, "... (%zu bytes)", n);
}

static const char *kind_name(unsigned kind)
{
    static const char *const names[] = {"nothing", "meta", "leaf", "inner", "overflow", "blob"};

    return kind < SEAM_ARRAY_LEN(names) ? names[kind] : "unknown";
}

static void dump_meta(const uint8_t *page, unsigned slot, const char *path, struct seam_buf *out)
{
    struct oltp_checkpoint c;
    struct oltp_identity id;
    struct seam_fault f = {0};

    if (oltp_meta_decode(page, slot, path, &c, &id, &f) != SEAM_OK) {
        seam_buf_printf(out, "meta page %u: DAMAGED: %s\n", slot, f.why);
        return;
    }
    seam_buf_printf(
        out, "meta page %u of a row store: version 2, pages of %d bytes\n  16  platform     ", slot,
        OLTP_PAGE_SIZE);
    hex(out, id.owner.platform, sizeof id.owner.platform);
    seam_buf_printf(
        out,
        "\n  32  file id      %016llx\n  40  history      %016llx\n  48  lsn          %llu\n  64  "
        "seq  "
        "        %llu\n  72  epoch        %llu\n  80  wall us      %lld\n  88  last txn     %llu\n",
        (unsigned long long)id.file_id, (unsigned long long)id.owner.history,
        (unsigned long long)c.lsn, (unsigned long long)c.seq, (unsigned long long)c.epoch,
        (long long)c.wall_us, (unsigned long long)c.last_txn);
    seam_buf_printf(
        out,
        "  96  log id       %016llx\n  104 catalogue at page %u, crc %08x\n  112 space map "
        "at page %u, crc %08x\n  120 pages        %u\n  124 record before %08x\n",
        (unsigned long long)id.log_id, c.catalog.page, c.catalog.crc, c.space.page, c.space.crc,
        c.pages, id.before);
}

static void dump_cells(const uint8_t *p, struct seam_buf *out)
{
    bool leaf = page_kind(p) == PAGE_LEAF;
    uint8_t key[OLTP_KEY_MAX];

    seam_buf_printf(out, "  %u  prefix %u bytes: ", PAGE_HEADER_SIZE, page_prefix(p));
    hex(out, p + PAGE_HEADER_SIZE, page_prefix(p));
    seam_buf_printf(out, "\n  %u  heads, %u slots, heap from %u, %u bytes free\n", page_heads_at(p),
                    page_count(p), page_heap(p), page_free(p));
    if (!leaf)
        seam_buf_printf(out, "  leftmost child %u of epoch %u\n", page_link(p).page,
                        page_link(p).stamp);
    for (unsigned i = 0; i < page_count(p); i++) {
        struct oltp_cell c = page_cell(p, i);

        seam_buf_printf(out, "  %4u  slot %u at %u, head %08x, key ", page_slot(p, i), i,
                        page_heads_at(p) + 4 * i, page_head(p, i));
        hex(out, key, oltp_page_key(p, i, key));
        if (!leaf) {
            seam_buf_printf(out, " -> page %u of epoch %u\n", c.child.page, c.child.stamp);
        } else if (c.big) {
            seam_buf_printf(out, " = %u bytes from page %u of epoch %u on\n", c.size, c.child.page,
                            c.child.stamp);
        } else {
            seam_buf_printf(out, " = %u bytes: ", c.size);
            hex(out, c.value, c.size);
            seam_buf_str(out, "\n");
        }
    }
}

enum seam_status oltp_dump(struct seam_io *io, const char *pages_path, uint32_t page,
                           struct seam_buf *out, struct seam_fault *f)
{
    uint8_t p[OLTP_PAGE_SIZE];
    struct seam_file *file = NULL;
    struct seam_fault why = {0};
    uint64_t size = 0;
    enum seam_status st = seam_file_open(io, pages_path, SEAM_FILE_READ, &file, f);

    if (st == SEAM_OK) st = seam_file_size(file, &size, f);
    if (st == SEAM_OK && (uint64_t)page * OLTP_PAGE_SIZE >= size)
        st = seam_fault_set(f, SEAM_NOT_FOUND, pages_path, SEAM_FAULT_NO_OFFSET,
                            "there are %llu pages", (unsigned long long)(size / OLTP_PAGE_SIZE));
    if (st == SEAM_OK) st = seam_file_read(file, (uint64_t)page * OLTP_PAGE_SIZE, p, sizeof p, f);
    seam_file_close(file);
    if (st != SEAM_OK) return st;
    if (page < 2) {
        dump_meta(p, page, pages_path, out);
        return seam_buf_ok(out) ? SEAM_OK : SEAM_NOMEM;
    }
    seam_buf_printf(out, "page %u at byte %llu: %s, level %u, tree %u of table %u\n", page,
                    (unsigned long long)page * OLTP_PAGE_SIZE, kind_name(page_kind(p)),
                    page_level(p), page_tree(p) & ((1 << TREE_INDEX_BITS) - 1),
                    page_tree(p) >> TREE_INDEX_BITS);
    seam_buf_printf(
        out,
        "  0   crc %08x (computed %08x)\n  6   count %u\n  8   file id %016llx\n  16  page %u\n",
        seam_get_u32(p), seam_crc32c(0, p + PAGE_KIND, sizeof p - PAGE_KIND), page_count(p),
        (unsigned long long)seam_get_u64(p + PAGE_FILE_ID), page_id(p));
    seam_buf_printf(out,
                    "  24  epoch %llu\n  32  lsn %llu\n  40  heap %u, garbage %u, prefix %u\n  46  "
                    "used %u\n  48  link %u "
                    "of epoch %u\n",
                    (unsigned long long)page_epoch(p),
                    (unsigned long long)seam_get_u64(p + PAGE_LSN), page_heap(p), page_garbage(p),
                    page_prefix(p), page_used(p), page_link(p).page, page_link(p).stamp);
    if (oltp_page_check(p, seam_get_u64(p + PAGE_FILE_ID), page,
                        (uint32_t)(size / OLTP_PAGE_SIZE) + PAGER_PAGES_MAX / 2, pages_path,
                        &why) != SEAM_OK)
        seam_buf_printf(out, "DAMAGED: %s\n", why.why);
    else if (page_kind(p) == PAGE_LEAF || page_kind(p) == PAGE_INNER)
        dump_cells(p, out);
    return seam_buf_ok(out) ? SEAM_OK : SEAM_NOMEM;
}

struct drawing {
    struct oltp_pager *pager;
    struct seam_buf *out;
    size_t left;
    struct oltp_hazard *h;
};

static void draw_page(struct drawing *d, uint32_t page, const uint8_t *p, unsigned indent)
{
    uint8_t key[OLTP_KEY_MAX];

    seam_buf_printf(d->out, "%*s%s %u: %u keys, %u%% full, epoch %llu", (int)indent * 2, "",
                    kind_name(page_kind(p)), page, page_count(p),
                    page_live_bytes(p) * 100 / PAGE_BODY, (unsigned long long)page_epoch(p));
    if (page_count(p) > 0) {
        seam_buf_str(d->out, ", from ");
        hex(d->out, key, oltp_page_key(p, 0, key));
        seam_buf_str(d->out, " to ");
        hex(d->out, key, oltp_page_key(p, page_count(p) - 1, key));
    }
    seam_buf_str(d->out, "\n");
}

static enum seam_status draw(struct drawing *d, struct oltp_ref page, unsigned level,
                             unsigned indent, struct seam_fault *f)
{
    uint8_t *p;
    enum seam_status st;

    if (d->left == 0) return SEAM_OK;
    d->left--;
    p = malloc(OLTP_PAGE_SIZE);
    st = p == NULL ? seam_fault_set(f, SEAM_NOMEM, d->pager->path, SEAM_FAULT_NO_OFFSET,
                                    "no memory to draw")
                   : oltp_pager_read(d->pager, page, d->h, p, f);
    if (st == SEAM_OK && !page_is_tree(p, level))
        st = oltp_level_fault(d->pager, page.page, p, level, f);
    if (st == SEAM_OK) draw_page(d, page.page, p, indent);
    for (unsigned i = 0; st == SEAM_OK && level > 0 && i <= page_count(p); i++)
        st = draw(d, page_child(p, i), level - 1, indent + 1, f);
    free(p);
    return st;
}

enum seam_status oltp_dump_tree(struct oltp_txn *t, uint32_t table, uint32_t index,
                                size_t max_pages, struct seam_buf *out, struct seam_fault *f)
{
    const struct oltp_table *tb = table_of(t, table);
    struct drawing d = {&t->db->pager, out, max_pages, t->hazard};
    const struct oltp_tree *tree;
    uint32_t slot;

    if (tb == NULL) return oltp_table_unknown(table, f);
    slot = tb->primary;
    for (unsigned i = 0; index != 0 && i < tb->schema.index_count; i++)
        if (tb->schema.indexes[i].id == index) slot = tb->index[i];
    tree = &t->trees[slot];
    seam_buf_printf(out, "%s: %llu entries, depth %u\n", tb->schema.name,
                    (unsigned long long)tree->count, tree->depth);
    return tree->depth > 0 ? draw(&d, tree->root, tree->depth - 1, 1, f) : SEAM_OK;
}
