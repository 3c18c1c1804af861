"""Forms of keys and inbound hooks."""

from typing import Any, Final

from django import forms

from integrations_app.forms.fields import SecretInput, ServiceForm
from integrations_app.models import InboundHook
from integrations_app.services.api_keys import SCOPES
from integrations_app.services.hooks import HookValues, target_of, targets
from one_project.accounts.access import ROLES
from one_project.accounts.models import Membership, Role

_NO_SPELLING: Final = {"spellcheck": "false", "autocapitalize": "off"}


class KeyForm(ServiceForm):
    """What a program may do, and for how long."""

    name = forms.CharField(max_length=120, help_text="Which program it is for.")
    scopes = forms.MultipleChoiceField(
        label="It may", widget=forms.CheckboxSelectMultiple, choices=()
    )
    tools = forms.CharField(
        label="Tools",
        required=False,
        max_length=8_000,
        help_text="Names of the tools it may use over MCP, one in a line. "
        "Empty: those that only read.",
        widget=forms.Textarea(attrs={"rows": 3, **_NO_SPELLING, "class": "is-code"}),
    )
    days = forms.TypedChoiceField(
        label="Lasts",
        choices=((30, "30 days"), (90, "90 days"), (365, "One year"), (0, "Until it is revoked")),
        coerce=int,
        initial=90,
    )

    def __init__(self, data: Any = None, *, membership: Membership) -> None:
        super().__init__(data)
        scopes = self.fields["scopes"]
        assert isinstance(scopes, forms.MultipleChoiceField)
        rank = ROLES.index(Role(membership.role))
        scopes.choices = [
            (name, label) for name, (label, least) in SCOPES.items() if rank >= ROLES.index(least)
        ]

    def values(self) -> dict[str, Any]:
        """As ``create_key`` takes them."""
        data = self.cleaned_data
        return {
            "name": data["name"],
            "scopes": data["scopes"],
            "tools": data["tools"].split(),
            "days": data["days"] or None,
        }


class HookForm(ServiceForm):
    """What an event starts. The choice says both: ``thread:ID``, ``notification:key``."""

    name = forms.CharField(max_length=120, help_text="What its events are about.")
    scheme = forms.ChoiceField(
        label="How events are signed",
        choices=(
            ("standard", "Standard Webhooks"),
            ("github", "GitHub"),
            ("slack", "Slack"),
        ),
    )
    chosen = forms.ChoiceField(
        label="An event starts", error_messages={"required": "Please choose what it starts."}
    )
    to = forms.CharField(
        label="Who is told",
        required=False,
        max_length=300,
        help_text="For notifications: an e-mail address of a member, or topic: and its key.",
    )
    secret = forms.CharField(
        label="Signing secret",
        required=False,
        max_length=200,
        help_text="For Slack: the one that its app shows. Else empty: one is made and shown once.",
        widget=SecretInput(),
    )

    def __init__(
        self, data: Any = None, *, membership: Membership, hook: InboundHook | None = None
    ) -> None:
        initial = {}
        if hook is not None:
            target = target_of(hook.target)
            key = hook.config.get(target.config, "") if target else ""
            initial = {
                "name": hook.name,
                "scheme": hook.scheme,
                "chosen": f"{hook.target}:{key}",
                "to": hook.config.get("to", ""),
            }
        super().__init__(data, initial=initial)
        chosen = self.fields["chosen"]
        assert isinstance(chosen, forms.ChoiceField)
        chosen.choices = [("", "Choose…"), *_startable(membership)]
        if hook is not None:
            # Another way of signing is another hook; the secret has a place of its own.
            del self.fields["scheme"], self.fields["secret"]
        self._scheme = hook.scheme if hook is not None else ""

    def values(self) -> HookValues:
        data = self.cleaned_data
        target, _, key = data["chosen"].partition(":")
        return HookValues(
            name=data["name"],
            scheme=data.get("scheme", self._scheme),
            target=target,
            chosen=key,
            secret=data.get("secret", ""),
            to=data["to"],
        )


def _startable(membership: Membership) -> list[Any]:
    """What a person of this role may have started, by kind."""
    rank = ROLES.index(Role(membership.role))
    groups = []
    for name, title in targets():
        target = target_of(name)
        if target is None or rank < ROLES.index(target.least):
            continue
        found = target.choices(membership.user, membership.organisation)
        if found:
            lines = [(f"{name}:{value}", f"{title}: {said}") for value, said in found]
            groups.append((title, lines))
    return groups
