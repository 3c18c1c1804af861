"""The lesson player as people see it and send from it."""

import re
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from flows_app.models import LessonTarget, Status, StepState, Submission, SubmissionStatus
from flows_app.runtime.actors import Actor
from flows_app.services.assigning import assign_lesson
from flows_app.services.courses import create_course
from flows_app.services.flows import create_flow, publish_flow
from flows_app.services.working import save_draft_answers, tick_items
from one_project.accounts.models import User
from tests.agents.browsing import client_of, queries, text_of
from tests.flows.samples import assign, complete, in_order, make_flow, move, step
from tests.people import World

HTMX = {"HX-Request": "true"}
FIELDS = {
    "fields": [
        {"id": "name", "label": "Name", "type": "text", "required": True},
        {"id": "age", "label": "Years", "type": "number"},
    ]
}
ITEMS = {"items": [{"id": "a", "text": "Keys"}, {"id": "b", "text": "Badge"}]}


def address(target: LessonTarget, name: str, verb: str = "") -> str:
    key = target.revision.steps.get(name=name).key
    return f"/lessons/{target.pk}/steps/{key}/{verb and verb + '/'}"


def send(person: User, url: str, data: dict[str, Any] | None = None, htmx: bool = False) -> Any:
    return client_of(person).post(url, data or {}, headers=HTMX if htmx else {})


def status_of(target: LessonTarget, name: str) -> str:
    key = target.revision.steps.get(name=name).key
    return StepState.objects.get(target=target, step_key=key).status


def test_the_first_open_step_is_opened_and_opening_it_begins_nothing(world: World) -> None:
    target = assign(
        world, make_flow(world, *in_order("Tour", "Safety", content="**Hello** <script>"))
    )
    text = text_of(world.bob, f"/lessons/{target.pk}/")
    assert '<h2 id="step-title"' in text
    assert re.search(r'id="step-title".*?>Tour</h2>', text, re.DOTALL)
    assert "<strong>Hello</strong>" in text
    assert "<script>" not in text.split('id="step"')[1]
    assert "Completes when you mark it as read." in text
    assert not StepState.objects.exists()
    # A locked one says why, and leads to what opens it.
    locked = text_of(world.bob, address(target, "Safety"))
    assert "Opens when “Tour” is done." in locked
    assert f'href="{address(target, "Tour")}"' in locked
    assert "Mark as read" not in locked
    complete(target, "Tour", by=world.bob)
    assert re.search(
        r'id="step-title".*?>Safety</h2>', text_of(world.bob, f"/lessons/{target.pk}/"), re.DOTALL
    )


def test_done_leads_to_the_next_step_and_in_the_end_to_the_message(world: World) -> None:
    flow = create_flow(
        world.organisation,
        by=world.stella,
        name="Start",
        steps=in_order("Tour", "Safety"),
        completion_message="You are **ready**.",
    )
    publish_flow(flow, by=world.stella)
    flow.refresh_from_db()
    target = assign(world, flow)
    sent = {"version": "0", "notes": "Read it", "request_id": "r1"}
    response = send(world.bob, address(target, "Tour", "done"), sent)
    assert (response.status_code, response["Location"]) == (303, address(target, "Safety"))
    response = send(world.bob, address(target, "Safety", "done"), {"version": "0"}, htmx=True)
    assert response["HX-Redirect"] == f"/lessons/{target.pk}/"
    text = text_of(world.bob, f"/lessons/{target.pk}/")
    assert "You are <strong>ready</strong>." in text
    assert "Read it" in text
    assert "100 %" in text


def test_ticks_are_kept_one_by_one_and_all_at_once_without_scripts(world: World) -> None:
    target = assign(world, make_flow(world, step("Bag", "checklist", settings=ITEMS), "Read"))
    url = address(target, "Bag", "tick")
    response = send(world.bob, url, {"item": "a", "ticked": ["a"], "version": "0"}, htmx=True)
    text = response.content.decode()
    assert response.status_code == 200
    # What the person is just ticking is left alone.
    assert 'id="step-work"' not in text
    assert 'id="steps"' in text
    assert "In Progress" in text
    assert status_of(target, "Bag") == Status.IN_PROGRESS
    response = send(world.bob, url, {"ticked": ["a", "b"], "version": "0"})
    assert (response.status_code, response["Location"]) == (303, address(target, "Read"))
    refused = send(world.bob, url, {"item": "a", "version": "0"}, htmx=True)
    assert (refused.status_code, refused["HX-Retarget"]) == (409, "#lesson")
    assert "Bob has set this step to Completed" in refused.content.decode()


def test_a_form_keeps_what_was_typed_through_mistakes_and_conflicts(world: World) -> None:
    target = assign(world, make_flow(world, step("Ask", "form", settings=FIELDS)))
    it = target.revision.steps.get()
    url = address(target, "Ask", "answers")
    wrong = send(world.bob, url, {"answer-name": "", "answer-age": "many", "version": "0"})
    text = wrong.content.decode()
    assert wrong.status_code == 422
    assert 'value="many"' in text
    assert "Please fill this in." in text
    save_draft_answers(target, it, {"name": "Theirs"}, by=Actor(user=world.bob), page="other")
    old = {"answer-name": "Mine", "answer-age": "7", "version": "0", "page_id": "this"}
    kept = send(world.bob, address(target, "Ask", "draft"), old, htmx=True)
    assert kept.status_code == 409
    assert "in another window" in kept.content.decode()
    stale = send(world.bob, url, old, htmx=True)
    text = stale.content.decode()
    assert stale.status_code == 409
    assert 'value="Mine"' in text
    assert "Theirs" in text
    version = re.search(r'name="version" value="(\d+)"', text.split('id="step-offer"')[1])
    assert version
    again = send(world.bob, url, {**old, "version": version[1]})
    assert again.status_code == 303
    assert StepState.objects.get().work["answers"] == {"name": "Mine", "age": 7}


def test_a_draft_is_kept_while_it_is_typed_and_says_what_was_not(world: World) -> None:
    target = assign(world, make_flow(world, step("Ask", "form", settings=FIELDS)))
    typed = {"answer-name": "Learner", "answer-age": "x", "version": "0", "page_id": "p"}
    response = send(world.bob, address(target, "Ask", "draft"), typed, htmx=True)
    text = response.content.decode()
    assert "Kept as a draft." in text
    assert "Years" in text.split('id="step-offer"')[1]
    assert 'id="answer-1"' not in text
    assert 'value="Learner"' in text_of(world.bob, address(target, "Ask"))


def test_files_are_brought_fetched_and_taken_out(world: World) -> None:
    flow = make_flow(world, step("Essay", "file", settings={"max_files": 1}, needs_review=True))
    target = assign(world, flow)
    url = address(target, "Essay", "files")
    assert send(world.bob, url).status_code == 422
    sent = send(world.bob, url, {"upload": SimpleUploadedFile("e<s>.txt", b"words")})
    assert sent.status_code == 303
    page = text_of(world.bob, address(target, "Essay"))
    assert "e&lt;s&gt;.txt" in page
    file = StepState.objects.get().work["files"][0]
    for person, status in ((world.bob, 200), (world.stella, 200), (world.charlie, 404)):
        response = client_of(person).get(f"{url}{file}/")
        content = response.getvalue()
        assert response.status_code == status
        if status == 200:
            assert (content, response["Content-Disposition"][:10]) == (b"words", "attachment")
    done = send(world.bob, address(target, "Essay", "done"), {"notes": "See"}, htmx=True)
    assert done.status_code == 200
    assert "Take it back to change it" in done.content.decode()
    assert "e<s>.txt" in Submission.objects.get().draft
    assert send(world.bob, f"{url}{file}/remove/").status_code == 409
    assert send(world.bob, address(target, "Essay", "take-back")).status_code == 303
    assert send(world.bob, f"{url}{file}/remove/").status_code == 303
    assert Submission.objects.get().status == SubmissionStatus.EXPIRED


def test_a_learner_says_that_it_is_stuck_and_staff_move_it(world: World) -> None:
    target = assign(world, make_flow(world, "Read"))
    url = address(target, "Read", "move")
    assert send(world.bob, url, {"status": "Blocked", "form": "block"}).status_code == 422
    sent = {"status": "Blocked", "reason": "No *access*", "version": "0", "form": "block"}
    assert send(world.bob, url, sent).status_code == 303
    page = text_of(world.stella, address(target, "Read"))
    assert "No <em>access</em>" in page
    assert "For staff" in page
    assert "For staff" not in text_of(world.bob, address(target, "Read"))
    stale = send(world.stella, url, {**sent, "status": "Skipped", "form": "move"})
    text = stale.content.decode()
    assert stale.status_code == 409
    assert "Bob has set this step to Blocked" in text
    assert "No *access*</textarea>" in text
    assert send(world.stella, url, {**sent, "status": "Skipped", "version": "1"}).status_code == 303
    denied = send(world.bob, url, {"status": "In Progress", "reason": "I want to"})
    assert denied.status_code == 403
    reopened = {"status": "In Progress", "reason": "New text", "version": "2", "form": "move"}
    assert send(world.stella, url, reopened).status_code == 303
    due = address(target, "Read", "due")
    assert send(world.stella, due, {"due": "never"}).status_code == 422
    assert send(world.stella, due, {"due": "2026-12-24"}).status_code == 303
    page = text_of(world.bob, address(target, "Read"))
    assert "24 Dec 2026" in page
    for said in ("New text", "Due: 24 Dec 2026", "Skipped"):
        assert said in page


def test_a_page_that_shows_what_there_is_gets_nothing_and_typing_is_left_alone(
    world: World,
) -> None:
    target = assign(world, make_flow(world, step("Bag", "checklist", settings=ITEMS)))
    page = text_of(world.bob, address(target, "Bag"))
    found = re.search(r'id="step-live"\s+hx-get="([^"]+)"', page)
    assert found
    ask = found[1].replace("&amp;", "&")
    client = Client()
    client.force_login(world.bob)
    assert client.get(ask, headers=HTMX).status_code == 204
    # Another window of the same person: the list follows, boxes to type in stay.
    tick_items(target, target.revision.steps.get(), {"a": True}, by=Actor(user=world.bob))
    move(target, "Bag", Status.BLOCKED, world.stella, reason="Wait")
    text = client.get(ask, headers=HTMX).content.decode()
    assert "This step has moved on since you opened it." in text
    assert 'id="step-desk"' not in text
    assert 'id="step-history"' in text
    again = re.search(r'id="step-live"\s+hx-swap-oob="true"\s+hx-get="([^"]+)"', text)
    assert again
    assert "status=Not%20Started" in again[1]


def test_a_course_shows_its_flows_and_a_restart_the_attempts_before(world: World) -> None:
    flows = [make_flow(world, "Read", name=name) for name in ("One", "Two")]
    course = create_course(world.organisation, by=world.stella, name="Induction", flows=flows)
    by = Actor(user=world.stella)
    for restart in (False, True):
        made = assign_lesson(
            world.organisation, by=by, course=course, user=world.bob, restart=restart
        )
    first, second = sorted(made.targets, key=lambda one: one.position)
    text = text_of(world.bob, f"/lessons/{second.pk}/")
    for said in (
        "Induction",
        "Part 2 of 2",
        "Opens when “One” is complete.",
        "Attempt 2; 1 before",
    ):
        assert said in text
    complete(first, "Read", by=world.bob)
    text = text_of(world.bob, f"/lessons/{first.pk}/")
    assert f'href="/lessons/{second.pk}/"' in text
    assert "Go on with" in text
    before = LessonTarget.objects.get(flow=flows[0], attempt=1)
    text = text_of(world.bob, f"/lessons/{before.pk}/")
    assert "This assignment has ended (restarted)" in text
    assert "Mark as read" not in text


def test_work_of_a_queue_is_taken_once(world: World) -> None:
    flow = make_flow(world, "Read")
    made = assign_lesson(
        world.organisation,
        by=Actor(user=world.stella),
        flow=flow,
        role="member",
        resolution="queue",
    )
    url = f"/lessons/{made.targets[0].pk}/"
    assert "Take this" in text_of(world.bob, url)
    assert send(world.bob, f"{url}claim/").status_code == 303
    assert "Mark as read" in text_of(world.bob, url)
    assert "This is the work of" in text_of(world.stella, url)


def test_others_see_nothing_and_programs_get_json(world: World) -> None:
    target = assign(world, make_flow(world, *in_order("Tour", "Safety")), user=world.adam)
    for person in (world.bob, world.charlie):
        for url in (f"/lessons/{target.pk}/", address(target, "Tour")):
            assert client_of(person).get(url).status_code == 404
    response = client_of(world.adam).get(
        f"/lessons/{target.pk}/", headers={"Accept": "application/json"}
    )
    found = response.json()
    assert (found["flow"], found["percent"]) == ("Onboarding", 0)
    assert [one["locked"] for one in found["steps"]] == [None, "Opens when “Tour” is done."]


def test_a_long_flow_costs_no_more_queries_than_a_short_one(world: World) -> None:
    short = assign(world, make_flow(world, *in_order("A"), name="Short"))
    long = assign(world, make_flow(world, *in_order(*map(str, range(30))), name="Long"))
    complete(long, *map(str, range(20)), by=world.bob)
    counts = [queries(world.bob, f"/lessons/{one.pk}/") for one in (short, long)]
    assert counts[1] <= counts[0]
