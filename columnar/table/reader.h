/* reader - what the files of the reader share. Private to the room.                                */
#ifndef SEAM_COLUMNAR_READER_H
#define SEAM_COLUMNAR_READER_H

#include "columnar/table/state.h"

struct columnar_reader {
    struct columnar_options opt;
    struct state s;
};

/* ST_NOT_FOUND, naming the readable range. */
MUST_USE enum status state_readable(const struct state *s, lsn_t lsn, struct fault *f);

#endif
