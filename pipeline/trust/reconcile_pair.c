/* reconcile_pair - two sides, leaf digests, a tree over them, and the rows of the leaves that differ. */
#include <stdlib.h>
#include <string.h>

#include "engine/values/key.h"
#include "engine/values/row.h"
#include "pipeline/stream/stream.h"
#include "pipeline/trust/reconcile_side.h"

/* ---- the source as a side ---- */

static void describe_source(const struct sink_side_row *row, struct seam_buf *out)
{
    struct sink_source_side *s = (struct sink_source_side *)(uintptr_t)row->ctx;

    seam_row_to_json(s->schema, row->data, out);
    if (s->describe_more == NULL || out->size == 0) return;
    out->size--; /* more members before the brace */
    s->describe_more(s, row->data, out);
    seam_buf_str(out, "}");
}

static enum seam_status scan_source(struct sink_side *side, const struct oltp_range *range,
                                    sink_side_fn fn, void *ctx, struct seam_fault *f)
{
    struct sink_source_side *s = (struct sink_source_side *)side;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_value values[SEAM_COLUMNS_MAX];
    enum seam_status st = oltp_cursor_open(s->txn, s->table, 0, range, 0, &c, f);

    while (st == SEAM_OK && (st = oltp_cursor_next(c, &row, f)) == SEAM_OK) {
        struct sink_side_row r = {
            .key = row.key, .describe = describe_source, .ctx = s, .data = values};

        st = seam_row_decode(s->schema, row.row.data, row.row.size, values, f);
        if (st != SEAM_OK) break;
        if (s->content != NULL)
            st = s->content(s, values, row.row, &r.hash, f);
        else
            r.hash = seam_row_hash(s->schema, values);
        if (st == SEAM_OK) st = fn(ctx, &r, f);
    }
    oltp_cursor_close(c);
    return st == SEAM_END ? SEAM_OK : st;
}

void reconcile_source_side_init(struct sink_source_side *s, struct oltp_txn *txn, uint32_t table)
{
    *s = (struct sink_source_side){.side = {.scan = scan_source},
                                   .txn = txn,
                                   .table = table,
                                   .schema = oltp_schema(txn, table)};
}

/* ---- leaves ---- */

/* Leaf i holds the keys from its first one up to the next leaf's; the first also holds all before it. */
struct reconcile_leaf {
    struct wal_bytes first;
    struct seam_digest source, store;
    bool differs;
};

struct image {
    struct wal_bytes key;
    struct seam_hash128 hash;
    seam_lsn_t lsn;
    const char *text;
    bool source;
};

struct compare {
    struct seam_arena *arena;
    struct reconcile_result *out;
    struct reconcile_leaf *leaves;
    size_t count, cap;
    uint64_t in_leaf, leaf_rows;
    struct seam_trace *trace;
    struct image *images; /* of the differing leaves */
    size_t n_images, images_cap;
    bool gathering_source;
};

static bool copy_bytes(struct seam_arena *a, struct wal_bytes in, struct wal_bytes *out)
{
    void *p = seam_arena_alloc(a, in.size + 1);

    if (p == NULL) return false;
    memcpy(p, in.data, in.size);
    *out = (struct wal_bytes){p, in.size};
    return true;
}

static enum seam_status no_memory(struct compare *c, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOMEM, c->out->table, SEAM_FAULT_NO_OFFSET,
                          "no memory to reconcile");
}

static enum seam_status add_source(void *ctx, const struct sink_side_row *row, struct seam_fault *f)
{
    struct compare *c = ctx;

    if (c->count == 0 || c->in_leaf == c->leaf_rows) {
        if (c->count == c->cap) {
            size_t cap = c->cap == 0 ? 64 : c->cap * 2;
            struct reconcile_leaf *more = realloc(c->leaves, cap * sizeof *more);

            if (more == NULL) return no_memory(c, f);
            c->leaves = more;
            c->cap = cap;
        }
        c->leaves[c->count] = (struct reconcile_leaf){0};
        if (!copy_bytes(c->arena, row->key, &c->leaves[c->count].first)) return no_memory(c, f);
        c->count++;
        c->in_leaf = 0;
    }
    seam_digest_add(&c->leaves[c->count - 1].source, row->hash);
    c->in_leaf++;
    c->out->cost.source_rows++;
    return SEAM_OK;
}

static size_t leaf_of(const struct compare *c, struct wal_bytes key)
{
    size_t lo = 0, hi = c->count;

    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;

        if (seam_key_compare(c->leaves[mid].first.data, c->leaves[mid].first.size, key.data,
                             key.size) <= 0)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static enum seam_status add_store(void *ctx, const struct sink_side_row *row, struct seam_fault *f)
{
    struct compare *c = ctx;

    (void)f;
    seam_digest_add(&c->leaves[leaf_of(c, row->key)].store, row->hash);
    c->out->cost.store_rows++;
    return SEAM_OK;
}

/* Compares the digests of leaves [from, from + size) as one, and descends while they differ.         */
static void descend(struct compare *c, unsigned level, size_t from, size_t size)
{
    struct seam_digest source = {0}, store = {0};
    size_t end = from + size < c->count ? from + size : c->count;

    for (size_t i = from; i < end; i++) {
        seam_digest_merge(&source, &c->leaves[i].source);
        seam_digest_merge(&store, &c->leaves[i].store);
    }
    c->out->cost.digests++;
    SEAM_TRACE(c->trace, "pipeline", "digest", SEAM_TS("table", c->out->table),
               SEAM_TI("level", level), SEAM_TI("from", from), SEAM_TI("leaves", end - from),
               SEAM_TI("differs", !seam_digest_equal(&source, &store)));
    if (seam_digest_equal(&source, &store)) return;
    if (size == 1) {
        c->leaves[from].differs = true;
        c->out->cost.differing_leaves++;
        return;
    }
    for (size_t i = from; i < end; i += size / RECONCILE_FANOUT)
        descend(c, level + 1, i, size / RECONCILE_FANOUT);
}

/* ---- rows of the leaves that differ ---- */

static enum seam_status gather(void *ctx, const struct sink_side_row *row, struct seam_fault *f)
{
    struct compare *c = ctx;
    struct seam_buf text = {0};
    struct image *im;

    if (!c->leaves[leaf_of(c, row->key)].differs) return SEAM_OK;
    if (c->n_images == c->images_cap) {
        size_t cap = c->images_cap == 0 ? 256 : c->images_cap * 2;
        struct image *more = realloc(c->images, cap * sizeof *more);

        if (more == NULL) return no_memory(c, f);
        c->images = more;
        c->images_cap = cap;
    }
    im = &c->images[c->n_images];
    *im = (struct image){.hash = row->hash, .lsn = row->lsn, .source = c->gathering_source};
    if (row->describe != NULL) row->describe(row, &text);
    if (!copy_bytes(c->arena, row->key, &im->key)) return no_memory(c, f);
    im->text = seam_arena_strdup(c->arena, (const char *)text.data, text.size);
    c->out->cost.bytes_exchanged += im->key.size + sizeof im->hash;
    seam_buf_free(&text);
    if (im->text == NULL) return no_memory(c, f);
    c->n_images++;
    c->out->cost.rows_compared++;
    return SEAM_OK;
}

static int by_key(const void *a, const void *b)
{
    const struct image *x = a, *y = b;
    int c = seam_key_compare(x->key.data, x->key.size, y->key.data, y->key.size);

    return c != 0 ? c : (int)y->source - (int)x->source; /* the source's first */
}

static enum seam_status gather_leaves(struct compare *c, struct sink_source_side *source,
                                      struct sink_side *store, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    c->gathering_source = true;
    for (size_t i = 0; st == SEAM_OK && i < c->count; i++) {
        struct oltp_range range = {
            .lower = i > 0 ? c->leaves[i].first : (struct wal_bytes){NULL, 0},
            .upper = i + 1 < c->count ? c->leaves[i + 1].first : (struct wal_bytes){NULL, 0}};

        if (c->leaves[i].differs) st = source->side.scan(&source->side, &range, gather, c, f);
    }
    c->gathering_source = false;
    for (size_t i = 0; st == SEAM_OK && i < c->count;) {
        size_t end = i;

        while (end < c->count && c->leaves[end].differs) end++;
        if (end > i) { /* one scan over a run of neighbours */
            struct oltp_range range = {
                .lower = i > 0 ? c->leaves[i].first : (struct wal_bytes){NULL, 0},
                .upper = end < c->count ? c->leaves[end].first : (struct wal_bytes){NULL, 0}};

            st = store->scan(store, &range, gather, c, f);
        }
        i = end + 1;
    }
    return st;
}

/* ---- verdicts ---- */

static const char *key_text(struct seam_arena *a, const struct seam_schema *s, struct wal_bytes key)
{
    const uint8_t *p = key.data;
    struct seam_buf out = {0}, text = {0};
    const char *words;

    for (uint16_t i = 0; i < s->key_count; i++) {
        const struct seam_column *c = &s->columns[s->key[i]];
        struct seam_value v;

        if (seam_key_read(&p, key.data + key.size, c->type, &v, &text) != SEAM_OK) break;
        v.scale = c->scale;
        if (i > 0) seam_buf_str(&out, " ");
        seam_value_format(&v, &out);
    }
    words = seam_arena_strdup(a, seam_buf_cstr(&out), out.size);
    seam_buf_free(&out);
    seam_buf_free(&text);
    return words;
}

static enum seam_status differ(struct compare *c, const struct seam_schema *s,
                               const struct image *source, const struct image *store,
                               enum reconcile_verdict verdict, struct seam_fault *f)
{
    struct reconcile_result *r = c->out;
    const struct image *any = source != NULL ? source : store;
    struct reconcile_difference *d;

    r->differences++;
    r->cost.bytes_exchanged +=
        (source != NULL ? strlen(source->text) : 0) + (store != NULL ? strlen(store->text) : 0);
    if (r->shown == RECONCILE_SHOWN_MAX) return SEAM_OK;
    if (r->list == NULL) {
        r->list = seam_arena_alloc(c->arena, RECONCILE_SHOWN_MAX * sizeof *r->list);
        if (r->list == NULL) return no_memory(c, f);
    }
    d = &r->list[r->shown++];
    *d = (struct reconcile_difference){.verdict = verdict,
                                       .key = any->key,
                                       .key_text = key_text(c->arena, s, any->key),
                                       .source = source != NULL ? source->text : NULL,
                                       .store = store != NULL ? store->text : NULL,
                                       .store_lsn = store != NULL ? store->lsn : SEAM_LSN_NONE};
    return d->key_text == NULL ? no_memory(c, f) : SEAM_OK;
}

static bool same_hash(struct seam_hash128 a, struct seam_hash128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

static enum seam_status side_by_side(struct compare *c, const struct seam_schema *s,
                                     struct sink_side *store, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    if (c->n_images > 1) qsort(c->images, c->n_images, sizeof *c->images, by_key);
    for (size_t i = 0; st == SEAM_OK && i < c->n_images;) {
        size_t end = i + 1;
        const struct image *first = &c->images[i], *source = first->source ? first : NULL,
                           *other = NULL;

        while (end < c->n_images &&
               seam_key_compare(first->key.data, first->key.size, c->images[end].key.data,
                                c->images[end].key.size) == 0)
            end++;
        for (size_t k = i; k < end; k++)
            if (!c->images[k].source) {
                if (other != NULL) st = differ(c, s, source, &c->images[k], VERDICT_DUPLICATED, f);
                other = &c->images[k];
            }
        if (st == SEAM_OK && source != NULL && other == NULL) {
            bool excused = false;

            if (store->excused != NULL) st = store->excused(store, source->key, &excused, f);
            if (st == SEAM_OK && !excused) st = differ(c, s, source, NULL, VERDICT_MISSING, f);
        } else if (st == SEAM_OK && source == NULL) {
            st = differ(c, s, NULL, other, VERDICT_EXTRA, f);
        } else if (st == SEAM_OK && !same_hash(source->hash, other->hash)) {
            st = differ(c, s, source, other, VERDICT_CORRUPT, f);
        }
        i = end;
    }
    return st;
}

/* ---- what the stream remembers of the differing keys ---- */

static int difference_by_key(const void *a, const void *b)
{
    const struct reconcile_difference *x = a, *y = b;

    return seam_key_compare(x->key.data, x->key.size, y->key.data, y->key.size);
}

/* A store's version that the source once had is stale, not corrupt; and the newest change of each key has an LSN. */
static enum seam_status remember(const struct platform *p, struct sink_source_side *source,
                                 struct reconcile_result *r, struct seam_fault *f)
{
    struct stream_reader *in = NULL;
    struct stream_event e;
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st;

    if (r->shown == 0) return SEAM_OK;
    st = platform_path(p, "stream", dir, f);
    if (st == SEAM_OK) st = stream_reader_open(p->io, dir, STREAM_FROM_START, 0, &in, f);
    while (st == SEAM_OK && (st = stream_reader_next(in, &e, f)) == SEAM_OK && e.lsn <= r->lsn) {
        struct reconcile_difference want, *d;

        if (e.kind != STREAM_ROW || e.row.table != source->schema->id) continue;
        want.key = e.row.key;
        d = bsearch(&want, r->list, r->shown, sizeof *r->list, difference_by_key);
        if (d == NULL) continue;
        d->source_lsn = e.lsn;
        if (d->verdict == VERDICT_CORRUPT && d->store_lsn == e.lsn && e.row.after.data != NULL) {
            struct seam_value values[SEAM_COLUMNS_MAX];
            struct seam_buf text = {0};

            if (seam_row_decode(source->schema, e.row.after.data, e.row.after.size, values, NULL) ==
                SEAM_OK)
                seam_row_to_json(source->schema, values, &text);
            if (d->store != NULL && text.size == strlen(d->store) &&
                memcmp(text.data, d->store, text.size) == 0)
                d->verdict = VERDICT_STALE;
            seam_buf_free(&text);
        }
    }
    stream_reader_close(in);
    /* Stores that keep only part of a row cannot be compared so; an older LSN says the same. */
    for (size_t i = 0; i < r->shown; i++)
        if (r->list[i].verdict == VERDICT_CORRUPT && source->content != NULL &&
            r->list[i].store_lsn != SEAM_LSN_NONE && r->list[i].store_lsn < r->list[i].source_lsn)
            r->list[i].verdict = VERDICT_STALE;
    return st == SEAM_END || st == SEAM_NOT_FOUND ? SEAM_OK : st;
}

enum seam_status reconcile_pair(const struct platform *p, const struct reconcile_options *o,
                                struct sink_source_side *source, struct sink_side *other,
                                struct seam_arena *a, struct reconcile_result *out,
                                struct seam_fault *f)
{
    struct compare c = {.arena = a,
                        .out = out,
                        .leaf_rows = o->leaf_rows > 0 ? o->leaf_rows : RECONCILE_LEAF_ROWS,
                        .trace = o->trace};
    uint64_t start = seam_clock_mono_ns(p->clock);
    size_t span = 1;
    enum seam_status st = source->side.scan(&source->side, NULL, add_source, &c, f);

    if (st == SEAM_OK && c.count == 0) { /* an empty source: one leaf for whatever the store has */
        c.leaves = calloc(1, sizeof *c.leaves);
        if (c.leaves == NULL) st = no_memory(&c, f);
        c.count = 1;
    }
    if (st == SEAM_OK) st = other->scan(other, NULL, add_store, &c, f);
    while (span < c.count) span *= RECONCILE_FANOUT;
    for (size_t i = 0; st == SEAM_OK && i < c.count; i++) {
        seam_digest_merge(&out->source_digest, &c.leaves[i].source);
        seam_digest_merge(&out->store_digest, &c.leaves[i].store);
    }
    if (st == SEAM_OK) descend(&c, 0, 0, span);
    out->cost.leaves = c.count;
    out->cost.bytes_exchanged = out->cost.digests * 2 * sizeof(struct seam_digest);
    if (st == SEAM_OK && out->cost.differing_leaves > 0) st = gather_leaves(&c, source, other, f);
    if (st == SEAM_OK) st = side_by_side(&c, source->schema, other, f);
    if (st == SEAM_OK) st = remember(p, source, out, f);
    out->cost.ns = seam_clock_mono_ns(p->clock) - start;
    free(c.leaves);
    free(c.images);
    return st;
}
