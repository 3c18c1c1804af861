"""What people enter to assign: the wizard, and a table of many."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from agents_app.forms.fields import ServiceForm
from agents_app.models import Agent
from flows_app.conf import MAX_BULK, MAX_DUE_DAYS, MAX_NOTES
from flows_app.models import Course, Flow, FlowStep, Resolution
from flows_app.runtime.bulk_rows import BulkRow, decoded, rows_of_text
from flows_app.services.assigning import checked_zone
from flows_app.services.bulk_planning import BulkOptions
from flows_app.services.crediting import MAX_DAYS
from one_project.accounts.models import Membership, Organisation, Role, Team, User
from one_project.common.errors import InvalidInput
from one_project.common.ids import new_id, parse_id
from one_project.common.text import clean_text

# More people than anybody ticks; the others are written as addresses.
LISTED: Final = 500
# A table of MAX_BULK rows, and what a browser may send.
TABLE_LIMIT: Final = 3_000_000
EXPLAINED: Final = [
    (Resolution.SNAPSHOT, "Everybody who belongs to it now"),
    (Resolution.LIVE, "Everybody who belongs to it now, and whoever joins later"),
    (Resolution.QUEUE, "One of them: it waits until somebody takes it"),
]


class DateInput(forms.DateInput):
    input_type = "date"


def date_field(label: str) -> forms.DateField:
    return forms.DateField(label=label, required=False, widget=DateInput(format="%Y-%m-%d"))


def days_field(label: str) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=0,
        max_value=MAX_DUE_DAYS,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )


class WhatForm(ServiceForm):
    """What is assigned, by when, and how: the part that wizard and table share."""

    what = forms.ChoiceField(label="Flow or course")
    step = forms.ChoiceField(label="Only one step", required=False)
    due = date_field("Due on")
    due_days = days_field("or days from now")
    follow_up = date_field("Follow-up on")
    follow_up_days = days_field("or days from now")
    timezone = forms.CharField(
        label="Time zone", max_length=64, help_text="Like Europe/Berlin. Days end there."
    )
    note = forms.CharField(
        required=False,
        max_length=MAX_NOTES,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Everybody who gets this sees it.",
    )
    restart = forms.BooleanField(label="Begin again where somebody has it already", required=False)
    credit = forms.IntegerField(
        label="Count what they completed within so many days",
        required=False,
        min_value=1,
        max_value=MAX_DAYS,
        help_text="Steps of the same flow they have done before. Empty: everybody begins anew.",
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    request_id = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)
    needs_what = True

    def __init__(self, organisation: Organisation, user: User, *args: Any, **options: Any) -> None:
        given = {"timezone": user.timezone, "request_id": new_id().hex}
        super().__init__(*args, initial=given | options.pop("initial", {}), **options)
        self.organisation = organisation
        flows = Flow.objects.assignable().filter(organisation=organisation).order_by("name")
        courses = Course.objects.active().filter(organisation=organisation).order_by("name")
        groups = [
            ("Flows", [(f"flow:{one.pk}", one.name) for one in flows]),
            ("Courses", [(f"course:{one.pk}", one.name) for one in courses]),
        ]
        empty = "Choose one" if self.needs_what else "As the rows say"
        what: Any = self.fields["what"]
        what.required = self.needs_what
        what.choices = [("", empty), *(group for group in groups if group[1])]
        step: Any = self.fields["step"]
        step.choices = steps_offered(organisation, self["what"].value() or "")

    def clean_timezone(self) -> str:
        return zone_of(self.cleaned_data["timezone"])

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        for name in ("due", "follow_up"):
            if given.get(name) and given.get(f"{name}_days") is not None:
                self.add_error(name, "Please give a date or a number of days, not both.")
        return given

    def defaults(self) -> BulkRow:
        """What holds for every row."""
        given = self.cleaned_data
        kind, _, key = given["what"].partition(":")
        dates = {}
        for name in ("due", "follow_up"):
            days = given[f"{name}_days"]
            dates[name] = iso_of(given[name]) if days is None else str(days)
        return BulkRow(
            line=0,
            flow=key if kind == "flow" else "",
            course=key if kind == "course" else "",
            step=given["step"],
            note=clean_text(given["note"]),
            **dates,
        )

    def options(self) -> BulkOptions:
        given = self.cleaned_data
        return BulkOptions(
            timezone=given["timezone"], restart=given["restart"], credit_days=given["credit"]
        )

    def digest(self, rows: Iterable[BulkRow]) -> str:
        """What a preview was of: another one has to be looked at again."""
        text = repr(([row.to_json() for row in rows], self.options()))
        return sha256(text.encode()).hexdigest()[:32]


class AssignForm(WhatForm):
    """The wizard: whom, what, when."""

    people = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    addresses = forms.CharField(
        label="E-mail addresses",
        required=False,
        max_length=400_000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "autocapitalize": "off"}),
        help_text="One in each line, or between commas.",
    )
    agents = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    roles = forms.MultipleChoiceField(
        required=False,
        choices=Role.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text="Everybody of exactly this role.",
    )
    teams = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    resolution = forms.ChoiceField(
        label="A role or a team means",
        choices=EXPLAINED,
        initial=Resolution.SNAPSHOT,
        required=False,
        widget=forms.RadioSelect,
    )

    def __init__(self, organisation: Organisation, user: User, *args: Any, **options: Any) -> None:
        super().__init__(organisation, user, *args, **options)
        members = Membership.objects.active().filter(organisation=organisation)
        rows = members.select_related("user").order_by("user__name", "user__email")
        listed = [one.user for one in rows[: LISTED + 1]]
        self.has_more_people = len(listed) > LISTED
        people = {str(one.pk): f"{one.display_name} · {one.email}" for one in listed[:LISTED]}
        people |= self._asked_for(members, people)
        agents = Agent.objects.usable_by(user, organisation).order_by("name")[:LISTED]
        teams = Team.objects.filter(organisation=organisation).order_by("name")[:LISTED]
        for name, choices in (
            ("people", list(people.items())),
            ("agents", [(str(one.pk), one.name) for one in agents]),
            ("teams", [(str(one.pk), one.name) for one in teams]),
        ):
            field: Any = self.fields[name]
            field.choices = choices

    def _asked_for(self, members: Any, listed: dict[str, str]) -> dict[str, str]:
        """Who is chosen, by the address of the page or before, and not among the first."""
        sent = self.data.getlist("people")[:LISTED] if hasattr(self.data, "getlist") else []
        chosen = [*self.initial.get("people", []), *sent]
        asked = [parse_id(one) for one in chosen if one not in listed]
        rows = members.filter(user__in=[one for one in asked if one]).select_related("user")
        return {str(one.user_id): f"{one.user.display_name} · {one.user.email}" for one in rows}

    def clean_addresses(self) -> list[str]:
        text = self.cleaned_data["addresses"].replace(",", " ").replace(";", " ")
        return list(dict.fromkeys(text.lower().split()))

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        who = ("people", "addresses", "agents", "roles", "teams")
        if not self.errors and not any(given.get(name) for name in who):
            self.add_error("people", "Please choose at least one person, agent, role or team.")
        return given

    def rows(self) -> list[BulkRow]:
        given, whole = self.cleaned_data, self.defaults()
        who = [{"email": one} for one in (*given["people"], *given["addresses"])]
        who += [{"agent": one} for one in given["agents"]]
        shared = {"resolution": given["resolution"] or Resolution.SNAPSHOT}
        who += [{"role": one, **shared} for one in given["roles"]]
        who += [{"team": one, **shared} for one in given["teams"]]
        return [BulkRow(line=line, **one).filled(whole) for line, one in enumerate(who, 1)]


class TableForm(WhatForm):
    """Many rows from a file or pasted; what a row does not say comes from the form."""

    needs_what = False
    file = forms.FileField(
        label="A CSV file",
        required=False,
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,.tsv"}),
        help_text=f"UTF-8, at most {MAX_BULK:,} rows.",
    )
    rows_text = forms.CharField(
        label="or its lines",
        required=False,
        max_length=TABLE_LIMIT,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "class": "is-code"}),
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        file: UploadedFile[bytes] | None = given.get("file")
        text = given.get("rows_text", "")
        if file is not None:
            text = self._text_of(file)
            # What is looked at in the preview is in the box, so that it is there to correct.
            given["rows_text"] = text
            self.data = self.data.copy()  # type: ignore[attr-defined]
            self.data["rows_text"] = text  # type: ignore[index]
        if not text.strip():
            self.add_error("rows_text", "Please choose a file, or paste its lines.")
        elif not self.errors:
            try:
                self._rows = rows_of_text(text, self.defaults())
            except InvalidInput as error:
                self.add_error("rows_text", error.user_message)
        return given

    def _text_of(self, file: "UploadedFile[bytes]") -> str:
        if (file.size or 0) > TABLE_LIMIT:
            self.add_error("file", "This file is too large: split it, please.")
            return ""
        try:
            return decoded(file.read())
        except InvalidInput as error:
            self.add_error("file", error.user_message)
            return ""

    def rows(self) -> list[BulkRow]:
        return self._rows


def steps_offered(organisation: Organisation, what: str) -> list[tuple[str, str]]:
    """The steps of the flow that is chosen, by name; none of a course."""
    kind, _, key = what.partition(":")
    flow = parse_id(key) if kind == "flow" else None
    steps = FlowStep.objects.none()
    if flow:
        steps = FlowStep.objects.filter(
            revision__published_of=flow, organisation=organisation
        ).order_by("position")
    names = steps.values_list("name", flat=True)
    return [("", "All of it"), *((name, name) for name in names)]


def iso_of(day: Any) -> str:
    return day.isoformat() if day else ""


def zone_of(name: str) -> str:
    """Raises ValidationError for a name that no time zone has."""
    try:
        return checked_zone(name)
    except InvalidInput as error:
        raise ValidationError(error.user_message) from None
