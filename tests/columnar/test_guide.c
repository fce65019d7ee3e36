/* Goal:   docs/guide/sql.md says what the program does.
 * Method: every line of its sql blocks is asked; the answer behind "-- ", or the refusal behind "-- !", has to come. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/sql/sql.h"
#include "tests/common/check_main.h"

static enum seam_status gather(void *ctx, const struct columnar_batch *b, struct seam_fault *f)
{
    struct seam_buf *out = ctx;

    (void)f;
    for (uint32_t r = 0; r < b->rows; r++) {
        if (out->size > 0) seam_buf_str(out, ";");
        for (int c = 0; c < b->count; c++) {
            struct seam_value v = columnar_vec_value(&b->cols[c], r);

            if (c > 0) seam_buf_str(out, "|");
            if (v.type == SEAM_V_NULL)
                seam_buf_str(out, "null");
            else
                seam_value_format(&v, out);
        }
    }
    return SEAM_OK;
}

static void check_line(const struct columnar_reader *r, char *line)
{
    char *want = strstr(line, " -- ");
    struct columnar_sql_env env = {.readers = &r, .reader_count = 1};
    struct columnar_sql_query q;
    struct seam_arena a = {0};
    struct seam_buf out = {0};
    struct seam_fault f = {0};
    enum seam_status st;

    ck_assert_msg(want != NULL, "no answer behind: %s", line);
    *want = '\0';
    want += strlen(" -- ");
    st = columnar_sql_prepare(&env, line, strlen(line), &a, &q, &f);
    if (st == SEAM_OK) st = columnar_sql_run(&q, NULL, gather, &out, NULL, &f);
    if (strncmp(want, "! ", 2) == 0) {
        ck_assert_msg(st != SEAM_OK, "%s: not refused, but %s", line, seam_buf_cstr(&out));
        ck_assert_msg(strncmp(f.why, want + 2, strlen(want + 2)) == 0, "%s: refused with: %s", line,
                      f.why);
        ck_assert_msg(f.at <= strlen(line), "%s: refused without a place", line);
    } else {
        ck_assert_msg(st == SEAM_OK, "%s: %s", line, f.why);
        ck_assert_msg(strcmp(seam_buf_cstr(&out), want) == 0, "%s: %s", line, seam_buf_cstr(&out));
    }
    seam_buf_free(&out);
    seam_arena_free(&a);
}

static void test_every_line_of_the_guide(void)
{
    struct columnar_writer *w = NULL;
    struct columnar_reader *r = NULL;
    struct seam_fault f = {0};
    FILE *guide = fopen("docs/guide/sql.md", "r");
    char line[1000];
    bool inside = false;
    int lines = 0;

    if (guide == NULL) {
        printf("skip  docs/guide/sql.md is not here: run from the top of the tree\n");
        return;
    }
    ASSERT_OK(columnar_open_writer(seam_io_posix(), test_dir(), NULL, &w, &f), &f);
    ASSERT_OK(columnar_publish(w, 1, 1, &f), &f);
    ASSERT_OK(columnar_open_reader(seam_io_posix(), test_dir(), NULL, &r, &f), &f);
    while (fgets(line, sizeof line, guide) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "```", 3) == 0) {
            inside = strcmp(line, "```sql") == 0;
            continue;
        }
        if (!inside) continue;
        check_line(r, line);
        lines++;
    }
    ck_assert_int_ge(lines, 30);
    fclose(guide);
    columnar_close_reader(r);
    columnar_close_writer(w);
}

static const struct named_test tests[] = {T(test_every_line_of_the_guide)};

int main(int argc, char **argv)
{
    return run_tests("columnar guide", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
