"""What models, tools and people can send that looks like JSON and breaks who reads it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from agents_app.errors import InvalidArguments, InvalidFields
from agents_app.models import AICall, CallStatus, ToolCall
from agents_app.providers.events import Usage
from agents_app.providers.parts import ToolCallPart
from agents_app.providers.scripted import ScriptedModel
from agents_app.runtime.recorded import Caller, RecordedCall
from agents_app.runtime.tool_use import args_hash, outcome_of_value
from agents_app.services.ai_calls import keep_calls
from agents_app.services.approvals import approve_call, edit_and_approve
from agents_app.services.running_tools import _still_allowed
from agents_app.tools import definitions
from agents_app.tools.definitions import Arguments, define
from chat_app.models import TurnStatus
from chat_app.services.playground_options import read_call_options
from tests.chat.proposing import proposed
from tests.chat.test_engine import ask, ended, running_engine, wait_until
from tests.chat.tools import calls_of, give_tools, registered_tools
from tests.people import World

pytestmark = pytest.mark.django_db


class Amount(Arguments):
    amount: float
    note: dict[str, Any] = {}


def pay(arguments: Amount) -> str:
    """Pay."""
    return f"paid {arguments.amount:g}"


@pytest.fixture(autouse=True)
def _tools() -> Iterator[None]:
    with registered_tools():
        definitions.register_tool(define(pay, name="pay", effect="external"))
        try:
            yield
        finally:
            definitions._registry.pop("pay")


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize("amount", [1e16, 5e17, -0.0, 0.1, 12.0, 1e-7])
def test_an_approval_still_counts_after_the_database_has_written_the_number(
    world: World, amount: float
) -> None:
    give_tools(world, "pay")
    _, [asked] = proposed(world, ToolCallPart("1", "pay", {"amount": amount}))
    approve_call(ToolCall.objects.get(pk=asked.pk), by=world.alice, args=asked.args_hash)
    stored = ToolCall.objects.select_related("organisation", "agent").get(pk=asked.pk)
    assert _still_allowed(stored) is not None


def test_numbers_that_are_the_same_are_the_same_call() -> None:
    assert args_hash("pay", {"amount": 1e17}) == args_hash("pay", {"amount": 10**17})
    assert args_hash("pay", {"amount": 1.5}) != args_hash("pay", {"amount": 1})
    assert args_hash("pay", {"amount": True}) != args_hash("pay", {"amount": 1})


@pytest.mark.parametrize("raw", ['{"amount": 1e300}', json.dumps({"amount": 1, "note": deep(200)})])
@pytest.mark.django_db(transaction=True)
def test_arguments_that_nobody_could_read_again_are_told_to_the_model(
    committed_world: World, raw: str
) -> None:
    give_tools(committed_world, "pay")
    model = ScriptedModel([[ToolCallPart("1", "pay", raw)], "Sorry."])
    with running_engine(model):
        turn = ask(committed_world)
        wait_until(ended(turn))
    turn.refresh_from_db()
    [made] = calls_of(turn)
    assert (turn.status, turn.message.text) == (TurnStatus.SUCCESS, "Sorry.")
    assert (made.status, made.error_code) == (CallStatus.FAILED, "invalid_arguments")
    assert made.arguments == raw


def test_a_result_that_nobody_could_read_again_is_kept_as_text() -> None:
    outcome = outcome_of_value({"n": 1e300})
    assert (outcome.status, outcome.output) == (CallStatus.SUCCEEDED, '{"n":1e+300}')


@pytest.mark.parametrize("arguments", [{"amount": 1e300}, {"amount": 1, "note": deep(700)}])
def test_a_person_cannot_send_them_either(world: World, arguments: dict[str, Any]) -> None:
    give_tools(world, "pay")
    _, [asked] = proposed(world, ToolCallPart("1", "pay", {"amount": 1}))
    with pytest.raises(InvalidArguments):
        edit_and_approve(asked, by=world.alice, arguments=arguments, args=asked.args_hash)
    sent = {f"arguments-{asked.pk}": json.dumps(arguments)}
    client = Client()
    client.force_login(world.alice)
    address = f"/chat/{asked.thread_id}/calls/{asked.pk}/change/"
    assert client.post(address, sent).status_code == 422


def test_options_of_a_trial_may_not_be_nested_without_end() -> None:
    with pytest.raises(InvalidFields):
        read_call_options(
            context="", options=json.dumps({"custom": deep(700)}), system=None, save=False
        )


def test_provider_options_that_a_form_could_not_show_again_are_refused(world: World) -> None:
    client = Client()
    client.force_login(world.bob)
    sent = {"name": "Deep", "provider_options": json.dumps(deep(300)), "share_mode": "private"}
    response = client.post("/agents/new/", sent)
    assert response.status_code == 422
    assert "no JSON that can be used" in response.text


def test_a_model_that_says_what_postgres_cannot_store_is_in_the_ledger(world: World) -> None:
    made = RecordedCall(
        caller=Caller(organisation_id=world.organisation.pk),
        status="failed",
        model="m\x00",
        provider="p",
        usage=Usage(),
        duration_ms=1,
        error="bad \x00 byte",
        response={"parts": [{"text": "a\x00b \ud800"}]},
    )
    keep_calls([made])
    row = AICall.objects.get()
    assert (row.model, row.error) == ("m", "bad  byte")
    assert row.response == {"parts": [{"text": "ab \ufffd"}]}


@pytest.mark.django_db(transaction=True)
def test_an_answer_with_a_nul_is_stored_without_it(committed_world: World) -> None:
    with running_engine(ScriptedModel(["tea\x00 time"])):
        turn = ask(committed_world)
        wait_until(ended(turn))
    turn.refresh_from_db()
    assert (turn.status, turn.message.text) == (TurnStatus.SUCCESS, "tea time")
    assert AICall.objects.filter(turn_id=turn.pk).count() == 1
