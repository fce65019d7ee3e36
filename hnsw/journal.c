/* journal - a batch's records to bytes and back, and the torn one at the end. */
#include "hnsw/journal.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/crc32c.h"
#include "engine/base/walk.h"

enum { BATCH_MAGIC = 0x424a4e48, FLAG_RETRAINED = 1 }; /* "HNJB" */
/* A batch's head. */
enum {
    AT_MAGIC = 0,
    AT_CRC = 4,
    AT_SIZE = 8,
    AT_NUMBER = 16,
    AT_LSN = 24,
    AT_WALL = 32,
    AT_FIRST = 40,
    AT_NODES = 44,
    AT_DEATHS = 48,
    AT_LISTS = 52,
    AT_ENTRY = 56,
};

const struct seam_filehead_format hnsw_journal_format = {
    .magic = "SEAMHNSJ",
    .version = 2,
    .name = "a journal of a vector index",
    .way_out = "the index is derived from the source: `seam rebuild DIR vectors` makes it again"};

/* ---- encoding ---- */
static void put_params(const struct hnsw *h, struct seam_buf *out)
{
    float scale = h->quant.scale;
    uint32_t bits;
    assert(h->quant.trained);

    memcpy(&bits, &scale, 4);
    seam_buf_u32(out, h->quant.lossless);
    seam_buf_u32(out, bits);
    seam_buf_u64(out, h->quant.trained_on);
    seam_buf_append(out, h->quant.offset, h->o.dim * sizeof(float));
}

static void put_node(const struct hnsw *h, uint32_t i, struct seam_buf *out)
{
    const struct hnsw_node *n = node_at(h, i);
    assert(i < h->count);
    assert(n->level <= HNSW_LEVEL_MAX);

    seam_buf_u64(out, n->key);
    seam_buf_u64(out, n->birth);
    seam_buf_u32(out, n->level);
    if (h->quant.lossless)
        seam_buf_append(out, code_at(h, i), h->o.dim);
    else
        seam_buf_append(out, vec_at(h, i), h->o.dim * sizeof(float));
}

static uint32_t put_lists(const struct hnsw *h, uint32_t i, struct seam_buf *out)
{
    unsigned level = node_at(h, i)->level;
    assert(level <= HNSW_LEVEL_MAX);

    for (unsigned l = 0; l <= level; l++) {
        const uint32_t *list = list_at(h, i, l);
        uint32_t n = list_count(list, list_max(h, l));

        assert(n <= list_max(h, l));
        seam_buf_u32(out, i);
        seam_buf_u16(out, (uint16_t)l);
        seam_buf_u16(out, (uint16_t)n);
        seam_buf_append(out, list, n * sizeof *list);
    }
    return level + 1;
}

static uint32_t put_dirty_lists(const struct hnsw *h, struct seam_buf *out)
{
    uint32_t lists = 0;
    assert(h->dirty_cap % DIRTY_PAGE == 0);

    /* A graph that was just opened and only lost nodes has no flags yet. */
    for (uint32_t page = 0; page * DIRTY_PAGE < h->count && page < h->dirty_cap / DIRTY_PAGE;
         page++) {
        uint32_t end = (page + 1) * DIRTY_PAGE < h->count ? (page + 1) * DIRTY_PAGE : h->count;

        if (!h->dirty_page[page]) continue;
        for (uint32_t i = page * DIRTY_PAGE; i < end; i++)
            if (h->dirty[i]) lists += put_lists(h, i, out);
    }
    return lists;
}

enum seam_status hnsw_batch_encode(const struct hnsw *h, uint64_t seq, uint64_t number,
                                   seam_lsn_t applied_lsn, int64_t wall_us, struct seam_buf *out,
                                   struct seam_fault *f)
{
    uint32_t lists;
    assert(h->published <= h->count);
    assert(h->death_count <= h->death_cap);
    assert(applied_lsn >= h->applied_lsn);

    seam_buf_clear(out);
    seam_buf_extend(out, BATCH_HEADER);
    seam_buf_u32(out, h->requantized ? FLAG_RETRAINED : 0);
    if (h->requantized) put_params(h, out);
    for (uint32_t i = h->published; i < h->count; i++) put_node(h, i, out);
    for (size_t i = 0; i < h->death_count; i++) {
        seam_buf_u32(out, h->deaths[i]);
        seam_buf_u64(out, node_at(h, h->deaths[i])->death);
    }
    lists = put_dirty_lists(h, out);
    if (!seam_buf_ok(out)) return seam_no_memory(f, "a batch of the journal");
    memset(out->data, 0, BATCH_HEADER);
    seam_put_u32(out->data + AT_MAGIC, BATCH_MAGIC);
    seam_put_u64(out->data + AT_SIZE, out->size - BATCH_HEADER);
    seam_put_u64(out->data + AT_NUMBER, number);
    seam_put_u64(out->data + AT_LSN, applied_lsn);
    seam_put_u64(out->data + AT_WALL, (uint64_t)wall_us);
    seam_put_u32(out->data + AT_FIRST, h->published);
    seam_put_u32(out->data + AT_NODES, h->count - h->published);
    seam_put_u32(out->data + AT_DEATHS, (uint32_t)h->death_count);
    seam_put_u32(out->data + AT_LISTS, lists);
    seam_put_u64(out->data + AT_ENTRY, h->entry);
    hnsw_batch_seal(out->data, out->size, seq);
    return SEAM_OK;
}

uint64_t hnsw_batch_payload_size(const uint8_t *batch)
{
    return seam_get_u64(batch + AT_SIZE);
}

void hnsw_batch_seal(uint8_t *batch, size_t n, uint64_t seq)
{
    assert(n >= BATCH_HEADER);
    seam_put_u32(batch + AT_CRC, seam_crc32c((uint32_t)seq, batch + AT_SIZE, n - AT_SIZE));
}

void hnsw_batch_done(struct hnsw *h)
{
    assert(h->published <= h->count);
    h->published = h->count;
    h->death_count = 0;
    h->requantized = h->wants_base = false;
    for (size_t page = 0; page < h->dirty_cap / DIRTY_PAGE; page++) {
        if (!h->dirty_page[page]) continue;
        h->dirty_page[page] = 0;
        memset(h->dirty + page * DIRTY_PAGE, 0, DIRTY_PAGE);
    }
    assert(h->death_count == 0 && !h->requantized);
}

/* ---- reading ---- */
enum seam_status hnsw_batch_head_read(const uint8_t *p, size_t n,
                                      const struct hnsw_batch_place *place,
                                      struct hnsw_batch_head *out, struct seam_fault *f)
{
    assert(p != NULL || n == 0);
    if (n < BATCH_HEADER) return SEAM_END;
    *out = (struct hnsw_batch_head){.size = seam_get_u64(p + AT_SIZE),
                                    .number = seam_get_u64(p + AT_NUMBER),
                                    .entry = seam_get_u64(p + AT_ENTRY),
                                    .applied_lsn = seam_get_u64(p + AT_LSN),
                                    .wall_us = (int64_t)seam_get_u64(p + AT_WALL),
                                    .first = seam_get_u32(p + AT_FIRST),
                                    .nodes = seam_get_u32(p + AT_NODES),
                                    .deaths = seam_get_u32(p + AT_DEATHS),
                                    .lists = seam_get_u32(p + AT_LISTS),
                                    .crc = seam_get_u32(p + AT_CRC)};
    if (seam_get_u32(p + AT_MAGIC) != BATCH_MAGIC || out->size > n - BATCH_HEADER ||
        out->crc != seam_crc32c((uint32_t)place->seq, p + AT_SIZE,
                                (size_t)(BATCH_HEADER + out->size - AT_SIZE)))
        return SEAM_END;
    if (out->number != place->number)
        return seam_fault_set(f, SEAM_CORRUPT, place->path, place->at + AT_NUMBER,
                              "batch %" PRIu64 " where batch %" PRIu64 " must be", out->number,
                              place->number);
    return SEAM_OK;
}

/* The payload, cut into its parts. Node and death records have fixed sizes, lists are walked.         */
struct parts {
    bool retrained, lossless;
    float scale;
    uint64_t trained_on;
    const uint8_t *offset, *nodes, *deaths, *lists;
    size_t node_size, lists_size;
    uint64_t upper; /* slots the new nodes need */
    uint64_t at;    /* file offset of the payload, for faults */
    const uint8_t *payload;
};

static unsigned new_level(const struct parts *p, uint32_t i)
{
    SEAM_WALK(p->nodes != NULL);
    return seam_get_u32(p->nodes + (size_t)i * p->node_size + 16);
}

static unsigned level_after(const struct hnsw *h, const struct hnsw_batch_head *b,
                            const struct parts *p, uint32_t i)
{
    SEAM_WALK(i < b->first + b->nodes);
    return i < b->first ? node_at(h, i)->level : new_level(p, i - b->first);
}

static enum seam_status bad(const struct parts *p, const uint8_t *where, const char *path,
                            struct seam_fault *f, const char *what)
{
    assert(where >= p->payload);
    assert(what != NULL);
    return seam_fault_set(f, SEAM_CORRUPT, path, p->at + (uint64_t)(where - p->payload), "%s",
                          what);
}

static enum seam_status cut(const struct hnsw *h, const struct hnsw_batch_head *b,
                            const uint8_t *payload, uint64_t at, const char *path, struct parts *p,
                            struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(payload, (size_t)b->size);
    uint32_t flags = seam_read_u32(&r);
    uint32_t bits;
    assert(payload != NULL || b->size == 0);

    *p = (struct parts){.lossless = h->quant.lossless, .at = at, .payload = payload};
    p->retrained = (flags & FLAG_RETRAINED) != 0;
    if (p->retrained) {
        p->lossless = seam_read_u32(&r) != 0;
        bits = seam_read_u32(&r);
        memcpy(&p->scale, &bits, 4);
        p->trained_on = seam_read_u64(&r);
        p->offset = seam_read_bytes(&r, h->o.dim * 4);
    }
    p->node_size = 20 + (p->lossless ? h->o.dim : h->o.dim * 4u);
    p->nodes = seam_read_bytes(&r, (size_t)b->nodes * p->node_size);
    p->deaths = seam_read_bytes(&r, (size_t)b->deaths * 12);
    p->lists_size = seam_reader_left(&r);
    p->lists = seam_read_bytes(&r, p->lists_size);
    assert(p->node_size >= 20);
    if (r.bad || (flags & ~(uint32_t)FLAG_RETRAINED) != 0)
        return seam_fault_set(f, SEAM_CORRUPT, path, at,
                              "the batch is shorter than its counts say");
    return SEAM_OK;
}

static enum seam_status check_params(const struct hnsw *h, const struct parts *p, const char *path,
                                     struct seam_fault *f)
{
    assert(h->quant.offset != NULL);
    if (!p->retrained) return SEAM_OK;
    if (h->o.quant != HNSW_I8 || !isfinite(p->scale) || p->scale <= 0 ||
        (p->lossless && (h->o.metric != HNSW_L2 || p->scale != 1)))
        return bad(p, p->payload, path, f, "the codes' parameters are impossible");
    for (uint32_t d = 0; d < h->o.dim; d++)
        if (!isfinite(seam_get_f32(p->offset + d * 4)) ||
            (p->lossless && seam_get_f32(p->offset + d * 4) != 0))
            return bad(p, p->offset + d * 4, path, f, "an offset of the codes is impossible");
    return SEAM_OK;
}

static enum seam_status check_nodes(const struct hnsw *h, const struct hnsw_batch_head *b,
                                    struct parts *p, const char *path, struct seam_fault *f)
{
    uint64_t total = (uint64_t)b->first + b->nodes;
    assert(p->upper == 0);

    if (b->first != h->count || total > HNSW_NODES_MAX)
        return bad(p, p->payload, path, f, "the batch does not continue the nodes before it");
    for (uint32_t i = 0; i < b->nodes; i++) {
        const uint8_t *n = p->nodes + (size_t)i * p->node_size;

        if (new_level(p, i) > HNSW_LEVEL_MAX || seam_get_u64(n + 8) > b->applied_lsn)
            return bad(p, n, path, f, "a new node's level or birth is impossible");
        p->upper += new_level(p, i);
    }
    for (uint32_t i = 0; i < b->deaths; i++) {
        const uint8_t *d = p->deaths + (size_t)i * 12;
        uint32_t node = seam_get_u32(d);
        seam_lsn_t lsn = seam_get_u64(d + 4);

        if (node >= total || lsn > b->applied_lsn ||
            (node < b->first &&
             (node_at(h, node)->death != SEAM_LSN_MAX || node_at(h, node)->birth > lsn)))
            return bad(p, d, path, f, "a death is impossible");
    }
    if (total == 0 ? b->entry != ENTRY_NONE
                   : (uint32_t)b->entry >= total ||
                         level_after(h, b, p, (uint32_t)b->entry) != b->entry >> 32)
        return bad(p, p->payload, path, f, "the entry point is impossible");
    return SEAM_OK;
}

static enum seam_status check_lists(const struct hnsw *h, const struct hnsw_batch_head *b,
                                    const struct parts *p, const char *path, struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(p->lists, p->lists_size);
    uint32_t total = b->first + b->nodes;
    assert(b->first == h->count);

    for (uint32_t i = 0; i < b->lists; i++) {
        const uint8_t *where = r.pos;
        uint32_t node = seam_read_u32(&r), level = seam_read_u16(&r), n = seam_read_u16(&r);
        const uint8_t *links = seam_read_bytes(&r, n * 4u);

        if (r.bad || node >= total || level > level_after(h, b, p, node) || n > list_max(h, level))
            return bad(p, where, path, f, "a link list is impossible");
        for (uint32_t j = 0; j < n; j++) {
            uint32_t to = seam_get_u32(links + j * 4);

            if (to >= total || to == node || level_after(h, b, p, to) < level)
                return bad(p, links + j * 4, path, f, "a link leads nowhere");
        }
    }
    if (seam_reader_left(&r) != 0) return bad(p, r.pos, path, f, "bytes after the last list");
    return SEAM_OK;
}

/* ---- applying ---- */
static enum seam_status apply_params(struct hnsw *h, const struct parts *p, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    if (!p->retrained) return SEAM_OK;
    if (h->quant.lossless) st = hnsw_quant_unlossless(h, f);
    if (st != SEAM_OK) return st;
    assert(!h->quant.lossless);
    memcpy(h->quant.offset, p->offset, h->o.dim * sizeof(float));
    h->quant.scale = p->scale;
    h->quant.trained_on = p->trained_on;
    h->quant.trained = true;
    st = hnsw_quant_encode_all(h, f);
    h->quant.lossless = p->lossless;
    if (p->lossless) hnsw_blocks_free(&h->vecs);
    return st;
}

static enum seam_status apply_nodes(struct hnsw *h, const struct hnsw_batch_head *b,
                                    const struct parts *p, struct seam_fault *f)
{
    float *vec = calloc(h->floats, sizeof *vec);
    assert(b->first == h->count);

    if (vec == NULL) return seam_no_memory(f, "a vector");
    for (uint32_t i = 0; i < b->nodes; i++) {
        const uint8_t *n = p->nodes + (size_t)i * p->node_size;

        for (uint32_t d = 0; d < h->o.dim; d++)
            vec[d] = p->lossless ? (float)n[20 + d] : seam_get_f32(n + 20 + d * 4);
        hnsw_graph_append(h, seam_get_u64(n), seam_get_u64(n + 8), seam_get_u32(n + 16), vec);
    }
    assert(h->count == b->first + b->nodes);
    free(vec);
    return SEAM_OK;
}

static enum seam_status apply_deaths(struct hnsw *h, const struct hnsw_batch_head *b,
                                     const struct parts *p, const char *path, struct seam_fault *f)
{
    assert(h->count == b->first + b->nodes);
    for (uint32_t i = 0; i < b->deaths; i++) {
        const uint8_t *d = p->deaths + (size_t)i * 12;
        struct hnsw_node *n = hnsw_blocks_writable(&h->nodes, seam_get_u32(d));

        if (n == NULL) return seam_no_memory(f, "a deletion");
        if (n->death != SEAM_LSN_MAX || n->birth > seam_get_u64(d + 4))
            return bad(p, d, path, f, "a node dies twice or before its birth");
        hnsw_graph_kill(h, seam_get_u32(d), seam_get_u64(d + 4));
    }
    return SEAM_OK;
}

static enum seam_status apply_lists(struct hnsw *h, const struct hnsw_batch_head *b,
                                    const struct parts *p, struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(p->lists, p->lists_size);

    for (uint32_t i = 0; i < b->lists; i++) {
        uint32_t node = seam_read_u32(&r), level = seam_read_u16(&r), n = seam_read_u16(&r);
        const uint8_t *links = seam_read_bytes(&r, n * 4u);
        uint32_t *list = level == 0
                             ? hnsw_blocks_writable(&h->links0, node)
                             : hnsw_blocks_writable(&h->upper, node_at(h, node)->upper + level - 1);

        if (list == NULL) return seam_no_memory(f, "links");
        assert(n <= list_max(h, level));
        memcpy(list, links, n * 4u);
        for (uint32_t j = n; j < list_max(h, level); j++) list[j] = LINK_NONE;
    }
    return SEAM_OK;
}

enum seam_status hnsw_batch_apply(struct hnsw *h, const struct hnsw_batch_head *b,
                                  const uint8_t *payload, uint64_t at, const char *path,
                                  struct seam_fault *f)
{
    struct parts p;
    enum seam_status st = cut(h, b, payload, at, path, &p, f);

    if (st == SEAM_OK && b->applied_lsn < h->applied_lsn)
        st = bad(&p, payload, path, f, "the applied LSN goes backwards");
    if (st == SEAM_OK) st = check_params(h, &p, path, f);
    if (st == SEAM_OK) st = check_nodes(h, b, &p, path, f);
    if (st == SEAM_OK) st = check_lists(h, b, &p, path, f);
    if (st == SEAM_OK) st = apply_params(h, &p, f);
    if (st == SEAM_OK)
        st = hnsw_graph_reserve_locked(h, (size_t)b->first + b->nodes,
                                       h->upper_count + (size_t)p.upper, f);
    if (st == SEAM_OK) st = apply_nodes(h, b, &p, f);
    if (st == SEAM_OK) st = apply_deaths(h, b, &p, path, f);
    if (st == SEAM_OK) st = apply_lists(h, b, &p, f);
    if (st != SEAM_OK) return st;
    assert(h->count == b->first + b->nodes);
    assert(b->applied_lsn >= h->applied_lsn);
    h->entry = b->entry;
    h->applied_lsn = b->applied_lsn;
    h->wall_us = b->wall_us;
    return SEAM_OK;
}
