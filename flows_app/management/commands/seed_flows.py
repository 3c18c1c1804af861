"""``seed_flows``: a course to try flows and lessons with; only with DEBUG on."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from agents_app.models import Agent
from flows_app.management.demo import safe_at_work, welcome_aboard
from flows_app.models import Flow, Notice, Status
from flows_app.runtime.actors import Actor
from flows_app.services.assigning import assign_lesson
from flows_app.services.courses import create_course
from flows_app.services.flows import create_flow, publish_flow
from flows_app.services.progress import find_step, update_flow_progress
from flows_app.services.reading import steps_of
from flows_app.services.working import tick_items
from flows_app.types import StepDraft
from one_project.accounts.models import Organisation, User
from one_project.common.errors import AppError

# In Flow.meta of what is made here: renamed or archived, it is not made again.
MARK = "demo"


class Command(BaseCommand):
    help = "Create the demonstration course where there was never one (DEBUG only)."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demonstration course is made with DEBUG only.")
        organisation = Organisation.objects.filter(slug="one").first()
        people = {
            user.email: user
            for user in User.objects.filter(email__in=["staff@one.test", "learner@one.test"])
        }
        if organisation is None or len(people) < 2:
            return
        if Flow.objects.filter(organisation=organisation, meta__has_key=MARK).exists():
            return
        try:
            with transaction.atomic():
                make_course(
                    organisation,
                    staff=people["staff@one.test"],
                    learner=people["learner@one.test"],
                )
        except AppError as error:
            # Somebody has used the names for something else, or has changed the roles.
            self.stderr.write(f"The demonstration course was left out: {error.user_message}")


def make_course(organisation: Organisation, *, staff: User, learner: User) -> None:
    """Two published flows in a course, given to the learner, of which a part is done."""
    agents = Agent.objects.active().filter(organisation=organisation, name="Guide")
    guide = agents.first()
    flows = [
        _published(
            organisation,
            staff,
            "Welcome aboard",
            "What everybody does in the first days with us.",
            welcome_aboard(guide.pk if guide else None),
            "Welcome aboard! You have all you need to begin.",
        ),
        _published(
            organisation,
            staff,
            "Safe at work",
            "Ways out, alarms, and whom to call.",
            safe_at_work(),
            "Thank you. See you at the next drill.",
        ),
    ]
    course = create_course(
        organisation,
        by=staff,
        name="First weeks",
        description="For everybody who is new: first how we work, then how we stay safe.",
        flows=flows,
    )
    made = assign_lesson(
        organisation,
        by=Actor(user=staff),
        course=course,
        user=learner,
        due_at=timezone.now() + timedelta(days=21),
        note="Take your time, and ask Guide or us whenever something is unclear.",
    )
    first = next(one for one in made.targets if one.flow_id == flows[0].pk)
    by = Actor(user=learner)
    said = "I liked the part about Fridays."
    update_flow_progress(first, "How we work", Status.COMPLETED, by=by, notes=said)
    desk = find_step(steps_of(first), "Set up your desk")
    tick_items(first, desk, {"key": True, "account": True}, by=by)
    # Nobody wants a letter about an example.
    Notice.objects.filter(target__in=made.targets).update(mail_at=None)


def _published(
    organisation: Organisation,
    staff: User,
    name: str,
    description: str,
    steps: list[StepDraft],
    completion_message: str,
) -> Flow:
    flow = create_flow(
        organisation,
        by=staff,
        name=name,
        description=description,
        steps=steps,
        completion_message=completion_message,
    )
    publish_flow(flow, by=staff)
    flow.refresh_from_db()
    flow.meta[MARK] = True
    flow.save(update_fields=["meta", "updated_at"])
    return flow
