/* store - opens the folder: manifest, base, journal, in that order, and takes the writer's lock. */
#include "hnsw/store.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "hnsw/basefile.h"
#include "hnsw/journal.h"
#include "hnsw/query.h"

enum { JOURNAL_READ_MIN = 1 << 16, OPEN_TRIES = 16, BIG_BATCH_MIN = 4096 };

enum seam_status hnsw_store_path(char out[SEAM_PATH_MAX_BYTES], const char *dir, uint64_t seq,
                                 const char *ext, struct seam_fault *f)
{
    assert(seq > 0);
    assert(ext != NULL);
    return seam_path_format(out, dir, f, "%016" PRIx64 ".%s", seq, ext);
}

/* ---- the manifest's payload ---- */
static void put_f64(struct seam_buf *out, double v)
{
    uint8_t b[8];

    seam_put_f64(b, v);
    seam_buf_append(out, b, sizeof b);
}

static double read_f64(struct seam_reader *r)
{
    const uint8_t *p = seam_read_bytes(r, 8);

    return p != NULL ? seam_get_f64(p) : 0;
}

static void state_encode(const struct hnsw_state *s, struct seam_buf *out)
{
    assert(s->point_count <= HNSW_POINTS_MAX);
    assert(s->journal > 0 && s->journal <= s->seq);
    seam_buf_u32(out, STATE_VERSION);
    seam_buf_u32(out, s->o.dim);
    seam_buf_u32(out, (uint32_t)s->o.metric);
    seam_buf_u32(out, (uint32_t)s->o.quant);
    seam_buf_u32(out, s->o.m);
    seam_buf_u32(out, s->o.ef_construction);
    seam_buf_u64(out, s->o.seed);
    seam_buf_u64(out, s->base);
    seam_buf_u64(out, s->journal);
    seam_buf_u64(out, s->floor_lsn);
    put_f64(out, s->default_recall);
    seam_buf_u32(out, (uint32_t)s->point_count);
    seam_buf_u32(out, 0);
    for (size_t i = 0; i < s->point_count; i++) {
        const struct hnsw_point *p = &s->points[i];

        seam_buf_u32(out, p->k);
        seam_buf_u32(out, p->ef);
        put_f64(out, p->recall_mean);
        put_f64(out, p->recall_low);
        put_f64(out, p->p50_us);
        put_f64(out, p->p99_us);
        seam_buf_u32(out, p->patience);
    }
}

static enum seam_status state_bad(const char *where, const struct seam_reader *r,
                                  struct seam_fault *f, const char *what)
{
    assert(where != NULL);
    assert(what != NULL);
    return seam_fault_set(f, SEAM_CORRUPT, where, SEAM_MANIFEST_HEADER_SIZE + seam_reader_offset(r),
                          "%s", what);
}

enum seam_status hnsw_state_parse(const struct seam_manifest *m, const char *where,
                                  struct hnsw_state *out, struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(m->payload.data, m->payload.size);
    uint32_t version = seam_read_u32(&r);
    assert(where != NULL);

    if (!r.bad && version != STATE_VERSION)
        return seam_fault_set(f, SEAM_UNSUPPORTED, where, SEAM_MANIFEST_HEADER_SIZE,
                              "the state of a vector index of version %" PRIu32
                              "; this program reads version %d",
                              version, STATE_VERSION);
    *out = (struct hnsw_state){
        .seq = m->seq, .applied_lsn = m->applied_lsn, .wall_us = m->wall_us, .owner = m->owner};
    out->o.dim = seam_read_u32(&r);
    out->o.metric = (enum hnsw_metric)seam_read_u32(&r);
    out->o.quant = (enum hnsw_quant)seam_read_u32(&r);
    out->o.m = seam_read_u32(&r);
    out->o.ef_construction = seam_read_u32(&r);
    out->o.seed = seam_read_u64(&r);
    out->base = seam_read_u64(&r);
    out->journal = seam_read_u64(&r);
    out->floor_lsn = seam_read_u64(&r);
    out->default_recall = read_f64(&r);
    out->point_count = seam_read_u32(&r);
    if (seam_read_u32(&r) != 0 || r.bad || out->point_count > HNSW_POINTS_MAX)
        return state_bad(where, &r, f, "the manifest's payload is malformed");
    if (hnsw_graph_options_check(&out->o, NULL) != SEAM_OK || out->journal == 0 ||
        out->base > out->seq || out->journal > out->seq ||
        !(out->default_recall >= 0 && out->default_recall <= 1))
        return state_bad(where, &r, f, "the manifest's values are impossible");
    for (size_t i = 0; i < out->point_count; i++) {
        struct hnsw_point *p = &out->points[i];

        p->k = seam_read_u32(&r);
        p->ef = seam_read_u32(&r);
        p->recall_mean = read_f64(&r);
        p->recall_low = read_f64(&r);
        p->p50_us = read_f64(&r);
        p->p99_us = read_f64(&r);
        p->patience = seam_read_u32(&r);
        if (p->ef > HNSW_EF_MAX) return state_bad(where, &r, f, "a pinned ef is impossible");
    }
    if (r.bad || seam_reader_left(&r) != 0)
        return state_bad(where, &r, f, "the manifest's payload has another size");
    assert(out->point_count <= HNSW_POINTS_MAX && out->journal > 0);
    return SEAM_OK;
}

enum seam_status hnsw_state_load(struct seam_io *io, const char *dir, struct hnsw_state *out,
                                 struct seam_fault *f)
{
    struct seam_manifest m = {0};
    enum seam_status st = seam_manifest_load_newest(io, dir, STATE_KIND, &m, f);
    assert(out != NULL);

    if (st == SEAM_OK) st = hnsw_state_parse(&m, dir, out, f);
    seam_buf_free(&m.payload);
    return st;
}

static enum seam_status state_publish(struct hnsw_store *s, struct seam_fault *f)
{
    struct seam_manifest m = {.kind = STATE_KIND,
                              .seq = s->state.seq,
                              .parent = s->state.seq - 1,
                              .applied_lsn = s->state.applied_lsn,
                              .wall_us = s->state.wall_us,
                              .owner = s->state.owner};
    enum seam_status st;
    assert(s->state.seq > 0);
    assert(s->state.base <= s->state.seq);

    state_encode(&s->state, &m.payload);
    st = seam_buf_check(&m.payload, f, "the manifest");
    if (st == SEAM_OK) st = seam_manifest_publish(s->io, s->dir, &m, f);
    seam_buf_free(&m.payload);
    return st;
}

/* ---- files ---- */
static enum seam_status journal_create(struct hnsw_store *s, uint64_t seq, struct seam_file **out,
                                       struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    uint8_t head[JOURNAL_HEADER];
    struct seam_file *file = NULL;
    enum seam_status st = hnsw_store_path(path, s->dir, seq, "journal", f);
    assert(seq > 0);
    assert(out != NULL && *out == NULL);

    seam_filehead_encode(&hnsw_journal_format,
                         &(struct seam_filehead){.owner = s->state.owner, .file_id = seq}, head);
    if (st == SEAM_OK)
        st = seam_file_open(s->io, path, SEAM_FILE_WRITE | SEAM_FILE_CREATE | SEAM_FILE_TRUNC,
                            &file, f);
    if (st == SEAM_OK) st = seam_file_write(file, 0, head, sizeof head, f);
    if (st == SEAM_OK) st = seam_file_sync(file, f);
    if (st == SEAM_OK) st = seam_io_sync_dir(s->io, s->dir, f);
    if (st == SEAM_OK) {
        *out = file;
        file = NULL;
    }
    seam_file_close(file);
    return st;
}

/* Old states are for nobody: AS OF is answered from births and deaths. A file that will not go is
 * harmless: nothing names it.                                                                       */
static void remove_old(struct hnsw_store *s, const struct hnsw_state *was)
{
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = seam_manifest_remove(s->io, s->dir, was->seq, NULL);
    assert(was->seq < s->state.seq);

    if (was->base != 0 && was->base != s->state.base &&
        hnsw_store_path(path, s->dir, was->base, "base", NULL) == SEAM_OK)
        st = seam_io_unlink(s->io, path, NULL);
    if (was->journal != s->state.journal &&
        hnsw_store_path(path, s->dir, was->journal, "journal", NULL) == SEAM_OK)
        st = seam_io_unlink(s->io, path, NULL);
    (void)st;
}

static enum seam_status publish_state(struct hnsw *h, uint64_t base, uint64_t journal,
                                      struct seam_fault *f)
{
    struct hnsw_store *s = h->store;
    struct hnsw_state was = s->state;
    enum seam_status st;
    assert(base <= was.seq + 1 && journal <= was.seq + 1);
    assert(h->writer);
    assert(h->applied_lsn >= was.applied_lsn);

    s->state.seq++;
    s->state.base = base;
    s->state.journal = journal;
    s->state.applied_lsn = h->applied_lsn;
    s->state.wall_us = h->wall_us;
    s->state.floor_lsn = h->floor_lsn;
    s->state.default_recall = h->default_recall;
    s->state.point_count = h->point_count;
    memcpy(s->state.points, h->points, sizeof h->points);
    st = state_publish(s, f);
    if (st == SEAM_OK)
        remove_old(s, &was);
    else
        h->poison = st;
    return st;
}

enum seam_status hnsw_store_write_state(struct hnsw *h, struct seam_fault *f)
{
    assert(h->poison == SEAM_OK);
    return publish_state(h, h->store->state.base, h->store->state.journal, f);
}

enum seam_status hnsw_store_write_base(struct hnsw *h, struct seam_fault *f)
{
    struct hnsw_store *s = h->store;
    struct seam_file *journal = NULL;
    char path[SEAM_PATH_MAX_BYTES];
    uint64_t seq = s->state.seq + 1, size = 0;
    enum seam_status st = hnsw_store_path(path, s->dir, seq, "base", f);
    assert(h->writer);
    assert(h->entry == ENTRY_NONE || (uint32_t)h->entry < h->count);

    /* A crash before the manifest leaves a base and a journal that nobody names; the next ones of this number
     * are written over them. After it, at worst the old files stay behind. */
    if (st == SEAM_OK) st = hnsw_base_write(h, s->io, path, seq, &size, f);
    if (st == SEAM_OK) st = journal_create(s, seq, &journal, f); /* syncs the folder for both */
    if (st == SEAM_OK) st = publish_state(h, seq, seq, f);
    if (st != SEAM_OK) {
        h->poison = st;
        seam_file_close(journal);
        return st;
    }
    seam_file_close(s->journal);
    s->journal = journal;
    s->journal_size = JOURNAL_HEADER;
    s->batches = 0;
    s->base_size = size;
    h->another = false;
    assert(s->journal != NULL);
    assert(s->state.base == seq);
    hnsw_batch_done(h);
    SEAM_TRACE(h->cfg.trace, "hnsw", "base_write", SEAM_TI("nodes", h->count),
               SEAM_TI("bytes", size), SEAM_TI("seq", seq));
    return SEAM_OK;
}

void hnsw_store_free(struct hnsw_store *s)
{
    if (s == NULL) return;
    if (s->map != NULL) seam_file_unmap(s->io, s->map, s->map_size);
    seam_file_close(s->journal);
    seam_file_close(s->lock);
    seam_fork_mark_free(&s->mark);
    seam_buf_free(&s->batch);
    free(s);
}

/* ---- reading the journal ---- */
static enum seam_status journal_open(struct hnsw *h, struct seam_fault *f)
{
    struct hnsw_store *s = h->store;
    char path[SEAM_PATH_MAX_BYTES];
    uint8_t head[JOURNAL_HEADER];
    struct seam_filehead fh;
    size_t got = 0;
    enum seam_status st = hnsw_store_path(path, s->dir, s->state.journal, "journal", f);
    assert(s->journal == NULL);

    if (st == SEAM_OK)
        st = seam_file_open(s->io, path, h->writer ? SEAM_FILE_WRITE : SEAM_FILE_READ, &s->journal,
                            f);
    if (st == SEAM_OK) st = seam_file_read_some(s->journal, 0, head, sizeof head, &got, f);
    if (st == SEAM_OK) st = seam_filehead_decode(&hnsw_journal_format, head, got, path, 0, &fh, f);
    if (st == SEAM_OK)
        st = seam_filehead_check(&hnsw_journal_format, &fh,
                                 &(struct seam_filehead_want){.platform = s->state.owner.platform,
                                                              .file_id = &s->state.journal},
                                 path, f);
    s->journal_size = JOURNAL_HEADER;
    s->batches = 0;
    return st;
}

/* Reads at least one whole batch at the journal's position into s->batch, if there is one.           */
static enum seam_status batch_fetch(struct hnsw_store *s, uint64_t file_end, struct seam_fault *f)
{
    uint64_t left = file_end - s->journal_size, want = JOURNAL_READ_MIN;
    uint8_t head[BATCH_HEADER];
    enum seam_status st;
    assert(file_end >= s->journal_size);
    assert(s->journal_size >= JOURNAL_HEADER);

    seam_buf_clear(&s->batch);
    if (left < BATCH_HEADER) return SEAM_END;
    st = seam_file_read(s->journal, s->journal_size, head, sizeof head, f);
    if (st != SEAM_OK) return st;
    if (hnsw_batch_payload_size(head) > left - BATCH_HEADER) return SEAM_END;
    want = BATCH_HEADER + hnsw_batch_payload_size(head);
    if (!seam_buf_extend(&s->batch, (size_t)want))
        return seam_no_memory(f, "a batch of the journal");
    return seam_file_read(s->journal, s->journal_size, s->batch.data, (size_t)want, f);
}

/* Applies every whole batch past the position; *applied counts them.                                */
static enum seam_status journal_follow(struct hnsw *h, uint64_t *applied, struct seam_fault *f)
{
    struct hnsw_store *s = h->store;
    uint64_t end = 0;
    enum seam_status st = seam_file_size(s->journal, &end, f);
    assert(s->journal != NULL);

    *applied = 0;
    while (st == SEAM_OK) {
        struct hnsw_batch_head b;
        const char *path = seam_file_path(s->journal);

        if (end < s->journal_size)
            return seam_fault_set(f, SEAM_CORRUPT, path, end, "the journal became shorter");
        st = batch_fetch(s, end, f);
        if (st == SEAM_OK)
            st = hnsw_batch_head_read(s->batch.data, s->batch.size,
                                      &(struct hnsw_batch_place){.at = s->journal_size,
                                                                 .seq = s->state.journal,
                                                                 .number = s->batches,
                                                                 .path = path},
                                      &b, f);
        if (st == SEAM_OK)
            st = hnsw_batch_apply(h, &b, s->batch.data + BATCH_HEADER,
                                  s->journal_size + BATCH_HEADER, path, f);
        if (st != SEAM_OK) break;
        s->journal_size += BATCH_HEADER + b.size;
        assert(s->journal_size <= end);
        s->batches++;
        (*applied)++;
    }
    return st == SEAM_END ? SEAM_OK : st;
}

enum seam_status hnsw_store_read(struct hnsw *h, struct seam_fault *f)
{
    struct hnsw_store *s = h->store;
    char path[SEAM_PATH_MAX_BYTES];
    uint64_t batches;
    enum seam_status st = SEAM_OK;
    assert(h->count == 0);
    assert(s->map == NULL && s->journal == NULL);

    h->applied_lsn = 0; /* the base and the journal say how far they go */
    h->floor_lsn = s->state.floor_lsn;
    h->wall_us = s->state.wall_us;
    h->default_recall = s->state.default_recall;
    h->point_count = s->state.point_count;
    memcpy(h->points, s->state.points, sizeof h->points);
    if (s->state.base != 0) {
        st = hnsw_store_path(path, s->dir, s->state.base, "base", f);
        if (st == SEAM_OK)
            st = hnsw_base_read(h, s->io, path, s->state.base, &s->map, &s->map_size, f);
        s->base_size = s->map_size;
    }
    if (st == SEAM_OK) st = journal_open(h, f);
    if (st == SEAM_OK) st = journal_follow(h, &batches, f);
    if (st == SEAM_OK && h->applied_lsn < s->state.applied_lsn)
        st = seam_fault_set(f, SEAM_CORRUPT, seam_file_path(s->journal), s->journal_size,
                            "the journal ends at LSN %" PRIu64 ", the manifest promises %" PRIu64,
                            h->applied_lsn, s->state.applied_lsn);
    hnsw_batch_done(h);
    if (st == SEAM_OK && s->map != NULL && !h->maps) {
        seam_file_unmap(s->io, s->map, s->map_size); /* everything was copied */
        s->map = NULL;
    }
    return st;
}

/* ---- open ---- */
static enum seam_status store_new(struct seam_io *io, const char *dir, struct hnsw_store **out,
                                  struct seam_fault *f)
{
    struct hnsw_store *s = calloc(1, sizeof *s);
    assert(dir != NULL);

    if (s == NULL) return seam_no_memory(f, "an index");
    s->io = io;
    if ((size_t)snprintf(s->dir, sizeof s->dir, "%s", dir) >= sizeof s->dir) {
        free(s);
        return seam_fault_set(f, SEAM_LIMIT, dir, SEAM_FAULT_NO_OFFSET, "the path is too long");
    }
    *out = s;
    return SEAM_OK;
}

enum seam_status hnsw_create(struct seam_io *io, const char *dir, const struct hnsw_options *o,
                             struct seam_fault *f)
{
    struct hnsw *h = NULL;
    struct hnsw_state there;
    struct seam_file *journal = NULL;
    enum seam_status st = hnsw_graph_new(o, NULL, &h, f);
    assert(o != NULL);

    if (st == SEAM_OK) st = seam_io_mkdir(io, dir, f);
    if (st == SEAM_OK) st = store_new(io, dir, &h->store, f);
    if (st == SEAM_OK) st = seam_writer_lock(io, dir, &h->store->lock, f);
    if (st == SEAM_OK) {
        struct seam_fault ignored = {0};

        st = hnsw_state_load(io, dir, &there, &ignored);
        if (st == SEAM_OK)
            st = seam_fault_set(f, SEAM_EXISTS, dir, SEAM_FAULT_NO_OFFSET,
                                "there is an index already");
        else if (st == SEAM_NOT_FOUND)
            st = SEAM_OK;
        else
            seam_fault_give(f, &ignored);
    }
    if (st == SEAM_OK) {
        h->store->state = (struct hnsw_state){.seq = 1, .journal = 1, .o = h->o, .owner = o->owner};
        st = journal_create(h->store, 1, &journal, f);
    }
    if (st == SEAM_OK) st = state_publish(h->store, f);
    seam_file_close(journal);
    hnsw_close(h);
    return st;
}

static enum seam_status open_state(struct seam_io *io, const char *dir,
                                   const struct hnsw_config *cfg, bool writer, struct hnsw **out,
                                   struct seam_fault *f)
{
    struct hnsw *h = NULL;
    struct hnsw_store *s = NULL;
    enum seam_status st = store_new(io, dir, &s, f);
    assert(out != NULL);
    assert(dir != NULL);

    if (st == SEAM_OK && writer) st = seam_writer_lock(io, dir, &s->lock, f);
    if (st == SEAM_OK && writer) seam_fork_mark_set(&s->mark);
    if (st == SEAM_OK) st = hnsw_state_load(io, dir, &s->state, f);
    if (st == SEAM_OK && cfg != NULL) st = seam_owner_check(&cfg->owner, &s->state.owner, dir, f);
    if (st == SEAM_OK) st = hnsw_graph_new(&s->state.o, cfg, &h, f);
    if (st != SEAM_OK) {
        hnsw_store_free(s);
        return st;
    }
    h->store = s;
    h->writer = writer;
    st = hnsw_store_read(h, f);
    if (st == SEAM_OK)
        *out = h;
    else
        hnsw_close(h);
    return st;
}

/* A journal's torn tail is cut off before anything is appended behind it.                            */
static enum seam_status cut_tail(struct hnsw *h, struct seam_fault *f)
{
    struct hnsw_store *s = h->store;
    uint64_t end = 0;
    enum seam_status st = seam_file_size(s->journal, &end, f);
    assert(h->writer);

    if (st != SEAM_OK || end == s->journal_size) return st;
    assert(end > s->journal_size);
    st = seam_file_truncate(s->journal, s->journal_size, f);
    return st == SEAM_OK ? seam_file_sync(s->journal, f) : st;
}

enum seam_status hnsw_open_writer(struct seam_io *io, const char *dir,
                                  const struct hnsw_config *cfg, struct hnsw **out,
                                  struct seam_fault *f)
{
    struct hnsw_config writable = cfg != NULL ? *cfg : (struct hnsw_config){0};
    struct hnsw *h = NULL;
    enum seam_status st;

    writable.mapped = false;
    st = open_state(io, dir, &writable, true, &h, f);
    if (st == SEAM_OK) st = cut_tail(h, f);
    if (st == SEAM_OK) st = hnsw_keymap_build(h, f);
    if (st == SEAM_OK)
        st = seam_owner_take(&writable.owner, false, &h->store->state.owner, &h->another, dir, f);
    if (st == SEAM_OK) {
        assert(h->keymap_size > 0);
        assert(h->published == h->count);
        *out = h;
    } else
        hnsw_close(h);
    return st;
}

/* The writer may replace the files between our reading the manifest and our opening them: then the
 * newest manifest names others.                                                                     */
enum seam_status hnsw_open_reader(struct seam_io *io, const char *dir, seam_lsn_t as_of,
                                  const struct hnsw_config *cfg, struct hnsw **out,
                                  struct seam_fault *f)
{
    struct hnsw *h = NULL;
    struct seam_fault why = {0};
    enum seam_status st = SEAM_NOT_FOUND;
    assert(out != NULL);

    for (int i = 0; i < OPEN_TRIES && st == SEAM_NOT_FOUND; i++) {
        seam_fault_clear(&why);
        st = open_state(io, dir, cfg, false, &h, &why);
    }
    if (st != SEAM_OK) {
        seam_fault_give(f, &why);
        return st;
    }
    if (as_of != SEAM_LSN_MAX && as_of != 0) {
        struct hnsw_query q = {.k = 1, .as_of = as_of};
        struct hnsw_selector sel;

        st = hnsw_query_check(h, &q, &sel, f);
        h->moment = as_of;
    }
    if (st == SEAM_OK) {
        assert(!h->writer);
        assert(h->store != NULL);
        *out = h;
    } else
        hnsw_close(h);
    return st;
}

enum seam_status hnsw_new(const struct hnsw_options *o, const struct hnsw_config *cfg,
                          struct hnsw **out, struct seam_fault *f)
{
    enum seam_status st = hnsw_graph_new(o, cfg, out, f);
    assert(out != NULL);

    if (st == SEAM_OK) (*out)->writer = true;
    return st;
}

void hnsw_close(struct hnsw *h)
{
    struct hnsw_store *s;

    if (h == NULL) return;
    s = h->store;
    hnsw_graph_free(h); /* first: its blocks may lie in the store's map */
    hnsw_store_free(s);
}

/* ---- refresh ---- */
static enum seam_status reload(struct hnsw *h, const struct hnsw_state *now, struct seam_fault *f)
{
    struct hnsw_store *s = h->store;
    assert(!h->writer);

    hnsw_graph_clear(h);
    if (s->map != NULL) seam_file_unmap(s->io, s->map, s->map_size);
    s->map = NULL;
    seam_file_close(s->journal);
    s->journal = NULL;
    s->state = *now;
    return hnsw_store_read(h, f);
}

enum seam_status hnsw_refresh(struct hnsw *h, bool *changed, struct seam_fault *f)
{
    struct hnsw_store *s = h->store;
    struct hnsw_state now;
    struct seam_fault why = {0};
    uint64_t batches = 0;
    enum seam_status st = SEAM_OK;

    if (changed != NULL) *changed = false;
    if (h->writer || s == NULL || h->moment != SEAM_LSN_MAX - 1) return SEAM_OK;
    if (h->poison != SEAM_OK)
        return seam_fault_set(f, h->poison, s->dir, SEAM_FAULT_NO_OFFSET,
                              "an earlier refresh failed; open anew");
    st = hnsw_state_load(s->io, s->dir, &now, f);
    if (st != SEAM_OK) return st;
    pthread_rwlock_wrlock(&h->gate);
    free(h->keymap); /* hnsw_get makes it again for what is alive then */
    h->keymap = NULL;
    h->keymap_size = h->keymap_used = 0;
    if (now.base == s->state.base && now.journal == s->state.journal) {
        if (now.seq != s->state.seq) {
            h->default_recall = now.default_recall;
            h->point_count = now.point_count;
            memcpy(h->points, now.points, sizeof h->points);
            s->state = now;
        }
        st = journal_follow(h, &batches, &why);
    } else {
        st = SEAM_NOT_FOUND;
        for (int i = 0; i < OPEN_TRIES && st == SEAM_NOT_FOUND; i++) {
            seam_fault_clear(&why);
            st = reload(h, &now, &why);
            if (st == SEAM_NOT_FOUND && hnsw_state_load(s->io, s->dir, &now, &why) != SEAM_OK)
                break;
        }
        batches = 1;
    }
    hnsw_batch_done(h);
    if (st != SEAM_OK) h->poison = st; /* half refreshed is no state anybody published */
    assert(st != SEAM_OK || (h->published == h->count && h->keymap == NULL));
    pthread_rwlock_unlock(&h->gate);
    if (st != SEAM_OK) seam_fault_give(f, &why);
    if (changed != NULL) *changed = st == SEAM_OK && batches > 0;
    return st;
}

/* ---- publish ---- */
static bool nothing_to_publish(const struct hnsw *h, seam_lsn_t lsn)
{
    assert(h->published <= h->count);
    return lsn <= h->applied_lsn && h->published == h->count && h->death_count == 0 &&
           !h->requantized && !h->another;
}

static enum seam_status publish_batch(struct hnsw *h, seam_lsn_t applied_lsn, int64_t wall_us,
                                      struct seam_fault *f)
{
    struct hnsw_store *s = h->store;
    enum seam_status st =
        hnsw_batch_encode(h, s->state.journal, s->batches, applied_lsn, wall_us, &s->batch, f);
    assert(h->writer);
    assert(s->journal != NULL);

    if (st != SEAM_OK) return st;
    /* A crash in the write or before the sync leaves a torn batch: readers end before it, the next writer cuts
     * it off. No manifest changes, so nothing names a batch that is not whole. */
    st = seam_file_write(s->journal, s->journal_size, s->batch.data, s->batch.size, f);
    if (st == SEAM_OK) st = seam_file_datasync(s->journal, f);
    if (st != SEAM_OK) {
        h->poison = st;
        return st;
    }
    SEAM_TRACE(h->cfg.trace, "hnsw", "journal_append", SEAM_TI("bytes", s->batch.size),
               SEAM_TI("nodes", h->count - h->published), SEAM_TI("deaths", h->death_count),
               SEAM_TI("lsn", applied_lsn));
    s->journal_size += s->batch.size;
    assert(s->batch.size >= BATCH_HEADER);
    s->batches++;
    hnsw_batch_done(h);
    return SEAM_OK;
}

/* A batch that adds a quarter of the graph or more is written as a base: the journal would hold it all
 * again.                                                                                            */
static bool is_big(const struct hnsw *h)
{
    uint32_t fresh = h->count - h->published;
    assert(h->published <= h->count);

    return h->wants_base || h->another || (fresh >= BIG_BATCH_MIN && fresh >= h->published / 4);
}

enum seam_status hnsw_publish(struct hnsw *h, seam_lsn_t applied_lsn, int64_t wall_us,
                              struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    if (!h->writer)
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "the index was opened for reading");
    if (h->poison != SEAM_OK)
        return seam_fault_set(f, h->poison, NULL, SEAM_FAULT_NO_OFFSET,
                              "an earlier publish failed; close the index and open it again");
    if (h->store != NULL && seam_forked(&h->store->mark))
        return seam_forked_fault(&h->store->mark, h->store->dir, f);
    if (nothing_to_publish(h, applied_lsn)) return SEAM_OK;
    if (applied_lsn < h->applied_lsn)
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "LSN %" PRIu64 " is applied already", h->applied_lsn);
    if (h->store == NULL) {
        hnsw_batch_done(h);
    } else if (is_big(h)) {
        seam_lsn_t lsn = h->applied_lsn;
        int64_t wall = h->wall_us;

        assert(applied_lsn >= h->applied_lsn);
        assert(h->store != NULL);
        h->applied_lsn = applied_lsn;
        h->wall_us = wall_us;
        st = hnsw_store_write_base(h, f);
        if (st != SEAM_OK) {
            h->applied_lsn = lsn;
            h->wall_us = wall;
        }
        return st;
    } else {
        st = publish_batch(h, applied_lsn, wall_us, f);
    }
    if (st != SEAM_OK) return st;
    h->applied_lsn = applied_lsn;
    h->wall_us = wall_us;
    return SEAM_OK;
}

/* ---- asking ---- */
seam_lsn_t hnsw_applied_lsn(const struct hnsw *h)
{
    return h->applied_lsn;
}

void hnsw_info(const struct hnsw *h, struct hnsw_info *out)
{
    const struct hnsw_store *s = h->store;
    uint64_t entry = entry_load(h);
    assert(out != NULL);

    *out = (struct hnsw_info){.options = h->o,
                              .nodes = count_load(h),
                              .dead = dead_load(h),
                              .applied_lsn = h->applied_lsn,
                              .floor_lsn = h->floor_lsn,
                              .as_of = h->moment == SEAM_LSN_MAX - 1 ? SEAM_LSN_MAX : h->moment,
                              .wall_us = h->wall_us,
                              .bytes_memory = hnsw_graph_memory(h),
                              .default_recall = h->default_recall,
                              .default_ef = hnsw_query_default_ef(h)};
    out->live = out->nodes - out->dead;
    if (entry != ENTRY_NONE) out->entry_level = out->max_level = (uint32_t)(entry >> 32);
    if (s == NULL) return;
    out->owner = s->state.owner;
    out->generation = s->state.seq;
    out->bytes_mapped = s->map != NULL ? s->map_size : 0;
    out->bytes_base = s->base_size;
    out->bytes_journal = s->journal_size;
    out->journal_batches = s->batches;
}

enum seam_status hnsw_pin(struct hnsw *h, const struct hnsw_point *points, size_t n,
                          double default_recall, struct seam_fault *f)
{
    assert(points != NULL || n == 0);
    if (!h->writer || h->poison != SEAM_OK)
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "pinning wants a writer");
    if (n > HNSW_POINTS_MAX || !(default_recall >= 0 && default_recall <= 1))
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "%zu points; at most %d, recall in [0, 1]", n, HNSW_POINTS_MAX);
    pthread_rwlock_wrlock(&h->gate);
    memset(h->points, 0, sizeof h->points);
    if (n > 0) memcpy(h->points, points, n * sizeof *points);
    h->point_count = n;
    h->default_recall = default_recall;
    pthread_rwlock_unlock(&h->gate);
    return h->store == NULL ? SEAM_OK : hnsw_store_write_state(h, f);
}

size_t hnsw_points(const struct hnsw *h, struct hnsw_point out[HNSW_POINTS_MAX])
{
    assert(h->point_count <= HNSW_POINTS_MAX);
    memcpy(out, h->points, h->point_count * sizeof *out);
    return h->point_count;
}
