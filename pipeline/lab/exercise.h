/* exercise - the labs' exercises, judged by the program.
 *
 *   goal + input --lab_play--> figures of the real engine --judge--> holds, or why not and a hint
 *
 * An exercise asks for an input (keys, documents, a query, a power cut, a forged column ...) that
 * makes the stores do something, or for a number the learner predicts. The lab is played with that
 * input; what the play measured (lab_figure_of) decides. Nothing is compared with a stored answer.
 */
#ifndef SEAM_PIPELINE_LAB_EXERCISE_H
#define SEAM_PIPELINE_LAB_EXERCISE_H

#include "pipeline/lab/lab.h"

struct lab_answer {
    bool given; /* --answer */
    double value;
};

struct lab_exercise {
    const char *lab;
    int number;          /* from 1 in each lab */
    const char *goal;    /* what is to be reached */
    const char *options; /* of seam lab, that reach it: "--keys" */
    bool (*judge)(const struct lab *l, struct lab_answer a, struct seam_buf *why);
};

/* All of them, a lab's together, in order. */
const struct lab_exercise *lab_exercises(size_t *count);
const struct lab_exercise *lab_exercise_find(const char *lab, int number); /* NULL: there is none */
/* Whether the learner gave what the exercise needs. */
bool lab_exercise_ready(const struct lab_exercise *e, const struct lab_input *in,
                        struct lab_answer a);
/* Judges a lab played with the learner's input. `why`: what was measured, and a hint where it falls
 * short; one paragraph. */
bool lab_exercise_check(const struct lab_exercise *e, const struct lab *l, struct lab_answer a,
                        struct seam_buf *why);

#endif
