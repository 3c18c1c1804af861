"""Keys of programs and the API they open."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from integrations_app.errors import InvalidSettings, KeyRefused, ScopeMissing
from integrations_app.models import ApiKey, IdempotencyRecord, Notification
from integrations_app.services import api_keys, idempotency
from integrations_app.services.api_keys import access_by_key, create_key, revoke
from integrations_app.services.notification_workflows import define_notification
from one_project.accounts.models import Event, Membership
from tests.people import World

NOTIFY = "/api/v1/notifications"


@pytest.fixture(autouse=True)
def greeting() -> None:
    from integrations_app.runtime.step_kinds import InApp

    define_notification(key="api-test", name="API test", steps=[InApp(title="Hello", body="You")])


def key_of(world: World, *scopes: str, by: Any = None, **options: Any) -> tuple[ApiKey, str]:
    wanted = scopes or ("notify",)
    return create_key(
        world.organisation, by=by or world.adam, name="Script", scopes=wanted, **options
    )


def post(raw: str, body: Any, *, key: str = "", path: str = NOTIFY) -> Any:
    headers = {"Authorization": f"Bearer {raw}"}
    if key:
        headers["Idempotency-Key"] = key
    return Client().post(path, json.dumps(body), content_type="application/json", headers=headers)


def asked(world: World, **changes: Any) -> dict[str, Any]:
    return {"workflow": "api-test", "to": [world.bob.email], **changes}


def test_a_key_is_stored_as_a_hash_and_told_nowhere(world: World) -> None:
    row, raw = key_of(world)
    assert raw.startswith("one_")
    assert len(raw) > 40
    stored = json.dumps(list(ApiKey.objects.values()), default=str)
    stored += json.dumps(list(Event.objects.values()), default=str)
    assert raw not in stored
    assert raw[len(row.prefix) :] not in stored
    found = access_by_key(raw, "notify")
    assert (found.user, found.organisation) == (world.adam, world.organisation)


def test_revoked_expired_and_abandoned_keys_open_nothing(world: World) -> None:
    row, raw = key_of(world)
    with pytest.raises(ScopeMissing):
        access_by_key(raw, "mcp")
    for wrong in ("", "one_", raw[:-1], raw + "x", raw.upper(), "x" * 5_000):
        with pytest.raises(KeyRefused):
            access_by_key(wrong, "notify")
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(KeyRefused):
        access_by_key(raw, "notify")
    ApiKey.objects.update(expires_at=None)
    Membership.objects.filter(user=world.adam).update(is_active=False)
    with pytest.raises(KeyRefused):
        access_by_key(raw, "notify")
    Membership.objects.filter(user=world.adam).update(is_active=True)
    access_by_key(raw, "notify")
    revoke(row, by=world.adam)
    with pytest.raises(KeyRefused):
        access_by_key(raw, "notify")


def test_a_member_gets_no_key_to_tell_everybody_something(world: World) -> None:
    with pytest.raises(InvalidSettings):
        key_of(world, "notify", by=world.bob)
    _, raw = key_of(world, "notify", by=world.stella)
    # Nor keeps one when the role is gone.
    Membership.objects.filter(user=world.stella).update(role="member")
    with pytest.raises(ScopeMissing):
        access_by_key(raw, "notify")


def test_the_api_tells_people_and_says_what_became_of_it(world: World) -> None:
    _, raw = key_of(world)
    answer = post(raw, asked(world, transaction_id="t1"))
    assert answer.status_code == 202, answer.content
    made = answer.json()["notifications"][0]["id"]
    found = Client().get(f"{NOTIFY}/{made}", headers={"Authorization": f"Bearer {raw}"})
    assert found.json()["workflow"] == "api-test"
    # The same transaction again tells nobody twice.
    post(raw, asked(world, transaction_id="t1"))
    assert Notification.objects.count() == 1


def test_errors_are_json_with_a_code(world: World) -> None:
    _, raw = key_of(world)
    none = Client().post(NOTIFY)
    assert (none.status_code, none.json()["error"]["code"]) == (401, "key_refused")
    assert none["WWW-Authenticate"] == "Bearer"
    in_address = Client().post(f"{NOTIFY}?key={raw}")
    assert in_address.status_code == 401
    for body in ({}, [], {"workflow": "api-test"}, asked(world, more=1), asked(world, to=[1])):
        answer = post(raw, body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_input"), body
    for body in (asked(world, to=[world.charlie.email]), asked(world, channels=["pigeon"])):
        assert post(raw, body).status_code == 422
    assert post(raw, asked(world, workflow="nothing")).status_code == 404
    wrong = Client().put(NOTIFY)
    assert (wrong.status_code, wrong["Allow"]) == (405, "POST")
    outsiders = Notification.objects.create(
        organisation=world.elsewhere, user=world.charlie, workflow="x", transaction_id="1"
    )
    hidden = Client().get(f"{NOTIFY}/{outsiders.pk}", headers={"Authorization": f"Bearer {raw}"})
    assert hidden.status_code == 404


def test_a_key_has_a_pace(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from billing_app.types.rate_limits import RateLimit

    monkeypatch.setattr(api_keys, "PACE", RateLimit("token bucket", 1, 60.0, capacity=2))
    _, raw = key_of(world)
    assert [post(raw, {}).status_code for _ in range(3)] == [422, 422, 429]
    assert int(post(raw, {})["Retry-After"]) > 0


class TestIdempotency:
    def test_the_same_request_is_done_once_and_answered_alike(self, world: World) -> None:
        _, raw = key_of(world)
        first = post(raw, asked(world), key="k1")
        again = post(raw, asked(world), key="k1")
        assert (again.status_code, again.json()) == (first.status_code, first.json())
        assert again["Idempotent-Replayed"] == "true"
        assert Notification.objects.count() == 1
        # Another key of the same name is another matter.
        _, other = key_of(world)
        assert "Idempotent-Replayed" not in post(other, asked(world), key="k1").headers
        assert Notification.objects.count() == 2

    def test_another_body_is_refused_and_refusals_are_repeated(self, world: World) -> None:
        _, raw = key_of(world)
        assert post(raw, asked(world), key="k1").status_code == 202
        mismatch = post(raw, asked(world, payload={"a": 1}), key="k1")
        assert mismatch.json()["error"]["code"] == "idempotency_mismatch"
        assert mismatch.status_code == 422
        refused = post(raw, asked(world, workflow="later"), key="k2")
        from integrations_app.runtime.step_kinds import InApp

        define_notification(key="later", name="Later", steps=[InApp(title="Hello", body="You")])
        again = post(raw, asked(world, workflow="later"), key="k2")
        assert (refused.status_code, again.status_code) == (404, 404)
        assert again["Idempotent-Replayed"] == "true"

    def test_one_in_progress_is_refused_until_it_lapses(self, world: World) -> None:
        row, raw = key_of(world)
        body = json.dumps(asked(world)).encode()
        idempotency.begin(row, "k1", method="POST", path=NOTIFY, body=body)
        busy = post(raw, asked(world), key="k1")
        assert (busy.status_code, busy.json()["error"]["code"]) == (409, "idempotency_in_progress")
        IdempotencyRecord.objects.update(busy_until=timezone.now() - timedelta(seconds=1))
        assert post(raw, asked(world), key="k1").status_code == 202

    def test_failures_of_ours_are_not_kept(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from integrations_app.views import api

        _, raw = key_of(world)
        working = api.trigger

        def broken(*args: Any, **options: Any) -> Any:
            raise RuntimeError("inner-detail")

        monkeypatch.setattr(api, "trigger", broken)
        failed = post(raw, asked(world), key="k1")
        assert failed.status_code == 500
        assert b"inner-detail" not in failed.content
        monkeypatch.setattr(api, "trigger", working)
        assert post(raw, asked(world), key="k1").status_code == 202

    def test_keys_are_forgotten_after_a_day(self, world: World) -> None:
        _, raw = key_of(world)
        post(raw, asked(world), key="k1")
        IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(hours=25))
        assert "Idempotent-Replayed" not in post(raw, asked(world), key="k1").headers
        IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(hours=25))
        assert idempotency.forget_old() == 1
        assert post(raw, asked(world), key="x" * 201).status_code == 422
