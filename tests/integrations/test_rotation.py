"""Keys: made, checked, and changed without losing or leaving anything."""

import threading
from io import StringIO
from typing import Any

import pytest
from django.core.checks import Tags, run_checks
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from integrations_app.models import Endpoint, Integration
from integrations_app.services.rotating import rotate, sealed_columns
from one_project.common.sealing import SealBroken, key_id_of, new_key
from tests.people import World

OLD, NEW = f"old:{new_key()}", f"new:{new_key()}"


@pytest.fixture
def old_key(settings: Any) -> None:
    settings.ONE_CREDENTIAL_KEYS = OLD


def make(world: World, count: int = 1) -> list[Integration]:
    return [
        Integration.objects.create(
            organisation=world.organisation,
            name=f"Mail {at}",
            provider="smtp",
            channel_type="email",
            credentials={"password": f"canary-{at}"},
        )
        for at in range(count)
    ]


def key_of(row: Integration) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM integrations_app_integration WHERE id=%s", [row.pk])
        return key_id_of(cursor.fetchone()[0])


def run(**options: Any) -> str:
    out = StringIO()
    call_command("rotate_credentials", stdout=out, stderr=out, **options)
    return out.getvalue()


def test_every_sealed_column_is_known() -> None:
    found = {f"{model._meta.label_lower}.{name}" for model, name in sealed_columns()}
    assert {"integrations_app.integration.credentials", "integrations_app.connection.token"} < found
    assert {"integrations_app.endpoint.secret", "integrations_app.oauthattempt.secret"} < found


def test_everything_is_sealed_anew_and_the_old_key_may_go(
    old_key: None, world: World, settings: Any
) -> None:
    rows = make(world, 7)
    place = Endpoint.objects.create(
        organisation=world.organisation,
        type="webhook",
        address="hook",
        secret={"url": "https://example.test/canary-9"},
    )
    empty = Integration.objects.create(
        organisation=world.organisation, name="None", provider="smtp", channel_type="email"
    )
    changed = Integration.objects.get(pk=rows[0].pk).updated_at
    settings.ONE_CREDENTIAL_KEYS = f"{NEW},{OLD}"
    told = run(batch=3)
    assert "integrations_app.integration.credentials: 7 sealed anew, 0 left" in told
    assert "old may be taken away" in told
    assert "canary" not in told
    settings.ONE_CREDENTIAL_KEYS = NEW
    assert {key_of(row) for row in rows} == {"new"}
    for at, row in enumerate(rows):
        row.refresh_from_db()
        assert row.credentials == {"password": f"canary-{at}"}
    assert rows[0].updated_at == changed
    place.refresh_from_db()
    assert place.secret == {"url": "https://example.test/canary-9"}
    empty.refresh_from_db()
    assert empty.credentials == {}
    assert sum(one.resealed for one in rotate()) == 0


def test_what_does_not_open_is_told_and_the_command_fails(
    old_key: None, world: World, settings: Any
) -> None:
    good, bad = make(world, 2)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE integrations_app_integration SET credentials='v1:gone:AAAA' WHERE id=%s",
            [bad.pk],
        )
    settings.ONE_CREDENTIAL_KEYS = f"{NEW},{OLD}"
    out = StringIO()
    with pytest.raises(CommandError, match="1 are still sealed"):
        call_command("rotate_credentials", stdout=out, stderr=out, batch=1)
    assert str(bad.pk) in out.getvalue()
    assert key_of(good) == "new"


def test_without_the_old_key_nothing_is_said_to_be_done(
    old_key: None, world: World, settings: Any
) -> None:
    (row,) = make(world)
    settings.ONE_CREDENTIAL_KEYS = NEW
    with pytest.raises(CommandError):
        run()
    with pytest.raises(SealBroken):
        _ = Integration.objects.get(pk=row.pk).credentials


def test_rows_that_somebody_holds_are_waited_for(
    old_key: None, committed_world: World, settings: Any
) -> None:
    """And what they write meanwhile is not lost."""
    rows = make(committed_world, 3)
    settings.ONE_CREDENTIAL_KEYS = f"{NEW},{OLD}"
    held, go = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                row = Integration.objects.select_for_update().get(pk=rows[1].pk)
                held.set()
                go.wait(10)
                row.credentials = {"password": "canary-changed"}
                row.save()
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    rotating = threading.Thread(target=lambda: (run(), connection.close()))
    rotating.start()
    # The others are done while one is held.
    deadline = threading.Event()
    for _ in range(200):
        if key_of(rows[2]) == "new":
            break
        deadline.wait(0.02)
    assert key_of(rows[2]) == "new"
    go.set()
    holder.join()
    rotating.join()
    assert {key_of(row) for row in rows} == {"new"}
    assert Integration.objects.get(pk=rows[1].pk).credentials == {"password": "canary-changed"}


def test_a_new_key_can_be_put_in_front(settings: Any) -> None:
    out = StringIO()
    call_command("new_credential_key", id="k2", stdout=out)
    name, _, key = out.getvalue().strip().partition(":")
    assert (name, len(key)) == ("k2", 44)


@pytest.mark.parametrize(
    ("keys", "found"),
    [("", "E001"), ("k:short", "E001"), ("dev:" + "0" * 43 + "=", "E002"),
     ("k:" + "A" * 43 + "=", "E002"), (f"test:{new_key()}", "E002"), (NEW, "")],
    ids=["none", "short", "of development", "of one letter", "of tests", "good"],
)  # fmt: skip
def test_keys_are_checked_before_a_deploy(settings: Any, keys: str, found: str) -> None:
    settings.ONE_CREDENTIAL_KEYS = keys
    told = [
        one.id
        for one in run_checks(tags=[Tags.security], include_deployment_checks=True)
        if str(one.id).startswith("integrations.")
    ]
    assert told == ([f"integrations.{found}"] if found else [])
