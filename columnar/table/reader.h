/* reader - what the files of the reader share. Private to the room.                                */
#ifndef SEAM_COLUMNAR_READER_H
#define SEAM_COLUMNAR_READER_H

#include "columnar/table/state.h"

struct columnar_reader {
    struct columnar_options opt;
    struct columnar_state s;
};

/* SEAM_NOT_FOUND, naming the readable range. */
SEAM_MUST_USE enum seam_status columnar_state_readable(const struct columnar_state *s,
                                                       seam_lsn_t lsn, struct seam_fault *f);

#endif
