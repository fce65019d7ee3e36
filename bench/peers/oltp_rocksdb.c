/* RocksDB behind the row store's workloads, through its C interface.
 * peer-libs: -lrocksdb -lpthread -lm
 * peer-package: librocksdb-dev */
#include <rocksdb/c.h>

#include "bench/common/peer.h"
#include "bench/peers/oltp_work.h"

static rocksdb_t *db;
static rocksdb_options_t *options;
static rocksdb_writeoptions_t *write_options;
static rocksdb_readoptions_t *read_options;

static void ck(char *err)
{
    if (err == NULL) return;
    fprintf(stderr, "rocksdb: %s\n", err);
    exit(1);
}

static void big_endian(uint64_t key, char out[8])
{
    key = __builtin_bswap64(key);
    memcpy(out, &key, 8);
}

static void open_store(const char *dir, int relaxed, long mb)
{
    rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();
    char *err = NULL;
    size_t buffer =
        mb / 8 < 64 ? (size_t)mb / 8 : 64; /* two of them are part of the cache's budget */

    options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_increase_parallelism(options, 2);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    rocksdb_options_set_write_buffer_size(options, buffer << 20);
    rocksdb_block_based_options_set_block_cache(
        t, rocksdb_cache_create_lru(((size_t)mb - 2 * buffer) << 20));
    rocksdb_block_based_options_set_filter_policy(t, rocksdb_filterpolicy_create_bloom_full(10));
    rocksdb_options_set_block_based_table_factory(options, t);
    write_options = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(write_options, !relaxed);
    read_options = rocksdb_readoptions_create();
    db = rocksdb_open(options, dir, &err);
    ck(err);
}

static void close_store(void)
{
    rocksdb_flushoptions_t *f = rocksdb_flushoptions_create();
    char *err = NULL;

    rocksdb_flush(db, f, &err);
    ck(err);
    rocksdb_compact_range(db, NULL, 0, NULL, 0);
    rocksdb_close(db);
    rocksdb_flushoptions_destroy(f);
}

static void *session(void)
{
    return rocksdb_writebatch_create();
}
static void session_end(void *s)
{
    rocksdb_writebatch_destroy(s);
}
static void begin(void *s, int append)
{
    (void)append;
    rocksdb_writebatch_clear(s);
}
static void nothing(void *s)
{
    (void)s;
}

static void put(void *s, uint64_t key, const char *value)
{
    char k[8];

    big_endian(key, k);
    rocksdb_writebatch_put(s, k, 8, value, KV_VALUE);
}

static void commit(void *s)
{
    char *err = NULL;

    rocksdb_write(db, write_options, s, &err);
    ck(err);
}

static int get(void *s, uint64_t key, char *value)
{
    char k[8], *err = NULL;
    rocksdb_pinnableslice_t *v;
    const char *bytes;
    size_t n = 0;

    (void)s;
    big_endian(key, k);
    v = rocksdb_get_pinned(db, read_options, k, 8, &err);
    ck(err);
    if (v == NULL) return 0;
    bytes = rocksdb_pinnableslice_value(v, &n);
    if (bytes != NULL) memcpy(value, bytes, KV_VALUE);
    rocksdb_pinnableslice_destroy(v);
    return bytes != NULL;
}

static uint64_t scan(void *s, uint64_t from, uint64_t n, uint64_t *sum)
{
    rocksdb_iterator_t *it = rocksdb_create_iterator(db, read_options);
    char k[8];
    uint64_t count = 0;

    (void)s;
    big_endian(from, k);
    for (rocksdb_iter_seek(it, k, 8); rocksdb_iter_valid(it) && count < n;
         rocksdb_iter_next(it), count++) {
        size_t size;
        uint64_t key;

        memcpy(&key, rocksdb_iter_key(it, &size), 8);
        *sum += __builtin_bswap64(key) +
                ((const unsigned char *)rocksdb_iter_value(it, &size))[KV_VALUE - 1];
    }
    rocksdb_iter_destroy(it);
    return count;
}

int main(void)
{
    const struct kv_ops ops = {open_store, close_store, session, session_end, begin, put,
                               commit,     nothing,     nothing, get,         scan};
    char line[2048], reply[256];

    peer_ready("RocksDB");
    while (peer_line(line, sizeof line)) {
        kv_run(&ops, line, reply, sizeof reply);
        peer_reply("%s", reply);
    }
    return 0;
}
