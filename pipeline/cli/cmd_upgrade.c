/* cmd_upgrade - a platform of an older format becomes one of this program's. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "oltp/oltp.h"
#include "pipeline/cli/cli.h"
#include "wal/wal.h"

/* What is converted: the source of truth and its log; the stream, which may reach farther back than the log; and the row
 * stores that two sinks keep. Everything else is made again from these: see set_aside. */
static const struct cli_upgrade_part {
    const char *name, *wal, *rows;
} parts[] = {{"row store", "wal", "oltp"},
             {"stream", "stream", NULL},
             {"view", "sinks/view/wal", "sinks/view/rows"},
             {"audit", "sinks/audit/wal", "sinks/audit/rows"}};

static void step(void *ctx, const char *what, uint64_t done, uint64_t total)
{
    struct cli *c = ctx;

    if (c->progress) fprintf(stderr, "\r%s: %" PRIu64 " of %" PRIu64, what, done, total);
}

static enum seam_status upgrade_part(struct cli *c, const struct platform *p,
                                     const struct cli_upgrade_part *part, bool dry_run,
                                     struct cli_table_out *t)
{
    char wal[SEAM_PATH_MAX_BYTES], rows[SEAM_PATH_MAX_BYTES];
    struct wal_upgraded log = {0};
    struct oltp_upgraded pages = {0};
    struct seam_owner owner = {.history = 0};
    enum seam_status st = platform_path(p, part->wal, wal, &c->fault);

    memcpy(owner.platform, p->owner, sizeof owner.platform);
    if (st != SEAM_OK || !seam_io_exists(c->io, wal)) return st;
    st = wal_upgrade(c->io, wal, dry_run, &log, &c->fault);
    if (st != SEAM_OK) return st;
    table_cell(t, "%s", part->wal);
    table_cell(t, "%u", log.format);
    table_cell(t, "%s",
               log.format == 2 ? "nothing to do"
               : dry_run       ? "would become 2 in place; LSNs stay"
                               : "is 2 now; LSNs stay");
    if (part->rows == NULL) return SEAM_OK;
    st = platform_path(p, part->rows, rows, &c->fault);
    if (st != SEAM_OK || !seam_io_exists(c->io, rows)) return st;
    st = oltp_upgrade(c->io, rows, &owner, log.log_id, dry_run, &pages,
                      (struct oltp_progress){step, c}, &c->fault);
    if (st != SEAM_OK) return st;
    table_cell(t, "%s", part->rows);
    table_cell(t, "%u", pages.format);
    if (pages.format == 2)
        table_cell(t, "nothing to do");
    else if (dry_run)
        table_cell(t, "would be built again at LSN %" PRIu64 "; AS OF before that would end",
                   pages.lsn);
    else
        table_cell(t, "is 2 now: %" PRIu64 " entries in %" PRIu64 " trees at LSN %" PRIu64,
                   pages.entries, pages.trees, pages.lsn);
    return SEAM_OK;
}

/* Is there a manifest of format 1 (a u32 version 1 behind the magic) in this folder, or in one below it? */
static bool holds_format_1(struct cli *c, const char *dir, int depth)
{
    struct seam_io_list names = {0};
    bool found = false;

    if (seam_io_list(c->io, dir, &names, NULL) != SEAM_OK) return false;
    for (size_t i = 0; !found && i < names.count; i++) {
        char path[SEAM_PATH_MAX_BYTES];
        struct seam_file *file = NULL;
        uint8_t head[12] = {0};
        size_t got = 0;

        if (seam_path_join(path, dir, names.names[i], NULL) != SEAM_OK) continue;
        if (seam_file_open(c->io, path, SEAM_FILE_READ, &file, NULL) == SEAM_OK &&
            seam_file_read_some(file, 0, head, sizeof head, &got, NULL) == SEAM_OK)
            found = got == sizeof head && memcmp(head, "SEAMMANI", 8) == 0 &&
                    seam_get_u32(head + 8) == 1;
        else if (depth > 0)
            found = holds_format_1(c, path, depth - 1);
        seam_file_close(file);
    }
    seam_io_list_free(&names);
    return found;
}

/* A derived store of format 1 is moved aside: a sink that finds none makes its own again from the stream. */
static enum seam_status set_aside(struct cli *c, const struct platform *p, const char *name,
                                  bool dry_run, struct cli_table_out *t)
{
    char dir[SEAM_PATH_MAX_BYTES], sinks[SEAM_PATH_MAX_BYTES], aside[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_path(p, "sinks", sinks, &c->fault);

    if (st == SEAM_OK) st = seam_path_join(dir, sinks, name, &c->fault);
    if (st == SEAM_OK) st = seam_path_format(aside, sinks, &c->fault, "%s.format-1", name);
    if (st != SEAM_OK || !seam_io_exists(c->io, dir) || !holds_format_1(c, dir, 1)) return st;
    if (!dry_run) st = seam_io_rename(c->io, dir, aside, &c->fault);
    if (st == SEAM_OK && !dry_run) st = seam_io_sync_dir(c->io, sinks, &c->fault);
    if (st != SEAM_OK) return st;
    table_cell(t, "sinks/%s", name);
    table_cell(t, "1");
    table_cell(t, "%s as sinks/%s.format-1; `seam run` makes it again",
               dry_run ? "would be set aside" : "was set aside", name);
    return SEAM_OK;
}

int cmd_upgrade(struct cli *c, int argc, char **argv)
{
    static const char *const derived[] = {"warehouse", "gold", "search", "vectors"};
    const char *args[CLI_ARGS_MAX];
    bool dry_run = false;
    const struct seam_opt opts[] = {
        {"dry-run", 'n', SEAM_OPT_FLAG, NULL,
         "say what would be converted, and what would become unreadable", &dry_run}};
    struct cli_table_out t;
    struct platform p;
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 1);
    enum seam_status st;

    if (rc >= 0) return rc;
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    table_begin(&t, 3, 0x2);
    table_cell(&t, "part");
    table_cell(&t, "format");
    table_cell(&t, dry_run ? "would be done" : "done");
    for (size_t i = 0; st == SEAM_OK && i < SEAM_ARRAY_LEN(parts); i++)
        st = upgrade_part(c, &p, &parts[i], dry_run, &t);
    for (size_t i = 0; st == SEAM_OK && i < SEAM_ARRAY_LEN(derived); i++)
        st = set_aside(c, &p, derived[i], dry_run, &t);
    table_print(c, &t);
    platform_close(&p);
    if (st != SEAM_OK) return cli_fail(c, st);
    return EXIT_FINE;
}
