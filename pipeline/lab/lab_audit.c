/* lab_audit - an order as a chain of events: append, fold, prove, and tampering that cannot be
 * hidden. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "oltp/oltp.h"
#include "pipeline/audit/audit.h"
#include "pipeline/lab/draw.h"
#include "pipeline/lab/scenarios.h"
#include "pipeline/lab/shop.h"

static const char *const sinks[] = {"audit"};

enum { ORDER = 7 };

struct lab_audit_world {
    struct lab_shop s;
    char dir[SEAM_PATH_MAX_BYTES];
};

static enum seam_status draw_event(void *ctx, const struct audit_event *e)
{
    struct seam_buf *b = ctx;

    seam_buf_printf(b, "  version %" PRIu64 "  event %" PRIu64 "  LSN %5" PRIu64 "  %-13s  hash ",
                    e->version, e->number, e->lsn, audit_type_name(e->type));
    for (int i = 0; i < 8; i++) seam_buf_printf(b, "%02x", e->hash[i]);
    seam_buf_str(b, "...\n");
    return SEAM_OK;
}

/* The events just drawn as a chain of boxes; `bad`: the version whose hash does not follow (0: all
 * do). */
static void svg_events(struct lab *l, unsigned bad)
{
    struct lab_svg_station list[12];
    char names[SEAM_ARRAY_LEN(list)][24], notes[SEAM_ARRAY_LEN(list)][24];
    size_t n = 0;

    for (const char *p = seam_buf_cstr(&l->draw);
         n < SEAM_ARRAY_LEN(list) && (p = strstr(p, "  version ")) != NULL; p++) {
        unsigned version;
        char hash[9] = "";

        if (sscanf(p, "  version %u event %*u LSN %*u %23s hash %8s", &version, names[n], hash) !=
            3)
            continue;
        snprintf(notes[n], sizeof notes[n], "%u. %s", version, hash);
        list[n] = (struct lab_svg_station){names[n], notes[n], version == bad ? "hot" : "box",
                                           version == bad};
        n++;
    }
    if (n > 0) lab_svg_chain(l, "The order's events, each hash made from the one before", list, n);
}

/* The order's events, and whether the chain, and the fold against the row store, hold. */
static enum seam_status draw(struct lab_audit_world *x, struct seam_fault *f)
{
    struct seam_buf *b = &x->s.l->draw, difference = {0};
    struct audit_reader *r = NULL;
    struct audit_proof proof = {0};
    struct seam_fault why = {0};
    char text[SEAM_FAULT_WHERE_MAX + SEAM_FAULT_WHY_MAX + 64];
    uint64_t checked = 0;
    unsigned bad = 0;
    enum seam_status good, st = audit_reader_open(x->s.l->io, x->dir, &r, f);

    seam_buf_printf(b, "order %d\n", ORDER);
    if (st == SEAM_OK) st = audit_events(r, ORDER, draw_event, b, &why);
    if (st == SEAM_CORRUPT) {
        seam_buf_printf(b, "  %s\n",
                        seam_fault_text(&why, text, sizeof text)); /* verify says so, too */
        seam_fault_clear(&why);
        st = SEAM_OK;
    }
    if (st != SEAM_OK) {
        audit_reader_close(r);
        return seam_fault_set(f, st, x->dir, SEAM_FAULT_NO_OFFSET, "%s", why.why);
    }
    good = audit_verify(r, &checked, &why);
    if (good == SEAM_OK)
        seam_buf_printf(b, "verify: %" PRIu64 " events, every hash follows from the one before\n",
                        checked);
    else
        seam_buf_printf(b, "verify: %s\n", seam_fault_text(&why, text, sizeof text));
    if (good != SEAM_OK && strstr(text, ", event ") != NULL)
        sscanf(strstr(text, ", event "), ", event %u", &bad);
    lab_measured(x->s.l, "verify finds it", good != SEAM_OK);
    svg_events(x->s.l, bad);
    audit_reader_close(r);
    seam_fault_clear(&why);
    good = audit_prove(&x->s.p, x->dir, 1, &proof, &difference, &why);
    lab_measured(x->s.l, "prove finds it", good != SEAM_OK || proof.different > 0);
    if (good == SEAM_OK || good == SEAM_DRIFT)
        seam_buf_printf(b,
                        "prove: %" PRIu64 " orders and %" PRIu64 " lines folded from %" PRIu64
                        " events, compared with the row store AS OF LSN %" PRIu64 ": %" PRIu64
                        " differ\n",
                        proof.orders, proof.lines, proof.events, proof.lsn, proof.different);
    else
        seam_buf_printf(b, "prove: %s\n", seam_fault_text(&why, text, sizeof text));
    seam_buf_free(&difference);
    return SEAM_OK;
}

static enum seam_status step(struct lab_audit_world *x, const char *title, struct seam_fault *f)
{
    enum seam_status st = lab_shop_catch_up(&x->s, sinks, SEAM_ARRAY_LEN(sinks), f);

    if (st == SEAM_OK) st = draw(x, f);
    return st == SEAM_OK ? lab_step(x->s.l, title, f) : st;
}

static enum seam_status live(struct lab_audit_world *x, struct seam_fault *f)
{
    seam_lsn_t lsn;
    enum seam_status st =
        lab_shop_put(&x->s, "orders",
                     "{\"order_id\":7,\"customer_id\":1,\"status\":\"placed\",\"placed_"
                     "at\":\"2026-01-01T09:00:00Z\"}",
                     &lsn, f);

    if (st == SEAM_OK)
        st = lab_shop_put(&x->s, "order_lines",
                          "{\"order_id\":7,\"line_no\":1,\"product_id\":101,\"quantity\":2,\"unit_"
                          "price\":\"34.95\"}",
                          &lsn, f);
    seam_buf_str(&x->s.l->story,
                 "An order is placed and gets a line. The audit sink turned the two "
                 "changes into events. An event's hash covers the hash before it and "
                 "its own bytes: a chain for each order, from nothing.");
    if (st == SEAM_OK) st = step(x, "An order is placed", f);
    if (st == SEAM_OK)
        st = lab_shop_put(&x->s, "orders",
                          "{\"order_id\":7,\"customer_id\":1,\"status\":\"shipped\",\"placed_at\":"
                          "\"2026-01-01T09:00:00Z\"}",
                          &lsn, f);
    seam_buf_str(
        &x->s.l->story,
        "It is shipped: the row store changes its one row, the audit appends a third event. "
        "The present state is a fold over the events; "
        "prove folds every order and compares with the row store at the same LSN.");
    if (st == SEAM_OK) st = step(x, "It is shipped", f);
    return st;
}

/* COLUMN=VALUE; NULL: who did it. */
static enum seam_status forge(const struct seam_schema *s, const char *what,
                              struct seam_value *values, struct seam_fault *f)
{
    const char *word = what != NULL ? what : "actor=mallory";
    size_t n = strcspn(word, "=");
    int column = -1;
    char name[64];

    snprintf(name, sizeof name, "%.*s", (int)n, word);
    column = seam_schema_column(s, name);
    if (column < 0 || word[n] != '=')
        return seam_fault_set(
            f, SEAM_INVALID, "--forge", SEAM_FAULT_NO_OFFSET,
            "'%s' is no COLUMN=VALUE of an event; try type=4, op=3, actor=mallory", word);
    word += n + 1;
    return seam_value_parse(word, strlen(word), s->columns[column].type, s->columns[column].scale,
                            &values[column]) == SEAM_OK
               ? SEAM_OK
               : seam_fault_set(f, SEAM_INVALID, "--forge", SEAM_FAULT_NO_OFFSET, "'%s' is no %s",
                                word, seam_value_type_name(s->columns[column].type));
}

/* Someone with access to the audit's own tables rewrites an event. Every page is written with right
 * checksums. */
static enum seam_status tamper(struct lab_audit_world *x, struct seam_fault *f)
{
    struct oltp_options o = {0};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct oltp_row row;
    struct seam_buf copy = {0};
    struct seam_value values[SEAM_COLUMNS_MAX];
    const struct seam_value key[] = {seam_v_int(ORDER), seam_v_int(2)};
    char rows[SEAM_PATH_MAX_BYTES];
    uint32_t table;
    enum seam_status st = seam_path_join(rows, x->dir, "rows", f);

    if (st == SEAM_OK) st = oltp_open(x->s.l->io, rows, &o, &db, f);
    if (st == SEAM_OK) st = oltp_write_begin(db, &t, f);
    if (st == SEAM_OK) st = oltp_table(t, "events", &table, f);
    if (st == SEAM_OK) st = oltp_get(t, table, key, &row, f);
    if (st == SEAM_OK) {
        seam_buf_append(&copy, row.row.data, row.row.size);
        st = seam_row_decode(oltp_schema(t, table), copy.data, copy.size, values, f);
    }
    if (st == SEAM_OK) {
        st = forge(oltp_schema(t, table), x->s.l->in.forge, values, f);
        if (st == SEAM_OK) st = oltp_put(t, table, values, f);
    }
    if (st == SEAM_OK)
        st = oltp_commit(t, OLTP_DURABLE, NULL, f);
    else
        oltp_end(t);
    seam_buf_free(&copy);
    if (st == SEAM_OK) return oltp_close(db, f);
    oltp_close(db, NULL);
    return st;
}

enum seam_status lab_play_audit(struct lab *l, struct seam_fault *f)
{
    struct lab_audit_world x = {.s = {.l = NULL}};
    seam_lsn_t lsn;
    enum seam_status st = lab_shop_open(l, &x.s, f);

    if (st == SEAM_OK) st = platform_sink_path(&x.s.p, "audit", x.dir, f);
    if (st == SEAM_OK) st = live(&x, f);
    if (st == SEAM_OK) st = lab_shop_delete(&x.s, "orders", ORDER, &lsn, f);
    seam_buf_str(&l->story,
                 "The order's row is deleted. The row store has forgotten it; the audit has "
                 "one event more. Nothing here is ever changed or removed.");
    if (st == SEAM_OK) st = step(&x, "The row is gone, its history is not", f);
    if (st == SEAM_OK) st = tamper(&x, f);
    if (st == SEAM_OK) st = draw(&x, f);
    seam_buf_str(&l->story,
                 "Someone rewrites event 2 (who did it, or what --forge says), through "
                 "the store itself: every page has its right checksum. But the event's hash "
                 "no longer follows from "
                 "its bytes, and verify names the first event that is not what was written. "
                 "To hide it, every later hash, the head and the Merkle root "
                 "that others may have kept would have to change too.");
    if (st == SEAM_OK) st = lab_step(l, "Tampering shows", f);
    lab_shop_close(&x.s);
    return st;
}
