"""Rate limits where people send (rows RL-14, RL-17, RL-18, RL-19)."""

from typing import Any

import pytest
from django.test import Client, override_settings

from agents_app.providers.events import Finished, Usage
from agents_app.providers.scripted import ScriptedModel
from billing_app.errors import RateLimited
from billing_app.services.sending import check_tokens
from chat_app.models import Message, Thread
from chat_app.services.conversation import continue_thread
from tests.chat.test_engine import ended, running_engine, wait_until
from tests.people import World

SLOW = override_settings(ONE_LIMIT_MESSAGES_PER_USER="window 1/3600s burst 2")
FEW_TOKENS = override_settings(ONE_LIMIT_TOKENS_PER_USER="bucket 60/60s burst 1000")


def say(client: Client, thread: Thread, text: str) -> Any:
    return client.post(
        f"/chat/{thread.pk}/messages/", {"text": text}, headers={"Accept": "application/json"}
    )


@SLOW
def test_who_sends_too_fast_is_told_when_to_go_on(world: World, client: Client) -> None:
    client.force_login(world.alice)
    thread = world.thread()
    say(client, thread, "one")
    say(client, thread, "two")
    refused = say(client, thread, "three")
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "rate_limited"
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    texts = Message.objects.filter(thread=thread, kind="user").values_list("text", flat=True)
    assert set(texts) == {"one", "two"}


@SLOW
def test_what_was_typed_stays_in_the_box_without_javascript(world: World, client: Client) -> None:
    client.force_login(world.alice)
    thread = world.thread()
    for _ in range(2):
        say(client, thread, "before")
    page = client.post(f"/chat/{thread.pk}/messages/", {"text": "my long thought"})
    assert page.status_code == 429
    assert "my long thought" in page.content.decode()


@SLOW
def test_one_persons_limit_is_not_anothers(world: World, client: Client) -> None:
    thread = world.thread(world.bob)
    client.force_login(world.alice)
    for _ in range(3):
        say(client, thread, "from alice")
    client.force_login(world.bob)
    assert say(client, thread, "from bob").status_code != 429


@SLOW
def test_a_refused_beginning_leaves_no_thread(world: World, client: Client) -> None:
    client.force_login(world.alice)
    for text in ("one", "two", "three"):
        client.post("/chat/", {"text": text, "agent": str(world.agent.pk)})
    assert Thread.objects.count() == 2


@FEW_TOKENS
@pytest.mark.django_db(transaction=True)
def test_real_tokens_make_a_debt_that_delays_the_next_question(committed_world: World) -> None:
    usage = Usage(input_tokens=900, output_tokens=1100)
    model = ScriptedModel([["long", Finished("stop", usage, "scripted")]])
    with running_engine(model):
        thread = committed_world.thread()
        turn = continue_thread(thread, user=committed_world.alice, message="question", limited=True)
        wait_until(ended(turn))
    with pytest.raises(RateLimited) as refused:
        check_tokens(committed_world.organisation, committed_world.alice, 1)
    assert refused.value.retry_after
    assert refused.value.retry_after > 900
    with pytest.raises(RateLimited):
        continue_thread(thread, user=committed_world.alice, message="again", limited=True)
    assert thread.messages.filter(text="again").count() == 0
