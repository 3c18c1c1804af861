"""The product's dialect: what a person sees for ordinary Markdown."""

import re

import pytest
from django.utils.safestring import SafeString

from one_project.common.markdown import MAX_RENDER_BYTES, render
from tests.common.markdown.audit import audit

CODE = (
    '<div class="code"><div class="code-head"><span class="code-lang">{language}</span>'
    '<button type="button" class="copy-code" data-copy="code">Copy</button></div>'
    '<pre tabindex="0"><code class="language-{language}">{html}</code></pre></div>'
)
LINK = '<a target="_blank" rel="noopener noreferrer nofollow ugc" href="{0}">{1}</a>'


def test_it_is_safe_and_an_empty_text_is_empty():
    assert isinstance(render("x"), SafeString)
    assert render("") == render(" \n\t\n") == ""


def test_a_paragraph_keeps_its_line_breaks_and_chooses_its_direction():
    assert render("a\nb").strip() == '<p dir="auto">a<br>\nb</p>'


def test_headings_begin_below_the_pages_own():
    found = re.findall(r"<(h\d)", render("# a\n## b\n### c\n#### d\n##### e\n###### f"))
    assert found == ["h3", "h4", "h5", "h6", "h6", "h6"]


def test_a_code_block_is_coloured_by_classes_only():
    html = '<span class="k">def </span><span class="nf">f</span>(): <span class="k">pass\n</span>'
    assert render("```python\ndef f(): pass\n```") == CODE.format(language="python", html=html)


@pytest.mark.parametrize(
    ("info", "language"),
    [
        ("", "text"),
        ("Python", "python"),
        ("js {1,3}", "js"),
        ("c++", "c++"),
        ("c#", "c#"),
        ("py:app/x.py", "py"),
        ("{.python}", "text"),
        ('"><b>', "text"),
        ("nonsense", "nonsense"),
    ],
)
def test_the_language_is_the_first_plain_word(info, language):
    assert f'<code class="language-{language}">' in render(f"~~~{info}\n1\n~~~")


def test_indented_code_and_code_in_a_list_have_the_same_shape():
    plain = CODE.format(language="text", html="x &lt; y\n")
    assert render("    x < y") == plain
    assert plain in render("1. a\n\n   ```\n   x < y\n   ```\n2. b")


def test_long_code_and_long_lines_stay_plain_and_whole():
    for code in ("x = 1\n" * 5_000, "x = '" + "a" * 600 + "'\n"):
        html = render(f"```python\n{code}```")
        assert html == CODE.format(language="python", html=code)


def test_only_so_much_code_of_one_text_is_coloured():
    block = "```python\n" + "x = 1\n" * 800 + "```\n"
    blocks = render(block * 5).split('<div class="code">')[1:]
    assert ['<span class="mi">' in each for each in blocks] == [True, True, True, False, False]


def test_a_table_scrolls_by_itself_and_keeps_its_alignment():
    html = render("| a | b |\n|:--|--:|\n| `x` | ~~y~~ |")
    head = '<div class="table-scroll" tabindex="0" role="region" aria-label="Table">'
    assert html.startswith(head + '<table dir="auto">')
    assert html.endswith("</table></div>\n")
    assert '<td align="left"><code>x</code></td>' in html
    assert '<td align="right"><del>y</del></td>' in html


def test_task_boxes_are_glyphs():
    html = render("- [ ] a\n- [x] b\n\n  c\n- [X] d\n- [y] e\n- [ ]f")
    assert "".join(re.findall("[☐☑]", html)) == "☐☑☑"
    assert "[y] e" in html


def test_numbering_goes_on_where_the_text_says():
    html = render("1. a\n\n```\nx\n```\n\n2. b\n3. c")
    assert re.findall(r"<ol[^>]*>", html) == ["<ol>", '<ol start="2">']


def test_a_picture_is_a_link_with_its_description_and_place():
    assert LINK.format("https://a.test/x", "cat (a.test)") in render("![cat](https://a.test/x)")
    assert LINK.format("https://a.test/x", "Image (a.test)") in render("![](https://a.test/x)")
    assert (
        audit(render("![cat](data:image/png;base64,AA==) ![](x.png)")).text.strip() == "cat Image"
    )


def test_a_picture_in_a_link_is_the_links_text():
    html = render("[![cat](https://a.test/x)](https://b.test)")
    assert LINK.format("https://b.test", "cat") + ' <span class="host">(b.test)</span>' in html


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("[docs](https://a.test/x)", "a.test"),
        ("[a.test](https://b.test)", "b.test"),
        ("[https://a.test.evil.test/](https://evil.test)", "evil.test"),
        ("[a.test.evil](https://a.test)", "a.test"),
        ("[x](https://A.test:8080/)", "a.test:8080"),
        ("[mail us](mailto:a@b.test)", "a@b.test"),
        ("[пример](https://пример.рф/)", "xn--e1afmkfd.xn--p1ai"),
        ("[аpple.com](https://аpple.com)", "xn--pple-43d.com"),
        ("[x](http://[::1]:80/)", "[::1]:80"),
    ],
)
def test_the_host_is_shown_where_the_text_does_not_begin_with_it(text, host):
    assert f'</a> <span class="host">({host})</span>' in render(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://a.test/x?b=1&c=2",
        "www.a.test",
        "<https://a.test>",
        "[a.test/docs](https://a.test/docs)",
        "[**https://a.test**](https://a.test)",
        "me@a.test",
    ],
)
def test_the_host_is_not_said_twice(text):
    html = render(text)
    assert "<a " in html
    assert "host" not in html


def test_references_are_shown_as_written():
    assert audit(render("[a][1]\n\n[1]: https://a.test")).text.split() == [
        "[a][1]",
        "[1]:",
        "https://a.test",
    ]


def test_controls_and_direction_overrides_are_gone():
    text = "a\x00b\x1ec\u202ed\u2066e\ud800f\ufeffg\ufffeh\x85i\x7fj"
    assert audit(render(text)).text.strip() == "abcdefghij"
    assert audit(render("\ud83d\ude00")).text.strip() == "\U0001f600"
    assert render("a\r\nb\rc") == render("a\nb\nc")


@pytest.mark.parametrize(
    "line", ["word " * 60 + "\n", "- item here\n", "w" * 99, "é" * 50 + " ", "    code\n", "> q\n"]
)
def test_a_text_longer_than_the_parser_takes_is_rendered_to_the_end(line):
    text = line * (3 * MAX_RENDER_BYTES // len(line)) + "THE END"
    found = audit(render(text))
    assert found.faults == []
    shown = re.sub(r"textCopy|[\s>-]", "", found.text)
    assert shown == re.sub(r"[\s>-]", "", text)


def test_deep_nesting_keeps_its_text_and_loses_its_depth():
    for text in (">" * 5_000 + "end", "> - " * 2_000 + "end", "*a **b " * 3_000 + "c** d*" * 3_000):
        found = audit(render(text))
        assert found.faults == []
        assert found.depth <= 40
    assert "end" in audit(render("> " * 5_000 + "end")).text


def test_a_table_too_wide_is_shown_as_text():
    wide = "|" + "a|" * 100 + "\n|" + "-|" * 100 + "\n"
    found = audit(render(wide))
    assert "table" not in found.tags
    assert found.text.count("a|") == 100
    assert "table" in audit(render("|a|b|\n|-|-|\n" + "|1|2|\n" * 2_000)).tags
