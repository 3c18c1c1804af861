"""Setting up providers: who may, what is refused, when it becomes active, who else may use it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from integrations_app.access import access_integration_to_edit
from integrations_app.errors import (
    AddressRefused,
    IntegrationNotFound,
    InvalidSettings,
    NotUsable,
)
from integrations_app.models import Delivery, Endpoint, Integration
from integrations_app.services import integrations as service
from integrations_app.services.checking import Values
from integrations_app.services.endpoints import (
    CodeRefused,
    add_own_address,
    send_code_again,
    verify,
)
from integrations_app.services.places import add_place
from integrations_app.services.sharing import Sharing, share
from integrations_app.services.testing import test_integration as begin_test
from integrations_app.services.testing import trial_of
from one_project.accounts.models import Event, Grant, Team, TeamMember, User
from one_project.common.errors import AccessDenied, Conflict
from tests.integrations.outside import PASSWORD, USER, Outside, outside
from tests.people import World
from tests.workflows.by_hand import drain

pytestmark = pytest.mark.django_db

HOST = "mail.example.invalid"  # no such name, ever


def settings_of(**more: Any) -> dict[str, Any]:
    return {"host": HOST, "port": 587, "from_email": "one@example.com", **more}


def make(world: World, by: User | None = None, **more: Any) -> Integration:
    given: dict[str, Any] = {
        "provider": "smtp",
        "name": "Post",
        "settings": settings_of(),
        "credentials": {"username": USER, "password": PASSWORD},
        **more,
    }
    return service.create_integration(world.organisation, by=by or world.bob, **given)


def problems(call: Any) -> dict[str, str]:
    with pytest.raises(InvalidSettings) as raised:
        call()
    return raised.value.problems


# What is kept


def test_a_new_one_is_a_draft_with_sealed_credentials(world: World) -> None:
    row = make(world)
    kept = Integration.objects.get(pk=row.pk)
    assert (kept.status, kept.user, kept.channel_type) == ("draft", world.bob, "email")
    assert (kept.hint, kept.credentials_changed_by) == ("••••word", world.bob)
    assert PASSWORD not in str(Integration.objects.values_list("credentials", flat=True).get())
    told = Event.objects.get(kind="integration_created")
    assert PASSWORD not in str((told.data, told.target))


def test_every_problem_is_told_at_once_and_by_its_field(world: World) -> None:
    found = problems(
        lambda: make(world, name=" ", settings={"port": 0}, credentials={"username": "é"})
    )
    assert {"name", "settings.host", "settings.from_email", "settings.port"} <= set(found)
    assert found["settings.host"] == "Please fill this in."
    assert "canary" not in str(found)


def test_a_server_inside_is_refused_when_it_is_saved(world: World) -> None:
    for host in ("127.0.0.1", "localhost", "169.254.169.254", "10.0.0.1"):
        with pytest.raises(AddressRefused):
            make(world, settings=settings_of(host=host))
    row = make(world)
    with pytest.raises(AddressRefused):
        service.change_integration(
            row,
            by=world.bob,
            values=Values(name="Post", settings=settings_of(host="127.0.0.1")),
            credentials={"username": USER, "password": PASSWORD},
        )


def test_only_admins_set_up_for_all_and_only_members_for_a_team(world: World) -> None:
    team = Team.objects.create(organisation=world.organisation, name="Post")
    TeamMember.objects.create(team=team, user=world.stella)
    elsewhere = Team.objects.create(organisation=world.elsewhere, name="Post")
    with pytest.raises(AccessDenied):
        make(world, world.stella, owner="organisation")
    for owner in (team, elsewhere):
        with pytest.raises(AccessDenied):
            make(world, world.bob, owner=owner)
    assert make(world, world.stella, owner=team).team == team
    house = make(world, world.adam, owner="organisation")
    assert (house.user, house.team) == (None, None)


def test_the_limit_of_an_organisation(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_INTEGRATIONS", 1)
    make(world)
    with pytest.raises(Conflict):
        make(world)


# Changing


def test_two_people_do_not_overwrite_each_other(world: World) -> None:
    row = make(world)
    first = Values(name="First", settings=settings_of())
    service.change_integration(row, by=world.bob, values=first, seen=1)
    second = Values(name="Second", settings=settings_of())
    with pytest.raises(Conflict):
        service.change_integration(row, by=world.bob, values=second, seen=1)
    row.refresh_from_db()
    assert row.name == "First"


def test_credentials_stay_where_nothing_is_typed(world: World) -> None:
    row = make(world)
    service.replace_credentials(row, by=world.bob, credentials={"username": "", "password": ""})
    row.refresh_from_db()
    assert row.credentials == {"username": USER, "password": PASSWORD}
    service.replace_credentials(row, by=world.bob, credentials={"password": "canary-other-word"})
    row.refresh_from_db()
    assert row.credentials == {"username": USER, "password": "canary-other-word"}


def test_another_server_does_not_get_the_stored_credentials(world: World) -> None:
    row = make(world)
    moved = Values(name="Post", settings=settings_of(host="mail.attacker.invalid"))
    found = problems(lambda: service.change_integration(row, by=world.bob, values=moved))
    assert set(found) == {"credentials.username", "credentials.password"}
    given = {"username": "other", "password": "canary-other-word"}
    service.change_integration(row, by=world.bob, values=moved, credentials=given)


def test_another_service_does_not_get_the_stored_key(world: World) -> None:
    held = {"service": "zulip", "to": "general", "user": "bot@house.zulipchat.com"}
    row = make(world, provider="service_chat", settings=held, credentials={"token": "canary-key"})
    for changes in ({"user": "bot@house.attacker.invalid"}, {"service": "mattermost"}):
        moved = Values(name="Chat", settings={**held, **changes})

        def change(moved: Values = moved) -> None:
            service.change_integration(row, by=world.bob, values=moved)

        assert set(problems(change)) == {"credentials.token"}


def test_one_default_of_each_owner(world: World) -> None:
    first, second = make(world, is_default=True), make(world)
    others = make(world, world.adam, owner="organisation", is_default=True)
    service.make_default(second, by=world.bob)
    defaults = set(Integration.objects.filter(is_default=True).values_list("pk", flat=True))
    assert defaults == {second.pk, others.pk}
    assert first.pk not in defaults


def test_removing_keeps_what_was_sent_and_takes_grants_back(world: World) -> None:
    row = make(world)
    share(row, by=world.bob, sharing=Sharing(mode="organisation"))
    sent = Delivery.objects.create(
        organisation=world.organisation, integration=row, channel_type="email", source="test"
    )
    service.remove(row, by=world.bob)
    sent.refresh_from_db()
    assert sent.integration is None
    assert not Grant.objects.filter(object_type="integration").exists()
    assert Event.objects.get(kind="integration_removed").data["name"] == "Post"


def test_sharing_lets_use_or_change_and_nobody_else(world: World) -> None:
    row = make(world)
    place = world.organisation
    share(row, by=world.bob, sharing=Sharing(mode="chosen", people={world.stella.pk: "use"}))
    assert row in Integration.objects.usable_by(world.stella, place)
    assert row not in Integration.objects.usable_by(world.adam, place)
    with pytest.raises(IntegrationNotFound):
        access_integration_to_edit(world.stella, place, row.pk)
    share(row, by=world.bob, sharing=Sharing(mode="chosen", people={world.stella.pk: "manage"}))
    assert access_integration_to_edit(world.stella, place, row.pk) == row
    stranger = Sharing(mode="chosen", addresses=(world.charlie.email,))
    assert "share_addresses" in problems(lambda: share(row, by=world.bob, sharing=stranger))
    share(row, by=world.bob, sharing=Sharing())
    assert row not in Integration.objects.usable_by(world.stella, place)


# Testing


@pytest.fixture
def near(settings: Any) -> Iterator[Outside]:
    """A mail server that may be reached."""
    with outside() as found:
        settings.ONE_HTTP_ALLOWED_HOSTS = [f"127.0.0.1:{found.mail_port}"]
        yield found


def at(near: Outside) -> dict[str, Any]:
    return settings_of(host="127.0.0.1", port=near.mail_port, security="none")


def tried(row: Integration, by: User) -> Integration:
    begin_test(row, by=by)
    drain()
    return Integration.objects.get(pk=row.pk)


@pytest.mark.django_db(transaction=True)
def test_a_good_test_makes_it_active_and_a_bad_one_says_why(
    committed_world: World, near: Outside
) -> None:
    bob = committed_world.bob
    row = make(committed_world, settings=at(near))
    with pytest.raises(NotUsable):
        service.activate(row, by=bob)
    near.password = "another"
    row = tried(row, bob)
    found = trial_of(row)
    assert found is not None
    assert (row.status, row.last_error_code, found.state) == (
        "draft",
        row.last_error_code,
        "failed",
    )
    assert row.last_error == found.text
    assert "credentials" in row.last_error
    near.password = PASSWORD
    row = tried(row, bob)
    assert (row.status, row.last_error, trial_of(row).state) == ("active", "", "ok")  # type: ignore[union-attr]
    assert near.letters == []
    # Paused and resumed without another test; changed for the worse, it is switched off.
    service.pause(row, by=bob)
    assert service.activate(row, by=bob).status == "active"
    service.replace_credentials(row, by=bob, credentials={"password": "canary-wrong-password"})
    row = tried(row, bob)
    assert row.status == "error"
    with pytest.raises(NotUsable):
        service.activate(row, by=bob)


@pytest.mark.django_db(transaction=True)
def test_a_result_about_earlier_settings_does_not_count(
    committed_world: World, near: Outside
) -> None:
    row = make(committed_world, settings=at(near))
    begin_test(row, by=committed_world.bob)
    begin_test(row, by=committed_world.bob)  # one is under way: no second
    service.replace_credentials(
        row, by=committed_world.bob, credentials={"password": "canary-wrong-password"}
    )
    assert trial_of(Integration.objects.get(pk=row.pk)).is_old  # type: ignore[union-attr]
    # What would be found now is of the new password; the old test was about the old one.
    near.password = "canary-wrong-password"
    row = tried(row, committed_world.bob)
    assert (row.status, trial_of(row).is_old) == ("active", False)  # type: ignore[union-attr]


# Addresses


def code_of(row: Endpoint) -> str:
    sent = Delivery.objects.filter(source="code", source_id=row.pk).latest("created_at")
    return str(sent.content["text"][:6])


@pytest.fixture
def house(world: World) -> Integration:
    row = make(world, world.adam, owner="organisation")
    Integration.objects.filter(pk=row.pk).update(status="active")
    return row


def test_an_address_is_a_persons_once_they_typed_its_code(world: World, house: Integration) -> None:
    row = add_own_address(
        world.bob, world.organisation, kind="email", address="bob@work.example.com"
    )
    assert row.status == "unverified"
    assert code_of(row) not in str(row.meta)
    with pytest.raises(CodeRefused):
        verify(row, user=world.bob, code="x")
    assert verify(row, user=world.bob, code=code_of(row)).status == "active"
    assert "code" not in Endpoint.objects.get(pk=row.pk).meta


def test_five_wrong_codes_are_enough_and_codes_are_not_sent_at_will(
    world: World, house: Integration
) -> None:
    row = add_own_address(
        world.bob, world.organisation, kind="email", address="bob@work.example.com"
    )
    right = code_of(row)
    for _ in range(5):
        with pytest.raises(CodeRefused):
            verify(row, user=world.bob, code="nonsense")
    with pytest.raises(CodeRefused, match="Too many"):
        verify(row, user=world.bob, code=right)
    with pytest.raises(Conflict):
        send_code_again(row, user=world.bob)


def test_an_old_code_is_none(world: World, house: Integration) -> None:
    row = add_own_address(
        world.bob, world.organisation, kind="email", address="bob@work.example.com"
    )
    row.refresh_from_db()
    past = (timezone.now() - timedelta(seconds=1)).isoformat()
    row.meta["code"]["until"] = past
    row.save()
    with pytest.raises(CodeRefused, match="too old"):
        verify(row, user=world.bob, code=code_of(row))


def test_a_code_never_goes_through_something_of_the_persons_own(world: World) -> None:
    own = make(world)
    Integration.objects.filter(pk=own.pk).update(status="active")
    with pytest.raises(NotUsable):
        add_own_address(world.bob, world.organisation, kind="email", address="boss@example.com")
    assert not Endpoint.objects.exists()


def test_a_place_whose_address_is_a_key_is_sealed(world: World) -> None:
    row = make(world, world.adam, provider="webhook", owner="organisation", **WEBHOOK)
    secret = "https://hooks.example.invalid/services/canary-place-key"
    with pytest.raises(InvalidSettings):
        add_place(row, by=world.adam, kind="webhook", address=secret)
    place = add_place(row, by=world.adam, kind="webhook", address=secret, label="Orders")
    assert (place.address, place.secret) == ("hooks.example.invalid/••••-key", {"url": secret})
    with pytest.raises(InvalidSettings, match="there already"):
        add_place(row, by=world.adam, kind="webhook", address=secret, label="Again")
    with pytest.raises(AddressRefused):
        add_place(row, by=world.adam, kind="webhook", address="http://127.0.0.1/x", label="In")


WEBHOOK: dict[str, Any] = {"settings": {}, "credentials": {"signing_secret": "canary-" * 4}}
