/* deadletter - letters and verdicts in a log of their own, read as a ledger. */
#include "pipeline/sinks/deadletter.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/hash.h"

enum { LETTER = 1, VERDICT = 2, LOCK_TRIES = 2000, LOCK_US = 1000 };

struct letter_state {
    uint64_t offset;
    struct seam_hash128 what;
    enum sink_dead_verdict verdict;
};

/* The deletes that end a snapshot share its last row's offset: which of them it is, is told by this. */
static struct seam_hash128 what_of(const struct stream_event *e)
{
    struct seam_hash128 h = {0};

    if (e->kind != STREAM_ROW) return h;
    h = seam_siphash128(e->row.key.data, e->row.key.size);
    h.hi ^= (uint64_t)e->row.op << 32 | e->row.table;
    return h;
}

/* All letters' places and verdicts, by id - 1. */
struct ledger {
    struct letter_state *at;
    uint64_t count, cap;
};

const char *sink_dead_verdict_name(enum sink_dead_verdict v)
{
    return v == DEAD_OPEN      ? "open"
           : v == DEAD_RETRIED ? "retried"
           : v == DEAD_DROPPED ? "dropped"
                               : "unknown";
}

static enum seam_status letters_dir(const struct platform *p, const char *sink,
                                    char out[SEAM_PATH_MAX_BYTES], struct seam_fault *f)
{
    char part[STREAM_NAME_MAX + 8];
    size_t n = strlen(sink);

    if (n == 0 || n >= STREAM_NAME_MAX ||
        strspn(sink, "abcdefghijklmnopqrstuvwxyz0123456789_-") != n)
        return seam_fault_set(f, SEAM_INVALID, sink, SEAM_FAULT_NO_OFFSET,
                              "not the name of a sink");
    (void)snprintf(part, sizeof part, "dead/%s", sink);
    return seam_path_join(out, p->dir, part, f);
}

/* ---- records ---- */

static enum seam_status get_letter(const struct wal_record *rec, struct sink_dead_letter *d,
                                   char reason[DEAD_REASON_MAX + 1], struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(rec->data, rec->size);
    struct stream_event *e = &d->event;
    const uint8_t *change, *text;
    size_t change_size = 0, text_size = 0;
    uint8_t type;
    enum seam_status st;

    *d = (struct sink_dead_letter){.id = seam_read_varint(&r)};
    d->wall_us = seam_unzigzag(seam_read_varint(&r));
    e->offset = seam_read_varint(&r);
    e->lsn = seam_read_varint(&r);
    e->txn = seam_read_varint(&r);
    e->seq = seam_read_varint(&r);
    e->total = seam_read_varint(&r);
    e->wall_us = seam_unzigzag(seam_read_varint(&r));
    type = seam_read_u8(&r);
    change = seam_read_lenstr(&r, WAL_PAYLOAD_MAX, &change_size);
    text = seam_read_lenstr(&r, DEAD_REASON_MAX, &text_size);
    if (r.bad || seam_reader_left(&r) > 0)
        return seam_fault_set(f, SEAM_CORRUPT, "dead letter", rec->start,
                              "the letter is malformed");
    memcpy(reason, text, text_size);
    reason[text_size] = '\0';
    d->reason = reason;
    switch (type) {
    case WAL_CHANGE_ROW:
        e->kind = STREAM_ROW;
        st = wal_change_get_row(change, change_size, &e->row, f);
        e->repair = st == SEAM_OK && (e->row.flags & WAL_CHANGE_REPAIR);
        return st;
    case WAL_CHANGE_OUTBOX:
        e->kind = STREAM_OUTBOX;
        return wal_change_get_outbox(change, change_size, &e->outbox, f);
    case WAL_CHANGE_SCHEMA:
        e->kind = STREAM_SCHEMA;
        return wal_change_get_schema(change, change_size, &e->schema, f);
    default:
        return seam_fault_set(f, SEAM_CORRUPT, "dead letter", rec->start,
                              "the letter holds an unknown kind of event");
    }
}

static enum seam_status put_letter(struct seam_buf *out, uint64_t id, int64_t wall_us,
                                   const struct stream_event *e, const char *reason,
                                   struct seam_fault *f)
{
    struct seam_buf change = {0};
    size_t n = strlen(reason);
    uint8_t type = e->kind == STREAM_ROW      ? WAL_CHANGE_ROW
                   : e->kind == STREAM_OUTBOX ? WAL_CHANGE_OUTBOX
                                              : WAL_CHANGE_SCHEMA;

    if (e->kind == STREAM_ROW)
        wal_change_put_row(&change, &e->row);
    else if (e->kind == STREAM_OUTBOX)
        wal_change_put_outbox(&change, &e->outbox);
    else if (e->kind == STREAM_SCHEMA)
        wal_change_put_schema(&change, &e->schema);
    else
        return seam_fault_set(f, SEAM_INVALID, "dead letter", e->offset,
                              "only changes can be set aside");
    seam_buf_varint(out, id);
    seam_buf_varint(out, seam_zigzag(wall_us));
    seam_buf_varint(out, e->offset);
    seam_buf_varint(out, e->lsn);
    seam_buf_varint(out, e->txn);
    seam_buf_varint(out, e->seq);
    seam_buf_varint(out, e->total);
    seam_buf_varint(out, seam_zigzag(e->wall_us));
    seam_buf_u8(out, type);
    seam_buf_lenstr(out, change.data, change.size);
    seam_buf_lenstr(out, reason, n < DEAD_REASON_MAX ? n : DEAD_REASON_MAX);
    if (!seam_buf_ok(&change)) out->failed = true;
    seam_buf_free(&change);
    return seam_buf_ok(out) ? SEAM_OK
                            : seam_fault_set(f, SEAM_NOMEM, "dead letter", e->offset,
                                             "no memory for the letter");
}

/* ---- the ledger ---- */

static enum seam_status ledger_add(struct ledger *l, const struct wal_record *rec,
                                   struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(rec->data, rec->size);
    uint64_t id = seam_read_varint(&r);
    uint8_t verdict;

    if (rec->type == LETTER) {
        char reason[DEAD_REASON_MAX + 1];
        struct sink_dead_letter d;
        enum seam_status st = get_letter(rec, &d, reason, f);

        if (st != SEAM_OK) return st;
        if (id != l->count + 1)
            return seam_fault_set(f, SEAM_CORRUPT, "dead letter", rec->start,
                                  "letters are not numbered in order");
        if (l->count == DEAD_LETTERS_MAX)
            return seam_fault_set(f, SEAM_LIMIT, "dead letter", rec->start,
                                  "a sink may have %d dead letters", DEAD_LETTERS_MAX);
        if (l->count == l->cap) {
            uint64_t cap = l->cap == 0 ? 64 : l->cap * 2;
            struct letter_state *at = realloc(l->at, cap * sizeof *at);

            if (at == NULL)
                return seam_fault_set(f, SEAM_NOMEM, "dead letter", rec->start,
                                      "no memory for the ledger");
            l->at = at;
            l->cap = cap;
        }
        l->at[l->count++] = (struct letter_state){d.event.offset, what_of(&d.event), DEAD_OPEN};
        return SEAM_OK;
    }
    verdict = seam_read_u8(&r);
    if (rec->type != VERDICT || r.bad || id == 0 || id > l->count || verdict == DEAD_OPEN ||
        verdict > DEAD_DROPPED)
        return seam_fault_set(f, SEAM_CORRUPT, "dead letter", rec->start, "a verdict is malformed");
    l->at[id - 1].verdict = (enum sink_dead_verdict)verdict;
    return SEAM_OK;
}

static enum seam_status ledger_read(const struct platform *p, const char *dir, struct ledger *l,
                                    struct seam_fault *f)
{
    struct wal_reader *r = NULL;
    struct wal_record rec;
    enum seam_status st = wal_reader_open(p->io, dir, SEAM_LSN_NONE, 0, &r, f);

    while (st == SEAM_OK) {
        st = wal_reader_next(r, &rec, f);
        if (st == SEAM_OK) st = ledger_add(l, &rec, f);
    }
    wal_reader_close(r);
    return st == SEAM_END ? SEAM_OK : st;
}

static bool none_there(const struct platform *p, const char *dir)
{
    struct wal_state state;

    return wal_state(p->io, dir, &state, NULL) == SEAM_NOT_FOUND;
}

static enum seam_status open_for_writing(const struct platform *p, const char *dir, struct wal **w,
                                         struct seam_fault *f)
{
    struct wal_options o = {.io = p->io,
                            .clock = p->clock,
                            .log_id = p->log_id ^ 0x6461656455ull,
                            .segment_bytes = 1 << 20,
                            .buffer_bytes = 64 << 10};
    struct seam_fault why = {0};
    enum seam_status st = SEAM_CONFLICT;

    for (int i = 0; i < LOCK_TRIES && st == SEAM_CONFLICT; i++) {
        if (i > 0) p->clock->sleep_us(p->clock, LOCK_US);
        seam_fault_clear(&why);
        st = wal_open(dir, &o, w, NULL, &why);
    }
    if (st != SEAM_OK && f != NULL && f->status == SEAM_OK) *f = why;
    return st;
}

static enum seam_status append_and_close(struct wal *w, uint8_t type, const struct seam_buf *b,
                                         enum seam_status st, struct seam_fault *f)
{
    struct wal_span at;
    enum seam_status closed;

    if (st == SEAM_OK && b->size > 0)
        st = wal_append(w, type, &(struct seam_io_slice){b->data, b->size}, 1, &at, f);
    closed = wal_close(w, f);
    return st == SEAM_OK ? closed : st;
}

enum seam_status sink_dead_letter_add(const struct platform *p, const char *sink,
                                      const struct stream_event *e, const char *reason,
                                      uint64_t *id, struct seam_fault *f)
{
    struct ledger l = {0};
    struct seam_buf b = {0};
    struct wal *w = NULL;
    char dir[SEAM_PATH_MAX_BYTES];
    struct seam_hash128 what = what_of(e);
    uint64_t found = 0;
    enum seam_status st = letters_dir(p, sink, dir, f);

    if (st == SEAM_OK) st = open_for_writing(p, dir, &w, f);
    if (st == SEAM_OK) st = ledger_read(p, dir, &l, f);
    for (uint64_t i = 0; st == SEAM_OK && i < l.count; i++)
        if (l.at[i].offset == e->offset && l.at[i].what.hi == what.hi && l.at[i].what.lo == what.lo)
            found = i + 1;
    if (st == SEAM_OK && found == 0)
        st = put_letter(&b, l.count + 1, seam_clock_wall_us(p->clock), e, reason, f);
    if (st == SEAM_OK && id != NULL) *id = found != 0 ? found : l.count + 1;
    if (w != NULL) st = append_and_close(w, LETTER, &b, st, f);
    seam_buf_free(&b);
    free(l.at);
    return st;
}

enum seam_status sink_dead_letters(const struct platform *p, const char *sink, bool only_open,
                                   enum seam_status (*fn)(void *ctx,
                                                          const struct sink_dead_letter *d,
                                                          struct seam_fault *f),
                                   void *ctx, struct seam_fault *f)
{
    struct ledger l = {0};
    struct wal_reader *r = NULL;
    struct wal_record rec;
    char dir[SEAM_PATH_MAX_BYTES], reason[DEAD_REASON_MAX + 1];
    enum seam_status st = letters_dir(p, sink, dir, f);

    if (st != SEAM_OK || none_there(p, dir)) return st;
    st = ledger_read(p, dir, &l, f);
    if (st == SEAM_OK) st = wal_reader_open(p->io, dir, SEAM_LSN_NONE, 0, &r, f);
    while (st == SEAM_OK) {
        struct sink_dead_letter d;

        st = wal_reader_next(r, &rec, f);
        if (st != SEAM_OK || rec.type != LETTER) continue;
        st = get_letter(&rec, &d, reason, f);
        if (st != SEAM_OK || d.id > l.count) break; /* one that came after the ledger was read */
        d.verdict = l.at[d.id - 1].verdict;
        if (!only_open || d.verdict == DEAD_OPEN) st = fn(ctx, &d, f);
    }
    wal_reader_close(r);
    free(l.at);
    return st == SEAM_END ? SEAM_OK : st;
}

enum seam_status sink_dead_letter_resolve(const struct platform *p, const char *sink, uint64_t id,
                                          enum sink_dead_verdict verdict, struct seam_fault *f)
{
    struct ledger l = {0};
    struct seam_buf b = {0};
    struct wal *w = NULL;
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st = letters_dir(p, sink, dir, f);

    if (verdict != DEAD_RETRIED && verdict != DEAD_DROPPED)
        return seam_fault_set(f, SEAM_INVALID, sink, id, "a verdict is retried or dropped");
    if (st == SEAM_OK && none_there(p, dir))
        return seam_fault_set(f, SEAM_NOT_FOUND, sink, id, "this sink has no dead letters");
    if (st == SEAM_OK) st = open_for_writing(p, dir, &w, f);
    if (st == SEAM_OK) st = ledger_read(p, dir, &l, f);
    if (st == SEAM_OK && (id == 0 || id > l.count))
        st = seam_fault_set(f, SEAM_NOT_FOUND, sink, id, "there is no dead letter of this number");
    if (st == SEAM_OK && l.at[id - 1].verdict != DEAD_OPEN)
        st = seam_fault_set(f, SEAM_CONFLICT, sink, id, "this dead letter is %s already",
                            sink_dead_verdict_name(l.at[id - 1].verdict));
    if (st == SEAM_OK) {
        seam_buf_varint(&b, id);
        seam_buf_u8(&b, (uint8_t)verdict);
        seam_buf_varint(&b, seam_zigzag(seam_clock_wall_us(p->clock)));
        if (!seam_buf_ok(&b))
            st = seam_fault_set(f, SEAM_NOMEM, sink, id, "no memory for the verdict");
    }
    if (w != NULL) st = append_and_close(w, VERDICT, &b, st, f);
    seam_buf_free(&b);
    free(l.at);
    return st;
}

enum seam_status sink_dead_letter_count(const struct platform *p, const char *sink,
                                        struct sink_dead_counts *out, struct seam_fault *f)
{
    struct ledger l = {0};
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st = letters_dir(p, sink, dir, f);

    *out = (struct sink_dead_counts){0};
    if (st != SEAM_OK || none_there(p, dir)) return st;
    st = ledger_read(p, dir, &l, f);
    for (uint64_t i = 0; st == SEAM_OK && i < l.count; i++) {
        out->open += l.at[i].verdict == DEAD_OPEN;
        out->retried += l.at[i].verdict == DEAD_RETRIED;
        out->dropped += l.at[i].verdict == DEAD_DROPPED;
    }
    free(l.at);
    return st;
}
