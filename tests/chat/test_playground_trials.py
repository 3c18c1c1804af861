"""Trying something in the playground: what the model gets, and that it changes nothing."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from agents_app.models import AICall, Purpose
from agents_app.providers.errors import ModelError
from agents_app.providers.registry import use_model
from agents_app.providers.scripted import ScriptedModel
from agents_app.runtime.agent import Agent, register_agent
from agents_app.tools.definitions import ToolContext, ToolDefinition, define
from chat_app.models import Message, Thread, Trial, TrialAnswer, TrialStatus, Turn
from chat_app.services.playground import stop_trial
from one_project.common.ids import new_id
from tests.chat.playing import asked, client_of, form, run_trial
from tests.chat.test_engine import ended, running_engine, wait_until
from tests.chat.tools import Note, call, effects, give_tools, registered_tools
from tests.people import World
from tests.workflows.by_hand import drain

HTMX = {"HX-Request": "true"}


@pytest.fixture
def stella(world: World) -> Client:
    return client_of(world.stella)


def preview(client: Client, world: World, **fields: Any) -> Any:
    return client.post(
        "/playground/try/", form(world, **{"action": "preview", **fields}), headers=HTMX
    )


def test_a_preview_shows_what_the_model_would_get(world: World, stella: Client) -> None:
    turn = asked(world.thread(world.bob), "What is tea?", "A leaf.")
    with use_model(ScriptedModel()):
        html = preview(stella, world, thread=turn.thread_id).content.decode()
    for text in ("You are Guide.", "What is tea?", "A leaf.", "Hello?", "tokens in all"):
        assert text in html, text
    assert not Trial.objects.exists()


def test_wrong_options_stand_beside_their_fields_and_the_text_is_kept(
    world: World, stella: Client
) -> None:
    fields = {
        "context": '{"recent_messages": "many"}',
        "options": '{"storage": "all", "tempo": 3}',
        "models": ",".join(f"m{n}" for n in range(9)),
        "system": "My own",
    }
    response = stella.post("/playground/try/", form(world, **fields), headers=HTMX)
    html = response.content.decode()
    assert response.status_code == 422
    for text in ("recent_messages:", "tempo:", "At most 6 models", "My own", "many", "Hello?"):
        assert text in html, text
    for wrong in ("{", "[1]", "null", "NaN", "[" * 5000, '{"provider_options": {"a": "\\u0000"}}'):
        assert stella.post("/playground/try/", form(world, options=wrong)).status_code in {303, 422}
    assert stella.post("/playground/try/", form(world, prompt=" ")).status_code == 422
    assert stella.post("/playground/try/", form(world, agent=str(uuid4()))).status_code == 422


def test_storing_needs_to_be_asked_for(world: World, stella: Client) -> None:
    response = stella.post("/playground/try/", form(world, options='{"storage": "all"}'))
    assert response.status_code == 422
    assert "Tick “Save to thread”" in response.content.decode()


@pytest.fixture
def committed_stella(committed_world: World) -> Client:
    return client_of(committed_world.stella)


@pytest.mark.django_db(transaction=True)
def test_a_run_asks_each_model_and_says_nothing_in_the_thread(
    committed_world: World, committed_stella: Client
) -> None:
    world = committed_world
    thread = world.thread(world.bob)
    before = (thread.seq, Message.objects.count())
    model = ScriptedModel(["One.", "Two."])
    fields = form(world, thread=str(thread.pk), models="a, b", system="Be brief.")
    trial = run_trial(committed_stella, model, **fields)

    answers = list(trial.answers.order_by("position"))
    assert [answer.status for answer in answers] == ["success", "success"]
    assert {answer.text for answer in answers} == {"One.", "Two."}
    assert model.requests[0].messages[0].plain_text == "Be brief."
    thread.refresh_from_db()
    assert (thread.seq, Message.objects.count()) == before
    calls = AICall.objects.all()
    assert {call.purpose for call in calls} == {Purpose.PLAYGROUND}
    assert {call.thread_id for call in calls} == {thread.pk}
    assert {call.user_id for call in calls} == {world.stella.pk}
    assert sorted(pk for answer in answers for pk in answer.calls) == sorted(
        call.pk for call in calls
    )
    html = committed_stella.get(f"/playground/trials/{trial.pk}/").content.decode()
    assert "One." in html
    assert "2 of 2 answered" in html
    raw = committed_stella.get(f"/playground/answers/{answers[0].pk}/", headers=HTMX)
    assert "Be brief." in raw.content.decode()


@pytest.mark.django_db(transaction=True)
def test_the_preview_is_what_the_model_is_sent(
    committed_world: World, committed_stella: Client
) -> None:
    world = committed_world
    with registered_tools():
        give_tools(world, "look_up", temperature=0.5)
        turn = asked(world.thread(world.bob), "What is tea?", "A leaf.")
        fields = form(world, thread=str(turn.thread_id))
        model = ScriptedModel(["Fine."])
        with use_model(model):
            shown = committed_stella.post("/playground/try/", {**fields, "action": "preview"})
        run_trial(committed_stella, model, **fields)
    [previewed] = shown.context["previews"]
    sent = AICall.objects.get(purpose=Purpose.PLAYGROUND).request
    assert json.loads(json.dumps(previewed.request.to_json())) == sent
    assert [tool["name"] for tool in sent["tools"]] == ["look_up"]
    assert sent["temperature"] == 0.5


@pytest.fixture
def tools() -> Iterator[None]:
    with registered_tools():
        yield


@pytest.mark.django_db(transaction=True)
def test_tools_that_read_run_and_all_others_are_not_executed(
    committed_world: World, committed_stella: Client, tools: None
) -> None:
    world = committed_world
    give_tools(world, "look_up", "write_down", "send_out", "destroy")
    calls = [
        call("look_up", key="1"), call("write_down", key="2"), call("send_out", key="3"),
        call("destroy", key="4"),
    ]  # fmt: skip
    model = ScriptedModel([calls, "Done."])
    trial = run_trial(committed_stella, model, **form(world))

    [answer] = trial.answers.all()
    assert (answer.status, answer.text, answer.steps) == ("success", "Done.", 2)
    assert effects("looked_up") == 1
    assert [effects(kind) for kind in ("written_down", "sent_out", "destroyed")] == [0, 0, 0]
    told = list(model.requests[1].messages[-1].parts)
    assert [part.is_error for part in told] == [False, True, True, True]
    assert all("not executed" in part.output for part in told[1:3])
    # What destroys is not even begun.
    assert "approval" in told[3].output


@pytest.mark.django_db(transaction=True)
def test_a_tool_that_waits_for_approval_is_not_executed(
    committed_world: World, committed_stella: Client, tools: None
) -> None:
    give_tools(committed_world, "look_up", approvals={"look_up": "always"})
    model = ScriptedModel([[call("look_up")], "Done."])
    run_trial(committed_stella, model, **form(committed_world))
    assert effects("looked_up") == 0


WHO: list[Any] = []


def whose(arguments: Note, context: ToolContext) -> str:
    """Say for whom it runs."""
    WHO.append((context.user, context.thread_id))
    return "fine"


def who_am_i() -> ToolDefinition:
    return define(whose, name="whose")


@pytest.mark.django_db(transaction=True)
def test_tools_run_with_the_rights_of_who_tries(
    committed_world: World, committed_stella: Client
) -> None:
    WHO.clear()
    register_agent("tests.knows", Agent(name="Knows", tools=(who_am_i(),)))
    thread = committed_world.thread(committed_world.bob)
    fields = form(committed_world, thread=str(thread.pk), agent="code:tests.knows")
    run_trial(committed_stella, ScriptedModel([[call("whose")], "Done."]), **fields)
    assert [(committed_world.stella, thread.pk)] == WHO


@pytest.mark.django_db(transaction=True)
def test_a_failed_run_says_why_and_is_a_row(
    committed_world: World, committed_stella: Client
) -> None:
    model = ScriptedModel([ModelError("auth")])
    trial = run_trial(committed_stella, model, **form(committed_world))
    [answer] = trial.answers.all()
    assert (answer.status, answer.error_code) == ("failed", "auth")
    assert [call.status for call in AICall.objects.filter(pk__in=answer.calls)] == ["failed"]
    html = committed_stella.get(f"/playground/trials/{trial.pk}/").content.decode()
    assert "is-failed" in html


@pytest.mark.django_db(transaction=True)
def test_a_past_turn_is_asked_again_as_it_was(
    committed_world: World, committed_stella: Client
) -> None:
    world = committed_world
    thread = world.thread(world.bob)
    asked(thread, "First?", "Yes.")
    turn = asked(thread, "Second?", "No.")
    asked(thread, "Third?", "Maybe.")
    Thread.objects.filter(pk=thread.pk).update(summary="All of it", summary_order=9)
    page = committed_stella.get(f"/playground/threads/{thread.pk}/?turn={turn.pk}")
    assert page.context["composer"].prompt == "Second?"
    model = ScriptedModel(["Now yes."])
    fields = form(world, thread=str(thread.pk), turn=str(turn.pk), prompt="Second?")
    trial = run_trial(committed_stella, model, **fields)

    said = [message.plain_text for message in model.requests[0].messages]
    assert said == ["You are Guide.", "First?", "Yes.", "Second?"]
    html = committed_stella.get(f"/playground/trials/{trial.pk}/").content.decode()
    assert "As it was answered" in html
    assert "No." in html
    assert "Now yes." in html


@pytest.mark.django_db(transaction=True)
def test_saving_is_an_ordinary_turn_of_somebody_who_takes_part(committed_world: World) -> None:
    world = committed_world
    thread = world.thread(world.stella)
    model = ScriptedModel(["Kept."])
    fields = form(world, thread=str(thread.pk), save="1", system="Be brief.", client_key=new_id())
    with running_engine(model):
        for _ in range(2):
            response = client_of(world.stella).post("/playground/try/", fields, headers=HTMX)
            assert response.status_code == 200, response.content
        turn = Turn.objects.get()
        wait_until(ended(turn))
    turn.refresh_from_db()
    assert turn.requested_by == world.stella
    assert turn.options["storage"] == "prompt_and_output"
    assert model.requests[0].messages[0].plain_text == "Be brief."
    assert Message.objects.get(pk=turn.message_id).text == "Kept."
    assert not Trial.objects.exists()


def test_nobody_speaks_in_a_thread_they_take_no_part_in(world: World, stella: Client) -> None:
    thread = world.thread(world.bob)
    fields = form(world, thread=str(thread.pk), save="1")
    response = stella.post("/playground/try/", fields, headers=HTMX)
    assert response.status_code == 422
    assert "you take part in" in response.content.decode()
    assert not Message.objects.exists()


def test_a_stopped_run_is_not_answered_later(world: World, stella: Client) -> None:
    model = ScriptedModel([])
    with use_model(model):
        stella.post("/playground/try/", form(world, models="a,b"))
        trial = Trial.objects.get()
        assert stella.post(f"/playground/trials/{trial.pk}/stop/").status_code == 303
        drain()
    assert {answer.status for answer in trial.answers.all()} == {TrialStatus.STOPPED}
    assert not model.requests
    assert stop_trial(trial) == 0


def test_the_outcome_is_asked_for_until_all_is_answered(world: World, stella: Client) -> None:
    stella.post("/playground/try/", form(world))
    trial = Trial.objects.get()
    address = f"/playground/trials/{trial.pk}/"
    response = stella.get(address, headers=HTMX)
    assert 'hx-trigger="every 1s"' in response.content.decode()
    version = response.context["version"]
    assert stella.get(f"{address}?v={version}", headers=HTMX).status_code == 204
    TrialAnswer.objects.update(status=TrialStatus.SUCCESS)
    response = stella.get(f"{address}?v={version}", headers=HTMX)
    assert "hx-trigger" not in response.content.decode().split("pg-progress")[0]


def test_a_run_goes_with_its_thread(world: World, stella: Client) -> None:
    thread = world.thread(world.bob)
    stella.post("/playground/try/", form(world, thread=str(thread.pk)))
    Thread.objects.filter(pk=thread.pk).delete()
    assert not Trial.objects.exists()


def test_an_agent_with_options_that_are_none_is_said_and_not_a_500(
    world: World, stella: Client
) -> None:
    world.agent.options = {"tempo": "high"}
    world.agent.save()
    page = stella.get("/playground/")
    assert page.status_code == 200
    assert "options of this agent are not valid" in page.content.decode()
    assert stella.post("/playground/try/", form(world)).status_code == 422
    assert stella.get(f"/playground/system/?agent={world.agent.pk}").status_code == 200


def test_reset_gives_the_agents_own_prompt_back(world: World, stella: Client) -> None:
    html = stella.get(f"/playground/system/?agent={world.agent.pk}").content.decode()
    assert "You are Guide." in html
    private = type(world.agent).objects.create(
        organisation=world.organisation,
        name="Diary",
        kind="user_agent",
        created_by=world.bob,
        prompt="A secret.",
    )
    html = stella.get(f"/playground/system/?agent={private.pk}").content.decode()
    assert "A secret." not in html
