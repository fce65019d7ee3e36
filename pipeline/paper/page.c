/* page - HTML that stands alone: escaped words, cells, the head with its style. */
#include "pipeline/paper/page.h"

#include <string.h>

const char paper_page_style[] =
    ":root{color-scheme:light "
    "dark;accent-color:var(--hot);--fg:#1b1b1b;--bg:#fdfdfb;--dim:#595959;\n"
    "--mark:#ffe8a3;--line:#c9c9c2;--hot:#a03c00;--two:#8fb8de;--soft:#f3f2ec}\n"
    "@media(prefers-color-scheme:dark){:root{--fg:#e8e6e0;--bg:#17181a;--dim:#a8a8a1;\n"
    "--mark:#5a4700;--line:#44464a;--hot:#ffb37a;--two:#2f5f8f;--soft:#202124}}\n"
    "body{color:var(--fg);background:var(--bg);font:17px/1.5 system-ui,sans-serif;\n"
    "max-width:84rem;"
    "margin:0 auto;padding:1rem 1.2rem 5rem}\n"
    "h1{font-size:1.7rem;line-height:1.2;margin:.4rem 0}h2{font-size:1.3rem;margin:.2rem 0 .6rem}\n"
    "h3{font-size:1rem;margin:1.2rem 0 .4rem;color:var(--dim)}h2:focus{outline:none}\n"
    "p{max-width:46rem}a{color:var(--hot)}\n"
    "pre{font:14px/1.45 ui-monospace,monospace;overflow-x:auto;border:1px solid var(--line);\n"
    "border-radius:6px;padding:.7rem;margin:.6rem 0}\n"
    "code{font-family:ui-monospace,monospace;font-size:.93em}\n"
    "mark{background:var(--mark);color:inherit}pre .e{color:var(--dim)}\n"
    "figure{margin:.8rem 0;padding:.4rem;overflow-x:auto;background:var(--soft);\n"
    "border-radius:6px}\n"
    "svg{height:auto;max-width:100%;min-width:30rem}figure.wide svg{max-width:none}\n"
    "svg text{fill:var(--fg);font:13px ui-monospace,monospace}\n"
    "svg .dim{fill:var(--dim);font-size:12px}svg .changed{fill:var(--hot);font-weight:bold}\n"
    "svg .box{fill:none;stroke:var(--fg)}svg .edge{stroke:var(--dim);fill:none}\n"
    "svg .fill{fill:var(--mark);stroke:none}svg .hotfill{fill:var(--hot);fill-opacity:.35}\n"
    "svg .second{fill:var(--two)}svg .hot{stroke:var(--hot);fill:var(--mark);stroke-width:2}\n"
    "svg .off{fill:none;stroke:var(--dim);stroke-dasharray:4 4}\n"
    "svg .path{stroke:var(--hot);fill:none;stroke-width:2}svg .broken{stroke-dasharray:3 3}\n"
    "svg .dot{fill:var(--dim)}svg .seen{fill:var(--two);stroke:var(--fg)}\n"
    "svg .query{fill:var(--hot)}svg .ring{fill:none;stroke:var(--hot);stroke-width:2}\n"
    "svg .link{stroke:var(--line)}\n"
    ".lab{display:grid;grid-template-columns:15rem minmax(0,1fr);gap:2rem;align-items:start}\n"
    "#list{position:sticky;top:1rem;font-size:.93rem}#list ol{padding-left:1.6rem;margin:.4rem 0}\n"
    "#list li{margin:.3rem 0}#list a{color:inherit;text-decoration:none}\n"
    "#list a:hover{text-decoration:underline}\n"
    "#list a[aria-current]{font-weight:bold;border-left:3px solid var(--hot);padding-left:.4rem}\n"
    "#bar{position:fixed;bottom:0;left:0;right:0;background:var(--bg);padding:.5rem 1.2rem;\n"
    "border-top:1px solid var(--line);display:flex;gap:.5rem;align-items:center;flex-wrap:wrap}\n"
    "#bar[hidden]{display:none}#bar progress{flex:1 1 6rem;max-width:14rem}\n"
    "button,input{font:inherit;padding:.25rem .7rem}input[type=number]{width:4.2rem}\n"
    "input[type=search]{width:9rem}#bar small{color:var(--dim)}\n"
    "kbd{font:inherit;font-family:ui-monospace,"
    "monospace;border:1px solid var(--line);border-radius:4px;padding:0 .3rem}\n"
    ":focus-visible{outline:3px solid var(--hot);outline-offset:1px}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}caption{text-align:left}\n"
    "td,th{text-align:left;padding:.25rem 1rem .25rem 0;border-bottom:1px solid var(--line);\n"
    "vertical-align:top}\n"
    "@media(max-width:60rem){.lab{display:block}#list{position:static}#bar small{display:none}\n"
    "svg{max-width:none;min-width:0}table{display:block;overflow-x:auto}section{margin-top:1rem}}\n"
    "@media print{#bar,#list{display:none}.lab{display:block}\n"
    "section[hidden]{display:block!important}\n"
    "figure,svg{break-inside:avoid}pre{white-space:pre-wrap}h2,h3{break-after:avoid}\n"
    "body{max-width:none;padding:0;font-size:11pt}svg,figure.wide svg{max-width:100%;min-width:0}\n"
    "figure{overflow:visible}details{display:block}}\n";

void paper_page_text(struct seam_buf *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '<')
            seam_buf_str(out, "&lt;");
        else if (s[i] == '>')
            seam_buf_str(out, "&gt;");
        else if (s[i] == '&')
            seam_buf_str(out, "&amp;");
        else if (s[i] == '"')
            seam_buf_str(out, "&quot;");
        else
            seam_buf_u8(out, (uint8_t)s[i]);
    }
}

void paper_page_words(struct seam_buf *out, const char *s)
{
    paper_page_text(out, s, strlen(s));
}

void paper_page_cell(struct seam_buf *out, const char *s)
{
    seam_buf_str(out, "<td>");
    paper_page_words(out, s);
    seam_buf_str(out, "</td>");
}
