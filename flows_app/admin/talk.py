"""Comments, and what people are told: notices, reminders, wishes."""

from django.contrib import admin

from flows_app.admin.actions import LookedAtAdmin
from flows_app.models import Comment, Notice, Reminder, ReminderWish
from one_project.accounts.tenant_admin import OrganisationFilter
from one_project.common.read_only import recent_values


@admin.register(Comment)
class CommentAdmin(LookedAtAdmin[Comment]):
    list_display = ["created_at", "flow", "author", "agent", "__str__", "edited_at", "deleted_at"]
    list_select_related = ["target__flow", "author", "agent"]
    list_filter = [
        ("deleted_at", admin.EmptyFieldListFilter),
        "created_at",
        recent_values("target__flow__name", "flow"),
        OrganisationFilter,
    ]
    list_defer = ["edits"]
    search_fields = ["author__email", "agent__name", "target__flow__name"]
    id_fields = ["id", "target", "step_key", "author"]
    exclude = ["request_id"]

    @admin.display(description="flow")
    def flow(self, comment: Comment) -> str:
        return comment.target.flow.name


@admin.register(Notice)
class NoticeAdmin(LookedAtAdmin[Notice]):
    list_display = ["created_at", "user", "kind", "text", "read_at", "mail_at", "mailed_at"]
    list_select_related = ["user"]
    list_filter = [
        "kind",
        ("read_at", admin.EmptyFieldListFilter),
        ("mailed_at", admin.EmptyFieldListFilter),
        "created_at",
        OrganisationFilter,
    ]
    search_fields = ["user__email", "text"]
    id_fields = ["id", "user", "target"]


@admin.register(Reminder)
class ReminderAdmin(LookedAtAdmin[Reminder]):
    list_display = ["created_at", "user", "kind", "due_at", "flow", "notice"]
    list_select_related = ["user", "target__flow", "notice"]
    list_filter = ["kind", "due_at", OrganisationFilter]
    search_fields = ["user__email", "target__flow__name"]
    id_fields = ["id", "user", "target", "notice", "step_key"]

    @admin.display(description="flow")
    def flow(self, reminder: Reminder) -> str:
        return reminder.target.flow.name


@admin.register(ReminderWish)
class ReminderWishAdmin(LookedAtAdmin[ReminderWish]):
    """People say it themselves, on their page of wishes."""

    list_display = [
        "user", "organisation", "reminders", "mailing", "digest_hour", "quiet_from", "quiet_to",
    ]  # fmt: skip
    list_select_related = ["user", "organisation"]
    list_filter = ["reminders", "mailing", OrganisationFilter]
    search_fields = ["user__email"]
    id_fields = ["id", "user"]
