#include "wal/change.h"

#include <inttypes.h>

static const char *const type_names[WAL_CHANGE_TYPE_COUNT] = {
    "?", "begin", "row", "outbox", "schema", "commit", "abort", "heartbeat", "checkpoint", "mark",
};

const char *wal_change_type_name(uint8_t type)
{
    return type > 0 && type < WAL_CHANGE_TYPE_COUNT ? type_names[type] : "unknown";
}

/* ---- encoding ---- */

static uint8_t row_flags(const struct wal_change_row *c)
{
    return (uint8_t)((c->flags & WAL_CHANGE_REPAIR) |
                     (c->before.data != NULL ? WAL_CHANGE_HAS_BEFORE : 0) |
                     (c->after.data != NULL ? WAL_CHANGE_HAS_AFTER : 0));
}

size_t wal_change_row_head(uint8_t *head, const struct wal_change_row *c, uint8_t mid[10],
                           size_t *mid_size)
{
    uint8_t *p = head, flags = row_flags(c);

    p += seam_put_varint(p, c->txn);
    p += seam_put_varint(p, c->seq);
    p += seam_put_varint(p, c->table);
    p += seam_put_varint(p, c->version);
    *p++ = c->op;
    *p++ = flags;
    p += seam_put_varint(p, c->key.size);
    if (c->key.size > 0) memcpy(p, c->key.data, c->key.size);
    p += c->key.size;
    *mid_size = 0;
    if (flags & WAL_CHANGE_HAS_BEFORE) {
        p += seam_put_varint(p, c->before.size);
        if (flags & WAL_CHANGE_HAS_AFTER) *mid_size = seam_put_varint(mid, c->after.size);
    } else if (flags & WAL_CHANGE_HAS_AFTER) {
        p += seam_put_varint(p, c->after.size);
    }
    return (size_t)(p - head);
}

void wal_change_put_row(struct seam_buf *out, const struct wal_change_row *c)
{
    uint8_t mid[10];
    size_t mid_size = 0, before = c->before.data != NULL ? c->before.size : 0;
    size_t after = c->after.data != NULL ? c->after.size : 0;

    if (!seam_buf_reserve(out, WAL_CHANGE_HEAD_MAX + c->key.size + sizeof mid + before + after))
        return;
    out->size += wal_change_row_head(out->data + out->size, c, mid, &mid_size);
    seam_buf_append(out, c->before.data, before);
    seam_buf_append(out, mid, mid_size);
    seam_buf_append(out, c->after.data, after);
}

void wal_change_put_begin(struct seam_buf *out, const struct wal_change_begin *c)
{
    seam_buf_varint(out, c->txn);
}
void wal_change_put_abort(struct seam_buf *out, const struct wal_change_abort *c)
{
    seam_buf_varint(out, c->txn);
}

void wal_change_put_outbox(struct seam_buf *out, const struct wal_change_outbox *c)
{
    seam_buf_varint(out, c->txn);
    seam_buf_varint(out, c->seq);
    seam_buf_lenstr(out, c->topic.data, c->topic.size);
    seam_buf_lenstr(out, c->key.data, c->key.size);
    seam_buf_lenstr(out, c->payload.data, c->payload.size);
}

void wal_change_put_schema(struct seam_buf *out, const struct wal_change_schema *c)
{
    seam_buf_varint(out, c->txn);
    seam_buf_varint(out, c->seq);
    seam_buf_varint(out, c->table);
    seam_buf_varint(out, c->version);
    seam_buf_lenstr(out, c->json.data, c->json.size);
}

void wal_change_put_commit(struct seam_buf *out, const struct wal_change_commit *c)
{
    seam_buf_varint(out, c->txn);
    seam_buf_varint(out, seam_zigzag(c->wall_us));
    seam_buf_varint(out, c->changes);
    seam_buf_varint(out, c->span);
    if (c->off_us != 0) seam_buf_varint(out, seam_zigzag(c->off_us));
}

void wal_change_put_heartbeat(struct seam_buf *out, const struct wal_change_heartbeat *c)
{
    seam_buf_varint(out, c->beat);
    seam_buf_varint(out, seam_zigzag(c->wall_us));
}

void wal_change_put_checkpoint(struct seam_buf *out, const struct wal_change_checkpoint *c)
{
    seam_buf_varint(out, c->lsn);
    seam_buf_varint(out, seam_zigzag(c->wall_us));
    seam_buf_varint(out, c->pages);
}

void wal_change_put_mark(struct seam_buf *out, const struct wal_change_mark *c)
{
    seam_buf_varint(out, c->kind);
    seam_buf_lenstr(out, c->text.data, c->text.size);
}

/* ---- decoding ---- */

static enum seam_status finish(const struct seam_reader *r, const char *what, struct seam_fault *f)
{
    if (r->bad)
        return seam_fault_set(f, SEAM_CORRUPT, what, seam_reader_offset(r),
                              "the %s record is cut short or malformed", what);
    if (r->pos != r->end)
        return seam_fault_set(f, SEAM_CORRUPT, what, seam_reader_offset(r),
                              "bytes are left over in the %s record", what);
    return SEAM_OK;
}

static uint32_t small(struct seam_reader *r)
{
    uint64_t v = seam_read_varint(r);

    if (v > UINT32_MAX) r->bad = true;
    return (uint32_t)v;
}

static struct wal_bytes str(struct seam_reader *r, size_t max)
{
    struct wal_bytes b = {0};

    b.data = seam_read_lenstr(r, max, &b.size);
    if (b.data == NULL) b.size = 0;
    return b;
}

enum seam_status wal_change_get_begin(const uint8_t *p, size_t n, struct wal_change_begin *c,
                                      struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(p, n);

    c->txn = seam_read_varint(&r);
    return finish(&r, "begin", f);
}

enum seam_status wal_change_get_abort(const uint8_t *p, size_t n, struct wal_change_abort *c,
                                      struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(p, n);

    c->txn = seam_read_varint(&r);
    return finish(&r, "abort", f);
}

/* The one decoder that runs a million times a second: a cursor of its own, one-byte varints
 * first. */
static inline bool fast_varint(const uint8_t **p, const uint8_t *end, uint64_t *v)
{
    if (seam_likely(*p < end && **p < 0x80)) {
        *v = *(*p)++;
        return true;
    }
    return seam_get_varint(p, end, v) != 0;
}

static inline bool fast_str(const uint8_t **p, const uint8_t *end, size_t max,
                            struct wal_bytes *out)
{
    uint64_t n;

    if (!fast_varint(p, end, &n) || n > max || n > (uint64_t)(end - *p)) return false;
    *out = (struct wal_bytes){*p, (size_t)n};
    *p += n;
    return true;
}

static bool row_shape_ok(const struct wal_change_row *c)
{
    unsigned has = c->flags & (WAL_CHANGE_HAS_BEFORE | WAL_CHANGE_HAS_AFTER);

    if (c->flags > (WAL_CHANGE_REPAIR | WAL_CHANGE_HAS_BEFORE | WAL_CHANGE_HAS_AFTER)) return false;
    if (c->flags & WAL_CHANGE_REPAIR) {
        return c->op == WAL_OP_DELETE ? (has & WAL_CHANGE_HAS_AFTER) == 0
                                      : (c->op == WAL_OP_INSERT || c->op == WAL_OP_UPDATE) &&
                                            (has & WAL_CHANGE_HAS_AFTER) != 0;
    }
    switch (c->op) {
    case WAL_OP_INSERT: return has == WAL_CHANGE_HAS_AFTER;
    case WAL_OP_UPDATE: return has == (WAL_CHANGE_HAS_BEFORE | WAL_CHANGE_HAS_AFTER);
    case WAL_OP_DELETE: return has == WAL_CHANGE_HAS_BEFORE;
    default: return false;
    }
}

enum seam_status wal_change_get_row(const uint8_t *p, size_t n, struct wal_change_row *c,
                                    struct seam_fault *f)
{
    const uint8_t *at = p, *end = p + n;
    uint64_t table, version;

    c->before = c->after = (struct wal_bytes){0};
    if (!fast_varint(&at, end, &c->txn) || !fast_varint(&at, end, &c->seq) ||
        !fast_varint(&at, end, &table) || !fast_varint(&at, end, &version) || end - at < 2 ||
        table > UINT32_MAX || version > UINT32_MAX)
        goto bad;
    c->table = (uint32_t)table;
    c->version = (uint32_t)version;
    c->op = *at++;
    c->flags = *at++;
    if (!row_shape_ok(c) || !fast_str(&at, end, WAL_CHANGE_KEY_MAX, &c->key)) goto bad;
    if ((c->flags & WAL_CHANGE_HAS_BEFORE) && !fast_str(&at, end, WAL_CHANGE_ROW_MAX, &c->before))
        goto bad;
    if ((c->flags & WAL_CHANGE_HAS_AFTER) && !fast_str(&at, end, WAL_CHANGE_ROW_MAX, &c->after))
        goto bad;
    if (at == end) return SEAM_OK;
bad:
    return seam_fault_set(f, SEAM_CORRUPT, "row", (uint64_t)(at - p),
                          "the row record is malformed");
}

enum seam_status wal_change_get_outbox(const uint8_t *p, size_t n, struct wal_change_outbox *c,
                                       struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(p, n);

    c->txn = seam_read_varint(&r);
    c->seq = seam_read_varint(&r);
    c->topic = str(&r, WAL_CHANGE_TOPIC_MAX);
    c->key = str(&r, WAL_CHANGE_KEY_MAX);
    c->payload = str(&r, WAL_CHANGE_ROW_MAX);
    return finish(&r, "outbox", f);
}

enum seam_status wal_change_get_schema(const uint8_t *p, size_t n, struct wal_change_schema *c,
                                       struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(p, n);

    c->txn = seam_read_varint(&r);
    c->seq = seam_read_varint(&r);
    c->table = small(&r);
    c->version = small(&r);
    c->json = str(&r, WAL_CHANGE_ROW_MAX);
    return finish(&r, "schema", f);
}

enum seam_status wal_change_get_commit(const uint8_t *p, size_t n, struct wal_change_commit *c,
                                       struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(p, n);

    c->txn = seam_read_varint(&r);
    c->wall_us = seam_unzigzag(seam_read_varint(&r));
    c->changes = seam_read_varint(&r);
    c->span = seam_read_varint(&r);
    c->off_us = 0;
    if (!r.bad && r.pos < r.end) {
        c->off_us = seam_unzigzag(seam_read_varint(&r));
        r.bad |= c->off_us == 0;
    }
    return finish(&r, "commit", f);
}

enum seam_status wal_change_get_heartbeat(const uint8_t *p, size_t n,
                                          struct wal_change_heartbeat *c, struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(p, n);

    c->beat = seam_read_varint(&r);
    c->wall_us = seam_unzigzag(seam_read_varint(&r));
    return finish(&r, "heartbeat", f);
}

enum seam_status wal_change_get_checkpoint(const uint8_t *p, size_t n,
                                           struct wal_change_checkpoint *c, struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(p, n);

    c->lsn = seam_read_varint(&r);
    c->wall_us = seam_unzigzag(seam_read_varint(&r));
    c->pages = seam_read_varint(&r);
    return finish(&r, "checkpoint", f);
}

enum seam_status wal_change_get_mark(const uint8_t *p, size_t n, struct wal_change_mark *c,
                                     struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(p, n);

    c->kind = small(&r);
    c->text = str(&r, WAL_CHANGE_ROW_MAX);
    return finish(&r, "mark", f);
}

/* ---- explaining ---- */

static enum seam_status explain_row(const uint8_t *p, size_t n, struct seam_buf *out)
{
    static const char *const ops[] = {"?", "insert", "update", "delete"};
    struct wal_change_row c;
    enum seam_status st = wal_change_get_row(p, n, &c, NULL);

    if (st != SEAM_OK) return st;
    seam_buf_printf(
        out, "row txn %" PRIu64 " seq %" PRIu64 " table %" PRIu32 " v%" PRIu32 " %s%s key %zu B",
        c.txn, c.seq, c.table, c.version, ops[c.op], c.flags & WAL_CHANGE_REPAIR ? " (repair)" : "",
        c.key.size);
    if (c.before.data != NULL) seam_buf_printf(out, " before %zu B", c.before.size);
    if (c.after.data != NULL) seam_buf_printf(out, " after %zu B", c.after.size);
    return SEAM_OK;
}

static enum seam_status explain_other(uint8_t type, const uint8_t *p, size_t n,
                                      struct seam_buf *out)
{
    union {
        struct wal_change_begin begin;
        struct wal_change_outbox outbox;
        struct wal_change_schema schema;
        struct wal_change_commit commit;
        struct wal_change_abort abort;
        struct wal_change_heartbeat beat;
        struct wal_change_checkpoint point;
        struct wal_change_mark mark;
    } c;
    enum seam_status st;

    switch (type) {
    case WAL_CHANGE_BEGIN:
        st = wal_change_get_begin(p, n, &c.begin, NULL);
        if (st == SEAM_OK) seam_buf_printf(out, "begin txn %" PRIu64, c.begin.txn);
        return st;
    case WAL_CHANGE_OUTBOX:
        st = wal_change_get_outbox(p, n, &c.outbox, NULL);
        if (st == SEAM_OK)
            seam_buf_printf(
                out, "outbox txn %" PRIu64 " seq %" PRIu64 " topic %.*s key %zu B payload %zu B",
                c.outbox.txn, c.outbox.seq, (int)c.outbox.topic.size,
                (const char *)c.outbox.topic.data, c.outbox.key.size, c.outbox.payload.size);
        return st;
    case WAL_CHANGE_SCHEMA:
        st = wal_change_get_schema(p, n, &c.schema, NULL);
        if (st == SEAM_OK)
            seam_buf_printf(out, "schema txn %" PRIu64 " table %" PRIu32 " v%" PRIu32 " json %zu B",
                            c.schema.txn, c.schema.table, c.schema.version, c.schema.json.size);
        return st;
    case WAL_CHANGE_COMMIT:
        st = wal_change_get_commit(p, n, &c.commit, NULL);
        if (st == SEAM_OK)
            seam_buf_printf(out,
                            "commit txn %" PRIu64 " wall_us %" PRId64 " changes %" PRIu64
                            " span %" PRIu64 " B",
                            c.commit.txn, c.commit.wall_us, c.commit.changes, c.commit.span);
        if (st == SEAM_OK && c.commit.off_us != 0)
            seam_buf_printf(out, " (the clock was %" PRId64 " us off)", c.commit.off_us);
        return st;
    case WAL_CHANGE_ABORT:
        st = wal_change_get_abort(p, n, &c.abort, NULL);
        if (st == SEAM_OK) seam_buf_printf(out, "abort txn %" PRIu64, c.abort.txn);
        return st;
    case WAL_CHANGE_HEARTBEAT:
        st = wal_change_get_heartbeat(p, n, &c.beat, NULL);
        if (st == SEAM_OK)
            seam_buf_printf(out, "heartbeat %" PRIu64 " wall_us %" PRId64, c.beat.beat,
                            c.beat.wall_us);
        return st;
    case WAL_CHANGE_CHECKPOINT:
        st = wal_change_get_checkpoint(p, n, &c.point, NULL);
        if (st == SEAM_OK)
            seam_buf_printf(out, "checkpoint lsn %" PRIu64 " pages %" PRIu64, c.point.lsn,
                            c.point.pages);
        return st;
    case WAL_CHANGE_MARK:
        st = wal_change_get_mark(p, n, &c.mark, NULL);
        if (st == SEAM_OK)
            seam_buf_printf(out, "mark kind %" PRIu32 " text %zu B", c.mark.kind, c.mark.text.size);
        return st;
    default: return SEAM_UNSUPPORTED;
    }
}

void wal_change_explain(uint8_t type, const uint8_t *p, size_t n, struct seam_buf *out)
{
    enum seam_status st =
        type == WAL_CHANGE_ROW ? explain_row(p, n, out) : explain_other(type, p, n, out);

    if (st != SEAM_OK)
        seam_buf_printf(out, "%s %zu B%s", wal_change_type_name(type), n,
                        st == SEAM_CORRUPT ? " (malformed)" : "");
}
