/* lab_log - records, the sync they share, a power cut, a recovery, and what a slot holds back. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/lab/draw.h"
#include "pipeline/lab/scenarios.h"
#include "wal/change.h"
#include "wal/wal.h"

static const char dir[] = "lab/wal";

struct lab_log_world {
    struct lab *l;
    struct wal *w;
    unsigned records; /* that a reader was shown last */
};

static enum seam_status open_log(struct lab_log_world *x, struct wal_recovered *rec,
                                 struct seam_fault *f)
{
    struct wal_options o = {.io = x->l->io,
                            .clock = &x->l->clock.clock,
                            .trace = x->l->trace,
                            .segment_bytes = WAL_SEGMENT_MIN,
                            .no_gather = true,
                            .spare_segments = 1};

    return wal_open(dir, &o, &x->w, rec, f);
}

static enum seam_status append(struct lab_log_world *x, int64_t key, size_t padding,
                               struct wal_span *at, struct seam_fault *f)
{
    char text[64];
    struct seam_buf b = {0};
    struct seam_io_slice part;
    enum seam_status st;

    snprintf(text, sizeof text, "note %" PRId64, key);
    wal_change_put_mark(
        &b, &(struct wal_change_mark){.kind = 1, .text = {(const uint8_t *)text, strlen(text)}});
    while (b.size < padding)
        seam_buf_u8(&b, 0); /* only for the segment's turn: a record that is mostly room */
    part = (struct seam_io_slice){b.data, b.size};
    st = seam_buf_ok(&b) ? wal_append(x->w, WAL_CHANGE_MARK, &part, 1, at, f) : SEAM_NOMEM;
    seam_buf_free(&b);
    return st;
}

/* The log as a strip of bytes: how far it is durable, written and appended, and where its segments
 * begin. */
static void svg_strip(struct lab_log_world *x)
{
    enum { LEFT = 20, TOP = 30, HIGH = 34 };
    struct seam_buf *b = &x->l->svg;
    const seam_lsn_t oldest = wal_oldest_lsn(x->w), end = wal_end_lsn(x->w);
    const struct {
        const char *name, *class;
        seam_lsn_t at;
    } marks[] = {{"durable", "fill", wal_durable_lsn(x->w)},
                 {"written", "second", wal_written_lsn(x->w)},
                 {"appended, in memory only", "off", end}};
    const double scale = (SVG_WIDTH - 2.0 * LEFT) / (double)(end > oldest ? end - oldest : 1);
    seam_lsn_t from = oldest;
    double row = TOP + HIGH + 22;

    paper_svg_begin(b, SVG_WIDTH, row + 3 * SVG_ROW,
                    "The log's bytes from the oldest kept to the end");
    paper_svg_words(b, "dim", LEFT, TOP - 10, "LSN %" PRIu64, oldest);
    paper_svg_words(b, "dim", SVG_WIDTH - LEFT - 100, TOP - 10, "%12" PRIu64, end);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(marks); i++, row += SVG_ROW) {
        if (marks[i].at > from)
            paper_svg_box(b, marks[i].class, LEFT + (double)(from - oldest) * scale, TOP,
                          (double)(marks[i].at - from) * scale, HIGH);
        paper_svg_box(b, marks[i].class, LEFT, row - 11, 22, 12);
        if (marks[i].at > from)
            paper_svg_words(b, "", LEFT + 32, row, "%s: [%" PRIu64 ", %" PRIu64 ")", marks[i].name,
                            from, marks[i].at);
        else
            paper_svg_words(b, "dim", LEFT + 32, row, "%s: %s", marks[i].name,
                            i == 0 ? "nothing" : "nothing more");
        if (marks[i].at > from) from = marks[i].at;
    }
    for (seam_lsn_t seg = (oldest / WAL_SEGMENT_MIN + 1) * WAL_SEGMENT_MIN; seg < end;
         seg += WAL_SEGMENT_MIN)
        paper_svg_line(b, "path", LEFT + (double)(seg - oldest) * scale, TOP - 6,
                       LEFT + (double)(seg - oldest) * scale, TOP + HIGH + 6);
    paper_svg_box(b, "box", LEFT, TOP, SVG_WIDTH - 2.0 * LEFT, HIGH);
    paper_svg_end(b);
}

/* The positions, and every record a reader in another process would be shown. */
static enum seam_status draw(struct lab_log_world *x, struct seam_fault *f)
{
    struct seam_buf *b = &x->l->draw;
    struct wal_stats s;
    struct wal_reader *r = NULL;
    struct wal_record rec;
    enum seam_status st = wal_reader_open(x->l->io, dir, SEAM_LSN_NONE, 0, &r, f);
    unsigned shown = 0;

    svg_strip(x);
    wal_stats(x->w, &s);
    seam_buf_printf(b, "end      %8" PRIu64 "   appended: in memory\n", wal_end_lsn(x->w));
    seam_buf_printf(b, "written  %8" PRIu64 "   handed to the operating system\n",
                    wal_written_lsn(x->w));
    seam_buf_printf(b, "durable  %8" PRIu64 "   synced: may be acknowledged, shipped, shown\n",
                    wal_durable_lsn(x->w));
    seam_buf_printf(b, "oldest   %8" PRIu64 "   first record kept\n", wal_oldest_lsn(x->w));
    seam_buf_printf(b, "syncs %" PRIu64 ", records %" PRIu64 "\n", s.syncs, s.records);
    seam_buf_str(b, "a reader sees:\n");
    x->records = 0;
    while (st == SEAM_OK && (st = wal_reader_next(r, &rec, f)) == SEAM_OK && shown < 24) {
        x->records++;
        seam_buf_printf(b, "  [%6" PRIu64 ", %6" PRIu64 ")  ", rec.start, rec.end);
        if (rec.size > 256)
            seam_buf_printf(b, "a record of %zu bytes", rec.size);
        else
            wal_change_explain(rec.type, rec.data, rec.size, b);
        seam_buf_str(b, "\n");
        shown++;
    }
    if (shown == 0) seam_buf_str(b, "  nothing\n");
    wal_reader_close(r);
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status step(struct lab_log_world *x, const char *title, struct seam_fault *f)
{
    enum seam_status st = draw(x, f);

    return st == SEAM_OK ? lab_step(x->l, title, f) : st;
}

static enum seam_status first_records(struct lab_log_world *x, const int64_t *keys, size_t n,
                                      struct seam_fault *f)
{
    struct wal_span at = {0};
    enum seam_status st = open_log(x, NULL, f);

    seam_buf_str(&x->l->story,
                 "A log is a folder of segments. An LSN is a byte position in all of them "
                 "laid end to end; the first 64 bytes "
                 "are the segment's header.");
    if (st == SEAM_OK) st = step(x, "An empty log", f);
    for (size_t i = 0; st == SEAM_OK && i < n; i++) st = append(x, keys[i], 0, &at, f);
    seam_buf_printf(
        &x->l->story,
        "%zu record%s appended: copied into the log's buffer. Nothing is written, nothing "
        "is durable, and a reader "
        "is shown nothing: if the power went now, they had never been.",
        n, n == 1 ? " is" : "s are");
    if (st == SEAM_OK) st = step(x, "Appending", f);
    if (st == SEAM_OK) st = wal_commit(x->w, at.end, WAL_DURABLE, f);
    seam_buf_printf(&x->l->story,
                    "One commit waits for LSN %" PRIu64
                    ": one write, one sync, and everything before it is durable too. This "
                    "is the group commit: whoever comes first leads and syncs for all who wait.",
                    at.end);
    if (st == SEAM_OK) st = step(x, "A commit: one sync for all of them", f);
    if (st == SEAM_OK) st = append(x, 900, 0, &at, f);
    if (st == SEAM_OK) st = wal_commit(x->w, at.end, WAL_WRITTEN, f);
    seam_buf_str(
        &x->l->story,
        "The next commit asked for less: written, not synced. It would survive the death of the "
        "process, not of the "
        "machine. Readers are still not shown it: what a relay ships must never be taken back.");
    return st == SEAM_OK ? step(x, "Written is not durable", f) : st;
}

static enum seam_status bytes(struct lab_log_world *x, struct seam_fault *f)
{
    struct seam_buf all = {0};
    enum seam_status st = wal_dump(x->l->io, "lab/wal/0000000000000000.seg", 64, 2, &all, f);

    seam_buf_append(&x->l->draw, all.data, all.size);
    seam_buf_free(&all);
    seam_buf_str(
        &x->l->story,
        "The first records as bytes. The checksum is seeded with the record's own position, so "
        "an old record that a "
        "recycled segment still holds cannot pass for a new one. `back` is the distance to "
        "what was durable when "
        "the record was appended: after a crash it tells a torn tail from damage.");
    return st == SEAM_OK ? lab_step(x->l, "The bytes", f) : st;
}

/* Unsynced records, then no power. */
static enum seam_status power_cut(struct lab_log_world *x, struct seam_fault *f)
{
    struct wal_recovered rec = {0};
    struct wal_span at;
    seam_lsn_t durable = wal_durable_lsn(x->w);
    unsigned before = x->records + 1; /* a reader is not shown the one that was only written */
    enum seam_status st = SEAM_OK;

    for (int i = 0; st == SEAM_OK && i < 3; i++) st = append(x, 901 + i, 700, &at, f);
    if (st != SEAM_OK) return st;
    /* at 2 the write happens; the sync after it does not */
    seam_io_sim_plant(x->l->disk, SEAM_SIM_POWER_CUT, x->l->in.cut > 0 ? x->l->in.cut : 2, false);
    st = wal_commit(x->w, at.end, WAL_DURABLE, f);
    if (st == SEAM_OK)
        seam_buf_printf(&x->l->story,
                        "Three more records were committed, and then the power went. The commit "
                        "returned success, so all three must be there "
                        "whatever the disk does now. Durable is %" PRIu64 ".",
                        wal_durable_lsn(x->w));
    else
        seam_buf_printf(
            &x->l->story,
            "Three more records were being committed when the power went, between the write and "
            "the sync. The commit "
            "did not return success (%s), so nobody was promised anything. Durable stays %" PRIu64
            ".",
            seam_status_name(st), durable);
    seam_fault_clear(f);
    lab_measured(x->l, "commit said ok", st == SEAM_OK);
    seam_buf_printf(&x->l->draw, "the commit said: %s\n", seam_status_name(st));
    wal_close(x->w, NULL);
    x->w = NULL;
    st = lab_step(x->l, "The power is cut in the middle of a commit", f);
    seam_io_sim_reboot(x->l->disk);
    if (st == SEAM_OK) st = open_log(x, &rec, f);
    if (st != SEAM_OK) return st;
    seam_buf_printf(
        &x->l->story,
        "Reopened. Every record up to the durable LSN is there. Of the rest (the one that "
        "was only written too), what "
        "the disk happened to keep whole is kept, and %" PRIu64
        " bytes of torn tail were cut off. Appending goes on at %" PRIu64 ".",
        rec.torn_bytes, rec.end);
    st = draw(x, f);
    lab_measured(x->l, "records before the cut", before);
    lab_measured(x->l, "records after recovery", x->records);
    lab_measured(x->l, "torn bytes", (double)rec.torn_bytes);
    return st == SEAM_OK ? lab_step(x->l, "Recovery", f) : st;
}

/* A slot pins the log; trimming lets go of what nobody needs. */
static enum seam_status retention(struct lab_log_world *x, struct seam_fault *f)
{
    struct wal_slot *slot = NULL;
    struct wal_span at = {0};
    enum seam_status st = wal_slot_claim(x->l->io, &x->l->clock.clock, dir, "relay", SEAM_LSN_MAX,
                                         0, false, &slot, f);

    for (int i = 0; st == SEAM_OK && i < 4; i++) st = append(x, 1000 + i, 40000, &at, f);
    if (st == SEAM_OK) st = wal_flush(x->w, f);
    seam_buf_str(&x->l->story,
                 "Four large records fill segments of 64 KiB (segment_turn). A record "
                 "that does not fit what is left is split "
                 "in parts and joined again by the reader. Meanwhile a consumer claimed a "
                 "slot named relay, at the end as it "
                 "was.");
    if (st == SEAM_OK) st = step(x, "New segments, and a slot", f);
    if (st == SEAM_OK) st = wal_trim(x->w, at.end, NULL, f);
    seam_buf_str(&x->l->story,
                 "The owner needs nothing of all this any more and trims. But the slot "
                 "has confirmed nothing since, so the log "
                 "from there on is kept.");
    if (st == SEAM_OK) st = step(x, "Trim: the slot holds the log back", f);
    if (st == SEAM_OK) st = wal_slot_advance(slot, at.end, f);
    if (st == SEAM_OK) st = wal_trim(x->w, at.end, NULL, f);
    seam_buf_str(&x->l->story,
                 "The consumer confirms that it has everything. Whole segments before "
                 "that are let go (segment_released); one "
                 "is kept to be used again.");
    if (st == SEAM_OK) st = step(x, "The slot moves on, segments go", f);
    wal_slot_release(slot);
    return st;
}

enum seam_status lab_play_log(struct lab *l, struct seam_fault *f)
{
    static const int64_t plain[] = {1, 2, 3};
    struct lab_log_world x = {.l = l};
    const int64_t *keys = l->in.key_count > 0 ? l->in.keys : plain;
    size_t n = l->in.key_count > 0 ? l->in.key_count : SEAM_ARRAY_LEN(plain);
    enum seam_status st = first_records(&x, keys, n, f);

    if (st == SEAM_OK) st = bytes(&x, f);
    if (st == SEAM_OK) st = power_cut(&x, f);
    if (st == SEAM_OK) st = retention(&x, f);
    wal_close(x.w, NULL);
    return st;
}
