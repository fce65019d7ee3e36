/* Measures held to values worked out by hand, and to trec_eval's rules on ties and unjudged documents. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/relevance/eval.h"
#include "tests/common/check_main.h"

#define NEAR(a, b)                                                                                 \
    ck_assert_msg(fabs((a) - (b)) < 1e-9, "%s = %.12f, want %.12f", #a, (double)(a), (double)(b))

static struct eval_qrels *example(void)
{
    struct eval_qrels *q = NULL;

    ASSERT_OK(eval_qrels_new(&q), NULL);
    ASSERT_OK(eval_qrels_add(q, "1", "a", 3, NULL), NULL);
    ASSERT_OK(eval_qrels_add(q, "1", "b", 2, NULL), NULL);
    ASSERT_OK(eval_qrels_add(q, "1", "c", 0, NULL), NULL);
    ASSERT_OK(eval_qrels_add(q, "1", "d", 1, NULL), NULL);
    ASSERT_OK(eval_qrels_add(q, "2", "x", 1, NULL), NULL);
    return q;
}

/* Query 1 ranked c b u a; u is not judged. By hand:
 *   DCG  = 0/1 + 2/log2(3) + 0/2 + 3/log2(5)    = 1.2618595071 + 1.2920296743 = 2.5538891815
 *   IDCG = 3/1 + 2/log2(3) + 1/2                 = 4.7618595071      nDCG = 0.5363223930
 *   2^g-1: 3/log2(3) + 7/log2(5) = 1.8927892607 + 3.0147359068; ideal 7 + 3/log2(3) + 1/2 = 9.3927892607
 *   first relevant at 2: MRR 1/2; P@5 = 2/5; recall 2/3; AP = (1/2 + 2/4)/3 = 1/3                   */
static void test_one_query_by_hand(void)
{
    struct eval_qrels *q = example();
    struct eval_run *r = NULL;
    struct eval_result e;

    ASSERT_OK(eval_run_new("hand", &r), NULL);
    ASSERT_OK(eval_run_add(r, "1", "a", 1.0), NULL);
    ASSERT_OK(eval_run_add(r, "1", "c", 9.0), NULL);
    ASSERT_OK(eval_run_add(r, "1", "u", 2.0), NULL);
    ASSERT_OK(eval_run_add(r, "1", "b", 3.5), NULL);
    ASSERT_OK(eval_run(q, r, NULL, &e), NULL);
    ck_assert_uint_eq(e.count, 1); /* query 2 is not in the run */
    NEAR(e.mean.ndcg, 2.5538891814 / 4.7618595071);
    NEAR(e.mean.ndcg_exp, (3 / log2(3) + 7 / log2(5)) / (7 + 3 / log2(3) + 0.5));
    NEAR(e.mean.mrr, 0.5);
    NEAR(e.mean.p, 0.4);
    NEAR(e.mean.recall, 2.0 / 3.0);
    NEAR(e.mean.map, 1.0 / 3.0);
    NEAR(e.mean.judged, 0.75);
    eval_result_free(&e);
    /* Judged documents only: c b a. */
    ASSERT_OK(eval_run(q, r, &(struct eval_options){.judged_only = true}, &e), NULL);
    NEAR(e.mean.ndcg, (2 / log2(3) + 1.5) / 4.7618595071);
    NEAR(e.mean.map, (0.5 + 2.0 / 3.0) / 3.0);
    eval_result_free(&e);
    /* With the missing query as zero, every mean halves. */
    ASSERT_OK(eval_run(q, r, &(struct eval_options){.complete = true}, &e), NULL);
    ck_assert_uint_eq(e.count, 2);
    NEAR(e.mean.mrr, 0.25);
    eval_result_free(&e);
    /* Relevant from grade 3, gains from grade 2 (3 -> 2, 2 -> 1), cut at 2. */
    ASSERT_OK(
        eval_run(q, r, &(struct eval_options){.relevant_from = 3, .gain_from = 2, .ndcg_k = 2}, &e),
        NULL);
    NEAR(e.mean.mrr, 0.25);
    NEAR(e.mean.ndcg, (1 / log2(3)) / (2 + 1 / log2(3)));
    eval_result_free(&e);
    eval_run_free(r);
    eval_qrels_free(q);
}

/* trec_eval keeps scores as floats and puts the greater docno first among equals. */
static void test_ties_go_to_the_greater_docno(void)
{
    struct eval_qrels *q = example();
    struct eval_run *r = NULL;
    struct eval_result e;
    struct seam_buf b = {0};

    ASSERT_OK(eval_run_new("ties", &r), NULL);
    ASSERT_OK(eval_run_add(r, "1", "a", 1.00000001), NULL);
    ASSERT_OK(eval_run_add(r, "1", "c", 1.0), NULL);
    ASSERT_OK(eval_run_add(r, "1", "10", 1.0), NULL);
    eval_run_to_text(r, &b);
    ck_assert_str_eq(seam_buf_cstr(&b), "1 Q0 c 1 1 ties\n1 Q0 a 2 1 ties\n1 Q0 10 3 1 ties\n");
    ASSERT_OK(eval_run(q, r, NULL, &e), NULL);
    NEAR(e.mean.mrr, 0.5);
    eval_result_free(&e);
    seam_buf_free(&b);
    eval_run_free(r);
    eval_qrels_free(q);
}

static void test_ranked_ids_keep_their_order(void)
{
    static const uint64_t ids[] = {7, 70, 3};
    struct eval_run *r = NULL;
    struct seam_buf b = {0};

    ASSERT_OK(eval_run_new("my run", &r), NULL);
    ASSERT_OK(eval_run_add_ranked(r, "q1", ids, 3), NULL);
    eval_run_to_text(r, &b);
    ck_assert_str_eq(seam_buf_cstr(&b),
                     "q1 Q0 7 1 3 my_run\nq1 Q0 70 2 2 my_run\nq1 Q0 3 3 1 my_run\n");
    seam_buf_free(&b);
    eval_run_free(r);
}

static void write_file(const char *name, const char *text, char path[SEAM_PATH_MAX_BYTES])
{
    struct seam_fault f = {0};

    ASSERT_OK(seam_path_join(path, test_dir(), name, &f), &f);
    ASSERT_OK(seam_io_write_atomic(seam_io_posix(), path, text, strlen(text), &f), &f);
}

static void test_files_round_trip_and_bad_lines_are_named(void)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct eval_qrels *q = NULL;
    struct eval_run *r = NULL;
    struct seam_fault f = {0};
    struct seam_buf b = {0};

    write_file("qrels", "1 0 a 3\n1\t0\tb\t-1\n\n2 0 a 0\n", path);
    ASSERT_OK(eval_qrels_read(seam_io_posix(), path, &q, &f), &f);
    ck_assert_uint_eq(eval_qrels_queries(q), 2);
    ck_assert_uint_eq(eval_qrels_pairs(q), 3);
    ck_assert_int_eq(eval_qrels_grade(q, "1", "a"), 3);
    ck_assert_int_eq(eval_qrels_grade(q, "1", "b"), 0);
    ck_assert_int_eq(eval_qrels_grade(q, "2", "b"), -1);
    ck_assert_int_eq(eval_qrels_grade(q, "9", "a"), -1);
    eval_qrels_free(q);
    q = NULL;
    write_file("twice", "1 0 a 3\n1 0 a 2\n", path);
    ASSERT_STATUS(eval_qrels_read(seam_io_posix(), path, &q, &f), SEAM_EXISTS);
    ck_assert_uint_eq(f.at, 2);
    seam_fault_clear(&f);
    write_file("short", "1 0 a\n", path);
    ASSERT_STATUS(eval_qrels_read(seam_io_posix(), path, &q, &f), SEAM_INVALID);
    seam_fault_clear(&f);
    write_file("grade", "1 0 a many\n", path);
    ASSERT_STATUS(eval_qrels_read(seam_io_posix(), path, &q, &f), SEAM_INVALID);
    seam_fault_clear(&f);
    write_file("run", "1 Q0 a 1 2.5 t\n1 Q0 b 2 1.25 t\n", path);
    ASSERT_OK(eval_run_read(seam_io_posix(), path, &r, &f), &f);
    eval_run_to_text(r, &b);
    ck_assert_str_eq(seam_buf_cstr(&b), "1 Q0 a 1 2.5 t\n1 Q0 b 2 1.25 t\n");
    eval_run_free(r);
    r = NULL;
    write_file("bad", "1 Q0 a 1 high t\n", path);
    ASSERT_STATUS(eval_run_read(seam_io_posix(), path, &r, &f), SEAM_INVALID);
    ck_assert_uint_eq(f.at, 1);
    seam_buf_free(&b);
}

/* Three queries, all better by the same: of 8 sign choices 2 are as far, so p = 1/4. */
static void test_significance(void)
{
    static const double a[] = {0.1, 0.2, 0.3, 0.4}, b[] = {0.2, 0.3, 0.4, 0.4};
    struct eval_comparison c;

    eval_compare(a, b, 4, 20000, 1, &c);
    ck_assert_uint_eq(c.wins, 3);
    ck_assert_uint_eq(c.ties, 1);
    ck_assert_uint_eq(c.losses, 0);
    NEAR(c.mean_difference, 0.075);
    ck_assert(fabs(c.p_randomization - 0.25) < 0.02);
    ck_assert(c.low >= 0.0 && c.low < 0.075 && c.high > 0.075 && c.high <= 0.1 + 1e-9);
    eval_compare(a, a, 4, 100, 1, &c);
    NEAR(c.p_randomization, 1.0);
    eval_compare(a, b, 0, 100, 1, &c);
    NEAR(c.p_randomization, 1.0);
}

static const struct named_test tests[] = {
    T(test_one_query_by_hand),
    T(test_ties_go_to_the_greater_docno),
    T(test_ranked_ids_keep_their_order),
    T(test_files_round_trip_and_bad_lines_are_named),
    T(test_significance),
};

int main(int argc, char **argv)
{
    return run_tests("eval", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
