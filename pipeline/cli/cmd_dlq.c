/* cmd_dlq - the events that sinks set aside: list them, emit their rows again, or let them go. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/cli/cli.h"
#include "pipeline/deadletter.h"

struct dlq { struct cli *cli; const struct platform *platform; const char *verb, *sink; uint64_t offset; size_t count; lsn_t lsn; };

static enum status list_letters(struct dlq *q, const char *sink, struct table_out *t)
{
    struct arena a = {0};
    struct dead_letter *list;
    size_t n;
    enum status st = dead_letters(q->platform, sink, &a, &list, &n, &q->cli->fault);

    for (size_t i = 0; st == ST_OK && i < n; i++) {
        q->count++;
        if (q->cli->json) {
            struct buf b = {0};
            struct json_writer w;

            jw_init(&w, &b);
            jw_object(&w);
            jw_key(&w, "sink");
            jw_str(&w, sink);
            jw_key(&w, "offset");
            jw_uint(&w, list[i].offset);
            jw_key(&w, "lsn");
            jw_uint(&w, list[i].lsn);
            jw_key(&w, "table");
            jw_str(&w, list[i].table);
            jw_key(&w, "reason");
            jw_str(&w, list[i].reason);
            jw_end_object(&w);
            buf_str(&b, "\n");
            cli_print(&b);
            buf_free(&b);
            continue;
        }
        table_cell(t, "%s", sink);
        table_cell(t, "%" PRIu64, list[i].offset);
        table_cell(t, "%" PRIu64, list[i].lsn);
        table_cell(t, "%s", list[i].table);
        table_cell(t, "%s", list[i].op);
        table_cell(t, "%s", list[i].reason);
    }
    arena_free(&a);
    return st;
}

static enum status each_sink(struct dlq *q, struct table_out *t)
{
    const char *const *names;
    size_t n = sink_names(&names), done;
    enum status st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < n; i++) {
        if (platform_sink_config(q->platform, names[i]) == NULL) continue;
        if (q->sink != NULL && strcmp(q->sink, names[i]) != 0) continue;
        done = 0;
        if (strcmp(q->verb, "list") == 0) st = list_letters(q, names[i], t);
        else if (strcmp(q->verb, "drop") == 0)
            st = dead_letters_drop(q->platform, names[i], q->offset, &done, &q->cli->fault);
        else
            st = dead_letters_retry(q->platform, names[i], q->offset, &done, &q->lsn, &q->cli->fault);
        q->count += done;
    }
    return st;
}

int cmd_dlq(struct cli *c, int argc, char **argv)
{
    const char *args[64];
    int64_t offset = -1;
    struct dlq q = {.cli = c, .verb = "list"};
    const struct opt opts[] = {
        {"sink", 0, OPT_STRING, "NAME", "only this sink's", &q.sink},
        {"offset", 0, OPT_INT, "N", "only the event at this stream offset", &offset},
    };
    struct platform p;
    struct table_out t;
    int count;
    int rc = argc > 60 ? cli_usage(c, "too many arguments")
                       : cli_parse(c, argc, argv, opts, ARRAY_LEN(opts), args, &count, 1, 2);
    enum status st;

    if (rc >= 0) return rc;
    if (count == 2) q.verb = args[1];
    if (strcmp(q.verb, "list") != 0 && strcmp(q.verb, "retry") != 0 && strcmp(q.verb, "drop") != 0)
        return cli_usage(c, "'%s' is none of list, retry, drop", q.verb);
    q.offset = offset < 0 ? UINT64_MAX : (uint64_t)offset;
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != ST_OK) return cli_fail(c, st);
    q.platform = &p;
    table_begin(&t, 6, 1u << 1 | 1u << 2);
    for (const char *const *h = (const char *const[]){"sink", "offset", "LSN", "table", "op", "reason", NULL}; *h != NULL; h++)
        table_cell(&t, "%s", *h);
    st = each_sink(&q, &t);
    platform_close(&p);
    if (strcmp(q.verb, "list") == 0 && st == ST_OK && !c->json && q.count > 0) table_print(c, &t);
    else buf_free(&t.cells);
    if (st != ST_OK) return cli_fail(c, st);
    if (strcmp(q.verb, "list") == 0 && !c->json) printf("%zu dead letters\n", q.count);
    if (strcmp(q.verb, "drop") == 0) printf("%zu dead letters dropped\n", q.count);
    if (strcmp(q.verb, "retry") == 0) printf("%zu rows emitted again, up to LSN %" PRIu64 "\n", q.count, q.lsn);
    return EXIT_FINE;
}
