"""The log of many targets at once: a fixed number of queries, whatever their number."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from flows_app.live.announce import announce_flows
from flows_app.models import FlowProgress, LessonTarget, LogKind
from flows_app.runtime.actors import Actor

# More people than these are not woken one by one: their pages look by themselves.
TOLD = 200


def lock_targets(keys: Iterable[UUID]) -> list[LessonTarget]:
    """Those that have not ended, locked in one order to the end of the transaction."""
    return list(
        LessonTarget.objects.active()
        .select_for_update(of=("self",), no_key=True)
        .filter(pk__in=list(keys))
        .order_by("pk")
    )


def add_entries(
    targets: Sequence[LessonTarget],
    kind: LogKind,
    by: Actor,
    *,
    notes: str | dict[UUID, str] = "",
    **fields: Any,
) -> None:
    """The next entry of each of these locked targets, the same for all; ``notes`` may differ, by
    target id. As ``log.add_entry`` does it for one."""
    if not targets:
        return
    for target in targets:
        target.seq += 1
    rows = LessonTarget.objects.filter(pk__in=[one.pk for one in targets])
    rows.update(seq=F("seq") + 1, updated_at=timezone.now())
    FlowProgress.objects.bulk_create(
        FlowProgress(
            organisation_id=target.organisation_id,
            target=target,
            seq=target.seq,
            kind=kind,
            flow_id=target.flow_id,
            step_key=target.step_key,
            user_id=target.user_id,
            agent_id=target.agent_id,
            actor_type=by.type,
            actor=by.user,
            actor_agent=by.agent,
            notes=notes if isinstance(notes, str) else notes.get(target.pk, ""),
            **fields,
        )
        for target in targets
    )
    tell_pages(targets)


def tell_pages(targets: Sequence[LessonTarget]) -> None:
    """After the commit: pages of the staff, and of the people where there are not too many."""
    people = [one.user_id for one in targets] if len(targets) <= TOLD else []
    for organisation_id in {one.organisation_id for one in targets}:
        announce_flows(organisation_id, people)
