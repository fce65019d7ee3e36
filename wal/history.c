/* history - which futures this log has had: one entry an opening for writing (the picture: wal.h).
 *
 *   DIR/histories   written whole and synced by each opening, before it appends anything
 *   0           64          64+48*i
 *   +-----------+-----------+-----------+-- ... --+-----+
 *   | file head | entry 0   | entry 1   |         | crc |   file id = the log's; lsn = the last entry's; extra = entries
 *   +-----------+-----------+-----------+-- ... --+-----+   crc: crc32c of all entries
 *   entry  0 u64 id   8 u64 parent   16 u64 at   24 i64 wall us   32 u32 before   36 u32 why   40 zeros
 *
 * Ascending in `at`; each one's parent is the one before it. An opening that follows one which appended nothing takes its
 * place in the list (nobody can have seen a record of it), but never its id: a copy of the folder may be opened too. */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>

#include "engine/base/grow.h"
#include "engine/base/hash.h"
#include "engine/io/filehead.h"
#include "wal/internal.h"

enum {
    ENTRY_BYTES = 48,
    AT_ID = 0,
    AT_PARENT = 8,
    AT_AT = 16,
    AT_WALL = 24,
    AT_BEFORE = 32,
    AT_WHY = 36,
};

static const struct seam_filehead_format format = {
    .magic = "SEAMHIST",
    .version = 2,
    .name = "a list of histories",
    .way_out = "remove it while nothing is open: the log then begins a history without a parent"};

static enum seam_status path_of(char out[SEAM_PATH_MAX_BYTES], const char *dir,
                                struct seam_fault *f)
{
    return seam_path_join(out, dir, "histories", f);
}

static void encode(const struct wal_history *list, size_t count, uint64_t log_id,
                   struct seam_buf *out)
{
    const struct wal_history *last = &list[count - 1];
    struct seam_filehead head = {
        .owner.history = last->id, .file_id = log_id, .lsn = last->at, .extra = (uint32_t)count};
    uint8_t *p = seam_buf_extend(out, SEAM_FILEHEAD_BYTES + count * ENTRY_BYTES + 4);

    if (p == NULL) return;
    memset(p, 0, SEAM_FILEHEAD_BYTES + count * ENTRY_BYTES + 4);
    seam_filehead_encode(&format, &head, p);
    for (size_t i = 0; i < count; i++) {
        uint8_t *e = p + SEAM_FILEHEAD_BYTES + i * ENTRY_BYTES;

        seam_put_u64(e + AT_ID, list[i].id);
        seam_put_u64(e + AT_PARENT, list[i].parent);
        seam_put_u64(e + AT_AT, list[i].at);
        seam_put_u64(e + AT_WALL, (uint64_t)list[i].wall_us);
        seam_put_u32(e + AT_BEFORE, list[i].before);
        seam_put_u32(e + AT_WHY, list[i].why);
    }
    seam_put_u32(p + SEAM_FILEHEAD_BYTES + count * ENTRY_BYTES,
                 seam_crc32c(0, p + SEAM_FILEHEAD_BYTES, count * ENTRY_BYTES));
}

static enum seam_status decode(const struct seam_buf *b, const char *path, uint64_t log_id,
                               struct wal_history **out, size_t *count, struct seam_fault *f)
{
    struct seam_filehead head;
    struct seam_filehead_want want = {.file_id = &log_id};
    const uint8_t *e = b->data + SEAM_FILEHEAD_BYTES;
    size_t n;
    enum seam_status st = seam_filehead_decode(&format, b->data, b->size, path, 0, &head, f);

    if (st == SEAM_OK) st = seam_filehead_check(&format, &head, &want, path, f);
    if (st != SEAM_OK) return st;
    n = head.extra;
    if (n == 0 || n > WAL_HISTORIES_MAX || b->size != SEAM_FILEHEAD_BYTES + n * ENTRY_BYTES + 4 ||
        seam_get_u32(e + n * ENTRY_BYTES) != seam_crc32c(0, e, n * ENTRY_BYTES))
        return seam_fault_set(f, SEAM_CORRUPT, path, SEAM_FILEHEAD_BYTES,
                              "the list of histories is damaged: its checksum or size is wrong");
    *out = malloc(n * sizeof **out);
    if (*out == NULL) return seam_no_memory(f, "the list of histories");
    for (size_t i = 0; i < n; i++, e += ENTRY_BYTES)
        (*out)[i] = (struct wal_history){.id = seam_get_u64(e + AT_ID),
                                         .parent = seam_get_u64(e + AT_PARENT),
                                         .at = seam_get_u64(e + AT_AT),
                                         .wall_us = (int64_t)seam_get_u64(e + AT_WALL),
                                         .before = seam_get_u32(e + AT_BEFORE),
                                         .why = (enum wal_history_why)seam_get_u32(e + AT_WHY)};
    *count = n;
    return SEAM_OK;
}

static enum seam_status read_file(struct seam_io *io, const char *path, struct seam_buf *b,
                                  struct seam_fault *f)
{
    return seam_io_read_all(io, path, SEAM_FILEHEAD_BYTES + WAL_HISTORIES_MAX * ENTRY_BYTES + 4, b,
                            f);
}

static enum seam_status load(struct seam_io *io, const char *dir, uint64_t log_id,
                             struct wal_history **out, size_t *count, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_buf b = {0};
    enum seam_status st = path_of(path, dir, f);

    *out = NULL;
    *count = 0;
    if (st != SEAM_OK) return st;
    if (!seam_io_exists(io, path))
        return seam_fault_set(f, SEAM_NOT_FOUND, path, SEAM_FAULT_NO_OFFSET,
                              "there is no list of histories");
    st = read_file(io, path, &b, f);
    if (st == SEAM_OK) st = decode(&b, path, log_id, out, count, f);
    seam_buf_free(&b);
    return st;
}

enum seam_status wal_history_newest(struct seam_io *io, const char *dir, uint64_t log_id,
                                    uint64_t *id, struct seam_fault *f)
{
    struct wal_history *list = NULL;
    struct seam_fault why = {0};
    size_t count = 0;
    enum seam_status st = load(io, dir, log_id, &list, &count, &why);

    *id = count > 0 ? list[count - 1].id : 0;
    free(list);
    if (st == SEAM_NOT_FOUND) return SEAM_OK;
    if (st != SEAM_OK) seam_fault_give(f, &why);
    return st;
}

enum seam_status wal_histories(struct seam_io *io, const char *dir, struct wal_history **out,
                               size_t *count, struct seam_fault *f)
{
    struct wal_log_meta m;
    enum seam_status st = wal_meta_load(io, dir, &m, f);

    *out = NULL;
    *count = 0;
    return st == SEAM_OK ? load(io, dir, m.log_id, out, count, f) : st;
}

/* A number nobody else has. On a simulated disk it follows from the seed and the clock, so that a run can be repeated. */
uint64_t wal_id_new(struct wal *w, uint64_t salt)
{
    uint64_t id = 0;

    if (w->o.seed == 0 && w->o.io == seam_io_posix() && getrandom(&id, sizeof id, 0) == sizeof id)
        return id | 1;
    id = w->o.seed ^ (uint64_t)seam_clock_wall_us(w->o.clock);
    return seam_hash64_u64(id ^ salt * 0x9e3779b97f4a7c15ull) | 1;
}

/* The list is full: of its older half every second one goes, so that a position of a history that went is found to be
 * unknown, and not to be another's. The first one stays. */
static size_t thin_out(struct wal_history *list, size_t count)
{
    size_t kept = 1;

    for (size_t i = 1; i < count; i++)
        if (i >= count / 2 || i % 2 == 0) list[kept++] = list[i];
    return kept;
}

enum seam_status wal_history_begin(struct wal *w, const struct wal_recovered *rec, uint32_t before,
                                   struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct wal_history *list = NULL, next = {.id = w->history, .at = rec->end, .before = before};
    struct seam_fault why = {0};
    struct seam_buf b = {0};
    size_t count = 0, cap;
    enum seam_status st = load(w->o.io, w->dir, w->meta.log_id, &list, &count, &why);

    assert(w->history != 0);
    if (st != SEAM_OK && st != SEAM_NOT_FOUND) {
        seam_fault_give(f, &why);
        return st;
    }
    next.why = rec->created                                           ? WAL_HISTORY_CREATED
               : count == 0                                           ? WAL_HISTORY_UNKNOWN
               : rec->end < list[count - 1].at || rec->torn_bytes > 0 ? WAL_HISTORY_CUT
                                                                      : WAL_HISTORY_OPENED;
    next.wall_us = seam_clock_wall_us(w->o.clock);
    while (count > 0 && list[count - 1].at >= next.at) count--; /* nothing of them is left */
    if (count > 0) next.parent = list[count - 1].id;
    if (count == WAL_HISTORIES_MAX) count = thin_out(list, count);
    cap = count;
    st = seam_grow(&list, &cap, count + 1, sizeof *list)
             ? SEAM_OK
             : seam_no_memory(f, "the list of histories");
    if (st == SEAM_OK) {
        list[count++] = next;
        encode(list, count, w->meta.log_id, &b);
        st = seam_buf_check(&b, f, "the list of histories");
    }
    if (st == SEAM_OK) st = path_of(path, w->dir, f);
    if (st == SEAM_OK) st = seam_io_write_atomic(w->o.io, path, b.data, b.size, f);
    seam_buf_free(&b);
    free(list);
    return st;
}

const char *wal_history_why_name(enum wal_history_why why)
{
    static const char *const names[] = {"?", "created", "opened", "cut", "unknown before"};

    return (size_t)why < SEAM_ARRAY_LEN(names) ? names[why] : names[0];
}

enum seam_status wal_history_dump(struct seam_io *io, const char *path, struct seam_buf *out,
                                  struct seam_fault *f)
{
    struct wal_history *list = NULL;
    struct seam_buf b = {0};
    size_t count = 0;
    enum seam_status st = read_file(io, path, &b, f);

    if (st == SEAM_OK)
        st = decode(&b, path, b.size >= SEAM_FILEHEAD_BYTES ? seam_get_u64(b.data + 32) : 0, &list,
                    &count, f);
    if (st == SEAM_OK)
        seam_buf_printf(out, "histories of the log %016" PRIx64 ": version 2, %zu entries\n",
                        seam_get_u64(b.data + 32), count);
    for (size_t i = 0; i < count; i++)
        seam_buf_printf(out,
                        "  %5zu  %016" PRIx64 " from LSN %" PRIu64 ", parent %016" PRIx64
                        ", record before %08x, wall us %" PRId64 ", %s\n",
                        SEAM_FILEHEAD_BYTES + i * ENTRY_BYTES, list[i].id, list[i].at,
                        list[i].parent, list[i].before, list[i].wall_us,
                        wal_history_why_name(list[i].why));
    free(list);
    seam_buf_free(&b);
    return st == SEAM_OK && !seam_buf_ok(out) ? seam_no_memory(f, "the dump") : st;
}

uint64_t wal_history(const struct wal *w)
{
    return w->history;
}

enum wal_history_place wal_history_find(const struct wal_history *list, size_t count, uint64_t id,
                                        seam_lsn_t lsn, seam_lsn_t *parted)
{
    for (size_t i = count; i-- > 0;) {
        if (list[i].id != id) continue;
        *parted = i + 1 < count ? list[i + 1].at : SEAM_LSN_MAX;
        return lsn <= *parted ? WAL_HISTORY_HERE : WAL_HISTORY_PARTED;
    }
    *parted = count > 0 ? list[0].at : SEAM_LSN_NONE;
    return WAL_HISTORY_ELSEWHERE;
}

uint64_t wal_history_at(const struct wal_history *list, size_t count, seam_lsn_t lsn)
{
    for (size_t i = count; i-- > 0;)
        if (list[i].at < lsn) return list[i].id;
    return count > 0 ? list[0].id : 0;
}

bool wal_history_fork(const struct wal_history *a, size_t a_count, const struct wal_history *b,
                      size_t b_count, uint64_t *common, seam_lsn_t *at)
{
    for (size_t i = a_count; i-- > 0;)
        for (size_t k = b_count; k-- > 0;) {
            if (a[i].id != b[k].id) continue;
            *common = a[i].id;
            *at = SEAM_LSN_MAX;
            if (i + 1 < a_count) *at = a[i + 1].at;
            if (k + 1 < b_count && b[k + 1].at < *at) *at = b[k + 1].at;
            return true;
        }
    return false;
}
