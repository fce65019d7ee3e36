/* lab_btree - one table of the row store, from an empty page to a tree and back. */
#include <inttypes.h>
#include <string.h>

#include "oltp/oltp.h"
#include "pipeline/lab/draw.h"
#include "pipeline/lab/scenarios.h"

/* Rows of about half a kilobyte: a page of 8 KiB is full after some fifteen. */
enum { ROW_BYTES = 500, TREE_PAGES = 64, PLAIN_KEYS = 150 };

static const char table_json[] = "{\"table\":\"notes\",\"version\":1,\"key\":[\"id\"],\"columns\":["
                                 "{\"name\":\"id\",\"type\":\"int64\"},"
                                 "{\"name\":\"text\",\"type\":\"text\"}]}";

struct lab_btree_world {
    struct lab *l;
    struct oltp *db;
    uint32_t table;
    seam_lsn_t before;
    unsigned splits, least_side; /* of leaves, while the keys were put */
};

static enum seam_status draw_tree(struct lab_btree_world *w, struct seam_fault *f)
{
    struct oltp_txn *t = NULL;
    enum seam_status st = oltp_read_begin(w->db, &t, f);

    if (st == SEAM_OK) st = oltp_dump_tree(t, w->table, 0, TREE_PAGES, &w->l->draw, f);
    oltp_end(t);
    lab_svg_tree(w->l);
    return st;
}

static enum seam_status tree_step(struct lab_btree_world *w, const char *title,
                                  struct seam_fault *f)
{
    enum seam_status st = draw_tree(w, f);

    return st == SEAM_OK ? lab_step(w->l, title, f) : st;
}

/* One row, one transaction. */
static enum seam_status put(struct lab_btree_world *w, int64_t id, struct seam_fault *f)
{
    char text[LAB_ROW_BYTES_MAX];
    const size_t n = w->l->in.row_bytes > 0 ? w->l->in.row_bytes : ROW_BYTES;
    struct seam_value row[2];
    struct oltp_txn *t = NULL;
    enum seam_status st = oltp_write_begin(w->db, &t, f);

    memset(text, 'a' + (int)((uint64_t)id % 26), sizeof text);
    row[0] = seam_v_int(id);
    row[1] = seam_v_text(text, n);
    if (st == SEAM_OK) st = oltp_put(t, w->table, row, f);
    if (st == SEAM_OK) return oltp_commit(t, OLTP_DURABLE, NULL, f);
    oltp_end(t);
    return st;
}

static enum seam_status del(struct lab_btree_world *w, int64_t from, int64_t to,
                            struct seam_fault *f)
{
    struct oltp_txn *t = NULL;
    enum seam_status st = oltp_write_begin(w->db, &t, f);

    for (int64_t id = from; st == SEAM_OK && id <= to; id++) {
        const struct seam_value key = seam_v_int(id);

        st = oltp_delete(t, w->table, &key, f);
        if (st == SEAM_NOT_FOUND) {
            seam_fault_clear(f);
            st = SEAM_OK;
        }
    }
    if (st == SEAM_OK) return oltp_commit(t, OLTP_DURABLE, NULL, f);
    oltp_end(t);
    return st;
}

static enum seam_status begin(struct lab_btree_world *w, struct seam_fault *f)
{
    struct oltp_options o = {.clock = &w->l->clock.clock,
                             .trace = w->l->trace,
                             .seed = w->l->in.seed,
                             .checkpoint_log_bytes = UINT64_MAX,
                             .cache_bytes = OLTP_CACHE_MIN,
                             .retain_checkpoints = 4};
    struct oltp_txn *t = NULL;
    enum seam_status st = oltp_open(w->l->io, "lab/oltp", &o, &w->db, f);

    if (st == SEAM_OK) st = oltp_write_begin(w->db, &t, f);
    if (st == SEAM_OK) {
        st = oltp_create_table_json(t, table_json, sizeof table_json - 1, &w->table, f);
        if (st == SEAM_OK)
            st = oltp_commit(t, OLTP_DURABLE, NULL, f);
        else
            oltp_end(t);
    }
    seam_buf_str(&w->l->story,
                 "A table with nothing in it has no page at all. Its name and columns are rows "
                 "themselves, in the "
                 "catalogue's own tree, so making a table was a transaction like any other.");
    return st == SEAM_OK ? tree_step(w, "An empty table", f) : st;
}

static const char *how_cut(int64_t left, int64_t right)
{
    if (right <= 2 && left > 4)
        return "Keys that arrive in order leave full pages behind: the split moves only the "
               "newcomer.";
    if (left <= 2 && right > 4)
        return "Keys that arrive from the end leave full pages behind as well: only the newcomer "
               "stays.";
    return "Keys that arrive in any order are cut near the middle.";
}

/* The leaves that the last put has split, among the events from `from` on. */
static void count_splits(struct lab_btree_world *w, size_t from)
{
    for (size_t i = from; i < seam_trace_log_count(w->l->log); i++) {
        const struct seam_trace_event *e = seam_trace_log_at(w->l->log, i);
        unsigned left = (unsigned)lab_arg(e, "left_keys"),
                 right = (unsigned)lab_arg(e, "right_keys");

        if (strcmp(e->name, "page_split") != 0 || lab_arg(e, "level") != 0) continue;
        w->splits++;
        if (left < w->least_side) w->least_side = left;
        if (right < w->least_side) w->least_side = right;
    }
}

static unsigned count_leaves(const char *tree)
{
    unsigned n = 0;

    for (const char *p = tree; (p = strstr(p, " leaf ")) != NULL; p++) n++;
    return n;
}

/* The keys, one transaction each; a step at the first split, when the root rises, and at the end.
 */
static enum seam_status grow(struct lab_btree_world *w, const int64_t *keys, size_t n,
                             struct seam_fault *f)
{
    static const char *const titles[] = {"The first page is full: it splits", "Another page splits",
                                         "And another"};
    size_t splits = 0;
    enum seam_status st = put(w, keys[0], f);

    seam_buf_printf(
        &w->l->story,
        "Key %" PRId64
        " is committed. The tree is one leaf. Keys are shown as bytes that sort as the values "
        "do: 02 says a number, then eight bytes with the sign flipped.",
        keys[0]);
    if (st == SEAM_OK) st = tree_step(w, "The first row", f);
    for (size_t i = 1; st == SEAM_OK && i < n; i++) {
        const struct seam_trace_event *e;
        size_t seen = seam_trace_log_count(w->l->log);

        st = put(w, keys[i], f);
        count_splits(w, seen);
        e = lab_event(w->l, "page_split", 0);
        if (st != SEAM_OK || e == NULL || splits >= SEAM_ARRAY_LEN(titles)) continue;
        seam_buf_printf(&w->l->story,
                        "Key %" PRId64 " did not fit. Page %" PRId64 " kept %" PRId64
                        " keys and page %" PRId64 " took %" PRId64 "; "
                        "a separator goes up. %s",
                        keys[i], lab_arg(e, "page"), lab_arg(e, "left_keys"), lab_arg(e, "new"),
                        lab_arg(e, "right_keys"),
                        how_cut(lab_arg(e, "left_keys"), lab_arg(e, "right_keys")));
        if (lab_event(w->l, "root_split", 0) != NULL)
            seam_buf_str(&w->l->story, " The root was that page, so a new root rises above both: a "
                                       "B+tree grows at the top.");
        st = tree_step(w, titles[splits++], f);
    }
    if (st != SEAM_OK) return st;
    seam_buf_printf(
        &w->l->story,
        "All %zu puts are done, each in a transaction of its own (a key that comes twice is "
        "replaced). Every leaf is equally far "
        "from the root.",
        n);
    st = draw_tree(w, f);
    lab_measured(w->l, "keys", (double)n);
    lab_measured(w->l, "leaf splits", w->splits);
    lab_measured(w->l, "fewest keys on a side", w->splits > 0 ? w->least_side : 0);
    lab_measured(w->l, "leaves", count_leaves(seam_buf_cstr(&w->l->draw)));
    return st == SEAM_OK ? lab_step(w->l, "The tree", f) : st;
}

/* What a checkpoint writes, and what copy-on-write means after it. */
static enum seam_status checkpoint(struct lab_btree_world *w, int64_t key, struct seam_fault *f)
{
    enum seam_status st = oltp_checkpoint(w->db, f);
    const struct seam_trace_event *e = lab_event(w->l, "checkpoint", 0);

    w->before = oltp_lsn(w->db);
    seam_buf_printf(
        &w->l->story,
        "Until now the page file held nothing: commits went to the log alone. The "
        "checkpoint wrote the changed "
        "pages and flipped a meta page to LSN %" PRId64
        "; recovery would replay the log after that and nothing "
        "before it. A leaf as it stands in the file: header, slots with four bytes of each "
        "key, cells.",
        lab_arg(e, "lsn"));
    for (uint32_t page = 2; st == SEAM_OK && page < 8; page++) {
        struct seam_buf one = {0};
        char *cut;

        st = oltp_dump(w->l->io, "lab/oltp/pages", page, &one, f);
        if (st == SEAM_OK && strstr(seam_buf_cstr(&one), "leaf") != NULL &&
            strstr(seam_buf_cstr(&one), "of table 1\n") != NULL) {
            cut = strchr((char *)one.data, '\n');
            for (int lines = 0; cut != NULL && lines < 12; lines++) cut = strchr(cut + 1, '\n');
            seam_buf_append(&w->l->draw, one.data,
                            cut != NULL ? (size_t)(cut - (char *)one.data) + 1 : one.size);
            page = 8;
        }
        seam_buf_free(&one);
    }
    if (st == SEAM_OK) st = lab_step(w->l, "A checkpoint", f);
    if (st == SEAM_OK) st = put(w, key, f);
    seam_buf_printf(&w->l->story,
                    "Key %" PRId64 " again. Its leaf belongs to the checkpoint, so it may not be "
                    "changed in place: it was copied, "
                    "and so was every page above it up to the root (page_copied). The pages of the "
                    "checkpoint still stand, "
                    "whole: that is what a reader, a backup or AS OF holds on to.",
                    key);
    return st == SEAM_OK ? tree_step(w, "After a checkpoint, a change copies its path", f) : st;
}

static enum seam_status shrink(struct lab_btree_world *w, const int64_t *keys, size_t n,
                               struct seam_fault *f)
{
    int64_t lo = keys[0], hi = keys[0];
    enum seam_status st;

    for (size_t i = 0; i < n; i++) {
        if (keys[i] < lo) lo = keys[i];
        if (keys[i] > hi) hi = keys[i];
    }
    if (hi - lo > 100000) hi = lo + 100000;
    st = del(w, lo + (hi - lo) / 8, hi, f);
    seam_buf_printf(&w->l->story,
                    "One transaction deletes every key from %" PRId64
                    " on. Pages that fall too low are joined with a neighbour "
                    "(page_merge), and a root left with a single child would give up its place.",
                    lo + (hi - lo) / 8);
    return st == SEAM_OK ? tree_step(w, "Deleting: pages merge", f) : st;
}

/* The same table, read as of the checkpoint's commit, by another handle. */
static enum seam_status look_back(struct lab_btree_world *w, struct seam_fault *f)
{
    struct oltp_options o = {.clock = &w->l->clock.clock,
                             .read_only = true,
                             .as_of = w->before,
                             .cache_bytes = OLTP_CACHE_MIN};
    struct oltp *then = NULL;
    struct oltp_txn *t = NULL;
    enum seam_status st = oltp_open(w->l->io, "lab/oltp", &o, &then, f);

    if (st == SEAM_OK) st = oltp_read_begin(then, &t, f);
    if (st == SEAM_OK) st = oltp_dump_tree(t, w->table, 0, TREE_PAGES, &w->l->draw, f);
    lab_svg_tree(w->l);
    oltp_end(t);
    oltp_close(then, NULL);
    seam_buf_printf(&w->l->story,
                    "A second handle opens the same folder AS OF LSN %" PRIu64
                    ": every deleted row is there. It reads the "
                    "checkpoint's pages, which nobody overwrote.",
                    w->before);
    return st == SEAM_OK ? lab_step(w->l, "As it was", f) : st;
}

enum seam_status lab_play_btree(struct lab *l, struct seam_fault *f)
{
    struct lab_btree_world w = {.l = l, .least_side = UINT32_MAX};
    int64_t plain[PLAIN_KEYS];
    const int64_t *keys = l->in.key_count > 0 ? l->in.keys : plain;
    size_t n = l->in.key_count > 0 ? l->in.key_count : PLAIN_KEYS;
    enum seam_status st;

    /* The first third in order, the rest scattered among them: both ways to split. */
    for (size_t i = 0; i < PLAIN_KEYS; i++)
        plain[i] = i < PLAIN_KEYS / 3 ? (int64_t)i * 10 : (int64_t)(i * 37 % 500);
    st = begin(&w, f);
    if (st == SEAM_OK) st = grow(&w, keys, n, f);
    if (st == SEAM_OK) st = checkpoint(&w, keys[0], f);
    if (st == SEAM_OK) st = shrink(&w, keys, n, f);
    if (st == SEAM_OK) st = look_back(&w, f);
    oltp_close(w.db, NULL);
    return st;
}
