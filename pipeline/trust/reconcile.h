/* reconcile - is a derived store equal to the row store? And if not, where, by how much, and make it so.
 *
 *   row store AS OF n  --scan--> [leaf digests]  \                      differing leaves only:
 *                                                 > tree of digests --> rows of both sides, key by key --> verdicts
 *   the store AS OF n  --scan--> [leaf digests]  /                                                     --> repair
 *
 * Both sides are read at one LSN n, the one the store has applied, so that a store that is merely behind is never
 * called wrong. A leaf is a range of about LEAF_ROWS keys; its digest is the count and the sum modulo 2^128 of the
 * canonical row hashes (engine/base/hash.h), which a row delivered twice changes. Sixteen digests make one of the next
 * level; only differing ones are descended into, and only the rows of differing leaves are put side by side. Each
 * side reads its own rows once where it lies; what would travel between two machines is digests and those leaves.
 *
 * Which stores, and what of a row they hold:
 *   silver    every column                      (warehouse)
 *   mirrors   every column                      (the view's inputs)
 *   search    the key, every attribute; deep: every word, from the postings and from the text analysed again
 *   vectors   the key, the embedder's version; deep: the vector, embedded again, bit for bit
 * Deep is also what up to 100,000 rows get unasked; it costs about 7 us a document on each of the two.
 *
 * Verdicts: MISSING not in the store; EXTRA not in the source; STALE what the source once was; CORRUPT what it never
 * was, as far as the stream remembers; DUPLICATED there more than once.
 * Repair writes the source's present row (or its absence) again through the log, flagged WAL_CHANGE_REPAIR: it reaches
 * every sink the way all changes do, and a row that changed meanwhile is repaired to what it is now.
 *
 * Imports: engine, oltp, columnar, invidx, hnsw, pipeline. Papers: Merkle (CRYPTO 1987); Clarke et al., incremental
 * multiset hashes (ASIACRYPT 2003). Thread-safety: a run belongs to one thread.                      */
#ifndef SEAM_PIPELINE_RECONCILE_H
#define SEAM_PIPELINE_RECONCILE_H

#include "engine/base/arena.h"
#include "engine/base/hash.h"
#include "engine/base/trace.h"
#include "pipeline/platform.h"
#include "wal/change.h"

enum { RECONCILE_LEAF_ROWS = 256, RECONCILE_FANOUT = 16, RECONCILE_SHOWN_MAX = 10000 };

enum reconcile_verdict {
    VERDICT_MISSING,
    VERDICT_EXTRA,
    VERDICT_STALE,
    VERDICT_CORRUPT,
    VERDICT_DUPLICATED
};
const char *reconcile_verdict_name(enum reconcile_verdict v);

struct reconcile_difference {
    enum reconcile_verdict verdict;
    struct wal_bytes key; /* encoded, engine/values/key.h */
    const char *key_text;
    const char *source, *store; /* JSON of both sides; NULL = not there */
    seam_lsn_t
        source_lsn; /* of the last change of this key in the stream; SEAM_LSN_NONE = not known  */
    seam_lsn_t
        store_lsn; /* of the version in the store; SEAM_LSN_NONE = it does not say             */
};

struct reconcile_cost {
    uint64_t source_rows,
        store_rows;           /* scanned where they lie                                     */
    uint64_t leaves, digests; /* digests compared                                           */
    uint64_t differing_leaves, rows_compared;
    uint64_t bytes_exchanged; /* digests, keys and hashes of differing leaves, rows that differ */
    uint64_t ns;
};

struct reconcile_result {
    const char *store, *table; /* a sink's name */
    seam_lsn_t lsn;            /* where both were compared                 */
    seam_lsn_t
        since; /* only what changed since this LSN was read (pipeline/trust/reconcile_kept.h); SEAM_LSN_NONE: everything was */
    uint64_t
        changes; /* ... and so many changes and versions of all tables                          */
    struct seam_digest source_digest,
        store_digest; /* of all rows of each side                           */
    const char *note; /* why it could not be compared; NULL = it was */
    struct reconcile_cost cost;
    uint64_t differences; /* all of them; the list has at most RECONCILE_SHOWN_MAX */
    struct reconcile_difference *list;
    size_t shown;
};

struct reconcile_report {
    struct seam_arena arena;
    struct reconcile_result *results;
    size_t count;
    uint64_t differences;
};

struct reconcile_options {
    bool deep;          /* words and vectors also of more rows than that */
    bool full;          /* read everything, whatever is kept */
    uint64_t keep_rows; /* digests are kept of a warehouse with more rows than this; 0 = 100,000 */
    uint32_t leaf_rows; /* 0 = RECONCILE_LEAF_ROWS */
    /* NULL = off. digest: two digests of a table compared (level 0 is the one of everything; from, leaves:
     * of which and how many; differs). */
    struct seam_trace *trace;
};

/* Compares everything that this platform keeps beside the row store. SEAM_OK also with differences. Free the report
 * whatever happened.                                                                                */
SEAM_MUST_USE enum seam_status reconcile_run(const struct platform *p,
                                             const struct reconcile_options *o,
                                             struct reconcile_report *out, struct seam_fault *f);
void reconcile_free(struct reconcile_report *r);
/* Nothing that was kept of earlier runs of this store counts any more: after it was made again. */
SEAM_MUST_USE enum seam_status reconcile_forget(const struct platform *p, const char *store,
                                                struct seam_fault *f);
/* Emits every differing key again. SEAM_CONFLICT: another process writes the row store. *lsn: of the last commit; stores
 * that have applied it are repaired.                                                                */
SEAM_MUST_USE enum seam_status reconcile_repair(const struct platform *p,
                                                const struct reconcile_report *r, uint64_t *rows,
                                                seam_lsn_t *lsn, struct seam_fault *f);
/* One key's present state (or its absence) into the log again, flagged WAL_CHANGE_REPAIR; in a write transaction. */
struct oltp_txn;
SEAM_MUST_USE enum seam_status reconcile_emit(struct oltp_txn *t, uint32_t table,
                                              struct wal_bytes key, struct seam_fault *f);

#endif
