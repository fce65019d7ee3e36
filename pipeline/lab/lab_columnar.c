/* lab_columnar - a warehouse table: encodings chosen, row groups pruned, versions by LSN,
 * compaction. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "columnar/columnar.h"
#include "columnar/sql/sql.h"
#include "engine/base/rng.h"
#include "pipeline/lab/draw.h"
#include "pipeline/lab/scenarios.h"

enum { ROWS = 16384, GROUP_ROWS = 4096, DAYS = ROWS / 100 + 1 };

static const char dir[] = "lab/warehouse";
static const char sales_json[] =
    "{\"table\":\"sales\",\"version\":1,\"key\":[\"id\"],\"columns\":[{\"name\":\"id\",\"type\":"
    "\"int64\"},"
    "{\"name\":\"day\",\"type\":\"timestamp\"},{\"name\":\"city\",\"type\":\"text\"},"
    "{\"name\":\"amount\",\"type\":\"decimal\",\"scale\":2},{\"name\":\"voucher\",\"type\":"
    "\"text\"},"
    "{\"name\":\"returned\",\"type\":\"bool\"}]}";

struct lab_columnar_world {
    struct lab *l;
    struct columnar_writer *w;
    struct columnar_reader *r;
    struct columnar_query_stats last; /* of the query asked last */
};

static enum seam_status put(struct lab_columnar_world *x, struct seam_rng *rng, int64_t id,
                            seam_lsn_t lsn, struct seam_fault *f)
{
    static const char *const cities[] = {"Braga", "Coimbra", "Faro", "Lisbon", "Porto"};
    char voucher[20];
    struct seam_value row[6];
    int64_t day = x->l->in.scatter ? (int64_t)seam_rng_below(rng, DAYS) : id / 100;

    snprintf(voucher, sizeof voucher, "%016" PRIx64, seam_rng_u64(rng));
    row[0] = seam_v_int(id);
    row[1] = seam_v_time(INT64_C(1735689600000000) + day * INT64_C(86400000000));
    row[2] = seam_v_str(cities[seam_rng_below(rng, 5)]);
    row[3] = seam_v_decimal((int64_t)seam_rng_below(rng, 100000), 2);
    row[4] = seam_v_str(voucher);
    row[5] = seam_v_bool(id % 1000 == 999);
    return columnar_upsert(x->w, 0, row, lsn, NULL, f);
}

/* What draw_files said of each chunk, as a grid: a column of the table each, a row group each,
 * filled by bits a value. */
static void svg_chunks(struct lab *l)
{
    enum { LEFT = 110, TOP = 40, CELL_W = 108, CELL_H = 34, COLUMNS = 7, BITS_FULL = 70 };
    static const char *const names[COLUMNS] = {"LSN",    "id",      "day",     "city",
                                               "amount", "voucher", "returned"};
    const char *text = seam_buf_cstr(&l->draw);
    struct seam_buf *b = &l->svg;
    unsigned group = 0, groups = 0;

    for (const char *p = text; (p = strstr(p, "\ngroup ")) != NULL; p++) groups++;
    paper_svg_begin(b, LEFT + COLUMNS * CELL_W + 10, TOP + groups * CELL_H + 10,
                    "Bits a value of each column in each row group, and the encoding chosen");
    for (int i = 0; i < COLUMNS; i++)
        paper_svg_words(b, "", LEFT + i * CELL_W + 4, TOP - 12, "%s", names[i]);
    paper_svg_words(b, "dim", 10, TOP - 12, "bits a value");
    for (const char *line = text; line != NULL && *line != '\0';
         line = strchr(line, '\n') != NULL ? strchr(line, '\n') + 1 : NULL) {
        const char *at = strstr(line, ") column "), *vectors = strstr(line, " vectors: ");
        const char *end = strchr(line, '\n');
        unsigned column;
        char kind[16] = "", how[16] = "";
        double bits, x, y;

        if (sscanf(line, "group %u:", &group) == 1)
            paper_svg_words(b, "", 10, TOP + group * CELL_H + 21, "group %u", group);
        if (at == NULL || vectors == NULL || (end != NULL && (at > end || vectors > end)) ||
            sscanf(at, ") column %u %*s %15[^:]: %lf", &column, kind, &bits) != 3 ||
            sscanf(vectors, " vectors: %*u %15[a-z]", how) != 1 || column >= COLUMNS)
            continue;
        x = LEFT + column * (double)CELL_W;
        y = TOP + group * (double)CELL_H;
        if (strncmp(kind, "text-", 5) == 0) snprintf(how, sizeof how, "%s", kind + 5);
        paper_svg_box(b, "fill", x, y, (CELL_W - 6) * (bits < BITS_FULL ? bits / BITS_FULL : 1),
                      CELL_H - 6);
        paper_svg_box(b, "box", x, y, CELL_W - 6, CELL_H - 6);
        paper_svg_words(b, "dim", x + 4, y + 19, "%.2f %s", bits, how);
    }
    paper_svg_end(b);
}

/* Which row groups the query read, by what it traced. */
static void svg_groups(struct lab *l, const struct columnar_query_stats *s)
{
    enum { LEFT = 10, WIDE = 120, HIGH = 40, STEP = 132, MOST = 6 };
    struct seam_buf *b = &l->svg;
    unsigned n = s->groups_total < MOST ? (unsigned)s->groups_total : MOST;

    paper_svg_begin(b, LEFT * 2 + n * STEP, HIGH + 20,
                    "Row groups: which were read and which skipped");
    for (unsigned g = 0; g < n; g++) {
        bool skipped = s->groups_read == 0;

        for (size_t i = 0; lab_event(l, "group_skipped", i) != NULL; i++)
            skipped = skipped || lab_arg(lab_event(l, "group_skipped", i), "group") == g;
        paper_svg_box(b, skipped ? "off" : "hot", LEFT + g * (double)STEP, 10, WIDE, HIGH);
        paper_svg_words(b, "", LEFT + g * (double)STEP + 8, 28, "group %u", g);
        paper_svg_words(b, "dim", LEFT + g * (double)STEP + 8, 44, skipped ? "skipped" : "read");
    }
    paper_svg_end(b);
}

/* Every file of the folder with the given ending, explained by the store. */
static enum seam_status draw_files(struct lab_columnar_world *x, const char *ending,
                                   struct seam_fault *f)
{
    struct seam_io_list names = {0};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = seam_io_list(x->l->io, dir, &names, f);

    for (size_t i = 0; st == SEAM_OK && i < names.count; i++) {
        size_t n = strlen(names.names[i]);

        if (n < strlen(ending) || strcmp(names.names[i] + n - strlen(ending), ending) != 0)
            continue;
        st = seam_path_join(path, dir, names.names[i], f);
        if (st == SEAM_OK) st = columnar_dump(x->l->io, path, &x->l->draw, f);
    }
    seam_io_list_free(&names);
    return st;
}

static void draw_table(struct lab_columnar_world *x)
{
    struct columnar_table_info info;

    columnar_table_info(x->r, 0, &info);
    seam_buf_printf(&x->l->draw,
                    "table sales: %" PRIu64 " rows live, %" PRIu64 " versions, %" PRIu64
                    " of them in the journal's tail; "
                    "%" PRIu64 " files, %" PRIu64 " row groups, applied LSN %" PRIu64 "\n",
                    info.rows, info.versions, info.tail_rows, info.files, info.row_groups,
                    columnar_applied(x->r));
}

static void to_draw(void *ctx, const char *s, size_t n)
{
    seam_buf_append(ctx, s, n);
}

/* The query, its answer, and what of the table it had to look at. */
static enum seam_status ask(struct lab_columnar_world *x, const char *text, struct seam_fault *f)
{
    const struct columnar_reader *readers[] = {x->r};
    const struct columnar_sql_env env = {.readers = readers, .reader_count = 1};
    const struct columnar_query_options opt = {.trace = x->l->trace, .clock = &x->l->clock.clock};
    struct columnar_query_stats s = {0};
    struct columnar_sql_query q;
    struct columnar_sql_printer *out = NULL;
    struct seam_arena arena = {0};
    enum seam_status st = columnar_sql_prepare(&env, text, strlen(text), &arena, &q, f);

    if (st == SEAM_OK)
        st = columnar_sql_printer_new(COLUMNAR_SQL_TABLE, q.columns, q.n_columns, 10, to_draw,
                                      &x->l->draw, &out, f);
    seam_buf_printf(&x->l->draw, "> %s\n", text);
    if (st == SEAM_OK) {
        enum seam_status finish;

        st = columnar_sql_run(&q, &opt, columnar_sql_printer_batch, out, &s, f);
        finish = columnar_sql_printer_finish(out, NULL, f);
        if (st == SEAM_OK) st = finish;
    }
    seam_buf_printf(&x->l->draw,
                    "read %" PRIu64 " of %" PRIu64 " row groups, %" PRIu64 " of %" PRIu64
                    " vectors, %" PRIu64 " of %" PRIu64 " bytes\n",
                    s.groups_read, s.groups_total, s.vectors_read, s.vectors_total, s.bytes_read,
                    s.bytes_total);
    x->last = s;
    seam_arena_free(&arena);
    return st;
}

static enum seam_status load(struct lab_columnar_world *x, struct seam_rng *rng,
                             struct seam_fault *f)
{
    struct columnar_options o = {.clock = &x->l->clock.clock,
                                 .trace = x->l->trace,
                                 .row_group_rows = GROUP_ROWS,
                                 .journal_rows_max = 1000};
    struct seam_schema s = {0};
    enum seam_status st = seam_schema_parse(sales_json, sizeof sales_json - 1, &s, f);

    if (st == SEAM_OK) st = columnar_open_writer(x->l->io, dir, &o, &x->w, f);
    if (st == SEAM_OK) st = columnar_define_table(x->w, &s, NULL, f);
    for (int64_t id = 0; st == SEAM_OK && id < ROWS; id++) st = put(x, rng, id, 100, f);
    if (st == SEAM_OK) st = columnar_publish(x->w, 100, seam_clock_wall_us(&x->l->clock.clock), f);
    seam_schema_free(&s);
    if (st == SEAM_OK) st = columnar_open_reader(x->l->io, dir, &o, &x->r, f);
    if (st == SEAM_OK) st = draw_files(x, ".col", f);
    svg_chunks(x->l);
    seam_buf_printf(
        &x->l->story,
        "%d rows were gathered in memory, column by column, and published at LSN 100 as one "
        "file. Each chunk (a column "
        "of a row group) tried its encodings and took the smallest: look at the days "
        "(sorted, few), the cities (a "
        "dictionary of five), the amounts (bit-packed) and the vouchers (random text, which "
        "nothing helps). Column 0 "
        "is the LSN itself: constant.",
        ROWS);
    return st == SEAM_OK ? lab_step(x->l, "Publishing: each chunk chooses its encoding", f) : st;
}

static enum seam_status own_query(struct lab_columnar_world *x, struct seam_fault *f)
{
    enum seam_status st = ask(x, x->l->in.sql, f);
    size_t skipped = 0;

    if (st != SEAM_OK) return st;
    while (lab_event(x->l, "group_skipped", skipped) != NULL) skipped++;
    lab_measured(x->l, "groups skipped", (double)skipped);
    svg_groups(x->l, &x->last);
    lab_measured(x->l, "groups", (double)x->last.groups_total);
    lab_measured(x->l, "groups read", (double)x->last.groups_read);
    lab_measured(x->l, "rows answered", (double)x->last.rows_out);
    seam_buf_printf(&x->l->story,
                    "Your query read %" PRIu64 " of %" PRIu64 " row groups and answered %" PRIu64
                    " row(s).",
                    x->last.groups_read, x->last.groups_total, x->last.rows_out);
    return lab_step(x->l, "Your query", f);
}

static enum seam_status queries(struct lab_columnar_world *x, struct seam_fault *f)
{
    enum seam_status st = ask(
        x,
        "SELECT city, count(*) AS n, sum(amount) AS total FROM sales GROUP BY city ORDER BY city",
        f);

    seam_buf_str(&x->l->story,
                 "Two columns are asked for, so two are read; the vouchers, most of the "
                 "file, are not touched.");
    svg_groups(x->l, &x->last);
    if (st == SEAM_OK) st = lab_step(x->l, "A query reads only its columns", f);
    if (st == SEAM_OK)
        st = ask(x,
                 "SELECT count(*) AS n, sum(amount) AS total FROM sales WHERE day >= '2025-05-20' "
                 "AND day < '2025-05-25'",
                 f);
    lab_measured(x->l, "groups read for the range of days", (double)x->last.groups_read);
    seam_buf_str(&x->l->story,
                 "Each row group, and each vector of 2,048 rows in it, keeps its least "
                 "and greatest value. Rows came by day, so a "
                 "range of days excludes most groups by their statistics alone "
                 "(group_skipped): they are not read at all.");
    svg_groups(x->l, &x->last);
    if (st == SEAM_OK) st = lab_step(x->l, "Pruning: groups that cannot match are not read", f);
    if (st == SEAM_OK) st = ask(x, "SELECT count(*) AS n FROM sales WHERE city = 'Aveiro'", f);
    seam_buf_str(&x->l->story,
                 "No such city. It sorts before every city there is, so the statistics "
                 "exclude every group: the answer is zero "
                 "without reading a value.");
    svg_groups(x->l, &x->last);
    if (st == SEAM_OK) st = lab_step(x->l, "An answer without reading", f);
    return st == SEAM_OK && x->l->in.sql != NULL ? own_query(x, f) : st;
}

static enum seam_status versions(struct lab_columnar_world *x, struct seam_rng *rng,
                                 struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (int64_t id = 0; st == SEAM_OK && id < 5; id++) st = put(x, rng, id, 200, f);
    if (st == SEAM_OK) st = columnar_publish(x->w, 200, seam_clock_wall_us(&x->l->clock.clock), f);
    if (st == SEAM_OK) st = columnar_refresh(x->r, NULL, f);
    if (st == SEAM_OK) draw_table(x);
    if (st == SEAM_OK) st = draw_files(x, ".log", f);
    seam_buf_str(&x->l->story,
                 "Five rows change at LSN 200. A publication this small is one record in "
                 "the journal and one sync: a few rows are "
                 "never worth a file. The old versions stay in their file, ended at 200.");
    if (st == SEAM_OK) st = lab_step(x->l, "A small change goes to the journal", f);
    if (st == SEAM_OK)
        st = ask(x, "SELECT id, city, amount, _begin_lsn FROM sales WHERE id < 3 ORDER BY id", f);
    if (st == SEAM_OK)
        st = ask(
            x,
            "SELECT id, city, amount, _begin_lsn FROM sales AS OF LSN 100 WHERE id < 3 ORDER BY id",
            f);
    seam_buf_str(&x->l->story,
                 "The same rows now, and AS OF LSN 100. A version is seen when begin <= "
                 "LSN < end, so time travel is exact to the "
                 "commit and needs no old files.");
    return st == SEAM_OK ? lab_step(x->l, "As of an LSN", f) : st;
}

static enum seam_status compact(struct lab_columnar_world *x, struct seam_fault *f)
{
    struct columnar_maintenance done;
    struct columnar_vacuum plan;
    enum seam_status st = columnar_vacuum(x->w, 200, false, true, &plan, f);

    seam_clock_sim_advance(&x->l->clock, 60 * INT64_C(1000000));
    if (st == SEAM_OK) st = columnar_compact(x->w, &done, f);
    if (st == SEAM_OK) st = columnar_refresh(x->r, NULL, f);
    if (st == SEAM_OK) draw_table(x);
    if (st == SEAM_OK) st = draw_files(x, ".col", f);
    svg_chunks(x->l);
    seam_buf_printf(
        &x->l->story,
        "The horizon moves to LSN 200: nobody may ask for less any more, so the five old versions "
        "are nobody's. "
        "Compaction wrote journal and file together again, sorted by key, and dropped %" PRIu64
        " versions.",
        done.versions_dropped);
    return st == SEAM_OK ? lab_step(x->l, "Vacuum and compaction", f) : st;
}

enum seam_status lab_play_columnar(struct lab *l, struct seam_fault *f)
{
    struct lab_columnar_world x = {.l = l};
    struct seam_rng rng;
    enum seam_status st;

    seam_rng_seed(&rng, l->in.seed);
    st = load(&x, &rng, f);
    if (st == SEAM_OK) st = queries(&x, f);
    if (st == SEAM_OK) st = versions(&x, &rng, f);
    if (st == SEAM_OK) st = compact(&x, f);
    columnar_close_reader(x.r);
    columnar_close_writer(x.w);
    return st;
}
