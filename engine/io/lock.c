/* lock - who may write in a folder, and what its last writer left in doubt. */
#include "engine/base/clock.h"
#include "engine/io/io.h"

enum { MOMENT_US = 2000000, LOCK_STEP_MIN_US = 500, LOCK_STEP_MAX_US = 10000 };

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

enum seam_status seam_file_lock_wait(struct seam_file *file, struct seam_clock *clock,
                                     uint64_t wait_us, struct seam_fault *f)
{
    uint64_t step = LOCK_STEP_MIN_US, waited = 0;

    for (;;) {
        struct seam_fault here = {0};
        enum seam_status st = seam_file_lock(file, true, &here);

        if (st != SEAM_CONFLICT || waited >= wait_us) {
            seam_fault_give(f, &here);
            return st;
        }
        if (step > wait_us - waited) step = wait_us - waited;
        clock->sleep_us(clock, step);
        waited += step;
        step = step * 2 < LOCK_STEP_MAX_US ? step * 2 : LOCK_STEP_MAX_US;
    }
}

enum seam_status seam_moment_lock(struct seam_io *io, struct seam_clock *clock, const char *dir,
                                  const char *name, struct seam_file **out, struct seam_fault *f)
{
    enum seam_status st = open_lock(io, dir, name, out, f);

    if (st == SEAM_OK) st = seam_file_lock_wait(*out, clock, MOMENT_US, f);
    return close_unless(st, out);
}
