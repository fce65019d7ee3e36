/* Goal:   what was published outlives crashes, damage is seen, the past can be asked, and merging beside a
 *         writer and a reader disturbs neither.
 * Method: histories on a simulated disk with the power cut at every call; each byte of a small index flipped
 *         and each file cut short; AS OF compared with a log of versions; threads.                        */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/base/rng.h"
#include "engine/io/io_sim.h"
#include "invidx/invidx.h"
#include "tests/common/check_main.h"
#include "tests/common/restart.h"

static struct invidx_schema small_schema(void)
{
    static const struct invidx_field fields[] = {{"title", 2}, {"body", 1}};
    static const struct invidx_attr attrs[] = {{"price", INVIDX_INT64}, {"brand", INVIDX_KEYWORD}};

    return (struct invidx_schema){.fields = fields,
                                  .field_count = 2,
                                  .attrs = attrs,
                                  .attr_count = 2,
                                  .analysis = invidx_analysis_default()};
}

static enum seam_status put(struct invidx_writer *w, uint64_t key, uint32_t version, seam_lsn_t lsn,
                            struct seam_fault *f)
{
    char title[64], body[256];
    struct invidx_text t[2];
    struct seam_value attrs[2] = {seam_v_int((int64_t)version),
                                  key % 3 == 0 ? seam_v_null()
                                               : seam_v_str(key % 2 ? "acme" : "globex")};

    t[0] = (struct invidx_text){title,
                                (size_t)snprintf(title, sizeof title, "product %llu version v%u",
                                                 (unsigned long long)key, version)};
    t[1] = (struct invidx_text){
        body, (size_t)snprintf(body, sizeof body, "running shoes number %llu, made of words %u %u",
                               (unsigned long long)key, version % 7, version % 11)};
    return invidx_upsert(w, &(struct invidx_doc){.key = key, .fields = t, .attrs = attrs}, lsn, f);
}

/* ---- power cuts ---- */
enum { STEPS = 14 };

/* A fixed history; after each publish the digest is noted (in `want` when it is being learned). Stops at the
 * first failure. Returns the last LSN whose publish was acknowledged.                                     */
static seam_lsn_t history(struct seam_io *io, struct seam_digest *want, bool learn)
{
    struct invidx_schema s = small_schema();
    struct invidx_writer_options o = {.merge_fanout = 2, .keep_manifests = 2};
    struct invidx_writer *w = NULL;
    struct seam_fault f = {0};
    seam_lsn_t acked = 0, lsn = 0;
    enum seam_status st = invidx_writer_open(io, "index", &s, &o, &w, &f);

    for (int step = 0; st == SEAM_OK && step < STEPS; step++) {
        bool worked = true;

        for (int i = 0; st == SEAM_OK && i < 6; i++)
            st = put(w, (uint64_t)(step * 5 + i * 3) % 23, (uint32_t)(step * 10 + i), ++lsn, &f);
        if (st == SEAM_OK) st = invidx_delete(w, (uint64_t)step % 23, ++lsn, &f);
        if (st == SEAM_OK) st = invidx_publish(w, lsn, step, &f);
        if (st != SEAM_OK) break;
        acked = lsn;
        if (learn) {
            struct invidx_reader *r = NULL;

            ASSERT_OK(invidx_reader_open(io, "index", SEAM_LSN_MAX, &r, &f), &f);
            ASSERT_OK(invidx_digest(r, &want[step], &f), &f);
            invidx_reader_close(r);
        }
        while (st == SEAM_OK && worked) st = invidx_maintain(w, &worked, &f);
    }
    invidx_writer_close(w);
    return acked;
}

static void check_after_crash(struct seam_io *io, const struct seam_digest *want, seam_lsn_t acked)
{
    struct invidx_reader *r = NULL;
    struct invidx_writer *w = NULL;
    struct seam_buf report = {0};
    struct seam_fault f = {0};
    struct invidx_schema s = small_schema();
    enum seam_status st = invidx_reader_open(io, "index", SEAM_LSN_MAX, &r, &f);

    if (st == SEAM_OK) {
        seam_lsn_t lsn = invidx_reader_applied(r);
        struct seam_digest got;

        ck_assert_uint_ge(lsn, acked);
        ck_assert_uint_eq(lsn % 7, 0);
        ASSERT_OK(invidx_digest(r, &got, &f), &f);
        ck_assert(seam_digest_equal(&got, &want[lsn / 7 - 1]));
        invidx_reader_close(r);
        seam_fault_clear(&f);
        ASSERT_OK(invidx_verify(io, "index", &report, &f), &f);
    } else {
        ck_assert_uint_eq(acked, 0); /* nothing was promised yet */
        ck_assert_int_eq(st, SEAM_NOT_FOUND);
    }
    seam_fault_clear(&f);
    ASSERT_OK(invidx_writer_open(io, "index", &s, NULL, &w, &f), &f);
    ASSERT_OK(put(w, 5, 1, 1000, &f), &f);
    ASSERT_OK(invidx_publish(w, 1001, 0, &f), &f);
    invidx_writer_close(w);
    seam_buf_free(&report);
}

static void crash_with(enum seam_sim_fault_kind kind, uint64_t stride)
{
    struct seam_digest want[STEPS];
    bool finished = false;
    struct seam_io_sim *clean = seam_io_sim_new(test_seed());

    ck_assert_uint_eq(history(seam_io_sim_io(clean), want, true), 7 * STEPS);
    seam_io_sim_free(clean);
    for (uint64_t nth = 1; !finished; nth += stride) {
        struct seam_io_sim *sim = seam_io_sim_new(test_seed() + nth);
        seam_lsn_t acked;

        seam_io_sim_plant(sim, kind, nth, false);
        acked = history(seam_io_sim_io(sim), want, false);
        finished = !seam_io_sim_fired(sim);
        seam_io_sim_clear(sim);
        if (kind == SEAM_SIM_POWER_CUT)
            seam_io_sim_reboot(sim);
        else
            seam_io_sim_kill(sim);
        check_after_crash(seam_io_sim_io(sim), want, acked);
        seam_io_sim_free(sim);
    }
}

static void test_store_power_cut_keeps_every_published_state(void)
{
    crash_with(SEAM_SIM_POWER_CUT, 1);
}
static void test_store_failed_sync_keeps_every_published_state(void)
{
    crash_with(SEAM_SIM_SYNC_FAIL, 3);
}
static void test_store_short_write_keeps_every_published_state(void)
{
    crash_with(SEAM_SIM_SHORT_WRITE, 3);
}
static void test_store_full_disk_keeps_every_published_state(void)
{
    crash_with(SEAM_SIM_ENOSPC, 3);
}

/* ---- damage ---- */
static void build_small(struct seam_io *io)
{
    struct invidx_schema s = small_schema();
    struct invidx_writer *w = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(invidx_writer_open(io, "index", &s, NULL, &w, &f), &f);
    for (uint32_t i = 0; i < 12; i++) ASSERT_OK(put(w, i, i, i + 1, &f), &f);
    ASSERT_OK(invidx_publish(w, 20, 0, &f), &f);
    ASSERT_OK(put(w, 3, 40, 21, &f), &f);
    ASSERT_OK(invidx_delete(w, 5, 22, &f), &f);
    ASSERT_OK(invidx_publish(w, 30, 0, &f), &f);
    invidx_writer_close(w);
}

/* Opens, searches, dumps: whatever the bytes are, an answer or a refusal. */
static enum seam_status use(struct seam_io *io)
{
    static const char *const queries[] = {"running shoes", "+product -shoes", "\"running shoes\"",
                                          "sho*",          "runing~",         "v7"};
    struct invidx_reader *r = NULL;
    struct invidx_query *q = NULL;
    struct seam_fault f = {0};
    enum seam_status st = invidx_reader_open(io, "index", SEAM_LSN_MAX, &r, &f);

    if (st == SEAM_OK) st = invidx_query_new(r, &q, &f);
    for (size_t i = 0; st == SEAM_OK && i < SEAM_ARRAY_LEN(queries); i++) {
        struct invidx_hit hits[5];
        struct invidx_facet_request facets[] = {{.attr = 1, .limit = 5}};
        struct invidx_request req = {
            .k = 5, .facets = i == 0 ? facets : NULL, .facet_count = i == 0, .sort_attr = i == 1};
        struct invidx_result res = {.hits = hits};

        st = invidx_query_parse(q, queries[i], strlen(queries[i]), INVIDX_OR, &f);
        if (st == SEAM_OK) st = invidx_search(r, q, &req, &res, &f);
    }
    invidx_query_free(q);
    invidx_reader_close(r);
    return st;
}

static void test_store_every_flipped_byte_is_seen(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(1);
    struct seam_io *io = seam_io_sim_io(sim);
    struct seam_io_list files = {0};
    struct seam_fault f = {0};

    build_small(io);
    ASSERT_OK(seam_io_list(io, "index", &files, &f), &f);
    for (size_t i = 0; i < files.count; i++) {
        char path[300];
        struct seam_buf bytes = {0};

        if (strcmp(files.names[i], "lock") == 0) continue;
        snprintf(path, sizeof path, "index/%s", files.names[i]);
        ASSERT_OK(seam_io_read_all(io, path, 1 << 20, &bytes, &f), &f);
        for (size_t at = 0; at < bytes.size; at++) {
            struct seam_buf report = {0}, shown = {0};
            enum seam_status st, used;
            struct seam_fault here = {0};

            ck_assert(seam_io_sim_flip(sim, path, at, (uint8_t)(1u << (at % 8))));
            st = invidx_verify(io, "index", &report, &here);
            ck_assert_msg(st == SEAM_CORRUPT, "%s byte %zu: verify says %s", path, at,
                          seam_status_name(st));
            used = use(io);
            ck_assert_msg(used == SEAM_OK || used == SEAM_CORRUPT, "%s byte %zu: use says %s", path,
                          at, seam_status_name(used));
            st = invidx_dump(io, path, &shown, NULL);
            ck_assert(st == SEAM_OK || st == SEAM_CORRUPT);
            ck_assert(seam_io_sim_flip(sim, path, at, (uint8_t)(1u << (at % 8))));
            seam_buf_free(&report);
            seam_buf_free(&shown);
        }
        seam_buf_free(&bytes);
    }
    ASSERT_OK(use(io), &f);
    seam_io_list_free(&files);
    seam_io_sim_free(sim);
}

static void test_store_every_shortened_file_is_refused(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(1);
    struct seam_io *io = seam_io_sim_io(sim);
    struct seam_io_list files = {0};
    struct seam_fault f = {0};

    build_small(io);
    ASSERT_OK(seam_io_list(io, "index", &files, &f), &f);
    for (size_t i = 0; i < files.count; i++) {
        char path[300];
        struct seam_buf bytes = {0};

        if (strcmp(files.names[i], "lock") == 0) continue;
        snprintf(path, sizeof path, "index/%s", files.names[i]);
        ASSERT_OK(seam_io_read_all(io, path, 1 << 20, &bytes, &f), &f);
        for (size_t n = 0; n < bytes.size; n += 1 + bytes.size / 150) {
            struct seam_buf report = {0};

            ASSERT_OK(seam_io_write_atomic(io, path, bytes.data, n, &f), &f);
            ck_assert_int_eq(invidx_verify(io, "index", &report, NULL), SEAM_CORRUPT);
            ck_assert_int_ne(use(io), SEAM_NOMEM);
            seam_buf_free(&report);
        }
        ASSERT_OK(seam_io_write_atomic(io, path, bytes.data, bytes.size, &f), &f);
        seam_buf_free(&bytes);
    }
    ASSERT_OK(use(io), &f);
    seam_io_list_free(&files);
    seam_io_sim_free(sim);
}

/* ---- the past ---- */
enum { KEYS = 40, VERSIONS = 600 };
struct version {
    uint64_t key;
    seam_lsn_t birth, death;
};

static uint64_t matches_of(struct invidx_reader *r, struct invidx_query *q, const char *text,
                           uint64_t *key)
{
    uint64_t *keys = NULL;
    size_t n = 0;
    struct seam_fault f = {0};

    (void)r;
    ASSERT_OK(invidx_query_parse(q, text, strlen(text), INVIDX_OR, &f), &f);
    ASSERT_OK(invidx_matches(r, q, &keys, &n, &f), &f);
    if (n > 0) *key = keys[0];
    free(keys);
    return n;
}

static void check_as_of(struct seam_io *io, const struct version *v, size_t n, seam_lsn_t at,
                        seam_lsn_t oldest, seam_lsn_t newest)
{
    struct invidx_reader *r = NULL;
    struct invidx_query *q = NULL;
    struct seam_fault f = {0};
    enum seam_status st = invidx_reader_open(io, "index", at, &r, &f);
    uint64_t live = 0, key;
    struct invidx_info info;

    if (at < oldest || at > newest) {
        ck_assert_int_eq(st, SEAM_NOT_FOUND);
        return;
    }
    ASSERT_OK(st, &f);
    ASSERT_OK(invidx_query_new(r, &q, &f), &f);
    for (size_t i = 0; i < n; i++) live += v[i].birth <= at && v[i].death > at;
    invidx_reader_info(r, &info);
    ck_assert_uint_eq(info.docs, live);
    ck_assert_uint_eq(matches_of(r, q, "*", &key), live);
    for (size_t i = 0; i < n; i += 7) {
        char text[32];
        bool visible = v[i].birth <= at && v[i].death > at;

        snprintf(text, sizeof text, "v%zu", i);
        ck_assert_uint_eq(matches_of(r, q, text, &key), visible);
        if (visible) ck_assert_uint_eq(key, v[i].key);
    }
    invidx_query_free(q);
    invidx_reader_close(r);
}

static void test_store_as_of_sees_exactly_the_past(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(1);
    struct seam_io *io = seam_io_sim_io(sim);
    struct invidx_schema s = small_schema();
    struct invidx_writer_options o = {.merge_fanout = 3, .keep_manifests = 12};
    struct invidx_writer *w = NULL;
    struct version v[VERSIONS];
    size_t n = 0;
    seam_lsn_t lsn = 0;
    struct seam_rng r;
    struct seam_fault f = {0};

    seam_rng_seed(&r, test_seed());
    ASSERT_OK(invidx_writer_open(io, "index", &s, &o, &w, &f), &f);
    while (n < VERSIONS) {
        uint64_t key = seam_rng_below(&r, KEYS), dice = seam_rng_below(&r, 20);

        if (dice < 15) {
            lsn += 1 + seam_rng_below(&r, 3);
            for (size_t i = 0; i < n; i++)
                if (v[i].key == key && v[i].death == SEAM_LSN_MAX) v[i].death = lsn;
            if (dice < 12) {
                v[n] = (struct version){key, lsn, SEAM_LSN_MAX};
                ASSERT_OK(put(w, key, (uint32_t)n++, lsn, &f), &f);
            } else {
                ASSERT_OK(invidx_delete(w, key, lsn, &f), &f);
            }
        } else if (dice < 18) {
            ASSERT_OK(invidx_publish(w, ++lsn, 0, &f), &f);
        } else {
            bool worked;

            ASSERT_OK(invidx_maintain(w, &worked, &f), &f);
        }
        if (n % 150 == 149 && dice < 12) {
            struct invidx_reader *reader = NULL;
            struct invidx_info info;

            ASSERT_OK(invidx_publish(w, ++lsn, 0, &f), &f);
            ASSERT_OK(invidx_reader_open(io, "index", SEAM_LSN_MAX, &reader, &f), &f);
            invidx_reader_info(reader, &info);
            invidx_reader_close(reader);
            for (int k = 0; k < 25; k++)
                check_as_of(io, v, n, seam_rng_below(&r, lsn + 3), info.oldest_lsn, lsn);
        }
    }
    invidx_writer_close(w);
    seam_io_sim_free(sim);
}

/* ---- beside each other ---- */
struct reading {
    const char *dir;
    bool stop;
    uint64_t searches;
};

static void *read_along(void *arg)
{
    struct reading *a = arg;
    struct invidx_reader *r = NULL;
    struct invidx_query *q = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(invidx_reader_open(seam_io_posix(), a->dir, SEAM_LSN_MAX, &r, &f), &f);
    ASSERT_OK(invidx_query_new(r, &q, &f), &f);
    while (!__atomic_load_n(&a->stop, __ATOMIC_ACQUIRE)) {
        struct invidx_info info;
        uint64_t key, n;

        ASSERT_OK(invidx_reader_refresh(r, NULL, &f), &f);
        invidx_reader_info(r, &info);
        ck_assert_uint_eq(info.docs, KEYS); /* every publish leaves all keys live */
        n = matches_of(r, q, "+running +shoes", &key);
        ck_assert_uint_eq(n, KEYS);
        a->searches++;
    }
    invidx_query_free(q);
    invidx_reader_close(r);
    return NULL;
}

static void test_store_merges_beside_writer_and_reader(void)
{
    char dir[600];
    struct invidx_schema s = small_schema();
    struct invidx_writer_options o = {.merge_fanout = 3, .keep_manifests = 4};
    struct invidx_writer *w = NULL;
    struct reading a = {.dir = dir};
    struct seam_buf report = {0};
    pthread_t thread;
    struct seam_rng r;
    struct seam_fault f = {0};
    seam_lsn_t lsn = 0;

    seam_rng_seed(&r, test_seed());
    snprintf(dir, sizeof dir, "%s/index", test_dir());
    ASSERT_OK(invidx_writer_open(seam_io_posix(), dir, &s, &o, &w, &f), &f);
    for (uint64_t k = 0; k < KEYS; k++) ASSERT_OK(put(w, k, 0, ++lsn, &f), &f);
    ASSERT_OK(invidx_publish(w, lsn, 0, &f), &f);
    ASSERT_OK(invidx_merger_start(w, &f), &f);
    ck_assert_int_eq(pthread_create(&thread, NULL, read_along, &a), 0);
    for (int i = 0; i < test_scale(150); i++) {
        for (int k = 0; k < 3; k++)
            ASSERT_OK(put(w, seam_rng_below(&r, KEYS), (uint32_t)i, ++lsn, &f), &f);
        ASSERT_OK(invidx_publish(w, lsn, i, &f), &f);
    }
    ASSERT_OK(invidx_merger_stop(w, &f), &f);
    __atomic_store_n(&a.stop, true, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(invidx_writer_live(w), KEYS);
    invidx_writer_close(w);
    ck_assert_uint_gt(a.searches, 0);
    ASSERT_OK(invidx_verify(seam_io_posix(), dir, &report, &f), &f);
    seam_buf_free(&report);
}

static void test_store_one_writer_many_readers_and_replays(void)
{
    char dir[600];
    struct invidx_schema s = small_schema(), other = small_schema();
    struct invidx_writer *w = NULL;
    struct invidx_reader *r = NULL;
    struct seam_fault f = {0};
    struct invidx_info info;

    snprintf(dir, sizeof dir, "%s/index", test_dir());
    ck_assert_int_eq(invidx_reader_open(seam_io_posix(), dir, SEAM_LSN_MAX, &r, NULL),
                     SEAM_NOT_FOUND);
    ck_assert_int_eq(invidx_writer_open(seam_io_posix(), dir, NULL, NULL, &w, NULL),
                     SEAM_NOT_FOUND);
    ASSERT_OK(invidx_writer_open(seam_io_posix(), dir, &s, NULL, &w, &f), &f);
    ck_assert_int_eq(invidx_reader_open(seam_io_posix(), dir, SEAM_LSN_MAX, &r, NULL),
                     SEAM_NOT_FOUND);
    ASSERT_OK(put(w, 1, 1, 10, &f), &f);
    ASSERT_OK(invidx_publish(w, 10, 5, &f), &f);
    ASSERT_OK(put(w, 1, 2, 9, &f), &f);         /* a replay */
    ASSERT_OK(invidx_delete(w, 1, 10, &f), &f); /* a replay */
    ASSERT_OK(invidx_publish(w, 10, 6, &f), &f);
    ck_assert_int_eq(invidx_publish(w, 9, 6, NULL), SEAM_INVALID);
    ASSERT_OK(put(w, 2, 2, 12, &f), &f);
    ck_assert_int_eq(invidx_publish(w, 11, 6, NULL), SEAM_INVALID); /* a change is newer */
    ASSERT_OK(invidx_publish(w, 15, 6, &f), &f);
    ck_assert_uint_eq(invidx_writer_applied(w), 15);
    invidx_writer_close(w);
    other.k1 = 2;
    other.b = 0.5;
    w = NULL;
    ck_assert_int_eq(invidx_writer_open(seam_io_posix(), dir, &other, NULL, &w, NULL),
                     SEAM_CONFLICT);
    ASSERT_OK(invidx_reader_open(seam_io_posix(), dir, SEAM_LSN_MAX, &r, &f), &f);
    invidx_reader_info(r, &info);
    ck_assert_uint_eq(info.docs, 2);
    ck_assert_uint_eq(info.applied_lsn, 15);
    invidx_reader_close(r);
}

/* ---- a failed sync, a restart without a reboot, and on ---- */

static uint64_t restart_write(void *ctx, struct seam_io *io, uint64_t from, uint64_t count)
{
    struct invidx_schema s = small_schema();
    struct invidx_writer_options o = {.merge_fanout = 2, .keep_manifests = 2};
    struct invidx_writer *w = NULL;
    uint64_t n = from;
    enum seam_status st = invidx_writer_open(io, "index", &s, &o, &w, NULL);

    (void)ctx;
    while (st == SEAM_OK && n < from + count) {
        bool worked = true;

        st = put(w, n, 1, 10 * (n + 1), NULL);
        if (st == SEAM_OK) st = invidx_publish(w, 10 * (n + 1), (int64_t)n, NULL);
        if (st != SEAM_OK) break;
        n++;
        while (st == SEAM_OK && worked) st = invidx_maintain(w, &worked, NULL);
    }
    invidx_writer_close(w);
    return n;
}

static uint64_t restart_held(void *ctx, struct seam_io *io)
{
    struct invidx_schema s = small_schema();
    struct invidx_writer *w = NULL;
    struct seam_buf report = {0};
    struct seam_fault f = {0};
    uint64_t n;

    (void)ctx;
    ASSERT_OK(invidx_writer_open(io, "index", &s, NULL, &w, &f), &f);
    n = invidx_writer_applied(w) / 10;
    ck_assert_uint_eq(invidx_writer_live(w), n);
    invidx_writer_close(w);
    if (n > 0) ASSERT_OK(invidx_verify(io, "index", &report, &f), &f);
    seam_buf_free(&report);
    return n;
}

static void test_restart_after_a_failed_sync_at_every_call(void)
{
    restart_everywhere(&(struct restart_store){"index", NULL, restart_write, restart_held}, 5);
}

static const struct named_test tests[] = {
    T(test_store_power_cut_keeps_every_published_state),
    T(test_store_failed_sync_keeps_every_published_state),
    T(test_store_short_write_keeps_every_published_state),
    T(test_store_full_disk_keeps_every_published_state),
    T(test_store_every_flipped_byte_is_seen),
    T(test_store_every_shortened_file_is_refused),
    T(test_store_as_of_sees_exactly_the_past),
    T(test_store_merges_beside_writer_and_reader),
    T(test_store_one_writer_many_readers_and_replays),
    T(test_restart_after_a_failed_sync_at_every_call),
};

int main(int argc, char **argv)
{
    return run_tests("invidx store", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
