"""Every address and every socket, for everybody; a new one must be declared here to pass.

Each row says what anonymous, outsider, member, staff, admin and owner get. ``thread`` is a thread
of the owner and the member: staff and admin, who take no part in it, may not even know it exists.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from agents_app.models import CallStatus, Tool, ToolCall
from agents_app.runtime.agent import agent_of
from agents_app.services.agents import create_agent
from agents_app.services.collections import create_collection
from agents_app.services.documents import add_text
from agents_app.services.prompts import create_prompt
from chat_app.models import Thread, Turn
from chat_app.routing import websocket_urlpatterns
from chat_app.services.canvas import Editor, create_canvas
from chat_app.services.conversation import continue_thread
from chat_app.services.escalations import escalate
from chat_app.services.playground import Asked, start_trial
from chat_app.services.playground_inputs import save_input_set
from chat_app.services.tasks import create_task
from flows_app.routing import websocket_urlpatterns as flow_sockets
from one_project.workflows.models import WorkflowRun
from one_project.workflows.services.runs import start
from tests.people import World, make_world
from tests.security.billing_rows import BILLING_ROWS, made_of_billing
from tests.security.flow_rows import FLOW_ROWS, made_by_staff_for_bob
from tests.security.integration_rows import INTEGRATION_ROWS, MADE, made_of_integrations
from tests.workflows.samples import asks

LOGIN = 302
PUBLIC = (200, 200, 200, 200, 200, 200)
MEMBERS = (LOGIN, 200, 200, 200, 200, 200)
# Participants see it; for all others it does not exist.
PARTICIPANTS = (LOGIN, 404, 200, 404, 404, 200)
# A private agent, prompt and tool of the member; admins may change all of the organisation.
EDITORS = (LOGIN, 404, 200, 404, 200, 200)
# A private collection of the member: not even admins may know of it.
READERS = (LOGIN, 404, 200, 404, 404, 404)
OF_READERS = (LOGIN, 404, 303, 404, 404, 404)
# The playground: for plain members it does not exist; an outsider has one of their own.
STAFF = (LOGIN, 200, 404, 200, 200, 200)
OF_STAFF = (LOGIN, 404, 404, 200, 200, 200)
# The run belongs to the member; staff and above see all of the organisation.
OWN_RUN = (LOGIN, 404, 200, 200, 200, 200)
WHO = ("anonymous", "outsider", "member", "staff", "admin", "owner")

Row = tuple[str, tuple[int, ...], dict[str, Any]]
# name: (method, status for each of WHO, form)
ROWS: dict[str, Row] = {
    "healthz": ("get", PUBLIC, {}),
    "readyz": ("get", PUBLIC, {}),
    "metrics": ("get", (404,) * 6, {}),
    "switch_organisation": ("post", (LOGIN, 404, 302, 302, 302, 302), {"organisation": "own"}),
    "chat:root": ("get", (302,) * 6, {}),
    "chat:home": ("get", MEMBERS, {}),
    "chat:sidebar": ("get", MEMBERS, {}),
    "chat:search": ("get", MEMBERS, {}),
    # Without a file there is nothing to store; the message of the case carries none.
    "chat:upload": ("post", (LOGIN, 422, 422, 422, 422, 422), {}),
    "chat:thread_upload": ("post", (LOGIN, 404, 422, 404, 404, 422), {}),
    "chat:attachment": ("get", (LOGIN, 404, 404, 404, 404, 404), {}),
    "chat:picture": ("get", (LOGIN, 404, 404, 404, 404, 404), {}),
    "chat:thread": ("get", PARTICIPANTS, {}),
    "chat:budget": ("get", PARTICIPANTS, {}),
    "chat:messages": ("post", (LOGIN, 404, 303, 404, 404, 303), {"text": "Hello"}),
    "chat:regenerate": ("post", (LOGIN, 404, 409, 404, 404, 409), {}),
    "chat:edit": ("get", (LOGIN, 404, 409, 404, 404, 409), {}),
    "chat:earlier": ("get", PARTICIPANTS, {}),
    "chat:stop": ("post", (LOGIN, 404, 303, 404, 404, 303), {}),
    "chat:rename": ("post", (LOGIN, 404, 303, 404, 404, 303), {"title": "New"}),
    "chat:archive": ("post", (LOGIN, 404, 303, 404, 404, 303), {"archived": "1"}),
    "chat:delete": ("post", (LOGIN, 404, 403, 404, 404, 303), {}),
    "chat:restore": ("post", (LOGIN, 404, 404, 404, 404, 404), {}),
    "chat:people": ("get", PARTICIPANTS, {}),
    "chat:remove_person": ("post", (LOGIN, 404, 403, 404, 404, 303), {}),
    "chat:inbox": ("get", MEMBERS, {}),
    # The call is the owner's; the task is the member's; staff are asked for in the thread.
    "chat:call": ("get", PARTICIPANTS, {}),
    "chat:approve_all": ("post", (LOGIN, 404, 303, 404, 404, 303), {}),
    "chat:approve_call": ("post", (LOGIN, 404, 404, 404, 404, 303), {}),
    "chat:allow_call": ("post", (LOGIN, 404, 404, 404, 404, 303), {}),
    "chat:deny_call": ("post", (LOGIN, 404, 404, 404, 404, 303), {}),
    "chat:change_call": ("post", (LOGIN, 404, 404, 404, 404, 422), {}),
    "chat:answer_call": ("post", (LOGIN, 404, 404, 404, 404, 422), {}),
    "chat:resolve_call": ("post", (LOGIN, 404, 404, 404, 404, 409), {"happened": "1"}),
    "chat:answering": ("get", PARTICIPANTS, {}),
    "chat:ask_again": ("post", (LOGIN, 404, 303, 404, 404, 303), {"tool": "calculator"}),
    "chat:call_person": ("post", (LOGIN, 404, 303, 404, 404, 303), {}),
    "chat:hand_back": ("post", (LOGIN, 404, 403, 404, 404, 409), {}),
    "chat:take_over": ("post", (LOGIN, 404, 404, 303, 303, 303), {}),
    "chat:tick_task": ("post", (LOGIN, 404, 303, 404, 404, 404), {}),
    "chat:canvas": ("get", PARTICIPANTS, {}),
    "chat:canvas_edit": (
        "post",
        (LOGIN, 404, 303, 404, 404, 303),
        {"text": "Hello", "base_version": "1"},
    ),
    "chat:canvas_history": ("get", PARTICIPANTS, {}),
    "chat:canvas_difference": ("get", PARTICIPANTS, {}),
    "chat:canvas_download": ("get", PARTICIPANTS, {}),
    "chat:canvas_restore": ("post", (LOGIN, 404, 409, 404, 404, 409), {"version": "1"}),
    "chat:playground": ("get", STAFF, {}),
    "chat:playground_threads": ("get", STAFF, {}),
    "chat:playground_thread": ("get", OF_STAFF, {}),
    "chat:playground_message": ("get", OF_STAFF, {}),
    "chat:playground_turn": ("get", OF_STAFF, {}),
    "chat:playground_answer": ("get", OF_STAFF, {}),
    "chat:playground_system": ("get", STAFF, {}),
    "chat:playground_try": ("post", (LOGIN, 422, 404, 422, 422, 422), {}),
    "chat:playground_trial": ("get", OF_STAFF, {}),
    "chat:playground_stop": ("post", (LOGIN, 404, 404, 303, 303, 303), {}),
    "chat:playground_export": ("get", OF_STAFF, {}),
    "chat:playground_inputs": ("get", STAFF, {}),
    "chat:playground_input_set": ("get", OF_STAFF, {}),
    "chat:playground_delete_inputs": ("post", (LOGIN, 404, 404, 303, 303, 303), {}),
    "chat:playground_compare": ("get", STAFF, {}),
    "agents:list": ("get", MEMBERS, {}),
    "agents:new": ("get", MEMBERS, {}),
    "agents:agent": ("get", EDITORS, {}),
    "agents:edit": ("get", EDITORS, {}),
    "agents:delete": ("post", (LOGIN, 404, 303, 404, 303, 303), {}),
    "agents:restore": ("post", (LOGIN, 404, 303, 404, 303, 303), {}),
    "agents:duplicate": ("post", (LOGIN, 404, 303, 404, 303, 303), {}),
    "agents:prompts": ("get", MEMBERS, {}),
    "agents:new_prompt": ("get", MEMBERS, {}),
    "agents:pick_prompt": ("get", MEMBERS, {}),
    "agents:prompt": ("get", EDITORS, {}),
    "agents:restore_prompt": (
        "post",
        (LOGIN, 404, 303, 404, 303, 303),
        {"number": "1", "version": "1"},
    ),
    "agents:delete_prompt": ("post", (LOGIN, 404, 303, 404, 303, 303), {}),
    "agents:share_prompt": ("post", (LOGIN, 404, 303, 404, 303, 303), {"shared": "1"}),
    "agents:tools": ("get", MEMBERS, {}),
    "agents:new_tool": ("get", MEMBERS, {}),
    "agents:integration_tool": ("get", MEMBERS, {}),
    "agents:tool_policy": (
        "post",
        (LOGIN, 303, 403, 403, 303, 303),
        {"tool": "calculator", "approval": "always"},
    ),
    "agents:tool": ("get", EDITORS, {}),
    "agents:delete_tool": ("post", (LOGIN, 404, 303, 404, 303, 303), {}),
    # A private collection of the member with a document: not even for admins.
    "knowledge:home": ("get", MEMBERS, {}),
    "knowledge:live": ("get", MEMBERS, {}),
    "knowledge:search": ("get", MEMBERS, {"q": "rain"}),
    "knowledge:new": ("get", MEMBERS, {}),
    # Without a file there is nothing to store.
    "knowledge:upload": ("post", (LOGIN, 422, 422, 422, 422, 422), {}),
    "knowledge:collection": ("get", READERS, {}),
    "knowledge:collection_live": ("get", READERS, {}),
    "knowledge:collection_upload": ("post", (LOGIN, 404, 422, 404, 404, 404), {}),
    "knowledge:text": ("get", READERS, {}),
    "knowledge:web": ("get", READERS, {}),
    "knowledge:settings": ("get", READERS, {}),
    "knowledge:share": ("post", OF_READERS, {"share_mode": "private"}),
    "knowledge:delete": ("post", OF_READERS, {}),
    "knowledge:document": ("get", READERS, {}),
    "knowledge:original": ("get", READERS, {}),
    "knowledge:edit_document": ("get", READERS, {}),
    "knowledge:rename": ("post", OF_READERS, {"title": "Diary"}),
    "knowledge:weigh": ("post", OF_READERS, {"importance": "2"}),
    "knowledge:refresh": ("post", (LOGIN, 404, 409, 404, 404, 404), {}),
    "knowledge:cancel": ("post", OF_READERS, {}),
    "knowledge:retry": ("post", (LOGIN, 404, 409, 404, 404, 404), {}),
    "knowledge:remove": ("post", OF_READERS, {}),
    "workflows:list": ("get", MEMBERS, {}),
    "workflows:live_list": ("get", MEMBERS, {}),
    "workflows:pools": ("get", (LOGIN, 200, 403, 200, 200, 200), {}),
    "workflows:run": ("get", OWN_RUN, {}),
    "workflows:live": ("get", OWN_RUN, {}),
    "workflows:cancel": ("post", (LOGIN, 404, 403, 303, 303, 303), {}),
    "workflows:pause": ("post", (LOGIN, 404, 403, 303, 303, 303), {}),
    "workflows:resume": ("post", (LOGIN, 404, 403, 303, 303, 303), {}),
    "workflows:retry": ("post", (LOGIN, 404, 403, 409, 409, 409), {}),
    "workflows:restart": ("post", (LOGIN, 404, 403, 409, 409, 409), {"step": "0"}),
    "workflows:event": ("post", (LOGIN, 404, 403, 303, 303, 303), {"name": "go"}),
}
ROWS.update(FLOW_ROWS)
ROWS.update(INTEGRATION_ROWS)
ROWS.update(BILLING_ROWS)
# Called by programs, which come with a key or a signature and without a session.
SIGNED = ("hooks:", "api:")
# Django's admin and allauth bring their own views and tests; only the doors are walked here.
FOREIGN = ("admin", "account_", "socialaccount_")


def named_urls(
    patterns: list[URLPattern | URLResolver], namespace: str = "", prefix: str = ""
) -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from named_urls(pattern.url_patterns, inner, route)
        else:
            yield f"{namespace}{pattern.name or ''}", route


OWN = {
    name: route
    for name, route in named_urls(get_resolver().url_patterns)
    if not name.startswith(FOREIGN) and not route.startswith(("admin/", "accounts/reauth"))
}


def test_every_address_is_declared() -> None:
    assert set(OWN) == set(ROWS)


def test_every_socket_is_declared() -> None:
    # Their doors are tested in tests/chat/test_sockets.py.
    named = {pattern.name for pattern in [*websocket_urlpatterns, *flow_sockets]}
    assert named == {"ws-thread", "ws-inbox", "ws-flows"}


OF_FLOWS = (
    "flow",
    "bulk",
    "revision",
    "course",
    "lesson",
    "target",
    "submission",
    "comment",
    "notice",
)


@dataclass
class Case:
    world: World
    turn: Turn
    run: WorkflowRun
    made: dict[str, UUID]

    def path(self, route: str) -> str:
        for name, value in {
            "<uuid:thread_id>": self.turn.thread_id,
            "<uuid:message_id>": self.turn.message_id,
            "<uuid:turn_id>": self.turn.pk,
            "<uuid:user_id>": self.world.alice.pk,
            "<uuid:run_id>": self.run.pk,
            "<uuid:agent_id>": self.made["agent"],
            "<uuid:prompt_id>": self.made["prompt"],
            "<uuid:tool_id>": self.made["tool"],
            "<uuid:trial_id>": self.made["trial"],
            "<uuid:answer_id>": self.made["answer"],
            "<uuid:set_id>": self.made["set"],
            "<uuid:call_id>": self.made["call"],
            "<uuid:escalation_id>": self.made["escalation"],
            "<uuid:task_id>": self.made["task"],
            "<uuid:file_id>": self.turn.pk,
            "<uuid:collection_id>": self.made["collection"],
            "<uuid:document_id>": self.made["document"],
            **{f"<uuid:{name}_id>": self.made[name] for name in (*OF_FLOWS, *MADE, "invoice")},
            "<slug:provider>": "smtp",
            "<slug:key>": "greeting",
            "<str:token>": "token",
            "<uuid:step_key>": self.made["step_key"],
        }.items():
            route = route.replace(name, str(value))
        return "/" + route

    def client(self, who: str) -> Client:
        person = {
            "outsider": self.world.charlie,
            "member": self.world.bob,
            "staff": self.world.stella,
            "admin": self.world.adam,
            "owner": self.world.alice,
        }.get(who)
        client = Client(raise_request_exception=False)
        if person:
            client.force_login(person)
        return client


@pytest.fixture(scope="module")
def everything(django_db_setup: None, django_db_blocker: Any) -> Iterator[Case]:
    """Made once for all tests of this file, and taken back with the last of them."""
    with django_db_blocker.unblock(), transaction.atomic():
        world = make_world()
        thread = world.thread(world.bob)
        turn = continue_thread(thread, user=world.alice, message="Hi")
        run = start(asks, organisation=world.organisation, started_by=world.bob)
        made = {**made_by_bob(world), **made_by_staff(world, turn)}
        made |= {**waiting_for_people(world, thread), **made_by_staff_for_bob(world)}
        made |= made_of_integrations(world) | made_of_billing(world)
        yield Case(world, turn, run, made)
        transaction.set_rollback(True)


@pytest.fixture
def case(everything: Case, db: None) -> Case:
    """Everything, as if nobody had touched it before: what a test does is taken back after it."""
    return everything


def waiting_for_people(world: World, thread: Thread) -> dict[str, UUID]:
    """A call of the owner's that waits for approval, a person asked for, a task of the member's."""
    call = ToolCall.objects.create(
        organisation=world.organisation,
        requested_by=world.alice,
        thread_id=thread.pk,
        call_id="c1",
        name="calculator",
        args_hash="hash",
        status=CallStatus.AWAITING_APPROVAL,
        expires_at=timezone.now() + timedelta(hours=1),
    )
    escalation = escalate(thread, reason="Help", user=world.bob)
    create_canvas(thread.pk, by=Editor(user=world.alice), text="Agenda")
    task = create_task(world.organisation, user=world.bob, title="Water the plants")
    return {"call": call.pk, "escalation": escalation.pk, "task": task.pk}


def made_by_bob(world: World) -> dict[str, UUID]:
    """An agent, a prompt, a tool and a document that nobody else was given."""
    whose: dict[str, Any] = {"organisation": world.organisation, "created_by": world.bob}
    agent = create_agent(name="Diary", **whose)
    prompt = create_prompt(name="Tone", text="Be kind.", **whose)
    tool = Tool.objects.create(name="counts", action="calculator", **whose)
    shelf = create_collection(world.organisation, user=world.bob, name="Diaries")
    note = add_text(shelf, user=world.bob, title="Monday", text="It rained.")
    documents = {"collection": shelf.pk, "document": note.document_id}
    return {"agent": agent.pk, "prompt": prompt.pk, "tool": tool.pk, **documents}


def made_by_staff(world: World, turn: Turn) -> dict[str, UUID]:
    """A list of inputs, and a trial about a thread that its maker takes no part in."""
    inputs = save_input_set(world.organisation, by=world.stella, name="Greetings", inputs=[])
    trial = start_trial(
        world.organisation,
        by=world.stella,
        agent=agent_of(world.agent),
        asked=[Asked(position=0, prompt="Hi")],
        thread=turn.thread,
    )
    return {"trial": trial.pk, "answer": trial.answers.get().pk, "set": inputs.pk}


@pytest.mark.parametrize("name", ROWS)
def test_everybody_gets_what_is_declared(case: Case, name: str) -> None:
    method, statuses, form = ROWS[name]
    form = {
        key: str(case.world.organisation.pk) if value == "own" else value
        for key, value in form.items()
    }
    for who, expected in zip(WHO, statuses, strict=True):
        # Each finds everything as it was: to make it all anew takes longer than to take it back.
        with transaction.atomic():
            response = getattr(case.client(who), method)(case.path(OWN[name]), form)
            # Read to its end, a file is closed; left alone it warns in whatever test comes later.
            content = response.getvalue()
            transaction.set_rollback(True)
        assert response.status_code == expected, (who, content[:500])
        if expected == LOGIN and who == "anonymous" and name != "chat:root":
            assert response["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("name", [name for name, route in OWN.items() if "<uuid:" in route])
def test_missing_and_forbidden_look_the_same(case: Case, name: str) -> None:
    method, _, form = ROWS[name]
    outsider = case.client("outsider")
    forbidden = getattr(outsider, method)(case.path(OWN[name]), form)
    missing_route = re.sub(r"<uuid:\w+>", lambda _: str(uuid4()), OWN[name])
    missing = getattr(outsider, method)(f"/{missing_route}", form)

    def visible(response: Any) -> tuple[int, str]:
        text = response.content.decode()
        return response.status_code, text.split("<main", 1)[-1].split("</main", 1)[0]

    assert visible(forbidden) == visible(missing)


@pytest.mark.parametrize(
    "name",
    [name for name, row in ROWS.items() if row[0] == "post" and not name.startswith(SIGNED)],
)
def test_changes_need_a_csrf_token_and_a_post(case: Case, name: str) -> None:
    client = case.client("owner")
    guarded = Client(enforce_csrf_checks=True)
    guarded.cookies = client.cookies
    assert guarded.post(case.path(OWN[name]), ROWS[name][2]).status_code == 403
    put = client.put(case.path(OWN[name]))
    assert put.status_code == 405


@pytest.mark.parametrize("path", ["/admin/", "/admin/chat_app/turn/", "/admin/accounts/user/"])
@pytest.mark.parametrize("who", WHO)
def test_nobody_without_the_flag_sees_the_admin(case: Case, path: str, who: str) -> None:
    assert case.client(who).get(path).status_code == 302


HOSTILE = ["\x00", "%00", "'", "\u202e", "x" * 5000, "<script>", "-1", "1e9", "{}", "\ud83e"]


@pytest.mark.parametrize("name", ROWS)
def test_no_value_a_client_can_send_breaks_the_server(case: Case, name: str) -> None:
    client, path = case.client("owner"), case.path(OWN[name])
    for index, value in enumerate(HOSTILE):
        value = value.encode("utf-8", "replace").decode()
        # In turn as a page and as a part of one: both read the same fields.
        headers = {"HX-Request": "true"} if index % 2 else {}
        fields = ("q", "before", "current", "archived", "cursor", "agent", "text", "client_key")
        decisions = ("args", "happened", "routing", "done", "next")
        more = ("title", "people", "organisation", "name", "state", "time", "payload", "step", "v")
        agents = ("action", "approval", "config", "number", "show", "tool", "version", "share_mode")
        canvas = ("base_version", "conflict_base", "theirs", "kind", "language", "old", "new")
        knowledge = ("folder", "collection", "url", "limit", "importance", "page", "part", "from")
        lessons = ("status", "reason", "notes", "due", "role", "rows", "steps", "flow", "kind")
        billing = ("month", "whose", "model", "provider", "team", "user", "of", "amount")
        names = [*fields, *more, *agents, *decisions, *canvas, *knowledge, *lessons, *billing]
        data = dict.fromkeys(names, value)
        for ask in (client.get, client.post):
            response = ask(path, data, headers=headers)
            content = response.getvalue()
            assert response.status_code < 500, (value, content[:300])


@pytest.mark.parametrize("who", ["owner", "anonymous"])
def test_pages_carry_the_security_headers(case: Case, who: str) -> None:
    response = case.client(who).get("/chat/" if who == "owner" else "/accounts/login/")
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    if who == "owner":
        assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("headers", "kind"), [({}, "text/html"), ({"Accept": "application/json"}, "application/json")]
)
def test_a_database_that_is_away_is_503_and_not_500(
    case: Case, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], kind: str
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("the database is away")

    client = case.client("owner")
    monkeypatch.setattr("chat_app.views.pages.get_thread_messages", away)
    response = client.get(case.path(OWN["chat:thread"]), headers=headers)
    assert (response.status_code, response["Content-Type"].split(";")[0]) == (503, kind)
    assert "try again" in response.content.decode()
