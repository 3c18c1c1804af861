"""Objects instead of words: asked for by schema, partial while they form, repaired once."""

from typing import Any

import pytest
from pydantic import BaseModel, Field

from agents_app.errors import ObjectInvalid
from agents_app.models import AICall, Purpose
from agents_app.providers.errors import ModelError
from agents_app.providers.registry import use_embedding_model, use_model
from agents_app.providers.scripted import ScriptedModel
from agents_app.providers.scripted_embeddings import ScriptedEmbeddingModel
from agents_app.runtime.agent import Agent, UsageReport
from agents_app.runtime.objects import Partial
from agents_app.runtime.routing import choose_by_model, choose_by_similarity
from chat_app.models import Message, MessageKind
from one_project.common.errors import InvalidInput
from tests.agents.asking import rows, run
from tests.people import World

pytestmark = pytest.mark.django_db(transaction=True)

GOOD = '{"title": "Ada", "pages": 3}'


class Book(BaseModel):
    title: str
    pages: int = Field(ge=1)


WRITER = Agent(name="Writer", instructions="You know books.")


def ask(*script: Any, **asked: Any) -> Any:
    with use_model(ScriptedModel(script)):
        return run(WRITER.generate_object(Book, **{"prompt": "A book?", **asked}))


def test_an_object_is_validated_and_kept_as_json(committed_world: World) -> None:
    thread = committed_world.thread()
    result = ask(GOOD, thread_id=thread.pk)
    assert result.object == Book(title="Ada", pages=3)
    answer = Message.objects.get(thread=thread, kind=MessageKind.AGENT)
    assert (answer.text, answer.status) == ('{"title":"Ada","pages":3}', "success")
    assert [row[:4] for row in rows(thread.pk)] == [
        (0, 0, "user", "success"), (0, 1, "agent", "success"),
    ]  # fmt: skip
    assert AICall.objects.get().purpose == Purpose.OBJECT


def test_the_model_is_told_the_schema() -> None:
    model = ScriptedModel([GOOD])
    with use_model(model):
        run(WRITER.generate_object(Book, prompt="A book?"))
    asked = model.last_request
    assert asked.response_format is not None
    assert asked.response_format["json_schema"]["schema"] == Book.model_json_schema()
    assert [message.role for message in asked.messages] == ["system", "user"]
    assert "You know books." in asked.messages[0].plain_text


def test_a_fence_around_the_object_is_no_harm() -> None:
    assert ask(f"```json\n{GOOD}\n```").object.title == "Ada"


def test_a_wrong_object_is_repaired_once(committed_world: World) -> None:
    thread = committed_world.thread()
    reports: list[UsageReport] = []
    model = ScriptedModel(['{"title": "Ada", "pages": 0}', GOOD])
    with use_model(model):
        result = run(
            WRITER.generate_object(
                Book, prompt="A book?", thread_id=thread.pk, usage_handler=reports.append
            )
        )
    assert result.object.pages == 3
    told = model.last_request.messages[-1]
    assert told.role == "user"
    assert "pages" in told.plain_text
    assert [row[4] for row in rows(thread.pk)] == ["A book?", '{"title":"Ada","pages":3}']
    assert AICall.objects.count() == len(reports) == 2
    assert result.usage.total_tokens == sum(each.usage.total_tokens for each in reports)


def test_a_second_failure_is_typed_and_kept(committed_world: World) -> None:
    thread = committed_world.thread()
    with pytest.raises(ObjectInvalid) as caught:
        ask("no json", '{"title": 1}', thread_id=thread.pk)
    assert "pages" in caught.value.problems
    answer = Message.objects.get(thread=thread, kind=MessageKind.AGENT)
    assert (answer.status, answer.error_code) == ("failed", "object_invalid")
    assert AICall.objects.count() == 2


def test_a_model_that_fails_is_raised(committed_world: World) -> None:
    thread = committed_world.thread()
    with pytest.raises(ModelError):
        ask(ModelError("auth"), thread_id=thread.pk)
    assert rows(thread.pk)[-1][3] == "failed"


def test_the_object_is_seen_while_it_forms() -> None:
    async def body() -> Any:
        stream = WRITER.stream_object(Book, prompt="A book?")
        return [event async for event in stream], await stream.result()

    with use_model(ScriptedModel([['{"title": "A', 'da", "pa', 'ges": 3', "}"]])):
        events, result = run(body())
    assert events == [
        Partial({"title": "A"}), Partial({"title": "Ada"}), Partial({"title": "Ada", "pages": 3}),
    ]  # fmt: skip
    assert result.object == Book(title="Ada", pages=3)


def test_the_same_key_gives_the_same_object(committed_world: World) -> None:
    thread, key = committed_world.thread(), committed_world.agent.pk
    ask(GOOD, thread_id=thread.pk, key=key)
    assert ask(thread_id=thread.pk, key=key).object.title == "Ada"


def test_a_model_chooses_who_answers(committed_world: World) -> None:
    agents = [Agent(name="Sales", description="prices"), Agent(name="Help", description="faults")]
    model = ScriptedModel(['{"agent": "Help"}'])
    with use_model(model):
        chosen = run(
            choose_by_model(None, "It is broken", agents, organisation=committed_world.organisation)
        )
    assert chosen is agents[1]
    assert "Sales: prices" in model.last_request.messages[0].plain_text
    assert AICall.objects.get().purpose == Purpose.ROUTING


def test_nobody_is_asked_when_there_is_no_choice() -> None:
    only = Agent(name="Only")
    assert run(choose_by_model(None, "q", [only])) is only
    with pytest.raises(InvalidInput):
        run(choose_by_model(None, "q", []))


def test_the_nearest_description_answers(committed_world: World) -> None:
    agents = [
        Agent(name="Sales", description="tells prices and offers"),
        Agent(name="Help", description="mends broken printers"),
    ]
    with use_embedding_model(ScriptedEmbeddingModel()):
        chosen = run(
            choose_by_similarity(
                "my printers are broken", agents, organisation=committed_world.organisation
            )
        )
    assert chosen is agents[1]
    kept = AICall.objects.get()
    assert (kept.purpose, kept.status, kept.output_tokens) == (Purpose.EMBEDDING, "success", 0)


def test_a_failed_embedding_is_kept_and_raised() -> None:
    agents = [Agent(name="One"), Agent(name="Two")]
    model = ScriptedEmbeddingModel(fail=ModelError("overloaded"))
    with use_embedding_model(model), pytest.raises(ModelError):
        run(choose_by_similarity("q", agents))
    assert AICall.objects.get().error_code == "overloaded"
