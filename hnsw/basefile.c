/* basefile - writes the graph section by section, and maps it back after every check that a search relies on. */
#include "hnsw/basefile.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/crc32c.h"
#include "hnsw/store.h"

enum { FLAG_TRAINED = 1, FLAG_LOSSLESS = 2, FLAG_ORDERED = 4 };

/* The header's own fields, behind the head. */
enum {
    AT_DIM = SEAM_FILEHEAD_BYTES,
    AT_METRIC = 68,
    AT_QUANT = 72,
    AT_M = 76,
    AT_EF_CONSTRUCTION = 80,
    AT_SCALE = 84,
    AT_SEED = 88,
    AT_NODES = 96,
    AT_UPPER = 104,
    AT_DEAD = 112,
    AT_ENTRY = 120,
    AT_FLOOR = 128,
    AT_WALL = 136,
    AT_TRAINED_ON = 144,
    AT_SUMS_CRC = 152,
    AT_CRC = BASE_HEADER - 4,
};

const struct seam_filehead_format hnsw_base_format = {
    .magic = "SEAMHNSW",
    .version = 2,
    .flags = FLAG_TRAINED | FLAG_LOSSLESS | FLAG_ORDERED,
    .name = "a base file of a vector index",
    .way_out = "the index is derived from the source: `seam rebuild DIR vectors` makes it again"};

static uint64_t up(uint64_t n, uint64_t to)
{
    assert(to > 0);
    return (n + to - 1) / to * to;
}

void hnsw_base_layout(const struct hnsw_base_head *b, struct hnsw_base_layout *out)
{
    uint64_t at = BASE_HEADER, floats = up(b->o.dim, 16);
    bool codes = b->trained && b->o.quant == HNSW_I8;
    assert(b->o.dim >= HNSW_DIM_MIN && b->o.dim <= HNSW_DIM_MAX);
    assert(b->o.m <= HNSW_M_MAX);

    out->offsets = at;
    at =
        up(at + (b->trained ? b->o.dim * 4ull : 0) + (b->ordered ? b->o.dim * 2ull : 0), BASE_PAGE);
    out->nodes = at;
    at = up(at + b->nodes * sizeof(struct hnsw_node), BASE_PAGE);
    out->links0 = at;
    at = up(at + b->nodes * up(b->o.m * 8ull, 64), BASE_PAGE);
    out->upper = at;
    at = up(at + b->upper * up(b->o.m * 4ull, 16), BASE_PAGE);
    out->codes = at;
    at = up(at + (codes ? b->nodes * code_stride(b->o.dim) : 0), BASE_PAGE);
    out->vecs = at;
    at = up(at + (b->lossless ? 0 : b->nodes * floats * 4), BASE_PAGE);
    out->sums = at;
    out->sum_count = (at - BASE_HEADER + BASE_CHUNK - 1) / BASE_CHUNK;
    out->end = at + out->sum_count * 4;
    assert(out->end >= out->sums && out->sums % BASE_PAGE == 0);
}

/* ---- the header ---- */
void hnsw_base_head_seal(uint8_t page[BASE_HEADER])
{
    seam_put_u32(page + AT_CRC, seam_crc32c(0, page + AT_DIM, AT_CRC - AT_DIM));
}

static void head_write(const struct hnsw_base_head *b, uint8_t page[BASE_HEADER])
{
    const struct seam_filehead h = {.flags = (b->trained ? FLAG_TRAINED : 0u) |
                                             (b->lossless ? FLAG_LOSSLESS : 0u) |
                                             (b->ordered ? FLAG_ORDERED : 0u),
                                    .owner = b->owner,
                                    .file_id = b->seq,
                                    .lsn = b->applied_lsn};
    assert(b->nodes <= HNSW_NODES_MAX);
    assert(b->dead <= b->nodes);
    assert((b->nodes == 0) == (b->entry == ENTRY_NONE));

    memset(page, 0, BASE_HEADER);
    seam_filehead_encode(&hnsw_base_format, &h, page);
    seam_put_u32(page + AT_DIM, b->o.dim);
    seam_put_u32(page + AT_METRIC, (uint32_t)b->o.metric);
    seam_put_u32(page + AT_QUANT, (uint32_t)b->o.quant);
    seam_put_u32(page + AT_M, b->o.m);
    seam_put_u32(page + AT_EF_CONSTRUCTION, b->o.ef_construction);
    seam_put_f32(page + AT_SCALE, b->scale);
    seam_put_u64(page + AT_SEED, b->o.seed);
    seam_put_u64(page + AT_NODES, b->nodes);
    seam_put_u64(page + AT_UPPER, b->upper);
    seam_put_u64(page + AT_DEAD, b->dead);
    seam_put_u64(page + AT_ENTRY, b->entry);
    seam_put_u64(page + AT_FLOOR, b->floor_lsn);
    seam_put_u64(page + AT_WALL, (uint64_t)b->wall_us);
    seam_put_u64(page + AT_TRAINED_ON, b->trained_on);
    seam_put_u32(page + AT_SUMS_CRC, b->sums_crc);
    hnsw_base_head_seal(page);
}

static enum seam_status head_check(const struct hnsw_base_head *b, const char *path,
                                   struct seam_fault *f)
{
    assert(path != NULL);
    if (hnsw_graph_options_check(&b->o, NULL) != SEAM_OK)
        return seam_fault_set(f, SEAM_CORRUPT, path, AT_DIM,
                              "the header's dimensions, metric or M are impossible");
    if (b->lossless && (!b->trained || b->o.quant != HNSW_I8 || b->o.metric != HNSW_L2))
        return seam_fault_set(f, SEAM_CORRUPT, path, 0, "the header's flags contradict each other");
    if (b->trained && (!isfinite(b->scale) || b->scale <= 0))
        return seam_fault_set(f, SEAM_CORRUPT, path, AT_SCALE,
                              "the scale of the codes is no positive number");
    if (b->nodes > HNSW_NODES_MAX || b->upper > b->nodes * HNSW_LEVEL_MAX || b->dead > b->nodes)
        return seam_fault_set(f, SEAM_CORRUPT, path, AT_NODES,
                              "the header's counts are impossible");
    if (b->nodes == 0 ? b->entry != ENTRY_NONE
                      : (uint32_t)b->entry >= b->nodes || b->entry >> 32 > HNSW_LEVEL_MAX)
        return seam_fault_set(f, SEAM_CORRUPT, path, AT_ENTRY, "the entry point is no node");
    return SEAM_OK;
}

enum seam_status hnsw_base_head_parse(const uint8_t *page, size_t n, const char *path,
                                      struct hnsw_base_head *out, struct seam_fault *f)
{
    struct seam_filehead h;
    enum seam_status st = seam_filehead_decode(&hnsw_base_format, page, n, path, 0, &h, f);
    assert(path != NULL);
    assert(out != NULL);

    if (st != SEAM_OK) return st;
    if (n < BASE_HEADER)
        return seam_fault_set(f, SEAM_CORRUPT, path, n, "the file ends inside its header");
    if (seam_get_u32(page + AT_CRC) != seam_crc32c(0, page + AT_DIM, AT_CRC - AT_DIM))
        return seam_fault_set(f, SEAM_CORRUPT, path, AT_CRC,
                              "the header's checksum does not match");
    *out = (struct hnsw_base_head){
        .o = {.dim = seam_get_u32(page + AT_DIM),
              .metric = (enum hnsw_metric)seam_get_u32(page + AT_METRIC),
              .quant = (enum hnsw_quant)seam_get_u32(page + AT_QUANT),
              .m = seam_get_u32(page + AT_M),
              .ef_construction = seam_get_u32(page + AT_EF_CONSTRUCTION),
              .seed = seam_get_u64(page + AT_SEED)},
        .owner = h.owner,
        .trained = (h.flags & FLAG_TRAINED) != 0,
        .lossless = (h.flags & FLAG_LOSSLESS) != 0,
        .ordered = (h.flags & FLAG_ORDERED) != 0,
        .nodes = seam_get_u64(page + AT_NODES),
        .upper = seam_get_u64(page + AT_UPPER),
        .dead = seam_get_u64(page + AT_DEAD),
        .entry = seam_get_u64(page + AT_ENTRY),
        .applied_lsn = h.lsn,
        .floor_lsn = seam_get_u64(page + AT_FLOOR),
        .wall_us = (int64_t)seam_get_u64(page + AT_WALL),
        .scale = seam_get_f32(page + AT_SCALE),
        .sums_crc = seam_get_u32(page + AT_SUMS_CRC),
        .trained_on = seam_get_u64(page + AT_TRAINED_ON),
        .seq = h.file_id,
    };
    return head_check(out, path, f);
}

/* ---- writing: one stream of chunks, each summed as it leaves ---- */
struct out {
    struct seam_file *file;
    uint8_t *chunk;
    size_t used;
    uint64_t at; /* of the chunk in the file */
    struct seam_buf sums;
    struct seam_fault *f;
};

static enum seam_status out_flush(struct out *o)
{
    enum seam_status st;
    assert(o->used <= BASE_CHUNK);
    assert(o->at % BASE_PAGE == 0);

    if (o->used == 0) return SEAM_OK;
    seam_buf_u32(&o->sums, seam_crc32c(0, o->chunk, o->used));
    st = seam_file_write(o->file, o->at, o->chunk, o->used, o->f);
    o->at += o->used;
    o->used = 0;
    return st;
}

static enum seam_status out_bytes(struct out *o, const void *p, size_t n)
{
    const uint8_t *b = p;
    enum seam_status st = SEAM_OK;
    assert(o->used < BASE_CHUNK);
    assert(o->chunk != NULL);

    while (n > 0 && st == SEAM_OK) {
        size_t m = BASE_CHUNK - o->used < n ? BASE_CHUNK - o->used : n;

        if (b != NULL) {
            memcpy(o->chunk + o->used, b, m);
            b += m;
        } else {
            memset(o->chunk + o->used, 0, m);
        }
        o->used += m;
        n -= m;
        if (o->used == BASE_CHUNK) st = out_flush(o);
    }
    return st;
}

static enum seam_status out_pad(struct out *o)
{
    uint64_t at = o->at + o->used;

    assert(up(at, BASE_PAGE) - at < BASE_PAGE);
    return out_bytes(o, NULL, (size_t)(up(at, BASE_PAGE) - at));
}

static enum seam_status out_blocks(struct out *o, const struct hnsw_blocks *b, size_t n)
{
    enum seam_status st = SEAM_OK;
    assert(n <= b->count * BLOCK_NODES || b->stride == 0);
    assert(n == 0 || b->stride != 0);

    for (size_t i = 0; i < n && st == SEAM_OK; i += BLOCK_NODES) {
        size_t m = n - i < BLOCK_NODES ? n - i : (size_t)BLOCK_NODES;

        st = out_bytes(o, b->block[i >> BLOCK_SHIFT], m * b->stride);
    }
    return st == SEAM_OK ? out_pad(o) : st;
}

static enum seam_status write_sections(const struct hnsw *h, struct out *o,
                                       const struct hnsw_base_head *b)
{
    enum seam_status st = SEAM_OK;
    assert(h->count == b->nodes);
    assert(h->upper_count == b->upper);

    if (b->trained) st = out_bytes(o, h->quant.offset, h->o.dim * sizeof(float));
    if (st == SEAM_OK && b->ordered) st = out_bytes(o, h->order, h->o.dim * sizeof *h->order);
    if (st == SEAM_OK) st = out_pad(o);
    if (st == SEAM_OK) st = out_blocks(o, &h->nodes, h->count);
    if (st == SEAM_OK) st = out_blocks(o, &h->links0, h->count);
    if (st == SEAM_OK) st = out_blocks(o, &h->upper, h->upper_count);
    if (st == SEAM_OK && b->trained && h->o.quant == HNSW_I8)
        st = out_blocks(o, &h->codes, h->count);
    if (st == SEAM_OK && !b->lossless) st = out_blocks(o, &h->vecs, h->count);
    return st == SEAM_OK ? out_flush(o) : st;
}

enum seam_status hnsw_base_write(const struct hnsw *h, struct seam_io *io, const char *path,
                                 uint64_t seq, uint64_t *size, struct seam_fault *f)
{
    struct hnsw_base_head b = {.o = h->o,
                               .owner = h->store != NULL ? h->store->state.owner
                                                         : (struct seam_owner){.history = 0},
                               .trained = h->quant.trained,
                               .lossless = h->quant.lossless,
                               .ordered = h->order != NULL,
                               .nodes = h->count,
                               .upper = h->upper_count,
                               .dead = dead_load(h),
                               .entry = h->entry,
                               .trained_on = h->quant.trained_on,
                               .seq = seq,
                               .applied_lsn = h->applied_lsn,
                               .floor_lsn = h->floor_lsn,
                               .wall_us = h->wall_us,
                               .scale = h->quant.scale};
    struct out o = {.at = BASE_HEADER, .f = f};
    struct hnsw_base_layout l;
    uint8_t page[BASE_HEADER];
    enum seam_status st;
    assert(seq > 0);
    assert(h->writer);
    assert(h->published <= h->count);

    hnsw_base_layout(&b, &l);
    o.chunk = malloc(BASE_CHUNK);
    if (o.chunk == NULL) return seam_no_memory(f, "a base file");
    st = seam_file_open(io, path, SEAM_FILE_WRITE | SEAM_FILE_CREATE | SEAM_FILE_TRUNC, &o.file, f);
    if (st == SEAM_OK) st = write_sections(h, &o, &b);
    if (st == SEAM_OK) st = seam_buf_check(&o.sums, f, "a base file's checksums");
    if (st == SEAM_OK) {
        assert(o.at == l.sums && o.sums.size == l.sum_count * 4);
        b.sums_crc = seam_crc32c(0, o.sums.data, o.sums.size);
        head_write(&b, page);
        if (o.sums.size > 0) st = seam_file_write(o.file, l.sums, o.sums.data, o.sums.size, f);
    }
    if (st == SEAM_OK) st = seam_file_write(o.file, 0, page, sizeof page, f);
    if (st == SEAM_OK) st = seam_file_sync(o.file, f);
    seam_file_close(o.file);
    free(o.chunk);
    seam_buf_free(&o.sums);
    *size = l.end;
    return st;
}

/* ---- reading ---- */
bool hnsw_base_sum_matches(const uint8_t *map, const struct hnsw_base_layout *l, uint64_t chunk,
                           uint64_t *at, uint64_t *n)
{
    assert(chunk < l->sum_count);
    *at = BASE_HEADER + chunk * BASE_CHUNK;
    *n = l->sums - *at < BASE_CHUNK ? l->sums - *at : BASE_CHUNK;
    assert(*at < l->sums && *n <= BASE_CHUNK);
    return seam_crc32c(0, map + *at, *n) == seam_get_u32(map + l->sums + chunk * 4);
}

static enum seam_status sums_check(const uint8_t *map, const struct hnsw_base_layout *l,
                                   uint32_t sums_crc, const char *path, struct seam_fault *f)
{
    assert(map != NULL);
    if (seam_crc32c(0, map + l->sums, l->sum_count * 4) != sums_crc)
        return seam_fault_set(f, SEAM_CORRUPT, path, l->sums,
                              "the checksums' own checksum does not match");
    for (uint64_t i = 0; i < l->sum_count; i++) {
        uint64_t at, n;

        if (!hnsw_base_sum_matches(map, l, i, &at, &n))
            return seam_fault_set(f, SEAM_CORRUPT, path, at,
                                  "the checksum of bytes %" PRIu64 " to %" PRIu64 " does not match",
                                  at, at + n);
    }
    return SEAM_OK;
}

static enum seam_status nodes_check(const struct hnsw *h, const struct hnsw_base_head *b,
                                    const struct hnsw_base_layout *l, const char *path,
                                    struct seam_fault *f)
{
    uint64_t dead = 0;
    assert(h->count == b->nodes);

    for (uint32_t i = 0; i < b->nodes; i++) {
        const struct hnsw_node *n = node_at(h, i);

        if (n->level > HNSW_LEVEL_MAX || (uint64_t)n->upper + n->level > b->upper ||
            n->birth > n->death || n->zeros[0] != 0 || n->zeros[1] != 0 || n->zeros[2] != 0)
            return seam_fault_set(f, SEAM_CORRUPT, path, l->nodes + i * sizeof *n,
                                  "node %u is impossible", i);
        dead += n->death != SEAM_LSN_MAX;
    }
    if (dead != b->dead)
        return seam_fault_set(f, SEAM_CORRUPT, path, AT_DEAD,
                              "the header counts %" PRIu64 " dead nodes, there are %" PRIu64,
                              b->dead, dead);
    if (b->nodes > 0 && node_at(h, (uint32_t)b->entry)->level != b->entry >> 32)
        return seam_fault_set(f, SEAM_CORRUPT, path, AT_ENTRY,
                              "the entry point's level is not its node's");
    return SEAM_OK;
}

/* I1 and I2, without the search for duplicates (a duplicate costs time, not truth; verify looks).    */
static enum seam_status links_check(const struct hnsw *h, const struct hnsw_base_head *b,
                                    const struct hnsw_base_layout *l, const char *path,
                                    struct seam_fault *f)
{
    assert(h->count == b->nodes);
    assert(b->nodes <= HNSW_NODES_MAX);
    for (uint32_t i = 0; i < b->nodes; i++) {
        for (unsigned level = 0; level <= node_at(h, i)->level; level++) {
            const uint32_t *list = list_at(h, i, level);
            uint32_t max = list_max(h, level);

            for (uint32_t j = 0; j < max && list[j] != LINK_NONE; j++)
                if (list[j] >= b->nodes || list[j] == i ||
                    (level > 0 && node_at(h, list[j])->level < level))
                    return seam_fault_set(
                        f, SEAM_CORRUPT, path,
                        level == 0
                            ? l->links0 + i * h->links0.stride + j * 4
                            : l->upper + (node_at(h, i)->upper + level - 1ull) * h->upper.stride +
                                  j * 4,
                        "link %u of node %u at level %u leads to node %u, which cannot be", j, i,
                        level, list[j]);
        }
    }
    return SEAM_OK;
}

static enum seam_status take(struct hnsw *h, struct hnsw_blocks *b, const uint8_t *p, size_t n,
                             bool in_place, struct seam_fault *f)
{
    enum seam_status st;
    assert(b->count == 0);
    assert(p != NULL || n == 0);

    if (in_place) {
        h->maps = true;
        return hnsw_blocks_attach(b, p, n, f);
    }
    st = hnsw_blocks_reserve(b, n, f);
    for (size_t i = 0; i < n && st == SEAM_OK; i += BLOCK_NODES) {
        size_t m = n - i < BLOCK_NODES ? n - i : (size_t)BLOCK_NODES;

        memcpy(b->block[i >> BLOCK_SHIFT], p + i * b->stride, m * b->stride);
    }
    return st;
}

/* What is walked is copied into huge pages unless the caller wants everything mapped. What is read only for
 * the results stays mapped: exact vectors beside codes (the rerank), and a reader's nodes while none is dead. */
static enum seam_status take_sections(struct hnsw *h, const uint8_t *map,
                                      const struct hnsw_base_head *b,
                                      const struct hnsw_base_layout *l, struct seam_fault *f)
{
    bool mapped = h->cfg.mapped, codes = b->trained && b->o.quant == HNSW_I8;
    size_t n = (size_t)b->nodes;
    enum seam_status st;
    assert(h->count == 0);
    assert(h->o.dim == b->o.dim);

    h->quant.trained = b->trained;
    h->quant.lossless = b->lossless;
    h->quant.scale = b->scale;
    h->quant.trained_on = b->trained_on;
    if (b->trained) memcpy(h->quant.offset, map + l->offsets, b->o.dim * sizeof(float));
    st = take(h, &h->nodes, map + l->nodes, n, mapped || (!h->writer && b->dead == 0), f);
    if (st == SEAM_OK) st = take(h, &h->links0, map + l->links0, n, mapped, f);
    if (st == SEAM_OK) st = take(h, &h->upper, map + l->upper, (size_t)b->upper, mapped, f);
    if (st == SEAM_OK && codes) st = take(h, &h->codes, map + l->codes, n, mapped, f);
    if (st == SEAM_OK && !codes && h->o.quant == HNSW_I8) st = hnsw_blocks_reserve(&h->codes, n, f);
    if (st == SEAM_OK && !b->lossless) st = take(h, &h->vecs, map + l->vecs, n, mapped || codes, f);
    h->count = h->published = (uint32_t)b->nodes;
    h->upper_count = (uint32_t)b->upper;
    h->dead = (uint32_t)b->dead;
    h->entry = b->entry;
    h->applied_lsn = b->applied_lsn;
    h->floor_lsn = b->floor_lsn;
    h->wall_us = b->wall_us;
    return st;
}

static bool same_shape(const struct hnsw_options *a, const struct hnsw_options *b)
{
    return a->dim == b->dim && a->metric == b->metric && a->quant == b->quant && a->m == b->m &&
           a->ef_construction == b->ef_construction && a->seed == b->seed;
}

/* The order must be a permutation.                                                                  */
static enum seam_status take_order(struct hnsw *h, const uint8_t *p, uint64_t at, const char *path,
                                   struct seam_fault *f)
{
    uint64_t seen[(HNSW_DIM_MAX + 63) / 64] = {0};
    assert(h->order == NULL);

    h->order = malloc(h->o.dim * sizeof *h->order);
    if (h->order == NULL) return seam_no_memory(f, "the dimensions' order");
    memcpy(h->order, p, h->o.dim * sizeof *h->order);
    for (uint32_t d = 0; d < h->o.dim; d++) {
        if (h->order[d] >= h->o.dim || seam_bitset_get(seen, h->order[d]))
            return seam_fault_set(f, SEAM_CORRUPT, path, at + d * 2,
                                  "the dimensions' order is none");
        seam_bitset_set(seen, h->order[d]);
    }
    return SEAM_OK;
}

static enum seam_status offsets_check(const struct hnsw *h, uint64_t at, const char *path,
                                      struct seam_fault *f)
{
    assert(h->quant.offset != NULL);
    for (uint32_t d = 0; h->quant.trained && d < h->o.dim; d++)
        if (!isfinite(h->quant.offset[d]))
            return seam_fault_set(f, SEAM_CORRUPT, path, at + d * 4,
                                  "the offset of dimension %u is no number", d);
    return SEAM_OK;
}

enum seam_status hnsw_base_read(struct hnsw *h, struct seam_io *io, const char *path, uint64_t seq,
                                const uint8_t **map, size_t *map_size, struct seam_fault *f)
{
    const struct seam_filehead_want want = {.platform = h->store->state.owner.platform,
                                            .file_id = &seq};
    struct seam_file *file = NULL;
    struct hnsw_base_head b;
    struct hnsw_base_layout l;
    uint8_t page[BASE_HEADER];
    uint64_t size = 0;
    size_t got = 0;
    enum seam_status st = seam_file_open(io, path, SEAM_FILE_READ, &file, f);
    assert(h->store != NULL);
    assert(map_size != NULL);

    assert(h->count == 0 && *map == NULL);
    if (st == SEAM_OK) st = seam_file_size(file, &size, f);
    if (st == SEAM_OK) st = seam_file_read_some(file, 0, page, sizeof page, &got, f);
    if (st == SEAM_OK) st = hnsw_base_head_parse(page, got, path, &b, f);
    if (st == SEAM_OK)
        st = seam_filehead_check(&hnsw_base_format,
                                 &(struct seam_filehead){.owner = b.owner, .file_id = b.seq}, &want,
                                 path, f);
    if (st == SEAM_OK && !same_shape(&b.o, &h->o))
        st = seam_fault_set(f, SEAM_CORRUPT, path, AT_DIM, "the file belongs to another index");
    if (st == SEAM_OK) {
        hnsw_base_layout(&b, &l);
        if (l.end != size)
            st = seam_fault_set(f, SEAM_CORRUPT, path, size,
                                "the file has %" PRIu64 " bytes, its header says %" PRIu64, size,
                                l.end);
    }
    if (st == SEAM_OK) st = seam_file_map(file, (size_t)size, map, f);
    if (st == SEAM_OK) {
        *map_size = (size_t)size;
        st = sums_check(*map, &l, b.sums_crc, path, f);
    }
    if (st == SEAM_OK) st = take_sections(h, *map, &b, &l, f);
    if (st == SEAM_OK && b.ordered) {
        uint64_t at = l.offsets + (b.trained ? b.o.dim * 4ull : 0);

        st = take_order(h, *map + at, at, path, f);
    }
    if (st == SEAM_OK) st = offsets_check(h, l.offsets, path, f);
    if (st == SEAM_OK) st = nodes_check(h, &b, &l, path, f);
    if (st == SEAM_OK) st = links_check(h, &b, &l, path, f);
    seam_file_close(file);
    return st;
}
