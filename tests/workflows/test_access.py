"""Who sees and who changes a run: outsider, member, staff, and whom it belongs to."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser

from one_project.accounts.models import Membership, User
from one_project.common.errors import AccessDenied
from one_project.workflows.access import access_run, may_manage, visible_runs
from one_project.workflows.errors import WorkflowNotFound
from one_project.workflows.models import WorkflowRun
from one_project.workflows.services.runs import start
from tests.people import World
from tests.workflows import samples

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(world: World) -> WorkflowRun:
    return start(samples.asks, organisation=world.organisation, started_by=world.bob)


def make_superuser(user: User) -> User:
    user.is_superuser = True
    user.save()
    return user


@pytest.mark.parametrize("manage", [False, True])
def test_outsider_cannot_see_run(world: World, run: WorkflowRun, manage: bool) -> None:
    with pytest.raises(WorkflowNotFound):
        access_run(world.charlie, run.pk, manage=manage)


@pytest.mark.parametrize("run_id", [uuid4(), "nothing", ""])
def test_missing_run_looks_like_a_forbidden_one(world: World, run_id: object) -> None:
    with pytest.raises(WorkflowNotFound):
        access_run(world.alice, run_id)  # type: ignore[arg-type]


def test_nobody_signed_in_sees_nothing(run: WorkflowRun) -> None:
    with pytest.raises(WorkflowNotFound):
        access_run(AnonymousUser(), run.pk)


@pytest.mark.parametrize("name", ["stella", "adam", "alice"])
def test_staff_sees_and_manages_every_run_of_the_organisation(
    world: World, run: WorkflowRun, name: str
) -> None:
    person = getattr(world, name)
    assert access_run(person, run.pk, manage=True) == run
    assert may_manage(person, run)
    assert list(visible_runs(person, world.organisation)) == [run]


def test_whom_it_belongs_to_sees_it_and_may_not_change_it(world: World, run: WorkflowRun) -> None:
    assert access_run(world.bob, str(run.pk)) == run
    assert not may_manage(world.bob, run)
    with pytest.raises(AccessDenied):
        access_run(world.bob, run.pk, manage=True)


def test_member_cannot_see_runs_of_others(world: World) -> None:
    other = start(samples.asks, organisation=world.organisation, started_by=world.alice)
    own = start(samples.asks, organisation=world.organisation, started_by=world.bob)
    with pytest.raises(WorkflowNotFound):
        access_run(world.bob, other.pk)
    assert list(visible_runs(world.bob, world.organisation)) == [own]


def test_who_left_sees_nothing(world: World, run: WorkflowRun) -> None:
    Membership.objects.filter(user__in=[world.bob, world.stella]).update(is_active=False)
    for person in (world.bob, world.stella):
        with pytest.raises(WorkflowNotFound):
            access_run(person, run.pk)
        assert not visible_runs(person, world.organisation).exists()


def test_an_inactive_account_sees_nothing(world: World, run: WorkflowRun) -> None:
    world.stella.is_active = False
    world.stella.save()
    with pytest.raises(WorkflowNotFound):
        access_run(world.stella, run.pk)


def test_runs_of_no_organisation_are_for_superusers(world: World) -> None:
    chore = start(samples.asks, started_by=world.bob)
    for person in (world.alice, world.bob):
        with pytest.raises(WorkflowNotFound):
            access_run(person, chore.pk)
        assert not visible_runs(person, None).exists()
    root = make_superuser(world.stella)
    assert access_run(root, chore.pk, manage=True) == chore
    assert list(visible_runs(root, None)) == [chore]


def test_a_superuser_has_no_way_into_other_organisations(world: World, run: WorkflowRun) -> None:
    root = make_superuser(world.charlie)
    with pytest.raises(WorkflowNotFound):
        access_run(root, run.pk)
    assert not visible_runs(root, world.organisation).exists()
