/* page - the bytes of a page: search, changes, and what is checked when one is loaded (the picture: page.h). */
#include "oltp/page.h"

#include <stdlib.h>

#include "engine/base/crc32c.h"

enum { PREFIX_AFTER = 8 }; /* keys, and at each doubling after */

/* ---- search ---------------------------------------------------------------------------------------- */

/* First head >= k. The loop has a fixed trip count for a given n and no unpredictable branch: each step
 * is one load, one compare, one mask and one add. */
static inline unsigned heads_lower(const uint8_t *heads, unsigned n, uint32_t k)
{
    const uint8_t *base = heads;

    while (n > 1) {
        unsigned half = n / 2;

        size_t right =
            0 - (size_t)(seam_get_u32(base + 4 * (size_t)(half - 1)) < k); /* all ones or none */

        base += right & 4 * (size_t)half;
        n -= half;
    }
    return (unsigned)((base - heads) / 4) + (n == 1 && seam_get_u32(base) < k);
}

/* Order of a key's part past the prefix against cell i, when their heads are equal. */
static int compare_tail(const uint8_t *p, unsigned i, const uint8_t *suffix, size_t n)
{
    struct oltp_cell c = page_cell(p, i);
    size_t common;
    int order;

    if (n <= 4 || c.suffix <= 4) return (n > c.suffix) - (n < c.suffix);
    common = (n < c.suffix ? n : c.suffix) - 4;
    order = memcmp(suffix + 4, c.rest, common);
    return order != 0 ? order : (n > c.suffix) - (n < c.suffix);
}

/* The key's first bytes against the page's prefix. Most prefixes are short: one load each, one compare. */
static inline int compare_prefix(const uint8_t *p, unsigned prefix, const uint8_t *key, size_t n)
{
    if (seam_likely(prefix <= 8 && n >= 8)) {
        unsigned drop = 64 - 8 * prefix;
        uint64_t a = __builtin_bswap64(seam_get_u64(key)) >> drop,
                 b = __builtin_bswap64(seam_get_u64(p + PAGE_HEADER_SIZE)) >> drop;

        return (a > b) - (a < b);
    }
    return n == 0 ? 0 : memcmp(key, p + PAGE_HEADER_SIZE, n < prefix ? n : prefix);
}

unsigned oltp_page_find(const uint8_t *p, const uint8_t *key, size_t n, bool *exact)
{
    unsigned count = page_count(p), prefix = page_prefix(p), at, end;
    uint32_t head;
    int order;

    *exact = false;
    if (prefix > 0) {
        order = compare_prefix(p, prefix, key, n);
        if (order < 0 || (order == 0 && n < prefix)) return 0;
        if (order > 0) return count;
        key += prefix;
        n -= prefix;
    }
    head = key_head(key, n);
    at = heads_lower(page_heads(p), count, head);
    if (at == count || page_head(p, at) != head) return at;
    if (page_kind(p) == PAGE_LEAF) { /* the row is wanted next: all of its lines at once */
        const uint8_t *cell = p + page_slot(p, at);

        __builtin_prefetch(cell);
        __builtin_prefetch(cell + 64);
        __builtin_prefetch(cell + 128);
        __builtin_prefetch(cell + 192);
    }
    order = compare_tail(p, at, key, n);
    if (order <= 0) {
        *exact = order == 0;
        return at;
    }
    /* Several keys share the head: search among them by whole keys. */
    end = head == UINT32_MAX
              ? count
              : at + heads_lower(page_heads(p) + 4 * (size_t)at, count - at, head + 1);
    at++;
    while (at < end) {
        unsigned mid = at + (end - at) / 2;

        order = compare_tail(p, mid, key, n);
        if (order == 0) {
            *exact = true;
            return mid;
        }
        if (order > 0)
            at = mid + 1;
        else
            end = mid;
    }
    return at;
}

size_t oltp_page_key(const uint8_t *p, unsigned i, uint8_t *out)
{
    struct oltp_cell c = page_cell(p, i);
    unsigned prefix = page_prefix(p), in_head = c.suffix < 4 ? c.suffix : 4;
    uint8_t head[4];
    uint32_t big_endian = __builtin_bswap32(page_head(p, i));

    seam_put_u32(head, big_endian);
    memcpy(out, p + PAGE_HEADER_SIZE, prefix);
    memcpy(out + prefix, head, in_head);
    if (c.suffix > 4) memcpy(out + prefix + 4, c.rest, c.suffix - 4u);
    return prefix + c.suffix;
}

/* ---- building -------------------------------------------------------------------------------------- */

void oltp_page_init(uint8_t *p, enum oltp_page_kind kind, unsigned level, uint32_t id,
                    uint32_t tree, uint64_t epoch, const uint8_t *prefix, size_t prefix_size)
{
    memset(p, 0, PAGE_HEADER_SIZE);
    p[PAGE_KIND] = (uint8_t)kind;
    p[PAGE_LEVEL] = (uint8_t)level;
    seam_put_u32(p + PAGE_ID, id);
    seam_put_u32(p + PAGE_TREE, tree);
    seam_put_u64(p + PAGE_EPOCH, epoch);
    seam_put_u16(p + PAGE_HEAP, OLTP_PAGE_SIZE);
    seam_put_u16(p + PAGE_PREFIX, (uint16_t)prefix_size);
    if (prefix_size > 0) {
        memset(p + PAGE_HEADER_SIZE + (prefix_size & ~(size_t)3), 0, 4);
        memcpy(p + PAGE_HEADER_SIZE, prefix, prefix_size);
    }
}

void oltp_page_copy(uint8_t *to, const uint8_t *from)
{
    unsigned end = page_arrays_end(from), heap = page_heap(from);

    if (page_kind(from) != PAGE_LEAF && page_kind(from) != PAGE_INNER) {
        memcpy(to, from, OLTP_PAGE_SIZE);
        return;
    }
    memcpy(to, from, end);
    memcpy(to + heap, from + heap, OLTP_PAGE_SIZE - heap);
}

static size_t cell_bytes(size_t suffix, const struct oltp_page_item *it, bool leaf)
{
    size_t n = seam_varint_size(suffix) + (suffix > 4 ? suffix - 4 : 0);

    if (!leaf) return n + REF_BYTES;
    return n + seam_varint_size((uint64_t)it->size << 1) + (it->big ? REF_BYTES : it->size);
}

static void cell_write(uint8_t *at, const uint8_t *suffix, size_t n,
                       const struct oltp_page_item *it, bool leaf)
{
    at += seam_put_varint(at, n);
    if (leaf) {
        at += seam_put_varint(at, (uint64_t)it->size << 1 | it->big);
    } else {
        ref_put(at, it->child);
        at += REF_BYTES;
    }
    if (n > 4) {
        memcpy(at, suffix + 4, n - 4);
        at += n - 4;
    }
    if (!leaf) return;
    if (it->big)
        ref_put(at, it->child);
    else if (it->size > 0)
        memcpy(at, it->value, it->size);
}

/* Opens a gap at `at` in both arrays and writes head and slot. */
static void arrays_insert(uint8_t *p, unsigned at, uint32_t head, unsigned offset)
{
    unsigned n = page_count(p);
    uint8_t *heads = p + page_heads_at(p);
    uint8_t *slots = heads + 4 * (size_t)n;

    memmove(slots + 4 + 2 * (size_t)(at + 1), slots + 2 * (size_t)at, 2 * (size_t)(n - at));
    memmove(slots + 4, slots, 2 * (size_t)at);
    memmove(heads + 4 * (size_t)(at + 1), heads + 4 * (size_t)at, 4 * (size_t)(n - at));
    seam_put_u32(heads + 4 * (size_t)at, head);
    seam_put_u16(slots + 4 + 2 * (size_t)at, (uint16_t)offset);
    seam_put_u16(p + PAGE_COUNT, (uint16_t)(n + 1));
}

static void arrays_remove(uint8_t *p, unsigned at)
{
    unsigned n = page_count(p);
    uint8_t *heads = p + page_heads_at(p);
    uint8_t *slots = heads + 4 * (size_t)n;

    memmove(heads + 4 * (size_t)at, heads + 4 * (size_t)(at + 1), 4 * (size_t)(n - at - 1));
    memmove(slots - 4, slots, 2 * (size_t)at);
    memmove(slots - 4 + 2 * (size_t)at, slots + 2 * (size_t)(at + 1), 2 * (size_t)(n - at - 1));
    seam_put_u16(p + PAGE_COUNT, (uint16_t)(n - 1));
}

/* Moves the cells together at the end of the page, in key order. */
static void page_tidy(uint8_t *p, uint8_t *tmp)
{
    unsigned n = page_count(p), heap = OLTP_PAGE_SIZE, low = page_heap(p);
    uint8_t *slots = p + page_heads_at(p) + 4 * (size_t)n;

    memcpy(tmp + low, p + low, OLTP_PAGE_SIZE - low);
    for (unsigned i = n; i-- > 0;) {
        unsigned from = seam_get_u16(slots + 2 * (size_t)i);
        struct oltp_cell c = page_cell_at(tmp, from, page_kind(p) == PAGE_LEAF);

        heap -= c.bytes;
        memcpy(p + heap, tmp + from, c.bytes);
        seam_put_u16(slots + 2 * (size_t)i, (uint16_t)heap);
    }
    seam_put_u16(p + PAGE_HEAP, (uint16_t)heap);
    seam_put_u16(p + PAGE_GARBAGE, 0);
}

static bool insert_sharing_prefix(uint8_t *p, unsigned at, const struct oltp_page_item *it,
                                  uint8_t *tmp)
{
    bool leaf = page_kind(p) == PAGE_LEAF;
    unsigned prefix = page_prefix(p), heap;
    const uint8_t *suffix = it->key + prefix;
    size_t n = it->key_size - prefix, bytes = cell_bytes(n, it, leaf);

    assert(at <= page_count(p));
    if (bytes + SLOT_COST > page_free(p)) return false;
    if (bytes + SLOT_COST > page_heap(p) - page_arrays_end(p)) page_tidy(p, tmp);
    heap = page_heap(p) - (unsigned)bytes;
    cell_write(p + heap, suffix, n, it, leaf);
    arrays_insert(p, at, key_head(suffix, n), heap);
    seam_put_u16(p + PAGE_HEAP, (uint16_t)heap);
    return true;
}

static size_t common_prefix(const uint8_t *a, size_t na, const uint8_t *b, size_t nb)
{
    size_t n = na < nb ? na : nb, i = 0;

    while (i < n && a[i] == b[i]) i++;
    return i;
}

/* Writes the page again under another prefix, which all of its keys must have. False: it does not fit. */
static bool page_change_prefix(uint8_t *p, const uint8_t *prefix, size_t size, uint8_t *tmp)
{
    unsigned n = page_count(p);
    uint8_t key[OLTP_KEY_MAX];
    struct oltp_page_item it = {0};

    oltp_page_init(tmp, page_kind(p), page_level(p), page_id(p), page_tree(p), page_epoch(p),
                   prefix, size);
    page_set_link(tmp, page_link(p));
    for (unsigned i = 0; i < n; i++) {
        struct oltp_cell c = page_cell(p, i);

        it.key = key;
        it.key_size = (uint16_t)oltp_page_key(p, i, key);
        it.value = c.value;
        it.size = c.size;
        it.child = c.child;
        it.big = c.big;
        if (!insert_sharing_prefix(tmp, i, &it, NULL)) return false;
    }
    memcpy(p, tmp, OLTP_PAGE_SIZE);
    return true;
}

static bool page_shorten_prefix(uint8_t *p, size_t keep, uint8_t *tmp)
{
    unsigned n = page_count(p), grown = page_prefix(p) - (unsigned)keep;
    uint8_t prefix[OLTP_KEY_MAX];

    assert(keep < page_prefix(p));
    if (page_free(p) + ((page_prefix(p) + 3u) & ~3u) <
        ((keep + 3u) & ~3u) + (size_t)n * (grown + 1))
        return false; /* each cell may grow by `grown` bytes and its length by one */
    memcpy(prefix, p + PAGE_HEADER_SIZE, keep);
    return page_change_prefix(p, prefix, keep, tmp);
}

/* A page that grows from nothing knows its prefix only after some keys. Without one all heads of, say, a page of
 * small integers would be equal, and the search would have to look at cells. */
static void page_find_prefix(uint8_t *p, uint8_t *tmp)
{
    unsigned n = page_count(p);
    uint8_t first[OLTP_KEY_MAX], last[OLTP_KEY_MAX];
    size_t size = oltp_page_key(p, 0, first),
           common = common_prefix(first, size, last, oltp_page_key(p, n - 1, last));

    for (unsigned i = 0; i < n && size < common + 4; i++)
        if (page_prefix(p) + (size_t)page_cell(p, i).suffix > size)
            size = page_prefix(p) + (size_t)page_cell(p, i).suffix;
    if (size < common + 4) common = size > 4 ? size - 4 : 0;
    if (common > page_prefix(p) && !page_change_prefix(p, first, common, tmp))
        assert(!"a longer prefix takes less room");
}

bool oltp_page_insert(uint8_t *p, unsigned at, const struct oltp_page_item *it, uint8_t *tmp)
{
    unsigned prefix = page_prefix(p);

    assert(it->key_size <= OLTP_KEY_MAX);
    if (prefix > 0 &&
        (it->key_size < prefix || compare_prefix(p, prefix, it->key, it->key_size) != 0)) {
        size_t common = common_prefix(p + PAGE_HEADER_SIZE, prefix, it->key, it->key_size);

        if (common < prefix && page_count(p) == 0) { /* nothing depends on it */
            struct oltp_ref link = page_link(p);

            oltp_page_init(p, page_kind(p), page_level(p), page_id(p), page_tree(p), page_epoch(p),
                           NULL, 0);
            page_set_link(p, link);
        } else if (common < prefix && !page_shorten_prefix(p, common, tmp)) {
            return false;
        }
    }
    if (!insert_sharing_prefix(p, at, it, tmp)) return false;
    if (seam_unlikely((page_count(p) & (page_count(p) - 1)) == 0 && page_count(p) >= PREFIX_AFTER))
        page_find_prefix(p, tmp);
    return true;
}

void oltp_page_remove(uint8_t *p, unsigned at)
{
    struct oltp_cell c = page_cell(p, at);
    unsigned offset = page_slot(p, at);

    assert(at < page_count(p));
    if (offset == page_heap(p))
        seam_put_u16(p + PAGE_HEAP, (uint16_t)(offset + c.bytes));
    else
        seam_put_u16(p + PAGE_GARBAGE, (uint16_t)(page_garbage(p) + c.bytes));
    arrays_remove(p, at);
    if (page_count(p) == 0) {
        seam_put_u16(p + PAGE_HEAP, OLTP_PAGE_SIZE);
        seam_put_u16(p + PAGE_GARBAGE, 0);
    }
}

bool oltp_page_replace(uint8_t *p, unsigned at, const struct oltp_page_item *it, uint8_t *tmp)
{
    struct oltp_cell c = page_cell(p, at);
    unsigned offset = page_slot(p, at), prefix = page_prefix(p);
    const uint8_t *suffix = it->key + prefix;
    size_t n = it->key_size - prefix, bytes = cell_bytes(n, it, true);

    assert(page_kind(p) == PAGE_LEAF && n == c.suffix);
    if (bytes <= c.bytes) {
        cell_write(p + offset, suffix, n, it, true);
        seam_put_u16(p + PAGE_GARBAGE, (uint16_t)(page_garbage(p) + c.bytes - bytes));
        return true;
    }
    if (bytes > page_free(p) + c.bytes) return false;
    oltp_page_remove(p, at);
    if (!insert_sharing_prefix(p, at, it, tmp)) assert(!"the freed cell made room");
    return true;
}

void oltp_page_set_child(uint8_t *p, unsigned i, struct oltp_ref child)
{
    uint32_t suffix;

    assert(page_kind(p) == PAGE_INNER);
    if (i == 0) {
        page_set_link(p, child);
    } else {
        uint8_t *cell = p + page_slot(p, i - 1);

        ref_put(cell + (cell_varint(cell, &suffix) - cell), child);
    }
}

bool oltp_page_fill(uint8_t *p, const struct oltp_page_item *items, unsigned count)
{
    bool leaf = page_kind(p) == PAGE_LEAF;
    unsigned prefix = page_prefix(p), heap = page_heap(p), at = page_heads_at(p);
    uint8_t *slots = p + at + 4 * (size_t)count;

    assert(page_count(p) == 0);
    if (at + SLOT_COST * (size_t)count > OLTP_PAGE_SIZE) return false;
    for (unsigned i = count; i-- > 0;) { /* from the end, so that a scan walks upwards */
        const uint8_t *suffix = items[i].key + prefix;
        size_t n = items[i].key_size - prefix, bytes = cell_bytes(n, &items[i], leaf);

        if (at + SLOT_COST * (size_t)count + bytes > heap) return false;
        heap -= (unsigned)bytes;
        cell_write(p + heap, suffix, n, &items[i], leaf);
        seam_put_u32(p + at + 4 * (size_t)i, key_head(suffix, n));
        seam_put_u16(slots + 2 * (size_t)i, (uint16_t)heap);
    }
    seam_put_u16(p + PAGE_COUNT, (uint16_t)count);
    seam_put_u16(p + PAGE_HEAP, (uint16_t)heap);
    return true;
}

size_t oltp_page_items_bytes(const uint8_t *p)
{
    size_t bytes = 0, prefix = page_prefix(p);

    for (unsigned i = 0; i < page_count(p); i++) bytes += prefix + page_cell(p, i).suffix;
    return bytes;
}

unsigned oltp_page_items(const uint8_t *p, struct oltp_page_item *items, uint8_t *keys)
{
    unsigned n = page_count(p);

    for (unsigned i = 0; i < n; i++) {
        struct oltp_cell c = page_cell(p, i);

        items[i] = (struct oltp_page_item){.key = keys,
                                           .key_size = (uint16_t)oltp_page_key(p, i, keys),
                                           .value = c.value,
                                           .size = c.size,
                                           .child = c.child,
                                           .big = c.big};
        keys += items[i].key_size;
    }
    return n;
}

size_t oltp_page_items_prefix(const struct oltp_page_item *items, unsigned count)
{
    const struct oltp_page_item *first = &items[0], *last = &items[count - 1];
    size_t common, longest = 0;

    if (count == 0) return 0;
    common = common_prefix(first->key, first->key_size, last->key, last->key_size);
    for (unsigned i = 0; i < count && longest < common + 4; i++)
        if (items[i].key_size > longest) longest = items[i].key_size;
    /* Four bytes are in the head anyhow: a longer prefix would save nothing and bind later keys. */
    if (longest < common + 4) common = longest > 4 ? longest - 4 : 0;
    return common;
}

size_t oltp_page_items_cost(const struct oltp_page_item *items, unsigned count, bool leaf)
{
    size_t prefix = oltp_page_items_prefix(items, count), cost = (prefix + 3) & ~(size_t)3;

    for (unsigned i = 0; i < count; i++)
        cost += SLOT_COST + cell_bytes(items[i].key_size - prefix, &items[i], leaf);
    return cost;
}

/* ---- disk ------------------------------------------------------------------------------------------ */

void oltp_page_seal(uint8_t *p, uint64_t file_id, seam_lsn_t lsn)
{
    seam_put_u64(p + PAGE_FILE_ID, file_id);
    seam_put_u64(p + PAGE_LSN, lsn);
    seam_put_u32(p + PAGE_CRC, seam_crc32c(0, p + PAGE_KIND, OLTP_PAGE_SIZE - PAGE_KIND));
}

/* Format 1 named pages by their number alone: 4 bytes, and `used` stood behind the link. */
struct page_rules {
    unsigned format;
    uint32_t page_limit;
    unsigned ref_bytes;
};

/* Bounded twin of page_cell_at: false when the cell leaves the page. Adds its bytes to *sum. */
static bool cell_inside(const uint8_t *p, unsigned offset, bool leaf, const struct page_rules *r,
                        size_t *sum)
{
    const uint8_t *b = p + offset, *end = p + OLTP_PAGE_SIZE;
    uint64_t suffix, size = 0;
    size_t rest;

    if (!seam_get_varint(&b, end, &suffix) || suffix + page_prefix(p) > OLTP_KEY_MAX) return false;
    if (leaf && (!seam_get_varint(&b, end, &size) || size >> 1 > OLTP_ROW_MAX)) return false;
    rest = suffix > 4 ? (size_t)suffix - 4 : 0;
    if (!leaf || size & 1) {
        const uint8_t *link = leaf ? b + rest : b;
        uint32_t child;

        if ((size_t)(end - b) < rest + r->ref_bytes) return false;
        child = seam_get_u32(link);
        *sum += (size_t)(b - (p + offset)) + rest + r->ref_bytes;
        return child >= 2 && child < r->page_limit;
    }
    *sum += (size_t)(b - (p + offset)) + rest + (size_t)(size >> 1);
    return (size_t)(end - b) >= rest + (size_t)(size >> 1);
}

static const char *page_faulty(const uint8_t *p, const struct page_rules *r)
{
    unsigned kind = page_kind(p), n = page_count(p), heap = page_heap(p);
    bool leaf = kind == PAGE_LEAF;
    uint32_t link = page_link(p).page;
    size_t cells = 0;

    if (kind == PAGE_OVERFLOW || kind == PAGE_BLOB) {
        if ((r->format == 1 ? oltp_format1_used(p) : page_used(p)) > PAGE_BODY)
            return "more payload than a page holds";
        return link == 0 || (link >= 2 && link < r->page_limit) ? NULL
                                                                : "the next page does not exist";
    }
    if (kind != PAGE_LEAF && kind != PAGE_INNER) return "unknown kind of page";
    if (leaf != (page_level(p) == 0)) return "level and kind disagree";
    if (page_prefix(p) > OLTP_KEY_MAX) return "prefix too long";
    if (heap > OLTP_PAGE_SIZE || page_arrays_end(p) > heap) return "arrays run into the cells";
    if (page_garbage(p) > OLTP_PAGE_SIZE - heap) return "more garbage than heap";
    if (!leaf && (link < 2 || link >= r->page_limit)) return "the leftmost child does not exist";
    for (unsigned i = 0; i < n; i++) {
        unsigned at = page_slot(p, i);

        if (at < heap || at >= OLTP_PAGE_SIZE || !cell_inside(p, at, leaf, r, &cells))
            return "a cell leaves the page or names a page that does not exist";
        if (i > 0 && page_head(p, i - 1) > page_head(p, i)) return "keys out of order";
    }
    /* Room is counted from these: were they wrong, an insert would write over cells. */
    if (cells + page_garbage(p) != OLTP_PAGE_SIZE - heap) return "cells and garbage do not add up";
    return NULL;
}

static enum seam_status check_by(const struct page_rules *r, const uint8_t *p, uint64_t file_id,
                                 uint32_t id, const char *path, struct seam_fault *f)
{
    uint64_t at = (uint64_t)id * OLTP_PAGE_SIZE;
    uint32_t crc = seam_crc32c(0, p + PAGE_KIND, OLTP_PAGE_SIZE - PAGE_KIND);
    const char *why;

    if (seam_get_u32(p + PAGE_CRC) != crc)
        return seam_fault_set(f, SEAM_CORRUPT, path, at, "page %u: checksum %08x, computed %08x",
                              id, seam_get_u32(p + PAGE_CRC), crc);
    if (seam_get_u64(p + PAGE_FILE_ID) != file_id)
        return seam_fault_set(f, SEAM_CORRUPT, path, at, "page %u belongs to another file", id);
    if (page_id(p) != id)
        return seam_fault_set(f, SEAM_CORRUPT, path, at, "page %u is here, where page %u belongs",
                              page_id(p), id);
    why = page_faulty(p, r);
    if (why != NULL) return seam_fault_set(f, SEAM_CORRUPT, path, at, "page %u: %s", id, why);
    return SEAM_OK;
}

enum seam_status oltp_page_check(const uint8_t *p, uint64_t file_id, uint32_t id,
                                 uint32_t page_limit, const char *path, struct seam_fault *f)
{
    const struct page_rules rules = {.format = 2, .page_limit = page_limit, .ref_bytes = REF_BYTES};

    return check_by(&rules, p, file_id, id, path, f);
}

enum seam_status oltp_format1_check(const uint8_t *p, uint64_t file_id, uint32_t id,
                                    uint32_t page_limit, const char *path, struct seam_fault *f)
{
    const struct page_rules rules = {.format = 1, .page_limit = page_limit, .ref_bytes = 4};

    return check_by(&rules, p, file_id, id, path, f);
}
