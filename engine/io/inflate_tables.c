/* inflate_tables - code lengths to look-up tables, refusing what is no prefix code. */
#include "engine/io/inflate_tables.h"

#include <string.h>

#include "engine/base/bytes.h"

static uint32_t litlen_entry(unsigned symbol)
{
    static const uint16_t base[29] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                      15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                      67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                      2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};

    if (symbol < 256) return SEAM_ENTRY_LITERAL | symbol << 16;
    if (symbol == 256) return SEAM_ENTRY_END;
    if (symbol > 285) return 0;
    return (uint32_t)base[symbol - 257] << 16 | extra[symbol - 257];
}

static uint32_t distance_entry(unsigned symbol)
{
    static const uint16_t base[30] = {
        1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
        193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};

    if (symbol > 29) return 0;
    return (uint32_t)base[symbol] << 16 | (symbol < 4 ? 0 : symbol / 2 - 1);
}

static uint32_t length_entry(unsigned symbol)
{
    return symbol << 16;
}

struct code {
    uint32_t *table;
    size_t capacity;
    unsigned table_bits;
    uint32_t (*entry)(unsigned symbol); /* without the bits of the code */
};

static unsigned reverse(unsigned v, unsigned bits)
{
    unsigned r = 0;

    for (unsigned i = 0; i < bits; i++, v >>= 1) r = r << 1 | (v & 1);
    return r;
}

/* Bits a subtable needs for the codes of `length` and longer that share their first table_bits.  */
static unsigned subtable_bits(const uint16_t *left_of_length, unsigned length, unsigned table_bits)
{
    int room = 1 << (length - table_bits);

    while (length < SEAM_CODE_BITS_MAX) {
        room -= left_of_length[length];
        if (room <= 0) break;
        length++;
        room <<= 1;
    }
    return length - table_bits;
}

/* Gives every symbol its canonical code and its entries; `counts` is by length.                  */
static bool fill_table(const struct code *c, const uint8_t *lengths, unsigned count,
                       uint16_t counts[SEAM_CODE_BITS_MAX + 1])
{
    unsigned code = 0, prefix = ~0u, sub_bits = 0;
    size_t sub_start = 0, next_free = (size_t)1 << c->table_bits;

    for (unsigned length = 1; length <= SEAM_CODE_BITS_MAX; length++, code <<= 1) {
        for (unsigned symbol = 0; symbol < count; symbol++) {
            uint32_t e;
            unsigned reversed;

            if (lengths[symbol] != length) continue;
            e = c->entry(symbol);
            /* Code bits, and bits to drop: symbols that must not occur keep a 0 entry. */
            if (e != 0 || c->entry == length_entry) e += length << 8 | length;
            reversed = reverse(code, length);
            if (length <= c->table_bits) {
                for (size_t i = reversed; i < (size_t)1 << c->table_bits; i += (size_t)1 << length)
                    c->table[i] = e;
            } else {
                if ((reversed & ((1u << c->table_bits) - 1)) != prefix) {
                    prefix = reversed & ((1u << c->table_bits) - 1);
                    sub_bits = subtable_bits(counts, length, c->table_bits);
                    sub_start = next_free;
                    next_free += (size_t)1 << sub_bits;
                    if (next_free > c->capacity) return false;
                    memset(c->table + sub_start, 0, sizeof *c->table << sub_bits);
                    c->table[prefix] =
                        SEAM_ENTRY_SUBTABLE | (uint32_t)sub_start << 16 | sub_bits << 8;
                }
                /* Within a subtable the extra bits still begin after the whole code. */
                for (size_t i = reversed >> c->table_bits; i < (size_t)1 << sub_bits;
                     i += (size_t)1 << (length - c->table_bits))
                    c->table[sub_start + i] = e;
            }
            counts[length]--;
            code++;
        }
    }
    return true;
}

static bool build(const struct code *c, const uint8_t *lengths, unsigned count,
                  bool may_be_incomplete)
{
    uint16_t counts[SEAM_CODE_BITS_MAX + 1] = {0};
    int left = 1;
    unsigned used = 0;

    for (unsigned i = 0; i < count; i++) counts[lengths[i]]++;
    counts[0] = 0;
    for (unsigned length = 1; length <= SEAM_CODE_BITS_MAX; length++) {
        left = (left << 1) - counts[length];
        used += counts[length];
        if (left < 0) return false;
    }
    if (left > 0 && !(may_be_incomplete && used <= 1)) return false;
    memset(c->table, 0, sizeof *c->table << c->table_bits);
    return fill_table(c, lengths, count, counts);
}

bool seam_inflate_build_litlen(struct seam_inflate_tables *t, const uint8_t *lengths,
                               unsigned count)
{
    struct code c = {t->litlen, SEAM_LITLEN_TABLE, SEAM_LITLEN_BITS, litlen_entry};

    t->fixed = false;
    return build(&c, lengths, count, true);
}

bool seam_inflate_build_distance(struct seam_inflate_tables *t, const uint8_t *lengths,
                                 unsigned count)
{
    struct code c = {t->distance, SEAM_DISTANCE_TABLE, SEAM_DISTANCE_BITS, distance_entry};

    t->fixed = false;
    return build(&c, lengths, count, true);
}

bool seam_inflate_build_lengths(struct seam_inflate_tables *t, const uint8_t lengths[19])
{
    struct code c = {t->lengths, 1 << SEAM_LENGTHS_BITS, SEAM_LENGTHS_BITS, length_entry};

    return build(&c, lengths, 19, false);
}

void seam_inflate_build_fixed(struct seam_inflate_tables *t)
{
    uint8_t lengths[SEAM_LITLEN_SYMBOLS], distances[SEAM_DISTANCE_SYMBOLS];

    if (t->fixed) return;
    for (unsigned i = 0; i < SEAM_LITLEN_SYMBOLS; i++)
        lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    memset(distances, 5, sizeof distances);
    (void)seam_inflate_build_litlen(t, lengths, SEAM_LITLEN_SYMBOLS);
    (void)seam_inflate_build_distance(t, distances, SEAM_DISTANCE_SYMBOLS);
    t->fixed = true;
}

/* ---- CRC-32 ---- */

void seam_crc32_build(struct seam_crc32_tables *c)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t v = i;

        for (int k = 0; k < 8; k++) v = v >> 1 ^ ((v & 1) != 0 ? 0xedb88320u : 0);
        c->t[0][i] = v;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int k = 1; k < 8; k++)
            c->t[k][i] = c->t[k - 1][i] >> 8 ^ c->t[0][c->t[k - 1][i] & 0xff];
    }
}

uint32_t seam_crc32_update(const struct seam_crc32_tables *c, uint32_t crc, const void *data,
                           size_t n)
{
    const uint8_t *p = data;

    crc = ~crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t lo = seam_get_u32(p) ^ crc, hi = seam_get_u32(p + 4);

        crc = c->t[7][lo & 0xff] ^ c->t[6][lo >> 8 & 0xff] ^ c->t[5][lo >> 16 & 0xff] ^
              c->t[4][lo >> 24] ^ c->t[3][hi & 0xff] ^ c->t[2][hi >> 8 & 0xff] ^
              c->t[1][hi >> 16 & 0xff] ^ c->t[0][hi >> 24];
    }
    for (; n > 0; n--) crc = crc >> 8 ^ c->t[0][(crc ^ *p++) & 0xff];
    return ~crc;
}
