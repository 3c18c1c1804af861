"""Assignments, and who has what to do because of them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from flows_app.admin.actions import LookedAtAdmin
from flows_app.admin.filters import WorkFilter, days_of
from flows_app.models import BulkAssignment, Lesson, LessonTarget
from flows_app.runtime.actors import Actor
from flows_app.services.ending import withdraw_lesson
from flows_app.services.reading import shares_of
from flows_app.services.resending import resend_notice
from one_project.accounts.tenant_admin import OrganisationFilter
from one_project.common.read_only import recent_values


@admin.register(Lesson)
class LessonAdmin(LookedAtAdmin[Lesson]):
    list_display = [
        "what", "step_name", "who", "resolution", "assigned_by", "assigned_at", "due_at",
        "follow_up_at", "withdrawn_at",
    ]  # fmt: skip
    list_select_related = ["flow", "course", "user", "agent", "team", "assigned_by"]
    list_filter = [
        days_of("due_at", "due"),
        days_of("follow_up_at", "follow-up"),
        recent_values("assigned_by__email", "assigned by"),
        recent_values("flow__name", "flow"),
        recent_values("course__name", "course"),
        "role", "resolution",
        ("withdrawn_at", admin.EmptyFieldListFilter),
        OrganisationFilter,
    ]  # fmt: skip
    list_defer = ["note"]
    search_fields = [
        "flow__name", "course__name", "step_name", "user__email", "user__name", "agent__name",
        "team__name",
    ]  # fmt: skip
    id_fields = ["id", "flow", "course", "user", "agent", "team"]
    exclude = ["request_id"]
    actions = ["tell_again", "withdraw"]

    def view_on_site(self, lesson: Lesson) -> str:
        return reverse("flows:assignment", args=[lesson.pk])

    @admin.display(description="what")
    def what(self, lesson: Lesson) -> str:
        return str(lesson.flow or lesson.course)

    @admin.display(description="who")
    def who(self, lesson: Lesson) -> str:
        return str(lesson.user or lesson.agent or lesson.team or lesson.get_role_display())

    @admin.action(description="Tell everybody again who is not done", permissions=["act"])
    def tell_again(self, request: HttpRequest, lessons: QuerySet[Lesson]) -> None:
        chosen = lessons.filter(withdrawn_at=None)
        self.act(
            request,
            chosen,
            lambda lesson, by: resend_notice(lesson, by=Actor(user=by)),
            "told again",
        )

    @admin.action(
        description="Withdraw: ends for everybody; what was done stays written", permissions=["act"]
    )
    def withdraw(self, request: HttpRequest, lessons: QuerySet[Lesson]) -> None:
        chosen = lessons.filter(withdrawn_at=None)
        self.act(
            request,
            chosen,
            lambda lesson, by: withdraw_lesson(lesson, by=Actor(user=by)),
            "withdrawn",
        )


@admin.register(LessonTarget)
class LessonTargetAdmin(LookedAtAdmin[LessonTarget]):
    list_display = [
        "flow", "who", "progress", "revision_number", "attempt", "assigned_at", "due_at",
        "follow_up_at", "ended",
    ]  # fmt: skip
    list_select_related = ["flow", "user", "agent", "revision"]
    list_filter = [
        WorkFilter,
        days_of("due_at", "due"),
        days_of("follow_up_at", "follow-up"),
        recent_values("flow__name", "flow"),
        recent_values("lesson__assigned_by__email", "assigned by"),
        OrganisationFilter,
    ]
    search_fields = ["flow__name", "user__email", "user__name", "agent__name"]
    search_help_text = "An id in full (of the row, a lesson, flow or person), or a part of a name"
    id_fields = ["id", "lesson", "flow", "revision", "user", "agent"]

    def view_on_site(self, target: LessonTarget) -> str:
        return reverse("lessons:player", args=[target.pk])

    @admin.display(description="who")
    def who(self, target: LessonTarget) -> str:
        return target.assignee_name

    @admin.display(description="progress")
    def progress(self, target: LessonTarget) -> str:
        share = getattr(target, "share", None)
        return f"{share.percent} % ({share.done} of {share.total})" if share else "–"

    @admin.display(description="revision")
    def revision_number(self, target: LessonTarget) -> int:
        return target.revision.number

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Percentages are computed for the page that is shown, in two queries."""
        response = super().changelist_view(request, extra_context)
        context: dict[str, Any] = getattr(response, "context_data", None) or {}
        if "cl" in context:
            rows = list(context["cl"].result_list)
            shares = shares_of(rows)
            for row in rows:
                row.share = shares[row.pk]
            context["cl"].result_list = rows
        return response


@admin.register(BulkAssignment)
class BulkAssignmentAdmin(LookedAtAdmin[BulkAssignment]):
    list_display = [
        "created_at", "requested_by", "status", "total", "done", "created", "skipped", "failed",
        "finished_at",
    ]  # fmt: skip
    list_select_related = ["requested_by"]
    list_filter = ["status", "created_at", OrganisationFilter]
    list_defer = ["rows", "results"]
    search_fields = ["requested_by__email"]
    id_fields = ["id", "requested_by"]
    # Thousands of rows: they are on the page of what came of them, and in its CSV.
    exclude = ["rows", "results", "request_id"]

    def view_on_site(self, bulk: BulkAssignment) -> str:
        return reverse("flows:bulk", args=[bulk.pk])
