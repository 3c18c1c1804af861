"""Saved inputs, and two prompts compared on all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet

from agents_app.errors import InvalidFields
from agents_app.models import Prompt, PromptVersion
from agents_app.runtime.agent import Agent
from agents_app.types import AgentOptions
from chat_app.models import Check, InputSet, SavedInput, Trial, TrialKind
from chat_app.services.playground import Asked, start_trial
from chat_app.services.playground_checks import checked_pattern
from chat_app.services.playground_options import SYSTEM_LIMIT, dump_options
from one_project.accounts.models import Organisation, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import InvalidInput, NotFound
from one_project.common.ids import parse_id
from one_project.common.text import clean_line, clean_text

MAX_INPUTS = 200
LONGEST_INPUT = 32_000
# What the pickers offer; older versions are on the prompt's own page.
VERSIONS = 200
NAME_TAKEN = "A list of this name exists already."


@dataclass(frozen=True, slots=True)
class NewInput:
    """One input as it was typed."""

    text: str
    expected: str = ""
    check_by: str = Check.NONE


@dataclass(frozen=True, slots=True)
class Side:
    """One of two system prompts that are compared."""

    label: str
    text: str


def input_sets(organisation: Organisation) -> QuerySet[InputSet]:
    """The organisation's lists by name, each with how many inputs it has (``size``)."""
    sets = InputSet.objects.filter(organisation=organisation).select_related("created_by")
    return sets.annotate(size=Count("inputs")).order_by("name")


def access_input_set(organisation: Organisation, set_id: UUID | str | None) -> InputSet:
    """Raises NotFound."""
    wanted = parse_id(set_id)
    found = wanted and InputSet.objects.filter(organisation=organisation, pk=wanted).first()
    if not found:
        raise NotFound
    return found


@transaction.atomic
def save_input_set(
    organisation: Organisation,
    *,
    by: User,
    name: str,
    inputs: Sequence[NewInput],
    input_set: InputSet | None = None,
) -> InputSet:
    """Make the list, or replace all of ``input_set``. Inputs without text are left out.

    Raises InvalidFields (``name``, or ``input-<n>`` by the place in ``inputs``).
    """
    name = clean_line(name, 120)
    problems = {} if name else {"name": "Please give the list a name."}
    kept = [(n, _cleaned(each)) for n, each in enumerate(inputs)]
    kept = [(n, each) for n, each in kept if each.text.strip()]
    for n, each in kept:
        if problem := _problem(each):
            problems[f"input-{n}"] = problem
    if len(kept) > MAX_INPUTS:
        problems["name"] = f"A list has at most {MAX_INPUTS} inputs."
    if problems:
        raise InvalidFields(problems)
    made = input_set or InputSet(organisation=organisation, created_by=by)
    made.name = name
    try:
        with transaction.atomic():
            made.save()
    except IntegrityError:
        raise InvalidFields({"name": NAME_TAKEN}) from None
    made.inputs.all().delete()
    SavedInput.objects.bulk_create(
        SavedInput(
            organisation=organisation,
            input_set=made,
            position=position,
            text=each.text,
            expected=each.expected,
            check_by=each.check_by,
        )
        for position, (_, each) in enumerate(kept)
    )
    record_event(organisation, "input_set_saved", actor=by, target=f"input_set:{made.pk}")
    return made


@transaction.atomic
def delete_input_set(input_set: InputSet, *, by: User) -> None:
    """Delete the list; what was compared on it stays."""
    target = f"input_set:{input_set.pk}"
    record_event(input_set.organisation, "input_set_deleted", actor=by, target=target)
    input_set.delete()


def _cleaned(given: NewInput) -> NewInput:
    known = given.check_by if given.check_by in Check.values else Check.NONE
    return NewInput(clean_text(given.text), clean_text(given.expected), known)


def _problem(given: NewInput) -> str:
    if max(len(given.text), len(given.expected)) > LONGEST_INPUT:
        return f"At most {LONGEST_INPUT:,} characters."
    if given.check_by == Check.NONE:
        return ""
    if not given.expected.strip():
        return "Please say what is expected, or choose “Not checked”."
    if given.check_by == Check.REGEX:
        try:
            checked_pattern(given.expected)
        except InvalidInput as error:
            return error.user_message
    return ""


def prompt_versions(organisation: Organisation, user: User) -> list[PromptVersion]:
    """The newest versions of prompts the person may use, without their texts."""
    usable = Prompt.objects.usable_by(user, organisation)
    versions = PromptVersion.objects.filter(prompt__in=usable).select_related("prompt")
    return list(
        versions.only("number", "prompt__name", "created_at").order_by("prompt__name", "-number")[
            :VERSIONS
        ]
    )


def read_side(
    organisation: Organisation, user: User, *, name: str, version_id: str, text: str
) -> Side:
    """A text of its own, or the version that was picked. Raises InvalidFields naming ``name``."""
    text = clean_text(text)
    if len(text) > SYSTEM_LIMIT:
        raise InvalidFields({name: f"At most {SYSTEM_LIMIT:,} characters."})
    if text.strip():
        return Side("Own text", text)
    wanted = parse_id(version_id)
    usable = Prompt.objects.usable_by(user, organisation)
    found = (
        wanted
        and PromptVersion.objects.select_related("prompt")
        .filter(pk=wanted, prompt__in=usable)
        .first()
    )
    if not found:
        raise InvalidFields({name: "Please choose a version, or write a text."})
    return Side(f"{found.prompt.name} v{found.number}"[:120], found.text)


def compare(
    organisation: Organisation,
    *,
    by: User,
    agent: Agent,
    input_set: InputSet,
    sides: tuple[Side, Side],
    options: AgentOptions,
    model: str = "",
) -> Trial:
    """Ask every input of the list with both system prompts: two answers for each.

    Raises InvalidFields for a list without inputs.
    """
    inputs = list(input_set.inputs.order_by("position"))
    if not inputs:
        raise InvalidFields({"inputs": "This list has no inputs yet."})
    asked = [
        Asked(
            position=each.position,
            side=side,
            model=model,
            prompt=each.text,
            expected=each.expected,
            check_by=each.check_by,
        )
        for each in inputs
        for side in (0, 1)
    ]
    versions: list[dict[str, Any]] = [{"label": each.label, "text": each.text} for each in sides]
    return start_trial(
        organisation,
        by=by,
        asked=asked,
        agent=agent,
        kind=TrialKind.COMPARISON,
        input_set=input_set,
        versions=versions,
        options=dump_options(options),
        prompt=input_set.name,
    )
