/* agreement - what the pipeline's tests share: a small platform with the shipped catalogue, its parts as child
 * processes that may be killed, and the question whether every store equals the source.            */
#ifndef SEAM_TESTS_PIPELINE_AGREEMENT_H
#define SEAM_TESTS_PIPELINE_AGREEMENT_H

#include <sys/types.h>

#include "pipeline/platform.h"
#include "tests/common/check_main.h"

/* An empty platform of the shipped shop in test_dir()/NAME; fails the test on any error.             */
void shop_create(const char *name, struct platform *p);
/* The same with a log of small segments, of which the relay's slot may hold back few.                */
void shop_create_small_log(const char *name, struct platform *p);
/* The shipped catalogue, then `orders` generated ones.                                              */
void shop_fill(const struct platform *p, uint64_t orders, uint64_t seed);
/* Further orders with all that goes on around them, in a child process of its own.                   */
pid_t shop_writer_start(const struct platform *p, uint64_t orders, uint64_t seed);

/* "relay" or a sink's name, until SIGKILL (or until caught up, then exit 0).                         */
pid_t part_start(const struct platform *p, const char *name, bool until_caught_up);
void part_kill(pid_t pid); /* SIGKILL, reaps */
int part_wait(pid_t pid);  /* exit code; 128 + signal */
/* Relay, then every named sink, each until caught up, in this process.                               */
/* Reconciliation of every store with the row store finds nothing.                                    */
void shop_assert_reconciled(const struct platform *p);
void shop_catch_up(const struct platform *p, const char *const *sinks, size_t n);

/* Compares at the source's durable LSN and fails the test with the first difference: every silver table has the
 * source's rows; bronze has each event of the stream once and in order; the search index and the graph hold exactly
 * the live products.                                                                                */
void shop_assert_agreement(const struct platform *p, const char *const *sinks, size_t n);

#endif
