/* cmd_audit - append, show, verify, prove: an order is what its events say. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/row.h"
#include "pipeline/audit/audit.h"
#include "pipeline/cli/cli.h"
#include "pipeline/registry.h"

struct audit_options {
    const char *event_id, *actor, *data, *as_of;
    int64_t expected, to_version, threads;
};

struct audit_command {
    struct cli *c;
    struct platform *p;
    char dir[PATH_MAX_BYTES];
    const struct audit_options *o;
};

static void hex(const uint8_t *p, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++) snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static enum status parse_id(struct cli *c, const char *word, int64_t *out)
{
    return int_parse(word, strlen(word), out) == ST_OK
               ? ST_OK : fault_set(&c->fault, ST_INVALID, word, FAULT_NO_OFFSET, "not a number");
}

/* ---- show ---- */

struct shower {
    struct audit_command *a;
    struct registry registry;
    const struct schema *orders, *lines;
    struct audit_state state;
    lsn_t to_lsn;
    uint64_t to_version, shown;
};

static enum status show_event(void *ctx, const struct audit_event *e)
{
    struct shower *s = ctx;
    char when[40], hash[2 * AUDIT_HASH + 1];
    struct value v[COLUMNS_MAX];
    const struct schema *schema = e->line ? s->lines : s->orders;
    struct buf row = {0};

    if (e->version > s->to_version || e->lsn > s->to_lsn) return ST_END;
    when[time_format(e->at_us, when)] = '\0';
    hex(e->hash, 4, hash);
    if (schema != NULL && row_decode(schema, e->row.data, e->row.size, v, NULL) == ST_OK) row_to_json(schema, v, &row);
    printf("%4" PRIu64 "  LSN %-12" PRIu64 " %s  #%-8" PRIu64 " %s..  %-13s %s%s%.*s\n", e->version, e->lsn, when, e->number, hash,
           audit_type_name(e->type), buf_cstr(&row), e->actor.size > 0 ? "  by " : "", (int)e->actor.size,
           (const char *)e->actor.data);
    buf_free(&row);
    s->shown++;
    return audit_apply(&s->state, e);
}

static void print_state(struct shower *s)
{
    struct buf out = {0};
    struct value v[COLUMNS_MAX];

    if (!s->state.exists) buf_str(&out, "the order does not exist\n");
    else if (row_decode(s->orders, s->state.order.data, s->state.order.size, v, NULL) == ST_OK) {
        buf_str(&out, "the fold of these events:\n  ");
        row_to_json(s->orders, v, &out);
        buf_str(&out, "\n");
    }
    for (size_t i = 0; i < s->state.count; i++)
        if (row_decode(s->lines, s->state.lines[i].row.data, s->state.lines[i].row.size, v, NULL) == ST_OK) {
            buf_str(&out, "    ");
            row_to_json(s->lines, v, &out);
            buf_str(&out, "\n");
        }
    cli_print(&out);
    buf_free(&out);
}

static enum status audit_show(struct audit_command *a, const char *word)
{
    struct cli *c = a->c;
    const struct json *config = platform_sink_config(a->p, "audit");
    struct shower s = {.a = a, .to_lsn = LSN_MAX, .to_version = a->o->to_version > 0 ? (uint64_t)a->o->to_version : UINT64_MAX};
    struct audit_reader *r = NULL;
    struct audit_info info;
    int64_t order, time_us = INT64_MIN;
    enum status st = parse_id(c, word, &order);

    if (st == ST_OK && a->o->as_of != NULL && (!cli_parse_moment(a->o->as_of, &s.to_lsn, &time_us) || time_us != INT64_MIN))
        st = fault_set(&c->fault, ST_INVALID, "--as-of", FAULT_NO_OFFSET, "takes an LSN here");
    if (st == ST_OK) st = audit_reader_open(c->io, a->dir, &r, &c->fault);
    if (st == ST_OK) st = registry_open(&s.registry, c->io, a->dir, &c->fault);
    s.orders = registry_find(&s.registry, json_string(config, "orders", "orders"));
    s.lines = registry_find(&s.registry, json_string(config, "lines", "order_lines"));
    if (st == ST_OK) st = audit_events(r, order, show_event, &s, &c->fault);
    if (st == ST_OK && s.shown == 0)
        st = fault_set(&c->fault, ST_NOT_FOUND, word, FAULT_NO_OFFSET, "no event tells of this order");
    if (st == ST_OK) {
        print_state(&s);
        audit_reader_info(r, &info);
        cli_footer(c, info.lsn, clock_wall_us(c->clock) - info.wall_us, NULL);
    }
    audit_state_free(&s.state);
    registry_close(&s.registry);
    audit_reader_close(r);
    return st;
}

/* ---- verify and prove ---- */

static enum status audit_check(struct audit_command *a)
{
    struct cli *c = a->c;
    struct audit_reader *r = NULL;
    struct audit_info info;
    uint64_t checked = 0, start = clock_mono_ns(c->clock);
    double seconds;
    enum status st = audit_reader_open(c->io, a->dir, &r, &c->fault);

    if (st == ST_OK) st = audit_verify(r, &checked, &c->fault);
    if (st == ST_OK) {
        audit_reader_info(r, &info);
        seconds = (double)(clock_mono_ns(c->clock) - start) / 1e9;
        printf("%" PRIu64 " events of %" PRIu64 " orders: every chain holds, and %" PRIu64 " Merkle roots (%.0f events/s)\n", checked,
               info.orders, info.segments, (double)checked / (seconds > 0 ? seconds : 1));
        cli_footer(c, info.lsn, -1, NULL);
    }
    audit_reader_close(r);
    return st;
}

static enum status audit_prove_all(struct audit_command *a)
{
    struct cli *c = a->c;
    struct audit_proof proof;
    struct buf difference = {0};
    enum status st = audit_prove(a->p, a->dir, (int)a->o->threads, &proof, &difference, &c->fault);
    double seconds = (double)proof.elapsed_ns / 1e9;

    if (c->json)
        printf("{\"orders\":%" PRIu64 ",\"lines\":%" PRIu64 ",\"events\":%" PRIu64 ",\"different\":%" PRIu64 ",\"as_of_lsn\":%" PRIu64
               ",\"seconds\":%.3f}\n", proof.orders, proof.lines, proof.events, proof.different, proof.lsn, seconds);
    else if (st == ST_OK || st == ST_DRIFT)
        printf("%" PRIu64 " orders with %" PRIu64 " lines, folded from %" PRIu64 " events in %.2f s (%.0f events/s): %s\n%s", proof.orders,
               proof.lines, proof.events, seconds, (double)proof.events / (seconds > 0 ? seconds : 1),
               proof.different == 0 ? "each is what the row store holds at the same LSN" : "they differ", buf_cstr(&difference));
    if (st == ST_OK) cli_footer(c, proof.lsn, -1, "replay = time travel");
    buf_free(&difference);
    return st;
}

static enum status audit_prove_event(struct audit_command *a, const char *word)
{
    struct cli *c = a->c;
    struct audit_reader *r = NULL;
    struct audit_path path;
    char text[2 * AUDIT_HASH + 1];
    int64_t number;
    enum status st = parse_id(c, word, &number);

    if (st == ST_OK) st = audit_reader_open(c->io, a->dir, &r, &c->fault);
    if (st == ST_OK) st = audit_inclusion(r, (uint64_t)number, &path, &c->fault);
    if (st == ST_OK) {
        hex(path.leaf, AUDIT_HASH, text);
        printf("event %" PRIu64 "  %s\n", path.number, text);
        for (int i = 0; i < AUDIT_PATH_MAX; i++) {
            hex(path.sibling[i], AUDIT_HASH, text);
            printf("  %s %s\n", (path.number >> i) & 1 ? "left " : "right", text);
        }
        hex(path.root, AUDIT_HASH, text);
        printf("root of segment %" PRIu64 "  %s\n%s\n", path.segment, text,
               audit_path_holds(&path) ? "the path leads to the root: the event is in the log" : "THE PATH DOES NOT LEAD TO THE ROOT");
        if (!audit_path_holds(&path)) st = fault_set(&c->fault, ST_CORRUPT, "audit", path.number, "the inclusion proof fails");
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

static enum status audit_project_model(struct audit_command *a, const char *model)
{
    struct cli *c = a->c;
    const struct json *config = platform_sink_config(a->p, "audit");
    struct audit_reader *r = NULL;
    struct registry registry = {0};
    struct audit_schemas schemas;
    lsn_t as_of = LSN_MAX;
    int64_t time_us = INT64_MIN;
    enum status st = ST_OK;

    if (a->o->as_of != NULL && (!cli_parse_moment(a->o->as_of, &as_of, &time_us) || time_us != INT64_MIN))
        st = fault_set(&c->fault, ST_INVALID, "--as-of", FAULT_NO_OFFSET, "takes an LSN here");
    if (st == ST_OK) st = audit_reader_open(c->io, a->dir, &r, &c->fault);
    if (st == ST_OK) st = registry_open(&registry, c->io, a->dir, &c->fault);
    schemas.orders = registry_find(&registry, json_string(config, "orders", "orders"));
    schemas.lines = registry_find(&registry, json_string(config, "lines", "order_lines"));
    if (st == ST_OK) st = audit_project(r, model, schemas, as_of, write_out, NULL, &c->fault);
    fflush(stdout);
    registry_close(&registry);
    audit_reader_close(r);
    return st;
}

/* ---- append: a business event, which changes the order and is told with its id and actor ---- */

struct appender { struct platform_source source; struct oltp_txn *t; uint32_t orders, lines, ids; };

static enum status ids_table(struct appender *x, struct fault *f)
{
    static const char json[] = "{\"table\":\"seam_audit_ids\",\"key\":[\"event_id\"],\"columns\":[{\"name\":\"event_id\",\"type\":\"text\"},"
                               "{\"name\":\"order_id\",\"type\":\"int64\"},{\"name\":\"version\",\"type\":\"int64\"}]}";
    enum status st = oltp_table(x->t, "seam_audit_ids", &x->ids, NULL);

    return st == ST_NOT_FOUND ? oltp_create_table_json(x->t, json, sizeof json - 1, &x->ids, f) : st;
}

static enum status say(struct audit_command *a, struct appender *x, int64_t order, const char *type)
{
    struct buf payload = {0};
    struct json_writer w;
    enum status st;

    jw_init(&w, &payload);
    jw_object(&w);
    jw_key(&w, "event_id");
    jw_str(&w, a->o->event_id);
    jw_key(&w, "actor");
    jw_str(&w, a->o->actor != NULL ? a->o->actor : "");
    jw_key(&w, "type");
    jw_str(&w, type);
    jw_end_object(&w);
    st = oltp_outbox_put(x->t, "order", (struct bytes){(const uint8_t *)&order, sizeof order}, type,
                         (struct bytes){payload.data, payload.size}, &a->c->fault);
    buf_free(&payload);
    return st;
}

/* Members of `data` over the row there is (or over defaults), with the order's id.                   */
static enum status merged_row(struct audit_command *a, const struct schema *s, const struct value *old, int64_t order,
                              const char *status, struct value *out, struct buf *text)
{
    struct arena arena = {0};
    struct json *data = NULL;
    struct fault *f = &a->c->fault;
    const char *json = a->o->data != NULL ? a->o->data : "{}";
    struct buf whole = {0};
    struct json_writer w;
    enum status st = json_parse(json, strlen(json), &arena, "--data", &data, f);

    if (st == ST_OK && data->type != J_OBJECT) st = fault_set(f, ST_INVALID, "--data", FAULT_NO_OFFSET, "a JSON object is needed");
    jw_init(&w, &whole);
    jw_object(&w);
    for (int i = 0; st == ST_OK && i < s->column_count; i++) {
        const char *name = s->columns[i].name;
        const struct json *v = json_get(data, name);
        struct buf cell = {0};

        if (!column_live(&s->columns[i], s->version)) continue;
        if (strcmp(name, "order_id") == 0) {
            jw_key(&w, name);
            jw_int(&w, order);
        } else if (strcmp(name, "status") == 0 && status != NULL) {
            jw_key(&w, name);
            jw_str(&w, status);
        } else if (v != NULL) {
            jw_key(&w, name);
            jw_node(&w, v);
        } else if (old != NULL && old[i].type != V_NULL) {
            jw_key(&w, name);
            value_format(&old[i], &cell);
            if (old[i].type == V_INT) jw_int(&w, old[i].i);
            else jw_strn(&w, (const char *)cell.data, cell.size);
        } else if (strcmp(name, "placed_at") == 0) {
            char when[40];

            jw_key(&w, name);
            jw_strn(&w, when, time_format(clock_wall_us(a->c->clock), when));
        }
        buf_free(&cell);
    }
    jw_end_object(&w);
    if (st == ST_OK) st = row_from_json(s, (const char *)whole.data, whole.size, out, text, f);
    buf_free(&whole);
    arena_free(&arena);
    return st;
}

struct append_kind { const char *type; const char *status; bool line, remove; };
static const struct append_kind append_kinds[] = {
    {"OrderPlaced", "placed", false, false}, {"PaymentTaken", "paid", false, false}, {"Shipped", "shipped", false, false},
    {"Cancelled", "cancelled", false, false}, {"Refunded", "refunded", false, false}, {"LineAdded", NULL, true, false},
    {"LineRemoved", NULL, true, true}};

/* The order's row and version; version 0 when it is not there yet.                                   */
static enum status read_order(struct appender *x, int64_t order, struct value *row, struct buf *copy, int64_t *version,
                              struct fault *f)
{
    const struct schema *s = oltp_schema(x->t, x->orders);
    struct value id = v_int(order);
    struct oltp_row stored;
    enum status st = oltp_get(x->t, x->orders, &id, &stored, NULL);

    *version = 0;
    if (st == ST_NOT_FOUND) return ST_OK;
    if (st == ST_OK) buf_append(copy, stored.row.data, stored.row.size);
    if (st == ST_OK) st = row_decode(s, copy->data, copy->size, row, f);
    if (st == ST_OK) *version = row[schema_column(s, "version")].i;
    return st;
}

static enum status change_order(struct audit_command *a, struct appender *x, const struct append_kind *kind, int64_t order,
                                const struct value *old, int64_t version)
{
    const struct schema *s = oltp_schema(x->t, x->orders), *ls = oltp_schema(x->t, x->lines);
    struct value row[COLUMNS_MAX], line[COLUMNS_MAX];
    struct buf text = {0}, line_text = {0};
    struct audit_command plain = *a;
    struct audit_options none = *a->o;
    enum status st = ST_OK;

    none.data = NULL;
    if (kind->line) plain.o = &none; /* the data are the line's, the order only gets its version */
    st = merged_row(&plain, s, version > 0 ? old : NULL, order, kind->status, row, &text);
    if (st == ST_OK && kind->line) {
        st = merged_row(a, ls, NULL, order, NULL, line, &line_text);
        if (st == ST_OK && kind->remove) {
            struct value key[2] = {v_int(order), line[schema_column(ls, "line_no")]};

            st = oltp_delete(x->t, x->lines, key, &a->c->fault);
        } else if (st == ST_OK) {
            st = oltp_insert(x->t, x->lines, line, &a->c->fault);
        }
    }
    if (st == ST_OK) {
        row[schema_column(s, "version")] = v_int(version + 1);
        st = oltp_put(x->t, x->orders, row, &a->c->fault);
    }
    buf_free(&text);
    buf_free(&line_text);
    return st;
}

/* A used id changes nothing and says so, whatever version was expected.                             */
static enum status known_id(struct audit_command *a, struct appender *x, bool *known)
{
    struct value id = v_str(a->o->event_id), v[3];
    struct oltp_row row;
    enum status st = oltp_get(x->t, x->ids, &id, &row, NULL);

    *known = st == ST_OK;
    if (st == ST_NOT_FOUND) return ST_OK;
    if (st == ST_OK) st = row_decode(oltp_schema(x->t, x->ids), row.row.data, row.row.size, v, &a->c->fault);
    if (st == ST_OK)
        printf("event %s is there already: order %" PRId64 " version %" PRId64 "; nothing was changed\n", a->o->event_id, v[1].i, v[2].i);
    return st;
}

static enum status append_in_txn(struct audit_command *a, struct appender *x, const struct append_kind *kind, int64_t order,
                                 bool *known, int64_t *version)
{
    struct cli *c = a->c;
    struct value old[COLUMNS_MAX], id[3];
    struct buf copy = {0};
    enum status st = oltp_table(x->t, "orders", &x->orders, &c->fault);

    if (st == ST_OK) st = oltp_table(x->t, "order_lines", &x->lines, &c->fault);
    if (st == ST_OK) st = ids_table(x, &c->fault);
    if (st == ST_OK) st = known_id(a, x, known);
    if (st != ST_OK || *known) return st;
    st = read_order(x, order, old, &copy, version, &c->fault);
    if (st == ST_OK && a->o->expected >= 0 && a->o->expected != *version)
        st = fault_set(&c->fault, ST_CONFLICT, "orders", FAULT_NO_OFFSET,
                       "order %" PRId64 " is at version %" PRId64 ", not %" PRId64 ": read it again", order, *version, a->o->expected);
    if (st == ST_OK && *version == 0 && strcmp(kind->type, "OrderPlaced") != 0)
        st = fault_set(&c->fault, ST_NOT_FOUND, "orders", FAULT_NO_OFFSET, "order %" PRId64 " has not been placed", order);
    if (st == ST_OK && *version > 0 && strcmp(kind->type, "OrderPlaced") == 0)
        st = fault_set(&c->fault, ST_EXISTS, "orders", FAULT_NO_OFFSET, "order %" PRId64 " was placed already", order);
    if (st == ST_OK) st = say(a, x, order, kind->type);
    if (st == ST_OK) st = change_order(a, x, kind, order, old, *version);
    id[0] = v_str(a->o->event_id);
    id[1] = v_int(order);
    id[2] = v_int(*version + 1);
    if (st == ST_OK) st = oltp_insert(x->t, x->ids, id, &c->fault);
    buf_free(&copy);
    return st;
}

static enum status audit_append(struct audit_command *a, const char *order_word, const char *type)
{
    struct cli *c = a->c;
    struct appender x = {0};
    struct oltp_commit commit = {0};
    const struct append_kind *kind = NULL;
    bool known = false;
    int64_t order, version = 0;
    enum status st = parse_id(c, order_word, &order);

    for (size_t i = 0; i < ARRAY_LEN(append_kinds); i++)
        if (strcmp(append_kinds[i].type, type) == 0) kind = &append_kinds[i];
    if (st == ST_OK && kind == NULL)
        st = fault_set(&c->fault, ST_INVALID, type, FAULT_NO_OFFSET,
                       "not an event: OrderPlaced, LineAdded, LineRemoved, PaymentTaken, Shipped, Cancelled, Refunded");
    if (st == ST_OK && a->o->event_id == NULL)
        st = fault_set(&c->fault, ST_INVALID, "--event-id", FAULT_NO_OFFSET, "an event needs an id, so that sending it twice is harmless");
    if (st == ST_OK) st = platform_open_source(a->p, &x.source, &c->fault);
    if (st == ST_OK) st = oltp_write_begin(x.source.db, &x.t, &c->fault);
    if (st == ST_OK) st = append_in_txn(a, &x, kind, order, &known, &version);
    if (st == ST_OK && !known) {
        st = oltp_commit(x.t, OLTP_DURABLE, &commit, &c->fault);
        x.t = NULL;
    }
    oltp_end(x.t);
    if (x.source.db != NULL) st = platform_close_source(&x.source, st, &c->fault);
    if (st == ST_OK && !known)
        printf("%s of order %" PRId64 ", version %" PRId64 ", at LSN %" PRIu64 "\n", type, order, version + 1, commit.lsn);
    return st;
}

/* ---- dispatch ---- */

static int dispatch(struct audit_command *a, const char *const *args, int count, enum status *st)
{
    const char *verb = args[1];

    if (strcmp(verb, "show") == 0 && count == 3) *st = audit_show(a, args[2]);
    else if (strcmp(verb, "verify") == 0 && count == 2) *st = audit_check(a);
    else if (strcmp(verb, "prove") == 0 && count == 2) *st = audit_prove_all(a);
    else if (strcmp(verb, "prove") == 0 && count == 3) *st = audit_prove_event(a, args[2]);
    else if (strcmp(verb, "project") == 0 && count == 3) *st = audit_project_model(a, args[2]);
    else if (strcmp(verb, "append") == 0 && count == 4) *st = audit_append(a, args[2], args[3]);
    else return cli_usage(a->c, "show ORDER | verify | prove [EVENT-NUMBER] | project orders|timeline|customers | append ORDER TYPE --event-id ID");
    return -1;
}

int cmd_audit(struct cli *c, int argc, char **argv)
{
    const char *args[64];
    struct audit_options o = {.expected = -1, .threads = 2};
    const struct opt opts[] = {
        {"event-id", 0, OPT_STRING, "ID", "append: names the event; a used one changes nothing", &o.event_id},
        {"expected-version", 0, OPT_INT, "N", "append: only when the order stands there (0: not placed yet)", &o.expected},
        {"actor", 0, OPT_STRING, "WHO", "append: who did it", &o.actor},
        {"data", 0, OPT_STRING, "JSON", "append: columns of the order, or of the line", &o.data},
        {"to-version", 0, OPT_INT, "N", "show: fold up to here", &o.to_version},
        {"as-of", 0, OPT_STRING, "LSN", "show, project: fold up to here", &o.as_of},
        {"threads", 't', OPT_INT, "N", "prove: with N threads (2)", &o.threads},
    };
    struct platform p;
    struct audit_command a = {.c = c, .p = &p, .o = &o};
    int count;
    int rc = argc > 60 ? cli_usage(c, "too many arguments")
                       : cli_parse(c, argc, argv, opts, ARRAY_LEN(opts), args, &count, 2, 4);
    enum status st;

    if (rc >= 0) return rc;
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != ST_OK) return cli_fail(c, st);
    st = platform_sink_path(&p, "audit", a.dir, &c->fault);
    if (st == ST_OK) rc = dispatch(&a, args, count, &st);
    platform_close(&p);
    if (rc >= 0) return rc;
    return st == ST_OK ? EXIT_FINE : cli_fail(c, st);
}
