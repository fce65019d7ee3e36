/* exercise - the labs' tasks, and what each checks of a run. */
#include "pipeline/lab/exercise.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "pipeline/lab/broken.h"
#include "pipeline/trust/reconcile.h"

static double figure(const struct lab *l, const char *name)
{
    return lab_figure_of(l, name);
}

/* ---- order ---- */
static bool order_without_lines(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    double orders = figure(l, "orders seen"), lines = figure(l, "lines seen");

    (void)a;
    seam_buf_printf(why, "At that LSN silver has %.0f order and %.0f line. ", orders, lines);
    if (orders == 1 && lines == 0) return true;
    seam_buf_str(why, orders == 0
                          ? "That is before the order's own commit: step 1 shows the position "
                            "just after its commit record."
                          : "The line is there already: its commit has ended by then. Which "
                            "LSNs lie between the two commits' ends?");
    return false;
}

/* ---- btree ---- */
static bool three_splits(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    double keys = figure(l, "keys"), splits = figure(l, "leaf splits");

    (void)a;
    seam_buf_printf(why, "%.0f keys, %.0f leaf splits. ", keys, splits);
    if (keys > 32) {
        seam_buf_str(why, "That is more than 32 keys.");
        return false;
    }
    if (splits >= 3) return true;
    seam_buf_str(why,
                 "A key that arrives behind all others leaves a full page and starts an almost "
                 "empty one, and that takes fifteen more keys to fill. Cut a page in the middle, "
                 "and both halves are half full already: where must the next keys fall?");
    return false;
}

static bool middle_cuts(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    double keys = figure(l, "keys"), splits = figure(l, "leaf splits"),
           least = figure(l, "fewest keys on a side");

    (void)a;
    seam_buf_printf(why,
                    "%.0f keys, %.0f leaf splits; the smaller half of the worst had %.0f keys. ",
                    keys, splits, least);
    if (splits >= 5 && least >= 5) return true;
    if (splits < 5)
        seam_buf_str(why, "Five splits need more keys, or keys that fall into the fullest leaves.");
    else
        seam_buf_str(why,
                     "A newcomer at the edge of the tree is moved alone. Which page is at the edge "
                     "when a key is the greatest, or the least, so far? Begin with the extremes, "
                     "and let what follows fall between them.");
    return false;
}

static bool three_leaves(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    double leaves = figure(l, "leaves");

    (void)a;
    seam_buf_printf(why, "Rows of %u bytes: %.0f leaves. ", l->in.row_bytes, leaves);
    if (leaves == 3) return true;
    seam_buf_str(why, leaves > 3
                          ? "Three leaves of 8 KiB, some 70 % full, share 17,000 bytes among 140 "
                            "rows; each needs its key, a slot and a header besides its text."
                          : "They fit in fewer: the rows may be larger.");
    return false;
}

/* ---- log ---- */
/* Whether the commit returns ok also with this cut, in another play. */
static bool acknowledged_at(const struct lab *l, uint32_t cut)
{
    struct lab_input in = l->in;
    struct lab *again = NULL;
    struct seam_fault f = {0};
    bool ok;

    in.cut = cut;
    ok = cut > 0 && lab_play(lab_kind_of(l), &in, &again, &f) == SEAM_OK &&
         figure(again, "commit said ok") != 0;
    lab_free(again);
    return ok;
}

static bool acknowledged(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    bool ok = figure(l, "commit said ok") != 0;
    double kept = figure(l, "records after recovery") - figure(l, "records before the cut");

    (void)a;
    seam_buf_printf(why, "The commit %s; of its three records %.0f are there after recovery. ",
                    ok ? "returned ok" : "did not return ok", kept > 0 ? kept : 0);
    if (ok && kept >= 3 && !acknowledged_at(l, l->in.cut - 1)) return true;
    if (ok && kept >= 3) {
        seam_buf_str(why, "So it is with the cut one call earlier.");
        return false;
    }
    seam_buf_str(why,
                 "A commit is a write and then a sync: calls 1 and 2 of the disk. It is promised "
                 "when the sync has returned.");
    return false;
}

static bool lost_written(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    double before = figure(l, "records before the cut"),
           after = figure(l, "records after recovery");

    (void)a;
    seam_buf_printf(why, "%.0f records before the cut, %.0f after recovery, %.0f torn bytes. ",
                    before, after, figure(l, "torn bytes"));
    if (after == before - 1 && figure(l, "torn bytes") > 0) return true;
    seam_buf_str(why,
                 after >= before
                     ? "The record that was only written survived this time. The disk decides by "
                       "lot: another seed is another lot."
                     : "It was lost without a torn tail: the disk kept nothing behind it.");
    return false;
}

/* ---- columnar ---- */
static bool one_group(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    double groups = figure(l, "groups"), read = figure(l, "groups read");

    (void)a;
    seam_buf_printf(why, "%.0f of %.0f row groups read, %.0f row(s) answered. ", read, groups,
                    figure(l, "rows answered"));
    if (read == 1 && groups > 1 && figure(l, "groups skipped") == groups - 1 &&
        figure(l, "rows answered") > 0)
        return true;
    seam_buf_str(why, read == 0
                          ? "Nothing was read: ask for something that is there."
                          : "A group is skipped when its least and greatest value exclude it. "
                            "Which columns are in the order the rows came in? Groups hold 4096.");
    return false;
}

static bool speaks_of_city(const char *sql)
{
    while (*sql != '\0' && strncasecmp(sql, "city", 4) != 0) sql++;
    return *sql != '\0';
}

static bool no_group(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    (void)a;
    seam_buf_printf(why, "%.0f of %.0f row groups read. ", figure(l, "groups read"),
                    figure(l, "groups"));
    if (speaks_of_city(l->in.sql)) {
        seam_buf_str(why, "But the condition is on the city, which step 4 gave away.");
        return false;
    }
    if (figure(l, "groups") > 0 && figure(l, "groups skipped") == figure(l, "groups")) return true;
    seam_buf_str(why,
                 "Ask for a value outside every group's least and greatest, which step 1 lists.");
    return false;
}

static bool scattered_days(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    double read = figure(l, "groups read for the range of days");

    seam_buf_printf(why, "With the days drawn by lot the range of step 3 reads ");
    if (a.value == read) {
        seam_buf_printf(why, "%.0f of 4 row groups, as you said.", read);
        return true;
    }
    seam_buf_printf(why,
                    "another number than %.0f. What are the least and the greatest day of 4096 "
                    "days drawn by lot out of 164?",
                    a.value);
    return false;
}

/* ---- segments ---- */
static bool one_term(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    double words = figure(l, "words"), terms = figure(l, "terms");

    (void)a;
    seam_buf_printf(why, "%.0f different words became %.0f term(s). ", words, terms);
    if (words >= 4 && terms == 1) return true;
    seam_buf_str(why, words < 4
                          ? "Use at least four different words."
                          : "Stop words vanish and endings are cut off: look at step 1's terms.");
    return false;
}

static bool less_than_twice(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    double often = figure(l, "times as often"), score = figure(l, "times the score");

    (void)a;
    seam_buf_printf(why,
                    "%.0f hits; one document has it %.1f times as often for %.2f times the score. ",
                    figure(l, "hits"), often, score);
    if (often >= 2 && score > 1 && score < 2) return true;
    if (figure(l, "hits") < 2)
        seam_buf_str(why, "At least two documents must have the word.");
    else if (often < 2)
        seam_buf_str(why, "Let one document repeat the word.");
    else
        seam_buf_str(why,
                     "A document twice as long weighs each word less. Keep the lengths equal: fill "
                     "the shorter one with other words.");
    return false;
}

/* ---- hnsw ---- */
static bool least_ef(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    double recall = figure(l, "recall"), promised = figure(l, "recall promised");

    (void)a;
    seam_buf_printf(why, "efSearch %u: recall %.3f with %.1f distances a search. ", l->in.ef,
                    recall, figure(l, "distances"));
    if (recall >= promised && (double)l->in.ef == figure(l, "least efSearch")) return true;
    seam_buf_str(why, recall < promised
                          ? "That misses the promise: a wider pool finds more."
                          : "That keeps the promise, but a smaller one does too, with fewer "
                            "distances.");
    return false;
}

static bool misled(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    double narrow = figure(l, "right with efSearch 3"), wide = figure(l, "right with more");

    (void)a;
    seam_buf_printf(why, "efSearch 3 finds %.0f of the 3 nearest, 32 finds %.0f. ", narrow, wide);
    if (narrow == 0 && wide == 3) return true;
    seam_buf_str(why, narrow > 0
                          ? "The walk came to the right place. Put the query where clumps meet, "
                            "or outside of them: the picture shows where (--html)."
                          : "Not even the wide search finds them all there: move a little.");
    return false;
}

/* ---- relay ---- */
static bool repeats(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    enum { ORDERS = 24 };
    struct lab_broken_trial t = {.seed = l->in.seed, .cut_at = l->in.cut, .orders = ORDERS};
    struct lab_broken_counts apart = {0}, sink = {0};
    struct seam_fault f = {0};
    enum seam_status st;

    (void)a;
    t.way = BROKEN_OFFSET_APART;
    st = lab_broken_run(&t, &apart, &f);
    t.way = BROKEN_NOT_SINK;
    if (st == SEAM_OK) st = lab_broken_run(&t, &sink, &f);
    if (st != SEAM_OK) {
        seam_buf_printf(why, "it could not be played: %s", seam_status_name(st));
        return false;
    }
    seam_buf_printf(
        why,
        "The power went at call %u. With the offset apart %llu events came twice and %llu "
        "were lost; with offset and effect in one step %llu and %llu. ",
        l->in.cut, (unsigned long long)apart.repeated, (unsigned long long)apart.lost,
        (unsigned long long)sink.repeated, (unsigned long long)sink.lost);
    if (apart.repeated > 0 && sink.repeated + sink.lost == 0) return true;
    seam_buf_printf(why,
                    "The run makes %llu calls to the disk. The cut must fall behind the effect and "
                    "before the position that says so.",
                    (unsigned long long)apart.calls);
    return false;
}

/* ---- time travel ---- */
static bool renamed(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    double price = figure(l, "price"), found = figure(l, "found by its old name");

    (void)a;
    seam_buf_printf(why, "The row store %s; the search for its old name finds %.0f. ",
                    price > 0 ? "has product 101" : "has no product 101", found);
    if (price > 0 && found == 0) return true;
    seam_buf_str(why, price > 0 ? "The name had not changed yet. Step 1 lists the commits."
                                : "Either it was not there yet, or it is deleted: look between.");
    return false;
}

static bool first_cheaper(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    double price = figure(l, "price"), before = figure(l, "price just before");

    (void)a;
    seam_buf_printf(why, "Just before that LSN it costs %.2f, at it %.2f. ", before, price);
    if (price == 29.95 && before == 34.95) return true;
    seam_buf_str(why,
                 "A commit's LSN is the position just after its commit record: at it the change is "
                 "seen, one byte before it is not.");
    return false;
}

/* ---- hybrid ---- */
static bool meaning_helps(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    double words = figure(l, "kettle's rank by words"), both = figure(l, "kettle's rank by both");

    (void)a;
    seam_buf_printf(why,
                    "Product 101, a kettle: place %.0f by words, place %.0f by both (0: not among "
                    "the first five). ",
                    words, both);
    if (words == 0 && both >= 1 && both <= 3) return true;
    seam_buf_str(
        why, words > 0 ? "The words alone find it: describe what it is for, not what it is called."
                       : "Not near enough in meaning: stay with what people do with a kettle.");
    return false;
}

static bool no_meaning(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    double weight = figure(l, "weight of the meaning");

    (void)a;
    seam_buf_printf(why, "The meaning weighs %.2f; product 101 is at place %.0f. ", weight,
                    figure(l, "kettle's rank by both"));
    if (weight == 0 && figure(l, "kettle's rank by both") != 1 &&
        strstr(l->in.ask, "HK-1170") == NULL)
        return true;
    seam_buf_str(why, weight > 0
                          ? "A code has digits and hyphens and is one word: `seam lab hybrid` "
                            "step 7 asks for one."
                          : "Ask for another product's code than that kettle's.");
    return false;
}

/* ---- reconcile ---- */
static bool invented(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    double n = figure(l, "differences found"), verdict = figure(l, "verdict");

    (void)a;
    seam_buf_printf(why, "%.0f difference(s), the first called %s. ", n,
                    n > 0 ? reconcile_verdict_name((enum reconcile_verdict)verdict) : "nothing");
    if (n == 1 && verdict == VERDICT_EXTRA) return true;
    seam_buf_str(why, n == 0 ? "The row says what silver says already."
                             : "That customer exists in the source. Which one does not?");
    return false;
}

static bool digests(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    double n = figure(l, "digests then");

    if (figure(l, "differences found") != 1 || figure(l, "verdict") == VERDICT_EXTRA) {
        seam_buf_str(why, "Let --row change exactly one customer that exists.");
        return false;
    }
    if (a.value == n) {
        seam_buf_printf(why, "%.0f digests for one wrong row among 4096, as you said.", n);
        return true;
    }
    seam_buf_printf(why,
                    "It was not %.0f. One digest of everything; sixteen below each that differs; "
                    "256 leaves are two levels below it.",
                    a.value);
    return false;
}

/* ---- audit ---- */
static bool only_verify(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    bool verify = figure(l, "verify finds it") != 0, prove = figure(l, "prove finds it") != 0;

    (void)a;
    seam_buf_printf(why, "verify %s, prove %s. ", verify ? "finds it" : "finds nothing",
                    prove ? "finds it" : "finds nothing");
    if (strncmp(l->in.forge, "actor", 5) == 0) {
        seam_buf_str(why, "But the actor is the lab's own forgery: take another column.");
        return false;
    }
    if (verify && !prove) return true;
    seam_buf_str(why,
                 "prove folds rows into a state: which column of an event says nothing of it?");
    return false;
}

static bool both_find(const struct lab *l, struct lab_answer a, struct seam_buf *why)
{
    bool verify = figure(l, "verify finds it") != 0, prove = figure(l, "prove finds it") != 0;

    (void)a;
    seam_buf_printf(why, "verify %s, prove %s. ", verify ? "finds it" : "finds nothing",
                    prove ? "finds it" : "finds nothing");
    if (verify && prove) return true;
    seam_buf_str(why,
                 "The fold must come out differently: an event says what was done (op: 1 insert, "
                 "2 update, 3 delete) to which line.");
    return false;
}

static const struct lab_exercise exercises[] = {
    {"order", 1, "Name an LSN at which someone could have seen order 7 without its line.", "--at",
     order_without_lines},
    {"btree", 1, "Make three leaf splits with at most 32 keys.", "--keys", three_splits},
    {"btree", 2, "Make five leaf splits or more, none of which leaves fewer than 5 keys on a side.",
     "--keys", middle_cuts},
    {"btree", 3,
     "Choose the size of the rows so that the lab's own keys fill exactly three leaves.",
     "--row-bytes", three_leaves},
    {"log", 1,
     "Let the power go as early as you can so that the commit was acknowledged all the same.",
     "--cut", acknowledged},
    {"log", 2, "Find a lot in which the record that was only written is lost with the torn tail.",
     "--seed", lost_written},
    {"columnar", 1, "Make a query on sales that prunes all row groups but one.", "--sql",
     one_group},
    {"columnar", 2, "Make a query that reads no row group, without the city.", "--sql", no_group},
    {"columnar", 3, "Days drawn by lot: say how many row groups the range of step 3 reads then.",
     "--scatter --answer", scattered_days},
    {"segments", 1, "Write documents of four different words or more that become a single term.",
     "--docs", one_term},
    {"segments", 2,
     "Write two documents, one with a word twice as often or more, for less than twice the score.",
     "--docs --ask", less_than_twice},
    {"hnsw", 1,
     "Choose efSearch so that recall of the 10 nearest is 0.995 or more with the fewest distances.",
     "--ef", least_ef},
    {"hnsw", 2, "Ask where efSearch 3 finds none of the three nearest and 32 finds all.", "--query",
     misled},
    {"relay", 1,
     "Let the power go where a consumer with its offset apart from its effect repeats an event.",
     "--cut", repeats},
    {"timetravel", 1,
     "Name an LSN at which product 101 is there and its old name does not find it.", "--at",
     renamed},
    {"timetravel", 2, "Name the first LSN at which product 101 costs 29.95.", "--at",
     first_cheaper},
    {"hybrid", 1,
     "Ask so that the words alone miss the kettle (101) and words with meaning put it in the first "
     "three.",
     "--ask", meaning_helps},
    {"hybrid", 2, "Ask something whose meaning weighs nothing, and not for HK-1170.", "--ask",
     no_meaning},
    {"reconcile", 1, "Put a row into silver alone that reconciliation calls extra.", "--row",
     invented},
    {"reconcile", 2, "Change one customer in silver alone, and say how many digests find it.",
     "--row --answer", digests},
    {"audit", 1, "Forge a column, not the actor, that verify finds and prove does not.", "--forge",
     only_verify},
    {"audit", 2, "Forge a column so that both find it.", "--forge", both_find},
};

const struct lab_exercise *lab_exercises(size_t *count)
{
    *count = SEAM_ARRAY_LEN(exercises);
    return exercises;
}

const struct lab_exercise *lab_exercise_find(const char *lab, int number)
{
    for (size_t i = 0; i < SEAM_ARRAY_LEN(exercises); i++)
        if (strcmp(exercises[i].lab, lab) == 0 && exercises[i].number == number)
            return &exercises[i];
    return NULL;
}

bool lab_exercise_ready(const struct lab_exercise *e, const struct lab_input *in,
                        struct lab_answer a)
{
    const struct {
        const char *option;
        bool given;
    } all[] = {{"--keys", in->key_count > 0},
               {"--docs", in->doc_count > 0},
               {"--query", in->query != NULL},
               {"--ef", in->ef > 0},
               {"--row-bytes", in->row_bytes > 0},
               {"--cut", in->cut > 0},
               {"--at", in->at > 0},
               {"--scatter", in->scatter},
               {"--sql", in->sql != NULL},
               {"--ask", in->ask != NULL},
               {"--row", in->row != NULL},
               {"--forge", in->forge != NULL},
               {"--seed", in->seed > 0},
               {"--answer", a.given}};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(all); i++) {
        const char *at = strstr(e->options, all[i].option);
        size_t n = strlen(all[i].option);

        if (at != NULL && (at[n] == '\0' || at[n] == ' ') && !all[i].given) return false;
    }
    return true;
}

bool lab_exercise_check(const struct lab_exercise *e, const struct lab *l, struct lab_answer a,
                        struct seam_buf *why)
{
    bool holds = e->judge(l, a, why);

    while (why->size > 0 && why->data[why->size - 1] == ' ') why->size--;
    return holds;
}
