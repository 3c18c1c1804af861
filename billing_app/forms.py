"""What the address of a page of usage asks for. What means nothing is left out, and said."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final
from urllib.parse import urlencode

from django.http import QueryDict

from billing_app.access import sees_organisation
from billing_app.runtime.usage_reading import NOBODY, Subject, Wanted
from billing_app.types.periods import period_of
from one_project.accounts.models import Membership
from one_project.common.ids import parse_id
from one_project.common.text import clean_line

OWN: Final = "mine"
HOUSE: Final = "organisation"
FIRST_MONTH: Final = date(2020, 1, 1)
_MONTH: Final = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
# What an address says, as pages say it.
PEOPLE: Final = {"user": "person"}
_LIMITS: Final = {"provider": 64, "model": 120}


@dataclass(frozen=True, slots=True)
class Asked:
    """``wanted`` for the figures; ``words`` about what was left out; ``is_house``: everybody's."""

    wanted: Wanted
    is_house: bool
    is_this_month: bool
    words: list[str] = field(default_factory=list)

    @property
    def month(self) -> str:
        return f"{self.wanted.period:%Y-%m}"

    def query(self, **other: str) -> str:
        """The same as the part of an address after the ``?``; ``other`` replaces, "" leaves out."""
        wanted = self.wanted
        given = {
            "whose": HOUSE if self.is_house else "",
            "month": "" if self.is_this_month else self.month,
            "provider": wanted.provider,
            "model": wanted.model,
            "agent": str(wanted.agent_id or ""),
            "team": str(wanted.team_id or ""),
            "user": str(wanted.user_id or "") if self.is_house else "",
        }
        return urlencode({name: value for name, value in {**given, **other}.items() if value})


def asked_usage(query: QueryDict, membership: Membership, now: datetime) -> Asked:
    """What the person wants to see and may: their own unless they see the organisation."""
    words: list[str] = []
    this = period_of(now)
    period = _month(query, this, words.append)
    is_house = _whose(query, membership, words.append)
    ids = {name: _subject(query, name, words.append) for name in ("agent", "team", "user")}
    if not is_house:
        if ids["user"] is not None:
            words.append("These figures are your own, so the person was ignored.")
        ids["user"] = membership.user_id
    wanted = Wanted(
        organisation_id=membership.organisation_id,
        period=period,
        agent_id=ids["agent"],
        team_id=ids["team"],
        user_id=ids["user"],
        **{name: clean_line(query.get(name), most) for name, most in _LIMITS.items()},
    )
    return Asked(wanted, is_house, period == this, words)


def _month(query: QueryDict, this: date, say: Callable[[str], None]) -> date:
    given = clean_line(query.get("month"), 20)
    if not given:
        return this
    found = _MONTH.fullmatch(given)
    if found and 1 <= int(found[2]) <= 12 and FIRST_MONTH.year <= int(found[1]):
        month = date(int(found[1]), int(found[2]), 1)
        if month <= this:
            return month
        say(f"{month:%B %Y} has not begun, so this month is shown.")
    else:
        say(f"“{given}” is not a month, so this month is shown.")
    return this


def _whose(query: QueryDict, membership: Membership, say: Callable[[str], None]) -> bool:
    given = clean_line(query.get("whose"), 20)
    if given not in ("", OWN, HOUSE):
        say("Usage is shown as “mine” or “organisation”, so this is your own.")
    if given == HOUSE and not sees_organisation(membership):
        say("Only administrators see the whole organisation, so this is your own usage.")
        return False
    return given == HOUSE


def _subject(query: QueryDict, name: str, say: Callable[[str], None]) -> Subject:
    given = clean_line(query.get(name), 40)
    if given in ("", NOBODY):
        return given or None
    found = parse_id(given)
    if found is None:
        say(f"There is no such {PEOPLE.get(name, name)}, so all are shown.")
    return found
