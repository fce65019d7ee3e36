/* Hostile bytes as an index's base, journal and manifest, and as vector files. The first byte says which. To
 * get past the checksums (a flipped bit stops there) they are made right again after the damage, so what is
 * tested is that no count, link, level or batch with a valid checksum is believed: opening either refuses, or
 * gives a graph on which a search, a check of health and an iterator end.                            */
#include "engine/base/crc32c.h"
#include "engine/io/io_sim.h"
#include "engine/io/manifest.h"
#include "hnsw/basefile.h"
#include "hnsw/hnsw.h"
#include "hnsw/journal.h"
#include "hnsw/vecfile.h"
#include "tests/fuzz/fuzz_main.h"

enum { DIM = 4, NODES = 40 };
enum what { BASE, JOURNAL, MANIFEST, FVECS, NPY, TEXT, CSV, WHATS };

static void must(enum seam_status st)
{
    if (st != SEAM_OK) __builtin_trap();
}

/* A folder with a base of NODES nodes and a journal of two batches. */
static void make_index(struct seam_io *io)
{
    struct hnsw_options o = {
        .dim = DIM, .m = 4, .ef_construction = 10, .seed = 1, .quant = HNSW_I8};
    struct hnsw *h = NULL;
    float v[DIM];

    must(hnsw_create(io, "d", &o, NULL));
    must(hnsw_open_writer(io, "d", NULL, &h, NULL));
    for (uint64_t k = 0; k < NODES + 6; k++) {
        for (int d = 0; d < DIM; d++) v[d] = (float)((k * 7 + (uint64_t)d * 13) % 29);
        must(hnsw_upsert(h, k, v, k + 1, NULL));
        if (k + 1 == NODES) {
            must(hnsw_publish(h, k + 1, 0, NULL));
            must(hnsw_maintain(h, &(struct hnsw_maintain_options){.force = true}, NULL, NULL));
        } else if (k > NODES && k % 3 == 0) {
            must(hnsw_delete(h, k - 20, k + 1, NULL));
            must(hnsw_publish(h, k + 1, 0, NULL));
        }
    }
    hnsw_close(h);
}

static void find_file(struct seam_io *io, const char *ext, char out[SEAM_PATH_MAX_BYTES])
{
    struct seam_io_list l = {0};

    out[0] = '\0';
    must(seam_io_list(io, "d", &l, NULL));
    for (size_t i = 0; i < l.count; i++)
        if (strstr(l.names[i], ext) != NULL) must(seam_path_join(out, "d", l.names[i], NULL));
    seam_io_list_free(&l);
}

static void heal_head(uint8_t *p)
{
    seam_put_u32(p + 60, seam_crc32c(0, p, 60));
}

static void heal_base(uint8_t *p, size_t n)
{
    struct hnsw_base_head b;
    struct hnsw_base_layout l;

    if (n < BASE_HEADER) return;
    heal_head(p);
    hnsw_base_head_seal(p);
    if (hnsw_base_head_parse(p, n, "", &b, NULL) != SEAM_OK) return;
    hnsw_base_layout(&b, &l);
    if (l.end != n) return;
    for (uint64_t i = 0; i < l.sum_count; i++) {
        uint64_t at = BASE_HEADER + i * BASE_CHUNK,
                 m = l.sums - at < BASE_CHUNK ? l.sums - at : BASE_CHUNK;

        seam_put_u32(p + l.sums + i * 4, seam_crc32c(0, p + at, m));
    }
    seam_put_u32(p + 152, seam_crc32c(0, p + l.sums, l.sum_count * 4));
    hnsw_base_head_seal(p);
}

static void heal_journal(uint8_t *p, size_t n)
{
    size_t at = JOURNAL_HEADER;

    if (n < JOURNAL_HEADER) return;
    heal_head(p);

    while (at + BATCH_HEADER <= n) {
        uint64_t size = hnsw_batch_payload_size(p + at);

        if (size > n - at - BATCH_HEADER) return;
        hnsw_batch_seal(p + at, (size_t)(BATCH_HEADER + size), seam_get_u64(p + 32));
        at += BATCH_HEADER + (size_t)size;
    }
}

static void heal_manifest(uint8_t *p, size_t n)
{
    if (n < SEAM_MANIFEST_HEADER_SIZE) return;
    heal_head(p);
    seam_put_u32(p + 88,
                 seam_crc32c(0, p + SEAM_MANIFEST_HEADER_SIZE, n - SEAM_MANIFEST_HEADER_SIZE));
    seam_put_u32(p + 92, seam_crc32c(0, p + 64, 28));
}

/* What is opened must be usable to the end. */
static void use(struct seam_io *io, bool mapped)
{
    struct hnsw_config cfg = {.mapped = mapped, .memory_max = 64 << 20};
    struct hnsw *h = NULL;
    struct hnsw_iter *it = NULL;
    struct hnsw_health health;
    struct hnsw_verify_report report;
    struct hnsw_hit hits[8];
    float v[HNSW_DIM_MAX] = {1, 2, 3, 4};
    struct hnsw_query q = {.vector = v, .k = 8, .ef = 20};
    size_t n, total = 0;

    if (hnsw_open_reader(io, "d", SEAM_LSN_MAX, &cfg, &h, NULL) == SEAM_OK) {
        (void)!hnsw_search(h, &q, hits, &n, NULL, NULL);
        (void)!hnsw_health(h, &health, NULL);
        if (hnsw_iter_open(h, &q, &it, NULL) == SEAM_OK)
            while (hnsw_iter_next(it, hits, 8, &n, NULL) == SEAM_OK)
                if ((total += n) > 1000) __builtin_trap();
        hnsw_iter_close(it);
    }
    hnsw_close(h);
    (void)!hnsw_verify(io, "d", &report, NULL);
}

/* The damage is input bytes laid over the true file: two bytes where, one byte what, as often as there are. */
static void overlay(uint8_t *p, size_t n, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 3 <= size && n > 0; i += 3) p[seam_get_u16(data + i) % n] = data[i + 2];
}

static void index_file(enum what what, const uint8_t *data, size_t size)
{
    static const char *const ext[] = {".base", ".journal", ".manifest"};
    struct seam_io_sim *sim = seam_io_sim_new(1);
    struct seam_io *io = seam_io_sim_io(sim);
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_buf b = {0}, text = {0};

    make_index(io);
    find_file(io, ext[what], path);
    must(seam_io_read_all(io, path, 1 << 24, &b, NULL));
    overlay(b.data, b.size, data, size);
    if (what == BASE) heal_base(b.data, b.size);
    if (what == JOURNAL) heal_journal(b.data, b.size);
    if (what == MANIFEST) heal_manifest(b.data, b.size);
    must(seam_io_write_atomic(io, path, b.data, b.size, NULL));
    use(io, (size & 1) != 0);
    (void)!hnsw_dump(io, path, true, &text, NULL);
    seam_buf_free(&text);
    seam_buf_free(&b);
    seam_io_sim_free(sim);
}

static void vector_file(const char *name, const uint8_t *data, size_t size)
{
    struct seam_io_sim *sim = seam_io_sim_new(1);
    struct seam_io *io = seam_io_sim_io(sim);
    struct hnsw_vecfile_options o = {.bytes_max = 1 << 20, .keep_words = true};
    struct hnsw_vecset v = {0};

    must(seam_io_write_atomic(io, name, data, size, NULL));
    if (hnsw_vecfile_read(io, name, &o, &v, NULL) == SEAM_OK &&
        (v.count == 0 || v.dim == 0 || v.rows == NULL))
        __builtin_trap();
    hnsw_vecset_free(&v);
    seam_io_sim_free(sim);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a.fvecs", "a.npy", "a.txt", "a.csv"};
    enum what what;

    if (size == 0) return 0;
    what = (enum what)(data[0] % WHATS);
    if (what <= MANIFEST)
        index_file(what, data + 1, size - 1);
    else
        vector_file(names[what - FVECS], data + 1, size - 1);
    return 0;
}

FUZZ_MAIN(FUZZ_SAMPLE("\0\x30\x10\x07\x34\x10\xff\x44\x20\x01"),
          FUZZ_SAMPLE("\1\x28\x00\x02\x50\x00\x09\x60\x01\x80"),
          FUZZ_SAMPLE("\2\x40\x00\x02\x44\x00\x01"),
          FUZZ_SAMPLE("\3\2\0\0\0\0\0\x80\x3f\0\0\0\x40"),
          FUZZ_SAMPLE("\4\x93NUMPY\1\0\x43\0{'descr': '<f4', 'fortran_order': False, 'shape': (1, "
                      "2), }       \n\0\0\x80\x3f\0\0\0\x40"),
          FUZZ_SAMPLE("\5"
                      "2 2\nking 1 2\nqueen .5 -1e3\n"),
          FUZZ_SAMPLE("\6"
                      "x,y\n1,2\n3,4\n"))
