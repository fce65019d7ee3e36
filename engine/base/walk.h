/* walk - an assertion where it would cost: in a loop over postings or links, or a walk over a whole structure.
 *
 * `assert` is kept on in every build and stands where a call costs more than it does. SEAM_WALK(x) is compiled in
 * by -DSEAM_WALKS alone (`make DEBUG=1` sets it); elsewhere x is compiled and never run.                   */
#ifndef SEAM_ENGINE_WALK_H
#define SEAM_ENGINE_WALK_H

#include <assert.h>

#ifdef SEAM_WALKS
#define SEAM_WALK(x) assert(x)
#else
#define SEAM_WALK(x) ((void)(0 && (x)))
#endif

#endif
