"""What staff want to see of matrix and board, from an address."""

from typing import Any

from django.http import QueryDict

from flows_app.models import Status
from flows_app.services.filtering import SORTS, Wanted, teams_of
from one_project.accounts.middleware import MemberRequest
from one_project.accounts.models import Role
from one_project.common.text import clean_line

# The parts of an address that are filters; whatever else comes along is not.
NAMES = ("q", "who", "status", "overdue", "revision", "sort", "flow")


def asked_query(request: MemberRequest) -> QueryDict:
    """The filters: of the address itself, or (in what a page asks for by itself) in ``query``."""
    source = request.POST if request.method == "POST" else request.GET
    given = QueryDict(source.get("query", "")[:2_000]) if "query" in source else request.GET
    kept = QueryDict(mutable=True)
    for name in NAMES:
        value = clean_line(given.get(name), 200)
        if value:
            kept[name] = value
    return kept


def asked_filter(query: QueryDict) -> Wanted:
    """Values that mean nothing are left out."""
    status, sort = query.get("status", ""), query.get("sort", "")
    return Wanted(
        text=query.get("q", ""),
        who=query.get("who", ""),
        status=status if status in Status.values else "",
        overdue=bool(query.get("overdue")),
        revision=number(query.get("revision")),
        sort=sort if sort in SORTS else "name",
    )


def number(value: str | None, most: int = 2_000_000_000) -> int | None:
    """A whole number from 0 to ``most``; None for all else."""
    if not value or not value.isascii() or not value.isdecimal() or len(value) > 10:
        return None
    return int(value) if int(value) <= most else None


def choices(request: MemberRequest) -> dict[str, Any]:
    """What the form offers."""
    return {
        "statuses": Status.values,
        "sorts": SORTS.items(),
        "roles": [(f"role:{role.value}", role.label) for role in Role],
        "teams": [(f"team:{team.pk}", team.name) for team in teams_of(request.organisation)],
    }
