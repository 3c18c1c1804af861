"""Addresses at /usage/, as "usage": each part brings its own."""

from django.urls import URLPattern

from billing_app.urls import invoices, pages

app_name = "usage"
urlpatterns: list[URLPattern] = [*pages.urlpatterns, *invoices.urlpatterns]
