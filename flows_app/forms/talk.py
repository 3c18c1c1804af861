"""How a person wants to be told, as a form."""

from typing import Any
from zoneinfo import available_timezones

from django import forms

from agents_app.forms.fields import ServiceForm
from flows_app.models import Mailing, ReminderWish
from one_project.accounts.models import User

_HOURS = [(hour, f"{hour:02}:00") for hour in range(24)]


class WishesForm(ServiceForm):
    """All of a ReminderWish, and the time zone its hours are of."""

    reminders = forms.BooleanField(
        label="Remind me of what is due",
        help_text="A week before, the day before, on the day, and three days after.",
        required=False,
    )
    mailing = forms.ChoiceField(
        label="By e-mail",
        choices=[
            (Mailing.AT_ONCE, "At once"),
            (Mailing.DIGEST, "Once a day, all together"),
            (Mailing.NEVER, "Never: I look here"),
        ],
        widget=forms.RadioSelect,
    )
    digest_hour = forms.TypedChoiceField(label="Once a day at", choices=_HOURS, coerce=int)
    quiet_from = forms.TypedChoiceField(
        label="Nothing from",
        choices=_HOURS,
        coerce=int,
    )
    quiet_to = forms.TypedChoiceField(
        label="until",
        choices=_HOURS,
        coerce=int,
        help_text="What comes up in these hours waits. The same hour twice: no quiet hours.",
    )
    timezone = forms.CharField(
        label="Your time zone",
        max_length=64,
        help_text="All hours are of this clock.",
        widget=forms.TextInput(
            attrs={"list": "timezones", "autocomplete": "off", "spellcheck": "false"}
        ),
    )

    def __init__(self, data: Any = None, *, wish: ReminderWish, person: User) -> None:
        stored = {name: getattr(wish, name) for name in self.base_fields if name != "timezone"}
        super().__init__(data, initial={**stored, "timezone": person.timezone})

    def clean_timezone(self) -> str:
        name: str = self.cleaned_data["timezone"]
        if name not in available_timezones():
            raise forms.ValidationError("Please choose a time zone of the list.")
        return name
