#include "pipeline/cli/check.h"
enum status check_reconcile(struct check *k) { (void)k; return ST_OK; }
