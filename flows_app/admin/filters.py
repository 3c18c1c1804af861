"""What the lists of flows and lessons are narrowed by."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from flows_app.models import FlowStep, StepState
from flows_app.runtime.transitions import DONE

SPANS = {
    "past": "In the past",
    "today": "Next 24 hours",
    "week": "Next 7 days",
    "month": "Next 30 days",
    "later": "Later",
    "none": "Not set",
}


def days_of(field: str, title: str) -> type[admin.SimpleListFilter]:
    """By when a date is: past, within a day, a week, a month, later, or not set."""

    class DaysFilter(admin.SimpleListFilter):
        parameter_name = f"{field}_in"

        def lookups(
            self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
        ) -> list[tuple[str, str]]:
            return list(SPANS.items())

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            now = timezone.now()
            ends = {"today": 1, "week": 7, "month": 30}
            value = self.value()
            if value in ends:
                span = (now, now + timedelta(days=ends[value]))
                return queryset.filter(**{f"{field}__range": span})
            if value == "past":
                return queryset.filter(**{f"{field}__lt": now})
            if value == "later":
                return queryset.filter(**{f"{field}__gt": now + timedelta(days=ends["month"])})
            return queryset.filter(**{field: None}) if value == "none" else queryset

    DaysFilter.title = title
    return DaysFilter


class WorkFilter(admin.SimpleListFilter):
    """Rows of people and agents by how they stand; overdue is computed, never stored."""

    title = "work"
    parameter_name = "work"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        return [
            ("open", "Open"), ("overdue", "Overdue"), ("done", "Complete"),
            ("queue", "Taken by nobody"), ("ended", "Ended"),
        ]  # fmt: skip

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value == "ended":
            return queryset.exclude(ended_at=None)
        if value is None:
            return queryset
        active = queryset.filter(ended_at=None)
        if value == "queue":
            return active.filter(user=None, agent=None)
        if value == "done":
            return active.exclude(is_open())
        active = active.filter(is_open())
        return active.filter(due_at__lt=timezone.now()) if value == "overdue" else active


def is_open() -> Q:
    """Rows of LessonTarget in which a required step is neither Completed nor Skipped."""
    done = StepState.objects.filter(
        target=OuterRef(OuterRef("pk")), step_key=OuterRef("key"), status__in=DONE
    )
    left = FlowStep.objects.filter(~Exists(done), revision=OuterRef("revision"), is_required=True)
    single = left.filter(key=OuterRef("step_key"))
    return Q(Exists(left), step_key=None) | Q(Exists(single), step_key__isnull=False)


class ArchivedFilter(admin.SimpleListFilter):
    title = "archived"
    parameter_name = "archived"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        return [("no", "In use"), ("yes", "Archived")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "no":
            return queryset.filter(archived_at=None)
        return queryset.exclude(archived_at=None) if self.value() == "yes" else queryset
