/* lsn - one number that names one moment in every store.
 *
 * An LSN is a byte position in the write-ahead log. The LSN of a commit is the position just AFTER
 * the last byte of its commit record, so
 *
 *     a commit is durable            when durable_lsn  >= commit_lsn
 *     a store has applied a commit   when applied_lsn  >= commit_lsn
 *     lag in bytes                   is   durable_lsn  -  applied_lsn     (0 = caught up)
 *     "AS OF n" sees                 exactly the commits with commit_lsn <= n
 *
 * SEAM_LSN_NONE (0) is before every commit; SEAM_LSN_MAX means "latest".                                   */
#ifndef SEAM_ENGINE_LSN_H
#define SEAM_ENGINE_LSN_H

#include <stdint.h>

typedef uint64_t seam_lsn_t;

#define SEAM_LSN_NONE ((seam_lsn_t)0)
#define SEAM_LSN_MAX  ((seam_lsn_t)UINT64_MAX)

/* Whose a store or a file is, and which history it tells: an LSN names a moment only within its history
 * (docs/decisions/formats-2.md). All zeros: a store used alone.                                       */
enum { SEAM_PLATFORM_ID_BYTES = 16 };
struct seam_owner {
    uint8_t platform[SEAM_PLATFORM_ID_BYTES];
    uint64_t history;
};

#endif
