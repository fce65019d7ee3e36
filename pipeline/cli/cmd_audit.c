/* cmd_audit - append, show, verify, prove: an order is what its events say. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/row.h"
#include "pipeline/audit/audit.h"
#include "pipeline/audit/audit_append.h"
#include "pipeline/cli/cli.h"
#include "pipeline/stream/registry.h"

struct audit_options {
    const char *event_id, *actor, *causation, *correlation, *data, *as_of;
    int64_t expected, to_version, threads;
};

struct audit_command {
    struct cli *c;
    struct platform *p;
    char dir[SEAM_PATH_MAX_BYTES];
    const struct audit_options *o;
};

static void hex(const uint8_t *p, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++) snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static enum seam_status parse_id(struct cli *c, const char *word, int64_t *out)
{
    return seam_int_parse(word, strlen(word), out) == SEAM_OK
               ? SEAM_OK
               : seam_fault_set(&c->fault, SEAM_INVALID, word, SEAM_FAULT_NO_OFFSET,
                                "not a number");
}

/* ---- show ---- */

struct shower {
    struct audit_command *a;
    struct stream_registry registry;
    const struct seam_schema *orders, *lines;
    struct audit_state state;
    seam_lsn_t to_lsn;
    uint64_t to_version, shown;
};

static enum seam_status show_event(void *ctx, const struct audit_event *e)
{
    struct shower *s = ctx;
    char when[40], hash[2 * AUDIT_HASH + 1];
    struct seam_value v[SEAM_COLUMNS_MAX];
    const struct seam_schema *schema = e->line ? s->lines : s->orders;
    struct seam_buf row = {0};

    if (e->version > s->to_version || e->lsn > s->to_lsn) return SEAM_END;
    when[seam_time_format(e->at_us, when)] = '\0';
    hex(e->hash, 4, hash);
    if (schema != NULL && seam_row_decode(schema, e->row.data, e->row.size, v, NULL) == SEAM_OK)
        seam_row_to_json(schema, v, &row);
    printf("%4" PRIu64 "  LSN %-12" PRIu64 " %s  #%-8" PRIu64 " %s..  %-13s %s%s%.*s\n", e->version,
           e->lsn, when, e->number, hash, audit_type_name(e->type), seam_buf_cstr(&row),
           e->actor.size > 0 ? "  by " : "", (int)e->actor.size, (const char *)e->actor.data);
    seam_buf_free(&row);
    s->shown++;
    return audit_apply(&s->state, e);
}

static void print_state(struct shower *s)
{
    struct seam_buf out = {0};
    struct seam_value v[SEAM_COLUMNS_MAX];

    if (!s->state.exists)
        seam_buf_str(&out, "the order does not exist\n");
    else if (seam_row_decode(s->orders, s->state.order.data, s->state.order.size, v, NULL) ==
             SEAM_OK) {
        seam_buf_str(&out, "the fold of these events:\n  ");
        seam_row_to_json(s->orders, v, &out);
        seam_buf_str(&out, "\n");
    }
    for (size_t i = 0; i < s->state.count; i++)
        if (seam_row_decode(s->lines, s->state.lines[i].row.data, s->state.lines[i].row.size, v,
                            NULL) == SEAM_OK) {
            seam_buf_str(&out, "    ");
            seam_row_to_json(s->lines, v, &out);
            seam_buf_str(&out, "\n");
        }
    cli_print(&out);
    seam_buf_free(&out);
}

static enum seam_status audit_show(struct audit_command *a, const char *word)
{
    struct cli *c = a->c;
    const struct seam_json *config = platform_sink_config(a->p, "audit");
    struct shower s = {.a = a,
                       .to_lsn = SEAM_LSN_MAX,
                       .to_version =
                           a->o->to_version > 0 ? (uint64_t)a->o->to_version : UINT64_MAX};
    struct audit_reader *r = NULL;
    struct audit_info info;
    int64_t order, time_us = INT64_MIN;
    enum seam_status st = parse_id(c, word, &order);

    if (st == SEAM_OK && a->o->as_of != NULL &&
        (!cli_parse_moment(a->o->as_of, &s.to_lsn, &time_us) || time_us != INT64_MIN))
        st = seam_fault_set(&c->fault, SEAM_INVALID, "--as-of", SEAM_FAULT_NO_OFFSET,
                            "takes an LSN here");
    if (st == SEAM_OK) st = audit_reader_open(c->io, a->dir, &r, &c->fault);
    if (st == SEAM_OK) st = stream_registry_open(&s.registry, c->io, a->dir, &c->fault);
    s.orders = stream_registry_find(&s.registry, seam_json_string(config, "orders", "orders"));
    s.lines = stream_registry_find(&s.registry, seam_json_string(config, "lines", "order_lines"));
    if (st == SEAM_OK) st = audit_events(r, order, show_event, &s, &c->fault);
    if (st == SEAM_OK && s.shown == 0)
        st = seam_fault_set(&c->fault, SEAM_NOT_FOUND, word, SEAM_FAULT_NO_OFFSET,
                            "no event tells of this order");
    if (st == SEAM_OK) {
        print_state(&s);
        audit_reader_info(r, &info);
        cli_footer(c, info.lsn, seam_clock_wall_us(c->clock) - info.wall_us, NULL);
    }
    audit_state_free(&s.state);
    stream_registry_close(&s.registry);
    audit_reader_close(r);
    return st;
}

/* ---- verify and prove ---- */

static enum seam_status audit_check(struct audit_command *a)
{
    struct cli *c = a->c;
    struct audit_reader *r = NULL;
    struct audit_info info;
    uint64_t checked = 0, start = seam_clock_mono_ns(c->clock);
    double seconds;
    enum seam_status st = audit_reader_open(c->io, a->dir, &r, &c->fault);

    if (st == SEAM_OK) st = audit_verify(r, &checked, &c->fault);
    if (st == SEAM_OK) {
        audit_reader_info(r, &info);
        seconds = (double)(seam_clock_mono_ns(c->clock) - start) / 1e9;
        printf("%" PRIu64 " events of %" PRIu64 " orders: every chain holds, and %" PRIu64
               " Merkle roots (%.0f events/s)\n",
               checked, info.orders, info.segments, (double)checked / (seconds > 0 ? seconds : 1));
        cli_footer(c, info.lsn, -1, NULL);
    }
    audit_reader_close(r);
    return st;
}

/* What the fold rests on and no event tells: said before anybody takes the proof for more than it is. */
static enum seam_status print_gaps(struct audit_command *a, const struct audit_proof *proof)
{
    enum { SHOWN = 16 };
    struct audit_gap gaps[SHOWN];
    struct audit_reader *r = NULL;
    size_t n = 0;
    enum seam_status st = audit_reader_open(a->c->io, a->dir, &r, &a->c->fault);

    if (st == SEAM_OK) st = audit_gaps(r, gaps, SHOWN, &n, &a->c->fault);
    audit_reader_close(r);
    if (st != SEAM_OK) return st;
    printf("NOT THE WHOLE HISTORY: %" PRIu64 " gap%s; %" PRIu64
           " rows were restated from snapshots, and what happened to them is not known\n",
           proof->gaps, proof->gaps == 1 ? "" : "s", proof->restated);
    for (size_t i = 0; i < n && i < SHOWN; i++)
        printf("  gap after LSN %" PRIu64 " up to %" PRIu64 ": %" PRIu64 " rows restated\n",
               gaps[i].from, gaps[i].to, gaps[i].restated);
    return SEAM_OK;
}

static enum seam_status audit_prove_all(struct audit_command *a)
{
    struct cli *c = a->c;
    struct audit_proof proof;
    struct seam_buf difference = {0};
    enum seam_status st =
        audit_prove(a->p, a->dir, (int)a->o->threads, &proof, &difference, &c->fault);
    double seconds = (double)proof.elapsed_ns / 1e9;

    if (c->json)
        printf("{\"orders\":%" PRIu64 ",\"lines\":%" PRIu64 ",\"events\":%" PRIu64
               ",\"different\":%" PRIu64 ",\"gaps\":%" PRIu64 ",\"restated\":%" PRIu64
               ",\"as_of_lsn\":%" PRIu64 ",\"seconds\":%.3f}\n",
               proof.orders, proof.lines, proof.events, proof.different, proof.gaps, proof.restated,
               proof.lsn, seconds);
    else if (st == SEAM_OK || st == SEAM_DRIFT)
        printf("%" PRIu64 " orders with %" PRIu64 " lines, folded from %" PRIu64
               " events in %.2f s (%.0f events/s): %s\n%s",
               proof.orders, proof.lines, proof.events, seconds,
               (double)proof.events / (seconds > 0 ? seconds : 1),
               proof.different == 0 ? "each is what the row store holds at the same LSN"
                                    : "they differ",
               seam_buf_cstr(&difference));
    if (st == SEAM_OK && proof.gaps > 0 && !c->json) st = print_gaps(a, &proof);
    if (st == SEAM_OK)
        cli_footer(c, proof.lsn, -1,
                   proof.gaps == 0 ? "replay = time travel"
                                   : "replay = time travel, but for the gaps");
    seam_buf_free(&difference);
    return st;
}

static enum seam_status audit_prove_event(struct audit_command *a, const char *word)
{
    struct cli *c = a->c;
    struct audit_reader *r = NULL;
    struct audit_path path;
    char text[2 * AUDIT_HASH + 1];
    int64_t number;
    enum seam_status st = parse_id(c, word, &number);

    if (st == SEAM_OK) st = audit_reader_open(c->io, a->dir, &r, &c->fault);
    if (st == SEAM_OK) st = audit_inclusion(r, (uint64_t)number, &path, &c->fault);
    if (st == SEAM_OK) {
        hex(path.leaf, AUDIT_HASH, text);
        printf("event %" PRIu64 "  %s\n", path.number, text);
        for (int i = 0; i < AUDIT_PATH_MAX; i++) {
            hex(path.sibling[i], AUDIT_HASH, text);
            printf("  %s %s\n", (path.number >> i) & 1 ? "left " : "right", text);
        }
        hex(path.root, AUDIT_HASH, text);
        printf("root of segment %" PRIu64 "  %s\n%s\n", path.segment, text,
               audit_path_holds(&path) ? "the path leads to the root: the event is in the log"
                                       : "THE PATH DOES NOT LEAD TO THE ROOT");
        if (!audit_path_holds(&path))
            st = seam_fault_set(&c->fault, SEAM_CORRUPT, "audit", path.number,
                                "the inclusion proof fails");
    }
    audit_reader_close(r);
    return st;
}

/* ---- project: a read model, folded from nothing ---- */

static void write_out(void *ctx, const char *s, size_t n)
{
    (void)ctx;
    if (fwrite(s, 1, n, stdout) != n) cli_interrupted = 1;
}

static enum seam_status audit_project_model(struct audit_command *a, const char *model)
{
    struct cli *c = a->c;
    const struct seam_json *config = platform_sink_config(a->p, "audit");
    struct audit_reader *r = NULL;
    struct stream_registry registry = {0};
    struct audit_schemas schemas;
    seam_lsn_t as_of = SEAM_LSN_MAX;
    int64_t time_us = INT64_MIN;
    enum seam_status st = SEAM_OK;

    if (a->o->as_of != NULL &&
        (!cli_parse_moment(a->o->as_of, &as_of, &time_us) || time_us != INT64_MIN))
        st = seam_fault_set(&c->fault, SEAM_INVALID, "--as-of", SEAM_FAULT_NO_OFFSET,
                            "takes an LSN here");
    if (st == SEAM_OK) st = audit_reader_open(c->io, a->dir, &r, &c->fault);
    if (st == SEAM_OK) st = stream_registry_open(&registry, c->io, a->dir, &c->fault);
    schemas.orders = stream_registry_find(&registry, seam_json_string(config, "orders", "orders"));
    schemas.lines =
        stream_registry_find(&registry, seam_json_string(config, "lines", "order_lines"));
    if (st == SEAM_OK) st = audit_project(r, model, schemas, as_of, write_out, NULL, &c->fault);
    fflush(stdout);
    stream_registry_close(&registry);
    audit_reader_close(r);
    return st;
}

/* ---- append ---- */

static enum seam_status audit_append_event(struct audit_command *a, const char *order_word,
                                           const char *type)
{
    struct cli *c = a->c;
    struct platform_source source = {0};
    struct audit_append e = {.type = type,
                             .event_id = a->o->event_id,
                             .actor = a->o->actor,
                             .causation = a->o->causation,
                             .correlation = a->o->correlation,
                             .data = a->o->data,
                             .expected_version = a->o->expected};
    struct audit_appended done = {0};
    enum seam_status st = parse_id(c, order_word, &e.order);

    if (st == SEAM_OK) st = platform_open_source(a->p, &source, &c->fault);
    if (st == SEAM_OK) {
        st = audit_append(source.db, c->clock, &e, &done, &c->fault);
        st = platform_close_source(&source, st, &c->fault);
    }
    if (st == SEAM_OK && done.known)
        printf("event %s is there already: order %" PRId64 " version %" PRId64
               "; nothing was changed\n",
               e.event_id, done.order, done.version);
    else if (st == SEAM_OK)
        printf("%s of order %" PRId64 ", version %" PRId64 ", at LSN %" PRIu64 "\n", type,
               done.order, done.version, done.lsn);
    return st;
}

/* ---- dispatch ---- */

static int dispatch(struct audit_command *a, const char *const *args, int count,
                    enum seam_status *st)
{
    const char *verb = args[1];

    if (strcmp(verb, "show") == 0 && count == 3)
        *st = audit_show(a, args[2]);
    else if (strcmp(verb, "verify") == 0 && count == 2)
        *st = audit_check(a);
    else if (strcmp(verb, "prove") == 0 && count == 2)
        *st = audit_prove_all(a);
    else if (strcmp(verb, "prove") == 0 && count == 3)
        *st = audit_prove_event(a, args[2]);
    else if (strcmp(verb, "project") == 0 && count == 3)
        *st = audit_project_model(a, args[2]);
    else if (strcmp(verb, "append") == 0 && count == 4)
        *st = audit_append_event(a, args[2], args[3]);
    else
        return cli_usage(a->c, "show ORDER | verify | prove [EVENT-NUMBER] | project "
                               "orders|timeline|customers | append ORDER TYPE --event-id ID");
    return -1;
}

int cmd_audit(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    struct audit_options o = {.expected = -1};
    const struct seam_opt opts[] = {
        {"event-id", 0, SEAM_OPT_STRING, "ID",
         "append: names the event; a used one changes nothing", &o.event_id},
        {"expected-version", 0, SEAM_OPT_INT, "N",
         "append: only when the order stands there (0: not placed yet)", &o.expected},
        {"actor", 0, SEAM_OPT_STRING, "WHO", "append: who did it", &o.actor},
        {"causation", 0, SEAM_OPT_STRING, "ID", "append: the event that caused it", &o.causation},
        {"correlation", 0, SEAM_OPT_STRING, "ID", "append: what it belongs to", &o.correlation},
        {"data", 0, SEAM_OPT_STRING, "JSON", "append: columns of the order, or of the line",
         &o.data},
        {"to-version", 0, SEAM_OPT_INT, "N", "show: fold up to here", &o.to_version},
        {"as-of", 0, SEAM_OPT_STRING, "LSN", "show, project: fold up to here", &o.as_of},
        {"threads", 't', SEAM_OPT_INT, "N", "prove: with N threads [processors]", &o.threads},
    };
    struct platform p;
    struct audit_command a = {.c = c, .p = &p, .o = &o};
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 2, 4);
    enum seam_status st;

    if (rc >= 0) return rc;
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    st = platform_sink_path(&p, "audit", a.dir, &c->fault);
    if (st == SEAM_OK) rc = dispatch(&a, args, count, &st);
    platform_close(&p);
    if (rc >= 0) return rc;
    return st == SEAM_OK ? EXIT_FINE : cli_fail(c, st);
}
