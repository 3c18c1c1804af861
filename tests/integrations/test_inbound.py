"""Inbound hooks: signed, once, quick to answer; what they start has their person's rights."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from django.test import Client

from agents_app.models import Agent
from chat_app.models import Message, Thread
from integrations_app.errors import InvalidSettings
from integrations_app.models import InboundEvent, InboundHook, Notification
from integrations_app.services.hooks import (
    HookValues,
    create_hook,
    rotate_secret,
    switch_hook,
)
from integrations_app.services.inbound import act_upon
from integrations_app.services.notification_workflows import define_notification
from one_project.accounts.models import Membership
from one_project.workflows.errors import TryLater
from one_project.workflows.models import WorkflowRun, WorkItem
from tests.people import World

SLACK_SECRET = "canary-slack-signing-secret"


def hook_of(world: World, scheme: str = "standard", **values: Any) -> tuple[InboundHook, str]:
    agent = Agent.objects.get(pk=world.agent.pk)
    given: dict[str, Any] = {
        "name": "Orders",
        "scheme": scheme,
        "target": "thread",
        "chosen": str(agent.pk),
        **values,
    }
    by = given.pop("by", world.bob)
    return create_hook(world.organisation, by=by, values=HookValues(**given))


def standard(secret: str, body: bytes, *, event: str = "msg_1", at: float | None = None) -> Any:
    stamp = str(int(at or time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{event}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": event,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def send(hook: InboundHook, body: bytes, headers: dict[str, str]) -> Any:
    return Client().post(
        f"/hooks/{hook.pk}/", body, content_type="application/json", headers=headers
    )


def act(event: InboundEvent) -> InboundEvent:
    assert WorkItem.objects.filter(function="integrations.act_upon_event").exists()
    act_upon(event.pk)
    event.refresh_from_db()
    return event


def test_an_event_begins_a_thread_once(world: World) -> None:
    hook, secret = hook_of(world)
    body = json.dumps({"type": "order.paid", "order": 7, "api_key": "canary-in-event"}).encode()
    first = send(hook, body, standard(secret, body))
    assert first.status_code == 202, first.content
    again = send(hook, body, standard(secret, body))
    assert again.status_code == 202
    assert again.json() == {"id": first.json()["id"], "duplicate": True}
    event = InboundEvent.objects.get()
    assert (event.kind, event.body["order"]) == ("order.paid", 7)
    assert "canary" not in json.dumps(event.body)
    assert "thread" in act(event).outcome
    act(event)
    thread = Thread.objects.get()
    assert thread.created_by == world.bob
    said = Message.objects.filter(thread=thread).order_by("order").first()
    assert said is not None
    text = json.dumps(said.content)
    assert "never an instruction" in text
    assert "order.paid" in text


def test_only_signed_events_within_the_window_are_taken(world: World) -> None:
    hook, secret = hook_of(world)
    body = b'{"type": "x"}'
    good = standard(secret, body)
    assert send(hook, body + b" ", good).status_code == 403
    assert send(hook, body, {}).status_code == 403
    assert send(hook, body, {**good, "webhook-id": "msg_2"}).status_code == 403
    old = standard(secret, body, at=time.time() - 301)
    assert send(hook, body, old).status_code == 403
    ahead = standard(secret, body, at=time.time() + 400)
    assert send(hook, body, ahead).status_code == 403
    other = standard("whsec_" + base64.b64encode(b"x" * 32).decode(), body)
    assert send(hook, body, other).status_code == 403
    assert not InboundEvent.objects.exists()
    hook.refresh_from_db()
    assert "signature" in hook.last_error
    assert send(hook, body, good).status_code == 202


def test_a_rotated_secret_opens_beside_the_one_before(world: World) -> None:
    hook, secret = hook_of(world)
    newer = rotate_secret(hook, by=world.bob)
    assert send(hook, b"{}", standard(secret, b"{}", event="a")).status_code == 202
    assert send(hook, b"{}", standard(newer, b"{}", event="b")).status_code == 202
    newest = rotate_secret(hook, by=world.bob)
    assert send(hook, b"{}", standard(secret, b"{}", event="c")).status_code == 403
    assert send(hook, b"{}", standard(newest, b"{}", event="d")).status_code == 202


def test_github_counts_a_body_once_whatever_its_unsigned_headers_say(world: World) -> None:
    hook, secret = hook_of(world, "github")
    body = b'{"action": "opened", "number": 3}'
    mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x-hub-signature-256": f"sha256={mac}", "x-github-event": "issues"}
    assert send(hook, body, {**headers, "x-github-delivery": "1"}).json()["duplicate"] is False
    assert send(hook, body, {**headers, "x-github-delivery": "2"}).json()["duplicate"] is True
    assert InboundEvent.objects.get().kind == "issues"


def test_slack_is_answered_its_challenge(world: World) -> None:
    with pytest.raises(InvalidSettings):
        hook_of(world, "slack")
    hook, _ = hook_of(world, "slack", secret=SLACK_SECRET)
    body = json.dumps({"type": "url_verification", "challenge": "c123"}).encode()
    stamp = str(int(time.time()))
    mac = hmac.new(SLACK_SECRET.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256)
    headers = {
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": f"v0={mac.hexdigest()}",
    }
    answer = send(hook, body, headers)
    assert (answer.status_code, answer.json()) == (200, {"challenge": "c123"})


def test_missing_paused_abandoned_and_unsigned_look_alike(world: World) -> None:
    hook, secret = hook_of(world)
    headers = standard(secret, b"{}")
    switch_hook(hook, by=world.bob, is_active=False)
    paused = send(hook, b"{}", headers)
    switch_hook(hook, by=world.bob, is_active=True)
    Membership.objects.filter(user=world.bob).update(is_active=False)
    left = send(hook, b"{}", headers)
    hook.pk = world.organisation.pk
    missing = send(hook, b"{}", headers)
    unsigned = send(hook, b"{}", {})
    assert {one.status_code for one in (paused, left, missing, unsigned)} == {403}
    assert paused.content == left.content == missing.content == unsigned.content
    assert Client().get(f"/hooks/{hook.pk}/").status_code == 405


def test_large_and_odd_bodies(world: World) -> None:
    hook, secret = hook_of(world)
    large = b'"' + b"x" * 1_000_001 + b'"'
    assert send(hook, large, standard(secret, large)).status_code == 413
    for number, body in enumerate(
        (b"not json", b"[1, 2]", b"[" * 3_000, b"\xff\xfe", b'{"a": 1e999}')
    ):
        headers = standard(secret, body, event=f"odd{number}")
        assert send(hook, body, headers).status_code == 202, body
    assert InboundEvent.objects.count() == 5


def test_a_notification_is_told_with_the_event_as_its_payload(world: World) -> None:
    from integrations_app.runtime.step_kinds import InApp

    define_notification(
        key="hook-test", name="Hook test", steps=[InApp(title="Order", body="{{ payload.order }}")]
    )
    values = {"target": "notification", "chosen": "hook-test", "to": world.stella.email}
    with pytest.raises(InvalidSettings):
        hook_of(world, **values)  # a member tells nobody
    hook, secret = hook_of(world, by=world.adam, **values)
    body = b'{"order": 9}'
    assert send(hook, body, standard(secret, body)).status_code == 202
    assert act(InboundEvent.objects.get()).outcome == "Told 1 person."
    assert Notification.objects.get().payload["order"] == 9


def test_a_notification_is_told_of_large_events_too(world: World) -> None:
    from integrations_app.runtime.step_kinds import InApp

    define_notification(key="hook-large", name="Large", steps=[InApp(title="Order")])
    hook, secret = hook_of(
        world, by=world.adam, target="notification", chosen="hook-large", to=world.stella.email
    )
    for number, text in enumerate(('"' * 70_000, "ü" * 40_000)):
        body = json.dumps({"order": text}, ensure_ascii=False).encode()
        headers = standard(secret, body, event=f"large{number}")
        assert send(hook, body, headers).status_code == 202
    for event in InboundEvent.objects.all():
        assert act(event).outcome == "Told 1 person."
        assert event.body["cut"]


def test_a_workflow_is_started_from_the_list_and_no_other(world: World) -> None:
    values = {"target": "workflow", "by": world.adam}
    with pytest.raises(InvalidSettings):
        hook_of(world, chosen="flows.network", **values)
    hook, secret = hook_of(world, chosen="flows.support_agent_workflow", **values)
    assert send(hook, b"{}", standard(secret, b"{}")).status_code == 202
    event = InboundEvent.objects.get()
    act(event)
    act(event)
    assert WorkflowRun.objects.get().started_by == world.adam
    # Rights are those of now, not those of then.
    Membership.objects.filter(user=world.adam).update(role="member")
    assert "permission" in act(event).outcome


def test_a_flood_of_events_waits_and_is_not_lost(world: World, settings: Any) -> None:
    settings.ONE_LIMIT_THREADS_PER_USER = "bucket 1/60s"
    hook, secret = hook_of(world)
    for number in range(2):
        headers = standard(secret, b"{}", event=f"e{number}")
        assert send(hook, b"{}", headers).status_code == 202
    first, second = InboundEvent.objects.order_by("created_at")
    act_upon(first.pk)
    with pytest.raises(TryLater) as later:
        act_upon(second.pk)
    assert 0 < later.value.seconds <= 60
    assert Thread.objects.count() == 1
