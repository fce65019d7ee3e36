/* inflate - the blocks of a gzip stream, decoded into a window, with its checksum held. */
#include "engine/io/inflate.h"

#include <stdlib.h>

#include "engine/base/bytes.h"
#include "engine/io/inflate_tables.h"

enum {
    INPUT_SIZE = 64 << 10,
    HISTORY = 32 << 10, /* how far back a match may reach */
    WINDOW_SIZE = 256 << 10,
    MATCH_MAX = 258,
    FAST_INPUT = 16,             /* input bytes one turn of the inner loop may look at */
    FAST_OUTPUT = MATCH_MAX + 16 /* output bytes it may write, counting the copy's overshoot */
};

enum seam_state { S_MEMBER, S_BLOCK, S_STORED, S_CODES, S_TRAILER, S_END };

struct seam_inflate {
    struct seam_inflate_input input;
    enum seam_state state;
    bool last_block, any_member, input_ended;

    /* bits: the next `bits` bits of the stream, lowest first */
    uint64_t bit_buffer;
    unsigned bits;
    const uint8_t *in, *in_end;
    uint64_t in_offset; /* of in_end within the file */

    uint8_t *window;
    size_t out;    /* bytes decoded into the window        */
    size_t given;  /* of which the caller has had          */
    size_t summed; /* and of which crc and length know     */
    uint32_t crc;
    uint32_t member_size;
    size_t history; /* bytes of this member in the window before `out` */
    size_t stored_left;

    struct seam_inflate_tables tables;
    struct seam_crc32_tables crc_tables;
    uint8_t in_buffer[INPUT_SIZE + 8];
};

static enum seam_status corrupt(struct seam_inflate *z, struct seam_fault *f, const char *why)
{
    uint64_t at = z->in_offset - (uint64_t)(z->in_end - z->in) - z->bits / 8;

    return seam_fault_set(f, SEAM_CORRUPT, z->input.where, at, "not a sound gzip file: %s", why);
}

/* ---- input ---- */

/* Keeps what is unread and reads more behind it.                                                 */
static enum seam_status refill(struct seam_inflate *z, struct seam_fault *f)
{
    size_t left = (size_t)(z->in_end - z->in);
    size_t got = 0;
    enum seam_status st;

    if (z->input_ended) return SEAM_OK;
    memmove(z->in_buffer, z->in, left);
    z->in = z->in_buffer;
    z->in_end = z->in_buffer + left;
    st = z->input.fill(z->input.ctx, z->in_buffer + left, INPUT_SIZE - left, &got, f);
    if (st != SEAM_OK) return st;
    z->input_ended = got == 0;
    z->in_end += got;
    z->in_offset += got;
    return SEAM_OK;
}

/* At least `n` bits (n <= 32) in the bit buffer.                                                 */
static enum seam_status need_bits(struct seam_inflate *z, unsigned n, struct seam_fault *f)
{
    while (z->bits < n) {
        if (z->in == z->in_end) {
            enum seam_status st = refill(z, f);

            if (st != SEAM_OK) return st;
            if (z->in == z->in_end) return corrupt(z, f, "it ends too early");
        }
        z->bit_buffer |= (uint64_t)*z->in++ << z->bits;
        z->bits += 8;
    }
    return SEAM_OK;
}

static uint32_t take_bits(struct seam_inflate *z, unsigned n)
{
    uint32_t v = (uint32_t)(z->bit_buffer & ((1ull << n) - 1));

    z->bit_buffer >>= n;
    z->bits -= n;
    return v;
}

static enum seam_status read_bits(struct seam_inflate *z, unsigned n, uint32_t *out,
                                  struct seam_fault *f)
{
    enum seam_status st = need_bits(z, n, f);

    if (st == SEAM_OK) *out = take_bits(z, n);
    return st;
}

static void align_to_byte(struct seam_inflate *z)
{
    take_bits(z, z->bits % 8);
}

/* ---- members ---- */

enum { FLAG_CRC = 2, FLAG_EXTRA = 4, FLAG_NAME = 8, FLAG_COMMENT = 16, FLAG_RESERVED = 0xe0 };

static enum seam_status skip_string(struct seam_inflate *z, struct seam_fault *f)
{
    uint32_t c = 1;
    enum seam_status st = SEAM_OK;

    while (st == SEAM_OK && c != 0) st = read_bits(z, 8, &c, f);
    return st;
}

static enum seam_status skip_bytes(struct seam_inflate *z, uint32_t n, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;
    uint32_t c;

    while (st == SEAM_OK && n-- > 0) st = read_bits(z, 8, &c, f);
    return st;
}

/* True at the end of the input; zero bytes after the last member are padding, as gzip has it.    */
static enum seam_status at_input_end(struct seam_inflate *z, bool *ended, struct seam_fault *f)
{
    for (;;) {
        if (z->bits == 0 && z->in == z->in_end) {
            enum seam_status st = refill(z, f);

            if (st != SEAM_OK) return st;
            if (z->in == z->in_end) {
                *ended = true;
                return SEAM_OK;
            }
        }
        *ended = false;
        if (!z->any_member || (z->bits > 0 ? (z->bit_buffer & 0xff) : *z->in) != 0) return SEAM_OK;
        if (z->bits > 0)
            take_bits(z, 8);
        else
            z->in++;
    }
}

static enum seam_status read_member_header(struct seam_inflate *z, struct seam_fault *f)
{
    uint32_t magic = 0, method = 0, flags = 0, v = 0;
    bool ended;
    enum seam_status st = at_input_end(z, &ended, f);

    if (st != SEAM_OK) return st;
    if (ended && z->any_member) {
        z->state = S_END;
        return SEAM_OK;
    }
    st = read_bits(z, 16, &magic, f);
    if (st == SEAM_OK) st = read_bits(z, 8, &method, f);
    if (st == SEAM_OK) st = read_bits(z, 8, &flags, f);
    if (st != SEAM_OK) return st;
    if (magic != 0x8b1f)
        return corrupt(z, f, z->any_member ? "something else follows" : "no gzip magic");
    if (method != 8) return corrupt(z, f, "unknown compression method");
    if ((flags & FLAG_RESERVED) != 0) return corrupt(z, f, "reserved flags are set");
    st = skip_bytes(z, 6, f); /* time, extra flags, operating system */
    if (st == SEAM_OK && (flags & FLAG_EXTRA) != 0) {
        st = read_bits(z, 16, &v, f);
        if (st == SEAM_OK) st = skip_bytes(z, v, f);
    }
    if (st == SEAM_OK && (flags & FLAG_NAME) != 0) st = skip_string(z, f);
    if (st == SEAM_OK && (flags & FLAG_COMMENT) != 0) st = skip_string(z, f);
    if (st == SEAM_OK && (flags & FLAG_CRC) != 0) st = skip_bytes(z, 2, f);
    if (st != SEAM_OK) return st;
    z->any_member = true;
    z->last_block = false;
    z->crc = 0;
    z->member_size = 0;
    z->history = 0;
    z->state = S_BLOCK;
    return SEAM_OK;
}

static void add_to_sums(struct seam_inflate *z)
{
    z->crc = seam_crc32_update(&z->crc_tables, z->crc, z->window + z->summed, z->out - z->summed);
    z->member_size += (uint32_t)(z->out - z->summed);
    z->summed = z->out;
}

static enum seam_status read_trailer(struct seam_inflate *z, struct seam_fault *f)
{
    uint32_t crc = 0, size = 0;
    enum seam_status st;

    add_to_sums(z);
    align_to_byte(z);
    st = read_bits(z, 32, &crc, f);
    if (st == SEAM_OK) st = read_bits(z, 32, &size, f);
    if (st != SEAM_OK) return st;
    if (crc != z->crc) return corrupt(z, f, "its CRC-32 does not match its content");
    if (size != z->member_size) return corrupt(z, f, "its length does not match its content");
    z->state = S_MEMBER;
    return SEAM_OK;
}

/* ---- blocks ---- */

/* The entry for the next code, reading only the bits it has: at the end of the input there are no
 * more.                                                                                          */
static enum seam_status next_entry(struct seam_inflate *z, const uint32_t *table,
                                   unsigned table_bits, uint32_t *entry, struct seam_fault *f)
{
    for (;;) {
        uint32_t e = table[z->bit_buffer & ((1u << table_bits) - 1)];
        enum seam_status st;

        if ((e & SEAM_ENTRY_SUBTABLE) != 0)
            e = table[(e >> 16) + (z->bit_buffer >> table_bits & ((1u << (e >> 8 & 0xf)) - 1))];
        if (e != 0 && (e & 0xff) <= z->bits) {
            *entry = e;
            return SEAM_OK;
        }
        if (z->bits >= 28) return corrupt(z, f, "an unassigned code");
        st = need_bits(z, z->bits + 1, f);
        if (st != SEAM_OK) return st;
    }
}

static enum seam_status read_code_lengths(struct seam_inflate *z, unsigned count, uint8_t *lengths,
                                          struct seam_fault *f)
{
    unsigned n = 0;

    while (n < count) {
        uint32_t entry = 0, symbol, extra = 0;
        unsigned repeat = 1;
        uint8_t what;
        enum seam_status st = next_entry(z, z->tables.lengths, SEAM_LENGTHS_BITS, &entry, f);

        if (st != SEAM_OK) return st;
        take_bits(z, entry & 0xff);
        symbol = entry >> 16;
        what = symbol < 16 ? (uint8_t)symbol : 0;
        if (symbol == 16) {
            if (n == 0) return corrupt(z, f, "a repeat with nothing before it");
            what = lengths[n - 1];
            st = read_bits(z, 2, &extra, f);
            repeat = 3 + extra;
        } else if (symbol == 17) {
            st = read_bits(z, 3, &extra, f);
            repeat = 3 + extra;
        } else if (symbol == 18) {
            st = read_bits(z, 7, &extra, f);
            repeat = 11 + extra;
        }
        if (st != SEAM_OK) return st;
        if (repeat > count - n) return corrupt(z, f, "code lengths past their number");
        memset(lengths + n, what, repeat);
        n += repeat;
    }
    return SEAM_OK;
}

static enum seam_status read_dynamic_codes(struct seam_inflate *z, struct seam_fault *f)
{
    static const uint8_t order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                      11, 4,  12, 3, 13, 2, 14, 1, 15};
    uint8_t lengths[SEAM_LITLEN_SYMBOLS + SEAM_DISTANCE_SYMBOLS] = {0}, code_lengths[19] = {0};
    uint32_t litlens = 0, distances = 0, codes = 0, v = 0;
    enum seam_status st;

    st = read_bits(z, 5, &litlens, f);
    if (st == SEAM_OK) st = read_bits(z, 5, &distances, f);
    if (st == SEAM_OK) st = read_bits(z, 4, &codes, f);
    if (st != SEAM_OK) return st;
    litlens += 257;
    distances += 1;
    if (litlens > 286 || distances > 30) return corrupt(z, f, "too many codes in a block");
    for (unsigned i = 0; i < codes + 4; i++) {
        st = read_bits(z, 3, &v, f);
        if (st != SEAM_OK) return st;
        code_lengths[order[i]] = (uint8_t)v;
    }
    if (!seam_inflate_build_lengths(&z->tables, code_lengths))
        return corrupt(z, f, "an impossible code length code");
    st = read_code_lengths(z, litlens + distances, lengths, f);
    if (st != SEAM_OK) return st;
    if (lengths[256] == 0) return corrupt(z, f, "a block without an end");
    if (!seam_inflate_build_litlen(&z->tables, lengths, litlens) ||
        !seam_inflate_build_distance(&z->tables, lengths + litlens, distances))
        return corrupt(z, f, "an impossible code");
    return SEAM_OK;
}

static enum seam_status read_block_header(struct seam_inflate *z, struct seam_fault *f)
{
    uint32_t v = 0, size = 0, check = 0;
    enum seam_status st;

    if (z->last_block) {
        z->state = S_TRAILER;
        return SEAM_OK;
    }
    st = read_bits(z, 3, &v, f);
    if (st != SEAM_OK) return st;
    z->last_block = (v & 1) != 0;
    switch (v >> 1) {
    case 0:
        align_to_byte(z);
        st = read_bits(z, 16, &size, f);
        if (st == SEAM_OK) st = read_bits(z, 16, &check, f);
        if (st != SEAM_OK) return st;
        if ((size ^ check) != 0xffff) return corrupt(z, f, "a stored block's length is damaged");
        z->stored_left = size;
        z->state = S_STORED;
        return SEAM_OK;
    case 1:
        seam_inflate_build_fixed(&z->tables);
        z->state = S_CODES;
        return SEAM_OK;
    case 2: z->state = S_CODES; return read_dynamic_codes(z, f);
    default: return corrupt(z, f, "an unknown kind of block");
    }
}

static enum seam_status copy_stored(struct seam_inflate *z, struct seam_fault *f)
{
    while (z->stored_left > 0 && z->out < WINDOW_SIZE) {
        size_t n = z->stored_left;

        if (z->bits >= 8) {
            z->window[z->out++] = (uint8_t)take_bits(z, 8);
            z->stored_left--;
            continue;
        }
        if (z->in == z->in_end) {
            enum seam_status st = refill(z, f);

            if (st != SEAM_OK) return st;
            if (z->in == z->in_end) return corrupt(z, f, "it ends too early");
        }
        if (n > (size_t)(z->in_end - z->in)) n = (size_t)(z->in_end - z->in);
        if (n > WINDOW_SIZE - z->out) n = WINDOW_SIZE - z->out;
        memcpy(z->window + z->out, z->in, n);
        z->in += n;
        z->out += n;
        z->stored_left -= n;
    }
    if (z->stored_left == 0) z->state = S_BLOCK;
    return SEAM_OK;
}

/* ---- codes ---- */

/* Copies `length` bytes from `distance` back, in steps of 8 or 16; may write up to 15 bytes too
 * far.                                                                                           */
static inline void copy_match(uint8_t *to, size_t distance, size_t length)
{
    const uint8_t *from = to - distance;
    uint8_t *end = to + length;

    if (distance >= 16) {
        for (; to < end; to += 16, from += 16) memcpy(to, from, 16);
    } else if (distance >= 8) {
        for (; to < end; to += 8, from += 8) memcpy(to, from, 8);
    } else if (distance == 1) {
        memset(to, *from, length);
    } else {
        while (to < end) *to++ = *from++;
    }
}

/* Decodes while nothing needs to be checked. Leaves the state at S_CODES when it must hand over to
 * decode_careful(), S_BLOCK at the block's end. Returns false for a malformed stream.            */
static bool decode_fast(struct seam_inflate *z)
{
    const uint32_t *litlen = z->tables.litlen, *distances = z->tables.distance;
    const uint8_t *in = z->in, *in_last = z->in_end - FAST_INPUT;
    uint8_t *window = z->window, *out = window + z->out, *out_last = window + WINDOW_SIZE;
    uint8_t *oldest = out - z->history;
    uint64_t buffer = z->bit_buffer;
    unsigned bits = z->bits;
    bool ok = true;

    while (in <= in_last && out <= out_last) {
        uint32_t e, length, distance;

        /* At least 56 bits: one refill serves two literals, or a match (at most 20 + 28 bits). */
        buffer |= seam_get_u64(in) << bits;
        in += (63 - bits) >> 3;
        bits |= 56;
        e = litlen[buffer & ((1u << SEAM_LITLEN_BITS) - 1)];
        if ((e & SEAM_ENTRY_LITERAL) != 0) {
            buffer >>= e & 0xff;
            bits -= e & 0xff;
            *out++ = (uint8_t)(e >> 16);
            e = litlen[buffer & ((1u << SEAM_LITLEN_BITS) - 1)];
            if ((e & SEAM_ENTRY_LITERAL) != 0) {
                buffer >>= e & 0xff;
                bits -= e & 0xff;
                *out++ = (uint8_t)(e >> 16);
                continue;
            }
            buffer |= seam_get_u64(in) << bits;
            in += (63 - bits) >> 3;
            bits |= 56;
        }
        if ((e & SEAM_ENTRY_SUBTABLE) != 0) {
            e = litlen[(e >> 16) + (buffer >> SEAM_LITLEN_BITS & ((1u << (e >> 8 & 0xf)) - 1))];
            if ((e & SEAM_ENTRY_LITERAL) != 0) {
                buffer >>= e & 0xff;
                bits -= e & 0xff;
                *out++ = (uint8_t)(e >> 16);
                continue;
            }
        }
        if (e == 0) {
            ok = false;
            break;
        }
        /* Bits of the code and of the extra bits together; those of the code alone. */
        length = (e >> 16 & 0x7fff) +
                 (uint32_t)((buffer & ((1ull << (e & 0xff)) - 1)) >> (e >> 8 & 0xf));
        buffer >>= e & 0xff;
        bits -= e & 0xff;
        if ((e & SEAM_ENTRY_END) != 0) {
            z->state = S_BLOCK;
            break;
        }
        e = distances[buffer & ((1u << SEAM_DISTANCE_BITS) - 1)];
        if ((e & SEAM_ENTRY_SUBTABLE) != 0)
            e = distances[(e >> 16) +
                          (buffer >> SEAM_DISTANCE_BITS & ((1u << (e >> 8 & 0xf)) - 1))];
        distance = (e >> 16) + (uint32_t)((buffer & ((1ull << (e & 0xff)) - 1)) >> (e >> 8 & 0xf));
        buffer >>= e & 0xff;
        bits -= e & 0xff;
        if (e == 0 || distance > (size_t)(out - oldest)) {
            ok = false;
            break;
        }
        copy_match(out, distance, length);
        out += length;
    }
    /* Whole bytes that were read ahead go back. */
    in -= bits >> 3;
    bits &= 7;
    z->bit_buffer = buffer & ((1ull << bits) - 1);
    z->bits = bits;
    z->in = in;
    z->history += (size_t)(out - window) - z->out;
    z->out = (size_t)(out - window);
    return ok;
}

/* One symbol at a time with every check, for the edges of the input and of the window.           */
static enum seam_status decode_careful(struct seam_inflate *z, struct seam_fault *f)
{
    uint32_t e = 0, length, distance;
    enum seam_status st = next_entry(z, z->tables.litlen, SEAM_LITLEN_BITS, &e, f);

    if (st != SEAM_OK) return st;
    if ((e & SEAM_ENTRY_LITERAL) != 0) {
        take_bits(z, e & 0xff);
        z->window[z->out++] = (uint8_t)(e >> 16);
        z->history++;
        return SEAM_OK;
    }
    length = (e >> 16 & 0x7fff) + (take_bits(z, e & 0xff) >> (e >> 8 & 0xf));
    if ((e & SEAM_ENTRY_END) != 0) {
        z->state = S_BLOCK;
        return SEAM_OK;
    }
    st = next_entry(z, z->tables.distance, SEAM_DISTANCE_BITS, &e, f);
    if (st != SEAM_OK) return st;
    distance = (e >> 16) + (take_bits(z, e & 0xff) >> (e >> 8 & 0xf));
    if (distance > z->history) return corrupt(z, f, "a match reaches before the start");
    for (uint32_t i = 0; i < length; i++) z->window[z->out + i] = z->window[z->out + i - distance];
    z->out += length;
    z->history += length;
    return SEAM_OK;
}

static enum seam_status decode_codes(struct seam_inflate *z, struct seam_fault *f)
{
    while (z->state == S_CODES && z->out < WINDOW_SIZE) {
        enum seam_status st;

        if (z->in_end - z->in >= FAST_INPUT) {
            if (!decode_fast(z))
                return corrupt(z, f, "an unassigned code, or a match before the start");
            continue;
        }
        if (!z->input_ended) {
            st = refill(z, f);
            if (st != SEAM_OK) return st;
            if (z->in_end - z->in >= FAST_INPUT) continue;
            if (!z->input_ended) continue;
        }
        st = decode_careful(z, f);
        if (st != SEAM_OK) return st;
    }
    return SEAM_OK;
}

/* ---- the stream ---- */

/* Keeps HISTORY bytes in front and makes room behind them.                                       */
static void slide_window(struct seam_inflate *z)
{
    size_t keep = z->out < HISTORY ? z->out : HISTORY;

    add_to_sums(z);
    memmove(z->window, z->window + z->out - keep, keep);
    z->out = z->given = z->summed = keep;
    if (z->history > keep) z->history = keep;
}

static enum seam_status advance(struct seam_inflate *z, struct seam_fault *f)
{
    size_t before = z->out;
    enum seam_status st = SEAM_OK;

    switch (z->state) {
    case S_MEMBER: return read_member_header(z, f);
    case S_BLOCK: return read_block_header(z, f);
    case S_STORED:
        st = copy_stored(z, f);
        z->history += z->out - before;
        return st;
    case S_CODES: return decode_codes(z, f);
    case S_TRAILER: return read_trailer(z, f);
    case S_END: break;
    }
    return st;
}

enum seam_status seam_inflate_open(struct seam_inflate_input input, struct seam_inflate **out)
{
    struct seam_inflate *z = calloc(1, sizeof *z);

    if (z == NULL) return SEAM_NOMEM;
    z->window = malloc(WINDOW_SIZE + FAST_OUTPUT + MATCH_MAX);
    if (z->window == NULL) {
        free(z);
        return SEAM_NOMEM;
    }
    z->input = input;
    z->in = z->in_end = z->in_buffer;
    seam_crc32_build(&z->crc_tables);
    *out = z;
    return SEAM_OK;
}

enum seam_status seam_inflate_read(struct seam_inflate *z, void *p, size_t n, size_t *got,
                                   struct seam_fault *f)
{
    *got = 0;
    while (z->given == z->out && z->state != S_END) {
        enum seam_status st;

        if (z->out >= WINDOW_SIZE) slide_window(z);
        st = advance(z, f);
        if (st != SEAM_OK) return st;
    }
    /* The sums are known only at the member's end: until then a caller acts on unchecked bytes, as
     * with any stream.                                                                           */
    if (n > z->out - z->given) n = z->out - z->given;
    memcpy(p, z->window + z->given, n);
    z->given += n;
    *got = n;
    return SEAM_OK;
}

void seam_inflate_close(struct seam_inflate *z)
{
    if (z == NULL) return;
    free(z->window);
    free(z);
}
