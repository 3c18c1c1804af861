"""What agents did: uses of tools and calls of models. To look at."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import F, QuerySet, Sum
from django.http import HttpRequest, HttpResponse

from agents_app.models import AICall, ToolCall
from agents_app.services.raw_calls import retire_raw_calls
from one_project.accounts.tenant_admin import OrganisationFilter, TenantAdmin
from one_project.common.read_only import ReadOnlyAdmin, recent_values

# So many of the newest calls are summed up: a list must not read the whole ledger.
SUMMED = 10_000


@admin.register(ToolCall)
class ToolCallAdmin(ReadOnlyAdmin[ToolCall], TenantAdmin[ToolCall]):
    list_display = [
        "created_at", "name", "status", "effect", "agent", "requested_by", "took", "error_code",
    ]  # fmt: skip
    list_select_related = ["agent", "requested_by"]
    list_filter = ["status", "effect", recent_values("name"), "created_at", OrganisationFilter]
    list_defer = ["arguments", "custom", "output", "told"]
    search_fields = ["name", "agent__name"]
    search_help_text = "An id in full (of a call, thread, turn or message), or a part of a name"
    id_fields = ["id", "thread_id", "turn_id", "message_id", "child_thread_id"]

    @admin.display(description="took")
    def took(self, call: ToolCall) -> str:
        return milliseconds(call.duration_ms)


@admin.register(AICall)
class AICallAdmin(ReadOnlyAdmin[AICall], TenantAdmin[AICall]):
    list_display = [
        "created_at", "purpose", "status", "agent_name", "model", "provider",
        "input_tokens", "output_tokens", "cost", "took", "first_token",
    ]  # fmt: skip
    list_filter = [
        "status", "purpose", recent_values("model"), recent_values("provider"), "created_at",
        OrganisationFilter,
    ]  # fmt: skip
    list_defer = ["request", "response", "error"]
    list_before_template = "admin/agents_app/ai_call_totals.html"
    list_disable_select_all = True
    search_fields = ["agent_name", "model", "=error_code"]
    search_help_text = "An id in full (of a call, thread, turn or message), or a part of a name"
    id_fields = ["id", "thread_id", "turn_id", "message_id"]
    actions = ["retire_raw"]

    def has_retire_permission(self, request: HttpRequest) -> bool:
        return self.may(request)

    @admin.action(description="Forget raw request and response", permissions=["retire"])
    def retire_raw(self, request: HttpRequest, calls: QuerySet[AICall]) -> None:
        count = retire_raw_calls(calls.values_list("pk", flat=True)[:SUMMED])
        what = "1 call" if count == 1 else f"{count} calls"
        self.message_user(request, f"The raw values of {what} are gone.", messages.SUCCESS)

    @admin.display(description="cost", ordering="cost_micros")
    def cost(self, call: AICall) -> str:
        return money(call.cost_micros)

    @admin.display(description="took", ordering="duration_ms")
    def took(self, call: AICall) -> str:
        return milliseconds(call.duration_ms)

    @admin.display(description="first token", ordering="first_token_ms")
    def first_token(self, call: AICall) -> str:
        return milliseconds(call.first_token_ms)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        context: dict[str, Any] = getattr(response, "context_data", None) or {}
        if "cl" in context:
            context["totals"] = totals(context["cl"].queryset)
        return response


def totals(calls: QuerySet[AICall]) -> dict[str, Any]:
    """Tokens and cost of the newest of ``calls``, as texts for the line above the list."""
    newest = AICall.objects.filter(pk__in=calls.order_by("-pk").values("pk")[:SUMMED])
    sums = newest.aggregate(
        input=Sum("input_tokens", default=0),
        output=Sum("output_tokens", default=0),
        cached=Sum("cached_input_tokens", default=0),
        reasoning=Sum("reasoning_tokens", default=0),
        total=Sum(F("input_tokens") + F("output_tokens"), default=0),
        cost=Sum("cost_micros"),
    )
    return {
        **{name: f"{value:,}" for name, value in sums.items() if name != "cost"},
        "cost": money(sums["cost"]),
        "summed": f"{SUMMED:,}",
    }


def money(micros: int | None) -> str:
    """Millionths of the currency as an amount; a dash where no price is known."""
    return "–" if micros is None else f"{micros / 1_000_000:,.4f}"


def milliseconds(value: int | None) -> str:
    if value is None:
        return "–"
    return f"{value:,} ms" if value < 10_000 else f"{value / 1000:,.1f} s"
