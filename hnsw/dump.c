/* dump - any file of an index explained as text. Works on damaged files too: it says what is wrong and goes
 * on with what can still be read.                                                                   */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/crc32c.h"
#include "hnsw/basefile.h"
#include "hnsw/journal.h"
#include "hnsw/store.h"

enum { DUMP_MAX = 1 << 30, LINKS_SHOWN = 16 };

static const char *metric_name(enum hnsw_metric m)
{
    assert((unsigned)m <= HNSW_COSINE);
    return m == HNSW_L2 ? "L2" : m == HNSW_IP ? "inner product" : "cosine";
}

static void dump_options(const struct hnsw_options *o, struct seam_buf *out)
{
    assert(o->dim <= HNSW_DIM_MAX);
    seam_buf_printf(out, "  dim %u, metric %s, %s, M %u, efConstruction %u, seed %" PRIu64 "\n",
                    o->dim, metric_name(o->metric), o->quant == HNSW_I8 ? "8-bit codes" : "float32",
                    o->m, o->ef_construction, o->seed);
}

static void dump_owner(const struct seam_owner *o, struct seam_buf *out)
{
    char platform[SEAM_PLATFORM_TEXT];

    seam_platform_text(o->platform, platform);
    seam_buf_printf(out, "  platform %s, history %016" PRIx64 "\n", platform, o->history);
}

static void section(struct seam_buf *out, const char *name, uint64_t from, uint64_t to,
                    const char *what)
{
    assert(from <= to);
    seam_buf_printf(out, "  %12" PRIu64 "  %-8s %12" PRIu64 " bytes  %s\n", from, name, to - from,
                    what);
}

static void dump_node(const uint8_t *file, const struct hnsw_base_head *b,
                      const struct hnsw_base_layout *l, uint32_t i, struct seam_buf *out)
{
    const uint8_t *n = file + l->nodes + (uint64_t)i * sizeof(struct hnsw_node);
    uint64_t stride = (b->o.m * 8ull + 63) / 64 * 64;
    uint64_t death = seam_get_u64(n + 16);
    assert(i < b->nodes);

    seam_buf_printf(out, "  node %u: key %" PRIu64 ", level %u, born at LSN %" PRIu64, i,
                    seam_get_u64(n), n[28], seam_get_u64(n + 8));
    if (death != SEAM_LSN_MAX) seam_buf_printf(out, ", died at %" PRIu64, death);
    seam_buf_str(out, "; links");
    for (uint32_t j = 0; j < 2 * b->o.m; j++) {
        uint32_t to = seam_get_u32(file + l->links0 + i * stride + j * 4ull);

        if (to == LINK_NONE) break;
        if (j == LINKS_SHOWN) {
            seam_buf_str(out, " ...");
            break;
        }
        seam_buf_printf(out, " %u", to);
    }
    seam_buf_str(out, "\n");
}

static void dump_sums(const uint8_t *file, const struct hnsw_base_head *b,
                      const struct hnsw_base_layout *l, struct seam_buf *out)
{
    uint64_t bad = 0;
    assert(file != NULL);

    for (uint64_t i = 0; i < l->sum_count; i++) {
        uint64_t at, n;

        if (hnsw_base_sum_matches(file, l, i, &at, &n)) continue;
        seam_buf_printf(out,
                        "  DAMAGED: bytes %" PRIu64 " to %" PRIu64 " do not have their checksum\n",
                        at, at + n);
        bad++;
    }
    seam_buf_printf(
        out, "  %" PRIu64 " checksums of 256 KiB each, %" PRIu64 " do not match; their own %s\n",
        l->sum_count, bad,
        seam_crc32c(0, file + l->sums, l->sum_count * 4) == b->sums_crc ? "matches"
                                                                        : "DOES NOT MATCH");
}

static enum seam_status dump_base(const struct seam_buf *file, const char *path, bool verbose,
                                  struct seam_buf *out, struct seam_fault *f)
{
    struct hnsw_base_head b;
    struct hnsw_base_layout l;
    enum seam_status st = hnsw_base_head_parse(file->data, file->size, path, &b, f);

    if (st != SEAM_OK) return st;
    hnsw_base_layout(&b, &l);
    seam_buf_printf(out, "base file %016" PRIx64 " of a vector index, version %u\n", b.seq,
                    (unsigned)hnsw_base_format.version);
    assert(b.o.dim >= HNSW_DIM_MIN && b.o.m >= HNSW_M_MIN);
    dump_owner(&b.owner, out);
    dump_options(&b.o, out);
    seam_buf_printf(out,
                    "  %" PRIu64 " nodes (%" PRIu64 " dead), applied LSN %" PRIu64
                    ", history from LSN %" PRIu64 "\n",
                    b.nodes, b.dead, b.applied_lsn, b.floor_lsn);
    if (b.entry != ENTRY_NONE)
        seam_buf_printf(out, "  entry point: node %u at level %u\n", (uint32_t)b.entry,
                        (unsigned)(b.entry >> 32));
    if (b.trained)
        seam_buf_printf(out, "  codes: scale %g, trained on %" PRIu64 " vectors%s\n",
                        (double)b.scale, b.trained_on,
                        b.lossless ? ", lossless (no vectors are kept)" : "");
    if (b.ordered) seam_buf_str(out, "  dimensions are stored in order of falling variance\n");
    section(out, "header", 0, BASE_HEADER, "");
    section(out, "OFFSETS", l.offsets, l.nodes, "of the codes; order of the dimensions");
    section(out, "NODES", l.nodes, l.links0, "key, birth, death, upper, level");
    section(out, "LINKS0", l.links0, l.upper, "neighbours at level 0");
    section(out, "UPPER", l.upper, l.codes, "neighbours above");
    section(out, "CODES", l.codes, l.vecs, "8-bit codes");
    section(out, "VECS", l.vecs, l.sums, "exact vectors");
    section(out, "SUMS", l.sums, l.end, "a checksum for each 256 KiB");
    if (l.end != file->size)
        return seam_fault_set(f, SEAM_CORRUPT, path, file->size,
                              "the file has %zu bytes, its header says %" PRIu64, file->size,
                              l.end);
    dump_sums(file->data, &b, &l, out);
    for (uint32_t i = 0; verbose && i < b.nodes; i++) dump_node(file->data, &b, &l, i, out);
    return SEAM_OK;
}

static enum seam_status dump_journal(const struct seam_buf *file, const char *path,
                                     struct seam_buf *out, struct seam_fault *f)
{
    uint64_t at = JOURNAL_HEADER, number = 0;
    struct hnsw_batch_head b;
    struct seam_filehead h;
    enum seam_status st =
        seam_filehead_decode(&hnsw_journal_format, file->data, file->size, path, 0, &h, f);

    if (st != SEAM_OK) return st;
    seam_buf_printf(out, "journal %016" PRIx64 " of a vector index, version %u\n", h.file_id,
                    (unsigned)hnsw_journal_format.version);
    assert(at <= file->size);
    dump_owner(&h.owner, out);
    while (
        (st = hnsw_batch_head_read(
             file->data + at, file->size - (size_t)at,
             &(struct hnsw_batch_place){.at = at, .seq = h.file_id, .number = number, .path = path},
             &b, f)) == SEAM_OK) {
        seam_buf_printf(out,
                        "  %10" PRIu64 "  batch %" PRIu64 ": %" PRIu64 " bytes, LSN %" PRIu64
                        ", nodes %u to %u, %u deaths, "
                        "%u link lists, crc %08x\n",
                        at, b.number, b.size, b.applied_lsn, b.first, b.first + b.nodes, b.deaths,
                        b.lists, b.crc);
        at += BATCH_HEADER + b.size;
        number++;
    }
    if (st == SEAM_END && at < file->size)
        seam_buf_printf(out,
                        "  %10" PRIu64 "  %" PRIu64
                        " bytes that are no whole batch: an append that never finished\n",
                        at, file->size - at);
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status dump_manifest(struct seam_io *io, const char *path, struct seam_buf *out,
                                      struct seam_fault *f)
{
    char dir[SEAM_PATH_MAX_BYTES];
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    size_t n = slash != NULL ? (size_t)(slash - path) : 1;
    struct seam_manifest m = {0};
    struct hnsw_state s;
    uint64_t seq;
    enum seam_status st;

    if (!seam_manifest_name_parse(name, &seq))
        return seam_fault_set(f, SEAM_UNSUPPORTED, path, SEAM_FAULT_NO_OFFSET,
                              "a manifest is known by its name, sixteen hex digits");
    if (n >= sizeof dir)
        return seam_fault_set(f, SEAM_LIMIT, path, SEAM_FAULT_NO_OFFSET, "the path is too long");
    memcpy(dir, slash != NULL ? path : ".", n);
    dir[n] = '\0';
    st = seam_manifest_load(io, dir, STATE_KIND, seq, &m, f);
    if (st == SEAM_OK) st = hnsw_state_parse(&m, path, &s, f);
    seam_buf_free(&m.payload);
    if (st != SEAM_OK) return st;
    seam_buf_printf(out,
                    "manifest %" PRIu64 " of a vector index: base %016" PRIx64
                    ", journal %016" PRIx64 ", at LSN %" PRIu64 " or later\n",
                    s.seq, s.base, s.journal, s.applied_lsn);
    dump_owner(&s.owner, out);
    dump_options(&s.o, out);
    if (s.default_recall > 0) seam_buf_printf(out, "  pinned: recall %.4f\n", s.default_recall);
    assert(s.point_count <= HNSW_POINTS_MAX);
    for (size_t i = 0; i < s.point_count; i++)
        seam_buf_printf(
            out,
            "  ef %5u, patience %u: recall@%u %.4f (lower bound %.4f), p50 %.0f us, p99 %.0f us\n",
            s.points[i].ef, s.points[i].patience, s.points[i].k, s.points[i].recall_mean,
            s.points[i].recall_low, s.points[i].p50_us, s.points[i].p99_us);
    return SEAM_OK;
}

enum seam_status hnsw_dump(struct seam_io *io, const char *path, bool verbose, struct seam_buf *out,
                           struct seam_fault *f)
{
    struct seam_buf file = {0};
    enum seam_status st = seam_io_read_all(io, path, DUMP_MAX, &file, f);
    assert(path != NULL);
    assert(out != NULL);

    if (st == SEAM_OK && seam_manifest_is(file.data, file.size))
        st = dump_manifest(io, path, out, f);
    else if (st == SEAM_OK && seam_filehead_is(&hnsw_journal_format, file.data, file.size))
        st = dump_journal(&file, path, out, f);
    else if (st == SEAM_OK)
        st = dump_base(&file, path, verbose, out, f);
    if (st == SEAM_OK) st = seam_buf_check(out, f, "a dump");
    seam_buf_free(&file);
    return st;
}
