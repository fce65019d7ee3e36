/* reader - opens a state, refreshes to a newer one, and keeps its segments alive. */
#include "invidx/reader.h"

#include "engine/base/walk.h"
#include "invidx/merge.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void rseg_free(struct invidx_rseg *s)
{
    assert(s->memo_used <= s->memo_size);
    assert(s->seg == NULL || s->dead_count <= s->seg->docs);
    invidx_segment_release(s->seg);
    free(s->dead);
    free(s->memo);
    memset(s, 0, sizeof *s);
}

static void kill(struct invidx_rseg *s, uint32_t doc)
{
    assert(doc < s->seg->docs);
    if (seam_bitset_get(s->dead, doc)) return;
    seam_bitset_set(s->dead, doc);
    s->dead_count++;
    assert(s->dead_count <= s->seg->docs);
    s->dead_length += segment_length(s->seg, doc);
    if (s->memo_used == 0) return;
    s->memo_used = 0;
    memset(s->memo, 0, s->memo_size * sizeof *s->memo);
}

static enum seam_status open_rseg(struct invidx_reader *r, const struct invidx_store_segment *e,
                                  const struct seam_owner *owner, struct invidx_rseg *s,
                                  struct seam_fault *f)
{
    enum seam_status st;

    memset(s, 0, sizeof *s);
    st = invidx_segment_open(r->io, r->dir, e->id, &r->box.view, &s->seg, f);
    if (st != SEAM_OK) return st;
    st = invidx_store_segment_check(s->seg, e, owner, f);
    if (st != SEAM_OK) return st;
    s->dead = calloc(seam_bitset_words(s->seg->docs) + 1, sizeof *s->dead);
    if (s->dead == NULL) return seam_no_memory(f, "a state of the index");
    if (r->as_of == SEAM_LSN_MAX) return SEAM_OK;
    assert(s->dead_count == 0);
    for (uint32_t d = 0; d < s->seg->docs; d++)
        if (forcol_get(&s->seg->births, d) > r->as_of) kill(s, d);
    return SEAM_OK;
}

struct take {
    struct invidx_rseg *segs;
    size_t count;
    seam_lsn_t as_of;
};

static bool take_tomb(void *ctx, uint64_t segment, uint32_t doc, seam_lsn_t lsn)
{
    struct take *t = ctx;
    assert(t->count == 0 || t->segs != NULL);

    for (size_t i = 0; i < t->count; i++) {
        if (t->segs[i].seg->id != segment) continue;
        if (doc >= t->segs[i].seg->docs) return false;
        if (lsn <= t->as_of) kill(&t->segs[i], doc);
        return true;
    }
    return true;
}

static bool seen(const struct invidx_reader *r, uint64_t id)
{
    assert(r->dels_count == 0 || r->dels_seen != NULL);
    for (size_t i = 0; i < r->dels_count; i++)
        if (r->dels_seen[i] == id) return true;
    return false;
}

static int largest_first(const void *x, const void *y)
{
    const struct invidx_rseg *a = x, *b = y;
    SEAM_WALK(a->seg != NULL);
    SEAM_WALK(b->seg != NULL);

    if (a->seg->docs != b->seg->docs) return a->seg->docs > b->seg->docs ? -1 : 1;
    return (a->seg->id > b->seg->id) - (a->seg->id < b->seg->id);
}

/* Moves to a state, keeping what is open already. On failure the reader stays where it was, except that
 * segments may know of deaths that its state has not: so it is only called with a newer state.         */
static enum seam_status enter(struct invidx_reader *r, const struct seam_manifest *m,
                              struct seam_fault *f)
{
    struct invidx_store_state state = {0};
    struct invidx_rseg *segs = NULL;
    uint64_t *ids = NULL;
    bool *borrowed = NULL;
    size_t n = 0;
    enum seam_status st = invidx_store_decode(m, r->dir, &state, f);

    if (st != SEAM_OK) return st;
    segs = calloc(state.segment_count + 1, sizeof *segs);
    borrowed = calloc(state.segment_count + 1, sizeof *borrowed);
    ids = calloc(state.del_count + 1, sizeof *ids);
    if (segs == NULL || ids == NULL || borrowed == NULL) {
        st = seam_no_memory(f, "a state of the index");
        goto done;
    }
    for (; n < state.segment_count; n++) {
        for (size_t i = 0; i < r->seg_count && !borrowed[n]; i++) {
            if (r->segs[i].seg->id != state.segments[n].id) continue;
            segs[n] = r->segs[i];
            borrowed[n] = true;
        }
        if (borrowed[n]) continue;
        st = open_rseg(r, &state.segments[n], &state.owner, &segs[n], f);
        if (st != SEAM_OK) {
            rseg_free(&segs[n]);
            goto done;
        }
    }
    for (uint32_t i = 0; i < state.del_count; i++) {
        struct take take = {segs, n, r->as_of};

        ids[i] = state.dels[i].id;
        if (seen(r, ids[i])) continue;
        st = invidx_dels_read(r->io, r->dir, &state.dels[i], take_tomb, &take, f);
        if (st != SEAM_OK) goto done;
    }
    for (size_t i = 0; i < r->seg_count; i++) {
        bool stays = false;

        for (size_t k = 0; k < n; k++) stays |= segs[k].seg == r->segs[i].seg;
        if (!stays) rseg_free(&r->segs[i]);
    }
    assert(n == state.segment_count);
    free(r->segs);
    free(r->dels_seen);
    if (n > 0) qsort(segs, n, sizeof *segs, largest_first);
    r->segs = segs;
    r->seg_count = n;
    r->dels_seen = ids;
    r->dels_count = state.del_count;
    segs = NULL;
    ids = NULL;
    r->seq = m->seq;
    r->owner = m->owner;
    r->applied = r->as_of == SEAM_LSN_MAX ? m->applied_lsn : r->as_of;
    r->wall_us = m->wall_us;
    r->live = r->length_sum = r->bytes = 0;
    r->generation++;
    for (size_t i = 0; i < n; i++) {
        assert(r->segs[i].dead_count <= r->segs[i].seg->docs);
        r->live += r->segs[i].seg->docs - r->segs[i].dead_count;
        r->length_sum += r->segs[i].seg->length_sum - r->segs[i].dead_length;
        r->bytes += r->segs[i].seg->size;
    }
    for (uint32_t i = 0; i < state.del_count; i++) r->bytes += state.dels[i].size;
done:
    if (segs != NULL) {
        for (size_t i = 0; i < n; i++) {
            if (!borrowed[i]) {
                rseg_free(&segs[i]);
                continue;
            }
            for (size_t k = 0; k < r->seg_count;
                 k++) /* counts may have moved; the bits are shared */
                if (r->segs[k].seg == segs[i].seg) r->segs[k] = segs[i];
        }
    }
    free(segs);
    free(borrowed);
    free(ids);
    invidx_store_free(&state);
    return st;
}

/* The state to answer AS OF from: the oldest that has reached the LSN and has not purged past it.       */
static enum seam_status find_state(struct invidx_reader *r, struct seam_manifest *m,
                                   struct seam_fault *f)
{
    struct seam_manifest_entry *all = NULL;
    size_t n = 0;
    bool found = false;
    seam_lsn_t newest = SEAM_LSN_NONE;
    enum seam_status st = seam_manifest_list(r->io, r->dir, STORE_KIND, &all, &n, f);
    assert(m->payload.data == NULL);

    r->oldest = SEAM_LSN_MAX;
    for (size_t i = 0; st == SEAM_OK && i < n; i++) {
        struct seam_manifest got = {0};
        struct invidx_store_state state = {0};
        struct seam_fault gone = {0};

        st = seam_manifest_load(r->io, r->dir, STORE_KIND, all[i].seq, &got, &gone);
        if (st == SEAM_NOT_FOUND) { /* vacuumed meanwhile */
            st = SEAM_OK;
            continue;
        }
        if (st != SEAM_OK) seam_fault_give(f, &gone);
        if (st == SEAM_OK) st = invidx_store_decode(&got, r->dir, &state, f);
        if (st == SEAM_OK) {
            newest = all[i].applied_lsn;
            if (state.purged < r->oldest) r->oldest = state.purged;
            if (r->as_of != SEAM_LSN_MAX && !found && state.purged <= r->as_of &&
                r->as_of <= newest) {
                found = true;
                *m = got;
                got.payload = (struct seam_buf){0};
            }
        }
        invidx_store_free(&state);
        seam_buf_free(&got.payload);
    }
    free(all);
    if (st != SEAM_OK) return st;
    if (r->as_of == SEAM_LSN_MAX) return seam_manifest_load_newest(r->io, r->dir, STORE_KIND, m, f);
    if (found) return SEAM_OK;
    return seam_fault_set(f, SEAM_NOT_FOUND, r->dir, SEAM_FAULT_NO_OFFSET,
                          "AS OF %llu is outside the readable range %llu..%llu",
                          (unsigned long long)r->as_of,
                          (unsigned long long)(r->oldest == SEAM_LSN_MAX ? 0 : r->oldest),
                          (unsigned long long)newest);
}

/* A writer's vacuum may take a file away between reading the manifest and opening it: look again.        */
static enum seam_status load(struct invidx_reader *r, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;
    assert(r->segs == NULL);

    for (int attempt = 0; attempt < 10; attempt++) {
        struct seam_manifest m = {0};
        struct seam_fault here = {0};

        st = find_state(r, &m, &here);
        if (st != SEAM_OK) {
            seam_fault_give(f, &here);
            return st;
        }
        st = enter(r, &m, &here);
        seam_buf_free(&m.payload);
        if (st != SEAM_NOT_FOUND) {
            seam_fault_give(f, &here);
            return st;
        }
        if (attempt == 9) seam_fault_give(f, &here);
    }
    return st;
}

enum seam_status invidx_reader_open(struct seam_io *io, const char *dir, seam_lsn_t as_of,
                                    struct invidx_reader **out, struct seam_fault *f)
{
    struct invidx_reader *r = calloc(1, sizeof *r);
    enum seam_status st;
    assert(out != NULL);
    assert(dir != NULL);

    if (r == NULL) return seam_no_memory(f, "an index's reader");
    r->io = io;
    r->as_of = as_of;
    if (strlen(dir) + 32 > sizeof r->dir) {
        st = seam_fault_set(f, SEAM_LIMIT, dir, SEAM_FAULT_NO_OFFSET,
                            "the folder's name is too long");
        goto done;
    }
    strcpy(r->dir, dir);
    st = invidx_schema_load(io, dir, &r->box, f);
    if (st == SEAM_OK) st = invidx_analyzer_init(&r->analyzer, &r->box.view.analysis, f);
    if (st == SEAM_OK) st = load(r, f);
    if (st != SEAM_OK) goto done;
    *out = r;
    r = NULL;
done:
    invidx_reader_close(r);
    return st;
}

enum seam_status invidx_reader_refresh(struct invidx_reader *r, bool *changed, struct seam_fault *f)
{
    struct seam_manifest m = {0};
    uint64_t before = r->seq;
    enum seam_status st;
    assert(r->box.view.field_count >= 1);

    if (changed != NULL) *changed = false;
    if (r->as_of != SEAM_LSN_MAX) return SEAM_OK;
    for (int attempt = 0; attempt < 10; attempt++) {
        struct seam_fault here = {0};

        st = seam_manifest_load_newest(r->io, r->dir, STORE_KIND, &m, &here);
        if (st == SEAM_OK && m.seq != r->seq) st = enter(r, &m, &here);
        seam_buf_free(&m.payload);
        if (st != SEAM_NOT_FOUND || attempt == 9) seam_fault_give(f, &here);
        if (st != SEAM_NOT_FOUND) break;
    }
    if (changed != NULL) *changed = r->seq != before;
    return st;
}

void invidx_reader_close(struct invidx_reader *r)
{
    if (r == NULL) return;
    assert(r->seg_count == 0 || r->segs != NULL);
    for (size_t i = 0; i < r->seg_count; i++) rseg_free(&r->segs[i]);
    free(r->segs);
    free(r->dels_seen);
    invidx_analyzer_free(&r->analyzer);
    invidx_schema_box_free(&r->box);
    free(r);
}

void invidx_reader_info(const struct invidx_reader *r, struct invidx_info *out)
{
    const struct invidx_schema *s = &r->box.view;
    assert(s->field_count <= INVIDX_FIELDS_MAX);
    assert(s->attr_count <= INVIDX_ATTRS_MAX);

    *out = (struct invidx_info){.applied_lsn = r->applied,
                                .oldest_lsn = r->oldest,
                                .wall_us = r->wall_us,
                                .owner = r->owner,
                                .manifest = r->seq,
                                .docs = r->live,
                                .length_sum = r->length_sum,
                                .bytes = r->bytes,
                                .segments = r->seg_count,
                                .field_count = s->field_count,
                                .attr_count = s->attr_count,
                                .k1 = s->k1,
                                .b = s->b};
    for (size_t i = 0; i < r->seg_count; i++) out->dead += r->segs[i].dead_count;
    for (size_t i = 0; i < s->field_count; i++) {
        out->fields[i] = s->fields[i].name;
        out->weights[i] = s->fields[i].weight;
    }
    for (size_t i = 0; i < s->attr_count; i++) {
        out->attrs[i] = s->attrs[i].name;
        out->attr_types[i] = s->attrs[i].type;
    }
}

seam_lsn_t invidx_reader_applied(const struct invidx_reader *r)
{
    return r->applied;
}

enum seam_status invidx_contains(struct invidx_reader *r, uint64_t key, bool *found,
                                 struct seam_fault *f)
{
    assert(found != NULL);
    (void)f;
    *found = false;
    for (size_t i = 0; i < r->seg_count; i++) {
        const struct invidx_rseg *s = &r->segs[i];

        for (uint32_t d = invidx_segment_seek_key(s->seg, key);
             d < s->seg->docs && segment_key(s->seg, d) == key; d++)
            *found |= !rseg_dead(s, d);
    }
    return SEAM_OK;
}

int invidx_field_id(const struct invidx_reader *r, const char *name)
{
    assert(name != NULL);
    for (size_t i = 0; i < r->box.view.field_count; i++)
        if (strcmp(r->box.view.fields[i].name, name) == 0) return (int)i;
    return -1;
}

int invidx_attr_id(const struct invidx_reader *r, const char *name)
{
    assert(name != NULL);
    for (size_t i = 0; i < r->box.view.attr_count; i++)
        if (strcmp(r->box.view.attrs[i].name, name) == 0) return (int)i;
    return -1;
}

/* ---- live document frequencies ---- */
static struct invidx_dead_memo *memo_slot(struct invidx_rseg *s, uint32_t ord)
{
    size_t i;
    assert(s->dead_count > 0);
    assert((s->memo_size & (s->memo_size - 1)) == 0);

    if (s->memo_used * 2 >= s->memo_size) {
        size_t size = s->memo_size == 0 ? 256 : 2 * s->memo_size;
        struct invidx_dead_memo *old = s->memo, *fresh = calloc(size, sizeof *fresh);
        size_t old_size = s->memo_size;

        if (fresh == NULL) return NULL;
        s->memo = fresh;
        s->memo_size = size;
        for (size_t k = 0; k < old_size; k++)
            if (old[k].ord != 0) {
                for (i = seam_hash64_u64(old[k].ord) & (size - 1); fresh[i].ord != 0;)
                    i = (i + 1) & (size - 1);
                fresh[i] = old[k];
            }
        free(old);
    }
    for (i = seam_hash64_u64(ord + 1) & (s->memo_size - 1);
         s->memo[i].ord != 0 && s->memo[i].ord != ord + 1;)
        i = (i + 1) & (s->memo_size - 1);
    assert(s->memo[i].ord == 0 || s->memo[i].ord == ord + 1);
    return &s->memo[i];
}

static enum seam_status count_dead(struct invidx_rseg *s, const struct invidx_term *t,
                                   struct invidx_postings *p, uint32_t *out, struct seam_fault *f)
{
    static const uint32_t ones[INVIDX_FIELDS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1};
    enum seam_status st = invidx_postings_open(p, s->seg, t, ones, f);
    uint32_t from = 0;
    assert(s->dead_count > 0);

    *out = 0;
    for (uint32_t b = 0; st == SEAM_OK && b < p->blocks; b++) {
        if (p->last != NULL) { /* a block without a dead document in its range needs no decoding */
            uint32_t last = postings_last(p, b);
            bool none = last < from || last >= s->seg->docs ||
                        seam_bitset_next(s->dead, last + 1, from) > last;

            from = last + 1;
            if (none) continue;
        }
        st = invidx_postings_load(p, b, f);
        for (uint32_t i = 0; st == SEAM_OK && i < p->n; i++)
            *out += seam_bitset_get(s->dead, p->docs[i]);
    }
    assert(st != SEAM_OK || *out <= t->df);
    return st;
}

enum seam_status invidx_rseg_live_df(struct invidx_rseg *s, const struct invidx_term *t,
                                     struct invidx_postings *scratch, uint32_t *out,
                                     struct seam_fault *f)
{
    struct invidx_dead_memo *m;
    uint32_t dead;
    enum seam_status st;
    assert(t->df > 0);

    *out = t->df;
    if (s->dead_count == 0) return SEAM_OK;
    m = memo_slot(s, t->ord);
    if (m == NULL) return seam_no_memory(f, "live frequencies");
    if (m->ord == 0) {
        st = count_dead(s, t, scratch, &dead, f);
        if (st != SEAM_OK) return st;
        *m = (struct invidx_dead_memo){t->ord + 1, dead};
        s->memo_used++;
    }
    assert(m->dead <= t->df);
    assert(m->ord == t->ord + 1);
    *out -= m->dead;
    return SEAM_OK;
}

enum seam_status invidx_digest(struct invidx_reader *r, struct seam_digest *out,
                               struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;
    assert(out != NULL);

    memset(out, 0, sizeof *out);
    for (size_t i = 0; st == SEAM_OK && i < r->seg_count; i++) {
        struct seam_digest one;

        st = invidx_segment_digest(r->segs[i].seg, r->segs[i].dead, &one, f);
        if (st == SEAM_OK) seam_digest_merge(out, &one);
    }
    return st;
}
