#include "wal/change.h"

#include <inttypes.h>

static const char *const type_names[CHANGE_TYPE_COUNT] = {
    "?", "begin", "row", "outbox", "schema", "commit", "abort", "heartbeat", "checkpoint", "mark",
};

const char *change_type_name(uint8_t type)
{
    return type > 0 && type < CHANGE_TYPE_COUNT ? type_names[type] : "unknown";
}

/* ---- encoding ---- */

static uint8_t row_flags(const struct change_row *c)
{
    return (uint8_t)((c->flags & CHANGE_REPAIR) | (c->before.data != NULL ? CHANGE_HAS_BEFORE : 0) |
                     (c->after.data != NULL ? CHANGE_HAS_AFTER : 0));
}

size_t change_row_head(uint8_t *head, const struct change_row *c, uint8_t mid[10], size_t *mid_size)
{
    uint8_t *p = head, flags = row_flags(c);

    p += put_varint(p, c->txn);
    p += put_varint(p, c->seq);
    p += put_varint(p, c->table);
    p += put_varint(p, c->version);
    *p++ = c->op;
    *p++ = flags;
    p += put_varint(p, c->key.size);
    if (c->key.size > 0) memcpy(p, c->key.data, c->key.size);
    p += c->key.size;
    *mid_size = 0;
    if (flags & CHANGE_HAS_BEFORE) {
        p += put_varint(p, c->before.size);
        if (flags & CHANGE_HAS_AFTER) *mid_size = put_varint(mid, c->after.size);
    } else if (flags & CHANGE_HAS_AFTER) {
        p += put_varint(p, c->after.size);
    }
    return (size_t)(p - head);
}

void change_put_row(struct buf *out, const struct change_row *c)
{
    uint8_t mid[10];
    size_t mid_size = 0, before = c->before.data != NULL ? c->before.size : 0;
    size_t after = c->after.data != NULL ? c->after.size : 0;

    if (!buf_reserve(out, CHANGE_HEAD_MAX + c->key.size + sizeof mid + before + after)) return;
    out->size += change_row_head(out->data + out->size, c, mid, &mid_size);
    buf_append(out, c->before.data, before);
    buf_append(out, mid, mid_size);
    buf_append(out, c->after.data, after);
}

void change_put_begin(struct buf *out, const struct change_begin *c)
{
    buf_varint(out, c->txn);
}
void change_put_abort(struct buf *out, const struct change_abort *c)
{
    buf_varint(out, c->txn);
}

void change_put_outbox(struct buf *out, const struct change_outbox *c)
{
    buf_varint(out, c->txn);
    buf_varint(out, c->seq);
    buf_lenstr(out, c->topic.data, c->topic.size);
    buf_lenstr(out, c->key.data, c->key.size);
    buf_lenstr(out, c->payload.data, c->payload.size);
}

void change_put_schema(struct buf *out, const struct change_schema *c)
{
    buf_varint(out, c->txn);
    buf_varint(out, c->seq);
    buf_varint(out, c->table);
    buf_varint(out, c->version);
    buf_lenstr(out, c->json.data, c->json.size);
}

void change_put_commit(struct buf *out, const struct change_commit *c)
{
    buf_varint(out, c->txn);
    buf_varint(out, zigzag(c->wall_us));
    buf_varint(out, c->changes);
    buf_varint(out, c->span);
}

void change_put_heartbeat(struct buf *out, const struct change_heartbeat *c)
{
    buf_varint(out, c->beat);
    buf_varint(out, zigzag(c->wall_us));
}

void change_put_checkpoint(struct buf *out, const struct change_checkpoint *c)
{
    buf_varint(out, c->lsn);
    buf_varint(out, zigzag(c->wall_us));
    buf_varint(out, c->pages);
}

void change_put_mark(struct buf *out, const struct change_mark *c)
{
    buf_varint(out, c->kind);
    buf_lenstr(out, c->text.data, c->text.size);
}

/* ---- decoding ---- */

static enum status finish(const struct reader *r, const char *what, struct fault *f)
{
    if (r->bad)
        return fault_set(f, ST_CORRUPT, what, reader_offset(r),
                         "the %s record is cut short or malformed", what);
    if (r->pos != r->end)
        return fault_set(f, ST_CORRUPT, what, reader_offset(r),
                         "bytes are left over in the %s record", what);
    return ST_OK;
}

static uint32_t small(struct reader *r)
{
    uint64_t v = read_varint(r);

    if (v > UINT32_MAX) r->bad = true;
    return (uint32_t)v;
}

static struct bytes str(struct reader *r, size_t max)
{
    struct bytes b = {0};

    b.data = read_lenstr(r, max, &b.size);
    if (b.data == NULL) b.size = 0;
    return b;
}

enum status change_get_begin(const uint8_t *p, size_t n, struct change_begin *c, struct fault *f)
{
    struct reader r = reader_of(p, n);

    c->txn = read_varint(&r);
    return finish(&r, "begin", f);
}

enum status change_get_abort(const uint8_t *p, size_t n, struct change_abort *c, struct fault *f)
{
    struct reader r = reader_of(p, n);

    c->txn = read_varint(&r);
    return finish(&r, "abort", f);
}

/* The one decoder that runs a million times a second: a cursor of its own, one-byte varints
 * first. */
static inline bool fast_varint(const uint8_t **p, const uint8_t *end, uint64_t *v)
{
    if (likely(*p < end && **p < 0x80)) {
        *v = *(*p)++;
        return true;
    }
    return get_varint(p, end, v) != 0;
}

static inline bool fast_str(const uint8_t **p, const uint8_t *end, size_t max, struct bytes *out)
{
    uint64_t n;

    if (!fast_varint(p, end, &n) || n > max || n > (uint64_t)(end - *p)) return false;
    *out = (struct bytes){*p, (size_t)n};
    *p += n;
    return true;
}

static bool row_shape_ok(const struct change_row *c)
{
    unsigned has = c->flags & (CHANGE_HAS_BEFORE | CHANGE_HAS_AFTER);

    if (c->flags > (CHANGE_REPAIR | CHANGE_HAS_BEFORE | CHANGE_HAS_AFTER)) return false;
    if (c->flags & CHANGE_REPAIR) {
        return c->op == OP_DELETE
                   ? (has & CHANGE_HAS_AFTER) == 0
                   : (c->op == OP_INSERT || c->op == OP_UPDATE) && (has & CHANGE_HAS_AFTER) != 0;
    }
    switch (c->op) {
    case OP_INSERT: return has == CHANGE_HAS_AFTER;
    case OP_UPDATE: return has == (CHANGE_HAS_BEFORE | CHANGE_HAS_AFTER);
    case OP_DELETE: return has == CHANGE_HAS_BEFORE;
    default: return false;
    }
}

enum status change_get_row(const uint8_t *p, size_t n, struct change_row *c, struct fault *f)
{
    const uint8_t *at = p, *end = p + n;
    uint64_t table, version;

    c->before = c->after = (struct bytes){0};
    if (!fast_varint(&at, end, &c->txn) || !fast_varint(&at, end, &c->seq) ||
        !fast_varint(&at, end, &table) || !fast_varint(&at, end, &version) || end - at < 2 ||
        table > UINT32_MAX || version > UINT32_MAX)
        goto bad;
    c->table = (uint32_t)table;
    c->version = (uint32_t)version;
    c->op = *at++;
    c->flags = *at++;
    if (!row_shape_ok(c) || !fast_str(&at, end, CHANGE_KEY_MAX, &c->key)) goto bad;
    if ((c->flags & CHANGE_HAS_BEFORE) && !fast_str(&at, end, CHANGE_ROW_MAX, &c->before)) goto bad;
    if ((c->flags & CHANGE_HAS_AFTER) && !fast_str(&at, end, CHANGE_ROW_MAX, &c->after)) goto bad;
    if (at == end) return ST_OK;
bad:
    return fault_set(f, ST_CORRUPT, "row", (uint64_t)(at - p), "the row record is malformed");
}

enum status change_get_outbox(const uint8_t *p, size_t n, struct change_outbox *c, struct fault *f)
{
    struct reader r = reader_of(p, n);

    c->txn = read_varint(&r);
    c->seq = read_varint(&r);
    c->topic = str(&r, CHANGE_TOPIC_MAX);
    c->key = str(&r, CHANGE_KEY_MAX);
    c->payload = str(&r, CHANGE_ROW_MAX);
    return finish(&r, "outbox", f);
}

enum status change_get_schema(const uint8_t *p, size_t n, struct change_schema *c, struct fault *f)
{
    struct reader r = reader_of(p, n);

    c->txn = read_varint(&r);
    c->seq = read_varint(&r);
    c->table = small(&r);
    c->version = small(&r);
    c->json = str(&r, CHANGE_ROW_MAX);
    return finish(&r, "schema", f);
}

enum status change_get_commit(const uint8_t *p, size_t n, struct change_commit *c, struct fault *f)
{
    struct reader r = reader_of(p, n);

    c->txn = read_varint(&r);
    c->wall_us = unzigzag(read_varint(&r));
    c->changes = read_varint(&r);
    c->span = read_varint(&r);
    return finish(&r, "commit", f);
}

enum status change_get_heartbeat(const uint8_t *p, size_t n, struct change_heartbeat *c,
                                 struct fault *f)
{
    struct reader r = reader_of(p, n);

    c->beat = read_varint(&r);
    c->wall_us = unzigzag(read_varint(&r));
    return finish(&r, "heartbeat", f);
}

enum status change_get_checkpoint(const uint8_t *p, size_t n, struct change_checkpoint *c,
                                  struct fault *f)
{
    struct reader r = reader_of(p, n);

    c->lsn = read_varint(&r);
    c->wall_us = unzigzag(read_varint(&r));
    c->pages = read_varint(&r);
    return finish(&r, "checkpoint", f);
}

enum status change_get_mark(const uint8_t *p, size_t n, struct change_mark *c, struct fault *f)
{
    struct reader r = reader_of(p, n);

    c->kind = small(&r);
    c->text = str(&r, CHANGE_ROW_MAX);
    return finish(&r, "mark", f);
}

/* ---- explaining ---- */

static enum status explain_row(const uint8_t *p, size_t n, struct buf *out)
{
    static const char *const ops[] = {"?", "insert", "update", "delete"};
    struct change_row c;
    enum status st = change_get_row(p, n, &c, NULL);

    if (st != ST_OK) return st;
    buf_printf(out,
               "row txn %" PRIu64 " seq %" PRIu64 " table %" PRIu32 " v%" PRIu32 " %s%s key %zu B",
               c.txn, c.seq, c.table, c.version, ops[c.op],
               c.flags & CHANGE_REPAIR ? " (repair)" : "", c.key.size);
    if (c.before.data != NULL) buf_printf(out, " before %zu B", c.before.size);
    if (c.after.data != NULL) buf_printf(out, " after %zu B", c.after.size);
    return ST_OK;
}

static enum status explain_other(uint8_t type, const uint8_t *p, size_t n, struct buf *out)
{
    union {
        struct change_begin begin;
        struct change_outbox outbox;
        struct change_schema schema;
        struct change_commit commit;
        struct change_abort abort;
        struct change_heartbeat beat;
        struct change_checkpoint point;
        struct change_mark mark;
    } c;
    enum status st;

    switch (type) {
    case CHANGE_BEGIN:
        st = change_get_begin(p, n, &c.begin, NULL);
        if (st == ST_OK) buf_printf(out, "begin txn %" PRIu64, c.begin.txn);
        return st;
    case CHANGE_OUTBOX:
        st = change_get_outbox(p, n, &c.outbox, NULL);
        if (st == ST_OK)
            buf_printf(out,
                       "outbox txn %" PRIu64 " seq %" PRIu64 " topic %.*s key %zu B payload %zu B",
                       c.outbox.txn, c.outbox.seq, (int)c.outbox.topic.size,
                       (const char *)c.outbox.topic.data, c.outbox.key.size, c.outbox.payload.size);
        return st;
    case CHANGE_SCHEMA:
        st = change_get_schema(p, n, &c.schema, NULL);
        if (st == ST_OK)
            buf_printf(out, "schema txn %" PRIu64 " table %" PRIu32 " v%" PRIu32 " json %zu B",
                       c.schema.txn, c.schema.table, c.schema.version, c.schema.json.size);
        return st;
    case CHANGE_COMMIT:
        st = change_get_commit(p, n, &c.commit, NULL);
        if (st == ST_OK)
            buf_printf(out,
                       "commit txn %" PRIu64 " wall_us %" PRId64 " changes %" PRIu64
                       " span %" PRIu64 " B",
                       c.commit.txn, c.commit.wall_us, c.commit.changes, c.commit.span);
        return st;
    case CHANGE_ABORT:
        st = change_get_abort(p, n, &c.abort, NULL);
        if (st == ST_OK) buf_printf(out, "abort txn %" PRIu64, c.abort.txn);
        return st;
    case CHANGE_HEARTBEAT:
        st = change_get_heartbeat(p, n, &c.beat, NULL);
        if (st == ST_OK)
            buf_printf(out, "heartbeat %" PRIu64 " wall_us %" PRId64, c.beat.beat, c.beat.wall_us);
        return st;
    case CHANGE_CHECKPOINT:
        st = change_get_checkpoint(p, n, &c.point, NULL);
        if (st == ST_OK)
            buf_printf(out, "checkpoint lsn %" PRIu64 " pages %" PRIu64, c.point.lsn,
                       c.point.pages);
        return st;
    case CHANGE_MARK:
        st = change_get_mark(p, n, &c.mark, NULL);
        if (st == ST_OK)
            buf_printf(out, "mark kind %" PRIu32 " text %zu B", c.mark.kind, c.mark.text.size);
        return st;
    default: return ST_UNSUPPORTED;
    }
}

void change_explain(uint8_t type, const uint8_t *p, size_t n, struct buf *out)
{
    enum status st = type == CHANGE_ROW ? explain_row(p, n, out) : explain_other(type, p, n, out);

    if (st != ST_OK)
        buf_printf(out, "%s %zu B%s", change_type_name(type), n,
                   st == ST_CORRUPT ? " (malformed)" : "");
}
