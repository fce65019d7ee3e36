/* status_page - the platform on one page of HTML: no script, no network, light, dark and print.
 *
 * With --watch the file is replaced whole every so often, and the page asks the browser to read it
 * again. */
#include <inttypes.h>
#include <string.h>

#include "pipeline/cli/status.h"
#include "pipeline/paper/page.h"
#include "pipeline/trust/freshness.h"

/* A bar of at most 10 em; the number stands beside it, so nothing is told by length alone. */
static void bar(struct seam_buf *b, double part, const char *words)
{
    if (part > 1) part = 1;
    seam_buf_printf(b, "<td><span class=\"bar\" style=\"width:%.2fem\"></span> ", part * 10);
    paper_page_words(b, words);
    seam_buf_str(b, "</td>");
}

static void stores(struct seam_buf *b, const struct cli_store_line *lines, size_t n,
                   seam_lsn_t durable)
{
    uint64_t largest = 1;

    for (size_t i = 0; i < n; i++)
        if (lines[i].bytes > largest) largest = lines[i].bytes;
    seam_buf_str(
        b, "<h2>Stores</h2>\n<table><thead><tr><th scope=\"col\">store<th scope=\"col\">applied LSN"
           "<th scope=\"col\">lag<th scope=\"col\">as of (commit time)<th scope=\"col\">size"
           "<th scope=\"col\">process</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n; i++) {
        const struct cli_store_line *l = &lines[i];
        uint64_t behind = durable > l->applied ? durable - l->applied : 0;
        char word[40], when[40];

        seam_buf_str(b, "<tr><th scope=\"row\">");
        paper_page_words(b, l->name);
        seam_buf_str(b, "</th>");
        snprintf(word, sizeof word, "%" PRIu64, l->applied);
        paper_page_cell(b, l->known ? word : "nothing yet");
        paper_page_cell(b, !l->known ? "" : behind == 0 ? "none" : human_bytes(behind, word));
        when[l->wall_us > 0 ? seam_time_format(l->wall_us, when) : 0] = '\0';
        paper_page_cell(b, when);
        bar(b, (double)l->bytes / (double)largest, human_bytes(l->bytes, word));
        paper_page_cell(b, l->invalid ? "must bootstrap" : l->process);
        seam_buf_str(b, "</tr>\n");
    }
    seam_buf_str(b, "</tbody></table>\n");
}

static void seam(struct seam_buf *b, const struct freshness *x)
{
    char lag[40], promise[40], word[96];

    seam_buf_printf(b, "<tr class=\"%s\"><th scope=\"row\">", freshness_verdict_name(x->verdict));
    paper_page_words(b, x->contract->name);
    seam_buf_str(b, "</th>");
    snprintf(word, sizeof word, "%s to %s", x->contract->from, x->contract->to);
    paper_page_cell(b, word);
    paper_page_cell(b, freshness_state_name(x->state));
    human_duration(x->lag_us, lag);
    human_duration((int64_t)(x->contract->fail_s * 1e6), promise);
    snprintf(word, sizeof word, "%s of %s", x->lag_us == 0 ? "nothing waits: 0" : lag, promise);
    bar(b, x->contract->fail_s > 0 ? (double)x->lag_us / 1e6 / x->contract->fail_s : 0, word);
    snprintf(word, sizeof word, "%" PRIu64, x->lag_events);
    paper_page_cell(b, word);
    paper_page_cell(b, freshness_verdict_name(x->verdict));
    seam_buf_str(b, "</tr>\n");
}

static enum seam_status seams(struct cli *c, const struct platform *p, struct seam_buf *b)
{
    struct contracts contracts;
    struct seam_arena arena = {0};
    struct freshness list[CONTRACTS_MAX];
    size_t n = 0;
    enum seam_status st = contracts_load(&arena, &contracts, &c->fault);

    if (st == SEAM_OK) st = freshness_measure(p, &contracts, list, &n, &c->fault);
    seam_buf_str(b,
                 "<h2>Seams, against their contracts</h2>\n<table><thead><tr><th scope=\"col\">seam"
                 "<th scope=\"col\">between<th scope=\"col\">state<th scope=\"col\">age of the "
                 "oldest change that "
                 "waits, of the limit<th scope=\"col\">events<th "
                 "scope=\"col\">verdict</tr></thead>\n<tbody>\n");
    for (size_t i = 0; st == SEAM_OK && i < n; i++) seam(b, &list[i]);
    seam_buf_str(b, "</tbody></table>\n");
    seam_arena_free(&arena);
    return st;
}

int status_page(struct cli *c, const struct platform *p, const struct cli_store_line *lines,
                size_t n, seam_lsn_t durable, const struct cli_page_options *o)
{
    struct seam_buf b = {0};
    char now[40];
    enum seam_status st;

    now[seam_time_format(seam_clock_wall_us(p->clock), now)] = '\0';
    seam_buf_str(&b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                     "<link rel=\"icon\" href=\"data:,\">\n");
    if (o->refresh) seam_buf_str(&b, "<meta http-equiv=\"refresh\" content=\"5\">\n");
    seam_buf_str(&b, "<title>seam: ");
    paper_page_words(&b, p->dir);
    seam_buf_str(&b, "</title>\n<style>\n");
    seam_buf_str(&b, paper_page_style);
    seam_buf_str(&b,
                 "h2{margin-top:1.6rem}summary{cursor:pointer;padding:.15rem 0}"
                 ".bar{display:inline-block;height:.7em;background:var(--hot)}tr.fail td,tr.warn "
                 "td{background:"
                 "var(--mark)}\n</style>\n</head>\n<body>\n<main>\n<h1>");
    paper_page_words(&b, p->dir);
    seam_buf_printf(&b,
                    "</h1>\n<p>Platform %s at %.19s UTC. The log is durable up to LSN %" PRIu64
                    "; every store names the LSN up to which it has applied.</p>\n",
                    p->id, now, durable);
    stores(&b, lines, n, durable);
    st = seams(c, p, &b);
    if (st == SEAM_OK) st = status_trust(c, p, o->groups, &b);
    seam_buf_str(
        &b, "<p>Row by row: <code>seam check DIR reconcile</code>. A number back to its commit: "
            "<code>seam why DIR VIEW KEY</code>.</p>\n</main>\n</body>\n</html>\n");
    if (st == SEAM_OK && !seam_buf_ok(&b))
        st = seam_fault_set(&c->fault, SEAM_NOMEM, o->file, SEAM_FAULT_NO_OFFSET,
                            "no memory for the page");
    if (st == SEAM_OK) st = seam_io_write_atomic(p->io, o->file, b.data, b.size, &c->fault);
    seam_buf_free(&b);
    if (st != SEAM_OK) return cli_fail(c, st);
    if (!c->quiet) printf("wrote %s\n", o->file);
    return EXIT_FINE;
}
