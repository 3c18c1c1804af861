"""The admin's sidebar and start page: what is there, in groups, for the person who looks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse


@dataclass(frozen=True, slots=True)
class Entry:
    """``model`` as ``app_label.Model``; an entry of a model that is not there is left out."""

    model: str
    icon: str
    title: str = ""


GROUPS: dict[str, list[Entry]] = {
    "Agents": [
        Entry("agents_app.Agent", "smart_toy"),
        Entry("agents_app.Prompt", "description"),
        Entry("agents_app.Tool", "build"),
        Entry("accounts.Grant", "key"),
        Entry("agents_app.ToolAllowance", "check_circle", "Always allowed"),
        Entry("agents_app.ToolCall", "bolt"),
        Entry("agents_app.AICall", "neurology", "AI calls"),
        Entry("agents_app.EmbeddingSpace", "hub", "Embedding spaces"),
    ],
    "Conversations": [
        Entry("chat_app.Thread", "forum"),
        Entry("chat_app.Message", "chat"),
        Entry("chat_app.Turn", "autorenew"),
        Entry("chat_app.Canvas", "article"),
        Entry("chat_app.CanvasVersion", "history_edu", "Versions of canvases"),
        Entry("chat_app.ThreadEdit", "edit_note", "Edits of canvases"),
        Entry("chat_app.Escalation", "support_agent"),
        Entry("chat_app.Task", "task_alt"),
    ],
    "Knowledge": [
        Entry("agents_app.Collection", "library_books"),
        Entry("agents_app.Document", "article"),
        Entry("agents_app.DocumentVersion", "history_edu", "Versions of documents"),
    ],
    "Flows and lessons": [
        Entry("flows_app.Flow", "route"),
        Entry("flows_app.FlowRevision", "history_edu", "Revisions of flows"),
        Entry("flows_app.FlowStep", "checklist", "Steps of flows"),
        Entry("flows_app.Course", "school"),
        Entry("flows_app.Lesson", "assignment", "Assignments"),
        Entry("flows_app.BulkAssignment", "playlist_add", "Assignments to many"),
        Entry("flows_app.LessonTarget", "assignment_ind", "Work of each"),
        Entry("flows_app.FlowProgress", "timeline", "Log of progress"),
        Entry("flows_app.StepState", "donut_large", "States of steps"),
        Entry("flows_app.Submission", "rate_review", "Reviews"),
        Entry("flows_app.Comment", "comment", "Comments"),
        Entry("flows_app.Notice", "notifications", "Notices"),
        Entry("flows_app.Reminder", "alarm", "Reminders"),
        Entry("flows_app.ReminderWish", "tune", "Wishes about reminders"),
    ],
    "Connections": [
        Entry("integrations_app.Integration", "power"),
        Entry("integrations_app.Connection", "link", "Linked accounts"),
        Entry("integrations_app.Endpoint", "alternate_email", "Addresses"),
        Entry("integrations_app.Channel", "alt_route"),
        Entry("integrations_app.Delivery", "outgoing_mail", "Deliveries"),
        Entry("integrations_app.InboundEvent", "move_to_inbox", "Events from outside"),
        Entry("integrations_app.McpServer", "dns", "MCP servers"),
        Entry("integrations_app.HttpApi", "http", "HTTP interfaces"),
        Entry("integrations_app.RemoteTool", "construction", "Outside tools"),
        Entry("integrations_app.ApiKey", "vpn_key", "API keys"),
        Entry("integrations_app.InboundHook", "webhook", "Inbound hooks"),
    ],
    "Notifications": [
        Entry("integrations_app.NotificationWorkflow", "schema", "Definitions"),
        Entry("integrations_app.Notification", "notifications"),
        Entry("integrations_app.Topic", "campaign"),
        Entry("integrations_app.Preference", "tune", "Preferences"),
    ],
    "Workflows": [
        Entry("workflows.WorkflowRun", "account_tree", "Runs"),
        Entry("workflows.WorkItem", "list_alt", "Work items"),
        Entry("workflows.WorkflowEvent", "notifications", "Events sent to runs"),
        Entry("workflows.Pool", "speed"),
    ],
    "People": [
        Entry("accounts.User", "person"),
        Entry("accounts.Organisation", "domain"),
        Entry("accounts.Membership", "badge"),
        Entry("accounts.Team", "groups"),
        Entry("account.EmailAddress", "mail"),
        Entry("accounts.Event", "history", "Event log"),
    ],
    "Billing": [
        Entry("billing_app.ModelPrice", "sell"),
        Entry("billing_app.UsageRecord", "receipt", "Raw usage"),
        Entry("billing_app.Budget", "savings"),
        Entry("billing_app.Wallet", "account_balance_wallet"),
        Entry("billing_app.Reservation", "lock_clock", "Reservations"),
        Entry("billing_app.CreditEntry", "toll", "Credits"),
        Entry("billing_app.BillingAccount", "contact_page", "Accounts"),
        Entry("billing_app.BilledPeriod", "calendar_month", "Billed months"),
        Entry("billing_app.Invoice", "receipt_long"),
        Entry("billing_app.Payment", "payments"),
        Entry("billing_app.Reconciliation", "fact_check", "Reconciliations"),
        Entry("billing_app.RateLimitState", "hourglass_top", "Rate limits"),
    ],
}


_banners: list[Callable[[HttpRequest], str]] = []


def register_banner(read: Callable[[HttpRequest], str]) -> None:
    """``read`` returns what somebody has to know before all else, safe HTML, or nothing. Filled by
    the apps above."""
    _banners.append(read)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups with an entry the person may see, as unfold reads them."""
    groups = [
        {"title": title, "separator": True, "items": list(_items(entries, request))}
        for title, entries in GROUPS.items()
    ]
    return [group for group in groups if group["items"]]


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The start page shows the same groups, below what has to be known."""
    # Not as "items", which a template would take for the method of a dictionary.
    groups = [{"title": group["title"], "entries": group["items"]} for group in sidebar(request)]
    banners = [said for read in _banners if (said := read(request))]
    return {**context, "groups": groups, "banners": banners}


def _items(entries: list[Entry], request: HttpRequest) -> Iterator[dict[str, Any]]:
    for entry in entries:
        app_label, name = entry.model.split(".")
        try:
            model = apps.get_model(app_label, name)
        except LookupError:
            continue
        if not admin.site.is_registered(model):
            continue
        if not admin.site.get_model_admin(model).has_view_permission(request):
            continue
        title = entry.title or str(model._meta.verbose_name_plural).capitalize()
        link = reverse(f"admin:{app_label}_{name.lower()}_changelist")
        yield {"title": title, "icon": entry.icon, "link": link}
