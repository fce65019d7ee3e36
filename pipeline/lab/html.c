/* html - a lab as one page of HTML that needs nothing else.
 *
 * Every step is a section of plain HTML, so the page reads and prints without a script and a screen
 * reader finds headings, paragraphs and marked text; the list of steps is links. The script only
 * hides all steps but one, moves between them (buttons, the list, and the keys: arrows, space,
 * Home, End, n, b, p, g, /), plays, and says the step's title aloud through a live region. The same
 * steps are in the page as JSON (script#lab), for other players. */
#include <stdio.h>
#include <string.h>

#include "engine/text/json.h"
#include "pipeline/lab/draw.h"
#include "pipeline/paper/page.h"

static const char page_script[] =
    "'use strict';\n"
    "(function(){\n"
    "function id(x){return document.getElementById(x);}\n"
    "var steps=Array.prototype.slice.call(document.querySelectorAll('main section'));\n"
    "var links=document.querySelectorAll('#list a'),hash=location.hash,at=0,timer=null;\n"
    "var where=id('where'),live=id('live'),last=steps.length-1;\n"
    "function show(i,focus){\n"
    "  at=Math.max(0,Math.min(last,i));\n"
    "  steps.forEach(function(s,n){s.hidden=n!==at;});\n"
    "  links.forEach(function(a,n){\n"
    "    if(n===at)a.setAttribute('aria-current','step');else "
    "a.removeAttribute('aria-current');});\n"
    "  where.value=at+1;id('done').value=at+1;\n"
    "  id('back').disabled=at===0;id('next').disabled=at===last;\n"
    "  live.textContent='Step '+(at+1)+' of '+steps.length+': '+\n"
    "    steps[at].querySelector('h2').textContent;\n"
    "  document.documentElement.setAttribute('data-step',at+1);\n"
    "  if(focus)steps[at].querySelector('h2').focus();\n"
    "  history.replaceState(null,'','#'+(at+1));}\n"
    "function stop(){if(timer)clearInterval(timer);timer=null;id('play').textContent='Play';}\n"
    "function go(i,focus){stop();show(i,focus);}\n"
    "function play(){\n"
    "  if(timer)return stop();\n"
    "  if(at===last)show(0);\n"
    "  id('play').textContent='Pause';\n"
    "  timer=setInterval(function(){if(at===last)return stop();show(at+1);},4000);}\n"
    "function find(){\n"
    "  var word=id('find').value.toLowerCase(),n,i;\n"
    "  if(!word)return;\n"
    "  for(n=1;n<=steps.length;n++){i=(at+n)%steps.length;\n"
    "    if(steps[i].textContent.toLowerCase().indexOf(word)>=0)return go(i,true);}\n"
    "  live.textContent='No step has '+word;id('found').textContent='not found';}\n"
    "id('back').onclick=function(){go(at-1);};\n"
    "id('next').onclick=function(){go(at+1);};\n"
    "id('play').onclick=play;\n"
    "where.onchange=function(){go(where.value-1);};\n"
    "id('find').onkeydown=function(e){if(e.key==='Enter')find();if(e.key==='Escape')this.blur();};"
    "\n"
    "id('find').oninput=function(){id('found').textContent='';};\n"
    "links.forEach(function(a,n){a.onclick=function(e){e.preventDefault();go(n,true);};});\n"
    "document.addEventListener('keydown',function(e){\n"
    "  var t=e.target.tagName;\n"
    "  if(e.ctrlKey||e.metaKey||e.altKey||t==='INPUT')return;\n"
    "  if(e.key===' '&&(t==='BUTTON'||t==='SUMMARY'))return;\n"
    "  "
    "if(e.target.scrollWidth>e.target.clientWidth&&t==='PRE'&&e.key.indexOf('Arrow')===0)return;\n"
    "  switch(e.key){\n"
    "  case 'n':case 'ArrowRight':go(at+1);break;\n"
    "  case 'b':case 'ArrowLeft':go(at-1);break;\n"
    "  case ' ':go(e.shiftKey?at-1:at+1);break;\n"
    "  case 'Home':go(0);break;\n"
    "  case 'End':go(last);break;\n"
    "  case 'p':play();break;\n"
    "  case 'g':where.focus();where.select();break;\n"
    "  case '/':id('find').focus();break;\n"
    "  default:return;}\n"
    "  e.preventDefault();});\n"
    "window.onhashchange=function(){var h=parseInt(location.hash.slice(1),10);if(h>0)go(h-1);};\n"
    "if(JSON.parse(id('lab').textContent).steps.length!==steps.length)throw new Error('steps "
    "differ');\n"
    "id('bar').hidden=false;\n"
    "show(hash==='#end'?last:(parseInt(hash.slice(1),10)||1)-1);\n"
    "})();\n";

void lab_json(const struct lab *l, struct seam_buf *out)
{
    struct seam_json_writer w;

    seam_jw_init(&w, out);
    seam_jw_object(&w);
    seam_jw_key(&w, "lab");
    seam_jw_str(&w, lab_kind_of(l)->name);
    seam_jw_key(&w, "title");
    seam_jw_str(&w, lab_kind_of(l)->title);
    seam_jw_key(&w, "goal");
    seam_jw_str(&w, lab_kind_of(l)->goal);
    seam_jw_key(&w, "steps");
    seam_jw_array(&w);
    for (size_t i = 0; i < lab_count(l); i++) {
        const struct lab_step *s = lab_at(l, i);

        seam_jw_object(&w);
        seam_jw_key(&w, "title");
        seam_jw_str(&w, s->title);
        seam_jw_key(&w, "story");
        seam_jw_str(&w, s->story);
        seam_jw_key(&w, "lines");
        seam_jw_array(&w);
        for (size_t j = 0; j < s->line_count; j++) seam_jw_str(&w, s->lines[j].text);
        seam_jw_end_array(&w);
        seam_jw_key(&w, "changed"); /* positions in lines */
        seam_jw_array(&w);
        for (size_t j = 0; j < s->line_count; j++)
            if (s->lines[j].changed) seam_jw_uint(&w, j);
        seam_jw_end_array(&w);
        seam_jw_key(&w, "events");
        seam_jw_array(&w);
        for (size_t j = 0; j < s->events_kept; j++) seam_jw_str(&w, s->events[j]);
        seam_jw_end_array(&w);
        seam_jw_key(&w, "event_count");
        seam_jw_uint(&w, s->event_count);
        seam_jw_end_object(&w);
    }
    seam_jw_end_array(&w);
    seam_jw_end_object(&w);
}

/* JSON inside a script element: "</script" must not appear, so every '<' is written as an escape.
 */
static void embed_json(const struct lab *l, struct seam_buf *out)
{
    struct seam_buf json = {0};

    lab_json(l, &json);
    seam_buf_str(out, "<script type=\"application/json\" id=\"lab\">");
    for (size_t i = 0; i < json.size; i++) {
        if (json.data[i] == '<')
            seam_buf_str(out, "\\u003c");
        else
            seam_buf_u8(out, json.data[i]);
    }
    seam_buf_str(out, "</script>\n");
    if (!seam_buf_ok(&json)) out->failed = true;
    seam_buf_free(&json);
}

/* A picture that would be shrunk past reading scrolls instead. */
static bool is_wide(const char *svg)
{
    double width = 0;

    return sscanf(svg, "<svg viewBox=\"0 0 %lf", &width) == 1 && width > SVG_WIDTH;
}

static void section(const struct lab_step *s, size_t i, struct seam_buf *out)
{
    seam_buf_printf(out, "<section aria-labelledby=\"h%zu\"><h2 id=\"h%zu\" tabindex=\"-1\">%zu. ",
                    i + 1, i + 1, i + 1);
    paper_page_words(out, s->title);
    seam_buf_str(out, "</h2>\n<p>");
    paper_page_words(out, s->story);
    seam_buf_str(out, "</p>\n");
    if (s->svg != NULL)
        seam_buf_printf(out, "<figure%s>%s</figure>\n", is_wide(s->svg) ? " class=\"wide\"" : "",
                        s->svg);
    if (s->line_count > 0)
        seam_buf_str(out, "<pre tabindex=\"0\" aria-label=\"The state after this step\">");
    for (size_t j = 0; j < s->line_count; j++) {
        seam_buf_str(out, s->lines[j].changed ? "<mark>" : "");
        paper_page_words(out, s->lines[j].text);
        seam_buf_str(out, s->lines[j].changed ? "</mark>\n" : "\n");
    }
    if (s->line_count > 0) seam_buf_str(out, "</pre>\n");
    if (s->events_kept > 0)
        seam_buf_str(out, "<h3>What the store did, and where in the code</h3>\n"
                          "<pre tabindex=\"0\" aria-label=\"Events\">");
    if (s->event_count > s->events_kept)
        seam_buf_printf(out, "%zu events, then\n", s->event_count - s->events_kept);
    for (size_t j = 0; j < s->events_kept; j++) {
        const char *who = strstr(s->events[j], " | ");

        paper_page_text(out, s->events[j], (size_t)(who - s->events[j]));
        seam_buf_str(out, "  <span class=\"e\">");
        paper_page_words(out, who + 3);
        seam_buf_str(out, "</span>\n");
    }
    if (s->events_kept > 0) seam_buf_str(out, "</pre>\n");
    seam_buf_str(out, "</section>\n");
}

static void head(const char *title, struct seam_buf *out)
{
    seam_buf_str(out,
                 "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                 "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<link "
                 "rel=\"icon\" href=\"data:,\">\n<title>");
    paper_page_words(out, title);
    seam_buf_printf(out, "</title>\n<style>\n%s</style></head>\n<body>\n<h1>", paper_page_style);
    paper_page_words(out, title);
    seam_buf_str(out, "</h1>\n");
}

/* Links to the steps: a table of contents without the script, the way about with it. */
static void step_list(const struct lab *l, struct seam_buf *out)
{
    seam_buf_str(out, "<nav id=\"list\" aria-label=\"All steps\"><ol>\n");
    for (size_t i = 0; i < lab_count(l); i++) {
        seam_buf_printf(out, "<li><a href=\"#h%zu\">", i + 1);
        paper_page_words(out, lab_at(l, i)->title);
        seam_buf_str(out, "</a></li>\n");
    }
    seam_buf_str(out, "</ol></nav>\n");
}

void lab_html(const struct lab *l, struct seam_buf *out)
{
    head(lab_kind_of(l)->title, out);
    seam_buf_str(out, "<p>");
    paper_page_words(out, lab_kind_of(l)->goal);
    seam_buf_printf(
        out,
        " Marked lines are new since the step before. The same in a terminal: <code>seam "
        "lab %s</code>.</p>\n<div class=\"lab\">\n",
        lab_kind_of(l)->name);
    step_list(l, out);
    seam_buf_str(out, "<main>\n");
    for (size_t i = 0; i < lab_count(l); i++) section(lab_at(l, i), i, out);
    seam_buf_printf(
        out,
        "</main>\n</div>\n<nav id=\"bar\" hidden aria-label=\"Move between steps\">"
        "<button id=\"back\">Back</button><button id=\"next\">Next</button>"
        "<button id=\"play\">Play</button>\n<label>Step <input id=\"where\" type=\"number\" "
        "min=\"1\" max=\"%zu\" value=\"1\"></label> of %zu "
        "<progress id=\"done\" max=\"%zu\" value=\"1\" aria-label=\"Steps done\"></progress>\n"
        "<label>Find <input id=\"find\" type=\"search\"></label><span id=\"found\"></span>"
        "<small><kbd>&larr;</kbd> <kbd>&rarr;</kbd> <kbd>space</kbd> <kbd>Home</kbd> "
        "<kbd>End</kbd> <kbd>p</kbd>lay <kbd>g</kbd>o to <kbd>/</kbd> find</small></nav>\n"
        "<p id=\"live\" role=\"status\" style=\"position:absolute;left:-99rem\"></p>\n",
        lab_count(l), lab_count(l), lab_count(l));
    embed_json(l, out);
    seam_buf_printf(out, "<script>\n%s</script>\n</body></html>\n", page_script);
}

void lab_html_index(struct seam_buf *out)
{
    size_t n;
    const struct lab_kind *kinds = lab_kinds(&n);

    head("Labs: step through every store", out);
    seam_buf_str(out,
                 "<main><table><thead><tr><th scope=\"col\">Lab</th><th scope=\"col\">What there "
                 "is to see</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < n; i++) {
        seam_buf_printf(out, "<tr><th scope=\"row\"><a href=\"%s.html\">", kinds[i].name);
        paper_page_words(out, kinds[i].title);
        seam_buf_str(out, "</a></th><td>");
        paper_page_words(out, kinds[i].goal);
        seam_buf_str(out, "</td></tr>\n");
    }
    seam_buf_str(out, "</tbody></table></main>\n</body></html>\n");
}
