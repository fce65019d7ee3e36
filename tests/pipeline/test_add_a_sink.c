/* Goal:   docs/howto/add-a-sink.md is true: its example is a seventh sink with one file and one line.
 * Method: the file that the page quotes, linked with the list and its line. It must count what the stream holds, whatever is
 *         lost between two publications, and every command that walks the list must know it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/cli/cli.h"
#include "pipeline/relay/relay.h"
#include "pipeline/shop/assets.h"
#include "pipeline/sinks/sink.h"
#include "pipeline/stream/feed.h"
#include "tests/pipeline/agreement.h"

/* ---- the list, with its line ---- */
extern const struct sink_ops sink_tally;
const struct sink_ops *const *shipped_list(size_t *n);
#define sink_list shipped_list
#include "pipeline/sinks/sinks.c"
#undef sink_list

const struct sink_ops *const *sink_list(size_t *n)
{
    static const struct sink_ops *list[SINKS_MAX];
    const struct sink_ops *const *shipped = shipped_list(n);

    memcpy(list, shipped, *n * sizeof *list);
    list[(*n)++] = &sink_tally;
    return list;
}

/* ---- a platform that has it ---- */
static char dir[SEAM_PATH_MAX_BYTES];

static void create(const char *name, struct platform *p)
{
    struct asset shop = shop_asset_find("shop.json");
    const char *sinks = strstr(shop.text, "\"sinks\"");
    const char *brace = sinks != NULL ? strchr(sinks, '{') : NULL;
    struct seam_buf b = {0};
    struct seam_fault f = {0};

    ck_assert_ptr_nonnull(brace);
    seam_buf_append(&b, shop.text, (size_t)(brace + 1 - shop.text));
    seam_buf_str(&b, "\"tally\":{},");
    seam_buf_append(&b, brace + 1, shop.size - (size_t)(brace + 1 - shop.text));
    ASSERT_OK(seam_path_join(dir, test_dir(), name, &f), &f);
    ASSERT_OK(relay_create_platform(seam_io_posix(), seam_clock_real(), dir, (const char *)b.data,
                                    b.size, 7, &f),
              &f);
    ASSERT_OK(platform_open(seam_io_posix(), seam_clock_real(), dir, p, &f), &f);
    seam_buf_free(&b);
}

/* Changes of `table` in the stream, by kind: read with the feed, not with the sink. */
static void count_stream(const struct platform *p, const char *table, int64_t out[3])
{
    struct stream_registry registry = {0};
    struct stream_feed *feed = NULL;
    struct stream_feed_event e;
    struct seam_fault f = {0};
    char at[SEAM_PATH_MAX_BYTES];

    memset(out, 0, 3 * sizeof *out);
    ASSERT_OK(seam_path_join(at, test_dir(), "registry", &f), &f);
    ASSERT_OK(seam_io_mkdir(p->io, at, &f), &f);
    ASSERT_OK(stream_registry_open(&registry, p->io, at, &f), &f);
    ASSERT_OK(stream_feed_open(p, NULL, SEAM_LSN_NONE, &registry, &feed, &f), &f);
    while (stream_feed_next(feed, &e, &f) == SEAM_OK)
        if (e.kind == FEED_CHANGE && strcmp(e.change.schema->name, table) == 0)
            out[e.change.op - WAL_OP_INSERT]++;
    stream_feed_close(feed);
    stream_registry_close(&registry);
}

static void read_file(const char *path, struct seam_buf *out)
{
    struct seam_fault f = {0};

    ASSERT_OK(seam_io_read_all(seam_io_posix(), path, 1 << 20, out, &f), &f);
}

static void assert_counts(const struct platform *p)
{
    static const char *const tables[] = {"products", "orders", "order_lines"};
    struct seam_buf text = {0};
    struct seam_fault f = {0};
    char path[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(platform_sink_path(p, "tally/counts", path, &f), &f);
    read_file(path, &text);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(tables); i++) {
        int64_t n[3];
        char want[128];

        count_stream(p, tables[i], n);
        ck_assert_int_gt(n[0], 0);
        snprintf(want, sizeof want, "\"%s\":[%lld,%lld,%lld]", tables[i], (long long)n[0],
                 (long long)n[1], (long long)n[2]);
        ck_assert_msg(strstr(seam_buf_cstr(&text), want) != NULL, "%s is not in %s", want,
                      seam_buf_cstr(&text));
    }
    seam_buf_free(&text);
}

static int command(const char *a, const char *b, const char *c)
{
    char words[4][SEAM_PATH_MAX_BYTES];
    char *argv[] = {words[0], words[1], words[2], c != NULL ? words[3] : NULL, NULL};

    snprintf(words[0], sizeof words[0], "seam");
    snprintf(words[1], sizeof words[1], "%s", a);
    snprintf(words[2], sizeof words[2], "%s", b);
    snprintf(words[3], sizeof words[3], "%s", c != NULL ? c : "");
    return cli_main(c != NULL ? 4 : 3, argv, seam_io_posix(), seam_clock_real());
}

/* What is thrown away before its publication comes again, and is counted once. */
static void test_it_counts_each_change_once(void)
{
    static const char *const sinks[] = {"tally"};
    struct platform p;
    struct sink *s = NULL;
    struct sink_run_result first = {0};
    struct sink_run_options some = {.until_lsn = 1, .batch_events = 100};
    struct seam_fault f = {0};

    create("once", &p);
    shop_fill(&p, (uint64_t)test_scale(200), test_seed());
    shop_catch_up(&p, NULL, 0);
    ASSERT_OK(sink_open(&p, "tally", NULL, &s, &f), &f);
    ASSERT_OK(sink_run(s, &some, &first, &f), &f);
    sink_close(s);
    ck_assert_uint_gt(first.applied, 0);
    for (int k = 0; k < 3; k++) { /* cut off in the middle */
        pid_t pid = part_start(&p, "tally", false);

        usleep(2000 * (useconds_t)(k + 1));
        part_kill(pid);
    }
    shop_catch_up(&p, sinks, 1);
    assert_counts(&p);
    platform_close(&p);
}

static void test_every_command_knows_it(void)
{
    static const char *const sinks[] = {"warehouse", "tally"};
    struct platform p;
    struct seam_fault f = {0};
    char path[SEAM_PATH_MAX_BYTES];

    create("commands", &p);
    shop_fill(&p, 20, test_seed());
    shop_catch_up(&p, sinks, 2);
    ck_assert_ptr_eq(sink_find("tally"), &sink_tally);
    ck_assert_int_eq(command("status", dir, NULL), EXIT_FINE);
    ck_assert_int_eq(command("verify", dir, "--only=tally"), EXIT_FINE);
    ck_assert_int_eq(command("rebuild", dir, "tally"), EXIT_FINE);
    assert_counts(&p);
    ASSERT_OK(platform_sink_path(&p, "tally/counts", path, &f), &f);
    ASSERT_OK(seam_io_write_atomic(p.io, path, "{}", 2, &f), &f);
    ck_assert_int_eq(command("verify", dir, "--only=tally"), EXIT_DAMAGED);
    ck_assert_int_eq(command("rebuild", dir, "tally"), EXIT_FINE);
    ck_assert_int_eq(command("verify", dir, "--only=tally"), EXIT_FINE);
    platform_close(&p);
}

static void test_the_page_quotes_the_file(void)
{
    struct seam_buf page = {0}, file = {0};

    read_file("docs/howto/add-a-sink.md", &page);
    read_file("docs/howto/tally.c", &file);
    ck_assert_msg(strstr(seam_buf_cstr(&page), seam_buf_cstr(&file)) != NULL,
                  "docs/howto/add-a-sink.md does not hold docs/howto/tally.c, to the letter");
    seam_buf_free(&page);
    seam_buf_free(&file);
}

static const struct named_test tests[] = {
    T(test_it_counts_each_change_once),
    T(test_every_command_knows_it),
    T(test_the_page_quotes_the_file),
};

int main(int argc, char **argv)
{
    return run_tests("add a sink", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
