"""Two system prompts compared on a list of inputs: the form, and starting it."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from agents_app.errors import InvalidFields
from chat_app.models import Trial, TrialKind
from chat_app.services.playground import code_agents, find_agent, usable_agents
from chat_app.services.playground_inputs import (
    Side,
    access_input_set,
    compare,
    input_sets,
    prompt_versions,
    read_side,
)
from chat_app.services.playground_options import editable, read_call_options, read_models
from chat_app.services.playground_reading import latest_trials
from chat_app.views.answers import go_to
from chat_app.views.playground.guard import staff_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import NotFound
from one_project.common.text import clean_line, clean_text

T = TypeVar("T")

FIELDS = (
    "inputs", "agent", "model", "options", "version_a", "version_b", "text_a", "text_b",
)  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@staff_required
def comparisons(request: MemberRequest) -> HttpResponse:
    """The form of a comparison and the latest ones; POST starts one."""
    if request.method != "POST":
        chosen = {"inputs": clean_line(request.GET.get("inputs"), 64), "options": editable({})}
        return _page(request, {**dict.fromkeys(FIELDS, ""), **chosen})
    posted = {name: clean_text(request.POST.get(name)) for name in FIELDS}
    problems: dict[str, str] = {}
    made = _started(request, posted, problems)
    if made is None:
        return _page(request, posted, problems, status=422)
    return go_to(request, f"/playground/trials/{made.pk}/")


def _started(
    request: MemberRequest, posted: dict[str, str], problems: dict[str, str]
) -> Trial | None:
    """The comparison; None where ``problems`` says what is wrong with the fields."""
    where, who = request.organisation, request.user

    def tried(read: Callable[[], T], field: str = "", missing: str = "") -> T | None:
        try:
            return read()
        except InvalidFields as error:
            problems.update(error.fields)
        except NotFound:
            problems[field] = missing
        return None

    found = tried(lambda: access_input_set(where, posted["inputs"]), "inputs", "Choose a list.")
    agent = tried(lambda: find_agent(where, who, posted["agent"]), "agent", "Choose an agent.")
    model = tried(lambda: _one_model(posted["model"]))
    options = tried(
        lambda: read_call_options(context="", options=posted["options"], system=None, save=False)
    )
    sides = [tried(partial(_side, request, posted, letter)) for letter in "ab"]
    first, second = sides
    if found is None or agent is None or options is None or first is None or second is None:
        return None
    if problems:
        return None
    return tried(
        lambda: compare(
            where,
            by=who,
            agent=agent,
            input_set=found,
            sides=(first, second),
            options=options,
            model=model or "",
        )
    )


def _one_model(text: str) -> str:
    try:
        names = read_models(text)
    except InvalidFields as error:
        raise InvalidFields({"model": error.fields["models"]}) from None
    if len(names) > 1:
        raise InvalidFields({"model": "Please name one model."})
    return names[0] if names else ""


def _side(request: MemberRequest, posted: dict[str, str], letter: str) -> Side:
    return read_side(
        request.organisation,
        request.user,
        name=f"version_{letter}",
        version_id=posted[f"version_{letter}"],
        text=posted[f"text_{letter}"],
    )


def _page(
    request: MemberRequest,
    posted: dict[str, str],
    errors: dict[str, str] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    rows = usable_agents(request.organisation, request.user)
    agents = [(str(row.pk), row.name) for row in rows]
    agents += [(value, f"{name} (Python)") for value, name in code_agents(rows)]
    sides = [
        {
            "letter": letter,
            "version": posted[f"version_{letter}"],
            "text": posted[f"text_{letter}"],
            "error": (errors or {}).get(f"version_{letter}", ""),
        }
        for letter in "ab"
    ]
    versions = prompt_versions(request.organisation, request.user)
    context = {
        "posted": posted,
        "errors": errors or {},
        "sets": [(str(each.pk), each) for each in input_sets(request.organisation)],
        "agents": agents,
        "versions": [(str(each.pk), each) for each in versions],
        "sides": sides,
        "trials": latest_trials(request.organisation, TrialKind.COMPARISON),
    }
    return render(request, "playground/compare.html", context, status=status)
