#include "pipeline/sinks/deadletter.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/hash.h"

enum { LETTER = 1, VERDICT = 2, LOCK_TRIES = 2000, LOCK_US = 1000 };

struct letter_state {
    uint64_t offset;
    struct hash128 what;
    enum dead_verdict verdict;
};

/* The deletes that end a snapshot share its last row's offset: which of them it is, is told by this. */
static struct hash128 what_of(const struct stream_event *e)
{
    struct hash128 h = {0};

    if (e->kind != STREAM_ROW) return h;
    h = siphash128(e->row.key.data, e->row.key.size);
    h.hi ^= (uint64_t)e->row.op << 32 | e->row.table;
    return h;
}

/* All letters' places and verdicts, by id - 1. */
struct ledger {
    struct letter_state *at;
    uint64_t count, cap;
};

const char *dead_verdict_name(enum dead_verdict v)
{
    return v == DEAD_OPEN      ? "open"
           : v == DEAD_RETRIED ? "retried"
           : v == DEAD_DROPPED ? "dropped"
                               : "unknown";
}

static enum status letters_dir(const struct platform *p, const char *sink, char out[PATH_MAX_BYTES],
                               struct fault *f)
{
    char part[STREAM_NAME_MAX + 8];
    size_t n = strlen(sink);

    if (n == 0 || n >= STREAM_NAME_MAX ||
        strspn(sink, "abcdefghijklmnopqrstuvwxyz0123456789_-") != n)
        return fault_set(f, ST_INVALID, sink, FAULT_NO_OFFSET, "not the name of a sink");
    (void)snprintf(part, sizeof part, "dead/%s", sink);
    return path_join(out, p->dir, part, f);
}

/* ---- records ---- */

static enum status get_letter(const struct wal_record *rec, struct dead_letter *d,
                              char reason[DEAD_REASON_MAX + 1], struct fault *f)
{
    struct reader r = reader_of(rec->data, rec->size);
    struct stream_event *e = &d->event;
    const uint8_t *change, *text;
    size_t change_size = 0, text_size = 0;
    uint8_t type;
    enum status st;

    *d = (struct dead_letter){.id = read_varint(&r)};
    d->wall_us = unzigzag(read_varint(&r));
    e->offset = read_varint(&r);
    e->lsn = read_varint(&r);
    e->txn = read_varint(&r);
    e->seq = read_varint(&r);
    e->total = read_varint(&r);
    e->wall_us = unzigzag(read_varint(&r));
    type = read_u8(&r);
    change = read_lenstr(&r, WAL_PAYLOAD_MAX, &change_size);
    text = read_lenstr(&r, DEAD_REASON_MAX, &text_size);
    if (r.bad || reader_left(&r) > 0)
        return fault_set(f, ST_CORRUPT, "dead letter", rec->start, "the letter is malformed");
    memcpy(reason, text, text_size);
    reason[text_size] = '\0';
    d->reason = reason;
    switch (type) {
    case CHANGE_ROW:
        e->kind = STREAM_ROW;
        st = change_get_row(change, change_size, &e->row, f);
        e->repair = st == ST_OK && (e->row.flags & CHANGE_REPAIR);
        return st;
    case CHANGE_OUTBOX:
        e->kind = STREAM_OUTBOX;
        return change_get_outbox(change, change_size, &e->outbox, f);
    case CHANGE_SCHEMA:
        e->kind = STREAM_SCHEMA;
        return change_get_schema(change, change_size, &e->schema, f);
    default:
        return fault_set(f, ST_CORRUPT, "dead letter", rec->start,
                         "the letter holds an unknown kind of event");
    }
}

static enum status put_letter(struct buf *out, uint64_t id, int64_t wall_us,
                              const struct stream_event *e, const char *reason, struct fault *f)
{
    struct buf change = {0};
    size_t n = strlen(reason);
    uint8_t type = e->kind == STREAM_ROW      ? CHANGE_ROW
                   : e->kind == STREAM_OUTBOX ? CHANGE_OUTBOX
                                              : CHANGE_SCHEMA;

    if (e->kind == STREAM_ROW)
        change_put_row(&change, &e->row);
    else if (e->kind == STREAM_OUTBOX)
        change_put_outbox(&change, &e->outbox);
    else if (e->kind == STREAM_SCHEMA)
        change_put_schema(&change, &e->schema);
    else
        return fault_set(f, ST_INVALID, "dead letter", e->offset, "only changes can be set aside");
    buf_varint(out, id);
    buf_varint(out, zigzag(wall_us));
    buf_varint(out, e->offset);
    buf_varint(out, e->lsn);
    buf_varint(out, e->txn);
    buf_varint(out, e->seq);
    buf_varint(out, e->total);
    buf_varint(out, zigzag(e->wall_us));
    buf_u8(out, type);
    buf_lenstr(out, change.data, change.size);
    buf_lenstr(out, reason, n < DEAD_REASON_MAX ? n : DEAD_REASON_MAX);
    if (!buf_ok(&change)) out->failed = true;
    buf_free(&change);
    return buf_ok(out)
               ? ST_OK
               : fault_set(f, ST_NOMEM, "dead letter", e->offset, "no memory for the letter");
}

/* ---- the ledger ---- */

static enum status ledger_add(struct ledger *l, const struct wal_record *rec, struct fault *f)
{
    struct reader r = reader_of(rec->data, rec->size);
    uint64_t id = read_varint(&r);
    uint8_t verdict;

    if (rec->type == LETTER) {
        char reason[DEAD_REASON_MAX + 1];
        struct dead_letter d;
        enum status st = get_letter(rec, &d, reason, f);

        if (st != ST_OK) return st;
        if (id != l->count + 1)
            return fault_set(f, ST_CORRUPT, "dead letter", rec->start,
                             "letters are not numbered in order");
        if (l->count == DEAD_LETTERS_MAX)
            return fault_set(f, ST_LIMIT, "dead letter", rec->start,
                             "a sink may have %d dead letters", DEAD_LETTERS_MAX);
        if (l->count == l->cap) {
            uint64_t cap = l->cap == 0 ? 64 : l->cap * 2;
            struct letter_state *at = realloc(l->at, cap * sizeof *at);

            if (at == NULL)
                return fault_set(f, ST_NOMEM, "dead letter", rec->start,
                                 "no memory for the ledger");
            l->at = at;
            l->cap = cap;
        }
        l->at[l->count++] = (struct letter_state){d.event.offset, what_of(&d.event), DEAD_OPEN};
        return ST_OK;
    }
    verdict = read_u8(&r);
    if (rec->type != VERDICT || r.bad || id == 0 || id > l->count || verdict == DEAD_OPEN ||
        verdict > DEAD_DROPPED)
        return fault_set(f, ST_CORRUPT, "dead letter", rec->start, "a verdict is malformed");
    l->at[id - 1].verdict = (enum dead_verdict)verdict;
    return ST_OK;
}

static enum status ledger_read(const struct platform *p, const char *dir, struct ledger *l,
                               struct fault *f)
{
    struct wal_reader *r = NULL;
    struct wal_record rec;
    enum status st = wal_reader_open(p->io, dir, LSN_NONE, 0, &r, f);

    while (st == ST_OK) {
        st = wal_reader_next(r, &rec, f);
        if (st == ST_OK) st = ledger_add(l, &rec, f);
    }
    wal_reader_close(r);
    return st == ST_END ? ST_OK : st;
}

static bool none_there(const struct platform *p, const char *dir)
{
    struct wal_state state;

    return wal_state(p->io, dir, &state, NULL) == ST_NOT_FOUND;
}

static enum status open_for_writing(const struct platform *p, const char *dir, struct wal **w,
                                    struct fault *f)
{
    struct wal_options o = {.io = p->io,
                            .clock = p->clock,
                            .log_id = p->log_id ^ 0x6461656455ull,
                            .segment_bytes = 1 << 20,
                            .buffer_bytes = 64 << 10};
    struct fault why = {0};
    enum status st = ST_CONFLICT;

    for (int i = 0; i < LOCK_TRIES && st == ST_CONFLICT; i++) {
        if (i > 0) p->clock->sleep_us(p->clock, LOCK_US);
        fault_clear(&why);
        st = wal_open(dir, &o, w, NULL, &why);
    }
    if (st != ST_OK && f != NULL && f->status == ST_OK) *f = why;
    return st;
}

static enum status append_and_close(struct wal *w, uint8_t type, const struct buf *b,
                                    enum status st, struct fault *f)
{
    struct wal_span at;
    enum status closed;

    if (st == ST_OK && b->size > 0)
        st = wal_append(w, type, &(struct io_slice){b->data, b->size}, 1, &at, f);
    closed = wal_close(w, f);
    return st == ST_OK ? closed : st;
}

enum status dead_letter_add(const struct platform *p, const char *sink,
                            const struct stream_event *e, const char *reason, uint64_t *id,
                            struct fault *f)
{
    struct ledger l = {0};
    struct buf b = {0};
    struct wal *w = NULL;
    char dir[PATH_MAX_BYTES];
    struct hash128 what = what_of(e);
    uint64_t found = 0;
    enum status st = letters_dir(p, sink, dir, f);

    if (st == ST_OK) st = open_for_writing(p, dir, &w, f);
    if (st == ST_OK) st = ledger_read(p, dir, &l, f);
    for (uint64_t i = 0; st == ST_OK && i < l.count; i++)
        if (l.at[i].offset == e->offset && l.at[i].what.hi == what.hi && l.at[i].what.lo == what.lo)
            found = i + 1;
    if (st == ST_OK && found == 0)
        st = put_letter(&b, l.count + 1, clock_wall_us(p->clock), e, reason, f);
    if (st == ST_OK && id != NULL) *id = found != 0 ? found : l.count + 1;
    if (w != NULL) st = append_and_close(w, LETTER, &b, st, f);
    buf_free(&b);
    free(l.at);
    return st;
}

enum status dead_letters(const struct platform *p, const char *sink, bool only_open,
                         enum status (*fn)(void *ctx, const struct dead_letter *d, struct fault *f),
                         void *ctx, struct fault *f)
{
    struct ledger l = {0};
    struct wal_reader *r = NULL;
    struct wal_record rec;
    char dir[PATH_MAX_BYTES], reason[DEAD_REASON_MAX + 1];
    enum status st = letters_dir(p, sink, dir, f);

    if (st != ST_OK || none_there(p, dir)) return st;
    st = ledger_read(p, dir, &l, f);
    if (st == ST_OK) st = wal_reader_open(p->io, dir, LSN_NONE, 0, &r, f);
    while (st == ST_OK) {
        struct dead_letter d;

        st = wal_reader_next(r, &rec, f);
        if (st != ST_OK || rec.type != LETTER) continue;
        st = get_letter(&rec, &d, reason, f);
        if (st != ST_OK || d.id > l.count) break; /* one that came after the ledger was read */
        d.verdict = l.at[d.id - 1].verdict;
        if (!only_open || d.verdict == DEAD_OPEN) st = fn(ctx, &d, f);
    }
    wal_reader_close(r);
    free(l.at);
    return st == ST_END ? ST_OK : st;
}

enum status dead_letter_resolve(const struct platform *p, const char *sink, uint64_t id,
                                enum dead_verdict verdict, struct fault *f)
{
    struct ledger l = {0};
    struct buf b = {0};
    struct wal *w = NULL;
    char dir[PATH_MAX_BYTES];
    enum status st = letters_dir(p, sink, dir, f);

    if (verdict != DEAD_RETRIED && verdict != DEAD_DROPPED)
        return fault_set(f, ST_INVALID, sink, id, "a verdict is retried or dropped");
    if (st == ST_OK && none_there(p, dir))
        return fault_set(f, ST_NOT_FOUND, sink, id, "this sink has no dead letters");
    if (st == ST_OK) st = open_for_writing(p, dir, &w, f);
    if (st == ST_OK) st = ledger_read(p, dir, &l, f);
    if (st == ST_OK && (id == 0 || id > l.count))
        st = fault_set(f, ST_NOT_FOUND, sink, id, "there is no dead letter of this number");
    if (st == ST_OK && l.at[id - 1].verdict != DEAD_OPEN)
        st = fault_set(f, ST_CONFLICT, sink, id, "this dead letter is %s already",
                       dead_verdict_name(l.at[id - 1].verdict));
    if (st == ST_OK) {
        buf_varint(&b, id);
        buf_u8(&b, (uint8_t)verdict);
        buf_varint(&b, zigzag(clock_wall_us(p->clock)));
        if (!buf_ok(&b)) st = fault_set(f, ST_NOMEM, sink, id, "no memory for the verdict");
    }
    if (w != NULL) st = append_and_close(w, VERDICT, &b, st, f);
    buf_free(&b);
    free(l.at);
    return st;
}

enum status dead_letter_count(const struct platform *p, const char *sink, struct dead_counts *out,
                              struct fault *f)
{
    struct ledger l = {0};
    char dir[PATH_MAX_BYTES];
    enum status st = letters_dir(p, sink, dir, f);

    *out = (struct dead_counts){0};
    if (st != ST_OK || none_there(p, dir)) return st;
    st = ledger_read(p, dir, &l, f);
    for (uint64_t i = 0; st == ST_OK && i < l.count; i++) {
        out->open += l.at[i].verdict == DEAD_OPEN;
        out->retried += l.at[i].verdict == DEAD_RETRIED;
        out->dropped += l.at[i].verdict == DEAD_DROPPED;
    }
    free(l.at);
    return st;
}
