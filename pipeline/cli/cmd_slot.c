/* cmd_slot - who pins the log by name, and letting one go. */
#include <inttypes.h>
#include <string.h>

#include "pipeline/cli/cli.h"
#include "wal/wal.h"

static const char *slot_state(const struct wal_slot_info *s)
{
    return s->damaged ? "damaged" : s->invalid ? "invalid" : s->holder_alive ? "held" : "free";
}

static void slot_json(const struct wal_slot_info *s)
{
    struct seam_buf b = {0};
    struct seam_json_writer w;

    seam_jw_init(&w, &b);
    seam_jw_object(&w);
    seam_jw_key(&w, "name");
    seam_jw_str(&w, s->name);
    seam_jw_key(&w, "state");
    seam_jw_str(&w, slot_state(s));
    seam_jw_key(&w, "lsn");
    seam_jw_uint(&w, s->confirmed);
    seam_jw_key(&w, "held_bytes");
    seam_jw_uint(&w, s->held_bytes);
    seam_jw_key(&w, "bound_bytes");
    seam_jw_uint(&w, s->bound_bytes);
    seam_jw_key(&w, "pid");
    seam_jw_int(&w, s->holder_pid);
    seam_jw_key(&w, "reason");
    seam_jw_str(&w, s->reason);
    seam_jw_end_object(&w);
    seam_buf_str(&b, "\n");
    cli_print(&b);
    seam_buf_free(&b);
}

static void slot_line(struct cli_table_out *t, const struct wal_slot_info *s)
{
    char held[32], bound[32];

    table_cell(t, "%s", s->name);
    table_cell(t, "%s", slot_state(s));
    if (s->damaged)
        table_cell(t, "-");
    else
        table_cell(t, "%" PRIu64, s->confirmed);
    table_cell(t, "%s", s->damaged ? "everything" : human_bytes(s->held_bytes, held));
    table_cell(t, "%s", s->bound_bytes == 0 ? "-" : human_bytes(s->bound_bytes, bound));
    table_cell(t, "%s", s->reason);
}

/* A damaged slot holds back the whole log: exit 4, so that a script notices. */
static int list_slots(struct cli *c, const char *dir)
{
    static const char *const heads[] = {"slot", "state", "LSN", "holds back", "bound", "reason"};
    struct wal_slot_info slots[WAL_SLOTS_MAX];
    struct cli_table_out t;
    size_t n = 0, damaged = 0;
    enum seam_status st = wal_slots(c->io, dir, slots, &n, &c->fault);

    if (st != SEAM_OK) return cli_fail(c, st);
    table_begin(&t, SEAM_ARRAY_LEN(heads), 1u << 2 | 1u << 3 | 1u << 4);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(heads); i++) table_cell(&t, "%s", heads[i]);
    for (size_t i = 0; i < n; i++) {
        damaged += slots[i].damaged;
        if (c->json)
            slot_json(&slots[i]);
        else
            slot_line(&t, &slots[i]);
    }
    if (!c->json && n > 0)
        table_print(c, &t);
    else
        seam_buf_free(&t.cells);
    if (!c->json) printf("%zu slots, %zu damaged\n", n, damaged);
    return damaged > 0 ? EXIT_DAMAGED : EXIT_FINE;
}

static int drop_slot(struct cli *c, const char *dir, const char *name, bool dry_run)
{
    struct wal_slot_info slots[WAL_SLOTS_MAX];
    const struct wal_slot_info *s = NULL;
    size_t n = 0;
    enum seam_status st = wal_slots(c->io, dir, slots, &n, &c->fault);

    for (size_t i = 0; st == SEAM_OK && i < n; i++)
        if (strcmp(slots[i].name, name) == 0) s = &slots[i];
    if (st == SEAM_OK && s == NULL)
        st = seam_fault_set(&c->fault, SEAM_NOT_FOUND, name, SEAM_FAULT_NO_OFFSET,
                            "there is no such slot");
    if (st == SEAM_OK && s->holder_alive)
        st = seam_fault_set(&c->fault, SEAM_CONFLICT, name, SEAM_FAULT_NO_OFFSET,
                            "process %" PRId64 " holds this slot; stop it first", s->holder_pid);
    if (st == SEAM_OK && !dry_run) st = wal_slot_drop(c->io, dir, name, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    printf("%s %s: the log before its consumer's place may go; if it does, that consumer "
           "bootstraps again\n",
           dry_run ? "would drop" : "dropped", name);
    return EXIT_FINE;
}

int cmd_slot(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    bool dry_run = false;
    const struct seam_opt opts[] = {
        {"dry-run", 0, SEAM_OPT_FLAG, NULL, "drop: only say what would be done", &dry_run},
    };
    char dir[SEAM_PATH_MAX_BYTES];
    struct platform p;
    int count, rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 3);
    bool drop = rc < 0 && count > 1 && strcmp(args[1], "drop") == 0;
    enum seam_status st;

    if (rc >= 0) return rc;
    if (count > 1 && !drop && strcmp(args[1], "list") != 0)
        return cli_usage(c, "'%s' is none of list, drop", args[1]);
    if (drop ? count != 3 : count > 2)
        return cli_usage(c, drop ? "which slot is to be dropped?" : "list takes no name");
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    st = platform_path(&p, "wal", dir, &c->fault);
    rc = st != SEAM_OK ? cli_fail(c, st)
         : drop        ? drop_slot(c, dir, args[2], dry_run)
                       : list_slots(c, dir);
    platform_close(&p);
    return rc;
}
