"""What was used and what it cost."""

from django.urls import URLPattern, path

from billing_app.views import exports, usage

urlpatterns: list[URLPattern] = [
    path("", usage.home, name="home"),
    path("usage.csv", exports.usage_csv, name="csv"),
    path("records.csv", exports.records_csv, name="records"),
]
