#include "pipeline/deadletter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oltp/oltp.h"
#include "pipeline/reconcile.h"

struct letter_state {
    uint64_t offset;
    enum dead_verdict verdict;
};

/* All letters' offsets and verdicts, by id - 1. */
struct ledger {
    struct letter_state *at;
    uint64_t count, cap;
};
enum { DEAD_BYTES_MAX = 64 << 20 };

bool dead_letter_fits(enum status st) { return st == ST_CORRUPT || st == ST_INVALID || st == ST_UNSUPPORTED; }

static enum status dead_path(const struct platform *p, const char *sink, char out[PATH_MAX_BYTES], struct fault *f)
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
    char dir[PATH_MAX_BYTES];
    enum status st = platform_sink_path(p, sink, dir, f);

    return st == ST_OK ? path_join(out, dir, "dead.jsonl", f) : st;
}

static void put_hex(struct buf *b, struct bytes key)
{
    for (size_t i = 0; i < key.size; i++) buf_printf(b, "%02x", key.data[i]);
}

static void letter_json(struct buf *out, uint64_t offset, lsn_t lsn, const char *table, const char *key_hex, const char *op,
                        const char *reason)
{
    struct json_writer w;

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
    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "offset");
    jw_uint(&w, offset);
    jw_key(&w, "lsn");
    jw_uint(&w, lsn);
    jw_key(&w, "table");
    jw_str(&w, table);
    jw_key(&w, "key");
    jw_str(&w, key_hex);
    jw_key(&w, "op");
    jw_str(&w, op);
    jw_key(&w, "reason");
    jw_str(&w, reason);
    jw_end_object(&w);
    buf_str(out, "\n");
}

static bool unhex(struct arena *a, const char *s, size_t n, struct bytes *out)
{
    uint8_t *p = arena_alloc(a, n / 2 + 1);

    if (p == NULL || n % 2 != 0) return false;
    for (size_t i = 0; i < n / 2; i++) {
        unsigned v;

        if (sscanf(s + 2 * i, "%2x", &v) != 1) return false;
        p[i] = (uint8_t)v;
    }
    *out = (struct bytes){p, n / 2};
    return true;
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
    uint64_t id = read_varint(&r), offset;
    uint8_t verdict;

    if (rec->type == LETTER) {
        (void)read_varint(&r);
        offset = read_varint(&r);
        if (r.bad || id != l->count + 1)
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
        l->at[l->count++] = (struct letter_state){offset, DEAD_OPEN};
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
static enum status read_letter(const char *line, size_t n, struct arena *a, const char *path, struct dead_letter *out,
                               struct fault *f)
{
    struct json *j = NULL;
    const struct json *key;
    int64_t offset, lsn;
    enum status st = json_parse(line, n, a, path, &j, f);

    if (st != ST_OK) return st;
    key = json_get(j, "key");
    if (!json_int(json_get(j, "offset"), &offset) || !json_int(json_get(j, "lsn"), &lsn) || key == NULL ||
        key->type != J_STRING || !unhex(a, key->str, key->len, &out->key))
        return fault_set(f, ST_CORRUPT, path, FAULT_NO_OFFSET, "a line that is no dead letter");
    out->offset = (uint64_t)offset;
    out->lsn = (lsn_t)lsn;
    out->table = json_string(j, "table", "");
    out->op = json_string(j, "op", "?");
    out->reason = json_string(j, "reason", "");
    return ST_OK;
}

enum status dead_letters(const struct platform *p, const char *sink, struct arena *a, struct dead_letter **out,
                         size_t *count, struct fault *f)
{
    struct buf text = {0};
    char path[PATH_MAX_BYTES];
    size_t lines = 0;
    enum status st = dead_path(p, sink, path, f);

    *count = 0;
    *out = NULL;
    if (st != ST_OK || !io_exists(p->io, path)) return st;
    st = io_read_all(p->io, path, DEAD_BYTES_MAX, &text, f);
    for (size_t i = 0; i < text.size; i++) lines += text.data[i] == '\n';
    if (st == ST_OK && lines > 0) *out = arena_zalloc(a, lines * sizeof **out);
    if (st == ST_OK && lines > 0 && *out == NULL) st = fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory");
    for (size_t i = 0; st == ST_OK && i < text.size;) {
        const uint8_t *end = memchr(text.data + i, '\n', text.size - i);

        if (end == NULL) break; /* a torn last line: the event will be delivered again */
        st = read_letter((const char *)text.data + i, (size_t)(end - text.data) - i, a, path, &(*out)[*count], f);
        if (st == ST_OK) ++*count;
        i = (size_t)(end - text.data) + 1;
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
    buf_free(&text);
    return st;
}

/* Writes the list again without those at `without`, with `more` at its end.                         */
static enum status rewrite(const struct platform *p, const char *sink, const struct dead_letter *list, size_t n,
                           uint64_t without, const struct buf *more, struct fault *f)
{
    struct buf b = {0}, hex = {0};
    char path[PATH_MAX_BYTES];
    enum status st = dead_path(p, sink, path, f);

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
    uint64_t found = 0;
    enum status st = letters_dir(p, sink, dir, f);

    if (st == ST_OK) st = open_for_writing(p, dir, &w, f);
    if (st == ST_OK) st = ledger_read(p, dir, &l, f);
    for (uint64_t i = 0; st == ST_OK && i < l.count; i++)
        if (l.at[i].offset == e->offset) found = i + 1;
    if (st == ST_OK && found == 0)
        st = put_letter(&b, l.count + 1, clock_wall_us(p->clock), e, reason, f);
    if (st == ST_OK && id != NULL) *id = found != 0 ? found : l.count + 1;
    if (w != NULL) st = append_and_close(w, LETTER, &b, st, f);
    for (size_t i = 0; i < n; i++) {
        if (without == UINT64_MAX || list[i].offset == without) continue;
        buf_clear(&hex);
        put_hex(&hex, list[i].key);
        letter_json(&b, list[i].offset, list[i].lsn, list[i].table, buf_cstr(&hex), list[i].op, list[i].reason);
    }
    if (more != NULL) buf_append(&b, more->data, more->size);
    if (st == ST_OK && !buf_ok(&b)) st = fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory");
    if (st == ST_OK) st = io_write_atomic(p->io, path, b.data, b.size, f);
    buf_free(&b);
    buf_free(&hex);
    return st;
}

enum status dead_letters(const struct platform *p, const char *sink, bool only_open,
                         enum status (*fn)(void *ctx, const struct dead_letter *d, struct fault *f),
                         void *ctx, struct fault *f)
enum status dead_letter_put(const struct platform *p, const char *sink, const struct sink_change *c, const char *reason,
                            struct fault *f)
{
    static const char *const ops[] = {"?", "c", "u", "d"};
    struct arena a = {0};
    struct dead_letter *list;
    struct buf hex = {0}, line = {0};
    size_t n;
    bool known = false;
    enum status st = dead_letters(p, sink, &a, &list, &n, f);

    for (size_t i = 0; st == ST_OK && i < n; i++) known |= list[i].offset == c->offset;
    put_hex(&hex, c->key);
    letter_json(&line, c->offset, c->lsn, c->schema->name, buf_cstr(&hex), ops[c->op <= OP_DELETE ? c->op : 0], reason);
    if (st == ST_OK && !known) st = rewrite(p, sink, list, n, UINT64_MAX - 1, &line, f);
    buf_free(&hex);
    buf_free(&line);
    arena_free(&a);
    return st;
}

enum status dead_letter_resolve(const struct platform *p, const char *sink, uint64_t id,
                                enum dead_verdict verdict, struct fault *f)
enum status dead_letters_drop(const struct platform *p, const char *sink, uint64_t offset, size_t *dropped, struct fault *f)
{
    struct arena a = {0};
    struct dead_letter *list;
    size_t n;
    enum status st = dead_letters(p, sink, &a, &list, &n, f);

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
    *dropped = 0;
    for (size_t i = 0; st == ST_OK && i < n; i++) *dropped += offset == UINT64_MAX || list[i].offset == offset;
    if (st == ST_OK && *dropped > 0) st = rewrite(p, sink, list, n, offset, NULL, f);
    arena_free(&a);
    return st;
}

enum status dead_letters_retry(const struct platform *p, const char *sink, uint64_t offset, size_t *emitted, lsn_t *lsn,
                               struct fault *f)
{
    struct platform_source source = {0};
    struct oltp_txn *t = NULL;
    struct oltp_commit commit = {0};
    struct arena a = {0};
    struct dead_letter *list = NULL;
    size_t n = 0, dropped;
    enum status st = dead_letters(p, sink, &a, &list, &n, f);

    *emitted = 0;
    if (st == ST_OK) st = platform_open_source(p, &source, f);
    if (st == ST_OK) st = oltp_write_begin(source.db, &t, f);
    for (size_t i = 0; st == ST_OK && i < n; i++) {
        uint32_t table;

        if (offset != UINT64_MAX && list[i].offset != offset) continue;
        st = oltp_table(t, list[i].table, &table, f);
        if (st == ST_OK) st = reconcile_emit(t, table, list[i].key, f);
        if (st == ST_OK) ++*emitted;
    }
    if (st == ST_OK) {
        st = oltp_commit(t, OLTP_DURABLE, &commit, f);
        t = NULL;
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
    oltp_end(t);
    st = platform_close_source(&source, st, f);
    *lsn = commit.lsn;
    if (st == ST_OK) st = dead_letters_drop(p, sink, offset, &dropped, f);
    arena_free(&a);
    return st;
}
