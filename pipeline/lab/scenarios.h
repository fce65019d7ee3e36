/* scenarios - one function a lab; see lab.h. */
#ifndef SEAM_PIPELINE_LAB_SCENARIOS_H
#define SEAM_PIPELINE_LAB_SCENARIOS_H

#include "pipeline/lab/lab.h"

enum seam_status lab_play_order(struct lab *l, struct seam_fault *f);
enum seam_status lab_play_btree(struct lab *l, struct seam_fault *f);
enum seam_status lab_play_log(struct lab *l, struct seam_fault *f);
enum seam_status lab_play_columnar(struct lab *l, struct seam_fault *f);
enum seam_status lab_play_segments(struct lab *l, struct seam_fault *f);
enum seam_status lab_play_hnsw(struct lab *l, struct seam_fault *f);
enum seam_status lab_play_relay(struct lab *l, struct seam_fault *f);
enum seam_status lab_play_broken(struct lab *l,
                                 struct seam_fault *f); /* the second half of the relay's */
enum seam_status lab_play_timetravel(struct lab *l, struct seam_fault *f);
enum seam_status lab_play_hybrid(struct lab *l, struct seam_fault *f);
enum seam_status lab_play_reconcile(struct lab *l, struct seam_fault *f);
enum seam_status lab_play_audit(struct lab *l, struct seam_fault *f);

#endif
