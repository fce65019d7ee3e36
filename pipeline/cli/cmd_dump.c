/* cmd_dump - any file of ours, explained byte by byte.
 *
 * Which store a file belongs to is asked of its first bytes, never of its name alone; a damaged head falls back on
 * the name, so that a broken file can still be looked at.                                          */
#include <stdlib.h>
#include <string.h>

#include "columnar/columnar.h"
#include "engine/io/manifest.h"
#include "hnsw/hnsw.h"
#include "invidx/invidx.h"
#include "oltp/oltp.h"
#include "pipeline/cli/cli.h"
#include "wal/wal.h"

enum owner {
    OWNER_NONE,
    OWNER_LOG,
    OWNER_HISTORIES,
    OWNER_ROWS,
    OWNER_COLUMNS,
    OWNER_WORDS,
    OWNER_GRAPH
};

static enum owner by_magic(const uint8_t *head, size_t n)
{
    static const struct {
        const char *magic;
        enum owner owner;
    } magics[] = {
        {"SEAMHIST", OWNER_HISTORIES}, {"SEAMWAL1", OWNER_LOG},     {"SEAMLOGM", OWNER_LOG},
        {"SEAMSLOT", OWNER_LOG},       {"SEAMCOLF", OWNER_COLUMNS}, {"SEAMCOLK", OWNER_COLUMNS},
        {"SEAMCOLJ", OWNER_COLUMNS},   {"SEAMHNSW", OWNER_GRAPH},   {"SEAMHNSJ", OWNER_GRAPH}};
    static const struct {
        uint32_t kind;
        enum owner owner;
    } kinds[] = {{SEAM_MANIFEST_KIND('C', 'O', 'L', 'M'), OWNER_COLUMNS},
                 {SEAM_MANIFEST_KIND('I', 'N', 'V', 'X'), OWNER_WORDS},
                 {SEAM_MANIFEST_KIND('H', 'N', 'S', 'W'), OWNER_GRAPH}};

    if (n < 16) return OWNER_NONE;
    for (size_t i = 0; i < SEAM_ARRAY_LEN(magics); i++)
        if (memcmp(head, magics[i].magic, 8) == 0) return magics[i].owner;
    for (size_t i = 0; i < SEAM_ARRAY_LEN(kinds); i++)
        if (seam_manifest_kind_of(head, n) == kinds[i].kind) return kinds[i].owner;
    return OWNER_NONE;
}

static enum owner by_name(const char *path)
{
    const char *base = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    const char *dot = strrchr(base, '.');

    if (strcmp(base, "pages") == 0) return OWNER_ROWS;
    if (dot == NULL) return OWNER_NONE;
    if (strcmp(dot, ".col") == 0 || strcmp(dot, ".kills") == 0 || strncmp(base, "journal-", 8) == 0)
        return OWNER_COLUMNS;
    if (strstr(path, "sinks/search") != NULL) return OWNER_WORDS;
    if (strstr(path, "sinks/vectors") != NULL) return OWNER_GRAPH;
    if (strcmp(dot, ".seg") == 0)
        return strstr(path, "wal") != NULL || strstr(path, "stream") != NULL ? OWNER_LOG
                                                                             : OWNER_WORDS;
    if (strcmp(dot, ".del") == 0) return OWNER_WORDS;
    return OWNER_NONE;
}

static enum seam_status owner_of(struct cli *c, const char *path, enum owner *out)
{
    struct seam_file *file = NULL;
    uint8_t head[64] = {0};
    size_t got = 0;
    enum seam_status st = seam_file_open(c->io, path, SEAM_FILE_READ, &file, &c->fault);

    if (st == SEAM_OK) st = seam_file_read_some(file, 0, head, sizeof head, &got, &c->fault);
    seam_file_close(file);
    if (st != SEAM_OK) return st;
    *out = by_magic(head, got);
    if (*out == OWNER_NONE) *out = by_name(path);
    return SEAM_OK;
}

int cmd_dump(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    int64_t page = 0, from = 0, max = 50;
    bool verbose = false;
    const struct seam_opt opts[] = {
        {"page", 'p', SEAM_OPT_INT, "N", "row store: which page (0 and 1 are the meta pages)",
         &page},
        {"from", 0, SEAM_OPT_INT, "OFFSET", "log: start at this byte of the segment", &from},
        {"limit", 'n', SEAM_OPT_INT, "N", "log: at most N records (50)", &max},
        {"verbose", 'v', SEAM_OPT_FLAG, NULL, "graph: list nodes and links too", &verbose},
    };
    struct seam_buf out = {0};
    enum owner owner = OWNER_NONE;
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 1);
    enum seam_status st;

    if (rc >= 0) return rc;
    if (page < 0 || page > UINT32_MAX || from < 0 || max < 1)
        return cli_usage(c, "--page, --from and --limit are counts");
    st = owner_of(c, args[0], &owner);
    if (st == SEAM_OK) switch (owner) {
        case OWNER_LOG:
            st = wal_dump(c->io, args[0], (uint64_t)from, (size_t)max, &out, &c->fault);
            break;
        case OWNER_HISTORIES: st = wal_history_dump(c->io, args[0], &out, &c->fault); break;
        case OWNER_ROWS: st = oltp_dump(c->io, args[0], (uint32_t)page, &out, &c->fault); break;
        case OWNER_COLUMNS: st = columnar_dump(c->io, args[0], &out, &c->fault); break;
        case OWNER_WORDS: st = invidx_dump(c->io, args[0], &out, &c->fault); break;
        case OWNER_GRAPH: st = hnsw_dump(c->io, args[0], verbose, &out, &c->fault); break;
        case OWNER_NONE:
            st = seam_fault_set(&c->fault, SEAM_UNSUPPORTED, args[0], SEAM_FAULT_NO_OFFSET,
                                "not a file of ours");
        }
    cli_print(&out);
    seam_buf_free(&out);
    return st == SEAM_OK ? EXIT_FINE : cli_fail(c, st);
}
