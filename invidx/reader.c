#include "invidx/reader.h"

#include "invidx/merge.h"

#include <stdlib.h>
#include <string.h>

static enum status no_memory(const struct invidx_reader *r, struct fault *f)
{
    return fault_set(f, ST_NOMEM, r->dir, FAULT_NO_OFFSET, "no memory to read the index");
}

static void rseg_free(struct rseg *s)
{
    segment_release(s->seg);
    free(s->dead);
    free(s->memo);
    memset(s, 0, sizeof *s);
}

static void kill(struct rseg *s, uint32_t doc)
{
    if (bitset_get(s->dead, doc)) return;
    bitset_set(s->dead, doc);
    s->dead_count++;
    s->dead_length += segment_length(s->seg, doc);
    if (s->memo_used == 0) return;
    s->memo_used = 0;
    memset(s->memo, 0, s->memo_size * sizeof *s->memo);
}

static enum status open_rseg(struct invidx_reader *r, const struct store_segment *e, struct rseg *s,
                             struct fault *f)
{
    enum status st;

    memset(s, 0, sizeof *s);
    st = segment_open(r->io, r->dir, e->id, &r->box.view, &s->seg, f);
    if (st != ST_OK) return st;
    if (s->seg->size != e->size || s->seg->docs != e->docs)
        return segment_damaged(s->seg, NULL, "another size than the manifest gives", f);
    s->dead = calloc(bitset_words(s->seg->docs) + 1, sizeof *s->dead);
    if (s->dead == NULL) return no_memory(r, f);
    if (r->as_of == LSN_MAX) return ST_OK;
    for (uint32_t d = 0; d < s->seg->docs; d++)
        if (forcol_get(&s->seg->births, d) > r->as_of) kill(s, d);
    return ST_OK;
}

struct take {
    struct rseg *segs;
    size_t count;
    lsn_t as_of;
};

static bool take_tomb(void *ctx, uint64_t segment, uint32_t doc, lsn_t lsn)
{
    struct take *t = ctx;

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
    for (size_t i = 0; i < r->dels_count; i++)
        if (r->dels_seen[i] == id) return true;
    return false;
}

static int largest_first(const void *x, const void *y)
{
    const struct rseg *a = x, *b = y;

    if (a->seg->docs != b->seg->docs) return a->seg->docs > b->seg->docs ? -1 : 1;
    return (a->seg->id > b->seg->id) - (a->seg->id < b->seg->id);
}

/* Moves to a state, keeping what is open already. On failure the reader stays where it was, except that
 * segments may know of deaths that its state has not: so it is only called with a newer state.         */
static enum status enter(struct invidx_reader *r, const struct manifest *m, struct fault *f)
{
    struct store_state state = {0};
    struct rseg *segs = NULL;
    uint64_t *ids = NULL;
    bool *borrowed = NULL;
    size_t n = 0;
    enum status st = store_decode(m, r->dir, &state, f);

    if (st != ST_OK) return st;
    segs = calloc(state.segment_count + 1, sizeof *segs);
    borrowed = calloc(state.segment_count + 1, sizeof *borrowed);
    ids = calloc(state.del_count + 1, sizeof *ids);
    if (segs == NULL || ids == NULL || borrowed == NULL) {
        st = no_memory(r, f);
        goto done;
    }
    for (; n < state.segment_count; n++) {
        for (size_t i = 0; i < r->seg_count && !borrowed[n]; i++) {
            if (r->segs[i].seg->id != state.segments[n].id) continue;
            segs[n] = r->segs[i];
            borrowed[n] = true;
        }
        if (borrowed[n]) continue;
        st = open_rseg(r, &state.segments[n], &segs[n], f);
        if (st != ST_OK) {
            rseg_free(&segs[n]);
            goto done;
        }
    }
    for (uint32_t i = 0; i < state.del_count; i++) {
        struct take take = {segs, n, r->as_of};

        ids[i] = state.dels[i].id;
        if (seen(r, ids[i])) continue;
        st = dels_read(r->io, r->dir, &state.dels[i], take_tomb, &take, f);
        if (st != ST_OK) goto done;
    }
    for (size_t i = 0; i < r->seg_count; i++) {
        bool stays = false;

        for (size_t k = 0; k < n; k++)
            stays |= segs[k].seg == r->segs[i].seg;
        if (!stays) rseg_free(&r->segs[i]);
    }
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
    r->applied = r->as_of == LSN_MAX ? m->applied_lsn : r->as_of;
    r->wall_us = m->wall_us;
    r->live = r->length_sum = r->bytes = 0;
    r->generation++;
    for (size_t i = 0; i < n; i++) {
        r->live += r->segs[i].seg->docs - r->segs[i].dead_count;
        r->length_sum += r->segs[i].seg->length_sum - r->segs[i].dead_length;
        r->bytes += r->segs[i].seg->size;
    }
    for (uint32_t i = 0; i < state.del_count; i++)
        r->bytes += state.dels[i].size;
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
    store_free(&state);
    return st;
}

/* The state to answer AS OF from: the oldest that has reached the LSN and has not purged past it.       */
static enum status find_state(struct invidx_reader *r, struct manifest *m, struct fault *f)
{
    struct manifest_entry *all = NULL;
    size_t n = 0;
    bool found = false;
    lsn_t newest = LSN_NONE;
    enum status st = manifest_list(r->io, r->dir, STORE_KIND, &all, &n, f);

    r->oldest = LSN_MAX;
    for (size_t i = 0; st == ST_OK && i < n; i++) {
        struct manifest got = {0};
        struct store_state state = {0};
        struct fault gone = {0};

        st = manifest_load(r->io, r->dir, STORE_KIND, all[i].seq, &got, &gone);
        if (st == ST_NOT_FOUND) { /* vacuumed meanwhile */
            st = ST_OK;
            continue;
        }
        if (st != ST_OK && f != NULL) *f = gone;
        if (st == ST_OK) st = store_decode(&got, r->dir, &state, f);
        if (st == ST_OK) {
            newest = all[i].applied_lsn;
            if (state.purged < r->oldest) r->oldest = state.purged;
            if (r->as_of != LSN_MAX && !found && state.purged <= r->as_of && r->as_of <= newest) {
                found = true;
                *m = got;
                got.payload = (struct buf){0};
            }
        }
        store_free(&state);
        buf_free(&got.payload);
    }
    free(all);
    if (st != ST_OK) return st;
    if (r->as_of == LSN_MAX) return manifest_load_newest(r->io, r->dir, STORE_KIND, m, f);
    if (found) return ST_OK;
    return fault_set(
        f, ST_NOT_FOUND, r->dir, FAULT_NO_OFFSET,
        "AS OF %llu is outside the readable range %llu..%llu", (unsigned long long)r->as_of,
        (unsigned long long)(r->oldest == LSN_MAX ? 0 : r->oldest), (unsigned long long)newest);
}

/* A writer's vacuum may take a file away between reading the manifest and opening it: look again.        */
static enum status load(struct invidx_reader *r, struct fault *f)
{
    enum status st = ST_OK;

    for (int attempt = 0; attempt < 10; attempt++) {
        struct manifest m = {0};
        struct fault here = {0};

        st = find_state(r, &m, &here);
        if (st != ST_OK) {
            if (f != NULL) *f = here;
            return st;
        }
        st = enter(r, &m, &here);
        buf_free(&m.payload);
        if (st != ST_NOT_FOUND) {
            if (st != ST_OK && f != NULL) *f = here;
            return st;
        }
        if (f != NULL && attempt == 9) *f = here;
    }
    return st;
}

enum status invidx_reader_open(struct io *io, const char *dir, lsn_t as_of,
                               struct invidx_reader **out, struct fault *f)
{
    struct invidx_reader *r = calloc(1, sizeof *r);
    enum status st;

    if (r == NULL)
        return fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory to open the index");
    r->io = io;
    r->as_of = as_of;
    if (strlen(dir) + 32 > sizeof r->dir) {
        st = fault_set(f, ST_LIMIT, dir, FAULT_NO_OFFSET, "the folder's name is too long");
        goto done;
    }
    strcpy(r->dir, dir);
    st = schema_load(io, dir, &r->box, f);
    if (st == ST_OK) st = analyzer_init(&r->analyzer, &r->box.view.analysis, f);
    if (st == ST_OK) st = load(r, f);
    if (st != ST_OK) goto done;
    *out = r;
    r = NULL;
done:
    invidx_reader_close(r);
    return st;
}

enum status invidx_reader_refresh(struct invidx_reader *r, bool *changed, struct fault *f)
{
    struct manifest m = {0};
    uint64_t before = r->seq;
    enum status st;

    if (changed != NULL) *changed = false;
    if (r->as_of != LSN_MAX) return ST_OK;
    for (int attempt = 0; attempt < 10; attempt++) {
        struct fault here = {0};

        st = manifest_load_newest(r->io, r->dir, STORE_KIND, &m, &here);
        if (st == ST_OK && m.seq != r->seq) st = enter(r, &m, &here);
        buf_free(&m.payload);
        if (st != ST_OK && f != NULL && (st != ST_NOT_FOUND || attempt == 9)) *f = here;
        if (st != ST_NOT_FOUND) break;
    }
    if (changed != NULL) *changed = r->seq != before;
    return st;
}

void invidx_reader_close(struct invidx_reader *r)
{
    if (r == NULL) return;
    for (size_t i = 0; i < r->seg_count; i++)
        rseg_free(&r->segs[i]);
    free(r->segs);
    free(r->dels_seen);
    analyzer_free(&r->analyzer);
    schema_box_free(&r->box);
    free(r);
}

void invidx_reader_info(const struct invidx_reader *r, struct invidx_info *out)
{
    const struct invidx_schema *s = &r->box.view;

    *out = (struct invidx_info){.applied_lsn = r->applied,
                                .oldest_lsn = r->oldest,
                                .wall_us = r->wall_us,
                                .manifest = r->seq,
                                .docs = r->live,
                                .length_sum = r->length_sum,
                                .bytes = r->bytes,
                                .segments = r->seg_count,
                                .field_count = s->field_count,
                                .attr_count = s->attr_count,
                                .k1 = s->k1,
                                .b = s->b};
    for (size_t i = 0; i < r->seg_count; i++)
        out->dead += r->segs[i].dead_count;
    for (size_t i = 0; i < s->field_count; i++) {
        out->fields[i] = s->fields[i].name;
        out->weights[i] = s->fields[i].weight;
    }
    for (size_t i = 0; i < s->attr_count; i++) {
        out->attrs[i] = s->attrs[i].name;
        out->attr_types[i] = s->attrs[i].type;
    }
}

lsn_t invidx_reader_applied(const struct invidx_reader *r)
{
    return r->applied;
}

enum status invidx_contains(struct invidx_reader *r, uint64_t key, bool *found, struct fault *f)
{
    (void)f;
    *found = false;
    for (size_t i = 0; i < r->seg_count; i++) {
        const struct rseg *s = &r->segs[i];

        for (uint32_t d = segment_seek_key(s->seg, key);
             d < s->seg->docs && segment_key(s->seg, d) == key; d++)
            *found |= !rseg_dead(s, d);
    }
    return ST_OK;
}

int invidx_field_id(const struct invidx_reader *r, const char *name)
{
    for (size_t i = 0; i < r->box.view.field_count; i++)
        if (strcmp(r->box.view.fields[i].name, name) == 0) return (int)i;
    return -1;
}

int invidx_attr_id(const struct invidx_reader *r, const char *name)
{
    for (size_t i = 0; i < r->box.view.attr_count; i++)
        if (strcmp(r->box.view.attrs[i].name, name) == 0) return (int)i;
    return -1;
}

/* ---- live document frequencies ---- */
static struct dead_memo *memo_slot(struct rseg *s, uint32_t ord)
{
    size_t i;

    if (s->memo_used * 2 >= s->memo_size) {
        size_t size = s->memo_size == 0 ? 256 : 2 * s->memo_size;
        struct dead_memo *old = s->memo, *fresh = calloc(size, sizeof *fresh);
        size_t old_size = s->memo_size;

        if (fresh == NULL) return NULL;
        s->memo = fresh;
        s->memo_size = size;
        for (size_t k = 0; k < old_size; k++)
            if (old[k].ord != 0) {
                for (i = hash64_u64(old[k].ord) & (size - 1); fresh[i].ord != 0;)
                    i = (i + 1) & (size - 1);
                fresh[i] = old[k];
            }
        free(old);
    }
    for (i = hash64_u64(ord + 1) & (s->memo_size - 1);
         s->memo[i].ord != 0 && s->memo[i].ord != ord + 1;)
        i = (i + 1) & (s->memo_size - 1);
    return &s->memo[i];
}

static enum status count_dead(struct rseg *s, const struct term *t, struct postings *p,
                              uint32_t *out, struct fault *f)
{
    static const uint32_t ones[INVIDX_FIELDS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1};
    enum status st = postings_open(p, s->seg, t, ones, f);
    uint32_t from = 0;

    *out = 0;
    for (uint32_t b = 0; st == ST_OK && b < p->blocks; b++) {
        if (p->last != NULL) { /* a block without a dead document in its range needs no decoding */
            uint32_t last = postings_last(p, b);
            bool none =
                last < from || last >= s->seg->docs || bitset_next(s->dead, last + 1, from) > last;

            from = last + 1;
            if (none) continue;
        }
        st = postings_load(p, b, f);
        for (uint32_t i = 0; st == ST_OK && i < p->n; i++)
            *out += bitset_get(s->dead, p->docs[i]);
    }
    return st;
}

enum status rseg_live_df(struct rseg *s, const struct term *t, struct postings *scratch,
                         uint32_t *out, struct fault *f)
{
    struct dead_memo *m;
    uint32_t dead;
    enum status st;

    *out = t->df;
    if (s->dead_count == 0) return ST_OK;
    m = memo_slot(s, t->ord);
    if (m == NULL)
        return fault_set(f, ST_NOMEM, s->seg->path, FAULT_NO_OFFSET, "no memory for frequencies");
    if (m->ord == 0) {
        st = count_dead(s, t, scratch, &dead, f);
        if (st != ST_OK) return st;
        *m = (struct dead_memo){t->ord + 1, dead};
        s->memo_used++;
    }
    *out -= m->dead;
    return ST_OK;
}

enum status invidx_digest(struct invidx_reader *r, struct digest *out, struct fault *f)
{
    enum status st = ST_OK;

    memset(out, 0, sizeof *out);
    for (size_t i = 0; st == ST_OK && i < r->seg_count; i++) {
        struct digest one;

        st = segment_digest(r->segs[i].seg, r->segs[i].dead, &one, f);
        if (st == ST_OK) digest_merge(out, &one);
    }
    return st;
}
