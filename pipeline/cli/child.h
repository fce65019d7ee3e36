/* child - the relay and the sinks as processes of their own, started and stopped by `seam run` and demo. */
#ifndef SEAM_PIPELINE_CLI_CHILD_H
#define SEAM_PIPELINE_CLI_CHILD_H

#include <sys/types.h>

#include "engine/base/status.h"

enum { CHILDREN_MAX = 16 };

struct cli_child {
    char name[32];
    pid_t pid; /* 0 = not running */
};

/* Runs `program args...` (args ends with NULL) with its output appended to log_path (NULL: ours). The
 * child dies with us, so that an interrupted `run` leaves no process behind.                      */
SEAM_MUST_USE enum seam_status child_start(struct cli_child *c, const char *name,
                                           const char *program, const char *const *args,
                                           const char *log_path, struct seam_fault *f);
bool child_running(struct cli_child *c, int *exit_code); /* reaps it when it has ended */
void child_stop(struct cli_child *c); /* SIGTERM, then SIGKILL after 10 s; reaps */
void child_kill(struct cli_child *c); /* SIGKILL; reaps */

#endif
