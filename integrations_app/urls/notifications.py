"""Inbox and preferences; notification workflows."""

from django.urls import URLPattern, path

from integrations_app.views import inbox, notification_workflows, preferences

notification_urls: list[URLPattern] = [
    path("", inbox.inbox, name="inbox"),
    path("bell/", inbox.bell, name="bell"),
    path("read/", inbox.read_all, name="read_all"),
    path("preferences/", preferences.preferences, name="preferences"),
    path("preferences/reset/", preferences.reset, name="reset_preferences"),
    path("preferences/topics/<slug:key>/", preferences.topic, name="mute_topic"),
    path("unsubscribe/<str:token>/", preferences.unsubscribe, name="unsubscribe"),
    path("<uuid:notification_id>/", inbox.open_one, name="open"),
    path("<uuid:notification_id>/read/", inbox.read, name="read"),
    path("<uuid:notification_id>/archive/", inbox.archive, name="archive"),
    path("<uuid:notification_id>/snooze/", inbox.snooze, name="snooze"),
]
_workflows = notification_workflows
connection_urls: list[URLPattern] = [
    path("workflows/", _workflows.workflows, name="workflows"),
    path("workflows/new/", _workflows.new, name="new_workflow"),
    path("workflows/check/", _workflows.check, name="check_workflow"),
    path("workflows/try/<slug:key>/", _workflows.try_it, name="try_workflow"),
    path("workflows/<uuid:workflow_id>/", _workflows.workflow, name="workflow"),
    path("workflows/<uuid:workflow_id>/delete/", _workflows.delete, name="delete_workflow"),
]
