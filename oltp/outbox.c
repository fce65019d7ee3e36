/* outbox - events for the stream, as the log keeps them.
 *
 * One validator stands between both directions: what oltp_outbox_put accepts, oltp_outbox_get and the log's own
 * decoder (wal/change.h) give back. */
#include "oltp/db.h"

static_assert((int)OLTP_ROW_MAX < (int)WAL_CHANGE_ROW_MAX - (int)OLTP_EVENT_TYPE_MAX - 10,
              "the log takes every event that is allowed");

/* The lengths of an event, whether it is to be logged or was read. */
static enum seam_status event_check(const struct oltp_event *e, enum seam_status wrong,
                                    struct seam_fault *f)
{
    static const char *const names[] = {"topic", "key", "type", "payload"};
    const size_t sizes[] = {e->topic.size, e->key.size, e->type.size, e->payload.size};
    const size_t most[] = {WAL_CHANGE_TOPIC_MAX, WAL_CHANGE_KEY_MAX, OLTP_EVENT_TYPE_MAX,
                           OLTP_ROW_MAX};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(sizes); i++)
        if (sizes[i] > most[i])
            return seam_fault_set(f, wrong, "outbox", SEAM_FAULT_NO_OFFSET,
                                  "an event's %s of %zu bytes; at most %zu are allowed", names[i],
                                  sizes[i], most[i]);
    return SEAM_OK;
}

static struct wal_bytes text_bytes(const char *s)
{
    return (struct wal_bytes){(const uint8_t *)s, strlen(s)};
}

enum seam_status oltp_outbox_put(struct oltp_txn *t, const char *aggregate_type,
                                 struct wal_bytes aggregate_id, const char *type,
                                 struct wal_bytes payload, struct seam_fault *f)
{
    struct oltp_event e = {text_bytes(aggregate_type), aggregate_id, text_bytes(type), payload};
    struct wal_change_outbox o = {
        .txn = t->id, .seq = t->seq, .topic = e.topic, .key = aggregate_id};
    enum seam_status st;

    if (!t->write || t->failed != SEAM_OK)
        return seam_fault_set(f, t->write ? t->failed : SEAM_UNSUPPORTED, t->db->dir,
                              SEAM_FAULT_NO_OFFSET, "this transaction cannot put an event");
    st = event_check(&e, SEAM_LIMIT, f);
    if (st != SEAM_OK) return st;
    seam_buf_clear(&t->row);
    seam_buf_lenstr(&t->row, type, e.type.size);
    seam_buf_append(&t->row, payload.data, payload.size);
    o.payload = (struct wal_bytes){t->row.data, t->row.size};
    seam_buf_clear(&t->before);
    wal_change_put_outbox(&t->before, &o);
    t->before.failed |= t->row.failed;
    st = oltp_log_record(t, WAL_CHANGE_OUTBOX, &t->before, f);
    if (st != SEAM_OK) return oltp_txn_fatal(t, st);
    t->changes++;
    t->seq++;
    return SEAM_OK;
}

enum seam_status oltp_outbox_get(struct wal_bytes logged, struct wal_bytes *type,
                                 struct wal_bytes *payload, struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(logged.data, logged.size);
    struct oltp_event e = {0};

    e.type.data = seam_read_lenstr(&r, logged.size, &e.type.size);
    if (e.type.data == NULL)
        return seam_fault_set(f, SEAM_CORRUPT, "outbox", seam_reader_offset(&r),
                              "an outbox payload without a type");
    e.payload = (struct wal_bytes){r.pos, seam_reader_left(&r)};
    *type = e.type;
    *payload = e.payload;
    return event_check(&e, SEAM_CORRUPT, f);
}
