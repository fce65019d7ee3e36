/* opts - command-line options for the program, the benches and the tools: --name VALUE, --name=VALUE,
 * --flag, -k VALUE, in any order among the positional arguments; "--" ends options. Unknown options are
 * SEAM_INVALID and name the nearest known one.                                                      */
#ifndef SEAM_ENGINE_OPTS_H
#define SEAM_ENGINE_OPTS_H

#include "engine/base/status.h"

enum seam_opt_kind { SEAM_OPT_FLAG, SEAM_OPT_STRING, SEAM_OPT_INT, SEAM_OPT_DOUBLE };

struct seam_opt {
    const char *name; /* "threads" for --threads                    */
    char letter;      /* 'k' for -k; 0 = none                       */
    enum seam_opt_kind kind;
    const char *arg; /* "N", "FILE": shown in help                 */
    const char *help;
    void *out; /* bool *, const char **, int64_t *, double * */
};

/* Options are written through their `out`; positional arguments are gathered to args[0..*count).
 * args must have room for argc entries.                                                           */
SEAM_MUST_USE enum seam_status seam_opts_parse(int argc, char **argv, const struct seam_opt *opts,
                                               size_t n_opts, const char **args, int *count,
                                               struct seam_fault *f);
struct seam_buf;
void seam_opts_help(const struct seam_opt *opts, size_t n_opts, struct seam_buf *out);
/* The nearest of `names` to `word` by edit distance, or NULL when none is near: "did you mean". */
const char *seam_nearest_name(const char *word, const char *const *names, size_t count);

#endif
