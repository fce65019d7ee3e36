/* labs - the list of labs. */
#include <string.h>

#include "pipeline/lab/lab.h"
#include "pipeline/lab/scenarios.h"

static const struct lab_kind kinds[] = {
    {"order", "Lab zero: one order through every store",
     "See one LSN name one moment from the log to the dashboard, and lead back again.",
     lab_play_order},
    {"btree", "The row store: a B+tree grows, splits and shrinks",
     "See pages fill and split, the root rise, and what copy-on-write leaves behind.",
     lab_play_btree},
    {"log", "The log: append, group commit, power cut, recovery",
     "See when a record is durable, who shares a sync, and how a torn tail is told from damage.",
     lab_play_log},
    {"columnar", "The warehouse: encodings, pruning, versions",
     "See each chunk choose its encoding, a query skip row groups, and an old LSN answered.",
     lab_play_columnar},
    {"segments", "The word index: segments, merges, skipped blocks",
     "See documents become segments, segments merge, and Block-Max pruning skip what cannot win.",
     lab_play_segments},
    {"hnsw", "The vector graph: a walk to the nearest",
     "See layers being built, a greedy walk hop by hop, and what efSearch buys.", lab_play_hnsw},
    {"relay", "The relay: from log to stream, through a crash",
     "See offsets and LSNs, a power cut in the middle, and why position and effect must be one "
     "step.",
     lab_play_relay},
    {"timetravel", "Time travel: one LSN in every store",
     "See one product at four moments in the row store, the warehouse, gold and the word index.",
     lab_play_timetravel},
    {"hybrid", "Hybrid search: words, meaning, both",
     "See two rankings of one question become one, and what each side contributed.",
     lab_play_hybrid},
    {"reconcile", "Reconciliation: drift, found and mended",
     "See digests lead to three wrong rows, and a repair that goes through the log.",
     lab_play_reconcile},
    {"audit", "The audit: a chain that cannot be rewritten unseen",
     "See an order's events, the fold that proves them, and what tampering looks like.",
     lab_play_audit},
};

const struct lab_kind *lab_kinds(size_t *count)
{
    *count = SEAM_ARRAY_LEN(kinds);
    return kinds;
}

const struct lab_kind *lab_find(const char *name)
{
    for (size_t i = 0; i < SEAM_ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    return NULL;
}
