"""Pages of usage: one's own, and for administrators the whole organisation's."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.timezone import now
from django.views.decorators.http import require_safe

from billing_app.access import sees_organisation
from billing_app.forms import FIRST_MONTH, HOUSE, Asked, asked_usage
from billing_app.runtime.budget_reading import BudgetBar, budget_bars
from billing_app.runtime.usage_names import Names, agent_names, read_names
from billing_app.runtime.usage_parts import (
    PARTS,
    Part,
    by_provider,
    day_part,
    folded,
    is_quick,
    lines_of,
    part_of,
    read_lines,
)
from billing_app.runtime.usage_reading import (
    NOBODY,
    Key,
    Sums,
    Wanted,
    count_conversations,
    read_sums,
    total,
)
from billing_app.services.rolling_up import rolled_through
from billing_app.types.periods import bounds, next_period, period_of, previous_period
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest

# Parts that may need all rows of the month: the page asks for them once it stands.
CONVERSATIONS: Final = "conversations"
LATER: Final = (CONVERSATIONS, "agent", "team", "user")
TITLES: Final = {"agent": "agent", "team": "team", "user": "person", "provider": "provider"}
# Values that a filter offers.
MOST_CHOICES: Final = 200
# Bars of budgets on a page.
MOST_BUDGETS: Final = 6
HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class Projection:
    """``days`` of ``whole`` have passed, with one decimal."""

    cost: Decimal
    days: Decimal
    whole: int


@require_safe
@member_required
def home(request: MemberRequest) -> HttpResponse:
    """With ``part`` a program gets that part alone, a person the page with all parts in it."""
    moment = now()
    asked = asked_usage(request.GET, request.membership, moment)
    part = request.GET.get("part", "")
    if part in LATER and getattr(request, "htmx", False):
        return _one_part(request, asked, part)
    through = rolled_through()
    wanted = asked.wanted
    by_day = read_sums(wanted, PARTS["day"], through=through)
    sums = total(by_day.values())
    context: dict[str, Any] = {
        "asked": asked,
        "sums": sums,
        "projection": _projection(asked, sums, moment),
        **_frame(request, asked, moment),
    }
    if sums.calls:
        context["days"] = day_part(wanted.period, by_day)
        context["parts"] = _parts(asked, by_day, through, at_once=part in LATER)
        context["conversations"] = _conversations(asked) if part in LATER else None
    context["choices"] = _choices(asked, by_day, context.get("parts", []), through)
    context["budgets"], context["more_budgets"] = _budgets(asked, request.user.pk, moment)
    return render(request, "usage/home.html", context)


def _one_part(request: MemberRequest, asked: Asked, name: str) -> HttpResponse:
    context: dict[str, Any] = {"asked": asked}
    if name == CONVERSATIONS:
        context["conversations"] = _conversations(asked)
        return render(request, "usage/_conversations.html", context)
    found = _read(asked, name, rolled_through())
    context["part"] = _shown(asked, name, part_of(name, found))
    return render(request, "usage/_bars.html", context)


def _read(asked: Asked, name: str, through: date | None) -> list[tuple[str, str, Sums]]:
    return read_lines(asked.wanted, name, partial(_names, asked.wanted, name), through)


def _names(wanted: Wanted, name: str, keys: Iterable[Key]) -> Names:
    ids = [key[0] for key in keys if key[0]]
    users, teams = (ids, []) if name == "user" else ([], ids)
    return read_names(wanted.organisation_id, users, teams)


def _parts(
    asked: Asked, by_day: dict[Key, Sums], through: date | None, *, at_once: bool
) -> list[dict[str, Any]]:
    """What is shown below the days; a part that is slow to read comes later, without its lines."""
    shown = [_shown(asked, "provider", part_of("provider", by_provider(by_day)))]
    whose: dict[Key, Sums] = {}
    for name in ("agent", "team", "user") if asked.is_house else ("agent", "team"):
        if not at_once and not is_quick(asked.wanted, name):
            shown.append(_shown(asked, name, None))
            continue
        if name == "agent":
            lines = _read(asked, name, through)
        else:
            # Teams and people are read together.
            whose = whose or read_sums(asked.wanted, ("team_id", "user_id"), through=through)
            of = folded(whose, ("team", "user").index(name))
            lines = lines_of(name, of, partial(_names, asked.wanted, name))
        found = part_of(name, lines)
        # To be in one team, or in none, tells a person nothing.
        if asked.is_house or name != "team" or len(found.lines) > 1:
            shown.append(_shown(asked, name, found))
    return shown


def _shown(asked: Asked, name: str, part: Part | None) -> dict[str, Any]:
    """A part for its template; ``part`` None: to be asked for."""
    bars = []
    for line in part.bars if part else []:
        linked = line.value and (asked.is_house or name != "user")
        bars.append((line, asked.query(**{name: line.value}) if linked else ""))
    return {
        "name": name,
        "title": f"By {TITLES[name]}",
        "head": TITLES[name].capitalize(),
        "part": part,
        "bars": bars,
        "query": asked.query(part=name),
        "csv": asked.query(of=name),
    }


def _conversations(asked: Asked) -> dict[str, Any]:
    threads, spent = count_conversations(asked.wanted)
    return {"threads": threads, "spent": spent, "each": spent / threads if threads else None}


def _projection(asked: Asked, sums: Sums, moment: datetime) -> Projection | None:
    """At the pace so far, once there has been an hour of it; only of a month that goes on."""
    start, end = bounds(asked.wanted.period)
    if not asked.is_this_month or moment >= end:
        return None
    passed = Decimal(int((moment - start).total_seconds()))
    whole = Decimal(int((end - start).total_seconds()))
    if passed < HOUR or not sums.cost:
        return None
    days = round(passed / (24 * HOUR), 1)
    return Projection(sums.cost * whole / passed, days, (end - start).days)


def _frame(request: MemberRequest, asked: Asked, moment: datetime) -> dict[str, Any]:
    """The way to other months, to the other view, and out of the filters."""
    period, this = asked.wanted.period, period_of(moment)
    kept = {"month": "" if asked.is_this_month else asked.month}
    return {
        "sees_organisation": sees_organisation(request.membership),
        "mine_query": _without_filters(asked, whose="", **kept),
        "house_query": _without_filters(asked, whose=HOUSE, **kept),
        "clear_query": _without_filters(asked, **kept),
        "is_narrow": bool(set(asked.wanted.asked) - (set() if asked.is_house else {"user_id"})),
        "first_month": f"{FIRST_MONTH:%Y-%m}",
        "last_month": f"{this:%Y-%m}",
        "earlier": asked.query(month=f"{previous_period(period):%Y-%m}")
        if period > FIRST_MONTH
        else "",
        "later": asked.query(month=f"{next_period(period):%Y-%m}") if period < this else "",
        "conversations_query": asked.query(part=CONVERSATIONS),
        "days_csv": asked.query(of="day"),
        "records_csv": asked.query(),
    }


def _without_filters(asked: Asked, **other: str) -> str:
    nothing = dict.fromkeys(("provider", "model", "agent", "team", "user"), "")
    return asked.query(**{**nothing, **other})


def _choices(
    asked: Asked, by_day: dict[Key, Sums], parts: list[dict[str, Any]], through: date | None
) -> list[dict[str, Any]]:
    """What each filter offers: what the month has, whatever that filter itself is set to."""
    wanted = asked.wanted
    models = by_day
    if wanted.provider or wanted.model:
        models = read_sums(_open(wanted, "provider", "model"), PARTS["day"], through=through)
    providers = [(name, name) for name in sorted({key[1] for key in models})]
    of_models = [(name, name) for name in sorted({key[2] for key in models})]
    found = [
        _choice("Provider", "provider", "All providers", wanted.provider, providers),
        _choice("Model", "model", "All models", wanted.model, of_models),
    ]
    read = {part["name"]: part["part"] for part in parts if part["part"]}
    words = {"agent": "All agents", "team": "All teams", "user": "Everybody"}
    for name in ("agent", "team", "user") if asked.is_house else ("agent", "team"):
        value = getattr(wanted, f"{name}_id")
        if value is not None:
            wider = Asked(_open(wanted, f"{name}_id"), asked.is_house, asked.is_this_month)
            lines = [(line[1], line[0]) for line in _read(wider, name, through)]
        else:
            part = read.get(name)
            lines = [(line.value, line.name) for line in part.lines if line.value] if part else []
        shown = str(value or "")
        label = TITLES[name].capitalize()
        if shown or len(lines) > 1:
            found.append(_choice(label, name, words[name], shown, lines[:MOST_CHOICES]))
    return found


def _choice(
    label: str, name: str, everything: str, value: str, values: list[tuple[str, str]]
) -> dict[str, Any]:
    """A filter that is set to what the month does not have offers it all the same."""
    if value and value not in dict(values):
        missing = {NOBODY: "None"}.get(value, value if name in ("provider", "model") else "Unknown")
        values = [*values, (value, missing)]
    return {
        "label": label,
        "name": name,
        "all": everything,
        "value": value,
        "options": sorted(values, key=lambda each: each[1].casefold()),
    }


def _open(wanted: Wanted, *names: str) -> Wanted:
    """The same without these filters."""
    kept = {name: value for name, value in wanted.asked.items() if name not in names}
    return Wanted(organisation_id=wanted.organisation_id, period=wanted.period, **kept)


def _budgets(asked: Asked, user_id: UUID, moment: datetime) -> tuple[list[dict[str, Any]], int]:
    """Bars with names, and how many more there are. Only now is there a budget."""
    if not asked.is_this_month:
        return [], 0
    house, own = asked.wanted.organisation_id, None if asked.is_house else user_id
    bars = budget_bars(house, moment, own)
    shown = bars[:MOST_BUDGETS]
    ids: dict[str, set[UUID]] = {"user": set(), "team": set(), "agent": set()}
    for bar in shown:
        if bar.subject_id is not None and bar.subject_id != own:
            ids[bar.scope].add(bar.subject_id)
    names = read_names(house, ids["user"], ids["team"])
    agents = agent_names(house, ids["agent"])
    called = [{"bar": bar, "name": _budget_name(bar, names, agents, own)} for bar in shown]
    return called, len(bars) - len(shown)


def _budget_name(bar: BudgetBar, names: Names, agents: dict[UUID, str], own: UUID | None) -> str:
    if not bar.scope:
        return "Credits"
    who = "The organisation"
    if bar.scope == "team":
        who = names.team(bar.subject_id)
    elif bar.scope == "user":
        who = "You" if bar.subject_id == own else names.user(bar.subject_id)
    elif bar.scope == "agent":
        who = (bar.subject_id and agents.get(bar.subject_id)) or "An agent"
    return f"{who}, {'today' if bar.window == 'day' else 'this month'}"
