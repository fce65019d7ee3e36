/* LMDB behind the row store's workloads: integer keys, read transactions reset and renewed.
 * peer-libs: -llmdb -lpthread -lm
 * peer-package: liblmdb-dev */
#include <lmdb.h>

#include "bench/common/peer.h"
#include "bench/peers/oltp_work.h"

static MDB_env *env;
static MDB_dbi dbi;

struct session {
    MDB_txn *write, *read;
    MDB_cursor *cursor;
    int append;
};

static void ck(int rc, const char *what)
{
    if (rc == 0) return;
    fprintf(stderr, "lmdb: %s: %s\n", what, mdb_strerror(rc));
    exit(1);
}

static void open_store(const char *dir, int relaxed, long mb)
{
    MDB_txn *t;

    (void)mb; /* the page cache is its cache */
    ck(mdb_env_create(&env), "create");
    mdb_env_set_mapsize(env, (size_t)16 << 30);
    mdb_env_set_maxreaders(env, 126);
    ck(mdb_env_open(env, dir, MDB_NOTLS | (relaxed ? MDB_NOSYNC : 0), 0644), "open");
    ck(mdb_txn_begin(env, NULL, 0, &t), "begin");
    ck(mdb_dbi_open(t, NULL, MDB_CREATE | MDB_INTEGERKEY, &dbi), "dbi");
    ck(mdb_txn_commit(t), "commit");
}

static void close_store(void)
{
    mdb_env_sync(env, 1);
    mdb_env_close(env);
}

static void *session(void)
{
    struct session *s = calloc(1, sizeof *s);

    ck(mdb_txn_begin(env, NULL, MDB_RDONLY, &s->read), "begin");
    ck(mdb_cursor_open(s->read, dbi, &s->cursor), "cursor");
    mdb_txn_reset(s->read);
    return s;
}

static void session_end(void *p)
{
    struct session *s = p;

    mdb_cursor_close(s->cursor);
    mdb_txn_abort(s->read);
    free(s);
}

static void begin(void *p, int append)
{
    struct session *s = p;

    s->append = append;
    ck(mdb_txn_begin(env, NULL, 0, &s->write), "begin");
}

static void put(void *p, uint64_t key, const char *value)
{
    struct session *s = p;
    MDB_val k = {8, &key}, v = {KV_VALUE, (void *)value};

    ck(mdb_put(s->write, dbi, &k, &v, s->append ? MDB_APPEND : 0), "put");
}

static void commit(void *p)
{
    ck(mdb_txn_commit(((struct session *)p)->write), "commit");
}

static void read_begin(void *p)
{
    struct session *s = p;

    ck(mdb_txn_renew(s->read), "renew");
}

static void read_end(void *p)
{
    mdb_txn_reset(((struct session *)p)->read);
}

static int get(void *p, uint64_t key, char *value)
{
    MDB_val k = {8, &key}, v;
    int found = mdb_get(((struct session *)p)->read, dbi, &k, &v) == 0;

    if (found) memcpy(value, v.mv_data, KV_VALUE);
    return found;
}

static uint64_t scan(void *p, uint64_t from, uint64_t n, uint64_t *sum)
{
    struct session *s = p;
    MDB_val k = {8, &from}, v;
    uint64_t count = 0, key;
    int rc;

    ck(mdb_cursor_renew(s->read, s->cursor), "renew");
    rc = mdb_cursor_get(s->cursor, &k, &v, MDB_SET_RANGE);
    while (rc == 0 && count < n) {
        memcpy(&key, k.mv_data, 8);
        *sum += key + ((const unsigned char *)v.mv_data)[KV_VALUE - 1];
        if (++count < n) rc = mdb_cursor_get(s->cursor, &k, &v, MDB_NEXT);
    }
    return count;
}

int main(void)
{
    const struct kv_ops ops = {open_store, close_store, session,  session_end, begin, put,
                               commit,     read_begin,  read_end, get,         scan};
    char line[2048], reply[256];

    peer_ready(MDB_VERSION_STRING);
    while (peer_line(line, sizeof line)) {
        kv_run(&ops, line, reply, sizeof reply);
        peer_reply("%s", reply);
    }
    return 0;
}
