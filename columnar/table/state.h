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
 *   0        8         12    16             24        32
 *   +--------+---------+-----+--------------+---------+-----------+---------- ... ---+-------
 *   |SEAMCOLJ| version | crc | manifest seq | zeros 8 | committed | crc | to 64 zeros | records
 *   +--------+---------+-----+--------------+---------+-----------+---------- ... ---+-------
 *   crc = of [0,12) and [16,32). committed: end of the last record that was synced, u64 and its own crc u32;
 *   readers stop there.
 *   It is written without sync, so recovery trusts the records' own checksums instead.
 *
 *   record   size u32 | crc u32 | body.  crc = crc32c of (crc of the record before, size, body): a record
 *            left over from a torn life cannot follow a new one.
 *   body     snapshot id | applied lsn | zigzag wall | tables: count, each
 *              table id | rows: count | kills: count
 *              if rows: lsns (first, then differences) | columns: count, each id, then for each row a null
 *                bit (bytes up to rows/8), then values of the others (zigzag; double 8 bytes; text length,
 *                bytes)
 *              kills: file id, row, lsn
 *
 * Kills file (kID.kills): "SEAMCOLK" | version u32 | crc of [0,12), [16,64) | id u64 | zeros to 64 | sections.
 *   section  count | rows ascending: row difference, zigzag difference of end lsn.  Checksum: manifest. */
#ifndef SEAM_COLUMNAR_STATE_H
#define SEAM_COLUMNAR_STATE_H

#include "columnar/format/coldata.h"
#include "columnar/format/colfile.h"
#include "engine/io/manifest.h"

enum { JOURNAL_HEAD = 64, JOURNAL_COMMITTED = 32, JOURNAL_COMMITTED_SIZE = 12, JOURNAL_RECORD_HEAD = 8, KILLS_HEAD = 64,
       JOURNAL_RECORD_MAX = 256 << 20, SNAPSHOTS_MAX = 65536 };
#define COLUMNAR_KIND MANIFEST_KIND('C', 'O', 'L', 'M')

struct kill { uint32_t row; lsn_t end; };
struct kill_bucket { uint32_t count, cap; struct kill *kills; }; /* of one vector's rows */

/* A column file with its ended rows, or a table's tail (file == NULL). */
struct table_file {
    uint64_t id;
    struct colfile *file;
    uint64_t rows, bytes;
    lsn_t lsn_min, lsn_max;
    struct kill_bucket *buckets;
    size_t bucket_count;
    uint64_t killed;
    lsn_t kill_max;             /* highest end */
    uint64_t kills_file, kills_at, kills_size;
    uint32_t kills_crc;
    bool kills_dirty;           /* writer: more kills than the kills file has */
};

struct table {
    uint32_t id;
    struct schema schema;
    struct columnar_table_options opt;
    size_t file_count, file_cap;
    struct table_file *files;
    struct table_file tail;
    struct coldata rows;        /* of the tail */
};

struct state {
    struct io *io;
    char *dir;
    uint64_t seq;               /* of the manifest; 0 = an empty folder */
    lsn_t applied, horizon;
    int64_t wall_us;
    uint64_t next_file, next_snapshot;
    size_t table_count;
    struct table *tables;
    size_t snapshot_count, snapshot_cap;
    struct columnar_snapshot *snapshots;
    size_t tag_count;
    struct columnar_tag_info *tags;
    struct file *journal;       /* open when it exists */
    uint64_t journal_end;       /* after the last record taken in */
    uint32_t journal_crc;       /* of that record */
    uint64_t journal_rows;
};

/* Loads the newest manifest and its journal. `recover`: believe every whole record (the writer), else stop
 * at `committed`. `old` (may be NULL) lends its open files. ST_OK also for an empty folder.          */
MUST_USE enum status state_load(struct io *io, const char *dir, bool recover, const struct state *old,
                                struct state *out, struct fault *f);
void state_free(struct state *s);
/* Takes in records that were committed since. */
MUST_USE enum status state_follow(struct state *s, bool recover, bool *changed, struct fault *f);
bool state_manifest_is_newest(const struct state *s);

struct table *state_table(struct state *s, uint32_t id);
int state_table_named(const struct state *s, const char *name);
struct table_file *table_file_by_id(struct table *t, uint64_t id);
void table_free(struct table *t);
MUST_USE enum status table_add_file(struct table *t, struct table_file **out);
MUST_USE enum status table_reset_tail(struct table *t, uint64_t id);
MUST_USE enum status state_add_snapshot(struct state *s, uint64_t id, lsn_t lsn, int64_t wall_us);

MUST_USE enum status file_kill(struct table_file *tf, uint32_t row, lsn_t end);
void file_free(struct table_file *tf);

void state_encode(const struct state *s, struct buf *out);
void file_kills_encode(const struct table_file *tf, struct buf *out);
void journal_put_committed(uint8_t out[JOURNAL_COMMITTED_SIZE], uint64_t end);
/* One table's part of a journal record. */
struct journal_kill { uint64_t file; uint32_t row; lsn_t end; };
void journal_encode_table(const struct table *t, size_t from_row, const struct journal_kill *kills,
                          size_t kill_count, struct buf *out);

void path_of(char out[PATH_MAX_BYTES], const char *dir, char letter, uint64_t id, const char *suffix);

/* ---- reading rows of a table_file, whatever it is made of ---- */

/* Vectors of `rows` rows; groups of a tail are of 131,072 rows. */
int table_file_groups(const struct table_file *tf);
uint32_t table_file_group_rows(const struct table_file *tf, int group, uint64_t *first_row);
/* Schema column `column` (or COLUMN_BEGIN) of vector v of a group, with evolution applied. */
enum { COLUMN_BEGIN = -1 };
MUST_USE enum status table_read_column(const struct table *t, const struct table_file *tf, int group,
                                       uint32_t v, int column, struct chunk_scratch *scratch,
                                       struct vec *out, struct fault *f);
/* end LSN of each row of the vector starting at file row `first`. */
void table_read_ends(const struct table_file *tf, uint64_t first, uint32_t rows, lsn_t *ends);

/* Every version of a table's files, a vector at a time. */
struct version_batch {
    const struct table_file *tf;
    uint64_t first_row;
    uint32_t rows;
    const lsn_t *begin, *end;
    const struct vec *cols;
};
typedef enum status (*version_fn)(void *ctx, const struct version_batch *b);
MUST_USE enum status table_versions(const struct table *t, const struct table_file *only,
                                    const int *columns, int n, version_fn fn, void *ctx,
                                    struct fault *f);

/* The same of those vectors alone in which a row begins or ends in (from, to]; the others' columns are not read. */
MUST_USE enum status table_changes(const struct table *t, lsn_t from, lsn_t to, const int *columns, int n,
                                   version_fn fn, void *ctx, struct fault *f);

#endif
