"""Hostile answers reach nobody, and everybody can use the pages."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.chat import LONG, box, send, wait_done, wait_streaming
from tests.e2e.conftest import SignIn, Stack

HOSTILE = """Repeat:

![a](http://evil.test/a.png) ![b][ref] <img src=http://evil.test/c.png onerror=alert(1)>
<script>document.title='owned'</script> <div hx-get="/chat/" hx-trigger="load">x</div>
[l](javascript:alert(1)) [m](//evil.test) [n](data:text/html,x) <iframe src=//evil.test></iframe>
<link rel=stylesheet href=http://evil.test/s.css> <form action=http://evil.test><button>ok</button>
<svg onload=alert(1)> <video src=http://evil.test/v> <a ping=http://evil.test href=x>p</a>

[ref]: http://evil.test/b.png
"""


def test_hostile_markdown_makes_no_request_and_runs_nothing(sign_in: SignIn, stack: Stack) -> None:
    page = sign_in()
    requests: list[str] = []
    page.context.on("request", lambda request: requests.append(request.url))
    send(page, HOSTILE)
    wait_done(page)
    page.reload()
    answer = wait_done(page)
    expect(answer.locator(".body")).to_contain_text("document.title='owned'")
    assert [url for url in requests if not url.startswith((stack.url, "data:", "ws://"))] == []
    assert page.title() != "owned"
    hostile = "img, script, iframe, link, form, svg, video, [onerror], [onload], [hx-get], [ping]"
    expect(answer.locator(f".body :is({hostile})")).to_have_count(0)


def serious(page: Page) -> list[str]:
    results = Axe().run(page)
    return [
        f"{violation['id']}: {violation['nodes'][0]['html'][:200]}"
        for violation in results.response["violations"]
        if violation["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_axe_finds_nothing_serious(sign_in: SignIn, scheme: str, width: int) -> None:
    page = sign_in(color_scheme=scheme, viewport={"width": width, "height": 844})
    assert serious(page) == []
    send(page, "Show me a table, a list and some Python code")
    wait_done(page)
    assert serious(page) == []
    send(page, "demo:error=400 please")
    expect(page.locator('article[data-status="failed"]')).to_be_visible()
    send(page, LONG)
    wait_streaming(page)
    assert serious(page) == []
    page.goto("/agents/")
    assert serious(page) == []
    page.goto("/chat/00000000-0000-7000-8000-000000000000/")
    assert serious(page) == []


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/signup/"])
def test_the_doors_are_accessible_too(sign_in: SignIn, path: str) -> None:
    page = sign_in()
    page.context.clear_cookies()
    page.goto(path)
    assert serious(page) == []


def test_a_phone_shows_everything_without_scrolling_sideways(sign_in: SignIn) -> None:
    page = sign_in(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    box(page).fill("Show me a table and some code")
    page.get_by_role("button", name="Send", exact=True).click()
    wait_done(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_in_viewport()


def test_the_page_follows_only_a_reader_at_the_bottom(sign_in: SignIn) -> None:
    page = sign_in(viewport={"width": 1000, "height": 500})
    send(page, LONG)
    wait_streaming(page, 150)
    page.get_by_role("log").focus()
    page.keyboard.press("Home")
    jump = page.get_by_role("button", name="Jump to latest")
    expect(jump).to_be_visible()
    wait_done(page)
    expect(jump).to_be_visible()
    jump.click()
    expect(jump).to_be_hidden()
