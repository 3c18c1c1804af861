"""An organisation with something of everything. All of them say the same, but for their marker:
whoever finds the words of one finds those of the others, and the vectors are the same ones."""

import io
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from agents_app.models import Agent, Collection, EmbeddingSpace
    from chat_app.models import Thread
    from one_project.accounts.models import Organisation, User

DIMENSIONS = 8
DOCUMENTS = 3
QUESTION = "What is the budget of the harvest feast?"
SAID = "The budget of the harvest feast is {marker} for all of us, said part {number}."
PAGE = "# Budget\n\nThe budget of the harvest feast is {marker}. Page {number} has more of it.\n"
ROLES = ("owner", "admin", "staff", "member")


@dataclass(frozen=True, slots=True)
class Side:
    """ids: by the placeholder of an address (``thread_id``). titles: of its documents."""

    marker: str
    organisation: "Organisation"
    people: dict[str, "User"]
    agent: "Agent"
    thread: "Thread"
    ids: dict[str, UUID]
    titles: list[str]

    @property
    def signs(self) -> tuple[str, str]:
        """What none of its rows is without."""
        return self.marker, str(self.organisation.pk)

    def is_in(self, text: str) -> bool:
        return any(sign in text.lower() for sign in self.signs)


def vector(number: int) -> list[float]:
    """The same for the same thing of every organisation."""
    numbers = random.Random(number)
    return [numbers.uniform(-1, 1) for _ in range(DIMENSIONS)]


def make_space() -> "EmbeddingSpace":
    """The space of the trial, for which there is no model: vectors are given."""
    from agents_app.models import SpaceState
    from agents_app.services.spaces import open_space

    return open_space("trial", "given", DIMENSIONS, state=SpaceState.ACTIVE)


def make_side(name: str, space: "EmbeddingSpace") -> Side:
    """``name``: lower case letters, the rest of the marker."""
    from agents_app.models import Agent, AgentKind
    from agents_app.search.query_vectors import keep_vector
    from agents_app.services.agents import create_agent
    from benchmarks.tenancy.billed import given_bills
    from benchmarks.tenancy.linked import given_links
    from benchmarks.tenancy.work import given_work
    from chat_app.services.threads import create_thread
    from one_project.accounts.models import Role, User
    from one_project.accounts.services.organisations import add_member, create_organisation

    marker = f"qz{name}qx"
    people = {
        role: User.objects.create_user(f"{role}@{marker}.test", None, name=f"{role} {marker}")
        for role in ROLES
    }
    organisation = create_organisation(name=f"House {marker}", owner=people["owner"])
    for role in ROLES[1:]:
        add_member(organisation, user=people[role], role=Role(role))
    agent: Agent = create_agent(
        organisation, name=f"Guide {marker}", kind=AgentKind.SYSTEM_AGENT, prompt=f"Be {marker}."
    )
    thread = create_thread(
        organisation,
        user=people["owner"],
        agent=agent,
        title=f"Feast {marker}",
        participants=[people["member"]],
    )
    side = Side(marker, organisation, people, agent, thread, {}, [])
    side.ids.update(_said(side) | _owned(side) | _waiting(side))
    side.ids.update(given_work(side))
    side.ids.update(given_links(side))
    side.ids.update(given_bills(side))
    side.ids.update(_known(side, space))
    _embed(side, space)
    keep_vector(space, organisation.pk, QUESTION, vector(0))
    return side


def _said(side: Side) -> dict[str, UUID]:
    """Messages with a file, and a canvas with edits."""
    from chat_app.services.attachments import Upload, keep_uploads
    from chat_app.services.canvas import Editor, create_canvas, edit_canvas
    from chat_app.services.conversation import continue_thread, send_agent_message

    owner, thread, marker = side.people["owner"], side.thread, side.marker
    content = io.BytesIO(f"The list of {marker}".encode())
    files, _ = keep_uploads(side.organisation.pk, owner, [Upload(f"list {marker}.txt", content)])
    turn = continue_thread(
        thread,
        user=owner,
        message=SAID.format(marker=marker, number=0),
        files=[one.pk for one in files],
    )
    for number in range(1, 6):
        text = SAID.format(marker=marker, number=number)
        kind = "agent" if number % 2 else "user"
        author = None if number % 2 else owner
        send_agent_message(thread, kind=kind, content=text, author=author, answer=False)
    by = Editor(user=owner)
    create_canvas(thread.pk, by=by, text=f"The budget of {marker}\n\nWho brings the bread?\n")
    edit_canvas(thread.pk, old="the bread", new=f"the bread of {marker}", by=by)
    return {
        "thread_id": thread.pk,
        "message_id": turn.message_id,
        "turn_id": turn.pk,
        "file_id": files[0].pk,
        "user_id": side.people["member"].pk,
    }


def _owned(side: Side) -> dict[str, UUID]:
    """What nobody else was given: of the member, and of staff."""
    from agents_app.models import Tool
    from agents_app.runtime.agent import agent_of
    from agents_app.services.agents import create_agent
    from agents_app.services.prompts import create_prompt
    from chat_app.services.playground import Asked, start_trial
    from chat_app.services.playground_inputs import NewInput, save_input_set

    place, marker = side.organisation, side.marker
    whose: dict[str, Any] = {"organisation": place, "created_by": side.people["member"]}
    agent = create_agent(name=f"Diary {marker}", prompt=f"Write {marker}.", **whose)
    prompt = create_prompt(name=f"Tone {marker}", text=f"Be kind to {marker}.", **whose)
    tool = Tool.objects.create(
        name=f"counts_{marker}", action="calculator", description=f"Counts {marker}", **whose
    )
    staff = side.people["staff"]
    inputs = [NewInput(f"Hello {marker}")]
    kept = save_input_set(place, by=staff, name=f"Greetings {marker}", inputs=inputs)
    trial = start_trial(
        place,
        by=staff,
        agent=agent_of(side.agent),
        asked=[Asked(position=0, prompt=f"Hi {marker}")],
        thread=side.thread,
    )
    return {
        "agent_id": agent.pk,
        "prompt_id": prompt.pk,
        "tool_id": tool.pk,
        "set_id": kept.pk,
        "trial_id": trial.pk,
        "answer_id": trial.answers.get().pk,
    }


def _waiting(side: Side) -> dict[str, UUID]:
    """What waits for people: a call, a person asked for, a task, a run."""
    from datetime import timedelta

    from django.utils import timezone

    from agents_app.models import CallStatus, ToolCall
    from chat_app.services.escalations import escalate
    from chat_app.services.tasks import create_task
    from one_project.workflows.services.runs import start
    from tests.workflows.samples import asks

    member, marker = side.people["member"], side.marker
    call = ToolCall.objects.create(
        organisation=side.organisation,
        requested_by=side.people["owner"],
        thread_id=side.thread.pk,
        call_id="c1",
        name="calculator",
        arguments={"expression": f"1 + {marker}"},
        told=f"{marker} is no number",
        args_hash="hash",
        status=CallStatus.AWAITING_APPROVAL,
        expires_at=timezone.now() + timedelta(hours=1),
    )
    escalation = escalate(side.thread, reason=f"Help {marker}", user=member)
    task = create_task(side.organisation, user=member, title=f"Bake for {marker}")
    run = start(asks, organisation=side.organisation, started_by=member)
    return {
        "call_id": call.pk,
        "escalation_id": escalation.pk,
        "task_id": task.pk,
        "run_id": run.pk,
    }


def _known(side: Side, space: "EmbeddingSpace") -> dict[str, UUID]:
    """Documents of the member, one collection private, one for everybody; and what was cited."""
    from agents_app.search.query_vectors import QueryVector
    from agents_app.services.citations import offer_passages
    from agents_app.services.collections import create_collection
    from agents_app.services.knowledge import search_knowledge
    from agents_app.services.sharing import ORGANISATION, Sharing, share
    from one_project.common.tenancy import in_tenant

    member, marker = side.people["member"], side.marker
    private, shared = (
        create_collection(side.organisation, user=member, name=f"{name} {marker}")
        for name in ("Diaries", "Rules")
    )
    with in_tenant(side.organisation.pk):
        share(shared, by=member, sharing=Sharing(mode=ORGANISATION))
    document = None
    for collection in (private, shared):
        for number in range(DOCUMENTS):
            title = f"{collection.name} {number}"
            side.titles.append(title)
            found = _ready(collection, title, marker)
            document = document or found
    assert document is not None
    passages = search_knowledge(
        side.organisation, user=member, query=QUESTION, vector=QueryVector(), limit=3
    )
    offer_passages(side.organisation.pk, side.ids["turn_id"], passages)
    return {"collection_id": private.pk, "document_id": document}


def _ready(collection: "Collection", title: str, marker: str) -> UUID:
    """A document that has been worked through, as a worker does it; its id."""
    from agents_app.knowledge.parse_text import headings_of
    from agents_app.knowledge.parsed import ParsedDocument, ParsedPage
    from agents_app.services.document_versions import (
        begin_version,
        cut_version,
        finish_version,
        keep_pages,
    )
    from agents_app.services.documents import add_text

    texts = [PAGE.format(marker=marker, number=number) for number in (1, 2)]
    text = "\n\n".join([title, *texts])
    version = add_text(collection, user=collection.created_by, title=title, text=text)
    place = (version.organisation_id, version.pk)
    assert version.work is not None
    begin_version(*place, version.work.pk)
    pages = tuple(
        ParsedPage(number, text, tuple(headings_of(text))) for number, text in enumerate(texts, 1)
    )
    keep_pages(*place, ParsedDocument(title, "text/markdown", pages))
    cut_version(*place)
    finish_version(*place)
    return version.document_id


def _embed(side: Side, space: "EmbeddingSpace") -> None:
    from agents_app.models import Chunk
    from agents_app.services.embedding_batches import insert_embeddings
    from chat_app.models import SearchEntry
    from one_project.common.tenancy import in_tenant

    place = side.organisation
    for kind, model in (("chunk", Chunk), ("entry", SearchEntry)):
        with in_tenant(place.pk):
            rows: Any = model.objects.filter(organisation=place)
            ids = list(rows.order_by("pk").values_list("pk", flat=True))
        given = {key: vector(number) for number, key in enumerate(ids)}
        insert_embeddings(place, kind, given, space=space)
