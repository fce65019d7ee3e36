/* reconcile - the stores as sides, one pair after another, and repair. */
#include "pipeline/trust/reconcile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/columnar.h"
#include "engine/values/key.h"
#include "engine/values/row.h"
#include "pipeline/sinks/keys.h"
#include "pipeline/sinks/own_rows.h"
#include "pipeline/sinks/vectors/vectors.h"
#include "pipeline/trust/reconcile_kept.h"
#include "pipeline/trust/reconcile_side.h"

enum { RESULTS_MAX = 256, REPAIR_BATCH = 1000, KEEP_ROWS = 100000, TABLES_MAX = KEPT_TABLES_MAX };

const char *reconcile_verdict_name(enum reconcile_verdict v)
{
    static const char *const names[] = {"missing", "extra", "stale", "corrupt", "duplicated"};

    return names[v];
}

/* ---- the source AS OF an LSN ---- */

struct reconcile_source {
    struct oltp *db;
    struct oltp_txn *txn;
};

static enum seam_status open_source(const struct platform *p, seam_lsn_t lsn,
                                    struct reconcile_source *s, struct seam_fault *f)
{
    /* Who has applied nothing yet is compared with what is there now. */
    seam_lsn_t moment = lsn != SEAM_LSN_NONE ? lsn : SEAM_LSN_MAX;
    enum seam_status st = platform_open_reader(p, moment, INT64_MIN, &s->db, f);

    return st == SEAM_OK ? oltp_read_begin(s->db, &s->txn, f) : st;
}

static void close_source(struct reconcile_source *s)
{
    oltp_end(s->txn);
    (void)oltp_close(s->db, NULL);
    *s = (struct reconcile_source){0};
}

struct reconcile_run {
    const struct platform *platform;
    const struct reconcile_options *options;
    struct reconcile_report *report;
};

/* One store, open at what it published. */
struct reconcile_store {
    const char *name;
    const struct sink_sides *sides;
    void *state;
    seam_lsn_t lsn;
    const struct columnar_reader *versions; /* NULL: no digests are kept of it */
    struct reconcile_kept *kept;            /* gathered by its full comparison; NULL: likewise */
};

static enum seam_status new_result(struct reconcile_run *r, const char *store, const char *table,
                                   seam_lsn_t lsn, struct reconcile_result **out,
                                   struct seam_fault *f)
{
    struct reconcile_report *rep = r->report;

    if (rep->results == NULL) {
        rep->results = seam_arena_zalloc(&rep->arena, RESULTS_MAX * sizeof *rep->results);
        if (rep->results == NULL)
            return seam_fault_set(f, SEAM_NOMEM, store, SEAM_FAULT_NO_OFFSET,
                                  "no memory for a report");
    }
    if (rep->count == RESULTS_MAX)
        return seam_fault_set(f, SEAM_LIMIT, store, SEAM_FAULT_NO_OFFSET, "more than %d tables",
                              RESULTS_MAX);
    *out = &rep->results[rep->count++];
    (*out)->store = store;
    (*out)->lsn = lsn;
    (*out)->table = seam_arena_strdup(&rep->arena, table, strlen(table));
    return (*out)->table != NULL ? SEAM_OK
                                 : seam_fault_set(f, SEAM_NOMEM, store, SEAM_FAULT_NO_OFFSET,
                                                  "no memory for a report");
}

/* One table of both. What the store does to be comparable (reading all its documents) is part of the cost. */
static enum seam_status compare_table(struct reconcile_run *r, struct reconcile_store *s,
                                      struct oltp_txn *txn, uint32_t table, struct seam_fault *f)
{
    struct seam_clock *clock = r->platform->clock;
    uint64_t start = seam_clock_mono_ns(clock), read_ns;
    struct sink_source_side source;
    struct sink_side *other = NULL;
    struct reconcile_result *out = NULL;
    enum seam_status st;

    reconcile_source_side_init(&source, txn, table);
    st = s->sides->table(s->state, &source, &other, f);
    if (st != SEAM_OK || other == NULL) return st;
    read_ns = seam_clock_mono_ns(clock) - start;
    st = new_result(r, s->name, source.schema->name, s->lsn, &out, f);
    if (st == SEAM_OK)
        st = reconcile_pair(r->platform, r->options, &source, other, &r->report->arena, out, f);
    if (st != SEAM_OK) return st;
    out->cost.ns += read_ns;
    r->report->differences += out->differences;
    return s->kept == NULL ? SEAM_OK
                           : reconcile_kept_add(s->kept, source.schema, &out->source_digest,
                                                &out->store_digest, f);
}

static enum seam_status compare_tables(struct reconcile_run *r, struct reconcile_store *s,
                                       struct oltp_txn *txn, struct seam_fault *f)
{
    uint32_t ids[TABLES_MAX];
    size_t n = 1;
    enum seam_status st = SEAM_OK;

    if (s->sides->only != NULL) {
        const char *only = s->sides->only(platform_sink_config(r->platform, s->name));

        st = oltp_table(txn, only, &ids[0], f);
    } else {
        n = oltp_tables(txn, ids, TABLES_MAX);
        if (n > TABLES_MAX)
            return seam_fault_set(f, SEAM_LIMIT, s->name, SEAM_FAULT_NO_OFFSET,
                                  "more than %d tables to compare", TABLES_MAX);
    }
    for (size_t i = 0; st == SEAM_OK && i < n; i++) st = compare_table(r, s, txn, ids[i], f);
    return st;
}

/* ---- from what is kept ---- */

static bool kept_is_equal(const struct reconcile_kept *k)
{
    for (size_t i = 0; i < k->count; i++)
        if (!seam_digest_equal(&k->tables[i].source, &k->tables[i].store)) return false;
    return true;
}

static enum seam_status report_kept(struct reconcile_run *r, const struct reconcile_store *s,
                                    seam_lsn_t since, uint64_t ns, struct seam_fault *f)
{
    const struct reconcile_kept *k = s->kept;
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < k->count; i++) {
        const struct reconcile_kept_table *t = &k->tables[i];
        struct reconcile_result *out = NULL;

        st = new_result(r, s->name, t->schema.name, k->lsn, &out, f);
        if (st != SEAM_OK) break;
        out->since = since;
        out->changes = k->changes;
        out->source_digest = t->source;
        out->store_digest = t->store;
        out->cost = (struct reconcile_cost){.source_rows = t->source.count,
                                            .store_rows = t->store.count,
                                            .digests = 1,
                                            .ns = i == 0 ? ns : 0}; /* one walk for all tables */
    }
    return st;
}

/* *done: the digests that are kept say that nothing differs. Anything else is for a full comparison to see. */
static enum seam_status try_kept(struct reconcile_run *r, struct reconcile_store *s, bool *done,
                                 struct seam_fault *f)
{
    const struct platform *p = r->platform;
    uint64_t start = seam_clock_mono_ns(p->clock);
    struct reconcile_kept *k = s->kept;
    struct seam_fault why = {0};
    seam_lsn_t since = SEAM_LSN_NONE;
    enum seam_status st = reconcile_kept_load(p, s->name, k, &why);
    int64_t age = seam_clock_wall_us(p->clock) - k->full_us;

    *done = false;
    if (st == SEAM_OK) since = k->lsn;
    if (st == SEAM_OK && (age < 0 || age > KEPT_FULL_US)) st = SEAM_NOT_FOUND;
    if (st == SEAM_OK) st = reconcile_kept_advance(p, k, s->versions, &why);
    if (since != SEAM_LSN_NONE)
        SEAM_TRACE(r->options->trace, "pipeline", "kept", SEAM_TI("since", since),
                   SEAM_TI("changes", k->changes), SEAM_TI("status", st),
                   SEAM_TS("doubt", why.why));
    if (st == SEAM_OK && kept_is_equal(k)) {
        *done = true;
        st = report_kept(r, s, since, seam_clock_mono_ns(p->clock) - start, f);
        if (st == SEAM_OK)
            (void)reconcile_kept_save(p, s->name, k,
                                      NULL); /* else what was kept before goes on being true */
        return st;
    }
    if (st != SEAM_OK && st != SEAM_NOT_FOUND && f != NULL) *f = why;
    reconcile_kept_free(k);
    return st == SEAM_NOT_FOUND ? SEAM_OK : st;
}

/* After a full comparison: what was equal and large is kept; anything else lets go of what was. */
static enum seam_status keep(struct reconcile_run *r, const struct reconcile_store *s,
                             struct seam_fault *f)
{
    uint64_t limit = r->options->keep_rows != 0 ? r->options->keep_rows : KEEP_ROWS, rows = 0;
    struct reconcile_kept *k = s->kept;

    for (size_t i = 0; i < k->count; i++) rows += k->tables[i].store.count;
    if (!kept_is_equal(k) || rows <= limit) return reconcile_kept_drop(r->platform, s->name, f);
    k->lsn = s->lsn;
    k->publication = reconcile_kept_publication(s->versions, s->lsn);
    k->full_us = seam_clock_wall_us(r->platform->clock);
    /* a disk that is full makes the next run slow, not this one fail */
    (void)reconcile_kept_save(r->platform, s->name, k, NULL);
    return SEAM_OK;
}

enum seam_status reconcile_forget(const struct platform *p, const char *store, struct seam_fault *f)
{
    return reconcile_kept_drop(p, store, f);
}

/* ---- all of them ---- */

static enum seam_status compare_store(struct reconcile_run *r, struct reconcile_store *s,
                                      struct seam_fault *f)
{
    struct reconcile_source src = {0};
    bool done = false;
    enum seam_status st = SEAM_OK;

    if (s->kept != NULL && !r->options->full) st = try_kept(r, s, &done, f);
    if (st != SEAM_OK || done) return st;
    st = open_source(r->platform, s->lsn, &src, f);
    if (st == SEAM_OK) st = compare_tables(r, s, src.txn, f);
    close_source(&src);
    return st == SEAM_OK && s->kept != NULL ? keep(r, s, f) : st;
}

static enum seam_status run_store(struct reconcile_run *r, const struct sink_ops *ops,
                                  struct seam_fault *f)
{
    struct reconcile_store s = {.name = ops->name, .sides = ops->sides};
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_sink_path(r->platform, ops->name, dir, f);

    if (st == SEAM_OK) st = s.sides->open(r->platform, dir, r->options->deep, &s.state, &s.lsn, f);
    if (st == SEAM_OK && s.sides->versions != NULL) {
        s.versions = s.sides->versions(s.state);
        s.kept = calloc(1, sizeof *s.kept);
        if (s.kept == NULL)
            st = seam_fault_set(f, SEAM_NOMEM, ops->name, SEAM_FAULT_NO_OFFSET,
                                "no memory to reconcile");
    }
    if (st == SEAM_OK) st = compare_store(r, &s, f);
    if (s.kept != NULL) reconcile_kept_free(s.kept);
    free(s.kept);
    s.sides->close(s.state);
    return st;
}

/* A store that could not be compared, or contradicts itself: one difference, with its reason. */
static enum seam_status note(struct reconcile_run *r, const char *store, const char *about,
                             const char *why, struct seam_fault *f)
{
    struct reconcile_result *out = NULL;
    enum seam_status st = new_result(r, store, about, SEAM_LSN_NONE, &out, f);

    if (st != SEAM_OK) return st;
    r->report->differences++;
    out->note = seam_arena_strdup(&r->report->arena, why, strlen(why));
    return out->note != NULL ? SEAM_OK
                             : seam_fault_set(f, SEAM_NOMEM, store, SEAM_FAULT_NO_OFFSET,
                                              "no memory for a report");
}

static enum seam_status note_doubt(struct reconcile_run *r, const struct sink_ops *ops,
                                   struct seam_fault *f)
{
    struct seam_buf why = {0};
    enum seam_status st = SEAM_OK;

    if (ops->sides->doubt != NULL && ops->sides->doubt(r->platform, &why))
        st = note(r, ops->name, "embedder", seam_buf_cstr(&why), f);
    seam_buf_free(&why);
    return st;
}

enum seam_status reconcile_run(const struct platform *p, const struct reconcile_options *o,
                               struct reconcile_report *out, struct seam_fault *f)
{
    struct reconcile_run r = {p, o, out};
    size_t n;
    const struct sink_ops *const *all = sink_list(&n);
    enum seam_status st = SEAM_OK;

    *out = (struct reconcile_report){0};
    for (size_t i = 0; st == SEAM_OK && i < n; i++) {
        struct seam_fault local = {0};

        if (all[i]->sides == NULL || platform_sink_config(p, all[i]->name) == NULL) continue;
        st = run_store(&r, all[i], &local);
        if (st == SEAM_OK)
            st = note_doubt(&r, all[i], f);
        else if (st == SEAM_NOT_FOUND) /* never fed, or asked for an LSN that is no longer kept */
            st = note(&r, all[i]->name, "*", local.why, f);
        else if (f != NULL)
            *f = local;
    }
    return st;
}

void reconcile_free(struct reconcile_report *r)
{
    seam_arena_free(&r->arena);
    *r = (struct reconcile_report){0};
}

/* ---- repair ---- */

enum seam_status reconcile_emit(struct oltp_txn *t, uint32_t table, struct wal_bytes key,
                                struct seam_fault *f)
{
    struct oltp_row row;
    struct seam_buf copy = {0};
    bool there;
    enum seam_status st = seam_fault_there(oltp_get_key(t, table, key, &row, f), &there, f);

    if (st == SEAM_OK && there) { /* what a write transaction shows lives until its next change */
        seam_buf_append(&copy, row.row.data, row.row.size);
        if (!seam_buf_ok(&copy)) return seam_no_memory(f, "a row to repair");
        st = oltp_apply(t, table, WAL_OP_UPDATE, WAL_CHANGE_REPAIR, key,
                        (struct wal_bytes){copy.data, copy.size}, f);
    } else if (st == SEAM_OK) { /* not found there either, and logged all the same */
        st = seam_fault_there(oltp_apply(t, table, WAL_OP_DELETE, WAL_CHANGE_REPAIR, key,
                                         (struct wal_bytes){NULL, 0}, f),
                              &there, f);
    }
    seam_buf_free(&copy);
    return st;
}

enum seam_status reconcile_repair(const struct platform *p, const struct reconcile_report *r,
                                  uint64_t *rows, seam_lsn_t *lsn, struct seam_fault *f)
{
    struct platform_source source = {0};
    struct oltp_txn *t = NULL;
    struct oltp_commit commit = {0};
    uint64_t pending = 0;
    enum seam_status st = platform_open_source(p, &source, f);

    *rows = 0;
    for (size_t i = 0; st == SEAM_OK && i < r->count; i++) {
        const struct reconcile_result *res = &r->results[i];
        uint32_t table;

        for (size_t k = 0; st == SEAM_OK && k < res->shown; k++) {
            if (t == NULL) st = oltp_write_begin(source.db, &t, f);
            if (st == SEAM_OK) st = oltp_table(t, res->table, &table, f);
            if (st == SEAM_OK) st = reconcile_emit(t, table, res->list[k].key, f);
            if (st != SEAM_OK) break;
            ++*rows;
            if (++pending < REPAIR_BATCH) continue;
            st = oltp_commit(t, OLTP_DURABLE, &commit, f);
            t = NULL;
            pending = 0;
        }
    }
    if (st == SEAM_OK && t != NULL) {
        st = oltp_commit(t, OLTP_DURABLE, &commit, f);
        t = NULL;
    }
    oltp_end(t);
    *lsn = commit.lsn;
    return platform_close_source(&source, st, f);
}
