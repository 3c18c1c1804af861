"""Conversations as people have them: streaming, sharing, stopping, coming back."""

import re

from playwright.sync_api import Route, expect

from tests.e2e.chat import (
    LONG,
    answers,
    body_of,
    box,
    conversation,
    expect_same,
    send,
    share_with,
    wait_done,
    wait_streaming,
)
from tests.e2e.conftest import SignIn


def test_a_first_message_begins_a_thread_and_is_answered(sign_in: SignIn) -> None:
    page = sign_in()
    send(page, "Say hello to the world")
    page.wait_for_url(re.compile(r"/chat/[0-9a-f-]{36}/"))
    answer = wait_done(page)
    assert answer.get_attribute("aria-label").startswith("Guide")  # type: ignore[union-attr]
    own = page.locator('article[data-kind="user"]')
    expect(own).to_have_count(1)
    assert own.get_attribute("aria-label").startswith("Alex Admin")  # type: ignore[union-attr]
    expect(page.get_by_role("heading", level=1)).to_contain_text("Say hello to the world")


def test_a_reload_in_the_middle_loses_nothing(sign_in: SignIn) -> None:
    page = sign_in()
    # Slower, so that a page that loads for seconds still finds the middle.
    send(page, "demo:tokens=400 demo:tps=30 Tell me a long story")
    wait_streaming(page)
    page.reload()
    before = wait_streaming(page, 40).locator(".body").inner_text()
    done = wait_done(page)
    live, whole = conversation(page), body_of(done)
    assert whole.startswith(before[: len(before) // 2])
    page.reload()
    wait_done(page)
    expect_same([page], live)


def test_two_people_and_two_tabs_see_one_answer_arrive(sign_in: SignIn) -> None:
    alex, sam = sign_in("admin"), sign_in("staff")
    send(alex, "Say hi")
    wait_done(alex)
    share_with(alex, "Sam Staff")
    tab = alex.context.new_page()
    tab.goto(alex.url)
    sam.goto(alex.url)
    send(sam, LONG)
    for page in (alex, sam, tab):
        wait_streaming(page)
    for page in (alex, sam, tab):
        wait_done(page, 2)
    expect_same([alex, sam, tab])
    live = conversation(alex)
    sam.reload()
    wait_done(sam, 2)
    expect_same([alex, sam, tab], live)


def test_the_thread_shows_up_in_the_other_persons_list(sign_in: SignIn) -> None:
    alex, sam = sign_in("admin"), sign_in("staff")
    send(alex, "Say something about zebras")
    wait_done(alex)
    share_with(alex, "Sam Staff")
    entry = sam.get_by_role("navigation").get_by_role("link", name="zebras")
    expect(entry.first).to_be_visible()


def test_stop_keeps_what_was_said(sign_in: SignIn) -> None:
    page = sign_in()
    send(page, LONG)
    wait_streaming(page)
    page.get_by_role("button", name="Stop", exact=True).click()
    answer = wait_done(page, timeout=5_000)
    expect(answer).to_contain_text("Stopped")
    assert len(body_of(answer).split()) >= 20
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()


def test_regenerate_answers_again_and_keeps_the_earlier_answer(sign_in: SignIn) -> None:
    page = sign_in()
    send(page, "Say apple")
    wait_done(page)
    first = answers(page).first.get_attribute("data-message-id")
    answers(page).first.hover()
    page.get_by_role("button", name="Regenerate").click()
    expect(page.locator(f"#message-{first}")).to_have_count(0)
    answer = wait_done(page)
    answer.get_by_text("Earlier version").click()
    expect(answer.locator("details.earlier")).to_contain_text("apple")


def test_a_failed_answer_says_why_and_can_be_tried_again(sign_in: SignIn) -> None:
    page = sign_in()
    send(page, "demo:error=400 please")
    failed = answers(page, "failed")
    expect(failed).to_contain_text("Failed to generate a response. Please try again.")
    failed.get_by_role("button", name="Retry").click()
    expect(answers(page, "failed")).to_have_count(1)


def test_editing_the_last_question_asks_again(sign_in: SignIn) -> None:
    page = sign_in()
    send(page, "Say pear")
    wait_done(page)
    page.locator('article[data-kind="user"]').hover()
    page.get_by_role("button", name="Edit").click()
    editor = page.locator(".editing").get_by_role("textbox")
    editor.fill("Say plum")
    page.locator(".editing").get_by_role("button", name="Send").click()
    expect(page.locator('article[data-kind="user"]')).to_contain_text("Say plum")
    expect(wait_done(page)).to_contain_text("plum")


def test_shift_enter_is_a_new_line_and_enter_sends(sign_in: SignIn) -> None:
    page = sign_in()
    box(page).fill("one")
    box(page).press("Shift+Enter")
    box(page).press_sequentially("two")
    expect(box(page)).to_have_value("one\ntwo")
    box(page).press("Enter")
    expect(page.locator('article[data-kind="user"] .body')).to_have_text(re.compile("one\\s+two"))


def test_a_draft_survives_a_reload(sign_in: SignIn) -> None:
    page = sign_in()
    send(page, "Say hi")
    wait_done(page)
    box(page).fill("not yet sent")
    page.reload()
    expect(box(page)).to_have_value("not yet sent")


def test_a_message_that_is_too_long_stays_in_the_box_with_the_reason(sign_in: SignIn) -> None:
    page = sign_in()
    send(page, "Say hi")
    wait_done(page)
    text = "x" * 40_000
    send(page, text)
    expect(page.get_by_role("alert").first).to_contain_text("too long")
    expect(box(page)).to_have_value(text)
    expect(page.locator('article[data-kind="user"]')).to_have_count(1)


def test_a_double_click_on_send_asks_once(sign_in: SignIn) -> None:
    page = sign_in()
    send(page, "Say hi")
    wait_done(page)
    box(page).fill("Say once")
    page.get_by_role("button", name="Send", exact=True).dblclick()
    wait_done(page, 2)
    expect(page.locator('article[data-kind="user"]')).to_have_count(2)


def test_the_finished_answer_is_announced_once(sign_in: SignIn) -> None:
    page = sign_in()
    send(page, "Say hi")
    wait_done(page)
    page.evaluate(
        """() => {
          window.heard = [];
          new MutationObserver(() => {
            const text = document.querySelector('#announcer').textContent.trim();
            if (text) window.heard.push(text);
          }).observe(document.querySelector('#announcer'),
                     {childList: true, characterData: true, subtree: true});
        }"""
    )
    send(page, "Say watermelon")
    wait_done(page, 2)
    page.wait_for_function("() => window.heard.some(text => text.includes('watermelon'))")
    heard = [text for text in page.evaluate("window.heard") if "watermelon" in text]
    assert len(heard) == 1


def test_rename_and_delete_with_undo(sign_in: SignIn) -> None:
    page = sign_in()
    send(page, "Say hi")
    wait_done(page)
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("A better title")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("A better title")
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("navigation").get_by_role("link", name="A better title").first.click()
    expect(page.locator('article[data-kind="user"]')).to_have_count(1)


def test_an_outsider_sees_nothing_of_it(sign_in: SignIn) -> None:
    page = sign_in("admin")
    send(page, "Say secret")
    wait_done(page)
    outsider = sign_in("outsider")
    response = outsider.goto(page.url)
    assert response is not None
    assert response.status == 404
    expect(outsider.locator("body")).not_to_contain_text("secret")


def test_it_works_without_javascript(sign_in: SignIn) -> None:
    page = sign_in("learner", java_script_enabled=False)
    box(page).fill("Say plain HTML")
    page.get_by_role("button", name="Send", exact=True).click()
    page.wait_for_url(re.compile(r"/chat/[0-9a-f-]{36}/"))
    for _ in range(40):
        if answers(page, "success").count():
            break
        page.reload()
    expect(answers(page, "success")).to_contain_text("plain HTML")


def test_a_dialog_closed_while_it_still_asks_stays_closed(sign_in: SignIn) -> None:
    page = sign_in()
    send(page, "Say hello")
    wait_done(page)
    held: list[Route] = []
    page.route(
        "**/people/", lambda route: held.append(route) if is_post(route) else route.continue_()
    )
    page.get_by_role("button", name="People").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Sam Staff").check()
    with page.expect_request(lambda request: request.method == "POST"):
        dialog.get_by_role("button", name="Add").click()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    with page.expect_response(lambda response: response.request.method == "POST"):
        held[0].continue_()
    expect(page.get_by_role("button", name="People (2)")).to_be_visible()
    expect(dialog).to_be_hidden()
    send(page, "Say bye")
    wait_done(page, 2)


def is_post(route: Route) -> bool:
    return route.request.method == "POST"
