/* verify - is everything in its place?
 *
 *   on disk   the newest checkpoint: every page of every tree (btree_check.c), blobs, kept checkpoints; the
 *             space map has exactly these, plus the dead ones; what is used twice or not at all is told
 *   as read   that state with the log replayed: rows decode, have the key they are under, every index
 *             has an entry for each row and no more */
#include "oltp/db.h"

#include <stdlib.h>

struct oltp_verifying {
    struct oltp *db;
    struct oltp_check *out;
    struct seam_buf *report;
    uint64_t *seen;
    struct oltp_txn *t;
    const struct oltp_table *tb;
    struct seam_value *values;
    struct seam_buf key, entry;
};

static void say(struct oltp_verifying *v, const char *what, const char *about)
{
    v->out->problems++;
    if (v->report != NULL) seam_buf_printf(v->report, "%s: %s%s\n", v->db->pager.path, about, what);
}

static enum seam_status check_trees(struct oltp_verifying *v, const struct oltp_version *of,
                                    uint64_t *seen, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (uint32_t i = 0; st == SEAM_OK && i < of->catalog->table_count; i++) {
        const struct oltp_table *tb = of->catalog->tables[i];

        for (unsigned ix = 0; st == SEAM_OK && tb != NULL && ix <= tb->schema.index_count; ix++) {
            uint32_t slot = ix == 0 ? tb->primary : tb->index[ix - 1];
            uint32_t number = tree_number(i + 1, ix == 0 ? 0 : tb->schema.indexes[ix - 1].id);
            struct oltp_tree_walk walk = {.seen = seen, .report = v->report};

            st = oltp_tree_check(&v->db->pager, &of->trees[slot], number, atomic_load(&of->epoch),
                                 &walk, f);
            v->out->problems += walk.problems;
            v->out->pages += walk.leaves + walk.inners + walk.overflow;
            v->out->trees++;
        }
    }
    return st;
}

static void mark(struct oltp_verifying *v, uint32_t page, const char *what)
{
    uint64_t bit = 1ull << (page % 64);

    if (v->seen[page / 64] & bit) say(v, " is used twice", what);
    v->seen[page / 64] |= bit;
}

/* The space map against what was met: nothing used that is free, nothing lost. */
static enum seam_status check_space(struct oltp_verifying *v, const struct oltp_checkpoint *c,
                                    struct seam_fault *f)
{
    struct oltp *db = v->db;
    struct oltp_space *s = &db->pager.space;
    struct seam_buf blob = {0};
    uint32_t *pages = NULL, pages_of_file = atomic_load(&db->pager.pages);
    size_t n = 0;
    uint64_t lost = 0, stray = 0;
    enum seam_status st = c->catalog.page != 0
                              ? oltp_blob_read(&db->pager, c->catalog, &blob, &pages, &n, f)
                              : SEAM_OK;

    for (size_t i = 0; i < n; i++) mark(v, pages[i], "a catalogue page");
    for (size_t i = 0; i < db->blob_count; i++) mark(v, db->blob_pages[i], "a space map page");
    for (size_t i = 0; i < s->dead_count; i++) mark(v, s->dead[i].page, "a dead page");
    v->seen[0] |= 3;
    for (uint32_t i = 0; i < pages_of_file; i++) {
        bool used = s->used[i / 64] >> (i % 64) & 1, met = v->seen[i / 64] >> (i % 64) & 1;

        stray += met && !used;
        lost += used && !met;
    }
    if (c->space.page != 0 && stray > 0) say(v, "pages in use are free in the space map", "");
    if (c->space.page != 0 && lost > 0) say(v, "pages are neither used nor free", "");
    seam_buf_free(&blob);
    free(pages);
    return st;
}

static enum seam_status check_meta_rest(struct oltp_verifying *v, struct seam_fault *f)
{
    uint8_t page[OLTP_PAGE_SIZE];

    for (unsigned slot = 0; slot < 2; slot++) {
        enum seam_status st = seam_file_read(v->db->pager.file, (uint64_t)slot * OLTP_PAGE_SIZE,
                                             page, sizeof page, f);
        bool zeros = true;

        if (st != SEAM_OK) return st;
        for (size_t i = META_SIZE; i < sizeof page; i++) zeros &= page[i] == 0;
        if (!zeros)
            say(v, " is not zero after its fields", slot == 0 ? "meta page 0" : "meta page 1");
        if (v->db->meta_damaged[slot])
            say(v, " is damaged", slot == 0 ? "meta page 0" : "meta page 1");
    }
    return SEAM_OK;
}

static enum seam_status check_row(void *ctx, struct wal_bytes key, struct wal_bytes row)
{
    struct oltp_verifying *v = ctx;
    const struct seam_schema *s = &v->tb->schema;
    struct seam_fault f = {0};
    enum seam_status st = seam_row_decode(s, row.data, row.size, v->values, &f);

    v->out->rows++;
    seam_buf_clear(&v->key);
    if (st == SEAM_OK) st = seam_row_key(s, v->values, &v->key, &f);
    if (st == SEAM_NOMEM) return st;
    if (st != SEAM_OK || seam_key_compare(v->key.data, v->key.size, key.data, key.size) != 0) {
        say(v, ": a row that does not decode, or is under another's key", s->name);
        return SEAM_OK;
    }
    for (unsigned ix = 0; ix < s->index_count; ix++) {
        size_t prefix;
        bool has_null;
        struct wal_bytes none;

        st = oltp_index_entry_key(v->tb, ix, v->values, key, &v->entry, &prefix, &has_null, &f);
        if (st == SEAM_OK)
            st = oltp_tree_get(&v->db->pager, &v->t->trees[v->tb->index[ix]], v->entry.data,
                               v->entry.size, v->t->hazard, &v->t->big, &none, &f);
        if (st == SEAM_NOMEM) return st;
        if (st != SEAM_OK) say(v, ": a row without its index entry", s->name);
    }
    return SEAM_OK;
}

static enum seam_status check_tables(struct oltp_verifying *v, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (uint32_t i = 0; st == SEAM_OK && i < v->t->catalog->table_count; i++) {
        const struct oltp_table *tb = v->t->catalog->tables[i];
        struct oltp_tree_walk walk = {.report = v->report, .entry = check_row, .ctx = v};

        if (tb == NULL) continue;
        v->tb = tb;
        st = oltp_tree_check(&v->db->pager, &v->t->trees[tb->primary], tree_number(i + 1, 0),
                             atomic_load(&v->t->version->epoch), &walk, f);
        v->out->problems += walk.problems;
        for (unsigned ix = 0; ix < tb->schema.index_count; ix++) {
            v->out->index_entries += v->t->trees[tb->index[ix]].count;
            if (v->t->trees[tb->index[ix]].count != v->t->trees[tb->primary].count)
                say(v, ": an index with more or fewer entries than its table has rows",
                    tb->schema.name);
        }
        if (v->db->o.progress.step != NULL)
            v->db->o.progress.step(v->db->o.progress.ctx, tb->schema.name, i + 1,
                                   v->t->catalog->table_count);
    }
    return st;
}

enum seam_status oltp_verify(struct seam_io *io, const char *dir, const char *wal_dir,
                             struct oltp_check *out, struct seam_buf *report,
                             struct oltp_progress progress, struct seam_fault *f)
{
    struct oltp_options o = {
        .read_only = true, .wal_dir = wal_dir, .progress = progress, .holder = "verify"};
    struct oltp_verifying v = {.out = out, .report = report};
    struct oltp_checkpoint base;
    enum seam_status st;

    memset(out, 0, sizeof *out);
    st = oltp_reader_open(io, dir, &o, true, &v.db, f);
    if (st != SEAM_OK) return st;
    base = v.db->newest;
    v.seen = calloc(((size_t)atomic_load(&v.db->pager.pages) + 63) / 64, sizeof *v.seen);
    v.values = malloc(SEAM_COLUMNS_MAX * sizeof *v.values);
    if (v.seen == NULL || v.values == NULL)
        st = seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory to verify");
    if (st == SEAM_OK) st = check_meta_rest(&v, f);
    if (st == SEAM_OK) st = check_trees(&v, atomic_load(&v.db->current), v.seen, f);
    if (st == SEAM_OK) st = oltp_space_load(v.db, &base, f);
    if (st == SEAM_OK) st = check_space(&v, &base, f);
    if (st == SEAM_OK) st = oltp_replay_readable(v.db, SEAM_LSN_MAX, f);
    if (st == SEAM_OK) st = oltp_read_begin(v.db, &v.t, f);
    if (st == SEAM_OK) {
        st = check_tables(&v, f);
        out->lsn = oltp_txn_lsn(v.t);
        oltp_end(v.t);
    }
    free(v.seen);
    free(v.values);
    seam_buf_free(&v.key);
    seam_buf_free(&v.entry);
    (void)oltp_close(v.db, NULL);
    if (st == SEAM_OK && out->problems > 0)
        return seam_fault_set(f, SEAM_CORRUPT, dir, SEAM_FAULT_NO_OFFSET, "%llu problems found",
                              (unsigned long long)out->problems);
    return st;
}

enum seam_status oltp_tree_stats(struct oltp_txn *t, uint32_t table, uint32_t index,
                                 struct oltp_tree_stats *out, struct seam_fault *f)
{
    const struct oltp_table *tb = table_of(t, table);
    uint32_t slot;
    struct oltp_tree_walk walk = {0};
    enum seam_status st;

    if (tb == NULL) return oltp_table_unknown(table, f);
    slot = tb->primary;
    for (unsigned i = 0; index != 0 && i < tb->schema.index_count; i++)
        if (tb->schema.indexes[i].id == index) slot = tb->index[i];
    st = oltp_tree_check(&t->db->pager, &t->trees[slot], tree_number(table, index), UINT64_MAX,
                         &walk, f);
    *out = (struct oltp_tree_stats){.entries = walk.entries,
                                    .leaves = walk.leaves,
                                    .inners = walk.inners,
                                    .overflow_pages = walk.overflow,
                                    .depth = t->trees[slot].depth,
                                    .bytes_used = walk.bytes_used};
    out->fill = walk.leaves > 0 ? (double)walk.bytes_used / ((double)walk.leaves * PAGE_BODY) : 0;
    return st;
}
