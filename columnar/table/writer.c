/* writer - opens the folder for writing, takes rows and deletions, keeps what is pending. */
#include "columnar/table/writer.h"
#include "engine/base/grow.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

static void table_writer_free(struct columnar_table_writer *tw)
{
    columnar_keyindex_free(&tw->index);
    free(tw->kills);
    *tw = (struct columnar_table_writer){0};
}

void columnar_close_writer(struct columnar_writer *w)
{
    if (w == NULL) return;
    for (size_t i = 0; i < COLUMNAR_TABLES_MAX; i++) table_writer_free(&w->tables[i]);
    columnar_state_free(&w->s);
    seam_file_close(w->journal);
    seam_file_close(w->lock);
    seam_fork_mark_free(&w->mark);
    seam_buf_free(&w->scratch);
    seam_buf_free(&w->text);
    free(w->values);
    columnar_chunk_scratch_free(w->row_scratch);
    free(w);
}

static void defaults(struct columnar_options *o)
{
    if (o->clock == NULL) o->clock = seam_clock_real();
    if (o->threads <= 0) o->threads = 1;
    if (o->journal_bytes_max == 0) o->journal_bytes_max = 16 << 20;
    if (o->journal_rows_max == 0) o->journal_rows_max = 65536;
    if (o->history_us == 0) o->history_us = 7ull * 24 * 3600 * 1000000;
    if (o->row_group_rows == 0) o->row_group_rows = 131072;
    o->row_group_rows = (o->row_group_rows + COLUMNAR_VECTOR_ROWS - 1) / COLUMNAR_VECTOR_ROWS *
                        COLUMNAR_VECTOR_ROWS;
    if (o->row_group_rows > CHUNK_ROWS_MAX) o->row_group_rows = CHUNK_ROWS_MAX;
    if (o->file_rows_max == 0) o->file_rows_max = 2 << 20;
}

/* After recovery the journal goes on where its last whole record ended. */
static enum seam_status continue_journal(struct columnar_writer *w, struct seam_fault *f)
{
    uint8_t committed[JOURNAL_COMMITTED_SIZE];
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st;

    if (w->s.journal == NULL) return SEAM_OK;
    seam_file_close(w->s.journal);
    w->s.journal = NULL;
    st = columnar_journal_path(path, w->s.dir, w->s.seq, f);
    if (st == SEAM_OK) st = seam_file_open(w->io, path, SEAM_FILE_WRITE, &w->journal, f);
    if (st == SEAM_OK) st = seam_file_size(w->journal, &w->journal_filled, f);
    if (st != SEAM_OK) return st;
    columnar_journal_put_committed(committed, w->s.journal_end);
    /* Records found whole may not have been synced by the life that wrote them. */
    st = w->opt.no_sync ? SEAM_OK : seam_file_datasync(w->journal, f);
    if (st == SEAM_OK)
        st = seam_file_write(w->journal, JOURNAL_COMMITTED, committed, sizeof committed, f);
    return st;
}

enum seam_status columnar_open_writer(struct seam_io *io, const char *dir,
                                      const struct columnar_options *opt,
                                      struct columnar_writer **out, struct seam_fault *f)
{
    struct columnar_writer *w = calloc(1, sizeof *w);
    bool another = false;
    enum seam_status st;

    assert(out != NULL);
    if (w == NULL) return seam_no_memory(f, "a warehouse's writer");
    w->io = io;
    if (opt != NULL) w->opt = *opt;
    defaults(&w->opt);
    w->values = calloc(SEAM_COLUMNS_MAX, sizeof *w->values);
    w->row_scratch = columnar_chunk_scratch_new();
    if (w->values == NULL || w->row_scratch == NULL) {
        st = seam_no_memory(f, "a warehouse's writer");
        goto done;
    }
    seam_fork_mark_set(&w->mark);
    st = seam_io_mkdir(io, dir, f);
    if (st == SEAM_OK) st = seam_writer_lock(io, dir, &w->lock, f);
    if (st == SEAM_OK) st = columnar_state_load(io, dir, true, NULL, &w->s, f);
    if (st == SEAM_OK)
        st = seam_owner_take(&w->opt.owner, w->s.seq == 0, &w->s.owner, &another, dir, f);
    if (st == SEAM_OK) st = continue_journal(w, f);
    if (st != SEAM_OK) goto done;
    w->orphans = 1;
    w->structure = another; /* the journal tells the history of before */
    for (size_t i = 0; i < w->s.table_count; i++) w->tables[i].published = w->s.tables[i].rows.rows;
    *out = w;
    w = NULL;
done:
    columnar_close_writer(w);
    return st;
}

struct seam_owner columnar_writer_owner(const struct columnar_writer *w)
{
    return w->s.owner;
}
seam_lsn_t columnar_writer_applied(const struct columnar_writer *w)
{
    return w->s.applied;
}

int columnar_writer_table(const struct columnar_writer *w, const char *name)
{
    return columnar_state_table_named(&w->s, name);
}

const struct seam_schema *columnar_writer_schema(const struct columnar_writer *w, int table)
{
    assert(table >= 0 && (size_t)table < w->s.table_count);
    return &w->s.tables[table].schema;
}

/* ---- tables ---- */

static bool same_column(const struct seam_column *a, const struct seam_column *b)
{
    return a->id == b->id && a->type == b->type && a->scale == b->scale && a->added == b->added &&
           a->dropped == b->dropped && a->nullable == b->nullable && strcmp(a->name, b->name) == 0;
}

static bool same_schema(const struct seam_schema *a, const struct seam_schema *b)
{
    if (a->version != b->version || a->column_count != b->column_count) return false;
    for (int c = 0; c < a->column_count; c++)
        if (!same_column(&a->columns[c], &b->columns[c])) return false;
    return true;
}

static enum seam_status check_evolution(const struct seam_schema *old,
                                        const struct seam_schema *new, struct seam_fault *f)
{
    if (new->column_count < old->column_count)
        return seam_fault_set(f, SEAM_INVALID, new->name, SEAM_FAULT_NO_OFFSET,
                              "the new schema forgets columns; drop them instead");
    for (int c = 0; c < old->column_count; c++) {
        const struct seam_column *a = &old->columns[c], *b = &new->columns[c];
        bool widened = a->type == SEAM_V_INT && b->type == SEAM_V_DOUBLE;

        if (a->id != b->id)
            return seam_fault_set(f, SEAM_INVALID, new->name, SEAM_FAULT_NO_OFFSET,
                                  "column %s changes its id from %u to %u", b->name, a->id, b->id);
        if ((a->type != b->type && !widened) || a->scale != b->scale)
            return seam_fault_set(f, SEAM_INVALID, new->name, SEAM_FAULT_NO_OFFSET,
                                  "column %s changes its type; only int64 may widen to double",
                                  b->name);
    }
    if (old->key_count != new->key_count ||
        memcmp(old->key, new->key, old->key_count * sizeof old->key[0]))
        return seam_fault_set(f, SEAM_INVALID, new->name, SEAM_FAULT_NO_OFFSET,
                              "a table's key cannot change");
    return SEAM_OK;
}

static enum seam_status evolve(struct columnar_writer *w, size_t table,
                               const struct seam_schema *schema, struct seam_fault *f)
{
    struct columnar_table *t = &w->s.tables[table];
    struct seam_schema copy = {0};
    enum seam_status st = check_evolution(&t->schema, schema, f);

    if (st != SEAM_OK) return st;
    st = columnar_writer_flush_tail(w, table, f);
    if (st == SEAM_OK) st = seam_no_memory_if(seam_schema_clone(schema, &copy), f, "the warehouse");
    if (st != SEAM_OK) return st;
    seam_schema_free(&t->schema);
    t->schema = copy;
    w->structure = true;
    /* The tail is empty: shape it anew, under the same id. */
    return seam_no_memory_if(columnar_table_reset_tail(t, t->tail.id), f, "the warehouse");
}

static enum seam_status check_options(const struct seam_schema *s,
                                      const struct columnar_table_options *o, struct seam_fault *f)
{
    if (o->sort_count > SEAM_KEY_COLUMNS_MAX)
        return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET,
                              "more than %d sort columns", SEAM_KEY_COLUMNS_MAX);
    for (int k = 0; k < o->sort_count; k++)
        if (o->sort[k] >= s->column_count)
            return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET,
                                  "sort column %d is unknown", k);
    return SEAM_OK;
}

enum seam_status columnar_define_table(struct columnar_writer *w, const struct seam_schema *schema,
                                       const struct columnar_table_options *opt,
                                       struct seam_fault *f)
{
    static const struct columnar_table_options none;
    int at = columnar_state_table_named(&w->s, schema->name);
    struct columnar_table *t;
    enum seam_status st;

    if (w->poisoned != SEAM_OK) return columnar_writer_poisoned(w, f);
    if (opt == NULL) opt = &none;
    st = check_options(schema, opt, f);
    if (st != SEAM_OK) return st;
    if (at >= 0) {
        t = &w->s.tables[at];
        if (memcmp(&t->opt, opt, sizeof *opt) != 0) {
            t->opt = *opt;
            w->structure = true;
        }
        return same_schema(&t->schema, schema) ? SEAM_OK : evolve(w, (size_t)at, schema, f);
    }
    if (w->s.table_count == COLUMNAR_TABLES_MAX)
        return seam_fault_set(f, SEAM_LIMIT, schema->name, SEAM_FAULT_NO_OFFSET,
                              "a warehouse holds %d tables", COLUMNAR_TABLES_MAX);
    t = &w->s.tables[w->s.table_count];
    *t = (struct columnar_table){.id = (uint32_t)w->s.next_file++, .opt = *opt};
    st = seam_no_memory_if(seam_schema_clone(schema, &t->schema), f, "the warehouse");
    if (st == SEAM_OK)
        st = seam_no_memory_if(columnar_table_reset_tail(t, w->s.next_file++), f, "the warehouse");
    if (st != SEAM_OK) {
        columnar_table_free(t);
        return seam_fault_set(f, st, schema->name, SEAM_FAULT_NO_OFFSET, "no memory for a table");
    }
    w->tables[w->s.table_count] = (struct columnar_table_writer){.fresh = true};
    w->s.table_count++;
    w->structure = true;
    return SEAM_OK;
}

enum seam_status columnar_drop_table(struct columnar_writer *w, const char *name,
                                     struct seam_fault *f)
{
    int at = columnar_state_table_named(&w->s, name);
    size_t after;

    if (w->poisoned != SEAM_OK) return columnar_writer_poisoned(w, f);
    if (at < 0)
        return seam_fault_set(f, SEAM_NOT_FOUND, name, SEAM_FAULT_NO_OFFSET,
                              "there is no such table");
    columnar_table_free(&w->s.tables[at]);
    table_writer_free(&w->tables[at]);
    after = w->s.table_count - (size_t)at - 1;
    memmove(&w->s.tables[at], &w->s.tables[at + 1], after * sizeof w->s.tables[0]);
    memmove(&w->tables[at], &w->tables[at + 1], after * sizeof w->tables[0]);
    w->s.table_count--;
    w->s.tables[w->s.table_count] = (struct columnar_table){0};
    w->tables[w->s.table_count] = (struct columnar_table_writer){0};
    w->structure = true;
    return SEAM_OK;
}

/* ---- rows ---- */

/* *skip: replayed, already applied. */
static enum seam_status accept_lsn(struct columnar_writer *w, int table, seam_lsn_t lsn, bool *skip,
                                   struct seam_fault *f)
{
    struct columnar_table_writer *tw = &w->tables[table];

    assert(table >= 0 && (size_t)table < w->s.table_count);
    if (w->poisoned != SEAM_OK) return columnar_writer_poisoned(w, f);
    *skip = !tw->fresh && lsn <= w->s.applied;
    if (*skip) return SEAM_OK;
    if (lsn < tw->last_lsn)
        return seam_fault_set(f, SEAM_INVALID, w->s.tables[table].schema.name, SEAM_FAULT_NO_OFFSET,
                              "LSN %" PRIu64 " after LSN %" PRIu64, lsn, tw->last_lsn);
    tw->last_lsn = lsn;
    return SEAM_OK;
}

static enum seam_status normalise(const struct seam_schema *s, const struct seam_column *col,
                                  const struct seam_value *in, struct seam_value *out,
                                  struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    *out = *in;
    if (in->type == SEAM_V_NULL) {
        if (col->nullable) return SEAM_OK;
        return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET,
                              "column %s may not be null", col->name);
    }
    if (col->type == SEAM_V_TEXT && in->type == SEAM_V_TEXT) {
        if (in->len <= SEAM_TEXT_MAX) return SEAM_OK;
        return seam_fault_set(f, SEAM_LIMIT, s->name, SEAM_FAULT_NO_OFFSET,
                              "column %s: text over %d bytes", col->name, SEAM_TEXT_MAX);
    }
    if (col->type == SEAM_V_DECIMAL && (in->type == SEAM_V_DECIMAL || in->type == SEAM_V_INT)) {
        st = seam_decimal_rescale(in->i, in->type == SEAM_V_INT ? 0 : in->scale, col->scale,
                                  &out->i);
        out->type = SEAM_V_DECIMAL;
        out->scale = col->scale;
        if (st == SEAM_OK) return SEAM_OK;
        return seam_fault_set(f, st, s->name, SEAM_FAULT_NO_OFFSET,
                              "column %s holds %u decimal places exactly", col->name, col->scale);
    }
    if (in->type == (uint8_t)col->type ||
        (col->type == SEAM_V_DOUBLE && (in->type == SEAM_V_INT || in->type == SEAM_V_DECIMAL)))
        return SEAM_OK;
    return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET,
                          "column %s is %s, the value is %s", col->name,
                          seam_value_type_name(col->type), seam_value_type_name(in->type));
}

static enum seam_status normalise_row(struct columnar_writer *w, const struct seam_schema *s,
                                      const struct seam_value *values, struct seam_fault *f)
{
    for (int c = 0; c < s->column_count; c++) {
        enum seam_status st;

        if (!seam_column_live(&s->columns[c], s->version)) {
            w->values[c] = seam_v_null();
            continue;
        }
        st = normalise(s, &s->columns[c], &values[c], &w->values[c], f);
        if (st != SEAM_OK) return st;
    }
    return SEAM_OK;
}

static enum seam_status add_row(struct columnar_writer *w, int table, seam_lsn_t lsn,
                                struct seam_fault *f)
{
    struct columnar_table *t = &w->s.tables[table];
    enum seam_status st = SEAM_OK;

    if (t->rows.rows >= TAIL_SPILL_ROWS) st = columnar_writer_flush_tail(w, (size_t)table, f);
    if (st == SEAM_OK)
        st = seam_no_memory_if(columnar_coldata_append(&t->rows, w->values, lsn), f,
                               "the warehouse");
    if (st != SEAM_OK)
        return seam_fault_set(f, st, t->schema.name, SEAM_FAULT_NO_OFFSET, "no memory for a row");
    t->tail.rows = t->rows.rows;
    if (t->tail.lsn_min == 0) t->tail.lsn_min = lsn;
    t->tail.lsn_max = lsn;
    return SEAM_OK;
}

enum seam_status columnar_append(struct columnar_writer *w, int table,
                                 const struct seam_value *values, seam_lsn_t lsn,
                                 struct seam_fault *f)
{
    bool skip;
    enum seam_status st = accept_lsn(w, table, lsn, &skip, f);

    if (st != SEAM_OK || skip) return st;
    if (w->s.tables[table].schema.key_count > 0)
        return columnar_upsert(w, table, values, lsn, NULL, f);
    st = normalise_row(w, &w->s.tables[table].schema, values, f);
    return st == SEAM_OK ? add_row(w, table, lsn, f) : st;
}

enum seam_status columnar_writer_index(struct columnar_writer *w, size_t table,
                                       struct seam_fault *f)
{
    struct columnar_table_writer *tw = &w->tables[table];
    enum seam_status st;

    if (tw->indexed) return SEAM_OK;
    if (w->s.tables[table].schema.key_count == 0)
        return seam_fault_set(f, SEAM_INVALID, w->s.tables[table].schema.name, SEAM_FAULT_NO_OFFSET,
                              "the table has no key");
    st = columnar_keyindex_build(&w->s.tables[table], &tw->index, f);
    tw->indexed = st == SEAM_OK;
    return st;
}

static enum seam_status end_row(struct columnar_writer *w, int table, uint64_t file, uint32_t row,
                                seam_lsn_t lsn)
{
    struct columnar_table_writer *tw = &w->tables[table];
    struct columnar_table_file *tf = columnar_table_file_by_id(&w->s.tables[table], file);

    assert(tf != NULL && row < tf->rows);
    if (!SEAM_GROW(&tw->kills, &tw->kill_cap, tw->kill_count + 1)) return SEAM_NOMEM;
    tw->kills[tw->kill_count++] = (struct columnar_journal_kill){file, row, lsn};
    tf->kills_dirty = true;
    return columnar_file_kill(tf, row, lsn);
}

/* Before a row of a keyed table is upserted or deleted: whether the change is new, and where its key lives now. */
struct writer_place {
    struct columnar_key128 key;
    uint64_t file;
    uint32_t row;
    bool skip, found;
};

static enum seam_status find_place(struct columnar_writer *w, int table,
                                   const struct seam_value *values, seam_lsn_t lsn, bool whole_row,
                                   struct writer_place *at, struct seam_fault *f)
{
    const struct seam_schema *schema = &w->s.tables[table].schema;
    enum seam_status st = accept_lsn(w, table, lsn, &at->skip, f);

    if (st != SEAM_OK || at->skip) return st;
    st = columnar_writer_index(w, (size_t)table, f);
    if (st == SEAM_OK && whole_row) {
        st = normalise_row(w, schema, values, f);
        values = w->values;
    }
    if (st == SEAM_OK) st = columnar_keyindex_key(schema, values, &w->scratch, &at->key, f);
    if (st == SEAM_OK)
        at->found = columnar_keyindex_find(&w->tables[table].index, at->key, &at->file, &at->row);
    return st;
}

enum seam_status columnar_upsert(struct columnar_writer *w, int table,
                                 const struct seam_value *values, seam_lsn_t lsn, bool *existed,
                                 struct seam_fault *f)
{
    struct columnar_table *t = &w->s.tables[table];
    struct writer_place at = {0};
    enum seam_status st = find_place(w, table, values, lsn, true, &at, f);

    if (existed != NULL) *existed = at.found;
    if (st != SEAM_OK || at.skip) return st;
    if (at.found)
        st = seam_no_memory_if(end_row(w, table, at.file, at.row, lsn), f, "the warehouse");
    if (st == SEAM_OK) st = add_row(w, table, lsn, f);
    if (st == SEAM_OK)
        st = seam_no_memory_if(columnar_keyindex_put(&w->tables[table].index, at.key, t->tail.id,
                                                     (uint32_t)t->rows.rows - 1),
                               f, "the warehouse");
    /* Half a change must not be published. */
    if (st != SEAM_OK) w->poisoned = st;
    return seam_no_memory_if(st, f, "a changed row");
}

enum seam_status columnar_delete(struct columnar_writer *w, int table,
                                 const struct seam_value *values, seam_lsn_t lsn, bool *existed,
                                 struct seam_fault *f)
{
    struct writer_place at = {0};
    enum seam_status st = find_place(w, table, values, lsn, false, &at, f);

    if (existed != NULL) *existed = at.found;
    if (st != SEAM_OK || at.skip || !at.found) return st;
    st = seam_no_memory_if(end_row(w, table, at.file, at.row, lsn), f, "the warehouse");
    columnar_keyindex_remove(&w->tables[table].index, at.key);
    if (st != SEAM_OK) w->poisoned = st;
    return seam_no_memory_if(st, f, "a row that ends");
}

static enum seam_status end_all(struct columnar_writer *w, int table,
                                struct columnar_table_file *tf, seam_lsn_t lsn)
{
    seam_lsn_t ends[COLUMNAR_VECTOR_ROWS];

    for (uint64_t first = 0; first < tf->rows; first += COLUMNAR_VECTOR_ROWS) {
        uint32_t n = tf->rows - first < COLUMNAR_VECTOR_ROWS ? (uint32_t)(tf->rows - first)
                                                             : COLUMNAR_VECTOR_ROWS;

        columnar_table_read_ends(tf, first, n, ends);
        for (uint32_t i = 0; i < n; i++)
            if (ends[i] == SEAM_LSN_MAX &&
                end_row(w, table, tf->id, (uint32_t)first + i, lsn) != SEAM_OK)
                return SEAM_NOMEM;
    }
    return SEAM_OK;
}

enum seam_status columnar_truncate(struct columnar_writer *w, int table, seam_lsn_t lsn,
                                   struct seam_fault *f)
{
    struct columnar_table *t = &w->s.tables[table];
    bool skip;
    enum seam_status st = accept_lsn(w, table, lsn, &skip, f);

    if (st != SEAM_OK || skip) return st;
    for (size_t i = 0; st == SEAM_OK && i < t->file_count; i++)
        st = seam_no_memory_if(end_all(w, table, &t->files[i], lsn), f, "the warehouse");
    if (st == SEAM_OK) st = seam_no_memory_if(end_all(w, table, &t->tail, lsn), f, "the warehouse");
    columnar_keyindex_free(&w->tables[table].index);
    w->tables[table].indexed = false;
    if (st != SEAM_OK) w->poisoned = st;
    return st;
}

/* ---- look-up ---- */

static enum seam_status read_row(struct columnar_writer *w, const struct columnar_table *t,
                                 const struct columnar_table_file *tf, uint32_t row,
                                 struct seam_value *values, struct seam_fault *f)
{
    int group = 0;
    uint64_t first = 0;
    size_t text_at[SEAM_COLUMNS_MAX];

    if (tf->file != NULL)
        while (group + 1 < tf->file->group_count && tf->file->groups[group + 1].first_row <= row)
            group++;
    columnar_table_file_group_rows(tf, group, &first);
    seam_buf_clear(&w->text);
    for (int c = 0; c < t->schema.column_count; c++) {
        uint32_t at = row - (uint32_t)first;
        struct columnar_vec v;
        enum seam_status st;

        values[c] = seam_v_null();
        if (!seam_column_live(&t->schema.columns[c], t->schema.version)) continue;
        if (tf->file == NULL) {
            values[c] = columnar_coldata_value(&t->rows, c, row);
        } else {
            st = columnar_table_read_column(t, tf, group, at / COLUMNAR_VECTOR_ROWS, c,
                                            w->row_scratch, &v, f);
            if (st != SEAM_OK) return st;
            values[c] = columnar_vec_value(&v, at % COLUMNAR_VECTOR_ROWS);
        }
        text_at[c] = w->text.size;
        if (values[c].type == SEAM_V_TEXT) seam_buf_append(&w->text, values[c].s, values[c].len);
    }
    if (!seam_buf_ok(&w->text)) return seam_no_memory(f, "a row");
    for (int c = 0; c < t->schema.column_count; c++)
        if (values[c].type == SEAM_V_TEXT)
            values[c].s = w->text.data == NULL ? "" : (const char *)w->text.data + text_at[c];
    return SEAM_OK;
}

enum seam_status columnar_writer_get(struct columnar_writer *w, int table,
                                     const struct seam_value *key_values, struct seam_value *values,
                                     struct seam_fault *f)
{
    struct columnar_table *t = &w->s.tables[table];
    struct columnar_table_file *tf;
    struct columnar_key128 key;
    uint64_t file;
    uint32_t row;
    enum seam_status st = w->poisoned != SEAM_OK ? columnar_writer_poisoned(w, f)
                                                 : columnar_writer_index(w, (size_t)table, f);

    if (st == SEAM_OK) st = columnar_keyindex_key(&t->schema, key_values, &w->scratch, &key, f);
    if (st != SEAM_OK) return st;
    if (!columnar_keyindex_find(&w->tables[table].index, key, &file, &row)) return SEAM_NOT_FOUND;
    tf = columnar_table_file_by_id(t, file);
    assert(tf != NULL);
    return read_row(w, t, tf, row, values, f);
}

/* ---- many rows ---- */

static enum seam_status index_new_rows(struct columnar_writer *w, int table, size_t from,
                                       struct seam_fault *f)
{
    struct columnar_table *t = &w->s.tables[table];
    struct columnar_table_writer *tw = &w->tables[table];
    enum seam_status st = SEAM_OK;

    if (t->schema.key_count == 0 || !tw->indexed) return SEAM_OK;
    for (size_t i = from; st == SEAM_OK && i < t->rows.rows; i++) {
        struct columnar_key128 key;

        for (int k = 0; k < t->schema.key_count; k++)
            w->values[t->schema.key[k]] = columnar_coldata_value(&t->rows, t->schema.key[k], i);
        st = columnar_keyindex_key(&t->schema, w->values, &w->scratch, &key, f);
        if (st == SEAM_OK)
            st = seam_no_memory_if(columnar_keyindex_put(&tw->index, key, t->tail.id, (uint32_t)i),
                                   f, "the warehouse");
    }
    return seam_no_memory_if(st, f, "the index of a table's keys");
}

enum seam_status columnar_append_columns(struct columnar_writer *w, int table,
                                         const struct columnar_column *columns, size_t rows,
                                         seam_lsn_t lsn, struct seam_fault *f)
{
    struct columnar_table *t = &w->s.tables[table];
    bool skip;
    size_t from;
    enum seam_status st = accept_lsn(w, table, lsn, &skip, f);

    if (st != SEAM_OK || skip || rows == 0) return st;
    for (int c = 0; c < t->schema.column_count; c++) {
        const struct seam_column *col = &t->schema.columns[c];

        if (!seam_column_live(col, t->schema.version) || col->nullable || columns[c].nulls == NULL)
            continue;
        if (seam_bitset_count(columns[c].nulls, rows) > 0)
            return seam_fault_set(f, SEAM_INVALID, t->schema.name, SEAM_FAULT_NO_OFFSET,
                                  "column %s may not be null", col->name);
    }
    if (t->rows.rows > 0 && t->rows.rows + rows > TAIL_SPILL_ROWS)
        st = columnar_writer_flush_tail(w, (size_t)table, f);
    if (st != SEAM_OK) return st;
    from = t->rows.rows;
    st = seam_no_memory_if(columnar_coldata_append_columns(&t->rows, columns, rows, lsn, NULL), f,
                           "the warehouse");
    if (st != SEAM_OK) {
        w->poisoned = st;
        return seam_fault_set(f, st, t->schema.name, SEAM_FAULT_NO_OFFSET, "no memory for %zu rows",
                              rows);
    }
    t->tail.rows = t->rows.rows;
    if (t->tail.lsn_min == 0) t->tail.lsn_min = lsn;
    t->tail.lsn_max = lsn;
    return index_new_rows(w, table, from, f);
}
