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

enum status store_path(char out[PATH_MAX_BYTES], const char *dir, uint64_t seq, const char *ext,
                       struct fault *f)
{
    char name[64];

    snprintf(name, sizeof name, "%016" PRIx64 ".%s", seq, ext);
    return path_join(out, dir, name, f);
}

/* ---- the manifest's payload ---- */
static void state_encode(const struct state *s, struct buf *out)
{
    double recall = s->default_recall;
    uint64_t bits;

    buf_u32(out, STATE_VERSION);
    buf_u32(out, s->o.dim);
    buf_u32(out, (uint32_t)s->o.metric);
    buf_u32(out, (uint32_t)s->o.quant);
    buf_u32(out, s->o.m);
    buf_u32(out, s->o.ef_construction);
    buf_u64(out, s->o.seed);
    buf_u64(out, s->base);
    buf_u64(out, s->journal);
    buf_u64(out, s->floor_lsn);
    memcpy(&bits, &recall, 8);
    buf_u64(out, bits);
    buf_u32(out, (uint32_t)s->point_count);
    buf_u32(out, 0);
    for (size_t i = 0; i < s->point_count; i++) {
        const struct hnsw_point *p = &s->points[i];

        buf_u32(out, p->k);
        buf_u32(out, p->ef);
        buf_append(out, &p->recall_mean, 8);
        buf_append(out, &p->recall_low, 8);
        buf_append(out, &p->p50_us, 8);
        buf_append(out, &p->p99_us, 8);
        buf_u32(out, p->patience);
    }
}

enum status state_parse(const struct manifest *m, const char *where, struct state *out, struct fault *f)
{
    const uint8_t *p = m->payload.data;
    size_t n = m->payload.size;

    if (n < STATE_HEADER || get_u32(p) != STATE_VERSION || get_u32(p + 64) > HNSW_POINTS_MAX ||
        n != STATE_HEADER + (size_t)get_u32(p + 64) * STATE_POINT)
        return fault_set(f, ST_CORRUPT, where, MANIFEST_HEADER_SIZE, "the manifest's payload is malformed");
    *out = (struct state){
        .seq = m->seq, .applied_lsn = m->applied_lsn, .wall_us = m->wall_us,
        .o = {get_u32(p + 4), (enum hnsw_metric)get_u32(p + 8), (enum hnsw_quant)get_u32(p + 12),
              get_u32(p + 16), get_u32(p + 20), get_u64(p + 24)},
        .base = get_u64(p + 32), .journal = get_u64(p + 40), .floor_lsn = get_u64(p + 48),
        .default_recall = get_f64(p + 56), .point_count = get_u32(p + 64)};
    if (graph_options_check(&out->o, NULL) != ST_OK || out->journal == 0 || out->base > out->seq ||
        out->journal > out->seq || !(out->default_recall >= 0 && out->default_recall <= 1))
        return fault_set(f, ST_CORRUPT, where, MANIFEST_HEADER_SIZE, "the manifest's values are impossible");
    for (size_t i = 0; i < out->point_count; i++) {
        const uint8_t *q = p + STATE_HEADER + i * STATE_POINT;

        out->points[i] = (struct hnsw_point){get_u32(q), get_u32(q + 4), get_f64(q + 8), get_f64(q + 16),
                                             get_f64(q + 24), get_f64(q + 32), get_u32(q + 40)};
        if (out->points[i].ef > HNSW_EF_MAX)
            return fault_set(f, ST_CORRUPT, where, MANIFEST_HEADER_SIZE, "a pinned ef is impossible");
    }
    return ST_OK;
}

enum status hnsw_state_load(struct io *io, const char *dir, struct state *out, struct fault *f)
{
    struct manifest m = {0};
    enum status st = manifest_load_newest(io, dir, STATE_KIND, &m, f);

    if (st == ST_OK) st = state_parse(&m, dir, out, f);
    buf_free(&m.payload);
    return st;
}

static enum status state_publish(struct store *s, struct fault *f)
{
    struct manifest m = {.kind = STATE_KIND, .seq = s->state.seq, .parent = s->state.seq - 1,
                         .applied_lsn = s->state.applied_lsn, .wall_us = s->state.wall_us};
    enum status st = ST_OK;

    state_encode(&s->state, &m.payload);
    if (!buf_ok(&m.payload)) st = fault_set(f, ST_NOMEM, s->dir, 0, "no memory for the manifest");
    if (st == ST_OK) st = manifest_publish(s->io, s->dir, &m, f);
    buf_free(&m.payload);
    return st;
}

/* ---- files ---- */
static enum status journal_create(struct store *s, uint64_t seq, struct file **out, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    uint8_t head[JOURNAL_HEADER];
    struct file *file = NULL;
    enum status st = store_path(path, s->dir, seq, "journal", f);

    journal_header(head, seq);
    if (st == ST_OK) st = file_open(s->io, path, FILE_WRITE | FILE_CREATE | FILE_TRUNC, &file, f);
    if (st == ST_OK) st = file_write(file, 0, head, sizeof head, f);
    if (st == ST_OK) st = file_sync(file, f);
    if (st == ST_OK) st = io_sync_dir(s->io, s->dir, f);
    if (st == ST_OK) {
        *out = file;
        file = NULL;
    }
    file_close(file);
    return st;
}

/* Old states are for nobody: AS OF is answered from births and deaths. A file that will not go is
 * harmless: nothing names it.                                                                       */
static void remove_old(struct store *s, const struct state *was)
{
    char path[PATH_MAX_BYTES];
    enum status st = manifest_remove(s->io, s->dir, was->seq, NULL);

    if (was->base != 0 && was->base != s->state.base &&
        store_path(path, s->dir, was->base, "base", NULL) == ST_OK)
        st = io_unlink(s->io, path, NULL);
    if (was->journal != s->state.journal && store_path(path, s->dir, was->journal, "journal", NULL) == ST_OK)
        st = io_unlink(s->io, path, NULL);
    (void)st;
}

static enum status publish_state(struct hnsw *h, uint64_t base, uint64_t journal, struct fault *f)
{
    struct store *s = h->store;
    struct state was = s->state;
    enum status st;

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
    if (st == ST_OK) remove_old(s, &was);
    else h->poison = st;
    return st;
}

enum status store_write_state(struct hnsw *h, struct fault *f)
{
    return publish_state(h, h->store->state.base, h->store->state.journal, f);
}

enum status store_write_base(struct hnsw *h, struct fault *f)
{
    struct store *s = h->store;
    struct file *journal = NULL;
    char path[PATH_MAX_BYTES];
    uint64_t seq = s->state.seq + 1, size = 0;
    enum status st = store_path(path, s->dir, seq, "base", f);

    if (st == ST_OK) st = base_write(h, s->io, path, seq, &size, f);
    if (st == ST_OK) st = journal_create(s, seq, &journal, f); /* syncs the folder for both */
    if (st == ST_OK) st = publish_state(h, seq, seq, f);
    if (st != ST_OK) {
        h->poison = st;
        file_close(journal);
        return st;
    }
    file_close(s->journal);
    s->journal = journal;
    s->journal_size = JOURNAL_HEADER;
    s->batches = 0;
    s->base_size = size;
    batch_done(h);
    TRACE(h->cfg.trace, "hnsw", "base_write", TI("nodes", h->count), TI("bytes", size), TI("seq", seq));
    return ST_OK;
}

void hnsw_store_free(struct store *s)
{
    if (s == NULL) return;
    if (s->map != NULL) file_unmap(s->io, s->map, s->map_size);
    file_close(s->journal);
    file_close(s->lock);
    buf_free(&s->batch);
    free(s);
}

/* ---- reading the journal ---- */
static enum status journal_open(struct hnsw *h, struct fault *f)
{
    struct store *s = h->store;
    char path[PATH_MAX_BYTES];
    uint8_t head[JOURNAL_HEADER];
    enum status st = store_path(path, s->dir, s->state.journal, "journal", f);

    if (st == ST_OK) st = file_open(s->io, path, h->writer ? FILE_WRITE : FILE_READ, &s->journal, f);
    if (st == ST_OK) st = file_read(s->journal, 0, head, sizeof head, f);
    if (st == ST_OK) st = journal_header_check(head, path, s->state.journal, f);
    s->journal_size = JOURNAL_HEADER;
    s->batches = 0;
    return st;
}

/* Reads at least one whole batch at the journal's position into s->batch, if there is one.           */
static enum status batch_fetch(struct store *s, uint64_t file_end, struct fault *f)
{
    uint64_t left = file_end - s->journal_size, want = JOURNAL_READ_MIN;
    uint8_t head[BATCH_HEADER];
    enum status st;

    buf_clear(&s->batch);
    if (left < BATCH_HEADER) return ST_END;
    st = file_read(s->journal, s->journal_size, head, sizeof head, f);
    if (st != ST_OK) return st;
    if (get_u64(head + 8) > left - BATCH_HEADER) return ST_END;
    want = BATCH_HEADER + get_u64(head + 8);
    if (!buf_extend(&s->batch, (size_t)want))
        return fault_set(f, ST_NOMEM, file_path(s->journal), s->journal_size, "no memory for a batch");
    return file_read(s->journal, s->journal_size, s->batch.data, (size_t)want, f);
}

/* Applies every whole batch past the position; *applied counts them.                                */
static enum status journal_follow(struct hnsw *h, uint64_t *applied, struct fault *f)
{
    struct store *s = h->store;
    uint64_t end = 0;
    enum status st = file_size(s->journal, &end, f);

    *applied = 0;
    while (st == ST_OK) {
        struct batch_head b;
        const char *path = file_path(s->journal);

        if (end < s->journal_size)
            return fault_set(f, ST_CORRUPT, path, end, "the journal became shorter");
        st = batch_fetch(s, end, f);
        if (st == ST_OK)
            st = batch_head_read(s->batch.data, s->batch.size, s->journal_size, s->state.journal,
                                 s->batches, path, &b, f);
        if (st == ST_OK)
            st = batch_apply(h, &b, s->batch.data + BATCH_HEADER, s->journal_size + BATCH_HEADER, path, f);
        if (st != ST_OK) break;
        s->journal_size += BATCH_HEADER + b.size;
        s->batches++;
        (*applied)++;
    }
    return st == ST_END ? ST_OK : st;
}

enum status store_read(struct hnsw *h, struct fault *f)
{
    struct store *s = h->store;
    char path[PATH_MAX_BYTES];
    uint64_t batches;
    enum status st = ST_OK;

    h->applied_lsn = 0; /* the base and the journal say how far they go */
    h->floor_lsn = s->state.floor_lsn;
    h->wall_us = s->state.wall_us;
    h->default_recall = s->state.default_recall;
    h->point_count = s->state.point_count;
    memcpy(h->points, s->state.points, sizeof h->points);
    if (s->state.base != 0) {
        st = store_path(path, s->dir, s->state.base, "base", f);
        if (st == ST_OK) st = base_read(h, s->io, path, s->state.base, &s->map, &s->map_size, f);
        s->base_size = s->map_size;
    }
    if (st == ST_OK) st = journal_open(h, f);
    if (st == ST_OK) st = journal_follow(h, &batches, f);
    if (st == ST_OK && h->applied_lsn < s->state.applied_lsn)
        st = fault_set(f, ST_CORRUPT, file_path(s->journal), s->journal_size,
                       "the journal ends at LSN %llu, the manifest promises %llu",
                       (unsigned long long)h->applied_lsn, (unsigned long long)s->state.applied_lsn);
    batch_done(h);
    if (st == ST_OK && s->map != NULL && !h->maps) {
        file_unmap(s->io, s->map, s->map_size); /* everything was copied */
        s->map = NULL;
    }
    return st;
}

/* ---- open ---- */
static enum status store_new(struct io *io, const char *dir, struct store **out, struct fault *f)
{
    struct store *s = calloc(1, sizeof *s);

    if (s == NULL) return fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory for the index");
    s->io = io;
    if ((size_t)snprintf(s->dir, sizeof s->dir, "%s", dir) >= sizeof s->dir) {
        free(s);
        return fault_set(f, ST_LIMIT, dir, FAULT_NO_OFFSET, "the path is too long");
    }
    *out = s;
    return ST_OK;
}

static enum status store_lock(struct store *s, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    enum status st = path_join(path, s->dir, "LOCK", f);

    if (st == ST_OK) st = file_open(s->io, path, FILE_WRITE | FILE_CREATE, &s->lock, f);
    if (st == ST_OK) st = file_lock(s->lock, true, f);
    return st;
}

enum status hnsw_create(struct io *io, const char *dir, const struct hnsw_options *o, struct fault *f)
{
    struct hnsw *h = NULL;
    struct state there;
    struct file *journal = NULL;
    enum status st = graph_new(o, NULL, &h, f);

    if (st == ST_OK) st = io_mkdir(io, dir, f);
    if (st == ST_OK) st = store_new(io, dir, &h->store, f);
    if (st == ST_OK) st = store_lock(h->store, f);
    if (st == ST_OK) {
        struct fault ignored = {0};

        st = hnsw_state_load(io, dir, &there, &ignored);
        if (st == ST_OK) st = fault_set(f, ST_EXISTS, dir, FAULT_NO_OFFSET, "there is an index already");
        else if (st == ST_NOT_FOUND) st = ST_OK;
        else if (f != NULL) *f = ignored;
    }
    if (st == ST_OK) {
        h->store->state = (struct state){.seq = 1, .journal = 1, .o = h->o};
        st = journal_create(h->store, 1, &journal, f);
    }
    if (st == ST_OK) st = state_publish(h->store, f);
    file_close(journal);
    hnsw_close(h);
    return st;
}

static enum status open_state(struct io *io, const char *dir, const struct hnsw_config *cfg, bool writer,
                              struct hnsw **out, struct fault *f)
{
    struct hnsw *h = NULL;
    struct store *s = NULL;
    enum status st = store_new(io, dir, &s, f);

    if (st == ST_OK && writer) st = store_lock(s, f);
    if (st == ST_OK) st = hnsw_state_load(io, dir, &s->state, f);
    if (st == ST_OK) st = graph_new(&s->state.o, cfg, &h, f);
    if (st != ST_OK) {
        hnsw_store_free(s);
        return st;
    }
    h->store = s;
    h->writer = writer;
    st = store_read(h, f);
    if (st == ST_OK) *out = h;
    else hnsw_close(h);
    return st;
}

/* A journal's torn tail is cut off before anything is appended behind it.                            */
static enum status cut_tail(struct hnsw *h, struct fault *f)
{
    struct store *s = h->store;
    uint64_t end = 0;
    enum status st = file_size(s->journal, &end, f);

    if (st != ST_OK || end == s->journal_size) return st;
    st = file_truncate(s->journal, s->journal_size, f);
    return st == ST_OK ? file_sync(s->journal, f) : st;
}

enum status hnsw_open_writer(struct io *io, const char *dir, const struct hnsw_config *cfg,
                             struct hnsw **out, struct fault *f)
{
    struct hnsw_config writable = cfg != NULL ? *cfg : (struct hnsw_config){0};
    struct hnsw *h = NULL;
    enum status st;

    writable.mapped = false;
    st = open_state(io, dir, &writable, true, &h, f);
    if (st == ST_OK) st = cut_tail(h, f);
    if (st == ST_OK) st = keymap_build(h, f);
    if (st == ST_OK) *out = h;
    else hnsw_close(h);
    return st;
}

/* The writer may replace the files between our reading the manifest and our opening them: then the
 * newest manifest names others.                                                                     */
enum status hnsw_open_reader(struct io *io, const char *dir, lsn_t as_of, const struct hnsw_config *cfg,
                             struct hnsw **out, struct fault *f)
{
    struct hnsw *h = NULL;
    struct fault why = {0};
    enum status st = ST_NOT_FOUND;

    for (int i = 0; i < OPEN_TRIES && st == ST_NOT_FOUND; i++) {
        fault_clear(&why);
        st = open_state(io, dir, cfg, false, &h, &why);
    }
    if (st != ST_OK) {
        if (f != NULL) *f = why;
        return st;
    }
    if (as_of != LSN_MAX && as_of != 0) {
        struct hnsw_query q = {.k = 1, .as_of = as_of};
        struct selector sel;

        st = query_check(h, &q, &sel, f);
        h->moment = as_of;
    }
    if (st == ST_OK) *out = h;
    else hnsw_close(h);
    return st;
}

enum status hnsw_new(const struct hnsw_options *o, const struct hnsw_config *cfg, struct hnsw **out,
                     struct fault *f)
{
    enum status st = graph_new(o, cfg, out, f);

    if (st == ST_OK) (*out)->writer = true;
    return st;
}

void hnsw_close(struct hnsw *h)
{
    if (h == NULL) return;
    graph_clear(h);
    free(h->quant.offset);
    free(h->spin);
    hnsw_store_free(h->store);
    pthread_rwlock_destroy(&h->gate);
    pthread_mutex_destroy(&h->entry_lock);
    pthread_mutex_destroy(&h->scratch_lock);
    free(h);
}

/* ---- refresh ---- */
static enum status reload(struct hnsw *h, const struct state *now, struct fault *f)
{
    struct store *s = h->store;

    graph_clear(h);
    if (s->map != NULL) file_unmap(s->io, s->map, s->map_size);
    s->map = NULL;
    file_close(s->journal);
    s->journal = NULL;
    s->state = *now;
    return store_read(h, f);
}

enum status hnsw_refresh(struct hnsw *h, bool *changed, struct fault *f)
{
    struct store *s = h->store;
    struct state now;
    struct fault why = {0};
    uint64_t batches = 0;
    enum status st = ST_OK;

    if (changed != NULL) *changed = false;
    if (h->writer || s == NULL || h->moment != LSN_MAX - 1) return ST_OK;
    if (h->poison != ST_OK)
        return fault_set(f, h->poison, s->dir, FAULT_NO_OFFSET, "an earlier refresh failed; open anew");
    st = hnsw_state_load(s->io, s->dir, &now, f);
    if (st != ST_OK) return st;
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
        st = ST_NOT_FOUND;
        for (int i = 0; i < OPEN_TRIES && st == ST_NOT_FOUND; i++) {
            fault_clear(&why);
            st = reload(h, &now, &why);
            if (st == ST_NOT_FOUND && hnsw_state_load(s->io, s->dir, &now, &why) != ST_OK) break;
        }
        batches = 1;
    }
    batch_done(h);
    if (st != ST_OK) h->poison = st; /* half refreshed is no state anybody published */
    pthread_rwlock_unlock(&h->gate);
    if (st != ST_OK && f != NULL) *f = why;
    if (changed != NULL) *changed = st == ST_OK && batches > 0;
    return st;
}

/* ---- publish ---- */
static bool nothing_to_publish(const struct hnsw *h, lsn_t lsn)
{
    return lsn <= h->applied_lsn && h->published == h->count && h->death_count == 0 && !h->requantized;
}

static enum status publish_batch(struct hnsw *h, lsn_t applied_lsn, int64_t wall_us, struct fault *f)
{
    struct store *s = h->store;
    enum status st = batch_encode(h, s->state.journal, s->batches, applied_lsn, wall_us, &s->batch, f);

    if (st != ST_OK) return st;
    st = file_write(s->journal, s->journal_size, s->batch.data, s->batch.size, f);
    if (st == ST_OK) st = file_datasync(s->journal, f);
    if (st != ST_OK) {
        h->poison = st;
        return st;
    }
    TRACE(h->cfg.trace, "hnsw", "journal_append", TI("bytes", s->batch.size),
          TI("nodes", h->count - h->published), TI("deaths", h->death_count), TI("lsn", applied_lsn));
    s->journal_size += s->batch.size;
    s->batches++;
    batch_done(h);
    return ST_OK;
}

/* A batch that adds a quarter of the graph or more is written as a base: the journal would hold it all
 * again.                                                                                            */
static bool is_big(const struct hnsw *h)
{
    uint32_t fresh = h->count - h->published;

    return h->wants_base || (fresh >= BIG_BATCH_MIN && fresh >= h->published / 4);
}

enum status hnsw_publish(struct hnsw *h, lsn_t applied_lsn, int64_t wall_us, struct fault *f)
{
    enum status st = ST_OK;

    if (!h->writer)
        return fault_set(f, ST_INVALID, NULL, FAULT_NO_OFFSET, "the index was opened for reading");
    if (h->poison != ST_OK)
        return fault_set(f, h->poison, NULL, FAULT_NO_OFFSET,
                         "an earlier publish failed; close the index and open it again");
    if (nothing_to_publish(h, applied_lsn)) return ST_OK;
    if (applied_lsn < h->applied_lsn)
        return fault_set(f, ST_INVALID, NULL, FAULT_NO_OFFSET, "LSN %llu is applied already",
                         (unsigned long long)h->applied_lsn);
    if (h->store == NULL) {
        batch_done(h);
    } else if (is_big(h)) {
        lsn_t lsn = h->applied_lsn;
        int64_t wall = h->wall_us;

        h->applied_lsn = applied_lsn;
        h->wall_us = wall_us;
        st = store_write_base(h, f);
        if (st != ST_OK) {
            h->applied_lsn = lsn;
            h->wall_us = wall;
        }
        return st;
    } else {
        st = publish_batch(h, applied_lsn, wall_us, f);
    }
    if (st != ST_OK) return st;
    h->applied_lsn = applied_lsn;
    h->wall_us = wall_us;
    return ST_OK;
}

/* ---- asking ---- */
lsn_t hnsw_applied_lsn(const struct hnsw *h) { return h->applied_lsn; }

void hnsw_info(const struct hnsw *h, struct hnsw_info *out)
{
    const struct store *s = h->store;
    uint64_t entry = entry_load(h);

    *out = (struct hnsw_info){.options = h->o, .nodes = count_load(h), .dead = dead_load(h),
                              .applied_lsn = h->applied_lsn, .floor_lsn = h->floor_lsn,
                              .as_of = h->moment == LSN_MAX - 1 ? LSN_MAX : h->moment,
                              .wall_us = h->wall_us, .bytes_memory = graph_memory(h),
                              .default_recall = h->default_recall, .default_ef = query_default_ef(h)};
    out->live = out->nodes - out->dead;
    if (entry != ENTRY_NONE) out->entry_level = out->max_level = (uint32_t)(entry >> 32);
    if (s == NULL) return;
    out->generation = s->state.seq;
    out->bytes_mapped = s->map != NULL ? s->map_size : 0;
    out->bytes_base = s->base_size;
    out->bytes_journal = s->journal_size;
    out->journal_batches = s->batches;
}

enum status hnsw_pin(struct hnsw *h, const struct hnsw_point *points, size_t n, double default_recall,
                     struct fault *f)
{
    if (!h->writer || h->poison != ST_OK)
        return fault_set(f, ST_INVALID, NULL, FAULT_NO_OFFSET, "pinning wants a writer");
    if (n > HNSW_POINTS_MAX || !(default_recall >= 0 && default_recall <= 1))
        return fault_set(f, ST_INVALID, NULL, FAULT_NO_OFFSET, "%zu points; at most %d, recall in [0, 1]", n,
                         HNSW_POINTS_MAX);
    pthread_rwlock_wrlock(&h->gate);
    memset(h->points, 0, sizeof h->points);
    if (n > 0) memcpy(h->points, points, n * sizeof *points);
    h->point_count = n;
    h->default_recall = default_recall;
    pthread_rwlock_unlock(&h->gate);
    return h->store == NULL ? ST_OK : store_write_state(h, f);
}

size_t hnsw_points(const struct hnsw *h, struct hnsw_point out[HNSW_POINTS_MAX])
{
    memcpy(out, h->points, h->point_count * sizeof *out);
    return h->point_count;
}
