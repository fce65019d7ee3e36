/* groups - the table of groups of one aggregation in one thread, and its accumulators. Private to the room.
 *
 * A group is a number, given at first sight. Keys are kept by column; a hash table finds the number of a
 * key seen before. Accumulators are arrays by group number. Sums of integers are 128-bit.           */
#ifndef SEAM_COLUMNAR_GROUPS_H
#define SEAM_COLUMNAR_GROUPS_H

#include "columnar/exec/plan.h"

/* Distinct (group, value) pairs; text is copied. */
struct distinct_slot { uint64_t hash, value; uint32_t group, used; uint32_t len; };
struct distinct {
    struct distinct_slot *slots; /* TEXT: value = pointer */
    size_t cap, used;
    struct arena text;
    uint64_t *bits;              /* one group, values in [lo, lo + span) */
    int64_t lo;
    uint64_t span;
};

enum { HLL_REGISTERS = 4096 };

struct acc {
    enum agg_op op;
    uint8_t type, scale;         /* of the argument */
    int arg;                     /* position among the distinct arguments; -1: COUNT(*) */
    __int128 *sum;
    double *real;                /* double sums; min and max of doubles */
    uint64_t *count;             /* rows not null; distinct values */
    int64_t *best;               /* min, max */
    struct text_ref *text;
    struct distinct set;
    uint8_t *hll;                /* HLL_REGISTERS a group */
};

struct groups {
    const struct plan *p;
    struct coldata keys;
    uint64_t *hashes;            /* of each group's key */
    uint32_t *slots;             /* 1 + group */
    size_t slot_cap;
    size_t count, cap;
    int n_accs;
    struct acc *accs;
    struct arena text;           /* min/max texts */
};

enum status groups_init(struct groups *g, const struct plan *p, const int *arg_of);
void groups_free(struct groups *g);
uint64_t groups_bytes(const struct groups *g); /* about what it takes */
/* The group of a key given as values; made when new. */
enum status groups_find(struct groups *g, const struct value *keys, uint64_t hash, uint32_t *group);
uint64_t groups_hash(const struct value *keys, int n);

/* n groups at once, whose numbers are their keys' codes: no key is stored or looked up. */
enum status groups_dense(struct groups *g, size_t n);

/* Feeds rows at[0..n) of a vector into an accumulator; group[i] belongs to row at[i]. */
enum status acc_rows(struct groups *g, struct acc *a, const struct vec *v, const uint32_t *at,
                     const uint32_t *group, uint32_t n);
/* Feeds the rows in `mask` (NULL: all n) into one group. v is FLAT or CONST. */
enum status acc_masked(struct groups *g, struct acc *a, const struct vec *v, uint32_t n, const uint64_t *mask,
                       uint32_t chosen, uint32_t group);
/* Adds group `from` of b to group `to` of a; distinct sets are merged by groups_merge_sets. */
enum status acc_merge(struct groups *g, struct acc *a, const struct acc *b, uint32_t to, uint32_t from);
enum status acc_merge_sets(struct groups *g, struct acc *a, const struct acc *b, const uint32_t *to);
enum status acc_result(const struct acc *a, uint32_t group, const struct plan_column *col, struct value *out,
                       struct fault *f);

#endif
