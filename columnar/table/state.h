/* state - a warehouse as read from its folder: the newest manifest plus the journal that follows it.
 * The writer and every reader hold one; the writer's also has what it has not published yet.
 *
 * Manifest payload (engine/io/manifest.h, kind COLM); varints unless said:
 *
 *   version 1 | next file id | next snapshot id | horizon | tables | snapshots | tags
 *   table:     id | schema as JSON (length, bytes) | sort columns: count, positions | tail file id |
 *              files: count, each id, rows, bytes, lsn min, lsn max, kills file, at, size, crc u32
 *   snapshots: count, each id, lsn, zigzag wall: differences to the one before
 *   tags:      count, each name (length, bytes), lsn, zigzag wall, pin u8
 *
 * Journal (journal-SEQ.log, SEQ = the manifest it follows):
 *
 *   0                    64          72    76       80
 *   +--------------------+-----------+-----+--------+---------
 *   | head (SEAMCOLJ, 2) | committed | crc | zeros  | records
 *   +--------------------+-----------+-----+--------+---------
 *   head: engine/io/filehead.h; file id: the manifest's sequence. committed: end of the last record that was
 *   synced, u64 and its own crc u32; readers stop there.
 *   It is written without sync, so recovery trusts the records' own checksums instead.
 *
 *   record   size u32 | crc u32 | body.  crc = crc32c of (crc of the record before, size, body), the first begun with the head's: a record
 *            left over from a torn life cannot follow a new one.
 *   body     snapshot id | applied lsn | zigzag wall | tables: count, each
 *              table id | rows: count | kills: count
 *              if rows: lsns (first, then differences) | columns: count, each id, then for each row a null
 *                bit (bytes up to rows/8), then values of the others (zigzag; double 8 bytes; text length,
 *                bytes)
 *              kills: file id, row, lsn
 *
 * Kills file (kID.kills): head (SEAMCOLK, 2; file id: ID) | sections.
 *   section  count | rows ascending: row difference, zigzag difference of end lsn.  Checksum: manifest. */
#ifndef SEAM_COLUMNAR_STATE_H
#define SEAM_COLUMNAR_STATE_H

#include "columnar/format/coldata.h"
#include "columnar/format/colfile.h"
#include "engine/io/manifest.h"

enum {
    JOURNAL_COMMITTED = SEAM_FILEHEAD_BYTES,
    JOURNAL_COMMITTED_SIZE = 12,
    JOURNAL_HEAD = 80,
    JOURNAL_RECORD_HEAD = 8,
    KILLS_HEAD = SEAM_FILEHEAD_BYTES,
    JOURNAL_RECORD_MAX = 256 << 20,
    SNAPSHOTS_MAX = 1 << 20 /* publications of which the time and the number are kept: 24 MiB */
};
extern const struct seam_filehead_format columnar_journal_format, columnar_kills_format;
#define COLUMNAR_KIND SEAM_MANIFEST_KIND('C', 'O', 'L', 'M')

struct columnar_kill {
    uint32_t row;
    seam_lsn_t end;
};
struct columnar_kill_bucket {
    uint32_t count, cap;
    struct columnar_kill *kills;
}; /* of one vector's rows */

/* A column file with its ended rows, or a table's tail (file == NULL). */
struct columnar_table_file {
    uint64_t id;
    struct columnar_colfile *file;
    uint64_t rows, bytes;
    seam_lsn_t lsn_min, lsn_max;
    struct columnar_kill_bucket *buckets;
    size_t bucket_count;
    uint64_t killed;
    seam_lsn_t kill_max; /* highest end */
    uint64_t kills_file, kills_at, kills_size;
    uint32_t kills_crc;
    bool kills_dirty; /* writer: more kills than the kills file has */
};

struct columnar_table {
    uint32_t id;
    struct seam_schema schema;
    struct columnar_table_options opt;
    size_t file_count, file_cap;
    struct columnar_table_file *files;
    struct columnar_table_file tail;
    struct columnar_coldata rows; /* of the tail */
};

struct columnar_state {
    struct seam_io *io;
    char *dir;
    uint64_t seq; /* of the manifest; 0 = an empty folder */
    struct seam_owner owner;
    seam_lsn_t applied, horizon;
    int64_t wall_us;
    uint64_t next_file, next_snapshot;
    size_t table_count;
    struct columnar_table *tables;
    size_t snapshot_count, snapshot_cap;
    struct columnar_snapshot *snapshots;
    size_t tag_count;
    struct columnar_tag_info *tags;
    struct seam_file *journal; /* open when it exists */
    uint64_t journal_end;      /* after the last record taken in */
    uint32_t journal_crc;      /* of that record */
    uint64_t journal_rows;
};

/* Loads the newest manifest and its journal. `recover`: believe every whole record (the writer), else stop
 * at `committed`. `old` (may be NULL) lends its open files. SEAM_OK also for an empty folder.          */
SEAM_MUST_USE enum seam_status columnar_state_load(struct seam_io *io, const char *dir,
                                                   bool recover, const struct columnar_state *old,
                                                   struct columnar_state *out,
                                                   struct seam_fault *f);
void columnar_state_free(struct columnar_state *s);
/* Takes in records that were committed since. */
SEAM_MUST_USE enum seam_status columnar_state_follow(struct columnar_state *s, bool recover,
                                                     bool *changed, struct seam_fault *f);
SEAM_MUST_USE enum seam_status columnar_state_manifest_is_newest(const struct columnar_state *s,
                                                                 bool *newest,
                                                                 struct seam_fault *f);

struct columnar_table *columnar_state_table(struct columnar_state *s, uint32_t id);
int columnar_state_table_named(const struct columnar_state *s, const char *name);
struct columnar_table_file *columnar_table_file_by_id(struct columnar_table *t, uint64_t id);
void columnar_table_free(struct columnar_table *t);
SEAM_MUST_USE enum seam_status columnar_table_add_file(struct columnar_table *t,
                                                       struct columnar_table_file **out);
SEAM_MUST_USE enum seam_status columnar_table_reset_tail(struct columnar_table *t, uint64_t id);
SEAM_MUST_USE enum seam_status columnar_state_add_snapshot(struct columnar_state *s, uint64_t id,
                                                           seam_lsn_t lsn, int64_t wall_us);

SEAM_MUST_USE enum seam_status columnar_file_kill(struct columnar_table_file *tf, uint32_t row,
                                                  seam_lsn_t end);
void columnar_file_free(struct columnar_table_file *tf);

void columnar_state_encode(const struct columnar_state *s, struct seam_buf *out);
void columnar_file_kills_encode(const struct columnar_table_file *tf, struct seam_buf *out);
void columnar_journal_put_committed(uint8_t out[JOURNAL_COMMITTED_SIZE], uint64_t end);
bool columnar_journal_get_committed(const uint8_t in[JOURNAL_COMMITTED_SIZE], uint64_t *end);
/* One record whose body stands at p: its checksum must follow *crc, which then is the record's. */
bool columnar_journal_record_whole(const uint8_t head[JOURNAL_RECORD_HEAD], const uint8_t *body,
                                   uint32_t *crc);
struct columnar_journal_record { /* before the tables of a body */
    uint64_t snapshot, tables;
    seam_lsn_t lsn;
    int64_t wall_us;
};
bool columnar_journal_record_read(struct seam_reader *r, struct columnar_journal_record *out);
/* One table's part of a journal record. */
struct columnar_journal_kill {
    uint64_t file;
    uint32_t row;
    seam_lsn_t end;
};
void columnar_journal_encode_table(const struct columnar_table *t, size_t from_row,
                                   const struct columnar_journal_kill *kills, size_t kill_count,
                                   struct seam_buf *out);

/* Names. A folder's name that leaves no room is SEAM_LIMIT, never a shorter name. */
SEAM_MUST_USE enum seam_status columnar_file_path(char out[SEAM_PATH_MAX_BYTES], const char *dir,
                                                  uint64_t id, struct seam_fault *f);
SEAM_MUST_USE enum seam_status columnar_kills_path(char out[SEAM_PATH_MAX_BYTES], const char *dir,
                                                   uint64_t id, struct seam_fault *f);
SEAM_MUST_USE enum seam_status columnar_journal_path(char out[SEAM_PATH_MAX_BYTES], const char *dir,
                                                     uint64_t seq, struct seam_fault *f);

/* ---- reading rows of a table_file, whatever it is made of ---- */

/* Vectors of `rows` rows; groups of a tail are of 131,072 rows. */
int columnar_table_file_groups(const struct columnar_table_file *tf);
uint32_t columnar_table_file_group_rows(const struct columnar_table_file *tf, int group,
                                        uint64_t *first_row);
/* Schema column `column` (or COLUMN_BEGIN) of vector v of a group, with evolution applied. */
enum { COLUMN_BEGIN = -1 };
SEAM_MUST_USE enum seam_status columnar_table_read_column(const struct columnar_table *t,
                                                          const struct columnar_table_file *tf,
                                                          int group, uint32_t v, int column,
                                                          struct columnar_chunk_scratch *scratch,
                                                          struct columnar_vec *out,
                                                          struct seam_fault *f);
/* end LSN of each row of the vector starting at file row `first`. */
void columnar_table_read_ends(const struct columnar_table_file *tf, uint64_t first, uint32_t rows,
                              seam_lsn_t *ends);

/* Every version of a table's files, a vector at a time. */
struct columnar_version_batch {
    const struct columnar_table_file *tf;
    uint64_t first_row;
    uint32_t rows;
    const seam_lsn_t *begin, *end;
    const struct columnar_vec *cols;
};
typedef enum seam_status (*version_fn)(void *ctx, const struct columnar_version_batch *b);
SEAM_MUST_USE enum seam_status columnar_table_versions(const struct columnar_table *t,
                                                       const struct columnar_table_file *only,
                                                       const int *columns, int n, version_fn fn,
                                                       void *ctx, struct seam_fault *f);

/* The same of those vectors alone in which a row begins or ends in (from, to]; the others' columns are not read. */
SEAM_MUST_USE enum seam_status columnar_table_changes(const struct columnar_table *t,
                                                      seam_lsn_t from, seam_lsn_t to,
                                                      const int *columns, int n, version_fn fn,
                                                      void *ctx, struct seam_fault *f);

#endif
