#include "pipeline/audit/audit_event.h"

#include <stdlib.h>
#include <string.h>

#include "engine/values/row.h"

const char *audit_type_name(enum audit_type t)
{
    static const char *const names[AUDIT_TYPE_COUNT] = {
        "?", "OrderPlaced", "OrderChanged", "Shipped", "Cancelled", "PaymentTaken", "Refunded", "OrderDeleted", "LineAdded",
        "LineChanged", "LineRemoved", "Restated", "Gap"};

    return t > 0 && t < AUDIT_TYPE_COUNT ? names[t] : names[0];
}

static enum status table(struct oltp_txn *t, bool create, const char *name, const char *json, uint32_t *out, struct fault *f)
{
    enum status st = oltp_table(t, name, out, NULL);

    if (st == ST_NOT_FOUND && create) return oltp_create_table_json(t, json, strlen(json), out, f);
    return st == ST_OK ? ST_OK : fault_set(f, st, name, FAULT_NO_OFFSET, "the audit store has no such table yet");
}

enum status audit_tables_open(struct oltp_txn *t, bool create, struct audit_tables *out, struct fault *f)
{
    static const char meta[] = "{\"table\":\"meta\",\"key\":[\"id\"],\"columns\":[{\"name\":\"id\",\"type\":\"int64\"},"
                               "{\"name\":\"lsn\",\"type\":\"int64\"},{\"name\":\"wall_us\",\"type\":\"int64\"},"
                               "{\"name\":\"events\",\"type\":\"int64\"}]}";
    static const char events[] =
        "{\"table\":\"events\",\"key\":[\"order_id\",\"version\"],\"columns\":["
        "{\"name\":\"order_id\",\"type\":\"int64\"},{\"name\":\"version\",\"type\":\"int64\"},"
        "{\"name\":\"number\",\"type\":\"int64\"},{\"name\":\"lsn\",\"type\":\"int64\"},{\"name\":\"seq\",\"type\":\"int64\"},"
        "{\"name\":\"at\",\"type\":\"timestamp\"},{\"name\":\"type\",\"type\":\"int64\"},{\"name\":\"op\",\"type\":\"int64\"},"
        "{\"name\":\"line\",\"type\":\"int64\"},{\"name\":\"key\",\"type\":\"text\"},{\"name\":\"row\",\"type\":\"text\"},"
        "{\"name\":\"event_id\",\"type\":\"text\"},{\"name\":\"actor\",\"type\":\"text\"},"
        "{\"name\":\"causation\",\"type\":\"text\"},{\"name\":\"correlation\",\"type\":\"text\"},{\"name\":\"hash\",\"type\":\"text\"}],"
        "\"indexes\":[{\"name\":\"by_number\",\"columns\":[\"number\"],\"unique\":true}]}";
    static const char heads[] = "{\"table\":\"heads\",\"key\":[\"order_id\"],\"columns\":[{\"name\":\"order_id\",\"type\":\"int64\"},"
                                "{\"name\":\"version\",\"type\":\"int64\"},{\"name\":\"hash\",\"type\":\"text\"}]}";
    static const char roots[] = "{\"table\":\"roots\",\"key\":[\"segment\"],\"columns\":[{\"name\":\"segment\",\"type\":\"int64\"},"
                                "{\"name\":\"root\",\"type\":\"text\"}]}";
    enum status st = table(t, create, "meta", meta, &out->meta, f);

    if (st == ST_OK) st = table(t, create, "events", events, &out->events, f);
    if (st == ST_OK) st = table(t, create, "heads", heads, &out->heads, f);
    if (st == ST_OK) st = table(t, create, "roots", roots, &out->roots, f);
    return st == ST_OK ? oltp_index(t, out->events, "by_number", &out->by_number, f) : st;
}

static void hash_bytes(struct sha256 *s, struct bytes b)
{
    uint8_t n[VARINT_MAX];

    sha256_update(s, n, put_varint(n, b.size));
    if (b.size > 0) sha256_update(s, b.data, b.size);
}

void audit_event_hash(const struct audit_event *e, const uint8_t before[AUDIT_HASH], uint8_t out[AUDIT_HASH])
{
    const int64_t numbers[] = {e->order, (int64_t)e->version, (int64_t)e->number, (int64_t)e->lsn, (int64_t)e->seq, e->at_us};
    const uint8_t small[] = {(uint8_t)e->type, (uint8_t)e->op, (uint8_t)e->line};
    struct sha256 s;
    uint8_t n[VARINT_MAX];

    sha256_init(&s);
    sha256_update(&s, before, AUDIT_HASH);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) sha256_update(&s, n, put_varint(n, zigzag(numbers[i])));
    sha256_update(&s, small, sizeof small);
    hash_bytes(&s, e->key);
    hash_bytes(&s, e->row);
    hash_bytes(&s, e->event_id);
    hash_bytes(&s, e->actor);
    hash_bytes(&s, e->causation);
    hash_bytes(&s, e->correlation);
    sha256_final(&s, out);
}

static struct value v_of(struct bytes b) { return v_text(b.data != NULL ? (const char *)b.data : "", b.size); }

void audit_event_values(const struct audit_event *e, struct value out[EV_COLUMNS])
{
    out[EV_ORDER] = v_int(e->order);
    out[EV_VERSION] = v_int((int64_t)e->version);
    out[EV_NUMBER] = v_int((int64_t)e->number);
    out[EV_LSN] = v_int((int64_t)e->lsn);
    out[EV_SEQ] = v_int((int64_t)e->seq);
    out[EV_AT] = v_time(e->at_us);
    out[EV_TYPE] = v_int(e->type);
    out[EV_OP] = v_int(e->op);
    out[EV_LINE] = v_int(e->line);
    out[EV_KEY] = v_of(e->key);
    out[EV_ROW] = v_of(e->row);
    out[EV_ID] = v_of(e->event_id);
    out[EV_ACTOR] = v_of(e->actor);
    out[EV_CAUSE] = v_of(e->causation);
    out[EV_CORRELATION] = v_of(e->correlation);
    out[EV_HASH] = v_text((const char *)e->hash, AUDIT_HASH);
}

static struct bytes b_of(const struct value *v) { return (struct bytes){(const uint8_t *)v->s, v->len}; }

enum status audit_event_of_row(const struct schema *s, struct bytes row, struct audit_event *out, struct fault *f)
{
    struct value v[COLUMNS_MAX];
    enum status st = row_decode(s, row.data, row.size, v, f);

    if (st != ST_OK) return st;
    if (v[EV_HASH].len != AUDIT_HASH || v[EV_TYPE].i < 1 || v[EV_TYPE].i >= AUDIT_TYPE_COUNT || v[EV_OP].i < OP_INSERT ||
        v[EV_OP].i > OP_DELETE || (v[EV_LINE].i != 0 && v[EV_LINE].i != 1))
        return fault_set(f, ST_CORRUPT, "audit", (uint64_t)v[EV_NUMBER].i, "a row that is no event");
    *out = (struct audit_event){
        .order = v[EV_ORDER].i, .version = (uint64_t)v[EV_VERSION].i, .number = (uint64_t)v[EV_NUMBER].i,
        .lsn = (lsn_t)v[EV_LSN].i, .seq = (uint64_t)v[EV_SEQ].i, .at_us = v[EV_AT].i, .type = (enum audit_type)v[EV_TYPE].i,
        .op = (enum change_op)v[EV_OP].i, .line = v[EV_LINE].i != 0, .key = b_of(&v[EV_KEY]), .row = b_of(&v[EV_ROW]),
        .event_id = b_of(&v[EV_ID]), .actor = b_of(&v[EV_ACTOR]), .causation = b_of(&v[EV_CAUSE]),
        .correlation = b_of(&v[EV_CORRELATION])};
    memcpy(out->hash, v[EV_HASH].s, AUDIT_HASH);
    return ST_OK;
}

bool audit_same_row(const struct schema *s, struct bytes a, struct bytes b)
{
    struct value va[COLUMNS_MAX], vb[COLUMNS_MAX];
    struct hash128 ha, hb;

    if (bytes_equal(a, b)) return true;
    if (row_decode(s, a.data, a.size, va, NULL) != ST_OK || row_decode(s, b.data, b.size, vb, NULL) != ST_OK) return false;
    ha = row_hash(s, va);
    hb = row_hash(s, vb);
    return ha.lo == hb.lo && ha.hi == hb.hi;
}

void audit_gap_put(struct buf *out, lsn_t from, uint64_t restated)
{
    buf_varint(out, from);
    buf_varint(out, restated);
}

bool audit_gap_get(struct bytes row, lsn_t *from, uint64_t *restated)
{
    const uint8_t *p = row.data;

    return get_varint(&p, row.data + row.size, from) && get_varint(&p, row.data + row.size, restated);
}

void audit_hash_pair(const uint8_t a[AUDIT_HASH], const uint8_t b[AUDIT_HASH], uint8_t out[AUDIT_HASH])
{
    struct sha256 s;

    sha256_init(&s);
    sha256_update(&s, a, AUDIT_HASH);
    sha256_update(&s, b, AUDIT_HASH);
    sha256_final(&s, out);
}

void audit_merkle_root(uint8_t (*hashes)[AUDIT_HASH], uint8_t out[AUDIT_HASH])
{
    for (size_t n = AUDIT_SEGMENT; n > 1; n /= 2)
        for (size_t i = 0; i < n / 2; i++) audit_hash_pair(hashes[2 * i], hashes[2 * i + 1], hashes[i]);
    memcpy(out, hashes[0], AUDIT_HASH);
}

/* ---- folding ---- */

struct audit_line *audit_state_line(const struct audit_state *s, struct bytes key)
{
    for (size_t i = 0; i < s->count; i++)
        if (bytes_equal((struct bytes){s->lines[i].key.data, s->lines[i].key.size}, key)) return &s->lines[i];
    return NULL;
}

static enum status put_line(struct audit_state *s, const struct audit_event *e)
{
    struct audit_line *l = audit_state_line(s, e->key);

    if (l == NULL) {
        if (s->count == s->cap) {
            size_t cap = s->cap == 0 ? 16 : s->cap * 2;
            struct audit_line *more = realloc(s->lines, cap * sizeof *more);

            if (more == NULL) return ST_NOMEM;
            memset(more + s->cap, 0, (cap - s->cap) * sizeof *more);
            s->lines = more;
            s->cap = cap;
        }
        l = &s->lines[s->count++];
        buf_clear(&l->key);
        buf_append(&l->key, e->key.data, e->key.size);
    }
    buf_clear(&l->row);
    buf_append(&l->row, e->row.data, e->row.size);
    return buf_ok(&l->key) && buf_ok(&l->row) ? ST_OK : ST_NOMEM;
}

enum status audit_apply(struct audit_state *s, const struct audit_event *e)
{
    if (e->type == AUDIT_GAP) return ST_OK; /* no order's */
    if (e->line && e->op != OP_DELETE) return put_line(s, e);
    if (e->line) {
        struct audit_line *l = audit_state_line(s, e->key), last;

        if (l == NULL) return ST_OK;
        last = s->lines[--s->count]; /* its buffers are kept for the next line */
        s->lines[s->count] = *l;
        *l = last;
        return ST_OK;
    }
    s->exists = e->op != OP_DELETE;
    buf_clear(&s->order);
    if (s->exists) buf_append(&s->order, e->row.data, e->row.size);
    return buf_ok(&s->order) ? ST_OK : ST_NOMEM;
}

void audit_state_clear(struct audit_state *s)
{
    s->exists = false;
    s->count = 0;
    buf_clear(&s->order);
}

void audit_state_free(struct audit_state *s)
{
    for (size_t i = 0; i < s->cap; i++) {
        buf_free(&s->lines[i].key);
        buf_free(&s->lines[i].row);
    }
    free(s->lines);
    buf_free(&s->order);
    *s = (struct audit_state){0};
}
