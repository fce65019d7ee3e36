/* Goal:   the row store equals a naive one, whatever is done to it, in any order, through crashes and restarts.
 * Method: one seed decides everything: transactions with nested savepoints, cursors that turn round, snapshots held across
 *         commits, AS OF, checkpoints, vacuum, reopenings, SIGKILL, power cuts, syncs that fail with a restart in the same
 *         boot. The naive store is an array, copied at each commit; after a crash the store must equal one of those copies,
 *         none older than what was acknowledged as durable. A run has a fresh seed, printed; SEED= STEPS= repeat one:
 *             make sim-oltp SEED=7 STEPS=100000 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/base/rng.h"
#include "engine/io/io_sim.h"
#include "oltp/oltp.h"
#include "tests/common/check_main.h"

enum { KEYS = 400, BODY_MAX = 12000, STATES = 400, SNAPSHOTS = 3, SAVES = 6, KEPT = 5 };

static const char table_json[] =
    "{\"table\":\"t\",\"version\":1,\"key\":[\"k\"],\"columns\":[{\"name\":\"k\",\"type\":"
    "\"int64\"},"
    "{\"name\":\"v\",\"type\":\"int64\"},{\"name\":\"body\",\"type\":\"text\"}],"
    "\"indexes\":[{\"name\":\"by_v\",\"columns\":[\"v\"]}]}";

struct cell {
    int32_t v; /* -1: no row */
    uint16_t body;
};
struct state {
    seam_lsn_t lsn;
    bool durable;
    struct cell at[KEYS];
};
struct snapshot {
    struct oltp_txn *t;
    struct state *is;
};
struct world {
    struct seam_rng r;
    struct seam_io_sim *sim;
    struct seam_io *io;
    struct seam_clock_sim clock;
    struct oltp *db;
    uint32_t table, by_v;
    struct state *states; /* of the commits, oldest first; the last is the newest */
    size_t count;
    struct snapshot held[SNAPSHOTS];
    uint64_t step, seed;
    bool dying; /* a fault is planted: calls may fail */
};

static void say(const struct world *w, const char *fmt, ...) SEAM_PRINTF_LIKE(2, 3);
static void say(const struct world *w, const char *fmt, ...)
{
    char text[900];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    ck_abort_msg("SEED=%llu step %llu: %s", (unsigned long long)w->seed,
                 (unsigned long long)w->step, text);
}

#define MUST(w, x)                                                                                 \
    do {                                                                                           \
        if (!(x)) say(w, "%s", #x);                                                                \
    } while (0)

static uint64_t below(struct world *w, uint64_t n)
{
    return seam_rng_below(&w->r, n);
}
static struct state *newest(struct world *w)
{
    return &w->states[w->count - 1];
}

/* A call that must succeed, unless a fault is planted: then false, and the handle is given up. */
static bool went(struct world *w, enum seam_status st, const struct seam_fault *f, const char *what)
{
    if (st == SEAM_OK) return true;
    if (!w->dying) say(w, "%s: %s: %s", what, seam_status_name(st), f->why);
    return false;
}

/* ---- comparing ---- */

static void values(int k, struct cell c, struct seam_value v[3])
{
    static char body[BODY_MAX];

    memset(body, 'a' + k % 26, sizeof body);
    v[0] = seam_v_int(k);
    v[1] = seam_v_int(c.v);
    v[2] = seam_v_text(body, c.body);
}

static int row_key(struct world *w, struct oltp_txn *t, const struct oltp_row *row,
                   const struct cell *is)
{
    struct seam_value v[3], want[3];
    struct seam_fault f = {0};

    if (seam_row_decode(oltp_schema(t, w->table), row->row.data, row->row.size, v, &f) != SEAM_OK)
        say(w, "a row does not decode: %s", f.why);
    MUST(w, v[0].i >= 0 && v[0].i < KEYS);
    values((int)v[0].i, is[v[0].i], want);
    MUST(w, v[1].i == want[1].i && v[2].len == want[2].len &&
                memcmp(v[2].s, want[2].s, v[2].len) == 0);
    return (int)v[0].i;
}

static int neighbour(const struct cell *is, int k, int step)
{
    do k += step;
    while (k >= 0 && k < KEYS && is[k].v < 0);
    return k;
}

/* A cursor walks and turns round as it likes; it stands between `left` and the next row to the right. */
static void check_walk(struct world *w, struct oltp_txn *t, const struct cell *is, int steps)
{
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_fault f = {0};
    int left = -1, bias = (int)below(w, 100);
    bool fresh = true;

    if (!went(w, oltp_cursor_open(t, w->table, 0, NULL, 0, &c, &f), &f, "cursor")) return;
    for (int i = 0; i < steps; i++) {
        bool forward = below(w, 100) < (uint64_t)bias;
        int want = forward ? neighbour(is, left, 1) : left;
        enum seam_status st;

        if (fresh && !forward) left = neighbour(is, KEYS, -1), want = left;
        fresh = false;
        st = forward ? oltp_cursor_next(c, &row, &f) : oltp_cursor_prev(c, &row, &f);
        if (want < 0 || want >= KEYS) {
            if (st == SEAM_END) continue;
            if (went(w, st, &f, "step")) say(w, "a row beyond the end");
            break;
        }
        if (st == SEAM_END) say(w, "the end, not row %d", want);
        if (!went(w, st, &f, "step")) break;
        if (row_key(w, t, &row, is) != want) say(w, "not row %d", want);
        left = forward ? want : neighbour(is, want, -1);
    }
    oltp_cursor_close(c);
}

static void check_all(struct world *w, struct oltp_txn *t, const struct cell *is, const char *what)
{
    uint64_t rows = 0, entries = 0;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_fault f = {0};
    int64_t last = -1;
    int at = -1;
    enum seam_status st;

    if (!went(w, oltp_cursor_open(t, w->table, 0, NULL, 0, &c, &f), &f, what)) return;
    while ((st = oltp_cursor_next(c, &row, &f)) == SEAM_OK) {
        at = neighbour(is, at, 1);
        if (at >= KEYS || row_key(w, t, &row, is) != at)
            say(w, "%s: another row than %d", what, at);
        rows++;
    }
    oltp_cursor_close(c);
    if (st != SEAM_END && !went(w, st, &f, what)) return;
    if (neighbour(is, at, 1) < KEYS) say(w, "%s: row %d is missing", what, neighbour(is, at, 1));
    if (!went(w, oltp_cursor_open(t, w->table, w->by_v, NULL, 0, &c, &f), &f, what)) return;
    while ((st = oltp_cursor_next(c, &row, &f)) == SEAM_OK) {
        int k = row_key(w, t, &row, is);

        MUST(w, is[k].v >= last);
        last = is[k].v;
        entries++;
    }
    oltp_cursor_close(c);
    if (st != SEAM_END && !went(w, st, &f, what)) return;
    MUST(w, entries == rows && oltp_count(t, w->table, 0) == rows);
}

static void check_newest(struct world *w, struct oltp *db, const struct cell *is, const char *what)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};

    if (!went(w, oltp_read_begin(db, &t, &f), &f, what)) return;
    check_all(w, t, is, what);
    oltp_end(t);
}

/* ---- changing ---- */

static void one_change(struct world *w, struct oltp_txn *t, struct cell *is, struct seam_fault *f,
                       bool *alive)
{
    int k = (int)below(w, KEYS);
    bool there = is[k].v >= 0;
    struct cell c = {(int32_t)below(w, 50), (uint16_t)below(w, below(w, 20) == 0 ? BODY_MAX : 200)};
    struct seam_value v[3];
    struct oltp_row row;
    enum seam_status st, want = SEAM_OK;

    values(k, c, v);
    switch (below(w, 8)) {
    case 0:
        st = oltp_insert(t, w->table, v, f);
        want = there ? SEAM_EXISTS : SEAM_OK;
        break;
    case 1:
        st = oltp_update(t, w->table, v, f);
        want = there ? SEAM_OK : SEAM_NOT_FOUND;
        break;
    case 2:
    case 3:
        st = oltp_delete(t, w->table, v, f);
        want = there ? SEAM_OK : SEAM_NOT_FOUND;
        c.v = -1;
        break;
    case 4:
        st = oltp_get(t, w->table, v, &row, f);
        want = there ? SEAM_OK : SEAM_NOT_FOUND;
        if (st == SEAM_OK) (void)row_key(w, t, &row, is);
        c = is[k];
        break;
    default: st = oltp_put(t, w->table, v, f); break;
    }
    if (st != want) {
        *alive = went(w, st, f, "a change");
        if (*alive) say(w, "a change was not refused with %s", seam_status_name(want));
        return;
    }
    if (st == SEAM_OK) is[k] = c;
    seam_fault_clear(f);
}

static void note_commit(struct world *w, const struct cell *is, const struct oltp_commit *c,
                        bool durable)
{
    struct state *s;

    if (w->count == STATES) {
        memmove(w->states, w->states + STATES / 2, STATES / 2 * sizeof *w->states);
        w->count = STATES / 2;
    }
    s = &w->states[w->count++];
    s->lsn = c->lsn;
    memcpy(s->at, is, sizeof s->at);
    s->durable = durable;
    for (size_t i = w->count; durable && i-- > 0 && (i + 1 == w->count || !w->states[i].durable);)
        w->states[i].durable = true;
}

/* False: the handle is done for. */
static bool transaction(struct world *w)
{
    static struct cell is[KEYS], saved[SAVES][KEYS];
    uint32_t ids[SAVES], saves = 0;
    struct oltp_txn *t = NULL;
    struct oltp_commit c;
    struct seam_fault f = {0};
    bool alive = true;
    int changes = (int)below(w, 40);

    memcpy(is, newest(w)->at, sizeof is);
    if (!went(w, oltp_write_begin(w->db, &t, &f), &f, "begin")) return false;
    for (int i = 0; i < changes && alive; i++) {
        switch (below(w, 24)) {
        case 0:
            if (saves == SAVES) break;
            alive = went(w, oltp_savepoint(t, &ids[saves], &f), &f, "savepoint");
            memcpy(saved[saves++], is, sizeof is);
            break;
        case 1:
            if (saves == 0) break;
            saves = (uint32_t)below(w, saves) + 1; /* back to one of them, which stays */
            alive = went(w, oltp_rollback_to(t, ids[saves - 1], &f), &f, "rollback to");
            memcpy(is, saved[saves - 1], sizeof is);
            break;
        case 2:
            if (saves == 0) break;
            saves = (uint32_t)below(w, saves);
            alive = went(w, oltp_release(t, ids[saves], &f), &f, "release");
            break;
        case 3: check_walk(w, t, is, 30); break;
        default: one_change(w, t, is, &f, &alive); break;
        }
    }
    if (!alive || below(w, 5) == 0) {
        oltp_end(t);
        return alive;
    }
    alive = below(w, 3) == 0;
    if (!went(w, oltp_commit(t, alive ? OLTP_DURABLE : OLTP_DEFERRED, &c, &f), &f, "commit")) {
        /* It may have happened: one more state that a restart may show. */
        note_commit(w, is, &(struct oltp_commit){.lsn = SEAM_LSN_MAX}, false);
        return false;
    }
    if (c.changes > 0) note_commit(w, is, &c, alive);
    return true;
}

/* ---- restarts ---- */

static void let_go(struct world *w)
{
    for (int i = 0; i < SNAPSHOTS; i++) {
        oltp_end(w->held[i].t);
        free(w->held[i].is);
        w->held[i] = (struct snapshot){0};
    }
}

static void open_again(struct world *w)
{
    struct oltp_options o = {.clock = &w->clock.clock,
                             .cache_bytes = OLTP_CACHE_MIN,
                             .checkpoint_log_bytes = below(w, 2) ? UINT64_MAX : 200 << 10,
                             .retain_checkpoints = KEPT};
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    seam_lsn_t lsn;
    size_t i;

    w->dying = false;
    w->db = NULL;
    (void)went(w, oltp_open(w->io, "oltp", &o, &w->db, &f), &f, "open");
    (void)went(w, oltp_read_begin(w->db, &t, &f), &f, "read");
    lsn = oltp_txn_lsn(t);
    for (i = w->count;
         i-- > 0;) { /* which commit is it? One that was interrupted has no LSN yet. */
        struct state *s = &w->states[i];

        if (s->lsn == lsn || (s->lsn == SEAM_LSN_MAX && (i == 0 || w->states[i - 1].lsn < lsn)))
            break;
        if (s->durable)
            say(w, "at LSN %llu: the durable commit at %llu is lost", (unsigned long long)lsn,
                (unsigned long long)s->lsn);
    }
    MUST(w, i < w->count);
    w->count = i + 1;
    newest(w)->lsn = lsn;
    newest(w)->durable = true;
    check_all(w, t, newest(w)->at, "after a restart");
    oltp_end(t);
}

/* A fault is planted, and work goes on until something fails (or a while); then the machine or the process is gone. */
static void crash(struct world *w)
{
    bool restart =
        below(w, 3) == 0; /* a failed sync, and the process starts again in the same boot */
    uint64_t kind = below(w, 3);

    w->dying = true;
    if (restart)
        seam_io_sim_plant(w->sim, SEAM_SIM_SYNC_FAIL, 1 + below(w, 30), false);
    else if (kind != 0)
        seam_io_sim_plant(w->sim, SEAM_SIM_POWER_CUT, 1 + below(w, 60), false);
    for (int i = 0; i < 30; i++) {
        if (!transaction(w)) break;
        if (below(w, 6) == 0 && oltp_checkpoint(w->db, NULL) != SEAM_OK) break;
    }
    let_go(w);
    if (restart) {
        (void)oltp_close(w->db, NULL);
        seam_io_sim_clear(w->sim);
    } else {
        if (kind == 0) seam_io_sim_kill(w->sim);
        (void)oltp_close(w->db, NULL);
        if (kind != 0) {
            if (!seam_io_sim_fired(w->sim)) {
                seam_io_sim_plant(w->sim, SEAM_SIM_POWER_CUT, 1, false);
                ck_assert_int_ne(seam_io_mkdir(w->io, "cut", NULL), SEAM_OK);
            }
            seam_io_sim_reboot(w->sim);
        }
        seam_io_sim_clear(w->sim);
    }
    open_again(w);
}

/* ---- the past, and readers ---- */

static void as_of(struct world *w)
{
    size_t i = below(w, w->count);
    struct oltp_options o = {.read_only = true,
                             .clock = &w->clock.clock,
                             .cache_bytes = OLTP_CACHE_MIN,
                             .private_bytes = 16 << 20,
                             .as_of = w->states[i].lsn};
    struct oltp_checkpoint_info *kept = NULL;
    struct oltp *db = NULL;
    struct seam_fault f = {0};
    size_t n = 0;
    enum seam_status st;

    if (!w->states[i].durable) return;
    (void)went(w, oltp_checkpoints(w->io, "oltp", &kept, &n, &f), &f, "checkpoints");
    st = oltp_open(w->io, "oltp", &o, &db, &f);
    if (st == SEAM_NOT_FOUND) {
        if (w->states[i].lsn >= kept[0].lsn)
            say(w, "AS OF %llu is refused, the oldest kept is %llu: %s",
                (unsigned long long)w->states[i].lsn, (unsigned long long)kept[0].lsn, f.why);
    } else {
        (void)went(w, st, &f, "AS OF");
        MUST(w, oltp_lsn(db) == w->states[i].lsn);
        check_newest(w, db, w->states[i].at, "AS OF");
    }
    (void)oltp_close(db, NULL);
    free(kept);
}

static void hold(struct world *w)
{
    struct snapshot *s = &w->held[below(w, SNAPSHOTS)];
    struct seam_fault f = {0};

    if (s->t != NULL) {
        check_all(w, s->t, s->is->at, "a snapshot");
        if (below(w, 2) == 0) return;
        oltp_end(s->t);
        free(s->is);
        *s = (struct snapshot){0};
        return;
    }
    (void)went(w, oltp_read_begin(w->db, &s->t, &f), &f, "snapshot");
    s->is = malloc(sizeof *s->is);
    ck_assert_ptr_nonnull(s->is);
    *s->is = *newest(w);
}

static void verify(struct world *w)
{
    struct oltp_check check;
    struct seam_buf report = {0};
    struct seam_fault f = {0};
    enum seam_status st =
        oltp_verify(w->io, "oltp", "wal", &check, &report, (struct oltp_progress){0}, &f);

    if (st != SEAM_OK) say(w, "verify: %s\n%s", f.why, seam_buf_cstr(&report));
    seam_buf_free(&report);
}

static void one_step(struct world *w)
{
    struct seam_fault f = {0};
    uint64_t freed;

    seam_clock_sim_advance(&w->clock, 1000000);
    switch (below(w, 100)) {
    case 0: crash(w); break;
    case 1:
        let_go(w);
        (void)went(w, oltp_close(w->db, &f), &f, "close");
        newest(w)->durable = true;
        open_again(w);
        break;
    case 2: (void)went(w, oltp_checkpoint(w->db, &f), &f, "checkpoint"); break;
    case 3: as_of(w); break;
    case 4:
        if (below(w, 4) == 0) (void)went(w, oltp_vacuum(w->db, &freed, &f), &f, "vacuum");
        break;
    case 5: check_newest(w, w->db, newest(w)->at, "the newest state"); break;
    case 6: (void)went(w, oltp_heartbeat(w->db, &f), &f, "heartbeat"); break;
    case 7:
        if (below(w, 4) == 0) verify(w);
        break;
    case 8:
    case 9:
    case 10:
    case 11: hold(w); break;
    default: (void)transaction(w); break;
    }
}

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *s = getenv(name);

    return s != NULL && *s != '\0' ? strtoull(s, NULL, 10) : otherwise;
}

static void test_any_order_of_everything(void)
{
    struct world w = {.seed = number("SEED", (uint64_t)time(NULL))};
    uint64_t steps = number("STEPS", (uint64_t)test_scale(6000));
    struct oltp_txn *t = NULL;
    struct oltp_options o = {.cache_bytes = OLTP_CACHE_MIN, .retain_checkpoints = KEPT};
    struct oltp_commit c;
    struct seam_fault f = {0};
    static struct cell none[KEYS];

    printf("sim-oltp: SEED=%llu STEPS=%llu\n", (unsigned long long)w.seed,
           (unsigned long long)steps);
    fflush(stdout);
    seam_rng_seed(&w.r, w.seed);
    w.sim = seam_io_sim_new(w.seed);
    w.io = seam_io_sim_io(w.sim);
    w.states = malloc(STATES * sizeof *w.states);
    ck_assert_ptr_nonnull(w.states);
    seam_clock_sim_init(&w.clock, 1796083200000000ll);
    o.clock = &w.clock.clock;
    for (int k = 0; k < KEYS; k++) none[k].v = -1;
    ASSERT_OK(oltp_open(w.io, "oltp", &o, &w.db, &f), &f);
    ASSERT_OK(oltp_write_begin(w.db, &t, &f), &f);
    ASSERT_OK(oltp_create_table_json(t, table_json, sizeof table_json - 1, &w.table, &f), &f);
    ASSERT_OK(oltp_index(t, w.table, "by_v", &w.by_v, &f), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, &c, &f), &f);
    note_commit(&w, none, &c, true);
    for (w.step = 1; w.step <= steps; w.step++) one_step(&w);
    let_go(&w);
    ASSERT_OK(oltp_checkpoint(w.db, &f), &f);
    verify(&w);
    ASSERT_OK(oltp_close(w.db, &f), &f);
    seam_io_sim_free(w.sim);
    free(w.states);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {T(test_any_order_of_everything)};

    return run_tests("oltp sim", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
