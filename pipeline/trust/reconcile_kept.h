/* reconcile_kept - the warehouse's reconciliation without reading what did not change. Private to reconcile*.c.
 *
 *   a full comparison at LSN D finds both sides equal:
 *     their digests, table by table, are kept in DIR/reconcile/STORE.kept (the warehouse)
 *   the next one, at LSN C:
 *     source's at C = kept - hash(before) + hash(after) of every row change of the log's commits in (D, C]
 *     silver's at C = kept - hash + hash of every version in silver's files that ended, began in (D, C]
 *   equal: nothing to report, and nothing else was read.
 *   Different, or in doubt: everything is read (reconcile_pair).
 *
 * Neither side is believed: the log is what the row store is made of, and silver's versions are what its
 * files hold, not what its sink says it wrote. So a change that was lost, repeated or garbled on the way
 * makes the digests part. What this cannot see is a row that changed at rest without a new version; the
 * files' checksums do, and so does reading everything: at least once in KEPT_FULL_US, and whenever asked
 * to (reconcile_options.full). Kept digests say only "equal"; what differs is always looked for in full,
 * so a wrong one costs time and tells no lies.
 *
 * In doubt is: another platform, a shape that changed, a log or history that does not reach back to D,
 * silver's publication at D not among its own any more (it was made again), a count of rows that silver
 * itself does not confirm.
 *
 * File:  "SEAMKEPT" | version u32 | crc32c u32 of what follows | log id u64 | D u64 | silver's publication u64 |
 *        wall clock of the last full reading i64 | tables: varint count, each: varint id, schema as JSON (varint length,
 *        bytes), digest of the source, digest of silver (count, lo, hi: u64 each)                     */
#ifndef SEAM_PIPELINE_RECONCILE_KEPT_H
#define SEAM_PIPELINE_RECONCILE_KEPT_H

#include "columnar/columnar.h"
#include "pipeline/trust/reconcile.h"

enum { KEPT_TABLES_MAX = 64 };
#define KEPT_FULL_US INT64_C(86400000000) /* a day */

struct reconcile_kept_table {
    struct seam_schema schema;
    struct seam_digest source, store;
};

struct reconcile_kept {
    seam_lsn_t lsn;
    uint64_t publication;
    int64_t full_us;
    struct reconcile_kept_table tables[KEPT_TABLES_MAX];
    size_t count;
    uint64_t changes; /* looked at by reconcile_kept_advance */
};

void reconcile_kept_free(struct reconcile_kept *k);
/* SEAM_NOT_FOUND: none, or none that can be used (the fault says why). */
SEAM_MUST_USE enum seam_status reconcile_kept_load(const struct platform *p, const char *store,
                                                   struct reconcile_kept *out,
                                                   struct seam_fault *f);
/* A failure costs the next run time and nothing else: what was kept before stays true of its LSN. */
enum seam_status reconcile_kept_save(const struct platform *p, const char *store,
                                     const struct reconcile_kept *k, struct seam_fault *f);
/* Whatever is kept counts no more. */
SEAM_MUST_USE enum seam_status reconcile_kept_drop(const struct platform *p, const char *store,
                                                   struct seam_fault *f);
/* Remembers a table that a full comparison found equal. SEAM_LIMIT: too many. */
SEAM_MUST_USE enum seam_status reconcile_kept_add(struct reconcile_kept *k,
                                                  const struct seam_schema *schema,
                                                  const struct seam_digest *source,
                                                  const struct seam_digest *store,
                                                  struct seam_fault *f);
/* Brings both sides' digests to the reader's LSN. SEAM_NOT_FOUND: in doubt (the fault says why). */
SEAM_MUST_USE enum seam_status reconcile_kept_advance(const struct platform *p,
                                                      struct reconcile_kept *k,
                                                      const struct columnar_reader *silver,
                                                      struct seam_fault *f);
/* Silver's publication at its applied LSN, for kept.publication; 0: none. */
uint64_t reconcile_kept_publication(const struct columnar_reader *silver, seam_lsn_t lsn);

#endif
