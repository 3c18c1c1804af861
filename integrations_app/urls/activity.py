"""Deliveries and what became of them."""

from django.urls import URLPattern, path

from integrations_app.views import activity, status_hooks

connection_urls: list[URLPattern] = [
    path("activity/", activity.activity_list, name="activity"),
    path("activity/live/", activity.activity_live, name="activity_live"),
    path("deliveries/<uuid:delivery_id>/", activity.delivery_page, name="delivery"),
    path("deliveries/<uuid:delivery_id>/live/", activity.delivery_live, name="delivery_live"),
    path("deliveries/<uuid:delivery_id>/cancel/", activity.cancel, name="delivery_cancel"),
    path("deliveries/<uuid:delivery_id>/again/", activity.send_again, name="delivery_again"),
    path("notifications/<uuid:notification_id>/", activity.notification_way, name="notification"),
]
hook_urls: list[URLPattern] = [
    path("providers/<uuid:integration_id>/", status_hooks.provider_status, name="provider"),
]
