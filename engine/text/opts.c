/* opts - options matched, converted and refused with the nearest name; help made from the same table. */
#include "engine/text/opts.h"

#include <stdio.h>

#include "engine/base/buf.h"
#include "engine/values/value.h"

enum { WORD_MAX = 63 };

/* Edit distance (Levenshtein, one row at a time); words past WORD_MAX bytes are never near.      */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t na = strlen(a), nb = strlen(b);

    if (na > WORD_MAX || nb > WORD_MAX) return SIZE_MAX;
    for (size_t j = 0; j <= nb; j++) row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[nb];
}

const char *seam_nearest_name(const char *word, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t best_distance = strlen(word) / 3 + 2; /* one slip in three letters, and one more */

    for (size_t i = 0; i < count; i++) {
        size_t d = distance(word, names[i]);

        if (d < best_distance) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}

static const struct seam_opt *find_long(const struct seam_opt *opts, size_t n, const char *name,
                                        size_t len)
{
    for (size_t i = 0; i < n; i++) {
        if (strlen(opts[i].name) == len && memcmp(opts[i].name, name, len) == 0) return &opts[i];
    }
    return NULL;
}

static const struct seam_opt *find_letter(const struct seam_opt *opts, size_t n, char letter)
{
    for (size_t i = 0; i < n; i++) {
        if (opts[i].letter != 0 && opts[i].letter == letter) return &opts[i];
    }
    return NULL;
}

static enum seam_status unknown(const struct seam_opt *opts, size_t n, const char *arg,
                                struct seam_fault *f)
{
    const char *names[64], *near;
    char word[WORD_MAX + 1];
    size_t count = n < SEAM_ARRAY_LEN(names) ? n : SEAM_ARRAY_LEN(names);
    size_t len;

    for (size_t i = 0; i < count; i++) names[i] = opts[i].name;
    while (*arg == '-') arg++;
    len = strcspn(arg, "=");
    snprintf(word, sizeof word, "%.*s", (int)(len < WORD_MAX ? len : WORD_MAX), arg);
    near = seam_nearest_name(word, names, count);
    if (near != NULL)
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "unknown option --%s; did you mean --%s?", word, near);
    return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                          "unknown option --%s; --help lists them", word);
}

static enum seam_status store(const struct seam_opt *o, const char *text, struct seam_fault *f)
{
    size_t n = strlen(text);

    switch (o->kind) {
    case SEAM_OPT_FLAG: *(bool *)o->out = true; return SEAM_OK;
    case SEAM_OPT_STRING: *(const char **)o->out = text; return SEAM_OK;
    case SEAM_OPT_INT:
        if (seam_int_parse(text, n, o->out) == SEAM_OK) return SEAM_OK;
        return seam_fault_set(f, SEAM_INVALID, o->name, SEAM_FAULT_NO_OFFSET,
                              "'%.100s' is not a whole number", text);
    case SEAM_OPT_DOUBLE:
        if (seam_double_parse(text, n, o->out) == SEAM_OK) return SEAM_OK;
        return seam_fault_set(f, SEAM_INVALID, o->name, SEAM_FAULT_NO_OFFSET,
                              "'%.100s' is not a number", text);
    }
    return SEAM_INVALID;
}

/* argv[*i] is an option; moves *i onto its value when that is the next word.                     */
static enum seam_status parse_one(int argc, char **argv, int *i, const struct seam_opt *opts,
                                  size_t n, struct seam_fault *f)
{
    const char *arg = argv[*i], *value = NULL;
    const struct seam_opt *o;

    if (arg[1] == '-') {
        size_t len = strcspn(arg + 2, "=");

        o = find_long(opts, n, arg + 2, len);
        if (arg[2 + len] == '=') value = arg + 3 + len;
    } else {
        o = find_letter(opts, n, arg[1]);
        if (o != NULL && arg[2] != '\0') value = arg + 2;
    }
    if (o == NULL) return unknown(opts, n, arg, f);
    if (o->kind == SEAM_OPT_FLAG) {
        if (value != NULL)
            return seam_fault_set(f, SEAM_INVALID, o->name, SEAM_FAULT_NO_OFFSET,
                                  "--%s takes no value", o->name);
        return store(o, "", f);
    }
    if (value == NULL) {
        if (*i + 1 >= argc)
            return seam_fault_set(f, SEAM_INVALID, o->name, SEAM_FAULT_NO_OFFSET,
                                  "--%s needs a value", o->name);
        value = argv[++*i];
    }
    return store(o, value, f);
}

/* "-" alone (standard input) and negative numbers are arguments, not options.                    */
static bool is_option(const char *arg)
{
    return arg[0] == '-' && arg[1] != '\0' && !(arg[1] >= '0' && arg[1] <= '9') && arg[1] != '.';
}

enum seam_status seam_opts_parse(int argc, char **argv, const struct seam_opt *opts, size_t n_opts,
                                 const char **args, int *count, struct seam_fault *f)
{
    bool only_arguments = false;

    *count = 0;
    for (int i = 0; i < argc; i++) {
        enum seam_status st;

        if (only_arguments || !is_option(argv[i])) {
            args[(*count)++] = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            only_arguments = true;
            continue;
        }
        st = parse_one(argc, argv, &i, opts, n_opts, f);
        if (st != SEAM_OK) return st;
    }
    return SEAM_OK;
}

void seam_opts_help(const struct seam_opt *opts, size_t n_opts, struct seam_buf *out)
{
    for (size_t i = 0; i < n_opts; i++) {
        char left[64];
        int n;

        n = snprintf(left, sizeof left, "--%s%s%s", opts[i].name, opts[i].arg != NULL ? " " : "",
                     opts[i].arg != NULL ? opts[i].arg : "");
        if (opts[i].letter != 0)
            seam_buf_printf(out, "  -%c, ", opts[i].letter);
        else
            seam_buf_str(out, "      ");
        seam_buf_printf(out, "%-24s%s%s\n", left, n >= 24 ? "  " : "",
                        opts[i].help != NULL ? opts[i].help : "");
    }
}
