/* import - real files into the tables of the row store, through a small mapping.
 *
 *   file.csv.gz --> source, csv/json --> mapping: rows of tables --> oltp transactions --> log
 *                                           \-> what cannot land: seam_rejects, by line, reason
 *
 * CSV, TSV or JSON Lines, plain or gzip, a file, a pipe or "-". One flat record may feed several
 * tables (docs/guide/import.md describes the mapping). Records are taken in the file's order, so
 * the log holds the history as it happened, and a record lands whole or not at all.
 *
 * Where an import stands is a row of the table seam_imports, put by the same transaction as the
 * rows it speaks of, with a digest of every record so far: a killed import goes on behind its last
 * commit, and a second import of the same file finds itself done and writes nothing. A file whose
 * beginning differs from what the digest says is a different file, and is imported from its start.
 * Rejected records are rows of seam_rejects, in the same transaction again.
 *
 * One thread. Imports: engine, oltp. Memory: about 1 MiB, one transaction, and 50 bytes for each
 * distinct group that lines are counted in and each text key that got an id.                     */
#ifndef SEAM_PIPELINE_IMPORT_H
#define SEAM_PIPELINE_IMPORT_H

#include "engine/io/io.h"
#include "oltp/oltp.h"

enum import_on_error {
    IMPORT_SKIP, /* report the record and go on                                     */
    IMPORT_STOP, /* keep what came before, end with SEAM_INVALID naming file and line */
};

struct import_stats {
    uint64_t records;  /* in the file so far, bad ones included                    */
    uint64_t skipped;  /* of them, landed or rejected by an earlier run            */
    uint64_t landed;   /* this run                                                 */
    uint64_t rejected; /* this run                                                 */
    uint64_t inserted, updated, unchanged; /* rows of tables                        */
    uint64_t transactions;
    uint64_t bytes_read, bytes_total; /* of the file as it lies; total 0 = unknown */
    uint64_t elapsed_ns;
    seam_lsn_t lsn; /* of the last commit; SEAM_LSN_NONE when nothing was written    */
    bool finished;
};

struct import_options {
    struct seam_io *io;  /* [seam_io_posix()] */
    const char *file;    /* path, or "-" */
    const char *mapping; /* JSON text; NULL: columns of the same names go into `table` */
    size_t mapping_size;
    const char *table; /* without a mapping */
    enum import_on_error on_error;
    const char *reject_path; /* a file of JSON lines for what was rejected, all runs; NULL = none */
    uint64_t limit;          /* stop after so many records of the file; 0 = all            */
    bool dry_run;            /* check every record, change nothing                         */
    struct seam_clock *clock; /* [seam_clock_real()] */
    /* Called a few times a second and at the end. */
    void (*progress)(void *ctx, const struct import_stats *now);
    void *progress_ctx;
};

/* SEAM_INVALID: the mapping is wrong, or (IMPORT_STOP) a record is: the fault says where.
 * SEAM_NOT_FOUND: the file or a table. `out` is filled in also on failure. The last commit is durable
 * on return.                                                                                     */
SEAM_MUST_USE enum seam_status import_run(struct oltp *db, const struct import_options *o,
                                          struct import_stats *out, struct seam_fault *f);
/* "  61 %  331,264 records, 2 rejected, 212,000 rows/s" for a terminal. Returns out.             */
const char *import_progress_text(const struct import_stats *now, char *out, size_t size);

#endif
