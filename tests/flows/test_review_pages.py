"""The review queue and the page of one submission, for those who may see them."""

import pytest
from django.test import Client

from agents_app.models import ToolCall
from flows_app.models import Status, Submission, SubmissionStatus
from flows_app.services.reviews import approve, reject
from tests.flows.samples import move
from tests.flows.test_reviews import draft_again, drafted, essay
from tests.people import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(world: World) -> Client:
    client = Client()
    client.force_login(world.adam)
    return client


def page(client: Client, path: str, status: int = 200) -> str:
    response = client.get(f"/flows/reviews/{path}")
    assert response.status_code == status
    return response.content.decode()


def test_the_queue_shows_the_oldest_first(world: World, staff: Client) -> None:
    second = drafted(world, flow="Welcome")
    Submission.objects.filter(pk=second.pk).update(cost=1_234_567)
    first = essay(world, world.stella)
    Submission.objects.filter(pk=first.pk).update(submitted_at="2020-01-01T00:00Z")
    text = page(staff, "")
    assert "2 wait for a review" in text
    assert text.index(str(first.pk)) < text.index(str(second.pk))
    assert "Waits too long" in text
    assert "$1.234567" in text
    # Narrowed to one flow, or to what the person has to do with.
    assert str(first.pk) not in page(staff, f"?flow={second.target.flow_id}")
    assert "Nothing like that waits" in page(staff, "?show=mine")


def test_the_live_part_is_sent_only_when_it_has_changed(world: World, staff: Client) -> None:
    made = drafted(world)
    response = staff.get("/flows/reviews/")
    again = f"/flows/reviews/live/?{response.context['live_query']}"
    assert staff.get(again).status_code == 204
    approve(made, by=world.alice)
    assert staff.get(again).status_code == 200


def test_the_page_shows_what_led_to_the_draft(world: World, staff: Client) -> None:
    made = drafted(world, text="Dear all\n<script>x</script>\n**Bold**", content="Be kind.")
    reject(made, by=world.alice, reason="Shorter")
    second = draft_again(made.target, "Dear you\n**Bold**", world.stella)
    ToolCall.objects.create(
        organisation=world.organisation, thread_id=second.thread_id, call_id="c", name="calculator",
        arguments={"expression": "1+1"}, args_hash="h", status="succeeded", told="2", output="2",
    )  # fmt: skip
    text = page(staff, f"{second.pk}/")
    assert "<strong>Bold</strong>" in text
    assert "Changed since try 1" in text
    assert "Shorter" in text
    assert "<del>all</del>" in text
    assert "1+1" in text
    assert "&gt; Be kind." in text
    assert "<script>x" not in page(staff, f"{made.pk}/")


def test_a_decision_leads_back_to_the_queue(world: World, staff: Client) -> None:
    made = drafted(world)
    path = f"/flows/reviews/{made.pk}/"
    final = {"final": "Dear everybody", "version": made.state_version}
    response = staff.post(f"{path}approve/", final)
    assert (response.status_code, response["Location"]) == (303, "/flows/reviews/")
    made.refresh_from_db()
    assert (made.status, made.final) == (SubmissionStatus.EDITED, "Dear everybody")
    other = essay(world, world.bob, flow="Other")
    staff.post(f"/flows/reviews/{other.pk}/send-back/", {"reason": "No"})
    other.refresh_from_db()
    assert (other.status, other.feedback) == ("rejected", "No")


def test_a_stale_decision_is_409_and_keeps_what_was_typed(world: World, staff: Client) -> None:
    made = drafted(world)
    move(made.target, "Mail", Status.BLOCKED, world.stella, reason="Wait")
    given = {"final": "My careful text", "version": made.state_version}
    response = staff.post(f"/flows/reviews/{made.pk}/approve/", given)
    text = response.content.decode()
    assert response.status_code == 409
    assert "Stella has changed this step (Blocked)" in text
    assert "My careful text</textarea>" in text
    missing = staff.post(f"/flows/reviews/{made.pk}/send-back/", {"reason": " "})
    assert missing.status_code == 422
    assert staff.post(f"/flows/reviews/{made.pk}/approve/", {"version": "x"}).status_code == 422


def test_an_open_page_is_told_when_somebody_decides(world: World, staff: Client) -> None:
    made = drafted(world)
    seen = staff.get(f"/flows/reviews/{made.pk}/").context["seen"]
    assert staff.get(f"/flows/reviews/{made.pk}/?v={seen}").status_code == 204
    approve(made, by=world.alice)
    told = page(staff, f"{made.pk}/?v={seen}")
    assert "Approved" in told
    assert "Alice" in told
    assert "<form" not in told


def test_who_may_not_approve_sees_why(world: World, staff: Client) -> None:
    made = drafted(world, asks=world.adam, four_eyes=True)
    text = page(staff, f"{made.pk}/")
    assert "Somebody else has to review this" in text
    assert f"{made.pk}/approve/" not in text
    response = staff.post(f"/flows/reviews/{made.pk}/approve/", {})
    assert response.status_code == 403
    assert "Somebody else has to review this" in response.content.decode()


def test_reviews_do_not_exist_for_members(world: World) -> None:
    made = drafted(world)
    client = Client()
    for person in (world.bob, world.charlie):
        client.force_login(person)
        assert client.get(f"/flows/reviews/{made.pk}/").status_code == 404
    client.force_login(world.bob)
    assert client.get("/flows/reviews/").status_code == 404
