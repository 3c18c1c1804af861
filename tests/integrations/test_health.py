"""Credentials that fail again and again switch an integration off, and somebody is told."""

import pytest

from integrations_app.errors import AuthFailed, Transient
from integrations_app.models import Integration, Notification
from integrations_app.services.health import FAILURES, note_failure, note_ok
from one_project.accounts.models import Event
from tests.integrations.sample_providers import make_integration
from tests.people import World


@pytest.fixture
def mail(world: World) -> Integration:
    return make_integration(world.organisation, created_by=world.bob)


def test_five_refused_credentials_in_a_row_switch_it_off(world: World, mail: Integration) -> None:
    told = [note_failure(mail.pk, AuthFailed()) for _ in range(FAILURES + 1)]
    assert told == [False] * (FAILURES - 1) + [True, False]
    mail.refresh_from_db()
    assert (mail.status, mail.last_error_code) == ("error", "auth_failed")
    assert mail.last_error == AuthFailed.user_message
    event = Event.objects.get(kind="integration_failed")
    assert event.target == f"integration:{mail.pk}"
    # Who set it up, and the admins of the house; each once.
    told_people = set(Notification.objects.values_list("user__name", flat=True))
    assert told_people == {"Bob", "Adam", "Alice"}


def test_a_success_between_them_begins_the_count_anew(mail: Integration) -> None:
    for _ in range(FAILURES - 1):
        note_failure(mail.pk, AuthFailed())
    note_ok(mail.pk)
    assert not note_failure(mail.pk, AuthFailed())
    mail.refresh_from_db()
    assert (mail.status, mail.failures) == ("active", 1)


def test_a_provider_that_is_down_is_not_the_fault_of_the_set_up(mail: Integration) -> None:
    assert not any(note_failure(mail.pk, Transient()) for _ in range(FAILURES * 2))
    mail.refresh_from_db()
    assert (mail.status, mail.failures, mail.last_error_code) == ("active", 0, "provider_down")


def test_many_successes_write_the_row_once(
    mail: Integration, django_assert_num_queries: object
) -> None:
    note_ok(mail.pk)
    first = Integration.objects.get(pk=mail.pk).last_ok_at
    note_ok(mail.pk)
    assert Integration.objects.get(pk=mail.pk).last_ok_at == first


def test_a_personal_one_is_its_owners_business(world: World) -> None:
    own = make_integration(world.organisation, user=world.bob)
    for _ in range(FAILURES):
        note_failure(own.pk, AuthFailed())
    assert list(Notification.objects.values_list("user__name", flat=True)) == ["Bob"]
