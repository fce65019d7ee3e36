/* gold_asked - whether gold shows a change yet. */
#include "pipeline/sinks/gold/gold_asked.h"

#include "pipeline/sinks/columns.h"

static enum seam_status probe_open(const struct platform *p, const char *dir, void **state,
                                   struct seam_fault *f)
{
    struct columnar_reader *reader = NULL;
    enum seam_status st = sink_columns_reader(p, dir, &reader, f);

    *state = reader;
    return st;
}

static enum seam_status probe_look(void *state, const struct sink_expectation *e, bool *seen,
                                   seam_lsn_t *applied, struct seam_fault *f)
{
    struct columnar_reader *reader = state;
    struct seam_value key[2] = {seam_v_time(e->day_us), seam_v_null()}, row[SEAM_COLUMNS_MAX];
    struct seam_buf text = {0};
    int table;
    bool there;
    enum seam_status st = columnar_refresh(reader, NULL, f);

    *applied = columnar_applied(reader);
    *seen = *applied >= e->lsn;
    if (st != SEAM_OK || !*seen || e->category == NULL) return st;
    key[1] = seam_v_str(e->category);
    table = columnar_table(reader, "gold_daily_revenue");
    st = table < 0 ? SEAM_NOT_FOUND : columnar_get(reader, table, key, SEAM_LSN_MAX, row, &text, f);
    st = seam_fault_there(st, &there, f);
    *seen = there && row[4].i != 0;
    seam_buf_free(&text);
    return st;
}

static void probe_close(void *state)
{
    columnar_close_reader(state);
}

const struct sink_probe sink_gold_probe = {probe_open, probe_look, probe_close};
