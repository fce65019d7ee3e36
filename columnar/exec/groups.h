/* groups - the table of groups of one aggregation in one thread, and its accumulators. Private to the room.
 *
 * A group is a number, given at first sight. Keys are kept by column; a hash table finds the number of a
 * key seen before. Accumulators are arrays by group number. Sums of integers are 128-bit.           */
#ifndef SEAM_COLUMNAR_GROUPS_H
#define SEAM_COLUMNAR_GROUPS_H

#include "columnar/exec/plan.h"

/* Distinct (group, value) pairs; text is copied. */
struct columnar_distinct_slot {
    uint64_t hash, value;
    uint32_t group, used;
    uint32_t len;
};
struct columnar_distinct {
    struct columnar_distinct_slot *slots; /* TEXT: value = pointer */
    size_t cap, used;
    struct seam_arena text;
    uint64_t *bits; /* one group, values in [lo, lo + span) */
    int64_t lo;
    uint64_t span;
};

enum { HLL_REGISTERS = 4096 };

struct columnar_acc {
    enum columnar_agg_op op;
    uint8_t type, scale; /* of the argument */
    int arg;             /* position among the distinct arguments; -1: COUNT(*) */
    __int128 *sum;
    double *real;    /* double sums; min and max of doubles */
    uint64_t *count; /* rows not null; distinct values */
    int64_t *best;   /* min, max */
    struct columnar_text_ref *text;
    struct columnar_distinct set;
    uint8_t *hll; /* HLL_REGISTERS a group */
};

struct columnar_groups {
    const struct columnar_plan *p;
    struct columnar_coldata keys;
    uint64_t *hashes; /* of each group's key */
    uint32_t *slots;  /* 1 + group */
    size_t slot_cap;
    size_t count, cap;
    int n_accs;
    struct columnar_acc *accs;
    struct seam_arena text; /* min/max texts */
};

enum seam_status columnar_groups_init(struct columnar_groups *g, const struct columnar_plan *p,
                                      const int *arg_of);
void columnar_groups_free(struct columnar_groups *g);
uint64_t columnar_groups_bytes(const struct columnar_groups *g); /* about what it takes */
/* The group of a key given as values; made when new. */
enum seam_status columnar_groups_find(struct columnar_groups *g, const struct seam_value *keys,
                                      uint64_t hash, uint32_t *group);
uint64_t columnar_groups_hash(const struct seam_value *keys, int n);

/* n groups at once, whose numbers are their keys' codes: no key is stored or looked up. */
enum seam_status columnar_groups_dense(struct columnar_groups *g, size_t n);

/* Feeds rows at[0..n) of a vector into an accumulator; group[i] belongs to row at[i]. */
enum seam_status columnar_acc_rows(struct columnar_groups *g, struct columnar_acc *a,
                                   const struct columnar_vec *v, const uint32_t *at,
                                   const uint32_t *group, uint32_t n);
/* Feeds the rows in `mask` (NULL: all n) into one group. v is FLAT or CONST. */
enum seam_status columnar_acc_masked(struct columnar_groups *g, struct columnar_acc *a,
                                     const struct columnar_vec *v, uint32_t n, const uint64_t *mask,
                                     uint32_t chosen, uint32_t group);
/* Adds group `from` of b to group `to` of a; distinct sets are merged by groups_merge_sets. */
enum seam_status columnar_acc_merge(struct columnar_groups *g, struct columnar_acc *a,
                                    const struct columnar_acc *b, uint32_t to, uint32_t from);
enum seam_status columnar_acc_merge_sets(struct columnar_groups *g, struct columnar_acc *a,
                                         const struct columnar_acc *b, const uint32_t *to);
enum seam_status columnar_acc_result(const struct columnar_acc *a, uint32_t group,
                                     const struct columnar_plan_column *col, struct seam_value *out,
                                     struct seam_fault *f);

#endif
