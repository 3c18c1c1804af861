"""What a person does on the page, by the names they see."""

import time
from collections.abc import Sequence

from playwright.sync_api import Locator, Page, expect

SAME_WITHIN = 10.0  # seconds
LONG = "demo:tokens=400 demo:tps=60 Tell me a long story"

# The other half of the suite runs on this machine at the same time.
expect.set_options(timeout=20_000)


def box(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message", exact=True)


def send(page: Page, text: str) -> None:
    box(page).fill(text)
    box(page).press("Enter")


def answers(page: Page, status: str | None = None) -> Locator:
    state = f'[data-status="{status}"]' if status else ""
    return page.locator(f'article[data-kind="agent"]{state}')


def wait_streaming(page: Page, words: int = 20) -> Locator:
    """The streaming answer, once it has said something."""
    answer = answers(page, "streaming").last
    expect(answer).to_be_visible()
    page.wait_for_function(
        "n => [...document.querySelectorAll('article[data-status=streaming] .body')]"
        ".some(body => body.textContent.split(/\\s+/).length > n)",
        arg=words,
    )
    return answer


def wait_done(page: Page, count: int = 1, timeout: float = 40_000) -> Locator:
    """The last of ``count`` finished answers."""
    expect(answers(page, "success")).to_have_count(count, timeout=timeout)
    return answers(page, "success").last


def body_of(answer: Locator) -> str:
    return answer.locator(".body").inner_text()


def share_with(page: Page, name: str) -> None:
    """Let a member of the organisation take part in the open thread."""
    page.get_by_role("button", name="People").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(name).check()
    dialog.get_by_role("button", name="Add").click()
    expect(page.get_by_role("button", name="People (2)")).to_be_visible()


def expect_same(pages: Sequence[Page], wanted: str | None = None) -> None:
    """The pages come to show the same conversation: ``wanted``, where it is given.

    Waited for, since what has ended on one page may be on its way to another.
    """
    until = time.monotonic() + SAME_WITHIN
    shown = {conversation(page) for page in pages}
    while shown - {wanted or next(iter(shown))} and time.monotonic() < until:
        pages[0].wait_for_timeout(100)
        shown = {conversation(page) for page in pages}
    assert shown == {wanted or next(iter(shown))}


def conversation(page: Page) -> str:
    """The conversation as HTML, without what depends on the moment or on this view."""
    return str(
        page.evaluate(
            """() => {
              const log = document.querySelector('#messages').cloneNode(true);
              log.querySelectorAll('time').forEach(time => { time.textContent = ''; });
              log.querySelectorAll('[data-older], .empty').forEach(extra => extra.remove());
              log.querySelectorAll('article').forEach(article => {
                article.className = 'message';
                article.removeAttribute('data-n');
              });
              log.removeAttribute('data-seq');
              return log.innerHTML.replace(/\\s+/g, ' ').replace(/> </g, '>\\n<').trim();
            }"""
        )
    )
