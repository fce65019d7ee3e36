/* WiredTiger behind the row store's workloads: row store, log on, snapshot isolation.
 * peer-libs: -lwiredtiger -lpthread -lm
 * peer-package: libwiredtiger-dev */
#include <wiredtiger.h>

#include "bench/common/peer.h"
#include "bench/peers/oltp_work.h"

static WT_CONNECTION *conn;

struct session {
    WT_SESSION *s;
    WT_CURSOR *c;
};

static void ck(int rc, const char *what)
{
    if (rc == 0) return;
    fprintf(stderr, "wiredtiger: %s: %s\n", what, wiredtiger_strerror(rc));
    exit(1);
}

static void open_store(const char *dir, int relaxed, long mb)
{
    char config[400];
    WT_SESSION *s;

    snprintf(
        config, sizeof config,
        "create,cache_size=%ldMB,log=(enabled=true,archive=true),transaction_sync=(enabled=%s),"
        "checkpoint=(wait=60,log_size=2GB)",
        mb, relaxed ? "false" : "true,method=fsync");
    ck(wiredtiger_open(dir, NULL, config, &conn), "open");
    ck(conn->open_session(conn, NULL, NULL, &s), "session");
    ck(s->create(s, "table:t",
                 "key_format=Q,value_format=u,leaf_page_max=16KB,allocation_size=4KB"),
       "create");
    s->close(s, NULL);
}

static void close_store(void)
{
    WT_SESSION *s;

    ck(conn->open_session(conn, NULL, NULL, &s), "session");
    s->checkpoint(s, NULL);
    conn->close(conn, NULL);
}

static void *session(void)
{
    struct session *s = calloc(1, sizeof *s);

    ck(conn->open_session(conn, NULL, "isolation=snapshot", &s->s), "session");
    ck(s->s->open_cursor(s->s, "table:t", NULL, "overwrite=true", &s->c), "cursor");
    return s;
}

static void session_end(void *p)
{
    struct session *s = p;

    s->s->close(s->s, NULL);
    free(s);
}

static void begin(void *p, int append)
{
    struct session *s = p;
    (void)append;
    ck(s->s->begin_transaction(s->s, NULL), "begin");
}
static void nothing(void *p)
{
    (void)p;
}

static void commit(void *p)
{
    struct session *s = p;

    s->c->reset(s->c);
    ck(s->s->commit_transaction(s->s, NULL), "commit");
}

static void put(void *p, uint64_t key, const char *value)
{
    struct session *s = p;
    WT_ITEM v = {.data = value, .size = KV_VALUE};
    int rc;

    s->c->set_key(s->c, key);
    s->c->set_value(s->c, &v);
    rc = s->c->insert(s->c);
    if (rc != WT_ROLLBACK) ck(rc, "insert");
}

static int get(void *p, uint64_t key, char *value)
{
    struct session *s = p;
    WT_ITEM v;

    s->c->set_key(s->c, key);
    if (s->c->search(s->c) != 0) return 0;
    s->c->get_value(s->c, &v);
    memcpy(value, v.data, KV_VALUE);
    s->c->reset(s->c);
    return 1;
}

static uint64_t scan(void *p, uint64_t from, uint64_t n, uint64_t *sum)
{
    struct session *s = p;
    uint64_t count = 0, key;
    int exact;

    s->c->set_key(s->c, from);
    if (s->c->search_near(s->c, &exact) != 0) return 0;
    if (exact < 0 && s->c->next(s->c) != 0) return 0;
    do {
        WT_ITEM v;

        s->c->get_key(s->c, &key);
        s->c->get_value(s->c, &v);
        *sum += key + ((const unsigned char *)v.data)[KV_VALUE - 1];
        count++;
    } while (count < n && s->c->next(s->c) == 0);
    s->c->reset(s->c);
    return count;
}

int main(void)
{
    const struct kv_ops ops = {open_store, close_store, session, session_end, begin, put,
                               commit,     nothing,     nothing, get,         scan};
    char line[2048], reply[256];

    peer_ready(WIREDTIGER_VERSION_STRING);
    while (peer_line(line, sizeof line)) {
        kv_run(&ops, line, reply, sizeof reply);
        peer_reply("%s", reply);
    }
    return 0;
}
