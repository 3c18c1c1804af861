"""How far everybody is: the log, the states it adds up to, and what is or was reviewed."""

from django.contrib import admin
from django.urls import reverse

from flows_app.admin.actions import LookedAtAdmin
from flows_app.models import FlowProgress, StepState, Submission
from one_project.accounts.tenant_admin import OrganisationFilter
from one_project.common.read_only import recent_values


@admin.register(FlowProgress)
class FlowProgressAdmin(LookedAtAdmin[FlowProgress]):
    list_display = [
        "created_at", "flow", "step_name", "whose", "kind", "from_status", "status", "said_by",
        "seq",
    ]  # fmt: skip
    list_select_related = ["flow", "user", "agent", "actor", "actor_agent"]
    list_filter = [
        "kind", "status", "actor_type", "created_at", recent_values("flow__name", "flow"),
        OrganisationFilter,
    ]  # fmt: skip
    list_defer = ["reason", "notes"]
    search_fields = ["step_name", "flow__name", "user__email", "agent__name", "actor__email"]
    search_help_text = "An id in full (of an entry, target, flow, step or person), or a name"
    id_fields = ["id", "target", "flow", "step_key", "user", "agent", "actor"]
    exclude = ["request_id"]

    @admin.display(description="whose")
    def whose(self, entry: FlowProgress) -> str:
        return str(entry.user or entry.agent or "nobody yet")

    @admin.display(description="said by")
    def said_by(self, entry: FlowProgress) -> str:
        return str(entry.actor_agent or entry.actor or "ONE")


@admin.register(StepState)
class StepStateAdmin(LookedAtAdmin[StepState]):
    list_display = [
        "changed_at", "flow", "step_key", "whose", "status", "due_at", "changed_by_name", "version",
    ]  # fmt: skip
    list_select_related = [
        "target__flow", "target__user", "target__agent", "changed_by", "changed_by_agent",
    ]  # fmt: skip
    list_filter = [
        "status", "changed_at", recent_values("target__flow__name", "flow"), OrganisationFilter,
    ]  # fmt: skip
    list_defer = ["reason", "notes", "work", "proposed"]
    search_fields = ["target__flow__name", "target__user__email", "target__agent__name"]
    id_fields = ["id", "target", "step_key", "target__user", "target__flow"]

    @admin.display(description="flow")
    def flow(self, state: StepState) -> str:
        return state.target.flow.name

    @admin.display(description="whose")
    def whose(self, state: StepState) -> str:
        return state.target.assignee_name


@admin.register(Submission)
class SubmissionAdmin(LookedAtAdmin[Submission]):
    list_display = [
        "created_at", "flow", "by_name", "number", "status", "submitted_at", "reviewed_by",
        "reviewed_at", "tokens", "cost_shown",
    ]  # fmt: skip
    list_select_related = ["target__flow", "user", "agent", "reviewed_by"]
    list_filter = [
        "status", "submitted_at", recent_values("target__flow__name", "flow"),
        OrganisationFilter,
    ]  # fmt: skip
    list_defer = ["task", "draft", "final", "feedback", "error", "work"]
    search_fields = ["target__flow__name", "user__email", "agent__name", "reviewed_by__email"]
    search_help_text = "An id in full (also of the target, step, run or thread), or a name"
    id_fields = ["id", "target", "step_key", "run", "thread_id"]

    def view_on_site(self, submission: Submission) -> str:
        return reverse("flows:review", args=[submission.pk])

    @admin.display(description="flow")
    def flow(self, submission: Submission) -> str:
        return submission.target.flow.name

    @admin.display(description="cost", ordering="cost")
    def cost_shown(self, submission: Submission) -> str:
        return "–" if submission.cost is None else f"{submission.cost / 1_000_000:,.4f}"
