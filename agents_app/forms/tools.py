"""The form of a tool of one's own."""

from typing import Any

from django import forms

from agents_app.forms.choices import title_of
from agents_app.forms.fields import JsonObjectField
from agents_app.forms.sharing import SharingForm
from agents_app.models import Approval, Tool, ToolKind
from agents_app.services.tools import DESCRIPTION_LIMIT, ToolValues
from agents_app.tools.definitions import builtin_tools
from one_project.accounts.models import Membership


class ToolForm(SharingForm):
    """A built-in tool with some of it fixed, under a name of its own."""

    name = forms.CharField(
        max_length=64,
        help_text="What the model calls it: letters, digits, _ and -.",
        error_messages={"required": "Please give the tool a name."},
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "off"}),
    )
    action = forms.ChoiceField(
        label="What it does", error_messages={"required": "Please choose what the tool does."}
    )
    description = forms.CharField(
        max_length=DESCRIPTION_LIMIT,
        required=False,
        help_text="Tells the model when to use it. Empty: the built-in description.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    config = JsonObjectField(
        label="Fixed settings",
        help_text="A JSON object with what the model must not choose, such as an address. "
        "No passwords: agents' answers may repeat what tools know.",
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "is-code"}),
    )
    approval = forms.ChoiceField(
        label="Ask a person first", choices=Approval.choices, required=False
    )
    is_active = forms.BooleanField(label="Switched on", required=False, initial=True)

    def __init__(
        self, data: Any = None, *, membership: Membership, tool: Tool | None = None
    ) -> None:
        self.tool = tool
        names = ("name", "action", "description", "config", "approval", "is_active")
        initial = {name: getattr(tool, name) for name in names} if tool else {}
        super().__init__(
            data,
            organisation=membership.organisation,
            person=membership.user,
            thing=tool,
            initial=initial,
        )
        action, approval = self.fields["action"], self.fields["approval"]
        assert isinstance(action, forms.ChoiceField)
        assert isinstance(approval, forms.ChoiceField)
        found = sorted(builtin_tools().values(), key=lambda one: title_of(one).lower())
        action.choices = [("", "Choose…"), *((one.name, title_of(one)) for one in found)]
        if tool is not None and (tool.kind != ToolKind.BUILTIN or not tool.action):
            # What it does is not for this form to say: an integration's, or the policy of a tool.
            del self.fields["action"]
        if tool is not None and tool.created_by_id is None:
            self.fields["name"].disabled = True
        if not membership.is_admin:
            approval.choices = [one for one in Approval.choices if one[0] != Approval.DENY]
            if tool is not None and tool.approval == Approval.DENY:
                approval.disabled = True
                approval.choices = [(Approval.DENY.value, "Forbidden by the organisation")]

    def values(self) -> ToolValues:
        """What was typed."""
        data = self.cleaned_data
        return ToolValues(
            name=data["name"],
            action=data.get("action", self.tool.action if self.tool else ""),
            description=data["description"],
            config=data["config"],
            approval=data["approval"] or Approval.DEFAULT,
            is_active=data["is_active"],
        )
