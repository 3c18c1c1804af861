"""Pages to assign with: the wizard, many rows, the list, one assignment, changing hands."""

import re
from datetime import timedelta

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from flows_app.models import BulkAssignment, Lesson, LessonTarget, LogKind, Notice
from flows_app.runtime.actors import Actor
from flows_app.services.assigning import assign_lesson
from flows_app.services.courses import create_course
from one_project.accounts.models import User
from tests.flows.samples import assign, complete, make_flow
from tests.people import World

HTMX = {"HX-Request": "true"}


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def wizard(world: World, **fields: object) -> dict[str, object]:
    return {
        "timezone": "UTC", "request_id": "w1", "do": "preview", "resolution": "snapshot", **fields
    }  # fmt: skip


def digest_of(content: str) -> str:
    found = re.search(r'name="previewed" value="(\w+)"', content)
    assert found
    return found[1]


def test_the_wizard_previews_and_then_assigns_what_was_looked_at(world: World) -> None:
    flow, client, url = make_flow(world), signed_in(world.stella), reverse("flows:assign")
    assert f'value="flow:{flow.pk}" selected' in client.get(f"{url}?flow={flow.pk}").text
    form = wizard(
        world,
        what=f"flow:{flow.pk}",
        people=[str(world.bob.pk), str(world.adam.pk)],
        addresses="nobody@example.test, charlie@example.test",
        roles=["staff"],
        due_days="7",
        note="Please read",
    )
    seen = client.post(url, form, headers=HTMX)
    assert "Will create 3, 2 unknown addresses." in seen.text
    assert "<h1>" not in seen.text
    assert not Lesson.objects.exists()
    # Something else than what was looked at is shown again first.
    form |= {"do": "assign", "previewed": digest_of(seen.text)}
    other = client.post(url, form | {"note": "Something else"})
    assert "Please look again" in other.text
    assert "Something else" in other.text
    assert not Lesson.objects.exists()
    done = client.post(url, form)
    bulk = BulkAssignment.objects.get()
    assert (done.status_code, done.url) == (303, reverse("flows:bulk", args=[bulk.pk]))
    client.post(url, form)
    assert LessonTarget.objects.count() == 3
    assert "Created 3, 2 unknown addresses." in client.get(done.url).text
    due = Lesson.objects.get(user=world.bob).due_at
    assert due is not None
    assert timedelta(days=6) < due - timezone.now() < timedelta(days=8)


def test_what_was_typed_stays_where_it_cannot_be(world: World) -> None:
    flow, client = make_flow(world, "Read", "Sign"), signed_in(world.stella)
    form = wizard(world, what=f"flow:{flow.pk}", note="My note", due="2030-01-01", due_days="3")
    answer = client.post(reverse("flows:assign"), form)
    assert answer.status_code == 422
    for text in ("My note", "not both", 'value="2030-01-01"'):
        assert text in answer.text
    wrong = client.post(
        reverse("flows:assign"),
        wizard(world, what=f"flow:{flow.pk}", roles=["member"], timezone="Moon/Base"),
        headers=HTMX,
    )
    assert (wrong.status_code, "no such time zone" in wrong.text) == (422, True)
    steps = client.get(reverse("flows:assign_steps"), {"what": f"flow:{flow.pk}"})
    assert '<option value="Sign">' in steps.text


def test_one_assignment_leads_to_its_page(world: World) -> None:
    flow, client, url = make_flow(world), signed_in(world.stella), reverse("flows:assign")
    form = wizard(world, what=f"flow:{flow.pk}", people=[str(world.bob.pk)], step="Sign")
    seen = client.post(url, form)
    done = client.post(url, form | {"do": "assign", "previewed": digest_of(seen.text)})
    lesson = Lesson.objects.get()
    assert (done.url, lesson.step_name) == (
        reverse("flows:assignment", args=[lesson.pk]), "Sign",
    )  # fmt: skip


def test_a_file_of_many_rows(world: World) -> None:
    flow, client = make_flow(world, name="=HYPERLINK()"), signed_in(world.stella)
    url = reverse("flows:assign_table")
    text = f"\ufeffEmail;Flow\r\nbob@example.test;{flow.pk}\r\n=cmd();{flow.pk}\r\n"
    file = SimpleUploadedFile("people.csv", text.encode())
    seen = client.post(url, wizard(world, file=file))
    assert "Will create 1, 1 unknown address." in seen.text
    # The file is gone; its lines are in the box.
    assert "bob@example.test;" in seen.text
    form = wizard(world, rows_text=text, do="assign", previewed=digest_of(seen.text))
    done = client.post(url, form)
    assert LessonTarget.objects.get().user == world.bob
    csv = client.get(f"{done.url}csv/").text
    assert "3,'=cmd(),unknown," in csv
    latin = SimpleUploadedFile("people.csv", "email,note\na@b.c,Grüße".encode("latin-1"))
    wrong = client.post(url, wizard(world, file=latin))
    assert (wrong.status_code, "not UTF-8" in wrong.text) == (422, True)


def test_the_list_is_filtered_sorted_and_says_how_far_all_are(world: World) -> None:
    flow, other = make_flow(world), make_flow(world, name="Safety")
    now = timezone.now()
    late = assign(world, flow, due_at=now - timedelta(days=2))
    complete(late, "Read", by=world.bob)
    soon = assign(world, other, due_at=now + timedelta(days=2))
    queue = assign_lesson(
        world.organisation,
        by=Actor(user=world.alice),
        flow=other,
        role="member",
        resolution="queue",
    ).lesson
    client, url = signed_in(world.stella), reverse("flows:assignments")

    def shown(**query: str) -> list[str]:
        return re.findall(r'id="lesson-([\w-]+)"', client.get(url, query).text)

    def keys(*lessons: Lesson) -> list[str]:
        return [str(one.pk) for one in lessons]

    assert shown() == keys(queue, soon.lesson, late.lesson)
    assert "50 %" in client.get(url).text
    assert shown(state="overdue") == keys(late.lesson)
    assert shown(state="queue") == keys(queue)
    assert shown(by="me") == keys(soon.lesson, late.lesson)
    assert shown(flow=str(other.pk), sort="due") == keys(soon.lesson, queue)
    assert shown(q="bob", sort="-due") == keys(soon.lesson, late.lesson)
    assert shown(due_from=now.date().isoformat()) == keys(soon.lesson)
    assert shown(due_to="broken", sort="broken", page="0") == shown()
    complete(late, "Sign", by=world.bob)
    assert shown(state="overdue") == []
    version = re.search(r"v=(\w+)", client.get(url).text)
    assert version
    assert client.get(url, {"v": version[1]}).status_code == 204


def test_staff_change_one_assignment_from_its_page(world: World) -> None:
    target = assign(world, make_flow(world, "Read"))
    lesson, client = target.lesson, signed_in(world.stella)
    page = reverse("flows:assignment", args=[lesson.pk])
    assert "Bob" in client.get(page).text
    form = {"due": "2030-05-01", "follow_up": "", "timezone": "Asia/Tokyo", "reason": "Ill"}
    assert client.post(f"{page}dates/", form).status_code == 303
    assert "1 May 2030, 23:59" in client.get(page).text
    assert client.post(f"{page}dates/", form | {"due": "soon"}).status_code == 422
    notices = Notice.objects.filter(user=world.bob, kind="assigned").count()
    client.post(f"{page}resend/")
    assert Notice.objects.filter(user=world.bob, kind="assigned").count() == notices + 1
    complete(target, "Read", by=world.bob)
    client.post(reverse("flows:restart", args=[target.pk]))
    assert "attempt 2" in client.get(page).text
    assert "1 step would count" in client.get(f"{page}credit/?days=30").text
    assert client.get(f"{page}credit/?days=0").status_code == 422
    client.post(f"{page}credit/", {"days": "30"})
    new = LessonTarget.objects.active().get()
    assert new.states.get().status == "Completed"
    give = reverse("flows:give", args=[new.pk])
    assert client.post(give, {"to": f"user:{world.charlie.pk}"}).status_code == 422
    assert client.post(give, {"to": f"user:{world.adam.pk}", "reason": "Ill"}).status_code == 303
    assert LessonTarget.objects.active().get().user == world.adam
    client.post(f"{page}withdraw/", {"reason": "Over"})
    assert not LessonTarget.objects.active().exists()
    assert "Withdrawn" in client.get(page).text
    kinds = set(target.log.values_list("kind", flat=True))
    assert kinds >= {LogKind.DUE, LogKind.ENDED}


def test_all_work_of_somebody_who_is_ill_is_given_on(world: World) -> None:
    flows = [make_flow(world, name=name) for name in ("One", "Two")]
    course = create_course(world.organisation, by=world.stella, name="Start", flows=flows)
    assign_lesson(world.organisation, by=Actor(user=world.stella), course=course, user=world.bob)
    assign(world, flows[1], user=world.adam)
    client, url = signed_in(world.stella), reverse("flows:give_all", args=[world.bob.pk])
    assert client.get(url).text.count("checked>\n                  <span") == 2
    targets = [str(key) for key in LessonTarget.objects.values_list("pk", flat=True)]
    answer = client.post(url, {"to": f"user:{world.adam.pk}", "target": targets})
    assert "1 given" in answer.text
    assert "Two: Adam has the same work already." in answer.text
    assert signed_in(world.bob).get(url).status_code == 404


def test_a_newcomer_sees_what_is_live_when_they_look(world: World) -> None:
    flow = make_flow(world, name="House rules")
    assign_lesson(
        world.organisation,
        by=Actor(user=world.stella),
        flow=flow,
        role="admin",
        resolution="live",
    )
    world.organisation.memberships.filter(user=world.bob).update(role="admin")
    assert "House rules" in signed_in(world.bob).get(reverse("lessons:mine")).text
