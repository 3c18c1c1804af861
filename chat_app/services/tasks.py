"""Tasks: written down by agents or people, ticked off by whom they are for."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from agents_app.models import Agent
from chat_app.live.announce import announce_people
from chat_app.models import Priority, Task
from one_project.accounts.access import access_membership
from one_project.accounts.models import Organisation, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import InvalidInput
from one_project.common.text import clean_line, clean_text


@transaction.atomic
def create_task(
    organisation: Organisation,
    *,
    user: User,
    title: str,
    description: str = "",
    priority: str = Priority.MEDIUM,
    thread_id: UUID | None = None,
    agent: Agent | None = None,
) -> Task:
    """A task for ``user``, a member. Raises InvalidInput for an empty title or unknown priority."""
    title = clean_line(title, 200)
    if not title:
        raise InvalidInput("Please give the task a title.")
    if priority not in Priority.values:
        raise InvalidInput("The priority of a task is low, medium or high.")
    access_membership(user, organisation)
    task = Task.objects.create(
        organisation=organisation,
        user=user,
        thread_id=thread_id,
        agent=agent,
        title=title,
        description=clean_text(description)[:10_000],
        priority=priority,
    )
    record_event(organisation, "task_created", actor=user, target=f"task:{task.pk}")
    announce_people([user.pk])
    return task


@transaction.atomic
def tick_off(task: Task, *, done: bool = True) -> Task:
    """Mark the task done, or to be done again."""
    at = timezone.now() if done else None
    Task.objects.filter(pk=task.pk, done_at__isnull=done).update(
        done_at=at, updated_at=timezone.now()
    )
    task.refresh_from_db()
    announce_people([task.user_id])
    return task
