#include "tests/common/check_main.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/crc32c.h"
#include "engine/base/hash.h"
#include "engine/base/rng.h"

static void test_crc32c_known_answers(void)
{
    static const struct {
        const char *text;
        size_t n;
        uint32_t crc;
    } known[] = {
        {"", 0, 0},
        {"a", 1, 0xc1d04330},
        {"123456789", 9, 0xe3069283},
        {"The quick brown fox jumps over the lazy dog", 43, 0x22620404},
    };
    uint8_t zeros[32] = {0}, ones[32];

    memset(ones, 0xff, sizeof ones);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(known); i++) {
        ck_assert_uint_eq(seam_crc32c(0, known[i].text, known[i].n), known[i].crc);
        ck_assert_uint_eq(seam_crc32c_table(0, known[i].text, known[i].n), known[i].crc);
    }
    ck_assert_uint_eq(seam_crc32c(0, zeros, 32), 0x8a9136aa); /* RFC 3720, B.4 */
    ck_assert_uint_eq(seam_crc32c(0, ones, 32), 0x62a8ab43);
}

/* Every variant against the table: every size to 2,100, all alignments, then large random pieces.  */
static void test_crc32c_variants_agree(void)
{
    enum { SIZE = 200000 };
    struct seam_crc32c_variant v[SEAM_CRC32C_VARIANTS_MAX];
    size_t count = seam_crc32c_variants(v);
    uint8_t *data = malloc(SIZE);
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    seam_rng_bytes(&r, data, SIZE);
    for (size_t k = 0; k < count; k++) {
        for (size_t n = 0; n < 2100; n++) {
            size_t at = seam_rng_below(&r, 64);
            uint32_t seed = (uint32_t)seam_rng_u64(&r);

            ck_assert_msg(v[k].run(seed, data + at, n) == seam_crc32c_table(seed, data + at, n),
                          "%s at %zu size %zu", v[k].name, at, n);
        }
        for (int i = 0; i < 50; i++) {
            size_t at = seam_rng_below(&r, SIZE / 2), n = seam_rng_below(&r, SIZE / 2),
                   cut = seam_rng_below(&r, n + 1);
            uint32_t whole = seam_crc32c_table(0, data + at, n);

            ck_assert_uint_eq(v[k].run(0, data + at, n), whole);
            ck_assert_uint_eq(v[k].run(v[k].run(0, data + at, cut), data + at + cut, n - cut),
                              whole);
        }
    }
    free(data);
}

static void hex_of(const uint8_t *p, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = "0123456789abcdef"[p[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
    }
    out[2 * n] = '\0';
}

static void sha256_hex(const void *p, size_t n, size_t piece, char out[65])
{
    struct seam_sha256 s;
    uint8_t digest[32];

    seam_sha256_init(&s);
    for (size_t at = 0; at < n; at += piece)
        seam_sha256_update(&s, (const uint8_t *)p + at, n - at < piece ? n - at : piece);
    seam_sha256_final(&s, digest);
    hex_of(digest, 32, out);
}

static void test_sha256_known_answers(void)
{
    char hex[65], *million = malloc(1000000);

    sha256_hex("", 0, 1, hex);
    ck_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_hex("abc", 3, 1, hex);
    ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, 7, hex);
    ck_assert_str_eq(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    memset(million, 'a', 1000000);
    for (size_t piece = 999; piece < 1000001; piece += 333667) {
        sha256_hex(million, 1000000, piece, hex);
        ck_assert_str_eq(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
    free(million);
}

static void test_sha256_variants_agree(void)
{
    struct seam_sha256_variant v[SEAM_SHA256_VARIANTS_MAX];
    size_t count = seam_sha256_variants(v);
    uint8_t data[64 * 9];
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    for (int i = 0; i < 200; i++) {
        uint32_t truth[8], got[8];
        size_t blocks = seam_rng_below(&r, 10);

        seam_rng_bytes(&r, data, sizeof data);
        seam_rng_bytes(&r, truth, sizeof truth);
        for (size_t k = 1; k < count; k++) {
            uint32_t start[8];

            memcpy(start, truth, sizeof start);
            memcpy(got, start, sizeof got);
            v[k].blocks(got, data, blocks);
            v[0].blocks(start, data, blocks);
            ck_assert_mem_eq(got, start, sizeof got);
        }
    }
}

/* The reference vectors of SipHash-2-4-128: key 00 01 .. 0f, message 00 01 .. (n-1).               */
static void test_siphash128_reference_vectors(void)
{
    static const struct {
        size_t n;
        const char *hex;
    } known[] = {
        {0, "a3817f04ba25a8e66df67214c7550293"},  {1, "da87c1d86b99af44347659119b22fc45"},
        {2, "8177228da4a45dc7fca38bdef60affe4"},  {3, "9c70b60c5267a94e5f33b6b02985ed51"},
        {7, "a1f1ebbed8dbc153c0b84aa61ff08239"},  {8, "3b62a9ba6258f5610f83e264f31497b4"},
        {15, "5493e99933b0a8117e08ec0f97cfc3d9"},
    };
    uint8_t message[64], bytes[16];
    char hex[33];

    for (size_t i = 0; i < sizeof message; i++) message[i] = (uint8_t)i;
    for (size_t i = 0; i < SEAM_ARRAY_LEN(known); i++) {
        struct seam_hash128 h = seam_siphash128(message, known[i].n);

        memcpy(bytes, &h.lo, 8);
        memcpy(bytes + 8, &h.hi, 8);
        hex_of(bytes, 16, hex);
        ck_assert_str_eq(hex, known[i].hex);
    }
}

static void test_digest_is_a_multiset_hash(void)
{
    struct seam_digest a = {0}, b = {0}, part = {0};
    struct seam_rng r;
    struct seam_hash128 h[100];

    seam_rng_seed(&r, test_seed());
    for (size_t i = 0; i < 100; i++) {
        uint64_t v = seam_rng_u64(&r);

        h[i] = seam_siphash128(&v, sizeof v);
        seam_digest_add(&a, h[i]);
    }
    for (size_t i = 100; i-- > 0;) seam_digest_add(i % 2 ? &b : &part, h[i]);
    seam_digest_merge(&b, &part);
    ck_assert(seam_digest_equal(&a, &b));
    seam_digest_add(&b, h[7]);
    seam_digest_add(&b, h[7]); /* twice: an exclusive or would not see it */
    ck_assert(!seam_digest_equal(&a, &b));
    seam_digest_remove(&b, h[7]);
    seam_digest_remove(&b, h[7]);
    ck_assert(seam_digest_equal(&a, &b));
    seam_digest_remove(&b, h[1]);
    seam_digest_add(&b, seam_siphash128("other", 5));
    ck_assert_uint_eq(a.count, b.count);
    ck_assert(!seam_digest_equal(&a, &b));
}

/* Good enough for tables: flipping one input bit changes about half the output bits, at every size. */
static void test_hash_set_holds_what_was_added(void)
{
    struct seam_hash_set s = {0};

    ck_assert(!seam_hash_set_has(&s, (struct seam_hash128){1, 2}));
    for (uint64_t i = 0; i < 20000; i++) /* colliding places, and zero, which marks a free slot */
        ck_assert(seam_hash_set_add(&s, (struct seam_hash128){i % 7 * 4096, i}));
    ck_assert(seam_hash_set_add(&s, (struct seam_hash128){0, 0}));
    for (uint64_t i = 0; i < 20000; i++) {
        ck_assert(seam_hash_set_has(&s, (struct seam_hash128){i % 7 * 4096, i}));
        ck_assert(!seam_hash_set_has(&s, (struct seam_hash128){i % 7 * 4096, i + 20000}));
    }
    ck_assert(seam_hash_set_add(&s, (struct seam_hash128){4096, 1})); /* again */
    ck_assert_uint_eq(s.count, 20000);
    seam_hash_set_free(&s);
    ck_assert(!seam_hash_set_has(&s, (struct seam_hash128){4096, 1}));
}

static void test_hash64_spreads(void)
{
    uint8_t data[80];
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    for (size_t n = 1; n <= sizeof data; n++) {
        uint64_t flipped = 0, trials = 0;

        for (int i = 0; i < 40; i++) {
            size_t bit;
            uint64_t before;

            seam_rng_bytes(&r, data, n);
            bit = seam_rng_below(&r, n * 8);
            before = seam_hash64(data, n, 1);
            data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            flipped += (uint64_t)__builtin_popcountll(before ^ seam_hash64(data, n, 1));
            trials += 64;
        }
        ck_assert_msg(flipped * 100 > trials * 42 && flipped * 100 < trials * 58, "size %zu", n);
    }
    ck_assert_uint_ne(seam_hash64("", 0, 1), seam_hash64("", 0, 2));
    ck_assert_uint_ne(seam_hash64("\0", 1, 1), seam_hash64("\0\0", 2, 1));
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_crc32c_known_answers),          T(test_crc32c_variants_agree),
        T(test_sha256_known_answers),          T(test_sha256_variants_agree),
        T(test_siphash128_reference_vectors),  T(test_digest_is_a_multiset_hash),
        T(test_hash_set_holds_what_was_added), T(test_hash64_spreads),
    };

    return run_tests("checksums", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
