/* func_regex - regexp_matches, regexp_replace ... (placeholder until the matcher stands) */
#include "columnar/exec/func.h"
const struct columnar_func columnar_regex_funcs[1];
const int columnar_regex_func_count = 0;
