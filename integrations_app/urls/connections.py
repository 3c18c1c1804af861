"""Accounts and providers."""

from django.urls import URLPattern, path

from integrations_app.views import (
    addresses,
    channels,
    connecting,
    connections,
    integration,
    integration_verbs,
)

connection_urls: list[URLPattern] = [
    path("", connections.connection_list, name="list"),
    path("live/", connections.connection_list_live, name="list_live"),
    path("providers/", connections.choose_provider, name="providers"),
    path("new/<slug:provider>/", integration.new, name="new"),
    path("<uuid:integration_id>/", integration.integration, name="integration"),
    path("<uuid:integration_id>/test/", integration_verbs.test, name="test"),
    path("<uuid:integration_id>/trial/", integration_verbs.trial, name="trial"),
    path("<uuid:integration_id>/pause/", integration_verbs.pause, name="pause"),
    path("<uuid:integration_id>/activate/", integration_verbs.activate, name="activate"),
    path("<uuid:integration_id>/default/", integration_verbs.make_default, name="make_default"),
    path("<uuid:integration_id>/no-default/", integration_verbs.drop_default, name="drop_default"),
    path("<uuid:integration_id>/remove/", integration_verbs.remove, name="remove"),
    path("<uuid:integration_id>/share/", integration.share, name="share"),
    path("<uuid:integration_id>/places/", integration.place, name="place"),
    path(
        "<uuid:integration_id>/places/<uuid:endpoint_id>/remove/",
        integration.remove_place,
        name="remove_place",
    ),
    path("channels/", channels.channels, name="channels"),
    path("channels/<uuid:channel_id>/", channels.channel, name="channel"),
    path("channels/<uuid:channel_id>/remove/", channels.remove_channel, name="remove_channel"),
    path("channels/<uuid:channel_id>/add/", channels.add_route, name="add_route"),
    path("channels/<uuid:channel_id>/routes/", channels.change_route, name="change_route"),
    path("addresses/", addresses.addresses, name="addresses"),
    path("addresses/<uuid:endpoint_id>/verify/", addresses.verify, name="verify_address"),
    path("addresses/<uuid:endpoint_id>/code/", addresses.send_code, name="send_code"),
    path("addresses/<uuid:endpoint_id>/remove/", addresses.remove_address, name="remove_address"),
    path("callback/", connecting.callback, name="callback"),
    path("<uuid:integration_id>/connect/", connecting.connect, name="connect"),
    path("linked/<uuid:connection_id>/revoke/", connecting.disconnect, name="disconnect"),
]
