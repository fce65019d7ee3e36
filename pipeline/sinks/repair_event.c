/* repair_event - a request to compute something again, as an event in the log. */
#include "pipeline/sinks/repair_event.h"

#include <stdio.h>
#include <string.h>

#include "engine/text/json.h"

static const char topic[] = "seam.repair", type[] = "recompute";

enum seam_status sink_repair_event_put(struct oltp_txn *t, const char *store, const char *table,
                                       struct wal_bytes key, const char *reads,
                                       struct seam_fault *f)
{
    struct seam_buf id = {0}, hex = {0}, payload = {0};
    struct seam_json_writer w;
    enum seam_status st;

    seam_buf_printf(&id, "%s/%s", store, table);
    for (size_t i = 0; i < key.size; i++) seam_buf_printf(&hex, "%02x", key.data[i]);
    seam_jw_init(&w, &payload);
    seam_jw_object(&w);
    if (key.data != NULL) {
        seam_jw_key(&w, "key");
        seam_jw_str(&w, seam_buf_cstr(&hex));
        seam_jw_key(&w, "reads");
        seam_jw_str(&w, reads != NULL ? reads : "");
    }
    seam_jw_end_object(&w);
    st = seam_buf_ok(&id) && seam_buf_ok(&hex) && seam_buf_ok(&payload)
             ? oltp_outbox_put(t, topic, (struct wal_bytes){id.data, id.size}, type,
                               (struct wal_bytes){payload.data, payload.size}, f)
             : seam_fault_set(f, SEAM_NOMEM, table, SEAM_FAULT_NO_OFFSET, "no memory for a repair");
    seam_buf_free(&id);
    seam_buf_free(&hex);
    seam_buf_free(&payload);
    return st;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool from_hex(const char *s, struct seam_buf *out)
{
    size_t n = strlen(s);

    for (size_t i = 0; i + 1 < n; i += 2) {
        if (digit(s[i]) < 0 || digit(s[i + 1]) < 0) return false;
        seam_buf_u8(out, (uint8_t)(digit(s[i]) << 4 | digit(s[i + 1])));
    }
    return n % 2 == 0 && seam_buf_ok(out);
}

static bool is(struct wal_bytes b, const char *word)
{
    return wal_bytes_equal(b, (struct wal_bytes){(const uint8_t *)word, strlen(word)});
}

bool sink_repair_event_get(const struct stream_outbox *e, const char *store, char *table,
                           struct seam_buf *key, bool *all)
{
    size_t n = strlen(store);
    struct seam_arena a = {0};
    struct seam_json *root = NULL;
    const char *hex = NULL;
    bool ok = is(e->topic, topic) && is(e->type, type) && e->key.size > n + 1 &&
              e->key.size - n - 1 < SEAM_NAME_MAX_BYTES && memcmp(e->key.data, store, n) == 0 &&
              e->key.data[n] == '/';

    if (!ok) return false;
    memcpy(table, e->key.data + n + 1, e->key.size - n - 1);
    table[e->key.size - n - 1] = '\0';
    ok = seam_json_parse((const char *)e->payload.data, e->payload.size, &a, topic, &root, NULL) ==
         SEAM_OK;
    if (ok) hex = seam_json_string(root, "key", NULL);
    *all = hex == NULL;
    seam_buf_clear(key);
    ok = ok && (hex == NULL || from_hex(hex, key));
    seam_arena_free(&a);
    return ok;
}
