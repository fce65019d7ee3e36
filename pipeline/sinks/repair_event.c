#include "pipeline/sinks/repair_event.h"

#include <stdio.h>
#include <string.h>

#include "engine/text/json.h"

static const char topic[] = "seam.repair", type[] = "recompute";

enum status repair_event_put(struct oltp_txn *t, const char *store, const char *table,
                             struct bytes key, const char *reads, struct fault *f)
{
    struct buf id = {0}, hex = {0}, payload = {0};
    struct json_writer w;
    enum status st;

    buf_printf(&id, "%s/%s", store, table);
    for (size_t i = 0; i < key.size; i++)
        buf_printf(&hex, "%02x", key.data[i]);
    jw_init(&w, &payload);
    jw_object(&w);
    if (key.data != NULL) {
        jw_key(&w, "key");
        jw_str(&w, buf_cstr(&hex));
        jw_key(&w, "reads");
        jw_str(&w, reads != NULL ? reads : "");
    }
    jw_end_object(&w);
    st = buf_ok(&id) && buf_ok(&hex) && buf_ok(&payload)
             ? oltp_outbox_put(t, topic, (struct bytes){id.data, id.size}, type,
                               (struct bytes){payload.data, payload.size}, f)
             : fault_set(f, ST_NOMEM, table, FAULT_NO_OFFSET, "no memory for a repair");
    buf_free(&id);
    buf_free(&hex);
    buf_free(&payload);
    return st;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool from_hex(const char *s, struct buf *out)
{
    size_t n = strlen(s);

    for (size_t i = 0; i + 1 < n; i += 2) {
        if (digit(s[i]) < 0 || digit(s[i + 1]) < 0) return false;
        buf_u8(out, (uint8_t)(digit(s[i]) << 4 | digit(s[i + 1])));
    }
    return n % 2 == 0 && buf_ok(out);
}

static bool is(struct bytes b, const char *word)
{
    return bytes_equal(b, (struct bytes){(const uint8_t *)word, strlen(word)});
}

bool repair_event_get(const struct sink_outbox *e, const char *store, char *table, struct buf *key,
                      bool *all)
{
    size_t n = strlen(store);
    struct arena a = {0};
    struct json *root = NULL;
    const char *hex = NULL;
    bool ok = is(e->topic, topic) && is(e->type, type) && e->key.size > n + 1 &&
              e->key.size - n - 1 < NAME_MAX_BYTES && memcmp(e->key.data, store, n) == 0 &&
              e->key.data[n] == '/';

    if (!ok) return false;
    memcpy(table, e->key.data + n + 1, e->key.size - n - 1);
    table[e->key.size - n - 1] = '\0';
    ok = json_parse((const char *)e->payload.data, e->payload.size, &a, topic, &root, NULL) == ST_OK;
    if (ok) hex = json_string(root, "key", NULL);
    *all = hex == NULL;
    buf_clear(key);
    ok = ok && (hex == NULL || from_hex(hex, key));
    arena_free(&a);
    return ok;
}
