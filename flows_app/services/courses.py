"""Courses: flows in an order."""

from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.utils import timezone

from flows_app.access import require_staff
from flows_app.conf import MAX_COURSE_FLOWS, NAME_LIMIT
from flows_app.errors import CourseNotFound
from flows_app.live.announce import announce_flows
from flows_app.models import Course, CourseFlow, Flow
from one_project.accounts.models import Organisation, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import AccessDenied, InvalidInput
from one_project.common.text import clean_line, clean_text


@transaction.atomic
def create_course(
    organisation: Organisation,
    *,
    by: User,
    name: str,
    description: str = "",
    in_order: bool = True,
    flows: Sequence[Flow] = (),
) -> Course:
    """A course of these flows, in this order. Raises InvalidInput."""
    require_staff(by, organisation, AccessDenied)
    course = Course(organisation=organisation, created_by=by)
    _set(course, name, description, in_order, flows)
    record_event(organisation, "course_created", actor=by, target=f"course:{course.pk}")
    return course


@transaction.atomic
def update_course(
    course: Course,
    *,
    by: User,
    name: str,
    description: str = "",
    in_order: bool = True,
    flows: Sequence[Flow] = (),
) -> Course:
    """Change it as a whole. Assignments that run keep the flows they have."""
    require_staff(by, course.organisation_id, CourseNotFound)
    _set(course, name, description, in_order, flows)
    return course


@transaction.atomic
def archive_course(course: Course, *, by: User, archived: bool = True) -> Course:
    """Put it away, or bring it back: nothing new is assigned; what runs goes on."""
    require_staff(by, course.organisation_id, CourseNotFound)
    # As it is now: somebody may have changed it meanwhile.
    locked = Course.objects.select_for_update().get(pk=course.pk)
    locked.archived_at = timezone.now() if archived else None
    _save(locked)
    return locked


def _set(
    course: Course, name: str, description: str, in_order: bool, flows: Sequence[Flow]
) -> None:
    course.name, course.in_order = clean_line(name, NAME_LIMIT), in_order
    course.description = clean_text(description)
    if not course.name:
        raise InvalidInput("Please give the course a name.")
    if len(flows) > MAX_COURSE_FLOWS:
        raise InvalidInput(f"A course has at most {MAX_COURSE_FLOWS} flows.")
    if len({flow.pk for flow in flows}) != len(flows):
        raise InvalidInput("A flow is there twice.")
    if any(flow.organisation_id != course.organisation_id for flow in flows):
        raise InvalidInput("Please choose flows of this organisation.")
    _save(course)
    course.course_flows.all().delete()
    CourseFlow.objects.bulk_create(
        CourseFlow(
            organisation_id=course.organisation_id, course=course, flow=flow, position=position
        )
        for position, flow in enumerate(flows)
    )
    announce_flows(course.organisation_id)


def _save(course: Course) -> None:
    try:
        with transaction.atomic():
            course.save()
    except IntegrityError as error:
        raise InvalidInput(f"There is a course called “{course.name}” already.") from error
