"""Agents that act, and the people around them: deciding, asking, taking over, delegating."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.e2e.chat import answers, box, conversation, expect_same, send, share_with, wait_done
from tests.e2e.conftest import SignIn
from tests.e2e.test_safety_and_access import serious

TASK = "Use create_task titled"
# Two model calls and the tool between them, on a busy machine.
SLOW = 40_000


def ask(page: Page, agent: str, text: str) -> None:
    """Begin a thread with the agent."""
    page.goto("/chat/")
    page.locator("label.agent-card").filter(has=page.get_by_text(agent, exact=True)).click()
    send(page, text)
    page.wait_for_url(re.compile(r"/chat/[0-9a-f-]{36}/"))


def card(page: Page, title: str) -> Locator:
    return page.locator("details.call", has=page.get_by_text(title, exact=True))


def asked(page: Page, title: str) -> Locator:
    """The open card of a call that waits for a decision."""
    found = card(page, title)
    expect(found).to_contain_text("Waits for your", timeout=SLOW)
    return found


def ended(page: Page) -> None:
    """The turn is over: nothing is pending, and Send is back."""
    pending = page.locator('article:is([data-status="pending"], [data-status="streaming"])')
    expect(pending).to_have_count(0, timeout=SLOW)
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()


def same_after_a_reload(page: Page) -> None:
    live = conversation(page)
    page.reload()
    expect(page.locator("article").first).to_be_visible()
    expect_same([page], live)


def test_a_plan_of_three_tools_of_which_one_is_approved(sign_in: SignIn) -> None:
    page = sign_in()
    page.locator("label.agent-card").filter(has=page.get_by_text("Assistant", exact=True)).click()
    page.get_by_role("button", name="What time is it in Tokyo").click()
    task = asked(page, "Create a task")
    for title in ("Current time", "Calculator"):
        expect(card(page, title)).to_contain_text("Done in")
    article = page.locator('article[data-kind="tool"]').last
    assert article.get_attribute("aria-label").startswith("Assistant: used")  # type: ignore[union-attr]
    assert serious(page) == []
    inbox = page.get_by_role("link", name="Inbox")
    expect(inbox.locator(".count")).to_contain_text(re.compile(r"\d"))
    task.get_by_role("button", name="Approve", exact=True).click()
    expect(card(page, "Create a task")).to_contain_text("Done in", timeout=SLOW)
    ended(page)
    same_after_a_reload(page)
    inbox.click()
    tick = page.get_by_role("checkbox", name=re.compile("water the plants", re.IGNORECASE)).first
    assert serious(page) == []
    tick.click()
    expect(page.get_by_text("Done (1)")).to_be_visible()


def test_denying_tells_the_agent_why(sign_in: SignIn) -> None:
    page = sign_in()
    ask(page, "Assistant", f"{TASK} 'call the bank'")
    task = asked(page, "Create a task")
    task.get_by_label("Reason for denying").fill("The bank is closed")
    task.get_by_role("button", name="Deny").click()
    expect(card(page, "Create a task")).to_contain_text("Denied by Alex Admin: The bank is closed")
    ended(page)
    expect(answers(page, "success").last).to_contain_text("The bank is closed")
    same_after_a_reload(page)


def test_editing_before_approving(sign_in: SignIn) -> None:
    page = sign_in()
    ask(page, "Assistant", f"{TASK} 'call the bank'")
    task = asked(page, "Create a task")
    task.get_by_text("Edit and approve").click()
    box_ = task.get_by_label("Arguments")
    box_.fill("{not json")
    task.get_by_role("button", name="Approve with these arguments").click()
    expect(task.get_by_role("alert")).to_contain_text("not valid JSON")
    expect(box_).to_have_value("{not json")
    box_.fill('{"title": "visit the bank"}')
    task.get_by_role("button", name="Approve with these arguments").click()
    changed = card(page, "Create a task")
    expect(changed).to_contain_text("visit the bank")
    ended(page)
    changed.locator("summary").first.click()
    expect(changed).to_contain_text("Alex Admin changed the arguments and approved it.")
    expect(changed).to_contain_text("What Assistant proposed")


def test_what_is_being_written_in_a_card_survives_its_changes(sign_in: SignIn) -> None:
    page = sign_in()
    ask(page, "Assistant", f"{TASK} 'call the bank' and use ask_human at the same time")
    task = asked(page, "Create a task")
    question = asked(page, "Ask the person")
    reason = task.get_by_label("Reason for denying")
    reason.fill("Not to")
    question.get_by_label("Answer").fill("Rome")
    question.get_by_role("button", name="Send answer").click()
    expect(card(page, "Ask the person")).to_contain_text("Done")
    expect(reason).to_have_value("Not to")


def test_a_question_is_answered_and_the_turn_goes_on(sign_in: SignIn) -> None:
    page = sign_in()
    ask(page, "Assistant", "Use ask_human to ask me which city I live in")
    question = asked(page, "Ask the person")
    question.get_by_label("Answer").fill("Reykjavik")
    question.get_by_role("button", name="Send answer").click()
    ended(page)
    expect(answers(page, "success").last).to_contain_text("Reykjavik")
    same_after_a_reload(page)


def test_deciding_works_without_javascript(sign_in: SignIn) -> None:
    first = sign_in("learner")
    ask(first, "Assistant", f"{TASK} 'buy paper'")
    asked(first, "Create a task")
    address = first.url
    page = sign_in("learner", java_script_enabled=False)
    page.goto("/chat/inbox/")
    item = page.locator(".inbox-item", has_text="buy paper")
    item.get_by_role("button", name="Approve", exact=True).click()
    page.wait_for_url(re.compile("/chat/inbox/"))
    expect(card(first, "Create a task")).to_contain_text("Done in", timeout=SLOW)
    page.goto(address)
    expect(card(page, "Create a task")).to_be_visible()


def test_a_person_is_called_takes_over_and_hands_back(sign_in: SignIn) -> None:
    lee, sam = sign_in("learner"), sign_in("staff")
    ask(lee, "Guide", "Say hello")
    wait_done(lee)
    lee.get_by_role("button", name="More").click()
    lee.get_by_role("button", name="Call a person").click()
    expect(lee.get_by_text("A person has been asked to come")).to_be_visible()
    sam.get_by_role("link", name="Inbox").click()
    assert serious(sam) == []
    sam.locator(".inbox-item", has_text="Say hello").get_by_role("button", name="Take over").click()
    sam.wait_for_url(lee.url)
    for page in (lee, sam):
        expect(page.get_by_text("Sam Staff has taken over. Agents are silent")).to_be_visible()
    expect(lee.get_by_role("button", name="Hand back")).to_be_hidden()
    send(lee, "Are you there?")
    expect(sam.get_by_role("log")).to_contain_text("Are you there?")
    send(sam, "Yes, I am.")
    expect(lee.get_by_role("log")).to_contain_text("Yes, I am.")
    expect(answers(lee)).to_have_count(1)
    assert serious(lee) == []
    sam.get_by_role("button", name="Hand back").click()
    expect(lee.get_by_text("Agents are silent")).to_be_hidden()
    send(lee, "Say thanks")
    wait_done(lee, 2)
    wait_done(sam, 2)
    expect_same([lee, sam])


def test_an_agent_gives_work_to_another(sign_in: SignIn) -> None:
    page = sign_in()
    ask(page, "Planner", "Delegate to agent Coder: write a function that counts words")
    delegated = card(page, "Delegate to an agent").first
    expect(delegated).to_contain_text("Done in", timeout=SLOW)
    ended(page)
    delegated.locator("summary").first.click()
    delegated.get_by_role("link", name="Open the thread").click()
    expect(page.locator("#thread-agent")).to_contain_text("Part of")
    expect(answers(page, "success")).to_have_count(1)


def test_two_people_and_two_agents_in_one_thread(sign_in: SignIn) -> None:
    alex, sam = sign_in("admin"), sign_in("staff")
    ask(alex, "Guide", "Say one")
    wait_done(alex)
    share_with(alex, "Sam Staff")
    alex.keyboard.press("Escape")
    sam.goto(alex.url)
    box(sam).press_sequentially("@Co")
    sam.get_by_role("group", name="Names").get_by_role("button", name="Coder").click()
    expect(box(sam)).to_have_value("@Coder ")
    box(sam).press_sequentially("say two")
    box(sam).press("Enter")
    second = wait_done(alex, 2)
    assert second.get_attribute("aria-label").startswith("Coder")  # type: ignore[union-attr]
    send(alex, "@Sam what do you think?")
    expect(sam.get_by_role("log")).to_contain_text("what do you think?")
    send(sam, "@Guide say three")
    third = wait_done(alex, 3)
    assert third.get_attribute("aria-label").startswith("Guide")  # type: ignore[union-attr]
    wait_done(sam, 3)
    expect_same([alex, sam])


def test_who_answers_is_chosen_in_the_menu(sign_in: SignIn) -> None:
    page = sign_in()
    ask(page, "Guide", "Say hello")
    wait_done(page)
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Who answers").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Nearest description").check()
    assert serious(page) == []
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("#thread-agent")).to_have_text("The nearest agent answers")
