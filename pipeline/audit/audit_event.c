/* audit_event - an event as a row, and the hash that chains it to the one before. */
#include "pipeline/audit/audit_event.h"

#include <stdlib.h>
#include <string.h>

#include "engine/values/row.h"

const char *audit_type_name(enum audit_type t)
{
    static const char *const names[AUDIT_TYPE_COUNT] = {
        "?",        "OrderPlaced",  "OrderChanged", "Shipped",     "Cancelled",   "PaymentTaken",
        "Refunded", "OrderDeleted", "LineAdded",    "LineChanged", "LineRemoved", "Restated",
        "Gap"};

    return t > 0 && t < AUDIT_TYPE_COUNT ? names[t] : names[0];
}

static enum seam_status table(struct oltp_txn *t, bool create, const char *name, const char *json,
                              uint32_t *out, struct seam_fault *f)
{
    bool there;
    enum seam_status st = seam_fault_there(oltp_table(t, name, out, f), &there, f);

    if (st != SEAM_OK || there) return st;
    if (create) return oltp_create_table_json(t, json, strlen(json), out, f);
    return seam_fault_set(f, SEAM_NOT_FOUND, name, SEAM_FAULT_NO_OFFSET,
                          "the audit store has no such table yet");
}

enum seam_status audit_tables_open(struct oltp_txn *t, bool create, struct audit_tables *out,
                                   struct seam_fault *f)
{
    static const char meta[] =
        "{\"table\":\"meta\",\"key\":[\"id\"],\"columns\":[{\"name\":\"id\",\"type\":\"int64\"},"
        "{\"name\":\"lsn\",\"type\":\"int64\"},{\"name\":\"wall_us\",\"type\":\"int64\"},"
        "{\"name\":\"events\",\"type\":\"int64\"}]}";
    static const char events[] =
        "{\"table\":\"events\",\"key\":[\"order_id\",\"version\"],\"columns\":["
        "{\"name\":\"order_id\",\"type\":\"int64\"},{\"name\":\"version\",\"type\":\"int64\"},"
        "{\"name\":\"number\",\"type\":\"int64\"},{\"name\":\"lsn\",\"type\":\"int64\"},{\"name\":"
        "\"seq\",\"type\":\"int64\"},"
        "{\"name\":\"at\",\"type\":\"timestamp\"},{\"name\":\"type\",\"type\":\"int64\"},{\"name\":"
        "\"op\",\"type\":\"int64\"},"
        "{\"name\":\"line\",\"type\":\"int64\"},{\"name\":\"key\",\"type\":\"text\"},{\"name\":"
        "\"row\",\"type\":\"text\"},"
        "{\"name\":\"event_id\",\"type\":\"text\"},{\"name\":\"actor\",\"type\":\"text\"},"
        "{\"name\":\"causation\",\"type\":\"text\"},{\"name\":\"correlation\",\"type\":\"text\"},{"
        "\"name\":\"hash\",\"type\":\"text\"}],"
        "\"indexes\":[{\"name\":\"by_number\",\"columns\":[\"number\"],\"unique\":true}]}";
    static const char heads[] =
        "{\"table\":\"heads\",\"key\":[\"order_id\"],\"columns\":[{\"name\":\"order_id\",\"type\":"
        "\"int64\"},"
        "{\"name\":\"version\",\"type\":\"int64\"},{\"name\":\"hash\",\"type\":\"text\"}]}";
    static const char roots[] = "{\"table\":\"roots\",\"key\":[\"segment\"],\"columns\":[{\"name\":"
                                "\"segment\",\"type\":\"int64\"},"
                                "{\"name\":\"root\",\"type\":\"text\"}]}";
    enum seam_status st = table(t, create, "meta", meta, &out->meta, f);

    if (st == SEAM_OK) st = table(t, create, "events", events, &out->events, f);
    if (st == SEAM_OK) st = table(t, create, "heads", heads, &out->heads, f);
    if (st == SEAM_OK) st = table(t, create, "roots", roots, &out->roots, f);
    return st == SEAM_OK ? oltp_index(t, out->events, "by_number", &out->by_number, f) : st;
}

static void hash_bytes(struct seam_sha256 *s, struct wal_bytes b)
{
    uint8_t n[SEAM_VARINT_MAX];

    seam_sha256_update(s, n, seam_put_varint(n, b.size));
    if (b.size > 0) seam_sha256_update(s, b.data, b.size);
}

void audit_event_hash(const struct audit_event *e, const uint8_t before[AUDIT_HASH],
                      uint8_t out[AUDIT_HASH])
{
    const int64_t numbers[] = {e->order,        (int64_t)e->version, (int64_t)e->number,
                               (int64_t)e->lsn, (int64_t)e->seq,     e->at_us};
    const uint8_t small[] = {(uint8_t)e->type, (uint8_t)e->op, (uint8_t)e->line};
    struct seam_sha256 s;
    uint8_t n[SEAM_VARINT_MAX];

    seam_sha256_init(&s);
    seam_sha256_update(&s, before, AUDIT_HASH);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(numbers); i++)
        seam_sha256_update(&s, n, seam_put_varint(n, seam_zigzag(numbers[i])));
    seam_sha256_update(&s, small, sizeof small);
    hash_bytes(&s, e->key);
    hash_bytes(&s, e->row);
    hash_bytes(&s, e->event_id);
    hash_bytes(&s, e->actor);
    hash_bytes(&s, e->causation);
    hash_bytes(&s, e->correlation);
    seam_sha256_final(&s, out);
}

static struct seam_value v_of(struct wal_bytes b)
{
    return seam_v_text(b.data != NULL ? (const char *)b.data : "", b.size);
}

void audit_event_values(const struct audit_event *e, struct seam_value out[EV_COLUMNS])
{
    out[EV_ORDER] = seam_v_int(e->order);
    out[EV_VERSION] = seam_v_int((int64_t)e->version);
    out[EV_NUMBER] = seam_v_int((int64_t)e->number);
    out[EV_LSN] = seam_v_int((int64_t)e->lsn);
    out[EV_SEQ] = seam_v_int((int64_t)e->seq);
    out[EV_AT] = seam_v_time(e->at_us);
    out[EV_TYPE] = seam_v_int(e->type);
    out[EV_OP] = seam_v_int(e->op);
    out[EV_LINE] = seam_v_int(e->line);
    out[EV_KEY] = v_of(e->key);
    out[EV_ROW] = v_of(e->row);
    out[EV_ID] = v_of(e->event_id);
    out[EV_ACTOR] = v_of(e->actor);
    out[EV_CAUSE] = v_of(e->causation);
    out[EV_CORRELATION] = v_of(e->correlation);
    out[EV_HASH] = seam_v_text((const char *)e->hash, AUDIT_HASH);
}

static struct wal_bytes b_of(const struct seam_value *v)
{
    return (struct wal_bytes){(const uint8_t *)v->s, v->len};
}

enum seam_status audit_event_of_row(const struct seam_schema *s, struct wal_bytes row,
                                    struct audit_event *out, struct seam_fault *f)
{
    struct seam_value v[SEAM_COLUMNS_MAX];
    enum seam_status st = seam_row_decode(s, row.data, row.size, v, f);

    if (st != SEAM_OK) return st;
    if (v[EV_HASH].len != AUDIT_HASH || v[EV_TYPE].i < 1 || v[EV_TYPE].i >= AUDIT_TYPE_COUNT ||
        v[EV_OP].i < WAL_OP_INSERT || v[EV_OP].i > WAL_OP_DELETE ||
        (v[EV_LINE].i != 0 && v[EV_LINE].i != 1))
        return seam_fault_set(f, SEAM_CORRUPT, "audit", (uint64_t)v[EV_NUMBER].i,
                              "a row that is no event");
    *out = (struct audit_event){.order = v[EV_ORDER].i,
                                .version = (uint64_t)v[EV_VERSION].i,
                                .number = (uint64_t)v[EV_NUMBER].i,
                                .lsn = (seam_lsn_t)v[EV_LSN].i,
                                .seq = (uint64_t)v[EV_SEQ].i,
                                .at_us = v[EV_AT].i,
                                .type = (enum audit_type)v[EV_TYPE].i,
                                .op = (enum wal_change_op)v[EV_OP].i,
                                .line = v[EV_LINE].i != 0,
                                .key = b_of(&v[EV_KEY]),
                                .row = b_of(&v[EV_ROW]),
                                .event_id = b_of(&v[EV_ID]),
                                .actor = b_of(&v[EV_ACTOR]),
                                .causation = b_of(&v[EV_CAUSE]),
                                .correlation = b_of(&v[EV_CORRELATION])};
    memcpy(out->hash, v[EV_HASH].s, AUDIT_HASH);
    return SEAM_OK;
}

bool audit_same_row(const struct seam_schema *s, struct wal_bytes a, struct wal_bytes b)
{
    struct seam_value va[SEAM_COLUMNS_MAX], vb[SEAM_COLUMNS_MAX];
    struct seam_hash128 ha, hb;

    if (wal_bytes_equal(a, b)) return true;
    if (seam_row_decode(s, a.data, a.size, va, NULL) != SEAM_OK ||
        seam_row_decode(s, b.data, b.size, vb, NULL) != SEAM_OK)
        return false;
    ha = seam_row_hash(s, va);
    hb = seam_row_hash(s, vb);
    return ha.lo == hb.lo && ha.hi == hb.hi;
}

void audit_gap_put(struct seam_buf *out, seam_lsn_t from, uint64_t restated)
{
    seam_buf_varint(out, from);
    seam_buf_varint(out, restated);
}

bool audit_gap_get(struct wal_bytes row, seam_lsn_t *from, uint64_t *restated)
{
    const uint8_t *p = row.data;

    return seam_get_varint(&p, row.data + row.size, from) &&
           seam_get_varint(&p, row.data + row.size, restated);
}

void audit_hash_pair(const uint8_t a[AUDIT_HASH], const uint8_t b[AUDIT_HASH],
                     uint8_t out[AUDIT_HASH])
{
    struct seam_sha256 s;

    seam_sha256_init(&s);
    seam_sha256_update(&s, a, AUDIT_HASH);
    seam_sha256_update(&s, b, AUDIT_HASH);
    seam_sha256_final(&s, out);
}

void audit_merkle_root(uint8_t (*hashes)[AUDIT_HASH], uint8_t out[AUDIT_HASH])
{
    for (size_t n = AUDIT_SEGMENT; n > 1; n /= 2)
        for (size_t i = 0; i < n / 2; i++)
            audit_hash_pair(hashes[2 * i], hashes[2 * i + 1], hashes[i]);
    memcpy(out, hashes[0], AUDIT_HASH);
}

/* ---- folding ---- */

struct audit_line *audit_state_line(const struct audit_state *s, struct wal_bytes key)
{
    for (size_t i = 0; i < s->count; i++)
        if (wal_bytes_equal((struct wal_bytes){s->lines[i].key.data, s->lines[i].key.size}, key))
            return &s->lines[i];
    return NULL;
}

static enum seam_status put_line(struct audit_state *s, const struct audit_event *e)
{
    struct audit_line *l = audit_state_line(s, e->key);

    if (l == NULL) {
        if (s->count == s->cap) {
            size_t cap = s->cap == 0 ? 16 : s->cap * 2;
            struct audit_line *more = realloc(s->lines, cap * sizeof *more);

            if (more == NULL) return SEAM_NOMEM;
            memset(more + s->cap, 0, (cap - s->cap) * sizeof *more);
            s->lines = more;
            s->cap = cap;
        }
        l = &s->lines[s->count++];
        seam_buf_clear(&l->key);
        seam_buf_append(&l->key, e->key.data, e->key.size);
    }
    seam_buf_clear(&l->row);
    seam_buf_append(&l->row, e->row.data, e->row.size);
    return seam_buf_ok(&l->key) && seam_buf_ok(&l->row) ? SEAM_OK : SEAM_NOMEM;
}

enum seam_status audit_apply(struct audit_state *s, const struct audit_event *e)
{
    if (e->type == AUDIT_GAP) return SEAM_OK; /* no order's */
    if (e->line && e->op != WAL_OP_DELETE) return put_line(s, e);
    if (e->line) {
        struct audit_line *l = audit_state_line(s, e->key), last;

        if (l == NULL) return SEAM_OK;
        last = s->lines[--s->count]; /* its buffers are kept for the next line */
        s->lines[s->count] = *l;
        *l = last;
        return SEAM_OK;
    }
    s->exists = e->op != WAL_OP_DELETE;
    seam_buf_clear(&s->order);
    if (s->exists) seam_buf_append(&s->order, e->row.data, e->row.size);
    return seam_buf_ok(&s->order) ? SEAM_OK : SEAM_NOMEM;
}

void audit_state_clear(struct audit_state *s)
{
    s->exists = false;
    s->count = 0;
    seam_buf_clear(&s->order);
}

void audit_state_free(struct audit_state *s)
{
    for (size_t i = 0; i < s->cap; i++) {
        seam_buf_free(&s->lines[i].key);
        seam_buf_free(&s->lines[i].row);
    }
    free(s->lines);
    seam_buf_free(&s->order);
    *s = (struct audit_state){0};
}
