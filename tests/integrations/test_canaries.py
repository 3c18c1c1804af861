"""Secrets that were set appear nowhere again: pages, tables, logs, events, dumps, traces.

Their servers are as bad as can be: each answers with all it was sent.
"""

import asyncio
import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from integrations_app.models import (
    ApiKey,
    Connection,
    Delivery,
    Endpoint,
    HttpApi,
    InboundHook,
    Integration,
    McpServer,
)
from integrations_app.providers.base import Content
from integrations_app.services import testing
from integrations_app.services.api_keys import create_key
from integrations_app.services.deliveries import queue_delivery
from integrations_app.services.integrations import create_integration, replace_credentials
from integrations_app.services.places import add_place
from integrations_app.services.rotating import sealed_columns
from integrations_app.types import IntegrationStatus
from one_project.common.secrets_log import without_secrets
from one_project.workflows.models import WorkItem
from tests.agents.browsing import client_of
from tests.integrations.echo_server import Echo, echo_mail_server, echo_server
from tests.people import World
from tests.workflows import by_hand

pytestmark = pytest.mark.django_db(transaction=True)

PLANTED = "canary-7d1e9b"


@pytest.fixture
def mail() -> Iterator[Echo]:
    with echo_mail_server() as found:
        yield found


@pytest.fixture
def echo(settings: Any, mail: Echo) -> Iterator[Echo]:
    with echo_server() as found:
        settings.ONE_HTTP_ALLOWED_HOSTS = [found.address, mail.address]
        names = ("slack", "telegram", "sendgrid", "postmark", "mailgun", "resend", "brevo")
        settings.ONE_PROVIDER_URLS = dict.fromkeys(names, f"{found.url}/api")
        yield found


def planted(kind: str) -> str:
    return f"{PLANTED}-{kind}-0123456789abcdef"


MAIL = {"from_email": "one@example.com"}
# Provider, settings, credentials, the type and address of where it sends.
SET_UP: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    ("smtp", {**MAIL, "host": "127.0.0.1", "security": "none"},
     {"username": "one", "password": planted("smtp")}, "email", "to@example.com"),
    ("sendgrid", MAIL, {"api_key": planted("sendgrid")}, "email", "to@example.com"),
    ("postmark", MAIL, {"server_token": planted("postmark")}, "email", "to@example.com"),
    ("resend", MAIL, {"api_key": planted("resend")}, "email", "to@example.com"),
    ("slack", {}, {"bot_token": f"xoxb-{planted('slack')}"}, "slack_channel", "#general"),
    ("telegram", {}, {"bot_token": f"1234567:{planted('telegram')}"}, "telegram_chat", "@channel"),
    ("webhook", {}, {"signing_secret": planted("webhook")}, "webhook", ""),
]  # fmt: skip


def made(world: World, echo: Echo, mail: Echo) -> list[tuple[Integration, Endpoint]]:
    """One of each provider, with a place it sends to."""
    found = []
    for provider, settings, credentials, kind, address in SET_UP:
        port = {"port": int(mail.address.rpartition(":")[2])} if provider == "smtp" else {}
        row = create_integration(
            world.organisation,
            by=world.alice,
            provider=provider,
            name=f"Of {provider}",
            settings={**settings, **port},
            credentials=credentials,
            owner="organisation",
        )
        to = address or f"{echo.url}/hook/{planted('address')}"
        found.append((row, add_place(row, by=world.alice, kind=kind, address=to, label="Place")))
    return found


def leaks(where: str, text: str) -> list[str]:
    """Places in which a planted secret, or half of one, is found."""
    at = text.find(PLANTED)
    return [f"{where}: {text[max(0, at - 60) : at + 60]}"] if at >= 0 else []


def leaks_in_tables() -> list[str]:
    """Every column of every table; sealed ones too, which hold nothing readable."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(
                f'SELECT count(*) FROM "{table}" AS row WHERE row::text LIKE %s',
                [f"%{PLANTED}%"],
            )
            if count := cursor.fetchone()[0]:
                found.append(f"{table}: {count} rows")
    return found


def pages_of(world: World, rows: list[tuple[Integration, Endpoint]]) -> list[str]:
    first = rows[0][0]
    shown = [reverse(f"connections:{name}") for name in
             ("list", "activity", "keys", "hooks_in", "tools", "channels")]  # fmt: skip
    shown += [reverse("connections:integration", args=[row.pk]) for row, _ in rows]
    shown += [reverse("connections:delivery", args=[one.pk]) for one in Delivery.objects.all()]
    for model in (Integration, Connection, Endpoint, Delivery, ApiKey, InboundHook,
                  McpServer, HttpApi):  # fmt: skip
        place = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        shown.append(reverse(f"{place}_changelist"))
        if row := model._default_manager.first():
            shown.append(reverse(f"{place}_change", args=[row.pk]))
    return [*shown, reverse("connections:integration", args=[first.pk]) + "?edit=1"]


def test_secrets_appear_nowhere_again(
    committed_world: World, echo: Echo, mail: Echo, caplog: pytest.LogCaptureFixture
) -> None:
    world = committed_world
    with caplog.at_level(logging.DEBUG):
        rows = made(world, echo, mail)
        found = []
        for row, place in rows:
            asyncio.run(_try(row, world))
            Integration.objects.filter(pk=row.pk).update(status=IntegrationStatus.ACTIVE)
            for at in range(2):  # each meets another answer
                queue_delivery(
                    world.organisation.pk,
                    content=Content(text=f"hello {at}", subject="Hello"),
                    channel_type=row.channel_type,
                    integration_id=row.pk,
                    endpoint=place,
                    by=world.alice,
                    source="test",
                )
        by_hand.drain()
        for _ in range(2):
            Delivery.objects.update(next_attempt_at=None)
            by_hand.pass_time(4_000)
            by_hand.drain()
        row = rows[1][0]
        replace_credentials(row, by=world.alice, credentials={"api_key": planted("second")})
        InboundHook.objects.create(
            organisation=world.organisation,
            user=world.alice,
            name="Hook",
            target="notification",
            secret={"value": planted("hook")},
        )
        _, key = create_key(world.organisation, by=world.alice, name="Key", scopes=["notify"])
        McpServer.objects.create(
            organisation=world.organisation,
            name="Server",
            slug="server",
            url="https://example.com/",
            credentials={"name": "X-Key", "value": planted("mcp")},
        )
        HttpApi.objects.create(
            organisation=world.organisation,
            name="Api",
            slug="api",
            base_url="https://example.com/",
            credentials={"name": "X-Key", "value": planted("api")},
        )
        Connection.objects.create(
            organisation=world.organisation,
            integration=row,
            user=world.alice,
            token={"access_token": planted("token"), "refresh_token": planted("refresh")},
        )
        found += leaks("form", refused_form(client_of(world.alice)))
        world.alice.is_staff = world.alice.is_superuser = True
        world.alice.save()
        browser = client_of(world.alice)
        for url in pages_of(world, rows):
            response = browser.get(url)
            assert response.status_code in (200, 302), url
            found += leaks(url, response.content.decode())
    # The servers did get them, so there was something to leak.
    heard = "".join(echo.heard)
    for kind in ("sendgrid", "postmark", "resend", "slack", "telegram", "address"):
        assert planted(kind) in heard, kind
    assert any(line.startswith("AUTH") for line in mail.heard)
    found += leaks_in_tables()
    found += leaks("log", caplog.text)
    out = io.StringIO()
    call_command("dumpdata", "integrations_app", "workflows", "accounts", stdout=out)
    found += leaks("dump", out.getvalue())
    assert "v1:test:" not in out.getvalue()
    assert key not in out.getvalue()
    assert found == []
    assert WorkItem.objects.exists()
    assert Delivery.objects.exclude(status="queued").exists()


async def _try(row: Integration, world: World) -> None:
    await testing.try_integration(row.pk, world.alice.pk)


def refused_form(browser: Client) -> str:
    """A form that is shown again: what was typed stays, secrets do not."""
    url = reverse("connections:new", args=["smtp"])
    form = {"name": "", "settings__host": "no host", "credentials__password": planted("typed")}
    response = browser.post(url, form)
    assert "no host" in response.content.decode()
    return response.content.decode()


def test_pages_of_errors_show_nothing_in_debug_neither(
    committed_world: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEBUG = True

    def broken(*args: Any, **options: Any) -> None:
        password = planted("local")
        raise RuntimeError(len(password))

    monkeypatch.setattr("integrations_app.services.integrations.create_integration", broken)
    browser = client_of(committed_world.alice)
    browser.raise_request_exception = False
    form = {
        "name": "Mail",
        "priority": "100",
        "owner": "me",
        "settings__host": "mail.example.invalid",
        "settings__port": "587",
        "settings__security": "starttls",
        "settings__from_email": "one@example.com",
        "credentials__username": "one",
        "credentials__password": planted("posted"),
    }
    url = reverse("connections:new", args=["smtp"])
    page = browser.post(url, form, headers={"Authorization": f"Bearer {planted('header')}"})
    assert page.status_code == 500
    text = page.content.decode()
    assert "RuntimeError" in text
    assert leaks("page", text) == []


def test_every_sealed_column_is_sealed(committed_world: World, echo: Echo, mail: Echo) -> None:
    made(committed_world, echo, mail)
    for model, name in sealed_columns():
        with connection.cursor() as cursor:
            cursor.execute(
                f'SELECT count(*) FROM "{model._meta.db_table}"'
                f" WHERE {name} <> '' AND {name} NOT LIKE 'v1:test:%%'"
            )
            assert cursor.fetchone()[0] == 0, model
    assert without_secrets(planted("x")) == planted("x")  # found by their place, not by the form


def test_a_leak_would_be_found(committed_world: World) -> None:
    assert leaks_in_tables() == []
    Integration.objects.create(
        organisation=committed_world.organisation,
        name=planted("name"),
        provider="smtp",
        channel_type="email",
        meta={"text": planted("meta")},
    )
    assert leaks_in_tables() == ["integrations_app_integration: 1 rows"]
    assert leaks("page", f"before {planted('x')} after")
