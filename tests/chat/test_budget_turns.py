"""Budgets where people chat: turns, the box they write in, and what is left (issue 8)."""

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from agents_app.providers.base import ChatMessage, ChatRequest
from agents_app.providers.events import Finished, Usage
from agents_app.providers.scripted import ScriptedModel
from agents_app.runtime.spending import Held, hold
from billing_app.models import Reservation, TokenType, UsageRecord, Wallet
from billing_app.services.budget_settings import end_budget, set_budget
from billing_app.types.usage import Spender
from chat_app.models import Message, Thread, Turn
from chat_app.services.conversation import continue_thread
from chat_app.services.revising import regenerate
from chat_app.services.stopping import stop_turn
from one_project.accounts.models import Membership
from tests.billing.prices import add_prices, price
from tests.billing.spending import add_dollar_model, spend
from tests.chat.test_engine import Gate, ended, message_of, running_engine, wait_until
from tests.people import World

# A question and its context take some thousands of tokens at most: a few cents.
PROMPT, ANSWER = Decimal(1), Decimal(100)


def price_the_script() -> None:
    """A token of the scripted model's answer costs a hundredth of a cent."""
    add_prices(
        price("scripted", "scripted", TokenType.INPUT, PROMPT),
        price("scripted", "scripted", TokenType.OUTPUT, ANSWER),
    )


def limit(world: World, hard: str, **fields: Any) -> None:
    """A daily limit of everyone in the organisation."""
    base: dict[str, Any] = {"scope": "user", "window": "day", "hard_limit": Decimal(hard)}
    set_budget(world.organisation, **base | fields)


def says(tokens: int) -> list[Any]:
    """An answer that took so many tokens, and a thousand of input."""
    usage = Usage(input_tokens=1_000, output_tokens=tokens)
    return ["Here you are.", Finished("stop", usage, "scripted")]


@pytest.mark.django_db(transaction=True)
class TestTurns:
    def test_an_answer_is_cut_to_what_is_left_and_counted_exactly(
        self, committed_world: World
    ) -> None:
        world, model = committed_world, ScriptedModel([says(2_000)])
        price_the_script()
        limit(world, "0.30")
        with running_engine(model):
            turn = continue_thread(world.thread(), user=world.alice, message="question")
            wait_until(ended(turn))
        # Thirty cents are less than 4,096 tokens cost, and more than 256 do.
        most = model.requests[0].max_tokens
        assert most is not None
        assert 2_500 < most < 3_000
        record = UsageRecord.objects.get(turn_id=turn.pk, purpose="answer")
        assert record.cost == Decimal("0.201")
        wallet = Wallet.objects.get()
        total = sum(each.cost or 0 for each in UsageRecord.objects.all())
        assert (wallet.spent, wallet.reserved) == (total, 0)

    def test_a_limit_that_does_not_cover_the_answer_says_so_until_it_is_raised(
        self, committed_world: World, client: Client
    ) -> None:
        world, model = committed_world, ScriptedModel([says(10)], repeat=True)
        price_the_script()
        limit(world, "0.01")
        thread = world.thread()
        client.force_login(world.alice)
        with running_engine(model):
            turn = continue_thread(thread, user=world.alice, message="question", limited=True)
            wait_until(ended(turn))
            failed = message_of(turn)
            assert (failed.status, failed.error_code) == ("failed", "budget_exceeded")
            page = client.get(f"/chat/{thread.pk}/").content.decode()
            assert "A limit is reached." in page
            assert "You have used $0.00 of $0.01 for today, and what is left does not" in page
            assert "It starts anew at 00:00 UTC; an admin can raise it under" in page
            assert not UsageRecord.objects.exists()
            assert not model.requests
            limit(world, "5")
            again = regenerate(thread, failed, user=world.alice, limited=True)
            wait_until(ended(again))
        assert message_of(again).status == "success"

    def test_a_stopped_answer_frees_what_it_did_not_use(self, committed_world: World) -> None:
        world, gate = committed_world, Gate()
        price_the_script()
        limit(world, "5")
        with running_engine(ScriptedModel([["half ", gate, "never"]])):
            turn = continue_thread(world.thread(), user=world.alice, message="question")
            wait_until(lambda: gate.reached)
            assert Wallet.objects.get().reserved > Decimal("0.4")
            stop_turn(turn.thread, turn.pk)
            wait_until(ended(turn))
        wallet = Wallet.objects.get()
        assert wallet.reserved == 0
        assert 0 < wallet.spent < Decimal("0.4")
        assert not Reservation.objects.filter(status="open").exists()

    def test_an_agents_own_limit_holds_whoever_asks(self, committed_world: World) -> None:
        world, model = committed_world, ScriptedModel()
        price_the_script()
        limit(world, "0.01", scope="agent", subject_id=world.agent.pk)
        with running_engine(model):
            turn = continue_thread(world.thread(), user=world.alice, message="question")
            wait_until(ended(turn))
        assert "This agent has used" in message_of(turn).error

    def test_what_is_left_follows_each_answer(self, committed_world: World, client: Client) -> None:
        world = committed_world
        price_the_script()
        limit(world, "5", window="month")
        client.force_login(world.alice)
        thread = world.thread()
        with running_engine(ScriptedModel([says(10_000)], repeat=True)):
            turn = continue_thread(thread, user=world.alice, message="question")
            wait_until(ended(turn))
            wait_until(lambda: not Reservation.objects.filter(status="open").exists())
        live = left_of(client, f"/chat/{thread.pk}/budget/")
        assert live == left_of(client, f"/chat/{thread.pk}/")
        assert "left this month" in live
        assert "$5.00 left" not in live


def left_of(client: Client, path: str) -> str:
    """The element with what is left; empty where there is none."""
    page = client.get(path).content.decode()
    found = re.search(r'<a id="left".*?</a>', page, re.DOTALL)
    return found[0] if found else ""


@pytest.fixture
def thread(world: World) -> Thread:
    return world.thread(world.bob)


@pytest.fixture
def bob(world: World, client: Client) -> Client:
    """The member; spending of tests is his."""
    add_dollar_model()
    client.force_login(world.bob)
    return client


def used_up(world: World) -> None:
    limit(world, "5")
    spend(world, "5")


NOT_FREE = pytest.mark.usefixtures("dear")


@pytest.fixture
def dear(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model that answers costs something."""
    price_the_script()
    model = ScriptedModel()
    monkeypatch.setattr("chat_app.services.asking.resolve_chat_model", lambda name: model)


@pytest.mark.django_db
def test_only_what_may_stop_a_call_changes_what_is_asked(world: World) -> None:
    price_the_script()
    asked, model = ChatRequest(messages=(ChatMessage.text("user", "Hi"),)), ScriptedModel()
    spender = Spender(organisation_id=world.organisation.pk, user_id=world.bob.pk)
    assert hold(spender, model, asked) == Held(asked)
    set_budget(world.organisation, scope="user", soft_limit=Decimal(1))
    assert hold(spender, model, asked) == Held(asked)
    limit(world, "5")
    assert hold(spender, model, asked).request.max_tokens == 4_096
    shorter = replace(asked, max_tokens=100)
    assert hold(spender, model, shorter).request == shorter
    # What costs nothing is not cut short.
    assert hold(spender, ScriptedModel(model="another"), asked).request == asked


@pytest.mark.django_db
class TestWhatIsTyped:
    @NOT_FREE
    def test_a_program_is_told_by_code_and_nothing_is_said(
        self, world: World, bob: Client, thread: Thread
    ) -> None:
        used_up(world)
        answer = bob.post(
            f"/chat/{thread.pk}/messages/", {"text": "Hi"}, headers={"Accept": "application/json"}
        )
        assert answer.status_code == 402
        assert answer.json()["error"]["code"] == "budget_exceeded"
        assert "You have used $5.00 of $5.00 for today." in answer.json()["error"]["message"]
        assert not Message.objects.exists()
        assert not Turn.objects.exists()

    @NOT_FREE
    @pytest.mark.parametrize("where", ["/chat/", "/chat/{}/messages/"])
    def test_the_text_stays_in_the_box_without_scripts(
        self, world: World, bob: Client, thread: Thread, where: str
    ) -> None:
        used_up(world)
        form = {"text": "my long thought", "agent": str(world.agent.pk)}
        page = bob.post(where.format(thread.pk), form)
        assert page.status_code == 402
        assert "my long thought" in page.content.decode()
        assert "You have used $5.00 of $5.00 for today." in page.content.decode()
        assert not Message.objects.exists()

    @NOT_FREE
    def test_htmx_gets_a_notice_and_leaves_the_box_alone(
        self, world: World, bob: Client, thread: Thread
    ) -> None:
        used_up(world)
        answer = bob.post(
            f"/chat/{thread.pk}/messages/", {"text": "Hi"}, headers={"HX-Request": "true"}
        )
        assert (answer.status_code, answer["HX-Retarget"]) == (402, "#notices")

    def test_a_model_that_costs_nothing_goes_on_unless_the_limit_is_nothing(
        self, world: World, bob: Client, thread: Thread
    ) -> None:
        used_up(world)
        path = f"/chat/{thread.pk}/messages/"
        assert bob.post(path, {"text": "Hi"}).status_code == 303
        limit(world, "0")
        assert bob.post(path, {"text": "Hi"}).status_code == 402


@pytest.mark.django_db
class TestWhatIsLeft:
    def test_nothing_is_shown_where_nothing_limits(self, bob: Client, thread: Thread) -> None:
        assert left_of(bob, f"/chat/{thread.pk}/") == ""
        assert bob.get(f"/chat/{thread.pk}/budget/").content.strip() == b""

    def test_the_tightest_is_shown_in_words(
        self, world: World, bob: Client, thread: Thread
    ) -> None:
        limit(world, "100", scope="organisation", window="month")
        limit(world, "5", soft_limit=Decimal(4))
        spend(world, "1.80")
        for place in ("/chat/", f"/chat/{thread.pk}/", f"/chat/{thread.pk}/budget/"):
            shown = left_of(bob, place)
            assert "$3.20 left today" in shown
            assert "$1.80 of $5.00 used: your budget for the day" in shown
            assert "is-low" not in shown
        spend(world, "2.50")
        shown = left_of(bob, f"/chat/{thread.pk}/")
        assert "Only $0.70 left today" in shown
        assert "is-low" in shown

    def test_it_goes_when_the_limit_does(self, world: World, bob: Client, thread: Thread) -> None:
        made = set_budget(world.organisation, scope="user", hard_limit=Decimal(5))
        assert left_of(bob, f"/chat/{thread.pk}/budget/")
        end_budget(made)
        assert left_of(bob, f"/chat/{thread.pk}/budget/") == ""

    def test_it_is_of_the_organisation_of_the_thread(
        self, world: World, bob: Client, thread: Thread
    ) -> None:
        Membership.objects.create(organisation=world.elsewhere, user=world.bob)
        session = bob.session
        session["organisation"] = str(world.elsewhere.pk)
        session.save()
        limit(world, "2")
        set_budget(world.elsewhere, scope="organisation", hard_limit=Decimal(1))
        for path in ("", "budget/"):
            shown = left_of(bob, f"/chat/{thread.pk}/{path}")
            assert "$2.00 left today" in shown
            assert "$1.00" not in shown

    def test_the_agent_of_the_thread_counts(
        self, world: World, bob: Client, thread: Thread
    ) -> None:
        limit(world, "2", scope="agent", subject_id=world.agent.pk)
        assert "$2.00 left today" in left_of(bob, f"/chat/{thread.pk}/")
