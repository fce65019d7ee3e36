/* clash - a program with names of its own, the likeliest ones, and every store in it.
 *
 * Each function here must be linked without a word about duplicates, and none may ever be called: a library that took
 * the program's crc32c for its own would write files that nobody else can read. The stores are used by the
 * programs of docs/examples, compiled with another name for main. C and C++.                        */
#define TRACE(...)
#define ARRAY_LEN(a) 0
#define MUST_USE
#define likely(x)   no
#define unlikely(x) no
#define min(a, b)   no
#define max(a, b)   no

#include "columnar/columnar.h"
#include "columnar/sql/sql.h"
#include "engine/base/version.h"
#include "engine/text/json.h"
#include "engine/values/key.h"
#include "engine/values/row.h"
#include "hnsw/hnsw.h"
#include "hnsw/tune.h"
#include "hnsw/vecfile.h"
#include "invidx/invidx.h"
#include "oltp/oltp.h"
#include "pipeline/stream/stream.h"
#include "wal/change.h"
#include "wal/wal.h"
#include <stdio.h>
#include <stdlib.h>

/* The program's own types and constants. */
enum status { OK, OPEN, CLOSED, CORRUPT, NOMEM, ST_OK, V_INT, V_TEXT, LSN_NONE };
enum { NOT_FOUND, END, INVALID, LIMIT, CHUNK, STAR, COLUMN, LITERAL };
struct io {
    int fd;
};
struct fault {
    int a;
};
struct buf {
    int b;
};
struct value {
    int c;
};
struct schema {
    int d;
};
struct page {
    int e;
};
struct trace {
    int f;
};
struct reader {
    int g;
};
struct batch {
    int h;
};
typedef struct io lsn_t;
typedef struct page json, arena, segment, snapshot_t, row_fn;

/* ... and its own functions, whom nobody but the program has any business calling. */
#ifdef __cplusplus
#define OWN extern "C"
#else
#define OWN
#endif
#define NAME(name)                                                                                 \
    OWN int name(void);                                                                            \
    OWN int name(void)                                                                             \
    {                                                                                              \
        return fprintf(stderr, "the library called the program's %s\n", #name), abort(), 0;        \
    }
#include "names.inc" /* NAME(crc32c) NAME(walk) ...: made from names.txt by the test */

int row_store_main(int argc, char **argv);
int change_log_main(int argc, char **argv);
int column_store_main(int argc, char **argv);
int word_index_main(int argc, char **argv);
int vector_graph_main(int argc, char **argv);
int change_stream_main(int argc, char **argv);

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int, char **);
    } stores[] = {{"row_store", row_store_main},       {"change_log", change_log_main},
                  {"column_store", column_store_main}, {"word_index", word_index_main},
                  {"vector_graph", vector_graph_main}, {"change_stream", change_stream_main}};
    int bad = 0;

    if (argc != 2) return fprintf(stderr, "usage: clash FOLDER\n"), 2;
    if (seam_version_number() != SEAM_VERSION_NUMBER)
        return fprintf(stderr, "header and library are of two versions\n"), 1;
    for (size_t i = 0; i < SEAM_ARRAY_LEN(stores); i++) {
        char program[16] = "example", folder[1024];
        char *args[] = {program, folder, NULL};

        snprintf(folder, sizeof folder, "%s/%s", argv[1], stores[i].name);
        if (stores[i].run(2, args) != 0) bad = fprintf(stderr, "%s failed\n", stores[i].name);
    }
    return bad != 0;
}
