/* SQLite FTS5, contentless, ascii tokenizer, detail=full: a peer of bench_invidx.
 * peer-libs: -lsqlite3
 * peer-package: libsqlite3-dev
 *
 * The lines it answers are those of invidx_lucene.java; `index` gives seconds, seconds of optimize, bytes. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "bench/common/peer.h"

static const char *docs_path, *queries_path;
static char db_path[700];
static sqlite3 *db;

static void run_sql(const char *sql)
{
    char *message = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK) return;
    peer_reply("error %s", message);
    exit(1);
}

static void index_docs(void)
{
    FILE *in = fopen(docs_path, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    sqlite3_stmt *add;
    uint64_t t;
    double added;
    FILE *size;

    if (db != NULL) sqlite3_close(db);
    remove(db_path);
    sqlite3_open(db_path, &db);
    run_sql("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-262144;");
    t = peer_now_ns();
    run_sql(
        "CREATE VIRTUAL TABLE d USING fts5(x, content='', tokenize='ascii', detail=full); BEGIN;");
    sqlite3_prepare_v2(db, "INSERT INTO d(rowid, x) VALUES(?1, ?2)", -1, &add, NULL);
    for (sqlite3_int64 id = 1; (n = getline(&line, &cap, in)) > 0; id++) {
        sqlite3_bind_int64(add, 1, id);
        sqlite3_bind_text(add, 2, line, (int)n - 1, SQLITE_STATIC);
        sqlite3_step(add);
        sqlite3_reset(add);
    }
    sqlite3_finalize(add);
    run_sql("COMMIT");
    added = (double)(peer_now_ns() - t) / 1e9;
    t = peer_now_ns();
    run_sql("INSERT INTO d(d) VALUES('optimize')");
    fclose(in);
    free(line);
    size = fopen(db_path, "r");
    fseek(size, 0, SEEK_END);
    peer_reply("%.4f %.4f %ld", added, (double)(peer_now_ns() - t) / 1e9, ftell(size));
    fclose(size);
}

/* "or2", "a b" -> "a" OR "b" */
static void match_text(const char *class, char *words, char *out, size_t size)
{
    const char *join = strncmp(class, "or", 2) == 0 ? " OR " : " AND ";
    size_t at = 0;

    if (strncmp(class, "phrase", 6) == 0) {
        snprintf(out, size, "\"%s\"", words);
        return;
    }
    for (char *save = NULL, *w = strtok_r(words, " ", &save); w != NULL;
         w = strtok_r(NULL, " ", &save))
        at += (size_t)snprintf(out + at, size - at, "%s\"%s\"", at > 0 ? join : "", w);
}

static int order(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

    return (a > b) - (a < b);
}

/* Stops after four seconds: the first queries of a class stand for it (FTS5 scores every hit).           */
static void run_class(const char *class, int k, int count)
{
    enum { MAX = 4096 };
    static uint64_t ns[MAX];
    FILE *in = fopen(queries_path, "r");
    char line[512];
    size_t n = 0;
    sqlite3_stmt *s;
    uint64_t began = peer_now_ns(), total = 0;

    sqlite3_prepare_v2(db,
                       count ? "SELECT count(*) FROM d WHERE d MATCH ?1"
                             : "SELECT rowid FROM d WHERE d MATCH ?1 ORDER BY rank LIMIT ?2",
                       -1, &s, NULL);
    while (n < MAX && fgets(line, sizeof line, in) != NULL) {
        char *tab = strchr(line, '\t'), text[1024];
        uint64_t t;

        line[strcspn(line, "\n")] = '\0';
        *tab = '\0';
        if (strcmp(line, class) != 0) continue;
        if (!count && peer_now_ns() - began > 4000000000u) break;
        match_text(class, tab + 1, text, sizeof text);
        t = peer_now_ns();
        sqlite3_bind_text(s, 1, text, -1, SQLITE_STATIC);
        if (!count) sqlite3_bind_int(s, 2, k);
        while (sqlite3_step(s) == SQLITE_ROW)
            total += count ? (uint64_t)sqlite3_column_int64(s, 0) : 1;
        sqlite3_reset(s);
        ns[n++] = peer_now_ns() - t;
    }
    sqlite3_finalize(s);
    fclose(in);
    if (count) {
        peer_reply("%.3f %llu", (double)n / ((double)(peer_now_ns() - began) / 1e9),
                   (unsigned long long)total);
        return;
    }
    if (n == 0) {
        peer_reply("error no such class");
        return;
    }
    total = peer_now_ns() - began;
    qsort(ns, n, sizeof *ns, order);
    peer_reply("%.3f %.3f %.3f", (double)n / ((double)total / 1e9), (double)ns[n / 2] / 1e3,
               (double)ns[n * 99 / 100] / 1e3);
}

int main(int argc, char **argv)
{
    char line[256], class[64];
    int k, mode;

    if (argc < 4) return 2;
    docs_path = argv[1];
    queries_path = argv[2];
    snprintf(db_path, sizeof db_path, "%s.db", argv[3]);
    peer_ready(sqlite3_libversion());
    while (peer_line(line, sizeof line)) {
        if (strcmp(line, "index") == 0)
            index_docs();
        else if (strcmp(line, "free") == 0)
            peer_reply("0");
        else if (sscanf(line, "run %63s %d %d", class, &k, &mode) == 3)
            run_class(class, k, 0);
        else if (sscanf(line, "count %63s", class) == 1)
            run_class(class, 0, 1);
        else
            peer_reply("error unknown command");
    }
    sqlite3_close(db);
    return 0;
}
