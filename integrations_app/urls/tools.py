"""MCP servers and HTTP interfaces."""

from django.urls import URLPattern, path

from integrations_app.views import apis, servers, tools

connection_urls: list[URLPattern] = [
    path("tools/", tools.tools, name="tools"),
    path("tools/servers/new/", servers.new_server, name="new_server"),
    path("tools/servers/<uuid:server_id>/", servers.server, name="server"),
    path("tools/servers/<uuid:server_id>/live/", servers.server_live, name="server_live"),
    path("tools/servers/<uuid:server_id>/look/", servers.look, name="look_at_server"),
    path("tools/servers/<uuid:server_id>/allow/", servers.allow_of_server, name="allow_of_server"),
    path("tools/servers/<uuid:server_id>/switch/", servers.switch_server, name="switch_server"),
    path("tools/servers/<uuid:server_id>/remove/", servers.remove_server, name="remove_server"),
    path("tools/apis/new/", apis.new_api, name="new_api"),
    path("tools/apis/<uuid:api_id>/", apis.api, name="api"),
    path("tools/apis/<uuid:api_id>/describe/", apis.describe, name="describe_api"),
    path("tools/apis/<uuid:api_id>/add/", apis.add, name="add_operation"),
    path("tools/apis/<uuid:api_id>/allow/", apis.allow_of_api, name="allow_of_api"),
    path("tools/apis/<uuid:api_id>/switch/", apis.switch_api, name="switch_api"),
    path("tools/apis/<uuid:api_id>/remove/", apis.remove_api, name="remove_api"),
    path("tools/remote/<uuid:remote_id>/withdraw/", tools.withdraw_tool, name="withdraw_tool"),
]
