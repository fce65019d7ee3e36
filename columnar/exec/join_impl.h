/* join_impl - what building (join.c) and probing (join_probe.c) a join's table share. Private to the room. */
#ifndef SEAM_COLUMNAR_JOIN_IMPL_H
#define SEAM_COLUMNAR_JOIN_IMPL_H

#include <string.h>

#include "columnar/exec/plan.h"
#include "engine/base/hash.h"

#define JOIN_SEED UINT64_C(0x9e3779b97f4a7c15)
#define JOIN_NULL UINT64_C(0x2545f4914f6cdd1d)

struct columnar_join_table {
    const struct columnar_plan *p;
    struct columnar_coldata rows; /* the right side's columns, then its keys */
    uint64_t *hashes;
    uint32_t *heads, *next; /* 1 + row; chains */
    size_t cap;
    uint32_t *direct; /* 1 + row of key lo + i; NULL: not of that kind */
    int64_t lo;
    uint64_t span;
    struct columnar_text_ref **refs; /* of the right side's text columns, for dictionary vectors */
    uint8_t *matched;                /* FULL: right rows that had a match */
    bool has_null;                   /* a key is null, in this share or another */
    uint64_t all_rows;               /* of all shares */
    bool whole;                      /* the only share */
    uint32_t from, to;               /* its buckets */
};

static inline struct columnar_text_ref columnar_join_text(const struct columnar_coldata_column *c,
                                                          size_t row)
{
    uint64_t from = row == 0 ? 0 : c->ends[row - 1];

    if (c->nulls != NULL && seam_bitset_get(c->nulls, row))
        return (struct columnar_text_ref){"", 0};
    return (struct columnar_text_ref){c->text == NULL ? "" : c->text + from,
                                      (uint32_t)(c->ends[row] - from)};
}

static inline uint64_t columnar_join_mix(uint64_t h, uint64_t v)
{
    __uint128_t m = (__uint128_t)(h ^ v) * UINT64_C(0xd6e8feb86659fd93);

    h = (uint64_t)m ^ (uint64_t)(m >> 64);
    return h ^ h >> 29;
}

static inline uint64_t columnar_join_mix_text(uint64_t h, struct columnar_text_ref t)
{
    uint64_t word;
    uint32_t n = t.len;

    for (; n >= 8; n -= 8, t.s += 8) {
        memcpy(&word, t.s, 8);
        h = columnar_join_mix(h, word);
    }
    word = 0;
    if (n > 0) memcpy(&word, t.s, n);
    return columnar_join_mix(h, word ^ (uint64_t)t.len << 56);
}

/* Equal doubles have equal bits here: -0 is 0, every NaN is one. */
static inline uint64_t columnar_join_double(double d)
{
    uint64_t bits;

    if (d == 0) d = 0;
    if (d != d) return UINT64_C(0x7ff8000000000000);
    memcpy(&bits, &d, 8);
    return d == 0 ? 0 : bits;
}

static inline uint32_t columnar_join_bucket(uint64_t hash)
{
    return (uint32_t)(hash >> 52); /* of JOIN_BUCKETS */
}

/* The hash of each row's keys; no_key (may be NULL): a bit where a null equals nothing. */
void columnar_join_hash(const struct columnar_plan *p, const struct columnar_vec *keys,
                        uint32_t rows, uint64_t *hashes, uint64_t *no_key);

#endif
