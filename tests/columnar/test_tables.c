/* Goal:   tables keep every version of every row: what was written is read, AS OF any LSN, by key and by
 *         scan, before and after journal, files, compaction and reopening.
 * Method: random appends, upserts and deletes against a list of versions held in memory.             */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/columnar.h"
#include "columnar/exec/query.h"
#include "columnar/table/state.h"
#include "engine/base/rng.h"
#include "tests/common/check_main.h"

enum { KEYS = 400, MODEL_MAX = 60000 };

static const char shop_json[] =
    "{\"table\":\"silver_products\",\"version\":1,\"key\":[\"id\"],\"columns\":["
    "{\"name\":\"id\",\"type\":\"int64\"},{\"name\":\"title\",\"type\":\"text\",\"nullable\":true},"
    "{\"name\":\"price\",\"type\":\"decimal\",\"scale\":4},"
    "{\"name\":\"weight\",\"type\":\"double\",\"nullable\":true},"
    "{\"name\":\"live\",\"type\":\"bool\"},{\"name\":\"at\",\"type\":\"timestamp\"}]}";

struct version {
    int64_t id, price, at;
    int title;
    bool title_null, weight_null, live;
    double weight;
    seam_lsn_t begin, end;
};
struct model {
    struct version v[MODEL_MAX];
    size_t n;
};

static void row_of(const struct version *v, struct seam_value out[6], char title[32])
{
    int n = snprintf(title, 32, "title %d of %d", v->title, (int)v->id);

    out[0] = seam_v_int(v->id);
    out[1] = v->title_null ? seam_v_null() : seam_v_text(title, (size_t)n);
    out[2] = seam_v_decimal(v->price, 4);
    out[3] = v->weight_null ? seam_v_null() : seam_v_double(v->weight);
    out[4] = seam_v_bool(v->live);
    out[5] = seam_v_time(v->at);
}

static void check_row(const struct version *want, const struct seam_value *got)
{
    struct seam_value v[6];
    char title[32];

    row_of(want, v, title);
    for (int c = 0; c < 6; c++)
        ck_assert_msg(seam_value_equal(&v[c], &got[c]), "column %d differs", c);
}

/* Nothing but what the room says about itself. */
static void check_folder(void)
{
    struct columnar_verified v;
    struct seam_buf report = {0};
    struct seam_fault f = {0};
    enum seam_status st = columnar_verify(seam_io_posix(), test_dir(), &v, &report, &f);

    ck_assert_msg(st == SEAM_OK, "%s", seam_buf_cstr(&report));
    seam_buf_free(&report);
}

struct seen {
    const struct model *m;
    seam_lsn_t lsn;
    size_t count;
};

static const struct version *visible(const struct model *m, int64_t id, seam_lsn_t lsn)
{
    for (size_t i = m->n; i-- > 0;)
        if (m->v[i].id == id && m->v[i].begin <= lsn && m->v[i].end > lsn) return &m->v[i];
    return NULL;
}

static enum seam_status see(void *ctx, const struct seam_value *values, seam_lsn_t begin,
                            seam_lsn_t end)
{
    struct seen *s = ctx;
    const struct version *want = visible(s->m, values[0].i, s->lsn);

    ck_assert_ptr_nonnull(want);
    check_row(want, values);
    ck_assert_uint_eq(want->begin, begin);
    (void)end;
    s->count++;
    return SEAM_OK;
}

static size_t count_visible(const struct model *m, seam_lsn_t lsn)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++) n += m->v[i].begin <= lsn && m->v[i].end > lsn;
    return n;
}

static void check_as_of(const struct columnar_reader *r, const struct model *m, seam_lsn_t lsn,
                        struct seam_rng *rng)
{
    struct seen s = {.m = m, .lsn = lsn};
    struct seam_fault f = {0};
    int t = columnar_table(r, "silver_products");

    ASSERT_OK(columnar_scan_rows(r, t, lsn, see, &s, &f), &f);
    ck_assert_uint_eq(s.count, count_visible(m, lsn));
    for (int i = 0; i < 20; i++) {
        struct seam_value key[6] = {0}, got[6];
        struct seam_buf text = {0};
        int64_t id = (int64_t)seam_rng_below(rng, KEYS);
        const struct version *want = visible(m, id, lsn);
        enum seam_status st;

        key[0] = seam_v_int(id);
        st = columnar_get(r, t, key, lsn, got, &text, &f);
        if (want == NULL) {
            ck_assert_int_eq(st, SEAM_NOT_FOUND);
        } else {
            ASSERT_OK(st, &f);
            check_row(want, got);
        }
        seam_buf_free(&text);
    }
}

static void change(struct columnar_writer *w, struct model *m, struct seam_rng *rng, seam_lsn_t lsn)
{
    struct version v = {
        .id = (int64_t)seam_rng_below(rng, KEYS), .begin = lsn, .end = SEAM_LSN_MAX};
    struct version *old = (struct version *)visible(m, v.id, lsn);
    struct seam_value row[6];
    struct seam_fault f = {0};
    char title[32];
    bool existed;

    v.title = (int)seam_rng_below(rng, 50);
    v.title_null = seam_rng_below(rng, 10) == 0;
    v.weight_null = seam_rng_below(rng, 3) == 0;
    v.weight = (double)seam_rng_range(rng, -1000, 1000) / 100;
    v.price = seam_rng_range(rng, -5000000, 5000000);
    v.live = seam_rng_below(rng, 2);
    v.at = seam_rng_range(rng, 0, 1000000000000000);
    row_of(&v, row, title);
    if (seam_rng_below(rng, 4) == 0) {
        ASSERT_OK(columnar_delete(w, 0, row, lsn, &existed, &f), &f);
    } else {
        ASSERT_OK(columnar_upsert(w, 0, row, lsn, &existed, &f), &f);
        m->v[m->n++] = v;
    }
    ck_assert_int_eq(existed, old != NULL);
    if (old != NULL) old->end = lsn;
}

static void test_keyed_table_reads_as_of_every_lsn(void)
{
    static struct model m;
    struct seam_clock_sim clock;
    struct columnar_options opt = {.journal_rows_max = 300,
                                   .row_group_rows = 2048,
                                   .clock = &clock.clock,
                                   .file_rows_max = 1500};
    struct columnar_maintenance done;
    struct columnar_writer *w = NULL;
    struct columnar_reader *r = NULL;
    struct seam_schema s = {0};
    struct seam_fault f = {0};
    struct seam_rng rng;
    seam_lsn_t lsn = 100;

    m.n = 0;
    seam_clock_sim_init(&clock, -100000000000);
    seam_rng_seed(&rng, test_seed());
    ASSERT_OK(seam_schema_parse(shop_json, strlen(shop_json), &s, &f), &f);
    ASSERT_OK(columnar_open_writer(seam_io_posix(), test_dir(), &opt, &w, &f), &f);
    ASSERT_OK(columnar_define_table(w, &s, NULL, &f), &f);
    ASSERT_OK(columnar_publish(w, lsn, 1000, &f), &f);
    ASSERT_OK(columnar_open_reader(seam_io_posix(), test_dir(), NULL, &r, &f), &f);
    for (int round = 0; round < test_scale(120); round++) {
        int n = (int)seam_rng_below(&rng, 40);

        for (int i = 0; i < n; i++) change(w, &m, &rng, lsn += seam_rng_below(&rng, 30) + 1);
        ASSERT_OK(columnar_publish(w, lsn, 1000 + round, &f), &f);
        if (seam_rng_below(&rng, 10) == 0) {
            columnar_close_writer(w);
            w = NULL;
            ASSERT_OK(columnar_open_writer(seam_io_posix(), test_dir(), &opt, &w, &f), &f);
            ck_assert_uint_eq(columnar_writer_applied(w), lsn);
        }
        seam_clock_sim_advance(
            &clock, seam_rng_below(&rng, 2) ? 400000 : 6000000); /* quiet, and longer quiet */
        if (seam_rng_below(&rng, 4) == 0) ASSERT_OK(columnar_maintain(w, &done, &f), &f);
        if (seam_rng_below(&rng, 25) == 0) ASSERT_OK(columnar_compact(w, &done, &f), &f);
        ASSERT_OK(columnar_refresh(r, NULL, &f), &f);
        ck_assert_uint_eq(columnar_applied(r), lsn);
        check_as_of(r, &m, lsn, &rng);
        check_as_of(r, &m, 100 + seam_rng_below(&rng, lsn - 99), &rng);
    }
    columnar_close_reader(r);
    columnar_close_writer(w);
    seam_schema_free(&s);
    check_folder();
}

/* ---- time travel ---- */

struct shop {
    struct columnar_writer *w;
    struct columnar_reader *r;
    struct seam_schema s;
    struct seam_clock_sim clock;
    struct model m;
    struct seam_rng rng;
    seam_lsn_t lsn;
};

static void shop_open(struct shop *x)
{
    struct columnar_options opt = {
        .clock = &x->clock.clock, .row_group_rows = 2048, .journal_rows_max = 500};
    struct seam_fault f = {0};

    memset(x, 0, sizeof *x);
    seam_clock_sim_init(&x->clock, 5000);
    seam_rng_seed(&x->rng, test_seed());
    x->lsn = 100;
    ASSERT_OK(seam_schema_parse(shop_json, strlen(shop_json), &x->s, &f), &f);
    ASSERT_OK(columnar_open_writer(seam_io_posix(), test_dir(), &opt, &x->w, &f), &f);
    ASSERT_OK(columnar_define_table(x->w, &x->s, NULL, &f), &f);
    ASSERT_OK(columnar_publish(x->w, x->lsn, 1000, &f), &f);
    ASSERT_OK(columnar_open_reader(seam_io_posix(), test_dir(), NULL, &x->r, &f), &f);
}

static void shop_round(struct shop *x, int changes)
{
    struct seam_fault f = {0};

    for (int i = 0; i < changes; i++) change(x->w, &x->m, &x->rng, x->lsn += 10);
    x->clock.wall_us += 1000;
    ASSERT_OK(columnar_publish(x->w, x->lsn, x->clock.wall_us, &f), &f);
    ASSERT_OK(columnar_refresh(x->r, NULL, &f), &f);
}

static void shop_close(struct shop *x)
{
    check_folder();
    columnar_close_reader(x->r);
    columnar_close_writer(x->w);
    seam_schema_free(&x->s);
}

static void test_vacuum_keeps_tags_and_refuses_pins(void)
{
    static struct shop x;
    struct columnar_maintenance done;
    struct columnar_vacuum plan;
    struct seam_fault f = {0};
    seam_lsn_t tagged, cut;

    shop_open(&x);
    for (int i = 0; i < 5; i++) shop_round(&x, 300);
    tagged = x.lsn;
    ASSERT_OK(columnar_tag(x.w, "month end", tagged, false, &f), &f);
    ASSERT_STATUS(columnar_tag(x.w, "month end", tagged, false, NULL), SEAM_EXISTS);
    for (int i = 0; i < 5; i++) shop_round(&x, 300);
    cut = x.lsn - 1000;
    ASSERT_STATUS(columnar_vacuum(x.w, cut, false, false, &plan, NULL), SEAM_CONFLICT);
    ASSERT_OK(columnar_tag(x.w, "audit", tagged + 500, true, &f), &f);
    ASSERT_STATUS(columnar_vacuum(x.w, cut, false, true, &plan, NULL), SEAM_CONFLICT);
    ASSERT_OK(columnar_untag(x.w, "audit", &f), &f);
    ASSERT_OK(columnar_vacuum(x.w, cut, true, true, &plan, &f), &f);
    ck_assert_uint_eq(plan.kept_tags, 1);
    ck_assert_uint_gt(plan.versions, 0);
    ASSERT_OK(columnar_vacuum(x.w, cut, false, true, &plan, &f), &f);
    ASSERT_OK(columnar_compact(x.w, &done, &f), &f);
    ck_assert_uint_eq(done.versions_dropped, plan.versions);
    ASSERT_OK(columnar_refresh(x.r, NULL, &f), &f);
    check_as_of(x.r, &x.m, x.lsn, &x.rng);
    check_as_of(x.r, &x.m, cut, &x.rng);
    check_as_of(x.r, &x.m, tagged, &x.rng);
    ASSERT_STATUS(columnar_scan_rows(x.r, 0, cut - 10, see, NULL, NULL), SEAM_NOT_FOUND);
    shop_close(&x);
}

static void test_rollback_then_replay_is_the_same(void)
{
    static struct shop x;
    struct seam_fault f = {0};
    struct seam_rng at_mark;
    size_t versions;
    seam_lsn_t mark;

    shop_open(&x);
    for (int i = 0; i < 4; i++) shop_round(&x, 300);
    mark = x.lsn;
    versions = x.m.n;
    at_mark = x.rng;
    for (int i = 0; i < 4; i++) shop_round(&x, 300);
    ASSERT_OK(columnar_rollback(x.w, mark, &f), &f);
    ck_assert_uint_eq(columnar_writer_applied(x.w), mark);
    ASSERT_OK(columnar_refresh(x.r, NULL, &f), &f);
    ck_assert_uint_eq(columnar_applied(x.r), mark);
    x.m.n = versions;
    for (size_t i = 0; i < x.m.n; i++)
        if (x.m.v[i].end != SEAM_LSN_MAX && x.m.v[i].end > mark) x.m.v[i].end = SEAM_LSN_MAX;
    x.lsn = mark;
    check_as_of(x.r, &x.m, mark, &x.rng);
    x.rng = at_mark;
    for (int i = 0; i < 4; i++) shop_round(&x, 300);
    check_as_of(x.r, &x.m, x.lsn, &x.rng);
    check_as_of(x.r, &x.m, mark - 300, &x.rng);
    shop_close(&x);
}

struct diff_seen {
    const struct model *m;
    seam_lsn_t a, b;
    size_t i, u, d;
    seam_lsn_t last;
};

static enum seam_status see_net(void *ctx, const struct columnar_change *c)
{
    struct diff_seen *s = ctx;
    const struct seam_value *row = c->op == 'd' ? c->before : c->after;
    const struct version *a = visible(s->m, row[0].i, s->a), *b = visible(s->m, row[0].i, s->b);

    ck_assert_uint_ge(c->lsn, s->last);
    s->last = c->lsn;
    if (c->op == 'i') s->i++, ck_assert(a == NULL && b != NULL);
    if (c->op == 'u') s->u++, ck_assert(a != NULL && b != NULL && a != b);
    if (c->op == 'd') s->d++, ck_assert(a != NULL && b == NULL);
    if (c->before != NULL) check_row(a, c->before);
    if (c->after != NULL) check_row(b, c->after);
    return SEAM_OK;
}

static enum seam_status see_all(void *ctx, const struct columnar_change *c)
{
    struct diff_seen *s = ctx;

    ck_assert(c->lsn > s->a && c->lsn <= s->b && c->lsn >= s->last);
    s->last = c->lsn;
    if (c->op == 'i') s->i++;
    if (c->op == 'u') s->u++;
    if (c->op == 'd') s->d++;
    if (c->before != NULL) check_row(visible(s->m, c->before[0].i, c->lsn - 1), c->before);
    if (c->after != NULL) check_row(visible(s->m, c->after[0].i, c->lsn), c->after);
    return SEAM_OK;
}

static void test_diff_tells_net_and_every_change(void)
{
    static struct shop x;
    struct diff_seen net, all;
    size_t begun = 0, ended = 0, moved = 0;
    struct seam_fault f = {0};

    shop_open(&x);
    for (int i = 0; i < 3; i++) shop_round(&x, 300);
    net = all = (struct diff_seen){.m = &x.m, .a = x.lsn - 1555, .b = x.lsn - 505};
    ASSERT_OK(columnar_diff(x.r, 0, net.a, net.b, COLUMNAR_DIFF_NET, see_net, &net, &f), &f);
    ASSERT_OK(columnar_diff(x.r, 0, all.a, all.b, COLUMNAR_DIFF_ALL, see_all, &all, &f), &f);
    for (size_t i = 0; i < x.m.n; i++) {
        begun += x.m.v[i].begin > all.a && x.m.v[i].begin <= all.b;
        ended += x.m.v[i].end > all.a && x.m.v[i].end <= all.b;
    }
    ck_assert_uint_eq(all.i + all.u, begun);
    ck_assert_uint_eq(all.d + all.u, ended);
    for (int64_t id = 0; id < KEYS; id++)
        moved += visible(&x.m, id, net.a) != visible(&x.m, id, net.b);
    ck_assert_uint_eq(net.i + net.u + net.d, moved);
    shop_close(&x);
}

static void test_resolve_names_what_can_be_read(void)
{
    static struct shop x;
    const struct columnar_snapshot *snaps;
    struct columnar_as_of at = {.kind = COLUMNAR_AS_OF_TIME};
    struct seam_fault f = {0};
    seam_lsn_t lsn;
    size_t n;

    shop_open(&x);
    for (int i = 0; i < 3; i++) shop_round(&x, 10);
    n = columnar_snapshots(x.r, &snaps);
    ck_assert_uint_eq(n, 4);
    at.wall_us = snaps[2].wall_us + 1;
    ASSERT_OK(columnar_resolve(x.r, &at, &lsn, &f), &f);
    ck_assert_uint_eq(lsn, snaps[2].lsn);
    at = (struct columnar_as_of){.kind = COLUMNAR_AS_OF_SNAPSHOT, .number = snaps[1].id};
    ASSERT_OK(columnar_resolve(x.r, &at, &lsn, &f), &f);
    ck_assert_uint_eq(lsn, snaps[1].lsn);
    at = (struct columnar_as_of){.kind = COLUMNAR_AS_OF_TIME, .wall_us = 1};
    ASSERT_STATUS(columnar_resolve(x.r, &at, &lsn, &f), SEAM_NOT_FOUND);
    at = (struct columnar_as_of){.kind = COLUMNAR_AS_OF_LSN, .number = x.lsn + 1};
    ASSERT_STATUS(columnar_resolve(x.r, &at, &lsn, NULL), SEAM_NOT_FOUND);
    ASSERT_STATUS(columnar_open_writer(seam_io_posix(), test_dir(), NULL, &x.w, NULL),
                  SEAM_CONFLICT);
    shop_close(&x);
}

static const char pair_json[] =
    "{\"table\":\"t\",\"version\":1,\"key\":[\"k\"],\"columns\":[{\"name\":\"k\",\"type\":"
    "\"int64\"},{\"name\":\"v\",\"type\":\"int64\"}]}";

static struct columnar_writer *pair_open(const struct columnar_options *opt)
{
    struct columnar_writer *w = NULL;
    struct seam_schema s = {0};
    struct seam_fault f = {0};

    ASSERT_OK(seam_schema_parse(pair_json, strlen(pair_json), &s, &f), &f);
    ASSERT_OK(columnar_open_writer(seam_io_posix(), test_dir(), opt, &w, &f), &f);
    ASSERT_OK(columnar_define_table(w, &s, NULL, &f), &f);
    seam_schema_free(&s);
    return w;
}

static void pair_put(struct columnar_writer *w, int64_t k, int64_t v, seam_lsn_t lsn, int64_t wall)
{
    struct seam_value values[] = {seam_v_int(k), seam_v_int(v)};
    struct seam_fault f = {0};

    if (columnar_upsert(w, 0, values, lsn, NULL, &f) != SEAM_OK ||
        columnar_publish(w, lsn, wall, &f) != SEAM_OK)
        ck_abort_msg("LSN %llu: %s", (unsigned long long)lsn, f.why);
}

static int64_t pair_get(const struct columnar_reader *r, int64_t k, seam_lsn_t lsn)
{
    struct seam_value key[] = {seam_v_int(k), seam_v_null()}, values[2];
    struct seam_buf text = {0};
    struct seam_fault f = {0};

    ASSERT_OK(columnar_get(r, 0, key, lsn, values, &text, &f), &f);
    seam_buf_free(&text);
    return values[1].i;
}

/* More publications than one journal's rows: each second is answered as it was, each number is found. */
static void test_as_of_is_exact_over_many_publications(void)
{
    enum { MANY = 70000, SECOND = 1000000 };
    const int64_t began = 1800000000000000;
    struct columnar_options opt = {.no_sync = true, .history_us = UINT64_C(1) << 60};
    struct columnar_writer *w = pair_open(&opt);
    struct columnar_reader *r = NULL;
    struct seam_fault f = {0};
    seam_lsn_t lsn;

    for (int i = 1; i <= MANY; i++) pair_put(w, 1, i, (seam_lsn_t)i, began + (int64_t)i * SECOND);
    ASSERT_OK(columnar_open_reader(seam_io_posix(), test_dir(), NULL, &r, &f), &f);
    for (int i = 1; i <= MANY; i += 13) {
        struct columnar_as_of at = {.kind = COLUMNAR_AS_OF_TIME,
                                    .wall_us = began + (int64_t)i * SECOND + SECOND / 2};

        if (columnar_resolve(r, &at, &lsn, &f) != SEAM_OK || lsn != (seam_lsn_t)i)
            ck_abort_msg("AS OF TIME of publication %d is LSN %llu", i, (unsigned long long)lsn);
        at = (struct columnar_as_of){.kind = COLUMNAR_AS_OF_SNAPSHOT, .number = (uint64_t)i};
        if (columnar_resolve(r, &at, &lsn, &f) != SEAM_OK || lsn != (seam_lsn_t)i)
            ck_abort_msg("AS OF SNAPSHOT %d is LSN %llu", i, (unsigned long long)lsn);
    }
    ck_assert_int_eq(pair_get(r, 1, 3), 3);
    columnar_close_reader(r);
    columnar_close_writer(w);
}

/* Past what is kept, the oldest go and nothing between: older moments are refused, the others stay exact. */
static void test_publications_are_forgotten_from_the_oldest(void)
{
    struct columnar_state s = {0};
    size_t n = (size_t)SNAPSHOTS_MAX + 1000;

    for (size_t i = 1; i <= n; i++)
        if (columnar_state_add_snapshot(&s, i, i, (int64_t)i) != SEAM_OK) ck_abort_msg("no memory");
    ck_assert_uint_le(s.snapshot_count, SNAPSHOTS_MAX);
    ck_assert_uint_ge(s.snapshot_count, SNAPSHOTS_MAX / 8 * 7);
    for (size_t i = 0; i < s.snapshot_count; i++)
        if (s.snapshots[i].id != n - s.snapshot_count + 1 + i) ck_abort_msg("a gap at %zu", i);
    columnar_state_free(&s);
}

/* A version that ends right after the horizon is seen AS OF the horizon itself. */
static void test_the_horizon_itself_can_be_read(void)
{
    enum { LAST = 24 };
    struct columnar_options opt = {.no_sync = true, .history_us = UINT64_C(1) << 60};
    struct columnar_writer *w = pair_open(&opt);

    for (int i = 1; i <= LAST; i++) {
        struct seam_value slow[] = {seam_v_int(2), seam_v_int(i)};

        if (i % 3 == 0) ASSERT_OK(columnar_upsert(w, 0, slow, (seam_lsn_t)i, NULL, NULL), NULL);
        pair_put(w, 1, i, (seam_lsn_t)i, i);
    }
    for (seam_lsn_t horizon = 3; horizon <= LAST; horizon++) {
        struct columnar_vacuum plan;
        struct columnar_maintenance done;
        struct columnar_reader *r = NULL;
        struct seam_fault f = {0};

        ASSERT_OK(columnar_vacuum(w, horizon, false, true, &plan, &f), &f);
        ASSERT_OK(columnar_compact(w, &done, &f), &f);
        ASSERT_OK(columnar_open_reader(seam_io_posix(), test_dir(), NULL, &r, &f), &f);
        for (seam_lsn_t at = columnar_history_from(r); at <= LAST; at++) {
            ck_assert_int_eq(pair_get(r, 1, at), (int64_t)at);
            ck_assert_int_eq(pair_get(r, 2, at), (int64_t)(at / 3 * 3));
        }
        columnar_close_reader(r);
    }
    columnar_close_writer(w);
}

static void folder_size(size_t *files, uint64_t *bytes)
{
    struct seam_io_list names = {0};
    struct seam_fault f = {0};

    *files = 0;
    *bytes = 0;
    ASSERT_OK(seam_io_list(seam_io_posix(), test_dir(), &names, &f), &f);
    for (size_t i = 0; i < names.count; i++) {
        char path[SEAM_PATH_MAX_BYTES];
        struct seam_file *file = NULL;
        uint64_t size = 0;

        ASSERT_OK(seam_path_join(path, test_dir(), names.names[i], &f), &f);
        if (seam_file_open(seam_io_posix(), path, SEAM_FILE_READ, &file, NULL) != SEAM_OK) continue;
        ASSERT_OK(seam_file_size(file, &size, &f), &f);
        seam_file_close(file);
        *files += 1;
        *bytes += size;
    }
    seam_io_list_free(&names);
}

/* Commits that never leave maintenance a quiet moment: files and bytes stay as they are, whatever time passes. */
static void test_steady_commits_do_not_grow_the_folder(void)
{
    enum { WARM = 3000, SOAK = 12000, SOAK_KEYS = 2000, TABLES = 3 };
    static int64_t newest[TABLES][SOAK_KEYS];
    struct seam_clock_sim clock;
    struct columnar_options opt = {
        .no_sync = true, .journal_rows_max = 300, .history_us = 20000000, .clock = &clock.clock};
    struct columnar_writer *w;
    struct columnar_reader *r = NULL;
    struct seam_fault f = {0};
    struct seam_rng rng;
    size_t files = 0, most_files = 0;
    uint64_t bytes = 0, most_bytes = 0;

    seam_rng_seed(&rng, test_seed());
    seam_clock_sim_init(&clock, 1800000000000000);
    w = pair_open(&opt);
    for (int t = 1; t < TABLES; t++) {
        struct seam_schema s = {0};

        ASSERT_OK(seam_schema_parse(pair_json, strlen(pair_json), &s, &f), &f);
        snprintf(s.name, sizeof s.name, "t%d", t);
        ASSERT_OK(columnar_define_table(w, &s, NULL, &f), &f);
        seam_schema_free(&s);
    }
    for (int i = 1; i <= WARM + SOAK; i++) {
        struct columnar_maintenance done;

        for (int k = 0; k < 8; k++) {
            int t = (int)seam_rng_below(&rng, TABLES);
            int64_t key = (int64_t)seam_rng_below(&rng, SOAK_KEYS);
            struct seam_value v[] = {seam_v_int(key), seam_v_int(i)};

            if (columnar_upsert(w, t, v, (seam_lsn_t)i, NULL, &f) != SEAM_OK)
                ck_abort_msg("%s", f.why);
            newest[t][key] = i;
        }
        if (columnar_publish(w, (seam_lsn_t)i, clock.wall_us, &f) != SEAM_OK ||
            columnar_maintain(w, &done, &f) != SEAM_OK)
            ck_abort_msg("%s", f.why);
        seam_clock_sim_advance(&clock, 50000);
        if (i % 100 != 0) continue;
        folder_size(&files, &bytes);
        if (i <= WARM && files > most_files) most_files = files;
        if (i <= WARM && bytes > most_bytes) most_bytes = bytes;
        if (i > WARM && (files > most_files * 3 / 2 || bytes > most_bytes * 3 / 2))
            ck_abort_msg("commit %d: %zu files of %llu bytes, at most %zu of %llu before", i, files,
                         (unsigned long long)bytes, most_files, (unsigned long long)most_bytes);
    }
    ck_assert_uint_lt(files, 120);
    ASSERT_OK(columnar_open_reader(seam_io_posix(), test_dir(), NULL, &r, &f), &f);
    for (int t = 0; t < TABLES; t++)
        for (int64_t key = 0; key < SOAK_KEYS; key += 37) {
            struct seam_value k[] = {seam_v_int(key), seam_v_null()}, values[2];
            struct seam_buf text = {0};

            if (newest[t][key] == 0) continue;
            ASSERT_OK(columnar_get(r, t, k, SEAM_LSN_MAX, values, &text, &f), &f);
            ck_assert_int_eq(values[1].i, newest[t][key]);
            seam_buf_free(&text);
        }
    columnar_close_reader(r);
    columnar_close_writer(w);
    check_folder();
}

struct life {
    const struct model *m;
    seam_lsn_t from, to;
    size_t count;
};

static enum seam_status see_life(void *ctx, const struct seam_value *values, seam_lsn_t begin,
                                 seam_lsn_t end)
{
    struct life *l = ctx;

    for (size_t i = 0; i < l->m->n; i++) {
        const struct version *v = &l->m->v[i];

        if (v->begin != begin) continue;
        ck_assert(v->begin <= l->to && v->end > l->from);
        ck_assert_uint_eq(v->end, end);
        check_row(v, values);
        l->count++;
        return SEAM_OK;
    }
    ck_abort_msg("a version that nobody wrote");
    return SEAM_CORRUPT;
}

static enum seam_status count_rows(void *ctx, const struct columnar_batch *b, struct seam_fault *f)
{
    (void)f;
    *(size_t *)ctx += b->rows;
    return SEAM_OK;
}

/* Every version of every row is there to be read, with both its LSNs; the way by rows and the way by plan agree. */
static void test_versions_are_scanned_with_their_lives(void)
{
    static struct shop x;
    static const int columns[] = {0, COLUMNAR_PLAN_COLUMN_BEGIN, COLUMNAR_PLAN_COLUMN_END};
    struct columnar_query_options o = {.threads = 1};
    struct seam_fault f = {0};

    shop_open(&x);
    for (int i = 0; i < 6; i++) shop_round(&x, 200);
    ck_assert_uint_le(columnar_history_from(x.r), 100);
    for (int i = 0; i < 10; i++) {
        seam_lsn_t from = 100 + (seam_lsn_t)seam_rng_below(&x.rng, x.lsn - 100),
                   to = from + (seam_lsn_t)seam_rng_below(&x.rng, x.lsn - from + 1);
        struct life l = {.m = &x.m, .from = from, .to = to};
        struct seam_arena a = {0};
        const struct columnar_plan *p = NULL;
        size_t want = 0, planned = 0;

        for (size_t v = 0; v < x.m.n; v++) want += x.m.v[v].begin <= to && x.m.v[v].end > from;
        ASSERT_OK(columnar_scan_versions(x.r, 0, from, to, see_life, &l, &f), &f);
        ck_assert_uint_eq(l.count, want);
        ASSERT_OK(columnar_plan_scan_versions(&a, x.r, 0, columns, SEAM_ARRAY_LEN(columns), from,
                                              to, &p, &f),
                  &f);
        ASSERT_OK(columnar_query_run(p, &o, count_rows, &planned, NULL, &f), &f);
        ck_assert_uint_eq(planned, want);
        seam_arena_free(&a);
        l.count = want = 0;
        for (size_t v = 0; v < x.m.n; v++) {
            const struct version *k = &x.m.v[v];

            want += (k->begin > from && k->begin <= to) || (k->end > from && k->end <= to);
        }
        ASSERT_OK(columnar_scan_changes(x.r, 0, from, to, see_life, &l, &f), &f);
        ck_assert_uint_eq(l.count, want);
    }
    shop_close(&x);
}

static void test_truncated_table_is_empty_from_then_on(void)
{
    static struct shop x;
    const struct columnar_tag_info *tags;
    struct seam_fault f = {0};
    seam_lsn_t before;

    shop_open(&x);
    for (int i = 0; i < 3; i++) shop_round(&x, 400); /* files, journal and tail */
    before = x.lsn;
    ASSERT_OK(columnar_tag(x.w, "before", before, false, &f), &f);
    for (int i = 0; i < 5; i++) change(x.w, &x.m, &x.rng, x.lsn += 10);
    x.lsn += 10;
    ASSERT_OK(columnar_truncate(x.w, 0, x.lsn, &f), &f);
    for (size_t i = 0; i < x.m.n; i++)
        if (x.m.v[i].end == SEAM_LSN_MAX) x.m.v[i].end = x.lsn;
    shop_round(&x, 50); /* keys that lived before may come again */
    check_as_of(x.r, &x.m, x.lsn, &x.rng);
    check_as_of(x.r, &x.m, before, &x.rng);
    ck_assert_uint_eq(columnar_tags(x.r, &tags), 1);
    ck_assert_str_eq(tags[0].name, "before");
    ck_assert_uint_eq(tags[0].lsn, before);
    shop_close(&x);
}

/* Rows given as columns are the same rows: read, found by key for the next upsert, refused when null. */
static void test_rows_may_come_as_columns(void)
{
    enum { ROWS = 3000 };
    static struct shop x;
    static int64_t ids[ROWS], price[ROWS], live[ROWS], at[ROWS];
    static double weight[ROWS];
    static uint64_t ends[ROWS], nulls[ROWS / 64 + 1];
    static char text[ROWS * 32];
    struct columnar_column c[6] = {{.ints = ids},   {.text = text, .ends = ends, .nulls = nulls},
                                   {.ints = price}, {.doubles = weight},
                                   {.ints = live},  {.ints = at}};
    struct seam_fault f = {0};
    size_t used = 0;

    shop_open(&x);
    x.lsn += 10;
    for (int i = 0; i < ROWS; i++) {
        struct version v = {.id = i,
                            .price = i * 7,
                            .at = i * 11,
                            .title = i % 50,
                            .title_null = i % 9 == 0,
                            .live = i % 2,
                            .weight = i / 8.0,
                            .begin = x.lsn,
                            .end = SEAM_LSN_MAX};
        struct seam_value row[6];
        char title[32];

        row_of(&v, row, title);
        ids[i] = v.id;
        price[i] = v.price;
        live[i] = v.live;
        at[i] = v.at;
        weight[i] = v.weight;
        if (v.title_null)
            nulls[i / 64] |= UINT64_C(1) << (i % 64);
        else
            used += (size_t)snprintf(text + used, 32, "%s", title);
        ends[i] = used;
        x.m.v[x.m.n++] = v;
    }
    c[2].nulls = nulls;
    ASSERT_STATUS(columnar_append_columns(x.w, 0, c, ROWS, x.lsn, NULL), SEAM_INVALID);
    c[2].nulls = NULL;
    ASSERT_OK(columnar_append_columns(x.w, 0, c, ROWS, x.lsn, &f), &f);
    shop_round(&x, 300);
    check_as_of(x.r, &x.m, x.lsn, &x.rng);
    shop_close(&x);
}

static void test_csv_loads_rows_and_names_the_bad_line(void)
{
    static const char json[] = "{\"table\":\"bronze\",\"version\":1,\"key\":[],\"columns\":[{"
                               "\"name\":\"id\",\"type\":\"int64\"},"
                               "{\"name\":\"name\",\"type\":\"text\"},{\"name\":\"price\",\"type\":"
                               "\"decimal\",\"scale\":2,\"nullable\":true},"
                               "{\"name\":\"day\",\"type\":\"timestamp\",\"nullable\":true}]}";
    struct columnar_options opt = {.row_group_rows = 2048, .threads = 2};
    static const char *const refused[][2] = {
        {"id,name\r1,a\r2,b\r", "carriage returns alone"},
        {"\"id\",\"name\"\r1,a\r", "carriage returns alone"},
        {"id,name\n1,\"a\"\r2,b\n", "carriage return alone"},
        {"id,name,nobody\n1,a,x\n", "no column 'nobody'"},
        {"id,name,id\n1,a,2\n", "'id' twice"},
        {"", "no column ''"},
    };
    struct columnar_load_result done;
    struct columnar_writer *w = NULL;
    struct columnar_reader *r = NULL;
    struct columnar_table_info info;
    struct seam_schema s = {0};
    struct seam_fault f = {0};
    char path[600];
    FILE *out;

    snprintf(path, sizeof path, "%s/rows.csv", test_dir());
    out = fopen(path, "w");
    fputs("name,id,price,day\r\n", out);
    for (int i = 0; i < 9000; i++)
        fprintf(out, "\"a \"\"%d\"\",\nb\",%d,%d.%d,2011-12-%02d\n", i, i, i, i % 10, 1 + i % 31);
    fclose(out);
    ASSERT_OK(seam_schema_parse(json, strlen(json), &s, &f), &f);
    ASSERT_OK(columnar_open_writer(seam_io_posix(), test_dir(), &opt, &w, &f), &f);
    ASSERT_OK(columnar_define_table(w, &s, NULL, &f), &f);
    ASSERT_OK(columnar_load_csv(w, 0, path, ',', 10, &done, &f), &f);
    ck_assert_uint_eq(done.rows, 9000);
    ASSERT_OK(columnar_load_csv(w, 0, path, ',', 10, &done, &f), &f);
    ck_assert_uint_eq(done.rows, 0); /* the same LSN again changes nothing */
    ASSERT_OK(columnar_open_reader(seam_io_posix(), test_dir(), NULL, &r, &f), &f);
    columnar_table_info(r, 0, &info);
    ck_assert_uint_eq(info.rows, 9000);
    columnar_close_reader(r);
    out = fopen(path, "w");
    fputs("id,name,price\n1,a,1.5\n2,b,1.505\n", out);
    fclose(out);
    ASSERT_STATUS(columnar_load_csv(w, 0, path, ',', 11, &done, &f), SEAM_INVALID);
    ck_assert_uint_eq(f.at, 3);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(refused); i++) {
        out = fopen(path, "w");
        fputs(refused[i][0], out);
        fclose(out);
        seam_fault_clear(&f);
        ASSERT_STATUS(columnar_load_csv(w, 0, path, ',', 11, &done, &f), SEAM_INVALID);
        ck_assert_msg(strstr(f.why, refused[i][1]) != NULL, "%s: %s", refused[i][0], f.why);
    }
    columnar_close_writer(w);
    seam_schema_free(&s);
    check_folder();
}

/* ---- evolution ---- */

static enum seam_status see_evolved(void *ctx, const struct seam_value *v, seam_lsn_t begin,
                                    seam_lsn_t end)
{
    int *count = ctx;

    (void)begin;
    (void)end;
    ck_assert_int_eq(v[1].type, SEAM_V_DOUBLE); /* widened, whoever wrote it */
    ck_assert_double_eq(v[1].d, (double)(v[0].i * 3));
    ck_assert_int_eq(v[2].type, SEAM_V_NULL); /* dropped */
    ck_assert_int_eq(v[3].type, SEAM_V_TEXT); /* added: the default in rows from before */
    ck_assert_int_eq(memcmp(v[3].s, v[0].i < 5000 ? "old" : "new", 3), 0);
    ++*count;
    return SEAM_OK;
}

static void test_columns_are_added_dropped_renamed_widened(void)
{
    static const char json[] = "{\"table\":\"t\",\"version\":1,\"key\":[\"id\"],\"columns\":[{"
                               "\"name\":\"id\",\"type\":\"int64\"},"
                               "{\"name\":\"n\",\"type\":\"int64\"},{\"name\":\"gone\",\"type\":"
                               "\"text\",\"nullable\":true}]}";
    struct columnar_options opt = {.row_group_rows = 2048};
    struct columnar_maintenance done;
    struct columnar_writer *w = NULL;
    struct columnar_reader *r = NULL;
    struct seam_schema s = {0}, wrong = {0};
    struct seam_column added = {
        .name = "word", .type = SEAM_V_TEXT, .nullable = true, .def = seam_v_str("old")};
    struct seam_fault f = {0};
    int count = 0;

    ASSERT_OK(seam_schema_parse(json, strlen(json), &s, &f), &f);
    ASSERT_OK(columnar_open_writer(seam_io_posix(), test_dir(), &opt, &w, &f), &f);
    ASSERT_OK(columnar_define_table(w, &s, NULL, &f), &f);
    for (int i = 0; i < 5000; i++) {
        struct seam_value v[3] = {seam_v_int(i), seam_v_int(i * 3), seam_v_str("x")};

        ASSERT_OK(columnar_upsert(w, 0, v, 10, NULL, &f), &f);
    }
    ASSERT_OK(columnar_publish(w, 10, 1, &f), &f);
    ASSERT_OK(seam_schema_clone(&s, &wrong), NULL);
    wrong.columns[0].type = SEAM_V_TEXT;
    wrong.version++;
    ASSERT_STATUS(columnar_define_table(w, &wrong, NULL, NULL), SEAM_INVALID);
    ASSERT_OK(seam_schema_add_column(&s, &added, &f), &f);
    ASSERT_OK(seam_schema_drop_column(&s, "gone", &f), &f);
    ASSERT_OK(seam_schema_rename_column(&s, "n", "amount", &f), &f);
    s.columns[1].type = SEAM_V_DOUBLE;
    s.version++;
    ASSERT_OK(columnar_define_table(w, &s, NULL, &f), &f);
    for (int i = 5000; i < 5100; i++) {
        struct seam_value v[4] = {seam_v_int(i), seam_v_double(i * 3), seam_v_null(),
                                  seam_v_str("new")};

        ASSERT_OK(columnar_upsert(w, 0, v, 20, NULL, &f), &f);
    }
    ASSERT_OK(columnar_publish(w, 20, 2, &f), &f);
    ASSERT_OK(columnar_open_reader(seam_io_posix(), test_dir(), NULL, &r, &f), &f);
    ck_assert_int_eq(seam_schema_column(columnar_schema(r, 0), "amount"), 1);
    ASSERT_OK(columnar_scan_rows(r, 0, SEAM_LSN_MAX, see_evolved, &count, &f), &f);
    ck_assert_int_eq(count, 5100);
    ASSERT_OK(columnar_compact(w, &done, &f), &f); /* rewrites the old files in the new shape */
    ASSERT_OK(columnar_refresh(r, NULL, &f), &f);
    count = 0;
    ASSERT_OK(columnar_scan_rows(r, 0, SEAM_LSN_MAX, see_evolved, &count, &f), &f);
    ck_assert_int_eq(count, 5100);
    columnar_close_reader(r);
    columnar_close_writer(w);
    seam_schema_free(&s);
    seam_schema_free(&wrong);
    check_folder();
}

/* A table is rebuilt with its history in one step: drop, define, replay old LSNs, publish. */
static void test_dropped_and_replayed_table_has_its_history(void)
{
    static struct shop x;
    struct seam_fault f = {0};
    struct seam_rng again;

    shop_open(&x);
    again = x.rng;
    for (int i = 0; i < 3; i++) shop_round(&x, 200);
    x.m.n = 0;
    x.rng = again;
    ASSERT_OK(columnar_drop_table(x.w, "silver_products", &f), &f);
    ASSERT_OK(columnar_define_table(x.w, &x.s, NULL, &f), &f);
    for (seam_lsn_t lsn = 110; lsn <= x.lsn; lsn += 10) change(x.w, &x.m, &x.rng, lsn);
    ASSERT_OK(columnar_publish(x.w, x.lsn, x.clock.wall_us, &f), &f);
    ASSERT_OK(columnar_refresh(x.r, NULL, &f), &f);
    check_as_of(x.r, &x.m, x.lsn, &x.rng);
    check_as_of(x.r, &x.m, 100 + x.lsn / 2, &x.rng);
    shop_close(&x);
}

static const struct named_test tests[] = {T(test_columns_are_added_dropped_renamed_widened),
                                          T(test_dropped_and_replayed_table_has_its_history),
                                          T(test_versions_are_scanned_with_their_lives),
                                          T(test_truncated_table_is_empty_from_then_on),
                                          T(test_rows_may_come_as_columns),
                                          T(test_csv_loads_rows_and_names_the_bad_line),
                                          T(test_keyed_table_reads_as_of_every_lsn),
                                          T(test_vacuum_keeps_tags_and_refuses_pins),
                                          T(test_rollback_then_replay_is_the_same),
                                          T(test_diff_tells_net_and_every_change),
                                          T(test_resolve_names_what_can_be_read),
                                          T(test_as_of_is_exact_over_many_publications),
                                          T(test_steady_commits_do_not_grow_the_folder),
                                          T(test_publications_are_forgotten_from_the_oldest),
                                          T(test_the_horizon_itself_can_be_read)};

int main(int argc, char **argv)
{
    return run_tests("columnar tables", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
