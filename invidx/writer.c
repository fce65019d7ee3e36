/* writer - opens the folder for writing, takes documents, publishes segments. */
#include "invidx/writer.h"
#include "engine/base/walk.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bitset.h"
#include "engine/base/clock.h"
#include "engine/base/grow.h"

enum seam_status invidx_writer_check(struct invidx_writer *w, struct seam_fault *f)
{
    if (seam_forked(&w->mark)) return seam_forked_fault(&w->mark, w->dir, f);
    if (w->failed == SEAM_OK) return SEAM_OK;
    seam_fault_give(f, &w->failure);
    return w->failed;
}

/* A write that failed leaves memory and disk apart: nothing more until the index is opened again.      */
enum seam_status invidx_writer_fail(struct invidx_writer *w, enum seam_status st,
                                    struct seam_fault *f)
{
    assert(st != SEAM_OK);
    w->failed = st;
    if (f != NULL) w->failure = *f;
    w->failure.status = st;
    assert(w->failed != SEAM_OK);
    return st;
}

void invidx_wseg_free(struct invidx_wseg *s)
{
    assert(s->tombs_published <= s->tomb_count);
    assert(s->tomb_count <= s->tomb_cap);
    invidx_segment_release(s->seg);
    free(s->dead);
    free(s->tombs);
    memset(s, 0, sizeof *s);
}

void invidx_writer_assert(const struct invidx_writer *w)
{
    assert(w->seg_count <= w->seg_cap && w->del_count <= DELS_MAX);
    assert(w->last_lsn >= w->applied);
    for (size_t i = 0; i < w->seg_count; i++) {
        const struct invidx_wseg *s = &w->segs[i];

        assert(s->published || s->tombs_published == 0);
        assert(s->tombs_published <= s->tomb_count && s->tomb_count <= s->seg->docs);
        SEAM_WALK(seam_bitset_count(s->dead, s->seg->docs) == s->tomb_count);
        for (size_t k = 0; k < i; k++) SEAM_WALK(w->segs[k].seg != s->seg);
    }
}

uint32_t invidx_wseg_live(const struct invidx_wseg *s)
{
    assert(s->tomb_count <= s->seg->docs);
    return s->seg->docs - (uint32_t)s->tomb_count;
}

enum seam_status invidx_writer_add_segment(struct invidx_writer *w, struct invidx_segment *seg,
                                           struct invidx_wseg **out, struct seam_fault *f)
{
    struct invidx_wseg *s;
    assert(w->seg_count <= w->seg_cap);
    assert(seg->docs > 0);

    if (w->seg_count >= INVIDX_SEGMENTS_MAX)
        return seam_fault_set(f, SEAM_LIMIT, w->dir, SEAM_FAULT_NO_OFFSET,
                              "more than %d segments: run maintain", INVIDX_SEGMENTS_MAX);
    if (w->seg_count == w->seg_cap) {
        size_t cap = w->seg_cap == 0 ? 16 : 2 * w->seg_cap;

        s = realloc(w->segs, cap * sizeof *s);
        if (s == NULL) goto no_memory;
        w->segs = s;
        w->seg_cap = cap;
    }
    s = &w->segs[w->seg_count];
    memset(s, 0, sizeof *s);
    s->dead = calloc(seam_bitset_words(seg->docs) + 1, sizeof *s->dead);
    if (s->dead == NULL) goto no_memory;
    s->seg = seg;
    w->seg_count++;
    *out = s;
    return SEAM_OK;
no_memory:
    return seam_no_memory(f, "a segment");
}

enum seam_status invidx_writer_tomb(struct invidx_wseg *s, uint32_t doc, seam_lsn_t lsn,
                                    struct seam_fault *f)
{
    assert(doc < s->seg->docs);
    assert(s->tomb_count < s->seg->docs);
    assert(!seam_bitset_get(s->dead, doc));
    if (s->tomb_count == s->tomb_cap) {
        size_t cap = s->tomb_cap == 0 ? 16 : 2 * s->tomb_cap;
        struct invidx_tomb *t = realloc(s->tombs, cap * sizeof *t);

        if (t == NULL) return seam_no_memory(f, "a tombstone");
        s->tombs = t;
        s->tomb_cap = cap;
    }
    s->tombs[s->tomb_count++] = (struct invidx_tomb){doc, lsn};
    seam_bitset_set(s->dead, doc);
    return SEAM_OK;
}

/* ---- opening ---- */
struct load_tombs {
    struct invidx_writer *w;
    enum seam_status st;
    struct seam_fault *f;
};

static bool load_tomb(void *ctx, uint64_t segment, uint32_t doc, seam_lsn_t lsn)
{
    struct load_tombs *l = ctx;
    assert(l->w->seg_count <= l->w->seg_cap);

    for (size_t i = 0; i < l->w->seg_count; i++) {
        struct invidx_wseg *s = &l->w->segs[i];

        if (s->seg->id != segment) continue;
        if (doc >= s->seg->docs) return false;
        if (seam_bitset_get(s->dead, doc)) return true;
        if (l->st == SEAM_OK) l->st = invidx_writer_tomb(s, doc, lsn, l->f);
        return true;
    }
    return true;
}

static enum seam_status load_state(struct invidx_writer *w, struct seam_fault *f)
{
    struct seam_manifest m = {0};
    struct invidx_store_state state = {0};
    struct load_tombs load = {w, SEAM_OK, f};
    enum seam_status st = seam_manifest_load_newest(w->io, w->dir, STORE_KIND, &m, f);
    assert(w->seg_count == 0 && w->live == 0);
    assert(w->del_count == 0);

    w->next_id = 1;
    if (st == SEAM_NOT_FOUND) {
        if (f != NULL) seam_fault_clear(f);
        return SEAM_OK;
    }
    if (st != SEAM_OK) return st;
    st = invidx_store_decode(&m, w->dir, &state, f);
    for (uint32_t i = 0; st == SEAM_OK && i < state.segment_count; i++) {
        struct invidx_segment *seg = NULL;
        struct invidx_wseg *s;

        st = invidx_segment_open(w->io, w->dir, state.segments[i].id, &w->box.view, &seg, f);
        if (st == SEAM_OK)
            st = invidx_store_segment_check(seg, &state.segments[i], &state.owner, f);
        if (st == SEAM_OK) st = invidx_writer_add_segment(w, seg, &s, f);
        if (st != SEAM_OK)
            invidx_segment_release(seg);
        else
            s->published = true;
    }
    for (uint32_t i = 0; st == SEAM_OK && i < state.del_count; i++) {
        st = invidx_dels_read(w->io, w->dir, &state.dels[i], load_tomb, &load, f);
        if (st == SEAM_OK) st = load.st;
        w->dels[w->del_count++] = state.dels[i];
    }
    if (st == SEAM_OK) {
        w->seq = m.seq;
        w->applied = w->last_lsn = m.applied_lsn;
        w->wall_us = m.wall_us;
        w->owner = m.owner;
        w->next_id = state.next_id;
        w->purged = state.purged;
        for (size_t i = 0; i < w->seg_count; i++) {
            w->segs[i].tombs_published = w->segs[i].tomb_count;
            w->live += invidx_wseg_live(&w->segs[i]);
        }
    }
    invidx_store_free(&state);
    seam_buf_free(&m.payload);
    return st;
}

static enum seam_status take_schema(struct invidx_writer *w, const struct invidx_schema *schema,
                                    struct seam_fault *f)
{
    struct seam_fault missing = {0};
    struct invidx_schema full;
    enum seam_status st = invidx_schema_load(w->io, w->dir, &w->box, &missing);
    assert(w->dir[0] != '\0');

    if (schema != NULL) {
        full = *schema;
        if (full.k1 == 0 && full.b == 0) {
            full.k1 = 1.2;
            full.b = 0.75;
        }
    }
    if (st == SEAM_NOT_FOUND) {
        if (schema == NULL)
            return seam_fault_set(f, SEAM_NOT_FOUND, w->dir, SEAM_FAULT_NO_OFFSET,
                                  "there is no index here: give a schema to make one");
        st = invidx_schema_check(&full, f);
        if (st == SEAM_OK) st = invidx_schema_save(w->io, w->dir, &full, &w->options.owner, f);
        return st != SEAM_OK ? st : invidx_schema_load(w->io, w->dir, &w->box, f);
    }
    if (st != SEAM_OK) {
        seam_fault_give(f, &missing);
        return st;
    }
    if (schema != NULL && !invidx_schema_same(&full, &w->box.view))
        return seam_fault_set(
            f, SEAM_CONFLICT, w->dir, SEAM_FAULT_NO_OFFSET,
            "the index was made with another schema or analysis: build a new one beside it");
    return SEAM_OK;
}

enum seam_status invidx_writer_open(struct seam_io *io, const char *dir,
                                    const struct invidx_schema *schema,
                                    const struct invidx_writer_options *options,
                                    struct invidx_writer **out, struct seam_fault *f)
{
    struct invidx_writer *w = calloc(1, sizeof *w);
    enum seam_status st;
    assert(out != NULL);
    assert(dir != NULL);

    if (w == NULL) return seam_no_memory(f, "an index's writer");
    w->io = io;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    seam_fork_mark_set(&w->mark);
    if (options != NULL) w->options = *options;
    if (w->options.buffer_bytes == 0) w->options.buffer_bytes = 64u << 20;
    if (w->options.keep_manifests == 0) w->options.keep_manifests = 16;
    if (w->options.merge_fanout < 2) w->options.merge_fanout = 8;
    if (strlen(dir) + 32 > sizeof w->dir) {
        st = seam_fault_set(f, SEAM_LIMIT, dir, SEAM_FAULT_NO_OFFSET,
                            "the folder's name is too long");
        goto done;
    }
    strcpy(w->dir, dir);
    st = seam_io_mkdir(io, dir, f);
    if (st == SEAM_OK) st = seam_writer_lock(io, dir, &w->lock_file, f);
    if (st == SEAM_OK) st = take_schema(w, schema, f);
    if (st == SEAM_OK) st = invidx_analyzer_init(&w->analyzer, &w->box.view.analysis, f);
    if (st == SEAM_OK) {
        invidx_buffer_init(&w->buffer, &w->box.view, &w->analyzer);
        st = load_state(w, f);
    }
    if (st == SEAM_OK)
        st = seam_owner_take(&w->options.owner, w->seq == 0, &w->owner, &w->another, dir, f);
    if (st != SEAM_OK) goto done;
    w->buffer.owner = w->owner;
    assert(w->options.merge_fanout >= 2);
    assert(w->merge == INVIDX_MERGE_IDLE);
    *out = w;
    w = NULL;
done:
    invidx_writer_close(w);
    return st;
}

/* Waits for the thread of maintain.c, which holds nothing of the writer while it sleeps. */
enum seam_status invidx_merger_stop(struct invidx_writer *w, struct seam_fault *f)
{
    enum seam_status st;

    if (!w->merger_runs) return SEAM_OK;
    pthread_mutex_lock(&w->lock);
    w->merger_stop = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    assert(w->merger_stop);
    pthread_join(w->merger, NULL);
    w->merger_runs = false;
    st = w->merger_status;
    if (st != SEAM_OK) seam_fault_give(f, &w->merger_fault);
    return st;
}

void invidx_writer_close(struct invidx_writer *w)
{
    if (w == NULL) return;
    if (w->merger_runs && invidx_merger_stop(w, NULL) != SEAM_OK) w->merger_runs = false;
    assert(w->merge == INVIDX_MERGE_IDLE);
    assert(!w->merger_runs);
    invidx_buffer_free(&w->buffer);
    for (size_t i = 0; i < w->seg_count; i++) invidx_wseg_free(&w->segs[i]);
    free(w->segs);
    invidx_analyzer_free(&w->analyzer);
    invidx_schema_box_free(&w->box);
    seam_file_close(w->lock_file);
    seam_fork_mark_free(&w->mark);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* ---- changing ---- */
/* The buffer becomes a segment that no manifest names yet.                                             */
static enum seam_status flush(struct invidx_writer *w, struct seam_fault *f)
{
    struct invidx_buffer *b = &w->buffer;
    struct invidx_segment *seg = NULL;
    struct invidx_wseg *s = NULL;
    uint32_t *order;
    enum seam_status st;

    if (b->doc_count == 0) return SEAM_OK;
    order = malloc(sizeof *order * b->doc_count);
    if (order == NULL) return seam_no_memory(f, "a segment that is written");
    st = invidx_buffer_flush(b, w->io, w->dir, w->next_id, order, f);
    if (st == SEAM_OK) st = invidx_segment_open(w->io, w->dir, w->next_id, &w->box.view, &seg, f);
    if (st == SEAM_OK) st = invidx_writer_add_segment(w, seg, &s, f);
    if (st == SEAM_OK) {
        seg = NULL;
        w->next_id++;
        w->new_names = true;
        for (uint32_t i = 0; st == SEAM_OK && i < b->doc_count; i++)
            if (b->docs[order[i]].death != SEAM_LSN_MAX)
                st = invidx_writer_tomb(s, i, b->docs[order[i]].death, f);
        SEAM_TRACE(w->options.trace, "invidx", "segment_written", SEAM_TI("segment", s->seg->id),
                   SEAM_TI("docs", s->seg->docs), SEAM_TI("terms", s->seg->terms),
                   SEAM_TI("bytes", s->seg->size));
        invidx_buffer_clear(b);
    }
    invidx_segment_release(seg);
    free(order);
    return st;
}

static enum seam_status kill_in_segments(struct invidx_writer *w, uint64_t key, seam_lsn_t lsn,
                                         bool *killed, struct seam_fault *f)
{
    assert(!*killed);
    for (size_t i = w->seg_count; i-- > 0;) {
        struct invidx_wseg *s = &w->segs[i];
        uint32_t d;

        if (key < segment_key(s->seg, 0) || key > segment_key(s->seg, s->seg->docs - 1)) continue;
        for (d = invidx_segment_seek_key(s->seg, key);
             d < s->seg->docs && segment_key(s->seg, d) == key; d++) {
            if (seam_bitset_get(s->dead, d)) continue;
            *killed = true;
            return invidx_writer_tomb(s, d, lsn, f);
        }
    }
    return SEAM_OK;
}

static enum seam_status kill_key(struct invidx_writer *w, uint64_t key, seam_lsn_t lsn,
                                 struct seam_fault *f)
{
    int64_t at = invidx_buffer_find(&w->buffer, key);
    bool killed = at >= 0;
    enum seam_status st = SEAM_OK;

    if (killed)
        w->buffer.docs[at].death = lsn;
    else
        st = kill_in_segments(w, key, lsn, &killed, f);
    if (killed && st == SEAM_OK) w->live--;
    assert(at < (int64_t)w->buffer.doc_count);
    return st;
}

/* False when the change was applied before.                                                            */
static bool is_new(struct invidx_writer *w, seam_lsn_t lsn)
{
    assert(w->last_lsn >= w->applied);
    if (lsn <= w->applied) return false;
    if (lsn > w->last_lsn) w->last_lsn = lsn;
    assert(w->last_lsn >= lsn);
    return true;
}

enum seam_status invidx_upsert(struct invidx_writer *w, const struct invidx_doc *doc,
                               seam_lsn_t lsn, struct seam_fault *f)
{
    enum seam_status st;
    assert(doc != NULL);
    assert(w != NULL);

    pthread_mutex_lock(&w->lock);
    st = invidx_writer_check(w, f);
    if (st == SEAM_OK && is_new(w, lsn)) {
        if (invidx_buffer_bytes(&w->buffer) >= w->options.buffer_bytes ||
            w->buffer.doc_count >= SEG_DOCS_MAX / 2 || w->buffer.token_count > UINT32_MAX / 2) {
            st = flush(w, f);
            if (st != SEAM_OK) invidx_writer_fail(w, st, f);
        }
        /* Added first, so that a refused document leaves the old one alive; then the old one dies.      */
        if (st == SEAM_OK) {
            int64_t old = invidx_buffer_find(&w->buffer, doc->key);

            st = invidx_buffer_add(&w->buffer, doc, lsn, f);
            if (st == SEAM_OK) {
                bool killed = old >= 0;

                w->live++;
                if (killed)
                    w->buffer.docs[old].death = lsn;
                else
                    st = kill_in_segments(w, doc->key, lsn, &killed, f);
                if (killed) w->live--;
            }
        }
    }
    pthread_mutex_unlock(&w->lock);
    return st;
}

enum seam_status invidx_delete(struct invidx_writer *w, uint64_t key, seam_lsn_t lsn,
                               struct seam_fault *f)
{
    enum seam_status st;
    assert(w != NULL);

    pthread_mutex_lock(&w->lock);
    st = invidx_writer_check(w, f);
    if (st == SEAM_OK && is_new(w, lsn)) st = kill_key(w, key, lsn, f);
    pthread_mutex_unlock(&w->lock);
    return st;
}

/* ---- publishing ---- */
/* New tombstones go to a file of their own; when those grow many, all are written again as one.        */
static enum seam_status write_tombs(struct invidx_writer *w, struct seam_fault *f)
{
    bool all = w->del_count >= 8;
    struct invidx_tomb_group *groups = malloc(sizeof *groups * (w->seg_count + 1));
    size_t n = 0, fresh = 0;
    enum seam_status st = SEAM_OK;
    struct invidx_store_dels file;
    assert(w->del_count <= DELS_MAX);

    if (groups == NULL) return seam_no_memory(f, "the tombstones");
    for (size_t i = 0; i < w->seg_count; i++) {
        struct invidx_wseg *s = &w->segs[i];
        size_t from = all ? 0 : s->tombs_published;

        fresh += s->tomb_count - s->tombs_published;
        if (s->tomb_count > from)
            groups[n++] =
                (struct invidx_tomb_group){s->seg->id, s->tombs + from, s->tomb_count - from};
    }
    if (fresh > 0) {
        st = invidx_dels_write(
            w->io, w->dir, &(struct invidx_dels_spec){w->owner, w->next_id, groups, n}, &file, f);
        if (st == SEAM_OK) {
            w->next_id++;
            if (all) w->del_count = 0;
            assert(w->del_count < DELS_MAX);
            assert(n > 0 && n <= w->seg_count);
            w->dels[w->del_count++] = file;
            w->new_names = true;
        }
    }
    free(groups);
    return st;
}

enum seam_status invidx_publish_manifest(struct invidx_writer *w, seam_lsn_t applied,
                                         int64_t wall_us, struct seam_fault *f)
{
    struct seam_manifest m = {.kind = STORE_KIND,
                              .seq = w->seq + 1,
                              .parent = w->seq,
                              .applied_lsn = applied,
                              .wall_us = wall_us,
                              .owner = w->owner};
    struct invidx_store_state state = {
        .next_id = w->next_id, .purged = w->purged, .dels = w->dels, .del_count = w->del_count};
    enum seam_status st;
    assert(applied >= w->applied);
    assert(w->del_count <= DELS_MAX);

    state.segments = calloc(w->seg_count + 1, sizeof *state.segments);
    if (state.segments == NULL) return seam_no_memory(f, "the list of segments");
    for (size_t i = 0; i < w->seg_count; i++)
        if (w->segs[i].published)
            state.segments[state.segment_count++] = (struct invidx_store_segment){
                w->segs[i].seg->id, w->segs[i].seg->size, w->segs[i].seg->docs};
    invidx_store_encode(&state, &m.payload);
    st = seam_buf_check(&m.payload, f, "the list of segments");
    /* A crash here leaves segments and tombstones that no manifest names: the next vacuum takes them away. */
    if (st == SEAM_OK && w->new_names)
        st = seam_io_sync_dir(w->io, w->dir, f); /* before a manifest names them */
    if (st == SEAM_OK) st = seam_manifest_publish(w->io, w->dir, &m, f);
    if (st == SEAM_OK) {
        assert(m.seq == w->seq + 1);
        w->seq = m.seq;
        w->applied = applied;
        w->wall_us = wall_us;
        w->another = false;
        w->new_names = false;
        w->publishes++;
    }
    free(state.segments);
    seam_buf_free(&m.payload);
    return st;
}

static enum seam_status publish(struct invidx_writer *w, seam_lsn_t applied, int64_t wall_us,
                                struct seam_fault *f)
{
    enum seam_status st = invidx_writer_check(w, f);

    if (st != SEAM_OK) return st;
    if (w->merger_status != SEAM_OK) {
        seam_fault_give(f, &w->merger_fault);
        return w->merger_status;
    }
    if (applied < w->applied || applied < w->last_lsn)
        return seam_fault_set(f, SEAM_INVALID, w->dir, SEAM_FAULT_NO_OFFSET,
                              "publish at LSN %llu, but changes up to %llu were applied",
                              (unsigned long long)applied, (unsigned long long)w->last_lsn);
    if (applied == w->applied && w->seq > 0 && !w->another) return SEAM_OK;
    st = flush(w, f);
    if (st == SEAM_OK) st = write_tombs(w, f);
    if (st == SEAM_OK) {
        for (size_t i = 0; i < w->seg_count; i++) w->segs[i].published = true;
        st = invidx_publish_manifest(w, applied, wall_us, f);
    }
    if (st != SEAM_OK) return invidx_writer_fail(w, st, f);
    w->last_lsn = applied;
    for (size_t i = 0; i < w->seg_count; i++) w->segs[i].tombs_published = w->segs[i].tomb_count;
    invidx_writer_assert(w);
    SEAM_TRACE(w->options.trace, "invidx", "publish", SEAM_TI("manifest", w->seq),
               SEAM_TI("lsn", applied), SEAM_TI("segments", w->seg_count),
               SEAM_TI("live", w->live));
    assert(w->buffer.doc_count == 0);
    assert(w->applied == w->last_lsn);
    w->work_waiting = true;
    pthread_cond_signal(&w->wake);
    return SEAM_OK;
}

enum seam_status invidx_publish(struct invidx_writer *w, seam_lsn_t applied_lsn, int64_t wall_us,
                                struct seam_fault *f)
{
    enum seam_status st;

    pthread_mutex_lock(&w->lock);
    st = publish(w, applied_lsn, wall_us, f);
    pthread_mutex_unlock(&w->lock);
    return st;
}

struct seam_owner invidx_writer_owner(const struct invidx_writer *w)
{
    return w->owner;
}

seam_lsn_t invidx_writer_applied(struct invidx_writer *w)
{
    seam_lsn_t lsn;

    pthread_mutex_lock(&w->lock);
    lsn = w->applied;
    pthread_mutex_unlock(&w->lock);
    return lsn;
}

uint64_t invidx_writer_live(struct invidx_writer *w)
{
    uint64_t n;

    pthread_mutex_lock(&w->lock);
    n = w->live;
    pthread_mutex_unlock(&w->lock);
    return n;
}
