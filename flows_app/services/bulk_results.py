"""What came, or would come, of a bulk assignment: counts, and each row in words."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from flows_app.models import BulkAssignment, BulkStatus
from flows_app.services.bulk_planning import CREATED, ERROR, SKIPPED, UNKNOWN, Plan


@dataclass(frozen=True, slots=True)
class RowResult:
    """``outcome``: created, skipped, unknown (address) or error; ``text`` says it in words."""

    line: int
    outcome: str
    text: str
    who: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """What came, or would come, of the rows. ``created`` and ``skipped`` count targets: of a role
    one for each member. ``bulk`` None: a preview. ``is_done`` False: a worker is still at it."""

    created: int = 0
    skipped: int = 0
    unknown: int = 0
    failed: int = 0
    credited: int = 0
    results: list[RowResult] = field(default_factory=list)
    bulk: BulkAssignment | None = None
    is_done: bool = True

    @property
    def problems(self) -> list[RowResult]:
        return [one for one in self.results if one.outcome in {UNKNOWN, ERROR}]

    @property
    def problems_first(self) -> list[RowResult]:
        good = [one for one in self.results if one.outcome in {CREATED, SKIPPED}]
        return [*self.problems, *good]

    @property
    def is_useful(self) -> bool:
        """Whether a row does something: also a live role that nobody has yet."""
        return any(one.outcome == CREATED for one in self.results)

    @property
    def sentence(self) -> str:
        """``Will create 212, skip 14 who have it already, 3 unknown addresses.``"""
        said = [f"{'Created' if self.bulk else 'Will create'} {self.created:,}"]
        if self.skipped:
            have = "has" if self.skipped == 1 else "have"
            said.append(
                f"{'skipped' if self.bulk else 'skip'} {self.skipped:,} who {have} it already"
            )
        if self.unknown:
            said.append(f"{self.unknown:,} unknown address{'es' * (self.unknown != 1)}")
        if self.failed:
            said.append(f"{self.failed:,} row{'s' * (self.failed != 1)} with an error")
        return f"{', '.join(said)}."


def result_of(bulk: BulkAssignment) -> BulkResult:
    """As far as it is."""
    results = [RowResult(*one) for one in bulk.results]
    unknown = sum(1 for one in results if one.outcome == UNKNOWN)
    return BulkResult(
        created=bulk.created,
        skipped=bulk.skipped,
        unknown=unknown,
        failed=bulk.failed - unknown,
        credited=bulk.meta.get("credited", 0),
        results=results,
        bulk=bulk,
        is_done=bulk.status == BulkStatus.DONE,
    )


def result_of_plans(plans: Sequence[Plan], credited: int = 0) -> BulkResult:
    """Of what is planned, or has just been written."""
    good = [one for one in plans if one.outcome in {CREATED, SKIPPED}]
    return BulkResult(
        created=sum(one.created for one in good),
        skipped=sum(one.skipped for one in good),
        unknown=sum(1 for one in plans if one.outcome == UNKNOWN),
        failed=sum(1 for one in plans if one.outcome == ERROR),
        credited=credited,
        results=[RowResult(one.row.line, one.outcome, one.text, one.row.who) for one in plans],
    )
