"""Deciding about tool calls over HTTP: who may and who may not, twice, too late, badly."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from agents_app.models import CallStatus, ToolAllowance, ToolCall
from agents_app.providers.parts import ToolCallPart
from chat_app.models import Thread, Turn
from chat_app.services.threads import add_participants
from tests.chat.tools import call, give_tools, propose, registered_tools
from tests.people import World

HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def _tools() -> Iterator[None]:
    with registered_tools():
        yield


@pytest.fixture
def thread(world: World) -> Thread:
    give_tools(world, "look_up", "write_down", "send_out", "destroy", "ask_human")
    return world.thread(world.bob)


def as_person(person: object) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(person)  # type: ignore[arg-type]
    return client


def path(row: ToolCall, verb: str) -> str:
    return f"/chat/{row.thread_id}/calls/{row.pk}/{verb}/"


def args(row: ToolCall) -> dict[str, str]:
    return {"args": row.args_hash}


def test_approving_shows_the_changed_card(world: World, thread: Thread) -> None:
    [row] = propose(world, thread, call("send_out"))
    html = as_person(world.alice).post(path(row, "approve"), args(row), headers=HTMX)
    assert html.status_code == 200
    assert f'id="message-{row.message_id}"' in html.content.decode()
    row.refresh_from_db()
    assert (row.status, row.decided_by) == (CallStatus.APPROVED, world.alice)
    assert "Alice approved it." in html.content.decode()


def test_without_scripts_one_comes_back_to_the_thread_or_the_inbox(
    world: World, thread: Thread
) -> None:
    first, second = propose(world, thread, call("send_out"), call("write_down", key="c2"))
    alice = as_person(world.alice)
    response = alice.post(path(first, "approve"), args(first))
    assert (response.status_code, response["Location"]) == (303, f"/chat/{thread.pk}/")
    response = alice.post(path(second, "deny"), {"next": "inbox"})
    assert (response.status_code, response["Location"]) == (303, "/chat/inbox/")


def test_a_second_decision_changes_nothing(world: World, thread: Thread) -> None:
    [row] = propose(world, thread, call("send_out"))
    alice = as_person(world.alice)
    assert alice.post(path(row, "deny"), {f"reason-{row.pk}": "Too early"}).status_code == 303
    for verb in ("approve", "deny", "allow"):
        assert alice.post(path(row, verb), args(row)).status_code == 409
    row.refresh_from_db()
    assert (row.status, row.reason) == (CallStatus.DENIED, "Too early")


def test_staff_in_the_thread_may_decide_and_other_members_may_not(
    world: World, thread: Thread
) -> None:
    first, second = propose(world, thread, call("send_out"), call("write_down", key="c2"))
    assert as_person(world.bob).post(path(first, "approve"), args(first)).status_code == 404
    assert as_person(world.stella).post(path(first, "approve"), args(first)).status_code == 404
    add_participants(thread, user=world.alice, people=[world.stella])
    assert as_person(world.stella).post(path(first, "approve"), args(first)).status_code == 303
    # Only who asked can say that it need not be asked for.
    assert as_person(world.stella).post(path(second, "allow"), args(second)).status_code == 403
    second.refresh_from_db()
    assert second.status == CallStatus.AWAITING_APPROVAL


def test_another_organisation_sees_nothing(world: World, thread: Thread) -> None:
    [row] = propose(world, thread, call("send_out"))
    charlie = as_person(world.charlie)
    for verb in ("approve", "allow", "deny", "change", "answer", "resolve"):
        assert charlie.post(path(row, verb), args(row)).status_code == 404
    assert charlie.get(f"/chat/{thread.pk}/calls/{row.pk}/").status_code == 404


def test_a_call_is_found_in_its_own_thread_only(world: World, thread: Thread) -> None:
    [row] = propose(world, thread, call("send_out"))
    other = world.thread()
    alice = as_person(world.alice)
    assert alice.post(f"/chat/{other.pk}/calls/{row.pk}/approve/").status_code == 404
    assert alice.get(f"/chat/{other.pk}/calls/{row.pk}/").status_code == 404


def test_other_arguments_than_those_seen_are_not_approved(world: World, thread: Thread) -> None:
    [row] = propose(world, thread, call("send_out"))
    assert as_person(world.alice).post(path(row, "approve"), {"args": "x"}).status_code == 409


def test_what_has_expired_is_too_late(world: World, thread: Thread) -> None:
    [row] = propose(world, thread, call("send_out"))
    ToolCall.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    alice = as_person(world.alice)
    response = alice.post(path(row, "approve"), args(row), headers=HTMX)
    assert (response.status_code, response["HX-Retarget"]) == (409, "#notices")
    assert "decided already" in response.content.decode()


def test_edited_arguments_are_a_new_call(world: World, thread: Thread) -> None:
    [row] = propose(world, thread, call("send_out"))
    form = {f"arguments-{row.pk}": '{"text": "coffee"}', **args(row)}
    html = as_person(world.alice).post(path(row, "change"), form, headers=HTMX).content.decode()
    new = ToolCall.objects.get(replaces=row)
    assert (new.status, new.arguments) == (CallStatus.APPROVED, {"text": "coffee"})
    assert "Alice changed the arguments and approved it." in html
    assert "What Guide proposed" in html
    assert f'data-call-id="{row.pk}"' not in html


@pytest.mark.parametrize("text", ["", "{not json", "[1]", '{"wrong": 1}', "\x00", '{"text": 5}'])
def test_arguments_that_cannot_be_used_are_said_beside_them(
    world: World, thread: Thread, text: str
) -> None:
    [row] = propose(world, thread, call("send_out"))
    alice, form = as_person(world.alice), {f"arguments-{row.pk}": text, **args(row)}
    response = alice.post(path(row, "change"), form, headers=HTMX)
    assert (response.status_code, response["HX-Retarget"]) == (422, f"#wrong-{row.pk}")
    page = alice.post(path(row, "change"), form)
    assert page.status_code == 422
    assert 'aria-label="Arguments"' in page.content.decode()
    row.refresh_from_db()
    assert row.status == CallStatus.AWAITING_APPROVAL


def test_typed_arguments_are_kept_on_the_page(world: World, thread: Thread) -> None:
    [row] = propose(world, thread, call("send_out"))
    form = {f"arguments-{row.pk}": '{"text": <b>', **args(row)}
    html = as_person(world.alice).post(path(row, "change"), form).content.decode()
    assert "{&quot;text&quot;: &lt;b&gt;</textarea>" in html


def test_all_calls_of_a_step_are_approved_at_once(world: World, thread: Thread) -> None:
    rows = propose(world, thread, call("send_out"), call("write_down", key="c2"))
    address = f"/chat/{thread.pk}/messages/{rows[0].message_id}/approve/"
    assert as_person(world.bob).post(address).status_code == 404
    assert as_person(world.alice).post(address).status_code == 303
    assert as_person(world.alice).post(address).status_code == 303
    found = ToolCall.objects.filter(message_id=rows[0].message_id)
    assert {row.status for row in found} == {CallStatus.APPROVED}


def test_always_allowing_is_remembered_and_taken_back(world: World, thread: Thread) -> None:
    row, harm = propose(world, thread, call("write_down"), call("destroy", key="c2"))
    alice = as_person(world.alice)
    assert alice.post(path(row, "allow"), args(row)).status_code == 303
    assert ToolAllowance.objects.get().tool_name == "write_down"
    assert alice.post(path(harm, "allow"), args(harm)).status_code == 403
    html = alice.get(f"/chat/{thread.pk}/answering/", headers=HTMX).content.decode()
    assert "Used here without asking you" in html
    alice.post(f"/chat/{thread.pk}/ask-again/", {"tool": "write_down"})
    assert not ToolAllowance.objects.exists()


def question(world: World, thread: Thread) -> ToolCall:
    [row] = propose(world, thread, ToolCallPart("c1", "ask_human", {"question": "Tea or <b>?"}))
    ToolCall.objects.filter(pk=row.pk).update(status=CallStatus.WAITING)
    return row


def test_the_answer_to_a_question_is_its_result(world: World, thread: Thread) -> None:
    row = question(world, thread)
    alice = as_person(world.alice)
    page = alice.get(f"/chat/{thread.pk}/").content.decode()
    assert "Tea or &lt;b&gt;?" in page
    assert "Send answer" in page
    assert alice.post(path(row, "answer"), {f"answer-{row.pk}": " "}).status_code == 422
    assert alice.post(path(row, "answer"), {f"answer-{row.pk}": "Tea"}).status_code == 303
    assert alice.post(path(row, "answer"), {f"answer-{row.pk}": "Coffee"}).status_code == 409
    row.refresh_from_db()
    assert row.told == "Tea"
    # The turn goes on by itself.
    assert Turn.objects.get(pk=row.turn_id).status == "queued"


def test_a_person_settles_what_nobody_knows(world: World, thread: Thread) -> None:
    [row] = propose(world, thread, call("send_out"))
    ToolCall.objects.filter(pk=row.pk).update(
        status=CallStatus.UNKNOWN, error_code="outcome_unknown", expires_at=None
    )
    alice = as_person(world.alice)
    assert "It did not happen" in alice.get(f"/chat/{thread.pk}/").content.decode()
    assert alice.post(path(row, "resolve"), {"happened": "maybe"}).status_code == 422
    assert as_person(world.bob).post(path(row, "resolve"), {"happened": "1"}).status_code == 404
    html = alice.post(path(row, "resolve"), {"happened": "0"}, headers=HTMX).content.decode()
    assert "it did not happen" in html
    assert alice.post(path(row, "resolve"), {"happened": "1"}).status_code == 409


def test_a_long_result_is_read_on_request(world: World, thread: Thread) -> None:
    [row] = propose(world, thread, call("send_out"))
    ToolCall.objects.filter(pk=row.pk).update(status=CallStatus.SUCCEEDED, output="word " * 1000)
    bob = as_person(world.bob)
    page = bob.get(f"/chat/{thread.pk}/").content.decode()
    assert "Show all" in page
    assert page.count("word ") < 500
    for headers in ({}, HTMX):
        html = bob.get(f"/chat/{thread.pk}/calls/{row.pk}/", headers=headers).content.decode()
        assert html.count("word ") == 1000


def test_a_turn_reads_as_one_answer(world: World, thread: Thread) -> None:
    [row] = propose(world, thread, call("send_out"))
    html = as_person(world.alice).get(f"/chat/{thread.pk}/").content.decode()
    assert 'aria-label="Guide: used Send out, waits for a decision"' in html
    [answer] = Turn.objects.get(pk=row.turn_id).messages.filter(kind="agent")
    article = html.split(f'id="message-{answer.pk}"')[1].split(">")[0]
    assert "data-empty" in article
    assert "data-continued" not in article
    results = html.split(f'id="message-{row.message_id}"')[1].split(">")[0]
    assert "data-continued" in results


def test_what_was_said_beside_a_call_is_seen(world: World, thread: Thread) -> None:
    propose(world, thread, call("send_out"), text="I will send it.")
    html = as_person(world.alice).get(f"/chat/{thread.pk}/").content.decode()
    assert "I will send it." in html
    assert "data-empty" not in html


@pytest.mark.parametrize("arguments", ["{broken", {"text": "<script>alert(1)</script>"}, {}])
def test_hostile_arguments_are_only_text(world: World, thread: Thread, arguments: Any) -> None:
    propose(world, thread, ToolCallPart("c1", "send_out", arguments))
    response = as_person(world.alice).get(f"/chat/{thread.pk}/")
    assert response.status_code == 200
    assert "<script>alert" not in response.content.decode()
