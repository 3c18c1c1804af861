"""Forms of MCP servers and HTTP interfaces."""

from typing import Any, Final

from django import forms

from integrations_app.forms.fields import SecretInput, ServiceForm
from integrations_app.models import (
    Connection,
    HttpApi,
    Integration,
    McpServer,
    ServerAuth,
    Transport,
)
from integrations_app.providers.openapi import METHODS
from integrations_app.providers.registry import provider_of
from integrations_app.services.http_apis import ApiValues
from integrations_app.services.mcp_reach import programs_of
from integrations_app.services.mcp_servers import ServerValues
from integrations_app.types import ConnectionStatus
from one_project.accounts.models import Membership
from one_project.common.errors import AppError

_NO_SPELLING: Final = {"spellcheck": "false", "autocapitalize": "off"}
_SPEC_CHARS: Final = 1_000_000
SLUG_HELP: Final = "The beginning of its tools' names, such as “shop” of shop__list_orders."
HEADER_HELP: Final = "Empty: Authorization."
KEPT: Final = "Empty keeps the one that is set."


class ServerForm(ServiceForm):
    """An MCP server."""

    name = forms.CharField(max_length=120)
    slug = forms.CharField(
        label="Short name",
        max_length=24,
        help_text=SLUG_HELP,
        widget=forms.TextInput(attrs=_NO_SPELLING),
    )
    transport = forms.ChoiceField(label="Kind", choices=Transport.choices)
    url = forms.CharField(
        label="Address",
        required=False,
        max_length=500,
        widget=forms.URLInput(attrs=_NO_SPELLING),
    )
    command = forms.ChoiceField(label="Program", required=False)
    auth = forms.ChoiceField(label="How it knows us", choices=ServerAuth.choices)
    header_name = forms.CharField(
        label="Header",
        required=False,
        max_length=64,
        help_text=HEADER_HELP,
        widget=forms.TextInput(attrs=_NO_SPELLING),
    )
    header_value = forms.CharField(
        label="Key",
        required=False,
        max_length=4_000,
        help_text="The whole value of the header, for Authorization mostly: Bearer and the key.",
        widget=SecretInput(),
    )
    account = forms.ChoiceField(
        label="Accounts",
        required=False,
        help_text="Each person's own, or one that everybody shares.",
    )

    def __init__(
        self, data: Any = None, *, membership: Membership, server: McpServer | None = None
    ) -> None:
        self.membership = membership
        super().__init__(data, initial=_of_server(server) if server else {})
        self._accounts = _accounts(membership)
        account, command = self.fields["account"], self.fields["command"]
        assert isinstance(account, forms.ChoiceField)
        assert isinstance(command, forms.ChoiceField)
        account.choices = [("", "None"), *((one, label) for one, label, _, _ in self._accounts)]
        programs = sorted(programs_of(membership.organisation))
        command.choices = [("", "None"), *((one, one) for one in programs)]
        if not programs:
            del self.fields["command"], self.fields["transport"]
        if not self._accounts:
            auth = self.fields["auth"]
            assert isinstance(auth, forms.ChoiceField)
            auth.choices = [one for one in ServerAuth.choices if one[0] != ServerAuth.OAUTH]
            del self.fields["account"]
        if server is not None and server.hint:
            self.fields["header_value"].help_text = f"{KEPT} Now: {server.hint}"

    def values(self) -> ServerValues:
        data = self.cleaned_data
        chosen = data.get("account", "")
        found = next((one for one in self._accounts if one[0] == chosen), None)
        return ServerValues(
            name=data["name"],
            slug=data["slug"],
            transport=data.get("transport") or Transport.HTTP,
            url=data["url"],
            command=data.get("command", ""),
            auth=data["auth"],
            header_name=data["header_name"],
            header_value=data["header_value"],
            integration=found[2] if found else None,
            connection=found[3] if found else None,
        )


def _of_server(server: McpServer) -> dict[str, Any]:
    names = ("name", "slug", "transport", "url", "command", "auth")
    account = str(server.connection_id or server.integration_id or "")
    header = server.hint.partition(":")[0]
    return {one: getattr(server, one) for one in names} | {
        "account": account,
        "header_name": header,
    }


def _accounts(
    membership: Membership,
) -> list[tuple[str, str, Integration, Connection | None]]:
    """Integrations of the organisation whose people connect accounts, and the shared accounts."""
    rows = Integration.objects.of_house().active().filter(organisation=membership.organisation)
    found: list[tuple[str, str, Integration, Connection | None]] = []
    for one in rows.order_by("name")[:100]:
        try:
            if not provider_of(one.provider).uses_connections:
                continue
        except AppError:
            continue
        found.append((str(one.pk), f"{one.name}: each person's own", one, None))
        shared = Connection.objects.filter(
            integration=one, user=None, team=None, status=ConnectionStatus.ACTIVE
        ).first()
        if shared is not None:
            found.append((str(shared.pk), f"{one.name}: {shared}", one, shared))
    return found


class ApiForm(ServiceForm):
    """An HTTP interface."""

    name = forms.CharField(max_length=120)
    slug = forms.CharField(
        label="Short name",
        max_length=24,
        help_text=SLUG_HELP,
        widget=forms.TextInput(attrs=_NO_SPELLING),
    )
    base_url = forms.CharField(
        label="Address",
        max_length=400,
        help_text="All requests go below it, whatever a description says.",
        widget=forms.URLInput(attrs=_NO_SPELLING),
    )
    header_name = forms.CharField(
        label="Header",
        required=False,
        max_length=64,
        help_text=HEADER_HELP,
        widget=forms.TextInput(attrs=_NO_SPELLING),
    )
    header_value = forms.CharField(
        label="Key",
        required=False,
        max_length=4_000,
        help_text="The whole value of the header. Empty where it needs none.",
        widget=SecretInput(),
    )
    without_key = forms.BooleanField(label="Forget the key", required=False)
    spec = forms.CharField(
        label="OpenAPI description",
        required=False,
        max_length=_SPEC_CHARS,
        strip=False,
        help_text="JSON or YAML, version 3, up to 1 MB. Operations can be added by hand, too.",
        widget=forms.Textarea(attrs={"rows": 10, **_NO_SPELLING, "class": "is-code"}),
    )

    def __init__(self, data: Any = None, *, api: HttpApi | None = None) -> None:
        names = ("name", "slug", "base_url")
        initial = {one: getattr(api, one) for one in names} if api else {}
        if api is not None:
            initial["header_name"] = api.hint.partition(":")[0]
        super().__init__(data, initial=initial)
        if api is None:
            del self.fields["without_key"]
            return
        del self.fields["spec"]
        if api.hint:
            self.fields["header_value"].help_text = f"{KEPT} Now: {api.hint}"
        else:
            del self.fields["without_key"]

    def values(self) -> ApiValues:
        data = self.cleaned_data
        return ApiValues(
            name=data["name"],
            slug=data["slug"],
            base_url=data["base_url"],
            header_name=data["header_name"],
            header_value=data["header_value"],
            without_key=data.get("without_key", False),
        )


class SpecForm(ServiceForm):
    """A newer description of an interface."""

    spec = forms.CharField(
        label="OpenAPI description",
        max_length=_SPEC_CHARS,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 6, **_NO_SPELLING, "class": "is-code"}),
    )


class OperationForm(ServiceForm):
    """An operation made by hand."""

    name = forms.CharField(
        max_length=60,
        help_text="What the model calls it, such as get_order.",
        widget=forms.TextInput(attrs=_NO_SPELLING),
    )
    method = forms.ChoiceField(choices=[(one, one.upper()) for one in METHODS if one != "head"])
    path = forms.CharField(
        max_length=500,
        help_text="Such as /orders/{id}?status&page: what is in braces and behind ? are arguments.",
        widget=forms.TextInput(attrs=_NO_SPELLING),
    )
    description = forms.CharField(
        max_length=2_000,
        help_text="Tells the model when to use it and what it gives.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
