"""Addresses of one flow with its funnel, one person, my work."""

from django.urls import URLPattern, path

from flows_app.views import mine, overview, person

flow_urls: list[URLPattern] = [
    path("<uuid:flow_id>/", overview.flow_page, name="flow"),
    path("<uuid:flow_id>/funnel/", overview.funnel_live, name="funnel"),
    path("people/<uuid:user_id>/", person.person_page, name="person"),
    path("people/<uuid:user_id>/live/", person.person_live, name="person_live"),
    path("agents/<uuid:agent_id>/", person.agent_page, name="agent_work"),
    path("agents/<uuid:agent_id>/live/", person.agent_live, name="agent_live"),
]

lesson_urls: list[URLPattern] = [
    path("", mine.mine, name="mine"),
    path("live/", mine.live, name="mine_live"),
    path("history/", mine.history, name="history"),
]
