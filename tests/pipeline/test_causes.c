/* Goal:   what failed is what is said: damage is called damage, no memory no memory, and only what is absent is absent.
 * Method: every page of the audit's and the views' stores is damaged in turn, and every allocation fails in turn, under each
 *         question that is asked of them. The answer is the right one, or a status with its own reason. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/hash.h"
#include "pipeline/audit/audit.h"
#include "pipeline/sinks/own_rows.h"
#include "pipeline/sinks/sink.h"
#include "pipeline/view/view.h"
#include "tests/common/fail_malloc.h"
#include "tests/pipeline/agreement.h"

enum { PAGE = 8192, IN_PAGE = 6000, ORDERS = 400 };

static const char *const sinks[] = {"warehouse", "view", "search", "vectors", "audit"};

/* ---- questions: each answers with a status, and with a hash of what it was told ---- */

struct answer {
    enum seam_status st;
    struct seam_fault f;
    uint64_t hash;
};

static void note(struct answer *a, const void *data, size_t n)
{
    a->hash = seam_siphash128(data, n).lo ^ (a->hash * 31);
}

static struct answer ask_audit(const struct platform *p)
{
    struct answer a = {0};
    struct audit_reader *r = NULL;
    struct audit_info info;
    struct audit_gap gaps[4];
    size_t n = 0;
    uint64_t checked = 0;
    char dir[SEAM_PATH_MAX_BYTES];

    a.st = platform_sink_path(p, "audit", dir, &a.f);
    if (a.st == SEAM_OK) a.st = audit_reader_open(p->io, dir, &r, &a.f);
    if (a.st == SEAM_OK) {
        audit_reader_info(r, &info);
        note(&a, &info.orders, sizeof info.orders);
        a.st = audit_verify(r, &checked, &a.f);
    }
    if (a.st == SEAM_OK) a.st = audit_gaps(r, gaps, SEAM_ARRAY_LEN(gaps), &n, &a.f);
    note(&a, &checked, sizeof checked);
    note(&a, &n, sizeof n);
    audit_reader_close(r);
    return a;
}

static enum seam_status note_row(void *ctx, const struct view_column *columns, int n,
                                 const struct seam_value *row)
{
    struct answer *a = ctx;

    (void)columns;
    for (int i = 0; i < n; i++) {
        note(a, &row[i].type, 1);
        if (row[i].type == SEAM_V_TEXT)
            note(a, row[i].s, row[i].len);
        else if (row[i].type != SEAM_V_NULL)
            note(a, &row[i].i, sizeof row[i].i);
    }
    return SEAM_OK;
}

static struct answer ask_views(const struct platform *p)
{
    struct answer a = {0};
    struct view_reader *r = NULL;
    struct view_info views[VIEWS_MAX];
    size_t n;
    char dir[SEAM_PATH_MAX_BYTES];

    a.st = platform_sink_path(p, "view", dir, &a.f);
    if (a.st == SEAM_OK) a.st = view_reader_open(p->io, dir, &r, &a.f);
    n = a.st == SEAM_OK ? view_reader_list(r, views, VIEWS_MAX) : 0;
    note(&a, &n, sizeof n);
    for (size_t i = 0; a.st == SEAM_OK && i < n; i++)
        a.st = view_scan(r, views[i].name, note_row, &a, &a.f);
    view_reader_close(r);
    return a;
}

typedef struct answer (*question)(const struct platform *p);

/* ---- damage ---- */

static void flip(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    uint8_t byte;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
    byte ^= 0xff;
    ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static off_t size_of(const char *path)
{
    int fd = open(path, O_RDONLY);
    off_t n = lseek(fd, 0, SEEK_END);

    close(fd);
    return n;
}

/* Into the pages, out of the log: a reader would take what it needs from there. */
static void checkpoint(const struct platform *p, const char *sink)
{
    struct sink_own_rows own;
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(platform_sink_path(p, sink, dir, &f), &f);
    ASSERT_OK(sink_own_rows_open(p->io, p->clock, dir, &own, &f), &f);
    ASSERT_OK(oltp_checkpoint(own.db, &f), &f);
    sink_own_rows_close(&own);
}

static void assert_damage_is_said(const struct platform *p, const char *sink, question ask)
{
    struct answer right;
    struct seam_fault f = {0};
    char pages[SEAM_PATH_MAX_BYTES], name[64];
    off_t end;
    int said = 0;

    checkpoint(p, sink);
    right = ask(p);
    ck_assert_msg(right.st == SEAM_OK, "%s: %s", sink, right.f.why);
    snprintf(name, sizeof name, "%s/rows/pages", sink);
    ASSERT_OK(platform_sink_path(p, name, pages, &f), &f);
    end = size_of(pages);
    for (off_t at = 2 * PAGE + IN_PAGE; at < end; at += PAGE) {
        struct answer a;

        flip(pages, at);
        a = ask(p);
        flip(pages, at);
        if (a.st == SEAM_OK) { /* not read, or nothing is told that is not so */
            ck_assert_msg(a.hash == right.hash, "page %d of %s: another answer, and no error",
                          (int)(at / PAGE), sink);
            continue;
        }
        said++;
        ck_assert_msg(a.st == SEAM_CORRUPT && a.f.status == a.st &&
                          strstr(a.f.why, "checksum") != NULL,
                      "page %d of %s is damaged, and said is: %s, %s (%s)", (int)(at / PAGE), sink,
                      seam_status_name(a.st), a.f.why, a.f.where);
    }
    ck_assert_int_gt(said, 0);
}

static void test_a_damaged_page_is_called_damaged(void)
{
    struct platform p;

    shop_create("pages", &p);
    shop_fill(&p, ORDERS, test_seed());
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    assert_damage_is_said(&p, "audit", ask_audit);
    assert_damage_is_said(&p, "view", ask_views);
    platform_close(&p);
}

/* ---- memory ---- */

static void assert_memory_is_said(const struct platform *p, const char *what, question ask)
{
    const struct answer right = ask(p);
    bool more = true;
    uint64_t nth = 1, step = 1;

    ck_assert_msg(right.st == SEAM_OK, "%s: %s", what, right.f.why);
    for (; more; nth += step) { /* every one of the first thousand, then fewer */
        struct answer a;

        fail_malloc_at(nth, false);
        a = ask(p);
        more = fail_malloc_stop();
        if (a.st == SEAM_OK)
            ck_assert_msg(a.hash == right.hash, "%s, allocation %d: another answer, and no error",
                          what, (int)nth);
        else
            ck_assert_msg(a.st == SEAM_NOMEM && a.f.status == SEAM_NOMEM,
                          "%s, allocation %d fails, and said is: %s, %s: %s", what, (int)nth,
                          seam_status_name(a.st), seam_status_name(a.f.status), a.f.why);
        if (nth > 300) step = nth / 16;
    }
}

static void test_no_memory_is_called_no_memory(void)
{
    struct platform p;

    shop_create("memory", &p);
    shop_fill(&p, 5, test_seed());
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    assert_memory_is_said(&p, "audit", ask_audit);
    assert_memory_is_said(&p, "views", ask_views);
    platform_close(&p);
}

static const struct named_test tests[] = {
    T(test_a_damaged_page_is_called_damaged),
    T(test_no_memory_is_called_no_memory),
};

int main(int argc, char **argv)
{
    return run_tests("causes", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
