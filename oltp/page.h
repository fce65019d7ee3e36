/* page - a slotted B+tree page, and the header every page of the file shares.
 *
 *   0     4    5     6     8        16     20     24      32     40    42      44     46    48           56
 *   +-----+----+-----+-----+--------+------+------+-------+------+-----+-------+------+-----+-----+------+
 *   | crc |kind|level|count|file id | page | tree | epoch | lsn  |heap |garbage|prefix|used |   link     |
 *   +-----+----+-----+-----+--------+------+------+-------+------+-----+-------+------+-----+-----+------+
 *   56          56+prefix      heads           slots                    heap                 OLTP_PAGE_SIZE
 *   +-----------+-----+-----------------+-----------------+--- free ---+------+------+ ... +------+
 *   | prefix    | pad | u32 x count     | u16 x count     |            | cell | cell |     | cell |
 *   +-----------+-----+-----------------+-----------------+------------+------+------+ ... +------+
 *
 *   off size field    a reader demands
 *   0   4    crc      crc32c of bytes [4, page size)
 *   4   1    kind     enum oltp_page_kind
 *   5   1    level    0 for leaves; a child is one below its parent
 *   6   2    count    keys in the page
 *   8   8    file id  the meta page's: a page of another file fails
 *   16  4    page     its own number: a misplaced write fails
 *   20  4    tree     table id * 32 + index; 0 for blobs
 *   24  8    epoch    the write epoch that made this copy; not after the tree that names it
 *   32  8    lsn      the committed state when it was written out
 *   40  2    heap     offset of the lowest cell; count's arrays end at or before it
 *   42  2    garbage  bytes in the heap that no slot names
 *   44  2    prefix   bytes that every key of the page begins with, stored once
 *   46  2    used     overflow and blob: payload bytes, from 56 on
 *   48  8    link     inner: the leftmost child; overflow and blob: the next page, 0 = last
 *
 * A key is stored as prefix (once), head (the next 4 bytes, big-endian, zero-padded, as an integer: a
 * binary search touches these alone, 16 to a cache line) and rest (in its cell). Keys of up to 4 bytes past
 * the prefix cost the cell one length byte.
 *
 *   leaf cell    varint key bytes past the prefix | varint size*2+big | rest | value, or (big) first page
 *   inner cell   varint key bytes past the prefix | child             | rest
 *
 * Whatever names another page (link, child, first page; a root in the catalogue) is 8 bytes: u32 number, u32 stamp, the
 * low half of that page's epoch. It is compared whenever the page is looked at.
 *
 * An inner page with n keys has n+1 children: `link` holds what is below key 0, the child in cell i what
 * is at or above key i. Separators are the shortest that tell two neighbours apart.
 * Papers: Graefe 2011 (slotted pages, key heads, truncation); Bayer & Unterauer 1977 (prefix B-trees). */
#ifndef SEAM_OLTP_PAGE_H
#define SEAM_OLTP_PAGE_H

#include <assert.h>

#include "engine/base/buf.h"
#include "engine/values/key.h"
#include "oltp/oltp.h"

enum oltp_page_kind {
    PAGE_META = 1,
    PAGE_LEAF = 2,
    PAGE_INNER = 3,
    PAGE_OVERFLOW = 4,
    PAGE_BLOB = 5
};

enum {
    PAGE_CRC = 0,
    PAGE_KIND = 4,
    PAGE_LEVEL = 5,
    PAGE_COUNT = 6,
    PAGE_FILE_ID = 8,
    PAGE_ID = 16,
    PAGE_TREE = 20,
    PAGE_EPOCH = 24,
    PAGE_LSN = 32,
    PAGE_HEAP = 40,
    PAGE_GARBAGE = 42,
    PAGE_PREFIX = 44,
    PAGE_USED = 46,
    PAGE_LINK = 48,
    PAGE_HEADER_SIZE = 56,
    PAGE_BODY = OLTP_PAGE_SIZE - PAGE_HEADER_SIZE, /* payload of an overflow or blob page */
    SLOT_COST = 6,
    /* A key and value up to this many bytes stay in the leaf: four such cells fit any page. */
    PAGE_INLINE_MAX = PAGE_BODY / 4 - 24,
    PAGE_CELLS_MAX = PAGE_BODY / (SLOT_COST + 2),
    TREE_DEPTH_MAX = 16,
    REF_BYTES = 8,
};
static_assert(PAGE_INLINE_MAX >= OLTP_KEY_MAX + REF_BYTES + 4,
              "a longest key and an overflow link stay in a leaf");
static_assert(PAGE_LINK + REF_BYTES == PAGE_HEADER_SIZE, "page header has no gap");

/* What names a page: its number, and the low half of the epoch it was made in. A number is used again and again, but
 * never twice in one epoch (btree_path.c), so a page that lost its last write, or that was put back from elsewhere,
 * does not answer to the name. */
struct oltp_ref {
    uint32_t page, stamp;
};

static inline struct oltp_ref ref_get(const uint8_t *at)
{
    return (struct oltp_ref){seam_get_u32(at), seam_get_u32(at + 4)};
}
static inline void ref_put(uint8_t *at, struct oltp_ref r)
{
    seam_put_u32(at, r.page);
    seam_put_u32(at + 4, r.stamp);
}

static inline unsigned page_kind(const uint8_t *p)
{
    return p[PAGE_KIND];
}
static inline unsigned page_level(const uint8_t *p)
{
    return p[PAGE_LEVEL];
}
static inline unsigned page_count(const uint8_t *p)
{
    return seam_get_u16(p + PAGE_COUNT);
}
static inline uint32_t page_id(const uint8_t *p)
{
    return seam_get_u32(p + PAGE_ID);
}
static inline uint32_t page_tree(const uint8_t *p)
{
    return seam_get_u32(p + PAGE_TREE);
}
static inline uint64_t page_epoch(const uint8_t *p)
{
    return seam_get_u64(p + PAGE_EPOCH);
}
static inline unsigned page_heap(const uint8_t *p)
{
    return seam_get_u16(p + PAGE_HEAP);
}
static inline unsigned page_garbage(const uint8_t *p)
{
    return seam_get_u16(p + PAGE_GARBAGE);
}
static inline unsigned page_prefix(const uint8_t *p)
{
    return seam_get_u16(p + PAGE_PREFIX);
}
static inline struct oltp_ref page_link(const uint8_t *p)
{
    return ref_get(p + PAGE_LINK);
}
static inline void page_set_link(uint8_t *p, struct oltp_ref to)
{
    ref_put(p + PAGE_LINK, to);
}
static inline unsigned page_used(const uint8_t *p)
{
    return seam_get_u16(p + PAGE_USED);
}
static inline uint32_t page_stamp(const uint8_t *p)
{
    return seam_get_u32(p + PAGE_EPOCH);
}
static inline struct oltp_ref page_ref(const uint8_t *p)
{
    return (struct oltp_ref){page_id(p), page_stamp(p)};
}

static inline unsigned page_heads_at(const uint8_t *p)
{
    return PAGE_HEADER_SIZE + ((page_prefix(p) + 3u) & ~3u);
}
static inline const uint8_t *page_heads(const uint8_t *p)
{
    return p + page_heads_at(p);
}
static inline uint32_t page_head(const uint8_t *p, unsigned i)
{
    return seam_get_u32(page_heads(p) + 4 * (size_t)i);
}
static inline unsigned page_slot(const uint8_t *p, unsigned i)
{
    return seam_get_u16(page_heads(p) + 4 * (size_t)page_count(p) + 2 * (size_t)i);
}
static inline unsigned page_arrays_end(const uint8_t *p)
{
    return page_heads_at(p) + SLOT_COST * page_count(p);
}
static inline unsigned page_free(const uint8_t *p) /* after compaction */
{
    return page_heap(p) - page_arrays_end(p) + page_garbage(p);
}
static inline unsigned page_live_bytes(const uint8_t *p)
{
    return PAGE_BODY - page_free(p);
}

/* A cell taken apart. Pointers are into the page. */
struct oltp_cell {
    const uint8_t *rest;   /* key bytes after prefix and head */
    const uint8_t *value;  /* leaf, not big; big: where the child is written */
    uint32_t size;         /* of the value (big: of the whole value elsewhere) */
    struct oltp_ref child; /* inner: child; big leaf cells: first overflow page */
    uint16_t suffix;       /* key bytes past the prefix */
    uint16_t bytes;        /* of the cell in the heap */
    bool big;
};

static inline const uint8_t *cell_varint(const uint8_t *b, uint32_t *v)
{
    uint32_t x = *b++;

    if (x >= 0x80) {
        x &= 0x7f;
        for (unsigned shift = 7; shift < 35; shift += 7) {
            uint32_t c = *b++;

            x |= (c & 0x7f) << shift;
            if (c < 0x80) break;
        }
    }
    *v = x;
    return b;
}

static inline struct oltp_cell page_cell_at(const uint8_t *p, unsigned offset, bool leaf)
{
    struct oltp_cell c = {0};
    const uint8_t *b = p + offset;
    uint32_t suffix, size = 0;

    b = cell_varint(b, &suffix);
    c.suffix = (uint16_t)suffix;
    if (leaf) {
        b = cell_varint(b, &size);
        c.big = size & 1;
        c.size = size >> 1;
    } else {
        c.child = ref_get(b);
        b += REF_BYTES;
    }
    c.rest = b;
    b += suffix > 4 ? suffix - 4 : 0;
    if (leaf) {
        c.value = b;
        if (c.big) {
            c.child = ref_get(b);
            b += REF_BYTES;
        } else {
            b += c.size;
        }
    }
    c.bytes = (uint16_t)(b - (p + offset));
    return c;
}
static inline struct oltp_cell page_cell(const uint8_t *p, unsigned i)
{
    return page_cell_at(p, page_slot(p, i), page_kind(p) == PAGE_LEAF);
}
static inline struct oltp_ref page_child(const uint8_t *p,
                                         unsigned i) /* 0 = leftmost, i = right of key i-1 */
{
    uint32_t suffix;

    if (i == 0) return page_link(p);
    return ref_get(cell_varint(p + page_slot(p, i - 1), &suffix));
}

/* The first four bytes of a key past the prefix, as the page keeps them. */
static inline uint32_t key_head(const uint8_t *k, size_t n)
{
    uint32_t v = 0;

    if (n >= 4) return __builtin_bswap32(seam_get_u32(k));
    for (size_t i = 0; i < n; i++) v |= (uint32_t)k[i] << (24 - 8 * i);
    return v;
}

/* Index of the first key >= the given one; *exact tells whether it is equal. */
unsigned oltp_page_find(const uint8_t *p, const uint8_t *key, size_t n, bool *exact);
/* The child to follow: how many keys are <= the given one. */
static inline unsigned page_find_child(const uint8_t *p, const uint8_t *key, size_t n)
{
    bool exact;
    unsigned i = oltp_page_find(p, key, n, &exact);

    return i + exact;
}
/* Writes the whole key i to out (at least OLTP_KEY_MAX bytes); returns its size. */
size_t oltp_page_key(const uint8_t *p, unsigned i, uint8_t *out);

/* ---- changes: to pages that no one else can see ---- */
struct oltp_page_item { /* a key with its value or child, anywhere in memory */
    const uint8_t *key;
    const uint8_t *value;
    uint32_t size;
    struct oltp_ref child;
    uint16_t key_size;
    bool big;
};
void oltp_page_init(uint8_t *p, enum oltp_page_kind kind, unsigned level, uint32_t id,
                    uint32_t tree, uint64_t epoch, const uint8_t *prefix, size_t prefix_size);
/* Copies what is used of a page (not its free bytes). */
void oltp_page_copy(uint8_t *to, const uint8_t *from);
/* False when it does not fit, even tidied and with a shorter prefix; the page is then unchanged.
 * `tmp` is a spare page. */
bool oltp_page_insert(uint8_t *p, unsigned at, const struct oltp_page_item *item, uint8_t *tmp);
/* Replaces the value of leaf key `at` (whose key is item->key); false when it does not fit: then the page is
 * unchanged. */
bool oltp_page_replace(uint8_t *p, unsigned at, const struct oltp_page_item *item, uint8_t *tmp);
void oltp_page_remove(uint8_t *p, unsigned at);
void oltp_page_set_child(uint8_t *p, unsigned i, struct oltp_ref child); /* i as in page_child */
/* Fills an initialised empty page with `count` items in order; false when they do not fit. */
bool oltp_page_fill(uint8_t *p, const struct oltp_page_item *items, unsigned count);
/* The items of a page, appended to items[]; keys are written one after another into keys (oltp_page_items_bytes). */
unsigned oltp_page_items(const uint8_t *p, struct oltp_page_item *items, uint8_t *keys);
size_t oltp_page_items_bytes(const uint8_t *p);
/* Bytes that items [0, count) would take in one page, prefix and arrays included. */
size_t oltp_page_items_cost(const struct oltp_page_item *items, unsigned count, bool leaf);
/* Prefix worth keeping for items [0, count). */
size_t oltp_page_items_prefix(const struct oltp_page_item *items, unsigned count);

/* ---- the bytes of disk ---- */
void oltp_page_seal(uint8_t *p, uint64_t file_id, seam_lsn_t lsn); /* stamps file id, lsn and crc */
/* Everything about one page that can be checked alone: crc, identity, and that every offset and length
 * stays inside. Afterwards the accessors above are safe. SEAM_CORRUPT with why. */
SEAM_MUST_USE enum seam_status oltp_page_check(const uint8_t *p, uint64_t file_id, uint32_t id,
                                               uint32_t page_limit, const char *path,
                                               struct seam_fault *f);

/* ---- format 1, for upgrade.c: its pages are these but for the names of others (number alone, 4 bytes) and `used` ----
 * The accessors above read them too: of a link or a child the number only. */
SEAM_MUST_USE enum seam_status oltp_format1_check(const uint8_t *p, uint64_t file_id, uint32_t id,
                                                  uint32_t page_limit, const char *path,
                                                  struct seam_fault *f);
static inline uint32_t oltp_format1_used(const uint8_t *p)
{
    return seam_get_u32(p + PAGE_LINK + 4);
}

#endif
