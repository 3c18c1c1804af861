"""The list of flows, with how many people are in each and how far they are on average."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final
from uuid import UUID

from django.db.models import Count, Q

from flows_app.models import Flow, FlowStep, LessonTarget, StepState
from flows_app.models.flows import FlowQuerySet
from flows_app.runtime.transitions import DONE
from one_project.accounts.models import Organisation

PUBLISHED: Final = "published"
DRAFT: Final = "draft"
ARCHIVED: Final = "archived"


@dataclass(frozen=True, slots=True)
class Figures:
    """``people``: who has it now, agents too. ``percent``: 0 to 100, None where nobody has it.

    100 exactly when all of them have finished.
    """

    people: int = 0
    percent: int | None = None


def list_flows(organisation: Organisation, *, show: str = "", query: str = "") -> FlowQuerySet:
    """By name. ``show``: published, draft (something unpublished), archived, or all others."""
    flows = Flow.objects.filter(organisation=organisation)
    flows = flows.exclude(archived_at=None) if show == ARCHIVED else flows.active()
    if show == PUBLISHED:
        flows = flows.exclude(published=None)
    elif show == DRAFT:
        flows = flows.exclude(draft=None)
    if query:
        flows = flows.filter(Q(name__icontains=query) | Q(description__icontains=query))
    return flows.select_related("published", "draft").order_by("name", "pk")


def figures_of(flows: Sequence[Flow]) -> dict[UUID, Figures]:
    """By flow. Three queries, however many people: the database counts what is done.

    Who has the same revision has as many steps to do, so that the sum of what they have done
    tells their average.
    """
    groups = (
        LessonTarget.objects.active()
        .filter(flow__in=flows)
        .values_list("flow_id", "revision_id", "step_key")
        .annotate(people=Count("pk"))
        .order_by()
    )
    people = {(flow, revision, only): number for flow, revision, only, number in groups}
    required = _required({revision for _, revision, _ in people})
    done = _done(flows, required)
    sums: dict[UUID, tuple[int, Fraction]] = {}
    for (flow, revision, only), number in people.items():
        keys = required.get(revision, set())
        total = len(keys) if only is None else 1
        finished = done.get((revision, only), 0)
        share = Fraction(finished, total) if total else Fraction(number)
        count, before = sums.get(flow, (0, Fraction(0)))
        sums[flow] = (count + number, before + share)
    return {flow: Figures(count, int(100 * share / count)) for flow, (count, share) in sums.items()}


def _required(revisions: set[UUID]) -> dict[UUID, set[UUID]]:
    found: dict[UUID, set[UUID]] = {}
    rows = FlowStep.objects.filter(revision__in=revisions, is_required=True)
    for revision, key in rows.values_list("revision_id", "key"):
        found.setdefault(revision, set()).add(key)
    return found


def _done(
    flows: Sequence[Flow], required: dict[UUID, set[UUID]]
) -> dict[tuple[UUID, UUID | None], int]:
    """Required steps done by all of a revision (and of one step only) together."""
    rows = (
        StepState.objects.filter(target__flow__in=flows, target__ended_at=None, status__in=DONE)
        .values_list("target__revision_id", "target__step_key", "step_key")
        .annotate(number=Count("pk"))
        .order_by()
    )
    found: dict[tuple[UUID, UUID | None], int] = {}
    for revision, only, key, number in rows:
        if key == only or (only is None and key in required.get(revision, ())):
            found[revision, only] = found.get((revision, only), 0) + number
    return found
