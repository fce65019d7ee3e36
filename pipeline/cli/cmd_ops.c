/* cmd_ops - care for the row store: stats, doctor, checkpoint, vacuum, clone, salvage. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/row.h"
#include "oltp/oltp.h"
#include "pipeline/cli/cli.h"
#include "pipeline/relay/relay.h"
#include "pipeline/stream/stream.h"
#include "wal/wal.h"

#define CLOCK_AHEAD_US ((int64_t)3600 * 1000000) /* clocks of machines differ; not by an hour */

/* ---- stats ---- */

static void print_trees(struct cli *c, struct oltp_txn *t)
{
    uint32_t ids[64];
    size_t n = oltp_tables(t, ids, SEAM_ARRAY_LEN(ids));
    struct cli_table_out out;

    table_begin(&out, 7, 0x7e);
    table_cell(&out, "tree");
    table_cell(&out, "entries");
    table_cell(&out, "depth");
    table_cell(&out, "leaves");
    table_cell(&out, "inner pages");
    table_cell(&out, "overflow");
    table_cell(&out, "fill");
    for (size_t i = 0; i < n && i < SEAM_ARRAY_LEN(ids); i++) {
        const struct seam_schema *s = oltp_schema(t, ids[i]);

        for (int k = -1; k < s->index_count; k++) {
            struct oltp_tree_stats tree;

            if (oltp_tree_stats(t, ids[i], k < 0 ? 0 : s->indexes[k].id, &tree, NULL) != SEAM_OK)
                continue;
            table_cell(&out, "%s%s%s", s->name, k < 0 ? "" : ".", k < 0 ? "" : s->indexes[k].name);
            table_cell(&out, "%" PRIu64, tree.entries);
            table_cell(&out, "%" PRIu64, tree.depth);
            table_cell(&out, "%" PRIu64, tree.leaves);
            table_cell(&out, "%" PRIu64, tree.inners);
            table_cell(&out, "%" PRIu64, tree.overflow_pages);
            table_cell(&out, "%.0f %%", tree.fill * 100);
        }
    }
    table_print(c, &out);
}

/* The cache of this process, which has just read every tree. */
static void print_cache(const struct oltp_stats *s)
{
    char used[32], budget[32];
    uint64_t hits = s->uses > s->loads ? s->uses - s->loads : 0;

    printf("cache         %s of %s; %" PRIu64 " pages asked for, %.1f %% hits, %" PRIu64
           " evicted, %" PRIu64 " written back early, %" PRIu64 " read ahead\n",
           human_bytes(s->cache_used, used), human_bytes(s->cache_bytes, budget), s->uses,
           s->uses > 0 ? 100.0 * (double)hits / (double)s->uses : 100.0, s->evictions,
           s->write_backs, s->read_ahead);
}

/* Which history is told, and when it last was not a plain going on. */
static void print_history(struct cli *c, const struct platform *p)
{
    char dir[SEAM_PATH_MAX_BYTES];
    struct wal_history *list = NULL;
    size_t count = 0, turn;

    if (platform_path(p, "wal", dir, NULL) != SEAM_OK ||
        wal_histories(c->io, dir, &list, &count, NULL) != SEAM_OK)
        return;
    for (turn = count - 1; turn > 0 && list[turn].why == WAL_HISTORY_OPENED;) turn--;
    printf("history       %016" PRIx64 " from LSN %" PRIu64
           ", the %zu. listed; last turn: %s at LSN %" PRIu64 "\n",
           list[count - 1].id, list[count - 1].at, count, wal_history_why_name(list[turn].why),
           list[turn].at);
    free(list);
}

int cmd_stats(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    struct platform p;
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct oltp_stats s;
    char a[32], b[32];
    int count;
    int rc = cli_parse(c, argc, argv, NULL, 0, args, &count, 1, 1);
    enum seam_status st;

    if (rc >= 0) return rc;
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    st = platform_open_reader(&p, SEAM_LSN_MAX, INT64_MIN, &db, &c->fault);
    if (st == SEAM_OK) st = oltp_read_begin(db, &t, &c->fault);
    if (st == SEAM_OK) {
        print_trees(c, t);
        oltp_stats(db, &s);
        printf("\npage file     %s in %" PRIu64 " pages of %" PRIu64 " bytes, %" PRIu64 " free\n",
               human_bytes(s.file_bytes, a), s.pages, s.page_size, s.free_pages);
        printf("checkpoint    LSN %" PRIu64 "; log since then %s (what a recovery would replay)\n",
               s.checkpoint_lsn, human_bytes(s.checkpoint_log_bytes, b));
        printf("opening now   replayed %" PRIu64 " changes in %.1f ms\n", s.replayed_changes,
               (double)s.replay_ns / 1e6);
        print_cache(&s);
        print_history(c, &p);
        cli_footer(c, s.lsn, -1, NULL);
    }
    oltp_end(t);
    (void)oltp_close(db, NULL);
    platform_close(&p);
    return st == SEAM_OK ? EXIT_FINE : cli_fail(c, st);
}

/* ---- doctor: the clock, and who holds back space, and what it costs ---- */

static const char *pin_name(enum oltp_pin_kind k)
{
    return k == OLTP_PIN_READER      ? "reader"
           : k == OLTP_PIN_RETENTION ? "kept checkpoint"
                                     : "transaction";
}

static void pin_line(struct cli_table_out *t, const char *kind, const char *holder, int64_t pid,
                     bool alive, seam_lsn_t lsn, int64_t age_us, uint64_t bytes, const char *note)
{
    char size[32], age[32];

    table_cell(t, "%s", kind);
    table_cell(t, "%s", holder);
    if (pid > 0)
        table_cell(t, "%" PRId64 "%s", pid, alive ? "" : " (dead)");
    else
        table_cell(t, "-");
    table_cell(t, "%" PRIu64, lsn);
    table_cell(t, "%s", human_duration(age_us, age));
    table_cell(t, "%s", human_bytes(bytes, size));
    table_cell(t, "%s", note);
}

static enum seam_status list_pins(struct cli *c, const struct platform *p, struct cli_table_out *t,
                                  int *warnings)
{
    struct oltp_pin pins[OLTP_PINS_MAX + 64];
    struct wal_slot_info slots[WAL_SLOTS_MAX];
    char dir[SEAM_PATH_MAX_BYTES];
    size_t n = 0;
    int64_t now = seam_clock_wall_us(c->clock);
    enum seam_status st = platform_path(p, "oltp", dir, &c->fault);

    if (st == SEAM_OK) st = oltp_pins(p->io, dir, NULL, pins, SEAM_ARRAY_LEN(pins), &n, &c->fault);
    for (size_t i = 0; st == SEAM_OK && i < n; i++)
        pin_line(t, pin_name(pins[i].kind), pins[i].holder, pins[i].pid, pins[i].alive, pins[i].lsn,
                 now - pins[i].since_us, pins[i].log_bytes,
                 pins[i].kind == OLTP_PIN_RETENTION || pins[i].alive
                     ? ""
                     : "released: its process is gone");
    if (st == SEAM_OK) st = platform_path(p, "wal", dir, &c->fault);
    if (st == SEAM_OK) st = wal_slots(p->io, dir, slots, &n, &c->fault);
    for (size_t i = 0; st == SEAM_OK && i < n; i++) {
        char invalid[WAL_REASON_MAX + SEAM_PATH_MAX_BYTES + 80];
        bool close =
            slots[i].bound_bytes > 0 && slots[i].held_bytes > slots[i].bound_bytes / 10 * 8;

        *warnings += close || slots[i].invalid || slots[i].damaged;
        snprintf(invalid, sizeof invalid,
                 "%s: seam relay goes on if the log is still there, else seam bootstrap %s",
                 slots[i].reason, p->dir);
        pin_line(t, "log slot", slots[i].name, slots[i].holder_pid, slots[i].holder_alive,
                 slots[i].confirmed, now - slots[i].updated_us, slots[i].held_bytes,
                 slots[i].damaged
                     ? "WARNING: damaged, so the whole log is kept: seam slot DIR drop NAME"
                 : slots[i].invalid ? invalid
                 : close            ? "WARNING: over 80 % of its bound"
                                    : "");
    }
    return st;
}

static enum seam_status list_consumers(struct cli *c, const struct platform *p,
                                       struct cli_table_out *t, int *warnings)
{
    struct stream_consumers *consumers = NULL;
    struct stream_consumer list[STREAM_CONSUMERS_MAX];
    struct stream_state state = {0};
    char dir[SEAM_PATH_MAX_BYTES];
    size_t n = 0;
    int64_t now = seam_clock_wall_us(c->clock);
    enum seam_status st = platform_path(p, "stream", dir, &c->fault);

    if (st == SEAM_OK) st = stream_state(p->io, dir, &state, &c->fault);
    if (st == SEAM_OK) st = stream_consumers_look(p->io, dir, &consumers, &c->fault);
    if (st == SEAM_OK) n = stream_consumers_list(consumers, list);
    for (size_t i = 0; i < n; i++) {
        *warnings += list[i].invalid;
        pin_line(t, "stream consumer", list[i].name, list[i].pid, list[i].alive, list[i].lsn,
                 now - list[i].updated_us, state.lsn > list[i].lsn ? state.lsn - list[i].lsn : 0,
                 list[i].invalid ? "must bootstrap: seam bootstrap DIR, then run it" : "");
    }
    stream_consumers_close(consumers);
    return st;
}

/* What the log's living writer could not do while nobody was told by a return. */
static enum seam_status check_background(struct cli *c, const struct platform *p,
                                         struct seam_buf *says, int *warnings)
{
    struct wal_state state;
    char dir[SEAM_PATH_MAX_BYTES], age[32];
    enum seam_status st = platform_path(p, "wal", dir, &c->fault);

    if (st == SEAM_OK) st = wal_state(p->io, dir, &state, &c->fault);
    if (st != SEAM_OK || state.trouble_status == SEAM_OK) return st;
    ++*warnings;
    seam_buf_printf(
        says,
        "WARNING: work in the background fails since %s (checkpoint, or letting log go): %s\n",
        human_duration(seam_clock_wall_us(c->clock) - state.trouble_us, age), state.trouble);
    return SEAM_OK;
}

/* Commit times never step back: a last one in the future holds all that follow. */
static enum seam_status check_clock(struct cli *c, const struct platform *p, struct seam_buf *says,
                                    int *warnings)
{
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    int64_t ahead = 0;
    char when[41], by[32];
    enum seam_status st = platform_open_reader(p, SEAM_LSN_MAX, INT64_MIN, &db, &c->fault);

    if (st == SEAM_OK) st = oltp_read_begin(db, &t, &c->fault);
    if (st == SEAM_OK) {
        ahead = oltp_txn_wall_us(t) - seam_clock_wall_us(c->clock);
        when[seam_time_format(oltp_txn_wall_us(t), when)] = '\0';
    }
    if (ahead > CLOCK_AHEAD_US) {
        ++*warnings;
        seam_buf_printf(says,
                        "WARNING: the last commit's time is %s, %s after this machine's clock: "
                        "commits get that time until then, and AS OF TIME cannot tell them apart. "
                        "When the clock is right: seam doctor %s --mend-clock\n",
                        when, human_duration(ahead, by), p->dir);
    }
    oltp_end(t);
    (void)oltp_close(db, NULL);
    return st;
}

static int mend_clock(struct cli *c, const struct platform *p)
{
    struct platform_source source = {0};
    struct oltp_commit commit = {0};
    char when[41];
    enum seam_status st = platform_open_source(p, &source, &c->fault);

    if (st == SEAM_OK) {
        st = oltp_clock_mend(source.db, &commit, &c->fault);
        st = platform_close_source(&source, st, &c->fault);
    }
    if (st != SEAM_OK) return cli_fail(c, st);
    when[seam_time_format(commit.wall_us, when)] = '\0';
    printf("commit times go on from %s, after LSN %" PRIu64 "\n", when, commit.lsn);
    return EXIT_FINE;
}

int cmd_doctor(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    bool mend = false;
    const struct seam_opt opts[] = {
        {"mend-clock", 0, SEAM_OPT_FLAG, NULL,
         "commit times go on from this machine's clock, though the last lies after it", &mend},
    };
    struct platform p;
    struct cli_table_out t;
    struct seam_buf says = {0};
    int count, warnings = 0;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 1);
    enum seam_status st;

    if (rc >= 0) return rc;
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    if (mend) {
        rc = mend_clock(c, &p);
        platform_close(&p);
        return rc;
    }
    table_begin(&t, 7, 1u << 3 | 1u << 5);
    table_cell(&t, "pin");
    table_cell(&t, "holder");
    table_cell(&t, "process");
    table_cell(&t, "LSN");
    table_cell(&t, "age");
    table_cell(&t, "holds back");
    table_cell(&t, "note");
    st = list_pins(c, &p, &t, &warnings);
    if (st == SEAM_OK) st = list_consumers(c, &p, &t, &warnings);
    if (st == SEAM_OK) st = check_background(c, &p, &says, &warnings);
    if (st == SEAM_OK) st = check_clock(c, &p, &says, &warnings);
    table_print(c, &t);
    platform_close(&p);
    cli_print(&says);
    seam_buf_free(&says);
    if (st != SEAM_OK) return cli_fail(c, st);
    printf("%s\n", warnings == 0 ? "nothing holds back more than it may" : "see the warnings");
    return warnings == 0 ? EXIT_FINE : EXIT_CHECK_FAILED;
}

/* ---- vacuum ---- */

/* Moving pages needs new checkpoints, which take the place of the kept ones: says which states go. */
static enum seam_status say_what_goes(struct cli *c, const struct platform *p)
{
    struct oltp_checkpoint_info *kept = NULL;
    char dir[SEAM_PATH_MAX_BYTES], when[41];
    size_t n = 0, go = 0;
    int64_t now = seam_clock_wall_us(c->clock);
    enum seam_status st = platform_path(p, "oltp", dir, &c->fault);

    if (st == SEAM_OK) st = oltp_checkpoints(p->io, dir, &kept, &n, &c->fault);
    if (st != SEAM_OK) return st;
    while (go + 1 < n && (p->checkpoints_us == 0 || kept[go].wall_us < now - p->checkpoints_us))
        go++;
    when[seam_time_format(kept[go].wall_us, when)] = '\0';
    if (go == 0)
        printf("no kept state becomes unreadable\n");
    else
        printf("AS OF reaches back to LSN %" PRIu64 " now; %zu kept states before LSN %" PRIu64
               " (of %s) become unreadable\n",
               kept[0].lsn, go, kept[go].lsn, when);
    free(kept);
    return SEAM_OK;
}

/* A reader of another process holds the pages of its state: they cannot be moved, and it cannot be asked to let go. */
static enum seam_status refuse_if_pinned(struct cli *c, const struct platform *p)
{
    struct oltp_pin pins[OLTP_PINS_MAX + PLATFORM_CHECKPOINTS_MAX];
    char dir[SEAM_PATH_MAX_BYTES];
    size_t n = 0;
    enum seam_status st = platform_path(p, "oltp", dir, &c->fault);

    if (st == SEAM_OK) st = oltp_pins(p->io, dir, NULL, pins, SEAM_ARRAY_LEN(pins), &n, &c->fault);
    for (size_t i = 0; st == SEAM_OK && i < n && i < SEAM_ARRAY_LEN(pins); i++)
        if (pins[i].kind != OLTP_PIN_RETENTION && pins[i].alive)
            st = seam_fault_set(&c->fault, SEAM_CONFLICT, p->dir, SEAM_FAULT_NO_OFFSET,
                                "process %" PRId64 " (%s) reads the state at LSN %" PRIu64
                                ": end it first; seam doctor lists who holds what",
                                pins[i].pid, pins[i].holder, pins[i].lsn);
    return st;
}

int cmd_vacuum(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    bool dry_run = false;
    const struct seam_opt opts[] = {
        {"dry-run", 0, SEAM_OPT_FLAG, NULL, "say what becomes unreadable, change nothing",
         &dry_run},
    };
    struct platform p;
    struct platform_source source = {0};
    uint64_t freed = 0;
    char text[32];
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 1);
    enum seam_status st;

    if (rc >= 0) return rc;
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    st = say_what_goes(c, &p);
    if (st == SEAM_OK) st = refuse_if_pinned(c, &p);
    if (st != SEAM_OK || dry_run) {
        platform_close(&p);
        return st == SEAM_OK ? EXIT_FINE : cli_fail(c, st);
    }
    st = platform_open_source(&p, &source, &c->fault);
    if (st == SEAM_OK) {
        st = oltp_vacuum(source.db, &freed, &c->fault);
        st = platform_close_source(&source, st, &c->fault);
    }
    platform_close(&p);
    if (st != SEAM_OK) return cli_fail(c, st);
    printf("the row store gave back %s\n", human_bytes(freed, text));
    return EXIT_FINE;
}

/* ---- clone: the tables as they were, as a new platform with a history of its own ---- */

enum { CLONE_ROWS_PER_TXN = 5000 };

/* The same shop, with its tables as they were then.                                                 */
static enum seam_status shop_as_of(struct cli *c, const struct platform *p, struct oltp_txn *t,
                                   struct seam_buf *out)
{
    const struct seam_json *shop = seam_json_get(p->config, "shop");
    uint32_t ids[256];
    size_t n = oltp_tables(t, ids, SEAM_ARRAY_LEN(ids));
    struct seam_json_writer w;

    seam_jw_init(&w, out);
    seam_jw_object(&w);
    for (const struct seam_json *m = shop->child; m != NULL; m = m->next) {
        if (strcmp(m->key, "tables") == 0) continue;
        seam_jw_key(&w, m->key);
        seam_jw_node(&w, m);
    }
    seam_jw_key(&w, "tables");
    seam_jw_array(&w);
    for (size_t i = 0; i < n && i < SEAM_ARRAY_LEN(ids); i++) {
        struct seam_buf one = {0};

        seam_schema_to_json(oltp_schema(t, ids[i]), &one);
        seam_jw_raw(&w, (const char *)one.data, one.size);
        seam_buf_free(&one);
    }
    seam_jw_end_array(&w);
    seam_jw_end_object(&w);
    return seam_buf_ok(out)
               ? SEAM_OK
               : seam_fault_set(&c->fault, SEAM_NOMEM, "clone", SEAM_FAULT_NO_OFFSET, "no memory");
}

static enum seam_status copy_table(struct cli *c, struct oltp_txn *from, uint32_t id,
                                   struct oltp *to, uint64_t *rows)
{
    const struct seam_schema *s = oltp_schema(from, id);
    struct oltp_cursor *cursor = NULL;
    struct oltp_txn *t = NULL;
    struct oltp_row row;
    uint32_t table = 0;
    uint64_t in_txn = 0;
    enum seam_status st = oltp_cursor_open(from, id, 0, NULL, 0, &cursor, &c->fault);

    while (st == SEAM_OK && (st = oltp_cursor_next(cursor, &row, &c->fault)) == SEAM_OK) {
        struct seam_value values[SEAM_COLUMNS_MAX];

        if (t == NULL) st = oltp_write_begin(to, &t, &c->fault);
        if (st == SEAM_OK && table == 0) st = oltp_table(t, s->name, &table, &c->fault);
        if (st == SEAM_OK) st = seam_row_decode(s, row.row.data, row.row.size, values, &c->fault);
        if (st == SEAM_OK) st = oltp_insert(t, table, values, &c->fault);
        ++*rows;
        if (st == SEAM_OK && ++in_txn == CLONE_ROWS_PER_TXN) {
            st = oltp_commit(t, OLTP_DEFERRED, NULL, &c->fault);
            t = NULL;
            in_txn = 0;
        }
    }
    if (st == SEAM_END) {
        st = t != NULL ? oltp_commit(t, OLTP_DURABLE, NULL, &c->fault) : SEAM_OK;
        t = NULL;
    }
    oltp_end(t);
    oltp_cursor_close(cursor);
    return st;
}

static enum seam_status copy_tables(struct cli *c, struct oltp_txn *from, const char *new_dir,
                                    uint64_t *rows)
{
    struct platform p;
    struct platform_source to = {0};
    uint32_t ids[256];
    size_t n = oltp_tables(from, ids, SEAM_ARRAY_LEN(ids));
    enum seam_status st = platform_open(c->io, c->clock, new_dir, &p, &c->fault);

    if (st != SEAM_OK) return st;
    st = platform_open_source(&p, &to, &c->fault);
    for (size_t i = 0; st == SEAM_OK && i < n && i < SEAM_ARRAY_LEN(ids); i++)
        st = copy_table(c, from, ids[i], to.db, rows);
    if (st == SEAM_OK) st = oltp_checkpoint(to.db, &c->fault);
    if (to.db != NULL) st = platform_close_source(&to, st, &c->fault);
    platform_close(&p);
    return st;
}

int cmd_clone(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *as_of = NULL;
    const struct seam_opt opts[] = {
        {"as-of", 0, SEAM_OPT_STRING, "LSN|TIME", "as the tables were then (now)", &as_of},
    };
    struct platform p;
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct seam_buf shop = {0};
    seam_lsn_t lsn = SEAM_LSN_MAX;
    int64_t time_us = INT64_MIN;
    uint64_t rows = 0;
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 2, 2);
    enum seam_status st;

    if (rc >= 0) return rc;
    if (as_of != NULL && !cli_parse_moment(as_of, &lsn, &time_us))
        return cli_usage(c, "--as-of takes an LSN or a time");
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    st = platform_open_reader(&p, lsn, time_us, &db, &c->fault);
    if (st == SEAM_OK) st = oltp_read_begin(db, &t, &c->fault);
    if (st == SEAM_OK) st = shop_as_of(c, &p, t, &shop);
    if (st == SEAM_OK)
        st = relay_create_platform(c->io, c->clock, args[1], (const char *)shop.data, shop.size,
                                   seam_clock_mono_ns(c->clock), &c->fault);
    if (st == SEAM_OK) st = copy_tables(c, t, args[1], &rows);
    if (st == SEAM_OK)
        printf("%s holds %" PRIu64 " rows of %s as of LSN %" PRIu64
               "; its own history begins now\n",
               args[1], rows, args[0], oltp_txn_lsn(t));
    oltp_end(t);
    (void)oltp_close(db, NULL);
    seam_buf_free(&shop);
    platform_close(&p);
    return st == SEAM_OK ? EXIT_FINE : cli_fail(c, st);
}

/* ---- salvage: what can still be read of a damaged page file, as JSON lines ---- */

static enum seam_status print_salvaged(void *ctx, const struct seam_schema *s, struct wal_bytes key,
                                       struct wal_bytes row)
{
    struct seam_value values[SEAM_COLUMNS_MAX];
    struct seam_buf b = {0};
    enum seam_status st = seam_row_decode(s, row.data, row.size, values, NULL);

    (void)ctx;
    (void)key;
    if (st != SEAM_OK) return SEAM_OK;
    seam_buf_printf(&b, "{\"table\":\"%s\",\"row\":", s->name);
    seam_row_to_json(s, values, &b);
    seam_buf_str(&b, "}\n");
    cli_print(&b);
    seam_buf_free(&b);
    return SEAM_OK;
}

int cmd_salvage(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *schemas_file = NULL;
    const struct seam_opt opts[] = {
        {"schemas", 0, SEAM_OPT_STRING, "FILE",
         "a JSON array of schemas, when the catalogue is damaged too", &schemas_file},
    };
    struct oltp_salvaged s = {0};
    struct seam_buf report = {0}, schemas = {0};
    char dir[SEAM_PATH_MAX_BYTES];
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 1);
    enum seam_status st;

    if (rc >= 0) return rc;
    st = seam_path_join(dir, args[0], "oltp", &c->fault);
    if (st == SEAM_OK && schemas_file != NULL)
        st = seam_io_read_all(c->io, schemas_file, PLATFORM_CONFIG_MAX, &schemas, &c->fault);
    if (st == SEAM_OK)
        st = oltp_salvage(c->io, dir, schemas_file != NULL ? seam_buf_cstr(&schemas) : NULL,
                          print_salvaged, NULL, &s, &report, &c->fault);
    fwrite(report.data != NULL ? report.data : (const uint8_t *)"", 1, report.size, stderr);
    fprintf(stderr,
            "%" PRIu64 " rows from %" PRIu64 " pages; %" PRIu64 " pages and %" PRIu64
            " rows could not be read\n",
            s.rows, s.pages, s.bad_pages, s.bad_rows);
    seam_buf_free(&report);
    seam_buf_free(&schemas);
    if (st != SEAM_OK) return cli_fail(c, st);
    return s.bad_pages + s.bad_rows > 0 ? EXIT_DAMAGED : EXIT_FINE;
}
