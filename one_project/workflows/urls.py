"""Addresses of durable work."""

from django.urls import URLPattern, path

from one_project.workflows.views.listing import live_list, pools, run_list
from one_project.workflows.views.runs import live_run, run_page
from one_project.workflows.views.verbs import cancel, event, pause, restart, resume, retry

app_name = "workflows"

RUN = "<uuid:run_id>/"

urlpatterns: list[URLPattern] = [
    path("", run_list, name="list"),
    path("live/", live_list, name="live_list"),
    path("pools/", pools, name="pools"),
    path(RUN, run_page, name="run"),
    path(f"{RUN}live/", live_run, name="live"),
    path(f"{RUN}cancel/", cancel, name="cancel"),
    path(f"{RUN}pause/", pause, name="pause"),
    path(f"{RUN}resume/", resume, name="resume"),
    path(f"{RUN}retry/", retry, name="retry"),
    path(f"{RUN}restart/", restart, name="restart"),
    path(f"{RUN}events/", event, name="event"),
]
