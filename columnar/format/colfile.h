/* colfile - one immutable file of row groups.
 *
 *   0                    64
 *   +--------------------+-----------------+--------+---------+
 *   | head (SEAMCOLF, 2) | chunks ...      | footer | trailer |
 *   +--------------------+-----------------+--------+---------+
 *   head: engine/io/filehead.h; file id as in the name, extra: the table's id.
 *   Chunks: group 0 column 0, column 1, ..., group 1 ...
 *
 *   footer   varint columns, each: varint id, type u8, scale u8          (id 0: the rows' begin LSN)
 *            varint groups, each: varint rows, then for each column
 *               varint offset, varint size, crc u32, kind u8, varint nulls, varint distinct,
 *               zigzag min, zigzag (max - min)                          (0, 0 when all rows are null)
 *   trailer  64 bytes: footer size u32 | footer crc u32 | rows u64 | lsn min u64 | lsn max u64 |
 *                      20 zeros | crc of [0,52) u32 | "SEAMCOLE"
 *
 * A reader demands: both magics, version 2, all checksums, chunks in order inside [64, footer), rows adding
 * up. A chunk's checksum is verified when it is first used. The trailer doubles as BITPACK_SLACK.  */
#ifndef SEAM_COLUMNAR_COLFILE_H
#define SEAM_COLUMNAR_COLFILE_H

#include <stdatomic.h>

#include "columnar/format/chunk.h"
#include "engine/io/filehead.h"

extern const struct seam_filehead_format columnar_colfile_format;

enum {
    COLFILE_HEAD = SEAM_FILEHEAD_BYTES,
    COLFILE_TRAILER = 64,
    COLFILE_GROUPS_MAX = 1 << 16,
    COLFILE_LSN_COLUMN = 0
};

struct columnar_colfile_column {
    uint32_t id;
    uint8_t type, scale;
};

struct columnar_colfile_chunk {
    uint64_t offset;
    uint32_t size, crc;
    struct columnar_chunk_summary summary;
    _Atomic(struct columnar_chunk *) opened;
};

struct columnar_colfile_group {
    uint32_t rows;
    uint64_t first_row;
    struct columnar_colfile_chunk *chunks; /* one a column */
};

struct columnar_colfile {
    atomic_int refs;
    struct seam_io *io;
    char *path;
    uint64_t id, table_id;
    uint64_t rows, size;
    seam_lsn_t lsn_min, lsn_max;
    int column_count, group_count;
    struct columnar_colfile_column *columns;
    struct columnar_colfile_group *groups;
    struct columnar_colfile_chunk *chunks; /* all groups' */
    const uint8_t *map;
};

SEAM_MUST_USE enum seam_status columnar_colfile_open(struct seam_io *io, const char *path,
                                                     struct columnar_colfile **out,
                                                     struct seam_fault *f);
struct columnar_colfile *columnar_colfile_ref(struct columnar_colfile *file);
void columnar_colfile_unref(struct columnar_colfile *file); /* accepts NULL */
int columnar_colfile_column(const struct columnar_colfile *file,
                            uint32_t id); /* -1: the file has it not */
/* Checked and parsed once, then shared by all threads; lives as long as the file. */
SEAM_MUST_USE enum seam_status columnar_colfile_chunk(struct columnar_colfile *file, int group,
                                                      int column, const struct columnar_chunk **out,
                                                      struct seam_fault *f);

/* ---- writing ---- */

/* One encoded row group, made by any thread. */
struct columnar_colgroup {
    uint32_t rows;
    struct seam_buf bytes;
    size_t *ends; /* of each column's chunk in bytes */
    struct columnar_chunk_summary *summaries;
    uint32_t *crcs;
};
/* Encodes rows [from, from + n) of the given columns. from % 64 == 0. */
SEAM_MUST_USE enum seam_status
columnar_colgroup_encode(const struct columnar_colfile_column *columns,
                         const struct columnar_column *data, int count, size_t from, size_t n,
                         struct columnar_colgroup *out);
void columnar_colgroup_free(struct columnar_colgroup *g, int count);

struct columnar_colfile_writer;
/* What a new file is. Column 0 must be the LSN column. */
struct columnar_colfile_spec {
    struct seam_owner owner;
    uint64_t id;
    uint32_t table_id;
    const struct columnar_colfile_column *columns;
    int count;
};
SEAM_MUST_USE enum seam_status columnar_colfile_create(struct seam_io *io, const char *path,
                                                       const struct columnar_colfile_spec *spec,
                                                       struct columnar_colfile_writer **out,
                                                       struct seam_fault *f);
SEAM_MUST_USE enum seam_status columnar_colfile_add(struct columnar_colfile_writer *w,
                                                    const struct columnar_colgroup *g,
                                                    struct seam_fault *f);
struct columnar_colfile_written {
    uint64_t rows, bytes;
    seam_lsn_t lsn_min, lsn_max;
};
/* Footer, trailer, sync (unless no_sync). The folder is the caller's to sync. */
SEAM_MUST_USE enum seam_status columnar_colfile_finish(struct columnar_colfile_writer *w,
                                                       bool no_sync,
                                                       struct columnar_colfile_written *written,
                                                       struct seam_fault *f);
void columnar_colfile_writer_free(struct columnar_colfile_writer *w);

#endif
