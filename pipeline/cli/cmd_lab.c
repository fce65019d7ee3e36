/* cmd_lab - plays a lab: at a terminal step by step, elsewhere all of it, or as a page of HTML. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "engine/io/io_sim.h"
#include "engine/values/value.h"
#include "hnsw/hnsw.h"
#include "hnsw/vecfile.h"
#include "pipeline/cli/cli.h"
#include "pipeline/lab/exercise.h"

/* What the options said, and what became of it. */
struct inputs {
    const char *keys_text, *docs_text, *vectors_text, *query_text;
    int64_t seed, ef, m, row_bytes, cut;
    double answer;
    int64_t keys[LAB_KEYS_MAX];
    const char *docs[LAB_DOCS_MAX];
    char *text;
    struct hnsw_vecset vectors, query;
};

/* "5,3,9" */
static bool parse_keys(const char *s, struct inputs *in, size_t *count)
{
    while (*s != '\0') {
        size_t n = strcspn(s, ",");

        if (*count == LAB_KEYS_MAX || seam_int_parse(s, n, &in->keys[*count]) != SEAM_OK)
            return false;
        ++*count;
        s += n + (s[n] == ',');
    }
    return *count > 0;
}

/* "one text|another" */
static bool parse_docs(const char *s, struct inputs *in, size_t *count)
{
    char *save = NULL;

    in->text = strdup(s);
    if (in->text == NULL) return false;
    for (char *d = strtok_r(in->text, "|", &save); d != NULL; d = strtok_r(NULL, "|", &save)) {
        if (*count == LAB_DOCS_MAX) return false;
        in->docs[(*count)++] = d;
    }
    return *count > 0;
}

/* A file, or inline: "0.1,0.2;0.3,0.4", one vector after another. Inline text goes through the
 * reader of CSV files, on a simulated disk, so that both are refused alike. */
static enum seam_status read_vectors(struct cli *c, const char *s, size_t rows_max,
                                     struct hnsw_vecset *out)
{
    static const char name[] = "vectors.csv";
    const struct hnsw_vecfile_options o = {.rows_max = rows_max};
    struct seam_io_sim *disk;
    struct seam_buf csv = {0};
    enum seam_status st;

    if (strspn(s, "0123456789+-.eE,; ") != strlen(s))
        return hnsw_vecfile_read(c->io, s, &o, out, &c->fault);
    disk = seam_io_sim_new(1);
    for (const char *p = s; *p != '\0'; p++) seam_buf_printf(&csv, "%c", *p == ';' ? '\n' : *p);
    seam_buf_str(&csv, "\n");
    st = disk != NULL && seam_buf_ok(&csv)
             ? seam_io_write_atomic(seam_io_sim_io(disk), name, csv.data, csv.size, &c->fault)
             : seam_fault_set(&c->fault, SEAM_NOMEM, name, SEAM_FAULT_NO_OFFSET,
                              "no memory for the vectors");
    if (st == SEAM_OK) st = hnsw_vecfile_read(seam_io_sim_io(disk), name, &o, out, &c->fault);
    seam_buf_free(&csv);
    if (disk != NULL) seam_io_sim_free(disk);
    return st;
}

static int read_own_vectors(struct cli *c, struct inputs *given, struct lab_input *in)
{
    uint32_t dim = 2;
    enum seam_status st = SEAM_OK;

    if (given->vectors_text != NULL) {
        st = read_vectors(c, given->vectors_text, LAB_VECTORS_MAX, &given->vectors);
        if (st != SEAM_OK) return cli_fail(c, st);
        if (given->vectors.count == 0)
            return cli_usage(c, "'%s' has no vectors", given->vectors_text);
        in->vectors = given->vectors.rows;
        in->vector_count = given->vectors.count;
        in->dim = dim = given->vectors.dim;
    }
    if (given->query_text == NULL) return -1;
    st = read_vectors(c, given->query_text, 1, &given->query);
    if (st != SEAM_OK) return cli_fail(c, st);
    if (given->query.count != 1 || given->query.dim != dim)
        return cli_usage(c, "--query is %u numbers, as the vectors are", dim);
    in->query = given->query.rows;
    return -1;
}

static bool in_range(int64_t v, int64_t max)
{
    return v >= 0 && v <= max;
}

/* -1: fine; else the exit code of what was wrong, already said. */
static int take_inputs(struct cli *c, struct inputs *given, struct lab_input *in)
{
    if (given->keys_text != NULL && !parse_keys(given->keys_text, given, &in->key_count))
        return cli_usage(c, "--keys is up to %d whole numbers: 5,3,9", LAB_KEYS_MAX);
    if (given->docs_text != NULL && !parse_docs(given->docs_text, given, &in->doc_count))
        return cli_usage(c, "--docs is up to %d texts: 'one|another'", LAB_DOCS_MAX);
    if (given->seed < 0 || in->at < 0) return cli_usage(c, "--seed and --at are counts");
    if (!in_range(given->ef, LAB_EF_MAX)) return cli_usage(c, "--ef is 3 to %d", LAB_EF_MAX);
    if (!in_range(given->m, HNSW_M_MAX)) return cli_usage(c, "--m is 4 to %d", HNSW_M_MAX);
    if (!in_range(given->row_bytes, LAB_ROW_BYTES_MAX))
        return cli_usage(c, "--row-bytes is 1 to %d", LAB_ROW_BYTES_MAX);
    if (!in_range(given->cut, UINT32_MAX)) return cli_usage(c, "--cut counts calls from 1");
    in->seed = (uint64_t)given->seed;
    in->ef = (uint32_t)given->ef;
    in->m = (uint32_t)given->m;
    in->row_bytes = (uint32_t)given->row_bytes;
    in->cut = (uint32_t)given->cut;
    in->keys = given->keys;
    in->docs = given->docs;
    return read_own_vectors(c, given, in);
}

static void free_inputs(struct inputs *in)
{
    free(in->text);
    hnsw_vecset_free(&in->vectors);
    hnsw_vecset_free(&in->query);
}

/* ---- the terminal ---- */
/* One key, without waiting for a line; 0 after timeout_ms without one, 'q' at the end of input. */
static char read_key(int timeout_tenths)
{
    struct termios was, raw;
    char key = 0;
    ssize_t n;

    if (tcgetattr(STDIN_FILENO, &was) != 0) return 'q';
    raw = was;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = timeout_tenths == 0;
    raw.c_cc[VTIME] = (cc_t)timeout_tenths;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    n = read(STDIN_FILENO, &key, 1);
    tcsetattr(STDIN_FILENO, TCSANOW, &was);
    if (n == 1) return key;
    return timeout_tenths > 0 && n == 0 && !cli_interrupted ? 0 : 'q';
}

static bool ask_line(const char *what, char *line, int size)
{
    printf("%s", what);
    fflush(stdout);
    if (fgets(line, size, stdin) == NULL) return false;
    line[strcspn(line, "\n")] = '\0';
    return *line != '\0';
}

static size_t jump(const struct lab *l, size_t at)
{
    char line[32];
    int64_t to;

    if (!ask_line("go to step: ", line, sizeof line) ||
        seam_int_parse(line, strlen(line), &to) != SEAM_OK)
        return at;
    return to < 1 ? 0 : (size_t)to > lab_count(l) ? lab_count(l) - 1 : (size_t)to - 1;
}

static size_t search(const struct lab *l, size_t at)
{
    char word[64];
    size_t found = ask_line("find: ", word, sizeof word) ? lab_search(l, at + 1, word) : SIZE_MAX;

    return found == SIZE_MAX ? at : found;
}

static void walk(struct cli *c, const struct lab *l)
{
    enum { PLAY_TENTHS = 25 };
    size_t at = 0;
    bool playing = false;

    for (;;) {
        struct seam_buf b = {0};
        char key;

        seam_buf_str(&b, "\033[2J\033[H");
        lab_print_step(l, at, (struct lab_style){.color = c->color}, &b);
        seam_buf_str(&b, playing ? "playing; any key stops\n"
                                 : "n next  b back  g go to  / find  p play  q quit\n");
        cli_print(&b);
        fflush(stdout);
        seam_buf_free(&b);
        key = read_key(playing ? PLAY_TENTHS : 0);
        if (playing && key == 0 && at + 1 < lab_count(l)) {
            at++;
            continue;
        }
        playing = key == 'p' && !playing;
        if (key == 'q' || cli_interrupted) return;
        if ((key == 'n' || key == ' ' || key == '\n') && at + 1 < lab_count(l)) at++;
        if (key == 'b' && at > 0) at--;
        if (key == 'g') at = jump(l, at);
        if (key == '/') at = search(l, at);
    }
}

/* ---- the command ---- */
static int save(struct cli *c, const char *path, const struct seam_buf *b)
{
    enum seam_status st = seam_buf_ok(b)
                              ? seam_io_write_atomic(c->io, path, b->data, b->size, &c->fault)
                              : SEAM_NOMEM;

    if (st != SEAM_OK) return cli_fail(c, st);
    if (!c->quiet) fprintf(stderr, "wrote %s\n", path);
    return EXIT_FINE;
}

static int list(struct cli *c)
{
    struct cli_table_out t;
    size_t n;
    const struct lab_kind *kinds = lab_kinds(&n);

    table_begin(&t, 2, 0);
    table_cell(&t, "lab");
    table_cell(&t, "what there is to see");
    for (size_t i = 0; i < n; i++) {
        table_cell(&t, "%s", kinds[i].name);
        table_cell(&t, "%s", kinds[i].title);
    }
    table_print(c, &t);
    return EXIT_FINE;
}

static int unknown(struct cli *c, const char *name)
{
    const char *names[64], *near;
    size_t n;
    const struct lab_kind *kinds = lab_kinds(&n);

    for (size_t i = 0; i < n; i++) names[i] = kinds[i].name;
    near = seam_nearest_name(name, names, n);
    return near != NULL ? cli_usage(c, "there is no lab '%s'; did you mean '%s'?", name, near)
                        : cli_usage(c, "there is no lab '%s'; 'seam lab' lists them", name);
}

struct how {
    const char *html;
    bool all, plain, check;
    int64_t step;
};

static int show(struct cli *c, const struct lab *l, const struct how *how)
{
    const struct lab_style style = {.color = c->color && !how->plain, .plain = how->plain};
    struct seam_buf b = {0};
    int rc = EXIT_FINE;

    if (how->step > (int64_t)lab_count(l))
        return cli_usage(c, "this lab has %zu steps", lab_count(l));

    if (how->html != NULL) {
        lab_html(l, &b);
        rc = save(c, how->html, &b);
    } else if (c->json) {
        lab_json(l, &b);
        seam_buf_str(&b, "\n");
        cli_print(&b);
    } else if (how->step > 0) {
        lab_print_step(l, (size_t)how->step - 1, style, &b);
        cli_print(&b);
    } else if (!how->all && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
        cli_catch_interrupts();
        walk(c, l);
    } else {
        lab_print(l, style, &b);
        cli_print(&b);
    }
    seam_buf_free(&b);
    return rc;
}

/* ---- exercises ---- */
static void list_exercises(struct cli *c, const char *lab)
{
    struct cli_table_out t;
    size_t n;
    const struct lab_exercise *all = lab_exercises(&n);

    table_begin(&t, 3, 0);
    table_cell(&t, "exercise");
    table_cell(&t, "goal");
    table_cell(&t, "answer with");
    for (size_t i = 0; i < n; i++) {
        if (strcmp(all[i].lab, lab) != 0) continue;
        table_cell(&t, "%s %d", lab, all[i].number);
        table_cell(&t, "%s", all[i].goal);
        table_cell(&t, "%s", all[i].options);
    }
    table_print(c, &t);
    printf("check an answer: seam lab %s NUMBER --check OPTION ...; without --check the lab plays "
           "it\n",
           lab);
}

static void print_verdict(struct cli *c, const struct lab_exercise *e, bool holds,
                          struct seam_buf *why)
{
    struct seam_buf b = {0};
    struct seam_json_writer w;

    if (!c->json) {
        printf("%s %d: %s\n%s: %s\n", e->lab, e->number, e->goal, holds ? "it holds" : "not yet",
               seam_buf_cstr(why));
        return;
    }
    seam_jw_init(&w, &b);
    seam_jw_object(&w);
    seam_jw_key(&w, "lab");
    seam_jw_str(&w, e->lab);
    seam_jw_key(&w, "exercise");
    seam_jw_int(&w, e->number);
    seam_jw_key(&w, "goal");
    seam_jw_str(&w, e->goal);
    seam_jw_key(&w, "holds");
    seam_jw_bool(&w, holds);
    seam_jw_key(&w, "why");
    seam_jw_str(&w, seam_buf_cstr(why));
    seam_jw_end_object(&w);
    seam_buf_str(&b, "\n");
    cli_print(&b);
    seam_buf_free(&b);
}

static int check(struct cli *c, const struct lab_kind *kind, const char *number,
                 const struct lab_input *in, struct lab_answer answer)
{
    const struct lab_exercise *e;
    struct lab *l = NULL;
    struct seam_buf why = {0};
    int64_t n = 0;
    bool holds = false;
    enum seam_status st;

    if (number == NULL) {
        list_exercises(c, kind->name);
        return EXIT_FINE;
    }
    if (seam_int_parse(number, strlen(number), &n) != SEAM_OK || n < 1 || n > 99 ||
        (e = lab_exercise_find(kind->name, (int)n)) == NULL)
        return cli_usage(c, "lab %s has no exercise '%s'; 'seam lab %s --check' lists them",
                         kind->name, number, kind->name);
    if (!lab_exercise_ready(e, in, answer))
        return cli_usage(c, "exercise %s %s is answered with %s: %s", kind->name, number,
                         e->options, e->goal);
    st = lab_play(kind, in, &l, &c->fault);
    if (st == SEAM_OK) {
        holds = lab_exercise_check(e, l, answer, &why);
        print_verdict(c, e, holds, &why);
    }
    lab_free(l);
    seam_buf_free(&why);
    if (st != SEAM_OK) return cli_fail(c, st);
    return holds ? EXIT_FINE : EXIT_CHECK_FAILED;
}

static int play(struct cli *c, const struct lab_kind *kind, const struct lab_input *in,
                const struct how *how)
{
    struct lab *l = NULL;
    enum seam_status st = lab_play(kind, in, &l, &c->fault);
    int rc = st == SEAM_OK ? show(c, l, how) : cli_fail(c, st);

    lab_free(l);
    return rc;
}

static int write_index(struct cli *c, const char *file)
{
    struct seam_buf b = {0};
    int rc;

    lab_html_index(&b);
    rc = save(c, file, &b);
    seam_buf_free(&b);
    return rc;
}

int cmd_lab(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    struct how how = {0};
    struct inputs given = {.answer = NAN};
    struct lab_input in = {0};
    const struct lab_kind *kind;
    const struct seam_opt opts[] = {
        {"html", 0, SEAM_OPT_STRING, "FILE",
         "write one page that plays it (without a lab: the index page)", &how.html},
        {"all", 'a', SEAM_OPT_FLAG, NULL, "print every step, also at a terminal", &how.all},
        {"plain", 0, SEAM_OPT_FLAG, NULL, "no colour and no step counters", &how.plain},
        {"step", 0, SEAM_OPT_INT, "N", "print this step alone", &how.step},
        {"check", 0, SEAM_OPT_FLAG, NULL, "does this input solve the EXERCISE? (none: list them)",
         &how.check},
        {"answer", 0, SEAM_OPT_DOUBLE, "N", "the number an exercise asks for", &given.answer},
        {"keys", 0, SEAM_OPT_STRING, "5,3,9",
         "btree, log: your own keys, in the order they are inserted", &given.keys_text},
        {"row-bytes", 0, SEAM_OPT_INT, "N", "btree: text of each row (500)", &given.row_bytes},
        {"cut", 0, SEAM_OPT_INT, "N", "log, relay: the power goes at the N-th call to the disk",
         &given.cut},
        {"sql", 0, SEAM_OPT_STRING, "QUERY", "columnar: your own query on sales", &in.sql},
        {"scatter", 0, SEAM_OPT_FLAG, NULL, "columnar: days drawn by lot", &in.scatter},
        {"docs", 0, SEAM_OPT_STRING, "A|B|C", "segments: your own documents", &given.docs_text},
        {"ask", 0, SEAM_OPT_STRING, "WORDS", "segments, hybrid: your own search", &in.ask},
        {"vectors", 0, SEAM_OPT_STRING, "FILE",
         "hnsw: your own vectors: fvecs, npy, CSV ...; or inline 0.1,0.2;0.3,0.4",
         &given.vectors_text},
        {"query", 0, SEAM_OPT_STRING, "0.3,0.4", "hnsw: your own question, as inline or in a file",
         &given.query_text},
        {"ef", 0, SEAM_OPT_INT, "N", "hnsw: efSearch of the wide search (32)", &given.ef},
        {"m", 0, SEAM_OPT_INT, "N", "hnsw: links a node (4)", &given.m},
        {"at", 0, SEAM_OPT_INT, "LSN", "order, timetravel: ask at an LSN of your own", &in.at},
        {"row", 0, SEAM_OPT_STRING, "JSON", "reconcile: a row put into silver alone", &in.row},
        {"forge", 0, SEAM_OPT_STRING, "COLUMN=VALUE", "audit: what is rewritten (actor=mallory)",
         &in.forge},
        {"seed", 0, SEAM_OPT_INT, "N", "what is drawn by lot (3)", &given.seed},
    };
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 0, 2);

    if (rc >= 0) return rc;
    if (count == 0) return how.html == NULL ? list(c) : write_index(c, how.html);
    kind = lab_find(args[0]);
    if (kind == NULL) return unknown(c, args[0]);
    if (count == 2 && !how.check) return cli_usage(c, "an exercise is checked with --check");
    if (how.step < 0) return cli_usage(c, "--step counts from 1");
    rc = take_inputs(c, &given, &in);
    if (rc < 0)
        rc = how.check ? check(c, kind, count == 2 ? args[1] : NULL, &in,
                               (struct lab_answer){!isnan(given.answer), given.answer})
                       : play(c, kind, &in, &how);
    free_inputs(&given);
    return rc;
}
