/* basefile - the whole graph in one immutable file, used where it is mapped.
 *
 * Little-endian. Sections begin at multiples of 4,096; what lies between is zero. Where each section lies
 * follows from the header's counts alone, so there is no table to disagree with them.
 *
 *   0                4096
 *   +--------+------+---------+-------+--------+-------+-------+------+------+
 *   | header | zero | OFFSETS | NODES | LINKS0 | UPPER | CODES | VECS | SUMS |
 *   +--------+------+---------+-------+--------+-------+-------+------+------+
 *
 *   off size header field     a reader demands
 *   0   64   head             engine/io/filehead.h: SEAMHNSW, 2; file id: equal to the file's name; lsn: the applied LSN;
 *                             flags bit 0: codes trained; bit 1: lossless (then no VECS); bit 2: ordered
 *   64  4    dim              2..4096
 *   68  4    metric           0 L2, 1 inner product, 2 cosine
 *   72  4    quant            0 float32, 1 8-bit codes
 *   76  4    m                4..64
 *   80  4    ef_construction  1..65536
 *   84  4    scale            float32, of the codes
 *   88  8    seed
 *   96  8    nodes            < 2^31
 *   104 8    upper            upper slots, <= 15 * nodes
 *   112 8    dead             nodes with a death
 *   120 8    entry            level << 32 | node, or 2^64-1 when there are no nodes
 *   128 8    floor_lsn        AS OF below it is refused
 *   136 8    wall_us
 *   144 8    trained_on
 *   152 4    sums_crc         crc32c of SUMS
 *   156 ...  zeros
 *   4092 4   crc              crc32c of bytes [64, 4092)
 *
 *   OFFSETS  dim x f32 where codes are trained, then dim x u16 where ordered: stored dimension d is the
 *            caller's order[d] (each once)
 *   NODES    nodes x 32: key u64, birth u64, death u64, upper u32, level u8, zeros[3]
 *   LINKS0   nodes x (2M x u32 up to 64 bytes), 0xffffffff after the last link
 *   UPPER    upper x (M x u32 up to 16 bytes)
 *   CODES    nodes x ((dim + 8) up to 64)     where codes are trained and quant is 1 (distance.h)
 *   VECS     nodes x (dim up to 16) x f32     unless lossless
 *   SUMS     u32 for each 256 KiB of [4096, SUMS): crc32c                                            */
#ifndef SEAM_HNSW_BASEFILE_H
#define SEAM_HNSW_BASEFILE_H

#include "engine/io/filehead.h"
#include "hnsw/graph.h"

enum { BASE_HEADER = 4096, BASE_PAGE = 4096, BASE_CHUNK = 256 << 10 };
extern const struct seam_filehead_format hnsw_base_format;

struct hnsw_base_layout {
    uint64_t offsets, nodes, links0, upper, codes, vecs, sums,
        end; /* file offsets; equal = empty */
    uint64_t sum_count;
};

struct hnsw_base_head {
    struct hnsw_options o;
    struct seam_owner owner;
    bool trained, lossless, ordered;
    uint64_t nodes, upper, dead, entry, trained_on, seq;
    seam_lsn_t applied_lsn, floor_lsn;
    int64_t wall_us;
    float scale;
    uint32_t sums_crc;
};

void hnsw_base_layout(const struct hnsw_base_head *b, struct hnsw_base_layout *out);
/* From the first n bytes of the file. */
SEAM_MUST_USE enum seam_status hnsw_base_head_parse(const uint8_t *page, size_t n, const char *path,
                                                    struct hnsw_base_head *out,
                                                    struct seam_fault *f);
/* Makes the header's own checksum right: for whoever writes it, and for tests that damage it. */
void hnsw_base_head_seal(uint8_t page[BASE_HEADER]);
/* Whether a chunk has the checksum that SUMS gives it; *at and *n: where it is. */
bool hnsw_base_sum_matches(const uint8_t *map, const struct hnsw_base_layout *l, uint64_t chunk,
                           uint64_t *at, uint64_t *n);
/* Writes the graph as it is to path (complete and synced, under that very name), *size its bytes.    */
SEAM_MUST_USE enum seam_status hnsw_base_write(const struct hnsw *h, struct seam_io *io,
                                               const char *path, uint64_t seq, uint64_t *size,
                                               struct seam_fault *f);
/* Fills the empty graph h (whose options must agree) from the file: checks every checksum and every
 * link. The mapping must stay as long as h uses it; *map and *map_size are what to unmap.             */
SEAM_MUST_USE enum seam_status hnsw_base_read(struct hnsw *h, struct seam_io *io, const char *path,
                                              uint64_t seq, const uint8_t **map, size_t *map_size,
                                              struct seam_fault *f);

#endif
