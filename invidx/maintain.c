/* maintain - which segments to merge, the commit of a merge beside a writer that goes on, and what may go.
 *
 * Policy: a segment's class is the logarithm (base fanout) of its live documents. A class with `fanout`
 * segments becomes one segment. A segment a quarter of whose documents are dead is written again alone, so
 * that deletes never weigh more than that for long; one that is all dead goes without a trace.          */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bitset.h"
#include "engine/base/clock.h"
#include "invidx/merge.h"
#include "invidx/writer.h"

enum { MERGE_INPUTS_MAX = 64 };

struct maintain_plan {
    struct invidx_segment *segs[INVIDX_SEGMENTS_MAX];
    size_t count;
};

static enum seam_status vacuum(struct invidx_writer *w, struct seam_fault *f);

static unsigned class_of(uint64_t live, uint32_t fanout)
{
    unsigned c = 0;
    assert(fanout >= 2);

    for (; live >= fanout; live /= fanout) c++;
    assert(c < 64);
    return c;
}

/* What is both dead and published: a death no manifest has yet must survive the merge.                  */
static uint64_t *droppable(const struct invidx_wseg *s)
{
    uint64_t *bits = calloc(seam_bitset_words(s->seg->docs) + 1, sizeof *bits);
    assert(s->tombs_published <= s->tomb_count);
    assert(s->tomb_count <= s->seg->docs);

    for (size_t i = 0; bits != NULL && i < s->tombs_published; i++)
        seam_bitset_set(bits, s->tombs[i].doc);
    return bits;
}

static void plan_class(struct invidx_writer *w, struct maintain_plan *p)
{
    assert(p->count == 0);
    assert(w->options.merge_fanout >= 2);
    for (unsigned c = 0; c < 64; c++) {
        size_t n = 0;

        for (size_t i = 0; i < w->seg_count; i++)
            n += w->segs[i].published &&
                 class_of(invidx_wseg_live(&w->segs[i]), w->options.merge_fanout) == c;
        if (n < w->options.merge_fanout) continue;
        for (size_t i = 0; i < w->seg_count && p->count < MERGE_INPUTS_MAX; i++)
            if (w->segs[i].published &&
                class_of(invidx_wseg_live(&w->segs[i]), w->options.merge_fanout) <= c)
                p->segs[p->count++] = invidx_segment_ref(w->segs[i].seg);
        return;
    }
}

static void plan_merge(struct invidx_writer *w, bool everything, struct maintain_plan *p)
{
    assert(w->seg_count <= INVIDX_SEGMENTS_MAX);
    p->count = 0;
    if (everything) {
        size_t dead = 0;

        for (size_t i = 0; i < w->seg_count && p->count < INVIDX_SEGMENTS_MAX; i++)
            if (w->segs[i].published) {
                p->segs[p->count++] = invidx_segment_ref(w->segs[i].seg);
                dead += w->segs[i].tombs_published;
            }
        if (p->count == 1 && dead == 0) invidx_segment_release(p->segs[--p->count]);
        return;
    }
    for (size_t i = 0; i < w->seg_count; i++) {
        struct invidx_wseg *s = &w->segs[i];

        if (!s->published || 4 * s->tombs_published < s->seg->docs || s->tombs_published == 0)
            continue;
        p->segs[p->count++] = invidx_segment_ref(s->seg);
        return;
    }
    plan_class(w, p);
}

static struct invidx_wseg *find(struct invidx_writer *w, uint64_t id)
{
    assert(w->seg_count <= w->seg_cap);
    for (size_t i = 0; i < w->seg_count; i++)
        if (w->segs[i].seg->id == id) return &w->segs[i];
    return NULL;
}

/* The tombstones that came while the merge ran move to the new segment, and the sources leave.          */
static enum seam_status replace(struct invidx_writer *w, struct invidx_merge_input *in,
                                size_t count, struct invidx_segment *seg, struct seam_fault *f)
{
    struct invidx_wseg fresh = {0}, *slot = NULL;
    size_t kept = 0;
    enum seam_status st = SEAM_OK;
    assert(count > 0);
    assert(count <= w->seg_count);

    if (seg != NULL) {
        st = invidx_writer_add_segment(w, seg, &slot, f);
        if (st != SEAM_OK) return st;
        slot->published = true;
        invidx_segment_ref(seg);
        fresh = *slot;
    }
    for (int pass = 0; pass < 2; pass++) { /* published ones first, then the pending */
        for (size_t i = 0; st == SEAM_OK && i < count; i++) {
            struct invidx_wseg *s = find(w, in[i].seg->id);
            assert(s != NULL && s->published);
            size_t from = pass == 0 ? 0 : s->tombs_published,
                   to = pass == 0 ? s->tombs_published : s->tomb_count;

            for (size_t k = from; st == SEAM_OK && k < to; k++) {
                uint32_t doc = in[i].map[s->tombs[k].doc];

                if (doc != UINT32_MAX)
                    st = invidx_writer_tomb(&fresh, doc, s->tombs[k].lsn, f);
                else if (s->tombs[k].lsn > w->purged)
                    w->purged = s->tombs[k].lsn;
            }
        }
        if (pass == 0) fresh.tombs_published = fresh.tomb_count;
    }
    if (st != SEAM_OK) return st;
    if (slot != NULL) w->segs[w->seg_count - 1] = fresh;
    for (size_t i = 0; i < w->seg_count; i++) {
        bool gone = false;

        for (size_t k = 0; k < count; k++) gone |= w->segs[i].seg == in[k].seg;
        if (gone)
            invidx_wseg_free(&w->segs[i]);
        else
            w->segs[kept++] = w->segs[i];
    }
    assert(kept + count == w->seg_count);
    w->seg_count = kept;
    return SEAM_OK;
}

/* Rewrites the published tombstones as one file: the old files name segments that are gone.             */
static enum seam_status rewrite_tombs(struct invidx_writer *w, struct seam_fault *f)
{
    struct invidx_tomb_group *groups = malloc(sizeof *groups * (w->seg_count + 1));
    size_t n = 0;
    enum seam_status st = SEAM_OK;
    assert(w->seg_count <= w->seg_cap);

    if (groups == NULL) return seam_no_memory(f, "tombstones");
    for (size_t i = 0; i < w->seg_count; i++)
        if (w->segs[i].published && w->segs[i].tombs_published > 0)
            groups[n++] = (struct invidx_tomb_group){w->segs[i].seg->id, w->segs[i].tombs,
                                                     w->segs[i].tombs_published};
    assert(n <= w->seg_count);
    w->del_count = 0;
    if (n > 0) {
        st = invidx_dels_write(w->io, w->dir,
                               &(struct invidx_dels_spec){w->owner, w->next_id, groups, n},
                               &w->dels[0], f);
        w->next_id++;
        w->del_count = 1;
    }
    free(groups);
    return st;
}

static enum seam_status commit(struct invidx_writer *w, struct invidx_merge_input *in, size_t count,
                               uint64_t id, uint32_t docs, struct seam_fault *f)
{
    struct invidx_segment *seg = NULL;
    enum seam_status st = invidx_writer_check(w, f);
    assert(count > 0);

    if (st != SEAM_OK) return st;
    if (docs > 0) st = invidx_segment_open(w->io, w->dir, id, &w->box.view, &seg, f);
    w->new_names = true;
    if (st == SEAM_OK) st = replace(w, in, count, seg, f);
    if (st == SEAM_OK) st = rewrite_tombs(w, f);
    if (st == SEAM_OK) st = invidx_publish_manifest(w, w->applied, w->wall_us, f);
    invidx_segment_release(seg);
    if (st != SEAM_OK) return invidx_writer_fail(w, st, f);
    SEAM_TRACE(w->options.trace, "invidx", "segment_merge", SEAM_TI("inputs", count),
               SEAM_TI("segment", id), SEAM_TI("docs", docs), SEAM_TI("segments", w->seg_count));
    return SEAM_OK;
}

/* The moves that writer.h's table allows; with the lock held. */
static void merge_move(struct invidx_writer *w, enum invidx_merge_state to)
{
    static const bool legal[3][3] = {
        [INVIDX_MERGE_IDLE] = {[INVIDX_MERGE_RUNNING] = true},
        [INVIDX_MERGE_RUNNING] = {[INVIDX_MERGE_COMMITTING] = true, [INVIDX_MERGE_IDLE] = true},
        [INVIDX_MERGE_COMMITTING] = {[INVIDX_MERGE_IDLE] = true},
    };

    assert(legal[w->merge][to]);
    w->merge = to;
    invidx_writer_assert(w);
}

/* Called with the lock held; drops it while the merge itself runs.                                      */
static enum seam_status merge_once(struct invidx_writer *w, bool everything, bool *worked,
                                   struct seam_fault *f)
{
    struct maintain_plan *p = malloc(sizeof *p);
    struct invidx_merge_input *in = NULL;
    uint32_t docs = 0;
    uint64_t id;
    enum seam_status st = invidx_writer_check(w, f);

    if (p == NULL)
        return seam_fault_set(f, SEAM_NOMEM, w->dir, SEAM_FAULT_NO_OFFSET,
                              "no memory to plan a merge");
    p->count = 0;
    if (st != SEAM_OK || w->merge != INVIDX_MERGE_IDLE) goto done;
    plan_merge(w, everything, p);
    if (p->count == 0) goto done;
    assert(p->count <= INVIDX_SEGMENTS_MAX);
    in = calloc(p->count, sizeof *in);
    if (in == NULL)
        st = seam_fault_set(f, SEAM_NOMEM, w->dir, SEAM_FAULT_NO_OFFSET,
                            "no memory to plan a merge");
    for (size_t i = 0; st == SEAM_OK && i < p->count; i++) {
        in[i].seg = p->segs[i];
        in[i].drop = droppable(find(w, p->segs[i]->id));
        if (in[i].drop == NULL)
            st = seam_fault_set(f, SEAM_NOMEM, w->dir, SEAM_FAULT_NO_OFFSET,
                                "no memory to plan a merge");
    }
    if (st != SEAM_OK) goto done;
    id = w->next_id++;
    merge_move(w, INVIDX_MERGE_RUNNING);
    pthread_mutex_unlock(&w->lock);
    st = invidx_merge_segments(&(struct invidx_merge_job){.io = w->io,
                                                          .dir = w->dir,
                                                          .schema = &w->box.view,
                                                          .owner = w->owner,
                                                          .in = in,
                                                          .count = p->count,
                                                          .id = id,
                                                          .mb_per_s = w->options.merge_mb_per_s},
                               &docs, f);
    pthread_mutex_lock(&w->lock);
    if (st == SEAM_OK) {
        merge_move(w, INVIDX_MERGE_COMMITTING);
        st = commit(w, in, p->count, id, docs, f);
    }
    merge_move(w, INVIDX_MERGE_IDLE);
    if (st == SEAM_OK) *worked = true;
done:
    for (size_t i = 0; i < p->count; i++) {
        if (in != NULL) {
            free((void *)(uintptr_t)in[i].drop);
            free(in[i].map);
        }
        invidx_segment_release(p->segs[i]);
    }
    free(in);
    free(p);
    return st;
}

enum seam_status invidx_maintain(struct invidx_writer *w, bool *worked, struct seam_fault *f)
{
    bool did = false;
    enum seam_status st;
    assert(w != NULL);

    pthread_mutex_lock(&w->lock);
    st = merge_once(w, false, &did, f);
    if (st == SEAM_OK && !did) st = vacuum(w, f);
    assert(st != SEAM_OK || w->merge == INVIDX_MERGE_IDLE || !did);
    pthread_mutex_unlock(&w->lock);
    if (worked != NULL) *worked = did;
    return st;
}

enum seam_status invidx_compact(struct invidx_writer *w, struct seam_fault *f)
{
    bool did = false;
    enum seam_status st;
    assert(w != NULL);

    pthread_mutex_lock(&w->lock);
    st = merge_once(w, true, &did, f);
    if (st == SEAM_OK) st = vacuum(w, f);
    pthread_mutex_unlock(&w->lock);
    return st;
}

/* ---- the merger thread ---- */
static void *merger_main(void *arg)
{
    struct invidx_writer *w = arg;
    assert(w != NULL);

    pthread_mutex_lock(&w->lock);
    while (!w->merger_stop) {
        bool did = false;

        if (!w->work_waiting) {
            pthread_cond_wait(&w->wake, &w->lock);
            continue;
        }
        w->work_waiting = false;
        assert(w->merger_runs);
        w->merger_status = merge_once(w, false, &did, &w->merger_fault);
        if (w->merger_status == SEAM_OK && !did) w->merger_status = vacuum(w, &w->merger_fault);
        if (w->merger_status != SEAM_OK) break;
        w->work_waiting |= did;
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

enum seam_status invidx_merger_start(struct invidx_writer *w, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;
    assert(w != NULL);

    pthread_mutex_lock(&w->lock);
    if (w->merger_runs) {
        st =
            seam_fault_set(f, SEAM_EXISTS, w->dir, SEAM_FAULT_NO_OFFSET, "the merger runs already");
    } else {
        w->merger_stop = false;
        w->work_waiting = true;
        if (pthread_create(&w->merger, NULL, merger_main, w) != 0)
            st = seam_fault_set(f, SEAM_NOMEM, w->dir, SEAM_FAULT_NO_OFFSET,
                                "no thread for the merger");
        else
            w->merger_runs = true;
    }
    pthread_mutex_unlock(&w->lock);
    return st;
}

/* ---- vacuum ---- */
struct ids {
    uint64_t *v;
    size_t n, cap;
};

static bool ids_add(struct ids *s, uint64_t id)
{
    assert(s->n <= s->cap);
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 64 : 2 * s->cap;
        uint64_t *v = realloc(s->v, cap * sizeof *v);

        if (v == NULL) return false;
        s->v = v;
        s->cap = cap;
    }
    s->v[s->n++] = id;
    return true;
}

static int order_of_ids(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

    return (a > b) - (a < b);
}

static enum seam_status remove_unnamed(struct invidx_writer *w, const struct ids *keep,
                                       struct seam_fault *f)
{
    struct seam_io_list list = {0};
    enum seam_status st = seam_io_list(w->io, w->dir, &list, f);
    assert(keep->n == 0 || keep->v != NULL);

    for (size_t i = 0; st == SEAM_OK && i < list.count; i++) {
        char *end, path[SEAM_PATH_MAX_BYTES];
        uint64_t id = strtoull(list.names[i], &end, 16);

        if (end != list.names[i] + 16 || (strcmp(end, ".seg") != 0 && strcmp(end, ".del") != 0))
            continue;
        if (keep->n > 0 && bsearch(&id, keep->v, keep->n, sizeof id, order_of_ids) != NULL)
            continue;
        if (w->merge != INVIDX_MERGE_IDLE && id >= w->next_id - 1) continue;
        st = seam_path_join(path, w->dir, list.names[i], f);
        if (st == SEAM_OK) st = seam_io_unlink(w->io, path, f);
    }
    seam_io_list_free(&list);
    return st;
}

/* Old states beyond retention go, then the files that no kept state names. The newest always stays.     */
static enum seam_status vacuum(struct invidx_writer *w, struct seam_fault *f)
{
    struct seam_manifest_entry *all = NULL;
    struct ids keep = {0};
    size_t n = 0, from = 0;
    enum seam_status st;
    bool ok = true;

    if (w->merge != INVIDX_MERGE_IDLE || w->publishes < 8) return SEAM_OK;
    st = seam_manifest_list(w->io, w->dir, STORE_KIND, &all, &n, f);
    if (st != SEAM_OK) return st;
    assert(w->merge == INVIDX_MERGE_IDLE);
    w->publishes = 0;
    while (n - from > w->options.keep_manifests &&
           !(w->options.keep_us > 0 && all[from].wall_us > w->wall_us - w->options.keep_us))
        from++;
    assert(from <= n);
    assert(w->options.keep_manifests >= 1);
    for (size_t i = 0; st == SEAM_OK && i < from; i++)
        st = seam_manifest_remove(w->io, w->dir, all[i].seq, f);
    /* A power cut must not bring back a state whose files went: first the states are gone for good.     */
    if (st == SEAM_OK && from > 0) st = seam_io_sync_dir(w->io, w->dir, f);
    for (size_t i = from; st == SEAM_OK && ok && i < n; i++) {
        struct seam_manifest m = {0};
        struct invidx_store_state state = {0};

        st = seam_manifest_load(w->io, w->dir, STORE_KIND, all[i].seq, &m, f);
        if (st == SEAM_OK) st = invidx_store_decode(&m, w->dir, &state, f);
        for (uint32_t k = 0; ok && k < state.segment_count; k++)
            ok = ids_add(&keep, state.segments[k].id);
        for (uint32_t k = 0; ok && k < state.del_count; k++) ok = ids_add(&keep, state.dels[k].id);
        invidx_store_free(&state);
        seam_buf_free(&m.payload);
    }
    for (size_t i = 0; ok && i < w->seg_count; i++) ok = ids_add(&keep, w->segs[i].seg->id);
    if (st == SEAM_OK && !ok)
        st = seam_fault_set(f, SEAM_NOMEM, w->dir, SEAM_FAULT_NO_OFFSET, "no memory to vacuum");
    if (st == SEAM_OK) {
        if (keep.n > 0) qsort(keep.v, keep.n, sizeof *keep.v, order_of_ids);
        st = remove_unnamed(w, &keep, f);
    }
    SEAM_TRACE(w->options.trace, "invidx", "vacuum", SEAM_TI("states_removed", from),
               SEAM_TI("states_kept", n - from));
    free(keep.v);
    free(all);
    return st;
}
