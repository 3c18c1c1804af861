"""Comments, notices and wishes in the browser's terms."""

from typing import Any

import pytest
from django.test import Client

from flows_app.models import Comment, LessonTarget, Notice, NoticeKind, ReminderWish
from flows_app.runtime.actors import Actor
from flows_app.services.comments import comment
from flows_app.services.notices import notify
from one_project.accounts.models import Role, User
from one_project.accounts.services.organisations import add_member
from tests.flows.samples import assign, make_flow, steps
from tests.people import World

HTMX = {"HX-Request": "true"}


@pytest.fixture
def target(world: World) -> LessonTarget:
    return assign(world, make_flow(world, "Read", "Sign"))


@pytest.fixture
def bob(world: World, client: Client) -> Client:
    client.force_login(world.bob)
    return client


def said(target: LessonTarget, by: User, text: str) -> Comment:
    return comment(target, by=Actor(user=by), text=text)


def test_a_comment_is_posted_and_shown_with_its_mentions(bob: Client, target: LessonTarget) -> None:
    key = steps(target)["Read"].key
    address = f"/lessons/{target.pk}/comments/"
    form = {"text": "**Where**, @Stella? <script>", "step": key, "request_id": "r1"}
    answer = bob.post(address, form, headers=HTMX)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "<strong>Where</strong>" in page
    assert '<mark class="mention">@Stella</mark>' in page
    assert "<script>" not in page
    # Without htmx the browser goes to the page that shows it.
    plain = bob.post(address, {"text": "Again"})
    assert (plain.status_code, plain["Location"].split("#")[0]) == (303, address)
    assert "Again" not in bob.get(address, {"step": key}, headers=HTMX).content.decode()


def test_what_cannot_be_said_stays_in_the_box(bob: Client, target: LessonTarget) -> None:
    text = "long & dear " * 1000
    answer = bob.post(f"/lessons/{target.pk}/comments/", {"text": text}, headers=HTMX)
    assert answer.status_code == 422
    assert "long &amp; dear" in answer.content.decode()
    assert "at most 10,000 characters" in answer.content.decode()


def test_the_list_is_sent_again_only_when_it_has_changed(
    world: World, bob: Client, target: LessonTarget
) -> None:
    mine = said(target, world.bob, "One")
    address = f"/lessons/{target.pk}/comments/"
    version = bob.get(address).context["version"]
    assert bob.get(address, {"v": version}, headers=HTMX).status_code == 204
    said(target, world.stella, "Two")
    # What the person is changing on the page is left as it is there.
    page = bob.get(address, {"v": version, "editing": str(mine.pk)}, headers=HTMX)
    assert page.content.decode().count("hx-preserve") == 1
    assert "Two" in page.content.decode()


def test_only_own_comments_offer_to_be_changed(
    world: World, bob: Client, target: LessonTarget
) -> None:
    mine, hers = said(target, world.bob, "Mine"), said(target, world.stella, "Hers")
    assert "<textarea" in bob.get(f"/lessons/comments/{mine.pk}/?edit=1", headers=HTMX).text
    assert "<textarea" not in bob.get(f"/lessons/comments/{hers.pk}/?edit=1", headers=HTMX).text
    assert bob.post(f"/lessons/comments/{hers.pk}/", {"text": "x"}).status_code == 403
    refused = bob.post(f"/lessons/comments/{mine.pk}/", {"text": " "}, headers=HTMX)
    assert (refused.status_code, "Please write something." in refused.text) == (422, True)
    changed = bob.post(f"/lessons/comments/{mine.pk}/", {"text": "Better"}, headers=HTMX)
    assert "Better" in changed.text
    assert "Earlier text" in changed.text
    gone = bob.post(f"/lessons/comments/{mine.pk}/delete/", headers=HTMX)
    assert "has been taken away" in gone.text
    # The same without htmx is the whole page.
    assert "<textarea" in bob.get(f"/lessons/comments/{hers.pk}/?edit=1").text


def tell(world: World, text: str, organisation: Any = None) -> Notice:
    place = organisation or world.organisation
    kind = NoticeKind.REMINDER
    return notify(place, [world.bob], kind=kind, text=text, url="/lessons/wishes/")[0]


def test_notices_are_listed_counted_and_read(world: World, bob: Client) -> None:
    first, _ = tell(world, "Due <today>"), tell(world, "Due tomorrow")
    page = bob.get("/lessons/notices/")
    assert "Due &lt;today&gt;" in page.text
    assert "2 new" in page.text
    assert "Notifications, 2 new" in bob.get("/notifications/bell/").text
    assert bob.get("/notifications/bell/?v=2").status_code == 204
    assert (
        bob.get("/lessons/notices/", {"v": page.context["version"]}, headers=HTMX).status_code
        == 204
    )
    opened = bob.get(f"/lessons/notices/{first.pk}/")
    assert (opened.status_code, opened["Location"]) == (302, "/lessons/wishes/")
    answer = bob.get("/lessons/notices/", headers={"Accept": "application/json"}).json()
    assert (answer["unread"], [one["text"] for one in answer["notices"]]) == (
        1, ["Due tomorrow", "Due <today>"],
    )  # fmt: skip
    bob.post("/lessons/notices/read/")
    assert "Nothing new" in bob.get("/lessons/notices/").text


def test_a_letters_link_leads_into_the_organisation_it_is_from(world: World, bob: Client) -> None:
    add_member(world.elsewhere, user=world.bob, role=Role.MEMBER)
    there = tell(world, "There", world.elsewhere)
    assert "There" not in bob.get("/lessons/notices/").text
    assert bob.get(f"/lessons/notices/{there.pk}/").status_code == 302
    assert "There" in bob.get("/lessons/notices/").text


def test_how_one_is_told_is_stored_and_what_is_wrong_is_said(world: World, bob: Client) -> None:
    form = {
        "reminders": "on", "mailing": "digest", "digest_hour": "9", "quiet_from": "21",
        "quiet_to": "6", "timezone": "Europe/Berlin",
    }  # fmt: skip
    assert bob.get("/lessons/wishes/").status_code == 200
    wrong = bob.post("/lessons/wishes/", {**form, "timezone": "Mars/Base", "quiet_to": "25"})
    assert wrong.status_code == 422
    assert 'value="Mars/Base"' in wrong.text
    assert bob.post("/lessons/wishes/", form).status_code == 303
    stored = ReminderWish.objects.get(user=world.bob)
    assert (stored.reminders, stored.mailing, stored.digest_hour) == (True, "digest", 9)
    world.bob.refresh_from_db()
    assert world.bob.timezone == "Europe/Berlin"
