"""The pages where flows are made: nothing that was typed is lost, whatever happens."""

import html
import json
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from flows_app.models import Flow, LessonTarget
from flows_app.services.flows import create_flow, save_draft
from flows_app.services.writing_steps import drafts_of
from one_project.accounts.models import User
from tests.flows.samples import assign, complete, make_flow, step
from tests.people import World

HTMX = {"HX-Request": "true"}


def browser(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def fields(page: str) -> dict[str, list[str]]:
    """What the browser would send of the editor's form, without its buttons."""
    form = page[page.index('<form id="editor"') :]
    form = form[: form.index("</form>")]
    sent: dict[str, list[str]] = {}

    def add(name: str, value: str) -> None:
        sent.setdefault(html.unescape(name), []).append(html.unescape(value))

    for tag in re.finditer(r"<(input|textarea|select)\b([^>]*)>", form):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag[2]))
        rest = form[tag.end() :]
        if tag[1] == "textarea":
            add(attributes["name"], rest[: rest.index("</textarea>")])
        elif tag[1] == "select":
            options = rest[: rest.index("</select>")]
            chosen = re.search(r'value="([^"]*)"\s+selected', options)
            first = re.search(r'value="([^"]*)"', options)
            add(attributes["name"], (chosen or first)[1])  # type: ignore[index]
        elif attributes.get("type") != "checkbox" or re.search(r"\schecked\b", tag[2]):
            add(attributes["name"], attributes.get("value", "on"))
    return sent


class Desk:
    """Somebody at the editor, pressing its buttons and typing into its fields."""

    def __init__(self, person: User, flow: Flow) -> None:
        self.client, self.at = browser(person), f"/flows/{flow.pk}/edit/"
        self.page = self.client.get(self.at).content.decode()

    def press(self, do: str, **typed: Any) -> None:
        answer = self.client.post(f"{self.at}part/", {**self.sent(**typed), "do": do}, headers=HTMX)
        assert answer.status_code == 200, answer.content.decode()[:500]
        self.page = answer.content.decode()

    def sent(self, **typed: Any) -> dict[str, Any]:
        return {**fields(self.page), **{f"open-{name}": value for name, value in typed.items()}}

    def save(self, **extra: Any) -> Any:
        answer = self.client.post(self.at, {**fields(self.page), **extra})
        if answer.status_code != 303:
            self.page = answer.content.decode()
        return answer

    def key(self, name: str) -> str:
        for row in fields(self.page)["step"]:
            if row != "open" and json.loads(row)["name"] == name:
                return str(json.loads(row)["key"])
        opened = json.loads(fields(self.page)["open-rest"][0])
        return str(opened["key"])


@pytest.fixture
def flow(world: World) -> Flow:
    return create_flow(world.organisation, by=world.stella, name="Onboarding")


def steps_of(flow: Flow) -> list[Any]:
    flow.refresh_from_db()
    assert flow.draft is not None
    return drafts_of(flow.draft)


def test_a_flow_of_every_kind_is_made_with_buttons_only(world: World, flow: Flow) -> None:
    desk = Desk(world.stella, flow)
    desk.press("add:reading")
    desk.press("add:checklist", name="Tour", content="# Hi\n*there*", due_days="3")
    desk.press("add:form", name="Bag", items="Keys\n\n Badge ")
    question = fields(desk.page)["field-id"][0]
    desk.press("field-add", name="Data")
    sent = fields(desk.page)
    sent["field-label"], sent["field-type"] = ["Size", "Why"], ["choice", "long"]
    sent["field-choices"], sent["field-required"] = ["S\nM", ""], [question]
    answer = desk.client.post(f"{desk.at}part/", {**sent, "do": "add:chat"}, headers=HTMX)
    desk.page = answer.content.decode()
    tour = desk.key("Tour")
    desk.press("add:workflow", name="Talk", agent=str(world.agent.pk), after=[tour], opening="Hi")
    desk.press("close", name="Run", workflow="flows.pause", input='{"a": 1}', needs_review="on")
    desk.press(f"up:{desk.key('Run')}")
    assert desk.save(then="publish")["Location"] == f"/flows/{flow.pk}/publish/"
    made = {one.name: one for one in steps_of(flow)}
    assert list(made) == ["Tour", "Bag", "Data", "Run", "Talk"]
    assert (made["Tour"].content, made["Tour"].due_days) == ("# Hi\n*there*", 3)
    assert [one["text"] for one in made["Bag"].settings["items"]] == ["Keys", "Badge"]
    assert made["Data"].settings["fields"][0] == {
        "id": question,
        "label": "Size",
        "type": "choice",
        "required": True,
        "choices": ["S", "M"],
    }
    assert made["Run"].settings == {"workflow": "flows.pause", "input": {"a": 1}}
    assert (made["Run"].needs_review, made["Talk"].agent_id) == (True, world.agent.pk)
    assert made["Talk"].prerequisites == (made["Tour"].key,)


def test_a_removed_step_is_put_back_with_those_who_waited(world: World) -> None:
    first = step("First")
    flow = make_flow(world, first, step("Second", prerequisites=(first.key,)))
    desk = Desk(world.stella, flow)
    desk.press(f"remove:{first.key}")
    assert "“First” is taken out" in html.unescape(desk.page)
    desk.press(f"copy:{desk.key('Second')}")
    desk.press("undo")
    assert desk.save().status_code == 303
    made = {one.name: one.prerequisites for one in steps_of(flow)}
    assert made == {"First": (), "Second": (first.key,), "Second (copy)": ()}


def test_what_cannot_be_saved_stays_typed_with_the_reason_beside_it(
    world: World, flow: Flow
) -> None:
    desk = Desk(world.stella, flow)
    desk.press("add:reading")
    desk.press("add:workflow", name="Tour", content="My text", due_days="soon")
    desk.press("close", name="Run", input="{not json")
    answer = desk.save()
    assert answer.status_code == 422
    assert "please give a whole number" in desk.page
    assert "the input is not JSON" in desk.page
    # The first wrong step is open, with what was typed.
    sent = fields(desk.page)
    assert (sent["open-due_days"], sent["open-content"]) == (["soon"], ["My text"])
    assert steps_of(flow) == []


def test_a_checklist_item_keeps_its_id_when_it_is_renamed_or_moved(world: World) -> None:
    items = [{"id": name, "text": name.upper()} for name in ("a", "b", "c")]
    flow = make_flow(world, step("List", "checklist", settings={"items": items}))
    desk = Desk(world.stella, flow)
    desk.press(f"open:{desk.key('List')}")
    desk.press("close", items="C\nBee\nA\nNew")
    assert desk.save().status_code == 303
    found = [(one["text"], one["id"]) for one in steps_of(flow)[0].settings["items"]]
    assert found[:3] == [("C", "c"), ("Bee", "b"), ("A", "a")]
    assert found[3][1] not in ("a", "b", "c")


def test_a_stale_draft_is_409_with_who_and_what_and_nothing_lost(world: World, flow: Flow) -> None:
    desk = Desk(world.stella, flow)
    desk.press("add:reading")
    desk.press("close", name="Mine", content="My long text")
    save_draft(flow, by=world.adam, steps=[step("Theirs")])
    answer = desk.save()
    text = html.unescape(answer.content.decode())
    assert answer.status_code == 409
    assert "Adam has changed this draft" in text
    assert "Gone" in text
    assert "My long text" in text
    assert [one.name for one in steps_of(flow)] == ["Theirs"]
    # To press Save once more is no accident that overwrites; there is a button for it.
    assert desk.save().status_code == 409
    assert desk.save(overwrite=str(answer.context["overwrite"])).status_code == 303
    assert [one.name for one in steps_of(flow)] == ["Mine"]


def test_the_open_step_is_seen_as_a_learner_sees_it(world: World, flow: Flow) -> None:
    desk = Desk(world.stella, flow)
    desk.press("add:reading")
    typed = desk.sent(name="Tour", content="**Bold** <script>alert(1)</script>", needs_review="on")
    for headers in (HTMX, {}):
        answer = desk.client.post(f"{desk.at}preview/", typed, headers=headers)
        text = answer.content.decode()
        assert "<strong>Bold</strong>" in text
        assert "<script>alert" not in text
        assert "Completes when you mark it as read and staff approve." in text
    assert steps_of(flow) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"step": ["{}", "[", "open"]},
        {"step": ["open", "open"]},
        {"step": ["open"], "open-rest": '{"key": "x"}'},
        {"step": ["open"], "open-rest": "{}", "open-kind": "dance"},
        {"step": ["{}"] * 500},
        {"step": ["open"], "open-rest": "{}", "field-id": ["a"], "field-label": []},
        {"removed": "{}"},
    ],
)
def test_a_form_that_no_page_sends_is_refused_in_words(
    world: World, flow: Flow, broken: dict[str, Any]
) -> None:
    client = browser(world.stella)
    for place in ("edit/", "edit/part/", "edit/preview/"):
        answer = client.post(f"/flows/{flow.pk}/{place}", {"name": "N", **broken})
        assert answer.status_code == 422, place


def test_a_flow_of_two_hundred_steps_can_be_edited(world: World) -> None:
    flow = make_flow(world, *[f"Step {number}" for number in range(200)])
    desk = Desk(world.stella, flow)
    desk.press(f"open:{desk.key('Step 199')}")
    desk.press("close", name="Last")
    answer = desk.client.post(f"{desk.at}part/", {**desk.sent(), "do": "add:reading"}, headers=HTMX)
    assert answer.status_code == 422
    assert desk.save().status_code == 303
    assert steps_of(flow)[-1].name == "Last"


def test_publishing_shows_its_impact_and_moves_who_is_chosen(world: World) -> None:
    flow = make_flow(world, "Read", "Sign")
    target = assign(world, flow)
    complete(target, "Read", by=world.bob)
    client = browser(world.stella)
    save_draft(flow, by=world.stella, steps=[*drafts_of(flow.published), step("New")])  # type: ignore[arg-type]
    page = client.get(f"/flows/{flow.pk}/publish/")
    text = " ".join(page.content.decode().split())
    assert "New" in text
    assert "0 would stand at a higher and 1 at a lower percentage" in text
    stale = client.post(f"/flows/{flow.pk}/publish/", {"version": "9", "which": "all"})
    assert stale.status_code == 409
    done = client.post(f"/flows/{flow.pk}/publish/", {"version": "1", "which": "all"})
    assert done.status_code == 303
    flow.refresh_from_db()
    assert LessonTarget.objects.get(pk=target.pk).revision_id == flow.published_id
    history = client.get(f"/flows/{flow.pk}/revisions/").content.decode()
    assert "Published by Stella" in history
    assert "New</span>" in history


def test_the_list_is_for_staff_as_a_page_and_as_json(world: World) -> None:
    client = browser(world.stella)
    assert "Make the first one" in client.get("/flows/").content.decode()
    flow = make_flow(world, "Read")
    assign(world, flow)
    found = client.get("/flows/", headers={"Accept": "application/json"}).json()["flows"]
    assert [(one["name"], one["state"], one["people"], one["percent"]) for one in found] == [
        ("Onboarding", "published", 1, 0)
    ]
    assert "Onboarding" not in browser(world.charlie).get("/flows/").content.decode()
    assert browser(world.bob).get("/flows/")["Location"] == "/lessons/"


def test_a_file_is_imported_after_a_look_under_a_free_name(world: World) -> None:
    flow = make_flow(world, "Read")
    client = browser(world.stella)
    exported = client.get(f"/flows/{flow.pk}/export/")
    assert 'filename="onboarding.flow.json"' in exported["Content-Disposition"]
    file = SimpleUploadedFile("flow.json", exported.content)
    look = client.post("/flows/import/", {"file": file})
    assert (look.status_code, look.context["name"]) == (200, "Onboarding (2)")
    assert Flow.objects.count() == 1
    again = {"document": look.context["document"], "confirm": "1"}
    taken = client.post("/flows/import/", {**again, "name": "onboarding"})
    assert (taken.status_code, taken.context["name"]) == (422, "Onboarding (2)")
    made = client.post("/flows/import/", {**again, "name": "Imported"})
    assert made["Location"] == f"/flows/{Flow.objects.get(name='Imported').pk}/edit/"
    wrong = client.post("/flows/import/", {"document": '{"format": "one.flow", "version": 1}'})
    assert wrong.status_code == 422
    assert "name: Field required" in wrong.content.decode()
