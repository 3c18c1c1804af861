"""Integrations in the admin: nothing sealed is shown, and personal ones are paused, not changed."""

import json
from typing import Any

from django.test import Client

from integrations_app.models import Connection, Delivery, Integration, Notification
from tests.admin import integration_rows
from tests.admin.conftest import page
from tests.people import World

SECRET = "canary-admin-other-password"


def form(row: Integration, **more: Any) -> dict[str, Any]:
    return {"name": row.name, "priority": "100", "settings": json.dumps(row.settings), **more}


def test_credentials_are_replaced_and_never_shown(own_admin: Client, world: World) -> None:
    row = integration_rows.integration(world.organisation)
    address = page(Integration, "change", row.pk)
    text = own_admin.get(address).content.decode()
    assert "set ••••word, by somebody" in text
    assert "canary" not in text
    given = json.dumps({"username": "one", "password": SECRET})
    wrong = form(row, new_credentials=given, settings="{}")
    refused = own_admin.post(address, wrong)
    assert refused.status_code == 200
    assert SECRET not in refused.content.decode()
    assert "Please fill this in" in refused.content.decode()
    kept = own_admin.post(address, form(row, new_credentials=given))
    assert kept.status_code == 302
    row.refresh_from_db()
    assert row.credentials["password"] == SECRET
    assert (row.credentials_changed_by, row.meta["test"]["state"]) == (world.adam, "running")


def test_what_is_somebodys_own_is_paused_and_not_changed(own_admin: Client, world: World) -> None:
    row = integration_rows.integration(world.organisation)
    Integration.objects.filter(pk=row.pk).update(user=world.bob, status="active")
    address = page(Integration, "change", row.pk)
    text = own_admin.get(address).content.decode()
    assert "mail.example.com" not in text
    assert own_admin.post(address, form(row, name="Other")).status_code == 403
    other = integration_rows.integration(world.elsewhere)
    chosen = {"action": "pause", "_selected_action": [str(row.pk), str(other.pk)]}
    own_admin.post(page(Integration, "changelist"), chosen)
    row.refresh_from_db()
    other.refresh_from_db()
    assert (row.status, row.name) == ("inactive", row.name)
    assert other.status == "draft"
    Integration.objects.filter(pk=row.pk).update(meta={"set_up": 1, "tested_version": 1})
    for action in ("resume", "test"):
        chosen = {"action": action, "_selected_action": [str(row.pk)]}
        own_admin.post(page(Integration, "changelist"), chosen)
        row.refresh_from_db()
        assert row.status == "inactive"
        assert "test" not in row.meta


def test_what_was_said_and_what_is_sealed_is_in_no_page(root: Client, world: World) -> None:
    for model, make in (
        (Connection, integration_rows.connection),
        (Delivery, integration_rows.delivery),
        (Notification, integration_rows.notification),
    ):
        row = make(world.organisation)
        text = root.get(page(model, "change", row.pk)).content.decode()
        assert "canary" not in text
        assert "nobody else should read" not in text
