"""What one person or one agent has to do and has done, for staff; and for themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import Q

from agents_app.models import Agent
from flows_app.models import Comment, FlowProgress, LessonTarget
from flows_app.services.work_lines import WorkLine, counts_of, lines_for
from one_project.accounts.models import Organisation, User
from one_project.common.cursors import read_moment, write_cursor

PAGE: Final = 30
# As many as a person looks at; the rest stands with each assignment.
COMMENTS: Final = 10
ENDED: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Entries of the log, newest first; ``next_cursor`` None: there are no older ones."""

    entries: list[FlowProgress]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonWork:
    """``lines`` run, the most urgent first; ``ended`` were withdrawn, restarted or given away."""

    lines: list[WorkLine]
    ended: list[WorkLine]
    counts: dict[str, int]
    comments: list[Comment]

    @property
    def percent(self) -> int:
        """Done of all required steps of all that runs; 100 where nothing is to be done."""
        done = sum(line.share.done for line in self.lines)
        total = sum(line.share.total for line in self.lines)
        return 100 * done // total if total else 100


def work_of(organisation: Organisation, who: User | Agent) -> PersonWork:
    """All assignments of the person or agent in the organisation. A fixed number of queries."""
    targets = LessonTarget.objects.filter(_whose(who), organisation=organisation)
    last = targets.exclude(ended_at=None).order_by("-ended_at").values("pk")[:ENDED]
    shown = targets.filter(Q(ended_at=None) | Q(pk__in=list(last.values_list("pk", flat=True))))
    lines = lines_for(shown)
    running = [line for line in lines if line.target.ended_at is None]
    ended = [line for line in lines if line.target.ended_at is not None]
    comments = (
        Comment.objects.filter(target__in=targets, deleted_at=None)
        .select_related("author", "agent", "target__flow")
        .order_by("-created_at", "-pk")[:COMMENTS]
    )
    return PersonWork(
        lines=running,
        ended=sorted(ended, key=lambda line: str(line.target.ended_at), reverse=True),
        counts=counts_of(running),
        comments=list(comments),
    )


def timeline_of(organisation: Organisation, who: User | Agent, cursor: str = "") -> Timeline:
    """A page of what happened to their work. Raises InvalidInput for a cursor that is none."""
    entries = FlowProgress.objects.filter(_whose(who), organisation=organisation)
    if cursor:
        at, last = read_moment(cursor)
        entries = entries.filter(Q(created_at__lt=at) | Q(created_at=at, pk__lt=last))
    entries = entries.select_related("actor", "actor_agent", "flow", "target")
    found = list(entries.order_by("-created_at", "-pk")[: PAGE + 1])
    return Timeline(entries=found[:PAGE], next_cursor=_cursor_after(found))


def _cursor_after(found: Sequence[FlowProgress]) -> str | None:
    if len(found) <= PAGE:
        return None
    last = found[PAGE - 1]
    return write_cursor(last.created_at, last.pk)


def _whose(who: User | Agent) -> Q:
    return Q(user=who) if isinstance(who, User) else Q(agent=who)
