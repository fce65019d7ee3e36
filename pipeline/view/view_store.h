/* view_store - the writing side of the views: one handle, one transaction a batch. Used by the view sink.  */
#ifndef SEAM_PIPELINE_VIEW_STORE_H
#define SEAM_PIPELINE_VIEW_STORE_H

#include "pipeline/sinks/own_rows.h"
#include "pipeline/sinks/sink.h"
#include "pipeline/view/view_delta.h"

enum { VIEW_MIRRORS_MAX = 64, VIEW_FOREIGN_MAX = 8 };

/* Columns of a table by which some view looks for its rows: a foreign key. */
struct view_foreign {
    uint16_t columns[SEAM_KEY_COLUMNS_MAX];
    uint16_t count;
    uint32_t index;
    int field;
};

struct view_mirror {
    uint32_t source, table; /* table id in the source, and of src_NAME here */
    struct view_foreign foreign[VIEW_FOREIGN_MAX];
    int n_foreign;
};

struct view_state {
    char name[SEAM_NAME_MAX_BYTES];
    char *sql;                 /* as declared */
    struct view_def *def;      /* NULL until all its inputs' schemas are known */
    struct view_deltas deltas; /* of this batch */
    uint32_t table, multiset;  /* v_NAME, m_NAME (0: none) */
    bool fresh;                /* must be computed from the mirrors */
    struct view_key_set
        repairs; /* groups to be computed again from the mirrors at the next publication */
    bool repair_all, repairing; /* ... all of them; now: only those groups count */
};

struct view_store {
    struct seam_io *io;
    struct sink_own_rows own;
    struct oltp_txn *txn; /* open between the first change of a batch and its publication */
    struct stream_registry registry;
    struct seam_trace *trace;
    struct view_mirror mirrors[VIEW_MIRRORS_MAX];
    int n_mirrors;
    struct view_state views[VIEWS_MAX];
    int n_views;
    uint32_t meta, defs;
    seam_lsn_t lsn, valid_lsn;
    int64_t wall_us;  /* commit time at lsn */
    bool bulk;        /* only the mirrors are kept up; the views are computed at the end */
    uint64_t changes; /* of this batch */
    struct seam_buf scratch[VIEW_TABLES_MAX], key, row;
    struct seam_arena arena;
};

/* `views`: the configuration's [{"name","sql"}, ...]. */
SEAM_MUST_USE enum seam_status view_store_open(struct seam_io *io, struct seam_clock *clock,
                                               const char *dir, const struct seam_json *views,
                                               struct seam_trace *trace, struct view_store **out,
                                               struct seam_fault *f);
void view_store_close(struct view_store *s);
SEAM_MUST_USE enum seam_status
view_store_schema(struct view_store *s, const struct seam_schema *schema, struct seam_fault *f);
SEAM_MUST_USE enum seam_status
view_store_change(struct view_store *s, const struct stream_change *c, struct seam_fault *f);
/* The next publication computes this group again from the mirrors (key.data NULL: every group of the view), whatever
 * stands there. A view that is not declared: nothing.                                                */
SEAM_MUST_USE enum seam_status view_store_repair(struct view_store *s, const char *view,
                                                 struct wal_bytes key, struct seam_fault *f);
/* Every key that the table's mirror holds. */
SEAM_MUST_USE enum seam_status view_store_keys(struct view_store *s,
                                               const struct seam_schema *schema, sink_key_fn fn,
                                               void *ctx, struct seam_fault *f);
SEAM_MUST_USE enum seam_status view_store_publish(struct view_store *s, seam_lsn_t lsn,
                                                  int64_t wall_us, struct seam_fault *f);

/* ---- within the folder ---- */
SEAM_MUST_USE enum seam_status view_store_begin(struct view_store *s, struct seam_fault *f);
struct view_mirror *view_store_mirror(struct view_store *s, uint32_t source); /* NULL = none */
SEAM_MUST_USE enum seam_status
view_mirror_define(struct view_store *s, const struct seam_schema *schema, struct seam_fault *f);
SEAM_MUST_USE enum seam_status view_mirror_need(struct view_store *s, uint32_t source,
                                                const uint16_t *columns, uint16_t count,
                                                struct seam_fault *f);
SEAM_MUST_USE enum seam_status view_mirror_put(struct view_store *s, struct view_mirror *m,
                                               const struct seam_schema *schema,
                                               struct wal_bytes key, struct wal_bytes row,
                                               struct seam_fault *f);
SEAM_MUST_USE enum seam_status view_mirror_delete(struct view_store *s, struct view_mirror *m,
                                                  struct wal_bytes key, struct seam_fault *f);
/* The row as it is; copied into `out`. SEAM_NOT_FOUND. */
SEAM_MUST_USE enum seam_status view_mirror_get(struct view_store *s, const struct view_mirror *m,
                                               struct wal_bytes key, struct seam_buf *out,
                                               struct seam_fault *f);
/* Adds sign * the fact row's contribution to the view's deltas. */
SEAM_MUST_USE enum seam_status view_contribute(struct view_store *s, struct view_state *v,
                                               struct wal_bytes fact_row, int sign,
                                               struct seam_fault *f);
/* Keys of the fact rows whose joins reach `key` of input `input`. */
SEAM_MUST_USE enum seam_status view_affected(struct view_store *s, const struct view_state *v,
                                             int input, struct wal_bytes key,
                                             struct view_key_set *out, struct seam_fault *f);
SEAM_MUST_USE enum seam_status view_compute(struct view_store *s, struct view_state *v,
                                            struct seam_fault *f);
SEAM_MUST_USE enum seam_status view_flush(struct view_store *s, struct view_state *v,
                                          struct seam_fault *f);
/* A view without GROUP BY has its one row even before the first fact: it has a delta, be it empty. */
SEAM_MUST_USE enum seam_status view_ensure_total(struct view_state *v, struct seam_fault *f);
/* Writes the batch's deltas but for v->repairs, and those groups as the mirrors say. */
SEAM_MUST_USE enum seam_status view_repair_groups(struct view_store *s, struct view_state *v,
                                                  struct seam_fault *f);

#endif
