/* opts - command-line options for the program, the benches and the tools: --name VALUE, --name=VALUE,
 * --flag, -k VALUE, in any order among the positional arguments; "--" ends options. Unknown options are
 * ST_INVALID and name the nearest known one.                                                      */
#ifndef SEAM_ENGINE_OPTS_H
#define SEAM_ENGINE_OPTS_H

#include "engine/base/status.h"

enum opt_kind { OPT_FLAG, OPT_STRING, OPT_INT, OPT_DOUBLE };

struct opt {
    const char *name;  /* "threads" for --threads                    */
    char letter;       /* 'k' for -k; 0 = none                       */
    enum opt_kind kind;
    const char *arg;   /* "N", "FILE": shown in help                 */
    const char *help;
    void *out;         /* bool *, const char **, int64_t *, double * */
};

/* Options are written through their `out`; positional arguments are gathered to args[0..*count).
 * args must have room for argc entries.                                                           */
MUST_USE enum status opts_parse(int argc, char **argv, const struct opt *opts, size_t n_opts,
                                const char **args, int *count, struct fault *f);
struct buf;
void opts_help(const struct opt *opts, size_t n_opts, struct buf *out);
/* The nearest of `names` to `word` by edit distance, or NULL when none is near: "did you mean". */
const char *nearest_name(const char *word, const char *const *names, size_t count);

#endif
