/* sinks - THE list of sinks: one more is one file and one line here (docs/howto/add-a-sink.md). Nothing else lives in this
 * file, so that a program may be linked with a list of its own (tests/chaos). */
#include <assert.h>

#include "pipeline/sinks/sink.h"

#define SINKS(one)                                                                                 \
    one(sink_warehouse) one(sink_gold) one(sink_view) one(sink_search) one(sink_vectors)           \
        one(sink_audit)

#define DECLARED(ops) extern const struct sink_ops ops;
#define LISTED(ops)   &ops,

SINKS(DECLARED)

const struct sink_ops *const *sink_list(size_t *n)
{
    static const struct sink_ops *const list[] = {SINKS(LISTED)};

    static_assert(SEAM_ARRAY_LEN(list) <= SINKS_MAX, "more sinks than programs have room for");
    *n = SEAM_ARRAY_LEN(list);
    return list;
}
