/* The embedder: tokens, determinism, what a typo is taken for, the model file under damage.          */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "pipeline/relevance/embed_internal.h"
#include "tests/common/check_main.h"
#include "tests/pipeline/shop_data.h"

static struct shop shop;

/* The same on gcc and clang, with sanitizers and without, on any number of threads. Changes only when the
 * catalogue or the algorithm does (then EMBED_REVISION must change too).                             */
static const char shop_version[] = "learned-1-128-38721ff3";

static struct embedder *learn(size_t dim, int threads)
{
    struct embed_options o = {.dim = dim, .threads = threads, .seed = 42};
    struct embed_trainer *t = NULL;
    struct embedder *e = NULL;
    struct seam_fault f = {0};

    if (shop.count == 0) ASSERT_OK(shop_read(&shop, &f), &f);
    ASSERT_OK(embed_trainer_new(&o, &t, &f), &f);
    for (size_t i = 0; i < shop.count; i++) {
        const struct shop_product *p = &shop.products[i];
        char context[256];
        int n = snprintf(context, sizeof context, "%s %s", p->category, p->brand);

        ASSERT_OK(embed_trainer_add(t, p->title, strlen(p->title), p->description,
                                    strlen(p->description), context, (size_t)n, &f),
                  &f);
    }
    ASSERT_OK(embed_trainer_finish(t, &e, &f), &f);
    embed_trainer_free(t);
    return e;
}

static double cosine(const float *a, const float *b, size_t n)
{
    double dot = 0.0;

    for (size_t i = 0; i < n; i++) dot += (double)a[i] * b[i];
    return dot;
}

static void expect_tokens(const char *text, bool learned, const char *want)
{
    struct embed_scan s = {.pos = text, .end = text + strlen(text), .learned = learned};
    char got[512] = "", token[EMBED_TOKEN_MAX];
    size_t n;

    while (embed_token(&s, token, &n)) {
        ck_assert_uint_eq(n, strlen(token));
        strcat(got, token);
        strcat(got, "|");
    }
    ck_assert_str_eq(got, want);
}

static void test_tokens(void)
{
    expect_tokens("12v 12 V 2.5kg 20,000 mAh", false, "12|v|12|v|2.5|kg|20000|mah|");
    expect_tokens("Chef's Knives, caf\xc3\xa9 CR\xc3\x88ME", false, "chef|knife|cafe|creme|");
    expect_tokens("the boxes and berries of glass", false, "box|berry|glass|");
    expect_tokens("walking walked charging charge cutting red", true,
                  "walk|walk|charg|charg|cut|red|");
    expect_tokens("\xff\xfe a 1. .5 \xe2\x80\x94", false, "1|5|");
    expect_tokens("Wi-Fi, e-bike, non-stick-pans 2-in-1 end-", true,
                  "wi|fi|wifi|e|bike|ebik|non|stick|pan|nonstickpan|2|1|end|");
    expect_tokens("Wi-Fi", false, "wi|fi|");
    expect_tokens("", false, "");
}

static void test_a_long_token_is_cut(void)
{
    char text[300];
    struct embed_scan s = {.pos = text, .end = text + sizeof text, .learned = true};
    char token[EMBED_TOKEN_MAX];
    size_t n;

    memset(text, 'x', sizeof text);
    ck_assert(embed_token(&s, token, &n));
    ck_assert_uint_lt(n, EMBED_TOKEN_MAX);
    ck_assert(!embed_token(&s, token, &n));
}

static void test_logarithm_is_the_logarithm(void)
{
    for (double x = 1e-9; x < 1e12; x *= 1.37) {
        double error = fabs(embed_ln(x) - log(x));

        ck_assert_msg(error < 1e-13 * (1.0 + fabs(log(x))), "%g: %g", x, error);
    }
}

/* Goal: eigenpairs of a matrix whose eigenpairs are known. Method: blocks (a b; b a) of falling size, with
 * eigenvalues a + b (vector (1,1)) and a - b (vector (1,-1)).                                       */
static void test_eigenpairs_of_known_blocks(void)
{
    enum { BLOCKS = 40, N = 2 * BLOCKS, RANK = 4 };
    static const double want[RANK] = {10.5, 9.5, 5.25, 4.75};
    uint64_t start[N + 1];
    uint32_t col[2 * N];
    float val[2 * N], u[N * RANK];
    struct embed_sparse m = {N, start, col, val};
    double value[RANK];

    for (uint32_t i = 0; i < N; i++) {
        float scale = 1.0f / (float)(i / 2 + 1);

        start[i] = 2 * i;
        for (uint32_t j = 0; j < 2; j++) {
            col[2 * i + j] = (i & ~1u) + j;
            val[2 * i + j] = ((i & 1) == j ? 10.0f : 0.5f) * scale;
        }
    }
    start[N] = 2 * N;
    ck_assert_int_eq(embed_sparse_eigen(&m, RANK, 7, 2, u, value), SEAM_OK);
    for (int j = 0; j < RANK; j++)
        ck_assert_msg(fabs(value[j] - want[j]) < 1e-3, "%d: %g", j, value[j]);
    ck_assert(fabs(fabsf(u[0]) - 0.70710678) < 1e-3 && fabsf(u[0] - u[RANK]) < 1e-3);
}

static void test_same_bytes_on_any_thread_count(void)
{
    struct embedder *a = learn(128, 1), *b = learn(128, 3);

    ck_assert_str_eq(embedder_version(a), embedder_version(b));
    ck_assert_str_eq(embedder_version(a), shop_version);
    ck_assert_mem_eq(a->vectors, b->vectors, (size_t)a->words.count * a->dim * sizeof(float));
    embedder_close(a);
    embedder_close(b);
}

static void test_neighbours_and_typos_make_sense(void)
{
    struct embedder *e = learn(0, 2);
    float v[EMBED_DIM_MAX], w[EMBED_DIM_MAX];
    struct embed_neighbour near[5];
    bool known, found = false;
    size_t n;

    ck_assert_uint_eq(embedder_dim(e), EMBED_DIM_DEFAULT);
    ASSERT_OK(embed_word(e, "secaturs", 8, v, &known), NULL);
    ck_assert(!known);
    ASSERT_OK(embed_word(e, "Secateurs", 9, w, &known), NULL);
    ck_assert(known);
    ck_assert(cosine(v, w, embedder_dim(e)) > 0.9);
    ASSERT_OK(embed_nearest_words(e, v, 5, near, &n), NULL);
    ck_assert_uint_eq(n, 5);
    for (size_t i = 0; i < n; i++) found |= strcmp(near[i].word, "secateur") == 0;
    ck_assert(found);
    ASSERT_STATUS(embed_word(e, "zzzzqqq", 7, v, &known), SEAM_NOT_FOUND);
    ASSERT_STATUS(embed_word(e, "BT9999", 6, v, &known),
                  SEAM_NOT_FOUND); /* numbers are not guessed */
    embedder_close(e);
}

static void test_a_product_is_near_its_own_words(void)
{
    struct embedder *e = learn(0, 1);
    float q[EMBED_DIM_MAX], best_v[EMBED_DIM_MAX];
    struct seam_fault f = {0};
    double best = -2.0;
    int64_t id = 0;

    ASSERT_OK(embed_query(e, "lamp for reading in bed", 23, q, &f), &f);
    for (size_t i = 0; i < shop.count; i++) {
        const struct shop_product *p = &shop.products[i];
        double c;

        ASSERT_OK(embed_document(e, p->title, strlen(p->title), p->description,
                                 strlen(p->description), best_v, &f),
                  &f);
        c = cosine(q, best_v, embedder_dim(e));
        ck_assert(fabs(cosine(best_v, best_v, embedder_dim(e)) - 1.0) < 1e-5);
        if (c > best) {
            best = c;
            id = p->id;
        }
    }
    ck_assert_msg(id / 100 == 12, "nearest is %lld", (long long)id); /* Lighting */
    ASSERT_OK(embed_query(e, "@@ -- !!", 8, q, &f), &f);
    for (size_t i = 0; i < embedder_dim(e); i++) ck_assert(q[i] == 0.0f);
    ASSERT_OK(embed_document(e, NULL, 0, NULL, 0, q, &f), &f);
    ck_assert(q[0] == 0.0f);
    embedder_close(e);
}

static void test_saved_model_opens_equal(void)
{
    struct embedder *e = learn(16, 1), *back = NULL;
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_fault f = {0};

    ASSERT_OK(seam_path_join(path, test_dir(), "model.embed", &f), &f);
    ASSERT_OK(embedder_save(e, seam_io_posix(), path, &f), &f);
    ASSERT_OK(embedder_open(seam_io_posix(), path, &back, &f), &f);
    ck_assert_str_eq(embedder_version(e), embedder_version(back));
    ck_assert_uint_eq(embedder_words(e), embedder_words(back));
    ck_assert_mem_eq(e->common, back->common, e->dim * sizeof(float));
    embedder_close(e);
    embedder_close(back);
    back = NULL;
    ASSERT_STATUS(embedder_open(seam_io_posix(), "no/such.embed", &back, NULL), SEAM_NOT_FOUND);
}

/* A tiny model: every byte flipped, every truncation, is refused with a reason. */
static void test_damaged_models_are_refused(void)
{
    struct embed_options o = {.dim = 3, .seed = 1};
    struct embed_trainer *t = NULL;
    struct embedder *e = NULL;
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_fault f = {0};
    struct seam_buf b = {0};

    ASSERT_OK(embed_trainer_new(&o, &t, &f), &f);
    ASSERT_STATUS(embed_trainer_finish(t, &e, NULL), SEAM_INVALID);
    ASSERT_OK(embed_trainer_add(t, "red kettle", 10, "boils water", 11, NULL, 0, &f), &f);
    ASSERT_OK(embed_trainer_add(t, "blue pot", 8, NULL, 0, "kitchen", 7, &f), &f);
    ASSERT_OK(embed_trainer_finish(t, &e, &f), &f);
    embed_trainer_free(t);
    ASSERT_OK(seam_path_join(path, test_dir(), "tiny.embed", &f), &f);
    ASSERT_OK(embedder_save(e, seam_io_posix(), path, &f), &f);
    embedder_close(e);
    ASSERT_OK(seam_io_read_all(seam_io_posix(), path, 1 << 20, &b, &f), &f);
    for (size_t i = 0; i < b.size; i++) {
        for (int how = 0; how < 2; how++) {
            size_t size = how == 0 ? b.size : i;

            b.data[i] ^= how == 0 ? 0x20 : 0;
            ASSERT_OK(seam_io_write_atomic(seam_io_posix(), path, b.data, size, &f), &f);
            b.data[i] ^= how == 0 ? 0x20 : 0;
            e = NULL;
            seam_fault_clear(&f);
            ck_assert_int_eq(embedder_open(seam_io_posix(), path, &e, &f), SEAM_CORRUPT);
            ck_assert_ptr_null(e);
            ck_assert_str_ne(f.why, "");
            seam_fault_clear(&f);
        }
    }
    seam_buf_free(&b);
}

static void write_file(const char *name, const char *text, char path[SEAM_PATH_MAX_BYTES])
{
    struct seam_fault f = {0};

    ASSERT_OK(seam_path_join(path, test_dir(), name, &f), &f);
    ASSERT_OK(seam_io_write_atomic(seam_io_posix(), path, text, strlen(text), &f), &f);
}

static void test_word_vectors_from_text(void)
{
    struct embed_options o = {.for_words = true};
    struct embedder *e = NULL;
    struct embed_trainer *t = NULL;
    char path[SEAM_PATH_MAX_BYTES], before[EMBED_VERSION_MAX];
    struct seam_fault f = {0};
    float v[EMBED_DIM_MAX];
    bool known;

    write_file("a.vec", "3 2\nkettle 3 4\npot 0 1\nnew_york 1 1\n", path);
    ASSERT_OK(embedder_from_vec(seam_io_posix(), path, 0, &e, &f), &f);
    ck_assert_uint_eq(embedder_words(e), 2); /* new_york is two tokens */
    ck_assert_uint_eq(embedder_dim(e), 2);
    ASSERT_OK(embed_word(e, "Kettles", 7, v, &known), NULL);
    ck_assert(known && fabsf(v[0] - 0.6f) < 1e-6f && fabsf(v[1] - 0.8f) < 1e-6f);
    strcpy(before, embedder_version(e));
    ASSERT_OK(embed_trainer_new(&o, &t, &f), &f);
    ASSERT_OK(embed_trainer_add(t, "kettle pot", 10, "pot", 3, NULL, 0, &f), &f);
    ASSERT_OK(embedder_adapt(e, t, &f), &f);
    ck_assert_str_ne(before, embedder_version(e));
    embed_trainer_free(t);
    embedder_close(e);
    e = NULL;
    write_file("b.vec", "kettle 3 4\npot 0\n", path);
    ASSERT_STATUS(embedder_from_vec(seam_io_posix(), path, 0, &e, &f), SEAM_INVALID);
    ck_assert_uint_eq(f.at, 2);
    write_file("c.vec", "kettle 3 nan\n", path);
    ASSERT_STATUS(embedder_from_vec(seam_io_posix(), path, 0, &e, NULL), SEAM_INVALID);
    write_file("d.vec", "", path);
    ASSERT_STATUS(embedder_from_vec(seam_io_posix(), path, 0, &e, NULL), SEAM_INVALID);
}

static void test_glove_half_floats(void)
{
    const char *dir = shared_data("glove-100");
    struct embedder *e = NULL;
    struct seam_fault f = {0};
    char words[600], rows[600];
    float a[EMBED_DIM_MAX], b[EMBED_DIM_MAX], c[EMBED_DIM_MAX];
    bool known;

    if (dir == NULL) return;
    snprintf(words, sizeof words, "%s/words.txt.gz", dir);
    snprintf(rows, sizeof rows, "%s/vectors.f16.gz", dir);
    ASSERT_OK(embedder_from_f16(seam_io_posix(), words, rows, 100, 20000, &e, &f), &f);
    ck_assert_uint_eq(embedder_words(e), 20000);
    ASSERT_OK(embed_word(e, "dog", 3, a, &known), NULL);
    ASSERT_OK(embed_word(e, "cat", 3, b, &known), NULL);
    ASSERT_OK(embed_word(e, "finance", 7, c, &known), NULL);
    ck_assert(cosine(a, b, 100) > 0.8 && cosine(a, c, 100) < 0.4);
    embedder_close(e);
}

static void test_a_memory_budget_is_kept(void)
{
    struct embed_options o = {.memory_max = 65536 * 12, .seed = 1};
    struct embed_trainer *t = NULL;
    struct embedder *e = NULL;
    struct seam_fault f = {0};
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    ASSERT_OK(embed_trainer_new(&o, &t, &f), &f);
    for (int i = 0; i < 60; i++) {
        char text[4000];
        int n = 0;

        while (n < 3900)
            n += snprintf(text + n, 12, "%c%c%c%c ", (int)('a' + seam_rng_below(&r, 26)),
                          (int)('b' + seam_rng_below(&r, 25)), (int)('a' + seam_rng_below(&r, 26)),
                          (int)('b' + seam_rng_below(&r, 14)));
        ASSERT_OK(embed_trainer_add(t, text, (size_t)n, NULL, 0, NULL, 0, &f), &f);
    }
    ASSERT_STATUS(embed_trainer_finish(t, &e, &f), SEAM_LIMIT);
    embed_trainer_free(t);
}

static const struct named_test tests[] = {
    T(test_tokens),
    T(test_a_long_token_is_cut),
    T(test_logarithm_is_the_logarithm),
    T(test_eigenpairs_of_known_blocks),
    T(test_same_bytes_on_any_thread_count),
    T(test_neighbours_and_typos_make_sense),
    T(test_a_product_is_near_its_own_words),
    T(test_saved_model_opens_equal),
    T(test_damaged_models_are_refused),
    T(test_word_vectors_from_text),
    T(test_glove_half_floats),
    T(test_a_memory_budget_is_kept),
};

int main(int argc, char **argv)
{
    return run_tests("embed", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
