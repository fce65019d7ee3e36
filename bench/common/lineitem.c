#include "bench/common/lineitem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "engine/values/value.h"

const char lineitem_schema[] =
    "{\"table\":\"li\",\"version\":1,\"key\":[],\"columns\":["
    "{\"name\":\"l_orderkey\",\"type\":\"int64\"},{\"name\":\"l_partkey\",\"type\":\"int64\"},"
    "{\"name\":\"l_suppkey\",\"type\":\"int64\"},{\"name\":\"l_linenumber\",\"type\":\"int64\"},"
    "{\"name\":\"l_quantity\",\"type\":\"int64\"},"
    "{\"name\":\"l_extendedprice\",\"type\":\"decimal\",\"scale\":2},"
    "{\"name\":\"l_discount\",\"type\":\"decimal\",\"scale\":2},"
    "{\"name\":\"l_tax\",\"type\":\"decimal\",\"scale\":2},"
    "{\"name\":\"l_returnflag\",\"type\":\"text\"},{\"name\":\"l_linestatus\",\"type\":\"text\"},"
    "{\"name\":\"l_shipdate\",\"type\":\"timestamp\"},{\"name\":\"l_shipmode\",\"type\":\"text\"},"
    "{\"name\":\"l_comment\",\"type\":\"text\"}]}";

const char supplier_schema[] = "{\"table\":\"supp\",\"version\":1,\"key\":[],\"columns\":[{"
                               "\"name\":\"s_suppkey\",\"type\":\"int64\"},"
                               "{\"name\":\"s_nation\",\"type\":\"text\"}]}";

enum { ORDER_DAYS = 2406, SHIP_DAYS = 2526, STATUS_DAY = 1263, PARTS = 200000, SUPPLIERS = 10000 };

struct line {
    uint32_t order, part, supplier, comment, price_cents;
    uint16_t ship_day;
    uint8_t number, quantity, discount, tax, mode;
    char returned, status;
};

static const char *const modes[] = {"AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"};
static const char *const words[] = {
    "carefully", "quickly",      "furiously",    "slyly",     "deposits",    "requests",
    "accounts",  "packages",     "foxes",        "ideas",     "theodolites", "pinto",
    "beans",     "instructions", "dependencies", "excuses",   "platelets",   "asymptotes",
    "courts",    "dolphins",     "multipliers",  "sauternes", "warthogs",    "frets",
    "dinos",     "attainments",  "somas",        "Tiresias",  "patterns",    "forges",
    "braids",    "hockey",       "players",      "express",   "final",       "ironic",
    "regular",   "special",      "pending",      "bold",      "even",        "silent",
    "unusual",   "blithely",     "sleep",        "wake",      "nag",         "haggle",
    "cajole",    "detect",       "integrate",    "boost",     "engage",      "among",
    "above",     "along",        "the",          "about",     "after"};

static void make_lines(struct line *l, uint64_t rows, uint64_t seed)
{
    struct seam_rng r;
    uint32_t order = 0, number = 1, in_order = 1, order_day = 0;

    seam_rng_seed(&r, seed);
    for (uint64_t i = 0; i < rows; i++) {
        struct line *x = &l[i];

        if (number >= in_order || i == 0) {
            order++;
            number = 1;
            in_order = 2 + (uint32_t)seam_rng_below(&r, 7);
            order_day = (uint32_t)seam_rng_below(&r, ORDER_DAYS);
        } else {
            number++;
        }
        x->order = order;
        x->number = (uint8_t)number;
        x->part = 1 + (uint32_t)seam_rng_below(&r, PARTS);
        x->supplier = 1 + (uint32_t)seam_rng_below(&r, SUPPLIERS);
        x->quantity = (uint8_t)(1 + seam_rng_below(&r, 50));
        x->price_cents = x->quantity * (90000 + x->part / 10 % 20001 + 100 * (x->part % 1000));
        x->discount = (uint8_t)seam_rng_below(&r, 11);
        x->tax = (uint8_t)seam_rng_below(&r, 9);
        x->ship_day = (uint16_t)(order_day + 1 + seam_rng_below(&r, 120));
        x->returned = x->ship_day + 1 + seam_rng_below(&r, 30) > STATUS_DAY ? 'N'
                      : seam_rng_below(&r, 2)                               ? 'R'
                                                                            : 'A';
        x->status = x->ship_day > STATUS_DAY ? 'O' : 'F';
        x->mode = (uint8_t)seam_rng_below(&r, 7);
        x->comment = (uint32_t)seam_rng_u64(&r);
    }
}

static int by_day(const void *pa, const void *pb)
{
    const struct line *a = pa, *b = pb;

    if (a->ship_day != b->ship_day) return a->ship_day < b->ship_day ? -1 : 1;
    if (a->order != b->order) return a->order < b->order ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

static size_t comment(uint32_t seed, char *out)
{
    uint64_t state = seed;
    size_t limit = 10 + seam_splitmix64(&state) % 34, n = 0;

    for (;;) {
        const char *w = words[seam_splitmix64(&state) % (sizeof words / sizeof words[0])];
        size_t len = strlen(w);

        if (n + len + 1 > limit) return n;
        if (n > 0) out[n++] = ' ';
        memcpy(out + n, w, len);
        n += len;
    }
}

static void dates(char (*out)[12])
{
    struct seam_civil c = {.year = 1992, .month = 1, .day = 1};
    int64_t first = seam_civil_to_time(&c);

    for (int d = 0; d < SHIP_DAYS + 30; d++) {
        char text[40];

        seam_time_format(first + (int64_t)d * 86400000000, text);
        memcpy(out[d], text, 10);
        out[d][10] = 0;
    }
}

bool lineitem_write(const char *path, uint64_t rows, uint64_t seed, bool sorted)
{
    static char day[SHIP_DAYS + 30][12];
    struct line *l = malloc((rows + 1) * sizeof *l);
    FILE *f = fopen(path, "w");
    bool ok = l != NULL && f != NULL;

    if (ok) {
        dates(day);
        make_lines(l, rows, seed);
        if (sorted) qsort(l, rows, sizeof *l, by_day);
        fputs("l_orderkey,l_partkey,l_suppkey,l_linenumber,l_quantity,l_extendedprice,l_discount,l_"
              "tax,"
              "l_returnflag,l_linestatus,l_shipdate,l_shipmode,l_comment\n",
              f);
    }
    for (uint64_t i = 0; ok && i < rows; i++) {
        const struct line *x = &l[i];
        char text[64];

        text[comment(x->comment, text)] = 0;
        ok = fprintf(f, "%u,%u,%u,%u,%u,%u.%02u,0.%02u,0.%02u,%c,%c,%s,%s,%s\n", x->order, x->part,
                     x->supplier, x->number, x->quantity, x->price_cents / 100,
                     x->price_cents % 100, x->discount, x->tax, x->returned, x->status,
                     day[x->ship_day], modes[x->mode], text) > 0;
    }
    if (f != NULL && fclose(f) != 0) ok = false;
    free(l);
    return ok;
}

bool supplier_write(const char *path, uint64_t seed)
{
    FILE *f = fopen(path, "w");
    struct seam_rng r;

    if (f == NULL) return false;
    seam_rng_seed(&r, seed);
    fputs("s_suppkey,s_nation\n", f);
    for (int i = 1; i <= SUPPLIERS; i++)
        fprintf(f, "%d,NATION %02d\n", i, (int)seam_rng_below(&r, 25));
    return fclose(f) == 0;
}
