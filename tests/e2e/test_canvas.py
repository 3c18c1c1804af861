"""The canvas: an agent begins it, two people write in it at once, nothing is lost."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.e2e.chat import send, share_with
from tests.e2e.conftest import SignIn
from tests.e2e.test_safety_and_access import serious


def canvas(page: Page) -> Locator:
    return page.get_by_role("article", name="Canvas: Canvas", exact=True)


def words(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Text of the canvas")


def shown(page: Page) -> str:
    """The canvas and its switch as HTML, without what depends on the moment."""
    return str(
        page.evaluate(
            """() => ['canvas', 'canvas-switch'].map(id => {
              const part = document.getElementById(id).cloneNode(true);
              part.querySelectorAll('time').forEach(time => time.replaceWith());
              part.querySelectorAll('[class=""]').forEach(one => one.removeAttribute('class'));
              return part.outerHTML.replace(/\\s+/g, ' ').replace(/> </g, '>\\n<');
            }).join('\\n')"""
        )
    )


def test_two_people_write_at_once_and_resolve_the_conflict(sign_in: SignIn) -> None:
    admin = sign_in("admin", viewport={"width": 1440, "height": 900})
    admin.locator("label.agent-card").filter(has=admin.get_by_text("Assistant", exact=True)).click()
    send(admin, 'Write "Buy milk" into the canvas')
    admin.wait_for_url(re.compile(r"/chat/[0-9a-f-]{36}/"))
    expect(canvas(admin)).to_contain_text("Version 1 by Assistant", timeout=40_000)
    share_with(admin, "Sam Staff")
    admin.keyboard.press("Escape")

    # On a phone the canvas is a sheet over the conversation.
    staff = sign_in("staff", viewport={"width": 390, "height": 844})
    staff.goto(admin.url)
    staff.get_by_role("button", name="Canvas", exact=True).click()
    expect(canvas(staff)).to_contain_text("Buy milk")
    staff.get_by_role("button", name="Edit canvas").click()
    words(staff).fill("Buy tea\n\nCall the bank")

    admin.get_by_role("button", name="Edit canvas").click()
    words(admin).fill("Buy coffee")
    admin.get_by_role("button", name="Save").click()
    expect(canvas(admin)).to_contain_text("Version 2 by Alex Admin")
    expect(staff.get_by_text("saved version 2 while you are writing")).to_be_visible()
    expect(words(staff)).to_have_value("Buy tea\n\nCall the bank")
    staff.get_by_role("link", name="See the difference").click()
    expect(staff.get_by_role("dialog").locator("ins")).to_have_text("coffee")
    staff.get_by_role("dialog").get_by_role("button", name="Close").click()

    staff.get_by_role("button", name="Save").click()
    expect(staff.get_by_text("Nothing of yours has been saved yet")).to_be_visible()
    expect(words(staff)).to_have_value("Buy tea\n\nCall the bank")
    assert serious(staff) == []
    words(staff).fill("Buy tea and coffee\n\nCall the bank")
    staff.get_by_role("button", name="Save mine over it").click()

    for page in (admin, staff):
        expect(canvas(page)).to_contain_text("Version 3 by Sam Staff")
        expect(canvas(page)).to_contain_text("Buy tea and coffee")
        live = shown(page)
        page.reload()
        expect(page.locator("#canvas[data-version='3']")).to_be_attached()
        assert shown(page) == live
    assert serious(admin) == []
