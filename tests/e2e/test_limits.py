"""Sending too fast: the text stays, the composer counts down, and then it is sent."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.e2e.chat import box, send
from tests.e2e.conftest import SignIn, Stack, running_stack, signed_in


@pytest.fixture(scope="module")
def limited() -> Iterator[Stack]:
    """The product with a limit on messages that is never full again by chance.

    A bucket gains steadily; where a fixed window ends is random, and may be at once.
    """
    with running_stack({"ONE_LIMIT_MESSAGES_PER_USER": "bucket 1/10s burst 1"}) as stack:
        yield stack


@pytest.fixture
def sign_in(browser: Browser, limited: Stack) -> Iterator[SignIn]:
    with signed_in(browser, limited) as open_page:
        yield open_page


def until_refused(send_one: Callable[[str], Response]) -> tuple[str, Response]:
    """The text that could not be sent, and the answer to it.

    It is the second message, or a later one where the machine is slower than the limit.
    """
    for number in range(10):
        text = f"Say {number}"
        answer = send_one(text)
        if answer.status == 429:
            return text, answer
    raise AssertionError("nothing was refused")


def stop_the_clock(page: Page) -> None:
    """Time stands still on the page, however long it takes to look at it."""
    now = datetime.now(UTC)
    page.clock.install(time=now)
    page.clock.pause_at(now + timedelta(hours=1))


def test_the_composer_counts_down_and_keeps_the_text(sign_in: SignIn) -> None:
    page = sign_in()
    send(page, "Say hi")
    page.wait_for_url(re.compile(r"/chat/[0-9a-f-]{36}/"))
    stop_the_clock(page)

    def press_enter(text: str) -> Response:
        with page.expect_response(lambda response: response.request.method == "POST") as answer:
            send(page, text)
        return answer.value

    text, refusal = until_refused(press_enter)
    button = page.get_by_role("button", name="Send", exact=True)
    countdown = page.get_by_text("You can send again in")
    expect(countdown).to_have_text(f"You can send again in {refusal.headers['retry-after']} s")
    expect(page.get_by_role("alert").first).to_contain_text("Please wait")
    expect(box(page)).to_have_value(text)
    expect(button).to_be_disabled()
    box(page).press("Enter")
    expect(box(page)).to_have_value(text)
    page.clock.resume()
    expect(button).to_be_enabled()
    expect(countdown).to_be_hidden()
    box(page).press("Enter")
    expect(page.locator('article[data-kind="user"][data-position]').last).to_contain_text(text)
    expect(box(page)).to_have_value("")


def test_without_javascript_the_page_comes_back_with_the_text(sign_in: SignIn) -> None:
    page = sign_in("learner", java_script_enabled=False)

    def press_send(text: str) -> Response:
        page.goto("/chat/")
        box(page).fill(text)
        with page.expect_navigation() as arrived:
            page.get_by_role("button", name="Send", exact=True).click()
        return arrived.value

    text, _ = until_refused(press_send)
    expect(page.locator(".dock .notice")).to_contain_text("Please wait")
    expect(box(page)).to_have_value(text)
