"""The URL map: each app brings its own; addresses here are part of the outside contract."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from agents_app.urls import knowledge_urls
from flows_app.urls import flow_urls, lesson_urls
from integrations_app.urls import api_urls, connection_urls, hook_urls, notification_urls
from one_project.common.health import healthz, metrics, readyz

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("accounts/", include("one_project.accounts.urls")),
    path("accounts/", include("allauth.urls")),
    path("agents/", include("agents_app.urls")),
    path("knowledge/", include((knowledge_urls, "knowledge"))),
    path("flows/", include((flow_urls, "flows"))),
    path("lessons/", include((lesson_urls, "lessons"))),
    path("connections/", include((connection_urls, "connections"))),
    path("notifications/", include((notification_urls, "notifications"))),
    path("hooks/", include((hook_urls, "hooks"))),
    path("api/v1/", include((api_urls, "api"))),
    path("usage/", include("billing_app.urls")),
    path("workflows/", include("one_project.workflows.urls")),
    path("", include("chat_app.urls")),
]

handler400 = "one_project.common.pages.bad_request"
handler403 = "one_project.common.pages.forbidden"
handler404 = "one_project.common.pages.not_found"
handler500 = "one_project.common.pages.server_error"
