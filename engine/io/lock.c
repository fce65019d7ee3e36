/* lock - who may write in a folder, and what its last writer left in doubt. */
#include "engine/base/clock.h"
#include "engine/io/io.h"

enum { MOMENT_TRIES = 2000, MOMENT_US = 1000 };

static enum seam_status open_lock(struct seam_io *io, const char *dir, const char *name,
                                  struct seam_file **out, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = seam_path_join(path, dir, name, f);

    *out = NULL;
    return st == SEAM_OK ? seam_file_open(io, path, SEAM_FILE_WRITE | SEAM_FILE_CREATE, out, f)
                         : st;
}

static enum seam_status close_unless(enum seam_status st, struct seam_file **file)
{
    if (st != SEAM_OK) {
        seam_file_close(*file);
        *file = NULL;
    }
    return st;
}

enum seam_status seam_writer_lock(struct seam_io *io, const char *dir, struct seam_file **out,
                                  struct seam_fault *f)
{
    enum seam_status st = open_lock(io, dir, SEAM_LOCK_NAME, out, f);

    if (st == SEAM_OK) st = seam_file_lock(*out, true, f);
    if (st == SEAM_OK) st = seam_io_mend(io, dir, f);
    return close_unless(st, out);
}

enum seam_status seam_moment_lock(struct seam_io *io, struct seam_clock *clock, const char *dir,
                                  const char *name, struct seam_file **out, struct seam_fault *f)
{
    struct seam_fault here = {0};
    enum seam_status st = open_lock(io, dir, name, out, f);

    if (st != SEAM_OK) return st;
    for (int i = 0; i < MOMENT_TRIES; i++) {
        seam_fault_clear(&here);
        st = seam_file_lock(*out, true, &here);
        if (st != SEAM_CONFLICT) break;
        clock->sleep_us(clock, MOMENT_US);
    }
    seam_fault_give(f, &here);
    return close_unless(st, out);
}
