"""Raw usage, to look at; and what has no price yet, which keeps invoices from being made."""

from collections.abc import Sequence

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse

from billing_app.admin.columns import count, moment
from billing_app.admin.kept import Button, KeptAdmin, months
from billing_app.models import UsageRecord
from billing_app.services.usage import fill_missing_prices
from one_project.accounts.tenant_admin import OrganisationFilter, administered, sees_all
from one_project.common.read_only import recent_values


@admin.register(UsageRecord)
class UsageRecordAdmin(KeptAdmin[UsageRecord]):
    """Rows without an organisation are the installation's: superusers see them."""

    list_display = [
        moment("occurred_at"), "organisation", "purpose", "provider", "model", "pricing",
        count("input_tokens"), count("cached_input_tokens"), count("output_tokens"), "cost_money",
        "agent_name", "is_estimated", "is_aborted",
    ]  # fmt: skip
    list_select_related = ["organisation"]
    list_filter = [
        "pricing", "is_estimated", "is_aborted", recent_values("purpose"),
        recent_values("provider"), recent_values("model"), months("billing_period"),
        OrganisationFilter,
    ]  # fmt: skip
    list_defer = ["price", "meta"]
    list_disable_select_all = True
    search_fields = ["agent_name", "=model", "=model_requested"]
    search_help_text = "An id in full (of a call, person, team, agent, thread, turn or message)"
    id_fields = ["id", "user_id", "team_id", "agent_id", "thread_id", "turn_id", "message_id"]

    def buttons(self, request: HttpRequest | None = None) -> Sequence[Button]:
        return [
            Button("What has no price", "unpriced", self.unpriced, changes=False),
            Button("Fill in missing prices", "fill", self.fill),
        ]

    @admin.display(description="cost (US dollars)", ordering="cost")
    def cost_money(self, row: UsageRecord) -> str:
        return "no price" if row.cost is None else f"{row.cost:,.6f}"

    def unpriced(self, request: HttpRequest) -> HttpResponse:
        """The list, narrowed to it."""
        response = self.back(request)
        response["Location"] += "?pricing__exact=missing"
        return response

    def fill(self, request: HttpRequest) -> HttpResponse:
        """Price what had no price, where there is one now; the next run bills it."""
        if sees_all(request):
            filled = fill_missing_prices()
        else:
            filled = sum(fill_missing_prices(each) for each in administered(request))
        left = UsageRecord.objects.filter(pricing="missing")
        waiting = self.of_tenant(left, request).count()
        said = f"{filled} priced; {waiting} still without a price."
        return self.back(request, said, messages.WARNING if waiting else messages.SUCCESS)
