/* html - a lab as one page of HTML that needs nothing else.
 *
 * Every step is a section of plain HTML, so the page reads and prints without a script and a screen reader finds
 * headings, paragraphs and marked text. The script only hides all steps but one, moves between them (buttons, and the
 * keys n, b, p, g and the arrows), plays, and says the step's title aloud through a live region. The same steps are in
 * the page as JSON (script#lab), for other players.                                                  */
#include <string.h>

#include "engine/json.h"
#include "pipeline/lab/lab.h"
#include "pipeline/page.h"

static const char page_script[] =
    "'use strict';\n"
    "(function(){\n"
    "var steps=Array.prototype.slice.call(document.querySelectorAll('main "
    "section')),nav=document.querySelector('nav');\n"
    "var "
    "hash=location.hash,at=0,timer=null,where=document.getElementById('where'),live=document."
    "getElementById('live');\n"
    "function show(i,focus){at=Math.max(0,Math.min(steps.length-1,i));\n"
    "  steps.forEach(function(s,n){s.hidden=n!==at;});where.value=at+1;\n"
    "  live.textContent='Step '+(at+1)+' of '+steps.length+': "
    "'+steps[at].querySelector('h2').textContent;\n"
    "  document.documentElement.setAttribute('data-step',at+1);\n"
    "  if(focus)steps[at].querySelector('h2').focus();history.replaceState(null,'','#'+(at+1));}\n"
    "function "
    "stop(){if(timer)clearInterval(timer);timer=null;document.getElementById('play').textContent='"
    "Play';}\n"
    "function play(){if(timer)return stop();document.getElementById('play').textContent='Pause';\n"
    "  timer=setInterval(function(){if(at+1>=steps.length)return stop();show(at+1);},3000);}\n"
    "function find(){var w=document.getElementById('find').value.toLowerCase();if(!w)return;\n"
    "  for(var n=1;n<=steps.length;n++){var i=(at+n)%steps.length;\n"
    "    if(steps[i].textContent.toLowerCase().indexOf(w)>=0)return "
    "show(i,true);}live.textContent='Not found: '+w;}\n"
    "document.getElementById('back').onclick=function(){stop();show(at-1);};\n"
    "document.getElementById('next').onclick=function(){stop();show(at+1);};\n"
    "document.getElementById('play').onclick=play;\n"
    "where.onchange=function(){show(where.value-1);};\n"
    "document.getElementById('find').onchange=find;\n"
    "document.addEventListener('keydown',function(e){if(e.ctrlKey||e.metaKey||e.altKey||e.target."
    "tagName==='INPUT')return;\n"
    "  if(e.key==='n'||e.key==='ArrowRight')show(at+1);else "
    "if(e.key==='b'||e.key==='ArrowLeft')show(at-1);\n"
    "  else if(e.key==='p')play();else "
    "if(e.key==='g'){where.focus();where.select();e.preventDefault();}\n"
    "  else if(e.key==='/'){document.getElementById('find').focus();e.preventDefault();}\n"
    "  else if(e.key==='Home')show(0);else if(e.key==='End')show(steps.length-1);});\n"
    "if(JSON.parse(document.getElementById('lab').textContent).steps.length!==steps.length)throw "
    "new Error('steps differ');\n"
    "nav.hidden=false;var h=parseInt(hash.slice(1),10);show(h>0?h-1:0);\n"
    "if(hash==='#end'){for(var i=0;i<steps.length;i++)show(i);}\n"
    "})();\n";

static void text(const char *s, struct buf *out)
{
    page_text(out, s, strlen(s));
}

void lab_json(const struct lab *l, struct buf *out)
{
    struct json_writer w;

    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "lab");
    jw_str(&w, lab_kind_of(l)->name);
    jw_key(&w, "title");
    jw_str(&w, lab_kind_of(l)->title);
    jw_key(&w, "goal");
    jw_str(&w, lab_kind_of(l)->goal);
    jw_key(&w, "steps");
    jw_array(&w);
    for (size_t i = 0; i < lab_count(l); i++) {
        const struct lab_step *s = lab_at(l, i);

        jw_object(&w);
        jw_key(&w, "title");
        jw_str(&w, s->title);
        jw_key(&w, "story");
        jw_str(&w, s->story);
        jw_key(&w, "lines");
        jw_array(&w);
        for (size_t j = 0; j < s->line_count; j++)
            jw_str(&w, s->lines[j].text);
        jw_end_array(&w);
        jw_key(&w, "changed"); /* positions in lines */
        jw_array(&w);
        for (size_t j = 0; j < s->line_count; j++)
            if (s->lines[j].changed) jw_uint(&w, j);
        jw_end_array(&w);
        jw_key(&w, "events");
        jw_array(&w);
        for (size_t j = 0; j < s->events_kept; j++)
            jw_str(&w, s->events[j]);
        jw_end_array(&w);
        jw_key(&w, "event_count");
        jw_uint(&w, s->event_count);
        jw_end_object(&w);
    }
    jw_end_array(&w);
    jw_end_object(&w);
}

/* JSON inside a script element: "</script" must not appear, so every '<' is written as an escape.      */
static void embed_json(const struct lab *l, struct buf *out)
{
    struct buf json = {0};

    lab_json(l, &json);
    buf_str(out, "<script type=\"application/json\" id=\"lab\">");
    for (size_t i = 0; i < json.size; i++) {
        if (json.data[i] == '<')
            buf_str(out, "\\u003c");
        else
            buf_u8(out, json.data[i]);
    }
    buf_str(out, "</script>\n");
    if (!buf_ok(&json)) out->failed = true;
    buf_free(&json);
}

static void section(const struct lab_step *s, size_t i, struct buf *out)
{
    buf_printf(out, "<section aria-labelledby=\"h%zu\"><h2 id=\"h%zu\" tabindex=\"-1\">%zu. ",
               i + 1, i + 1, i + 1);
    text(s->title, out);
    buf_str(out, "</h2>\n<p>");
    text(s->story, out);
    buf_str(out, "</p>\n");
    if (s->svg != NULL) buf_printf(out, "%s\n", s->svg);
    if (s->line_count > 0)
        buf_str(out, "<pre tabindex=\"0\" aria-label=\"The state after this step\">");
    for (size_t j = 0; j < s->line_count; j++) {
        buf_str(out, s->lines[j].changed ? "<mark>" : "");
        text(s->lines[j].text, out);
        buf_str(out, s->lines[j].changed ? "</mark>\n" : "\n");
    }
    if (s->line_count > 0) buf_str(out, "</pre>\n");
    if (s->events_kept > 0) buf_str(out, "<h3>What the store did</h3>\n<pre tabindex=\"0\">");
    if (s->event_count > s->events_kept)
        buf_printf(out, "%zu events, then\n", s->event_count - s->events_kept);
    for (size_t j = 0; j < s->events_kept; j++) {
        const char *who = strstr(s->events[j], " | ");

        page_text(out, s->events[j], (size_t)(who - s->events[j]));
        buf_str(out, "  <span class=\"e\">");
        text(who + 3, out);
        buf_str(out, "</span>\n");
    }
    if (s->events_kept > 0) buf_str(out, "</pre>\n");
    buf_str(out, "</section>\n");
}

static void head(const char *title, struct buf *out)
{
    buf_str(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                 "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<link "
                 "rel=\"icon\" href=\"data:,\">\n<title>");
    text(title, out);
    buf_printf(out, "</title>\n<style>\n%s</style></head>\n<body>\n<h1>", page_style);
    text(title, out);
    buf_str(out, "</h1>\n");
}

void lab_html(const struct lab *l, struct buf *out)
{
    head(lab_kind_of(l)->title, out);
    buf_str(out, "<p>");
    text(lab_kind_of(l)->goal, out);
    buf_printf(out,
               " Marked lines are new since the step before. The same in a terminal: <code>seam "
               "lab %s</code>.</p>\n<main>\n",
               lab_kind_of(l)->name);
    for (size_t i = 0; i < lab_count(l); i++)
        section(lab_at(l, i), i, out);
    buf_printf(out,
               "</main>\n<nav hidden aria-label=\"Steps\"><button id=\"back\">Back</button><button "
               "id=\"next\">Next</button>"
               "<button id=\"play\">Play</button><label>Step <input id=\"where\" type=\"number\" "
               "min=\"1\" max=\"%zu\" value=\"1\"></label>"
               "<label>Find <input id=\"find\" type=\"search\" size=\"12\"></label> keys: n b p g "
               "/</nav>\n"
               "<p id=\"live\" role=\"status\" style=\"position:absolute;left:-99rem\"></p>\n",
               lab_count(l));
    embed_json(l, out);
    buf_printf(out, "<script>\n%s</script>\n</body></html>\n", page_script);
}

void lab_html_index(struct buf *out)
{
    size_t n;
    const struct lab_kind *kinds = lab_kinds(&n);

    head("Labs: step through every store", out);
    buf_str(
        out,
        "<main><table><thead><tr><th>Lab</th><th>What there is to see</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "<tr><td><a href=\"%s.html\">", kinds[i].name);
        text(kinds[i].title, out);
        buf_str(out, "</a></td><td>");
        text(kinds[i].goal, out);
        buf_str(out, "</td></tr>\n");
    }
    buf_str(out, "</tbody></table></main>\n</body></html>\n");
}
