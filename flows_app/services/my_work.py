"""My work: what somebody has to do, what agents of theirs do, and what they may take."""

from collections import defaultdict
from dataclasses import dataclass, field

from django.db.models import Q

from flows_app.models import LessonTarget, Status
from flows_app.services.claiming import claimable
from flows_app.services.work_lines import SECTIONS, WorkLine, counts_of, lines_for
from one_project.accounts.models import Organisation, User


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFilter:
    """``text`` in the name of a flow, a course or a step. ``status``: one of ``Status``, or
    ``waiting`` or ``take``. ``due``: ``overdue``, ``soon`` or ``none``. Empty: all."""

    text: str = ""
    status: str = ""
    due: str = ""

    @property
    def is_narrow(self) -> bool:
        return bool(self.text or self.status or self.due)

    def takes(self, line: WorkLine) -> bool:
        return self._has_text(line) and self._has_status(line) and self._has_due(line)

    def takes_from_queue(self, target: LessonTarget) -> bool:
        wanted = self.text.casefold() in target.flow.name.casefold()
        return wanted and self.status in ("", "take") and not self.due

    def _has_text(self, line: WorkLine) -> bool:
        step = line.next_step.name if line.next_step else ""
        return self.text.casefold() in f"{line.target.flow} {line.course_name} {step}".casefold()

    def _has_status(self, line: WorkLine) -> bool:
        if self.status == "waiting":
            return bool(line.waiting)
        if self.status == Status.BLOCKED:
            return bool(line.blocked)
        return self.status in ("", line.status)

    def _has_due(self, line: WorkLine) -> bool:
        return {
            "": True,
            "overdue": line.is_overdue,
            "soon": line.is_soon,
            "none": line.due_at is None and not line.is_done,
        }.get(self.due, False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MyWork:
    """``lines`` and ``agents`` (work of agents the person made) as filtered; ``counts`` of all."""

    lines: list[WorkLine]
    agents: list[WorkLine]
    to_take: list[LessonTarget]
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def sections(self) -> list[tuple[str, str, list[WorkLine]]]:
        """``(key, name, lines)`` of those that are not empty, without what is done."""
        found: dict[str, list[WorkLine]] = defaultdict(list)
        for line in self.lines:
            found[line.section].append(line)
        return [
            (key, name, found[key])
            for key, name in SECTIONS.items()
            if found[key] and key != "done"
        ]

    @property
    def done(self) -> list[WorkLine]:
        return [line for line in self.lines if line.is_done]


def my_work(user: User, organisation: Organisation, asked: WorkFilter) -> MyWork:
    """The person's own assignments, those of agents they made, and what they may take."""
    rows = LessonTarget.objects.active().filter(organisation=organisation)
    lines = lines_for(rows.filter(Q(user=user) | Q(agent__created_by=user)))
    own = [line for line in lines if line.target.user_id == user.pk]
    others = [line for line in lines if line.target.user_id != user.pk]
    to_take = list(claimable(user, organisation).select_related("lesson__assigned_by"))
    return MyWork(
        lines=[line for line in own if asked.takes(line)],
        agents=[line for line in others if asked.takes(line)],
        to_take=[target for target in to_take if asked.takes_from_queue(target)],
        counts={**counts_of(own), "take": len(to_take)},
    )
