"""Sending too fast: the text stays, the composer counts down, and then it is sent."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.chat import box, send, wait_done
from tests.e2e.conftest import SignIn, Stack, running_stack, signed_in


@pytest.fixture(scope="module")
def limited() -> Iterator[Stack]:
    """The product with the limit on messages that people have by default, a little longer."""
    with running_stack({"ONE_LIMIT_MESSAGES_PER_USER": "window 1/8s burst 1"}) as stack:
        yield stack


@pytest.fixture
def sign_in(browser: Browser, limited: Stack) -> Iterator[SignIn]:
    with signed_in(browser, limited) as open_page:
        yield open_page


def test_the_composer_counts_down_and_keeps_the_text(sign_in: SignIn) -> None:
    page = sign_in()
    send(page, "Say hi")
    wait_done(page)
    send(page, "Say one")
    send(page, "Say two")
    button = page.get_by_role("button", name="Send", exact=True)
    expect(page.get_by_text("You can send again in")).to_be_visible()
    expect(page.get_by_role("alert").first).to_contain_text("Please wait")
    assert "Say two" in box(page).input_value()
    expect(button).to_be_disabled()
    box(page).press("Enter")
    expect(button).to_be_enabled(timeout=15_000)
    expect(page.get_by_text("You can send again in")).to_be_hidden()
    box(page).press("Enter")
    expect(page.locator('article[data-kind="user"]').last).to_contain_text("Say two")


def test_without_javascript_the_page_comes_back_with_the_text(sign_in: SignIn) -> None:
    page = sign_in("learner", java_script_enabled=False)
    for text in ("Say one", "Say two", "Say three"):
        page.goto("/chat/")
        box(page).fill(text)
        page.get_by_role("button", name="Send", exact=True).click()
        if page.locator(".dock .notice").count():
            break
    expect(page.locator(".dock .notice")).to_contain_text("Please wait")
    expect(box(page)).to_have_value(text)
