"""Keys, hooks and the API for programs."""

from django.urls import URLPattern, path

from integrations_app.views import api, hooks, keys

connection_urls: list[URLPattern] = [
    path("keys/", keys.keys, name="keys"),
    path("keys/<uuid:key_id>/revoke/", keys.revoke_key, name="revoke_key"),
    path("hooks/", hooks.hooks_in, name="hooks_in"),
    path("hooks/<uuid:hook_id>/", hooks.hook, name="hook"),
    path("hooks/<uuid:hook_id>/switch/", hooks.switch, name="switch_hook"),
    path("hooks/<uuid:hook_id>/rotate/", hooks.rotate, name="rotate_hook"),
    path("hooks/<uuid:hook_id>/remove/", hooks.remove, name="remove_hook"),
]
hook_urls: list[URLPattern] = [path("<uuid:hook_id>/", hooks.inbound, name="inbound")]
api_urls: list[URLPattern] = [
    path("notifications", api.notify, name="notify"),
    path("notifications/<uuid:notification_id>", api.notification, name="notification"),
]
