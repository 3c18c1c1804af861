"""Flows and lessons in the admin: looked at, narrowed down, and moved by the services alone."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from flows_app.models import Flow, Lesson, LessonTarget
from one_project.accounts.models import Event
from tests.admin import rows
from tests.admin.conftest import page
from tests.admin.rows import MAKERS
from tests.flows.samples import assign, complete, make_flow
from tests.people import World

FLOWS = [model for model in MAKERS if model._meta.app_label == "flows_app"]


def act(client: Client, model: type[Model], action: str, *chosen: Any) -> str:
    form = {"action": action, "_selected_action": [str(row.pk) for row in chosen]}
    return client.post(page(model, "changelist"), form, follow=True).content.decode()


def listed(client: Client, model: type[Model], **asked: str) -> list[Any]:
    return list(client.get(page(model, "changelist"), asked).context_data["cl"].result_list)


@pytest.mark.parametrize("model", FLOWS, ids=lambda model: model._meta.label)
def test_nothing_is_written_or_deleted_by_hand(
    root: Client, world: World, model: type[Model]
) -> None:
    row = MAKERS[model](world.organisation)
    assert root.get(page(model, "add")).status_code == 403
    assert root.post(page(model, "change", row.pk), {"name": "x"}).status_code == 403
    assert root.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    asked = root.get(page(model, "changelist")).wsgi_request
    assert "delete_selected" not in admin.site.get_model_admin(model).get_actions(asked)


def test_flows_are_archived_and_brought_back(own_admin: Client, world: World) -> None:
    flow = make_flow(world)
    assert "1 archived." in act(own_admin, Flow, "archive", flow)
    flow.refresh_from_db()
    assert flow.archived_at is not None
    assert "1 brought back." in act(own_admin, Flow, "bring_back", flow)
    assert Event.objects.filter(kind="flow_archived", actor=world.adam).count() == 1


def test_a_withdrawn_lesson_keeps_what_was_done(own_admin: Client, world: World) -> None:
    target = assign(world, make_flow(world, "Read", "Sign"))
    complete(target, "Read", by=world.bob)
    assert "1 withdrawn." in act(own_admin, Lesson, "withdraw", target.lesson)
    target.refresh_from_db()
    assert target.ended == "withdrawn"
    assert target.log.filter(status="Completed").exists()


def test_a_superuser_without_a_role_is_told_why_not(root: Client, world: World) -> None:
    flow = make_flow(world)
    assert "only staff of its organisation" in act(root, Flow, "archive", flow)
    flow.refresh_from_db()
    assert flow.archived_at is None


def test_overdue_is_what_is_late_and_not_complete(own_admin: Client, world: World) -> None:
    late = timezone.now() - timedelta(days=1)
    flow = make_flow(world, "Read")
    open_ = assign(world, flow, due_at=late)
    done = assign(world, flow, user=world.adam, due_at=late)
    complete(done, "Read", by=world.adam)
    assert listed(own_admin, LessonTarget, work="overdue") == [open_]
    assert listed(own_admin, LessonTarget, work="done") == [done]
    shown = listed(own_admin, LessonTarget, due_at_in="past")
    assert {row.pk: row.share.percent for row in shown} == {open_.pk: 0, done.pk: 100}
    assert rows.target(world.elsewhere) not in listed(own_admin, LessonTarget, work="open")
