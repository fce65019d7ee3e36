#include "pipeline/sinks/own_rows.h"

#include "wal/wal.h"

/* A sink's store is small beside the shop's: its log and its recovery are kept small too. */
enum { SEGMENT_BYTES = 16 << 20, CHECKPOINT_LOG_BYTES = 16 << 20 };

static enum status paths(char rows[PATH_MAX_BYTES], char log[PATH_MAX_BYTES], const char *dir, struct fault *f)
{
    enum status st = path_join(rows, dir, "rows", f);

    return st == ST_OK ? path_join(log, dir, "wal", f) : st;
}

enum status own_rows_open(struct io *io, struct clock *clock, const char *dir, struct own_rows *out, struct fault *f)
{
    char rows[PATH_MAX_BYTES], log[PATH_MAX_BYTES];
    struct wal_options wo = {.io = io, .clock = clock, .segment_bytes = SEGMENT_BYTES};
    struct oltp_options oo = {.clock = clock, .checkpoint_log_bytes = CHECKPOINT_LOG_BYTES};
    enum status st = paths(rows, log, dir, f);

    *out = (struct own_rows){0};
    if (st == ST_OK) st = io_mkdir(io, rows, f);
    if (st == ST_OK) st = io_mkdir(io, log, f);
    if (st == ST_OK) st = wal_open(log, &wo, &out->wal, NULL, f);
    oo.wal = out->wal;
    return st == ST_OK ? oltp_open(io, rows, &oo, &out->db, f) : st;
}

void own_rows_close(struct own_rows *r)
{
    (void)oltp_close(r->db, NULL);
    (void)wal_close(r->wal, NULL);
    *r = (struct own_rows){0};
}

enum status own_rows_read(struct io *io, const char *dir, const char *holder, const char *missing, struct oltp **out,
                          struct fault *f)
{
    char rows[PATH_MAX_BYTES], log[PATH_MAX_BYTES];
    struct oltp_options o = {.read_only = true, .wal_dir = log, .holder = holder};
    enum status st = paths(rows, log, dir, f);

    if (st == ST_OK && !io_exists(io, rows)) st = fault_set(f, ST_NOT_FOUND, dir, FAULT_NO_OFFSET, "%s", missing);
    return st == ST_OK ? oltp_open(io, rows, &o, out, f) : st;
}
