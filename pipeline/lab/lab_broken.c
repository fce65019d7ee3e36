/* lab_broken - four ways to deliver that go wrong: each at the moment it does, then all counted
 * beside the real one.                                                                             */
#include <inttypes.h>

#include "pipeline/lab/broken.h"
#include "pipeline/lab/scenarios.h"

enum { SHOWN_ORDERS = 6, COUNTED_ORDERS = 24, COUNTED_CUTS = 40, SEEDS_TRIED = 32 };

static const struct {
    enum lab_broken_way way;
    const char *moment, *after;
} shown[] = {
    {BROKEN_DUAL_WRITE,
     ("No outbox, no log: the clerk commits the order (pay), then writes the event to a topic "
      "(dual_write). Each of the two writes is durable when it returns. The power goes between "
      "them: that something is still to be published stood in the clerk's memory alone."),
     ("The order is in the shop and its event is nowhere; no retry brings it back, because nobody "
      "knows. And two clerks who commit in one order may publish in the other. With an outbox the "
      "event is in the transaction, and the log's order is everyone's.")},
    {BROKEN_POLLING,
     ("No log: a poller asks the table for ids above the highest it has seen (poll_by_id). An "
      "order "
      "has its number before it is paid, so the commits do not come in the order of the numbers. "
      "This one commits after the poller has seen a higher id. No crash is needed."),
     ("Every later question is for ids above it, so the late commit is never found; and what is "
      "found in one question comes in the order of the ids, not of the commits. Updates and "
      "deletes "
      "raise no id, and would not be seen at all. Tailing the log has neither trouble: a commit's "
      "LSN is given at the commit.")},
    {BROKEN_ACK_FIRST,
     ("The real relay and the real stream, and a consumer that acknowledges (save_position) before "
      "it writes its effects (write_effects). The power goes between the two."),
     ("It goes on from the position it saved. What was acknowledged and not yet written is never "
      "done: at most once.")},
    {BROKEN_OFFSET_APART,
     ("The same consumer the other way round: effects first (write_effects), then the position, in "
      "a "
      "file of its own (save_position). The power goes between the two."),
     ("It goes on from the position before, and does the batch again: at least once. Neither order "
      "is right, and no third place for the position makes one. Published together with the "
      "effect, "
      "as the sinks do it, the two cannot disagree.")},
};

static bool goes_wrong(enum lab_broken_way way, const struct lab_broken_counts *c)
{
    return way == BROKEN_OFFSET_APART ? c->repeated > 0 : c->lost > 0;
}

/* The last of the first instants in a row, from the middle of the play on, at which the power cut
 * does harm: the first of the two writes has returned then. Polling needs no cut. */
static enum seam_status find_cut(struct lab_broken_trial *t, bool *found, struct seam_fault *f)
{
    struct lab_broken_counts c;
    uint64_t calls, harmful = 0;
    enum seam_status st;

    t->cut_at = 0;
    st = lab_broken_run(t, &c, f);
    *found = t->way == BROKEN_POLLING && goes_wrong(t->way, &c);
    calls = c.calls;
    if (t->way == BROKEN_POLLING) return st;
    for (t->cut_at = calls / 2; st == SEAM_OK && t->cut_at <= calls; t->cut_at++) {
        st = lab_broken_run(t, &c, f);
        if (goes_wrong(t->way, &c))
            harmful = t->cut_at;
        else if (harmful != 0)
            break;
    }
    t->cut_at = harmful;
    *found = harmful != 0;
    return st;
}

static enum seam_status show_one(struct lab *l, size_t i, struct seam_fault *f)
{
    struct lab_broken_trial t = {.way = shown[i].way, .orders = SHOWN_ORDERS};
    struct lab_broken_counts c;
    bool found = false;
    enum seam_status st = SEAM_OK;

    for (uint64_t k = 0; st == SEAM_OK && !found && k < SEEDS_TRIED; k++) {
        t.seed = l->in.seed + k;
        st = find_cut(&t, &found, f);
    }
    if (st != SEAM_OK) return st;
    if (!found)
        return seam_fault_set(f, SEAM_NOT_FOUND, lab_broken_name(t.way), SEAM_FAULT_NO_OFFSET,
                              "%d schedules and no harm done: try another --seed", SEEDS_TRIED);
    t.lab = l;
    t.moment = shown[i].moment;
    t.after = shown[i].after;
    return lab_broken_run(&t, &c, f);
}

static enum seam_status count_all(struct lab *l, struct seam_fault *f)
{
    struct seam_buf *b = &l->draw;
    enum seam_status st = SEAM_OK;

    seam_buf_printf(b, "%-30s %9s %8s %5s %9s %10s\n", "way", "committed", "arrived", "lost",
                    "repeated", "reordered");
    for (int way = 0; st == SEAM_OK && way < BROKEN_WAYS; way++) {
        struct lab_broken_counts c;

        if (way == BROKEN_NOT_RELAY) seam_buf_str(b, "the real ones:\n");
        st = lab_broken_count((enum lab_broken_way)way, l->in.seed, COUNTED_ORDERS, COUNTED_CUTS,
                              &c, f);
        seam_buf_printf(b,
                        "%-30s %9" PRIu64 " %8" PRIu64 " %5" PRIu64 " %9" PRIu64 " %10" PRIu64 "\n",
                        lab_broken_name((enum lab_broken_way)way), c.committed, c.delivered, c.lost,
                        c.repeated, c.reordered);
    }
    seam_buf_printf(
        &l->story,
        "Each way %d times: %d customers, a schedule by lot, the power cut at a call to the "
        "disk by lot, everything back up and drained. Then the committed orders in the log "
        "are put beside what arrived. The real relay stands where the stream's own tail "
        "stands, the real sink where its last publication stands: none lost, none twice, "
        "none out of order.",
        COUNTED_CUTS, COUNTED_ORDERS);
    return st == SEAM_OK ? lab_step(l, "All of them, counted", f) : st;
}

enum seam_status lab_play_broken(struct lab *l, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    seam_trace_log_clear(l->log);
    for (size_t i = 0; st == SEAM_OK && i < SEAM_ARRAY_LEN(shown); i++) st = show_one(l, i, f);
    return st == SEAM_OK ? count_all(l, f) : st;
}
