/* colfile - one immutable file of row groups.
 *
 *   0        8         12      16        24         32           64
 *   +--------+---------+-------+---------+----------+------------+-----------------+--------+---------+
 *   |SEAMCOLF| version | crc   | file id | table id | zeros      | chunks ...      | footer | trailer |
 *   +--------+---------+-------+---------+----------+------------+-----------------+--------+---------+
 *   crc = crc32c of bytes [0,12) and [16,64).   Chunks: group 0 column 0, column 1, ..., group 1 ...
 *
 *   footer   varint columns, each: varint id, type u8, scale u8          (id 0: the rows' begin LSN)
 *            varint groups, each: varint rows, then for each column
 *               varint offset, varint size, crc u32, kind u8, varint nulls, varint distinct,
 *               zigzag min, zigzag (max - min)                          (0, 0 when all rows are null)
 *   trailer  64 bytes: footer size u32 | footer crc u32 | rows u64 | lsn min u64 | lsn max u64 |
 *                      20 zeros | crc of [0,52) u32 | "SEAMCOLE"
 *
 * A reader demands: both magics, version 1, all checksums, chunks in order inside [64, footer), rows adding
 * up. A chunk's checksum is verified when it is first used. The trailer doubles as BITPACK_SLACK.  */
#ifndef SEAM_COLUMNAR_COLFILE_H
#define SEAM_COLUMNAR_COLFILE_H

#include <stdatomic.h>

#include "columnar/format/chunk.h"

enum { COLFILE_HEAD = 64, COLFILE_TRAILER = 64, COLFILE_GROUPS_MAX = 1 << 16, COLFILE_LSN_COLUMN = 0 };

struct colfile_column { uint32_t id; uint8_t type, scale; };

struct colfile_chunk {
    uint64_t offset;
    uint32_t size, crc;
    struct chunk_summary summary;
    _Atomic(struct chunk *) opened;
};

struct colfile_group {
    uint32_t rows;
    uint64_t first_row;
    struct colfile_chunk *chunks; /* one a column */
};

struct colfile {
    atomic_int refs;
    struct io *io;
    char *path;
    uint64_t id, table_id;
    uint64_t rows, size;
    lsn_t lsn_min, lsn_max;
    int column_count, group_count;
    struct colfile_column *columns;
    struct colfile_group *groups;
    struct colfile_chunk *chunks; /* all groups' */
    const uint8_t *map;
};

MUST_USE enum status colfile_open(struct io *io, const char *path, struct colfile **out, struct fault *f);
struct colfile *colfile_ref(struct colfile *file);
void colfile_unref(struct colfile *file); /* accepts NULL */
int colfile_column(const struct colfile *file, uint32_t id); /* -1: the file has it not */
/* Checked and parsed once, then shared by all threads; lives as long as the file. */
MUST_USE enum status colfile_chunk(struct colfile *file, int group, int column,
                                   const struct chunk **out, struct fault *f);

/* ---- writing ---- */

/* One encoded row group, made by any thread. */
struct colgroup {
    uint32_t rows;
    struct buf bytes;
    size_t *ends;                    /* of each column's chunk in bytes */
    struct chunk_summary *summaries;
    uint32_t *crcs;
};
/* Encodes rows [from, from + n) of the given columns. from % 64 == 0. */
MUST_USE enum status colgroup_encode(const struct colfile_column *columns,
                                     const struct columnar_column *data, int count, size_t from,
                                     size_t n, struct colgroup *out);
void colgroup_free(struct colgroup *g, int count);

struct colfile_writer;
/* Column 0 must be the LSN column. */
MUST_USE enum status colfile_create(struct io *io, const char *path, uint64_t id, uint64_t table_id,
                                    const struct colfile_column *columns, int count,
                                    struct colfile_writer **out, struct fault *f);
MUST_USE enum status colfile_add(struct colfile_writer *w, const struct colgroup *g, struct fault *f);
struct colfile_written { uint64_t rows, bytes; lsn_t lsn_min, lsn_max; };
/* Footer, trailer, sync (unless no_sync). The folder is the caller's to sync. */
MUST_USE enum status colfile_finish(struct colfile_writer *w, bool no_sync,
                                    struct colfile_written *written, struct fault *f);
void colfile_writer_free(struct colfile_writer *w);

#endif
