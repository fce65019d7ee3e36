/* columnar - the warehouse: immutable column files, row versions by LSN, one manifest for all tables.
 *
 *      writer (one process)                                readers (any number of processes)
 *   append / upsert / delete @lsn
 *          | gathered in memory, by column
 *          v publish(applied_lsn)
 *   few rows:  one record in journal-N.log, one fdatasync  ---------> tail of rows, scanned as vectors
 *   many rows: column files, then a new manifest           ---------> row groups, pruned and decoded
 *          | maintain(): journal -> files, small files -> big sorted files, vacuum
 *          v
 *   dir/0000000000000007.manifest   tables, files, tags, history      dir/f000000000000002a.col
 *   dir/journal-0000000000000007.log                                   dir/k000000000000002c.kills
 *
 * Every row carries the LSN that made it and, once replaced or deleted, the LSN that ended it. A row is
 * visible AS OF n when begin <= n < end. So time travel is exact to the commit, not to the publication,
 * and old files need not be kept for it: compaction drops only versions that no readable LSN can see.
 * Readable are: every LSN from history_from (the horizon) to applied, and every tagged or pinned LSN.
 * All tables of a warehouse folder move together: a reader never sees silver ahead of gold.
 *
 * A table with a key keeps one live row per key (upsert ends the old version, delete ends it without a
 * successor); a table without one only grows.
 *
 * Threads: a writer belongs to one thread at a time. A reader is immutable between refreshes and may be
 * queried by many threads at once; refresh needs the reader alone.
 * Imports: engine. Format: docs/reference/formats/columnar.md. Queries: columnar/exec/query.h, SQL: columnar/sql/sql.h.
 * Papers: Abadi et al., "Column-stores vs. row-stores" (SIGMOD 2008); Larson et al., SQL Server
 * column store (SIGMOD 2011, 2013); Boncz et al., MonetDB/X100 (CIDR 2005).                        */
#ifndef SEAM_COLUMNAR_COLUMNAR_H
#define SEAM_COLUMNAR_COLUMNAR_H

#include "engine/base/clock.h"
#include "engine/base/lsn.h"
#include "engine/base/trace.h"
#include "engine/io/io.h"
#include "engine/values/schema.h"

#ifdef __cplusplus
extern "C" {
#endif

struct columnar_writer;
struct columnar_reader;

enum { COLUMNAR_TABLES_MAX = 256, COLUMNAR_TAGS_MAX = 1024, COLUMNAR_NAME_MAX = 64 };

/* Zero-initialise; 0 means the default named beside each.                                          */
struct columnar_options {
    struct seam_clock
        *clock; /* seam_clock_real()                                                    */
    struct seam_trace *trace; /* none                                                            */
    int threads;              /* 1: for encoding and compaction                                  */
    uint64_t
        journal_bytes_max;     /* 16 MiB: a publish past it turns the journal into column files   */
    uint64_t journal_rows_max; /* 65,536 rows in one table's tail: likewise                       */
    uint64_t history_us;       /* 7 days: how long row versions stay readable                     */
    uint32_t row_group_rows;   /* 131,072 (a multiple of 2,048)                                   */
    uint64_t file_rows_max;    /* 2,097,152: compaction builds files of about this size           */
    bool no_sync;              /* benches and tests only: publish without fsync                   */
    struct seam_owner
        owner; /* whose; zeros: whoever made it. Another platform's is SEAM_CONFLICT */
};

/* ---- writer ---- */

/* Opens or creates the warehouse in `dir` and takes its lock. SEAM_CONFLICT: another process writes (the
 * fault names it). Recovers the journal's tail. *out is the caller's until columnar_close_writer.   */
SEAM_MUST_USE enum seam_status columnar_open_writer(struct seam_io *io, const char *dir,
                                                    const struct columnar_options *opt,
                                                    struct columnar_writer **out,
                                                    struct seam_fault *f);
/* Unpublished rows are forgotten. Accepts NULL.                                                    */
void columnar_close_writer(struct columnar_writer *w);

struct columnar_table_options {
    uint16_t sort_count; /* cluster by these columns when compacting; 0: key order if
                                            there is a key, else arrival order                      */
    uint16_t
        sort[SEAM_KEY_COLUMNS_MAX]; /* positions in schema.columns                             */
};

/* Creates a table (visible at the next publish), or, when it is there, evolves it to `schema` by column
 * id: added columns read as their default in old rows, dropped ones are hidden, renamed ones renamed,
 * int may widen to double. SEAM_OK also when nothing changes. The key cannot change (SEAM_INVALID).    */
SEAM_MUST_USE enum seam_status columnar_define_table(struct columnar_writer *w,
                                                     const struct seam_schema *schema,
                                                     const struct columnar_table_options *opt,
                                                     struct seam_fault *f);
SEAM_MUST_USE enum seam_status columnar_drop_table(struct columnar_writer *w, const char *name,
                                                   struct seam_fault *f);
int columnar_writer_table(const struct columnar_writer *w, const char *name); /* -1: none */
/* Of the newest definition; valid until the next define/drop/close.                                */
const struct seam_schema *columnar_writer_schema(const struct columnar_writer *w, int table);

/* Rows are given in schema.columns order (dropped columns are ignored). LSNs must not decrease within
 * a table between calls. Rows at or below applied_lsn are ignored (SEAM_OK): replay is harmless.
 * Text is copied. Nothing is visible or durable before publish.
 * A table defined since the last publish takes rows of any LSN: drop, define, replay, publish rebuilds a
 * table with its whole history, in one step for its readers. In a keyed table append is upsert.     */
SEAM_MUST_USE enum seam_status columnar_append(struct columnar_writer *w, int table,
                                               const struct seam_value *values, seam_lsn_t lsn,
                                               struct seam_fault *f);
/* Keyed tables only. `*existed` (may be NULL): a live row with this key was replaced/ended.        */
SEAM_MUST_USE enum seam_status columnar_upsert(struct columnar_writer *w, int table,
                                               const struct seam_value *values, seam_lsn_t lsn,
                                               bool *existed, struct seam_fault *f);
/* values: only the key columns' entries are read. A missing key is SEAM_OK with *existed = false.    */
SEAM_MUST_USE enum seam_status columnar_delete(struct columnar_writer *w, int table,
                                               const struct seam_value *values, seam_lsn_t lsn,
                                               bool *existed, struct seam_fault *f);
/* Ends every live row of the table (rebuilds start with it).                                       */
SEAM_MUST_USE enum seam_status columnar_truncate(struct columnar_writer *w, int table,
                                                 seam_lsn_t lsn, struct seam_fault *f);
/* The live row with this key as the writer sees it, unpublished changes included. values has room for
 * all columns; text is valid until the next call on the writer. SEAM_NOT_FOUND.                      */
SEAM_MUST_USE enum seam_status columnar_writer_get(struct columnar_writer *w, int table,
                                                   const struct seam_value *key_values,
                                                   struct seam_value *values, struct seam_fault *f);
/* Many rows at once, one array a column: fast path for loading. See struct columnar_column.         */
struct columnar_column {
    const int64_t *ints;   /* INT, DECIMAL, BOOL, TIME */
    const double *doubles; /* DOUBLE                   */
    const char *text;      /* TEXT: row i is text[ends[i-1], ends[i]), ends[-1] = 0 */
    const uint64_t *ends;
    const uint64_t *nulls; /* bit set = null; NULL = none */
};
/* columns[i] belongs to schema.columns[i]. Tables without a key, or keys known to be new: the caller
 * promises that no row of a keyed table repeats a live key.                                        */
SEAM_MUST_USE enum seam_status columnar_append_columns(struct columnar_writer *w, int table,
                                                       const struct columnar_column *columns,
                                                       size_t rows, seam_lsn_t lsn,
                                                       struct seam_fault *f);

/* Loads a CSV or TSV file (header naming columns of the table, each once, in any order; lines end with LF or
 * CR LF) into a table without key, in parallel, straight into column files, and publishes. Bad rows stop the
 * load with file, line and reason.                                                                  */
struct columnar_load_result {
    uint64_t rows, bytes, files;
};
SEAM_MUST_USE enum seam_status columnar_load_csv(struct columnar_writer *w, int table,
                                                 const char *path, char separator, seam_lsn_t lsn,
                                                 struct columnar_load_result *result,
                                                 struct seam_fault *f);

/* Makes everything since the last publish, and applied_lsn, visible and durable in one step. An
 * applied_lsn below the present one is SEAM_INVALID; equal is allowed (a heartbeat: no I/O when there is
 * nothing new). A failure poisons the writer: close and reopen it.                                 */
SEAM_MUST_USE enum seam_status columnar_publish(struct columnar_writer *w, seam_lsn_t applied_lsn,
                                                int64_t wall_us, struct seam_fault *f);
seam_lsn_t columnar_writer_applied(const struct columnar_writer *w);
/* Whose the warehouse is, and which history its newest state tells.                                */
struct seam_owner columnar_writer_owner(const struct columnar_writer *w);

/* One bounded piece of background work: journal to files, merging small or much-deleted files, sorting,
 * dropping versions past the horizon, removing files nobody can need. Call after each publication and when
 * idle: within 300 ms of a publication of rows it does what those owe (8 rows rewritten for each published,
 * saved up to file_rows_max, and 8,192 more), so that files stay few at any rate of commits; after
 * that pieces of at most 32,768 rows within 5 s, of 262,144 within a minute, of file_rows_max later.  */
struct columnar_maintenance {
    bool more; /* there is more to do: call again                                   */
    uint32_t files_before, files_after, files_removed;
    uint64_t rows_rewritten, versions_dropped, bytes_freed;
};
SEAM_MUST_USE enum seam_status columnar_maintain(struct columnar_writer *w,
                                                 struct columnar_maintenance *done,
                                                 struct seam_fault *f);
/* Everything columnar_maintain would ever do, until nothing is left (also: sorts whole tables).    */
SEAM_MUST_USE enum seam_status columnar_compact(struct columnar_writer *w,
                                                struct columnar_maintenance *done,
                                                struct seam_fault *f);

/* ---- history ---- */

/* A name for one LSN. While it exists, the tables stay readable AS OF it. `pin` entries are tags set by
 * a consumer (a contract, a reader of long standing) with an owner to ask before removing.          */
SEAM_MUST_USE enum seam_status
columnar_tag(struct columnar_writer *w, const char *name, seam_lsn_t lsn, bool pin,
             struct seam_fault *f); /* SEAM_NOT_FOUND: that LSN cannot be read; SEAM_EXISTS */
SEAM_MUST_USE enum seam_status columnar_untag(struct columnar_writer *w, const char *name,
                                              struct seam_fault *f);

/* Vacuum moves the horizon: LSNs in [from, to) stop being readable, except tagged ones.            */
struct columnar_vacuum {
    seam_lsn_t from, to; /* what becomes unreadable                                           */
    seam_lsn_t applied;
    uint32_t kept_tags; /* tags and pins inside the range, which stay readable               */
    uint64_t versions;  /* row versions that compaction may then drop                        */
};
/* SEAM_INVALID: keep_from is above applied. SEAM_CONFLICT: a pin lies below keep_from (the fault names it)
 * or keep_from is inside the promised history (younger than history_us) and `force` is not set.
 * dry_run: only fills *plan.                                                                       */
SEAM_MUST_USE enum seam_status columnar_vacuum(struct columnar_writer *w, seam_lsn_t keep_from,
                                               bool dry_run, bool force,
                                               struct columnar_vacuum *plan, struct seam_fault *f);
/* Makes the state AS OF lsn the newest: later rows are removed, later ends undone, applied_lsn = lsn, so
 * the sink applies again from there. SEAM_NOT_FOUND outside the readable history.                    */
SEAM_MUST_USE enum seam_status columnar_rollback(struct columnar_writer *w, seam_lsn_t lsn,
                                                 struct seam_fault *f);

/* ---- reader ---- */

SEAM_MUST_USE enum seam_status columnar_open_reader(struct seam_io *io, const char *dir,
                                                    const struct columnar_options *opt,
                                                    struct columnar_reader **out,
                                                    struct seam_fault *f);
void columnar_close_reader(struct columnar_reader *r); /* accepts NULL */
/* Takes in what was published since. *changed may be NULL. Queries must not be running.             */
SEAM_MUST_USE enum seam_status columnar_refresh(struct columnar_reader *r, bool *changed,
                                                struct seam_fault *f);
seam_lsn_t columnar_applied(const struct columnar_reader *r);
struct seam_owner columnar_owner(const struct columnar_reader *r);
int64_t columnar_applied_wall_us(const struct columnar_reader *r);
seam_lsn_t
columnar_history_from(const struct columnar_reader *r); /* lowest LSN readable without a tag */

int columnar_table_count(const struct columnar_reader *r);
int columnar_table(const struct columnar_reader *r, const char *name); /* -1: none */
const struct seam_schema *columnar_schema(const struct columnar_reader *r,
                                          int table); /* until refresh */

enum columnar_as_of_kind {
    COLUMNAR_AS_OF_NEWEST = 0,
    COLUMNAR_AS_OF_LSN,
    COLUMNAR_AS_OF_TIME,
    COLUMNAR_AS_OF_SNAPSHOT,
    COLUMNAR_AS_OF_TAG
};
/* What AS OF is asked for. Zero means newest.                                                      */
struct columnar_as_of {
    enum columnar_as_of_kind kind;
    uint64_t number; /* LSN or snapshot id                                                */
    int64_t
        wall_us; /* COLUMNAR_AS_OF_TIME: the highest LSN published at or before it (clock steps and
                                  ties included: of all such publications, the highest LSN)         */
    const char *tag;
};
/* To an LSN that can be read. SEAM_NOT_FOUND names the readable range.                               */
SEAM_MUST_USE enum seam_status columnar_resolve(const struct columnar_reader *r,
                                                const struct columnar_as_of *as_of, seam_lsn_t *lsn,
                                                struct seam_fault *f);

struct columnar_snapshot {
    uint64_t id;
    seam_lsn_t lsn;
    int64_t wall_us;
};
struct columnar_tag_info {
    char name[COLUMNAR_NAME_MAX];
    seam_lsn_t lsn;
    int64_t wall_us;
    bool pin;
};
/* Publications still readable, oldest first, and tags by name. Both are the reader's, until refresh. */
size_t columnar_snapshots(const struct columnar_reader *r, const struct columnar_snapshot **out);
size_t columnar_tags(const struct columnar_reader *r, const struct columnar_tag_info **out);

struct columnar_table_info {
    uint64_t rows;     /* live now                                                          */
    uint64_t versions; /* rows in files and tail, dead ones included                        */
    uint64_t tail_rows, files, row_groups, bytes;
    seam_lsn_t lsn_min,
        lsn_max; /* of the rows it holds                                              */
};
void columnar_table_info(const struct columnar_reader *r, int table,
                         struct columnar_table_info *out);

/* The live row with this key AS OF lsn (SEAM_LSN_MAX: newest). values has room for all columns; text is
 * appended to `text`. SEAM_NOT_FOUND. Costs a pruned scan of the key columns.                        */
SEAM_MUST_USE enum seam_status columnar_get(const struct columnar_reader *r, int table,
                                            const struct seam_value *key_values, seam_lsn_t lsn,
                                            struct seam_value *values, struct seam_buf *text,
                                            struct seam_fault *f);

/* Every row visible AS OF lsn, in no promised order. The callback's values live for the call; another
 * status than SEAM_OK from it ends the scan and is returned.                                         */
typedef enum seam_status (*columnar_row_fn)(void *ctx, const struct seam_value *values,
                                            seam_lsn_t begin, seam_lsn_t end);
SEAM_MUST_USE enum seam_status columnar_scan_rows(const struct columnar_reader *r, int table,
                                                  seam_lsn_t lsn, columnar_row_fn fn, void *ctx,
                                                  struct seam_fault *f);
/* Every version that lived at some LSN in [from, to]: begin <= to and end > from (end = SEAM_LSN_MAX: lives). */
SEAM_MUST_USE enum seam_status columnar_scan_versions(const struct columnar_reader *r, int table,
                                                      seam_lsn_t from, seam_lsn_t to,
                                                      columnar_row_fn fn, void *ctx,
                                                      struct seam_fault *f);

/* Every version that began or ended in (from, to], also one that did both. Vectors without such a row cost their begin
 * LSNs, files without one nothing. SEAM_NOT_FOUND: `from` is before the kept history (versions may be gone). */
SEAM_MUST_USE enum seam_status columnar_scan_changes(const struct columnar_reader *r, int table,
                                                     seam_lsn_t from, seam_lsn_t to,
                                                     columnar_row_fn fn, void *ctx,
                                                     struct seam_fault *f);

/* What changed in a table after `a`, up to and including `b` (a < b; swap for the way back).
 * ALL: every version begun or ended in (a, b], by LSN. NET: per key the difference of the two states
 * (insert, delete, or update with both images); rows made and ended inside the range do not appear.
 * In a table without key, every appended row is an insert.                                         */
enum columnar_diff_mode { COLUMNAR_DIFF_ALL, COLUMNAR_DIFF_NET };
struct columnar_change {
    char op; /* 'i', 'u', 'd' */
    seam_lsn_t lsn;
    const struct seam_value *before; /* 'u' and 'd' */
    const struct seam_value *after;  /* 'i' and 'u' */
};
typedef enum seam_status (*columnar_change_fn)(void *ctx, const struct columnar_change *change);
SEAM_MUST_USE enum seam_status columnar_diff(const struct columnar_reader *r, int table,
                                             seam_lsn_t a, seam_lsn_t b,
                                             enum columnar_diff_mode mode, columnar_change_fn fn,
                                             void *ctx, struct seam_fault *f);

/* ---- checks ---- */

/* Walks every checksum and every invariant of the folder; needs no lock. Findings are appended to
 * `report` as lines; SEAM_CORRUPT when there is one.                                                 */
struct columnar_verified {
    uint64_t tables, files, row_groups, chunks, rows, bytes;
};
SEAM_MUST_USE enum seam_status columnar_verify(struct seam_io *io, const char *dir,
                                               struct columnar_verified *out,
                                               struct seam_buf *report, struct seam_fault *f);
/* Explains any file of ours (manifest, .col, .kills, journal) as text.                              */
SEAM_MUST_USE enum seam_status columnar_dump(struct seam_io *io, const char *path,
                                             struct seam_buf *out, struct seam_fault *f);

#ifdef __cplusplus
}
#endif

#endif
