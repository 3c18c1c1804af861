"""The form of a tool that acts through an integration."""

from typing import Any, Final
from uuid import UUID

from django import forms

from agents_app.forms.fields import LinesField
from agents_app.forms.sharing import SharingForm
from agents_app.models import Approval
from agents_app.services.outgoing import ASK, MEMBERS, PLACES, REQUESTER
from agents_app.services.tools import DESCRIPTION_LIMIT, ToolValues
from agents_app.tools.definitions import builtin_tools
from agents_app.tools.integration_kind import actions_of
from integrations_app.models import Endpoint, Integration
from integrations_app.providers.registry import provider_of
from one_project.accounts.models import Membership
from one_project.common.errors import AppError
from one_project.common.ids import parse_id

MOST: Final = 200
LIST, PLACE = "list", "place"
REACH: Final = [
    (REQUESTER, "Only the person who asks the agent"),
    (MEMBERS, "Members of the organisation"),
    (LIST, "Only the addresses below"),
    (PLACES, "The channels that are set up at the integration (Slack)"),
    (PLACE, "Only the channel chosen below (Slack)"),
    (ASK, "Any address: a person is asked every time"),
]


class IntegrationToolForm(SharingForm):
    """What is done through which integration, and whom it may reach: the model chooses neither."""

    does = forms.ChoiceField(
        label="What it does", error_messages={"required": "Please choose what the tool does."}
    )
    name = forms.CharField(
        max_length=64,
        help_text="What the model calls it: letters, digits, _ and -.",
        error_messages={"required": "Please give the tool a name."},
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "off"}),
    )
    description = forms.CharField(
        max_length=DESCRIPTION_LIMIT,
        required=False,
        help_text="Tells the model when to use it. Empty: the built-in description.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    reach = forms.ChoiceField(
        label="Whom it may reach",
        choices=REACH,
        initial=REQUESTER,
        required=False,
        help_text="For tools that send.",
    )
    addresses = LinesField(
        label="Addresses",
        separator="\n",
        most=50,
        longest=320,
        help_text="One per line.",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
    place = forms.ChoiceField(label="Channel", required=False)
    parent = forms.CharField(
        label="Parent page",
        max_length=60,
        required=False,
        help_text="For new Notion pages: the id of the page they go under. Empty: the model names"
        " one, and a person is asked every time.",
    )
    approval = forms.ChoiceField(
        label="Ask a person first", choices=Approval.choices, required=False
    )

    def __init__(self, data: Any = None, *, membership: Membership, chosen: str = "") -> None:
        super().__init__(data, organisation=membership.organisation, person=membership.user)
        usable = Integration.objects.usable_by(membership.user, membership.organisation)
        self.rows = {str(row.pk): row for row in usable.order_by("name", "pk")[:MOST]}
        does, place = self.fields["does"], self.fields["place"]
        approval = self.fields["approval"]
        assert isinstance(does, forms.ChoiceField)
        assert isinstance(place, forms.ChoiceField)
        assert isinstance(approval, forms.ChoiceField)
        nearest = sorted(self.rows.values(), key=lambda one: str(one.pk) != chosen)
        groups: list[Any] = [
            (f"{row.name} ({provider_of(row.provider).title})", found)
            for row in nearest
            if (found := _choices(row))
        ]
        self._offered = len(groups)
        does.choices = [("", "Choose…"), *groups]
        if chosen in self.rows and (found := _choices(self.rows[chosen])):
            does.initial = found[0][0]
        places = Endpoint.objects.filter(
            organisation=membership.organisation, user=None, integration__in=list(self.rows)
        ).select_related("integration")
        place.choices = [
            ("", "Choose…"),
            *((str(one.pk), f"{one} ({one.integration})") for one in places[:MOST]),
        ]
        if not membership.is_admin:
            approval.choices = [one for one in Approval.choices if one[0] != Approval.DENY]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to choose from."""
        return not self._offered

    @property
    def integration_id(self) -> UUID | None:
        """The chosen one's."""
        return parse_id(self.cleaned_data["does"].split(":")[0])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("reach") == LIST and not cleaned.get("addresses") and self._sends():
            self.add_error("addresses", "Please write at least one address.")
        if cleaned.get("reach") == PLACE and not cleaned.get("place") and self._sends():
            self.add_error("place", "Please choose a channel.")
        return cleaned

    def values(self) -> ToolValues:
        """What was typed."""
        data = self.cleaned_data
        return ToolValues(
            name=data["name"],
            action=data["does"].split(":")[1],
            description=data["description"],
            config=self._config(),
            approval=data["approval"] or Approval.DEFAULT,
        )

    def _config(self) -> dict[str, Any]:
        data = self.cleaned_data
        if not self._sends():
            return {"parent": data["parent"]} if data.get("parent") else {}
        reach = data["reach"] or REQUESTER
        if reach == LIST:
            return {"to": data["addresses"]}
        if reach == PLACE:
            return {"to": PLACES, "endpoint_id": data["place"]}
        return {"to": reach}

    def _sends(self) -> bool:
        action = self.cleaned_data.get("does", "").partition(":")[2]
        return action in ("send_email", "send_sms", "post_to_slack")


def _choices(row: Integration) -> list[tuple[str, str]]:
    try:
        provider_of(row.provider)
    except AppError:
        return []
    known = builtin_tools()
    actions = actions_of(row.provider, row.channel_type)
    return [(f"{row.pk}:{one}", known[one].title) for one in actions if one in known]
