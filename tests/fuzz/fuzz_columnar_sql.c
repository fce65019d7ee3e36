/* Any text is a SELECT or a mistake that is named with a byte inside it; what parses prints to text that parses again to the
 * same tree. */
#include <string.h>

#include "columnar/sql_ast.h"
#include "tests/fuzz/fuzz_main.h"

static void need(bool ok)
{
    if (!ok) __builtin_trap();
}

static void check_again(const struct sql_node *e)
{
    struct arena a = {0};
    struct sql_select *s = NULL;
    struct buf text = {0};

    buf_str(&text, "select ");
    sql_print(e, &text);
    buf_str(&text, " from t");
    /* Printing adds parentheses, so a tree near the depth limit may not be readable again. */
    if (e->kind != SQL_STAR && sql_parse((const char *)text.data, text.size, &a, &s, NULL) == ST_OK)
        need(s->n_items == 1 && sql_same(s->items[0].expr, e));
    buf_free(&text);
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {.limit = 64 << 20};
    struct sql_select *s = NULL;
    struct fault f = {0};
    struct buf caret = {0};
    enum status st = sql_parse((const char *)data, size, &a, &s, &f);

    need(st == ST_OK || st == ST_INVALID || st == ST_LIMIT || st == ST_UNSUPPORTED || st == ST_NOMEM);
    if (st != ST_OK) need(f.status == st && f.at <= size && f.why[0] != '\0');
    sql_caret((const char *)data, size, f.at, &caret);
    for (int i = 0; st == ST_OK && i < s->n_items && i < 8; i++) check_again(s->items[i].expr);
    buf_free(&caret);
    arena_free(&a);
    return 0;
}

FUZZ_MAIN(FUZZ_SAMPLE("select a, count(*) as n, sum(b * -2.50) from t x join u on x.k = u.k where not a in (1, 2) or d like 'x%' group by a "
                      "having count(*) > 3 order by n desc nulls last limit 10 offset 2"),
          FUZZ_SAMPLE("explain analyze select distinct case when a between 1 and 2 then 'y' else \"q\"\"x\" end from t as of lsn 12 -- c\n"),
          FUZZ_SAMPLE("select cast(a as decimal(12, 3)), date_trunc('day', e), coalesce(d, 'it''s'), a is not null, t.* from t left outer join u "
                      "on t.k = u.k and u.w > 1e3 as of time '2026-01-01 10:00'"))
