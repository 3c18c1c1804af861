"""Addresses: /flows/ is for staff, /lessons/ for everybody. Each part brings its own."""

from django.urls import URLPattern

from flows_app.urls import agents, assigning, authoring, boards, overview, talk, working

PARTS = (authoring, overview, boards, assigning, agents, talk, working)

# Mounted at /flows/, as "flows".
flow_urls: list[URLPattern] = [one for part in PARTS for one in part.flow_urls]
# Mounted at /lessons/, as "lessons".
lesson_urls: list[URLPattern] = [one for part in PARTS for one in part.lesson_urls]
