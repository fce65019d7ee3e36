/* cmd_status - each store: where it stands, how far behind, how large. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "oltp/oltp.h"
#include "pipeline/cli/cli.h"
#include "pipeline/cli/status.h"
#include "pipeline/sinks/sink.h"
#include "pipeline/stream/stream.h"

enum { GROUPS_SHOWN = 3 };

/* All files below a folder; what cannot be read counts nothing.                                     */
static uint64_t folder_bytes(struct seam_io *io, const char *dir)
{
    struct seam_io_list list = {0};
    uint64_t sum = 0;

    if (seam_io_list(io, dir, &list, NULL) != SEAM_OK) return 0;
    for (size_t i = 0; i < list.count; i++) {
        char path[SEAM_PATH_MAX_BYTES];
        struct seam_file *file = NULL;
        struct seam_io_list sub = {0};
        uint64_t size = 0;

        if (seam_path_join(path, dir, list.names[i], NULL) != SEAM_OK) continue;
        if (seam_io_list(io, path, &sub, NULL) == SEAM_OK) {
            seam_io_list_free(&sub);
            sum += folder_bytes(io, path);
        } else if (seam_file_open(io, path, SEAM_FILE_READ, &file, NULL) == SEAM_OK) {
            if (seam_file_size(file, &size, NULL) == SEAM_OK) sum += size;
            seam_file_close(file);
        }
    }
    seam_io_list_free(&list);
    return sum;
}

/* What keeps log that should go: nobody else would say so. */
static const char *log_trouble(struct seam_io *io, const char *dir, const struct wal_state *log)
{
    struct wal_slot_info slots[WAL_SLOTS_MAX];
    size_t n = 0;

    if (log->trouble_status != SEAM_OK) return "FAILING: seam doctor";
    if (wal_slots(io, dir, slots, &n, NULL) != SEAM_OK) return "slots unreadable";
    for (size_t i = 0; i < n; i++)
        if (slots[i].damaged) return "slot damaged: seam slot";
    return "";
}

static enum seam_status source_lines(struct cli *c, const struct platform *p,
                                     struct cli_store_line *lines, size_t *n, seam_lsn_t *durable)
{
    struct wal_state wal = {0};
    struct stream_state stream = {0};
    struct seam_fault none = {0};
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_path(p, "wal", dir, &c->fault);

    if (st == SEAM_OK) st = wal_state(p->io, dir, &wal, &c->fault);
    if (st != SEAM_OK) return st;
    *durable = wal.durable;
    lines[*n] = (struct cli_store_line){.name = "row store",
                                        .dir = "oltp",
                                        .applied = wal.durable,
                                        .age_us = -1,
                                        .known = true,
                                        .process = wal.writer_alive ? "writing" : "idle"};
    lines[(*n)++].wall_us = wal.durable_wall_us;
    lines[*n] = (struct cli_store_line){.name = "log",
                                        .dir = "wal",
                                        .applied = wal.durable,
                                        .age_us = -1,
                                        .known = true,
                                        .process = log_trouble(p->io, dir, &wal)};
    lines[(*n)++].wall_us = wal.durable_wall_us;
    st = platform_path(p, "stream", dir, &c->fault);
    if (st == SEAM_OK) st = stream_state(p->io, dir, &stream, &none);
    lines[*n] = (struct cli_store_line){.name = "stream",
                                        .dir = "stream",
                                        .applied = stream.lsn,
                                        .wall_us = stream.wall_us,
                                        .known = st == SEAM_OK,
                                        .age_us = -1,
                                        .process = stream.writer_alive ? "running" : "stopped",
                                        .invalid = st == SEAM_OK && stream.lsn < wal.oldest &&
                                                   wal.oldest >= wal.segment_bytes};
    (*n)++;
    if (st != SEAM_OK && st != SEAM_NOT_FOUND) c->fault = none;
    return st == SEAM_NOT_FOUND ? SEAM_OK : st;
}

static enum seam_status sink_lines(struct cli *c, const struct platform *p,
                                   struct cli_store_line *lines, size_t *n)
{
    struct stream_consumers *consumers = NULL;
    struct stream_consumer list[STREAM_CONSUMERS_MAX];
    size_t sinks, known = 0;
    const struct sink_ops *const *all = sink_list(&sinks);
    char dir[SEAM_PATH_MAX_BYTES];
    int64_t now = seam_clock_wall_us(p->clock);
    enum seam_status st = platform_path(p, "stream", dir, &c->fault);

    if (st == SEAM_OK) st = stream_consumers_look(p->io, dir, &consumers, &c->fault);
    if (st != SEAM_OK) return st;
    known = stream_consumers_list(consumers, list);
    stream_consumers_close(consumers);
    for (size_t i = 0; i < sinks && *n < LINES_MAX; i++) {
        struct cli_store_line *l = &lines[*n];

        if (platform_sink_config(p, all[i]->name) == NULL) continue;
        *l = (struct cli_store_line){.process = "stopped", .age_us = -1};
        snprintf(l->name, sizeof l->name, "%s", all[i]->name);
        for (size_t k = 0; k < known; k++) {
            if (strcmp(list[k].name, all[i]->name) != 0 || list[k].lsn == SEAM_LSN_NONE) continue;
            l->known = true;
            l->applied = list[k].lsn;
            l->wall_us = list[k].wall_us;
            l->age_us = now - list[k].updated_us;
            l->invalid = list[k].invalid;
            if (list[k].alive) l->process = "running";
        }
        (*n)++;
    }
    return SEAM_OK;
}

static void print_text(struct cli *c, const struct platform *p, const struct cli_store_line *lines,
                       size_t n, seam_lsn_t durable)
{
    struct cli_table_out t;
    char bytes[32], lag[32], when[40];

    table_begin(&t, 6, 1u << 1 | 1u << 2 | 1u << 4);
    table_cell(&t, "store");
    table_cell(&t, "applied LSN");
    table_cell(&t, "lag bytes");
    table_cell(&t, "as of (commit time)");
    table_cell(&t, "size");
    table_cell(&t, "process");
    for (size_t i = 0; i < n; i++) {
        const struct cli_store_line *l = &lines[i];
        uint64_t behind = durable > l->applied ? durable - l->applied : 0;

        when[l->wall_us > 0 ? seam_time_format(l->wall_us, when) : 0] = '\0';
        table_cell(&t, "%s", l->name);
        if (l->known)
            table_cell(&t, "%" PRIu64, l->applied);
        else
            table_cell(&t, "-");
        if (!l->known)
            table_cell(&t, "-");
        else if (behind == 0)
            table_cell(&t, "0");
        else
            table_cell(&t, "%s", human_bytes(behind, lag));
        table_cell(&t, "%.19s", when);
        table_cell(&t, "%s", human_bytes(l->bytes, bytes));
        table_cell(&t, "%s%s", l->process,
                   l->invalid ? " (must bootstrap: seam bootstrap DIR)" : "");
    }
    table_print(c, &t);
    (void)p;
}

static void print_json(const struct platform *p, const struct cli_store_line *lines, size_t n,
                       seam_lsn_t durable)
{
    struct seam_buf b = {0};
    struct seam_json_writer w;
    char when[40];

    seam_jw_init(&w, &b);
    seam_jw_object(&w);
    seam_jw_key(&w, "platform");
    seam_jw_str(&w, p->id);
    seam_jw_key(&w, "durable_lsn");
    seam_jw_uint(&w, durable);
    seam_jw_key(&w, "stores");
    seam_jw_array(&w);
    for (size_t i = 0; i < n; i++) {
        const struct cli_store_line *l = &lines[i];

        seam_jw_object(&w);
        seam_jw_key(&w, "store");
        seam_jw_str(&w, l->name);
        seam_jw_key(&w, "applied_lsn");
        if (l->known)
            seam_jw_uint(&w, l->applied);
        else
            seam_jw_null(&w);
        seam_jw_key(&w, "lag_bytes");
        if (l->known)
            seam_jw_uint(&w, durable > l->applied ? durable - l->applied : 0);
        else
            seam_jw_null(&w);
        seam_jw_key(&w, "commit_time");
        if (l->wall_us > 0)
            seam_jw_strn(&w, when, seam_time_format(l->wall_us, when));
        else
            seam_jw_null(&w);
        seam_jw_key(&w, "bytes");
        seam_jw_uint(&w, l->bytes);
        seam_jw_key(&w, "process");
        seam_jw_str(&w, l->process);
        seam_jw_key(&w, "must_bootstrap");
        seam_jw_bool(&w, l->invalid);
        seam_jw_end_object(&w);
    }
    seam_jw_end_array(&w);
    seam_jw_end_object(&w);
    seam_buf_str(&b, "\n");
    cli_print(&b);
    seam_buf_free(&b);
}

static enum seam_status gather(struct cli *c, const struct platform *p,
                               struct cli_store_line lines[LINES_MAX], size_t *n,
                               seam_lsn_t *durable)
{
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st = source_lines(c, p, lines, n, durable);

    if (st == SEAM_OK) st = sink_lines(c, p, lines, n);
    for (size_t i = 0; st == SEAM_OK && i < *n; i++)
        if ((lines[i].dir != NULL ? platform_path(p, lines[i].dir, dir, NULL)
                                  : platform_sink_path(p, lines[i].name, dir, NULL)) == SEAM_OK)
            lines[i].bytes = folder_bytes(p->io, dir);
    return st;
}

/* page->file: NULL for the terminal. */
static int show_status(struct cli *c, const struct platform *p, const struct cli_page_options *page)
{
    struct cli_store_line lines[LINES_MAX] = {0};
    size_t n = 0;
    seam_lsn_t durable = SEAM_LSN_NONE;
    enum seam_status st = gather(c, p, lines, &n, &durable);

    if (st != SEAM_OK) return cli_fail(c, st);
    if (page->file != NULL) return status_page(c, p, lines, n, durable, page);
    if (c->json)
        print_json(p, lines, n, durable);
    else
        print_text(c, p, lines, n, durable);
    return EXIT_FINE;
}

int print_status(struct cli *c, const struct platform *p)
{
    return show_status(c, p, &(struct cli_page_options){0});
}

int cmd_status(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    double watch = 0;
    const char *format = "table";
    struct cli_page_options page = {.groups = -1};
    bool prometheus;
    const struct seam_opt opts[] = {
        {"format", 0, SEAM_OPT_STRING, "F",
         "table, or prometheus: each seam's freshness as metrics", &format},
        {"html", 0, SEAM_OPT_STRING, "FILE",
         "one page: stores, seams against their contracts, last checks, recall, lineage",
         &page.file},
        {"why", 0, SEAM_OPT_INT, "N",
         "--html: lineage of the first N groups of each view (3; with --watch 0)", &page.groups},
        {"watch", 'w', SEAM_OPT_DOUBLE, "SECONDS", "again every so often, until interrupted",
         &watch},
    };
    struct platform p;
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 1);
    enum seam_status st;

    if (rc >= 0) return rc;
    prometheus = strcmp(format, "prometheus") == 0;
    if (!prometheus && strcmp(format, "table") != 0)
        return cli_usage(c, "'%s' is neither table nor prometheus", format);
    if (page.groups < 0) page.groups = watch > 0 ? 0 : GROUPS_SHOWN;
    page.refresh = watch > 0;
    cli_catch_interrupts();
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    do {
        if (watch > 0 && c->color) printf("\033[H\033[2J");
        rc = prometheus ? print_prometheus(c, &p) : show_status(c, &p, &page);
        if (watch > 0) c->clock->sleep_us(c->clock, (uint64_t)(watch * 1e6));
    } while (rc == EXIT_FINE && watch > 0 && !cli_interrupted);
    platform_close(&p);
    return rc;
}
