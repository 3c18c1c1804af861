"""Addresses of our own beside allauth's."""

from django.urls import URLPattern, path

from one_project.accounts.views import switch_organisation

urlpatterns: list[URLPattern] = [
    path("organisation/", switch_organisation, name="switch_organisation"),
]
