"""Flows, their revisions and steps, and courses. They are written in the editor of flows."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from flows_app.admin.actions import LookedAtAdmin
from flows_app.admin.filters import ArchivedFilter
from flows_app.models import Course, CourseFlow, Flow, FlowRevision, FlowStep
from flows_app.services.courses import archive_course
from flows_app.services.flows import archive_flow
from one_project.accounts.tenant_admin import OrganisationFilter, TenantInline
from one_project.common.read_only import recent_values


@admin.register(Flow)
class FlowAdmin(LookedAtAdmin[Flow]):
    list_display = ["name", "organisation", "published", "draft", "created_by", "archived_at"]
    list_select_related = ["organisation", "published__flow", "draft__flow", "created_by"]
    list_filter = [
        ArchivedFilter,
        ("published", admin.EmptyFieldListFilter),
        ("draft", admin.EmptyFieldListFilter),
        "created_at",
        OrganisationFilter,
    ]
    list_defer = ["description"]
    search_fields = ["name"]
    id_fields = ["id", "published", "draft"]
    actions = ["archive", "bring_back"]

    def view_on_site(self, flow: Flow) -> str:
        return reverse("flows:flow", args=[flow.pk])

    @admin.action(
        description="Archive: nothing new is assigned, what runs goes on", permissions=["act"]
    )
    def archive(self, request: HttpRequest, flows: QuerySet[Flow]) -> None:
        chosen = flows.filter(archived_at=None)
        self.act(request, chosen, lambda flow, by: archive_flow(flow, by=by), "archived")

    @admin.action(description="Bring back from the archive", permissions=["act"])
    def bring_back(self, request: HttpRequest, flows: QuerySet[Flow]) -> None:
        chosen = flows.exclude(archived_at=None)
        self.act(
            request,
            chosen,
            lambda flow, by: archive_flow(flow, by=by, archived=False),
            "brought back",
        )


@admin.register(FlowRevision)
class FlowRevisionAdmin(LookedAtAdmin[FlowRevision]):
    list_display = ["flow", "number", "published_at", "published_by", "version", "updated_at"]
    list_select_related = ["flow", "published_by"]
    list_filter = [
        ("published_at", admin.EmptyFieldListFilter),
        recent_values("flow__name", "flow"),
        OrganisationFilter,
    ]
    list_defer = ["completion_message"]
    search_fields = ["flow__name"]
    id_fields = ["id", "flow"]


@admin.register(FlowStep)
class FlowStepAdmin(LookedAtAdmin[FlowStep]):
    list_display = [
        "name", "revision", "position", "kind", "is_required", "due_days", "agent", "needs_review",
    ]  # fmt: skip
    list_select_related = ["revision__flow", "agent"]
    list_filter = [
        "kind", "is_required", "needs_review", "four_eyes",
        recent_values("revision__flow__name", "flow"),
        OrganisationFilter,
    ]  # fmt: skip
    list_defer = ["content", "settings"]
    search_fields = ["name", "revision__flow__name"]
    id_fields = ["id", "key", "revision", "revision__flow"]


class CourseFlowInline(TenantInline[CourseFlow, Course]):
    model = CourseFlow
    verbose_name_plural = "flows"
    fields: ClassVar[Any] = ["position", "flow"]
    readonly_fields: ClassVar[Any] = fields
    ordering = ["position"]
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("flow")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Course)
class CourseAdmin(LookedAtAdmin[Course]):
    list_display = ["name", "organisation", "in_order", "created_by", "archived_at", "updated_at"]
    list_select_related = ["organisation", "created_by"]
    list_filter = [ArchivedFilter, "in_order", "created_at", OrganisationFilter]
    list_defer = ["description"]
    search_fields = ["name", "course_flows__flow__name"]
    inlines = [CourseFlowInline]
    actions = ["archive", "bring_back"]

    def view_on_site(self, course: Course) -> str:
        return reverse("flows:course", args=[course.pk])

    @admin.action(
        description="Archive: nothing new is assigned, what runs goes on", permissions=["act"]
    )
    def archive(self, request: HttpRequest, courses: QuerySet[Course]) -> None:
        chosen = courses.filter(archived_at=None)
        self.act(request, chosen, lambda course, by: archive_course(course, by=by), "archived")

    @admin.action(description="Bring back from the archive", permissions=["act"])
    def bring_back(self, request: HttpRequest, courses: QuerySet[Course]) -> None:
        chosen = courses.exclude(archived_at=None)
        self.act(
            request,
            chosen,
            lambda course, by: archive_course(course, by=by, archived=False),
            "brought back",
        )
