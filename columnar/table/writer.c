#include "columnar/table/writer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum status writer_poisoned(const struct columnar_writer *w, struct fault *f)
{
    return fault_set(f, w->poisoned, w->s.dir, FAULT_NO_OFFSET,
                     "an earlier publish failed: close and reopen the warehouse");
}

static void table_writer_free(struct table_writer *tw)
{
    keyindex_free(&tw->index);
    free(tw->kills);
    *tw = (struct table_writer){0};
}

void columnar_close_writer(struct columnar_writer *w)
{
    if (w == NULL) return;
    for (size_t i = 0; i < COLUMNAR_TABLES_MAX; i++) table_writer_free(&w->tables[i]);
    state_free(&w->s);
    file_close(w->journal);
    file_close(w->lock);
    buf_free(&w->scratch);
    buf_free(&w->text);
    free(w->values);
    chunk_scratch_free(w->row_scratch);
    free(w);
}

static void defaults(struct columnar_options *o)
{
    if (o->clock == NULL) o->clock = clock_real();
    if (o->threads <= 0) o->threads = 1;
    if (o->journal_bytes_max == 0) o->journal_bytes_max = 16 << 20;
    if (o->journal_rows_max == 0) o->journal_rows_max = 65536;
    if (o->history_us == 0) o->history_us = 7ull * 24 * 3600 * 1000000;
    if (o->row_group_rows == 0) o->row_group_rows = 131072;
    o->row_group_rows = (o->row_group_rows + VECTOR_ROWS - 1) / VECTOR_ROWS * VECTOR_ROWS;
    if (o->row_group_rows > CHUNK_ROWS_MAX) o->row_group_rows = CHUNK_ROWS_MAX;
    if (o->file_rows_max == 0) o->file_rows_max = 2 << 20;
}

/* After recovery the journal goes on where its last whole record ended. */
static enum status continue_journal(struct columnar_writer *w, struct fault *f)
{
    uint8_t committed[JOURNAL_COMMITTED_SIZE];
    char path[PATH_MAX_BYTES];
    enum status st;

    if (w->s.journal == NULL) return ST_OK;
    file_close(w->s.journal);
    w->s.journal = NULL;
    path_of(path, w->s.dir, 'j', w->s.seq, ".log");
    st = file_open(w->io, path, FILE_WRITE, &w->journal, f);
    if (st == ST_OK) st = file_size(w->journal, &w->journal_filled, f);
    if (st != ST_OK) return st;
    journal_put_committed(committed, w->s.journal_end);
    /* Records found whole may not have been synced by the life that wrote them. */
    st = w->opt.no_sync ? ST_OK : file_datasync(w->journal, f);
    if (st == ST_OK) st = file_write(w->journal, JOURNAL_COMMITTED, committed, sizeof committed, f);
    return st;
}

enum status columnar_open_writer(struct io *io, const char *dir, const struct columnar_options *opt,
                                 struct columnar_writer **out, struct fault *f)
{
    struct columnar_writer *w = calloc(1, sizeof *w);
    char path[PATH_MAX_BYTES];
    enum status st;

    assert(out != NULL);
    if (w == NULL) return fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory for a writer");
    w->io = io;
    if (opt != NULL) w->opt = *opt;
    defaults(&w->opt);
    w->values = calloc(COLUMNS_MAX, sizeof *w->values);
    w->row_scratch = chunk_scratch_new();
    if (w->values == NULL || w->row_scratch == NULL) {
        st = fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory for a writer");
        goto done;
    }
    st = io_mkdir(io, dir, f);
    if (st == ST_OK) st = path_join(path, dir, "LOCK", f);
    if (st == ST_OK) st = file_open(io, path, FILE_WRITE | FILE_CREATE, &w->lock, f);
    if (st == ST_OK) st = file_lock(w->lock, true, f);
    if (st == ST_OK) st = state_load(io, dir, true, NULL, &w->s, f);
    if (st == ST_OK) st = continue_journal(w, f);
    if (st != ST_OK) goto done;
    w->orphans = 1;
    for (size_t i = 0; i < w->s.table_count; i++) w->tables[i].published = w->s.tables[i].rows.rows;
    *out = w;
    w = NULL;
done:
    columnar_close_writer(w);
    return st;
}

lsn_t columnar_writer_applied(const struct columnar_writer *w) { return w->s.applied; }

int columnar_writer_table(const struct columnar_writer *w, const char *name)
{
    return state_table_named(&w->s, name);
}

const struct schema *columnar_writer_schema(const struct columnar_writer *w, int table)
{
    assert(table >= 0 && (size_t)table < w->s.table_count);
    return &w->s.tables[table].schema;
}

/* ---- tables ---- */

static bool same_column(const struct column *a, const struct column *b)
{
    return a->id == b->id && a->type == b->type && a->scale == b->scale && a->added == b->added &&
           a->dropped == b->dropped && a->nullable == b->nullable && strcmp(a->name, b->name) == 0;
}

static bool same_schema(const struct schema *a, const struct schema *b)
{
    if (a->version != b->version || a->column_count != b->column_count) return false;
    for (int c = 0; c < a->column_count; c++)
        if (!same_column(&a->columns[c], &b->columns[c])) return false;
    return true;
}

static enum status check_evolution(const struct schema *old, const struct schema *new, struct fault *f)
{
    if (new->column_count < old->column_count)
        return fault_set(f, ST_INVALID, new->name, FAULT_NO_OFFSET,
                         "the new schema forgets columns; drop them instead");
    for (int c = 0; c < old->column_count; c++) {
        const struct column *a = &old->columns[c], *b = &new->columns[c];
        bool widened = a->type == V_INT && b->type == V_DOUBLE;

        if (a->id != b->id)
            return fault_set(f, ST_INVALID, new->name, FAULT_NO_OFFSET,
                             "column %s changes its id from %u to %u", b->name, a->id, b->id);
        if ((a->type != b->type && !widened) || a->scale != b->scale)
            return fault_set(f, ST_INVALID, new->name, FAULT_NO_OFFSET,
                             "column %s changes its type; only int64 may widen to double", b->name);
    }
    if (old->key_count != new->key_count || memcmp(old->key, new->key, old->key_count * sizeof old->key[0]))
        return fault_set(f, ST_INVALID, new->name, FAULT_NO_OFFSET, "a table's key cannot change");
    return ST_OK;
}

static enum status evolve(struct columnar_writer *w, size_t table, const struct schema *schema,
                          struct fault *f)
{
    struct table *t = &w->s.tables[table];
    struct schema copy = {0};
    enum status st = check_evolution(&t->schema, schema, f);

    if (st != ST_OK) return st;
    st = writer_flush_tail(w, table, f);
    if (st == ST_OK) st = schema_clone(schema, &copy);
    if (st != ST_OK) return st;
    schema_free(&t->schema);
    t->schema = copy;
    w->structure = true;
    /* The tail is empty: shape it anew, under the same id. */
    return table_reset_tail(t, t->tail.id);
}

static enum status check_options(const struct schema *s, const struct columnar_table_options *o,
                                 struct fault *f)
{
    if (o->sort_count > KEY_COLUMNS_MAX)
        return fault_set(f, ST_INVALID, s->name, FAULT_NO_OFFSET, "more than %d sort columns",
                         KEY_COLUMNS_MAX);
    for (int k = 0; k < o->sort_count; k++)
        if (o->sort[k] >= s->column_count)
            return fault_set(f, ST_INVALID, s->name, FAULT_NO_OFFSET, "sort column %d is unknown", k);
    return ST_OK;
}

enum status columnar_define_table(struct columnar_writer *w, const struct schema *schema,
                                  const struct columnar_table_options *opt, struct fault *f)
{
    static const struct columnar_table_options none;
    int at = state_table_named(&w->s, schema->name);
    struct table *t;
    enum status st;

    if (w->poisoned != ST_OK) return writer_poisoned(w, f);
    if (opt == NULL) opt = &none;
    st = check_options(schema, opt, f);
    if (st != ST_OK) return st;
    if (at >= 0) {
        t = &w->s.tables[at];
        if (memcmp(&t->opt, opt, sizeof *opt) != 0) {
            t->opt = *opt;
            w->structure = true;
        }
        return same_schema(&t->schema, schema) ? ST_OK : evolve(w, (size_t)at, schema, f);
    }
    if (w->s.table_count == COLUMNAR_TABLES_MAX)
        return fault_set(f, ST_LIMIT, schema->name, FAULT_NO_OFFSET, "a warehouse holds %d tables",
                         COLUMNAR_TABLES_MAX);
    t = &w->s.tables[w->s.table_count];
    *t = (struct table){.id = (uint32_t)w->s.next_file++, .opt = *opt};
    st = schema_clone(schema, &t->schema);
    if (st == ST_OK) st = table_reset_tail(t, w->s.next_file++);
    if (st != ST_OK) {
        table_free(t);
        return fault_set(f, st, schema->name, FAULT_NO_OFFSET, "no memory for a table");
    }
    w->tables[w->s.table_count] = (struct table_writer){.fresh = true};
    w->s.table_count++;
    w->structure = true;
    return ST_OK;
}

enum status columnar_drop_table(struct columnar_writer *w, const char *name, struct fault *f)
{
    int at = state_table_named(&w->s, name);
    size_t after;

    if (w->poisoned != ST_OK) return writer_poisoned(w, f);
    if (at < 0) return fault_set(f, ST_NOT_FOUND, name, FAULT_NO_OFFSET, "there is no such table");
    table_free(&w->s.tables[at]);
    table_writer_free(&w->tables[at]);
    after = w->s.table_count - (size_t)at - 1;
    memmove(&w->s.tables[at], &w->s.tables[at + 1], after * sizeof w->s.tables[0]);
    memmove(&w->tables[at], &w->tables[at + 1], after * sizeof w->tables[0]);
    w->s.table_count--;
    w->s.tables[w->s.table_count] = (struct table){0};
    w->tables[w->s.table_count] = (struct table_writer){0};
    w->structure = true;
    return ST_OK;
}

/* ---- rows ---- */

/* *skip: replayed, already applied. */
static enum status accept_lsn(struct columnar_writer *w, int table, lsn_t lsn, bool *skip, struct fault *f)
{
    struct table_writer *tw = &w->tables[table];

    assert(table >= 0 && (size_t)table < w->s.table_count);
    if (w->poisoned != ST_OK) return writer_poisoned(w, f);
    *skip = !tw->fresh && lsn <= w->s.applied;
    if (*skip) return ST_OK;
    if (lsn < tw->last_lsn)
        return fault_set(f, ST_INVALID, w->s.tables[table].schema.name, FAULT_NO_OFFSET,
                         "LSN %" PRIu64 " after LSN %" PRIu64, lsn, tw->last_lsn);
    tw->last_lsn = lsn;
    return ST_OK;
}

static enum status normalise(const struct schema *s, const struct column *col, const struct value *in,
                             struct value *out, struct fault *f)
{
    enum status st = ST_OK;

    *out = *in;
    if (in->type == V_NULL) {
        if (col->nullable) return ST_OK;
        return fault_set(f, ST_INVALID, s->name, FAULT_NO_OFFSET, "column %s may not be null", col->name);
    }
    if (col->type == V_TEXT && in->type == V_TEXT) {
        if (in->len <= TEXT_MAX) return ST_OK;
        return fault_set(f, ST_LIMIT, s->name, FAULT_NO_OFFSET, "column %s: text over %d bytes",
                         col->name, TEXT_MAX);
    }
    if (col->type == V_DECIMAL && (in->type == V_DECIMAL || in->type == V_INT)) {
        st = decimal_rescale(in->i, in->type == V_INT ? 0 : in->scale, col->scale, &out->i);
        out->type = V_DECIMAL;
        out->scale = col->scale;
        if (st == ST_OK) return ST_OK;
        return fault_set(f, st, s->name, FAULT_NO_OFFSET, "column %s holds %u decimal places exactly",
                         col->name, col->scale);
    }
    if (in->type == (uint8_t)col->type || (col->type == V_DOUBLE && (in->type == V_INT || in->type == V_DECIMAL)))
        return ST_OK;
    return fault_set(f, ST_INVALID, s->name, FAULT_NO_OFFSET, "column %s is %s, the value is %s",
                     col->name, value_type_name(col->type), value_type_name(in->type));
}

static enum status normalise_row(struct columnar_writer *w, const struct schema *s,
                                 const struct value *values, struct fault *f)
{
    for (int c = 0; c < s->column_count; c++) {
        enum status st;

        if (!column_live(&s->columns[c], s->version)) {
            w->values[c] = v_null();
            continue;
        }
        st = normalise(s, &s->columns[c], &values[c], &w->values[c], f);
        if (st != ST_OK) return st;
    }
    return ST_OK;
}

static enum status add_row(struct columnar_writer *w, int table, lsn_t lsn, struct fault *f)
{
    struct table *t = &w->s.tables[table];
    enum status st = ST_OK;

    if (t->rows.rows >= TAIL_SPILL_ROWS) st = writer_flush_tail(w, (size_t)table, f);
    if (st == ST_OK) st = coldata_append(&t->rows, w->values, lsn);
    if (st != ST_OK) return fault_set(f, st, t->schema.name, FAULT_NO_OFFSET, "no memory for a row");
    t->tail.rows = t->rows.rows;
    if (t->tail.lsn_min == 0) t->tail.lsn_min = lsn;
    t->tail.lsn_max = lsn;
    return ST_OK;
}

enum status columnar_append(struct columnar_writer *w, int table, const struct value *values, lsn_t lsn,
                            struct fault *f)
{
    bool skip;
    enum status st = accept_lsn(w, table, lsn, &skip, f);

    if (st != ST_OK || skip) return st;
    if (w->s.tables[table].schema.key_count > 0) return columnar_upsert(w, table, values, lsn, NULL, f);
    st = normalise_row(w, &w->s.tables[table].schema, values, f);
    return st == ST_OK ? add_row(w, table, lsn, f) : st;
}

enum status writer_index(struct columnar_writer *w, size_t table, struct fault *f)
{
    struct table_writer *tw = &w->tables[table];
    enum status st;

    if (tw->indexed) return ST_OK;
    if (w->s.tables[table].schema.key_count == 0)
        return fault_set(f, ST_INVALID, w->s.tables[table].schema.name, FAULT_NO_OFFSET,
                         "the table has no key");
    st = keyindex_build(&w->s.tables[table], &tw->index, f);
    tw->indexed = st == ST_OK;
    return st;
}

static enum status end_row(struct columnar_writer *w, int table, uint64_t file, uint32_t row, lsn_t lsn)
{
    struct table_writer *tw = &w->tables[table];
    struct table_file *tf = table_file_by_id(&w->s.tables[table], file);

    assert(tf != NULL && row < tf->rows);
    if (tw->kill_count == tw->kill_cap) {
        size_t cap = tw->kill_cap == 0 ? 256 : 2 * tw->kill_cap;
        struct journal_kill *more = realloc(tw->kills, cap * sizeof *more);

        if (more == NULL) return ST_NOMEM;
        tw->kills = more;
        tw->kill_cap = cap;
    }
    tw->kills[tw->kill_count++] = (struct journal_kill){file, row, lsn};
    tf->kills_dirty = true;
    return file_kill(tf, row, lsn);
}

/* Before a row of a keyed table is upserted or deleted: whether the change is new, and where its key lives now. */
struct place {
    struct key128 key;
    uint64_t file;
    uint32_t row;
    bool skip, found;
};

static enum status find_place(struct columnar_writer *w, int table, const struct value *values, lsn_t lsn,
                              bool whole_row, struct place *at, struct fault *f)
{
    const struct schema *schema = &w->s.tables[table].schema;
    enum status st = accept_lsn(w, table, lsn, &at->skip, f);

    if (st != ST_OK || at->skip) return st;
    st = writer_index(w, (size_t)table, f);
    if (st == ST_OK && whole_row) {
        st = normalise_row(w, schema, values, f);
        values = w->values;
    }
    if (st == ST_OK) st = keyindex_key(schema, values, &w->scratch, &at->key, f);
    if (st == ST_OK)
        at->found = keyindex_find(&w->tables[table].index, at->key, &at->file, &at->row);
    return st;
}

enum status columnar_upsert(struct columnar_writer *w, int table, const struct value *values, lsn_t lsn,
                            bool *existed, struct fault *f)
{
    struct table *t = &w->s.tables[table];
    struct place at = {0};
    enum status st = find_place(w, table, values, lsn, true, &at, f);

    if (existed != NULL) *existed = at.found;
    if (st != ST_OK || at.skip) return st;
    if (at.found) st = end_row(w, table, at.file, at.row, lsn);
    if (st == ST_OK) st = add_row(w, table, lsn, f);
    if (st == ST_OK)
        st = keyindex_put(&w->tables[table].index, at.key, t->tail.id, (uint32_t)t->rows.rows - 1);
    /* Half a change must not be published. */
    if (st != ST_OK) w->poisoned = st;
    return st;
}

enum status columnar_delete(struct columnar_writer *w, int table, const struct value *values, lsn_t lsn,
                            bool *existed, struct fault *f)
{
    struct place at = {0};
    enum status st = find_place(w, table, values, lsn, false, &at, f);

    if (existed != NULL) *existed = at.found;
    if (st != ST_OK || at.skip || !at.found) return st;
    st = end_row(w, table, at.file, at.row, lsn);
    keyindex_remove(&w->tables[table].index, at.key);
    if (st != ST_OK) w->poisoned = st;
    return st;
}

static enum status end_all(struct columnar_writer *w, int table, struct table_file *tf, lsn_t lsn)
{
    lsn_t ends[VECTOR_ROWS];

    for (uint64_t first = 0; first < tf->rows; first += VECTOR_ROWS) {
        uint32_t n = tf->rows - first < VECTOR_ROWS ? (uint32_t)(tf->rows - first) : VECTOR_ROWS;

        table_read_ends(tf, first, n, ends);
        for (uint32_t i = 0; i < n; i++)
            if (ends[i] == LSN_MAX && end_row(w, table, tf->id, (uint32_t)first + i, lsn) != ST_OK)
                return ST_NOMEM;
    }
    return ST_OK;
}

enum status columnar_truncate(struct columnar_writer *w, int table, lsn_t lsn, struct fault *f)
{
    struct table *t = &w->s.tables[table];
    bool skip;
    enum status st = accept_lsn(w, table, lsn, &skip, f);

    if (st != ST_OK || skip) return st;
    for (size_t i = 0; st == ST_OK && i < t->file_count; i++) st = end_all(w, table, &t->files[i], lsn);
    if (st == ST_OK) st = end_all(w, table, &t->tail, lsn);
    keyindex_free(&w->tables[table].index);
    w->tables[table].indexed = false;
    if (st != ST_OK) w->poisoned = st;
    return st;
}

/* ---- look-up ---- */

static enum status read_row(struct columnar_writer *w, const struct table *t, const struct table_file *tf,
                            uint32_t row, struct value *values, struct fault *f)
{
    int group = 0;
    uint64_t first = 0;
    size_t text_at[COLUMNS_MAX];

    if (tf->file != NULL)
        while (group + 1 < tf->file->group_count && tf->file->groups[group + 1].first_row <= row) group++;
    table_file_group_rows(tf, group, &first);
    buf_clear(&w->text);
    for (int c = 0; c < t->schema.column_count; c++) {
        uint32_t at = row - (uint32_t)first;
        struct vec v;
        enum status st;

        values[c] = v_null();
        if (!column_live(&t->schema.columns[c], t->schema.version)) continue;
        if (tf->file == NULL) {
            values[c] = coldata_value(&t->rows, c, row);
        } else {
            st = table_read_column(t, tf, group, at / VECTOR_ROWS, c, w->row_scratch, &v, f);
            if (st != ST_OK) return st;
            values[c] = vec_value(&v, at % VECTOR_ROWS);
        }
        text_at[c] = w->text.size;
        if (values[c].type == V_TEXT) buf_append(&w->text, values[c].s, values[c].len);
    }
    if (!buf_ok(&w->text)) return fault_set(f, ST_NOMEM, t->schema.name, FAULT_NO_OFFSET, "no memory for a row");
    for (int c = 0; c < t->schema.column_count; c++)
        if (values[c].type == V_TEXT)
            values[c].s = w->text.data == NULL ? "" : (const char *)w->text.data + text_at[c];
    return ST_OK;
}

enum status columnar_writer_get(struct columnar_writer *w, int table, const struct value *key_values,
                                struct value *values, struct fault *f)
{
    struct table *t = &w->s.tables[table];
    struct table_file *tf;
    struct key128 key;
    uint64_t file;
    uint32_t row;
    enum status st = w->poisoned != ST_OK ? writer_poisoned(w, f) : writer_index(w, (size_t)table, f);

    if (st == ST_OK) st = keyindex_key(&t->schema, key_values, &w->scratch, &key, f);
    if (st != ST_OK) return st;
    if (!keyindex_find(&w->tables[table].index, key, &file, &row)) return ST_NOT_FOUND;
    tf = table_file_by_id(t, file);
    assert(tf != NULL);
    return read_row(w, t, tf, row, values, f);
}

/* ---- many rows ---- */

static enum status index_new_rows(struct columnar_writer *w, int table, size_t from, struct fault *f)
{
    struct table *t = &w->s.tables[table];
    struct table_writer *tw = &w->tables[table];
    enum status st = ST_OK;

    if (t->schema.key_count == 0 || !tw->indexed) return ST_OK;
    for (size_t i = from; st == ST_OK && i < t->rows.rows; i++) {
        struct key128 key;

        for (int k = 0; k < t->schema.key_count; k++)
            w->values[t->schema.key[k]] = coldata_value(&t->rows, t->schema.key[k], i);
        st = keyindex_key(&t->schema, w->values, &w->scratch, &key, f);
        if (st == ST_OK) st = keyindex_put(&tw->index, key, t->tail.id, (uint32_t)i);
    }
    return st;
}

enum status columnar_append_columns(struct columnar_writer *w, int table,
                                    const struct columnar_column *columns, size_t rows, lsn_t lsn,
                                    struct fault *f)
{
    struct table *t = &w->s.tables[table];
    bool skip;
    size_t from;
    enum status st = accept_lsn(w, table, lsn, &skip, f);

    if (st != ST_OK || skip || rows == 0) return st;
    for (int c = 0; c < t->schema.column_count; c++) {
        const struct column *col = &t->schema.columns[c];

        if (!column_live(col, t->schema.version) || col->nullable || columns[c].nulls == NULL) continue;
        if (bitset_count(columns[c].nulls, rows) > 0)
            return fault_set(f, ST_INVALID, t->schema.name, FAULT_NO_OFFSET, "column %s may not be null",
                             col->name);
    }
    if (t->rows.rows > 0 && t->rows.rows + rows > TAIL_SPILL_ROWS)
        st = writer_flush_tail(w, (size_t)table, f);
    if (st != ST_OK) return st;
    from = t->rows.rows;
    st = coldata_append_columns(&t->rows, columns, rows, lsn, NULL);
    if (st != ST_OK) {
        w->poisoned = st;
        return fault_set(f, st, t->schema.name, FAULT_NO_OFFSET, "no memory for %zu rows", rows);
    }
    t->tail.rows = t->rows.rows;
    if (t->tail.lsn_min == 0) t->tail.lsn_min = lsn;
    t->tail.lsn_max = lsn;
    return index_new_rows(w, table, from, f);
}
