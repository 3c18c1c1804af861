"""What staff enter to change an assignment: its dates, and who goes on with it."""

from typing import Any

from django import forms
from django.utils import timezone

from agents_app.forms.fields import ServiceForm
from agents_app.models import Agent
from flows_app.conf import MAX_NOTES
from flows_app.forms.assigning import LISTED, date_field, iso_of, zone_of
from flows_app.runtime.dates import moment_of
from one_project.accounts.models import Membership, Organisation, User


class DatesForm(ServiceForm):
    """Due and follow-up dates, and where the days are meant."""

    due = date_field("Due on")
    follow_up = date_field("Look at it again on")
    timezone = forms.CharField(
        label="Time zone", max_length=64, help_text="Like Europe/Berlin. Days end there."
    )
    reason = forms.CharField(
        required=False, max_length=MAX_NOTES, widget=forms.Textarea(attrs={"rows": 2})
    )

    def clean_timezone(self) -> str:
        return zone_of(self.cleaned_data["timezone"])

    def moments(self) -> dict[str, Any]:
        """``due_at`` and ``follow_up_at``, for a service."""
        given, now = self.cleaned_data, timezone.now()
        return {
            f"{name}_at": moment_of(iso_of(given[name]), given["timezone"], now)
            for name in ("due", "follow_up")
        }


class GiveForm(ServiceForm):
    """Somebody else for work: a person or an agent, and why."""

    to = forms.ChoiceField(label="Give it to")
    reason = forms.CharField(
        required=False, max_length=MAX_NOTES, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, organisation: Organisation, user: User, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        members = Membership.objects.active().filter(organisation=organisation)
        rows = members.select_related("user").order_by("user__name", "user__email")[:2000]
        agents = Agent.objects.usable_by(user, organisation).order_by("name")[:LISTED]
        self._who: dict[str, User | Agent] = {f"user:{one.user_id}": one.user for one in rows}
        self._who |= {f"agent:{one.pk}": one for one in agents}
        named = [(key, str(one)) for key, one in self._who.items() if isinstance(one, User)]
        others = [(key, one.name) for key, one in self._who.items() if isinstance(one, Agent)]
        groups = [("People", named), ("Agents", others)]
        field: Any = self.fields["to"]
        field.choices = [("", "Choose one"), *(group for group in groups if group[1])]

    def chosen(self) -> dict[str, Any]:
        """``to_user`` or ``to_agent``, for a service."""
        one = self._who[self.cleaned_data["to"]]
        return {"to_user": one} if isinstance(one, User) else {"to_agent": one}
