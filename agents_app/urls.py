"""Addresses of agents."""

from django.urls import URLPattern, path

from agents_app.views import agent_list

app_name = "agents"

urlpatterns: list[URLPattern] = [
    path("", agent_list, name="list"),
]
