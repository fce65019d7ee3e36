/* SQLite behind the row store's workloads: WAL mode, prepared statements, a rowid table.
 * peer-libs: -lsqlite3 -lpthread -lm
 * peer-package: libsqlite3-dev */
#include <sqlite3.h>

#include "bench/common/peer.h"
#include "bench/peers/oltp_work.h"

static char path[2048];
static int relaxed;
static long cache_mb;

struct session {
    sqlite3 *db;
    sqlite3_stmt *put, *get, *scan, *begin, *commit;
};

static void ck(int rc, sqlite3 *db, const char *what)
{
    if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE) return;
    fprintf(stderr, "sqlite: %s: %s\n", what, db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
    exit(1);
}

static void step(struct session *s, sqlite3_stmt *q)
{
    ck(sqlite3_step(q), s->db, sqlite3_sql(q));
    sqlite3_reset(q);
}

static void *session(void)
{
    struct session *s = calloc(1, sizeof *s);
    char pragmas[300];

    ck(sqlite3_open_v2(path, &s->db,
                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL),
       s->db, "open");
    sqlite3_busy_timeout(s->db, 60000);
    snprintf(
        pragmas, sizeof pragmas,
        "PRAGMA journal_mode=WAL;PRAGMA synchronous=%s;PRAGMA cache_size=-%ld;PRAGMA mmap_size=%ld;"
        "CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v BLOB)",
        relaxed ? "NORMAL" : "FULL", cache_mb * 1024, cache_mb << 20);
    ck(sqlite3_exec(s->db, pragmas, NULL, NULL, NULL), s->db, "pragmas");
    ck(sqlite3_prepare_v3(s->db, "INSERT OR REPLACE INTO t VALUES(?1,?2)", -1,
                          SQLITE_PREPARE_PERSISTENT, &s->put, NULL),
       s->db, "put");
    ck(sqlite3_prepare_v3(s->db, "SELECT v FROM t WHERE k=?1", -1, SQLITE_PREPARE_PERSISTENT,
                          &s->get, NULL),
       s->db, "get");
    ck(sqlite3_prepare_v3(s->db, "SELECT k,v FROM t WHERE k>=?1 ORDER BY k LIMIT ?2", -1,
                          SQLITE_PREPARE_PERSISTENT, &s->scan, NULL),
       s->db, "scan");
    ck(sqlite3_prepare_v3(s->db, "BEGIN IMMEDIATE", -1, SQLITE_PREPARE_PERSISTENT, &s->begin, NULL),
       s->db, "begin");
    ck(sqlite3_prepare_v3(s->db, "COMMIT", -1, SQLITE_PREPARE_PERSISTENT, &s->commit, NULL), s->db,
       "commit");
    return s;
}

static void session_end(void *p)
{
    struct session *s = p;

    sqlite3_finalize(s->put);
    sqlite3_finalize(s->get);
    sqlite3_finalize(s->scan);
    sqlite3_finalize(s->begin);
    sqlite3_finalize(s->commit);
    sqlite3_close(s->db);
    free(s);
}

static void open_store(const char *dir, int is_relaxed, long mb)
{
    snprintf(path, sizeof path, "%s/db", dir);
    relaxed = is_relaxed;
    cache_mb = mb;
    session_end(session());
}

static void close_store(void)
{
    sqlite3 *db;

    ck(sqlite3_open(path, &db), NULL, "open");
    sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
    sqlite3_close(db);
}

static void begin(void *p, int append)
{
    struct session *s = p;
    (void)append;
    step(s, s->begin);
}
static void commit(void *p)
{
    struct session *s = p;
    step(s, s->commit);
}
static void nothing(void *p)
{
    (void)p;
}

static void put(void *p, uint64_t key, const char *value)
{
    struct session *s = p;

    sqlite3_bind_int64(s->put, 1, (sqlite3_int64)key);
    sqlite3_bind_blob(s->put, 2, value, KV_VALUE, SQLITE_STATIC);
    step(s, s->put);
}

static int get(void *p, uint64_t key, char *value)
{
    struct session *s = p;
    int found;

    sqlite3_bind_int64(s->get, 1, (sqlite3_int64)key);
    found = sqlite3_step(s->get) == SQLITE_ROW;
    if (found) memcpy(value, sqlite3_column_blob(s->get, 0), KV_VALUE);
    sqlite3_reset(s->get);
    return found;
}

static uint64_t scan(void *p, uint64_t from, uint64_t n, uint64_t *sum)
{
    struct session *s = p;
    uint64_t count = 0;

    sqlite3_bind_int64(s->scan, 1, (sqlite3_int64)from);
    sqlite3_bind_int64(s->scan, 2, (sqlite3_int64)n);
    for (; sqlite3_step(s->scan) == SQLITE_ROW; count++)
        *sum += (uint64_t)sqlite3_column_int64(s->scan, 0) +
                ((const unsigned char *)sqlite3_column_blob(s->scan, 1))[KV_VALUE - 1];
    sqlite3_reset(s->scan);
    return count;
}

int main(void)
{
    const struct kv_ops ops = {open_store, close_store, session, session_end, begin, put,
                               commit,     nothing,     nothing, get,         scan};
    char line[2048], reply[256];

    sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    peer_ready("SQLite " SQLITE_VERSION);
    while (peer_line(line, sizeof line)) {
        kv_run(&ops, line, reply, sizeof reply);
        peer_reply("%s", reply);
    }
    return 0;
}
