/* cmd_check - is what the seams promise true? contracts, freshness, reconciliation, recall. */
#include <inttypes.h>
#include <string.h>

#include "pipeline/cli/check.h"
#include "pipeline/trust/freshness.h"
#include "wal/wal.h"

static void freshness_json(struct seam_json_writer *w, const struct freshness *x)
{
    seam_jw_object(w);
    seam_jw_key(w, "seam");
    seam_jw_str(w, x->contract->name);
    seam_jw_key(w, "verdict");
    seam_jw_str(w, freshness_verdict_name(x->verdict));
    seam_jw_key(w, "state");
    seam_jw_str(w, freshness_state_name(x->state));
    seam_jw_key(w, "from_lsn");
    seam_jw_uint(w, x->from);
    seam_jw_key(w, "to_lsn");
    seam_jw_uint(w, x->to);
    seam_jw_key(w, "lag_bytes");
    seam_jw_uint(w, x->lag_bytes);
    seam_jw_key(w, "lag_events");
    seam_jw_uint(w, x->lag_events);
    seam_jw_key(w, "lag_seconds");
    seam_jw_double(w, (double)x->lag_us / 1e6);
    seam_jw_key(w, "warn_seconds");
    seam_jw_double(w, x->contract->warn_s);
    seam_jw_key(w, "fail_seconds");
    seam_jw_double(w, x->contract->fail_s);
    seam_jw_key(w, "running");
    seam_jw_bool(w, x->running);
    seam_jw_end_object(w);
}

static void freshness_text(struct cli_check *k, const struct freshness *list, size_t n)
{
    struct cli_table_out t;
    char bytes[32], lag[32], promised[32];

    table_begin(&t, 8, 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5);
    for (const char *const *h =
             (const char *const[]){"seam", "state", "at LSN", "lag bytes", "events", "seconds",
                                   "promised", "verdict", NULL};
         *h != NULL; h++)
        table_cell(&t, "%s", *h);
    for (size_t i = 0; i < n; i++) {
        const struct freshness *x = &list[i];

        table_cell(&t, "%s", x->contract->name);
        table_cell(&t, "%s", freshness_state_name(x->state));
        table_cell(&t, "%" PRIu64, x->to);
        table_cell(&t, "%s", human_bytes(x->lag_bytes, bytes));
        table_cell(&t, "%" PRIu64, x->lag_events);
        table_cell(&t, "%s", x->lag_us > 0 ? human_duration(x->lag_us, lag) : "0");
        table_cell(&t, "%s", human_duration((int64_t)(x->contract->fail_s * 1e6), promised));
        table_cell(&t, "%s", freshness_verdict_name(x->verdict));
    }
    table_print(k->cli, &t);
}

enum seam_status check_freshness(struct cli_check *k)
{
    struct freshness list[CONTRACTS_MAX];
    const struct freshness *late = NULL;
    size_t n = 0;
    char lag[32];
    enum seam_status st = freshness_measure(k->platform, k->contracts, list, &n, &k->cli->fault);

    if (st != SEAM_OK) return st;
    for (size_t i = 0; i < n && late == NULL; i++)
        if (list[i].verdict == FRESH_FAIL) late = &list[i];
    if (k->json != NULL) {
        seam_jw_key(k->json, "freshness");
        seam_jw_array(k->json);
        for (size_t i = 0; i < n; i++) freshness_json(k->json, &list[i]);
        seam_jw_end_array(k->json);
        seam_jw_key(k->json, "first_behind");
        if (late != NULL)
            seam_jw_str(k->json, late->contract->name);
        else
            seam_jw_null(k->json);
    } else {
        freshness_text(k, list, n);
        if (late != NULL)
            printf("%s is the first seam behind: %s since LSN %" PRIu64 ", %s late\n",
                   late->contract->name, freshness_state_name(late->state), late->to,
                   human_duration(late->lag_us > 0 ? late->lag_us : late->silence_us, lag));
        else if (!k->cli->quiet)
            printf("every seam is within its contract's SLA\n");
    }
    if (late == NULL)
        snprintf(k->record.detail, sizeof k->record.detail, "%zu seams, each within its SLA", n);
    else
        snprintf(k->record.detail, sizeof k->record.detail, "%s is the first seam behind, %s late",
                 late->contract->name,
                 human_duration(late->lag_us > 0 ? late->lag_us : late->silence_us, lag));
    return late != NULL ? SEAM_STALE : SEAM_OK;
}

static const struct cmd_check_part {
    const char *name;
    enum seam_status (*run)(struct cli_check *);
} parts[] = {{"contracts", check_contracts},
             {"freshness", check_freshness},
             {"reconcile", check_reconcile},
             {"recall", check_recall}};

/* For the status page. A record that cannot be written (a folder of another user) is said, and changes no verdict. */
static void leave_record(struct cli_check *k, const char *name, enum seam_status st)
{
    struct cli_check_record *r = &k->record;
    struct wal_state wal = {0};
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES], text[SEAM_FAULT_WHERE_MAX + SEAM_FAULT_WHY_MAX + 64];

    if (k->platform == NULL) return;
    snprintf(r->check, sizeof r->check, "%s", name);
    snprintf(r->result, sizeof r->result, "%s",
             st == SEAM_OK      ? "kept"
             : st == SEAM_DRIFT ? "drift"
             : st == SEAM_STALE ? "late"
                                : "not checked");
    if (st != SEAM_OK && st != SEAM_DRIFT && st != SEAM_STALE)
        snprintf(r->detail, sizeof r->detail, "%s", k->cli->fault.why);
    r->at[seam_time_format(seam_clock_wall_us(k->platform->clock), r->at)] = '\0';
    if (platform_path(k->platform, "wal", dir, NULL) == SEAM_OK &&
        wal_state(k->platform->io, dir, &wal, NULL) == SEAM_OK)
        r->lsn = wal.durable;
    if (record_write(k->platform, r, &f) != SEAM_OK && !k->cli->quiet)
        fprintf(stderr, "seam check: the result is not kept for the status page: %s\n",
                seam_fault_text(&f, text, sizeof text));
}

static enum seam_status run_parts(struct cli_check *k, const char *what)
{
    bool all = strcmp(what, "all") == 0;
    enum seam_status worst = SEAM_OK, st = SEAM_OK;

    for (size_t i = 0; i < SEAM_ARRAY_LEN(parts); i++) {
        if (!all && strcmp(what, parts[i].name) != 0) continue;
        if (all && k->json == NULL) printf("%s== %s\n", i > 0 ? "\n" : "", parts[i].name);
        k->record = (struct cli_check_record){0};
        st = parts[i].run(k);
        leave_record(k, parts[i].name, st);
        if (st != SEAM_OK && st != SEAM_DRIFT && st != SEAM_STALE) return st;
        if (worst == SEAM_OK) worst = st;
    }
    return worst;
}

static bool is_what(const char *word)
{
    for (size_t i = 0; i < SEAM_ARRAY_LEN(parts); i++)
        if (strcmp(word, parts[i].name) == 0) return true;
    return strcmp(word, "all") == 0;
}

static enum seam_status markdown(struct cli_check *k)
{
    struct seam_buf b = {0};

    contracts_markdown(k->contracts, &b);
    cli_print(&b);
    seam_buf_free(&b);
    return SEAM_OK;
}

static enum seam_status run_check(struct cli_check *k, const char *what, bool table)
{
    struct cli *c = k->cli;
    struct seam_buf b = {0};
    struct seam_json_writer w;
    enum seam_status st;

    if (table) return markdown(k);
    if (c->json) {
        seam_jw_init(&w, &b);
        seam_jw_object(&w);
        k->json = &w;
    }
    st = run_parts(k, what);
    if (c->json && (st == SEAM_OK || st == SEAM_DRIFT || st == SEAM_STALE)) {
        seam_jw_key(&w, "ok");
        seam_jw_bool(&w, st == SEAM_OK);
        seam_jw_end_object(&w);
        seam_buf_str(&b, "\n");
        cli_print(&b);
    }
    seam_buf_free(&b);
    return st;
}

int cmd_check(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *dir, *what;
    bool table = false;
    struct cli_check k = {.cli = c};
    const struct seam_opt opts[] = {
        {"repair", 0, SEAM_OPT_FLAG, NULL,
         "reconcile: emit the differing rows again from the source, and ask for differing groups "
         "of "
         "views and gold to be computed again, through the log",
         &k.repair},
        {"deep", 0, SEAM_OPT_FLAG, NULL,
         "reconcile: analyse and embed every document again, also when there are more than 100,000",
         &k.deep},
        {"full", 0, SEAM_OPT_FLAG, NULL,
         "reconcile: read everything, also where digests of an earlier run are kept", &k.full},
        {"report", 0, SEAM_OPT_STRING, "FILE", "reconcile: write the report as JSON, too",
         &k.report},
        {"against", 0, SEAM_OPT_STRING, "FOLDER",
         "contracts: refuse what is incompatible with the older ones there", &k.against},
        {"markdown", 0, SEAM_OPT_FLAG, NULL, "contracts: print docs/reference/contracts.md",
         &table},
    };
    struct contracts contracts;
    struct seam_arena arena = {0};
    struct platform p = {0};
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 2);
    enum seam_status st;

    if (rc >= 0) return rc;
    what = is_what(args[0]) ? args[0] : count == 2 ? args[1] : "all";
    dir = is_what(args[0]) ? (count == 2 ? args[1] : NULL) : args[0];
    if (!is_what(what))
        return cli_usage(c, "'%s' is none of contracts, freshness, reconcile, recall, all", what);
    if (dir == NULL && strcmp(what, "contracts") != 0) return cli_usage(c, "which platform?");
    st = contracts_load(&arena, &contracts, &c->fault);
    if (st == SEAM_OK && dir != NULL) st = platform_open(c->io, c->clock, dir, &p, &c->fault);
    k.contracts = &contracts;
    k.platform = dir != NULL ? &p : NULL;
    if (st == SEAM_OK) st = run_check(&k, what, table);
    if (dir != NULL) platform_close(&p);
    seam_arena_free(&arena);
    if (st == SEAM_OK || st == SEAM_DRIFT || st == SEAM_STALE) return seam_status_exit_code(st);
    return cli_fail(c, st);
}
