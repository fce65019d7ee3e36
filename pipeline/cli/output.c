/* output - options, faults, tables and footers, alike in every subcommand. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/value.h"
#include "pipeline/cli/cli.h"

enum { CLI_OPTS_MAX = 40 };

static void print_command_help(struct cli *c, const struct seam_opt *opts, size_t n)
{
    struct seam_buf b = {0};

    seam_buf_printf(&b, "usage: seam %s %s [options]\n\n%s\n\noptions:\n", c->command->name,
                    c->command->usage, c->command->summary);
    seam_opts_help(opts, n, &b);
    cli_print(&b);
    seam_buf_free(&b);
}

int cli_parse(struct cli *c, int argc, char **argv, const struct seam_opt *opts, size_t n_opts,
              const char **args, int *count, int min, int max)
{
    struct seam_opt all[CLI_OPTS_MAX];
    enum seam_status st;

    if (n_opts + 3 > CLI_OPTS_MAX) return cli_usage(c, "too many options are declared");
    if (argc > CLI_ARGS_MAX) return cli_usage(c, "too many arguments");
    if (n_opts > 0) memcpy(all, opts, n_opts * sizeof *opts);
    all[n_opts++] = (struct seam_opt){
        "json", 0, SEAM_OPT_FLAG, NULL, "answer (and fail) as one JSON object", &c->json};
    all[n_opts++] =
        (struct seam_opt){"quiet", 'q', SEAM_OPT_FLAG, NULL, "no progress, no footers", &c->quiet};
    all[n_opts++] = (struct seam_opt){"help", 'h', SEAM_OPT_FLAG, NULL, "this text", &c->help};
    st = seam_opts_parse(argc - 1, argv + 1, all, n_opts, args, count, &c->fault);
    if (c->help) {
        print_command_help(c, all, n_opts);
        return EXIT_FINE;
    }
    if (st != SEAM_OK) return cli_fail(c, st);
    if (c->quiet) c->progress = false;
    if (*count < min) return cli_usage(c, "an argument is missing");
    if (*count > max) return cli_usage(c, "'%s' is one argument too many", args[max]);
    return -1;
}

static void fault_to_json(const struct seam_fault *f, enum seam_status st, struct seam_buf *b)
{
    struct seam_json_writer w;

    seam_jw_init(&w, b);
    seam_jw_object(&w);
    seam_jw_key(&w, "error");
    seam_jw_object(&w);
    seam_jw_key(&w, "status");
    seam_jw_str(&w, seam_status_name(st));
    seam_jw_key(&w, "exit_code");
    seam_jw_int(&w, seam_status_exit_code(st));
    seam_jw_key(&w, "where");
    seam_jw_str(&w, f->where);
    if (f->at != SEAM_FAULT_NO_OFFSET) {
        seam_jw_key(&w, "at");
        seam_jw_uint(&w, f->at);
    }
    seam_jw_key(&w, "message");
    seam_jw_str(&w, f->why);
    seam_jw_end_object(&w);
    seam_jw_end_object(&w);
    seam_buf_str(b, "\n");
}

int cli_fail(struct cli *c, enum seam_status st)
{
    char text[SEAM_FAULT_WHERE_MAX + SEAM_FAULT_WHY_MAX + 64];

    if (c->json) {
        struct seam_buf b = {0};

        fault_to_json(&c->fault, st, &b);
        cli_print(&b);
        seam_buf_free(&b);
    } else if (c->fault.status != SEAM_OK) {
        fprintf(stderr, "seam %s: %s\n", c->command->name,
                seam_fault_text(&c->fault, text, sizeof text));
    } else {
        fprintf(stderr, "seam %s: %s\n", c->command->name, seam_status_name(st));
    }
    return seam_status_exit_code(st);
}

int cli_usage(struct cli *c, const char *fmt, ...)
{
    char why[SEAM_FAULT_WHY_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    if (c->json) {
        seam_fault_clear(&c->fault);
        seam_fault_set(&c->fault, SEAM_INVALID, c->command->name, SEAM_FAULT_NO_OFFSET, "%s", why);
        return cli_fail(c, SEAM_INVALID);
    }
    fprintf(stderr, "seam %s: %s\nusage: seam %s %s [options]   (seam %s --help)\n",
            c->command->name, why, c->command->name, c->command->usage, c->command->name);
    return EXIT_USAGE;
}

void cli_print(const struct seam_buf *b)
{
    if (b->size > 0 && fwrite(b->data, 1, b->size, stdout) != b->size) return;
    fflush(stdout);
}

void cli_footer(struct cli *c, seam_lsn_t as_of, int64_t age_us, const char *note)
{
    char age[32];

    if (c->json || c->quiet) return;
    printf("-- as of LSN %" PRIu64, as_of);
    if (age_us >= 0) printf(", %s old", human_duration(age_us, age));
    if (note != NULL) printf(", %s", note);
    printf("\n");
}

void table_begin(struct cli_table_out *t, size_t columns, uint64_t right_aligned)
{
    *t = (struct cli_table_out){.columns = columns, .right = right_aligned};
}

void table_cell(struct cli_table_out *t, const char *fmt, ...)
{
    char small[1024];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n < 0) n = 0;
    if ((size_t)n >= sizeof small) n = (int)sizeof small - 1;
    seam_buf_append(&t->cells, small, (size_t)n);
    seam_buf_u8(&t->cells, 0);
}

/* Bytes that continue a UTF-8 character take no room on a line.                                    */
static size_t shown_width(const char *s)
{
    size_t n = 0;

    for (; *s != '\0'; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void print_cell(const char *s, size_t width, bool right, bool last)
{
    size_t pad = width - shown_width(s);

    if (right)
        printf("%*s%s", (int)pad, "", s);
    else if (last)
        printf("%s", s);
    else
        printf("%s%*s", s, (int)pad, "");
    printf("%s", last ? "\n" : "  ");
}

void table_print(struct cli *c, struct cli_table_out *t)
{
    size_t width[64] = {0};
    const char *s = (const char *)t->cells.data;
    const char *end = s + t->cells.size;
    size_t i = 0;

    if (t->columns > SEAM_ARRAY_LEN(width)) t->columns = SEAM_ARRAY_LEN(width);
    for (const char *p = s; p < end; p += strlen(p) + 1, i++) {
        size_t w = shown_width(p);

        if (w > width[i % t->columns]) width[i % t->columns] = w;
    }
    i = 0;
    for (const char *p = s; p < end; p += strlen(p) + 1, i++) {
        size_t col = i % t->columns;

        if (col == 0 && i == 0 && c->color) printf("\033[1m");
        print_cell(p, width[col], (t->right >> col) & 1, col + 1 == t->columns);
        if (col + 1 == t->columns && i + 1 == t->columns && c->color) printf("\033[0m");
    }
    fflush(stdout);
    seam_buf_free(&t->cells);
}

const char *human_bytes(uint64_t n, char out[32])
{
    static const char *const unit[] = {"B", "kB", "MB", "GB", "TB"};
    double v = (double)n;
    size_t u = 0;

    while (v >= 1000 && u + 1 < SEAM_ARRAY_LEN(unit)) {
        v /= 1000;
        u++;
    }
    snprintf(out, 32, u == 0 ? "%.0f %s" : "%.1f %s", v, unit[u]);
    return out;
}

const char *human_duration(int64_t us, char out[32])
{
    if (us < 0)
        snprintf(out, 32, "-");
    else if (us < 1000)
        snprintf(out, 32, "%d us", (int)us);
    else if (us < 1000000)
        snprintf(out, 32, "%.1f ms", (double)us / 1e3);
    else if (us < 120000000)
        snprintf(out, 32, "%.1f s", (double)us / 1e6);
    else if (us < 7200000000)
        snprintf(out, 32, "%.1f min", (double)us / 60e6);
    else if (us < 172800000000)
        snprintf(out, 32, "%.1f h", (double)us / 3600e6);
    else
        snprintf(out, 32, "%.1f days", (double)us / 86400e6);
    return out;
}

enum seam_status cli_open_source(struct cli *c, const struct platform *p, double wait_seconds,
                                 struct platform_source *out)
{
    if (!(wait_seconds >= 0) || wait_seconds > CLI_WAIT_MAX_S)
        return seam_fault_set(&c->fault, SEAM_INVALID, "--wait", SEAM_FAULT_NO_OFFSET,
                              "seconds from 0 to %d", CLI_WAIT_MAX_S);
    return platform_await_source(p, (uint64_t)(wait_seconds * 1e6), out, &c->fault);
}

bool cli_parse_moment(const char *text, seam_lsn_t *lsn, int64_t *time_us)
{
    int64_t v;

    *lsn = SEAM_LSN_MAX;
    *time_us = INT64_MIN;
    if (strncmp(text, "lsn:", 4) == 0) text += 4;
    if (seam_int_parse(text, strlen(text), &v) == SEAM_OK && v >= 0) {
        *lsn = (seam_lsn_t)v;
        return true;
    }
    return seam_time_parse(text, strlen(text), time_us) == SEAM_OK;
}
