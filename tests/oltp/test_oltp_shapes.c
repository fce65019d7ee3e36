/* Goal:   what the writer accepts, every reader accepts, and sees the same.
 * Method: every public call that leaves a trace is given ordinary and hostile input by a seeded generator. A refused
 *         call has changed nothing; an accepted one is committed, and then the database is opened in every way there
 *         is: by a writer that has the log alone, by a reader, AS OF the commit, by a writer and a reader from a
 *         checkpoint. Each must open and show the same tables, rows and counts; every event must read back. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "engine/io/io_sim.h"
#include "oltp/oltp.h"
#include "tests/common/check_main.h"

static const char table_json[] =
    "{\"table\":\"t\",\"version\":1,\"key\":[\"k\"],\"columns\":["
    "{\"name\":\"k\",\"type\":\"int64\"},{\"name\":\"v\",\"type\":\"int64\"},"
    "{\"name\":\"w\",\"type\":\"text\",\"nullable\":true}]}";

struct world {
    struct seam_io_sim *sim;
    struct seam_io *io;
    struct oltp *db;
    struct oltp_txn *t;
    uint32_t table;
};

static struct oltp_options options(void)
{
    return (struct oltp_options){.cache_bytes = OLTP_CACHE_MIN,
                                 .private_bytes = OLTP_CACHE_MIN,
                                 .checkpoint_log_bytes = UINT64_MAX,
                                 .retain_checkpoints = 4};
}

static void world_make(struct world *w, uint64_t seed)
{
    struct oltp_options o = options();
    struct seam_fault f = {0};

    *w = (struct world){.sim = seam_io_sim_new(seed)};
    w->io = seam_io_sim_io(w->sim);
    ASSERT_OK(oltp_open(w->io, "oltp", &o, &w->db, &f), &f);
    ASSERT_OK(oltp_write_begin(w->db, &w->t, &f), &f);
    ASSERT_OK(oltp_create_table_json(w->t, table_json, sizeof table_json - 1, &w->table, &f), &f);
    for (int k = 0; k < 5; k++) {
        struct seam_value v[3] = {seam_v_int(k), seam_v_int(k * 7), seam_v_text("x", 1)};

        ASSERT_OK(oltp_put(w->t, w->table, v, &f), &f);
    }
    ASSERT_OK(oltp_commit(w->t, OLTP_DURABLE, NULL, &f), &f);
}

static void world_end(struct world *w)
{
    ASSERT_OK(oltp_close(w->db, NULL), NULL);
    seam_io_sim_free(w->sim);
}

/* ---- what a handle shows, as text ---- */

static void show_value(const struct seam_value *v, struct seam_buf *out)
{
    seam_buf_printf(out, "[%d:%d:", v->type, v->type == SEAM_V_DECIMAL ? v->scale : 0);
    if (v->type == SEAM_V_TEXT)
        seam_buf_append(out, v->s, v->len);
    else if (v->type == SEAM_V_DOUBLE)
        seam_buf_printf(out, "%a", v->d);
    else if (v->type != SEAM_V_NULL)
        seam_buf_printf(out, "%lld", (long long)v->i);
    seam_buf_str(out, "]");
}

static void show_rows(struct oltp_txn *t, uint32_t table, uint32_t index, struct seam_buf *out)
{
    static struct seam_value v[SEAM_COLUMNS_MAX];
    const struct seam_schema *s = oltp_schema(t, table);
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_fault f = {0};
    enum seam_status st;

    seam_buf_printf(out, "index %u: %llu entries\n", index,
                    (unsigned long long)oltp_count(t, table, index));
    ASSERT_OK(oltp_cursor_open(t, table, index, NULL, 0, &c, &f), &f);
    while ((st = oltp_cursor_next(c, &row, &f)) == SEAM_OK) {
        ASSERT_OK(seam_row_decode(s, row.row.data, row.row.size, v, &f), &f);
        for (unsigned i = 0; i < s->column_count; i++) show_value(&v[i], out);
        seam_buf_str(out, "\n");
    }
    ck_assert_int_eq(st, SEAM_END);
    oltp_cursor_close(c);
}

static void show_txn(struct oltp_txn *t, struct seam_buf *out)
{
    uint32_t ids[64];
    size_t n = oltp_tables(t, ids, 64);

    seam_buf_clear(out);
    for (size_t i = 0; i < n; i++) {
        const struct seam_schema *s = oltp_schema(t, ids[i]);

        seam_schema_to_json(s, out);
        seam_buf_str(out, "\n");
        show_rows(t, ids[i], 0, out);
        for (unsigned x = 0; x < s->index_count; x++) show_rows(t, ids[i], s->indexes[x].id, out);
    }
    ck_assert(seam_buf_ok(out));
}

static void show(struct oltp *db, struct seam_buf *out)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    show_txn(t, out);
    oltp_end(t);
}

static void opens_the_same(struct world *w, const struct oltp_options *o, const char *way,
                           const char *what, const struct seam_buf *want)
{
    struct oltp *db = NULL;
    struct seam_buf got = {0};
    struct seam_fault f = {0};
    enum seam_status st = oltp_open(w->io, "oltp", o, &db, &f);

    ck_assert_msg(st == SEAM_OK, "%s: %s does not open: %s: %s", what, way, f.where, f.why);
    show(db, &got);
    ck_assert_msg(seam_buf_equal(&got, want), "%s: %s shows\n%s\nnot\n%s", what, way,
                  seam_buf_cstr(&got), seam_buf_cstr((struct seam_buf *)(uintptr_t)want));
    ASSERT_OK(oltp_close(db, &f), &f);
    seam_buf_free(&got);
}

/* Commits what the call did; then opens in every way. */
static void check_everywhere(struct world *w, const char *what)
{
    struct oltp_options writer = options(), reader = options(), as_of = options();
    struct oltp_commit c;
    struct oltp_check check;
    struct seam_buf want = {0}, report = {0};
    struct seam_fault f = {0};
    enum seam_status st = oltp_commit(w->t, OLTP_DURABLE, &c, &f);

    ck_assert_msg(st == SEAM_OK, "%s: commit: %s", what, f.why);
    show(w->db, &want);
    reader.read_only = as_of.read_only = true;
    as_of.as_of = c.lsn;
    opens_the_same(w, &reader, "a reader beside the writer", what, &want);
    ASSERT_OK(oltp_close(w->db, &f), &f);
    opens_the_same(w, &reader, "a reader", what, &want);
    opens_the_same(w, &as_of, "AS OF the commit", what, &want);
    opens_the_same(w, &writer, "a writer with the log alone", what, &want);
    ASSERT_OK(oltp_open(w->io, "oltp", &writer, &w->db, &f), &f);
    ASSERT_OK(oltp_checkpoint(w->db, &f), &f);
    ASSERT_OK(oltp_close(w->db, &f), &f);
    opens_the_same(w, &reader, "a reader from a checkpoint", what, &want);
    opens_the_same(w, &as_of, "AS OF the commit, after a checkpoint", what, &want);
    st = oltp_verify(w->io, "oltp", "wal", &check, &report, (struct oltp_progress){0}, &f);
    ck_assert_msg(st == SEAM_OK, "%s: verify: %s\n%s", what, f.why, seam_buf_cstr(&report));
    ASSERT_OK(oltp_open(w->io, "oltp", &writer, &w->db, &f), &f);
    seam_buf_free(&want);
    seam_buf_free(&report);
}

/* ---- the generator ---- */

static const char long_63[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char long_64[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char *const names[] = {"a",    "b",    "c_9", "_",   "v",          "w",    "k",
                                    "by-v", "by v", "",    "1st", "t.v",        "a\"b", "\xff\xfe",
                                    "a\nb", "x\\y", "key", "id",  "caf\xc3\xa9"};

static const char *random_name(struct seam_rng *r)
{
    size_t n = seam_rng_below(r, SEAM_ARRAY_LEN(names) + 2);

    return n < SEAM_ARRAY_LEN(names) ? names[n] : n == SEAM_ARRAY_LEN(names) ? long_63 : long_64;
}

/* As a caller's slip might: 64 letters leave no room for the terminator. */
static void put_name(char out[SEAM_NAME_MAX_BYTES], const char *name)
{
    size_t n = strlen(name) + 1;

    memset(out, 0, SEAM_NAME_MAX_BYTES);
    memcpy(out, name, n < SEAM_NAME_MAX_BYTES ? n : SEAM_NAME_MAX_BYTES);
}

static int64_t random_number(struct seam_rng *r)
{
    static const int64_t edges[] = {0,
                                    1,
                                    -1,
                                    2,
                                    INT64_MIN,
                                    INT64_MAX,
                                    1234567,
                                    100,
                                    -62300000000000000,
                                    316500000000000000,
                                    253402300800000000,
                                    -62135596800000001};

    return seam_rng_below(r, 3) == 0 ? (int64_t)seam_rng_u64(r)
                                     : edges[seam_rng_below(r, SEAM_ARRAY_LEN(edges))];
}

static struct seam_value random_value(struct seam_rng *r, int type)
{
    static const double doubles[] = {0.0, -0.0, 1.5, 5e-324, 1e308, -3.25};
    static const char *const texts[] = {"",     "x",    "a\"\\\n\t", "caf\xc3\xa9",
                                        "\xff", "\xc3", "{}",        "null"};
    static char big[70000];
    struct seam_value v = {.type = (uint8_t)type, .i = random_number(r)};

    memset(big, 'z', sizeof big);
    switch (type) {
    case SEAM_V_DOUBLE:
        v.d = doubles[seam_rng_below(r, SEAM_ARRAY_LEN(doubles))];
        if (seam_rng_below(r, 5) == 0) v.d = seam_rng_below(r, 2) == 0 ? NAN : INFINITY;
        break;
    case SEAM_V_DECIMAL: v.scale = (uint8_t)seam_rng_below(r, 21); break;
    case SEAM_V_BOOL: v.i = seam_rng_range(r, -1, 3); break;
    case SEAM_V_TEXT:
        v = seam_v_str(texts[seam_rng_below(r, SEAM_ARRAY_LEN(texts))]);
        if (seam_rng_below(r, 10) == 0) v = seam_v_text("a\0b", 3);
        if (seam_rng_below(r, 30) == 0) v = seam_v_text(big, sizeof big);
        break;
    default: break;
    }
    return v;
}

static struct seam_column random_column(struct seam_rng *r)
{
    struct seam_column c = {.type = (enum seam_value_type)seam_rng_below(r, 8),
                            .nullable = seam_rng_below(r, 2) == 0};

    put_name(c.name, random_name(r));
    if (c.type == SEAM_V_DECIMAL || seam_rng_below(r, 10) == 0)
        c.scale = (uint8_t)seam_rng_below(r, 20);
    c.def =
        seam_rng_below(r, 4) == 0
            ? seam_v_null()
            : random_value(r, seam_rng_below(r, 8) == 0 ? (int)seam_rng_below(r, 7) : (int)c.type);
    return c;
}

static enum seam_status call_add_column(struct world *w, struct seam_rng *r, struct seam_fault *f)
{
    struct seam_column c = random_column(r);

    return oltp_add_column(w->t, w->table, &c, f);
}

static enum seam_status call_drop_column(struct world *w, struct seam_rng *r, struct seam_fault *f)
{
    return oltp_drop_column(w->t, w->table, random_name(r), f);
}

static enum seam_status call_rename_column(struct world *w, struct seam_rng *r,
                                           struct seam_fault *f)
{
    return oltp_rename_column(w->t, w->table, random_name(r), random_name(r), f);
}

static enum seam_status call_create_index(struct world *w, struct seam_rng *r, struct seam_fault *f)
{
    const char *columns[SEAM_KEY_COLUMNS_MAX + 2];
    size_t n = seam_rng_below(r, 4) == 0 ? seam_rng_below(r, SEAM_ARRAY_LEN(columns) + 1)
                                         : 1 + seam_rng_below(r, 2);

    for (size_t i = 0; i < n; i++) columns[i] = seam_rng_below(r, 2) ? "v" : random_name(r);
    return oltp_create_index(w->t, w->table, random_name(r), columns, n, seam_rng_below(r, 2), f);
}

/* New ones are made and old ones dropped: more often than there are ids. */
static enum seam_status call_rotate_indexes(struct world *w, struct seam_rng *r,
                                            struct seam_fault *f)
{
    const char *columns[] = {"v"};
    uint64_t turns = seam_rng_range(r, 1, 40);
    char name[32], old[32] = "";

    for (uint64_t i = 0; i < turns; i++) {
        enum seam_status st;

        snprintf(name, sizeof name, "turn%llu", (unsigned long long)i);
        st = oltp_create_index(w->t, w->table, name, columns, 1, false, f);
        if (st == SEAM_OK && old[0] != '\0') st = oltp_drop_index(w->t, w->table, old, f);
        if (st != SEAM_OK) return st;
        memcpy(old, name, sizeof old);
    }
    return oltp_drop_index(w->t, w->table, name, f);
}

static enum seam_status call_drop_index(struct world *w, struct seam_rng *r, struct seam_fault *f)
{
    return oltp_drop_index(w->t, w->table, random_name(r), f);
}

/* A struct that was parsed, with one member changed to anything. */
static enum seam_status call_create_table(struct world *w, struct seam_rng *r, struct seam_fault *f)
{
    struct seam_schema s = {0};
    struct seam_column *c;
    struct seam_value keep;
    uint32_t id;
    enum seam_status st = seam_schema_parse(table_json, sizeof table_json - 1, &s, f);

    if (st != SEAM_OK) return st;
    snprintf(s.name, sizeof s.name, "u%llu", (unsigned long long)seam_rng_below(r, 1000));
    c = &s.columns[seam_rng_below(r, 3)];
    keep = c->def;
    s.index_count = (uint16_t)seam_rng_below(r, 3);
    s.indexes[0] = (struct seam_index_def){.name = "x", .id = 1, .count = 1, .columns = {1}};
    s.indexes[1] = (struct seam_index_def){.name = "y", .id = 9, .count = 2, .columns = {2, 1}};
    switch (seam_rng_below(r, 16)) {
    case 0: put_name(s.name, random_name(r)); break;
    case 1: put_name(c->name, random_name(r)); break;
    case 2: c->type = (enum seam_value_type)seam_rng_below(r, 9); break;
    case 3: c->nullable = !c->nullable; break;
    case 4: s.key_count = (uint16_t)seam_rng_below(r, 12); break;
    case 5: s.key[0] = (uint16_t)seam_rng_below(r, 9); break;
    case 6: c->added = (uint32_t)seam_rng_below(r, 6); break;
    case 7: c->dropped = (uint32_t)seam_rng_below(r, 6); break;
    case 8: s.version = (uint32_t)(seam_rng_below(r, 2) ? seam_rng_below(r, 9) : UINT32_MAX); break;
    case 9: c->id = (uint32_t)seam_rng_below(r, 6); break;
    case 10: s.indexes[0].id = (uint16_t)seam_rng_below(r, 60); break;
    case 11: s.indexes[1].count = (uint16_t)seam_rng_below(r, 12); break;
    case 12: s.indexes[0].columns[0] = (uint16_t)seam_rng_below(r, 9); break;
    case 13: put_name(s.indexes[1].name, random_name(r)); break;
    case 14: c->def = random_value(r, (int)seam_rng_below(r, 7)); break;
    default: c->scale = (uint8_t)seam_rng_below(r, 21); break;
    }
    st = oltp_create_table(w->t, &s, &id, f);
    c->def = keep;
    seam_schema_free(&s);
    return st;
}

static enum seam_status call_drop_table(struct world *w, struct seam_rng *r, struct seam_fault *f)
{
    return oltp_drop_table(w->t, (uint32_t)seam_rng_below(r, 4), f);
}

static enum seam_status call_row(struct world *w, struct seam_rng *r, struct seam_fault *f)
{
    static struct seam_value v[SEAM_COLUMNS_MAX];
    const struct seam_schema *s = oltp_schema(w->t, w->table);

    if (s == NULL) return oltp_put(w->t, w->table, v, f); /* the table is gone */
    for (unsigned i = 0; i < s->column_count; i++)
        v[i] = s->columns[i].nullable && seam_rng_below(r, 4) == 0
                   ? seam_v_null()
                   : random_value(r, seam_rng_below(r, 20) ? (int)s->columns[i].type
                                                           : (int)seam_rng_below(r, 8));
    v[0] = seam_v_int(seam_rng_range(r, 0, 9));
    switch (seam_rng_below(r, 5)) {
    case 0: return oltp_insert(w->t, w->table, v, f);
    case 1: return oltp_update(w->t, w->table, v, f);
    case 2: return oltp_update_if(w->t, w->table, v, (int)seam_rng_below(r, 4), &v[1], f);
    case 3: return oltp_delete(w->t, w->table, v, f);
    default: return oltp_put(w->t, w->table, v, f);
    }
}

static enum seam_status call_apply(struct world *w, struct seam_rng *r, struct seam_fault *f)
{
    uint8_t key[40], row[40];
    size_t n = seam_rng_below(r, sizeof key), m = seam_rng_below(r, sizeof row);

    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)seam_rng_below(r, 256);
    for (size_t i = 0; i < sizeof row; i++) row[i] = (uint8_t)seam_rng_below(r, 4);
    if (seam_rng_below(r, 2)) { /* a good key of the table */
        n = 9;
        key[0] = 2;
    }
    return oltp_apply(w->t, w->table, (enum wal_change_op)seam_rng_below(r, 5),
                      (uint8_t)seam_rng_below(r, 8), (struct wal_bytes){key, n},
                      (struct wal_bytes){row, m}, f);
}

static enum seam_status call_outbox(struct world *w, struct seam_rng *r, struct seam_fault *f)
{
    static const size_t sizes[] = {0, 1, 10, 254, 255, 256, 300, 65535, 65536, 65537, 100000};
    static uint8_t bytes[100001];
    static char topic[100001], type[100001];
    size_t key = sizes[seam_rng_below(r, SEAM_ARRAY_LEN(sizes))];

    memset(topic, 0, sizeof topic);
    memset(type, 0, sizeof type);
    memset(bytes, 'b', sizeof bytes);
    memset(topic, 't', sizes[seam_rng_below(r, 7)]);
    memset(type, seam_rng_below(r, 8) ? 'e' : 0xff, sizes[seam_rng_below(r, 7)]);
    return oltp_outbox_put(w->t, topic, (struct wal_bytes){bytes, key}, type,
                           (struct wal_bytes){bytes, seam_rng_below(r, 1000)}, f);
}

static const struct {
    const char *name;
    enum seam_status (*call)(struct world *w, struct seam_rng *r, struct seam_fault *f);
} calls[] = {
    {"oltp_add_column", call_add_column},
    {"oltp_drop_column", call_drop_column},
    {"oltp_rename_column", call_rename_column},
    {"oltp_create_index", call_create_index},
    {"rotated indexes", call_rotate_indexes},
    {"oltp_drop_index", call_drop_index},
    {"oltp_create_table", call_create_table},
    {"oltp_drop_table", call_drop_table},
    {"a row", call_row},
    {"oltp_apply", call_apply},
    {"oltp_outbox_put", call_outbox},
};

/* Every record that was committed is one that its readers take. */
static void events_read_back(struct world *w, const char *what)
{
    struct wal_reader *reader = NULL;
    struct wal_record rec;
    struct seam_fault f = {0};

    ASSERT_OK(wal_reader_open(w->io, "wal", SEAM_LSN_NONE, 0, &reader, &f), &f);
    while (wal_reader_next(reader, &rec, &f) == SEAM_OK) {
        struct wal_change_outbox o;
        struct wal_change_row row;
        struct wal_bytes type, payload;
        enum seam_status st = SEAM_OK;

        if (rec.type == WAL_CHANGE_ROW) st = wal_change_get_row(rec.data, rec.size, &row, &f);
        if (rec.type == WAL_CHANGE_OUTBOX) {
            st = wal_change_get_outbox(rec.data, rec.size, &o, &f);
            if (st == SEAM_OK) st = oltp_outbox_get(o.payload, &type, &payload, &f);
        }
        ck_assert_msg(st == SEAM_OK, "%s: a record in the log: %s", what, f.why);
    }
    wal_reader_close(reader);
}

static void test_what_is_accepted_is_read_by_everybody(void)
{
    int turns = test_scale(60), accepted = 0, refused = 0;

    for (int i = 0; i < turns; i++) {
        uint64_t seed = test_seed() + (uint64_t)i;
        struct seam_rng r;
        struct world w;

        seam_rng_seed(&r, seed);
        world_make(&w, seed);
        for (int k = 0; k < 8; k++) {
            size_t which = seam_rng_below(&r, SEAM_ARRAY_LEN(calls));
            struct seam_buf before = {0}, after = {0};
            struct seam_fault f = {0};
            enum seam_status st;
            char what[80];

            snprintf(what, sizeof what, "SEED=%llu step %d, %s", (unsigned long long)seed, k,
                     calls[which].name);
            ASSERT_OK(oltp_write_begin(w.db, &w.t, &f), &f);
            show_txn(w.t, &before);
            st = calls[which].call(&w, &r, &f);
            show_txn(w.t, &after);
            if (st != SEAM_OK && calls[which].call != call_rotate_indexes) {
                ck_assert_msg(seam_buf_equal(&before, &after), "%s: refused (%s), yet changed",
                              what, f.why);
                ck_assert_msg(f.why[0] != '\0', "%s: refused without a word", what);
            }
            accepted += st == SEAM_OK;
            refused += st != SEAM_OK;
            check_everywhere(&w, what);
            events_read_back(&w, what);
            seam_buf_free(&before);
            seam_buf_free(&after);
        }
        world_end(&w);
    }
    ck_assert_int_gt(accepted, turns);
    ck_assert_int_gt(refused, turns);
}

/* Shapes that were accepted once, and then never opened again or came back as others. */
static enum seam_status index_named(struct world *w, const char *name, struct seam_fault *f)
{
    const char *columns[] = {"v"};

    return oltp_create_index(w->t, w->table, name, columns, 1, false, f);
}

static void test_shapes_that_no_reader_takes_are_refused(void)
{
    static const char *const bad[] = {"by-v", "by v", "", "1st", "t.v", "a\"b", "\xff\xfe"};
    const char *twice[] = {"v", "v"};
    const struct seam_value defaults[] = {
        seam_v_text("a\xff", 2), {.type = SEAM_V_BOOL, .i = 2}, seam_v_int(5), seam_v_null()};
    const enum seam_value_type types[] = {SEAM_V_TEXT, SEAM_V_BOOL, SEAM_V_TEXT, SEAM_V_INT};
    struct world w;
    struct seam_fault f = {0};

    world_make(&w, test_seed());
    ASSERT_OK(oltp_write_begin(w.db, &w.t, &f), &f);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(bad); i++)
        ASSERT_STATUS(index_named(&w, bad[i], NULL), SEAM_INVALID);
    ASSERT_STATUS(index_named(&w, long_64, NULL), SEAM_LIMIT);
    ASSERT_OK(index_named(&w, long_63, &f), &f);
    ASSERT_STATUS(oltp_create_index(w.t, w.table, "i", twice, 2, false, &f), SEAM_INVALID);
    ck_assert_msg(strstr(f.why, "names v twice") != NULL, "it says: %s", f.why);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(defaults); i++) {
        struct seam_column c = {.name = "c", .type = types[i], .def = defaults[i]};

        ASSERT_STATUS(oltp_add_column(w.t, w.table, &c, NULL), SEAM_INVALID);
    }
    check_everywhere(&w, "refused shapes");
    world_end(&w);
}

static void test_indexes_rotate_for_ever(void)
{
    const char *columns[] = {"v"};
    struct world w;
    struct seam_fault f = {0};
    char name[24], old[24] = "";

    world_make(&w, test_seed());
    for (int i = 0; i < 100; i++) {
        ASSERT_OK(oltp_write_begin(w.db, &w.t, &f), &f);
        snprintf(name, sizeof name, "i%d", i);
        ASSERT_OK(oltp_create_index(w.t, w.table, name, columns, 1, i % 2 == 0, &f), &f);
        if (i > 0) ASSERT_OK(oltp_drop_index(w.t, w.table, old, &f), &f);
        memcpy(old, name, sizeof old);
        if (i % 10 == 9)
            check_everywhere(&w, "a rotation");
        else
            ASSERT_OK(oltp_commit(w.t, OLTP_DURABLE, NULL, &f), &f);
    }
    world_end(&w);
}

/* A shape that the rooms downstream could not keep is refused before it is in the log. */
static void test_a_shape_has_a_size(void)
{
    static char big[OLTP_SCHEMA_MAX];
    struct seam_column c = {.name = "c", .type = SEAM_V_TEXT};
    struct world w;
    struct seam_fault f = {0};

    memset(big, 'z', sizeof big);
    world_make(&w, test_seed());
    ASSERT_OK(oltp_write_begin(w.db, &w.t, &f), &f);
    c.def = seam_v_text(big, sizeof big);
    ASSERT_STATUS(oltp_add_column(w.t, w.table, &c, &f), SEAM_LIMIT);
    c.def = seam_v_text(big, sizeof big - 1000);
    seam_fault_clear(&f);
    ASSERT_OK(oltp_add_column(w.t, w.table, &c, &f), &f);
    check_everywhere(&w, "a large shape");
    world_end(&w);
}

static void test_events_have_one_length_for_both_sides(void)
{
    char topic[300], type[300];
    uint8_t key[1] = {'1'};
    struct wal_bytes id = {key, 1}, body = {key, 1}, got_type, got;
    struct seam_buf logged = {0};
    struct world w;
    struct seam_fault f = {0};

    memset(topic, 't', sizeof topic);
    memset(type, 'e', sizeof type);
    world_make(&w, test_seed());
    ASSERT_OK(oltp_write_begin(w.db, &w.t, &f), &f);
    topic[255] = type[255] = '\0';
    ASSERT_OK(oltp_outbox_put(w.t, topic, id, type, body, &f), &f);
    type[255] = 'e';
    type[256] = '\0';
    ASSERT_STATUS(oltp_outbox_put(w.t, topic, id, type, body, &f), SEAM_LIMIT);
    ck_assert_msg(strstr(f.why, "type of 256 bytes") != NULL, "it says: %s", f.why);
    check_everywhere(&w, "an event");
    events_read_back(&w, "an event");
    world_end(&w);
    /* One that an older writer let through is named, and what there is of it is given. */
    seam_fault_clear(&f);
    seam_buf_lenstr(&logged, type, 256);
    seam_buf_str(&logged, "{}");
    ASSERT_STATUS(
        oltp_outbox_get((struct wal_bytes){logged.data, logged.size}, &got_type, &got, &f),
        SEAM_CORRUPT);
    ck_assert_uint_eq(got_type.size, 256);
    ck_assert_uint_eq(got.size, 2);
    seam_buf_free(&logged);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_shapes_that_no_reader_takes_are_refused),
        T(test_indexes_rotate_for_ever),
        T(test_a_shape_has_a_size),
        T(test_events_have_one_length_for_both_sides),
        T(test_what_is_accepted_is_read_by_everybody),
    };

    return run_tests("oltp_shapes", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
