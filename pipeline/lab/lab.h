/* lab - a scenario played on the real stores, cut into steps that can be walked back and forth.
 *
 *   scenario --calls--> store --SEAM_TRACE--> trace log --lab_step--> steps --> terminal, or a page
 *
 * A scenario does something with a store, draws the store's state with the store's own dump, and
 * ends the step. The step keeps the drawing, which of its lines are new since the step before, and
 * the events the store traced meanwhile, each with the function and file that did it. Nothing here
 * imitates a store.
 *
 * Everything runs on a simulated disk and clock (engine/io/io_sim.h), so a lab needs no folder, may
 * cut the power, and plays the same for the same input on every machine.
 *
 * Thread-safety: a lab belongs to one thread. Imports: everything. */
#ifndef SEAM_PIPELINE_LAB_H
#define SEAM_PIPELINE_LAB_H

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/trace.h"
#include "engine/io/io_sim.h"

enum { LAB_KEYS_MAX = 512, LAB_DOCS_MAX = 64, LAB_VECTORS_MAX = 1000, LAB_EVENTS_SHOWN = 16 };
enum { LAB_FIGURES_MAX = 16, LAB_ROW_BYTES_MAX = 2000, LAB_EF_MAX = 200 };

/* What the reader may change. Zero means the lab's own. */
struct lab_input {
    const int64_t *keys; /* --keys 5,3,9: keys to insert, in this order   */
    size_t key_count;
    const char *const *docs; /* --docs "a|b|c": texts to index                */
    size_t doc_count;
    const float *vectors; /* --vectors: vector_count x dim, up to LAB_VECTORS_MAX rows */
    size_t vector_count;
    uint32_t dim;
    const float *query; /* --query: dim numbers; NULL = drawn by lot      */
    uint32_t ef, m;     /* --ef, --m: efSearch of the wide search, links a node */
    uint32_t row_bytes; /* --row-bytes: btree: of each row's text           */
    uint32_t cut;       /* --cut: the power goes at this call of the commit */
    int64_t at;         /* --at: an LSN to ask about                        */
    bool scatter;       /* --scatter: columnar: days by lot, not in order   */
    const char *sql;    /* --sql: columnar: a query of one's own            */
    const char *ask;    /* --ask: segments, hybrid: words to search for     */
    const char *row;    /* --row: reconcile: JSON put into silver alone     */
    const char *forge;  /* --forge: audit: COLUMN=VALUE rewritten in event 2 */
    uint64_t seed;      /* of whatever is drawn by lot                    */
};

struct lab_line {
    const char *text;
    bool changed;
};
struct lab_step {
    const char *title;
    const char *story;            /* what happened and what to look at, in sentences     */
    const struct lab_line *lines; /* the drawn state                                     */
    size_t line_count;
    const char *const
        *events;        /* "page_split page=3 new=4 ... | split_page() in oltp/btree_split.c" */
    size_t event_count; /* of which the last LAB_EVENTS_SHOWN are kept           */
    size_t events_kept;
    const char *svg; /* NULL = the lines are the picture                    */
};

/* What a play measured, by name, for whoever judges it (exercise.h). */
struct lab_figure {
    const char *name; /* a literal */
    double value;
};

struct lab;

struct lab_kind {
    const char *name, *title, *goal;
    enum seam_status (*play)(struct lab *l, struct seam_fault *f);
};
/* Every lab there is, in the order to do them. */
const struct lab_kind *lab_kinds(size_t *count);
const struct lab_kind *lab_find(const char *name); /* NULL: there is none */

/* Plays it to the end. SEAM_OK: *out is the caller's until lab_free. */
SEAM_MUST_USE enum seam_status lab_play(const struct lab_kind *kind, const struct lab_input *in,
                                        struct lab **out, struct seam_fault *f);
void lab_free(struct lab *l); /* accepts NULL */
const struct lab_kind *lab_kind_of(const struct lab *l);
size_t lab_count(const struct lab *l);
const struct lab_step *lab_at(const struct lab *l, size_t i);

double lab_figure_of(const struct lab *l, const char *name); /* NAN: the play did not measure it */

/* ---- players ---- */
struct lab_style {
    bool color;
    bool plain;
}; /* plain: no step counter or rule, for golden files and sheets */
void lab_print_step(const struct lab *l, size_t i, struct lab_style style, struct seam_buf *out);
void lab_print(const struct lab *l, struct lab_style style, struct seam_buf *out); /* every step */
/* The step, at or after `from` and round again, with `word` in its title, story, events or lines;
 * SIZE_MAX: none. */
size_t lab_search(const struct lab *l, size_t from, const char *word);
/* One page that needs nothing else: every step is in it as text (no script needed, printable), and
 * as JSON. */
void lab_html(const struct lab *l, struct seam_buf *out);
void lab_json(const struct lab *l, struct seam_buf *out);
void lab_html_index(struct seam_buf *out); /* of NAME.html beside it */

/* ---- for scenarios ---- */
struct lab {
    struct seam_buf draw, story, svg; /* of the step being made: printed into, taken by lab_step */
    bool new_picture;   /* ... its drawing goes on from none before: nothing in it is new */
    struct seam_io *io; /* the simulated disk */
    struct seam_io_sim *disk;
    struct seam_clock_sim clock;
    struct seam_trace *trace;
    struct lab_input in;
    const struct lab_kind *kind;
    struct seam_trace_log *log;
    struct seam_arena arena;
    struct lab_step *steps;
    size_t count, cap;
    struct lab_figure figures[LAB_FIGURES_MAX];
    size_t figure_count;
};
/* Keeps a figure; the last one of a name counts. */
void lab_measured(struct lab *l, const char *name, double value);
/* Ends the step: takes the drawing, the story, and the events since the last one. A step without a
 * drawing keeps the one before. SEAM_NOMEM. */
SEAM_MUST_USE enum seam_status lab_step(struct lab *l, const char *title, struct seam_fault *f);
/* The last step that shows the same picture: has a line of `text` (terminated). Against it a line
 * is new or not; NULL: a picture seen for the first time is all new, and nothing in it is marked.
 */
const struct lab_step *lab_same_picture(const struct lab *l, const char *text);
bool lab_had_line(const struct lab_step *s, const char *line, size_t n);
/* The i-th event of the step being made with this name (NULL: none). */
const struct seam_trace_event *lab_event(const struct lab *l, const char *name, size_t i);
int64_t lab_arg(const struct seam_trace_event *e, const char *name); /* 0 when it has none */

#endif
