"""The parser's binding: it frees what it takes, and threads do not disturb each other."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from one_project.common.markdown import commonmark

_MEASURE = """
import resource
from one_project.common.markdown.commonmark import to_html
text = "# hi\\n\\npara *x* [a](http://b.c)\\n\\n" * 300
def render(times):
    for _ in range(times):
        to_html(text)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
first = render(50)
print(render(300) - first)
"""


def test_memory_does_not_grow_with_use():
    # Through cmarkgfm's own wrapper these 300 calls keep 180 MB.
    run = subprocess.run(
        [sys.executable, "-c", _MEASURE], capture_output=True, text=True, check=True, timeout=120
    )
    assert int(run.stdout) < 20_000


def test_the_wrapper_gives_the_same_where_symbols_are_not_exported():
    text = "# a\n\n~~b~~ www.c.test\nd\n\n| e |\n|---|\n| f |\n\n```py\ng\n```\n"
    assert commonmark._wrapped()(text) == commonmark._direct()(text)


def test_threads_render_what_one_would():
    texts = [f"~~{n}~~ www.a{n}.test | *b*\n\n| {n} |\n|---|\n| c |\n" for n in range(400)]
    alone = [commonmark.to_html(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(commonmark.to_html, texts)) == alone
