/* cmd_lab - plays a lab: at a terminal step by step, elsewhere all of it, or as a page of HTML. */
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "engine/value.h"
#include "pipeline/cli/cli.h"
#include "pipeline/lab/lab.h"

struct inputs {
    int64_t keys[LAB_KEYS_MAX];
    const char *docs[LAB_DOCS_MAX];
    char *text;
};

/* "5,3,9" */
static bool parse_keys(const char *s, struct inputs *in, size_t *count)
{
    while (*s != '\0') {
        size_t n = strcspn(s, ",");

        if (*count == LAB_KEYS_MAX || int_parse(s, n, &in->keys[*count]) != ST_OK) return false;
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

/* ---- the terminal ---- */
/* One key, without waiting for a line; 0 after timeout_ms without one, 'q' at the end of input.       */
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

    if (!ask_line("go to step: ", line, sizeof line) || int_parse(line, strlen(line), &to) != ST_OK)
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
        struct buf b = {0};
        char key;

        buf_str(&b, "\033[2J\033[H");
        lab_print_step(l, at, (struct lab_style){.color = c->color}, &b);
        buf_str(&b, playing ? "playing; any key stops\n"
                            : "n next  b back  g go to  / find  p play  q quit\n");
        cli_print(&b);
        fflush(stdout);
        buf_free(&b);
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
static int save(struct cli *c, const char *path, const struct buf *b)
{
    enum status st =
        buf_ok(b) ? io_write_atomic(c->io, path, b->data, b->size, &c->fault) : ST_NOMEM;

    if (st != ST_OK) return cli_fail(c, st);
    if (!c->quiet) fprintf(stderr, "wrote %s\n", path);
    return EXIT_FINE;
}

static int list(struct cli *c)
{
    struct table_out t;
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

    for (size_t i = 0; i < n; i++)
        names[i] = kinds[i].name;
    near = nearest_name(name, names, n);
    return near != NULL ? cli_usage(c, "there is no lab '%s'; did you mean '%s'?", name, near)
                        : cli_usage(c, "there is no lab '%s'; 'seam lab' lists them", name);
}

struct how {
    const char *html;
    bool all, plain;
    int64_t step;
};

static int show(struct cli *c, const struct lab *l, const struct how *how)
{
    const struct lab_style style = {.color = c->color && !how->plain, .plain = how->plain};
    struct buf b = {0};
    int rc = EXIT_FINE;

    if (how->step > (int64_t)lab_count(l))
        return cli_usage(c, "this lab has %zu steps", lab_count(l));

    if (how->html != NULL) {
        lab_html(l, &b);
        rc = save(c, how->html, &b);
    } else if (c->json) {
        lab_json(l, &b);
        buf_str(&b, "\n");
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
    buf_free(&b);
    return rc;
}

int cmd_lab(struct cli *c, int argc, char **argv)
{
    const char *args[64], *keys = NULL, *docs = NULL;
    struct how how = {0};
    struct inputs given = {0};
    struct lab_input in = {.keys = given.keys, .docs = given.docs};
    struct lab *l = NULL;
    const struct lab_kind *kind;
    int64_t seed = 0;
    const struct opt opts[] = {
        {"html", 0, OPT_STRING, "FILE",
         "write one page that plays it (without a lab: the index page)", &how.html},
        {"all", 'a', OPT_FLAG, NULL, "print every step, also at a terminal", &how.all},
        {"plain", 0, OPT_FLAG, NULL, "no colour and no step counters", &how.plain},
        {"step", 0, OPT_INT, "N", "print this step alone", &how.step},
        {"keys", 0, OPT_STRING, "5,3,9",
         "btree, log: your own keys, in the order they are inserted", &keys},
        {"docs", 0, OPT_STRING, "A|B|C", "segments: your own documents", &docs},
        {"seed", 0, OPT_INT, "N", "what is drawn by lot (3)", &seed},
    };
    int count;
    int rc = argc > 60 ? cli_usage(c, "too many arguments")
                       : cli_parse(c, argc, argv, opts, ARRAY_LEN(opts), args, &count, 0, 1);

    if (rc >= 0) return rc;
    if (count == 0 && how.html == NULL) return list(c);
    if (count == 0) {
        struct buf b = {0};

        lab_html_index(&b);
        rc = save(c, how.html, &b);
        buf_free(&b);
        return rc;
    }
    kind = lab_find(args[0]);
    if (kind == NULL) return unknown(c, args[0]);
    if (seed < 0 || how.step < 0) return cli_usage(c, "--seed and --step are counts");
    in.seed = (uint64_t)seed;
    if (keys != NULL && !parse_keys(keys, &given, &in.key_count))
        rc = cli_usage(c, "--keys is up to %d whole numbers: 5,3,9", LAB_KEYS_MAX);
    else if (docs != NULL && !parse_docs(docs, &given, &in.doc_count))
        rc = cli_usage(c, "--docs is up to %d texts: 'one|another'", LAB_DOCS_MAX);
    else {
        enum status st = lab_play(kind, &in, &l, &c->fault);

        rc = st == ST_OK ? show(c, l, &how) : cli_fail(c, st);
    }
    lab_free(l);
    free(given.text);
    return rc;
}
