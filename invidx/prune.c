#include "invidx/exec.h"

bool prune_run(struct exec *x, enum invidx_strategy strategy, const char **plan_name)
{
    (void)x;
    (void)strategy;
    (void)plan_name;
    return false;
}
