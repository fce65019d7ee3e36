/* import - batches of records into the row store, with a position from which a cut-off import goes on. */
#include "pipeline/import/import.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/import/import_apply.h"

/* The importer's own tables, made when they are missing.                                         */
static const char imports_schema[] =
    "{\"table\":\"seam_imports\",\"key\":[\"source\"],\"columns\":["
    "{\"name\":\"source\",\"type\":\"text\"},{\"name\":\"file\",\"type\":\"text\"},{\"name\":"
    "\"records\",\"type\":\"int64\"},"
    "{\"name\":\"line\",\"type\":\"int64\"},{\"name\":\"landed\",\"type\":\"int64\"},{\"name\":"
    "\"rejected\",\"type\":\"int64\"},"
    "{\"name\":\"digest_hi\",\"type\":\"int64\"},{\"name\":\"digest_lo\",\"type\":\"int64\"},{"
    "\"name\":\"done\",\"type\":\"bool\"},{\"name\":\"updated_at\",\"type\":\"timestamp\"}]}";
static const char rejects_schema[] =
    "{\"table\":\"seam_rejects\",\"key\":[\"source\",\"line\"],\"columns\":["
    "{\"name\":\"source\",\"type\":\"text\"},{\"name\":\"line\",\"type\":\"int64\"},{\"name\":"
    "\"reason\",\"type\":\"text\"},"
    "{\"name\":\"record\",\"type\":\"text\"}]}";
enum {
    I_SOURCE,
    I_FILE,
    I_RECORDS,
    I_LINE,
    I_LANDED,
    I_REJECTED,
    I_DIGEST_HI,
    I_DIGEST_LO,
    I_DONE,
    I_UPDATED_AT,
    I_COUNT
};
enum { R_SOURCE, R_LINE, R_REASON, R_RECORD, R_COUNT };
enum {
    SOURCE_NAME_MAX = 96,
    FILE_SHOWN_MAX = 40,
    TXN_BYTES_MAX = 8 << 20,
    PROGRESS_NS = 200000000,
    RECORD_SHOWN_MAX = 2000
};

struct importer {
    struct oltp *db;
    const struct import_options *o;
    struct seam_io *io;
    struct seam_clock *clock;
    struct import_mapping *m;
    struct import_record_reader r;
    bool reader_open;
    struct import_apply apply;
    struct import_stats *stats;
    uint32_t imports_table, rejects_table;

    char source[SOURCE_NAME_MAX];
    struct seam_hash128 digest; /* of every record so far */
    uint64_t landed, rejected;  /* of the file, all runs  */
    uint64_t last_line;

    struct oltp_txn *txn;
    uint64_t txn_records, txn_bytes;
    struct seam_buf group; /* the running transaction's */
    struct seam_buf scratch;
    uint64_t started_ns, shown_ns;
};

/* ---- the importer's tables ---- */

static enum seam_status ensure_table(struct oltp_txn *t, const char *json, const char *name,
                                     uint32_t *id, struct seam_fault *f)
{
    bool there;
    enum seam_status st = seam_fault_there(oltp_table(t, name, id, f), &there, f);

    return st != SEAM_OK || there ? st : oltp_create_table_json(t, json, strlen(json), id, f);
}

static enum seam_status ensure_tables(struct importer *x, struct seam_fault *f)
{
    struct oltp_txn *t = NULL;
    enum seam_status st = oltp_read_begin(x->db, &t, f);
    bool there;

    if (st != SEAM_OK) return st;
    st = seam_fault_there(oltp_table(t, "seam_imports", &x->imports_table, f), &there, f);
    if (st == SEAM_OK && there)
        st = seam_fault_there(oltp_table(t, "seam_rejects", &x->rejects_table, f), &there, f);
    oltp_end(t);
    t = NULL;
    if (st != SEAM_OK) return st;
    if (there || x->o->dry_run) return SEAM_OK;
    st = oltp_write_begin(x->db, &t, f);
    if (st == SEAM_OK) st = ensure_table(t, imports_schema, "seam_imports", &x->imports_table, f);
    if (st == SEAM_OK) st = ensure_table(t, rejects_schema, "seam_rejects", &x->rejects_table, f);
    if (st == SEAM_OK) {
        st = oltp_commit(t, OLTP_DEFERRED, NULL, f);
        t = NULL;
    }
    oltp_end(t);
    return st;
}

static enum seam_status open_mapping(struct importer *x, struct seam_fault *f)
{
    struct oltp_txn *t = NULL;
    enum seam_status st = oltp_read_begin(x->db, &t, f);

    if (st != SEAM_OK) return st;
    if (x->o->mapping != NULL)
        st = import_mapping_parse(x->o->mapping, x->o->mapping_size, t, &x->m, f);
    else if (x->o->table != NULL)
        st = import_mapping_of_table(x->o->table, t, &x->m, f);
    else
        st = seam_fault_set(f, SEAM_INVALID, x->o->file, SEAM_FAULT_NO_OFFSET,
                            "an import needs a mapping or a table");
    oltp_end(t);
    return st;
}

/* ---- which file this is, and how far it got ---- */

static struct seam_hash128 chain(struct importer *x, struct seam_hash128 h,
                                 const struct seam_buf *more)
{
    struct seam_buf *b = &x->scratch;

    seam_buf_clear(b);
    seam_buf_u64(b, h.lo);
    seam_buf_u64(b, h.hi);
    seam_buf_append(b, more->data, more->size);
    return seam_siphash128(b->data, b->size);
}

/* The mapping's name and a digest of the mapping, the header and the first record.               */
static void name_source(struct importer *x)
{
    struct seam_buf mapping = {.data = (uint8_t *)(uintptr_t)x->o->mapping,
                               .size = x->o->mapping != NULL ? x->o->mapping_size : 0};
    struct seam_hash128 h = chain(x, (struct seam_hash128){0, 0}, &mapping);

    h = chain(x, h, &x->r.header);
    h = chain(x, h, &x->r.raw);
    snprintf(x->source, sizeof x->source, "%.64s:%016" PRIx64, x->m->name, h.lo);
}

struct import_position {
    uint64_t records, landed, rejected;
    struct seam_hash128 digest;
    bool done;
};

static enum seam_status read_position(struct importer *x, struct import_position *p,
                                      struct seam_fault *f)
{
    struct oltp_txn *t = NULL;
    struct seam_value key = seam_v_str(x->source), v[I_COUNT];
    struct oltp_row row;
    bool there;
    enum seam_status st;

    *p = (struct import_position){0};
    if (x->imports_table == 0) return SEAM_OK; /* a dry run on a fresh platform */
    st = oltp_read_begin(x->db, &t, f);
    if (st != SEAM_OK) return st;
    st = seam_fault_there(oltp_get(t, x->imports_table, &key, &row, f), &there, f);
    if (st == SEAM_OK && there)
        st = seam_row_decode(oltp_schema(t, x->imports_table), row.row.data, row.row.size, v, f);
    if (st == SEAM_OK && there) {
        p->records = (uint64_t)v[I_RECORDS].i;
        p->landed = (uint64_t)v[I_LANDED].i;
        p->rejected = (uint64_t)v[I_REJECTED].i;
        p->done = v[I_DONE].i != 0;
        p->digest = (struct seam_hash128){.lo = (uint64_t)v[I_DIGEST_LO].i,
                                          .hi = (uint64_t)v[I_DIGEST_HI].i};
    }
    oltp_end(t);
    return st;
}

static enum seam_status put_position(struct importer *x, bool done, struct seam_fault *f)
{
    const char *slash = strrchr(x->o->file, '/'), *name = slash != NULL ? slash + 1 : x->o->file;
    struct seam_value v[I_COUNT];

    /* Kept small: each transaction logs it, before and after. */
    v[I_SOURCE] = seam_v_str(x->source);
    v[I_FILE] = seam_v_text(name, strnlen(name, FILE_SHOWN_MAX));
    v[I_RECORDS] = seam_v_int((int64_t)x->stats->records);
    v[I_LINE] = seam_v_int((int64_t)x->last_line);
    v[I_LANDED] = seam_v_int((int64_t)x->landed);
    v[I_REJECTED] = seam_v_int((int64_t)x->rejected);
    v[I_DIGEST_HI] = seam_v_int((int64_t)x->digest.hi);
    v[I_DIGEST_LO] = seam_v_int((int64_t)x->digest.lo);
    v[I_DONE] = seam_v_bool(done);
    v[I_UPDATED_AT] = seam_v_time(seam_clock_wall_us(x->clock));
    return oltp_put(x->txn, x->imports_table, v, f);
}

/* ---- transactions ---- */

static enum seam_status begin(struct importer *x, struct seam_fault *f)
{
    if (x->txn != NULL) return SEAM_OK;
    x->txn_records = x->txn_bytes = 0;
    return oltp_write_begin(x->db, &x->txn, f);
}

/* A deferred commit: the position goes with the rows, so what a crash takes back is imported again.
 */
static enum seam_status commit(struct importer *x, bool done, struct seam_fault *f)
{
    struct oltp_commit c;
    struct oltp_txn *t;
    enum seam_status st;

    if (x->txn == NULL) return SEAM_OK;
    if (x->o->dry_run) {
        oltp_end(x->txn);
        x->txn = NULL;
        import_apply_forget(&x->apply);
        return SEAM_OK;
    }
    st = put_position(x, done, f);
    if (st != SEAM_OK) return st;
    t = x->txn;
    x->txn = NULL;
    st = oltp_commit(t, OLTP_DEFERRED, &c, f);
    if (st != SEAM_OK) return st;
    x->stats->lsn = c.lsn;
    x->stats->transactions++;
    return SEAM_OK;
}

/* A transaction's pages must fit the store's cache.                                              */
static bool txn_is_full(const struct importer *x)
{
    return x->txn_records >= x->m->group_rows || x->txn_bytes >= TXN_BYTES_MAX;
}

static bool same_group(const struct importer *x)
{
    const struct import_text *t;

    if (txn_is_full(x)) return false;
    if (x->m->group_slot < 0) return true;
    t = &x->r.slots[x->m->group_slot];
    return t->size == x->group.size &&
           (t->size == 0 || memcmp(t->data, x->group.data, t->size) == 0);
}

static enum seam_status enter_group(struct importer *x, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    if (x->txn != NULL && !same_group(x)) st = commit(x, false, f);
    if (st != SEAM_OK || x->txn != NULL) return st;
    if (x->m->group_slot >= 0) {
        seam_buf_clear(&x->group);
        seam_buf_append(&x->group, x->r.slots[x->m->group_slot].data,
                        x->r.slots[x->m->group_slot].size);
    }
    return begin(x, f);
}

/* ---- records ---- */

/* The record as it can be shown: JSON lines as they are, other records as CSV, cut where it is
 * long.                                                                                          */
static void show_record(struct importer *x, struct seam_buf *out)
{
    struct seam_reader r = seam_reader_of(x->r.raw.data, x->r.raw.size);

    if (x->r.format == IMPORT_JSONL) {
        seam_buf_append(out, x->r.raw.data, x->r.raw.size);
    } else {
        while (seam_reader_left(&r) > 0) {
            size_t n;
            const uint8_t *p = seam_read_lenstr(&r, SIZE_MAX, &n);

            if (p == NULL) break;
            if (out->size > 0) seam_buf_u8(out, ',');
            seam_csv_write_field(out, (const char *)p, n, ',');
        }
    }
    if (out->size > RECORD_SHOWN_MAX) out->size = RECORD_SHOWN_MAX;
}

/* Readers say the line themselves; here it is known, and not always the one they count.          */
static const char *reason_of(const struct seam_fault *why)
{
    const char *p = why->why;

    if (strncmp(p, "line ", 5) != 0) return p;
    p += 5 + strspn(p + 5, "0123456789");
    return *p == ':' || *p == ',' ? p + 2 : why->why;
}

static enum seam_status reject(struct importer *x, const struct seam_fault *why,
                               struct seam_fault *f)
{
    struct seam_buf record = {0};
    struct seam_value v[R_COUNT];
    enum seam_status st = SEAM_OK;
    const char *reason = reason_of(why);

    x->stats->rejected++;
    if (x->o->on_error == IMPORT_STOP)
        return seam_fault_set(f, SEAM_INVALID, x->o->file, x->r.line, "line %" PRIu64 ": %s",
                              x->r.line, reason);
    x->rejected++;
    if (x->o->dry_run) return SEAM_OK;
    show_record(x, &record);
    v[R_SOURCE] = seam_v_str(x->source);
    v[R_LINE] = seam_v_int((int64_t)x->r.line);
    v[R_REASON] = seam_v_str(reason);
    v[R_RECORD] = seam_v_text(record.size > 0 ? (const char *)record.data : "", record.size);
    st = oltp_put(x->txn, x->rejects_table, v, f);
    seam_buf_free(&record);
    return st;
}

static bool about_the_record(enum seam_status st)
{
    return st == SEAM_INVALID || st == SEAM_EXISTS || st == SEAM_LIMIT || st == SEAM_CONFLICT;
}

static enum seam_status land(struct importer *x, struct seam_fault *f)
{
    struct seam_fault why = {0};
    enum seam_status st = import_apply_record(&x->apply, x->txn, &x->r, &why);

    if (st == SEAM_LIMIT && x->txn_records > 0) {
        /* Perhaps the transaction has outgrown the store's cache: once more in one of its own. */
        st = commit(x, false, f);
        if (st == SEAM_OK) st = begin(x, f);
        if (st != SEAM_OK) return st;
        seam_fault_clear(&why);
        st = import_apply_record(&x->apply, x->txn, &x->r, &why);
    }
    if (st == SEAM_OK) {
        x->stats->landed++;
        x->landed++;
        return SEAM_OK;
    }
    if (about_the_record(st)) return reject(x, &why, f);
    seam_fault_give(f, &why);
    return st;
}

static void show_progress(struct importer *x, bool last)
{
    uint64_t now = seam_clock_mono_ns(x->clock);

    x->stats->elapsed_ns = now - x->started_ns;
    x->stats->bytes_read = x->reader_open && x->r.source != NULL
                               ? seam_source_bytes_read(x->r.source)
                               : x->stats->bytes_read;
    if (x->o->progress == NULL || (!last && now - x->shown_ns < PROGRESS_NS)) return;
    x->shown_ns = now;
    x->o->progress(x->o->progress_ctx, x->stats);
}

/* One record that has been read with status `got` (SEAM_OK or SEAM_INVALID).                         */
static enum seam_status take_record(struct importer *x, enum seam_status got,
                                    const struct seam_fault *why, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    if (got == SEAM_OK)
        st = import_apply_count(&x->apply, &x->r, f);
    else if (txn_is_full(x))
        st = commit(x, false, f);
    if (st == SEAM_OK) st = got == SEAM_OK ? enter_group(x, f) : begin(x, f);
    if (st != SEAM_OK) return st;
    if (got == SEAM_OK)
        st = land(x, f);
    else
        st = reject(x, why, f);
    if (st != SEAM_OK) return st;
    x->digest = chain(x, x->digest, &x->r.raw);
    x->last_line = x->r.line;
    x->stats->records++;
    x->txn_records++;
    x->txn_bytes += x->r.raw.size;
    return SEAM_OK;
}

/* Reads on over what earlier runs have taken. *same: it is what they took.                       */
static enum seam_status skip_taken(struct importer *x, const struct import_position *p,
                                   enum seam_status first, bool *same, struct seam_fault *f)
{
    enum seam_status got = first;

    *same = false;
    while (x->stats->records < p->records) {
        struct seam_fault why = {0};

        if (x->stats->records > 0) got = import_record_next(&x->r, &why);
        if (got == SEAM_END) return SEAM_OK; /* shorter than it was */
        if (got != SEAM_OK && got != SEAM_INVALID) {
            seam_fault_give(f, &why);
            return got;
        }
        if (got == SEAM_OK) got = import_apply_count(&x->apply, &x->r, f);
        if (got == SEAM_NOMEM) return got;
        x->digest = chain(x, x->digest, &x->r.raw);
        x->stats->records++;
        x->stats->skipped++;
        if ((x->stats->records & 0xfff) == 0) show_progress(x, false);
    }
    *same = x->digest.lo == p->digest.lo && x->digest.hi == p->digest.hi;
    return SEAM_OK;
}

static enum seam_status take_rest(struct importer *x, const struct import_position *p,
                                  enum seam_status got, struct seam_fault why, struct seam_fault *f)
{
    bool pending = p->records == 0; /* the first record has been read already */

    for (;;) {
        enum seam_status st;

        if (x->o->limit != 0 && x->stats->records >= x->o->limit) return commit(x, false, f);
        if (!pending) {
            seam_fault_clear(&why);
            got = import_record_next(&x->r, &why);
        }
        pending = false;
        if (got == SEAM_END) break;
        if (got != SEAM_OK && got != SEAM_INVALID) {
            seam_fault_give(f, &why);
            return got;
        }
        st = take_record(x, got, &why, f);
        if (st != SEAM_OK) {
            /* What came before a record that stops the import is kept; after an I/O failure it is
             * not.                                                                               */
            if (st == SEAM_INVALID && x->o->on_error == IMPORT_STOP &&
                commit(x, false, f) != SEAM_OK)
                return SEAM_IO;
            return st;
        }
        if ((x->stats->records & 0xff) == 0) show_progress(x, false);
    }
    x->stats->finished = true;
    if (p->done && x->stats->records == p->records) return SEAM_OK; /* nothing new */
    if (x->txn == NULL) {
        enum seam_status st = begin(x, f);

        if (st != SEAM_OK) return st;
    }
    return commit(x, true, f);
}

static enum seam_status open_reader(struct importer *x, struct seam_fault *f)
{
    if (x->reader_open) import_record_close(&x->r);
    x->reader_open = true;
    return import_record_open(&x->r, x->io, x->o->file, x->m, f);
}

static enum seam_status import_file(struct importer *x, struct seam_fault *f)
{
    struct import_position p;
    struct seam_fault why = {0};
    enum seam_status st = open_reader(x, f), got;
    bool same = true;

    if (st != SEAM_OK) return st;
    x->stats->bytes_total = seam_source_bytes_total(x->r.source);
    got = import_record_next(&x->r, &why);
    if (got != SEAM_OK && got != SEAM_INVALID && got != SEAM_END) {
        seam_fault_give(f, &why);
        return got;
    }
    name_source(x);
    st = read_position(x, &p, f);
    if (st == SEAM_OK && p.records > 0) st = skip_taken(x, &p, got, &same, f);
    if (st != SEAM_OK) return st;
    if (!same) { /* it begins alike and is another file: from its start */
        if (x->r.source != NULL && x->stats->bytes_total == 0)
            return seam_fault_set(
                f, SEAM_CONFLICT, x->o->file, SEAM_FAULT_NO_OFFSET,
                "this stream differs from the one imported before; give it as a file");
        p = (struct import_position){0};
        x->stats->records = x->stats->skipped = 0;
        x->digest = (struct seam_hash128){0, 0};
        import_apply_restart_counts(&x->apply);
        st = open_reader(x, f);
        if (st != SEAM_OK) return st;
        seam_fault_clear(&why);
        got = import_record_next(&x->r, &why);
    }
    x->landed = p.landed;
    x->rejected = p.rejected;
    return take_rest(x, &p, got, why, f);
}

/* ---- the reject file ---- */

static enum seam_status write_reject(struct importer *x, const struct seam_schema *s,
                                     const struct oltp_row *row, struct seam_buf *out,
                                     struct seam_fault *f)
{
    struct seam_value v[R_COUNT];
    struct seam_json_writer w;
    enum seam_status st = seam_row_decode(s, row->row.data, row->row.size, v, f);

    if (st != SEAM_OK) return st;
    seam_jw_init(&w, out);
    seam_jw_object(&w);
    seam_jw_key(&w, "file");
    seam_jw_str(&w, x->o->file);
    seam_jw_key(&w, "line");
    seam_jw_int(&w, v[R_LINE].i);
    seam_jw_key(&w, "reason");
    seam_jw_strn(&w, v[R_REASON].s, v[R_REASON].len);
    seam_jw_key(&w, "record");
    seam_jw_strn(&w, v[R_RECORD].s, v[R_RECORD].len);
    seam_jw_end_object(&w);
    seam_buf_u8(out, '\n');
    return seam_buf_ok(out) ? SEAM_OK : seam_no_memory(f, "the reject file");
}

/* All of the file's rejects, those of earlier runs too, in the order of its lines.               */
static enum seam_status write_reject_file(struct importer *x, struct seam_fault *f)
{
    struct oltp_txn *t = NULL;
    struct oltp_cursor *c = NULL;
    struct seam_value key = seam_v_str(x->source);
    struct seam_buf prefix = {0}, out = {0};
    struct oltp_range range;
    struct oltp_row row;
    enum seam_status st;

    if (x->o->reject_path == NULL || x->o->dry_run || x->rejects_table == 0) return SEAM_OK;
    st = oltp_read_begin(x->db, &t, f);
    if (st != SEAM_OK) return st;
    st = oltp_key(t, x->rejects_table, 0, &key, 1, &prefix, f);
    range = (struct oltp_range){.lower = {prefix.data, prefix.size},
                                .upper = {prefix.data, prefix.size},
                                .upper_included = true};
    if (st == SEAM_OK) st = oltp_cursor_open(t, x->rejects_table, 0, &range, 0, &c, f);
    while (st == SEAM_OK) {
        st = oltp_cursor_next(c, &row, f);
        if (st == SEAM_OK) st = write_reject(x, oltp_schema(t, x->rejects_table), &row, &out, f);
    }
    if (st == SEAM_END) st = seam_io_write_atomic(x->io, x->o->reject_path, out.data, out.size, f);
    oltp_cursor_close(c);
    oltp_end(t);
    seam_buf_free(&prefix);
    seam_buf_free(&out);
    return st;
}

/* ---- the front door ---- */

enum seam_status import_run(struct oltp *db, const struct import_options *o,
                            struct import_stats *out, struct seam_fault *f)
{
    struct importer *x = calloc(1, sizeof *x);
    enum seam_status st, late;

    *out = (struct import_stats){0};
    if (x == NULL) return seam_no_memory(f, "an import");
    x->db = db;
    x->o = o;
    x->io = o->io != NULL ? o->io : seam_io_posix();
    x->clock = o->clock != NULL ? o->clock : seam_clock_real();
    x->stats = out;
    x->started_ns = x->shown_ns = seam_clock_mono_ns(x->clock);
    st = ensure_tables(x, f);
    if (st == SEAM_OK) st = open_mapping(x, f);
    if (st == SEAM_OK) st = import_apply_open(&x->apply, x->m, out, f);
    if (st == SEAM_OK) st = import_file(x, f);
    oltp_end(x->txn); /* only when something failed */
    if (out->lsn != SEAM_LSN_NONE) {
        late = oltp_wait(db, out->lsn, st == SEAM_OK ? f : NULL);
        if (st == SEAM_OK) st = late;
    }
    if (x->m != NULL && (st == SEAM_OK || st == SEAM_INVALID)) {
        late = write_reject_file(x, st == SEAM_OK ? f : NULL);
        if (st == SEAM_OK) st = late;
    }
    show_progress(x, true);
    if (x->m != NULL) import_apply_close(&x->apply);
    if (x->reader_open) import_record_close(&x->r);
    import_mapping_free(x->m);
    seam_buf_free(&x->group);
    seam_buf_free(&x->scratch);
    free(x);
    return st;
}

const char *import_progress_text(const struct import_stats *now, char *out, size_t size)
{
    double seconds = (double)now->elapsed_ns / 1e9;
    uint64_t taken = now->landed + now->rejected;
    int n = 0;

    if (now->bytes_total > 0)
        n = snprintf(out, size, "%3.0f %%  ",
                     100.0 * (double)now->bytes_read / (double)now->bytes_total);
    if (n < 0 || (size_t)n >= size) return out;
    snprintf(out + n, size - (size_t)n,
             "%" PRIu64 " records (%" PRIu64 " known, %" PRIu64 " rejected), %.0f rows/s",
             now->records, now->skipped, now->rejected,
             seconds > 0 ? (double)taken / seconds : 0.0);
    return out;
}
