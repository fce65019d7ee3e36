/* own_rows - opens, reads and verifies the row store in which a sink keeps its state. */
#include "pipeline/sinks/own_rows.h"

#include <inttypes.h>

#include "wal/wal.h"

/* A sink's store is small beside the shop's: its log and its recovery are kept small too. */
enum { SEGMENT_BYTES = 16 << 20, CHECKPOINT_LOG_BYTES = 16 << 20 };

static enum seam_status paths(char rows[SEAM_PATH_MAX_BYTES], char log[SEAM_PATH_MAX_BYTES],
                              const char *dir, struct seam_fault *f)
{
    enum seam_status st = seam_path_join(rows, dir, "rows", f);

    return st == SEAM_OK ? seam_path_join(log, dir, "wal", f) : st;
}

enum seam_status sink_own_rows_open(struct seam_io *io, struct seam_clock *clock, const char *dir,
                                    struct sink_own_rows *out, struct seam_fault *f)
{
    char rows[SEAM_PATH_MAX_BYTES], log[SEAM_PATH_MAX_BYTES];
    struct wal_options wo = {.io = io, .clock = clock, .segment_bytes = SEGMENT_BYTES};
    struct oltp_options oo = {.clock = clock, .checkpoint_log_bytes = CHECKPOINT_LOG_BYTES};
    enum seam_status st = paths(rows, log, dir, f);

    *out = (struct sink_own_rows){0};
    if (st == SEAM_OK) st = seam_io_mkdir(io, rows, f);
    if (st == SEAM_OK) st = seam_io_mkdir(io, log, f);
    if (st == SEAM_OK) st = wal_open(log, &wo, &out->wal, NULL, f);
    oo.wal = out->wal;
    return st == SEAM_OK ? oltp_open(io, rows, &oo, &out->db, f) : st;
}

void sink_own_rows_close(struct sink_own_rows *r)
{
    (void)oltp_close(r->db, NULL);
    (void)wal_close(r->wal, NULL);
    *r = (struct sink_own_rows){0};
}

enum seam_status sink_own_rows_read(struct seam_io *io, const char *dir, const char *holder,
                                    const char *missing, struct oltp **out, struct seam_fault *f)
{
    char rows[SEAM_PATH_MAX_BYTES], log[SEAM_PATH_MAX_BYTES];
    struct oltp_options o = {.read_only = true, .wal_dir = log, .holder = holder};
    enum seam_status st = paths(rows, log, dir, f);

    if (st == SEAM_OK && !seam_io_exists(io, rows))
        st = seam_fault_set(f, SEAM_NOT_FOUND, dir, SEAM_FAULT_NO_OFFSET, "%s", missing);
    return st == SEAM_OK ? oltp_open(io, rows, &o, out, f) : st;
}

enum seam_status sink_own_rows_verify(const struct platform *p, const char *dir,
                                      struct seam_buf *summary, struct seam_buf *report,
                                      struct seam_fault *f)
{
    struct oltp_check check = {0};
    char log[SEAM_PATH_MAX_BYTES], rows[SEAM_PATH_MAX_BYTES];
    const struct oltp_progress none = {0};
    struct wal_check checked;
    enum seam_status st = paths(rows, log, dir, f);

    if (st == SEAM_OK) st = wal_verify(p->io, log, &checked, f);
    if (st == SEAM_OK) st = oltp_verify(p->io, rows, log, &check, report, none, f);
    seam_buf_printf(summary, "%" PRIu64 " trees, %" PRIu64 " pages, %" PRIu64 " rows", check.trees,
                    check.pages, check.rows);
    return st;
}
