/* Hostile embedding models (their checksums made right, so that the fields are reached), word-vector files,
 * qrels and runs: refused or read, never believed blindly. The first byte chooses the reader.        */
#include <string.h>

#include "engine/base/crc32c.h"
#include "engine/io/io_sim.h"
#include "pipeline/relevance/embed.h"
#include "pipeline/relevance/eval.h"
#include "tests/fuzz/fuzz_main.h"

enum { MODEL_HEADER = 48 };

static void try_model(struct seam_io *io, struct embedder *e)
{
    float v[EMBED_DIM_MAX];
    bool known;

    (void)io;
    (void)!embed_document(e, "red kettle", 10, "a kettel boils", 14, v, NULL);
    (void)!embed_word(e, "ketle", 5, v, &known);
    embedder_close(e);
}

static void try_file(struct seam_io *io, int kind)
{
    struct embedder *e = NULL;
    struct eval_qrels *q = NULL;
    struct eval_run *r = NULL;
    struct seam_buf text = {0};

    if (kind == 0 && embedder_open(io, "f", &e, NULL) == SEAM_OK) try_model(io, e);
    if (kind == 1 && embedder_from_vec(io, "f", 0, &e, NULL) == SEAM_OK) try_model(io, e);
    if (kind == 2 && eval_qrels_read(io, "f", &q, NULL) == SEAM_OK) eval_qrels_free(q);
    if (kind == 3 && eval_run_read(io, "f", &r, NULL) == SEAM_OK) {
        eval_run_to_text(r, &text);
        eval_run_free(r);
    }
    seam_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seam_io_sim *sim;
    struct seam_buf b = {0};

    if (size < 2) return 0;
    sim = seam_io_sim_new(1);
    if (sim == NULL) return 0;
    seam_buf_append(&b, data + 1, size - 1);
    if ((data[0] & 3) == 0 && b.size >= MODEL_HEADER) {
        seam_put_u32(b.data + 40, seam_crc32c(0, b.data + MODEL_HEADER, b.size - MODEL_HEADER));
        seam_put_u32(b.data + 44, seam_crc32c(0, b.data, 44));
    }
    if (seam_buf_ok(&b) &&
        seam_io_write_atomic(seam_io_sim_io(sim), "f", b.data, b.size, NULL) == SEAM_OK)
        try_file(seam_io_sim_io(sim), data[0] & 3);
    seam_buf_free(&b);
    seam_io_sim_free(sim);
    return 0;
}

FUZZ_MAIN(
    FUZZ_SAMPLE(
        "\0SEAMEMBD\1\0\0\0\1\0\0\0\1\0\0\0\2\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\x3f\1\0\0\0aaaabbbb"
        "\0\0\0\0\0\0\x80\x3f\0\0\x80\x3f\0\0\x80\x3f\0\0\x80\xbf"
        "ab\0c\0"),
    FUZZ_SAMPLE("\1"
                "2 3\nkettle 1 2 3\npot -1 0.5 1e-3\n"),
    FUZZ_SAMPLE("\2"
                "q1 0 a 3\nq1 0 b 0\nq2 0 a -1\n"),
    FUZZ_SAMPLE("\3"
                "q1 Q0 a 1 2.5 t\nq1 Q0 b 2 -1e9 t\n"))
