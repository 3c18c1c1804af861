"""A newcomer connects a mail server and a Slack, lets an agent send, pauses, rotates the key."""

import os
import re
import subprocess
import sys
from email.message import Message

from playwright.sync_api import Page, expect

from tests.e2e.conftest import NEW_KEY, OLD_KEY, SignIn, Stack
from tests.e2e.test_safety_and_access import serious
from tests.e2e.test_tools import SLOW, ask, asked, ended
from tests.integrations.outside import PASSWORD, TOKEN, USER, Outside


def connect_mail(page: Page, outside: Outside) -> None:
    page.get_by_role("link", name="Connections", exact=True).first.click()
    page.get_by_role("link", name="Connect a service").click()
    page.get_by_placeholder("Search services").fill("smtp")
    page.get_by_placeholder("Search services").press("Enter")
    expect(page.get_by_role("link", name="Slack")).to_have_count(0)
    page.get_by_role("link", name="Mail server").click()
    assert serious(page) == []
    page.get_by_label("Name", exact=True).fill("Office mail")
    page.get_by_label("From", exact=True).fill("office@example.com")
    page.get_by_label("Server", exact=True).fill("127.0.0.1")
    page.get_by_label("Port", exact=True).fill("22")
    page.get_by_label("Encryption").select_option("none")
    page.get_by_label("User name").fill(USER)
    page.get_by_label("Password").fill("canary-e2e-wrong-password")
    page.get_by_role("button", name="Save and test").click()
    # Inside, and not listed by the operator.
    expect(page.locator(".problems")).to_contain_text("Only the usual ports")
    expect(page.get_by_label("Server", exact=True)).to_have_value("127.0.0.1")
    expect(page.get_by_label("Password")).to_have_value("")
    assert serious(page) == []
    page.get_by_label("Port", exact=True).fill(str(outside.mail_port))
    page.get_by_label("User name").fill(USER)
    page.get_by_label("Password").fill("canary-e2e-wrong-password")
    page.get_by_role("button", name="Save and test").click()
    expect(page.get_by_text("It did not work.")).to_be_visible(timeout=SLOW)
    expect(page.locator("#trial")).to_contain_text("Not tested")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Save and test").click()
    works(page)
    assert serious(page) == []


def works(page: Page) -> None:
    trial = page.locator("#trial")
    expect(trial).to_contain_text("It works.", timeout=SLOW)
    expect(trial).to_contain_text("Active")


def connect_slack(page: Page) -> None:
    page.goto("/connections/new/slack/")
    page.get_by_label("Bot token").fill(TOKEN)
    page.get_by_role("button", name="Save and test").click()
    works(page)
    page.get_by_label("Address").fill("#general")
    page.get_by_role("button", name="Add the place").click()
    expect(page.locator("#places").get_by_role("heading", name="#general")).to_be_visible()


def make_tool(page: Page, name: str, does: str, reach: str) -> None:
    page.goto("/agents/tools/")
    page.get_by_role("link", name="Of an integration").click()
    choice = page.get_by_label("What it does")
    choice.select_option(label=does)
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Whom it may reach").select_option(reach)
    page.get_by_role("button", name="Make the tool").click()
    expect(page.get_by_text(f"“{name}” can be given to agents now.")).to_be_visible()


def make_agent(page: Page) -> None:
    page.goto("/agents/new/")
    page.get_by_label("Name", exact=True).fill("Messenger")
    for name in ("office_mail", "office_slack"):
        page.locator(f'input[name="tools"][value="{name}"]').check()
    page.get_by_role("button", name="Make the agent").click()
    expect(page.get_by_role("heading", name="Messenger")).to_be_visible()


def rotate(stack: Stack) -> str:
    """Seal everything with the new key, as an operator would; what the command says."""
    worker = stack.processes("celery")[0]
    environment = {**os.environ, **worker.environ()}
    environment["ONE_CREDENTIAL_KEYS"] = f"{NEW_KEY},{OLD_KEY}"
    command = [sys.executable, "manage.py", "rotate_credentials"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def send_with_approval(page: Page, outside: Outside) -> Message:
    """An agent sends once a person has approved it; the letter that arrived."""
    ask(page, "Messenger", 'Use office_mail to say "The river is rising"')
    waiting = asked(page, "Office mail")
    expect(waiting).to_contain_text("from office@example.com, to Alex Admin")
    assert outside.letters == []
    waiting.get_by_role("button", name="Approve", exact=True).click()
    ended(page)
    assert outside.arrived.wait(30)
    return outside.letters[0]


def look_at_the_delivery(page: Page, message_id: str) -> None:
    page.goto("/connections/")
    page.get_by_role("link", name="Activity", exact=True).click()
    page.locator('a[href*="/deliver"]').first.click()
    expect(page.get_by_text(message_id.strip("<>"))).to_be_visible()
    assert serious(page) == []


def pause_and_ask_again(page: Page, outside: Outside) -> None:
    """Paused, it says so in words, and nothing is sent."""
    page.goto("/connections/")
    page.get_by_role("button", name="Pause Office mail").click()
    expect(page.get_by_text("“Office mail” is paused.")).to_be_visible()
    ask(page, "Messenger", 'Use office_mail to say "And falling again"')
    asked(page, "Office mail").get_by_role("button", name="Approve", exact=True).click()
    ended(page)
    expect(page.locator("#messages")).to_contain_text(re.compile("not active|paused", re.I))
    assert len(outside.letters) == 1


def post_with_the_new_key(page: Page, stack: Stack, outside: Outside) -> None:
    """The key is rotated under a running product, which goes on."""
    assert "Everything is sealed with new" in rotate(stack)
    outside.arrived.clear()
    ask(page, "Messenger", 'Use office_slack in #general to say "Good morning"')
    asked(page, "Office slack").get_by_role("button", name="Approve", exact=True).click()
    ended(page)
    assert outside.arrived.wait(30)
    assert outside.posts[0]["channel"] == "#general"
    assert "Good morning" in outside.posts[0]["text"]


def test_from_nothing_to_a_message_that_arrived(
    sign_in: SignIn, stack: Stack, outside: Outside
) -> None:
    page = sign_in()
    connect_mail(page, outside)
    connect_slack(page)
    page.goto("/connections/")
    assert serious(page) == []
    make_tool(page, "office_mail", "Send an e-mail", "requester")
    make_tool(page, "office_slack", "Post to Slack", "places")
    make_agent(page)
    assert (outside.letters, outside.posts) == ([], [])
    letter = send_with_approval(page, outside)
    assert "admin@one.test" in letter["To"]
    assert "The river is rising" in str(letter)
    look_at_the_delivery(page, letter["Message-ID"])
    pause_and_ask_again(page, outside)
    post_with_the_new_key(page, stack, outside)
    for address in ("/notifications/", "/notifications/preferences/"):
        page.goto(address)
        assert serious(page) == []


def test_connections_on_a_phone_in_the_dark(sign_in: SignIn) -> None:
    page = sign_in("learner", color_scheme="dark", viewport={"width": 390, "height": 844})
    for address in ("/connections/", "/connections/providers/", "/connections/new/smtp/",
                    "/connections/addresses/", "/connections/channels/"):  # fmt: skip
        page.goto(address)
        assert serious(page) == []
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, address
