/* reconcile_kept - digests of what was found equal, brought on by what changed since. */
#include "pipeline/trust/reconcile_kept.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/crc32c.h"
#include "engine/io/filehead.h"
#include "engine/values/row.h"
#include "wal/wal.h"

enum { KEPT_AT_CRC = SEAM_FILEHEAD_BYTES, KEPT_BODY = KEPT_AT_CRC + 4, KEPT_MAX = 4 << 20 };

/* Of another version: worth nothing, like anything else in doubt; the next full comparison writes it anew. */
static const struct seam_filehead_format format = {
    .magic = "SEAMKEPT", .version = 2, .name = "kept digests"};

static enum seam_status kept_path(const struct platform *p, const char *store,
                                  char out[SEAM_PATH_MAX_BYTES], struct seam_fault *f)
{
    char name[SEAM_NAME_MAX_BYTES + 16];

    if (snprintf(name, sizeof name, "reconcile/%s.kept", store) >= (int)sizeof name)
        return seam_fault_set(f, SEAM_LIMIT, store, SEAM_FAULT_NO_OFFSET, "the name is too long");
    return platform_path(p, name, out, f);
}

static enum seam_status doubt(struct seam_fault *f, const char *why)
{
    return seam_fault_set(f, SEAM_NOT_FOUND, "kept digests", SEAM_FAULT_NO_OFFSET, "%s", why);
}

void reconcile_kept_free(struct reconcile_kept *k)
{
    for (size_t i = 0; i < k->count; i++) seam_schema_free(&k->tables[i].schema);
    *k = (struct reconcile_kept){0};
}

enum seam_status reconcile_kept_add(struct reconcile_kept *k, const struct seam_schema *schema,
                                    const struct seam_digest *source,
                                    const struct seam_digest *store, struct seam_fault *f)
{
    struct reconcile_kept_table *t = &k->tables[k->count];

    if (k->count == KEPT_TABLES_MAX)
        return seam_fault_set(f, SEAM_LIMIT, schema->name, SEAM_FAULT_NO_OFFSET,
                              "digests of at most %d tables are kept", KEPT_TABLES_MAX);
    *t = (struct reconcile_kept_table){.source = *source, .store = *store};
    if (seam_schema_clone(schema, &t->schema) != SEAM_OK)
        return seam_fault_set(f, SEAM_NOMEM, schema->name, SEAM_FAULT_NO_OFFSET, "no memory");
    k->count++;
    return SEAM_OK;
}

/* ---- the file ---- */
static void put_digest(struct seam_buf *b, const struct seam_digest *d)
{
    seam_buf_u64(b, d->count);
    seam_buf_u64(b, d->lo);
    seam_buf_u64(b, d->hi);
}

static struct seam_digest read_digest(struct seam_reader *r)
{
    struct seam_digest d;

    d.count = seam_read_u64(r);
    d.lo = seam_read_u64(r);
    d.hi = seam_read_u64(r);
    return d;
}

enum seam_status reconcile_kept_save(const struct platform *p, const char *store,
                                     const struct reconcile_kept *k, struct seam_fault *f)
{
    struct seam_filehead h = {.file_id = p->log_id, .lsn = k->lsn};
    uint8_t head[SEAM_FILEHEAD_BYTES];
    struct seam_buf b = {0}, json = {0};
    char dir[SEAM_PATH_MAX_BYTES], path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_path(p, "reconcile", dir, f);

    if (st == SEAM_OK) st = kept_path(p, store, path, f);
    if (st == SEAM_OK) st = seam_io_mkdir(p->io, dir, f);
    memcpy(h.owner.platform, p->owner, sizeof h.owner.platform);
    seam_filehead_encode(&format, &h, head);
    seam_buf_append(&b, head, sizeof head);
    seam_buf_u32(&b, 0);
    seam_buf_u64(&b, k->publication);
    seam_buf_u64(&b, (uint64_t)k->full_us);
    seam_buf_varint(&b, k->count);
    for (size_t i = 0; i < k->count; i++) {
        seam_buf_clear(&json);
        seam_schema_to_json(&k->tables[i].schema, &json);
        seam_buf_varint(&b, k->tables[i].schema.id);
        seam_buf_lenstr(&b, json.data, json.size);
        put_digest(&b, &k->tables[i].source);
        put_digest(&b, &k->tables[i].store);
    }
    if (st == SEAM_OK && (!seam_buf_ok(&b) || !seam_buf_ok(&json)))
        st = seam_fault_set(f, SEAM_NOMEM, path, SEAM_FAULT_NO_OFFSET, "no memory");
    if (st == SEAM_OK) {
        seam_put_u32(b.data + KEPT_AT_CRC, seam_crc32c(0, b.data + KEPT_BODY, b.size - KEPT_BODY));
        st = seam_io_write_atomic(p->io, path, b.data, b.size, f);
    }
    seam_buf_free(&b);
    seam_buf_free(&json);
    return st;
}

static enum seam_status read_table(struct seam_reader *r, struct reconcile_kept *k,
                                   struct seam_fault *f)
{
    struct reconcile_kept_table *t = &k->tables[k->count];
    uint64_t id = seam_read_varint(r);
    size_t n;
    const uint8_t *json = seam_read_lenstr(r, KEPT_MAX, &n);
    enum seam_status st;

    if (r->bad || id > UINT32_MAX) return SEAM_CORRUPT;
    *t = (struct reconcile_kept_table){0};
    st = seam_schema_parse((const char *)json, n, &t->schema, f);
    if (st != SEAM_OK) return st;
    t->schema.id = (uint32_t)id;
    k->count++; /* its schema is reconcile_kept_free's from here on */
    t->source = read_digest(r);
    t->store = read_digest(r);
    return r->bad ? SEAM_CORRUPT : SEAM_OK;
}

static enum seam_status decode(const struct platform *p, const struct seam_buf *b,
                               struct reconcile_kept *k, struct seam_fault *f)
{
    const struct seam_filehead_want want = {.platform = p->owner, .file_id = &p->log_id};
    struct seam_filehead h;
    struct seam_reader r;
    uint64_t tables;
    enum seam_status st = seam_filehead_decode(&format, b->data, b->size, "kept digests", 0, &h, f);

    if (st == SEAM_OK) st = seam_filehead_check(&format, &h, &want, "kept digests", f);
    if (st != SEAM_OK) return st;
    if (b->size < KEPT_BODY || seam_get_u32(b->data + KEPT_AT_CRC) !=
                                   seam_crc32c(0, b->data + KEPT_BODY, b->size - KEPT_BODY))
        return SEAM_CORRUPT;
    r = seam_reader_of(b->data + KEPT_BODY, b->size - KEPT_BODY);
    k->lsn = h.lsn;
    k->publication = seam_read_u64(&r);
    k->full_us = (int64_t)seam_read_u64(&r);
    tables = seam_read_varint(&r);
    if (r.bad || tables > KEPT_TABLES_MAX) return SEAM_CORRUPT;
    for (uint64_t i = 0; st == SEAM_OK && i < tables; i++) st = read_table(&r, k, f);
    return st == SEAM_OK && seam_reader_left(&r) != 0 ? SEAM_CORRUPT : st;
}

enum seam_status reconcile_kept_load(const struct platform *p, const char *store,
                                     struct reconcile_kept *out, struct seam_fault *f)
{
    struct seam_buf b = {0};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = kept_path(p, store, path, f);

    *out = (struct reconcile_kept){0};
    if (st == SEAM_OK) st = seam_io_read_all(p->io, path, KEPT_MAX, &b, NULL);
    if (st == SEAM_OK) st = decode(p, &b, out, NULL);
    seam_buf_free(&b);
    if (st == SEAM_OK || st == SEAM_NOMEM || st == SEAM_IO) return st;
    reconcile_kept_free(out);
    return doubt(f, st == SEAM_NOT_FOUND ? "nothing is kept yet"
                                         : "what is kept is damaged or another's");
}

enum seam_status reconcile_kept_drop(const struct platform *p, const char *store,
                                     struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = kept_path(p, store, path, f);

    return st == SEAM_OK && seam_io_exists(p->io, path) ? seam_io_unlink(p->io, path, f) : st;
}

/* ---- the source: commits of the log ---- */
static struct reconcile_kept_table *table_of(struct reconcile_kept *k, uint32_t id)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->tables[i].schema.id == id) return &k->tables[i];
    return NULL;
}

static enum seam_status row_image(const struct reconcile_kept_table *t, struct wal_bytes row,
                                  struct seam_hash128 *out, struct seam_fault *f)
{
    struct seam_value values[SEAM_COLUMNS_MAX];
    enum seam_status st = seam_row_decode(&t->schema, row.data, row.size, values, f);

    if (st == SEAM_OK) *out = seam_row_hash(&t->schema, values);
    return st;
}

/* What a transaction does to the digests is put together apart (counts and sums wrap), and counts when its COMMIT is
 * there. */
struct pending {
    struct seam_digest net[KEPT_TABLES_MAX];
    uint64_t changes;
};

static enum seam_status note_row(struct reconcile_kept *k, struct pending *now,
                                 const struct wal_record *rec, struct seam_fault *f)
{
    struct wal_change_row c;
    struct reconcile_kept_table *t;
    struct seam_hash128 h;
    enum seam_status st = wal_change_get_row(rec->data, rec->size, &c, f);

    if (st != SEAM_OK) return st;
    t = table_of(k, c.table);
    if (t == NULL) return SEAM_OK; /* not in silver */
    now->changes++;
    if (c.before.data == NULL && c.op == WAL_OP_UPDATE)
        return doubt(f, "an update without its row before");
    if (c.before.data != NULL) {
        st = row_image(t, c.before, &h, f);
        if (st == SEAM_OK) seam_digest_remove(&now->net[t - k->tables], h);
    }
    if (st == SEAM_OK && c.after.data != NULL) {
        st = row_image(t, c.after, &h, f);
        if (st == SEAM_OK) seam_digest_add(&now->net[t - k->tables], h);
    }
    return st;
}

static void take_in(struct reconcile_kept *k, const struct pending *now)
{
    for (size_t i = 0; i < k->count; i++) seam_digest_merge(&k->tables[i].source, &now->net[i]);
    k->changes += now->changes;
}

static enum seam_status take_record(struct reconcile_kept *k, struct pending *now, bool *open,
                                    seam_lsn_t to, const struct wal_record *rec,
                                    struct seam_fault *f)
{
    switch (rec->type) {
    case WAL_CHANGE_SCHEMA: return doubt(f, "a table's shape changed since");
    case WAL_CHANGE_BEGIN:
        *now = (struct pending){.changes = 0};
        *open = true;
        return SEAM_OK;
    case WAL_CHANGE_ABORT: *open = false; return SEAM_OK;
    case WAL_CHANGE_ROW:
        return *open ? note_row(k, now, rec, f) : doubt(f, "the log begins inside a transaction");
    case WAL_CHANGE_COMMIT:
        if (*open && rec->end <= to) take_in(k, now);
        *open = false;
        return SEAM_OK;
    default: return SEAM_OK;
    }
}

/* Following more changes than there are rows would cost more than reading the rows. */
static uint64_t most_changes(const struct reconcile_kept *k)
{
    uint64_t rows = 0;

    for (size_t i = 0; i < k->count; i++) rows += k->tables[i].source.count;
    return rows;
}

static enum seam_status advance_source(const struct platform *p, struct reconcile_kept *k,
                                       seam_lsn_t to, struct seam_fault *f)
{
    const uint64_t most = most_changes(k);
    struct wal_reader *r = NULL;
    struct wal_record rec;
    struct pending now;
    char dir[SEAM_PATH_MAX_BYTES];
    bool open = false;
    enum seam_status st = platform_path(p, "wal", dir, f);

    if (st == SEAM_OK && wal_reader_open(p->io, dir, k->lsn, 0, &r, NULL) != SEAM_OK)
        return doubt(f, "the log does not reach back to it");
    while (st == SEAM_OK && wal_reader_position(r) < to &&
           (st = wal_reader_next(r, &rec, f)) == SEAM_OK) {
        st = take_record(k, &now, &open, to, &rec, f);
        if (st == SEAM_OK && k->changes > most) st = doubt(f, "more has changed than is there");
    }
    if (st == SEAM_END && wal_reader_position(r) < to) st = doubt(f, "the log ends before silver");
    wal_reader_close(r);
    return st == SEAM_END ? SEAM_OK : st;
}

/* ---- silver: versions in its files ---- */
struct versions {
    struct reconcile_kept *k;
    struct reconcile_kept_table *t;
    seam_lsn_t from, to;
};

static enum seam_status note_version(void *ctx, const struct seam_value *values, seam_lsn_t begin,
                                     seam_lsn_t end)
{
    struct versions *v = ctx;
    struct seam_hash128 h = seam_row_hash(&v->t->schema, values);

    v->k->changes++;
    if (begin <= v->from && end > v->from && end <= v->to) seam_digest_remove(&v->t->store, h);
    if (begin > v->from && begin <= v->to && end > v->to) seam_digest_add(&v->t->store, h);
    return SEAM_OK;
}

static enum seam_status advance_silver(struct reconcile_kept *k,
                                       const struct columnar_reader *silver, seam_lsn_t to,
                                       struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < k->count; i++) {
        struct versions v = {k, &k->tables[i], k->lsn, to};
        struct columnar_table_info info;
        char name[SEAM_NAME_MAX_BYTES + 8];
        int table;

        snprintf(name, sizeof name, "silver_%s", k->tables[i].schema.name);
        table = columnar_table(silver, name);
        if (table < 0) return doubt(f, "silver has no such table any more");
        st = columnar_scan_changes(silver, table, k->lsn, to, note_version, &v, f);
        columnar_table_info(silver, table, &info);
        if (st == SEAM_OK && info.rows != v.t->store.count)
            st = doubt(f, "silver counts other rows than its changes make");
    }
    return st;
}

uint64_t reconcile_kept_publication(const struct columnar_reader *silver, seam_lsn_t lsn)
{
    const struct columnar_snapshot *s;
    size_t n = columnar_snapshots(silver, &s);

    while (n > 0 && s[n - 1].lsn > lsn) n--;
    return n > 0 && s[n - 1].lsn == lsn ? s[n - 1].id : 0;
}

enum seam_status reconcile_kept_advance(const struct platform *p, struct reconcile_kept *k,
                                        const struct columnar_reader *silver, struct seam_fault *f)
{
    seam_lsn_t to = columnar_applied(silver);
    enum seam_status st;

    if (k->publication == 0 || reconcile_kept_publication(silver, k->lsn) != k->publication)
        return doubt(f, "silver was made again since");
    if (to < k->lsn) return doubt(f, "silver stands before it");
    st = advance_source(p, k, to, f);
    if (st == SEAM_OK) st = advance_silver(k, silver, to, f);
    if (st != SEAM_OK) return st;
    k->lsn = to;
    k->publication = reconcile_kept_publication(silver, to);
    return SEAM_OK;
}
