"""Who joins a role or a team later, and who leaves it."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from flows_app.models import LessonTarget
from flows_app.runtime.actors import Actor
from flows_app.services.assigning import assign_lesson
from flows_app.services.courses import create_course
from flows_app.services.ending import end_targets, withdraw_lesson
from flows_app.services.live_roles import catch_up_lessons
from one_project.accounts.models import Membership, Role, Team, TeamMember
from one_project.accounts.services.organisations import add_member
from tests.flows.samples import assign, make_flow
from tests.people import World, make_person


def test_who_joins_later_gets_what_is_live_once(world: World) -> None:
    by = Actor(user=world.stella)
    first, second, third = (make_flow(world, name=name) for name in ("One", "Two", "Three"))
    course = create_course(world.organisation, by=world.stella, name="Start", flows=[first, second])
    live = {"by": by, "role": Role.MEMBER, "resolution": "live"}
    lesson = assign_lesson(world.organisation, course=course, **live).lesson
    assign_lesson(world.organisation, flow=third, by=by, role=Role.MEMBER)
    assert catch_up_lessons() == 0
    new = make_person("Newcomer")
    add_member(world.organisation, user=new)
    assert catch_up_lessons(world.organisation.pk, world.bob.pk) == 0
    assert catch_up_lessons(world.elsewhere.pk) == 0
    assert catch_up_lessons(world.organisation.pk, new.pk) == 2
    rows = LessonTarget.objects.filter(user=new).order_by("position")
    assert [(one.flow, one.lesson, one.seq) for one in rows] == [
        (first, lesson, 1),
        (second, lesson, 1),
    ]
    assert rows[0].log.get().actor_type == "system"
    with CaptureQueriesContext(connection) as asked:
        assert catch_up_lessons() == 0
    assert len(asked) <= 3


def test_who_leaves_keeps_what_they_have_and_gets_nothing_again(world: World) -> None:
    by = Actor(user=world.stella)
    team = Team.objects.create(organisation=world.organisation, name="Care")
    flow, other = make_flow(world), make_flow(world, name="Other")
    assign(world, other)
    live = {"by": by, "team": team, "resolution": "live"}
    lesson = assign_lesson(world.organisation, flow=flow, **live).lesson
    assign_lesson(world.organisation, flow=other, **live)
    place = TeamMember.objects.create(team=team, user=world.bob)
    # The other flow is theirs already.
    assert catch_up_lessons() == 1
    place.delete()
    assert catch_up_lessons() == 0
    assert LessonTarget.objects.active().filter(user=world.bob).count() == 2
    # What was taken from one of them does not come back by itself.
    TeamMember.objects.create(team=team, user=world.bob)
    end_targets(lesson.targets.all(), "withdrawn", by=by)
    assert catch_up_lessons() == 0
    TeamMember.objects.create(team=team, user=world.adam)
    TeamMember.objects.create(team=team, user=world.alice)
    Membership.objects.filter(user=world.alice).update(is_active=False)
    withdraw_lesson(lesson, by=by)
    assert catch_up_lessons() == 1
    assert LessonTarget.objects.get(user=world.adam).flow == other
