"""Pages of my work, of one flow and of one person: who may see them, and what they show."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from flows_app.models import Comment, LessonTarget, Resolution, Status, StepState
from flows_app.runtime.actors import Actor
from flows_app.services.assigning import assign_lesson
from one_project.accounts.models import Membership, Role, User
from one_project.accounts.services.organisations import add_member
from tests.flows.samples import assign, complete, make_flow, move, step, steps
from tests.people import World


def client_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def page(person: User, path: str, **query: str) -> str:
    response = client_of(person).get(path, query)
    assert response.status_code == 200, (path, response.status_code)
    return response.content.decode()


def as_json(person: User, path: str, **query: str) -> Any:
    response = client_of(person).get(path, query, headers={"Accept": "application/json"})
    assert response["Content-Type"] == "application/json"
    return response.json()


def test_my_work_leads_to_the_next_step(world: World) -> None:
    due = timezone.now() - timedelta(days=1)
    target = assign(world, make_flow(world, "Read", "Sign"), due_at=due)
    complete(target, "Read", by=world.bob)
    shown = page(world.bob, "/lessons/")
    key = steps(target)["Sign"].key
    assert f'href="/lessons/{target.pk}/steps/{key}/"' in shown
    assert "Overdue since" in shown
    assert "50 %" in shown
    (line,) = as_json(world.bob, "/lessons/")["lessons"]
    assert (line["percent"], line["is_overdue"], line["next_step"]["name"]) == (50, True, "Sign")


def test_an_empty_list_says_what_will_be_here(world: World) -> None:
    assert "Nothing to do" in page(world.bob, "/lessons/")
    assert "Nothing of your work is like that" in page(world.bob, "/lessons/", due="overdue")


def test_a_queue_has_a_button_to_take_its_work(world: World) -> None:
    made = assign_lesson(
        world.organisation,
        by=Actor(user=world.stella),
        flow=make_flow(world),
        role="member",
        resolution=Resolution.QUEUE,
    )
    shown = page(world.bob, "/lessons/")
    assert f'action="/lessons/{made.targets[0].pk}/claim/"' in shown
    assert "To take" in page(world.bob, "/lessons/", status="take")


def test_who_joins_a_role_finds_its_live_work_at_once(world: World) -> None:
    by = Actor(user=world.stella)
    flow = make_flow(world)
    assign_lesson(world.organisation, by=by, flow=flow, role="member", resolution=Resolution.LIVE)
    late = User.objects.create_user("late@example.test", "x", name="Learner")
    add_member(world.organisation, user=late, role=Role.MEMBER)
    assert [one["flow"]["name"] for one in as_json(late, "/lessons/")["lessons"]] == ["Onboarding"]


def test_a_live_part_is_sent_again_only_when_it_differs(world: World) -> None:
    flow = make_flow(world, "Read", "Sign")
    target = assign(world, flow)
    move(target, "Read", Status.IN_PROGRESS, world.bob)
    stella, bob = client_of(world.stella), client_of(world.bob)
    parts = [
        (bob, "/lessons/", "/lessons/live/"),
        (stella, f"/flows/{flow.pk}/", f"/flows/{flow.pk}/funnel/"),
        (stella, f"/flows/people/{world.bob.pk}/", f"/flows/people/{world.bob.pk}/live/"),
    ]
    versions = [client.get(whole).context["version"] for client, whole, _ in parts]
    for version, (client, _, part) in zip(versions, parts, strict=True):
        assert client.get(part, {"v": version}).status_code == 204
    complete(target, "Read", by=world.bob)
    for version, (client, _, part) in zip(versions, parts, strict=True):
        changed = client.get(part, {"v": version})
        assert changed.status_code == 200
        assert "<main" not in changed.content.decode()


def test_a_filtered_page_asks_for_the_same_again(world: World) -> None:
    assign(world, make_flow(world, "Read"))
    assert "/lessons/live/?status=Not+Started&amp;v=" in page(
        world.bob, "/lessons/", status="Not Started"
    )


def test_the_flow_page_shows_the_funnel_and_who_is_blocked(world: World) -> None:
    flow = make_flow(world, "Read", step("Sign"))
    target = assign(world, flow)
    complete(target, "Read", by=world.bob)
    move(target, "Sign", Status.BLOCKED, world.bob, reason="No <b>pen</b>")
    shown = page(world.stella, f"/flows/{flow.pk}/")
    assert "No &lt;b&gt;pen&lt;/b&gt;" in shown
    assert shown.count("<rect") >= 2
    assert "1<span" in shown
    data = as_json(world.stella, f"/flows/{flow.pk}/")
    assert [one["reached"] for one in data["steps"]] == [1, 1]
    assert (data["people"], data["percent"], data["steps"][0]["median_seconds"]) == (1, 50, 0.0)


def test_a_flow_nobody_has_says_what_to_do(world: World) -> None:
    flow = make_flow(world)
    shown = page(world.stella, f"/flows/{flow.pk}/")
    assert "No one is assigned yet" in shown
    assert f'href="/flows/assign/?flow={flow.pk}"' in shown


def test_a_person_page_shows_work_history_and_comments(world: World) -> None:
    target = assign(world, make_flow(world, "Read", "Sign"))
    move(target, "Read", Status.COMPLETED, world.bob, notes="**Good** <script>alert(1)</script>")
    Comment.objects.create(
        organisation=world.organisation, target=target, author=world.stella, text="How far?"
    )
    gone = assign(world, make_flow(world, "Old", name="Former"))
    assign(world, gone.flow, restart=True)
    shown = page(world.stella, f"/flows/people/{world.bob.pk}/")
    assert "<strong>Good</strong>" in shown
    assert "<script>alert" not in shown
    assert "How far?" in shown
    assert "Restarted" in shown
    data = as_json(world.stella, f"/flows/people/{world.bob.pk}/")
    assert (data["name"], data["counts"]["all"], data["percent"]) == ("Bob", 2, 33)


def test_history_goes_on_page_by_page_without_gaps(world: World) -> None:
    target = assign(world, make_flow(world, "Read"))
    for _ in range(20):
        move(target, "Read", Status.COMPLETED, world.bob)
        move(target, "Read", Status.IN_PROGRESS, world.stella, reason="Again")
    seen: list[int] = []
    bob, cursor = client_of(world.bob), ""
    while True:
        timeline = bob.get("/lessons/history/", {"cursor": cursor}).context["timeline"]
        seen += [entry.seq for entry in timeline.entries]
        if timeline.next_cursor is None:
            break
        cursor = timeline.next_cursor
    assert seen == list(range(41, 0, -1))
    assert client_of(world.bob).get("/lessons/history/", {"cursor": "x"}).status_code == 422


def test_who_has_left_keeps_a_page_and_strangers_have_none(world: World) -> None:
    assign(world, make_flow(world))
    Membership.objects.filter(user=world.bob).update(is_active=False)
    assert "Has left" in page(world.stella, f"/flows/people/{world.bob.pk}/")
    stella = client_of(world.stella)
    assert stella.get(f"/flows/people/{world.charlie.pk}/").status_code == 404


def test_work_of_an_agent_has_a_page_like_that_of_a_person(world: World) -> None:
    flow = make_flow(world)
    assign_lesson(world.organisation, by=Actor(user=world.stella), flow=flow, agent=world.agent)
    path = f"/flows/agents/{world.agent.pk}/"
    assert "Onboarding" in page(world.stella, path)
    assert client_of(world.stella).get(f"{path}live/").status_code == 200
    for person in (world.bob, world.charlie):
        assert client_of(person).get(path).status_code == 404


def test_what_is_saved_past_the_services_is_the_same_on_every_page(world: World) -> None:
    flow = make_flow(world, "Read", "Sign")
    target = assign(world, flow)
    move(target, "Read", Status.IN_PROGRESS, world.bob)
    StepState.objects.filter(target=target).update(
        status=Status.COMPLETED, completed_at=timezone.now()
    )
    assert as_json(world.bob, "/lessons/")["lessons"][0]["percent"] == 50
    assert as_json(world.stella, f"/flows/{flow.pk}/")["percent"] == 50
    assert as_json(world.stella, f"/flows/people/{world.bob.pk}/")["percent"] == 50
    for path in (f"/lessons/{target.pk}/", f"/flows/{flow.pk}/matrix/"):
        assert "50" in page(world.stella, path), path


@pytest.mark.parametrize("path", ["/lessons/", "/flows/people/{bob}/", "/flows/{flow}/"])
def test_a_page_costs_the_same_however_much_there_is(world: World, path: str) -> None:
    flow = make_flow(world, "Read", "Sign")
    path = path.format(bob=world.bob.pk, flow=flow.pk)
    person = world.bob if path == "/lessons/" else world.stella
    client = client_of(person)

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path).status_code == 200
        return len(captured)

    def work(target: LessonTarget, user: User) -> None:
        complete(target, "Read", by=user)
        move(target, "Sign", Status.BLOCKED, user, reason="No pen")

    work(assign(world, flow), world.bob)
    cost()  # what is looked up once for all
    one = cost()
    for number in range(4):
        work(assign(world, make_flow(world, "Read", "Sign", name=f"Flow {number}")), world.bob)
    for someone in (world.adam, world.stella, world.alice):
        work(assign(world, flow, someone), someone)
    assert cost() == one
