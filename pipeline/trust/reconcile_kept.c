#include "pipeline/trust/reconcile_kept.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/crc32c.h"
#include "engine/values/row.h"
#include "wal/wal.h"

enum { KEPT_VERSION = 1, KEPT_HEAD = 16, KEPT_MAX = 4 << 20 };

static const char magic[8] = {'S', 'E', 'A', 'M', 'K', 'E', 'P', 'T'};

static enum status kept_path(const struct platform *p, char out[PATH_MAX_BYTES], struct fault *f)
{
    return platform_path(p, "reconcile/warehouse.kept", out, f);
}

static enum status doubt(struct fault *f, const char *why)
{
    return fault_set(f, ST_NOT_FOUND, "warehouse.kept", FAULT_NO_OFFSET, "%s", why);
}

void kept_free(struct kept *k)
{
    for (size_t i = 0; i < k->count; i++)
        schema_free(&k->tables[i].schema);
    *k = (struct kept){0};
}

enum status kept_add(struct kept *k, const struct schema *schema, const struct digest *source,
                     const struct digest *store, struct fault *f)
{
    struct kept_table *t = &k->tables[k->count];

    if (k->count == KEPT_TABLES_MAX)
        return fault_set(f, ST_LIMIT, schema->name, FAULT_NO_OFFSET,
                         "digests of at most %d tables are kept", KEPT_TABLES_MAX);
    *t = (struct kept_table){.source = *source, .store = *store};
    if (schema_clone(schema, &t->schema) != ST_OK)
        return fault_set(f, ST_NOMEM, schema->name, FAULT_NO_OFFSET, "no memory");
    k->count++;
    return ST_OK;
}

/* ---- the file ---- */
static void put_digest(struct buf *b, const struct digest *d)
{
    buf_u64(b, d->count);
    buf_u64(b, d->lo);
    buf_u64(b, d->hi);
}

static struct digest read_digest(struct reader *r)
{
    struct digest d;

    d.count = read_u64(r);
    d.lo = read_u64(r);
    d.hi = read_u64(r);
    return d;
}

enum status kept_save(const struct platform *p, const struct kept *k, struct fault *f)
{
    struct buf b = {0}, json = {0};
    char dir[PATH_MAX_BYTES], path[PATH_MAX_BYTES];
    enum status st = platform_path(p, "reconcile", dir, f);

    if (st == ST_OK) st = kept_path(p, path, f);
    if (st == ST_OK) st = io_mkdir(p->io, dir, f);
    buf_append(&b, magic, sizeof magic);
    buf_u32(&b, KEPT_VERSION);
    buf_u32(&b, 0);
    buf_u64(&b, p->log_id);
    buf_u64(&b, k->lsn);
    buf_u64(&b, k->publication);
    buf_u64(&b, (uint64_t)k->full_us);
    buf_varint(&b, k->count);
    for (size_t i = 0; i < k->count; i++) {
        buf_clear(&json);
        schema_to_json(&k->tables[i].schema, &json);
        buf_varint(&b, k->tables[i].schema.id);
        buf_lenstr(&b, json.data, json.size);
        put_digest(&b, &k->tables[i].source);
        put_digest(&b, &k->tables[i].store);
    }
    if (st == ST_OK && (!buf_ok(&b) || !buf_ok(&json)))
        st = fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory");
    if (st == ST_OK) {
        put_u32(b.data + 12, crc32c(0, b.data + KEPT_HEAD, b.size - KEPT_HEAD));
        st = io_write_atomic(p->io, path, b.data, b.size, f);
    }
    buf_free(&b);
    buf_free(&json);
    return st;
}

static enum status read_table(struct reader *r, struct kept *k, struct fault *f)
{
    struct kept_table *t = &k->tables[k->count];
    uint64_t id = read_varint(r);
    size_t n;
    const uint8_t *json = read_lenstr(r, KEPT_MAX, &n);
    enum status st;

    if (r->bad || id > UINT32_MAX) return ST_CORRUPT;
    *t = (struct kept_table){0};
    st = schema_parse((const char *)json, n, &t->schema, f);
    if (st != ST_OK) return st;
    t->schema.id = (uint32_t)id;
    k->count++; /* its schema is kept_free's from here on */
    t->source = read_digest(r);
    t->store = read_digest(r);
    return r->bad ? ST_CORRUPT : ST_OK;
}

static enum status decode(const struct platform *p, const struct buf *b, struct kept *k,
                          struct fault *f)
{
    struct reader r;
    uint64_t log_id, tables;
    enum status st = ST_OK;

    if (b->size < KEPT_HEAD || memcmp(b->data, magic, sizeof magic) != 0 ||
        get_u32(b->data + 8) != KEPT_VERSION ||
        get_u32(b->data + 12) != crc32c(0, b->data + KEPT_HEAD, b->size - KEPT_HEAD))
        return ST_CORRUPT;
    r = reader_of(b->data + KEPT_HEAD, b->size - KEPT_HEAD);
    log_id = read_u64(&r);
    k->lsn = read_u64(&r);
    k->publication = read_u64(&r);
    k->full_us = (int64_t)read_u64(&r);
    tables = read_varint(&r);
    if (r.bad || tables > KEPT_TABLES_MAX || log_id != p->log_id) return ST_CORRUPT;
    for (uint64_t i = 0; st == ST_OK && i < tables; i++)
        st = read_table(&r, k, f);
    return st == ST_OK && reader_left(&r) != 0 ? ST_CORRUPT : st;
}

enum status kept_load(const struct platform *p, struct kept *out, struct fault *f)
{
    struct buf b = {0};
    char path[PATH_MAX_BYTES];
    enum status st = kept_path(p, path, f);

    *out = (struct kept){0};
    if (st == ST_OK) st = io_read_all(p->io, path, KEPT_MAX, &b, NULL);
    if (st == ST_OK) st = decode(p, &b, out, NULL);
    buf_free(&b);
    if (st == ST_OK || st == ST_NOMEM || st == ST_IO) return st;
    kept_free(out);
    return doubt(f, st == ST_NOT_FOUND ? "nothing is kept yet" : "what is kept is damaged or another's");
}

enum status kept_drop(const struct platform *p, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    enum status st = kept_path(p, path, f);

    return st == ST_OK && io_exists(p->io, path) ? io_unlink(p->io, path, f) : st;
}

/* ---- the source: commits of the log ---- */
static struct kept_table *table_of(struct kept *k, uint32_t id)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->tables[i].schema.id == id) return &k->tables[i];
    return NULL;
}

static enum status row_image(const struct kept_table *t, struct bytes row, struct hash128 *out,
                             struct fault *f)
{
    struct value values[COLUMNS_MAX];
    enum status st = row_decode(&t->schema, row.data, row.size, values, f);

    if (st == ST_OK) *out = row_hash(&t->schema, values);
    return st;
}

/* What a transaction does to the digests is put together apart (counts and sums wrap), and counts when its COMMIT is
 * there. */
struct pending {
    struct digest net[KEPT_TABLES_MAX];
    uint64_t changes;
};

static enum status note_row(struct kept *k, struct pending *now, const struct wal_record *rec,
                            struct fault *f)
{
    struct change_row c;
    struct kept_table *t;
    struct hash128 h;
    enum status st = change_get_row(rec->data, rec->size, &c, f);

    if (st != ST_OK) return st;
    t = table_of(k, c.table);
    if (t == NULL) return ST_OK; /* not in silver */
    now->changes++;
    if (c.before.data == NULL && c.op == OP_UPDATE) return doubt(f, "an update without its row before");
    if (c.before.data != NULL) {
        st = row_image(t, c.before, &h, f);
        if (st == ST_OK) digest_remove(&now->net[t - k->tables], h);
    }
    if (st == ST_OK && c.after.data != NULL) {
        st = row_image(t, c.after, &h, f);
        if (st == ST_OK) digest_add(&now->net[t - k->tables], h);
    }
    return st;
}

static void take_in(struct kept *k, const struct pending *now)
{
    for (size_t i = 0; i < k->count; i++)
        digest_merge(&k->tables[i].source, &now->net[i]);
    k->changes += now->changes;
}

static enum status take_record(struct kept *k, struct pending *now, bool *open, lsn_t to,
                               const struct wal_record *rec, struct fault *f)
{
    switch (rec->type) {
    case CHANGE_SCHEMA: return doubt(f, "a table's shape changed since");
    case CHANGE_BEGIN:
        *now = (struct pending){.changes = 0};
        *open = true;
        return ST_OK;
    case CHANGE_ABORT: *open = false; return ST_OK;
    case CHANGE_ROW:
        return *open ? note_row(k, now, rec, f)
                     : doubt(f, "the log begins inside a transaction");
    case CHANGE_COMMIT:
        if (*open && rec->end <= to) take_in(k, now);
        *open = false;
        return ST_OK;
    default: return ST_OK;
    }
}

/* Following more changes than there are rows would cost more than reading the rows. */
static uint64_t most_changes(const struct kept *k)
{
    uint64_t rows = 0;

    for (size_t i = 0; i < k->count; i++)
        rows += k->tables[i].source.count;
    return rows;
}

static enum status advance_source(const struct platform *p, struct kept *k, lsn_t to,
                                  struct fault *f)
{
    const uint64_t most = most_changes(k);
    struct wal_reader *r = NULL;
    struct wal_record rec;
    struct pending now;
    char dir[PATH_MAX_BYTES];
    bool open = false;
    enum status st = platform_path(p, "wal", dir, f);

    if (st == ST_OK && wal_reader_open(p->io, dir, k->lsn, 0, &r, NULL) != ST_OK)
        return doubt(f, "the log does not reach back to it");
    while (st == ST_OK && wal_reader_position(r) < to &&
           (st = wal_reader_next(r, &rec, f)) == ST_OK) {
        st = take_record(k, &now, &open, to, &rec, f);
        if (st == ST_OK && k->changes > most) st = doubt(f, "more has changed than is there");
    }
    if (st == ST_END && wal_reader_position(r) < to) st = doubt(f, "the log ends before silver");
    wal_reader_close(r);
    return st == ST_END ? ST_OK : st;
}

/* ---- silver: versions in its files ---- */
struct versions {
    struct kept *k;
    struct kept_table *t;
    lsn_t from, to;
};

static enum status note_version(void *ctx, const struct value *values, lsn_t begin, lsn_t end)
{
    struct versions *v = ctx;
    struct hash128 h = row_hash(&v->t->schema, values);

    v->k->changes++;
    if (begin <= v->from && end > v->from && end <= v->to) digest_remove(&v->t->store, h);
    if (begin > v->from && begin <= v->to && end > v->to) digest_add(&v->t->store, h);
    return ST_OK;
}

static enum status advance_silver(struct kept *k, const struct columnar_reader *silver, lsn_t to,
                                  struct fault *f)
{
    enum status st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < k->count; i++) {
        struct versions v = {k, &k->tables[i], k->lsn, to};
        struct columnar_table_info info;
        char name[NAME_MAX_BYTES + 8];
        int table;

        snprintf(name, sizeof name, "silver_%s", k->tables[i].schema.name);
        table = columnar_table(silver, name);
        if (table < 0) return doubt(f, "silver has no such table any more");
        st = columnar_scan_changes(silver, table, k->lsn, to, note_version, &v, f);
        columnar_table_info(silver, table, &info);
        if (st == ST_OK && info.rows != v.t->store.count)
            st = doubt(f, "silver counts other rows than its changes make");
    }
    return st;
}

uint64_t kept_publication(const struct columnar_reader *silver, lsn_t lsn)
{
    const struct columnar_snapshot *s;
    size_t n = columnar_snapshots(silver, &s);

    while (n > 0 && s[n - 1].lsn > lsn)
        n--;
    return n > 0 && s[n - 1].lsn == lsn ? s[n - 1].id : 0;
}

enum status kept_advance(const struct platform *p, struct kept *k,
                         const struct columnar_reader *silver, struct fault *f)
{
    lsn_t to = columnar_applied(silver);
    enum status st;

    if (k->publication == 0 || kept_publication(silver, k->lsn) != k->publication)
        return doubt(f, "silver was made again since");
    if (to < k->lsn) return doubt(f, "silver stands before it");
    st = advance_source(p, k, to, f);
    if (st == ST_OK) st = advance_silver(k, silver, to, f);
    if (st != ST_OK) return st;
    k->lsn = to;
    k->publication = kept_publication(silver, to);
    return ST_OK;
}
