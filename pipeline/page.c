#include "pipeline/page.h"

const char page_style[] =
    ":root{color-scheme:light "
    "dark;--fg:#1b1b1b;--bg:#fdfdfb;--dim:#5c5c5c;--mark:#ffe8a3;--line:#c9c9c2;--hot:#a03c00}\n"
    "@media(prefers-color-scheme:dark){:root{--fg:#e8e6e0;--bg:#17181a;--dim:#a3a39c;--mark:#"
    "5a4700;--line:#44464a;--hot:#ffb37a}}\n"
    "body{color:var(--fg);background:var(--bg);font:17px/1.5 "
    "system-ui,sans-serif;max-width:66rem;margin:0 auto;padding:1rem}\n"
    "pre{font:14px/1.45 ui-monospace,monospace;overflow-x:auto;border:1px solid "
    "var(--line);border-radius:6px;padding:.7rem}\n"
    "mark{background:var(--mark);color:inherit}pre "
    ".e{color:var(--dim)}svg{max-width:100%;height:auto}\n"
    "svg text{fill:var(--fg);font:12px ui-monospace,monospace}svg "
    ".box{fill:none;stroke:var(--fg)}svg .edge{stroke:var(--dim);fill:none}\n"
    "svg .fill{fill:var(--mark);stroke:none}svg .hot{stroke:var(--hot);fill:var(--hot)}svg "
    ".path{stroke:var(--hot);fill:none;stroke-width:2}\n"
    "svg .dot{fill:var(--dim)}svg .ring{fill:none;stroke:var(--hot);stroke-width:2}\n"
    "nav button,nav input{font:inherit;padding:.3rem "
    ".8rem;margin-right:.3rem}nav{position:sticky;bottom:0;background:var(--bg);padding:.6rem 0;"
    "border-top:1px solid var(--line)}nav[hidden]{display:none}:focus-visible{outline:3px solid "
    "var(--hot)}\n"
    "table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0}\n"
    "@media "
    "print{nav{display:none}section[hidden]{display:block!important}section{break-inside:avoid}"
    "body{max-width:none}}\n";

void page_text(struct buf *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '<')
            buf_str(out, "&lt;");
        else if (s[i] == '>')
            buf_str(out, "&gt;");
        else if (s[i] == '&')
            buf_str(out, "&amp;");
        else if (s[i] == '"')
            buf_str(out, "&quot;");
        else
            buf_u8(out, (uint8_t)s[i]);
    }
}
